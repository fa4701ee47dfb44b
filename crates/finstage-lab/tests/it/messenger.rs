use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::telegram::{Chats, TelegramOptions, TelegramSim};
use finstage_model::{ManualClock, Timestamp};
use futures_util::future::select;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::{Reply, get, post};

const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";

struct Messenger {
    sim: TelegramSim,
    clock: Arc<ManualClock>,
}

async fn messenger(faults: &str) -> Messenger {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_700_000_000)));
    let options = TelegramOptions {
        clock: clock.clone(),
        faults: Scenario::parse(&format!("name = \"test\"\n{faults}")).unwrap(),
        ledger: Arc::new(Ledger::in_memory()),
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        tokens: vec![TOKEN.to_owned()],
        chats: Chats::Only(vec![42, 43, -1_001_234_567_890]),
    };
    assert!(!format!("{options:?}").contains("ABC-DEF"), "a token is never shown");
    Messenger { sim: TelegramSim::start(options).unwrap(), clock }
}

impl Messenger {
    async fn call(&self, method: &str, body: Value) -> Reply {
        let path = format!("/bot{TOKEN}/{method}");
        post(&self.sim.url(), &path, ("application/json", &body.to_string())).await
    }

    async fn send(&self, text: &str) -> Reply {
        self.clock.advance(Duration::from_secs(1));
        self.call("sendMessage", json!({"chat_id": 42, "text": text, "parse_mode": "HTML"})).await
    }
}

fn description(reply: &Reply) -> String {
    let json = reply.json();
    assert_eq!(
        (json["ok"].as_bool(), json["error_code"].as_u64()),
        (Some(false), Some(reply.status.into()))
    );
    json["description"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_message_is_taken_in_every_form_of_a_call() {
    let m = messenger("").await;
    let mut taken = m.sim.subscribe();
    let reply = m.send("<b>BTC</b> 43,000").await;
    assert_eq!(
        reply.json(),
        json!({"ok": true, "result": {
            "message_id": 1,
            "from": {"id": 123_456, "is_bot": true, "first_name": "Fin", "username": "fin_bot"},
            "chat": {"id": 42, "first_name": "Ann", "type": "private"},
            "date": 1_700_000_001,
            "text": "BTC 43,000",
            "entities": [{"type": "bold", "offset": 0, "length": 3}],
        }})
    );
    let form = "chat_id=42&text=1+%3C+2+%F0%9F%93%88&disable_notification=True";
    let path = format!("/bot{TOKEN}/SENDMESSAGE");
    let media = "application/x-www-form-urlencoded";
    assert_eq!(post(&m.sim.url(), &path, (media, form)).await.status, 200);
    let query = format!("/bot{TOKEN}/sendMessage?chat_id=-1001234567890&text=hi");
    assert_eq!(get(&m.sim.url(), &query).await.json()["result"]["chat"]["type"], "supergroup");

    let messages = m.sim.messages();
    let texts: Vec<&str> = messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["BTC 43,000", "1 < 2 \u{1f4c8}", "hi"]);
    assert_eq!(messages[0].raw, "<b>BTC</b> 43,000");
    assert_eq!(messages[0].at, Timestamp::from_secs(1_700_000_001));
    assert_eq!(messages.iter().map(|m| m.is_silent).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(taken.recv().await.unwrap(), messages[0]);
    m.sim.stop().await;
}

#[tokio::test]
async fn what_the_messenger_refuses_it_refuses_in_its_own_words() {
    let m = messenger("").await;
    let long = "x".repeat(4_097);
    for (text, expected) in [
        ("", "Bad Request: message text is empty"),
        (" <b> </b>\n", "Bad Request: message text is empty"),
        (&*long, "Bad Request: message is too long"),
        (
            "<b>x",
            "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
        (
            "<p>x</p>",
            "Bad Request: can't parse entities: Unsupported start tag \"p\" at byte offset 0",
        ),
    ] {
        let reply = m.send(text).await;
        assert_eq!((reply.status, description(&reply).as_str()), (400, expected));
    }
    assert_eq!(m.send(&format!("<b>{}</b>", &long[1..])).await.status, 200, "tags do not count");
    for (body, expected) in [
        (json!({"text": "x"}), "Bad Request: chat_id is empty"),
        (json!({"chat_id": 7, "text": "x"}), "Bad Request: chat not found"),
        (json!({"chat_id": "@nobody", "text": "x"}), "Bad Request: chat not found"),
        (
            json!({"chat_id": 42, "text": "x", "parse_mode": "Latex"}),
            "Bad Request: unsupported parse_mode",
        ),
    ] {
        assert_eq!(description(&m.call("sendMessage", body).await), expected);
    }
    assert_eq!(m.sim.messages().len(), 1);
}

#[tokio::test]
async fn tokens_and_methods_are_checked_first() {
    let m = messenger("").await;
    let status = async |path: &str| {
        let reply = get(&m.sim.url(), path).await;
        (reply.status, reply.json()["description"].as_str().map(str::to_owned))
    };
    let not_found = (404, Some("Not Found".to_owned()));
    assert_eq!(status(&format!("/bot{TOKEN}/getme")).await.0, 200);
    assert_eq!(status("/bot123456:WRONG/getMe").await, (401, Some("Unauthorized".to_owned())));
    for path in ["/botnonsense/getMe", "/bot:x/getMe", "/bot12:/getMe", "/", "/botx"] {
        assert_eq!(status(path).await, not_found, "{path}");
    }
    assert_eq!(status(&format!("/bot{TOKEN}/setWebhook")).await, not_found);
}

#[tokio::test]
async fn too_many_messages_are_told_how_long_to_wait() {
    let m = messenger("").await;
    let to = |chat: i64| json!({"chat_id": chat, "text": "x"});
    for _ in 0..3 {
        assert_eq!(m.call("sendMessage", to(42)).await.status, 200);
    }
    let refused = m.call("sendMessage", to(42)).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(description(&refused), "Too Many Requests: retry after 1");
    assert_eq!(refused.json()["parameters"]["retry_after"], 1);
    assert_eq!(m.call("sendMessage", to(43)).await.status, 200, "another chat is free");
    m.clock.advance(Duration::from_secs(1));
    assert_eq!(m.call("sendMessage", to(42)).await.status, 200);
    assert_eq!(m.call("sendMessage", to(429)).await.json()["parameters"]["retry_after"], 35);
}

#[tokio::test]
async fn a_scenario_breaks_the_messenger_by_the_clock() {
    let scenario = r#"
        [[faults]]
        kind = "telegram_429"
        at = "2s"
        for = "1s"
        retry_after = 7
        [[faults]]
        kind = "telegram_502_html"
        at = "3s"
        for = "1s"
        [[faults]]
        kind = "telegram_403"
        at = "4s"
        for = "1s"
        chat = 42
        [[faults]]
        kind = "telegram_400_parse"
        at = "5s"
        for = "1s"
    "#;
    let m = messenger(scenario).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        let reply = m.send("x").await;
        seen.push((reply.status, reply.body.starts_with('{')));
    }
    assert_eq!(
        seen,
        [(200, true), (429, true), (502, false), (403, true), (400, true), (200, true)]
    );
    assert_eq!(m.sim.messages().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_messenger_keeps_what_its_client_gave_up_on() {
    let m =
        messenger("[[faults]]\nkind = \"telegram_slow\"\nat = \"0s\"\nfor = \"5s\"\nby = \"12s\"")
            .await;
    let given_up = tokio::time::timeout(Duration::from_secs(5), m.send("x")).await;
    assert!(given_up.is_err());
    assert_eq!(m.sim.messages().len(), 1);
}

#[tokio::test]
async fn a_poller_hears_users_and_a_second_one_ends_it() {
    let m = messenger("").await;
    m.sim.user_says(42, "/start");
    let first = m.call("getUpdates", json!({"timeout": 50})).await.json();
    assert_eq!(first["result"][0]["message"]["text"], "/start");
    assert_eq!(first["result"][0]["message"]["entities"][0]["type"], "bot_command");
    let again = m.call("getUpdates", json!({"timeout": 50})).await.json();
    assert_eq!(again, first, "it was not confirmed");

    let confirm = json!({"offset": 2, "timeout": 50});
    let polls = [0, 1].map(|_| Box::pin(m.call("getUpdates", confirm.clone())));
    let [one, other] = polls;
    let (ended, left) = select(one, other).await.factor_first();
    assert_eq!(ended.status, 409);
    assert!(description(&ended).starts_with("Conflict: terminated by other getUpdates request"));
    m.sim.user_says(42, "/price BTC");
    let heard = left.await.json();
    assert_eq!(heard["result"][0]["update_id"], 2);
    assert_eq!(heard["result"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_user_without_a_phone_writes_to_the_bot() {
    let m = messenger("").await;
    let say = async |body: Value| {
        post(&m.sim.url(), "/sim/say", ("application/json", &body.to_string())).await.status
    };
    assert_eq!(say(json!({"chat_id": 42, "text": "/start"})).await, 200);
    assert_eq!(say(json!({"chat_id": 41, "text": "/start"})).await, 400);
    // As `curl -d` sends it.
    let body = json!({"chat_id": 42, "text": "/help"}).to_string();
    let form = ("application/x-www-form-urlencoded", &*body);
    assert_eq!(post(&m.sim.url(), "/sim/say", form).await.status, 200);
    let news = m.call("getUpdates", json!({})).await.json();
    assert_eq!(news["result"][0]["message"]["text"], "/start");
    assert_eq!(news["result"][1]["message"]["text"], "/help");
    assert_eq!(news["result"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_button_is_shown_pressed_and_answered_once() {
    let m = messenger("").await;
    let with = |markup: Value| json!({"chat_id": 42, "text": "BTC", "reply_markup": markup});
    let keys = |data: &str| json!({"inline_keyboard": [[{"text": "Why", "callback_data": data}]]});
    for (markup, expected) in [
        (json!("[]"), "object expected as reply markup"),
        (keys(&"x".repeat(65)), "BUTTON_DATA_INVALID"),
        (keys(""), "BUTTON_DATA_INVALID"),
    ] {
        let reply = m.call("sendMessage", with(markup)).await;
        assert_eq!(description(&reply), format!("Bad Request: {expected}"));
    }
    let sent = m.call("sendMessage", with(json!(keys("why:1").to_string()))).await.json();
    assert_eq!(sent["result"]["reply_markup"], keys("why:1"));
    let message = sent["result"]["message_id"].as_i64().unwrap();

    assert!(!m.sim.user_presses(42, message, "why:2"), "there is no such button");
    let press = json!({"chat_id": 42, "message_id": message, "data": "why:1"});
    let pressed = post(&m.sim.url(), "/sim/press", ("application/json", &press.to_string())).await;
    assert_eq!(pressed.status, 200);
    let news =
        m.call("getUpdates", json!({"allowed_updates": ["message", "callback_query"]})).await;
    let query = &news.json()["result"][0]["callback_query"];
    assert_eq!((&query["data"], &query["message"]["chat"]["id"]), (&json!("why:1"), &json!(42)));
    let heard = json!({"callback_query_id": query["id"]});
    assert_eq!(m.call("answerCallbackQuery", heard.clone()).await.status, 200);
    let again = m.call("answerCallbackQuery", heard).await;
    assert!(description(&again).starts_with("Bad Request: query is too old"));
}

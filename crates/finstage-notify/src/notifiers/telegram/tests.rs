use finstage_model::Alert;

use super::*;
use crate::suite::{CANARY, long, special, telegram, visible};

fn bodies(channel: &Telegram, alert: &Alert, delivery: &Delivery<'_>) -> Vec<serde_json::Value> {
    let body = |part| match part {
        Outgoing::Http(request) => serde_json::from_slice(request.body_bytes()).unwrap(),
        Outgoing::Line(line) => panic!("telegram sends requests, not {line}"),
    };
    channel.render(&alert.clone().into(), delivery).into_iter().map(body).collect()
}

fn meaning(status: u16, retry_after: Option<u64>, body: &str) -> Accepted {
    let retry_after = retry_after.map(Duration::from_secs);
    telegram("42").accepted(&Reply { status, retry_after, body: body.as_bytes() })
}

fn refused(code: u16, description: &str) -> Accepted {
    let body = serde_json::json!({"ok": false, "error_code": code, "description": description});
    meaning(code, None, &body.to_string())
}

#[test]
fn markup_in_names_is_escaped_and_nothing_else() {
    let body = &bodies(&telegram("42"), &special(), &Delivery::FIRST)[0];
    let text = body["text"].as_str().unwrap();
    assert!(text.contains("file:S&amp;P&lt;b&gt;500&lt;/b&gt; at 96.8 &lt;&amp;&gt;"), "{text}");
    assert!(text.contains("\"volume\" &lt; 1e6 &lt;a href='x'&gt;{price}&lt;/a&gt; &amp;amp;"));
    assert!(text.starts_with("<b>● price watch expr(close&gt;sma &amp; volume&lt;1e6)</b>\n"));
}

#[test]
fn plain_text_has_neither_markup_nor_a_parse_mode() {
    let plain = Delivery { form: Form::Plain, ..Delivery::FIRST };
    let body = &bodies(&telegram("42"), &special(), &plain)[0];
    assert!(body.get("parse_mode").is_none());
    assert!(body["text"].as_str().unwrap().contains("file:S&P<b>500</b>"));
}

#[test]
fn five_thousand_characters_go_out_in_two_messages_that_lose_no_word() {
    let alert = long();
    assert_eq!(alert.words.len(), 5_000);
    let parts = bodies(&telegram("42"), &alert, &Delivery::FIRST);
    assert_eq!(parts.len(), 2);
    let text: Vec<String> = parts.iter().map(|b| visible(b["text"].as_str().unwrap())).collect();
    let all = text.join(" ");
    for word in alert.words.split_whitespace() {
        assert!(all.contains(word), "{word}");
    }
    assert!(text[0].encode_utf16().count() > 4_000, "the first part is used up");
}

#[test]
fn a_chat_is_a_number_or_a_public_name() {
    let chat =
        |chat: &str| bodies(&telegram(chat), &long(), &Delivery::FIRST)[0]["chat_id"].clone();
    assert_eq!(chat("42"), 42);
    assert_eq!(chat("-1001234567890"), -1_001_234_567_890_i64);
    assert_eq!(chat("@my_channel"), "@my_channel");
}

#[test]
fn groups_are_paced_by_the_minute() {
    assert_eq!(telegram("42").pace(), PRIVATE_PACE);
    assert_eq!(telegram("-42").pace(), GROUP_PACE);
    assert_eq!(telegram("@channel").pace(), GROUP_PACE);
}

#[test]
fn a_delivered_message_gives_its_id() {
    let body = r#"{"ok":true,"result":{"message_id":101,"date":1700000000,"text":"x"}}"#;
    assert_eq!(meaning(200, None, body), Accepted::Delivered("101".into()));
    assert_eq!(meaning(200, None, r#"{"ok":true}"#), Accepted::Delivered(String::new()));
}

#[test]
fn too_fast_waits_as_long_as_told() {
    let wait = |secs| Accepted::RetryAfter(Duration::from_secs(secs));
    let body = |after: &str| {
        format!(r#"{{"ok":false,"error_code":429,"description":"Too Many Requests"{after}}}"#)
    };
    let told = body(r#","parameters":{"retry_after":35}"#);
    assert_eq!(meaning(429, Some(7), &told), wait(35));
    assert_eq!(meaning(429, Some(7), &body("")), wait(7));
    assert_eq!(meaning(429, None, &body("")), wait(30));
    assert_eq!(meaning(429, Some(7), "<html>slow down</html>"), wait(7));
    let absurd = body(r#","parameters":{"retry_after":99999999999}"#);
    assert_eq!(meaning(429, None, &absurd), Accepted::RetryAfter(MAX_WAIT));
}

#[test]
fn what_cannot_be_parsed_is_sent_again_as_plain_text() {
    let said = "Bad Request: can't parse entities: Can't find end tag corresponding to start tag b";
    assert_eq!(refused(400, said), Accepted::PlainAgain);
}

#[test]
fn a_group_that_became_a_supergroup_is_followed() {
    let body = r#"{"ok":false,"error_code":400,
        "description":"Bad Request: group chat was upgraded to a supergroup chat",
        "parameters":{"migrate_to_chat_id":-1001234567890}}"#;
    assert_eq!(meaning(400, None, body), Accepted::Moved { address: "-1001234567890".into() });
    let moved = Delivery { address: Some("-1001234567890"), ..Delivery::FIRST };
    let body = &bodies(&telegram("-5"), &special(), &moved)[0];
    assert_eq!(body["chat_id"], -1_001_234_567_890_i64);
}

#[test]
fn final_refusals_disable_the_channel_and_say_what_to_do() {
    for (code, said, remedy) in [
        (400, "Bad Request: chat not found", "check `chat`"),
        (401, "Unauthorized", "@BotFather"),
        (403, "Forbidden: bot was blocked by the user", "unblock it"),
        (404, "Not Found", "check `token` and `base_url`"),
    ] {
        let Accepted::Rejected { reason, then: Then::Disable } = refused(code, said) else {
            panic!("{code} {said} disables the channel");
        };
        assert!(reason.contains(said) && reason.contains(remedy), "{reason}");
    }
}

#[test]
fn a_refused_text_concerns_that_text_alone() {
    for said in ["Bad Request: message is too long", "Bad Request: message text is empty"] {
        assert!(
            matches!(refused(400, said), Accepted::Rejected { then: Then::GoOn, .. }),
            "{said}"
        );
    }
    assert!(matches!(refused(400, "Bad Request: something new"), Accepted::Refused { .. }));
    assert!(matches!(refused(413, "Request Entity Too Large"), Accepted::Refused { .. }));
}

#[test]
fn whatever_is_not_telegrams_own_answer_is_tried_again() {
    let sent = |status, body| match meaning(status, None, body) {
        Accepted::Retry { sent, .. } => sent,
        other => panic!("{status} {body}: {other:?}"),
    };
    let nginx = "<html><h1>502 Bad Gateway</h1></html>";
    assert_eq!(sent(502, nginx), Sent::Unknown);
    assert_eq!(sent(504, ""), Sent::Unknown);
    assert_eq!(
        sent(500, r#"{"ok":false,"error_code":500,"description":"Internal Server Error"}"#),
        Sent::Unknown
    );
    // A body that was cut: it may well have arrived.
    assert_eq!(sent(200, r#"{"ok":true,"resu"#), Sent::Unknown);
    // A firewall's or a portal's page: the request never came to Telegram.
    assert_eq!(sent(403, "<html>forbidden by policy</html>"), Sent::No);
    assert_eq!(sent(302, ""), Sent::No);
}

#[test]
fn options_that_cannot_be_right_are_refused_without_the_token() {
    let options = || TelegramOptions {
        name: "telegram".into(),
        base_url: TelegramOptions::BASE_URL.into(),
        token: Secret::new(CANARY.into()),
        chat: "42".into(),
        template: Template::default(),
        buttons: Vec::new(),
    };
    let token = |text: &str| Secret::new(text.to_owned());
    for (bad, names) in [
        (TelegramOptions { base_url: "api.telegram.org".into(), ..options() }, "base url"),
        (TelegramOptions { token: token("CANARY"), ..options() }, "token"),
        (TelegramOptions { token: token("1:CANARY/../x"), ..options() }, "token"),
        (TelegramOptions { token: token(":CANARY"), ..options() }, "token"),
        (TelegramOptions { chat: "me".into(), ..options() }, "chat"),
        (TelegramOptions { chat: "@".into(), ..options() }, "chat"),
        (TelegramOptions { chat: String::new(), ..options() }, "chat"),
    ] {
        let said = Telegram::new(bad).unwrap_err().to_string();
        assert!(said.contains(names) && !said.contains("CANARY"), "{said}");
    }
}

#[test]
fn buttons_stand_below_the_last_part_of_an_alert_and_name_it() {
    let button = |text: &str, verb| Button { text: text.into(), verb };
    let options = |buttons| TelegramOptions {
        name: "telegram".into(),
        base_url: TelegramOptions::BASE_URL.into(),
        token: Secret::new(CANARY.into()),
        chat: "42".into(),
        template: Template::default(),
        buttons,
    };
    let channel =
        Telegram::new(options(vec![button("Why", "why"), button("Mute 8h", "mute")])).unwrap();
    let parts = bodies(&channel, &long(), &Delivery::FIRST);
    assert!(parts[0].get("reply_markup").is_none());
    let row = &parts[1]["reply_markup"]["inline_keyboard"][0];
    assert_eq!(row[1]["text"], "Mute 8h");
    assert_eq!(row[0]["callback_data"], format!("why:{}", long().id));
    assert!(row[0]["callback_data"].as_str().unwrap().len() <= 64);
    let long_verb = button("x", "an_action_with_a_very_long_name_x");
    assert!(Telegram::new(options(vec![long_verb])).is_err());
}

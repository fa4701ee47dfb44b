//! The gateway between programs and simulated venues and models.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Deref;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::shell::{Running, Shell};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A simulator with a ledger, and a gateway in front of it.
struct Scene {
    shell: Shell,
    _sim: Running,
    gateway: Running,
    door: Door,
    places: Value,
}

/// Where the gateway listens, as programs know it.
struct Door(String);

impl Deref for Scene {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

impl Scene {
    /// `sim` are options of the simulator; in `config` venues stand for their addresses, in capitals.
    fn new(sim: &str, config: &str) -> Self {
        Self::with_faults(sim, config, "")
    }

    fn with_faults(sim: &str, config: &str, faults: &str) -> Self {
        Self::with((sim, config), faults, "")
    }

    fn with((sim, config): (&str, &str), faults: &str, prices: &str) -> Self {
        let shell = Shell::new();
        shell.write("prices.toml", prices);
        shell.write("faults.toml", format!("name = \"t\"\nseed = 1\n{faults}"));
        let line = format!("sim --seed 3 --ledger ledger.jsonl --scenario faults.toml {sim}");
        let mut sim = shell.start(&line);
        let places: Value = serde_json::from_str(&sim.until("{")).unwrap();
        let mut config = config.to_owned();
        for (venue, place) in places.as_object().unwrap() {
            config = config.replace(&venue.to_uppercase(), place["rest"].as_str().unwrap());
        }
        shell.write("finstage.toml", config);
        let (gateway, door, places) = Self::gateway(&shell);
        Self { shell, _sim: sim, gateway, door, places }
    }

    /// A gateway of the configuration in `shell`.
    fn gateway(shell: &Shell) -> (Running, Door, Value) {
        let mut gateway = shell.start("gateway --listen 127.0.0.1:0");
        let places: Value = serde_json::from_str(&gateway.until("{")).unwrap();
        let openai = places["openai"].as_str().unwrap();
        let at = openai.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        (gateway, Door(at), places)
    }

    /// What the simulator was asked: path and outcome.
    fn ledger(&self) -> Vec<(String, String)> {
        let text = String::from_utf8(self.shell.read("ledger.jsonl")).unwrap();
        let line = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| line[name].as_str().unwrap().to_owned();
            (word("path"), word("outcome"))
        };
        text.lines().map(line).collect()
    }
}

impl Door {
    /// Sends a request, and does not read what comes.
    fn open(&self, head: &str, headers: &[(&str, &str)], body: &str) -> BufReader<TcpStream> {
        let mut socket = TcpStream::connect(&self.0).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = format!("{head} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            text += &format!("Host: {}\r\n", self.0);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        let length = body.len();
        text += &format!("Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        socket.write_all(text.as_bytes()).unwrap();
        BufReader::new(socket)
    }

    fn ask(&self, head: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut text = Vec::new();
        self.open(head, headers, body).read_to_end(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Reply { head: head.to_owned(), body: body.to_owned() }
    }

    fn get(&self, path: &str) -> Reply {
        self.ask(&format!("GET /gateway{path}"), &[], "")
    }

    fn chat(&self, body: &Value) -> Reply {
        self.ask(CHAT, &[], &body.to_string())
    }
}

const CHAT: &str = "POST /gateway/openai/v1/chat/completions";

fn question(text: &str) -> Value {
    json!({"model": "echo", "max_tokens": 50, "messages": [{"role": "user", "content": text}]})
}

fn streamed(text: &str) -> Value {
    let mut body = question(text);
    body["stream"] = true.into();
    body
}

struct Reply {
    head: String,
    body: String,
}

impl Reply {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }

    /// Status and word of a refusal.
    fn refusal(&self) -> (u16, &str) {
        (self.status(), self.header("x-finstage-error").unwrap_or_default())
    }
}

const VENUES: &str = "[venues.binance]\nrest = \"BINANCE\"\n[venues.kraken]\nrest = \"KRAKEN\"\n";
const MODELS: &str = "[llm]\nbase_url = \"OPENAI\"\napi_key = \"sk-house\"\n";

#[test]
fn public_market_data_of_a_venue_passes_and_nothing_else() {
    let scene = Scene::new("--venues binance,kraken", VENUES);
    let venues = &scene.places["venues"];
    assert_eq!(venues["binance"], format!("http://{}/gateway/binance", scene.door.0));
    assert!(venues["kis"].is_null(), "it wants keys that are not there: {venues}");
    let bars = scene.get("/binance/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=3");
    assert_eq!((bars.status(), bars.json().as_array().unwrap().len()), (200, 3), "{}", bars.body);
    assert_eq!(bars.header("x-finstage-attempts"), Some("1"));
    assert!(
        bars.header("x-finstage-wait-ms").is_some()
            && bars.header("x-mbx-used-weight-1m").is_some()
    );
    assert!(scene.get("/kraken/0/public/Time").json()["result"]["unixtime"].is_number());
    let found = |reply: &Reply| reply.header("x-finstage-cache").map(str::to_owned);
    let first = scene.get("/binance/api/v3/exchangeInfo");
    let second = scene.get("/binance/api/v3/exchangeInfo");
    assert_eq!(found(&first).zip(found(&second)), Some(("miss".into(), "hit".into())));
    assert_eq!(first.body, second.body);
    let asked = scene.ledger().len();
    for (path, refusal) in [
        ("/binance/api/v3/account", (403, "not_public")),
        ("/binance/api/v3/klines?symbol=BTCUSDT&signature=ff", (403, "signed")),
        ("/binance/api/v3/../v3/account", (403, "not_public")),
        ("/kraken/0/private/Balance", (403, "not_public")),
        ("/nyse/anything", (404, "not_found")),
    ] {
        assert_eq!(scene.get(path).refusal(), refusal, "{path}");
    }
    let order = scene.ask("POST /gateway/binance/api/v3/klines", &[], "{}");
    assert_eq!(
        (order.refusal(), order.header("allow")),
        ((405, "method_not_allowed"), Some("GET"))
    );
    for (name, value) in [
        ("Origin", "http://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Host", "evil.example"),
    ] {
        let reply = scene.ask("GET /gateway/binance/api/v3/time", &[(name, value)], "");
        assert_eq!(reply.status(), 403, "{name}: {value}");
    }
    assert_eq!(scene.ledger().len(), asked, "what is refused is not sent");
    scene.gateway.terminate();
    assert_eq!(scene.gateway.end().code, 0);
}

#[test]
fn at_three_times_the_limit_a_venue_refuses_nothing_and_programs_need_no_keys() {
    let (key, secret) = ("k".repeat(36), "s".repeat(180));
    let config =
        format!("[venues.kis]\nrest = \"KIS\"\napp_key = \"{key}\"\napp_secret = \"{secret}\"\n");
    let scene = Scene::new("--venues kis", &config);
    let path = "GET /gateway/kis/uapi/domestic-stock/v1/quotations/inquire-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD=005930";
    let wrong = scene.ask(path, &[("tr_id", "TTTC0802U")], "");
    assert_eq!(wrong.refusal(), (403, "not_public"), "an order's name");
    let waits: Vec<u64> = thread::scope(|scope| {
        let door = &scene.door;
        let asking = move || {
            let reply = door.ask(path, &[("tr_id", "FHKST01010100")], "");
            assert_eq!(
                (reply.status(), &reply.json()["rt_cd"]),
                (200, &json!("0")),
                "{}",
                reply.body
            );
            reply.header("x-finstage-wait-ms").unwrap().parse().unwrap()
        };
        let threads: Vec<_> = (0..60).map(|_| scope.spawn(asking)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(waits.iter().any(|wait| *wait > 1_000), "20 a second: {waits:?}");
    let ledger = scene.ledger();
    assert_eq!(ledger.iter().filter(|(_, outcome)| outcome == "ok").count(), 61, "with a token");
    assert_eq!(ledger.len(), 61, "{ledger:?}");
}

#[test]
fn questions_pass_with_the_key_of_the_house_and_equal_ones_are_asked_once() {
    let scene = Scene::new("--venues openai --keys sk-house --latency 200ms", MODELS);
    let own = [("Authorization", "Bearer sk-of-the-program"), ("Content-Type", "application/json")];
    let body = question("비트코인").to_string();
    let replies: Vec<Reply> = thread::scope(|scope| {
        let (door, own, body) = (&scene.door, &own, &body);
        let threads: Vec<_> =
            (0..5).map(|_| scope.spawn(move || door.ask(CHAT, own, body))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for reply in &replies {
        assert_eq!(reply.status(), 200, "{}", reply.body);
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "비트코인");
        assert!(reply.header("x-request-id").is_some());
    }
    let count = |name: &str, value: &str| {
        replies.iter().filter(|reply| reply.header(name) == Some(value)).count()
    };
    assert_eq!((count("x-finstage-cache", "miss"), count("x-finstage-cache", "hit")), (1, 4));
    assert_eq!(count("x-finstage-cost-usd", "0.00"), 4);
    let warm =
        json!({"model": "echo", "temperature": 1, "messages": [{"role": "user", "content": "a"}]});
    let paid = scene.chat(&warm);
    assert_eq!(paid.header("x-finstage-cache"), None, "chance is asked for each time");
    let vector = scene.ask(
        "POST /gateway/openai/v1/embeddings",
        &[],
        &json!({"model": "text-embedding-3-small", "input": "up"}).to_string(),
    );
    assert_eq!(vector.json()["data"][0]["object"], "embedding");
    let cost: f64 = vector.header("x-finstage-cost-usd").unwrap().parse().unwrap();
    assert!(cost > 0.0 && cost < 1e-5, "{cost}");
    assert_eq!(scene.ask("GET /gateway/openai/v1/models", &[], "").json()["object"], "list");
    assert_eq!(scene.ledger().len(), 4);
    let wrong = scene.chat(&json!({"model": "no-such", "messages": []}));
    assert_eq!((wrong.status(), wrong.header("x-should-retry")), (404, Some("false")));
    for (head, refusal) in [
        ("POST /gateway/openai/v1/images/generations", (404, "unknown_url")),
        ("GET /gateway/openai/v1/chat/completions", (405, "method_not_allowed")),
        ("GET /gateway/openai/v1/models/..", (404, "unknown_url")),
        ("GET /gateway/openai/v1/../admin", (404, "unknown_url")),
    ] {
        assert_eq!(scene.ask(head, &[], "").refusal(), refusal, "{head}");
    }
    assert_eq!(scene.ask(CHAT, &[], "{").refusal(), (400, "invalid_json"));
}

#[test]
fn a_program_shows_its_token_where_programs_are_named() {
    let token = "0123456789abcdef";
    let clients = format!("[[gateway.clients]]\nname = \"a\"\ntoken = \"{token}\"\n");
    let scene = Scene::new("--venues openai", &format!("{MODELS}{clients}"));
    let bearer = format!("Bearer {token}");
    for headers in [("Authorization", bearer.as_str()), ("x-api-key", token)] {
        let reply = scene.ask("GET /gateway/openai/v1/models", &[headers], "");
        assert_eq!(reply.status(), 200, "{}", reply.body);
    }
    let wrong = [("Authorization", "Bearer 0123456789abcdeF")];
    let refused = scene.ask("GET /gateway/openai/v1/models", &wrong, "");
    assert_eq!(refused.refusal(), (401, "invalid_api_key"));
    assert_eq!(refused.json()["error"]["type"], "invalid_request_error");
    assert_eq!(scene.get("/openai/v1/models").refusal(), (401, "missing_token"));
    let venue = scene.get("/binance/api/v3/time");
    assert_eq!((venue.refusal(), &venue.json()["status"]), ((401, "missing_token"), &json!(401)));
    assert!(!refused.body.contains(token) && !refused.head.contains(token));
}

#[test]
fn a_budget_that_is_spent_sends_nothing_and_a_new_process_knows_it() {
    let token = "0123456789abcdef";
    let clients = format!(
        "[[gateway.clients]]\nname = \"a\"\ntoken = \"{token}\"\nbudget_usd_per_day = 0.001\n"
    );
    let own = "prices = \"prices.toml\"\n";
    let prices =
        "as_of = \"2026-11-29\"\n[[models]]\nname = \"echo\"\ninput = 1.0\noutput = 10.0\n";
    let config = format!("{MODELS}{own}{clients}");
    let scene = Scene::with(("--venues openai --token-time 100ms", &config), "", prices);
    let bearer = format!("Bearer {token}");
    let ask =
        |body: &Value| scene.ask(CHAT, &[("Authorization", bearer.as_str())], &body.to_string());
    let unknown = ask(&json!({"model": "unheard-of", "messages": [], "max_tokens": 1}));
    assert_eq!(unknown.refusal(), (400, "unknown_price"), "{}", unknown.body);
    let large = ask(&json!({"model": "echo", "max_tokens": 5_000, "messages": []}));
    assert_eq!(large.refusal(), (429, "insufficient_quota"), "{}", large.body);
    assert_eq!(
        (large.header("x-should-retry"), &large.json()["error"]["type"]),
        (Some("false"), &json!("insufficient_quota"))
    );
    assert_eq!(scene.ledger().len(), 0, "nothing was sent");
    let first = ask(&question("a b c"));
    assert_eq!(first.status(), 200, "{}", first.body);
    assert!(first.header("x-finstage-cost-usd").unwrap().starts_with("0.0000"));
    // Half of the budget at most: whoever hangs up pays it as a whole.
    let mut left = streamed(&"word ".repeat(40));
    left["max_tokens"] = 60.into();
    let mut stream = scene.open(CHAT, &[("Authorization", &bearer)], &left.to_string());
    let mut line = String::new();
    while !line.starts_with("data: ") {
        line.clear();
        stream.read_line(&mut line).unwrap();
    }
    drop(stream);
    let again = ask(&question("another"));
    assert_eq!(again.refusal(), (429, "insufficient_quota"), "{}", again.body);
    assert_eq!(scene.ledger().len(), 2, "the first and the one that was left");
    scene.gateway.terminate();
    scene.gateway.end().ok();
    let (_gateway, door, _) = Scene::gateway(&scene.shell);
    let later = door.ask(CHAT, &[("Authorization", &bearer)], &question("later").to_string());
    assert_eq!(
        later.refusal(),
        (429, "insufficient_quota"),
        "a new process knows it: {}",
        later.body
    );
}

#[test]
fn a_stream_passes_as_it_comes_without_what_was_not_asked_for() {
    let scene = Scene::new("--venues openai --token-time 20ms", MODELS);
    let plain = scene.chat(&streamed("one two three"));
    assert_eq!(
        plain.header("content-type").map(|kind| kind.starts_with("text/event-stream")),
        Some(true)
    );
    assert!(
        plain.body.contains("data: [DONE]") && !plain.body.contains("prompt_tokens"),
        "{}",
        plain.body
    );
    assert!(plain.body.contains("\r\n0\r\n"), "whole");
    assert!(plain.header("x-finstage-wait-ms").is_some());
    let mut with_usage = streamed("one two three");
    with_usage["stream_options"] = json!({"include_usage": true});
    assert!(scene.chat(&with_usage).body.contains("prompt_tokens"));
    let refused = scene.chat(&json!({"model": "no-such", "stream": true, "messages": []}));
    assert_eq!(refused.status(), 404);
}

#[test]
fn a_stream_that_is_cut_says_so_and_does_not_look_whole() {
    let cut = "[[faults]]\nkind = \"openai_cut\"\nat = \"0s\"\nfor = \"1h\"\n";
    let scene = Scene::with_faults("--venues openai", MODELS, cut);
    let reply = scene.chat(&streamed("one two three four five six"));
    assert_eq!(reply.status(), 200);
    assert!(reply.body.contains("\"code\":\"stream_cut\""), "{}", reply.body);
    assert!(!reply.body.contains("[DONE]") && !reply.body.ends_with("0\r\n\r\n"), "{}", reply.body);
}

#[test]
fn at_three_times_the_limit_of_a_model_nothing_is_refused() {
    let config = format!("{MODELS}rpm = 600\ncache = \"0s\"\n");
    // Ten a second, and twenty at once: a busy machine loses parts of a second between decision and wire.
    let scene =
        Scene::new("--venues openai --rpm 600 --burst 2s --hints none --latency 20ms", &config);
    thread::scope(|scope| {
        for i in 0..30 {
            let door = &scene.door;
            scope.spawn(move || {
                let body = if i % 2 == 0 { question("a") } else { streamed("a") };
                let reply = door.chat(&body);
                assert_eq!(reply.status(), 200, "{}", reply.body);
            });
        }
    });
    let ledger = scene.ledger();
    assert!(ledger.iter().all(|(_, outcome)| outcome == "ok"), "{ledger:?}");
    assert_eq!(ledger.len(), 30);
}

#[test]
fn the_service_answers_programs_where_it_is_enabled() {
    let shell = Shell::new();
    let mut sim = shell.start("sim --venues binance,openai --seed 3");
    let places: Value = serde_json::from_str(&sim.until("{")).unwrap();
    let place = |venue: &str, kind: &str| places[venue][kind].as_str().unwrap().to_owned();
    shell.write(
        "finstage.toml",
        format!(
            "[gateway]\nenabled = true\n[llm]\nbase_url = \"{}\"\napi_key = \"sk-house\"\n\
             [[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n[venues.binance]\nrest = \"{1}\"\nws = \"{2}\"\n",
            place("openai", "rest"),
            place("binance", "rest"),
            place("binance", "ws")
        ),
    );
    let mut service = shell.start("serve");
    let link = service.until("dashboard: http://");
    let at = link.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    service.until("watching 1 feed");
    let places = Value::Null;
    let scene = Scene { shell, _sim: sim, gateway: service, door: Door(at), places };
    assert_eq!(scene.get("/binance/api/v3/ping").status(), 200);
    let reply = scene.chat(&question("hello"));
    assert_eq!((reply.status(), reply.header("x-finstage-cache")), (200, Some("miss")));
    assert_eq!(scene.ask("GET /api/v1/status", &[], "").status(), 401, "the rest wants its token");
    let foreign = [("Origin", "http://evil.example")];
    assert_eq!(scene.ask(CHAT, &foreign, &question("hello").to_string()).status(), 403);
}

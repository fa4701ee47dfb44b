//! What programs ask for.

use finstage_model::{Document, DocumentId, Insight, Symbol, Timestamp};
use finstage_store::records::{DocumentRow, NewTask};
use serde_json::{Value, json};

use super::scene::Scene;

/// All items of a list, page by page.
async fn all(scene: &Scene, path: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    let joint = if path.contains('?') { '&' } else { '?' };
    for _ in 0..1_000 {
        let page = scene.json(&format!("{path}{joint}limit={limit}{cursor}")).await;
        let found = page["items"].as_array().unwrap().clone();
        assert!(found.len() <= limit);
        items.extend(found);
        match page["next_cursor"].as_str() {
            None => return items,
            Some(next) => cursor = format!("&cursor={next}"),
        }
    }
    panic!("{path} has no end");
}

#[tokio::test]
async fn every_list_pages_through_exactly() {
    let scene = Scene::new().await;
    scene.say(100);
    for path in ["/api/v1/signals", "/api/v1/alerts", "/api/v1/instruments", "/api/v1/strategies"] {
        let whole = all(&scene, path, 500).await;
        assert!(whole.len() > 1, "{path}");
        for limit in [1, 2, 7, whole.len(), whole.len() + 1] {
            assert_eq!(all(&scene, path, limit).await, whole, "{path} by {limit}");
        }
    }
    let bars = "/api/v1/bars?symbol=sim:ONE&interval=1m";
    let newest = scene.json(&format!("{bars}&limit=3")).await;
    let stamps = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|bar| bar["timestamp"].as_str().unwrap().to_owned()).collect()
    };
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = scene.json(&format!("{bars}&limit=7{cursor}")).await;
        assert!(stamps(&page).is_sorted(), "a page is ascending");
        pages.insert(0, stamps(&page));
        match page["next_cursor"].as_str() {
            None => break,
            Some(next) => cursor = format!("&cursor={next}"),
        }
    }
    let back: Vec<String> = pages.concat();
    assert_eq!(back.len(), 100);
    assert!(back.is_sorted_by(|a, b| a < b), "older pages join without gap or repeat");
    assert_eq!(stamps(&newest), back[97..]);
    let forth = all(&scene, &format!("{bars}&from={}", back[10]), 9).await;
    assert_eq!(forth.len(), 90, "with from, pages go to newer bars");
    assert_eq!(forth[0]["timestamp"], back[10].as_str());
    let between = all(&scene, &format!("{bars}&from={}&to={}", back[10], back[20]), 3).await;
    assert_eq!(between.len(), 10);
    scene.stop().await;
}

#[tokio::test]
async fn rows_that_are_added_meanwhile_change_no_later_page() {
    let scene = Scene::new().await;
    scene.say(30);
    let whole = all(&scene, "/api/v1/signals", 500).await;
    let first = scene.json("/api/v1/signals?limit=4").await;
    scene.say(30);
    let next = first["next_cursor"].as_str().unwrap();
    let second = scene.json(&format!("/api/v1/signals?limit=4&cursor={next}")).await;
    assert_eq!(second["items"].as_array().unwrap()[..], whole[4..8]);
    scene.stop().await;
}

#[tokio::test]
async fn prices_keep_their_exact_digits() {
    let scene = Scene::new().await;
    scene.say(1);
    let reply = scene.get("/api/v1/alerts").await;
    assert!(reply.body.contains("\"base\":9223372036.854775807"), "{}", reply.body);
    scene.stop().await;
}

#[tokio::test]
async fn what_people_read_is_there_in_korean_too() {
    let scene = Scene::new().await;
    scene.say(1);
    let alerts = scene.json("/api/v1/alerts").await;
    let alert = &alerts["items"][0];
    let words = format!("{} 알림", alert["rule"].as_str().unwrap());
    assert_eq!(alert["words_ko"], words.as_str(), "{alert}");
    let system = scene.json("/api/v1/system").await;
    let names: Vec<&str> =
        system["checks"].as_array().unwrap().iter().flat_map(|c| c["name"].as_str()).collect();
    assert_eq!(names, ["records", "feeds"], "those of /readyz");
    assert_eq!(system["checks"][0]["detail_ko"], "읽기 정상");
    assert!(system["checks"][1]["detail_ko"].as_str().unwrap().ends_with("연결됨"), "{system}");
    scene.stop().await;
}

#[tokio::test]
async fn a_signal_is_shown_whole_and_can_be_verified() {
    let scene = Scene::new().await;
    scene.say(100);
    let list = scene.json("/api/v1/signals?limit=50").await;
    let item = list["items"][10].clone();
    let id = item["id"].as_str().unwrap();
    let shown = scene.json(&format!("/api/v1/signals/{id}")).await;
    for (name, value) in item.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert!(shown["chart"]["bars"].as_array().unwrap().len() > 20);
    assert!(shown["outcomes"].as_array().unwrap().iter().all(|one| one["known"] == false));
    let bearer = format!("Bearer {}", scene.token);
    let path = format!("/api/v1/signals/{id}/verify");
    let reply = scene.ask("POST", &path, &[("Authorization", &bearer)], "").await;
    let checks: Value = serde_json::from_str(&reply.body).unwrap();
    let names: Vec<&str> =
        checks["checks"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["id", "bar", "card", "track_record"]);
    assert_eq!(checks["checks"][0]["ok"], true, "{checks}");
    assert_eq!(checks["checks"][1]["ok"], true, "{checks}");
    let reasons = checks["checks"].as_array().unwrap().iter().map(|c| c["reason"].as_str());
    let reasons: Vec<&str> = reasons.map(Option::unwrap).collect();
    assert_eq!(reasons, ["id_same", "bar_same", "card_not_needed", "entry_pending"]);
    assert!(checks["checks"][1]["figures"]["close"].is_string(), "what other languages fill in");
    // An id that does not follow from what the signal says: the check must see that.
    let mut odd = finstage_store::suite::records::batch(1, 102, 103);
    odd.signals[0].signal.id = finstage_model::SignalId(7);
    scene.records.apply(&odd).unwrap();
    let path = format!("/api/v1/signals/{}/verify", finstage_model::SignalId(7));
    let reply = scene.ask("POST", &path, &[("Authorization", &bearer)], "").await;
    let checks: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(
        (&checks["ok"], &checks["checks"][0]["ok"]),
        (&Value::Bool(false), &Value::Bool(false))
    );
    assert_eq!(checks["checks"][0]["reason"], "id_other");
    assert!(checks["checks"][0]["figures"]["id"].is_string(), "{checks}");
    for missing in ["ffffffff", "zz", "..", "%00"] {
        assert!(matches!(scene.get(&format!("/api/v1/signals/{missing}")).await.status, 400 | 404));
    }
    scene.stop().await;
}

#[tokio::test]
async fn indicators_are_those_of_the_stored_bars() {
    let scene = Scene::new().await;
    scene.say(100);
    let path =
        "/api/v1/indicators?symbol=sim:ONE&interval=1m&spec=SMA(3)&spec=MACD(12,26,9)&limit=5";
    let found = scene.json(path).await;
    // The closes of the suite are 0, 1, 2 … nanos.
    let sma: Vec<f64> = found["columns"]["SMA(3).real"]
        .as_array()
        .unwrap_or_else(|| panic!("{found}"))
        .iter()
        .map(|value| value.as_f64().unwrap() * 1e9)
        .collect();
    assert!(
        sma.iter().zip([94.0, 95.0, 96.0, 97.0, 98.0]).all(|(a, b)| (a - b).abs() < 1e-6),
        "{sma:?}"
    );
    assert_eq!(found["columns"].as_object().unwrap().len(), 4);
    assert_eq!(found["timestamps"].as_array().unwrap().len(), 5);
    for bad in ["spec=NOPE", "spec=SMA(0)", "spec=SMA(3", "spec=%20", "limit=5"] {
        let path = format!("/api/v1/indicators?symbol=sim:ONE&interval=1m&{bad}");
        assert_eq!(scene.get(&path).await.problem(), 400, "{bad}");
    }
    scene.stop().await;
}

#[tokio::test]
async fn tasks_are_submitted_listed_in_pages_and_called_off() {
    let scene = Scene::new().await;
    let bearer = format!("Bearer {}", scene.token);
    let proof = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let post = async |path: &str, body: &str| scene.ask("POST", path, &proof, body).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let body =
            format!("{{\"type\": \"known\", \"data\": {{\"n\": {n}}}, \"priority\": \"high\"}}");
        let reply = post("/api/v1/tasks", &body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let task = reply.json();
        assert_eq!((&task["state"], &task["data"]["n"]), (&"ready".into(), &n.into()));
        ids.push(task["id"].as_i64().unwrap());
    }
    let keyed = "{\"type\": \"known\", \"key\": \"once\"}";
    let first = post("/api/v1/tasks", keyed).await.json()["id"].clone();
    assert_eq!(post("/api/v1/tasks", keyed).await.json()["id"], first);
    let page = scene.get("/api/v1/tasks?limit=2&type=known").await.json();
    assert_eq!((&page["items"][0]["id"], &page["items"][1]["id"]), (&first, &ids[2].into()));
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    let rest = scene.get(&format!("/api/v1/tasks?limit=2&cursor={cursor}")).await.json();
    assert_eq!(rest["items"][1]["id"], ids[0]);
    assert!(rest["next_cursor"].is_null());
    let off = post(&format!("/api/v1/tasks/{}/cancel", ids[0]), "").await;
    assert_eq!((off.status, &off.json()["state"]), (200, &"cancelled".into()));
    assert_eq!(scene.get(&format!("/api/v1/tasks/{}", ids[0])).await.json()["state"], "cancelled");
    assert_eq!(
        scene.get("/api/v1/tasks?state=cancelled").await.json()["items"].as_array().unwrap().len(),
        1
    );
    let long = format!("{{\"type\": \"known\", \"key\": \"{}\"}}", "한".repeat(100));
    for bad in [
        "{}",
        "[1]",
        "{\"type\": \"unknown\"}",
        "{\"type\": \"known\", \"priority\": \"x\"}",
        "{\"type\": \"known\", \"key\": \"\"}",
        &long,
    ] {
        assert_eq!(post("/api/v1/tasks", bad).await.problem(), 400, "{bad}");
    }
    for (bad, words) in [
        ("{bad", "the body is no JSON object: "),
        ("{}", "type: it is missing"),
        ("{\"type\": 1}", "type: write text"),
        (
            "{\"type\": \"known\", \"delay\": \"5s\"}",
            "delay: there is no such field: write type, data,",
        ),
        (
            "{\"type\": \"known\", \"delay_s\": 2592001}",
            "delay_s: write whole seconds, 0 to 2592000",
        ),
        ("{\"type\": \"known\", \"delay_s\": -1}", "delay_s: write whole"),
        ("{\"type\": \"known\", \"delay_s\": null}", "delay_s: write whole"),
        ("{\"type\": \"known\", \"priority\": 3}", "priority: write critical, high"),
        ("{\"type\": \"backtest\", \"key\": \"once\"}", "is that of task"),
    ] {
        let reply = post("/api/v1/tasks", bad).await;
        assert_eq!(reply.status, 400, "{bad}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{bad}: {detail}");
    }
    for missing in ["/api/v1/tasks/99", "/api/v1/tasks/x"] {
        assert_eq!(scene.get(missing).await.problem(), 404, "{missing}");
    }
    assert_eq!(scene.get("/api/v1/tasks?cursor=x").await.problem(), 400);
    assert_eq!(scene.get("/api/v1/tasks?state=x").await.problem(), 400);
    let schedules = scene.get("/api/v1/schedules").await.json();
    assert_eq!(schedules["items"][0]["name"], "nightly");
    scene.stop().await;
}

#[tokio::test]
async fn a_backtest_becomes_a_task_that_holds_its_result() {
    let scene = Scene::new().await;
    let bearer = format!("Bearer {}", scene.token);
    let proof = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let post = async |body: &str| scene.ask("POST", "/api/v1/backtests", &proof, body).await;
    let asked = r#"{"symbol": "sim:ONE", "interval": "1d", "strategy": "golden_cross(50,200)",
        "from": "2020-01-01", "cash": 5000, "priority": "low", "key": "once"}"#;
    let reply = post(asked).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let task = reply.json();
    assert_eq!((&task["type"], &task["priority"]), (&"backtest".into(), &"low".into()));
    assert_eq!((&task["data"]["cash"], &task["data"]["key"]), (&5000.into(), &Value::Null));
    let path = format!("/api/v1/tasks/{}", task["id"]);
    assert_eq!(reply.header("location"), Some(path.as_str()));
    assert_eq!(post(asked).await.json()["id"], task["id"], "the same key is the same task");
    let hour = std::time::Duration::from_secs(3_600);
    let now = Timestamp::from_secs(1_700_000_000);
    let leased = scene.records.task_lease("test", now, hour, 1).unwrap().remove(0);
    scene.records.task_complete(leased.lease, now, r#"{"trades": 3}"#.to_owned()).unwrap();
    let done = scene.json(&path).await;
    assert_eq!((&done["state"], &done["result"]["trades"]), (&"done".into(), &3.into()));
    for (bad, field) in [
        (r#"{"symbol": "sim:ONE", "interval": "1d"}"#, "strategy: "),
        (r#"{"symbol": "sim:ONE", "interval": "7d", "strategy": "a"}"#, "interval: "),
        (r#"{"symbol": "sim:ONE", "interval": "1d", "strategy": "a", "cash": -1}"#, "cash: "),
        (r#"{"symbol": "sim:ONE", "interval": "1d", "strategy": "a", "key": 1}"#, "key: "),
        (r#"{"symbol": "sim:ONE", "interval": "1d", "strategy": "a", "x": 1}"#, "x: "),
        ("[]", "the body"),
    ] {
        let reply = post(bad).await;
        assert_eq!(reply.problem(), 400, "{bad}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(field), "{bad}: {detail}");
    }
    scene.stop().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_said_with_what_can() {
    let scene = Scene::new().await;
    let bearer = format!("Bearer {}", scene.token);
    let proof = [("Authorization", bearer.as_str())];
    for (method, path, allow) in [
        ("DELETE", "/api/v1/signals", "GET, HEAD"),
        ("PUT", "/api/v1/watches", "GET, POST, HEAD"),
        ("GET", "/api/v1/logins", "POST, DELETE"),
        ("GET", "/api/v1/watches/1", "DELETE"),
        ("POST", "/", "GET, HEAD"),
        ("OPTIONS", "/api/v1/prices", "GET, HEAD"),
        ("TRACE", "/healthz", "GET, HEAD"),
    ] {
        let reply = scene.ask(method, path, &proof, "").await;
        assert_eq!(reply.problem(), 405, "{method} {path}");
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
    }
    assert_eq!(scene.get("/api/v1/nothing").await.problem(), 404);
    for path in ["/api/v1/signals?x=1", "/api/v1/signals?cursor=zz", "/api/v1/bars", "/healthz?a=1"]
    {
        assert_eq!(scene.get(path).await.problem(), 400, "{path}");
    }
    let head = scene.ask("HEAD", "/api/v1/prices", &proof, "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(scene.ask("DELETE", "/api/v1/watches/1", &proof, "").await.problem(), 404);
    scene.stop().await;
}

#[tokio::test]
async fn every_address_of_the_document_is_answered() {
    let scene = Scene::new().await;
    scene.say(20);
    let document = scene.json("/openapi.json").await;
    let signal = scene.json("/api/v1/signals?limit=1").await["items"][0]["id"].clone();
    let task = scene.records.task_submit(NewTask::new("known", "{}"), Timestamp::EPOCH).unwrap().id;
    let bearer = format!("Bearer {}", scene.token);
    for (path, operations) in document["paths"].as_object().unwrap() {
        let id = match path.contains("/tasks/") {
            true => task.to_string(),
            false => signal.as_str().unwrap().to_owned(),
        };
        let path = path.replace("{id}", &id);
        for (method, operation) in operations.as_object().unwrap() {
            let mut query = Vec::new();
            for param in operation["parameters"].as_array().unwrap() {
                let value = match param["name"].as_str().unwrap() {
                    "symbol" => "sim:ONE",
                    "interval" => "1m",
                    "spec" => "SMA(3)",
                    _ => continue,
                };
                query.push(format!("{}={value}", param["name"].as_str().unwrap()));
            }
            let address = match query.is_empty() {
                true => path.clone(),
                false => format!("{path}?{}", query.join("&")),
            };
            let body = if operation["requestBody"].is_null() {
                ""
            } else {
                r#"{"symbol":"sim:ONE","rule":"rise=3%"}"#
            };
            let headers =
                [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
            let reply = scene.ask(&method.to_uppercase(), &address, &headers, body).await;
            let declared = operation["responses"].as_object().unwrap();
            let is_declared = declared.contains_key(&reply.status.to_string());
            let is_problem = reply.header("content-type") == Some("application/problem+json");
            assert!(is_declared || is_problem, "{method} {address}: {reply:?}");
            assert!(
                !matches!(reply.status, 404 | 405 | 500) || is_problem && path.ends_with(&id),
                "{method} {address}: {reply:?}"
            );
        }
    }
    scene.stop().await;
}

#[tokio::test]
async fn a_list_shows_what_was_said_a_moment_ago() {
    let scene = Scene::new().await;
    scene.say(3);
    let before = scene.json("/api/v1/signals").await;
    assert_eq!(before["items"].as_array().unwrap().len(), 1);
    let mut listener = super::stream::Listener::join(&scene).await;
    listener.subscribe("signals", None).await;
    scene.say(3);
    listener.next("signal").await;
    let after = scene.json("/api/v1/signals").await;
    assert_eq!(after["items"].as_array().unwrap().len(), 2, "a push and the list agree");
    scene.stop().await;
}

#[tokio::test]
async fn news_pages_through_by_instrument_with_how_it_sounds() {
    let scene = Scene::new().await;
    let symbol: Symbol = "sim:ONE".parse().unwrap();
    let rows: Vec<DocumentRow> = (0..7)
        .map(|number| {
            let (document, at) = (DocumentId(number), Timestamp::from_secs(number as i64));
            let symbols = if number == 3 { Vec::new() } else { vec![symbol.clone()] };
            let text = |what: &str| format!("{what} {number}");
            let insight = Insight {
                document,
                known_at: at,
                by: text("reader"),
                symbols: symbols.clone(),
                score: -0.5,
                impact: -0.6,
                confidence: 0.3,
            };
            let document = Document {
                id: document,
                feed: text("feed"),
                title: text("title"),
                summary: String::new(),
                link: String::new(),
                source: String::new(),
                published: None,
                symbols,
            };
            let insight = (number != 5).then_some(insight);
            DocumentRow {
                document,
                seen_at: at,
                sources: 1,
                translated: None,
                story: None,
                insight,
            }
        })
        .collect();
    scene.records.documents_add(&rows).unwrap();
    for limit in [1, 2, 6, 7] {
        let items = all(&scene, "/api/v1/news?symbol=sim:ONE", limit).await;
        let titles: Vec<&str> = items.iter().map(|item| item["title"].as_str().unwrap()).collect();
        assert_eq!(titles, ["title 6", "title 5", "title 4", "title 2", "title 1", "title 0"]);
        assert_eq!((&items[0]["tone"], &items[0]["sensitive"]), (&json!("negative"), &json!(true)));
        assert_eq!(items[1]["tone"], Value::Null);
    }
    let since = all(&scene, "/api/v1/news?since=1970-01-01T00:00:03Z", 500).await;
    assert_eq!(since.len(), 4);
    scene.stop().await;
}

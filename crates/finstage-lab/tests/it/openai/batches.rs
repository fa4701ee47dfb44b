use std::collections::BTreeMap;
use std::time::Duration;

use finstage_lab::sim::openai::{COMPLETION_WINDOW, FINALIZING, Manners, VALIDATING};
use serde_json::{Value, json};

use super::{Reply, Server, Wish, question, start};

fn line(id: &str, body: &Value) -> Value {
    json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body})
}

fn lines(count: usize) -> Vec<Value> {
    let one = |i| line(&format!("row-{i}"), &question(&format!("sentiment of {i}: a gain")));
    (0..count).map(one).collect()
}

impl Server {
    async fn with_lines(line_time: Duration, faults: &str) -> Self {
        let manners = Manners { batch_line: line_time, ..Manners::default() };
        Self::start(Wish { manners, faults, ..Wish::default() }).await
    }

    async fn upload(&self, text: &str) -> Reply {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n\r\n\
             {text}\r\n--b--\r\n"
        );
        self.send("POST /v1/files", ("multipart/form-data; boundary=b", &body)).await
    }

    async fn submit(&self, lines: &[Value]) -> String {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.submit_text(&text).await
    }

    async fn submit_text(&self, text: &str) -> String {
        let file = self.upload(text).await.json();
        assert_eq!(file["bytes"], text.len());
        let order = json!({
            "input_file_id": file["id"], "endpoint": "/v1/chat/completions",
            "completion_window": "24h", "metadata": {"job": "one"},
        });
        let batch = self.post("/v1/batches", &order).await.json();
        assert_eq!((&batch["object"], &batch["status"]), (&json!("batch"), &json!("validating")));
        batch["id"].as_str().unwrap().to_owned()
    }

    async fn batch(&self, id: &str) -> Value {
        self.get(&format!("/v1/batches/{id}")).await.json()
    }

    /// The lines of a file by their name, and the names in their order.
    async fn rows(&self, file: &Value) -> (BTreeMap<String, Value>, Vec<String>) {
        let Some(file) = file.as_str() else { return (BTreeMap::new(), Vec::new()) };
        let text = self.get(&format!("/v1/files/{file}/content")).await.text();
        let rows: Vec<Value> = text.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
        let name = |row: &Value| row["custom_id"].as_str().unwrap().to_owned();
        let order = rows.iter().map(name).collect();
        (rows.into_iter().map(|row| (name(&row), row)).collect(), order)
    }
}

#[tokio::test]
async fn a_batch_is_worked_off_and_its_answers_are_those_of_single_questions() {
    let second = Duration::from_secs(1);
    let server = Server::with_lines(second, "").await;
    let mut all = lines(20);
    // One line is wrong in itself: it fails, the others do not.
    all[7]["body"]["messages"] = json!([]);
    let id = server.submit(&all).await;
    server.clock.advance(VALIDATING + second * 9);
    let batch = server.batch(&id).await;
    assert_eq!(batch["status"], "in_progress");
    assert_eq!(batch["request_counts"], json!({"total": 20, "completed": 8, "failed": 1}));
    assert_eq!((&batch["output_file_id"], &batch["errors"]), (&Value::Null, &Value::Null));
    server.clock.advance(second * 11);
    assert_eq!(server.batch(&id).await["status"], "finalizing");
    server.clock.advance(FINALIZING);
    let batch = server.batch(&id).await;
    assert_eq!(batch["status"], "completed");
    assert_eq!(batch["request_counts"], json!({"total": 20, "completed": 19, "failed": 1}));
    assert_eq!(batch["completed_at"], start().plus(VALIDATING + second * 20 + FINALIZING).secs());
    assert_eq!(batch["metadata"], json!({"job": "one"}));
    let (rows, order) = server.rows(&batch["output_file_id"]).await;
    let mut sorted = order.clone();
    sorted.sort_by_key(|name| name["row-".len()..].parse::<u32>().unwrap());
    assert!(sorted.len() == 19 && order != sorted, "in no order: {order:?}");
    for (i, asked) in all.iter().enumerate().filter(|(i, _)| *i != 7) {
        let row = &rows[&format!("row-{i}")];
        let told = server.chat(&asked["body"]).await.json();
        assert_eq!(row["response"]["status_code"], 200);
        assert_eq!(row["response"]["body"]["choices"], told["choices"]);
        assert_eq!(row["response"]["body"]["usage"], told["usage"]);
    }
    let (failed, _) = server.rows(&batch["error_file_id"]).await;
    let response = &failed["row-7"]["response"];
    assert_eq!((failed.len(), &response["status_code"]), (1, &json!(400)));
    assert_eq!(response["body"]["error"]["param"], "messages");
}

#[tokio::test]
async fn a_batch_costs_half() {
    let server = Server::with_lines(Duration::ZERO, "").await;
    for row in lines(10) {
        server.chat(&row["body"]).await;
    }
    let single = server.get("/v1/usage").await.json();
    server.submit(&lines(10)).await;
    server.clock.advance(VALIDATING + FINALIZING + Duration::from_secs(1));
    server.get("/v1/batches").await;
    let both = server.get("/v1/usage").await.json();
    let of = |usage: &Value, name: &str| usage[name].as_f64().unwrap();
    assert_eq!(of(&both, "total_tokens"), 2.0 * of(&single, "total_tokens"));
    let (first, all) = (of(&single, "total_usage_usd"), of(&both, "total_usage_usd"));
    assert!((all - 1.5 * first).abs() < 1e-8, "{first} {all}");
}

#[tokio::test]
async fn a_file_that_is_wrong_fails_with_its_lines_and_answers_nothing() {
    let server = Server::with_lines(Duration::ZERO, "").await;
    let fails = async |text: &str| {
        let id = server.submit_text(text).await;
        server.clock.advance(VALIDATING);
        let batch = server.batch(&id).await;
        assert_eq!((&batch["status"], &batch["output_file_id"]), (&json!("failed"), &Value::Null));
        assert_eq!(batch["failed_at"], batch["created_at"].as_i64().unwrap() + 1);
        let errors = batch["errors"]["data"].as_array().unwrap();
        let one =
            |error: &Value| (error["code"].as_str().unwrap().to_owned(), error["line"].as_u64());
        errors.iter().map(one).collect::<Vec<(String, Option<u64>)>>()
    };
    let told = |code: &str, line: u64| vec![(code.to_owned(), Some(line))];
    let [a, b, c] = [0, 1, 2].map(|i| lines(3)[i].clone());
    let text = |all: &[&Value]| all.iter().map(|line| format!("{line}\n")).collect::<String>();
    assert_eq!(fails(&text(&[&a, &b, &a])).await, told("duplicate_custom_id", 3));
    let mut elsewhere = c.clone();
    elsewhere["url"] = json!("/v1/embeddings");
    assert_eq!(fails(&text(&[&a, &elsewhere])).await, told("invalid_url", 2));
    let mut other = c.clone();
    other["body"]["model"] = json!("gpt-4o");
    assert_eq!(fails(&text(&[&a, &b, &other])).await, told("mismatched_model", 3));
    other["body"]["model"] = json!("gpt-9");
    assert_eq!(fails(&text(&[&other])).await, told("model_not_found", 1));
    let mut read = c.clone();
    read["method"] = json!("GET");
    assert_eq!(fails(&text(&[&read])).await, told("invalid_method", 1));
    let mut nameless = c.clone();
    nameless["custom_id"] = Value::Null;
    let both = format!("{a}\n\n{{\"cut\n{nameless}\n");
    let expected = [told("invalid_json_line", 3), told("missing_required_parameter", 4)].concat();
    assert_eq!(fails(&both).await, expected);
    assert_eq!(fails("\n \n").await, vec![("empty_file".to_owned(), None)]);
}

#[tokio::test]
async fn a_batch_that_expires_keeps_what_was_finished() {
    let hour = Duration::from_secs(3_600);
    let server = Server::with_lines(hour, "").await;
    let id = server.submit(&lines(30)).await;
    server.clock.advance(COMPLETION_WINDOW - Duration::from_secs(1));
    assert_eq!(server.batch(&id).await["status"], "in_progress");
    server.clock.advance(hour * 10);
    let batch = server.batch(&id).await;
    assert_eq!(batch["status"], "expired");
    assert_eq!(batch["expired_at"], batch["expires_at"]);
    let (done, _) = server.rows(&batch["output_file_id"]).await;
    let (late, _) = server.rows(&batch["error_file_id"]).await;
    // A second passes before the first line begins.
    assert_eq!((done.len(), late.len()), (23, 7));
    assert_eq!(batch["request_counts"], json!({"total": 30, "completed": 23, "failed": 7}));
    let row = &late["row-29"];
    assert_eq!((&row["response"], &row["error"]["code"]), (&Value::Null, &json!("batch_expired")));
    assert!(done.contains_key("row-0") && done.contains_key("row-22"));
}

#[tokio::test]
async fn a_batch_that_is_cancelled_keeps_what_was_finished() {
    let second = Duration::from_secs(1);
    let server = Server::with_lines(second, "").await;
    let id = server.submit(&lines(30)).await;
    server.clock.advance(VALIDATING + second * 4);
    let cancel = format!("/v1/batches/{id}/cancel");
    let batch = server.post(&cancel, &json!({})).await.json();
    assert_eq!(batch["status"], "cancelling");
    server.clock.advance(second * 60);
    let batch = server.batch(&id).await;
    assert_eq!((&batch["status"], &batch["error_file_id"]), (&json!("cancelled"), &Value::Null));
    let (done, _) = server.rows(&batch["output_file_id"]).await;
    assert_eq!(done.len(), 4);
    assert_eq!(server.post(&cancel, &json!({})).await.status, 409);
    assert_eq!(server.post("/v1/batches/batch_x/cancel", &json!({})).await.status, 404);
}

#[tokio::test]
async fn lines_fail_where_the_scenario_lets_the_server_fail() {
    let faults =
        "[[faults]]\nkind = \"openai_5xx\"\nat = \"0s\"\nfor = \"1h\"\none_in = 5\nstatus = 503";
    let server = Server::with_lines(Duration::from_millis(10), faults).await;
    let id = server.submit(&lines(200)).await;
    server.clock.advance(Duration::from_secs(60));
    let batch = server.batch(&id).await;
    let failed = batch["request_counts"]["failed"].as_u64().unwrap();
    assert!((20..60).contains(&failed), "one in five of 200: {failed}");
    let (rows, _) = server.rows(&batch["error_file_id"]).await;
    assert_eq!(rows.len() as u64, failed);
    assert!(rows.values().all(|row| row["response"]["status_code"] == 503));
}

#[tokio::test]
async fn orders_that_cannot_be_are_refused_and_lists_are_paged() {
    let server = Server::with_lines(Duration::ZERO, "").await;
    let file = server.upload(&format!("{}\n", lines(1)[0])).await.json();
    let order = json!({
        "input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h",
    });
    for (name, value, status) in [
        ("input_file_id", json!("file-nothing"), 404),
        ("input_file_id", Value::Null, 400),
        ("endpoint", json!("/v1/images"), 400),
        ("completion_window", json!("1h"), 400),
        ("metadata", json!([]), 400),
    ] {
        let mut wrong = order.clone();
        wrong[name] = value;
        assert_eq!(server.post("/v1/batches", &wrong).await.error().0, status, "{name}");
    }
    let mut made = Vec::new();
    for _ in 0..5 {
        server.clock.advance(Duration::from_secs(1));
        made.push(server.post("/v1/batches", &order).await.json()["id"].clone());
    }
    made.reverse();
    let first = server.get("/v1/batches?limit=3").await.json();
    assert_eq!((first["data"].as_array().unwrap().len(), &first["has_more"]), (3, &json!(true)));
    let after = first["last_id"].as_str().unwrap();
    let second = server.get(&format!("/v1/batches?limit=3&after={after}")).await.json();
    assert_eq!((second["data"].as_array().unwrap().len(), &second["has_more"]), (2, &json!(false)));
    let pages = [&first, &second].map(|page| page["data"].as_array().unwrap().clone()).concat();
    let ids: Vec<Value> = pages.iter().map(|batch| batch["id"].clone()).collect();
    assert_eq!(ids, made);
    let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.json(), file);
    assert_eq!(server.send(&format!("DELETE {path}"), ("", "")).await.json()["deleted"], true);
    assert_eq!(server.get(&path).await.status, 404);
}

use std::sync::{Arc, Mutex};

use finstage_net::{Carried, Client, Response, Socket, SocketOptions, Transport};
use finstage_seal::Secret;

use super::*;
use crate::providers::{Anthropic, OpenAi};
use crate::testing::{rows, settled};
use crate::{End, Money, Place, Prices, Provider, Row, Usage};

/// A provider of batches: answers by path, and keeps what was handed in.
#[derive(Debug, Default)]
struct Desk {
    asked: Mutex<Vec<(String, Vec<u8>)>>,
    shown: Value,
    output: String,
    errors: String,
}

impl Transport for Desk {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move {
            let path = request.url().strip_prefix("https://api.example.com/v1").unwrap();
            let asked = (path.to_owned(), request.body_bytes().to_vec());
            self.asked.lock().unwrap().push(asked);
            let (status, body) = match path {
                "/files" => (200, json!({"id": "file-1", "object": "file"}).to_string()),
                "/batches" | "/batches/batch_1" | "/batches/batch_1/cancel" => {
                    (200, self.shown.to_string())
                }
                "/files/out/content" => (200, self.output.clone()),
                "/files/err/content" => (200, self.errors.clone()),
                _ => (404, json!({"error": {"message": "No such batch: sk-secret"}}).to_string()),
            };
            Ok(Response { status, headers: Vec::new(), body: body.into_bytes() })
        })
    }

    fn connect<'a>(&'a self, url: &'a str, _: &'a SocketOptions) -> Carried<'a, Socket> {
        unreachable!("{url}")
    }
}

fn batches(desk: &Arc<Desk>, provider: Arc<dyn Provider>) -> Result<Batches, Error> {
    let key = Secret::new("sk-secret".to_owned());
    let place = Place::new("https://api.example.com", Some(&key)).unwrap();
    let client = Client::over(Arc::clone(desk) as Arc<dyn Transport>);
    Batches::new(Endpoint::new(provider, place, &client, settled()))
}

fn shown(status: &str) -> Value {
    json!({"id": "batch_1", "object": "batch", "status": status, "output_file_id": "out",
           "error_file_id": "err", "errors": null, "created_at": 1,
           "request_counts": {"total": 4, "completed": 2, "failed": 1}})
}

#[tokio::test(start_paused = true)]
async fn rows_are_handed_in_as_one_file_and_their_batch_begins() {
    let desk = Arc::new(Desk { shown: shown("validating"), ..Desk::default() });
    let mut file = BatchFile::default();
    rows(2, "m").iter().for_each(|row| file.push(row).unwrap());
    let batch = batches(&desk, Arc::new(OpenAi)).unwrap().submit(file).await.unwrap();
    assert_eq!((batch.id.as_str(), batch.is_over(), batch.counts.completed), ("batch_1", false, 2));
    let asked = desk.asked.lock().unwrap();
    let paths: Vec<&str> = asked.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["/files", "/batches"]);
    let form = String::from_utf8(asked[0].1.clone()).unwrap();
    let (head, rest) = form.split_once("application/jsonl\r\n\r\n").unwrap();
    assert!(head.contains("name=\"purpose\"\r\n\r\nbatch\r\n--"), "{head}");
    let lines: Vec<Value> =
        rest.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["custom_id"], "row-2");
    assert_eq!(lines[1]["method"], "POST");
    let begun: Value = serde_json::from_slice(&asked[1].1).unwrap();
    let expected = json!({"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    assert_eq!(begun, expected);
}

#[test]
fn a_file_that_would_be_refused_is_refused_before_it_is_sent() {
    let mut file = BatchFile::of_at_most(2_000, 3);
    let row = &rows(1, "m")[0];
    file.push(row).unwrap();
    let words = |row: &Row, file: &mut BatchFile| file.push(row).unwrap_err().to_string();
    let other = Row { url: crate::EMBEDDINGS.to_owned(), ..row.clone() };
    assert!(words(&other, &mut file).contains("one url"));
    assert!(words(&rows(1, "n")[0], &mut file).contains("one model"));
    let mut large = row.clone();
    large.body.insert("messages".to_owned(), json!("x".repeat(2_000)));
    let before = file.bytes();
    assert!(words(&large, &mut file).contains("2000 bytes"));
    assert_eq!((file.bytes(), file.lines()), (before, 1), "nothing of it is there");
    file.push(row).unwrap();
    file.push(row).unwrap();
    assert!(words(row, &mut file).contains("3 rows"));
    assert!(BatchFile::default().into_form().is_err());
}

#[tokio::test(start_paused = true)]
async fn what_an_expired_batch_did_finish_is_fetched() {
    let answer = |id: &str| {
        json!({"id": "b", "custom_id": id, "error": null, "response": {"status_code": 200, "request_id": "r",
               "body": {"choices": [], "usage": {"prompt_tokens": 22, "completion_tokens": 2}}}})
    };
    let refused = json!({"custom_id": "row-4", "error": null, "response": {"status_code": 400, "request_id": "r",
                         "body": {"error": {"message": "too long", "code": "context_length_exceeded"}}}});
    let expired = json!({"custom_id": "row-3", "response": null,
                         "error": {"code": "batch_expired", "message": "not in time"}});
    let desk = Arc::new(Desk {
        shown: shown("expired"),
        output: format!("{}\n{}\n", answer("row-2"), answer("row-1")),
        errors: format!("{expired}\n\n{refused}"),
        ..Desk::default()
    });
    let batches = batches(&desk, Arc::new(OpenAi)).unwrap();
    let batch = batches.status("batch_1").await.unwrap();
    let mut lines = Vec::new();
    let keep = |line| {
        lines.push(line);
        Ok(())
    };
    batches.fetch(&batch, keep).await.unwrap();
    let ids: Vec<&str> = lines.iter().map(|line| line.custom_id.as_str()).collect();
    assert_eq!(ids, ["row-2", "row-1", "row-3", "row-4"]);
    let codes: Vec<&str> = lines
        .iter()
        .filter_map(|line| match &line.end {
            End::Failed(error) => Some(error.code.as_str()),
            End::Answered(_) => None,
        })
        .collect();
    assert_eq!(codes, ["batch_expired", "context_length_exceeded"]);
    let row = rows(2, "m").pop().unwrap();
    let table = "[[models]]\nname = 'm'\ninput = 2\noutput = 4\nbatch = 0.5";
    let done = lines.swap_remove(0).done(row, &Prices::parse(table, "test").unwrap());
    let usage = Usage { prompt: 22, completion: 2, ..Usage::default() };
    assert_eq!(done.attempts[0].usage, Some(usage));
    assert_eq!(done.attempts[0].cost, Some(Money::from_pico(26_000_000)));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_over_or_not_known_says_so_without_the_key() {
    let failed = json!({"id": "batch_1", "status": "failed", "errors": {"data": [
        {"code": "x", "message": "no model", "line": 3}]}});
    let desk = Arc::new(Desk { shown: failed, ..Desk::default() });
    let batches = batches(&desk, Arc::new(OpenAi)).unwrap();
    let batch = batches.cancel("batch_1").await.unwrap();
    assert_eq!(batch.complaints(), ["line 3: no model"]);
    let running =
        Batch { id: "b".to_owned(), status: "in_progress".to_owned(), ..Batch::default() };
    let error = batches.fetch(&running, |_| Ok(())).await.unwrap_err();
    assert!(error.to_string().contains("in_progress"), "{error}");
    let error = batches.status("batch_2").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("No such batch: [redacted]"), "{error}");
    assert!(batches.status("../files").await.is_err());
    assert!(self::batches(&desk, Arc::new(Anthropic)).is_err());
}

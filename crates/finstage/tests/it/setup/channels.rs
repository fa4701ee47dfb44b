//! A test alert through real channels; the signature that the guide shows how to check.

use std::process::Command;

use serde_json::Value;

use super::listener;
use crate::cli::shell::{Shell, skipped};

const OK: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const SECRET: &str = "canary-0123456789abcdef";

fn configured(shell: &Shell, url: &str) {
    shell.write(
        "finstage.toml",
        format!("[[notify]]\nkind = \"webhook\"\nurl = \"{url}\"\nsecret = \"env:WEBHOOK_SECRET\"\n[[notify]]\nkind = \"log\"\n"),
    );
}

#[test]
fn a_webhook_gets_a_signed_test_alert_that_the_guides_lines_accept() {
    let shell = Shell::new().with("WEBHOOK_SECRET", SECRET);
    let (address, requests) = listener(OK);
    configured(&shell, &format!("{address}/hook?key=canary"));
    let run = shell.run("alerts test --json").ok();
    let rows = run.rows();
    let is_kind = |row: &Value, kind: &str| row["notifier"].as_str().unwrap().starts_with(kind);
    let of = |name: &str| rows.iter().find(|row| is_kind(row, name)).unwrap()["status"].clone();
    assert_eq!((of("webhook"), of("log")), ("delivered".into(), "delivered".into()));
    assert!(run.err.contains("nothing happened at any market"), "the log's line: {run}");
    assert!(!run.err.contains("canary") && !run.out.contains("canary"), "{run}");
    let request = requests.recv().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook?key=canary HTTP/1.1"), "{head}");
    let parsed: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (&parsed["type"], &parsed["alert"]["symbol"]),
        (&"alert".into(), &"test:TEST".into())
    );
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("{name} in {head}"))
    };
    assert_eq!(header("x-finstage-id"), parsed["id"]);

    let guide = include_str!("../../../../../docs/guides/alerts.md");
    let code = guide.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let check = format!(
        "{code}\nheaders = {{'X-Finstage-Timestamp': '{}', 'X-Finstage-Signature': '{}'}}\nbody = {body:?}.encode()\n\
         assert is_genuine(headers, body, {SECRET:?})\nassert not is_genuine(headers, body + b' ', {SECRET:?})\n\
         assert not is_genuine(headers, body, 'another')\n",
        header("x-finstage-timestamp"),
        header("x-finstage-signature"),
    );
    match Command::new("python3").args(["-c", &check]).output() {
        Err(_) => skipped("no python3 here"),
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn a_channel_that_does_not_take_it_is_named_and_ends_with_3_or_4() {
    let shell = Shell::new().with("WEBHOOK_SECRET", SECRET);
    let refuse = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno!";
    let (address, _requests) = listener(refuse);
    configured(&shell, &address);
    let run = shell.run("alerts test --notify webhook");
    assert_eq!(run.code, 4, "{run}");
    let (name, why) = run.out.split_once(": ").unwrap();
    assert!(name.starts_with("fail  webhook-") && !name.contains("127"), "{run}");
    assert_eq!(
        why,
        "the webhook answered 401 \"no!\": compare `secret` with the one the receiver knows\n"
    );
    configured(&shell, "http://127.0.0.1:1/secret-path");
    let run = shell.run("alerts test");
    assert_eq!(run.code, 3, "{run}");
    assert!(run.out.contains("ok    log") && !run.out.contains("secret-path"), "{run}");
    let said = shell.run("alerts test --notify telegram").refused(2);
    assert!(said.starts_with("--notify telegram: the channels are log, webhook-"), "{said}");
    configured(&shell, "https://h/x");
    let said = Shell::run(&shell, "config check").ok();
    drop(said);
    let short = Shell::new().with("WEBHOOK_SECRET", "short");
    configured(&short, "https://h/x");
    assert!(
        short.run("config check").refused(2).contains("the secret has fewer than 16 characters")
    );
}

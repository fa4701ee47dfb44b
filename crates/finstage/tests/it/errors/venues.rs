//! A venue that does not answer as it should: the service goes on trying, and ends when asked.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use super::FEED;
use crate::cli::shell::{Running, Shell};

/// A venue that gives every request the same answer, on a port of its own.
fn broken_venue(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4_096];
            if stream.read(&mut request).is_ok_and(|read| read > 0) {
                // A client that left gets no answer.
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    address
}

/// Runs a service on what stands at `address` until it has tried a few times.
fn serve_broken(address: &str, config: &str, wait_for: &str) {
    let shell = Shell::new();
    let venue = format!("[venues.binance]\nrest = \"http://{address}\"\nws = \"ws://{address}\"\n");
    shell.write("finstage.toml", format!("{venue}{FEED}{config}"));
    let mut service = shell.start("serve");
    for _ in 0..2 {
        let line = service.until("binance:BTCUSDT");
        assert!(line.contains(wait_for), "{line}");
    }
    service.terminate();
    let run = service.end_within(Duration::from_secs(10)).ok();
    assert_eq!(run.out, "", "a service has no result");
    assert!(run.err.ends_with("stopped; everything is kept in finstage-data\n"), "{run}");
    assert!(run.err.lines().count() < 20, "a flood: {run}");
    assert!(!run.err.contains("<html>") && !run.err.contains("panicked"), "{run}");
}

/// A simulated Binance and a service on it that watches those symbols.
fn on_a_simulated_venue(symbols: &str) -> (Shell, Running) {
    let shell = Shell::new();
    let mut sim = shell.start("sim --venues binance --seed 3");
    let addresses: Value = serde_json::from_str(&sim.until("binance")).unwrap();
    let address = |kind: &str| addresses["binance"][kind].as_str().unwrap().to_owned();
    let (rest, ws) = (address("rest"), address("ws"));
    shell.write(
        "finstage.toml",
        format!(
            "[venues.binance]\nrest = \"{rest}\"\nws = \"{ws}\"\n\
             [[feeds]]\nvenue = \"binance\"\nsymbols = [{symbols}]\nintervals = [\"1m\", \"1h\"]\n{HISTORY}"
        ),
    );
    (shell, sim)
}

#[test]
fn one_wrong_symbol_is_named_once_and_the_others_are_watched() {
    let (shell, _sim) = on_a_simulated_venue("\"NOPEUSDT\", \"BTCUSDT\"");
    let mut service = shell.start("serve -v");
    service.until("binance:BTCUSDT: the feed is up");
    service.terminate();
    let run = service.end().ok();
    let told: Vec<&str> = run.err.lines().filter(|line| line.contains("NOPEUSDT")).collect();
    assert_eq!(told.len(), 1, "{run}");
    let words = "binance:NOPEUSDT is not watched: binance: the venue refused: Invalid symbol. \
        (code -1121, status 400); correct it in [[feeds]]";
    assert!(told[0].contains("WARN") && told[0].ends_with(words), "{run}");
}

#[test]
fn when_no_symbol_is_left_it_ends_and_says_which_are_wrong() {
    let (shell, _sim) = on_a_simulated_venue("\"NOPEUSDT\", \"ALSONOT\"");
    let run = shell.run("serve");
    let words = "nothing to watch: the venue has no binance:ALSONOT, binance:NOPEUSDT; \
        correct the symbols in [[feeds]]";
    assert_eq!((run.code, run.complaint().as_str()), (2, words), "{run}");
}

#[test]
fn a_service_that_begins_in_the_middle_of_a_minute_warns_of_nothing() {
    let (shell, _sim) = on_a_simulated_venue("\"BTCUSDT\"");
    let mut service = shell.start("serve -v");
    service.until("binance:BTCUSDT: the stream begins at");
    service.until("the feed is up");
    service.terminate();
    let run = service.end().ok();
    assert!(!run.err.contains("WARN"), "{run}");
}

const HISTORY: &str = "[[strategies]]\nname = \"golden_cross\"\ninterval = \"1h\"\n";

#[test]
fn a_venue_that_answers_with_a_page_is_tried_again_until_the_service_is_stopped() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 20\r\nconnection: close\r\n\r\n<html>closed</html>\n";
    serve_broken(&broken_venue(page), HISTORY, "the venue answered HTML (status 200); again in");
}

#[test]
fn a_venue_that_knows_no_such_page_is_tried_again_until_the_service_is_stopped() {
    let page = "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 20\r\nconnection: close\r\n\r\n<html>nobody</html>\n";
    serve_broken(&broken_venue(page), HISTORY, "(status 404); again in");
}

#[test]
fn a_venue_that_refuses_connections_is_tried_again_until_the_service_is_stopped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    serve_broken(&address, HISTORY, "cannot connect: Connection refused");
}

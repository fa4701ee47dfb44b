//! What becomes of results of load tests: reports, sums, verdicts, and looking on.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use finstage_lab::stress::{Kind, Latencies, Outcome, Slice};

use crate::cli::shell::Shell;

/// 12 s at 100/s whose answers take `ms` and up to 20 ms more, of which some are refused.
fn result(ms: u64, refused_each_second: u64) -> String {
    let mut outcome = Outcome::new(Kind::Http, "http://127.0.0.1:1/");
    for second in 0..12 {
        let mut latency = Latencies::new();
        for place in 0..100 {
            let took = Duration::from_micros(1_000 * ms + 200 * ((place * 37 + second * 11) % 100));
            latency.record(took);
            outcome.histogram.record(took);
        }
        outcome.slices.push(Slice {
            at_s: second as f64,
            length_s: 1.0,
            due: 100,
            sent: 100,
            ok: 100 - refused_each_second,
            failed: refused_each_second,
            rate_limited: refused_each_second,
            shed: 0,
            in_flight: 2,
            generator_bound: false,
            latency,
        });
    }
    outcome.elapsed_s = 12.0;
    outcome.rps = 100.0;
    outcome.sent = 1_200;
    outcome.rate_limited = 12 * refused_each_second;
    (outcome.ok, outcome.failed) = (1_200 - outcome.rate_limited, outcome.rate_limited);
    outcome.latency = outcome.histogram.percentiles();
    outcome.errors.insert("429_RateLimit".into(), outcome.rate_limited);
    serde_json::to_string(&outcome).unwrap()
}

#[test]
fn a_result_has_every_form_and_its_findings_in_both_languages() {
    let shell = Shell::new();
    shell.write("a.json", result(5, 15));
    let text = shell.run("stress report a.json --lang en").ok().quiet().out;
    assert!(text.contains("Rate limit hits  180 (15.0 %)") && text.contains("! high"), "{text}");
    let korean = shell.run("stress report a.json --lang ko").ok().out;
    assert!(korean.contains("속도 제한") && !korean.contains("Rate limit"), "{korean}");
    let json = shell.run("stress report a.json --json --lang en").ok().json();
    assert_eq!(
        (&json["findings"][0]["type"], &json["sent"]),
        (&"rate_limit".into(), &1_200.into())
    );
    let csv = shell.run("stress report a.json --format csv").ok().out;
    assert_eq!(csv.lines().count(), 13);
    shell.run("stress report a.json -o page.html").ok();
    shell.run("stress report a.json -o a.hlog").ok();
    assert!(shell.read("page.html").starts_with(b"<!doctype html>"));
    assert!(shell.read("a.hlog").starts_with(b"#[finstage "));
}

#[test]
fn results_add_up_and_thresholds_decide_the_exit_code() {
    let shell = Shell::new();
    shell.write("a.json", result(5, 0));
    shell.write("b.json", result(5, 15));
    let both = shell.run("stress report a.json b.json --json --threshold failed<10%").ok().json();
    assert_eq!((&both["sent"], &both["rate_limited"]), (&2_400.into(), &180.into()));
    assert_eq!(both["thresholds"][0]["holds"], true);
    let broken =
        shell.run("stress report b.json --threshold failed<10% --threshold p99<1s --lang en");
    assert_eq!(broken.code, 1, "{broken}");
    assert!(broken.out.contains("BROKEN") && broken.out.contains("holds"), "{broken}");
    let wrong = shell.run("stress report b.json --threshold p99<10").refused(2);
    assert!(wrong.contains("a time needs its unit"), "{wrong}");
    shell.write("c.json", "{}");
    let none = shell.run("stress report c.json").refused(2);
    assert!(none.contains("c.json: not a result of a load test"), "{none}");
}

#[test]
fn a_slower_run_is_worse_and_fails_where_that_is_asked() {
    let shell = Shell::new();
    shell.write("a.json", result(5, 0));
    shell.write("b.json", result(9, 0));
    let text = shell.run("stress compare a.json b.json --lang en").ok().quiet().out;
    assert!(text.contains("verdict: worse (p50, p99)"), "{text}");
    let json = shell.run("stress compare a.json b.json --json --fail-if worse");
    assert_eq!((json.code, &json.json()["verdict"]), (1, &"worse".into()));
    let back = shell.run("stress compare b.json a.json --fail-if worse,unclear --lang en").ok().out;
    assert!(back.contains("verdict: better"), "{back}");
    let same = shell.run("stress compare a.json a.json --fail-if worse,better,unclear --json").ok();
    assert_eq!(same.json()["verdict"], "same");
}

#[test]
fn a_monitor_says_of_each_answer_whether_the_target_was_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        for status in ["200 OK", "503 Service Unavailable"] {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let shell = Shell::new();
    let rows = shell
        .run(&format!("stress monitor http://{address}/ --every 10ms --count 2 --json"))
        .ok()
        .rows();
    server.join().unwrap();
    assert_eq!([&rows[0]["up"], &rows[1]["up"]], [true, false]);
    assert_eq!([&rows[0]["status"], &rows[1]["status"]], [200, 503]);
    let gone = shell
        .run(&format!("stress monitor http://{address}/ --every 10ms --count 1 --lang en"))
        .ok();
    assert!(gone.out.contains("up 0.0 %"), "{gone}");
}

#[test]
fn a_monitor_asks_others_gently_and_shows_results() {
    let shell = Shell::new();
    let fast = shell.run("stress monitor http://192.0.2.1/ --every 100ms --count 1").refused(2);
    assert!(fast.contains("--i-may-test 192.0.2.1"), "{fast}");
    shell.write("a.json", result(5, 0));
    let shown = shell.run("stress monitor a.json --lang en").ok().out;
    assert!(shown.contains("Good answers"), "{shown}");
    let none = shell.run("stress monitor ws://127.0.0.1:1/").refused(2);
    assert!(none.contains("stress ws"), "{none}");
}

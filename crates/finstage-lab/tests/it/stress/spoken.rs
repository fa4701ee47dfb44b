//! What comes over the wire, and what becomes of it in the counts.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use finstage_lab::stress::arrival::Schedule;
use finstage_lab::stress::http::{HttpTest, Version};
use finstage_lab::stress::mix::Mix;
use finstage_lab::stress::tls::{Trust, configuration};
use finstage_lab::stress::{Ceilings, Outcome, Phase, Stop, Target};
use finstage_net::SystemClock;

use super::server::{Reply, Spoken, reply, scripted, speaking};
use super::test;

fn run(test: &HttpTest) -> Outcome {
    test.run(&Stop::new(), &mut (), &SystemClock).unwrap()
}

fn at(rate: f64, millis: u64) -> Schedule {
    Schedule::constant(rate, Duration::from_millis(millis))
}

#[test]
fn tls_and_http2_are_spoken_and_their_phases_told() {
    for (spoken, version, scheme) in [
        (Spoken::Http2, Version::Http2, "http"),
        (Spoken::TlsHttp1, Version::Http1, "https"),
        (Spoken::TlsHttp2, Version::Http2, "https"),
    ] {
        let address = speaking(spoken);
        let target = Target::parse(&format!("{scheme}://{address}/")).unwrap();
        let tls = Some(configuration(Trust::Anyone, &[version.alpn()]).unwrap());
        let test = HttpTest {
            mix: Mix::one(&target),
            target,
            version,
            tls,
            ..test(address, at(500.0, 400), 8)
        };
        let outcome = run(&test);
        assert_eq!((outcome.sent, outcome.ok), (200, 200), "{spoken:?} {:?}", outcome.errors);
        let has = |phase| outcome.phases.contains_key(&phase);
        assert!(has(Phase::Connect) && has(Phase::FirstByte), "{spoken:?}");
        assert_eq!(has(Phase::Tls), scheme == "https", "{spoken:?}");
        if version == Version::Http2 {
            assert_eq!(outcome.generator.connections, 1, "eight fit on one connection");
            assert_eq!(outcome.quota.used["x-ratelimit-remaining"], 7);
        }
        // As fast as it is answered, side by side.
        let closed = Schedule::Closed { length: Duration::from_millis(150) };
        let outcome = run(&HttpTest { schedule: closed, ..test });
        assert!(outcome.ok > 20 && outcome.failed == 0, "{spoken:?} {:?}", outcome.errors);
    }
}

#[test]
fn a_server_without_http2_is_not_stormed_with_connections() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // It may be gone again by then.
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        }
    });
    let outcome = run(&HttpTest { version: Version::Http2, ..test(address, at(100.0, 1_000), 8) });
    assert_eq!((outcome.sent, outcome.ok), (100, 0), "{:?}", outcome.errors);
    let made = outcome.generator.connections;
    assert!(made <= 12, "one in a tenth of a second, not {made}");
}

#[test]
fn a_certificate_that_nobody_signed_is_refused_where_it_must_be_good() {
    let address = speaking(Spoken::TlsHttp1);
    let target = Target::parse(&format!("https://localhost:{}/", address.port())).unwrap();
    let test = HttpTest { mix: Mix::one(&target), target, ..test(address, at(20.0, 200), 2) };
    let outcome = run(&test);
    assert_eq!((outcome.sent, outcome.errors["TlsError"]), (4, 4), "{:?}", outcome.errors);
}

#[test]
fn connections_that_a_server_closes_between_answers_are_no_errors() {
    // It says so with every third answer, and just hangs up with every fourth.
    let address = scripted(|n| {
        let lines = if n % 3 == 0 { "Connection: close\r\n" } else { "" };
        Some(Reply { is_last: n % 3 == 0 || n % 4 == 0, ..reply(200, lines, "x") })
    });
    let outcome = run(&test(address, at(20.0, 1_500), 1));
    // Where it is held up between its answer and its hanging up, the next request may be in between.
    assert!(outcome.sent == 30 && outcome.failed <= 3, "{:?}", outcome.errors);
    assert!(outcome.generator.connections > 10 && outcome.generator.reconnects > 10);
}

#[test]
fn every_way_to_fail_has_its_name() {
    let address = scripted(|n| match n {
        0 => Some(reply(404, "", "")),
        1 => Some(reply(502, "", "")),
        2 => Some(reply(401, "", "")),
        3 => Some(Reply { bytes: b"nonsense\r\n\r\n".to_vec(), is_last: true }),
        4 => Some(Reply {
            bytes: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut".to_vec(),
            is_last: true,
        }),
        5 => None,
        _ => Some(reply(302, "", "")),
    });
    let timeout = Duration::from_millis(300);
    let outcome = run(&HttpTest { timeout, ..test(address, at(20.0, 400), 8) });
    let counts: Vec<(&str, u64)> =
        outcome.errors.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    let expected = [
        ("401_Unauthorized", 1),
        ("502_BadGateway", 1),
        ("ConnectionError", 1),
        ("HTTP_404", 1),
        ("ProtocolError", 1),
        ("TimeoutError", 1),
    ];
    assert_eq!(counts, expected);
    assert_eq!((outcome.sent, outcome.ok, outcome.failed), (8, 2, 6));
    // All that were answered count, whatever the answer.
    assert_eq!(outcome.latency.count, 5);
}

#[test]
fn limits_are_read_and_another_machine_is_left_alone_when_it_refuses() {
    let script = |n: usize| {
        Some(match n {
            0 => reply(200, "X-MBX-USED-WEIGHT-1M: 1199\r\n", ""),
            1 => reply(429, "Retry-After: 7\r\n", ""),
            _ => reply(418, "", ""),
        })
    };
    // This machine is asked on and on.
    let outcome = run(&test(scripted(script), at(50.0, 400), 1));
    assert_eq!((outcome.sent, outcome.rate_limited), (20, 19));
    assert_eq!(outcome.quota.used["x-mbx-used-weight-1m"], 1_199);
    assert_eq!(outcome.quota.retry_after_s, Some(7.0));
    assert!(outcome.quota.first_429_s.is_some() && outcome.quota.banned_s.is_none());
    // Another one gets its seven seconds.
    let ceilings = Ceilings::of_others(None);
    let outcome = run(&HttpTest { ceilings, ..test(scripted(script), at(50.0, 400), 1) });
    assert_eq!((outcome.sent, outcome.shed), (2, 18));
    // And nothing more once it has banned us.
    let outcome = run(&HttpTest {
        ceilings,
        ..test(scripted(|_| Some(reply(418, "", ""))), at(50.0, 60_000), 1)
    });
    assert!(outcome.sent <= 2 && outcome.quota.banned_s.is_some(), "{}", outcome.sent);
}

#[test]
fn another_machine_is_not_tested_beyond_its_ceilings() {
    let address = "192.0.2.1:80".parse().unwrap();
    let ceilings = Ceilings::of_others(Some(6_000.0));
    let refused = |schedule, connections| {
        HttpTest { ceilings, ..test(address, schedule, connections) }
            .check()
            .unwrap_err()
            .to_string()
    };
    let second = Duration::from_secs(1);
    assert!(refused(at(5.0, 1_000), 501).contains("at most 500"));
    assert!(refused(at(1.0, 3_600_000), 1).contains("at most 600"));
    // 6,000 a minute is 100 a second, and what it asks may weigh 25.
    assert!(refused(at(5.0, 1_000), 1).contains("at most 4"));
    assert!(refused(Schedule::Closed { length: second }, 1).contains("name a rate"));
    let bursts = Schedule::Bursts { size: 501, cycles: 1, pause: (second, second) };
    assert!(refused(bursts, 1).contains("at most 500"));
}

#[test]
fn a_rising_rate_ends_where_the_server_cannot_keep_up() {
    use finstage_lab::stress::http::Ramp;

    // One connection and 5 ms for each: 200 a second at most.
    let address = scripted(|_| {
        let (_wake, asleep) = std::sync::mpsc::channel::<()>();
        let _ = asleep.recv_timeout(Duration::from_millis(5));
        Some(reply(200, "", ""))
    });
    let ramp = Ramp { from: 40.0, to: 100_000.0, step: Duration::from_secs(1) };
    let outcome = run(&HttpTest {
        schedule: ramp.schedule(),
        ramp: Some(ramp),
        ..test(address, at(1.0, 1), 1)
    });
    let knee = outcome.knee.unwrap();
    assert!((40.0..=250.0).contains(&knee.rps), "{knee:?}");
    assert!(knee.broke_at_rps.is_some_and(|rate| rate <= 500.0) && knee.why.is_some(), "{knee:?}");
}

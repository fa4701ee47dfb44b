//! How a test ends, what it counts, and what it leaves behind.

use std::sync::Arc;
use std::time::Duration;

use finstage_lab::stress::arrival::Schedule;
use finstage_lab::stress::frozen::{Freezes, FrozenServer};
use finstage_lab::stress::{Outcome, Stop, health};
use finstage_net::SystemClock;

fn server() -> FrozenServer {
    let never = Freezes { every: Duration::from_secs(3600), length: Duration::ZERO };
    FrozenServer::start(never, Arc::new(SystemClock)).unwrap()
}

#[test]
fn an_empty_run_divides_by_nothing_and_reads_back() {
    let server = server();
    let schedule = Schedule::constant(0.0, Duration::from_millis(50));
    let outcome = super::test(server.address(), schedule, 3)
        .run(&Stop::new(), &mut (), &SystemClock)
        .unwrap();
    assert_eq!((outcome.sent, outcome.rps, outcome.latency.p99_ms), (0, 0.0, None));
    let text = serde_json::to_string(&outcome).unwrap();
    assert!(!text.contains("NaN") && text.contains("\"p99_ms\":null"));
    assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
}

#[test]
fn one_that_is_stopped_reports_what_there_is() {
    let server = server();
    let stop = Stop::new();
    stop.pull();
    let test =
        super::test(server.address(), Schedule::constant(100.0, Duration::from_secs(600)), 3);
    let outcome = test.run(&stop, &mut (), &SystemClock).unwrap();
    assert!(outcome.sent <= 1, "{}", outcome.sent);
}

#[test]
fn a_server_that_is_not_there_is_an_error_of_each_request() {
    let address = server().address();
    let test = super::test(address, Schedule::constant(1_000.0, Duration::from_millis(100)), 3);
    let outcome = test.run(&Stop::new(), &mut (), &SystemClock).unwrap();
    assert_eq!((outcome.sent, outcome.ok, outcome.failed), (100, 0, 100));
    assert_eq!(outcome.errors["ConnectionError"], 100);
}

#[test]
fn bursts_are_told_one_by_one() {
    let server = server();
    let pause = (Duration::from_millis(50), Duration::from_millis(100));
    let schedule = Schedule::Bursts { size: 20, cycles: 3, pause };
    let outcome = super::test(server.address(), schedule, 20)
        .run(&Stop::new(), &mut (), &SystemClock)
        .unwrap();
    assert_eq!(outcome.ok, 60);
    assert_eq!(
        outcome.bursts.iter().map(|burst| (burst.cycle, burst.total, burst.ok)).collect::<Vec<_>>(),
        [(1, 20, 20), (2, 20, 20), (3, 20, 20)]
    );
    assert!(outcome.bursts.iter().all(|burst| burst.duration_ms > 0.0 && burst.rps > 0.0));
}

#[test]
fn answers_decide_the_pace_where_no_rate_is_named_and_one_at_a_time_is_one_connection() {
    let server = server();
    let schedule = Schedule::Closed { length: Duration::from_millis(300) };
    let outcome = super::test(server.address(), schedule, 1)
        .run(&Stop::new(), &mut (), &SystemClock)
        .unwrap();
    assert!(outcome.ok > 50 && outcome.failed == 0, "{} {}", outcome.ok, outcome.failed);
    assert_eq!(outcome.generator.connections, 1);
    // Little: what is under way is rate times latency.
    let busy = outcome.rps * outcome.latency.mean_ms.unwrap() / 1e3;
    assert!((0.5..=1.05).contains(&busy), "{busy}");
}

#[test]
fn a_hundred_batches_leave_no_socket_and_no_memory_behind() {
    let server = server();
    let batch = || {
        let schedule = Schedule::Bursts { size: 50, cycles: 1, pause: Default::default() };
        let outcome = super::test(server.address(), schedule, 50)
            .run(&Stop::new(), &mut (), &SystemClock)
            .unwrap();
        assert_eq!(outcome.ok, 50);
    };
    (0..20).for_each(|_| batch());
    let (sockets, memory) = (health::descriptors(), health::memory());
    (0..100).for_each(|_| batch());
    // The server's side of connections that were closed just now may still be there.
    assert!(health::descriptors() <= sockets + 60, "{} after {sockets}", health::descriptors());
    assert!(health::memory() < memory + 8_000_000, "{} after {memory}", health::memory());
}

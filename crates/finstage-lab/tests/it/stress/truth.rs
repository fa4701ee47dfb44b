//! What is measured against what is so: the one place where real time is looked at. It is held against
//! moments that the server wrote down itself, not against how quick this machine should be; and since
//! whoever else runs here may hold either up for some ms, it stands still for 500 ms and one good run
//! of three is enough: what the wrong way of counting gives is off by a factor, in every run. `finstage
//! bench stress` does the same with 200 ms, beside others.

use std::sync::Arc;
use std::time::Duration;

use finstage_lab::stress::Stop;
use finstage_lab::stress::arrival::Schedule;
use finstage_lab::stress::frozen::{Freezes, FrozenServer};
use finstage_model::Clock;
use finstage_net::SystemClock;

/// Requests a second: few enough that a backlog of 500 ms is gone in a few ms on a busy machine.
const RATE: f64 = 250.0;
const LENGTH: Duration = Duration::from_secs(5);
const RUNS: usize = 3;

/// The value that `quantile` of all stay within.
fn quantile(values: &mut [f64], quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (quantile * values.len() as f64).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

/// How far off rate, p95 and p99 of a run are, as shares.
fn run(connections: u32) -> [f64; 3] {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let freezes = Freezes { every: Duration::from_secs(2), length: Duration::from_millis(500) };
    let server = FrozenServer::start(freezes, Arc::clone(&clock)).unwrap();
    let schedule = Schedule::constant(RATE, LENGTH);
    let test = super::test(server.address(), schedule.clone(), connections);
    let outcome = test.run(&Stop::new(), &mut (), &*clock).unwrap();
    let due = schedule.arrivals(1).map(|arrival| outcome.started_at.plus(arrival.due));
    let mut truth = server.truth(due);
    assert_eq!((outcome.sent, outcome.ok, outcome.shed), (1_250, 1_250, 0));
    let off = |measured: Option<f64>, truth: f64| measured.unwrap() / truth - 1.0;
    let p95 = off(outcome.latency.p95_ms, quantile(&mut truth, 0.95));
    let p99 = off(outcome.latency.p99_ms, quantile(&mut truth, 0.99));
    println!(
        "{connections} connections: p95 {:.1} ms ({:+.2} %), p99 {:.1} ms ({:+.2} %), lag p99 {:.2} ms",
        outcome.latency.p95_ms.unwrap(),
        p95 * 100.0,
        outcome.latency.p99_ms.unwrap(),
        p99 * 100.0,
        outcome.generator.lag.p99_ms.unwrap(),
    );
    [outcome.rps / RATE - 1.0, p95, p99]
}

#[test]
fn a_server_that_stands_still_is_found_out_whatever_the_number_of_connections() {
    std::thread::scope(|scope| {
        for connections in [10, 50, 500] {
            scope.spawn(move || {
                let is_true = |_| {
                    let [rate, p95, p99] = run(connections);
                    rate.abs() < 0.005 && p95.abs() < 0.03 && p99.abs() < 0.03
                };
                assert!((0..RUNS).any(is_true), "{connections} connections: never true");
            });
        }
    });
}

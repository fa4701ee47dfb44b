//! What a decision under eight rules costs.
//!
//! `cargo run --release -p finstage-net --example limiter_cost`
//!
//! The first figure is one decision: a request is asked for and turned away or admitted. The second is the
//! whole life of a request: admitted, sent and answered. Processor time of this thread, the best of
//! several rounds, since other load only adds.
#![expect(clippy::print_stdout, reason = "an example shows its result")]
#![expect(clippy::unwrap_used, reason = "an example that cannot set its scene ends here")]

use std::time::Duration;

use finstage_net::{Books, MAX_RULES, Rule, Settlement, Shape};
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 9;
const MANY: u32 = 200_000;
/// Between two requests, in nanoseconds: the books see time pass, as they do in use.
const STEP: u64 = 50_000;

fn main() {
    let shapes = [Shape::Aligned, Shape::Anchored, Shape::Sliding, Shape::Bucket];
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let rules: Vec<Rule> = (0..MAX_RULES)
        .map(|place| Rule {
            name: names[place],
            shape: shapes[place % shapes.len()],
            limit: 1_000_000_000,
            window: Duration::from_secs(60),
            default_cost: 1,
            counts_refused: false,
        })
        .collect();
    let mut books = Books::new(&rules, Duration::from_secs(1));
    let mut now = 1;
    let amounts = books.amounts(&[]);
    let mut first = books.reserve(now, &amounts).unwrap();
    books.sent(now, &mut first);
    books.answered(now + 1000, &first, &Settlement::default());
    let (mut decision, mut life) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        let from = cpu_ns();
        for _ in 0..MANY {
            now += STEP;
            let ticket = books.reserve(now, &amounts).unwrap();
            books.give_back(std::hint::black_box(&ticket));
        }
        decision = decision.min((cpu_ns() - from) / f64::from(MANY));
        let from = cpu_ns();
        for _ in 0..MANY {
            now += STEP;
            let mut ticket = books.reserve(now, &amounts).unwrap();
            books.sent(now, &mut ticket);
            books.answered(now + STEP / 2, &ticket, &Settlement::default());
        }
        life = life.min((cpu_ns() - from) / f64::from(MANY));
    }
    println!("a decision under {MAX_RULES} rules, given back: {decision:.0} ns");
    println!("a request under {MAX_RULES} rules, admitted, sent and answered: {life:.0} ns");
}

fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

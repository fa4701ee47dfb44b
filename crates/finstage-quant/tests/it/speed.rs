use std::time::Duration;

use finstage_quant::stats::bootstrap::{Block, Draws, PrefixSums, SEED};
use finstage_quant::stats::event_study::{Claim, Member, Scope};
use finstage_quant::stats::long_run::stationary_variance;
use finstage_quant::stats::random::SplitMix64;

/// Ten years of days.
const DATES: usize = 2_520;

#[test]
#[ignore = "a measurement: cargo test --release -p finstage-quant -- --ignored --nocapture speed"]
fn block_sums_for_each_second() {
    const DRAWS: u64 = 2_000;
    for columns in [8, 39, 156, 1_024, 3_900] {
        let psi: Vec<Vec<f64>> = (0..columns).map(noise).collect();
        let psi: Vec<&[f64]> = psi.iter().map(Vec::as_slice).collect();
        let sums = PrefixSums::new(&psi).unwrap();
        for mean_block in [5.0, 10.0, 42.0] {
            let draws = Draws::new(DATES, mean_block, SEED).unwrap();
            let mut blocks: Vec<Block> = Vec::new();
            (0..DRAWS).for_each(|draw| draws.blocks(draw, &mut blocks));
            let thresholds = vec![2.0; columns as usize];
            let time = least_of(|| draws.exceedances(&sums, &thresholds, 0..DRAWS));
            let rate = blocks.len() as f64 * columns as f64 / time.as_secs_f64();
            println!("{columns:>5} columns, L = {mean_block:>2}: {:.2}e9 block sums/s", rate / 1e9);
        }
    }
}

#[test]
#[ignore = "a measurement: cargo test --release -p finstage-quant -- --ignored --nocapture speed"]
fn time_of_an_event_study() {
    let times: Vec<_> =
        (0..DATES as i64).map(|day| finstage_model::Timestamp::from_secs(day * 86_400)).collect();
    let returns: Vec<Vec<f64>> = (0..100).map(noise).collect();
    let eligible = vec![true; DATES];
    let names: Vec<String> = (0..100).map(|k| format!("{k:03}")).collect();
    let member = |k: usize| Member {
        name: &names[k],
        times: &times,
        returns: &returns[k],
        eligible: &eligible,
        volatility: &returns[k],
    };
    let members: Vec<Member<'_>> = (0..100).map(member).collect();
    let events: Vec<usize> = (0..DATES).step_by(50).collect();
    let events = vec![events.as_slice(); 100];
    println!("scope of 100 x 2520: {:?}", least_of(|| Scope::new(&members, 5)));
    let scope = Scope::new(&members, 5).unwrap();
    println!("study of it: {:?}", least_of(|| scope.study(Claim::Size, &events)));
    println!("closed form: {:?}", least_of(|| stationary_variance(&returns[0], 10.0)));
}

fn noise(seed: u64) -> Vec<f64> {
    let mut stream = SplitMix64::new(seed);
    (0..DATES).map(|_| stream.uniform() - 0.5).collect()
}

/// The least time of five repetitions.
#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn least_of<T>(work: impl Fn() -> T) -> Duration {
    let run = || {
        let began = std::time::Instant::now();
        std::hint::black_box(work());
        began.elapsed()
    };
    (0..5).map(|_| run()).min().unwrap()
}

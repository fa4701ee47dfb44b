//! Days of the whole client in simulated time. `cargo run --release -p finstage --example campaign` plays
//! longer ones.

mod world;

use world::{Options, Outcome, run};

const ROUGH: Options =
    Options { seed: 1, days: 1, frames_per_day: 20_000, faults: 0.05, rushes_per_day: 2 };

fn check(outcome: &Outcome, seed: u64) {
    let Outcome { lost, doubled, wrong, bars_lost, bars_doubled, .. } = outcome;
    let all = (*lost, *doubled, *wrong, *bars_lost, *bars_doubled);
    assert_eq!(all, (0, 0, 0, 0, 0), "seed {seed}: {outcome:#?}");
    assert_eq!((outcome.session.gaps_open, outcome.session.trades_lost), (0, 0), "seed {seed}");
    for ledger in &outcome.ledgers {
        let bad = (ledger.banned, ledger.impatient, ledger.chatty);
        assert_eq!(bad, (0, 0, 0), "seed {seed}: {outcome:#?}");
    }
    assert!(outcome.asked.iter().all(|asked| asked.late == 0), "seed {seed}: {outcome:#?}");
    // It was no walk in the park.
    assert!(outcome.cuts > 20 && outcome.session.trades_filled > 100, "seed {seed}: {outcome:#?}");
    assert!(outcome.ledgers.iter().all(|ledger| ledger.faults > 10 && ledger.groundless > 0));
    assert!(outcome.ledgers[0].fullest > 5_400, "near the limit: {}", outcome.ledgers[0].fullest);
}

#[test]
fn a_day_of_faults_ends_without_a_ban_with_every_trade_and_bar_once_and_again_the_same() {
    let [first, again] = [1, 1].map(|seed| run(Options { seed, ..ROUGH }));
    check(&first, 1);
    assert_eq!(first, again, "the same seed, the same day");
}

#[test]
fn another_seed_makes_another_day() {
    let other = run(Options { seed: 2, ..ROUGH });
    check(&other, 2);
    let quiet = run(Options { seed: 2, frames_per_day: 2_000, rushes_per_day: 0, ..ROUGH });
    assert_ne!(other.hash, quiet.hash);
    assert_ne!(
        quiet.hash,
        run(Options { seed: 3, frames_per_day: 2_000, rushes_per_day: 0, ..ROUGH }).hash
    );
}

#[test]
fn a_day_without_faults_is_quiet() {
    let day = run(Options { faults: 0.0, frames_per_day: 2_000, rushes_per_day: 1, ..ROUGH });
    assert_eq!(
        (day.lost, day.doubled, day.wrong, day.bars_lost, day.bars_doubled),
        (0, 0, 0, 0, 0)
    );
    assert!(day.ledgers.iter().all(|ledger| ledger.refused + ledger.impatient == 0), "{day:#?}");
    assert!(day.asked.iter().all(|asked| asked.told == asked.calls), "{day:#?}");
    assert_eq!(day.cuts, 0, "the connection is replaced before the exchange ends it");
}

//! Days of the whole client in simulated time. `cargo run --release -p finstage --example campaign` plays
//! longer ones.

mod world;

use world::{Options, Outcome, run};

const ROUGH: Options =
    Options { seed: 2, days: 1, frames_per_day: 20_000, faults: 0.05, rushes_per_day: 2 };

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
    assert!(outcome.cuts >= 5 && outcome.session.trades_filled >= 10, "seed {seed}: {outcome:#?}");
    assert!(outcome.ledgers.iter().all(|ledger| ledger.faults > 10 && ledger.groundless > 0));
}

#[test]
fn a_day_of_faults_ends_without_a_ban_with_every_trade_and_bar_once_and_again_the_same() {
    let [first, again] = [2, 2].map(|seed| run(Options { seed, ..ROUGH }));
    check(&first, 2);
    assert_eq!(first, again, "the same seed, the same day");
}

#[test]
fn another_seed_makes_another_day() {
    let other = run(Options { seed: 5, ..ROUGH });
    check(&other, 5);
    let short =
        |seed| run(Options { seed, frames_per_day: 2_000, rushes_per_day: 0, ..ROUGH }).hash;
    assert_ne!(short(5), short(6));
}

#[test]
fn a_day_without_faults_is_quiet_though_more_is_asked_than_the_limits_allow() {
    let day = run(Options { faults: 0.0, frames_per_day: 2_000, rushes_per_day: 1, ..ROUGH });
    let bad = (day.lost, day.doubled, day.wrong, day.bars_lost, day.bars_doubled);
    assert_eq!(bad, (0, 0, 0, 0, 0));
    assert!(day.ledgers.iter().all(|ledger| ledger.refused + ledger.impatient == 0), "{day:#?}");
    let fullest = day.ledgers.map(|ledger| ledger.fullest);
    assert!(fullest[0] > 5_900 && fullest[1] == 20 && fullest[2] > 13, "{fullest:?}");
    // A price that waits a minute behind a rush is not waited for longer; all else is told.
    assert!(day.asked.iter().all(|asked| asked.told + asked.failed == asked.calls), "{day:#?}");
    assert!(day.asked.iter().all(|asked| asked.failed <= 2), "{day:#?}");
    assert_eq!(day.cuts, 0, "the connection is replaced before the exchange ends it");
}

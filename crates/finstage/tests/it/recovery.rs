//! A service that is killed anywhere and started again says what one that never stopped says.
//!
//! One script of events is played to a whole service in virtual time, first without trouble, then
//! a few thousand times with seeded ends: a failing disk, a full one, a killed process, a power
//! cut. After each end the rest of the script is told to a new process.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use finstage::day::Renewal;
use finstage::exit::Exit;
use finstage_model::{Alert, Bar, Decision, Event, Payload, WithheldAlert};
use finstage_store::records::SignalRow;
use finstage_store::suite::Rng;

use crate::input::is_long;
use crate::machine::{After, Death, End, How, Lost, Machine, Said, Shelf, is_exactly};
use crate::script::{COOLDOWN, Night, PER_HOUR, Script};

/// Lives of a service in the usual run of the tests, and in the long one.
const SEEDS: [u64; 2] = [400, 2_000];

const HOUR: Duration = Duration::from_secs(3_600);
/// Lives on real files, where a lease waits for the disk.
const FILE_SEEDS: u64 = 12;

/// A script and what is said to it without trouble.
struct Reference {
    script: Arc<Script>,
    said: Said,
}

impl Reference {
    fn new(seed: u64, night: Night) -> Self {
        let reference = Self::of(Script::new(seed, night), seed);
        check_manners(&reference.said.alerts);
        reference
    }

    fn of(script: Arc<Script>, seed: u64) -> Self {
        let mut machine = Machine::new(&script, seed, Shelf::Memory);
        assert!(matches!(machine.live(None), End::Done));
        let alerts = machine.alerts();
        machine.people.check(&alerts, "without trouble");
        assert_eq!(machine.journaled(), (0..script.events.len()).collect::<Vec<_>>());
        Self { said: machine.said(&alerts), script }
    }

    fn all() -> [Self; 2] {
        [Self::new(1, Night::Busy), Self::new(2, Night::Quiet)]
    }
}

#[test]
fn killed_anywhere_it_says_what_it_would_have_said() {
    let references = Reference::all();
    let seeds = SEEDS[usize::from(is_long())];
    let workers = thread::available_parallelism().map_or(1, usize::from) as u64;
    thread::scope(|scope| {
        for worker in 0..workers {
            let references = &references;
            scope.spawn(move || {
                for seed in (worker..seeds).step_by(workers as usize) {
                    survive(&references[(seed % 2) as usize], seed, Shelf::Memory);
                }
            });
        }
    });
}

/// A service that dies a few times, at places and in ways that follow from the seed.
fn survive(reference: &Reference, seed: u64, shelf: Shelf) {
    let context = format!("seed {seed}");
    let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9));
    let fsync = matches!(shelf, Shelf::File(_)).then_some(Duration::from_millis(1));
    let mut machine = Machine::new(&reference.script, seed, shelf);
    machine.fsync = fsync;
    machine.compacts = seed % 5 == 2;
    machine.keep = (seed % 4 == 3).then_some(Duration::from_secs(24 * 3600));
    let deaths = 1 + rng.below(3);
    for _ in 0..deaths {
        let death = death(&reference.script, &mut rng);
        let after = if rng.below(2) == 0 { After::Kill } else { After::PowerCut };
        match (machine.live(Some(death)), death.how) {
            (End::Failed(failure), How::Full(_)) => {
                assert_eq!(failure.exit, Exit::Store);
                assert!(failure.to_string().contains("disk full"), "{context}: {failure}");
                machine.disk.free();
            }
            (End::Failed(failure), _) => {
                assert!(machine.disk.has_crashed(), "{context}: {failure}");
                machine.restart(after);
            }
            (End::Killed, _) => machine.restart(after),
            // It came to the end before it died.
            (End::Done, _) => break,
        }
    }
    machine.disk.free();
    let end = machine.live(None);
    assert!(matches!(end, End::Done), "{context}: {end:?}");
    let alerts = machine.alerts();
    reference.said.check(&machine.said(&alerts), &context);
    machine.people.check(&alerts, &context);
    check_journal(&machine, &context);
    if seed.is_multiple_of(16) {
        for run in machine.replay_all() {
            assert_eq!(run.matches, Some(true), "{context}: {run:?}");
        }
    }
}

/// Cooldowns and budgets hold across midnights, although the engine that spoke before is gone.
fn check_manners(alerts: &[Alert]) {
    let mut sent: Vec<&Alert> = alerts.iter().collect();
    sent.retain(|alert| alert.decision == Decision::Send);
    sent.sort_by_key(|alert| alert.said_at);
    let mut over_midnight = 0;
    for (place, alert) in sent.iter().enumerate() {
        let of_symbol = sent[..place].iter().filter(|before| before.symbol == alert.symbol);
        let age = |before: &&&Alert| alert.said_at.since(before.said_at);
        let same_rule = of_symbol.clone().filter(|before| before.rule == alert.rule);
        let cooled = same_rule.clone().map(|before| age(&before)).min();
        assert!(cooled.is_none_or(|since| since >= COOLDOWN), "{cooled:?} before {alert:?}");
        let within_hour = of_symbol.filter(|before| age(before) < HOUR).count();
        assert!(within_hour < PER_HOUR, "{within_hour} in the hour before {alert:?}");
    }
    for alert in alerts {
        let Decision::Withhold(WithheldAlert::Cooldown) = alert.decision else { continue };
        let last = sent.iter().filter(|sent| {
            sent.rule == alert.rule && sent.symbol == alert.symbol && sent.said_at < alert.said_at
        });
        let last = last.map(|sent| sent.said_at).max();
        over_midnight += u32::from(last.is_some_and(|last| last.day() < alert.said_at.day()));
    }
    assert!(over_midnight > 0, "no cooldown lasted over a midnight");
}

#[test]
fn what_follows_from_events_that_a_power_cut_took_was_never_said() {
    let script = Script::new(5, Night::Busy);
    let (mut compared, mut lost) = (0, 0);
    for seed in 0..if is_long() { 150 } else { 60 } {
        let mut rng = Rng::new(!seed);
        let mut machine = Machine::new(&script, seed, Shelf::Memory);
        machine.lost = Lost::Forever;
        for _ in 0..2 {
            let at = rng.below(script.events.len());
            machine.live(Some(Death { at, how: How::Disk(rng.below(12) as u64) }));
            machine.restart(After::PowerCut);
        }
        assert!(matches!(machine.live(None), End::Done), "seed {seed}");
        let mut left = machine.journaled();
        left.dedup();
        // Whose first event of the day it is depends on the tick that ends the day before.
        if script.renewals.iter().any(|tick| !left.contains(tick)) {
            continue;
        }
        compared += 1;
        lost += script.events.len() - left.len();
        let alerts = machine.alerts();
        let straight = Reference::of(script.only(&left), seed);
        straight.said.check(&machine.said(&alerts), &format!("seed {seed}"));
        machine.people.check(&alerts, &format!("seed {seed}"));
    }
    assert!(compared > 50 && lost > 100, "{compared} compared, {lost} events lost");
}

/// The journal holds the script from its start, or the first day kept, to its end.
fn check_journal(machine: &Machine, context: &str) {
    let mut journaled = machine.journaled();
    // A tick may stand twice where a day begins: it is only time that passed.
    journaled.dedup();
    let end = machine.script.events.len();
    let first = journaled[0];
    assert!(first == 0 || machine.keep.is_some(), "{context}: begins with {first}");
    assert_eq!(journaled, (first..end).collect::<Vec<_>>(), "{context}");
}

/// Anywhere, and often around a midnight.
fn death(script: &Script, rng: &mut Rng) -> Death {
    let midnight = script.renewals[rng.below(script.renewals.len())];
    let at = match rng.below(3) {
        0 => midnight,
        1 => midnight.saturating_sub(12) + rng.below(24),
        _ => rng.below(script.events.len()),
    };
    let how = match rng.below(8) {
        0..=2 => How::Disk(rng.below(30) as u64),
        3 => How::Full(rng.below(30) as u64),
        4 => How::Feed,
        _ => How::Applied(rng.below(40) as i64),
    };
    Death { at, how }
}

#[test]
fn killed_anywhere_it_goes_on_from_files() {
    let references = Reference::all();
    for seed in 0..FILE_SEEDS {
        survive(&references[(seed % 2) as usize], seed, Shelf::file());
    }
}

#[test]
fn an_engine_that_is_not_renewed_at_midnight_is_noticed() {
    let reference = Reference::new(1, Night::Busy);
    let mut machine = Machine::new(&reference.script, 1, Shelf::Memory);
    machine.renewal = Renewal::Never;
    assert!(matches!(machine.live(None), End::Done));
    let said = machine.said(&machine.alerts());
    assert_eq!(said.bars, reference.said.bars, "it saw the same bars");
    let figures = |row: &SignalRow| SignalRow { strength: 0.0, facts: Vec::new(), ..row.clone() };
    let mut differing = Vec::new();
    for one in &reference.said.signals {
        let other = said.signals.iter().find(|other| other.id == one.id);
        let other = other.expect("the same signals");
        assert_eq!(figures(one), figures(other), "nothing but figures");
        if !is_exactly(one, other) {
            differing.push(one);
        }
    }
    for of in ["rsi_", "macd_"] {
        let is_noticed = differing.iter().any(|row| row.strategy.starts_with(of));
        assert!(is_noticed, "no figure of a {of}… strategy tells: {differing:#?}");
    }
    let first_day = reference.script.events[0].ts_recv.day();
    let early = differing.iter().find(|row| row.at <= first_day.end());
    assert_eq!(early, None, "on the first day it is the same engine");
}

#[test]
fn a_cooldown_longer_than_a_day_is_not_forgotten_at_the_second_midnight() {
    let script = Script::new(1, Night::Busy);
    let mut machine = Machine::new(&script, 1, Shelf::Memory);
    let alerts = &mut machine.settings.engine.alerts;
    (alerts.cooldown_ms, alerts.per_hour) = (7 * 24 * 3_600_000, 1_000);
    // Watches rest as long.
    machine.settings.engine.watches.iter_mut().for_each(|watch| watch.cooldown_ms = None);
    assert!(matches!(machine.live(None), End::Done));
    let alerts = machine.said(&machine.alerts()).alerts;
    let (sent, others): (Vec<_>, Vec<_>) =
        alerts.iter().partition(|alert| alert.decision == Decision::Send);
    let rules: BTreeSet<_> = sent.iter().map(|alert| (&alert.symbol, &alert.rule)).collect();
    assert_eq!(rules.len(), sent.len(), "each was sent once: {sent:#?}");
    let first_midnight = script.events[0].ts_recv.day().end();
    let second_midnight = first_midnight.day().end();
    let lasts = others.iter().filter(|alert| alert.said_at >= second_midnight).any(|alert| {
        let before = |sent: &&&Alert| sent.rule == alert.rule && sent.symbol == alert.symbol;
        sent.iter().find(before).is_some_and(|sent| sent.said_at < first_midnight)
    });
    assert!(lasts, "nothing that was sent before the first midnight is due after the second");
}

#[test]
fn other_settings_open_another_run_and_every_run_can_be_recomputed() {
    let mut of_the_same_day = 0;
    for seed in 0..12 {
        let script = Script::new(seed, Night::Busy);
        let mut machine = Machine::new(&script, seed, Shelf::Memory);
        let mut rng = Rng::new(seed);
        // Just after a midnight, or anywhere.
        let at = match seed % 3 {
            0 => script.renewals[0] - 2,
            1 => script.renewals[0] + 1,
            _ => rng.below(script.events.len()),
        };
        let end = machine.live(Some(Death { at, how: How::Feed }));
        assert!(matches!(end, End::Killed), "seed {seed}: {end:?}");
        machine.restart(After::Kill);
        machine.settings.engine.strategies.remove(0);
        let end = machine.live(None);
        assert!(matches!(end, End::Done), "seed {seed}: {end:?}");
        machine.people.check(&machine.alerts(), &format!("seed {seed}"));
        check_journal(&machine, &format!("seed {seed}"));
        let runs = machine.replay_all();
        of_the_same_day += runs.iter().filter(|run| run.run == 2).count();
        for run in runs {
            assert_eq!(run.matches, Some(true), "seed {seed}: {run:?}");
        }
    }
    assert!(of_the_same_day > 3, "{of_the_same_day} second runs");
}

#[test]
fn bars_go_on_when_a_clock_that_was_a_day_ahead_is_right_again() {
    const DAY: Duration = Duration::from_secs(24 * 3_600);
    let reference = Reference::new(1, Night::Busy);
    for restarts in [false, true] {
        let mut script = Script::new(1, Night::Busy);
        let events = &mut Arc::get_mut(&mut script).unwrap().events;
        let place = events.len() / 3;
        let wrong = Event::new(events[place].ts_recv.plus(DAY), Payload::Tick);
        events.insert(place, wrong.clone());
        if restarts {
            events.truncate(place + 1);
        }
        let mut machine = Machine::new(&script, 1, Shelf::Memory);
        assert!(matches!(machine.live(None), End::Done));
        if restarts {
            machine.script = Arc::clone(&reference.script);
            machine.restart(After::Kill);
            assert!(matches!(machine.live(None), End::Done));
        }
        let said = machine.said(&machine.alerts());
        // What was open then was closed too early and stays; every other bar is that of a clock that was right.
        let open_then = |bar: &Bar| {
            bar.open_time < wrong.ts_recv.minus(DAY) && wrong.ts_recv.minus(DAY) < bar.close_time()
        };
        let others =
            |bars: &[Bar]| bars.iter().filter(|bar| !open_then(bar)).copied().collect::<Vec<_>>();
        assert_eq!(others(&said.bars), others(&reference.said.bars), "restarts: {restarts}");
        let is_late = |row: &&SignalRow| row.at > wrong.ts_recv.minus(DAY);
        assert!(said.signals.iter().filter(is_late).count() > 10, "strategies go on as well");
        let runs = machine.replay_all();
        assert!(runs.iter().all(|run| run.matches == Some(true)), "{runs:?}");
    }
}

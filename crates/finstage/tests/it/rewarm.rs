//! Bars that another process imports beside a running service reach its strategies, once, in the
//! journal, and whatever happens to the process meanwhile.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use finstage::exit::Exit;
use finstage_model::{
    Bar, Card, CardId, CardMember, CardVerdict, Event, InstrumentId, Interval, Objection, Payload,
    Reason, Ruling, Symbol,
};
use finstage_store::records::SignalRow;
use finstage_store::suite::Rng;
use serde_json::Value;

use crate::cli::shell::Shell;
use crate::input::is_long;
use crate::machine::{After, Death, End, How, Machine, Said, Shelf};
use crate::script::{Import, Night, Script};

/// Lives of a service in the usual run of the tests, and in the long one.
const SEEDS: [u64; 2] = [160, 400];

fn seeds() -> u64 {
    SEEDS[usize::from(is_long())]
}

/// A machine after the whole script, and what was said on it.
fn straight(script: &Arc<Script>, seed: u64) -> (Machine, Said) {
    let mut machine = Machine::new(script, seed, Shelf::Memory);
    assert!(matches!(machine.live(None), End::Done));
    let alerts = machine.alerts();
    machine.people.check(&alerts, "without trouble");
    let said = machine.said(&alerts);
    (machine, said)
}

#[test]
fn what_is_imported_beside_a_service_is_told_once_and_only_where_strategies_need_it() {
    let script = Script::with_holes(1);
    let (machine, said) = straight(&script, 1);
    // Bars older than any strategy remembers and of a length that nobody watches are told to
    // nobody.
    let [aaa, bbb] = [0, 1].map(InstrumentId);
    assert_eq!(machine.resets(), [aaa, bbb, aaa, bbb, aaa]);
    for run in machine.replay_all() {
        assert_eq!(run.matches, Some(true), "{run:?}");
    }
    let mut deaf = Machine::new(&script, 1, Shelf::Memory);
    deaf.imports = None;
    assert!(matches!(deaf.live(None), End::Done));
    assert_eq!(deaf.resets(), []);
    let unheard = deaf.said(&deaf.alerts());
    assert!(said.signals.iter().ne(&unheard.signals), "the imports change what is said");
}

#[test]
fn killed_anywhere_around_an_import_it_says_what_it_would_have_said() {
    let script = Script::with_holes(2);
    let (reference, said) = straight(&script, 2);
    let resets = reference.resets();
    let workers = thread::available_parallelism().map_or(1, usize::from) as u64;
    thread::scope(|scope| {
        for worker in 0..workers {
            let (script, said, resets) = (&script, &said, &resets);
            scope.spawn(move || {
                for seed in (worker..seeds()).step_by(workers as usize) {
                    let context = format!("seed {seed}");
                    let machine = survive(script, seed, After::Kill, &context);
                    let alerts = machine.alerts();
                    said.check(&machine.said(&alerts), &context);
                    machine.people.check(&alerts, &context);
                    assert_eq!(machine.resets(), *resets, "{context}");
                }
            });
        }
    });
}

/// After a power cut the past may be told again at another place: the figures are those of the
/// journal, to the last bit, and the same alerts come.
#[test]
fn after_a_power_cut_around_an_import_every_run_can_be_recomputed() {
    let script = Script::with_holes(3);
    let (_, said) = straight(&script, 3);
    for seed in 0..seeds() / 4 {
        let context = format!("seed {seed}");
        let machine = survive(&script, seed, After::PowerCut, &context);
        machine.people.check(&machine.alerts(), &context);
        let found = machine.said(&machine.alerts());
        assert_eq!(found.bars, said.bars, "{context}");
        for run in machine.replay_all() {
            assert_eq!(run.matches, Some(true), "{context}: {run:?}");
        }
    }
}

/// A service that dies a few times around imports and midnights.
fn survive(script: &Arc<Script>, seed: u64, after: After, context: &str) -> Machine {
    let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9));
    let mut machine = Machine::new(script, seed, Shelf::Memory);
    for _ in 0..1 + rng.below(3) {
        match machine.live(Some(death(script, &mut rng))) {
            End::Failed(failure) => {
                assert_eq!(failure.exit, Exit::Store, "{context}: {failure}");
                machine.disk.free();
                machine.restart(after);
            }
            End::Killed => machine.restart(after),
            // It came to the end before it died.
            End::Done => break,
        }
    }
    machine.disk.free();
    let end = machine.live(None);
    assert!(matches!(end, End::Done), "{context}: {end:?}");
    machine
}

fn death(script: &Script, rng: &mut Rng) -> Death {
    let import = &script.imports[rng.below(script.imports.len())];
    let midnight = script.renewals[rng.below(script.renewals.len())];
    let at = match rng.below(4) {
        0 => midnight.saturating_sub(6) + rng.below(12),
        1 => rng.below(script.events.len()),
        _ => import.place.saturating_sub(2) + rng.below(5),
    };
    let how = match rng.below(8) {
        0..=2 => How::Disk(rng.below(12) as u64),
        3 => How::Full(rng.below(12) as u64),
        4 => How::Feed,
        _ => How::Applied(rng.below(12) as i64),
    };
    Death { at, how }
}

#[test]
fn a_reset_whose_past_a_crash_took_is_told_again_before_anything_else() {
    let script = Script::with_holes(4);
    let (_, said) = straight(&script, 4);
    for import in &script.imports[..3] {
        let mut machine = Machine::new(&script, 4, Shelf::Memory);
        let end = machine.live(Some(Death { at: import.place, how: How::Feed }));
        assert!(matches!(end, End::Killed), "{end:?}");
        machine.restart(After::Kill);
        // What a batch leaves that was cut after its first record.
        machine.import_at(import.place);
        let day = machine.journal.days().unwrap().pop().unwrap();
        let run = machine.journal.runs(day).unwrap().pop().unwrap();
        let instrument = machine.records.instrument(&import.symbol).unwrap().unwrap().id;
        let payload = Payload::Reset(instrument);
        let ts_recv = script.events[import.place].ts_recv;
        let mut writer = machine.journal.writer(day, run).unwrap();
        writer.append(&[Event::new(ts_recv, payload)]).unwrap();
        writer.sync().unwrap();
        let cut = writer.end();
        drop(writer);
        assert!(matches!(machine.live(None), End::Done));
        let alerts = machine.alerts();
        said.check(&machine.said(&alerts), &format!("cut at {cut}"));
        let events = finstage_store::suite::journal::read_all(&machine.journal, day, run).unwrap();
        assert_eq!(events[cut.seq() as usize].payload, Payload::Reset(instrument));
    }
}

/// A script in which cards are kept on the way: one proves a strategy before the first midnight,
/// one takes that back after it, and one is about something that nobody runs.
fn with_cards(seed: u64) -> (Arc<Script>, Card, Card) {
    let mut script = own(Script::new(seed, Night::Busy));
    let midnight = script.renewals[0];
    let (place, later) = (midnight / 3, (midnight + script.renewals[1]) / 2);
    let card = |strategy: &str, place: usize, verdict: CardVerdict| {
        let golden = include_str!("../../../finstage-model/src/card/golden.json");
        let golden: Card = serde_json::from_str(golden).unwrap();
        let member =
            |(symbol, _): &(Symbol, Vec<Bar>)| CardMember { symbol: symbol.clone(), n: 40 };
        let issued = script.events[place].ts_recv.minus(Duration::from_secs(3_600));
        let reasons = match verdict {
            CardVerdict::Verified => Vec::new(),
            _ => vec![Objection::WrongDirection],
        };
        let mut card = Card {
            strategy: strategy.to_owned(),
            interval: Interval::M15,
            members: script.past[..2].iter().map(member).collect(),
            issued,
            expires: issued.plus(Duration::from_secs(90 * 86_400)),
            verdict,
            reasons,
            ..golden
        };
        card.id = card.content_id();
        card
    };
    let strategy = "ma_breakout_up(period=10)";
    let proven = card(strategy, place, CardVerdict::Verified);
    let rejected = card(strategy, later, CardVerdict::Rejected);
    let foreign = card("ma_breakout_up(period=11)", place, CardVerdict::Verified);
    script.cards = vec![(place, foreign), (place, proven.clone()), (later, rejected.clone())];
    (Arc::new(script), proven, rejected)
}

/// Cards in the journal: how many were told, preambles aside.
fn cards_heard(machine: &Machine) -> Vec<CardId> {
    let events = machine.events();
    let mut heard: Vec<CardId> = events
        .iter()
        .filter_map(|event| match &event.payload {
            Payload::Card(card) => Some(card.proof.card),
            _ => None,
        })
        .collect();
    heard.dedup();
    heard
}

#[test]
fn cards_kept_beside_a_service_rule_from_then_on_and_a_replay_rules_the_same() {
    let (script, proven, rejected) = with_cards(8);
    let (machine, said) = straight(&script, 8);
    assert_eq!(cards_heard(&machine), [proven.id, rejected.id]);
    let [first, second] =
        [script.cards[1].0, script.cards[2].0].map(|at| script.events[at].ts_recv);
    let mut counts = [0; 3];
    let judged = |signal: &&SignalRow| {
        let is_sound = !matches!(signal.ruling, Some(Ruling::Withheld { .. }));
        is_sound && signal.strategy == proven.strategy
    };
    for signal in said.signals.iter().filter(judged) {
        let (place, expected) = match signal.at {
            at if at < first => (0, Ruling::Unproven { reason: Reason::NoEvidence }),
            at if at < second => (1, Ruling::Verified { card: proven.id }),
            _ => (2, Ruling::Rejected { reason: Reason::Card(Objection::WrongDirection) }),
        };
        counts[place] += 1;
        assert_eq!(signal.ruling, Some(expected), "{signal:?}");
    }
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    for run in machine.replay_all() {
        assert_eq!(run.matches, Some(true), "{run:?}");
    }
    // Killed where the cards come and at midnights, it says the same.
    for seed in 0..seeds() / 8 {
        let context = format!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut machine = Machine::new(&script, seed, Shelf::Memory);
        let place = match rng.below(3) {
            0 => script.renewals[0],
            1 => script.cards[1].0,
            _ => script.cards[2].0,
        };
        let at = place.saturating_sub(2) + rng.below(5);
        let how = [How::Feed, How::Applied(rng.below(6) as i64)][rng.below(2)];
        if !matches!(machine.live(Some(Death { at, how })), End::Done) {
            machine.restart(After::Kill);
            assert!(matches!(machine.live(None), End::Done), "{context}");
        }
        said.check(&machine.said(&machine.alerts()), &context);
        assert_eq!(cards_heard(&machine), [proven.id, rejected.id], "{context}");
    }
}

/// Minutes of January as a file.
fn minutes(count: usize) -> String {
    let row = |n: usize| {
        let (open, close) = (100 + n % 7, 101 + n % 5);
        format!("2026-01-05T{:02}:{:02}:00Z,{open},110,90,{close},5\n", n / 60, n % 60)
    };
    "timestamp,open,high,low,close,volume\n".to_owned() + &(0..count).map(row).collect::<String>()
}

#[test]
fn an_import_beside_serve_is_heard_and_a_replay_says_the_same() {
    let shell = Shell::new();
    let mut sim = shell.start("sim --venues binance --seed 3");
    let addresses: Value = serde_json::from_str(&sim.until("binance")).unwrap();
    let address = |kind: &str| addresses["binance"][kind].as_str().unwrap().to_owned();
    let (rest, ws) = (address("rest"), address("ws"));
    // Of bars made of trades nothing is fetched: the store is empty.
    let config = format!(
        "[venues.binance]\nrest = \"{rest}\"\nws = \"{ws}\"\n\
         [[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\nintervals = [\"1m\"]\nbars = \"trades\"\n\
         [[strategies]]\nname = \"ma_breakout_up\"\ninterval = \"1m\"\nparams = {{ period = 20 }}\n"
    );
    shell.write("finstage.toml", config);
    shell.write("minutes.csv", minutes(200));
    shell.write("unwatched.csv", minutes(30));
    let mut service = shell.start("serve -v --data-dir data");
    service.until("the feed is up");
    let import = "import --data-dir data --symbol";
    shell.run(&format!("{import} binance:ETHUSDT unwatched.csv")).ok();
    shell.run(&format!("{import} binance:BTCUSDT minutes.csv")).ok();
    let line = service.until("re-warmed");
    // All but one where the engine has closed the minute at hand meanwhile.
    let is_told =
        [20, 21].map(|n| line.contains(&format!("re-warmed binance:BTCUSDT 1m: {n} bars")));
    assert!(is_told.contains(&true), "{line}");
    service.terminate();
    let run = service.end().ok();
    assert_eq!(run.err.matches("re-warmed").count(), 1, "{run}");
    let replayed = shell.run("replay --check --json --data-dir data").ok();
    assert_eq!(replayed.json()["match"], true, "{replayed}");

    // The next process is told by the journal, and says nothing of it again.
    let mut service = shell.start("serve -v --data-dir data");
    service.until("the feed is up");
    service.terminate();
    let run = service.end().ok();
    assert!(!run.err.contains("re-warmed"), "{run}");
    let replayed = shell.run("replay --check --json --data-dir data").ok();
    assert_eq!(replayed.json()["match"], true, "{replayed}");
}

/// A script of which nobody else has a copy.
fn own(script: Arc<Script>) -> Script {
    Arc::try_unwrap(script).unwrap_or_else(|_| unreachable!("nobody else has it"))
}

/// The venue's quarters of an hour of the first instrument, with their places in the script.
fn venue_bars(script: &Script) -> Vec<(usize, Bar)> {
    let events = script.events.iter().enumerate();
    let bars = events.filter_map(|(place, event)| match event.payload {
        Payload::Bar(bar) if bar.interval == Interval::M15 => Some((place, bar)),
        _ => None,
    });
    bars.collect()
}

#[test]
fn many_imports_in_a_burst_are_one() {
    let mut script = own(Script::new(5, Night::Busy));
    let symbol = script.past[0].0.clone();
    let hole: Vec<Bar> = script.past[0].1.drain(100..121).collect();
    let evening = venue_bars(&script);
    for (part, (place, _)) in hole.chunks(3).zip(&evening[4..]) {
        script.imports.push(Import { place: *place, symbol: symbol.clone(), bars: part.to_vec() });
    }
    let script = Arc::new(script);
    // The imports are a quarter of an hour apart.
    for (pace, expected) in [(0, 7), (1_000, 1)] {
        let mut machine = Machine::new(&script, 5, Shelf::Memory);
        machine.imports = Some(Duration::from_secs(pace));
        assert!(matches!(machine.live(None), End::Done));
        assert_eq!(machine.resets(), vec![InstrumentId(0); expected], "looking every {pace} s");
    }
}

#[test]
fn a_bar_that_is_imported_before_the_venue_brings_it_is_said_all_the_same() {
    let (_, said) = straight(&Script::new(6, Night::Busy), 6);
    let mut script = own(Script::new(6, Night::Busy));
    let symbol = script.past[0].0.clone();
    for (place, bar) in venue_bars(&script).into_iter().step_by(3) {
        script.imports.push(Import { place, symbol: symbol.clone(), bars: vec![bar] });
    }
    let (machine, found) = straight(&Arc::new(script), 6);
    said.check(&found, "imported on the way");
    assert_eq!(machine.resets(), [], "nothing is new to the engine");
}

#[test]
fn bars_that_the_venue_never_brings_are_told_when_the_series_has_passed_them() {
    let script = Script::new(7, Night::Busy);
    let lost = &venue_bars(&script)[6..10];
    let is_lost = |place: &usize| lost.iter().any(|(at, _)| at == place);
    let left: Vec<usize> = (0..script.events.len()).filter(|place| !is_lost(place)).collect();
    let passed = script.events[venue_bars(&script)[10].0].clone();
    let mut script = own(script.only(&left));
    let place = script.place_of(&passed).unwrap() - 5;
    let bars = lost.iter().map(|(_, bar)| *bar).collect();
    script.imports.push(Import { place, symbol: script.past[0].0.clone(), bars });
    let (machine, _) = straight(&Arc::new(script), 7);
    assert_eq!(machine.resets(), [InstrumentId(0)]);
    let events = machine.events();
    let reset = events.iter().position(|e| matches!(e.payload, Payload::Reset(_))).unwrap();
    let passing = events.iter().position(|e| *e == passed).unwrap();
    assert!(passing < reset, "first the venue's next bar, then what lies before it");
    let Payload::Past(past) = &events[reset + 2].payload else { panic!("{:?}", events[reset + 2]) };
    assert_eq!(past.interval, Interval::M15);
    let told = lost.iter().all(|(_, bar)| past.bars.contains(bar));
    assert!(told && past.bars.last().unwrap().open_time == lost[3].1.close_time(), "{past:?}");
}

//! What becomes of a verified strategy when its edge is gone, from invented bars to the verdict.

use std::time::Duration;

use finstage::drift::announce;
use finstage::{generate, wiring};
use finstage_engine::{Question, Settlement, trace};
use finstage_model::{
    Bar, Calendar, Card, CardVerdict, ClaimKind, Decision, Direction, Interval, Ruling, Symbol,
};
use finstage_quant::stats::occasions::Holding;
use finstage_research::evidence::{Groups, Ledger, Options, Plan};
use finstage_research::live::{Drift, Followed, Settled, drift};
use finstage_research::worlds::{Edge, fading, planted};
use finstage_store::records::{Filter, NoticeKind, Records};

use super::command::csv;
use super::instrument;
use super::policy::{SYMBOL, serve};
use crate::cli::shell::Shell;

const RULE: &str = "volume_breakout_up";

/// What the verifier says of the rule on these bars, one look.
fn card(bars: &[Bar]) -> Card {
    let specs = generate::strategies(&[RULE.parse().unwrap()], &[], Interval::D1).unwrap();
    let options = Options {
        horizons: vec!["1w".parse().unwrap()],
        claims: vec![ClaimKind::Direction],
        ..Options::default()
    };
    let rules = (specs, finstage_strategies::CATALOG);
    let plan = Plan::new(vec![instrument("edge", bars)], &Groups::Pooled, rules, options).unwrap();
    let evidence = plan.measure().unwrap().judge(&Ledger::of_files(&[])).seal("");
    evidence.rows.into_iter().next().unwrap()
}

/// What the engine says on the bars, settled as the track record does.
fn lived(bars: &[Bar]) -> Vec<Followed> {
    let symbol: Symbol = "world:edge".parse().unwrap();
    let specs = generate::strategies(&[RULE.parse().unwrap()], &[], Interval::D1).unwrap();
    let said = generate::signals(bars, &wiring::describe(&symbol), specs).unwrap();
    let calendar = Calendar::sessions(Vec::new()).unwrap();
    let one = |said: generate::Generated| {
        let signal = said.signal;
        let horizon = "1w".parse().unwrap();
        let question = Question {
            signal: signal.id,
            direction: signal.direction,
            open_time: signal.open_time,
            horizon,
        };
        let settled = match trace(&question, bars, &calendar) {
            Settlement::Settled(course) => Some(Settled {
                holding: Holding { entry: course.entry_at, exit: course.exit_at },
                ret: course.outcome(&question).ret,
            }),
            _ => None,
        };
        Followed {
            signal: signal.id,
            strategy: said.strategy,
            symbol: symbol.clone(),
            interval: signal.interval,
            direction: signal.direction,
            at: signal.at,
            horizon,
            settled,
        }
    };
    said.into_iter().map(one).collect()
}

#[test]
fn a_planted_edge_that_is_switched_off_is_muted_and_one_that_stays_is_seldom() {
    const CUT: usize = 2_000;
    const RUNS: u64 = 12;
    let edge = Edge { events: 200, drift: 0.03 };
    let (mut proven, mut off, mut on) = (0, Vec::new(), Vec::new());
    for seed in 0..RUNS {
        let (gone, _) = fading(edge, seed, 2 * CUT, CUT);
        let (stays, _) = planted(edge, seed, 2 * CUT);
        assert_eq!(gone[..CUT], stays[..CUT]);
        let card = card(&gone[..CUT]);
        if card.verdict != CardVerdict::Verified {
            continue;
        }
        assert_eq!(card.proven_at, Some(card.issued));
        proven += 1;
        off.push(drift(&card, &lived(&gone)).unwrap());
        on.push(drift(&card, &lived(&stays)).unwrap());
    }
    let muted = |all: &[Drift]| all.iter().filter(|drift| drift.muted_at.is_some()).count();
    let occasions = |all: &[Drift]| all.iter().map(|drift| drift.occasions).collect::<Vec<_>>();
    let deltas: Vec<String> = off.iter().map(|drift| format!("{:.2}", drift.delta)).collect();
    println!("{proven} of {RUNS} proven, δ {}", deltas.join(" "));
    println!("switched off: {} muted, after {:?} occasions", muted(&off), occasions(&off));
    println!("left on: {} muted, watched {:?} occasions", muted(&on), occasions(&on));
    assert!(proven >= 10, "{proven}");
    assert!(off.iter().all(|drift| drift.delta > 0.3));
    // The bound of the specification for the smallest δ that occurs.
    let in_time = off.iter().filter(|drift| drift.muted_at.is_some() && drift.occasions <= 89);
    assert!(in_time.count() as f64 >= 0.85 * f64::from(proven), "{off:?}");
    assert!(muted(&on) as f64 <= 0.35 * f64::from(proven), "{on:?}");
}

/// The same bars, one on each day of the week: the market of the test never closes.
fn every_day(bars: &[Bar]) -> Vec<Bar> {
    let start = bars[0].open_time;
    let at = |day: usize| start.plus(Duration::from_secs(86_400 * day as u64));
    bars.iter().enumerate().map(|(day, bar)| Bar { open_time: at(day), ..*bar }).collect()
}

#[test]
fn a_drifted_card_is_muted_by_the_store_and_its_signals_are_no_longer_sent() {
    const CUT: usize = 1_500;
    /// Less than a year, so that no look decides anew.
    const LIVED: usize = 340;
    let (bars, _) = fading(Edge { events: 250, drift: 0.03 }, 4, 2_500, CUT);
    let bars = every_day(&bars);
    let shell = Shell::new();
    shell.write("edge.csv", csv(&bars[..CUT]));
    shell.run(&format!("import edge.csv --symbol {SYMBOL} --data-dir kept")).ok();
    let verify = format!(
        "verify --symbols {SYMBOL} --strategies {RULE} --horizons 1w --claims direction --data-dir kept --json"
    );
    let card = shell.run(&verify).ok().json()["rows"][0].clone();
    assert_eq!(card["verdict"], "verified", "{card}");
    assert_eq!(card["proven_at"], card["issued"]);

    serve(&shell, &bars[CUT..CUT + LIVED]);
    let stats = "track-record stats --data-dir kept";
    let said = shell.run(&format!("{stats} --json")).ok().json();
    assert_eq!(said["provenance"], "live");
    let held = &said["cards"][0];
    assert_eq!((&held["card"], &held["state"]), (&card["id"], &"drifted".into()), "{held}");
    let drift = &held["drift"];
    assert!(drift["sum"].as_f64() > drift["limit"].as_f64() && !drift["muted_at"].is_null());
    let group = said["statistics"].as_array().unwrap().iter().find(|one| one["horizon"] == "1w");
    let group = group.unwrap();
    assert_eq!((&group["strategy"], &group["direction"]), (&card["strategy"], &"long".into()));
    assert!(group["n"].as_u64().unwrap() >= 20 && group["base_rate"].as_f64().is_some(), "{group}");
    let forecasts = said["calibration"]["n"].as_u64().unwrap();
    assert!(forecasts >= 20 && forecasts <= group["n"].as_u64().unwrap(), "{said}");
    assert_eq!(said["calibration"]["reliability"].as_array().unwrap().len(), 5);

    let again = shell.run(&verify).ok();
    let run = drift["run"].as_u64().unwrap();
    let words = format!("Muted: the last {run} occasions look like chance.");
    let strategy = card["strategy"].as_str().unwrap();
    assert!(again.err.contains(&format!("Muted: {strategy}; long on {SYMBOL}, 1d")), "{again}");
    assert!(again.err.contains(&words), "{again}");
    assert!(again.err.contains("keeps 0 cards for alerts, 1 stay"), "{again}");
    let text = shell.run(stats).ok().out;
    assert!(text.contains("muted") && text.contains(&words), "{text}");
    let records = Records::open_read_only(&shell.path("kept").join("records.db")).unwrap();
    let kept = records.cards_since(0).unwrap().remove(0).card;
    assert!(kept.words.starts_with(&words), "{}", kept.words);
    assert_eq!(kept.verdict, CardVerdict::Unproven);
    drop(records);
    tell_once(&shell, &kept);

    let lived = CUT + LIVED;
    let alerts = serve(&shell, &bars[lived..lived + 60]);
    let last = &alerts[0];
    assert!(last.alert.at > bars[lived].close_time(), "it fired again: {last:?}");
    assert_ne!(last.alert.decision, Decision::Send, "{last:?}");
    let shown = shell.run("alerts list --json --data-dir kept").ok().rows().remove(0);
    assert_eq!(shown["reasons"], serde_json::json!(["not_verified", "drift"]));
    let records = Records::open_read_only(&shell.path("kept").join("records.db")).unwrap();
    let signal = records.signals(&Filter::newest(1)).unwrap().remove(0);
    assert_eq!(signal.direction, Direction::Long);
    assert_eq!(signal.ruling.and_then(Ruling::reason).unwrap().as_str(), "drift");
}

/// The channel hears of the muted card, however often the service looks.
fn tell_once(shell: &Shell, muted: &Card) {
    let records = Records::open(&shell.path("kept").join("records.db")).unwrap();
    let log = ["log".to_owned()];
    assert_eq!(announce(&records, &log, muted.issued).unwrap(), 1);
    assert_eq!(announce(&records, &log, muted.expires).unwrap(), 0);
    let id = NoticeKind::Muted.id(&muted.id.to_string());
    let notice = records.notice(id).unwrap().unwrap();
    let lines: Vec<&str> = notice.lines.iter().map(|line| line[0].text.as_str()).collect();
    assert_eq!(lines[0], format!("Muted: {}", muted.strategy));
    assert_eq!(lines[1], format!("long on {SYMBOL}, 1d bars, after 1w"));
    assert_eq!(lines[2], muted.words);
    assert!(lines[3].contains("only through the next look"), "{lines:?}");
}

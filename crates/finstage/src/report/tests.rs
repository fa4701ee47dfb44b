//! Reports of small stores whose figures can be counted by hand.

use std::time::Duration;

use finstage_model::{
    Alert, AlertId, AlertKind, Bar, Card, CardMember, CardVerdict, ClaimKind, Decision, Facts,
    InstrumentId, ManualClock, Objection, Position, Proof, Qty, Ruling, Signal, StrategyId,
    Verdict, WithheldAlert,
};
use finstage_model::{Clock as _, Horizon};
use finstage_notify::notifiers::{MAX_TEXT_UNITS, telegram_markup};
use finstage_notify::{Repeat, Template};
use finstage_store::history::History;
use finstage_store::records::{
    Batch, Forgettable, Item, NewAlert, NewSignal, NoticeKind, Old, Records, Route, RunDigest,
};
use jiff::civil::time;
use jiff::tz::TimeZone;

use super::job::Job;
use super::*;
use crate::wiring;

const STRATEGY: &str = "golden_cross(fast=50,slow=200)";
const EVERYTHING: Position = Position::from_i64(i64::MAX);

fn symbol() -> Symbol {
    "binance:BTCUSDT".parse().unwrap()
}

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// A store in a temporary folder.
struct World {
    _dir: tempfile::TempDir,
    records: Records,
    history: History,
    zone: TimeZone,
    next_event: u64,
}

impl World {
    fn new(zone: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open_in_memory().unwrap();
        records.put_instrument(&wiring::describe(&symbol())).unwrap();
        let history = wiring::history(dir.path(), &records);
        let zone = TimeZone::get(zone).unwrap();
        Self { _dir: dir, records, history, zone, next_event: 1 }
    }

    /// Hourly bars from `from` on; each opens at 100 plus its number and closes one higher.
    fn bars(&self, from: &str, count: i64) {
        let bar = |place: i64| {
            let price = |add: i64| Price::from_nanos((100 + place + add) * 1_000_000_000);
            Bar {
                instrument: InstrumentId(0),
                interval: Interval::H1,
                open_time: t(from).plus(Duration::from_secs(3_600 * place.unsigned_abs())),
                open: price(0),
                high: price(3),
                low: price(-2),
                close: price(1),
                volume: Qty::ZERO,
                trades: 1,
            }
        };
        let bars: Vec<Bar> = (0..count).map(bar).collect();
        self.history.import(&symbol(), Interval::H1, &bars).unwrap();
    }

    /// `count` bars of a length from `from` on, all at `price`, but from a low of 10 less to a high of 10 more.
    fn flat(&self, (symbol, interval): (&str, Interval), from: &str, (count, price): (u32, i64)) {
        let price = |add: i64| Price::from_nanos((price + add) * 1_000_000_000);
        let bar = |place: u32| Bar {
            instrument: InstrumentId(0),
            interval,
            open_time: t(from).plus(interval.nominal() * place),
            open: price(0),
            high: price(10),
            low: price(-10),
            close: price(0),
            volume: Qty::ZERO,
            trades: 1,
        };
        let symbol: Symbol = symbol.parse().unwrap();
        self.records.put_instrument(&wiring::describe(&symbol)).unwrap();
        let bars: Vec<Bar> = (0..count).map(bar).collect();
        self.history.import(&symbol, interval, &bars).unwrap();
    }

    fn day_of(&self, symbol: &str, (date, now): (&str, &str)) -> DailyReport {
        let asked = Asked {
            day: day(date),
            zone: &self.zone,
            now: t(now),
            watched: &[symbol.parse().unwrap()],
            due: None,
        };
        gather(&self.records, &self.history, &asked).unwrap()
    }

    /// A signal on the hourly bar that closes at `at`, with its alert.
    fn say(&mut self, at: &str, ruling: Ruling, (decision, proof): (Decision, Option<Proof>)) {
        let at = t(at);
        let open_time = at.minus(Duration::from_secs(3_600));
        let direction = Direction::Long;
        let id = SignalId::of(STRATEGY, &symbol(), Interval::H1, open_time, direction);
        let price = "150.5".parse().unwrap();
        let signal = Signal {
            id,
            instrument: InstrumentId(0),
            interval: Interval::H1,
            strategy: StrategyId(0),
            direction,
            open_time,
            at,
            price,
            strength: 1.0,
            facts: Facts::default(),
        };
        let proof = proof.map(Box::new);
        let alert = Alert {
            id: AlertId::of_signal(STRATEGY, id),
            kind: AlertKind::Signal {
                signal: id,
                interval: Interval::H1,
                direction,
                ruling,
                proof,
                size: None,
            },
            symbol: symbol(),
            rule: STRATEGY.to_owned(),
            words: "SMA(50) crossed above SMA(200)".to_owned(),
            price,
            currency: Some("USDT".to_owned()),
            at,
            said_at: at.plus(Duration::from_secs(1)),
            data_age_ms: 5,
            decision,
        };
        let position = Position::new(at.day(), 1, self.next_event);
        self.next_event += 1;
        let mut batch = Batch::new(position, RunDigest::default());
        let strategy = STRATEGY.to_owned();
        batch.signals.push(NewSignal { signal, symbol: symbol(), strategy });
        batch.verdicts.push(Verdict { signal: id, ruling });
        let route = Route::Notify(vec!["log".to_owned()]);
        batch.alerts.push(NewAlert { alert, route });
        self.records.apply(&batch).unwrap();
    }

    fn report(&self, date: &str) -> DailyReport {
        self.report_at(date, t("2030-01-01T00:00:00Z"))
    }

    fn report_at(&self, date: &str, now: Timestamp) -> DailyReport {
        let asked = Asked {
            day: day(date),
            zone: &self.zone,
            now,
            watched: &[symbol()],
            due: Some(Due { time: time(8, 0, 0, 0), zone: &self.zone }),
        };
        gather(&self.records, &self.history, &asked).unwrap()
    }

    fn job(&self) -> Job {
        Job {
            records: self.records.clone(),
            history: self.history.clone(),
            zone: self.zone.clone(),
            daily: Some(time(8, 0, 0, 0)),
            language: Language::En,
            watched: vec![symbol()],
            notifiers: vec!["log".to_owned()],
        }
    }

    /// The first lines of all notices that wait for the log.
    fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        let lease = Duration::from_secs(60);
        while let Some(leased) =
            self.records.outbox_lease("log", Timestamp::MAX, lease, EVERYTHING).unwrap()
        {
            if let Item::Notice(notice) = leased.item {
                told.push(notice.lines[0][0].text.clone());
            }
            self.records.outbox_delivered(leased.row, leased.fence, Timestamp::EPOCH, "").unwrap();
        }
        told
    }
}

fn card(claim: ClaimKind, verdict: CardVerdict) -> Card {
    let golden = include_str!("../../../finstage-model/src/card/golden.json");
    let card: Card = serde_json::from_str(golden).unwrap();
    let mut card = Card {
        strategy: STRATEGY.to_owned(),
        scope: "all".to_owned(),
        interval: Interval::H1,
        horizon: "1h".parse().unwrap(),
        claim,
        direction: Direction::Long,
        members: vec![CardMember { symbol: symbol(), n: 61 }],
        n: 61,
        n_eff: 48,
        hit_rate: Some(0.6458),
        base_rate: Some(0.5349),
        shrunken: Some(0.0012),
        mde: Some(0.0123),
        times_usual: Some(1.4),
        verdict,
        grade: (verdict == CardVerdict::Unproven).then_some(Grade::Inconclusive),
        reasons: Vec::new(),
        issued: t("2026-01-01T00:00:00Z"),
        expires: t("2026-04-01T00:00:00Z"),
        ..card
    };
    card.id = card.content_id();
    card
}

const WITHHOLD: (Decision, Option<Proof>) = (Decision::Withhold(WithheldAlert::NotVerified), None);
const NO_EVIDENCE: Ruling = Ruling::Unproven { reason: Reason::NoEvidence };

/// Both languages, drawn in every way.
fn all_pages(report: &DailyReport) -> Vec<String> {
    let template = Template::default();
    let each = |language| {
        let notice = job::notice(report, language, report.until);
        let message = template.notice(&notice, Repeat::No);
        [text(report, language), html(report, language), message.plain()]
    };
    [Language::En, Language::Ko].map(each).concat()
}

#[test]
fn an_empty_day_still_has_every_section_in_both_languages() {
    let world = World::new("UTC");
    let report = world.report("2026-01-05");
    assert_eq!((report.signals.total, report.alerts.total, report.outcomes.total), (0, 0, 0));
    let english = text(&report, Language::En);
    for part in [
        "Daily report: Monday 5 January 2026",
        "no bars are stored",
        "No signal was said.",
        "No alert was sent, and none was withheld.",
        "no data",
        "Nothing was measured yet.",
        "0 entries, head empty",
        "Next report: 2026-01-07 08:00 UTC.",
        "Nothing here is advice",
    ] {
        assert!(english.contains(part), "{part} is not in\n{english}");
    }
    let korean = text(&report, Language::Ko);
    for part in [
        "일일 보고서: 2026년 1월 5일 (월)",
        "발생한 신호가 없습니다.",
        "데이터 없음",
        "조언이 아닙니다",
    ] {
        assert!(korean.contains(part), "{part} is not in\n{korean}");
    }
    for page in all_pages(&report) {
        assert!(!page.contains('{') || page.contains("<style>"), "a place was left:\n{page}");
        assert!(!page.contains("NaN"), "{page}");
    }
}

#[test]
fn what_closes_at_midnight_belongs_to_the_day_that_ends() {
    let mut world = World::new("UTC");
    for at in ["2026-01-05T00:00:00Z", "2026-01-05T01:00:00Z", "2026-01-06T00:00:00Z"] {
        world.say(at, NO_EVIDENCE, WITHHOLD);
    }
    let counts = |date| {
        let report = world.report(date);
        (report.signals.total, report.alerts.withheld)
    };
    assert_eq!(
        [counts("2026-01-04"), counts("2026-01-05"), counts("2026-01-06")],
        [(1, 1), (2, 2), (0, 0)]
    );
}

#[test]
fn a_day_is_one_of_the_zone_also_where_clocks_change() {
    let seoul = World::new("Asia/Seoul").report("2026-01-05");
    let span = |report: &DailyReport| (report.from.to_string(), report.until.to_string());
    let expected = ("2026-01-04T15:00:00Z".to_owned(), "2026-01-05T15:00:00Z".to_owned());
    assert_eq!(span(&seoul), expected);
    assert_eq!(seoul.next, Some(t("2026-01-06T23:00:00Z")));
    // Before the report of a day is due it is the next one, and of today so far this morning's.
    let seoul = World::new("Asia/Seoul");
    let next = |date, now| seoul.report_at(date, t(now)).next.unwrap().to_string();
    assert_eq!(next("2026-01-05", "2026-01-05T22:59:00Z"), "2026-01-05T23:00:00Z");
    assert_eq!(next("2026-01-05", "2026-01-05T23:00:00Z"), "2026-01-06T23:00:00Z");
    assert_eq!(next("2026-01-06", "2026-01-05T19:05:00Z"), "2026-01-05T23:00:00Z");
    assert_eq!(next("2026-01-06", "2026-01-06T02:00:00Z"), "2026-01-06T23:00:00Z");
    let shorter = World::new("America/New_York").report("2026-03-08");
    assert_eq!(shorter.until.since(shorter.from), Duration::from_secs(23 * 3_600));
    assert_eq!(
        day_of(t("2026-01-04T15:00:00Z"), &TimeZone::get("Asia/Seoul").unwrap()),
        day("2026-01-05")
    );
}

#[test]
fn the_next_report_is_due_at_its_own_zones_time_whoever_asks() {
    let world = World::new("America/New_York");
    let seoul = TimeZone::get("Asia/Seoul").unwrap();
    let asked = Asked {
        day: day("2026-11-29"),
        zone: &world.zone,
        now: t("2026-11-30T04:00:00Z"),
        watched: &[],
        due: Some(Due { time: time(8, 0, 0, 0), zone: &seoul }),
    };
    let report = gather(&world.records, &world.history, &asked).unwrap();
    assert_eq!(report.next, Some(t("2026-11-30T23:00:00Z")));
    let english = text(&report, Language::En).replace('\n', " ");
    assert!(english.contains("Next report: 2026-11-30 18:00 America/New_York."), "{english}");
}

#[test]
fn a_day_whose_alerts_are_forgotten_says_so_and_not_that_there_were_none() {
    let mut world = World::new("UTC");
    for at in ["2026-01-05T03:00:00Z", "2026-01-06T03:00:00Z"] {
        world.say(at, NO_EVIDENCE, WITHHOLD);
    }
    let old = Old { before: t("2026-01-06T00:00:00Z"), unless_after: EVERYTHING };
    let rows = world.records.old_rows(Forgettable::Alerts, old).unwrap();
    assert_eq!(world.records.forget(Forgettable::Alerts, &rows, old).unwrap(), 1);
    let gone = world.report("2026-01-05");
    assert_eq!((gone.alerts.total, gone.alerts.kept_since), (0, Some(old.before)));
    let forgotten = "Alerts before 2026-01-06 00:00 UTC are no longer kept";
    for page in all_pages(&gone) {
        assert!(page.contains("2026-01-06 00:00"), "{page}");
        assert!(!page.contains("No alert was sent") && !page.contains("보낸 알림이 없"), "{page}");
        assert!(!page.contains("보낸 알림과 보류한 알림이 없습니다"), "{page}");
    }
    let week = world.report("2026-01-06");
    assert_eq!((week.alerts.week_total, week.alerts.kept_since), (1, Some(old.before)));
    assert!(text(&week, Language::En).contains(forgotten));
    let later = world.report("2026-01-13");
    assert_eq!(later.alerts.kept_since, None, "all of its week is kept");
    // Signals of a day are forgotten with their alerts.
    world.records.set_meta("kept_since_signals", &old.before.nanos().to_string()).unwrap();
    let gone = text(&world.report("2026-01-04"), Language::En);
    assert!(gone.contains("Signals before 2026-01-06 00:00 UTC"), "{gone}");
    assert!(!gone.contains("No signal was said"), "{gone}");
}

#[test]
fn a_report_of_a_demo_says_that_it_is_simulated() {
    let world = World::new("UTC");
    assert!(!text(&world.report("2026-01-05"), Language::En).contains("Simulated"));
    world.records.set_meta("kind", "demo").unwrap();
    let report = world.report("2026-01-05");
    assert_eq!((report.provenance, report.outcomes.provenance), ("simulated", "simulated"));
    for page in all_pages(&report) {
        assert!(page.contains("Simulated: ") || page.contains("모의 데이터: "), "{page}");
    }
}

#[test]
fn prices_are_those_of_the_day() {
    let world = World::new("UTC");
    world.bars("2026-01-04T00:00:00Z", 72);
    let report = world.report("2026-01-05");
    let one = &report.instruments[0];
    // Bars 24 to 47: the last closes at 148, the one before the day at 124.
    let price = |text: &str| Some(text.parse::<Price>().unwrap());
    assert_eq!((one.close, one.before, one.bars), (price("148"), price("124"), 24));
    assert_eq!((one.high, one.low), (price("150"), price("122")));
    assert!((one.change.unwrap() - (148.0 / 124.0 - 1.0)).abs() < 1e-12);
    assert_eq!(one.close_at, Some(report.until));
    assert_eq!(one.record, None, "there are no daily bars");
    assert_eq!((report.data.series_total, report.data.missing), (1, 0));
    let later = world.report("2026-02-01");
    assert_eq!((later.instruments[0].close, later.instruments[0].bars), (price("172"), 0));
    let english = text(&later, Language::En);
    assert!(english.contains("no bars on this day; last 172 USDT on 2026-01-06"), "{english}");
}

const BTC: &str = "binance:BTCUSDT";
const LATER: &str = "2030-01-01T00:00:00Z";

fn usd(text: &str) -> Option<Price> {
    Some(text.parse().unwrap())
}

#[test]
fn minutes_that_begin_in_the_afternoon_do_not_tell_the_day() {
    let world = World::new("Asia/Seoul");
    world.flat((BTC, Interval::H1), "2026-11-26T15:00:00Z", (48, 100));
    world.flat((BTC, Interval::M15), "2026-11-27T15:00:00Z", (96, 120));
    world.flat((BTC, Interval::M1), "2026-11-28T05:46:00Z", (554, 121));
    let report = world.day_of(BTC, ("2026-11-28", LATER));
    let one = &report.instruments[0];
    assert_eq!((one.interval, one.bars, one.part), (Some(Interval::M15), 96, None));
    assert_eq!((one.high, one.low), (usd("130"), usd("110")));
    assert_eq!((one.before, one.before_at), (usd("100"), Some(report.from)), "of the hours");
    assert!((one.change.unwrap() - 0.2).abs() < 1e-12);
    // The minutes begin then: nothing of them is missing, and that is not the whole truth.
    assert_eq!((report.data.missing, report.data.begun_total), (0, 1));
    let english = text(&report, Language::En).replace('\n', " ");
    let begun = "Begun within the day, with nothing stored of the time before: binance:BTCUSDT · 1m (14:46).";
    assert!(english.contains(begun), "{english}");
}

#[test]
fn a_day_that_no_series_covers_is_told_by_all_and_says_since_when() {
    let world = World::new("UTC");
    world.flat((BTC, Interval::H1), "2026-11-28T06:00:00Z", (12, 100));
    world.flat((BTC, Interval::M1), "2026-11-28T17:00:00Z", (420, 150));
    let report = world.day_of(BTC, ("2026-11-28", LATER));
    let one = &report.instruments[0];
    assert_eq!((one.high, one.low, one.close), (usd("160"), usd("90"), usd("150")));
    assert_eq!((one.interval, one.bars, one.before), (Some(Interval::H1), 12, None));
    let part = one.part.unwrap();
    assert_eq!((part.from, part.until), (t("2026-11-28T06:00:00Z"), report.until));
    assert!((part.share - 0.75).abs() < 1e-12);
    let said = "stored bars cover 75.0 % of the day, from 2026-11-28 06:00 to 2026-11-29 00:00";
    let english = text(&report, Language::En).replace('\n', " ");
    assert!(english.contains(said), "{english}");
    for page in all_pages(&report) {
        assert!(page.contains("75.0"), "{page}");
    }
}

#[test]
fn a_day_that_is_not_over_is_told_up_to_its_last_bar() {
    let world = World::new("UTC");
    world.flat((BTC, Interval::M15), "2026-11-27T00:00:00Z", (96 + 43, 100));
    world.flat((BTC, Interval::M1), "2026-11-28T10:00:00Z", (58, 140));
    let report = world.day_of(BTC, ("2026-11-28", "2026-11-28T10:59:10Z"));
    let one = &report.instruments[0];
    assert_eq!((one.interval, one.bars, one.part), (Some(Interval::M15), 43, None));
    assert_eq!((one.close, one.high, one.low), (usd("140"), usd("150"), usd("90")));
    assert_eq!(one.close_at, Some(t("2026-11-28T10:58:00Z")));
}

#[test]
fn a_daily_bar_of_a_stock_is_of_its_session_and_not_of_the_midnight_after_it() {
    let world = World::new("Asia/Seoul");
    let samsung = "kis:005930";
    world.flat((samsung, Interval::D1), "2026-11-26T00:00:00Z", (1, 100));
    world.flat((samsung, Interval::D1), "2026-11-27T00:00:00Z", (1, 110));
    let friday = &world.day_of(samsung, ("2026-11-27", LATER)).instruments[0];
    assert_eq!((friday.bars, friday.close, friday.before), (1, usd("110"), usd("100")));
    assert_eq!(friday.close_at, Some(t("2026-11-27T06:30:00Z")));
    for date in ["2026-11-28", "2026-11-29"] {
        let report = world.day_of(samsung, (date, LATER));
        assert_eq!((report.instruments[0].bars, report.instruments[0].close), (0, usd("110")));
        let english = text(&report, Language::En);
        assert!(english.contains("last 110 on 2026-11-27"), "{english}");
    }
    let world = World::new("America/New_York");
    world.flat(("yahoo:AAPL", Interval::D1), "2026-11-27T00:00:00Z", (1, 110));
    let bars = |date| world.day_of("yahoo:AAPL", (date, LATER)).instruments[0].bars;
    assert_eq!((bars("2026-11-26"), bars("2026-11-27")), (0, 1), "Thanksgiving has none");
}

#[test]
fn a_hole_in_the_day_is_counted_and_named() {
    let world = World::new("UTC");
    world.bars("2026-01-05T00:00:00Z", 10);
    world.bars("2026-01-05T13:00:00Z", 30);
    let data = world.report("2026-01-05").data;
    assert_eq!((data.missing, data.holes_total), (3, 1));
    let hole = &data.holes[0];
    assert_eq!((hole.present, hole.first), (21, t("2026-01-05T10:00:00Z")));
    assert_eq!(world.report("2026-01-06").data.missing, 5, "the day after ends at 19:00");
}

#[test]
fn every_signal_is_counted_once_and_the_proven_one_shows_its_figures() {
    let mut world = World::new("UTC");
    let proven = card(ClaimKind::Direction, CardVerdict::Verified);
    let size = card(ClaimKind::Size, CardVerdict::Verified);
    world.records.keep_cards([&proven, &size]).unwrap();
    let proof = Some(Proof::of(&proven));
    world.say(
        "2026-01-05T03:00:00Z",
        Ruling::Verified { card: proven.id },
        (Decision::Send, proof),
    );
    world.say("2026-01-05T04:00:00Z", NO_EVIDENCE, WITHHOLD);
    world.say("2026-01-05T05:00:00Z", NO_EVIDENCE, WITHHOLD);
    let stale = Ruling::Withheld { reason: Reason::StaleFeed };
    let data = (Decision::Withhold(WithheldAlert::Data), None);
    world.say("2026-01-05T06:00:00Z", stale, data);
    let report = world.report("2026-01-05");
    let signals = &report.signals;
    assert_eq!((signals.total, signals.verified, signals.unproven, signals.withheld), (4, 1, 2, 1));
    let grouped: usize = signals.groups.iter().map(|group| group.count).sum();
    assert_eq!((grouped, signals.groups_total), (3, 2));
    assert_eq!(
        (signals.proven[0].age_days, signals.sizes.len()),
        (Some(4), 3),
        "not the withheld one"
    );
    let alerts = &report.alerts;
    assert_eq!((alerts.total, alerts.queued, alerts.withheld), (4, 1, 3));
    let reasons: Vec<_> =
        alerts.reasons.iter().map(|r| (r.reason.as_str(), r.day, r.week)).collect();
    assert_eq!(reasons, [("not_verified", 2, 2), ("data", 1, 1)]);
    assert_eq!(report.data.withheld, [(Reason::StaleFeed, 1)]);
    assert_eq!((report.evidence.by_claim[0].verified, report.evidence.cards), (1, 2));
    for page in all_pages(&report) {
        for part in ["64.6", "53.5", "48", "×1.4"] {
            assert!(page.contains(part), "{part} is not in\n{page}");
        }
    }
    let english = text(&report, Language::En);
    assert!(english.contains("direction unknown"), "{english}");
}

#[test]
fn nothing_proven_names_the_smallest_edge_and_what_expires() {
    let world = World::new("UTC");
    let mut muted = card(ClaimKind::Direction, CardVerdict::Unproven);
    muted.reasons = vec![Objection::Drift];
    muted.id = muted.content_id();
    let mut other = Card { horizon: "1d".parse().unwrap(), mde: Some(0.02), ..muted.clone() };
    other.id = other.content_id();
    world.records.keep_cards([&muted, &other]).unwrap();
    let report = world.report("2026-03-27");
    let evidence = &report.evidence;
    assert_eq!(
        (evidence.expiring_total, evidence.muted.as_slice()),
        (2, &[STRATEGY.to_owned()][..])
    );
    let english = text(&report, Language::En);
    let edge = "The smallest edge we could have seen: 1h on 1h bars 1.23 %, 1d on 1h bars 2.00 %.";
    let joined = english.replace('\n', " ");
    assert!(
        joined.contains("Nothing in 2 tests of direction is proven") && joined.contains(edge),
        "{english}"
    );
    assert_eq!(world.report("2026-04-02").evidence.cards, 0, "they have expired");
}

#[test]
fn outcomes_are_those_that_became_known_on_the_day() {
    let mut world = World::new("UTC");
    world.bars("2026-01-04T00:00:00Z", 72);
    world.records.keep_cards([&card(ClaimKind::Direction, CardVerdict::Unproven)]).unwrap();
    // Entry at 22:00 and 23:00; after 1h the exit's bar closes at midnight, and at 01:00.
    world.say("2026-01-04T22:00:00Z", NO_EVIDENCE, WITHHOLD);
    world.say("2026-01-04T23:00:00Z", NO_EVIDENCE, WITHHOLD);
    let reach = crate::track::Reach { position: EVERYTHING, time: Timestamp::MAX };
    crate::track::update(&world.records, &world.history, reach).unwrap();
    let of = |date: &str, horizon: &str| {
        let horizon: Horizon = horizon.parse().unwrap();
        let groups = world.report(date).outcomes.groups;
        groups.into_iter().find(|group| group.horizon == horizon)
    };
    let first = of("2026-01-04", "1h").unwrap();
    assert_eq!((first.n, first.occasions, first.hits, first.is_few), (1, 1, 1, true));
    assert_eq!((first.base_rate, first.base_n), (Some(0.5349), 1));
    // Entry at the open of bar 22, exit at that of bar 23: 122 and 123.
    assert!((first.mean_net - (123.0 / 122.0 - 1.0 - 0.002)).abs() < 1e-12);
    let second = of("2026-01-05", "1h").unwrap();
    assert_eq!((second.n, second.verdict.as_str()), (1, "unproven"));
    assert_ne!(first.entries, second.entries);
    let both = of("2026-01-05", "4h").unwrap();
    assert_eq!((both.n, both.occasions), (2, 1), "they overlap");
    assert_eq!(of("2026-01-06", "1h"), None);
}

#[test]
fn what_a_channel_held_back_is_counted_by_channel_and_reason() {
    let mut world = World::new("UTC");
    let card = card(ClaimKind::Direction, CardVerdict::Verified);
    world.records.keep_cards([&card]).unwrap();
    for hour in ["03", "04", "05"] {
        let sent = (Decision::Send, Some(Proof::of(&card)));
        let at = format!("2026-01-05T{hour}:00:00Z");
        world.say(&at, Ruling::Verified { card: card.id }, sent);
    }
    assert_eq!(world.report("2026-01-05").alerts.held, []);
    for reason in ["quiet_hours", "channel_cap", "quiet_hours"] {
        let lease = Duration::from_secs(60);
        let row = world.records.outbox_lease("log", Timestamp::MAX, lease, EVERYTHING);
        let row = row.unwrap().unwrap();
        // In the morning of the next day: the report counts by when it happened.
        let at = t("2026-01-06T07:00:00Z");
        world.records.outbox_held(row.row, row.fence, at, reason).unwrap();
    }
    let report = world.report("2026-01-05");
    let value = serde_json::to_value(&report.alerts.held).unwrap();
    let reasons = serde_json::json!([
        {"reason": "quiet_hours", "count": 2}, {"reason": "channel_cap", "count": 1},
    ]);
    assert_eq!(value, serde_json::json!([{"channel": "log", "held": 3, "reasons": reasons}]));
    let line = "log: held 3 (2 in the quiet hours, 1 beyond the channel's hourly cap)";
    assert!(text(&report, Language::En).contains(line), "{}", text(&report, Language::En));
    let korean = text(&report, Language::Ko);
    assert!(
        korean.contains("log: 보류 3건 (조용한 시간 2건, 채널의 시간당 한도 초과 1건)"),
        "{korean}"
    );
    let notice = job::notice(&report, Language::En, report.until);
    assert!(notice.lines.iter().flatten().any(|one| one.text == line), "the chat hears of it");
    assert_eq!(world.report("2026-01-06").alerts.held, []);
}

#[test]
fn the_same_store_gives_the_same_bytes() {
    let mut world = World::new("Asia/Seoul");
    world.bars("2026-01-04T00:00:00Z", 72);
    world.say("2026-01-05T03:00:00Z", NO_EVIDENCE, WITHHOLD);
    let (one, other) = (world.report("2026-01-05"), world.report("2026-01-05"));
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
    assert_eq!(all_pages(&one), all_pages(&other));
}

#[test]
fn foreign_text_is_only_text() {
    let mut report = World::new("UTC").report("2026-01-05");
    report.evidence.muted = vec!["x<script>alert(1)</script>&\u{1b}[31m\u{202e}".to_owned()];
    report.evidence.cards = 1;
    let page = html(&report, Language::En);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
    assert!(!text(&report, Language::Ko).contains('\u{1b}'));
    assert!(!page.contains("http"), "the page asks nobody");
    let notice = job::notice(&report, Language::En, report.until);
    let message = Template::default().notice(&notice, Repeat::No);
    for part in message.split(MAX_TEXT_UNITS) {
        let markup = telegram_markup(&part);
        assert!(!markup.contains("<script") && !markup.contains('\u{202e}'), "{markup}");
    }
}

#[test]
fn the_report_comes_on_a_day_when_nothing_was_sent_and_not_twice_after_a_restart() {
    let world = World::new("Asia/Seoul");
    let clock = ManualClock::new(t("2026-01-04T22:59:00Z"));
    let step = || world.job().step(clock.now(), EVERYTHING).unwrap();
    assert_eq!(step(), None, "07:59 in Seoul, and this store is new");
    clock.advance(Duration::from_secs(60));
    assert_eq!(step(), Some(day("2026-01-04")));
    assert_eq!(step(), None, "a restart");
    assert_eq!(world.told(), ["Daily report: Sunday 4 January 2026"]);
    clock.advance(Duration::from_secs(23 * 3_600));
    assert_eq!(step(), None);
    // Nobody ran at 08:00: it is late and not lost. Of the days before, the last alone is told.
    clock.advance(Duration::from_secs((24 * 4 + 20) * 3_600));
    assert_eq!(step(), Some(day("2026-01-09")));
    assert_eq!(world.told(), ["Daily report: Friday 9 January 2026"]);
    let id = NoticeKind::Report.id("2026-01-09");
    let notice = world.records.notice(id).unwrap().unwrap();
    assert_eq!(notice.said_at, t("2026-01-09T23:00:00Z"), "it ages from when it was due");
}

#[test]
fn a_new_store_tells_nothing_of_the_time_before_it_and_off_is_off() {
    let world = World::new("UTC");
    let noon = t("2026-01-05T12:00:00Z");
    assert_eq!(world.job().step(noon, EVERYTHING).unwrap(), None);
    let later = t("2026-01-07T08:00:00Z");
    let off = Job { daily: None, ..world.job() };
    assert_eq!(off.step(later, EVERYTHING).unwrap(), None);
    assert_eq!(world.job().step(later, EVERYTHING).unwrap(), Some(day("2026-01-06")));
}

#[test]
fn a_report_that_is_due_at_midnight_waits_until_the_day_is_on_disk() {
    let world = World::new("UTC");
    let job = Job { daily: Some(time(0, 0, 0, 0)), ..world.job() };
    assert_eq!(job.step(t("2026-01-05T23:59:00Z"), EVERYTHING).unwrap(), None);
    assert_eq!(job.step(t("2026-01-06T00:01:59Z"), EVERYTHING).unwrap(), None);
    assert_eq!(job.step(t("2026-01-06T00:02:00Z"), EVERYTHING).unwrap(), Some(day("2026-01-05")));
}

#[test]
fn the_track_record_is_brought_up_to_date_before_its_head_is_posted() {
    let mut world = World::new("UTC");
    assert_eq!(world.job().step(t("2026-01-05T12:00:00Z"), EVERYTHING).unwrap(), None);
    world.say("2026-01-05T13:00:00Z", NO_EVIDENCE, WITHHOLD);
    assert_eq!(world.records.track_head().unwrap().entries, 0);
    assert!(world.job().step(t("2026-01-06T08:00:00Z"), EVERYTHING).unwrap().is_some());
    let head = world.records.track_head().unwrap();
    let notice = world.records.notice(NoticeKind::Report.id("2026-01-05")).unwrap().unwrap();
    let texts: Vec<&str> = notice.lines.iter().flatten().map(|one| one.text.as_str()).collect();
    assert_eq!(head.entries, 1);
    assert!(texts.contains(&head.head.as_str()), "{texts:?}");
}

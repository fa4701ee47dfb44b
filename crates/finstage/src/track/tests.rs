use finstage_engine::settle;
use finstage_model::{
    Calendar, Direction, Facts, InstrumentId, Price, Qty, Reason, Ruling, Signal, SignalId,
    StrategyId, Verdict,
};
use finstage_store::records::{Batch, NewSignal, RunDigest, TrackEntry};

use super::*;
use crate::wiring;

const REACH: Reach = Reach { position: Position::from_i64(i64::MAX), time: Timestamp::MAX };
const STRATEGY: &str = "x(p=1)";

/// An empty store that knows a market that never closes, with signals on bars 3 and 20.
pub(super) struct World {
    _dir: tempfile::TempDir,
    pub(super) records: Records,
    history: History,
}

pub(super) fn symbol() -> Symbol {
    "binance:BTCUSDT".parse().unwrap()
}

impl World {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open_in_memory().unwrap();
        records.put_instrument(&wiring::describe(&symbol())).unwrap();
        let history = wiring::history(dir.path(), &records);
        let position = Position::new("2026-01-01".parse().unwrap(), 1, 9);
        let mut batch = Batch::new(position, RunDigest::default());
        for (place, direction) in [(3, Direction::Long), (20, Direction::Short)] {
            let bar = bar(place);
            let id = SignalId::of(STRATEGY, &symbol(), Interval::H1, bar.open_time, direction);
            let signal = Signal {
                id,
                instrument: InstrumentId(0),
                interval: Interval::H1,
                strategy: StrategyId(0),
                direction,
                open_time: bar.open_time,
                at: bar.close_time(),
                price: bar.close,
                strength: 1.0,
                facts: Facts::default(),
            };
            let strategy = STRATEGY.to_owned();
            batch.signals.push(NewSignal { signal, symbol: symbol(), strategy });
            let ruling = Ruling::Unproven { reason: Reason::NoEvidence };
            batch.verdicts.push(Verdict { signal: id, ruling });
        }
        records.apply(&batch).unwrap();
        Self { _dir: dir, records, history }
    }

    pub(super) fn with(self, bars: std::ops::Range<i64>) -> Self {
        let bars: Vec<Bar> = bars.map(bar).collect();
        self.history.import(&symbol(), Interval::H1, &bars).unwrap();
        self
    }

    pub(super) fn update(&self) -> Update {
        update(&self.records, &self.history, REACH).unwrap()
    }

    /// What is in the track record of outcomes, in an order that does not depend on when.
    fn outcomes(&self) -> Vec<TrackOutcome> {
        let rows = self.records.track(0, 1_000).unwrap();
        let outcome = |entry| match entry {
            TrackEntry::Outcome(outcome) => Some(outcome),
            TrackEntry::Signal(_) => None,
        };
        let mut outcomes: Vec<_> = rows.into_iter().filter_map(|row| outcome(row.entry)).collect();
        outcomes.sort_by_key(|outcome| (outcome.id, outcome.horizon));
        outcomes
    }
}

fn bar(place: i64) -> Bar {
    let price =
        |offset: i64| Price::from_nanos((1_000 + (place * 37 % 101) + offset) * 1_000_000_000);
    Bar {
        instrument: InstrumentId(0),
        interval: Interval::H1,
        open_time: Timestamp::from_secs(1_767_225_600 + 3_600 * place),
        open: price(0),
        high: price(5),
        low: price(-7),
        close: price(3),
        volume: Qty::ZERO,
        trades: 1,
    }
}

/// Enough for a month after both signals.
const ALL: i64 = 800;

#[test]
fn an_outcome_is_the_same_settled_early_late_or_twice() {
    let late = World::new().with(0..ALL);
    assert_eq!(late.update(), Update { signals: 2, outcomes: 10 });
    assert_eq!(late.update(), Update::default());
    let mut early = World::new();
    for place in (0..ALL).step_by(50) {
        early = early.with(place..place + 50);
        early.update();
    }
    assert_eq!(early.outcomes(), late.outcomes());
    assert!(early.records.track_open(0, 10).unwrap().is_empty(), "nothing more to come");
    assert_eq!(early.records.check_track().unwrap().fault, None);
}

#[test]
fn an_outcome_is_what_the_one_function_says() {
    let world = World::new().with(0..ALL);
    world.update();
    let bars: Vec<Bar> = (0..ALL).map(bar).collect();
    let signals = World::new().with(0..1);
    signals.update();
    for OpenSignal { signal, .. } in signals.records.track_open(0, 10).unwrap() {
        for horizon in Horizon::ALL {
            let Settlement::Settled(expected) =
                settle(&question(&signal, horizon), &bars, &Calendar::always())
            else {
                panic!("{horizon} is not settled")
            };
            let outcomes = world.outcomes();
            let mut of = outcomes.iter().filter(|o| (o.id, o.horizon) == (signal.id, horizon));
            assert_eq!(of.next().unwrap().outcome(), expected);
        }
    }
}

#[test]
fn a_hole_is_waited_for() {
    let world = World::new().with(0..30).with(33..ALL);
    // 1h and 4h of both signals, and a day of the first, which ends before the hole.
    assert_eq!(world.update(), Update { signals: 2, outcomes: 5 });
    let world = world.with(30..33);
    assert_eq!(world.update(), Update { signals: 0, outcomes: 5 });
    let whole = World::new().with(0..ALL);
    whole.update();
    assert_eq!(world.outcomes(), whole.outcomes());
}

#[test]
fn a_bar_that_may_be_taken_back_settles_nothing() {
    let world = World::new().with(0..6);
    let almost = Reach { time: bar(5).close_time().minus(Duration::from_secs(1)), ..REACH };
    let done = update(&world.records, &world.history, almost).unwrap();
    assert_eq!(done, Update { signals: 2, outcomes: 0 });
    let reach = Reach { time: bar(5).close_time(), ..REACH };
    assert_eq!(update(&world.records, &world.history, reach).unwrap().outcomes, 1);
}

/// Hours of a stock in New York, 2026-03-02 to 2026-04-10: clocks change on the 8th of March, the 3rd
/// of April is Good Friday.
fn hours_of_a_stock() -> Vec<Bar> {
    let (mut bars, mut place) = (Vec::new(), 0);
    let mut day: finstage_model::Day = "2026-03-02".parse().unwrap();
    while day <= "2026-04-10".parse().unwrap() {
        let session = MarketHours::Us.session(day).unwrap();
        for hour in (0..7).filter(|_| session.is_some()) {
            let open = session.unwrap().open.plus(Duration::from_secs(3_600 * hour));
            bars.push(Bar { open_time: open, ..bar(place) });
            place += 1;
        }
        day = day.next();
    }
    bars
}

fn some_signal() -> TrackSignal {
    TrackSignal {
        id: SignalId(1),
        symbol: symbol(),
        interval: Interval::H1,
        strategy: STRATEGY.to_owned(),
        direction: Direction::Long,
        timestamp: Timestamp::EPOCH,
        at: Timestamp::EPOCH,
        price: Price::from_nanos(1),
        verdict: "unproven".to_owned(),
        reason: None,
        card: None,
    }
}

#[test]
fn horizons_of_hours_of_a_stock_are_open_time_and_the_same_in_evidence() {
    use finstage_research::study::Adjustment;
    let bars = hours_of_a_stock();
    let symbol: Symbol = "yahoo:AAPL".parse().unwrap();
    let whose = (&symbol, Some(MarketHours::Us));
    let studied = crate::evidence::instrument(whose, &bars, &|_| Adjustment::NONE).unwrap();
    let market = Market { bars: &bars, hours: Some(MarketHours::Us), until: Timestamp::MAX };
    // The last hour of Friday the 6th: half an hour long, before the clocks change.
    let place = 5 * 7 - 1;
    assert_eq!(bars[place].open_time, "2026-03-06T20:30:00Z".parse().unwrap());
    let signal = TrackSignal {
        timestamp: bars[place].open_time,
        interval: Interval::H1,
        symbol,
        ..some_signal()
    };
    let open = OpenSignal { number: 1, signal, settled: Vec::new() };
    let (settled, is_done) = settle_signal(&open, &market);
    assert!(is_done);
    assert_eq!(settled.len(), 5);
    for (outcome, (length, exit)) in settled.iter().zip([
        (1, "2026-03-09T14:30:00Z"),
        (4, "2026-03-09T17:30:00Z"),
        (7, "2026-03-10T13:30:00Z"),
        (35, "2026-03-16T13:30:00Z"),
        (147, "2026-04-08T13:30:00Z"),
    ]) {
        assert_eq!(outcome.entry_at, "2026-03-09T13:30:00Z".parse().unwrap());
        assert_eq!(outcome.exit_at, exit.parse().unwrap(), "{}", outcome.horizon);
        assert_eq!(studied.pace().bars(outcome.horizon), Some(length));
        assert_eq!(outcome.ret, studied.returns(length)[place]);
    }
    // Where hours are not known, how many bars a day has is not either.
    assert_eq!(length(None, "1d".parse().unwrap(), Interval::H1), None);
}

#[test]
fn patterns_are_looked_for_in_settled_signals_beside_all_bars_of_their_time() {
    use crate::patterns::{Asked, market, signals};

    let world = World::new().with(0..ALL);
    world.update();
    let mut asked = Asked { since: Timestamp::MIN, until: Timestamp::MAX, symbols: Vec::new() };
    let found = signals(&world.records, &asked).unwrap();
    assert_eq!(found.iter().map(|one| one.outcomes.len()).collect::<Vec<_>>(), [5, 5]);
    let outcomes = world.outcomes();
    for one in &found {
        for (horizon, settled) in &one.outcomes {
            let of =
                |outcome: &&TrackOutcome| (outcome.id, outcome.horizon) == (one.signal, *horizon);
            assert_eq!(outcomes.iter().find(of).unwrap().ret, settled.ret);
        }
    }
    let market = market(&world.records, &world.history, &found).unwrap();
    // From the close of the first signal's bar to the last exit, a month after the second signal.
    let bars: Vec<Bar> = (4..=21 + 720).map(bar).collect();
    let key =
        |horizon: &str, direction| (symbol(), Interval::H1, horizon.parse().unwrap(), direction);
    for (horizon, length) in [("1h", 1), ("1d", 24), ("1mo", 720)] {
        for direction in [Direction::Long, Direction::Short] {
            let rate = finstage_research::live::base_rate(&bars, length, direction);
            assert_eq!(market.base.get(&key(horizon, direction)).copied(), rate, "{horizon}");
        }
    }
    let closes = &market.closes[&(symbol(), Interval::H1)];
    assert_eq!((closes.len(), closes[0]), (bars.len(), bars[0].close_time()));
    asked.since = found[1].at;
    assert_eq!(signals(&world.records, &asked).unwrap(), found[1..]);
    (asked.since, asked.until) = (Timestamp::MIN, found[1].at);
    assert_eq!(signals(&world.records, &asked).unwrap(), found[..1]);
    asked.symbols = vec!["binance:ETHUSDT".parse().unwrap()];
    assert!(signals(&world.records, &asked).unwrap().is_empty());
}

//! Events and outputs as lines of text.
//!
//! ```text
//! 12:00:05    trade 10             received at 12:00:05, happened then too
//! 12:01:00.5  trade 11 at 12:00:59
//! 12:01:12    tick
//! 12:05:00    bar 5m 12:00 10 12 9 11 5
//! 12:05:00    stale | up | gap 12:01 12:02 | repaired 12:01 12:02
//! ```
//! A time without a day is on Monday, 2026-01-05. Everything is about `x:A`, dense id 0.

use finstage_engine::{Engine, EngineSettings, FeedTiming, Origin, SeriesSpec, StrategySpec};
use finstage_model::{
    Aggressor, AlertKind, Bar, Category, Decision, Event, FeedKind, FeedStatus, Instrument,
    InstrumentId, Interval, Output, Payload, Symbol, Timestamp, Trade, TradeId,
};

use crate::strategies::TOYS;

pub(crate) const A: InstrumentId = InstrumentId(0);

pub(crate) fn symbol() -> Symbol {
    "x:A".parse().unwrap()
}

pub(crate) fn at(text: &str) -> Timestamp {
    let (day, time) = text.split_once('T').unwrap_or(("2026-01-05", text));
    let seconds = if time.len() == 5 { ":00" } else { "" };
    let moment = format!("{day}T{time}{seconds}Z");
    moment.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// Settings of one instrument: `series("1m trades, 5m rolled 1m, 1d venue")`.
pub(crate) fn series(text: &str) -> EngineSettings {
    let specs = text.split(", ").map(|spec| {
        let words: Vec<&str> = spec.split(' ').collect();
        let origin = match words[1] {
            "venue" => Origin::Venue,
            "trades" => Origin::Trades,
            _ => Origin::Rolled(words[2].parse().unwrap()),
        };
        SeriesSpec { symbol: symbol(), interval: words[0].parse().unwrap(), origin }
    });
    let feeds = vec![FeedTiming::ordered("x")];
    EngineSettings { series: specs.collect(), feeds, ..EngineSettings::default() }
}

pub(crate) fn strategy(name: &str, param: Option<(&str, f64)>, interval: Interval) -> StrategySpec {
    let params = param.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    StrategySpec { name: name.to_owned(), params, interval, symbols: Vec::new(), when: None }
}

pub(crate) fn announce(id: InstrumentId, symbol: Symbol) -> Payload {
    let currency = Some("USD".to_owned());
    let category = Category::Other;
    Payload::Instrument(Box::new(Instrument {
        id,
        symbol,
        tick: None,
        lot: None,
        currency,
        category,
    }))
}

pub(crate) fn trade(ts_event: Timestamp, price: &str) -> Trade {
    Trade {
        id: TradeId(0),
        instrument: A,
        ts_event,
        price: price.parse().unwrap(),
        qty: "1".parse().unwrap(),
        aggressor: Aggressor::Unknown,
    }
}

/// An engine on the stage, the instrument announced.
pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) outputs: Vec<Output>,
}

impl Stage {
    pub(crate) fn new(settings: &EngineSettings) -> Self {
        let engine = Engine::new(settings, TOYS).unwrap();
        let mut stage = Self { engine, outputs: Vec::new() };
        stage.apply(Timestamp::MIN, announce(A, symbol()));
        stage
    }

    pub(crate) fn apply(&mut self, ts_recv: Timestamp, payload: Payload) {
        self.engine.apply(&Event::new(ts_recv, payload), &mut self.outputs);
    }

    /// Plays a script and returns what was said to it, as lines.
    pub(crate) fn play(&mut self, script: &str) -> Vec<String> {
        let before = self.outputs.len();
        for line in script.lines().map(|line| line.split('#').next().unwrap().trim()) {
            if let Some((time, rest)) = line.split_once(' ') {
                let payload = payload(at(time), rest.trim());
                self.apply(at(time), payload);
            }
        }
        self.outputs[before..].iter().map(line).collect()
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, script: &str, expected: &str) {
        let said = self.play(script);
        let expected: Vec<&str> =
            expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(said, expected, "\nsaid:\n{}", said.join("\n"));
    }
}

fn payload(ts_recv: Timestamp, text: &str) -> Payload {
    let words: Vec<&str> = text.split_whitespace().collect();
    let feed = |kind| Payload::Feed(FeedStatus { instrument: A, kind });
    match words[..] {
        ["tick"] => Payload::Tick,
        ["trade", price] => Payload::Trade(trade(ts_recv, price)),
        ["trade", price, "at", when] => Payload::Trade(trade(at(when), price)),
        ["bar", ref rest @ ..] => Payload::Bar(bar(rest)),
        ["up"] => feed(FeedKind::Up),
        ["stale"] => feed(FeedKind::Stale),
        ["gap", from, to] => feed(FeedKind::Gap { from: at(from), to: at(to) }),
        ["repaired", from, to] => feed(FeedKind::Repaired { from: at(from), to: at(to) }),
        _ => panic!("no event: {text}"),
    }
}

/// `1m 12:00 10 12 9 11 5`
pub(crate) fn bar(words: &[&str]) -> Bar {
    let price = |place: usize| words[place].parse().unwrap();
    Bar {
        instrument: A,
        interval: words[0].parse().unwrap(),
        open_time: at(words[1]),
        open: price(2),
        high: price(3),
        low: price(4),
        close: price(5),
        volume: words[6].parse().unwrap(),
        trades: 0,
    }
}

/// A moment as scripts write it.
fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let short = text.strip_prefix("2026-01-05T").unwrap_or(&text);
    let short = short.trim_end_matches('Z');
    short.strip_suffix(":00").unwrap_or(short).to_owned()
}

pub(crate) fn line(output: &Output) -> String {
    match output {
        Output::Bar(bar) => {
            let Bar { interval, open, high, low, close, volume, .. } = bar;
            format!("bar {interval} {} {open} {high} {low} {close} {volume}", time(bar.open_time))
        }
        Output::Signal(signal) => {
            let (interval, direction) = (signal.interval, signal.direction);
            format!("signal {interval} {} {direction}", time(signal.open_time))
        }
        Output::Verdict(verdict) => {
            let reason = verdict.ruling.reason().map_or("", |reason| reason.as_str());
            format!("verdict {} {reason}", verdict.ruling.as_str())
        }
        Output::Alert(alert) => {
            let decision = match alert.decision {
                Decision::Send => "send",
                Decision::Withhold(why) => why.as_str(),
            };
            match &alert.kind {
                AlertKind::Signal { .. } => format!("alert {decision}: {}", alert.words),
                AlertKind::Watch { base } => {
                    let (rule, price) = (&alert.rule, alert.price);
                    format!("watch {rule} {price} base {base} at {}: {decision}", time(alert.at))
                }
            }
        }
    }
}

//! The types of tasks: what can be submitted, and with what. Handlers are bound to them in
//! [`super::work`]; whoever only submits needs this table and no service.

use std::time::Duration;

use finstage_model::{Day, Interval, Symbol, Timestamp};
use finstage_store::records::NewTask;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::backtest;
use super::registry::Fault;
use crate::exit::{Failure, Result};

/// A type of task.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub describes: &'static str,
    /// What it can be given, as JSON.
    pub takes: &'static str,
    check: fn(&str) -> Result<(), Fault>,
    tries: u32,
    backoff_s: u64,
    timeout_s: u64,
}

/// Nothing is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Of which series.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// These; those that are watched where none is named.
    #[serde(default)]
    pub symbols: Vec<Symbol>,
    /// Bars of this length; those of the settings where none is named.
    pub interval: Option<Interval>,
}

/// Of which day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfDay {
    /// The UTC day, as text; the last whole one where none is named.
    #[serde(default, deserialize_with = "day")]
    pub date: Option<Day>,
}

fn day<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Day>, D::Error> {
    let text: Option<String> = Deserialize::deserialize(from)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

const fn kind(
    name: &'static str,
    describes: &'static str,
    check: fn(&str) -> Result<(), Fault>,
) -> Kind {
    Kind { name, describes, takes: "{}", check, tries: 5, backoff_s: 60, timeout_s: 1_800 }
}

impl Kind {
    const fn taking(self, takes: &'static str) -> Self {
        Self { takes, ..self }
    }

    const fn tried(self, tries: u32, backoff_s: u64, timeout_s: u64) -> Self {
        Self { tries, backoff_s, timeout_s, ..self }
    }

    /// A task of this type.
    ///
    /// # Errors
    /// When it cannot be given `payload`, and what it takes.
    pub fn task(&self, payload: &str) -> Result<NewTask, Fault> {
        let checked = Fields::of(payload).and_then(|_| (self.check)(payload));
        checked.map_err(|fault| {
            Fault::lasting(format!("{}: it takes {}", fault.reason, self.takes))
        })?;
        Ok(NewTask {
            tries: self.tries,
            backoff: Duration::from_secs(self.backoff_s),
            timeout: Duration::from_secs(self.timeout_s),
            // That of the job of the same name: none of them runs beside another.
            lane: Some(self.name.to_owned()),
            ..NewTask::new(self.name, payload)
        })
    }

    /// Whether there is what a payload names, which the type can be given.
    ///
    /// # Errors
    /// Naming the field, and what is not there.
    pub fn finds(&self, payload: &str, around: &Around<'_>) -> Result<(), Fault> {
        match self.name {
            "backfill" | "verify" => {
                let series: Series = serde_json::from_str(payload).map_err(Fault::lasting)?;
                let is_watched = |symbol: &&Symbol| around.watched.contains(symbol);
                let unknown = series.symbols.iter().find(|symbol| !is_watched(symbol));
                match unknown.filter(|_| !around.watched.is_empty()) {
                    Some(unknown) => Err(Fault::lasting(format!(
                        "symbols: {unknown} is not watched: add it to [[feeds]], or use `finstage {} --symbols {unknown}`",
                        self.name
                    ))),
                    None => Ok(()),
                }
            }
            "replay_check" => {
                let OfDay { date } = serde_json::from_str(payload).map_err(Fault::lasting)?;
                let today = around.now.day();
                match date.filter(|date| *date > today) {
                    Some(date) => Err(Fault::lasting(format!(
                        "date: {date} has not begun: today is {today} (UTC)"
                    ))),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

/// What a submission is held against, besides what its type takes.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// What is watched; nothing where that is not known.
    pub watched: &'a [Symbol],
    /// The time.
    pub now: Timestamp,
}

/// Fields of what a type is given, which were not looked at yet. Errors begin with the name of the field.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(payload: &str) -> Result<Self, Fault> {
        match serde_json::from_str(payload) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(Fault::lasting("data: it is no JSON object")),
            Err(why) => Err(Fault::lasting(format!("data: it is no JSON ({why})"))),
        }
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Fault> {
        let value = self.0.remove(name).map(serde_json::from_value);
        value.transpose().map_err(|why| Fault::lasting(format!("{name}: {why}")))
    }

    fn end(self) -> Result<(), Fault> {
        match self.0.keys().next() {
            Some(unknown) => Err(Fault::lasting(format!("{unknown}: there is no such field"))),
            None => Ok(()),
        }
    }
}

/// The type of this name.
///
/// # Errors
/// Exit 2 naming those there are.
pub fn find(name: &str) -> Result<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        Failure::usage(format!(
            "there are no tasks of type \"{name}\": write one of {}",
            names.join(" ")
        ))
    })
}

/// As the handler will read it: what is left to refuse then has no field, such as one that is there twice.
fn whole<A: DeserializeOwned>(payload: &str) -> Result<(), Fault> {
    serde_json::from_str::<A>(payload).map(drop).map_err(Fault::lasting)
}

fn nothing(payload: &str) -> Result<(), Fault> {
    Fields::of(payload)?.end()
}

fn series(payload: &str) -> Result<(), Fault> {
    let mut fields = Fields::of(payload)?;
    if fields.read::<Vec<Symbol>>("symbols")?.is_some_and(|symbols| symbols.is_empty()) {
        let why = "symbols: none is named: name one, or leave the field out";
        return Err(Fault::lasting(why));
    }
    fields.read::<Option<Interval>>("interval")?;
    fields.end()?;
    whole::<Series>(payload)
}

fn of_day(payload: &str) -> Result<(), Fault> {
    let mut fields = Fields::of(payload)?;
    let date: Option<Option<String>> = fields.read("date")?;
    if let Some(date) = date.flatten() {
        date.parse::<Day>().map_err(|why| Fault::lasting(format!("date: {why}")))?;
    }
    fields.end()?;
    whole::<OfDay>(payload)
}

const SERIES: &str =
    "{\"symbols\": [\"binance:BTCUSDT\"], \"interval\": \"1h\"}, or {} for all that is watched";

const BACKTEST: &str = "{\"symbol\": \"binance:BTCUSDT\", \"interval\": \"1d\", \"strategy\": \"golden_cross\"}, or with from, to and options of finstage backtest";

/// All types.
// a table: one entry a type
pub const KINDS: &[Kind] = &[
    kind(
        "outcomes",
        "settle signals whose horizon is over, and watch verified cards for drift",
        nothing,
    ),
    kind("report", "send the daily report that is due, if it was not sent", nothing)
        .tried(30, 30, 600),
    kind("hourly", "send the status of this hour, if it was not sent", nothing).tried(3, 30, 300),
    kind("compact", "move closed months, and closed days of minutes, to Parquet files", nothing),
    kind(
        "retention",
        "forget tasks, alerts and signals of long ago, and old days of the journal",
        nothing,
    ),
    kind("backfill", "fetch bars that are missing and fill holes", series)
        .taking(SERIES)
        .tried(3, 600, 7_200),
    kind("verify", "judge the configured strategies anew on stored bars", series)
        .taking(SERIES)
        .tried(2, 600, 7_200),
    kind("backtest", "run a strategy over stored bars", backtest::check)
        .taking(BACKTEST)
        .tried(2, 60, 600),
    kind("replay_check", "replay a day of the journal and compare what is said", of_day)
        .taking("{\"date\": \"2026-11-28\"}, or {} for yesterday")
        .tried(2, 600, 7_200),
];

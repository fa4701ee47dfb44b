//! A backtest on stored bars, as it is asked for.

use std::str::FromStr;

use finstage_model::{Call, Direction, Interval, Symbol, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::query::MAX_SYMBOL_CHARS;

/// The longest text of a field, in characters.
const MAX_CHARS: usize = 500;
/// The greatest amount of money, and number of units.
const MAX_MONEY: f64 = 1e15;
/// The most bars that a position is held.
const MAX_HOLD: f64 = 100_000.0;

/// What `POST /api/v1/backtests` takes, and a task of type `backtest`: names and meaning are those of
/// `finstage backtest`. What is not said is `None`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub struct BacktestAsked {
    /// Whose bars.
    pub symbol: Symbol,
    /// Of which length.
    pub interval: Interval,
    /// Bars that open at or after this moment.
    pub from: Option<Timestamp>,
    /// Bars that open before this moment.
    pub to: Option<Timestamp>,
    /// The rule; it or `when` is there.
    pub strategy: Option<Call>,
    /// A condition of the user's own in its place.
    pub when: Option<String>,
    /// Where the price is expected to go when the condition becomes true.
    pub direction: Option<Direction>,
    /// The strategy whose signal ends a position.
    pub exit: Option<Call>,
    /// The condition that ends a position.
    pub exit_when: Option<String>,
    /// Bars after which a position ends.
    pub hold: Option<usize>,
    /// Whether the other side is taken where a position ends.
    pub reverse: Option<bool>,
    /// Money at the start.
    pub cash: Option<f64>,
    /// Fraction of the value taken at every fill.
    pub commission: Option<f64>,
    /// Below 1 a fraction of the cash, from 1 on units.
    pub size: Option<f64>,
    /// Whether an open position is closed at the last bar's open instead of its close.
    pub closes_at_open: bool,
    /// How far fills miss the open, in hundredths of a percent.
    pub slippage_bps: Option<f64>,
    /// Closes when the price has gone this fraction against the position.
    pub stop_loss: Option<f64>,
    /// Closes when the price has gone this fraction in favour of the position.
    pub take_profit: Option<f64>,
}

/// Fields that were not taken yet.
struct Fields(Map<String, Value>);

impl TryFrom<Value> for BacktestAsked {
    type Error = String;

    /// The error begins with the name of the field.
    fn try_from(value: Value) -> Result<Self, String> {
        let Value::Object(fields) = value else { return Err(EXAMPLE.to_owned()) };
        let mut fields = Fields(fields);
        let missing = |name: &str, example: &str| format!("{name}: it is missing: write {example}");
        let asked = Self {
            symbol: fields
                .read("symbol", "venue:SYMBOL")?
                .ok_or_else(|| missing("symbol", "venue:SYMBOL"))?,
            interval: fields
                .read("interval", "a length of bars")?
                .ok_or_else(|| missing("interval", "1d"))?,
            from: fields.read("from", "a time")?,
            to: fields.read("to", "a time")?,
            strategy: fields.read("strategy", "NAME(p=v)")?,
            when: fields.read("when", "a condition")?,
            direction: match fields.one_of("direction", &["long", "short"])? {
                None => None,
                Some(0) => Some(Direction::Long),
                Some(_) => Some(Direction::Short),
            },
            exit: fields.read("exit", "NAME(p=v)")?,
            exit_when: fields.read("exit_when", "a condition")?,
            hold: fields.whole("hold", MAX_HOLD)?,
            reverse: fields.flag("reverse")?,
            cash: fields.number("cash", (Above(0.0), MAX_MONEY))?,
            commission: fields.number("commission", (From(0.0), BELOW_ONE))?,
            size: fields.number("size", (Above(0.0), MAX_MONEY))?,
            closes_at_open: fields.one_of("close_final", &["close", "open"])? == Some(1),
            slippage_bps: fields.number("slippage_bps", (From(0.0), 9_999.0))?,
            stop_loss: fields.number("stop_loss", (Above(0.0), BELOW_ONE))?,
            take_profit: fields.number("take_profit", (Above(0.0), MAX_MONEY))?,
        };
        if let Some((unknown, _)) = fields.0.iter().next() {
            return Err(format!("{unknown}: there is no such field: {EXAMPLE}"));
        }
        asked.checked()
    }
}

const EXAMPLE: &str = "write {\"symbol\": \"binance:BTCUSDT\", \"interval\": \"1d\", \"strategy\": \"golden_cross(fast=50,slow=200)\"}";
/// The greatest fraction below 1 that is taken.
const BELOW_ONE: f64 = 0.999_999;

/// The lower end of what is allowed.
enum Least {
    From(f64),
    Above(f64),
}

use Least::{Above, From};

impl BacktestAsked {
    /// Fields that contradict each other are refused.
    fn checked(self) -> Result<Self, String> {
        if self.symbol.as_str().chars().count() > MAX_SYMBOL_CHARS {
            return Err(format!("symbol: it has more than {MAX_SYMBOL_CHARS} characters"));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err("from: it is not before to".to_owned());
        }
        match (&self.strategy, &self.when) {
            (None, None) => {
                return Err(
                    "strategy: it is missing: write NAME(p=v), or a condition as when".into()
                );
            }
            (Some(_), Some(_)) => return Err("when: strategy is there too: write one".to_owned()),
            (Some(_), None) if self.direction.is_some() => {
                return Err("direction: that of a strategy is its own: write it with when".into());
            }
            _ => {}
        }
        if self.exit.is_some() && self.exit_when.is_some() {
            return Err("exit_when: exit is there too: write one".to_owned());
        }
        Ok(self)
    }
}

impl Fields {
    fn text(&mut self, name: &str, what: &str) -> Result<Option<String>, String> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text))
                if !text.trim().is_empty() && text.chars().count() <= MAX_CHARS =>
            {
                Ok(Some(text))
            }
            Some(_) => {
                Err(format!("{name}: write {what} as text of at most {MAX_CHARS} characters"))
            }
        }
    }

    fn read<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        name: &str,
        what: &str,
    ) -> Result<Option<T>, String> {
        let text = self.text(name, what)?;
        text.map(|text| text.parse().map_err(|why| format!("{name}: {why}"))).transpose()
    }

    /// The place of a word among `words`.
    fn one_of(&mut self, name: &str, words: &[&str]) -> Result<Option<usize>, String> {
        let text = self.text(name, &words.join(" or "))?;
        let place = |text: String| words.iter().position(|word| *word == text);
        text.map(|text| place(text).ok_or_else(|| format!("{name}: write {}", words.join(" or "))))
            .transpose()
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>, String> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(format!("{name}: write true or false")),
        }
    }

    fn number(&mut self, name: &str, (least, most): (Least, f64)) -> Result<Option<f64>, String> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let (is_enough, words): (fn(f64, f64) -> bool, _) = match least {
            From(_) => (|value, least| value >= least, "from"),
            Above(_) => (|value, least| value > least, "above"),
        };
        let (From(least) | Above(least)) = least;
        let found = value.as_f64().filter(|value| is_enough(*value, least) && *value <= most);
        found.map(Some).ok_or_else(|| format!("{name}: write a number {words} {least} to {most}"))
    }

    fn whole(&mut self, name: &str, most: f64) -> Result<Option<usize>, String> {
        match self.number(name, (From(1.0), most))? {
            Some(number) if number.fract() > 0.0 => Err(format!("{name}: write a whole number")),
            number => Ok(number.map(|number| number as usize)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain() -> Value {
        json!({"symbol": "sim:ONE", "interval": "1d", "strategy": "golden_cross(50,200)"})
    }

    #[test]
    fn what_is_not_said_is_left_open() {
        let asked = BacktestAsked::try_from(plain()).unwrap();
        assert_eq!((asked.symbol.as_str(), asked.interval), ("sim:ONE", Interval::D1));
        assert_eq!((asked.cash, asked.from, asked.closes_at_open), (None, None, false));
        let mut all = plain();
        for (name, value) in [
            ("from", json!("2020-01-01")),
            ("to", json!("2024-01-01T00:00:00Z")),
            ("hold", json!(5)),
            ("cash", json!(1)),
            ("close_final", json!("open")),
            ("stop_loss", json!(0.05)),
        ] {
            all[name] = value;
        }
        let asked: BacktestAsked = serde_json::from_value(all).unwrap();
        assert_eq!((asked.hold, asked.cash, asked.closes_at_open), (Some(5), Some(1.0), true));
        assert_eq!((asked.stop_loss, asked.from.unwrap().secs()), (Some(0.05), 1_577_836_800));
    }

    #[test]
    fn a_refusal_begins_with_the_field() {
        for (name, value) in [
            ("symbol", json!("ONE")),
            ("symbol", json!(1)),
            ("symbol", json!(format!("sim:{}", "A".repeat(MAX_SYMBOL_CHARS)))),
            ("interval", json!("2d")),
            ("from", json!("yesterday")),
            ("strategy", json!("golden_cross(")),
            ("strategy", json!("")),
            ("when", json!("close > open")),
            ("direction", json!("up")),
            ("direction", json!("long")),
            ("hold", json!(1.5)),
            ("hold", json!(0)),
            ("reverse", json!("yes")),
            ("cash", json!(0)),
            ("cash", json!("10000")),
            ("cash", Value::Null),
            ("commission", json!(1)),
            ("size", json!(-1)),
            ("close_final", json!("high")),
            ("stop_loss", json!(1.0)),
            ("slippage", json!(1)),
        ] {
            let mut asked = plain();
            asked[name] = value;
            let why = BacktestAsked::try_from(asked.clone()).unwrap_err();
            assert!(why.starts_with(&format!("{name}: ")), "{asked}: {why}");
        }
        for missing in ["symbol", "interval", "strategy"] {
            let mut asked = plain();
            asked.as_object_mut().unwrap().remove(missing);
            let why = BacktestAsked::try_from(asked).unwrap_err();
            assert!(why.starts_with(&format!("{missing}: it is missing")), "{why}");
        }
        let mut asked = plain();
        (asked["from"], asked["to"]) = (json!("2024-01-02"), json!("2024-01-02"));
        assert!(BacktestAsked::try_from(asked).unwrap_err().starts_with("from: "));
        assert!(BacktestAsked::try_from(json!([1])).unwrap_err().starts_with("write {"));
    }
}

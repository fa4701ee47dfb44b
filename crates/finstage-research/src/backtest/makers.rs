//! Rules that state a position for every bar: the textbook ones, exact where exactness decides.
//!
//! A strategy of the catalogue says "now"; these say "long until then". Averages are compared as
//! whole numbers of nano units, so two equal averages are equal and do not cross by an ulp.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::{AddAssign, Mul, SubAssign};

use finstage_engine::ParamSpec;
use finstage_model::{Bar, Call, Price};

use super::arguments::{named, names, refuse};
use super::fused::{Donchian, Fused, RsiLevels, SmaCross};
use super::targets::Wants;
use super::{Plan, Target};
use crate::Error;
use crate::series::check_bars;

/// A rule that states a position for every bar.
#[derive(Debug, Clone, Copy)]
pub struct Maker {
    /// Its name: `sma_cross`.
    pub name: &'static str,
    /// One sentence for people, parameters by name.
    pub describes: &'static str,
    /// Its parameters, in the order of their places.
    pub params: &'static [ParamSpec],
    /// Strategies of the catalogue that speak where it turns: who searches its parameters has
    /// searched theirs.
    pub signals: &'static [&'static str],
    check: fn(&[f64]) -> Result<(), &'static str>,
    words: fn(&[f64]) -> String,
    make: fn(&[f64], &[Bar]) -> Vec<Target>,
    fuse: fn(&[Bar]) -> Box<dyn Fused + '_>,
}

/// All such rules, each name once, none of them a strategy's.
pub const MAKERS: &[Maker] = &[SMA_CROSS, RSI_LEVELS, DONCHIAN];

impl Maker {
    /// The rule of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        MAKERS.iter().find(|maker| maker.name == name)
    }

    /// The targets of this rule with the parameters of `call`.
    pub(super) fn plan(&self, call: &Call, bars: &[Bar]) -> Result<Plan, Error> {
        let values = self.values(call)?;
        check_bars(bars)?;
        let pairs = self.params.iter().zip(&values);
        let pairs: Vec<String> =
            pairs.map(|(spec, value)| format!("{}={value}", spec.name)).collect();
        let canonical = format!("{}({})", self.name, pairs.join(","));
        Ok(Plan {
            targets: (self.make)(&values, bars),
            entry: canonical.clone(),
            canonical,
            words: (self.words)(&values),
            family: self.name.to_owned(),
        })
    }

    /// The rule for many parameters at once.
    pub(crate) fn fused<'a>(&self, bars: &'a [Bar]) -> Box<dyn Fused + 'a> {
        (self.fuse)(bars)
    }

    /// Whether values of its parameters, each within its bounds, make sense together.
    pub(crate) fn check(&self, values: &[f64]) -> Result<(), &'static str> {
        (self.check)(values)
    }

    fn values(&self, call: &Call) -> Result<Vec<f64>, Error> {
        let values = self.fill(call)?;
        match (self.check)(&values) {
            Ok(()) => Ok(values),
            Err(why) => Err(refuse(call, why)),
        }
    }

    /// The parameters of `call`, each within its bounds, in the order of their places.
    pub(crate) fn fill(&self, call: &Call) -> Result<Vec<f64>, Error> {
        let given = named(call, self.params)?;
        if let Some((name, _)) =
            given.iter().find(|(name, _)| self.params.iter().all(|spec| spec.name != name))
        {
            let known = names(self.params);
            return Err(refuse(call, &format!("no parameter \"{name}\"; it has {known}")));
        }
        let mut values = Vec::with_capacity(self.params.len());
        for &ParamSpec { name, default, min, max, whole, .. } in self.params {
            let value = given.iter().find(|(given, _)| given == name).map_or(default, |(_, v)| *v);
            if !(min..=max).contains(&value) {
                return Err(refuse(
                    call,
                    &format!("{name} = {value} is not between {min} and {max}"),
                ));
            }
            if whole && value.fract() != 0.0 {
                return Err(refuse(call, &format!("{name} = {value} is not a whole number")));
            }
            values.push(value);
        }
        Ok(values)
    }
}

const SMA_CROSS: Maker = Maker {
    name: "sma_cross",
    describes: "long when the SMA(fast) crosses above the SMA(slow); on the reverse cross short \
                (short = 1) or flat (short = 0)",
    params: &[
        ParamSpec::period("fast", 10, "bars in the fast average"),
        ParamSpec::period("slow", 30, "bars in the slow average"),
        ParamSpec {
            whole: true,
            ..ParamSpec::number("short", 1.0, (0.0, 1.0), "1 goes short, 0 stays flat")
        },
    ],
    signals: &["golden_cross", "dead_cross"],
    check: |values| if values[0] < values[1] { Ok(()) } else { Err("fast must be less than slow") },
    words: |values| {
        let (fast, slow) = (values[0], values[1]);
        let then = if values[2] > 0.0 { "short" } else { "flat" };
        format!(
            "long when SMA({fast}) crosses above SMA({slow}), {then} when it crosses below; \
             nothing before the first cross"
        )
    },
    make: |values, bars| sma_cross(values[0] as usize, values[1] as usize, -values[2], bars),
    fuse: |bars| Box::new(SmaCross::new(bars)),
};

/// States +1 on a strict cross upwards and `below` on one downwards.
fn sma_cross(fast: usize, slow: usize, below: f64, bars: &[Bar]) -> Vec<Target> {
    let closes: Vec<i64> = bars.iter().map(|bar| bar.close.nanos()).collect();
    let greatest = closes.iter().map(|close| close.unsigned_abs()).max().unwrap_or(0);
    // The means are compared as sums times the other period. 64 bits hold that for most prices and
    // periods; where they might not, 128 bits always do.
    let periods = fast as u64 * slow as u64;
    let sides = if greatest.checked_mul(periods).is_some_and(|bound| bound <= i64::MAX as u64) {
        sides::<i64>(fast, slow, &closes)
    } else {
        sides::<i128>(fast, slow, &closes)
    };
    let mut wants = Wants::default();
    for (pair, place) in sides.windows(2).zip(slow..) {
        match pair {
            [Ordering::Less, Ordering::Greater] => wants.state(place, 1.0),
            // Not -0: it would be equal, and print otherwise.
            [Ordering::Greater, Ordering::Less] => wants.state(place, below + 0.0),
            _ => {}
        }
    }
    wants.into_targets()
}

/// The fast mean against the slow one, from the first bar on which both exist.
fn sides<Sum>(fast: usize, slow: usize, closes: &[i64]) -> Vec<Ordering>
where
    Sum: From<i64> + AddAssign + SubAssign + Mul<Output = Sum> + Ord + Copy,
{
    let (mut fast_sum, mut slow_sum) = (Sum::from(0), Sum::from(0));
    let (fast_count, slow_count) = (Sum::from(fast as i64), Sum::from(slow as i64));
    let mut sides = Vec::with_capacity(closes.len());
    for (place, &close) in closes.iter().enumerate() {
        fast_sum += Sum::from(close);
        slow_sum += Sum::from(close);
        if place >= fast {
            fast_sum -= Sum::from(closes[place - fast]);
        }
        if place >= slow {
            slow_sum -= Sum::from(closes[place - slow]);
        }
        if place + 1 >= slow {
            sides.push((fast_sum * slow_count).cmp(&(slow_sum * fast_count)));
        }
    }
    sides
}

const RSI_LEVELS: Maker = Maker {
    name: "rsi_levels",
    describes: "long when Wilder's RSI(period) is below lower, flat when it is above upper",
    params: &[
        ParamSpec { min: 2.0, ..ParamSpec::period("period", 14, "moves in Wilder's averages") },
        ParamSpec::number("lower", 30.0, (0.0, 100.0), "RSI, 0 to 100"),
        ParamSpec::number("upper", 70.0, (0.0, 100.0), "RSI, 0 to 100"),
    ],
    signals: &["rsi_oversold", "rsi_overbought"],
    check: |values| {
        if values[1] <= values[2] { Ok(()) } else { Err("lower must not exceed upper") }
    },
    words: |values| {
        let (period, lower, upper) = (values[0], values[1], values[2]);
        format!("long when RSI({period}) < {lower}, flat when RSI({period}) > {upper}")
    },
    make: |values, bars| rsi_levels(values[0] as usize, values[1], values[2], bars),
    fuse: |bars| Box::new(RsiLevels::new(bars)),
};

fn rsi_levels(period: usize, lower: f64, upper: f64, bars: &[Bar]) -> Vec<Target> {
    let closes: Vec<f64> = bars.iter().map(|bar| bar.close.to_f64()).collect();
    let mut column = Vec::new();
    finstage_quant::rsi(&closes, period, &mut column);
    let mut wants = Wants::default();
    // What is not known yet is NaN, and neither below nor above.
    for (place, &rsi) in column.iter().enumerate() {
        if rsi < lower {
            wants.state(place, 1.0);
        } else if rsi > upper {
            wants.state(place, 0.0);
        }
    }
    wants.into_targets()
}

const DONCHIAN: Maker = Maker {
    name: "donchian",
    describes: "long when the close is above the highest high of the entry bars before it, flat \
                when it is below the lowest low of the exit bars before it",
    params: &[
        ParamSpec::period("entry", 20, "bars before, whose highest high is broken"),
        ParamSpec::period("exit", 10, "bars before, whose lowest low is broken"),
    ],
    signals: &["donchian_breakout_up", "donchian_breakout_down"],
    check: |_| Ok(()),
    words: |values| {
        let (entry, exit) = (values[0], values[1]);
        format!(
            "long when the close is above the highest high of the {entry} bars before, flat when \
             it is below the lowest low of the {exit} bars before"
        )
    },
    make: |values, bars| donchian(values[0] as usize, values[1] as usize, bars),
    fuse: |bars| Box::new(Donchian::new(bars)),
};

fn donchian(entry: usize, exit: usize, bars: &[Bar]) -> Vec<Target> {
    let mut highest = Extreme::highest(entry);
    let mut lowest = Extreme::lowest(exit);
    let mut wants = Wants::default();
    for (place, bar) in bars.iter().enumerate() {
        let is_above = broken(&mut highest, place, bar);
        let is_below = broken(&mut lowest, place, bar);
        if place >= entry.max(exit) {
            if is_above {
                wants.state(place, 1.0);
            } else if is_below {
                wants.state(place, 0.0);
            }
        }
    }
    wants.into_targets()
}

/// Whether the close of the bar at `place` is beyond the extreme of the bars before, of which it
/// becomes one.
pub(super) fn broken(extreme: &mut Extreme, place: usize, bar: &Bar) -> bool {
    let before = extreme.before(place);
    extreme.push(place, if extreme.is_highest { bar.high } else { bar.low });
    before.is_some_and(|before| extreme.is_beyond(bar.close, before))
}

/// The highest high or lowest low of the last bars: a queue of those that can still become it, so
/// that a bar costs the same whatever the period.
pub(super) struct Extreme {
    period: usize,
    is_highest: bool,
    queue: VecDeque<(usize, Price)>,
}

impl Extreme {
    pub(super) fn highest(period: usize) -> Self {
        Self { period, is_highest: true, queue: VecDeque::new() }
    }

    pub(super) fn lowest(period: usize) -> Self {
        Self { period, is_highest: false, queue: VecDeque::new() }
    }

    fn is_beyond(&self, price: Price, other: Price) -> bool {
        if self.is_highest { price > other } else { price < other }
    }

    /// The extreme of the bars from `place - period` to `place - 1`.
    fn before(&mut self, place: usize) -> Option<Price> {
        while self.queue.front().is_some_and(|&(old, _)| old + self.period < place) {
            self.queue.pop_front();
        }
        self.queue.front().map(|&(_, price)| price)
    }

    fn push(&mut self, place: usize, price: Price) {
        while self.queue.back().is_some_and(|&(_, old)| !self.is_beyond(old, price)) {
            self.queue.pop_back();
        }
        self.queue.push_back((place, price));
    }
}

#[cfg(test)]
mod tests {
    use finstage_model::{InstrumentId, Interval, Qty, Timestamp};

    use super::*;

    fn bars(closes: &[i64]) -> Vec<Bar> {
        let price = Price::from_nanos;
        let bar = |(day, &close): (i64, &i64)| Bar {
            instrument: InstrumentId(0),
            interval: Interval::D1,
            open_time: Timestamp::from_secs(day * 86_400),
            open: price(close),
            high: price(close + 1),
            low: price(close - 1),
            close: price(close),
            volume: Qty::ZERO,
            trades: 0,
        };
        (0..).zip(closes).map(bar).collect()
    }

    fn plan(rule: &str, closes: &[i64]) -> Result<String, String> {
        let call: Call = rule.parse().unwrap();
        let plan = Plan::of_rule(
            &call,
            super::super::Exit::default(),
            finstage_engine::Catalog::default(),
            &bars(closes),
        );
        let plan = plan.map_err(|error| error.to_string())?;
        let wants: Vec<_> = plan.targets.iter().map(|t| format!("{}:{}", t.bar, t.want)).collect();
        Ok(wants.join(" "))
    }

    #[test]
    fn a_cross_is_strict_and_goes_through_no_tie() {
        let closes = [10, 10, 10, 12, 7, 7, 20];
        assert_eq!(plan("sma_cross(2,3)", &closes).unwrap(), "4:-1 6:1");
        assert_eq!(plan("sma_cross(2,3,short=0)", &closes).unwrap(), "4:0 6:1");
        // Bar 3 leaves a tie, bar 4 makes one and bar 5 leaves it on the other side.
        let closes = [10, 10, 10, 12, 8, 8, 8, 6, 20];
        assert_eq!(plan("sma_cross(2,3)", &closes).unwrap(), "8:1");
    }

    #[test]
    fn great_prices_cross_as_small_ones_do() {
        let closes = [10, 10, 10, 12, 7, 7, 20];
        let great = closes.map(|close| i64::MAX / 32 * close);
        assert_eq!(plan("sma_cross(2,3)", &great), plan("sma_cross(2,3)", &closes));
    }

    #[test]
    fn a_breakout_is_of_the_bars_before_this_one() {
        let closes = [10, 10, 11, 12, 10, 9];
        assert_eq!(plan("donchian(2,1)", &closes).unwrap(), "4:0");
        assert_eq!(plan("donchian(2,2)", &[10, 10, 12, 12, 10, 9]).unwrap(), "2:1 4:0");
    }

    #[test]
    fn levels_of_the_index_are_not_known_before_it_is() {
        assert_eq!(plan("rsi_levels(2)", &[10, 9, 8, 7, 9, 12]).unwrap(), "2:1 5:0");
    }

    #[test]
    fn parameters_that_make_no_sense_are_named() {
        let refused = |rule| plan(rule, &[10]).unwrap_err();
        assert_eq!(refused("sma_cross(30,10)"), "sma_cross: fast must be less than slow");
        assert_eq!(
            refused("sma_cross(period=3)"),
            "sma_cross: no parameter \"period\"; it has fast, slow, short"
        );
        assert_eq!(refused("donchian(0)"), "donchian: entry = 0 is not between 1 and 5000");
        assert_eq!(refused("donchian(2.5)"), "donchian: entry = 2.5 is not a whole number");
        assert_eq!(refused("rsi_levels(14,70,30)"), "rsi_levels: lower must not exceed upper");
        assert_eq!(
            refused("sma_cros"),
            "sma_cros: no rule of that name; did you mean \"sma_cross\"?"
        );
    }

    #[test]
    fn every_rule_says_its_parameters_in_words() {
        for maker in MAKERS {
            let call: Call = maker.name.parse().unwrap();
            let plan = maker.plan(&call, &[]).unwrap();
            for spec in maker.params {
                assert!(maker.describes.contains(spec.name), "{}: {}", maker.name, spec.name);
                assert!(plan.canonical.contains(&format!("{}=", spec.name)), "{}", plan.canonical);
            }
        }
    }
}

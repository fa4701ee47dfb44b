//! The rules of [`super::MAKERS`] for many parameters at once: what depends on one parameter is
//! computed once, and a combination only looks for its events in it.
//!
//! The targets are those of the rule itself, every one: where doubles are too close to decide,
//! whole numbers do.

mod crossings;

use std::cmp::Ordering;

use finstage_model::Bar;

use self::crossings::{Means, next};
use super::makers::{Extreme, broken};
use super::targets::Wants;

/// A rule over the bars of one series, for many parameters.
pub(crate) trait Fused: Sync {
    /// The parameters that have columns, in the order of [`Fused::column`]; 0 where there is none.
    fn keys(&self, values: &[f64]) -> [usize; 2];

    /// What depends on one such parameter alone, into memory that is used again; `place` is 0 or 1.
    fn column(&self, place: usize, key: usize, into: &mut Column);

    /// The targets for these parameters, given the columns of their keys.
    fn state(&self, columns: [&Column; 2], values: &[f64], wants: &mut Wants);
}

/// What a rule knows about every bar for one value of one parameter; a rule fills one of them.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// A number for each bar.
    numbers: Vec<f64>,
    /// A bit for each bar, 64 to a word.
    bits: Vec<u64>,
}

/// Averages crossing each other, see the rule `sma_cross`.
pub(super) struct SmaCross {
    sums: Sums,
    /// The greatest close, in nano units.
    greatest: f64,
}

/// Sums of the closes before each bar, in nano units; one more than bars.
enum Sums {
    /// Where every sum over a period fits 64 bits; they wrap around, differences do not.
    Narrow(Vec<i64>),
    Wide(Vec<i128>),
}

/// The longest period of any rule.
const MAX_PERIOD: u64 = 5_000;

impl SmaCross {
    pub(super) fn new(bars: &[Bar]) -> Self {
        let closes = bars.iter().map(|bar| bar.close.nanos());
        let greatest = closes.clone().map(i64::unsigned_abs).max().unwrap_or(0);
        let is_narrow = greatest.checked_mul(MAX_PERIOD).is_some_and(|sum| sum <= i64::MAX as u64);
        let sums = if is_narrow {
            Sums::Narrow(running(closes, 0, i64::wrapping_add))
        } else {
            Sums::Wide(running(closes.map(i128::from), 0, |sum, close| sum + close))
        };
        Self { sums, greatest: greatest as f64 }
    }

    /// The sum of the last `period` closes, the one of `bar` included.
    fn sum(&self, bar: usize, period: usize) -> i128 {
        let (after, before) = (bar + 1, bar + 1 - period);
        match &self.sums {
            Sums::Narrow(sums) => i128::from(sums[after].wrapping_sub(sums[before])),
            Sums::Wide(sums) => sums[after] - sums[before],
        }
    }
}

/// The sums before each of the values, and that of all of them.
fn running<S: Copy>(values: impl Iterator<Item = S>, zero: S, add: impl Fn(S, S) -> S) -> Vec<S> {
    let mut sum = zero;
    let sums = values.map(|value| {
        sum = add(sum, value);
        sum
    });
    std::iter::once(zero).chain(sums).collect()
}

/// The means over a period, NaN where there are not enough values.
fn means<S: Copy>(sums: &[S], period: usize, to_mean: impl Fn(S, S) -> f64, into: &mut Vec<f64>) {
    let values = sums.len() - 1;
    let unknown = period.saturating_sub(1).min(values);
    into.clear();
    into.resize(unknown, f64::NAN);
    let pairs = sums[..=values - unknown].iter().zip(sums.get(period..).unwrap_or(&[]));
    into.extend(pairs.map(|(before, after)| to_mean(*before, *after)));
}

impl Fused for SmaCross {
    fn keys(&self, values: &[f64]) -> [usize; 2] {
        [values[0] as usize, values[1] as usize]
    }

    fn column(&self, _: usize, period: usize, into: &mut Column) {
        let (part, into) = (1.0 / period as f64, &mut into.numbers);
        match &self.sums {
            Sums::Narrow(sums) => {
                means(sums, period, |a, b| b.wrapping_sub(a) as f64 * part, into);
            }
            Sums::Wide(sums) => means(sums, period, |a, b| (b - a) as f64 * part, into),
        }
    }

    fn state(&self, [fast, slow]: [&Column; 2], values: &[f64], wants: &mut Wants) {
        let [fast_period, slow_period] = self.keys(values);
        let exact = |bar: usize| {
            let fast = self.sum(bar, fast_period) * slow_period as i128;
            fast.cmp(&(self.sum(bar, slow_period) * fast_period as i128))
        };
        // A mean is rounded three times and a difference once: less than 4 ulp of the greatest.
        let gap = 8.0 * f64::EPSILON * self.greatest;
        let below = 0.0 - values[2];
        let means = Means { fast: &fast.numbers, slow: &slow.numbers, gap, exact };
        means.crossings(slow_period - 1, |bar, side| {
            wants.state(bar, if side == Ordering::Greater { 1.0 } else { below });
        });
    }
}

/// Levels of Wilder's index, see the rule `rsi_levels`.
pub(super) struct RsiLevels {
    closes: Vec<f64>,
}

impl RsiLevels {
    pub(super) fn new(bars: &[Bar]) -> Self {
        Self { closes: bars.iter().map(|bar| bar.close.to_f64()).collect() }
    }
}

impl Fused for RsiLevels {
    fn keys(&self, values: &[f64]) -> [usize; 2] {
        [values[0] as usize, 0]
    }

    fn column(&self, place: usize, period: usize, into: &mut Column) {
        if place == 0 {
            into.numbers.clear();
            finstage_quant::rsi(&self.closes, period, &mut into.numbers);
        }
    }

    fn state(&self, [index, _]: [&Column; 2], values: &[f64], wants: &mut Wants) {
        let (index, lower, upper) = (&index.numbers, values[1], values[2]);
        // What is not known yet is NaN, and neither below nor above.
        let mut bar = next(index, 0, |value| (value < lower) | (value > upper));
        while bar < index.len() {
            bar = if index[bar] < lower {
                wants.state(bar, 1.0);
                next(index, bar + 1, |value| value > upper)
            } else {
                wants.state(bar, 0.0);
                next(index, bar + 1, |value| value < lower)
            };
        }
    }
}

/// Highs and lows broken, see the rule `donchian`.
pub(super) struct Donchian<'a> {
    bars: &'a [Bar],
}

impl<'a> Donchian<'a> {
    pub(super) fn new(bars: &'a [Bar]) -> Self {
        Self { bars }
    }
}

impl Fused for Donchian<'_> {
    fn keys(&self, values: &[f64]) -> [usize; 2] {
        [values[0] as usize, values[1] as usize]
    }

    fn column(&self, place: usize, period: usize, into: &mut Column) {
        let bits = &mut into.bits;
        bits.clear();
        bits.resize(self.bars.len().div_ceil(64), 0);
        let mut extreme =
            if place == 0 { Extreme::highest(period) } else { Extreme::lowest(period) };
        for (at, bar) in self.bars.iter().enumerate() {
            if broken(&mut extreme, at, bar) {
                bits[at / 64] |= 1 << (at % 64);
            }
        }
    }

    fn state(&self, columns: [&Column; 2], values: &[f64], wants: &mut Wants) {
        let [entries, exits] = columns.map(|column| &column.bits);
        let [entry, exit] = self.keys(values);
        // Where both hold, the entry does.
        let is_entry = |word: usize| entries[word];
        let is_exit = |word: usize| exits[word] & !entries[word];
        let either = |word: usize| entries[word] | exits[word];
        let bars = self.bars.len();
        let mut bar = next_bit(bars, entry.max(exit), either);
        while bar < bars {
            bar = if entries[bar / 64] >> (bar % 64) & 1 == 1 {
                wants.state(bar, 1.0);
                next_bit(bars, bar + 1, is_exit)
            } else {
                wants.state(bar, 0.0);
                next_bit(bars, bar + 1, is_entry)
            };
        }
    }
}

/// The place of the first bit from `from` on that is set, or something from `bars` on.
fn next_bit(bars: usize, from: usize, word: impl Fn(usize) -> u64) -> usize {
    let words = bars.div_ceil(64);
    let mut place = from / 64;
    if place >= words {
        return bars;
    }
    let mut bits = word(place) & (u64::MAX << (from % 64));
    while bits == 0 {
        place += 1;
        if place == words {
            return bars;
        }
        bits = word(place);
    }
    64 * place + bits.trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_bit_is_found_across_words() {
        let words = [0b1000u64, 0, 1 << 63, 0];
        let next = |from| next_bit(250, from, |word| words[word]);
        assert_eq!((next(0), next(3), next(4), next(191)), (3, 3, 191, 191));
        assert_eq!((next(192), next(256)), (250, 250));
    }
}

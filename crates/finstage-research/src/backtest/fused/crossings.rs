//! Where columns cross each other or a level, found many bars at a time: between two events of a
//! rule nothing has to be looked at one by one.

use std::cmp::Ordering;

use finstage_quant::wide::{Block, wide};

/// Bars looked at together.
const GROUP: usize = 16;

/// The first bar from `from` on whose value holds, or the number of bars.
pub(super) fn next(column: &[f64], from: usize, holds: impl Fn(f64) -> bool) -> usize {
    let rest = &column[from.min(column.len())..];
    let (groups, _) = rest.as_chunks::<GROUP>();
    let silent = groups.iter().take_while(|group| {
        // Not `any`, which would stop at the first and be done one by one.
        !group.iter().fold(false, |found, &value| found | holds(value))
    });
    let skipped = GROUP * silent.count();
    let found = rest[skipped..].iter().position(|&value| holds(value));
    column.len().min(from) + found.map_or(rest.len(), |place| skipped + place)
}

/// The number of bars from `from` on, in whole groups, over which `above` is more than `gap` above
/// `below`.
fn settled(above: &[f64], below: &[f64], from: usize, gap: f64) -> usize {
    wide(Settled { above: &above[from..], below: &below[from..], gap })
}

struct Settled<'a> {
    above: &'a [f64],
    below: &'a [f64],
    gap: f64,
}

impl Block for Settled<'_> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let (above, _) = self.above.as_chunks::<GROUP>();
        let (below, _) = self.below.as_chunks::<GROUP>();
        let mut groups = 0;
        for (above, below) in above.iter().zip(below) {
            let mut all = true;
            for place in 0..GROUP {
                all &= above[place] - below[place] > self.gap;
            }
            if !all {
                break;
            }
            groups += 1;
        }
        GROUP * groups
    }
}

/// Two columns of means, and what decides when they are too close for doubles.
pub(super) struct Means<'a, E> {
    pub(super) fast: &'a [f64],
    pub(super) slow: &'a [f64],
    /// A difference that rounding cannot make.
    pub(super) gap: f64,
    /// The order of the exact means on a bar.
    pub(super) exact: E,
}

impl<E: Fn(usize) -> Ordering> Means<'_, E> {
    /// Tells of every bar after `from` on which the fast mean has strictly crossed the slow one,
    /// coming from strictly the other side on the bar before: the bar, and where it is now.
    pub(super) fn crossings(&self, from: usize, mut tell: impl FnMut(usize, Ordering)) {
        let bars = self.fast.len();
        if from >= bars {
            return;
        }
        let mut bar = from;
        let mut side = self.side(bar);
        loop {
            bar += 1;
            bar += match side {
                Ordering::Greater => settled(self.fast, self.slow, bar, self.gap),
                Ordering::Less => settled(self.slow, self.fast, bar, self.gap),
                Ordering::Equal => 0,
            };
            // The side is the same until here; the next ones are looked at one by one, and a whole
            // group of them, or the search would begin anew at each.
            let until = bars.min(bar + GROUP);
            loop {
                if bar >= bars {
                    return;
                }
                let before = std::mem::replace(&mut side, self.side(bar));
                if before != side {
                    if before == side.reverse() {
                        tell(bar, side);
                    }
                    break;
                }
                if bar + 1 >= until {
                    break;
                }
                bar += 1;
            }
        }
    }

    fn side(&self, bar: usize) -> Ordering {
        let difference = self.fast[bar] - self.slow[bar];
        if difference > self.gap {
            Ordering::Greater
        } else if difference < -self.gap {
            Ordering::Less
        } else {
            (self.exact)(bar)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_search_finds_what_looking_at_each_finds(
            column in prop::collection::vec(-3i8..=3, 0..200), from in 0usize..220, level in -3i8..=4,
        ) {
            let column: Vec<f64> = column.into_iter().map(f64::from).collect();
            let level = f64::from(level);
            let plain = (from..column.len()).find(|&bar| column[bar] > level);
            let expected = plain.unwrap_or(column.len());
            prop_assert_eq!(next(&column, from, |value| value > level), expected);
        }

        #[test]
        fn crossings_are_those_of_the_definition(
            steps in prop::collection::vec(-2i8..=2, 1..300), from in 0usize..20,
        ) {
            let mut at = 0;
            let fast: Vec<f64> = steps.iter().map(|step| { at += i32::from(*step); f64::from(at) }).collect();
            let slow = vec![0.0; fast.len()];
            let exact = |bar: usize| fast[bar].total_cmp(&0.0);
            // Whole numbers: 1 counts as too close and has to be asked for.
            let means = Means { fast: &fast, slow: &slow, gap: 1.0, exact };
            let mut found = Vec::new();
            means.crossings(from, |bar, side| found.push((bar, side)));
            let sides: Vec<Ordering> = fast.iter().map(|value| value.partial_cmp(&0.0).unwrap()).collect();
            let expected: Vec<_> = (from + 1..fast.len())
                .filter(|&bar| sides[bar] != sides[bar - 1] && sides[bar] == sides[bar - 1].reverse())
                .map(|bar| (bar, sides[bar]))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}

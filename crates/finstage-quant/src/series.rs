//! What all indicators agree on about their input: which numbers are usable, how long a period
//! may be, and how the last n numbers are kept.

/// The greatest magnitude of a usable input: far beyond any price, and small enough that no square
/// and no sum over [`MAX_PERIOD`] values overflows.
pub const INPUT_LIMIT: f64 = 1e150;

/// The longest period that can be asked for, as in TA-Lib. Bounds the memory of an indicator.
pub const MAX_PERIOD: usize = 100_000;

/// The [`crate::Indicator::memory`] of what never forgets: a running total, or a state that an old input
/// can hold for any number of bars.
pub const FOREVER: usize = usize::MAX;

/// Whether an indicator can work with `input`; false for NaN and the infinities.
pub(crate) fn is_usable(input: f64) -> bool {
    input.abs() <= INPUT_LIMIT
}

/// The value, unless it is beyond all doubles or no number.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The period itself.
///
/// # Panics
/// `invariant:` when it lies outside `least..=MAX_PERIOD`.
pub(crate) fn checked_period(period: usize, least: usize) -> usize {
    assert!(
        (least..=MAX_PERIOD).contains(&period),
        "invariant: period {period} is not between {least} and {MAX_PERIOD}"
    );
    period
}

/// How many usable inputs come before the first break.
#[inline(always)]
pub(crate) fn usable_prefix(input: &[f64]) -> usize {
    // Many at once without a branch for each, as breaks are rare. Plain loops: what is hidden in
    // closures is not compiled for wide registers (see `wide`).
    let mut count = 0;
    while let Some(part) = input[count..].first_chunk::<MANY>() {
        if !are_usable(part) {
            break;
        }
        count += MANY;
    }
    while count < input.len() && is_usable(input[count]) {
        count += 1;
    }
    count
}

const MANY: usize = 32;

/// Whether all are usable. Of positive doubles the greater one has the greater bits, and NaN has the
/// greatest.
#[inline(always)]
fn are_usable(part: &[f64; MANY]) -> bool {
    let mut signs = 0;
    for x in part {
        signs |= INPUT_LIMIT.to_bits().wrapping_sub(x.abs().to_bits());
    }
    signs >> 63 == 0
}

/// The last n numbers, in the order of their arrival.
#[derive(Debug, Clone)]
pub(crate) struct LastValues {
    /// Twice, one after the other, so that the last n always lie side by side.
    ring: Box<[f64]>,
    period: usize,
    /// Where the next number goes: the oldest one once the ring is full.
    next: usize,
    filled: usize,
}

impl LastValues {
    pub(crate) fn new(period: usize) -> Self {
        Self { ring: vec![0.0; 2 * period].into_boxed_slice(), period, next: 0, filled: 0 }
    }

    /// Takes `value` in and hands out the one that leaves for it.
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        let left = std::mem::replace(&mut self.ring[self.next], value);
        self.ring[self.next + self.period] = value;
        self.next = if self.next + 1 == self.period { 0 } else { self.next + 1 };
        if self.is_full() {
            return Some(left);
        }
        self.filled += 1;
        None
    }

    /// Takes the place of all that was pushed: `values` are the last n.
    pub(crate) fn refill(&mut self, values: &[f64]) {
        let (first, second) = self.ring.split_at_mut(self.period);
        first.copy_from_slice(values);
        second.copy_from_slice(values);
        (self.next, self.filled) = (0, self.period);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.period
    }

    pub(crate) fn period(&self) -> usize {
        self.period
    }

    /// All numbers, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.ring[..self.filled].iter().copied()
    }

    /// The oldest number of a full ring.
    pub(crate) fn oldest(&self) -> Option<f64> {
        self.is_full().then(|| self.ring[self.next])
    }

    /// All numbers of a full ring, oldest first.
    pub(crate) fn oldest_first(&self) -> &[f64] {
        &self.ring[self.next..self.next + self.period]
    }

    pub(crate) fn clear(&mut self) {
        (self.next, self.filled) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_usable_where_each_of_them_is() {
        let edge = INPUT_LIMIT;
        for x in [0.0, -0.0, edge, -edge, edge.next_up(), -edge.next_up(), f64::MIN, f64::MAX] {
            assert_eq!(are_usable(&[x; MANY]), is_usable(x), "{x}");
        }
        for x in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for place in 0..MANY {
                let mut part = [1.0; MANY];
                part[place] = x;
                assert!(!are_usable(&part), "{x} at {place}");
                assert_eq!(usable_prefix(&[[1.0; MANY], part].concat()), MANY + place);
            }
        }
    }

    #[test]
    fn the_oldest_value_leaves_first() {
        let mut last = LastValues::new(3);
        let left: Vec<_> = [1.0, 2.0, 3.0, 4.0, 5.0].iter().map(|&x| last.push(x)).collect();
        assert_eq!(left, [None, None, None, Some(1.0), Some(2.0)]);
        assert_eq!(last.oldest_first(), [3.0, 4.0, 5.0]);
        last.refill(&[7.0, 8.0, 9.0]);
        assert_eq!((last.push(1.0), last.oldest()), (Some(7.0), Some(8.0)));
        assert_eq!(last.oldest_first(), [8.0, 9.0, 1.0]);
        last.clear();
        assert!(!last.is_full());
        assert_eq!(last.push(6.0), None);
    }
}

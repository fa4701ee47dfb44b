//! Column forms that work on blocks of inputs, for the indicators that are asked for most.
//!
//! An indicator that is warm takes a block of usable inputs in one go ([`Many`]): no question in
//! between, numbers in registers. Whatever else happens (warm-up, a break) goes one by one through
//! the streaming form, which is thus the only place that knows about it.

use crate::Indicator;
use crate::series::usable_prefix;
use crate::wide::{Block, wide};

/// Inputs that are worked on at once: few enough to stay in the nearest cache.
pub(crate) const BLOCK: usize = 256;

/// An indicator of `M` numbers a bar, with `N` outputs, that takes many bars at once.
pub(crate) trait Many<const M: usize, const N: usize>: Indicator {
    /// Whether it is warm, so that each usable input has an answer.
    fn is_warm(&self) -> bool;

    /// Takes at most [`BLOCK`] usable inputs while it is warm, with as many places in each output.
    /// Marked `#[inline(always)]`, as is what it calls for each of them (see [`Block`]).
    fn many(&mut self, inputs: [&[f64]; M], out: [&mut [f64]; N]);

    /// Its input, of its numbers.
    fn input(numbers: [f64; M]) -> Self::Input;

    /// Its outputs one by one.
    fn lines(output: Self::Output) -> [f64; N];
}

/// The column form of such an indicator: as many places in each output as the longest input has, NaN
/// where there is no answer.
pub(crate) fn columns<I: Many<M, N>, const M: usize, const N: usize>(
    mut indicator: I,
    inputs: [&[f64]; M],
    mut out: [&mut Vec<f64>; N],
) {
    let lengths = inputs.iter().map(|column| column.len());
    let (length, shared) = (lengths.clone().max().unwrap_or(0), lengths.min().unwrap_or(0));
    for column in &mut out {
        column.resize(length, f64::NAN);
    }
    let mut place = 0;
    while place < length {
        if place < shared && indicator.is_warm() {
            let block = place..shared.min(place + BLOCK);
            let next = inputs.map(|column| &column[block.clone()]);
            let out = out.each_mut().map(|column| &mut column[block.clone()]);
            let count = wide(Usable { indicator: &mut indicator, next, out });
            place += count;
            if count == block.len() {
                continue;
            }
        }
        // One of the warm-up, or what ended the block.
        let numbers = inputs.map(|column| column.get(place).copied().unwrap_or(f64::NAN));
        let lines = indicator.update(I::input(numbers)).map_or([f64::NAN; N], I::lines);
        for (column, value) in out.iter_mut().zip(lines) {
            column[place] = value;
        }
        place += 1;
    }
}

/// The columns that a [`crate::Spec`] hands out, one for each output.
pub(crate) fn each<const N: usize>(out: &mut [Vec<f64>]) -> [&mut Vec<f64>; N] {
    let out: &mut [Vec<f64>; N] = out.try_into().expect("as many columns as outputs");
    out.each_mut()
}

/// The usable ones of the next inputs of a warm indicator; how many they were.
struct Usable<'a, I, const M: usize, const N: usize> {
    indicator: &'a mut I,
    next: [&'a [f64]; M],
    out: [&'a mut [f64]; N],
}

impl<I: Many<M, N>, const M: usize, const N: usize> Block for Usable<'_, I, M, N> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let mut count = usize::MAX;
        for column in self.next {
            count = count.min(usable_prefix(column));
        }
        let next = self.next.map(|column| &column[..count]);
        self.indicator.many(next, self.out.map(|column| &mut column[..count]));
        count
    }
}

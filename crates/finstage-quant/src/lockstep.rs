//! Many parameter sets of a recursive average in one pass.
//!
//! Each step of such an average waits for the one before it; steps of different averages do not
//! wait for each other, so a processor does several in the time of one.

use crate::series::{blank, runs};
use crate::{BarColumns, Indicator};

/// Averages that advance side by side; more would not stay in registers and near caches.
const LANES: usize = 8;

/// An indicator over closes that can take two inputs at a time.
pub(crate) trait Paired: Indicator<Input = f64, Output = f64> {
    /// Whether it is warm and stands where a pair begins.
    fn takes_pairs(&self) -> bool;

    /// Takes the two next usable inputs; both answers.
    fn pair(&mut self, inputs: [f64; 2]) -> [f64; 2];
}

/// The batch form ([`crate::Spec::batch`]) of an indicator with a period and nothing else.
pub(crate) fn lockstep<I: Paired>(
    new: fn(usize) -> I,
    (sets, bars): (&[Vec<f64>], &BarColumns<'_>),
    out: &mut [Vec<Vec<f64>>],
) {
    // Pairs begin on the same bars only where the periods are both even or both odd.
    for odd in [0, 1] {
        let lanes = sets.iter().map(|set| set[0] as usize).zip(out.iter_mut());
        let mut lanes: Vec<(usize, &mut Vec<f64>)> = lanes
            .filter(|(period, _)| period % 2 == odd)
            .map(|(period, columns)| (period, &mut columns[0]))
            .collect();
        for group in lanes.chunks_mut(LANES) {
            advance(new, bars.close, group);
        }
    }
}

fn advance<I: Paired>(new: fn(usize) -> I, input: &[f64], group: &mut [(usize, &mut Vec<f64>)]) {
    for (_, column) in group.iter_mut() {
        blank(column, input.len());
    }
    for range in runs(input) {
        let mut lanes: Vec<(I, &mut [f64])> = group
            .iter_mut()
            .map(|(period, column)| (new(*period), &mut column[range.clone()]))
            .collect();
        let values = &input[range];
        let mut place = 0;
        let single = |lanes: &mut [(I, &mut [f64])], place: usize| {
            for (indicator, out) in lanes {
                if let Some(value) = indicator.update(values[place]) {
                    out[place] = value;
                }
            }
        };
        while place < values.len() && !lanes.iter().all(|(indicator, _)| indicator.takes_pairs()) {
            single(&mut lanes, place);
            place += 1;
        }
        let (pairs, last) = values[place..].as_chunks::<2>();
        for &pair in pairs {
            for (indicator, out) in &mut lanes {
                out[place..place + 2].copy_from_slice(&indicator.pair(pair));
            }
            place += 2;
        }
        if !last.is_empty() {
            single(&mut lanes, place);
        }
    }
}

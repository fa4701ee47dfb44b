//! The studentised stationary bootstrap: which blocks a draw takes, and what it makes of them.
//!
//! Politis and Romano (1994). All hypotheses with the same number of dates and the same block
//! length share the draws, so a draw is made once and applied to a matrix of prefix sums. Each
//! number depends on its draw and its column alone: draws or columns may be split over threads in
//! any way, and the bits stay the same.
//!
//! ```
//! use finstage_quant::stats::bootstrap::{Draws, PrefixSums, SEED, Tail};
//!
//! let psi: Vec<f64> = (0..500).map(|t| f64::from(t % 7) - 3.0).collect();
//! let sums = PrefixSums::new(&[&psi]).unwrap();
//! let draws = Draws::new(sums.dates(), 10.0, SEED).unwrap();
//! // Two threads may make a half each.
//! let mut stars = draws.t_stars(&sums, 0..500);
//! stars.append(draws.t_stars(&sums, 500..999));
//! let tail = Tail::of(stars.column(0), 1.0);
//! assert_eq!(tail.draws, 999);
//! assert!(tail.p() > 0.0 && tail.p() < 1.0);
//! ```

use std::ops::Range;

use super::random::{SplitMix64, uniform_of};
use crate::wide::{Block as Loop, wide};

/// The seed unless another is asked for.
pub const SEED: u64 = 20_261_120;
/// Draws of every hypothesis.
pub const DRAWS: u64 = 9_999;
/// Draws of a hypothesis with few exceedances, so that a small p-value has a second digit.
pub const MORE_DRAWS: u64 = 199_999;
/// With so many exceedances or fewer, draws go on to [`MORE_DRAWS`].
pub const FEW_EXCEEDANCES: u64 = 10;

/// Columns that are summed together: three sums of each stay in registers.
const TILE: usize = 8;
/// Blocks that are drawn before they are applied to all tiles: they stay in cache.
const BLOCKS_AT_ONCE: usize = 65_536;
/// A variance below this part of its largest term is what rounding left.
const ROUNDING: f64 = 1e-13;

/// A family of draws: dates, mean block length and seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    dates: u32,
    seed: u64,
    lengths: Lengths,
}

impl Draws {
    /// Draws of `dates` dates in blocks of mean length `mean_block`, at least 1. `None` without
    /// dates, with more than 2^31 of them, or with a shorter block.
    #[must_use]
    pub fn new(dates: usize, mean_block: f64, seed: u64) -> Option<Self> {
        let dates = u32::try_from(dates).ok().filter(|&dates| dates > 0 && dates <= 1 << 31)?;
        if !(mean_block.is_finite() && mean_block >= 1.0) {
            return None;
        }
        Some(Self { dates, seed, lengths: Lengths::new(mean_block) })
    }

    /// The blocks of draw number `draw`, appended to `blocks`: starts are uniform, lengths are
    /// geometric, the last one is cut where the draw has as many dates as the sample.
    pub fn blocks(&self, draw: u64, blocks: &mut Vec<Block>) {
        let mut raw = Raw::default();
        raw.draw(self, draw, self.dates);
        raw.cut(0, self.dates, blocks);
    }

    /// `t* = m*/se*` of each of the numbered draws for each column, with `m* = ΣS/D` and
    /// `se* = √Σ(S − l·m*)² / D` over the block sums S of lengths l. A draw without spread (one
    /// block, or a column of zeros) says nothing against chance: its t* is +∞, which counts as an
    /// exceedance.
    ///
    /// # Panics
    ///
    /// When `sums` has another number of dates than the draws.
    #[must_use]
    pub fn t_stars(&self, sums: &PrefixSums, numbers: Range<u64>) -> TStars {
        t_stars_together(&[(self, sums)], numbers).remove(0)
    }

    /// For each column the number of the numbered draws with t* ≥ its threshold; nothing is stored,
    /// so this is for the many further draws of few hypotheses ([`PrefixSums::pick`]). Add what
    /// several ranges give.
    ///
    /// # Panics
    ///
    /// When `sums` has another number of dates than the draws, or of columns than `thresholds`.
    #[must_use]
    pub fn exceedances(
        &self,
        sums: &PrefixSums,
        thresholds: &[f64],
        numbers: Range<u64>,
    ) -> Vec<u64> {
        exceedances_together(&[(self, sums)], &[thresholds], numbers).remove(0)
    }
}

/// [`Draws::t_stars`] of several samples whose draws differ in their dates alone: what is random about
/// a draw is made once for all of them.
///
/// # Panics
///
/// When the draws differ in seed or block length, or as [`Draws::t_stars`].
#[must_use]
pub fn t_stars_together(samples: &[(&Draws, &PrefixSums)], numbers: Range<u64>) -> Vec<TStars> {
    let length = numbers.end.saturating_sub(numbers.start) as usize;
    let empty = |(_, sums): &(&Draws, &PrefixSums)| TStars {
        columns: vec![vec![0.0; length]; sums.columns],
    };
    let mut all: Vec<TStars> = samples.iter().map(empty).collect();
    visit(samples, numbers, |at, t| all[at.sample].columns[at.column][at.place] = t);
    all
}

/// [`Draws::exceedances`] of several samples whose draws differ in their dates alone.
///
/// # Panics
///
/// When the draws differ in seed or block length, or as [`Draws::exceedances`].
#[must_use]
pub fn exceedances_together(
    samples: &[(&Draws, &PrefixSums)],
    thresholds: &[&[f64]],
    numbers: Range<u64>,
) -> Vec<Vec<u64>> {
    assert_eq!(thresholds.len(), samples.len(), "thresholds for each sample");
    for (thresholds, (_, sums)) in thresholds.iter().zip(samples) {
        assert_eq!(thresholds.len(), sums.columns, "a threshold for each column");
    }
    let mut counts: Vec<Vec<u64>> = thresholds.iter().map(|all| vec![0; all.len()]).collect();
    visit(samples, numbers, |at, t| {
        let threshold = thresholds[at.sample][at.column];
        counts[at.sample][at.column] += u64::from(is_exceeded(threshold, t));
    });
    counts
}

/// Whose t* it is.
struct At {
    sample: usize,
    column: usize,
    /// Within the range of draws.
    place: usize,
}

/// Tells `each` of every sample, column and draw the t*.
fn visit(samples: &[(&Draws, &PrefixSums)], numbers: Range<u64>, mut each: impl FnMut(At, f64)) {
    let Some(&(first, _)) = samples.first() else { return };
    for (draws, sums) in samples {
        assert_eq!(sums.dates(), draws.dates as usize, "draws are made for the sample's dates");
        let same = draws.seed == first.seed && draws.lengths.log_stay == first.lengths.log_stay;
        assert!(same, "samples share a seed and a block length");
    }
    let most = samples.iter().map(|(draws, _)| draws.dates).max().unwrap_or(0);
    let (mut raw, mut batch, mut results) = (Raw::default(), Batch::default(), Vec::new());
    let mut next = numbers.start;
    while next < numbers.end {
        let begin = (next - numbers.start) as usize;
        raw.clear();
        while next < numbers.end && raw.lengths.len() < BLOCKS_AT_ONCE {
            raw.draw(first, next, most);
            next += 1;
        }
        for (sample, (draws, sums)) in samples.iter().enumerate() {
            batch.clear();
            for draw in 0..raw.ends.len() {
                raw.cut(draw, draws.dates, &mut batch.blocks);
                batch.ends.push(batch.blocks.len());
            }
            for (tile, rows) in sums.tiles.iter().enumerate() {
                results.clear();
                wide(Apply { rows, batch: &batch, results: &mut results });
                let columns = tile * TILE..sums.columns.min((tile + 1) * TILE);
                for (lane, column) in columns.enumerate() {
                    for (place, row) in results.iter().enumerate() {
                        each(At { sample, column, place: begin + place }, row.0[lane]);
                    }
                }
            }
        }
    }
}

/// What is random about some draws: where blocks start, in bits, and how long they are. It does not
/// depend on the number of dates.
#[derive(Default)]
struct Raw {
    starts: Vec<u64>,
    lengths: Vec<u32>,
    /// Where each draw ends.
    ends: Vec<usize>,
}

impl Raw {
    fn clear(&mut self) {
        self.starts.clear();
        self.lengths.clear();
        self.ends.clear();
    }

    /// Adds a draw, long enough for so many dates.
    fn draw(&mut self, draws: &Draws, number: u64, dates: u32) {
        let mut stream = SplitMix64::of_draw(draws.seed, number);
        let mut left = dates;
        while left > 0 {
            self.starts.push(stream.next_bits());
            let length = draws.lengths.of(stream.next_bits());
            self.lengths.push(length);
            left = left.saturating_sub(length);
        }
        self.ends.push(self.lengths.len());
    }

    /// Appends the blocks of the draw at that place, cut at so many dates.
    fn cut(&self, place: usize, dates: u32, blocks: &mut Vec<Block>) {
        let begin = if place == 0 { 0 } else { self.ends[place - 1] };
        let mut left = dates;
        let all = self.starts[begin..].iter().zip(&self.lengths[begin..]);
        for (&bits, &length) in all {
            let length = length.min(left);
            blocks.push(Block { start: start(bits, dates), length });
            left -= length;
            if left == 0 {
                break;
            }
        }
    }
}

/// ⌊u·dates⌋ of the uniform u that the bits stand for, as doubles have it: the whole part of the exact
/// product, unless that is so near to the next number that a double is rounded up to it.
fn start(bits: u64, dates: u32) -> u32 {
    // A double below 2^31 is exact to 2^-22.
    const NEAR: u64 = 0xffff << 48;
    const UNUSED: u64 = (1 << 11) - 1;
    let product = u128::from(bits & !UNUSED) * u128::from(dates);
    let (whole, part) = ((product >> 64) as u32, product as u64);
    if part >= NEAR { (uniform_of(bits) * f64::from(dates)) as u32 } else { whole }
}

/// Lengths of blocks: geometric with mean L, `1 + ⌊ln(1−u)/ln(1−1/L)⌋` of a uniform u.
///
/// As lengths grow with u, all u of a small range have the same one where both of its ends have; only
/// the others need a logarithm, which would else take longer than all else about a draw.
#[derive(Debug, Clone, PartialEq)]
struct Lengths {
    /// ln(1 − 1/L), at which the chance of a longer block falls with its length.
    log_stay: f64,
    /// The length of each range of u; 0 where it is not the same all over.
    ranges: Box<[u32; RANGES]>,
}

/// Ranges of u: its upper 12 bits.
const RANGES: usize = 1 << 12;

impl Lengths {
    fn new(mean_block: f64) -> Self {
        let log_stay = libm::log(1.0 - 1.0 / mean_block);
        let range = |range: usize| {
            let first = range as f64 / RANGES as f64;
            let beyond = (range + 1) as f64 / RANGES as f64;
            // The last of the numbers with 53 bits.
            let (low, high) = (by_logarithm(first, log_stay), beyond - f64::EPSILON / 2.0);
            if low == by_logarithm(high, log_stay) { low } else { 0 }
        };
        Self { log_stay, ranges: Box::new(std::array::from_fn(range)) }
    }

    /// Of the uniform that the bits stand for.
    fn of(&self, bits: u64) -> u32 {
        match self.ranges[(bits >> 52) as usize] {
            0 => by_logarithm(uniform_of(bits), self.log_stay),
            length => length,
        }
    }
}

fn by_logarithm(uniform: f64, log_stay: f64) -> u32 {
    let further = (libm::log(1.0 - uniform) / log_stay).floor();
    // A cast from f64 stops at the ends of the range.
    (further as u32).saturating_add(1)
}

/// Consecutive dates of the sample; they go on at its beginning where they pass its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The first date.
    pub start: u32,
    /// How many dates, at least one.
    pub length: u32,
}

/// Influence series ψ of many hypotheses over the same dates, as sums from the first date on:
/// the sum of a block is then a difference of two rows, whatever its length.
#[derive(Debug, Clone)]
pub struct PrefixSums {
    columns: usize,
    /// Each holds a few columns side by side; row t is the sum of the dates before t.
    tiles: Vec<Vec<Row>>,
}

/// Neighbouring columns at one date, in one line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Row([f64; TILE]);

impl PrefixSums {
    /// Of one series each column. `None` when there is no column or no date, when lengths differ,
    /// or when a value is not finite.
    #[must_use]
    pub fn new(columns: &[&[f64]]) -> Option<Self> {
        let dates = columns.first()?.len();
        let usable =
            |column: &&[f64]| column.len() == dates && column.iter().all(|value| value.is_finite());
        if dates == 0 || !columns.iter().all(usable) {
            return None;
        }
        let tile = |columns: &[&[f64]]| {
            let mut sums = [0.0; TILE];
            let mut rows = Vec::with_capacity(dates + 1);
            rows.push(Row(sums));
            for date in 0..dates {
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum += column[date];
                }
                rows.push(Row(sums));
            }
            rows
        };
        Some(Self { columns: columns.len(), tiles: columns.chunks(TILE).map(tile).collect() })
    }

    /// Dates of the sample.
    #[must_use]
    pub fn dates(&self) -> usize {
        self.tiles[0].len() - 1
    }

    /// Number of columns.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// The columns of these numbers alone, in this order; `None` when there is none of them, or one
    /// does not exist.
    #[must_use]
    pub fn pick(&self, columns: &[usize]) -> Option<Self> {
        if columns.is_empty() || columns.iter().any(|&column| column >= self.columns) {
            return None;
        }
        let tile = |columns: &[usize]| {
            let row = |date: usize| {
                let mut row = [0.0; TILE];
                for (value, &column) in row.iter_mut().zip(columns) {
                    *value = self.tiles[column / TILE][date].0[column % TILE];
                }
                Row(row)
            };
            (0..=self.dates()).map(row).collect()
        };
        Some(Self { columns: columns.len(), tiles: columns.chunks(TILE).map(tile).collect() })
    }
}

/// t* of draws, column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct TStars {
    columns: Vec<Vec<f64>>,
}

impl TStars {
    /// Those of one column, in the order of the draws.
    ///
    /// # Panics
    ///
    /// When there is no such column.
    #[must_use]
    pub fn column(&self, column: usize) -> &[f64] {
        &self.columns[column]
    }

    /// Adds the draws that follow.
    ///
    /// # Panics
    ///
    /// When `later` has another number of columns.
    pub fn append(&mut self, later: Self) {
        assert_eq!(self.columns.len(), later.columns.len(), "draws of the same columns");
        for (column, mut more) in self.columns.iter_mut().zip(later.columns) {
            column.append(&mut more);
        }
    }
}

/// How many draws were as extreme as what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Draws with t* ≥ t.
    pub exceedances: u64,
    /// Draws made.
    pub draws: u64,
}

impl Tail {
    /// Counts the draws with t* ≥ `t`.
    #[must_use]
    pub fn of(t_stars: &[f64], t: f64) -> Self {
        let exceedances = t_stars.iter().filter(|&&star| is_exceeded(t, star)).count() as u64;
        Self { exceedances, draws: t_stars.len() as u64 }
    }

    /// Whether draws should go on to [`MORE_DRAWS`]: count the further ones of the columns that need
    /// them with [`Draws::exceedances`], and add them with [`Tail::and`].
    #[must_use]
    pub const fn needs_more(&self) -> bool {
        self.exceedances <= FEW_EXCEEDANCES && self.draws < MORE_DRAWS
    }

    /// With the exceedances of `draws` further draws.
    #[must_use]
    pub const fn and(self, exceedances: u64, draws: u64) -> Self {
        Self { exceedances: self.exceedances + exceedances, draws: self.draws + draws }
    }

    /// The p-value `(1 + exceedances)/(1 + draws)`: what was seen counts as a draw, so it is never 0
    /// (Davison and Hinkley 1997, section 4.2).
    #[must_use]
    pub fn p(&self) -> f64 {
        (1 + self.exceedances) as f64 / (1 + self.draws) as f64
    }
}

/// Whether a draw is as extreme as what was seen. What is no number is never rare.
fn is_exceeded(t: f64, star: f64) -> bool {
    t.is_nan() || star >= t
}

/// The blocks of some draws, and where each draw ends.
#[derive(Default)]
struct Batch {
    blocks: Vec<Block>,
    ends: Vec<usize>,
}

impl Batch {
    fn clear(&mut self) {
        self.blocks.clear();
        self.ends.clear();
    }
}

/// Applies the draws of a batch to the columns of a tile.
struct Apply<'a> {
    rows: &'a [Row],
    batch: &'a Batch,
    results: &'a mut Vec<Row>,
}

impl Loop for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut begin = 0;
        for &end in &self.batch.ends {
            let blocks = &self.batch.blocks[begin..end];
            self.results.push(t_star(self.rows, blocks));
            begin = end;
        }
    }
}

/// t* of one draw for the columns of a tile.
#[inline(always)]
fn t_star(rows: &[Row], blocks: &[Block]) -> Row {
    let dates = rows.len() - 1;
    let total = &rows[dates].0;
    let (mut sums, mut squares, mut weighted) = ([0.0; TILE], [0.0; TILE], [0.0; TILE]);
    let mut length_squares = 0.0;
    for block in blocks {
        let start = block.start as usize;
        let end = start + block.length as usize;
        let length = f64::from(block.length);
        length_squares += length * length;
        let from = &rows[start].0;
        let mut block_sums = rows[if end <= dates { end } else { end - dates }].0;
        if end > dates {
            // Goes on at the beginning of the sample.
            block_sums.iter_mut().zip(total).for_each(|(sum, total)| *sum += total);
        }
        for (lane, to) in block_sums.into_iter().enumerate() {
            let sum = to - from[lane];
            sums[lane] += sum;
            squares[lane] += sum * sum;
            weighted[lane] += sum * length;
        }
    }
    let mut stars = [f64::INFINITY; TILE];
    for lane in 0..TILE {
        let mean = sums[lane] / dates as f64;
        let variance = squares[lane] - 2.0 * mean * weighted[lane] + mean * mean * length_squares;
        if variance > ROUNDING * squares[lane] {
            stars[lane] = mean / (variance.sqrt() / dates as f64);
        }
    }
    Row(stars)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_lengths_are_what_the_logarithm_says() {
        for mean_block in [1.0, 1.01, 5.0, 10.0, 42.0, 1e6] {
            let lengths = Lengths::new(mean_block);
            let mut stream = SplitMix64::new(17);
            for _ in 0..20_000 {
                let bits = stream.next_bits();
                let wanted = by_logarithm(uniform_of(bits), lengths.log_stay);
                assert_eq!(lengths.of(bits), wanted);
            }
            for edge in [0, 1 << 62, u64::MAX] {
                let wanted = by_logarithm(uniform_of(edge), lengths.log_stay);
                assert_eq!(lengths.of(edge), wanted);
            }
        }
        let bits = |k: u64| k * (u64::MAX / 1_000);
        let sum: u64 = (0..1_000).map(|k| u64::from(Lengths::new(5.0).of(bits(k)))).sum();
        assert!((4_900..5_100).contains(&sum), "{sum}");
    }

    #[test]
    fn starts_are_those_of_doubles_even_where_they_are_rounded_up() {
        let mut stream = SplitMix64::new(23);
        let as_doubles = |bits, dates| (uniform_of(bits) * f64::from(dates)) as u32;
        for dates in [1, 2, 3, 819, 2_520, 1_000_003, (1 << 31) - 1, 1 << 31] {
            for _ in 0..20_000 {
                let bits = stream.next_bits();
                assert_eq!(start(bits, dates), as_doubles(bits, dates));
            }
            // Just before a whole number.
            for whole in 1..dates.min(500) {
                let next = ((u128::from(whole) << 64) / u128::from(dates)) as u64;
                for bits in [next.wrapping_sub(1), next, next.wrapping_add(1 << 11), u64::MAX] {
                    assert_eq!(start(bits, dates), as_doubles(bits, dates), "{bits} {dates}");
                }
            }
        }
    }
}

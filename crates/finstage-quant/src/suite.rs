//! What every listed indicator must keep. To list one in [`crate::ALL`] is to pass this.
//!
//! The tests of this crate run [`check`] for every entry over generated bars (prices, flat
//! stretches, no volume, NaN, subnormal and huge numbers) and [`check_memory`] over a long random
//! walk.

use finstage_model::Timestamp;

use crate::{BarColumns, BarInput, FOREVER, Field, INPUT_LIMIT, Spec};

/// Checks, over the same bars, that the streaming, the column and the batch form agree bit for bit,
/// that the first answer comes with the last bar of the warm-up and none is missing afterwards
/// (unless the indicator says where: [`Spec::undefined`]), that every answer is finite, and that a
/// column does not look ahead.
///
/// # Panics
/// Names the indicator, the place and the rule that was broken.
pub fn check(spec: &Spec, params: &[f64], bars: &[BarInput]) {
    let name = format!("{}{params:?}", spec.name);
    let columns = columns(spec, params, bars);
    let mut stream = (spec.build)(params);
    let warmup = stream.warmup();
    assert!(stream.memory() >= warmup, "{name}: memory is shorter than warm-up");
    let mut said = vec![f64::NAN; spec.outputs.len()];
    let mut usable_bars = 0;
    for (place, bar) in bars.iter().enumerate() {
        let usable = spec.inputs.iter().all(|&field| number(bar, field).abs() <= INPUT_LIMIT);
        usable_bars = if usable { usable_bars + 1 } else { 0 };
        let answers = stream.update(bar, &mut said);
        let expected = usable_bars >= warmup;
        assert!(
            answers == expected || (!answers && spec.undefined.is_some()),
            "{name}: warm-up is {warmup}, but bar {place}, usable number {usable_bars}"
        );
        for (column, (&value, output)) in columns.iter().zip(said.iter().zip(spec.outputs)) {
            if answers {
                assert!(value.is_finite(), "{name}.{output}[{place}] is {value}");
                assert_eq!(
                    value.to_bits(),
                    column[place].to_bits(),
                    "{name}.{output}[{place}]: streaming {value}, column {}",
                    column[place]
                );
            } else {
                assert!(column[place].is_nan(), "{name}.{output}[{place}] comes too early");
            }
        }
    }
    let half = bars.len() / 2;
    for (whole, part) in columns.iter().zip(self::columns(spec, params, &bars[..half])) {
        assert!(same(&whole[..half], &part), "{name}: it looks ahead: half the bars say otherwise");
    }
}

/// Checks that the batch form says of every parameter set what the column form says, bit for bit.
///
/// # Panics
/// Names the indicator and the set.
pub fn check_batch(spec: &Spec, sets: &[Vec<f64>], bars: &[BarInput]) {
    let stored = Stored::of(bars);
    let mut batch = vec![vec![vec![1.0]]; 1];
    spec.batch(sets, &stored.columns(), &mut batch);
    assert_eq!(batch.len(), sets.len(), "{}: an answer for each set", spec.name);
    for (params, batch) in sets.iter().zip(&batch) {
        for ((column, batch), output) in
            columns(spec, params, bars).iter().zip(batch).zip(spec.outputs)
        {
            let name = spec.name;
            assert!(same(column, batch), "{name}{params:?}.{output}: batch and column differ");
        }
    }
}

/// Checks that an indicator that saw only the last [`crate::Indicator::memory`] bars agrees with
/// one that saw all: bit for bit where memory is the warm-up, to 1e-8 of the greatest number read
/// otherwise (a seed weighs more than the values behind it). Of one that never forgets
/// ([`FOREVER`]) nothing can be asked.
///
/// # Panics
/// When they differ, or when there are no more bars than the memory.
pub fn check_memory(spec: &Spec, params: &[f64], bars: &[BarInput]) {
    let name = format!("{}{params:?}", spec.name);
    let last_answer = |bars: &[BarInput]| {
        let mut stream = (spec.build)(params);
        let mut said = vec![f64::NAN; spec.outputs.len()];
        for bar in bars {
            stream.update(bar, &mut said);
        }
        (said, stream.warmup(), stream.memory())
    };
    let (all, warmup, memory) = last_answer(bars);
    if memory == FOREVER {
        return;
    }
    assert!(memory < bars.len(), "{name}: needs more than {memory} bars to be checked");
    let (recent, ..) = last_answer(&bars[bars.len() - memory..]);
    let read = bars.iter().flat_map(|bar| spec.inputs.iter().map(|&field| number(bar, field)));
    let greatest = read.fold(0.0, |greatest: f64, value| greatest.max(value.abs()));
    for (a, b) in all.iter().zip(&recent) {
        let exact = a.to_bits() == b.to_bits();
        let near = memory > warmup && (a - b).abs() <= 1e-8 * greatest;
        assert!(exact || near, "{name}: {a} with all bars, {b} with the last {memory}");
    }
}

/// The number of a bar that is asked for; 0 for its time, which is always usable.
fn number(bar: &BarInput, field: Field) -> f64 {
    match field {
        Field::OpenTime => 0.0,
        Field::Open => bar.open,
        Field::High => bar.high,
        Field::Low => bar.low,
        Field::Close => bar.close,
        Field::Volume => bar.volume,
    }
}

fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

fn columns(spec: &Spec, params: &[f64], bars: &[BarInput]) -> Vec<Vec<f64>> {
    let mut columns = vec![vec![1.0]; spec.outputs.len()];
    (spec.column)(params, &Stored::of(bars).columns(), &mut columns);
    for column in &columns {
        assert_eq!(column.len(), bars.len(), "{}: a place for each bar", spec.name);
    }
    columns
}

/// Bars turned into columns.
struct Stored {
    open_time: Vec<Timestamp>,
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
}

impl Stored {
    fn of(bars: &[BarInput]) -> Self {
        let column = |field| bars.iter().map(|bar| number(bar, field)).collect();
        Self {
            open_time: bars.iter().map(|bar| bar.open_time).collect(),
            open: column(Field::Open),
            high: column(Field::High),
            low: column(Field::Low),
            close: column(Field::Close),
            volume: column(Field::Volume),
        }
    }

    fn columns(&self) -> BarColumns<'_> {
        BarColumns {
            open_time: &self.open_time,
            open: &self.open,
            high: &self.high,
            low: &self.low,
            close: &self.close,
            volume: &self.volume,
        }
    }
}

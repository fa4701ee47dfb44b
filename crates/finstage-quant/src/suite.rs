//! What every listed indicator must keep. To list one in [`crate::ALL`] is to pass this.
//!
//! The tests of this crate run [`check`] for every entry over generated inputs (prices, flat
//! stretches, NaN, subnormal and huge numbers) and [`check_memory`] over a long random walk.

use crate::Spec;

/// Checks, over one input, that the streaming and the column form agree bit for bit, that the
/// first answer comes with the last input of the warm-up and none is missing afterwards, that every
/// answer is finite, and that a column does not look ahead.
///
/// # Panics
/// Names the indicator, the place and the rule that was broken.
pub fn check(spec: &Spec, params: &[f64], input: &[f64]) {
    let name = format!("{}{params:?}", spec.name);
    let columns = columns(spec, params, input);
    let mut stream = (spec.build)(params);
    let warmup = stream.warmup();
    assert!(stream.memory() >= warmup, "{name}: memory is shorter than warm-up");
    let mut said = vec![f64::NAN; spec.outputs.len()];
    let mut usable_inputs = 0;
    for (place, &close) in input.iter().enumerate() {
        let usable = close.abs() <= crate::INPUT_LIMIT;
        usable_inputs = if usable { usable_inputs + 1 } else { 0 };
        let answers = stream.update(close, &mut said);
        assert_eq!(
            answers,
            usable_inputs >= warmup,
            "{name}: warm-up is {warmup}, but input {place}, usable number {usable_inputs}"
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
    let half = input.len() / 2;
    for (whole, part) in columns.iter().zip(self::columns(spec, params, &input[..half])) {
        let same = whole[..half].iter().zip(&part).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{name}: a column over half the input differs: it looks ahead");
    }
}

/// Checks that an indicator that saw only the last [`crate::Indicator::memory`] inputs agrees with
/// one that saw all: bit for bit where memory is the warm-up, to 1e-8 of the greatest input
/// otherwise (a seed weighs more than the values behind it).
///
/// # Panics
/// When they differ, or when `input` is not longer than the memory.
pub fn check_memory(spec: &Spec, params: &[f64], input: &[f64]) {
    let name = format!("{}{params:?}", spec.name);
    let last_answer = |input: &[f64]| {
        let mut stream = (spec.build)(params);
        let mut said = vec![f64::NAN; spec.outputs.len()];
        for &close in input {
            stream.update(close, &mut said);
        }
        (said, stream.warmup(), stream.memory())
    };
    let (all, warmup, memory) = last_answer(input);
    assert!(memory < input.len(), "{name}: needs more than {memory} inputs to be checked");
    let (recent, ..) = last_answer(&input[input.len() - memory..]);
    let greatest = input.iter().fold(0.0, |greatest: f64, value| greatest.max(value.abs()));
    for (a, b) in all.iter().zip(&recent) {
        let exact = a.to_bits() == b.to_bits();
        let near = memory > warmup && (a - b).abs() <= 1e-8 * greatest;
        assert!(exact || near, "{name}: {a} with all inputs, {b} with the last {memory}");
    }
}

fn columns(spec: &Spec, params: &[f64], input: &[f64]) -> Vec<Vec<f64>> {
    let mut columns = vec![Vec::new(); spec.outputs.len()];
    (spec.column)(params, input, &mut columns);
    assert_eq!(columns.len(), spec.outputs.len(), "{}: a column for each output", spec.name);
    for column in &columns {
        assert_eq!(column.len(), input.len(), "{}: a place for each input", spec.name);
    }
    columns
}

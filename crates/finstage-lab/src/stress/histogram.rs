use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use super::Percentiles;

/// The longest that is told apart; more counts as this.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Digits that are kept: an answer is off by a thousandth at most.
const DIGITS: u8 = 3;

/// How long things took: counts by duration, in microseconds, three significant digits, in constant
/// memory (Gil Tene's HdrHistogram).
///
/// It is small until something is recorded, and again after [`compact`](Self::compact): then it holds
/// what occurred and nothing else, some kilobytes for a second of a test.
///
/// As JSON it is the histogram's V2 form, compressed, in base64: what a line of an HdrHistogram log
/// carries, so that other tools read it.
#[derive(Debug, Clone)]
pub struct Latencies(Form);

#[derive(Debug, Clone)]
enum Form {
    /// A place for every duration, 180 KB: recording is an addition.
    Dense(Box<Histogram<u64>>),
    /// Each duration in µs that occurred, ascending, and how often; one that occurred more often than
    /// the number holds comes again.
    Sparse(Vec<(u32, u32)>),
}

impl Latencies {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Form::Sparse(Vec::new()))
    }

    /// One more. What took less than a microsecond counts as one.
    pub fn record(&mut self, took: Duration) {
        self.record_micros(took.as_micros().try_into().unwrap_or(u64::MAX));
    }

    /// As [`record`](Self::record), in microseconds.
    pub fn record_micros(&mut self, micros: u64) {
        self.dense_mut().saturating_record(micros.max(1));
    }

    /// All that `other` counted too.
    pub fn add(&mut self, other: &Self) {
        match &other.0 {
            Form::Sparse(pairs) if pairs.is_empty() => {}
            Form::Sparse(pairs) => {
                let all = self.dense_mut();
                for (value, count) in pairs {
                    all.saturating_record_n(u64::from(*value), u64::from(*count));
                }
            }
            Form::Dense(other) if other.is_empty() => {}
            Form::Dense(other) => {
                self.dense_mut().add(&**other).expect("all have the same bounds");
            }
        }
    }

    /// As new; memory is kept.
    pub fn clear(&mut self) {
        match &mut self.0 {
            Form::Dense(counts) if !counts.is_empty() => counts.reset(),
            Form::Dense(_) => {}
            Form::Sparse(pairs) => pairs.clear(),
        }
    }

    /// Gives back what memory it does not need; the next that is recorded takes it again.
    pub fn compact(&mut self) {
        if let Form::Dense(counts) = &self.0 {
            let mut pairs = Vec::new();
            for step in counts.iter_recorded() {
                let value = u32::try_from(step.value_iterated_to()).unwrap_or(u32::MAX);
                let mut left = step.count_at_value();
                while left > 0 {
                    let some = u32::try_from(left).unwrap_or(u32::MAX);
                    pairs.push((value, some));
                    left -= u64::from(some);
                }
            }
            pairs.shrink_to_fit();
            self.0 = Form::Sparse(pairs);
        }
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        match &self.0 {
            Form::Dense(counts) => counts.len(),
            Form::Sparse(pairs) => pairs.iter().map(|(_, count)| u64::from(*count)).sum(),
        }
    }

    /// The duration in ms that `quantile` (0 to 1) of all stay within; `None` of none.
    #[must_use]
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let counts = self.dense();
        (!counts.is_empty()).then(|| counts.value_at_quantile(quantile) as f64 / 1000.0)
    }

    /// The figures people ask for.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let counts = self.dense();
        let some = |value: f64| (!counts.is_empty()).then_some(value / 1000.0);
        let quantile = |quantile| some(counts.value_at_quantile(quantile) as f64);
        Percentiles {
            count: counts.len(),
            mean_ms: some(counts.mean()),
            std_ms: some(counts.stdev()),
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            max_ms: some(counts.max() as f64),
        }
    }

    /// Each duration in ms that occurred, with the share (0 to 1) of all that stays within it.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let all = self.count().max(1) as f64;
        let mut seen = 0_u64;
        self.occurred().into_iter().map(move |(value, count)| {
            seen += u64::from(count);
            (f64::from(value) / 1000.0, seen as f64 / all)
        })
    }

    /// The V2 form, compressed, in base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&*self.dense(), &mut bytes)
            .expect("a vector takes whatever is written");
        STANDARD.encode(bytes)
    }

    /// What [`to_base64`](Self::to_base64) wrote, or another tool with the same bounds or narrower.
    /// `None` where it does not read.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
        let mut all = empty();
        for step in read.iter_recorded() {
            let (value, count) = (step.value_iterated_to(), step.count_at_value());
            all.saturating_record_n(value.max(1), count);
        }
        let mut all = Self(Form::Dense(Box::new(all)));
        all.compact();
        Some(all)
    }

    fn occurred(&self) -> Vec<(u32, u32)> {
        let mut small = self.clone();
        small.compact();
        match small.0 {
            Form::Sparse(pairs) => pairs,
            Form::Dense(_) => unreachable!("invariant: it was made sparse in the line before"),
        }
    }

    fn dense(&self) -> Cow<'_, Histogram<u64>> {
        match &self.0 {
            Form::Dense(counts) => Cow::Borrowed(counts),
            Form::Sparse(pairs) => Cow::Owned(filled(pairs)),
        }
    }

    fn dense_mut(&mut self) -> &mut Histogram<u64> {
        if let Form::Sparse(pairs) = &self.0 {
            self.0 = Form::Dense(Box::new(filled(pairs)));
        }
        match &mut self.0 {
            Form::Dense(counts) => counts,
            Form::Sparse(_) => unreachable!("invariant: it was made dense in the line before"),
        }
    }
}

fn empty() -> Histogram<u64> {
    let counts = Histogram::new_with_bounds(1, LONGEST.as_micros() as u64, DIGITS);
    counts.expect("1 µs to an hour at three digits is within what it can hold")
}

fn filled(pairs: &[(u32, u32)]) -> Histogram<u64> {
    let mut counts = empty();
    for (value, count) in pairs {
        counts.saturating_record_n(u64::from(*value), u64::from(*count));
    }
    counts
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Latencies {
    fn eq(&self, other: &Self) -> bool {
        self.occurred() == other.occurred()
    }
}

impl Serialize for Latencies {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::from_base64(&text)
            .ok_or_else(|| serde::de::Error::custom("not an HdrHistogram of the V2 form in base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_adds_up() {
        let mut a = Latencies::new();
        for ms in 1..=1000 {
            a.record(Duration::from_millis(ms));
        }
        let back = Latencies::from_base64(&a.to_base64()).unwrap();
        assert_eq!(back, a);
        let mut both = back;
        both.add(&a);
        assert_eq!(both.count(), 2000);
        let p99 = both.quantile_ms(0.99).unwrap();
        assert!((p99 / 990.0 - 1.0).abs() < 0.001, "{p99}");
        let (last, share) = both.cumulative().last().unwrap();
        assert!((last / 1000.0 - 1.0).abs() < 0.001 && share == 1.0);
    }

    #[test]
    fn a_compact_one_says_the_same_and_goes_on() {
        let mut a = Latencies::new();
        for micros in (1..2_000_000).step_by(977) {
            a.record_micros(micros);
        }
        let mut b = a.clone();
        b.compact();
        assert_eq!((a.percentiles(), a.to_base64()), (b.percentiles(), b.to_base64()));
        let (mut c, mut d) = (b.clone(), Latencies::new());
        c.add(&a);
        d.add(&b);
        d.add(&b);
        assert_eq!(c, d);
        b.record_micros(5);
        assert_eq!(b.count(), a.count() + 1);
        b.clear();
        assert_eq!(b, Latencies::new());
    }

    #[test]
    fn nothing_has_no_percentiles_and_an_eternity_is_an_hour() {
        let mut a = Latencies::new();
        assert_eq!(a.percentiles().p99_ms, None);
        a.record(Duration::from_secs(1_000_000));
        a.record(Duration::ZERO);
        assert_eq!(a.count(), 2);
        assert!(a.percentiles().max_ms.unwrap() < 3_700_000.0);
        assert_eq!(Latencies::from_base64("AAAA"), None);
    }
}

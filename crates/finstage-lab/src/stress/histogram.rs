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
/// As JSON it is the histogram's V2 form, compressed, in base64: what a line of an HdrHistogram log
/// carries, so that other tools read it.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let longest = LONGEST.as_micros() as u64;
        let counts = Histogram::new_with_bounds(1, longest, DIGITS);
        Self(counts.expect("1 µs to an hour at three digits is within what it can hold"))
    }

    /// One more. What took less than a microsecond counts as one.
    pub fn record(&mut self, took: Duration) {
        self.record_micros(took.as_micros().try_into().unwrap_or(u64::MAX));
    }

    /// As [`record`](Self::record), in microseconds.
    pub fn record_micros(&mut self, micros: u64) {
        self.0.saturating_record(micros.max(1));
    }

    /// All that `other` counted too.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// As new; memory is kept.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration in ms that `quantile` (0 to 1) of all stay within; `None` of none.
    #[must_use]
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        (self.count() > 0).then(|| self.0.value_at_quantile(quantile) as f64 / 1000.0)
    }

    /// The figures people ask for.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let some = |value: f64| (self.count() > 0).then_some(value);
        Percentiles {
            count: self.count(),
            mean_ms: some(self.0.mean() / 1000.0),
            std_ms: some(self.0.stdev() / 1000.0),
            p50_ms: self.quantile_ms(0.5),
            p90_ms: self.quantile_ms(0.9),
            p95_ms: self.quantile_ms(0.95),
            p99_ms: self.quantile_ms(0.99),
            p999_ms: self.quantile_ms(0.999),
            max_ms: some(self.0.max() as f64 / 1000.0),
        }
    }

    /// Each duration in ms that occurred, with the share (0 to 1) of all that stays within it.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let all = self.count().max(1) as f64;
        let mut seen = 0_u64;
        self.0.iter_recorded().map(move |step| {
            seen += step.count_since_last_iteration();
            (step.value_iterated_to() as f64 / 1000.0, seen as f64 / all)
        })
    }

    /// The V2 form, compressed, in base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.0, &mut bytes)
            .expect("a vector takes whatever is written");
        STANDARD.encode(bytes)
    }

    /// What [`to_base64`](Self::to_base64) wrote, or another tool with the same bounds or narrower.
    /// `None` where it does not read.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
        let mut all = Self::new();
        for step in read.iter_recorded() {
            let (value, count) = (step.value_iterated_to(), step.count_at_value());
            all.0.saturating_record_n(value.max(1), count);
        }
        Some(all)
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Latencies {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
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

//! The slices for other programs.

use std::fmt::Write as _;

use super::super::Outcome;

/// The slices as CSV: a line each, times in ms, empty where nothing was answered.
#[must_use]
pub fn csv(outcome: &Outcome) -> String {
    let mut out = String::from(
        "at_s,length_s,due,sent,ok,failed,rate_limited,shed,in_flight,generator_bound,answers,mean_ms,p50_ms,\
         p90_ms,p95_ms,p99_ms,p999_ms,max_ms\n",
    );
    for s in &outcome.slices {
        let p = s.latency.percentiles();
        let _ = write!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{}",
            s.at_s,
            s.length_s,
            s.due,
            s.sent,
            s.ok,
            s.failed,
            s.rate_limited,
            s.shed,
            s.in_flight,
            s.generator_bound,
            p.count
        );
        for ms in [p.mean_ms, p.p50_ms, p.p90_ms, p.p95_ms, p.p99_ms, p.p999_ms, p.max_ms] {
            match ms {
                Some(ms) => drop(write!(out, ",{}", (ms * 1000.0).round() / 1000.0)),
                None => out.push(','),
            }
        }
        out.push('\n');
    }
    out
}

/// The slices as an HdrHistogram log of version 1.3, which HistogramLogAnalyzer, hdr-plot and others read:
/// values in µs, from when each was due.
#[must_use]
pub fn hlog(outcome: &Outcome, made_by: &str) -> String {
    let start = outcome.started_at.millis() as f64 / 1000.0;
    let mut out = format!(
        "#[{made_by}: load test of {}; values in microseconds]\n#[Histogram log format version 1.3]\n\
         #[StartTime: {start:.3} (seconds since epoch), {}]\n#[BaseTime: {start:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        outcome.target.replace(['\n', '\r'], " "),
        outcome.started_at
    );
    for slice in &outcome.slices {
        let max = slice.latency.percentiles().max_ms.unwrap_or(0.0);
        let _ = writeln!(
            out,
            "{:.3},{:.3},{max:.3},{}",
            slice.at_s,
            slice.length_s,
            slice.latency.to_base64()
        );
    }
    out
}

//! Where a server stands still for a while: the seconds in which that happens stick out, and come again.

use super::super::Slice;
use super::super::figures::{moment, time};
use super::{Both, Found, Outcome, Severity, percents};

/// A second sticks out when its slowest are this many times, and by so many ms, above the usual ones.
const TIMES: f64 = 5.0;
const BY_MS: f64 = 20.0;
/// The slowest of a second: this part of its arrivals, three at least, so that one unlucky answer is none.
const SLOWEST: f64 = 0.01;
const SLOWEST_COUNT: f64 = 3.0;
/// Fewer seconds have no pattern.
const SECONDS: usize = 6;
/// From this share on seconds do not stick out any more: only a period tells a stall from a tail.
const MOST: f64 = 0.9;
/// How alike a series is with itself one period later.
const ALIKE: f64 = 0.6;

/// Seconds in which a server stood still.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Stalls {
    /// When each began, in seconds since the start: to a slice.
    pub(in super::super) begins: Vec<f64>,
    /// The time between two, where it is always the same, in seconds.
    pub(in super::super) period_s: Option<f64>,
    /// The longest wait, in ms: in an open model as long as the server stood still.
    pub(in super::super) longest_ms: f64,
    /// What the slowest of the other seconds usually take, in ms.
    usual_ms: f64,
    /// Seconds with a stall, as a share of all.
    share: f64,
}

/// Finds them, where there are some and not everything is one.
pub(in super::super) fn stalls(slices: &[Slice]) -> Option<Stalls> {
    let slices: Vec<&Slice> = slices.iter().filter(|s| s.latency.count() > 0).collect();
    if slices.len() < SECONDS {
        return None;
    }
    let slowest: Vec<f64> = slices.iter().map(|slice| slowest_ms(slice)).collect();
    let mut usual: Vec<f64> = slices.iter().filter_map(|s| s.latency.quantile_ms(0.9)).collect();
    usual.sort_by(f64::total_cmp);
    let usual_ms = usual[usual.len() / 4];
    let bound = (TIMES * usual_ms).max(usual_ms + BY_MS);
    let is_stalled: Vec<bool> = slowest.iter().map(|ms| *ms > bound).collect();
    let count = is_stalled.iter().filter(|stalled| **stalled).count();
    // A second of a stall that goes on into the next is one stall.
    let begins = (0..slices.len()).filter(|&i| is_stalled[i] && (i == 0 || !is_stalled[i - 1]));
    let begins: Vec<f64> = begins.map(|i| slices[i].at_s).collect();
    let length_s = slices[0].length_s;
    let share = count as f64 / slices.len() as f64;
    let period_s = match share {
        share if share < MOST => regular(&begins, length_s),
        _ => period_of(&slowest).map(|lag| lag as f64 * length_s),
    };
    // An overload at the end, which nothing follows, is no stall; nor is a server that is always so.
    let ends_stalled = begins.len() == 1 && is_stalled.last() == Some(&true);
    if count == 0 || (period_s.is_none() && (ends_stalled || share >= MOST)) {
        return None;
    }
    let waits = slices.iter().zip(&is_stalled).filter(|(_, stalled)| **stalled);
    let longest_ms = waits.filter_map(|(s, _)| s.latency.quantile_ms(1.0)).fold(0.0, f64::max);
    Some(Stalls { begins, period_s, longest_ms, usual_ms, share })
}

fn slowest_ms(slice: &Slice) -> f64 {
    let part = SLOWEST.max(SLOWEST_COUNT / slice.latency.count() as f64).min(1.0);
    slice.latency.quantile_ms(1.0 - part).unwrap_or(0.0)
}

/// The time between begins, where each is within a slice of the mean.
fn regular(begins: &[f64], length_s: f64) -> Option<f64> {
    let [first, _, .., last] = begins else { return None };
    let mean = (last - first) / (begins.len() - 1) as f64;
    let is_regular = begins.windows(2).all(|two| (two[1] - two[0] - mean).abs() <= length_s);
    is_regular.then_some(mean)
}

/// After how many slices a series is most like itself; `None` where it never is.
fn period_of(series: &[f64]) -> Option<usize> {
    let mean = series.iter().sum::<f64>() / series.len() as f64;
    let off: Vec<f64> = series.iter().map(|value| value - mean).collect();
    let all: f64 = off.iter().map(|value| value * value).sum();
    if all <= 0.0 {
        return None;
    }
    (2..=series.len() / 3).find(|&lag| {
        let together: f64 = off.iter().zip(&off[lag..]).map(|(a, b)| a * b).sum();
        // Fewer pairs the longer the lag.
        together / all * series.len() as f64 / (series.len() - lag) as f64 > ALIKE
    })
}

pub(super) fn stall(outcome: &Outcome) -> Vec<Found> {
    let Some(stalls) = stalls(&outcome.slices) else { return Vec::new() };
    let (longest, usual) = (time(stalls.longest_ms), time(stalls.usual_ms));
    let (share_en, share_ko) = percents(stalls.share);
    let times = stalls.begins.len();
    let (when_en, when_ko) = match (stalls.period_s, stalls.begins.first()) {
        (Some(period), _) => {
            let period = moment(period);
            (
                format!("Every {period} the server stood still"),
                format!("{period} 간격으로 서버가 멈췄습니다"),
            )
        }
        (None, Some(first)) if times == 1 => {
            let at = moment(*first);
            (
                format!("Once, at {at}, the server stood still"),
                format!("{at}에 서버가 한 번 멈췄습니다"),
            )
        }
        _ => (
            format!("{times} times the server stood still"),
            format!("서버가 {times}번 멈췄습니다"),
        ),
    };
    vec![Found {
        what: "stall",
        severity: if stalls.share > 0.1 { Severity::High } else { Severity::Medium },
        figure: "slices.latency".into(),
        value: stalls.longest_ms,
        bound: (TIMES * stalls.usual_ms).max(stalls.usual_ms + BY_MS),
        text: Both::new(
            format!(
                "{when_en}, for {longest} at most; in {share_en} of the seconds; the others stay near {usual}."
            ),
            format!(
                "{when_ko}. 최대 {longest}, 전체 구간의 {share_ko}이며 나머지는 {usual} 안팎입니다."
            ),
        ),
        advice: Some(Both::new(
            format!(
                "Look for what recurs and holds everything up for {longest}: garbage collection, flushes, locks, jobs by the clock. A test that waits for answers before it sends would hide most of it."
            ),
            format!(
                "{longest} 동안 모든 것을 멈추게 하는 반복 작업(GC, flush, 잠금, 주기 작업)을 찾으십시오. 응답을 기다렸다 보내는 시험에서는 대부분 가려집니다."
            ),
        )),
    }]
}

//! Conditions that a load test must meet, as people type them: `p99<50ms`, `failed<1%`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Latencies, Outcome, Percentiles};

/// What can be written, for error messages.
const FIGURES: &str = "p50 p90 p95 p99 p99.9 (any percentile), mean, std, max, service.p99 and so on, \
                       ok, failed, rate_limited, shed, sent, rps, reconnects, missed, errors.NAME";

/// A condition on one figure of an [`Outcome`]. Text form: a figure, `<` `<=` `>` `>=` or `==`, and a
/// number: times with their unit (`us`, `ms`, `s`), counts bare, shares with `%`.
///
/// ```
/// use finstage_lab::stress::Threshold;
/// let all = ["p99<50ms", "failed <= 1%", "rate_limited==0", "rps>100", "service.p95<2s"];
/// for text in all {
///     assert_eq!(text.parse::<Threshold>().unwrap().to_string(), text);
/// }
/// assert!("p99<50".parse::<Threshold>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    text: String,
    figure: Figure,
    comparison: Comparison,
    /// Ms, a count, or a share of 1.
    bound: f64,
    is_share: bool,
}

/// Whether a threshold held, and by which figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// As it was typed.
    pub threshold: String,
    /// What was measured, in the unit of the threshold: ms, a count, or percent; `None` where there
    /// was nothing to measure.
    pub value: Option<f64>,
    /// Whether it holds. Of nothing, no time holds.
    pub holds: bool,
}

/// Holds all thresholds against what was measured, in their order.
#[must_use]
pub fn check(thresholds: &[Threshold], outcome: &Outcome) -> Vec<Checked> {
    thresholds.iter().map(|threshold| threshold.check(outcome)).collect()
}

impl Threshold {
    /// Holds it against what was measured.
    #[must_use]
    pub fn check(&self, outcome: &Outcome) -> Checked {
        let value = self.figure.of(outcome, self.is_share);
        Checked {
            threshold: self.text.clone(),
            value: value.map(|value| if self.is_share { 100.0 * value } else { value }),
            holds: value.is_some_and(|value| self.comparison.holds(value, self.bound)),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Figure {
    /// From when each was due, or from when it left.
    Time(From, Statistic),
    Count(Count),
    /// Failures of one name.
    Error(String),
    Rps,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum From {
    Due,
    Sent,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Statistic {
    /// From 0 to 1.
    Quantile(f64),
    Mean,
    Std,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Count {
    Sent,
    Ok,
    Failed,
    RateLimited,
    Shed,
    Reconnects,
    Missed,
}

impl Figure {
    fn parse(text: &str) -> Option<Self> {
        let (from, rest) = match text.split_once('.') {
            Some(("service", rest)) => (From::Sent, rest),
            Some(("errors", name)) if !name.is_empty() => return Some(Self::Error(name.into())),
            _ => (From::Due, text),
        };
        let count = match rest {
            "sent" => Count::Sent,
            "ok" => Count::Ok,
            "failed" => Count::Failed,
            "rate_limited" => Count::RateLimited,
            "shed" => Count::Shed,
            "reconnects" => Count::Reconnects,
            "missed" => Count::Missed,
            "rps" if from == From::Due => return Some(Self::Rps),
            _ => return Statistic::parse(rest, from).map(|what| Self::Time(from, what)),
        };
        (from == From::Due).then_some(Self::Count(count))
    }

    /// Ms, a count or a rate, or a share of 1.
    fn of(&self, outcome: &Outcome, is_share: bool) -> Option<f64> {
        let (count, all) = match self {
            Self::Rps => return Some(outcome.rps),
            Self::Time(From::Due, what) => {
                return what.of(&outcome.latency, Some(&outcome.histogram));
            }
            Self::Time(From::Sent, what) => return what.of(&outcome.service, None),
            Self::Error(name) => (outcome.errors.get(name).copied().unwrap_or(0), outcome.sent),
            Self::Count(count) => count.of(outcome),
        };
        Some(if is_share { count as f64 / all.max(1) as f64 } else { count as f64 })
    }
}

impl Statistic {
    /// `p99.9` and `p999` are the same, as in the document.
    fn parse(text: &str, from: From) -> Option<Self> {
        match text.strip_suffix("_ms").unwrap_or(text) {
            "mean" => return Some(Self::Mean),
            "std" => return Some(Self::Std),
            "max" => return Some(Self::Max),
            _ => {}
        }
        let digits = text.strip_suffix("_ms").unwrap_or(text).strip_prefix('p')?;
        if !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return None;
        }
        let percent: f64 = match digits.strip_prefix("99") {
            Some(nines) if !nines.is_empty() && nines.bytes().all(|b| b.is_ascii_digit()) => {
                format!("99.{nines}").parse().ok()?
            }
            _ => digits.parse().ok()?,
        };
        // Of service times only the figures of the document are there.
        let is_kept = [50.0, 90.0, 95.0, 99.0, 99.9].contains(&percent);
        let is_known = (0.0..=100.0).contains(&percent) && (from == From::Due || is_kept);
        is_known.then_some(Self::Quantile(percent / 100.0))
    }

    fn of(self, figures: &Percentiles, all: Option<&Latencies>) -> Option<f64> {
        match self {
            Self::Mean => figures.mean_ms,
            Self::Std => figures.std_ms,
            Self::Max => figures.max_ms,
            Self::Quantile(quantile) => match (quantile * 1000.0).round() as u32 {
                500 => figures.p50_ms,
                900 => figures.p90_ms,
                950 => figures.p95_ms,
                990 => figures.p99_ms,
                999 if (quantile - 0.999).abs() < 1e-9 => figures.p999_ms,
                _ => all.and_then(|all| all.quantile_ms(quantile)),
            },
        }
    }
}

impl Count {
    /// How many, and of how many.
    fn of(self, outcome: &Outcome) -> (u64, u64) {
        let messages = outcome.messages.as_ref();
        let received = messages.map_or(0, |m| m.received);
        match self {
            Self::Sent => (outcome.sent, outcome.sent + outcome.shed),
            Self::Ok => (outcome.ok, outcome.sent),
            Self::Failed => (outcome.failed, outcome.sent),
            Self::RateLimited => (outcome.rate_limited, outcome.sent),
            Self::Shed => (outcome.shed, outcome.sent + outcome.shed),
            Self::Reconnects => {
                let reconnects = messages.map_or(outcome.generator.reconnects, |m| m.reconnects);
                (reconnects, messages.map_or(outcome.generator.connections, |m| m.connections))
            }
            Self::Missed => {
                let missed = messages.map_or(0, |m| m.missed);
                (missed, received + missed)
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
}

impl Comparison {
    /// Longer signs first: `<` begins `<=` too.
    const ALL: [(&'static str, Self); 5] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("==", Self::Equal),
        ("<", Self::Below),
        (">", Self::Above),
    ];

    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            Self::Equal => (value - bound).abs() < 1e-9,
        }
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("threshold \"{text}\": {why}");
        let found = text.find(['<', '>', '=']).and_then(|at| {
            let sign = Comparison::ALL.iter().find(|(sign, _)| text[at..].starts_with(sign))?;
            Some((text[..at].trim(), sign.1, text[at + sign.0.len()..].trim()))
        });
        let Some((name, comparison, number)) = found else {
            return Err(wrong("no comparison: write one such as p99<50ms, failed<1% or rps>100"));
        };
        let Some(figure) = Figure::parse(name) else {
            return Err(wrong(&format!("no figure is called \"{name}\": there are {FIGURES}")));
        };
        let digits =
            number.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%' || c == 'µ');
        let unit = number[digits.len()..].trim();
        let bound = digits.trim().parse::<f64>().ok().filter(|b| b.is_finite() && *b >= 0.0);
        let Some(bound) = bound else {
            return Err(wrong(&format!(
                "\"{number}\" is no number: write one such as 50ms, 1% or 100"
            )));
        };
        let (factor, is_share) = match (&figure, unit) {
            (Figure::Time(..), "us" | "µs") => (0.001, false),
            (Figure::Time(..), "ms") => (1.0, false),
            (Figure::Time(..), "s") => (1000.0, false),
            (Figure::Time(..), _) => {
                return Err(wrong(&format!(
                    "a time needs its unit: write {name}<50ms, us, ms or s"
                )));
            }
            (Figure::Rps, "" | "rps") | (Figure::Count(_) | Figure::Error(_), "") => (1.0, false),
            (Figure::Count(_) | Figure::Error(_), "%") => (0.01, true),
            _ => {
                return Err(wrong(&format!(
                    "\"{unit}\" is no unit of {name}: write {name}<1% or a count"
                )));
            }
        };
        Ok(Self { text: text.to_owned(), figure, comparison, bound: bound * factor, is_share })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stress::Kind;

    /// 1,000 sent: 980 fine, 15 refused, 5 timeouts; 1 ms to 1,000 ms.
    fn outcome() -> Outcome {
        let mut outcome = Outcome::new(Kind::Http, "http://127.0.0.1:1");
        for ms in 1..=1000 {
            outcome.histogram.record(Duration::from_millis(ms));
        }
        (outcome.sent, outcome.ok, outcome.failed, outcome.rate_limited) = (1000, 980, 20, 15);
        outcome.errors = [("429_RateLimit".into(), 15), ("TimeoutError".into(), 5)].into();
        outcome.latency = outcome.histogram.percentiles();
        outcome.service = Percentiles { count: 1000, p99_ms: Some(7.0), ..Percentiles::default() };
        outcome.rps = 99.5;
        outcome.shed = 250;
        outcome
    }

    fn holds(text: &str) -> bool {
        text.parse::<Threshold>().unwrap().check(&outcome()).holds
    }

    #[test]
    fn each_figure_is_held_against_its_bound_in_its_own_unit() {
        for held in [
            "p99<1s",
            "p50<=501ms",
            "p99.9 > 990ms",
            "p999>990ms",
            "p75<751ms",
            "max<1.1s",
            "mean>500000us",
            "service.p99==7ms",
            "failed<=2%",
            "failed==20",
            "rate_limited<1.6%",
            "shed==20%",
            "ok>=98%",
            "rps>99",
            "errors.TimeoutError<1%",
            "errors.Nothing==0",
            "reconnects==0",
        ] {
            assert!(holds(held), "{held}");
        }
        for broken in ["p99<50ms", "failed<2%", "rate_limited==0", "rps>100", "max<1s", "ok>99%"] {
            assert!(!holds(broken), "{broken}");
        }
        let checked = "failed<1%".parse::<Threshold>().unwrap().check(&outcome());
        assert_eq!(
            checked,
            Checked { threshold: "failed<1%".into(), value: Some(2.0), holds: false }
        );
    }

    #[test]
    fn of_nothing_no_time_holds_and_every_share_is_none() {
        let nothing = Outcome::new(Kind::Http, "http://127.0.0.1:1");
        let check = |text: &str| text.parse::<Threshold>().unwrap().check(&nothing);
        assert_eq!((check("p99<50ms").value, check("p99<50ms").holds), (None, false));
        assert_eq!((check("failed<1%").value, check("failed<1%").holds), (Some(0.0), true));
        assert!(!check("rps>0").holds);
    }

    #[test]
    fn what_does_not_read_says_what_to_write() {
        for (text, word) in [
            ("p99", "no comparison"),
            ("p99<50", "needs its unit"),
            ("p101<1ms", "no figure"),
            ("speed<1", "no figure is called \"speed\""),
            ("failed<1ms", "no unit of failed"),
            ("rps>1%", "no unit of rps"),
            ("p99<ms", "no number"),
            ("service.p42<1ms", "no figure"),
            ("p99<-1ms", "no number"),
        ] {
            let error = text.parse::<Threshold>().unwrap_err();
            assert!(error.contains(word) && !error.contains('\n'), "{error}");
        }
    }
}

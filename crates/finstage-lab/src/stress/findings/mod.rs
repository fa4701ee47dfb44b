//! What follows from the figures of a load test, and what to do about it.
//!
//! A pure function of an [`Outcome`]: each finding names the figure it comes from, its value and what
//! it was held against, so that nothing has to be believed. Every rule is one function; `RULES` is
//! their list.

mod errors;
mod feed;
mod latency;
mod load;
mod refused;
mod stall;

use super::{Finding, Language, Outcome, Recommendation, Severity};

pub(super) use self::load::in_flight;
pub(super) use self::stall::stalls;

/// The rules, in the order in which equals are told.
const RULES: &[fn(&Outcome) -> Vec<Found>] = &[
    load::generator_bound,
    refused::banned,
    errors::unreachable,
    refused::rate_limited,
    errors::timeouts,
    errors::resets,
    errors::server_errors,
    errors::client_errors,
    load::shed,
    latency::slow_endpoint,
    latency::failing_endpoint,
    stall::stall,
    latency::slow,
    latency::tail,
    load::knee,
    load::littles_law,
    feed::incomplete,
    feed::reconnects,
    feed::gaps,
    feed::unread,
    feed::clock,
    refused::used_weight,
    latency::few,
];

/// What follows, the gravest first, and a recommendation for each that has one. A test that sent
/// nothing has one finding, which says so.
#[must_use]
pub fn find(outcome: &Outcome, language: Language) -> (Vec<Finding>, Vec<Recommendation>) {
    let mut all: Vec<Found> = match outcome.sent {
        0 => load::nothing_sent(outcome),
        _ => RULES.iter().flat_map(|rule| rule(outcome)).collect(),
    };
    all.sort_by_key(|found| std::cmp::Reverse(found.severity));
    let advice = all.iter().filter_map(|found| {
        let text = found.advice.as_ref()?.in_language(language);
        Some(Recommendation { finding: found.what.to_owned(), text })
    });
    let advice = advice.collect();
    (all.into_iter().map(|found| found.finding(language)).collect(), advice)
}

/// Writes what follows into the outcome, in place of what stood there.
pub fn fill(outcome: &mut Outcome, language: Language) {
    (outcome.findings, outcome.recommendations) = find(outcome, language);
}

/// A finding in both languages.
struct Found {
    what: &'static str,
    severity: Severity,
    figure: String,
    value: f64,
    bound: f64,
    text: Both,
    advice: Option<Both>,
}

impl Found {
    fn finding(self, language: Language) -> Finding {
        Finding {
            what: self.what.to_owned(),
            severity: self.severity,
            text: self.text.in_language(language),
            figure: self.figure,
            value: self.value,
            bound: self.bound,
        }
    }
}

/// A text in both languages: one that lacks the other does not compile.
struct Both {
    english: String,
    korean: String,
}

impl Both {
    fn new(english: impl Into<String>, korean: impl Into<String>) -> Self {
        Self { english: english.into(), korean: korean.into() }
    }

    fn in_language(&self, language: Language) -> String {
        language.pick(&self.english, &self.korean).clone()
    }
}

/// Percent as each language sets it.
fn percents(share: f64) -> (String, String) {
    use super::figures::percent;
    (percent(share, Language::English), percent(share, Language::Korean))
}

/// A part of a whole; of nothing it is nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests;

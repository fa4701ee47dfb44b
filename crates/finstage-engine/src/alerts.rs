//! Which alerts are sent: a cooldown for every rule and instrument, and a budget for every
//! instrument and hour.
//!
//! Admission is idempotent by alert id, because a new day's engine sees the events since midnight
//! a second time: what was sent is let through again and counted once.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use finstage_model::{
    AlertId, Decision, Facts, IdHasher, MuteNotice, Proof, Ruling, Said, Symbol, Timestamp,
    WithheldAlert,
};

use crate::{AlertFilters, AlertRules};

/// How long a sent alert is remembered at least.
pub const MEMORY: Duration = Duration::from_secs(24 * 3_600);

/// The greatest number of sent alerts remembered.
pub const MAX_REMEMBERED: usize = 1 << 20;

/// The most things that can be muted; beyond it the one that ends first is heard again.
pub const MAX_MUTES: usize = 1_000;

const HOUR: Duration = Duration::from_secs(3_600);

/// Admits alerts.
#[derive(Debug)]
pub(crate) struct AlertDesk {
    rules: AlertRules,
    memory: Duration,
    sent: BTreeMap<AlertId, Timestamp>,
    /// When each rule last had an alert of each instrument sent.
    last: BTreeMap<RuleKey, Timestamp>,
    /// When alerts of each instrument were sent, ascending.
    hours: BTreeMap<Symbol, VecDeque<Timestamp>>,
    pruned_at: Timestamp,
    /// What is muted, until when.
    mutes: BTreeMap<String, Timestamp>,
}

/// A rule about an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RuleKey(u128);

impl RuleKey {
    pub(crate) fn of(rule: &str, symbol: &Symbol) -> Self {
        Self(IdHasher::new().text(rule).text(symbol.as_str()).finish())
    }
}

/// An alert that asks to be sent.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) id: AlertId,
    pub(crate) rule: RuleKey,
    pub(crate) symbol: &'a Symbol,
    pub(crate) cooldown: Duration,
}

impl AlertDesk {
    pub(crate) fn new(rules: AlertRules, longest_cooldown: Duration) -> Self {
        Self {
            rules,
            memory: MEMORY.max(longest_cooldown),
            sent: BTreeMap::new(),
            last: BTreeMap::new(),
            hours: BTreeMap::new(),
            pruned_at: Timestamp::MIN,
            mutes: BTreeMap::new(),
        }
    }

    /// Takes note of what the user mutes, or ends.
    pub(crate) fn on_mute(&mut self, notice: &MuteNotice, now: Timestamp) {
        self.mutes.retain(|_, until| *until > now);
        if notice.until <= now {
            self.mutes.remove(&notice.what);
            return;
        }
        self.mutes.insert(notice.what.clone(), notice.until);
        if self.mutes.len() > MAX_MUTES {
            let first = self.mutes.iter().min_by_key(|(_, until)| **until);
            if let Some(what) = first.map(|(what, _)| what.clone()) {
                self.mutes.remove(&what);
            }
        }
    }

    /// Whether the user wants no alerts of a rule about an instrument at present. One that was
    /// sent stays sent.
    pub(crate) fn muted(
        &self,
        id: AlertId,
        (symbol, rule): (&Symbol, &str),
        now: Timestamp,
    ) -> Option<WithheldAlert> {
        let means = |what: &String| MuteNotice::means(what, symbol, rule);
        let mut fits = self.mutes.iter().filter(|(what, until)| **until > now && means(what));
        let is_muted = fits.next().is_some() && !self.knows(id);
        is_muted.then_some(WithheldAlert::Muted)
    }

    /// Remembers alerts at least so long from now on.
    pub(crate) fn remember_for(&mut self, cooldown: Duration) {
        self.memory = self.memory.max(cooldown);
    }

    /// The cooldown of strategies' alerts.
    pub(crate) fn cooldown(&self) -> Duration {
        Duration::from_millis(self.rules.cooldown_ms)
    }

    /// Why a signal with that ruling is not worth an alert, if so. Larger moves that are verified
    /// are worth one whatever its direction is, and rest on data that can be trusted.
    pub(crate) fn objection(&self, ruling: Ruling, size: Option<&Proof>) -> Option<WithheldAlert> {
        match ruling {
            Ruling::Withheld { .. } => Some(WithheldAlert::Data),
            _ if size.is_some() => None,
            Ruling::Verified { .. } => None,
            Ruling::Unproven { .. } if self.rules.send_unproven => None,
            Ruling::Unproven { .. } | Ruling::Rejected { .. } => Some(WithheldAlert::NotVerified),
        }
    }

    /// What the user filters.
    pub(crate) const fn filters(&self) -> &AlertFilters {
        &self.rules.filters
    }

    /// Decides on an alert at engine time `now`; one that is sent counts.
    pub(crate) fn admit(&mut self, request: &Request<'_>, now: Timestamp) -> Decision {
        if self.knows(request.id) {
            return Decision::Send;
        }
        if self.is_cooling(request.rule, request.cooldown, now) {
            return Decision::Withhold(WithheldAlert::Cooldown);
        }
        if self.sent_within_hour(request.symbol, now) >= self.rules.per_hour as usize {
            return Decision::Withhold(WithheldAlert::HourlyBudget);
        }
        self.remember(request.id, request.rule, request.symbol, now);
        self.prune(now);
        Decision::Send
    }

    /// Takes note of an alert that was sent before this engine began.
    pub(crate) fn on_said(&mut self, said: &Said, now: Timestamp) {
        if now.since(said.said_at) <= self.memory && !self.knows(said.id) {
            let rule = RuleKey::of(&said.rule, &said.symbol);
            self.remember(said.id, rule, &said.symbol, said.said_at);
        }
    }

    /// Whether that alert was sent.
    pub(crate) fn knows(&self, id: AlertId) -> bool {
        self.sent.contains_key(&id)
    }

    /// Whether the rule's last alert was sent less than `cooldown` ago.
    pub(crate) fn is_cooling(&self, rule: RuleKey, cooldown: Duration, now: Timestamp) -> bool {
        self.last.get(&rule).is_some_and(|&last| now.since(last) < cooldown)
    }

    fn sent_within_hour(&self, symbol: &Symbol, now: Timestamp) -> usize {
        let Some(times) = self.hours.get(symbol) else { return 0 };
        times.len() - times.partition_point(|&at| now.since(at) >= HOUR)
    }

    fn remember(&mut self, id: AlertId, rule: RuleKey, symbol: &Symbol, at: Timestamp) {
        if self.sent.len() >= MAX_REMEMBERED {
            self.sent.pop_first();
        }
        self.sent.insert(id, at);
        let last = self.last.entry(rule).or_insert(at);
        *last = at.max(*last);
        let times = match self.hours.get_mut(symbol) {
            Some(times) => times,
            None => self.hours.entry(symbol.clone()).or_default(),
        };
        let place = times.partition_point(|&other| other <= at);
        times.insert(place, at);
    }

    /// Forgets what is too old to matter, once an hour.
    fn prune(&mut self, now: Timestamp) {
        if now.since(self.pruned_at) < HOUR {
            return;
        }
        self.pruned_at = now;
        let memory = self.memory;
        self.sent.retain(|_, at| now.since(*at) <= memory);
        self.last.retain(|_, at| now.since(*at) <= memory);
        self.hours.retain(|_, times| {
            times.drain(..times.partition_point(|&at| now.since(at) >= HOUR));
            !times.is_empty()
        });
    }
}

/// A rule's words with the numbers of the case: `SMA(2) crossed above SMA(3) (fast 11, slow 10.5)`.
pub(crate) fn with_facts(words: &str, facts: &Facts) -> String {
    let numbers: Vec<String> =
        facts.iter().map(|fact| format!("{} {}", fact.name, readable(fact.value))).collect();
    if numbers.is_empty() {
        return words.to_owned();
    }
    format!("{words} ({})", numbers.join(", "))
}

/// A number as people read it, with at most six significant digits.
pub(crate) fn readable(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    // Rounding is left to the formatter, which is exact; only the point is moved here.
    let scientific = format!("{value:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-9..15).contains(&exponent) {
        return scientific;
    }
    let decimals = (5 - exponent).max(0) as usize;
    let rounded: f64 = format!("{mantissa}e{exponent}").parse().unwrap_or(value);
    let text = format!("{rounded:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;

//! The list that one rule keeps for one caller.

use std::collections::VecDeque;
use std::time::Duration;

use finstage_model::Timestamp;

use super::{Ban, MAX_ENTRIES, Refusal, Refused, Rule, Shape};

/// Something that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    at: Timestamp,
    cost: u32,
    /// Whether `cost` is used; a refused entry may be there for the ban alone.
    counts: bool,
    refused: bool,
}

/// A counter that falls is written down as one number after so many entries: what it was at the last of
/// them is all that they still say.
const CARRIED_AFTER: usize = 256;

#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    entries: VecDeque<Entry>,
    /// What a counter that falls was at a moment before all entries that count, in nanoseconds.
    carried: Option<(u128, Timestamp)>,
    bans: u32,
    banned_until: Option<Timestamp>,
}

impl Book {
    /// Takes out what no longer counts.
    pub(super) fn forget(&mut self, shape: Shape, now: Timestamp) {
        match shape {
            Shape::Aligned(period) => {
                let from = began(period, now);
                self.entries.retain(|entry| entry.at >= from);
            }
            Shape::Anchored(period) => {
                if self.entries.front().is_some_and(|first| now.since(first.at) >= period) {
                    self.entries.clear();
                }
            }
            Shape::Sliding(period) => {
                while self.entries.front().is_some_and(|first| now.since(first.at) >= period) {
                    self.entries.pop_front();
                }
            }
            Shape::Decaying(_) if self.level(shape, now) == 0 => {
                self.entries.clear();
                self.carried = None;
            }
            Shape::Decaying(_) => {
                let newest = self.entries.iter().rfind(|entry| entry.counts).map(|entry| entry.at);
                if let Some(at) = newest.filter(|_| self.entries.len() >= CARRIED_AFTER) {
                    self.carried = Some((self.level(shape, at), at));
                    self.entries.retain(|entry| !entry.counts);
                }
            }
        }
    }

    /// Whether a caller could be forgotten.
    pub(super) fn is_idle(&self, shape: Shape, now: Timestamp) -> bool {
        let mut copy = self.clone();
        copy.forget(shape, now);
        copy.entries.is_empty() && copy.carried.is_none() && copy.bans == 0
    }

    /// What is used, in units of cost, rounded up.
    pub(super) fn used(&self, shape: Shape, now: Timestamp) -> u32 {
        let used = match shape {
            Shape::Decaying(one) => self.level(shape, now).div_ceil(one.as_nanos().max(1)),
            _ => self.level(shape, now),
        };
        u32::try_from(used).unwrap_or(u32::MAX)
    }

    /// Why a cost is not let in now, if it is not.
    pub(super) fn refuses(
        &self,
        rule: &Rule,
        (limit, cost): (u32, u32),
        now: Timestamp,
    ) -> Option<Refusal> {
        if let Some(banned) = self.banned(rule, now) {
            return Some(banned);
        }
        if cost == 0 {
            return None;
        }
        let (used, cost) = (self.level(rule.shape, now), u128::from(cost));
        let room = u128::from(limit);
        let wait = match rule.shape {
            Shape::Decaying(one) => {
                let one = one.as_nanos().max(1);
                let over = (used + cost * one).saturating_sub(room * one);
                (over > 0).then(|| Duration::from_nanos(u64::try_from(over).unwrap_or(u64::MAX)))
            }
            _ if used + cost <= room => None,
            Shape::Aligned(period) => Some(began(period, now).plus(period).since(now)),
            Shape::Anchored(period) => {
                let began = self.entries.front().map_or(now, |first| first.at);
                Some(began.plus(period).since(now))
            }
            Shape::Sliding(period) => Some(self.slides(period, (room, cost), now)),
        };
        let (status, rule) = (rule.status, rule.name);
        wait.map(|wait| Refusal { rule, status, wait, banned_until: None })
    }

    /// When enough has slid out of a period: entry by entry from the oldest.
    fn slides(&self, period: Duration, (room, cost): (u128, u128), now: Timestamp) -> Duration {
        let mut used = self.level(Shape::Sliding(period), now);
        let mut wait = period;
        for entry in self.entries.iter().filter(|entry| entry.counts) {
            used -= u128::from(entry.cost);
            wait = entry.at.plus(period).since(now);
            if used + cost <= room {
                break;
            }
        }
        wait
    }

    /// Enters what was let in.
    pub(super) fn enter(&mut self, now: Timestamp, cost: u32) {
        self.push(Entry { at: now, cost, counts: true, refused: false });
    }

    /// Enters a refused request where it matters: because it counts, or because a ban counts it.
    pub(super) fn refuse(&mut self, rule: &Rule, (cost, here): (u32, bool), now: Timestamp) {
        let (counts, refused) = (rule.refused == Refused::Counted, here && rule.ban.is_some());
        if counts || refused {
            self.push(Entry { at: now, cost, counts, refused });
        }
    }

    /// Bans who went on after too many refusals.
    pub(super) fn ban(&mut self, rule: &Rule, now: Timestamp) -> Option<Refusal> {
        let Ban { after, first, longest, .. } = rule.ban?;
        let refused = self.entries.iter().filter(|entry| entry.refused).count();
        if refused <= after as usize {
            return None;
        }
        let ban = first.saturating_mul(2_u32.saturating_pow(self.bans)).min(longest);
        self.bans += 1;
        self.banned_until = Some(now.plus(ban));
        for entry in &mut self.entries {
            entry.refused = false;
        }
        self.banned(rule, now)
    }

    fn banned(&self, rule: &Rule, now: Timestamp) -> Option<Refusal> {
        let until = self.banned_until.filter(|until| *until > now)?;
        let status = rule.ban.map_or(rule.status, |ban| ban.status);
        Some(Refusal { rule: rule.name, status, wait: until.since(now), banned_until: Some(until) })
    }

    /// What is used: a sum of costs, or for a counter that falls the time until it is empty, in nanoseconds.
    fn level(&self, shape: Shape, now: Timestamp) -> u128 {
        let counted = self.entries.iter().filter(|entry| entry.counts);
        let Shape::Decaying(one) = shape else {
            return counted.map(|entry| u128::from(entry.cost)).sum();
        };
        let (mut level, mut at) = match self.carried {
            Some((level, at)) => (level, Some(at)),
            None => (0, None),
        };
        for entry in counted {
            let fell = at.map_or(0, |at| entry.at.since(at).as_nanos());
            level = level.saturating_sub(fell) + u128::from(entry.cost) * one.as_nanos().max(1);
            at = Some(entry.at);
        }
        level.saturating_sub(at.map_or(0, |at| now.since(at).as_nanos()))
    }

    fn push(&mut self, entry: Entry) {
        let is_full = self.entries.len() >= MAX_ENTRIES;
        match self.entries.back_mut().filter(|_| is_full) {
            Some(last) => {
                last.cost = last.cost.saturating_add(entry.cost);
                last.refused |= entry.refused;
            }
            None => self.entries.push_back(entry),
        }
    }
}

/// When the period of the clock began that a moment lies in.
fn began(period: Duration, now: Timestamp) -> Timestamp {
    let period = i64::try_from(period.as_nanos()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_nanos(now.nanos().div_euclid(period) * period)
}

//! Limits and what is said when they are passed. Pure: whoever asks says what time it is.
//!
//! A value beyond its limit for as long as the rule wants is a warning; beyond 1.2 times the limit, where a
//! percentage can get there, it is critical. It is said once, again after the cooldown while it lasts, at
//! once when it becomes critical, and once when it is over for as long as it had to last. Where nothing can be
//! measured for as long, as the answers of a server that nobody asks, it is over as well.

use std::time::Duration;

use finstage_model::Timestamp;
use serde::Serialize;

/// What is not known for longer did not last through it: two figures in a row may be missing.
const UNKNOWN_MAX: Duration = Duration::from_secs(2 * 30 + 5);

/// How much beyond its limit a value is critical.
pub const CRITICAL: f64 = 1.2;

/// On which side of the limit it is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above it.
    Above,
    /// Below it.
    Below,
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Its name: a machine word.
    pub name: &'static str,
    /// What it is of, in words.
    pub what: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// The limit; what equals it is fine.
    pub limit: f64,
    /// On which side it is bad.
    pub side: Side,
    /// The greatest value there can be, if there is one.
    pub most: Option<f64>,
    /// How long it must last before it is said.
    pub lasts: Duration,
    /// The least time between saying it and saying it again.
    pub cooldown: Duration,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Beyond the limit.
    Warning,
    /// Far beyond it.
    Critical,
}

/// Something to say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Turn {
    /// The rule.
    pub rule: &'static str,
    /// How bad it is now; `None` when it is over.
    pub severity: Option<Severity>,
    /// The value; `None` when it is over because there is none any more.
    pub value: Option<f64>,
    /// The limit that it passed, or came back within.
    pub limit: f64,
    /// Since when it is so.
    pub since: Timestamp,
}

/// A rule with what it saw.
#[derive(Debug, Clone, Copy)]
struct Watched {
    rule: Rule,
    /// Since when the value is where it is: within, beyond, far beyond.
    side: Option<Severity>,
    since: Timestamp,
    /// What holds.
    state: Option<Severity>,
    /// When it was last said that it is bad, and how bad.
    said: Option<(Timestamp, Severity)>,
    /// Whether the end of it is owed.
    is_open: bool,
    value: Option<f64>,
    /// When there was a value last.
    known: Timestamp,
}

/// Looks at values again and again.
#[derive(Debug, Clone)]
pub struct Watcher(Vec<Watched>);

/// What holds of a rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The rule.
    pub rule: Rule,
    /// How bad it is; `None` when all is well.
    pub severity: Option<Severity>,
    /// The last value, if there was one.
    pub value: Option<f64>,
}

impl Rule {
    /// From where on it is critical. Where 1.2 times the limit cannot be reached, half way to the most.
    #[must_use]
    pub fn critical(&self) -> f64 {
        match (self.side, self.most) {
            (Side::Below, _) => self.limit / CRITICAL,
            (Side::Above, Some(most)) if self.limit * CRITICAL >= most => (self.limit + most) / 2.0,
            (Side::Above, _) => self.limit * CRITICAL,
        }
    }

    fn severity(&self, value: f64) -> Option<Severity> {
        let beyond = |limit: f64| match self.side {
            Side::Above => value > limit,
            Side::Below => value < limit,
        };
        match (beyond(self.critical()), beyond(self.limit)) {
            (true, _) => Some(Severity::Critical),
            (_, true) => Some(Severity::Warning),
            _ => None,
        }
    }
}

impl Watcher {
    /// Watches these rules.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>, now: Timestamp) -> Self {
        let watched = |rule| Watched {
            rule,
            side: None,
            since: now,
            state: None,
            said: None,
            is_open: false,
            value: None,
            known: now,
        };
        Self(rules.into_iter().map(watched).collect())
    }

    /// Takes the values of this moment, by name of the rule; one that is not known for a moment changes nothing.
    pub fn look(&mut self, now: Timestamp, value: impl Fn(&str) -> Option<f64>) -> Vec<Turn> {
        let look = |one: &mut Watched| match value(one.rule.name).filter(|value| value.is_finite())
        {
            Some(value) => one.look(now, value),
            None => one.miss(now),
        };
        self.0.iter_mut().filter_map(look).collect()
    }

    /// The rules whose end is owed to who was told of their beginning.
    pub fn open(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.iter().filter(|one| one.is_open).map(|one| one.rule.name)
    }

    /// The end of these is owed since an earlier process.
    pub fn reopen(&mut self, names: &[&str]) {
        for one in self.0.iter_mut().filter(|one| names.contains(&one.rule.name)) {
            one.is_open = true;
        }
    }

    /// What holds now.
    pub fn standing(&self) -> impl Iterator<Item = Standing> + '_ {
        self.0.iter().map(|one| Standing { rule: one.rule, severity: one.state, value: one.value })
    }
}

impl Watched {
    /// There is no value: what lasted is broken off soon, and what holds is over after as long as it had to last.
    fn miss(&mut self, now: Timestamp) -> Option<Turn> {
        let missing = now.since(self.known);
        if missing > UNKNOWN_MAX {
            (self.side, self.since) = (None, now);
        }
        if missing < self.rule.lasts.max(UNKNOWN_MAX) {
            return None;
        }
        (self.state, self.value) = (None, None);
        let limit = self.rule.limit;
        let (rule, since) = (self.rule.name, self.known);
        let is_owed = std::mem::take(&mut self.is_open);
        is_owed.then_some(Turn { rule, severity: None, value: None, limit, since })
    }

    fn look(&mut self, now: Timestamp, value: f64) -> Option<Turn> {
        (self.value, self.known) = (Some(value), now);
        let side = self.rule.severity(value);
        // From critical to warning and back is still beyond: only coming and going begins anew.
        if side.is_some() != self.side.is_some() {
            self.since = now;
        }
        self.side = side;
        if now.since(self.since) < self.rule.lasts {
            return None;
        }
        self.state = side;
        let turn = |severity, limit| Turn {
            rule: self.rule.name,
            severity,
            value: Some(value),
            limit,
            since: self.since,
        };
        match side {
            None => {
                let is_owed = std::mem::take(&mut self.is_open);
                is_owed.then(|| turn(None, self.rule.limit))
            }
            Some(severity) => {
                let is_due = self.said.is_none_or(|(at, before)| {
                    now.since(at) >= self.rule.cooldown || severity > before
                });
                if !is_due {
                    return None;
                }
                self.said = Some((now, severity));
                self.is_open = true;
                let limit = match severity {
                    Severity::Warning => self.rule.limit,
                    Severity::Critical => self.rule.critical(),
                };
                Some(turn(Some(severity), limit))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        name: "cpu",
        what: "processor",
        unit: "%",
        limit: 80.0,
        side: Side::Above,
        most: Some(100.0),
        lasts: Duration::from_secs(300),
        cooldown: Duration::from_secs(1_800),
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(seconds))
    }

    /// What is said when values come every so many seconds.
    fn told(rule: Rule, every: u64, values: &[f64]) -> Vec<(u64, Option<Severity>)> {
        let mut watcher = Watcher::new([rule], at(0));
        let look = |(place, value): (usize, &f64)| {
            let second = place as u64 * every;
            let turns = watcher.look(at(second), |_| Some(*value));
            turns.first().map(|turn| (second, turn.severity))
        };
        values.iter().enumerate().filter_map(look).collect()
    }

    #[test]
    fn the_limit_itself_is_fine_and_what_is_beyond_must_last() {
        assert_eq!(told(RULE, 60, &[80.0; 20]), []);
        assert_eq!(
            told(RULE, 60, &[80.1, 80.1, 80.1, 80.1, 80.1, 80.0, 80.1]),
            [],
            "299 s are not enough"
        );
        assert_eq!(told(RULE, 60, &[80.1; 6]), [(300, Some(Severity::Warning))]);
        let below =
            Rule { side: Side::Below, limit: 70.0, most: None, lasts: Duration::ZERO, ..RULE };
        assert_eq!(told(below, 60, &[70.0, 69.9]), [(60, Some(Severity::Warning))]);
        assert_eq!(told(below, 60, &[58.3]), [(0, Some(Severity::Critical))], "70 / 1.2 is 58.33");
    }

    #[test]
    fn it_is_critical_beyond_a_fifth_more_or_half_way_to_what_can_be() {
        let free = Rule { limit: 1_000.0, most: None, ..RULE };
        assert_eq!((free.critical(), RULE.critical()), (1_200.0, 96.0));
        assert_eq!(Rule { limit: 90.0, ..RULE }.critical(), 95.0);
        let now = Rule { lasts: Duration::ZERO, ..free };
        assert_eq!(told(now, 60, &[1_200.0]), [(0, Some(Severity::Warning))]);
        assert_eq!(told(now, 60, &[1_200.1]), [(0, Some(Severity::Critical))]);
    }

    #[test]
    fn it_is_said_once_again_after_the_cooldown_and_at_once_when_it_becomes_critical() {
        let long = [90.0; 50];
        let expected = [(300, Some(Severity::Warning)), (2_100, Some(Severity::Warning))];
        assert_eq!(told(RULE, 60, &long)[..], expected);
        let worse: Vec<f64> = [90.0; 8].into_iter().chain([99.0; 4]).collect();
        let expected = [(300, Some(Severity::Warning)), (480, Some(Severity::Critical))];
        assert_eq!(told(RULE, 60, &worse)[..], expected);
    }

    #[test]
    fn its_end_is_said_once_and_only_when_its_beginning_was() {
        let over: Vec<f64> = [90.0; 8].into_iter().chain([10.0; 12]).collect();
        let said = told(RULE, 60, &over);
        assert_eq!(said, [(300, Some(Severity::Warning)), (780, None)]);
        let short: Vec<f64> = [90.0; 3].into_iter().chain([10.0; 12]).collect();
        assert_eq!(told(RULE, 60, &short), []);
        // It comes back within the cooldown: neither that nor its second end is said.
        let again: Vec<f64> = over.iter().copied().chain([90.0; 8]).chain([10.0; 8]).collect();
        assert_eq!(told(RULE, 60, &again), said);
    }

    #[test]
    fn what_was_said_before_a_restart_is_said_to_be_over_after_it() {
        let mut first = Watcher::new([RULE], at(0));
        assert_eq!(first.open().count(), 0);
        first.look(at(0), |_| Some(99.0));
        first.look(at(300), |_| Some(99.0));
        let open: Vec<&str> = first.open().collect();
        assert_eq!(open, ["cpu"]);
        let mut next = Watcher::new([RULE], at(400));
        next.reopen(&open);
        assert!(next.look(at(400), |_| Some(10.0)).is_empty(), "it must last");
        let turns = next.look(at(700), |_| Some(10.0));
        assert_eq!((turns[0].severity, next.open().count()), (None, 0));
        assert!(next.look(at(1_100), |_| Some(10.0)).is_empty(), "once");
    }

    #[test]
    fn a_value_that_is_not_known_for_a_moment_changes_nothing() {
        let mut watcher = Watcher::new([RULE], at(0));
        for second in (0..240).step_by(30) {
            assert!(watcher.look(at(second), |_| Some(99.0)).is_empty());
        }
        assert!(watcher.look(at(240), |_| None).is_empty());
        assert!(watcher.look(at(270), |_| Some(f64::NAN)).is_empty());
        assert_eq!(watcher.look(at(300), |_| Some(99.0)).len(), 1);
    }

    #[test]
    fn what_is_not_known_for_long_did_not_last() {
        let mut watcher = Watcher::new([RULE], at(0));
        assert!(watcher.look(at(0), |_| Some(99.0)).is_empty());
        for second in (30..36_000).step_by(30) {
            assert!(watcher.look(at(second), |_| None).is_empty());
        }
        assert!(watcher.look(at(36_000), |_| Some(99.0)).is_empty(), "ten hours ago is not since");
        assert_eq!(watcher.look(at(36_300), |_| Some(99.0))[0].since, at(36_000));
    }

    #[test]
    fn what_cannot_be_measured_any_more_is_over_after_as_long_as_it_had_to_last() {
        let mut watcher = Watcher::new([RULE], at(0));
        for second in (0..=300).step_by(30) {
            watcher.look(at(second), |_| Some(99.0));
        }
        let turns: Vec<(u64, Turn)> = (330..3_000)
            .step_by(30)
            .filter_map(|second| Some((second, *watcher.look(at(second), |_| None).first()?)))
            .collect();
        let [(second, turn)] = turns[..] else { panic!("{turns:?}") };
        assert_eq!((second, turn.severity, turn.value, turn.since), (600, None, None, at(300)));
        assert_eq!(watcher.standing().next().unwrap().severity, None);
    }
}

//! What is wanted, and when: from a list, from a rule of this crate, or from a strategy's signals.

use finstage_engine::{Catalog, Entry, When};
use finstage_model::{Bar, Call};
use serde::Serialize;

use super::arguments::refuse;
use super::makers::{MAKERS, Maker};
use super::{Exit, SignalRule};
use crate::{Error, ErrorKind};

/// A wish, decided on the close of a bar and filled at the next open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Target {
    /// The place of the bar in its series, from 0.
    pub bar: usize,
    /// +1 long, 0 nothing, −1 short; what lies between scales the size.
    pub want: f64,
}

/// Targets, and in words where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Ascending by bar.
    pub targets: Vec<Target>,
    /// The rule with all its parameters: `sma_cross(fast=10,slow=30,short=1)`.
    pub canonical: String,
    /// The rule in words.
    pub words: String,
    /// What opens positions, with its parameters; where a rule has an end of its own, all of it.
    pub entry: String,
    /// The idea without its numbers, as evidence counts its trials; empty for a list.
    pub family: String,
}

impl Plan {
    /// Targets by a rule of [`MAKERS`] or a strategy of the catalogue; `exit` says when a strategy's
    /// position ends ([`SignalRule`]).
    ///
    /// # Errors
    /// When the rule is unknown or its parameters make no sense, when an exit is missing or is
    /// given to a rule that has its own, or when the bars are not one series.
    pub fn of_rule(rule: &Call, exit: Exit, catalog: Catalog, bars: &[Bar]) -> Result<Self, Error> {
        if let Some(maker) = Maker::find(&rule.name) {
            if exit != Exit::default() {
                return Err(refuse(rule, "it has an exit of its own"));
            }
            return maker.plan(rule, bars);
        }
        if !catalog.iter().any(|entry| entry.name == rule.name) {
            let names = catalog.iter().map(|entry| entry.name);
            let names = names.chain(MAKERS.iter().map(|maker| maker.name));
            if let Some(near) = finstage_engine::nearest(&rule.name, names) {
                let why = format!("no rule of that name; did you mean \"{near}\"?");
                return Err(refuse(rule, &why));
            }
            Entry::find(catalog, &rule.name)?;
        }
        SignalRule { entry: rule.clone(), exit }.plan(catalog, bars)
    }

    /// Targets by a condition of the user's own, which opens positions; `exit` says when they end.
    ///
    /// # Errors
    /// When the condition cannot be read, an exit is missing, or the bars are not one series.
    pub fn of_condition(
        when: &When,
        exit: &Exit,
        catalog: Catalog,
        bars: &[Bar],
    ) -> Result<Self, Error> {
        exit.plan_of(when, catalog, bars)
    }

    /// Targets from a list that someone else made, `words` saying who or what.
    #[must_use]
    pub fn of_list(targets: Vec<Target>, words: &str) -> Self {
        let canonical = "targets".to_owned();
        let (entry, family) = (canonical.clone(), String::new());
        Self { targets, canonical, words: words.to_owned(), entry, family }
    }
}

/// Reads targets from CSV with the header `bar,target`: places of bars from 0, ascending, and wants
/// from −1 to 1.
///
/// # Errors
/// Names the line that is not of that form. Whether the bars exist is asked by [`super::run`].
pub fn parse_targets(text: &str) -> Result<Vec<Target>, Error> {
    let refuse = |line: usize, why: &str| {
        Err(Error::new(ErrorKind::Targets, format!("targets, line {line}: {why}")))
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = (1..).zip(text.lines().map(str::trim));
    if lines.next().is_none_or(|(_, header)| header.replace(' ', "") != "bar,target") {
        return refuse(1, "the header is not \"bar,target\"");
    }
    let mut targets: Vec<Target> = Vec::new();
    for (line, row) in lines.filter(|(_, row)| !row.is_empty()) {
        let cells =
            row.split_once(',').map(|(bar, want)| (bar.trim().parse(), want.trim().parse()));
        let Some((Ok(bar), Ok(want))) = cells else {
            return refuse(line, &format!("\"{row}\" is not a bar and a target"));
        };
        let target = Target { bar, want };
        if let Some(why) = fault(target, targets.last()) {
            return refuse(line, &why);
        }
        targets.push(target);
    }
    Ok(targets)
}

/// Refuses targets that are out of order or out of bounds.
pub(super) fn check_targets(targets: &[Target], bars: usize) -> Result<(), Error> {
    let mut before = None;
    for target in targets {
        if let Some(why) = fault(*target, before) {
            return Err(Error::new(ErrorKind::Targets, why));
        }
        before = Some(target);
    }
    match before {
        Some(last) if last.bar >= bars => {
            let why = format!("target of bar {}: there are only {bars} bars, from 0", last.bar);
            Err(Error::new(ErrorKind::Targets, why))
        }
        _ => Ok(()),
    }
}

fn fault(target: Target, before: Option<&Target>) -> Option<String> {
    let Target { bar, want } = target;
    if !(-1.0..=1.0).contains(&want) {
        return Some(format!("target of bar {bar}: {want} is not between -1 and 1"));
    }
    let before = before?.bar;
    (bar <= before).then(|| format!("target of bar {bar}: it comes after the one of bar {before}"))
}

/// Collects targets: one for each change of the want.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    targets: Vec<Target>,
}

impl Wants {
    pub(super) fn state(&mut self, bar: usize, want: f64) {
        if self.targets.last().is_none_or(|last| last.want != want) {
            self.targets.push(Target { bar, want });
        }
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.targets.clear();
    }

    pub(crate) fn targets(&self) -> &[Target] {
        &self.targets
    }

    pub(super) fn into_targets(self) -> Vec<Target> {
        self.targets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_targets_is_read() {
        let targets = parse_targets("bar,target\n3,1\n5,-0.5\r\n\n9,0\n").unwrap();
        let pairs: Vec<_> = targets.iter().map(|t| (t.bar, t.want)).collect();
        assert_eq!(pairs, [(3, 1.0), (5, -0.5), (9, 0.0)]);
        assert_eq!(parse_targets("bar, target").unwrap(), []);
    }

    #[test]
    fn a_bad_line_is_named() {
        let refused = |text: &str| {
            let error = parse_targets(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Targets);
            error.to_string()
        };
        assert_eq!(refused("3,1"), "targets, line 1: the header is not \"bar,target\"");
        assert_eq!(refused("bar,target\n3"), "targets, line 2: \"3\" is not a bar and a target");
        assert!(refused("bar,target\n-3,1").contains("line 2"));
        assert!(refused("bar,target\n3,NaN").contains("NaN is not between -1 and 1"));
        assert!(refused("bar,target\n3,1.5").contains("1.5 is not between -1 and 1"));
        assert!(
            refused("bar,target\n3,1\n3,0").contains("line 3: target of bar 3: it comes after")
        );
    }

    #[test]
    fn a_target_beyond_the_last_bar_is_refused() {
        let targets = [Target { bar: 7, want: 1.0 }];
        assert!(check_targets(&targets, 8).is_ok());
        let error = check_targets(&targets, 7).unwrap_err();
        assert_eq!(error.to_string(), "target of bar 7: there are only 7 bars, from 0");
    }
}

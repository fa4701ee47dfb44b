//! Checks an exported track record with nothing but its lines.
//!
//! A line of an entry is the text that was hashed with the hash put in as its first field:
//! `{"hash":"…",` and the rest. The last line is the head.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read as _};

use finstage_engine::Course;
use finstage_model::{Horizon, SignalId};
use finstage_store::records::{Head, MAX_TRACK, TrackEntry, TrackOutcome, TrackRow, TrackSignal};
use serde::Deserialize;

/// The longest line that is read.
const MAX_LINE_BYTES: u64 = 64 << 10;
const PREFIX: &str = "{\"hash\":\"";
const HASH_LENGTH: usize = 64;

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Entries that are as they were written.
    pub entries: u64,
    /// Hash of the last of them; empty without one.
    pub head: String,
    /// The number of the first bad line, from 1, and what is wrong with it.
    pub fault: Option<(u64, String)>,
}

/// The last line.
#[derive(Debug, Deserialize)]
struct Last {
    entries: u64,
    head: String,
}

/// What the lines so far said.
#[derive(Default)]
struct Known {
    chain: Head,
    signals: BTreeMap<SignalId, (TrackSignal, Vec<Horizon>)>,
    has_ended: bool,
    has_noted: bool,
}

/// The line of an entry, without its end.
#[must_use]
pub fn line(row: &TrackRow) -> String {
    let rest = row.text.strip_prefix('{').unwrap_or(&row.text);
    format!("{PREFIX}{}\",{rest}", row.hash)
}

/// Follows the chain of `lines` from the first to the head, and computes every outcome again.
/// `noted` is a hash that was noted earlier and must be among the entries.
///
/// # Errors
/// When `lines` cannot be read. A bad line is no error but the result.
pub fn audit(lines: &mut dyn BufRead, noted: Option<&str>) -> io::Result<Audit> {
    let mut known = Known { has_noted: noted.is_none(), ..Known::default() };
    let mut number = 0;
    let mut line = Vec::new();
    let fault = loop {
        line.clear();
        number += 1;
        if lines.take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break known.missing().map(|why| (number, why));
        }
        if let Err(why) = known.read(&line, noted) {
            break Some((number, why));
        }
        if number > MAX_TRACK {
            break Some((number, format!("more than {MAX_TRACK} lines are not read")));
        }
    };
    Ok(Audit { entries: known.chain.entries, head: known.chain.head, fault })
}

impl Known {
    fn read(&mut self, line: &[u8], noted: Option<&str>) -> Result<(), String> {
        let text = std::str::from_utf8(line).map_err(|_| "it is no text".to_owned())?;
        let text = text.strip_suffix('\n').ok_or("its end was cut off")?;
        if self.has_ended {
            return Err("it comes after the head".to_owned());
        }
        let Some(rest) = text.strip_prefix(PREFIX) else { return self.end(text) };
        let parts = rest.split_at_checked(HASH_LENGTH);
        let (hash, body) = parts.ok_or("its end was cut off")?;
        let body = body.strip_prefix("\",").ok_or("it has no hash of 64 digits")?;
        let body = format!("{{{body}");
        let mut chain = self.chain.clone();
        chain.follow(&body, hash)?;
        let entry = serde_json::from_str(&body).map_err(|e| format!("it cannot be read: {e}"))?;
        match entry {
            TrackEntry::Signal(signal) => self.signal(signal)?,
            TrackEntry::Outcome(outcome) => self.outcome(&outcome)?,
        }
        self.chain = chain;
        self.has_noted |= noted == Some(hash);
        Ok(())
    }

    fn signal(&mut self, signal: TrackSignal) -> Result<(), String> {
        let TrackSignal { id, symbol, interval, strategy, direction, timestamp, .. } = &signal;
        if SignalId::of(strategy, symbol, *interval, *timestamp, *direction) != *id {
            return Err(format!("{id} is not the id of this signal"));
        }
        match self.signals.insert(*id, (signal, Vec::new())) {
            None => Ok(()),
            Some((before, _)) => Err(format!("signal {} was said before", before.id)),
        }
    }

    fn outcome(&mut self, outcome: &TrackOutcome) -> Result<(), String> {
        let (id, horizon) = (outcome.id, outcome.horizon);
        let known = self.signals.get_mut(&id);
        let (signal, settled) =
            known.ok_or_else(|| format!("no signal {id} was said before it"))?;
        if settled.contains(&horizon) {
            return Err(format!("the outcome of {id} after {horizon} was told before"));
        }
        settled.push(horizon);
        let TrackOutcome { entry_at, entry, exit_at, exit, high, low, .. } = *outcome;
        let is_possible = entry.nanos() > 0 && low <= entry && entry <= high;
        if !is_possible || entry_at < signal.at || exit_at <= entry_at {
            return Err("its times or prices are impossible".to_owned());
        }
        let course = Course { entry_at, entry, exit_at, exit, high, low };
        let again = course.outcome(&super::question(signal, horizon));
        match again == outcome.outcome() {
            true => Ok(()),
            false => Err(format!("its prices give a return of {}", again.ret)),
        }
    }

    fn end(&mut self, text: &str) -> Result<(), String> {
        let last: Last = serde_json::from_str(text)
            .map_err(|_| "it is neither an entry nor the head".to_owned())?;
        if (last.entries, &last.head) != (self.chain.entries, &self.chain.head) {
            let (entries, here) = (last.entries, self.chain.entries);
            return Err(format!(
                "the head is of {entries} entries and another hash; there are {here} before it"
            ));
        }
        self.has_ended = true;
        Ok(())
    }

    /// What is missing at the end of the file.
    fn missing(&self) -> Option<String> {
        if !self.has_ended {
            return Some("the head is missing: the end was cut off".to_owned());
        }
        (!self.has_noted).then(|| "no entry has the hash that was noted".to_owned())
    }
}

#[cfg(test)]
mod tests;

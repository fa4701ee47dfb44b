//! A line for every request the simulated servers were asked.
//!
//! ```text
//! {"at":"2026-11-21T09:30:15Z","venue":"binance","path":"/api/v3/klines","weight":2,"status":200,"outcome":"ok"}
//! ```
//! `at` is the simulator's clock. `outcome` is `ok` (an answer), `refused` (a limit, a ban, a closed
//! door) or `error` (the request was wrong or the server failed). Paths carry no query and no token.
//! `who` is behind them where a limit counts by address or key: the address, or a few digits made of the
//! key, never the key.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use finstage_model::Timestamp;
use serde::Serialize;

use crate::error::{Error, ErrorKind};

/// Counts requests, and writes them to a file where one was named.
#[derive(Debug, Default)]
pub struct Ledger {
    file: Option<Mutex<File>>,
    ok: AtomicU64,
    refused: AtomicU64,
    errors: AtomicU64,
    unwritten: AtomicU64,
}

/// One request.
#[derive(Debug, Clone, Serialize)]
pub struct Line<'a> {
    /// When, by the simulator's clock.
    pub at: Timestamp,
    /// Which server.
    pub venue: &'a str,
    /// What was asked, without query and secrets.
    pub path: &'a str,
    /// What it cost.
    pub weight: u32,
    /// The HTTP status of the answer.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Who asked: the address, or eight digits made of the key. Left out where nobody is counted.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub who: &'a str,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was answered.
    Ok,
    /// A limit, a ban or a closed door.
    Refused,
    /// It was wrong, or the server failed.
    Error,
}

impl Outcome {
    /// The outcome that a status stands for.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            100..=399 => Self::Ok,
            403 | 418 | 429 => Self::Refused,
            _ => Self::Error,
        }
    }
}

/// How many requests ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Answered.
    pub ok: u64,
    /// Refused.
    pub refused: u64,
    /// Wrong or failed.
    pub errors: u64,
    /// Lines that the file did not take.
    pub unwritten: u64,
}

impl Ledger {
    /// A ledger that counts only.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// A ledger that also appends to a file.
    ///
    /// # Errors
    /// When the file cannot be opened for appending.
    pub fn to_file(path: &Path) -> Result<Self, Error> {
        let file = File::options().create(true).append(true).open(path).map_err(|source| {
            let text = format!("ledger {}: cannot be written", path.display());
            Error::new(ErrorKind::Io, text).because(source)
        })?;
        Ok(Self { file: Some(Mutex::new(file)), ..Self::default() })
    }

    /// Enters a request.
    pub fn enter(&self, line: &Line<'_>) {
        let counter = match line.outcome {
            Outcome::Ok => &self.ok,
            Outcome::Refused => &self.refused,
            Outcome::Error => &self.errors,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let Some(file) = &self.file else { return };
        let written = serde_json::to_string(line).map(|text| {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(format!("{text}\n").as_bytes())
        });
        if !matches!(written, Ok(Ok(()))) {
            self.unwritten.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many requests ended how.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            ok: self.ok.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            unwritten: self.unwritten.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_words_that_checks_rely_on() {
        let line = Line {
            at: Timestamp::from_secs(0),
            venue: "binance",
            path: "/api/v3/klines",
            weight: 2,
            status: 429,
            outcome: Outcome::of_status(429),
            who: "",
        };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"at":"1970-01-01T00:00:00Z","venue":"binance","path":"/api/v3/klines","weight":2,"status":429,"outcome":"refused"}"#
        );
        let known = serde_json::to_string(&Line { who: "127.0.0.1", ..line.clone() }).unwrap();
        assert!(known.ends_with(r#""outcome":"refused","who":"127.0.0.1"}"#), "{known}");
        let ledger = Ledger::in_memory();
        ledger.enter(&line);
        ledger.enter(&Line { outcome: Outcome::of_status(200), ..line.clone() });
        ledger.enter(&Line { outcome: Outcome::of_status(500), ..line });
        assert_eq!(ledger.counts(), Counts { ok: 1, refused: 1, errors: 1, unwritten: 0 });
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let error = Ledger::to_file(Path::new("/nowhere/at/all/ledger.ndjson")).unwrap_err();
        assert_eq!(error.to_string(), "ledger /nowhere/at/all/ledger.ndjson: cannot be written");
        assert!(std::error::Error::source(&error).is_some());
    }
}

//! What the demo shows: a line per signal, each message as it would look, a status line.

use std::io::{IsTerminal as _, Write as _};

use finstage_model::{Alert, AlertKind, Direction, Ruling, Signal, Symbol, Timestamp};

use super::evidence::Findings;
use super::tally::Shown;
use finstage_notify::{Repeat, Template};

/// Longest line of a message that is shown unwrapped.
const MESSAGE_COLUMNS: usize = 76;

/// Standard error of the demo, in colour and with a live status line on a terminal.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: bool,
    quiet: bool,
    status_shown: bool,
    /// Words an alert at once, where no messenger shows what arrived.
    template: Option<Template>,
}

impl Screen {
    pub(super) fn new(quiet: bool, template: Option<Template>) -> Self {
        Self { terminal: std::io::stderr().is_terminal(), quiet, status_shown: false, template }
    }

    /// Whether a person looks at it.
    pub(super) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Shows one thing on lines of its own.
    pub(super) fn show(&mut self, shown: &Shown) {
        match shown {
            Shown::Signal { signal, symbol, strategy, ruling } => {
                self.signal(signal, symbol, strategy, *ruling);
            }
            Shown::Alert(alert) => self.alert(alert),
            Shown::Message { at, text } => self.message(*at, text),
        }
    }

    /// Replaces the status line; without a terminal it is an ordinary line.
    pub(super) fn status(&mut self, text: &str) {
        if self.quiet {
            return;
        }
        if self.terminal {
            eprint!("\r\x1b[2K\x1b[2m{text}\x1b[0m");
            let _ = std::io::stderr().flush();
            self.status_shown = true;
        } else {
            eprintln!("{text}");
        }
    }

    /// An ordinary line of people's text.
    pub(super) fn line(&mut self, text: &str) {
        if self.quiet {
            return;
        }
        self.clear();
        eprintln!("{text}");
    }

    /// What is planted in the market, and what its past proves.
    pub(super) fn findings(&mut self, findings: &Findings) {
        self.line(&Findings::premise());
        self.line(&format!("Evidence: {}.", findings.verdicts()));
        for line in findings.proven() {
            self.line(&format!("  {line}"));
        }
        self.line("");
    }

    /// Removes the status line.
    pub(super) fn clear(&mut self) {
        if self.status_shown {
            eprint!("\r\x1b[2K");
            self.status_shown = false;
        }
    }

    fn signal(&mut self, signal: &Signal, symbol: &Symbol, strategy: &str, ruling: Option<Ruling>) {
        let (mark, word) = direction(signal.direction);
        let said = ruling.map_or(String::new(), |ruling| match ruling.reason() {
            Some(reason) => format!("{}: {}", ruling.as_str(), reason.words()),
            None => ruling.as_str().to_owned(),
        });
        let time = moment(signal.at);
        let mark = self.paint(signal.direction, mark);
        self.line(&format!(
            "{time}  signal  {mark} {word:<7}  {:<16} {:>3}  {strategy} at {}  ({said})",
            symbol.as_str(),
            signal.interval,
            signal.price
        ));
    }

    fn alert(&mut self, alert: &Alert) {
        if let Some(template) = &self.template {
            let text = template.message(alert, Repeat::No, None).plain();
            return self.message(alert.said_at, &text);
        }
        let time = moment(alert.said_at);
        let mark = match &alert.kind {
            AlertKind::Signal { direction, ruling: Ruling::Verified { .. }, .. } => {
                self.paint(*direction, "VERIFIED ")
            }
            _ => String::new(),
        };
        let (symbol, rule) = (&alert.symbol, &alert.rule);
        self.line(&format!("{time}  alert   {mark}{symbol} {rule} queued for telegram"));
    }

    fn message(&mut self, at: Timestamp, text: &str) {
        let rule = "─".repeat(MESSAGE_COLUMNS - 26);
        self.line(&format!("    ╭─ Telegram · {} {rule}", clock(at)));
        for line in text.lines().flat_map(|line| wrap(line, MESSAGE_COLUMNS)) {
            self.line(&format!("    │ {line}"));
        }
        self.line(&format!("    ╰{}", "─".repeat(MESSAGE_COLUMNS)));
    }

    fn paint(&self, direction: Direction, text: &str) -> String {
        if !self.terminal {
            return text.to_owned();
        }
        let colour = match direction {
            Direction::Long => "32",
            Direction::Short => "31",
        };
        format!("\x1b[{colour}m{text}\x1b[0m")
    }
}

fn direction(direction: Direction) -> (&'static str, &'static str) {
    match direction {
        Direction::Long => ("▲", "bullish"),
        Direction::Short => ("▼", "bearish"),
    }
}

/// Day and minute, UTC.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {}", &text[..10], &text[11..16])
}

/// Time of day, UTC.
fn clock(at: Timestamp) -> String {
    at.to_string()[11..19].to_owned()
}

/// Breaks a line at spaces so that it fits.
fn wrap(line: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.last_mut().expect("there is always a last line");
        let fits = last.chars().count() + 1 + word.chars().count() <= columns;
        if last.is_empty() {
            last.push_str(word);
        } else if fits {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

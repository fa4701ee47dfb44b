//! Who hears of a test while it runs: a screen on a terminal, a line every few seconds elsewhere, and a
//! file for other processes.

use std::path::PathBuf;
use std::time::Duration;

use finstage_lab::stress::moment::Moment;
use finstage_lab::stress::status::{Status, Watcher};
use finstage_lab::stress::{Language, Listener, Snapshot, Stop};
use finstage_model::Clock as _;
use finstage_net::SystemClock;

use super::super::say;
use super::keyboard::{Keyboard, Wish};
use super::result::Ending;
use crate::cli::Global;
use crate::exit::{Exit, Failure, Result};

/// Between two lines of a log.
const LINES: Duration = Duration::from_secs(5);
/// Between two writings of the status file.
const FILES: Duration = Duration::from_secs(1);

/// What is to be heard of a test.
#[derive(Debug, Clone)]
pub(super) struct Hearing {
    pub(super) target: String,
    pub(super) language: Language,
    /// Written once a second, for `stress monitor`.
    pub(super) status: Option<PathBuf>,
}

/// The listener of a test.
pub(super) struct Live {
    global: Global,
    hearing: Hearing,
    stop: Stop,
    watcher: Watcher,
    screen: Option<Keyboard>,
    last: Status,
    lined: Duration,
    written: Option<Moment>,
    was_asked_to_report: bool,
}

impl Live {
    /// Takes the terminal where there is one; it is given back when this is dropped.
    ///
    /// # Errors
    /// Where the status file cannot be written.
    pub(super) fn new(global: &Global, hearing: Hearing, stop: &Stop) -> Result<Self> {
        let is_wanted = !global.quiet && Keyboard::is_possible();
        let mut live = Self {
            global: global.clone(),
            stop: stop.clone(),
            watcher: Watcher::new(&hearing.target),
            // A terminal that can draw nothing gets lines.
            screen: is_wanted.then(Keyboard::open).and_then(std::io::Result::ok),
            last: Status { target: hearing.target.clone(), ..Status::default() },
            lined: Duration::ZERO,
            written: None,
            was_asked_to_report: false,
            hearing,
        };
        live.write()
            .map_err(|(file, e)| Failure::usage(format!("--status {}: {e}", file.display())))?;
        Ok(live)
    }

    /// Says in the status file that it is over, and gives the terminal back.
    pub(super) fn finish(mut self, stop: &Stop) -> Ending {
        self.last.is_over = true;
        self.written = None;
        // A file that could be written at the start and not at the end spoils no result.
        let _ = self.write();
        match stop.is_pulled() && !self.was_asked_to_report {
            true => Ending::Interrupted,
            false => Ending::Regular,
        }
    }

    /// Writes the status file once a second: whole under another name, then in its place.
    fn write(&mut self) -> std::result::Result<(), (PathBuf, std::io::Error)> {
        let Some(file) = &self.hearing.status else { return Ok(()) };
        if self.written.is_some_and(|at| at.elapsed() < FILES) {
            return Ok(());
        }
        self.written = Some(Moment::now());
        let failed = |e: std::io::Error| (file.clone(), e);
        let text = serde_json::to_string(&self.last).map_err(|e| failed(e.into()))?;
        let beside = file.with_extension("status-new");
        std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, file)).map_err(failed)
    }
}

impl Listener for Live {
    fn heard(&mut self, now: &Snapshot<'_>) {
        self.last = self.watcher.look(now, SystemClock.now());
        let language = self.hearing.language;
        if let Some(screen) = &mut self.screen {
            let shown =
                screen.show(&self.last, language).and_then(|()| screen.wish(&self.last, language));
            match shown {
                Ok(Wish::Nothing) => {}
                // Who presses Ctrl-C again does not want to wait for what is under way.
                Ok(Wish::Interrupt) if self.stop.is_pulled() => {
                    self.screen = None;
                    std::process::exit(Exit::Interrupted as i32);
                }
                Ok(wish) => {
                    self.was_asked_to_report |= wish == Wish::Stop;
                    self.stop.pull();
                }
                // The terminal has gone; the test has not.
                Err(_) => self.screen = None,
            }
        } else if now.elapsed >= self.lined + LINES {
            self.lined = now.elapsed;
            say(&self.global, format_args!("{}", self.last.line(language)));
        }
        let _ = self.write();
    }
}

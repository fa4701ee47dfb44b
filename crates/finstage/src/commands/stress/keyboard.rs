//! The terminal of a screen: taken at its begin, given back at its end, whatever ends it.

use std::io::{self, IsTerminal as _, Stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use finstage_lab::stress::Language;
use finstage_lab::stress::status::Status;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::{execute, terminal};

use super::screen::{View, draw};

/// The most keys that are read between two drawings: a paste must not hold up a test.
const MAX_KEYS: usize = 64;

/// Whether a screen has the terminal.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// What a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing.
    Nothing,
    /// The test is to end, and report.
    Stop,
    /// As [`Stop`](Self::Stop), by Ctrl-C.
    Interrupt,
}

/// A screen on standard error, so that standard output stays the result's.
pub(super) struct Keyboard {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    view: View,
}

impl Keyboard {
    /// Whether there is a person at both ends.
    pub(super) fn is_possible() -> bool {
        io::stderr().is_terminal() && io::stdin().is_terminal()
    }

    /// Takes the terminal.
    ///
    /// # Errors
    /// Where it refuses.
    pub(super) fn open() -> io::Result<Self> {
        restore_on_panic();
        TAKEN.store(true, Ordering::Relaxed);
        terminal::enable_raw_mode().inspect_err(|_| restore())?;
        execute!(io::stderr(), terminal::EnterAlternateScreen).inspect_err(|_| restore())?;
        let terminal =
            Terminal::new(CrosstermBackend::new(io::stderr())).inspect_err(|_| restore())?;
        Ok(Self { terminal, view: View::Live })
    }

    /// Draws, unless the view is paused.
    ///
    /// # Errors
    /// Where the terminal has gone.
    pub(super) fn show(&mut self, status: &Status, language: Language) -> io::Result<()> {
        let view = self.view;
        if view == View::Live || status.is_over {
            self.terminal.draw(|frame| draw(frame, status, view, language))?;
        }
        Ok(())
    }

    /// What was typed since the last time; waits for nothing.
    ///
    /// # Errors
    /// Where the terminal has gone.
    pub(super) fn wish(&mut self, status: &Status, language: Language) -> io::Result<Wish> {
        for _ in 0..MAX_KEYS {
            if !event::poll(Duration::ZERO)? {
                break;
            }
            let Event::Key(key) = event::read()? else { continue };
            if key.kind != KeyEventKind::Press {
                continue;
            }
            match key.code {
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    return Ok(Wish::Interrupt);
                }
                KeyCode::Char('q') | KeyCode::Esc => return Ok(Wish::Stop),
                KeyCode::Char('p') => {
                    self.view = if self.view == View::Live { View::Paused } else { View::Live };
                    let view = self.view;
                    // Once more, so that it says so.
                    self.terminal.draw(|frame| draw(frame, status, view, language))?;
                }
                _ => {}
            }
        }
        Ok(Wish::Nothing)
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back if it was taken; where that fails there is nobody to tell.
pub(super) fn restore() {
    if !TAKEN.swap(false, Ordering::Relaxed) {
        return;
    }
    let _ = terminal::disable_raw_mode();
    let _ =
        execute!(io::stderr(), terminal::LeaveAlternateScreen, ratatui::crossterm::cursor::Show);
}

/// A panic on any thread gives the terminal back first, or its words would be lost.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            usual(info);
        }));
    });
}

//! How far a long piece of work is: a bar with the time left on a terminal, a line for every tenth
//! elsewhere, nothing with `--quiet`.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::say;
use crate::cli::Global;

/// Drawn at most so often in a second.
const DRAWS_PER_SECOND: u8 = 10;
/// Lines where nothing can be drawn.
const LINES: usize = 10;

/// The progress of one piece of work; any thread may add to it.
pub(super) struct Progress<'a> {
    global: &'a Global,
    what: &'static str,
    total: usize,
    done: AtomicUsize,
    /// Lines come after so many instead of after each tenth.
    every: Option<usize>,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    /// Of `total` things named `what`.
    pub(super) fn new(global: &'a Global, what: &'static str, total: usize) -> Self {
        let bar = (!global.quiet && std::io::stderr().is_terminal()).then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
            let form =
                "{bar:32} {percent}% {human_pos} of {human_len} {msg}, {per_sec}, {eta} left";
            let style = ProgressStyle::with_template(form).expect("invariant: the form is valid");
            ProgressBar::with_draw_target(Some(total as u64), target)
                .with_style(style)
                .with_message(what)
        });
        Self { global, what, total, done: AtomicUsize::new(0), every: None, bar }
    }

    /// With lines after every so many, where nothing can be drawn.
    pub(super) fn every(mut self, every: Option<usize>) -> Self {
        self.every = every;
        self
    }

    /// A line for people that does not disturb what is drawn.
    pub(super) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => say(self.global, format_args!("{text}")),
        }
    }

    /// So many more are done.
    pub(super) fn add(&self, more: usize) {
        if let Some(bar) = &self.bar {
            bar.inc(more as u64);
            return;
        }
        let before = self.done.fetch_add(more, Ordering::Relaxed);
        let now = before + more;
        let step = |done: usize| match self.every {
            Some(every) => done / every.max(1),
            None => done * LINES / self.total.max(1),
        };
        if step(now) > step(before) && now < self.total {
            let (total, what) = (self.total, self.what);
            say(self.global, format_args!("{now} of {total} {what}"));
        }
    }

    /// Nothing more will be done.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

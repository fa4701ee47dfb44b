//! What a load test found, for people and for other programs.
//!
//! `compose` puts an outcome into words and tables once; `text` draws them in a box for a terminal, `html`
//! as one page with drawings that needs nothing else. [`csv`] has the slices, [`hlog`] is an HdrHistogram
//! log that its other tools read.

mod compose;
mod files;
mod html;
mod plot;
mod text;
mod words;

pub use self::files::{csv, hlog};

use super::{Language, Outcome};

/// How a report is made.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Its language.
    pub language: Language,
    /// When the test began, as its reader writes moments, zone included.
    pub started: &'a str,
    /// What made it: name and version.
    pub made_by: &'a str,
}

/// The report in a box, for a terminal.
#[must_use]
pub fn text(outcome: &Outcome, options: &Options<'_>) -> String {
    text::render(&compose::compose(outcome, options))
}

/// The report as one page of HTML with drawings; it asks nothing of anyone and runs nothing.
#[must_use]
pub fn html(outcome: &Outcome, options: &Options<'_>) -> String {
    html::render(&compose::compose(outcome, options), outcome, options)
}

#[cfg(test)]
mod tests;

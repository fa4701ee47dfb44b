//! What becomes of a test when it is over: what follows is found, thresholds are held against it, it is
//! printed, and the files that were asked for are written.

use std::path::PathBuf;

use finstage_lab::stress::{Outcome, Threshold, findings, threshold};

use super::super::bars::to_file;
use super::super::{print_json, print_line, say};
use super::Telling;
use super::report::{by_ending, form, verdict};
use crate::cli::{Global, StressFormat};
use crate::exit::{Exit, Result};

/// How a test is presented.
#[derive(Debug)]
pub(super) struct Presentation {
    pub(super) telling: Telling,
    pub(super) thresholds: Vec<Threshold>,
    /// Files of reports, each in the form that its ending names.
    pub(super) reports: Vec<PathBuf>,
    /// Whether it was ended by a signal or a key.
    pub(super) is_interrupted: bool,
}

/// Presents a test; the exit code says whether its thresholds hold.
pub(super) fn present(global: &Global, mut outcome: Outcome, how: &Presentation) -> Result<Exit> {
    findings::fill(&mut outcome, how.telling.language);
    outcome.thresholds = threshold::check(&how.thresholds, &outcome);
    for file in &how.reports {
        let format = by_ending(file).unwrap_or(StressFormat::Html);
        let text = form(&outcome, format, &how.telling)?;
        to_file(file, |out| out.write_all(text.as_bytes()))?;
        say(global, format_args!("report: {}", file.display()));
    }
    if global.json {
        print_json(&outcome)?;
    } else {
        print_line(form(&outcome, StressFormat::Text, &how.telling)?.trim_end())?;
    }
    Ok(if how.is_interrupted { Exit::Interrupted } else { verdict(&outcome) })
}

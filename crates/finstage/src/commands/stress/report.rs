//! `finstage stress report`

use finstage_lab::stress::report::{self, Options};
use finstage_lab::stress::{Outcome, findings, merge, threshold};

use super::super::bars::to_file;
use super::super::{print_line, say};
use super::{Telling, read};
use crate::cli::{Global, StressFormat, StressReport};
use crate::exit::{Exit, Failure, Result};

pub(super) fn run(global: &Global, args: &StressReport) -> Result<Exit> {
    let telling = Telling::new(global, args.lang)?;
    let outcomes = args.results.iter().map(|file| read(file)).collect::<Result<Vec<Outcome>>>()?;
    let merged = merge::merge(&outcomes);
    let mut outcome = merged.ok_or_else(|| Failure::usage("no result: name one"))?;
    // Findings are made anew, in the language that is asked for.
    findings::fill(&mut outcome, telling.language);
    if !args.threshold.is_empty() {
        outcome.thresholds = threshold::check(&args.threshold, &outcome);
    }
    let text = form(&outcome, format(global, args), &telling)?;
    match &args.output {
        None => print_line(text.trim_end())?,
        Some(path) => {
            to_file(path, |out| out.write_all(text.as_bytes()))?;
            say(global, format_args!("report of {}: {}", outcome.target, path.display()));
        }
    }
    Ok(verdict(&outcome))
}

/// Exit code 1 where a threshold does not hold.
pub(super) fn verdict(outcome: &Outcome) -> Exit {
    if outcome.thresholds.iter().all(|checked| checked.holds) {
        Exit::Done
    } else {
        Exit::CheckFailed
    }
}

/// An outcome in a form.
pub(super) fn form(outcome: &Outcome, format: StressFormat, telling: &Telling) -> Result<String> {
    let (started, made_by) = (telling.started(outcome), format!("finstage {}", crate::VERSION));
    let options = Options { language: telling.language, started: &started, made_by: &made_by };
    Ok(match format {
        StressFormat::Text => report::text(outcome, &options),
        StressFormat::Html => report::html(outcome, &options),
        StressFormat::Csv => report::csv(outcome),
        StressFormat::Hlog => report::hlog(outcome, &made_by),
        StressFormat::Json => serde_json::to_string_pretty(outcome)
            .map_err(|e| Failure::usage(format!("writing JSON: {e}")))?,
    })
}

/// The form that the ending of a file asks for.
pub(super) fn by_ending(file: &std::path::Path) -> Option<StressFormat> {
    match file.extension()?.to_str()? {
        "html" | "htm" => Some(StressFormat::Html),
        "json" => Some(StressFormat::Json),
        "csv" => Some(StressFormat::Csv),
        "hlog" => Some(StressFormat::Hlog),
        "txt" => Some(StressFormat::Text),
        _ => None,
    }
}

fn format(global: &Global, args: &StressReport) -> StressFormat {
    let ending = args.output.as_deref().and_then(by_ending);
    match args.format {
        Some(format) => format,
        None if global.json => StressFormat::Json,
        None => ending.unwrap_or(StressFormat::Text),
    }
}

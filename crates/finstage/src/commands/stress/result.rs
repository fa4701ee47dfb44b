//! What becomes of an outcome: findings, files, the box or the document, and the exit code.

use finstage_lab::stress::{Outcome, findings, threshold};

use super::super::bars::to_file;
use super::super::{print_json, print_line, say};
use super::Telling;
use super::report::{by_ending, form, verdict};
use crate::cli::{Global, StressFormat, StressResult};
use crate::exit::{Exit, Failure, Result};

/// How a test came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By its plan, or by a person who asked for the report.
    Regular,
    /// By a signal.
    Interrupted,
}

/// Writes what was asked for; how the command ends.
pub(super) fn finish(
    global: &Global,
    (args, telling): (&StressResult, &Telling),
    mut outcome: Outcome,
    ending: Ending,
) -> Result<Exit> {
    findings::fill(&mut outcome, telling.language);
    outcome.thresholds = threshold::check(&args.threshold, &outcome);
    if let Some(file) = &args.report {
        let format = by_ending(file).unwrap_or(StressFormat::Html);
        let text = form(&outcome, format, telling)?;
        to_file(file, |out| out.write_all(text.as_bytes()))?;
        say(global, format_args!("report: {}", file.display()));
    }
    if let Some(file) = &args.output {
        let text = serde_json::to_string(&outcome).map_err(Failure::usage)?;
        to_file(file, |out| out.write_all(text.as_bytes()))?;
    }
    if global.json {
        print_json(&outcome)?;
    } else {
        print_line(form(&outcome, StressFormat::Text, telling)?.trim_end())?;
    }
    Ok(exit(global, &outcome, ending))
}

fn exit(global: &Global, outcome: &Outcome, ending: Ending) -> Exit {
    let has_knee = outcome.knee.is_some();
    if ending == Ending::Interrupted && !has_knee {
        return Exit::Interrupted;
    }
    let count = |error: &str| outcome.errors.get(error).copied().unwrap_or(0);
    let unreachable = count("ConnectionError");
    let is_http2 = outcome.settings.get("http2").is_some_and(|value| value == true);
    if is_http2 && outcome.sent > 0 && unreachable + count("ProtocolError") == outcome.sent {
        let target = &outcome.target;
        let ask = "is the server up, and does it speak HTTP/2? try without --http2";
        say(global, format_args!("no answer in HTTP/2 from {target}: {ask}"));
        return Exit::Remote;
    }
    if outcome.sent > 0 && unreachable == outcome.sent {
        say(global, format_args!("nobody answers at {}: is the server up?", outcome.target));
        return Exit::Remote;
    }
    if outcome.quota.banned_s.is_some() {
        say(
            global,
            format_args!("the server refused us (418 or 403), so nothing was sent any more"),
        );
        return Exit::Remote;
    }
    verdict(outcome)
}

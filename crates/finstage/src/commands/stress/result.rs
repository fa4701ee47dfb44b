//! What becomes of an outcome: findings, files, the box or the document, and the exit code.

use std::path::Path;

use finstage_lab::stress::{Language, Outcome, Stop, findings, report, threshold};

use super::super::{load_without_channels, print_json, print_line, say};
use crate::cli::{Global, StressResult};
use crate::exit::{Exit, Failure, Result};

/// Writes what was asked for; how the command ends.
pub(super) fn finish(
    global: &Global,
    args: &StressResult,
    mut outcome: Outcome,
    stop: &Stop,
) -> Result<Exit> {
    let settings = load_without_channels(global)?.settings;
    let language = match settings.report.language {
        crate::report::Language::En => Language::English,
        crate::report::Language::Ko => Language::Korean,
    };
    findings::fill(&mut outcome, language);
    outcome.thresholds = threshold::check(&args.threshold, &outcome);
    let started = outcome.started_at.to_string();
    let made_by = format!("finstage {}", crate::VERSION);
    let options = report::Options { language, started: &started, made_by: &made_by };
    if let Some(file) = &args.report {
        write(file, &report::html(&outcome, &options))?;
        say(global, format_args!("report: {}", file.display()));
    }
    if let Some(file) = &args.output {
        let text = serde_json::to_string(&outcome).map_err(Failure::usage)?;
        write(file, &text)?;
    }
    if global.json {
        print_json(&outcome)?;
    } else {
        print_line(report::text(&outcome, &options).trim_end())?;
    }
    Ok(exit(global, &outcome, stop))
}

fn exit(global: &Global, outcome: &Outcome, stop: &Stop) -> Exit {
    let has_knee = outcome.knee.is_some();
    if stop.is_pulled() && !has_knee {
        return Exit::Interrupted;
    }
    let unreachable = outcome.errors.get("ConnectionError").copied().unwrap_or(0);
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
    if outcome.thresholds.iter().all(|checked| checked.holds) {
        Exit::Done
    } else {
        Exit::CheckFailed
    }
}

/// Writes a file that appears whole or not at all.
fn write(file: &Path, text: &str) -> Result<()> {
    let failed = |e: &std::io::Error| Failure::from_writing(file, e);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut new = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
        .map_err(|e| failed(&e))?;
    std::io::Write::write_all(&mut new, text.as_bytes()).map_err(|e| failed(&e))?;
    new.persist(file).map_err(|e| failed(&e.error))?;
    Ok(())
}

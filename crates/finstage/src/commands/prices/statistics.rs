//! What batches were like: a line each on standard error, and a file for programs.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use finstage_net::batch::{BatchReport, BatchSummary};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::commands::progress::Progress;
use crate::commands::say;
use crate::exit::{Failure, Result};

/// Columns of the CSV file.
const COLUMNS: [&str; 8] =
    ["batch", "size", "submit_ms", "took_ms", "ok", "failed", "per_second", "errors"];

/// A form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Lines,
    Csv,
}

/// Tells of batches as they end, and writes the file at the end.
pub(super) struct Statistics<'a> {
    global: &'a Global,
    file: Option<(PathBuf, Form)>,
    batches: Vec<BatchReport>,
}

impl<'a> Statistics<'a> {
    /// To standard error, and to a file of the form that its ending says.
    ///
    /// # Errors
    /// When the ending says none: nothing has been asked then.
    pub(super) fn to(global: &'a Global, file: Option<&Path>) -> Result<Self> {
        let form = |file: &Path| match file.extension().and_then(|ending| ending.to_str()) {
            Some("json") => Ok(Form::Json),
            Some("jsonl" | "ndjson") => Ok(Form::Lines),
            Some("csv") => Ok(Form::Csv),
            _ => Err(Failure::usage(format!(
                "--stats {}: name a file that ends in .json, .jsonl or .csv",
                file.display()
            ))),
        };
        let file = file.map(|file| Ok::<_, Failure>((file.to_owned(), form(file)?))).transpose()?;
        Ok(Self { global, file, batches: Vec::new() })
    }

    /// A batch is over.
    pub(super) fn batch(&mut self, report: &BatchReport, progress: Option<&Progress<'_>>) {
        let text = match self.global.json {
            true => object(report).to_string(),
            false => words(report),
        };
        match progress {
            Some(progress) => progress.line(&text),
            None => say(self.global, format_args!("{text}")),
        }
        // Only the file wants all of them.
        if self.file.is_some() {
            self.batches.push(report.clone());
        }
    }

    /// All batches are over, or there will be no more.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn end(&self, summary: &BatchSummary) -> Result<()> {
        match self.global.json {
            true => say(self.global, format_args!("{}", end_object(summary))),
            false => say(self.global, format_args!("{}", end_words(summary))),
        }
        let Some((file, form)) = &self.file else { return Ok(()) };
        let text = match form {
            Form::Json => {
                let batches: Vec<Value> = self.batches.iter().map(object).collect();
                let mut document = end_object(summary);
                document["rows"] = json!(batches);
                format!("{document:#}\n")
            }
            Form::Lines => {
                let rows = self.batches.iter().map(object).chain([end_object(summary)]);
                rows.map(|row| format!("{row}\n")).collect()
            }
            Form::Csv => {
                let rows = self.batches.iter().map(cells);
                std::iter::once(COLUMNS.join(",")).chain(rows).map(|row| row + "\n").collect()
            }
        };
        write(file, &text).map_err(|e| Failure::from_writing(file, &e))
    }
}

/// The file appears whole or not at all.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut new = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    new.write_all(text.as_bytes())?;
    new.persist(file).map_err(|e| e.error)?;
    Ok(())
}

/// Two digits behind the point tell enough of a speed.
fn per_second(report: &BatchReport) -> f64 {
    (report.per_second() * 100.0).round() / 100.0
}

fn object(report: &BatchReport) -> Value {
    json!({
        "batch": report.index + 1,
        "size": report.size,
        "submit_ms": millis(report.submit),
        "took_ms": millis(report.took),
        "ok": report.ok,
        "failed": report.failed,
        "per_second": per_second(report),
        "errors": report.errors,
    })
}

fn words(report: &BatchReport) -> String {
    let errors: Vec<String> =
        report.errors.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let errors = if errors.is_empty() { "none".to_owned() } else { errors.join(", ") };
    format!(
        "batch {}: size {}, submit_ms {}, took_ms {}, ok {}, failed {}, per_second {}, errors {errors}",
        report.index + 1,
        report.size,
        millis(report.submit),
        millis(report.took),
        report.ok,
        report.failed,
        per_second(report),
    )
}

/// A row of the CSV file. Kinds of errors have no comma and no quote in them.
fn cells(report: &BatchReport) -> String {
    let errors: Vec<String> =
        report.errors.iter().map(|(kind, count)| format!("{kind}={count}")).collect();
    let BatchReport { index, size, ok, failed, .. } = report;
    let (submit, took) = (millis(report.submit), millis(report.took));
    let speed = per_second(report);
    format!("{},{size},{submit},{took},{ok},{failed},{speed},{}", index + 1, errors.join(";"))
}

fn end_object(summary: &BatchSummary) -> Value {
    json!({
        "batches": summary.batches,
        "items": summary.items,
        "failed": summary.failed,
        "batch_size": summary.batch_size,
        "delay_ms": millis(summary.delay),
        "error_rate": summary.error_rate(),
        "adjustments": summary.adjustments,
        "history": summary.history.iter().map(object).collect::<Vec<_>>(),
    })
}

fn end_words(summary: &BatchSummary) -> String {
    let size = summary.batch_size.map_or_else(|| "all".to_owned(), |size| size.to_string());
    format!(
        "{} asked for, {} failed: error_rate {:.4}, batch_size {size}, delay_ms {}, adjustments {}",
        summary.items,
        summary.failed,
        summary.error_rate(),
        millis(summary.delay),
        summary.adjustments,
    )
}

fn millis(duration: std::time::Duration) -> u64 {
    duration.as_millis() as u64
}

//! What became of a run, in words and as JSON.

use std::time::Duration;

use finstage_llm::{Summary, Why};
use serde::Serialize;
use serde_json::json;

use super::super::super::{print_json, print_line, say};
use super::exit_of;
use super::reading::Counted;
use crate::cli::Global;
use crate::exit::{Exit, Failure, Result};

/// What became of a run.
#[derive(Debug, Serialize)]
pub(in super::super::super) struct Told {
    /// Rows of the input, as far as it was read.
    pub(in super::super::super) total: u64,
    /// Rows that were done before.
    skipped: u64,
    /// What it cost, as far as that is known; null where nothing of it is.
    cost_usd: Option<f64>,
    #[serde(flatten)]
    pub(in super::super::super) summary: Summary,
}

impl Told {
    pub(super) fn new(summary: Summary, counted: Counted, elapsed: Duration) -> Self {
        let is_known = summary.unknown_cost == 0 || summary.cost.pico() > 0;
        let summary = Summary { elapsed_s: (elapsed.as_secs_f64() * 1e3).round() / 1e3, ..summary };
        Self {
            total: counted.total,
            skipped: counted.skipped,
            cost_usd: is_known.then(|| summary.cost.usd()),
            summary,
        }
    }

    /// Prints it: to where people read where the results stand on standard output.
    pub(super) fn print(&self, global: &Global, is_stdout_taken: bool) -> Result<()> {
        match (global.json, is_stdout_taken) {
            (true, false) => print_json(&json!(self))?,
            (true, true) => say(global, format_args!("{}", json!(self))),
            (false, false) => self.lines().iter().try_for_each(|line| print_line(line))?,
            (false, true) => {
                self.lines().iter().for_each(|line| say(global, format_args!("{line}")));
            }
        }
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        let Summary { done, cached, failed, attempts, retries, refused_429, elapsed_s, .. } =
            &self.summary;
        let not_done = match self.summary.not_done {
            0 => String::new(),
            some => format!(", {some} not asked"),
        };
        let cost = match (self.cost_usd, self.summary.unknown_cost) {
            (None, _) => "unknown cost: no price is known".to_owned(),
            (Some(_), 0) => format!("${}", self.summary.cost),
            (Some(_), some) => {
                format!("${} and {some} requests of unknown cost", self.summary.cost)
            }
        };
        let mut lines = vec![
            format!(
                "{} rows: {done} answered ({cached} of them without a request), {failed} failed, {} done before{not_done}",
                self.total, self.skipped
            ),
            format!(
                "{attempts} questions, {retries} requests again, {refused_429} refused; {cost}; {elapsed_s:.1} s"
            ),
        ];
        lines.extend(self.summary.models.iter().map(|(name, model)| {
            format!(
                "  {name}: {} questions, {} + {} tokens, p50 {:.0} ms, p95 {:.0} ms",
                model.attempts,
                model.usage.prompt,
                model.usage.completion,
                model.p50_ms,
                model.p95_ms
            )
        }));
        lines
    }

    /// How the command ends.
    pub(super) fn exit(&self) -> Result<Exit> {
        match &self.summary.stopped {
            Some(stopped) if stopped.why == Why::Cancelled => Ok(Exit::Interrupted),
            Some(stopped) => Err(Failure::new(
                exit_of(stopped.why),
                format!(
                    "{}; what was answered is written, and the same command goes on",
                    stopped.message
                ),
            )),
            None if self.summary.failed > 0 => Ok(Exit::CheckFailed),
            None => Ok(Exit::Done),
        }
    }
}

//! `finstage llm batch`

use std::collections::HashMap;
use std::path::Path;

use finstage_llm::{
    Batch, BatchFile, Batches, Done, End, InputOptions, Money, Output, OutputOptions, Prices, Row,
    RowId, Rows,
};
use finstage_model::Clock as _;
use finstage_net::SystemClock;
use serde_json::{Map, json};

use super::super::{load_without_channels, print_json, print_line, say};
use super::failed;
use crate::cli::{Global, LlmBatch, LlmBatchCommand, LlmTarget};
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Result};
use crate::llm::{Wanted, endpoint, prices};

pub(super) fn run(global: &Global, args: &LlmBatch) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match &args.command {
        LlmBatchCommand::Submit { input, target } => {
            let file = file(input, target, &loaded)?;
            let batches = batches(target, &loaded)?;
            let batch = runtime.block_on(batches.submit(file)).map_err(|e| failed(&e))?;
            tell(global, &batch)
        }
        LlmBatchCommand::Status { id, target } => {
            let batches = batches(target, &loaded)?;
            let batch = runtime.block_on(batches.status(id)).map_err(|e| failed(&e))?;
            tell(global, &batch)
        }
        LlmBatchCommand::Fetch { id, output, errors, input, target } => {
            let batches = batches(target, &loaded)?;
            let batch = runtime.block_on(batches.status(id)).map_err(|e| failed(&e))?;
            let options = OutputOptions { errors: errors.clone(), is_ordered: false };
            let (output, resumed) = Output::open(output, &options).map_err(|e| failed(&e))?;
            let mut fetched = Fetched {
                output,
                rows: input.as_deref().map(|input| rows(input, target, &loaded)).transpose()?,
                prices: prices(&loaded.settings.llm)?,
                register: resumed.register,
                tally: Tally::default(),
            };
            let read = runtime.block_on(batches.fetch(&batch, |line| fetched.take(line)));
            fetched.end(global, &batch, read)
        }
    }
}

fn batches(target: &LlmTarget, loaded: &Loaded) -> Result<Batches> {
    let endpoint = endpoint(&loaded.settings.llm, Wanted::from(target))?;
    Batches::new(endpoint).map_err(|e| failed(&e))
}

fn read<'a>(
    input: &Path,
    target: &LlmTarget,
    loaded: &'a Loaded,
) -> Result<impl Iterator<Item = Result<Row>> + use<'a>> {
    let file = std::fs::File::open(input);
    let file = file.map_err(|e| Failure::usage(format!("{}: {e}", input.display())))?;
    let options = InputOptions {
        name: input.display().to_string(),
        is_model_forced: target.model.is_some(),
        model: target.model.clone().or_else(|| loaded.settings.llm.model.clone()),
        ..InputOptions::default()
    };
    let rows = Rows::open(std::io::BufReader::new(file), options).map_err(|e| failed(&e))?;
    Ok(rows.map(|row| row.map_err(|e| failed(&e))))
}

fn file(input: &Path, target: &LlmTarget, loaded: &Loaded) -> Result<BatchFile> {
    let mut file = BatchFile::default();
    for row in read(input, target, loaded)? {
        file.push(&row?).map_err(|e| failed(&e))?;
    }
    Ok(file)
}

/// The rows of a file by their names.
fn rows(input: &Path, target: &LlmTarget, loaded: &Loaded) -> Result<HashMap<RowId, Row>> {
    read(input, target, loaded)?.map(|row| row.map(|row| (row.id(), row))).collect()
}

fn tell(global: &Global, batch: &Batch) -> Result<Exit> {
    let counts = batch.counts;
    if global.json {
        print_json(&json!({
            "id": batch.id, "status": batch.status, "total": counts.total,
            "completed": counts.completed, "failed": counts.failed, "errors": batch.complaints(),
        }))?;
    } else {
        print_line(&format!(
            "{}: {}, {} of {} rows answered, {} failed",
            batch.id, batch.status, counts.completed, counts.total, counts.failed
        ))?;
        batch.complaints().iter().try_for_each(|line| print_line(line))?;
    }
    Ok(if batch.status == "failed" { Exit::CheckFailed } else { Exit::Done })
}

#[derive(Debug, Default)]
struct Tally {
    done: u64,
    failed: u64,
    skipped: u64,
    cost: Money,
    unpriced: u64,
}

/// A batch on its way into an output.
struct Fetched {
    output: Output,
    /// Those that were submitted and did not come yet.
    rows: Option<HashMap<RowId, Row>>,
    prices: Prices,
    register: finstage_llm::Register,
    tally: Tally,
}

impl Fetched {
    fn take(
        &mut self,
        line: finstage_llm::BatchLine,
    ) -> std::result::Result<(), finstage_llm::Error> {
        let id = RowId::of(&line.custom_id);
        let submitted = self.rows.as_mut().and_then(|rows| rows.remove(&id));
        let row = submitted.unwrap_or_else(|| Row {
            line: 0,
            custom_id: line.custom_id.clone(),
            url: String::new(),
            body: Map::new(),
        });
        if self.register.has(id) {
            self.tally.skipped += 1;
            return Ok(());
        }
        let done = line.done(row, &self.prices);
        self.count(&done);
        self.output.put(&done, None, SystemClock.now())
    }

    fn count(&mut self, done: &Done) {
        match &done.end {
            End::Answered(_) => self.tally.done += 1,
            End::Failed(_) => self.tally.failed += 1,
        }
        for attempt in &done.attempts {
            match attempt.cost {
                Some(cost) => self.tally.cost = self.tally.cost.plus(cost),
                None => self.tally.unpriced += 1,
            }
        }
    }

    fn end(
        self,
        global: &Global,
        batch: &Batch,
        read: std::result::Result<(), finstage_llm::Error>,
    ) -> Result<Exit> {
        self.output.close(SystemClock.now()).map_err(|e| failed(&e))?;
        read.map_err(|e| failed(&e))?;
        let missing: Vec<&str> =
            self.rows.iter().flat_map(HashMap::values).map(|row| row.custom_id.as_str()).collect();
        let Tally { done, failed, skipped, cost, unpriced } = self.tally;
        let is_known = unpriced == 0 || cost > Money::ZERO;
        if global.json {
            print_json(&json!({
                "id": batch.id, "status": batch.status, "total": batch.counts.total, "done": done,
                "failed": failed, "skipped": skipped, "missing": missing.len(),
                "cost_usd": is_known.then(|| cost.usd()), "unpriced": unpriced,
            }))?;
        } else {
            let spent = if is_known { format!("${cost}") } else { "unknown cost".to_owned() };
            print_line(&format!(
                "{}: {}, {done} answered, {failed} failed, {skipped} were there, {} missing; {spent}",
                batch.id,
                batch.status,
                missing.len()
            ))?;
        }
        if !missing.is_empty() {
            say(
                global,
                format_args!(
                    "rows that the batch did not reach: `llm run` on the same files asks them"
                ),
            );
        }
        Ok(if failed > 0 || !missing.is_empty() { Exit::CheckFailed } else { Exit::Done })
    }
}

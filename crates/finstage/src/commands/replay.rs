//! `finstage replay`

mod input;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use finstage_engine::SinkError;
use finstage_model::{Day, Event, Output, Timestamp};
use serde_json::{Value, json};

use super::{data_dir, load_without_channels, print_json, print_line, say};
use crate::check::{Listener, RunReplay, Silence, combined_hash, replay};
use crate::cli::{Global, Replay, Speed};
use crate::exit::{Exit, Failure, Result};
use crate::live::Names;
use crate::wiring;

/// The longest pause between two lines, whatever the original pace was.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How often a pause looks whether it is to end.
const PAUSE_LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(global: &Global, args: &Replay) -> Result<Exit> {
    match &args.input {
        Some(recording) => input::run(global, args, recording),
        None => run_journal(global, args),
    }
}

fn run_journal(global: &Global, args: &Replay) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    let journal =
        finstage_store::Journal::open(wiring::disk(), dir.join("journal"), Default::default());
    let records = if args.check { Some(wiring::read_records(&dir)?) } else { None };
    let (from, to) = match args.date {
        Some(day) => (Some(day), Some(day)),
        None => (args.from, args.to),
    };
    let kept = journal.days()?;
    let chosen = |day: &Day| from.is_none_or(|from| *day >= from) && to.is_none_or(|to| *day <= to);
    let days: Vec<Day> = kept.iter().copied().filter(chosen).collect();
    if days.is_empty() {
        return Err(Failure::usage(nothing_to_replay(&dir.display().to_string(), &kept)));
    }
    let mut runs = Vec::new();
    for day in days {
        for number in journal.runs(day)? {
            let mut printer = args.speed.map(|speed| Printer { speed, last: None, stop: None });
            let listener: &mut dyn Listener = match &mut printer {
                Some(printer) => printer,
                None => &mut Silence,
            };
            let replayed = replay(&journal, records.as_ref(), (day, number), listener)?;
            report(global, &replayed);
            runs.push(replayed);
        }
    }
    finish(global, args, &runs)
}

fn nothing_to_replay(dir: &str, kept: &[Day]) -> String {
    match (kept.first(), kept.last()) {
        (Some(first), Some(last)) => {
            format!("{dir}: no such day in the journal: it keeps {first} to {last}")
        }
        _ => format!(
            "{dir}: no journal here yet: name the folder with --data-dir, or run `finstage serve` or `demo --data-dir DIR` first"
        ),
    }
}

fn report(global: &Global, run: &RunReplay) {
    let verdict = match (run.matches, &run.difference) {
        (Some(true), _) => "same as said then".to_owned(),
        (Some(false), Some(difference)) => format!("DIFFERS: {difference}"),
        _ => "not compared".to_owned(),
    };
    let RunReplay { day, run: number, version, events, outputs, .. } = run;
    say(
        global,
        format_args!(
            "{day} run {number} (finstage {version}): {events} events, {outputs} outputs: {verdict}"
        ),
    );
}

fn finish(global: &Global, args: &Replay, runs: &[RunReplay]) -> Result<Exit> {
    let matches = args.check.then(|| runs.iter().all(|run| run.matches == Some(true)));
    let total = |of: fn(&RunReplay) -> u64| runs.iter().map(of).sum::<u64>();
    let (events, outputs) = (total(|run| run.events), total(|run| run.outputs));
    let hash = combined_hash(runs);
    if global.json {
        print_json(
            &json!({"events": events, "outputs": outputs, "hash": hash, "match": matches, "runs": runs}),
        )?;
    } else {
        let verdict = match matches {
            Some(true) => "match",
            Some(false) => "MISMATCH",
            None => "not compared (--check compares)",
        };
        print_line(&format!("{events} events, {outputs} outputs, hash {hash}: {verdict}"))?;
    }
    Ok(if matches == Some(false) { Exit::CheckFailed } else { Exit::Done })
}

/// A line for people, whatever else is quiet.
fn complain(words: &str) {
    use std::io::Write as _;
    // Whoever closed standard error does not want to hear it.
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}

/// Prints what is said, at the pace of the original times a factor.
#[derive(Debug)]
struct Printer {
    speed: Speed,
    last: Option<Timestamp>,
    /// Ends a pause when it turns true; without it, Ctrl-C ends the process.
    stop: Option<Arc<AtomicBool>>,
}

impl Printer {
    fn print(&self, line: &str) -> Result<(), SinkError> {
        use std::io::Write as _;
        let Some(stop) = &self.stop else {
            return print_line(line).map_err(|e| SinkError(Box::new(e)));
        };
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        // What is played lies in a folder that has to be taken away: the process must not just end.
        writeln!(std::io::stdout().lock(), "{line}").map_err(|e| {
            stop.store(true, Ordering::Relaxed);
            SinkError(Box::new(e))
        })
    }

    fn pause(&self, mut left: Duration) {
        let is_stopped = || self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
        while !left.is_zero() && !is_stopped() {
            let step = left.min(PAUSE_LOOK);
            // A replay has nothing else to do meanwhile.
            std::thread::park_timeout(step);
            left -= step;
        }
    }
}

impl Listener for Printer {
    fn heard(&mut self, names: &Names, event: &Event, outputs: &[Output]) -> Result<(), SinkError> {
        if let (Speed::Times(times), Some(last)) = (self.speed, self.last) {
            // Seconds as numbers: a pace near zero makes any pause too long for a duration.
            let pause = event.ts_recv.since(last).as_secs_f64() / times;
            self.pause(Duration::try_from_secs_f64(pause).unwrap_or(PAUSE_MAX).min(PAUSE_MAX));
        }
        self.last = Some(event.ts_recv);
        outputs.iter().try_for_each(|output| self.print(&said(names, output).to_string()))
    }
}

/// One output as a line of NDJSON.
fn said(names: &Names, output: &Output) -> Value {
    match output {
        Output::Bar(bar) => json!({
            "type": "bar", "symbol": names.symbol(bar.instrument), "interval": bar.interval, "timestamp": bar.open_time,
            "open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close, "volume": bar.volume, "trades": bar.trades,
        }),
        Output::Signal(signal) => json!({
            "type": "signal", "id": signal.id, "symbol": names.symbol(signal.instrument), "interval": signal.interval,
            "strategy": names.strategy(signal.strategy), "direction": signal.direction, "at": signal.at,
            "price": signal.price, "strength": signal.strength,
        }),
        Output::Verdict(verdict) => json!({
            "type": "verdict", "signal": verdict.signal, "verdict": verdict.ruling.as_str(),
            "reasons": verdict.ruling.reason().into_iter().collect::<Vec<_>>(),
        }),
        Output::Alert(alert) => {
            let mut value = serde_json::to_value(alert).unwrap_or_default();
            value["about"] = value["kind"].take();
            value["type"] = json!("alert");
            value
        }
    }
}

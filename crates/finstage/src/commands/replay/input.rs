//! `finstage replay --input`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use finstage_engine::SinkError;
use finstage_feeds::recording::{Asked, Form, Recording, What};
use finstage_feeds::venues::{self, Venue, tardis};
use finstage_model::{Event, Output, Symbol, Timestamp};
use finstage_net::Frame;
use serde::Serialize;

use super::Printer;
use crate::check::Listener as _;
use crate::cli::{Global, Replay};
use crate::commands::demo::stop_on_interrupt;
use crate::commands::{data_dir, load_without_channels, print_json, print_line, say, symbol_at};
use crate::config::settings::Settings;
use crate::exit::{Exit, Failure, Result};
use crate::live::{Freshness, Names, NoObserver, Observer};
use crate::recorded::{Ears, Past, Played, Tape, settings_for};
use crate::venues::names_of;

/// What stands for standard input.
const STDIN: &str = "-";
/// The venue whose files name their instruments in every frame.
const TARDIS: &str = "tardis";
/// Frames of a file among which its instruments are looked for.
const PEEK_FRAMES: usize = 10_000;

pub(super) fn run(global: &Global, args: &Replay, input: &Path) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let is_stdin = input == Path::new(STDIN);
    if is_stdin && args.check {
        return Err(Failure::usage("--check reads a recording twice: name a file"));
    }
    let recording = open(input)?;
    let venue = whose(&recording, args)?;
    let asked = asked_of(&recording, (args, venue), (input, &loaded.settings))?;
    let name = venue.profile.name;
    let (settings, notes) = settings_for(&loaded.settings.engine, name, &asked);
    for note in notes {
        say(global, format_args!("{note}"));
    }
    if settings.strategies.is_empty() {
        say(
            global,
            format_args!(
                "no strategy is configured for what is recorded: bars are all that is said"
            ),
        );
    }
    let past = Past::of(&data_dir(global, &loaded))?;
    let tape = Tape { venue, asked, settings, past };
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_interrupt(&stop)?;
    let printing = args.speed.map(|speed| {
        let printer = Printer { speed, last: None, stop: Some(Arc::clone(&stop)) };
        Arc::new(Printing { printer: Mutex::new(printer), failed: OnceLock::new() })
    });
    let observer: Arc<dyn Observer> = match &printing {
        Some(printing) => Arc::clone(printing) as _,
        None => Arc::new(NoObserver),
    };
    let ears = Ears { observer, complain: Box::new(super::complain), stop: Arc::clone(&stop) };
    let played = tape.play(recording, ears)?;
    if let Some(failed) = printing.as_ref().and_then(|printing| printing.failed.get()) {
        return match failed.0.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
            // Whoever read has enough.
            Some(std::io::ErrorKind::BrokenPipe) => Ok(Exit::Done),
            _ => Err(Failure::new(Exit::Store, format!("writing standard output: {}", failed.0))),
        };
    }
    let matches = match args.check && !stop.load(Ordering::Relaxed) {
        true => Some(again(&tape, input, &stop)? == played),
        false => None,
    };
    finish(global, &Told { input, venue, tape: &tape, played: &played, matches })?;
    Ok(match (stop.load(Ordering::Relaxed), matches) {
        (true, _) => Exit::Interrupted,
        (false, Some(false)) => Exit::CheckFailed,
        _ => Exit::Done,
    })
}

fn open(input: &Path) -> Result<Recording> {
    let opened = match input == Path::new(STDIN) {
        true => Recording::of("standard input", std::io::stdin()),
        false => Recording::open(input),
    };
    opened.map_err(Failure::usage)
}

/// Plays a file once more, unheard.
fn again(tape: &Tape, input: &Path, stop: &Arc<AtomicBool>) -> Result<Played> {
    let ears =
        Ears { observer: Arc::new(NoObserver), complain: Box::new(|_| {}), stop: Arc::clone(stop) };
    tape.play(open(input)?, ears)
}

/// Whose frames they are: as the file says, else as the user does.
fn whose(recording: &Recording, args: &Replay) -> Result<&'static Venue> {
    let header = recording.header().map(|header| header.venue.as_str());
    let own = header.or_else(|| recording.form().venue());
    let name = match (own, args.venue.as_deref()) {
        (Some(own), Some(typed)) if own != typed => {
            return Err(Failure::usage(format!("--venue {typed}: these are frames of {own}")));
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => {
            return Err(Failure::usage(
                "the recording does not say whose frames it holds: add --venue",
            ));
        }
    };
    let venue = venues::find(name).filter(|venue| venue.stream.is_some());
    venue.ok_or_else(|| {
        let known = names_of(|venue| venue.stream.is_some());
        Failure::usage(format!("--venue \"{name}\": no venue with a stream: write {known}"))
    })
}

/// What is in the recording of which instruments: as its head says, else as its first frames do,
/// else what is configured.
fn asked_of(
    recording: &Recording,
    (args, venue): (&Replay, &Venue),
    (input, settings): (&Path, &Settings),
) -> Result<Vec<Asked>> {
    let name = venue.profile.name;
    let symbols = args.symbols.iter().map(|text| symbol_at("--symbols", name, text));
    let typed = symbols.collect::<Result<Vec<Symbol>>>()?;
    let mut asked = match recording.header() {
        Some(header) => header.asked.clone(),
        None if name == TARDIS && input != Path::new(STDIN) => found_in(open(input)?),
        None => {
            let feeds = settings.feeds.iter().filter(|feed| feed.venue == name);
            // Tardis records trades of venues, and no bars.
            let is_ours = recording.form() == Form::Capture;
            let of_feed = |feed: &crate::config::settings::FeedSettings| {
                let intervals = match is_ours {
                    true => feed.venue_intervals.clone(),
                    false => Vec::new(),
                };
                let ask = move |symbol: Symbol| Asked {
                    symbol,
                    trades: true,
                    intervals: intervals.clone(),
                };
                feed.symbols.clone().into_iter().map(ask)
            };
            feeds.flat_map(of_feed).collect()
        }
    };
    if !typed.is_empty() {
        let known = std::mem::take(&mut asked);
        let of = |symbol: Symbol| {
            let known = known.iter().find(|asked| asked.symbol == symbol).cloned();
            known.unwrap_or(Asked { symbol, trades: true, intervals: Vec::new() })
        };
        asked = typed.into_iter().map(of).collect();
    }
    asked.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    asked.dedup_by(|b, a| a.symbol == b.symbol);
    if asked.is_empty() {
        return Err(Failure::usage(format!(
            "which instruments of {name} are recorded is not known: add --symbols"
        )));
    }
    Ok(asked)
}

/// The instruments of the first frames, each with the kinds of what is told of it.
fn found_in(recording: Recording) -> Vec<Asked> {
    let mut found: BTreeMap<Symbol, Asked> = BTreeMap::new();
    let frames = recording.filter_map(|read| match read.ok()?.what {
        What::Came(_, Frame::Text(text)) => Some(text),
        _ => None,
    });
    for text in frames.take(PEEK_FRAMES) {
        let Some(subject) = tardis::subject_of(&text) else { continue };
        let Ok(symbol) = format!("{TARDIS}:{}", subject.name).parse::<Symbol>() else {
            continue;
        };
        let nothing = Asked { symbol: symbol.clone(), trades: false, intervals: Vec::new() };
        let asked = found.entry(symbol).or_insert(nothing);
        match subject.interval {
            None => asked.trades = true,
            Some(interval) if !asked.intervals.contains(&interval) => {
                asked.intervals.push(interval);
                asked.intervals.sort_unstable();
            }
            Some(_) => {}
        }
    }
    found.into_values().collect()
}

/// What a person is told at the end.
struct Told<'a> {
    input: &'a Path,
    venue: &'a Venue,
    tape: &'a Tape,
    played: &'a Played,
    matches: Option<bool>,
}

#[derive(Serialize)]
struct Summary<'a> {
    events: u64,
    outputs: u64,
    hash: &'a str,
    #[serde(rename = "match")]
    matches: Option<bool>,
    venue: &'a str,
    symbols: Vec<&'a Symbol>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    frames: u64,
    trades_and_bars: u64,
    duplicates: u64,
    gaps: u64,
    bad: u64,
    unused: &'a BTreeMap<String, u64>,
    out_of_order: u64,
    cut: Option<&'a str>,
    warmed: usize,
}

fn finish(global: &Global, told: &Told<'_>) -> Result<()> {
    let Told { input, venue, tape, played, matches } = told;
    let counts = &played.counts;
    let shown = input.display();
    if let Some(cut) = &counts.cut {
        super::complain(&format!("{cut}; everything before was played"));
    }
    if counts.frames == 0 && counts.bad > 0 {
        return Err(Failure::usage(format!("{shown}: nothing in it could be read")));
    }
    if counts.data == 0 {
        say(global, format_args!("no trade and no bar of {} is in it", symbols(tape)));
    }
    let (from, to) = played.span.unzip();
    if global.json {
        return print_json(&Summary {
            events: played.events,
            outputs: played.outputs,
            hash: &played.hash,
            matches: *matches,
            venue: venue.profile.name,
            symbols: tape.asked.iter().map(|asked| &asked.symbol).collect(),
            from,
            to,
            frames: counts.frames,
            trades_and_bars: counts.data,
            duplicates: counts.duplicates,
            gaps: counts.gaps,
            bad: counts.bad,
            unused: &counts.unused,
            out_of_order: counts.out_of_order,
            cut: counts.cut.as_deref(),
            warmed: played.warmed,
        });
    }
    say(global, format_args!("{shown}: {}", words(played)));
    let verdict = match matches {
        Some(true) => "match: played twice, the same to the last bit",
        Some(false) => "MISMATCH: played twice, and not the same",
        None => "not compared (--check plays it twice)",
    };
    let Played { events, outputs, hash, .. } = played;
    print_line(&format!("{events} events, {outputs} outputs, hash {hash}: {verdict}"))
}

fn symbols(tape: &Tape) -> String {
    let names: Vec<&str> = tape.asked.iter().map(|asked| asked.symbol.as_str()).collect();
    names.join(", ")
}

fn words(played: &Played) -> String {
    let Played { counts, warmed, span, .. } = played;
    let mut said = vec![
        format!("{} frames", counts.frames),
        format!("{} trades and bars", counts.data),
        format!("{} gaps", counts.gaps),
        format!("{} bad", counts.bad),
    ];
    if let Some((from, to)) = span {
        said.insert(0, format!("{from} to {to}"));
    }
    if counts.duplicates > 0 {
        said.push(format!("{} duplicates", counts.duplicates));
    }
    if counts.out_of_order > 0 {
        said.push(format!("{} out of order", counts.out_of_order));
    }
    for (what, count) in &counts.unused {
        said.push(format!("{count} unused ({what})"));
    }
    if *warmed > 0 {
        said.push(format!("{warmed} stored bars in front"));
    }
    said.join(", ")
}

/// Prints outputs as they are said.
#[derive(Debug)]
struct Printing {
    printer: Mutex<Printer>,
    /// Why it does not any more.
    failed: OnceLock<SinkError>,
}

impl Observer for Printing {
    fn said(&self, names: &Names, event: &Event, outputs: &[Output], freshness: Freshness) {
        if freshness == Freshness::Again {
            return;
        }
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = printer.heard(names, event, outputs) {
            // The first one is the cause.
            let _ = self.failed.set(error);
        }
    }
}

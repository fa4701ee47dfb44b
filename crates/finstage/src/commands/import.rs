//! `finstage import`

use std::path::Path;

use finstage_model::{Bar, Clock as _, Interval, Symbol, Timestamp};
use finstage_net::SystemClock;
use finstage_store::history::{
    BarFile, Factors, History, ReadOptions, read_bar_file, read_factor_file,
};
use finstage_store::records::{ImportCounts, Records, StoreKind};
use serde_json::json;

use super::{data_dir, load_without_channels, print_json, print_line, say};
use crate::cli::{BarArgs, Global, Import};
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

/// Dropped rows that are named for each file; further ones are counted.
const REJECTED_SHOWN: usize = 5;
/// Bars that differ from what is stored and are named for each file; further ones are counted.
const REVISIONS_SHOWN: usize = 3;

pub(super) fn run(global: &Global, args: &Import) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    // Everything is read before anything is written: a bad file leaves the store as it was.
    let mut read = Vec::new();
    for file in &args.files {
        let bars = read_bars(global, file, &args.bars)?;
        read.push((file, symbol_of(file, &args.bars)?, bars));
    }
    let factors = args.factors.as_ref().map(|file| read_factors(file, args)).transpose()?;
    let records = wiring::open_records(&dir, StoreKind::Real)?;
    let store = Shelves { global, history: wiring::history(&dir, &records), records };
    let mut total = ImportCounts::default();
    for (file, symbol, bars) in &read {
        let counts = store.bars(file, symbol, bars)?;
        total.read += bars.rows_read;
        total.written += counts.written;
        total.duplicates += counts.duplicates + bars.duplicates;
        total.revisions += counts.revisions;
        total.rejected += counts.rejected + counts.revisions + bars.rejected_count;
    }
    let factors =
        factors.map(|(symbol, factors)| store.factors(&symbol, &factors, args)).transpose()?;
    let ImportCounts { read, written, duplicates, revisions, rejected } = total;
    if global.json {
        let mut counts = json!({
            "read": read, "written": written, "duplicates": duplicates, "rejected": rejected,
            "revisions": revisions,
        });
        if let Some(factors) = factors {
            counts["factors"] = json!(factors);
        }
        print_json(&counts)?;
    } else if !args.files.is_empty() {
        print_line(&format!(
            "read {read}, written {written}, duplicates {duplicates}, rejected {rejected}"
        ))?;
    } else if let Some(factors) = factors {
        print_line(&format!("factors {factors}"))?;
    }
    Ok(Exit::Done)
}

/// The factors of `--factors` and whose they are.
fn read_factors(file: &Path, args: &Import) -> Result<(Symbol, Factors)> {
    let symbol = match (&args.bars.symbol, args.files.as_slice()) {
        (None, [bars]) => symbol_of(bars, &args.bars)?,
        (Some(symbol), _) => symbol.clone(),
        (None, _) => {
            return Err(Failure::usage(
                "--factors belong to one instrument: name it with --symbol venue:SYMBOL",
            ));
        }
    };
    Ok((symbol, read_factor_file(file).map_err(Failure::usage)?))
}

/// Where bars go.
struct Shelves<'a> {
    global: &'a Global,
    records: Records,
    history: History,
}

impl Shelves<'_> {
    /// Stores what a file held, and says what became of it.
    fn bars(&self, file: &Path, symbol: &Symbol, read: &BarFile) -> Result<ImportCounts> {
        let interval = read.interval;
        self.records.put_instrument(&wiring::describe(symbol))?;
        let counts = self.history.import(symbol, interval, &read.bars)?;
        self.history.compact_series(symbol, interval, SystemClock.now())?;
        let ImportCounts { written, duplicates, revisions, .. } = counts;
        let differ = match revisions {
            0 => String::new(),
            n => format!(", {n} that differ from what is stored (kept as it was)"),
        };
        say(
            self.global,
            format_args!(
                "{}: {symbol} {interval}: {} bars, {written} new, {duplicates} known{differ}",
                file.display(),
                read.bars.len(),
            ),
        );
        if revisions > 0 {
            self.differences(file, symbol, read)?;
        }
        Ok(counts)
    }

    /// Names the first bars that differ from what is stored.
    fn differences(&self, file: &Path, symbol: &Symbol, read: &BarFile) -> Result<()> {
        let (Some(first), Some(last)) = (read.bars.first(), read.bars.last()) else {
            return Ok(());
        };
        let range = first.open_time..last.close_time();
        let stored = self.history.bars(symbol, read.interval, range)?;
        let stored_at = |bar: &Bar| {
            let place = stored.binary_search_by_key(&bar.open_time, |old| old.open_time);
            place.ok().map(|place| &stored[place])
        };
        let pairs = read.bars.iter().filter_map(|bar| stored_at(bar).map(|old| (old, bar)));
        let differ = pairs.filter(|(old, new)| !changes(old, new).is_empty());
        for (old, new) in differ.take(REVISIONS_SHOWN) {
            let at = stamp(read.interval, new.open_time);
            let (old, new) = (changes(old, new), changes(new, old));
            say(self.global, format_args!("{}: {at}: {new}; stored: {old}", file.display()));
        }
        Ok(())
    }

    /// Stores factors and says so; gives how many there are.
    fn factors(&self, symbol: &Symbol, factors: &Factors, args: &Import) -> Result<usize> {
        self.records.put_instrument(&wiring::describe(symbol))?;
        let is_new = self.history.import_factors(symbol, factors)?;
        let rows = factors.rows();
        let file = args.factors.as_deref().unwrap_or_else(|| Path::new("factors"));
        let what = if is_new { "stored beside the bars, which stay raw" } else { "known already" };
        if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
            say(
                self.global,
                format_args!(
                    "{}: {symbol}: {} factors, {} to {}: {what}; `finstage bars export --adjusted` applies them",
                    file.display(),
                    rows.len(),
                    first.day,
                    last.day,
                ),
            );
        }
        Ok(rows.len())
    }
}

/// The numbers of a bar that another one does not share.
fn changes(bar: &Bar, other: &Bar) -> String {
    let prices = [
        ("open", bar.open, other.open),
        ("high", bar.high, other.high),
        ("low", bar.low, other.low),
        ("close", bar.close, other.close),
    ];
    let differ = prices.iter().filter(|(_, one, other)| one != other);
    let mut words: Vec<String> = differ.map(|(name, price, _)| format!("{name} {price}")).collect();
    if bar.volume != other.volume {
        words.push(format!("volume {}", bar.volume));
    }
    words.join(" ")
}

/// A bar's open time as people write it: a day for bars of a day and longer.
pub(super) fn stamp(interval: Interval, at: Timestamp) -> String {
    match interval {
        interval if interval >= Interval::D1 && at == at.day().start() => at.day().to_string(),
        _ => at.to_string(),
    }
}

/// Reads a bar file, saying what a person should know about how it was read.
pub(super) fn read_bars(global: &Global, file: &Path, args: &BarArgs) -> Result<BarFile> {
    let options = ReadOptions {
        tz: args.tz.clone(),
        lenient: args.lenient,
        interval: args.interval,
        now: Some(SystemClock.now()),
        ..ReadOptions::default()
    };
    let bars = read_bar_file(file, &options).map_err(Failure::usage)?;
    for note in &bars.notes {
        say(global, format_args!("{}: {note}", file.display()));
    }
    for (line, why) in bars.rejected.iter().take(REJECTED_SHOWN) {
        say(global, format_args!("{}:{line}: {why}: dropped", file.display()));
    }
    Ok(bars)
}

/// The symbol given, or `file:NAME`. The file has been read: it has a name.
pub(super) fn symbol_of(file: &Path, args: &BarArgs) -> Result<Symbol> {
    if let Some(symbol) = &args.symbol {
        return Ok(symbol.clone());
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name: String =
        stem.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect();
    format!("file:{name}").parse().map_err(Failure::usage)
}

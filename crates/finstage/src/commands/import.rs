//! `finstage import`

use finstage_store::history::{BarFile, ReadOptions, read_bar_file};
use finstage_store::records::StoreKind;
use serde_json::json;

use std::path::Path;

use finstage_model::{Clock as _, Symbol};
use finstage_net::SystemClock;

use super::{data_dir, load_without_channels, print_json, print_line, say};
use crate::cli::{BarArgs, Global, Import};
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

pub(super) fn run(global: &Global, args: &Import) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    if args.files.len() > 1 && args.bars.symbol.is_some() {
        return Err(Failure::usage(
            "--symbol names one instrument: import its files one by one, or leave it out for file:NAME",
        ));
    }
    // Everything is read before anything is written: a bad file leaves the store as it was.
    let mut read = Vec::new();
    for file in &args.files {
        let bars = read_bars(global, file, &args.bars)?;
        read.push((file, symbol_of(file, &args.bars)?, bars));
    }
    let records = wiring::open_records(&dir, StoreKind::Real)?;
    let (mut written, mut duplicates, mut revisions) = (0, 0, 0);
    for (file, symbol, bars) in &read {
        records.put_instrument(&wiring::describe(symbol))?;
        let counts = records.import_bars(symbol, bars.interval, &bars.bars)?;
        say(
            global,
            format_args!(
                "{}: {symbol} {}: {} bars, {} new, {} known, {} that differ from what is stored (kept as it was)",
                file.display(),
                bars.interval,
                bars.bars.len(),
                counts.written,
                counts.duplicates,
                counts.revisions
            ),
        );
        written += counts.written;
        duplicates += counts.duplicates;
        revisions += counts.revisions;
    }
    let total: u64 = read.iter().map(|(_, _, bars)| bars.rows_read).sum();
    let rejected: u64 =
        read.iter().map(|(_, _, bars)| bars.rejected_count).sum::<u64>() + revisions;
    if global.json {
        print_json(
            &json!({"read": total, "written": written, "duplicates": duplicates, "rejected": rejected}),
        )?;
    } else {
        print_line(&format!(
            "read {total}, written {written}, duplicates {duplicates}, rejected {rejected}"
        ))?;
    }
    Ok(Exit::Done)
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

//! Bars into the store and out of it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Interval, Symbol, Timestamp};
use finstage_store::history::{Adjust, History, ReadOptions, read_bar_file, write_csv};
use finstage_store::{DiskFiles, Records};

use super::stopwatch::{ns_each, took};
use super::{Session, walk};
use crate::exit::{Failure, Result};

const ALL: std::ops::Range<Timestamp> = Timestamp::MIN..Timestamp::MAX;

/// How often a store is filled anew: each time writes the whole file, and the least counts.
const MAX_IMPORTS: u32 = 3;

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let bars = walk::bars(Interval::M1, session.bars());
    let symbol: Symbol = "bench:WALK".parse().map_err(Failure::usage)?;
    let folder = tempfile::tempdir()?;
    let csv = folder.path().join("bars.csv");
    let mut file = BufWriter::new(File::create(&csv)?);
    write_csv(&bars, &mut file)?;
    file.flush()?;
    let (mut read, mut import) = (Duration::MAX, Duration::MAX);
    let mut filled = None;
    for round in 0..session.rounds().min(MAX_IMPORTS) {
        let home = folder.path().join(format!("store{round}"));
        std::fs::create_dir(&home)?;
        let records = Records::open(&home.join("records.db"))?;
        let history = History::open(Arc::new(DiskFiles), home.join("history"), records);
        let (time, file) = took(|| read_bar_file(&csv, &ReadOptions::default()));
        let file = file.map_err(Failure::usage)?;
        read = read.min(time);
        let (time, counts) = took(|| history.import(&symbol, Interval::M1, &file.bars));
        counts?;
        import = import.min(time);
        filled = Some(history);
    }
    let Some(history) = filled else { return Ok(()) };
    let mut scan = Duration::MAX;
    for _ in 0..session.rounds() {
        let (time, columns) = took(|| history.columns(&symbol, Interval::M1, ALL, Adjust::Raw));
        if columns?.len() != bars.len() {
            return Err(Failure::usage("the store gives back another number of bars than it took"));
        }
        scan = scan.min(time);
    }
    let count = bars.len();
    session.row("history.csv_read.ns_per_bar".into(), ns_each(read, count), "ns");
    session.row("history.import.ns_per_bar".into(), ns_each(import, count), "ns");
    session.row("history.column_scan.ns_per_bar".into(), ns_each(scan, count), "ns");
    let stored = size_of(&history.series_dir(&symbol, Interval::M1))?;
    session.row("history.parquet.bytes_per_bar".into(), stored as f64 / count as f64, "bytes");
    Ok(())
}

/// The bytes of the files in a folder; a short series is not on the shelf yet.
fn size_of(folder: &Path) -> std::io::Result<u64> {
    if !folder.is_dir() {
        return Ok(0);
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

//! The shelf as other programs see it, and how fast it is.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Bar, InstrumentId, Interval, Price, Qty, Symbol, Timestamp};
use finstage_store::history::{
    Adjust, History, ReadOptions, read_bar_file, write_csv, write_parquet,
};
use finstage_store::suite::Rng;
use finstage_store::{DiskFiles, Records};

const ALL: std::ops::Range<Timestamp> = Timestamp::MIN..Timestamp::MAX;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/read_parquet.py");

/// Minute bars of a seeded walk in steps of a cent.
fn walk(count: u64) -> Vec<Bar> {
    let mut rng = Rng::new(7);
    let mut cents = 5_000_000i64;
    let start: Timestamp = "2024-01-01".parse().unwrap();
    let price = |cents: i64| Price::from_nanos(cents * 10_000_000);
    (0..count)
        .map(|minute| {
            let open = cents;
            cents = (cents + rng.below(401) as i64 - 200).max(1_000);
            let (above, below) = (rng.below(100) as i64, rng.below(100) as i64);
            Bar {
                instrument: InstrumentId(0),
                interval: Interval::M1,
                open_time: start.plus(Duration::from_secs(60 * minute)),
                open: price(open),
                high: price(open.max(cents) + above),
                low: price(open.min(cents) - below),
                close: price(cents),
                volume: Qty::from_nanos(rng.below(100_000) as u128 * 1_000_000),
                trades: rng.below(500) as u32,
            }
        })
        .collect()
}

fn history_in(dir: &Path) -> History {
    let records = Records::open(&dir.join("records.db")).unwrap();
    History::open(Arc::new(DiskFiles), dir.join("history"), records)
}

fn series() -> Symbol {
    "sim:^A/B".parse().unwrap()
}

/// The Python that has pandas, pyarrow, polars and duckdb: named by the test command.
fn python() -> Option<std::ffi::OsString> {
    #[expect(clippy::disallowed_methods, reason = "only the test command knows the interpreter")]
    let python = std::env::var_os("FINSTAGE_PYTHON");
    if python.is_none() {
        println!(
            "skipped: set FINSTAGE_PYTHON to a python with pandas, pyarrow, polars and duckdb"
        );
    }
    python
}

#[test]
fn pandas_polars_and_duckdb_read_our_bars() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (history, bars) = (history_in(dir.path()), walk(100_000));
    history.import(&series(), Interval::M1, &bars).unwrap();
    let expected = dir.path().join("expected.csv");
    write_csv(&bars, &mut File::create(&expected).unwrap()).unwrap();
    let folder = history.series_dir(&series(), Interval::M1);
    let out = Command::new(python).arg(SCRIPT).arg(folder).arg(expected).output().unwrap();
    let (said, wrong) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}{wrong}");
    let said: Vec<_> = said.lines().collect();
    assert_eq!(said, ["ok pandas 100000", "ok polars 100000", "ok duckdb 100000"]);
}

#[test]
fn what_pandas_polars_and_duckdb_write_is_read() {
    const WRITE: &str = "
import sys, pandas, polars, duckdb
folder = sys.argv[1]
bars = pandas.read_csv(folder + '/bars.csv', parse_dates=['timestamp'])
bars.to_parquet(folder + '/pandas.parquet', index=False)
bars.set_index('timestamp').rename(columns=str.title).to_parquet(folder + '/index.parquet')
polars.from_pandas(bars).write_parquet(folder + '/polars.parquet')
duckdb.sql(f\"COPY (SELECT * FROM bars) TO '{folder}/duckdb.parquet'\")
";
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut bars = walk(2_000);
    bars.iter_mut().for_each(|bar| bar.trades = 0);
    write_csv(&bars, &mut File::create(dir.path().join("bars.csv")).unwrap()).unwrap();
    let out = Command::new(python).arg("-c").arg(WRITE).arg(dir.path()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for name in ["pandas", "index", "polars", "duckdb"] {
        let path = dir.path().join(name).with_extension("parquet");
        let read = read_bar_file(&path, &ReadOptions::default()).unwrap();
        assert_eq!(read.notes, Vec::<String>::new(), "{name}");
        assert_eq!(read.bars, bars, "{name}");
    }
}

/// Processor time of this process, in Linux's hundredths of a second: what a busy machine cannot
/// inflate. Zero elsewhere.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

#[test]
#[ignore = "a measurement: cargo test --release -p finstage-store --test it -- --ignored --nocapture"]
#[expect(clippy::disallowed_methods, reason = "a measurement needs the machine's clock")]
fn a_million_bars_in_figures() {
    fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
        let (start, before) = (std::time::Instant::now(), cpu());
        let result = work();
        println!("{what}: {:?}, of which {:?} on the processor", start.elapsed(), cpu() - before);
        result
    }
    let dir = tempfile::tempdir().unwrap();
    let (history, bars) = (history_in(dir.path()), walk(1_000_000));
    let (csv, parquet) = (dir.path().join("bars.csv"), dir.path().join("bars.parquet"));
    timed("export csv", || {
        write_csv(&bars, &mut std::io::BufWriter::new(File::create(&csv).unwrap())).unwrap();
    });
    timed("export parquet", || {
        write_parquet(&bars, &mut File::create(&parquet).unwrap()).unwrap();
    });
    println!("one parquet file: {} bytes", parquet.metadata().unwrap().len());
    let import = |bars: &[Bar]| history.import(&series(), Interval::M1, bars).unwrap();
    let read = timed("read csv", || read_bar_file(&csv, &ReadOptions::default()).unwrap());
    let counts = timed("import", || import(&read.bars));
    assert_eq!(counts.written, 1_000_000);
    let read = timed("read parquet", || read_bar_file(&parquet, &ReadOptions::default()).unwrap());
    let counts = timed("import again", || import(&read.bars));
    assert_eq!(counts.duplicates, 1_000_000);
    println!("shelf: {:?}", history.series().unwrap());
    for _ in 0..3 {
        let columns = timed("columns", || {
            history.columns(&series(), Interval::M1, ALL, Adjust::Raw).unwrap()
        });
        assert_eq!(columns.len(), 1_000_000);
    }
    let stored = timed("bars", || history.bars(&series(), Interval::M1, ALL).unwrap());
    assert_eq!(stored.len(), 1_000_000);
    timed("last 500 bars", || {
        history.last_bars(&series(), Interval::M1, Timestamp::MAX, 500).unwrap()
    });
}

//! Reference results, read where they lie: the folder named by `FINSTAGE_SHARED`, else `../shared`
//! beside the workspace.

use std::path::PathBuf;

use finstage_model::{Bar, InstrumentId, Interval, Qty, Timestamp};

pub(crate) struct Shared(PathBuf);

impl Shared {
    /// The folder; `None`, with a printed reason, when there is none and none was asked for.
    pub(crate) fn find() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "names the folder of reference data")]
        let named = std::env::var("FINSTAGE_SHARED").ok();
        let asked_for = named.is_some();
        let folder = named.map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
            PathBuf::from,
        );
        if !asked_for && !folder.is_dir() {
            println!("skipped: no reference data at {} (set FINSTAGE_SHARED)", folder.display());
            return None;
        }
        Some(Self(folder))
    }

    pub(crate) fn read(&self, path: &str) -> String {
        let path = self.0.join(path);
        std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("reading reference data {}: {error}", path.display()))
    }

    /// All rows of a data file, as they stand.
    pub(crate) fn bars(&self, file: &str) -> Vec<Bar> {
        let text = self.read(&format!("data/{file}"));
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("timestamp,open,high,low,close,volume"), "{file}");
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        let time = |row: &Vec<&str>| row[0].parse::<Timestamp>().unwrap();
        let step = rows.windows(2).map(|pair| time(&pair[1]).since(time(&pair[0]))).min().unwrap();
        let interval = Interval::ALL.into_iter().find(|i| i.nominal() == step).unwrap();
        let bar = |row: &Vec<&str>| Bar {
            instrument: InstrumentId(0),
            interval,
            open_time: time(row),
            open: row[1].parse().unwrap(),
            high: row[2].parse().unwrap(),
            low: row[3].parse().unwrap(),
            close: row[4].parse().unwrap(),
            // Sums of binary floats, some with more digits than a quantity has; not needed here.
            volume: Qty::ZERO,
            trades: 0,
        };
        rows.iter().map(bar).collect()
    }
}

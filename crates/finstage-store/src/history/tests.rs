use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use finstage_model::{Bar, InstrumentId, Interval, Price, Qty, Symbol, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::records::{ImportCounts, Records};
use crate::suite::{Fault, FaultyFiles};
use crate::{DiskFiles, Error, ErrorKind, Files, OpenFile, OpenMode};

const ROOT: &str = "/data/history";
const ALL: std::ops::Range<Timestamp> = Timestamp::MIN..Timestamp::MAX;

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn symbol() -> Symbol {
    "sim:ONE".parse().unwrap()
}

/// A bar whose numbers follow from its time.
fn bar(interval: Interval, open_time: Timestamp) -> Bar {
    let cents = open_time.secs().rem_euclid(9_973) + 1_000;
    let price = |more: i64| Price::from_nanos((cents + more) * 10_000_000);
    Bar {
        instrument: InstrumentId(0),
        interval,
        open_time,
        open: price(0),
        high: price(9),
        low: price(-9),
        close: price(5),
        volume: Qty::from_nanos(u128::from(cents.unsigned_abs()) << 30),
        trades: 3,
    }
}

/// So many hours from a moment on.
fn hours(from: &str, count: u64) -> Vec<Bar> {
    let at = |n| t(from).plus(Duration::from_secs(3_600 * n));
    (0..count).map(|n| bar(Interval::H1, at(n))).collect()
}

fn dearer(bar: &Bar) -> Bar {
    Bar { high: Price::from_nanos(bar.high.nanos() + 1), ..*bar }
}

#[derive(Debug)]
struct House {
    disk: FaultyFiles,
    records: Records,
    history: History,
}

impl House {
    fn new(seed: u64) -> Self {
        Self::with(seed, Records::open_in_memory().unwrap())
    }

    fn with(seed: u64, records: Records) -> Self {
        let disk = FaultyFiles::new(seed);
        let history = history_on(&disk, &records);
        Self { disk, records, history }
    }

    /// What a power cut leaves, with a new process on it.
    fn restart(&mut self) {
        self.disk.restart();
        self.history = history_on(&self.disk, &self.records);
    }

    fn import(&self, bars: &[Bar]) -> ImportCounts {
        self.history.import(&symbol(), Interval::H1, bars).unwrap()
    }

    fn bars(&self) -> Vec<Bar> {
        self.history.bars(&symbol(), Interval::H1, ALL).unwrap()
    }

    fn tail(&self) -> Vec<Bar> {
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        self.records.bars_between(InstrumentId(0), Interval::H1, from, to).unwrap()
    }

    fn files(&self) -> Vec<String> {
        self.disk.list(&self.history.series_dir(&symbol(), Interval::H1)).unwrap()
    }

    fn compact(&self, now: &str) -> Result<Compacted, Error> {
        self.history.compact(t(now), &|| true)
    }
}

fn history_on(disk: &FaultyFiles, records: &Records) -> History {
    History::open(Arc::new(disk.clone()), PathBuf::from(ROOT), records.clone())
}

#[test]
fn closed_months_move_to_the_shelf_and_are_read_with_the_tail_as_one() {
    let house = House::new(1);
    let bars = hours("2026-09-29T00:00:00Z", 24 * 36);
    house.import(&bars);
    assert_eq!(house.files(), Vec::<String>::new());
    let moved = house.compact("2026-11-02T23:59:00Z").unwrap();
    assert_eq!((moved.files, moved.bars), (1, 48), "two days after its end, and not before");
    let moved = house.compact("2026-11-03T00:00:00Z").unwrap();
    assert_eq!((moved.files, moved.bars), (1, 744));
    assert_eq!(house.files(), ["2026-09.parquet", "2026-10.parquet"]);
    assert_eq!(house.tail().len(), 72);
    assert_eq!(house.bars(), bars);

    let range = t("2026-09-30T05:30:00Z")..t("2026-11-01T02:00:00Z");
    let within: Vec<Bar> =
        bars.iter().filter(|bar| range.contains(&bar.open_time)).copied().collect();
    let part = house.history.bars(&symbol(), Interval::H1, range.clone()).unwrap();
    assert_eq!(part, within);
    let columns = house.history.columns(&symbol(), Interval::H1, range, Adjust::Raw).unwrap();
    assert_eq!(columns, BarColumns::of(&within));

    let until = t("2026-11-01T01:30:00Z");
    for count in [0, 1, 2, 700, 800, 5_000] {
        let last = house.history.last_bars(&symbol(), Interval::H1, until, count).unwrap();
        let closed: Vec<Bar> =
            bars.iter().filter(|bar| bar.close_time() <= until).copied().collect();
        assert_eq!(last, closed[closed.len().saturating_sub(count)..], "{count}");
    }
    let unknown = "sim:TWO".parse().unwrap();
    assert_eq!(house.history.bars(&unknown, Interval::H1, ALL).unwrap(), []);
    let summary = &house.history.series().unwrap()[0];
    assert_eq!((summary.shelf_bars, summary.tail_bars), (792, 72));
    assert_eq!((summary.first, summary.last), (bars[0].open_time, bars[863].open_time));
}

#[test]
fn days_of_a_running_month_leave_the_tail_when_they_are_many() {
    const DAY: u64 = 1_440;
    let minutes = |from: u64, count: u64| -> Vec<Bar> {
        let at = |n| t("2026-11-01").plus(Duration::from_secs(60 * n));
        (from..from + count).map(|n| bar(Interval::M1, at(n))).collect()
    };
    let mut house = House::new(1);
    let read = |house: &House| house.history.bars(&symbol(), Interval::M1, ALL).unwrap();
    let tail = |house: &House| house.history.series().unwrap()[0].tail_bars;
    for day in 0..6 {
        house.records.import_bars(&symbol(), Interval::M1, &minutes(day * DAY, DAY)).unwrap();
        let now = t("2026-11-01").plus(Duration::from_secs(86_400 * (day + 1)));
        // Cut off in the midst of it, each day at another place.
        house.disk.fail_after(2 + day, Fault::Crash);
        let _ = house.history.compact(now, &|| true);
        house.restart();
        assert_eq!(read(&house), minutes(0, (day + 1) * DAY), "day {day}, cut off");
        house.history.compact(now, &|| true).unwrap();
        assert_eq!(read(&house), minutes(0, (day + 1) * DAY), "day {day}");
        assert!(tail(&house) <= 2 * DAY, "day {day}: {}", tail(&house));
    }
    let across = t("2026-11-04T23:30:00Z")..t("2026-11-05T00:30:00Z");
    let part = house.history.bars(&symbol(), Interval::M1, across).unwrap();
    assert_eq!(part, minutes(4 * DAY - 30, 60), "packed and unpacked");
    let dir = house.history.series_dir(&symbol(), Interval::M1);
    assert_eq!(house.disk.list(&dir).unwrap().len(), 1, "one file a month");
}

#[test]
fn late_bars_are_merged_into_a_new_generation_and_revisions_never_are() {
    let house = House::new(2);
    let bars = hours("2026-10-01T00:00:00Z", 744);
    let mut with_hole = bars.clone();
    with_hole.drain(100..200);
    house.import(&with_hole);
    house.compact("2026-11-05").unwrap();
    let late: Vec<Bar> = bars[90..210].iter().map(dearer).collect();
    let counts = house.import(&late);
    let expected =
        ImportCounts { read: 120, written: 100, revisions: 20, ..ImportCounts::default() };
    assert_eq!(counts, expected);
    // A backfill does not look at the shelf before it writes to the tail.
    let straight = house.records.import_bars(&symbol(), Interval::H1, &late[..15]).unwrap();
    assert_eq!(straight.written, 10);
    let whole = [&bars[..100], &late[10..110], &bars[200..]].concat();
    assert_eq!(house.bars(), whole);
    let columns = house.history.columns(&symbol(), Interval::H1, ALL, Adjust::Raw).unwrap();
    assert_eq!(columns, BarColumns::of(&whole));
    let before = house.records.touched_since(0).unwrap();
    let moved = house.compact("2026-11-05").unwrap();
    assert_eq!(house.records.touched_since(0).unwrap(), before, "moving bars is no import");
    assert_eq!((moved.files, moved.bars, moved.revisions), (1, 100, 10));
    assert_eq!(house.files(), ["2026-10.g2.parquet"]);
    assert_eq!(house.bars(), whole);
    assert_eq!(house.tail(), []);
    // Bars that the shelf has already leave the tail without a new file.
    house.records.import_bars(&symbol(), Interval::H1, &bars[..5]).unwrap();
    let moved = house.compact("2026-11-05").unwrap();
    assert_eq!((moved.files, moved.duplicates), (0, 5));
    assert_eq!((house.files().len(), house.tail().len()), (1, 0));
}

#[test]
fn a_large_import_goes_to_the_shelf_once() {
    let house = House::new(3);
    let bars = hours("2020-01-15T00:00:00Z", BULK_BARS as u64 + 500);
    house.import(&bars[700..720]);
    let mut given = bars.clone();
    given.reverse();
    given.push(dearer(&bars[50]));
    given.push(Bar { interval: Interval::M1, ..bars[0] });
    given.push(Bar { low: Price::from_nanos(i64::MAX), ..bars[0] });
    given.push(Bar { open_time: Timestamp::from_nanos(1), ..bars[0] });
    given[3] = dearer(&given[3]);
    let read = given.len() as u64;
    let first = house.import(&given);
    let written = bars.len() as u64 - 20;
    let expected = ImportCounts { read, written, duplicates: 20, revisions: 1, rejected: 3 };
    assert_eq!(first, expected);
    assert_eq!(house.tail().len(), 20, "what was in the tail stays there");
    assert_eq!(house.files().len(), 29);
    let mut stored = bars.clone();
    let place = stored.len() - 4;
    stored[place] = dearer(&stored[place]);
    assert_eq!(house.bars(), stored);

    let marks = || house.records.touched_since(0).unwrap();
    assert_eq!((marks().len(), marks()[0].number), (1, 2), "each of the two imports left a mark");

    let operations = house.disk.operations();
    let again = house.import(&given);
    let expected = ImportCounts { written: 0, duplicates: read - 4, ..expected };
    assert_eq!(again, expected);
    assert_eq!(house.disk.operations(), operations, "the second time writes nothing");
    let revised = house.import(&bars.iter().map(dearer).collect::<Vec<_>>());
    assert_eq!((revised.written, revised.revisions), (0, bars.len() as u64 - 1));
    assert_eq!(house.bars(), stored);
    assert_eq!(marks()[0].number, 2, "what brings nothing leaves none");
}

#[test]
fn daily_bars_are_one_file() {
    let house = House::new(4);
    let day = |n: u64| t("1970-01-05").plus(Duration::from_secs(86_400 * n));
    let bars: Vec<Bar> = (0..BULK_BARS as u64).map(|n| bar(Interval::D1, day(n))).collect();
    house.history.import(&symbol(), Interval::D1, &bars).unwrap();
    let dir = house.history.series_dir(&symbol(), Interval::D1);
    assert_eq!(house.disk.list(&dir).unwrap(), ["all.parquet"]);
    let more: Vec<Bar> = (0..40).map(|n| bar(Interval::D1, day(bars.len() as u64 + n))).collect();
    house.history.import(&symbol(), Interval::D1, &more).unwrap();
    let now = more.last().unwrap().close_time();
    let moved = house.history.compact(now, &|| true).unwrap();
    assert_eq!(moved.files, 1);
    assert!((10..40).contains(&moved.bars), "only whole months: {}", moved.bars);
    assert_eq!(house.disk.list(&dir).unwrap(), ["all.g2.parquet"]);
    assert_eq!(house.history.bars(&symbol(), Interval::D1, ALL).unwrap(), [bars, more].concat());
}

/// A house before compaction: a file with a hole, and a tail that fills it and adds a month.
fn before_compaction(seed: u64) -> (House, Vec<Bar>) {
    let house = House::new(seed);
    let bars = fill(&house);
    (house, bars)
}

fn fill(house: &House) -> Vec<Bar> {
    let bars = hours("2026-09-20T00:00:00Z", 24 * 45);
    let (early, late) = (&bars[..200], &bars[200..]);
    house.import(early);
    house.compact("2026-10-05").unwrap();
    house.import(late);
    house.records.import_bars(&symbol(), Interval::H1, &[dearer(&early[7])]).unwrap();
    bars
}

#[test]
fn the_compactor_killed_anywhere_and_run_again_loses_doubles_and_replaces_nothing() {
    const NOW: &str = "2026-11-04";
    let mut killed = 0;
    for seed in 0..12 {
        for fault in [Fault::Crash, Fault::Full] {
            for step in 0.. {
                let (mut house, bars) = before_compaction(seed);
                assert_eq!(house.bars(), bars);
                house.disk.fail_after(step, fault);
                let failed = house.compact(NOW).is_err();
                let untouched = !house.disk.has_crashed() && !failed;
                match fault {
                    Fault::Crash => house.restart(),
                    Fault::Full => house.disk.free(),
                }
                let place = format!("seed {seed}, {fault:?} at step {step}");
                assert_eq!(house.bars(), bars, "{place}: before it is repeated");
                house.compact(NOW).unwrap();
                assert_eq!(house.bars(), bars, "{place}");
                assert_eq!(house.tail().len(), 72, "{place}");
                let files = house.files();
                assert_eq!(files.len(), 2, "{place}: {files:?}");
                // Names on the disk are those that survive one more power cut.
                house.restart();
                assert_eq!(house.bars(), bars, "{place}: after a power cut");
                if untouched {
                    break;
                }
                killed += 1;
            }
        }
    }
    assert!(killed > 12 * 8, "only {killed} kill points");
}

/// A disk beside which another process takes the database for itself, after so many operations.
#[derive(Debug)]
struct Rival {
    disk: FaultyFiles,
    database: Mutex<rusqlite::Connection>,
    after: AtomicI64,
}

impl Rival {
    fn step(&self) {
        if self.after.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.database.lock().unwrap().execute_batch("BEGIN IMMEDIATE").unwrap();
        }
    }

    /// Gives the database back; whether it was taken.
    fn give_back(&self) -> bool {
        let took = self.after.load(Ordering::Relaxed) < 0;
        if took {
            self.database.lock().unwrap().execute_batch("ROLLBACK").unwrap();
        }
        took
    }
}

impl Files for Rival {
    fn open(&self, path: &Path, mode: OpenMode) -> std::io::Result<Arc<dyn OpenFile>> {
        let file = self.disk.open(path, mode);
        self.step();
        file
    }

    fn create_dir(&self, dir: &Path) -> std::io::Result<()> {
        self.disk.create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        let renamed = self.disk.rename(from, to);
        self.step();
        renamed
    }

    fn remove_file(&self, path: &Path) -> std::io::Result<()> {
        let removed = self.disk.remove_file(path);
        self.step();
        removed
    }

    fn remove_dir_all(&self, dir: &Path) -> std::io::Result<()> {
        self.disk.remove_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> std::io::Result<Vec<String>> {
        let names = self.disk.list(dir);
        self.step();
        names
    }

    fn exists(&self, path: &Path) -> std::io::Result<bool> {
        self.disk.exists(path)
    }

    fn sync_dir(&self, dir: &Path) -> std::io::Result<()> {
        let synced = self.disk.sync_dir(dir);
        self.step();
        synced
    }
}

/// The state that a kill between the last file and the transaction leaves, and one between the
/// claim and the first file: here the transaction is refused instead.
#[test]
fn the_compactor_kept_from_its_database_anywhere_and_run_again_is_whole() {
    const NOW: &str = "2026-11-04";
    let mut refused = 0;
    for step in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.db");
        let mut house = House::with(step, Records::open(&path).unwrap());
        let bars = fill(&house);
        house.records.give_up_at_once();
        let rival = Arc::new(Rival {
            disk: house.disk.clone(),
            database: Mutex::new(rusqlite::Connection::open(&path).unwrap()),
            after: AtomicI64::new(step as i64),
        });
        let files = Arc::clone(&rival) as Arc<dyn Files>;
        house.history = History::open(files, PathBuf::from(ROOT), house.records.clone());
        let kept_off = house.compact(NOW).is_err_and(|error| {
            assert_eq!(error.kind(), ErrorKind::Held, "{error}");
            true
        });
        let took = rival.give_back();
        house.restart();
        assert_eq!(house.bars(), bars, "step {step}: before it is repeated");
        house.compact(NOW).unwrap();
        assert_eq!(house.bars(), bars, "step {step}");
        assert_eq!((house.files().len(), house.tail().len()), (2, 72), "step {step}");
        refused += u32::from(kept_off);
        if !took {
            break;
        }
    }
    assert!(refused > 6, "only {refused} transactions were refused");
}

#[test]
fn a_compactor_that_is_stopped_leaves_the_rest_for_the_next_run() {
    let (house, bars) = before_compaction(11);
    let asked = AtomicI64::new(0);
    let once = || asked.fetch_add(1, Ordering::Relaxed) < 1;
    let moved = house.history.compact(t("2026-11-04"), &once).unwrap();
    assert_eq!((moved.files, moved.bars), (1, 64), "September only");
    assert_eq!(house.bars(), bars);
    let moved = house.compact("2026-11-04").unwrap();
    assert_eq!((moved.files, moved.bars), (1, 744));
    assert_eq!(house.bars(), bars);
}

#[test]
fn one_series_is_compacted_alone() {
    let house = House::new(12);
    let (other, bars) = ("sim:TWO".parse().unwrap(), hours("2026-10-01T00:00:00Z", 100));
    house.import(&bars);
    house.history.import(&other, Interval::H1, &bars).unwrap();
    let now = t("2026-11-04");
    let moved = house.history.compact_series(&other, Interval::H1, now).unwrap();
    assert_eq!((moved.files, moved.bars), (1, 100));
    assert_eq!((house.tail(), house.files().len()), (house.bars(), 0));
    let unknown = house.history.compact_series(&other, Interval::D1, now).unwrap();
    assert_eq!(unknown, Compacted::default());
}

#[test]
fn bars_are_counted_before_they_are_read() {
    let house = House::new(13);
    let bars = hours("2026-09-29T00:00:00Z", 24 * 36);
    house.import(&bars);
    house.compact("2026-11-04").unwrap();
    let at_most = |range| house.history.bars_at_most(&symbol(), Interval::H1, &range).unwrap();
    assert_eq!(at_most(ALL), 24 * 36);
    assert_eq!(at_most(t("2026-10-05")..t("2026-10-06")), 744 + 72);
}

#[test]
fn an_import_killed_anywhere_and_run_again_is_whole() {
    let bars = hours("2020-01-15T00:00:00Z", BULK_BARS as u64);
    let mut killed = 0;
    // Every third step: they repeat for each of the 28 files.
    for step in (0..).step_by(3) {
        let mut house = House::new(step);
        house.import(&bars[..100]);
        house.disk.fail_after(step, Fault::Crash);
        let failed = house.history.import(&symbol(), Interval::H1, &bars).is_err();
        let crashed = house.disk.has_crashed();
        house.restart();
        let found = house.bars().len();
        assert!(found == 100 || found == bars.len(), "step {step}: {found} bars: all or nothing");
        house.history.import(&symbol(), Interval::H1, &bars).unwrap();
        assert_eq!(house.bars(), bars, "step {step}");
        house.history.sweep().unwrap();
        assert_eq!(house.files().len(), 28, "step {step}");
        assert_eq!(house.bars(), bars, "step {step}");
        if !crashed && !failed {
            break;
        }
        killed += 1;
    }
    assert!(killed > 25, "only {killed} kill points");
}

#[test]
fn a_sweep_takes_what_was_left_behind_and_nothing_else() {
    let (house, bars) = before_compaction(5);
    let dir = house.history.series_dir(&symbol(), Interval::H1);
    let put = |name: &str| {
        house.disk.open(&dir.join(name), OpenMode::Create).unwrap().append(b"x").unwrap();
    };
    // A writer that claimed and died: in its file, and behind the rename.
    let series = house.records.series().unwrap()[0].1;
    house.records.claim(series, &["2026-09".parse().unwrap()]).unwrap();
    put("2026-09.g2.parquet");
    put("2026-09.g2.parquet.tmp");
    for theirs in ["2026-09.g9.parquet", "2025-01.parquet", "mine.parquet", "notes.txt"] {
        put(theirs);
    }
    let swept = house.history.sweep().unwrap();
    assert_eq!(swept.removed, 2);
    let names: Vec<_> = swept.unknown.iter().map(|path| path.strip_prefix(&dir).unwrap()).collect();
    assert_eq!(
        names,
        ["2025-01.parquet", "2026-09.g9.parquet", "mine.parquet"].map(Path::new),
        "left alone, and said"
    );
    assert_eq!(house.files().len(), 5);
    assert_eq!(house.bars(), bars);
}

#[test]
fn of_two_writers_the_slower_begins_again() {
    let (house, bars) = before_compaction(6);
    let series = house.records.series().unwrap()[0].1;
    let period: Period = "2026-09".parse().unwrap();
    let content = crate::records::Content {
        bars: 1,
        first: bars[0].open_time,
        last: bars[0].open_time,
        bytes: 1,
        checksum: 1,
    };
    let publication = |number: u32, base: Option<u32>| crate::records::Publication {
        period,
        base,
        file: Some((number, content)),
        tail_range: Timestamp::MIN..Timestamp::MIN,
        tail: Vec::new(),
        moves_tail: false,
    };
    let slow = house.records.claim(series, &[period]).unwrap()[0];
    let stale = |publication| {
        let error = house.records.publish(series, &[publication]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stale, "{error}");
    };
    house.compact("2026-11-04").unwrap();
    assert_eq!(house.files(), ["2026-09.g3.parquet", "2026-10.parquet"]);
    stale(publication(slow, Some(1)));
    // Its file was swept: the number is worth nothing, even on the right base.
    let swept = house.records.claim(series, &[period]).unwrap()[0];
    assert_eq!(house.records.abandon(series, &[(period, swept), (period, 3)]).unwrap().len(), 1);
    stale(publication(swept, Some(3)));
    // The tail has changed since it was read.
    let number = house.records.claim(series, &[period]).unwrap()[0];
    let unseen = crate::records::Publication { tail_range: ALL, ..publication(number, Some(3)) };
    stale(unseen);
    assert_eq!(house.bars(), bars);
}

#[test]
fn a_damaged_or_missing_file_is_an_error_that_names_it() {
    let (house, _) = before_compaction(7);
    let path = house.history.series_dir(&symbol(), Interval::H1).join("2026-09.parquet");
    house.disk.damage(&path, 50).unwrap();
    let read = || house.history.bars(&symbol(), Interval::H1, ALL).unwrap_err();
    let error = read();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("2026-09.parquet is damaged"), "{error}");
    house.disk.remove_file(&path).unwrap();
    let error = read();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().ends_with("2026-09.parquet: no such file"), "{error}");
}

#[test]
fn raw_bars_stay_and_adjusted_columns_follow_the_factors() {
    let house = House::new(8);
    let day = |text: &str| bar(Interval::D1, t(text));
    let bars = [day("2020-08-27"), day("2020-08-28"), day("2020-08-31")];
    house.history.import(&symbol(), Interval::D1, &bars).unwrap();
    let read = |adjust| house.history.columns(&symbol(), Interval::D1, ALL, adjust).unwrap();
    assert_eq!(read(Adjust::Adjusted), read(Adjust::Raw), "no factors, no change");
    let text = "date,price_factor,split_factor\n2020-08-28,0.5,0.25\n2050-12-31,1,1\n";
    let factors = read_factors("f", text.as_bytes()).unwrap();
    assert!(house.history.import_factors(&symbol(), &factors).unwrap());
    assert!(!house.history.import_factors(&symbol(), &factors).unwrap(), "known already");
    assert_eq!(house.history.factors(&symbol()).unwrap(), factors);
    let (raw, adjusted) = (read(Adjust::Raw), read(Adjust::Adjusted));
    for (row, (price, split)) in [(0.125, 0.25), (0.125, 0.25), (1.0, 1.0)].into_iter().enumerate()
    {
        assert!((adjusted.close[row] - raw.close[row] * price).abs() < 1e-12);
        assert!((adjusted.low[row] - raw.low[row] * price).abs() < 1e-12);
        assert!((adjusted.volume[row] - raw.volume[row] / split).abs() < 1e-9);
    }
    assert_eq!(house.history.bars(&symbol(), Interval::D1, ALL).unwrap(), bars);
}

#[test]
fn the_same_holds_on_a_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(&dir.path().join("records.db")).unwrap();
    let root = dir.path().join("history");
    let history = History::open(Arc::new(DiskFiles), root.clone(), records);
    let (symbol, bars) = ("yahoo:^GSPC".parse().unwrap(), hours("2020-01-15T00:00:00Z", 20_500));
    history.import(&symbol, Interval::H1, &bars).unwrap();
    let path = root.join("interval=1h/venue=yahoo/symbol=%5EGSPC/2020-01.parquet");
    assert!(path.exists());
    assert_eq!(history.bars(&symbol, Interval::H1, ALL).unwrap().len(), 20_500);
    let beside = Records::open_read_only(&dir.path().join("records.db")).unwrap();
    let reader = History::open(Arc::new(DiskFiles), root, beside);
    assert_eq!(reader.bars(&symbol, Interval::H1, ALL).unwrap().len(), 20_500);
}

#[test]
fn what_is_exported_as_text_is_read_back_the_same() {
    let bars = hours("2026-09-20T00:00:00Z", 100);
    let mut text = Vec::new();
    write_csv(&bars, &mut text).unwrap();
    let back = read_bars("x.csv", &text[..], &ReadOptions::default()).unwrap();
    let without_trades: Vec<Bar> = bars.iter().map(|bar| Bar { trades: 0, ..*bar }).collect();
    assert_eq!(back.bars, without_trades);
    let mut columns = Vec::new();
    write_columns_csv(&BarColumns::of(&bars), Interval::H1, &mut columns).unwrap();
    assert_eq!(String::from_utf8(columns).unwrap(), String::from_utf8(text).unwrap());
    let mut text = Vec::new();
    write_csv(&[bar(Interval::D1, t("2026-09-20"))], &mut text).unwrap();
    assert!(String::from_utf8(text).unwrap().contains("\n2026-09-20,"));
}

#[test]
fn what_is_exported_as_arrow_says_the_same_as_parquet_in_both_forms() {
    let bars = hours("2026-09-20T00:00:00Z", ROW_GROUP as u64 + 100);
    let columns = BarColumns::of(&bars);
    for adjusted in [false, true] {
        let write = |form| {
            let mut bytes = Vec::new();
            match adjusted {
                false => write_arrow(&bars, form, &mut bytes).unwrap(),
                true => write_columns_arrow(&columns, form, &mut bytes).unwrap(),
            }
            bytes
        };
        let file = std::io::Cursor::new(write(ArrowForm::File));
        let file: Vec<_> = FileReader::try_new(file, None).unwrap().map(Result::unwrap).collect();
        let stream = std::io::Cursor::new(write(ArrowForm::Stream));
        let stream = StreamReader::try_new(stream, None).unwrap();
        assert_eq!(stream.map(Result::unwrap).collect::<Vec<_>>(), file);
        let rows: Vec<usize> = file.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, [ROW_GROUP, 100]);
        let whole = match adjusted {
            false => parquet::batch(&bars).unwrap(),
            true => parquet::batch_of_columns(&columns).unwrap(),
        };
        assert_eq!(file[1], whole.slice(ROW_GROUP, 100));
    }
}

#[test]
fn columns_exported_as_parquet_are_read_back_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("columns.parquet");
    let bars = hours("2026-09-20T00:00:00Z", 100);
    let columns = BarColumns::of(&bars);
    write_columns_parquet(&columns, &mut std::fs::File::create(&path).unwrap()).unwrap();
    let back = read_bar_file(&path, &ReadOptions::default()).unwrap();
    assert_eq!(BarColumns::of(&back.bars), columns);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever way bars come in, the first of each place is what is read.
    #[test]
    fn the_first_bar_of_a_place_stays(
        steps in prop::collection::vec((0u64..2_000, 1u64..60, any::<bool>(), any::<bool>()), 1..12)
    ) {
        let house = House::new(9);
        let mut expected = std::collections::BTreeMap::new();
        for (from, count, changed, compacts) in steps {
            let start = t("2026-08-25").plus(Duration::from_secs(3_600 * from));
            let mut bars = hours(&start.to_string(), count);
            if changed {
                bars.iter_mut().for_each(|bar| *bar = dearer(bar));
            }
            house.import(&bars);
            for bar in bars {
                expected.entry(bar.open_time).or_insert(bar);
            }
            if compacts {
                house.compact("2026-10-20").unwrap();
            }
        }
        let expected: Vec<Bar> = expected.into_values().collect();
        prop_assert_eq!(&house.bars(), &expected);
        let columns = house.history.columns(&symbol(), Interval::H1, ALL, Adjust::Raw).unwrap();
        prop_assert_eq!(columns, BarColumns::of(&expected));
    }
}

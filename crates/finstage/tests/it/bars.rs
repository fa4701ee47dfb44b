//! Bars on their way in, at rest and out again: what `import` stores, `bars` shows.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use finstage::jobs::{self, work};
use finstage::pace::Pace;
use finstage::wiring::{Store, disk};
use finstage_model::{Interval, ManualClock, Symbol, Timestamp};
use finstage_store::history::{ReadOptions, read_bars};
use finstage_store::records::StoreKind;
use finstage_store::suite::Rng;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::cli::shell::{Shell, shared, skipped};

/// How long something on this machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// About as long as an import takes that is left alone.
const KILLED_WITHIN_MS: usize = 400;

const HEADER: &str = "timestamp,open,high,low,close,volume\n";

/// Hours from 2024-01-30 on.
fn hours(count: u32) -> String {
    hours_from("2024-01-30", count)
}

/// Hours with digits that lie far apart, as we write them.
fn hours_from(start: &str, count: u32) -> String {
    let start: Timestamp = start.parse().unwrap();
    let mut text = HEADER.to_owned();
    for i in 0..count {
        let at = start.plus(Duration::from_secs(3_600 * u64::from(i)));
        let low = format!("0.{:08}1", i % 97);
        let (open, high, volume) = (i % 50 + 1, 200 + i, 9_007_199 * u64::from(i));
        text += &format!("{at},{open}.5,{high},{low},100.000000001,{volume}\n");
    }
    text
}

fn export(shell: &Shell, args: &str) -> String {
    shell.run(&format!("bars export {args}")).ok().out
}

#[test]
fn our_own_csv_comes_back_byte_for_byte() {
    let shell = Shell::new();
    let days = "2024-01-02,1,2,0.5,1.25,7\n2024-01-03,1.25,2,1,1.5,0\n2024-01-04,2,3,1,2.5,12.75\n2024-01-05,2,3,1,2.5,1\n";
    for (name, text) in [("hours.csv", hours(80)), ("days.csv", format!("{HEADER}{days}"))] {
        shell.write(name, &text);
        shell.run(&format!("import {name} --symbol test:{name} -q")).ok().quiet();
        assert_eq!(export(&shell, &format!("test:{name}")), text);
    }
    let Some(data) = shared() else { return };
    for name in ["gspc_d_1999_2018", "aapl_h_2017_2021", "usdjpy_m_201302"] {
        let path = data.join(format!("data/{name}.csv"));
        shell.run(&format!("import {} -q", path.display())).ok().quiet();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(export(&shell, &format!("file:{name}")) == text, "{name} differs");
    }
}

#[test]
fn closed_months_lie_in_parquet_files_where_the_contract_says() {
    let shell = Shell::new();
    shell.write("hours.csv", hours(80));
    shell.run("import hours.csv --symbol yahoo:^X --data-dir kept -q").ok().quiet();
    let folder = "kept/history/interval=1h/venue=yahoo/symbol=%5EX";
    assert_eq!(shell.names(folder), ["2024-01.parquet", "2024-02.parquet"]);
    let series = shell.run("bars list --json --data-dir kept").ok().quiet().rows();
    let expected = json!({
        "symbol": "yahoo:^X", "interval": "1h", "bars": 80, "in_parquet": 80, "in_records": 0,
        "first": "2024-01-30T00:00:00Z", "last": "2024-02-02T07:00:00Z", "factors": 0,
        "folder": folder, "parquet_bytes": series[0]["parquet_bytes"],
    });
    assert_eq!(series, [expected]);
    let shown = shell.run("bars list --data-dir kept").ok().quiet().out;
    assert!(shown.contains(folder), "{shown}");
}

#[test]
fn parquet_goes_out_and_comes_in_with_every_digit() {
    let shell = Shell::new();
    let text = hours(80);
    shell.write("hours.csv", &text);
    shell.run("import hours.csv --symbol test:A -q").ok().quiet();
    for (form, args) in [("csv", "-o out.csv"), ("parquet", "-o out --format parquet")] {
        shell.run(&format!("bars export test:A {args}")).ok();
        let file = args.split_whitespace().nth(1).unwrap();
        let symbol = format!("test:{form}");
        let again = format!("import {file} --symbol {symbol} --json -q");
        assert_eq!(shell.run(&again).ok().quiet().json()["written"], 80, "{form}");
        assert_eq!(export(&shell, &symbol), text, "{form}");
    }
    let ended = |name: &str| shell.read(name)[..4].to_owned();
    shell.run("bars export test:A -o by_ending.parquet").ok();
    assert_eq!(ended("by_ending.parquet"), b"PAR1");
    shell.run("bars export test:A -o by_ending.arrow").ok();
    assert_eq!(ended("by_ending.arrow"), b"ARRO");
    let left = shell.names(".").into_iter().filter(|name| name.contains("finstage-export"));
    assert_eq!(left.count(), 0, "a temporary file is left behind");
}

#[test]
fn a_part_is_exported_as_csv_or_as_json() {
    let shell = Shell::new();
    let text = hours(80);
    shell.write("hours.csv", &text);
    shell.run("import hours.csv -q").ok().quiet();
    let lines: Vec<&str> = text.lines().collect();
    let part = |args: &str| {
        let out = export(&shell, &format!("file:hours {args}"));
        out.lines().skip(1).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(part("--from 2024-01-30T05:30:00Z --to 2024-01-30T08:00:00Z"), lines[7..9]);
    assert_eq!(part("--from 2024-01-31 --to 2024-01-31"), lines[25..49], "the day is whole");
    let rows = shell.run("bars export file:hours --json --to 2024-01-30T01:00:00Z").ok().rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["timestamp"], "2024-01-30T00:00:00Z");
    assert_eq!(rows[0]["close"].to_string(), "100.000000001", "exact digits");
}

#[test]
fn what_cannot_be_exported_is_said() {
    let shell = Shell::new();
    let said = shell.run("bars export test:A").refused(2);
    assert!(said.contains("no records here yet"), "{said}");
    shell.write("hours.csv", hours(80));
    shell.run("import hours.csv --symbol test:A -q").ok();
    shell.run("bars export test:A --interval 1h -o days.csv").ok();
    for (args, says) in [
        ("test:B", "test:B: no bars are stored of it; stored are test:A"),
        ("test:A --interval 1d", "test:A: no 1d bars are stored of it; stored are 1h"),
        (
            "test:A --from 2025-01-01",
            "test:A 1h: no bars open between --from and --to: stored are 2024-01-30T00:00:00Z to",
        ),
        ("test:A -o no/such.csv", "writing no/such.csv: no such folder: make it first"),
    ] {
        let run = shell.run(&format!("bars export {args}"));
        let said = run.refused(if args.contains("-o") { 6 } else { 2 });
        assert!(said.starts_with(says), "{said}");
    }
    for group in ["gaps", "quality", "list"] {
        let said = shell.run(&format!("bars {group} test:A,test:C")).refused(2);
        assert_eq!(said, "test:C: no bars are stored of it; stored are test:A");
    }
}

#[test]
fn an_import_that_is_killed_again_and_again_is_whole_in_the_end() {
    let shell = Shell::new();
    let mut rng = Rng::new(17);
    // Few go through the database, many straight to Parquet files.
    for (name, rows) in [("few", 9_000), ("many", 30_000)] {
        let text = hours_from("2020-01-15", rows);
        shell.write("bars.csv", &text);
        let import = format!("import bars.csv --symbol test:{name} --json -q");
        for _ in 0..8 {
            let running = shell.start(&import);
            thread::park_timeout(Duration::from_millis(rng.below(KILLED_WITHIN_MS) as u64));
            // SIGKILL.
            drop(running);
        }
        let counts = shell.run(&import).ok().quiet().json();
        let count = |name: &str| counts[name].as_u64().unwrap();
        assert_eq!(count("written") + count("duplicates"), u64::from(rows), "{counts}");
        assert!(export(&shell, &format!("test:{name}")) == text, "{name} differs");
        let folder = format!("finstage-data/history/interval=1h/venue=test/symbol={name}");
        let mut months = BTreeSet::new();
        for file in shell.names(&folder) {
            assert!(file.ends_with(".parquet"), "left behind: {file}");
            assert!(months.insert(file[..7].to_owned()), "two files of one month: {file}");
        }
    }
}

/// Bars before and after a split of four to one, and a dividend that halves prices on paper.
const RAW: &str = "2020-08-27,80,160,40,120,100\n2020-08-28,8,16,4,12,50\n2020-08-31,2,4,1,3,400\n2020-09-01,3,5,2,4,1\n";
const FACTORS: &str = "date,price_factor,split_factor,reference_price\n2020-08-28,0.5,0.25,12\n2020-08-31,0.5,1,3\n2050-12-31,1,1,0\n";

#[test]
fn factors_are_kept_beside_raw_bars_and_multiplied_in_on_request() {
    let shell = Shell::new();
    shell.write("raw.csv", format!("{HEADER}{RAW}"));
    shell.write("factors.csv", FACTORS);
    let run = shell.run("import raw.csv --symbol test:A --factors factors.csv --json").ok();
    assert!(run.err.contains("3 factors, 2020-08-28 to 2050-12-31"), "{run}");
    assert_eq!((&run.json()["written"], &run.json()["factors"]), (&4.into(), &3.into()));
    assert_eq!(export(&shell, "test:A"), format!("{HEADER}{RAW}"), "raw stays raw");
    let adjusted = "2020-08-27,10,20,5,15,400\n2020-08-28,1,2,0.5,1.5,200\n2020-08-31,1,2,0.5,1.5,400\n2020-09-01,3,5,2,4,1\n";
    assert_eq!(export(&shell, "test:A --adjusted"), format!("{HEADER}{adjusted}"));
    shell.run("bars export test:A --adjusted -o a.parquet").ok();
    shell.run("import a.parquet --symbol test:B -q").ok();
    assert_eq!(export(&shell, "test:B"), format!("{HEADER}{adjusted}"), "in Parquet too");

    let again = shell.run("import --factors factors.csv --symbol test:A").ok();
    assert!(again.err.contains("known already"), "{again}");
    assert_eq!(again.out, "factors 3\n");
    shell.write("other.csv", "date,price_factor,split_factor\n2050-12-31,2,1\n");
    shell.run("import --factors other.csv --symbol test:A -q").ok();
    assert!(export(&shell, "test:A --adjusted").contains("2020-09-01,6,10,4,8,1"));
    assert_eq!(export(&shell, "test:A"), format!("{HEADER}{RAW}"), "raw stays raw");

    let without = shell.run("bars export test:B --adjusted").ok();
    assert!(without.err.contains("test:B: no factors are stored"), "{without}");
    let nameless = shell.run("import --factors factors.csv").refused(2);
    assert!(nameless.starts_with("--factors belong to one instrument: name it"), "{nameless}");
}

#[test]
fn bad_factors_leave_the_store_as_it_was() {
    let shell = Shell::new();
    shell.write("raw.csv", format!("{HEADER}{RAW}"));
    shell.write("factors.csv", "date,price_factor,split_factor\n2020-08-28,zero,1\n");
    let said = shell.run("import raw.csv --factors factors.csv --data-dir kept").refused(2);
    assert!(said.starts_with("factors.csv:2: price_factor \"zero\""), "{said}");
    assert!(shell.names("kept").is_empty());
}

#[test]
fn several_files_of_one_instrument_are_one_series() {
    let shell = Shell::new();
    let text = hours(80);
    let lines: Vec<&str> = text.lines().collect();
    shell.write("a.csv", format!("{HEADER}{}\n", lines[1..50].join("\n")));
    shell.write("b.csv", format!("{HEADER}{}\n", lines[40..].join("\n")));
    let counts = shell.run("import a.csv b.csv --symbol test:A --json -q").ok().quiet().json();
    let expected =
        json!({"read": 90, "written": 80, "duplicates": 10, "rejected": 0, "revisions": 0});
    assert_eq!(counts, expected);
    assert_eq!(export(&shell, "test:A"), text);
}

#[test]
fn a_bar_that_says_otherwise_is_named_and_the_stored_one_stays() {
    let shell = Shell::new();
    let days = format!("{HEADER}{RAW}");
    shell.write("days.csv", &days);
    shell.run("import days.csv -q").ok();
    shell.write("later.csv", days.replace("2020-08-31,2,4,1,3,400", "2020-08-31,2,4.5,1,3,401"));
    let run = shell.run("import later.csv --symbol file:days --json").ok();
    let says = "later.csv: 2020-08-31: high 4.5 volume 401; stored: high 4 volume 400";
    assert!(run.err.contains(says), "{run}");
    let counts = run.json();
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((count("duplicates"), count("rejected"), count("revisions")), (3, 1, 1));
    assert_eq!(export(&shell, "file:days"), days);
}

#[test]
fn dropped_and_repeated_rows_are_counted_and_named() {
    let shell = Shell::new();
    let rows = "2024-01-02,1,2,1,2,5\n2024-01-02,1,2,1,2,5\n2024-01-03,1,1,2,1,5\n2024-01-04,1,2,1,1,5\n2024-01-05,1,2,1,1,5\n";
    shell.write("b.csv", format!("{HEADER}{rows}"));
    let run = shell.run("import b.csv --lenient --interval 1d --json").ok();
    assert!(run.err.contains("b.csv:4: high is below low: dropped"), "{run}");
    let expected = json!({"read": 5, "written": 3, "duplicates": 1, "rejected": 1, "revisions": 0});
    assert_eq!(run.json(), expected);
}

/// Days around the clock that rise and fall, with a hole of three days, a spike and a feed that
/// stood still.
fn troubled() -> String {
    let mut text = HEADER.to_owned();
    for day in 1..=31 {
        let (close, volume) = match day {
            10..=12 => continue,
            20 => (900, 10),
            25..=28 => (100, 10),
            _ => (100 + day % 2, 10 + day),
        };
        let high = if day == 20 { 900 } else { 102 };
        text += &format!("2024-01-{day:02},100,{high},99,{close},{volume}\n");
    }
    text
}

#[test]
fn holes_are_listed_with_their_place_and_what_was_expected() {
    let shell = Shell::new();
    shell.write("days.csv", troubled());
    shell.run("import days.csv --symbol binance:AUSDT -q").ok();
    let gaps = shell.run("bars gaps --json").ok().quiet().rows();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0]["expected"], "around the clock");
    assert_eq!((&gaps[0]["missing"], &gaps[0]["hole_count"]), (&3.into(), &1.into()));
    let hole = json!([{"from": "2024-01-10T00:00:00Z", "to": "2024-01-13T00:00:00Z", "bars": 3}]);
    assert_eq!(gaps[0]["holes"], hole);
    let shown = shell.run("bars gaps binance:AUSDT --interval 1d").ok().quiet().out;
    assert!(shown.contains("binance:AUSDT 1d: expected around the clock\n"), "{shown}");
    assert!(shown.contains("  2024-01-10 to 2024-01-12: 3 bars\n"), "{shown}");
    assert!(shown.contains("90.32 %"), "{shown}");
    shell.write("hours.csv", hours(80));
    shell.run("import hours.csv -q").ok();
    let whole = shell.run("bars gaps file:hours").ok().quiet().out;
    assert!(whole.contains("inferred from the data)\n  no holes\n"), "{whole}");
    assert_eq!(shell.run("bars gaps --json").ok().rows().len(), 2, "all series");
    let none = shell.run("bars gaps --interval 1m --json").ok();
    assert_eq!(none.rows(), Vec::<Value>::new());
}

#[test]
fn a_spike_and_a_frozen_stretch_are_found_with_their_place() {
    let shell = Shell::new();
    shell.write("days.csv", troubled());
    shell.run("import days.csv --symbol binance:AUSDT -q").ok();
    let quality = shell.run("bars quality --json").ok().quiet().rows().remove(0);
    let count = |name: &str| quality[name].as_u64().unwrap();
    assert_eq!((count("bars"), count("missing"), count("spikes")), (28, 3, 1));
    assert_eq!((count("stale"), count("impossible"), count("zero_volume")), (3, 0, 0));
    // 31 bars are expected: three are missing, three stale, and the spike counts as ten.
    let score = quality["score"].as_f64().unwrap();
    assert!((score - 100.0 * (1.0 - 16.0 / 31.0)).abs() < 1e-9, "{score}");
    let places: Vec<(&str, &str)> = quality["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["kind"].as_str().unwrap(), finding["at"].as_str().unwrap()))
        .collect();
    let outlier = |day| ("outlier", day);
    assert_eq!(
        places,
        [
            outlier("2024-01-20T00:00:00Z"),
            outlier("2024-01-21T00:00:00Z"),
            ("stale", "2024-01-26T00:00:00Z"),
        ]
    );
    let shown = shell.run("bars quality").ok().quiet().out;
    let spike =
        "outlier: 2024-01-20: a move of +791.09 % from close to close, taken back by the next bar";
    assert!(shown.contains(spike), "{shown}");
    assert!(shown.contains("stale: 2024-01-26: 3 bars are equal to the one before"), "{shown}");
    assert!(shown.contains("missing: 3 bars in 1 holes; `finstage bars gaps"), "{shown}");
}

#[test]
fn polars_and_pyarrow_read_both_forms_of_arrow() {
    const READ: &str = "
import sys, polars, pyarrow, pyarrow.ipc
file = pyarrow.ipc.open_file(sys.argv[1]).read_all()
stream = pyarrow.ipc.open_stream(sys.stdin.buffer).read_all()
assert file.equals(stream), (file.schema, stream.schema)
frame = polars.read_ipc(sys.argv[1])
print(frame.shape, frame['timestamp'][0].isoformat(), float(frame['close'][0]))
";
    #[expect(clippy::disallowed_methods, reason = "only the test command knows the interpreter")]
    let python = std::env::var_os("FINSTAGE_PYTHON");
    let Some(python) = python else {
        skipped("set FINSTAGE_PYTHON to a python with pyarrow and polars");
        return;
    };
    let shell = Shell::new();
    shell.write("hours.csv", hours(80));
    shell.run("import hours.csv -q").ok();
    shell.run("bars export file:hours -o bars.arrow").ok();
    let pipe = std::fs::File::create(shell.path("stream")).unwrap();
    let mut stream = shell.command("bars export file:hours --format arrow");
    assert!(stream.stdout(pipe).status().unwrap().success());
    let stream = std::fs::File::open(shell.path("stream")).unwrap();
    let out = Command::new(python)
        .args(["-c", READ])
        .arg(shell.path("bars.arrow"))
        .stdin(Stdio::from(stream))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout), "(80, 7) 2024-01-30T00:00:00+00:00 100.000000001\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_moves_closed_months_and_ends_when_it_is_told() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), StoreKind::Demo, disk()).unwrap();
    let read = read_bars("hours.csv", hours(80).as_bytes(), &ReadOptions::default()).unwrap();
    let symbol: Symbol = "test:A".parse().unwrap();
    store.history.import(&symbol, Interval::H1, &read.bars).unwrap();
    let tail = || store.history.series().unwrap()[0].tail_bars;
    assert_eq!(tail(), 80);
    let clock = Arc::new(ManualClock::new("2024-02-03T00:00:00Z".parse().unwrap()));
    let (quit, quitting) = watch::channel(false);
    let pace = Pace { clock: clock.clone(), speed: 1.0 };
    let settings = finstage::config::parse("test", "", &[]).unwrap();
    let mut all = jobs::table::jobs(&settings, StoreKind::Demo);
    all.retain(|job| job.name == "compact");
    let registry = work::compacting(Default::default(), store.history.clone(), clock);
    let tasks = jobs::run(store.records.clone(), (registry, all), pace, &quitting).unwrap();
    let moved = async {
        while tail() > 32 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, moved).await.expect("January is over for two days");
    quit.send(true).unwrap();
    for task in tasks {
        tokio::time::timeout(PATIENCE, task).await.expect("it ends").unwrap();
    }
    assert_eq!(tail(), 32, "February is not over");
    let all = Timestamp::MIN..Timestamp::MAX;
    let stored = store.history.bars(&symbol, Interval::H1, all).unwrap();
    assert!(stored.iter().zip(&read.bars).all(|(one, other)| one.close == other.close));
    assert_eq!(stored.len(), 80);
}

#[test]
fn a_demo_clears_the_history_of_a_demo_and_no_other() {
    let shell = Shell::new();
    std::fs::create_dir_all(shell.path("there/history")).unwrap();
    let said = shell.run("demo --fast --exit --data-dir there").refused(2);
    assert!(said.contains("holds a history that no demo left there"), "{said}");
}

//! `finstage indicators` through the binary: what it computes, and what it does to files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};

use finstage_quant::{ALL, Spec};
use serde_json::Value;

use crate::cli::shell::{Running, Shell, shared, skipped, waves};

/// Agreement that is asked for: the references accumulate their sums in another order.
const TOLERANCE: f64 = 1e-9;

const FIVE_DAYS: &str = "timestamp,open,high,low,close,volume
2024-01-02,10,11,9,10,100
2024-01-03,10,12.5,10,12.5,50
2024-01-04,12,12,9.5,11,0
2024-01-05,11,14,11,14,25
2024-01-08,14,14.1,13.9,14,1
";

/// Rows of minute bars, from one to before another.
fn minutes(from: u32, to: u32) -> String {
    let mut text = String::new();
    for row in from..to {
        let (at, price) = (1_700_000_040 + 60 * row, 100 + row % 7);
        writeln!(text, "{at},{price},{price},{price},{price},1").unwrap();
    }
    text
}

const HEADER: &str = "timestamp,open,high,low,close,volume\n";

/// A table as CSV has it: names, then cells.
fn table(text: &str) -> (Vec<String>, Vec<Vec<&str>>) {
    let mut lines = text.lines();
    let (mut names, mut quoted) = (vec![String::new()], false);
    for c in lines.next().unwrap().chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(String::new()),
            c => names.last_mut().unwrap().push(c),
        }
    }
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == names.len()));
    (names, rows)
}

#[test]
fn values_stand_beside_the_stamps_of_their_bars() {
    let shell = Shell::new();
    shell.write("days.csv", FIVE_DAYS);
    let run = shell.run("indicators compute --input days.csv SMA(2) STOCHF(2,1,0) OBV SMA(2)");
    let expected = "timestamp,SMA(2).real,\"STOCHF(2,1,0).fastk\",\"STOCHF(2,1,0).fastd\",OBV.real
2024-01-02,,,,100
2024-01-03,11.25,100,100,150
2024-01-04,11.75,50,50,150
2024-01-05,12.5,100,100,175
2024-01-08,14,96.77419354838712,96.77419354838712,175
";
    assert_eq!(run.ok().quiet().out, expected);
}

#[test]
fn stamps_within_a_day_are_moments_and_zones_are_obeyed() {
    let shell = Shell::new();
    let row = |hour: u32| format!("2024-01-02 {hour:02}:00,1,1,1,{hour},1\n");
    let rows: String = (10..14).map(row).collect();
    shell.write(
        "hours.csv",
        format!("time,open,high,low,close,volume\n{rows}").replace(",1,1,1,", ",10,14,9,"),
    );
    let run = shell.run("indicators compute --input hours.csv --tz Asia/Seoul MOM(1) -q").ok();
    let expected = "timestamp,MOM(1).real\n2024-01-02T01:00:00Z,\n2024-01-02T02:00:00Z,1\n\
                    2024-01-02T03:00:00Z,1\n2024-01-02T04:00:00Z,1\n";
    assert_eq!(run.out, expected);
    let asked = shell.run("indicators compute --input hours.csv --interval 4h MOM(1)").refused(2);
    assert!(asked.starts_with("hours.csv:3: begins inside the bar before it"), "{asked}");
}

#[test]
fn json_is_a_document_a_bar_and_says_what_csv_says() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(200));
    let specs = "MACD(12,26,9) RSI BBANDS(timeperiod=5)";
    let csv = shell.run(&format!("indicators compute --input waves.csv {specs}")).ok().quiet().out;
    let (names, rows) = table(&csv);
    let json = format!("indicators compute --input waves.csv --format json {specs}");
    let documents = shell.run(&json).ok().quiet().rows();
    assert_eq!(rows.len(), documents.len());
    for (row, document) in rows.iter().zip(&documents) {
        assert_eq!(document.as_object().unwrap().len(), names.len());
        assert_eq!(document["timestamp"], row[0]);
        for (name, cell) in names.iter().zip(row).skip(1) {
            assert_eq!(document[name].as_f64(), cell.parse().ok(), "{name}");
            assert_eq!(document[name].is_null(), cell.is_empty(), "{name}");
        }
    }
    let by_flag = format!("indicators compute --json --input waves.csv {specs}");
    assert_eq!(shell.run(&by_flag).ok().rows(), documents);
}

#[test]
fn standard_input_and_parquet_are_read_and_parquet_is_written() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(300));
    let line = "indicators compute --input - SMA(5)";
    let mut command = shell.command(line);
    command.stdin(File::open(shell.path("waves.csv")).unwrap());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let piped = Running::start(&mut command, line).end().ok().quiet().out;
    assert_eq!(piped, shell.run("indicators compute --input waves.csv SMA(5)").ok().out);

    let written =
        "indicators compute --input waves.csv MACD(12,26,9) --format parquet -o x.parquet";
    let told = shell.run(written).ok();
    assert_eq!((told.out.as_str(), told.err.as_str()), ("", "300 bars of 1d in x.parquet\n"));
    assert!(shell.read("x.parquet").starts_with(b"PAR1"));
    shell.run("indicators compute --input waves.csv MACD(12,26,9) -o x.csv").ok();
    compare_with_pandas(&shell);
    let bars = shell.run("indicators compute --input x.parquet SMA(5)").refused(2);
    assert!(bars.contains("x.parquet: no column \"open\""), "{bars}");
}

/// Where the test command has set a Python up, another reader says what is in the file.
fn compare_with_pandas(shell: &Shell) {
    const READ: &str = "
import pandas
table = pandas.read_parquet('x.parquet')
text = pandas.read_csv('x.csv', parse_dates=['timestamp'], float_precision='round_trip')
text['timestamp'] = text['timestamp'].dt.tz_localize('UTC').astype(table['timestamp'].dtype)
pandas.testing.assert_frame_equal(table, text, check_exact=True)
print(len(table), list(table.columns))
";
    #[expect(clippy::disallowed_methods, reason = "only the test command knows the interpreter")]
    let Some(python) = std::env::var_os("FINSTAGE_PYTHON") else {
        return skipped("FINSTAGE_PYTHON names no python with pandas and pyarrow");
    };
    let out = Command::new(python).args(["-c", READ]).current_dir(shell.path("")).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let names =
        "['timestamp', 'MACD(12,26,9).macd', 'MACD(12,26,9).macdsignal', 'MACD(12,26,9).macdhist']";
    assert_eq!(String::from_utf8_lossy(&out.stdout), format!("300 {names}\n"));
}

#[test]
fn a_bad_row_leaves_the_file_as_it_was() {
    let shell = Shell::new();
    shell.write("bad.csv", HEADER.to_owned() + &minutes(0, 20_000) + "1999-13-01,1,1,1,1,1\n");
    shell.write("out.csv", "what was there");
    let compute = "indicators compute --input bad.csv SMA(5)";
    let said = shell.run(&format!("{compute} -o out.csv")).refused(2);
    assert!(said.starts_with("bad.csv:20002: "), "{said}");
    assert_eq!(shell.read("out.csv"), b"what was there");
    assert_eq!(shell.names(""), ["bad.csv", "out.csv", "tmp"], "nothing half-written is left");

    let lenient = shell.run(&format!("{compute} --lenient -o out.csv")).ok();
    assert!(
        lenient.err.contains("bad.csv: rows dropped: 1, the first in line 20002: "),
        "{lenient}"
    );
    assert_eq!(shell.read("out.csv").iter().filter(|&&byte| byte == b'\n').count(), 20_001);
    assert_eq!(shell.names(""), ["bad.csv", "out.csv", "tmp"]);
    let folder = shell.run("indicators compute --input bad.csv SMA --lenient -o tmp").refused(2);
    assert!(folder.contains("it is a folder"), "{folder}");
}

#[test]
fn what_makes_no_sense_is_refused_before_the_file_is_read() {
    let shell = Shell::new();
    for (spec, said) in [
        ("macd", "no indicator \"macd\": names are in capitals: write MACD"),
        ("MACDD", "no indicator \"MACDD\"; did you mean \"MACD\"?"),
        ("RSI(1)", "indicator RSI: timeperiod = 1 is not between 2 and 100000"),
        ("RSI(period=3)", "indicator RSI: no parameter \"period\"; it has timeperiod"),
        ("SMA(3", "\"SMA(3\": no closing parenthesis: write NAME, NAME(14) or NAME(period=14)"),
    ] {
        let run = shell.run(&format!("indicators compute --input not_there.csv {spec}"));
        assert_eq!(run.refused(2), said);
        assert_eq!(shell.run(&format!("indicators show {spec}")).refused(2), said);
    }
    let missing = shell.run("indicators compute --input not_there.csv SMA").refused(2);
    assert_eq!(missing, "not_there.csv: no such file: check the path");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let shell = Shell::new();
    shell.write("waves.csv", waves(30_000));
    let program = env!("CARGO_BIN_EXE_finstage");
    let line = "indicators compute --input waves.csv SMA EMA RSI";
    let pipe = format!("({program} {line}; echo $? >&2) | head -n 2");
    let out = Command::new("sh").args(["-c", &pipe]).current_dir(shell.path("")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stderr), "0\n");
    assert_eq!(out.stdout.iter().filter(|&&byte| byte == b'\n').count(), 2);
}

#[test]
fn the_list_names_every_indicator_and_show_tells_what_it_needs() {
    let shell = Shell::new();
    let rows = shell.run("indicators list --json").ok().quiet().rows();
    assert_eq!(rows.len(), ALL.len());
    for (row, spec) in rows.iter().zip(ALL) {
        assert_eq!(row["name"], spec.name);
        assert_eq!(row["outputs"].as_array().unwrap().len(), spec.outputs.len());
        assert_eq!(row["params"].as_array().unwrap().len(), spec.params.len());
    }
    let text = shell.run("indicators list").ok().quiet().out;
    assert_eq!(text.lines().count(), ALL.len() + 1);

    let shown = shell.run("indicators show MACD(5,35)").ok().quiet().out;
    for line in [
        "param      slowperiod = 26 (2 to 100000, whole)",
        "defaults   MACD(fastperiod=12,slowperiod=26,signalperiod=9): first value with bar 34, ",
        "as given   MACD(fastperiod=5,slowperiod=35,signalperiod=9): first value with bar 43, ",
    ] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }
    let shown = shell.run("indicators show --json OBV").ok().json();
    assert_eq!((&shown["given"]["warmup"], &shown["given"]["memory"]), (&1.into(), &Value::Null));
}

/// The most memory that a process has used so far, in KiB, as Linux counts it: not exactly, so that a
/// later look may show a little less.
#[cfg(target_os = "linux")]
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_file() {
    // By then what is kept between pieces has its full size.
    const SHORT: u32 = 300_000;
    const LONG: u32 = 600_000;
    // All bars at once would be 45 MiB.
    const MOST_KIB: u64 = 8 << 10;
    let shell = Shell::new();
    for format in ["csv", "json", "parquet"] {
        let line = format!("indicators compute --input - SMA(20) --format {format} -o out");
        let mut command = shell.command(&line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut send = |text: &str| stdin.write_all(text.as_bytes()).unwrap();
        // A pipe holds little: when it took the last row, nearly all of them have been worked on.
        send(HEADER);
        send(&minutes(0, SHORT));
        let before = peak_kib(child.id());
        (SHORT..LONG).step_by(1_000).for_each(|row| send(&minutes(row, row + 1_000)));
        let after = peak_kib(child.id());
        drop(stdin);
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.contains("600000 bars of 1m in out"), "{said}");
        assert!(after.saturating_sub(before) < MOST_KIB, "{format}: from {before} to {after} KiB");
    }
}

#[test]
fn real_series_agree_with_talib_through_the_binary() {
    let Some(shared) = shared() else { return };
    let manifest = std::fs::read_to_string(shared.join("golden/talib/manifest.json")).unwrap();
    let mut files: BTreeMap<(String, String), Vec<(Value, &Spec)>> = BTreeMap::new();
    let entries = manifest.lines().map(|line| line.trim_matches(['[', ']', ' ', ',']));
    for entry in entries.filter(|line| !line.is_empty()) {
        let entry: Value = serde_json::from_str(entry).unwrap();
        if let Some(spec) = listed(&entry) {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            files.entry((text("dataset"), text("file"))).or_default().push((entry, spec));
        }
    }
    let shell = Shell::new();
    let mut compared = 0;
    for ((dataset, file), entries) in &files {
        let mut specs: Vec<String> = Vec::new();
        for (entry, _) in entries {
            let spec = column(entry).rsplit_once(").").unwrap().0.to_owned() + ")";
            if !specs.contains(&spec) {
                specs.push(spec);
            }
        }
        let bars = shared.join(format!("data/{dataset}.csv"));
        let line = format!("indicators compute -q --input {} {}", bars.display(), specs.join(" "));
        let out = shell.run(&line).ok().out;
        let golden = std::fs::read_to_string(shared.join("golden/talib").join(file)).unwrap();
        compared += compare(&out, &golden, entries);
    }
    let least = 3 * ALL.len();
    assert!(compared >= least, "only {compared} columns in {} files", files.len());
    println!("{compared} columns in {} files agree", files.len());
}

fn column(entry: &Value) -> &str {
    entry["column"].as_str().unwrap()
}

/// The indicator of a column of the reference, if it is one of ours and reads bars alone.
fn listed(entry: &Value) -> Option<&'static Spec> {
    let spec = Spec::find(entry["function"].as_str()?)?;
    let fields = ["open", "high", "low", "close", "volume"];
    let inputs = entry["inputs"].as_array()?;
    let of_bars = inputs.iter().all(|input| fields.contains(&input.as_str().unwrap_or_default()));
    let given: Vec<_> = entry["params"].as_object()?.iter().collect();
    let given: Option<Vec<_>> =
        given.iter().map(|(name, value)| Some((Some(name.as_str()), value.as_f64()?))).collect();
    (of_bars && spec.values(&given?).is_ok()).then_some(spec)
}

/// How many columns were compared; panics at the first number that is not near.
fn compare(ours: &str, golden: &str, entries: &[(Value, &Spec)]) -> usize {
    let (names, rows) = table(ours);
    let mut lines = golden.lines();
    let header: Vec<&str> = lines.next().unwrap().split(';').collect();
    let reference: Vec<Vec<&str>> = lines.map(|line| line.split(';').collect()).collect();
    assert!(reference.len() > 50);
    for (entry, _) in entries {
        let column = column(entry);
        let (here, there) = (
            names.iter().position(|name| name == column).unwrap_or_else(|| panic!("no {column}")),
            header.iter().position(|name| *name == column).unwrap(),
        );
        for row in &reference {
            let index: usize = row[0].parse().unwrap();
            let (ours, theirs) = (rows[index][here], row[there]);
            // Whole numbers have no "not yet" there: they are 0.
            let early = entry["integer"] == true && theirs == "0" && ours.is_empty();
            if early || (ours.is_empty() && theirs.is_empty()) {
                continue;
            }
            let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
            let near =
                (number(ours) - number(theirs)).abs() <= TOLERANCE * number(theirs).abs().max(1.0);
            assert!(near, "{column}[{index}]: we say \"{ours}\", the reference \"{theirs}\"");
        }
    }
    entries.len()
}

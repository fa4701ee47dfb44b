//! Files that people have: real series where they lie, and files as other programs write them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use finstage_model::{Day, Price};
use serde_json::Value;

use crate::cli::shell::{Shell, shared, skipped, wave, waves};

/// Real series, with whether their demo is quick: daily ones have a journal day for every bar.
const SERIES: [(&str, Length); 10] = [
    ("aapl_d_1998_2021", Length::Long),
    ("aapl_h_2017_2021", Length::Long),
    ("bac_d_1998_2021", Length::Long),
    ("btcperp_m_202201a", Length::Long),
    ("btcusd_mo_2012_2024", Length::Short),
    ("eurusd_h_2017_2018", Length::Long),
    ("goog_d_2004_2013", Length::Long),
    ("gspc_d_1999_2018", Length::Long),
    ("nvda_d_1999_2014", Length::Long),
    ("usdjpy_m_201302", Length::Short),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Short,
    /// Played where `FINSTAGE_LONG` is set.
    Long,
}

/// A real series and how many rows it has; `None` where there is no reference data.
fn series(name: &str) -> Option<(PathBuf, usize)> {
    let path = shared()?.join(format!("data/{name}.csv"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("timestamp,open,high,low,close,volume\n"), "{name}");
    Some((path, text.lines().count() - 1))
}

#[test]
fn a_real_series_is_imported_whole_and_only_once() {
    for (name, _) in SERIES {
        let Some((path, rows)) = series(name) else { return };
        let shell = Shell::new();
        for (written, duplicates) in [(rows, 0), (0, rows)] {
            let counts = shell.run(&format!("import {} --json -q", path.display())).ok().quiet();
            let expected = serde_json::json!({
                "read": rows, "written": written, "duplicates": duplicates, "rejected": 0,
                "revisions": 0,
            });
            assert_eq!(counts.json(), expected, "{name}");
        }
    }
}

/// Plays a file and checks what must be true of every file.
fn play(shell: &Shell, file: &str, args: &str, rows: usize) -> Value {
    let run = shell.run_long(&format!("demo --input {file} --fast --exit --json -q {args}"));
    let summary = run.ok().quiet().json();
    assert_eq!(summary["parity"], "ok", "{file}: {summary}");
    assert_eq!(summary["bars"], rows, "every row is a bar: {file}: {summary}");
    assert_eq!(summary["undecodable"], 0, "{file}: {summary}");
    assert!(summary["signals"].as_u64() > Some(0), "{file}: {summary}");
    assert_eq!(summary["delivered"], summary["alerts"], "{file}: {summary}");
    summary
}

#[test]
fn a_real_series_becomes_signals_and_a_journal_that_replays() {
    for (name, length) in SERIES {
        let Some((path, rows)) = series(name) else { return };
        if length == Length::Long && !is_long() {
            skipped(&format!("{name} (set FINSTAGE_LONG)"));
            continue;
        }
        play(&Shell::new(), &path.display().to_string(), "", rows);
    }
}

#[expect(clippy::disallowed_methods, reason = "FINSTAGE_LONG=1 asks for the long tests")]
pub(crate) fn is_long() -> bool {
    std::env::var_os("FINSTAGE_LONG").is_some()
}

#[test]
fn crosses_of_the_index_are_those_of_plain_sums() {
    let Some((path, _)) = series("gspc_d_1999_2018") else { return };
    let shell = Shell::new();
    let mut text = std::fs::read_to_string(&path).unwrap();
    if !is_long() {
        // Seven years instead of twenty.
        let kept =
            |line: &&str| line.starts_with("timestamp") || ("2004".."2011").contains(&&line[..4]);
        text = text.lines().filter(kept).map(|line| format!("{line}\n")).collect();
    }
    shell.write("index.csv", &text);
    play(&shell, "index.csv", "--data-dir kept", text.lines().count() - 1);
    let bars: Vec<(&str, i128)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[0], i128::from(cells[4].parse::<Price>().unwrap().nanos()))
        })
        .collect();
    let sum = |end: usize, period: usize| -> i128 {
        bars[end - period..end].iter().map(|(_, close)| close).sum()
    };
    // The mean of 50 bars less that of 200, times 200.
    let gap = |end: usize| 4 * sum(end, 50) - sum(end, 200);
    let crossings = |side: i128| -> Vec<String> {
        let crosses = |end: &usize| side * gap(end - 1) <= 0 && side * gap(*end) > 0;
        (201..=bars.len()).filter(crosses).map(|end| bars[end - 1].0.to_owned()).collect()
    };
    for (strategy, side) in [("golden_cross", 1), ("dead_cross", -1)] {
        let list =
            format!("signals list --json -q --limit 1000 --data-dir kept --strategy {strategy}");
        let mut said: Vec<String> = shell
            .run(&list)
            .ok()
            .rows()
            .iter()
            .map(|row| row["timestamp"].as_str().unwrap()[..10].to_owned())
            .collect();
        said.reverse();
        assert_eq!(said, crossings(side), "{strategy}");
        assert!(said.len() > 2, "{strategy}: {said:?}");
        assert_eq!(side > 0, said.contains(&"2009-06-23".to_owned()));
    }
}

/// What was said of a file: strategy and open time of every signal.
fn said(shell: &Shell, file: &str, rows: usize) -> BTreeSet<(String, String)> {
    let summary = play(shell, file, "--data-dir kept --symbol test:X", rows);
    let signals = shell.run("signals list --json -q --limit 100000 --data-dir kept").ok().rows();
    assert_eq!(summary["signals"], signals.len());
    assert!(signals.iter().all(|row| row["symbol"] == "test:X"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    signals.iter().map(|row| (text(&row["strategy"]), text(&row["timestamp"]))).collect()
}

/// Imports and plays a file that says the same as [`waves`] in other words.
fn says_the_same_as_waves(name: &str, text: &str) {
    let shell = Shell::new();
    shell.write("waves.csv", waves(ROWS));
    shell.write(name, text);
    let counts = shell.run(&format!("import {name} --json -q")).ok().quiet().json();
    assert_eq!((&counts["read"], &counts["written"]), (&ROWS.into(), &ROWS.into()), "{name}");
    let expected = said(&shell, "waves.csv", ROWS as usize);
    assert_eq!(said(&shell, name, ROWS as usize), expected, "{name}");
}

const ROWS: u32 = 320;

/// The rows of [`waves`] as day, open, high, low, close, volume.
fn rows() -> Vec<(Day, [f64; 4], u32)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |i: usize| cells[i].parse::<f64>().unwrap();
        (
            cells[0].parse().unwrap(),
            [number(1), number(2), number(3), number(4)],
            cells[5].parse().unwrap(),
        )
    };
    waves(ROWS).lines().skip(1).map(row).collect()
}

/// As pandas prints prices that were single precision once: `100.33999633789062`.
fn pandas(price: f64) -> String {
    f64::from(price as f32).to_string()
}

#[test]
fn yfinance_history_is_read_as_it_is_written() {
    // Ticker("X").history().to_csv(): midnight of the venue's zone.
    let mut text = String::from("Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n");
    for (day, [open, high, low, close], volume) in rows() {
        let [open, high, low, close] = [open, high, low, close].map(pandas);
        text += &format!("{day} 00:00:00-05:00,{open},{high},{low},{close},{volume},0.0,0.0\n");
    }
    says_the_same_as_waves("history.csv", &text);
}

#[test]
fn a_yfinance_download_is_read_as_it_is_written() {
    // download("X").to_csv(): three lines of header, columns in the order of their names.
    let mut text = String::from("Price,Close,High,Low,Open,Volume\nTicker,X,X,X,X,X\nDate,,,,,\n");
    for (day, [open, high, low, close], volume) in rows() {
        let [open, high, low, close] = [open, high, low, close].map(pandas);
        text += &format!("{day},{close},{high},{low},{open},{volume}\n");
    }
    says_the_same_as_waves("download.csv", &text);
}

#[test]
fn a_tradingview_export_is_read_as_it_is_written() {
    // Seconds since 1970, indicators of the chart beside the bars, empty where they have no value.
    let mut text = String::from("time,open,high,low,close,MA,Volume\n");
    for (i, (day, [open, high, low, close], volume)) in rows().into_iter().enumerate() {
        let mean = if i < 20 { String::new() } else { format!("{close}1") };
        text += &format!("{},{open},{high},{low},{close},{mean},{volume}\n", day.start().secs());
    }
    says_the_same_as_waves("export.csv", &text);
}

#[test]
fn binance_klines_are_read_as_they_are_written() {
    // No header; open time and close time in milliseconds.
    let mut text = String::new();
    for (day, prices, volume) in rows() {
        let [open, high, low, close] = prices.map(|price| format!("{price:.8}"));
        let open_ms = day.start().secs() * 1_000;
        let close_ms = open_ms + 86_399_999;
        text += &format!(
            "{open_ms},{open},{high},{low},{close},{volume}.00000000,{close_ms},5071.5,308,2436.1,8134.2,0\n"
        );
    }
    says_the_same_as_waves("X-1d-2013-10.csv", &text);
}

#[test]
fn local_times_are_read_in_the_zone_that_is_given() {
    let mut text = String::from("time,open,high,low,close,volume\n");
    for i in 0..ROWS {
        let (close, day) = (wave(i), Day::from_days(16_000 + i32::try_from(i / 24).unwrap()));
        let (high, low) = (close + 1.0, close - 1.0);
        text += &format!("{day} {:02}:00:00,{close:.2},{high:.2},{low:.2},{close:.2},10\n", i % 24);
    }
    let shell = Shell::new();
    shell.write("hours.csv", &text);
    let times = |args: &str| -> Vec<i64> {
        play(&shell, "hours.csv", &format!("--data-dir kept {args}"), ROWS as usize);
        let rows = shell.run("signals list --json -q --limit 9999 --data-dir kept").ok().rows();
        let time = |row: &Value| row["timestamp"].as_str().unwrap().parse().unwrap();
        rows.iter().map(|row| finstage_model::Timestamp::secs(time(row))).collect()
    };
    let (utc, seoul) = (times(""), times("--tz Asia/Seoul"));
    let moved: Vec<i64> = seoul.iter().map(|second| second + 9 * 3_600).collect();
    assert_eq!(moved, utc, "Seoul is nine hours ahead");
}

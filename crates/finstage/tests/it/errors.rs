//! Whatever goes wrong is said in one line that names the thing, the place and the remedy, and in
//! an exit code.

mod settings;
mod store;
mod venues;

use std::process::Stdio;

use crate::cli::shell::{Running, Shell, skipped, waves};

/// The least that a service watches.
const FEED: &str = "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n";

#[test]
fn a_wrong_word_on_the_command_line_is_one_line() {
    let shell = Shell::new();
    for (line, says) in [
        ("serv", "unrecognized subcommand 'serv'; a similar subcommand exists: 'serve'"),
        ("demo --fats", "unexpected argument '--fats' found; a similar argument exists: '--fast'"),
        ("import", "the following required arguments were not provided: <FILE>..."),
        ("replay --speed 0", "'--speed <N|max>': write a number above 0, or max"),
        ("replay --date 2024-13-01", "\"2024-13-01\" is not a day: write YYYY-MM-DD"),
        (
            "replay --date 2024-01-01 --to 2024-01-02",
            "'--date <DAY>' cannot be used with '--to <DAY>'",
        ),
        ("import x.csv --interval 90m", "\"90m\" is not an interval: write one of 1m 5m 15m"),
        ("import x.csv --symbol BTC", "\"BTC\" is not a symbol: write venue:SYMBOL"),
        ("signals list --symbol BTC", "\"BTC\" is not a symbol: write venue:SYMBOL"),
        ("alerts list --status sent", "[possible values: delivered, queued, failed,"),
        (
            "sim --venues nyse",
            "[possible values: binance, telegram, yahoo, kis, kraken, openai, rss]",
        ),
        (
            "sim --listen 0.0.0.0:80",
            "the simulator serves this machine only: name 127.0.0.1 or [::1]",
        ),
        ("sim --speed 0", "--speed 0: write a number from 0.01 to 100000"),
        ("demo --fast --exit --scenario rouhg", "write calm, rough, or a scenario file"),
    ] {
        let said = shell.run(line).refused(2);
        assert!(said.contains(says), "finstage {line}: {said}");
    }
}

/// A bar file of three days, and a fourth line.
fn days(fourth: &str) -> String {
    format!(
        "timestamp,open,high,low,close,volume\n2024-01-02,1,2,1,2,5\n2024-01-03,2,2,1,1,5\n2024-01-04,1,2,1,1,5\n{fourth}\n"
    )
}

#[test]
fn a_bar_file_that_cannot_be_right_is_refused_with_its_line() {
    let shell = Shell::new();
    for (text, says) in [
        (String::new(), ": the file is empty: write a header and one row per bar"),
        ("\u{0}\u{1}\u{2}PNG\u{0}\u{0}\n".into(), ": binary data: export it as CSV"),
        (
            "<!DOCTYPE html><html></html>\n".into(),
            ": a web page, not bars: download the file itself: the server answered with a page",
        ),
        (
            "timestamp,open,high,low,close,volume\n".into(),
            ": no rows below the header: one row per bar is needed",
        ),
        (
            days("2024-01-05,1,2"),
            ":5: 3 columns where the header has 6: complete or remove the row",
        ),
        (
            days("2024-01-03,1,2,1,1,5"),
            ":5: stamp is before that of line 4: sort the rows by stamp",
        ),
        (
            days("2024-01-04,1,2,1,2,5"),
            ":5: repeats the stamp of line 4 with other values: keep one of the rows; where clocks were set back, write stamps with their offset",
        ),
        (
            days("2024-01-05,1,2,1,1,-5"),
            ":5: volume \"-5\": negative: volumes are amounts: mend or remove the row",
        ),
        (
            days("2024-01-05,0,2,0,1,5"),
            ":5: open \"0\" is not above zero: prices of bars are positive: mend or remove the row",
        ),
        (days("2024-01-05,1,1,2,1,5"), ":5: high is below low: mend or remove the row"),
        (
            days("").replace("2024-01-0", "2024010"),
            ":2: stamp \"20240102\" would be in the year 1970: write dates as YYYY-MM-DD",
        ),
        (
            days("").replace("2024-01-0", "1704412"),
            ":2: stamp \"17044122\" would be in the year 1970: check the unit: dates, or Unix seconds, milli-, micro- or nanoseconds",
        ),
    ] {
        shell.write("b.csv", &text);
        for command in ["import b.csv --data-dir kept", "demo --input b.csv --fast --exit"] {
            let said = shell.run(command).refused(2);
            assert_eq!(said, format!("b.csv{says}"), "{text}");
        }
    }
    // Words may change here; place and remedy may not.
    for (text, place, remedy) in [
        (days("2024-01-05,1,NaN,1,1,5"), "b.csv:5: high", "--lenient"),
        (days("2024-01-05,1,two,1,1,5"), "b.csv:5: high \"two\"", "row"),
        (days("2024-02-30,1,2,1,1,5"), "b.csv:5: ", "2024-02-30"),
    ] {
        shell.write("b.csv", &text);
        for command in ["import b.csv --data-dir kept", "demo --input b.csv --fast --exit"] {
            let said = shell.run(command).refused(2);
            assert!(said.starts_with(place) && said.contains(remedy), "{said}");
        }
    }
    assert!(shell.names("kept").is_empty(), "a refused file leaves nothing behind");
    assert!(shell.names("tmp").is_empty(), "the temporary folder is left behind");
}

#[test]
fn a_bar_file_that_is_not_there_is_named() {
    let shell = Shell::new();
    for (file, says) in [("gone.csv", "no such file: check the path"), (".", "is a directory")] {
        for command in ["import", "demo --fast --exit --input"] {
            let said = shell.run(&format!("{command} {file}")).refused(2);
            assert!(said.starts_with(&format!("{file}: {says}")), "{said}");
        }
    }
}

#[test]
fn how_a_bar_file_is_to_be_read_is_checked() {
    let shell = Shell::new();
    shell.write("b.csv", days("2024-01-05,1,2,1,1,5"));
    shell.write("one.csv", "timestamp,open,high,low,close,volume\n2024-01-02,1,2,1,2,5\n");
    for (args, says) in [
        ("b.csv --tz Asia/Seol", "b.csv: unknown time zone \"Asia/Seol\": use a name like"),
        ("one.csv", "one.csv: 1 rows do not tell the interval: say it with --interval"),
    ] {
        for command in ["import", "demo --fast --exit --input"] {
            let said = shell.run(&format!("{command} {args}")).refused(2);
            assert!(said.starts_with(says), "{said}");
        }
    }
}

#[test]
fn a_bad_file_among_good_ones_leaves_the_store_as_it_was() {
    let shell = Shell::new();
    shell.write("good.csv", waves(40));
    shell.write("bad.csv", days("2024-01-05,1,1,2,1,5"));
    assert!(shell.run("import good.csv bad.csv -q").refused(2).starts_with("bad.csv:5: "));
    let counts = shell.run("import good.csv --json -q").ok().quiet().json();
    assert_eq!(counts["written"], 40);
    let counts = shell.run("import bad.csv --lenient --json -q").ok().quiet().json();
    assert_eq!(
        (&counts["read"], &counts["written"], &counts["rejected"]),
        (&4.into(), &3.into(), &1.into())
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let shell = Shell::new();
    for line in ["completions bash", "config default", "config schema", "--help"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = shell.command(line);
        let run = Running::start(command.stdout(writer).stderr(Stdio::piped()), line).end();
        run.ok().quiet();
    }
    // Nor is one that reads no errors.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = shell.command("import gone.csv");
    let run = Running::start(command.stdout(Stdio::piped()).stderr(writer), "import").end();
    assert_eq!(run.code, 2, "{run}");
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let shell = Shell::new();
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        skipped("there is no /dev/full");
        return;
    };
    let mut command = shell.command("config default");
    let run = Running::start(command.stdout(full).stderr(Stdio::piped()), "config default").end();
    assert!(run.refused(6).starts_with("writing standard output: "), "{run}");
}

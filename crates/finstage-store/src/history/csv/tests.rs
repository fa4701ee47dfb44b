use std::path::PathBuf;

use finstage_model::Price;
use proptest::prelude::*;

use super::*;

const OPTIONS: ReadOptions = ReadOptions::new(InstrumentId(7));

fn read(text: &str) -> Result<BarFile, BarFileError> {
    read_bars("x.csv", text.as_bytes(), &OPTIONS)
}

fn read_in(tz: &str, text: &str) -> Result<BarFile, BarFileError> {
    read_bars("x.csv", text.as_bytes(), &ReadOptions { tz: Some(tz.into()), ..OPTIONS })
}

fn read_leniently(text: &str) -> Result<BarFile, BarFileError> {
    let options = ReadOptions { lenient: true, ..OPTIONS };
    read_bars("x.csv", text.as_bytes(), &options)
}

fn read_as(interval: Interval, text: &str) -> Result<BarFile, BarFileError> {
    let options = ReadOptions { interval: Some(interval), ..OPTIONS };
    read_bars("x.csv", text.as_bytes(), &options)
}

/// The open times, short: `2024-01-02` at midnight, `2024-01-02T09:30` else.
fn opens(file: &BarFile) -> Vec<String> {
    let short = |bar: &Bar| {
        let text = bar.open_time.to_string();
        text.strip_suffix("T00:00:00Z").or(text.strip_suffix(":00Z")).unwrap_or(&text).to_owned()
    };
    file.bars.iter().map(short).collect()
}

fn error(result: Result<BarFile, BarFileError>) -> String {
    let error = result.unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error:?}");
    error
}

fn note(file: &BarFile, part: &str) -> bool {
    file.notes.iter().any(|note| note.contains(part))
}

/// Five good daily rows under our header, with one line replaced.
fn daily_with(line: usize, row: &str) -> String {
    let mut lines = [
        "timestamp,open,high,low,close,volume",
        "2024-01-08,10,12,9,11,100",
        "2024-01-09,11,13,10,12,100",
        "2024-01-10,12,14,11,13,100",
        "2024-01-11,13,15,12,14,100",
        "2024-01-12,14,16,13,15,100",
    ];
    lines[line - 1] = row;
    lines.join("\n")
}

#[test]
fn our_own_form_is_read_exactly() {
    let file = read(&daily_with(2, "2024-01-08,13.63,16.25,13.500000001,16.25,6315000.5")).unwrap();
    let first = file.bars[0];
    assert_eq!(first.instrument, InstrumentId(7));
    assert_eq!(first.low, Price::from_nanos(13_500_000_001));
    assert_eq!(first.volume.to_string(), "6315000.5");
    assert_eq!((file.interval, file.rows_read, file.bars.len()), (Interval::D1, 5, 5));
    assert_eq!(file.notes, Vec::<String>::new());
    assert_eq!(opens(&file)[4], "2024-01-12");
}

#[test]
fn bom_carriage_returns_quotes_blank_lines_and_spaces_change_nothing() {
    let plain = read(&daily_with(1, "timestamp,open,high,low,close,volume")).unwrap();
    let mut odd = "\u{feff}\n".to_owned();
    for line in daily_with(1, "Timestamp, Open ,HIGH,Low,Close,Volume").lines() {
        let cells: Vec<String> = line.split(',').map(|cell| format!("\"{cell}\"")).collect();
        odd.push_str(&format!("{}\r\n\r\n   \r\n", cells.join(",")));
    }
    assert_eq!(read(odd.trim_end()).unwrap(), plain);
    let semicolons = daily_with(2, "2024-01-08,10,12,9,11,100").replace(',', ";");
    assert_eq!(read(&semicolons).unwrap(), plain);
    assert_eq!(read(&semicolons.replace(';', "\t")).unwrap(), plain);
}

#[test]
fn unix_stamps_are_read_in_the_unit_that_their_size_tells() {
    for zeros in ["", "000", "000000", "000000000", ".0"] {
        let rows: String = [1_704_067_200u64, 1_704_067_260, 1_704_067_320]
            .map(|s| format!("{s}{zeros},1,1,1,1,0\n"))
            .concat();
        let file = read(&format!("time,open,high,low,close,Volume\n{rows}")).unwrap();
        assert_eq!(opens(&file), ["2024-01-01", "2024-01-01T00:01", "2024-01-01T00:02"]);
        assert_eq!(file.interval, Interval::M1);
    }
}

#[test]
fn yfinance_daily_bars_are_labelled_by_the_date_they_were_written_for() {
    // The week in which New York's clock goes forward: the moments are 23 hours apart once.
    let file = read(
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n\
         2024-03-07 00:00:00-05:00,169.1,170.7,168.5,169,71765100,0.0,0.0\n\
         2024-03-08 00:00:00-05:00,169,173.7,168.9,170.73,76114600,0.0,0.0\n\
         2024-03-11 00:00:00-04:00,172.9,174.4,172.1,172.75,60139500,0.0,0.0\n\
         2024-03-12 00:00:00-04:00,173.1,174,171,173.23,59825400,0.24,0.0\n",
    )
    .unwrap();
    assert_eq!(file.interval, Interval::D1);
    assert_eq!(opens(&file), ["2024-03-07", "2024-03-08", "2024-03-11", "2024-03-12"]);
    assert!(note(&file, "labelled by their calendar date"), "{:?}", file.notes);
}

#[test]
fn a_seoul_midnight_keeps_its_date() {
    let file = read(
        "Date,Open,High,Low,Close,Volume\n2024-01-02 00:00:00+09:00,78200,79800,78200,79600,1\n\
         2024-01-03 00:00:00+09:00,78500,78800,77000,77000,1\n\
         2024-01-04 00:00:00+09:00,76100,77300,76100,76600,1\n",
    )
    .unwrap();
    assert_eq!(opens(&file), ["2024-01-02", "2024-01-03", "2024-01-04"]);
}

#[test]
fn binary_floats_are_rounded_at_the_ninth_decimal_and_a_note_says_so() {
    let file = read(
        "Date,Adj Close,Close,High,Low,Open,Volume\n\
         2024-01-02,184.9,185.63999938964844,188.44000244140625,183.88999938964844,187.1,82488700\n\
         2024-01-03,183.5,184.25,185.8800048828125,183.42999267578125,184.22,58414500\n\
         2024-01-04,181.1,181.91000366210938,183.08999633789062,180.8800048828125,182.15,71983600\n",
    )
    .unwrap();
    assert_eq!(file.bars[0].close.to_string(), "185.63999939");
    assert_eq!(file.bars[0].open.to_string(), "187.1");
    assert!(note(&file, "8 numbers with more than nine decimals were rounded"), "{:?}", file.notes);
    assert!(note(&file, "Adj Close"));
}

#[test]
fn yfinance_headers_of_three_lines_are_read() {
    let file = read(
        "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n\
         2024-01-02,4,5,1,2,100\n2024-01-03,4,5,1,2,101\n2024-01-04,4,5,1,2,102\n",
    )
    .unwrap();
    let bar = file.bars[0];
    assert_eq!(
        [bar.open, bar.high, bar.low, bar.close].map(|p| p.to_string()),
        ["2", "5", "1", "4"]
    );
    let several = "Price,Close,Close\nTicker,AAPL,MSFT\nDate,,\n2024-01-02,4,5\n";
    assert_eq!(
        error(read(several)),
        "x.csv:2: the file holds 2 instruments: write one file for each"
    );
}

#[test]
fn tradingview_files_with_indicator_columns_are_read() {
    let file = read(
        "time,open,high,low,close,Volume,Volume MA,RSI,Plot,Plot\n\
         2024-01-02T14:30:00Z,1,2,1,2,10,NaN,,1,1\n2024-01-02T15:30:00Z,2,2,1,2,10,NaN,50.1,1,1\n\
         2024-01-02T16:30:00Z,2,2,1,2,10,NaN,50.1,1,1\n2024-01-03T14:30:00Z,2,2,1,2,10,9,50.1,1,1\n",
    )
    .unwrap();
    assert_eq!(file.interval, Interval::H1);
    assert_eq!(opens(&file)[0], "2024-01-02T14:30");
    assert_eq!(file.notes, Vec::<String>::new());
}

#[test]
fn binance_files_are_read_with_and_without_header_in_both_units() {
    let row = |open: &str, close: &str| {
        format!(
            "{open},42283.58,42298.62,42261.02,42298.61,35.92724000,{close},1519032.2,1327,23.18,980394.3,0\n"
        )
    };
    let old = row("1704067200000", "1704067259999")
        + &row("1704067260000", "1704067319999")
        + &row("1704067320000", "1704067379999");
    let file = read(&old).unwrap();
    assert_eq!(opens(&file), ["2024-01-01", "2024-01-01T00:01", "2024-01-01T00:02"]);
    assert_eq!((file.interval, file.bars[0].trades, file.rows_read), (Interval::M1, 1327, 3));
    assert_eq!(file.bars[0].volume.to_string(), "35.92724");
    let header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,\
                  taker_buy_volume,taker_buy_quote_volume,ignore\n";
    assert_eq!(read(&format!("{header}{old}")).unwrap(), file);
    // A row of 2025 behind one of 2024: milliseconds, then microseconds.
    let mixed = row("1735689540000", "1735689599999")
        + &row("1735689600000000", "1735689659999999")
        + &row("1735689660000000", "1735689719999999");
    assert_eq!(
        opens(&read(&mixed).unwrap()),
        ["2024-12-31T23:59", "2025-01-01", "2025-01-01T00:01"]
    );
}

#[test]
fn months_stamped_by_their_last_day_are_the_months_they_close() {
    let file = read(
        "date,open,high,low,close\n2012-01-31,4.58,7.38,3.8,5.55\n2012-02-29,5.55,6.5,3.8,4.99\n\
         2012-03-31,4.99,5.5,4.6,4.9\n2012-04-30,4.9,5.5,4.6,5\n",
    )
    .unwrap();
    assert_eq!(file.interval, Interval::Mo1);
    assert_eq!(opens(&file), ["2012-01-01", "2012-02-01", "2012-03-01", "2012-04-01"]);
    assert!(note(
        &file,
        "last days of months: read as the month they close (2012-01-31 became 2012-01-01)"
    ));
    assert!(note(&file, "4 rows have no volume: taken as 0"));
}

#[test]
fn months_stamped_by_their_first_trading_day_begin_on_the_first() {
    let text = "time,open,high,low,close\n2024-01-02,1,1,1,1\n2024-02-01,1,1,1,1\n2024-03-01,1,1,1,1\n\
                2024-04-01,1,1,1,1\n2024-05-01,1,1,1,1\n2024-05-17,1,1,1,1\n";
    let file = read(text).unwrap();
    assert_eq!(
        opens(&file),
        ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01"]
    );
    assert!(note(&file, "the last row (line 7) lies inside the bar before it"), "{:?}", file.notes);
}

#[test]
fn weeks_begin_on_their_monday_where_the_file_says_so() {
    let text = "date,open,high,low,close\n2024-05-13,1,1,1,1\n2024-05-20,1,1,1,1\n2024-05-28,1,1,1,1\n\
                2024-06-03,1,1,1,1\n2024-06-10,1,1,1,1\n2024-06-13,1,1,1,1\n";
    let file = read(text).unwrap();
    assert_eq!(file.interval, Interval::W1);
    assert_eq!(opens(&file)[2..], ["2024-05-27", "2024-06-03", "2024-06-10"]);
    let fridays =
        "date,open,high,low,close\n2024-05-10,1,1,1,1\n2024-05-17,1,1,1,1\n2024-05-24,1,1,1,1\n";
    let file = read(fridays).unwrap();
    assert_eq!(opens(&file), ["2024-05-10", "2024-05-17", "2024-05-24"]);
    assert!(note(&file, "weeks begin on Fridays"));
}

#[test]
fn stamps_without_a_zone_are_read_in_the_given_one() {
    let text = "timestamp,open,high,low,close,volume\n2024-03-08 15:30:00,1,1,1,1,0\n\
                2024-03-11 09:30,1,1,1,1,0\n2024-03-11T10:30:00,1,1,1,1,0\n2024-03-11T11:30:00,1,1,1,1,0\n";
    let file = read_in("America/New_York", text).unwrap();
    assert_eq!(opens(&file)[..2], ["2024-03-08T20:30", "2024-03-11T13:30"]);
    assert!(note(&file, "read as local time of America/New_York"));
    let file = read(text).unwrap();
    assert_eq!(opens(&file)[0], "2024-03-08T15:30");
    assert!(note(&file, "read as UTC"));
    assert_eq!(
        error(read_in("Mars/Base", text)),
        "x.csv: unknown time zone \"Mars/Base\": use a name like America/New_York or Asia/Seoul"
    );
}

#[test]
fn a_local_hour_that_occurs_twice_is_the_earlier_and_its_repeat_is_refused() {
    let text = "timestamp,open,high,low,close,volume\n2024-11-03 00:30:00,1,1,1,1,0\n\
                2024-11-03 01:00:00,1,1,1,1,0\n2024-11-03 01:30:00,1,1,1,1,0\n2024-11-03 01:00:00,1,2,1,1,0\n";
    let message = error(read_in("America/New_York", text));
    assert!(message.starts_with("x.csv:5: stamp is before that of line 4"), "{message}");
    let fine = text.rsplit_once("2024-11-03 01").unwrap().0;
    assert_eq!(opens(&read_in("America/New_York", fine).unwrap())[1], "2024-11-03T05:00");
}

#[test]
fn a_daily_unix_stamp_takes_its_date_from_the_given_zone() {
    // Sydney's session opens at 10:00 local time, 23:00 UTC of the day before.
    let text =
        "time,open,high,low,close\n1704150000,1,1,1,1\n1704236400,1,1,1,1\n1704322800,1,1,1,1\n";
    assert_eq!(opens(&read_in("Australia/Sydney", text).unwrap())[0], "2024-01-02");
    assert_eq!(opens(&read(text).unwrap())[0], "2024-01-01");
}

#[test]
fn each_bad_row_is_named_with_a_remedy() {
    let cases = [
        ("2024-01-10,12,14,x,13,100", "low \"x\": not a decimal number"),
        ("2024-01-10,NaN,14,11,13,100", "open is empty: remove the row (a holiday?)"),
        ("2024-01-10,,,,,", "open is empty"),
        ("2024-01-10,null,null,null,null,null", "open is empty"),
        ("2024-01-10,inf,14,11,13,100", "open \"inf\": not a decimal number"),
        ("2024-01-10,12,14,-11,13,100", "low \"-11\" is not above zero"),
        ("2024-01-10,0,14,11,13,100", "open \"0\" is not above zero"),
        ("2024-01-10,1e-12,14,11,13,100", "open \"1e-12\" is not above zero"),
        ("2024-01-10,1e300,1e300,11,13,100", "open \"1e300\": out of range"),
        ("2024-01-10,12,14,11,13,-5", "volume \"-5\": negative"),
        ("2024-01-10,12,10,11,13,100", "high is below low"),
        ("2024-01-10,12,12.5,11,13,100", "high is below open or close"),
        ("2024-01-10,12,14,12.5,13,100", "low is above open or close"),
        ("2024-01-10,12,14", "3 columns where the header has 6"),
        ("2024-01-10,12,5,14,11,13,100", "7 columns where the header has 6: write 1234.5"),
        ("2024-01-10,\"12,5\",14,11,13,100", "open \"12,5\": not a decimal number: write 1234.5"),
        ("04/01/2024,12,14,11,13,100", "stamp \"04/01/2024\" cannot be read"),
        ("2024-02-30,12,14,11,13,100", "stamp \"2024-02-30\" cannot be read"),
        (",12,14,11,13,100", "stamp \"\" cannot be read"),
        ("2204-01-10,12,14,11,13,100", "stamp \"2204-01-10\" is not in the years 1800 to 2100"),
        (
            "17043264000,12,14,11,13,100",
            "stamp \"17043264000\" is not in the years 1800 to 2100: check the unit",
        ),
        ("2024-01-08,12,14,11,13,100", "stamp is before that of line 3: sort the rows by stamp"),
        ("2024-01-09,12,14,11,13,100", "repeats the stamp of line 3 with other values"),
    ];
    for (row, expected) in cases {
        let text = daily_with(4, row);
        let message = error(read(&text));
        assert!(message.starts_with("x.csv:4: ") && message.contains(expected), "{row}: {message}");
        let lenient = read_leniently(&text).unwrap();
        assert_eq!(
            (lenient.rejected_count, lenient.bars.len(), lenient.rows_read),
            (1, 4, 5),
            "{row}"
        );
        assert_eq!(lenient.rejected[0].0, 4, "{row}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_in_their_row() {
    let mut bytes = daily_with(2, "2024-01-08,10,12,9,1?,100").into_bytes();
    let at = bytes.iter().position(|&b| b == b'?').unwrap();
    bytes[at] = 0xe9;
    let message = read_bars("x.csv", &bytes[..], &OPTIONS).unwrap_err().to_string();
    assert_eq!(message, "x.csv:2: close is not UTF-8: save the file as UTF-8");
}

#[test]
fn files_that_hold_no_bars_say_what_they_are() {
    let cases: [(&[u8], &str); 12] = [
        (b"", "x.csv: the file is empty"),
        (b"\xef\xbb\xbf \r\n\n", "x.csv: the file is empty"),
        (b"<!DOCTYPE html><html>", "x.csv: a web page, not bars"),
        (b"{\"code\":-1121}", "x.csv: JSON, not CSV"),
        (b"PAR1\x15\x04", "x.csv: a Parquet file"),
        (b"\x1f\x8b\x08", "x.csv: gzip-compressed: unpack it with gunzip first"),
        (b"\xff\xfet\0i\0", "x.csv: UTF-16 text: save it as UTF-8"),
        (b"time,open\0", "x.csv: binary data"),
        (b"timestamp,open,high,low,volume\n", "x.csv:1: no column \"close\" in the header"),
        (b"2024-01-02,1,1,1,1,1\n", "x.csv:1: no header: begin with the line timestamp,open"),
        (b"date,time,open,high,low,close\n", "x.csv:1: columns \"date\" and \"time\" compete"),
        (b"date,open,high,low,close\n", "x.csv: no rows below the header"),
    ];
    for (bytes, expected) in cases {
        let error = read_bars("x.csv", bytes, &OPTIONS).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(error.kind(), BarFileErrorKind::NotBars);
    }
    let missing = read_bar_file(Path::new("/no/such/file.csv"), &OPTIONS).unwrap_err();
    assert_eq!(missing.kind(), BarFileErrorKind::Missing);
    assert_eq!(missing.to_string(), "/no/such/file.csv: no such file: check the path");
}

#[test]
fn numbers_that_are_no_moments_are_not_taken_for_unix_stamps() {
    for (first, remedy) in [("20240102", "write dates as YYYY-MM-DD"), ("0", "check the unit")] {
        let message = error(read(&daily_with(2, &format!("{first},10,12,9,11,100"))));
        assert!(
            message.contains("would be in the year 1970") && message.contains(remedy),
            "{message}"
        );
    }
    // A file that begins before 1970 passes through that year.
    let file =
        read("time,open,high,low,close\n-86400,1,1,1,1\n0,1,1,1,1\n86400,1,1,1,1\n").unwrap();
    assert_eq!(opens(&file), ["1969-12-31", "1970-01-01", "1970-01-02"]);
}

#[test]
fn an_interval_that_the_stamps_do_not_tell_is_asked_for() {
    let rows = |stamps: &[&str]| {
        let rows: String = stamps.iter().map(|s| format!("2024-01-{s},1,1,1,1\n")).collect();
        format!("date,open,high,low,close\n{rows}")
    };
    let cases = [
        (rows(&["02", "03"]), "2 rows do not tell the interval"),
        (rows(&["05", "08", "09"]), "rows are at changing distances"),
        (
            rows(&["02T00:00:00Z", "02T00:02:00Z", "02T00:04:00Z"]),
            "most rows are 2m apart, which is no interval here",
        ),
        (
            rows(&["02T00:00:00Z", "02T00:05:00Z", "02T00:06:00Z", "02T00:11:00Z", "02T00:16:00Z"]),
            "most rows are 5m apart, some only 1m",
        ),
    ];
    for (text, expected) in cases {
        let error = read(&text).unwrap_err();
        assert_eq!(error.kind(), BarFileErrorKind::Interval);
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(read_as(Interval::D1, &rows(&["02", "03"])).unwrap().bars.len(), 2);
}

#[test]
fn an_interval_longer_than_the_files_own_is_refused_at_the_line_that_shows_it() {
    let text = daily_with(2, "2024-01-08,10,12,9,11,100");
    let message = error(read_as(Interval::W1, &text));
    assert!(
        message.starts_with("x.csv:3: begins inside the bar before it, which lasts 1w"),
        "{message}"
    );
}

#[test]
fn an_exact_repeat_is_read_once_and_counted() {
    let file = read(&daily_with(4, "2024-01-09,11.0,13,10,12.00,100")).unwrap();
    assert_eq!((file.bars.len(), file.duplicates, file.rows_read), (4, 1, 5));
    assert!(note(&file, "1 repeated rows were read once"));
}

#[test]
fn bars_that_have_not_closed_yet_are_left_out() {
    let now = Some("2024-01-12T15:00:00Z".parse().unwrap());
    let text = daily_with(2, "2024-01-08,10,12,9,11,100");
    let file = read_bars("x.csv", text.as_bytes(), &ReadOptions { now, ..OPTIONS }).unwrap();
    assert_eq!(opens(&file).last().unwrap(), "2024-01-11");
    assert!(note(&file, "1 bars at the end had not closed by 2024-01-12T15:00:00Z"));
}

#[test]
fn newest_first_is_named_as_such() {
    let text =
        "date,open,high,low,close\n2024-01-04,1,1,1,1\n2024-01-03,1,1,1,1\n2024-01-02,1,1,1,1\n";
    assert_eq!(
        error(read(text)),
        "x.csv:3: stamp is before that of line 2: sort the rows, oldest first"
    );
}

#[test]
fn a_quote_that_is_never_closed_does_not_swallow_the_file() {
    let mut text = daily_with(3, "\"2024-01-09,11,13,10,12,100");
    text.push_str(&"2024-01-09,11,13,10,12,100\n".repeat(MAX_ROW_BYTES / 20));
    let message = error(read(&text));
    assert!(
        message.starts_with("x.csv:3: a row of more than 1048576 bytes: look for a quote"),
        "{message}"
    );
}

#[test]
fn only_the_first_hundred_rejections_are_kept() {
    let text = daily_with(6, &"2024-01-12,0,0,0,0,0\n".repeat(250));
    let file = read_leniently(&text).unwrap();
    assert_eq!((file.rejected_count, file.rejected.len()), (250, MAX_REJECTED_KEPT));
}

#[test]
fn a_file_longer_than_the_sample_is_read_whole() {
    let rows: String =
        (0..10_000).map(|minute| format!("{},1,2,1,2,3\n", 1_704_067_200 + 60 * minute)).collect();
    let header = "timestamp,open,high,low,close,volume\n";
    let file = read(&format!("{header}{rows}")).unwrap();
    assert_eq!((file.bars.len(), file.interval), (10_000, Interval::M1));
    // A row between two minutes, far behind the sample.
    let broken = format!("{header}{rows}1704667150,1,2,1,2,3\n1704667160,1,2,1,2,3\n");
    let message = error(read(&broken));
    assert!(message.starts_with("x.csv:10002: begins inside the bar before it"), "{message}");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_bars("x", &bytes[..], &OPTIONS);
        let mut framed = b"timestamp,open,high,low,close,volume\n".to_vec();
        framed.extend(&bytes);
        let _ = read_bars("x", &framed[..], &ReadOptions { lenient: true, ..OPTIONS });
    }

    #[test]
    fn no_row_panics(rows in "([-+0-9TZ:.,; eE\"\n]|2024-01-0|1704067200){0,60}", tz in prop::bool::ANY) {
        let text = format!("time,open,high,low,close,volume\n{rows}");
        let tz = tz.then(|| "Asia/Seoul".to_owned());
        let options = ReadOptions { lenient: true, tz, ..OPTIONS };
        if let Ok(file) = read_bars("x", text.as_bytes(), &options) {
            prop_assert!(file.bars.is_sorted_by(|a, b| a.open_time < b.open_time));
            prop_assert!(file.bars.iter().all(|bar| bar.fault().is_none()));
        }
    }

    #[test]
    fn what_is_written_in_our_form_comes_back(
        bars in proptest::collection::vec((1i64..i64::MAX, 1i64..i64::MAX, any::<u64>()), 3..50),
    ) {
        let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
        for (minute, &(a, b, volume)) in bars.iter().enumerate() {
            let at = Timestamp::from_secs(1_704_067_200 + 60 * minute as i64);
            let (high, low) = (Price::from_nanos(a.max(b)), Price::from_nanos(a.min(b)));
            text.push_str(&format!("{at},{},{high},{low},{},{volume}\n", Price::from_nanos(a), Price::from_nanos(b)));
        }
        let file = read(&text).unwrap();
        prop_assert_eq!(file.notes, Vec::<String>::new());
        for (bar, (a, b, volume)) in file.bars.iter().zip(&bars) {
            prop_assert_eq!((bar.open.nanos(), bar.close.nanos()), (*a, *b));
            prop_assert_eq!(bar.volume.to_string(), volume.to_string());
        }
    }
}

/// The folder of real files that developers may have; it is no part of the project.
fn shared_data() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a developer's folder, not a setting")]
    let shared = std::env::var_os("FINSTAGE_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let data = shared.join("data");
    data.join("README.md").is_file().then_some(data)
}

#[test]
fn every_real_file_at_hand_reads_whole() {
    let Some(data) = shared_data() else {
        println!("skipped: no shared data beside the checkout");
        return;
    };
    let table = std::fs::read_to_string(data.join("README.md")).unwrap();
    let mut files = 0;
    for row in table.lines().filter(|row| row.contains(".csv |")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if cells[1].ends_with("_factors.csv") {
            continue;
        }
        let (name, rows) = (cells[1], cells[2].parse::<u64>().unwrap());
        let file = read_bar_file(&data.join(name), &OPTIONS).unwrap();
        let code = name.split('_').nth(1).unwrap();
        let interval = match code {
            "m" => Interval::M1,
            "h" => Interval::H1,
            "d" => Interval::D1,
            "mo" => Interval::Mo1,
            other => panic!("{name}: what is {other}?"),
        };
        assert_eq!((file.rows_read, file.bars.len() as u64), (rows, rows), "{name}");
        assert_eq!((file.interval, file.duplicates), (interval, 0), "{name}");
        assert_eq!(note(&file, "last days of months"), interval == Interval::Mo1, "{name}");
        let first = Interval::open_of(interval, cells[3].parse().unwrap());
        assert_eq!(file.bars[0].open_time, first, "{name}");
        files += 1;
    }
    assert!(files >= 10, "only {files} files in the table");
}

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{
    Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::history::{BarFile, read_bar_file, write_parquet};

struct Fixture {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn file(columns: Vec<(&str, ArrayRef)>) -> Fixture {
    compressed(columns, Compression::SNAPPY)
}

fn compressed(columns: Vec<(&str, ArrayRef)>, compression: Compression) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let out = File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(out, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    Fixture { _dir: dir, path }
}

fn prices(rows: usize) -> [(&'static str, ArrayRef); 4] {
    ["Open", "High", "Low", "Close"]
        .map(|name| (name, Arc::new(Float64Array::from(vec![10.1; rows])) as ArrayRef))
}

fn with_stamps(name: &str, stamps: ArrayRef) -> Fixture {
    let rows = stamps.len();
    let mut columns: Vec<(&str, ArrayRef)> = prices(rows).into();
    columns.push((name, stamps));
    file(columns)
}

fn read(fixture: &Fixture, options: &ReadOptions) -> BarFile {
    read_bar_file(&fixture.path, options).unwrap()
}

fn opens(file: &BarFile) -> Vec<String> {
    file.bars.iter().map(|bar| bar.open_time.to_string()).collect()
}

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const DAYS: [&str; 3] = ["2024-03-07T00:00:00Z", "2024-03-08T00:00:00Z", "2024-03-09T00:00:00Z"];

#[test]
fn stamps_of_every_unit_with_and_without_zone_are_read() {
    let nanos: Vec<i64> = DAYS.iter().map(|day| t(day).nanos()).collect();
    let in_units = |of: i64| nanos.iter().map(|n| n / of).collect::<Vec<i64>>();
    let ns = TimestampNanosecondArray::from(nanos.clone());
    let us = TimestampMicrosecondArray::from(in_units(1_000));
    let ms = TimestampMillisecondArray::from(in_units(1_000_000));
    let days: Vec<i32> = DAYS.iter().map(|day| t(day).day().days()).collect();
    let unix = Int64Array::from(in_units(1_000_000_000));
    let arrays: Vec<(&str, ArrayRef)> = vec![
        ("Date", Arc::new(ns)),
        ("timestamp", Arc::new(us.clone().with_timezone("UTC"))),
        ("__index_level_0__", Arc::new(us)),
        ("Datetime", Arc::new(ms.with_timezone("+00:00"))),
        ("date", Arc::new(Date32Array::from(days))),
        ("time", Arc::new(unix)),
        ("open_time", Arc::new(StringArray::from(DAYS.to_vec()))),
    ];
    for (name, stamps) in arrays {
        let kind = stamps.data_type().to_string();
        let read = read(&with_stamps(name, stamps), &ReadOptions::default());
        assert_eq!(opens(&read), DAYS, "{name} {kind}");
        assert_eq!(read.interval, Interval::D1);
        assert_eq!(read.bars[0].close.to_string(), "10.1");
        assert!(read.notes[0].contains("no volume"), "{:?}", read.notes);
    }
}

#[test]
fn local_stamps_are_read_in_the_zone_given_and_it_is_said() {
    let hours = ["2024-03-08T09:30:00Z", "2024-03-08T10:30:00Z", "2024-03-11T09:30:00Z"];
    let us: Vec<i64> = hours.iter().map(|at| t(at).nanos() / 1_000).collect();
    let fixture = with_stamps("timestamp", Arc::new(TimestampMicrosecondArray::from(us)));
    let tz = Some("America/New_York".to_owned());
    let options = ReadOptions { tz, interval: Some(Interval::H1), ..ReadOptions::default() };
    let local = read(&fixture, &options);
    // The clock was put forward on the tenth.
    let expected = ["2024-03-08T14:30:00Z", "2024-03-08T15:30:00Z", "2024-03-11T13:30:00Z"];
    assert_eq!(opens(&local), expected);
    assert_eq!(local.notes[0], "stamps carry no zone: read as local time of America/New_York");
    let utc = read(&fixture, &ReadOptions { tz: None, ..options });
    assert_eq!(opens(&utc), hours);
    assert_eq!(utc.notes[0], "stamps carry no zone: read as UTC (another with --tz)");
}

#[test]
fn days_of_a_zone_in_the_file_are_labelled_by_its_dates() {
    let midnights = ["2024-03-07T05:00:00Z", "2024-03-08T05:00:00Z", "2024-03-11T04:00:00Z"];
    let us: Vec<i64> = midnights.iter().map(|at| t(at).nanos() / 1_000).collect();
    let stamps = TimestampMicrosecondArray::from(us).with_timezone("America/New_York");
    let options = ReadOptions { interval: Some(Interval::D1), ..ReadOptions::default() };
    let read = read(&with_stamps("Date", Arc::new(stamps)), &options);
    let days = ["2024-03-07T00:00:00Z", "2024-03-08T00:00:00Z", "2024-03-11T00:00:00Z"];
    assert_eq!(opens(&read), days);
}

#[test]
fn numbers_of_every_type_keep_their_digits() {
    let stamps = DAYS.map(|day| t(day).nanos());
    let decimals = Decimal128Array::from(vec![1_010, 1_020, 1_030]);
    let fixture = file(vec![
        ("timestamp", Arc::new(TimestampNanosecondArray::from(stamps.to_vec()))),
        ("open", Arc::new(decimals.with_precision_and_scale(10, 2).unwrap())),
        ("high", Arc::new(Int64Array::from(vec![11, 11, 11]))),
        ("low", Arc::new(Float32Array::from(vec![0.1, 0.2, 0.3]))),
        ("close", Arc::new(StringArray::from(vec!["10.5", "10.6", "10.7"]))),
        ("volume", Arc::new(Float64Array::from(vec![Some(0.1 + 0.2), None, Some(f64::NAN)]))),
        ("trades", Arc::new(Int64Array::from(vec![Some(7), None, Some(1 << 40)]))),
    ]);
    let read = read(&fixture, &ReadOptions::default());
    let bar = &read.bars[0];
    let texts = [bar.open, bar.high, bar.low, bar.close].map(|price| price.to_string());
    assert_eq!(texts, ["10.1", "11", "0.1", "10.5"]);
    let volumes: Vec<String> = read.bars.iter().map(|bar| bar.volume.to_string()).collect();
    assert_eq!(volumes, ["0.3", "0", "0"]);
    let trades: Vec<u32> = read.bars.iter().map(|bar| bar.trades).collect();
    assert_eq!(trades, [7, 0, u32::MAX]);
    let notes = read.notes.join("; ");
    assert!(notes.contains("1 numbers with more than nine decimals"), "{notes}");
    assert!(notes.contains("2 rows have no volume"), "{notes}");
}

#[test]
fn bad_rows_are_named_or_dropped() {
    let stamps = DAYS.map(|day| t(day).nanos());
    let mut columns: Vec<(&str, ArrayRef)> = prices(3).into();
    columns[2].1 = Arc::new(Float64Array::from(vec![Some(10.0), None, Some(11.0)]));
    columns.push(("timestamp", Arc::new(TimestampNanosecondArray::from(stamps.to_vec()))));
    let fixture = file(columns);
    let options = ReadOptions { interval: Some(Interval::D1), ..ReadOptions::default() };
    let error = read_bar_file(&fixture.path, &options).unwrap_err();
    assert_eq!((error.kind(), error.line()), (BarFileErrorKind::BadRow, Some(2)));
    assert!(error.to_string().contains("x.parquet:2: low is empty"), "{error}");
    let lenient = read(&fixture, &ReadOptions { lenient: true, ..options });
    assert_eq!((lenient.bars.len(), lenient.rejected_count), (1, 2));
    assert_eq!(lenient.rejected[1], (3, "high is below low".to_owned()));
}

#[test]
fn what_is_no_table_of_bars_is_said() {
    let words = |fixture: &Fixture| {
        let error = read_bar_file(&fixture.path, &ReadOptions::default()).unwrap_err();
        assert_eq!(error.kind(), BarFileErrorKind::NotBars);
        let text = error.to_string();
        text.split_once("x.parquet: ").unwrap().1.to_owned()
    };
    let no_stamp = words(&file(prices(1).into()));
    assert!(no_stamp.starts_with("no column \"timestamp\""), "{no_stamp}");
    assert!(no_stamp.ends_with("name its columns timestamp, open, high, low, close, volume"));
    let flags = Arc::new(arrow_array::BooleanArray::from(vec![true]));
    let mut columns: Vec<(&str, ArrayRef)> = prices(1).into();
    columns.push(("timestamp", Arc::new(Date32Array::from(vec![1]))));
    columns.push(("volume", flags));
    assert!(words(&file(columns)).starts_with("a column has the type Boolean"));
    let fixture = file(prices(1).into());
    std::fs::write(&fixture.path, b"PAR1 and then nothing of the kind").unwrap();
    assert!(words(&fixture).starts_with("not a readable Parquet file"));
}

#[test]
fn our_own_files_come_back_with_every_digit() {
    let text = "timestamp,open,high,low,close,volume\n\
        2024-03-07T00:00:00Z,0.1,9223372036.854775807,0.000000001,0.3,340000000000000000000\n\
        2024-03-07T00:01:00Z,97123.45,97123.46,97123.44,97123.45,0.00000001\n\
        2024-03-07T00:02:00Z,1,1,1,1,0\n";
    let from_text = super::super::read_bars("x", text.as_bytes(), &ReadOptions::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    write_parquet(&from_text.bars, &mut File::create(&path).unwrap()).unwrap();
    let back = read_bar_file(&path, &ReadOptions::default()).unwrap();
    assert_eq!(back.bars, from_text.bars);
    assert_eq!((back.interval, back.rows_read), (Interval::M1, 3));
    assert_eq!(back.notes, Vec::<String>::new());
}

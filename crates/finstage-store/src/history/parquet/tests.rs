use finstage_model::{InstrumentId, Interval};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use proptest::prelude::*;

use super::*;

const SERIES: SeriesId = SeriesId { instrument: InstrumentId(3), interval: Interval::M1 };

fn bar(minute: i64, prices: [i64; 4], volume: u128) -> Bar {
    let [open, high, low, close] = prices.map(Price::from_nanos);
    Bar {
        instrument: SERIES.instrument,
        interval: SERIES.interval,
        open_time: Timestamp::from_secs(60 * minute),
        open,
        high,
        low,
        close,
        volume: Qty::from_nanos(volume),
        trades: minute.unsigned_abs() as u32,
    }
}

fn types(file: &[u8]) -> Vec<(String, String)> {
    let (mut reader, _) = open(file.to_vec(), |_| true).unwrap();
    let batch = reader.next().unwrap().unwrap();
    let fields = batch.schema();
    fields.fields().iter().map(|f| (f.name().clone(), f.data_type().to_string())).collect()
}

fn type_of(file: &[u8], column: &str) -> String {
    types(file).into_iter().find(|(name, _)| name == column).unwrap().1
}

const CENT: i64 = 10_000_000;

#[test]
fn columns_are_doubles_and_microseconds_in_utc() {
    let bars = [bar(0, [1, 3, 1, 2].map(|p| p * CENT), 5), bar(1, [CENT; 4], 0)];
    let file = encode(&bars).unwrap();
    let expected = [
        ("timestamp", "Timestamp(µs, \"UTC\")"),
        ("open", "Float64"),
        ("high", "Float64"),
        ("low", "Float64"),
        ("close", "Float64"),
        ("volume", "Float64"),
        ("trades", "UInt32"),
    ];
    assert_eq!(types(&file), expected.map(|(name, of)| (name.to_owned(), of.to_owned())));
    let mut columns = BarColumns::default();
    decode_columns(file, &mut columns).unwrap();
    assert_eq!(columns.close, [0.02, 0.01]);
    assert_eq!(columns.times_us, [0, 60_000_000]);
}

#[test]
fn one_price_that_no_double_means_makes_all_four_columns_decimals() {
    let bars = [bar(0, [CENT; 4], 5), bar(1, [i64::MAX, i64::MAX, 1, 2], 5)];
    let file = encode(&bars).unwrap();
    for column in PRICES {
        assert_eq!(type_of(&file, column), "Decimal128(19, 9)");
    }
    assert_eq!(type_of(&file, VOLUME), "Float64");
    assert_eq!(decode(file.clone(), SERIES).unwrap(), bars);
    let mut columns = BarColumns::default();
    decode_columns(file, &mut columns).unwrap();
    assert_eq!(columns, BarColumns::of(&bars));
}

#[test]
fn volumes_beyond_doubles_are_decimals_and_beyond_those_text() {
    let decimal = [bar(0, [CENT; 4], 12_345_678_901_234_567_890_123)];
    let file = encode(&decimal).unwrap();
    assert_eq!(type_of(&file, VOLUME), "Decimal128(38, 9)");
    assert_eq!(decode(file, SERIES).unwrap(), decimal);
    let text = [bar(0, [CENT; 4], u128::MAX), bar(1, [CENT; 4], 1)];
    let file = encode(&text).unwrap();
    assert_eq!(type_of(&file, VOLUME), "Utf8");
    assert_eq!(decode(file.clone(), SERIES).unwrap(), text);
    let mut columns = BarColumns::default();
    decode_columns(file, &mut columns).unwrap();
    assert_eq!(columns, BarColumns::of(&text));
}

#[test]
fn the_form_is_the_measured_one() {
    let bars: Vec<Bar> = (0..200_000).map(|n| bar(n, [CENT * (n % 50 + 1); 4], 7)).collect();
    let file = SerializedFileReader::new(Bytes::from(encode(&bars).unwrap())).unwrap();
    let groups = file.metadata().row_groups();
    let rows: Vec<i64> = groups.iter().map(|group| group.num_rows()).collect();
    assert_eq!(rows, [131_072, 68_928]);
    for column in groups[0].columns() {
        assert!(matches!(column.compression(), Compression::ZSTD(_)));
    }
    let encodings = |n: usize| groups[0].column(n).encodings().collect::<Vec<_>>();
    assert!(encodings(0).contains(&Encoding::DELTA_BINARY_PACKED), "{:?}", encodings(0));
    assert!(encodings(1).contains(&Encoding::RLE_DICTIONARY), "{:?}", encodings(1));
    assert!(groups[0].column(0).statistics().is_some());
}

#[test]
fn a_stamp_finer_than_microseconds_is_refused() {
    let mut bars = [bar(0, [CENT; 4], 5)];
    bars[0].open_time = Timestamp::from_nanos(1);
    let fault = encode(&bars).unwrap_err().to_string();
    assert_eq!(fault, "stamp 1970-01-01T00:00:00.000000001Z is no whole microsecond");
}

#[test]
fn what_is_not_of_our_form_is_a_fault_and_no_panic() {
    let file = encode(&[bar(0, [CENT; 4], 5)]).unwrap();
    for end in [0, 3, 4, 100, file.len() - 1] {
        assert!(decode(file[..end].to_vec(), SERIES).is_err(), "{end}");
    }
    let other = Float64Array::from(vec![1.0]);
    let batch = RecordBatch::try_from_iter([("open", Arc::new(other) as ArrayRef)]).unwrap();
    let fault = decode_batch(&batch, SERIES, &mut Vec::new()).unwrap_err().to_string();
    assert_eq!(fault, "column timestamp is missing or not as finstage writes it");
}

fn any_price() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        (0i64..1_000_000_000).prop_map(|cents| cents * 10_000_000),
        Just(i64::MAX),
        Just(i64::MIN),
        Just(0),
    ]
}

fn any_volume() -> impl Strategy<Value = u128> {
    prop_oneof![any::<u128>(), 0u128..1 << 60, Just(0), Just(u128::MAX), Just(VOLUME_END)]
}

proptest! {
    #[test]
    fn bars_come_back_the_same(
        rows in prop::collection::vec((any::<[u8; 1]>(), any_price(), any_price(), any_price(), any_price(), any_volume()), 1..40)
    ) {
        let mut minute = -1_000_000;
        let bars: Vec<Bar> = rows
            .into_iter()
            .map(|(step, open, high, low, close, volume)| {
                minute += i64::from(step[0]) + 1;
                bar(minute, [open, high, low, close], volume)
            })
            .collect();
        let file = encode(&bars).unwrap();
        prop_assert_eq!(&decode(file.clone(), SERIES).unwrap(), &bars);
        let mut columns = BarColumns::default();
        decode_columns(file, &mut columns).unwrap();
        prop_assert_eq!(columns, BarColumns::of(&bars));
    }
}

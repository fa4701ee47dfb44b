use finstage_model::{InstrumentId, Qty};

use super::*;

fn bar(interval: Interval, place: i64, volume: u32) -> Bar {
    let price = Price::from_nanos((100 + place) * 1_000_000_000);
    Bar {
        instrument: InstrumentId(0),
        interval,
        open_time: Timestamp::from_secs(place * interval.nominal().as_secs() as i64),
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Qty::from_nanos(u128::from(volume) * 1_000_000_000),
        trades: 0,
    }
}

fn bars(interval: Interval, volumes: &[u32]) -> Vec<Bar> {
    (0..).zip(volumes).map(|(place, volume)| bar(interval, place, *volume)).collect()
}

#[test]
fn a_volume_is_compared_with_the_mean_of_twenty_bars() {
    let mut volumes = vec![10; 19];
    volumes.push(5);
    let ratio = volume_ratio(&bars(Interval::D1, &volumes)).unwrap();
    assert!((ratio - 5.0 / 9.75).abs() < 1e-12, "{ratio}");
    assert_eq!(volume_ratio(&bars(Interval::D1, &volumes[1..])), None, "too few bars");
    assert_eq!(volume_ratio(&bars(Interval::D1, &[0; 20])), None, "no volume is reported");
    assert_eq!(volume_ratio(&[]), None);
}

#[test]
fn the_way_of_the_market_is_read_from_five_days_before() {
    let days = bars(Interval::D1, &[1; 9]);
    let after = days[8].close_time();
    assert_eq!(base(&days, after), Some(&days[4]));
    assert_eq!(base(&days[..4], after), None);
    let hours = bars(Interval::H4, &[1; 40]);
    let at = hours[39].close_time();
    let found = base(&hours, at).unwrap();
    assert_eq!(found.close_time(), at.minus(TREND_SPAN));
    assert!(base(&hours[20..], at).is_none(), "they do not reach that far");
    // What is kept reaches as far as is read.
    for (bars, at) in [(days, after), (hours, at)] {
        let kept = &bars[bars.len() - trend_depth(bars[0].interval)..];
        assert_eq!(base(kept, at), base(&bars, at));
    }
}

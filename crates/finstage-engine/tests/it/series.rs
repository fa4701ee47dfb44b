//! Bars: built, rolled up, taken from the venue.

use finstage_engine::{Engine, MAX_INSTRUMENTS};
use finstage_model::{InstrumentId, Past, Payload, Timestamp};

use crate::stage::{A, Stage, announce, at, bar, series, symbol};
use crate::strategies::TOYS;

#[test]
fn a_bar_closes_when_the_trades_pass_its_end() {
    Stage::new(&series("1m trades")).expect(
        "12:00:05     trade 10
         12:00:30     trade 12
         12:00:59.999 trade 11
         12:01:00     trade 9
         12:03:00     trade 8",
        "bar 1m 12:00 10 12 10 11 3
         bar 1m 12:01 9 9 9 9 1",
    );
}

#[test]
fn a_bar_of_a_quiet_instrument_closes_on_a_tick_after_delay_and_grace() {
    let mut stage = Stage::new(&series("1m trades"));
    stage.expect("12:00:05 trade 10\n 12:01:10.999 tick", "");
    stage.expect("12:01:11 tick", "bar 1m 12:00 10 10 10 10 1");
    stage.expect("12:30:00 tick", "");
}

#[test]
fn a_late_trade_never_reopens_a_closed_bar() {
    let mut stage = Stage::new(&series("1m trades"));
    stage.expect(
        "12:00:05 trade 10
         12:01:00 trade 11
         12:01:01 trade 99 at 12:00:59
         12:02:00 trade 12",
        "bar 1m 12:00 10 10 10 10 1
         bar 1m 12:01 11 11 11 11 1",
    );
    assert_eq!(stage.engine.counters().late_trades, 1);
}

#[test]
fn within_its_lateness_a_stream_may_be_out_of_order() {
    let mut settings = series("1m trades");
    settings.feeds[0].lateness_ms = 2_000;
    let mut stage = Stage::new(&settings);
    stage.expect(
        "12:00:59    trade 10
         12:01:01    trade 20
         12:01:01.5  trade 11 at 12:00:59.5
         12:01:01.9  trade 9  at 12:00:58      # the first by its time
         12:01:02    trade 21
         12:01:02.1  trade 99 at 12:00:59.9
         12:02:01.9  trade 30
         12:02:02    trade 31",
        "bar 1m 12:00 9 11 9 11 3
         bar 1m 12:01 20 21 20 21 2",
    );
    assert_eq!(stage.engine.counters().late_trades, 1);
}

#[test]
fn bars_closed_by_one_event_come_by_close_time_and_then_finer_first() {
    let settings = series("1m trades, 5m rolled 1m, 15m rolled 5m, 1h trades");
    Stage::new(&settings).expect(
        "12:03:10 trade 10
         12:04:10 trade 12
         12:14:10 trade 9
         14:00:00 trade 9",
        "bar 1m 12:03 10 10 10 10 1
         bar 1m 12:04 12 12 12 12 1
         bar 5m 12:00 10 12 10 12 2
         bar 1m 12:14 9 9 9 9 1
         bar 5m 12:10 9 9 9 9 1
         bar 15m 12:00 10 12 9 9 3
         bar 1h 12:00 10 12 9 9 3",
    );
}

#[test]
fn a_hole_at_its_end_does_not_keep_a_coarse_bar_open() {
    let mut stage = Stage::new(&series("1m trades, 5m rolled 1m"));
    stage.expect("12:00:10 trade 10\n 12:01:11 tick", "bar 1m 12:00 10 10 10 10 1");
    stage.expect("12:05:10.9 tick", "");
    stage.expect("12:05:11 tick", "bar 5m 12:00 10 10 10 10 1");
}

#[test]
fn the_last_venue_bar_closes_the_coarse_bar_at_once() {
    let mut stage = Stage::new(&series("1m venue, 5m rolled 1m"));
    stage.expect(
        "12:01:00 bar 1m 12:00 10 12 9 11 5
         12:05:01 bar 1m 12:04 11 11 8 8 1
         12:06:01 bar 1m 12:05 8 8 8 8 1
         12:11:01 bar 1m 12:10 7 7 7 7 1",
        "bar 1m 12:00 10 12 9 11 5
         bar 1m 12:04 11 11 8 8 1
         bar 5m 12:00 10 12 8 8 6
         bar 1m 12:05 8 8 8 8 1
         bar 5m 12:05 8 8 8 8 1
         bar 1m 12:10 7 7 7 7 1",
    );
}

#[test]
fn trades_do_not_close_a_coarse_bar_made_of_venue_bars() {
    let mut stage = Stage::new(&series("1m venue, 5m rolled 1m"));
    stage.expect(
        "12:01:00.2 bar 1m 12:00 10 12 9 11 5
         12:05:00.1 trade 11
         12:05:00.2 bar 1m 12:04 11 11 8 8 1",
        "bar 1m 12:00 10 12 9 11 5
         bar 1m 12:04 11 11 8 8 1
         bar 5m 12:00 10 12 8 8 6",
    );
}

#[test]
fn a_part_that_comes_after_its_coarse_bar_closed_is_counted() {
    let mut stage = Stage::new(&series("1m venue, 5m rolled 1m"));
    stage.play("12:01:00 bar 1m 12:00 10 12 9 11 5\n 12:06:00 tick");
    stage.expect("12:06:01 bar 1m 12:04 1 1 1 1 1", "bar 1m 12:04 1 1 1 1 1");
    assert_eq!(stage.engine.counters().late_parts, 1);
}

#[test]
fn a_venue_bar_is_said_once() {
    let mut stage = Stage::new(&series("1m venue"));
    stage.expect(
        "12:01:00 bar 1m 12:00 10 12 9 11 5
         12:01:01 bar 1m 12:00 10 12 9 11 5
         12:01:02 bar 1m 12:00 10 12 9 12 5
         12:03:00 bar 1m 12:02 10 12 9 11 5
         12:03:01 bar 1m 12:01 10 12 9 11 5
         12:03:02 bar 5m 12:00 10 12 9 11 5
         12:04:00 bar 1m 12:03 10 8 9 11 5       # high below low
         12:04:00 bar 1m 14:00 10 12 9 11 5      # not yet",
        "bar 1m 12:00 10 12 9 11 5
         bar 1m 12:02 10 12 9 11 5",
    );
    let counters = stage.engine.counters();
    assert_eq!(counters.duplicate_bars, 1);
    assert_eq!(counters.revisions, 1);
    assert_eq!(counters.out_of_order_bars, 1);
    assert_eq!(counters.unwanted_bars, 1);
    assert_eq!(counters.implausible, 2);
    assert_eq!(counters.bars, 2);
}

#[test]
fn past_bars_say_nothing_and_rebuild_the_open_coarse_bar() {
    let mut stage = Stage::new(&series("1m trades, 5m rolled 1m, 15m rolled 5m"));
    let past = |interval: &str, rows: &[&str]| {
        let bars = rows.iter().map(|row| {
            let row = format!("{interval} {row}");
            bar(&row.split(' ').collect::<Vec<_>>())
        });
        let interval = interval.parse().unwrap();
        Payload::Past(Box::new(Past { instrument: A, interval, bars: bars.collect() }))
    };
    stage.apply(at("12:07"), past("5m", &["12:00 10 20 5 15 9", "11:55 1 1 1 1 1"]));
    stage.apply(
        at("12:07"),
        past("1m", &["12:04 15 15 15 15 1", "12:05 15 16 14 15 2", "12:06 15 15 13 14 3"]),
    );
    assert!(stage.outputs.is_empty());
    stage.expect(
        "12:07:05 trade 99 at 12:06:59    # its bar is known
         12:07:10 trade 17
         12:15:00 trade 18",
        "bar 1m 12:07 17 17 17 17 1
         bar 5m 12:05 15 17 13 17 6
         bar 15m 12:00 10 20 5 17 15",
    );
    assert_eq!(stage.engine.counters().late_trades, 1);
}

#[test]
fn an_instrument_is_announced_before_anything_else() {
    let mut stage = Stage::new(&series("1m trades"));
    let known = stage.engine.counters();
    assert_eq!(known.refused_instruments, 0);
    stage.apply(at("12:00"), announce(A, symbol()));
    assert_eq!(stage.engine.counters().refused_instruments, 0, "a repeat is harmless");
    stage.apply(at("12:00"), announce(A, "x:B".parse().unwrap()));
    stage.apply(at("12:00"), announce(InstrumentId(1), symbol()));
    let beyond = InstrumentId(MAX_INSTRUMENTS as u32);
    stage.apply(at("12:00"), announce(beyond, "x:C".parse().unwrap()));
    assert_eq!(stage.engine.counters().refused_instruments, 3);

    let mut engine = Engine::new(&series("1m trades"), TOYS).unwrap();
    let payload = Payload::Trade(crate::stage::trade(at("12:00"), "1"));
    let ts_recv = Timestamp::EPOCH;
    engine.apply(&finstage_model::Event::new(ts_recv, payload), &mut Vec::new());
    assert_eq!(engine.counters().unknown_instruments, 1);
}

#[test]
fn the_last_price_is_the_newest_by_its_own_time() {
    let mut stage = Stage::new(&series("1m trades"));
    stage.play("12:00:10 trade 10\n 12:00:11 trade 99 at 12:00:09");
    assert_eq!(stage.engine.last_price(A), Some(("10".parse().unwrap(), at("12:00:10"))));
    assert_eq!(stage.engine.now(), at("12:00:11"));
}

//! `apply` allocates nothing for trades and ticks once rings and queues have their size.

#![expect(unsafe_code, reason = "a global allocator that counts can be written no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use finstage_engine::WatchSpec;
use finstage_model::{Event, Interval, Output, Payload, Price, Timestamp, Trade};

use crate::stage::{Stage, series, strategy, symbol, trade};

struct Counting;

thread_local! {
    // Per thread, because the other tests of this binary allocate at the same time.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system allocator unchanged; counting touches a
// thread-local without a destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise is the same as ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` by `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn trades_and_ticks_allocate_nothing_in_steady_state() {
    let mut settings = series("1m trades, 5m rolled 1m, 15m rolled 5m, 1h rolled 15m");
    settings.feeds[0].lateness_ms = 2_000;
    let watch = |rule: &str| WatchSpec {
        symbol: symbol(),
        rule: rule.parse().unwrap(),
        cooldown_ms: Some(u64::MAX),
    };
    settings.watches = vec![watch("rise=1000%"), watch("below=1")];
    // A short memory, so that the rings are full after a few hours.
    settings.strategies = vec![strategy("reader", Some(("memory", 2.0)), Interval::D1)];
    let mut stage = Stage::new(&settings);
    let start: Timestamp = "2026-01-05".parse().unwrap();
    let day: Vec<Event> = (0..86_400)
        .flat_map(|second| {
            let now = start.plus(std::time::Duration::from_secs(second));
            let price = Price::from_nanos(100_000_000_000 + (second as i64 * 7_919) % 1_000);
            let trade = Trade { price, ..trade(now, "1") };
            [Payload::Trade(trade), Payload::Tick].map(|payload| Event::new(now, payload))
        })
        .collect();
    let (warm, steady) = day.split_at(day.len() / 2);
    let mut outputs: Vec<Output> = Vec::with_capacity(64);
    for event in warm {
        stage.engine.apply(event, &mut outputs);
        outputs.clear();
    }
    let before = COUNT.get();
    let mut bars = 0;
    for event in steady {
        stage.engine.apply(event, &mut outputs);
        bars += outputs.len();
        outputs.clear();
    }
    assert_eq!(COUNT.get() - before, 0, "allocations in {} events", steady.len());
    assert_eq!(bars, 720 + 144 + 48 + 12, "bars closed all the while");
    let before = COUNT.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(COUNT.get() - before, 1, "the counter counts");
}

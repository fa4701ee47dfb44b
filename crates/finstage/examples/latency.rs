//! How long it takes from a frame to an alert in the outbox: decode, journal, engine, verdict,
//! SQL commit, on the real disk.
//!
//! ```sh
//! cargo run --release -p finstage --example latency
//! ```
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use finstage::config;
use finstage::day::{Feed, House, Renewal, Rim};
use finstage::live::{NoObserver, Safe};
use finstage::wiring::{self, Store};
use finstage_feeds::{Decoded, SymbolMap};
use finstage_model::{Clock as _, Event, Interval, Timestamp};
use finstage_net::{Frame, SystemClock};
use finstage_store::records::StoreKind;

/// Frames that are timed.
const FRAMES: usize = 2_000;

const CONFIG: &str = "
[alerts]
send = \"unproven\"
cooldown = \"0ms\"
per_hour = 1000000000
[[feeds]]
venue = \"binance\"
symbols = [\"BTCUSDT\"]
intervals = [\"1m\"]
[[strategies]]
name = \"ma_breakout_up\"
interval = \"1m\"
params = { period = 2 }
[[strategies]]
name = \"ma_breakout_down\"
interval = \"1m\"
params = { period = 2 }
";

/// Decodes each frame when it arrives, as a session does.
struct Frames(Receiver<String>, Box<dyn finstage_feeds::StreamVenue>);

impl Feed for Frames {
    fn next(&mut self, events: &mut Vec<Event>) -> bool {
        let Ok(frame) = self.0.recv() else { return false };
        let mut decoded = Decoded::default();
        self.1.decode(&Frame::Text(frame), SystemClock.now(), &mut decoded).expect("our own frame");
        events.append(&mut decoded.events);
        true
    }
}

/// A closed bar that crosses its average, up and down in turn, so that each one alerts.
fn frame(i: usize, open: Timestamp) -> String {
    let price = if i.is_multiple_of(2) { "101.00000000" } else { "99.00000000" };
    let (t, end) = (open.millis(), open.millis() + 59_999);
    format!(
        r#"{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":{end},"s":"BTCUSDT","k":{{"t":{t},"T":{end},"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"{price}","c":"{price}","h":"{price}","l":"{price}","v":"5","n":2,"x":true,"q":"1","V":"1","Q":"1","B":"0"}}}}}}"#
    )
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = config::parse("latency", CONFIG, &[])?;
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path(), StoreKind::Real, wiring::disk())?;
    let instruments = wiring::instruments(&settings, &store.records)?;
    let feed = &settings.feeds[0];
    let (venue, endpoints) = wiring::venue(feed)?;
    let map: SymbolMap = SymbolMap::of(&wiring::subscriptions(feed, &instruments));
    let stream = venue.stream.expect("binance streams")(&endpoints, map);
    let rim = Rim {
        clock: Arc::new(SystemClock),
        observer: Arc::new(NoObserver),
        safe: Safe::default(),
        fsync: Some(settings.fsync),
        notifiers: vec!["log".into()],
        max_age: Duration::from_secs(365 * 86_400),
        keep: None,
        renewal: Renewal::Daily,
        imports: None,
        patience: Default::default(),
    };
    let house = House {
        journal: store.journal.clone(),
        records: store.records.clone(),
        history: store.history.clone(),
        settings: settings.engine.clone(),
        instruments,
        rim,
    };
    let (send, receive) = sync_channel(1);
    let engine = std::thread::spawn(move || house.run(&mut Frames(receive, stream)));
    let mut took = measure(&send, &store)?;
    drop(send);
    engine.join().map_err(|_| "the engine panicked")??;
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "frame to outbox, {} alerts: p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms",
        took.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

/// Sends one frame, waits until its alert is in the outbox, sends the next.
fn measure(
    send: &SyncSender<String>,
    store: &Store,
) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let now = Interval::M1.open_of(SystemClock.now());
    let first = now.minus(Duration::from_secs(60 * (FRAMES as u64 + 10)));
    let mut took = Vec::new();
    let mut queued = 0;
    for i in 0..FRAMES {
        let sent = SystemClock.now();
        send.send(frame(i, first.plus(Duration::from_secs(60 * i as u64))))?;
        if i < 3 {
            continue; // warm-up: nothing alerts yet
        }
        loop {
            let ready = store.records.outbox_counts()?.ready;
            if ready > queued {
                queued = ready;
                took.push(SystemClock.now().since(sent));
                break;
            }
        }
    }
    Ok(took)
}

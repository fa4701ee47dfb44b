//! The first good source wins.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use finstage_net::{ErrorKind, first_good};
use tokio::time::{Instant, sleep};

/// Counts how often it was dropped before its end.
struct Watched(Arc<AtomicUsize>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn source(
    millis: u64,
    end: Result<u32, &'static str>,
    dropped: Arc<AtomicUsize>,
) -> Result<u32, &'static str> {
    let watched = Watched(dropped);
    sleep(Duration::from_millis(millis)).await;
    std::mem::forget(watched);
    end
}

#[tokio::test(start_paused = true)]
async fn the_fastest_good_answer_wins_and_the_others_are_dropped() {
    let dropped = Arc::<AtomicUsize>::default();
    let make = |millis, end| source(millis, end, Arc::clone(&dropped));
    let begun = Instant::now();
    let sources = vec![
        ("binance", make(500, Ok(1))),
        ("coinbase", make(10, Err("down"))),
        ("kraken", make(100, Ok(3))),
    ];
    let (label, price) = first_good(sources).await.unwrap();
    assert_eq!((label, price), ("kraken", 3));
    assert_eq!(begun.elapsed(), Duration::from_millis(100), "nobody waits for the slow one");
    assert_eq!(dropped.load(Ordering::SeqCst), 1, "the slow one was cancelled");
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_one_error_names_each_in_order() {
    let make = |millis, end| source(millis, Err(end), Arc::default());
    let sources =
        vec![("binance", make(500, "refused: key")), ("kraken", make(10, "no such symbol"))];
    let error = first_good(sources).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        error.to_string(),
        "no source answered: binance: refused: key; kraken: no such symbol"
    );
    let nobody: Vec<(&str, std::future::Ready<Result<u32, &str>>)> = Vec::new();
    assert_eq!(first_good(nobody).await.unwrap_err().to_string(), "no source answered");
}

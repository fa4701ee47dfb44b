use std::sync::atomic::{AtomicU32, Ordering};

use finstage_model::ManualClock;
use futures_util::FutureExt;
use futures_util::future::join_all;
use proptest::prelude::*;
use tokio::time::sleep;

use super::*;

const TTL: Duration = Duration::from_secs(300);

fn cache(options: CacheOptions) -> (Arc<ManualClock>, Cache<u32, String, &'static str>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_000)));
    let size = |_: &u32, value: &String| value.len();
    (clock.clone(), Cache::new("prices", options, clock, size))
}

fn keep(cache: &Cache<u32, String, &'static str>, key: u32, value: &str) {
    cache.keep(&key, Some(value.to_owned()), MarketPhase::Regular);
}

fn keys(cache: &Cache<u32, String, &'static str>) -> Vec<u32> {
    let mut keys: Vec<u32> = cache.state().kept.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_miss_at_once_compute_once() {
    let (_, cache) = cache(CacheOptions::default());
    let runs = AtomicU32::new(0);
    let ask = || {
        cache.fetch(1, MarketPhase::Regular, async {
            runs.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(50)).await;
            Ok(Some("value".to_owned()))
        })
    };
    for value in join_all((0..100).map(|_| ask())).await {
        assert_eq!(value.unwrap().as_deref(), Some("value"));
    }
    let seen = cache.snapshot();
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!((seen.misses, seen.joined, seen.hits), (1, 99, 0));
    ask().await.unwrap();
    assert_eq!(cache.snapshot().hits, 1);
    assert!((cache.snapshot().hit_rate() - 100.0 / 101.0).abs() < 1e-12);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_all_who_wait_and_is_not_kept() {
    let (_, cache) = cache(CacheOptions::default());
    let runs = AtomicU32::new(0);
    let fail = || {
        cache.fetch(1, MarketPhase::Regular, async {
            runs.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(50)).await;
            Err("down")
        })
    };
    for end in join_all((0..100).map(|_| fail())).await {
        assert_eq!(*end.unwrap_err(), "down");
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    let good = cache.fetch(1, MarketPhase::Regular, async { Ok(Some("up".to_owned())) }).await;
    assert_eq!(good.unwrap().as_deref(), Some("up"));
}

#[tokio::test(start_paused = true)]
async fn who_computes_and_gives_up_leaves_it_to_the_next() {
    let (_, cache) = cache(CacheOptions::default());
    let mut first = Box::pin(cache.fetch(1, MarketPhase::Regular, std::future::pending()));
    assert!(first.as_mut().now_or_never().is_none());
    let mut second =
        Box::pin(cache.fetch(1, MarketPhase::Regular, async { Ok(Some("mine".to_owned())) }));
    assert!(second.as_mut().now_or_never().is_none(), "the first one computes");
    drop(first);
    assert_eq!(second.await.unwrap().as_deref(), Some("mine"));
}

#[test]
fn a_value_ends_exactly_at_its_end_and_later_the_less_the_market_moves() {
    for (phase, factor) in
        [(MarketPhase::Regular, 1), (MarketPhase::Extended, 3), (MarketPhase::Closed, 10)]
    {
        let (clock, cache) = cache(CacheOptions::default());
        cache.keep(&1, Some("v".to_owned()), phase);
        clock.advance(TTL * factor - Duration::from_nanos(1));
        assert_eq!(cache.peek(&1), Some(Some("v".to_owned())), "{phase:?}");
        clock.advance(Duration::from_nanos(1));
        assert_eq!(cache.peek(&1), None, "{phase:?}");
        let seen = cache.snapshot();
        assert_eq!((seen.entries, seen.bytes, seen.expired), (0, 0, 1));
    }
}

#[tokio::test]
async fn that_there_is_none_is_known_for_a_time_of_its_own() {
    let (clock, cache) = cache(CacheOptions::default());
    let none = cache.fetch(1, MarketPhase::Regular, async { Ok(None) }).await;
    assert_eq!(none.unwrap(), None);
    clock.advance(Duration::from_nanos(29_999_999_999));
    let computed = async { panic!("it is known that there is none") };
    assert_eq!(cache.fetch(1, MarketPhase::Regular, computed).await.unwrap(), None);
    assert_eq!(cache.snapshot().absent_hits, 1);
    clock.advance(Duration::from_nanos(1));
    assert_eq!(cache.peek(&1), None);
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let (_, cache) = cache(CacheOptions { entries: 3, ..CacheOptions::default() });
    (1..=3).for_each(|key| keep(&cache, key, "v"));
    assert!(cache.peek(&1).is_some());
    keep(&cache, 4, "v");
    assert_eq!(keys(&cache), [1, 3, 4], "2 was used longest ago");
    keep(&cache, 3, "new");
    keep(&cache, 5, "v");
    assert_eq!(keys(&cache), [3, 4, 5]);
    assert_eq!(cache.snapshot().evicted, 2);
}

#[test]
fn bytes_are_bounded_and_what_can_never_fit_is_not_kept() {
    let (_, cache) = cache(CacheOptions { bytes: 10, ..CacheOptions::default() });
    keep(&cache, 1, "four");
    keep(&cache, 2, "four");
    keep(&cache, 3, "three");
    assert_eq!((keys(&cache), cache.snapshot().bytes), (vec![2, 3], 9));
    keep(&cache, 2, "eleven bytes");
    assert_eq!((keys(&cache), cache.snapshot().bytes), (vec![3], 5));
    cache.forget_all(|key| *key == 3);
    assert_eq!((cache.snapshot().entries, cache.snapshot().bytes), (0, 0));
}

/// The keys as a list that is searched from the front, the one used longest ago first.
#[derive(Default)]
struct Plain(Vec<u32>);

impl Plain {
    fn touch(&mut self, key: u32) -> bool {
        let place = self.0.iter().position(|known| *known == key);
        place.map(|place| self.0.remove(place)).inspect(|key| self.0.push(*key)).is_some()
    }

    fn keep(&mut self, key: u32, most: usize) {
        self.0.retain(|known| *known != key);
        self.0.push(key);
        self.0.drain(..self.0.len().saturating_sub(most));
    }
}

proptest! {
    #[test]
    fn the_order_of_use_is_exactly_that_of_a_plain_list(
        steps in prop::collection::vec((0_u8..3, 0_u32..8), 1..200),
    ) {
        let (_, cache) = cache(CacheOptions { entries: 4, ..CacheOptions::default() });
        let mut plain = Plain::default();
        for (step, key) in steps {
            match step {
                0 => prop_assert_eq!(cache.peek(&key).is_some(), plain.touch(key)),
                1 => {
                    cache.forget(&key);
                    plain.0.retain(|known| *known != key);
                }
                _ => {
                    keep(&cache, key, "v");
                    plain.keep(key, 4);
                }
            }
            let mut left = plain.0.clone();
            left.sort_unstable();
            prop_assert_eq!(keys(&cache), left);
        }
    }
}

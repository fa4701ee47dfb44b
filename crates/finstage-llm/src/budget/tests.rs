use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use finstage_store::suite::Rng;
use tokio::time::sleep;

use super::*;

fn usd(text: &str) -> Money {
    Money::from_usd(text).unwrap()
}

fn cents(cents: u64) -> Money {
    usd("0.01").times(cents)
}

/// Whether the task still waits, once everything that can run has run.
async fn waits<T>(task: &tokio::task::JoinHandle<T>) -> bool {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    !task.is_finished()
}

fn spawn(budget: &Budget, most: Money) -> tokio::task::JoinHandle<Result<Hold, Error>> {
    let budget = budget.clone();
    tokio::spawn(async move { budget.reserve(most).await })
}

#[tokio::test(start_paused = true)]
async fn a_thousand_at_once_never_pass_a_cap_of_a_dollar_and_none_waits_for_ever() {
    for seed in 0..20 {
        let budget = Budget::new(usd("1"));
        let real = Arc::new(AtomicU64::new(0));
        let mut tasks = Vec::new();
        for number in 0..1000 {
            let (budget, real) = (budget.clone(), Arc::clone(&real));
            tasks.push(tokio::spawn(async move {
                let mut rng = Rng::new(seed * 1000 + number);
                sleep(Duration::from_millis(rng.below(50) as u64)).await;
                let most = cents(1 + rng.below(9) as u64);
                let hold = budget.reserve(most).await?;
                sleep(Duration::from_millis(rng.below(200) as u64)).await;
                match rng.below(10) {
                    0 => hold.release(),
                    // Nobody knows what it cost: at most that.
                    1 => {
                        real.fetch_add(most.pico(), Ordering::Relaxed);
                        drop(hold);
                    }
                    _ => {
                        let cost = Money::from_pico(rng.bits() % (most.pico() + 1));
                        real.fetch_add(cost.pico(), Ordering::Relaxed);
                        assert_eq!(hold.settle(cost), Money::ZERO);
                    }
                }
                let spent = real.load(Ordering::Relaxed);
                assert!(spent <= usd("1").pico(), "seed {seed}: {spent} is over the cap");
                Ok::<(), Error>(())
            }));
        }
        let mut refused = 0;
        for task in tasks {
            let ended = tokio::time::timeout(Duration::from_secs(3600), task).await;
            refused += usize::from(ended.expect("nobody waits for ever").unwrap().is_err());
        }
        assert_eq!(budget.held(), Money::ZERO);
        assert_eq!(budget.spent().pico(), real.load(Ordering::Relaxed), "seed {seed}");
        assert!(refused > 0 && budget.left() < cents(9), "seed {seed}: the cap was reached");
    }
}

#[tokio::test]
async fn a_big_question_is_not_passed_by_small_ones_that_came_later() {
    let budget = Budget::new(cents(10));
    let first = budget.reserve(cents(6)).await.unwrap();
    let big = spawn(&budget, cents(8));
    assert!(waits(&big).await);
    let small = spawn(&budget, cents(1));
    assert!(waits(&small).await, "there is room, but not its turn");
    first.settle(cents(2));
    let big = big.await.unwrap().unwrap();
    assert!(waits(&small).await);
    big.settle(cents(7));
    small.await.unwrap().unwrap().settle(cents(1));
    assert_eq!(budget.left(), Money::ZERO);
}

#[tokio::test]
async fn what_can_never_fit_is_refused_at_once_though_others_are_under_way() {
    let budget = Budget::new(cents(10));
    budget.reserve(cents(3)).await.unwrap().settle(cents(3));
    let under_way = budget.reserve(cents(1)).await.unwrap();
    let error = budget.reserve(cents(8)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Budget);
    assert_eq!(
        error.to_string(),
        "the budget of $0.10 is used up: $0.03 is spent and this question can cost $0.08: raise the budget or lower max_tokens"
    );
    under_way.release();
    assert_eq!(budget.reserve(cents(7)).await.unwrap().most(), cents(7));
}

#[tokio::test]
async fn whoever_waits_is_refused_as_soon_as_it_can_never_fit() {
    let budget = Budget::new(cents(10));
    let under_way = budget.reserve(cents(5)).await.unwrap();
    let waiting = spawn(&budget, cents(7));
    assert!(waits(&waiting).await);
    under_way.settle(cents(4));
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn more_than_was_set_aside_is_charged_and_told() {
    let budget = Budget::new(cents(10));
    let hold = budget.reserve(cents(9)).await.unwrap();
    assert_eq!(hold.settle(cents(12)), cents(3));
    assert_eq!((budget.spent(), budget.left()), (cents(12), Money::ZERO));
    assert!(budget.reserve(cents(1)).await.is_err());
    drop(budget.reserve(Money::ZERO).await.unwrap());
}

#[tokio::test]
async fn a_question_that_nobody_heard_the_end_of_counts_in_full() {
    let budget = Budget::new(cents(10));
    drop(budget.reserve(cents(4)).await.unwrap());
    assert_eq!((budget.spent(), budget.held()), (cents(4), Money::ZERO));
}

#[tokio::test]
async fn whoever_stops_waiting_holds_nothing_and_holds_up_nobody() {
    let budget = Budget::new(cents(10));
    let under_way = budget.reserve(cents(6)).await.unwrap();
    let other = budget.reserve(cents(3)).await.unwrap();
    let gone = spawn(&budget, cents(9));
    assert!(waits(&gone).await);
    let small = spawn(&budget, cents(3));
    assert!(waits(&small).await);
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    other.release();
    small.await.unwrap().unwrap().release();

    // Served, and gone before it heard of it.
    let mut waiting = Box::pin(budget.reserve(cents(8)));
    assert!(futures_ready(waiting.as_mut()).await.is_none());
    under_way.release();
    assert_eq!(budget.held(), cents(8));
    drop(waiting);
    assert_eq!((budget.held(), budget.spent()), (Money::ZERO, Money::ZERO));
}

/// What a future has to say without waiting.
async fn futures_ready<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        let polled = std::pin::Pin::new(&mut future).poll(context);
        std::task::Poll::Ready(match polled {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

use std::cell::{Cell, RefCell};

use tokio::time::{Instant, sleep};

use super::*;

#[derive(Debug)]
struct Why(&'static str);

impl BatchFailure for Why {
    fn kind(&self) -> &'static str {
        self.0
    }
}

fn report(ok: usize, failed: usize) -> BatchReport {
    BatchReport {
        index: 0,
        size: ok + failed,
        submit: Duration::ZERO,
        took: Duration::from_secs(1),
        ok,
        failed,
        errors: BTreeMap::new(),
    }
}

/// The sizes and pauses in milliseconds after each batch of a script `(ok, failed, seconds)`.
fn path(script: &[(usize, usize, u64)]) -> Vec<(usize, u128)> {
    let mut batcher = Batcher::new(BatchMode::Dynamic(DynamicRules::default()));
    let step = |&(ok, failed, seconds): &(usize, usize, u64)| {
        batcher.record(report(ok, failed), Duration::from_secs(seconds));
        (batcher.size(), batcher.delay().as_millis())
    };
    script.iter().map(step).collect()
}

#[test]
fn without_errors_the_size_grows_and_the_pause_shrinks_to_their_bounds() {
    let clean: Vec<(usize, usize, u64)> = (1..=8).map(|n| (50, 0, 10 * n)).collect();
    let expected = [
        (50, 1_000), // one batch is too few
        (50, 1_000), // so are two
        (60, 800),
        (72, 640),
        (86, 512),  // 86.4 items
        (100, 500), // 103.2 items and 409.6 ms
        (100, 500),
        (100, 500),
    ];
    assert_eq!(path(&clean), expected);
}

#[test]
fn many_errors_cut_twice_as_far_as_some_and_the_bounds_hold() {
    // 10 % errors: above twice the target of 1 %.
    let bad: Vec<(usize, usize, u64)> = (1..=7).map(|n| (45, 5, 10 * n)).collect();
    let expected =
        [(50, 1_000), (50, 1_000), (30, 1_400), (18, 1_960), (10, 2_744), (6, 3_841), (5, 5_000)];
    assert_eq!(path(&bad), expected);
    // 1.5 %: above the target, below twice.
    let some: Vec<(usize, usize, u64)> = (1..=4).map(|n| (197, 3, 10 * n)).collect();
    assert_eq!(path(&some), [(50, 1_000), (50, 1_000), (40, 1_200), (32, 1_440)]);
    // 0.66 %, between half the target and the target: nothing changes.
    let fine: Vec<(usize, usize, u64)> = (1..=4).map(|n| (150, 1, 10 * n)).collect();
    assert_eq!(path(&fine), [(50, 1_000); 4]);
}

#[test]
fn nothing_changes_before_three_batches_and_ten_seconds_after_the_last_change() {
    let fast = [
        (40, 10, 1),
        (40, 10, 2),
        (40, 10, 3),
        (40, 10, 9),
        (40, 10, 10),
        (40, 10, 19),
        (40, 10, 20),
    ];
    let expected = [
        (50, 1_000),
        (50, 1_000),
        (50, 1_000), // enough batches, three seconds after the start
        (50, 1_000),
        (30, 1_400),
        (30, 1_400), // nine seconds after the change
        (18, 1_960),
    ];
    assert_eq!(path(&fast), expected);
}

#[test]
fn the_share_of_errors_is_that_of_the_last_ten_batches() {
    // One batch of nothing but errors, then clean ones. Its ten errors of 500 items are 2 % until the
    // eleventh batch pushes it out.
    let mut script = vec![(0, 10, 1)];
    script.extend((2..=11).map(|n| (50, 0, n)));
    let told = path(&script);
    // At ten seconds: 10 of 460 items are 2.17 %.
    assert_eq!(told[9], (30, 1_400));
    script.push((50, 0, 20));
    assert_eq!(path(&script)[11], (36, 1_120), "forgotten: a clean record");
}

#[test]
fn a_summary_counts_everything_and_keeps_the_newest_batches() {
    let mut batcher = Batcher::new(BatchMode::Dynamic(DynamicRules::default()));
    for n in 0..12 {
        batcher.record(BatchReport { index: n, ..report(9, 1) }, Duration::from_secs(n as u64));
    }
    let summary = batcher.summary();
    assert_eq!((summary.batches, summary.items, summary.failed), (12, 120, 12));
    assert!((summary.error_rate() - 0.1).abs() < 1e-12);
    assert_eq!((summary.adjustments, summary.batch_size), (1, Some(30)));
    let kept: Vec<usize> = summary.history.iter().map(|batch| batch.index).collect();
    assert_eq!(kept, (2..12).collect::<Vec<_>>());
    assert_eq!(Batcher::new(BatchMode::Paced).summary().error_rate(), 0.0);
}

/// Everything that a run gives: results in their order, and reports.
struct Told {
    results: Vec<(usize, Result<usize, &'static str>)>,
    reports: Vec<BatchReport>,
    /// When each item was called, in milliseconds.
    called: Vec<u64>,
    took: Duration,
}

/// Runs `count` items; `work` says how long each takes in milliseconds and what becomes of it.
async fn told(
    count: usize,
    batcher: &mut Batcher,
    work: impl Fn(usize) -> (u64, Result<usize, &'static str>),
) -> Told {
    let began = Instant::now();
    let called = RefCell::new(Vec::new());
    let call = |n: usize| {
        called.borrow_mut().push(began.elapsed().as_millis() as u64);
        let (wait_ms, result) = work(n);
        async move {
            sleep(Duration::from_millis(wait_ms)).await;
            result.map_err(Why)
        }
    };
    let (mut results, mut reports) = (Vec::new(), Vec::new());
    let mut run = run(0..count, batcher, call);
    while let Some(step) = run.next().await {
        match step {
            BatchStep::Item { index, result } => results.push((index, result.map_err(|e| e.0))),
            BatchStep::Batch(report) => reports.push(report),
        }
    }
    drop(run);
    Told { results, reports, called: called.take(), took: began.elapsed() }
}

#[tokio::test(start_paused = true)]
async fn results_come_in_the_order_of_the_items_and_one_failure_touches_no_other() {
    let mut batcher = Batcher::new(BatchMode::Paced);
    let work = |n: usize| {
        let result = if n == 7 { Err("limited") } else { Ok(n * 10) };
        // Later items are done earlier.
        ((1_000 - n * 10) as u64, result)
    };
    let told = told(60, &mut batcher, work).await;
    assert_eq!(told.results.len(), 60);
    for (place, (index, result)) in told.results.iter().enumerate() {
        assert_eq!(place, *index);
        assert_eq!(*result, if place == 7 { Err("limited") } else { Ok(place * 10) });
    }
    assert_eq!(told.called.len(), 60, "no item is called again because another one failed");
    assert_eq!(told.reports.len(), 1);
    assert_eq!(told.reports[0].errors, BTreeMap::from([("limited", 1)]));
    assert_eq!((told.reports[0].ok, told.reports[0].failed), (59, 1));
}

#[tokio::test(start_paused = true)]
async fn batches_have_pauses_between_them_and_none_at_the_end() {
    let delay = Duration::from_millis(580);
    let mut batcher = Batcher::new(BatchMode::Fixed { size: 4, delay });
    let told = told(10, &mut batcher, |n| (100, Ok(n))).await;
    // Each batch: submissions 10 ms apart, then 100 ms for the last one.
    assert_eq!(told.called, [0, 10, 20, 30, 710, 720, 730, 740, 1_420, 1_430]);
    assert_eq!(told.took, Duration::from_millis(1_530), "no pause after the last batch");
    let sizes: Vec<usize> = told.reports.iter().map(|report| report.size).collect();
    assert_eq!(sizes, [4, 4, 2]);
    let first = &told.reports[0];
    assert_eq!((first.submit.as_millis(), first.took.as_millis()), (30, 130));
    assert!((first.per_second() - 4.0 / 0.13).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn everything_at_once_is_one_spaced_batch_and_pacing_adds_no_wait_at_all() {
    let mut at_once = Batcher::new(BatchMode::AllAtOnce).with_concurrency(100);
    let spaced = told(50, &mut at_once, |n| (1, Ok(n))).await;
    assert_eq!(spaced.called[49], 490);
    assert_eq!((spaced.reports.len(), spaced.reports[0].size), (1, 50));
    let mut paced = Batcher::new(BatchMode::Paced).with_concurrency(50);
    let bare = told(50, &mut paced, |n| (1, Ok(n))).await;
    assert!(bare.took <= Duration::from_millis(2), "{:?}", bare.took);
    assert_eq!(paced.summary().batch_size, None);
}

#[tokio::test(start_paused = true)]
async fn a_new_size_takes_effect_in_the_running_job() {
    // Every fourth item of the first 200 fails; 4 s an item keep the ten seconds between changes.
    let mut batcher = Batcher::new(BatchMode::Dynamic(DynamicRules::default()));
    let work =
        |n: usize| (4_000, if n < 200 && n.is_multiple_of(4) { Err("limited") } else { Ok(n) });
    let told = told(400, &mut batcher, work).await;
    let sizes: Vec<usize> = told.reports.iter().map(|report| report.size).collect();
    // Parted once before the loop, as the original does it, all eight had 50 items.
    let cut_once: Vec<usize> = (0..400).collect::<Vec<_>>().chunks(50).map(<[_]>::len).collect();
    assert_eq!(cut_once, [50; 8]);
    assert_ne!(sizes, cut_once);
    assert_eq!(sizes.iter().sum::<usize>(), 400);
    assert_eq!(&sizes[..3], [50, 50, 50]);
    assert_eq!(sizes[3], 30, "the very next batch after the third is smaller: {sizes:?}");
    // What ran is what the rules say for these batches.
    let mut rules = Batcher::new(BatchMode::Dynamic(DynamicRules::default()));
    let mut now = Duration::ZERO;
    for (place, report) in told.reports.iter().enumerate() {
        let left = 400 - sizes[..place].iter().sum::<usize>();
        assert_eq!(report.size, rules.size().min(left), "batch {place}");
        now += report.took;
        rules.record(report.clone(), now);
        now += rules.delay();
    }
    assert_eq!(rules.summary(), batcher.summary());
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_are_out_than_allowed() {
    let (out, most) = (Cell::new(0usize), Cell::new(0usize));
    let mut batcher = Batcher::new(BatchMode::Paced).with_concurrency(5);
    let work = |n: usize| {
        out.set(out.get() + 1);
        most.set(most.get().max(out.get()));
        let out = &out;
        async move {
            sleep(Duration::from_millis(1 + n as u64 % 7)).await;
            out.set(out.get() - 1);
            Ok::<_, Why>(n)
        }
    };
    let mut run = run(0..500, &mut batcher, work);
    while run.next().await.is_some() {}
    assert_eq!((most.get(), out.get()), (5, 0));
}

#[tokio::test(start_paused = true)]
async fn behind_a_slow_item_only_so_many_results_are_kept() {
    let taken = Cell::new(0usize);
    let items = (0..100_000usize).inspect(|_| taken.set(taken.get() + 1));
    let mut batcher = Batcher::new(BatchMode::Paced).with_concurrency(4);
    let work = |n: usize| async move {
        sleep(Duration::from_millis(if n == 0 { 60_000 } else { 1 })).await;
        Ok::<_, Why>(n)
    };
    let mut run = run(items, &mut batcher, work);
    let first = run.next().await;
    assert!(matches!(first, Some(BatchStep::Item { index: 0, result: Ok(0) })));
    // The first result comes after a minute in which all others could have been done.
    assert!(taken.get() <= 4 * 16 + 1, "{} items were taken", taken.get());
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_not_waited_for_is_not_lost() {
    let mut batcher = Batcher::new(BatchMode::Paced);
    let mut run = run(0..20usize, &mut batcher, |n| async move {
        sleep(Duration::from_millis(50)).await;
        Ok::<_, Why>(n)
    });
    let mut seen = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_millis(7), run.next()).await {
            Err(_) => {}
            Ok(None) => break,
            Ok(Some(BatchStep::Item { index, .. })) => seen.push(index),
            Ok(Some(BatchStep::Batch(report))) => assert_eq!(report.size, 20),
        }
    }
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn nothing_to_do_is_done_at_once() {
    let mut batcher = Batcher::new(BatchMode::Fixed { size: 0, delay: Duration::from_secs(9) });
    let told = told(0, &mut batcher, |n| (0, Ok(n))).await;
    assert!(told.results.is_empty() && told.reports.is_empty());
    assert_eq!((batcher.size(), batcher.summary().batches), (1, 0));
}

#[test]
fn kinds_of_errors_are_bounded() {
    let mut rows = BTreeMap::new();
    let kinds: Vec<&'static str> = (0..40).map(|n| &*format!("kind {n}").leak()).collect();
    for kind in kinds {
        run::count(&mut rows, kind);
    }
    assert_eq!((rows.len(), rows[OTHER_ERRORS]), (MAX_ERROR_KINDS + 1, 8));
}

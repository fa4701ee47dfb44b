mod nightly;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use finstage_model::{Clock as _, ManualClock, Timestamp};
use finstage_store::Records;
use finstage_store::records::{Mark, NewTask, StoreKind, TaskFilter, TaskId, TaskRow, TaskState};
use serde_json::json;

use super::kinds::{KINDS, Nothing};
use super::registry::{Fault, Registry, Ticket};
use super::scheduler::AtStart;
use super::timing::{CatchUp, Repeat, Timing};
use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A queue, a clock that is moved by hand, and workers on both.
struct House {
    records: Records,
    clock: Arc<ManualClock>,
    quit: watch::Sender<bool>,
}

impl House {
    fn new() -> Self {
        Self {
            records: Records::open_in_memory().unwrap(),
            clock: Arc::new(ManualClock::new(t("2026-01-01T00:00:00Z"))),
            quit: watch::Sender::new(false),
        }
    }

    fn pace(&self) -> Pace {
        Pace { clock: self.clock.clone(), speed: 1.0 }
    }

    fn submit(&self, kind: &str) -> TaskId {
        self.submit_task(NewTask::new(kind, "{}"))
    }

    fn submit_task(&self, task: NewTask) -> TaskId {
        self.records.task_submit(task, self.clock.now()).unwrap().id
    }

    fn work(&self, registry: Registry) -> JoinHandle<()> {
        let workers = Workers {
            records: self.records.clone(),
            registry,
            pace: self.pace(),
            most: 2,
            name: "test".into(),
            wake: Arc::default(),
            memory: MemoryGuard::of_process(),
        };
        tokio::spawn(workers.run(self.quit.subscribe()))
    }

    fn row(&self, id: TaskId) -> TaskRow {
        self.records.task(id).unwrap()
    }

    /// Waits until a task is in a state; tokio's clock is paused, so this takes no time.
    async fn until(&self, id: TaskId, state: TaskState) -> TaskRow {
        for _ in 0..10_000 {
            let row = self.row(id);
            if row.state == state {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("task {id} is {:?}, not {state:?}", self.row(id).state);
    }

    /// As `until`, while a thread is busy: tokio's clock stands still meanwhile.
    async fn until_soon(&self, id: TaskId, state: TaskState) {
        let seen = async {
            while self.row(id).state != state {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), seen).await.expect("it comes to that");
    }

    /// As `until`, while a thread waits: tokio's clock is moved by hand.
    async fn until_moved(&self, id: TaskId, state: TaskState) {
        for _ in 0..100_000 {
            if self.row(id).state == state {
                return;
            }
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        panic!("task {id} is {:?}, not {state:?}", self.row(id).state);
    }

    fn scheduler(&self, job: Job) -> Scheduler {
        Scheduler::new(self.records.clone(), vec![job], self.clock.now()).unwrap()
    }

    fn tasks(&self) -> Vec<TaskRow> {
        let mut rows =
            self.records.tasks(&TaskFilter { limit: 500, ..TaskFilter::default() }).unwrap();
        rows.reverse();
        rows
    }
}

fn hourly(catch_up: CatchUp) -> Job {
    Job {
        name: "hourly",
        describes: "",
        timing: Timing { catch_up, ..Timing::new(Repeat::Every(HOUR)) },
        is_enabled: true,
        at_start: AtStart::No,
        task: NewTask { lane: Some("hourly".into()), ..NewTask::new("count", "{}") },
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_task_and_nothing_else() {
    let house = House::new();
    let panics = |Nothing {}, _: &Ticket| panic!("no {}", "luck");
    let registry = Registry::default()
        .blocking("panics", panics)
        .blocking("works", |Nothing {}, _: &Ticket| Ok(json!({"sum": 3})));
    let bad = house.submit_task(NewTask { tries: 1, ..NewTask::new("panics", "{}") });
    let good = house.submit("works");
    let unknown = house.submit("unknown");
    let odd = house.submit_task(NewTask::new("works", "[1]"));
    let workers = house.work(registry);
    let row = house.until(bad, TaskState::Dead).await;
    assert_eq!(row.reason.as_deref(), Some("it panicked: no luck"));
    let row = house.until(good, TaskState::Done).await;
    assert_eq!(row.result.as_deref(), Some("{\"sum\":3}"));
    let row = house.until(unknown, TaskState::Dead).await;
    assert!(row.reason.unwrap().contains("knows no tasks of type \"unknown\""));
    assert_eq!(house.until(odd, TaskState::Dead).await.attempts, 1, "it would only fail again");
    house.quit.send_replace(true);
    workers.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_tasks_run_at_a_time_than_there_are_workers() {
    let house = House::new();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let registry = Registry::default().waiting("slow", move |Nothing {}, _| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(10)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(json!(null))
        }
    });
    let ids: Vec<TaskId> = (0..9).map(|_| house.submit("slow")).collect();
    let workers = house.work(registry);
    for id in ids {
        house.until(id, TaskState::Done).await;
    }
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    house.quit.send_replace(true);
    workers.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_takes_too_long_fails_and_is_tried_again() {
    let house = House::new();
    let registry = Registry::default().waiting("endless", |Nothing {}, _| std::future::pending());
    let id = house.submit_task(NewTask {
        timeout: Duration::from_secs(20),
        tries: 2,
        ..NewTask::new("endless", "{}")
    });
    let workers = house.work(registry);
    let row = house.until(id, TaskState::Waiting).await;
    assert_eq!(row.reason.as_deref(), Some("it took longer than 20s"));
    house.clock.set(row.run_at);
    assert_eq!(house.until(id, TaskState::Dead).await.attempts, 2);
    house.quit.send_replace(true);
    workers.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_tasks_that_run_while_the_process_grows_too_much_one_is_called_off_and_says_why() {
    const MIB: u64 = 1 << 20;
    let house = House::new();
    let resident = Arc::new(AtomicU64::new(100 * MIB));
    let seen = Arc::clone(&resident);
    let memory = MemoryGuard::new(64 * MIB, move || Some(seen.load(Ordering::Relaxed)));
    let registry = Registry::default().waiting("eats", |Nothing {}, _| async {
        std::future::pending::<()>().await;
        Ok(json!(null))
    });
    let ids =
        [(); 2].map(|()| house.submit_task(NewTask { tries: 1, ..NewTask::new("eats", "{}") }));
    let workers = Workers {
        records: house.records.clone(),
        registry,
        pace: house.pace(),
        most: 2,
        name: "test".into(),
        wake: Arc::default(),
        memory,
    };
    let workers = tokio::spawn(workers.run(house.quit.subscribe()));
    for id in ids {
        house.until(id, TaskState::Running).await;
    }
    let dead =
        || ids.map(|id| house.row(id)).into_iter().filter(|row| row.state == TaskState::Dead);
    let beats = || tokio::time::sleep(Duration::from_secs(60));
    resident.store(164 * MIB, Ordering::Relaxed);
    beats().await;
    assert_eq!(dead().count(), 0, "the bound itself is fine");
    resident.store(170 * MIB, Ordering::Relaxed);
    beats().await;
    let gone: Vec<TaskRow> = dead().collect();
    let why = "the process grew by 70 MiB while it ran: at most 64 are allowed; give it fewer symbols or shorter histories at once";
    assert_eq!(gone.len(), 1, "what grew stays grown, and one was called off for it");
    assert_eq!(gone[0].reason.as_deref(), Some(why));
    resident.store(230 * MIB, Ordering::Relaxed);
    beats().await;
    assert_eq!(dead().count(), 1, "60 MiB since then");
    resident.store(240 * MIB, Ordering::Relaxed);
    beats().await;
    assert_eq!(dead().count(), 2);
    house.quit.send_replace(true);
    workers.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_running_task_is_called_off_and_tells_how_far_it_came() {
    let house = House::new();
    let registry = Registry::default().waiting("endless", |Nothing {}, ticket: Ticket| {
        ticket.tell(0.5, "half of it");
        std::future::pending()
    });
    let id = house.submit("endless");
    let workers = house.work(registry);
    house.until(id, TaskState::Running).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    let row = house.row(id);
    assert_eq!((row.progress, row.doing.as_deref()), (0.5, Some("half of it")));
    assert!(house.records.task_cancel(id, house.clock.now()).unwrap().cancel_asked);
    let row = house.until(id, TaskState::Cancelled).await;
    assert_eq!(row.attempts, 1);
    house.quit.send_replace(true);
    workers.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_running_task_is_called_off_at_once_here_and_within_two_seconds_from_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("records.db");
    let house = House { records: Records::open(&file).unwrap(), ..House::new() };
    let elsewhere = Records::open(&file).unwrap();
    for (records, most_ms) in [(&house.records, 500), (&elsewhere, 2_000)] {
        let endless = |Nothing {}, _| std::future::pending();
        let workers = house.work(Registry::default().waiting("endless", endless));
        let id = house.submit("endless");
        house.until(id, TaskState::Running).await;
        // Between two looks, and long before a beat.
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        let asked = tokio::time::Instant::now();
        records.task_cancel(id, house.clock.now()).unwrap();
        house.until(id, TaskState::Cancelled).await;
        let took = asked.elapsed();
        assert!(took <= Duration::from_millis(most_ms), "{took:?}");
        house.quit.send_replace(true);
        workers.await.unwrap();
        house.quit.send_replace(false);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_does_not_hear_keeps_its_lane_until_it_ends() {
    let house = House::new();
    let release = Arc::new((Mutex::new(false), std::sync::Condvar::new()));
    let deaf = Arc::clone(&release);
    let registry = Registry::default()
        .blocking("deaf", move |Nothing {}, _: &Ticket| {
            let (is_over, changed) = &*deaf;
            let _over = changed.wait_while(is_over.lock().unwrap(), |is_over| !*is_over).unwrap();
            Ok(json!(null))
        })
        .waiting("next", |Nothing {}, _| async { Ok(json!(null)) });
    let lane = |task: NewTask| NewTask { lane: Some("lane".into()), ..task };
    let deaf =
        NewTask { timeout: Duration::from_millis(50), tries: 1, ..NewTask::new("deaf", "{}") };
    let deaf = house.submit_task(lane(deaf));
    let next = house.submit_task(lane(NewTask::new("next", "{}")));
    let free = NewTask { run_at: Some(house.clock.now().plus(HOUR)), ..NewTask::new("next", "{}") };
    let free = house.submit_task(free);
    let workers = house.work(registry);
    house.until_moved(deaf, TaskState::Dead).await;
    house.clock.set(t("2026-01-01T02:00:00Z"));
    house.until_moved(free, TaskState::Done).await;
    assert_eq!(house.row(next).state, TaskState::Ready, "the queue takes the lane for free");
    *release.0.lock().unwrap() = true;
    release.1.notify_all();
    house.until_moved(next, TaskState::Done).await;
    house.quit.send_replace(true);
    workers.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stops_gives_back_what_it_cannot_end() {
    let house = House::new();
    let registry = Registry::default()
        .waiting("endless", |Nothing {}, _| std::future::pending())
        .blocking("polite", |Nothing {}, ticket: &Ticket| {
            while !ticket.is_called_off() {
                std::thread::yield_now();
            }
            Ok(json!("whole"))
        });
    let (endless, polite) = (house.submit("endless"), house.submit("polite"));
    let workers = house.work(registry);
    house.until_soon(endless, TaskState::Running).await;
    house.until_soon(polite, TaskState::Running).await;
    house.quit.send_replace(true);
    workers.await.unwrap();
    let row = house.row(endless);
    assert_eq!((row.state, row.attempts), (TaskState::Ready, 0));
    assert_eq!(house.row(polite).state, TaskState::Done);
}

#[test]
fn a_process_that_dies_around_an_occurrence_neither_loses_nor_doubles_it() {
    let house = House::new();
    let mut first = house.scheduler(hourly(CatchUp::Once));
    // Another life that has read the same marks, as after a kill before the next was in memory.
    let mut second = house.scheduler(hourly(CatchUp::Once));
    house.clock.set(t("2026-01-01T01:00:01Z"));
    let now = house.clock.now();
    assert_eq!(first.step(now).unwrap(), 1);
    assert_eq!(first.step(now).unwrap(), 0);
    let leased = house.records.task_lease("w", now, HOUR, 9).unwrap();
    house.records.task_complete(leased[0].lease, now, "1".into()).unwrap();
    second.step(now).unwrap();
    let rows = house.tasks();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].task.key.as_deref(), Some("hourly@2026-01-01T01:00:00Z"));
    let mut third = house.scheduler(hourly(CatchUp::Once));
    assert_eq!(third.step(now).unwrap(), 0, "the mark was kept");
}

#[test]
fn a_clock_that_was_ahead_stops_no_job() {
    let house = House::new();
    let mut scheduler = house.scheduler(hourly(CatchUp::Once));
    house.clock.set(t("2027-01-01T01:00:01Z"));
    assert_eq!(scheduler.step(house.clock.now()).unwrap(), 1);
    let leased = house.records.task_lease("w", house.clock.now(), HOUR, 9).unwrap();
    house.records.task_complete(leased[0].lease, house.clock.now(), "1".into()).unwrap();
    // Set right again, in this life or the next.
    house.clock.set(t("2026-01-01T03:30:00Z"));
    let mut next = house.scheduler(hourly(CatchUp::Once));
    for scheduler in [&mut scheduler, &mut next] {
        house.clock.set(t("2026-01-01T03:30:00Z"));
        assert_eq!(scheduler.step(house.clock.now()).unwrap(), 0);
        house.clock.set(t("2026-01-01T04:00:01Z"));
        scheduler.step(house.clock.now()).unwrap();
    }
    let keys: Vec<String> = house.tasks().into_iter().filter_map(|row| row.task.key).collect();
    assert_eq!(keys.iter().filter(|key| *key == "hourly@2026-01-01T04:00:00Z").count(), 1);
}

#[test]
fn a_run_that_has_not_ended_holds_up_the_next_as_the_policy_says() {
    for (policy, expected) in [(CatchUp::Skip, 1), (CatchUp::Once, 1), (CatchUp::All, 3)] {
        let house = House::new();
        let mut scheduler = house.scheduler(hourly(policy));
        for hour in 1..=3 {
            house.clock.set(t("2026-01-01T00:00:01Z").plus(HOUR * hour));
            scheduler.step(house.clock.now()).unwrap();
        }
        assert_eq!(house.tasks().len(), expected, "{policy:?}");
        let leased = house.records.task_lease("w", house.clock.now(), HOUR, 9).unwrap();
        assert_eq!(leased.len(), 1, "one of a job at a time");
        house.records.task_complete(leased[0].lease, house.clock.now(), "1".into()).unwrap();
        scheduler.step(house.clock.now()).unwrap();
        let keys: Vec<String> = house.tasks().into_iter().filter_map(|row| row.task.key).collect();
        let last = keys.last().unwrap();
        match policy {
            CatchUp::Skip => assert_eq!(last, "hourly@2026-01-01T01:00:00Z"),
            _ => assert_eq!(last, "hourly@2026-01-01T03:00:00Z"),
        }
        assert_eq!(keys.len(), if policy == CatchUp::Skip { 1 } else { expected.max(2) });
    }
}

#[test]
fn a_task_that_somebody_put_off_stops_no_job() {
    for policy in [CatchUp::Skip, CatchUp::Once] {
        let house = House::new();
        let mut job = hourly(policy);
        job.at_start = AtStart::Each;
        let mut scheduler = house.scheduler(job.clone());
        let off = house.submit_task(NewTask {
            run_at: Some(house.clock.now().plus(HOUR * 48)),
            ..job.task.clone()
        });
        assert_eq!(scheduler.start(house.clock.now()).unwrap(), 1, "it runs at the start");
        for hour in 1..=3 {
            let leased = house.records.task_lease("w", house.clock.now(), HOUR, 9).unwrap();
            house.records.task_complete(leased[0].lease, house.clock.now(), "1".into()).unwrap();
            house.clock.set(t("2026-01-01T00:00:01Z").plus(HOUR * hour));
            assert_eq!(scheduler.step(house.clock.now()).unwrap(), 1, "{policy:?}, hour {hour}");
        }
        assert_eq!(house.row(off).state, TaskState::Waiting);
    }
}

#[test]
fn a_schedule_is_shown_when_it_really_runs() {
    let house = House::new();
    let mut job = hourly(CatchUp::Once);
    job.timing.jitter = Duration::from_secs(300);
    let shown = || {
        let jobs = std::slice::from_ref(&job);
        shown::schedules(jobs, &house.records, house.clock.now()).unwrap().remove(0)
    };
    assert_eq!(shown().next[0], t("2026-01-01T01:00:00Z"), "no service ran, nothing else is known");
    let mut scheduler = house.scheduler(job.clone());
    house.clock.set(t("2026-01-01T00:59:59Z"));
    let told = shown().next;
    assert!(told[0] > t("2026-01-01T01:00:00Z") && told[0] < t("2026-01-01T01:05:00Z"), "{told:?}");
    house.clock.set(t("2026-01-01T01:00:00Z"));
    scheduler.step(house.clock.now()).unwrap();
    assert_eq!(house.tasks()[0].run_at, told[0]);
    assert_eq!(shown().next, told, "it is due and waits for its moment");
    house.clock.set(told[0]);
    assert_eq!(shown().next[..2], told[1..]);
    assert_eq!(shown().jitter_s, 300);
}

#[test]
fn the_first_start_of_all_fills_history_and_then_evidence() {
    let house = House::new();
    let settings = crate::config::parse("test", "", &[]).unwrap();
    let start = || {
        let jobs = table::jobs(&settings, StoreKind::Real);
        Scheduler::new(house.records.clone(), jobs, house.clock.now()).unwrap()
    };
    let first = |rows: &[TaskRow]| -> Vec<(String, Option<String>)> {
        rows.iter().map(|row| (row.task.kind.clone(), row.task.lane.clone())).collect()
    };
    start();
    // In one lane: what is judged has been fetched.
    let lane = Some("backfill".to_owned());
    let wanted = [("backfill".to_owned(), lane.clone()), ("verify".to_owned(), lane)];
    assert_eq!(first(&house.tasks()), wanted);
    start();
    assert_eq!(first(&house.tasks()), wanted, "the second start is no first one");
    // Each is shown as what it is, whatever lane it ran in.
    let ended = |minutes: u64| {
        let now = house.clock.now().plus(Duration::from_secs(60 * minutes));
        let leased = house.records.task_lease("w", now, HOUR, 1).unwrap();
        house.records.task_complete(leased[0].lease, now, "1".into()).unwrap();
        now
    };
    let at = [ended(1), ended(2)].map(Some);
    let jobs = table::jobs(&settings, StoreKind::Real);
    let shown = shown::schedules(&jobs, &house.records, house.clock.now()).unwrap();
    let last = |name: &str| shown.iter().find(|item| item.name == name).unwrap().last_at;
    assert_eq!([last("backfill"), last("verify")], at);
}

#[test]
fn strategies_are_judged_on_their_own_instruments() {
    let spec = |name: &str, interval: &str, symbols: &[&str]| finstage_engine::StrategySpec {
        name: name.to_owned(),
        params: Vec::new(),
        interval: interval.parse().unwrap(),
        symbols: symbols.iter().map(|symbol| symbol.parse().unwrap()).collect(),
        when: None,
    };
    let specs = [
        spec("golden_cross", "1d", &[]),
        spec("rsi_oversold", "1d", &["x:B", "x:A"]),
        spec("dead_cross", "1h", &[]),
        spec("rsi_overbought", "1d", &["x:A", "x:B"]),
    ];
    let groups = work::together(&specs);
    let names: Vec<Vec<&str>> =
        groups.values().map(|specs| specs.iter().map(|spec| &*spec.name).collect()).collect();
    assert_eq!(
        names,
        [vec!["dead_cross"], vec!["golden_cross"], vec!["rsi_oversold", "rsi_overbought"]]
    );
}

#[test]
fn a_job_that_is_new_begins_now_and_one_that_was_away_makes_up_for_the_last() {
    let house = House::new();
    let mut scheduler = house.scheduler(hourly(CatchUp::Once));
    assert_eq!(scheduler.step(house.clock.now()).unwrap(), 0);
    drop(scheduler);
    house.clock.set(t("2026-01-03T04:30:00Z"));
    let mut later = house.scheduler(hourly(CatchUp::Once));
    assert_eq!(later.step(house.clock.now()).unwrap(), 1);
    assert_eq!(house.tasks()[0].task.key.as_deref(), Some("hourly@2026-01-03T04:00:00Z"));
    assert_eq!(later.next(house.clock.now()), Some(t("2026-01-03T05:00:00Z")));
    let marks = house.records.schedule_marks().unwrap();
    assert_eq!(marks, [Mark { name: "hourly".into(), last_at: t("2026-01-03T04:00:00Z") }]);
}

#[tokio::test(start_paused = true)]
async fn three_jobs_that_wait_take_as_long_as_the_longest_and_not_as_all_together() {
    // 15, 20 and 15 seconds: 50 one after the other.
    let began = tokio::time::Instant::now();
    let house = House::new();
    let ended = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ended);
    let registry = Registry::default().waiting("wait", move |secs: u64, _| {
        let ended = Arc::clone(&ended);
        async move {
            tokio::time::sleep(Duration::from_secs(secs)).await;
            ended.lock().unwrap().push(secs);
            Ok(json!(secs))
        }
    });
    let task = |secs: u64| NewTask::new("wait", secs.to_string());
    let ids: Vec<TaskId> = [15, 20, 15].map(|secs| house.submit_task(task(secs))).into();
    let workers = Workers {
        records: house.records.clone(),
        registry,
        pace: house.pace(),
        most: 3,
        name: "test".into(),
        wake: Arc::default(),
        memory: MemoryGuard::of_process(),
    };
    let workers = tokio::spawn(workers.run(house.quit.subscribe()));
    for id in ids {
        house.until(id, TaskState::Done).await;
    }
    assert_eq!(*seen.lock().unwrap(), [15, 15, 20]);
    let took = began.elapsed();
    assert!((20..22).contains(&took.as_secs()), "{took:?}");
    house.quit.send_replace(true);
    workers.await.unwrap();
}

/// What a service's tasks work on, in an empty folder.
fn means(dir: &std::path::Path, engine: finstage_engine::EngineSettings) -> Means {
    let store = crate::wiring::Store::open(dir, StoreKind::Real, crate::wiring::disk()).unwrap();
    let clock: Arc<dyn finstage_model::Clock> = Arc::new(ManualClock::new(t("2026-01-01")));
    Means {
        records: store.records.clone(),
        history: store.history.clone(),
        journal: store.journal.clone(),
        clock: Arc::clone(&clock),
        safe: Default::default(),
        notifiers: Vec::new(),
        engine,
        feeds: Vec::new(),
        report: crate::report::job::Job {
            records: store.records.clone(),
            history: store.history,
            zone: jiff::tz::TimeZone::UTC,
            daily: None,
            language: Default::default(),
            watched: Vec::new(),
            notifiers: Vec::new(),
        },
        dir: dir.to_owned(),
        retention: crate::upkeep::prune::Policy {
            journal: Duration::MAX,
            said: Duration::MAX,
            notices: Duration::MAX,
            archive: None,
        },
    }
}

#[test]
fn jobs_types_and_handlers_have_the_same_names() {
    let settings = crate::config::parse("test", "", &[]).unwrap();
    let jobs = table::jobs(&settings, StoreKind::Real);
    let names: Vec<&str> = jobs.iter().map(|job| job.name).collect();
    assert_eq!(names, table::NAMES);
    for kind in KINDS {
        assert_eq!(kind.task("{}").is_ok(), kind.name != "backtest", "{}", kind.name);
        let why = kind.task("{\"x\": 1}").unwrap_err();
        assert!(why.reason.contains("it takes {"), "{}", why.reason);
        let example = kind.takes.split(", or").next().unwrap();
        kind.task(example).unwrap_or_else(|why| panic!("{}: {}", kind.name, why.reason));
    }
    let dir = tempfile::tempdir().unwrap();
    let means = means(dir.path(), settings.engine);
    let registry = work::registry(&means, &Doors::new());
    let mut kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    kinds.sort_unstable();
    assert_eq!(registry.kinds().collect::<Vec<_>>(), kinds);
}

#[test]
fn a_backtest_of_stored_bars_is_that_of_the_same_bars_and_is_counted_once() {
    use finstage_model::{Bar, InstrumentId, Interval, Price, Qty, Symbol};
    use finstage_research::BarSeries;
    use finstage_research::backtest::{self, Exit, Options, Plan};

    let dir = tempfile::tempdir().unwrap();
    let means = means(dir.path(), finstage_engine::EngineSettings::default());
    let symbol: Symbol = "file:WAVE".parse().unwrap();
    let price = |day: i64, off: i64| {
        Price::from_nanos((100 + day * 37 % 23 + day * day % 17 + off) * 1_000_000_000)
    };
    let bar = |day: i64| Bar {
        instrument: InstrumentId(0),
        interval: Interval::D1,
        open_time: Timestamp::from_secs(day * 86_400),
        open: price(day, 0),
        high: price(day, 9),
        low: price(day, -9),
        close: price(day, 3),
        volume: Qty::ZERO,
        trades: 1,
    };
    let bars: Vec<Bar> = (0..400).map(bar).collect();
    let ask = |text: &str| {
        let asked = serde_json::from_str(text).unwrap();
        super::backtest::run(&means, &asked, &Ticket::new())
    };
    let text = "{\"symbol\":\"file:WAVE\",\"interval\":\"1d\",\"strategy\":\"sma_cross(3,8)\",\"cash\":5000}";
    let why = ask(text).unwrap_err();
    assert!(why.reason.starts_with("symbol: no bars of file:WAVE 1d"), "{}", why.reason);
    means.records.put_instrument(&crate::wiring::describe(&symbol)).unwrap();
    means.history.import(&symbol, Interval::D1, &bars).unwrap();
    let given = ask(text).unwrap();
    let options = Options { cash: 5_000.0, ..Options::default() };
    let rule = "sma_cross(3,8)".parse().unwrap();
    let plan = Plan::of_rule(&rule, Exit::default(), finstage_strategies::CATALOG, &bars).unwrap();
    let series = BarSeries::new(&bars).unwrap();
    let done = backtest::run(&series, &plan.targets, &options).unwrap();
    assert!(done.stats.trades > 20, "{:?}", done.stats);
    assert_eq!(given["final_equity"].as_f64(), Some(done.stats.final_equity));
    assert_eq!(given["trade_list"].as_array().unwrap().len(), done.trades.len());
    assert_eq!((&given["bars"], &given["trades_left_out"]), (&400.into(), &0.into()));
    assert!(given.to_string().len() < finstage_store::records::MAX_RESULT_BYTES);
    assert_eq!(ask(text).unwrap(), given);
    assert_eq!(means.records.trials().unwrap().len(), 1, "a repeat counts once");
    let why = ask(&text.replacen('{', "{\"from\":\"2030-01-01\",", 1)).unwrap_err();
    let words =
        "from: it is after all that are stored: the last bar of file:WAVE 1d opens at 1971-02-04";
    assert!(why.reason.starts_with(words), "{}", why.reason);
    let why = ask(&text.replacen('{', "{\"to\":\"1960-01-01\",", 1)).unwrap_err();
    assert!(why.reason.starts_with("to: no stored bar"), "{}", why.reason);
    // Part of them.
    let part = text.replacen('{', "{\"from\":\"1970-02-01\",\"to\":\"1970-03-01\",", 1);
    assert_eq!(ask(&part).unwrap()["bars"], 28);
}

#[test]
fn a_job_runs_when_the_settings_say_and_errors_name_the_place() {
    let text = "[display]\ntimezone = \"Asia/Seoul\"\n[jobs.verify]\ncron = \"0 5 * * 1\"\n\
        catch_up = \"skip\"\njitter = \"0s\"\n[jobs.compact]\nenabled = false\n\
        [jobs.outcomes]\ncron = \"0 9 * * *\"\n[jobs.replay_check]\ncron = \"0 9 * * *\"\n\
        [jobs.retention]\ncron = \"0 9 * * *\"\nzone = \"UTC\"\n[jobs.backfill]\nevery = \"12h\"\n";
    let settings = crate::config::parse("test", text, &[]).unwrap();
    let jobs = table::jobs(&settings, StoreKind::Real);
    let find = |name: &str| jobs.iter().find(|job| job.name == name).unwrap();
    assert_eq!(find("verify").timing.to_string(), "0 5 * * 1 Asia/Seoul");
    assert_eq!(find("verify").timing.next(t("2026-11-29")), Some(t("2026-11-29T20:00:00Z")));
    assert!(!find("compact").is_enabled);
    for name in ["outcomes", "replay_check"] {
        assert_eq!(find(name).timing.next(t("2026-11-29")), Some(t("2026-11-30")), "{name}");
    }
    assert_eq!(find("retention").timing.to_string(), "0 9 * * * UTC");
    assert_eq!(find("backfill").timing.next(t("2026-11-29")), Some(t("2026-11-29T12:00:00Z")));
    let usual = table::jobs(&crate::config::parse("test", "", &[]).unwrap(), StoreKind::Real);
    let usual = |name: &str| usual.iter().find(|job| job.name == name).unwrap().timing.to_string();
    assert_eq!((usual("replay_check"), usual("compact")), ("00:20 UTC".into(), "every 1d".into()));
    assert_eq!(find("report").timing.to_string(), "08:00 Asia/Seoul");
    assert!(
        !table::jobs(&settings, StoreKind::Demo).iter().any(|j| j.name == "verify" && j.is_enabled)
    );
    for (wrong, words) in [
        ("[jobs.sleep]\nenabled = true\n", "there is no such job"),
        ("[jobs.verify]\ncron = \"1 2\"\n", "write minute, hour"),
        ("[jobs.verify]\nevery = \"10ms\"\n", "write 1s to 366d"),
        ("[jobs.verify]\nzone = \"Mars\"\n", "IANA name"),
        ("[jobs.verify]\ncatch_up = \"never\"\n", "\"skip\", \"once\" or \"all\""),
        ("[jobs.report]\nevery = \"1h\"\n", "report.daily"),
    ] {
        let why = crate::config::parse("test", wrong, &[]).unwrap_err().to_string();
        assert!(why.contains(words) && why.starts_with("test"), "{why}");
    }
    let _ = Fault::passing("");
}

use std::sync::Arc;

use super::*;
use crate::records::Records;

mod model;

const LEASE: Duration = Duration::from_secs(30);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + secs)
}

fn empty() -> Records {
    Records::open_in_memory().unwrap()
}

fn task(kind: &str) -> NewTask {
    NewTask::new(kind, "{}")
}

fn submit(records: &Records, task: NewTask) -> TaskId {
    records.task_submit(task, at(0)).unwrap().id
}

/// The only task there is to lease.
fn one(records: &Records, secs: i64) -> LeasedTask {
    let mut leased = records.task_lease("w", at(secs), LEASE, 9).unwrap();
    assert_eq!(leased.len(), 1);
    leased.remove(0)
}

fn none(records: &Records, secs: i64) {
    assert_eq!(records.task_lease("w", at(secs), LEASE, 9).unwrap(), []);
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn the_urgent_go_first_and_among_equals_the_oldest_whatever_was_retried() {
    let records = empty();
    let of = |priority| NewTask { priority, ..task("t") };
    let low = submit(&records, of(Priority::Low));
    let first = submit(&records, of(Priority::Normal));
    let second = submit(&records, of(Priority::Normal));
    let high = submit(&records, of(Priority::High));
    let critical = submit(&records, of(Priority::Critical));
    let leased = records.task_lease("w", at(0), LEASE, 3).unwrap();
    let ids: Vec<TaskId> = leased.iter().map(|one| one.lease.id).collect();
    assert_eq!(ids, [critical, high, first]);
    records.task_fail(leased[2].lease, at(1), "no", Again::IfLeft).unwrap();
    let rest = records.task_lease("w", at(61), Duration::from_secs(300), 9).unwrap();
    let ids: Vec<TaskId> = rest.iter().map(|one| one.lease.id).collect();
    assert_eq!(ids, [critical, high, first, second, low], "two leases ran out meanwhile");
}

#[test]
fn a_task_is_tried_exactly_as_often_as_it_may_each_wait_twice_the_one_before() {
    let records = empty();
    let id = submit(&records, NewTask { tries: 4, backoff: Duration::from_secs(10), ..task("t") });
    let mut now = 0;
    for (attempt, wait) in [(1, 10), (2, 20), (3, 40)] {
        let leased = one(&records, now);
        assert_eq!((leased.lease.id, leased.attempt, leased.attempts_max), (id, attempt, 4));
        let failed = records.task_fail(leased.lease, at(now), "no", Again::IfLeft).unwrap();
        assert_eq!(failed, Failed::Again(at(now + wait)));
        none(&records, now + wait - 1);
        assert_eq!(records.task_next_at().unwrap(), Some(at(now + wait)));
        now += wait;
    }
    let last = one(&records, now);
    let failed = records.task_fail(last.lease, at(now), "still no", Again::IfLeft).unwrap();
    assert_eq!(failed, Failed::Dead);
    none(&records, now + 1_000_000);
    let row = records.task(id).unwrap();
    assert_eq!((row.state, row.attempts), (TaskState::Dead, 4));
    assert_eq!(row.reason.as_deref(), Some("still no"));

    // By hand it gets as many tries again, under the same number.
    let row = records.task_retry(id, at(now)).unwrap();
    assert_eq!((row.id, row.state, row.attempts_max), (id, TaskState::Ready, 8));
    let leased = one(&records, now);
    let failed = records.task_fail(leased.lease, at(now), "no", Again::IfLeft).unwrap();
    assert_eq!(failed, Failed::Again(at(now + 10)), "and the first wait is the short one");
    let again = one(&records, now + 10);
    assert_eq!(again.attempt, 6);
    let failed = records.task_fail(again.lease, at(now + 11), "never", Again::Never).unwrap();
    assert_eq!(failed, Failed::Dead);
}

#[test]
fn a_worker_whose_lease_ended_cannot_answer_for_the_task() {
    let records = empty();
    let id = submit(&records, task("t"));
    let slow = one(&records, 0);
    let late = records.task_complete(slow.lease, at(30), "late".into());
    assert_eq!(kind(late), ErrorKind::Stale, "nobody took it yet, but time is up");
    let other = one(&records, 30);
    assert_eq!((other.lease.id, other.attempt), (id, 2));
    assert!(other.lease.fence > slow.lease.fence);
    assert_eq!(kind(records.task_complete(slow.lease, at(31), "x".into())), ErrorKind::Stale);
    assert_eq!(kind(records.task_fail(slow.lease, at(31), "x", Again::Never)), ErrorKind::Stale);
    assert_eq!(kind(records.task_renew(slow.lease, at(31), at(99), None)), ErrorKind::Stale);
    assert_eq!(kind(records.task_release(slow.lease, at(31))), ErrorKind::Stale);
    records.task_complete(other.lease, at(32), "\"mine\"".into()).unwrap();
    assert_eq!(records.task(id).unwrap().result.as_deref(), Some("\"mine\""));
    let twice = records.task_complete(other.lease, at(33), "again".into());
    assert_eq!(kind(twice), ErrorKind::Stale);
}

#[test]
fn a_lease_that_is_extended_stands_and_tells_how_far_the_task_is() {
    let records = empty();
    let id = submit(&records, task("t"));
    let leased = one(&records, 0);
    let told = Progress { part: 0.25, doing: "bars of SPY".into() };
    let renewed = records.task_renew(leased.lease, at(29), at(59), Some(told)).unwrap();
    assert_eq!(renewed, Renewed::GoOn);
    none(&records, 58);
    records.task_renew(leased.lease, at(58), at(90), None).unwrap();
    let odd = Progress { part: f64::NAN, doing: "x".repeat(MAX_REASON_CHARS + 1) };
    let row = records.task(id).unwrap();
    assert_eq!((row.progress, row.doing.as_deref()), (0.25, Some("bars of SPY")));
    records.task_renew(leased.lease, at(59), at(90), Some(odd)).unwrap();
    let row = records.task(id).unwrap();
    assert_eq!(row.progress, 0.25);
    assert_eq!(row.doing.unwrap().len(), MAX_REASON_CHARS);
}

#[test]
fn a_worker_that_vanishes_each_time_leaves_the_task_among_the_dead() {
    let records = empty();
    let id = submit(&records, NewTask { tries: 2, ..task("t") });
    one(&records, 0);
    one(&records, 30);
    none(&records, 60);
    let row = records.task(id).unwrap();
    assert_eq!((row.state, row.attempts), (TaskState::Dead, 2));
    assert_eq!(row.reason.as_deref(), Some("its worker vanished in try 2"));
}

#[test]
fn a_task_that_is_given_back_was_not_tried() {
    let records = empty();
    let id = submit(&records, NewTask { tries: 1, ..task("t") });
    for _ in 0..5 {
        let leased = one(&records, 0);
        assert_eq!(leased.attempt, 1);
        records.task_release(leased.lease, at(1)).unwrap();
    }
    assert_eq!(records.task(id).unwrap().attempts, 0);
    one(&records, 2);
    assert_eq!(records.task_reclaim(at(3)).unwrap(), 1);
    assert_eq!(records.task(id).unwrap().state, TaskState::Dead, "a kill counts, though");
}

#[test]
fn a_task_is_called_off_before_it_runs_and_while_it_does() {
    let records = empty();
    let before = submit(&records, task("t"));
    assert_eq!(records.task_cancel(before, at(1)).unwrap().state, TaskState::Cancelled);
    none(&records, 1);
    let during = submit(&records, task("t"));
    let leased = one(&records, 1);
    let row = records.task_cancel(during, at(2)).unwrap();
    assert_eq!((row.state, row.cancel_asked), (TaskState::Running, true));
    let told = records.task_renew(leased.lease, at(3), at(40), None).unwrap();
    assert_eq!(told, Renewed::Cancel);
    let failed = records.task_fail(leased.lease, at(4), "stopped", Again::IfLeft).unwrap();
    assert_eq!(failed, Failed::Cancelled);
    // Its worker vanishes: it is not tried again.
    let vanished = submit(&records, task("t"));
    one(&records, 5);
    records.task_cancel(vanished, at(6)).unwrap();
    none(&records, 36);
    assert_eq!(records.task(vanished).unwrap().state, TaskState::Cancelled);
    // It was faster: what was done is done.
    let faster = submit(&records, task("t"));
    let leased = one(&records, 37);
    records.task_cancel(faster, at(38)).unwrap();
    records.task_complete(leased.lease, at(39), "1".into()).unwrap();
    assert_eq!(kind(records.task_cancel(faster, at(40))), ErrorKind::Refused);
    assert_eq!(records.task_cancel(vanished, at(40)).unwrap().state, TaskState::Cancelled);
    assert_eq!(kind(records.task_cancel(TaskId::from_i64(99), at(0))), ErrorKind::NotFound);
    assert_eq!(kind(records.task_retry(faster, at(0))), ErrorKind::Refused);
    assert_eq!(records.task_retry(during, at(41)).unwrap().state, TaskState::Ready);
    assert!(!one(&records, 41).task.kind.is_empty());
}

#[test]
fn the_same_key_is_the_same_task() {
    let records = empty();
    let keyed = || NewTask { key: Some("report@2026-11-29".into()), ..task("t") };
    let first = records.task_submit(keyed(), at(0)).unwrap();
    let again = records.task_submit(keyed(), at(9)).unwrap();
    assert_eq!((again.id, first.was_there, again.was_there), (first.id, false, true));
    let many = records.task_submit_many(vec![task("t"), keyed()], at(9)).unwrap();
    assert_eq!(many[1], again);
    let other = || NewTask { kind: "other".into(), ..keyed() };
    let why = records.task_submit(other(), at(9)).unwrap_err();
    assert_eq!(why.kind(), ErrorKind::Refused);
    assert!(why.to_string().contains(&format!("of task {} of type \"t\"", first.id)), "{why}");
    assert_eq!(kind(records.task_submit_many(vec![other()], at(9))), ErrorKind::Refused);
    let mark = Mark { name: "report".into(), last_at: at(9) };
    assert!(records.task_submit_due(mark, vec![other()], at(9)).unwrap()[0].was_there);
    assert_eq!(records.task_counts().unwrap().ready, 2);
}

#[test]
fn tasks_of_a_lane_run_one_after_the_other() {
    let records = empty();
    let in_lane = |lane: &str| NewTask { lane: Some(lane.into()), ..task("t") };
    let a1 = submit(&records, in_lane("a"));
    let a2 = submit(&records, in_lane("a"));
    let b1 = submit(&records, in_lane("b"));
    let leased = records.task_lease("w", at(0), LEASE, 9).unwrap();
    let ids: Vec<TaskId> = leased.iter().map(|one| one.lease.id).collect();
    assert_eq!(ids, [a1, b1]);
    none(&records, 1);
    records.task_complete(leased[0].lease, at(2), "1".into()).unwrap();
    assert_eq!(one(&records, 3).lease.id, a2);
}

#[test]
fn a_lane_is_held_up_by_what_runs_is_ready_or_is_tried_again_and_not_by_what_is_put_off() {
    let records = empty();
    let in_lane = |task: NewTask| NewTask { lane: Some("a".into()), ..task };
    let before =
        |secs| records.task_lane_before("a", at(secs)).unwrap().map(|row| (row.id, row.state));
    let off = submit(&records, in_lane(NewTask { run_at: Some(at(100)), ..task("t") }));
    submit(&records, NewTask { lane: Some("b".into()), ..task("t") });
    assert_eq!(before(99), None);
    assert_eq!(before(100), Some((off, TaskState::Waiting)), "its time has come");
    let ready = submit(&records, in_lane(task("t")));
    assert_eq!(before(0), Some((ready, TaskState::Ready)));
    submit(&records, in_lane(NewTask { priority: Priority::High, ..task("t") }));
    let leased = records.task_lease("w", at(0), LEASE, 1).unwrap().remove(0).lease;
    assert_eq!(before(0), Some((leased.id, TaskState::Running)));
    records.task_fail(leased, at(1), "no", Again::IfLeft).unwrap();
    records.task_cancel(ready, at(1)).unwrap();
    assert_eq!(before(2), Some((leased.id, TaskState::Waiting)), "it has begun and not ended");
    records.task_cancel(leased.id, at(2)).unwrap();
    assert_eq!(before(2), None);
}

#[test]
fn a_schedule_and_its_tasks_move_together() {
    let records = empty();
    let mark = |secs| Mark { name: "report".into(), last_at: at(secs) };
    let due = NewTask { key: Some("report@1".into()), ..task("t") };
    records.task_submit_due(mark(1), vec![due.clone()], at(1)).unwrap();
    let again = records.task_submit_due(mark(2), vec![due.clone()], at(2)).unwrap();
    assert!(again[0].was_there);
    let broken = NewTask { tries: 0, ..due };
    assert_eq!(kind(records.task_submit_due(mark(3), vec![broken], at(3))), ErrorKind::Refused);
    assert_eq!(records.schedule_marks().unwrap(), [mark(2)]);
}

#[test]
fn what_breaks_a_bound_is_refused_with_words_and_changes_nothing() {
    let records = empty();
    let refuse = |task: NewTask| {
        let error = records.task_submit(task, at(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        error.to_string()
    };
    refuse(task(""));
    refuse(NewTask { tries: MAX_TRIES + 1, ..task("t") });
    refuse(NewTask { key: Some(String::new()), ..task("t") });
    let late = |off: i64| NewTask { run_at: Some(at(30 * 86_400 + off)), ..task("t") };
    let words = refuse(late(1));
    assert!(words.contains("at most 30d"), "{words}");
    assert_eq!(kind(records.task_submit_many(vec![late(1)], at(0))), ErrorKind::Refused);
    let large = refuse(NewTask::new("t", "x".repeat(MAX_PAYLOAD_BYTES + 1)));
    assert!(large.contains("at most 65536"), "{large}");
    assert_eq!(records.task_counts().unwrap(), TaskCounts::default());
    submit(&records, task("t"));
    let leased = one(&records, 0);
    let large = records.task_complete(leased.lease, at(1), "x".repeat(MAX_RESULT_BYTES + 1));
    assert_eq!(kind(large), ErrorKind::Refused);
    records.task_complete(leased.lease, at(1), "x".into()).unwrap();
}

#[test]
fn ended_tasks_are_kept_for_a_while_and_then_forgotten() {
    let records = empty();
    let hours = |hours: i64| hours * 3_600;
    let done = submit(&records, task("t"));
    records.task_complete(one(&records, 0).lease, at(1), "1".into()).unwrap();
    let dead = submit(&records, task("t"));
    records.task_fail(one(&records, 0).lease, at(1), "no", Again::Never).unwrap();
    let open = submit(&records, task("t"));
    let keep = TaskKeep::default();
    assert_eq!(records.task_prune(at(hours(24)), keep).unwrap(), Pruned::default());
    assert_eq!(records.task_prune(at(hours(25)), keep).unwrap(), Pruned { done: 1, dead: 0 });
    assert_eq!(kind(records.task(done)), ErrorKind::NotFound);
    assert_eq!(records.task_prune(at(hours(169)), keep).unwrap(), Pruned { done: 0, dead: 1 });
    assert_eq!(kind(records.task(dead)), ErrorKind::NotFound);
    assert_eq!(records.task(open).unwrap().state, TaskState::Ready);
    assert!(submit(&records, task("t")) > open, "no number is used again");
}

#[test]
fn lists_come_in_pages_and_statistics_by_type() {
    let records = empty();
    let ids: Vec<TaskId> = (0..5).map(|n| submit(&records, task(["a", "b"][n % 2]))).collect();
    let leased = records.task_lease("w", at(10), LEASE, 1).unwrap();
    records.task_complete(leased[0].lease, at(14), "1".into()).unwrap();
    let filter = TaskFilter { limit: 2, ..TaskFilter::default() };
    let page = |before| {
        let rows = records.tasks(&TaskFilter { before, ..filter.clone() }).unwrap();
        rows.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None), [ids[4], ids[3]]);
    assert_eq!(page(Some(ids[3])), [ids[2], ids[1]]);
    let done = TaskFilter { state: Some(TaskState::Done), limit: 9, ..TaskFilter::default() };
    assert_eq!(records.tasks(&done).unwrap()[0].id, ids[0]);
    let of_b = TaskFilter { kind: Some("b".into()), limit: 9, ..TaskFilter::default() };
    assert_eq!(records.tasks(&of_b).unwrap().len(), 2);
    let stats = records.task_stats().unwrap();
    assert_eq!((stats[0].kind.as_str(), stats[0].done, stats[0].open), ("a", 1, 2));
    assert_eq!(stats[0].mean_wait, Duration::from_secs(10));
    assert_eq!(stats[0].mean_run, Duration::from_secs(4));
    assert_eq!((stats[1].open, stats[1].attempts), (2, 0));
}

#[test]
fn callers_on_many_threads_share_commits_and_each_gets_its_own_answer() {
    let dir = tempfile::tempdir().unwrap();
    let records = Arc::new(Records::open(&dir.path().join("records.db")).unwrap());
    records.stop_syncing().unwrap();
    let submitters: Vec<_> = (0..8)
        .map(|thread| {
            let records = Arc::clone(&records);
            let submit = move || {
                let one = |n: usize| {
                    let refused = NewTask { tries: 0, ..task("t") };
                    assert_eq!(kind(records.task_submit(refused, at(0))), ErrorKind::Refused);
                    let key = Some(format!("{thread}/{n}"));
                    records.task_submit(NewTask { key, ..task("t") }, at(0)).unwrap().id
                };
                (0..50).map(one).collect::<Vec<_>>()
            };
            std::thread::spawn(submit)
        })
        .collect();
    let mut ids: Vec<TaskId> =
        submitters.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 400);
    assert_eq!(records.task_counts().unwrap().ready, 400);
}

#[test]
fn what_is_busy_in_the_process_is_not_leased_whatever_the_queue_says() {
    let records = empty();
    let in_lane = |lane: &str| NewTask { lane: Some(lane.into()), ..task("t") };
    let stuck = submit(&records, in_lane("a"));
    let leased = one(&records, 0);
    records.task_fail(leased.lease, at(1), "it took longer than 1s", Again::IfLeft).unwrap();
    // More of the lane than one look takes, in front of what is free.
    let waiting = [(); 9].map(|()| submit(&records, in_lane("a")));
    let alone = submit(&records, task("t"));
    let other = submit(&records, in_lane("b"));
    let lease = |busy: &Busy| -> Vec<TaskId> {
        let leased = records.task_lease_beside("w", at(90), LEASE, (3, busy.clone())).unwrap();
        leased.iter().map(|one| one.lease.id).collect()
    };
    let mut busy = Busy { ids: [stuck, alone].into(), lanes: ["a".to_owned()].into() };
    assert_eq!(lease(&busy), [other]);
    busy.ids.remove(&alone);
    assert_eq!(lease(&busy), [alone]);
    assert_eq!(lease(&Busy { ids: [stuck].into(), ..Busy::default() }), [waiting[0]]);
}

#[test]
fn a_task_that_runs_is_called_off_with_a_ring_and_its_lease_is_listed() {
    let records = empty();
    let rings = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let rung = Arc::clone(&rings);
    records.on_call_off(move || {
        rung.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    });
    let ids = [(); 3].map(|()| submit(&records, task("t")));
    let leased = records.task_lease("w", at(0), LEASE, 2).unwrap();
    assert_eq!(records.tasks_called_off().unwrap(), []);
    // One that waits ends at once, and nobody has to hear of it.
    let clone = records.clone();
    clone.task_cancel(ids[2], at(1)).unwrap();
    assert_eq!(rings.load(std::sync::atomic::Ordering::SeqCst), 0);
    clone.task_cancel(ids[1], at(1)).unwrap();
    assert_eq!(rings.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(records.tasks_called_off().unwrap(), [leased[1].lease]);
    records.task_fail(leased[1].lease, at(2), "called off", Again::IfLeft).unwrap();
    assert_eq!(records.tasks_called_off().unwrap(), []);
}

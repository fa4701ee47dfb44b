//! Random operations on the queue and on a small model of it, which must agree on everything.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Submit { priority: Priority, delay: i64, tries: u32, lane: Option<u8>, key: Option<u8> },
    Lease(usize),
    Complete(usize),
    Fail(usize),
    Release(usize),
    Renew(usize),
    Cancel(usize),
    Retry(usize),
    Pass(i64),
}

fn ops() -> impl Strategy<Value = Op> {
    let submit = (
        prop::sample::select(Priority::ALL.to_vec()),
        prop_oneof![Just(0), 1..100i64],
        1..4u32,
        prop::option::weighted(0.3, 0..2u8),
        prop::option::weighted(0.2, 0..4u8),
    );
    prop_oneof![
        4 => submit.prop_map(|(priority, delay, tries, lane, key)| Op::Submit {
            priority, delay, tries, lane, key
        }),
        4 => (0..4usize).prop_map(Op::Lease),
        2 => (0..20usize).prop_map(Op::Complete),
        3 => (0..20usize).prop_map(Op::Fail),
        1 => (0..20usize).prop_map(Op::Release),
        1 => (0..20usize).prop_map(Op::Renew),
        1 => (0..20usize).prop_map(Op::Cancel),
        1 => (0..20usize).prop_map(Op::Retry),
        3 => (1..45i64).prop_map(Op::Pass),
    ]
}

/// A task as the model sees it.
#[derive(Debug, Clone)]
struct Seen {
    id: TaskId,
    task: NewTask,
    state: TaskState,
    run_at: i64,
    attempts: u32,
    attempts_max: u32,
    /// Failures since it was submitted or retried by hand.
    failures: u32,
    lease_until: i64,
    cancel_asked: bool,
}

/// What an answer that counts does to a task, at a moment.
type Then = fn(&mut Seen, i64);

#[derive(Debug, Default)]
struct World {
    now: i64,
    tasks: Vec<Seen>,
    /// Every lease that was ever given, with the place of its task.
    leases: Vec<(TaskLease, usize)>,
}

impl World {
    /// Puts back what nobody answered for in time, and makes ready what waited long enough.
    fn settle(&mut self) {
        for seen in &mut self.tasks {
            if seen.state == TaskState::Running && seen.lease_until <= self.now {
                seen.failures += 1;
                seen.state = match () {
                    () if seen.cancel_asked => TaskState::Cancelled,
                    () if seen.attempts == seen.attempts_max => TaskState::Dead,
                    () => TaskState::Ready,
                };
            }
            if seen.state == TaskState::Waiting && seen.run_at <= self.now {
                seen.state = TaskState::Ready;
            }
        }
    }

    /// What is leased now, in order.
    fn lease(&mut self, most: usize) -> Vec<usize> {
        self.settle();
        let is_running = |seen: &&Seen| seen.state == TaskState::Running;
        let running = self.tasks.iter().filter(is_running);
        let mut busy: BTreeSet<String> = running.filter_map(|s| s.task.lane.clone()).collect();
        let mut ready: Vec<usize> = (0..self.tasks.len())
            .filter(|at| self.tasks[*at].state == TaskState::Ready)
            .filter(|at| self.tasks[*at].task.lane.as_ref().is_none_or(|l| !busy.contains(l)))
            .collect();
        ready.sort_by_key(|at| (self.tasks[*at].task.priority, self.tasks[*at].id));
        ready.truncate(most);
        ready.retain(|at| self.tasks[*at].task.lane.clone().is_none_or(|lane| busy.insert(lane)));
        for at in &ready {
            let seen = &mut self.tasks[*at];
            seen.state = TaskState::Running;
            seen.attempts += 1;
            seen.lease_until = self.now + 30;
            seen.cancel_asked = false;
        }
        ready
    }

    /// The lease that is meant, and the task if the lease stands.
    fn held(&self, pick: usize) -> Option<(TaskLease, Option<usize>)> {
        let pick = pick.checked_rem(self.leases.len())?;
        let (lease, at) = self.leases[pick];
        let is_newest = self.leases.iter().rposition(|(_, other)| *other == at) == Some(pick);
        let seen = &self.tasks[at];
        let stands = is_newest && seen.state == TaskState::Running && seen.lease_until > self.now;
        Some((lease, stands.then_some(at)))
    }

    fn apply(&mut self, records: &Records, op: &Op) {
        match op {
            Op::Submit { priority, delay, tries, lane, key } => {
                let task = NewTask {
                    priority: *priority,
                    run_at: Some(at(self.now + delay)),
                    tries: *tries,
                    backoff: Duration::from_secs(7),
                    lane: lane.map(|lane| lane.to_string()),
                    key: key.map(|key| key.to_string()),
                    ..task("t")
                };
                let there = self.tasks.iter().find(|s| key.is_some() && s.task.key == task.key);
                let submitted = records.task_submit(task.clone(), at(self.now)).unwrap();
                assert_eq!(there.is_some(), submitted.was_there);
                if let Some(there) = there {
                    assert_eq!(there.id, submitted.id);
                    return;
                }
                self.tasks.push(Seen {
                    id: submitted.id,
                    state: if *delay > 0 { TaskState::Waiting } else { TaskState::Ready },
                    run_at: self.now + delay,
                    attempts: 0,
                    attempts_max: *tries,
                    failures: 0,
                    lease_until: 0,
                    cancel_asked: false,
                    task,
                });
            }
            Op::Lease(most) => {
                let expected = self.lease(*most);
                let leased = records.task_lease("w", at(self.now), LEASE, *most).unwrap();
                let ids = |at: &usize| (self.tasks[*at].id, self.tasks[*at].attempts);
                let expected_ids: Vec<_> = expected.iter().map(ids).collect();
                let ids: Vec<_> = leased.iter().map(|l| (l.lease.id, l.attempt)).collect();
                assert_eq!(ids, expected_ids);
                self.leases.extend(leased.iter().map(|l| l.lease).zip(expected));
            }
            Op::Pass(secs) => self.now += secs,
            Op::Cancel(pick) | Op::Retry(pick) => self.by_hand(records, op, *pick),
            Op::Complete(pick) | Op::Fail(pick) | Op::Release(pick) | Op::Renew(pick) => {
                let Some((lease, held)) = self.held(*pick) else { return };
                let stale = self.answer(records, op, (lease, held));
                assert_eq!(stale.is_some(), held.is_none(), "{op:?}");
                assert_eq!(stale.unwrap_or(ErrorKind::Stale), ErrorKind::Stale);
            }
        }
    }

    /// A worker's answer; the kind of error where there was one.
    fn answer(
        &mut self,
        records: &Records,
        op: &Op,
        (lease, held): (TaskLease, Option<usize>),
    ) -> Option<ErrorKind> {
        let now = at(self.now);
        let (result, then): (Result<(), Error>, Then) = match op {
            Op::Complete(_) => (records.task_complete(lease, now, "1".into()), |seen, _| {
                seen.state = TaskState::Done;
            }),
            Op::Fail(_) => {
                (records.task_fail(lease, now, "no", Again::IfLeft).map(drop), |seen, now| {
                    seen.failures += 1;
                    seen.state = match () {
                        () if seen.cancel_asked => TaskState::Cancelled,
                        () if seen.attempts == seen.attempts_max => TaskState::Dead,
                        () => TaskState::Waiting,
                    };
                    if seen.state == TaskState::Waiting {
                        seen.run_at = now + (7 << (seen.failures - 1));
                    }
                })
            }
            Op::Release(_) => (records.task_release(lease, now), |seen, _| {
                seen.attempts -= 1;
                seen.state =
                    if seen.cancel_asked { TaskState::Cancelled } else { TaskState::Ready };
            }),
            _ => {
                let renewed = records.task_renew(lease, now, now.plus(LEASE), None);
                if let (Ok(told), Some(at)) = (&renewed, held) {
                    let cancel = self.tasks[at].cancel_asked;
                    assert_eq!(*told == Renewed::Cancel, cancel);
                }
                (renewed.map(drop), |seen, now| seen.lease_until = now + 30)
            }
        };
        if let Some(at) = held {
            then(&mut self.tasks[at], self.now);
        }
        result.err().map(|error| error.kind())
    }

    fn by_hand(&mut self, records: &Records, op: &Op, pick: usize) {
        let Some(pick) = pick.checked_rem(self.tasks.len()) else { return };
        let seen = &mut self.tasks[pick];
        let now = at(self.now);
        if matches!(op, Op::Cancel(_)) {
            let cancelled = records.task_cancel(seen.id, now);
            let is_over = matches!(seen.state, TaskState::Done | TaskState::Dead);
            assert_eq!(cancelled.is_err(), is_over, "{cancelled:?}");
            match seen.state {
                TaskState::Waiting | TaskState::Ready => seen.state = TaskState::Cancelled,
                TaskState::Running => seen.cancel_asked = true,
                _ => {}
            }
            return;
        }
        let refused = matches!(seen.state, TaskState::Running | TaskState::Done);
        assert_eq!(records.task_retry(seen.id, now).is_err(), refused);
        match seen.state {
            TaskState::Waiting => (seen.state, seen.run_at) = (TaskState::Ready, self.now),
            TaskState::Dead | TaskState::Cancelled => {
                seen.state = TaskState::Ready;
                seen.attempts_max = seen.attempts + seen.task.tries;
                seen.failures = 0;
                seen.cancel_asked = false;
            }
            _ => {}
        }
    }

    /// Both tell the same of every task.
    fn agree(&self, records: &Records) {
        for seen in &self.tasks {
            let row = records.task(seen.id).unwrap();
            let told = (row.state, row.attempts, row.attempts_max);
            assert_eq!(told, (seen.state, seen.attempts, seen.attempts_max), "{seen:?}");
            if row.state == TaskState::Waiting {
                assert_eq!(row.run_at, at(seen.run_at));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn order_tries_and_fences_are_those_of_the_model(ops in prop::collection::vec(ops(), 1..80)) {
        let records = empty();
        let mut world = World::default();
        for op in &ops {
            world.apply(&records, op);
        }
        world.agree(&records);
    }
}

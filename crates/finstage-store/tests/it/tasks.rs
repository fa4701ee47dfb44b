//! Real processes and real kills: workers on one queue are ended by SIGKILL at random moments. No task
//! that was submitted is lost, and none is done by two.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_store::ErrorKind;
use finstage_store::records::{NewTask, Records, TaskFilter, TaskState};
use finstage_store::suite::Rng;

/// Kills in the usual run of the tests; `FINSTAGE_KILLS` names another number.
const KILLS: usize = 50;
/// Where a worker finds its folder; without it, it is no worker.
const FOLDER: &str = "FINSTAGE_TEST_TASKS";
/// Workers at a time.
const WORKERS: usize = 2;
/// A life: from barely a start to a few dozen tasks.
const LIFE_MS: (usize, usize) = (20, 140);
/// Short enough to run out while the test goes on.
const LEASE: Duration = Duration::from_millis(250);
/// More than any task can be killed.
const TRIES: u32 = 100;
/// The end is looked for this often, so many times.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: usize = 500;

#[test]
fn tasks_survive_workers_that_are_killed_and_are_done_by_one_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let records = open(dir.path());
    let kills = variable("FINSTAGE_KILLS").map_or(KILLS, |number| number.parse().unwrap());
    let mut rng = Rng::new(kills as u64);
    let mut workers: Vec<Child> = (0..WORKERS).map(|_| start(dir.path())).collect();
    for _ in 0..kills {
        let life_ms = LIFE_MS.0 + rng.below(LIFE_MS.1 - LIFE_MS.0);
        thread::park_timeout(Duration::from_millis(life_ms as u64));
        let mut killed = workers.remove(0);
        killed.kill().unwrap();
        killed.wait().unwrap();
        workers.push(start(dir.path()));
    }
    for mut worker in workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    let mut ledger = append(dir.path());
    for _ in 0..LOOKS {
        let counts = records.task_counts().unwrap();
        if counts.ready + counts.running == 0 {
            break;
        }
        if !turn(&records, &mut ledger) {
            thread::park_timeout(LOOK);
        }
    }
    judge(&records, &std::fs::read_to_string(dir.path().join("ledger")).unwrap(), kills);
}

/// Holds the queue against what workers noted.
fn judge(records: &Records, ledger: &str, kills: usize) {
    let mut rows = BTreeMap::new();
    let mut before = None;
    loop {
        let page =
            records.tasks(&TaskFilter { before, limit: 500, ..TaskFilter::default() }).unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        rows.extend(page.into_iter().map(|row| (row.id.to_i64(), row)));
    }
    let (mut started, mut done, mut submitted) = (BTreeSet::new(), BTreeMap::new(), 0);
    for line in ledger.lines() {
        let mut words = line.split(' ');
        let (what, id, fence) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let id: i64 = id.parse().unwrap();
        let row = rows.get(&id).unwrap_or_else(|| panic!("task {id} is lost"));
        match what {
            "submitted" => submitted += 1,
            "started" => assert!(started.insert((id, fence.to_owned())), "{line}: twice"),
            "done" => {
                assert_eq!(row.result.as_deref(), Some(fence), "{line}");
                assert_eq!(done.insert(id, fence.to_owned()), None, "{line}: by two");
            }
            _ => {}
        }
    }
    let mut attempts = 0;
    for (id, row) in &rows {
        assert_eq!(row.state, TaskState::Done, "task {id}");
        let starts = started.iter().filter(|(started, _)| started == id).count() as u32;
        assert!((1..=row.attempts).contains(&starts), "task {id}: {starts} of {}", row.attempts);
        attempts += row.attempts;
    }
    assert!(submitted >= kills, "the workers lived: {submitted} tasks");
    assert!(attempts > rows.len() as u32, "kills met tasks that ran");
    eprintln!(
        "{kills} kills: {} tasks, {attempts} attempts, {} done lines",
        rows.len(),
        done.len()
    );
}

#[test]
fn a_worker_does_nothing_where_no_folder_is_named() {
    let Some(folder) = variable(FOLDER) else { return };
    let dir = Path::new(&folder);
    let (records, mut ledger) = (open(dir), append(dir));
    for number in 0.. {
        let key = format!("{}/{number}", std::process::id());
        let task = NewTask { key: Some(key), tries: TRIES, ..NewTask::new("count", "{}") };
        let id = records.task_submit(task, now()).unwrap().id;
        ledger.write_all(format!("submitted {id} -\n").as_bytes()).unwrap();
        turn(&records, &mut ledger);
    }
}

/// Runs what can be leased; whether there was anything.
fn turn(records: &Records, ledger: &mut File) -> bool {
    let leased = records.task_lease("worker", now(), LEASE, 2).unwrap();
    for task in &leased {
        let (id, fence) = (task.lease.id, task.lease.fence);
        ledger.write_all(format!("started {id} {fence}\n").as_bytes()).unwrap();
        let word = match records.task_complete(task.lease, now(), fence.to_string()) {
            Ok(()) => "done",
            Err(error) if error.kind() == ErrorKind::Stale => "late",
            Err(error) => panic!("{error}"),
        };
        ledger.write_all(format!("{word} {id} {fence}\n").as_bytes()).unwrap();
    }
    !leased.is_empty()
}

fn open(dir: &Path) -> Records {
    Records::open(&dir.join("records.db")).unwrap()
}

fn append(dir: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(dir.join("ledger")).unwrap()
}

fn start(dir: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tasks::a_worker_does_nothing_where_no_folder_is_named"]);
    command.env(FOLDER, dir).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "processes share the system's time, and leases end")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::EPOCH.plus(since)
}

#[expect(clippy::disallowed_methods, reason = "the test tells a worker in this way that it is one")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

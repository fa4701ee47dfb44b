//! The limiter under many tasks, in virtual time; and under several processes, in real time.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finstage_net::{Class, Cost, Limiter, LimiterOptions, Rule, Settlement, Shape};
use tokio::time::{Instant, sleep, timeout};

use super::servers::Server;
use super::world::Dice;

const RULES: [Rule; 1] = [Rule {
    name: "requests",
    shape: Shape::Sliding,
    limit: 50,
    window: Duration::from_secs(1),
    default_cost: 1,
    counts_refused: true,
}];

async fn ask(limiter: &Limiter, class: Class) {
    let mut permit = limiter.acquire(&[], class).await;
    permit.sent();
    sleep(Duration::from_millis(5)).await;
    permit.answered(&Settlement::default());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tasks_are_served_in_the_order_in_which_they_came() {
    let limiter = Limiter::new("x", &RULES, LimiterOptions::default());
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..1000_usize {
        let (limiter, order) = (limiter.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let mut permit = limiter.acquire(&[], Class::Normal).await;
            order.lock().unwrap().push(number);
            permit.sent();
            permit.answered(&Settlement::default());
        }));
        tokio::task::yield_now().await;
    }
    let begin = Instant::now();
    for task in tasks {
        task.await.unwrap();
    }
    let took = begin.elapsed();
    // What is admitted at one moment runs in the scheduler's order: compared by the batch.
    let order = order.lock().unwrap();
    let worst = order.iter().enumerate().map(|(at, number)| number.abs_diff(at)).max().unwrap();
    assert!(worst <= 50, "{worst} places from its own");
    assert!(took <= Duration::from_millis(1000 * 1000 / 50 + 1500), "{took:?}");
    assert_eq!(limiter.snapshot().admitted, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_cancelled_waits_loses_no_room_and_blocks_nobody() {
    let limiter = Limiter::new("x", &RULES, LimiterOptions::default());
    let mut dice = Dice::new(7);
    let mut tasks = Vec::new();
    for _ in 0..2000 {
        let limiter = limiter.clone();
        let (patience, class) = (dice.between(0, 3000), dice.between(0, 2));
        let class = [Class::Urgent, Class::Normal, Class::Background][class as usize];
        tasks.push(tokio::spawn(async move {
            timeout(Duration::from_millis(patience), ask(&limiter, class)).await.is_ok()
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(limiter.snapshot().waiting, 0);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(limiter.snapshot().quotas[0].used, 0, "nothing is held by who went away");
    let begin = Instant::now();
    for _ in 0..50 {
        timeout(Duration::from_secs(5), ask(&limiter, Class::Background)).await.unwrap();
    }
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn background_is_served_under_a_flood_of_urgent_requests() {
    let limiter = Limiter::new("x", &RULES, LimiterOptions::default());
    let flood: Vec<_> = (0..100)
        .map(|_| {
            let limiter = limiter.clone();
            tokio::spawn(async move {
                loop {
                    ask(&limiter, Class::Urgent).await;
                }
            })
        })
        .collect();
    let quiet = timeout(Duration::from_secs(15), ask(&limiter, Class::Background)).await;
    assert!(quiet.is_ok(), "it goes first after ten seconds");
    flood.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_before_a_ban_is_over() {
    let limiter = Limiter::new("x", &RULES, LimiterOptions::default());
    limiter.block(Duration::from_secs(120));
    let begin = Instant::now();
    assert!(limiter.try_acquire(&[], Class::Urgent).is_err());
    ask(&limiter, Class::Urgent).await;
    assert!(begin.elapsed() >= Duration::from_secs(120));
    assert_eq!(limiter.blocked_for(), None);
}

#[tokio::test(start_paused = true)]
async fn who_was_granted_a_turn_before_a_rest_began_does_not_leave_within_it() {
    const REST: Duration = Duration::from_secs(60);
    let limiter = Limiter::new("x", &RULES, LimiterOptions::default());
    limiter.block(Duration::from_secs(1));
    // Both are let through by one decision; the first hears of another rest before the second runs.
    let first = {
        let limiter = limiter.clone();
        tokio::spawn(async move {
            let permit = limiter.acquire(&[], Class::Normal).await;
            limiter.block(REST);
            drop(permit);
            Instant::now()
        })
    };
    tokio::task::yield_now().await;
    let second = tokio::spawn(async move {
        ask(&limiter, Class::Normal).await;
        Instant::now()
    });
    let (rested_from, left_at) = (first.await.unwrap(), second.await.unwrap());
    assert!(left_at - rested_from >= REST, "{:?}", left_at - rested_from);
}

#[tokio::test(start_paused = true)]
async fn a_cost_above_the_limit_waits_for_an_empty_window_and_not_for_ever() {
    let limiter = Limiter::new("x", &RULES, LimiterOptions::default());
    ask(&limiter, Class::Normal).await;
    let costs = [Cost { rule: "requests", amount: 51 }];
    let permit = timeout(Duration::from_secs(5), limiter.acquire(&costs, Class::Normal)).await;
    assert!(permit.is_ok());
    assert_eq!(limiter.snapshot().clamped, 1);
}

const CHILD: &str = "FINSTAGE_LIMITER_CHILD";
const MANY: usize = 40;

/// Not a test of its own: what another process does, which the next test starts.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "says whether it is the other process")]
async fn the_other_process() {
    if let Some(folder) = std::env::var_os(CHILD) {
        send_many(Path::new(&folder)).await;
    }
}

#[expect(clippy::print_stdout, reason = "how the other process tells when it sent")]
async fn send_many(folder: &Path) {
    let options = LimiterOptions { share: Some(folder.to_owned()), ..LimiterOptions::default() };
    let limiter = Limiter::new("shared", &RULES, options);
    for _ in 0..MANY {
        let mut permit = limiter.acquire(&[], Class::Normal).await;
        permit.sent();
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        println!("sent {}", time.tv_sec * 1_000_000_000 + time.tv_nsec);
        permit.answered(&Settlement::default());
    }
    assert_eq!(limiter.snapshot().share_error, None);
}

#[test]
fn three_processes_and_one_that_is_killed_keep_one_limit_together() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "quota::tasks::the_other_process", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut killed = start();
    let processes: Vec<_> = (0..3).map(|_| start()).collect();
    killed.kill().unwrap();
    let mut texts = vec![killed.wait_with_output().unwrap()];
    for process in processes {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success());
        texts.push(output);
    }
    let mut times: Vec<u64> = Vec::new();
    for output in &texts {
        let text = String::from_utf8_lossy(&output.stdout);
        times.extend(text.split("sent ").skip(1).filter_map(|rest| {
            rest.split_whitespace().next().and_then(|time| time.parse::<u64>().ok())
        }));
    }
    assert!(times.len() >= 3 * MANY, "{} were sent", times.len());
    times.sort_unstable();
    let mut server = Server::new(&RULES[0]);
    for time in times {
        // The clock is read after the limiter took its own: by less than a slot's rounding, mostly.
        assert!(server.takes(time, 1), "more than {} in a second", RULES[0].limit);
    }
}

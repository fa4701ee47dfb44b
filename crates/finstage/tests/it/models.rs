//! `finstage llm` against a simulated model server: rows that are asked once and lost never.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use finstage_store::suite::Rng;
use serde_json::{Value, json};

use crate::cli::shell::{Run, Running, Shell};

/// Nobody may print it.
const KEY: &str = "sk-canary-of-the-model-tests";
/// Kills in the usual run of the tests; `FINSTAGE_KILLS` names another number.
const KILLS: usize = 50;
/// The shortest lives end while the program starts.
const LIFE_MS: (usize, usize) = (80, 320);
/// Rows that are answered in one life, about.
const ROWS_PER_LIFE: usize = 12;

/// A simulated server, with a ledger of what it was asked.
struct World {
    shell: Shell,
    _sim: Running,
    base: String,
}

impl World {
    fn with(options: &str) -> Self {
        let shell = Shell::new().with("OPENAI_API_KEY", KEY);
        let mut sim =
            shell.start(&format!("sim --venues openai --seed 5 --ledger asked.txt {options}"));
        let places: Value = serde_json::from_str(&sim.until("openai")).unwrap();
        let base = places["openai"]["rest"].as_str().unwrap().to_owned();
        Self { shell, _sim: sim, base }
    }

    /// So many questions in a file.
    fn rows(&self, count: usize) {
        let mut text = String::new();
        for i in 0..count {
            let messages =
                json!([{"role": "user", "content": format!("Sentiment of: shares rise {i}")}]);
            let body = json!({"model": "gpt-4o-mini", "messages": messages, "max_tokens": 8});
            let row = json!({"custom_id": format!("r{i}"), "method": "POST", "url": "/v1/chat/completions", "body": body});
            writeln!(text, "{row}").unwrap();
        }
        self.shell.write("in.jsonl", text);
    }

    fn line(&self, options: &str) -> String {
        format!("llm run in.jsonl -o out.jsonl --base-url {} --json -q {options}", self.base)
    }

    fn run(&self, options: &str) -> Run {
        let run = self.shell.run_long(&self.line(options));
        assert!(!format!("{run}").contains(KEY), "{run}");
        run
    }

    /// The results, by name: each row has one.
    fn results(&self) -> BTreeMap<String, Value> {
        let text = String::from_utf8(self.shell.read("out.jsonl")).unwrap();
        assert!(!text.contains(KEY));
        let mut results = BTreeMap::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let name = line["custom_id"].as_str().unwrap().to_owned();
            assert!(results.insert(name.clone(), line).is_none(), "{name} is there twice");
        }
        results
    }

    /// Requests that the server saw, and those that it refused.
    fn asked(&self) -> (usize, usize) {
        let text = String::from_utf8(self.shell.read("asked.txt")).unwrap();
        let lines = || text.lines().filter(|line| line.contains("chat/completions"));
        (lines().count(), lines().filter(|line| line.contains(" 429 ")).count())
    }
}

#[test]
fn rows_of_a_table_are_asked_by_a_template_and_a_second_run_asks_nothing() {
    let world = World::with("--latency 2ms");
    world.shell.write("reviews.csv", "id,text\na,\"prices rise, strongly\"\nb,losses\nb2,gains\n");
    let run = |extra: &str| {
        let line = format!(
            "llm run reviews.csv -o out.jsonl --ordered --base-url {} -m gpt-4o-mini --json {extra} --prompt",
            world.base
        );
        let mut command = world.shell.command(&line);
        command.arg("Sentiment of: {text}");
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        Running::start(&mut command, &line).end()
    };
    let plan = run("--dry-run").ok().json();
    assert_eq!((&plan["rows"], &plan["asked"]), (&json!(3), &json!(3)), "{plan}");
    assert!(plan["cost_high"].as_f64().unwrap() > 0.0, "{plan}");
    assert_eq!(world.asked().0, 0, "a dry run sends nothing");
    let told = run("").ok().json();
    for (field, value) in
        [("total", 3), ("done", 3), ("failed", 0), ("skipped", 0), ("refused_429", 0)]
    {
        assert_eq!(told[field], value, "{field}: {told}");
    }
    assert!(told["cost_usd"].as_f64().unwrap() > 0.0, "{told}");
    let text = String::from_utf8(world.shell.read("out.jsonl")).unwrap();
    let names: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = names.iter().map(|line| line["custom_id"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "b2"], "in the order of the rows");
    let told = run("").ok().json();
    assert_eq!((&told["skipped"], &told["done"]), (&json!(3), &json!(0)), "{told}");
    assert_eq!(world.asked().0, 3);
    let cost = world.shell.run("llm cost --json").ok().json();
    assert_eq!(cost["requests"], 3, "{cost}");
    assert_eq!(cost["jobs"][0]["name"], "reviews.csv");
}

#[test]
fn a_run_that_is_killed_again_and_again_loses_no_row_and_doubles_none() {
    let kills = kills();
    // About as many as are answered in so many lives: the last ones find work too.
    let rows = kills * ROWS_PER_LIFE;
    let world = World::with("--latency 20ms");
    world.rows(rows);
    let mut rng = Rng::new(7);
    let (mut written, mut worked) = (0, 0);
    for _ in 0..kills {
        let line = world.line("--concurrency 4");
        let running = world.shell.start(&line);
        let life = LIFE_MS.0 + rng.below(LIFE_MS.1 - LIFE_MS.0);
        thread::park_timeout(Duration::from_millis(life as u64));
        // Dropped, it is killed.
        drop(running);
        let length = std::fs::metadata(world.shell.path("out.jsonl")).map_or(0, |file| file.len());
        worked += usize::from(length != written);
        written = length;
    }
    assert!(worked * 4 >= kills, "only {worked} of {kills} lives wrote anything");
    let told = world.run("").ok().json();
    assert_eq!(told["failed"], 0, "{told}");
    assert_eq!(world.results().len(), rows);
    // What was under way when it was killed is asked again.
    assert!(world.asked().0 >= rows);
}

#[expect(clippy::disallowed_methods, reason = "the test command names the number of kills")]
fn kills() -> usize {
    std::env::var("FINSTAGE_KILLS").map_or(KILLS, |number| number.parse().unwrap())
}

#[test]
fn a_budget_is_never_passed_and_what_was_answered_stays() {
    let world = World::with("--latency 2ms");
    world.rows(300);
    let run = world.run("--budget-usd 0.0008 --concurrency 64");
    assert_eq!(run.code, 5, "{run}");
    let told = run.json();
    let (spent, done) = (told["cost_usd"].as_f64().unwrap(), told["done"].as_u64().unwrap());
    assert!(spent <= 0.0008 && done > 0 && done < 300, "{told}");
    assert_eq!(world.results().len() as u64, done);
    let check = world.shell.run(&format!("llm check --base-url {} --json", world.base)).ok().json();
    assert!(
        check["total_usage_usd"].as_f64().unwrap() <= 0.0008,
        "as the server counts it: {check}"
    );
    world.run("").ok();
    assert_eq!(world.results().len(), 300);
}

#[test]
fn a_known_limit_is_kept_without_a_refusal() {
    // A server that takes two seconds' worth at once: machines that run tests stand still for a while.
    let world = World::with("--rpm 6000 --burst 2s --hints none --latency 1ms");
    world.rows(200);
    let told = world.run("--rpm 6000").ok().json();
    assert_eq!((&told["done"], &told["refused_429"]), (&json!(200), &json!(0)), "{told}");
    assert_eq!(world.asked(), (200, 0));
}

#[test]
fn what_fails_on_the_way_is_asked_again_and_a_wrong_key_stops_everything() {
    let shell = Shell::new();
    shell.write(
        "faults.toml",
        "name = \"bad\"\n[[faults]]\nkind = \"openai_5xx\"\nat = \"0s\"\nfor = \"1h\"\none_in = 5\n",
    );
    let mut sim =
        shell.start("sim --venues openai --scenario faults.toml --keys sk-known-to-the-server");
    let places: Value = serde_json::from_str(&sim.until("openai")).unwrap();
    let base = places["openai"]["rest"].as_str().unwrap();
    let row = |i: u32| {
        let messages = json!([{"role": "user", "content": format!("question {i}")}]);
        json!({"custom_id": format!("r{i}"), "body": {"model": "gpt-4o-mini", "messages": messages}})
    };
    let rows: Vec<String> = (0..40).map(|i| row(i).to_string()).collect();
    shell.write("in.jsonl", rows.join("\n"));
    let line = format!("llm run in.jsonl -o out.jsonl --base-url {base} --json -q");
    let wrong = Shell::run(&shell, &line);
    assert_eq!(wrong.code, 4, "a key is missing: {wrong}");
    let mut command = shell.command(&line);
    command.env("OPENAI_API_KEY", "sk-not-known");
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let wrong = Running::start(&mut command, &line).end();
    assert_eq!(wrong.code, 4, "{wrong}");
    assert_eq!(wrong.json()["done"], 0);
    assert!(shell.read("out.jsonl").is_empty(), "rows that were not asked are not failed");
    let mut command = shell.command(&line);
    command.env("OPENAI_API_KEY", "sk-known-to-the-server");
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let told = Running::start(&mut command, &line).end_within(Duration::from_secs(60)).ok().json();
    assert_eq!((&told["done"], &told["failed"]), (&json!(40), &json!(0)), "{told}");
    assert!(told["retries"].as_u64().unwrap() > 0, "{told}");
}

#[test]
fn a_batch_goes_and_comes_back() {
    let world = World::with("--batch-line 1ms --speed 50");
    world.rows(20);
    let submit = format!("llm batch submit in.jsonl --base-url {} --json", world.base);
    let id = world.shell.run(&submit).ok().json()["id"].as_str().unwrap().to_owned();
    let status = format!("llm batch status {id} --base-url {} --json", world.base);
    let mut waited = 0;
    while world.shell.run(&status).ok().json()["status"] != "completed" {
        waited += 1;
        assert!(waited < 200, "it is over in time");
        thread::park_timeout(Duration::from_millis(20));
    }
    let fetch = format!(
        "llm batch fetch {id} -o out.jsonl --input in.jsonl --base-url {} --json",
        world.base
    );
    let told = world.shell.run(&fetch).ok().json();
    assert_eq!((&told["done"], &told["missing"]), (&json!(20), &json!(0)), "{told}");
    assert_eq!(world.results().len(), 20);
    assert_eq!(world.shell.run(&fetch).ok().json()["skipped"], 20, "nothing is doubled");
    let told = world.run("").ok().json();
    assert_eq!((&told["skipped"], &told["done"]), (&json!(20), &json!(0)), "{told}");
}

#[test]
fn one_question_is_answered_in_pieces() {
    let world = World::with("--token-time 1ms");
    let line = format!("llm ask Sentiment:gains --base-url {} -m gpt-4o-mini", world.base);
    let run = world.shell.run(&line).ok().quiet();
    assert!(run.out.trim_end().starts_with("positive"), "{run}");
    let run = world.shell.run(&format!("{line} --json")).ok();
    assert_eq!(run.json()["choices"][0]["finish_reason"], "stop", "{run}");
}

#[test]
fn a_wrong_row_is_named_before_anything_is_asked() {
    let world = World::with("--latency 1ms");
    world.rows(3);
    let mut text = String::from_utf8(world.shell.read("in.jsonl")).unwrap();
    let first = text.lines().next().unwrap().to_owned();
    text.push_str(&first);
    world.shell.write("in.jsonl", text);
    let said = world.shell.run(&world.line("")).refused(2);
    assert!(said.contains("line 4") && said.contains("\"r0\" stands on line 1 too"), "{said}");
    assert_eq!(world.asked().0, 0);
}

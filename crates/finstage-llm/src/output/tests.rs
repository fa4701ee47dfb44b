use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use finstage_store::suite::Rng;
use serde_json::{Value, json};

use super::*;
use crate::{Admission, CHAT, Reply, Row, RowError};

const START: Timestamp = Timestamp::from_secs(1_800_000_000);

fn row(number: usize) -> Row {
    let text = format!("질문 {number}, \"{}\"", "x".repeat(number % 7));
    let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
    let body = body.as_object().unwrap().clone();
    Row { line: number as u64 + 1, custom_id: format!("row-{number}"), url: CHAT.to_owned(), body }
}

fn answered(number: usize) -> Done {
    let body = json!({"choices": [{"message": {"content": format!("답\n{number}")}}]});
    let reply = Reply { status: 200, request_id: format!("r{number}"), body };
    Done { row: row(number), end: End::Answered(reply), attempts: Vec::new(), is_cached: false }
}

fn failed(number: usize) -> Done {
    let reply = number.is_multiple_of(2).then(|| Reply {
        status: 500,
        request_id: String::new(),
        body: json!({"error": {}}),
    });
    let error = RowError { code: "timeout".into(), message: "no answer".into(), reply };
    Done { end: End::Failed(error), ..answered(number) }
}

fn open(path: &Path) -> (Output, Resumed) {
    Output::open(path, &OutputOptions::default()).unwrap()
}

/// Rows that are still to be asked.
fn asked(resumed: &mut Resumed, rows: usize) -> Vec<usize> {
    let is_asked = |n: &usize| resumed.register.admit(&row(*n)).unwrap() == Admission::Ask;
    (0..rows).filter(is_asked).collect()
}

/// How often each answered row stands in an output of whole lines.
fn counts(path: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["error"].is_null() {
            *counts.entry(line["custom_id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    counts
}

fn finish(path: &Path, rows: usize) {
    let (mut output, mut resumed) = open(path);
    for number in asked(&mut resumed, rows) {
        output.put(&answered(number), None, START).unwrap();
    }
    output.flush().unwrap();
    let once: BTreeMap<_, _> = (0..rows).map(|n| (format!("row-{n}"), 1)).collect();
    assert_eq!(counts(path), once);
}

#[test]
fn a_line_is_the_text_of_its_value() {
    for done in [answered(3), failed(2), failed(3)] {
        let mut bytes = Vec::new();
        done.write_line(&mut bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("{}\n", done.to_line()));
    }
}

#[test]
fn wherever_an_output_was_cut_the_next_run_loses_and_doubles_nothing() {
    const ROWS: usize = 3;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.jsonl");
    finish(&path, ROWS);
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let (output, mut resumed) = open(&path);
        let ends: Vec<_> = (0..cut).filter(|&at| whole[at] == b'\n').collect();
        let is_whole_but_for_its_end = whole[cut] == b'\n';
        let kept = ends.len() + usize::from(is_whole_but_for_its_end);
        assert_eq!(resumed.register.done(), kept as u64, "cut at {cut}");
        let torn = cut - ends.last().map_or(0, |end| end + 1);
        let torn = if is_whole_but_for_its_end { 0 } else { torn };
        assert_eq!(resumed.torn_bytes, torn as u64, "cut at {cut}");
        assert_eq!(asked(&mut resumed, ROWS).len(), ROWS - kept);
        drop(output);
        finish(&path, ROWS);
    }
}

/// A job that is killed again and again, each time with another part of what was written on the disk; rows
/// fail too.
fn life(seed: u64, path: &Path) {
    const ROWS: usize = 12;
    let mut rng = Rng::new(seed);
    let mut now = START;
    let mut synced_rows = BTreeSet::<usize>::new();
    for _ in 0..8 {
        let (mut output, mut resumed) = open(path);
        let mut todo = asked(&mut resumed, ROWS);
        let lost: Vec<_> = todo.iter().filter(|n| synced_rows.contains(*n)).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?} were on the disk");
        let mut synced = fs::metadata(path).unwrap().len();
        let mut answers = BTreeSet::new();
        for _ in 0..rng.below(todo.len() + 1) {
            let number = todo.swap_remove(rng.below(todo.len()));
            match rng.below(4) {
                0 => output.put(&failed(number), None, now).unwrap(),
                _ => {
                    output.put(&answered(number), None, now).unwrap();
                    answers.insert(number);
                }
            }
            now = now.plus(std::time::Duration::from_millis(rng.below(90) as u64));
            match rng.below(8) {
                0 => output.flush().unwrap(),
                1 => {
                    output.sync().unwrap();
                    synced = fs::metadata(path).unwrap().len();
                    synced_rows.extend(&answers);
                }
                _ => {}
            }
        }
        drop(output);
        let len = fs::metadata(path).unwrap().len();
        let cut = synced + rng.below((len - synced) as usize + 1) as u64;
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(cut).unwrap();
        if rng.below(4) == 0 {
            fs::write(path.with_extension("jsonl.rewrite"), "{\"half").unwrap();
        }
    }
    finish(path, ROWS);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "FINSTAGE_LONG=1 asks for the thorough form")]
fn a_job_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lives = if std::env::var_os("FINSTAGE_LONG").is_some() { 1000 } else { 50 };
    for seed in 0..lives {
        life(seed, &dir.path().join(format!("{seed}.jsonl")));
    }
}

#[test]
fn rows_that_failed_are_taken_out_and_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.jsonl");
    let (mut output, _) = open(&path);
    for done in [answered(0), failed(1), answered(2), failed(3)] {
        output.put(&done, None, START).unwrap();
    }
    output.close(START).unwrap();
    let (_output, mut resumed) = open(&path);
    assert_eq!((resumed.register.done(), resumed.asked_again), (2, 2));
    assert_eq!(asked(&mut resumed, 5), [1, 3, 4]);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[test]
fn failed_rows_go_to_a_file_of_their_own_that_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (path, errors) = (dir.path().join("out.jsonl"), dir.path().join("errors.jsonl"));
    let options = OutputOptions { errors: Some(errors.clone()), is_ordered: false };
    for failing in [1, 2] {
        let (mut output, mut resumed) = Output::open(&path, &options).unwrap();
        for number in asked(&mut resumed, 3) {
            let done = if number == failing { failed(number) } else { answered(number) };
            output.put(&done, None, START).unwrap();
        }
        output.close(START).unwrap();
        let lines = fs::read_to_string(&errors).unwrap();
        let names: Vec<_> = lines.lines().map(|line| line.contains("timeout")).collect();
        assert_eq!(names, vec![true; usize::from(failing == 1)], "{lines}");
    }
    assert_eq!(counts(&path).len(), 3);
    let same = OutputOptions { errors: Some(dir.path().join("./out.jsonl")), is_ordered: false };
    let error = Output::open(&path, &same).unwrap_err();
    assert!(error.to_string().contains("cannot take results and errors"), "{error}");
}

#[tokio::test]
async fn ordered_lines_stand_as_in_the_input_though_some_fail_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let (path, errors) = (dir.path().join("out.jsonl"), dir.path().join("errors.jsonl"));
    let options = OutputOptions { errors: Some(errors.clone()), is_ordered: true };
    let (mut output, _) = Output::open(&path, &options).unwrap();
    let mut turns = output.turns().unwrap();
    let mut rows = Vec::new();
    for number in 0..100 {
        rows.push((number, turns.next().await));
    }
    let mut rng = Rng::new(7);
    while !rows.is_empty() {
        let (number, turn) = rows.swap_remove(rng.below(rows.len()));
        match number % 10 {
            3 => output.put(&failed(number), Some(turn), START).unwrap(),
            4 => output.skip(turn, START).unwrap(),
            _ => output.put(&answered(number), Some(turn), START).unwrap(),
        }
    }
    output.close(START).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let names: Vec<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["custom_id"].as_str().unwrap().to_owned()
        })
        .collect();
    let expected: Vec<String> =
        (0..100).filter(|n| ![3, 4].contains(&(n % 10))).map(|n| format!("row-{n}")).collect();
    assert_eq!(names, expected);
    assert_eq!(fs::read_to_string(&errors).unwrap().lines().count(), 10);
}

#[test]
fn a_second_process_on_the_same_output_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.jsonl");
    let (mut first, _) = open(&path);
    first.put(&failed(1), None, START).unwrap();
    first.flush().unwrap();
    let refused = || Output::open(&path, &OutputOptions::default()).unwrap_err();
    assert!(refused().to_string().contains("another process"), "{}", refused());
    assert_eq!(refused().kind(), crate::ErrorKind::Store);
    drop(first);
    // This one puts a new file in the place of the old.
    let (second, resumed) = open(&path);
    assert_eq!(resumed.asked_again, 1);
    assert!(refused().to_string().contains("another process"));
    drop(second);
    open(&path);
}

#[test]
fn a_line_of_another_program_is_done_by_its_name_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.jsonl");
    let text = concat!(
        r#"{"id":"batch_req_1","custom_id":"row-0","response":{"status_code":200,"body":{}},"error":null}"#,
        "\n\n",
        r#"{"id":"batch_req_2","custom_id":"row-1","response":{"status_code":400,"body":{}},"error":null}"#,
        "\n",
        r#"{"id":"row_zz","custom_id":"row-2","response":{"status_code":200,"body":{}},"error":null}"#
    );
    fs::write(&path, text).unwrap();
    let (_output, mut resumed) = open(&path);
    assert_eq!((resumed.asked_again, resumed.torn_bytes), (1, 0));
    assert_eq!(asked(&mut resumed, 4), [1, 3], "a status of 400 is a failure");
}

#[test]
fn a_file_that_holds_no_results_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.jsonl");
    let mut line = Vec::new();
    answered(0).write_line(&mut line);
    let line = String::from_utf8(line).unwrap();
    for (text, number) in [
        ("id,text\n1,a\n".to_owned(), 1),
        (format!("{line}{{\"a\":1}}\n"), 2),
        ("precious".into(), 1),
    ] {
        fs::write(&path, &text).unwrap();
        let error = Output::open(&path, &OutputOptions::default()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("out.jsonl:{number}: this is no line of results")),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn an_answer_that_stands_twice_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.jsonl");
    let mut line = Vec::new();
    answered(0).write_line(&mut line);
    fs::write(&path, line.repeat(2)).unwrap();
    let (_output, resumed) = open(&path);
    assert_eq!((resumed.register.done(), resumed.doubled), (1, 1));
}

#[cfg(unix)]
#[test]
fn a_link_leads_to_the_output_and_a_device_takes_results_without_a_past() {
    let dir = tempfile::tempdir().unwrap();
    let (path, link) = (dir.path().join("out.jsonl"), dir.path().join("link.jsonl"));
    let (mut output, _) = open(&path);
    output.put(&failed(0), None, START).unwrap();
    output.close(START).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    drop(open(&link));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&path).unwrap(), "", "the failed row was taken out there");
    let (mut output, resumed) = open(Path::new("/dev/null"));
    assert_eq!(resumed.register.done(), 0);
    output.put(&answered(0), None, START).unwrap();
    output.close(START).unwrap();
}

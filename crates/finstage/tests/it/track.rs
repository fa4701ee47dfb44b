//! The track record through the binary: exported, checked elsewhere, forged.

use finstage_store::FolderLock;
use serde_json::Value;

use crate::cli::day;
use crate::cli::shell::Shell;

/// A shell with the folder of a demo, and its track record in `track.jsonl`.
fn played() -> Shell {
    let (shell, _) = day::played("d");
    shell.run("track-record export --data-dir d -q -o track.jsonl").ok().quiet();
    shell
}

fn lines(shell: &Shell) -> Vec<String> {
    let text = String::from_utf8(shell.read("track.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn value(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[test]
fn what_a_demo_said_is_exported_whole_and_the_same_every_time() {
    let shell = played();
    let lines = lines(&shell);
    let signals = shell.run("signals list --json --limit 100000 --data-dir d").ok().out;
    let said: Vec<Value> = lines.iter().map(|line| value(line)).collect();
    let of = |kind: &str| said.iter().filter(|entry| entry["kind"] == kind).count();
    assert_eq!(of("signal"), signals.lines().count());
    assert!(of("outcome") > 100, "{}", of("outcome"));
    let last = &said[said.len() - 1];
    assert_eq!(last["entries"], lines.len() - 1);
    assert_eq!(last["ok"], true);

    let checked = shell.run("track-record verify track.jsonl --json").ok().quiet().json();
    assert_eq!((&checked["entries"], &checked["head"]), (&last["entries"], &last["head"]));
    assert_eq!((&checked["ok"], &checked["fault"]), (&Value::Bool(true), &Value::Null));
    let head = last["head"].as_str().unwrap();
    shell.run(&format!("track-record verify track.jsonl --head {head}")).ok().quiet();
    let again = shell.run("track-record export --data-dir d").ok().quiet();
    assert_eq!(again.out.lines().collect::<Vec<_>>(), lines);
    // The same signals, looked at for patterns: the same every time.
    let asked = "patterns --data-dir d --horizon 1h --seed 7 --json";
    let patterns = shell.run(asked).ok().quiet();
    assert_eq!(shell.run(asked).ok().out, patterns.out);
    let patterns = patterns.json();
    let withheld = said.iter().filter(|entry| entry["verdict"] == "withheld").count();
    assert_eq!(patterns["signals"], of("signal") - withheld);
    let first = &patterns["patterns"][0];
    assert!(first["occurrences"].as_u64().unwrap() >= 5 && first["outcomes"].is_array());
    assert!(patterns["tested"].as_u64().unwrap() > 0 && !patterns["clusters"].is_null());
    // Beside a service, what it has added so far is read.
    let lock = FolderLock::acquire(&shell.path("d")).unwrap();
    let beside = shell.run("track-record export --data-dir d").ok();
    assert_eq!(beside.out, again.out);
    assert!(beside.err.contains("once an hour"), "{beside}");
    drop(lock);
}

#[test]
fn a_forged_line_is_named_with_its_number() {
    let shell = played();
    let lines = lines(&shell);
    let last = lines.len();
    let forged = |forge: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        forge(&mut lines);
        shell.write("forged.jsonl", lines.join("\n") + "\n");
        let said = shell.run("track-record verify forged.jsonl --json");
        assert_eq!(said.code, 1, "{said}");
        let line = said.json()["fault"]["line"].as_u64().unwrap();
        let words = shell.run("track-record verify forged.jsonl").refused(1);
        assert!(words.starts_with(&format!("forged.jsonl line {line}: ")), "{words}");
        line as usize
    };
    assert_eq!(forged(&|lines| lines[6] = lines[6].replace("unproven", "verified")), 7);
    assert_eq!(forged(&|lines| lines.swap(10, 11)), 11);
    assert_eq!(forged(&|lines| drop(lines.remove(0))), 1);
    // The last entry, and the head.
    assert_eq!(forged(&|lines| drop(lines.remove(last - 2))), last - 1);
    assert_eq!(forged(&|lines| lines.swap(last - 2, last - 3)), last - 2);
    assert_eq!(forged(&|lines| drop(lines.pop())), last);
    let other = shell.run("track-record verify track.jsonl --head 00").refused(1);
    assert!(other.contains("no entry has the hash that was noted"), "{other}");
}

#[test]
fn a_record_that_was_forged_in_the_store_is_not_exported() {
    let shell = played();
    let connection = rusqlite::Connection::open(shell.path("d/records.db")).unwrap();
    let forge = "UPDATE track SET body = replace(body, 'unproven', 'verified') WHERE number = 9";
    connection.execute(forge, ()).unwrap();
    drop(connection);
    let said = shell.run("track-record export --data-dir d -o forged.jsonl").refused(1);
    assert_eq!(
        said,
        "the track record is not whole: row 9: it was changed: its hash is another: put a backup in its place"
    );
    assert!(!shell.path("forged.jsonl").exists());
}

#[test]
fn the_proof_of_a_signal_is_one_page_with_its_place_in_the_chain() {
    let shell = played();
    let lines = lines(&shell);
    let outcome = lines.iter().map(|line| value(line)).find(|entry| entry["kind"] == "outcome");
    let id = outcome.unwrap()["id"].as_str().unwrap().to_owned();
    shell.run(&format!("signals show {id} --proof proof.html -q --data-dir d")).ok().quiet();
    let html = String::from_utf8(shell.read("proof.html")).unwrap();
    let said = lines.iter().map(|line| value(line)).find(|entry| entry["id"] == id.as_str());
    let hash = said.unwrap()["hash"].as_str().unwrap().to_owned();
    for part in [&*id, &hash, "<svg", "not measured yet", "<td>1h</td>", "track-record verify"] {
        assert!(html.contains(part), "{part} is not in the page");
    }
    assert!(!html.contains("<script") && !html.contains("http"), "the page is alone");
}

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{CANARY, pass, text, with_keyring};
use crate::cli::shell::{Run, Shell};

pub(super) fn mode(bits: u32) -> Permissions {
    Permissions::from_mode(bits)
}

/// Names and states of the keys of `ring.toml`.
fn states(shell: &Shell) -> Vec<(String, String)> {
    let rows = shell.run("keys list --json --keyring ring.toml").ok().quiet().rows();
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter().map(|row| (word(row, "id"), word(row, "state"))).collect()
}

fn pair(id: &str, state: &str) -> (String, String) {
    (id.to_owned(), state.to_owned())
}

#[test]
fn the_first_key_is_primary_a_further_one_waits_and_the_file_is_ours_alone() {
    let shell = Shell::new();
    let run = shell.run("keys new --id k1 --data-dir data").ok();
    assert_eq!(
        (run.out.as_str(), run.err.as_str()),
        ("k1\n", "k1 is primary in data/keyring.toml\n")
    );
    let second = shell.run("keys new --data-dir data --json").ok().json();
    assert_eq!(
        (&second["state"], &second["keyring"]),
        (&json!("pending"), &json!("data/keyring.toml"))
    );
    shell.write("plain", "x\n");
    pass(&shell, "seal --data-dir data", "plain", "sealed").ok();
    for file in ["keyring.toml", "keyring.toml.senders"] {
        let found = std::fs::metadata(shell.path("data").join(file)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, 0o600, "{file}");
    }
    let refused = shell.run("keys new --id k1 --data-dir data").refused(2);
    assert!(refused.contains("a key k1 is there already"), "{refused}");
    let table = shell.run("keys list --data-dir data").ok().quiet().out;
    let names: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(names, ["id", "state", "since", "until", "sealed", "left"]);
    let first = table.lines().nth(1).unwrap();
    assert!(first.starts_with("k1") && first.contains("primary"), "{table}");
}

#[test]
fn a_keyring_that_others_can_read_is_refused_with_what_to_do() {
    let shell = with_keyring();
    std::fs::set_permissions(shell.path("ring.toml"), mode(0o640)).unwrap();
    for line in ["keys list", "keys new", "keys rotate", "keys disable k1", "seal", "open"] {
        let refused = shell.run(&format!("{line} --keyring ring.toml")).refused(2);
        assert!(
            refused.contains("mode 0640") && refused.contains("chmod 600 ring.toml"),
            "{refused}"
        );
    }
    let run = shell.run("keys check --keyring ring.toml");
    assert_eq!(run.code, 1, "{run}");
    assert!(run.out.starts_with("fail  file  ring.toml has mode 0640"), "{run}");
    std::fs::set_permissions(shell.path("ring.toml"), mode(0o600)).unwrap();
    // Who can write the numbers could have one used twice.
    shell.write("plain", "x\n");
    pass(&shell, "seal --keyring ring.toml", "plain", "sealed").ok();
    std::fs::set_permissions(shell.path("ring.toml.senders"), mode(0o606)).unwrap();
    let run = shell.run("keys check --keyring ring.toml");
    assert_eq!(run.code, 1, "{run}");
    assert!(run.out.contains("chmod 600 ring.toml.senders"), "{run}");
}

#[test]
fn a_key_of_ones_own_is_taken_or_refused_with_its_length_or_the_place_that_is_wrong() {
    let shell = Shell::new().with("GOOD", CANARY).with("SHORT", "AAECAw==").with("BAD", "AA-CAw==");
    shell.write("key.txt", format!("{CANARY}\n"));
    std::fs::set_permissions(shell.path("key.txt"), mode(0o600)).unwrap();
    let check = |from: &str| shell.run(&format!("keys check --from {from}"));
    for from in ["env:GOOD", "file:key.txt"] {
        assert_eq!(check(from).ok().quiet().out, "ok    key  32 bytes as base64\n");
    }
    let complaint = |run: &Run, code| run.refused(code);
    let short = complaint(&check("env:SHORT"), 1);
    assert!(short.contains("a key has 32 bytes, this one has 4"), "{short}");
    let bad = complaint(&check("env:BAD"), 1);
    assert!(bad.contains("not base64") && bad.contains("see character 3"), "{bad}");
    for (from, said) in [("env:SHORT", &short), ("env:BAD", &bad)] {
        let new = shell.run(&format!("keys new --keyring ring.toml --from {from}")).refused(2);
        assert_eq!(new, *said);
        assert!(new.contains("head -c 32 /dev/urandom | base64"), "{new}");
    }
    let missing = complaint(&check("env:NOWHERE"), 1);
    assert!(missing.contains("NOWHERE is not set"), "{missing}");
    let literal = complaint(&check(CANARY), 2);
    assert!(literal.contains("write env:NAME or file:PATH"), "{literal}");

    shell.run("keys new --keyring ring.toml --id ours --from file:key.txt").ok();
    assert!(text(&shell, "ring.toml").contains(CANARY));
    let twice = shell.run("keys new --keyring ring.toml --id b --from env:GOOD").refused(2);
    assert!(twice.contains("key ours has the same bytes"), "{twice}");
}

#[test]
fn after_a_rotation_that_nobody_was_told_of_the_next_one_is() {
    let shell = with_keyring();
    let first = shell.run("keys rotate --keyring ring.toml --json").ok().quiet().json();
    assert_eq!(first["unannounced"], true);
    let second = shell.run("keys rotate --keyring ring.toml --json").ok().quiet().json();
    assert_eq!((&second["unannounced"], &second["primary"]), (&json!(false), &first["pending"]));
}

#[test]
fn a_rotation_makes_the_pending_key_primary_and_the_old_one_opens_until_it_is_disabled() {
    let shell = with_keyring();
    shell.run("keys new --keyring ring.toml --id k2").ok();
    shell.write("plain", "sealed with the first\n");
    pass(&shell, "seal --keyring ring.toml", "plain", "first").ok();

    let rotated = shell.run("keys rotate --keyring ring.toml --json").ok().quiet().json();
    assert_eq!((&rotated["primary"], &rotated["previous"]), (&json!("k2"), &json!("k1")));
    assert_eq!(rotated["unannounced"], false);
    let third = rotated["pending"].as_str().unwrap();
    assert_eq!(
        states(&shell),
        [pair("k1", "accept"), pair("k2", "primary"), pair(third, "pending")]
    );
    let rows = shell.run("keys list --json --keyring ring.toml").ok().rows();
    assert_eq!(rows[0]["until"], rotated["accept_until"]);
    assert!(rows[0]["sealed"].as_u64().unwrap() >= 1, "{rows:?}");

    pass(&shell, "seal --keyring ring.toml", "plain", "second").ok();
    assert!(text(&shell, "second").contains("\"kid\":\"k2\""));
    shell.write("both", text(&shell, "first") + &text(&shell, "second"));
    pass(&shell, "open --keyring ring.toml", "both", "opened").ok();
    shell.run("keys disable k1 --keyring ring.toml").ok();
    let run = pass(&shell, "open --keyring ring.toml", "both", "opened");
    assert_eq!((run.code, text(&shell, "opened")), (1, text(&shell, "plain")), "{run}");
    assert!(run.err.starts_with("line 1: decryption failed\n"), "{run}");

    let refused = shell.run("keys destroy k1 --keyring ring.toml").refused(2);
    assert!(refused.contains("add --yes"), "{refused}");
    shell.run("keys destroy k1 --yes --keyring ring.toml").ok();
    assert_eq!(states(&shell)[0], pair("k1", "destroyed"));
    let refused = shell.run("keys disable k2 --keyring ring.toml").refused(2);
    assert!(refused.contains("key k2 is primary"), "{refused}");
    let refused = shell.run("keys disable k9 --keyring ring.toml").refused(2);
    assert!(refused.contains("no key k9"), "{refused}");
}

#[test]
fn a_rotation_is_done_when_it_is_due_and_a_check_tells() {
    let shell = with_keyring();
    let check = |code: i32| {
        let run = shell.run("keys check --keyring ring.toml --json");
        assert_eq!(run.code, code, "{run}");
        run.json()
    };
    assert_eq!(check(0)["ok"], true);
    let run = shell.run("keys rotate --if-due --keyring ring.toml").ok();
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", "no rotation is due\n"));

    let ring = text(&shell, "ring.toml");
    let old = |line: &str| match line.split_once(" = ") {
        Some((name @ ("created" | "primary_since"), _)) => {
            format!("{name} = \"2026-01-05T00:00:00Z\"\n")
        }
        _ => format!("{line}\n"),
    };
    shell.write("ring.toml", ring.lines().map(old).collect::<String>());
    let found = check(1);
    let due = found["checks"].as_array().unwrap().iter().find(|row| row["status"] == "fail");
    assert!(due.unwrap()["detail"].as_str().unwrap().contains("key k1 is due"), "{found}");
    let run = shell.run("keys rotate --if-due --keyring ring.toml").ok();
    assert!(run.err.contains("no key was pending"), "{run}");
    assert_eq!(states(&shell)[0], pair("k1", "accept"));
    check(0);
}

#[test]
fn a_keyring_that_is_not_there_or_not_one_is_refused_in_words() {
    let shell = Shell::new();
    for line in ["keys list", "keys check", "keys rotate", "seal", "open"] {
        let refused = shell.run(&format!("{line} --keyring none.toml")).refused(2);
        assert_eq!(refused, "no keyring at none.toml: make one with `finstage keys new`");
    }
    shell.write("short.toml", "version = 1\n[[keys]]\nid = \"k1\"\nkey = \"AAECAw==\"\n");
    shell.write("bad.json", r#"{"version":1,"keys":[{"id":"k1","key":"no base64!"}]}"#);
    for (file, why) in [("short.toml", "this one has 4"), ("bad.json", "not base64")] {
        std::fs::set_permissions(shell.path(file), mode(0o600)).unwrap();
        let refused = shell.run(&format!("open --keyring {file}")).refused(2);
        assert!(refused.contains(why) && refused.contains("line "), "{refused}");
        let run = shell.run(&format!("keys check --keyring {file}"));
        assert_eq!(run.code, 1, "{run}");
        assert!(run.out.starts_with("fail  file  ") && run.out.contains(why), "{run}");
    }
}

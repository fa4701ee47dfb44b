use std::process::Stdio;

use serde_json::Value;

use super::{CANARY, pass, text, with_keyring, with_known_key};
use crate::cli::shell::{Running, Shell};

/// An envelope in the bare form that another program made with the known key, and its message.
const BARE: &str = r#"{"encrypted_payload": "MzmtHxSLOfIcWH2qjiY/rgaWJCapHIEbxLSOcs+RnX2kx3HsbmT0aIieHR3HcuT9Lne6k0knJFuOkMGmzbuUvTG66zbleQs1ul3ePpoXfgyb2QW/ZFMcB+w8ASo=", "nonce": "ZGVmZ2hpamtsbW5v"}"#;
/// One of version 1 that another program made from the documentation, with the known key as `ours`.
const FOREIGN: &str = r#"{"v": 1, "kid": "ours", "sid": 7, "seq": 41, "nonce": "AAAABwAAAAAAAAAp", "encrypted_payload": "hIFJNm+w2kGo2wZ4VKke6frMmH5lClxn8xeFJRk/G2XpK4t6QXZOYGKlTqmafL+JNTT+knJrm/gmjwZFXMK2rRcRo89a05pdjSwPsogF4A24CeoUhPCAdmRmJt0="}"#;
const TICK: &str =
    r#"{"symbol":"BTCUSDT","price":42850.1,"volume":0.25,"timestamp":1796083200123}"#;

/// Some lines and the envelopes of them, one each, in the files `plain` and `sealed`.
fn sealed(shell: &Shell, count: usize) -> Vec<String> {
    let lines: Vec<String> = (0..count).map(|i| format!("{{\"n\":{i}}}\n")).collect();
    shell.write("plain", lines.concat());
    pass(shell, "seal --keyring ring.toml -q", "plain", "sealed").ok().quiet();
    text(shell, "sealed").lines().map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_was_sealed_is_opened_byte_for_byte() {
    let shell = with_keyring();
    let long = format!("{}\nshort\n", "x".repeat(1_500_000)).into_bytes();
    let many: Vec<u8> = (0..2_500).flat_map(|i| format!("{{\"n\":{i}}}\n").into_bytes()).collect();
    let inputs: [&[u8]; 7] = [
        b"",
        b"one\n",
        b"no line break at the end\nhere",
        b"\n\n\r\nwindows\r\n\n",
        b"\xff\x00 not UTF-8 \xc3\n\xe2\x82\n",
        &long,
        &many,
    ];
    for (number, input) in inputs.into_iter().enumerate() {
        shell.write("plain", input);
        for (batch, threads) in [(1, 4), (3, 1)] {
            let line = format!("seal --keyring ring.toml --batch {batch}");
            pass(&shell, &line, "plain", "sealed").ok();
            let line = format!("open --keyring ring.toml --threads {threads} --batch 7");
            pass(&shell, &line, "sealed", "opened").ok();
            assert!(shell.read("opened") == input, "input {number}, batch {batch}");
        }
    }
}

#[test]
fn an_envelope_is_one_line_with_the_six_members_and_nothing_of_the_message() {
    let shell = with_keyring();
    shell.write("plain", "a secret of ours\nanother one\nthe last\n");
    pass(&shell, "seal --keyring ring.toml --batch 2 --sender 9 -q", "plain", "sealed")
        .ok()
        .quiet();
    let sealed = text(&shell, "sealed");
    let rows: Vec<Value> = sealed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    for (seq, row) in rows.iter().enumerate() {
        let names: Vec<&String> = row.as_object().unwrap().keys().collect();
        assert_eq!(names, ["encrypted_payload", "kid", "nonce", "seq", "sid", "v"]);
        assert_eq!((&row["v"], &row["kid"], &row["sid"]), (&1.into(), &"k1".into(), &9.into()));
        assert_eq!(row["seq"], seq);
    }
    assert!(!sealed.contains("secret"));
}

#[test]
fn what_was_changed_or_repeated_is_refused_with_its_line_and_the_rest_is_opened() {
    let shell = with_keyring();
    let lines = sealed(&shell, 4);
    let payload = "\"encrypted_payload\":\"";
    let at = lines[1].find(payload).unwrap() + payload.len();
    let other = if lines[1].as_bytes()[at] == b'A' { "B" } else { "A" };
    let mut tampered = lines[1].clone();
    tampered.replace_range(at..=at, other);
    let renumbered = lines[2].replace("\"seq\":2", "\"seq\":3");
    let foreign = lines[2].replace("\"kid\":\"k1\"", "\"kid\":\"k2\"");
    let input = [&lines[0], &tampered, &lines[0], "\n", &renumbered, "no\n", &foreign, &lines[3]];
    shell.write("mixed", input.concat());
    for threads in [1, 4] {
        let line = format!("open --keyring ring.toml --json --batch 2 --threads {threads}");
        let run = pass(&shell, &line, "mixed", "opened");
        assert_eq!(run.code, 1, "{run}");
        assert_eq!(text(&shell, "opened"), "{\"n\":0}\n{\"n\":3}\n");
        let said: Vec<&str> = run.err.lines().collect();
        let failed = |line: u32| format!("line {line}: decryption failed");
        let expected =
            [failed(2), "line 3: message came before".into(), failed(5), failed(6), failed(7)];
        assert_eq!(said[..5], expected, "{run}");
        let summary: Value = serde_json::from_str(said[5]).unwrap();
        for (name, value) in [("opened", 2), ("failed", 5), ("replayed", 1), ("lines", 2)] {
            assert_eq!(summary[name], value, "{summary}");
        }
        assert_eq!(summary["threads"], threads);
        assert!(summary["per_second"].as_f64().unwrap() > 0.0, "{summary}");
    }
    let run = pass(&shell, "open --keyring ring.toml", "sealed", "opened").ok();
    assert!(run.err.starts_with("4 opened, 0 failed (0 of them replayed), "), "{run}");
}

#[test]
fn the_bare_form_is_opened_only_with_the_key_that_is_named_for_it() {
    let shell = with_known_key();
    shell.write("sealed", format!("{BARE}\n{FOREIGN}\n{BARE}\n"));
    let run = pass(&shell, "open --keyring ring.toml", "sealed", "opened");
    assert_eq!((run.code, text(&shell, "opened")), (1, format!("{TICK}\n")), "{run}");
    assert!(run.err.starts_with("line 1: decryption failed\nline 3: decryption failed\n"), "{run}");

    let line = "open --keyring ring.toml --allow-bare ours";
    pass(&shell, line, "sealed", "opened").ok();
    assert_eq!(text(&shell, "opened"), format!("{TICK}\n{TICK}\n{TICK}\n"));

    shell.run("keys new --keyring ring.toml --id other").ok();
    let run = pass(&shell, "open --keyring ring.toml --allow-bare other", "sealed", "opened");
    assert_eq!((run.code, text(&shell, "opened")), (1, format!("{TICK}\n")), "{run}");
    let refused = shell.run("open --keyring ring.toml --allow-bare nobody").refused(2);
    assert_eq!(refused, "--allow-bare nobody: no such key: `finstage keys list` shows them");
}

#[test]
fn a_second_run_of_the_sealer_repeats_no_number() {
    let shell = with_keyring();
    let first = sealed(&shell, 3);
    let second = sealed(&shell, 3);
    shell.write("both", [first, second].concat().concat());
    pass(&shell, "open --keyring ring.toml", "both", "opened").ok();
    assert_eq!(text(&shell, "opened"), text(&shell, "plain").repeat(2));
    // Not even under one number of sender: then only their order matters.
    for to in ["a", "b"] {
        pass(&shell, "seal --keyring ring.toml --sender 5", "plain", to).ok();
    }
    shell.write("both", [text(&shell, "a"), text(&shell, "b")].concat());
    pass(&shell, "open --keyring ring.toml", "both", "opened").ok();
}

#[test]
fn whoever_stops_reading_ends_both_without_a_word() {
    let shell = with_keyring();
    let lines: String = (0..20_000).map(|i| format!("{{\"n\":{i}}}\n")).collect();
    shell.write("plain", lines);
    pass(&shell, "seal --keyring ring.toml", "plain", "sealed").ok();
    for (line, from) in
        [("seal --keyring ring.toml", "plain"), ("open --keyring ring.toml", "sealed")]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = shell.command(line);
        command.stdin(std::fs::File::open(shell.path(from)).unwrap());
        command.stdout(writer).stderr(Stdio::piped());
        Running::start(&mut command, line).end().ok().quiet();
    }
}

#[test]
fn what_comes_slowly_goes_on_at_once() {
    use std::io::Write as _;
    let shell = with_keyring();
    let lines = sealed(&shell, 2);
    for (line, input, seen) in [
        ("seal --keyring ring.toml -q", ["one\n", "two\n"], ["\"seq\":", "\"seq\":"]),
        ("open --keyring ring.toml -q", [&lines[0], &lines[1]], ["{\"n\":0}", "{\"n\":1}"]),
    ] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut command = shell.command(line);
        command.stdin(reader).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running::start(&mut command, line);
        drop(command);
        for (line, seen) in input.iter().zip(seen) {
            writer.write_all(line.as_bytes()).unwrap();
            // It answers before the next line comes.
            running.until(seen);
        }
        drop(writer);
        running.end().ok().quiet();
    }
}

#[test]
fn a_key_is_in_no_output() {
    let shell = with_known_key();
    shell.write("plain", "a message\n");
    shell.write("sealed", format!("{FOREIGN}\n{}\n", FOREIGN.replace("ours", CANARY)));
    let mut said = String::new();
    for line in [
        "keys list --json",
        "keys list",
        "keys check --json",
        "keys check -vvv",
        "keys new --id ours",
        "keys new --id again --from env:OUR_KEY",
        "keys rotate --json",
        "keys rotate",
        "keys disable ours",
        "keys destroy ours --yes",
        "keys new --from AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "keys new --id AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "seal -vvv",
        "open -vvv --threads 2",
    ] {
        let from = if line.starts_with("open") { "sealed" } else { "plain" };
        let run = pass(&shell, &format!("{line} --keyring ring.toml"), from, "out");
        said += &format!("{run}\n{}\n", text(&shell, "out"));
    }
    shell.write("broken.toml", format!("version = 1\n[[keys]]\nid = \"{CANARY}\"\nkey = 3\n"));
    std::fs::set_permissions(shell.path("broken.toml"), super::keys::mode(0o600)).unwrap();
    for line in ["keys check", "keys list", "seal", "open"] {
        let run = shell.run(&format!("{line} --keyring broken.toml"));
        assert_ne!(run.code, 0, "{run}");
        said += &format!("{run}\n");
    }
    // The lines of the commands are the caller's own.
    let ours = |line: &&str| !line.starts_with("$ finstage ");
    let said = said.lines().filter(ours).collect::<Vec<_>>().join("\n");
    assert!(said.contains("no rotation is due") && said.contains("decryption failed"), "{said}");
    assert!(!said.contains(&CANARY[..12]), "{said}");
}

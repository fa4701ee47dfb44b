//! A stream that comes sealed, before it does: keys, address, bearer.

use finstage_seal::{Keyring, KeyringFile, NewKey, Secret, UnixTime};

use super::listener;
use crate::cli::shell::{Run, Shell};

const BEARER: &str = "canary-of-the-sealed-feed";
/// What a key of zeros is in a file.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn settings(shell: &Shell, ws: &str, more: &str) {
    shell.write("finstage.toml", format!(
        "[venues.binance]\nrest = \"http://127.0.0.1:1\"\n\
         [venues.binance.sealed]\nws = \"{ws}\"\nkeyring = \"keys.toml\"\ntoken = \"env:BEARER\"\n{more}\
         [[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n"
    ));
}

fn keyring(shell: &Shell) -> KeyringFile {
    let key = NewKey::of("k1".parse().unwrap(), Secret::new([0; 32]));
    let file = KeyringFile::new(&shell.path("keys.toml"));
    file.create(&Keyring::new(key, UnixTime::from_secs(1_735_689_600))).unwrap();
    file
}

/// Nothing that was said has a key in it.
fn quiet(run: Run) -> Run {
    let said = run.out.clone() + &run.err;
    assert!(!said.contains(BEARER) && !said.contains(KEY), "{run}");
    run
}

#[test]
fn serve_says_at_its_start_what_is_wrong_with_the_keys_of_a_sealed_stream() {
    let shell = Shell::new().with("BEARER", BEARER);
    settings(&shell, "ws://127.0.0.1:1", "");
    let said = shell.run("serve").refused(2);
    let place = "venues.binance.sealed.keyring: ";
    assert!(
        said.contains(&format!("{place}no keyring at keys.toml: make one with `finstage keys"))
    );
    let file = keyring(&shell);
    let text = std::fs::read_to_string(file.path()).unwrap();
    assert!(text.contains(KEY), "{text}");
    let chmod = |mode: &str| {
        let done = std::process::Command::new("chmod").arg(mode).arg(file.path()).status();
        assert!(done.unwrap().success());
    };
    chmod("644");
    let said = shell.run("serve").refused(2);
    assert!(said.contains("keys.toml has mode 0644") && said.contains("chmod 600"), "{said}");
    chmod("600");
    std::fs::write(file.path(), text.replace("\"primary\"", "\"disabled\"")).unwrap();
    let said = quiet(shell.run("serve")).refused(4);
    assert!(said.contains("no key in keys.toml opens anything now"), "{said}");
    std::fs::write(file.path(), &text).unwrap();
    settings(&shell, "ws://127.0.0.1:1", "patience = \"endless\"\n");
    let said = shell.run("serve").refused(2);
    assert!(said.contains("venues.binance.sealed.patience: \"endless\""), "{said}");
    assert!(shell.names("finstage-data").is_empty(), "nothing was begun");
}

#[test]
fn a_token_that_is_not_set_and_a_torn_keyring_are_named_without_their_text() {
    let shell = Shell::new();
    settings(&shell, "ws://127.0.0.1:1", "");
    let file = keyring(&shell);
    let said = shell.run("serve").refused(4);
    assert!(
        said.contains("venues.binance.sealed.token: the environment variable BEARER"),
        "{said}"
    );
    // A key that was cut while it was copied.
    let text = std::fs::read_to_string(file.path()).unwrap();
    std::fs::write(file.path(), text.replace(KEY, &KEY[..40])).unwrap();
    let run = shell.run("serve");
    assert!(!run.err.contains("AAAAAAAA"), "{run}");
    let said = run.refused(2);
    assert!(said.contains("keys.toml") && said.contains("this one has 30"), "{said}");
}

#[test]
fn doctor_has_a_line_for_a_sealed_stream_and_asks_as_a_session_would() {
    let shell = Shell::new().with("BEARER", BEARER);
    let (address, asked) =
        listener("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    settings(&shell, &address.replace("http", "ws"), "stream = \"ticks\"\n");
    let line = |run: &Run| -> String {
        let line = run.out.lines().find(|line| line.contains("sealed binance"));
        line.unwrap_or_else(|| panic!("{run}")).to_owned()
    };
    let said = line(&shell.run("doctor"));
    assert!(said.starts_with("fail ") && said.contains("no keyring at"), "{said}");
    keyring(&shell);
    let run = quiet(shell.run("doctor"));
    let said = line(&run);
    let remedy = "check ws, token and stream in [venues.binance.sealed]";
    assert!(said.starts_with("fail ") && said.contains("401") && said.ends_with(remedy), "{said}");
    let request = asked.recv().unwrap().to_lowercase();
    assert!(request.starts_with("get /stream http/1.1\r\n"), "{request}");
    for header in ["x-api-provider: binance", "x-data-stream: ticks", "upgrade: websocket"] {
        assert!(request.contains(&format!("\r\n{header}\r\n")), "{header} is not in {request}");
    }
    assert!(request.contains(&format!("authorization: bearer {BEARER}")), "{request}");
    settings(&shell, "ws://127.0.0.1:1", "fallback = \"ws://127.0.0.1:2\"\n");
    let said = line(&quiet(shell.run("doctor")));
    assert!(said.starts_with("fail ") && said.contains("nor does the fallback answer"), "{said}");
    let shown = quiet(shell.run("config show")).ok();
    let sealed = &shown.json()["feeds"][0]["sealed"];
    assert_eq!((&sealed["keyring"], &sealed["token"]), (&"keys.toml".into(), &"[redacted]".into()));
}

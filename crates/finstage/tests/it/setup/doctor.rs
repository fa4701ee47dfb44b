//! `doctor` and `health`.

use serde_json::Value;

use super::listener;
use crate::cli::shell::Shell;

/// The rows of the doctor, without our own port, which other programs of the machine may have.
fn rows(value: &Value) -> Vec<(String, String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = value["checks"].as_array().unwrap().iter();
    let rows = rows.map(|row| (text(row, "name"), text(row, "status"), text(row, "detail")));
    rows.filter(|(name, ..)| name != "port").collect()
}

#[test]
fn a_healthy_installation_has_an_ok_on_every_line() {
    let shell = Shell::new();
    let mut sim = shell.start("sim --seed 3");
    let addresses: Value = serde_json::from_str(&sim.until("binance")).unwrap();
    let address = |venue: &str, kind: &str| addresses[venue][kind].as_str().unwrap().to_owned();
    shell.run("init").ok();
    let text = String::from_utf8(shell.read("finstage.toml")).unwrap();
    let (rest, ws) = (address("binance", "rest"), address("binance", "ws"));
    let telegram = address("telegram", "rest");
    shell.write("finstage.toml", format!(
        "{text}\n[venues.binance]\nrest = \"{rest}\"\nws = \"{ws}\"\n[venues.telegram]\nrest = \"{telegram}\"\n\
         [[notify]]\nkind = \"telegram\"\nchat = \"42\"\ntoken = \"env:TELEGRAM_TOKEN\"\n"
    ));
    shell.write(".env", "TELEGRAM_TOKEN=1:canary\n");
    let chmod = std::process::Command::new("chmod").arg("600").arg(shell.path(".env")).status();
    assert!(chmod.unwrap().success());
    let run = shell.run("doctor --json");
    let rows = rows(&run.json());
    let names: Vec<&str> = rows.iter().map(|(name, ..)| name.as_str()).collect();
    for name in [
        "config",
        "secrets",
        "data folder",
        "disk",
        "store",
        "permissions",
        "calendar",
        "venue binance",
        "telegram",
    ] {
        assert!(names.contains(&name), "{name} is not checked: {names:?}");
    }
    // How full this disk is, is not ours.
    let others = rows.iter().filter(|(name, ..)| name != "disk");
    for (name, status, detail) in others {
        assert_eq!(status, "ok", "{name}: {detail}");
    }
    assert!(!run.out.contains("canary"), "{run}");
    let text = shell.run("doctor").out;
    assert!(
        text.lines()
            .any(|line| line.starts_with("ok    telegram") && line.ends_with("bot Fin (@fin_bot)")),
        "{text}"
    );
    assert!(shell.names("finstage-data").is_empty(), "a look leaves nothing behind");
}

#[test]
fn what_is_not_well_is_named_with_its_remedy_and_ends_with_1() {
    let shell = Shell::new();
    shell.write(
        "finstage.toml",
        "\
        [store]\npath = \"finstage.toml\"\n\
        [venues.binance]\nrest = \"http://127.0.0.1:1\"\n\
        [[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n\
        [[notify]]\nkind = \"telegram\"\nchat = \"1\"\ntoken = \"env:NO_SUCH\"\n",
    );
    shell.write(".env", "OTHER=1\n");
    let run = shell.run("doctor --json");
    assert_eq!(run.code, 1, "{run}");
    assert_eq!(run.json()["ok"], false);
    let rows = rows(&run.json());
    for (name, status, says) in [
        ("secrets", "fail", "NO_SUCH is not set"),
        ("data folder", "fail", "is a file: name another folder"),
        ("permissions", "warn", "chmod 600"),
        ("venue binance", "fail", "check the network"),
    ] {
        let found = rows.iter().find(|(known, ..)| known == name).unwrap();
        assert_eq!((found.1.as_str(), found.2.contains(says)), (status, true), "{found:?}");
    }
    shell.write("finstage.toml", "[alert]\n");
    let run = shell.run("doctor");
    assert_eq!(run.code, 1);
    assert!(run.out.starts_with("fail  config  finstage.toml:1: unknown key"), "{run}");
}

#[test]
fn a_service_that_is_ready_ends_health_with_0_and_any_other_with_1() {
    let shell = Shell::new();
    let (ready, asked) =
        listener("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
    assert_eq!(shell.run(&format!("health --url {ready}/")).ok().quiet().out, "ready\n");
    assert!(asked.recv().unwrap().starts_with("GET /readyz HTTP/1.1\r\n"));
    let (warming, _asked) = listener(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    let said = shell.run(&format!("health --url {warming}")).refused(1);
    assert!(said.ends_with("answered 503: its log says why"), "{said}");
    assert!(shell.run("health --url nonsense").refused(2).contains("write http://127.0.0.1:8080"));
    let said = shell.run("health --url http://127.0.0.1:1").refused(1);
    assert!(
        said.starts_with("not ready: ") && said.contains("is `finstage serve` running?"),
        "{said}"
    );
}

//! What is wrong in the configuration, and what is secret in it.

use super::FEED;
use crate::cli::shell::{Shell, waves};

/// A token that no output may contain.
const CANARY: &str = "31337:canary-that-must-not-be-seen";

#[test]
fn a_wrong_setting_is_named_with_its_line_and_what_to_write() {
    let shell = Shell::new();
    let strategy = |rest: &str| format!("{FEED}[[strategies]]\nname = \"golden_cross\"\n{rest}");
    for (text, says) in [
        (
            "[alerts]\ncoldown = \"5m\"\n".into(),
            ":2: unknown key \"coldown\"; did you mean \"cooldown\"?",
        ),
        ("[alert]\n".into(), ":1: unknown key \"alert\"; did you mean \"alerts\"?"),
        (
            "[alerts]\nzzz = 1\n".into(),
            ":2: unknown key \"zzz\"; known here: send, cooldown, per_hour, max_age, quiet, digest, strategies, min_occasions, min_hit_rate, min_strength, min_volume_ratio, market",
        ),
        (
            "[alerts]\ncooldown = 5\n".into(),
            ":2: cooldown has a value of the wrong kind: write cooldown = \"60m\"",
        ),
        (
            "[alerts]\nper_hour = -1\n".into(),
            ":2: per_hour has a value of the wrong kind: write per_hour = 20",
        ),
        (
            "[alerts]\nsend = \"verified\"\ncooldown = \"5 min\"\n".into(),
            ":3: alerts.cooldown: \"5 min\" is not a duration: write a whole number and a unit, 250ms 10s 5m 24h 7d",
        ),
        (
            "[alerts]\nsend = \"all\"\n".into(),
            ":2: alerts.send: \"all\": write \"verified\" or \"unproven\"",
        ),
        (
            "[display]\ntimezone = \"Asia/Seol\"\n".into(),
            ":2: display.timezone: \"Asia/Seol\" is not a time zone: write an IANA name such as Asia/Seoul",
        ),
        ("[alerts\n".into(), ":1: unclosed table, expected `]`"),
        (
            strategy(
                "interval = \"1h\"\n[[strategies]]\nname = \"golden_cros\"\ninterval = \"1d\"\n",
            ),
            ":7: strategies[1]: no strategy \"golden_cros\"; did you mean \"golden_cross\"?",
        ),
        (strategy(""), ":4: missing key \"interval\"; write interval = \"1d\""),
        (
            strategy("interval = \"1x\"\n"),
            ":6: strategies[0].interval: \"1x\" is not an interval: write one of 1m 5m 15m 30m 1h 4h 1d 1w 1mo",
        ),
        (
            strategy("interval = \"1d\"\nparams = { fsat = 5 }\n"),
            ":4: strategies[0]: golden_cross: no parameter \"fsat\"; it has fast, slow",
        ),
        (
            strategy("interval = \"1d\"\nparams = { fast = 0 }\n"),
            ":4: strategies[0]: golden_cross: fast = 0 is not between 1 and 5000",
        ),
        (
            strategy("interval = \"1d\"\nparams = { fast = 200 }\n"),
            ":4: strategies[0]: golden_cross: fast must be less than slow",
        ),
        (
            strategy("interval = \"1d\"\nsymbols = [\"ETHUSDT\"]\n"),
            ":7: strategies[0].symbols: \"ETHUSDT\" is not a symbol: write venue:SYMBOL, for example binance:BTCUSDT",
        ),
        (
            strategy("interval = \"1d\"\nsymbols = [\"binance:ETHUSDT\"]\n"),
            ":7: strategies[0].symbols: binance:ETHUSDT is in no [[feeds]]: add it there",
        ),
        (
            "[[feeds]]\nvenue = \"nyse\"\nsymbols = [\"A\"]\n".into(),
            ":2: feeds[0].venue: \"nyse\" is not a venue: write binance, yahoo, kis, kraken or tardis",
        ),
        (
            "[[feeds]]\nvenue = \"binance\"\n".into(),
            ":1: missing key \"symbols\"; write symbols = [\"BTCUSDT\", \"ETHUSDT\"]",
        ),
        (
            "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTC USDT\"]\n".into(),
            ":3: feeds[0].symbols: \"BTC USDT\" is not a name at binance: write \"BTCUSDT\"",
        ),
        (
            "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"btcusdt\"]\n".into(),
            ":3: feeds[0].symbols: \"btcusdt\" is not how binance writes it: write \"BTCUSDT\"",
        ),
        (
            "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"binance:BTCUSDT\"]\n".into(),
            ":3: feeds[0].symbols: \"binance:BTCUSDT\" is not how binance writes it: write \"BTCUSDT\"",
        ),
        (
            format!("{FEED}[venues.binance]\nrest = \"localhost\"\n"),
            ":5: venues.binance.rest: \"localhost\" is not an address: write https://HOST, or http://HOST",
        ),
        (
            format!("{FEED}[[watches]]\nsymbol = \"binance:BTCUSDT\"\nrule = \"rise 3\"\n"),
            ":6: watches[0].rule: \"rise 3\" is not a watch rule: write rise=3% drop=3% above=PRICE below=PRICE new_high drop_from_high=5% prev_high or prev_low",
        ),
        (
            strategy("interval = \"1d\"\ndirection = \"short\"\n"),
            ":7: strategies[0].direction: \"short\": golden_cross is long; only a condition has another direction",
        ),
        (
            strategy("interval = \"1d\"\nevery_bar = true\n"),
            ":7: strategies[0].every_bar: belongs to a condition: write when = \"rsi(14) < 30\" beside it",
        ),
        (
            strategy("interval = \"1d\"\nwhen = \"close > 1\"\n"),
            ":7: strategies[0].when: golden_cross: the catalogue has a strategy of that name: give yours another one",
        ),
        (
            format!(
                "{FEED}[[strategies]]\nname = \"dip\"\ninterval = \"1d\"\nwhen = \"close > 1\"\ndirection = \"up\"\n"
            ),
            ":8: strategies[0].direction: \"up\": write \"long\" or \"short\"",
        ),
        (
            "[alerts]\nmin_hit_rate = 1.5\n".into(),
            ":2: alerts.min_hit_rate: 1.5: write a number from 0 to 1",
        ),
        (
            "[alerts]\nmin_strength = -1.0\n".into(),
            ":2: alerts.min_strength: -1: write a number from 0 to 1000000000",
        ),
        (
            "[alerts]\nmin_volume_ratio = nan\n".into(),
            ":2: alerts.min_volume_ratio: NaN: write a number from 0 to 20",
        ),
        (
            "[alerts]\nmarket = \"bullish\"\n".into(),
            ":2: alerts.market: \"bullish\": write \"any\" or \"agree\"",
        ),
        (
            format!("[alerts]\nstrategies = [\"macd\"]\n{}", strategy("interval = \"1d\"\n")),
            ":2: alerts.strategies: \"macd\" is no strategy here: write a name of [[strategies]]",
        ),
        (
            "[[notify]]\nkind = \"sms\"\n".into(),
            ":2: notify[0].kind: \"sms\" is not a channel: write telegram, webhook or log",
        ),
        (
            "[[notify]]\nkind = \"telegram\"\nchat = \"1\"\n".into(),
            ":1: notify[0].token: missing: write token = \"env:TELEGRAM_TOKEN\" and set that variable",
        ),
        (
            "[[notify]]\nkind = \"telegram\"\nchat = \"1\"\ntoken = \"env:NO_SUCH\"\n".into(),
            ":4: notify[0].token: the environment variable NO_SUCH is not set, nor in the .env beside the configuration",
        ),
        (
            format!("{FEED}[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n"),
            ":6: feeds[1].symbols: binance:BTCUSDT is listed twice: name it once, in one [[feeds]]",
        ),
    ] {
        shell.write("f.toml", &text);
        for command in ["config check", "config show", "serve"] {
            let said = shell.run(&format!("{command} --config f.toml")).refused(2);
            assert_eq!(said, format!("f.toml{says}"), "{text}");
        }
    }
}

#[test]
fn what_a_start_refuses_at_once_is_refused_by_a_check() {
    let shell = Shell::new();
    shell.write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    let tls = |file: &str| {
        format!(
            "{FEED}[server]\nlisten = \"127.0.0.1:0\"\ntls_cert = \"{file}\"\ntls_key = \"k.pem\"\n"
        )
    };
    let llm =
        "feeds = [\"http://127.0.0.1:1/f\"]\nreader = \"llm\"\n[llm]\nprovider = \"scripted\"\n";
    for (text, says) in [
        (tls("no.pem"), "server.tls_cert: no.pem: it cannot be read: No such file"),
        (tls("cut.pem"), "server.tls_cert: cut.pem: no certificate in PEM form: it is cut off"),
        (format!("{FEED}[news]\n{llm}"), "news.reader: no model is named: write model in [llm]"),
    ] {
        shell.write("f.toml", &text);
        let said = shell.run("config check --config f.toml").refused(2);
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_named_with_a_remedy() {
    let shell = Shell::new();
    shell.write("bytes.toml", b"a = \xff");
    for (file, says) in [
        ("gone.toml", "no such file; `finstage init --config gone.toml` writes one to begin with"),
        ("tmp", "a folder; name the file in it"),
        ("bytes.toml", "not a text file in UTF-8"),
    ] {
        for command in ["config check", "serve", "import x.csv", "signals list", "replay"] {
            let said = shell.run(&format!("{command} --config {file}")).refused(2);
            assert_eq!(said, format!("{file}: {says}"));
        }
    }
}

#[test]
fn a_variable_that_cannot_be_a_setting_is_named() {
    for (name, value, says) in [
        (
            "FINSTAGE_ALERTS__COLDOWN",
            "5m",
            "there is no such setting; did you mean FINSTAGE_ALERTS__COOLDOWN?",
        ),
        (
            "FINSTAGE_ALERTS_SEND",
            "unproven",
            "there is no such setting; did you mean FINSTAGE_ALERTS__SEND?",
        ),
        ("FINSTAGE_FEEDS__VENUE", "binance", "[[feeds]] is a list: write it in the file"),
        ("FINSTAGE_WEATHER__RAIN", "1", "there is no such setting"),
        ("FINSTAGE_ALERTS__PER_HOUR", "many", "\"many\" is a value of the wrong kind: write 20"),
        (
            "FINSTAGE_ALERTS__SEND",
            "all",
            "alerts.send: \"all\": write \"verified\" or \"unproven\"",
        ),
    ] {
        let shell = Shell::new().with("FINSTAGE_STORE__PATH", "x").with(name, value);
        shell.write("finstage.toml", "[alerts]\nsend = \"verified\"\n");
        assert_eq!(shell.run("config check").refused(2), format!("environment {name}: {says}"));
    }
}

#[test]
fn a_variable_goes_over_the_file_and_a_flag_over_the_variable() {
    let shell = Shell::new().with("FINSTAGE_STORE__PATH", "2024").with("FINSTAGE_OTHER", "1");
    shell.write("finstage.toml", "[store]\npath = \"file\"\n");
    let path = |line: &str| shell.run(line).ok().quiet().json()["store"]["path"].clone();
    assert_eq!(path("config show"), "2024");
    assert_eq!(path("config show --data-dir flag"), "flag");
}

#[test]
fn a_secret_is_never_printed() {
    let shell = Shell::new().with("TOKEN", CANARY);
    let notify = |token: &str| {
        format!("{FEED}[[notify]]\nkind = \"telegram\"\nchat = \"1\"\ntoken = {token}\n")
    };
    shell.write("literal.toml", notify(&format!("\"{CANARY}\"")));
    shell.write("outside.toml", notify("\"env:TOKEN\""));
    shell.write("list.toml", notify(&format!("[\"{CANARY}\"]")));
    shell.write("torn.toml", notify(&format!("\"{CANARY}")));
    shell.write("shape.toml", notify(&format!("\"{}\"", CANARY.replace(':', "-"))));
    shell.write("twice.toml", notify(&format!("\"{CANARY}\"\ntoken = \"{CANARY}\"")));
    for file in ["literal", "outside", "list", "torn", "shape", "twice"] {
        for command in ["config check", "config show", "config check --json", "-vv config show"] {
            let run = shell.run(&format!("{command} --config {file}.toml"));
            assert!(!(run.out.clone() + &run.err).contains("canary"), "{run}");
            let refused = matches!(file, "list" | "torn" | "shape" | "twice");
            assert_eq!(run.code, if refused { 2 } else { 0 }, "{run}");
            assert_eq!(run.err.contains("warning:"), file == "literal", "{run}");
        }
    }
    let warned = shell.run("config check --config literal.toml").ok().err;
    assert_eq!(
        warned,
        "warning: literal.toml:7: notify[0].token: the secret stands in the file; \"env:TELEGRAM_TOKEN\" or \"file:PATH\" is safer\n"
    );
    assert_eq!(
        shell.run("config show --config outside.toml").ok().json()["notify"][0]["token"],
        "[redacted]"
    );
}

#[test]
fn who_only_reads_the_store_needs_no_secret() {
    let shell = Shell::new();
    shell.write(
        "finstage.toml",
        format!("{FEED}[[notify]]\nkind = \"telegram\"\nchat = \"1\"\ntoken = \"env:NO_SUCH\"\n"),
    );
    shell.write("waves.csv", waves(30));
    shell.run("import waves.csv -q").ok().quiet();
    shell.run("signals list -q").ok().quiet();
    shell.run("alerts list -q").ok().quiet();
    assert!(shell.run("serve").refused(2).contains("NO_SUCH is not set"));
}

#[test]
fn a_service_with_nothing_to_watch_says_what_to_add() {
    let shell = Shell::new();
    let says = "nothing to watch: `finstage init` writes a configuration with feeds, `finstage demo` needs none";
    assert_eq!(shell.run("serve").refused(2), format!("no finstage.toml found: {says}"));
    shell.write("finstage.toml", "[alerts]\nper_hour = 3\n");
    assert_eq!(shell.run("serve").refused(2), format!("finstage.toml: {says}"));
    assert!(shell.names("finstage-data").is_empty(), "a refusal leaves nothing behind");
}

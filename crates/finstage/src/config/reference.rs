//! The one table of settings: the default file, the JSON schema and the reference page come out of
//! it, and a test holds it equal to what `raw::Raw` accepts.

mod schema;

use std::fmt::Write as _;

pub use schema::schema;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Where it stands: `alerts` for `[alerts]`, `feeds[]` for `[[feeds]]`, `venues.*` for
    /// `[venues.NAME]`.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The built-in default as TOML, or none where it must be given.
    pub default: Option<&'static str>,
    /// A value to show, as TOML.
    pub example: &'static str,
    /// What it does.
    pub describes: &'static str,
}

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// One of the words.
    OneOf(&'static [&'static str]),
    /// A duration with its unit: `250ms 10s 5m 24h 7d`.
    Duration,
    /// A whole number.
    Count,
    /// A number.
    Number,
    /// A list of texts.
    Texts,
    /// Numbers by name.
    Numbers,
    /// `true` or `false`.
    Flag,
    /// `env:NAME`, `file:PATH`, or (with a warning) the secret itself.
    Secret,
}

const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    describes: &'static str,
) -> Key {
    Key { section, name, kind, default: Some(default), example: default, describes }
}

const fn asked(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    example: &'static str,
    describes: &'static str,
) -> Key {
    Key { section, name, kind, default: None, example, describes }
}

/// Every setting, in the order of the file.
pub const KEYS: &[Key] = &[
    key("store", "path", Kind::Text, "\"finstage-data\"", "folder of journal and records"),
    key(
        "store",
        "fsync",
        Kind::Duration,
        "\"100ms\"",
        "longest time until a written event is safe from a power cut; alerts wait for it",
    ),
    key(
        "journal",
        "keep",
        Kind::Duration,
        "\"7d\"",
        "how long whole days of events are kept for `finstage replay`",
    ),
    key(
        "alerts",
        "send",
        Kind::OneOf(&["verified", "unproven"]),
        "\"verified\"",
        "which alerts leave the house; \"unproven\" adds the unproven, marked so",
    ),
    key(
        "alerts",
        "cooldown",
        Kind::Duration,
        "\"60m\"",
        "least time between two alerts of one rule on one instrument",
    ),
    key("alerts", "per_hour", Kind::Count, "20", "most alerts of one instrument within 60 minutes"),
    key(
        "alerts",
        "max_age",
        Kind::Duration,
        "\"15m\"",
        "an older alert is recorded as expired, not sent",
    ),
    key(
        "alerts",
        "strategies",
        Kind::Texts,
        "[]",
        "only these strategies alert, by the names in [[strategies]]; empty means all",
    ),
    key(
        "alerts",
        "min_occasions",
        Kind::Count,
        "0",
        "least separate occasions behind the evidence; a signal without a card has none",
    ),
    key(
        "alerts",
        "min_hit_rate",
        Kind::Number,
        "0.0",
        "least hit rate of the evidence, 0 to 1; an unknown one passes",
    ),
    key(
        "alerts",
        "min_strength",
        Kind::Number,
        "0.0",
        "least strength of the signal, in the strategy's own unit",
    ),
    key(
        "alerts",
        "min_volume_ratio",
        Kind::Number,
        "0.0",
        "least volume of the bar over the mean of the last 20, 0 to 20; an unknown one passes",
    ),
    key(
        "alerts",
        "market",
        Kind::OneOf(&["any", "agree"]),
        "\"any\"",
        "\"agree\" keeps back what is against a change of more than 5 % over five days",
    ),
    key(
        "display",
        "timezone",
        Kind::Text,
        "\"UTC\"",
        "IANA zone of times in messages: Asia/Seoul, America/New_York",
    ),
    key(
        "display",
        "language",
        Kind::OneOf(&["en", "ko"]),
        "\"en\"",
        "language of what people read: English or Korean; alerts are in English so far",
    ),
    key(
        "report",
        "daily",
        Kind::Text,
        "\"08:00\"",
        "time of the day, in the zone of [display], at which the report of the day before is sent; \"off\" sends none",
    ),
    key(
        "report",
        "language",
        Kind::OneOf(&["en", "ko"]),
        "\"en\"",
        "language of reports, where it differs from that of [display]",
    ),
    key(
        "server",
        "enabled",
        Kind::Flag,
        "true",
        "whether `finstage serve` has a server and a dashboard",
    ),
    key(
        "server",
        "listen",
        Kind::Text,
        "\"127.0.0.1:8080\"",
        "address and port; one that other machines reach needs tls_cert and tls_key",
    ),
    key("server", "tls_cert", Kind::Text, "\"\"", "PEM file of the certificate with its chain"),
    key("server", "tls_key", Kind::Text, "\"\"", "PEM file of the private key"),
    key(
        "server",
        "allowed_hosts",
        Kind::Texts,
        "[]",
        "names under which a proxy or other machines reach it; this machine's own always work",
    ),
    key(
        "log",
        "file",
        Kind::Text,
        "\"\"",
        "file of the log of serve; standard error where it is empty",
    ),
    key(
        "log",
        "format",
        Kind::OneOf(&["pretty", "json"]),
        "\"pretty\"",
        "\"json\" writes one JSON document a line",
    ),
    key(
        "log",
        "level",
        Kind::OneOf(&["error", "warn", "info", "debug", "trace"]),
        "\"warn\"",
        "least level that is written; -v and -q go over it",
    ),
    key(
        "log",
        "rotate_bytes",
        Kind::Count,
        "100000000",
        "size at which the file is put aside as FILE.1, FILE.2 and so on",
    ),
    key("log", "keep", Kind::Count, "10", "how many files that were put aside are kept"),
    asked(
        "venues.*",
        "rest",
        Kind::Text,
        "\"https://data-api.binance.vision\"",
        "REST address, where it differs from the venue's own; hosts that stand in for each other are parted by commas",
    ),
    asked(
        "venues.*",
        "ws",
        Kind::Text,
        "\"wss://data-stream.binance.vision\"",
        "WebSocket address, where it differs from the venue's own",
    ),
    asked(
        "venues.*",
        "app_key",
        Kind::Secret,
        "\"env:KIS_APP_KEY\"",
        "kis: the key of the account",
    ),
    asked(
        "venues.*",
        "app_secret",
        Kind::Secret,
        "\"env:KIS_APP_SECRET\"",
        "kis: the secret that belongs to the key",
    ),
    key("venues.*", "mock", Kind::Flag, "false", "kis: the keys are for the server for practice"),
    asked(
        "venues.*",
        "per_second",
        Kind::Count,
        "20",
        "kis: calls a second that the account allows, where it is not 20, or 2 for practice",
    ),
    asked(
        "venues.*.sealed",
        "ws",
        Kind::Text,
        "\"ws://127.0.0.1:8443\"",
        "address of the server that seals, in place of the venue's",
    ),
    asked(
        "venues.*.sealed",
        "fallback",
        Kind::Text,
        "\"ws://127.0.0.1:8444\"",
        "address of another server that seals, for when that one is not there",
    ),
    key(
        "venues.*.sealed",
        "patience",
        Kind::OneOf(&["stream-fallback", "connection"]),
        "\"stream-fallback\"",
        "the fallback follows 3 failed attempts and the first address is looked at every 30 s, or 5 attempts and 5 s",
    ),
    asked(
        "venues.*.sealed",
        "keyring",
        Kind::Text,
        "\"finstage-data/keyring.toml\"",
        "file of the keys, mode 0600; keyring.toml in the data folder where nothing is written",
    ),
    asked(
        "venues.*.sealed",
        "token",
        Kind::Secret,
        "\"env:SEALED_TOKEN\"",
        "sent as a bearer to the server that seals",
    ),
    key(
        "venues.*.sealed",
        "stream",
        Kind::Text,
        "\"realtime-market-data\"",
        "which of its streams, said as X-Data-Stream",
    ),
    asked(
        "feeds[]",
        "venue",
        Kind::OneOf(&["binance", "yahoo", "kis", "kraken"]),
        "\"binance\"",
        "where the data comes from",
    ),
    asked("feeds[]", "symbols", Kind::Texts, "[\"BTCUSDT\", \"ETHUSDT\"]", "the venue's own names"),
    key(
        "feeds[]",
        "intervals",
        Kind::Texts,
        "[\"1m\", \"1h\", \"1d\"]",
        "bar lengths taken from the venue, [\"1d\"] from a venue that is only asked where nothing is written; other lengths that strategies ask for are rolled up from them",
    ),
    key(
        "feeds[]",
        "bars",
        Kind::OneOf(&["venue", "trades"]),
        "\"venue\"",
        "\"venue\" takes the venue's bars, \"trades\" builds them from its trades",
    ),
    asked(
        "strategies[]",
        "name",
        Kind::Text,
        "\"golden_cross\"",
        "a strategy of the catalogue; with `when`, a name of your own",
    ),
    asked("strategies[]", "interval", Kind::Text, "\"1d\"", "bar length it looks at"),
    key(
        "strategies[]",
        "params",
        Kind::Numbers,
        "{}",
        "parameters that differ from the defaults, { fast = 50, slow = 200 }",
    ),
    key(
        "strategies[]",
        "symbols",
        Kind::Texts,
        "[]",
        "venue:SYMBOL names; empty means all instruments",
    ),
    key(
        "strategies[]",
        "when",
        Kind::Text,
        "\"\"",
        "a condition of your own in place of the catalogue, \"cross_above(sma(50), sma(200))\"",
    ),
    key(
        "strategies[]",
        "direction",
        Kind::OneOf(&["long", "short"]),
        "\"long\"",
        "with `when`: where the price is expected to go",
    ),
    key(
        "strategies[]",
        "every_bar",
        Kind::Flag,
        "false",
        "with `when`: fire on every bar on which it is true, not only where it becomes true",
    ),
    asked("watches[]", "symbol", Kind::Text, "\"binance:BTCUSDT\"", "whose price"),
    asked(
        "watches[]",
        "rule",
        Kind::Text,
        "\"rise=3%\"",
        "rise=3% drop=3% above=P below=P new_high drop_from_high=5% prev_high prev_low",
    ),
    asked(
        "watches[]",
        "cooldown",
        Kind::Duration,
        "\"3m\"",
        "least time between two alerts of this rule; without it that of [alerts] where one is set, else 6h for new_high and drop_from_high, 3m for the others",
    ),
    asked(
        "watch.categories.*",
        "rise",
        Kind::Number,
        "1.0",
        "percent above the previous close from which on a bare rise speaks",
    ),
    asked("watch.categories.*", "drop", Kind::Number, "1.0", "the same for drop, without a sign"),
    asked(
        "watch.categories.*",
        "from_high",
        Kind::Number,
        "2.0",
        "the same for drop_from_high, against the highest price",
    ),
    asked("watch.symbols.*", "rise", Kind::Number, "4.0", "as in [watch.categories]"),
    asked("watch.symbols.*", "drop", Kind::Number, "4.0", "as in [watch.categories]"),
    asked("watch.symbols.*", "from_high", Kind::Number, "8.0", "as in [watch.categories]"),
    asked(
        "notify[]",
        "kind",
        Kind::OneOf(&["telegram", "webhook", "log"]),
        "\"telegram\"",
        "the channel",
    ),
    asked("notify[]", "chat", Kind::Text, "\"123456789\"", "telegram: chat id or @channelname"),
    asked(
        "notify[]",
        "token",
        Kind::Secret,
        "\"env:TELEGRAM_TOKEN\"",
        "telegram: the token that @BotFather gave",
    ),
    key(
        "notify[]",
        "url",
        Kind::Text,
        "\"https://api.telegram.org\"",
        "telegram: address of the Bot API; webhook: where to POST, text or env:NAME",
    ),
    asked(
        "notify[]",
        "secret",
        Kind::Secret,
        "\"env:WEBHOOK_SECRET\"",
        "webhook: what signs, 16 characters or more",
    ),
];

/// What a section is for, in the order of the file.
const SECTIONS: &[(&str, &str)] = &[
    ("store", "where things are kept"),
    ("journal", "the log of everything that happened"),
    ("alerts", "what is sent, and how often"),
    ("display", "how people read it"),
    ("report", "the daily report, which comes even when nothing was sent"),
    ("server", "REST, WebSocket and the dashboard"),
    ("log", "where the log of `finstage serve` goes"),
    ("venues.*", "other addresses for a venue: a mirror, or the simulator; keys of an account"),
    (
        "venues.*.sealed",
        "a venue's stream from a server that seals it (docs/guides/sealed-feeds.md); requests stay as they are",
    ),
    ("feeds[]", "what is watched; at least one for `finstage serve`"),
    ("strategies[]", "what makes signals"),
    ("watches[]", "alerts on the price alone"),
    (
        "watch.categories.*",
        "from which change on watches speak that name none, by category: index, stock, etf, future",
    ),
    ("watch.symbols.*", "the same for one instrument, before its category"),
    ("notify[]", "where alerts go; to the log where none is named"),
];

/// The default configuration as a commented file that is itself valid.
#[must_use]
pub fn default_file() -> String {
    let mut text = String::from(
        "# finstage.toml: every setting with its default. Lines with a single # are the defaults;\n\
         # remove the # to change one. Times carry a unit: 250ms 10s 5m 24h 7d.\n",
    );
    for (section, describes) in SECTIONS {
        let header = match (section.strip_suffix("[]"), section.strip_suffix(".*")) {
            (Some(list), _) => format!("#[[{list}]]"),
            (_, Some("watch.categories")) => "#[watch.categories.index]".into(),
            (_, Some("watch.symbols")) => "#[watch.symbols.\"yahoo:AAPL\"]".into(),
            (_, Some(map)) => format!("#[{map}.binance]"),
            _ if section.contains('*') => format!("#[{}]", section.replace('*', "binance")),
            _ => format!("[{section}]"),
        };
        let _ = write!(text, "\n# {describes}\n{header}\n");
        for key in KEYS.iter().filter(|key| key.section == *section) {
            if (key.section, key.name) == ("venues.*", "app_key") {
                text.push_str("#[venues.kis]\n");
            }
            let must = if key.default.is_none() && section.ends_with("[]") && key.name != "cooldown"
            {
                " (no default)"
            } else {
                ""
            };
            let _ = writeln!(text, "#{} = {}    # {}{must}", key.name, key.example, key.describes);
        }
    }
    text
}

/// The reference page, Markdown.
#[must_use]
pub fn page() -> String {
    let mut text = String::from(
        "# Settings\n\nGenerated by `cargo xtask pages` from `crates/finstage/src/config/reference.rs`. \
         Order of precedence: built-in defaults, file, environment (`FINSTAGE_SECTION__KEY`), flags.\n",
    );
    for (section, describes) in SECTIONS {
        let _ = write!(
            text,
            "\n## {section}\n\n{describes}\n\n| key | takes | default | what it does |\n|---|---|---|---|\n"
        );
        for key in KEYS.iter().filter(|key| key.section == *section) {
            let default = key.default.map_or(String::from("none"), |d| format!("`{d}`"));
            let _ = writeln!(
                text,
                "| `{}` | {} | {default} | {} |",
                key.name,
                takes(key.kind),
                key.describes
            );
        }
    }
    text
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".into(),
        Kind::OneOf(words) => {
            words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(" or ")
        }
        Kind::Duration => "duration".into(),
        Kind::Count => "whole number".into(),
        Kind::Number => "number".into(),
        Kind::Texts => "list of texts".into(),
        Kind::Numbers => "numbers by name".into(),
        Kind::Flag => "`true` or `false`".into(),
        Kind::Secret => "`env:NAME` or `file:PATH`".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::raw::Raw;
    use super::*;

    fn section_text(section: &str) -> String {
        match (section.strip_suffix("[]"), section.strip_suffix(".*")) {
            (Some(list), _) => format!("[[{list}]]\n"),
            (_, Some(map)) => format!("[{map}.x]\n"),
            _ if section.contains('*') => format!("[{}]\n", section.replace('*', "x")),
            _ => format!("[{section}]\n"),
        }
    }

    #[test]
    fn the_table_and_the_file_format_agree_in_both_directions() {
        for (section, _) in SECTIONS {
            let keys: Vec<&Key> = KEYS.iter().filter(|key| key.section == *section).collect();
            let mut text = section_text(section);
            for key in &keys {
                text.push_str(&format!("{} = {}\n", key.name, key.example));
            }
            toml::from_str::<Raw>(&text).unwrap_or_else(|e| panic!("{section}: {e}"));
            // The refusal of an unknown key lists all known ones: none may be missing here.
            let error = toml::from_str::<Raw>(&format!("{text}zz = 1\n")).unwrap_err().to_string();
            let known: Vec<&str> =
                error.split("expected").last().unwrap().split('`').skip(1).step_by(2).collect();
            for name in known {
                let is_section = SECTIONS.iter().any(|(s, _)| *s == format!("{section}.{name}"));
                assert!(
                    is_section || keys.iter().any(|key| key.name == name),
                    "[{section}] {name} is not in the table"
                );
            }
        }
    }

    #[test]
    fn the_default_file_is_valid_and_changes_nothing() {
        let raw: Raw = toml::from_str(&default_file()).unwrap();
        assert!(raw.feeds.is_empty() && raw.alerts.send.is_none());
        let uncommented: String = default_file()
            .lines()
            .map(|l| {
                format!("{}\n", l.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(l))
            })
            .collect();
        let raw: Raw =
            toml::from_str(&uncommented).unwrap_or_else(|e| panic!("{e}\n{uncommented}"));
        assert_eq!(raw.feeds[0].venue, "binance");
    }
}

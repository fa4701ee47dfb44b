//! `init`: a configuration that runs, and a bot that speaks.

use std::sync::Arc;

use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::telegram::{Chats, TelegramOptions, TelegramSim};
use finstage_net::SystemClock;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::mode;
use crate::cli::shell::Shell;

const TOKEN: &str = "123456:canary-ABC-DEF1234ghIkl-zyx57W2v1u1";
const GROUP: i64 = -1_001_234_567_890;

/// A messenger that knows one bot, two people and a group.
struct Messenger {
    sim: TelegramSim,
    _runtime: Runtime,
}

fn messenger(faults: &str) -> Messenger {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let sim = runtime.block_on(async {
        TelegramSim::start(TelegramOptions {
            clock: Arc::new(SystemClock),
            faults: Scenario::parse(&format!("name = \"test\"\n{faults}")).unwrap(),
            ledger: Arc::new(Ledger::in_memory()),
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            tokens: vec![TOKEN.to_owned()],
            chats: Chats::Only(vec![42, 43, GROUP]),
        })
        .unwrap()
    });
    Messenger { sim, _runtime: runtime }
}

impl Messenger {
    /// The words of a command that pairs with it.
    fn line(&self, rest: &str) -> String {
        format!("init --telegram --token env:BOT {} {rest}", self.option())
    }

    fn option(&self) -> String {
        format!("--base-url {}", self.sim.url())
    }
}

fn shell() -> Shell {
    Shell::new().with("BOT", TOKEN).with("TZ", "Asia/Seoul").with("LANG", "ko_KR.UTF-8")
}

#[test]
fn a_configuration_is_written_once_and_runs_without_keys() {
    let shell = shell();
    let run = shell.run("init").ok();
    assert_eq!(run.out, "wrote finstage.toml\n");
    assert!(run.err.contains("finstage doctor") && run.err.contains("finstage serve"), "{run}");
    let shown = shell.run("config show").ok().quiet().json();
    assert_eq!(shown["display"]["timezone"], "Asia/Seoul");
    assert_eq!(shown["feeds"][0]["venue"], "binance");
    let text = String::from_utf8(shell.read("finstage.toml")).unwrap();
    assert!(text.contains("language = \"ko\""), "{text}");
    for again in ["init", "init --preset us", "init --preset us --telegram"] {
        let said = shell.run(again).refused(2);
        assert!(said.starts_with("finstage.toml is there and stays as it is: --force"), "{said}");
    }
    assert_eq!(shell.read("finstage.toml"), text.as_bytes());
    shell.run("init --preset kr --force").ok();
    assert!(String::from_utf8(shell.read("finstage.toml")).unwrap().contains("005930.KS"));
}

#[test]
fn a_bot_is_connected_by_its_token_and_a_start() {
    let messenger = messenger("");
    let shell = shell();
    messenger.sim.user_says(42, "hello");
    messenger.sim.user_says(42, "/start");
    let run = shell.run(&messenger.line("--json")).ok();
    assert_eq!(run.json()["telegram"], json!({"bot": "fin_bot", "chat": 42}));
    assert!(run.err.contains("open https://t.me/fin_bot and press Start"), "{run}");
    assert!(run.err.contains("/start came from Ann"), "{run}");
    assert!(!run.err.contains("canary") && !run.out.contains("canary"), "{run}");
    let [message] = &messenger.sim.messages()[..] else { panic!("one message") };
    assert_eq!((message.chat, message.text.contains("finstage")), (42, true));
    assert_eq!(shell.read(".env"), format!("TELEGRAM_TOKEN={TOKEN}\n").as_bytes());
    assert_eq!(mode(&shell.path(".env")), 0o600);
    // The token is found beside the file from now on.
    let shown = shell.run("config show").ok().quiet().json();
    let expected = json!({
        "kind": "telegram", "name": "telegram-42", "chat": "42", "token": "[redacted]", "url": messenger.sim.url(),
        "commands": false, "send": "unproven", "per_hour": null, "quiet": "off", "digest": "off",
        "language": "ko", "timezone": "Asia/Seoul",
    });
    assert_eq!(shown["notify"][0], expected);
    let said = shell.run(&messenger.line("")).refused(2);
    assert!(said.contains("a Telegram chat is there already"), "{said}");
}

#[test]
fn a_chat_is_added_to_a_file_that_is_there_and_the_rest_stays() {
    let messenger = messenger("");
    let shell = shell();
    // Where the bot is asked stands in the file already.
    let mine = format!(
        "[alerts]\nper_hour = 3 # mine\n[venues.telegram]\nrest = \"{}\"",
        messenger.sim.url()
    );
    shell.write("finstage.toml", &mine);
    let line = messenger.line("--chat 43").replace(&messenger.option(), "");
    let run = shell.run(&line).ok();
    assert_eq!(run.out, "added to finstage.toml\n");
    let text = String::from_utf8(shell.read("finstage.toml")).unwrap();
    assert!(text.starts_with(&format!("{mine}\n\n# The bot @fin_bot;")), "{text}");
    assert!(!text.contains("url ="), "{text}");
    assert_eq!(messenger.sim.messages()[0].chat, 43);
    shell.run("config check").ok().quiet();
}

#[test]
fn what_goes_wrong_has_its_remedy_and_leaves_nothing_behind() {
    let forbidden = "[[faults]]\nkind = \"telegram_403\"\nat = \"0s\"\nfor = \"24h\"\n";
    let (calm, blocked) = (messenger(""), messenger(forbidden));
    let shell = shell().with("WRONG", "123456:another").with("NONSENSE", "canary");
    let wrong = |name: &str| calm.line("").replace("env:BOT", name);
    for (line, exit, says) in [
        (
            wrong("env:WRONG"),
            4,
            "telegram answered 401 \"Unauthorized\": the token is wrong or was revoked: ask @BotFather",
        ),
        (wrong("env:NONSENSE"), 4, "that is not a bot token: copy it from @BotFather"),
        (wrong("env:NOTHING"), 2, "--token: the environment variable NOTHING is not set"),
        (wrong(TOKEN), 2, "--token: a token on the command line can be read by others"),
        (calm.line("--wait 1ms"), 3, "nobody wrote /start to the bot within 0 s: open its link"),
        (calm.line("--chat 44"), 3, "chat not found\": check the number"),
        (
            blocked.line("--chat 42"),
            3,
            "bot was blocked by the user\": open the bot in Telegram, choose Restart",
        ),
        (calm.line("").replace(&calm.sim.url(), "http://127.0.0.1:1"), 3, "cannot connect"),
    ] {
        let run = shell.run(&line);
        let said = run.complaint();
        assert_eq!((run.code, said.contains(says)), (exit, true), "{says}\n{run}");
        assert!(!run.err.contains("canary"), "{run}");
    }
    calm.sim.user_says(GROUP, "/start@fin_bot");
    let run = shell.run(&calm.line(""));
    assert_eq!(run.code, 3, "{run}");
    let said = run.complaint();
    let remedy =
        format!("write it to the bot in a private chat, or name the group with --chat {GROUP}");
    assert!(
        said.starts_with("/start came from the group \"Prices\"") && said.contains(&remedy),
        "{said}"
    );
    assert!(shell.names("").iter().all(|name| name == "tmp"), "{:?}", shell.names(""));
    shell.run(&calm.line(&format!("--chat {GROUP}"))).ok();
}

#[test]
fn the_environment_wins_over_the_file_beside_the_configuration() {
    let config = "[[notify]]\nkind = \"telegram\"\nchat = \"1\"\ntoken = \"env:MINE\"\n";
    let shell = Shell::new();
    shell.write("finstage.toml", config);
    assert!(
        shell
            .run("config check")
            .refused(2)
            .contains("MINE is not set, nor in the .env beside the configuration")
    );
    shell.write(".env", "# mine\nexport MINE='1:canary'\nFINSTAGE_ALERTS__PER_HOUR=7\n");
    let run = shell.run("config show").ok();
    assert_eq!(run.json()["alerts"]["per_hour"], 7);
    assert_eq!(run.err, "warning: .env: others on this machine can read it; chmod 600 .env\n");
    let other =
        Shell::new().with("MINE", "canary-without-a-colon").with("FINSTAGE_ALERTS__PER_HOUR", "9");
    other.write("finstage.toml", config);
    other.write(".env", "MINE=1:x\n");
    let said = other.run("config check").refused(2);
    assert!(said.contains("not a bot token") && !said.contains("canary"), "{said}");
    other.write(".env", "MINE=1:x\ncanary\n");
    assert_eq!(other.run("config check").refused(2), ".env:2: write NAME=VALUE");
}

//! Connecting a Telegram bot: token, `/start`, a test message.

use std::path::Path;

use finstage_notify::{Bot, BotError, BotErrorKind, Chat};
use finstage_seal::Secret;

use super::{ask, may_ask, read_line};
use crate::cli::{Global, Init};
use crate::commands::say;
use crate::config::{self, Reference, dotenv, system};
use crate::exit::{Exit, Failure, Result};
use crate::report::Language;
use crate::wiring;

/// The name of the token in `.env`.
const VARIABLE: &str = "TELEGRAM_TOKEN";
/// Telegram's own address.
const BASE_URL: &str = "https://api.telegram.org";

/// A bot and the chat that it may write to.
#[derive(Debug)]
pub(super) struct Paired {
    pub(super) bot: String,
    pub(super) chat: i64,
}

impl Paired {
    /// The configuration with the chat added.
    pub(super) fn added_to(&self, text: &str, args: &Init) -> String {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let Self { bot, chat } = self;
        let url = args.base_url.as_ref().map(|url| format!("url = \"{url}\"\n"));
        format!(
            "{text}{end}\n# The bot @{bot}; its token stands in .env beside this file.\n\
             [[notify]]\nkind = \"telegram\"\nchat = \"{chat}\"\ntoken = \"env:{VARIABLE}\"\n{}",
            url.unwrap_or_default()
        )
    }
}

/// Refuses before anything is asked where a chat cannot be added.
pub(super) fn check_room(file: &Path, text: &str, args: &Init) -> Result<()> {
    let shown = file.display();
    let table: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| Failure::usage(format!("{shown}: {}", e.message())))?;
    let is_telegram = |channel: &toml::Value| {
        channel.get("kind").and_then(toml::Value::as_str) == Some("telegram")
    };
    let channels = table.get("notify").and_then(toml::Value::as_array);
    if args.telegram && channels.is_some_and(|channels| channels.iter().any(is_telegram)) {
        return Err(Failure::usage(format!(
            "{shown}: a Telegram chat is there already: change its `chat` or `token`, or write the file anew with --force"
        )));
    }
    Ok(())
}

/// Asks for the token, finds the chat, sends a first message, and keeps the token in `.env`.
pub(super) fn pair(global: &Global, args: &Init, (file, text): (&Path, &str)) -> Result<Paired> {
    let token = token(global, args, file)?;
    let base_url = args.base_url.clone().or_else(|| elsewhere(text));
    let base_url = base_url.unwrap_or_else(|| BASE_URL.to_owned());
    let bot = Bot::new(&base_url, token.clone()).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let paired = runtime.block_on(connect(global, args, &bot))?;
    let kept = dotenv::set(file, VARIABLE, &token)?;
    say(global, format_args!("the token is in {} (mode 0600)", kept.display()));
    Ok(paired)
}

/// Where the Bot API is by the configuration in `text`, where that says it.
fn elsewhere(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    let address = table.get("venues")?.get("telegram")?.get("rest")?.as_str()?;
    Some(address.to_owned())
}

async fn connect(global: &Global, args: &Init, bot: &Bot) -> Result<Paired> {
    let client = wiring::client()?;
    let name = bot.name(&client).await.map_err(failed)?;
    say(global, format_args!("bot: {} (@{})", name.first_name, name.username));
    let chat = match args.chat {
        Some(id) => id,
        None => {
            say(
                global,
                format_args!(
                    "open https://t.me/{} and press Start (or write /start); waiting {} s",
                    name.username,
                    args.wait.as_secs()
                ),
            );
            let chat = bot.wait_for_start(&client, args.wait).await.map_err(failed)?;
            admitted(global, &chat, name.reads_groups)?
        }
    };
    bot.say(&client, chat, greeting()).await.map_err(failed)?;
    say(global, format_args!("chat {chat}: a test message was sent"));
    Ok(Paired { bot: name.username, chat })
}

/// The chat, if alerts may go there: a group has other readers, which somebody must want.
fn admitted(global: &Global, chat: &Chat, reads_groups: bool) -> Result<i64> {
    if !chat.is_group {
        say(global, format_args!("/start came from {}", chat.name));
        return Ok(chat.id);
    }
    let name = &chat.name;
    if reads_groups {
        say(
            global,
            format_args!("note: this bot reads everything in its groups; @BotFather: /setprivacy"),
        );
    }
    let question = format!(
        "/start came from the group \"{name}\"; all its members read alerts. Send them there? [y/N]: "
    );
    if may_ask(global) && matches!(ask(&question)?.as_str(), "y" | "Y" | "yes") {
        return Ok(chat.id);
    }
    Err(Failure::new(
        Exit::Remote,
        format!(
            "/start came from the group \"{name}\": write it to the bot in a private chat, or name the group with --chat {}",
            chat.id
        ),
    ))
}

/// The token: named, asked for, or a line of the input.
fn token(global: &Global, args: &Init, file: &Path) -> Result<Secret<String>> {
    let beside = dotenv::DotEnv::beside(file)?;
    if let Some(reference) = &args.token {
        return match config::dereference(reference, &beside) {
            Ok(Reference::Outside(token)) => Ok(Secret::new(token)),
            Ok(Reference::Literal(_)) => Err(Failure::usage(
                "--token: a token on the command line can be read by others: write env:NAME or file:PATH",
            )),
            Err(why) => Err(Failure::usage(format!("--token: {why}"))),
        };
    }
    let typed = if may_ask(global) {
        say(global, format_args!("Write to @BotFather in Telegram: /newbot gives a token."));
        unseen("token (is not shown): ")?
    } else {
        Secret::new(read_line()?)
    };
    if !typed.expose().is_empty() {
        return Ok(typed);
    }
    match config::dereference(&format!("env:{VARIABLE}"), &beside) {
        Ok(Reference::Outside(token)) => Ok(Secret::new(token)),
        _ => Err(Failure::usage(format!(
            "no token: write --token env:{VARIABLE} and set that variable, or type it when asked"
        ))),
    }
}

/// Asks for a text that does not appear on the terminal.
fn unseen(question: &str) -> Result<Secret<String>> {
    #[cfg(unix)]
    {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let terminal = std::io::stdin();
        if let Ok(before) = tcgetattr(&terminal) {
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            // Where it cannot be hidden, it is asked for all the same: the user sees that.
            let _ = tcsetattr(&terminal, OptionalActions::Flush, &hidden);
            let answer = ask(question);
            let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
            let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), b"\n");
            return answer.map(Secret::new);
        }
    }
    ask(question).map(Secret::new)
}

fn greeting() -> &'static str {
    match system::language() {
        Language::En => "finstage is connected: alerts come to this chat. This is a test.",
        Language::Ko => "finstage가 연결되었습니다. 알림이 이 대화로 옵니다. 시험 메시지입니다.",
    }
}

fn failed(error: BotError) -> Failure {
    let exit = match error.kind() {
        BotErrorKind::Token => Exit::Auth,
        BotErrorKind::Unreachable | BotErrorKind::Refused | BotErrorKind::NoStart => Exit::Remote,
    };
    Failure::new(exit, error)
}

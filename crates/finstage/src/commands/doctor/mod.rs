//! `finstage doctor`: everything that a service needs, checked before it is missed.

mod local;
mod news;
mod remote;
mod sealed;

use serde_json::json;

use super::config::count;
use super::{data_dir, print_json, print_line};
use crate::cli::Global;
use crate::config::{self, Loaded, Wanted, dotenv};
use crate::exit::{Exit, Result};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line: what was looked at, how it is, and what to do where it is not well.
#[derive(Debug)]
struct Check {
    name: String,
    state: State,
    detail: String,
}

impl Check {
    fn new(name: impl Into<String>, state: State, detail: impl std::fmt::Display) -> Self {
        // A detail is one line, as an error is.
        let detail = detail.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { name: name.into(), state, detail }
    }

    fn ok(name: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self::new(name, State::Ok, detail)
    }

    fn warn(name: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self::new(name, State::Warn, detail)
    }

    fn fail(name: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self::new(name, State::Fail, detail)
    }
}

pub(super) fn run(global: &Global) -> Result<Exit> {
    let mut checks = Vec::new();
    let loaded = configuration(global, &mut checks);
    if let Some(loaded) = &loaded {
        let dir = data_dir(global, loaded);
        // What is wrong with the records is said below.
        let _ = crate::wiring::register_own_listings(&dir);
        local::check(loaded, &dir, &mut checks);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(remote::check(&loaded.settings, &dir, &mut checks))?;
    }
    print(global, &checks)?;
    let failed = checks.iter().any(|check| check.state == State::Fail);
    Ok(if failed { Exit::CheckFailed } else { Exit::Done })
}

/// The configuration; without its channels where a secret is missing, so that the rest is checked
/// all the same.
fn configuration(global: &Global, checks: &mut Vec<Check>) -> Option<Loaded> {
    let file = global.config.as_deref();
    let whole = config::load(file, Wanted::Everything);
    let whole = whole.and_then(|loaded| {
        // What only the channels themselves can judge.
        crate::wiring::notifiers(&loaded.settings).map(|_| loaded)
    });
    let (loaded, trouble) = match whole {
        Ok(loaded) => (loaded, None),
        Err(why) => match config::load(file, Wanted::NoChannels) {
            Ok(loaded) => (loaded, Some(why)),
            Err(_) => {
                checks.push(Check::fail("config", why));
                return None;
            }
        },
    };
    let settings = &loaded.settings;
    match &loaded.file {
        None => checks.push(Check::warn(
            "config",
            "no finstage.toml here or in the user's folder: `finstage init` writes one",
        )),
        Some(file) if settings.feeds.is_empty() => checks.push(Check::fail(
            "config",
            format!("{}: nothing to watch: add a [[feeds]]", file.display()),
        )),
        Some(file) => checks.push(Check::ok(
            "config",
            format!(
                "{}: {}, {}, {}, {}",
                file.display(),
                count(settings.feeds.len(), "feed", "feeds"),
                count(settings.engine.strategies.len(), "strategy", "strategies"),
                count(settings.engine.watches.len(), "watch", "watches"),
                count(settings.notify.len(), "channel", "channels"),
            ),
        )),
    }
    // That others can read the .env is said among permissions.
    let env = loaded.file.as_deref().map(|file| dotenv::open_to_others(&dotenv::place(file)));
    let own = settings.warnings.iter().filter(|one| Some(*one) != env.as_ref());
    checks.extend(own.map(|warning| Check::warn("config", warning)));
    checks.push(match trouble {
        Some(why) => Check::fail("secrets", why),
        None => {
            let keys = settings.accounts.values();
            let tokens = || settings.sealed.values().filter_map(|sealed| sealed.token.as_ref());
            let missing = keys.clone().flat_map(|account| account.trouble());
            let missing =
                missing.chain(tokens().filter_map(|t| t.as_ref().err().map(String::as_str)));
            let missing = missing.collect::<Vec<_>>();
            let count = settings.notify.iter().flat_map(|channel| channel.secrets()).count();
            let count = count + keys.flat_map(|account| account.secrets()).count();
            let count = count + tokens().filter(|token| token.is_ok()).count();
            match missing.first() {
                Some(why) => Check::fail("secrets", why),
                None => Check::ok("secrets", format!("{count} found")),
            }
        }
    });
    Some(loaded)
}

fn print(global: &Global, checks: &[Check]) -> Result<()> {
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let failed = count(State::Fail);
    if global.json {
        let rows: Vec<_> = checks
            .iter()
            .map(|check| json!({"name": check.name, "status": check.state.as_str(), "detail": check.detail}))
            .collect();
        return print_json(&json!({"ok": failed == 0, "checks": rows}));
    }
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    for Check { name, state, detail } in checks {
        print_line(&format!("{:4}  {name:width$}  {detail}", state.as_str()))?;
    }
    let (ok, warned) = (count(State::Ok), count(State::Warn));
    let many = |count: usize| if count == 1 { "" } else { "s" };
    let (warnings, failures) = (many(warned), many(failed));
    super::say(
        global,
        format_args!("{ok} ok, {warned} warning{warnings}, {failed} failure{failures}"),
    );
    Ok(())
}

//! Checks on the network: venues, the clock against theirs, channels, and our own port.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::prices::PriceErrorKind;
use finstage_feeds::{hosts, venues};
use finstage_model::{Clock, Symbol, Timestamp, format_duration};
use finstage_net::{Client, ClientOptions, ErrorKind, Request, SystemClock, http_date};
use finstage_notify::{Bot, BotErrorKind};
use finstage_seal::Secret;
use finstage_server::ServerOptions;

use super::Check;
use super::local::holder;
use crate::commands::running;
use crate::config::settings::{FeedSettings, NotifySettings, Settings};
use crate::exit::{Exit, Failure, Result};
use crate::venues::{Door, Means};
use crate::wiring;

/// What is asked where nothing is watched.
const KNOWN_PRICE: &str = "kis:005930";
/// The longest that one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that is read.
const ANSWER_MAX_BYTES: usize = 4 << 20;
/// A clock that differs more is wrong: dates in answers have whole seconds.
const CLOCK_MAX: Duration = Duration::from_secs(30);
const CLOCK_OFF: Duration = Duration::from_secs(3);

pub(super) async fn check(settings: &Settings, dir: &Path, checks: &mut Vec<Check>) -> Result<()> {
    let client = Client::new(ClientOptions {
        connect_timeout: PATIENCE,
        total_timeout: PATIENCE,
        max_body_bytes: ANSWER_MAX_BYTES,
        user_agent: format!("finstage/{}", crate::VERSION),
        ..ClientOptions::default()
    })
    .map_err(|e| Failure::new(Exit::Remote, e))?;
    let mut dates = Vec::new();
    let mut asked: Vec<&str> = Vec::new();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let means = Means { settings, client: &client, dir, clock: &clock };
    for feed in &settings.feeds {
        if !asked.contains(&feed.venue.as_str()) {
            asked.push(&feed.venue);
            let wants_keys = venues::find(&feed.venue).is_some_and(|venue| venue.access.is_some());
            checks.push(match wants_keys {
                true => account(&feed.venue, feed.symbols.first(), means).await,
                false => venue(&client, feed, &mut dates).await,
            });
        }
    }
    // Keys without a feed are there for prices and history.
    for name in settings.accounts.keys().filter(|name| !asked.contains(&name.as_str())) {
        checks.push(account(name, None, means).await);
    }
    checks.extend(super::sealed::check(settings, dir, (&client, PATIENCE)).await);
    checks.extend(super::news::check(settings, &client).await);
    checks.extend(difference(&dates));
    for channel in &settings.notify {
        match channel {
            NotifySettings::Log => {}
            NotifySettings::Telegram { token, url, .. } => {
                checks.push(telegram(&client, url, token).await);
            }
            NotifySettings::Webhook { url, .. } => checks.push(webhook(&client, url).await),
        }
    }
    checks.push(port(dir, &settings.server.options).await);
    Ok(())
}

/// A price from a venue that wants keys: it proves the address, the keys and the token, which is kept
/// for whoever asks next.
async fn account(name: &str, symbol: Option<&Symbol>, means: Means<'_>) -> Check {
    let check = format!("venue {name}");
    let door = match Door::open(name, means) {
        Ok(door) => door,
        Err(why) => return Check::fail(check, why),
    };
    let symbol = symbol.cloned().or_else(|| KNOWN_PRICE.parse().ok());
    let (Some(symbol), Ok(desk)) = (symbol, door.prices()) else {
        return Check::warn(check, "is not looked at: it tells no prices");
    };
    let rest = &door.endpoints.rest;
    match desk.ask(&[symbol]).await.pop() {
        Some(Err(why)) if why.kind() == PriceErrorKind::Unauthorized => Check::fail(
            check,
            format!("{why}: check app_key, app_secret and mock in [venues.{name}]"),
        ),
        Some(Err(why)) if why.kind() == PriceErrorKind::Unreachable => {
            Check::fail(check, format!("{why}: check the network, or rest in [venues.{name}]"))
        }
        Some(Err(why)) if why.kind() == PriceErrorKind::Limited => {
            Check::warn(check, format!("{why}: wait a while"))
        }
        // It answered, so keys and token are good.
        _ => {
            let quotas = door.client.remote().map(|remote| remote.snapshot().quotas);
            let used = quotas.unwrap_or_default();
            let used = used.iter().map(|seen| (seen.rule, seen.used, seen.limit, seen.window));
            Check::ok(check, format!("{rest} accepts the keys{}", spent(used)))
        }
    }
}

/// A light question to a venue; the moment on its clock and on ours goes to `dates`.
async fn venue(
    client: &Client,
    feed: &FeedSettings,
    dates: &mut Vec<(Timestamp, Timestamp)>,
) -> Check {
    let name = format!("venue {}", feed.venue);
    let (profile, endpoints) = match wiring::venue(feed) {
        Ok((venue, endpoints)) => (venue.profile, endpoints),
        Err(why) => return Check::fail(name, why),
    };
    let path = match feed.venue.as_str() {
        "binance" => "/api/v3/ping",
        _ => "/",
    };
    let mut asked = None;
    // One that answers is enough: the others stand in for it.
    for host in hosts(&endpoints.rest) {
        let answer = client.send(&Request::get(format!("{host}{path}"))).await;
        let is_there = answer.is_ok();
        asked = Some((host, answer));
        if is_there {
            break;
        }
    }
    let (rest, answer) = match asked {
        Some((host, Ok(answer))) => (host, answer),
        Some((_, Err(why))) => {
            return Check::fail(
                name,
                format!("{why}: check the network, or rest in [venues.{}]", feed.venue),
            );
        }
        None => {
            return Check::fail(name, format!("no address: set rest in [venues.{}]", feed.venue));
        }
    };
    if let Some(date) = answer.header("date").and_then(http_date) {
        dates.push((date, SystemClock.now()));
    }
    let mirror = ": it serves no one at this place: set the mirror in [venues.binance], rest = \"https://data-api.binance.vision\"";
    match answer.status {
        451 if feed.venue == "binance" => Check::fail(name, format!("{rest} answered 451{mirror}")),
        418 | 429 => Check::warn(
            name,
            format!("{rest} answered {}: too many requests lately, wait a while", answer.status),
        ),
        500.. => Check::fail(
            name,
            format!("{rest} answered {}: trouble at the venue, try again later", answer.status),
        ),
        _ => {
            // What the venue itself counts, other programs of this address included.
            let told = (profile.terms.readings)(&answer);
            let used = told.iter().filter_map(|reading| {
                let rule = profile.terms.rules.iter().find(|rule| rule.name == reading.rule)?;
                Some((rule.name, reading.used?, reading.limit.unwrap_or(rule.limit), rule.window))
            });
            Check::ok(name, format!("{rest} answers{}", spent(used)))
        }
    }
}

/// Limits and what is used of them, for people.
fn spent<'a>(used: impl Iterator<Item = (&'a str, u64, u64, Duration)>) -> String {
    let say = |(rule, used, limit, window): (&str, u64, u64, Duration)| {
        format!("; {rule}: {used} of {limit} in {} used", format_duration(window))
    };
    used.map(say).collect()
}

/// Our clock beside those of venues: the smallest difference counts.
fn difference(dates: &[(Timestamp, Timestamp)]) -> Option<Check> {
    let apart =
        |(theirs, ours): &(Timestamp, Timestamp)| ours.since(*theirs).max(theirs.since(*ours));
    let difference = dates.iter().map(apart).min()?;
    let seconds = difference.as_secs();
    let remedy = "set it by NTP (timedatectl set-ntp true)";
    Some(match difference {
        _ if difference > CLOCK_MAX => {
            Check::fail("clock", format!("{seconds} s apart from the venue's: {remedy}"))
        }
        _ if difference > CLOCK_OFF => {
            Check::warn("clock", format!("{seconds} s apart from the venue's: {remedy}"))
        }
        _ => Check::ok("clock", "agrees with the venue's"),
    })
}

async fn telegram(client: &Client, url: &str, token: &Secret<String>) -> Check {
    let bot = match Bot::new(url, token.clone()) {
        Ok(bot) => bot,
        Err(why) => return Check::fail("telegram", why),
    };
    match bot.name(client).await {
        Ok(name) => Check::ok("telegram", format!("bot {} (@{})", name.first_name, name.username)),
        Err(why) if why.kind() == BotErrorKind::Refused => Check::warn("telegram", why),
        Err(why) => Check::fail("telegram", why),
    }
}

/// Whether somebody is there: a GET does nothing, and any answer will do.
async fn webhook(client: &Client, url: &Secret<String>) -> Check {
    let typed = url.expose();
    let host_end = typed.find("://").map_or(0, |at| at + 3);
    let end = typed[host_end..].find('/').map_or(typed.len(), |at| host_end + at);
    let request = Request::get(&typed[..end]);
    match client.send(&request).await {
        Ok(_) => Check::ok("webhook", format!("{} answers", &typed[..end])),
        Err(why) if why.kind() == ErrorKind::Invalid => {
            Check::fail("webhook", format!("{why}: correct url in [[notify]]"))
        }
        Err(why) => Check::fail(
            "webhook",
            format!("{why}: start the receiver, or correct url in [[notify]]"),
        ),
    }
}

/// Whether our own port is free, or taken by the service on this folder.
async fn port(dir: &Path, options: &ServerOptions) -> Check {
    let listen = options.listen;
    if TcpListener::bind(listen).is_ok() {
        return Check::ok("port", format!("{listen} is free"));
    }
    let client = match running::client(options, (PATIENCE, ANSWER_MAX_BYTES)) {
        Ok(client) => client,
        Err(why) => return Check::fail("port", why.to_string()),
    };
    let base = running::base(options, None);
    let asked = client.send(&Request::get(format!("{base}/healthz"))).await;
    let is_ours = holder(dir).is_some_and(|(_, name)| name.starts_with("finstage"));
    match asked {
        Ok(answer) if is_ours && answer.status == 200 => {
            Check::ok("port", format!("{listen}: the service answers"))
        }
        Err(error) if is_ours && error.kind() == ErrorKind::Protocol => {
            Check::fail("port", format!("{error}: {}", running::remedy(&error, options)))
        }
        _ => Check::fail(
            "port",
            format!("{listen} is taken by another program: stop it, or set server.listen"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    #[test]
    fn a_clock_is_judged_by_the_venue_that_is_nearest() {
        let at = |secs| Timestamp::from_secs(secs);
        let state = |dates: &[(i64, i64)]| {
            let dates: Vec<_> = dates.iter().map(|(a, b)| (at(*a), at(*b))).collect();
            difference(&dates).map(|check| check.state)
        };
        assert_eq!(state(&[]), None);
        assert_eq!(state(&[(1_000, 1_002)]), Some(State::Ok));
        assert_eq!(state(&[(1_000, 990)]), Some(State::Warn));
        assert_eq!(state(&[(1_000, 2_000), (1_000, 1_000)]), Some(State::Ok));
        assert_eq!(state(&[(1_000, 2_000)]), Some(State::Fail));
    }
}

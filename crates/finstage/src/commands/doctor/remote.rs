//! Checks on the network: venues, the clock against theirs, channels, and our own port.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use finstage_feeds::hosts;
use finstage_model::{Clock as _, Timestamp};
use finstage_net::{Client, ClientOptions, ErrorKind, Request, SystemClock, http_date};
use finstage_notify::{Bot, BotErrorKind};
use finstage_seal::Secret;

use super::Check;
use super::local::holder;
use crate::commands::token::reachable;
use crate::config::settings::{FeedSettings, NotifySettings, Settings};
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

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
    for feed in &settings.feeds {
        if !asked.contains(&feed.venue.as_str()) {
            asked.push(&feed.venue);
            checks.push(venue(&client, feed, &mut dates).await);
        }
    }
    checks.extend(clock(&dates));
    for channel in &settings.notify {
        match channel {
            NotifySettings::Log => {}
            NotifySettings::Telegram { token, url, .. } => {
                checks.push(telegram(&client, url, token).await);
            }
            NotifySettings::Webhook { url, .. } => checks.push(webhook(&client, url).await),
        }
    }
    checks.push(port(&client, dir, settings.server.options.listen).await);
    Ok(())
}

/// A light question to a venue; the moment on its clock and on ours goes to `dates`.
async fn venue(
    client: &Client,
    feed: &FeedSettings,
    dates: &mut Vec<(Timestamp, Timestamp)>,
) -> Check {
    let name = format!("venue {}", feed.venue);
    let endpoints = match wiring::venue(feed) {
        Ok((_, endpoints)) => endpoints,
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
        _ => Check::ok(name, format!("{rest} answers")),
    }
}

/// Our clock beside those of venues: the smallest difference counts.
fn clock(dates: &[(Timestamp, Timestamp)]) -> Option<Check> {
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
async fn port(client: &Client, dir: &Path, listen: SocketAddr) -> Check {
    if TcpListener::bind(listen).is_ok() {
        return Check::ok("port", format!("{listen} is free"));
    }
    let asked = client.send(&Request::get(format!("http://{}/healthz", reachable(listen)))).await;
    let is_ours = holder(dir).is_some_and(|(_, name)| name.starts_with("finstage"));
    match asked {
        Ok(answer) if is_ours && answer.status == 200 => {
            Check::ok("port", format!("{listen}: the service answers"))
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
            clock(&dates).map(|check| check.state)
        };
        assert_eq!(state(&[]), None);
        assert_eq!(state(&[(1_000, 1_002)]), Some(State::Ok));
        assert_eq!(state(&[(1_000, 990)]), Some(State::Warn));
        assert_eq!(state(&[(1_000, 2_000), (1_000, 1_000)]), Some(State::Ok));
        assert_eq!(state(&[(1_000, 2_000)]), Some(State::Fail));
    }
}

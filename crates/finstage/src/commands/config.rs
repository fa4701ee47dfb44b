//! `finstage config check|show|default|schema`

use std::path::Path;

use serde_json::{Value, json};

use super::{data_dir, load, print_json, print_line};
use crate::cli::{Config, Global};
use crate::config::settings::{Manners, NotifySettings, SealedSettings, Settings};
use crate::config::{Loaded, reference};
use crate::exit::{Exit, Failure, Result};
use crate::news::reader::Reader;
use crate::sealed::keyring_path;
use crate::wiring;
use finstage_model::format_duration;
use finstage_notify::{Level, Quiet};

pub(super) fn run(global: &Global, args: Config) -> Result<Exit> {
    match args {
        Config::Default => print_line(reference::default_file().trim_end())?,
        Config::Schema => print_json(&reference::schema())?,
        Config::Show => {
            let loaded = load(global)?;
            print_json(&shown(&loaded.settings, &data_dir(global, &loaded)))?;
        }
        Config::Check => check(global, &load(global)?)?,
    }
    Ok(Exit::Done)
}

fn check(global: &Global, loaded: &Loaded) -> Result<()> {
    let settings = &loaded.settings;
    // What only the channels themselves can judge.
    wiring::notifiers(settings)?;
    // What a start refuses at once.
    settings.server.options.check_files().map_err(|why| Failure::usage(why.to_string()))?;
    if !settings.news.is_off() {
        Reader::check(&settings.news, &settings.llm)?;
    }
    let file = loaded.file.as_ref().map(|f| f.display().to_string());
    if global.json {
        return print_json(&json!({"ok": true, "file": file, "warnings": settings.warnings}));
    }
    let symbols: usize = settings.feeds.iter().map(|feed| feed.symbols.len()).sum();
    let file = file.unwrap_or_else(|| "built-in defaults (no finstage.toml found)".into());
    print_line(&format!(
        "ok: {file}: {} with {}, {}, {}, {}",
        count(settings.feeds.len(), "feed", "feeds"),
        count(symbols, "symbol", "symbols"),
        count(settings.engine.strategies.len(), "strategy", "strategies"),
        count(settings.engine.watches.len(), "watch", "watches"),
        count(settings.notify.len(), "notifier", "notifiers"),
    ))
}

pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// How a channel behaves.
fn manners(manners: &Manners) -> Value {
    let holding = &manners.holding;
    let time = |time: jiff::civil::Time| time.strftime("%H:%M").to_string();
    let quiet = |quiet: Quiet| format!("{}-{}", time(quiet.from), time(quiet.until));
    json!({
        "commands": manners.commands,
        "send": if holding.level == Level::Verified { "verified" } else { "unproven" },
        "per_hour": holding.per_hour,
        "quiet": holding.quiet.map_or_else(|| "off".to_owned(), quiet),
        "digest": holding.digest.map_or_else(|| "off".to_owned(), time),
        "language": crate::serving::language_code(manners.language),
        "timezone": manners.zone().iana_name(),
    })
}

/// The settings in force; a secret has no form that could be shown.
fn shown(settings: &Settings, data_dir: &Path) -> Value {
    let mut notify: Vec<Value> = settings
        .notify
        .iter()
        .map(|channel| match channel {
            NotifySettings::Log => json!({"kind": "log", "name": "log"}),
            NotifySettings::Webhook { name, url, secret } => {
                json!({"kind": "webhook", "name": name, "url": url.to_string(), "secret": secret.to_string()})
            }
            NotifySettings::Telegram { name, chat, token, url } => {
                json!({"kind": "telegram", "name": name, "chat": chat, "token": token.to_string(), "url": url})
            }
        })
        .collect();
    for (channel, manners) in notify.iter_mut().zip(&settings.manners.0) {
        let behaviour = self::manners(manners);
        if let (Some(to), Value::Object(own)) = (channel.as_object_mut(), behaviour) {
            to.extend(own);
        }
    }
    let feeds: Vec<Value> = settings
        .feeds
        .iter()
        .map(|feed| {
            let sealed = settings.sealed.get(&feed.venue).map(|sealed| sealed_stream(sealed, data_dir));
            json!({"venue": feed.venue, "symbols": feed.symbols, "venue_intervals": feed.venue_intervals, "rest": feed.rest, "ws": feed.ws, "sealed": sealed})
        })
        .collect();
    json!({
        "store": {"path": data_dir, "fsync": format_duration(settings.fsync)},
        "journal": {"keep": format_duration(settings.keep)},
        "retention": {
            "said": format_duration(settings.retention.said),
            "notices": format_duration(settings.retention.notices),
            "archive": settings.retention.archive,
        },
        "alerts": {
            "send": if settings.engine.alerts.send_unproven { "unproven" } else { "verified" },
            "cooldown": format_duration(std::time::Duration::from_millis(settings.engine.alerts.cooldown_ms)),
            "per_hour": settings.engine.alerts.per_hour,
            "max_age": format_duration(settings.max_age),
        },
        "display": {"timezone": settings.timezone},
        "log": {
            "file": settings.log.file,
            "format": if settings.log.is_json { "json" } else { "pretty" },
            "level": settings.log.level,
            "rotate_bytes": settings.log.rotate_bytes,
            "keep": settings.log.keep,
        },
        "feeds": feeds,
        "series": settings.engine.series,
        "strategies": settings.engine.strategies,
        "watches": settings.engine.watches,
        "notify": notify,
    })
}

fn sealed_stream(sealed: &SealedSettings, data_dir: &Path) -> Value {
    json!({
        "ws": sealed.ws,
        "fallback": sealed.fallback,
        "patience": sealed.patience.name,
        "keyring": keyring_path(sealed, data_dir),
        "token": sealed.token.as_ref().map(|token| match token {
            Ok(token) => token.to_string(),
            Err(why) => why.clone(),
        }),
        "stream": sealed.data_stream,
    })
}

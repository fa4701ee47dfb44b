//! Watches, wherever they come from: those of the configuration, and those that were added beside it.

use std::collections::BTreeSet;
use std::time::Duration;

use finstage_engine::{WatchRule, WatchSpec};
use finstage_model::{Symbol, Timestamp};
use finstage_store::Error;
use finstage_store::records::{AddedWatch, Records};
use serde_json::{Value, json};

use crate::config::settings::WatchThresholds;
use crate::exit::{Failure, Result};

/// The most watches that are named where an id fits several.
const MAX_NAMED: usize = 8;

/// A watch with where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownWatch {
    /// The watch; one of the configuration was added at no time.
    pub watch: AddedWatch,
    /// Whether it stands in the configuration.
    pub is_configured: bool,
}

impl KnownWatch {
    /// A watch that was added.
    #[must_use]
    pub const fn added(watch: AddedWatch) -> Self {
        Self { watch, is_configured: false }
    }

    /// Where it comes from, in a word.
    #[must_use]
    pub const fn origin(&self) -> &'static str {
        if self.is_configured { "config" } else { "added" }
    }

    /// As lists of programs have it.
    #[must_use]
    pub fn value(&self) -> Value {
        let AddedWatch { id, symbol, rule, cooldown_ms, added_at } = &self.watch;
        json!({
            "id": id,
            "symbol": symbol,
            "rule": rule,
            "kind": rule.kind(),
            "threshold": rule.threshold(),
            "repeat_s": cooldown_ms / 1_000,
            "created_at": (!self.is_configured).then_some(added_at),
            "origin": self.origin(),
        })
    }
}

/// The watches of the configuration.
#[must_use]
pub fn configured(watches: &[WatchSpec]) -> Vec<KnownWatch> {
    let known = |spec: &WatchSpec| {
        let (symbol, rule) = (spec.symbol.clone(), spec.rule);
        let watch = AddedWatch::new(symbol, rule, spec.cooldown_ms, Timestamp::EPOCH);
        KnownWatch { watch, is_configured: true }
    };
    watches.iter().map(known).collect()
}

/// The watches that were added, by symbol and rule.
///
/// # Errors
/// When the records cannot be read.
pub fn added(records: &Records) -> std::result::Result<Vec<KnownWatch>, Error> {
    let mut all = records.watches_added()?;
    all.sort_by_cached_key(|watch| (watch.symbol.clone(), watch.rule.to_string()));
    Ok(all.into_iter().map(KnownWatch::added).collect())
}

/// What somebody wants to watch.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Whose price.
    pub symbol: &'a Symbol,
    /// The rules, as they are typed; the usual ones where there are none.
    pub rules: &'a [String],
    /// Least time between two alerts, where it is not as usual.
    pub cooldown: Option<Duration>,
    /// The channel whose chat alone is told, unless somebody else has the watch as well; `None`: all.
    pub channel: Option<&'a str>,
}

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Granted {
    /// Watches that are there now.
    pub rows: Vec<KnownWatch>,
    /// Rules that stand in the configuration, and stay as they are.
    pub configured: Vec<WatchRule>,
}

/// Adds watches beside the `configured` ones; a running service hears of them within seconds.
///
/// # Errors
/// Exit 2 when a rule is none or too many were added, 6 when the records cannot be written.
pub fn add(
    records: &Records,
    (thresholds, configured): (&WatchThresholds, &[WatchSpec]),
    wish: Wish<'_>,
    now: Timestamp,
) -> Result<Granted> {
    let Wish { symbol, rules, cooldown, channel } = wish;
    let wanted: Vec<WatchRule> = if rules.is_empty() {
        thresholds.usual(symbol)
    } else {
        let read = |text: &String| thresholds.rule(symbol, text).map_err(Failure::usage);
        rules.iter().map(read).collect::<Result<_>>()?
    };
    let configured = self::configured(configured);
    let mut granted = Granted::default();
    for rule in wanted {
        let own = cooldown.map(|cooldown| cooldown.as_millis() as u64);
        let watch = AddedWatch::new(symbol.clone(), rule, own, now);
        if configured.iter().any(|known| known.watch.id == watch.id) {
            granted.configured.push(rule);
            continue;
        }
        let is_new = records.watch_add(&watch)?;
        // What another has as well is told to all.
        let others = if is_new { None } else { records.watch_channel(&watch.id)? };
        let is_shared = !is_new && others.as_deref() != channel;
        records.set_watch_channel(&watch.id, channel.filter(|_| !is_shared))?;
        granted.rows.push(KnownWatch::added(watch));
    }
    Ok(granted)
}

/// The watches whose ids begin with `id`.
#[must_use]
pub fn meant<'a>(rows: &'a [KnownWatch], id: &str) -> Vec<&'a KnownWatch> {
    let id = id.to_ascii_lowercase();
    rows.iter().filter(|row| row.watch.id.starts_with(&id)).collect()
}

/// Takes out those of the added watches `rows` whose ids begin with `ids`: all of them, or none where one is
/// not known.
///
/// # Errors
/// Exit 2 when an id fits none or several, or one of the `configured`, 6 when the records cannot be
/// written.
pub fn remove(
    records: &Records,
    (rows, configured): (&[KnownWatch], &[WatchSpec]),
    ids: &[String],
) -> Result<Vec<KnownWatch>> {
    let configured = self::configured(configured);
    // All of them are looked up before the first one goes.
    let mut found = BTreeSet::new();
    for id in ids {
        match meant(rows, id)[..] {
            [one] => drop(found.insert(one.watch.id.clone())),
            [] if !meant(&configured, id).is_empty() => {
                return Err(Failure::usage(format!(
                    "{id} stands in the configuration: take it out of [[watches]] there"
                )));
            }
            [] => {
                return Err(Failure::usage(format!(
                    "no watch {id}: `finstage watch list` shows all"
                )));
            }
            ref several => {
                let named = |row: &&KnownWatch| {
                    let AddedWatch { id, symbol, rule, .. } = &row.watch;
                    format!("{id} ({symbol} {rule})")
                };
                let named: Vec<String> = several.iter().take(MAX_NAMED).map(named).collect();
                let (count, more) = (several.len(), several.len() - named.len());
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let named = format!("{}{more}", named.join(", "));
                return Err(Failure::usage(format!(
                    "{id} fits {count} watches: write more of one of {named}"
                )));
            }
        }
    }
    let rows: Vec<KnownWatch> =
        rows.iter().filter(|row| found.contains(&row.watch.id)).cloned().collect();
    for row in &rows {
        records.watch_remove(&row.watch.id)?;
    }
    Ok(rows)
}

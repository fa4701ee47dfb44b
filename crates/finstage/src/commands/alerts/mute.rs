//! `finstage alerts mute`

use finstage_engine::{Rule, WatchRule};
use finstage_model::{Clock as _, MuteNotice, Symbol};
use finstage_net::SystemClock;
use finstage_store::records::StoreKind;
use finstage_strategies::CATALOG;
use serde_json::json;

use super::super::{data_dir, load_without_channels, print_line, print_table, say, say_none};
use crate::cli::{AlertMute, Global};
use crate::config::settings::Settings;
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

/// Words that a watch's rule can begin with.
const WATCHES: [&str; 8] =
    ["rise", "drop", "new_high", "drop_from_high", "prev_high", "prev_low", "above", "below"];

pub(super) fn run(global: &Global, args: &AlertMute) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    let now = SystemClock.now();
    let Some(what) = &args.what else {
        let mutes = match dir.join("records.db").exists() {
            true => wiring::read_records(&dir)?.mutes(now)?,
            false => Vec::new(),
        };
        return list(global, &mutes);
    };
    std::fs::create_dir_all(&dir).map_err(|e| Failure::from_writing(&dir, &e))?;
    let records = wiring::open_records(&dir, StoreKind::Real)?;
    if args.off {
        if !records.unmute(what)? {
            return Err(Failure::usage(format!(
                "{what} is not muted: `finstage alerts mute --list` shows what is"
            )));
        }
        say(global, format_args!("{what} may speak again"));
        return Ok(Exit::Done);
    }
    check(&loaded.settings, what)?;
    let span = args.span.unwrap_or_default();
    let mute = MuteNotice { what: what.clone(), until: now.plus(span) };
    records.mute(&mute, now)?;
    list(global, &[mute])
}

/// Refuses what no alert is about: a slip of the pen would mute nothing, in silence.
fn check(settings: &Settings, what: &str) -> Result<()> {
    let is_watch = WATCHES.contains(&what) || what.parse::<WatchRule>().is_ok();
    if what.parse::<Symbol>().is_ok() || is_watch {
        return Ok(());
    }
    let mut names = Vec::new();
    for spec in &settings.engine.strategies {
        if let Ok(rule) = Rule::of(spec, CATALOG) {
            let word = rule.canonical.split(['(', ':', '=']).next().unwrap_or_default();
            names.extend([word.to_owned(), rule.canonical.clone()]);
        }
    }
    if names.iter().any(|name| name == what) {
        return Ok(());
    }
    let near = finstage_engine::nearest(what, names.into_iter());
    let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
    Err(Failure::usage(format!(
        "\"{what}\" is neither a symbol (venue:SYMBOL), nor a strategy of [[strategies]], nor a rule of a watch{near}"
    )))
}

fn list(global: &Global, mutes: &[MuteNotice]) -> Result<Exit> {
    if global.json {
        for mute in mutes {
            print_line(&json!({"what": mute.what, "until": mute.until}).to_string())?;
        }
    } else if mutes.is_empty() {
        say_none(global, "mutes", false);
    } else {
        let cells = |mute: &MuteNotice| vec![mute.what.clone(), mute.until.to_string()];
        let rows: Vec<Vec<String>> = mutes.iter().map(cells).collect();
        print_table(&["muted", "until"], &rows)?;
    }
    Ok(Exit::Done)
}

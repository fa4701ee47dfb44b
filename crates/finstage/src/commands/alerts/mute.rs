//! `finstage alerts mute`

use finstage_model::{Clock as _, MuteNotice};
use finstage_net::SystemClock;
use finstage_store::records::StoreKind;
use serde_json::json;

use super::super::{data_dir, load_without_channels, print_line, print_table, say, say_none};
use crate::cli::{AlertMute, Global};
use crate::exit::{Exit, Failure, Result};
use crate::{mutes, wiring};

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
        mutes::unmute(&records, what)?;
        say(global, format_args!("{what} may speak again"));
        return Ok(Exit::Done);
    }
    let strategies = &loaded.settings.engine.strategies;
    let span = args.span.unwrap_or_default();
    let mute = mutes::mute(&records, strategies, (what, span), now)?;
    list(global, &[mute])
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

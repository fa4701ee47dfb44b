//! Every name of KOSPI and KOSDAQ, from the master files of KIS.

use std::path::Path;

use finstage_feeds::registry;
use finstage_feeds::venues::kis::master::{self, KOSDAQ, KOSPI, MasterRow};
use finstage_model::Symbol;
use finstage_net::Request;
use finstage_store::records::{OwnListing, StoreKind};
use serde_json::json;

use crate::cli::Global;
use crate::commands::{print_json, print_line};
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

/// Adds what a master file lists, under the symbols of the venue `kis`.
pub(super) fn add(global: &Global, dir: &Path, typed: &str) -> Result<()> {
    let bytes = match typed {
        "kospi" => fetch(KOSPI)?,
        "kosdaq" => fetch(KOSDAQ)?,
        url if url.starts_with("http://") || url.starts_with("https://") => fetch(url)?,
        file => read(Path::new(file))?,
    };
    let master = master::read(&bytes).map_err(|why| Failure::usage(format!("{typed}: {why}")))?;
    let listings = master.rows.iter().map(listing).collect::<Result<Vec<_>>>()?;
    std::fs::create_dir_all(dir).map_err(|e| Failure::from_writing(dir, &e))?;
    let added = wiring::open_records(dir, StoreKind::Real)?.put_own_listings(&listings)?;
    let (read, passed_over) = (listings.len(), master.others);
    let renewed = read - added;
    if global.json {
        return print_json(&json!({
            "read": read, "added": added, "renewed": renewed, "passed_over": passed_over,
        }));
    }
    print_line(&format!(
        "{read} shares and funds: {added} added, {renewed} renewed; {passed_over} warrants and rights passed over"
    ))
}

fn listing(row: &MasterRow) -> Result<OwnListing> {
    let symbol: Symbol = format!("kis:{}", row.code).parse().map_err(Failure::usage)?;
    // The files have Korean names only; large companies have an English one here.
    let elsewhere = ["KS", "KQ"]
        .into_iter()
        .find_map(|market| registry::find(&format!("yahoo:{}.{market}", row.code).parse().ok()?));
    Ok(OwnListing {
        symbol,
        name: elsewhere.map_or(row.name.as_str(), |known| known.name).to_owned(),
        name_ko: row.name.clone(),
        category: row.category.name().to_owned(),
        currency: Some("KRW".to_owned()),
        calendar: Some("kr".to_owned()),
    })
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let failed = |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", file.display()));
    let length = std::fs::metadata(file).map_err(|e| failed(&e))?.len();
    if length > master::MAX_BYTES as u64 {
        return Err(failed(&format_args!("{length} bytes are no master file")));
    }
    std::fs::read(file).map_err(|e| failed(&e))
}

fn fetch(url: &str) -> Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        wiring::client()?.send(&Request::get(url)).await.map_err(|e| Failure::new(Exit::Remote, e))
    })?;
    if !answer.is_success() || answer.is_page() {
        let why = format!("{url}: answered {}: fetch it by hand and name the file", answer.status);
        return Err(Failure::new(Exit::Remote, why));
    }
    Ok(answer.body)
}

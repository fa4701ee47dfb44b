//! What a venue itself says of instruments.

use std::path::Path;
use std::sync::Arc;

use finstage_feeds::Description;
use finstage_feeds::prices::{PriceDesk, PriceError, PriceErrorKind};
use finstage_feeds::registry::ListingCategory;
use finstage_model::{Clock, Symbol};
use finstage_net::SystemClock;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::commands::{print_line, print_table, say};
use crate::config::Loaded;
use crate::exit::{Exit, Result};
use crate::venues::{Means, doors_of};
use crate::wiring;

type Told = std::result::Result<Description, PriceError>;

/// Asks for each of `symbols`; one that fails has its error in its row.
pub(super) fn ask(
    global: &Global,
    (loaded, dir): (&Loaded, &Path),
    symbols: &[Symbol],
) -> Result<Exit> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = runtime.block_on(async {
        let client = wiring::client()?;
        let means = Means { settings: &loaded.settings, client: &client, dir, clock: &clock };
        let doors = doors_of(symbols, means)?;
        let mut desks: Vec<PriceDesk> = Vec::new();
        for door in doors.values() {
            door.enter().await?;
            desks.push(door.prices()?);
        }
        let mut told: Vec<(&Symbol, Told)> = Vec::new();
        for symbol in symbols {
            if let Some(desk) = desks.iter().find(|desk| desk.venue() == symbol.venue()) {
                told.push((symbol, desk.describe(symbol).await));
            }
        }
        Ok::<_, crate::exit::Failure>(told)
    })?;
    print(global, &told)?;
    let errors: Vec<PriceErrorKind> =
        told.iter().filter_map(|(_, told)| Some(told.as_ref().err()?.kind())).collect();
    Ok(match errors.first() {
        None => Exit::Done,
        Some(PriceErrorKind::Unreachable | PriceErrorKind::Limited)
            if errors.len() == told.len() =>
        {
            Exit::Remote
        }
        Some(_) => Exit::CheckFailed,
    })
}

fn print(global: &Global, told: &[(&Symbol, Told)]) -> Result<()> {
    if global.json {
        return told.iter().try_for_each(|row| print_line(&object(row).to_string()));
    }
    let cells = |description: &Description| {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let Description { name, korean, isin, category, currency } = description;
        let category = category.map_or("-", ListingCategory::name).to_owned();
        [category, currency.clone(), text(isin), text(name), text(korean)]
    };
    let mut rows = Vec::new();
    for (symbol, told) in told {
        match told {
            Ok(description) => {
                let cells = cells(description).into_iter();
                rows.push(std::iter::once(symbol.to_string()).chain(cells).collect());
            }
            Err(why) => say(global, format_args!("{symbol}: {why}")),
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    print_table(&["symbol", "category", "currency", "isin", "name", "name_ko"], &rows)
}

fn object((symbol, told): &(&Symbol, Told)) -> Value {
    let description = told.as_ref().ok();
    json!({
        "symbol": symbol,
        "name": description.map(|told| &told.name),
        "name_ko": description.map(|told| &told.korean),
        "isin": description.map(|told| &told.isin),
        "category": description.and_then(|told| told.category).map(ListingCategory::name),
        "currency": description.map(|told| &told.currency),
        "error": told.as_ref().err().map(ToString::to_string),
    })
}

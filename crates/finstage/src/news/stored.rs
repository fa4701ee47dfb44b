//! The news of the store, for strategies that hear it on stored bars.

use finstage_model::{Bar, Symbol};
use finstage_research::News;
use finstage_research::study::Instrument;
use finstage_store::Records;

use crate::exit::Result;

/// The most documents about an instrument that are heard; the newest ones, where there are more.
pub const MAX_HEARD_OF_STORE: usize = 1_000_000;

/// What was read about an instrument.
///
/// # Errors
/// Exit 6 when the records cannot be read.
pub fn about(records: &Records, symbol: &Symbol) -> Result<News> {
    Ok(News::new(records.insights_about(symbol, MAX_HEARD_OF_STORE)?))
}

/// The instruments with what was read about each.
///
/// # Errors
/// As [`about`].
pub fn add(records: &Records, instruments: Vec<Instrument>) -> Result<Vec<Instrument>> {
    let add = |one: Instrument| {
        let news = about(records, one.symbol())?;
        Ok(one.with_news(news))
    };
    instruments.into_iter().map(add).collect()
}

/// How much of it these bars can hear, in words that do not hide that it is nothing.
#[must_use]
pub fn said(symbol: &Symbol, bars: &[Bar], news: &News) -> String {
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
        return format!("{symbol}: no bars");
    };
    match news.within(bars) {
        [] => {
            let (from, to) = (first.open_time.day(), last.open_time.day());
            format!("{symbol}: 0 documents in {from} to {to}: the news filter never spoke")
        }
        heard => {
            let count = heard.len();
            let documents = if count == 1 { "document is" } else { "documents are" };
            let known = heard[0].known_at;
            let before = match known > first.close_time() {
                true => ": before it nothing was collected about it, and nothing is heard",
                false => "",
            };
            format!("{symbol}: {count} {documents} heard, the first known at {known}{before}")
        }
    }
}

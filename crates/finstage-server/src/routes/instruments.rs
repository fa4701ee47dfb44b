//! Instruments and their newest prices.

use super::Call;
use super::paging::page;
use crate::answer::{Answer, Page};
use crate::app::App;
use crate::problem::Problem;

pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let mut items = app.desk.instruments(call.query.text("q"), app.clock.now());
    if let Some(watched) = call.query.parsed::<bool>("watched") {
        items.retain(|item| item.watched == watched);
    }
    Ok(Answer::json(&page(items, &call.query, |item| item.symbol.to_string())?))
}

pub(super) fn prices(app: &App, call: &Call) -> Result<Answer, Problem> {
    let symbols = call.query.symbols("symbol");
    let items = app.live.prices(&symbols, app.clock.now());
    Ok(Answer::json(&Page { items, next_cursor: None }))
}

//! Alerts.

use finstage_store::records::AlertPage;

use super::Call;
use super::paging::moment;
use crate::answer::{Answer, Page};
use crate::app::App;
use crate::problem::Problem;
use crate::rows::alert_items;

pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let limit = call.query.limit();
    let rows = app.records.alert_page(&AlertPage {
        symbol: call.query.parsed("symbol"),
        status: call.query.text("status").map(str::to_owned),
        after: moment(&call.query)?,
        limit: limit + 1,
    })?;
    let page =
        Page::cut(rows, limit, |row| format!("{}.{}", row.alert.said_at.nanos(), row.alert.id));
    let items = alert_items(&app.records, app.desk.as_ref(), page.items)?;
    Ok(Answer::json(&Page { items, next_cursor: page.next_cursor }))
}

//! News that is kept.

use finstage_store::records::DocumentPage;

use super::Call;
use super::paging::moment;
use crate::answer::{Answer, Page};
use crate::app::App;
use crate::news::NewsItem;
use crate::problem::Problem;

pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let limit = call.query.limit();
    let rows = app.records.document_page(&DocumentPage {
        symbol: call.query.parsed("symbol"),
        since: call.query.parsed("since"),
        after: moment(&call.query)?,
        limit: limit + 1,
    })?;
    let key = |row: &finstage_store::records::DocumentRow| {
        format!("{}.{}", row.seen_at.nanos(), row.document.id)
    };
    let page = Page::cut(rows, limit, key);
    let items: Vec<NewsItem> = page.items.into_iter().map(NewsItem::from).collect();
    Ok(Answer::json(&Page { items, next_cursor: page.next_cursor }))
}

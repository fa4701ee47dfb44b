//! Lists that are small enough to be made whole, page by page: a page goes on behind the row that the
//! cursor names.

use hyper::StatusCode;

use crate::answer::Page;
use crate::problem::Problem;
use crate::query::Query;

/// The page of `rows` that was asked for; `key` names a row among them.
pub(super) fn page<T>(
    rows: Vec<T>,
    query: &Query,
    key: impl Fn(&T) -> String,
) -> Result<Page<T>, Problem> {
    let start = match query.text("cursor") {
        None => 0,
        Some(cursor) => match rows.iter().position(|row| key(row) == cursor) {
            Some(place) => place + 1,
            None => return Err(gone()),
        },
    };
    Ok(Page::cut(rows.into_iter().skip(start).collect(), query.limit(), key))
}

/// The row that a cursor names is not in the list any more, or never was.
pub(super) fn gone() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "the cursor is not, or no longer, in this list: begin again",
    )
}

/// A moment and an id, as cursors of lists by time have them.
pub(super) fn moment<I: std::str::FromStr>(
    query: &Query,
) -> Result<Option<(finstage_model::Timestamp, I)>, Problem> {
    let Some(cursor) = query.text("cursor") else { return Ok(None) };
    let read = |(nanos, id): (&str, &str)| {
        Some((finstage_model::Timestamp::from_nanos(nanos.parse().ok()?), id.parse().ok()?))
    };
    cursor.split_once('.').and_then(read).map(Some).ok_or_else(gone)
}

//! Documents and insights as bytes: the fields in the order of the model.

use finstage_model::{Document, DocumentId, Insight, Symbol, Timestamp};

use super::{Cursor, Malformed, TOO_SHORT, put_difference, put_option, put_text, put_u64};

pub(super) fn put(out: &mut Vec<u8>, document: &Document, received: Timestamp) {
    out.extend(document.id.0.to_le_bytes());
    let Document { feed, title, summary, link, source, .. } = document;
    for text in [feed, title, summary, link, source] {
        put_text(out, text);
    }
    put_option(out, document.published, |out, at| put_difference(out, at, received));
    put_symbols(out, &document.symbols);
}

pub(super) fn take(from: &mut Cursor<'_>, received: Timestamp) -> Result<Document, Malformed> {
    Ok(Document {
        id: DocumentId(from.id()?),
        feed: from.text()?.to_owned(),
        title: from.text()?.to_owned(),
        summary: from.text()?.to_owned(),
        link: from.text()?.to_owned(),
        source: from.text()?.to_owned(),
        published: from.option(|from| from.difference(received))?,
        symbols: take_symbols(from)?,
    })
}

pub(super) fn put_insight(out: &mut Vec<u8>, insight: &Insight, received: Timestamp) {
    out.extend(insight.document.0.to_le_bytes());
    put_difference(out, insight.known_at, received);
    put_text(out, &insight.by);
    put_symbols(out, &insight.symbols);
    for number in [insight.score, insight.impact, insight.confidence] {
        out.extend(number.to_le_bytes());
    }
}

pub(super) fn take_insight(
    from: &mut Cursor<'_>,
    received: Timestamp,
) -> Result<Insight, Malformed> {
    Ok(Insight {
        document: DocumentId(from.id()?),
        known_at: from.difference(received)?,
        by: from.text()?.to_owned(),
        symbols: take_symbols(from)?,
        score: take_float(from)?,
        impact: take_float(from)?,
        confidence: take_float(from)?,
    })
}

fn put_symbols(out: &mut Vec<u8>, symbols: &[Symbol]) {
    put_u64(out, symbols.len() as u64);
    symbols.iter().for_each(|symbol| put_text(out, symbol.as_str()));
}

/// Memory grows with what is read: a count is not believed.
fn take_symbols(from: &mut Cursor<'_>) -> Result<Vec<Symbol>, Malformed> {
    let count = from.u64()?;
    if count > from.rest.len() as u64 {
        return Err(TOO_SHORT);
    }
    (0..count).map(|_| from.symbol()).collect()
}

fn take_float(from: &mut Cursor<'_>) -> Result<f64, Malformed> {
    let (bytes, rest) = from.rest.split_first_chunk().ok_or(TOO_SHORT)?;
    from.rest = rest;
    Ok(f64::from_le_bytes(*bytes))
}

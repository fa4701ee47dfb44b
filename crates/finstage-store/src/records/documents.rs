//! News that was seen, and what was read in it.

use finstage_model::{Document, DocumentId, Insight, Symbol, Timestamp};
use rusqlite::{Row, ToSql, params, params_from_iter};

use super::Records;
use super::db::{Durability, Trouble};
use crate::Error;

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentRow {
    /// What was seen.
    pub document: Document,
    /// When it reached us.
    pub seen_at: Timestamp,
    /// How many feeds had it.
    pub sources: u32,
    /// The headline in the language of the settings, where it was translated.
    pub translated: Option<String>,
    /// The document that told the same story before, in other words.
    pub story: Option<DocumentId>,
    /// What was read in it, where it was read.
    pub insight: Option<Insight>,
}

/// Which documents a page is of; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DocumentPage {
    /// Only about this instrument.
    pub symbol: Option<Symbol>,
    /// Only seen at this moment or later.
    pub since: Option<Timestamp>,
    /// Only those behind this one in the list.
    pub after: Option<(Timestamp, DocumentId)>,
    /// At most so many.
    pub limit: usize,
}

impl Records {
    /// Keeps documents; tells which were not known, in their order. One that is known stays as it is.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn documents_add(&self, rows: &[DocumentRow]) -> Result<Vec<DocumentId>, Error> {
        self.0.write("keeping news in", Durability::Kept, |tx| {
            let sql =
                "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO NOTHING";
            let mut insert = tx.prepare_cached(sql)?;
            let sql = "INSERT INTO document_symbols VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
            let mut name = tx.prepare_cached(sql)?;
            let mut new = Vec::new();
            for row in rows {
                let Document { id, feed, title, summary, link, source, published, symbols } =
                    &row.document;
                let (key, seen_at) = (id.to_string(), row.seen_at.nanos());
                let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
                let names = serde_json::to_string(&names).expect("texts are always JSON");
                let read = row.insight.as_ref();
                let added = insert.execute(params![
                    key,
                    seen_at,
                    published.map(Timestamp::nanos),
                    feed,
                    source,
                    title,
                    summary,
                    link,
                    names,
                    row.sources,
                    row.translated,
                    read.map(|insight| &insight.by),
                    read.map(|insight| insight.known_at.nanos()),
                    read.map(|insight| insight.score),
                    read.map(|insight| insight.impact),
                    read.map(|insight| insight.confidence),
                    row.story.map(|story| story.to_string()),
                ])?;
                if added == 0 {
                    continue;
                }
                for symbol in symbols {
                    name.execute(params![symbol.as_str(), seen_at, key])?;
                }
                new.push(*id);
            }
            Ok(new)
        })
    }

    /// Notes which other feeds have which documents; a feed counts once, however often it is named.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn documents_copied(&self, copies: &[(DocumentId, String)]) -> Result<(), Error> {
        if copies.is_empty() {
            return Ok(());
        }
        self.0.write("counting sources of news in", Durability::Kept, |tx| {
            let sql = "INSERT INTO document_feeds SELECT id, ?2 FROM documents
                WHERE id = ?1 AND feed <> ?2 ON CONFLICT DO NOTHING";
            let mut note = tx.prepare_cached(sql)?;
            let sql = "UPDATE documents SET sources = sources + 1 WHERE id = ?";
            let mut count = tx.prepare_cached(sql)?;
            for (id, feed) in copies {
                let id = id.to_string();
                if note.execute(params![id, feed])? > 0 {
                    count.execute([id])?;
                }
            }
            Ok(())
        })
    }

    /// A page of documents, newest first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn document_page(&self, page: &DocumentPage) -> Result<Vec<DocumentRow>, Error> {
        let (mut wanted, mut values) = (vec!["1"], Vec::<Box<dyn ToSql>>::new());
        if let Some(symbol) = &page.symbol {
            wanted.push("id IN (SELECT document FROM document_symbols WHERE symbol = ?)");
            values.push(Box::new(symbol.as_str().to_owned()));
        }
        if let Some(since) = page.since {
            wanted.push("seen_at >= ?");
            values.push(Box::new(since.nanos()));
        }
        if let Some((at, id)) = page.after {
            wanted.push("(seen_at, id) < (?, ?)");
            values.extend([Box::new(at.nanos()) as Box<dyn ToSql>, Box::new(id.to_string())]);
        }
        values.push(Box::new(i64::try_from(page.limit).unwrap_or(i64::MAX)));
        let sql = format!(
            "SELECT * FROM documents WHERE {} ORDER BY seen_at DESC, id DESC LIMIT ?",
            wanted.join(" AND ")
        );
        self.0.read("listing news in", |tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let mut rows = query.query(params_from_iter(values))?;
            let mut documents = Vec::new();
            while let Some(row) = rows.next()? {
                documents.push(document(row)?);
            }
            Ok(documents)
        })
    }

    /// What was read about an instrument, the newest `limit` of it, newest first; a story once, as it was told
    /// first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn insights_about(&self, symbol: &Symbol, limit: usize) -> Result<Vec<Insight>, Error> {
        let sql = "SELECT id, read_by, known_at, score, impact, confidence FROM documents
            JOIN document_symbols ON document_symbols.document = documents.id
            WHERE document_symbols.symbol = ? AND known_at IS NOT NULL AND story IS NULL
            ORDER BY document_symbols.seen_at DESC, id DESC LIMIT ?";
        self.0.read("reading what news said in", |tx| {
            let mut query = tx.prepare_cached(sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = query.query(params![symbol.as_str(), limit])?;
            let mut insights = Vec::new();
            while let Some(row) = rows.next()? {
                let id: String = row.get(0)?;
                let bad = |_| Trouble::BadRow(format!("id of document {id}"));
                insights.push(Insight {
                    document: id.parse().map_err(bad)?,
                    known_at: Timestamp::from_nanos(row.get(2)?),
                    by: row.get(1)?,
                    symbols: vec![symbol.clone()],
                    score: row.get(3)?,
                    impact: row.get(4)?,
                    confidence: row.get(5)?,
                });
            }
            Ok(insights)
        })
    }

    /// How many documents are kept.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn document_count(&self) -> Result<u64, Error> {
        self.0.read("counting news in", |tx| {
            let count: i64 =
                tx.query_row("SELECT count(*) FROM documents", (), |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }
}

fn document(row: &Row<'_>) -> Result<DocumentRow, Trouble> {
    let id: String = row.get(0)?;
    let bad = |what: &str| Trouble::BadRow(format!("{what} of document {id}"));
    let key: DocumentId = id.parse().map_err(|_| bad("id"))?;
    let names: Vec<String> =
        serde_json::from_str(&row.get::<_, String>(8)?).map_err(|_| bad("symbols"))?;
    let symbols: Result<Vec<Symbol>, _> = names.iter().map(|name| name.parse()).collect();
    let symbols = symbols.map_err(|_| bad("symbols"))?;
    let time =
        |place| Ok::<_, Trouble>(row.get::<_, Option<i64>>(place)?.map(Timestamp::from_nanos));
    let insight = match (row.get::<_, Option<String>>(11)?, time(12)?) {
        (Some(by), Some(known_at)) => Some(Insight {
            document: key,
            known_at,
            by,
            symbols: symbols.clone(),
            score: row.get(13)?,
            impact: row.get(14)?,
            confidence: row.get(15)?,
        }),
        _ => None,
    };
    let story: Option<String> = row.get(16)?;
    let story = story.map(|story| story.parse().map_err(|_| bad("story"))).transpose()?;
    Ok(DocumentRow {
        seen_at: Timestamp::from_nanos(row.get(1)?),
        document: Document {
            id: key,
            published: time(2)?,
            feed: row.get(3)?,
            source: row.get(4)?,
            title: row.get(5)?,
            summary: row.get(6)?,
            link: row.get(7)?,
            symbols,
        },
        sources: row.get(9)?,
        translated: row.get(10)?,
        story,
        insight,
    })
}

#[cfg(test)]
mod tests {
    use finstage_model::Position;

    use super::super::{Forgettable, Old};
    use super::*;

    fn row(number: u128, second: i64, symbols: &[&str]) -> DocumentRow {
        let symbols: Vec<Symbol> = symbols.iter().map(|name| name.parse().unwrap()).collect();
        let (document, known_at) = (DocumentId(number), Timestamp::from_secs(second + 1));
        let insight = Insight {
            document,
            known_at,
            by: "lexicon".to_owned(),
            symbols: symbols.clone(),
            score: 0.5,
            impact: -0.1,
            confidence: 0.3,
        };
        let text = |what: &str| format!("{what} {number}");
        DocumentRow {
            document: Document {
                id: document,
                feed: text("feed"),
                title: text("title"),
                summary: text("summary"),
                link: text("link"),
                source: text("source"),
                published: number.is_multiple_of(2).then(|| Timestamp::from_secs(second - 5)),
                symbols,
            },
            seen_at: Timestamp::from_secs(second),
            sources: 1,
            translated: None,
            story: None,
            insight: (number != 3).then_some(insight),
        }
    }

    #[test]
    fn a_document_is_kept_once_and_comes_back_as_it_was() {
        let records = Records::open_in_memory().unwrap();
        let rows = [row(1, 10, &["x:A"]), row(2, 20, &["x:A", "x:B"]), row(3, 20, &[])];
        let ids = |numbers: &[u128]| numbers.iter().map(|n| DocumentId(*n)).collect::<Vec<_>>();
        assert_eq!(records.documents_add(&rows[..2]).unwrap(), ids(&[1, 2]));
        let retold = DocumentRow { story: Some(DocumentId(2)), ..row(4, 30, &["x:D"]) };
        assert_eq!(records.documents_add(std::slice::from_ref(&retold)).unwrap(), ids(&[4]));
        let of = DocumentPage { since: Some(retold.seen_at), limit: 9, ..DocumentPage::default() };
        assert_eq!(records.document_page(&of).unwrap(), [retold]);
        assert_eq!(records.insights_about(&"x:D".parse().unwrap(), 9).unwrap(), []);
        let of = Old { before: Timestamp::from_secs(99), unless_after: Position::from_i64(1) };
        let mut old = records.old_rows(Forgettable::Documents, of).unwrap();
        old.retain(|row| row.json.contains("title 4"));
        assert_eq!(records.forget(Forgettable::Documents, &old, of).unwrap(), 1);
        let changed = DocumentRow { sources: 9, ..row(1, 99, &["x:C"]) };
        assert_eq!(records.documents_add(&[changed, rows[2].clone()]).unwrap(), ids(&[3]));
        let all = DocumentPage { limit: 9, ..DocumentPage::default() };
        let [one, two, three] = &rows;
        let page = |page: &DocumentPage| records.document_page(page).unwrap();
        assert_eq!(page(&all), [three.clone(), two.clone(), one.clone()]);
        let of = DocumentPage {
            symbol: Some("x:A".parse().unwrap()),
            limit: 9,
            ..DocumentPage::default()
        };
        assert_eq!(page(&of), [two.clone(), one.clone()]);
        let behind = DocumentPage { after: Some((two.seen_at, two.document.id)), ..all };
        assert_eq!(page(&behind), std::slice::from_ref(one));
        let since = DocumentPage { since: Some(two.seen_at), limit: 1, ..DocumentPage::default() };
        assert_eq!(page(&since), std::slice::from_ref(three));
        let read = |row: &DocumentRow| {
            let symbols = vec!["x:A".parse().unwrap()];
            Insight { symbols, ..row.insight.clone().unwrap() }
        };
        let about = |name: &str, limit| records.insights_about(&name.parse().unwrap(), limit);
        assert_eq!(about("x:A", 9).unwrap(), [read(two), read(one)]);
        assert_eq!(about("x:A", 1).unwrap(), [read(two)]);
        assert_eq!(about("x:C", 9).unwrap(), []);
        let copied = |feed: &str| vec![(one.document.id, feed.to_owned())];
        for feed in ["b", "b", "c", &one.document.feed] {
            records.documents_copied(&copied(feed)).unwrap();
        }
        assert_eq!(page(&behind)[0].sources, row(1, 0, &[]).sources + 2, "each other feed once");
        assert_eq!(records.document_count().unwrap(), 3);
    }

    #[test]
    fn old_documents_are_forgotten_with_their_symbols() {
        let records = Records::open_in_memory().unwrap();
        records.documents_add(&[row(1, 10, &["x:A", "x:B"]), row(2, 20, &["x:A"])]).unwrap();
        let old = Old { before: Timestamp::from_secs(15), unless_after: Position::from_i64(1) };
        let rows = records.old_rows(Forgettable::Documents, old).unwrap();
        assert!(rows.len() == 1 && rows[0].json.contains(r#""symbols":["x:A","x:B"]"#), "{rows:?}");
        assert_eq!(records.forget(Forgettable::Documents, &rows, old).unwrap(), 1);
        let left = |symbol: Option<&str>| {
            let symbol = symbol.map(|name| name.parse().unwrap());
            let page = DocumentPage { symbol, limit: 9, ..DocumentPage::default() };
            records.document_page(&page).unwrap().len()
        };
        assert_eq!((left(None), left(Some("x:A")), left(Some("x:B"))), (1, 1, 0));
        let count = "SELECT count(*) FROM document_symbols";
        let symbols: i64 =
            records.0.read("x", |tx| Ok(tx.query_row(count, (), |row| row.get(0))?)).unwrap();
        assert_eq!(symbols, 1);
    }
}

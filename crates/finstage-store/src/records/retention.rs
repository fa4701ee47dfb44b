//! Forgetting what was said long ago, kind by kind and a page at a time.
//!
//! What may be forgotten is asked first, as JSON for an archive, and named when it is forgotten; a row
//! that is needed again meanwhile stays. Never forgotten: the track record with its signals and outcomes,
//! the ledger of trials, cards, what is still on its way to people, signals that are not in the track
//! record yet or have outcomes to come, and notices whose being there keeps them from being said again.

use finstage_model::{Position, Timestamp};
use rusqlite::{Connection, params};

use super::Records;
use super::db::{Durability, Trouble};
use crate::Error;

/// The most rows of a page.
pub const FORGET_PAGE: usize = 1_000;

/// What can be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgettable {
    /// Signals, once all their outcomes are in the track record.
    Signals,
    /// Alerts, with how they were delivered.
    Alerts,
    /// Reports and other notices, with how they were delivered.
    Notices,
    /// News, with how it sounded.
    Documents,
}

/// What is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Old {
    /// What was said before this moment.
    pub before: Timestamp,
    /// Only what follows from events before this position: a replay of what comes after still finds all
    /// that was said.
    pub unless_after: Position,
}

/// A row that may be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldRow {
    /// Its id.
    pub id: String,
    /// All that is known of it, as a JSON object on one line.
    pub json: String,
}

impl Forgettable {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Signals, Self::Alerts, Self::Notices, Self::Documents];

    /// The machine word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signals => "signals",
            Self::Alerts => "alerts",
            Self::Notices => "notices",
            Self::Documents => "documents",
        }
    }

    /// Which rows may go: `?1` is the moment, `?2` the position.
    const fn condition(self) -> &'static str {
        match self {
            Self::Signals => {
                "at < ?1 AND position <= ?2 AND EXISTS
                    (SELECT 1 FROM track WHERE signal = signals.id AND horizon = '' AND is_open = 0)"
            }
            Self::Alerts => {
                "said_at < ?1 AND position <= ?2 AND NOT EXISTS
                    (SELECT 1 FROM outbox WHERE alert = alerts.id AND state IN ('ready', 'sending'))"
            }
            // That a card was muted is said once, and whether it was said is looked up here.
            Self::Notices => {
                "said_at < ?1 AND ?2 IS NOT NULL AND kind <> 'muted' AND NOT EXISTS
                    (SELECT 1 FROM outbox WHERE notice = notices.id AND state IN ('ready', 'sending'))"
            }
            Self::Documents => "seen_at < ?1 AND ?2 IS NOT NULL",
        }
    }

    /// A row as JSON.
    const fn json(self) -> &'static str {
        match self {
            Self::Signals => {
                "json_object('kind', 'signal', 'id', id, 'position', position, 'symbol', symbol,
                    'interval', interval, 'strategy', strategy, 'direction', direction,
                    'open_time', open_time, 'at', at, 'price', price, 'strength', strength,
                    'facts', json(facts), 'verdict', verdict, 'reason', reason, 'card', card)"
            }
            Self::Alerts => {
                "json_object('kind', 'alert', 'id', id, 'position', position, 'alert', json(json),
                    'decision', decision, 'status', status, 'reason', reason,
                    'deliveries', (SELECT json_group_array(json_object('notifier', notifier,
                        'state', state, 'attempts', attempts, 'finished_at', finished_at,
                        'receipt', receipt)) FROM outbox WHERE alert = alerts.id))"
            }
            Self::Notices => {
                "json_object('kind', 'notice', 'id', id, 'about', kind, 'said_at', said_at,
                    'lines', json(json),
                    'deliveries', (SELECT json_group_array(json_object('notifier', notifier,
                        'state', state, 'attempts', attempts, 'finished_at', finished_at,
                        'receipt', receipt)) FROM outbox WHERE notice = notices.id))"
            }
            Self::Documents => {
                "json_object('kind', 'document', 'id', id, 'seen_at', seen_at, 'published', published,
                    'feed', feed, 'source', source, 'title', title, 'summary', summary, 'link', link,
                    'symbols', json(symbols), 'sources', sources, 'translated', translated,
                    'read_by', read_by, 'known_at', known_at, 'score', score, 'impact', impact,
                    'confidence', confidence, 'story', story)"
            }
        }
    }

    /// Rows that go with it.
    const fn companions(self) -> &'static [&'static str] {
        match self {
            Self::Signals => &[],
            Self::Alerts => &["DELETE FROM outbox WHERE alert = ?"],
            Self::Notices => &["DELETE FROM outbox WHERE notice = ?"],
            Self::Documents => &[
                "DELETE FROM document_symbols WHERE (symbol, seen_at, document) IN (SELECT value, seen_at, documents.id
                    FROM documents, json_each(documents.symbols) WHERE documents.id = ?)",
                "DELETE FROM document_feeds WHERE document = ?",
            ],
        }
    }
}

impl Records {
    /// How many rows may be forgotten.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn old_count(&self, kind: Forgettable, old: Old) -> Result<u64, Error> {
        self.0.read("counting old rows in", |tx| {
            let (table, condition) = (kind.as_str(), kind.condition());
            let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
            let count: i64 = tx.query_row(&sql, values(&old), |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// Some rows that may be forgotten, at most [`FORGET_PAGE`]; none when there are no more.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn old_rows(&self, kind: Forgettable, old: Old) -> Result<Vec<OldRow>, Error> {
        self.0.read("reading old rows in", |tx| {
            let (table, condition, json) = (kind.as_str(), kind.condition(), kind.json());
            let sql =
                format!("SELECT id, {json} FROM {table} WHERE {condition} LIMIT {FORGET_PAGE}");
            let mut query = tx.prepare_cached(&sql)?;
            let row = |row: &rusqlite::Row<'_>| Ok(OldRow { id: row.get(0)?, json: row.get(1)? });
            let rows: rusqlite::Result<Vec<OldRow>> = query.query_map(values(&old), row)?.collect();
            Ok(rows?)
        })
    }

    /// Forgets these rows, as far as that is still allowed; tells how many.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn forget(&self, kind: Forgettable, rows: &[OldRow], old: Old) -> Result<u64, Error> {
        self.0.write("forgetting old rows in", Durability::Kept, |tx| {
            let mut gone = 0;
            for row in rows {
                gone += forget(tx, kind, (&row.id, old))?;
            }
            if gone > 0 {
                // Whoever counts what is of before must be able to say that it is no longer kept.
                let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2
                    WHERE CAST(value AS INTEGER) < CAST(?2 AS INTEGER)";
                tx.execute(sql, [kept_since(kind), old.before.nanos().to_string()])?;
            }
            Ok(gone)
        })
    }

    /// From when on all of a kind is kept; `None` where nothing was forgotten.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn kept_since(&self, kind: Forgettable) -> Result<Option<Timestamp>, Error> {
        let nanos = self.meta(&kept_since(kind))?.and_then(|text| text.parse().ok());
        Ok(nanos.map(Timestamp::from_nanos))
    }
}

fn forget(tx: &Connection, kind: Forgettable, (id, old): (&str, Old)) -> Result<u64, Trouble> {
    let (table, condition) = (kind.as_str(), kind.condition());
    let (before, position) = (old.before.nanos(), old.unless_after.to_i64());
    let sql = format!("SELECT 1 FROM {table} WHERE id = ?3 AND {condition}");
    if !tx.prepare_cached(&sql)?.exists(params![before, position, id])? {
        return Ok(0);
    }
    for sql in kind.companions() {
        tx.prepare_cached(sql)?.execute([id])?;
    }
    let sql = format!("DELETE FROM {table} WHERE id = ?");
    Ok(tx.prepare_cached(&sql)?.execute([id])? as u64)
}

/// The key of the meta table under which it stands.
fn kept_since(kind: Forgettable) -> String {
    format!("kept_since_{}", kind.as_str())
}

fn values(old: &Old) -> [i64; 2] {
    [old.before.nanos(), old.unless_after.to_i64()]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Filter, SaidPlace};
    use super::*;
    use crate::suite::journal::DAY;
    use crate::suite::records::batch;

    const EVERYWHERE: Position = Position::from_i64(i64::MAX);
    const ALL: Old = Old { before: Timestamp::MAX, unless_after: EVERYWHERE };

    fn all_of(records: &Records, kind: Forgettable, old: Old) -> u64 {
        let rows = records.old_rows(kind, old).unwrap();
        assert_eq!(rows.len() as u64, records.old_count(kind, old).unwrap());
        for row in &rows {
            let json: serde_json::Value = serde_json::from_str(&row.json).unwrap();
            assert_eq!(json["id"], *row.id);
        }
        records.forget(kind, &rows, old).unwrap()
    }

    #[test]
    fn a_signal_stays_until_all_its_outcomes_are_in_the_track_record() {
        let records = Records::open_in_memory().unwrap();
        records.apply(&batch(1, 0, 12)).unwrap();
        assert_eq!(all_of(&records, Forgettable::Signals, ALL), 0, "they are in no track record");
        records.track_signals(EVERYWHERE).unwrap();
        assert_eq!(all_of(&records, Forgettable::Signals, ALL), 0, "they have outcomes to come");
        let open = records.track_open(0, 100).unwrap();
        let done: Vec<_> = open.iter().take(2).map(|open| open.signal.id).collect();
        records.track_outcomes(&[], &done).unwrap();
        assert_eq!(all_of(&records, Forgettable::Signals, ALL), 2);
        assert_eq!(records.signals(&Filter::newest(99)).unwrap().len(), 2);
        let check = records.check_track().unwrap();
        assert!(check.entries == 4 && check.fault.is_none(), "the chain is whole");
        assert_eq!(records.track_signals(EVERYWHERE).unwrap().added, 0, "none is told again");
    }

    #[test]
    fn an_alert_stays_while_it_is_on_its_way_and_then_goes_with_its_deliveries() {
        let records = Records::open_in_memory().unwrap();
        records.apply(&batch(1, 0, 12)).unwrap();
        let before = records.alerts(&Filter::newest(99)).unwrap().len() as u64;
        let ready = Position::new(DAY, 1, 1_000);
        let now = Timestamp::from_secs(9);
        let first =
            records.outbox_lease("log", now, Duration::from_secs(9), ready).unwrap().unwrap();
        let was = records.old_count(Forgettable::Alerts, ALL).unwrap();
        records.outbox_expired(first.row, first.fence, now, "x").unwrap();
        for name in ["log", "chat", "telegram", "hook"] {
            while let Some(one) =
                records.outbox_lease(name, now, Duration::from_secs(9), ready).unwrap()
            {
                records.outbox_expired(one.row, one.fence, now, "x").unwrap();
            }
        }
        assert_eq!(records.kept_since(Forgettable::Alerts).unwrap(), None);
        let gone = all_of(&records, Forgettable::Alerts, ALL);
        assert_eq!(records.kept_since(Forgettable::Alerts).unwrap(), Some(Timestamp::MAX));
        let earlier = Old { before: Timestamp::EPOCH, ..ALL };
        assert_eq!(records.forget(Forgettable::Alerts, &[], earlier).unwrap(), 0);
        assert_eq!(records.kept_since(Forgettable::Alerts).unwrap(), Some(Timestamp::MAX));
        assert!(gone > was, "{gone} {was} of {before}");
        assert_eq!(records.alerts(&Filter::newest(99)).unwrap().len() as u64, before - gone);
    }

    #[test]
    fn what_a_kept_day_of_the_journal_tells_again_stays_and_numbers_go_on() {
        let records = Records::open_in_memory().unwrap();
        records.apply(&batch(1, 0, 12)).unwrap();
        records.track_signals(EVERYWHERE).unwrap();
        let open = records.track_open(0, 100).unwrap();
        let done: Vec<_> = open.iter().map(|open| open.signal.id).collect();
        records.track_outcomes(&[], &done).unwrap();
        let kept = Old { unless_after: Position::new(DAY, 1, 0), ..ALL };
        assert_eq!(records.old_count(Forgettable::Signals, kept).unwrap(), 0);
        let place = records.said_end(EVERYWHERE).unwrap();
        assert_eq!(all_of(&records, Forgettable::Signals, ALL), 4);
        records.apply(&batch(1, 12, 24)).unwrap();
        let next: SaidPlace = records.said_end(EVERYWHERE).unwrap();
        assert!(next.signal > place.signal, "{next:?} {place:?}: no place is given twice");
    }
}

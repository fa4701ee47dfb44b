//! The durable queue between an alert, or a notice, and each notifier.
//!
//! A message that left the house cannot be called back, and a process can die between sending and
//! writing that down. So a row is *leased* before it is sent, and the lease is durable first. The
//! fence (a number that grows with every lease) keeps a slow sender from answering for a row that
//! another one has taken over. When nobody answers, the next one is told that the message may be
//! a repeat, so it can be marked as such. Only rows at or below the journal's synced position are
//! leased: nothing is said whose cause may still be lost.

use std::time::Duration;

use finstage_model::{Alert, AlertId, NoticeId, Position, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::alerts::alert;
use super::db::{Durability, Trouble};
use super::notices::{Notice, notice};
use super::{Records, parse};
use crate::{Error, ErrorKind};

/// What leaves the house by a notifier.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// What the engine decided to send.
    Alert(Alert),
    /// What the service itself has to say.
    Notice(Notice),
}

impl Item {
    /// Its id, as text.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Alert(alert) => alert.id.to_string(),
            Self::Notice(notice) => notice.id.to_string(),
        }
    }

    /// When it was said.
    #[must_use]
    pub const fn said_at(&self) -> Timestamp {
        match self {
            Self::Alert(alert) => alert.said_at,
            Self::Notice(notice) => notice.said_at,
        }
    }
}

impl From<Alert> for Item {
    fn from(alert: Alert) -> Self {
        Self::Alert(alert)
    }
}

impl From<Notice> for Item {
    fn from(notice: Notice) -> Self {
        Self::Notice(notice)
    }
}

/// An alert or a notice that this notifier must send, or give back.
#[derive(Debug, Clone, PartialEq)]
pub struct Leased {
    /// The row, to be named when giving it back.
    pub row: i64,
    /// The number of this lease, to be named when giving it back.
    pub fence: i64,
    /// What to send.
    pub item: Item,
    /// How many times it was leased, this time included.
    pub attempts: u32,
    /// Whether the outcome of an earlier attempt is unknown: people may have it already.
    pub possible_repeat: bool,
}

/// Whether a failed attempt may have reached people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Certainly not.
    No,
    /// Perhaps: it was on its way when the answer failed to come.
    Unknown,
}

/// How many rows of alerts are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxCounts {
    /// Waiting.
    pub ready: u64,
    /// Leased.
    pub sending: u64,
    /// Delivered.
    pub delivered: u64,
    /// Given up.
    pub failed: u64,
    /// Became too old.
    pub expired: u64,
    /// Held back by their channel.
    pub held: u64,
}

/// The end of a row.
pub(super) struct End<'a> {
    pub(super) state: &'static str,
    pub(super) at: Timestamp,
    pub(super) receipt: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
}

impl Records {
    /// Takes what `notifier` may send at `now` and was queued first, for the time of `lease`. `None`
    /// when there is nothing; [`Records::outbox_next_at`] tells when to ask again.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn outbox_lease(
        &self,
        notifier: &str,
        now: Timestamp,
        lease: Duration,
        synced: Position,
    ) -> Result<Option<Leased>, Error> {
        self.0.write("leasing an alert from", Durability::Kept, |tx| {
            let sql = "SELECT id FROM outbox
                WHERE notifier = ?1 AND position <= ?2 AND state IN ('ready', 'sending')
                    AND CASE state WHEN 'ready' THEN not_before ELSE lease_until END <= ?3
                ORDER BY id LIMIT 1";
            let row: Option<i64> = tx
                .prepare_cached(sql)?
                .query_row(params![notifier, synced.to_i64(), now.nanos()], |row| row.get(0))
                .optional()?;
            let Some(row) = row else { return Ok(None) };
            let sql = "UPDATE outbox SET attempts = attempts + 1, fence = fence + 1,
                    possible_repeat = possible_repeat OR state = 'sending', state = 'sending',
                    leased_at = ?2, lease_until = ?3
                WHERE id = ?1";
            tx.prepare_cached(sql)?.execute(params![row, now.nanos(), now.plus(lease).nanos()])?;
            leased(tx, row).map(Some)
        })
    }

    /// Ends every lease; tells how many there were. For whoever holds the data folder, before
    /// anything is sent: the senders who leased are dead, and what they had comes again as a
    /// possible repeat.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn outbox_reclaim(&self) -> Result<u64, Error> {
        self.0.write("reclaiming alerts in", Durability::Derived, |tx| {
            let sql = "UPDATE outbox SET lease_until = 0 WHERE state = 'sending'";
            Ok(tx.execute(sql, ())? as u64)
        })
    }

    /// The message was accepted; `receipt` is what the other side calls it.
    ///
    /// # Errors
    /// `Stale` when the lease is over and another has the row; as every writing call.
    pub fn outbox_delivered(
        &self,
        row: i64,
        fence: i64,
        at: Timestamp,
        receipt: &str,
    ) -> Result<(), Error> {
        self.finish(
            row,
            fence,
            &End { state: "delivered", at, receipt: Some(receipt), reason: None },
        )
    }

    /// The message goes back to the queue until `not_before`.
    ///
    /// # Errors
    /// `Stale` when the lease is over and another has the row; as every writing call.
    pub fn outbox_retry(
        &self,
        row: i64,
        fence: i64,
        not_before: Timestamp,
        reason: &str,
        sent: Sent,
    ) -> Result<(), Error> {
        self.0.write("returning an alert to", Durability::Kept, |tx| {
            let sql = "UPDATE outbox SET state = 'ready', not_before = ?3, reason = ?4,
                    possible_repeat = possible_repeat OR ?5, lease_until = NULL
                WHERE id = ?1 AND fence = ?2 AND state = 'sending'";
            let unknown = sent == Sent::Unknown;
            let returned = tx.prepare_cached(sql)?.execute(params![
                row,
                fence,
                not_before.nanos(),
                reason,
                unknown
            ])?;
            if returned == 1 { Ok(()) } else { Err(stale(row)) }
        })
    }

    /// The message cannot be delivered; nobody tries again.
    ///
    /// # Errors
    /// `Stale` when the lease is over and another has the row; as every writing call.
    pub fn outbox_failed(
        &self,
        row: i64,
        fence: i64,
        at: Timestamp,
        reason: &str,
    ) -> Result<(), Error> {
        self.finish(row, fence, &End { state: "failed", at, receipt: None, reason: Some(reason) })
    }

    /// The message became too old to send.
    ///
    /// # Errors
    /// `Stale` when the lease is over and another has the row; as every writing call.
    pub fn outbox_expired(
        &self,
        row: i64,
        fence: i64,
        at: Timestamp,
        reason: &str,
    ) -> Result<(), Error> {
        self.finish(row, fence, &End { state: "expired", at, receipt: None, reason: Some(reason) })
    }

    /// How many rows of alerts are in which state; notices are not counted.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn outbox_counts(&self) -> Result<OutboxCounts, Error> {
        self.0.read("counting alerts in", |tx| {
            let sql = "SELECT state, count(*) FROM outbox WHERE alert IS NOT NULL GROUP BY state";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(())?;
            let mut counts = OutboxCounts::default();
            while let Some(row) = rows.next()? {
                let state: String = row.get(0)?;
                let place = match state.as_str() {
                    "ready" => &mut counts.ready,
                    "sending" => &mut counts.sending,
                    "delivered" => &mut counts.delivered,
                    "failed" => &mut counts.failed,
                    "expired" => &mut counts.expired,
                    "held" => &mut counts.held,
                    _ => return Err(Trouble::BadRow(format!("outbox state \"{state}\""))),
                };
                *place = row.get::<_, i64>(1)?.unsigned_abs();
            }
            Ok(counts)
        })
    }

    /// The earliest moment at which `notifier` may have something to lease; `None` when it has
    /// nothing. A moment in the past means now, or as soon as the journal is synced.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn outbox_next_at(&self, notifier: &str) -> Result<Option<Timestamp>, Error> {
        self.0.read("looking for alerts in", |tx| {
            let sql = "SELECT min(CASE state WHEN 'ready' THEN not_before ELSE lease_until END)
                FROM outbox WHERE notifier = ? AND state IN ('ready', 'sending')";
            let at: Option<i64> =
                tx.prepare_cached(sql)?.query_row([notifier], |row| row.get(0))?;
            Ok(at.map(Timestamp::from_nanos))
        })
    }

    pub(super) fn finish(&self, row: i64, fence: i64, end: &End<'_>) -> Result<(), Error> {
        self.0.write("noting the end of an alert in", Durability::Kept, |tx| {
            let sql = "UPDATE outbox SET state = ?3, finished_at = ?4, receipt = ?5,
                    reason = ?6, lease_until = NULL
                WHERE id = ?1 AND fence = ?2 AND state = 'sending' RETURNING ifnull(alert, '')";
            let values = params![row, fence, end.state, end.at.nanos(), end.receipt, end.reason];
            let alert: Option<String> =
                tx.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?;
            // A notice has no list that tells what became of it: its row does.
            settle_alert(tx, &alert.ok_or_else(|| stale(row))?)
        })
    }
}

/// Gives an alert its last status once no notifier tries any more: delivered if one succeeded, withheld
/// if its channels held it back.
pub(super) fn settle_alert(tx: &Connection, alert: &str) -> Result<(), Trouble> {
    let sql = "UPDATE alerts SET (status, reason) =
            (SELECT CASE state WHEN 'held' THEN 'withheld' ELSE state END,
                    CASE state WHEN 'delivered' THEN NULL ELSE outbox.reason END
                FROM outbox WHERE alert = alerts.id
                ORDER BY CASE state WHEN 'delivered' THEN 0 WHEN 'failed' THEN 1 ELSE 2 END,
                    reason IS 'other_chat', id
                LIMIT 1)
        WHERE id = ?1 AND NOT EXISTS
            (SELECT 1 FROM outbox WHERE alert = ?1 AND state IN ('ready', 'sending'))";
    tx.prepare_cached(sql)?.execute([alert])?;
    Ok(())
}

fn leased(tx: &Connection, row: i64) -> Result<Leased, Trouble> {
    let sql = "SELECT outbox.fence, outbox.attempts, outbox.possible_repeat, outbox.notice,
            alerts.json, alerts.id
        FROM outbox LEFT JOIN alerts ON alerts.id = outbox.alert WHERE outbox.id = ?";
    let mut query = tx.prepare_cached(sql)?;
    let mut rows = query.query([row])?;
    let Some(found) = rows.next()? else { return Err(stale(row)) };
    let is_notice = found.get::<_, Option<String>>("notice")?.is_some();
    let item = match is_notice {
        true => {
            let id = parse::<NoticeId>(found, "notice")?;
            let missing = || Trouble::BadRow(format!("notice {id} is not there"));
            Item::Notice(notice(tx, id)?.ok_or_else(missing)?)
        }
        false => {
            let alert = alert(&found.get::<_, String>("json")?)?;
            if alert.id != parse::<AlertId>(found, "id")? {
                return Err(Trouble::BadRow(format!("alert {} lies under another id", alert.id)));
            }
            Item::Alert(alert)
        }
    };
    Ok(Leased {
        row,
        fence: found.get("fence")?,
        item,
        attempts: found.get("attempts")?,
        possible_repeat: found.get("possible_repeat")?,
    })
}

fn stale(row: i64) -> Trouble {
    let message = format!("outbox row {row} is not leased to this sender any more");
    Trouble::Ours(Error::new(ErrorKind::Stale, message))
}

//! Alerts that one channel held back: at night, beyond its hourly cap, below its level. They stay in its
//! outbox with the reason, so that a digest and the report can tell of them.

use finstage_model::{Alert, Timestamp};
use rusqlite::params;

use super::alerts::alert;
use super::outbox::End;
use super::{Moments, Records};
use crate::Error;

/// The most alerts that are listed at once; the newest ones.
pub const MAX_HELD: usize = 1_000;
/// Why a channel leaves out an alert of a watch that another channel's chat added: nobody here waits for it, so
/// no digest tells of it.
pub const OTHER_CHAT: &str = "other_chat";
/// The newest rows of the outbox that are looked through for what was delivered lately.
const MAX_LATELY: i64 = 10_000;

/// An alert that a channel held back.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldAlert {
    /// The alert.
    pub alert: Alert,
    /// The machine word of why.
    pub reason: String,
    /// When its turn was.
    pub at: Timestamp,
}

/// Alerts that a channel held back for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCount {
    /// The channel.
    pub channel: String,
    /// The machine word of why.
    pub reason: String,
    /// How many.
    pub count: u64,
}

impl Records {
    /// The channel holds the message back, for good; nobody tries again.
    ///
    /// # Errors
    /// `Stale` when the lease is over and another has the row; as every writing call.
    pub fn outbox_held(
        &self,
        row: i64,
        fence: i64,
        at: Timestamp,
        reason: &str,
    ) -> Result<(), Error> {
        self.finish(row, fence, &End { state: "held", at, receipt: None, reason: Some(reason) })
    }

    /// How many alerts `notifier` delivered after `since`.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn delivered_since(&self, notifier: &str, since: Timestamp) -> Result<u64, Error> {
        self.0.read("counting alerts in", |tx| {
            let sql = "SELECT count(*) FROM outbox
                WHERE id > (SELECT ifnull(max(id), 0) FROM outbox) - ?3 AND notifier = ?1
                    AND alert IS NOT NULL AND state = 'delivered' AND finished_at > ?2";
            let values = params![notifier, since.nanos(), MAX_LATELY];
            let count: i64 = tx.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// The channel whose chat alone a watch tells, as it was added there; `None`: all.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn watch_channel(&self, watch: &str) -> Result<Option<String>, Error> {
        Ok(self.meta(&watch_key(watch))?.filter(|channel| !channel.is_empty()))
    }

    /// Says whose chat alone a watch tells; `None`: all are told.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn set_watch_channel(&self, watch: &str, channel: Option<&str>) -> Result<(), Error> {
        self.set_meta(&watch_key(watch), channel.unwrap_or_default())
    }

    /// What `notifier` held back within these moments, the oldest of the newest [`MAX_HELD`] first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn held_within(&self, notifier: &str, within: Moments) -> Result<Vec<HeldAlert>, Error> {
        self.0.read("listing alerts in", |tx| {
            let sql = "SELECT alerts.json, outbox.reason, outbox.finished_at
                FROM outbox JOIN alerts ON alerts.id = outbox.alert
                WHERE outbox.notifier = ? AND outbox.state = 'held'
                    AND outbox.reason <> ?
                    AND outbox.finished_at > ? AND outbox.finished_at <= ?
                ORDER BY outbox.id DESC LIMIT ?";
            let mut query = tx.prepare_cached(sql)?;
            let most = i64::try_from(MAX_HELD).unwrap_or(i64::MAX);
            let values =
                params![notifier, OTHER_CHAT, within.after.nanos(), within.until.nanos(), most];
            let mut rows = query.query(values)?;
            let mut held = Vec::new();
            while let Some(row) = rows.next()? {
                held.push(HeldAlert {
                    alert: alert(&row.get::<_, String>(0)?)?,
                    reason: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
                    at: Timestamp::from_nanos(row.get(2)?),
                });
            }
            held.reverse();
            Ok(held)
        })
    }

    /// How many alerts that happened within these moments each channel held back, by channel and reason.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn held_counts(&self, within: Moments) -> Result<Vec<HeldCount>, Error> {
        self.0.read("counting alerts in", |tx| {
            let sql = "SELECT outbox.notifier, ifnull(outbox.reason, '') AS why, count(*)
                FROM alerts JOIN outbox ON outbox.alert = alerts.id
                WHERE alerts.at > ? AND alerts.at <= ? AND outbox.state = 'held' AND why <> ?
                GROUP BY outbox.notifier, why ORDER BY outbox.notifier, why";
            let mut query = tx.prepare_cached(sql)?;
            let values = params![within.after.nanos(), within.until.nanos(), OTHER_CHAT];
            let mut rows = query.query(values)?;
            let mut counts = Vec::new();
            while let Some(row) = rows.next()? {
                let count = row.get::<_, i64>(2)?.unsigned_abs();
                counts.push(HeldCount { channel: row.get(0)?, reason: row.get(1)?, count });
            }
            Ok(counts)
        })
    }
}

/// The key of the channel that a watch tells, without its id.
pub(super) const WATCH_CHANNEL: &str = "watch_channel:";

pub(super) fn watch_key(watch: &str) -> String {
    format!("{WATCH_CHANNEL}{watch}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use finstage_model::{Position, WatchRule};

    use super::*;
    use crate::records::{AddedWatch, AlertStatus, Filter};
    use crate::suite::journal::DAY;
    use crate::suite::records::{batch, symbol};

    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn what_all_channels_held_back_is_withheld_with_the_reason_of_one_that_wanted_it() {
        let records = Records::open_in_memory().unwrap();
        records.apply(&batch(1, 0, 1)).unwrap();
        let lease = |notifier: &str| {
            let position = Position::new(DAY, 1, 1_000);
            let lease = Duration::from_secs(30);
            records.outbox_lease(notifier, t(0), lease, position).unwrap().unwrap()
        };
        let row = || records.alerts(&Filter::newest(1)).unwrap().remove(0);
        let log = lease("log");
        records.outbox_held(log.row, log.fence, t(10), "quiet_hours").unwrap();
        assert_eq!(row().status, AlertStatus::Queued, "the other one may still send it");
        let chat = lease("chat");
        records.outbox_held(chat.row, chat.fence, t(20), OTHER_CHAT).unwrap();
        assert_eq!(
            (row().status, row().reason.as_deref()),
            (AlertStatus::Withheld, Some("quiet_hours"))
        );
        assert_eq!(records.outbox_counts().unwrap().held, 2);
        let within = |after, until| Moments { after: t(after), until: t(until) };
        let held = records.held_within("log", within(0, 10)).unwrap();
        assert_eq!((held.len(), held[0].at, held[0].reason.as_str()), (1, t(10), "quiet_hours"));
        assert_eq!(records.held_within("log", within(10, 99)).unwrap(), []);
        assert_eq!(records.held_within("chat", within(0, 99)).unwrap(), [], "nobody waits for it");
        let counted = HeldCount { channel: "log".into(), reason: "quiet_hours".into(), count: 1 };
        let at = row().alert.at;
        let moments = |after, until| Moments { after, until };
        let second = Duration::from_secs(1);
        let counts = records.held_counts(moments(at.minus(second), at)).unwrap();
        assert_eq!(counts, [counted], "when it happened counts, and for whom somebody waited");
        assert_eq!(records.held_counts(moments(at, at.plus(second))).unwrap(), []);
        assert_eq!(records.delivered_since("log", t(0)).unwrap(), 0);
    }

    #[test]
    fn a_watch_that_is_taken_out_forgets_whom_it_told() {
        let records = Records::open_in_memory().unwrap();
        let rule: WatchRule = "rise=3%".parse().unwrap();
        let watch = AddedWatch::new(symbol(), rule, None, t(0));
        records.watch_add(&watch).unwrap();
        records.set_watch_channel(&watch.id, Some("telegram")).unwrap();
        assert_eq!(records.watch_channel(&watch.id).unwrap().as_deref(), Some("telegram"));
        records.watch_remove(&watch.id).unwrap();
        assert_eq!(records.watch_channel(&watch.id).unwrap(), None);
    }
}

//! What hangs on the name of a channel: its messages, its digests, the watches of its chat. A name can go over
//! to another one, and what nobody delivers any more ends with a word.

use std::collections::BTreeSet;

use finstage_model::Timestamp;
use rusqlite::params;

use super::Records;
use super::db::{Durability, Trouble};
use super::held::WATCH_CHANNEL;
use super::outbox::settle_alert;
use crate::Error;

/// The key of how far a channel's digests came, without its name.
pub const DIGEST_UNTIL: &str = "digest_until:";
/// In front of a name on its way to another: no channel is called so.
const MOVING: &str = "~";

/// A channel goes by another name from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The name until now.
    pub from: String,
    /// The name from now on.
    pub to: String,
}

impl Records {
    /// Every name under which something is kept for a channel. It looks through the whole outbox.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn channels_known(&self) -> Result<BTreeSet<String>, Error> {
        self.0.read("looking for channels in", |tx| {
            let sql = "SELECT DISTINCT notifier FROM outbox
                UNION SELECT value FROM meta WHERE key GLOB ?1 || '*' AND value <> ''";
            let mut query = tx.prepare_cached(sql)?;
            let names = query.query_map([WATCH_CHANNEL], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
    }

    /// How many messages wait for each channel, by name.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn outbox_waiting(&self) -> Result<Vec<(String, u64)>, Error> {
        self.0.read("counting messages in", |tx| {
            let sql = "SELECT notifier, count(*) FROM outbox WHERE state IN ('ready', 'sending')
                GROUP BY notifier ORDER BY notifier";
            counted(&mut *tx.prepare_cached(sql)?)
        })
    }

    /// How many watches speak in the chat of each channel alone, by name.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn watches_by_channel(&self) -> Result<Vec<(String, u64)>, Error> {
        self.0.read("counting watches in", |tx| {
            let sql = "SELECT meta.value, count(*) FROM watches
                JOIN meta ON meta.key = 'watch_channel:' || watches.id
                WHERE meta.value <> '' GROUP BY meta.value ORDER BY meta.value";
            counted(&mut *tx.prepare_cached(sql)?)
        })
    }

    /// Gives what belongs to channels their new names, all at once: two may swap theirs.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn rename_channels(&self, renamed: &[Renamed]) -> Result<(), Error> {
        self.0.write("renaming channels in", Durability::Kept, |tx| {
            let moving = |name: &str| format!("{MOVING}{name}");
            let steps = renamed.iter().map(|one| (one.from.clone(), moving(&one.to)));
            let steps = steps.chain(renamed.iter().map(|one| (moving(&one.to), one.to.clone())));
            for (from, to) in steps {
                // A message that was queued for whoever had that name before gives way.
                let sql = "UPDATE OR REPLACE outbox SET notifier = ?2 WHERE notifier = ?1";
                tx.execute(sql, [&from, &to])?;
                let sql = "UPDATE meta SET value = ?2 WHERE key GLOB ?3 || '*' AND value = ?1";
                tx.execute(sql, [&from, &to, WATCH_CHANNEL])?;
                let sql = "UPDATE OR REPLACE meta SET key = ?3 || ?2 WHERE key = ?3 || ?1";
                tx.execute(sql, [&from, &to, DIGEST_UNTIL])?;
            }
            Ok(())
        })
    }

    /// Ends at `at` what waits for channels that are none of `known`; how many messages those were, by name.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn outbox_abandon(
        &self,
        known: &[String],
        at: Timestamp,
    ) -> Result<Vec<(String, u64)>, Error> {
        let waiting = self.outbox_waiting()?;
        let gone: Vec<_> = waiting.into_iter().filter(|(name, _)| !known.contains(name)).collect();
        if gone.is_empty() {
            return Ok(gone);
        }
        self.0.write("ending messages in", Durability::Kept, |tx| {
            for (name, _) in &gone {
                let sql = "UPDATE outbox SET state = 'expired', finished_at = ?2, reason = ?3,
                        lease_until = NULL
                    WHERE notifier = ?1 AND state IN ('ready', 'sending')
                    RETURNING ifnull(alert, '')";
                let reason = format!("{name} is in no [[notify]] any more");
                let mut query = tx.prepare_cached(sql)?;
                let ended = query
                    .query_map(params![name, at.nanos(), reason], |row| row.get::<_, String>(0))?;
                let ended = ended.collect::<Result<Vec<_>, _>>()?;
                for alert in &ended {
                    settle_alert(tx, alert)?;
                }
            }
            Ok(())
        })?;
        Ok(gone)
    }
}

fn counted(query: &mut rusqlite::Statement<'_>) -> Result<Vec<(String, u64)>, Trouble> {
    let rows =
        query.query_map((), |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
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

    fn renamed(from: &str, to: &str) -> Renamed {
        Renamed { from: from.into(), to: to.into() }
    }

    fn lease(records: &Records, notifier: &str) -> Option<i64> {
        let position = Position::new(DAY, 1, 1_000);
        let leased = records.outbox_lease(notifier, t(0), Duration::from_secs(30), position);
        leased.unwrap().map(|leased| leased.row)
    }

    #[test]
    fn two_channels_swap_their_names_and_keep_messages_digests_and_watches() {
        let records = Records::open_in_memory().unwrap();
        records.apply(&batch(1, 0, 1)).unwrap();
        let rule: WatchRule = "rise=3%".parse().unwrap();
        let watch = AddedWatch::new(symbol(), rule, None, t(0));
        records.watch_add(&watch).unwrap();
        records.set_watch_channel(&watch.id, Some("log")).unwrap();
        records.set_meta("digest_until:log", "then").unwrap();
        assert_eq!(records.channels_known().unwrap(), ["chat".into(), "log".into()].into());
        let first = records.outbox_waiting().unwrap();
        assert_eq!(first, [("chat".into(), 1), ("log".into(), 1)]);

        records.rename_channels(&[renamed("log", "chat"), renamed("chat", "log")]).unwrap();
        assert_eq!(records.watch_channel(&watch.id).unwrap().as_deref(), Some("chat"));
        assert_eq!(records.watches_by_channel().unwrap(), [("chat".into(), 1)]);
        assert_eq!(records.meta("digest_until:chat").unwrap().as_deref(), Some("then"));
        assert_eq!(records.meta("digest_until:log").unwrap(), None);
        let (chat, log) = (lease(&records, "chat").unwrap(), lease(&records, "log").unwrap());
        assert!(log < chat, "the message of the chat was queued first");
    }

    #[test]
    fn what_waits_for_a_channel_that_is_gone_ends_with_a_word() {
        let records = Records::open_in_memory().unwrap();
        records.apply(&batch(1, 0, 1)).unwrap();
        let status = || records.alerts(&Filter::newest(1)).unwrap().remove(0);
        assert_eq!(records.outbox_abandon(&["log".into(), "chat".into()], t(9)).unwrap(), []);
        let gone = records.outbox_abandon(&["log".into()], t(9)).unwrap();
        assert_eq!(gone, [("chat".into(), 1)]);
        assert_eq!(status().status, AlertStatus::Queued, "the log may still send it");
        records.outbox_abandon(&[], t(9)).unwrap();
        assert_eq!(status().status, AlertStatus::Expired);
        let reason = status().reason.unwrap();
        assert!(reason.ends_with("is in no [[notify]] any more"), "{reason}");
        assert_eq!(records.outbox_waiting().unwrap(), []);
        assert_eq!(lease(&records, "chat"), None);
    }
}

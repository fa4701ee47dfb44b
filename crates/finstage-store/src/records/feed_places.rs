//! Where one stands with feeds of news: when each was asked, and what it wants to be reminded of.

use rusqlite::params;

use super::Records;
use super::db::Durability;
use crate::Error;

/// The most feeds that are remembered; those that were asked last stay.
pub const MAX_FEED_PLACES: usize = 1_000;
/// They stand in the table `meta`, each under this and its address.
const PREFIX: &str = "news_feed:";
/// The first text behind all of those.
const BEHIND: &str = "news_feed;";

impl Records {
    /// What was kept of each feed, by its address.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn feed_places(&self) -> Result<Vec<(String, String)>, Error> {
        self.0.read("reading where feeds stand in", |tx| {
            let sql = "SELECT substr(key, length(?1) + 1), value FROM meta
                WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
            let mut query = tx.prepare_cached(sql)?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let rows = query.query_map(params![PREFIX, BEHIND, MAX_FEED_PLACES as i64], row)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Keeps what there is to know of feeds, by address: JSON whose `asked` says when each was asked.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn set_feed_places(&self, places: &[(String, String)]) -> Result<(), Error> {
        self.0.write("keeping where feeds stand in", Durability::Kept, |tx| {
            let sql = "INSERT INTO meta VALUES (?1 || ?2, ?3) ON CONFLICT DO UPDATE SET value = ?3";
            let mut set = tx.prepare_cached(sql)?;
            for (url, place) in places {
                set.execute([PREFIX, url, place])?;
            }
            let sql = "DELETE FROM meta WHERE key IN (SELECT key FROM meta
                WHERE key >= ?1 AND key < ?2
                ORDER BY json_extract(value, '$.asked') DESC LIMIT -1 OFFSET ?3)";
            tx.prepare_cached(sql)?.execute(params![PREFIX, BEHIND, MAX_FEED_PLACES as i64])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_feeds_is_kept_and_bounded_and_the_oldest_goes() {
        let records = Records::open_in_memory().unwrap();
        let place = |second: usize| format!("{{\"asked\":\"2026-11-30T{second:06}\"}}");
        let feed = |n: usize| (format!("https://x.example/{n}"), place(n));
        records.set_meta("news_feedx", "other").unwrap();
        let all: Vec<_> = (0..MAX_FEED_PLACES + 3).map(feed).collect();
        records.set_feed_places(&all).unwrap();
        let kept = records.feed_places().unwrap();
        assert_eq!(kept.len(), MAX_FEED_PLACES);
        assert!(!kept.contains(&feed(2)) && kept.contains(&feed(3)));
        records.set_feed_places(&[(feed(3).0, place(999_999))]).unwrap();
        assert!(records.feed_places().unwrap().contains(&(feed(3).0, place(999_999))));
        assert_eq!(records.meta("news_feedx").unwrap().as_deref(), Some("other"));
    }
}

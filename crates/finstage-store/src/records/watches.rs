//! Watches that were added beside the configuration. A running service hears of them within seconds.

use finstage_model::{IdHasher, Symbol, Timestamp, WatchRule};
use rusqlite::{OptionalExtension as _, Row, params};

use super::db::{Durability, Trouble};
use super::held::watch_key;
use super::{Records, parse};
use crate::{Error, ErrorKind};

/// The most watches that can be added.
pub const MAX_ADDED_WATCHES: usize = 10_000;

/// A watch that was added.
#[derive(Debug, Clone, PartialEq)]
pub struct AddedWatch {
    /// Follows from symbol and rule: adding it again changes nothing.
    pub id: String,
    /// Whose price.
    pub symbol: Symbol,
    /// The rule.
    pub rule: WatchRule,
    /// Least time between two alerts, in milliseconds.
    pub cooldown_ms: u64,
    /// When it was added.
    pub added_at: Timestamp,
}

impl AddedWatch {
    /// A watch with the id that it has; `cooldown_ms` as is usual for the rule where it is `None`.
    #[must_use]
    pub fn new(symbol: Symbol, rule: WatchRule, cooldown_ms: Option<u64>, at: Timestamp) -> Self {
        let usual = rule.usual_cooldown().as_millis() as u64;
        let cooldown_ms = cooldown_ms.unwrap_or(usual);
        Self { id: Self::id_of(&symbol, rule), symbol, rule, cooldown_ms, added_at: at }
    }

    /// The id of a watch, added or configured: 12 hexadecimal digits.
    #[must_use]
    pub fn id_of(symbol: &Symbol, rule: WatchRule) -> String {
        let hash = IdHasher::new().text("watch").text(symbol.as_str()).text(&rule.to_string());
        format!("{:032x}", hash.finish())[..12].to_owned()
    }
}

impl Records {
    /// The watches that were added, the oldest first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn watches_added(&self) -> Result<Vec<AddedWatch>, Error> {
        self.0.read("listing watches in", |tx| {
            let sql = "SELECT id, symbol, rule, cooldown_ms, added_at FROM watches
                ORDER BY added_at, id";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(())?;
            let mut watches = Vec::new();
            while let Some(row) = rows.next()? {
                watches.push(watch(row)?);
            }
            Ok(watches)
        })
    }

    /// Adds a watch, or gives the one that is there its cooldown; whether it is new.
    ///
    /// # Errors
    /// `Full` beyond [`MAX_ADDED_WATCHES`], `Refused` where another watch has its id, and as every writing call: `Full`, `Held`, `Corrupt` or
    /// `Io`.
    pub fn watch_add(&self, watch: &AddedWatch) -> Result<bool, Error> {
        let added = self.0.write("adding a watch to", Durability::Kept, |tx| {
            let sql =
                "SELECT symbol, rule FROM watches WHERE id = ?1 AND (symbol, rule) <> (?2, ?3)";
            let (symbol, rule) = (watch.symbol.as_str(), watch.rule.to_string());
            let other = tx.query_row(sql, params![watch.id, symbol, rule], |row| {
                Ok(format!("{} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            });
            if let Some(other) = other.optional()? {
                // One id for two: the second would be answered for and never watched.
                let why = format!(
                    "{symbol} {rule} has the id of {other} ({}): choose another threshold",
                    watch.id
                );
                return Err(Error::new(ErrorKind::Refused, why).into());
            }
            let count: i64 = tx.query_row("SELECT count(*) FROM watches", (), |row| row.get(0))?;
            let sql = "UPDATE watches SET cooldown_ms = ?2 WHERE id = ?1";
            let cooldown = i64::try_from(watch.cooldown_ms).unwrap_or(i64::MAX);
            if tx.execute(sql, params![watch.id, cooldown])? > 0 {
                return Ok(Some(false));
            }
            if count >= MAX_ADDED_WATCHES as i64 {
                return Ok(None);
            }
            let AddedWatch { id, symbol, rule, added_at, .. } = watch;
            let row = params![id, symbol.as_str(), rule.to_string(), cooldown, added_at.nanos()];
            tx.execute("INSERT INTO watches VALUES (?, ?, ?, ?, ?)", row)?;
            Ok(Some(true))
        })?;
        added.ok_or_else(|| {
            let message = format!("{MAX_ADDED_WATCHES} watches are the most: take some out before");
            Error::new(ErrorKind::Full, message)
        })
    }

    /// Takes a watch out that was added; whether it was there.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn watch_remove(&self, id: &str) -> Result<bool, Error> {
        self.0.write("taking a watch out of", Durability::Kept, |tx| {
            // Whoever adds it again says anew whom it tells.
            tx.execute("DELETE FROM meta WHERE key = ?", [watch_key(id)])?;
            Ok(tx.execute("DELETE FROM watches WHERE id = ?", [id])? > 0)
        })
    }
}

fn watch(row: &Row<'_>) -> Result<AddedWatch, Trouble> {
    Ok(AddedWatch {
        id: row.get("id")?,
        symbol: parse(row, "symbol")?,
        rule: parse(row, "rule")?,
        cooldown_ms: row.get::<_, i64>("cooldown_ms")?.unsigned_abs(),
        added_at: Timestamp::from_nanos(row.get("added_at")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_added_once_and_taken_out_once() {
        let records = Records::open_in_memory().unwrap();
        let at = Timestamp::from_secs(7);
        let symbol: Symbol = "yahoo:^GSPC".parse().unwrap();
        let rise = AddedWatch::new(symbol.clone(), WatchRule::Rise(1.5), None, at);
        assert_eq!((rise.cooldown_ms, rise.id.len()), (180_000, 12));
        assert!(records.watch_add(&rise).unwrap());
        let slower = AddedWatch { cooldown_ms: 600_000, ..rise.clone() };
        assert!(!records.watch_add(&slower).unwrap(), "the same watch");
        let high = AddedWatch::new(symbol, WatchRule::NewHigh, None, Timestamp::from_secs(8));
        assert!(records.watch_add(&high).unwrap());
        assert_eq!(records.watches_added().unwrap(), [slower.clone(), high.clone()]);
        let other = AddedWatch { id: high.id.clone(), ..slower };
        let refused = records.watch_add(&other).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Refused, "not taken for the watch that is there");
        assert!(refused.to_string().contains("new_high"), "{refused}");
        assert!(records.watch_remove(&rise.id).unwrap());
        assert!(!records.watch_remove(&rise.id).unwrap(), "it is gone");
        assert_eq!(records.watches_added().unwrap(), [high]);
    }
}

//! Instruments that the user named, beside those that finstage knows by name.

use finstage_model::Symbol;
use rusqlite::params;

use super::db::Durability;
use super::{Records, parse};
use crate::Error;

/// What the user says of an instrument. The words are the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnListing {
    /// `venue:SYMBOL`.
    pub symbol: Symbol,
    /// The English name.
    pub name: String,
    /// The Korean name.
    pub name_ko: String,
    /// What kind of thing it is.
    pub category: String,
    /// What its price is in.
    pub currency: Option<String>,
    /// When its market is open.
    pub calendar: Option<String>,
}

impl Records {
    /// The user's own instruments, by symbol.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn own_listings(&self) -> Result<Vec<OwnListing>, Error> {
        self.0.read("listing instruments in", |tx| {
            let mut query = tx.prepare_cached("SELECT * FROM listings ORDER BY symbol")?;
            let mut rows = query.query(())?;
            let mut listings = Vec::new();
            while let Some(row) = rows.next()? {
                listings.push(OwnListing {
                    symbol: parse(row, "symbol")?,
                    name: row.get("name")?,
                    name_ko: row.get("name_ko")?,
                    category: row.get("category")?,
                    currency: row.get("currency")?,
                    calendar: row.get("calendar")?,
                });
            }
            Ok(listings)
        })
    }

    /// Keeps what the user says of an instrument, in place of what was said before; whether it is
    /// new.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn put_own_listing(&self, listing: &OwnListing) -> Result<bool, Error> {
        self.put_own_listings(std::slice::from_ref(listing)).map(|new| new == 1)
    }

    /// The same of many, all or none of them; how many are new.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn put_own_listings(&self, listings: &[OwnListing]) -> Result<usize, Error> {
        self.0.write("adding instruments to", Durability::Kept, |tx| {
            let mut forget = tx.prepare_cached("DELETE FROM listings WHERE symbol = ?")?;
            let mut put = tx.prepare_cached("INSERT INTO listings VALUES (?, ?, ?, ?, ?, ?)")?;
            let mut new = 0;
            for listing in listings {
                let OwnListing { symbol, name, name_ko, category, currency, calendar } = listing;
                new += usize::from(forget.execute([symbol.as_str()])? == 0);
                put.execute(params![symbol.as_str(), name, name_ko, category, currency, calendar])?;
            }
            Ok(new)
        })
    }

    /// Forgets what the user said of an instrument; whether anything was known.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn remove_own_listing(&self, symbol: &Symbol) -> Result<bool, Error> {
        self.0.write("taking an instrument out of", Durability::Kept, |tx| {
            Ok(tx.execute("DELETE FROM listings WHERE symbol = ?", [symbol.as_str()])? > 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_own_instruments_are_kept_replaced_and_forgotten() {
        let records = Records::open_in_memory().unwrap();
        let one = OwnListing {
            symbol: "file:gold".parse().unwrap(),
            name: "Gold".into(),
            name_ko: "금".into(),
            category: "commodity".into(),
            currency: Some("USD".into()),
            calendar: None,
        };
        assert!(records.put_own_listing(&one).unwrap());
        let other = OwnListing { calendar: Some("us".into()), ..one.clone() };
        assert!(!records.put_own_listing(&other).unwrap());
        assert_eq!(records.own_listings().unwrap(), std::slice::from_ref(&other));
        let third = OwnListing { symbol: "file:tin".parse().unwrap(), ..one.clone() };
        let both = [one.clone(), third.clone()];
        assert_eq!(records.put_own_listings(&both).unwrap(), 1, "one of them is new");
        assert_eq!(records.own_listings().unwrap(), both);
        assert!(records.remove_own_listing(&third.symbol).unwrap());
        assert!(records.remove_own_listing(&one.symbol).unwrap());
        assert!(!records.remove_own_listing(&one.symbol).unwrap());
    }
}

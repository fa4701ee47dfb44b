//! What the user has muted for a while. A running service hears of it within seconds.

use finstage_model::{MuteNotice, Timestamp};
use rusqlite::params;

use super::Records;
use super::db::Durability;
use crate::Error;

impl Records {
    /// What is muted at `now`, by name.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn mutes(&self, now: Timestamp) -> Result<Vec<MuteNotice>, Error> {
        self.0.read("listing what is muted in", |tx| {
            let sql = "SELECT what, until FROM mutes WHERE until > ? ORDER BY what";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query([now.nanos()])?;
            let mut mutes = Vec::new();
            while let Some(row) = rows.next()? {
                let until = Timestamp::from_nanos(row.get(1)?);
                mutes.push(MuteNotice { what: row.get(0)?, until });
            }
            Ok(mutes)
        })
    }

    /// Mutes something, in place of what was said of it before; what was over by `now` is
    /// forgotten.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn mute(&self, mute: &MuteNotice, now: Timestamp) -> Result<(), Error> {
        self.0.write("muting in", Durability::Kept, |tx| {
            tx.execute("DELETE FROM mutes WHERE until <= ?", [now.nanos()])?;
            let sql = "INSERT INTO mutes VALUES (?1, ?2) ON CONFLICT DO UPDATE SET until = ?2";
            tx.execute(sql, params![mute.what, mute.until.nanos()])?;
            Ok(())
        })
    }

    /// Lets something speak again; whether it was muted.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn unmute(&self, what: &str) -> Result<bool, Error> {
        self.0.write("unmuting in", Durability::Kept, |tx| {
            Ok(tx.execute("DELETE FROM mutes WHERE what = ?", [what])? > 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_muted_speaks_again_when_its_time_is_over_or_it_is_told_to() {
        let records = Records::open_in_memory().unwrap();
        let at = Timestamp::from_secs;
        let mute = |what: &str, until| MuteNotice { what: what.to_owned(), until: at(until) };
        records.mute(&mute("rise", 100), at(0)).unwrap();
        records.mute(&mute("x:A", 50), at(0)).unwrap();
        records.mute(&mute("rise", 200), at(10)).unwrap();
        assert_eq!(records.mutes(at(49)).unwrap(), [mute("rise", 200), mute("x:A", 50)]);
        assert_eq!(records.mutes(at(50)).unwrap(), [mute("rise", 200)]);
        assert!(records.unmute("rise").unwrap() && !records.unmute("rise").unwrap());
        assert_eq!(records.mutes(at(50)).unwrap(), []);
    }
}

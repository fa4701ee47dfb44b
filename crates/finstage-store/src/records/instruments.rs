//! Instruments and their dense ids, assigned once per store.

use finstage_model::{Category, Instrument, InstrumentId, Symbol};
use rusqlite::{Connection, OptionalExtension, params};

use super::Records;
use super::db::{Durability, Trouble};
use crate::Error;

impl Records {
    /// All instruments, by id.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn instruments(&self) -> Result<Vec<Instrument>, Error> {
        self.0.read("listing instruments in", |tx| {
            let mut query = tx.prepare_cached("SELECT id, json FROM instruments ORDER BY id")?;
            let mut rows = query.query(())?;
            let mut instruments = Vec::new();
            while let Some(row) = rows.next()? {
                instruments.push(instrument(row.get(0)?, &row.get::<_, String>(1)?)?);
            }
            Ok(instruments)
        })
    }

    /// The instrument of a symbol.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn instrument(&self, symbol: &Symbol) -> Result<Option<Instrument>, Error> {
        self.0.read("looking up an instrument in", |tx| {
            let sql = "SELECT id, json FROM instruments WHERE symbol = ?";
            let mut query = tx.prepare_cached(sql)?;
            let row = query
                .query_row([symbol.as_str()], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
                .optional()?;
            row.map(|(id, json)| instrument(id, &json)).transpose()
        })
    }

    /// The id of a symbol; the next free one when it has none yet.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn instrument_id(&self, symbol: &Symbol) -> Result<InstrumentId, Error> {
        if let Some(known) = self.instrument(symbol)? {
            return Ok(known.id);
        }
        let bare = Instrument {
            id: InstrumentId(u32::MAX),
            symbol: symbol.clone(),
            tick: None,
            lot: None,
            currency: None,
            category: Category::Other,
        };
        self.0.write("adding an instrument to", Durability::Kept, |tx| assign(tx, &bare))
    }

    /// Stores what is known of an instrument, and gives its id: the one its symbol has, else the
    /// next free one. The `id` in `instrument` is not looked at.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn put_instrument(&self, instrument: &Instrument) -> Result<InstrumentId, Error> {
        self.0.write("adding an instrument to", Durability::Kept, |tx| {
            let id = assign(tx, instrument)?;
            let sql = "UPDATE instruments SET json = ?2 WHERE id = ?1 AND json <> ?2";
            tx.execute(sql, params![id.0, json(instrument)])?;
            Ok(id)
        })
    }
}

/// The id of the instrument's symbol, assigned if it has none.
pub(super) fn assign(tx: &Connection, instrument: &Instrument) -> Result<InstrumentId, Trouble> {
    let sql = "INSERT INTO instruments
        SELECT coalesce(max(id) + 1, 0), ?1, ?2 FROM instruments WHERE true
        ON CONFLICT (symbol) DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![instrument.symbol.as_str(), json(instrument)])?;
    let sql = "SELECT id FROM instruments WHERE symbol = ?";
    let id = tx.prepare_cached(sql)?.query_row([instrument.symbol.as_str()], |row| row.get(0))?;
    Ok(InstrumentId(id))
}

fn json(instrument: &Instrument) -> String {
    serde_json::to_string(instrument).expect("an instrument is always JSON")
}

fn instrument(id: u32, json: &str) -> Result<Instrument, Trouble> {
    match serde_json::from_str::<Instrument>(json) {
        Ok(instrument) => Ok(Instrument { id: InstrumentId(id), ..instrument }),
        Err(e) => Err(Trouble::BadRow(format!("instrument {id}: {e}"))),
    }
}

//! Rows of the CSV files: no quotes, a header in front, times in microseconds, empty where unknown.

use finstage_model::{InstrumentId, Timestamp, Trade};

use super::{error, message, quoted};
use crate::{DecodeError, DecodeErrorKind};

/// The first columns of every kind of file.
const HEAD: &str = "exchange,symbol,timestamp,local_timestamp";

/// The column that says when a message was received.
pub(crate) const LOCAL_TIMESTAMP: &str = "local_timestamp";

/// The columns that only trades have, and all of them.
const TRADES: [&str; 4] = ["id", "side", "price", "amount"];

/// Whether a line is a header.
pub(crate) fn is_header(line: &str) -> bool {
    line.strip_prefix(HEAD).is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
}

/// The moment that a cell names.
pub(crate) fn from_micros(cell: &str) -> Option<Timestamp> {
    let micros: i64 = cell.parse().ok()?;
    micros.checked_mul(1_000).map(Timestamp::from_nanos)
}

/// What the columns of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// `exchange,symbol,timestamp,local_timestamp,id,side,price,amount`
    Trades,
    /// As the trades, and of no use here: forced trades, which the trades hold as well; books, whose
    /// first column is `is_snapshot`; and the like.
    Other(&'static str),
}

/// A row of trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) exchange: &'a str,
    pub(super) symbol: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) id: &'a str,
    pub(super) side: &'a str,
    pub(super) price: &'a str,
    pub(super) amount: &'a str,
}

impl Columns {
    /// Those of a header. Files of liquidations have the header of trades: who plays one as trades plays
    /// a part of them.
    pub(super) fn of(header: &str) -> Self {
        let own = || header.split(',').skip(4);
        if own().eq(TRADES) {
            return Self::Trades;
        }
        let kinds = [
            ("is_snapshot", "incremental_book_L2"),
            ("ask_amount", "quotes"),
            ("asks[0].price", "book_snapshot"),
            ("funding_timestamp", "derivative_ticker"),
            ("type", "options_chain"),
        ];
        let first = own().next().unwrap_or_default();
        let kind = kinds.into_iter().find(|(column, _)| *column == first);
        Self::Other(kind.map_or("another kind", |(_, kind)| kind))
    }

    pub(super) fn read(self, line: &str) -> Result<Row<'_>, DecodeError> {
        if let Self::Other(kind) = self {
            return Err(error(DecodeErrorKind::Unknown, format!("row of {kind}")));
        }
        let mut cells = line.split(',');
        let mut next = || cells.next();
        let row = (|| {
            let (exchange, symbol, timestamp, _) = (next()?, next()?, next()?, next()?);
            let (id, side, price, amount) = (next()?, next()?, next()?, next()?);
            Some(Row { exchange, symbol, timestamp, id, side, price, amount })
        })();
        match row {
            Some(row) if next().is_none() => Ok(row),
            _ => {
                let what = format!("row of {} cells, the header has 8", line.split(',').count());
                Err(error(DecodeErrorKind::Malformed, what))
            }
        }
    }
}

impl Row<'_> {
    pub(super) fn trade(&self, instrument: InstrumentId) -> Result<Trade, DecodeError> {
        let ts_event = from_micros(self.timestamp).ok_or_else(|| {
            let what = format!("trade: timestamp is \"{}\"", quoted(self.timestamp));
            error(DecodeErrorKind::Malformed, what)
        })?;
        let words =
            message::Words { id: self.id, side: self.side, price: self.price, amount: self.amount };
        words.trade(instrument, ts_event)
    }
}

use crate::{InstrumentId, Price, Qty, Timestamp, TradeId};

/// Which side took liquidity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aggressor {
    /// The buyer lifted an ask.
    Buyer,
    /// The seller hit a bid.
    Seller,
    /// The venue does not say.
    Unknown,
}

/// One execution printed by a venue (time and sales).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// The venue's id.
    pub id: TradeId,
    /// What was traded.
    pub instrument: InstrumentId,
    /// When the venue says it happened.
    pub ts_event: Timestamp,
    /// At which price.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Who took.
    pub aggressor: Aggressor,
}

// One cache line: the engine's hot loop touches one line per trade.
const _: () = assert!(size_of::<Trade>() == 64);

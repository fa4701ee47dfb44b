//! What a market is made of, and what no venue could list.

use std::time::Duration;

use finstage_model::text::BarTable;
use finstage_model::{Price, Qty, Timestamp};

use super::edge::Edge;
use super::seeded::SymbolSpec;
use crate::error::{Error, ErrorKind};

/// The most symbols a market lists.
pub const MAX_SYMBOLS: usize = 500;
/// The longest past a market makes.
pub const MAX_HISTORY_DAYS: u32 = 3_660;
/// The past a market has where nothing else is said.
pub const HISTORY_DAYS: u32 = 320;

/// What a market is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketSpec {
    /// The same seed makes the same market.
    pub seed: u64,
    /// The first moment of which events are handed out.
    pub start: Timestamp,
    /// Where prices come from.
    pub tape: Tape,
    /// The beat on which open bars are updated.
    pub kline_every: Duration,
    /// What is planted in every symbol of a seeded market.
    pub edge: Option<Edge>,
}

/// Where the prices of a market come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tape {
    /// From the seed.
    Seeded {
        /// What is listed.
        symbols: Vec<SymbolSpec>,
        /// Days of past before the start.
        history_days: u32,
    },
    /// From tables of bars, one per symbol.
    Bars(Vec<BarTable>),
}

impl MarketSpec {
    /// A seeded market of three pairs with [`HISTORY_DAYS`] of past.
    #[must_use]
    pub fn seeded(seed: u64, start: Timestamp) -> Self {
        let symbol = |name, units: i64| SymbolSpec::new(name, Price::from_nanos(units * 1_000_000));
        let symbols = vec![
            symbol("BTCUSDT", 61_250_000),
            symbol("ETHUSDT", 2_840_000),
            SymbolSpec { volatility_bps: 450, ..symbol("SOLUSDT", 148_200) },
        ];
        Self::new(seed, start, Tape::Seeded { symbols, history_days: HISTORY_DAYS })
    }

    /// A market that plays tables of bars.
    #[must_use]
    pub fn bars(start: Timestamp, tables: Vec<BarTable>) -> Self {
        Self::new(0, start, Tape::Bars(tables))
    }

    fn new(seed: u64, start: Timestamp, tape: Tape) -> Self {
        Self { seed, start, tape, kline_every: Duration::from_secs(2), edge: None }
    }
}

/// What a venue tells about a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The venue's name for it.
    pub name: String,
    /// The name in lower case, as streams are called.
    pub stream: String,
    /// What is traded.
    pub base: String,
    /// In which currency.
    pub quote: String,
    /// Smallest step of a price.
    pub tick: Price,
    /// Smallest step of a quantity.
    pub lot: Qty,
    /// Decimals the venue prints, 8 or 9.
    pub decimals: u32,
}

pub(super) fn check_symbol(spec: &SymbolSpec) -> Result<(), Error> {
    let (price, tick, lot) = (spec.price.nanos(), spec.tick.nanos(), spec.lot.nanos());
    check_name(&spec.name)?;
    let problem = if tick <= 0 || price / tick < 100 {
        "a price that is not at least a hundred ticks"
    } else if lot == 0 || lot > 1_000_000_000_000_000 {
        "a lot that is not above zero and at most a million"
    } else if !(1..=10_000_000).contains(&spec.trades_per_second_milli) {
        "a rate that is not above zero and at most ten thousand trades a second"
    } else if !(1..=5_000).contains(&spec.volatility_bps) {
        "a volatility that is not above zero and at most 5000 bps"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Market, format!("symbol \"{}\": {problem}", spec.name)))
}

/// Names travel in addresses and, unescaped, in JSON.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let plain =
        |c: char| c.is_alphanumeric() || c.is_ascii_graphic() && !"\"\\/@,?&=#%+".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(());
    }
    let text = format!("symbol \"{name}\": a name that a stream cannot carry");
    Err(Error::new(ErrorKind::Market, text))
}

pub(super) fn listing(name: &str, (tick, lot): (Price, Qty), decimals: u32) -> Listing {
    const QUOTES: [&str; 10] =
        ["USDT", "USDC", "FDUSD", "TRY", "EUR", "USD", "KRW", "BTC", "ETH", "BNB"];
    let cut = QUOTES.iter().find_map(|quote| {
        name.strip_suffix(quote).filter(|base| !base.is_empty()).map(|base| (base, *quote))
    });
    let (base, quote) = cut.unwrap_or((name, "USD"));
    Listing {
        name: name.to_owned(),
        stream: name.to_ascii_lowercase(),
        base: base.to_owned(),
        quote: quote.to_owned(),
        tick,
        lot,
        decimals,
    }
}

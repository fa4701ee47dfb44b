//! The instruments that finstage knows by name: a table in `registry.tsv`, written by hand.
//!
//! Any other instrument can be watched as well; it has no names, no category and no calendar here, unless
//! the user gave it some: [`set_own`].

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, OnceLock};

use finstage_model::{Category, Day, Interval, Symbol, Timestamp};

use crate::MarketHours;
use crate::venues::kis;

const TABLE: &str = include_str!("registry.tsv");

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// `venue:SYMBOL`.
    pub symbol: Symbol,
    /// What kind of thing it is.
    pub category: ListingCategory,
    /// The list that it is on, one of [`GROUPS`].
    pub group: Option<&'static str>,
    /// The currency that prices are in, as the venue writes it; `USX` is the US cent.
    pub currency: Option<&'static str>,
    /// When its market is open; `None` where that is not known.
    pub hours: Option<MarketHours>,
    /// The English name.
    pub name: &'static str,
    /// The Korean name; the English one where Koreans use that.
    pub korean: &'static str,
}

/// Lists of shares: the Nasdaq-100 as of January 2026, large names of the two Korean markets.
pub const GROUPS: [&str; 3] = ["nasdaq100", "kospi", "kosdaq"];

/// What kind of thing an instrument is, finer than [`Category`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ListingCategory {
    /// An index of shares.
    Index,
    /// A future on such an index.
    Future,
    /// A share.
    Stock,
    /// A fund without a leverage, of no other category.
    Etf,
    /// A fund that gains a multiple of what its market gains.
    EtfLong,
    /// A fund that gains what its market loses, or a multiple.
    EtfShort,
    /// A fund of one sector.
    Sector,
    /// A fund of corporate bonds.
    Credit,
    /// A fund of a region or of a whole market.
    World,
    /// A yield of government bonds, in percent.
    Rates,
    /// The value of the dollar, and funds on it.
    Dollar,
    /// An index of expected volatility.
    Volatility,
    /// A future on a commodity.
    Commodity,
    /// A currency pair.
    Currency,
    /// A cryptocurrency pair.
    Crypto,
}

impl ListingCategory {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::Index,
        Self::Future,
        Self::Stock,
        Self::Etf,
        Self::EtfLong,
        Self::EtfShort,
        Self::Sector,
        Self::Credit,
        Self::World,
        Self::Rates,
        Self::Dollar,
        Self::Volatility,
        Self::Commodity,
        Self::Currency,
        Self::Crypto,
    ];

    /// Its name in the table and in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Future => "future",
            Self::Stock => "stock",
            Self::Etf => "etf",
            Self::EtfLong => "etf_long",
            Self::EtfShort => "etf_short",
            Self::Sector => "sector",
            Self::Credit => "credit",
            Self::World => "world",
            Self::Rates => "rates",
            Self::Dollar => "dollar",
            Self::Volatility => "volatility",
            Self::Commodity => "commodity",
            Self::Currency => "currency",
            Self::Crypto => "crypto",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.name() == name)
    }

    /// The category in the words of events.
    #[must_use]
    pub const fn coarse(self) -> Category {
        match self {
            Self::Index | Self::Volatility => Category::Index,
            Self::Stock => Category::Stock,
            Self::Etf
            | Self::EtfLong
            | Self::EtfShort
            | Self::Sector
            | Self::Credit
            | Self::World => Category::Etf,
            Self::Currency => Category::Currency,
            Self::Crypto => Category::Crypto,
            Self::Future | Self::Rates | Self::Dollar | Self::Commodity => Category::Other,
        }
    }
}

impl fmt::Display for ListingCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// When the market of a symbol is open, in the table or not; `None` where that is not known.
///
/// ```
/// use finstage_feeds::{MarketHours, registry::hours};
/// assert_eq!(hours(&"yahoo:005935.KS".parse().unwrap()), Some(MarketHours::Korea));
/// assert_eq!(hours(&"yahoo:ES=F".parse().unwrap()), None);
/// ```
#[must_use]
pub fn hours(symbol: &Symbol) -> Option<MarketHours> {
    if let Some(row) = find(symbol) {
        return row.hours;
    }
    match (symbol.venue(), Suffix::of(symbol.name())) {
        ("binance" | "kraken" | "tardis", _) | ("yahoo", Suffix::Crypto) => {
            Some(MarketHours::Always)
        }
        ("kis", _) => kis::hours(symbol.name()),
        ("yahoo", Suffix::Korea) => Some(MarketHours::Korea),
        ("yahoo", Suffix::None) => Some(MarketHours::Us),
        _ => None,
    }
}

/// When the market of a bar was done with it: a bar of a day or less ends with its session where the hours are known and
/// it opened in one, any other, and where they are not, when its length is over. No bar that follows ends before it opened,
/// so what ended by the close of a bar in time knows nothing of the next.
///
/// ```
/// use finstage_feeds::registry::closed_at;
/// use finstage_model::Interval;
/// let open = "2026-11-27T00:00:00Z".parse().unwrap(); // the day after Thanksgiving: until 13:00
/// let closed = |symbol: &str, interval| closed_at(&symbol.parse().unwrap(), interval, open).to_string();
/// assert_eq!(closed("yahoo:AAPL", Interval::D1), "2026-11-27T18:00:00Z");
/// assert_eq!(closed("kis:005930", Interval::D1), "2026-11-27T06:30:00Z");
/// assert_eq!(closed("binance:BTCUSDT", Interval::D1), "2026-11-28T00:00:00Z");
/// assert_eq!(closed("yahoo:AAPL", Interval::H1), "2026-11-27T01:00:00Z");
/// assert_eq!(closed("yahoo:005930.KS", Interval::H4), "2026-11-27T04:00:00Z"); // the session goes on
/// ```
#[must_use]
pub fn closed_at(symbol: &Symbol, interval: Interval, open_time: Timestamp) -> Timestamp {
    let over = interval.close_of(open_time);
    let session = hours(symbol).and_then(|hours| hours.session_of(interval, open_time));
    session.map_or(over, |session| session.close.min(over))
}

/// The day of its market that a bar is of: a bar of a day says it, a shorter one where the hours are known and end.
#[must_use]
pub fn session_day(symbol: &Symbol, interval: Interval, open_time: Timestamp) -> Option<Day> {
    if interval >= Interval::D1 {
        return Some(open_time.day());
    }
    let hours = hours(symbol).filter(|hours| *hours != MarketHours::Always)?;
    Some(hours.day_of(open_time))
}

/// By how many seconds the quotes of a symbol are late at its venue; `None` where that is not known.
/// Yahoo states it as `exchangeDataDelayedBy`: nothing for New York, 20 minutes for Seoul.
///
/// ```
/// use finstage_feeds::registry::quote_delay_s;
/// assert_eq!(quote_delay_s(&"yahoo:005930.KS".parse().unwrap()), Some(1_200));
/// assert_eq!(quote_delay_s(&"yahoo:AAPL".parse().unwrap()), Some(0));
/// ```
#[must_use]
pub fn quote_delay_s(symbol: &Symbol) -> Option<u32> {
    const FUTURES: u32 = 600;
    const MOST_MARKETS: u32 = 900;
    const SEOUL: u32 = 1_200;
    match (symbol.venue(), Suffix::of(symbol.name())) {
        ("binance" | "kraken", _) => Some(0),
        // Free quotes of New York are up to a quarter of an hour late.
        ("kis", _) => match kis::hours(symbol.name()) {
            Some(MarketHours::Korea) => Some(0),
            Some(MarketHours::Us) => Some(MOST_MARKETS),
            _ => Some(SEOUL),
        },
        ("yahoo", _) if hours(symbol) == Some(MarketHours::Korea) => Some(SEOUL),
        ("yahoo", Suffix::None | Suffix::Crypto | Suffix::Currency) => Some(0),
        ("yahoo", Suffix::Index) if hours(symbol) == Some(MarketHours::Us) => Some(0),
        ("yahoo", Suffix::Future) => Some(FUTURES),
        ("yahoo", Suffix::Index | Suffix::Other) => Some(MOST_MARKETS),
        _ => None,
    }
}

/// What the form of a name at Yahoo says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suffix {
    /// `AAPL`, `BRK-B`: New York.
    None,
    /// `^GSPC`
    Index,
    /// `005930.KS`, `035720.KQ`
    Korea,
    /// `ES=F`
    Future,
    /// `KRW=X`
    Currency,
    /// `BTC-USD`
    Crypto,
    /// `7203.T`
    Other,
}

impl Suffix {
    fn of(name: &str) -> Self {
        const COUNTED_IN: [&str; 5] = ["-USD", "-EUR", "-KRW", "-USDT", "-BTC"];
        let ends = |end: &str| name.ends_with(end);
        if name.starts_with('^') {
            Self::Index
        } else if ends(".KS") || ends(".KQ") {
            Self::Korea
        } else if ends("=F") {
            Self::Future
        } else if ends("=X") {
            Self::Currency
        } else if COUNTED_IN.into_iter().any(ends) {
            Self::Crypto
        } else if name.contains(['.', '=']) {
            Self::Other
        } else {
            Self::None
        }
    }
}

/// All built-in rows, in the order of the table.
#[must_use]
pub fn all() -> &'static [Listing] {
    static ROWS: LazyLock<Vec<Listing>> =
        LazyLock::new(|| parse(TABLE).expect("a test reads the built-in table"));
    &ROWS
}

static OWN: OnceLock<Own> = OnceLock::new();

/// The user's rows, which may be thousands.
#[derive(Debug)]
struct Own {
    rows: Vec<Listing>,
    places: HashMap<Symbol, usize>,
}

impl Own {
    fn find(&self, symbol: &Symbol) -> Option<&Listing> {
        self.places.get(symbol).map(|place| &self.rows[*place])
    }
}

/// Adds the user's own rows for the rest of the process; one with a known symbol is in place of the
/// built-in one. Only the first call counts; whether this was it.
pub fn set_own(rows: Vec<Listing>) -> bool {
    let places = rows.iter().enumerate().map(|(place, row)| (row.symbol.clone(), place)).collect();
    OWN.set(Own { rows, places }).is_ok()
}

/// The user's rows, then all built-in ones that they do not replace.
pub fn everything() -> impl Iterator<Item = &'static Listing> + Clone {
    let own = OWN.get();
    let rows = own.map_or(&[][..], |own| own.rows.as_slice());
    let is_replaced = move |row: &Listing| own.is_some_and(|own| own.find(&row.symbol).is_some());
    rows.iter().chain(all().iter().filter(move |row| !is_replaced(row)))
}

/// The row of a symbol.
#[must_use]
pub fn find(symbol: &Symbol) -> Option<&'static Listing> {
    let own = OWN.get().and_then(|own| own.find(symbol));
    own.or_else(|| all().iter().find(|row| row.symbol == *symbol))
}

/// Rows whose symbol, English or Korean name holds `text`, best first: the same, then those that begin
/// with it, then the rest. Letter case, spaces and punctuation do not count.
///
/// ```
/// use finstage_feeds::registry::search;
/// assert_eq!(search("삼성")[0].symbol.as_str(), "yahoo:005930.KS");
/// assert_eq!(search("lg 에너지")[0].name, "LG Energy Solution");
/// assert!(search("&").is_empty());
/// ```
#[must_use]
pub fn search(text: &str) -> Vec<&'static Listing> {
    let wanted = plain(text);
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(u8, &Listing)> =
        everything().filter_map(|row| Some((rank(row, &wanted)?, row))).collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, row)| row).collect()
}

/// Rows that `text` names wholly: their symbol with or without the venue, the part before its dot, or
/// their English or Korean name.
#[must_use]
pub fn named(text: &str) -> Vec<&'static Listing> {
    let exact = everything().filter(|row| row.symbol.as_str() == text);
    let exact: Vec<&Listing> = exact.collect();
    if !exact.is_empty() {
        return exact;
    }
    let wanted = plain(text);
    let same = |row: &&Listing| {
        let bare = row.symbol.name().split('.').next().unwrap_or_default();
        !wanted.is_empty() && (rank(row, &wanted) == Some(0) || plain(bare) == wanted)
    };
    everything().filter(same).collect()
}

/// How well a row fits; the least is best.
fn rank(row: &Listing, wanted: &str) -> Option<u8> {
    let fields = [row.symbol.as_str(), row.symbol.name(), row.name, row.korean];
    let ranks = fields.into_iter().filter_map(|field| {
        let field = plain(field);
        match field.find(wanted)? {
            _ if field == wanted => Some(0),
            0 => Some(1),
            _ => Some(2),
        }
    });
    ranks.min()
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Reads a table; an error names the line.
fn parse(text: &'static str) -> Result<Vec<Listing>, String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with('#'));
    lines.map(|(number, line)| row(line).map_err(|why| format!("line {number}: {why}"))).collect()
}

fn row(line: &'static str) -> Result<Listing, String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [symbol, category, group, currency, calendar, name, korean] = fields[..] else {
        return Err(format!("{} fields instead of 7", fields.len()));
    };
    let given = |field: &'static str| (field != "-").then_some(field);
    let known = |found: bool, what: &str| found.then_some(()).ok_or(format!("unknown {what}"));
    known(given(group).is_none_or(|group| GROUPS.contains(&group)), "group")?;
    let hours = given(calendar).and_then(MarketHours::find);
    known(hours.is_some() == given(calendar).is_some(), "calendar")?;
    known(!name.trim().is_empty() && !korean.trim().is_empty(), "name")?;
    Ok(Listing {
        symbol: symbol.parse().map_err(|e: finstage_model::SymbolError| e.to_string())?,
        category: ListingCategory::find(category).ok_or("unknown category")?,
        group: given(group),
        currency: given(currency),
        hours,
        name,
        korean,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn symbols(rows: &[&Listing]) -> Vec<String> {
        rows.iter().map(|row| row.symbol.to_string()).collect()
    }

    #[test]
    fn the_table_reads_without_a_fault_and_no_symbol_is_in_it_twice() {
        let rows = parse(TABLE).unwrap();
        assert!(rows.len() >= 150, "{}", rows.len());
        let symbols: BTreeSet<&Symbol> = rows.iter().map(|row| &row.symbol).collect();
        assert_eq!(symbols.len(), rows.len());
        let names: BTreeSet<(&str, &str)> =
            rows.iter().map(|r| (r.symbol.venue(), r.name)).collect();
        assert_eq!(names.len(), rows.len(), "two instruments of a venue have one name");
    }

    #[test]
    fn every_group_and_category_has_its_instruments() {
        let of = |group| all().iter().filter(|row| row.group == Some(group)).count();
        assert_eq!(of("nasdaq100"), 101, "100 companies, Alphabet with two kinds of shares");
        assert!(of("kospi") >= 50 && of("kosdaq") >= 20);
        for category in ListingCategory::ALL {
            assert!(all().iter().any(|row| row.category == category), "{category}");
        }
    }

    #[test]
    fn a_korean_listing_has_a_hangul_or_customary_name_and_the_korean_calendar() {
        let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
        for row in all().iter().filter(|row| matches!(row.group, Some("kospi" | "kosdaq"))) {
            assert!(hangul(row.korean) || row.korean == row.name, "{}", row.symbol);
            assert_eq!((row.hours, row.currency), (Some(MarketHours::Korea), Some("KRW")));
            let (code, market) = row.symbol.name().split_once('.').unwrap();
            assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
            assert_eq!(market == "KS", row.group == Some("kospi"), "{}", row.symbol);
        }
    }

    #[test]
    fn only_markets_with_other_hours_lack_a_calendar() {
        use ListingCategory::{Commodity, Currency, Dollar, Future, Rates, Volatility};
        for row in all() {
            let other = [Future, Rates, Dollar, Volatility, Commodity, Currency];
            assert!(row.hours.is_some() || other.contains(&row.category), "{}", row.symbol);
            let crypto = row.category == ListingCategory::Crypto;
            assert_eq!(row.hours == Some(MarketHours::Always), crypto, "{}", row.symbol);
        }
    }

    #[test]
    fn a_search_takes_parts_of_symbols_and_names_in_both_languages() {
        assert!(search("삼성").len() >= 9);
        assert_eq!(symbols(&search("005930"))[0], "yahoo:005930.KS");
        assert_eq!(symbols(&search("btc")), ["binance:BTCUSDT"]);
        assert_eq!(symbols(&search("비트코인")), ["binance:BTCUSDT", "binance:BCHUSDT"]);
        assert_eq!(symbols(&search("s&p 500"))[0], "yahoo:^GSPC");
        assert_eq!(symbols(&search("META"))[0], "yahoo:META", "the same before a beginning");
        assert_eq!(symbols(&search("엘지")), [""; 0]);
    }

    #[test]
    fn an_instrument_is_named_by_symbol_code_or_name() {
        for text in ["yahoo:005930.KS", "005930.KS", "005930", "삼성전자", "samsung electronics"]
        {
            assert_eq!(symbols(&named(text)), ["yahoo:005930.KS"], "{text}");
        }
        assert_eq!(symbols(&named("삼성")), [""; 0], "a part is no name");
        assert_eq!(symbols(&named("^")), [""; 0]);
    }

    #[test]
    fn a_bad_row_is_named_by_its_line() {
        for (text, why) in [
            ("# about\nyahoo:X\tstock", "line 2: 2 fields instead of 7"),
            ("yahoo:X\tstok\t-\t-\tus\tX\tX", "line 1: unknown category"),
            ("yahoo:X\tstock\t-\t-\tjp\tX\tX", "line 1: unknown calendar"),
            ("yahoo:X\tstock\tdax\t-\tus\tX\tX", "line 1: unknown group"),
            ("yahoo:X\tstock\t-\t-\tus\tX\t", "line 1: unknown name"),
        ] {
            assert_eq!(parse(text).unwrap_err(), why);
        }
    }
}

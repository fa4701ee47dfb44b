//! What a load test wants to know of a message: which stream, when, and which number.

use finstage_model::Timestamp;

use super::cursor::Cursor;

/// How a venue writes its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialect {
    /// Binance, raw or combined: `E`; trades by `t`, aggregates by `a`, the book by `U` and `u`.
    Binance,
    /// Coinbase Exchange and Advanced Trade: `time`; matches by `trade_id`, `sequence_num`.
    Coinbase,
    /// Fields by their path.
    Fields(FieldPaths),
}

/// Where a message carries what; a path is names between dots, such as `data.E`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldPaths {
    /// Its time: Unix time in s, ms, µs or ns, told apart by its size, or RFC 3339.
    pub time: Option<String>,
    /// Its number, one more each time.
    pub sequence: Option<String>,
    /// What is numbered by itself: a stream, a symbol.
    pub stream: Option<String>,
}

/// A message, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reading {
    /// When it happened, in µs of Unix time.
    pub(crate) at_us: Option<i64>,
    pub(crate) numbers: Option<Numbers>,
}

/// The numbers of a message in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Tells streams of a connection apart.
    pub(crate) stream: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Dialect {
    /// Reads a message; `None` where it is no JSON.
    #[inline]
    pub(crate) fn read(&self, text: &str) -> Option<Reading> {
        let mut cursor = Cursor::new(text);
        if !cursor.is_object() {
            cursor.skip()?;
            return cursor.is_at_end().then(Reading::default);
        }
        let reading = match self {
            Self::Binance => binance(&mut cursor)?,
            Self::Coinbase => coinbase(&mut cursor)?,
            Self::Fields(paths) => {
                let mut found = Found::default();
                walk(&mut cursor, "", (paths, &mut found))?;
                found.reading()
            }
        };
        cursor.is_at_end().then_some(reading)
    }
}

/// `<symbol>@ticker` of Binance: the day until now. Prices are as they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticker<'a> {
    /// When it was said, in ms of Unix time.
    pub at_ms: i64,
    /// Whose.
    pub symbol: &'a str,
    /// The last price.
    pub last: &'a str,
    /// The best bid and how much of it.
    pub bid: (&'a str, &'a str),
    /// The best ask and how much of it.
    pub ask: (&'a str, &'a str),
    /// The highest price.
    pub high: &'a str,
    /// The lowest price.
    pub low: &'a str,
    /// What was traded.
    pub volume: &'a str,
    /// The trades.
    pub trades: i64,
}

impl<'a> Ticker<'a> {
    /// Reads a message, raw or combined; `None` where it is no ticker. Nothing is copied.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let (mut cursor, mut ticker, mut kind) = (Cursor::new(text), Self::default(), "");
        cursor.object(|cursor, name| match name {
            b"data" => cursor.object(|cursor, name| ticker.member(cursor, name, &mut kind)),
            _ => ticker.member(cursor, name, &mut kind),
        })?;
        (kind == "24hrTicker" && cursor.is_at_end()).then_some(ticker)
    }

    #[inline]
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &[u8], kind: &mut &'a str) -> Option<()> {
        let [letter] = *name else { return cursor.pass() };
        match letter {
            b'e' => *kind = cursor.scalar()?,
            b'E' => self.at_ms = integer(cursor.scalar()?)?,
            b's' => self.symbol = cursor.scalar()?,
            b'c' => self.last = cursor.scalar()?,
            b'b' => self.bid.0 = cursor.scalar()?,
            b'B' => self.bid.1 = cursor.scalar()?,
            b'a' => self.ask.0 = cursor.scalar()?,
            b'A' => self.ask.1 = cursor.scalar()?,
            b'h' => self.high = cursor.scalar()?,
            b'l' => self.low = cursor.scalar()?,
            b'v' => self.volume = cursor.scalar()?,
            b'n' => self.trades = integer(cursor.scalar()?)?,
            _ => return cursor.pass(),
        }
        Some(())
    }
}

/// What Binance's events have in common, by their one-letter names.
#[derive(Default)]
struct Event<'a> {
    kind: &'a str,
    at: &'a str,
    symbol: &'a str,
    trade: &'a str,
    aggregate: &'a str,
    from: &'a str,
    to: &'a str,
}

impl<'a> Event<'a> {
    #[inline]
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &[u8]) -> Option<()> {
        let [letter] = *name else { return cursor.pass() };
        let slot = match letter {
            b'e' => &mut self.kind,
            b'E' => &mut self.at,
            b's' => &mut self.symbol,
            b't' => &mut self.trade,
            b'a' => &mut self.aggregate,
            b'U' => &mut self.from,
            b'u' => &mut self.to,
            _ => return cursor.pass(),
        };
        *slot = cursor.scalar()?;
        Some(())
    }
}

fn binance(cursor: &mut Cursor<'_>) -> Option<Reading> {
    let mut event = Event::default();
    cursor.object(|cursor, name| {
        if name == b"data" && cursor.is_object() {
            cursor.object(|cursor, name| event.member(cursor, name))
        } else {
            event.member(cursor, name)
        }
    })?;
    let (first, last) = match event.kind {
        "trade" => (integer(event.trade), integer(event.trade)),
        "aggTrade" => (integer(event.aggregate), integer(event.aggregate)),
        "depthUpdate" => (integer(event.from), integer(event.to)),
        _ => (None, None),
    };
    let stream = || hash(event.symbol) ^ hash(event.kind).rotate_left(32);
    let numbers = first.zip(last).map(|(first, last)| Numbers { stream: stream(), first, last });
    Some(Reading { at_us: integer(event.at).and_then(micros), numbers })
}

fn coinbase(cursor: &mut Cursor<'_>) -> Option<Reading> {
    let (mut kind, mut product, mut trade, mut time, mut sequence) = ("", "", "", "", "");
    cursor.object(|cursor, name| {
        let value = cursor.scalar()?;
        match name {
            b"type" => kind = value,
            b"product_id" => product = value,
            b"trade_id" => trade = value,
            b"time" | b"timestamp" => time = value,
            b"sequence_num" => sequence = value,
            _ => {}
        }
        Some(())
    })?;
    // `sequence` grows by more than one on the public channels: only trades and the messages of
    // Advanced Trade are numbered without holes. The last trade before the subscription begins it.
    let one = |stream, at| integer(at).map(|n| Numbers { stream, first: n, last: n });
    let numbers = match kind {
        "match" => one(hash(product), trade),
        _ => one(1, sequence),
    };
    Some(Reading { at_us: moment(time), numbers })
}

/// What was found under the paths.
#[derive(Default)]
struct Found<'a> {
    time: &'a str,
    sequence: &'a str,
    stream: &'a str,
}

impl Found<'_> {
    fn reading(&self) -> Reading {
        let stream = hash(self.stream);
        let numbers = integer(self.sequence).map(|n| Numbers { stream, first: n, last: n });
        Reading { at_us: moment(self.time), numbers }
    }
}

/// Follows paths into objects; `prefix` is the path so far, with its dot.
fn walk<'a>(
    cursor: &mut Cursor<'a>,
    prefix: &str,
    (paths, found): (&FieldPaths, &mut Found<'a>),
) -> Option<()> {
    cursor.object(|cursor, name| {
        let name = std::str::from_utf8(name).ok()?;
        let rest = |path: &Option<String>| -> Option<String> {
            Some(path.as_deref()?.strip_prefix(prefix)?.strip_prefix(name)?.to_owned())
        };
        let rests = [rest(&paths.time), rest(&paths.sequence), rest(&paths.stream)];
        let goes_on = |rest: &Option<String>| rest.as_deref().is_some_and(|r| r.starts_with('.'));
        if cursor.is_object() && rests.iter().any(goes_on) {
            return walk(cursor, &format!("{prefix}{name}."), (paths, &mut *found));
        }
        let value = cursor.scalar()?;
        let ends = |rest: &Option<String>| rest.as_deref() == Some("");
        for (rest, slot) in
            rests.iter().zip([&mut found.time, &mut found.sequence, &mut found.stream])
        {
            if ends(rest) {
                *slot = value;
            }
        }
        Some(())
    })
}

/// A time of a message, in µs.
fn moment(text: &str) -> Option<i64> {
    match integer(text) {
        Some(number) => micros(number),
        None => {
            let at: Timestamp = text.parse().ok()?;
            // Coinbase writes the year 1 where it knows no time.
            (at > Timestamp::EPOCH).then_some(at.nanos() / 1_000)
        }
    }
}

/// Unix time of whatever unit as µs: the unit is the one that puts it between 1973 and 2286.
const fn micros(number: i64) -> Option<i64> {
    match number {
        100_000_000..=9_999_999_999 => Some(number * 1_000_000),
        100_000_000_000..=9_999_999_999_999 => Some(number * 1_000),
        100_000_000_000_000..=9_999_999_999_999_999 => Some(number),
        100_000_000_000_000_000.. => Some(number / 1_000),
        _ => None,
    }
}

/// A whole number that fits.
#[inline]
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // One more digit may be too much: that is left to those who count carefully.
    if digits.is_empty() || digits.len() > 18 {
        return text.parse().ok();
    }
    let mut number = 0_i64;
    for byte in digits.bytes() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    Some(if digits.len() == text.len() { number } else { -number })
}

/// FNV-1a: names are few and short.
#[inline]
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(dialect: &Dialect, text: &str) -> Option<(i64, i64)> {
        dialect.read(text).unwrap().numbers.map(|n| (n.first, n.last))
    }

    #[test]
    fn binance_is_read_raw_and_combined() {
        let trade = r#"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782130,"m":true,"M":true}"#;
        let raw = Dialect::Binance.read(trade).unwrap();
        assert_eq!(raw.at_us, Some(1_672_515_782_136_000));
        assert_eq!(numbers(&Dialect::Binance, trade), Some((12_345, 12_345)));
        let combined = format!(r#"{{"stream":"bnbbtc@trade","data":{trade}}}"#);
        assert_eq!(Dialect::Binance.read(&combined), Some(raw));
        let depth = r#"{"e":"depthUpdate","E":1,"s":"B","U":157,"u":160,"b":[["0.0024","10"]],"a":[["0.0026","100"]]}"#;
        assert_eq!(numbers(&Dialect::Binance, depth), Some((157, 160)));
        // An ask price is no number of an aggregate, and the best bid and ask have no time.
        let ticker = r#"{"e":"24hrTicker","E":1672515782136,"s":"BNBBTC","a":"0.0026","u":1}"#;
        assert_eq!(numbers(&Dialect::Binance, ticker), None);
        let book =
            r#"{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.2","a":"25.3","A":"4"}"#;
        assert_eq!(Dialect::Binance.read(book), Some(Reading::default()));
        assert_eq!(Dialect::Binance.read(r#"{"result":null,"id":1}"#), Some(Reading::default()));
        assert_eq!(Dialect::Binance.read(r#"[{"e":"24hrMiniTicker"}]"#), Some(Reading::default()));
        assert_eq!(Dialect::Binance.read(&trade[..trade.len() - 1]), None);
    }

    #[test]
    fn coinbase_counts_trades_of_a_product_and_messages_of_a_connection() {
        let trade = r#"{"type":"match","trade_id":10,"sequence":50,"time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}"#;
        assert_eq!(numbers(&Dialect::Coinbase, trade), Some((10, 10)));
        let at = Dialect::Coinbase.read(trade).unwrap().at_us.unwrap();
        assert_eq!(at, 1_415_348_367_028_459);
        let before = trade.replace("\"match\"", "\"last_match\"");
        assert_eq!(numbers(&Dialect::Coinbase, &before), None);
        let advanced = r#"{"channel":"ticker","client_id":"","timestamp":"2023-02-09T20:30:37.167359596Z","sequence_num":7,"events":[{"type":"x","tickers":[]}]}"#;
        assert_eq!(numbers(&Dialect::Coinbase, advanced), Some((7, 7)));
        let no_time = r#"{"type":"ticker","time":"0001-01-01T00:00:00.000000Z"}"#;
        assert_eq!(Dialect::Coinbase.read(no_time).unwrap().at_us, None);
    }

    #[test]
    fn fields_are_found_by_their_path_in_any_unit() {
        let some = |text: &str| Some(text.to_owned());
        let paths =
            FieldPaths { time: some("data.ts"), sequence: some("data.seq"), stream: some("topic") };
        let dialect = Dialect::Fields(paths);
        for (time, us) in [
            ("1672515782", 1_672_515_782_000_000),
            ("\"1672515782136\"", 1_672_515_782_136_000),
            ("1672515782136123", 1_672_515_782_136_123),
            ("1672515782136123456", 1_672_515_782_136_123),
            ("\"2022-12-31T19:43:02.136Z\"", 1_672_515_782_136_000),
        ] {
            let text =
                format!(r#"{{"topic":"a","dataset":{{"seq":1}},"data":{{"seq":8,"ts":{time}}}}}"#);
            let reading = dialect.read(&text).unwrap();

            assert_eq!(reading.at_us, Some(us), "{time}");
            assert_eq!(numbers(&dialect, &text), Some((8, 8)));
        }
    }

    #[test]
    fn a_ticker_is_borrowed_from_its_message() {
        let text = r#"{"stream":"bnbbtc@ticker","data":{"e":"24hrTicker","E":1672515782136,"s":"BNBBTC","p":"0.0015","P":"250.00","w":"0.0018","x":"0.0009","c":"0.0025","Q":"10","b":"0.0024","B":"10","a":"0.0026","A":"100","o":"0.0010","h":"0.0025","l":"0.0010","v":"10000","q":"18","O":0,"C":86400000,"F":0,"L":18150,"n":18151}}"#;
        let ticker = Ticker::read(text).unwrap();
        assert_eq!(
            (ticker.symbol, ticker.last, ticker.at_ms),
            ("BNBBTC", "0.0025", 1_672_515_782_136)
        );
        assert_eq!((ticker.bid, ticker.ask), (("0.0024", "10"), ("0.0026", "100")));
        assert_eq!(
            (ticker.high, ticker.low, ticker.volume, ticker.trades),
            ("0.0025", "0.0010", "10000", 18_151)
        );
        assert_eq!(Ticker::read(&text.replace("24hrTicker", "trade")), None);
        assert_eq!(Ticker::read("{}"), None);
    }
}

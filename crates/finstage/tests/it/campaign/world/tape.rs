//! What is traded at the exchange, and what of it reached the client: the truth and the tally.

use std::fmt::Write as _;

use finstage_lab::rng::mix;
use finstage_model::{Bar, Trade};

/// Symbols, and the ids of their first trades.
pub(crate) const TRADED: [(&str, u64); 3] =
    [("BTCUSDT", 4_000_000_000), ("ETHUSDT", 1), ("SOLUSDT", 77)];

pub(crate) const MINUTE_MS: i64 = 60_000;

/// A minute of one symbol, prices in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Minute {
    pub(crate) open_ms: i64,
    /// Open, high, low, close.
    pub(crate) cents: [u64; 4],
    pub(crate) trades: u64,
}

impl Minute {
    const fn of(open_ms: i64, cents: u64) -> Self {
        Self { open_ms, cents: [cents; 4], trades: 0 }
    }

    fn take(&mut self, cents: u64) {
        let [open, high, low, _] = self.cents;
        let open = if self.trades == 0 { cents } else { open };
        let is_first = self.trades == 0;
        let high = if is_first { cents } else { high.max(cents) };
        let low = if is_first { cents } else { low.min(cents) };
        self.cents = [open, high, low, cents];
        self.trades += 1;
    }

    /// Whether a bar tells just this.
    pub(crate) fn is(&self, bar: &Bar) -> bool {
        let told = [bar.open, bar.high, bar.low, bar.close].map(finstage_model::Price::nanos);
        told == self.cents.map(|cents| cents as i64 * 10_000_000)
            && bar.open_time.millis() == self.open_ms
            && u64::from(bar.trades) == self.trades
    }
}

/// Everything that one symbol's trades were.
#[derive(Debug)]
pub(crate) struct Tape {
    seed: u64,
    pub(crate) symbol: &'static str,
    /// How every trade begins.
    head: String,
    pub(crate) first: u64,
    /// When each was made; its place is its id.
    at_ms: Vec<i64>,
    /// Minutes that are over.
    pub(crate) minutes: Vec<Minute>,
    growing: Minute,
}

impl Tape {
    pub(crate) fn new(place: usize, seed: u64, now_ms: i64) -> Self {
        let (symbol, first) = TRADED[place];
        let seed = mix(seed, place as u64, 0);
        let cents = cents(seed, first);
        let growing = Minute::of(now_ms, cents);
        let stream = symbol.to_lowercase();
        let head = format!(r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":"#);
        Self { seed, symbol, head, first, at_ms: Vec::new(), minutes: Vec::new(), growing }
    }

    /// The id of the next trade.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.at_ms.len() as u64
    }

    pub(crate) fn print(&mut self, now_ms: i64) -> u64 {
        let id = self.next();
        self.at_ms.push(now_ms);
        self.growing.take(cents(self.seed, id));
        id
    }

    /// Closes the minute if it is over; its place among the minutes.
    pub(crate) fn close(&mut self, now_ms: i64) -> Option<usize> {
        let ends = self.growing.open_ms + MINUTE_MS;
        (now_ms >= ends).then(|| {
            self.minutes.push(self.growing);
            self.growing = Minute::of(ends, self.growing.cents[3]);
            self.minutes.len() - 1
        })
    }

    pub(crate) fn at_ms(&self, id: u64) -> Option<i64> {
        self.at_ms.get(usize::try_from(id.checked_sub(self.first)?).ok()?).copied()
    }

    /// Whether a trade is the one that was printed under its id.
    pub(crate) fn is(&self, trade: &Trade) -> bool {
        let id = trade.id.0 as u64;
        self.at_ms(id) == Some(trade.ts_event.millis())
            && trade.price.nanos() == cents(self.seed, id) as i64 * 10_000_000
    }

    /// A trade as the stream tells it. Written by hand: a day has a million and a half.
    pub(crate) fn trade_frame(&self, id: u64) -> String {
        let (at, cents) = (self.at_ms(id).unwrap_or(0) as u64, cents(self.seed, id));
        let mut out = String::with_capacity(224);
        out.push_str(&self.head);
        number(&mut out, at);
        out.push_str(r#","s":""#);
        out.push_str(self.symbol);
        out.push_str(r#"","t":"#);
        number(&mut out, id);
        out.push_str(r#","p":""#);
        number(&mut out, cents / 100);
        out.push_str(if cents % 100 < 10 { ".0" } else { "." });
        number(&mut out, cents % 100);
        out.push_str(r#"000000","q":"0.00100000","T":"#);
        number(&mut out, at);
        out.push_str(r#","m":true,"M":true}}"#);
        out
    }

    /// A minute as the stream tells it.
    pub(crate) fn minute_frame(&self, place: usize, now_ms: i64) -> String {
        let Minute { open_ms, cents, trades } = self.minutes[place];
        let [o, h, l, c] = cents.map(decimal);
        let (symbol, end) = (self.symbol, open_ms + MINUTE_MS - 1);
        let (stream, volume) = (symbol.to_lowercase(), decimal(trades));
        format!(
            r#"{{"stream":"{stream}@kline_1m","data":{{"e":"kline","E":{now_ms},"s":"{symbol}","k":{{"t":{open_ms},"T":{end},"s":"{symbol}","i":"1m","f":1,"L":1,"o":"{o}","c":"{c}","h":"{h}","l":"{l}","v":"{volume}","n":{trades},"x":true,"q":"1","V":"1","Q":"1","B":"0"}}}}}}"#
        )
    }

    /// Trades from an id on that the archive shows, as `historicalTrades` tells them.
    pub(crate) fn trade_rows(&self, from: u64, until_ms: i64) -> String {
        let mut out = String::from("[");
        let ids = from.max(self.first)..self.next();
        for id in ids.take(1_000).take_while(|id| self.at_ms(*id).is_some_and(|at| at <= until_ms))
        {
            let at = self.at_ms(id).unwrap_or(0);
            let price = decimal(cents(self.seed, id));
            let comma = if out.len() > 1 { "," } else { "" };
            let done = write!(
                out,
                r#"{comma}{{"id":{id},"price":"{price}","qty":"0.00100000","quoteQty":"1","time":{at},"isBuyerMaker":true,"isBestMatch":true}}"#
            );
            done.expect("writing to a string cannot fail");
        }
        out + "]"
    }

    /// Minutes that open in a stretch, as `klines` tells them.
    pub(crate) fn minute_rows(&self, (from_ms, to_ms): (i64, i64), limit: usize) -> String {
        let is_asked = |minute: &&Minute| (from_ms..=to_ms).contains(&minute.open_ms);
        let row = |minute: &Minute| {
            let [o, h, l, c] = minute.cents.map(decimal);
            let (open, end) = (minute.open_ms, minute.open_ms + MINUTE_MS - 1);
            let (volume, trades) = (decimal(minute.trades), minute.trades);
            format!(r#"[{open},"{o}","{h}","{l}","{c}","{volume}",{end},"1",{trades},"1","1","0"]"#)
        };
        let first = self.minutes.partition_point(|minute| minute.open_ms < from_ms);
        let minutes = self.minutes[first..].iter().take_while(is_asked).take(limit);
        let rows: Vec<String> = minutes.map(row).collect();
        format!("[{}]", rows.join(","))
    }
}

fn number(out: &mut String, mut number: u64) {
    let (mut digits, mut from) = ([b'0'; 20], 20);
    loop {
        from -= 1;
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[from..]).expect("digits"));
}

/// The price of a trade, which follows from seed and id alone.
fn cents(seed: u64, id: u64) -> u64 {
    100_000 + mix(seed, id, 1) % 5_000
}

fn decimal(cents: u64) -> String {
    format!("{}.{:02}000000", cents / 100, cents % 100)
}

/// Numbered things that each must come once.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    bits: Vec<u64>,
    pub(crate) came: u64,
    pub(crate) doubled: u64,
    /// That are not what the venue had printed.
    pub(crate) wrong: u64,
    first: Option<u64>,
}

impl Tally {
    pub(crate) fn take(&mut self, place: u64, is_right: bool) {
        let (word, bit) = ((place / 64) as usize, 1 << (place % 64));
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.doubled += u64::from(self.bits[word] & bit != 0);
        self.bits[word] |= bit;
        self.came += 1;
        self.wrong += u64::from(!is_right);
        self.first = Some(self.first.map_or(place, |first| first.min(place)));
    }

    /// How many before `end` did not come, counted from the first that did.
    pub(crate) fn lost(&self, end: u64) -> u64 {
        let Some(first) = self.first else { return end };
        let came: u64 = self.bits.iter().map(|word| u64::from(word.count_ones())).sum();
        (end - first).saturating_sub(came)
    }
}

//! Answers about the market as it is.

use std::collections::BTreeMap;

use finstage_model::{Interval, Price, Qty, Timestamp};
use serde_json::{Map, Value, json};

use super::pairs::{Asset, Pair, find};
use crate::sim::front::Ask;
use crate::sim::market::{BarQuery, KEPT_BARS, Kline, Level, Market, SimTrade};

/// The most rows of a chart.
pub const MAX_ROWS: usize = 720;
/// The most trades of an answer.
pub const MAX_TRADES: usize = 1_000;
/// The most levels of a book's side.
pub const MAX_DEPTH: usize = 500;
/// Levels of a book's side where nothing is said.
const DEPTH: usize = 100;
/// The most spreads that are told.
const MAX_SPREADS: usize = 200;
/// Decimals of prices, but for those of charts.
const LONG_DECIMALS: u32 = 5;

const UNKNOWN_PAIR: &str = "EQuery:Unknown asset pair";
const INVALID: &str = "EGeneral:Invalid arguments";

type Answer = Result<Value, &'static str>;

/// A market at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) market: &'a Market,
    pub(super) pairs: &'a [Pair],
    pub(super) now: Timestamp,
}

/// A number given in billionths, cut to so many decimals, at most nine.
fn fixed(nanos: u128, decimals: u32) -> String {
    let cut = nanos / 10_u128.pow(9 - decimals);
    let (one, width) = (10_u128.pow(decimals), decimals as usize);
    if decimals == 0 { cut.to_string() } else { format!("{}.{:0>width$}", cut / one, cut % one) }
}

fn price(price: Price, decimals: u32) -> String {
    fixed(u128::from(price.nanos().unsigned_abs()), decimals)
}

fn quantity(qty: Qty) -> String {
    fixed(qty.nanos(), 8)
}

/// The mean price of a bar by volume, in billionths; 0 where nothing was traded.
fn mean(kline: &Kline) -> u128 {
    kline.quote.checked_div(kline.bar.volume.nanos()).unwrap_or_default()
}

pub(super) fn time(now: Timestamp) -> Value {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, date) = now.day().civil();
    let weekday = DAYS[now.day().days_from_monday() as usize % 7];
    let month = MONTHS[(month as usize + 11) % 12];
    let secs = now.secs().rem_euclid(86_400);
    let clock = format!("{:02}:{:02}:{:02}", secs / 3_600, secs / 60 % 60, secs % 60);
    let year = year % 100;
    let text = format!("{weekday}, {date:02} {month} {year:02} {clock} +0000");
    json!({"unixtime": now.secs(), "rfc1123": text})
}

pub(super) fn status(status: &str, now: Timestamp) -> Value {
    let whole = Timestamp::from_secs(now.secs()).to_string();
    json!({"status": status, "timestamp": whole})
}

/// The moment of a trade, of which the market knows the millisecond: the rest tells its id apart from others.
fn moment(trade: &SimTrade) -> i64 {
    trade.at.nanos() + (trade.id % 1_000_000) as i64
}

impl View<'_> {
    /// The pair that is asked for.
    fn pair(&self, ask: &Ask) -> Result<&Pair, &'static str> {
        match ask.param("pair") {
            "" => Err(INVALID),
            name => find(self.pairs, name).ok_or(UNKNOWN_PAIR),
        }
    }

    /// The pairs that are asked for, separated by commas; all of them where none is named.
    fn several(&self, ask: &Ask) -> Result<Vec<&Pair>, &'static str> {
        match ask.param("pair") {
            "" => Ok(self.pairs.iter().collect()),
            names => {
                let found = names.split(',').map(|name| find(self.pairs, name));
                found.collect::<Option<_>>().ok_or(UNKNOWN_PAIR)
            }
        }
    }

    pub(super) fn assets(&self, ask: &Ask) -> Answer {
        let all = self.pairs.iter().flat_map(|pair| [&pair.base, &pair.quote]);
        let all: BTreeMap<&str, &Asset> = all.map(|asset| (&*asset.name, asset)).collect();
        let wanted: Vec<&Asset> = match ask.param("asset") {
            "" => all.into_values().collect(),
            names => {
                let named = |name: &str| {
                    all.values().copied().find(|own| own.name == name || own.altname == name)
                };
                let found: Option<Vec<&Asset>> = names.split(',').map(named).collect();
                found.ok_or("EQuery:Unknown asset")?
            }
        };
        let told = |asset: &Asset| {
            let (decimals, shown) = if asset.is_currency { (4, 2) } else { (10, 5) };
            let about = json!({
                "aclass": "currency", "altname": asset.altname, "decimals": decimals,
                "display_decimals": shown, "collateral_value": 1.0, "status": "enabled",
            });
            (asset.name.clone(), about)
        };
        Ok(Value::Object(wanted.into_iter().map(told).collect()))
    }

    pub(super) fn asset_pairs(&self, ask: &Ask) -> Answer {
        let keys: Option<&[&str]> = match ask.param("info") {
            "" | "info" => None,
            "leverage" => Some(&["leverage_buy", "leverage_sell"]),
            "fees" => Some(&["fees", "fees_maker", "fee_volume_currency"]),
            "margin" => Some(&["margin_call", "margin_stop"]),
            _ => return Err(INVALID),
        };
        let told = |pair: &Pair| {
            let about = json!({
                "altname": pair.altname, "wsname": pair.wsname, "aclass_base": "currency",
                "base": pair.base.name, "aclass_quote": "currency", "quote": pair.quote.name,
                "lot": "unit", "cost_decimals": 5, "pair_decimals": pair.decimals,
                "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [2, 3],
                "leverage_sell": [2, 3], "fees": [[0, 0.4], [10_000, 0.35]],
                "fees_maker": [[0, 0.25], [10_000, 0.2]], "fee_volume_currency": "ZUSD",
                "margin_call": 80, "margin_stop": 40, "ordermin": "0.0001", "costmin": "0.5",
                "tick_size": price(pair.tick, pair.decimals), "status": "online",
            });
            let about = match (keys, about) {
                (Some(keys), Value::Object(about)) => {
                    about.into_iter().filter(|(key, _)| keys.contains(&key.as_str())).collect()
                }
                (_, about) => about,
            };
            (pair.name.clone(), about)
        };
        Ok(Value::Object(self.several(ask)?.into_iter().map(told).collect()))
    }

    pub(super) fn tickers(&self, ask: &Ask) -> Answer {
        let wanted = self.several(ask)?.into_iter();
        let told = wanted.filter_map(|pair| Some((pair.name.clone(), self.ticker(pair)?)));
        Ok(Value::Object(told.collect()))
    }

    /// `None` where nothing was traded yet.
    fn ticker(&self, pair: &Pair) -> Option<Value> {
        let day = self.market.day_stats(pair.symbol)?;
        let since_midnight = BarQuery::newest(pair.symbol, Interval::D1, 1);
        let today = self.market.klines(&since_midnight).pop().unwrap_or(day.kline);
        let (bids, asks) = self.market.depth(pair.symbol, 1);
        let side = |levels: &[Level]| {
            let (at, qty) = levels.first()?;
            let lots = qty.nanos() / 1_000_000_000;
            Some([price(*at, LONG_DECIMALS), lots.to_string(), fixed(qty.nanos(), 3)])
        };
        let spans = [&today, &day.kline];
        let prices = |of: fn(&Kline) -> Price| spans.map(|span| price(of(span), LONG_DECIMALS));
        let size = day.last.map_or(Qty::ZERO, |trade| trade.qty);
        Some(json!({
            "a": side(&asks)?, "b": side(&bids)?,
            "c": [price(day.kline.bar.close, LONG_DECIMALS), quantity(size)],
            "v": spans.map(|span| quantity(span.bar.volume)),
            "p": spans.map(|span| fixed(mean(span), LONG_DECIMALS)),
            "t": spans.map(|span| span.bar.trades),
            "l": prices(|span| span.bar.low), "h": prices(|span| span.bar.high),
            "o": price(today.bar.open, LONG_DECIMALS),
        }))
    }

    pub(super) fn chart(&self, ask: &Ask) -> Answer {
        let (pair, since) = (self.pair(ask)?, whole(ask, "since")?);
        let minutes = match ask.param("interval") {
            "" => 1,
            text => text.parse().map_err(|_| INVALID)?,
        };
        let rows = self.spans(pair, minutes).ok_or(INVALID)?;
        let rows = &rows[rows.len().saturating_sub(MAX_ROWS)..];
        // The last one is still open: whoever asks from here on sees it again, when it is over.
        let ended = rows.len().checked_sub(2).map(|place| rows[place].0);
        let row = |(open, kline): &(i64, Kline)| {
            let bar = &kline.bar;
            let [o, h, l, c] =
                [bar.open, bar.high, bar.low, bar.close].map(|own| price(own, pair.decimals));
            let mean = fixed(mean(kline), pair.decimals);
            json!([open, o, h, l, c, mean, quantity(bar.volume), bar.trades])
        };
        let wanted = |row: &&(i64, Kline)| since.is_none_or(|since| row.0 > since);
        let told: Value = rows.iter().filter(wanted).map(row).collect();
        Ok(json!({pair.name.as_str(): told, "last": ended.or(since).unwrap_or_default()}))
    }

    /// Rows of a chart with their open times; `None` for a length that the venue does not have.
    fn spans(&self, pair: &Pair, minutes: u32) -> Option<Vec<(i64, Kline)>> {
        let interval = match minutes {
            1 => Interval::M1,
            5 => Interval::M5,
            15 => Interval::M15,
            30 => Interval::M30,
            60 => Interval::H1,
            240 => Interval::H4,
            1_440 | 10_080 | 21_600 => Interval::D1,
            _ => return None,
        };
        let length = i64::from(minutes) * 60;
        let of = BarQuery::newest(pair.symbol, interval, KEPT_BARS + 1);
        let mut rows: Vec<(i64, Kline)> = Vec::new();
        for kline in self.market.klines(&of) {
            let open = kline.bar.open_time.secs().div_euclid(length) * length;
            match rows.last_mut() {
                Some((own, sum)) if *own == open => sum.absorb(&kline),
                _ => rows.push((open, kline)),
            }
        }
        Some(rows)
    }

    pub(super) fn trades(&self, ask: &Ask) -> Answer {
        let (pair, since) = (self.pair(ask)?, whole(ask, "since")?);
        let count = count(ask, (MAX_TRADES, MAX_TRADES))?;
        let kept = self.market.recent_trades(pair.symbol);
        let mut rows: Vec<&SimTrade> =
            kept.filter(|trade| since.is_none_or(|since| moment(trade) > since)).collect();
        match since {
            Some(_) => rows.truncate(count),
            None => drop(rows.drain(..rows.len().saturating_sub(count))),
        }
        let last = rows.last().map(|trade| moment(trade));
        let last = last.or(since).unwrap_or(self.now.nanos()).to_string();
        let row = |trade: &&SimTrade| {
            let (side, kind) = (
                if trade.buyer_is_maker { "s" } else { "b" },
                if trade.id.is_multiple_of(3) { "l" } else { "m" },
            );
            let at = moment(trade) as f64 / 1e9;
            let at_price = price(trade.price, LONG_DECIMALS);
            json!([at_price, quantity(trade.qty), at, side, kind, "", trade.id])
        };
        let told: Value = rows.iter().map(row).collect();
        Ok(json!({pair.name.as_str(): told, "last": last}))
    }

    pub(super) fn depth(&self, ask: &Ask) -> Answer {
        let pair = self.pair(ask)?;
        let count = count(ask, (DEPTH, MAX_DEPTH))?;
        let (bids, asks) = self.market.depth(pair.symbol, count);
        let row = |(at, qty): &Level| {
            json!([price(*at, LONG_DECIMALS), fixed(qty.nanos(), 3), self.now.secs()])
        };
        let side = |levels: &[Level]| -> Value { levels.iter().map(row).collect() };
        Ok(json!({pair.name.as_str(): {"asks": side(&asks), "bids": side(&bids)}}))
    }

    /// The best prices after each of the newest trades: one step around it, as the book is.
    pub(super) fn spreads(&self, ask: &Ask) -> Answer {
        let (pair, since) = (self.pair(ask)?, whole(ask, "since")?);
        let newest: Vec<&SimTrade> =
            self.market.recent_trades(pair.symbol).rev().take(MAX_SPREADS).collect();
        let wanted = newest.into_iter().rev();
        let wanted = wanted.filter(|trade| since.is_none_or(|since| trade.at.secs() >= since));
        let mut last = since.unwrap_or(self.now.secs());
        let row = |trade: &SimTrade| {
            last = trade.at.secs();
            let step = pair.tick.nanos();
            let [bid, ask] =
                [-step, step].map(|step| Price::from_nanos(trade.price.nanos() + step));
            json!([last, price(bid, LONG_DECIMALS), price(ask, LONG_DECIMALS)])
        };
        let told: Value = wanted.map(row).collect();
        let mut result = Map::new();
        result.insert(pair.name.clone(), told);
        result.insert("last".to_owned(), json!(last));
        Ok(Value::Object(result))
    }
}

/// A parameter that is a whole number, if it is given.
fn whole(ask: &Ask, name: &str) -> Result<Option<i64>, &'static str> {
    match ask.param(name) {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| INVALID),
    }
}

/// How many are wanted, from 1 on.
fn count(ask: &Ask, (default, most): (usize, usize)) -> Result<usize, &'static str> {
    match whole(ask, "count")? {
        None => Ok(default),
        Some(count) => {
            let count = usize::try_from(count).ok().filter(|count| (1..=most).contains(count));
            count.ok_or(INVALID)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_and_padded_to_their_decimals() {
        assert_eq!(fixed(61_250_120_000_000, 2), "61250.12");
        assert_eq!(fixed(61_250_129_000_000, 2), "61250.12");
        assert_eq!(fixed(1_000_000_000, 1), "1.0");
        assert_eq!(fixed(1_999_999_999, 0), "1");
        assert_eq!(fixed(50_000_000, 5), "0.05000");
        assert_eq!(fixed(1, 9), "0.000000001");
        assert_eq!(fixed(345_076_740, 8), "0.34507674");
    }

    #[test]
    fn time_is_told_twice() {
        let now: Timestamp = "2023-07-06T18:50:48.7Z".parse().unwrap();
        assert_eq!(
            time(now),
            json!({"unixtime": 1_688_669_448, "rfc1123": "Thu, 06 Jul 23 18:50:48 +0000"})
        );
        assert_eq!(status("online", now)["timestamp"], "2023-07-06T18:50:48Z");
    }
}

//! The chart of a symbol as the venue tells it: rows, metadata, dividends and splits.

use finstage_model::Day;
use serde_json::{Map, Value, json};

use crate::sim::charts::{Hours, Piece, Series};

const DAY_S: i64 = 86_400;

/// What is told of a chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    /// As written, for the metadata.
    pub(super) interval: &'a str,
    pub(super) range: &'a str,
    /// First second, and the first one after.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) events: bool,
}

/// What is wrong with the answer on purpose.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flaws {
    /// Neither stamps nor rows.
    pub(super) no_data: bool,
    /// Rows of an hour, whatever was asked for.
    pub(super) coarse: bool,
    /// One row in so many is null.
    pub(super) nulls: Option<u64>,
    /// The two rows before the last are told otherwise.
    pub(super) revised: bool,
}

/// A refusal: status, code and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) u16, pub(super) &'static str, pub(super) String);

/// The lengths of bars: name, seconds, days back that are told.
const INTERVALS: [(&str, i64, Option<i64>); 13] = [
    ("1m", 60, Some(30)),
    ("2m", 120, Some(60)),
    ("5m", 300, Some(60)),
    ("15m", 900, Some(60)),
    ("30m", 1_800, Some(60)),
    ("60m", 3_600, Some(730)),
    ("1h", 3_600, Some(730)),
    ("90m", 5_400, Some(60)),
    ("1d", DAY_S, None),
    ("5d", 5 * DAY_S, None),
    ("1wk", 7 * DAY_S, None),
    ("1mo", 30 * DAY_S, None),
    ("3mo", 91 * DAY_S, None),
];

pub(super) const RANGES: [(&str, i64); 11] = [
    ("1d", 1),
    ("5d", 5),
    ("1mo", 31),
    ("3mo", 92),
    ("6mo", 183),
    ("1y", 366),
    ("2y", 731),
    ("5y", 1_827),
    ("10y", 3_653),
    ("ytd", 0),
    ("max", 40_000),
];

/// A row of the answer.
#[derive(Debug, Clone, Copy)]
struct Row {
    piece: Piece,
    adjusted: f64,
    is_null: bool,
}

/// The answer to a wish at a moment.
pub(super) fn answer(
    series: &Series,
    wish: &Wish<'_>,
    now: i64,
    flaws: Flaws,
) -> Result<Value, Refusal> {
    let known = INTERVALS.iter().find(|(name, ..)| *name == wish.interval);
    let &(name, length, reach) = known.ok_or_else(|| {
        let words = format!("Invalid input - interval={} is not supported.", wish.interval);
        Refusal(422, "Unprocessable Entity", words)
    })?;
    if let Some(days) = reach.filter(|days| wish.from < now - days * DAY_S - 60) {
        let (from, to) = (wish.from, wish.to);
        let words = format!(
            "{name} data not available for startTime={from} and endTime={to}. The requested range must be within the last {days} days."
        );
        return Err(Refusal(422, "Unprocessable Entity", words));
    }
    if name == "1m" && wish.to - wish.from > 8 * DAY_S + 60 {
        let words = "1m data not available: Only 8 days worth of 1m granularity data are allowed to be fetched per request.";
        return Err(Refusal(422, "Unprocessable Entity", words.to_owned()));
    }
    let is_coarse = flaws.coarse && length < 3_600;
    let (granularity, length) = if is_coarse { ("1h", 3_600) } else { (name, length) };
    let mut rows = if length < DAY_S {
        within_days(series, wish, now, length)
    } else {
        of_days(series, wish, now, granularity)
    };
    if flaws.no_data {
        rows.clear();
    }
    spoil(&mut rows, series, (flaws, length));
    if rows.is_empty() && wish.range.is_empty() && !flaws.no_data && wish.to < now - 7 * DAY_S {
        let (from, to) = (wish.from, wish.to);
        let words = format!("Data doesn't exist for startDate = {from}, endDate = {to}");
        return Err(Refusal(400, "Bad Request", words));
    }
    let mut result = Map::new();
    result.insert("meta".into(), meta(series, wish, now, granularity));
    let mut quote = Map::new();
    if !rows.is_empty() {
        let stamps: Vec<i64> = rows.iter().map(|row| row.piece.at).collect();
        result.insert("timestamp".into(), json!(stamps));
        for (place, name) in ["open", "high", "low", "close"].into_iter().enumerate() {
            quote.insert(name.into(), column(&rows, |row| noisy(row.piece.prices[place])));
        }
        quote.insert("volume".into(), column(&rows, |row| json!(row.piece.volume as i64)));
    }
    let mut indicators = json!({"quote": [quote]});
    if !rows.is_empty() && length >= DAY_S {
        let adjusted = column(&rows, |row| noisy(row.adjusted));
        indicators["adjclose"] = json!([{"adjclose": adjusted}]);
    }
    let events = events(series, wish);
    if wish.events && !events.is_empty() {
        result.insert("events".into(), Value::Object(events));
    }
    result.insert("indicators".into(), indicators);
    Ok(json!({"chart": {"result": [result], "error": null}}))
}

fn column(rows: &[Row], cell: impl Fn(&Row) -> Value) -> Value {
    rows.iter().map(|row| if row.is_null { Value::Null } else { cell(row) }).collect()
}

/// Prices come as doubles that were floats.
fn noisy(price: f64) -> Value {
    json!(f64::from(price as f32))
}

/// Bars of less than a day. The last one grows, and behind it stands the price of the moment.
fn within_days(series: &Series, wish: &Wish<'_>, now: i64, length: i64) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (place, session) in series.sessions.iter().enumerate() {
        if session.close <= wish.from || session.open >= wish.to || session.open > now {
            continue;
        }
        let mut slot: Option<Piece> = None;
        let mut last = None;
        for minute in series.minutes(place).into_iter().filter(|minute| minute.at + 60 <= now) {
            last = Some(minute);
            let at = session.open + (minute.at - session.open) / length * length;
            match &mut slot {
                Some(piece) if piece.at == at => piece.absorb(&minute),
                _ => {
                    rows.extend(slot.replace(Piece { at, ..minute }).map(row));
                }
            }
        }
        rows.extend(slot.map(row));
        if let Some(last) = last.filter(|_| now < session.close) {
            let price = last.prices[3];
            let moment = Piece { at: now, prices: [price; 4], volume: 0.0 };
            let is_new = rows.last().is_none_or(|row| row.piece.at < now);
            rows.extend(is_new.then(|| row(moment)));
        }
    }
    rows.retain(|row| (wish.from..wish.to).contains(&row.piece.at));
    rows
}

fn row(piece: Piece) -> Row {
    Row { piece, adjusted: piece.prices[3], is_null: false }
}

/// Days and longer, stamped at the open of a session or at midnight of the first day. While the
/// market is open, today is stamped with the moment and grows.
fn of_days(series: &Series, wish: &Wish<'_>, now: i64, granularity: &str) -> Vec<Row> {
    let hours = series.listing.hours;
    let mut rows: Vec<(Day, Row)> = Vec::new();
    let mut paid = 1.0;
    // From the newest, because what is paid later counts for all days before.
    for (place, session) in series.sessions.iter().enumerate().rev() {
        if session.open >= now {
            continue;
        }
        let mut piece = session.whole;
        if now < session.close {
            let minutes = series.minutes(place);
            let over: Vec<&Piece> = minutes.iter().filter(|m| m.at + 60 <= now).collect();
            let Some((first, rest)) = over.split_first() else { continue };
            piece = **first;
            rest.iter().for_each(|minute| piece.absorb(minute));
            piece.at = now;
        }
        let adjusted = piece.prices[3] * paid;
        let first = first_day(session.day, granularity);
        rows.push((first, Row { piece, adjusted, is_null: false }));
        let before = place.checked_sub(1).map(|place| series.sessions[place].whole.prices[3]);
        if let Some(before) = before.filter(|before| *before > 0.0) {
            paid *= 1.0 - session.dividend / before;
        }
    }
    rows.reverse();
    let mut told: Vec<(Day, Row)> = Vec::new();
    for (first, row) in rows {
        match told.last_mut() {
            Some((known, sum)) if *known == first && granularity != "1d" => {
                sum.piece.absorb(&row.piece);
                sum.adjusted = row.adjusted;
            }
            _ if granularity == "1d" => told.push((first, row)),
            _ => {
                let piece = Piece { at: hours.midnight(first), ..row.piece };
                told.push((first, Row { piece, ..row }));
            }
        }
    }
    let rows = told.into_iter().map(|(_, row)| row);
    rows.filter(|row| (wish.from..wish.to).contains(&row.piece.at)).collect()
}

/// The day that the bar of a longer interval is named after.
fn first_day(day: Day, granularity: &str) -> Day {
    let (year, month, _) = day.civil();
    let back = match granularity {
        "1wk" => day.days_from_monday(),
        "5d" => day.days().rem_euclid(7),
        "1mo" | "3mo" => {
            let month = if granularity == "3mo" { (month - 1) / 3 * 3 + 1 } else { month };
            return Day::from_civil(year, month, 1).unwrap_or(day);
        }
        _ => 0,
    };
    Day::from_days(day.days() - back)
}

fn spoil(rows: &mut [Row], series: &Series, (flaws, length): (Flaws, i64)) {
    // Days have their bars, unless a scenario wants it otherwise.
    let usual = (length < DAY_S).then_some(Series::USUALLY_QUIET);
    let one_in = flaws.nulls.or(usual);
    let count = rows.len();
    for (place, row) in rows.iter_mut().enumerate() {
        row.is_null =
            place + 1 < count && one_in.is_some_and(|one_in| series.is_quiet(row.piece.at, one_in));
        if flaws.revised && (place + 2 == count || place + 3 == count) {
            row.piece.prices[3] = row.piece.prices[2];
        }
    }
}

fn events(series: &Series, wish: &Wish<'_>) -> Map<String, Value> {
    let (mut dividends, mut splits) = (Map::new(), Map::new());
    let told =
        series.sessions.iter().filter(|session| (wish.from..wish.to).contains(&session.open));
    for session in told {
        let (key, date) = (session.open.to_string(), session.open);
        if session.dividend > 0.0 {
            dividends.insert(key.clone(), json!({"amount": session.dividend, "date": date}));
        }
        if session.split > 1.0 {
            let ratio = format!("{}:1", session.split);
            let split = json!({"date": date, "numerator": session.split, "denominator": 1.0, "splitRatio": ratio});
            splits.insert(key, split);
        }
    }
    let kinds = [("dividends", dividends), ("splits", splits)];
    let told = kinds.into_iter().filter(|(_, events)| !events.is_empty());
    told.map(|(name, events)| (name.to_owned(), Value::Object(events))).collect()
}

/// The price of a moment and when it was made.
pub(super) fn last_price(series: &Series, now: i64) -> Option<(f64, i64)> {
    let place =
        series.sessions.partition_point(|session| session.open + 60 <= now).checked_sub(1)?;
    let session = &series.sessions[place];
    if now >= session.close {
        return Some((session.whole.prices[3], session.close));
    }
    let minutes = series.minutes(place);
    let last = minutes.iter().rfind(|minute| minute.at + 60 <= now)?;
    Some((last.prices[3], now))
}

fn meta(series: &Series, wish: &Wish<'_>, now: i64, granularity: &str) -> Value {
    let listing = &series.listing;
    let hours = listing.hours;
    let today = hours.day_of(now);
    let (price, at) = last_price(series, now).unwrap_or((0.0, now));
    let year = series.sessions.iter().rev().take(252);
    let (mut high, mut low) = (0.0_f64, f64::MAX);
    year.for_each(|session| {
        high = high.max(session.whole.prices[1]);
        low = low.min(session.whole.prices[2]);
    });
    let before = series.sessions.iter().rev().find(|session| session.close <= now);
    let before = before.map_or(price, |session| session.whole.prices[3]);
    let mut meta = json!({
        "currency": listing.currency, "symbol": listing.symbol,
        "exchangeName": listing.exchange.0, "fullExchangeName": listing.exchange.1,
        "instrumentType": listing.kind,
        "firstTradeDate": series.sessions.first().map(|session| session.open),
        "regularMarketTime": at, "hasPrePostMarketData": hours == Hours::NewYork,
        "gmtoffset": hours.offset(today), "timezone": hours.short(today),
        "exchangeTimezoneName": hours.zone(), "regularMarketPrice": noisy(price),
        "fiftyTwoWeekHigh": noisy(high), "fiftyTwoWeekLow": noisy(low),
        "longName": listing.name, "shortName": listing.name,
        "chartPreviousClose": noisy(before), "priceHint": 2,
        "currentTradingPeriod": periods(hours, today),
        "dataGranularity": granularity, "range": wish.range,
        "validRanges": RANGES.map(|(name, _)| name),
    });
    if !matches!(granularity, "1d" | "5d" | "1wk" | "1mo" | "3mo") {
        meta["previousClose"] = noisy(before);
        meta["scale"] = json!(3);
        meta["tradingPeriods"] = json!([[periods(hours, today)["regular"]]]);
    }
    meta
}

/// The periods of the last session on or before a day.
fn periods(hours: Hours, today: Day) -> Value {
    let days = std::iter::successors(Some(today), |day| Some(day.previous()));
    let found = days.take(15).find_map(|day| Some((day, hours.session(day)?)));
    let (day, (open, close)) = found.unwrap_or((today, (0, 0)));
    let period = |start: i64, end: i64| json!({"timezone": hours.short(day), "start": start, "end": end, "gmtoffset": hours.offset(day)});
    let around = if hours == Hours::NewYork { (5 * 3_600 + 1_800, 4 * 3_600) } else { (0, 0) };
    json!({
        "pre": period(open - around.0, open),
        "regular": period(open, close),
        "post": period(close, close + around.1),
    })
}

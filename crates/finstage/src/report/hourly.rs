//! The status of an hour: where each price stands between its own averages and bands, and the score of §"market
//! sentiment" of the source document, from stored bars only.
//!
//! A number that the bars do not give is missing here, and its part of the score with it. The bands are facts
//! about past prices; nothing here says what to do.

use std::time::Duration;

use finstage_feeds::registry::{closed_at, session_day};
use finstage_model::{Bar, Interval, Price, Symbol, Timestamp};
use finstage_quant::{BarInput, Spec, Stream};
use finstage_store::Error;
use finstage_store::history::History;
use finstage_store::records::{Notice, NoticeKind, NoticeStyle, NoticeText};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::market::watched;
use super::numbers::on_the_wall;
use super::{Language, MAX_ROWS, day_of};
use crate::wiring::describe;

/// Closed bars that the numbers are computed of.
const BARS: usize = 400;
/// Fewer bars than these say nothing.
const FEW_BARS: usize = 30;
/// Instruments that a message tells of.
const MAX_TOLD: usize = 12;
const HOUR_SECS: i64 = 3_600;
/// The most that one part can add to the score, either way.
const PART: i32 = 2;

/// What a status is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The moment.
    pub now: Timestamp,
    /// The zone of its times.
    pub zone: &'a TimeZone,
    /// The instruments that are watched; of none, all that have bars.
    pub watched: &'a [Symbol],
    /// What the store is about: [`super::provenance`].
    pub provenance: &'static str,
}

/// The moment of a price that is older is told.
const FRESH: Duration = Duration::from_secs(3_600);

/// The status of an hour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HourlyReport {
    /// The moment.
    pub at: Timestamp,
    /// The IANA zone of its times.
    pub zone: String,
    /// `live`, or `simulated` in the folder of a demo.
    pub provenance: &'static str,
    /// How many instruments there are.
    pub instruments_total: usize,
    /// Where they stand, at most [`MAX_ROWS`].
    pub instruments: Vec<Status>,
    #[serde(skip)]
    local: String,
}

/// Where an instrument stands. Shares are fractions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Which.
    pub symbol: Symbol,
    /// The newest close of any length of bar.
    pub price: Option<Price>,
    /// What the price is in, where known.
    pub currency: Option<String>,
    /// When it closed.
    pub price_at: Option<Timestamp>,
    /// Length of the bars that the numbers are from: a day where there are enough, else the longest below.
    pub interval: Option<Interval>,
    /// How many of them there were.
    pub bars: usize,
    /// From the last close before the price's day to the price: of the session before where the market has sessions.
    pub change: Option<f64>,
    /// From averages to the price: `SMA20`, `SMA50`, `SMA200`, `EMA12`, `EMA26`.
    pub distances: Vec<(&'static str, f64)>,
    /// Relative strength over 14 bars, 0 to 100.
    pub rsi: Option<f64>,
    /// Line less signal of 12, 26, 9, and the line.
    pub macd: Option<(f64, f64)>,
    /// Slow %K, 0 to 100.
    pub stochastic: Option<f64>,
    /// Place between the bands of 20 bars: 0 at the lower, 1 at the upper.
    pub band: Option<f64>,
    /// Volume of the last bar over the mean of 20.
    pub volume_ratio: Option<f64>,
    /// Balance of volume, and what it was five bars before.
    pub obv: Option<(f64, f64)>,
    /// The score of all parts that there are.
    pub score: Score,
}

/// The sum of what each part says, from very bearish to very bullish.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Score {
    /// The sum.
    pub sum: i32,
    /// How many parts there are, each from −2 to +2.
    pub parts: i32,
    /// Where the sum lies between its least and its greatest, 0 to 1; `None` without parts.
    pub ratio: Option<f64>,
    /// The band of the sum: `very_bullish` … `very_bearish`; `unknown` without parts.
    pub word: &'static str,
}

/// Reads where the instruments stand.
///
/// # Errors
/// When the history cannot be read.
pub fn gather(history: &History, asked: &Asked<'_>) -> Result<HourlyReport, Error> {
    let day = super::Asked {
        day: day_of(asked.now, asked.zone),
        zone: asked.zone,
        now: asked.now,
        watched: asked.watched,
        due: None,
    };
    let moments = (day.moments().after, asked.now);
    let symbols = watched(history, asked.watched)?;
    let series = history.series()?;
    let mut instruments = Vec::new();
    for symbol in symbols.iter().take(MAX_ROWS) {
        let mut intervals: Vec<Interval> =
            series.iter().filter(|one| one.symbol == *symbol).map(|one| one.interval).collect();
        intervals.sort_unstable();
        instruments.push(status(history, symbol, &intervals, moments)?);
    }
    let local = on_the_wall(asked.now, asked.zone, "%Y-%m-%d %H:%M");
    Ok(HourlyReport {
        at: asked.now,
        zone: asked.zone.iana_name().unwrap_or("local time").to_owned(),
        provenance: asked.provenance,
        instruments_total: symbols.len(),
        instruments,
        local,
    })
}

fn status(
    history: &History,
    symbol: &Symbol,
    intervals: &[Interval],
    (day_begins, now): (Timestamp, Timestamp),
) -> Result<Status, Error> {
    let mut newest: Option<Bar> = None;
    let mut judged: Vec<Bar> = Vec::new();
    for &interval in intervals.iter().filter(|interval| **interval <= Interval::D1) {
        let bars = history.last_bars(symbol, interval, now, BARS)?;
        if let Some(last) = bars.last()
            && newest.as_ref().is_none_or(|known| closed(symbol, known) < closed(symbol, last))
        {
            newest = Some(*last);
        }
        // The longest that has enough wins: they come shortest first.
        if bars.len() >= FEW_BARS || judged.len() < FEW_BARS {
            judged = bars;
        }
    }
    Ok(judge(symbol, newest.as_ref(), (&judged, day_begins)))
}

fn closed(symbol: &Symbol, bar: &Bar) -> Timestamp {
    closed_at(symbol, bar.interval, bar.open_time)
}

/// The last of `bars` before the day of `newest`: of the session before where the market has sessions.
fn before<'a>(
    symbol: &Symbol,
    newest: &Bar,
    (bars, day_begins): (&'a [Bar], Timestamp),
) -> Option<&'a Bar> {
    let day = |bar: &Bar| session_day(symbol, bar.interval, bar.open_time);
    // A close of a day that has ended is compared with the day before its own.
    let begins = match newest.close_time() <= day_begins {
        true => newest.open_time.day().start(),
        false => day_begins,
    };
    bars.iter().rev().find(|bar| match (day(bar), day(newest)) {
        (Some(day), Some(last)) => day < last,
        (Some(_), None) => bar.close_time() < newest.close_time(),
        _ => bar.close_time() <= begins,
    })
}

/// The numbers of `bars`, seen from the close of `newest`.
fn judge(symbol: &Symbol, newest: Option<&Bar>, (bars, day_begins): (&[Bar], Timestamp)) -> Status {
    let price = newest.map(|bar| bar.close);
    let at = price.map(Price::to_f64);
    let before = newest.and_then(|newest| before(symbol, newest, (bars, day_begins)));
    let before_day = before.map(|bar| bar.close.to_f64());
    let from = |base: f64| at.map(|at| at / base - 1.0).filter(|part| part.is_finite());
    let is_enough = bars.len() >= FEW_BARS;
    let value = |name: &str, given: &[f64], output: usize| {
        if is_enough { last_value(name, given, (output, bars)) } else { None }
    };
    let averages = [
        ("SMA20", "SMA", 20.0),
        ("SMA50", "SMA", 50.0),
        ("SMA200", "SMA", 200.0),
        ("EMA12", "EMA", 12.0),
        ("EMA26", "EMA", 26.0),
    ];
    let distance = |(label, name, period): (&'static str, &str, f64)| {
        Some((label, from(value(name, &[period], 0)?)?))
    };
    let distances: Vec<(&'static str, f64)> = averages.into_iter().filter_map(distance).collect();
    let macd = value("MACD", &[], 2).zip(value("MACD", &[], 0));
    let bands = value("BBANDS", &[20.0], 0).zip(value("BBANDS", &[20.0], 2));
    let band = bands.zip(at).map(|((upper, lower), at)| (at - lower) / (upper - lower));
    let earlier = &bars[..bars.len().saturating_sub(5)];
    let obv = value("OBV", &[], 0).zip(if is_enough {
        last_value("OBV", &[], (0, earlier))
    } else {
        None
    });
    let mut status = Status {
        symbol: symbol.clone(),
        price,
        currency: describe(symbol).currency,
        price_at: newest.map(|bar| closed(symbol, bar)),
        interval: bars.last().map(|bar| bar.interval),
        bars: bars.len(),
        change: before_day.and_then(from),
        distances,
        rsi: value("RSI", &[14.0], 0),
        macd,
        stochastic: value("STOCH", &[], 0),
        band: band.filter(|band| band.is_finite()),
        volume_ratio: value("VOLUME_RATIO", &[20.0], 0),
        obv,
        score: Score::default(),
    };
    status.score = status.scored();
    status
}

/// The last value of an output of an indicator over `bars`.
fn last_value(name: &str, given: &[f64], (output, bars): (usize, &[Bar])) -> Option<f64> {
    let spec = Spec::find(name)?;
    let given: Vec<(Option<&str>, f64)> = given.iter().map(|value| (None, *value)).collect();
    let params = spec.values(&given).ok()?;
    let mut stream: Box<dyn Stream> = (spec.build)(&params);
    let mut answer = vec![f64::NAN; spec.outputs.len()];
    for bar in bars {
        answer.fill(f64::NAN);
        stream.update(&BarInput::from(bar), &mut answer);
    }
    answer.get(output).copied().filter(|value| value.is_finite())
}

impl Status {
    fn distance(&self, label: &str) -> Option<f64> {
        self.distances.iter().find(|(known, _)| *known == label).map(|(_, part)| *part)
    }

    fn scored(&self) -> Score {
        let averages = match (self.distance("SMA20"), self.distance("SMA50")) {
            // From both to the price: whoever is further below the price lies lower.
            (Some(short), Some(long)) => Some(averages_part(short, long)),
            (Some(short), None) => Some(if short > 0.0 { 1 } else { -1 }),
            _ => None,
        };
        let parts = [
            self.rsi.map(rsi_part),
            self.macd.map(|(histogram, _)| if histogram > 0.0 { PART } else { -PART }),
            self.stochastic.map(stochastic_part),
            averages,
            self.volume_ratio.map(volume_part),
        ];
        let known: Vec<i32> = parts.into_iter().flatten().collect();
        let (sum, parts) = (known.iter().sum(), known.len() as i32);
        let span = f64::from(PART * parts);
        let ratio = (parts > 0).then(|| (f64::from(sum) + span) / (2.0 * span));
        let word = if parts > 0 { score_word(sum) } else { "unknown" };
        Score { sum, parts, ratio, word }
    }
}

fn rsi_part(rsi: f64) -> i32 {
    match rsi {
        70.0.. => -2,
        60.0.. => -1,
        ..=30.0 => 2,
        ..=40.0 => 1,
        _ => 0,
    }
}

fn stochastic_part(k: f64) -> i32 {
    match k {
        80.0.. => -2,
        70.0.. => -1,
        ..=20.0 => 2,
        ..=30.0 => 1,
        _ => 0,
    }
}

fn averages_part(short: f64, long: f64) -> i32 {
    match (short > 0.0, long > short) {
        // Price over the short average over the long one.
        (true, true) => 2,
        (true, false) => 1,
        (false, _) if long < short => -2,
        (false, _) => -1,
    }
}

fn volume_part(ratio: f64) -> i32 {
    match ratio {
        1.5.. => 1,
        ..=0.7 => -1,
        _ => 0,
    }
}

const fn score_word(sum: i32) -> &'static str {
    match sum {
        4.. => "very_bullish",
        2..4 => "bullish",
        1 => "slightly_bullish",
        0 => "neutral",
        -1 => "slightly_bearish",
        -3..-1 => "bearish",
        _ => "very_bearish",
    }
}

const fn rsi_word(rsi: f64) -> &'static str {
    match rsi {
        80.0.. => "very high",
        70.0.. => "high",
        60.0.. => "upper half",
        ..=20.0 => "very low",
        ..=30.0 => "low",
        ..=40.0 => "lower half",
        _ => "middle",
    }
}

const fn volume_word(ratio: f64) -> &'static str {
    match ratio {
        2.0.. => "very high",
        1.5.. => "high",
        1.2.. => "raised",
        ..0.8 => "low",
        _ => "usual",
    }
}

const fn macd_word(histogram: f64, line: f64) -> &'static str {
    match (histogram > 0.0, line > 0.0) {
        (true, true) => "above its signal, above zero",
        (true, false) => "above its signal, below zero",
        (false, true) => "below its signal, above zero",
        (false, false) => "below its signal, below zero",
    }
}

/// The same in Korean.
fn korean(word: &'static str) -> &'static str {
    match word {
        "very high" => "매우 높음",
        "high" => "높음",
        "raised" => "다소 높음",
        "upper half" => "중간보다 높음",
        "middle" => "중간",
        "usual" => "보통",
        "lower half" => "중간보다 낮음",
        "low" => "낮음",
        "very low" => "매우 낮음",
        "above its signal, above zero" => "시그널 위, 0 위",
        "above its signal, below zero" => "시그널 위, 0 아래",
        "below its signal, above zero" => "시그널 아래, 0 위",
        "below its signal, below zero" => "시그널 아래, 0 아래",
        "very_bullish" => "매우 강세",
        "bullish" => "강세",
        "slightly_bullish" => "약한 강세",
        "neutral" => "중립",
        "slightly_bearish" => "약한 약세",
        "bearish" => "약세",
        "very_bearish" => "매우 약세",
        other => other,
    }
}

/// The status as the lines of a message.
#[must_use]
pub fn lines(report: &HourlyReport, language: Language) -> Vec<Vec<NoticeText>> {
    let line = |style, text: String| vec![NoticeText::new(style, text)];
    let title = language.pick("Status", "현황");
    let title = format!("{title} {} ({})", report.local, report.zone);
    let mut lines = vec![line(NoticeStyle::Bold, title)];
    if report.provenance == "simulated" {
        lines.push(line(NoticeStyle::Italic, language.words().simulated.to_owned()));
    }
    for one in report.instruments.iter().take(MAX_TOLD) {
        lines.push(Vec::new());
        lines.extend(one.told(language, report.at));
    }
    let rest = report.instruments_total.saturating_sub(MAX_TOLD);
    if rest > 0 {
        let text = match language {
            Language::En => format!("and {rest} more: finstage report hourly"),
            Language::Ko => format!("외 {rest}개: finstage report hourly"),
        };
        lines.push(line(NoticeStyle::Plain, text));
    }
    let words = language.words();
    lines.push(Vec::new());
    lines.push(line(NoticeStyle::Italic, words.not_advice.to_owned()));
    lines
}

/// The status as text.
#[must_use]
pub fn text(report: &HourlyReport, language: Language) -> String {
    let joined = |line: &Vec<NoticeText>| line.iter().map(|t| t.text.as_str()).collect::<String>();
    let lines: Vec<String> = lines(report, language).iter().map(joined).collect();
    lines.join("\n")
}

/// The status as a notice of the hour that holds `report.at`.
#[must_use]
pub fn notice(report: &HourlyReport, language: Language) -> Notice {
    let kind = NoticeKind::Hourly;
    let (hour, into) =
        (report.at.secs().div_euclid(HOUR_SECS), report.at.secs().rem_euclid(HOUR_SECS));
    Notice {
        id: kind.id(&hour.to_string()),
        kind,
        said_at: report.at,
        // With the next hour the next one is due.
        max_age: Duration::from_secs((HOUR_SECS - into).unsigned_abs()),
        lines: lines(report, language),
    }
}

impl Status {
    fn told(&self, language: Language, at: Timestamp) -> Vec<Vec<NoticeText>> {
        let line = |style, text: String| vec![NoticeText::new(style, text)];
        let word = |word: &'static str| language.pick(word, korean(word)).replace('_', " ");
        let part = |part: f64| format!("{:+.2} %", 100.0 * part);
        let no_data = language.words().no_data;
        let currency = self.currency.as_ref().map_or_else(String::new, |word| format!(" {word}"));
        let price =
            self.price.map_or_else(|| no_data.to_owned(), |price| format!("{price}{currency}"));
        let change = self.change.map(|change| format!(" ({})", part(change))).unwrap_or_default();
        let old = self.price_at.filter(|closed| at.since(*closed) > FRESH);
        let old = old.map(|closed| match language {
            Language::En => format!(", as of {closed}"),
            Language::Ko => format!(", {closed} 기준"),
        });
        let old = old.unwrap_or_default();
        let mut lines =
            vec![line(NoticeStyle::Bold, format!("{} {price}{change}{old}", self.symbol))];
        let Score { sum, parts, .. } = self.score;
        if parts == 0 {
            lines.push(line(NoticeStyle::Plain, no_data.to_owned()));
            return lines;
        }
        let most = PART * parts;
        let score = language.pick("Score", "점수");
        let interval = self.interval.map(|interval| interval.to_string()).unwrap_or_default();
        let bars = language.pick("bars", "봉");
        lines.push(line(
            NoticeStyle::Plain,
            format!("{score} {sum:+} (±{most}): {} · {interval} {bars}", word(self.score.word)),
        ));
        let mut facts = Vec::new();
        facts.extend(self.rsi.map(|rsi| format!("RSI {rsi:.1} {}", word(rsi_word(rsi)))));
        facts.extend(self.macd.map(|(over, at)| format!("MACD {}", word(macd_word(over, at)))));
        facts.extend(
            self.band.map(|band| {
                format!("{} {:.0} %", language.pick("Bollinger", "볼린저"), 100.0 * band)
            }),
        );
        facts.extend(self.volume_ratio.map(|ratio| {
            let volume = language.pick("volume", "거래량");
            format!("{volume} ×{ratio:.1} {}", word(volume_word(ratio)))
        }));
        lines.push(line(NoticeStyle::Plain, facts.join(" · ")));
        let averages: Vec<String> =
            self.distances.iter().map(|(name, away)| format!("{name} {}", part(*away))).collect();
        lines.push(line(NoticeStyle::Plain, averages.join(" · ")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_band_of_the_score_is_where_the_document_has_it() {
        let parts =
            |part: fn(f64) -> i32, at: &[f64]| at.iter().map(|v| part(*v)).collect::<Vec<_>>();
        let rsi = [70.0, 69.9, 60.0, 59.9, 40.1, 40.0, 30.1, 30.0];
        assert_eq!(parts(rsi_part, &rsi), [-2, -1, -1, 0, 0, 1, 1, 2]);
        let stochastic = [80.0, 79.9, 70.0, 69.9, 30.1, 30.0, 20.1, 20.0];
        assert_eq!(parts(stochastic_part, &stochastic), [-2, -1, -1, 0, 0, 1, 1, 2]);
        assert_eq!(parts(volume_part, &[1.5, 1.49, 0.71, 0.7]), [1, 0, 0, -1]);
        // Price 3 % over SMA20 and 5 % over SMA50: all three are in order.
        assert_eq!(averages_part(0.03, 0.05), 2);
        assert_eq!(averages_part(0.03, 0.01), 1);
        assert_eq!(averages_part(-0.03, -0.05), -2);
        assert_eq!(averages_part(-0.03, -0.01), -1);
        let words: Vec<&str> = (-5..=5).map(score_word).collect();
        assert_eq!(
            words,
            [
                "very_bearish",
                "very_bearish",
                "bearish",
                "bearish",
                "slightly_bearish",
                "neutral",
                "slightly_bullish",
                "bullish",
                "bullish",
                "very_bullish",
                "very_bullish",
            ]
        );
        let labels: Vec<&str> = [80.0, 70.0, 60.0, 50.0, 40.0, 30.0, 20.0].map(rsi_word).into();
        assert_eq!(
            labels,
            ["very high", "high", "upper half", "middle", "lower half", "low", "very low"]
        );
        let volumes: Vec<&str> = [2.0, 1.5, 1.2, 1.0, 0.8, 0.79].map(volume_word).into();
        assert_eq!(volumes, ["very high", "high", "raised", "usual", "usual", "low"]);
    }

    /// Hours whose closes rise by one from 101.
    fn rising(count: i64) -> Vec<Bar> {
        let bar = |place: i64| {
            let price = |add: i64| Price::from_nanos((100 + place + add) * 1_000_000_000);
            Bar {
                instrument: finstage_model::InstrumentId(0),
                interval: Interval::H1,
                open_time: Timestamp::from_secs(3_600 * place),
                open: price(0),
                high: price(2),
                low: price(-1),
                close: price(1),
                volume: finstage_model::Qty::ZERO,
                trades: 1,
            }
        };
        (0..count).map(bar).collect()
    }

    #[test]
    fn the_numbers_are_those_that_one_computes_by_hand() {
        let symbol: Symbol = "x:A".parse().unwrap();
        let bars = rising(60);
        let status = judge(&symbol, bars.last(), (&bars, Timestamp::from_secs(48 * 3_600)));
        // The last close is 160; the mean of the last 20 is 150.5, of the last 50 it is 135.5.
        let near = |found: Option<f64>, wanted: f64| {
            assert!((found.unwrap() - wanted).abs() < 1e-12, "{found:?} is not {wanted}");
        };
        near(status.distance("SMA20"), 160.0 / 150.5 - 1.0);
        near(status.distance("SMA50"), 160.0 / 135.5 - 1.0);
        assert_eq!(status.distance("SMA200"), None, "60 bars do not give it");
        near(status.rsi, 100.0);
        // 20 numbers in a row deviate by sqrt((20² − 1) / 12) from their mean.
        let deviation = (399.0_f64 / 12.0).sqrt();
        near(status.band, (9.5 + 2.0 * deviation) / (4.0 * deviation));
        // The hour that closed when the second day ended is the 48th: 148.
        near(status.change, 160.0 / 148.0 - 1.0);
        assert_eq!(status.volume_ratio, None, "nothing was traded");
        // RSI −2, averages +2, and whatever the other two say.
        let macd = if status.macd.unwrap().0 > 0.0 { 2 } else { -2 };
        let sum = macd + stochastic_part(status.stochastic.unwrap());
        assert_eq!((status.score.sum, status.score.parts), (sum, 4));
        near(status.score.ratio, f64::from(sum + 8) / 16.0);
        let few = judge(&symbol, bars.last(), (&bars[..29], Timestamp::EPOCH));
        assert_eq!((few.rsi, few.change, few.score.word), (None, None, "unknown"));
    }

    #[test]
    fn the_last_close_of_a_closed_market_is_compared_with_the_session_before() {
        let day = |secs: u64, close: i64| Bar {
            interval: Interval::D1,
            open_time: "2026-11-25T00:00:00Z"
                .parse::<Timestamp>()
                .unwrap()
                .plus(Duration::from_secs(secs)),
            close: Price::from_nanos(close * 1_000_000),
            ..rising(1)[0]
        };
        let symbol: Symbol = "yahoo:AAPL".parse().unwrap();
        let bars = [day(0, 9_140), day(2 * 86_400, 9_240)];
        let sunday = "2026-11-29T05:00:00Z".parse().unwrap();
        let status = judge(&symbol, bars.last(), (&bars, sunday));
        assert!((status.change.unwrap() - (9.24 / 9.14 - 1.0)).abs() < 1e-12, "{status:?}");
        assert_eq!(status.price_at, Some("2026-11-27T18:00:00Z".parse().unwrap()), "a short day");
        // A minute of that Friday is of the same session.
        let open_time = "2026-11-27T17:59:00Z".parse().unwrap();
        let minute = Bar { interval: Interval::M1, open_time, ..bars[1] };
        let status = judge(&symbol, Some(&minute), (&bars, sunday));
        assert!((status.change.unwrap() - (9.24 / 9.14 - 1.0)).abs() < 1e-12, "{status:?}");
        let hours = [Bar { interval: Interval::H1, ..minute }];
        assert_eq!(judge(&symbol, Some(&minute), (&hours, sunday)).change, None, "of one session");
    }

    #[test]
    fn a_status_is_too_old_when_the_next_hour_begins_and_says_which_of_two_hours_it_is_of() {
        let dir = tempfile::tempdir().unwrap();
        let records = finstage_store::Records::open_in_memory().unwrap();
        let history = crate::wiring::history(dir.path(), &records);
        let zone = TimeZone::get("America/New_York").unwrap();
        let at = |text: &str| {
            let now = text.parse().unwrap();
            let asked = Asked { now, zone: &zone, watched: &[], provenance: "simulated" };
            gather(&history, &asked).unwrap()
        };
        let notice = notice(&at("2027-11-07T07:02:00Z"), Language::En);
        assert_eq!(notice.max_age, Duration::from_secs(58 * 60));
        let title = |text: &str| lines(&at(text), Language::En)[0][0].text.clone();
        assert_eq!(
            title("2027-11-07T05:02:00Z"),
            "Status 2027-11-07 01:02 -04:00 (America/New_York)"
        );
        assert_eq!(
            title("2027-11-07T06:02:00Z"),
            "Status 2027-11-07 01:02 -05:00 (America/New_York)"
        );
        assert_eq!(title("2027-11-07T07:02:00Z"), "Status 2027-11-07 02:02 (America/New_York)");
        let told = text(&at("2027-11-07T07:02:00Z"), Language::En);
        assert!(told.contains("Simulated: this folder was made by `finstage demo`"), "{told}");
    }

    #[test]
    fn without_bars_nothing_is_said_and_nothing_is_invented() {
        let symbol: Symbol = "x:A".parse().unwrap();
        let status = judge(&symbol, None, (&[], Timestamp::EPOCH));
        assert_eq!((status.rsi, status.band, status.score.ratio), (None, None, None));
        assert_eq!(status.score.word, "unknown");
        let report = HourlyReport {
            at: Timestamp::EPOCH,
            zone: "UTC".into(),
            provenance: "live",
            instruments_total: 1,
            instruments: vec![status],
            local: "1970-01-01 00:00".into(),
        };
        assert!(
            text(&report, Language::En).contains("x:A no data\nno data"),
            "{}",
            text(&report, Language::En)
        );
        assert!(text(&report, Language::Ko).contains("데이터 없음"));
    }

    #[test]
    fn an_old_price_says_of_when_it_is() {
        let symbol: Symbol = "binance:BTCUSDT".parse().unwrap();
        let bars = rising(1);
        let status = judge(&symbol, bars.last(), (&bars, Timestamp::EPOCH));
        let closed = status.price_at.unwrap();
        let mut report = HourlyReport {
            at: closed.plus(FRESH),
            zone: "UTC".into(),
            provenance: "live",
            instruments_total: 1,
            instruments: vec![status],
            local: String::new(),
        };
        assert!(!text(&report, Language::En).contains("as of"));
        report.at = report.at.plus(Duration::from_secs(1));
        assert!(
            text(&report, Language::En)
                .contains(&format!("binance:BTCUSDT 101 USDT, as of {closed}"))
        );
        assert!(text(&report, Language::Ko).contains("기준"));
    }
}

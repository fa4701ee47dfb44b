//! The words of an alert: one template for every channel.
//!
//! An alert must be readable on a locked phone by somebody who did not configure it: what and
//! which way first, then where and at what price, the rule in words, what proves it, how old the
//! data is, when, and under which id to look it up. Nothing is said that the alert does not
//! carry: figures come from data, never from here.
//!
//! Every word stands in one table, [`AlertWords`]; a sentence is a pattern with named places, so
//! another language is another table with another word order.

mod words;

use std::time::Duration;

use finstage_model::{
    Alert, AlertKind, Direction, Price, Proof, Reason, Ruling, Symbol, Timestamp,
};
use finstage_store::records::{Notice, NoticeKind, NoticeStyle, NoticeText};
use jiff::tz::TimeZone;

use crate::explain::MAX_NOTE_CHARS;
use crate::message::{Line, Message, Style, clean, harmless};

pub use words::{AlertWords, korean_reason};

/// The most characters of the rule in words that are shown; longer text is cut with `…`.
pub const MAX_WORDS_CHARS: usize = 8_000;

/// The most characters of a symbol, a rule or a currency that are shown.
pub const MAX_NAME_CHARS: usize = 200;

/// How alerts are worded for this installation.
#[derive(Debug, Clone)]
pub struct Template {
    /// The zone that times are shown in, beside UTC.
    pub zone: TimeZone,
    /// Address of the dashboard, where people can look an alert up. `None`: no link.
    pub dashboard: Option<String>,
    /// The language.
    pub words: &'static AlertWords,
    /// The rule of an alert in this language; where that gives nothing, the alert's own words stay, in English.
    pub rule: fn(&Alert) -> Option<String>,
    /// By how many seconds the quotes of a symbol are late at their source, where that is known.
    pub quote_delay_s: fn(&Symbol) -> Option<u32>,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            dashboard: None,
            words: &AlertWords::ENGLISH,
            rule: |_| None,
            quote_delay_s: |_| None,
        }
    }
}

impl Template {
    /// The message about `alert`, with `note` in plain words where there is one.
    #[must_use]
    pub fn message(&self, alert: &Alert, repeat: Repeat, note: Option<&str>) -> Message {
        let words = self.words;
        let mut lines = Vec::with_capacity(13);
        if repeat == Repeat::Possible {
            lines.push(Line::new(Style::Italic, words.repeat));
        }
        let mut facts = self.facts(alert).into_iter();
        lines.extend(facts.next().map(|title| Line::new(Style::Bold, title)));
        lines.extend(facts.map(|fact| Line::new(Style::Plain, fact)));
        if let Some(note) = note.map(|note| clean(note, MAX_NOTE_CHARS)) {
            let told = fill(words.note, &[("note", &note)]);
            lines.push(Line::new(Style::Italic, told));
        }
        lines.push(Line::new(Style::Plain, data_age(words, alert.data_age_ms)));
        if let Some(late) = (self.quote_delay_s)(&alert.symbol).filter(|late| *late > 0) {
            let late = duration(words, u64::from(late) * 1_000);
            lines.push(Line::new(Style::Plain, fill(words.delayed, &[("late", &late)])));
        }
        lines.push(Line::new(Style::Plain, moment(words, alert.at, &self.zone)));
        lines.push(Line::new(Style::Plain, words.id).then(Style::Code, alert.id.to_string()));
        lines.extend(self.link(alert).map(|link| Line::new(Style::Plain, link)));
        lines.push(Line::new(Style::Italic, words.not_advice));
        Message::new(lines)
    }

    /// What the alert says, its title first: which rule where, what it means and what proves it. Whoever
    /// explains the alert knows these lines and no more.
    #[must_use]
    pub fn facts(&self, alert: &Alert) -> Vec<String> {
        let words = self.words;
        let mut facts = vec![title(words, alert), place(words, alert)];
        let own = (self.rule)(alert);
        let rule = clean(own.as_deref().unwrap_or(&alert.words), MAX_WORDS_CHARS);
        if !rule.is_empty() {
            facts.push(rule);
        }
        facts.push(evidence(words, &alert.kind));
        // A bar of a session is told of before its length is over.
        let at = alert.at.min(alert.said_at);
        let age = |proof: &Proof| at.since(proof.issued);
        match &alert.kind {
            AlertKind::Signal { size: Some(size), .. } => {
                facts.extend(sizes(words, size, age(size)));
            }
            AlertKind::Signal { proof: Some(proof), .. } => {
                facts.extend(figures(words, proof, age(proof)));
            }
            _ => {}
        }
        facts
    }

    /// The page of the signal, or of the instrument whose price is watched.
    fn link(&self, alert: &Alert) -> Option<String> {
        let base = self.dashboard.as_deref()?.trim_end_matches('/');
        Some(match &alert.kind {
            AlertKind::Signal { signal, .. } => format!("{base}/#/signals/{signal}"),
            AlertKind::Watch { .. } => format!("{base}/#/markets/{}", escaped(&alert.symbol)),
        })
    }

    /// The message of `notice`, whose words are its own; its id stands at its end, but below an answer, which
    /// nobody looks up.
    #[must_use]
    pub fn notice(&self, notice: &Notice, repeat: Repeat) -> Message {
        let words = self.words;
        let mut lines = Vec::with_capacity(notice.lines.len() + 2);
        if repeat == Repeat::Possible {
            lines.push(Line::new(Style::Italic, words.repeat));
        }
        lines.extend(notice.lines.iter().map(|line| notice_line(line)));
        if notice.kind != NoticeKind::Answer || repeat == Repeat::Possible {
            lines.push(Line::new(Style::Plain, words.id).then(Style::Code, notice.id.to_string()));
        }
        Message::new(lines)
    }
}

/// Whether people may have received the alert before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Nobody has.
    No,
    /// An earlier attempt ended without an answer: perhaps it arrived, and the message says so.
    Possible,
}

/// A symbol as a part of an address; what the dashboard leaves readable stays so.
fn escaped(symbol: &Symbol) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":,=-._~".contains(&byte);
    symbol.as_str().bytes().fold(String::new(), |mut text, byte| {
        match is_plain(byte) {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

fn title(words: &AlertWords, alert: &Alert) -> String {
    let rule = clean(&alert.rule, MAX_NAME_CHARS);
    let pattern = match &alert.kind {
        AlertKind::Signal { size: Some(size), .. } => {
            return fill(words.large, &[("rule", &rule), ("times", &times(words, size))]);
        }
        AlertKind::Signal { direction: Direction::Long, .. } => words.bullish,
        AlertKind::Signal { direction: Direction::Short, .. } => words.bearish,
        AlertKind::Watch { .. } => words.watch,
    };
    fill(pattern, &[("rule", &rule)])
}

fn notice_line(texts: &[NoticeText]) -> Line {
    texts.iter().fold(Line::default(), |line, piece| {
        let style = match piece.style {
            NoticeStyle::Plain => Style::Plain,
            NoticeStyle::Bold => Style::Bold,
            NoticeStyle::Italic => Style::Italic,
            NoticeStyle::Code => Style::Code,
        };
        // Cleaning trims: the spaces around a piece are kept.
        let text: String = piece.text.chars().map(harmless).collect();
        line.then(style, text)
    })
}

fn place(words: &AlertWords, alert: &Alert) -> String {
    let symbol = clean(alert.symbol.as_str(), MAX_NAME_CHARS);
    let price = money(alert.price, alert.currency.as_deref());
    match alert.kind {
        AlertKind::Signal { interval, .. } => fill(
            words.place_of_signal,
            &[("symbol", &symbol), ("price", &price), ("interval", interval.as_str())],
        ),
        AlertKind::Watch { base } => {
            let base = money(base, alert.currency.as_deref());
            fill(words.place_of_watch, &[("symbol", &symbol), ("price", &price), ("base", &base)])
        }
    }
}

/// A price with its currency, where that is known.
pub(crate) fn money(price: Price, currency: Option<&str>) -> String {
    match currency.map(|text| clean(text, MAX_NAME_CHARS)).filter(|text| !text.is_empty()) {
        Some(currency) => format!("{price} {currency}"),
        None => price.to_string(),
    }
}

fn evidence(words: &AlertWords, kind: &AlertKind) -> String {
    let AlertKind::Signal { ruling, size, .. } = kind else {
        return words.fact.to_owned();
    };
    if let (Some(size), Some(reason)) = (size, ruling.reason()) {
        let card = size.card.to_string();
        return fill(words.size, &[("card", &card), ("reason", (words.reason)(reason))]);
    }
    let because = |pattern, reason: &Reason| fill(pattern, &[("reason", (words.reason)(*reason))]);
    match ruling {
        Ruling::Verified { card } => fill(words.verified, &[("card", &card.to_string())]),
        Ruling::Unproven { reason } => because(words.unproven, reason),
        Ruling::Rejected { reason } => because(words.rejected, reason),
        Ruling::Withheld { reason } => because(words.withheld, reason),
    }
}

/// The figures of the card, those that it has, and its age: with too few occasions that is said, and not what is unknown.
fn figures(words: &AlertWords, proof: &Proof, age: Duration) -> Vec<String> {
    let is_known = proof.hit_rate.is_some() && proof.base_rate.is_some();
    let occasions = [
        ("n_eff", proof.n_eff.to_string()),
        ("n", proof.n.to_string()),
        ("horizon", proof.horizon.to_string()),
        ("hit", share(words, proof.hit_rate)),
        ("low", share(words, proof.hit_low)),
        ("high", share(words, proof.hit_high)),
        ("base", share(words, proof.base_rate)),
    ];
    let first = if is_known { words.occasions } else { words.too_few };
    let second = match (proof.q_value, proof.mean_net) {
        (Some(_), _) => Some(words.edge),
        (None, Some(_)) => Some(words.edge_without_q),
        (None, None) => None,
    };
    let second = second.map(|pattern| fill_all(pattern, &edge(words, proof)));
    [Some(fill_all(first, &occasions)), second, Some(card_age(words, age))]
        .into_iter()
        .flatten()
        .collect()
}

/// The figures of a card about the size of moves, those that it has, and its age.
fn sizes(words: &AlertWords, proof: &Proof, age: Duration) -> Vec<String> {
    let mean = proof.mean_net.map(|mean| format!("{:.2} %", 100.0 * mean));
    let is_known = mean.is_some() && proof.times_usual.is_some();
    let occasions = [
        ("n_eff", proof.n_eff.to_string()),
        ("n", proof.n.to_string()),
        ("horizon", proof.horizon.to_string()),
        ("mean", mean.unwrap_or_else(|| words.unknown.to_owned())),
        ("times", times(words, proof)),
    ];
    let first = if is_known { words.occasions_of_size } else { words.too_few };
    let second = proof.q_value.map(|_| fill_all(words.edge_of_size, &edge(words, proof)));
    [Some(fill_all(first, &occasions)), second, Some(card_age(words, age))]
        .into_iter()
        .flatten()
        .collect()
}

fn edge(words: &AlertWords, proof: &Proof) -> [(&'static str, String); 6] {
    let chance = |q: f64| match q {
        ..0.000_5 => words.least.to_owned(),
        _ => format!("{q:.3}"),
    };
    [
        ("mean", change(words, proof.mean_net)),
        ("net", change(words, proof.theta_net)),
        ("low", change(words, proof.net_low)),
        ("high", change(words, proof.net_high)),
        ("q", proof.q_value.map_or_else(|| words.unknown.to_owned(), chance)),
        ("m", proof.family.to_string()),
    ]
}

fn times(words: &AlertWords, proof: &Proof) -> String {
    proof.times_usual.map_or_else(|| words.unknown.to_owned(), |times| format!("×{times:.1}"))
}

fn share(words: &AlertWords, value: Option<f64>) -> String {
    value.map_or_else(|| words.unknown.to_owned(), |v| format!("{:.1} %", 100.0 * v))
}

fn change(words: &AlertWords, value: Option<f64>) -> String {
    value.map_or_else(|| words.unknown.to_owned(), |v| format!("{:+.2} %", 100.0 * v))
}

fn card_age(words: &AlertWords, age: Duration) -> String {
    let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    fill(words.card, &[("age", &duration(words, age))])
}

fn fill_all(pattern: &str, values: &[(&str, String)]) -> String {
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    fill(pattern, &values)
}

/// The venue's stamp may be ahead of our clock; that is said and not rounded to zero.
fn data_age(words: &AlertWords, age_ms: i64) -> String {
    let pattern = if age_ms < 0 { words.data_ahead } else { words.data_age };
    fill(pattern, &[("age", &duration(words, age_ms.unsigned_abs()))])
}

/// The two largest units that matter, rounded down.
fn duration(words: &AlertWords, millis: u64) -> String {
    let (minutes, hours) = (millis / 60_000, millis / 3_600_000);
    let one = |pattern, n: &str| fill(pattern, &[("n", n)]);
    let two =
        |pattern, n: u64, m: u64| fill(pattern, &[("n", &n.to_string()), ("m", &m.to_string())]);
    match millis {
        0..1_000 => one(words.millis, &millis.to_string()),
        1_000..60_000 => {
            one(words.seconds, &format!("{}.{}", millis / 1_000, millis % 1_000 / 100))
        }
        60_000..3_600_000 => one(words.minutes, &minutes.to_string()),
        3_600_000..172_800_000 => two(words.hours, hours, minutes % 60),
        _ => two(words.days, hours / 24, hours % 24),
    }
}

fn moment(words: &AlertWords, at: Timestamp, zone: &TimeZone) -> String {
    let Ok(instant) = jiff::Timestamp::from_second(at.secs()) else {
        return at.to_string(); // cannot happen: jiff's range is the wider one
    };
    let show =
        |zone: &TimeZone| instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let utc = show(&TimeZone::UTC);
    match zone.iana_name() {
        Some("UTC" | "Etc/UTC") => fill(words.moment_utc, &[("utc", &utc)]),
        name => {
            let offset = zone.to_offset(instant).to_string();
            let name = name.unwrap_or(&offset);
            fill(words.moment, &[("local", &show(zone)), ("zone", name), ("utc", &utc)])
        }
    }
}

/// Puts values into the `{places}` of a pattern, in one pass: a value that looks like a place
/// stays text. A place without a value is left out.
#[must_use]
pub fn fill(pattern: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(pattern.len() + 32);
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(key, _)| *key == name);
        out.push_str(value.map_or("", |(_, text)| text));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;

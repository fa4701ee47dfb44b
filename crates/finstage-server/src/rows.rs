//! Rows of the store as lists and pushes have them: the words of the contract, prices with their exact
//! digits.

use finstage_model::{
    AlertId, AlertKind, Bar, Direction, Interval, Price, Qty, SignalId, Symbol, Timestamp,
};
use finstage_store::records::{AlertRow, AlertStatus, Evidence, Records, SignalRow};
use serde::{Serialize, Serializer};

use crate::{Desk, Error, Rules};

/// A signal in a list.
#[derive(Debug, Clone, Serialize)]
pub struct SignalItem {
    id: SignalId,
    pub(crate) symbol: Symbol,
    interval: Interval,
    pub(crate) strategy: String,
    pub(crate) direction: Direction,
    at: Timestamp,
    timestamp: Timestamp,
    price: Price,
    strength: Option<f64>,
    #[serde(serialize_with = "by_name")]
    facts: Vec<(String, f64)>,
    pub(crate) verdict: &'static str,
    reasons: Vec<&'static str>,
    card: Option<Evidence>,
    #[serde(flatten)]
    rules: Rules,
}

/// An alert in a list.
#[derive(Debug, Clone, Serialize)]
pub struct AlertItem {
    id: AlertId,
    symbol: Symbol,
    kind: &'static str,
    status: &'static str,
    reasons: Vec<String>,
    at: Timestamp,
    said_at: Timestamp,
    rule: String,
    words: String,
    words_ko: Option<String>,
    price: Price,
    currency: Option<String>,
    data_age_ms: i64,
    alert: AlertKind,
    card: Option<Evidence>,
}

impl SignalItem {
    /// The share of events that went as claimed, on which its verdict rests.
    pub(crate) fn hit_rate(&self) -> Option<f64> {
        let Evidence { proof, card } = self.card.as_ref()?;
        card.as_ref().map_or(proof.hit_rate, |card| card.hit_rate)
    }
}

impl AlertItem {
    /// Whether it is about the price alone.
    pub(crate) const fn is_watch(&self) -> bool {
        matches!(self.alert, AlertKind::Watch { .. })
    }

    /// The word of what became of it.
    pub(crate) const fn status(&self) -> &'static str {
        self.status
    }
}

/// A bar as lists have it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct BarItem {
    timestamp: Timestamp,
    open: Price,
    high: Price,
    low: Price,
    close: Price,
    volume: Qty,
}

impl From<&Bar> for BarItem {
    fn from(bar: &Bar) -> Self {
        let Bar { open_time, open, high, low, close, volume, .. } = *bar;
        Self { timestamp: open_time, open, high, low, close, volume }
    }
}

/// Signals with the cards that their rulings rest on.
///
/// # Errors
/// When the records cannot be read.
pub fn signal_items(
    records: &Records,
    desk: &dyn Desk,
    rows: Vec<SignalRow>,
) -> Result<Vec<SignalItem>, Error> {
    let mut evidence = records.evidence_of_signals(&rows)?;
    let item = |row: SignalRow| {
        let card = evidence.remove(&row.alert_id());
        let reason = row.ruling.and_then(|ruling| ruling.reason());
        SignalItem {
            id: row.id,
            symbol: row.symbol,
            interval: row.interval,
            rules: desk.rules(&row.strategy),
            strategy: row.strategy,
            direction: row.direction,
            at: row.at,
            timestamp: row.open_time,
            price: row.price,
            strength: row.strength.is_finite().then_some(row.strength),
            facts: row.facts,
            verdict: row.ruling.map_or("pending", |ruling| ruling.as_str()),
            reasons: reason.map(|reason| reason.as_str()).into_iter().collect(),
            card,
        }
    };
    Ok(rows.into_iter().map(item).collect())
}

/// Alerts with the cards that their rulings rest on.
///
/// # Errors
/// When the records cannot be read.
pub fn alert_items(
    records: &Records,
    desk: &dyn Desk,
    rows: Vec<AlertRow>,
) -> Result<Vec<AlertItem>, Error> {
    let mut evidence = records.evidence_of_alerts(rows.iter().map(|row| &row.alert))?;
    let item = |row: AlertRow| {
        let (reasons, kind) = (row.reasons(), row.kind());
        let AlertRow { alert, status, .. } = row;
        let words_ko = desk.alert_words_ko(&alert);
        AlertItem {
            id: alert.id,
            symbol: alert.symbol,
            kind,
            status: AlertStatus::as_str(status),
            reasons,
            at: alert.at,
            said_at: alert.said_at,
            rule: alert.rule,
            words_ko,
            words: alert.words,
            price: alert.price,
            currency: alert.currency,
            data_age_ms: alert.data_age_ms,
            card: evidence.remove(&alert.id),
            alert: alert.kind,
        }
    };
    Ok(rows.into_iter().map(item).collect())
}

/// Pairs as an object; what is no number is null.
fn by_name<S: Serializer>(facts: &[(String, f64)], to: S) -> Result<S::Ok, S::Error> {
    let finite = |value: &f64| value.is_finite().then_some(*value);
    to.collect_map(facts.iter().map(|(name, value)| (name, finite(value))))
}

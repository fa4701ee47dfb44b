//! Rows of the store as lists and pushes have them: the words of the contract, prices with their exact
//! digits.

use std::collections::{BTreeMap, BTreeSet};

use finstage_model::{
    Alert, AlertId, AlertKind, Bar, Card, CardId, Decision, Direction, Interval, Price, Proof, Qty,
    SignalId, Symbol, Timestamp,
};
use finstage_store::records::{AlertRow, AlertStatus, Records, SignalRow};
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
    price: Price,
    currency: Option<String>,
    data_age_ms: i64,
    alert: AlertKind,
    card: Option<Evidence>,
}

/// What a ruling rests on: the row of `verify` as long as it is in force, else the figures that went
/// with the alert.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Evidence {
    /// The whole row.
    Card(Box<Card>),
    /// Its figures.
    Proof(Box<Proof>),
}

impl SignalItem {
    /// The share of events that went as claimed, on which its verdict rests.
    pub(crate) fn hit_rate(&self) -> Option<f64> {
        match self.card.as_ref()? {
            Evidence::Card(card) => card.hit_rate,
            Evidence::Proof(proof) => proof.hit_rate,
        }
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
    let ids: BTreeSet<AlertId> = rows.iter().map(alert_of).collect();
    let alerts = if ids.is_empty() { BTreeMap::new() } else { records.alerts_with(&ids)? };
    let mut evidence = evidence_of(records, alerts.values())?;
    let item = |row: SignalRow| {
        let card = evidence.remove(&alert_of(&row));
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
pub fn alert_items(records: &Records, rows: Vec<AlertRow>) -> Result<Vec<AlertItem>, Error> {
    let mut evidence = evidence_of(records, rows.iter().map(|row| &row.alert))?;
    let item = |row: AlertRow| {
        let reasons = reasons(&row);
        let AlertRow { alert, status, .. } = row;
        AlertItem {
            id: alert.id,
            symbol: alert.symbol,
            kind: match alert.kind {
                AlertKind::Signal { size: Some(_), .. } => "size",
                AlertKind::Signal { .. } => "signal",
                AlertKind::Watch { .. } => "watch",
            },
            status: AlertStatus::as_str(status),
            reasons,
            at: alert.at,
            said_at: alert.said_at,
            rule: alert.rule,
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

/// The alert that a signal makes, whether it is sent or not.
pub(crate) fn alert_of(row: &SignalRow) -> AlertId {
    AlertId::of_signal(&row.strategy, row.id)
}

fn evidence_of<'a>(
    records: &Records,
    alerts: impl IntoIterator<Item = &'a Alert>,
) -> Result<BTreeMap<AlertId, Evidence>, Error> {
    let with_proof = |alert: &'a Alert| match &alert.kind {
        AlertKind::Signal { proof: Some(proof), .. } => Some((alert.id, proof.as_ref())),
        _ => None,
    };
    let proofs: Vec<(AlertId, &Proof)> = alerts.into_iter().filter_map(with_proof).collect();
    let ids: BTreeSet<CardId> = proofs.iter().map(|(_, proof)| proof.card).collect();
    let cards = if ids.is_empty() { BTreeMap::new() } else { records.cards_with(&ids)? };
    let of = |(id, proof): (AlertId, &Proof)| match cards.get(&proof.card) {
        Some(card) => (id, Evidence::Card(Box::new(card.clone()))),
        None => (id, Evidence::Proof(Box::new(proof.clone()))),
    };
    Ok(proofs.into_iter().map(of).collect())
}

/// Why it was not sent, and what is known against the signal.
fn reasons(row: &AlertRow) -> Vec<String> {
    let mut reasons: Vec<String> = row.reason.clone().into_iter().collect();
    if let (Decision::Withhold(why), true) = (row.alert.decision, reasons.is_empty()) {
        reasons.push(why.as_str().to_owned());
    }
    if let AlertKind::Signal { ruling, .. } = row.alert.kind {
        reasons.extend(ruling.reason().map(|reason| reason.as_str().to_owned()));
    }
    reasons
}

/// Pairs as an object; what is no number is null.
fn by_name<S: Serializer>(facts: &[(String, f64)], to: S) -> Result<S::Ok, S::Error> {
    let finite = |value: &f64| value.is_finite().then_some(*value);
    to.collect_map(facts.iter().map(|(name, value)| (name, finite(value))))
}

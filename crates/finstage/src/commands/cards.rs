//! Evidence cards beside the signals and alerts that were ruled by them.

use std::collections::{BTreeMap, BTreeSet};

use finstage_model::{Alert, AlertId, AlertKind, Card, CardId, Proof};
use finstage_store::records::{Records, SignalRow};
use serde_json::Value;

use crate::exit::{Failure, Result};

/// What a ruling rests on.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    /// The figures that went with the alert.
    pub(super) proof: Proof,
    /// The whole row of `verify`, as long as it is in force.
    pub(super) card: Option<Card>,
}

impl Evidence {
    /// The row of `verify`, else the figures.
    pub(super) fn value(&self) -> Result<Value> {
        match &self.card {
            Some(card) => serde_json::to_value(card),
            None => serde_json::to_value(&self.proof),
        }
        .map_err(Failure::usage)
    }
}

/// What the rulings on these alerts rest on, by alert; those without a card are missing.
pub(super) fn of_alerts<'a>(
    records: &Records,
    alerts: impl IntoIterator<Item = &'a Alert>,
) -> Result<BTreeMap<AlertId, Evidence>> {
    let with_proof = |alert: &'a Alert| match &alert.kind {
        AlertKind::Signal { proof: Some(proof), .. } => Some((alert.id, proof.as_ref().clone())),
        _ => None,
    };
    let proofs: Vec<(AlertId, Proof)> = alerts.into_iter().filter_map(with_proof).collect();
    let ids: BTreeSet<CardId> = proofs.iter().map(|(_, proof)| proof.card).collect();
    let cards = if ids.is_empty() { BTreeMap::new() } else { records.cards_with(&ids)? };
    let of = |(id, proof): (AlertId, Proof)| {
        let card = cards.get(&proof.card).cloned();
        (id, Evidence { proof, card })
    };
    Ok(proofs.into_iter().map(of).collect())
}

/// What the rulings on these signals rest on, by the alert that each of them made.
pub(super) fn of_signals(
    records: &Records,
    rows: &[SignalRow],
) -> Result<BTreeMap<AlertId, Evidence>> {
    let ids: BTreeSet<AlertId> = rows.iter().map(alert_of).collect();
    of_alerts(records, records.alerts_with(&ids)?.values())
}

/// The alert that a signal makes, whether it is sent or not.
pub(super) fn alert_of(row: &SignalRow) -> AlertId {
    AlertId::of_signal(&row.strategy, row.id)
}

//! What the rulings on signals and alerts rest on.

use std::collections::{BTreeMap, BTreeSet};

use finstage_model::{Alert, AlertId, AlertKind, Card, CardId, Proof};
use serde::{Serialize, Serializer};

use super::{Records, SignalRow};
use crate::Error;

/// What a ruling rests on. Written down it is the row of `verify` as long as that is in force, else the
/// figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The figures that went with the alert.
    pub proof: Proof,
    /// The whole row of `verify`, as long as it is in force.
    pub card: Option<Card>,
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.card {
            Some(card) => card.serialize(to),
            None => self.proof.serialize(to),
        }
    }
}

impl Records {
    /// What the rulings on these alerts rest on, by alert; those without a card are missing.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn evidence_of_alerts<'a>(
        &self,
        alerts: impl IntoIterator<Item = &'a Alert>,
    ) -> Result<BTreeMap<AlertId, Evidence>, Error> {
        let with_proof = |alert: &'a Alert| match &alert.kind {
            AlertKind::Signal { proof: Some(proof), .. } => Some((alert.id, proof.as_ref())),
            _ => None,
        };
        let proofs: Vec<(AlertId, &Proof)> = alerts.into_iter().filter_map(with_proof).collect();
        let ids: BTreeSet<CardId> = proofs.iter().map(|(_, proof)| proof.card).collect();
        let cards = if ids.is_empty() { BTreeMap::new() } else { self.cards_with(&ids)? };
        let of = |(id, proof): (AlertId, &Proof)| {
            (id, Evidence { proof: proof.clone(), card: cards.get(&proof.card).cloned() })
        };
        Ok(proofs.into_iter().map(of).collect())
    }

    /// What the rulings on these signals rest on, by the alert that each of them made.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn evidence_of_signals(
        &self,
        rows: &[SignalRow],
    ) -> Result<BTreeMap<AlertId, Evidence>, Error> {
        let ids: BTreeSet<AlertId> = rows.iter().map(SignalRow::alert_id).collect();
        let alerts = if ids.is_empty() { BTreeMap::new() } else { self.alerts_with(&ids)? };
        self.evidence_of_alerts(alerts.values())
    }
}

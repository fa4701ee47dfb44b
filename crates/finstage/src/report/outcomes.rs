//! What became of earlier signals.

use std::collections::BTreeMap;

use finstage_model::{Card, ClaimKind, Horizon};
use finstage_quant::stats::moments::mean;
use finstage_quant::stats::occasions::{Holding, occasions};
use finstage_quant::stats::proportion::wilson;
use finstage_store::Error;
use finstage_store::records::{Known, Records};

use super::{COST, FEW, MAX_IDS, OutcomeGroup, Outcomes};

/// The verdicts in the order that people read them.
const VERDICTS: [&str; 4] = ["verified", "unproven", "rejected", "withheld"];

/// What the store is about: `live`, or `simulated` in the folder of a demo.
///
/// # Errors
/// When the records cannot be read.
pub fn provenance(records: &Records) -> Result<&'static str, Error> {
    let is_demo = records.meta("kind")?.as_deref() == Some("demo");
    Ok(if is_demo { "simulated" } else { "live" })
}

pub(super) fn outcomes(known: &[Known], cards: &[Card], provenance: &'static str) -> Outcomes {
    let place = |verdict: &str| VERDICTS.iter().position(|word| *word == verdict);
    let mut groups: BTreeMap<(Horizon, Option<usize>, &str), Vec<&Known>> = BTreeMap::new();
    for one in known {
        let verdict = one.signal.verdict.as_str();
        groups.entry((one.outcome.horizon, place(verdict), verdict)).or_default().push(one);
    }
    let groups = groups
        .into_iter()
        .map(|((horizon, _, verdict), members)| group((horizon, verdict), &members, cards))
        .collect();
    Outcomes { provenance, cost: COST, total: known.len(), groups }
}

fn group((horizon, verdict): (Horizon, &str), members: &[&Known], cards: &[Card]) -> OutcomeGroup {
    let holding = |one: &&Known| Holding { entry: one.outcome.entry_at, exit: one.outcome.exit_at };
    let occasions = occasions(&members.iter().map(holding).collect::<Vec<_>>());
    let n = members.len();
    let hits = members.iter().filter(|one| one.outcome.hit).count();
    let hit_rate = hits as f64 / n as f64;
    let interval = wilson(hit_rate, occasions as f64);
    let bases: Vec<f64> = members.iter().filter_map(|one| base_rate(one, cards)).collect();
    let net = |one: &&Known| one.signal.direction.sign() * one.outcome.ret - 2.0 * COST;
    OutcomeGroup {
        horizon,
        verdict: verdict.to_owned(),
        n,
        occasions,
        hits,
        hit_rate,
        hit_low: interval.map(|interval| interval.low),
        hit_high: interval.map(|interval| interval.high),
        base_rate: mean(&bases),
        base_n: bases.len(),
        mean_net: mean(&members.iter().map(net).collect::<Vec<_>>()).unwrap_or(f64::NAN),
        is_few: occasions < FEW,
        entries: members.iter().map(|one| one.number).take(MAX_IDS).collect(),
    }
}

/// The base rate of the newest card that is about the signal at this horizon.
fn base_rate(one: &Known, cards: &[Card]) -> Option<f64> {
    let signal = &one.signal;
    let is_about = |card: &&Card| {
        card.claim == ClaimKind::Direction
            && card.horizon == one.outcome.horizon
            && card.strategy == signal.strategy
            && card.interval == signal.interval
            && card.direction == signal.direction
            && card.members.iter().any(|member| member.symbol == signal.symbol)
    };
    cards.iter().filter(is_about).max_by_key(|card| (card.issued, card.id))?.base_rate
}

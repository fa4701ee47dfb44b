//! What the demo knows before it watches: the past of its market, judged as `finstage verify` judges
//! stored bars, with the cards that the engine then rules by.

use std::collections::BTreeMap;

use finstage_engine::StrategySpec;
use finstage_lab::sim::market::{BarQuery, Edge, Market};
use finstage_model::{Card, CardVerdict, ClaimKind, Interval, Symbol, Timestamp};
use finstage_research::evidence::{Groups, Ledger, Options, Plan};
use finstage_strategies::CATALOG;

use super::plan::{PLANTED, SYMBOLS};
use crate::config::settings::Settings;
use crate::evidence;
use crate::exit::{Failure, Result};
use crate::generate;
use crate::wiring::Store;

/// Days of the past that are judged: enough for the planted edge, few enough for a short start.
const DAYS: usize = 20;
const BARS_A_DAY: usize = 96;
/// How long after a signal; the planted drift lasts as long as the first.
const HORIZONS: [&str; 3] = ["1h", "4h", "1d"];
/// Cost as a fraction a side.
const COST: f64 = 0.001;
/// The bars that are judged.
pub(super) const INTERVAL: Interval = Edge::INTERVAL;

/// What is planted in the demo's market.
pub(super) const EDGE: Edge = Edge::DEMO;

/// What the past came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Findings {
    /// Verdicts on hypotheses: idea × horizon.
    tests: usize,
    /// The best verdict of each idea over the horizons: what a signal of it is ruled by.
    ideas: BTreeMap<String, CardVerdict>,
}

/// Judges the past of `market`, which ends at `start`, and puts the cards in force.
pub(super) fn gather(
    market: &Market,
    store: &Store,
    settings: &Settings,
    start: Timestamp,
) -> Result<Findings> {
    let mut instruments = Vec::new();
    for (place, name) in SYMBOLS.iter().enumerate() {
        let symbol: Symbol = format!("binance:{name}").parse().map_err(Failure::usage)?;
        let newest = BarQuery::newest(place as u32, INTERVAL, DAYS * BARS_A_DAY + 1);
        let mut bars = market.bars(&newest);
        bars.retain(|bar| bar.close_time() <= start);
        store.history.import(&symbol, INTERVAL, &bars)?;
        instruments.extend(evidence::series(&store.history, &symbol, INTERVAL)?);
    }
    let options = Options {
        horizons: HORIZONS.iter().filter_map(|text| text.parse().ok()).collect(),
        claims: vec![ClaimKind::Direction],
        cost: COST,
        threads: evidence::all_threads(),
        code_version: crate::VERSION.to_owned(),
        ..Options::default()
    };
    let plan = Plan::new(instruments, &Groups::Pooled, (specs(settings)?, CATALOG), options)
        .map_err(Failure::usage)?;
    let trials = evidence::trials(&store.records, start)?;
    let found = evidence::verify(&store.records, plan, &Ledger::of_store(&trials), start)?;
    evidence::keep(&store.records, &found)?;
    Ok(Findings::of(&found.rows))
}

/// The whole catalogue with its defaults, and what the demo watches with other parameters.
fn specs(settings: &Settings) -> Result<Vec<StrategySpec>> {
    let mut specs = generate::strategies(&[], &[], INTERVAL)?;
    let is_own = |spec: &&StrategySpec| spec.interval == INTERVAL && !spec.params.is_empty();
    specs.extend(settings.engine.strategies.iter().filter(is_own).cloned());
    Ok(specs)
}

impl Findings {
    fn of(cards: &[Card]) -> Self {
        let mut ideas = BTreeMap::new();
        for card in cards {
            let best = ideas.entry(card.strategy.clone()).or_insert(card.verdict);
            *best = card.verdict.max(*best);
        }
        Self { tests: cards.len(), ideas }
    }

    /// Verdicts on idea and horizon.
    pub(super) const fn tests(&self) -> usize {
        self.tests
    }

    /// The ideas that are verified at some horizon.
    pub(super) fn verified(&self) -> Vec<String> {
        let is_verified =
            |(_, verdict): &(&String, &CardVerdict)| **verdict == CardVerdict::Verified;
        self.ideas.iter().filter(is_verified).map(|(name, _)| name.clone()).collect()
    }

    /// The planted idea with its parameters.
    pub(super) fn planted(&self) -> Option<String> {
        self.ideas.keys().find(|name| is_planted(name)).cloned()
    }

    fn count(&self, wanted: CardVerdict) -> usize {
        self.ideas.values().filter(|verdict| **verdict == wanted).count()
    }

    /// What is planted, in a sentence.
    pub(super) fn premise() -> String {
        format!(
            "This market has one planted edge: after {PLANTED} on {INTERVAL} bars the price is pushed up by {:.1} % within an hour.",
            f64::from(EDGE.drift_bps) / 100.0
        )
    }

    /// How many verdicts there are of each kind, in one sentence.
    pub(super) fn verdicts(&self) -> String {
        let [verified, unproven, rejected] =
            [CardVerdict::Verified, CardVerdict::Unproven, CardVerdict::Rejected]
                .map(|verdict| self.count(verdict));
        format!(
            "{} ideas at {} horizons ({} tests) on {DAYS} days of its past, after costs of {:.1} % a side; each by its best horizon: {verified} verified, {unproven} unproven, {rejected} rejected",
            self.ideas.len(),
            HORIZONS.len(),
            self.tests,
            100.0 * COST,
        )
    }

    /// A line about each idea that is verified, and about the planted one if it is not.
    pub(super) fn proven(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .verified()
            .iter()
            .map(|name| match is_planted(name) {
                true => format!("verified: {name}, the planted one"),
                false => format!("verified: {name}, which fires on planted bars too"),
            })
            .collect();
        if !self.verified().iter().any(|name| is_planted(name)) {
            lines.push(format!("{PLANTED}, the planted one, is not proven: with this seed the past is too short for it"));
        }
        lines
    }
}

/// Whether an idea with its parameters is the planted one.
fn is_planted(name: &str) -> bool {
    name.strip_prefix(PLANTED).is_some_and(|rest| rest.starts_with('('))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(of: &[(&str, CardVerdict)]) -> Findings {
        let ideas = of.iter().map(|(name, verdict)| ((*name).to_owned(), *verdict)).collect();
        Findings { tests: 3 * of.len(), ideas }
    }

    #[test]
    fn what_is_verified_is_named_for_what_it_is() {
        let planted = "volume_breakout_up(period=20)";
        let both = findings(&[
            (planted, CardVerdict::Verified),
            ("keltner_breakout_up(period=20)", CardVerdict::Verified),
            ("golden_cross(fast=50)", CardVerdict::Rejected),
        ]);
        assert_eq!(
            both.proven(),
            [
                "verified: keltner_breakout_up(period=20), which fires on planted bars too",
                "verified: volume_breakout_up(period=20), the planted one"
            ]
        );
        assert!(both.verdicts().ends_with("2 verified, 0 unproven, 1 rejected"));
        assert_eq!(both.planted().as_deref(), Some(planted));
    }

    #[test]
    fn a_planted_edge_that_is_not_proven_is_said() {
        let missed = findings(&[("volume_breakout_up(period=20)", CardVerdict::Unproven)]);
        assert_eq!(missed.verified(), [""; 0]);
        assert!(missed.proven()[0].contains("is not proven"), "{:?}", missed.proven());
    }

    #[test]
    fn the_best_horizon_of_an_idea_counts() {
        let golden = include_str!("../../../../finstage-model/src/card/golden.json");
        let card: Card = serde_json::from_str(golden).unwrap();
        let with = |verdict| Card { verdict, ..card.clone() };
        let cards = [with(CardVerdict::Rejected), with(CardVerdict::Unproven)];
        let found = Findings::of(&cards);
        assert_eq!((found.tests(), found.count(CardVerdict::Unproven)), (2, 1));
    }
}

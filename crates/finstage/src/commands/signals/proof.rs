//! `finstage signals show ID --proof FILE`

use std::path::Path;

use finstage_engine::Entry;
use finstage_model::{Call, Reason};
use finstage_research::proof::{self, BARS_AFTER, BARS_BEFORE, Became, Place, Proof, page};
use finstage_store::history::History;
use finstage_store::records::{Records, SignalRow, TrackEntry, TrackRow};
use finstage_strategies::CATALOG;

use crate::commands::bars::to_file;
use crate::commands::cards::Evidence;
use crate::exit::Result;

/// Writes the page about a signal; the file appears whole or not at all.
pub(super) fn write(
    path: &Path,
    (row, evidence): (&SignalRow, Option<&Evidence>),
    (records, history): (&Records, &History),
) -> Result<()> {
    let bar = row.interval.nominal();
    let from = row.open_time.minus(bar.saturating_mul(BARS_BEFORE));
    let until = row.open_time.plus(bar.saturating_mul(BARS_AFTER));
    let bars = history.bars(&row.symbol, row.interval, from..until)?;
    let entries = records.track_of(row.id)?;
    let head = records.track_head()?;
    let outcomes: Vec<Became> = entries.iter().filter_map(became).collect();
    let said = entries.iter().find(|entry| matches!(entry.entry, TrackEntry::Signal(_)));
    let proof = Proof {
        id: row.id,
        symbol: &row.symbol,
        interval: row.interval,
        direction: row.direction,
        open_time: row.open_time,
        at: row.at,
        price: row.price,
        strength: row.strength,
        strategy: &row.strategy,
        words: &words(&row.strategy),
        facts: &row.facts,
        verdict: row.ruling.map_or("pending", |ruling| ruling.as_str()),
        why: match row.ruling {
            None => Some("it was not judged yet"),
            Some(ruling) => ruling.reason().map(Reason::words),
        },
        evidence: evidence.map(|evidence| proof::Evidence {
            figures: &evidence.proof,
            card: evidence.card.as_ref(),
        }),
        bars: &bars,
        outcomes: &outcomes,
        place: said.map(|entry| Place {
            number: entry.number,
            text: &entry.text,
            hash: &entry.hash,
            head: (head.entries, &head.head),
        }),
        made_by: concat!("finstage ", env!("CARGO_PKG_VERSION")),
    };
    let html = page(&proof);
    to_file(path, |out| out.write_all(html.as_bytes()))
}

fn became(row: &TrackRow) -> Option<Became> {
    let TrackEntry::Outcome(outcome) = &row.entry else { return None };
    Some(Became {
        outcome: outcome.outcome(),
        entry: (outcome.entry_at, outcome.entry),
        exit: (outcome.exit_at, outcome.exit),
        number: row.number,
    })
}

/// A rule of the catalogue in words. A condition of one's own is its words, and so is the rule of a
/// catalogue that has it no more.
fn words(strategy: &str) -> String {
    let entry = || {
        let call: Call = strategy.parse().ok()?;
        let entry = Entry::find(CATALOG, &call.name).ok()?;
        let named = |(name, value): &(Option<String>, f64)| Some((name.clone()?, *value));
        let given: Option<Vec<(String, f64)>> = call.args.iter().map(named).collect();
        entry.params(&given?).ok().map(|params| (entry.words)(&params))
    };
    entry().unwrap_or_else(|| strategy.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_said_in_words_where_the_catalogue_has_them() {
        assert_eq!(words("golden_cross(fast=50,slow=200)"), "SMA(50) crossed above SMA(200)");
        for own in ["dip: rsi(14) < 30", "gone(n=3)", "golden_cross(fast=0,slow=200)"] {
            assert_eq!(words(own), own);
        }
    }
}

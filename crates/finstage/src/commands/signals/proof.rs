//! `finstage signals show ID --proof FILE`

use std::path::Path;

use finstage_model::Reason;
use finstage_research::proof::{self, BARS_AFTER, BARS_BEFORE, Became, Place, Proof, page};
use finstage_store::history::History;
use finstage_store::records::{Evidence, Records, SignalRow, TrackEntry, TrackRow};

use crate::commands::bars::to_file;
use crate::exit::Result;
use crate::report::{Language, rule_words};

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
        words: &rule_words(&row.strategy, Language::En),
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

//! Evidence with the whole catalogue: honest on noise, able on a planted edge, equal to the golden
//! figures on real series.

mod command;
mod golden;
mod honest;
mod live;
mod policy;
mod power;
mod searches;
mod walk;

use finstage::generate;
use finstage_model::{Bar, CardVerdict, ClaimKind, Interval, Trial};
use finstage_research::evidence::{Evidence, Groups, Ledger, Options, Plan};
use finstage_research::study::{Adjustment, Instrument};
use finstage_strategies::CATALOG;

fn instrument(name: &str, bars: &[Bar]) -> Instrument {
    let symbol = format!("world:{name}").parse().unwrap();
    Instrument::new(symbol, bars, &|_| Adjustment::NONE).unwrap()
}

fn plan(instruments: Vec<Instrument>, options: Options) -> Plan {
    let specs = generate::strategies(&[], &[], Interval::D1).unwrap();
    Plan::new(instruments, &Groups::Pooled, (specs, CATALOG), options).unwrap()
}

/// One look at these series with the whole catalogue and a ledger of that past.
fn verify(instruments: Vec<Instrument>, options: Options, past: &[Trial]) -> Evidence {
    plan(instruments, options).measure().unwrap().judge(&Ledger::of_files(past))
}

fn verified(evidence: &Evidence, claim: ClaimKind) -> Vec<&str> {
    let rows = evidence.rows.iter().filter(|card| card.claim == claim);
    rows.filter(|card| card.verdict == CardVerdict::Verified)
        .map(|card| card.strategy.as_str())
        .collect()
}

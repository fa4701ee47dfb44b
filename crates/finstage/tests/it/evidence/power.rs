//! How often an edge of known size is found where its events are known exactly.

use finstage_engine::{StrategySpec, When};
use finstage_model::{Bar, ClaimKind, Interval};
use finstage_research::evidence::{Groups, Ledger, Options, Plan};
use finstage_research::worlds::{Dates, Edge, MARK, marked};
use finstage_strategies::CATALOG;

use super::{honest, instrument, verified};

/// Ten years of days.
const BARS: usize = 2_520;
/// Strategies that do not read volume, so that a marked bar is nothing to them; with the one that knows
/// the marks and three horizons a family of 105.
const OTHERS: usize = 34;

fn specs() -> Vec<StrategySpec> {
    let spec = |name: &str, when| StrategySpec {
        name: name.to_owned(),
        params: Vec::new(),
        interval: Interval::D1,
        symbols: Vec::new(),
        when,
    };
    let reads_volume =
        |name: &str| ["volume", "mfi", "triple"].iter().any(|word| name.contains(word));
    let others = CATALOG.iter().map(|entry| entry.name).filter(|name| !reads_volume(name));
    let mut specs: Vec<StrategySpec> = others.take(OTHERS).map(|name| spec(name, None)).collect();
    assert_eq!(specs.len(), OTHERS);
    let when = When { every_bar: true, ..When::long(&format!("volume > {MARK:.0}")) };
    specs.push(spec("marked", Some(when)));
    specs
}

/// Whether the strategy that knows the marks is verified at any horizon.
fn is_found(world: &[Vec<Bar>]) -> bool {
    let named = |(number, bars): (usize, &Vec<Bar>)| instrument(&format!("m{number:02}"), bars);
    let instruments = world.iter().enumerate().map(named).collect();
    let options = Options { claims: vec![ClaimKind::Direction], threads: 2, ..Options::default() };
    let plan = Plan::new(instruments, &Groups::Pooled, (specs(), CATALOG), options).unwrap();
    let evidence = plan.measure().unwrap().judge(&Ledger::of_files(&[]));
    verified(&evidence, ClaimKind::Direction).iter().any(|name| name.starts_with("marked"))
}

#[test]
fn an_edge_of_known_size_is_found_as_often_as_foretold() {
    // Instruments, events of each, dates, net edge, the share in which it must be found.
    let table = [
        (1, 50, Dates::Apart, 0.005, 0.0),
        (1, 50, Dates::Apart, 0.01, 0.0),
        (1, 50, Dates::Apart, 0.02, 0.8),
        (1, 400, Dates::Apart, 0.002, 0.0),
        (1, 400, Dates::Apart, 0.005, 0.0),
        (1, 400, Dates::Apart, 0.01, 0.9),
        (20, 50, Dates::Apart, 0.002, 0.0),
        (20, 50, Dates::Apart, 0.005, 0.95),
        (20, 200, Dates::Apart, 0.002, 0.7),
        (20, 50, Dates::Shared, 0.005, 0.0),
        (20, 50, Dates::Shared, 0.01, 0.0),
    ];
    let is_sample = honest::asked().is_none();
    for (place, (instruments, events, dates, net, least)) in table.into_iter().enumerate() {
        // In a sample only what must be found on one instrument: a panel takes its time.
        if is_sample && (least == 0.0 || instruments > 1) {
            continue;
        }
        let worlds = honest::long(60).unwrap_or(2);
        let edge = Edge { events, drift: net + 0.002 };
        let found = (0..worlds).filter(|seed| {
            let seed = 300_000 + 1_000 * place as u64 + seed;
            is_found(&marked((instruments, 0.3), (edge, dates), seed, BARS))
        });
        let found = found.count();
        println!(
            "{instruments} x {events} {dates:?}, {:.1} % net: found in {found} of {worlds}",
            100.0 * net
        );
        let least = if worlds < 60 { least - 0.4 } else { least };
        assert!(found as f64 >= least * worlds as f64, "{found} of {worlds}, row {place}");
    }
}

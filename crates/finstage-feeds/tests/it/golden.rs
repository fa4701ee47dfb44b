use std::path::Path;

use finstage_feeds::suite::{self, Golden};
use finstage_feeds::{Subscription, venues};
use finstage_model::{InstrumentId, Interval};

#[test]
#[expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN=1 rewrites the expected texts")]
fn every_venue_passes_the_suite() {
    let golden = match std::env::var_os("UPDATE_GOLDEN") {
        Some(_) => Golden::Rewrite,
        None => Golden::Compare,
    };
    for venue in venues::ALL {
        let name = venue.profile.name;
        // Tardis names the place of a symbol in front of it.
        let place = if name == "tardis" { "binance." } else { "" };
        let subscriptions: Vec<Subscription> = ["BTCUSDT", "ETHUSDT"]
            .iter()
            .zip(0..)
            .map(|(symbol, id)| Subscription {
                instrument: InstrumentId(id),
                symbol: format!("{name}:{place}{symbol}").parse().unwrap(),
                trades: true,
                intervals: Interval::ALL.to_vec(),
            })
            .collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        if let Err(broken) = suite::check(venue, &subscriptions, &folder, golden) {
            panic!("{broken}");
        }
    }
}

//! The API under load: as fast as it answers, by the load generator of `finstage stress`, while the lists grow.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_lab::stress::arrival::Schedule;
use finstage_lab::stress::http::{HttpTest, Version};
use finstage_lab::stress::mix::{Endpoint, Mix};
use finstage_lab::stress::{Ceilings, Outcome, Stop, Target};
use finstage_net::SystemClock;
use finstage_store::suite::records::batch;
use tokio::time::MissedTickBehavior;

use super::super::server::{EVENTS, Filled, Place, filled};
use super::{Effort, Session};
use crate::exit::{Failure, Result};

/// Requests a second that the document ended with.
pub(super) const DOCUMENT_RATE: f64 = 200.0;
/// Connections that ask at once.
const CONNECTIONS: u32 = 16;
/// Something is said so often: what was kept is made anew then.
const SAID_EVERY: Duration = Duration::from_secs(1);
/// Pages that people and programs ask, of instruments named S0, S1 … at the venue `sim`.
const FILLED: [&str; 5] = [
    "/api/v1/prices?symbol=sim:S0,sim:S1,sim:S2",
    "/api/v1/signals?limit=50",
    "/api/v1/alerts?limit=50",
    "/api/v1/outcomes?limit=50",
    "/api/v1/bars?symbol=sim:ONE&interval=1m&limit=100",
];

pub(super) async fn measure(session: &mut Session<'_>, effort: Effort) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Filled { server, live, place, records } = filled(folder.path()).await?;
    let meter = server.meter();
    let before = meter();
    let talking = tokio::spawn(async move {
        let mut every = tokio::time::interval(SAID_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for n in EVENTS.. {
            every.tick().await;
            if let Err(error) = records.apply(&batch(1, n, n + 1)) {
                tracing::warn!("the bench's lists do not grow: {error}");
                return;
            }
            live.said();
        }
    });
    let fast = ask(&place, &FILLED, Schedule::Closed { length: effort.asked_for }).await?;
    let steady = Schedule::constant(DOCUMENT_RATE, effort.asked_for);
    let steady = ask(&place, &FILLED, steady).await?;
    talking.abort();
    let after = meter();
    server.stop().await;
    let share = |outcome: &Outcome| 100.0 * outcome.failed as f64 / (outcome.sent.max(1)) as f64;
    let how =
        format!("{CONNECTIONS} connections ask prices, signals, alerts, outcomes and bars in turn");
    session.beside(("api.requests", fast.rps, "requests/s"), ("50", "200"), how);
    let ms = |of: Option<f64>| of.unwrap_or(f64::NAN);
    let how = format!("{DOCUMENT_RATE} requests/s, each counted from when it was due");
    let claim = ("1,200 (mean)", "300 (mean)");
    session.beside(("api.p50", ms(steady.latency.p50_ms), "ms"), claim, how.clone());
    session.beside(("api.p99", ms(steady.latency.p99_ms), "ms"), claim, how);
    let failed = share(&fast).max(share(&steady));
    session.beside(("api.failed", failed, "%"), ("", ""), "answers other than 200, of either load");
    let asked = (after.cache_asked - before.cache_asked).max(1);
    let hits = 100.0 * (after.cache_hits - before.cache_hits) as f64 / asked as f64;
    let how = format!(
        "the server's own count over {asked} questions; something new is said every second"
    );
    session.beside(("cache.hits", hits, "%"), ("0", "85"), how);
    Ok(())
}

/// Asks these pages of a server, one at random each time, all with its token.
pub(super) async fn ask(place: &Place, pages: &[&str], schedule: Schedule) -> Result<Outcome> {
    let target = Target::parse(&format!("http://{}/", place.address)).map_err(Failure::usage)?;
    let endpoint = |page: &&str| Endpoint {
        name: format!("GET {}", page.split('?').next().unwrap_or(page)),
        share: 1.0,
        paths: vec![(*page).to_owned()],
        headers: vec![("Authorization".to_owned(), format!("Bearer {}", place.token))],
        ..Endpoint::default()
    };
    let test = HttpTest {
        addresses: vec![place.address],
        mix: Mix { endpoints: pages.iter().map(endpoint).collect(), signer: None },
        target,
        dns: None,
        ceilings: Ceilings::NONE,
        schedule,
        ramp: None,
        connections: CONNECTIONS,
        timeout: Duration::from_secs(10),
        threads: 1,
        seed: 1,
        version: Version::Http1,
        tls: None,
        settings: BTreeMap::new(),
    };
    let run = move || test.run(&Stop::new(), &mut (), &SystemClock);
    let ran = tokio::task::spawn_blocking(run).await.map_err(Failure::usage)?;
    ran.map_err(Failure::usage)
}

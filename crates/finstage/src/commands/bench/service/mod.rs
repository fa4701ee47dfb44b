//! The service beside what its source document said of itself, before and after its seventeen systems.
//!
//! Every figure is taken here and now: three jobs on the real queue, a server under the load generator, and a
//! whole service, `serve` on a simulated venue, each in a process of its own, looked at from outside.

mod api;
mod clients;
mod house;
mod jobs;

use std::time::Duration;

use super::{Claim, Row, Session};
use crate::exit::Result;

/// Fewer bars than this ask for a short look, not for figures.
const SHORT_BELOW: usize = 100_000;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// What the seconds of the document's three jobs are divided by.
    faster: u32,
    /// Tasks that go through the workers.
    tasks: usize,
    /// How long the API is asked, for each of two loads.
    asked_for: Duration,
    /// How long the service is watched while nobody asks it anything.
    watched_for: Duration,
    /// How often somebody asks who polls.
    polled_every: Duration,
    /// How long listeners listen, and how many.
    listened_for: Duration,
    listeners: usize,
    /// Whether a whole service is started, which takes a while.
    has_house: bool,
}

impl Effort {
    const fn of(bars: usize) -> Self {
        let s = Duration::from_secs;
        if bars < SHORT_BELOW {
            let short = Duration::from_millis(200);
            return Self {
                faster: 100,
                tasks: 100,
                asked_for: short,
                watched_for: short,
                polled_every: short,
                listened_for: short,
                listeners: 10,
                has_house: false,
            };
        }
        Self {
            faster: 1,
            tasks: 20_000,
            asked_for: s(10),
            watched_for: s(20),
            polled_every: s(10),
            listened_for: s(10),
            listeners: 2_000,
            has_house: true,
        }
    }
}

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let effort = Effort::of(session.bars());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        jobs::measure(session, effort).await?;
        api::measure(session, effort).await?;
        if effort.has_house {
            return house::measure(session, effort).await;
        }
        session.say("a short look: no whole service is started; leave --bars out for that");
        Ok(())
    })
}

impl Session<'_> {
    /// A figure beside what the document said: before, and after.
    fn beside(
        &mut self,
        (name, value, unit): (&str, f64, &'static str),
        (document_before, document_after): (&'static str, &'static str),
        how: impl Into<String>,
    ) {
        let claim = Some(Claim { document_before, document_after, how: how.into() });
        self.rows.push(Row { name: format!("service.{name}"), value, unit, claim });
    }
}

use std::sync::Arc;
use std::time::Duration;

use finstage_model::Event;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::SessionStats;

/// The queue that events leave by.
#[derive(Debug)]
pub(crate) struct Outlet {
    events: mpsc::Sender<Vec<Event>>,
    blocked: Duration,
    stats: Arc<SessionStats>,
}

/// Why events did not leave.
#[derive(Debug)]
pub(crate) enum Stuck {
    /// There was no room for too long; these are the events.
    Full(Vec<Event>),
    /// Nobody reads any more.
    Closed,
}

impl Outlet {
    pub(crate) const fn new(
        events: mpsc::Sender<Vec<Event>>,
        blocked: Duration,
        stats: Arc<SessionStats>,
    ) -> Self {
        Self { events, blocked, stats }
    }

    /// Sends a batch, waiting for room up to the limit. An empty batch is nothing to send.
    pub(crate) async fn send(&self, batch: Vec<Event>) -> Result<(), Stuck> {
        if batch.is_empty() {
            return Ok(());
        }
        match timeout(self.blocked, self.events.reserve()).await {
            Ok(Ok(room)) => {
                SessionStats::add(&self.stats.events, batch.len() as u64);
                room.send(batch);
                Ok(())
            }
            Ok(Err(_)) => Err(Stuck::Closed),
            Err(_) => Err(Stuck::Full(batch)),
        }
    }

    /// Waits until there is room, however long it takes: there is nothing else to do, and a
    /// shutdown ends it.
    pub(crate) async fn room(&self) {
        // A closed queue is noticed by the next `send`.
        let _ = self.events.reserve().await;
    }
}

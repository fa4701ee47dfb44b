//! What goes to the engine's thread, and who is woken by what it says.

use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Clock, Event, Output, Payload};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::day::Feed;
use crate::live::{BATCH_MAX_EVENTS, Freshness, Names, Observer};

/// Time passes in steps of a second of the service's clock.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// The shortest real time between two ticks, however fast the service's clock runs.
const TICK_MIN_REAL: Duration = Duration::from_millis(10);

/// Events of all sessions, as the engine's thread takes them.
pub(super) struct ChannelFeed(pub(super) mpsc::Receiver<Vec<Event>>);

impl Feed for ChannelFeed {
    fn next(&mut self, events: &mut Vec<Event>) -> bool {
        let Some(mut frame) = self.0.blocking_recv() else { return false };
        events.append(&mut frame);
        while events.len() < BATCH_MAX_EVENTS {
            let Ok(mut frame) = self.0.try_recv() else { break };
            events.append(&mut frame);
        }
        true
    }
}

/// Wakes the dispatchers when an alert was said.
#[derive(Debug)]
pub(super) struct Waking {
    pub(super) inner: Arc<dyn Observer>,
    pub(super) wake: Arc<Notify>,
}

impl Observer for Waking {
    fn said(&self, names: &Names, event: &Event, outputs: &[Output], freshness: Freshness) {
        self.inner.said(names, event, outputs, freshness);
        if outputs.iter().any(|output| matches!(output, Output::Alert(_))) {
            self.wake.notify_waiters();
        }
    }
}

/// Tells the engine that time passes, until `quit` turns true or nobody listens.
pub(super) async fn tick(
    events: mpsc::Sender<Vec<Event>>,
    clock: Arc<dyn Clock>,
    speed: f64,
    mut quit: watch::Receiver<bool>,
) {
    let mut interval = tokio::time::interval(TICK.div_f64(speed.max(1e-3)).max(TICK_MIN_REAL));
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            _ = quit.wait_for(|quit| *quit) => return,
        }
        let tick = Event::new(clock.now(), Payload::Tick);
        if events.send(vec![tick]).await.is_err() {
            return;
        }
    }
}

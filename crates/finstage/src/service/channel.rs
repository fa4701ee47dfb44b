//! What goes to the engine's thread, and who is woken by what it says.

use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Event, Output, Payload};
use finstage_net::{ClockTurn, LEAP_DOUBT, SteadyClock};
use tokio::sync::{Notify, mpsc, watch};

use crate::day::Feed;
use crate::live::{BATCH_MAX_EVENTS, Freshness, Names, Observer};
use crate::pace::Pace;

/// Time passes in steps of a second of the service's clock.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// The shortest real time between two ticks, however fast the service's clock runs.
const TICK_MIN_REAL: Duration = Duration::from_millis(10);

/// Events of all sessions, as the engine's thread takes them.
pub(super) struct ChannelFeed {
    pub(super) received: mpsc::Receiver<Vec<Event>>,
    /// Hears what trades say of the time.
    pub(super) steady: Option<SteadyClock>,
}

impl ChannelFeed {
    /// Only trades say what time it is: a bar may be an old one that was asked for.
    fn hear(&self, events: &[Event]) {
        let Some(steady) = &self.steady else { return };
        let trade = events.iter().rev().find_map(|event| match &event.payload {
            Payload::Trade(trade) => Some(trade.ts_event),
            _ => None,
        });
        if let Some(at) = trade {
            steady.hear(at);
        }
    }
}

impl Feed for ChannelFeed {
    fn next(&mut self, events: &mut Vec<Event>) -> bool {
        let before = events.len();
        let Some(mut frame) = self.received.blocking_recv() else { return false };
        events.append(&mut frame);
        while events.len() < BATCH_MAX_EVENTS {
            let Ok(mut frame) = self.received.try_recv() else { break };
            events.append(&mut frame);
        }
        self.hear(&events[before..]);
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

/// Tells the engine that time passes, until `quit` turns true or nobody listens; and people, when the machine's clock
/// leaps.
pub(super) async fn tick(
    events: mpsc::Sender<Vec<Event>>,
    pace: Pace,
    steady: Option<SteadyClock>,
    quit: watch::Receiver<bool>,
) {
    let mut turns = pace.turns(TICK, TICK_MIN_REAL, quit);
    while turns.next().await {
        let tick = Event::new(pace.clock.now(), Payload::Tick);
        if let Some(turn) = steady.as_ref().and_then(SteadyClock::turn) {
            say(turn);
        }
        if events.send(vec![tick]).await.is_err() {
            return;
        }
    }
}

fn say(turn: ClockTurn) {
    match turn {
        ClockTurn::Leapt(nanos) => {
            let seconds = nanos / 1_000_000_000;
            let minutes = LEAP_DOUBT.as_secs() / 60;
            tracing::warn!(
                "the machine's clock leapt by {seconds} s: the service keeps its own time until trades of a venue confirm that, or nothing speaks against it for {minutes} min; set the clock right"
            );
        }
        ClockTurn::Behind(nanos) => {
            let seconds = nanos / 1_000_000_000;
            tracing::warn!(
                "the machine's clock is {seconds} s behind the trades of a venue: jobs, quiet hours and the ages of prices go wrong by that; set the clock right"
            );
        }
        ClockTurn::Right => tracing::warn!("the machine's clock is right again"),
        ClockTurn::Believed => {
            tracing::warn!(
                "the machine's clock counts again: its leap was confirmed, or nothing spoke against it"
            );
        }
    }
}

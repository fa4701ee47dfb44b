//! What a service does now and then: the turns of a task, by the service's clock.

use std::sync::Arc;
use std::time::Duration;

use finstage_model::Clock;
use finstage_net::SystemClock;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

/// How a service's tasks tell the time.
#[derive(Debug, Clone)]
pub struct Pace {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How many times faster than real time that clock runs.
    pub speed: f64,
}

impl Pace {
    /// The clock of what is not hurried: limits, links, minutes in which the service ran.
    #[must_use]
    pub fn wall(&self) -> Arc<dyn Clock> {
        if self.speed == 1.0 { Arc::clone(&self.clock) } else { Arc::new(SystemClock) }
    }

    /// A turn now, and then one each `every` of the service's clock, but none sooner than `min_real`
    /// after the one before; none any more once `quit` is true.
    #[must_use]
    pub fn turns(&self, every: Duration, min_real: Duration, quit: watch::Receiver<bool>) -> Turns {
        let every = every.div_f64(self.speed.max(1e-3)).max(min_real);
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Turns { interval, quit }
    }
}

/// The turns of one task.
#[derive(Debug)]
pub struct Turns {
    interval: Interval,
    quit: watch::Receiver<bool>,
}

impl Turns {
    /// Waits for the next turn; false when there is none any more.
    pub async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interval.tick() => true,
            _ = self.quit.wait_for(|quit| *quit) => false,
        }
    }
}

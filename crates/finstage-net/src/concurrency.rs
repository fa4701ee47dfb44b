//! How many requests may be out at once: a fixed number, or one that is learned.
//!
//! Sources: additive increase and multiplicative decrease (Chiu and Jain 1989) on signs that cannot
//! be misread; a gradient of latencies (Netflix, "Performance Under Load", 2018) for servers that
//! queue before they refuse; a look at the latency with few out from time to time (as BBR, Cardwell et
//! al. 2016), without which a queue that is always there would pass for usual.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many requests may be out at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Concurrency {
    /// Always so many. Right where a server answers few requests a second: there is nothing to learn
    /// from.
    Fixed(u32),
    /// Learned from answers.
    Adaptive(AdaptiveOptions),
}

impl Default for Concurrency {
    /// 64.
    fn default() -> Self {
        Self::Fixed(64)
    }
}

/// How the number of requests at once is learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveOptions {
    /// At first.
    pub start: u32,
    /// Never fewer.
    pub least: u32,
    /// Never more.
    pub most: u32,
    /// What is left after a failure or a refusal, at most once in a usual answer's time.
    pub kept: f64,
    /// How many times the usual latency is still fine.
    pub tolerance: f64,
    /// Answers between two looks at the latency.
    pub samples: u32,
    /// Answers after which a quarter is let out for a moment, to see the latency without a queue.
    pub memory: u32,
}

impl Default for AdaptiveOptions {
    /// From 16, between 1 and 256; ×0.7; twice the usual latency; 20 of 1000 answers.
    fn default() -> Self {
        Self {
            start: 16,
            least: 1,
            most: 256,
            kept: 0.7,
            tolerance: 2.0,
            samples: 20,
            memory: 1000,
        }
    }
}

/// What an answer says about how busy the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// It answered after this time.
    Answered(Duration),
    /// It refused, failed, or did not answer in time.
    TooMuch,
    /// Nothing.
    Unknown,
}

/// The learned number. No clock: the time since some origin is given.
#[derive(Debug)]
pub(crate) struct Adaptive {
    options: AdaptiveOptions,
    limit: f64,
    /// Seconds.
    usual: Option<f64>,
    sum: f64,
    count: u32,
    /// Answers until the next look without a queue.
    until_look: u32,
    look: Look,
    lowered: Option<Duration>,
}

/// How far a look at the latency without a queue is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Look {
    None,
    /// Those that were out before come back. With the number to return to.
    Draining(f64),
    Measuring(f64),
}

impl Adaptive {
    pub(crate) fn new(options: AdaptiveOptions) -> Self {
        let limit = f64::from(options.start.clamp(options.least.max(1), options.most.max(1)));
        Self {
            options,
            limit,
            usual: None,
            sum: 0.0,
            count: 0,
            until_look: options.samples,
            look: Look::None,
            lowered: None,
        }
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// Takes what an answer says, with so many requests out when it came.
    pub(crate) fn step(&mut self, now: Duration, load: Load, in_flight: u32) {
        match load {
            Load::Answered(latency) => {
                // A number that nobody uses must not grow: it would mean nothing when needed.
                if self.look == Look::None && f64::from(in_flight) * 2.0 >= self.limit {
                    self.limit += 1.0 / self.limit;
                }
                self.look_at(latency.as_secs_f64());
            }
            Load::TooMuch => {
                let pause = Duration::from_secs_f64(self.usual.unwrap_or(0.0));
                if self.lowered.is_none_or(|at| now >= at + pause) {
                    if let Look::Draining(after) | Look::Measuring(after) = &mut self.look {
                        *after *= self.options.kept;
                    } else {
                        self.limit *= self.options.kept;
                    }
                    self.lowered = Some(now);
                }
            }
            Load::Unknown => {}
        }
        let least = f64::from(self.options.least.max(1));
        self.limit = self.limit.clamp(least, f64::from(self.options.most).max(least));
    }

    fn look_at(&mut self, latency: f64) {
        self.sum += latency;
        self.count += 1;
        if self.count < self.options.samples.max(1) {
            return;
        }
        let recent = self.sum / f64::from(self.count);
        let seen = self.count;
        (self.sum, self.count) = (0.0, 0);
        match self.look {
            Look::Draining(after) => self.look = Look::Measuring(after),
            Look::Measuring(after) => {
                self.usual = Some(recent);
                self.limit = after;
                self.look = Look::None;
                self.until_look = self.options.memory;
            }
            Look::None => {
                // A server that got faster is believed at once, one that got slower at a look.
                let usual = self.usual.map_or(recent, |usual| usual.min(recent));
                self.usual = Some(usual);
                let gradient = (self.options.tolerance * usual / recent.max(1e-9)).clamp(0.5, 1.0);
                self.limit *= 0.8 + 0.2 * gradient;
                self.until_look = self.until_look.saturating_sub(seen);
                if self.until_look == 0 {
                    self.look = Look::Draining(self.limit);
                    self.limit /= 4.0;
                }
            }
        }
    }
}

/// Places for requests that are out. Those who wait are served in their order.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Semaphore,
    state: Mutex<Places>,
}

#[derive(Debug)]
struct Places {
    limit: u32,
    /// Places that are still taken and will not come back, since the number was lowered.
    owed: u32,
    out: u32,
    waiting: u32,
    adaptive: Option<Adaptive>,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    slots: &'a Slots,
    permit: Option<SemaphorePermit<'a>>,
}

impl Slots {
    pub(crate) fn new(concurrency: Concurrency) -> Self {
        let adaptive = match concurrency {
            Concurrency::Fixed(_) => None,
            Concurrency::Adaptive(options) => Some(Adaptive::new(options)),
        };
        let limit = match concurrency {
            Concurrency::Fixed(limit) => limit.max(1),
            Concurrency::Adaptive(_) => adaptive.as_ref().map_or(1, Adaptive::limit),
        };
        let state = Places { limit, owed: 0, out: 0, waiting: 0, adaptive };
        Self { free: Semaphore::new(limit as usize), state: Mutex::new(state) }
    }

    pub(crate) async fn take(&self) -> Slot<'_> {
        let permit = match self.free.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                self.places().waiting += 1;
                let _waiting = Waiting(self);
                self.free.acquire().await.expect("nobody closes it")
            }
        };
        self.places().out += 1;
        Slot { slots: self, permit: Some(permit) }
    }

    /// A place that was kept beyond its turn ([`Slot::keep`]) is free again.
    pub(crate) fn give_back(&self) {
        let mut places = self.places();
        places.out -= 1;
        match places.owed.checked_sub(1) {
            Some(owed) => places.owed = owed,
            None => self.free.add_permits(1),
        }
    }

    /// The most that may be out, and those who wait.
    pub(crate) fn limit_and_waiting(&self) -> (u32, u32) {
        let places = self.places();
        (places.limit, places.waiting)
    }

    pub(crate) fn learn(&self, now: Duration, load: Load) {
        let mut places = self.places();
        let out = places.out;
        let Some(adaptive) = &mut places.adaptive else { return };
        adaptive.step(now, load, out);
        let limit = adaptive.limit();
        if limit > places.limit {
            let more = limit - places.limit;
            let paid = more.min(places.owed);
            places.owed -= paid;
            self.free.add_permits((more - paid) as usize);
        } else {
            let fewer = places.limit - limit;
            let gone = self.free.forget_permits(fewer as usize) as u32;
            places.owed += fewer - gone;
        }
        places.limit = limit;
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Places> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// The place stays taken until [`Slots::give_back`].
    pub(crate) fn keep(mut self) {
        if let Some(permit) = self.permit.take() {
            permit.forget();
        }
        std::mem::forget(self);
    }
}

/// Somebody who waits, until it gives up or has a place.
struct Waiting<'a>(&'a Slots);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.places().waiting -= 1;
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut places = self.slots.places();
        places.out -= 1;
        if places.owed > 0 {
            places.owed -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn failures_lower_it_once_in_a_usual_time_and_use_raises_it() {
        let options = AdaptiveOptions { start: 100, samples: 1, ..AdaptiveOptions::default() };
        let mut adaptive = Adaptive::new(options);
        // The first look at the latency.
        (0..3).for_each(|_| adaptive.step(millis(0), Load::Answered(millis(50)), 0));
        (0..10).for_each(|_| adaptive.step(millis(100), Load::TooMuch, 100));
        assert_eq!(adaptive.limit(), 70);
        adaptive.step(millis(150), Load::TooMuch, 100);
        assert_eq!(adaptive.limit(), 49);
        (0..200).for_each(|_| adaptive.step(millis(160), Load::Answered(millis(50)), 10));
        assert_eq!(adaptive.limit(), 49, "ten of 49 do not need more");
        (0..200).for_each(|_| adaptive.step(millis(160), Load::Answered(millis(50)), 49));
        assert!((52..=54).contains(&adaptive.limit()), "{}", adaptive.limit());
    }

    /// The mean number against a server that works on `width` at once in 20 ms each, and lets the
    /// others queue.
    fn settled(width: f64, options: AdaptiveOptions) -> f64 {
        let mut adaptive = Adaptive::new(options);
        let (mut sum, mut count) = (0.0, 0.0);
        for step in 0..40_000 {
            let out = f64::from(adaptive.limit());
            let latency = Duration::from_secs_f64(0.02 * (out / width).max(1.0));
            adaptive.step(millis(step), Load::Answered(latency), adaptive.limit());
            if step >= 20_000 {
                (sum, count) = (sum + out, count + 1.0);
            }
        }
        sum / count
    }

    #[test]
    fn it_finds_how_many_a_server_works_on_before_it_queues() {
        for width in [5.0, 20.0, 60.0] {
            let found = settled(width, AdaptiveOptions::default());
            assert!(found >= width && found <= 2.0 * width + 6.0, "{found} for {width}");
        }
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let options = AdaptiveOptions { least: 2, most: 8, ..AdaptiveOptions::default() };
        let mut adaptive = Adaptive::new(options);
        assert_eq!(adaptive.limit(), 8);
        (0..60).for_each(|_| adaptive.step(millis(0), Load::Answered(millis(5)), 8));
        assert_eq!(adaptive.limit(), 8);
        (0..50).for_each(|step| adaptive.step(millis(1_000 * step), Load::TooMuch, 8));
        assert_eq!(adaptive.limit(), 2);
    }

    #[tokio::test]
    async fn a_lowered_number_holds_when_those_that_are_out_come_back() {
        let options = AdaptiveOptions { start: 4, least: 2, kept: 0.5, ..Default::default() };
        let slots = Slots::new(Concurrency::Adaptive(options));
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(slots.take().await);
        }
        slots.learn(millis(0), Load::TooMuch);
        assert_eq!(slots.limit_and_waiting(), (2, 0));
        held.truncate(2);
        assert!(slots.take().now_or_never().is_none(), "two are out, two may be");
        held.truncate(1);
        assert!(slots.take().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_place_that_is_kept_is_taken_until_it_is_given_back_and_pays_what_is_owed() {
        let options = AdaptiveOptions { start: 2, least: 1, kept: 0.5, ..Default::default() };
        let slots = Slots::new(Concurrency::Adaptive(options));
        let held = slots.take().await;
        slots.take().await.keep();
        assert!(slots.take().now_or_never().is_none());
        slots.give_back();
        slots.take().now_or_never().expect("one is free").keep();
        slots.learn(millis(0), Load::TooMuch);
        slots.give_back();
        assert!(slots.take().now_or_never().is_none(), "one is out, one may be");
        drop(held);
        assert!(slots.take().now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_takes_no_place() {
        let slots = Slots::new(Concurrency::Fixed(1));
        let held = slots.take().await;
        (0..10).for_each(|_| assert!(slots.take().now_or_never().is_none()));
        let mut waiting = Box::pin(slots.take());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(slots.limit_and_waiting(), (1, 1));
        drop(waiting);
        assert_eq!(slots.limit_and_waiting(), (1, 0));
        drop(held);
        assert!(slots.take().now_or_never().is_some());
    }
}

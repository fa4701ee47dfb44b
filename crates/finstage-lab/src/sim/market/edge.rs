//! An edge that is planted in a seeded market, so that evidence has something true to find.
//!
//! At the beginning of every quarter of an hour a stream of its own decides what it will be:
//!
//! * **the event**: the price rises on several times the usual volume, and over the next four quarters
//!   it is pushed further up. Whoever enters after that bar and leaves an hour later has most of it: where
//!   the price keeps to a range, the range takes a part back;
//! * **a decoy**, up or down: the same move on the usual volume, and nothing follows. Without them
//!   every rule that hears a sharp rise would have the edge, and not only one that asks for volume;
//! * **ordinary**: the price sinks by so little that rises and drifts are undone on average, and the
//!   price stays where it is over months.
//!
//! Nothing new begins while a drift lasts. What is planted moves the price and does not heat the
//! market: its volatility is that of the market without an edge.

use finstage_model::{Interval, Timestamp};

use crate::error::{Error, ErrorKind};
use crate::rng::Rng;

/// What is planted, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// One in so many quarters of an hour is the event, another one a decoy up, another one down.
    pub one_in: u32,
    /// By how much the price rises (of a decoy: rises or falls), in hundredths of a percent.
    pub rise_bps: u32,
    /// How many times the usual volume the event has.
    pub volume_times: u32,
    /// By how much the price is pushed up over the next hour, in hundredths of a percent.
    pub drift_bps: u32,
}

impl Edge {
    /// The bars that the event is one of.
    pub const INTERVAL: Interval = Interval::M15;
    /// How many of them the drift lasts: an hour.
    pub const DRIFT_BARS: u32 = 4;

    /// An edge that three weeks of three symbols prove to a rule that asks for the volume, and to no
    /// other of the customary ones.
    pub const DEMO: Self = Self { one_in: 24, rise_bps: 160, volume_times: 6, drift_bps: 70 };

    pub(super) fn check(&self) -> Result<(), Error> {
        let fits = (4..=100_000).contains(&self.one_in)
            && self.rise_bps <= 1_000
            && self.drift_bps <= 1_000
            && (1..=100).contains(&self.volume_times);
        if fits {
            return Ok(());
        }
        let text = "edge: one in 4 to 100000 bars, at most 1000 bps up, 1 to 100 times the volume";
        Err(Error::new(ErrorKind::Market, text.to_owned()))
    }
}

/// What is planted in a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Push {
    /// Added to the return of the minute.
    pub(super) drift: f64,
    /// Times the usual volume.
    pub(super) volume: f64,
}

impl Push {
    /// Nothing is planted.
    pub(super) const NONE: Self = Self { drift: 0.0, volume: 1.0 };
}

/// Plants an edge in one symbol, minute by minute.
#[derive(Debug, Clone)]
pub(super) struct Planter {
    edge: Edge,
    rng: Rng,
    bar: Kind,
    /// Bars that are left of the drift.
    drifting: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ordinary,
    Event,
    DecoyUp,
    DecoyDown,
    Drift,
}

const BAR_MINUTES: i64 = 15;
/// The minutes in which a bar rises or falls.
const MOVE_MINUTES: i64 = 5;

impl Planter {
    pub(super) fn new(edge: Edge, seed: u64, symbol: &str) -> Self {
        let rng = Rng::named(seed, &format!("{symbol} event"));
        Self { edge, rng, bar: Kind::Ordinary, drifting: 0 }
    }

    /// What is planted in the minute that begins at `open_time`; minutes are asked for in order.
    pub(super) fn minute(&mut self, open_time: Timestamp) -> Push {
        let minute = open_time.secs().div_euclid(60).rem_euclid(BAR_MINUTES);
        if minute == 0 {
            self.bar = self.next_bar();
        }
        let share = |bps: u32, minutes: i64| f64::from(bps) / (10_000.0 * minutes as f64);
        let edge = &self.edge;
        let moved = if minute < MOVE_MINUTES { share(edge.rise_bps, MOVE_MINUTES) } else { 0.0 };
        let usual = |drift: f64| Push { drift, volume: 1.0 };
        match self.bar {
            Kind::Event => Push { drift: moved, volume: f64::from(edge.volume_times) },
            Kind::DecoyUp => usual(moved),
            Kind::DecoyDown => usual(-moved),
            Kind::Drift => usual(share(edge.drift_bps, BAR_MINUTES * i64::from(Edge::DRIFT_BARS))),
            Kind::Ordinary => {
                let paid = share(edge.rise_bps + edge.drift_bps, BAR_MINUTES);
                usual(-paid / f64::from(edge.one_in - 3))
            }
        }
    }

    fn next_bar(&mut self) -> Kind {
        if self.drifting > 0 {
            self.drifting -= 1;
            return Kind::Drift;
        }
        match self.rng.below(u64::from(self.edge.one_in)) {
            0 => {
                self.drifting = Edge::DRIFT_BARS;
                Kind::Event
            }
            1 => Kind::DecoyUp,
            2 => Kind::DecoyDown,
            _ => Kind::Ordinary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sums of what is planted in each bar, with its volume.
    fn bars(edge: Edge, seed: u64, count: i64) -> Vec<(f64, f64)> {
        let mut planter = Planter::new(edge, seed, "AAAUSDT");
        let bar = |bar: i64, planter: &mut Planter| {
            let minutes = bar * BAR_MINUTES..(bar + 1) * BAR_MINUTES;
            let pushes = minutes.map(|minute| planter.minute(Timestamp::from_secs(minute * 60)));
            pushes.fold((0.0, 1.0), |sum, push| (sum.0 + push.drift, push.volume))
        };
        (0..count).map(|number| bar(number, &mut planter)).collect()
    }

    #[test]
    fn an_event_is_followed_by_its_drift_and_nothing_else_is() {
        let bars = bars(Edge::DEMO, 3, 20_000);
        let is_event = |place: usize| bars[place].1 > 1.0;
        let events: Vec<usize> = (0..bars.len() - 5).filter(|&place| is_event(place)).collect();
        assert!((650..800).contains(&events.len()), "{}", events.len());
        for &event in &events {
            assert!((bars[event].0 - 0.016).abs() < 1e-9);
            let drift: f64 = bars[event + 1..=event + 4].iter().map(|bar| bar.0).sum();
            assert!((drift - 0.007).abs() < 1e-9, "{drift}");
            assert!((event + 1..=event + 4).all(|place| !is_event(place)));
        }
        let decoys = |side: f64| {
            let is_decoy = |bar: &&(f64, f64)| bar.1 == 1.0 && (bar.0 - side * 0.016).abs() < 1e-9;
            bars.iter().filter(is_decoy).count()
        };
        assert!((650..800).contains(&decoys(1.0)) && (650..800).contains(&decoys(-1.0)));
    }

    #[test]
    fn what_is_planted_cancels_on_average() {
        let bars = bars(Edge::DEMO, 5, 200_000);
        let mean = bars.iter().map(|bar| bar.0).sum::<f64>() / bars.len() as f64;
        assert!(mean.abs() < 0.000_05, "{mean}");
    }

    #[test]
    fn an_edge_beyond_all_bounds_is_refused() {
        assert!(Edge::DEMO.check().is_ok());
        for edge in [
            Edge { one_in: 3, ..Edge::DEMO },
            Edge { rise_bps: 1_001, ..Edge::DEMO },
            Edge { volume_times: 0, ..Edge::DEMO },
        ] {
            assert!(edge.check().unwrap_err().to_string().contains("edge"), "{edge:?}");
        }
    }
}

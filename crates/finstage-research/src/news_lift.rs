//! What prices did after news, by how it sounded: an event study with a shuffled control.
//!
//! A document that became known while a bar was open is an event of that bar; a position in the direction of
//! its tone is entered at the open of the next bar and left `horizon` bars later. Several documents of
//! a bar are one event with the tone of most of them. The lift is the mean return less what such
//! positions bring after any news of the instrument ([`finstage_quant::stats::event_study`]): that there is news
//! at all may move prices, and says nothing of its tone.
//!
//! *Control.* The tones are dealt out anew among the events of each instrument: the moments stay, and what they
//! say of prices goes. The p-value is the share of deals that lift as much, what was seen counted as one
//! (Phipson and Smyth 2010). One more deal, which is not among those, is shown whole beside: it must show
//! no lift, and when it does something other than the tone is measured.

use finstage_model::{Bar, Direction, Symbol, Timestamp, Tone};
use finstage_quant::stats::event_study::{Claim, Member, Scope, Study};
use finstage_quant::stats::inference::{Estimate, mean_block};
use finstage_quant::stats::random::SplitMix64;
use serde::Serialize;

use crate::{Error, ErrorKind};

/// The most deals of the control.
pub const MAX_SHUFFLES: u32 = 100_000;
/// Fewer events of a tone than this say nothing: no p-value is given.
pub const LEAST_EVENTS: usize = 10;

/// A document about an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// When it was known.
    pub known_at: Timestamp,
    /// How it sounded.
    pub tone: Tone,
}

/// An instrument with its bars and its news.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The instrument; each is there once.
    pub symbol: &'a Symbol,
    /// Its bars, ascending.
    pub bars: &'a [Bar],
    /// Its documents, in any order.
    pub told: &'a [Told],
}

/// How to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiftOptions {
    /// Bars that a position is held, at least 1.
    pub horizon: usize,
    /// Deals of the control, 1 to [`MAX_SHUFFLES`].
    pub shuffles: u32,
    /// Where the deals come from.
    pub seed: u64,
}

impl Default for LiftOptions {
    /// One bar, 999 deals.
    fn default() -> Self {
        Self { horizon: 1, shuffles: 999, seed: 1 }
    }
}

/// What followed the events of a tone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Events.
    pub n: usize,
    /// Events that do not overlap.
    pub n_eff: usize,
    /// Mean return in the direction of the tone, as a fraction, before cost.
    pub mean: f64,
    /// The same of any bar with news.
    pub base: f64,
    /// The difference.
    pub lift: f64,
    /// The 95 % interval of the lift; none where there is too little for one.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// The share of shuffles with at least this lift; none below [`LEAST_EVENTS`] events.
    pub p: Option<f64>,
}

/// A tone: what was seen, and the control. Neutral documents are measured as if they were good ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LiftRow {
    /// The tone.
    pub tone: Tone,
    /// Bars that a position was held.
    pub horizon: usize,
    /// With the tones as they were read.
    pub seen: Figures,
    /// With tones dealt out anew.
    pub control: Figures,
}

/// Measures every tone that has an event, in the order of [`Tone::ALL`].
///
/// # Errors
/// `Options` when horizon or number of shuffles are out of bounds.
pub fn news_lift(subjects: &[Subject<'_>], options: LiftOptions) -> Result<Vec<LiftRow>, Error> {
    let LiftOptions { horizon, shuffles, seed } = options;
    if horizon == 0 || !(1..=MAX_SHUFFLES).contains(&shuffles) {
        let message =
            format!("news lift: the horizon is 1 or more, shuffles are 1 to {MAX_SHUFFLES}");
        return Err(Error::new(ErrorKind::Options, message));
    }
    let grounds: Vec<Ground> =
        subjects.iter().map(|subject| Ground::of(subject, horizon)).collect();
    let members: Vec<Member<'_>> =
        subjects.iter().zip(&grounds).map(|(s, g)| g.member(s)).collect();
    let Some(scope) = Scope::new(&members, horizon) else { return Ok(Vec::new()) };
    let look = Look { scope, grounds: &grounds, horizon };
    let seen: Vec<Vec<Tone>> = grounds.iter().map(|ground| ground.tones.clone()).collect();
    let deals: Vec<Vec<Vec<Tone>>> = (0..=u64::from(shuffles))
        .map(|deal| dealt(&seen, SplitMix64::of_draw(seed, deal)))
        .collect();
    let (control, deals) = (&deals[0], &deals[1..]);
    let row = |tone| {
        let thetas: Vec<f64> =
            deals.iter().filter_map(|tones| Some(look.study(tone, tones)?.theta)).collect();
        let figures = |tones: &[Vec<Tone>]| Some(look.figures(&look.study(tone, tones)?, &thetas));
        Some(LiftRow { tone, horizon, seen: figures(&seen)?, control: figures(control)? })
    };
    Ok(Tone::ALL.into_iter().filter_map(row).collect())
}

/// The events of one instrument.
struct Ground {
    times: Vec<Timestamp>,
    returns: Vec<f64>,
    eligible: Vec<bool>,
    /// Bars with documents, ascending, and their tones.
    events: Vec<usize>,
    tones: Vec<Tone>,
}

impl Ground {
    fn of(subject: &Subject<'_>, horizon: usize) -> Self {
        let bars = subject.bars;
        let open =
            |place: usize| bars.get(place).map(|bar| bar.open.to_f64()).filter(|open| *open > 0.0);
        let gain = |place: usize| Some(open(place + 1 + horizon)? / open(place + 1)? - 1.0);
        let returns: Vec<f64> =
            (0..bars.len()).map(|place| gain(place).unwrap_or(f64::NAN)).collect();
        let mut balance = std::collections::BTreeMap::<usize, i32>::new();
        for told in subject.told {
            // The bar that was open, or the last one before: its successor opens later.
            let begun = bars.partition_point(|bar| bar.open_time <= told.known_at);
            let Some(bar) = begun.checked_sub(1).filter(|&bar| returns[bar].is_finite()) else {
                continue;
            };
            *balance.entry(bar).or_default() += match told.tone {
                Tone::Positive => 1,
                Tone::Neutral => 0,
                Tone::Negative => -1,
            };
        }
        let tone = |balance: &i32| match balance.signum() {
            1 => Tone::Positive,
            0 => Tone::Neutral,
            _ => Tone::Negative,
        };
        Self {
            times: bars.iter().map(|bar| bar.open_time).collect(),
            eligible: (0..bars.len()).map(|bar| balance.contains_key(&bar)).collect(),
            returns,
            events: balance.keys().copied().collect(),
            tones: balance.values().map(tone).collect(),
        }
    }

    fn member<'a>(&'a self, subject: &Subject<'a>) -> Member<'a> {
        let Self { times, returns, eligible, .. } = self;
        Member { name: subject.symbol.as_str(), times, returns, eligible, volatility: &[] }
    }
}

/// The tones of each instrument in another order, by the shuffle of Fisher and Yates.
fn dealt(tones: &[Vec<Tone>], mut draw: SplitMix64) -> Vec<Vec<Tone>> {
    let mut dealt = tones.to_vec();
    for tones in &mut dealt {
        for last in (1..tones.len()).rev() {
            let other = (draw.uniform() * (last + 1) as f64) as usize;
            tones.swap(last, other.min(last));
        }
    }
    dealt
}

struct Look<'a> {
    scope: Scope<'a>,
    grounds: &'a [Ground],
    horizon: usize,
}

impl Look<'_> {
    fn study(&self, tone: Tone, tones: &[Vec<Tone>]) -> Option<Study> {
        let direction = if tone == Tone::Negative { Direction::Short } else { Direction::Long };
        let of = |(ground, tones): (&Ground, &Vec<Tone>)| -> Vec<usize> {
            let events = ground.events.iter().zip(tones).filter(|(_, of)| **of == tone);
            events.map(|(bar, _)| *bar).collect()
        };
        let events: Vec<Vec<usize>> = self.grounds.iter().zip(tones).map(of).collect();
        let events: Vec<&[usize]> = events.iter().map(Vec::as_slice).collect();
        self.scope.study(Claim::Direction(direction), &events)
    }

    fn figures(&self, study: &Study, thetas: &[f64]) -> Figures {
        let interval = Estimate::of(study, 0.0, mean_block(self.horizon))
            .and_then(|estimate| estimate.interval_student());
        let as_much = thetas.iter().filter(|theta| **theta >= study.theta).count();
        let p = (1 + as_much) as f64 / (1 + thetas.len()) as f64;
        Figures {
            n: study.n,
            n_eff: study.n_eff,
            mean: study.mean_return,
            base: study.base_return,
            lift: study.theta,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            p: (study.n >= LEAST_EVENTS).then_some(p),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::{self, Edge, Noise};

    /// Tones on bars of a world: good on `good`, others by chance.
    fn told(bars: &[Bar], seed: u64, good: &[usize]) -> Vec<Told> {
        let mut draw = SplitMix64::new(seed);
        let known_at = |bar: &Bar| bar.open_time.plus(std::time::Duration::from_secs(60));
        let mut told: Vec<Told> = good
            .iter()
            .map(|&bar| Told { known_at: known_at(&bars[bar]), tone: Tone::Positive })
            .collect();
        for (place, bar) in bars.iter().enumerate() {
            if draw.uniform() < 0.2 && !good.contains(&place) {
                let tone = Tone::ALL[(draw.uniform() * 3.0) as usize];
                told.push(Told { known_at: known_at(bar), tone });
            }
        }
        told
    }

    fn lift(bars: &[Bar], told: &[Told]) -> Vec<LiftRow> {
        let symbol = "x:A".parse().unwrap();
        let subject = Subject { symbol: &symbol, bars, told };
        news_lift(&[subject], LiftOptions { horizon: 3, shuffles: 199, seed: 5 }).unwrap()
    }

    #[test]
    fn a_planted_effect_is_found_and_the_shuffled_control_shows_none() {
        let edge = Edge { events: 60, drift: 0.05 };
        let (bars, events) = worlds::planted(edge, 3, 1_500);
        let rows = lift(&bars, &told(&bars, 1, &events));
        let good = rows.iter().find(|row| row.tone == Tone::Positive).unwrap();
        assert!(good.seen.p.unwrap() <= 0.01, "{good:?}");
        assert!(good.seen.low.unwrap() > 0.0);
        assert!(good.control.low.unwrap() < 0.0 && good.control.high.unwrap() > 0.0, "{good:?}");
        assert!(
            good.control.p.unwrap() > 0.05 && good.control.lift < good.seen.lift / 2.0,
            "{good:?}"
        );
    }

    /// Of 60 worlds of noise with three tones each, about one in twenty shows p ≤ 0.05, seen or
    /// shuffled: 9 expected, and 20 has a probability below one in a thousand.
    #[test]
    fn noise_shows_no_lift_more_often_than_chance() {
        let (mut seen, mut control, mut all) = (0, 0, 0);
        for seed in 0..60 {
            let bars = worlds::world(Noise::Normal, 1_000 + seed, 400);
            for row in lift(&bars, &told(&bars, seed, &[])) {
                all += 1;
                seen += usize::from(row.seen.p.unwrap() <= 0.05);
                control += usize::from(row.control.p.unwrap() <= 0.05);
            }
        }
        assert!(all == 180 && seen < 20 && control < 20, "{seen} and {control} of {all}");
    }

    #[test]
    fn a_position_is_entered_after_the_news_was_known() {
        let bars = worlds::world(Noise::Normal, 1, 30);
        let symbol = "x:A".parse().unwrap();
        let at = |known_at| {
            let told = [Told { known_at, tone: Tone::Positive }];
            let subject = Subject { symbol: &symbol, bars: &bars, told: &told };
            let options = LiftOptions { shuffles: 1, ..LiftOptions::default() };
            news_lift(&[subject], options).unwrap().first().map(|row| row.seen.mean)
        };
        let gain = |entry: usize| bars[entry + 1].open.to_f64() / bars[entry].open.to_f64() - 1.0;
        let second = std::time::Duration::from_secs(1);
        assert_eq!(at(bars[5].open_time), Some(gain(6)));
        assert_eq!(at(bars[6].open_time.minus(second)), Some(gain(6)));
        // Before the first bar, and so late that no exit is known: nothing is measured.
        assert_eq!(at(bars[0].open_time.minus(second)), None);
        assert_eq!(at(bars[28].open_time), None);
    }
}

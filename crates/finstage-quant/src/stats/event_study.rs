//! What followed a signal, compared with what follows any bar.
//!
//! ```text
//! x = v − mean of v over the eligible bars of the instrument      v = d·r, or |r − mean r| for `Size`
//! θ = Σ e·x / E
//! ψ[t] = (D/E)·Σ_k ( e·(x − θ) − (E_k/N_k)·x )                    one value a date, mean 0
//! ```
//!
//! e is 1 on events, E_k events and N_k eligible bars of instrument k, D dates. ψ is the influence of a
//! date on θ, with the error of the base rate in it: overlapping events and events of several
//! instruments on a date end in one short series, and all that follows costs the same for one
//! instrument or a thousand.

use finstage_model::{Direction, Timestamp};

use super::moments::{Moments, is_dust, mean};
use super::occasions::{Holding, occasion_means};
use super::proportion::{Interval, wilson};
use super::quantile::quantile;
use crate::series::is_usable;

/// What is claimed about the bars after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The price moves this way, more than it usually does.
    Direction(Direction),
    /// The price moves farther than usual, no matter which way.
    Size,
}

/// One instrument of a scope. The slices have one item for each of its bars.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Tells members apart and orders them: sums are taken in the order of names, so that the order
    /// in which members are given changes no bit.
    pub name: &'a str,
    /// When the bars begin, ascending.
    pub times: &'a [Timestamp],
    /// `r[t]`: the return of a position entered on the bar after t and left `horizon` bars later. Read
    /// on eligible bars alone; one that is not a number within ±[`crate::INPUT_LIMIT`] makes its bar
    /// not eligible.
    pub returns: &'a [f64],
    /// Whether the bar could have had an event: after the warm-up, with a usable return.
    pub eligible: &'a [bool],
    /// Volatility known at the close of the bar, for [`Study::volatility_matched`]; may be empty.
    pub volatility: &'a [f64],
}

/// A group of instruments at one horizon, with all that does not depend on the signal. Share it among
/// the hypotheses with the same eligible bars.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    horizon: usize,
    dates: Vec<Timestamp>,
    /// In the order of names.
    members: Vec<Base<'a>>,
}

/// A member, reduced to its eligible bars.
#[derive(Debug, Clone)]
struct Base<'a> {
    member: Member<'a>,
    /// Its place among the members as they were given.
    given: usize,
    bars: Vec<Eligible>,
    mean_return: f64,
}

#[derive(Debug, Clone, Copy)]
struct Eligible {
    bar: u32,
    /// Its place among the dates of the scope.
    date: u32,
    volatility: Tercile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tercile {
    Low,
    Middle,
    High,
    Unknown,
}

impl<'a> Scope<'a> {
    /// Of instruments, for positions held `horizon` bars. Names are different from each other. A bar
    /// whose exit lies beyond the last bar is not eligible, whatever the member says. `None` without
    /// an eligible bar.
    #[must_use]
    pub fn new(members: &[Member<'a>], horizon: usize) -> Option<Self> {
        let mut places: Vec<usize> = (0..members.len()).collect();
        places.sort_by_key(|&place| members[place].name);
        let mut members: Vec<Base<'a>> =
            places.into_iter().map(|place| Base::new(members[place], place, horizon)).collect();
        let mut dates: Vec<Timestamp> = Vec::new();
        for base in &members {
            dates.extend(base.bars.iter().map(|eligible| base.time(eligible.bar)));
        }
        // Each member is in order already, which this sort makes use of.
        dates.sort();
        dates.dedup();
        for base in &mut members {
            base.find_dates(&dates);
        }
        (!dates.is_empty()).then_some(Self { horizon, dates, members })
    }

    /// The dates with an eligible bar, ascending.
    #[must_use]
    pub fn dates(&self) -> &[Timestamp] {
        &self.dates
    }

    /// Measures a claim about events: bar indices of each member, in the order in which members were
    /// given to [`Scope::new`]. Events on bars that are not eligible, and repeated ones, do not count.
    /// `None` when no event remains.
    #[must_use]
    pub fn study(&self, claim: Claim, events: &[&[usize]]) -> Option<Study> {
        let counted: Vec<Counted<'_>> = self
            .members
            .iter()
            .map(|base| Counted::new(base, claim, events.get(base.given).copied().unwrap_or(&[])))
            .collect();
        let n: usize = counted.iter().map(|one| one.events.len()).sum();
        if n == 0 {
            return None;
        }
        let events = n as f64;
        let pooled = |of: &dyn Fn(&Counted<'_>) -> f64| counted.iter().map(of).sum::<f64>();
        let theta = pooled(&|one| one.events_sum(|place| one.excess(place))) / events;
        let outcomes: Vec<(Holding, f64)> =
            counted.iter().flat_map(|one| one.outcomes(self.horizon)).collect();
        let occasions = occasion_means(&outcomes);
        let excess: Vec<f64> = outcomes.iter().map(|(_, excess)| *excess).collect();
        let deviation = |sample| Moments::of(sample).map(|moments| moments.deviation);
        let last_third = (self.dates.len() - self.dates.len() / 3) as u32;
        Some(Study {
            claim,
            n,
            n_eff: occasions.len(),
            events: counted.iter().map(|one| one.events.len()).collect(),
            theta,
            mean_return: pooled(&|one| one.events_sum(|place| one.values[place])) / events,
            base_return: pooled(&|one| one.events.len() as f64 * one.mean) / events,
            hit_rate: pooled(&|one| one.events_sum(|place| one.hit(place))) / events,
            base_hit_rate: pooled(&|one| one.events.len() as f64 * one.base_hits()) / events,
            event_deviation: deviation(&excess),
            occasion_deviation: deviation(&occasions),
            last_third: theta_of(&counted, |bar| bar.date >= last_third),
            volatility_matched: matched(&counted),
            psi: self.psi(&counted, theta, events),
        })
    }

    fn psi(&self, counted: &[Counted<'_>], theta: f64, events: f64) -> Vec<f64> {
        let mut psi = vec![0.0; self.dates.len()];
        for one in counted.iter().filter(|one| !one.events.is_empty()) {
            let share = one.events.len() as f64 / one.base.bars.len() as f64;
            for (place, eligible) in one.base.bars.iter().enumerate() {
                psi[eligible.date as usize] -= share * one.excess(place);
            }
            for &place in &one.events {
                psi[one.base.bars[place].date as usize] += one.excess(place) - theta;
            }
        }
        let scale = self.dates.len() as f64 / events;
        psi.iter_mut().for_each(|value| *value *= scale);
        psi
    }
}

impl<'a> Base<'a> {
    fn new(member: Member<'a>, given: usize, horizon: usize) -> Self {
        let with_exit = member.times.len().saturating_sub(horizon.saturating_add(1));
        let usable = |&(bar, (is_eligible, value)): &(usize, (&bool, &f64))| {
            *is_eligible && is_usable(*value) && bar < with_exit
        };
        let pairs = member.eligible.iter().zip(member.returns).enumerate();
        let bars: Vec<u32> = pairs.filter(usable).map(|(bar, _)| bar as u32).collect();
        let volatility =
            |bar: u32| member.volatility.get(bar as usize).copied().unwrap_or(f64::NAN);
        let cuts = Cuts::of(bars.iter().map(|&bar| volatility(bar)));
        let eligible =
            |bar: u32| Eligible { bar, date: 0, volatility: cuts.tercile(volatility(bar)) };
        let returns: Vec<f64> = bars.iter().map(|&bar| member.returns[bar as usize]).collect();
        Self {
            member,
            given,
            bars: bars.into_iter().map(eligible).collect(),
            mean_return: mean(&returns).unwrap_or(0.0),
        }
    }

    fn find_dates(&mut self, dates: &[Timestamp]) {
        let mut date = 0;
        for place in 0..self.bars.len() {
            let time = self.time(self.bars[place].bar);
            while dates[date] < time {
                date += 1;
            }
            self.bars[place].date = date as u32;
        }
    }

    fn time(&self, bar: u32) -> Timestamp {
        self.member.times[bar as usize]
    }

    fn return_at(&self, place: usize) -> f64 {
        self.member.returns[self.bars[place].bar as usize]
    }
}

/// Where the terciles of a volatility part.
struct Cuts {
    low: f64,
    high: f64,
}

impl Cuts {
    fn of(volatility: impl Iterator<Item = f64>) -> Self {
        let mut known: Vec<f64> = volatility.filter(|value| value.is_finite()).collect();
        known.sort_by(f64::total_cmp);
        let cut = |share: f64| quantile(&known, share).unwrap_or(f64::INFINITY);
        Self { low: cut(1.0 / 3.0), high: cut(2.0 / 3.0) }
    }

    fn tercile(&self, volatility: f64) -> Tercile {
        if !volatility.is_finite() {
            Tercile::Unknown
        } else if volatility <= self.low {
            Tercile::Low
        } else if volatility <= self.high {
            Tercile::Middle
        } else {
            Tercile::High
        }
    }
}

/// A member with the values that a claim is about, and its events.
struct Counted<'a> {
    base: &'a Base<'a>,
    claim: Claim,
    /// v of each eligible bar.
    values: Vec<f64>,
    mean: f64,
    /// Places of events among the eligible bars, ascending.
    events: Vec<usize>,
}

impl<'a> Counted<'a> {
    fn new(base: &'a Base<'a>, claim: Claim, events: &[usize]) -> Self {
        let place = |&bar: &usize| {
            base.bars.binary_search_by_key(&bar, |eligible| eligible.bar as usize).ok()
        };
        let mut events: Vec<usize> = events.iter().filter_map(place).collect();
        events.sort_unstable();
        events.dedup();
        let value = |place: usize| match claim {
            Claim::Direction(direction) => direction.sign() * base.return_at(place),
            Claim::Size => (base.return_at(place) - base.mean_return).abs(),
        };
        // Nothing is read from a member without events.
        let read = if events.is_empty() { 0 } else { base.bars.len() };
        let mut values: Vec<f64> = (0..read).map(value).collect();
        let mean = mean(&values).unwrap_or(0.0);
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        if is_dust(squares, values.len() as f64, mean) {
            values.fill(mean);
        }
        Self { base, claim, values, mean, events }
    }

    /// x.
    fn excess(&self, place: usize) -> f64 {
        self.values[place] - self.mean
    }

    fn events_sum(&self, of: impl Fn(usize) -> f64) -> f64 {
        self.events.iter().map(|&place| of(place)).sum()
    }

    /// 1 for a hit: the price moved as claimed, or farther than on average.
    fn hit(&self, place: usize) -> f64 {
        let reached = match self.claim {
            Claim::Direction(_) => self.values[place] > 0.0,
            Claim::Size => self.values[place] > self.mean,
        };
        f64::from(u8::from(reached))
    }

    /// Share of eligible bars that would have been hits.
    fn base_hits(&self) -> f64 {
        let hits: f64 = (0..self.values.len()).map(|place| self.hit(place)).sum();
        if self.values.is_empty() { 0.0 } else { hits / self.values.len() as f64 }
    }

    /// When each event is held, and its x.
    fn outcomes(&self, horizon: usize) -> impl Iterator<Item = (Holding, f64)> {
        let times = self.base.member.times;
        self.events.iter().map(move |&place| {
            let entry = self.base.bars[place].bar as usize + 1;
            let holding = Holding { entry: times[entry], exit: times[entry + horizon] };
            (holding, self.excess(place))
        })
    }

    /// Sum over the events of a part of the bars of v minus its mean over that part, and their number.
    fn part(&self, belongs: impl Fn(&Eligible) -> bool) -> (f64, usize) {
        let inside = |place: &usize| belongs(&self.base.bars[*place]);
        let events: Vec<usize> = self.events.iter().copied().filter(inside).collect();
        let values: Vec<f64> =
            (0..self.values.len()).filter(inside).map(|place| self.values[place]).collect();
        let base = mean(&values).unwrap_or(0.0);
        (events.iter().map(|&place| self.values[place] - base).sum(), events.len())
    }
}

/// θ over a part of the bars, with base rates of that part. `None` when it has no event.
fn theta_of(counted: &[Counted<'_>], belongs: impl Fn(&Eligible) -> bool) -> Option<f64> {
    let (mut sum, mut events) = (0.0, 0);
    for one in counted {
        let (more, count) = one.part(&belongs);
        sum += more;
        events += count;
    }
    (events > 0).then(|| sum / events as f64)
}

/// θ with the base rate of the event's tercile of volatility. `None` where no event has one.
fn matched(counted: &[Counted<'_>]) -> Option<f64> {
    let (mut sum, mut events) = (0.0, 0);
    for one in counted {
        for tercile in [Tercile::Low, Tercile::Middle, Tercile::High] {
            let (more, count) = one.part(|bar| bar.volatility == tercile);
            sum += more;
            events += count;
        }
    }
    (events > 0).then(|| sum / events as f64)
}

/// What followed the events of a claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// What was claimed.
    pub claim: Claim,
    /// Events.
    pub n: usize,
    /// Events that do not overlap, over the whole scope.
    pub n_eff: usize,
    /// Events of each member, in the order of names.
    pub events: Vec<usize>,
    /// Mean of v over events minus the base rate, before cost.
    pub theta: f64,
    /// Mean of v over events: the return in the claimed direction, or the size of the move.
    pub mean_return: f64,
    /// Mean of v over eligible bars, instruments weighted by their events.
    pub base_return: f64,
    /// Share of events that went as claimed: d·r > 0, or a move above the mean size.
    pub hit_rate: f64,
    /// The same share of eligible bars, instruments weighted by their events.
    pub base_hit_rate: f64,
    /// Standard deviation of x over events, n − 1 in the denominator. `None` without spread.
    pub event_deviation: Option<f64>,
    /// Standard deviation of the mean x of each occasion, the unit in which drift is watched
    /// ([`super::cusum::Cusum`]). `None` without spread.
    pub occasion_deviation: Option<f64>,
    /// θ over the events of the last third of dates, against the base rate of that third. `None`
    /// without events there.
    pub last_third: Option<f64>,
    /// θ against the base rate of the event's tercile of volatility, per instrument. `None` where no
    /// event has a known volatility.
    pub volatility_matched: Option<f64>,
    /// The influence of each date on θ, in the order of dates; mean 0.
    pub psi: Vec<f64>,
}

impl Study {
    /// The 95 % interval of the hit rate, by effective events.
    #[must_use]
    pub fn hit_interval(&self) -> Option<Interval> {
        wilson(self.hit_rate, self.n_eff as f64)
    }

    /// How many times the usual the mean of v was; for [`Claim::Size`]. `None` where the usual is 0.
    #[must_use]
    pub fn times_usual(&self) -> Option<f64> {
        let ratio = self.mean_return / self.base_return;
        (self.claim == Claim::Size && ratio.is_finite()).then_some(ratio)
    }
}

//! Invented markets whose truth is known: noise of several kinds, and noise with an edge planted in it.
//!
//! A verdict that is worth something finds nothing in the first and the edge in the second. Daily bars
//! from Monday to Friday, a function of the seed alone. Prices begin at 100; a drift that carries them
//! beyond 9e9, where nano units end, stays there.

use finstage_model::{Bar, Day, InstrumentId, Interval, Price, Qty};
use finstage_quant::stats::random::SplitMix64;

/// Standard deviation of a daily return.
const DEVIATION: f64 = 0.012;
/// Standard deviation of the logarithm of a volume.
const VOLUME_DEVIATION: f64 = 0.35;
/// Return of a bar with a planted event.
const EVENT_RETURN: f64 = 0.015;
/// How many times the usual volume such a bar has.
const EVENT_VOLUME: f64 = 6.0;
/// How many times the usual volume a bar has that is marked by nothing else.
const MARK_VOLUME: f64 = 1e4;
/// Above every volume but that of a marked bar, which is above it.
pub const MARK: f64 = 1e9;
/// Bars over which a planted edge is paid out.
const EDGE_BARS: usize = 5;
/// Bars at the beginning in which nothing is planted: no strategy that listens to volume may speak yet.
const WARMUP: usize = 30;

/// Where returns come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Noise<'a> {
    /// Independent and normal.
    Normal,
    /// GARCH(1,1) with normal shocks: volatility clusters. Weight of the last square, then of the last
    /// variance.
    Garch(f64, f64),
    /// The same with shocks of Student's distribution with 5 degrees of freedom.
    StudentGarch(f64, f64),
    /// Drawn one by one from these returns.
    Drawn(&'a [f64]),
}

/// An edge after an event: the bar of the event rises on six times the usual volume, and the next five
/// bars drift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// How many events, on random bars.
    pub events: usize,
    /// How far the price drifts over the five bars, as a fraction.
    pub drift: f64,
}

/// On which bars the instruments of a panel have their events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// Each on random bars of its own.
    Apart,
    /// All on the same.
    Shared,
}

/// Bars of one instrument.
#[must_use]
pub fn world(noise: Noise<'_>, seed: u64, bars: usize) -> Vec<Bar> {
    let mut stream = Stream(SplitMix64::of_draw(seed, 0));
    let returns = stream.returns(noise, bars);
    stream.bars(&returns, &vec![0.0; bars], &vec![1.0; bars])
}

/// Bars of several instruments whose normal returns share a common factor with weight `correlation`.
#[must_use]
pub fn panel(instruments: usize, correlation: f64, seed: u64, bars: usize) -> Vec<Vec<Bar>> {
    let mut common = Stream(SplitMix64::of_draw(seed, 0));
    let shared: Vec<f64> = (0..bars).map(|_| common.normal()).collect();
    let one = |number: usize| {
        let mut stream = Stream(SplitMix64::of_draw(seed, number as u64 + 1));
        let returns = stream.mixed(&shared, correlation);
        stream.bars(&returns, &vec![0.0; bars], &vec![1.0; bars])
    };
    (0..instruments).map(one).collect()
}

/// Bars of one instrument with normal returns and a planted edge, and the bars of its events,
/// ascending.
#[must_use]
pub fn planted(edge: Edge, seed: u64, bars: usize) -> (Vec<Bar>, Vec<usize>) {
    fading(edge, seed, bars, bars)
}

/// As [`planted`], with nothing after the events from bar `until` on: the edge is gone, its occasions
/// are not.
#[must_use]
pub fn fading(edge: Edge, seed: u64, bars: usize, until: usize) -> (Vec<Bar>, Vec<usize>) {
    let mut stream = Stream(SplitMix64::of_draw(seed, 0));
    let mut returns = stream.returns(Noise::Normal, bars);
    let mut volumes = vec![1.0; bars];
    let events = stream.events(edge.events, bars);
    for &event in &events {
        returns[event] = EVENT_RETURN;
        volumes[event] = EVENT_VOLUME;
    }
    let paid = &events[..events.partition_point(|&event| event < until)];
    let begun = pay(&mut returns, paid, edge.drift);
    (stream.bars(&returns, &begun, &volumes), events)
}

/// A panel as [`panel`] makes it, in which every instrument has the events of `edge`: bars that are
/// marked by a volume above [`MARK`] and by nothing else, and the drift after them.
#[must_use]
pub fn marked(
    (instruments, correlation): (usize, f64),
    (edge, dates): (Edge, Dates),
    seed: u64,
    bars: usize,
) -> Vec<Vec<Bar>> {
    let mut common = Stream(SplitMix64::of_draw(seed, 0));
    let shared: Vec<f64> = (0..bars).map(|_| common.normal()).collect();
    let all = common.events(edge.events, bars);
    let one = |number: usize| {
        let mut stream = Stream(SplitMix64::of_draw(seed, number as u64 + 1));
        let mut returns = stream.mixed(&shared, correlation);
        let events = match dates {
            Dates::Shared => all.clone(),
            Dates::Apart => stream.events(edge.events, bars),
        };
        let mut volumes = vec![1.0; bars];
        for &event in &events {
            volumes[event] = MARK_VOLUME;
        }
        let begun = pay(&mut returns, &events, edge.drift);
        stream.bars(&returns, &begun, &volumes)
    };
    (0..instruments).map(one).collect()
}

/// Adds a drift after each event, and returns what of it each bar must not have before its open: the
/// position is entered at the open after the event and left at the open of the sixth bar, and is to
/// earn all of it.
fn pay(returns: &mut [f64], events: &[usize], drift: f64) -> Vec<f64> {
    let step = drift / EDGE_BARS as f64;
    let mut begun = vec![0.0; returns.len()];
    for &event in events {
        begun[event + 1] = step;
        for after in &mut returns[event + 1..=event + EDGE_BARS] {
            *after += step;
        }
    }
    begun
}

struct Stream(SplitMix64);

impl Stream {
    /// Standard normal (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.0.uniform())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.0.uniform())
    }

    /// Student's with 5 degrees of freedom, scaled to deviation 1.
    fn student(&mut self) -> f64 {
        let top = self.normal();
        let squares: f64 = (0..5).map(|_| self.normal()).map(|z| z * z).sum();
        top / (squares / 5.0).sqrt() * 0.6f64.sqrt()
    }

    /// Normal returns with a part in common with others.
    fn mixed(&mut self, shared: &[f64], correlation: f64) -> Vec<f64> {
        let own = (1.0 - correlation).sqrt();
        let mix = |shared: &f64| DEVIATION * (correlation.sqrt() * shared + own * self.normal());
        shared.iter().map(mix).collect()
    }

    /// So many random bars, ascending, each once; as many as there is room for.
    fn events(&mut self, count: usize, bars: usize) -> Vec<usize> {
        let room = bars.saturating_sub(WARMUP + EDGE_BARS + 2);
        let mut events: Vec<usize> = Vec::new();
        while events.len() < count.min(room) {
            let bar = WARMUP + (self.0.uniform() * room as f64) as usize;
            if !events.contains(&bar) {
                events.push(bar);
            }
        }
        events.sort_unstable();
        events
    }

    fn returns(&mut self, noise: Noise<'_>, bars: usize) -> Vec<f64> {
        let mut variance = DEVIATION * DEVIATION;
        let mut next = || match noise {
            Noise::Normal => DEVIATION * self.normal(),
            Noise::Drawn(returns) => {
                let place = (self.0.uniform() * returns.len() as f64) as usize;
                returns.get(place).copied().unwrap_or(0.0)
            }
            Noise::Garch(square, last) | Noise::StudentGarch(square, last) => {
                let shock = match noise {
                    Noise::StudentGarch(..) => self.student(),
                    _ => self.normal(),
                };
                let value = variance.sqrt() * shock;
                let usual = DEVIATION * DEVIATION * (1.0 - square - last);
                variance = usual + square * value * value + last * variance;
                value
            }
        };
        (0..bars).map(|_| next()).collect()
    }

    /// Bars with these returns from close to close. The open lies between the close before and the
    /// close, with nothing of what has `begun` in this bar behind it.
    fn bars(&mut self, returns: &[f64], begun: &[f64], volumes: &[f64]) -> Vec<Bar> {
        const MONDAY: i32 = 14_613; // 2010-01-04
        let mut close = 100.0;
        let mut day = Day::from_days(MONDAY);
        let mut bars = Vec::with_capacity(returns.len());
        for ((value, begun), volume) in returns.iter().zip(begun).zip(volumes) {
            let open = close * (1.0 + (value - begun) * self.0.uniform());
            // What cannot be is kept away from the price: nothing falls by more than half a day.
            close *= 1.0 + value.max(-0.5);
            let reach = 0.3 * DEVIATION;
            let high = open.max(close) * (1.0 + reach * self.normal().abs());
            let low = open.min(close) * (1.0 - (reach * self.normal().abs()).min(0.5));
            let traded = volume * 1e6 * libm::exp(VOLUME_DEVIATION * self.normal());
            let price = |value: f64| Price::from_nanos((value * 1e9).round() as i64);
            bars.push(Bar {
                instrument: InstrumentId(0),
                interval: Interval::D1,
                open_time: day.start(),
                open: price(open),
                high: price(high),
                low: price(low),
                close: price(close),
                volume: Qty::from_nanos((traded.round() as u128) * 1_000_000_000),
                trades: 0,
            });
            day = match day.days_from_monday() {
                4 => Day::from_days(day.days() + 3),
                _ => day.next(),
            };
        }
        bars
    }
}

#[cfg(test)]
mod tests {
    use finstage_quant::stats::moments::Moments;

    use super::*;

    fn returns(bars: &[Bar]) -> Vec<f64> {
        let closes: Vec<f64> = bars.iter().map(|bar| bar.close.to_f64()).collect();
        closes.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect()
    }

    #[test]
    fn noise_is_as_wild_as_it_should_be() {
        let said = |noise| Moments::of(&returns(&world(noise, 7, 20_000))).unwrap();
        let normal = said(Noise::Normal);
        assert!((normal.deviation / DEVIATION - 1.0).abs() < 0.03, "{normal:?}");
        assert!((normal.kurtosis - 3.0).abs() < 0.2, "{normal:?}");
        assert!(said(Noise::Garch(0.08, 0.90)).kurtosis > 3.3);
        assert!(said(Noise::StudentGarch(0.12, 0.87)).kurtosis > 6.0);
        let drawn = said(Noise::Drawn(&[0.01, -0.01]));
        assert!((drawn.kurtosis - 1.0).abs() < 0.01, "{drawn:?}");
    }

    #[test]
    fn every_bar_is_possible_and_a_seed_is_a_world() {
        for noise in [Noise::Normal, Noise::StudentGarch(0.12, 0.87)] {
            let bars = world(noise, 3, 2_520);
            assert!(bars.iter().all(|bar| bar.fault().is_none()));
            assert_eq!(world(noise, 3, 2_520), bars);
            assert_ne!(world(noise, 4, 2_520), bars);
            assert!(bars.iter().all(|bar| bar.open_time.day().days_from_monday() < 5));
        }
    }

    #[test]
    fn a_planted_event_is_followed_by_its_drift() {
        let edge = Edge { events: 400, drift: 0.02 };
        let (bars, events) = planted(edge, 5, 20_000);
        assert_eq!(events.len(), 400);
        let open = |bar: usize| bars[bar].open.to_f64();
        let after: f64 = events.iter().map(|&bar| open(bar + 6) / open(bar + 1) - 1.0).sum();
        // All of its drift is ahead of the open; other events add a little.
        let others = 400.0 / 20_000.0 * 5.0 * 0.02;
        assert!((after / 400.0 - 0.02 - others).abs() < 0.003, "{}", after / 400.0);
    }

    #[test]
    fn marked_bars_are_known_by_their_volume_alone() {
        let edge = Edge { events: 200, drift: 0.01 };
        let bars_of = |panel: &[Vec<Bar>]| -> Vec<Vec<usize>> {
            let is_marked = |bar: &Bar| bar.volume.to_f64() > MARK;
            let marks =
                |bars: &Vec<Bar>| (0..bars.len()).filter(|&i| is_marked(&bars[i])).collect();
            panel.iter().map(marks).collect()
        };
        let apart = marked((2, 0.3), (edge, Dates::Apart), 5, 20_000);
        let events = bars_of(&apart);
        assert_eq!((events[0].len(), events[1].len()), (200, 200));
        assert_ne!(events[0], events[1]);
        let shared = bars_of(&marked((2, 0.3), (edge, Dates::Shared), 5, 20_000));
        assert_eq!(shared[0], shared[1]);
        let open = |bar: usize| apart[0][bar].open.to_f64();
        let after: f64 = events[0].iter().map(|&bar| open(bar + 6) / open(bar + 1) - 1.0).sum();
        assert!((after / 200.0 - 0.01).abs() < 0.006, "{}", after / 200.0);
    }

    #[test]
    fn an_edge_fades_and_its_events_stay() {
        let edge = Edge { events: 400, drift: 0.02 };
        let (faded, events) = fading(edge, 5, 20_000, 10_000);
        let (whole, same) = planted(edge, 5, 20_000);
        assert_eq!(events, same);
        assert_eq!(faded[..10_000], whole[..10_000]);
        let open = |bar: usize| faded[bar].open.to_f64();
        let late: Vec<usize> = events.into_iter().filter(|event| *event >= 10_010).collect();
        let after: f64 = late.iter().map(|&bar| open(bar + 6) / open(bar + 1) - 1.0).sum();
        assert!((after / late.len() as f64).abs() < 0.004, "{}", after / late.len() as f64);
    }

    #[test]
    fn instruments_of_a_panel_move_together() {
        let panel = panel(2, 0.3, 9, 20_000);
        let columns: Vec<Vec<f64>> = panel.iter().map(|bars| returns(bars)).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let said = finstage_quant::stats::moments::mean_correlation(&columns).unwrap();
        assert!((said - 0.3).abs() < 0.03, "{said}");
    }
}

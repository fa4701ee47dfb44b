//! Laws that the statistics of evidence keep on any input.

use finstage_model::{Direction, Timestamp};
use finstage_quant::stats::bootstrap::{
    DRAWS, Draws, MORE_DRAWS, PrefixSums, SEED, Tail, exceedances_together, t_stars_together,
};
use finstage_quant::stats::event_study::{Claim, Member, Scope, Study};
use finstage_quant::stats::inference::{Estimate, ascending, mean_block};
use finstage_quant::stats::long_run::stationary_variance;
use finstage_quant::stats::occasions::{Holding, occasions};
use finstage_quant::stats::random::SplitMix64;
use proptest::prelude::*;

const UP: Claim = Claim::Direction(Direction::Long);
const DOWN: Claim = Claim::Direction(Direction::Short);

/// An instrument by itself, from which a [`Member`] borrows.
#[derive(Debug, Clone)]
struct Instrument {
    name: String,
    times: Vec<Timestamp>,
    prices: Vec<f64>,
    returns: Vec<f64>,
    eligible: Vec<bool>,
    volatility: Vec<f64>,
    events: Vec<usize>,
}

impl Instrument {
    fn new(name: &str, days: &[i64], prices: Vec<f64>, horizon: usize) -> Self {
        let bars = prices.len();
        let value = |bar: usize| match (prices.get(bar + 1), prices.get(bar + 1 + horizon)) {
            (Some(entry), Some(exit)) => exit / entry - 1.0,
            _ => f64::NAN,
        };
        Self {
            name: name.to_owned(),
            times: days.iter().map(|day| Timestamp::from_secs(day * 86_400)).collect(),
            returns: (0..bars).map(value).collect(),
            eligible: vec![true; bars],
            volatility: Vec::new(),
            events: Vec::new(),
            prices,
        }
    }

    /// A walk over the days `first..first + bars`, with events here and there.
    fn walk(seed: u64, first: i64, bars: usize, horizon: usize) -> Self {
        let mut stream = SplitMix64::new(seed);
        let mut price = 100.0;
        let mut step = || {
            price *= 1.0 + (stream.uniform() - 0.5) / 25.0;
            price
        };
        let prices = (0..bars).map(|_| step()).collect();
        let days: Vec<i64> = (first..).take(bars).collect();
        let mut walk = Self::new(&format!("walk {seed}"), &days, prices, horizon);
        walk.volatility = (0..bars).map(|_| stream.uniform()).collect();
        walk.events = (0..bars).filter(|_| stream.uniform() < 0.1).collect();
        walk
    }

    fn member(&self) -> Member<'_> {
        Member {
            name: &self.name,
            times: &self.times,
            returns: &self.returns,
            eligible: &self.eligible,
            volatility: &self.volatility,
        }
    }
}

fn study(instruments: &[Instrument], horizon: usize, claim: Claim) -> Option<Study> {
    let members: Vec<Member<'_>> = instruments.iter().map(Instrument::member).collect();
    let events: Vec<&[usize]> = instruments.iter().map(|one| one.events.as_slice()).collect();
    Scope::new(&members, horizon)?.study(claim, &events)
}

fn panel(horizon: usize) -> Vec<Instrument> {
    (0..5).map(|k| Instrument::walk(k, 7 * k as i64, 300 + 10 * k as usize, horizon)).collect()
}

fn close(said: f64, wanted: f64) {
    assert!((said - wanted).abs() <= 1e-12 * wanted.abs().max(1e-3), "{said} is not {wanted}");
}

#[test]
fn an_effect_is_worked_out_by_hand() {
    // Returns of one bar: +10 %, −10 %, +20 %, 0 %; the last two bars have no exit.
    let prices = vec![1.0, 100.0, 110.0, 99.0, 118.8, 118.8];
    let mut one = Instrument::new("a", &[1, 2, 3, 4, 5, 6], prices, 1);
    one.events = vec![0, 2, 4];
    let up = study(std::slice::from_ref(&one), 1, UP).unwrap();
    assert_eq!((up.n, up.n_eff, up.events.as_slice(), up.psi.len()), (2, 2, &[2][..], 4));
    close(up.mean_return, 0.15);
    close(up.base_return, 0.05);
    close(up.theta, 0.10);
    close(up.hit_rate, 1.0);
    close(up.base_hit_rate, 0.5);
    // x = 0.05, −0.15, 0.15, −0.05; ψ = 2·(e·(x − 0.1) − x/2).
    let wanted = [2.0 * (-0.05 - 0.025), 0.15, 2.0 * (0.05 - 0.075), 0.05];
    up.psi.iter().zip(wanted).for_each(|(said, wanted)| close(*said, wanted));

    let down = study(std::slice::from_ref(&one), 1, DOWN).unwrap();
    close(down.theta, -0.10);
    close(down.hit_rate, 0.0);
    close(down.base_hit_rate, 0.25);

    // Distances from the mean of 5 %: 5, 15, 15, 5 %.
    one.events = vec![1, 2];
    let size = study(&[one], 1, Claim::Size).unwrap();
    close(size.base_return, 0.10);
    close(size.theta, 0.05);
    close(size.times_usual().unwrap(), 1.5);
    assert_eq!((size.hit_rate, size.base_hit_rate), (1.0, 0.5));
    assert_eq!(up.times_usual(), None);
}

#[test]
fn parts_of_the_past_have_base_rates_of_their_own() {
    // Calm bars gain 1 %, bars of middle volatility 2 %, wild ones 3 %: an event that fires when it is
    // wild only seems to know something.
    let steps = [1.01, 1.02, 1.03];
    let mut prices = vec![1.0, 1.0];
    (0..90).for_each(|bar| prices.push(prices[bar + 1] * steps[bar % 3]));
    let days: Vec<i64> = (0..92).collect();
    let mut one = Instrument::new("a", &days, prices, 1);
    one.volatility = (0..92).map(|bar| (bar % 3) as f64).collect();
    one.events = (2..90).step_by(3).collect();
    let fired_when_wild = study(std::slice::from_ref(&one), 1, UP).unwrap();
    close(fired_when_wild.theta, 0.01);
    close(fired_when_wild.volatility_matched.unwrap(), 0.0);
    close(fired_when_wild.last_third.unwrap(), 0.01);

    one.events.retain(|&bar| bar < 60);
    assert_eq!(study(std::slice::from_ref(&one), 1, UP).unwrap().last_third, None);
    one.events = vec![59, 60];
    let split = study(std::slice::from_ref(&one), 1, UP).unwrap();
    close(split.last_third.unwrap(), -0.01);
    one.volatility.clear();
    assert_eq!(study(&[one], 1, UP).unwrap().volatility_matched, None);
}

#[test]
fn the_order_of_instruments_changes_no_bit() {
    for claim in [UP, DOWN, Claim::Size] {
        let mut instruments = panel(5);
        let wanted = study(&instruments, 5, claim).unwrap();
        instruments.reverse();
        assert_eq!(study(&instruments, 5, claim).unwrap(), wanted);
        instruments.swap(1, 3);
        assert_eq!(study(&instruments, 5, claim).unwrap(), wanted);
    }
}

#[test]
fn drift_is_not_skill() {
    let horizon = 5;
    let flat = Instrument::walk(11, 0, 800, horizon);
    for growth in [1.001, 1.01, 0.995] {
        let days: Vec<i64> = (0..800).collect();
        let mut factor: f64 = 1.0;
        let mut grow = |price: &f64| {
            factor *= growth;
            price * factor
        };
        let prices = flat.prices.iter().map(&mut grow).collect();
        let mut drifting = Instrument::new("walk 11", &days, prices, horizon);
        drifting.events = flat.events.clone();
        let t = |one: &Instrument| {
            let study = study(std::slice::from_ref(one), horizon, UP).unwrap();
            Estimate::of(&study, 0.0, mean_block(horizon)).unwrap().t
        };
        let (with, without) = (t(&drifting), t(&flat));
        assert!((with / without - 1.0).abs() < 1e-9, "{growth}: {with} {without}");
    }
}

#[test]
fn the_influence_of_dates_sums_to_nothing_and_shows_the_effect_of_leaving_one_out() {
    let instruments = panel(1);
    let whole = study(&instruments, 1, UP).unwrap();
    let sum: f64 = whole.psi.iter().sum();
    let size: f64 = whole.psi.iter().map(|psi| psi.abs()).sum();
    assert!(sum.abs() < 1e-12 * size);
    let dates = whole.psi.len() as f64;
    for day in [40, 133, 290] {
        let mut without = instruments.clone();
        for one in &mut without {
            let bar = one.times.iter().position(|time| time.day().days() == day);
            bar.into_iter().for_each(|bar| one.eligible[bar] = false);
        }
        let change = study(&without, 1, UP).unwrap().theta - whole.theta;
        let predicted = -whole.psi[day as usize] / dates;
        // First order: the second is smaller by the share of events on that date.
        assert!((change - predicted).abs() < 0.05 * predicted.abs() + 1e-7, "{change} {predicted}");
    }
}

#[test]
fn draws_are_equal_however_they_are_split_over_threads() {
    let columns: Vec<Vec<f64>> = (0..19).map(|k| walk_psi(k, 400)).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let sums = PrefixSums::new(&columns).unwrap();
    let draws = Draws::new(400, 5.0, SEED).unwrap();
    let whole = draws.t_stars(&sums, 0..301);
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| draws.t_stars(&sums, 0..77));
        let second = scope.spawn(|| draws.t_stars(&sums, 77..301));
        (first.join().unwrap(), second.join().unwrap())
    });
    let mut joined = first;
    joined.append(second);
    assert_eq!(joined, whole);

    let some = sums.pick(&[18, 3]).unwrap();
    let alone = draws.t_stars(&some, 0..301);
    assert_eq!(alone.column(0), whole.column(18));
    assert_eq!(alone.column(1), whole.column(3));
    let counted = draws.exceedances(&some, &[0.5, -0.5], 0..301);
    assert_eq!(counted[0], Tail::of(whole.column(18), 0.5).exceedances);
    assert_eq!(counted[1], Tail::of(whole.column(3), -0.5).exceedances);
}

#[test]
fn samples_of_other_dates_share_draws_without_a_difference() {
    let columns: Vec<Vec<f64>> = (0..11).map(|k| walk_psi(k, 400)).collect();
    let sums = |dates: usize, count: usize| {
        let some: Vec<&[f64]> = columns[..count].iter().map(|all| &all[..dates]).collect();
        PrefixSums::new(&some).unwrap()
    };
    let all = [(400, 3), (97, 11), (1, 1), (399, 9)]
        .map(|(dates, count)| (Draws::new(dates, 10.0, 3).unwrap(), sums(dates, count)));
    let together: Vec<_> = all.iter().map(|(draws, sums)| (draws, sums)).collect();
    let stars = t_stars_together(&together, 5..205);
    let thresholds: Vec<Vec<f64>> = all.iter().map(|(_, sums)| vec![0.4; sums.columns()]).collect();
    let thresholds: Vec<&[f64]> = thresholds.iter().map(Vec::as_slice).collect();
    let counts = exceedances_together(&together, &thresholds, 5..205);
    for (number, (draws, sums)) in all.iter().enumerate() {
        assert_eq!(stars[number], draws.t_stars(sums, 5..205));
        assert_eq!(counts[number], draws.exceedances(sums, thresholds[number], 5..205));
    }
    assert!(t_stars_together(&[], 0..9).is_empty());
}

#[test]
fn a_draw_is_what_its_blocks_say() {
    // A mean other than 0, so that what passes the end of the sample counts.
    let psi: Vec<f64> = walk_psi(5, 97).into_iter().map(|psi| psi + 0.3).collect();
    let draws = Draws::new(97, 10.0, 7).unwrap();
    let stars = draws.t_stars(&PrefixSums::new(&[&psi]).unwrap(), 0..200);
    for draw in 0..200 {
        let mut blocks = Vec::new();
        draws.blocks(draw, &mut blocks);
        assert_eq!(blocks.iter().map(|block| block.length).sum::<u32>(), 97);
        let sum = |start: u32, length: u32| -> f64 {
            (start..start + length).map(|date| psi[date as usize % 97]).sum()
        };
        let sums: Vec<f64> = blocks.iter().map(|block| sum(block.start, block.length)).collect();
        let mean = sums.iter().sum::<f64>() / 97.0;
        let pairs = sums.iter().zip(&blocks);
        let off = |(sum, block): (&f64, &finstage_quant::stats::bootstrap::Block)| {
            (sum - f64::from(block.length) * mean).powi(2)
        };
        let se = pairs.map(off).sum::<f64>().sqrt() / 97.0;
        let said = stars.column(0)[draw as usize];
        if blocks.len() == 1 {
            assert_eq!(said, f64::INFINITY);
        } else {
            assert!((said - mean / se).abs() < 1e-9 * (mean / se).abs(), "{said} {}", mean / se);
        }
    }
}

#[test]
fn the_spread_of_draws_is_the_closed_form() {
    // The mean of a draw is t*·se*; its variance over draws is what the closed form says.
    let psi = walk_psi(9, 500);
    let draws = Draws::new(500, 10.0, SEED).unwrap();
    let mean_of = |draw: u64| {
        let mut blocks = Vec::new();
        draws.blocks(draw, &mut blocks);
        let dates = blocks.iter().flat_map(|block| block.start..block.start + block.length);
        dates.map(|date| psi[date as usize % 500]).sum::<f64>() / 500.0
    };
    let center = psi.iter().sum::<f64>() / 500.0;
    let drawn = (0..4_000).map(|draw| (mean_of(draw) - center).powi(2)).sum::<f64>() / 4_000.0;
    let exact = stationary_variance(&psi, 10.0).unwrap();
    // Monte-Carlo error of a variance of 4,000 draws: 2.2 %.
    assert!((drawn / exact - 1.0).abs() < 0.08, "{drawn} {exact}");
}

#[test]
fn draws_that_go_on_are_those_of_a_longer_run() {
    let psi = walk_psi(4, 200);
    let sums = PrefixSums::new(&[&walk_psi(3, 200), &psi]).unwrap();
    let draws = Draws::new(200, 5.0, SEED).unwrap();
    let t = 4.0;
    let first = Tail::of(draws.t_stars(&sums, 0..DRAWS).column(1), t);
    assert!(first.needs_more(), "{first:?}");
    let further = draws.exceedances(&sums.pick(&[1]).unwrap(), &[t], DRAWS..MORE_DRAWS);
    let all = Tail::of(draws.t_stars(&sums, 0..MORE_DRAWS).column(1), t);
    assert_eq!(first.and(further[0], MORE_DRAWS - DRAWS), all);
    assert!(all.exceedances > first.exceedances, "{all:?}");
}

#[test]
fn few_exceedances_ask_for_more_draws() {
    let tail = Tail { exceedances: 10, draws: DRAWS };
    assert!(tail.needs_more());
    assert!(!Tail { exceedances: 11, draws: DRAWS }.needs_more());
    let more = tail.and(150, 190_000);
    assert_eq!((more.draws, more.p(), more.needs_more()), (199_999, 161.0 / 200_000.0, false));
    // A draw without spread, and a t that is no number, are never rare.
    assert_eq!(Tail::of(&[f64::INFINITY, 1.0], 2.0).exceedances, 1);
    assert_eq!(Tail::of(&[f64::INFINITY, 1.0], f64::NAN).exceedances, 2);
}

#[test]
fn what_cannot_be_measured_is_absent() {
    assert!(Scope::new(&[], 1).is_none());
    let mut one = Instrument::walk(1, 0, 50, 1);
    one.events.clear();
    assert_eq!(study(std::slice::from_ref(&one), 1, UP), None);
    one.events = vec![48, 49, 1_000];
    assert_eq!(study(std::slice::from_ref(&one), 1, UP), None, "no exit is known");
    assert_eq!(study(std::slice::from_ref(&one), usize::MAX, UP), None);

    // One date, and no spread.
    let mut short = Instrument::new("short", &[1, 2, 3], vec![1.0, 2.0, 3.0], 1);
    short.events = vec![0];
    let said = study(&[short], 1, UP).unwrap();
    assert_eq!((said.theta, said.psi.as_slice()), (0.0, &[0.0][..]));
    assert_eq!(Estimate::of(&said, 0.001, 5.0), None);
    let prices: Vec<f64> = (0..300).map(|bar| 1.07f64.powi(bar)).collect();
    let days: Vec<i64> = (0..300).collect();
    let mut steady = Instrument::new("steady", &days, prices, 3);
    steady.events = (0..200).step_by(9).collect();
    let said = study(&[steady], 3, UP).unwrap();
    assert!(said.theta.abs() < 1e-12);
    assert_eq!(Estimate::of(&said, 0.001, 6.0), None);

    // One effective event.
    let mut single = Instrument::walk(3, 0, 60, 5);
    single.events = vec![30, 31];
    let said = study(&[single], 5, UP).unwrap();
    let estimate = Estimate::of(&said, 0.001, 10.0).unwrap();
    assert_eq!((said.n, said.n_eff), (2, 1));
    assert_eq!(estimate.p_student(), None);
    assert_eq!(estimate.interval_student(), None);

    assert!(Draws::new(0, 5.0, 1).is_none());
    assert!(Draws::new(10, 0.5, 1).is_none());
    assert!(Draws::new(10, f64::NAN, 1).is_none());
    assert!(PrefixSums::new(&[]).is_none());
    assert!(PrefixSums::new(&[&[]]).is_none());
    assert!(PrefixSums::new(&[&[1.0], &[1.0, 2.0]]).is_none());
    assert!(PrefixSums::new(&[&[f64::NAN]]).is_none());
    let zeros = PrefixSums::new(&[&[0.0; 30]]).unwrap();
    assert!(zeros.pick(&[1]).is_none());
    let stars = Draws::new(30, 5.0, 1).unwrap().t_stars(&zeros, 0..50);
    assert!(stars.column(0).iter().all(|&star| star == f64::INFINITY));
    assert_eq!(estimate.interval_of_draws(&ascending(stars.column(0))), None);
    assert_eq!(estimate.interval(&[]), None);
}

proptest! {
    #[test]
    fn no_input_makes_a_study_panic_or_say_nan(
        instruments in prop::collection::vec(rough_instrument(), 0..4),
        horizon in 0usize..7,
        cost in prop::sample::select(vec![0.0, 0.001, f64::NAN, f64::MAX]),
    ) {
        for claim in [UP, DOWN, Claim::Size] {
            let Some(study) = study(&instruments, horizon, claim) else { continue };
            let mut said = vec![
                study.theta, study.mean_return, study.base_return, study.hit_rate, study.base_hit_rate,
            ];
            said.extend(study.event_deviation);
            said.extend(study.occasion_deviation);
            said.extend(study.last_third);
            said.extend(study.volatility_matched);
            said.extend(study.times_usual());
            said.extend(&study.psi);
            prop_assert!(said.iter().all(|value| value.is_finite()), "{study:?}");
            prop_assert!(study.n_eff >= 1 && study.n_eff <= study.n);
            prop_assert_eq!(study.events.iter().sum::<usize>(), study.n);
            let block = mean_block(horizon);
            let Some(estimate) = Estimate::of(&study, cost, block) else { continue };
            prop_assert!(estimate.t.is_finite() && estimate.se > 0.0);
            let draws = Draws::new(study.psi.len(), block, SEED).unwrap();
            let stars = draws.t_stars(&PrefixSums::new(&[&study.psi]).unwrap(), 0..40);
            prop_assert!(!stars.column(0).iter().any(|star| star.is_nan()));
            let p = estimate.p(Tail::of(stars.column(0), estimate.t));
            prop_assert!(p.is_none_or(|p| p > 0.0 && p <= 1.0));
            let interval = estimate.interval(&ascending(stars.column(0)));
            prop_assert!(interval.is_none_or(|interval| interval.low <= interval.high));
        }
    }

    #[test]
    fn occasions_never_overlap_and_leave_no_room(starts in prop::collection::vec((0i64..60, 0i64..9), 0..40)) {
        let holding = |&(entry, length): &(i64, i64)| Holding {
            entry: Timestamp::from_secs(entry),
            exit: Timestamp::from_secs(entry + length),
        };
        let mut holdings: Vec<Holding> = starts.iter().map(holding).collect();
        let said = occasions(&holdings);
        holdings.reverse();
        prop_assert_eq!(occasions(&holdings), said);
        // As they are defined, one after the other.
        holdings.sort();
        let (mut count, mut free_from) = (0, Timestamp::MIN);
        for holding in &holdings {
            if holding.entry >= free_from {
                count += 1;
                free_from = holding.exit;
            }
        }
        prop_assert_eq!(said, count);
    }
}

/// A series of influences with mean 0 and some dependence.
fn walk_psi(seed: u64, dates: usize) -> Vec<f64> {
    let mut stream = SplitMix64::new(seed);
    let mut before = 0.0;
    let mut next = || {
        before = 0.5 * before + stream.uniform() - 0.5;
        before
    };
    let values: Vec<f64> = (0..dates).map(|_| next()).collect();
    let mean = values.iter().sum::<f64>() / dates as f64;
    values.iter().map(|value| value - mean).collect()
}

/// An instrument with gaps, breaks, numbers at the edges and slices of different lengths.
fn rough_instrument() -> impl Strategy<Value = Instrument> {
    let value = prop_oneof![
        6 => -0.2..0.2f64,
        2 => Just(0.1),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, 1e150, -1e150, 1e300, 0.0, -1.0]),
    ];
    let bar = (value, prop::bool::weighted(0.9), -1.0..1.0f64, 1i64..4);
    let bars = prop::collection::vec(bar, 0..40);
    (bars, prop::collection::vec(0usize..45, 0..12), 0u32..1000, 0usize..3).prop_map(
        |(bars, events, name, cut)| {
            let mut day = 0;
            let mut next = |step: i64| {
                day += step;
                Timestamp::from_secs(day * 86_400)
            };
            let length = bars.len().saturating_sub(cut);
            Instrument {
                name: name.to_string(),
                times: bars.iter().map(|bar| next(bar.3)).collect(),
                prices: Vec::new(),
                returns: bars.iter().map(|bar| bar.0).collect(),
                eligible: bars[..length].iter().map(|bar| bar.1).collect(),
                volatility: bars[..length].iter().map(|bar| bar.2.ln()).collect(),
                events,
            }
        },
    )
}

//! What the price did after the last signals of a pattern.

use std::collections::BTreeMap;

use finstage_model::Horizon;
use finstage_quant::stats::binomial;
use finstage_quant::stats::moments::mean;
use finstage_quant::stats::occasions::{Holding, occasion_means};
use finstage_quant::stats::proportion::wilson;
use serde::Serialize;

use super::stream::Stream;
use super::{MIN_OCCURRENCES, Market, PastSignal};
use crate::live::FEW;

/// Figures of settled signals. Returns are fractions in the declared direction, before costs: a
/// bearish signal hits when the price falls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Settled signals.
    pub n: usize,
    /// Those that do not overlap, over all instruments.
    pub occasions: usize,
    /// Whether either is below [`FEW`].
    pub is_few: bool,
    /// Share that went the declared way.
    pub hit_rate: f64,
    /// Lower end of its 95 % interval (Wilson 1927, by occasions).
    pub hit_low: Option<f64>,
    /// Upper end.
    pub hit_high: Option<f64>,
    /// Share of all bars of the same series and time that went this way.
    pub base_rate: Option<f64>,
    /// Mean return.
    pub mean_return: f64,
}

/// Figures of a pattern at a horizon, and how surprising they are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// How long after the last signal.
    pub horizon: Horizon,
    /// What came.
    #[serde(flatten)]
    pub figures: Figures,
    /// Hit rate of all signals that say what its last ones say, in a pattern or not.
    pub alone_rate: Option<f64>,
    /// Chance of so many hits where each occasion has the base rate.
    pub p_value: Option<f64>,
    /// Corrected for all figures.
    pub q_value: Option<f64>,
    /// Whether it is too much for chance, in enough occasions.
    pub stands_out: bool,
}

/// Hit rates by horizon and what is said.
pub(super) type Alone = BTreeMap<(Horizon, u32), f64>;

/// Hit rates of all signals that say the same.
pub(super) fn alone(stream: &Stream) -> Alone {
    let mut counts: BTreeMap<(Horizon, u32), (f64, f64)> = BTreeMap::new();
    for (place, signal) in stream.signals().iter().enumerate() {
        for (horizon, _) in &signal.outcomes {
            let Some((_, gain)) = settled(signal, *horizon) else { continue };
            let count = counts.entry((*horizon, stream.step_of(place))).or_default();
            count.0 += hit(gain);
            count.1 += 1.0;
        }
    }
    counts.into_iter().map(|(key, (hits, n))| (key, hits / n)).collect()
}

impl Judged {
    /// `None` where too few are settled.
    pub(super) fn new(
        lasts: &[usize],
        horizon: Horizon,
        (stream, market, alone): (&Stream, &Market, &Alone),
    ) -> Option<Self> {
        let signals = stream.signals();
        let (figures, hits) = figures(lasts.iter().map(|place| &signals[*place]), horizon, market)?;
        let is_settled = |place: &&usize| settled(&signals[**place], horizon).is_some();
        let rates: Vec<f64> = lasts
            .iter()
            .filter(is_settled)
            .filter_map(|place| alone.get(&(horizon, stream.step_of(*place))).copied())
            .collect();
        let p_value = figures
            .base_rate
            .and_then(|base| binomial::upper(figures.occasions as u64, hits, base));
        Some(Self {
            horizon,
            figures,
            alone_rate: mean(&rates),
            p_value,
            q_value: None,
            stands_out: false,
        })
    }
}

/// Figures of signals, and hits among their occasions, rounded down; `None` where fewer than
/// [`MIN_OCCURRENCES`] are settled.
pub(super) fn figures<'a>(
    signals: impl Iterator<Item = &'a PastSignal>,
    horizon: Horizon,
    market: &Market,
) -> Option<(Figures, u64)> {
    let (mut hits, mut gains, mut bases) = (Vec::new(), Vec::new(), Vec::new());
    for signal in signals {
        let Some((holding, gain)) = settled(signal, horizon) else { continue };
        hits.push((holding, hit(gain)));
        gains.push(gain);
        let key = (signal.symbol.clone(), signal.interval, horizon, signal.direction);
        bases.extend(market.base.get(&key));
    }
    if gains.len() < MIN_OCCURRENCES {
        return None;
    }
    let n = gains.len();
    let hit_rate = hits.iter().map(|(_, hit)| hit).sum::<f64>() / n as f64;
    let occasions = occasion_means(&hits);
    let interval = wilson(hit_rate, occasions.len() as f64);
    // Halves and thirds of an occasion may add up to a hair less than a whole.
    let whole = (occasions.iter().sum::<f64>() + 1e-9).floor() as u64;
    let figures = Figures {
        n,
        occasions: occasions.len(),
        is_few: n < FEW || occasions.len() < FEW,
        hit_rate,
        hit_low: interval.map(|interval| interval.low),
        hit_high: interval.map(|interval| interval.high),
        base_rate: mean(&bases).filter(|_| bases.len() == n),
        mean_return: mean(&gains).unwrap_or(0.0),
    };
    Some((figures, whole))
}

/// When it was held, and the return in the declared direction.
fn settled(signal: &PastSignal, horizon: Horizon) -> Option<(Holding, f64)> {
    let (_, settled) = signal.outcomes.iter().find(|(at, _)| *at == horizon)?;
    Some((settled.holding, signal.direction.sign() * settled.ret))
}

fn hit(gain: f64) -> f64 {
    f64::from(u8::from(gain > 0.0))
}

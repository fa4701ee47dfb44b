//! Evidence and the store: what is judged, against which trials, and which cards come into force.
//!
//! `finstage verify` and the demo go this way. Nothing here reads a clock: when something was tried
//! is an argument.

use std::num::NonZero;
use std::time::Duration;

use finstage_feeds::MarketHours;
use finstage_model::{Bar, Card, CardVerdict, Day, IdHasher, Interval, Symbol, Timestamp, Trial};
use finstage_research::backtest::Backtest;
use finstage_research::evidence::{Evidence, Ledger, Plan, in_force};
use finstage_research::study::{Adjustment, Instrument, Pace};
use finstage_store::history::{Factors, History};
use finstage_store::records::{Records, TrialRow};

use crate::exit::{Exit, Failure, Result};
use crate::track;

/// How long a trial weighs on new ones.
const EPOCH: Duration = Duration::from_secs(5 * 365 * 86_400 + 86_400);

/// How many cards a verification changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kept {
    /// Cards that are in force since.
    pub new: usize,
    /// Hypotheses whose card stays as it was.
    pub stay: usize,
    /// Cards in force that say verified where this verification alone would not.
    pub standing: Vec<Card>,
}

/// The stored bars of a symbol, adjusted by the factors that are stored beside them; `None` where
/// there are no bars.
///
/// # Errors
/// Exit 6 when they cannot be read, 2 when they are no series.
pub fn series(
    history: &History,
    symbol: &Symbol,
    interval: Interval,
) -> Result<Option<Instrument>> {
    let bars = history.bars(symbol, interval, Timestamp::MIN..Timestamp::MAX)?;
    if bars.is_empty() {
        return Ok(None);
    }
    let factors = history.factors(symbol)?;
    let hours = track::hours(history.records(), symbol)?;
    let instrument = instrument((symbol, hours), &bars, &|day| adjustment(&factors, day));
    instrument.map(Some).map_err(Failure::usage)
}

/// An instrument whose horizons are counted by the hours of its market, as settled outcomes are.
/// Where those are not known, the bars show how many make a day.
///
/// # Errors
/// When the bars are no series, or an adjustment is not a positive number.
pub fn instrument(
    (symbol, hours): (&Symbol, Option<MarketHours>),
    bars: &[Bar],
    adjust: &dyn Fn(Day) -> Adjustment,
) -> Result<Instrument, finstage_research::Error> {
    let Some((hours, first)) = hours.zip(bars.first()) else {
        return Instrument::new(symbol.clone(), bars, adjust);
    };
    let interval = first.interval;
    let pace = Pace {
        interval,
        round_the_clock: hours == MarketHours::Always && interval <= Interval::D1,
        bars_a_day: hours.bars_a_day(interval),
    };
    Instrument::paced(symbol.clone(), bars, adjust, pace)
}

/// What raw numbers of a day are multiplied by.
#[must_use]
pub fn adjustment(factors: &Factors, day: Day) -> Adjustment {
    let scale = factors.on(day);
    Adjustment { price: scale.price, split: scale.split }
}

/// The trials of the present epoch, from a ledger that is whole.
///
/// # Errors
/// Exit 6 when it is not whole, or cannot be read.
pub fn trials(records: &Records, now: Timestamp) -> Result<Vec<Trial>> {
    if let Some((row, why)) = records.check_trials()?.fault {
        let message = format!(
            "the ledger of trials is not whole: row {row}: {why}: put a backup in its place, or name another --data-dir"
        );
        return Err(Failure::new(Exit::Store, message));
    }
    let rows = records.trials()?;
    let begin = rows.first().map(|first| epoch_begin(first.recorded_at, now));
    let is_present = |row: &TrialRow| begin.is_some_and(|begin| row.recorded_at >= begin);
    Ok(rows.into_iter().filter(is_present).map(|row| row.trial).collect())
}

/// Measures and judges, and writes what was tried into the ledger.
///
/// # Errors
/// Exit 2 when the bars cannot be judged, 6 when the ledger cannot be written.
pub fn verify(
    records: &Records,
    plan: Plan,
    ledger: &Ledger<'_>,
    now: Timestamp,
) -> Result<Evidence> {
    let evidence = plan.measure().map_err(Failure::usage)?.judge(ledger);
    let appended = records.add_trials(&evidence.trials, now)?;
    Ok(evidence.seal(&appended.head))
}

/// Puts the cards in force, from which a service rules on signals.
///
/// # Errors
/// Exit 6 when the records cannot be read or written.
pub fn keep(records: &Records, evidence: &Evidence) -> Result<Kept> {
    let mut kept = Vec::with_capacity(evidence.rows.len());
    let mut standing = Vec::new();
    for card in &evidence.rows {
        let known = records.card_of(&card.hypothesis())?;
        let new = in_force(known.as_ref(), card);
        let ruling = new.as_ref().or(known.as_ref());
        if let Some(ruling) = ruling
            && ruling.verdict == CardVerdict::Verified
            && card.verdict != CardVerdict::Verified
        {
            standing.push(ruling.clone());
        }
        kept.extend(new);
    }
    records.keep_cards(&kept)?;
    Ok(Kept { new: kept.len(), stay: evidence.rows.len() - kept.len(), standing })
}

/// Hash of what came of a backtest.
#[must_use]
pub fn digest(done: &Backtest) -> String {
    let bytes = |hash: IdHasher, value: &f64| hash.bytes(&value.to_bits().to_le_bytes());
    format!("{:032x}", done.equity.iter().fold(IdHasher::new(), bytes).finish())
}

/// As many threads as the machine has; no result depends on their number.
#[must_use]
pub fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// When the epoch that holds `now` began; the first begins with the first trial.
fn epoch_begin(first: Timestamp, now: Timestamp) -> Timestamp {
    let epochs = now.since(first).as_secs() / EPOCH.as_secs();
    first.plus(EPOCH.saturating_mul(u32::try_from(epochs).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use finstage_model::Objection;

    use super::*;

    #[test]
    fn an_epoch_lasts_five_years_from_the_first_trial() {
        let day = |day: i64| Timestamp::from_secs(day * 86_400);
        assert_eq!(epoch_begin(day(100), day(100)), day(100));
        assert_eq!(epoch_begin(day(100), day(100 + 1825)), day(100));
        assert_eq!(epoch_begin(day(100), day(100 + 1826)), day(1926));
        assert_eq!(epoch_begin(day(100), day(100 + 4000)), day(100 + 2 * 1826));
    }

    #[test]
    fn a_market_that_never_closes_has_whole_days_however_few_bars_are_known() {
        let symbol: Symbol = "binance:BTCUSDT".parse().unwrap();
        // From noon of a Monday on, for a day and three quarters.
        let bar = |minute: i64| Bar {
            instrument: finstage_model::InstrumentId(0),
            interval: Interval::M1,
            open_time: Timestamp::from_secs((4 * 24 + 12) * 3_600 + minute * 60),
            open: finstage_model::Price::from_nanos(1),
            high: finstage_model::Price::from_nanos(1),
            low: finstage_model::Price::from_nanos(1),
            close: finstage_model::Price::from_nanos(1),
            volume: finstage_model::Qty::ZERO,
            trades: 0,
        };
        let bars: Vec<Bar> = (0..2_520).map(bar).collect();
        let hours = finstage_feeds::registry::hours(&symbol);
        let known = instrument((&symbol, hours), &bars, &|_| Adjustment::NONE).unwrap();
        for (horizon, minutes) in
            [("1h", 60), ("1d", 1_440), ("1w", 7 * 1_440), ("1mo", 30 * 1_440)]
        {
            assert_eq!(known.pace().bars(horizon.parse().unwrap()), Some(minutes), "{horizon}");
        }
    }

    #[test]
    fn a_proof_that_stays_in_force_beside_an_unproven_row_is_named() {
        let golden = include_str!("../../finstage-model/src/card/golden.json");
        let card: Card = serde_json::from_str(golden).unwrap();
        let proven = Card { verdict: CardVerdict::Verified, look: 1, reasons: Vec::new(), ..card };
        let between = Card {
            verdict: CardVerdict::Unproven,
            look: 0,
            reasons: vec![Objection::ThresholdOfLook],
            ..proven.clone()
        };
        let evidence = |card: &Card| Evidence {
            rows: vec![card.clone()],
            trials_total: 1,
            fdr: 0.05,
            cost: 0.001,
            seed: 1,
            summary: String::new(),
            smallest_edges: Vec::new(),
            chosen: Vec::new(),
            trials: Vec::new(),
        };
        let records = Records::open_in_memory().unwrap();
        let kept = keep(&records, &evidence(&proven)).unwrap();
        assert_eq!(kept, Kept { new: 1, stay: 0, standing: Vec::new() });
        let kept = keep(&records, &evidence(&between)).unwrap();
        assert_eq!(kept, Kept { new: 0, stay: 1, standing: vec![proven] });
    }
}

//! Evidence and the store: what is judged, against which trials, and which cards come into force.
//!
//! `finstage verify` and the demo go this way. Nothing here reads a clock: when something was tried
//! is an argument.

use std::num::NonZero;
use std::time::Duration;

use finstage_feeds::{MarketHours, registry};
use finstage_model::{
    Bar, Card, CardVerdict, Day, Horizon, IdHasher, Interval, Symbol, Timestamp, Trial,
};
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

/// An instrument whose horizons are counted by the hours of its market, as settled outcomes are, and whose
/// last bar ended with its session. Where those are not known, the bars show how many make a day.
///
/// # Errors
/// When the bars are no series, or an adjustment is not a positive number.
pub fn instrument(
    (symbol, hours): (&Symbol, Option<MarketHours>),
    bars: &[Bar],
    adjust: &dyn Fn(Day) -> Adjustment,
) -> Result<Instrument, finstage_research::Error> {
    let Some((hours, last)) = hours.zip(bars.last()) else {
        return Instrument::new(symbol.clone(), bars, adjust);
    };
    let interval = last.interval;
    let pace = Pace {
        interval,
        round_the_clock: hours == MarketHours::Always && interval <= Interval::D1,
        bars_a_day: hours.bars_a_day(interval),
    };
    let ended = registry::closed_at(symbol, interval, last.open_time);
    Ok(Instrument::paced(symbol.clone(), bars, adjust, pace)?.with_end(ended))
}

/// What raw numbers of a day are multiplied by.
#[must_use]
pub fn adjustment(factors: &Factors, day: Day) -> Adjustment {
    let scale = factors.on(day);
    Adjustment { price: scale.price, split: scale.split }
}

/// How long after a signal a service looks, where nobody says: the three shortest horizons that hold four bars, by
/// the clock. On bars of a day and longer those from a day on, however few bars they hold.
///
/// ```
/// use finstage_model::Interval;
/// let of = |interval| finstage::evidence::usual_horizons(interval).map(|one| one.to_string());
/// assert_eq!(of(Interval::M1), ["1h", "4h", "1d"]);
/// assert_eq!(of(Interval::H1), ["4h", "1d", "1w"]);
/// assert_eq!(of(Interval::D1), ["1d", "1w", "1mo"]);
/// ```
#[must_use]
pub fn usual_horizons(interval: Interval) -> [Horizon; 3] {
    const LEAST_BARS: u32 = 4;
    let [hour, hours, day, week, month] = Horizon::ALL;
    let holds = |horizon: Horizon| {
        horizon.interval().nominal() >= interval.nominal().saturating_mul(LEAST_BARS)
    };
    match (holds(hour), holds(hours)) {
        (true, _) => [hour, hours, day],
        (false, true) => [hours, day, week],
        (false, false) => [day, week, month],
    }
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
    let evidence = plan.measure().map_err(Failure::usage)?.judge(ledger).made_at(now);
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

    fn bar(interval: Interval, open_s: i64) -> Bar {
        let price = finstage_model::Price::from_nanos(1_000_000_000 + open_s % 7);
        Bar {
            instrument: finstage_model::InstrumentId(0),
            interval,
            open_time: Timestamp::from_secs(open_s),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: finstage_model::Qty::ZERO,
            trades: 0,
        }
    }

    /// A card of these series, whose last bars open at these moments, that is made at `now`.
    fn issued(series: &[(&str, Interval, &str)], now: &str) -> Card {
        let one = |&(symbol, interval, last): &(&str, Interval, &str)| {
            let symbol: Symbol = symbol.parse().unwrap();
            let last: Timestamp = last.parse().unwrap();
            let length = interval.nominal().as_secs() as i64;
            let bars: Vec<Bar> =
                (-60..=0).map(|place| bar(interval, last.secs() + place * length)).collect();
            let hours = registry::hours(&symbol);
            instrument((&symbol, hours), &bars, &|_| Adjustment::NONE).unwrap()
        };
        let specs =
            crate::generate::strategies(&["golden_cross".parse().unwrap()], &[], series[0].1);
        let rules = (specs.unwrap(), finstage_strategies::CATALOG);
        let all = series.iter().map(one).collect();
        let plan = Plan::new(all, &Default::default(), rules, Default::default()).unwrap();
        let records = Records::open_in_memory().unwrap();
        let made = verify(&records, plan, &Ledger::of_store(&[]), now.parse().unwrap()).unwrap();
        made.rows.into_iter().next().unwrap()
    }

    #[test]
    fn a_card_is_issued_when_the_session_of_its_last_bar_ended() {
        let at = |series: &[(&str, Interval, &str)]| {
            let card = issued(series, "2026-12-24T00:00:00Z");
            assert_eq!(card.expires, card.issued.plus(Duration::from_secs(90 * 86_400)));
            assert_eq!(card.id, card.content_id());
            card.issued.to_string()
        };
        let (monday, friday) = ("2026-11-30", "2026-11-27");
        let (seoul, new_york) = ("kis:005930", "yahoo:AAPL");
        assert_eq!(at(&[(seoul, Interval::D1, monday)]), "2026-11-30T06:30:00Z");
        assert_eq!(at(&[(new_york, Interval::D1, friday)]), "2026-11-27T18:00:00Z", "a half-day");
        // A scope of both knows what the later of them knows.
        let both = [(new_york, Interval::D1, friday), (seoul, Interval::D1, monday)];
        assert_eq!(at(&both), "2026-11-30T06:30:00Z");
        let last_hour = (seoul, Interval::H1, "2026-11-30T06:00:00Z");
        assert_eq!(at(&[last_hour]), "2026-11-30T06:30:00Z");
        // Where nothing closes, and where hours are not known, a bar is over when its length is.
        for symbol in ["binance:BTCUSDT", "yahoo:ES=F", "file:mine"] {
            assert_eq!(at(&[(symbol, Interval::D1, monday)]), "2026-12-01T00:00:00Z", "{symbol}");
        }
    }

    #[test]
    fn a_card_is_never_issued_ahead_of_the_clock() {
        // The bar of a day that is not over, from a file.
        for symbol in ["kis:005930", "file:mine"] {
            let card = issued(&[(symbol, Interval::D1, "2026-11-30")], "2026-11-30T03:00:00Z");
            assert_eq!(card.issued.to_string(), "2026-11-30T03:00:00Z", "{symbol}");
            assert_eq!(card.expires, card.issued.plus(Duration::from_secs(90 * 86_400)));
            assert_eq!(card.id, card.content_id());
        }
    }

    #[test]
    fn a_market_that_never_closes_has_whole_days_however_few_bars_are_known() {
        let symbol: Symbol = "binance:BTCUSDT".parse().unwrap();
        // From noon of a Monday on, for a day and three quarters.
        let bar = |minute: i64| bar(Interval::M1, (4 * 24 + 12) * 3_600 + minute * 60);
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

//! What happened after a signal. The one outcome function of the house: jobs that follow up on
//! signals and studies of history call this and nothing else.

use finstage_model::{Bar, Calendar, Direction, Horizon, Outcome, Price, SignalId, Timestamp};

/// What is asked: what became of this signal at this horizon?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The signal.
    pub signal: SignalId,
    /// Where it expected the price to go.
    pub direction: Direction,
    /// Open time of the bar it was said on.
    pub open_time: Timestamp,
    /// How long after it.
    pub horizon: Horizon,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Settlement<T = Outcome> {
    /// This happened.
    Settled(T),
    /// The bars do not reach that far yet.
    NotYet,
    /// The horizon is shorter than one bar.
    TooShort,
    /// The bars cannot tell: the signal's own is not among them, or the entry price is not
    /// positive.
    Missing,
}

/// The prices that an outcome follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// Open time of the bar of the entry.
    pub entry_at: Timestamp,
    /// Open of that bar; positive.
    pub entry: Price,
    /// Open time of the bar of the exit.
    pub exit_at: Timestamp,
    /// Open of that bar.
    pub exit: Price,
    /// Highest price from the entry until before the exit.
    pub high: Price,
    /// Lowest price from the entry until before the exit.
    pub low: Price,
}

impl Course {
    /// The outcome of `question` after this course of prices.
    #[must_use]
    pub fn outcome(&self, question: &Question) -> Outcome {
        let Question { signal, direction, horizon, .. } = *question;
        let base = self.entry.to_f64();
        let up = (self.high.to_f64() / base - 1.0).max(0.0);
        let down = (1.0 - self.low.to_f64() / base).max(0.0);
        let ret = self.exit.to_f64() / base - 1.0;
        let (mfe, mae) = match direction {
            Direction::Long => (up, down),
            Direction::Short => (down, up),
        };
        Outcome { signal, horizon, ret, mfe, mae, hit: direction.sign() * ret > 0.0 }
    }
}

/// Settles a signal on the bars of its series, oldest first.
///
/// The signal is known at the close of its bar t, so the entry is the open of bar t+1. The horizon
/// counts h bars of trading time, all of them in a market that is always open, and the exit is the
/// open of bar t+1+h. The excursions are taken over the bars between.
///
/// ```
/// use finstage_engine::{Question, Settlement, settle};
/// use finstage_model::{Calendar, Direction, Horizon, InstrumentId, SignalId, text};
///
/// let table = text::read_bars(
///     "1d x:A
///      2026-01-05  10 11  9 10 1     # the signal
///      2026-01-06  10 13  9 12 1     # entry at 10
///      2026-01-07  12 12 12 12 1     # exit at 12",
///     InstrumentId(0),
/// )
/// .unwrap();
/// let question = Question {
///     signal: SignalId(1),
///     direction: Direction::Long,
///     open_time: table.bars[0].open_time,
///     horizon: "1d".parse().unwrap(),
/// };
/// let Settlement::Settled(outcome) = settle(&question, &table.bars, &Calendar::always()) else {
///     unreachable!()
/// };
/// assert_eq!((outcome.ret * 100.0).round(), 20.0);
/// assert_eq!((outcome.mfe * 100.0).round(), 30.0);
/// assert_eq!((outcome.mae * 100.0).round(), 10.0);
/// assert!(outcome.hit);
/// ```
#[must_use]
pub fn settle(question: &Question, bars: &[Bar], calendar: &Calendar) -> Settlement {
    match trace(question, bars, calendar) {
        Settlement::Settled(course) => Settlement::Settled(course.outcome(question)),
        Settlement::NotYet => Settlement::NotYet,
        Settlement::TooShort => Settlement::TooShort,
        Settlement::Missing => Settlement::Missing,
    }
}

/// The prices that [`settle`] judges by.
#[must_use]
pub fn trace(question: &Question, bars: &[Bar], calendar: &Calendar) -> Settlement<Course> {
    let Question { open_time, horizon, .. } = *question;
    let Ok(place) = bars.binary_search_by_key(&open_time, |bar| bar.open_time) else {
        return Settlement::Missing;
    };
    let round_the_clock = *calendar == Calendar::always();
    match horizon.bars(bars[place].interval, round_the_clock) {
        Some(length) => trace_bars(question, bars, length),
        None => Settlement::TooShort,
    }
}

/// The prices after a signal over a horizon of `length` bars, where the caller knows how many bars of
/// open time that is.
#[must_use]
pub fn trace_bars(question: &Question, bars: &[Bar], length: usize) -> Settlement<Course> {
    let Ok(place) = bars.binary_search_by_key(&question.open_time, |bar| bar.open_time) else {
        return Settlement::Missing;
    };
    let (entry, exit) = (place + 1, place + 1 + length);
    let Some(exit_bar) = bars.get(exit) else { return Settlement::NotYet };
    let entry_price = bars[entry].open;
    if entry_price.nanos() <= 0 {
        return Settlement::Missing;
    }
    let held = &bars[entry..exit];
    // It ends at the exit, which may lie beyond all bars before it.
    let (high, low) = held.iter().fold((exit_bar.open, exit_bar.open), |(high, low), bar| {
        (high.max(bar.high), low.min(bar.low))
    });
    Settlement::Settled(Course {
        entry_at: bars[entry].open_time,
        entry: entry_price,
        exit_at: exit_bar.open_time,
        exit: exit_bar.open,
        high: high.max(entry_price),
        low: low.min(entry_price),
    })
}

#[cfg(test)]
mod tests;

//! How many bars make a horizon.

use finstage_model::{Bar, Horizon, Interval};

/// What a series shows of its market's hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pace {
    /// Length of the bars.
    pub interval: Interval,
    /// Whether weekends have bars as well.
    pub round_the_clock: bool,
    /// Bars on a usual day, at least one.
    pub bars_a_day: usize,
}

impl Pace {
    /// As the bars show it, oldest first: around the clock when more than a fifth of their days lie
    /// on weekends; bars a day are the median over days that have one, without the first and the last
    /// day where there are others: bars begin and end in the middle of those.
    #[must_use]
    pub fn of(bars: &[Bar], interval: Interval) -> Self {
        const WEEKEND_SHARE: f64 = 0.2;
        let mut counts: Vec<usize> = Vec::new();
        let (mut weekend, mut last) = (0, None);
        for bar in bars {
            let day = bar.open_time.day();
            if last.replace(day) == Some(day) {
                if let Some(count) = counts.last_mut() {
                    *count += 1;
                }
            } else {
                counts.push(1);
                weekend += usize::from(day.days_from_monday() >= 5);
            }
        }
        let days = counts.len();
        let round_the_clock =
            interval <= Interval::D1 && days >= 7 && weekend as f64 > WEEKEND_SHARE * days as f64;
        let whole = if days > 2 { &mut counts[1..days - 1] } else { &mut counts[..] };
        whole.sort_unstable();
        let bars_a_day = whole.get(whole.len() / 2).copied().unwrap_or(1);
        Self { interval, round_the_clock, bars_a_day }
    }

    /// The bars of a horizon; `None` when it is shorter than one bar. Within a day an hour is as many
    /// bars as fit into it; from a day on it is trading days of [`Pace::bars_a_day`].
    #[must_use]
    pub fn bars(&self, horizon: Horizon) -> Option<usize> {
        let nominal = horizon.bars(self.interval, self.round_the_clock)?;
        if self.interval >= Interval::D1 || horizon.interval() < Interval::D1 {
            return Some(nominal);
        }
        let one_day = "1d".parse().ok().and_then(|day: Horizon| {
            day.bars(self.interval, self.round_the_clock).filter(|&bars| bars > 0)
        })?;
        Some(nominal / one_day * self.bars_a_day)
    }
}

#[cfg(test)]
mod tests {
    use finstage_model::{InstrumentId, Price, Qty, Timestamp};

    use super::*;

    fn series(interval: Interval, times: impl Iterator<Item = i64>) -> Vec<Bar> {
        let price = Price::from_nanos(1);
        let bar = |secs| Bar {
            instrument: InstrumentId(0),
            interval,
            open_time: Timestamp::from_secs(secs),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
            trades: 0,
        };
        times.map(bar).collect()
    }

    fn bars(pace: Pace) -> [Option<usize>; 5] {
        Horizon::ALL.map(|horizon| pace.bars(horizon))
    }

    #[test]
    fn horizons_count_trading_time() {
        const DAY: i64 = 86_400;
        // 1970-01-05 is a Monday.
        let weekdays =
            || (0..20).flat_map(|week| (0..5).map(move |day| (4 + 7 * week + day) * DAY));
        let stocks = Pace::of(&series(Interval::D1, weekdays()), Interval::D1);
        assert_eq!(bars(stocks), [None, None, Some(1), Some(5), Some(21)]);
        let coins = Pace::of(&series(Interval::D1, (0..60).map(|day| day * DAY)), Interval::D1);
        assert_eq!(bars(coins), [None, None, Some(1), Some(7), Some(30)]);
        let session = weekdays().flat_map(|day| (14..21).map(move |hour| day + hour * 3_600));
        let hours = Pace::of(&series(Interval::H1, session), Interval::H1);
        assert_eq!(bars(hours), [Some(1), Some(4), Some(7), Some(35), Some(147)]);
        let always = (0..60 * 24).map(|hour| hour * 3_600);
        let coins = Pace::of(&series(Interval::H1, always), Interval::H1);
        assert_eq!(bars(coins), [Some(1), Some(4), Some(24), Some(168), Some(720)]);
        // Noon to noon, two whole days between.
        let cut = (12..84).map(|hour| hour * 3_600);
        assert_eq!(Pace::of(&series(Interval::H1, cut), Interval::H1).bars_a_day, 24);
        let weeks = Pace::of(&series(Interval::W1, (0..60).map(|w| w * 7 * DAY)), Interval::W1);
        assert_eq!(bars(weeks), [None, None, None, Some(1), Some(4)]);
    }
}

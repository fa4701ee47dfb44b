//! The daily returns of acting on every event: the series that Sharpe figures are about.

use finstage_model::Timestamp;

use super::moments::mean;
use crate::series::is_usable;

/// One instrument with its events. The slices of times and steps have one item for each bar.
#[derive(Debug, Clone, Copy)]
pub struct Traded<'a> {
    /// When the bars begin, ascending.
    pub times: &'a [Timestamp],
    /// The return from where a position would be entered on a bar to where it would be on the next
    /// one, such as `open[t+1]/open[t] − 1`. What is no number, as on the last bar, is a step of
    /// nothing.
    pub steps: &'a [f64],
    /// Bars with an event, each once: positions are entered on the bar after, and left `horizon` bars
    /// later.
    pub events: &'a [usize],
}

/// How events are acted on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Bars for which a position is held, at least one.
    pub horizon: usize,
    /// +1 for buying, −1 for selling.
    pub sign: f64,
    /// Cost of entry and of exit, each, as a fraction.
    pub cost: f64,
}

/// For each date of `span` the mean over open positions of `d·(step − mean step of the instrument)`,
/// with a cost on the step that begins with the entry and on the one that ends in the exit; 0 on a date
/// without a position. Mean steps are taken over the span. Instruments count in the given order.
///
/// A position whose exit is not among the bars is not taken.
#[must_use]
pub fn position_returns(span: &[Timestamp], instruments: &[Traded<'_>], terms: &Terms) -> Vec<f64> {
    let mut sums = vec![0.0; span.len()];
    let mut open = vec![0.0; span.len()];
    for traded in instruments {
        let date = |bar: usize| span.binary_search(traded.times.get(bar)?).ok();
        let step = |bar: usize| traded.steps.get(bar).copied().filter(|step| is_usable(*step));
        let inside = |bar: &usize| date(*bar).is_some();
        let steps: Vec<f64> = (0..traded.times.len()).filter(inside).filter_map(step).collect();
        let base = mean(&steps).unwrap_or(0.0);
        for &event in traded.events {
            let entry = event.saturating_add(1);
            let exit = entry.saturating_add(terms.horizon);
            if terms.horizon == 0 || exit >= traded.times.len() {
                continue;
            }
            for bar in entry..exit {
                let Some(date) = date(bar) else { continue };
                let turns =
                    f64::from(u8::from(bar == entry)) + f64::from(u8::from(bar + 1 == exit));
                let excess = step(bar).map_or(0.0, |step| step - base);
                sums[date] += terms.sign * excess - turns * terms.cost;
                open[date] += 1.0;
            }
        }
    }
    let average = |(sum, open): (f64, f64)| if open > 0.0 { sum / open } else { 0.0 };
    sums.into_iter().zip(open).map(average).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(days: impl Iterator<Item = i64>) -> Vec<Timestamp> {
        days.map(|day| Timestamp::from_secs(day * 86_400)).collect()
    }

    #[test]
    fn a_date_shows_the_mean_of_its_positions() {
        let span = days(0..6);
        let steps = [0.0, 0.03, 0.01, 0.02, -0.06, f64::NAN];
        let one = Traded { times: &span, steps: &steps, events: &[0, 1] };
        let terms = Terms { horizon: 2, sign: 1.0, cost: 0.001 };
        // The mean step is 0; positions over the bars 1, 2 and 2, 3.
        let said = position_returns(&span, &[one], &terms);
        let wanted = [0.0, 0.029, 0.009, 0.019, 0.0, 0.0];
        assert!(
            said.iter().zip(wanted).all(|(said, wanted)| (said - wanted).abs() < 1e-15),
            "{said:?}"
        );
        let short = position_returns(&span, &[one], &Terms { sign: -1.0, ..terms });
        assert!((short[1] + 0.031).abs() < 1e-15);

        let other_days = days(2..8);
        let other = Traded { times: &other_days, steps: &[0.0; 6], events: &[0] };
        let both = position_returns(&span, &[one, other], &terms);
        assert!((both[3] - (0.019 - 0.001) / 2.0).abs() < 1e-15);
        assert!((both[4] + 0.001).abs() < 1e-15);
    }

    #[test]
    fn a_position_of_one_bar_pays_twice_and_one_without_an_exit_is_not_taken() {
        let span = days(0..4);
        let one = Traded { times: &span, steps: &[0.0; 4], events: &[1, 2, 3, usize::MAX] };
        let said = position_returns(&span, &[one], &Terms { horizon: 1, sign: 1.0, cost: 0.25 });
        assert_eq!(said, [0.0, 0.0, -0.5, 0.0]);
        let none = Terms { horizon: 0, sign: 1.0, cost: 0.25 };
        assert_eq!(position_returns(&span, &[one], &none), [0.0; 4]);
        assert!(position_returns(&[], &[one], &none).is_empty());
    }
}

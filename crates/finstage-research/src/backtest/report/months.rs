//! Equity, month by month.

use finstage_model::Timestamp;

use super::numbers::amount;
use super::{Backtest, Page, Subject};

/// The years shown: the last of them when there are more.
const MAX_YEARS: usize = 100;

const NAMES: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Page {
    pub(super) fn months(&mut self, subject: &Subject<'_>, done: &Backtest) {
        let times = subject.bars.iter().map(|bar| bar.open_time);
        let years = returns(times.zip(done.equity.iter().copied()), subject.options.cash);
        self.put(format_args!(
            "<section><h2>Returns by month, percent</h2>\n<div class=\"wide\"><table \
             class=\"months\"><thead><tr><th>Year</th>"
        ));
        for name in NAMES {
            self.put(format_args!("<th>{name}</th>"));
        }
        self.put(format_args!("<th>All</th></tr></thead><tbody>\n"));
        for year in &years {
            self.put(format_args!("<tr><th>{}</th>", year.year));
            for value in year.months.iter().chain([&Some(year.all)]) {
                match value {
                    None => self.put(format_args!("<td></td>")),
                    Some(value) => {
                        self.put(format_args!("<td{}>{}</td>", shade(*value), amount(*value, 1)));
                    }
                }
            }
            self.put(format_args!("</tr>\n"));
        }
        self.put(format_args!("</tbody></table></div></section>\n"));
    }
}

/// Returns of one year, in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Year {
    year: i32,
    /// `None` where there was no bar.
    months: [Option<f64>; 12],
    all: f64,
}

/// Returns by month and year (UTC), each from the last equity before it.
fn returns(points: impl Iterator<Item = (Timestamp, f64)>, start: f64) -> Vec<Year> {
    let mut years: Vec<Year> = Vec::new();
    let (mut last, mut before_month, mut before_year) = (start, start, start);
    let mut month_of_last = None;
    for (time, equity) in points {
        let (year, month, _) = time.day().civil();
        if month_of_last != Some((year, month)) {
            before_month = last;
            if years.last().is_none_or(|known| known.year != year) {
                before_year = last;
                years.push(Year { year, months: [None; 12], all: 0.0 });
            }
            month_of_last = Some((year, month));
        }
        last = equity;
        if let Some(known) = years.last_mut() {
            known.months[month as usize - 1] = Some(100.0 * (equity / before_month - 1.0));
            known.all = 100.0 * (equity / before_year - 1.0);
        }
    }
    let surplus = years.len().saturating_sub(MAX_YEARS);
    years.split_off(surplus)
}

/// The class of a cell: stronger the farther the month is from zero.
fn shade(value: f64) -> &'static str {
    match value {
        value if value >= 5.0 => " class=\"g3\"",
        value if value >= 2.0 => " class=\"g2\"",
        value if value > 0.0 => " class=\"g1\"",
        value if value <= -5.0 => " class=\"b3\"",
        value if value <= -2.0 => " class=\"b2\"",
        value if value < 0.0 => " class=\"b1\"",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_counted_from_the_end_of_the_one_before() {
        let points = [("2023-11-30", 100.0), ("2023-12-01", 90.0), ("2023-12-29", 110.0)];
        let points = points.iter().chain(&[("2024-02-01", 121.0)]);
        let points = points.map(|&(day, equity)| (day.parse().unwrap(), equity));
        let [first, second] = returns(points, 80.0)[..] else { panic!("two years") };
        assert_eq!((first.year, first.months[10]), (2023, Some(25.0)));
        assert!((first.months[11].unwrap() - 10.0).abs() < 1e-9);
        assert!((first.all - 37.5).abs() < 1e-9);
        assert_eq!((second.months[0], second.year), (None, 2024));
        assert!((second.months[1].unwrap() - 10.0).abs() < 1e-9);
    }
}

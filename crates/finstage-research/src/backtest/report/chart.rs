//! Lines over bars as SVG that stretches: the drawing has no text, so that it can be squeezed to
//! the width of a phone without squeezing letters; the scales beside it are HTML.
//!
//! At most two points for each of [`COLUMNS`] columns are drawn, the least and the greatest value
//! in it: a peak is never lost and the page stays small.

use std::fmt::Write;

use finstage_model::{Bar, Interval, Timestamp};

/// Columns of a drawing: more than most screens have beside the scale.
const COLUMNS: usize = 1_000;
const HEIGHT: f64 = 300.0;

/// Lines over the same bars.
pub(crate) struct Chart<'a> {
    pub(crate) times: &'a [Timestamp],
    pub(crate) lines: Vec<Line<'a>>,
    pub(crate) marks: &'a [Mark],
    /// Where the area under the first line ends, if it is to be filled.
    pub(crate) floor: Option<f64>,
}

/// One line: a value for each bar.
pub(crate) struct Line<'a> {
    pub(crate) class: &'static str,
    pub(crate) values: &'a [f64],
}

/// One trade: from a bar and price to a bar and price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mark {
    pub(crate) from: (usize, f64),
    pub(crate) to: (usize, f64),
    pub(crate) is_long: bool,
    pub(crate) is_won: bool,
}

/// The open time of a bar as people read it: the day, and below daily bars the minute.
pub(crate) fn moment(bar: &Bar) -> String {
    let text = bar.open_time.to_string();
    if bar.interval >= Interval::D1 { text[..10].to_owned() } else { text[..16].replace('T', " ") }
}

impl Chart<'_> {
    pub(crate) fn html(&self) -> String {
        let scale = self.scale();
        let mut html = String::from("<div class=\"chart\">");
        let put = |html: &mut String, text: std::fmt::Arguments<'_>| {
            html.write_fmt(text).expect("writing to a string cannot fail");
        };
        put(
            &mut html,
            format_args!(
                "<svg viewBox=\"0 0 {COLUMNS} {HEIGHT}\" preserveAspectRatio=\"none\" \
                 aria-hidden=\"true\">"
            ),
        );
        let ticks = scale.ticks();
        for &tick in &ticks {
            let y = scale.y(tick);
            put(&mut html, format_args!("<path class=\"grid\" d=\"M0 {y:.1}H{COLUMNS}\"/>"));
        }
        for line in &self.lines {
            let path = self.path(&scale, line.values);
            if let Some(floor) = self.floor {
                let (y, area) = (scale.y(floor), path.replacen('M', "L", 1));
                let area = format_args!(
                    "<path class=\"area {}\" d=\"M0 {y:.1}{area}V{y:.1}Z\"/>",
                    line.class
                )
                .to_string();
                html.push_str(&area);
            }
            put(&mut html, format_args!("<path class=\"line {}\" d=\"{path}\"/>", line.class));
        }
        self.put_marks(&scale, &mut html);
        html.push_str("</svg>");
        let decimals = scale.decimals();
        for &tick in &ticks {
            let (top, text) = (100.0 * scale.y(tick) / HEIGHT, super::amount(tick, decimals));
            put(&mut html, format_args!("<span class=\"y\" style=\"top:{top:.2}%\">{text}</span>"));
        }
        html.push_str("<div class=\"x\">");
        for label in self.labels() {
            put(&mut html, format_args!("<span>{label}</span>"));
        }
        html.push_str("</div></div>\n");
        html
    }

    fn scale(&self) -> Scale {
        let values = self.lines.iter().flat_map(|line| line.values);
        let prices = self.marks.iter().flat_map(|mark| [&mark.from.1, &mark.to.1]);
        let (mut least, mut greatest) = (f64::MAX, f64::MIN);
        for &value in values.chain(prices).chain(&self.floor).filter(|value| value.is_finite()) {
            least = value.min(least);
            greatest = value.max(greatest);
        }
        if least > greatest {
            (least, greatest) = (0.0, 1.0);
        }
        // A line that never moves is drawn in the middle.
        let room = if greatest > least { 0.03 * (greatest - least) } else { 1.0 };
        let is_below_zero = self.floor.is_some();
        Scale {
            least: least - room,
            greatest: if is_below_zero { greatest } else { greatest + room },
        }
    }

    fn x(&self, bar: usize) -> f64 {
        COLUMNS as f64 * bar as f64 / (self.times.len().max(2) - 1) as f64
    }

    fn path(&self, scale: &Scale, values: &[f64]) -> String {
        let mut path = String::new();
        let mut verb = 'M';
        let mut go_to = |bar: usize| {
            let (x, y) = (self.x(bar), scale.y(values[bar]));
            write!(path, "{verb}{x:.1} {y:.1}").expect("writing to a string cannot fail");
            verb = 'L';
        };
        if values.len() <= 2 * COLUMNS {
            (0..values.len()).for_each(&mut go_to);
            return path;
        }
        for column in 0..COLUMNS {
            let from = column * values.len() / COLUMNS;
            let until = (column + 1) * values.len() / COLUMNS;
            let extreme = |a: usize, b: usize, is_less: bool| {
                if (values[b] < values[a]) == is_less && values[b] != values[a] { b } else { a }
            };
            let least = (from..until).reduce(|a, b| extreme(a, b, true)).unwrap_or(from);
            let greatest = (from..until).reduce(|a, b| extreme(a, b, false)).unwrap_or(from);
            go_to(least.min(greatest));
            if least != greatest {
                go_to(least.max(greatest));
            }
        }
        path
    }

    fn put_marks(&self, scale: &Scale, html: &mut String) {
        for (class, is_won) in [("won", true), ("lost", false)] {
            let mut path = String::new();
            for Mark { from, to, .. } in self.marks.iter().filter(|mark| mark.is_won == is_won) {
                let (x, y) = (self.x(from.0), scale.y(from.1));
                let (to_x, to_y) = (self.x(to.0), scale.y(to.1));
                path.push_str(&format!("M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}"));
            }
            html.push_str(&format!("<path class=\"line {class}\" d=\"{path}\"/>"));
        }
        for (class, is_long) in [("long", true), ("short", false)] {
            let mut path = String::new();
            for Mark { from, .. } in self.marks.iter().filter(|mark| mark.is_long == is_long) {
                // A stroke of no length with round ends is a dot, whatever the stretching.
                path.push_str(&format!("M{:.1} {:.1}h.01", self.x(from.0), scale.y(from.1)));
            }
            html.push_str(&format!("<path class=\"dots {class}\" d=\"{path}\"/>"));
        }
    }

    /// Up to five moments, evenly spaced, as short as the whole span allows.
    fn labels(&self) -> Vec<String> {
        let [first, .., last] = self.times else { return Vec::new() };
        let days = last.since(*first).as_secs() / 86_400;
        let steps = 4.min(self.times.len() - 1);
        let label = |step: usize| {
            let at = self.times[step * (self.times.len() - 1) / steps];
            let text = at.to_string();
            match days {
                0..=2 => text[5..16].replace('T', " "),
                3..=300 => text[5..10].to_owned(),
                _ => text[..7].to_owned(),
            }
        };
        (0..=steps).map(label).collect()
    }
}

/// From values to heights.
struct Scale {
    least: f64,
    greatest: f64,
}

impl Scale {
    fn y(&self, value: f64) -> f64 {
        let value = value.clamp(self.least, self.greatest);
        HEIGHT * (self.greatest - value) / (self.greatest - self.least)
    }

    /// The distance of ticks: 1, 2 or 5 times a power of ten, for three to six of them.
    fn step(&self) -> f64 {
        let rough = (self.greatest - self.least) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let factors = [1.0, 2.0, 5.0, 10.0];
        power * factors.into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0)
    }

    fn ticks(&self) -> Vec<f64> {
        let step = self.step();
        let first = (self.least / step).ceil();
        let count = ((self.greatest / step).floor() - first) as usize;
        (0..=count.min(10)).map(|tick| (first + tick as f64) * step).collect()
    }

    fn decimals(&self) -> usize {
        (-self.step().log10().floor()).max(0.0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(count: i64) -> Vec<Timestamp> {
        (0..count).map(|day| Timestamp::from_secs(day * 86_400)).collect()
    }

    #[test]
    fn a_long_line_keeps_its_peaks_and_few_points() {
        let mut values = vec![1.0; 500_000];
        values[123_456] = 9.0;
        let times = times(500_000);
        let lines = vec![Line { class: "close", values: &values }];
        let chart = Chart { times: &times, lines, marks: &[], floor: None };
        let path = chart.path(&chart.scale(), &values);
        assert!(path.matches(['M', 'L']).count() <= 2 * COLUMNS);
        let peak = format!(" {:.1}L", chart.scale().y(9.0));
        assert!(path.contains(&peak), "{peak}");
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = Scale { least: 0.9713, greatest: 1.2642 };
        assert_eq!((scale.ticks().len(), scale.decimals()), (3, 1));
        let scale = Scale { least: 9_700.0, greatest: 64_100.0 };
        assert_eq!(scale.ticks(), [20_000.0, 40_000.0, 60_000.0]);
    }

    #[test]
    fn nothing_and_one_bar_can_be_drawn() {
        for count in [0, 1, 2] {
            let times = times(count);
            let values = vec![5.0; times.len()];
            let lines = vec![Line { class: "close", values: &values }];
            let html = Chart { times: &times, lines, marks: &[], floor: None }.html();
            assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        }
    }
}

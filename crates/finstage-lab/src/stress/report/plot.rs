//! Lines as SVG that stretches: the drawing has no text, so that it can be squeezed to the width of a phone
//! without squeezing letters; the scales beside it are HTML.

use std::fmt::Write as _;

use super::html::Escaped;

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 240.0;
/// The most marks of a scale.
const TICKS: usize = 7;

/// Lines over one scale.
pub(super) struct Plot {
    pub(super) lines: Vec<Line>,
    /// From where to where, and the marks with their words.
    pub(super) x: Axis,
    /// From where to where; words for its marks.
    pub(super) y: Scale,
    pub(super) y_words: fn(f64) -> String,
    /// Shaded from x to x.
    pub(super) bands: Vec<(f64, f64)>,
    /// What the shading means; not said where nothing is shaded.
    pub(super) band_words: &'static str,
}

/// One line; a hole is `None`.
pub(super) struct Line {
    /// Its colour: `a` to `f`.
    pub(super) class: char,
    pub(super) name: String,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

pub(super) struct Axis {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) marks: Vec<(f64, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// From 0 to this.
    Linear(f64),
    /// From this to that, each step ten times the one before.
    Log(f64, f64),
}

impl Scale {
    /// From nothing to the greatest.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        Self::Linear(values.filter(|v| v.is_finite()).fold(0.0, f64::max).max(1e-9) * 1.05)
    }

    /// From the least to the greatest, of what is more than nothing.
    pub(super) fn log(values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut greatest) = (f64::MAX, f64::MIN);
        for value in values.filter(|v| v.is_finite() && *v > 0.0) {
            (least, greatest) = (value.min(least), value.max(greatest));
        }
        if least > greatest {
            return Self::Log(1.0, 10.0);
        }
        // Less than a factor of four would make hills of grains.
        let middle = (least * greatest).sqrt();
        Self::Log((least * 0.9).min(middle / 2.0), (greatest * 1.1).max(middle * 2.0))
    }

    fn y(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear(most) => value / most,
            Self::Log(least, most) => (value.max(least) / least).ln() / (most / least).ln(),
        };
        HEIGHT * (1.0 - share.clamp(0.0, 1.0))
    }

    fn marks(self) -> Vec<f64> {
        match self {
            Self::Linear(most) => steps(0.0, most),
            Self::Log(least, most) => {
                let decades = (most / least).log10();
                let factors: &[f64] = match decades {
                    d if d > 3.0 => &[1.0],
                    d if d > 1.6 => &[1.0, 3.0],
                    _ => &[1.0, 2.0, 5.0],
                };
                let first = least.log10().floor() as i32;
                let all = (first..=first + 12)
                    .flat_map(|power| factors.iter().map(move |f| f * 10f64.powi(power)));
                all.filter(|v| *v >= least && *v <= most).take(TICKS + 2).collect()
            }
        }
    }
}

/// Round numbers from one to the other, at most [`TICKS`] and some.
pub(super) fn steps(from: f64, to: f64) -> Vec<f64> {
    let rough = (to - from).max(f64::MIN_POSITIVE) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step =
        power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * power >= rough).unwrap_or(10.0);
    let first = (from / step).ceil() as i64;
    let count = ((to / step).floor() as i64 - first).clamp(0, TICKS as i64);
    (0..=count).map(|place| (first + place) as f64 * step).collect()
}

impl Plot {
    pub(super) fn html(&self) -> String {
        let mut out = String::from("<div class=\"plot\"><div class=\"field\">");
        let _ = write!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
        );
        for &(from, to) in &self.bands {
            let (from, to) = (self.x(from), self.x(to));
            let _ = write!(
                out,
                "<rect class=\"band\" x=\"{from:.1}\" width=\"{:.1}\" height=\"{HEIGHT}\"/>",
                to - from
            );
        }
        let marks = self.y.marks();
        for &mark in &marks {
            let _ = write!(out, "<path class=\"grid\" d=\"M0 {:.1}H{WIDTH}\"/>", self.y.y(mark));
        }
        for line in &self.lines {
            let _ = write!(out, "<path class=\"line {}\" d=\"{}\"/>", line.class, self.path(line));
        }
        out.push_str("</svg>");
        for &mark in &marks {
            let top = 100.0 * self.y.y(mark) / HEIGHT;
            let words = (self.y_words)(mark);
            let _ =
                write!(out, "<span class=\"y\" style=\"top:{top:.2}%\">{}</span>", Escaped(&words));
        }
        out.push_str("</div><div class=\"x\">");
        for (at, words) in &self.x.marks {
            let left = (100.0 * self.x(*at) / WIDTH).clamp(0.0, 100.0);
            let _ = write!(out, "<span style=\"left:{left:.2}%\">{}</span>", Escaped(words));
        }
        out.push_str("</div><p class=\"legend\">");
        for line in self.lines.iter().filter(|line| !line.name.is_empty()) {
            let _ = write!(out, "<span class=\"{}\">{}</span>", line.class, Escaped(&line.name));
        }
        if !self.bands.is_empty() {
            let _ = write!(out, "<small>{}</small>", Escaped(self.band_words));
        }
        out.push_str("</p></div>\n");
        out
    }

    fn x(&self, value: f64) -> f64 {
        WIDTH
            * ((value - self.x.from) / (self.x.to - self.x.from).max(f64::MIN_POSITIVE))
                .clamp(0.0, 1.0)
    }

    fn path(&self, line: &Line) -> String {
        let mut path = String::new();
        let mut is_drawn = false;
        let mut points = line.points.iter().peekable();
        while let Some(&(at, value)) = points.next() {
            let Some(value) = value.filter(|value| value.is_finite()) else {
                is_drawn = false;
                continue;
            };
            let (x, y) = (self.x(at), self.y.y(value));
            let _ = write!(path, "{}{x:.1} {y:.1}", if is_drawn { 'L' } else { 'M' });
            // A point on its own: a stroke of no length with round ends is a dot.
            if !is_drawn && points.peek().is_none_or(|(_, next)| next.is_none()) {
                path.push_str("h.01");
            }
            is_drawn = true;
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_few_and_inside() {
        assert_eq!(steps(0.0, 60.0), [0.0, 20.0, 40.0, 60.0]);
        assert_eq!(Scale::Log(0.8, 250.0).marks(), [1.0, 3.0, 10.0, 30.0, 100.0]);
        assert_eq!(Scale::log([5.0].into_iter()).marks(), [5.0, 10.0]);
        assert_eq!(Scale::log(std::iter::empty()), Scale::Log(1.0, 10.0));
        assert_eq!(Scale::linear(std::iter::empty()).y(0.0), HEIGHT);
    }

    #[test]
    fn a_hole_is_not_bridged_and_a_lone_point_is_a_dot() {
        let points = vec![(0.0, Some(1.0)), (1.0, None), (2.0, Some(1.0)), (3.0, Some(2.0))];
        let line = Line { class: 'a', name: "x<y".into(), points };
        let plot = Plot {
            x: Axis { from: 0.0, to: 3.0, marks: Vec::new() },
            y: Scale::Linear(2.0),
            y_words: |v| v.to_string(),
            bands: Vec::new(),
            band_words: "",
            lines: vec![line],
        };
        assert_eq!(plot.path(&plot.lines[0]), "M0.0 120.0h.01M666.7 120.0L1000.0 0.0");
        assert!(plot.html().contains("x&lt;y") && !plot.html().contains("NaN"));
    }
}

//! The report as a page: one file, no script, no request to anywhere.

use std::fmt::{self, Write as _};

use super::super::figures::{rate, time};
use super::super::{Kind, Latencies, Severity, Slice};
use super::compose::{About, Block, Page};
use super::plot::{Axis, Line, Plot, Scale, steps};
use super::words::{Words, words};
use super::{Options, Outcome};

const STYLE: &str = include_str!("page.css");
/// Points of the line over percentiles.
const POINTS: usize = 400;

pub(super) fn render(page: &Page, outcome: &Outcome, options: &Options<'_>) -> String {
    let mut out = Html { text: String::with_capacity(60_000), words: words(options.language) };
    let (lang, title) = (options.language.pick("en", "ko"), Escaped(&page.title));
    out.put(format_args!(
        "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n\
         <h1>{title}</h1>\n<p class=\"quiet\">{}</p>\n<div class=\"tiles\">\n",
        Escaped(&page.subtitle)
    ));
    for (name, value) in &page.tiles {
        let (name, value) = (Escaped(name), Escaped(value));
        out.put(format_args!("<div class=\"tile\"><span>{name}</span><b>{value}</b></div>\n"));
    }
    out.put(format_args!("</div>\n"));
    for section in &page.sections {
        match section.about {
            About::Summary => continue,
            About::Latency => {
                out.over_time(outcome);
                out.begin(&section.title);
                out.distribution(&outcome.histogram);
            }
            _ => out.begin(&section.title),
        }
        section.blocks.iter().for_each(|block| out.draw(block));
        out.put(format_args!("</section>\n"));
        if section.about == About::Findings {
            out.begin(out.words.sent);
            let summary = page.sections.iter().find(|section| section.about == About::Summary);
            summary.into_iter().flat_map(|s| &s.blocks).for_each(|block| out.draw(block));
            out.put(format_args!("</section>\n"));
        }
    }
    out.put(format_args!("<footer>{}</footer>\n</main></body></html>\n", Escaped(&page.footer)));
    out.text
}

struct Html {
    text: String,
    words: &'static Words,
}

impl Html {
    fn put(&mut self, text: fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("writing to a string cannot fail");
    }

    fn begin(&mut self, title: &str) {
        self.put(format_args!("<section><h2>{}</h2>\n", Escaped(title)));
    }

    fn draw(&mut self, block: &Block) {
        match block {
            Block::Pairs(rows) => {
                self.put(format_args!("<dl>\n"));
                for (name, value) in rows {
                    let (name, value) = (Escaped(name), Escaped(value));
                    self.put(format_args!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
                }
                self.put(format_args!("</dl>\n"));
            }
            Block::Table { texts, names, rows } => self.table(*texts, names, rows),
            Block::Finding { severity, name, text, advice } => {
                let class = match severity {
                    Severity::High => "high",
                    Severity::Medium => "medium",
                    Severity::Low => "low",
                    Severity::Info => "info",
                };
                let (name, text) = (Escaped(name), Escaped(text));
                self.put(format_args!(
                    "<div class=\"finding {class}\"><p><b>{name}</b> {text}</p>"
                ));
                if let Some(advice) = advice {
                    self.put(format_args!("<p class=\"quiet\">→ {}</p>", Escaped(advice)));
                }
                self.put(format_args!("</div>\n"));
            }
            Block::Quiet(text) => {
                self.put(format_args!("<p class=\"quiet\">{}</p>\n", Escaped(text)));
            }
        }
    }

    /// On a phone every row becomes a block, each figure under its name.
    fn table(&mut self, texts: usize, names: &[String], rows: &[Vec<String>]) {
        self.put(format_args!("<table><thead><tr>"));
        let class = |place: usize| if place < texts { "" } else { " class=\"n\"" };
        for (place, name) in names.iter().enumerate() {
            self.put(format_args!("<th{}>{}</th>", class(place), Escaped(name)));
        }
        self.put(format_args!("</tr></thead><tbody>\n"));
        for row in rows {
            self.put(format_args!("<tr>"));
            for (place, cell) in row.iter().enumerate() {
                let (name, cell) = (Escaped(&names[place]), Escaped(cell));
                self.put(format_args!("<td{} data-name=\"{name}\">{cell}</td>", class(place)));
            }
            self.put(format_args!("</tr>\n"));
        }
        self.put(format_args!("</tbody></table>\n"));
    }

    fn over_time(&mut self, outcome: &Outcome) {
        let (slices, w) = (&outcome.slices, self.words);
        if slices.is_empty() {
            return;
        }
        let quantile = |class, name: &str, quantile| {
            line(class, name, slices, |slice| slice.latency.quantile_ms(quantile))
        };
        let lines =
            vec![quantile('a', "p50", 0.5), quantile('b', "p95", 0.95), quantile('c', "p99", 0.99)];
        let y = Scale::log(values(&lines));
        self.plot(w.over_time, &over(slices, lines, y, (time, w)));
        let per_second =
            |of: fn(&Slice) -> u64| move |s: &Slice| Some(of(s) as f64 / s.length_s.max(1e-9));
        let rates = [
            line('f', w.due, slices, per_second(|s| s.due)),
            line('d', w.good, slices, per_second(|s| s.ok)),
            line('c', w.bad, slices, per_second(|s| s.failed)),
            line('b', w.refused, slices, per_second(|s| s.rate_limited)),
            line('e', w.not_sent, slices, per_second(|s| s.shed)),
        ];
        // What never happened needs no line.
        let is_there =
            |line: &Line| line.points.iter().any(|(_, value)| value.is_some_and(|v| v > 0.0));
        let lines: Vec<Line> = rates.into_iter().filter(is_there).collect();
        let y = Scale::linear(values(&lines));
        self.plot(w.rates, &over(slices, lines, y, (rate, w)));
        let lines = vec![line('a', "", slices, |slice| Some(slice.in_flight as f64))];
        let y = Scale::linear(values(&lines));
        let title = if outcome.kind == Kind::Ws { w.open_over_time } else { w.in_flight };
        self.plot(title, &over(slices, lines, y, (rate, w)));
    }

    /// As HdrHistogram plots it: each step to the right is ten times rarer.
    fn distribution(&mut self, histogram: &Latencies) {
        if histogram.count() == 0 {
            return;
        }
        let most = (histogram.count() as f64).log10().clamp(1.0, 7.0);
        let at = |place: usize| most * place as f64 / POINTS as f64;
        let point = |place| (at(place), histogram.quantile_ms(1.0 - 10f64.powf(-at(place))));
        let points: Vec<_> = (0..=POINTS).map(point).collect();
        let marks =
            ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %", "99.99999 %"];
        let marks = marks.iter().enumerate().filter(|(place, _)| *place as f64 <= most);
        let lines = vec![Line { class: 'a', name: String::new(), points }];
        let plot = Plot {
            x: Axis {
                from: 0.0,
                to: most,
                marks: marks.map(|(x, m)| (x as f64, (*m).to_owned())).collect(),
            },
            y: Scale::linear(values(&lines)),
            y_words: time,
            bands: Vec::new(),
            band_words: "",
            lines,
        };
        self.plot_inside(self.words.distribution, &plot);
        self.put(format_args!("<p class=\"quiet\">{}</p>\n", self.words.percentile_note));
    }

    fn plot(&mut self, title: &str, plot: &Plot) {
        self.begin(title);
        self.text.push_str(&plot.html());
        self.put(format_args!("</section>\n"));
    }

    fn plot_inside(&mut self, title: &str, plot: &Plot) {
        self.put(format_args!("<h3>{}</h3>\n", Escaped(title)));
        self.text.push_str(&plot.html());
    }
}

fn line(class: char, name: &str, slices: &[Slice], of: impl Fn(&Slice) -> Option<f64>) -> Line {
    let points =
        slices.iter().map(|slice| (slice.at_s + slice.length_s / 2.0, of(slice))).collect();
    Line { class, name: name.to_owned(), points }
}

fn values(lines: &[Line]) -> impl Iterator<Item = f64> + '_ {
    lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, value)| *value))
}

/// Lines over the time of a test; seconds in which the generator was the limit are shaded.
fn over(
    slices: &[Slice],
    lines: Vec<Line>,
    y: Scale,
    (y_words, words): (fn(f64) -> String, &'static Words),
) -> Plot {
    let end = slices.last().map_or(1.0, |slice| slice.at_s + slice.length_s);
    let (unit, name) = if end > 180.0 { (60.0, "min") } else { (1.0, "s") };
    let marks = steps(0.0, end / unit).into_iter().map(|at| (at * unit, format!("{at} {name}")));
    let bound = slices.iter().filter(|slice| slice.generator_bound);
    Plot {
        lines,
        x: Axis { from: 0.0, to: end, marks: marks.collect() },
        y,
        y_words,
        bands: bound.map(|slice| (slice.at_s, slice.at_s + slice.length_s)).collect(),
        band_words: words.bound_band,
    }
}

/// Text with the characters replaced that mean something in HTML.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                letter if letter.is_control() => f.write_char(' ')?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

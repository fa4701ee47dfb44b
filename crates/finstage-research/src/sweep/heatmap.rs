//! A grid of two parameters as one page: a cell for each combination, no script, no request.
//!
//! Blue is better than nothing and orange is worse, which the colour-blind tell apart, stronger
//! means farther from zero. What to look for is a region, not a cell: neighbours of a real effect
//! are good too, the best cell of noise stands alone.

use std::fmt::Write;

use super::{Row, Sweep, ranked};
use crate::backtest::{Escaped, Options, amount};
use crate::{Error, ErrorKind};

/// The most cells of a map: every one has a text of its own.
pub const MAX_CELLS: usize = 40_000;
/// The best combinations that are listed.
const LISTED: usize = 10;
/// The most values written along a side.
const LABELS: usize = 6;

const STYLE: &str =
    concat!(include_str!("../backtest/report/style.css"), include_str!("heatmap.css"));

/// What a map is of.
#[derive(Debug, Clone, Copy)]
pub struct Heatmap<'a> {
    /// What the bars are of: a symbol or the name of a file.
    pub title: &'a str,
    /// The number of bars.
    pub bars: usize,
    /// The rule and its grid of two parameters.
    pub sweep: &'a Sweep,
    /// What [`Sweep::run`] found.
    pub rows: &'a [Row],
    /// The terms of the runs.
    pub options: &'a Options,
    /// Which program made the page: `finstage 0.1.0`.
    pub made_by: &'a str,
}

/// A page of HTML with the Sharpe ratio of every combination; the first parameter goes to the
/// right, the second upwards.
///
/// # Errors
/// When the grid has not two parameters, or more than [`MAX_CELLS`] combinations.
pub fn heatmap(map: &Heatmap<'_>) -> Result<String, Error> {
    let refuse = |why: String| Err(Error::new(ErrorKind::Grid, why));
    let axes = map.sweep.grid().axes();
    let [across, up] = axes else {
        return refuse(format!(
            "a heatmap needs a grid of two parameters and this one has {}; fix the others in the \
             strategy",
            axes.len()
        ));
    };
    let cells = map.sweep.grid().combinations();
    if cells > MAX_CELLS {
        return refuse(format!(
            "a heatmap of {cells} cells would be too large to open, the most is {MAX_CELLS}; take \
             greater steps"
        ));
    }
    let mut page = Page(String::with_capacity(2_000 + 200 * map.rows.len()));
    page.head(map);
    page.cells(map, (across.values.len(), up.values.len()));
    page.labels("x", "left", &across.values, &across.name, false);
    page.labels("y", "top", &up.values, &up.name, true);
    page.put(format_args!("</div></section>\n"));
    page.best(map);
    page.put(format_args!(
        "<footer>Made by {}. The best of {} combinations looks good by luck alone: this is an \
         illustration, not evidence, and no advice.</footer>\n</main></body></html>\n",
        Escaped(map.made_by),
        amount(map.rows.len() as f64, 0)
    ));
    Ok(page.0)
}

struct Page(String);

impl Page {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a string cannot fail");
    }

    fn head(&mut self, map: &Heatmap<'_>) {
        let (title, rule) = (Escaped(map.title), map.sweep.rule_text());
        let greatest = greatest(map.rows);
        let size = if map.options.size < 1.0 {
            format!("{} % of the cash in a position", amount(100.0 * map.options.size, 2))
        } else {
            format!("{} units a position", amount(map.options.size, 2))
        };
        let commission = amount(100.0 * map.options.commission, 3);
        self.put(format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <title>Sweep over {title}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n\
             <h1>Sweep over {title}</h1>\n<p class=\"rule\">{rule}: Sharpe ratio of every \
             combination</p>\n<p class=\"quiet\">{bars} bars, {tried} combinations tried, {skipped} \
             left out because they make no sense; {size}, commission {commission} % a side</p>\n\
             <section><p class=\"scale\">−{greatest:.2}<i></i>{greatest:.2} <span><i class=\"u\"></i>\
             nothing traded</span></p>\n",
            rule = Escaped(&rule),
            bars = amount(map.bars as f64, 0),
            tried = amount(map.rows.len() as f64, 0),
            skipped = amount(map.sweep.skipped() as f64, 0),
        ));
    }

    fn cells(&mut self, map: &Heatmap<'_>, (columns, lines): (usize, usize)) {
        self.put(format_args!(
            "<div class=\"map\"><svg viewBox=\"0 0 {columns} {lines}\" \
             preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Sharpe ratio by parameters\">\n"
        ));
        let corner = |row: &Row| (row.place / lines, lines - 1 - row.place % lines);
        let greatest = greatest(map.rows);
        for row in map.rows {
            let (x, y) = corner(row);
            self.put(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\" "));
            match row.sharpe {
                None => self.put(format_args!("class=\"u\">")),
                Some(sharpe) => {
                    let class = if sharpe < 0.0 { 'n' } else { 'p' };
                    let strength = (sharpe / greatest).abs();
                    self.put(format_args!("class=\"{class}\" fill-opacity=\"{strength:.2}\">"));
                }
            }
            self.put(format_args!("<title>{}</title></rect>\n", describe(map.sweep, row)));
        }
        if let Some(best) = ranked(map.rows).first().filter(|best| best.sharpe.is_some()) {
            let (x, y) = corner(best);
            self.put(format_args!(
                "<rect class=\"best\" x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\"><title>best: \
                 {}</title></rect>\n",
                describe(map.sweep, best)
            ));
        }
        self.put(format_args!("</svg>"));
    }

    /// Some values along a side, in the middle of their cells, and the name of the parameter.
    fn labels(&mut self, class: &str, side: &str, values: &[f64], name: &str, is_upwards: bool) {
        let count = values.len();
        let steps = count.min(LABELS);
        for step in 0..steps {
            let place = if steps == 1 { 0 } else { step * (count - 1) / (steps - 1) };
            let middle = 100.0 * (place as f64 + 0.5) / count as f64;
            let at = if is_upwards { 100.0 - middle } else { middle };
            let value = values[place];
            self.put(format_args!(
                "<span class=\"{class}\" style=\"{side}:{at:.2}%\">{value}</span>"
            ));
        }
        self.put(format_args!("<span class=\"{class}name\">{}</span>", Escaped(name)));
    }

    fn best(&mut self, map: &Heatmap<'_>) {
        self.put(format_args!(
            "<section><h2>Greatest Sharpe ratios</h2>\n<div class=\"wide\"><table><thead><tr>"
        ));
        for axis in map.sweep.grid().axes() {
            self.put(format_args!("<th>{}</th>", Escaped(&axis.name)));
        }
        self.put(format_args!(
            "<th>Sharpe</th><th>return</th><th>greatest drawdown</th><th>trades</th></tr></thead>\
             <tbody>\n"
        ));
        for row in ranked(map.rows).into_iter().take(LISTED) {
            self.put(format_args!("<tr>"));
            for value in map.sweep.grid().values(row.place) {
                self.put(format_args!("<td>{value}</td>"));
            }
            let sharpe = row.sharpe.map_or_else(|| "–".to_owned(), |sharpe| amount(sharpe, 3));
            self.put(format_args!(
                "<td>{sharpe}</td><td>{} %</td><td>{} %</td><td>{}</td></tr>\n",
                amount(row.return_pct, 1),
                amount(row.max_drawdown_pct, 1),
                amount(row.trades as f64, 0)
            ));
        }
        self.put(format_args!("</tbody></table></div></section>\n"));
    }
}

/// One combination in words.
fn describe(sweep: &Sweep, row: &Row) -> String {
    let grid = sweep.grid();
    let values = grid.axes().iter().zip(grid.values(row.place));
    let values: Vec<String> =
        values.map(|(axis, value)| format!("{} {value}", Escaped(&axis.name))).collect();
    let sharpe = row.sharpe.map_or_else(|| "none".to_owned(), |sharpe| amount(sharpe, 3));
    format!(
        "{}: Sharpe {sharpe}, return {} %, drawdown {} %, {} trades",
        values.join(", "),
        amount(row.return_pct, 1),
        amount(row.max_drawdown_pct, 1),
        row.trades
    )
}

/// The greatest distance from zero of a Sharpe ratio.
fn greatest(rows: &[Row]) -> f64 {
    let greatest = rows
        .iter()
        .filter_map(|row| row.sharpe)
        .fold(0.0, |most: f64, sharpe| most.max(sharpe.abs()));
    if greatest > 0.0 { greatest } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::Exit;
    use crate::sweep::Grid;

    fn sweep(axes: &[&str]) -> Sweep {
        let axes = axes.iter().map(|axis| axis.parse().unwrap()).collect();
        let rule = "sma_cross".parse().unwrap();
        Sweep::new(
            &rule,
            Exit::default(),
            finstage_engine::Catalog::default(),
            Grid::new(axes).unwrap(),
        )
        .unwrap()
    }

    fn row(place: usize, sharpe: Option<f64>) -> Row {
        Row { place, final_equity: 1.0, return_pct: 2.0, sharpe, max_drawdown_pct: -3.0, trades: 4 }
    }

    fn page(sweep: &Sweep, rows: &[Row]) -> Result<String, String> {
        let (options, title, made_by) = (Options::default(), "<A&B>", "finstage 0");
        let map = Heatmap { title, bars: 9, sweep, rows, options: &options, made_by };
        heatmap(&map).map_err(|error| error.to_string())
    }

    #[test]
    fn a_cell_tells_its_parameters_and_stands_in_its_place() {
        let sweep = sweep(&["fast=2,3", "slow=10,20,30"]);
        let rows = [row(0, Some(1.0)), row(4, Some(-2.0)), row(5, None)];
        let page = page(&sweep, &rows).unwrap();
        assert!(page.contains("viewBox=\"0 0 2 3\""));
        assert!(page.contains(
            "<rect x=\"0\" y=\"2\" width=\"1\" height=\"1\" class=\"p\" fill-opacity=\"0.50\">\
             <title>fast 2, slow 10: Sharpe 1.000, return 2.0 %, drawdown −3.0 %, 4 trades</title>"
        ));
        assert!(page.contains(
            "<rect x=\"1\" y=\"1\" width=\"1\" height=\"1\" class=\"n\" fill-opacity=\"1.00\">"
        ));
        assert!(page.contains("<rect x=\"1\" y=\"0\" width=\"1\" height=\"1\" class=\"u\">"));
        assert!(page.contains("<rect class=\"best\" x=\"0\" y=\"2\""));
        assert!(page.contains("&lt;A&amp;B&gt;") && !page.contains("<A&B>"));
        for outside in ["http:", "https:", "<script", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn other_grids_are_refused() {
        let one = page(&sweep(&["fast=2,3"]), &[]).unwrap_err();
        assert!(one.contains("needs a grid of two parameters and this one has 1"), "{one}");
        let great = page(&sweep(&["fast=1..300", "slow=1..300"]), &[]).unwrap_err();
        assert!(great.contains("90000 cells"), "{great}");
    }

    #[test]
    fn rows_without_a_ratio_come_last() {
        let rows = [row(0, None), row(1, Some(-1.0)), row(2, Some(3.0)), row(3, Some(3.0))];
        let places: Vec<usize> = ranked(&rows).iter().map(|row| row.place).collect();
        assert_eq!(places, [2, 3, 1, 0]);
    }
}

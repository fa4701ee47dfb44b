//! One page about one run: everything in one file, no script, no request to anywhere.
//!
//! The page is for a person who decides whether to look further, so it shows what speaks against
//! the rule as large as what speaks for it, and says under which rules the numbers arose. It holds
//! nothing that depends on when or where it was made: the same run gives the same bytes.

mod chart;
mod months;
mod numbers;
mod terms;
mod trades;

use std::fmt::Write;

use finstage_model::Bar;

pub(crate) use self::chart::{Chart, Line, Mark};
pub use self::numbers::Escaped;
use self::numbers::maybe;
pub(crate) use self::numbers::{amount, percent};
use super::{Backtest, Options, Plan, Trade};

/// The trades listed in the table: the first and the last half of this number when there are more.
pub const MAX_LISTED: usize = 200;

/// Name, value and a note of the headline figures.
fn tiles(subject: &Subject<'_>, done: &Backtest) -> [(&'static str, String, String); 10] {
    let (stats, cash) = (&done.stats, subject.options.cash);
    let exposed = 100.0 * exposed_share(&done.trades, done.equity.len());
    let share = |percent: f64| format!("{} %", amount(percent, 1));
    let ratio = |value: f64| amount(value, 2);
    let note = str::to_owned;
    let paid = format!("{} % of the start", amount(100.0 * stats.commission_paid / cash, 2));
    [
        ("Return", percent(stats.return_pct), note("after costs")),
        ("Buy and hold", maybe(stats.buy_hold_return_pct, percent), note("free of costs")),
        (
            "Greatest drawdown",
            percent(stats.max_drawdown_pct),
            note("from the highest equity before"),
        ),
        (
            "Sharpe ratio",
            maybe(stats.sharpe_bar_sqrt252, ratio),
            note("mean / deviation of bar returns × √252"),
        ),
        ("Trades", amount(stats.trades as f64, 0), format!("{} won", stats.wins)),
        (
            "Win rate",
            maybe(stats.win_rate_pct, share),
            note("trades that paid more than their costs"),
        ),
        ("Profit factor", maybe(stats.profit_factor, ratio), note("gains / losses")),
        ("In the market", share(exposed), note("of all bars")),
        ("Final equity", amount(stats.final_equity, 2), format!("from {}", amount(cash, 2))),
        ("Commission", amount(stats.commission_paid, 2), paid),
    ]
}

/// The trades drawn into the price: those with the greatest profit or loss when there are more.
pub const MAX_MARKED: usize = 400;

/// The style of pages with a chart.
pub(crate) const STYLE: &str = include_str!("report/style.css");

/// What a report is about, besides the result.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What the bars are of: a symbol or the name of a file.
    pub title: &'a str,
    /// The bars of the run.
    pub bars: &'a [Bar],
    /// What was wanted.
    pub plan: &'a Plan,
    /// The terms of the run.
    pub options: &'a Options,
    /// Which program made the page: `finstage 0.1.0`.
    pub made_by: &'a str,
}

/// A page of HTML about a run of `subject`. Its size is bounded whatever the number of bars and
/// trades: under a megabyte.
#[must_use]
pub fn report(subject: &Subject<'_>, done: &Backtest) -> String {
    let mut page = Page(String::with_capacity(200_000));
    page.head(subject);
    page.headline(subject, done);
    page.charts(subject, done);
    page.months(subject, done);
    page.trades(subject, done);
    page.terms(subject, done);
    page.put(format_args!(
        "<footer>Made by {}. One run over one history is an illustration, not evidence, and no \
         advice.</footer>\n</main></body></html>\n",
        Escaped(subject.made_by)
    ));
    page.0
}

struct Page(String);

impl Page {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a string cannot fail");
    }

    fn head(&mut self, subject: &Subject<'_>) {
        let (title, rule) = (Escaped(subject.title), Escaped(&subject.plan.words));
        self.put(format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <title>Backtest of {title}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n\
             <h1>Backtest of {title}</h1>\n<p class=\"rule\">{rule}</p>\n<p class=\"quiet\">"
        ));
        match subject.bars {
            [] => self.put(format_args!("no bars")),
            [first, .., last] => self.put(format_args!(
                "{} bars of {}, {} to {}",
                amount(subject.bars.len() as f64, 0),
                first.interval,
                chart::moment(first),
                chart::moment(last)
            )),
            [only] => {
                self.put(format_args!("one bar of {}, {}", only.interval, chart::moment(only)));
            }
        }
        self.put(format_args!("</p>\n"));
    }

    fn headline(&mut self, subject: &Subject<'_>, done: &Backtest) {
        self.put(format_args!("<section class=\"tiles\">\n"));
        for (name, value, note) in tiles(subject, done) {
            let tone = if name == "Return" { tone(done.stats.return_pct) } else { "" };
            self.put(format_args!(
                "<div class=\"tile\"><span>{name}</span><b{tone}>{value}</b><small>{note}</small>\
                 </div>\n"
            ));
        }
        self.put(format_args!("</section>\n"));
    }

    fn charts(&mut self, subject: &Subject<'_>, done: &Backtest) {
        let bars = subject.bars;
        let closes: Vec<f64> = bars.iter().map(|bar| bar.close.to_f64()).collect();
        let times: Vec<_> = bars.iter().map(|bar| bar.open_time).collect();
        let marks = marks(&done.trades);
        self.put(format_args!(
            "<section><h2>Price and trades</h2>\n<p class=\"key\"><i class=\"close\"></i>close "
        ));
        let has = |is_shown: fn(&Mark) -> bool| marks.iter().any(is_shown);
        for (is_shown, class, words) in [
            (has(|mark| mark.is_long), "dot long", "long entry"),
            (has(|mark| !mark.is_long), "dot short", "short entry"),
            (has(|mark| mark.is_won), "won", "won"),
            (has(|mark| !mark.is_won), "lost", "lost"),
        ] {
            if is_shown {
                self.put(format_args!("<i class=\"{class}\"></i>{words} "));
            }
        }
        self.put(format_args!("</p>\n"));
        let lines = vec![Line { class: "close", values: &closes }];
        self.0.push_str(&Chart { times: &times, lines, marks: &marks, floor: None }.html());
        if done.trades.len() > marks.len() {
            self.put(format_args!(
                "<p class=\"quiet\">Drawn are the {MAX_MARKED} trades with the greatest profit or \
                 loss.</p>\n"
            ));
        }
        let held: Vec<f64> =
            closes.iter().map(|close| subject.options.cash * close / closes[0]).collect();
        self.put(format_args!(
            "</section>\n<section><h2>Equity</h2>\n<p class=\"key\"><i class=\"equity\"></i>this \
             rule <i class=\"hold\"></i>buy and hold, free of costs</p>\n"
        ));
        let mut lines = vec![Line { class: "equity", values: &done.equity }];
        if done.stats.buy_hold_return_pct.is_some() {
            lines.insert(0, Line { class: "hold", values: &held });
        }
        self.0.push_str(&Chart { times: &times, lines, marks: &[], floor: None }.html());
        let falls = falls(&done.equity);
        self.put(format_args!(
            "</section>\n<section><h2>Drawdown</h2>\n<p class=\"key\"><i class=\"fall\"></i>percent \
             below the highest equity before</p>\n"
        ));
        let lines = vec![Line { class: "fall", values: &falls }];
        self.0.push_str(&Chart { times: &times, lines, marks: &[], floor: Some(0.0) }.html());
        self.put(format_args!("</section>\n"));
    }
}

/// The trades drawn into the price.
fn marks(trades: &[Trade]) -> Vec<Mark> {
    let mut chosen: Vec<&Trade> = trades.iter().collect();
    if chosen.len() > MAX_MARKED {
        chosen.sort_by(|a, b| b.pnl.abs().total_cmp(&a.pnl.abs()));
        chosen.truncate(MAX_MARKED);
    }
    let mark = |trade: &&Trade| Mark {
        from: (trade.entry_bar, trade.entry_price),
        to: (trade.exit_bar, trade.exit_price),
        is_long: trade.size > 0.0,
        is_won: trade.pnl > 0.0,
    };
    chosen.iter().map(mark).collect()
}

/// Percent below the highest equity before.
fn falls(equity: &[f64]) -> Vec<f64> {
    let mut peak = f64::MIN;
    let fall = |&value: &f64| {
        peak = value.max(peak);
        100.0 * (value / peak - 1.0)
    };
    equity.iter().map(fall).collect()
}

/// The share of bars on which something was held, each bar counted once.
fn exposed_share(trades: &[Trade], bars: usize) -> f64 {
    let mut spans: Vec<(usize, usize)> =
        trades.iter().map(|trade| (trade.entry_bar, trade.exit_bar + 1)).collect();
    spans.sort_unstable();
    let (mut exposed, mut done) = (0, 0);
    for (from, until) in spans {
        exposed += until.saturating_sub(from.max(done));
        done = done.max(until);
    }
    exposed as f64 / bars.max(1) as f64
}

fn tone(value: f64) -> &'static str {
    match value {
        value if value > 0.0 => " class=\"good\"",
        value if value < 0.0 => " class=\"bad\"",
        _ => "",
    }
}

#[cfg(test)]
mod tests;

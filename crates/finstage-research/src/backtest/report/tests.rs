use finstage_model::{InstrumentId, Interval, Price, Qty, Timestamp};

use super::*;
use crate::BarSeries;
use crate::backtest::{Target, run};

fn bars(count: i64) -> Vec<Bar> {
    let bar = |place: i64| {
        let wave = 100.0 + 30.0 * (place as f64 / 40.0).sin() + (place % 7) as f64;
        let price = |value: f64| Price::from_f64_rounded(value, 2).unwrap();
        Bar {
            instrument: InstrumentId(0),
            interval: Interval::M1,
            open_time: Timestamp::from_secs(place * 60),
            open: price(wave),
            high: price(wave + 2.0),
            low: price(wave - 2.0),
            close: price(wave + 1.0),
            volume: Qty::ZERO,
            trades: 0,
        }
    };
    (0..count).map(bar).collect()
}

fn page(bars: &[Bar], targets: Vec<Target>) -> String {
    let options = Options { cash: 1e9, size: 1.0, ..Options::default() };
    let done = run(&BarSeries::new(bars).unwrap(), &targets, &options).unwrap();
    let plan = Plan::of_list(targets, "a list of <mine>");
    let subject =
        Subject { title: "a&b", bars, plan: &plan, options: &options, made_by: "finstage 0.0.0" };
    let html = report(&subject, &done);
    assert_eq!(html, report(&subject, &done));
    html
}

fn flips(count: usize, every: usize) -> Vec<Target> {
    let want = |bar: usize| if (bar / every).is_multiple_of(2) { 1.0 } else { -1.0 };
    (0..count).step_by(every).map(|bar| Target { bar, want: want(bar) }).collect()
}

#[test]
fn the_page_asks_nothing_of_anyone_and_runs_nothing() {
    let html = page(&bars(500), flips(500, 20));
    for asking in ["http", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!html.contains(asking), "{asking}");
    }
    assert!(html.contains("500 bars of 1m, 1970-01-01 00:00 to 1970-01-01 08:19"));
    assert!(html.contains("Backtest of a&amp;b") && html.contains("a list of &lt;mine&gt;"));
    assert!(!html.contains("NaN") && !html.contains("inf "));
}

#[test]
fn the_page_stays_small_whatever_it_is_about() {
    let html = page(&bars(300_000), flips(300_000, 10));
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
    assert_eq!(html.matches("<td>long</td>").count() + html.matches("<td>short</td>").count(), 200);
    assert!(html.contains("The first 100 and the last 100 of 30\u{202f}000."));
    assert!(html.contains("Drawn are the 400 trades"));
}

#[test]
fn a_run_without_a_trade_has_a_page() {
    for count in [1, 2, 40] {
        let html = page(&bars(count), vec![]);
        assert!(html.contains("There was no trade.") && html.contains("<b>–</b>"));
        assert!(!html.contains("NaN"));
    }
}

#[test]
fn every_bar_is_exposed_once() {
    let trade = |entry_bar, exit_bar| Trade {
        size: 1.0,
        entry_bar,
        exit_bar,
        entry_price: 1.0,
        exit_price: 1.0,
        commission: 0.0,
        pnl: 0.0,
    };
    let trades = [trade(2, 4), trade(4, 5), trade(3, 4), trade(8, 8)];
    assert_eq!(exposed_share(&trades, 10), 0.5);
}

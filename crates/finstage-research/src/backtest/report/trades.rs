//! The table of trades.

use finstage_model::Bar;

use super::chart::moment;
use super::numbers::{amount, decimals};
use super::{Backtest, MAX_LISTED, Page, Subject, tone};
use crate::backtest::Trade;

impl Page {
    pub(super) fn trades(&mut self, subject: &Subject<'_>, done: &Backtest) {
        let all = &done.trades;
        self.put(format_args!("<section><h2>Trades</h2>\n"));
        if all.is_empty() {
            return self.put(format_args!("<p>There was no trade.</p></section>\n"));
        }
        let half = MAX_LISTED / 2;
        let (first, last) = if all.len() > MAX_LISTED {
            self.put(format_args!(
                "<p class=\"quiet\">The first {half} and the last {half} of {}.</p>\n",
                amount(all.len() as f64, 0)
            ));
            (&all[..half], &all[all.len() - half..])
        } else {
            (&all[..], &all[all.len()..])
        };
        let columns = Columns::new(subject.bars, first.iter().chain(last));
        self.put(format_args!(
            "<div class=\"wide\"><table class=\"trades\"><thead><tr><th>#</th><th>Side</th>\
             <th>Units</th><th>Entry</th><th>at</th><th>Exit</th><th>at</th><th>Bars</th>\
             <th>Profit</th><th>%</th></tr></thead><tbody>\n"
        ));
        for (place, trade) in (1..).zip(first) {
            self.trade(place, trade, &columns);
        }
        if !last.is_empty() {
            self.put(format_args!("<tr><td colspan=\"10\" class=\"gap\">⋯</td></tr>\n"));
        }
        for (place, trade) in (all.len() - last.len() + 1..).zip(last) {
            self.trade(place, trade, &columns);
        }
        self.put(format_args!("</tbody></table></div></section>\n"));
    }

    fn trade(&mut self, place: usize, trade: &Trade, columns: &Columns<'_>) {
        let side = if trade.size > 0.0 { "long" } else { "short" };
        let time = |bar: usize| moment(&columns.bars[bar]);
        self.put(format_args!(
            "<tr><td>{place}</td><td>{side}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td{}>{}</td><td>{}</td></tr>\n",
            amount(trade.size.abs(), columns.of_units),
            time(trade.entry_bar),
            amount(trade.entry_price, columns.of_prices),
            time(trade.exit_bar),
            amount(trade.exit_price, columns.of_prices),
            trade.exit_bar - trade.entry_bar + 1,
            tone(trade.pnl),
            amount(trade.pnl, 2),
            amount(trade.return_pct(), 2),
        ));
    }
}

/// How the numbers of the table are written: each column with as many decimals as its neediest.
struct Columns<'a> {
    bars: &'a [Bar],
    of_units: usize,
    of_prices: usize,
}

impl<'a> Columns<'a> {
    fn new<'t>(bars: &'a [Bar], listed: impl Iterator<Item = &'t Trade>) -> Self {
        listed.fold(Self { bars, of_units: 0, of_prices: 0 }, |columns, trade| Self {
            bars,
            of_units: columns.of_units.max(decimals(trade.size)),
            of_prices: columns
                .of_prices
                .max(decimals(trade.entry_price))
                .max(decimals(trade.exit_price)),
        })
    }
}

//! Money and units: what was bought when, what was paid, what it brought.

use serde::{Serialize, Serializer};

/// Units bought (or sold short) at once and given back later.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Trade {
    /// Units; negative for a short. In JSON without decimals where it is whole.
    #[serde(serialize_with = "whole_where_possible")]
    pub size: f64,
    /// The bar on which it was opened.
    pub entry_bar: usize,
    /// The bar on which it was closed; may be the same.
    pub exit_bar: usize,
    /// Price at entry.
    pub entry_price: f64,
    /// Price at exit.
    pub exit_price: f64,
    /// Both commissions.
    pub commission: f64,
    /// What it brought, after both commissions.
    pub pnl: f64,
}

impl Trade {
    /// Profit or loss in percent of the money that the entry moved.
    #[must_use]
    pub fn return_pct(&self) -> f64 {
        100.0 * self.pnl / (self.size * self.entry_price).abs()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn whole_where_possible<S: Serializer>(size: &f64, to: S) -> Result<S::Ok, S::Error> {
    // Beyond 2^53 a double has no decimals to lose and an integer would pretend digits.
    if size.fract() == 0.0 && size.abs() < 9e15 {
        to.serialize_i64(*size as i64)
    } else {
        to.serialize_f64(*size)
    }
}

/// The account of one run.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) cash: f64,
    /// Held now; negative for a short.
    pub(super) units: f64,
    pub(super) commission_paid: f64,
    pub(super) trades: Vec<Trade>,
    rate: f64,
    /// What is held, oldest first; all of one sign.
    lots: Vec<Lot>,
}

/// Units that were bought at once.
#[derive(Debug, Clone, Copy)]
struct Lot {
    units: f64,
    bar: usize,
    price: f64,
    commission: f64,
}

impl Ledger {
    /// Begins a new account in the memory of the old one.
    pub(super) fn open_account(&mut self, cash: f64, rate: f64) {
        (self.cash, self.rate) = (cash, rate);
        (self.units, self.commission_paid) = (0.0, 0.0);
        self.trades.clear();
        self.lots.clear();
    }

    pub(super) fn is_flat(&self) -> bool {
        self.lots.is_empty()
    }

    /// Cash and units at `price`.
    pub(super) fn equity(&self, price: f64) -> f64 {
        self.cash + self.units * price
    }

    /// The mean entry price of what is held.
    pub(super) fn average_price(&self) -> f64 {
        match self.lots[..] {
            // Not by way of the units, which would round.
            [Lot { price, .. }] => price,
            _ => self.lots.iter().map(|lot| lot.units * lot.price).sum::<f64>() / self.units,
        }
    }

    /// Buys `units`, or sells them short when negative.
    pub(super) fn open(&mut self, bar: usize, price: f64, units: f64) {
        let commission = self.pay(units, price);
        self.units += units;
        self.lots.push(Lot { units, bar, price, commission });
    }

    /// Gives everything back.
    pub(super) fn close_all(&mut self, bar: usize, price: f64) {
        for place in 0..self.lots.len() {
            self.give_back(self.lots[place], bar, price);
        }
        self.lots.clear();
        self.units = 0.0;
    }

    /// Gives back this many units (an amount), the oldest first.
    pub(super) fn close_some(&mut self, bar: usize, price: f64, amount: f64) {
        let mut left = amount.abs();
        while let Some(&oldest) = self.lots.first() {
            let held = oldest.units.abs();
            if left < held {
                let part = left / held;
                let sold = Lot {
                    units: oldest.units.signum() * left,
                    commission: oldest.commission * part,
                    ..oldest
                };
                self.give_back(sold, bar, price);
                self.lots[0].units -= sold.units;
                self.lots[0].commission -= sold.commission;
                break;
            }
            self.give_back(oldest, bar, price);
            self.lots.remove(0);
            left -= held;
        }
        self.lots.retain(|lot| lot.units != 0.0);
        self.units = self.lots.iter().map(|lot| lot.units).sum();
    }

    fn give_back(&mut self, lot: Lot, bar: usize, price: f64) {
        let commission = lot.commission + self.pay(-lot.units, price);
        self.trades.push(Trade {
            size: lot.units,
            entry_bar: lot.bar,
            exit_bar: bar,
            entry_price: lot.price,
            exit_price: price,
            commission,
            pnl: lot.units * (price - lot.price) - commission,
        });
    }

    /// Moves the cash of a fill; returns the commission.
    fn pay(&mut self, units: f64, price: f64) -> f64 {
        let commission = units.abs() * price * self.rate;
        self.cash -= units * price + commission;
        self.commission_paid += commission;
        commission
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(cash: f64, rate: f64) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.open_account(cash, rate);
        ledger
    }

    #[test]
    fn the_oldest_units_are_given_back_first_and_carry_their_share_of_the_commission() {
        let mut ledger = account(1_000.0, 0.01);
        ledger.open(1, 10.0, 20.0);
        ledger.open(2, 20.0, 10.0);
        assert_eq!(ledger.cash, 1_000.0 - 202.0 - 202.0);
        assert!((ledger.average_price() - 40.0 / 3.0).abs() < 1e-12);
        ledger.close_some(3, 30.0, 25.0);
        assert_eq!(ledger.units, 5.0);
        let sizes: Vec<_> = ledger.trades.iter().map(|t| (t.size, t.entry_bar)).collect();
        assert_eq!(sizes, [(20.0, 1), (5.0, 2)]);
        assert_eq!(ledger.trades[1].commission, 1.0 + 1.5);
        ledger.close_all(4, 30.0);
        assert!(ledger.is_flat());
        let pnl: f64 = ledger.trades.iter().map(|trade| trade.pnl).sum();
        assert!((ledger.cash - 1_000.0 - pnl).abs() < 1e-9);
    }

    #[test]
    fn a_short_brings_what_the_price_falls() {
        let mut ledger = account(1_000.0, 0.0);
        ledger.open(1, 10.0, -20.0);
        assert_eq!((ledger.cash, ledger.equity(10.0)), (1_200.0, 1_000.0));
        ledger.close_all(2, 8.0);
        assert_eq!((ledger.cash, ledger.trades[0].pnl), (1_040.0, 40.0));
        assert_eq!(ledger.trades[0].return_pct(), 20.0);
    }

    #[test]
    fn whole_sizes_are_whole_in_json() {
        let trade = Trade {
            size: -56.0,
            entry_bar: 1,
            exit_bar: 2,
            entry_price: 10.0,
            exit_price: 9.5,
            commission: 0.0,
            pnl: 28.0,
        };
        let json = serde_json::to_string(&trade).unwrap();
        assert!(json.starts_with(r#"{"size":-56,"entry_bar":1,"#), "{json}");
        let json = serde_json::to_string(&Trade { size: 0.25, ..trade }).unwrap();
        assert!(json.starts_with(r#"{"size":0.25,"#), "{json}");
    }
}

//! The loop. Between two decisions nothing changes but the price, so the equity of such a stretch
//! is one multiplication and one addition a bar, written over the column at once.

use finstage_quant::wide::{Block, wide};
use serde::Serialize;

use super::fills::{Exit, Guard, Held, InBar, NoGuard, NoSlip, Side, Slip};
use super::ledger::Ledger;
use super::stats::{BLOCK, Path};
use super::targets::check_targets;
use super::{CloseFinal, Options, Slippage, Stats, Stops, Target, Trade};
use crate::{BarSeries, Error, ErrorKind};

/// What came of a run. Its JSON form has the statistics at the top level and `trade_list` below.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// The numbers about it.
    #[serde(flatten)]
    pub stats: Stats,
    /// Orders of no units, or dearer than the free cash.
    pub refused_orders: usize,
    /// Every trade, in the order of their exits.
    #[serde(rename = "trade_list")]
    pub trades: Vec<Trade>,
    /// Cash plus the value of what is held at every close.
    #[serde(skip)]
    pub equity: Vec<f64>,
}

/// Holds what the targets want over these bars, under these terms.
///
/// # Errors
/// When there is no bar, an option makes no sense, or the targets are out of order or bounds.
pub fn run(series: &BarSeries, targets: &[Target], options: &Options) -> Result<Backtest, Error> {
    options.check()?;
    check_targets(targets, series.len())?;
    if series.is_empty() {
        return Err(Error::new(ErrorKind::Bars, "a backtest needs at least one bar"));
    }
    let mut account = Account::default();
    let (stats, refused_orders) = run_in(&mut account, series, targets, options);
    let Account { ledger, equity, .. } = account;
    Ok(Backtest { stats, refused_orders, trades: ledger.trades, equity })
}

/// The memory of a run, which the next run uses again.
#[derive(Debug, Default)]
pub(crate) struct Account {
    ledger: Ledger,
    equity: Vec<f64>,
    keep: Keep,
}

/// What is kept of the equity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Keep {
    /// Every bar.
    #[default]
    All,
    /// What is being worked on: the rest would only travel to memory and back.
    Recent,
}

impl Account {
    /// The memory of runs that keep so much.
    pub(crate) fn keeping(keep: Keep) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Cash plus the value of what was held at every close of the last run, as far as it is kept.
    pub(crate) fn equity(&self) -> &[f64] {
        &self.equity
    }

    /// The trades of the last run, in the order of their exits.
    pub(crate) fn trades(&self) -> &[Trade] {
        &self.ledger.trades
    }
}

/// As [`run`], of input that was checked: the numbers about the run, and how many orders were
/// refused.
pub(crate) fn run_in(
    account: &mut Account,
    series: &BarSeries,
    targets: &[Target],
    options: &Options,
) -> (Stats, usize) {
    let terms = Terms { series, options };
    let is_unguarded = options.stops == Stops::default();
    match (options.slippage, is_unguarded) {
        (Slippage::None, true) => Runner::new(account, terms, NoSlip, NoGuard).run(targets),
        (Slippage::None, false) => Runner::new(account, terms, NoSlip, options.stops).run(targets),
        (slip, true) => Runner::new(account, terms, slip, NoGuard).run(targets),
        (slip, false) => Runner::new(account, terms, slip, options.stops).run(targets),
    }
}

/// What is held, at the price of each bar.
struct Value<'a> {
    closes: &'a [f64],
    cash: f64,
    units: f64,
    equity: &'a mut Vec<f64>,
}

impl Block for Value<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { closes, cash, units, equity } = self;
        equity.extend(closes.iter().map(|close| cash + units * close));
    }
}

/// Bars whose equity is taken into the statistics together.
const PIECE: usize = 4 * BLOCK;

#[derive(Debug, Clone, Copy)]
struct Terms<'a> {
    series: &'a BarSeries,
    options: &'a Options,
}

struct Runner<'a, S, G> {
    series: &'a BarSeries,
    options: &'a Options,
    slip: S,
    guard: G,
    ledger: &'a mut Ledger,
    /// Of the bars done so far, as far as it is kept.
    equity: &'a mut Vec<f64>,
    keep: Keep,
    /// The number of bars done so far.
    done: usize,
    path: Path,
    /// The place in `equity` that `path` has come to.
    joined: usize,
    /// The last want stated.
    stated: f64,
    /// The want in force: the one stated, or nothing after a stop.
    want: f64,
    /// Whether the position is to be made what is wanted at the next open.
    is_ordered: bool,
    /// Whether the last order was refused.
    is_refused: bool,
    refused_orders: usize,
}

impl<'a, S: Slip, G: Guard> Runner<'a, S, G> {
    fn new(account: &'a mut Account, terms: Terms<'a>, slip: S, guard: G) -> Self {
        let Terms { series, options } = terms;
        let Account { ledger, equity, keep } = account;
        ledger.open_account(options.cash, options.commission);
        equity.clear();
        if *keep == Keep::All {
            equity.reserve(series.len());
        }
        Self {
            series,
            options,
            slip,
            guard,
            ledger,
            equity,
            keep: *keep,
            done: 0,
            // Nothing is held on the first bar.
            path: Path::new(options.cash),
            joined: 0,
            stated: 0.0,
            want: 0.0,
            is_ordered: false,
            is_refused: false,
            refused_orders: 0,
        }
    }

    fn run(mut self, targets: &[Target]) -> (Stats, usize) {
        for target in targets {
            self.advance(target.bar + 1);
            self.decide(target.want);
        }
        self.advance(self.series.len());
        self.finish()
    }

    fn decide(&mut self, want: f64) {
        if want != self.stated || self.is_refused {
            (self.stated, self.want) = (want, want);
            self.is_ordered = true;
        }
    }

    /// Does the bars before `end`, over which the want does not change.
    fn advance(&mut self, end: usize) {
        while self.done < end {
            let bar = self.done;
            if self.is_ordered {
                self.fill(bar);
            }
            if !G::IS_ACTIVE || self.ledger.is_flat() {
                self.hold(end);
                return;
            }
            self.watch(bar);
            self.equity.push(self.ledger.equity(self.series.close()[bar]));
            self.done += 1;
            self.settle();
        }
    }

    /// Does the bars before `end`, over which nothing changes but the price.
    fn hold(&mut self, end: usize) {
        let (cash, units) = (self.ledger.cash, self.ledger.units);
        for closes in self.series.close()[self.done..end].chunks(PIECE) {
            wide(Value { closes, cash, units, equity: self.equity });
            self.settle();
        }
        self.done = end;
    }

    /// Takes the equity into the statistics while it is near.
    fn settle(&mut self) {
        if self.equity.len() - self.joined < PIECE {
            return;
        }
        self.joined += self.path.join_settled(&self.equity[self.joined..]);
        if self.keep == Keep::Recent {
            self.equity.drain(..self.joined);
            self.joined = 0;
        }
    }

    /// Makes the position what is wanted, at the open of `bar`.
    fn fill(&mut self, bar: usize) {
        let open = self.series.open()[bar];
        let side_held = self.ledger.units.signum();
        if !self.ledger.is_flat() && (self.want == 0.0 || side_held != self.want.signum()) {
            let price = self.price(bar, open, Side::closing(side_held));
            self.ledger.close_all(bar, price);
        }
        self.is_refused = self.want != 0.0 && !self.resize(bar, open);
        self.refused_orders += usize::from(self.is_refused);
        self.is_ordered = false;
    }

    /// Makes a position on the wanted side, or none, as large as wanted; false when it is refused.
    fn resize(&mut self, bar: usize, open: f64) -> bool {
        let sign = self.want.signum();
        let price = self.price(bar, open, Side::opening(sign));
        let held = self.ledger.units.abs();
        let equity = self.ledger.equity(price);
        let wanted = self.units(equity, price);
        if wanted < held {
            let price = self.price(bar, open, Side::closing(sign));
            self.ledger.close_some(bar, price, held - wanted);
            return true;
        }
        let more = wanted - held;
        if more == 0.0 && held > 0.0 {
            return true;
        }
        let cost = more * price * (1.0 + self.options.commission);
        // Not: a price that is no number fails every comparison.
        if !(more > 0.0 && price > 0.0 && cost <= equity - held * price) {
            return false;
        }
        self.ledger.open(bar, price, sign * more);
        true
    }

    /// The number of units that the want means at that price.
    fn units(&self, equity: f64, price: f64) -> f64 {
        let Options { size, lot, commission, .. } = *self.options;
        let part = size * self.want.abs();
        if size < 1.0 {
            let affordable = equity * part / (price * (1.0 + commission));
            return ((affordable / lot).floor() * lot).max(0.0);
        }
        let steps = part / lot;
        // 2.3 units in lots of 0.1 are 23 lots, whatever the division says in its last place.
        let whole = if (steps - steps.round()).abs() <= 1e-9 * steps {
            steps.round()
        } else {
            steps.floor()
        };
        whole * lot
    }

    /// Looks for an exit inside `bar`.
    fn watch(&mut self, bar: usize) {
        let is_closed_at_open = self.options.close_final == CloseFinal::Open;
        if is_closed_at_open && bar + 1 == self.series.len() {
            return;
        }
        let sign = self.ledger.units.signum();
        let held = Held { sign, average_price: self.ledger.average_price() };
        let series = self.series;
        let prices =
            InBar { open: series.open()[bar], high: series.high()[bar], low: series.low()[bar] };
        let price = match self.guard.exit(held, prices) {
            None => return,
            Some(Exit::Limit(price)) => price,
            Some(Exit::Market(price)) => self.price(bar, price, Side::closing(sign)),
        };
        self.ledger.close_all(bar, price);
        self.want = 0.0;
    }

    /// The price of a market order on `bar` that saw the price `seen`.
    fn price(&self, bar: usize, seen: f64, side: Side) -> f64 {
        let before = bar.saturating_sub(1);
        self.slip.price(seen, self.series.high()[before] - self.series.low()[before], side)
    }

    fn finish(mut self) -> (Stats, usize) {
        let last = self.series.len() - 1;
        if !self.ledger.is_flat() {
            let seen = match self.options.close_final {
                CloseFinal::Close => self.series.close()[last],
                CloseFinal::Open => self.series.open()[last],
            };
            let price = self.price(last, seen, Side::closing(self.ledger.units));
            self.ledger.close_all(last, price);
            let last = self.equity.last_mut().expect("invariant: the last bar was done");
            *last = self.ledger.cash;
        }
        self.joined += self.path.join_settled(&self.equity[self.joined..]);
        self.path.finish(&self.equity[self.joined..]);
        let Ledger { commission_paid, trades, .. } = &*self.ledger;
        let stats = Stats::of_path(&self.path, self.series.close(), trades, *commission_paid);
        (stats, self.refused_orders)
    }
}

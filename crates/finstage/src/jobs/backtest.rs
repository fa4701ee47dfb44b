//! A backtest on stored bars, as the server and `finstage tasks submit backtest` take it.
//!
//! It is the run of `finstage backtest`: the same plan, the same fills, the same entry in the ledger of
//! trials. Bars are adjusted by the factors that are stored beside them, because a split is no loss.

use std::ops::Range;

use finstage_engine::When;
use finstage_model::{Bar, Interval, Timestamp};
use finstage_research::backtest::{
    self, Backtest, CloseFinal, Exit, OnExit, Options, Plan, SignalRule, Slippage, Stops,
};
use finstage_research::evidence::{Ground, Made, Tried};
use finstage_research::study::Instrument;
use finstage_research::{BarSeries, Error, ErrorKind, News};
use finstage_server::BacktestAsked;
use finstage_strategies::CATALOG;
use serde_json::{Value, json};

use super::registry::{Fault, Given, Ticket};
use super::work::Means;
use crate::evidence;
use crate::news::stored;

/// The most bars of a run: nearly a year of minutes, some 300 MB while it lasts.
pub const MAX_BARS: u64 = 500_000;
/// The most trades that a result lists: it has to fit into the row of a task.
pub const MAX_TRADES: usize = 200;

/// Whether there is such a rule with such parameters and terms, before anything is read.
///
/// # Errors
/// Naming the field, or what of the rule makes no sense.
pub fn check(payload: &str) -> Result<(), Fault> {
    let asked: BacktestAsked = serde_json::from_str(payload).map_err(Fault::lasting)?;
    options(&asked).check().map_err(Fault::lasting)?;
    match plan(&asked, (&[], &News::default())) {
        // It is a matter of bars, which are not there yet.
        Err(error) if error.kind() == ErrorKind::Bars => Ok(()),
        Err(error) => {
            let field = if asked.when.is_some() { "when" } else { "strategy" };
            Err(Fault::lasting(format!("{field}: {error}")))
        }
        Ok(_) => Ok(()),
    }
}

/// Runs it on the stored bars.
pub(super) fn run(means: &Means, asked: &BacktestAsked, ticket: &Ticket) -> Given {
    ticket.tell(0.0, "reading bars");
    let instrument = instrument(means, asked)?;
    let bars = instrument.bars();
    let called_off = || ticket.is_called_off().then(|| Fault::passing("called off"));
    if let Some(fault) = called_off() {
        return Err(fault);
    }
    ticket.tell(0.3, format!("{} bars", bars.len()));
    let series = BarSeries::new(bars).map_err(Fault::lasting)?;
    let hears = rule_of(asked).is_some_and(|rule| rule.hears_news(CATALOG));
    let news = match hears {
        true => stored::about(&means.records, &asked.symbol)?,
        false => News::default(),
    };
    let plan = plan(asked, (bars, &news)).map_err(Fault::lasting)?;
    if let Some(fault) = called_off() {
        return Err(fault);
    }
    ticket.tell(0.8, "filling orders");
    let done = backtest::run(&series, &plan.targets, &options(asked)).map_err(Fault::lasting)?;
    note(means, (asked, &plan, &news), (bars, &done))?;
    let mut result = result(asked, (&plan, &done), bars)?;
    if hears {
        result["documents"] = json!(news.within(bars).len());
    }
    Ok(result)
}

/// The bars that are asked for, adjusted.
fn instrument(means: &Means, asked: &BacktestAsked) -> Result<Instrument, Fault> {
    let BacktestAsked { symbol, interval, .. } = asked;
    let range = asked.from.unwrap_or(Timestamp::MIN)..asked.to.unwrap_or(Timestamp::MAX);
    let most = means.history.bars_at_most(symbol, *interval, &range)?;
    if is_too_long(most, &range, *interval) {
        return Err(Fault::lasting(format!(
            "from: {symbol} {interval} has more than {MAX_BARS} bars there: ask for less time or longer bars"
        )));
    }
    let bars = means.history.bars(symbol, *interval, range)?;
    if bars.is_empty() {
        if let Some(last) = means.history.last_bars(symbol, *interval, Timestamp::MAX, 1)?.last() {
            let last = last.open_time;
            let (name, place) = match asked.from {
                Some(from) if from > last => ("from", "it is after all that are stored"),
                _ => ("to", "no stored bar is between from and to"),
            };
            return Err(Fault::lasting(format!(
                "{name}: {place}: the last bar of {symbol} {interval} opens at {last}"
            )));
        }
        return Err(Fault::lasting(format!(
            "symbol: no bars of {symbol} {interval} are stored there: `finstage backfill --symbols {symbol} --interval {interval}` or `finstage import` brings them"
        )));
    }
    let factors = means.history.factors(symbol)?;
    let adjust = |day| evidence::adjustment(&factors, day);
    Instrument::new(symbol.clone(), &bars, &adjust).map_err(Fault::lasting)
}

/// `most` counts files whole, which may hold bars beyond the range: a range holds no more bars than fit
/// into it either.
fn is_too_long(most: u64, range: &Range<Timestamp>, interval: Interval) -> bool {
    let fit = range.end.since(range.start).as_nanos() / interval.nominal().as_nanos();
    u128::from(most).min(fit) > u128::from(MAX_BARS)
}

fn exit_of(asked: &BacktestAsked) -> Exit {
    Exit {
        strategy: asked.exit.clone(),
        when: asked.exit_when.clone(),
        hold: asked.hold,
        then: if asked.reverse == Some(true) { OnExit::Reverse } else { OnExit::Flat },
    }
}

fn rule_of(asked: &BacktestAsked) -> Option<SignalRule> {
    Some(SignalRule { entry: asked.strategy.clone()?, exit: exit_of(asked) })
}

fn plan(asked: &BacktestAsked, (bars, news): (&[Bar], &News)) -> Result<Plan, Error> {
    if let Some(rule) = rule_of(asked).filter(|rule| rule.hears_news(CATALOG)) {
        return rule.plan_with_news(CATALOG, bars, news);
    }
    let exit = exit_of(asked);
    match (&asked.strategy, &asked.when) {
        (Some(rule), _) => Plan::of_rule(rule, exit, CATALOG, bars),
        (None, when) => {
            let mut when = When::long(when.as_deref().unwrap_or_default());
            when.direction = asked.direction.unwrap_or(when.direction);
            Plan::of_condition(&when, &exit, CATALOG, bars)
        }
    }
}

fn options(asked: &BacktestAsked) -> Options {
    let usual = Options::default();
    Options {
        cash: asked.cash.unwrap_or(usual.cash),
        commission: asked.commission.unwrap_or(usual.commission),
        size: asked.size.unwrap_or(usual.size),
        close_final: if asked.closes_at_open { CloseFinal::Open } else { CloseFinal::Close },
        slippage: asked.slippage_bps.map_or(Slippage::None, Slippage::Bps),
        stops: Stops { loss: asked.stop_loss, profit: asked.take_profit },
        ..usual
    }
}

/// It counts among everything that was tried.
fn note(
    means: &Means,
    (asked, plan, news): (&BacktestAsked, &Plan, &News),
    (bars, done): (&[Bar], &Backtest),
) -> Result<(), Fault> {
    let Some(tried) = Tried::backtest(plan) else { return Ok(()) };
    let now = means.clock.now();
    evidence::trials(&means.records, now)?;
    let digest = evidence::digest(done);
    let made = Made { code_version: crate::VERSION, digest: &digest };
    let row = tried.row(&Ground::of_heard_series(&asked.symbol, bars, news), None, made);
    means.records.add_trials(&[row], now)?;
    Ok(())
}

/// As `finstage backtest --json`, with what was read, and no more trades than fit.
fn result(asked: &BacktestAsked, (plan, done): (&Plan, &Backtest), bars: &[Bar]) -> Given {
    let mut value: Value = serde_json::to_value(done.stats).map_err(Fault::lasting)?;
    let listed = &done.trades[..done.trades.len().min(MAX_TRADES)];
    value["strategy"] = json!(plan.canonical);
    value["symbol"] = json!(asked.symbol);
    value["interval"] = json!(asked.interval);
    value["bars"] = json!(bars.len());
    value["from"] = json!(bars.first().map(|bar| bar.open_time));
    value["to"] = json!(bars.last().map(|bar| bar.close_time()));
    value["refused_orders"] = json!(done.refused_orders);
    value["trades_left_out"] = json!(done.trades.len() - listed.len());
    value["trade_list"] = serde_json::to_value(listed).map_err(Fault::lasting)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_refused_by_what_it_would_read() {
        let day = |day: i64| Timestamp::from_secs(day * 86_400);
        let all = Timestamp::MIN..Timestamp::MAX;
        assert!(is_too_long(MAX_BARS + 1, &all, Interval::M1));
        assert!(!is_too_long(MAX_BARS, &all, Interval::M1));
        // A file of ten years, of which a month is asked for.
        assert!(!is_too_long(5_000_000, &(day(0)..day(31)), Interval::M1));
        assert!(is_too_long(5_000_000, &(day(0)..day(400)), Interval::M1));
    }

    #[test]
    fn a_rule_that_does_not_exist_is_refused_before_it_is_a_task() {
        let asked =
            |more: &str| check(&format!("{{\"symbol\":\"sim:A\",\"interval\":\"1d\",{more}}}"));
        for good in [
            "\"strategy\":\"golden_cross\"",
            "\"strategy\":\"sma_cross(5,10)\"",
            "\"when\":\"cross_above(close, sma(20))\",\"hold\":5",
        ] {
            asked(good).unwrap_or_else(|why| panic!("{good}: {}", why.reason));
        }
        for (bad, field) in [
            ("\"strategy\":\"goldn_cross\"", "strategy: "),
            ("\"strategy\":\"golden_cross(fast=200,slow=50)\"", "strategy: "),
            ("\"strategy\":\"sma_cross\",\"exit\":\"rsi_overbought\"", "strategy: "),
            ("\"when\":\"cross_above(\",\"hold\":5", "when: "),
            ("\"strategy\":\"golden_cross\",\"cash\":0", "cash: "),
            ("\"strategy\":\"golden_cross\",\"size\":1.5", "size = 1.5"),
        ] {
            let why = asked(bad).unwrap_err().reason;
            assert!(why.starts_with(field), "{bad}: {why}");
        }
    }
}

//! `finstage backtest`

use std::path::Path;

use finstage_engine::When;
use finstage_model::{Bar, Symbol};
use finstage_research::backtest::{
    self, Backtest, CloseFinal, Exit as PositionExit, OnExit, Options, Plan, SignalRule, Slippage,
    Stops, Subject, parse_targets, report,
};
use finstage_research::evidence::{Ground, Tried};
use finstage_research::{BarSeries, News};
use finstage_strategies::CATALOG;
use serde_json::{Value, json};

use super::import::{read_bars, symbol_of};
use super::ledger::{self, Entry};
use super::{print_json, print_table, say};
use crate::cli::{Backtest as Args, ClosePrice, Global};
use crate::evidence::digest;
use crate::exit::{Exit, Failure, Result};
use crate::news::stored;

/// Longest list of targets that is read, in bytes.
const TARGETS_MAX_BYTES: u64 = 256 << 20;

pub(super) fn run(global: &Global, args: &Args) -> Result<Exit> {
    let file = read_bars(global, &args.input, &args.bars)?;
    let symbol = symbol_of(&args.input, &args.bars)?;
    let heard = hears_news(args).then(|| stored_news(global, (&symbol, &file.bars))).transpose()?;
    let news = heard.unwrap_or_default();
    let plan = plan(args, (&file.bars, &news))?;
    let options = options(args);
    if args.size == 1.0 {
        say(global, format_args!("--size 1 is one unit; write 0.99 for nearly all of the cash"));
    }
    let series = BarSeries::new(&file.bars).map_err(Failure::usage)?;
    options.check().map_err(Failure::usage)?;
    let open = |tried| {
        let ground = Ground::of_heard_series(&symbol, &file.bars, &news);
        Entry::open(ledger::records(global)?, tried, ground)
    };
    let entry = Tried::backtest(&plan).map(open).transpose()?;
    if let Some(entry) = &entry {
        let (title, words) = (format!("{symbol} {}", file.interval), ("trial", "trials"));
        entry.announce(global, words, &format!("{} on {title}", plan.canonical));
    }
    let done = backtest::run(&series, &plan.targets, &options).map_err(Failure::usage)?;
    if let Some(entry) = &entry {
        entry.write(None, &digest(&done))?;
    }
    if done.refused_orders > 0 {
        let refused = done.refused_orders;
        say(global, format_args!("{refused} orders were refused: the cash did not pay for them"));
    }
    if let Some(path) = &args.report {
        let title = format!("{symbol} {}", file.interval);
        let made_by = format!("finstage {}", crate::VERSION);
        let subject = Subject {
            title: &title,
            bars: &file.bars,
            plan: &plan,
            options: &options,
            made_by: &made_by,
        };
        write(path, &report(&subject, &done))?;
        say(global, format_args!("report: {}", path.display()));
    }
    let documents = hears_news(args).then(|| news.within(&file.bars).len());
    show(global, &plan, (&done, documents))?;
    Ok(Exit::Done)
}

fn exit_of(args: &Args) -> PositionExit {
    PositionExit {
        strategy: args.exit.clone(),
        when: args.exit_when.clone(),
        hold: args.hold,
        then: if args.reverse { OnExit::Reverse } else { OnExit::Flat },
    }
}

fn hears_news(args: &Args) -> bool {
    let entry = args.strategy.clone().filter(|_| args.targets.is_none() && args.when.is_none());
    entry.is_some_and(|entry| SignalRule { entry, exit: exit_of(args) }.hears_news(CATALOG))
}

fn plan(args: &Args, (bars, news): (&[Bar], &News)) -> Result<Plan> {
    if let Some(path) = &args.targets {
        let shown = path.display();
        let length =
            std::fs::metadata(path).map_err(|e| Failure::usage(format!("{shown}: {e}")))?;
        if length.len() > TARGETS_MAX_BYTES {
            return Err(Failure::usage(format!("{shown}: too large for a list of targets")));
        }
        let text =
            std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("{shown}: {e}")))?;
        let targets = parse_targets(&text).map_err(|e| Failure::usage(format!("{shown}: {e}")))?;
        return Ok(Plan::of_list(targets, &format!("targets of {shown}")));
    }
    let exit = exit_of(args);
    if let Some(text) = &args.when {
        let direction = args.direction.unwrap_or_default().into();
        let when = When { direction, ..When::long(text) };
        return Plan::of_condition(&when, &exit, CATALOG, bars).map_err(Failure::usage);
    }
    let rule = args.strategy.as_ref().ok_or_else(|| {
        Failure::usage(
            "what is to be tested? write --strategy 'NAME(p=v)', --when 'EXPR' or --targets FILE",
        )
    })?;
    if hears_news(args) {
        let rule = SignalRule { entry: rule.clone(), exit };
        return rule.plan_with_news(CATALOG, bars, news).map_err(Failure::usage);
    }
    Plan::of_rule(rule, exit, CATALOG, bars).map_err(Failure::usage)
}

/// What was read about the instrument, as it lies in the store.
fn stored_news(global: &Global, (symbol, bars): (&Symbol, &[Bar])) -> Result<News> {
    let news = stored::about(&ledger::records(global)?, symbol)?;
    say(global, format_args!("{}", stored::said(symbol, bars, &news)));
    Ok(news)
}

fn options(args: &Args) -> Options {
    let slippage = match (args.slippage_bps, args.slippage_range) {
        (Some(bps), _) => Slippage::Bps(bps),
        (_, Some(part)) => Slippage::BarRange(part),
        _ => Slippage::None,
    };
    Options {
        cash: args.cash,
        commission: args.commission,
        size: args.size,
        close_final: match args.close_final {
            ClosePrice::Close => CloseFinal::Close,
            ClosePrice::Open => CloseFinal::Open,
        },
        slippage,
        stops: Stops { loss: args.stop_loss, profit: args.take_profit },
        ..Options::default()
    }
}

fn write(path: &Path, page: &str) -> Result<()> {
    std::fs::write(path, page)
        .map_err(|e| Failure::new(Exit::Store, format!("writing {}: {e}", path.display())))
}

fn show(global: &Global, plan: &Plan, (done, documents): (&Backtest, Option<usize>)) -> Result<()> {
    let mut value = serde_json::to_value(done.stats).map_err(Failure::usage)?;
    if global.json {
        value["strategy"] = json!(plan.canonical);
        value["refused_orders"] = json!(done.refused_orders);
        if let Some(documents) = documents {
            value["documents"] = json!(documents);
        }
        value["trade_list"] = serde_json::to_value(&done.trades).map_err(Failure::usage)?;
        return print_json(&value);
    }
    say(global, format_args!("{}: {}", plan.canonical, plan.words));
    let Value::Object(stats) = value else { return Ok(()) };
    let cell = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Number(n) if n.is_f64() => format!("{:.6}", n.as_f64().unwrap_or(f64::NAN)),
        other => other.to_string(),
    };
    let rows: Vec<Vec<String>> =
        stats.iter().map(|(name, v)| vec![name.clone(), cell(v)]).collect();
    print_table(&["name", "value"], &rows)
}

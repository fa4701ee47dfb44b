//! `finstage walk-forward`

use finstage_model::Bar;
use finstage_research::backtest::Stats;
use finstage_research::evidence::Tried;
use finstage_research::sweep::{Sweep, Work};
use finstage_research::walk_forward::{Fold, Folds, WalkForward, t_of_returns, walk_forward};
use finstage_store::table::{Column, Values};
use serde_json::{Value, json};

use super::progress::Progress;
use super::search::{Format, Search};
use super::sweep::number;
use super::{print_json, print_table, say};
use crate::cli::{Global, WalkForward as Args};
use crate::exit::{Exit, Failure, Result};

pub(super) fn run(global: &Global, args: &Args) -> Result<Exit> {
    let format = args.output.as_deref().map(Format::of).transpose()?;
    let search = Search::new(global, &args.search, Tried::walk_forward)?;
    let Search { sweep, bars, options, threads, entry, .. } = &search;
    let folds = Folds {
        train_share: args.train,
        min_train: args.min_train,
        count: args.folds,
        horizon: args.horizon,
    };
    search.announce(global);
    let runs = sweep.combinations().saturating_mul(args.folds);
    let progress = Progress::new(global, "runs", runs);
    let work = Work { threads: *threads, on_done: &|more| progress.add(more) };
    let walked = walk_forward(sweep, (bars, options), &folds, (&work, &t_of_returns))
        .map_err(Failure::usage)?;
    progress.finish();
    entry.write(Some(&walked.trials), &walked.digest())?;
    if let (Some(path), Some(format)) = (&args.output, format) {
        format.write(path, &equity(bars, &walked))?;
        say(global, format_args!("joined equity: {}", path.display()));
    }
    show(global, &search, &walked)?;
    Ok(Exit::Done)
}

/// The joined equity, bar by bar, with the number of its fold; the bar before the first has 0.
fn equity(bars: &[Bar], walked: &WalkForward) -> Vec<Column> {
    let bars = &bars[walked.first_bar..];
    let mut folds = vec![0];
    for (number, fold) in (1..).zip(&walked.folds) {
        folds.extend(std::iter::repeat_n(number, fold.until - fold.from));
    }
    let column = |name: &str, values| Column { name: name.to_owned(), values };
    vec![
        column("timestamp", Values::Moments(bars.iter().map(|bar| bar.open_time).collect())),
        column("fold", Values::Counts(folds)),
        column("equity", Values::Numbers(walked.joined.equity.clone())),
    ]
}

fn show(global: &Global, search: &Search, walked: &WalkForward) -> Result<()> {
    let Search { sweep, bars, .. } = search;
    if global.json {
        let folds = walked.folds.iter().map(|fold| json_of(sweep, bars, fold));
        let folds: Vec<Value> = folds.collect();
        return print_json(&search.json(json!({"folds": folds, "joined": walked.joined.stats})));
    }
    let names = [
        "from",
        "until",
        "chosen",
        "in_return_pct",
        "in_sharpe",
        "out_return_pct",
        "out_sharpe",
        "out_drawdown_pct",
        "out_trades",
    ];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for fold in &walked.folds {
        let (from, until) = (bars[fold.from].open_time, bars[fold.until - 1].open_time);
        let (chosen, inside) = match &fold.choice {
            Some(choice) => (sweep.rule(choice.place).to_string(), figures(&choice.in_sample)),
            None => ("nothing".to_owned(), ["-", "-", "-", "-"].map(str::to_owned)),
        };
        let [in_return, in_sharpe, ..] = inside;
        let mut row = vec![from.to_string(), until.to_string(), chosen, in_return, in_sharpe];
        row.extend(figures(&fold.out_of_sample));
        rows.push(row);
    }
    let blank = String::new;
    let mut last = vec!["all folds".to_owned(), blank(), blank(), blank(), blank()];
    last.extend(figures(&walked.joined.stats));
    rows.push(last);
    print_table(&names, &rows)
}

/// Return, Sharpe ratio, drawdown and trades for people.
fn figures(stats: &Stats) -> [String; 4] {
    let sharpe = stats.sharpe_bar_sqrt252;
    [
        format!("{:.2}", stats.return_pct),
        sharpe.map_or_else(|| "-".to_owned(), |sharpe| format!("{sharpe:.4}")),
        format!("{:.2}", stats.max_drawdown_pct),
        stats.trades.to_string(),
    ]
}

fn json_of(sweep: &Sweep, bars: &[Bar], fold: &Fold) -> Value {
    let parameters = |place: usize| -> Value {
        let axes = sweep.grid().axes().iter().map(|axis| axis.name.clone());
        axes.zip(sweep.grid().values(place).into_iter().map(number)).collect()
    };
    json!({
        "train_bars": fold.train_bars,
        "from": bars[fold.from].open_time,
        "until": bars[fold.until - 1].open_time,
        "parameters": fold.choice.as_ref().map(|choice| parameters(choice.place)),
        "score": fold.choice.as_ref().map(|choice| choice.score),
        "in_sample": fold.choice.as_ref().map(|choice| choice.in_sample),
        "out_of_sample": fold.out_of_sample,
    })
}

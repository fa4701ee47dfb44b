//! What `sweep` and `walk-forward` have in common: a search, from the words typed to its row in the
//! ledger and its table.

use std::path::Path;

use finstage_model::Bar;
use finstage_research::News;
use finstage_research::backtest::{CloseFinal, Exit as PositionExit, OnExit, Options};
use finstage_research::evidence::{Ground, Tried};
use finstage_research::sweep::{Grid, Sweep};
use finstage_store::table::{Column, write_csv, write_parquet};
use finstage_strategies::CATALOG;
use serde_json::{Value, json};

use super::import::{read_bars, symbol_of};
use super::ledger::{self, Entry};
use super::say;
use crate::cli::{ClosePrice, Global, Search as Args};
use crate::exit::{Exit, Failure, Result};
use crate::news::stored;

/// Everything that a search needs.
pub(super) struct Search {
    pub(super) sweep: Sweep,
    pub(super) bars: Vec<Bar>,
    /// What the bars are of, for people.
    pub(super) title: String,
    pub(super) options: Options,
    /// How many documents are heard, where the strategy hears news.
    pub(super) documents: Option<usize>,
    pub(super) threads: usize,
    /// Where it is written down.
    pub(super) entry: Entry,
}

impl Search {
    /// Checks everything that was typed and opens the ledger; `tried` says what kind of trial it is.
    pub(super) fn new(global: &Global, args: &Args, tried: fn(&Sweep) -> Tried) -> Result<Self> {
        let exit = PositionExit {
            strategy: args.exit.clone(),
            when: None,
            hold: args.hold,
            then: if args.reverse { OnExit::Reverse } else { OnExit::Flat },
        };
        let grid = Grid::new(args.grid.clone()).map_err(Failure::usage)?;
        let sweep = Sweep::new(&args.strategy, exit, CATALOG, grid).map_err(Failure::usage)?;
        let options = Options {
            cash: args.cash,
            commission: args.commission,
            size: args.size,
            close_final: match args.close_final {
                ClosePrice::Close => CloseFinal::Close,
                ClosePrice::Open => CloseFinal::Open,
            },
            ..Options::default()
        };
        options.check().map_err(Failure::usage)?;
        let file = read_bars(global, &args.input, &args.bars)?;
        let symbol = symbol_of(&args.input, &args.bars)?;
        let records = ledger::records(global)?;
        let (news, documents) = match sweep.hears_news() {
            false => (News::default(), None),
            true => {
                let news = stored::about(&records, &symbol)?;
                say(global, format_args!("{}", stored::said(&symbol, &file.bars, &news)));
                let documents = news.within(&file.bars).len();
                (news, Some(documents))
            }
        };
        let ground = Ground::of_heard_series(&symbol, &file.bars, &news);
        let sweep = sweep.with_news(news);
        let entry = Entry::open(records, tried(&sweep), ground)?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            sweep,
            title: format!("{symbol} {}", file.interval),
            bars: file.bars,
            options,
            documents,
            threads: args.threads.map_or_else(cores, usize::from),
            entry,
        })
    }

    /// A result as JSON, with what was searched.
    pub(super) fn json(&self, mut result: Value) -> Value {
        result["strategy"] = json!(self.sweep.rule_text());
        result["combinations"] = json!(self.sweep.combinations());
        result["skipped"] = json!(self.sweep.skipped());
        if let Some(documents) = self.documents {
            result["documents"] = json!(documents);
        }
        result
    }

    /// Says, before anything is tried, how much more is tried with it.
    pub(super) fn announce(&self, global: &Global) {
        let (rule, bars) = (self.sweep.rule_text(), self.bars.len());
        let left_out = match self.sweep.skipped() {
            0 => String::new(),
            skipped => format!(" ({skipped} more make no sense and are left out)"),
        };
        let what = format!("{rule} on {bars} bars of {}{left_out}", self.title);
        self.entry.announce(global, ("combination", "combinations"), &what);
    }
}

/// How a table is written, by the ending of its file's name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    Csv,
    Parquet,
}

impl Format {
    /// The format of a file, asked before the work is done.
    pub(super) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => {
                let shown = path.display();
                Err(Failure::usage(format!("{shown}: name it .csv or .parquet")))
            }
        }
    }

    /// Writes a table.
    pub(super) fn write(self, path: &Path, columns: &[Column]) -> Result<()> {
        let refuse = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Store, format!("writing {}: {error}", path.display()))
        };
        let file = std::fs::File::create(path).map_err(|error| refuse(&error))?;
        let mut out = std::io::BufWriter::with_capacity(1 << 16, file);
        match self {
            Self::Csv => write_csv(columns, &mut out).map_err(|error| refuse(&error))?,
            Self::Parquet => write_parquet(columns, &mut out).map_err(|error| refuse(&error))?,
        }
        std::io::Write::flush(&mut out).map_err(|error| refuse(&error))
    }
}

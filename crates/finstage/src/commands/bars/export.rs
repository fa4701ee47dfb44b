//! `finstage bars export`

use std::fs::Permissions;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use finstage_model::{Bar, Interval, Timestamp};
use finstage_store::history::{
    Adjust, ArrowForm, BarColumns, History, SeriesSummary, write_arrow, write_columns_arrow,
    write_columns_csv, write_columns_parquet, write_csv, write_parquet,
};
use serde_json::json;

use super::{check_size, nothing_of};
use crate::cli::{BarExport, BarFormat, Global};
use crate::commands::{print_json, say};
use crate::exit::{Exit, Failure, Result};

/// New files are readable as the user's mask allows.
const FILE_MODE: u32 = 0o666;

pub(super) fn run(global: &Global, history: &History, args: &BarExport) -> Result<()> {
    let form = form(global, args)?;
    let interval = interval(&history.series()?, args)?;
    let from = args.from.unwrap_or(Timestamp::MIN);
    let range = from..args.to.map_or(Timestamp::MAX, |until| until.0);
    let bars = history.bars_at_most(&args.symbol, interval, &range)?;
    check_size(bars, "take a part with --from and --to")?;
    let table = Table::read(history, args, interval, range)?;
    if table.is_empty() {
        return Err(nothing_within(history, args, interval)?);
    }
    if args.adjusted && history.factors(&args.symbol)?.rows().is_empty() {
        let symbol = &args.symbol;
        say(
            global,
            format_args!(
                "{symbol}: no factors are stored: adjusted numbers are the raw ones; `finstage import --factors` stores some"
            ),
        );
    }
    match &args.output {
        Some(path) => {
            to_file(path, |out| table.write(form, out))?;
            tell(global, args, &table, path)
        }
        None => {
            let mut out = BufWriter::new(Pipe);
            let written = table.write(form, &mut out).and_then(|()| out.flush());
            written.map_err(|e| Failure::new(Exit::Store, format!("writing standard output: {e}")))
        }
    }
}

/// What is written, decided by `--format`, `--json` and the ending of `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
    Parquet,
    Arrow(ArrowForm),
}

fn form(global: &Global, args: &BarExport) -> Result<Form> {
    let ending = args.output.as_ref().and_then(|path| path.extension()?.to_str());
    let by_ending = match ending {
        Some("parquet") => BarFormat::Parquet,
        Some("arrow" | "feather" | "ipc") => BarFormat::Arrow,
        _ => BarFormat::Csv,
    };
    let arrow = match args.output {
        Some(_) => ArrowForm::File,
        None => ArrowForm::Stream,
    };
    let form = match (args.format, &args.output) {
        (None, None) if global.json => Form::Json,
        (format, _) => match format.unwrap_or(by_ending) {
            BarFormat::Csv => Form::Csv,
            BarFormat::Parquet => Form::Parquet,
            BarFormat::Arrow => Form::Arrow(arrow),
        },
    };
    let is_text = matches!(form, Form::Csv | Form::Json);
    if !is_text && args.output.is_none() && io::stdout().is_terminal() {
        return Err(Failure::usage(
            "this format is not for a terminal: write to a file with -o FILE, or into a pipe",
        ));
    }
    Ok(form)
}

/// The interval asked for, or the only one that is stored.
fn interval(all: &[SeriesSummary], args: &BarExport) -> Result<Interval> {
    let symbol = &args.symbol;
    let stored: Vec<Interval> =
        all.iter().filter(|series| series.symbol == *symbol).map(|s| s.interval).collect();
    let words = stored.iter().map(Interval::to_string).collect::<Vec<_>>().join(" ");
    match (args.interval, stored.as_slice()) {
        (_, []) => Err(nothing_of(symbol, all)),
        (Some(interval), stored) if stored.contains(&interval) => Ok(interval),
        (Some(interval), _) => Err(Failure::usage(format!(
            "{symbol}: no {interval} bars are stored of it; stored are {words}"
        ))),
        (None, [only]) => Ok(*only),
        (None, _) => Err(Failure::usage(format!(
            "{symbol}: several intervals are stored of it: name one with --interval: {words}"
        ))),
    }
}

fn nothing_within(history: &History, args: &BarExport, interval: Interval) -> Result<Failure> {
    let symbol = &args.symbol;
    let all = history.series()?;
    let series = all.iter().find(|s| s.symbol == *symbol && s.interval == interval);
    let extent = series.map_or(String::new(), |series| {
        format!(": stored are {} to {}", series.first, series.last)
    });
    Ok(Failure::usage(format!("{symbol} {interval}: no bars open between --from and --to{extent}")))
}

/// What is exported: exact bars, or adjusted columns.
enum Table {
    Bars(Vec<Bar>),
    Columns(BarColumns, Interval),
}

impl Table {
    fn read(
        history: &History,
        args: &BarExport,
        interval: Interval,
        range: Range<Timestamp>,
    ) -> Result<Self> {
        Ok(if args.adjusted {
            let columns = history.columns(&args.symbol, interval, range, Adjust::Adjusted)?;
            Self::Columns(columns, interval)
        } else {
            Self::Bars(history.bars(&args.symbol, interval, range)?)
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Bars(bars) => bars.len(),
            Self::Columns(columns, _) => columns.len(),
        }
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        match (self, form) {
            (Self::Bars(bars), Form::Csv) => write_csv(bars, out),
            (Self::Bars(bars), Form::Json) => bars.iter().try_for_each(|bar| {
                let Bar { open_time, open, high, low, close, volume, .. } = bar;
                let row = json!({"timestamp": open_time, "open": open, "high": high, "low": low, "close": close, "volume": volume});
                writeln!(out, "{row}")
            }),
            (Self::Bars(bars), Form::Parquet) => write_parquet(bars, out),
            (Self::Bars(bars), Form::Arrow(arrow)) => write_arrow(bars, arrow, out),
            (Self::Columns(columns, interval), Form::Csv) => {
                write_columns_csv(columns, *interval, out)
            }
            (Self::Columns(columns, _), Form::Json) => write_columns_json(columns, out),
            (Self::Columns(columns, _), Form::Parquet) => write_columns_parquet(columns, out),
            (Self::Columns(columns, _), Form::Arrow(arrow)) => {
                write_columns_arrow(columns, arrow, out)
            }
        }
    }
}

fn write_columns_json(columns: &BarColumns, out: &mut dyn Write) -> io::Result<()> {
    let BarColumns { times_us, open, high, low, close, volume } = columns;
    (0..columns.len()).try_for_each(|i| {
        let at = Timestamp::from_nanos(times_us[i].saturating_mul(1_000));
        let row = json!({"timestamp": at, "open": open[i], "high": high[i], "low": low[i], "close": close[i], "volume": volume[i]});
        writeln!(out, "{row}")
    })
}

/// Writes a file whole or not at all: under another name first, then in one step.
pub(crate) fn to_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let failed = |e: io::Error| {
        let why = match e.kind() {
            io::ErrorKind::NotFound => "no such folder: make it first".to_owned(),
            _ => e.to_string(),
        };
        Failure::new(Exit::Store, format!("writing {}: {why}", path.display()))
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".finstage-export-")
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    let mut out = BufWriter::new(file.as_file_mut());
    write(&mut out).and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map(drop).map_err(|e| failed(e.error))
}

fn tell(global: &Global, args: &BarExport, table: &Table, path: &Path) -> Result<()> {
    let (symbol, bars, path) = (&args.symbol, table.len(), path.display());
    if global.json {
        let adjusted = args.adjusted;
        return print_json(
            &json!({"symbol": symbol, "bars": bars, "adjusted": adjusted, "file": path.to_string()}),
        );
    }
    let what = if args.adjusted { "adjusted bars" } else { "bars" };
    say(global, format_args!("{path}: {bars} {what} of {symbol}"));
    Ok(())
}

/// Standard output. A reader that went away ends the command without a word.
struct Pipe;

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match io::stdout().lock().write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                std::process::exit(Exit::Done as i32)
            }
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match io::stdout().lock().flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                std::process::exit(Exit::Done as i32)
            }
            other => other,
        }
    }
}

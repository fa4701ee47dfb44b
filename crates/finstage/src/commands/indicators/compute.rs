//! `finstage indicators compute`: bars in, numbers out, a piece at a time.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use finstage_model::{Bar, Clock as _, Interval};
use finstage_net::SystemClock;
use finstage_store::history::{BarFile, BarFileError, BarStream, ReadOptions, TableWriter};

use super::columns::{Columns, wanted};
use super::output::Output;
use super::rows;
use crate::cli::{Global, IndicatorCompute as Args, TableFormat};
use crate::commands::say;
use crate::exit::{Failure, Result};

/// How standard input is written where a file is expected.
const STDIN: &str = "-";

pub(super) fn run(global: &Global, args: &Args) -> Result<()> {
    let by_flag = if global.json { TableFormat::Json } else { TableFormat::Csv };
    let format = args.format.unwrap_or(by_flag);
    let mut columns = Columns::new(&wanted(&args.specs)?);
    if format == TableFormat::Parquet && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::usage("Parquet is not for screens: name a file with -o FILE"));
    }
    let mut bars = open(args).map_err(Failure::usage)?;
    // The first piece before anything is opened: most bad files show in it.
    let mut piece = Vec::new();
    let interval = first(&mut bars, &mut piece).map_err(Failure::usage)?;
    let mut sheet = Sheet::begin(format, Output::open(args.output.as_deref())?, &columns)?;
    let mut count = 0;
    loop {
        columns.take(&piece);
        sheet.write(&columns, interval)?;
        count += piece.len();
        if !bars.read(&mut piece).map_err(Failure::usage)? {
            break;
        }
    }
    let about = bars.finish().map_err(Failure::usage)?;
    sheet.end()?;
    tell(global, args, &about);
    if let Some(path) = &args.output {
        say(global, format_args!("{count} bars of {interval} in {}", path.display()));
    }
    Ok(())
}

fn open(args: &Args) -> Result<BarStream<'static>, BarFileError> {
    let options = ReadOptions {
        tz: args.bars.tz.clone(),
        lenient: args.bars.lenient,
        interval: args.bars.interval,
        now: Some(SystemClock.now()),
        ..ReadOptions::default()
    };
    if args.input == Path::new(STDIN) {
        return BarStream::of_text("standard input", std::io::stdin(), &options);
    }
    BarStream::open(&args.input, &options)
}

/// Reads until the interval is known. A file whose bars all still form has one, too.
fn first(bars: &mut BarStream<'_>, piece: &mut Vec<Bar>) -> Result<Interval, BarFileError> {
    loop {
        let more = bars.read(piece)?;
        match bars.interval() {
            Some(interval) => return Ok(interval),
            None => assert!(more, "invariant: the end of a file decides its interval"),
        }
    }
}

/// What a person should know about how the file was read.
fn tell(global: &Global, args: &Args, about: &BarFile) {
    let file = args.input.display();
    for note in &about.notes {
        say(global, format_args!("{file}: {note}"));
    }
    if let Some((line, reason)) = about.rejected.first() {
        let count = about.rejected_count;
        say(
            global,
            format_args!("{file}: rows dropped: {count}, the first in line {line}: {reason}"),
        );
    }
}

/// A result in one of the forms.
enum Sheet {
    Csv(Output),
    Json(Output),
    Parquet(Box<TableWriter<Output>>),
}

impl Sheet {
    fn begin(format: TableFormat, mut out: Output, columns: &Columns) -> Result<Self> {
        Ok(match format {
            TableFormat::Csv => {
                rows::csv_header(&columns.names, &mut out).map_err(|error| out.failure(&error))?;
                Self::Csv(out)
            }
            TableFormat::Json => Self::Json(out),
            TableFormat::Parquet => Self::Parquet(Box::new(TableWriter::new(out, &columns.names)?)),
        })
    }

    fn write(&mut self, columns: &Columns, interval: Interval) -> Result<()> {
        let (out, written) = match self {
            Self::Csv(out) => {
                let written = rows::csv(columns, interval, out);
                (out, written)
            }
            Self::Json(out) => {
                let written = rows::json(columns, interval, out);
                (out, written)
            }
            Self::Parquet(table) => return Ok(table.write(&columns.stamps, &columns.values)?),
        };
        written.and_then(|()| out.flush()).map_err(|error| out.failure(&error))
    }

    fn end(self) -> Result<()> {
        match self {
            Self::Csv(out) | Self::Json(out) => out.keep(),
            Self::Parquet(table) => table.finish()?.keep(),
        }
    }
}

//! Rows on their way from the input to those who ask.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use finstage_llm::{Admission, Error, InputOptions, Register, Row, Rows, Turn, Turns};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Permit, PermitIterator};

use crate::exit::{Exit, Failure, Result};

/// What is read at once.
const READ_BYTES: usize = 1 << 17;
/// Places for rows that are taken at once.
const PLACES: usize = 64;

/// Where rows come from.
pub(super) enum Input {
    /// A file that can be read twice: what is wrong in it is said before anything is asked.
    File(PathBuf),
    /// What can be read once: rows are asked while more come.
    Stream(Box<dyn BufRead + Send>),
}

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stream(Box::new(BufReader::with_capacity(
                READ_BYTES,
                std::io::stdin(),
            ))));
        }
        let is_file = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?.is_file();
        Ok(match is_file {
            true => Self::File(path.to_owned()),
            false => Self::Stream(Box::new(opened(path)?)),
        })
    }
}

impl Input {
    /// Reads it, once.
    pub(super) fn read(self) -> Result<Box<dyn BufRead + Send>> {
        match self {
            Self::Stream(stream) => Ok(stream),
            Self::File(path) => opened(&path).map(|file| Box::new(file) as _),
        }
    }
}

fn opened(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path).map_err(|e| unreadable(path, &e))?;
    Ok(BufReader::with_capacity(READ_BYTES, file))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()))
}

/// Turns of rows that are being asked, by the line of the row.
#[derive(Debug, Clone, Default)]
pub(super) struct TurnsOut(Arc<Mutex<HashMap<u64, Turn>>>);

impl TurnsOut {
    fn put(&self, line: u64, turn: Turn) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(line, turn);
    }

    pub(super) fn take(&self, line: u64) -> Option<Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&line)
    }
}

/// Rows of an input, those that are done told apart.
pub(super) struct Reader {
    input: Input,
    options: InputOptions,
    register: Register,
}

/// What a file holds.
pub(super) struct Looked {
    pub(super) total: u64,
    pub(super) skipped: u64,
    /// A bit for each row: it is to be asked.
    wanted: Vec<u64>,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    pub(super) total: u64,
    pub(super) skipped: u64,
}

impl Reader {
    pub(super) fn new(input: Input, options: InputOptions, register: Register) -> Self {
        Self { input, options, register }
    }

    /// Looks through a file; `None` where the input can be read once only.
    ///
    /// # Errors
    /// Exit 2 for a row that cannot be used, or that stands there twice.
    pub(super) fn look(&mut self) -> Result<Option<Looked>> {
        let Input::File(path) = &self.input else { return Ok(None) };
        let mut looked = Looked { total: 0, skipped: 0, wanted: Vec::new() };
        for row in
            Rows::open(opened(path)?, self.options.clone()).map_err(|e| super::super::failed(&e))?
        {
            let row = row.map_err(|e| super::super::failed(&e))?;
            if looked.total.is_multiple_of(64) {
                looked.wanted.push(0);
            }
            match self.register.admit(&row).map_err(|e| super::super::failed(&e))? {
                Admission::Ask => {
                    looked.wanted[(looked.total / 64) as usize] |= 1 << (looked.total % 64);
                }
                Admission::Done => looked.skipped += 1,
            }
            looked.total += 1;
        }
        Ok(Some(looked))
    }

    /// Gives rows to those who ask until there are no more, or nobody takes them.
    ///
    /// # Errors
    /// As [`Reader::look`], for what can be read once only.
    pub(super) fn feed(self, looked: Option<Looked>, feed: Feed) -> (Counted, Result<()>) {
        let Self { input, options, mut register } = self;
        let opened: Result<Box<dyn BufRead + Send>> = match input {
            Input::Stream(stream) => Ok(stream),
            Input::File(path) => opened(&path).map(|file| Box::new(file) as _),
        };
        let rows =
            opened.and_then(|read| Rows::open(read, options).map_err(|e| super::super::failed(&e)));
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => return (Counted::default(), Err(error)),
        };
        match looked {
            Some(looked) => {
                // Every row was held against it; of millions it is large.
                drop(register);
                let Looked { total, skipped, wanted } = looked;
                let is_wanted = |number: u64, _: &Row| {
                    Ok(wanted[(number / 64) as usize] >> (number % 64) & 1 == 1)
                };
                let rows = rows.take(usize::try_from(total).unwrap_or(usize::MAX));
                let (_, end) = feed.all((rows, PLACES), is_wanted);
                (Counted { total, skipped }, end)
            }
            // Who waits for more input keeps no place from being given back.
            None => {
                feed.all((rows, 1), |_, row| register.admit(row).map(|said| said == Admission::Ask))
            }
        }
    }
}

/// Where rows go.
pub(super) struct Feed {
    pub(super) to: mpsc::Sender<Row>,
    pub(super) turns: Option<(Turns, TurnsOut)>,
    pub(super) handle: Handle,
}

impl Feed {
    fn all(
        self,
        (rows, at_once): (impl Iterator<Item = Result<Row, Error>>, usize),
        mut is_wanted: impl FnMut(u64, &Row) -> Result<bool, Error>,
    ) -> (Counted, Result<()>) {
        let Self { to, mut turns, handle } = self;
        let mut counted = Counted::default();
        let mut places = None;
        for row in rows {
            let wanted = row.and_then(|row| is_wanted(counted.total, &row).map(|is| (row, is)));
            let (row, is_wanted) = match wanted {
                Ok(told) => told,
                Err(error) => return (counted, Err(super::super::failed(&error))),
            };
            counted.total += 1;
            if !is_wanted {
                counted.skipped += 1;
                continue;
            }
            if let Some((turns, out)) = &mut turns {
                let turn = handle.block_on(turns.next());
                out.put(row.line, turn);
            }
            let Some(place) = next_place(&mut places, (&to, at_once), &handle) else {
                // The run was stopped, and says why.
                break;
            };
            place.send(row);
        }
        (counted, Ok(()))
    }
}

/// A place for a row, some taken at once: to be woken for each costs more than to read it.
fn next_place<'a>(
    places: &mut Option<PermitIterator<'a, Row>>,
    (to, at_once): (&'a mpsc::Sender<Row>, usize),
    handle: &Handle,
) -> Option<Permit<'a, Row>> {
    if let Some(place) = places.as_mut().and_then(Iterator::next) {
        return Some(place);
    }
    let mut more = handle.block_on(to.reserve_many(at_once)).ok()?;
    let place = more.next();
    *places = Some(more);
    place
}

/// A failure of reading, where the work that was begun is kept.
pub(super) fn kept(failure: Failure) -> Failure {
    match failure.exit {
        Exit::Usage => Failure::usage(format!("{failure}; what was answered before is written")),
        _ => failure,
    }
}

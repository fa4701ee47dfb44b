//! Results, a line a row. The file is the journal: what stands in it is done.

mod journal;
mod lock;
mod window;
mod writer;

use std::io::Write;
use std::path::{Path, PathBuf};

use finstage_model::Timestamp;

pub use window::{ORDER_ROWS, Turn, Turns};
pub use writer::FLUSH_EVERY;

use crate::done::KEY_MARK;
use crate::{Done, End, Error, Register};
use journal::Journal;
use window::Window;
use writer::{Stream, Writer, io_error};

/// The longest line that is read of an output: the vectors of a full request for embeddings are 80 MiB.
pub const MAX_OUTPUT_LINE_BYTES: usize = 256 << 20;

/// How results are written.
#[derive(Debug, Clone, Default)]
pub struct OutputOptions {
    /// Where failed rows go; into the output where it is not said. This file begins anew.
    pub errors: Option<PathBuf>,
    /// Whether lines stand in the order of turns.
    pub is_ordered: bool,
}

/// Where results go. Blocking code.
///
/// Dropping it leaves out what was not flushed, as a crash would: [`close`](Self::close) it.
#[derive(Debug)]
pub struct Output {
    results: Writer,
    errors: Option<Writer>,
    window: Option<Window>,
}

/// What an earlier run left.
#[derive(Debug)]
pub struct Resumed {
    /// The rows that are done.
    pub register: Register,
    /// So many rows had failed: their lines are taken out, and they are asked again.
    pub asked_again: u64,
    /// So many bytes of a line that was not finished are cut off.
    pub torn_bytes: u64,
    /// So many answers stand there a second time; they stay.
    pub doubled: u64,
}

/// A line of the output, with its end.
#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    is_failure: bool,
}

impl Output {
    /// Opens the output at `path`, which is made when it is missing, and reads what is done. A path that is no
    /// ordinary file is only written to.
    ///
    /// # Errors
    /// `Invalid` where the file holds anything else than results, or failed rows are to go to the same file;
    /// `Store` where it cannot be read or written, or another process writes it.
    pub fn open(path: &Path, options: &OutputOptions) -> Result<(Self, Resumed), Error> {
        if options.errors.as_deref().is_some_and(|errors| is_same(path, errors)) {
            let message =
                format!("{} cannot take results and errors: name two files", path.display());
            return Err(Error::invalid(message));
        }
        let name = path.display().to_string();
        let (results, resumed) = match is_special(path) {
            true => (special(path)?, Resumed::nothing(&name)),
            false => {
                let Journal { file, len, resumed } = Journal::open(path)?;
                (Writer::new(Box::new(file), name, len), resumed)
            }
        };
        Ok((Self::new(results, options)?, resumed))
    }

    /// The rows that are done by the output at `path`, which is left as it is, and need not be there.
    ///
    /// # Errors
    /// As [`Output::open`], but for the other process.
    pub fn look(path: &Path) -> Result<Register, Error> {
        if is_special(path) {
            return Ok(Register::new(path.display().to_string()));
        }
        journal::done_in(path)
    }

    /// Writes results to another program, and reads nothing back. `name` is what it is called in errors.
    ///
    /// # Errors
    /// `Store` where the file for failed rows cannot be written.
    pub fn to_stream(
        stream: Box<dyn Write + Send>,
        name: &str,
        options: &OutputOptions,
    ) -> Result<(Self, Resumed), Error> {
        let results = Writer::new(Box::new(Stream(stream)), name.to_owned(), 0);
        Ok((Self::new(results, options)?, Resumed::nothing(name)))
    }

    fn new(results: Writer, options: &OutputOptions) -> Result<Self, Error> {
        let errors = options.errors.as_deref().map(begin_anew).transpose()?;
        let window = options.is_ordered.then(|| Window::new(ORDER_ROWS));
        Ok(Self { results, errors, window })
    }

    /// Where lines stand in order: what hands out turns. It is asked for once, and every row that is asked
    /// takes one.
    #[must_use]
    pub fn turns(&self) -> Option<Turns> {
        self.window.as_ref().map(Window::turns)
    }

    /// Writes what became of a row; `turn` is the row's, where lines stand in order. Rows that were there
    /// before, and those that fail into a file of their own, have no place in the order.
    ///
    /// # Errors
    /// `Store` where the disk fails. What is written then is whole lines, and the rest is kept for the next call.
    pub fn put(&mut self, done: &Done, turn: Option<Turn>, now: Timestamp) -> Result<(), Error> {
        self.take(Some(Line::of(done)), turn, now)
    }

    /// Gives a turn back for a row that has no line.
    ///
    /// # Errors
    /// As [`Output::put`].
    pub fn skip(&mut self, turn: Turn, now: Timestamp) -> Result<(), Error> {
        self.take(None, Some(turn), now)
    }

    fn take(
        &mut self,
        mut line: Option<Line>,
        turn: Option<Turn>,
        now: Timestamp,
    ) -> Result<(), Error> {
        if let Some(errors) = &mut self.errors
            && let Some(failure) = line.take_if(|line| line.is_failure)
        {
            errors.put(&failure.bytes, now)?;
        }
        let (Some(window), Some(turn)) = (&mut self.window, turn) else {
            return line.map_or(Ok(()), |line| self.results.put(&line.bytes, now));
        };
        window.take(turn, line);
        while let Some(line) = window.pop() {
            self.results.put(&line.bytes, now)?;
        }
        Ok(())
    }

    /// When [`flush`](Self::flush) is to be called, so that no line lies in memory for longer than
    /// [`FLUSH_EVERY`].
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let errors = self.errors.as_ref().and_then(Writer::due);
        self.results.due().into_iter().chain(errors).min()
    }

    /// Hands what was put to the operating system: a crash of this process takes nothing of it.
    ///
    /// # Errors
    /// As [`Output::put`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.errors.as_mut().map_or(Ok(()), Writer::flush)?;
        self.results.flush()
    }

    /// Puts what was put on the disk: a power cut takes nothing of it.
    ///
    /// # Errors
    /// As [`Output::put`].
    pub fn sync(&mut self) -> Result<(), Error> {
        self.errors.as_mut().map_or(Ok(()), Writer::sync)?;
        self.results.sync()
    }

    /// Writes what still waits for an earlier row, and syncs.
    ///
    /// # Errors
    /// As [`Output::put`].
    pub fn close(mut self, now: Timestamp) -> Result<(), Error> {
        if let Some(window) = &mut self.window {
            for line in window.rest() {
                self.results.put(&line.bytes, now)?;
            }
        }
        self.sync()
    }
}

impl Resumed {
    fn nothing(name: &str) -> Self {
        Self { register: Register::new(name), asked_again: 0, torn_bytes: 0, doubled: 0 }
    }
}

impl Line {
    fn of(done: &Done) -> Self {
        let mut bytes = Vec::new();
        done.write_line(&mut bytes);
        Self { bytes, is_failure: matches!(done.end, End::Failed(_)) }
    }

    #[cfg(test)]
    fn of_text(text: &str) -> Self {
        Self { bytes: format!("{text}\n").into_bytes(), is_failure: false }
    }
}

/// An empty file for failed rows: those of the run before are asked again.
fn begin_anew(path: &Path) -> Result<Writer, Error> {
    if is_special(path) {
        return special(path);
    }
    let name = path.display().to_string();
    let file = lock::lock(path, &name)?;
    file.set_len(0).map_err(|e| io_error("emptying", &name, e))?;
    Ok(Writer::new(Box::new(file), name, 0))
}

/// Whether a path leads to a pipe, a screen, or nowhere.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn special(path: &Path) -> Result<Writer, Error> {
    let name = path.display().to_string();
    let file = std::fs::OpenOptions::new().write(true).open(path);
    let file = file.map_err(|e| io_error("opening", &name, e))?;
    Ok(Writer::new(Box::new(Stream(Box::new(file))), name, 0))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = std::fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
        std::fs::canonicalize(path).ok().or_else(|| Some(folder.join(path.file_name()?)))
    };
    one == other || whole(one).is_some_and(|one| whole(other) == Some(one))
}

#[cfg(test)]
mod tests;

//! What an earlier run left in an output.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::lock::lock;
use super::writer::io_error;
use super::{KEY_MARK, MAX_OUTPUT_LINE_BYTES, Resumed};
use crate::{Error, Register, RowId, RowKey};

/// What matters of a line of results, whoever wrote it.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    custom_id: Cow<'a, str>,
    response: Option<Status>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Status {
    status_code: Option<u16>,
}

impl Written<'_> {
    fn is_failure(&self) -> bool {
        let status = self.response.as_ref().and_then(|response| response.status_code);
        self.error.is_some() || status.is_some_and(|status| status >= 400)
    }

    /// That of the row, where the line is ours.
    fn key(&self) -> Option<RowKey> {
        let digits = self.id.as_deref()?.strip_prefix(KEY_MARK)?;
        if digits.len() != 32 || !digits.is_ascii() {
            return None;
        }
        let mut key = [0; 16];
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(RowKey(key))
    }
}

/// A file with whole lines of answers alone, and the place behind the last.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) file: File,
    pub(super) len: u64,
    pub(super) resumed: Resumed,
}

impl Journal {
    /// Opens the output at `path`, which is made when it is missing, and reads what is done.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        // A link stays one: what it leads to is written.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = path.display().to_string();
        let failed = |doing: &'static str| {
            let name = name.clone();
            move |e: io::Error| io_error(doing, &name, e)
        };
        let mut file = lock(&target, &name)?;
        let mut survey = Survey::new(&name);
        survey.read(&file)?;
        let Survey { end, is_open, register, .. } = survey;
        let mut len = file.metadata().map_err(failed("reading"))?.len();
        let torn_bytes = len - end;
        if torn_bytes > 0 {
            file.set_len(end).map_err(failed("writing"))?;
            len = end;
        }
        if survey.failed > 0 {
            (file, len) = without_failures(&file, &target).map_err(failed("rewriting"))?;
        } else if is_open {
            file.seek(SeekFrom::Start(len)).map_err(failed("writing"))?;
            file.write_all(b"\n").map_err(failed("writing"))?;
            len += 1;
        }
        file.seek(SeekFrom::Start(len)).map_err(failed("writing"))?;
        let Survey { failed, doubled, .. } = survey;
        let resumed = Resumed { register, asked_again: failed, torn_bytes, doubled };
        Ok(Self { file, len, resumed })
    }
}

/// What is done by an output that is only looked at; nothing where there is none.
pub(super) fn done_in(path: &Path) -> Result<Register, Error> {
    let name = path.display().to_string();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Register::new(name)),
        Err(error) => return Err(io_error("reading", &name, error)),
    };
    let mut survey = Survey::new(&name);
    survey.read(&file)?;
    Ok(survey.register)
}

/// What stands in an output.
struct Survey<'a> {
    name: &'a str,
    register: Register,
    failed: u64,
    doubled: u64,
    /// The place behind the last whole line.
    end: u64,
    /// Whether that line has no end yet.
    is_open: bool,
}

impl<'a> Survey<'a> {
    fn new(name: &'a str) -> Self {
        let register = Register::new(name);
        Self { name, register, failed: 0, doubled: 0, end: 0, is_open: false }
    }

    fn read(&mut self, file: &File) -> Result<(), Error> {
        let mut lines = Lines::new(file);
        while lines.next().map_err(|e| io_error("reading", self.name, e))? {
            let (number, line) = (lines.number, lines.line.as_slice());
            if line.len() > MAX_OUTPUT_LINE_BYTES {
                let most = MAX_OUTPUT_LINE_BYTES >> 20;
                return Err(self.foreign(number, &format!("it is longer than {most} MiB")));
            }
            let is_open = !line.ends_with(b"\n");
            match serde_json::from_slice::<Written<'_>>(line) {
                Ok(written) => self.count(&written),
                Err(_) if line.trim_ascii().is_empty() && !is_open => {}
                // What a crash leaves: the beginning of a line, or space that was never written.
                Err(_) if is_open && (line[0] == b'{' || line[0] == 0) => return Ok(()),
                Err(e) => return Err(self.foreign(number, &format!("no custom_id is read ({e})"))),
            }
            self.is_open = is_open;
            self.end += line.len() as u64;
        }
        Ok(())
    }

    fn count(&mut self, written: &Written<'_>) {
        if written.is_failure() {
            self.failed += 1;
        } else if !self.register.put_done(RowId::of(&written.custom_id), written.key()) {
            self.doubled += 1;
        }
    }

    /// Nothing is done to a file that holds anything else than results: somebody mistook it.
    fn foreign(&self, number: u64, what: &str) -> Error {
        let name = self.name;
        Error::invalid(format!(
            "{name}:{number}: this is no line of results, {what}: name another output"
        ))
    }
}

/// Lines with their ends, one at a time.
struct Lines<'a> {
    read: BufReader<&'a File>,
    line: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    fn new(file: &'a File) -> Self {
        Self { read: BufReader::with_capacity(1 << 16, file), line: Vec::new(), number: 0 }
    }

    /// Reads the next line, or so much of it that it is too long.
    fn next(&mut self) -> io::Result<bool> {
        self.line.clear();
        self.number += 1;
        let most = MAX_OUTPUT_LINE_BYTES as u64 + 1;
        Ok(self.read.by_ref().take(most).read_until(b'\n', &mut self.line)? > 0)
    }
}

/// Puts a file without the lines of failed rows in the place of `file`; gives it, locked, and its length.
fn without_failures(file: &File, path: &Path) -> io::Result<(File, u64)> {
    let temporary = beside(path);
    let mut options = File::options();
    let copy = options.read(true).write(true).create(true).truncate(true).open(&temporary)?;
    copy.set_permissions(file.metadata()?.permissions())?;
    // Before it has the name: nobody may come in between.
    copy.try_lock().map_err(io::Error::other)?;
    let mut from = file;
    from.seek(SeekFrom::Start(0))?;
    let (mut lines, mut to, mut len) = (Lines::new(file), BufWriter::new(&copy), 0);
    while lines.next()? {
        let line = &lines.line;
        let written = serde_json::from_slice::<Written<'_>>(line);
        if written.is_ok_and(|written| !written.is_failure()) {
            to.write_all(line)?;
            len += line.len() as u64;
            if !line.ends_with(b"\n") {
                to.write_all(b"\n")?;
                len += 1;
            }
        }
    }
    to.flush()?;
    drop(to);
    copy.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_folder(path)?;
    Ok((copy, len))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".rewrite");
    PathBuf::from(name)
}

/// Puts the new name on the disk, where folders can be synced.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match cfg!(unix) {
        true => File::open(folder.unwrap_or(Path::new(".")))?.sync_all(),
        false => Ok(()),
    }
}

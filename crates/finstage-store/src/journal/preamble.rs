//! The first file of a run: everything the engine must know before the first new event.
//!
//! It is there whole or not at all: written under another name, synced, renamed, and the folder
//! synced. So whoever finds a file `preamble` finds a run that can be replayed.
//!
//! ```text
//! preamble := "finstage-journal 2\n"  record(header, JSON)  record(events)*
//! header   := {"version","day","run","events","settings"}
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finstage_model::{Day, Event, RunNumber};
use serde::{Deserialize, Serialize};

use super::segment::{self, Found, Payload, Scanner};
use crate::files::{Files, OpenFile, OpenMode};
use crate::{Error, ErrorKind};

/// The version of the journal's bytes that this build writes, and the newest it reads. Those
/// before are read as well: version 1 knew no resets.
pub const FORMAT: u16 = 7;
/// The file's name in the folder of the run.
pub(super) const NAME: &str = "preamble";
const UNFINISHED: &str = "preamble.tmp";
const MAGIC: &str = "finstage-journal ";
/// The longest first line: magic, a version of five digits, line feed.
const MAX_LINE: usize = MAGIC.len() + 6;

/// What made a run: which finstage, with which engine settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The text of `finstage --version`.
    pub version: String,
    /// The engine's settings as JSON text; a replay makes the same engine from them.
    pub settings: String,
}

impl Origin {
    /// An origin of these two texts.
    #[must_use]
    pub fn new(version: impl Into<String>, settings: impl Into<String>) -> Self {
        Self { version: version.into(), settings: settings.into() }
    }
}

/// What the journal says of a run before its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of the bytes.
    pub format: u16,
    /// The UTC day.
    pub day: Day,
    /// Which run of that day.
    pub run: RunNumber,
    /// How many events the preamble holds; they are the first of the run.
    pub events: u64,
    /// What made the run.
    pub origin: Origin,
}

#[derive(Serialize, Deserialize)]
struct HeaderForm {
    version: String,
    day: String,
    run: RunNumber,
    events: u64,
    settings: String,
}

/// Writes the preamble of a new run into its folder, whole or not at all.
pub(super) fn write(
    files: &dyn Files,
    dir: &Path,
    header: &Header,
    events: &[Event],
) -> Result<(), Error> {
    let path = dir.join(UNFINISHED);
    let mut bytes = format!("{MAGIC}{FORMAT}\n").into_bytes();
    let form = HeaderForm {
        version: header.origin.version.clone(),
        day: header.day.to_string(),
        run: header.run,
        events: events.len() as u64,
        settings: header.origin.settings.clone(),
    };
    let start = segment::open_record(&mut bytes);
    serde_json::to_writer(&mut bytes, &form).expect("texts and numbers are always JSON");
    segment::close_record(&mut bytes, start);
    segment::write_records(events, 0, &mut bytes).map_err(|size| super::too_large(&path, size))?;
    let file = files.open(&path, OpenMode::Create).map_err(|e| Error::io("making", &path, e))?;
    file.append(&bytes).map_err(|e| Error::io("writing", &path, e))?;
    file.sync().map_err(|e| Error::io("syncing", &path, e))?;
    let whole = dir.join(NAME);
    files.rename(&path, &whole).map_err(|e| Error::io("renaming", &path, e))?;
    files.sync_dir(dir).map_err(|e| Error::io("syncing", dir, e))
}

/// A preamble being read: its header, and a scanner before its first event.
#[derive(Debug)]
pub(super) struct Preamble {
    pub(super) header: Header,
    pub(super) scanner: Scanner,
    pub(super) path: PathBuf,
}

impl Preamble {
    /// Opens the preamble in the folder of `day` and `run`.
    pub(super) fn open(
        files: &dyn Files,
        dir: &Path,
        (day, run): (Day, RunNumber),
    ) -> Result<Self, Error> {
        let path = dir.join(NAME);
        let file = files.open(&path, OpenMode::Read).map_err(|e| Error::io("opening", &path, e))?;
        let (format, first) = read_format(&file, &path)?;
        let mut scanner = Scanner::new(file, first);
        let found = scanner.step().map_err(|e| Error::io("reading", &path, e))?;
        let form: HeaderForm = match found {
            Found::Record => serde_json::from_slice(scanner.payload())
                .map_err(|e| Error::corrupt(&path, "the header is not readable").because(e))?,
            _ => return Err(Error::corrupt(&path, "the header is not whole")),
        };
        if form.day != day.to_string() || form.run != run {
            let what = format!("it says run {} of {}: was it moved?", form.run, form.day);
            return Err(Error::corrupt(&path, what));
        }
        let origin = Origin { version: form.version, settings: form.settings };
        let header = Header { format, day, run, events: form.events, origin };
        Ok(Self { header, scanner, path })
    }

    /// The next batch of events; `None` after the last, of which there must be as many as the
    /// header says.
    pub(super) fn next_batch(
        &mut self,
        seq: u64,
        events: &mut Vec<Event>,
    ) -> Result<Option<()>, Error> {
        let found = self.scanner.step().map_err(|e| Error::io("reading", &self.path, e))?;
        let left = self.header.events - seq;
        match found {
            Found::End if left == 0 => return Ok(None),
            Found::Record => {}
            Found::End | Found::Bad => {
                let what = format!("{left} events are missing at byte {}", self.scanner.offset());
                return Err(Error::corrupt(&self.path, what));
            }
        }
        match Payload::parse(self.scanner.payload()) {
            Some(p) if p.seq == seq && p.count > 0 && u64::from(p.count) <= left => {
                let at = self.scanner.offset();
                p.decode(events)
                    .map_err(|e| Error::corrupt(&self.path, format!("byte {at}: {e}")))?;
                Ok(Some(()))
            }
            _ => {
                let what = format!("an unexpected record at byte {}", self.scanner.offset());
                Err(Error::corrupt(&self.path, what))
            }
        }
    }

    /// Reads to the end: an error tells that the preamble is not whole.
    pub(super) fn check(mut self) -> Result<(), Error> {
        let (mut seq, mut events) = (0, Vec::new());
        while self.next_batch(seq, &mut events)?.is_some() {
            seq += events.len() as u64;
            events.clear();
        }
        Ok(())
    }
}

/// The format version and where the first record begins.
fn read_format(file: &Arc<dyn OpenFile>, path: &Path) -> Result<(u16, u64), Error> {
    let mut line = [0; MAX_LINE];
    let got = file.read_at(0, &mut line).map_err(|e| Error::io("reading", path, e))?;
    let version = line[..got]
        .strip_prefix(MAGIC.as_bytes())
        .and_then(|rest| rest.split(|&b| b == b'\n').next())
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u16>().ok());
    match version {
        Some(known) if (1..=FORMAT).contains(&known) => Ok((known, (MAGIC.len() + 2) as u64)),
        Some(newer) if newer > FORMAT => Err(Error::new(
            ErrorKind::Newer,
            format!(
                "{} has journal format {newer}, this finstage reads {FORMAT}: use a newer one",
                path.display()
            ),
        )),
        _ => Err(Error::corrupt(path, "it does not begin like a journal")),
    }
}

//! Reading a run from its beginning, also while it is being written.

use std::path::PathBuf;
use std::sync::Arc;

use finstage_model::{Event, Position};

use super::preamble::{Header, Preamble};
use super::segment::{Found, Payload, Scanner};
use super::segment_name;
use crate::Error;
use crate::files::{Files, OpenMode};

/// Gives the events of a run: first the preamble, then what happened.
#[derive(Debug)]
pub struct Reader {
    files: Arc<dyn Files>,
    dir: PathBuf,
    preamble: Preamble,
    preamble_read: bool,
    /// The segment at hand, when it was there.
    segment: Option<(PathBuf, Scanner)>,
    number: u32,
    next: u64,
}

impl Reader {
    pub(super) fn new(files: Arc<dyn Files>, dir: PathBuf, preamble: Preamble) -> Self {
        Self { files, dir, preamble, preamble_read: false, segment: None, number: 0, next: 0 }
    }

    /// What the journal says of the run.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.preamble.header
    }

    /// The position after the last event given.
    #[must_use]
    pub fn position(&self) -> Position {
        let header = self.header();
        Position::new(header.day, header.run, self.next)
    }

    /// Replaces `batch` by the events of the next record and gives the position of the first.
    ///
    /// `None` is the end of what is written whole: a half-written record at the end of the last
    /// segment is not looked at. Where the run is being written, a later call may give more.
    ///
    /// # Errors
    /// `Corrupt`, naming file and place, when the run is damaged; `Io`.
    pub fn next_batch(&mut self, batch: &mut Vec<Event>) -> Result<Option<Position>, Error> {
        batch.clear();
        let first = self.position();
        if !self.preamble_read {
            if self.preamble.next_batch(self.next, batch)?.is_some() {
                self.next += batch.len() as u64;
                return Ok(Some(first));
            }
            self.preamble_read = true;
        }
        if !self.step(batch)? {
            return Ok(None);
        }
        self.next += batch.len() as u64;
        Ok(Some(first))
    }

    /// Reads the next record of the segments; false when there is none yet.
    fn step(&mut self, batch: &mut Vec<Event>) -> Result<bool, Error> {
        let due = self.next;
        loop {
            // Asked before reading: a segment is complete once the next one exists.
            let complete = self.exists(self.number + 1)?;
            let Some((path, scanner)) = self.open_segment()? else {
                return Ok(false);
            };
            let failed = |e| Error::io("reading", path, e);
            let mut found = scanner.step().map_err(failed)?;
            if found == Found::Bad {
                let followed = complete || scanner.record_follows(due).map_err(failed)?;
                if !followed {
                    return Ok(false);
                }
                // A writer may have completed the record since.
                found = scanner.step().map_err(failed)?;
            }
            match found {
                Found::Record => {}
                Found::End if complete => {
                    self.segment = None;
                    self.number += 1;
                    continue;
                }
                Found::End => return Ok(false),
                Found::Bad => {
                    let what = format!("no record at byte {}", scanner.offset());
                    return Err(Error::corrupt(path, what));
                }
            }
            let at = scanner.offset();
            let damaged = |what: String| Error::corrupt(path, format!("byte {at}: {what}"));
            let payload = Payload::parse(scanner.payload())
                .ok_or_else(|| damaged("the record is too short".to_owned()))?;
            if payload.seq != due {
                let what = format!("event {} follows where {due} is due", payload.seq);
                return Err(damaged(what));
            }
            payload.decode(batch).map_err(|e| damaged(e.to_string()))?;
            return Ok(true);
        }
    }

    fn exists(&self, number: u32) -> Result<bool, Error> {
        let path = self.dir.join(segment_name(number));
        self.files.exists(&path).map_err(|e| Error::io("looking for", &path, e))
    }

    fn open_segment(&mut self) -> Result<Option<&mut (PathBuf, Scanner)>, Error> {
        if self.segment.is_none() && self.exists(self.number)? {
            let path = self.dir.join(segment_name(self.number));
            let file = self
                .files
                .open(&path, OpenMode::Read)
                .map_err(|e| Error::io("opening", &path, e))?;
            self.segment = Some((path, Scanner::new(file, 0)));
        }
        Ok(self.segment.as_mut())
    }
}

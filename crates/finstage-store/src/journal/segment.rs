//! Records in a file: how an append becomes bytes that a torn disk cannot pass off as whole.
//!
//! ```text
//! record  := length of the payload (u32) · CRC32C of the payload (u32) · payload
//! payload := number of the first event (u64) · count (u32) · events       all little endian
//! ```
//! The number of the first event says where in the run a record belongs, so a missing or repeated
//! record shows, and so the damage of a disk (valid records *after* a bad one) can be told from
//! the ordinary end of a crash (nothing after it).

use std::io;
use std::sync::Arc;

use finstage_model::{Event, Timestamp};

use super::codec;
use crate::files::OpenFile;

/// The longest payload of a record: what a reader must hold in memory at most.
pub const MAX_RECORD_BYTES: usize = 16 << 20;
/// A record is closed when it has grown to this, so that readers get bites they can chew.
const FULL_RECORD_BYTES: usize = 256 << 10;
/// The farthest that the end of a file is searched for records after a bad one.
const MAX_SEARCH_BYTES: u64 = 1 << 30;
/// Length and CRC.
const FRAME_BYTES: usize = 8;
/// Number of the first event, and count.
const HEAD_BYTES: usize = 12;
const READ_BYTES: usize = 256 << 10;

/// Appends records of `events` to `out`; the first event is number `seq` of its run.
///
/// # Errors
/// The size of an event that no record can hold. `out` then has whole records before it.
pub(super) fn write_records(events: &[Event], seq: u64, out: &mut Vec<u8>) -> Result<(), usize> {
    let mut rest = events;
    while !rest.is_empty() {
        let seq = seq + (events.len() - rest.len()) as u64;
        let start = open_record(out);
        out.extend(seq.to_le_bytes());
        out.extend([0; 4]);
        let mut previous = Timestamp::EPOCH;
        let mut count = 0;
        for event in rest {
            let before = out.len();
            codec::encode(event, previous, out);
            if out.len() - start - FRAME_BYTES > MAX_RECORD_BYTES {
                let size = out.len() - before;
                out.truncate(before);
                if count > 0 {
                    break;
                }
                out.truncate(start);
                return Err(size);
            }
            previous = event.ts_recv;
            count += 1;
            if out.len() - start >= FULL_RECORD_BYTES {
                break;
            }
        }
        let at = start + FRAME_BYTES + 8;
        out[at..at + 4].copy_from_slice(&(count as u32).to_le_bytes());
        close_record(out, start);
        rest = &rest[count..];
    }
    Ok(())
}

/// Leaves room for length and CRC; the payload is then appended and [`close_record`] called.
pub(super) fn open_record(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend([0; FRAME_BYTES]);
    start
}

/// Fills in length and CRC of the record opened at `start`.
pub(super) fn close_record(out: &mut [u8], start: usize) {
    let payload = &out[start + FRAME_BYTES..];
    let (length, crc) = (payload.len() as u32, crc32c::crc32c(payload));
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// The payload of a record of events, taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payload<'a> {
    /// The number of its first event.
    pub(super) seq: u64,
    /// How many events it holds.
    pub(super) count: u32,
    events: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Takes a payload apart; `None` when it is too short to be one.
    pub(super) fn parse(payload: &'a [u8]) -> Option<Self> {
        let (seq, rest) = payload.split_first_chunk()?;
        let (count, events) = rest.split_first_chunk()?;
        Some(Self { seq: u64::from_le_bytes(*seq), count: u32::from_le_bytes(*count), events })
    }

    /// Appends its events.
    pub(super) fn decode(&self, events: &mut Vec<Event>) -> Result<(), codec::Malformed> {
        codec::decode(self.events, self.count, events)
    }
}

/// What a [`Scanner`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole record: see [`Scanner::payload`].
    Record,
    /// The end of the file, where a record ended.
    End,
    /// Bytes that are no record.
    Bad,
}

/// Reads the records of a file in order.
#[derive(Debug)]
pub(super) struct Scanner {
    file: Arc<dyn OpenFile>,
    /// Where in the file the record at hand, or the next one, begins.
    offset: u64,
    /// Bytes of the file from `offset` on.
    buffer: Vec<u8>,
    /// Where in the buffer `offset` is.
    start: usize,
    /// Length of the record at hand, frame included; 0 when there is none.
    current: usize,
}

impl Scanner {
    /// A scanner that begins at `offset`, where a record begins.
    pub(super) fn new(file: Arc<dyn OpenFile>, offset: u64) -> Self {
        Self { file, offset, buffer: Vec::new(), start: 0, current: 0 }
    }

    /// Where the record at hand begins; after `End` or `Bad`: the end of the last whole record.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The payload of the record at hand.
    pub(super) fn payload(&self) -> &[u8] {
        let end = self.start + self.current;
        self.buffer.get(self.start + FRAME_BYTES..end).unwrap_or_default()
    }

    /// Steps to the next record. After `End` or `Bad` it looks again at the same place, where a
    /// writer may have written meanwhile.
    pub(super) fn step(&mut self) -> io::Result<Found> {
        self.offset += self.current as u64;
        self.start += self.current;
        self.current = 0;
        let found = self.look()?;
        if found != Found::Record {
            self.buffer.clear();
            self.start = 0;
        }
        Ok(found)
    }

    fn look(&mut self) -> io::Result<Found> {
        match self.fill(FRAME_BYTES)? {
            0 => return Ok(Found::End),
            n if n < FRAME_BYTES => return Ok(Found::Bad),
            _ => {}
        }
        let (length, crc) = frame(&self.buffer[self.start..]);
        if length == 0 || length > MAX_RECORD_BYTES {
            return Ok(Found::Bad);
        }
        let whole = FRAME_BYTES + length;
        if self.fill(whole)? < whole {
            return Ok(Found::Bad);
        }
        let payload = &self.buffer[self.start + FRAME_BYTES..self.start + whole];
        if crc32c::crc32c(payload) != crc {
            return Ok(Found::Bad);
        }
        self.current = whole;
        Ok(Found::Record)
    }

    /// Makes sure that `wanted` bytes from `offset` on are in the buffer; tells how many are.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        let have = self.buffer.len() - self.start;
        if have >= wanted {
            return Ok(have);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.resize(have.max(wanted).max(READ_BYTES), 0);
        let read = self.file.read_at(self.offset + have as u64, &mut self.buffer[have..]);
        let got = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(have + got);
        read.map(|_| have + got)
    }

    /// Whether a whole record with events after number `seq` begins anywhere after the bad bytes
    /// at `offset`.
    pub(super) fn record_follows(&self, seq: u64) -> io::Result<bool> {
        let left = self.file.size()?.saturating_sub(self.offset);
        if left > MAX_SEARCH_BYTES {
            return Ok(true);
        }
        let mut bytes = vec![0; left as usize];
        let got = self.file.read_at(self.offset, &mut bytes)?;
        let bytes = &bytes[..got];
        Ok((1..got.saturating_sub(FRAME_BYTES)).any(|at| is_record_after(&bytes[at..], seq)))
    }
}

fn frame(bytes: &[u8]) -> (usize, u32) {
    let word = |at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    (word(0) as usize, word(4))
}

/// The number is looked at before the CRC: one in 2^32 random places passes, so a search costs
/// little more than reading.
fn is_record_after(bytes: &[u8], seq: u64) -> bool {
    let (length, crc) = frame(bytes);
    if !(HEAD_BYTES..=MAX_RECORD_BYTES).contains(&length) {
        return false;
    }
    let Some(payload) = bytes.get(FRAME_BYTES..FRAME_BYTES + length) else { return false };
    let Some(head) = Payload::parse(payload) else { return false };
    head.seq > seq && head.seq - seq <= u64::from(u32::MAX) && crc32c::crc32c(payload) == crc
}

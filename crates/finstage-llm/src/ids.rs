//! Names of rows, millions of them, in little memory.

use crate::{Error, Row, RowId, RowKey};

/// Parts of the table. Each is small enough that putting a name in its middle is cheap, five thousand names at
/// ten million rows; more parts would be cheaper, but more small pieces of memory leave more holes.
const PARTS: usize = 1 << PART_BITS;
const PART_BITS: u32 = 11;

/// A number for each of many names: about 15 bytes a name, and no moment at which it is twice that, because
/// each part grows by itself and by a sixteenth.
///
/// Names are hashes, so parts fill evenly. 88 bits of each are kept: among ten million names, two alike have a
/// chance of 2^-42.
#[derive(Debug)]
pub(crate) struct Ids {
    parts: Box<[Vec<Entry>]>,
}

/// Bytes alone, so that nothing is lost to alignment.
type Entry = (Kept, [u8; 4]);

/// What is kept of a hash; its first byte is told by the part.
type Kept = [u8; 10];

impl Ids {
    pub(crate) fn new() -> Self {
        Self { parts: vec![Vec::new(); PARTS].into_boxed_slice() }
    }

    /// Puts a number to a name; gives the one that it had.
    pub(crate) fn put(&mut self, id: RowId, number: u32) -> Option<u32> {
        let part = &mut self.parts[part_of(id)];
        let kept = kept(id);
        match part.binary_search_by_key(&kept, |entry| entry.0) {
            Ok(at) => {
                let old = std::mem::replace(&mut part[at].1, number.to_le_bytes());
                Some(u32::from_le_bytes(old))
            }
            Err(at) => {
                if part.len() == part.capacity() {
                    part.reserve_exact(part.len() / 16 + 2);
                }
                part.insert(at, (kept, number.to_le_bytes()));
                None
            }
        }
    }

    /// The number of a name.
    pub(crate) fn get(&self, id: RowId) -> Option<u32> {
        let part = &self.parts[part_of(id)];
        let at = part.binary_search_by_key(&kept(id), |entry| entry.0).ok()?;
        Some(u32::from_le_bytes(part[at].1))
    }

    /// The memory that it takes, in bytes.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        let entries: usize = self.parts.iter().map(Vec::capacity).sum();
        entries * size_of::<Entry>() + PARTS * size_of::<Vec<Entry>>()
    }
}

fn kept(id: RowId) -> Kept {
    std::array::from_fn(|place| id.0[place + 1])
}

fn part_of(id: RowId) -> usize {
    usize::from(u16::from_be_bytes([id.0[0], id.0[1]]) >> (u16::BITS - PART_BITS))
}

/// Whether a row is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Ask,
    /// Its answer stands in the output.
    Done,
}

/// Which rows are done, and which were seen in the input: about 15 bytes a row.
#[derive(Debug)]
pub struct Register {
    ids: Ids,
    done: u64,
    output: String,
}

/// On a number: the row is done, and the other bits are of its key. Without it they are the line of the input
/// where the row was seen.
const DONE: u32 = 1 << 31;
/// Done, and with which question nobody said.
const DONE_AS_NAMED: u32 = u32::MAX;

impl Register {
    /// Nothing is done yet; `output` is what the output is called in errors.
    #[must_use]
    pub fn new(output: impl Into<String>) -> Self {
        Self { ids: Ids::new(), done: 0, output: output.into() }
    }

    /// A row stands in the output, with the key where its line says one; whether that is new.
    pub(crate) fn put_done(&mut self, id: RowId, key: Option<RowKey>) -> bool {
        let is_new = self.ids.put(id, key.map_or(DONE_AS_NAMED, mark)).is_none();
        self.done += u64::from(is_new);
        is_new
    }

    /// How many rows stood in the output at the start.
    #[must_use]
    pub const fn done(&self) -> u64 {
        self.done
    }

    /// Whether the answer to a row of this name stands in the output, whatever it was asked.
    #[must_use]
    pub fn has(&self, id: RowId) -> bool {
        self.ids.get(id).is_some_and(|number| number & DONE != 0)
    }

    /// Decides about the next row of the input.
    ///
    /// # Errors
    /// `Invalid` where an earlier row has the same name, or the output holds the answer to another question
    /// under that name.
    pub fn admit(&mut self, row: &Row) -> Result<Admission, Error> {
        let (id, seen) = (row.id(), u32::try_from(row.line).unwrap_or(u32::MAX) & !DONE);
        let name = &row.custom_id;
        let before = self.ids.get(id);
        match before {
            Some(line) if line & DONE == 0 => Err(Error::invalid(format!(
                "line {}: custom_id \"{name}\" stands on line {line} too: every row needs a name of its own",
                row.line
            ))),
            Some(known) if known != DONE_AS_NAMED && known != mark(row.key()) => {
                Err(Error::invalid(format!(
                    "line {}: row \"{name}\" changed since {} was written: use another output or delete its line there",
                    row.line, self.output
                )))
            }
            _ => {
                self.ids.put(id, seen);
                Ok(if before.is_some() { Admission::Done } else { Admission::Ask })
            }
        }
    }
}

fn mark(key: RowKey) -> u32 {
    let [a, b, c, d, ..] = key.0;
    (u32::from_le_bytes([a, b, c, d]) | DONE).min(DONE_AS_NAMED - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::CHAT;

    fn row(line: u64, custom_id: &str, text: &str) -> Row {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
        let body = body.as_object().unwrap().clone();
        Row { line, custom_id: custom_id.to_owned(), url: CHAT.to_owned(), body }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "FINSTAGE_LONG=1 asks for the thorough form")]
    fn numbers_of_names_are_those_of_an_ordinary_map_in_18_bytes_each() {
        let rows = if std::env::var_os("FINSTAGE_LONG").is_some() { 10_000_000 } else { 400_000 };
        let id = |n: u32| {
            let mixed = (u128::from(n) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            RowId(mixed.to_be_bytes())
        };
        let (mut ids, mut known) = (Ids::new(), BTreeMap::new());
        let mut most = 0;
        for n in 0..rows {
            assert_eq!(ids.put(id(n), n), None);
            if n % 64 == 0 {
                assert_eq!(ids.put(id(n / 2), 7), Some(*known.get(&(n / 2)).unwrap_or(&(n / 2))));
                known.insert(n / 2, 7);
            }
            if n % 1000 == 0 && n > rows / 2 {
                most = most.max(ids.bytes() * 10 / n as usize);
            }
        }
        for n in 0..rows {
            assert_eq!(ids.get(id(n)), Some(*known.get(&n).unwrap_or(&n)));
        }
        assert_eq!(ids.get(id(rows)), None);
        assert!(most <= 180, "{most} tenths of a byte for a name");
    }

    #[test]
    fn a_row_that_is_done_is_not_asked_and_one_that_changed_is_refused() {
        let mut register = Register::new("out.jsonl");
        let done = row(0, "a", "x");
        assert!(register.put_done(done.id(), Some(done.key())));
        assert!(!register.put_done(done.id(), Some(done.key())));
        assert_eq!(register.admit(&row(1, "a", "x")).unwrap(), Admission::Done);
        assert_eq!(register.admit(&row(2, "b", "x")).unwrap(), Admission::Ask);
        assert_eq!(register.done(), 1);
        let mut register = Register::new("out.jsonl");
        register.put_done(done.id(), Some(done.key()));
        let error = register.admit(&row(3, "a", "y")).unwrap_err().to_string();
        assert_eq!(
            error,
            "line 3: row \"a\" changed since out.jsonl was written: use another output or delete its line there"
        );
    }

    #[test]
    fn a_name_without_key_is_done_whatever_is_asked() {
        let mut register = Register::new("out");
        register.put_done(RowId::of("a"), None);
        assert_eq!(register.admit(&row(1, "a", "anything")).unwrap(), Admission::Done);
    }

    #[test]
    fn a_name_that_stands_twice_is_an_error_with_both_lines_whether_done_or_not() {
        for is_done in [false, true] {
            let mut register = Register::new("out");
            if is_done {
                register.put_done(RowId::of("a"), Some(row(0, "a", "x").key()));
            }
            register.admit(&row(4, "a", "x")).unwrap();
            let error = register.admit(&row(9, "a", "x")).unwrap_err().to_string();
            assert!(error.starts_with("line 9: custom_id \"a\" stands on line 4 too"), "{error}");
        }
    }
}

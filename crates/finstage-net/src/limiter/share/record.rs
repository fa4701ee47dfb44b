//! The records of the shared file: 64 bytes each, little-endian, the checksum first.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::quota::{Amounts, MAX_RULES};
use crate::{Cost, Reading, Refusal, Rule, Settlement};

/// The length of every record, the header included.
pub(super) const SIZE: usize = 64;

const MAGIC: u64 = u64::from_le_bytes(*b"FSQUOTA1");
/// "Not said" where a number stands.
const NONE: u32 = u32::MAX;
const NONE_LONG: u64 = u64::MAX;

/// What a process does to its books, beside answers.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A request was admitted.
    Reserved(Amounts),
    /// It was sent.
    Sent,
    /// It was not sent after all.
    GivenBack,
    /// It was sent, and no answer comes.
    Lost,
    /// Nothing is admitted before this moment.
    Blocked(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Reserved = 1,
    Sent,
    GivenBack,
    Lost,
    Blocked,
    Reading,
    Answered,
}

const KINDS: [Kind; 7] = [
    Kind::Reserved,
    Kind::Sent,
    Kind::GivenBack,
    Kind::Lost,
    Kind::Blocked,
    Kind::Reading,
    Kind::Answered,
];

const REFUSED: u8 = 1;
const BANNED: u8 = 2;
const WAIT_STATED: u8 = 4;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) rule: u16,
    pub(super) writer: u64,
    pub(super) id: u64,
    pub(super) at: u64,
    pub(super) numbers: [u32; MAX_RULES],
}

impl Record {
    const fn new(kind: Kind) -> Self {
        Self { kind, flags: 0, rule: 0, writer: 0, id: 0, at: 0, numbers: [NONE; MAX_RULES] }
    }

    pub(super) fn of_entry(entry: &Entry) -> Self {
        match entry {
            Entry::Reserved(amounts) => Self { numbers: amounts.0, ..Self::new(Kind::Reserved) },
            Entry::Sent => Self::new(Kind::Sent),
            Entry::GivenBack => Self::new(Kind::GivenBack),
            Entry::Lost => Self::new(Kind::Lost),
            Entry::Blocked(until) => Self::new(Kind::Blocked).with(0, *until),
        }
    }

    pub(super) fn of_reading(rule: usize, reading: &Reading) -> Self {
        let record = Self { rule: rule as u16, ..Self::new(Kind::Reading) };
        let used = reading.used.unwrap_or(NONE_LONG);
        record.with(0, used).with(1, reading.limit.unwrap_or(NONE_LONG))
    }

    pub(super) fn of_answer(rules: &[Rule], answer: &Settlement<'_>) -> Self {
        let mut record = Self::new(Kind::Answered);
        if let Some(refusal) = answer.refused {
            record.flags = REFUSED
                | if refusal.banned { BANNED } else { 0 }
                | if refusal.retry_after.is_some() { WAIT_STATED } else { 0 };
        }
        for (rule, number) in rules.iter().zip(&mut record.numbers) {
            if let Some(cost) = answer.actual.iter().find(|cost| cost.rule == rule.name) {
                *number = cost.amount;
            }
        }
        record
    }

    /// Two numbers side by side hold a long one.
    fn with(mut self, place: usize, number: u64) -> Self {
        self.numbers[place * 2] = number as u32;
        self.numbers[place * 2 + 1] = (number >> 32) as u32;
        self
    }

    fn long(&self, place: usize) -> u64 {
        u64::from(self.numbers[place * 2]) | u64::from(self.numbers[place * 2 + 1]) << 32
    }

    pub(super) fn first(&self) -> u64 {
        self.long(0)
    }

    pub(super) const fn amounts(&self) -> Amounts {
        Amounts(self.numbers)
    }

    pub(super) fn reading(&self, rules: &[Rule]) -> Option<Reading> {
        let said = |number: u64| (number != NONE_LONG).then_some(number);
        let rule = rules.get(usize::from(self.rule))?.name;
        Some(Reading { rule, used: said(self.long(0)), limit: said(self.long(1)) })
    }

    pub(super) fn answer(&self, rules: &[Rule]) -> (Vec<Cost>, Option<Refusal>) {
        let costs = rules.iter().zip(self.numbers).filter(|(_, amount)| *amount != NONE);
        let costs = costs.map(|(rule, amount)| Cost { rule: rule.name, amount }).collect();
        let refused = (self.flags & REFUSED != 0).then_some(Refusal {
            retry_after: (self.flags & WAIT_STATED != 0).then_some(Duration::ZERO),
            banned: self.flags & BANNED != 0,
        });
        (costs, refused)
    }

    pub(super) fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[4] = self.kind as u8;
        bytes[5] = self.flags;
        bytes[6..8].copy_from_slice(&self.rule.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.writer.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.id.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.at.to_le_bytes());
        for (place, number) in bytes[32..].chunks_exact_mut(4).zip(self.numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        sealed(bytes)
    }

    /// `None` for one that is damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if !is_sealed(bytes) {
            return None;
        }
        let mut numbers = [0; MAX_RULES];
        for (number, place) in numbers.iter_mut().zip(bytes[32..].chunks_exact(4)) {
            *number = u32::from_le_bytes(place.try_into().ok()?);
        }
        Some(Self {
            kind: *KINDS.iter().find(|kind| **kind as u8 == bytes[4])?,
            flags: bytes[5],
            rule: u16::from_le_bytes([bytes[6], bytes[7]]),
            writer: long_at(bytes, 8)?,
            id: long_at(bytes, 16)?,
            at: long_at(bytes, 24)?,
            numbers,
        })
    }
}

/// The first record of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    boot: u64,
    rules: u64,
    /// The number of the first record that follows: those before it were left out.
    pub(super) first: u64,
}

impl Header {
    /// Of a file for these rules, since the last start of this machine.
    pub(super) fn of(rules: &[Rule]) -> Self {
        // Times count from the machine's start, so those from before another one mean nothing.
        // Where the system does not say, the guess is that it has not been started again.
        let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let mut words = String::new();
        for Rule { name, shape, limit, window, counts_refused, .. } in rules {
            words += &format!("{name} {shape:?} {limit} {window:?} {counts_refused};");
        }
        Self { boot: hash(&boot), rules: hash(words.as_bytes()), first: 0 }
    }

    /// Whether records under `self` can be read by someone who expects `other`.
    pub(super) const fn fits(&self, other: &Self) -> bool {
        self.boot == other.boot && self.rules == other.rules
    }

    pub(super) fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        for (place, number) in [MAGIC, self.boot, self.rules, self.first].iter().enumerate() {
            bytes[8 + place * 8..][..8].copy_from_slice(&number.to_le_bytes());
        }
        sealed(bytes)
    }

    /// `None` for a file that is damaged or none of ours.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if !is_sealed(bytes) || long_at(bytes, 8)? != MAGIC {
            return None;
        }
        Some(Self {
            boot: long_at(bytes, 16)?,
            rules: long_at(bytes, 24)?,
            first: long_at(bytes, 32)?,
        })
    }
}

fn long_at(bytes: &[u8], place: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(place..place + 8)?.try_into().ok()?))
}

fn sealed(mut bytes: [u8; SIZE]) -> [u8; SIZE] {
    let sum = crc32c::crc32c(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn is_sealed(bytes: &[u8]) -> bool {
    bytes.len() == SIZE && bytes[..4] == crc32c::crc32c(&bytes[4..]).to_le_bytes()
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): not for secrets.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A number that no other writer of the file has: process numbers come again, moments do not.
pub(super) fn new_writer() -> u64 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let words = format!("{} {count} {} {}", std::process::id(), clock.tv_sec, clock.tv_nsec);
    hash(words.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    fn rules() -> [Rule; 2] {
        let rule = |name| Rule {
            name,
            shape: Shape::Sliding,
            limit: 10,
            window: Duration::from_secs(1),
            default_cost: 1,
            counts_refused: false,
        };
        [rule("weight"), rule("orders")]
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_damaged_one_is_not() {
        let readings = [Reading { rule: "orders", used: Some(1 << 40), limit: None }];
        let record =
            Record { writer: 7, id: 9, at: 1 << 50, ..Record::of_reading(1, &readings[0]) };
        let bytes = record.encode();
        let read = Record::decode(&bytes).unwrap();
        assert_eq!(read, record);
        assert_eq!(read.reading(&rules()), Some(readings[0]));
        for place in 0..SIZE {
            let mut torn = bytes;
            torn[place] ^= 0x10;
            assert_eq!(Record::decode(&torn), None, "byte {place}");
        }
        assert_eq!(Record::decode(&[0; SIZE]), None, "a hole in the file is no record");
    }

    #[test]
    fn an_answer_is_told_with_its_costs_and_its_refusal() {
        let actual = [Cost { rule: "orders", amount: 3 }];
        let refusal = Refusal { retry_after: Some(Duration::from_secs(9)), banned: true };
        let answer = Settlement { refused: Some(refusal), actual: &actual, ..Default::default() };
        let record = Record::decode(&Record::of_answer(&rules(), &answer).encode()).unwrap();
        let (costs, refused) = record.answer(&rules());
        assert_eq!(costs, actual);
        assert_eq!(refused, Some(Refusal { retry_after: Some(Duration::ZERO), banned: true }));
    }

    #[test]
    fn a_file_of_other_rules_does_not_fit() {
        let header = Header { first: 5, ..Header::of(&rules()) };
        let read = Header::decode(&header.encode()).unwrap();
        assert_eq!(read, header);
        assert!(read.fits(&Header::of(&rules())));
        assert!(!read.fits(&Header::of(&rules()[..1])));
        assert!(!read.fits(&Header { boot: 1, ..header }), "the machine was started again");
    }
}

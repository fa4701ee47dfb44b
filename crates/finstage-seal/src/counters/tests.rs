//! Numbers never come twice, whatever the disk does: seeded crashes at every step of a write.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use super::*;
use crate::{Keyring, Keys, NewKey, Sealer, SealerOptions, Secret, UnixTime};

const NOW: UnixTime = UnixTime::from_secs(1_795_253_400);
/// Crash points of the usual run.
const SEEDS: u64 = 2_000;

struct Dice(u64);

impl Dice {
    /// A whole number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// What a disk does to bytes that were not synced before it lost power.
#[derive(Clone)]
struct Content {
    bytes: Vec<u8>,
    is_synced: bool,
}

/// A folder with one file and the one beside it.
#[derive(Clone, Default)]
struct Folder {
    /// What the name means now, and what it meant when the folder was synced last.
    file: Option<Content>,
    durable: Option<Content>,
    beside: Option<Content>,
    /// Steps until the power goes.
    fuse: Option<u64>,
    steps: u64,
}

impl Folder {
    fn step(&mut self) -> io::Result<()> {
        if self.fuse.is_some_and(|fuse| self.steps >= fuse) {
            return Err(io::Error::other("the power went"));
        }
        self.steps += 1;
        Ok(())
    }

    /// What is there when the power is back.
    fn boot(&mut self, dice: &mut Dice) {
        // The name may be the old one or the new one where the folder was not synced.
        let survivor = if dice.roll(2) == 0 { self.durable.take() } else { self.file.take() };
        let settled = survivor.map(|content| settle(content, dice));
        self.file = settled.clone();
        self.durable = settled;
        self.beside = self.beside.take().map(|content| settle(content, dice));
        self.fuse = None;
    }
}

/// Bytes that were not synced are there in part, or not, or are others.
fn settle(content: Content, dice: &mut Dice) -> Content {
    let mut bytes = content.bytes;
    if !content.is_synced {
        bytes.truncate(dice.roll(bytes.len() as u64 + 1) as usize);
        if dice.roll(3) == 0 && !bytes.is_empty() {
            let from = dice.roll(bytes.len() as u64) as usize;
            bytes[from..].fill(0);
        }
    }
    Content { bytes, is_synced: true }
}

/// A disk that loses power. `forgets` names a step that it does not do, to see that it is needed.
#[derive(Clone)]
struct Faulty {
    folder: Arc<Mutex<Folder>>,
    dice: Arc<Mutex<Dice>>,
    forgets: Option<&'static str>,
}

impl Faulty {
    fn new(seed: u64) -> Self {
        let folder = Arc::new(Mutex::new(Folder::default()));
        Self { folder, dice: Arc::new(Mutex::new(Dice(seed))), forgets: None }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Folder) -> R) -> R {
        act(&mut self.folder.lock().unwrap())
    }

    fn boot(&self) {
        self.with(|folder| folder.boot(&mut self.dice.lock().unwrap()));
    }

    fn roll(&self, sides: u64) -> u64 {
        self.dice.lock().unwrap().roll(sides)
    }

    fn open(&self) -> io::Result<CounterFile> {
        CounterFile::on(Box::new(self.clone()), "k.senders".to_owned())
    }
}

impl Disk for Faulty {
    fn read(&self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        self.with(|folder| {
            folder.step()?;
            Ok(folder.file.as_ref().map(|content| Zeroizing::new(content.bytes.clone())))
        })
    }

    fn write_beside(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|folder| {
            let whole = folder.step();
            let length = match whole {
                Ok(()) => bytes.len(),
                // The write is torn.
                Err(_) => self.roll(bytes.len() as u64) as usize,
            };
            folder.beside = Some(Content { bytes: bytes[..length].to_vec(), is_synced: false });
            whole
        })
    }

    fn sync_beside(&mut self) -> io::Result<()> {
        let forgets = self.forgets == Some("sync");
        self.with(|folder| {
            folder.step()?;
            let beside = folder.beside.as_mut().expect("written");
            beside.is_synced |= !forgets;
            Ok(())
        })
    }

    fn rename(&mut self) -> io::Result<()> {
        self.with(|folder| {
            folder.step()?;
            folder.file = folder.beside.take();
            Ok(())
        })
    }

    fn sync_name(&mut self) -> io::Result<()> {
        let forgets = self.forgets == Some("name");
        self.with(|folder| {
            folder.step()?;
            if !forgets {
                folder.durable.clone_from(&folder.file);
            }
            Ok(())
        })
    }

    fn lock(&self) -> io::Result<Box<dyn Send>> {
        Ok(Box::new(()))
    }
}

/// All that was given out: of each key, by whom and when it does not matter.
#[derive(Default)]
struct Used(HashMap<KeyId, Vec<Range<u64>>>);

impl Used {
    /// False where a number was used before.
    fn take(&mut self, key: KeyId, range: Range<u64>) -> bool {
        let before = self.0.entry(key).or_default();
        let is_new = before.iter().all(|b| range.end <= b.start || b.end <= range.start);
        before.push(range);
        is_new
    }
}

fn key(n: u64) -> KeyId {
    format!("k{n}").parse().unwrap()
}

/// Some lives of some senders on one disk, each ended by a crash. Whether no number came twice.
fn lives(disk: &Faulty) -> Result<(), String> {
    let mut used = Used::default();
    for life in 0..4 {
        let fuse = disk.roll(60);
        disk.with(|folder| (folder.fuse, folder.steps) = (Some(fuse), 0));
        let mut senders: Vec<CounterFile> = Vec::new();
        for _ in 0..40 {
            if senders.is_empty() || disk.roll(8) == 0 {
                match disk.open() {
                    Ok(sender) if senders.iter().any(|other| other.sid == sender.sid) => {
                        return Err(format!("life {life}: a sender id came twice"));
                    }
                    Ok(sender) => senders.push(sender),
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        return Err(format!("life {life}: {error}"));
                    }
                    Err(_) => break,
                }
            }
            let place = disk.roll(senders.len() as u64) as usize;
            let (key, count) = (key(disk.roll(3)), 1 + disk.roll(1 << 20));
            match senders[place].reserve(key, count) {
                Ok(range) if range.end - range.start != count => {
                    return Err(format!("life {life}: {range:?} are not {count}"));
                }
                Ok(range) if !used.take(key, range.clone()) => {
                    return Err(format!("life {life}: {range:?} of {key} came twice"));
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        disk.boot();
    }
    Ok(())
}

#[test]
fn a_crash_between_reserving_and_using_never_repeats_a_number() {
    for seed in 0..SEEDS {
        lives(&Faulty::new(seed)).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}

#[test]
fn a_sealer_that_crashes_anywhere_never_repeats_a_nonce() {
    let ring = |life: u64| {
        let fresh = |n: u64| NewKey::of(key(n), Secret::new([n as u8; 32]));
        let mut ring = Keyring::new(fresh(1), NOW);
        for n in 0..life {
            ring.rotate(NOW, fresh(2 + n)).unwrap();
        }
        ring
    };
    for seed in 0..SEEDS / 4 {
        let disk = Faulty::new(seed);
        let mut nonces = HashSet::new();
        for life in 0..4 {
            let fuse = 6 + disk.roll(40);
            disk.with(|folder| (folder.fuse, folder.steps) = (Some(fuse), 0));
            if let Ok(counters) = disk.open() {
                let options = SealerOptions { block: 1 + disk.roll(4) };
                let keys = Keys::new(ring(life));
                let mut sealer = Sealer::new(keys.clone(), Box::new(counters), options);
                let mut envelope = Vec::new();
                while sealer.seal(b"x", &mut envelope).is_ok() {
                    let text = String::from_utf8(std::mem::take(&mut envelope)).unwrap();
                    let part = |name: &str| {
                        let rest = text.split_once(name).unwrap().1;
                        rest.split('"').next().unwrap().to_owned()
                    };
                    // Without the sender, which is another in each life: numbers do it alone.
                    let nonce = (part("\"kid\":\""), part("\"nonce\":\"")[6..].to_owned());
                    assert!(nonces.insert(nonce), "seed {seed}: {text}");
                    // Rings come and go, so that numbers are reserved before there is a message for
                    // them, and the power goes between the two.
                    if disk.roll(4) == 0 {
                        keys.replace(ring(disk.roll(4)));
                    }
                }
            }
            disk.boot();
        }
        assert!(nonces.len() > 4, "seed {seed} sealed something");
    }
}

/// The test above can fail: each of the two syncs is needed.
#[test]
fn without_either_sync_numbers_are_repeated_or_lost() {
    for step in ["sync", "name"] {
        let failed = (0..200).filter(|&seed| {
            let disk = Faulty { forgets: Some(step), ..Faulty::new(seed) };
            lives(&disk).is_err()
        });
        assert!(failed.count() > 20, "{step} is not missed");
    }
}

#[test]
fn every_step_of_a_write_may_be_the_last() {
    let k = key(1);
    for fuse in 0..20 {
        let disk = Faulty::new(fuse);
        disk.with(|folder| folder.fuse = Some(fuse));
        let mut used = Used::default();
        if let Ok(mut sender) = disk.open() {
            while let Ok(range) = sender.reserve(k, 10) {
                assert!(used.take(k, range));
            }
        }
        disk.boot();
        let mut sender = disk.open().unwrap();
        assert!(used.take(k, sender.reserve(k, 10).unwrap()), "fuse {fuse}");
    }
}

#[test]
fn a_damaged_file_stops_sealing_and_says_what_to_do() {
    let disk = Faulty::new(1);
    let mut sender = disk.open().unwrap();
    sender.reserve(key(1), 1234).unwrap();
    let text = disk.with(|folder| folder.file.as_ref().unwrap().bytes.clone());
    for length in 0..text.len() {
        let bytes = text[..length].to_vec();
        disk.with(|folder| folder.file = Some(Content { bytes, is_synced: true }));
        let error = sender.reserve(key(1), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{length} bytes of it");
        assert!(disk.open().unwrap_err().to_string().contains("rotate to a new key"));
    }
}

#[test]
fn a_sender_id_that_was_taken_is_drawn_again() {
    let mut draws = [5, 7, 5, 6].into_iter();
    let mut draw = || draws.next().ok_or_else(|| io::Error::other("no more"));
    assert_eq!(fresh_sid(&[7, 5], &mut draw).unwrap(), 6);
    assert!(fresh_sid(&[], &mut draw).is_err());
}

#[test]
fn numbers_end_and_do_not_begin_anew() {
    let mut counters = MemoryCounters::new(1);
    counters.reserve(key(1), i64::MAX as u64 - 1).unwrap();
    assert!(counters.reserve(key(1), 2).is_err());
    assert_eq!(counters.reserve(key(1), 1).unwrap(), i64::MAX as u64 - 1..i64::MAX as u64);
}

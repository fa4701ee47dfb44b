//! Sealers and readers while keys change.

use std::fs;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use finstage_seal::{
    Counters, Error, ErrorKind, KeyId, Keyring, KeyringFile, Keys, MemoryCounters, NewKey, Opener,
    Refused, Rotation, SealError, Sealer, SealerOptions, UnixTime,
};

use crate::{NOW, id, key, ring, sealed, sealer, sealer_on};

fn kid(envelope: &[u8]) -> String {
    let text = std::str::from_utf8(envelope).unwrap();
    text.split_once("\"kid\":\"").unwrap().1.split('"').next().unwrap().to_owned()
}

#[test]
fn a_sealer_goes_on_with_the_new_key_and_readers_miss_nothing() {
    let mut ring = ring();
    ring.add(key("k2", 8), NOW).unwrap();
    let keys = Keys::new(ring.clone());
    let mut sealer = sealer(&keys, 1);
    let mut opener = Opener::new(keys.clone());
    assert_eq!(kid(&sealed(&mut sealer, b"x")), "k1");
    // A reader that has the ring from before the rotation opens what comes after it.
    let mut late = Opener::new(Keys::new(ring.clone()));
    ring.rotate(NOW, key("k3", 9)).unwrap();
    keys.replace(ring);
    let envelope = sealed(&mut sealer, b"y");
    assert_eq!(kid(&envelope), "k2");
    assert_eq!(opener.open(&envelope, NOW).unwrap().plain, b"y");
    assert_eq!(late.open(&envelope, NOW).unwrap().plain, b"y");
}

#[test]
fn a_sealer_rotates_by_count_when_asked_how_many_it_sealed() {
    let rotation = Rotation { after_messages: 100, limit: 150, ..Rotation::default() };
    let ring = ring().with_rotation(rotation).unwrap();
    let keys = Keys::new(ring);
    let mut sealer = sealer(&keys, 1);
    let mut rotations = 0;
    for n in 0..1000_u64 {
        let mut ring = Keyring::clone(&keys.current());
        if ring.is_due(NOW, sealer.counts().key_used) {
            ring.rotate(NOW, key(&format!("r{n}"), n as u8 ^ 0x55)).unwrap();
            keys.replace(ring);
            rotations += 1;
        }
        sealed(&mut sealer, b"x");
    }
    // The first two keys are not announced.
    assert_eq!(rotations, 9);
    assert_eq!(sealer.counts().sealed, 1000);
    assert_eq!(sealer.counts().key_used, 100);
}

#[test]
fn a_key_seals_no_more_than_its_limit() {
    let rotation = Rotation { after_messages: 5, limit: 10, ..Rotation::default() };
    let ring = ring().with_rotation(rotation).unwrap();
    let keys = Keys::new(ring.clone());
    for block in [1, 3, 10, 1 << 20] {
        let counters = Box::new(MemoryCounters::new(1));
        let mut sealer = Sealer::new(keys.clone(), counters, SealerOptions { block });
        for _ in 0..10 {
            sealed(&mut sealer, b"x");
        }
        for _ in 0..3 {
            let mut out = b"before".to_vec();
            let error = sealer.seal(b"x", &mut out).unwrap_err();
            assert!(matches!(error, SealError::Exhausted { key } if key == id("k1")), "{error}");
            assert_eq!(out, b"before");
        }
        let mut next = ring.clone();
        next.rotate(NOW, key("k2", 8)).unwrap();
        keys.replace(next);
        assert_eq!(kid(&sealed(&mut sealer, b"x")), "k2");
        keys.replace(ring.clone());
    }
}

#[test]
fn without_a_primary_key_nothing_is_sealed() {
    let text = ring().to_text().expose().replace("primary\"", "accept\"");
    let keys = Keys::new(Keyring::parse(&text).unwrap());
    let mut sealer = sealer(&keys, 1);
    let error = sealer.seal(b"x", &mut Vec::new()).unwrap_err();
    assert!(matches!(error, SealError::NoPrimary));
    keys.replace(ring());
    sealed(&mut sealer, b"x");
}

#[test]
fn a_message_that_is_too_long_is_not_sealed() {
    let mut sealer = sealer(&Keys::new(ring()), 1);
    let plain = vec![0; finstage_seal::MAX_PLAIN_BYTES + 1];
    let error = sealer.seal(&plain, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, SealError::TooLong { .. }), "{error}");
    let envelope = sealed(&mut sealer, &plain[1..]);
    assert!(envelope.len() <= finstage_seal::MAX_ENVELOPE_BYTES);
}

/// Counters that fail when told to, and say who asked for what.
#[derive(Clone, Default)]
struct Watched {
    fails: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<(KeyId, thread::ThreadId)>>>,
    said: Option<mpsc::Sender<KeyId>>,
    next: Arc<AtomicU64>,
}

impl Counters for Watched {
    fn sid(&self) -> u32 {
        1
    }

    fn reserve(&mut self, key: KeyId, count: u64) -> io::Result<Range<u64>> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.asked.lock().unwrap().push((key, thread::current().id()));
        let start = self.next.fetch_add(count, Ordering::Relaxed);
        if let Some(said) = &self.said {
            said.send(key).unwrap();
        }
        Ok(start..start + count)
    }
}

#[test]
fn a_sealer_without_numbers_says_so_and_goes_on_when_there_are_some() {
    let counters = Watched::default();
    counters.fails.store(true, Ordering::Relaxed);
    let mut sealer = sealer_on(&Keys::new(ring()), Box::new(counters.clone()));
    let mut out = Vec::new();
    let error = sealer.seal(b"x", &mut out).unwrap_err();
    assert!(matches!(&error, SealError::Counters(_)) && out.is_empty(), "{error}");
    counters.fails.store(false, Ordering::Relaxed);
    sealed(&mut sealer, b"x");
}

#[test]
fn numbers_are_reserved_before_they_are_needed_by_another_thread() {
    let (said, heard) = mpsc::channel();
    let counters = Watched { said: Some(said), ..Watched::default() };
    let mut ring = ring();
    ring.add(key("k2", 8), NOW).unwrap();
    let keys = Keys::new(ring.clone());
    let options = SealerOptions { block: 20_000 };
    let mut sealer = Sealer::new(keys.clone(), Box::new(counters.clone()), options);
    sealed(&mut sealer, b"x");
    let first_two = [heard.recv().unwrap(), heard.recv().unwrap()];
    assert!(first_two.contains(&id("k1")) && first_two.contains(&id("k2")), "{first_two:?}");
    let us = thread::current().id();
    let by_others = |key: KeyId| {
        let asked = counters.asked.lock().unwrap();
        asked.iter().filter(|(of, by)| *of == key && *by != us).count()
    };
    assert_eq!(
        (by_others(id("k1")), by_others(id("k2"))),
        (0, 1),
        "the first has to be waited for"
    );
    // The next block comes while this one is in use, if the other thread gets its turn in time.
    while by_others(id("k1")) == 0 {
        sealed(&mut sealer, b"x");
        thread::yield_now();
    }
    ring.rotate(NOW, key("k3", 9)).unwrap();
    keys.replace(ring);
    assert_eq!(kid(&sealed(&mut sealer, b"x")), "k2");
    let asked = counters.asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|(of, _)| *of == id("k2")).count(), 1, "it was in stock");
}

#[test]
fn a_rotation_under_load_loses_nothing() {
    let mut ring = ring();
    ring.add(key("n0", 100), NOW).unwrap();
    let keys = Keys::new(ring.clone());
    let (send, receive) = mpsc::sync_channel::<Vec<u8>>(64);
    let sender_keys = keys.clone();
    let sender = thread::spawn(move || {
        let counters = Box::new(MemoryCounters::new(1));
        let mut sealer = Sealer::new(sender_keys, counters, SealerOptions { block: 512 });
        let mut kids = Vec::new();
        for n in 0..40_000_u32 {
            let envelope = sealed(&mut sealer, &n.to_le_bytes());
            let kid = kid(&envelope);
            if kids.last() != Some(&kid) {
                kids.push(kid);
            }
            send.send(envelope).unwrap();
        }
        kids
    });
    // The readers' ring and the sender's are one here; each rotation is seen when it is seen.
    let mut opener = Opener::new(keys.clone());
    let mut expected = 0_u32;
    while let Ok(envelope) = receive.recv() {
        if expected.is_multiple_of(1000) {
            let fresh = key(&format!("n{}", 1 + expected / 1000), 101 + (expected / 1000) as u8);
            ring.rotate(NOW, fresh).unwrap();
            keys.replace(ring.clone());
        }
        let opened = opener.open(&envelope, NOW).unwrap();
        assert_eq!(opened.plain, expected.to_le_bytes());
        expected += 1;
    }
    assert_eq!(expected, 40_000);
    let kids = sender.join().unwrap();
    assert!(kids.len() > 20, "{kids:?}");
}

fn written() -> (tempfile::TempDir, KeyringFile) {
    let dir = tempfile::tempdir().unwrap();
    let file = KeyringFile::new(&dir.path().join("keys.toml"));
    file.create(&ring()).unwrap();
    (dir, file)
}

fn at(second: i64) -> UnixTime {
    UnixTime::from_secs(NOW.secs() + second)
}

/// Waits for another thread, which is not long in coming.
fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

#[test]
fn messages_do_not_look_at_the_file_and_use_what_somebody_found_there() {
    let (_dir, file) = written();
    let (ours, theirs) = (Keys::open(file.path()).unwrap(), Keys::open(file.path()).unwrap());
    let mut sealer = sealer(&ours, 1);
    let mut opener = Opener::new(theirs.clone());
    let first = sealed(&mut sealer, b"x");
    file.update(|ring| ring.rotate(at(0), key("k2", 8))).unwrap();
    opener.open(&first, at(7)).unwrap();
    assert_eq!((ours.generation(), theirs.generation()), (0, 0), "nobody looked");
    assert_eq!(kid(&sealed(&mut sealer, b"x")), "k1");
    assert!(ours.look());
    let second = sealed(&mut sealer, b"x");
    assert_eq!(kid(&second), "k2");
    // The reader does not know that key. It looks at once, and heals.
    assert_eq!(opener.open(&second, at(7)).unwrap().plain, b"x");
    assert_eq!(theirs.generation(), 1);
}

#[test]
fn a_thread_looks_at_the_file_and_tells_of_one_that_is_of_no_use() {
    let (_dir, file) = written();
    let keys = Keys::watch(file.path(), Duration::from_millis(1)).unwrap();
    let mut sealer = sealer(&keys, 1);
    let mut opener = Opener::new(keys.clone());
    file.update(|ring| ring.rotate(at(0), key("k2", 8))).unwrap();
    until(|| {
        let envelope = sealed(&mut sealer, b"x");
        opener.open(&envelope, at(0)).unwrap();
        kid(&envelope) == "k2"
    });
    let good = file.load().unwrap();
    fs::write(file.path(), "version = 1\nkeys = 7\n").unwrap();
    until(|| keys.trouble().is_some_and(|error| error.to_string().contains("line 2")));
    fs::remove_file(file.path()).unwrap();
    let is_missing = |error: Error| error.kind() == ErrorKind::NotFound;
    until(|| keys.trouble().is_some_and(is_missing));
    assert_eq!(kid(&sealed(&mut sealer, b"x")), "k2", "the last good ring stays");
    assert!(keys.trouble().is_none(), "it was said");
    file.save(&good).unwrap();
    file.update(|ring| ring.rotate(at(0), key("k3", 9))).unwrap();
    until(|| kid(&sealed(&mut sealer, b"x")) == "k3");
    assert!(keys.trouble().is_none(), "it is good again");
}

#[test]
fn the_first_message_of_a_new_key_reserves_nothing_whether_the_key_was_announced_or_not() {
    for is_announced in [true, false] {
        let (_dir, file) = written();
        if is_announced {
            file.update(|ring| ring.add(key("k2", 8), NOW)).unwrap();
        }
        let keys = Keys::open(file.path()).unwrap();
        let counters = Watched::default();
        let mut sealer = sealer_on(&keys, Box::new(counters.clone()));
        sealed(&mut sealer, b"x");
        for n in 20..25 {
            file.update(|ring| ring.rotate(NOW, key(&format!("k{n}"), n))).unwrap();
            let found = thread::scope(|scope| scope.spawn(|| keys.look()).join());
            assert!(found.unwrap());
            let primary = keys.current().primary().unwrap().id();
            assert_eq!(kid(&sealed(&mut sealer, b"x")), primary.to_string());
            assert_ne!(primary, id("k1"));
        }
        let asked = counters.asked.lock().unwrap();
        let us = thread::current().id();
        let by_us: Vec<_> = asked.iter().filter(|(_, by)| *by == us).map(|(of, _)| *of).collect();
        assert_eq!(by_us, [id("k1")], "the very first");
    }
}

/// Counters of which one key's wait until they are told to go on.
struct Gate {
    counters: MemoryCounters,
    key: KeyId,
    reached: mpsc::Sender<()>,
    go: mpsc::Receiver<()>,
}

impl Counters for Gate {
    fn sid(&self) -> u32 {
        self.counters.sid()
    }

    fn reserve(&mut self, key: KeyId, count: u64) -> io::Result<Range<u64>> {
        if key == self.key {
            self.reached.send(()).unwrap();
            self.go.recv().unwrap();
        }
        self.counters.reserve(key, count)
    }
}

#[test]
fn messages_go_on_with_the_old_key_until_numbers_of_the_new_one_are_reserved() {
    let (_dir, file) = written();
    let keys = Keys::open(file.path()).unwrap();
    let ((reached, is_reached), (let_go, go)) = (mpsc::channel(), mpsc::channel());
    let gate = Gate { counters: MemoryCounters::new(1), key: id("k2"), reached, go };
    let mut sealer = sealer_on(&keys, Box::new(gate));
    let mut opener = Opener::new(keys.clone());
    sealed(&mut sealer, b"x");
    file.update(|ring| ring.rotate(at(0), key("k2", 8))).unwrap();
    thread::scope(|scope| {
        let look = scope.spawn(|| keys.look());
        is_reached.recv().unwrap();
        for _ in 0..100 {
            let envelope = sealed(&mut sealer, b"x");
            assert_eq!(kid(&envelope), "k1");
            opener.open(&envelope, at(0)).unwrap();
        }
        assert_eq!(keys.generation(), 0);
        let_go.send(()).unwrap();
        assert!(look.join().unwrap());
    });
    let envelope = sealed(&mut sealer, b"x");
    assert_eq!(kid(&envelope), "k2");
    opener.open(&envelope, at(0)).unwrap();
    assert!(is_reached.try_recv().is_err(), "reserved once, and not by the message");
}

#[test]
fn a_ring_for_which_no_numbers_can_be_had_is_used_and_sealing_says_why_it_cannot() {
    let keys = Keys::new(ring());
    let counters = Watched::default();
    let mut sealer = sealer_on(&keys, Box::new(counters.clone()));
    sealed(&mut sealer, b"x");
    counters.fails.store(true, Ordering::Relaxed);
    let mut next = ring();
    next.rotate(NOW, key("k2", 8)).unwrap();
    next.disable(id("k1")).unwrap();
    keys.replace(next);
    let error = sealer.seal(b"x", &mut Vec::new()).unwrap_err();
    assert!(matches!(&error, SealError::Counters(_)), "{error}");
    counters.fails.store(false, Ordering::Relaxed);
    assert_eq!(kid(&sealed(&mut sealer, b"x")), "k2");
}

#[test]
fn unknown_keys_make_a_reader_look_once_a_second() {
    let (_dir, file) = written();
    let keys = Keys::open(file.path()).unwrap();
    let mut opener = Opener::new(keys.clone());
    let mut other = Keyring::new(key("k2", 8), NOW);
    let mut sealer = sealer(&Keys::new(other.clone()), 1);
    let envelopes: Vec<_> = (0..4).map(|_| sealed(&mut sealer, b"x")).collect();
    assert_eq!(opener.open(&envelopes[0], at(0)).unwrap_err(), Refused::Failed);
    other.add(key("k1", 7), NOW).unwrap();
    file.save(&other).unwrap();
    assert_eq!(opener.open(&envelopes[1], at(0)).unwrap_err(), Refused::Failed, "same second");
    assert_eq!(keys.generation(), 0);
    opener.open(&envelopes[2], at(1)).unwrap();
    assert_eq!(keys.generation(), 1);
}

#[test]
fn a_bad_new_file_keeps_the_old_ring_and_is_said_once() {
    let (_dir, file) = written();
    let keys = Keys::open(file.path()).unwrap();
    let mut sealer = sealer(&keys, 1);
    let good = fs::read(file.path()).unwrap();
    fs::write(file.path(), "version = 1\nkeys = 7\n").unwrap();
    assert!(!keys.look());
    let error = keys.trouble().unwrap();
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(!keys.look() && keys.trouble().is_none(), "it was said");
    sealed(&mut sealer, b"x");
    fs::remove_file(file.path()).unwrap();
    assert!(!keys.look());
    assert_eq!(keys.trouble().unwrap().kind(), ErrorKind::NotFound);
    assert!(!keys.look());
    sealed(&mut sealer, b"x");
    file.save(&Keyring::parse(std::str::from_utf8(&good).unwrap()).unwrap()).unwrap();
    assert!(keys.look(), "it is good again");
    assert!(!keys.look(), "and nothing is new");
}

#[test]
fn a_ring_that_is_in_no_file_is_replaced_by_hand() {
    let keys = Keys::new(ring());
    assert!(!keys.look());
    assert!(keys.trouble().is_none());
    keys.replace(Keyring::new(NewKey::generate().unwrap(), NOW));
    assert_eq!(keys.generation(), 1);
}

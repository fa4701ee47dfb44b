//! Rotations while messages pass: keyring and numbers in files, as in use, and somebody else changes the
//! ring. What is looked at is the first message after each change, at either end: with which the sealer
//! goes on with the next key, and before which the reader got the new ring.

use std::time::Duration;

use finstage_seal::{
    CounterFile, Error, KeyId, Keyring, KeyringFile, Keys, NewKey, Opener, Sealer, SealerOptions,
    UnixTime,
};

use super::super::stopwatch::{own, waited};
use super::super::walk::Numbers;
use super::scene::{NOW, tick};
use super::{Session, latency_rows, sorted_shares};
use crate::exit::{Failure, Result};

/// How often the ring is changed: seldom where a short look is asked for.
const ROTATIONS: usize = 20;
const SHORT: (usize, usize) = (10_000, 3);
/// How often each end looks at the file: twenty times as often as in use, so that the figures hold more
/// looks than they would.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Messages pass for so long between two changes: each key is pending for a few looks.
const BETWEEN: Duration = Duration::from_millis(200);
/// A ring that was not taken after so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// A message that takes longer is late.
const LATE_NS: u32 = 1_000_000;

pub(super) fn measure(session: &mut Session<'_>, count: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = KeyringFile::new(&folder.path().join("keyring.toml"));
    let mut ring = Keyring::new(NewKey::generate().map_err(failed)?, NOW);
    ring.add(NewKey::generate().map_err(failed)?, NOW).map_err(failed)?;
    file.create(&ring).map_err(failed)?;
    let mut traffic = Traffic::new(&file)?;
    // The very first message has its numbers reserved.
    traffic.message();
    let rotations = if count < SHORT.0 { SHORT.1 } else { ROTATIONS };
    let mut times = Times::default();
    times.pass(&mut traffic, BETWEEN, None);
    for number in 1..=rotations {
        let next = rotate(&file, UnixTime::from_secs(NOW.secs() + number as i64))?;
        times.pass(&mut traffic, PATIENCE, Some(next));
        times.pass(&mut traffic, BETWEEN, None);
    }
    let late = |times: &[u32]| times.iter().filter(|&&ns| ns > LATE_NS).count() as f64;
    session.row("seal.rotation.rotations".into(), times.keys as f64, "rotations");
    session.row("seal.rotation.lost".into(), traffic.lost as f64, "messages");
    session.row("seal.rotation.late".into(), late(&times.first), "first messages over 1 ms");
    session.row(
        "seal.rotation.others_late".into(),
        late(&times.others),
        "other messages over 1 ms",
    );
    let worked = |time: Duration| time.as_nanos() as f64;
    let unit = "ns of processor time";
    session.row("seal.rotation.first.cpu_most".into(), worked(times.first_worked), unit);
    session.row("seal.rotation.others.cpu_most".into(), worked(times.others_worked), unit);
    let most = times.first.iter().max().copied().map_or(0.0, f64::from);
    latency_rows(session, "seal.rotation.first", sorted_shares(times.first));
    session.row("seal.rotation.first.most".into(), most, "ns to wait");
    latency_rows(session, "seal.rotation.others", sorted_shares(times.others));
    Ok(())
}

fn failed(error: Error) -> Failure {
    Failure::usage(error)
}

/// What `finstage keys rotate` does; the key that seals from then on.
fn rotate(file: &KeyringFile, now: UnixTime) -> Result<KeyId> {
    let fresh = NewKey::generate().map_err(failed)?;
    file.update(|ring| ring.rotate(now, fresh)).map(|rotated| rotated.primary).map_err(failed)
}

/// What messages took: those that met a new ring, and the others.
#[derive(Default)]
struct Times {
    first: Vec<u32>,
    others: Vec<u32>,
    /// The most processor time that one of them took: what a busy machine takes away is not in it.
    first_worked: Duration,
    others_worked: Duration,
    /// How often the sealer went on with another key.
    keys: usize,
}

impl Times {
    /// Messages pass for so long, or until one is sealed with this key.
    fn pass(&mut self, traffic: &mut Traffic, long: Duration, until: Option<KeyId>) {
        let mut passed = Duration::ZERO;
        while passed < long && (until.is_none() || traffic.key() != until) {
            let (key, ring) = (traffic.key(), traffic.reading.generation());
            let (worked, (time, ())) = own(|| waited(|| traffic.message()));
            passed += time;
            let has_new_key = key != traffic.key();
            let has_new_ring = std::mem::replace(&mut traffic.read_with, ring) != ring;
            let (times, most) = if has_new_key || has_new_ring {
                (&mut self.first, &mut self.first_worked)
            } else {
                (&mut self.others, &mut self.others_worked)
            };
            times.push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
            *most = worked.max(*most);
            self.keys += usize::from(has_new_key);
        }
    }
}

/// A sealer and a reader, each with its own view of the file.
struct Traffic {
    sealer: Sealer,
    opener: Opener,
    reading: Keys,
    /// The generation of the ring that the last message was opened with.
    read_with: u64,
    plain: Vec<u8>,
    envelope: Vec<u8>,
    lost: u64,
}

impl Traffic {
    fn new(file: &KeyringFile) -> Result<Self> {
        let counters = Box::new(CounterFile::open(&file.senders_path())?);
        let keys = || Keys::watch(file.path(), LOOK_EVERY).map_err(failed);
        let mut plain = Vec::new();
        tick(&mut Numbers::new(13), 0, &mut plain)?;
        let reading = keys()?;
        Ok(Self {
            sealer: Sealer::new(keys()?, counters, SealerOptions::default()),
            opener: Opener::new(reading.clone()),
            read_with: reading.generation(),
            reading,
            plain,
            envelope: Vec::new(),
            lost: 0,
        })
    }

    /// The key of the last message.
    fn key(&self) -> Option<KeyId> {
        self.sealer.counts().key
    }

    /// Seals a message and opens it.
    fn message(&mut self) {
        self.envelope.clear();
        let sealed = self.sealer.seal(&self.plain, &mut self.envelope);
        let is_there = sealed.is_ok()
            && self.opener.open(&self.envelope, NOW).is_ok_and(|it| it.plain == self.plain);
        self.lost += u64::from(!is_there);
    }
}

//! Rotations while messages pass: keyring and numbers in files, as in use, and another process changes
//! the ring. What is looked at is the first message after each change, whose sealer and reader both take
//! the new ring.

use finstage_seal::{
    CounterFile, Error, Keyring, KeyringFile, Keys, NewKey, Opener, Sealer, SealerOptions, UnixTime,
};

use super::super::stopwatch::each_waited;
use super::super::walk::Numbers;
use super::scene::{NOW, tick};
use super::{Session, latency_rows, sorted_shares};
use crate::exit::{Failure, Result};

/// How often the ring is changed.
const ROTATIONS: usize = 20;
/// A message that takes longer is late.
const LATE_NS: u32 = 1_000_000;

pub(super) fn measure(session: &mut Session<'_>, count: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = KeyringFile::new(&folder.path().join("keyring.toml"));
    let mut ring = Keyring::new(NewKey::generate().map_err(failed)?, NOW);
    ring.add(NewKey::generate().map_err(failed)?, NOW).map_err(failed)?;
    file.create(&ring).map_err(failed)?;
    let mut traffic = Traffic::new(&file)?;
    let (mut first, mut others) = (Vec::new(), Vec::new());
    let each = (count / ROTATIONS).max(2);
    for second in 0..=ROTATIONS {
        traffic.now = UnixTime::from_secs(NOW.secs() + second as i64);
        let times = each_waited(each, |_| traffic.message());
        others.extend_from_slice(&times[1..]);
        // The very first one reads nothing new.
        first.extend(times.first().filter(|_| second > 0));
        if second < ROTATIONS {
            rotate(&file, traffic.now)?;
        }
    }
    let late = |times: &[u32]| times.iter().filter(|&&ns| ns > LATE_NS).count() as f64;
    session.row("seal.rotation.rotations".into(), ROTATIONS as f64, "rotations");
    session.row("seal.rotation.lost".into(), traffic.lost as f64, "messages");
    session.row("seal.rotation.late".into(), late(&first), "first messages over 1 ms");
    session.row("seal.rotation.others_late".into(), late(&others), "other messages over 1 ms");
    latency_rows(session, "seal.rotation.first", sorted_shares(first));
    latency_rows(session, "seal.rotation.others", sorted_shares(others));
    Ok(())
}

fn failed(error: Error) -> Failure {
    Failure::usage(error)
}

/// What `finstage keys rotate` does.
fn rotate(file: &KeyringFile, now: UnixTime) -> Result<()> {
    let fresh = NewKey::generate().map_err(failed)?;
    file.update(|ring| ring.rotate(now, fresh)).map(drop).map_err(failed)
}

/// A sealer and a reader, each with its own view of the file.
struct Traffic {
    sealer: Sealer,
    opener: Opener,
    now: UnixTime,
    plain: Vec<u8>,
    envelope: Vec<u8>,
    lost: u64,
}

impl Traffic {
    fn new(file: &KeyringFile) -> Result<Self> {
        let counters = Box::new(CounterFile::open(&file.senders_path())?);
        let keys = || Keys::open(file.path()).map_err(failed);
        let mut plain = Vec::new();
        tick(&mut Numbers::new(13), 0, &mut plain)?;
        Ok(Self {
            sealer: Sealer::new(keys()?, counters, SealerOptions::default()),
            opener: Opener::new(keys()?),
            now: NOW,
            plain,
            envelope: Vec::new(),
            lost: 0,
        })
    }

    /// Seals a message and opens it.
    fn message(&mut self) {
        self.envelope.clear();
        let sealed = self.sealer.seal(&self.plain, self.now, &mut self.envelope);
        let is_there = sealed.is_ok()
            && self.opener.open(&self.envelope, self.now).is_ok_and(|it| it.plain == self.plain);
        self.lost += u64::from(!is_there);
    }
}

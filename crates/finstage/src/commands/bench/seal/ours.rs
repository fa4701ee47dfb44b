//! Our side: each way goes from envelopes to records and gives the sum of their moments, so that two
//! that did the same can be seen to have done it.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use finstage_feeds::{DecodeError, Tick, Ticks};
use finstage_seal::pipeline::{Options, open_lines};
use finstage_seal::{Opener, UnixTime};
use tokio::task::{JoinSet, LocalSet};

use super::scene::{HUNDRED, NOW, Scene, Texts, sealer};
use crate::exit::{Failure, Result};

/// Tasks that exist at once, as with the peer.
const TASKS: usize = 1_000;
/// Threads of the way with workers.
const WORKERS: usize = 4;
/// The peer gives its sum modulo this.
const MODULUS: u64 = 1_000_000_007;

/// A way through all messages.
pub(super) type Way = fn(&Scene) -> Result<u64>;

/// One after the other, a task for each, a hundred handed to one thread, to four threads.
pub(super) const FOUR_WAYS: [Way; 4] = [
    |scene| bare(scene).map(|sum| sum % MODULUS),
    |scene| tasks(scene).map(|sum| sum % MODULUS),
    |scene| workers(scene, 1).map(|sum| sum % MODULUS),
    |scene| workers(scene, WORKERS).map(|sum| sum % MODULUS),
];

/// Envelopes of version 1, additional data and replay check included.
pub(super) fn v1(scene: &Scene) -> Result<u64> {
    one_by_one(Opener::new(scene.keys.clone()), &scene.v1)
}

/// Bare envelopes.
pub(super) fn bare(scene: &Scene) -> Result<u64> {
    one_by_one(opener_of_bare(scene), &scene.bare)
}

/// A hundred ticks in each envelope.
pub(super) fn hundreds(scene: &Scene) -> Result<u64> {
    let mut opener = Opener::new(scene.keys.clone());
    let mut sum = 0;
    for envelope in scene.hundreds.iter() {
        let opened = opener.open(envelope, NOW).map_err(Failure::usage)?;
        for tick in Ticks::new(opened.plain) {
            sum += moment(tick)?;
        }
    }
    Ok(sum)
}

/// Seals all messages.
pub(super) fn seal(scene: &Scene) -> Result<u64> {
    let mut sealer = sealer(&scene.keys);
    let mut out = Vec::new();
    for plain in scene.plain.iter() {
        out.clear();
        sealer.seal(plain, &mut out).map_err(Failure::usage)?;
    }
    Ok(sealer.counts().sealed)
}

fn opener_of_bare(scene: &Scene) -> Opener {
    Opener::new(scene.keys.clone()).with_bare(scene.key)
}

fn one_by_one(mut opener: Opener, envelopes: &Texts) -> Result<u64> {
    let mut sum = 0;
    for envelope in envelopes.iter() {
        sum += one(&mut opener, envelope)?;
    }
    Ok(sum)
}

fn one(opener: &mut Opener, envelope: &[u8]) -> Result<u64> {
    let opened = opener.open(envelope, NOW).map_err(Failure::usage)?;
    moment(Tick::read(opened.plain))
}

fn moment(tick: std::result::Result<Tick<'_>, DecodeError>) -> Result<u64> {
    Ok(tick.map_err(Failure::usage)?.timestamp.millis().unsigned_abs())
}

fn tasks(scene: &Scene) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let opener = Rc::new(RefCell::new(opener_of_bare(scene)));
    let whole = async {
        let mut sum = 0;
        for start in (0..scene.count()).step_by(TASKS) {
            let mut running = JoinSet::new();
            for number in start..scene.count().min(start + TASKS) {
                let (opener, bare) = (Rc::clone(&opener), Arc::clone(&scene.bare));
                running.spawn_local(async move { one(&mut opener.borrow_mut(), bare.get(number)) });
            }
            while let Some(done) = running.join_next().await {
                sum += done.map_err(Failure::usage)??;
            }
        }
        Ok(sum)
    };
    LocalSet::new().block_on(&runtime, whole)
}

fn workers(scene: &Scene, threads: usize) -> Result<u64> {
    let clock: fn() -> UnixTime = || NOW;
    let options = Options { threads, batch: HUNDRED, clock: &clock };
    let (mut opener, mut source) = (opener_of_bare(scene), scene.bare.all());
    let mut sum = 0;
    let opened = open_lines(&mut opener, &mut source, &options, &mut |item| {
        let opened = item.result.map_err(io::Error::other)?;
        let tick = Tick::read(opened.plain).map_err(io::Error::other)?;
        sum += tick.timestamp.millis().unsigned_abs();
        Ok(())
    });
    opened?;
    Ok(sum)
}

/// Messages that are opened one by one while somebody looks at a clock.
pub(super) struct Opening<'a> {
    opener: Opener,
    envelopes: &'a Texts,
    failure: Option<Failure>,
}

impl<'a> Opening<'a> {
    pub(super) fn of_v1(scene: &'a Scene) -> Self {
        Self { opener: Opener::new(scene.keys.clone()), envelopes: &scene.v1, failure: None }
    }

    pub(super) fn of_bare(scene: &'a Scene) -> Self {
        Self { opener: opener_of_bare(scene), envelopes: &scene.bare, failure: None }
    }

    /// Opens the nth and reads its tick.
    pub(super) fn message(&mut self, number: usize) {
        if let Err(failure) = one(&mut self.opener, self.envelopes.get(number)) {
            self.failure = Some(failure);
        }
    }

    /// Whether all were opened.
    pub(super) fn end(self) -> Result<()> {
        self.failure.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_come_to_the_same_sum() {
        let scene = Scene::new(2_300).unwrap();
        let expected: u64 = (0..2_300).map(|number| 1_796_083_200_000 + number).sum();
        for way in FOUR_WAYS {
            assert_eq!(way(&scene).unwrap(), expected % MODULUS);
        }
        assert_eq!(v1(&scene).unwrap(), expected);
        assert_eq!(hundreds(&scene).unwrap(), expected);
        assert_eq!(seal(&scene).unwrap(), 2_300);
    }
}

//! A keyring as this process seals with it.

use std::path::Path;

use finstage_model::Timestamp;
use finstage_seal::{
    CounterFile, Error, ErrorKind, Keyring, KeyringFile, Keys, LOOK_EVERY, NewKey, UnixTime,
};

use crate::exit::{Exit, Failure, Result};

/// Keys, their file, and where their numbers are reserved.
#[derive(Debug)]
pub struct Sealing {
    /// The keys in use.
    pub keys: Keys,
    /// Where they are from.
    pub file: KeyringFile,
    /// Where sequence numbers are reserved.
    pub counters: CounterFile,
}

impl Sealing {
    /// Opens a keyring to seal with.
    ///
    /// # Errors
    /// Exit 2 when it cannot be used, 6 when its numbers cannot be reserved.
    pub fn open(path: &Path) -> Result<Self> {
        let file = KeyringFile::new(path);
        let keys = Keys::watch(path, LOOK_EVERY).map_err(Failure::usage)?;
        let senders = file.senders_path();
        let counters = CounterFile::open(&senders)
            .map_err(|e| Failure::new(Exit::Store, format!("{}: {e}", senders.display())))?;
        Ok(Self { keys, file, counters })
    }

    /// The same; a keyring that is not there yet is made, with the next key pending.
    ///
    /// # Errors
    /// As [`Sealing::open`], and when the file cannot be written.
    pub fn open_or_make(path: &Path, now: Timestamp) -> Result<Self> {
        let now = UnixTime::from_secs(now.secs());
        let make = || -> std::result::Result<(), Error> {
            let mut ring = Keyring::new(NewKey::generate()?, now);
            ring.add(NewKey::generate()?, now)?;
            match KeyringFile::new(path).create(&ring) {
                Err(error) if error.kind() == ErrorKind::Exists => Ok(()),
                other => other,
            }
        };
        make().map_err(Failure::usage)?;
        Self::open(path)
    }
}

//! Streams that come sealed: which keys open them, and what stands in front of the session.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finstage_feeds::sealed::{SLOW, SealedFeed, SealedOptions, SealedTransport};
use finstage_model::{Clock, Timestamp};
use finstage_net::Client;
use finstage_seal::{ErrorKind, Keyring, Keys, LOOK_EVERY, Secret, UnixTime};

use crate::config::settings::{SealedSettings, Settings};
use crate::exit::{Exit, Failure, Result};

/// The keyring where no other is named, in the data folder.
pub const KEYRING: &str = "keyring.toml";

/// The sealed stream of a venue, its keys at hand.
#[derive(Debug, Clone)]
pub struct SealedSource {
    venue: String,
    settings: SealedSettings,
    keys: Keys,
    token: Option<Secret<String>>,
}

impl SealedSource {
    /// Reads the keyring, and looks whether anything could be opened with it. `dir` is the data folder.
    ///
    /// # Errors
    /// Exit 2 when there is no keyring, others may read it or it is none; 4 when no key of it opens
    /// anything or the token is not there; 6 when it cannot be read.
    pub fn open(
        venue: &str,
        settings: &SealedSettings,
        dir: &Path,
        now: Timestamp,
    ) -> Result<Self> {
        let place = format!("venues.{venue}.sealed");
        let path = keyring_path(settings, dir);
        let keys = Keys::watch(&path, LOOK_EVERY).map_err(|why| {
            let exit = match why.kind() {
                ErrorKind::Held | ErrorKind::Io => Exit::Store,
                _ => Exit::Usage,
            };
            Failure::new(exit, format!("{place}.keyring: {why}"))
        })?;
        if usable(&keys.current(), now) == 0 {
            let message = format!(
                "{place}.keyring: no key in {} opens anything now: copy the ring of who seals, or make a key with `finstage keys new`",
                path.display()
            );
            return Err(Failure::new(Exit::Auth, message));
        }
        let token = match &settings.token {
            None => None,
            Some(Ok(token)) => Some(token.clone()),
            Some(Err(why)) => {
                return Err(Failure::new(Exit::Auth, format!("{place}.token: {why}")));
            }
        };
        Ok(Self { venue: venue.to_owned(), settings: settings.clone(), keys, token })
    }

    /// What a session reads through, and what tells it that it does.
    #[must_use]
    pub fn client(&self, client: &Client, clock: &Arc<dyn Clock>) -> (Client, SealedFeed) {
        let options = SealedOptions {
            venue: self.venue.clone(),
            keys: self.keys.clone(),
            address: self.settings.ws.clone(),
            fallback: self.settings.fallback.clone(),
            patience: self.settings.patience,
            token: self.token.clone(),
            data_stream: self.settings.data_stream.clone(),
            slow: SLOW,
            clock: Arc::clone(clock),
        };
        let transport = SealedTransport::new(Arc::clone(client.transport()), options);
        let feed = transport.feed();
        (client.carried_by(Arc::new(transport)), feed)
    }

    /// The same stream from its fallback alone, where it has one.
    #[must_use]
    pub fn fallback(&self) -> Option<Self> {
        let ws = self.settings.fallback.clone()?;
        let settings = SealedSettings { ws, fallback: None, ..self.settings.clone() };
        Some(Self { settings, ..self.clone() })
    }

    /// The address that it comes from.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.settings.ws
    }

    /// The keys that open it.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }
}

/// Whether the sealed streams of what is watched can be read, before anything is begun.
///
/// # Errors
/// As [`SealedSource::open`], for the first that cannot.
pub fn look(settings: &Settings, dir: &Path, now: Timestamp) -> Result<()> {
    for (name, sealed) in &settings.sealed {
        if settings.feeds.iter().any(|feed| feed.venue == *name) {
            SealedSource::open(name, sealed, dir, now)?;
        }
    }
    Ok(())
}

/// Where the keyring is.
#[must_use]
pub fn keyring_path(settings: &SealedSettings, dir: &Path) -> PathBuf {
    settings.keyring.clone().unwrap_or_else(|| dir.join(KEYRING))
}

/// How many keys of a ring open what was sealed with them.
#[must_use]
pub fn usable(ring: &Keyring, now: Timestamp) -> usize {
    let now = UnixTime::from_secs(now.secs());
    ring.keys().iter().filter(|key| key.may_open(now)).count()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use finstage_seal::{KeyringFile, NewKey, Rotation};

    use super::*;
    use crate::config;

    const NOW: Timestamp = Timestamp::from_secs(1_795_253_400);

    fn key(id: &str) -> NewKey {
        NewKey::of(id.parse().unwrap(), Secret::new([0x5a; 32]))
    }

    fn ring() -> Keyring {
        Keyring::new(key("k1"), UnixTime::from_secs(NOW.secs()))
    }

    fn open(dir: &Path, more: &str) -> Result<SealedSource> {
        let text = format!("[venues.binance.sealed]\nws = \"wss://h\"\n{more}");
        let settings = config::parse("f", &text, &[]).unwrap();
        SealedSource::open("binance", &settings.sealed["binance"], dir, NOW)
    }

    fn refused(dir: &Path, more: &str) -> (Exit, String) {
        let why = open(dir, more).unwrap_err();
        (why.exit, why.to_string())
    }

    #[test]
    fn a_keyring_that_is_not_there_or_open_to_others_or_none_is_a_bad_input_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keyring.toml");
        let (exit, said) = refused(dir.path(), "");
        assert_eq!(exit, Exit::Usage);
        assert!(said.starts_with("venues.binance.sealed.keyring: no keyring at "), "{said}");
        assert!(said.ends_with("keyring.toml: make one with `finstage keys new`"), "{said}");
        KeyringFile::new(&file).create(&ring()).unwrap();
        assert!(open(dir.path(), "").is_ok());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |mode| std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&file, mode(0o640)).unwrap();
            let (exit, said) = refused(dir.path(), "");
            assert_eq!(exit, Exit::Usage);
            assert!(said.contains("has mode 0640") && said.contains("chmod 600 "), "{said}");
            std::fs::set_permissions(&file, mode(0o600)).unwrap();
        }
        std::fs::write(&file, "keys = 1\n").unwrap();
        assert_eq!(refused(dir.path(), "").0, Exit::Usage);
        let elsewhere = format!("keyring = \"{}/other.toml\"\n", dir.path().display());
        assert!(refused(dir.path(), &elsewhere).1.contains("other.toml"));
    }

    #[test]
    fn keys_that_open_nothing_and_a_token_that_is_missing_are_nobody_we_are() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyringFile::new(&dir.path().join("keyring.toml"));
        let mut ring = ring();
        let now = UnixTime::from_secs(NOW.secs());
        ring =
            ring.with_rotation(Rotation { grace: Duration::ZERO, ..Rotation::default() }).unwrap();
        let other = NewKey::of("k2".parse().unwrap(), Secret::new([0x5b; 32]));
        ring.rotate(now, other).unwrap();
        assert_eq!((ring.keys().len(), usable(&ring, NOW)), (2, 1), "the grace of k1 is over");
        file.create(&ring).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        std::fs::write(file.path(), text.replace("primary\"", "disabled\"")).unwrap();
        let (exit, said) = refused(dir.path(), "");
        assert_eq!(exit, Exit::Auth);
        assert!(said.contains("no key in") && said.contains("opens anything now"), "{said}");
        std::fs::write(file.path(), text).unwrap();
        let (exit, said) = refused(dir.path(), "token = \"env:NO_SUCH_TOKEN\"\n");
        assert_eq!(exit, Exit::Auth);
        assert!(said.contains("sealed.token: the environment variable NO_SUCH_TOKEN"), "{said}");
    }
}

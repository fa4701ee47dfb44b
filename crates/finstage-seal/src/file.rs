//! A ring on disk.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{self, Disk, DiskFile};
use crate::{Error, ErrorKind, Keyring};

/// The file of a ring. Nothing is opened before it is needed.
#[derive(Debug, Clone)]
pub struct KeyringFile {
    disk: DiskFile,
}

/// What tells one content of a file from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    length: u64,
    modified: Option<std::time::SystemTime>,
    number: u64,
}

impl KeyringFile {
    /// The file at this path.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { disk: DiskFile::new(path) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.disk.path()
    }

    /// Where the numbers of its senders are kept, see [`crate::CounterFile`].
    #[must_use]
    pub fn senders_path(&self) -> PathBuf {
        self.disk.beside(".senders")
    }

    /// Reads the ring.
    ///
    /// # Errors
    /// `NotFound`; `Exposed` when the group or others may do anything with it, or another user owns
    /// it; `Invalid` with the line; `Io`.
    pub fn load(&self) -> Result<Keyring, Error> {
        self.load_stamped().map(|(ring, _)| ring)
    }

    pub(crate) fn load_stamped(&self) -> Result<(Keyring, Stamp), Error> {
        let path = self.path();
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Error::new(
                ErrorKind::NotFound,
                format!("no keyring at {}: make one with `finstage keys new`", path.display()),
            ),
            _ => Error::io("reading", path, error),
        };
        let mut file = File::open(path).map_err(failed)?;
        // Of the open file, not of the path, which may be another one by now.
        let about = file.metadata().map_err(failed)?;
        keeps_to_itself(path, &about)?;
        let bytes = disk::read_all(&mut file).map_err(failed)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Error::new(ErrorKind::Invalid, "not UTF-8, so no keyring").of(path))?;
        let ring = Keyring::parse(text).map_err(|error| error.of(path))?;
        Ok((ring, Stamp::of(&about)))
    }

    pub(crate) fn stamp(&self) -> io::Result<Stamp> {
        fs::metadata(self.path()).map(|about| Stamp::of(&about))
    }

    /// Writes a new file, mode 0600.
    ///
    /// # Errors
    /// `Exists`; `Held` when another process is changing it; `Io`.
    pub fn create(&self, ring: &Keyring) -> Result<(), Error> {
        let _lock = self.lock()?;
        let path = self.path();
        if fs::exists(path).map_err(|error| Error::io("reading", path, error))? {
            let words = format!("{} is there already: keys are not overwritten", path.display());
            return Err(Error::new(ErrorKind::Exists, words));
        }
        self.write(ring)
    }

    /// Replaces the file as a whole: a crash leaves the old one or the new one.
    ///
    /// # Errors
    /// `Held` when another process is changing it; `Io`.
    pub fn save(&self, ring: &Keyring) -> Result<(), Error> {
        let _lock = self.lock()?;
        self.write(ring)
    }

    /// Reads, changes and replaces, while nobody else does.
    ///
    /// # Errors
    /// Those of [`KeyringFile::load`], [`KeyringFile::save`] and of `change`, after which the file
    /// is as it was.
    pub fn update<R>(
        &self,
        change: impl FnOnce(&mut Keyring) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let _lock = self.lock()?;
        let mut ring = self.load()?;
        let result = change(&mut ring)?;
        self.write(&ring)?;
        Ok(result)
    }

    fn lock(&self) -> Result<Box<dyn Send>, Error> {
        self.disk.lock().map_err(|error| match error.kind() {
            io::ErrorKind::ResourceBusy => {
                Error::new(ErrorKind::Held, format!("{error}: try again when it is done"))
            }
            _ => Error::io("locking", self.path(), error),
        })
    }

    fn write(&self, ring: &Keyring) -> Result<(), Error> {
        let text = ring.to_text();
        let mut disk = self.disk.clone();
        disk::replace(&mut disk, text.expose().as_bytes())
            .map_err(|error| Error::io("writing", self.path(), error))
    }
}

impl Stamp {
    fn of(about: &Metadata) -> Self {
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(about);
        #[cfg(not(unix))]
        let number = 0;
        Self { length: about.len(), modified: about.modified().ok(), number }
    }
}

/// Refuses a file that others may read or that is not ours.
#[cfg(unix)]
fn keeps_to_itself(path: &Path, about: &Metadata) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt as _;
    let us = rustix::process::geteuid().as_raw();
    exposure(path, about.mode(), (about.uid(), us)).map_or(Ok(()), Err)
}

/// Permissions are lists here, which the folder of the user keeps.
#[cfg(not(unix))]
fn keeps_to_itself(_path: &Path, _about: &Metadata) -> Result<(), Error> {
    Ok(())
}

/// What is wrong with a file of this mode that belongs to `owner` when we are `us`.
#[cfg(unix)]
fn exposure(path: &Path, mode: u32, (owner, us): (u32, u32)) -> Option<Error> {
    let shown = path.display();
    let words = if owner != us {
        format!("{shown} belongs to user {owner}, and we are user {us}: keep a file of our own")
    } else if mode & 0o077 != 0 {
        format!(
            "{shown} has mode {:04o}, others may get the keys: chmod 600 {shown}",
            mode & 0o7777
        )
    } else {
        return None;
    };
    Some(Error::new(ErrorKind::Exposed, words))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

    use super::*;
    use crate::{NewKey, Secret, UnixTime};

    const NOW: UnixTime = UnixTime::from_secs(1_795_253_400);

    fn ring() -> Keyring {
        Keyring::new(NewKey::of("k1".parse().unwrap(), Secret::new([7; 32])), NOW)
    }

    fn file() -> (tempfile::TempDir, KeyringFile) {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyringFile::new(&dir.path().join("keys.toml"));
        file.create(&ring()).unwrap();
        (dir, file)
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_remedy() {
        let (_dir, file) = file();
        let shown = file.path().display();
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);
        file.load().unwrap();
        for mode in [0o640, 0o604, 0o610, 0o601, 0o620, 0o602, 0o644, 0o666, 0o777] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            let error = file.load().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Exposed);
            let remedy = format!("mode {mode:04o}, others may get the keys: chmod 600 {shown}");
            assert!(error.to_string().ends_with(&remedy), "{error}");
        }
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o400)).unwrap();
        file.load().unwrap();
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        let path = Path::new("k");
        assert!(exposure(path, 0o100_600, (7, 7)).is_none());
        let error = exposure(path, 0o100_600, (7, 8)).unwrap();
        assert_eq!(
            error.to_string(),
            "k belongs to user 7, and we are user 8: keep a file of our own"
        );
        // Only root can give a file away.
        let (_dir, file) = file();
        if chown(file.path(), Some(12_345), None).is_ok() {
            assert_eq!(file.load().unwrap_err().kind(), ErrorKind::Exposed);
        }
    }

    #[test]
    fn a_saved_ring_is_0600_whatever_the_file_was() {
        let (_dir, file) = file();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        file.save(&ring()).unwrap();
        file.load().unwrap();
    }

    #[test]
    fn keys_are_not_overwritten_and_a_change_that_fails_changes_nothing() {
        let (_dir, file) = file();
        assert_eq!(file.create(&ring()).unwrap_err().kind(), ErrorKind::Exists);
        let before = fs::read(file.path()).unwrap();
        let refused = file.update(|ring| {
            ring.add(NewKey::generate()?, NOW)?;
            ring.disable("k1".parse().unwrap())
        });
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::State);
        assert_eq!(fs::read(file.path()).unwrap(), before);
    }

    #[test]
    fn changes_of_several_at_once_are_all_kept() {
        let (_dir, file) = file();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        file.update(|ring| ring.add(NewKey::generate()?, NOW)).unwrap();
                    }
                });
            }
        });
        assert_eq!(file.load().unwrap().keys().len(), 21);
    }

    #[test]
    fn where_there_is_no_file_it_is_said_how_to_make_one() {
        let error = KeyringFile::new(Path::new("/nowhere/keys.toml")).load().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let words = "no keyring at /nowhere/keys.toml: make one with `finstage keys new`";
        assert_eq!(error.to_string(), words);
    }
}

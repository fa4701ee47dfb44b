//! The few file operations that journal and history need, behind a trait.
//!
//! They are right only if they survive what disks really do: half-written tails, files whose
//! names never reached the disk, no space in the middle of a record. None of that can be provoked
//! on a real disk by a test, so both see files through [`Files`], and tests put
//! [`crate::suite::FaultyFiles`] behind it.

use std::fmt;
use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// A place that holds files and folders.
///
/// Nothing is durable before it is synced: bytes by [`OpenFile::sync`], names (new, renamed and
/// removed ones) by [`Files::sync_dir`] of the folder they are in.
pub trait Files: Send + Sync + fmt::Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// `NotFound` where [`OpenMode`] wants it to exist, and whatever the system says.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn OpenFile>>;

    /// Makes a folder in an existing one; does nothing when it is there.
    ///
    /// # Errors
    /// Whatever the system says.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Gives a file or folder another name, in one step.
    ///
    /// # Errors
    /// Whatever the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Whatever the system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with all that is in it.
    ///
    /// # Errors
    /// Whatever the system says.
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// The names in a folder, sorted; none when there is no such folder.
    ///
    /// # Errors
    /// Whatever the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Whether a file or folder is there.
    ///
    /// # Errors
    /// Whatever the system says.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// Whatever the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file. Writing is appending; one thread may append while another syncs.
pub trait OpenFile: Send + Sync + fmt::Debug {
    /// Its length in bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn size(&self) -> io::Result<u64>;

    /// Reads from `offset` into `buffer`; fewer bytes than asked for only at the end.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Adds bytes at the end. After an error some of them may be there.
    ///
    /// # Errors
    /// `StorageFull` or whatever the system says.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file off.
    ///
    /// # Errors
    /// Whatever the system says.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Makes the content durable.
    ///
    /// # Errors
    /// Whatever the system says. What was not durable before may be lost even if a later call
    /// succeeds.
    fn sync(&self) -> io::Result<()>;
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, to be read.
    Read,
    /// An existing file, to be read and continued.
    Append,
    /// A new empty file; one of that name is emptied.
    Create,
}

/// Makes a folder, with those that it lies in, for its owner alone; one that is there stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn make_private_dir(dir: &Path) -> io::Result<()> {
    private_dirs().recursive(true).create(dir)
}

/// Makes an empty file for its owner alone; one that is there stays as it is.
pub(crate) fn touch_private(file: &Path) -> io::Result<()> {
    private().append(true).create(true).open(file).map(drop)
}

/// How a file is opened; what is made by it is for its owner alone.
fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn private_dirs() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskFiles;

impl Files for DiskFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn OpenFile>> {
        let mut options = private();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Append => drop(options.append(true)),
            OpenMode::Create => drop(options.append(true).create(true)),
        }
        let file = options.open(path)?;
        if mode == OpenMode::Create {
            file.set_len(0)?;
        }
        Ok(Arc::new(DiskFile(file)))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        match private_dirs().create(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        fs::exists(path)
    }

    #[cfg(unix)]
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    /// Folders cannot be opened for syncing here; the file system's own log keeps their order.
    #[cfg(not(unix))]
    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct DiskFile(fs::File);

impl OpenFile for DiskFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match read_once(&self.0, offset + done as u64, &mut buffer[done..]) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(unix)]
fn read_once(file: &fs::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_once(file: &fs::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

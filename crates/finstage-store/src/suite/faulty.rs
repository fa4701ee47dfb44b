//! A disk in memory that keeps only what it must.
//!
//! A real disk promises little: bytes that were not synced may be gone, partly there or garbled
//! after a power cut, and a new name may be missing until its folder was synced. This one promises
//! exactly that little and nothing more, by seed. A program that is right on it is right on any
//! disk that keeps its contract; one that forgot a sync fails within a few hundred seeds.

mod disk;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::files::{Files, OpenFile, OpenMode};
use disk::{Change, Disk, Inode, Node, apply, is_in};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation is half done and it and all later ones fail, until a restart.
    Crash,
    /// The disk is full from then on, until [`FaultyFiles::free`]; removing files makes room.
    Full,
}

/// A disk in memory, with seeded faults. Clones are the same disk.
///
/// ```
/// use std::path::Path;
/// use finstage_store::{Files, OpenMode};
/// use finstage_store::suite::{Fault, FaultyFiles};
///
/// let disk = FaultyFiles::new(7);
/// let file = disk.open(Path::new("/a"), OpenMode::Create)?;
/// disk.sync_dir(Path::new("/"))?;
/// file.append(b"kept")?;
/// file.sync()?;
/// disk.fail_after(0, Fault::Crash);
/// assert!(file.append(b"perhaps").is_err());
/// disk.restart();
/// let file = disk.open(Path::new("/a"), OpenMode::Read)?;
/// assert!(file.size()? >= 4);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FaultyFiles(Arc<Mutex<Disk>>);

impl FaultyFiles {
    /// An empty disk whose faults follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Disk::new(seed))))
    }

    /// Lets the operation after the next `operations` ones fail. Only operations that change
    /// something or sync are counted.
    pub fn fail_after(&self, operations: u64, fault: Fault) {
        let mut disk = self.lock();
        disk.fault = Some((disk.operations + operations, fault));
    }

    /// How many operations that change something or sync there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Whether the crash has happened.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        self.lock().crashed
    }

    /// Makes room on a full disk.
    pub fn free(&self) {
        let mut disk = self.lock();
        disk.room = None;
        disk.fault = None;
    }

    /// What a power cut leaves: all that was synced, and by seed a part of the rest, perhaps
    /// garbled at its end. Files opened before are dead.
    pub fn restart(&self) {
        self.lock().cut_power();
    }

    /// What the end of the process leaves: every completed operation. Files opened before are
    /// dead; nothing becomes durable by it.
    pub fn restart_process(&self) {
        self.lock().revive();
    }

    /// Flips one bit of a file, as a failing disk does.
    ///
    /// # Errors
    /// `NotFound` when there is no such byte.
    pub fn damage(&self, path: &Path, offset: usize) -> io::Result<()> {
        let mut disk = self.lock();
        let inode = disk.file(path)?;
        let byte = disk.inodes[inode].data.get_mut(offset).ok_or(io::ErrorKind::NotFound)?;
        *byte ^= 1;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files for FaultyFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn OpenFile>> {
        let mut disk = self.lock();
        disk.alive()?;
        let found = disk.file(path);
        let inode = match (mode, found) {
            (OpenMode::Create, Ok(inode)) => {
                if disk.begin_whole()? {
                    disk.inodes[inode].truncate(0);
                }
                disk.alive()?;
                inode
            }
            (OpenMode::Create, Err(e)) if e.kind() == io::ErrorKind::NotFound => {
                if !path.parent().is_some_and(|dir| disk.is_dir(dir)) {
                    return Err(e);
                }
                disk.inodes.push(Inode::default());
                let inode = disk.inodes.len() - 1;
                disk.change(Change::Add(path.to_owned(), Node::File(inode)))?;
                inode
            }
            (_, found) => found?,
        };
        Ok(Arc::new(FaultyFile { disk: self.clone(), inode, life: disk.life }))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.lock();
        if disk.is_dir(dir) {
            return disk.alive();
        }
        if !dir.parent().is_some_and(|parent| disk.is_dir(parent)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change(Change::Add(dir.to_owned(), Node::Dir))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.lock();
        if !disk.tree.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change(Change::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.lock();
        disk.file(path)?;
        disk.free_space_of(path);
        disk.change(Change::Remove(path.to_owned()))
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.lock();
        if !disk.is_dir(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.free_space_of(dir);
        disk.change(Change::Remove(dir.to_owned()))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.lock();
        disk.alive()?;
        let inside = disk.tree.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let disk = self.lock();
        disk.alive()?;
        Ok(disk.is_dir(path) || disk.tree.contains_key(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.lock();
        if disk.begin_whole()? {
            let (now, later): (Vec<_>, Vec<_>) =
                std::mem::take(&mut disk.pending).into_iter().partition(|c| is_in(c, dir));
            disk.pending = later;
            now.iter().for_each(|change| apply(&mut disk.durable, change));
        }
        disk.alive()
    }
}

#[derive(Debug)]
struct FaultyFile {
    disk: FaultyFiles,
    inode: usize,
    life: u32,
}

impl FaultyFile {
    fn disk(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.disk.lock();
        disk.alive()?;
        if disk.life == self.life {
            Ok(disk)
        } else {
            Err(io::Error::other("opened before the restart"))
        }
    }
}

impl OpenFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk()?.inodes[self.inode].data.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let disk = self.disk()?;
        let data = disk.inodes[self.inode].data.get(offset as usize..).unwrap_or_default();
        let size = data.len().min(buffer.len());
        buffer[..size].copy_from_slice(&data[..size]);
        Ok(size)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.disk()?.append(self.inode, bytes)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let mut disk = self.disk()?;
        if disk.begin_whole()? {
            let before = disk.inodes[self.inode].data.len() as u64;
            disk.inodes[self.inode].truncate(size as usize);
            if let Some(room) = &mut disk.room {
                *room += before.saturating_sub(size);
            }
        }
        disk.alive()
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk()?;
        if disk.begin_whole()? {
            disk.inodes[self.inode].sync();
        }
        disk.alive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "/";

    fn content(disk: &FaultyFiles, path: &str) -> Option<Vec<u8>> {
        let file = disk.open(Path::new(path), OpenMode::Read).ok()?;
        let mut bytes = vec![0; file.size().unwrap() as usize];
        file.read_at(0, &mut bytes).unwrap();
        Some(bytes)
    }

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_shows_every_way_to_lose_the_rest() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let disk = FaultyFiles::new(seed);
            let file = disk.open(Path::new("/a"), OpenMode::Create).unwrap();
            disk.sync_dir(Path::new(ROOT)).unwrap();
            file.append(b"kept").unwrap();
            file.sync().unwrap();
            file.append(b"xyz").unwrap();
            disk.restart();
            let left = content(&disk, "/a").unwrap();
            assert!(left.starts_with(b"kept"), "seed {seed}: {left:?}");
            seen.insert(left[4..].to_vec());
        }
        for way in [&b""[..], b"x", b"xy", b"xyz", b"x\0\0"] {
            assert!(seen.contains(way), "never {way:?}");
        }
    }

    #[test]
    fn a_name_is_durable_only_after_its_folder_was_synced() {
        let mut kept = 0;
        for seed in 0..100 {
            let disk = FaultyFiles::new(seed);
            let file = disk.open(Path::new("/a.tmp"), OpenMode::Create).unwrap();
            file.append(b"whole").unwrap();
            file.sync().unwrap();
            disk.rename(Path::new("/a.tmp"), Path::new("/a")).unwrap();
            disk.restart();
            let both = (content(&disk, "/a.tmp"), content(&disk, "/a"));
            assert!(!(both.0.is_some() && both.1.is_some()), "seed {seed}");
            kept += u32::from(both.1.is_some());
        }
        assert!((10..90).contains(&kept), "{kept} of 100");
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_what_was_freed() {
        let disk = FaultyFiles::new(1);
        let spare = disk.open(Path::new("/spare"), OpenMode::Create).unwrap();
        spare.append(b"12345").unwrap();
        let file = disk.open(Path::new("/a"), OpenMode::Create).unwrap();
        disk.fail_after(0, Fault::Full);
        assert_eq!(file.append(b"abc").unwrap_err().kind(), io::ErrorKind::StorageFull);
        disk.remove_file(Path::new("/spare")).unwrap();
        file.append(b"abc").unwrap();
        assert_eq!(file.append(b"def").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(content(&disk, "/a").unwrap(), b"abcde");
        disk.free();
        file.append(b"f").unwrap();
        assert_eq!(content(&disk, "/a").unwrap(), b"abcdef");
    }
}

//! A disk that leaves syncing to the system: for folders that nobody needs after a power cut.

use std::io;
use std::path::Path;
use std::sync::Arc;

use finstage_store::{DiskFiles, Files, OpenFile, OpenMode};

/// The files of this machine, without syncs. A killed process loses nothing, a power cut may.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnsyncedFiles;

impl Files for UnsyncedFiles {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn OpenFile>> {
        Ok(Arc::new(UnsyncedFile(DiskFiles.open(path, mode)?)))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DiskFiles.create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        DiskFiles.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        DiskFiles.remove_file(path)
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        DiskFiles.remove_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        DiskFiles.list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        DiskFiles.exists(path)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct UnsyncedFile(Arc<dyn OpenFile>);

impl OpenFile for UnsyncedFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.truncate(size)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

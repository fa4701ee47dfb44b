//! A file that is worth only its size: given up when the disk is full, so that the last events
//! and the loss that follows can still be written down.

use std::path::PathBuf;
use std::sync::Arc;

use crate::Error;
use crate::files::{Files, OpenMode};

const NAME: &str = "reserve";
const CHUNK: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Reserve {
    files: Arc<dyn Files>,
    path: PathBuf,
    bytes: u64,
    held: bool,
}

impl Reserve {
    pub(super) fn new(files: Arc<dyn Files>, root: &std::path::Path, bytes: u64) -> Self {
        Self { files, path: root.join(NAME), bytes, held: false }
    }

    /// Whether the space is set aside.
    pub(super) const fn is_held(&self) -> bool {
        self.held || self.bytes == 0
    }

    /// Sets the space aside, unless it is.
    pub(super) fn fill(&mut self) -> Result<(), Error> {
        if self.is_held() {
            return Ok(());
        }
        let filled = self.write();
        if filled.is_err() {
            // Half a reserve would only take the space that the next record needs.
            let _ = self.files.remove_file(&self.path);
        }
        self.held = filled.is_ok();
        filled
    }

    fn write(&self) -> Result<(), Error> {
        let failed = |e| Error::io("reserving space in", &self.path, e);
        if self.files.exists(&self.path).map_err(failed)? {
            let file = self.files.open(&self.path, OpenMode::Read).map_err(failed)?;
            if file.size().map_err(failed)? == self.bytes {
                return Ok(());
            }
        }
        let file = self.files.open(&self.path, OpenMode::Create).map_err(failed)?;
        // Not zeros: a file system may store those without using space.
        let chunk: Vec<u8> =
            (0..CHUNK as u32).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
        let mut left = self.bytes;
        while left > 0 {
            let size = left.min(CHUNK as u64);
            file.append(&chunk[..size as usize]).map_err(failed)?;
            left -= size;
        }
        file.sync().map_err(failed)
    }

    /// Gives the space back; tells whether there was any.
    pub(super) fn give_up(&mut self) -> bool {
        std::mem::take(&mut self.held) && self.files.remove_file(&self.path).is_ok()
    }
}

//! A file that is put aside when it is large: `log`, `log.1`, `log.2` and so on, the oldest goes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use finstage_store::make_private_dir;

/// A log file of bounded size with a bounded number of predecessors.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
    keep: u32,
}

impl RotatingFile {
    /// Opens the file at `path`, or makes it, its folder included. It is put aside before it would
    /// pass `limit` bytes, and `keep` predecessors are kept.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(path: &Path, limit: u64, keep: u32) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_private_dir(folder)?;
        }
        let file = append(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, written, limit, keep })
    }

    /// Moves every predecessor one on and begins an empty file.
    fn put_aside(&mut self) -> io::Result<()> {
        match self.keep {
            0 => self.file.set_len(0)?,
            keep => {
                for number in (1..keep).rev() {
                    let from = numbered(&self.path, number);
                    if from.exists() {
                        fs::rename(from, numbered(&self.path, number + 1))?;
                    }
                }
                fs::rename(&self.path, numbered(&self.path, 1))?;
                self.file = append(&self.path)?;
            }
        }
        self.written = 0;
        Ok(())
    }
}

impl Write for RotatingFile {
    /// Writes all of a line. A file that cannot be put aside grows on: a log that is too large is
    /// better than none.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.written > 0 && self.written + line.len() as u64 > self.limit {
            let _ = self.put_aside();
        }
        self.file.write_all(line)?;
        self.written += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // A log names instruments and channels: it is for its owner alone.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.create(true).append(true).open(path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_bounded_and_loses_the_oldest_lines_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/finstage.log");
        let mut log = RotatingFile::open(&path, 20, 2).unwrap();
        for n in 0..9 {
            writeln!(log, "line {n}..").unwrap();
        }
        drop(log);
        let read = |name: &str| fs::read_to_string(path.with_file_name(name)).unwrap();
        assert_eq!(read("finstage.log"), "line 8..\n");
        assert_eq!(read("finstage.log.1"), "line 6..\nline 7..\n");
        assert_eq!(read("finstage.log.2"), "line 4..\nline 5..\n");
        assert_eq!(fs::read_dir(folder.path().join("logs")).unwrap().count(), 3);
        let mut log = RotatingFile::open(&path, 20, 2).unwrap();
        writeln!(log, "line 9..").unwrap();
        writeln!(log, "line 10.").unwrap();
        assert_eq!(read("finstage.log.1"), "line 8..\nline 9..\n", "a restart goes on");
    }
}

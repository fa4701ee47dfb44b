//! Lines on their way to a file: whole ones, or none.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::time::Duration;

use finstage_model::Timestamp;

use crate::{Error, ErrorKind};

/// The longest time for which a line lies in memory: what a kill takes is asked, and paid, again.
pub const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// So many bytes are written at once, however young they are.
const FLUSH_BYTES: usize = 256 << 10;

/// What lines are written to.
pub(super) trait Medium: fmt::Debug + Send {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Takes away what stands behind `len`; whether this medium can do so.
    fn cut(&mut self, len: u64) -> io::Result<bool>;

    fn sync(&mut self) -> io::Result<()>;
}

impl Medium for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn cut(&mut self, len: u64) -> io::Result<bool> {
        self.set_len(len)?;
        self.seek(SeekFrom::Start(len))?;
        Ok(true)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// What goes on to another program, or to a screen.
pub(super) struct Stream(pub(super) Box<dyn Write + Send>);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl Medium for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn cut(&mut self, _len: u64) -> io::Result<bool> {
        Ok(false)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    medium: Box<dyn Medium>,
    name: String,
    /// Whole lines.
    buffer: Vec<u8>,
    /// What stands on the medium: whole lines.
    len: u64,
    /// Since when the oldest line lies in the buffer.
    since: Option<Timestamp>,
}

impl Writer {
    /// Writes behind `len` bytes of `medium`.
    pub(super) fn new(medium: Box<dyn Medium>, name: String, len: u64) -> Self {
        Self { medium, name, buffer: Vec::new(), len, since: None }
    }

    /// Takes a line with its end.
    pub(super) fn put(&mut self, line: &[u8], now: Timestamp) -> Result<(), Error> {
        self.buffer.extend_from_slice(line);
        let since = *self.since.get_or_insert(now);
        match self.buffer.len() >= FLUSH_BYTES || now.since(since) >= FLUSH_EVERY {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// When what lies in the buffer is to be written.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.since.map(|since| since.plus(FLUSH_EVERY))
    }

    /// Writes what lies in the buffer. After an error whole lines stand on the medium and the others stay in
    /// the buffer, so that it can be tried again.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let mut written = 0;
        let result = loop {
            if written == self.buffer.len() {
                break Ok(());
            }
            match self.medium.write(&self.buffer[written..]) {
                Ok(0) => break Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(more) => written += more,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        let ends = self.buffer[..written].iter().rposition(|&byte| byte == b'\n');
        let mut whole = ends.map_or(0, |end| end + 1);
        if whole < written && !self.cut(whole) {
            // It cannot be taken back: what follows must go on where this ends.
            whole = written;
        }
        self.buffer.drain(..whole);
        self.len += whole as u64;
        result.map_err(|e| self.error("writing", e))?;
        self.since = None;
        Ok(())
    }

    /// Puts what was written on the disk.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.medium.sync().map_err(|e| self.error("syncing", e))
    }

    fn cut(&mut self, whole: usize) -> bool {
        // Where even that fails, the next start finds the torn line.
        self.medium.cut(self.len + whole as u64).unwrap_or(true)
    }

    fn error(&self, doing: &str, source: io::Error) -> Error {
        io_error(doing, &self.name, source)
    }
}

/// The error of `doing` (a verb: "reading") something to the file called `name`.
pub(super) fn io_error(doing: &str, name: &str, source: io::Error) -> Error {
    let message = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("{doing} {name}: disk full; what is written is whole: free space and run again")
        }
        _ => format!("{doing} {name} failed"),
    };
    Error::new(ErrorKind::Store, message).because(source)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A disk with so much space.
    #[derive(Debug, Clone, Default)]
    struct Small {
        bytes: Arc<Mutex<Vec<u8>>>,
        space: Arc<Mutex<usize>>,
    }

    impl Medium for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut there = self.bytes.lock().unwrap();
            // Never more than 7 bytes at once, as a pipe might.
            let most = (*self.space.lock().unwrap() - there.len()).min(bytes.len()).min(7);
            if most == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            there.extend_from_slice(&bytes[..most]);
            Ok(most)
        }

        fn cut(&mut self, len: u64) -> io::Result<bool> {
            self.bytes.lock().unwrap().truncate(len as usize);
            Ok(true)
        }

        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_an_error_that_keeps_whole_lines_and_loses_none() {
        let lines: Vec<String> = (0..9).map(|n| format!("{}\n", "x".repeat(n * 5))).collect();
        let all = lines.concat();
        for space in 0..all.len() {
            let disk = Small::default();
            *disk.space.lock().unwrap() = space;
            let mut writer = Writer::new(Box::new(disk.clone()), "out".into(), 0);
            for line in &lines {
                writer.put(line.as_bytes(), Timestamp::from_secs(1)).unwrap();
            }
            let error = writer.flush().unwrap_err();
            assert!(error.to_string().contains("disk full"), "{error}");
            let kept = disk.bytes.lock().unwrap().clone();
            assert!(
                all.as_bytes().starts_with(&kept) && (kept.is_empty() || kept.ends_with(b"\n"))
            );
            let next = all.as_bytes()[kept.len()..].iter().position(|&b| b == b'\n').unwrap() + 1;
            assert!(kept.len() + next > space, "all that fits is kept");
            *disk.space.lock().unwrap() = 1 << 20;
            writer.flush().unwrap();
            assert_eq!(*disk.bytes.lock().unwrap(), all.as_bytes());
        }
    }

    #[test]
    fn a_line_lies_in_memory_for_50_ms_at_most() {
        let disk = Small::default();
        *disk.space.lock().unwrap() = 100;
        let mut writer = Writer::new(Box::new(disk.clone()), "out".into(), 0);
        let start = Timestamp::from_secs(1);
        assert_eq!(writer.due(), None);
        writer.put(b"a\n", start).unwrap();
        writer.put(b"b\n", start.plus(Duration::from_millis(49))).unwrap();
        assert_eq!(writer.due(), Some(start.plus(FLUSH_EVERY)));
        assert_eq!(*disk.bytes.lock().unwrap(), b"");
        writer.put(b"c\n", start.plus(FLUSH_EVERY)).unwrap();
        assert_eq!(*disk.bytes.lock().unwrap(), b"a\nb\nc\n");
        assert_eq!(writer.due(), None);
    }
}

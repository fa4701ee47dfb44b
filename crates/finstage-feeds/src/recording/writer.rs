//! Writes a recording of ours.

use std::fmt;
use std::io::{self, BufWriter, Write};

use finstage_model::Timestamp;

use super::capture::{self, Happened, Header};

/// What is written to the file at once.
const BUFFER_BYTES: usize = 64 << 10;
/// The usual level: 3 packs JSON to a tenth at hundreds of megabytes a second.
const ZSTD_LEVEL: i32 = 3;

/// Whether lines are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As they are.
    Plain,
    /// As one frame of zstd, which ends with [`RecordingWriter::finish`].
    Zstd,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Frames of the venue: texts and bytes, without pings, pongs and goodbyes.
    pub frames: u64,
    /// Their length, as they came.
    pub bytes: u64,
}

/// Lines of a recording on their way to a file.
pub struct RecordingWriter {
    out: Out,
    written: Written,
}

enum Out {
    Plain(BufWriter<Box<dyn Write + Send>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<Box<dyn Write + Send>>>),
}

impl RecordingWriter {
    /// Begins with the first line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(
        out: Box<dyn Write + Send>,
        packing: Packing,
        header: &Header,
    ) -> io::Result<Self> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, out);
        let mut out = match packing {
            Packing::Plain => Out::Plain(out),
            Packing::Zstd => {
                let mut packer = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
                packer.include_checksum(true)?;
                Out::Zstd(packer)
            }
        };
        serde_json::to_writer(&mut out, header)?;
        out.write_all(b"\n")?;
        Ok(Self { out, written: Written::default() })
    }

    /// Adds what happened on a connection.
    pub(super) fn add(
        &mut self,
        at: Timestamp,
        (link, what): (u64, Happened<'_>),
    ) -> io::Result<()> {
        use finstage_net::Frame;
        capture::write(&mut self.out, at, (link, what))?;
        let length = match what {
            Happened::Came(Frame::Text(text)) => text.len(),
            Happened::Came(Frame::Binary(bytes)) => bytes.len(),
            _ => return Ok(()),
        };
        self.written.frames += 1;
        self.written.bytes += length as u64;
        Ok(())
    }

    /// What was written so far.
    #[must_use]
    pub const fn written(&self) -> Written {
        self.written
    }

    /// Hands everything to the system: who reads the file finds it, even after a kill.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When its end cannot be written.
    pub fn finish(self) -> io::Result<Written> {
        match self.out {
            Out::Plain(mut out) => out.flush()?,
            Out::Zstd(packer) => packer.finish()?.flush()?,
        }
        Ok(self.written)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Zstd(out) => out.flush(),
        }
    }
}

impl fmt::Debug for RecordingWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingWriter").field("written", &self.written).finish_non_exhaustive()
    }
}

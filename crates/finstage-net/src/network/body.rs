//! Bodies as they come: gathered up to a bound, unpacked where the server packed them.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

use crate::{Error, ErrorKind, Request};

/// A body that is read as a whole.
pub(super) enum Gathered {
    Plain(Bounded),
    Packed(Box<MultiGzDecoder<Bounded>>),
}

/// Bytes up to a bound.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    most: usize,
    is_full: bool,
}

/// What is wrong with a body.
pub(super) enum Wrong {
    TooLarge,
    Unreadable(io::Error),
}

impl Gathered {
    pub(super) fn new(most: usize, is_packed: bool) -> Self {
        let bounded = Bounded { bytes: Vec::new(), most, is_full: false };
        match is_packed {
            true => Self::Packed(Box::new(MultiGzDecoder::new(bounded))),
            false => Self::Plain(bounded),
        }
    }

    /// Whether so many bytes on the wire are more than fit, before any of them came.
    pub(super) fn is_beyond(&self, announced: Option<u64>) -> bool {
        match self {
            Self::Plain(bounded) => announced.is_some_and(|bytes| bytes > bounded.most as u64),
            Self::Packed(_) => false,
        }
    }

    pub(super) fn add(&mut self, piece: &[u8]) -> Result<(), Wrong> {
        match self {
            Self::Plain(bounded) => bounded.write_all(piece).map_err(|_| Wrong::TooLarge),
            Self::Packed(packed) => {
                let end = packed.write_all(piece);
                end.map_err(|error| wrong(packed.get_ref(), error))
            }
        }
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, Wrong> {
        match self {
            Self::Plain(bounded) => Ok(bounded.bytes),
            Self::Packed(mut packed) => {
                let end = packed.try_finish();
                end.map_err(|error| wrong(packed.get_ref(), error))?;
                Ok(std::mem::take(&mut packed.get_mut().bytes))
            }
        }
    }
}

fn wrong(bounded: &Bounded, error: io::Error) -> Wrong {
    if bounded.is_full { Wrong::TooLarge } else { Wrong::Unreadable(error) }
}

impl Wrong {
    pub(super) fn explained(self, request: &Request, too_large: impl Fn() -> Error) -> Error {
        match self {
            Self::TooLarge => too_large(),
            Self::Unreadable(error) => {
                let message = format!("{request}: unreadable answer");
                Error::new(ErrorKind::Protocol, message).because(error).after_sending()
            }
        }
    }
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.most {
            self.is_full = true;
            return Err(io::Error::other("more than fits"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks a body that is read piece by piece.
pub(super) struct Unpacked(MultiGzDecoder<Vec<u8>>);

impl Default for Unpacked {
    fn default() -> Self {
        Self(MultiGzDecoder::new(Vec::new()))
    }
}

impl Unpacked {
    /// What follows from one more piece, or from the end; may be empty.
    pub(super) fn next(&mut self, piece: Option<&Bytes>) -> io::Result<Bytes> {
        match piece {
            Some(piece) => {
                self.0.write_all(piece)?;
                self.0.flush()?;
            }
            None => self.0.try_finish()?,
        }
        Ok(std::mem::take(self.0.get_mut()).into())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn gathered(bytes: &[u8], most: usize) -> Result<Vec<u8>, Wrong> {
        let mut body = Gathered::new(most, true);
        for piece in bytes.chunks(7) {
            body.add(piece)?;
        }
        body.finish()
    }

    #[test]
    fn a_packed_body_is_bounded_by_what_it_unpacks_to() {
        let zeros = packed(&[0; 100_000]);
        assert!(zeros.len() < 1_000);
        assert!(matches!(gathered(&zeros, 99_999), Err(Wrong::TooLarge)));
        assert_eq!(gathered(&zeros, 100_000).ok(), Some(vec![0; 100_000]));
        assert!(matches!(gathered(b"no gzip at all", 100), Err(Wrong::Unreadable(_))));
        let cut = packed(b"half of it");
        assert!(matches!(gathered(&cut[..cut.len() - 9], 100), Err(Wrong::Unreadable(_))));
    }

    #[test]
    fn pieces_are_unpacked_as_they_come() {
        let mut unpacked = Unpacked::default();
        let mut text = Vec::new();
        for piece in packed(b"to be or not to be").chunks(5) {
            text.extend(unpacked.next(Some(&Bytes::copy_from_slice(piece))).unwrap());
        }
        text.extend(unpacked.next(None).unwrap());
        assert_eq!(text, b"to be or not to be");
    }
}

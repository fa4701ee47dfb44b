//! The bytes of a file, unpacked: what it is packed with is told by its first bytes, not its name.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

/// What is read from the file at once.
const BUFFER_BYTES: usize = 64 << 10;
/// The largest memory that a zstd frame may ask for, as a power of two: what `zstd` itself takes
/// without being asked.
const ZSTD_WINDOW_LOG: u32 = 27;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The last three bytes of a frame that readers skip; the first is 0x50 to 0x5f (RFC 8878, 3.1.2).
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// What `input` holds, unpacked where it is packed: gzip of any number of members, zstd of any
/// number of frames.
///
/// # Errors
/// When the first bytes cannot be read.
pub(super) fn unpacked(mut input: Box<dyn Read + Send>) -> io::Result<Box<dyn BufRead + Send>> {
    let mut head = [0; 4];
    let mut known = 0;
    // A pipe may give them one by one.
    while known < head.len() {
        match input.read(&mut head[known..]) {
            Ok(0) => break,
            Ok(read) => known += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let head = &head[..known];
    let whole = Cursor::new(head.to_vec()).chain(input);
    let whole = BufReader::with_capacity(BUFFER_BYTES, whole);
    if head.starts_with(&GZIP) {
        let plain = MultiGzDecoder::new(whole);
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, plain)));
    }
    let is_skippable = head.len() == 4 && head[0] & 0xf0 == 0x50 && head[1..] == ZSTD_SKIPPABLE;
    if head == ZSTD || is_skippable {
        let mut plain = zstd::stream::read::Decoder::with_buffer(whole)?;
        plain.window_log_max(ZSTD_WINDOW_LOG)?;
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, plain)));
    }
    Ok(Box::new(whole))
}

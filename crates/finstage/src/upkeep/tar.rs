//! Files in a row, as `tar` knows them: a block of 512 bytes before each, and two empty ones at the end.

use std::io::{self, Read, Write};

const BLOCK: usize = 512;
/// Fields of a head: where they begin and end.
const NAME: std::ops::Range<usize> = 0..100;
const SIZE: std::ops::Range<usize> = 124..136;
const SUM: std::ops::Range<usize> = 148..156;
const PREFIX: std::ops::Range<usize> = 345..500;
/// The largest length that eleven octal digits can say.
const MAX_BYTES: u64 = (1 << 33) - 1;

/// Writes a file: its head, its content, which must be `bytes` long, and what fills the last block.
///
/// # Errors
/// When the name or the file is too long for the form, the content is shorter, or writing fails.
pub(super) fn write(
    out: &mut dyn Write,
    (name, bytes): (&str, u64),
    content: &mut dyn Read,
) -> io::Result<()> {
    out.write_all(&head(name, bytes)?)?;
    let copied = io::copy(&mut content.take(bytes), out)?;
    if copied != bytes {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} became shorter")));
    }
    let fill = (BLOCK - (bytes % BLOCK as u64) as usize) % BLOCK;
    out.write_all(&[0; BLOCK][..fill])
}

/// Writes the end.
pub(super) fn end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// The name and the length of the next file; `None` at the end. Its content and what fills its last
/// block have to be read before the next.
pub(super) fn next(from: &mut dyn Read) -> io::Result<Option<(String, u64)>> {
    let mut head = [0; BLOCK];
    from.read_exact(&mut head)?;
    if head.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let bad =
        |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("it is damaged: {what}"));
    let octal = |field: &[u8]| {
        let text = std::str::from_utf8(field).unwrap_or_default();
        u64::from_str_radix(text.trim_matches(['\0', ' ']), 8)
            .map_err(|_| bad("a head has no number"))
    };
    if octal(&head[SUM])? != sum(&head) {
        return Err(bad("the checksum of a head"));
    }
    let text = |field: &[u8]| {
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        String::from_utf8(field[..end].to_vec()).map_err(|_| bad("a name is no text"))
    };
    let (name, prefix) = (text(&head[NAME])?, text(&head[PREFIX])?);
    let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
    Ok(Some((name, octal(&head[SIZE])?)))
}

/// Reads what fills the last block of a file.
pub(super) fn skip_fill(from: &mut dyn Read, bytes: u64) -> io::Result<()> {
    let fill = (BLOCK - (bytes % BLOCK as u64) as usize) % BLOCK;
    from.read_exact(&mut [0; BLOCK][..fill])
}

fn head(name: &str, bytes: u64) -> io::Result<[u8; BLOCK]> {
    let too_long = |what: &str| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name}: {what}; name a folder instead"),
        )
    };
    if bytes > MAX_BYTES {
        return Err(too_long("more than 8 GiB do not fit into a tar file"));
    }
    let (prefix, short) = match name.len() <= NAME.len() {
        true => ("", name),
        false => {
            let at = name
                .match_indices('/')
                .map(|(at, _)| at)
                .find(|at| name.len() - at - 1 <= NAME.len());
            let at = at.filter(|at| *at <= PREFIX.len());
            at.map(|at| (&name[..at], &name[at + 1..]))
                .ok_or_else(|| too_long("its name is too long"))?
        }
    };
    let mut head = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(NAME.start, short);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(SIZE.start, &format!("{bytes:011o}\0"));
    put(136, "00000000000\0");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    put(PREFIX.start, prefix);
    let checksum = format!("{:06o}\0 ", sum(&head));
    head[SUM].copy_from_slice(checksum.as_bytes());
    Ok(head)
}

/// The sum of a head's bytes, with spaces in place of the sum itself.
fn sum(head: &[u8; BLOCK]) -> u64 {
    let byte = |(at, byte): (usize, &u8)| u64::from(if SUM.contains(&at) { b' ' } else { *byte });
    head.iter().enumerate().map(byte).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_as_they_went_in_with_long_names_too() {
        let long = format!("history/interval=1m/venue=file/symbol={}/all.parquet", "x".repeat(90));
        let files =
            [("a", "hello".to_owned()), (long.as_str(), "y".repeat(512)), ("empty", String::new())];
        let mut out = Vec::new();
        for (name, text) in &files {
            write(&mut out, (name, text.len() as u64), &mut text.as_bytes()).unwrap();
        }
        end(&mut out).unwrap();
        assert_eq!(out.len() % BLOCK, 0);
        let mut from = out.as_slice();
        for (name, text) in &files {
            let (found, bytes) = next(&mut from).unwrap().unwrap();
            let mut read = String::new();
            (&mut from).take(bytes).read_to_string(&mut read).unwrap();
            skip_fill(&mut from, bytes).unwrap();
            assert_eq!((found.as_str(), &read), (*name, text));
        }
        assert_eq!(next(&mut from).unwrap(), None);
        out[3] ^= 1;
        assert!(next(&mut out.as_slice()).is_err(), "a damaged head is noticed");
    }
}

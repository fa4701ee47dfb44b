//! From bytes to messages. A connection that has read whole messages holds nothing: what is read lies
//! in one buffer of the thread, and only the piece of a message that is not whole yet is kept.

use super::frame::{Broken, Head, Looked, MAX_MESSAGE_BYTES, Opcode, look};

/// What a connection heard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// The server's close code; 1005 where it gave none.
    Close(u16),
}

/// The state of one connection between two reads.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// The beginning of a frame.
    rest: Vec<u8>,
    /// How long the frame in `rest` is, at least.
    needs: usize,
    /// The frames so far of a message in pieces.
    pieces: Vec<u8>,
    kind: Option<Opcode>,
}

impl Reader {
    /// Lays what is left of the last read in front of the buffer and says how long it is: the next
    /// bytes belong behind it. A frame that is larger than the buffer is gathered apart.
    pub(crate) fn lay_out(&self, buffer: &mut [u8]) -> usize {
        let length = self.rest.len();
        if length == 0 || self.is_gathering(buffer.len()) {
            return 0;
        }
        buffer[..length].copy_from_slice(&self.rest);
        length
    }

    fn is_gathering(&self, room: usize) -> bool {
        self.needs > room || self.rest.len() >= room
    }

    /// Hears what is in the first `filled` bytes of the buffer, [`lay_out`](Self::lay_out) included.
    pub(crate) fn take(
        &mut self,
        (buffer, filled): (&[u8], usize),
        hear: &mut impl FnMut(Heard<'_>),
    ) -> Result<(), Broken> {
        if self.rest.is_empty() || !self.is_gathering(buffer.len()) {
            self.rest = Vec::new();
            return self.split(&buffer[..filled], hear);
        }
        let missing = self.needs.saturating_sub(self.rest.len());
        self.rest.reserve(missing);
        self.rest.extend_from_slice(&buffer[..filled]);
        if self.rest.len() < self.needs {
            return Ok(());
        }
        let whole = std::mem::take(&mut self.rest);
        self.split(&whole, hear)
    }

    /// Hears all whole frames of `bytes` and keeps what is left.
    pub(crate) fn split(
        &mut self,
        mut bytes: &[u8],
        hear: &mut impl FnMut(Heard<'_>),
    ) -> Result<(), Broken> {
        while !bytes.is_empty() {
            match look(bytes)? {
                Looked::Whole(head) => {
                    self.frame(&head, &bytes[head.start..head.end], hear)?;
                    bytes = &bytes[head.end..];
                }
                Looked::Needs(needs) => {
                    self.needs = needs;
                    self.rest = bytes.to_vec();
                    return Ok(());
                }
            }
        }
        self.needs = 0;
        Ok(())
    }

    #[inline]
    fn frame(
        &mut self,
        head: &Head,
        payload: &[u8],
        hear: &mut impl FnMut(Heard<'_>),
    ) -> Result<(), Broken> {
        match (head.opcode, self.kind) {
            (Opcode::Text, None) if head.is_last => hear(Heard::Text(text(payload)?)),
            (Opcode::Binary, None) if head.is_last => hear(Heard::Binary(payload)),
            (Opcode::Text | Opcode::Binary, None) => {
                self.kind = Some(head.opcode);
                self.pieces.extend_from_slice(payload);
            }
            (Opcode::Continuation, Some(kind)) => {
                if self.pieces.len() + payload.len() > MAX_MESSAGE_BYTES {
                    return Err(Broken::TOO_LARGE);
                }
                self.pieces.extend_from_slice(payload);
                if head.is_last {
                    let whole = std::mem::take(&mut self.pieces);
                    self.kind = None;
                    match kind {
                        Opcode::Text => hear(Heard::Text(text(&whole)?)),
                        _ => hear(Heard::Binary(&whole)),
                    }
                }
            }
            (Opcode::Ping, _) => hear(Heard::Ping(payload)),
            (Opcode::Pong, _) => hear(Heard::Pong),
            (Opcode::Close, _) => hear(Heard::Close(close_code(payload)?)),
            // A message within a message, or an end without a beginning.
            _ => return Err(Broken::PROTOCOL),
        }
        Ok(())
    }
}

#[inline]
fn text(payload: &[u8]) -> Result<&str, Broken> {
    std::str::from_utf8(payload).map_err(|_| Broken::NOT_TEXT)
}

fn close_code(payload: &[u8]) -> Result<u16, Broken> {
    match payload {
        [] => Ok(1005),
        [_] => Err(Broken::PROTOCOL),
        [a, b, reason @ ..] => {
            text(reason)?;
            Ok(u16::from_be_bytes([*a, *b]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..=125 => bytes.push(length as u8),
            length @ 126..=0xffff => {
                bytes.push(126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                bytes.push(127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Reads `wire` in pieces of `step` through a buffer of `room`; what was heard, in words.
    fn heard(wire: &[u8], step: usize, room: usize) -> Result<Vec<String>, Broken> {
        let (mut reader, mut buffer, mut said) = (Reader::default(), vec![0; room], Vec::new());
        let mut at = 0;
        while at < wire.len() {
            let front = reader.lay_out(&mut buffer);
            let n = step.min(room - front).min(wire.len() - at);
            assert!(n > 0, "there is always room for more");
            buffer[front..front + n].copy_from_slice(&wire[at..at + n]);
            at += n;
            reader.take((&buffer, front + n), &mut |heard| {
                said.push(match heard {
                    Heard::Text(text) => format!("{} {:?}", text.len(), text.chars().next()),
                    other => format!("{other:?}"),
                });
            })?;
        }
        assert_eq!(reader.rest.capacity(), 0, "what is whole is not kept");
        Ok(said)
    }

    #[test]
    fn however_the_wire_is_cut_the_same_messages_are_heard() {
        let large = "ab€".repeat(500);
        let mut wire = frame(0x81, b"one");
        wire.extend(frame(0x01, "tw\u{20ac}".as_bytes().split_at(3).0));
        wire.extend(frame(0x89, b"ping"));
        wire.extend(frame(0x80, "tw\u{20ac}".as_bytes().split_at(3).1));
        wire.extend(frame(0x81, large.as_bytes()));
        wire.extend(frame(0x82, &[1, 2]));
        wire.extend(frame(0x8a, b""));
        wire.extend(frame(0x88, &[0x03, 0xe9, b'b', b'y', b'e']));
        let expected = heard(&wire, wire.len(), 8_192).unwrap();
        assert_eq!(expected[0], "3 Some('o')");
        assert_eq!(expected[1], "Ping([112, 105, 110, 103])");
        assert!(expected[2].starts_with("5 "));
        assert_eq!(expected.len(), 7);
        assert_eq!(expected[6], "Close(1001)");
        for step in [1, 2, 3, 7, 64, 1_000] {
            for room in [16, 64, 1_024, 65_536] {
                assert_eq!(heard(&wire, step, room).unwrap(), expected, "{step} {room}");
            }
        }
    }

    #[test]
    fn text_that_is_none_and_pieces_without_a_beginning_are_refused() {
        assert_eq!(heard(&frame(0x81, &[0xff]), 64, 64), Err(Broken::NOT_TEXT));
        assert_eq!(heard(&frame(0x80, b"x"), 64, 64), Err(Broken::PROTOCOL));
        let mut wire = frame(0x01, b"a");
        wire.extend(frame(0x81, b"b"));
        assert_eq!(heard(&wire, 64, 64), Err(Broken::PROTOCOL));
        assert_eq!(heard(&frame(0x88, &[3]), 64, 64), Err(Broken::PROTOCOL));
        assert_eq!(heard(&frame(0x88, &[]), 64, 64).unwrap(), ["Close(1005)"]);
    }
}

//! Server-sent events, from pieces that are cut anywhere (WHATWG HTML, section 9.2).

use crate::Error;

/// The longest event, in bytes.
pub const MAX_EVENT_BYTES: usize = 4 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// Its name; empty where it has none.
    pub name: String,
    /// Its data: several lines are joined by line feeds.
    pub data: String,
}

/// Reads events. Lines may end in `\n`, `\r\n` or `\r`; comments and fields that nobody needs are left out.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    /// The last byte was `\r`: a `\n` that follows belongs to it.
    after_return: bool,
    is_begun: bool,
}

impl SseParser {
    /// Takes the next piece, and puts the events that it completes into `events`.
    ///
    /// # Errors
    /// When an event has more than [`MAX_EVENT_BYTES`].
    pub fn push(&mut self, piece: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        let mut rest = piece;
        while let Some((&first, tail)) = rest.split_first() {
            if self.after_return && first == b'\n' {
                self.after_return = false;
                rest = tail;
                continue;
            }
            self.after_return = false;
            let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.line.extend_from_slice(rest);
                return self.check();
            };
            self.line.extend_from_slice(&rest[..at]);
            self.check()?;
            self.after_return = rest[at] == b'\r';
            self.end_line(events);
            rest = &rest[at + 1..];
        }
        Ok(())
    }

    /// What remains when the pieces end. An event without the empty line after it is none, but for the one
    /// that says that all is over: some servers leave that line out.
    #[must_use]
    pub fn finish(mut self) -> Option<Event> {
        if !self.line.is_empty() {
            self.end_line(&mut Vec::new());
        }
        (self.has_data && self.event.data.trim() == "[DONE]").then_some(self.event)
    }

    fn check(&self) -> Result<(), Error> {
        if self.line.len() + self.event.data.len() > MAX_EVENT_BYTES {
            let words = format!("a streamed event has more than {MAX_EVENT_BYTES} bytes");
            return Err(Error::new(crate::ErrorKind::Provider, words));
        }
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<Event>) {
        // Whole lines are whole letters, wherever pieces were cut.
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        let line = match self.is_begun {
            false => line.trim_start_matches('\u{feff}'),
            true => line.as_str(),
        };
        self.is_begun = true;
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                events.push(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            "event" => value.clone_into(&mut self.event.name),
            // A comment has no field's name; ids and waits belong to a reader that comes back.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<Event> {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        pieces.iter().for_each(|piece| parser.push(piece, &mut events).unwrap());
        events.extend(parser.finish());
        events
    }

    fn data(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.data.as_str()).collect()
    }

    #[test]
    fn events_are_read_with_comments_names_and_several_lines() {
        let text = ": keep-alive\n\nevent: delta\ndata: a\ndata:b\n\nid: 1\nretry: 5\n\ndata\n\ndata: [DONE]";
        let events = read(&[text.as_bytes()]);
        assert_eq!(data(&events), ["a\nb", "", "[DONE]"]);
        assert_eq!(events[0].name, "delta");
        assert_eq!(events[1].name, "");
    }

    #[test]
    fn an_event_that_breaks_off_is_none() {
        assert_eq!(data(&read(&[b"data: a\n\ndata: {\"half"])), ["a"]);
        assert_eq!(data(&read(&[b"data: a\n\ndata: whole line\n"])), ["a"]);
        assert_eq!(
            data(&read(&[b"data: a\r\rdata: b\r\n\r\ndata: [DONE]\n"])),
            ["a", "b", "[DONE]"]
        );
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = SseParser::default();
        let piece = vec![b'x'; MAX_EVENT_BYTES / 2];
        assert!(parser.push(&piece, &mut Vec::new()).is_ok());
        assert!(parser.push(&piece, &mut Vec::new()).is_ok());
        assert!(parser.push(&piece, &mut Vec::new()).is_err());
        let mut parser = SseParser::default();
        let line = [b"data: ".as_slice(), &[b'x'; 1 << 20], b"\n"].concat();
        assert!((0..5).any(|_| parser.push(&line, &mut Vec::new()).is_err()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn wherever_the_pieces_are_cut_the_events_are_the_same(
            lines in prop::collection::vec("(data: ?|event: |: |data|)[가-나aé→{}: ]{0,8}", 0..24),
            ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 24),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let text: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
            // An empty line after a `\r` would read as its `\n`, in one piece too.
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }
    }
}

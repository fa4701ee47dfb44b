//! Forms that others write. Here a line only gets its moment of receipt; what it means is the
//! venue's to say, as of a live frame.

use std::borrow::Cow;
use std::collections::VecDeque;

use finstage_model::Timestamp;
use finstage_net::Frame;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Recorded, What};
use crate::Tick;
use crate::venues::tardis;

/// The length of the stamp in front of a raw message of Tardis: seven decimals and `Z`.
const STAMP_CHARS: usize = 28;

/// What a recording of one connection says about it.
#[derive(Debug, Default)]
pub(super) struct Single {
    link: u64,
    is_open: bool,
    last: Option<Timestamp>,
}

impl Single {
    fn came(&mut self, (at, line): (Timestamp, u64), frame: Frame, out: &mut VecDeque<Recorded>) {
        if !self.is_open {
            self.is_open = true;
            self.link += 1;
            out.push_back(Recorded { at, line, what: What::Opened(self.link) });
        }
        self.last = Some(at);
        out.push_back(Recorded { at, line, what: What::Came(self.link, frame) });
    }

    /// The recorder lost its connection after the last message; several words for it are one.
    fn ended(&mut self, line: u64, out: &mut VecDeque<Recorded>) {
        if let (true, Some(at)) = (self.is_open, self.last) {
            self.is_open = false;
            out.push_back(Recorded { at, line, what: What::Ended(self.link) });
        }
    }
}

/// Raw messages of a venue, as Tardis hands them out: a stamp of 28 characters, a space, the
/// message; an empty line where the recorder was cut off.
#[derive(Debug, Default)]
pub(super) struct Raw(Single);

impl Raw {
    pub(super) fn fits(text: &str) -> bool {
        stamped(text).is_some()
    }

    pub(super) fn read(
        &mut self,
        (number, text): (u64, &str),
        out: &mut VecDeque<Recorded>,
    ) -> Result<(), String> {
        if text.is_empty() {
            self.0.ended(number, out);
            return Ok(());
        }
        let (at, message) = stamped(text)
            .ok_or_else(|| "no stamp of 28 characters and a space in front".to_owned())?;
        self.0.came((at, number), Frame::Text(message.to_owned()), out);
        Ok(())
    }
}

fn stamped(text: &str) -> Option<(Timestamp, &str)> {
    let (stamp, rest) = text.split_at_checked(STAMP_CHARS)?;
    let message = rest.strip_prefix(' ')?;
    let is_moment = stamp.as_bytes()[10] == b'T' && stamp.ends_with('Z');
    Some((stamp.parse().ok().filter(|_| is_moment)?, message))
}

/// Raw messages as a tardis-machine replays them: `{"localTimestamp":…,"message":…}`.
#[derive(Debug, Default)]
pub(super) struct MachineRaw(Single);

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(rename = "localTimestamp")]
    at: Timestamp,
    #[serde(borrow)]
    message: &'a RawValue,
}

impl MachineRaw {
    pub(super) fn read(
        &mut self,
        (number, text): (u64, &str),
        out: &mut VecDeque<Recorded>,
    ) -> Result<(), String> {
        if text.is_empty() {
            self.0.ended(number, out);
            return Ok(());
        }
        let Wrapped { at, message } = serde_json::from_str(text).map_err(|e| e.to_string())?;
        self.0.came((at, number), Frame::Text(message.get().to_owned()), out);
        Ok(())
    }
}

/// Normalized messages of a tardis-machine. Its word for a lost connection is a message as well.
#[derive(Debug, Default)]
pub(super) struct Normalized(Single);

#[derive(Deserialize)]
struct Dated {
    #[serde(rename = "localTimestamp")]
    at: Timestamp,
}

impl Normalized {
    pub(super) fn read(
        &mut self,
        (number, text): (u64, &str),
        out: &mut VecDeque<Recorded>,
    ) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        let Dated { at } = serde_json::from_str(text).map_err(|e| e.to_string())?;
        self.0.came((at, number), Frame::Text(text.to_owned()), out);
        Ok(())
    }
}

/// Rows of a CSV file of Tardis. The header is a frame too: it says what the rows are.
#[derive(Debug, Default)]
pub(super) struct Csv {
    single: Single,
    /// A header that no row has followed yet, and its line.
    header: Option<(String, u64)>,
    /// The place of the moment of receipt.
    at: usize,
}

impl Csv {
    pub(super) fn fits(text: &str) -> bool {
        tardis::is_header(text)
    }

    pub(super) fn read(
        &mut self,
        (number, text): (u64, &str),
        out: &mut VecDeque<Recorded>,
    ) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        if tardis::is_header(text) {
            let places = text.split(',').position(|name| name == tardis::LOCAL_TIMESTAMP);
            self.at = places.ok_or_else(|| "no column local_timestamp".to_owned())?;
            self.header = Some((text.to_owned(), number));
            return Ok(());
        }
        let cell = text.split(',').nth(self.at).unwrap_or_default();
        let at = tardis::from_micros(cell)
            .ok_or_else(|| format!("local_timestamp is \"{}\"", cut(cell)))?;
        if let Some((header, line)) = self.header.take() {
            self.single.came((at, line), Frame::Text(header), out);
        }
        self.single.came((at, number), Frame::Text(text.to_owned()), out);
        Ok(())
    }
}

/// Records of sealed market data, whose own moment is the only one they have.
#[derive(Debug, Default)]
pub(super) struct TickLines(Single);

impl TickLines {
    pub(super) fn read(
        &mut self,
        (number, text): (u64, &str),
        out: &mut VecDeque<Recorded>,
    ) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        let tick = Tick::read(text.as_bytes()).map_err(|e| e.to_string())?;
        self.0.came((tick.timestamp, number), Frame::Text(text.to_owned()), out);
        Ok(())
    }
}

/// What of a strange text is shown.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    const MOST: usize = 40;
    if text.chars().count() <= MOST {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().take(MOST).chain(['…']).collect())
}

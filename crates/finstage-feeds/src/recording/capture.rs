//! The form of our own recordings: what a socket brought, a JSON object a line.
//!
//! The first line says what was asked for, each further one what happened on a connection:
//!
//! ```text
//! {"finstage":"capture","version":1,"at":"2026-11-29T12:00:00Z","by":"finstage 0.9.0","venue":"binance","asked":[{"symbol":"binance:BTCUSDT","trades":true,"intervals":["1m"]}]}
//! {"at":"2026-11-29T12:00:00.1Z","link":1,"is":"open"}
//! {"at":"2026-11-29T12:00:00.25Z","link":1,"text":"{\"result\":null,\"id\":1}"}
//! {"at":"2026-11-29T12:00:00.3Z","link":1,"bytes":"00ff"}
//! {"at":"2026-11-29T12:00:20Z","link":1,"ping":"31"}
//! {"at":"2026-11-29T12:00:21Z","link":1,"is":"close"}
//! {"at":"2026-11-29T12:00:21.5Z","link":1,"is":"end"}
//! ```
//!
//! `at` is the moment of receipt in UTC, `link` counts connections from 1: two may be open at a time. A text
//! frame is a JSON string, whose value is the frame to the last character; `bytes`, `ping` and `pong` are
//! hexadecimal. `close` is the goodbye of the other side, `end` the end of a connection for whatever
//! reason. Another first line in the middle begins another recording.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Write};

use finstage_model::{Interval, Symbol, Timestamp};
use finstage_net::Frame;
use serde::{Deserialize, Serialize};

use super::{Recorded, What};
use crate::venue::Subscription;

/// The only version there is.
pub(super) const VERSION: u32 = 1;
/// What the first line calls itself.
pub(super) const NAME: &str = "capture";

/// What the first line of a recording of ours says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    finstage: String,
    version: u32,
    /// When it began.
    pub at: Timestamp,
    /// Which program wrote it.
    pub by: String,
    /// Whose frames they are.
    pub venue: String,
    /// What was asked for.
    pub asked: Vec<Asked>,
}

/// One wish of a recording: what a [`Subscription`] says, without an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The instrument.
    pub symbol: Symbol,
    /// Whether its trades were asked for.
    pub trades: bool,
    /// Of which lengths the venue's own bars were.
    pub intervals: Vec<Interval>,
}

impl Header {
    /// The first line of a recording of `venue` that begins at `at`.
    #[must_use]
    pub fn new(at: Timestamp, (venue, by): (&str, &str), asked: &[Subscription]) -> Self {
        let asked = asked.iter().map(|subscription| Asked {
            symbol: subscription.symbol.clone(),
            trades: subscription.trades,
            intervals: subscription.intervals.clone(),
        });
        Self {
            finstage: NAME.to_owned(),
            version: VERSION,
            at,
            by: by.to_owned(),
            venue: venue.to_owned(),
            asked: asked.collect(),
        }
    }

    pub(super) fn read(line: &str) -> Result<Self, String> {
        let versioned: Versioned =
            serde_json::from_str(line).map_err(|e| format!("the first line of a capture: {e}"))?;
        if versioned.version != VERSION {
            let version = versioned.version;
            return Err(format!("written by another finstage: version {version} of the form"));
        }
        serde_json::from_str(line).map_err(|e| format!("the first line of a capture: {e}"))
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Whether a line begins a recording.
pub(super) fn is_header(line: &[u8]) -> bool {
    line.starts_with(b"{\"finstage\"")
}

/// What happened on a connection.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    at: Timestamp,
    link: u64,
    #[serde(rename = "is", default, skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    bytes: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    ping: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pong: Option<Cow<'a, str>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Open,
    Close,
    End,
}

/// Writes what happened on connection `link` as a line.
pub(super) fn write(
    out: &mut impl Write,
    at: Timestamp,
    (link, what): (u64, Happened<'_>),
) -> io::Result<()> {
    let mut line = Line { at, link, state: None, text: None, bytes: None, ping: None, pong: None };
    let hex = |bytes: &[u8]| Some(Cow::Owned(to_hex(bytes)));
    match what {
        Happened::Opened => line.state = Some(State::Open),
        Happened::Ended => line.state = Some(State::End),
        Happened::Came(Frame::Close) => line.state = Some(State::Close),
        Happened::Came(Frame::Text(text)) => line.text = Some(Cow::Borrowed(text)),
        Happened::Came(Frame::Binary(bytes)) => line.bytes = hex(bytes),
        Happened::Came(Frame::Ping(bytes)) => line.ping = hex(bytes),
        Happened::Came(Frame::Pong(bytes)) => line.pong = hex(bytes),
    }
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// What is written of a connection.
#[derive(Clone, Copy)]
pub(super) enum Happened<'a> {
    Opened,
    Came(&'a Frame),
    Ended,
}

/// Reads the lines of a recording of ours.
#[derive(Debug, Default)]
pub(super) struct Capture {
    header: Option<Header>,
    /// Added to the numbers of connections: those of the recordings before this one.
    offset: u64,
    /// The greatest number so far.
    greatest: u64,
    /// Connections that have not ended, and when they were last heard of.
    open: Vec<u64>,
    last: Option<Timestamp>,
}

/// Connections that may be open at a time; one more, and the oldest counts as ended.
const MAX_OPEN: usize = 64;

impl Capture {
    pub(super) const fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    pub(super) fn read(
        &mut self,
        (number, text): (u64, &str),
        out: &mut VecDeque<Recorded>,
    ) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        if is_header(text.as_bytes()) {
            return self.begin(number, text, out);
        }
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let frame = match line {
            Line { text: Some(text), .. } => Some(Frame::Text(text.into_owned())),
            Line { bytes: Some(hex), .. } => Some(Frame::Binary(from_hex(&hex)?)),
            Line { ping: Some(hex), .. } => Some(Frame::Ping(from_hex(&hex)?)),
            Line { pong: Some(hex), .. } => Some(Frame::Pong(from_hex(&hex)?)),
            Line { state: Some(State::Close), .. } => Some(Frame::Close),
            Line { state: Some(_), .. } => None,
            _ => return Err("neither a frame nor the state of a connection".to_owned()),
        };
        let link = self.offset.saturating_add(line.link);
        self.greatest = self.greatest.max(link);
        let at = line.at;
        self.last = Some(at);
        let mut say = |what| out.push_back(Recorded { at, line: number, what });
        match (frame, line.state) {
            (None, Some(State::End)) => {
                self.open.retain(|open| *open != link);
                say(What::Ended(link));
            }
            (frame, _) => {
                // A file that begins in the middle has connections that nobody saw opened.
                if !self.open.contains(&link) {
                    if self.open.len() == MAX_OPEN {
                        say(What::Ended(self.open.remove(0)));
                    }
                    self.open.push(link);
                    say(What::Opened(link));
                }
                if let Some(frame) = frame {
                    say(What::Came(link, frame));
                }
            }
        }
        Ok(())
    }

    /// A first line: whatever was open before it has ended unheard.
    fn begin(
        &mut self,
        number: u64,
        text: &str,
        out: &mut VecDeque<Recorded>,
    ) -> Result<(), String> {
        let header = Header::read(text)?;
        let at = self.last.unwrap_or(header.at);
        for link in self.open.drain(..) {
            out.push_back(Recorded { at, line: number, what: What::Ended(link) });
        }
        self.offset = self.greatest;
        match &self.header {
            None => self.header = Some(header),
            Some(first) if first.venue == header.venue => {}
            Some(first) => {
                return Err(format!("frames of {} follow those of {}", header.venue, first.venue));
            }
        }
        Ok(())
    }
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || "not hexadecimal".to_owned();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if !text.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    text.as_bytes().chunks_exact(2).map(|both| pair(both).ok_or_else(wrong)).collect()
}

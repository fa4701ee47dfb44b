//! A recording as a session would have told it: the venue's own decoder, and what a
//! [`crate::Session`] says beside it.
//!
//! * `Up` with the first frame of a connection that says anything (an event, or that a command was accepted).
//! * After a loss of every connection, `Gap` from the last frame to that moment goes before it, and
//!   `Stale` before both once the venue's longest silence has passed.
//! * A jump in the numbers of trades is a `Gap`, a trade or a bar that came before is left out, a bar that is
//!   missing where the venue closes one for every interval is a `Gap`.
//!
//! Nothing is fetched, so nothing is repaired. While two connections were open, frames of both are
//! read in the order in which they came.

use std::collections::BTreeMap;
use std::fmt;

use finstage_model::{Event, FeedKind, FeedStatus, InstrumentId, Payload, Timestamp};
use finstage_net::Frame;

use super::{Form, Recorded, Recording, RecordingErrorKind, What};
use crate::session::series::{SeriesBook, Verdict};
use crate::venue::{Ack, Decoded, StreamVenue, Subscription, VenueProfile};
use crate::{Continuity, DecodeErrorKind};

/// The most complaints that are kept in words; all are counted.
pub const MAX_TOLD: usize = 20;

/// The most kinds of unused frames that are counted apart.
pub const MAX_UNUSED: usize = 32;

/// What unused frames of further kinds are counted under.
const OTHERS: &str = "others";

/// A recording on its way to the engine.
pub struct Playback {
    recording: Recording,
    stream: Box<dyn StreamVenue>,
    profile: &'static VenueProfile,
    instruments: Vec<InstrumentId>,
    next: Option<Recorded>,
    book: SeriesBook,
    continuity: Continuity,
    decoded: Decoded,
    /// How many connections are open.
    open: usize,
    is_up: bool,
    is_stale: bool,
    /// The last frame of a connection that was up: what came until then is complete.
    complete_until: Option<Timestamp>,
    now: Timestamp,
    counts: PlaybackCounts,
    complaints: Vec<String>,
}

/// What came of a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaybackCounts {
    /// Frames, without pings, pongs and goodbyes.
    pub frames: u64,
    /// Events.
    pub events: u64,
    /// Trades and bars among them.
    pub data: u64,
    /// Trades and bars left out because they came before.
    pub duplicates: u64,
    /// Losses told, each for one instrument.
    pub gaps: u64,
    /// Lines and frames that could not be read.
    pub bad: u64,
    /// Frames that nobody asked for, by what they are.
    pub unused: BTreeMap<String, u64>,
    /// Lines whose moment lies before that of an earlier line.
    pub out_of_order: u64,
    /// Why the recording ended early, if it did.
    pub cut: Option<String>,
}

impl Playback {
    /// Plays `recording` to `stream`, which knows the instruments of `subscriptions`.
    #[must_use]
    pub fn new(
        recording: Recording,
        (stream, profile): (Box<dyn StreamVenue>, &'static VenueProfile),
        subscriptions: &[Subscription],
    ) -> Self {
        let mut playback = Self {
            recording,
            profile,
            instruments: subscriptions.iter().map(|s| s.instrument).collect(),
            next: None,
            book: SeriesBook::new(profile, subscriptions, &[]),
            continuity: Continuity::new(stream.numbering()),
            stream,
            decoded: Decoded::default(),
            open: 0,
            is_up: false,
            is_stale: false,
            complete_until: None,
            now: Timestamp::MIN,
            counts: PlaybackCounts::default(),
            complaints: Vec::new(),
        };
        playback.read_on();
        playback
    }

    /// When the next thing happens; `None` at the end.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        let next = self.next.as_ref()?.at.max(self.now);
        Some(self.stale_at().map_or(next, |stale| stale.min(next)))
    }

    /// Does the next thing; what it says is appended to `events`.
    pub fn advance(&mut self, events: &mut Vec<Event>) {
        let before = events.len();
        match (&self.next, self.stale_at()) {
            (None, _) => return,
            (Some(next), Some(stale_at)) if stale_at <= next.at => {
                self.now = stale_at.max(self.now);
                self.is_stale = true;
                self.say(FeedKind::Stale, events);
            }
            _ => self.play(events),
        }
        for event in &events[before..] {
            self.counts.events += 1;
            match event.payload {
                Payload::Feed(FeedStatus { kind: FeedKind::Gap { .. }, .. }) => {
                    self.counts.gaps += 1;
                }
                Payload::Trade(_) | Payload::Bar(_) => self.counts.data += 1,
                _ => {}
            }
        }
    }

    /// What came of it so far.
    #[must_use]
    pub const fn counts(&self) -> &PlaybackCounts {
        &self.counts
    }

    /// The complaints since this was last asked, with their lines; of all at most [`MAX_TOLD`].
    pub fn take_complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }

    /// When the silence since the last connection is too long.
    fn stale_at(&self) -> Option<Timestamp> {
        let is_lost = self.open == 0 && !self.is_stale;
        self.complete_until.filter(|_| is_lost).map(|since| since.plus(self.profile.stall))
    }

    fn play(&mut self, events: &mut Vec<Event>) {
        let Some(Recorded { at, line, what }) = self.next.take() else { return };
        if at < self.now && matches!(what, What::Came(..)) {
            self.counts.out_of_order += 1;
        }
        self.now = self.now.max(at);
        match what {
            What::Opened(_) => {
                // Where it would connect to is of no interest; it forgets what it must.
                let _ = self.stream.open();
                // When others were first connected is not known, and which bar theirs begin with.
                let is_known = self.recording.form() == Form::Capture;
                if self.open == 0 && (is_known || self.complete_until.is_some()) {
                    self.book.on_connect(self.now);
                }
                self.open += 1;
            }
            What::Ended(_) => {
                self.open = self.open.saturating_sub(1);
                self.is_up &= self.open > 0;
            }
            What::Came(_, frame) => self.hear(&frame, line, events),
        }
        self.read_on();
    }

    fn hear(&mut self, frame: &Frame, line: u64, events: &mut Vec<Event>) {
        if let Frame::Text(_) | Frame::Binary(_) = frame {
            self.counts.frames += 1;
            self.decoded.clear();
            let mut decoded = std::mem::take(&mut self.decoded);
            match self.stream.decode(frame, self.now, &mut decoded) {
                Err(error) if error.kind() == DecodeErrorKind::Unknown => {
                    self.set_aside(error.to_string());
                }
                Err(error) => self.complain(&format!("line {line}: {error}")),
                Ok(()) => {}
            }
            for ack in &decoded.acks {
                if let Ack::Refused { reason, .. } = ack {
                    self.complain(&format!("line {line}: the venue refused a command: {reason}"));
                }
            }
            let is_accepted = |ack: &Ack| matches!(ack, Ack::Accepted { .. });
            let says = !decoded.events.is_empty() || decoded.acks.iter().any(is_accepted);
            if says && !self.is_up {
                self.come_up(events);
            }
            self.sift(&mut decoded, events);
            self.decoded = decoded;
        }
        if self.is_up {
            self.complete_until = Some(self.now);
        }
    }

    /// The stream speaks: says what was missed since it last did.
    fn come_up(&mut self, events: &mut Vec<Event>) {
        if let Some(from) = self.complete_until {
            self.say(FeedKind::Gap { from, to: self.now }, events);
            // Nobody fetches what is missing: whichever bar comes next is the next.
            for &instrument in &self.instruments {
                self.book.give_up(instrument, events);
            }
        }
        (self.is_up, self.is_stale) = (true, false);
        self.say(FeedKind::Up, events);
    }

    /// Leaves out what came before, and says what is missing.
    fn sift(&mut self, decoded: &mut Decoded, events: &mut Vec<Event>) {
        self.counts.duplicates += decoded.duplicates + self.continuity.follow(&mut decoded.events);
        let mut lost = Vec::new();
        for event in decoded.events.drain(..) {
            let bar = match &event.payload {
                Payload::Bar(bar) => bar,
                other => {
                    if let Payload::Feed(FeedStatus { instrument, kind: FeedKind::Gap { .. } }) =
                        other
                    {
                        lost.push(*instrument);
                    }
                    events.push(event);
                    continue;
                }
            };
            match self.book.on_live(bar, &event) {
                Verdict::Pass => events.push(event),
                Verdict::Parked => {}
                Verdict::Duplicate => self.counts.duplicates += 1,
                Verdict::Hole(from) => {
                    let (instrument, to) = (bar.instrument, bar.open_time);
                    events.push(status(instrument, FeedKind::Gap { from, to }, event.ts_recv));
                    self.book.give_up(instrument, events);
                    lost.push(instrument);
                }
            }
        }
        // As a session that cannot fetch gives up each loss behind the frame that shows it.
        for instrument in lost {
            self.book.give_up(instrument, events);
        }
    }

    fn say(&self, kind: FeedKind, events: &mut Vec<Event>) {
        events.extend(self.instruments.iter().map(|&id| status(id, kind, self.now)));
    }

    /// Reads up to the next line that can be read.
    fn read_on(&mut self) {
        self.next = loop {
            match self.recording.next() {
                None => break None,
                Some(Ok(recorded)) => break Some(recorded),
                Some(Err(error)) => {
                    let words = error.to_string();
                    if error.kind() == RecordingErrorKind::Line {
                        self.complain(&words);
                    } else {
                        self.counts.cut = Some(words);
                    }
                }
            }
        };
    }

    fn complain(&mut self, words: &str) {
        self.counts.bad += 1;
        if self.counts.bad <= MAX_TOLD as u64 {
            self.complaints.push(words.to_owned());
        }
    }

    fn set_aside(&mut self, what: String) {
        let unused = &mut self.counts.unused;
        let has_room = unused.len() < MAX_UNUSED || unused.contains_key(&what);
        *unused.entry(if has_room { what } else { OTHERS.to_owned() }).or_insert(0) += 1;
    }
}

impl fmt::Debug for Playback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Playback")
            .field("recording", &self.recording)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

fn status(instrument: InstrumentId, kind: FeedKind, ts_recv: Timestamp) -> Event {
    Event::new(ts_recv, Payload::Feed(FeedStatus { instrument, kind }))
}

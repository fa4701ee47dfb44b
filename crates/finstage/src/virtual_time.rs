//! A venue in virtual time: frames pass from the simulator's encoder to the decoder without a
//! socket, and the clock jumps to each of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use finstage_feeds::{Continuity, Decoded, StreamVenue};
use finstage_lab::sim::binance::VirtualFeed;
use finstage_model::{Event, ManualClock, Payload, Timestamp};
use finstage_net::Frame;
use finstage_seal::{Opener, SealError, Sealer, SealerOptions, UnixTime};

use crate::day::Feed;
use crate::live::BATCH_MAX_EVENTS;
use crate::sealing::Sealing;

/// Between two frames farther apart than this, time is not ticked second by second.
const LULL: Duration = Duration::from_secs(60);
/// Ticks into a lull, counted from the last frame: the first second, then late enough for bars of
/// quiet instruments to be closed by silence.
const LULL_TICKS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(15)];

/// A simulated venue as a source of events.
pub struct VirtualVenue {
    feed: VirtualFeed,
    venue: Box<dyn StreamVenue>,
    clock: Arc<ManualClock>,
    frame: String,
    decoded: Decoded,
    continuity: Continuity,
    /// When the last frame came.
    last: Timestamp,
    /// When the frame in `frame` comes; `None` before the first and after the last.
    next: Option<Timestamp>,
    until: Timestamp,
    stop: Arc<AtomicBool>,
    seal: Option<SealedLine>,
    /// Frames that could not be read.
    pub refused: u64,
}

/// A line on which every frame is sealed at one end and opened at the other.
#[derive(Debug)]
struct SealedLine {
    sealer: Sealer,
    opener: Opener,
    envelope: Vec<u8>,
}

impl SealedLine {
    /// Carries a frame; `None` where it was not opened.
    fn carry(&mut self, frame: &str, at: Timestamp) -> Result<Option<String>, SealError> {
        let now = UnixTime::from_secs(at.secs());
        self.envelope.clear();
        self.sealer.seal(frame.as_bytes(), &mut self.envelope)?;
        let opened = self.opener.open(&self.envelope, now).ok();
        Ok(opened.and_then(|opened| String::from_utf8(opened.plain.to_vec()).ok()))
    }
}

impl fmt::Debug for VirtualVenue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualVenue")
            .field("last", &self.last)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl VirtualVenue {
    /// Plays `feed` from where `clock` stands to `until`, or until `stop` turns true.
    #[must_use]
    pub fn new(
        mut feed: VirtualFeed,
        venue: Box<dyn StreamVenue>,
        clock: Arc<ManualClock>,
        (until, stop): (Timestamp, Arc<AtomicBool>),
    ) -> Self {
        use finstage_model::Clock as _;
        let mut frame = String::new();
        let next = feed.next(&mut frame);
        let last = clock.now();
        Self {
            feed,
            continuity: Continuity::new(venue.numbering()),
            venue,
            clock,
            frame,
            decoded: Decoded::default(),
            last,
            next,
            until,
            stop,
            seal: None,
            refused: 0,
        }
    }

    /// Seals every frame on its way.
    #[must_use]
    pub fn sealed(mut self, sealing: Sealing) -> Self {
        let Sealing { keys, counters, .. } = sealing;
        let opener = Opener::new(keys.clone());
        let sealer = Sealer::new(keys, Box::new(counters), SealerOptions::default());
        self.seal = Some(SealedLine { sealer, opener, envelope: Vec::new() });
        self
    }

    fn read_frame(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        let mut text = std::mem::take(&mut self.frame);
        if let Some(line) = &mut self.seal {
            match line.carry(&text, at) {
                Ok(Some(opened)) => text = opened,
                Ok(None) | Err(_) => text.clear(),
            }
        }
        let frame = Frame::Text(text);
        if self.venue.decode(&frame, at, &mut self.decoded).is_err() {
            self.refused += 1;
        }
        self.continuity.follow(&mut self.decoded.events);
        if self.seal.is_some() {
            self.decoded.events.iter_mut().for_each(|event| event.sealed = true);
        }
        events.append(&mut self.decoded.events);
        self.decoded.clear();
        if let Frame::Text(text) = frame {
            self.frame = text;
        }
        self.next = self.feed.next(&mut self.frame);
    }
}

/// Appends the ticks between two moments: every second, or sparsely in a lull.
pub(crate) fn tick(from: Timestamp, to: Timestamp, events: &mut Vec<Event>) {
    let tick = |ts_recv| Event::new(ts_recv, Payload::Tick);
    if to.since(from) > LULL {
        events.extend(LULL_TICKS.map(|after| tick(from.plus(after))));
        events.push(tick(to.minus(Duration::from_secs(1))));
    } else {
        let seconds = from.secs() + 1..=to.secs();
        events.extend(seconds.map(|second| tick(Timestamp::from_secs(second))));
    }
}

impl Feed for VirtualVenue {
    /// A batch ends where time passes, so that the clock is right for what is said about it.
    fn next(&mut self, events: &mut Vec<Event>) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        while events.len() < BATCH_MAX_EVENTS {
            let at = self.next.filter(|at| *at < self.until);
            let to = at.unwrap_or(self.until);
            if to.secs() > self.last.secs() {
                if !events.is_empty() {
                    return true;
                }
                tick(self.last, to, events);
                self.last = to;
                if let Some(tick) = events.last() {
                    self.clock.set(tick.ts_recv);
                }
                return true;
            }
            let Some(at) = at else { return !events.is_empty() };
            self.last = at;
            self.clock.set(at);
            self.read_frame(at, events);
        }
        true
    }
}

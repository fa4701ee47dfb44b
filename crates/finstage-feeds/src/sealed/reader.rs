//! Opens the frames of one connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use finstage_net::{Frame, FrameReader};
use finstage_seal::{Keys, Opener, Refused, UnixTime};
use tokio::time::Instant;
use tracing::warn;

use super::place::Place;
use super::{Shared, lock};

/// The most frames that one envelope may hold; one with more is refused as a whole.
pub const MAX_LINES: usize = 16_384;

/// The opener and its keys.
pub(super) struct Desk {
    opener: Opener,
    keys: Keys,
}

impl Desk {
    pub(super) const fn new(opener: Opener, keys: Keys) -> Self {
        Self { opener, keys }
    }
}

impl Shared {
    /// Puts behind `out` the frames that are in an envelope.
    fn open(&self, envelope: &[u8], out: &mut VecDeque<Frame>) -> Result<(), Refused> {
        let now = UnixTime::from_secs(self.clock.now().secs());
        let mut desk = lock(&self.desk);
        if let Some(error) = desk.keys.trouble() {
            warn!(venue = %self.venue, %error, "the keyring has changed and cannot be used, the keys from before stay");
        }
        let opened = desk.opener.open(envelope, now)?;
        unpack(opened.plain, out)
    }

    fn count(&self, result: Result<(), Refused>, began: Instant) {
        let add = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed) + 1;
        let refused = match result {
            Ok(()) => {
                add(&self.stats.opened);
                None
            }
            Err(refused @ Refused::Failed) => Some((refused, add(&self.stats.failed))),
            Err(refused @ Refused::Replayed) => Some((refused, add(&self.stats.replayed))),
        };
        if let Some((why, count)) = refused {
            self.stats.refused_at(self.clock.now());
            // The first, second, fourth …: who floods us with envelopes does not flood the log.
            if count.is_power_of_two() {
                warn!(venue = %self.venue, %why, count, "a sealed frame was refused");
            }
        }
        let took = began.elapsed();
        if took > self.slow {
            let count = add(&self.stats.slow);
            if count.is_power_of_two() {
                warn!(venue = %self.venue, ?took, count, "opening a sealed frame was slow");
            }
        }
    }
}

/// The frames in a plaintext: the lines of a text, or else one of bytes.
fn unpack(plain: &[u8], out: &mut VecDeque<Frame>) -> Result<(), Refused> {
    let Ok(text) = std::str::from_utf8(plain) else {
        out.push_back(Frame::Binary(plain.to_vec()));
        return Ok(());
    };
    let lines = || text.lines().filter(|line| !line.trim_ascii().is_empty());
    if lines().nth(MAX_LINES).is_some() {
        return Err(Refused::Failed);
    }
    out.extend(lines().map(|line| Frame::Text(line.to_owned())));
    Ok(())
}

/// Reads one connection.
pub(super) struct Reader {
    shared: Arc<Shared>,
    place: Place,
    has_opened: bool,
}

impl Reader {
    pub(super) const fn new(shared: Arc<Shared>, place: Place) -> Self {
        Self { shared, place, has_opened: false }
    }
}

impl FrameReader for Reader {
    fn read(&mut self, frame: Frame, out: &mut VecDeque<Frame>) {
        let envelope = match &frame {
            Frame::Text(text) => text.as_bytes(),
            Frame::Binary(bytes) => bytes,
            // The line's own, of which nothing is sealed.
            Frame::Ping(_) | Frame::Pong(_) | Frame::Close => {
                out.push_back(frame);
                return;
            }
        };
        let began = Instant::now();
        let result = self.shared.open(envelope, out);
        self.shared.count(result, began);
        if result.is_ok() && !self.has_opened {
            self.has_opened = true;
            self.shared.answered(self.place);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // A server that has nothing for our keys is as good as none.
        if !self.has_opened {
            self.shared.failed(self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(plain: &[u8]) -> Option<Vec<Frame>> {
        let mut out = VecDeque::new();
        unpack(plain, &mut out).ok().map(|()| out.into())
    }

    #[test]
    fn each_line_is_a_frame_and_what_is_no_text_is_one() {
        let text = |text: &str| Frame::Text(text.to_owned());
        assert_eq!(unpacked(b"{\"a\":1}"), Some(vec![text("{\"a\":1}")]));
        assert_eq!(unpacked(b"a\r\n\n  \nb\n"), Some(vec![text("a"), text("b")]));
        assert_eq!(unpacked(b""), Some(Vec::new()));
        assert_eq!(unpacked(b"\xff\n\xfe"), Some(vec![Frame::Binary(b"\xff\n\xfe".to_vec())]));
    }

    #[test]
    fn more_frames_than_may_be_held_are_refused_as_a_whole() {
        let lines = |count: usize| "x\n".repeat(count);
        assert_eq!(
            unpacked(lines(MAX_LINES).as_bytes()).map(|frames| frames.len()),
            Some(MAX_LINES)
        );
        let mut out = VecDeque::new();
        assert_eq!(unpack(lines(MAX_LINES + 1).as_bytes(), &mut out), Err(Refused::Failed));
        assert!(out.is_empty());
    }
}

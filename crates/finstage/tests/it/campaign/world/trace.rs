//! Everything that passes between client and venues, as one number.

use finstage_model::{Event, FeedKind, Payload, Timestamp};

/// A hash over what was sent, received and said, each with its moment: 8 bytes at a time, multiplied
/// and shifted as in `FxHash` and SplitMix64. Not for secrets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trace(u64);

impl Trace {
    pub(crate) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) const fn hash(self) -> u64 {
        self.0
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.0 ^= self.0 >> 31;
    }

    /// `what` happened to these bytes.
    pub(crate) fn bytes(&mut self, at: Timestamp, what: u8, bytes: &[u8]) {
        self.number(at.nanos() as u64);
        self.number(u64::from(what) << 32 | bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.number(u64::from_le_bytes(word));
        }
    }

    /// The client said this.
    pub(crate) fn event(&mut self, event: &Event) {
        self.number(event.ts_recv.nanos() as u64);
        match &event.payload {
            Payload::Trade(trade) => {
                self.number(trade.id.0 as u64);
                self.number(u64::from(trade.instrument.0));
                self.number(trade.ts_event.nanos() as u64);
                self.number(trade.price.nanos() as u64);
            }
            Payload::Bar(bar) => {
                self.number(bar.open_time.nanos() as u64);
                self.number(u64::from(bar.instrument.0) << 32 | u64::from(bar.trades));
                for price in [bar.open, bar.high, bar.low, bar.close] {
                    self.number(price.nanos() as u64);
                }
            }
            Payload::Feed(status) => {
                self.number(u64::from(status.instrument.0));
                match status.kind {
                    FeedKind::Gap { from, to } => {
                        self.number(1);
                        self.number(from.nanos() as u64);
                        self.number(to.nanos() as u64);
                    }
                    FeedKind::Repaired { from, to } => {
                        self.number(2);
                        self.number(from.nanos() as u64);
                        self.number(to.nanos() as u64);
                    }
                    FeedKind::Up => self.number(3),
                    FeedKind::Stale => self.number(4),
                    _ => self.number(5),
                }
            }
            other => self.bytes(event.ts_recv, 6, format!("{other:?}").as_bytes()),
        }
    }
}

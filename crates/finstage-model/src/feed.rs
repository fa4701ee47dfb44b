use crate::{InstrumentId, Timestamp};

/// What happened to the stream of one instrument. A loss is an event, never silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedStatus {
    /// The instrument whose stream it is.
    pub instrument: InstrumentId,
    /// What happened.
    pub kind: FeedKind,
}

/// The kinds of [`FeedStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedKind {
    /// Connected and subscribed: messages flow from here on.
    Up,
    /// Nothing has been heard for longer than the venue's normal silence.
    Stale,
    /// Messages between the two moments may be lost.
    Gap {
        /// The last moment known to be complete.
        from: Timestamp,
        /// The first moment known to be complete again.
        to: Timestamp,
    },
    /// The venue's own bars of the gap were fetched and sent before this event: series made of
    /// venue bars are whole again.
    Repaired {
        /// Start of the repaired gap.
        from: Timestamp,
        /// End of the repaired gap.
        to: Timestamp,
    },
}

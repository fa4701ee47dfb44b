use crate::{
    Bar, CardNotice, Document, FeedStatus, Insight, Instrument, InstrumentId, MuteNotice, Past,
    Said, Timestamp, Trade, WatchNotice,
};

/// Something that happened, with the moment at which this process received it.
///
/// Events are written to the journal and then applied by the engine; nothing else reaches it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it was received: engine time never goes back behind it.
    pub ts_recv: Timestamp,
    /// What happened.
    pub payload: Payload,
    /// Whether the frame that brought it came sealed: encrypted, under one of our keys, and never seen
    /// before. What is fetched, computed or said by ourselves is not.
    pub sealed: bool,
}

impl Event {
    /// Something that did not come sealed.
    #[must_use]
    pub const fn new(ts_recv: Timestamp, payload: Payload) -> Self {
        Self { ts_recv, payload, sealed: false }
    }
}

/// Everything that can happen. A closed list: a new cause is a new variant, and the compiler
/// shows every place that must decide about it.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// An instrument exists; precedes every other mention of its id.
    Instrument(Box<Instrument>),
    /// A venue printed a trade.
    Trade(Trade),
    /// A venue closed a bar.
    Bar(Bar),
    /// A stream went up, silent, or lost something.
    Feed(FeedStatus),
    /// Stored bars of one series: they warm indicators and say nothing.
    Past(Box<Past>),
    /// The stored past of an instrument has changed: its indicators and series are forgotten, and
    /// [`Payload::Past`] of every one of its series follows. What was said stays said.
    Reset(InstrumentId),
    /// An alert of the last 24 hours, so that cooldowns and budgets outlive a process.
    Said(Box<Said>),
    /// An evidence card is in force, in place of an earlier one of the same hypothesis.
    Card(Box<CardNotice>),
    /// A watch was added, or taken out again.
    Watch(Box<WatchNotice>),
    /// Alerts of a rule or about an instrument are muted, or not any more.
    Mute(Box<MuteNotice>),
    /// A headline was seen for the first time.
    Document(Box<Document>),
    /// A document was read. Whoever read it is not asked again by a replay.
    Insight(Box<Insight>),
    /// Time passed.
    Tick,
}

const _: () = assert!(size_of::<Event>() <= 112);

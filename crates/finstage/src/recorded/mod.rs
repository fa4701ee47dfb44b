//! A recording through the house: recorded frames become events by the venue's own decoder, and the
//! engine hears them in a store of its own that is gone afterwards. Nothing is sent.

mod plan;
mod venue;

use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use finstage_engine::{EngineSettings, series_depths};
use finstage_feeds::recording::{Asked, Playback, PlaybackCounts, Recording};
use finstage_feeds::venues::Venue;
use finstage_feeds::{Subscription, SymbolMap};
use finstage_model::{Event, Instrument, ManualClock, Output, Timestamp};
use finstage_store::history::History;
use finstage_store::records::{Records, StoreKind};
use finstage_strategies::CATALOG;

use crate::day::{House, Renewal, Rim};
use crate::exit::{Failure, Result};
use crate::live::{Freshness, Names, Observer, Safe, Voice};
use crate::unsynced::UnsyncedFiles;
use crate::wiring::{self, Store};

pub use plan::settings_for;
pub use venue::RecordedVenue;

/// What a recording is played with.
#[derive(Debug, Clone)]
pub struct Tape {
    /// Whose frames they are.
    pub venue: &'static Venue,
    /// What is in it.
    pub asked: Vec<Asked>,
    /// What the engine is told.
    pub settings: EngineSettings,
    /// Bars and cards from before; none where there is no store.
    pub past: Option<Past>,
}

/// A store that is read and not written.
#[derive(Debug, Clone)]
pub struct Past {
    /// What was said and proven.
    pub records: Records,
    /// All bars.
    pub history: History,
}

impl Past {
    /// That of a data folder; `None` where it holds no records.
    ///
    /// # Errors
    /// Exit 6 when they are damaged or newer.
    pub fn of(dir: &Path) -> Result<Option<Self>> {
        if !dir.join("records.db").exists() {
            return Ok(None);
        }
        let records = wiring::read_records(dir)?;
        let history = wiring::history(dir, &records);
        Ok(Some(Self { records, history }))
    }
}

/// Is told, in words, what cannot be read.
pub type Complain = Box<dyn FnMut(&str)>;

/// Who is told what while a recording is played.
pub struct Ears {
    /// What the engine says.
    pub observer: Arc<dyn Observer>,
    /// Lines and frames that cannot be read, in words.
    pub complain: Complain,
    /// Ends the recording early when it turns true.
    pub stop: Arc<AtomicBool>,
}

impl fmt::Debug for Ears {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ears").field("observer", &self.observer).finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// Events that the engine heard, the ticks of each second included.
    pub events: u64,
    /// What it said.
    pub outputs: u64,
    /// A hash over what it said.
    pub hash: String,
    /// Stored bars that warmed the strategies.
    pub warmed: usize,
    /// What became of the frames.
    pub counts: PlaybackCounts,
    /// When the first and the last thing happened; `None` where nothing did.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Tape {
    /// Plays a recording to its end.
    ///
    /// # Errors
    /// Exit 6 when the folder for temporary files is full.
    pub fn play(&self, recording: Recording, ears: Ears) -> Result<Played> {
        let build = self.venue.stream.ok_or_else(|| {
            Failure::usage(format!("{} streams nothing: it has no frames", self.venue.profile.name))
        })?;
        let folder = tempfile::Builder::new().prefix("finstage-replay-").tempdir()?;
        let store = Store::open(folder.path(), StoreKind::Demo, Arc::new(UnsyncedFiles))?;
        store.records.stop_syncing()?;
        let mut instruments = Vec::new();
        for asked in &self.asked {
            let instrument = wiring::describe(&asked.symbol);
            let id = store.records.put_instrument(&instrument)?;
            instruments.push(Instrument { id, ..instrument });
        }
        let subscribe = |(asked, instrument): (&Asked, &Instrument)| Subscription {
            instrument: instrument.id,
            symbol: asked.symbol.clone(),
            trades: asked.trades,
            intervals: asked.intervals.clone(),
        };
        let subscriptions: Vec<Subscription> =
            self.asked.iter().zip(&instruments).map(subscribe).collect();
        let profile = self.venue.profile;
        let stream = build(&profile.endpoints(), SymbolMap::of(&subscriptions));
        let playback = Playback::new(recording, (stream, profile), &subscriptions);
        let begins = playback.next_at();
        let start = begins.unwrap_or(Timestamp::EPOCH);
        let warmed = self.remember(&store, start)?;
        let clock = Arc::new(ManualClock::new(start));
        let tally = Arc::new(Tally { inner: ears.observer, voice: Mutex::default() });
        let mut venue =
            RecordedVenue::new(playback, Arc::clone(&clock), (ears.complain, ears.stop));
        if begins.is_some() {
            let rim = rim(clock, Arc::clone(&tally) as _);
            let Store { journal, records, history, .. } = store;
            let settings = self.settings.clone();
            House { journal, records, history, settings, instruments, rim }.run(&mut venue)?;
        }
        venue.complain_rest();
        let said = tally.voice.lock().unwrap_or_else(PoisonError::into_inner).digest();
        Ok(Played {
            events: said.events,
            outputs: said.outputs,
            hash: format!("{:032x}", said.digest),
            warmed,
            span: begins.map(|start| (start, venue.last())),
            counts: venue.counts().clone(),
        })
    }

    /// What was known when the recording began goes into the store: bars that had closed, cards,
    /// watches. Returns how many bars.
    fn remember(&self, store: &Store, start: Timestamp) -> Result<usize> {
        let Some(past) = &self.past else { return Ok(0) };
        let mut warmed = 0;
        let depths = series_depths(&self.settings, CATALOG).map_err(Failure::usage)?;
        for (symbol, interval, depth) in depths {
            let bars = past.history.last_bars(&symbol, interval, start, depth)?;
            store.history.import(&symbol, interval, &bars)?;
            warmed += bars.len();
        }
        let cards = past.records.cards_since(0)?;
        store.records.keep_cards(cards.iter().map(|row| &row.card))?;
        for watch in past.records.watches_added()? {
            if self.asked.iter().any(|asked| asked.symbol == watch.symbol) {
                store.records.watch_add(&watch)?;
            }
        }
        Ok(warmed)
    }
}

/// A house in which nothing is sent and nothing is kept longer than it is needed.
fn rim(clock: Arc<ManualClock>, observer: Arc<dyn Observer>) -> Rim {
    Rim {
        clock,
        observer,
        safe: Safe::default(),
        fsync: None,
        notifiers: Vec::new(),
        max_age: Duration::MAX,
        keep: Some(Duration::ZERO),
        renewal: Renewal::Daily,
        imports: None,
        patience: Default::default(),
    }
}

/// Counts what is said for the first time, and hands it on.
#[derive(Debug)]
struct Tally {
    inner: Arc<dyn Observer>,
    voice: Mutex<Voice>,
}

impl Observer for Tally {
    fn said(&self, names: &Names, event: &Event, outputs: &[Output], freshness: Freshness) {
        if freshness == Freshness::New {
            self.voice.lock().unwrap_or_else(PoisonError::into_inner).add(outputs);
        }
        self.inner.said(names, event, outputs, freshness);
    }
}

//! The demo in virtual time: a simulated day, or a user's own bars, as fast as it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use finstage_engine::series_depths;
use finstage_feeds::SymbolMap;
use finstage_lab::sim::binance::{FeedStream, VirtualFeed};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::market::{BarQuery, Market, MarketSpec};
use finstage_model::text::BarTable;
use finstage_model::{Bar, Instrument, Interval, ManualClock, Symbol, Timestamp};
use finstage_notify::Template;
use finstage_strategies::CATALOG;

use super::delivery::Messenger;
use super::plan::{self, Addresses};
use super::screen::Screen;
use super::tally::{Patience, Shown, Tally};
use super::{Ending, Evidence, Folder, Summary, evidence, keyring, market, scenario, start};
use crate::cli::{Demo, Global};
use crate::commands::import::{read_bars, symbol_of};
use crate::commands::serve::stop_on_signal;
use crate::config::settings::Settings;
use crate::day::{House, Renewal, Rim};
use crate::exit::{Failure, Result};
use crate::live::Safe;
use crate::sealing::Sealing;
use crate::unsynced::UnsyncedFiles;
use crate::virtual_time::VirtualVenue;
use crate::wiring::{self, Store};

/// How long a simulated day is.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Played on after the last bar of a file, so that it closes and its day ends.
const AFTER_FILE: Duration = Duration::from_secs(120);
/// Lines that may wait for the screen.
const SCREEN_LINES: usize = 4;
/// The time between two of them.
const LINE_EVERY: Duration = Duration::from_millis(120);

pub(super) fn run(global: &Global, args: &Demo, began: Timestamp) -> Result<Summary> {
    let messenger = Messenger::start(Timestamp::EPOCH)?;
    let addresses = Addresses { telegram: messenger.url(), ..Addresses::default() };
    let tape = match &args.input {
        None => Tape::simulated(args.seed, &addresses)?,
        Some(file) => {
            let bars = read_bars(global, file, &args.bars)?;
            Tape::own(&symbol_of(file, &args.bars)?, bars.interval, bars.bars, &addresses)?
        }
    };
    let folder = Folder::make(global)?;
    let store = folder.open(Arc::new(UnsyncedFiles))?;
    store.records.stop_syncing()?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_interrupt(&stop)?;
    let told = !(global.quiet || global.json);
    let (send, receive) = sync_channel(SCREEN_LINES);
    let watched = told && !args.fast;
    let tally = Arc::new(Tally::new(watched.then_some((send, Patience::Wait))));
    let screen = std::thread::spawn(move || show(&receive));
    let scenario = scenario(args.scenario.as_deref())?;
    let evidence = match &args.input {
        Some(file) => Evidence::NotOf(file.clone()),
        None => Evidence::Of(evidence::gather(&tape.market, &store, &tape.settings, tape.start)?),
    };
    if let Some(findings) = evidence.findings() {
        Screen::new(!told, None).findings(findings);
    }
    let sealing = args.sealed.then(|| Sealing::open_or_make(&keyring(folder.path()), tape.start));
    let link = Link { faults: scenario, sealing: sealing.transpose()? };
    let undecodable = tape.play(&store, &tally, link, stop)?;
    if folder.is_kept() {
        // As a service does at its next start.
        store.history.compact(tape.until, &|| true)?;
    }
    messenger.deliver(&wiring::notifiers(&tape.settings)?, &store.records)?;
    if let (true, true, Some(message)) = (told, args.fast, messenger.last_message()) {
        let mut screen = Screen::new(false, None);
        screen.line("A message, as it arrived:");
        screen.show(&message);
    }
    let ending = Ending { began, undecodable, evidence, folder: folder.words() };
    let summary = Summary::of(args.seed, &tally, &store, ending);
    drop(tally);
    let _ = screen.join();
    summary
}

/// Shows lines at a pace that people can follow; whoever sends waits meanwhile.
fn show(lines: &Receiver<Shown>) {
    let mut screen = Screen::new(false, Some(Template::default()));
    for shown in lines {
        screen.show(&shown);
        std::thread::park_timeout(LINE_EVERY);
    }
}

/// Turns true on Ctrl-C or SIGTERM: what was played until then is summed up.
pub(in crate::commands) fn stop_on_interrupt(stop: &Arc<AtomicBool>) -> Result<()> {
    let stop = Arc::clone(stop);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wait = move || {
        runtime.block_on(async {
            let _ = stop_on_signal().wait_for(|stop| *stop).await;
        });
        stop.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

/// What happens to frames on their way.
struct Link {
    faults: Scenario,
    sealing: Option<Sealing>,
}

/// What is played, and by which settings it is watched.
struct Tape {
    market: Market,
    settings: Settings,
    wire_names: Vec<String>,
    start: Timestamp,
    until: Timestamp,
}

impl Tape {
    fn simulated(seed: u64, addresses: &Addresses) -> Result<Self> {
        let wire_names = plan::SYMBOLS.map(String::from).to_vec();
        Ok(Self {
            market: market(seed)?,
            settings: plan::market(addresses)?,
            wire_names,
            start: start(),
            until: start().plus(DAY),
        })
    }

    fn own(
        symbol: &Symbol,
        interval: Interval,
        bars: Vec<Bar>,
        addresses: &Addresses,
    ) -> Result<Self> {
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
            return Err(Failure::usage("the file holds no bars"));
        };
        let (start, until) = (first.open_time, last.close_time().plus(AFTER_FILE));
        let settings = plan::own_bars(addresses, symbol, interval)?;
        let wire_name = plan::wire_name(symbol);
        let listed: Symbol = format!("binance:{wire_name}").parse().map_err(Failure::usage)?;
        let table = BarTable { symbol: listed, interval, bars };
        let market = Market::new(MarketSpec::bars(start, vec![table])).map_err(Failure::usage)?;
        Ok(Self { market, settings, wire_names: vec![wire_name], start, until })
    }

    /// Plays the tape through the whole thread; returns how many frames could not be read.
    fn play(
        &self,
        store: &Store,
        tally: &Arc<Tally>,
        link: Link,
        stop: Arc<AtomicBool>,
    ) -> Result<u64> {
        let instruments = wiring::instruments(&self.settings, &store.records)?;
        self.remember(store, &instruments)?;
        let clock = Arc::new(ManualClock::new(self.start));
        let notifiers = wiring::notifiers(&self.settings)?;
        let rim = Rim {
            clock: Arc::clone(&clock) as _,
            observer: Arc::clone(tally) as _,
            safe: Safe::default(),
            fsync: None,
            notifiers: notifiers.iter().map(|n| n.name().to_owned()).collect(),
            max_age: self.settings.max_age,
            keep: None,
            renewal: Renewal::Daily,
            imports: None,
            patience: Default::default(),
        };
        let feed = &self.settings.feeds[0];
        let (venue, endpoints) = wiring::venue(feed)?;
        let build = venue.stream.ok_or_else(|| Failure::usage("the venue streams nothing"))?;
        let names = self.wire_names.iter().cloned().zip(instruments.iter().map(|i| i.id));
        let stream = build(&endpoints, names.collect::<SymbolMap>());
        let wanted = |name: &String| FeedStream {
            symbol: name.clone(),
            trades: true,
            intervals: feed.venue_intervals.clone(),
        };
        let streams: Vec<FeedStream> = self.wire_names.iter().map(wanted).collect();
        let frames = VirtualFeed::new(self.market.clone(), &streams)
            .map_err(Failure::usage)?
            .with_faults(link.faults);
        let mut source = VirtualVenue::new(frames, stream, clock, (self.until, stop));
        if let Some(sealing) = link.sealing {
            source = source.sealed(sealing);
        }
        let house = House {
            journal: store.journal.clone(),
            records: store.records.clone(),
            history: store.history.clone(),
            settings: self.settings.engine.clone(),
            instruments,
            rim,
        };
        house.run(&mut source)?;
        Ok(source.refused)
    }

    /// The market's past goes into the store, as the service fetches it at its first start.
    fn remember(&self, store: &Store, instruments: &[Instrument]) -> Result<()> {
        for (symbol, interval, depth) in
            series_depths(&self.settings.engine, CATALOG).map_err(Failure::usage)?
        {
            let place = instruments.iter().position(|i| i.symbol == symbol);
            let listed = place.and_then(|i| self.market.index_of(&self.wire_names[i]));
            if let (Some(listed), true) =
                (listed, self.settings.feeds[0].venue_intervals.contains(&interval))
            {
                let bars = self.market.bars(&BarQuery::newest(listed, interval, depth));
                let closed: Vec<_> =
                    bars.into_iter().filter(|bar| bar.close_time() <= self.start).collect();
                store.history.import(&symbol, interval, &closed)?;
            }
        }
        Ok(())
    }
}

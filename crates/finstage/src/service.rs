//! A running service: sessions and ticks into one channel, the engine on a thread of its own,
//! dispatchers behind the outbox. `serve` and `demo` are this with other addresses and clocks.

mod channel;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use finstage_engine::series_depths;
use finstage_feeds::{Session, SessionLimits, SessionOptions, SessionStats, Since, SymbolMap};
use finstage_model::{Clock, Event, Symbol};
use finstage_net::{Client, Remote, SocketOptions, SteadyClock};
use finstage_notify::{Courier, Dispatcher, DispatcherOptions, Explain, Lines, Notifier, Stats};
use finstage_server::Server;
use finstage_store::records::StoreKind;
use finstage_strategies::CATALOG;
use jiff::tz::TimeZone;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use crate::backfill::Source;
use crate::channels::{self, Gone};
use crate::chat;
use crate::config::settings::{FeedSettings, Settings};
use crate::day::{House, Renewal, Rim, engine_day};
use crate::exit::{Exit, Failure, Result};
use crate::explain::Explainer;
use crate::gateway::Gateway;
use crate::jobs;
use crate::live::{Observer, Safe};
use crate::monitor::{self, Monitor, Started};
use crate::news;
use crate::pace::Pace;
use crate::patience::Patience;
use crate::polled::{self, Want};
use crate::report::job::Job;
use crate::serving::{self, Opened, Running, Telling};
use crate::upkeep::prune::Policy;
use crate::venues::{self, Door, Doors, Means};
use crate::wiring::{self, Store};
use channel::{ChannelFeed, TICK, Waking, tick};

/// Frames that may wait for the engine before sockets are no longer read.
const QUEUE_FRAMES: usize = 4_096;
/// After an absence longer than this, missed bars are fetched as history and say nothing.
const ABSENCE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Spreads the questions of feeds of news.
const NEWS_SEED: u64 = 1;
/// The longest that the engine may take to end. With the others, the server's connections and the last words
/// a stop is over within ten seconds.
const ENGINE_STOP_MAX: Duration = Duration::from_secs(4);
/// The longest that feeds, channels and tasks may take to end, together.
const OTHERS_STOP_MAX: Duration = Duration::from_secs(3);

/// What a service is made of.
pub struct Plan {
    /// The configuration.
    pub settings: Settings,
    /// The open store.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How many times faster than real time that clock runs.
    pub speed: f64,
    /// That clock, where it hears what venues say of the time.
    pub steady: Option<SteadyClock>,
    /// Who is told what was said.
    pub observer: Arc<dyn Observer>,
    /// Where the log notifier writes.
    pub lines: fn() -> Lines,
    /// The server beside it, which has its port already.
    pub server: Option<Opened>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What a status line reads while a service runs.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// One per feed.
    pub sessions: Vec<Arc<SessionStats>>,
    /// One per notifier.
    pub notifiers: Vec<(String, Arc<Stats>)>,
    /// One per venue that is asked, and one per issuer of its tokens.
    pub remotes: Vec<Remote>,
    /// The feeds of news.
    pub news: Arc<news::stats::NewsStats>,
}

/// Runs a service until `stop` turns true or something breaks. `ready` is called once, when all
/// parts have been started.
///
/// # Errors
/// What broke the engine's thread; everything that was committed before is kept.
pub async fn run(
    mut plan: Plan,
    stop: watch::Receiver<bool>,
    ready: impl FnOnce(Gauges),
) -> Result<()> {
    let wake = Arc::new(Notify::new());
    if let (None, Some(server)) = (&plan.settings.server.options.public_url, &plan.server) {
        // Where messages link to; people elsewhere need the address that they reach it by.
        plan.settings.server.options.public_url = server.url();
    }
    let notifiers = wiring::notifiers(&plan.settings)?;
    let gone = channels::settle(&plan.settings, &plan.store.records, plan.clock.now())?;
    let house = build_house(&plan, &notifiers, (&wake, &stop))?;
    let monitor = Arc::new(monitor(&plan, &house, gone));
    // Before history is fetched, which may take long: people can see that it does.
    let gateway = plan.server.as_ref().and_then(|opened| opened.gateway.clone());
    let server = plan
        .server
        .take()
        .map(|opened| start_server(opened, &plan, (&house, &monitor)))
        .transpose()?;
    let (server, running) = server.unzip();
    if let Some(server) = &server {
        monitor.follow(server.meter());
    }
    let beside = Beside { running, gateway: gateway.clone(), monitor };
    let ended = run_beside(plan, (house, notifiers, wake), beside, (stop, ready)).await;
    if let Some(server) = server {
        server.stop().await;
    }
    if let Some(gateway) = gateway {
        // Only now: what was being answered is over.
        let _ = tokio::task::spawn_blocking(move || gateway.flush()).await;
    }
    ended
}

/// What the server tells of the service, and who passes programs on to its venues.
struct Beside {
    running: Option<Arc<OnceLock<Running>>>,
    gateway: Option<Arc<Gateway>>,
    monitor: Arc<Monitor>,
}

impl Beside {
    /// Programs may ask the venues.
    fn open(&self, doors: &Doors, means: Means<'_>) -> Result<()> {
        self.gateway.as_ref().map_or(Ok(()), |gateway| gateway.open(doors, means))
    }

    /// The service is looked after.
    fn watch(&self, started: Started, quitting: &watch::Receiver<bool>) -> JoinHandle<()> {
        self.monitor.begin(started);
        tokio::spawn(Arc::clone(&self.monitor).run(quitting.clone()))
    }

    /// What they spend is written down.
    fn keep(&self, quitting: &watch::Receiver<bool>) -> Option<JoinHandle<()>> {
        let gateway = Arc::clone(self.gateway.as_ref()?);
        Some(tokio::spawn(gateway.keep(quitting.clone())))
    }
}

/// Runs what the server is beside.
async fn run_beside(
    plan: Plan,
    (house, notifiers, wake): (House, Vec<Arc<dyn Notifier>>, Arc<Notify>),
    beside: Beside,
    (stop, ready): (watch::Receiver<bool>, impl FnOnce(Gauges)),
) -> Result<()> {
    let client = wiring::client()?;
    let means = Means {
        settings: &plan.settings,
        client: &client,
        dir: &plan.store.dir,
        clock: &plan.clock,
    };
    let doors = venues::doors_of_feeds(&plan.settings.feeds, means)?;
    beside.open(&doors, means)?;
    let mut feeds = plan.settings.feeds.clone();
    if !fill_all(&house, &mut feeds, &doors, stop.clone()).await? {
        return Ok(());
    }
    let (quit, quitting) = watch::channel(false);
    let (events, received) = mpsc::channel(QUEUE_FRAMES);
    let queue = events.downgrade();
    let mut gauges =
        Gauges { remotes: doors.values().flat_map(Door::remotes).collect(), ..Gauges::default() };
    let mut tasks = Vec::new();
    for feed in &feeds {
        let ends = (events.clone(), quitting.clone());
        let (task, stats) = start_session(&house, feed, &doors, ends)?;
        tasks.push(task);
        gauges.sessions.push(stats);
    }
    tasks.extend(start_news(
        &plan,
        &house,
        (&client, &gauges.news),
        (events.clone(), quitting.clone()),
    )?);
    // Only now: what a power cut took was taken back, and missing history was fetched.
    let pace = Pace { clock: Arc::clone(&plan.clock), speed: plan.speed };
    let steady = plan.steady.clone();
    tasks.push(tokio::spawn(tick(events, pace.clone(), steady.clone(), quitting.clone())));
    let (works, due) = jobs(&plan, &house)?;
    let scheduling = jobs::start((&works, due), &doors, pace, &quitting)?;
    let scheduled = scheduling.iter().map(JoinHandle::abort_handle).collect();
    tasks.extend(scheduling);
    tasks.extend(beside.keep(&quitting));
    tasks.extend(chat::start((&plan, &house, &beside.monitor), &client, (&wake, &quitting))?);
    let (deliver, delivering) = watch::channel(false);
    let explain = explainer(&plan, &house);
    for notifier in notifiers {
        let name = notifier.name().to_owned();
        let means = (notifier, client.clone(), explain.clone());
        let dispatcher = build_dispatcher(&plan, &house, means, &wake);
        gauges.notifiers.push((name, dispatcher.stats()));
        tasks.push(tokio::spawn(dispatcher.run(delivering.clone())));
    }
    let engine = start_engine(house, ChannelFeed { received, steady })?;
    let started = Started { gauges: gauges.clone(), feeds: feeds.clone(), scheduling: scheduled };
    tasks.push(beside.watch(started, &quitting));
    if let Some(running) = beside.running {
        let gateway = beside.gateway;
        let _ = running.set(Running { gauges: gauges.clone(), feeds, queue, gateway });
    }
    ready(gauges);
    let ended = supervise(engine, stop, &quit).await;
    let _ = quit.send(true);
    // Only now: what the engine said last is tried as well.
    let _ = deliver.send(true);
    end_together(tasks).await;
    ended
}

/// Fetches what is missing of every feed, and leaves out what its venue refuses; false when it was told to
/// stop before.
async fn fill_all(
    house: &House,
    feeds: &mut Vec<FeedSettings>,
    doors: &Doors,
    mut stop: watch::Receiver<bool>,
) -> Result<bool> {
    let mut refused = BTreeSet::new();
    for feed in &*feeds {
        tokio::select! {
            filled = fill_history(house, feed, doors, &mut refused) => filled?,
            _ = stop.wait_for(|stop| *stop) => return Ok(false),
        }
    }
    watch_without(feeds, &refused)?;
    Ok(true)
}

/// Waits until all tasks ended, however many there are, and no longer than one stop may take.
async fn end_together(tasks: Vec<JoinHandle<()>>) {
    let until = tokio::time::Instant::now() + OTHERS_STOP_MAX;
    for task in tasks {
        let _ = tokio::time::timeout_at(until, task).await;
    }
}

fn build_house(
    plan: &Plan,
    notifiers: &[Arc<dyn Notifier>],
    (wake, stop): (&Arc<Notify>, &watch::Receiver<bool>),
) -> Result<House> {
    let settings = &plan.settings;
    let mut inner = Arc::clone(&plan.observer);
    if let Some(server) = &plan.server {
        let (live, clock) = (Arc::clone(&server.live), Arc::clone(&plan.clock));
        inner = Arc::new(Telling { inner, live, clock });
    }
    let observer = Waking { inner, wake: Arc::clone(wake) };
    let rim = Rim {
        clock: Arc::clone(&plan.clock),
        observer: Arc::new(observer),
        safe: Safe::default(),
        fsync: Some(settings.fsync),
        notifiers: notifiers.iter().map(|n| n.name().to_owned()).collect(),
        max_age: settings.max_age,
        // Where days are archived, the job of retention forgets them.
        keep: settings.retention.archive.is_none().then_some(settings.keep),
        renewal: Renewal::Daily,
        imports: Some(TICK),
        patience: Patience::until(stop.clone()),
    };
    Ok(House {
        journal: plan.store.journal.clone(),
        records: plan.store.records.clone(),
        history: plan.store.history.clone(),
        settings: settings.engine.clone(),
        instruments: wiring::instruments(settings, &plan.store.records)?,
        rim,
    })
}

/// Who looks after the service.
fn monitor(plan: &Plan, house: &House, gone: Vec<Gone>) -> Monitor {
    let pace = Pace { clock: Arc::clone(&plan.clock), speed: plan.speed };
    let sources = monitor::Sources {
        records: house.records.clone(),
        safe: house.rim.safe.clone(),
        pace,
        dir: plan.store.dir.clone(),
        notifiers: house.rim.notifiers.clone(),
        gone,
    };
    finstage_store::records::set_slow(plan.settings.slow_query);
    Monitor::new(&plan.settings, sources)
}

fn start_server(
    opened: Opened,
    plan: &Plan,
    (house, monitor): (&House, &Arc<Monitor>),
) -> Result<(Server, Arc<OnceLock<Running>>)> {
    let service = serving::Service {
        settings: &plan.settings,
        records: &house.records,
        history: &house.history,
        journal: &house.journal,
        clock: &plan.clock,
        safe: &house.rim.safe,
        monitor: Some(monitor),
    };
    serving::start(opened, &service)
}

/// What the jobs of a service work on, and which there are.
fn jobs(plan: &Plan, house: &House) -> Result<(jobs::Means, Vec<jobs::Job>)> {
    let means = jobs::Means {
        records: house.records.clone(),
        history: house.history.clone(),
        journal: house.journal.clone(),
        clock: Arc::clone(&plan.clock),
        safe: house.rim.safe.clone(),
        notifiers: house.rim.notifiers.clone(),
        engine: house.settings.clone(),
        feeds: plan.settings.feeds.clone(),
        report: report_job(plan, house)?,
        dir: plan.store.dir.clone(),
        retention: Policy::of(&plan.settings),
    };
    let world = house.records.kind()?.unwrap_or(StoreKind::Real);
    Ok((means, jobs::table::jobs(&plan.settings, world)))
}

fn report_job(plan: &Plan, house: &House) -> Result<Job> {
    Ok(Job {
        records: house.records.clone(),
        history: house.history.clone(),
        zone: TimeZone::get(&plan.settings.timezone).map_err(Failure::usage)?,
        daily: plan.settings.report.daily,
        language: plan.settings.report.language,
        watched: house.instruments.iter().map(|one| one.symbol.clone()).collect(),
        notifiers: house.rim.notifiers.clone(),
    })
}

/// Who puts alerts into plain words, where that is wanted and possible. Alerts never depend on it.
fn explainer(plan: &Plan, house: &House) -> Option<Arc<dyn Explain>> {
    let settings = &plan.settings.llm;
    if !settings.explain {
        return None;
    }
    let made = crate::wiring::template(&plan.settings).and_then(|template| {
        let store = (house.records.clone(), plan.store.dir.as_path());
        Explainer::new(settings, template, store, &plan.clock)
    });
    match made {
        Ok(explainer) => Some(Arc::new(explainer)),
        Err(why) => {
            tracing::warn!("alerts go without plain words: {why}");
            None
        }
    }
}

/// Collects news, where that is wanted.
fn start_news(
    plan: &Plan,
    house: &House,
    (client, stats): (&Client, &Arc<news::stats::NewsStats>),
    (events, quit): Ends,
) -> Result<Option<JoinHandle<()>>> {
    let settings = &plan.settings;
    if settings.news.is_off() {
        return Ok(None);
    }
    let pace = Pace { clock: Arc::clone(&plan.clock), speed: plan.speed };
    let watched: Vec<Symbol> = house.instruments.iter().map(|one| one.symbol.clone()).collect();
    let begin = (NEWS_SEED, plan.clock.now());
    let store = (house.records.clone(), plan.store.dir.as_path());
    let desk = news::Desk {
        collector: news::collector(&settings.news, &watched, Some(&house.records), begin)?,
        reader: news::reader::Reader::new((&settings.news, &settings.llm), store, &plan.clock)?,
        records: house.records.clone(),
        client: client.clone(),
        pace,
        stats: Arc::clone(stats),
    };
    Ok(Some(tokio::spawn(desk.run(events, quit))))
}

fn build_dispatcher(
    plan: &Plan,
    house: &House,
    (notifier, client, explain): (Arc<dyn Notifier>, Client, Option<Arc<dyn Explain>>),
    wake: &Arc<Notify>,
) -> Dispatcher {
    let safe = house.rim.safe.clone();
    let options = DispatcherOptions {
        records: plan.store.records.clone(),
        clock: Arc::clone(&plan.clock),
        synced: Arc::new(move || safe.position()),
        wake: Arc::clone(wake),
        max_age: plan.settings.max_age,
        explain,
        holding: wiring::manners(&plan.settings, notifier.name()).holding.clone(),
    };
    let courier = Courier::new(notifier, client, (plan.lines)(), Arc::clone(&plan.clock));
    Dispatcher::new(courier, options)
}

/// Waits for the engine; when `stop` comes first, tells everybody to quit and waits for it to
/// finish what it has.
async fn supervise(
    mut engine: tokio::sync::oneshot::Receiver<Result<()>>,
    mut stop: watch::Receiver<bool>,
    quit: &watch::Sender<bool>,
) -> Result<()> {
    let lost = || {
        Failure::new(
            Exit::Store,
            "the engine's thread ended without a word: this is a bug; the journal holds everything up to it",
        )
    };
    tokio::select! {
        ended = &mut engine => return ended.unwrap_or_else(|_| Err(lost())),
        _ = stop.wait_for(|stop| *stop) => {}
    }
    let _ = quit.send(true);
    match tokio::time::timeout(ENGINE_STOP_MAX, engine).await {
        Ok(ended) => ended.unwrap_or_else(|_| Err(lost())),
        Err(_) => Err(Failure::new(
            Exit::Store,
            "stopping took too long; the next start goes on from the journal",
        )),
    }
}

fn start_engine(
    house: House,
    mut feed: ChannelFeed,
) -> Result<tokio::sync::oneshot::Receiver<Result<()>>> {
    let (done, ended) = tokio::sync::oneshot::channel();
    let work = move || {
        let _ = done.send(house.run(&mut feed));
    };
    std::thread::Builder::new().name("engine".into()).spawn(work)?;
    Ok(ended)
}

type Ends = (mpsc::Sender<Vec<Event>>, watch::Receiver<bool>);

fn start_session(
    house: &House,
    feed: &FeedSettings,
    doors: &Doors,
    (events, shutdown): Ends,
) -> Result<(JoinHandle<()>, Arc<SessionStats>)> {
    let door = door_of(doors, feed)?;
    let venue = door.venue;
    let Some(build_stream) = venue.stream else {
        return polled::start(house, feed, (door, goes_on(house)?), (events, shutdown));
    };
    let subscriptions = wiring::subscriptions(feed, &house.instruments);
    let mut since = Vec::new();
    for subscription in &subscriptions {
        for &interval in &subscription.intervals {
            if let Some(close_time) = house.stored_until(&subscription.symbol, interval)? {
                since.push(Since { instrument: subscription.instrument, interval, close_time });
            }
        }
    }
    let stats = Arc::<SessionStats>::default();
    let clock = &house.rim.clock;
    let sealed = door.sealed.as_ref().map(|source| source.client(&door.client, clock));
    let (client, sealed) = sealed.map_or((door.client.clone(), None), |(c, feed)| (c, Some(feed)));
    let stream = build_stream(&door.endpoints, SymbolMap::of(&subscriptions));
    let options = SessionOptions {
        profile: venue.profile,
        subscriptions,
        since,
        client,
        sealed,
        socket: SocketOptions::default(),
        clock: Arc::clone(&house.rim.clock),
        seed: house.rim.clock.now().nanos().unsigned_abs(),
        limits: SessionLimits::default(),
        events,
        shutdown,
        stats: Arc::clone(&stats),
    };
    let session = Session::new(stream, door.poll(), options).map_err(Failure::usage)?;
    Ok((tokio::spawn(session.run()), stats))
}

/// Fetches history that the strategies need and the store lacks, before the first engine is
/// warmed. Keeps trying while the venue cannot be reached.
///
/// A symbol that the venue does not have goes to `refused`, with a warning.
async fn fill_history(
    house: &House,
    feed: &FeedSettings,
    doors: &Doors,
    refused: &mut BTreeSet<Symbol>,
) -> Result<()> {
    let door = door_of(doors, feed)?;
    // History of a venue that is only asked comes beside the running service.
    if door.venue.stream.is_none() {
        return Ok(());
    }
    let Some(source) = Source::new(door, Arc::clone(&house.rim.clock)) else { return Ok(()) };
    let now = house.rim.clock.now();
    let goes_on = goes_on(house)?;
    let depths = series_depths(&house.settings, CATALOG).map_err(Failure::usage)?;
    for (symbol, interval, depth) in depths {
        let is_ours = feed.symbols.contains(&symbol) && !refused.contains(&symbol);
        if !is_ours || !feed.venue_intervals.contains(&interval) {
            continue;
        }
        let wanted = wiring::history_start(&symbol, interval, depth, now);
        let from = match house.stored_until(&symbol, interval)? {
            // The session fetches what a short absence missed, as events.
            Some(_) if goes_on => continue,
            Some(until) if until > wanted => until,
            _ => wanted,
        };
        let want = Want { symbol, interval, from, to: now };
        if let Some(why) = polled::fill_series(&source, &house.history, &want).await? {
            tracing::warn!("{} is not watched: {why}; correct it in [[feeds]]", want.symbol);
            refused.insert(want.symbol);
        }
    }
    Ok(())
}

/// How the venue of a feed is asked.
fn door_of<'a>(doors: &'a Doors, feed: &FeedSettings) -> Result<&'a Door> {
    doors
        .get(feed.venue.as_str())
        .ok_or_else(|| Failure::usage(format!("\"{}\" is not a venue", feed.venue)))
}

/// Whether the service was away for a short time only.
fn goes_on(house: &House) -> Result<bool> {
    let since = house.rim.clock.now().minus(ABSENCE_MAX);
    Ok(house.last_run()?.is_some_and(|(day, _)| engine_day(since) <= day))
}

/// Takes symbols that their venues do not have out of what is watched.
fn watch_without(feeds: &mut Vec<FeedSettings>, refused: &BTreeSet<Symbol>) -> Result<()> {
    feeds.iter_mut().for_each(|feed| feed.symbols.retain(|symbol| !refused.contains(symbol)));
    feeds.retain(|feed| !feed.symbols.is_empty());
    if feeds.is_empty() {
        let names: Vec<&str> = refused.iter().map(Symbol::as_str).collect();
        return Err(Failure::usage(format!(
            "nothing to watch: the venue has no {}; correct the symbols in [[feeds]]",
            names.join(", ")
        )));
    }
    Ok(())
}

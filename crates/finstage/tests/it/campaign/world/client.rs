//! Our side: a session at the exchange, and those who ask all three venues.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use finstage_feeds::prices::PriceQuery;
use finstage_feeds::{
    Account, PollVenue, Server, Session, SessionLimits, SessionOptions, SessionStats, Subscription,
    SymbolMap, TradeQuery, venues as ours,
};
use finstage_model::{Clock as _, Event, InstrumentId, Interval, Payload, Symbol};
use finstage_net::{
    Class, Client, Remote, RemoteOptions, RemoteSnapshot, Request, Response, SocketOptions,
    TokenCell,
};
use finstage_seal::Secret;
use tokio::sync::{mpsc, watch as signal};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::Options;
use super::tape::{MINUTE_MS, TRADED, Tally};
use super::venues::{BEGIN, Venue, World};

/// Batches of events that wait for the listener.
const QUEUE: usize = 1_024;
/// The requests of one rush: more than two minutes of weight, one minute of calls, four buckets.
const RUSH: [u64; 3] = [600, 1_200, 60];
/// A call that nobody waits for must have ended after this.
const LONGEST_CALL: Duration = Duration::from_secs(901);

/// A session that runs.
pub(crate) struct Watched {
    pub(crate) events: mpsc::Receiver<Vec<Event>>,
    pub(crate) stats: Arc<SessionStats>,
    pub(crate) stop: signal::Sender<bool>,
    pub(crate) session: JoinHandle<()>,
}

fn remote(world: &World, venue: Venue) -> Remote {
    let profile = ours::find(venue.name()).expect("a venue of ours").profile;
    let options = RemoteOptions {
        seed: world.seed ^ venue as u64,
        clock: Arc::new(world.clock),
        ..RemoteOptions::default()
    };
    Remote::with(venue.name(), profile.terms, options)
}

/// Begins to watch trades and minutes of every symbol.
pub(crate) fn watch(world: &World, remote: &Remote) -> Watched {
    let binance = ours::find("binance").expect("a venue of ours");
    let subscription = |((symbol, _), id): (&(&str, u64), u32)| Subscription {
        instrument: InstrumentId(id),
        symbol: format!("binance:{symbol}").parse().expect("a symbol"),
        trades: true,
        intervals: vec![Interval::M1],
    };
    let subscriptions: Vec<Subscription> = TRADED.iter().zip(0..).map(subscription).collect();
    let endpoints = binance.profile.endpoints();
    let symbols = SymbolMap::of(&subscriptions);
    let stats = Arc::new(SessionStats::default());
    let (event_in, events) = mpsc::channel(QUEUE);
    let (stop, shutdown) = signal::channel(false);
    let options = SessionOptions {
        profile: binance.profile,
        subscriptions,
        since: Vec::new(),
        client: Client::over(Arc::new(world.clone())).at(remote),
        sealed: None,
        socket: SocketOptions::default(),
        clock: Arc::new(world.clock),
        seed: world.seed,
        limits: SessionLimits::default(),
        events: event_in,
        shutdown,
        stats: Arc::clone(&stats),
    };
    let stream = (binance.stream.expect("it has a stream"))(&endpoints, symbols);
    let poll = (binance.poll.expect("it tells history"))(&endpoints);
    let session = Session::new(stream, Some(poll), options).expect("six streams fit");
    Watched { events, stats, stop, session: tokio::spawn(session.run()) }
}

/// Counts what the session says.
pub(crate) struct Listener {
    world: World,
    pub(crate) trades: [Tally; 3],
    pub(crate) bars: [Tally; 3],
}

impl Listener {
    pub(crate) fn new(world: &World) -> Self {
        Self { world: world.clone(), trades: Default::default(), bars: Default::default() }
    }

    pub(crate) async fn listen(mut self, mut events: mpsc::Receiver<Vec<Event>>) -> Self {
        while let Some(batch) = events.recv().await {
            let state = &mut *self.world.state();
            for event in batch {
                state.trace.event(&event);
                match &event.payload {
                    Payload::Trade(trade) => {
                        let (place, id) = (trade.instrument.index(), trade.id.0 as u64);
                        let tape = &state.tapes[place];
                        let number = id.saturating_sub(tape.first);
                        self.trades[place].take(number, tape.is(trade));
                    }
                    Payload::Bar(bar) => {
                        let place = bar.instrument.index();
                        let number = bar.open_time.millis() - BEGIN.millis();
                        let number = (number / MINUTE_MS) as u64;
                        let minute = state.tapes[place].minutes.get(number as usize);
                        self.bars[place].take(number, minute.is_some_and(|own| own.is(bar)));
                    }
                    _ => {}
                }
            }
        }
        self
    }
}

/// What became of the calls to one venue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) calls: u64,
    /// Ended with an answer that was read.
    pub(crate) told: u64,
    /// Ended with an answer that says no, or is none.
    pub(crate) untold: u64,
    /// Ended without an answer.
    pub(crate) failed: u64,
    /// Ended after the time that every call has.
    pub(crate) late: u64,
}

/// Those who ask. Clones are the same.
#[derive(Clone)]
pub(crate) struct Askers(Arc<Inner>);

struct Inner {
    world: World,
    remotes: [Remote; 3],
    clients: [Client; 3],
    polls: [Box<dyn PollVenue>; 3],
    cell: TokenCell,
    asked: Mutex<[Asked; 3]>,
}

impl Askers {
    pub(crate) fn new(world: &World) -> Self {
        let remotes = Venue::ALL.map(|venue| remote(world, venue));
        let kis = ours::find("kis").expect("a venue of ours");
        let access = kis.access.expect("it wants keys");
        let account = Account {
            app_key: Secret::new("k".repeat(36)),
            app_secret: Secret::new("s".repeat(180)),
            server: Server::Real,
        };
        let over = Client::over(Arc::new(world.clone()));
        let options = RemoteOptions {
            seed: world.seed ^ 7,
            clock: Arc::new(world.clock),
            ..RemoteOptions::default()
        };
        let issuer = over.at(&Remote::with("kis tokens", access.token_terms, options));
        let terms = (access.token)(&kis.profile.endpoints(), &account);
        let cell = TokenCell::new(terms, issuer, Arc::new(world.clock), None);
        let clients = [0, 1, 2].map(|place| over.at(&remotes[place]));
        let [binance, broker, kraken] = clients;
        let clients = [binance, broker.with_token(&cell, access.put), kraken];
        let polls = Venue::ALL.map(|venue| {
            let venue = ours::find(venue.name()).expect("a venue of ours");
            let account = Some(&account).filter(|_| venue.access.is_some());
            venue.poller(&venue.profile.endpoints(), account).expect("it can be asked")
        });
        let (world, asked) = (world.clone(), Mutex::default());
        Self(Arc::new(Inner { world, remotes, clients, polls, cell, asked }))
    }

    pub(crate) fn remote(&self) -> &Remote {
        &self.0.remotes[Venue::Binance as usize]
    }

    pub(crate) fn snapshots(&self) -> Vec<RemoteSnapshot> {
        self.0.remotes.iter().map(Remote::snapshot).collect()
    }

    pub(crate) fn tokens(&self) -> u64 {
        self.0.cell.snapshot().issues
    }

    pub(crate) fn asked(&self) -> [Asked; 3] {
        *self.counts()
    }

    fn counts(&self) -> MutexGuard<'_, [Asked; 3]> {
        self.0.asked.lock().expect("no one panics while holding it")
    }

    /// Asks for prices each minute, and in rushes for much more than the limits allow at once.
    pub(crate) async fn ask(self, options: Options) {
        let begun = Instant::now();
        let minutes = 1_440 * options.days;
        let rush_every = 1_440 / options.rushes_per_day.max(1);
        let mut rush: JoinSet<()> = JoinSet::new();
        for minute in 0..minutes {
            // A little after the minute, as those do that wait for its end.
            sleep_until(begun + Duration::from_millis(minute * 60_000 + 1_700)).await;
            for (venue, count) in [(Venue::Binance, 1), (Venue::Kis, 5), (Venue::Kraken, 1)] {
                for _ in 0..count {
                    self.begin(&mut rush, venue, Class::Normal);
                }
            }
            if options.rushes_per_day > 0 && minute % rush_every == rush_every / 2 {
                for venue in Venue::ALL {
                    for _ in 0..RUSH[venue as usize] {
                        self.begin(&mut rush, venue, Class::Background);
                    }
                }
            }
            while rush.try_join_next().is_some() {}
        }
        while rush.join_next().await.is_some() {}
    }

    fn begin(&self, calls: &mut JoinSet<()>, venue: Venue, class: Class) {
        let askers = self.clone();
        calls.spawn(async move { askers.call(venue, class).await });
    }

    async fn call(&self, venue: Venue, class: Class) {
        let place = venue as usize;
        let begun = Instant::now();
        let (request, read) = match (venue, class) {
            (Venue::Binance, Class::Background) => self.history(),
            _ => self.price(venue),
        };
        let answer = self.0.clients[place].send(&request.class(class)).await;
        let asked = &mut self.counts()[place];
        asked.calls += 1;
        asked.late += u64::from(begun.elapsed() > LONGEST_CALL);
        match answer {
            Ok(response) if read(self, &response) => asked.told += 1,
            Ok(_) => asked.untold += 1,
            Err(_) => asked.failed += 1,
        }
    }

    /// A question for the last trades: the dearest there is, of the symbol with the shortest answers.
    fn history(&self) -> (Request, Read) {
        let from = self.0.world.state().tapes[2].next().saturating_sub(20).into();
        let symbol: Symbol = "binance:SOLUSDT".parse().expect("a symbol");
        let query = TradeQuery { instrument: InstrumentId(2), symbol, from };
        let request = self.0.polls[0].trades_request(&query).expect("it has an archive");
        let read = move |askers: &Self, response: &Response| {
            let now = askers.0.world.clock.now();
            askers.0.polls[0].read_trades(&query, response, now, &mut Vec::new()).is_ok()
        };
        (request, Box::new(read))
    }

    fn price(&self, venue: Venue) -> (Request, Read) {
        let symbol = match venue {
            Venue::Binance => "binance:BTCUSDT",
            Venue::Kis => "kis:005930",
            Venue::Kraken => "kraken:XBTUSD",
        };
        let query = PriceQuery::new(vec![symbol.parse().expect("a symbol")]);
        let poll = &self.0.polls[venue as usize];
        let request = poll.price_request(&query).expect("it tells prices");
        let read = move |askers: &Self, response: &Response| {
            let now = askers.0.world.clock.now();
            let answer = askers.0.polls[venue as usize].read_prices(&query, response, now);
            answer.is_ok_and(|answer| answer.told.iter().any(|(_, price)| price.is_ok()))
        };
        (request, Box::new(read))
    }
}

type Read = Box<dyn FnOnce(&Askers, &Response) -> bool + Send>;

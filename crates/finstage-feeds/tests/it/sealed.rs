//! A stream that comes sealed: the same events as the plain one, nothing of what is refused, and every
//! loss that a refusal leaves told and repaired.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finstage_feeds::sealed::{MAX_LINES, SLOW, SealedSnapshot, SealedTransport};
use finstage_feeds::{
    Session, SessionLimits, SessionOptions, SessionSnapshot, SessionStats, Subscription, SymbolMap,
    venues,
};
use finstage_model::{Clock, Event, FeedKind, InstrumentId, Payload};
use finstage_net::{
    Carried, Client, Error, ErrorKind, Frame, Peer, Request, Response, Socket, SocketOptions,
    Transport,
};
use finstage_seal::{Keyring, KeyringFile, Keys, MemoryCounters, Rotation, Sealer, SealerOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::field::{Field, Visit};

use crate::inside::{Fate, Inside, Manners};
use crate::scene::NOON;
use crate::sealing::{FALLBACK, FIRST, Fault, Relay, TOKEN, key, unix};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "RAREUSDT"];

/// A ring of one key.
fn ring() -> Keys {
    Keys::new(Keyring::new(key("k1", 0x5a), unix(NOON)))
}

/// A session against a venue within this process, which stays connected unless a test says otherwise.
struct Run {
    venue: Inside,
    stats: Arc<SessionStats>,
    events: mpsc::Receiver<Vec<Event>>,
    stop: watch::Sender<bool>,
    session: JoinHandle<()>,
    told: Vec<Event>,
}

impl Run {
    fn venue(manners: Manners) -> Inside {
        let venue = Inside::new(7, manners);
        venue.state().script = vec![(Fate::Stay, Duration::ZERO); 64].into();
        venue
    }

    fn plain(venue: &Inside) -> Self {
        let stream = venues::find("binance").unwrap().profile.endpoints().stream;
        Self::start(venue, stream, Client::over(Arc::new(venue.clone())), None)
    }

    fn sealed(relay: &Relay, keys: &Keys) -> Self {
        Self::over(&relay.venue, relay.reader(keys))
    }

    fn over(venue: &Inside, transport: SealedTransport) -> Self {
        let feed = transport.feed();
        let client = Client::over(Arc::new(transport));
        Self::start(venue, FIRST.to_owned(), client, Some(feed))
    }

    fn start(
        venue: &Inside,
        address: String,
        client: Client,
        sealed: Option<finstage_feeds::sealed::SealedFeed>,
    ) -> Self {
        let binance = venues::find("binance").unwrap();
        let subscription = |(symbol, id): (&&str, u32)| Subscription {
            instrument: InstrumentId(id),
            symbol: format!("binance:{symbol}").parse().unwrap(),
            trades: true,
            intervals: Vec::new(),
        };
        let subscriptions: Vec<Subscription> = SYMBOLS.iter().zip(0..).map(subscription).collect();
        let mut endpoints = binance.profile.endpoints();
        endpoints.stream = address;
        let stats = Arc::new(SessionStats::default());
        let (event_in, events) = mpsc::channel(1_024);
        let (stop, shutdown) = watch::channel(false);
        let stream = (binance.stream.unwrap())(&endpoints, SymbolMap::of(&subscriptions));
        let poll = (binance.poll.unwrap())(&endpoints);
        let options = SessionOptions {
            profile: binance.profile,
            since: Vec::new(),
            client,
            sealed,
            socket: SocketOptions::default(),
            clock: Arc::new(venue.clock),
            seed: 7,
            limits: SessionLimits::default(),
            events: event_in,
            shutdown,
            stats: Arc::clone(&stats),
            subscriptions,
        };
        let session = Session::new(stream, Some(poll), options).unwrap();
        let session = tokio::spawn(session.run());
        tokio::spawn(venue.clone().trade());
        Self { venue: venue.clone(), stats, events, stop, session, told: Vec::new() }
    }

    fn seen(&self) -> SessionSnapshot {
        self.stats.snapshot()
    }

    fn opened(&self) -> SealedSnapshot {
        self.seen().sealed.expect("a sealed stream")
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let ends = Instant::now() + Duration::from_secs(3_600);
        while !holds(self) {
            assert!(Instant::now() < ends, "{what} never came: {:?}", self.seen());
            tokio::select! {
                batch = self.events.recv() => self.told.extend(batch.expect("it has ended")),
                () = sleep(Duration::from_millis(100)) => {}
            }
        }
    }

    async fn during(&mut self, span: Duration) {
        let ends = sleep(span);
        tokio::pin!(ends);
        loop {
            tokio::select! {
                batch = self.events.recv() => self.told.extend(batch.expect("it has ended")),
                () = &mut ends => return,
            }
        }
    }

    fn kinds(&self) -> Vec<FeedKind> {
        let kinds = self.told.iter().filter_map(|event| match event.payload {
            Payload::Feed(status) => Some(status.kind),
            _ => None,
        });
        kinds.collect()
    }

    fn gaps(&self) -> usize {
        self.kinds().iter().filter(|kind| matches!(kind, FeedKind::Gap { .. })).count()
    }

    fn is_stale(&self) -> bool {
        self.kinds().contains(&FeedKind::Stale)
    }

    /// Ends it, and gives what was told. Every trade from the first to the last one is there, once.
    async fn end(mut self) -> (Vec<Event>, SessionSnapshot) {
        let is_whole = |run: &Self| run.seen().gaps_open == 0 && run.seen().trades_missing == 0;
        self.during(Duration::from_secs(3)).await;
        self.until("the end of all repairs", is_whole).await;
        self.stop.send_replace(true);
        self.session.await.unwrap();
        while let Some(batch) = self.events.recv().await {
            self.told.extend(batch);
        }
        let seen = self.stats.snapshot();
        for (symbol, id) in SYMBOLS.iter().zip(0..) {
            let trades = self.told.iter().filter_map(|event| match event.payload {
                Payload::Trade(trade) if trade.instrument == InstrumentId(id) => Some(trade.id.0),
                _ => None,
            });
            let mut trades: Vec<u128> = trades.collect();
            if seen.trades_late > 0 {
                trades.sort_unstable();
            }
            let Some((first, last)) = trades.first().zip(trades.last()) else { continue };
            assert!(trades.iter().copied().eq(*first..=*last), "{symbol}: {trades:?}");
        }
        assert!(self.venue.state().tapes["BTCUSDT"].len() > 50, "hardly anything was traded");
        (self.told, seen)
    }
}

/// How many trades came sealed, and how many did not.
fn trades(told: &[Event]) -> (u64, u64) {
    let trades = || told.iter().filter(|event| matches!(event.payload, Payload::Trade(_)));
    let sealed = trades().filter(|event| event.sealed).count() as u64;
    (sealed, trades().count() as u64 - sealed)
}

#[tokio::test(start_paused = true)]
async fn a_sealed_stream_gives_the_events_of_the_plain_one_but_for_the_mark() {
    // One trade in fifty is left out, doubled or swapped by the venue itself.
    let manners = Manners { distorted: 0.02, ..Manners::GOOD };
    let venue = Run::venue(manners);
    let mut plain = Run::plain(&venue);
    plain.during(Duration::from_secs(60)).await;
    let (plain, plain_seen) = plain.end().await;

    let venue = Run::venue(manners);
    let keys = ring();
    let relay = Relay::new(&venue, keys.clone());
    let mut sealed = Run::sealed(&relay, &keys);
    sealed.during(Duration::from_secs(60)).await;
    let (sealed, seen) = sealed.end().await;

    let (marked, unmarked) = trades(&sealed);
    assert!(marked > 300 && unmarked == seen.trades_filled && unmarked > 0, "{marked} {unmarked}");
    assert_eq!(trades(&plain).0, 0);
    let is_said = |event: &Event| matches!(event.payload, Payload::Feed(_));
    assert!(sealed.iter().filter(|event| is_said(event)).all(|event| !event.sealed));
    let unmarked: Vec<Event> =
        sealed.into_iter().map(|event| Event { sealed: false, ..event }).collect();
    assert_eq!(unmarked, plain);

    let opened = SealedSnapshot { opened: relay.state().sent, ..SealedSnapshot::default() };
    assert_eq!(seen.sealed, Some(opened));
    assert_eq!(SessionSnapshot { sealed: None, ..seen }, plain_seen);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_counted_goes_no_further_and_is_repaired() {
    use Fault::{Dropped, Foreign, Garbage, Plain, Repeated, Tampered};
    let venue = Run::venue(Manners::GOOD);
    let keys = ring();
    let relay = Relay::new(&venue, keys.clone());
    let mut run = Run::sealed(&relay, &keys);
    run.during(Duration::from_secs(10)).await;
    for fault in [Tampered, Repeated, Dropped, Foreign, Garbage, Plain, Tampered, Repeated] {
        relay.state().faults.push_back(fault);
        run.during(Duration::from_secs(5)).await;
    }
    assert!(relay.state().faults.is_empty());
    let (told, seen) = run.end().await;
    let opened = seen.sealed.unwrap();
    assert_eq!((opened.failed, opened.replayed, opened.slow), (5, 2, 0));
    assert_eq!(opened.opened, relay.state().sent - 7);
    assert!(opened.refused_at.is_some());
    assert_eq!((seen.decode_errors, seen.reconnects, seen.trades_lost), (0, 0, 0));
    assert_eq!(seen.trades_filled, 6, "five that were refused, one that never came");
    assert_eq!(trades(&told).1, 6, "they were fetched, which is not sealed");
}

#[tokio::test(start_paused = true)]
async fn several_frames_in_one_envelope_are_several_frames() {
    let venue = Run::venue(Manners::GOOD);
    let keys = ring();
    let relay = Relay::new(&venue, keys.clone());
    relay.state().at_a_time = 10;
    let mut run = Run::sealed(&relay, &keys);
    run.during(Duration::from_secs(60)).await;
    let (told, seen) = run.end().await;
    let opened = seen.sealed.unwrap().opened;
    assert!(trades(&told).0 >= 10 * (opened - 2), "{opened} envelopes, {:?}", trades(&told));
    assert_eq!((seen.gaps, seen.decode_errors), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_which_every_frame_is_refused_is_stale_as_a_silent_one_is() {
    let venue = Run::venue(Manners::GOOD);
    let keys = ring();
    let relay = Relay::new(&venue, keys.clone());
    let mut run = Run::sealed(&relay, &keys);
    run.during(Duration::from_secs(60)).await;
    assert!(!run.is_stale());
    relay.state().always = Some(Fault::Foreign);
    let began = Instant::now();
    run.until("the stall", Run::is_stale).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // It cannot even subscribe: no answer can be read.
    run.during(Duration::from_secs(120)).await;
    assert_eq!(run.kinds().last(), Some(&FeedKind::Stale));
    assert!(run.opened().failed > 50, "{:?}", run.opened());
    relay.state().always = None;
    run.until("the stream again", |run| run.kinds().last() == Some(&FeedKind::Up)).await;
    let (_, seen) = run.end().await;
    assert_eq!((seen.trades_lost, seen.decode_errors), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn three_failures_lead_to_the_fallback_and_the_first_address_is_taken_up_without_a_gap() {
    let venue = Run::venue(Manners::GOOD);
    let keys = ring();
    let relay = Relay::new(&venue, keys.clone());
    relay.state().down = vec![FIRST];
    let mut run = Run::sealed(&relay, &keys);
    run.until("the stream", |run| run.kinds().contains(&FeedKind::Up)).await;
    let tried = |relay: &Relay| -> Vec<bool> {
        let state = relay.state();
        state.attempts.iter().map(|(_, url, _)| url.starts_with(FIRST)).collect()
    };
    assert_eq!(tried(&relay), [true, true, true, false]);
    assert!(run.opened().is_on_fallback);
    assert!(relay.state().attempts.iter().all(|(_, url, _)| url.ends_with(".sealed/stream")));
    // Looked at every 30 s, and in vain: the stream goes on.
    run.during(Duration::from_secs(100)).await;
    assert_eq!(tried(&relay)[4..], [true; 3]);
    assert_eq!((run.seen().reconnects, run.seen().overlaps), (3, 0));
    // It answers, and has nothing for our keys.
    relay.state().down.clear();
    relay.state().always = Some(Fault::Foreign);
    relay.state().only_at = FIRST;
    let before = run.opened().failed;
    run.until("an answer that is refused", |run| run.opened().failed > before).await;
    relay.state().always = None;
    run.until("the first address", |run| !run.opened().is_on_fallback).await;
    run.until("the change", |run| run.seen().overlaps == 1).await;
    run.during(Duration::from_secs(100)).await;
    assert_eq!(tried(&relay).last(), Some(&true));
    assert_eq!(run.gaps(), 0, "two connections spoke while one took over");
    let (_, seen) = run.end().await;
    assert_eq!((seen.reconnects, seen.overlaps, seen.trades_lost), (3, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn who_asks_and_for_what_is_said_when_connecting() {
    let venue = Run::venue(Manners::GOOD);
    let keys = ring();
    let relay = Relay::new(&venue, keys.clone());
    let transport = relay.reader(&keys);
    let socket = transport.connect(&format!("{FIRST}/stream"), &SocketOptions::default()).await;
    drop(socket.unwrap());
    let headers = relay.state().attempts[0].2.clone();
    let expected = [
        ("Authorization", format!("Bearer {TOKEN}")),
        ("Content-Type", "application/json".to_owned()),
        ("X-API-Provider", "binance".to_owned()),
        ("X-Data-Stream", "trades".to_owned()),
    ];
    assert!(headers.iter().map(|(n, v)| (n.as_str(), v.clone())).eq(expected), "{headers:?}");
    let elsewhere = transport.connect("ws://plain/stream", &SocketOptions::default()).await;
    assert_eq!(elsewhere.unwrap_err().kind(), ErrorKind::Invalid);
}

/// Sockets whose other ends a test holds.
#[derive(Debug, Default)]
struct Lines(Mutex<Vec<Peer>>);

impl Transport for Lines {
    fn send<'a>(&'a self, _: &'a Request) -> Carried<'a, Response> {
        Box::pin(async { Err(Error::new(ErrorKind::Unavailable, "nobody answers here")) })
    }

    fn connect<'a>(&'a self, _: &'a str, _: &'a SocketOptions) -> Carried<'a, Socket> {
        let (socket, peer) = Socket::pair("here", 64);
        self.0.lock().unwrap().push(peer);
        Box::pin(async move { Ok(socket) })
    }
}

/// A connection, the other end of which seals what it likes.
struct Line {
    transport: SealedTransport,
    lines: Arc<Lines>,
}

impl Line {
    fn new(relay: &Relay, keys: &Keys) -> Self {
        let lines = Arc::new(Lines::default());
        let transport = relay.reader_over(lines.clone(), SLOW, keys);
        Self { transport, lines }
    }

    async fn open(&self) -> (Socket, Peer) {
        let socket = self.transport.connect(&format!("{FIRST}/x"), &SocketOptions::default()).await;
        (socket.unwrap(), self.lines.0.lock().unwrap().pop().unwrap())
    }

    fn seen(&self) -> (u64, u64, u64) {
        let seen = self.transport.feed().stats().snapshot();
        (seen.opened, seen.failed, seen.replayed)
    }
}

fn text(text: &str) -> Frame {
    Frame::Text(text.to_owned())
}

/// Seals with a key of this ring as it is now.
fn sealed_with(ring: &Keyring, sid: u32) -> String {
    let counters = Box::new(MemoryCounters::new(sid));
    let mut sealer = Sealer::new(Keys::new(ring.clone()), counters, SealerOptions::default());
    let mut envelope = Vec::new();
    sealer.seal(b"hello", &mut envelope).unwrap();
    String::from_utf8(envelope).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_came_over_one_connection_is_refused_over_the_next() {
    let venue = Run::venue(Manners::GOOD);
    let keys = ring();
    let relay = Relay::new(&venue, keys.clone());
    let line = Line::new(&relay, &keys);
    let (mut first, peer) = line.open().await;
    let envelope = relay.seal(&["once".to_owned()]);
    peer.say(envelope.clone()).await;
    assert_eq!(first.next().await.unwrap(), text("once"));
    let (mut second, other) = line.open().await;
    other.say(envelope).await;
    other.say(relay.seal(&["twice".to_owned()])).await;
    assert_eq!(second.next().await.unwrap(), text("twice"));
    assert_eq!(line.seen(), (2, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_old_key_opens_in_its_grace_and_not_after_it() {
    let venue = Run::venue(Manners::GOOD);
    let now = unix(venue.clock.now());
    let hour = Duration::from_secs(3_600);
    let old = Keyring::new(key("k1", 1), now);
    let old = old.with_rotation(Rotation { grace: hour, ..Rotation::default() }).unwrap();
    let mut ring = old.clone();
    ring.rotate(now, key("k2", 2)).unwrap();
    let keys = Keys::new(ring);
    let relay = Relay::new(&venue, keys.clone());
    let line = Line::new(&relay, &keys);
    let (mut socket, peer) = line.open().await;
    peer.say(sealed_with(&old, 9)).await;
    assert_eq!(socket.next().await.unwrap(), text("hello"));
    tokio::time::advance(hour - Duration::from_secs(1)).await;
    peer.say(sealed_with(&old, 10)).await;
    assert_eq!(socket.next().await.unwrap(), text("hello"), "a second before the end");
    assert_eq!(line.seen(), (2, 0, 0));
    tokio::time::advance(Duration::from_secs(1)).await;
    peer.say(sealed_with(&old, 11)).await;
    peer.say(relay.seal(&["new".to_owned()])).await;
    assert_eq!(socket.next().await.unwrap(), text("new"));
    assert_eq!(line.seen(), (3, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_envelope_with_too_many_frames_is_refused_and_pings_are_nobodys_secret() {
    let venue = Run::venue(Manners::GOOD);
    let keys = ring();
    let relay = Relay::new(&venue, keys.clone());
    let line = Line::new(&relay, &keys);
    let (mut socket, mut peer) = line.open().await;
    peer.say(relay.seal(&vec!["x".to_owned(); MAX_LINES + 1])).await;
    peer.send(Frame::Ping(vec![1])).await;
    assert_eq!(socket.next().await.unwrap(), Frame::Ping(vec![1]));
    assert_eq!(peer.next().await, Some(Frame::Pong(vec![1])));
    // An envelope is one whatever kind of frame it is in.
    peer.send(Frame::Binary(relay.seal(&["y".to_owned()]).into_bytes())).await;
    assert_eq!(socket.next().await.unwrap(), text("y"));
    assert_eq!(line.seen(), (1, 1, 0));
    peer.close(1000).await;
    assert_eq!(socket.next().await.unwrap(), Frame::Close);
}

/// The ring of a file, opened by its writer and by its reader.
fn ring_file(dir: &tempfile::TempDir) -> (KeyringFile, Keys, Keys) {
    let file = KeyringFile::new(&dir.path().join("keys.toml"));
    let mut ring = Keyring::new(key("k1", 1), unix(NOON));
    ring.add(key("k2", 2), unix(NOON)).unwrap();
    file.create(&ring).unwrap();
    let open = || Keys::open(file.path()).unwrap();
    (file.clone(), open(), open())
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_rotated_in_mid_stream_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (file, writer, reader) = ring_file(&dir);
    let venue = Run::venue(Manners { pace: Duration::from_millis(4), ..Manners::GOOD });
    let relay = Relay::new(&venue, writer.clone());
    let mut run = Run::sealed(&relay, &reader);
    run.during(Duration::from_secs(5)).await;
    for next in 3..=12u8 {
        let now = unix(venue.clock.now());
        file.update(|ring| ring.rotate(now, key(&format!("k{next}"), next))).unwrap();
        for keys in [&writer, &reader] {
            assert!(keys.look());
        }
        run.during(Duration::from_secs(5)).await;
        let id = writer.current().primary().unwrap().id().to_string();
        assert_eq!(id, format!("k{}", next - 1), "the writer has followed");
    }
    let (told, seen) = run.end().await;
    let opened = seen.sealed.unwrap();
    assert!(trades(&told).0 > 20_000, "{:?}", trades(&told));
    assert_eq!((opened.failed, opened.replayed, seen.gaps), (0, 0, 0));
    let keys: BTreeSet<String> = relay.state().recorded.iter().map(|sealed| kid(sealed)).collect();
    assert_eq!(keys.len(), 11, "{keys:?}");
}

fn kid(envelope: &str) -> String {
    envelope.split("\"kid\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_missed_a_rotation_heals_and_the_loss_is_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let (file, writer, reader) = ring_file(&dir);
    let venue = Run::venue(Manners::GOOD);
    let relay = Relay::new(&venue, writer.clone());
    let mut run = Run::sealed(&relay, &reader);
    run.during(Duration::from_secs(5)).await;
    // The writer seals with a key that is in no file yet.
    let mut ring = (*writer.current()).clone();
    let now = unix(venue.clock.now());
    ring.rotate(now, key("k3", 3)).unwrap();
    ring.rotate(now, key("k4", 4)).unwrap();
    let unannounced = ring.clone();
    writer.replace(ring);
    run.until("refusals", |run| run.opened().failed > 5).await;
    file.save(&unannounced).unwrap();
    let (failed, gaps) = (run.opened().failed, run.gaps());
    run.during(Duration::from_secs(2)).await;
    let healed = run.opened().failed;
    assert!(gaps == 0 && healed - failed < 40, "a second at most: {failed} {healed}");
    run.during(Duration::from_secs(10)).await;
    assert_eq!(run.opened().failed, healed);
    let (told, seen) = run.end().await;
    assert_eq!((seen.trades_lost, seen.trades_filled), (0, trades(&told).1));
    assert_eq!(seen.trades_filled, healed, "each refused frame was a trade");
}

// A paused clock would stand still while a frame is opened.
#[tokio::test]
async fn opening_that_takes_too_long_is_counted() {
    let venue = Run::venue(Manners::GOOD);
    let keys = ring();
    let relay = Relay::new(&venue, keys.clone());
    let lines = Arc::new(Lines::default());
    let transport = relay.reader_over(lines.clone(), Duration::ZERO, &keys);
    let line = Line { transport, lines };
    let (mut socket, peer) = line.open().await;
    peer.say("no envelope").await;
    peer.say(relay.seal(&["x".to_owned()])).await;
    assert_eq!(socket.next().await.unwrap(), text("x"));
    assert_eq!(line.seen(), (1, 1, 0));
    assert_eq!(line.transport.feed().stats().snapshot().slow, 2, "whatever came of it");
}

/// Everything that is logged.
#[derive(Debug, Clone, Default)]
struct Logged(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Logged {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Words(String);
        impl Visit for Words {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{field}={value:?} ");
            }
        }
        let mut words = Words(String::new());
        event.record(&mut words);
        self.0.lock().unwrap().push(words.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn no_key_is_in_any_log_or_error_and_refusals_do_not_flood_it() {
    let logged = Logged::default();
    let _on = tracing::subscriber::set_default(logged.clone());
    let dir = tempfile::tempdir().unwrap();
    let (file, writer, reader) = ring_file(&dir);
    let venue = Run::venue(Manners::GOOD);
    let relay = Relay::new(&venue, writer);
    let mut said = Vec::new();
    let transport = relay.reader(&reader);
    said.push(format!("{transport:?} {:?} {reader:?} {:?}", transport.feed(), reader.current()));
    relay.state().down = vec![FIRST, FALLBACK];
    let refused = transport.connect(&format!("{FIRST}/stream"), &SocketOptions::default()).await;
    said.push(format!("{refused:?}"));
    relay.state().down.clear();
    let mut run = Run::over(&venue, transport);
    run.during(Duration::from_secs(10)).await;
    for fault in [Fault::Tampered, Fault::Foreign, Fault::Garbage, Fault::Plain, Fault::Repeated] {
        relay.state().always = Some(fault);
        run.during(Duration::from_secs(3)).await;
        relay.state().always = None;
        run.during(Duration::from_secs(20)).await;
    }
    // A file that is no keyring any more: a key stands in its error's line.
    let whole = std::fs::read_to_string(file.path()).unwrap();
    std::fs::write(file.path(), whole.replace("state = ", "stat = ")).unwrap();
    assert!(!reader.look());
    run.during(Duration::from_secs(5)).await;
    let seen = run.opened();
    assert!(seen.failed > 100 && seen.replayed > 20, "{seen:?}");
    let logged = logged.0.lock().unwrap().clone();
    let refusals = logged.iter().filter(|line| line.contains("a sealed frame was refused")).count();
    let most = seen.failed.ilog2() + seen.replayed.ilog2() + 2;
    assert_eq!(refusals as u32, most, "the first, second, fourth …");
    let about_file = logged.iter().filter(|line| line.contains("the keyring has changed")).count();
    assert_eq!(about_file, 1, "once for each content: {logged:?}");
    said.extend(logged);
    // The keys as base64, as a file has them, as hexadecimal digits and as numbers; and the bearer.
    let base64 = ["AQEBAQEB", "AgICAgIC", "7u7u7u7u"];
    let others = ["01010101", "02020202", "eeeeeeee", "1, 1, 1, 1", "2, 2, 2, 2", TOKEN];
    assert!(whole.contains(base64[0]) && whole.contains(base64[1]), "{whole}");
    for line in &said {
        for canary in base64.iter().chain(&others) {
            assert!(!line.contains(canary), "{line}");
        }
    }
}

//! The sealing relay over real sockets: what the venue says comes through, whole and once, whatever
//! happens to keys and envelopes meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::binance::{BinanceSim, SimOptions};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::{Market, MarketSpec, SymbolSpec, Tape};
use finstage_lab::sim::sealed::{BATCH, RelayOptions, RelayStats, SealedRelay, Source};
use finstage_model::{Clock as _, Timestamp};
use finstage_net::{Frame, ScaledClock, Socket, SocketOptions};
use finstage_seal::{
    CounterFile, Keyring, KeyringFile, Keys, NewKey, Opener, OpenerCounts, Rotation, Secret,
    UnixTime,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// How many times faster than the clock on the wall.
const SPEED: f64 = 600.0;
/// How often keyrings are looked at: as often as the clock goes fast.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const PATH: &str = "/stream?streams=btcusdt@trade/ethusdt@trade";

struct World {
    clock: Arc<ScaledClock>,
    binance: BinanceSim,
    folder: TempDir,
    /// Frames of an envelope.
    batch: usize,
}

impl World {
    async fn start() -> Self {
        let start: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
        let symbols = ["BTCUSDT", "ETHUSDT"].map(|s| SymbolSpec::new(s, "61250".parse().unwrap()));
        let tape = Tape::Seeded { symbols: symbols.to_vec(), history_days: 1 };
        let market = MarketSpec { tape, ..MarketSpec::seeded(3, start) };
        let clock = Arc::new(ScaledClock::new(start, SPEED));
        let binance = BinanceSim::start(SimOptions {
            market: Market::new(market).unwrap(),
            clock: Arc::clone(&clock) as _,
            faults: Scenario::default(),
            ledger: Arc::new(Ledger::in_memory()),
            listener: listener().await,
        });
        Self { clock, binance: binance.unwrap(), folder: TempDir::new().unwrap(), batch: BATCH }
    }

    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.clock.now().secs())
    }

    /// A ring with a key in use and one to come.
    fn keyring(&self, rotation: Rotation) -> KeyringFile {
        let mut ring = Keyring::new(NewKey::generate().unwrap(), self.now());
        ring.add(NewKey::generate().unwrap(), self.now()).unwrap();
        let file = KeyringFile::new(&self.folder.path().join("keyring.toml"));
        file.create(&ring.with_rotation(rotation).unwrap()).unwrap();
        file
    }

    async fn relay(&self, file: &KeyringFile, faults: &str) -> SealedRelay {
        self.relay_of(Source::Venue(self.binance.ws_url()), (file, faults), None).await
    }

    async fn relay_of(
        &self,
        source: Source,
        (file, faults): (&KeyringFile, &str),
        token: Option<&str>,
    ) -> SealedRelay {
        SealedRelay::start(RelayOptions {
            source,
            keys: Keys::watch(file.path(), LOOK_EVERY).unwrap(),
            keyring: Some(file.clone()),
            counters: Box::new(CounterFile::open(&file.senders_path()).unwrap()),
            batch: self.batch,
            token: token.map(|token| Secret::new(token.to_owned())),
            clock: Arc::clone(&self.clock) as _,
            faults: Scenario::parse(faults).unwrap(),
            ledger: Arc::new(Ledger::in_memory()),
            listener: listener().await,
        })
        .unwrap()
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Reads what a relay sends.
struct Reader {
    socket: Socket,
    opener: Opener,
    clock: Arc<ScaledClock>,
}

impl Reader {
    async fn connect(world: &World, relay: &SealedRelay, keyring: &Path) -> Self {
        let url = format!("{}{PATH}", relay.ws_url());
        let socket = Socket::connect(&url, &SocketOptions::default()).await.unwrap();
        let opener = Opener::new(Keys::watch(keyring, LOOK_EVERY).unwrap());
        Self { socket, opener, clock: Arc::clone(&world.clock) }
    }

    /// The frames of the next envelope; none where it is refused.
    async fn next(&mut self) -> Vec<String> {
        loop {
            if let Frame::Text(envelope) = self.socket.next().await.unwrap() {
                let now = UnixTime::from_secs(self.clock.now().secs());
                let opened = self.opener.open(envelope.as_bytes(), now);
                let plain = opened.map(|opened| opened.plain.to_vec()).unwrap_or_default();
                let text = String::from_utf8(plain).unwrap();
                return text.lines().map(str::to_owned).collect();
            }
        }
    }

    /// Reads until so many trades came, and says which ids of each symbol.
    async fn trades(&mut self, count: usize) -> [Vec<u64>; 2] {
        let mut ids = [Vec::new(), Vec::new()];
        while ids[0].len() + ids[1].len() < count {
            for frame in self.next().await {
                let frame: Value = serde_json::from_str(&frame).unwrap();
                let symbol = usize::from(frame["data"]["s"] == "ETHUSDT");
                ids[symbol].push(frame["data"]["t"].as_u64().unwrap());
            }
        }
        ids
    }

    fn counts(&self) -> OpenerCounts {
        self.opener.counts()
    }
}

fn are_consecutive(ids: &[u64]) -> bool {
    ids.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

#[tokio::test]
async fn rotations_under_load_lose_nothing() {
    const ROTATIONS: usize = 20;
    let world = World::start().await;
    let file = world.keyring(Rotation::default());
    let relay = world.relay(&file, Scenario::CALM).await;
    let mut reader = Reader::connect(&world, &relay, file.path()).await;
    let mut ids = [Vec::new(), Vec::new()];
    for _ in 0..ROTATIONS {
        let now = world.now();
        let rotated = file.update(|ring| ring.rotate(now, NewKey::generate()?)).unwrap();
        assert!(!rotated.is_unannounced, "readers had the key before it was used");
        for (all, new) in ids.iter_mut().zip(reader.trades(200).await) {
            all.extend(new);
        }
    }
    let counts = reader.counts();
    assert_eq!((counts.failed, counts.replayed), (0, 0));
    assert!(ids[0].len() > 100 && ids[1].len() > 100);
    assert!(ids.iter().all(|ids| are_consecutive(ids)));
    let ring = file.load().unwrap();
    assert_eq!(ring.keys().iter().filter(|key| key.may_open(world.now())).count(), ROTATIONS + 2);
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_rotates_its_keyring_after_so_many_messages_and_nobody_notices() {
    let world = World::start().await;
    let file = world.keyring(Rotation { after_messages: 50, ..Rotation::default() });
    let relay = world.relay(&file, Scenario::CALM).await;
    let mut reader = Reader::connect(&world, &relay, file.path()).await;
    let mut ids = Vec::new();
    while relay.stats().rotations < 3 {
        ids.append(&mut reader.trades(20).await[0]);
    }
    let counts = reader.counts();
    assert_eq!((counts.failed, counts.replayed), (0, 0));
    assert!(are_consecutive(&ids));
    relay.stop().await;
}

#[tokio::test]
async fn what_happens_to_envelopes_is_seen_and_counted_exactly() {
    let world = World { batch: 2, ..World::start().await };
    let file = world.keyring(Rotation::default());
    let faults = "name = \"sealed\"\nseed = 5\n\
        [[faults]]\nkind = \"sealed_tamper\"\nat = \"0s\"\nfor = \"24h\"\none_in = 7\n\
        [[faults]]\nkind = \"sealed_repeat\"\nat = \"0s\"\nfor = \"24h\"\none_in = 5\n\
        [[faults]]\nkind = \"sealed_drop\"\nat = \"0s\"\nfor = \"24h\"\none_in = 11\n";
    let relay = world.relay(&file, faults).await;
    let mut reader = Reader::connect(&world, &relay, file.path()).await;
    let ids = reader.trades(300).await;
    assert!(!ids.iter().all(|ids| are_consecutive(ids)), "what was changed is not read");
    // The venue leaves, and what is on its way arrives.
    world.binance.stop().await;
    while let Ok(frame) = reader.socket.next().await {
        if let Frame::Text(envelope) = frame {
            let now = UnixTime::from_secs(world.clock.now().secs());
            let _ = reader.opener.open(envelope.as_bytes(), now);
        }
    }
    let RelayStats { sealed, tampered, repeated, dropped, .. } = relay.stats();
    let counts = reader.counts();
    assert!(tampered > 0 && repeated > 0 && dropped > 0);
    assert_eq!(counts.opened + counts.failed + counts.replayed, sealed - dropped + repeated);
    // One that is changed and sent twice fails twice.
    let both = counts.failed - tampered;
    assert_eq!(counts.replayed, repeated - both);
    assert_eq!(counts.opened, sealed - dropped - tampered);
}

#[tokio::test]
async fn a_recording_is_played_sealed_and_commands_are_acknowledged() {
    let world = World::start().await;
    let file = world.keyring(Rotation::default());
    let at = |n: i64| Timestamp::from_millis(1_000 * n);
    let open = move || -> Box<dyn finstage_lab::sim::sealed::Frames> {
        Box::new((0..250).map(move |n| (at(n), format!("{{\"n\":{n}}}"))))
    };
    let source = Source::Recording { open: Arc::new(open), speed: None };
    let relay = world.relay_of(source, (&file, Scenario::CALM), None).await;
    let mut reader = Reader::connect(&world, &relay, file.path()).await;
    reader.socket.send(Frame::Text(r#"{"method":"SUBSCRIBE","id":3}"#.to_owned())).await.unwrap();
    let (mut frames, mut acknowledged) = (Vec::new(), false);
    while frames.len() < 250 || !acknowledged {
        for frame in reader.next().await {
            match frame == r#"{"id":3,"result":null}"# {
                true => acknowledged = true,
                false => frames.push(frame),
            }
        }
    }
    assert!(frames.iter().enumerate().all(|(n, frame)| *frame == format!("{{\"n\":{n}}}")));
    assert!(reader.counts().opened < 20, "frames that are there together share an envelope");
}

#[tokio::test]
async fn who_does_not_show_the_token_hears_nothing() {
    let world = World::start().await;
    let file = world.keyring(Rotation::default());
    let source = Source::Venue(world.binance.ws_url());
    let token = Some("a-token-of-this-test");
    let relay = world.relay_of(source, (&file, Scenario::CALM), token).await;
    let url = format!("{}{PATH}", relay.ws_url());
    let refused = Socket::connect(&url, &SocketOptions::default()).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
    assert_eq!(relay.stats().connections, 0);
}

//! The exchange's stream: what is printed, and connections that carry it until something ends them.

use std::time::Duration;

use finstage_model::Clock as _;
use finstage_net::{Error, ErrorKind, Frame, Peer, Socket};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};

use super::venues::{Venue, World};

/// Frames in flight on a connection.
const LINE: usize = 256;
/// The exchange ends every connection at this age.
const LIFETIME: Duration = Duration::from_secs(86_400);
/// The mean life of a connection in seconds, times the share of faults: half an hour at 5 %.
const MEAN_LIFE: f64 = 90.0;
/// The shortest time between two prints of the market.
const SLOT: Duration = Duration::from_millis(500);

/// Something that the stream tells: a symbol's place, and the trade's id or the minute's place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item {
    Trade(usize, u64),
    Minute(usize, usize),
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// With this close code; 1006 is a line that breaks.
    Close(u16),
    /// As if the last frames had never left.
    LoseTail,
    /// It stays open and says nothing more.
    Stall,
    /// It is told to go, and closed ten seconds later.
    Shutdown,
    /// At its age.
    Age,
}

/// Prints trades, and minutes as they end, until the market is closed.
pub(crate) async fn trade(world: World, frames_a_day: u64) {
    let slot = SLOT.max(Duration::from_secs(86_400).div_f64(frames_a_day.max(1) as f64));
    let mean = frames_a_day as f64 * slot.as_secs_f64() / 86_400.0;
    let mut draws = finstage_lab::rng::Rng::named(world.seed, "market");
    let mut next = Instant::now();
    loop {
        sleep_until(next).await;
        next += slot;
        let now_ms = world.clock.now().millis();
        let state = &mut *world.state();
        if state.is_closed {
            return;
        }
        let mut say = |item| state.lines.retain(|line| line.send(item).is_ok());
        for (place, tape) in state.tapes.iter_mut().enumerate() {
            while let Some(minute) = tape.close(now_ms) {
                say(Item::Minute(place, minute));
            }
        }
        let count = (2.0 * mean * draws.unit() + draws.unit()) as u64;
        for _ in 0..count {
            // One symbol is busy, one is calm, one hardly trades.
            let place = match draws.below(1_000) {
                0..700 => 0,
                700..990 => 1,
                _ => 2,
            };
            say(Item::Trade(place, state.tapes[place].print(now_ms)));
        }
    }
}

/// Opens a connection, unless the exchange or the network refuses it.
pub(crate) async fn connect(world: &World) -> Result<Socket, Error> {
    let way = world.faults(|faults| faults.way() * 3);
    sleep(way).await;
    let unavailable = || Err(Error::new(ErrorKind::Unavailable, "connecting to the exchange"));
    let now = world.clock.now();
    let (socket, peer) = Socket::pair("exchange", LINE);
    let (line, items) = mpsc::unbounded_channel();
    let number = {
        let state = &mut *world.state();
        state.trace.bytes(now, b'c', b"");
        let share = state.faults[0].share();
        if state.faults[0].chance(share) || !state.referees[0].lets_connect(now) {
            return unavailable();
        }
        state.connections += 1;
        state.lines.push(line);
        state.connections
    };
    let connection = Connection { world: world.clone(), number, fate: fate(world) };
    tokio::spawn(connection.serve(peer, items));
    Ok(socket)
}

fn fate(world: &World) -> Fate {
    world.faults(|faults| match faults.share() {
        0.0 => Fate::Age,
        _ => match faults.below(8) {
            0 | 1 => Fate::Close(1006),
            2 => Fate::Close(1000),
            3 => Fate::Close(1012),
            4 => Fate::LoseTail,
            5 => Fate::Stall,
            6 => Fate::Shutdown,
            _ => Fate::Age,
        },
    })
}

struct Connection {
    world: World,
    number: u64,
    fate: Fate,
}

impl Connection {
    fn life(&self) -> Duration {
        let drawn = self.world.faults(|faults| {
            let most = Duration::from_secs_f64(2.0 * MEAN_LIFE / faults.share().max(1e-6));
            faults.wait(Duration::from_secs(1), most)
        });
        if self.fate == Fate::Age { LIFETIME } else { drawn.min(LIFETIME) }
    }

    async fn serve(self, mut peer: Peer, mut items: mpsc::UnboundedReceiver<Item>) {
        if !matches!(peer.next().await, Some(Frame::Text(_))) || !self.hears() {
            return;
        }
        let ends = Instant::now() + self.life();
        let acknowledge = self.world.faults(|faults| faults.way() * 2);
        sleep(acknowledge).await;
        if !peer.say(r#"{"result":null,"id":1}"#).await {
            return;
        }
        // What was printed before is not for this connection.
        while items.try_recv().is_ok() {}
        let mut ping = interval(Duration::from_secs(20));
        let mut batch = Vec::with_capacity(256);
        loop {
            tokio::select! {
                biased;
                () = sleep_until(ends) => break,
                frame = peer.next() => match frame {
                    None | Some(Frame::Close) => return,
                    Some(_) if !self.hears() => return peer.close(1008).await,
                    Some(_) => {}
                },
                _ = ping.tick() => {
                    if !peer.send(Frame::Ping(b"20s".to_vec())).await {
                        return;
                    }
                }
                _ = items.recv_many(&mut batch, 256) => {
                    let is_tail = ends.duration_since(Instant::now()) < Duration::from_secs(3);
                    let is_lost = self.fate == Fate::LoseTail && is_tail;
                    for item in batch.drain(..).filter(|_| !is_lost) {
                        if !self.tell(&peer, item).await {
                            return;
                        }
                    }
                }
            }
        }
        self.end(peer).await;
    }

    /// A frame has come; whether it may.
    fn hears(&self) -> bool {
        let now = self.world.clock.now();
        let state = &mut *self.world.state();
        state.trace.bytes(now, b'h', &self.number.to_le_bytes());
        state.referees[Venue::Binance as usize].hears(now, self.number)
    }

    /// Tells one thing: once as a rule, seldom not at all or twice.
    async fn tell(&self, peer: &Peer, item: Item) -> bool {
        let (frame, drawn) = {
            let now = self.world.clock.now();
            let state = &mut *self.world.state();
            let frame = match item {
                Item::Trade(place, id) => state.tapes[place].trade_frame(id),
                Item::Minute(place, minute) => {
                    state.tapes[place].minute_frame(minute, now.millis())
                }
            };
            let faults = &mut state.faults[0];
            // One of two thousand frames at 5 %: each costs a question to the archive.
            let odd = faults.share() / 100.0;
            let drawn = faults.chance(odd).then(|| faults.below(2));
            if drawn != Some(0) {
                state.trace.bytes(now, b'f', frame.as_bytes());
            }
            (frame, drawn)
        };
        match drawn {
            Some(0) => true,
            Some(_) => peer.say(frame.clone()).await && peer.say(frame).await,
            None => peer.say(frame).await,
        }
    }

    async fn end(&self, mut peer: Peer) {
        self.world.state().cuts += 1;
        match self.fate {
            Fate::Close(code) => peer.close(code).await,
            Fate::LoseTail => peer.close(1006).await,
            Fate::Age => peer.close(1001).await,
            Fate::Stall => {
                let patience = Duration::from_secs(600);
                let _ = timeout(patience, async { while peer.next().await.is_some() {} }).await;
            }
            Fate::Shutdown => {
                let words = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#;
                peer.say(words).await;
                sleep(Duration::from_secs(10)).await;
                peer.close(1001).await;
            }
        }
    }
}

//! A venue within this process, in the test's own time: it prints numbered trades, streams them over
//! in-memory sockets that it cuts, stalls, closes and distorts by seed, and answers requests for
//! trades slowly, in part, or not at all. It keeps what it printed, which is the truth, and when it
//! gave a session reason to believe that something was lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use finstage_model::{Clock, Timestamp};
use finstage_net::{
    Carried, Error, ErrorKind, Frame, Jitter, Peer, Request, Response, Socket, SocketOptions,
    Transport,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::scene::NOON;

/// Frames in flight on a connection.
const LINE: usize = 64;

/// The time of paused timers: noon when the test begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paused(Instant);

impl Paused {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        NOON.plus(self.0.elapsed())
    }
}

/// How one connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Closed with this code; 1006 is a line that breaks.
    Close(u16),
    /// As if the last frames before the break never left.
    LoseTail,
    /// It stays open and says nothing more, not even pongs.
    Silence,
    /// `serverShutdown`, and closed ten seconds later.
    Shutdown,
    /// The command is never answered.
    NoAnswer,
    /// It stays.
    Stay,
}

/// How bad the venue is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    /// The share of frames that are left out, sent twice, or swapped with the next.
    pub(crate) distorted: f64,
    /// The share of requests that fail, are refused for a while, or take longer than any hold.
    pub(crate) failing: f64,
    /// The share of connections that cannot be opened.
    pub(crate) refused: f64,
    /// The longest wait before a command is answered.
    pub(crate) answers_in: Duration,
    /// How long connections live, at most.
    pub(crate) lifetime: Duration,
}

impl Manners {
    pub(crate) const GOOD: Self = Self {
        distorted: 0.0,
        failing: 0.0,
        refused: 0.0,
        answers_in: Duration::from_millis(20),
        lifetime: Duration::from_secs(10),
    };
    pub(crate) const BAD: Self = Self {
        distorted: 0.002,
        failing: 0.15,
        refused: 0.1,
        answers_in: Duration::from_secs(2),
        lifetime: Duration::from_secs(20),
    };
}

/// What the venue printed, in the form in which both its stream and its archive tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) id: u64,
    pub(crate) at_ms: i64,
    /// Whether any connection was given it.
    pub(crate) was_sent: bool,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) manners: Manners,
    jitter: Jitter,
    pub(crate) tapes: BTreeMap<&'static str, Vec<Printed>>,
    lines: Vec<mpsc::UnboundedSender<(&'static str, u64)>>,
    /// Fates of the connections to come, before they are drawn.
    pub(crate) script: Vec<Fate>,
    /// When something went wrong that may cost trades.
    pub(crate) troubles: Vec<Timestamp>,
    pub(crate) cuts: u64,
    pub(crate) jumps: u64,
    pub(crate) connects: u64,
    /// Connections subscribed at this moment, and the moments at which none was.
    pub(crate) subscribed: u64,
    pub(crate) commands: Vec<String>,
    pub(crate) most_frames_a_second: usize,
    /// When each attempt to connect was made.
    pub(crate) attempts: Vec<Instant>,
}

/// The venue. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Inside {
    pub(crate) clock: Paused,
    state: Arc<Mutex<State>>,
}

impl Inside {
    pub(crate) fn new(seed: u64, manners: Manners) -> Self {
        let first_ids = [("BTCUSDT", 4_000_000_000), ("ETHUSDT", 1), ("RAREUSDT", 77)];
        let tapes = first_ids.map(|(symbol, id)| {
            (symbol, vec![Printed { id, at_ms: NOON.millis(), was_sent: true }])
        });
        let state = State {
            manners,
            jitter: Jitter::seeded(seed),
            tapes: tapes.into(),
            lines: Vec::new(),
            script: Vec::new(),
            troubles: Vec::new(),
            cuts: 0,
            jumps: 0,
            connects: 0,
            subscribed: 0,
            commands: Vec::new(),
            most_frames_a_second: 0,
            attempts: Vec::new(),
        };
        Self { clock: Paused::new(), state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn chance(&self, share: f64) -> bool {
        self.state().jitter.fraction() < share
    }

    fn wait(&self, most: Duration) -> Duration {
        most.mul_f64(self.state().jitter.fraction())
    }

    /// Prints a trade and gives it to every connection.
    pub(crate) fn print(&self, symbol: &'static str) {
        let mut state = self.state();
        let State { tapes, lines, .. } = &mut *state;
        let tape = tapes.get_mut(symbol).unwrap();
        let id = tape.last().unwrap().id + 1;
        lines.retain(|line| line.send((symbol, id)).is_ok());
        tape.push(Printed { id, at_ms: self.clock.now().millis(), was_sent: false });
    }

    /// Prints trades for ever: one symbol is busy, one is calm, one hardly trades.
    pub(crate) async fn trade(self) {
        loop {
            sleep(self.wait(Duration::from_millis(120))).await;
            let drawn = self.state().jitter.fraction();
            self.print(match drawn {
                ..0.8 => "BTCUSDT",
                ..0.995 => "ETHUSDT",
                _ => "RAREUSDT",
            });
        }
    }

    fn row(&self, symbol: &str, id: u64) -> (u64, i64, String) {
        let mut state = self.state();
        let tape = state.tapes.get_mut(symbol).unwrap();
        let place = (id - tape[0].id) as usize;
        tape[place].was_sent = true;
        (id, tape[place].at_ms, format!("{}.5", id % 1_000 + 1))
    }

    fn frame(&self, symbol: &str, id: u64) -> String {
        let (id, at, price) = self.row(symbol, id);
        let stream = symbol.to_lowercase();
        format!(
            r#"{{"stream":"{stream}@trade","data":{{"e":"trade","E":{at},"s":"{symbol}","t":{id},"p":"{price}","q":"1","T":{at},"m":true,"M":true}}}}"#
        )
    }

    fn fate(&self) -> Fate {
        let mut state = self.state();
        if !state.script.is_empty() {
            return state.script.remove(0);
        }
        match (state.jitter.fraction() * 10.0) as u32 {
            0 | 1 => Fate::Close(1006),
            2 | 3 => Fate::Close(1000),
            4 => Fate::Close(1012),
            5 | 6 => Fate::LoseTail,
            7 => Fate::Shutdown,
            8 => Fate::Silence,
            _ => Fate::NoAnswer,
        }
    }

    fn trouble(&self) {
        let now = self.clock.now();
        self.state().troubles.push(now);
    }

    /// Serves one connection to its end.
    async fn serve(self, mut peer: Peer, mut trades: mpsc::UnboundedReceiver<(&'static str, u64)>) {
        let fate = self.fate();
        let Some(Frame::Text(command)) = peer.next().await else { return };
        let lasts = self.state().manners.lifetime;
        let ends = Instant::now() + self.wait(lasts) + Duration::from_millis(50);
        let answers = self.state().manners.answers_in;
        let mut answer_at = Some(Instant::now() + self.wait(answers));
        self.state().commands.push(command);
        // What was printed before the command is not for this connection.
        while trades.try_recv().is_ok() {}
        self.state().subscribed += 1;
        let mut heard = Vec::new();
        let mut ping = tokio::time::interval(Duration::from_secs(20));
        let mut swapped = None;
        let is_quiet = |fate| fate == Fate::Stay;
        loop {
            tokio::select! {
                biased;
                () = sleep_until(ends), if !is_quiet(fate) => break,
                () = sleep_until(answer_at.unwrap_or(ends)), if answer_at.is_some() => {
                    answer_at = None;
                    if fate != Fate::NoAnswer && !peer.say(r#"{"result":null,"id":1}"#).await {
                        break;
                    }
                }
                frame = peer.next() => match frame {
                    None | Some(Frame::Close) => {
                        self.state().subscribed -= 1;
                        return;
                    }
                    Some(_) => {
                        heard.push(Instant::now());
                        let second = heard.iter().rev();
                        let count = second.take_while(|at| at.elapsed() < Duration::from_secs(1)).count();
                        let mut state = self.state();
                        state.most_frames_a_second = state.most_frames_a_second.max(count);
                    }
                },
                _ = ping.tick() => drop(peer.send(Frame::Ping(b"20s".to_vec())).await),
                Some((symbol, id)) = trades.recv() => {
                    if fate == Fate::LoseTail && ends.duration_since(Instant::now()) < Duration::from_millis(700) {
                        continue;
                    }
                    let distorted = self.state().manners.distorted;
                    if self.chance(distorted) {
                        // Left out: the next one is a jump.
                        self.state().jumps += 1;
                        continue;
                    }
                    let frame = self.frame(symbol, id);
                    let twice = self.chance(distorted).then(|| frame.clone());
                    if self.chance(distorted) && swapped.is_none() {
                        self.state().jumps += 1;
                        swapped = Some(frame);
                        continue;
                    }
                    for frame in [Some(frame), twice, swapped.take()].into_iter().flatten() {
                        if !peer.say(frame).await { break; }
                    }
                }
            }
        }
        self.end(fate, peer).await;
    }

    /// Ends a connection as its fate says.
    async fn end(&self, fate: Fate, mut peer: Peer) {
        self.trouble();
        self.state().cuts += 1;
        match fate {
            Fate::Close(code) => peer.close(code).await,
            Fate::Silence | Fate::NoAnswer => {
                // Nothing is read, so nothing is answered; only the session's leaving ends it.
                let patience = Duration::from_secs(300);
                let gone = tokio::time::timeout(patience, async {
                    while peer.send(Frame::Pong(Vec::new())).await && fate == Fate::NoAnswer {
                        sleep(Duration::from_secs(1)).await;
                    }
                    while peer.next().await.is_some() {}
                });
                let _ = gone.await;
            }
            Fate::Shutdown => {
                let words = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#;
                peer.say(words).await;
                sleep(Duration::from_secs(10)).await;
                self.trouble();
                peer.close(1001).await;
            }
            Fate::LoseTail | Fate::Stay => peer.close(1006).await,
        }
        self.state().subscribed -= 1;
    }

    async fn answer(&self, url: &str) -> Result<Response, Error> {
        let parameter = |name: &str| {
            let (_, rest) = url.split_once(&format!("{name}=")).unwrap();
            rest.split('&').next().unwrap().to_owned()
        };
        let (symbol, from) = (parameter("symbol"), parameter("fromId").parse::<u64>().unwrap());
        sleep(self.wait(Duration::from_millis(80))).await;
        let failing = self.state().manners.failing;
        let response = |status, headers: &[(&str, &str)], body: String| Response {
            status,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: body.into_bytes(),
        };
        if self.chance(failing) {
            let drawn = self.state().jitter.fraction() * 5.0;
            match drawn as u32 {
                0 => return Ok(response(429, &[("retry-after", "3")], "{}".to_owned())),
                1 => return Ok(response(502, &[], "<html>".to_owned())),
                2 => {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        "the line to the archive broke",
                    ));
                }
                // Longer than anything is held back.
                3 => sleep(Duration::from_secs(35)).await,
                _ => return Ok(response(200, &[], r#"[{"id":1,"pri"#.to_owned())),
            }
        }
        // The archive is up to a second behind the stream.
        let behind = self.wait(Duration::from_secs(1)).as_millis() as i64;
        let visible = self.clock.now().millis() - behind;
        let state = self.state();
        let tape = &state.tapes[symbol.as_str()];
        let first = from.saturating_sub(tape[0].id) as usize;
        let rows = tape.iter().skip(first).take(1_000).take_while(|row| row.at_ms <= visible);
        let row = |row: &Printed| {
            let Printed { id, at_ms, .. } = row;
            let price = id % 1_000 + 1;
            format!(
                r#"{{"id":{id},"price":"{price}.5","qty":"1","quoteQty":"1","time":{at_ms},"isBuyerMaker":true,"isBestMatch":true}}"#
            )
        };
        let rows: Vec<String> = rows.map(row).collect();
        Ok(response(200, &[], format!("[{}]", rows.join(","))))
    }
}

impl Transport for Inside {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(self.answer(request.url()))
    }

    fn connect<'a>(&'a self, _url: &'a str, _options: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(async move {
            self.state().attempts.push(Instant::now());
            sleep(self.wait(Duration::from_millis(200))).await;
            let refused = self.state().manners.refused;
            if self.chance(refused) {
                return Err(Error::new(ErrorKind::Unavailable, "connecting to the venue"));
            }
            let (socket, peer) = Socket::pair("venue", LINE);
            let (line, trades) = mpsc::unbounded_channel();
            {
                let mut state = self.state();
                state.connects += 1;
                state.lines.push(line);
            }
            tokio::spawn(self.clone().serve(peer, trades));
            Ok(socket)
        })
    }
}

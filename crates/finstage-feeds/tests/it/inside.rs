//! A venue within this process, in the test's own time: it prints numbered trades, streams them over
//! in-memory sockets that it cuts, stalls, closes and distorts by seed, and answers requests for
//! trades slowly, in part, or not at all. It keeps what it printed, which is the truth, what of it no
//! connection was given, and when none was subscribed.

use std::collections::{BTreeMap, VecDeque};
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
    /// It answers pings and has forgotten what was asked for.
    Forget,
    /// `serverShutdown`, and closed ten seconds later.
    Shutdown,
    /// Commands are never answered.
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
    /// The share of trades that the archive never gets.
    pub(crate) unarchived: f64,
    /// The longest wait before a command is answered.
    pub(crate) answers_in: Duration,
    /// How long connections live, at most.
    pub(crate) lifetime: Duration,
    /// The longest wait between two trades.
    pub(crate) pace: Duration,
    /// How often it pings.
    pub(crate) pings_every: Duration,
}

impl Manners {
    pub(crate) const GOOD: Self = Self {
        distorted: 0.0,
        failing: 0.0,
        refused: 0.0,
        unarchived: 0.0,
        answers_in: Duration::from_millis(20),
        lifetime: Duration::from_secs(10),
        pace: Duration::from_millis(120),
        pings_every: Duration::from_secs(20),
    };
    pub(crate) const BAD: Self = Self {
        distorted: 0.002,
        failing: 0.15,
        refused: 0.1,
        answers_in: Duration::from_secs(2),
        lifetime: Duration::from_secs(20),
        ..Self::GOOD
    };
}

/// What the venue printed, in the form in which both its stream and its archive tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) id: u64,
    pub(crate) at_ms: i64,
    /// Whether any connection was given it.
    pub(crate) was_sent: bool,
    /// Whether it can be asked for.
    pub(crate) is_archived: bool,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) manners: Manners,
    jitter: Jitter,
    pub(crate) tapes: BTreeMap<&'static str, Vec<Printed>>,
    lines: Vec<mpsc::UnboundedSender<(&'static str, u64)>>,
    /// Fates of the connections to come and how long they live, before they are drawn.
    pub(crate) script: VecDeque<(Fate, Duration)>,
    /// Whether nothing is traded.
    pub(crate) is_resting: bool,
    /// When each connection ended that the venue ended.
    pub(crate) cuts: Vec<Instant>,
    /// Trades that were left out or swapped with the next: by symbol, when they were printed.
    pub(crate) jumps: Vec<(&'static str, i64)>,
    /// Connections that were told that they are subscribed, and are given trades.
    subscribed: usize,
    /// From when to when there was no such connection, in milliseconds.
    pub(crate) outages: Vec<(i64, i64)>,
    pub(crate) commands: Vec<String>,
    pub(crate) most_frames_a_second: usize,
    /// When each attempt to connect was made.
    pub(crate) attempts: Vec<Instant>,
}

impl State {
    /// A connection is subscribed from here on, and knows it.
    fn subscribe(&mut self, now_ms: i64) {
        if self.subscribed == 0
            && let Some(outage) = self.outages.last_mut()
        {
            outage.1 = now_ms;
        }
        self.subscribed += 1;
    }

    fn unsubscribe(&mut self, now_ms: i64) {
        self.subscribed -= 1;
        if self.subscribed == 0 {
            self.outages.push((now_ms, i64::MAX));
        }
    }
}

/// One connection, as the venue sees it.
struct Line {
    fate: Fate,
    ends: Instant,
    trades: mpsc::UnboundedReceiver<(&'static str, u64)>,
    /// When the session spoke within the last second.
    heard: VecDeque<Instant>,
    /// Commands to be answered, and when.
    answers: VecDeque<(Instant, u64)>,
    swapped: Option<String>,
    /// Whether it is given trades.
    is_listening: bool,
    /// Whether it was told so.
    is_subscribed: bool,
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
            let at_ms = NOON.millis();
            (symbol, vec![Printed { id, at_ms, was_sent: true, is_archived: true }])
        });
        let state = State {
            manners,
            jitter: Jitter::seeded(seed),
            tapes: tapes.into(),
            lines: Vec::new(),
            script: VecDeque::new(),
            is_resting: false,
            cuts: Vec::new(),
            jumps: Vec::new(),
            subscribed: 0,
            outages: vec![(NOON.millis(), i64::MAX)],
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
    fn print(&self, symbol: &'static str) {
        let unarchived = self.state().manners.unarchived;
        let is_archived = unarchived == 0.0 || !self.chance(unarchived);
        let mut state = self.state();
        let State { tapes, lines, .. } = &mut *state;
        let tape = tapes.get_mut(symbol).unwrap();
        let id = tape.last().unwrap().id + 1;
        lines.retain(|line| line.send((symbol, id)).is_ok());
        let at_ms = self.clock.now().millis();
        tape.push(Printed { id, at_ms, was_sent: false, is_archived });
    }

    /// Prints trades for ever: one symbol is busy, one is calm, one hardly trades.
    pub(crate) async fn trade(self) {
        loop {
            let pace = self.state().manners.pace;
            sleep(self.wait(pace)).await;
            if self.state().is_resting {
                continue;
            }
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

    /// What becomes of a connection, and when.
    fn fate(&self) -> (Fate, Duration) {
        let mut state = self.state();
        if let Some(scripted) = state.script.pop_front() {
            return scripted;
        }
        let fate = match (state.jitter.fraction() * 11.0) as u32 {
            0 | 1 => Fate::Close(1006),
            2 | 3 => Fate::Close(1000),
            4 => Fate::Close(1012),
            5 | 6 => Fate::LoseTail,
            7 => Fate::Shutdown,
            8 => Fate::Silence,
            9 => Fate::Forget,
            _ => Fate::NoAnswer,
        };
        let life = state.manners.lifetime.mul_f64(state.jitter.fraction());
        (fate, life + Duration::from_millis(50))
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().millis()
    }

    /// Serves one connection to its end.
    async fn serve(self, mut peer: Peer, trades: mpsc::UnboundedReceiver<(&'static str, u64)>) {
        let (fate, life) = self.fate();
        let mut line = Line {
            fate,
            ends: Instant::now() + life,
            trades,
            heard: VecDeque::new(),
            answers: VecDeque::new(),
            swapped: None,
            is_listening: false,
            is_subscribed: false,
        };
        let is_ours = self.stream(&mut line, &mut peer).await;
        self.unsubscribe(&mut line);
        drop(line.trades);
        if is_ours {
            self.end(fate, peer).await;
        }
    }

    /// Streams trades until the connection has lived, or the session has left; whether the former.
    async fn stream(&self, line: &mut Line, peer: &mut Peer) -> bool {
        let mut ping = tokio::time::interval(self.state().manners.pings_every);
        let mut is_announced = false;
        loop {
            let answer_at = line.answers.front().map_or(line.ends, |(at, _)| *at);
            tokio::select! {
                biased;
                () = sleep_until(line.ends), if line.fate != Fate::Stay => {
                    if line.fate != Fate::Shutdown || is_announced {
                        return true;
                    }
                    let words = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#;
                    peer.say(words).await;
                    is_announced = true;
                    line.ends += Duration::from_secs(10);
                }
                () = sleep_until(answer_at), if !line.answers.is_empty() => {
                    let Some((_, id)) = line.answers.pop_front() else { continue };
                    let answer = format!(r#"{{"result":null,"id":{id}}}"#);
                    if line.fate == Fate::NoAnswer {
                        continue;
                    }
                    if !peer.say(answer).await {
                        return false;
                    }
                    if line.answers.is_empty() && !line.is_subscribed {
                        line.is_subscribed = true;
                        self.state().subscribe(self.now_ms());
                    }
                }
                frame = peer.next() => match frame {
                    None | Some(Frame::Close) => return false,
                    Some(frame) => self.hear(line, &frame),
                },
                _ = ping.tick() => drop(peer.send(Frame::Ping(b"20s".to_vec())).await),
                Some((symbol, id)) = line.trades.recv(), if line.is_listening => {
                    for frame in self.frames(line, symbol, id) {
                        peer.say(frame).await;
                    }
                }
            }
        }
    }

    fn unsubscribe(&self, line: &mut Line) {
        if std::mem::take(&mut line.is_subscribed) {
            self.state().unsubscribe(self.now_ms());
        }
    }

    /// Counts a frame of the session, and takes it where it is a command.
    fn hear(&self, line: &mut Line, frame: &Frame) {
        let now = Instant::now();
        line.heard.push_back(now);
        while line.heard.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1))
        {
            line.heard.pop_front();
        }
        let mut state = self.state();
        state.most_frames_a_second = state.most_frames_a_second.max(line.heard.len());
        let Frame::Text(command) = frame else { return };
        let (_, id) = command.split_once(r#""id":"#).unwrap();
        let id = id.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        let wait = state.manners.answers_in.mul_f64(state.jitter.fraction());
        line.answers.push_back((now + wait, id));
        state.commands.push(command.clone());
        if !line.is_listening {
            line.is_listening = true;
            // What was printed before the command is not for this connection.
            while line.trades.try_recv().is_ok() {}
        }
    }

    /// The frames that tell a trade: none, one, two alike, or it and the one before.
    fn frames(&self, line: &mut Line, symbol: &'static str, id: u64) -> Vec<String> {
        let is_tail = line.ends.duration_since(Instant::now()) < Duration::from_millis(700);
        if line.fate == Fate::LoseTail && is_tail {
            self.unsubscribe(line);
            return Vec::new();
        }
        let distorted = self.state().manners.distorted;
        if self.chance(distorted) {
            // Left out: the next one is a jump.
            self.jump(symbol, id);
            return Vec::new();
        }
        let frame = self.frame(symbol, id);
        let twice = self.chance(distorted).then(|| frame.clone());
        if self.chance(distorted) && line.swapped.is_none() {
            self.jump(symbol, id);
            line.swapped = Some(frame);
            return Vec::new();
        }
        [Some(frame), twice, line.swapped.take()].into_iter().flatten().collect()
    }

    fn jump(&self, symbol: &'static str, id: u64) {
        let mut state = self.state();
        let tape = &state.tapes[symbol];
        let at_ms = tape[(id - tape[0].id) as usize].at_ms;
        state.jumps.push((symbol, at_ms));
    }

    /// Ends a connection as its fate says.
    async fn end(&self, fate: Fate, mut peer: Peer) {
        self.state().cuts.push(Instant::now());
        match fate {
            Fate::Close(code) => peer.close(code).await,
            Fate::Shutdown => peer.close(1001).await,
            Fate::LoseTail | Fate::Stay => peer.close(1006).await,
            Fate::Silence => {
                // Nothing is answered; only the session's leaving ends it.
                while peer.next().await.is_some() {}
            }
            Fate::Forget | Fate::NoAnswer => {
                while peer.send(Frame::Pong(Vec::new())).await {
                    sleep(Duration::from_secs(1)).await;
                }
            }
        }
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
        let rows = tape.iter().skip(first).take_while(|row| row.at_ms <= visible);
        let rows = rows.filter(|row| row.is_archived).take(1_000);
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
                state.lines.push(line);
            }
            tokio::spawn(self.clone().serve(peer, trades));
            Ok(socket)
        })
    }
}

//! The three venues within this process, and the network between them and the client.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use finstage_lab::rng::mix;
use finstage_lab::sim::{binance, kis, kraken, rulebook::Refusal};
use finstage_model::{Clock, Timestamp};
use finstage_net::{
    Carried, Error, ErrorKind, Request, Response, Socket, SocketOptions, Transport,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::faults::{Fault, Faults};
use super::referee::Referee;
use super::stream::{self, Item};
use super::tape::{TRADED, Tape};
use super::trace::Trace;

/// When the simulated time begins: a Monday.
pub(crate) const BEGIN: Timestamp = Timestamp::from_secs(1_767_571_200);
/// The client's own longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How far the archive is behind the stream at most.
const BEHIND: Duration = Duration::from_secs(1);

/// Time as the runtime counts it, which is paused and moves when nothing else is to be done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Virtual(pub(crate) Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        BEGIN.plus(self.0.elapsed())
    }
}

/// The venues, by their place in every list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Venue {
    Binance,
    Kis,
    Kraken,
}

impl Venue {
    pub(crate) const ALL: [Self; 3] = [Self::Binance, Self::Kis, Self::Kraken];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Kis => "kis",
            Self::Kraken => "kraken",
        }
    }

    fn of(url: &str) -> Self {
        match url {
            url if url.contains("binance") => Self::Binance,
            url if url.contains("koreainvestment") => Self::Kis,
            _ => Self::Kraken,
        }
    }

    fn referee(self) -> Referee {
        match self {
            Self::Binance => Referee::new(binance::rules(), "weight"),
            Self::Kis => Referee::new(kis::rules(20), "calls"),
            Self::Kraken => Referee::new(kraken::rules(), "calls"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) trace: Trace,
    pub(crate) faults: [Faults; 3],
    pub(crate) referees: [Referee; 3],
    pub(crate) tapes: [Tape; 3],
    pub(crate) lines: Vec<mpsc::UnboundedSender<Item>>,
    pub(crate) connections: u64,
    pub(crate) cuts: u64,
    /// Whether trade is over.
    pub(crate) is_closed: bool,
    /// The present token of the broker, when it was issued, and until when it holds.
    token: (u64, Timestamp, Timestamp),
}

/// The venues and the network. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) clock: Virtual,
    pub(crate) seed: u64,
    state: Arc<Mutex<State>>,
}

/// What a venue answers.
struct Reply {
    response: Response,
    /// The rest it asks for, in seconds.
    rest: Option<u64>,
}

impl Reply {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { response: Response { status, headers: Vec::new(), body: body.into() }, rest: None }
    }

    fn header(mut self, name: &str, value: u64) -> Self {
        self.response.headers.push((name.to_owned(), value.to_string()));
        self
    }

    const fn rest(mut self, seconds: u64) -> Self {
        self.rest = Some(seconds);
        self
    }
}

impl World {
    pub(crate) fn new(seed: u64, share: f64) -> Self {
        let now_ms = BEGIN.millis();
        let state = State {
            trace: Trace::new(),
            faults: Venue::ALL.map(|venue| Faults::new(share, seed, venue.name())),
            referees: Venue::ALL.map(Venue::referee),
            tapes: [0, 1, 2].map(|place| Tape::new(place, seed, now_ms)),
            lines: Vec::new(),
            connections: 0,
            cuts: 0,
            is_closed: false,
            token: (0, Timestamp::EPOCH, Timestamp::EPOCH),
        };
        Self { clock: Virtual(Instant::now()), seed, state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no one panics while holding it")
    }

    pub(crate) fn faults<T>(&self, draw: impl FnOnce(&mut Faults) -> T) -> T {
        draw(&mut self.state().faults[Venue::Binance as usize])
    }

    /// One request on its way there and back.
    async fn carry(&self, request: &Request) -> Result<Response, Error> {
        let venue = Venue::of(request.url());
        let place = venue as usize;
        let (fault, there, back) = {
            let (now, state) = (self.clock.now(), &mut *self.state());
            state.referees[place].leaves(now);
            state.trace.bytes(now, b'>', request.url().as_bytes());
            let faults = &mut state.faults[place];
            let drawn = (faults.draw(), faults.way(), faults.way());
            state.referees[place].ledger.faults += u64::from(drawn.0.is_some());
            drawn
        };
        sleep(there).await;
        if fault == Some(Fault::NoConnection) {
            return Err(Error::new(ErrorKind::Unavailable, "connecting to a simulated venue"));
        }
        let reply = self.arrive(venue, request, fault);
        match fault {
            Some(Fault::Reset) => {
                let broken = Error::new(ErrorKind::Unavailable, "the line to a simulated venue");
                return Err(broken.after_sending());
            }
            Some(Fault::Timeout) => {
                sleep(PATIENCE).await;
                return Err(Error::new(ErrorKind::Timeout, "no answer").after_sending());
            }
            Some(Fault::Slow) => {
                let most = Duration::from_secs(12);
                let late = self.state().faults[place].wait(Duration::from_secs(1), most);
                sleep(late).await;
            }
            _ => {}
        }
        sleep(back).await;
        let (now, state) = (self.clock.now(), &mut *self.state());
        if let Some(seconds) = reply.rest {
            state.referees[place].asks_for_rest(now, seconds);
        }
        state.trace.number(u64::from(reply.response.status));
        state.trace.bytes(now, b'<', &reply.response.body);
        Ok(reply.response)
    }

    /// A request has arrived: counted, then answered.
    fn arrive(&self, venue: Venue, request: &Request, fault: Option<Fault>) -> Reply {
        let (now, state) = (self.clock.now(), &mut *self.state());
        let url = request.url();
        let costs: &[(&str, u32)] = match venue {
            Venue::Binance if url.contains("/klines") => &[("weight", 2), ("requests", 1)],
            Venue::Binance if url.contains("/historicalTrades") => {
                &[("weight", 25), ("requests", 1)]
            }
            Venue::Binance => &[("weight", 4), ("requests", 1)],
            Venue::Kis if url.contains("/oauth2/") => &[("tokens", 1)],
            Venue::Kis | Venue::Kraken => &[("calls", 1)],
        };
        let refusal = state.referees[venue as usize].admit(now, costs);
        let used = state.referees[venue as usize].used(now);
        let reply = match (refusal, fault) {
            (Some(refusal), _) => refused(venue, url, &refusal),
            (None, Some(Fault::Groundless(seconds))) => {
                state.referees[venue as usize].ledger.groundless += 1;
                groundless(venue, url, now.plus(Duration::from_secs(seconds)), seconds)
            }
            (None, Some(Fault::Unavailable(status))) => Reply::new(status, PAGE),
            (None, Some(Fault::Page)) => Reply::new(200, PAGE),
            (None, _) => {
                let mut reply = match venue {
                    Venue::Binance => state.exchange(url, now),
                    Venue::Kis => state.broker(request, now),
                    Venue::Kraken => state.bucket(url, self.seed, now),
                };
                if fault == Some(Fault::Half) {
                    let half = reply.response.body.len() / 2;
                    reply.response.body.truncate(half);
                }
                reply
            }
        };
        match venue {
            Venue::Binance => reply.header("x-mbx-used-weight-1m", used.into()),
            Venue::Kis | Venue::Kraken => reply,
        }
    }
}

const PAGE: &str = "<html><head><title>unavailable</title></head></html>";

/// What a venue says beyond its limits.
fn refused(venue: Venue, url: &str, refusal: &Refusal) -> Reply {
    let seconds = refusal.retry_after_s();
    match venue {
        Venue::Binance => {
            let body = r#"{"code":-1003,"msg":"Too much request weight used."}"#;
            Reply::new(refusal.status, body).header("retry-after", seconds).rest(seconds)
        }
        Venue::Kis if url.contains("/oauth2/") => Reply::new(403, TOO_SOON),
        Venue::Kis => Reply::new(500, TOO_MANY).rest(1),
        Venue::Kraken => Reply::new(200, r#"{"error":["EAPI:Rate limit exceeded"]}"#).rest(15),
    }
}

const TOO_SOON: &str = r#"{"error_description":"one a minute","error_code":"EGW00133"}"#;
const TOO_MANY: &str = r#"{"rt_cd":"1","msg_cd":"EGW00201","msg1":"too many calls a second"}"#;

fn groundless(venue: Venue, url: &str, until: Timestamp, seconds: u64) -> Reply {
    match venue {
        Venue::Binance => {
            let body = r#"{"code":-1003,"msg":"Too many requests."}"#;
            Reply::new(429, body).header("retry-after", seconds).rest(seconds)
        }
        Venue::Kis if url.contains("/oauth2/") => Reply::new(403, TOO_SOON),
        Venue::Kis => Reply::new(500, TOO_MANY).rest(1),
        // It names a second of the clock, and that second may begin before the wait is over.
        Venue::Kraken => {
            let until = until.secs();
            Reply::new(200, format!(r#"{{"error":["EService: Throttled: [{until}]"]}}"#))
        }
    }
}

fn parameter<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

impl State {
    fn exchange(&mut self, url: &str, now: Timestamp) -> Reply {
        let symbol = parameter(url, "symbol").unwrap_or("");
        let Some(place) = TRADED.iter().position(|(name, _)| *name == symbol) else {
            return Reply::new(400, r#"{"code":-1121,"msg":"Invalid symbol."}"#);
        };
        let number = |name| parameter(url, name).and_then(|text| text.parse::<i64>().ok());
        let tape = &self.tapes[place];
        if url.contains("/historicalTrades") {
            let behind = self.faults[0].wait(Duration::ZERO, BEHIND);
            let from = number("fromId").unwrap_or(0) as u64;
            return Reply::new(200, tape.trade_rows(from, now.minus(behind).millis()));
        }
        if url.contains("/klines") {
            let span = (number("startTime").unwrap_or(0), number("endTime").unwrap_or(i64::MAX));
            return Reply::new(
                200,
                tape.minute_rows(span, number("limit").unwrap_or(500) as usize),
            );
        }
        Reply::new(200, format!(r#"{{"symbol":"{symbol}","price":"1000.25000000"}}"#))
    }

    fn broker(&mut self, request: &Request, now: Timestamp) -> Reply {
        let faults = &mut self.faults[Venue::Kis as usize];
        if request.url().contains("/oauth2/") {
            let (number, issued, _) = self.token;
            if number == 0 || now.since(issued) >= kis::SAME_TOKEN {
                let ends = now.plus(kis::TOKEN_LIFE);
                self.token = (number + 1, now, ends);
            }
            let (number, _, ends) = self.token;
            let seconds = ends.since(now).as_secs();
            let body = format!(
                r#"{{"access_token":"token{number}","token_type":"Bearer","expires_in":{seconds}}}"#
            );
            return Reply::new(200, body);
        }
        // Sometimes a token ends before its time.
        if faults.share() > 0.0 && faults.below(20_000) == 0 {
            self.token.1 = Timestamp::EPOCH;
            self.token.2 = now;
        }
        let (number, _, ends) = self.token;
        let expected = format!("Bearer token{number}");
        let bearer = request.headers().iter().find(|(name, _)| name == "authorization");
        if now >= ends || bearer.is_none_or(|(_, value)| *value != expected) {
            return Reply::new(500, r#"{"rt_cd":"1","msg_cd":"EGW00123","msg1":"expired"}"#);
        }
        Reply::new(
            200,
            r#"{"rt_cd":"0","msg_cd":"MCA00000","msg1":"done","output":{"stck_prpr":"71900"}}"#,
        )
    }

    fn bucket(&mut self, url: &str, seed: u64, now: Timestamp) -> Reply {
        let pair = parameter(url, "pair").unwrap_or("XBTUSD");
        let price = 30_000 + mix(seed, now.secs() as u64, 2) % 500;
        let volume = r#""0.10000000""#;
        Reply::new(
            200,
            format!(r#"{{"error":[],"result":{{"{pair}":{{"c":["{price}.20000",{volume}]}}}}}}"#),
        )
    }
}

impl Transport for World {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(self.carry(request))
    }

    fn connect<'a>(&'a self, _url: &'a str, _options: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(stream::connect(self))
    }
}

//! A model server in the test's own time: a limit of requests and one of tokens, counted in a way of
//! its own, with what it says about them in headers.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use finstage_net::{
    Carried, Error, ErrorKind, Reading, Request, Response, Sign, Socket, SocketOptions, Terms,
    Transport,
};
use tokio::time::{Instant, sleep};

/// How it counts what comes in a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Counts {
    /// A bucket that refills evenly and holds so much.
    Bucket {
        burst: f64,
    },
    /// Minutes that begin with its clock, of which so much is over at the beginning.
    Fixed {
        over: Duration,
    },
    /// The last minute, at every moment.
    Sliding,
    Nothing,
}

/// What a refusal says about how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hints {
    Milliseconds,
    Seconds,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scene {
    /// Requests a second, and tokens.
    pub(super) rate: f64,
    pub(super) tokens: Option<f64>,
    pub(super) counts: Counts,
    pub(super) hints: Hints,
    /// Whether every answer says limit and rest.
    pub(super) headers: bool,
    /// How long an answer takes beside the way there and back.
    pub(super) work: Duration,
    /// The way, one of these milliseconds each time.
    pub(super) way: (u64, u64),
    /// When the rate becomes how much of itself.
    pub(super) change: Option<(Duration, f64)>,
    pub(super) seed: u64,
}

impl Scene {
    /// Answers after 20 ms, refuses after 2 ms: the network takes one each way.
    pub(super) const USUAL: Self = Self {
        rate: 10.0,
        tokens: None,
        counts: Counts::Bucket { burst: 10.0 },
        hints: Hints::None,
        headers: false,
        work: Duration::from_millis(18),
        way: (1, 1),
        change: None,
        seed: 1,
    };
}

/// How such servers are asked.
pub(super) const TERMS: Terms = Terms {
    judge: |response, now| match response.header("retry-after-ms") {
        Some(wait) if response.status == 429 => {
            let wait = wait.parse().ok().map(Duration::from_millis);
            Sign::Limited { retry_after: wait }
        }
        _ => Sign::of_status(response, now),
    },
    readings: |response| {
        let reading = |rule: &'static str| {
            let said = |what| response.header(&format!("x-ratelimit-{what}-{rule}"))?.parse().ok();
            let (limit, left) = (said("limit")?, said("remaining")?);
            Some(Reading { rule, used: Some(u64::saturating_sub(limit, left)), limit: Some(limit) })
        };
        ["requests", "tokens"].into_iter().filter_map(reading).collect()
    },
    block: Duration::ZERO,
    ..Terms::PLAIN
};

/// One limit.
#[derive(Debug)]
struct Limit {
    counts: Counts,
    /// In a second.
    rate: f64,
    /// What is left of a bucket or a minute, and when that was, in seconds.
    left: f64,
    at: f64,
    log: VecDeque<(f64, f64)>,
}

#[derive(Debug)]
pub(super) struct Server {
    scene: Scene,
    origin: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limits: Vec<(&'static str, Limit)>,
    refused: u64,
    /// Between these moments nothing may come: a refusal named the wait, and it is known.
    rest: (f64, f64),
    disobeyed: u64,
    draws: u64,
    is_changed: bool,
}

impl Limit {
    fn new(counts: Counts, rate: f64) -> Self {
        let left = match counts {
            Counts::Bucket { burst } => burst,
            _ => rate * 60.0,
        };
        Self { counts, rate, left, at: 0.0, log: VecDeque::new() }
    }

    /// What is left now.
    fn left(&mut self, now: f64) -> f64 {
        match self.counts {
            Counts::Bucket { burst } => {
                self.left = (self.left + self.rate * (now - self.at)).min(burst);
            }
            Counts::Fixed { over } => {
                let minute = |at: f64| ((at + over.as_secs_f64()) / 60.0).floor();
                if minute(now) > minute(self.at) {
                    self.left = self.rate * 60.0;
                }
            }
            Counts::Sliding => {
                while self.log.front().is_some_and(|(at, _)| at + 60.0 <= now) {
                    self.left += self.log.pop_front().map_or(0.0, |(_, amount)| amount);
                }
            }
            Counts::Nothing => self.left = f64::INFINITY,
        }
        self.at = now;
        self.left
    }

    fn take(&mut self, amount: f64) {
        self.left -= amount;
        if self.counts == Counts::Sliding {
            self.log.push_back((self.at, amount));
        }
    }

    /// When `amount` will be there.
    fn wait(&self, amount: f64) -> f64 {
        match self.counts {
            Counts::Bucket { .. } => (amount - self.left) / self.rate,
            Counts::Fixed { over } => 60.0 - (self.at + over.as_secs_f64()) % 60.0,
            Counts::Sliding => self.log.front().map_or(0.0, |(at, _)| at + 60.0 - self.at),
            Counts::Nothing => 0.0,
        }
    }
}

impl Server {
    pub(super) fn new(scene: Scene) -> Self {
        let limit = |rate: f64| match scene.counts {
            // As long a burst for tokens as for requests.
            Counts::Bucket { burst } => {
                Limit::new(Counts::Bucket { burst: burst / scene.rate * rate }, rate)
            }
            counts => Limit::new(counts, rate),
        };
        let mut limits = vec![("requests", limit(scene.rate))];
        limits.extend(scene.tokens.map(|rate| ("tokens", limit(rate))));
        let rest = (0.0, 0.0);
        let (draws, is_changed) = (scene.seed, false);
        let state = State { limits, refused: 0, rest, disobeyed: 0, draws, is_changed };
        Self { scene, origin: Instant::now(), state: Mutex::new(state) }
    }

    pub(super) fn refused(&self) -> u64 {
        self.state.lock().unwrap().refused
    }

    /// What came while it had asked for rest.
    pub(super) fn disobeyed(&self) -> u64 {
        self.state.lock().unwrap().disobeyed
    }

    /// Takes or refuses what comes now.
    fn answer(&self, request: &Request) -> Response {
        let mut state = self.state.lock().unwrap();
        let now = self.origin.elapsed().as_secs_f64();
        state.disobeyed += u64::from(now > state.rest.0 && now < state.rest.1);
        if let Some((_, factor)) = self.scene.change.filter(|(at, _)| now >= at.as_secs_f64())
            && !state.is_changed
        {
            state.is_changed = true;
            for (_, limit) in &mut state.limits {
                limit.left(now);
                limit.rate *= factor;
                limit.left = limit.left.min(limit.left * factor);
                if let Counts::Bucket { burst } = &mut limit.counts {
                    *burst = (*burst * factor).max(1.0);
                }
            }
        }
        let amount = |name: &str| {
            let said = request.costs().iter().find(|cost| cost.rule == name);
            said.map_or(1.0, |cost| f64::from(cost.amount))
        };
        let mut missing = None;
        for (name, limit) in &mut state.limits {
            if limit.left(now) + 1e-9 < amount(name) {
                missing = Some(limit.wait(amount(name)));
            }
        }
        let heard_at = now + 2.0 * self.scene.way.1 as f64 / 1e3 + 2e-3;
        let mut headers = Vec::new();
        match (missing, self.scene.hints) {
            (None, _) => {
                state.limits.iter_mut().for_each(|(name, limit)| limit.take(amount(name)));
            }
            (Some(wait), Hints::Milliseconds) => {
                let wait = (wait * 1e3).ceil();
                state.rest = (heard_at, state.rest.1.max(now + wait / 1e3));
                headers.push(("retry-after-ms".to_owned(), wait.to_string()));
            }
            (Some(wait), Hints::Seconds) => {
                state.rest = (heard_at, state.rest.1.max(now + wait.ceil()));
                headers.push(("retry-after".to_owned(), wait.ceil().to_string()));
            }
            (Some(_), Hints::None) => {}
        }
        if self.scene.headers {
            for (name, limit) in &state.limits {
                let mut say = |what: &str, value: f64| {
                    headers.push((format!("x-ratelimit-{what}-{name}"), value.floor().to_string()));
                };
                say("limit", limit.rate * 60.0 + 1e-6);
                say("remaining", limit.left.max(0.0));
            }
        }
        state.refused += u64::from(missing.is_some());
        let status = if missing.is_some() { 429 } else { 200 };
        Response { status, headers, body: Vec::new() }
    }

    fn way(&self) -> Duration {
        let (least, most) = self.scene.way;
        let mut state = self.state.lock().unwrap();
        // Numerical Recipes' generator: its high bits are even enough for a delay.
        state.draws =
            state.draws.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        Duration::from_millis(least + (state.draws >> 33) % (most - least + 1))
    }
}

impl Transport for Server {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move {
            sleep(self.way()).await;
            let response = self.answer(request);
            if response.is_success() {
                sleep(self.scene.work).await;
            }
            sleep(self.way()).await;
            Ok(response)
        })
    }

    fn connect<'a>(&'a self, url: &'a str, _: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(async move { Err(Error::new(ErrorKind::Unavailable, url)) })
    }
}

//! What the client core costs: a request through all of it beside the bare HTTP library, one decision
//! of the limiter under eight limits, and one answer of the cache. And what the cache saves: the share
//! of a day's questions that need no request.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::MarketHours;
use finstage_model::{Clock as _, ManualClock, Timestamp};
use finstage_net::{
    Books, Cache, CacheOptions, Class, Client, ClientOptions, Cost, Limiter, LimiterOptions,
    MarketPhase, Reading, Remote, RemoteOptions, Request, Response, Rule, Settlement, Shape, Terms,
};

use super::Session;
use super::stopwatch::{ns_each, own};
use crate::exit::{Exit, Failure, Result};

/// Requests of one round, where everything is measured.
const REQUESTS: usize = 3_000;
const DECISIONS: usize = 200_000;
/// Fewer bars than this ask for a short look, not for figures.
const SHORT_BELOW: usize = 100_000;
/// Nanoseconds between two decisions: the books see time pass, as they do in use.
const STEP: u64 = 50_000;
const BODY: &str = "thirteen byte";

/// Limits that never bind, so that only the work of keeping them is measured.
const fn rule(name: &'static str, shape: Shape, seconds: u64) -> Rule {
    Rule {
        name,
        shape,
        limit: 1_000_000_000,
        window: Duration::from_secs(seconds),
        default_cost: 1,
        counts_refused: true,
    }
}

const RULES: [Rule; 8] = [
    rule("weight", Shape::Aligned, 60),
    rule("requests", Shape::Sliding, 300),
    rule("second", Shape::Sliding, 1),
    rule("minute", Shape::Anchored, 60),
    rule("tokens", Shape::Bucket, 60),
    rule("hour", Shape::Aligned, 3_600),
    rule("day", Shape::Aligned, 86_400),
    rule("burst", Shape::Bucket, 10),
];

const TERMS: Terms = Terms { rules: &RULES, readings, ..Terms::PLAIN };

fn readings(response: &Response) -> Vec<Reading> {
    let used = response.header("x-used").and_then(|used| used.parse().ok());
    used.map(|used| Reading { rule: "weight", used: Some(used), limit: None }).into_iter().collect()
}

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let share = if session.bars() < SHORT_BELOW { 100 } else { 1 };
    requests(session, REQUESTS / share)?;
    limiter(session, DECISIONS / share);
    cache(session, DECISIONS / share)?;
    Ok(())
}

/// The two take turns round by round, on one thread; the server's thread does not count.
fn requests(session: &mut Session<'_>, many: usize) -> Result<()> {
    let remote_failure = |e: &dyn std::fmt::Display| Failure::new(Exit::Remote, e.to_string());
    let url = format!("http://{}/", serve()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = Client::new(ClientOptions::default()).map_err(|e| remote_failure(&e))?;
    finstage_net::install_crypto();
    let bare = reqwest::Client::builder().no_proxy().build().map_err(|e| remote_failure(&e))?;
    let remote = Remote::with("loopback", TERMS, RemoteOptions::default());
    let whole = client.at(&remote);
    let ask_bare = || async {
        for _ in 0..many {
            let answer = bare.get(&url).header("x-key", "k").send().await;
            let body = answer.map_err(|e| remote_failure(&e))?.bytes().await;
            must_be_whole(&body.map_err(|e| remote_failure(&e))?)?;
        }
        Ok(())
    };
    let ask_whole = || async {
        for _ in 0..many {
            let request = Request::get(&url).header("x-key", "k").cost("weight", 2);
            let answer = whole.send(&request).await;
            must_be_whole(&answer.map_err(|e| remote_failure(&e))?.body)?;
        }
        Ok(())
    };
    let (mut bare_ns, mut whole_ns) = (Vec::new(), Vec::new());
    for _ in 0..session.rounds() {
        let (took, done): (_, Result<()>) = own(|| runtime.block_on(ask_bare()));
        done?;
        bare_ns.push(ns_each(took, many));
        let (took, done): (_, Result<()>) = own(|| runtime.block_on(ask_whole()));
        done?;
        whole_ns.push(ns_each(took, many));
    }
    let (bare_ns, whole_ns) = (least(&bare_ns), least(&whole_ns));
    session.row("client.request.reqwest".into(), bare_ns / 1e3, "us/request");
    session.row("client.request.whole".into(), whole_ns / 1e3, "us/request");
    session.row("client.request.ratio".into(), whole_ns / bare_ns, "x");
    Ok(())
}

fn must_be_whole(body: &[u8]) -> Result<()> {
    let is_whole = body == BODY.as_bytes();
    if is_whole { Ok(()) } else { Err(Failure::new(Exit::Remote, "the answer is another one")) }
}

/// A server in a thread of its own that gives one answer to whatever is asked.
fn serve() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let answer = |mut stream: std::net::TcpStream| -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let whole =
            format!("HTTP/1.1 200 OK\r\nx-used: 1\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
        let (mut heard, mut piece) = (Vec::new(), [0; 4_096]);
        loop {
            let count = stream.read(&mut piece)?;
            if count == 0 {
                return Ok(());
            }
            heard.extend_from_slice(&piece[..count]);
            if heard.ends_with(b"\r\n\r\n") {
                heard.clear();
                stream.write_all(whole.as_bytes())?;
            }
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    Ok(address)
}

/// A decision, the departure, and the settlement of each request.
fn limiter(session: &mut Session<'_>, many: usize) {
    let limiter = Limiter::new("bench", &RULES, LimiterOptions::default());
    let costs = [Cost { rule: "weight", amount: 2 }];
    let mut ns = Vec::new();
    for _ in 0..session.rounds() {
        let (took, ()) = own(|| {
            for _ in 0..many {
                if let Ok(mut permit) = limiter.try_acquire(&costs, Class::Normal) {
                    permit.sent();
                    permit.answered(&Settlement::default());
                }
            }
        });
        ns.push(ns_each(took, many));
    }
    session.row("client.limiter.turn_8_limits".into(), least(&ns), "ns/request");
    let mut books = Books::new(&RULES, Duration::from_secs(1));
    let (amounts, mut now, mut ns) = (books.amounts(&costs), 0, Vec::new());
    for _ in 0..session.rounds() {
        let (took, ()) = own(|| {
            for _ in 0..many {
                now += STEP;
                if let Ok(ticket) = books.reserve(now, &amounts) {
                    books.give_back(std::hint::black_box(&ticket));
                }
            }
        });
        ns.push(ns_each(took, many));
    }
    session.row("client.limiter.decision_8_limits".into(), least(&ns), "ns/request");
}

/// A person's page that shows prices asks for each of its instruments every few seconds, all day and
/// all night; the time to live is that of the hours of the market.
fn cache(session: &mut Session<'_>, many: usize) -> Result<()> {
    let start = Timestamp::from_secs(1_784_505_600);
    let clock = Arc::new(ManualClock::new(start));
    let options = CacheOptions { ttl: Duration::from_secs(15), ..CacheOptions::default() };
    let cache: Cache<u32, f64> = Cache::new("prices", options, clock.clone(), |_, _| 8);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ask = async |key: u32, phase: MarketPhase| {
        let answer = cache.fetch(key, phase, async { Ok(Some(f64::from(key))) }).await;
        answer.map(drop).map_err(|e| Failure::new(Exit::Remote, e))
    };
    let mut ns = Vec::new();
    for _ in 0..session.rounds() {
        let (took, done): (_, Result<()>) = own(|| {
            runtime.block_on(async {
                for _ in 0..many {
                    ask(1, MarketPhase::Regular).await?;
                }
                Ok(())
            })
        });
        done?;
        ns.push(ns_each(took, many));
    }
    session.row("client.cache.hit".into(), least(&ns), "ns/question");
    let before = cache.snapshot();
    let day: Result<()> = runtime.block_on(async {
        while clock.now() < start.plus(DAY) {
            let open = MarketHours::Us.around(clock.now()).map_err(Failure::usage)?;
            let phase = match open.current {
                Some(_) => MarketPhase::Regular,
                None => MarketPhase::Closed,
            };
            for key in 0..INSTRUMENTS {
                ask(key, phase).await?;
            }
            clock.advance(REDRAWN);
        }
        Ok(())
    });
    day?;
    let after = cache.snapshot();
    let asked = (after.hits + after.misses) - (before.hits + before.misses);
    let missed = after.misses - before.misses;
    session.row("client.cache.day.questions".into(), asked as f64, "questions");
    session.row("client.cache.day.hit_rate".into(), 1.0 - missed as f64 / asked as f64, "share");
    Ok(())
}

const DAY: Duration = Duration::from_secs(86_400);
const REDRAWN: Duration = Duration::from_secs(5);
const INSTRUMENTS: u32 = 20;

/// What other load on the machine disturbed least.
fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::INFINITY, f64::min)
}

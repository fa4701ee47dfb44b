//! The server as its clients feel it: requests a second and the slowest of a hundred, on the addresses
//! that pages ask most; then 2,000 listeners who get 20,000 messages a second together. Clients and
//! server share this process and its cores.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Clock, Price, Symbol, Timestamp};
use finstage_net::SystemClock;
use finstage_server::{Live, Server, ServerOptions, load_token, memory_bytes, token_file};
use finstage_store::history::History;
use finstage_store::journal::{Journal, JournalOptions};
use finstage_store::records::Records;
use finstage_store::suite::records::{batch, symbol};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Session;
use crate::exit::{Exit, Failure, Result};
use crate::live::Safe;
use crate::serving;
use crate::wiring::disk;

/// Connections that ask at once.
const CONNECTIONS: usize = 16;
/// Fewer bars than this ask for a short look, not for figures.
const SHORT_BELOW: usize = 100_000;
/// Instruments, and prices of all instruments a second: with 2,000 listeners 2,000 × 200 / 20 = 20,000.
const INSTRUMENTS: usize = 20;
const PRICES_PER_SECOND: u64 = 200;
/// Events that what is listed follows from.
pub(super) const EVENTS: u64 = 3_000;
/// The longest message or head that is expected.
const MAX_BYTES: usize = 1 << 20;

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    asked_for: Duration,
    listened_for: Duration,
    listeners: usize,
}

impl Effort {
    const fn of(bars: usize) -> Self {
        if bars < SHORT_BELOW {
            let short = Duration::from_millis(200);
            return Self { asked_for: short, listened_for: short, listeners: 40 };
        }
        Self {
            asked_for: Duration::from_secs(5),
            listened_for: Duration::from_secs(10),
            listeners: 2_000,
        }
    }
}

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(all(session))
}

async fn all(session: &mut Session<'_>) -> Result<()> {
    let effort = Effort::of(session.bars());
    let folder = tempfile::tempdir()?;
    let Filled { server, live, place, .. } = filled(folder.path()).await?;
    let named: Vec<String> = (0..3).map(|i| format!("sim:S{i}")).collect();
    let prices = format!("/api/v1/prices?symbol={}", named.join(","));
    for (what, path) in [("prices", prices.as_str()), ("signals", "/api/v1/signals?limit=50")] {
        let (count, mut times) = ask(&place, path, effort.asked_for).await?;
        let per_second = count as f64 / effort.asked_for.as_secs_f64();
        session.row(format!("server.{what}.per_second"), per_second, "requests/s");
        session.row(format!("server.{what}.p99"), percentile(&mut times, 0.99), "ms");
    }
    listen(session, &place, (&live, effort)).await?;
    server.stop().await;
    Ok(())
}

/// A server of this process over records with something in them.
pub(super) struct Filled {
    pub(super) server: Server,
    pub(super) live: Arc<Live>,
    pub(super) place: Place,
    pub(super) records: Records,
}

/// Starts a server in `folder`, whose lists have rows and whose instruments have prices.
pub(super) async fn filled(folder: &Path) -> Result<Filled> {
    let settings = crate::config::parse("the bench's configuration", "", &[])?;
    let records = Records::open(&folder.join("records.db"))?;
    for first in (0..EVENTS).step_by(500) {
        records.apply(&batch(1, first, first + 500))?;
    }
    records.instrument_id(&symbol())?;
    let history = History::open(disk(), folder.join("history"), records.clone());
    let journal = Journal::open(disk(), folder.join("journal"), JournalOptions::default());
    let options = ServerOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    let opened = serving::open(options, folder, |_| {}).await?;
    let live = Arc::clone(&opened.live);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let service = serving::Service {
        settings: &settings,
        records: &records,
        history: &history,
        journal: &journal,
        clock: &clock,
        safe: &Safe::default(),
        monitor: None,
    };
    let (server, _) = serving::start(opened, &service)?;
    let token = load_token(&token_file(folder)).map_err(|e| Failure::new(Exit::Store, e))?;
    let place = Place { address: server.address(), token: token.expose().clone() };
    for instrument in 0..INSTRUMENTS {
        live.price(&name(instrument)?, price(instrument as u64), clock.now());
    }
    Ok(Filled { server, live, place, records })
}

/// Where a server is, and what opens it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) address: SocketAddr,
    pub(super) token: String,
}

fn name(instrument: usize) -> Result<Symbol> {
    format!("sim:S{instrument}").parse().map_err(Failure::usage)
}

fn price(n: u64) -> Price {
    Price::from_nanos(100_000_000_000 + (n % 1_000) as i64 * 10_000_000)
}

/// Asks one address over several connections; how often it was answered, and how long each took.
async fn ask(place: &Place, path: &str, asked_for: Duration) -> Result<(usize, Vec<f64>)> {
    let mut asking = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (place, path) = (place.clone(), path.to_owned());
        asking.spawn(async move {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
                place.address, place.token
            );
            let mut socket = TcpStream::connect(place.address).await?;
            socket.set_nodelay(true)?;
            let (began, mut times, mut buffer) = (Instant::now(), Vec::new(), Vec::new());
            while began.elapsed() < asked_for {
                let sent = Instant::now();
                socket.write_all(request.as_bytes()).await?;
                answer(&mut socket, &mut buffer).await?;
                times.push(sent.elapsed().as_secs_f64() * 1e3);
            }
            Ok::<_, std::io::Error>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = asking.join_next().await {
        times.extend(done.map_err(|e| Failure::new(Exit::Remote, e))??);
    }
    Ok((times.len(), times))
}

/// Reads a whole answer, which must be good.
async fn answer(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    buffer.clear();
    let broken = |why: &str| std::io::Error::other(format!("the server {why}"));
    let mut whole = None;
    loop {
        if let Some(end) = whole
            && buffer.len() >= end
        {
            return Ok(());
        }
        if socket.read_buf(buffer).await? == 0 || buffer.len() > MAX_BYTES {
            return Err(broken("closed"));
        }
        if whole.is_none()
            && let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            if !head.starts_with("http/1.1 200") {
                return Err(broken("refused"));
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
            whole = Some(end + 4 + length);
        }
    }
}

async fn listen(
    session: &mut Session<'_>,
    place: &Place,
    (live, effort): (&Arc<Live>, Effort),
) -> Result<()> {
    let mut listening = JoinSet::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let before = memory_bytes().unwrap_or(0);
    for listener in 0..effort.listeners {
        let socket = join(place, &name(listener % INSTRUMENTS)?).await?;
        let mut stopped = stopped.clone();
        listening.spawn(async move {
            tokio::select! {
                times = hear(socket) => times,
                _ = stopped.wait_for(|stop| *stop) => Vec::new(),
            }
        });
    }
    let joined = memory_bytes().unwrap_or(0);
    let mut every = tokio::time::interval(Duration::from_secs(1) / PRICES_PER_SECOND as u32);
    let began = Instant::now();
    let mut said = 0;
    while began.elapsed() < effort.listened_for {
        every.tick().await;
        let instrument = (said % INSTRUMENTS as u64) as usize;
        live.price(&name(instrument)?, price(said), SystemClock.now());
        said += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    // What was sent last is on its way.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = memory_bytes().unwrap_or(0);
    for instrument in 0..INSTRUMENTS {
        live.price(&name(instrument)?, Price::from_nanos(1), SystemClock.now());
    }
    let mut times = Vec::new();
    let mut lost = 0;
    let patience = tokio::time::sleep(Duration::from_secs(10));
    tokio::pin!(patience);
    loop {
        tokio::select! {
            done = listening.join_next() => match done {
                Some(Ok(own)) => times.extend(own),
                Some(Err(_)) => lost += 1,
                None => break,
            },
            () = &mut patience => {
                lost += listening.len();
                let _ = stop.send(true);
                break;
            }
        }
    }
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    session.row("server.stream.listeners".into(), (effort.listeners - lost) as f64, "clients");
    session.row("server.stream.per_second".into(), times.len() as f64 / seconds, "messages/s");
    session.row("server.stream.p50".into(), percentile(&mut times, 0.5), "ms");
    session.row("server.stream.p99".into(), percentile(&mut times, 0.99), "ms");
    session.row("server.memory.before_listeners".into(), mib(before), "MiB");
    session.row("server.memory.with_listeners".into(), mib(joined.max(after)), "MiB");
    Ok(())
}

/// Connects a listener and subscribes it to one instrument.
pub(super) async fn join(place: &Place, instrument: &Symbol) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(place.address).await?;
    let request = format!(
        "GET /ws/realtime HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        place.address, place.token
    );
    socket.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_BYTES {
        head.push(socket.read_u8().await?);
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(Failure::new(Exit::Remote, "the server takes no more listeners"));
    }
    let ask = format!(r#"{{"action":"subscribe","type":"prices","symbols":["{instrument}"]}}"#);
    // Clients mask what they send; a mask of zeros leaves it as it is.
    let mut frame = vec![0x81, 0x80 | ask.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(ask.as_bytes());
    socket.write_all(&frame).await?;
    Ok(socket)
}

/// Hears until the last price; how old each message was when it came, in milliseconds.
async fn hear(socket: TcpStream) -> Vec<f64> {
    let mut socket = tokio::io::BufReader::with_capacity(1 << 10, socket);
    let mut times = Vec::new();
    let mut is_first = true;
    while let Ok(text) = frame(&mut socket).await {
        let Some(at) = between(&text, "\"timestamp\":\"", "\"") else { continue };
        if text.contains("\"current_price\":0.000000001") {
            break;
        }
        let age = SystemClock.now().nanos() - at.parse().map_or(0, Timestamp::nanos);
        // The first is the one that was known before.
        if !std::mem::take(&mut is_first) {
            times.push(age as f64 / 1e6);
        }
    }
    times
}

pub(super) async fn frame(
    socket: &mut (impl tokio::io::AsyncRead + Unpin),
) -> std::io::Result<String> {
    let _ = socket.read_u8().await?;
    let length = match socket.read_u8().await? & 0x7f {
        126 => usize::from(socket.read_u16().await?),
        127 => return Err(std::io::Error::other("a message that is too long")),
        short => usize::from(short),
    };
    let mut text = vec![0; length];
    socket.read_exact(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

/// The value that this share of all is not above; 0 where there is none.
pub(super) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(place).copied().unwrap_or(0.0)
}

//! The server: accepts connections within its bounds, and keeps them until it stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use finstage_model::{Clock, Interval};
use finstage_store::history::History;
use finstage_store::records::Records;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::accept::accept;
use crate::annex::{Annex, Wing};
use crate::app::{About, App, Kept};
use crate::auth::Keys;
use crate::guard::Hosts;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::monitor::HttpTotals;
use crate::options::ServerOptions;
use crate::stream::{Hub, HubParts, Synced};
use crate::{Desk, Error, ErrorKind, tls};

/// How long connections may take to end when the server stops, all of them together.
pub(crate) const STOP_MAX: Duration = Duration::from_millis(1_500);
/// How often stored closes are looked up.
const BOARD_EVERY: Duration = Duration::from_secs(10);

/// What a server is made of.
#[derive(Debug)]
pub struct Inputs {
    /// What was said.
    pub records: Records,
    /// All bars.
    pub history: History,
    /// What the engine's thread tells.
    pub live: Arc<Live>,
    /// What only the binary knows.
    pub desk: Arc<dyn Desk>,
    /// The time of what is shown: that of the markets.
    pub clock: Arc<dyn Clock>,
    /// The time of people, by which links and sessions end: a simulated market's may run faster.
    pub wall: Arc<dyn Clock>,
    /// Up to where the journal is on disk.
    pub synced: Synced,
    /// The file of the token, made where it is missing.
    pub token_file: std::path::PathBuf,
    /// What the service says of itself.
    pub about: About,
    /// What somebody else answers for, if anything.
    pub annex: Option<Arc<dyn Annex>>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Tells what was answered so far, whenever it is asked.
    pub fn meter(&self) -> impl Fn() -> HttpTotals + Send + Sync + 'static {
        let app = Arc::clone(&self.app);
        move || HttpTotals {
            cache_hits: app.kept.hits.load(Ordering::Relaxed),
            cache_asked: app.kept.asked.load(Ordering::Relaxed),
            ..app.metrics.totals()
        }
    }

    /// Serves on a listener that is bound already, until [`Server::stop`].
    ///
    /// # Errors
    /// When the settings are not safe, the token or the certificate cannot be read, or the records
    /// cannot.
    pub fn start(
        listener: TcpListener,
        options: &ServerOptions,
        inputs: Inputs,
    ) -> Result<Self, Error> {
        options.check()?;
        let address = listener.local_addr().map_err(|e| {
            Error::new(ErrorKind::Failed, "the address of the listener is not known").because(e)
        })?;
        let tls = options.tls.as_ref().map(|(cert, key)| tls::acceptor(cert, key)).transpose()?;
        let is_tls = tls.is_some();
        let keys = Arc::new(Keys::open(inputs.token_file.clone(), inputs.records.clone())?);
        let metrics = Arc::new(Metrics::default());
        let hub = Arc::new(Hub::new(HubParts {
            records: inputs.records.clone(),
            desk: Arc::clone(&inputs.desk),
            live: Arc::clone(&inputs.live),
            clock: Arc::clone(&inputs.clock),
            metrics: Arc::clone(&metrics),
            keys: Arc::clone(&keys),
            synced: inputs.synced.clone(),
        }));
        hub.begin()?;
        let url =
            options.url(address).unwrap_or_else(|| format!("{}://{address}", options.scheme()));
        let app = Arc::new(App {
            about: About { url, is_tls, ..inputs.about },
            records: inputs.records,
            history: inputs.history,
            desk: inputs.desk,
            live: inputs.live,
            clock: inputs.clock,
            wall: inputs.wall,
            keys,
            hub,
            metrics,
            hosts: Hosts::new(address, &options.hosts(), is_tls),
            limits: options.limits,
            kept: Kept::default(),
            track: std::sync::Mutex::default(),
            questions: Semaphore::new(options.limits.questions),
            requests: Semaphore::new(options.limits.requests),
            wing: inputs.annex.map(Wing::new),
        });
        let (stop, stopping) = watch::channel(false);
        fill_board(&app)?;
        let filling = tokio::spawn(keep_board(Arc::clone(&app), stopping.clone()));
        let pushing = tokio::spawn(Arc::clone(&app.hub).run(stopping.clone()));
        let accepting = tokio::spawn(accept(listener, tls, Arc::clone(&app), stopping));
        Ok(Self { app, address, stop, tasks: vec![filling, pushing, accepting] })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How people reach it: `http://127.0.0.1:8080`, or its public name.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.app.about.url
    }

    /// A link that opens the dashboard signed in, once and within ten minutes.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn login_link(&self) -> Result<String, Error> {
        let code = self.app.keys.code(self.app.wall.now())?;
        Ok(format!("{}/?login={code}", self.app.about.url))
    }

    /// Stops: nothing new is accepted, what is being answered is finished, clients of the stream are
    /// told.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let until = tokio::time::Instant::now() + STOP_MAX;
        for task in self.tasks {
            let _ = tokio::time::timeout_at(until, task).await;
        }
    }
}

/// Puts what is watched on the board, with the last closes that are stored: history may be fetched or
/// imported while the server runs.
fn fill_board(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    for symbol in app.desk.watched() {
        let instrument = app.records.instrument(&symbol)?;
        let currency = instrument.and_then(|instrument| instrument.currency);
        app.live.watch(&symbol, currency, app.desk.quote_delay_s(&symbol));
        let days = app.history.last_bars(&symbol, Interval::D1, now, 2)?;
        app.live.remember(&symbol, &days);
        for interval in Interval::ALL.into_iter().filter(|interval| *interval < Interval::D1) {
            let last = app.history.last_bars(&symbol, interval, now, 1)?;
            if !last.is_empty() {
                app.live.remember(&symbol, &last);
                break;
            }
        }
    }
    Ok(())
}

async fn keep_board(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(BOARD_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let board = Arc::clone(&app);
        if let Err(error) = app.ask(move || fill_board(&board)).await {
            tracing::warn!("prices lack what is stored until the next try: {error}");
        }
    }
}

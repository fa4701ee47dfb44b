//! `finstage serve`

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use finstage_model::{Clock as _, Decision, Event, FeedKind, InstrumentId, Output, Symbol};
use finstage_net::{SteadyClock, SystemClock};
use finstage_notify::Lines;
use finstage_seal::Secret;
use finstage_server::{ServerOptions, load_token, token_file};
use tokio::sync::watch;

use super::config::count;
use super::{data_dir, level, load, say};
use crate::cli::{Global, Serve};
use crate::config::settings::{NotifySettings, Settings};
use crate::exit::{Exit, Failure, Result};
use crate::gateway::Gateway;
use crate::live::{Freshness, Names, Observer};
use crate::logging::{self, LogOptions};
use crate::sealed;
use crate::service::{self, Plan};
use crate::serving::{self, Announcement};
use crate::wiring::{Store, disk};
use finstage_store::records::StoreKind;

/// What is being written down when everything has stopped has so long.
const LAST_WORDS: Duration = Duration::from_millis(500);

pub(super) fn run(global: &Global, args: &Serve) -> Result<Exit> {
    let loaded = load(global)?;
    let settings = loaded.settings.clone();
    let dir = data_dir(global, &loaded);
    let own = load_token(&token_file(&dir)).ok();
    logging::start(LogOptions {
        level: level(global),
        settings: Some(&settings.log),
        secrets: secrets(&settings).into_iter().chain(own).collect(),
    })?;
    if settings.feeds.is_empty() {
        let place = loaded
            .file
            .as_ref()
            .map_or("no finstage.toml found".into(), |f| f.display().to_string());
        return Err(Failure::usage(format!(
            "{place}: nothing to watch: `finstage init` writes a configuration with feeds, `finstage demo` needs none"
        )));
    }
    sealed::look(&settings, &dir, SystemClock.now())?;
    // What is rehearsed is no real record.
    let speed = args.speed.filter(|speed| speed.is_finite() && *speed > 0.0).unwrap_or(1.0);
    let kind = if args.speed.is_some() { StoreKind::Demo } else { StoreKind::Real };
    let store = Store::open(&dir, kind, disk())?;
    let feeds = count(settings.feeds.len(), "feed", "feeds");
    let strategies = count(settings.engine.strategies.len(), "strategy", "strategies");
    let server = server_options(args, &settings)?;
    let steady = (speed == 1.0).then(SteadyClock::new);
    let clock = match &steady {
        Some(steady) => Arc::new(steady.clone()) as _,
        None => super::sim::clock(speed, args.right_at),
    };
    let mut plan = Plan {
        settings,
        store,
        clock,
        speed,
        steady,
        observer: Arc::new(Log::default()),
        lines: stderr_lines,
        server: None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let stop = stop_on_signal();
        if let Some(options) = server {
            let (dir_told, is_elsewhere) = (global.data_dir.clone(), args.listen.is_some());
            let said = global.clone();
            let told = move |at: &Announcement| {
                let address = is_elsewhere.then_some(at.address);
                announce(&said, (dir_told.as_deref(), address), at);
            };
            let mut opened = serving::open(options, &dir, told).await?;
            opened.gateway = gateway(&plan)?;
            plan.server = Some(opened);
        }
        say(global, format_args!("finstage {}: data in {}", crate::VERSION, dir.display()));
        let ready = |_| {
            say(global, format_args!("watching {feeds} with {strategies}; Ctrl-C or SIGTERM ends"));
        };
        service::run(plan, stop, ready).await
    });
    // A task's thread that did not hear that it is called off is not waited for: its lease ends.
    runtime.shutdown_timeout(LAST_WORDS);
    ended?;
    say(global, format_args!("stopped; everything is kept in {}", dir.display()));
    Ok(Exit::Done)
}

/// What the log must not show.
pub(super) fn secrets(settings: &Settings) -> Vec<Secret<String>> {
    let keys = settings.accounts.values().flat_map(|account| account.secrets()).cloned();
    let bearers = settings.sealed.values().filter_map(|sealed| sealed.token.clone()?.ok());
    let model = settings.llm.api_key.iter().filter_map(|key| key.as_ref().ok().cloned());
    let tokens = settings.gateway.clients.iter().filter_map(|client| client.token.clone().ok());
    let channels = settings.notify.iter().flat_map(NotifySettings::secrets).cloned();
    channels.chain(keys).chain(bearers).chain(model).chain(tokens).collect()
}

/// The gateway beside the server, if one is wanted.
fn gateway(plan: &Plan) -> Result<Option<Arc<Gateway>>> {
    let is_wanted = plan.settings.gateway.enabled;
    is_wanted
        .then(|| {
            Gateway::new(&plan.settings, plan.store.records.clone(), &plan.clock).map(Arc::new)
        })
        .transpose()
}

/// Where the server listens, if there is one.
fn server_options(args: &Serve, settings: &Settings) -> Result<Option<ServerOptions>> {
    if args.no_server || (!settings.server.enabled && args.listen.is_none()) {
        return Ok(None);
    }
    let mut options = settings.server.options.clone();
    if let Some(listen) = args.listen {
        options.listen = listen;
        options.check().map_err(|e| Failure::usage(format!("--listen {e}")))?;
    }
    Ok(Some(options))
}

/// Tells a person how to sign in, and which command makes another link: with the folder and the address
/// where they are not the usual ones.
pub(super) fn announce(
    global: &Global,
    (dir, address): (Option<&Path>, Option<SocketAddr>),
    at: &Announcement,
) {
    let mut another = String::from("finstage token link");
    if let Some(dir) = dir {
        another += &format!(" --data-dir {}", dir.display());
    }
    if let Some(address) = address {
        another += &format!(" --listen {address}");
    }
    say(global, format_args!("dashboard: {}", at.link));
    say(global, format_args!("the link works once, within 10 minutes; `{another}` prints another"));
}

/// Turns true on Ctrl-C or SIGTERM.
pub(super) fn stop_on_signal() -> watch::Receiver<bool> {
    let (send, receive) = watch::channel(false);
    tokio::spawn(async move {
        let mut term =
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(term) => term,
                Err(error) => {
                    tracing::error!("SIGTERM cannot be heard: {error}");
                    return;
                }
            };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = term.recv() => {}
        }
        let _ = send.send(true);
        // Kept open: a receiver must not take a lost sender for a stop.
        send.closed().await;
    });
    receive
}

/// Where the log notifier of a service writes.
pub(super) fn stderr_lines() -> Lines {
    Box::new(LineWriter)
}

/// Standard error, a whole line at a time.
struct LineWriter;

impl std::io::Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::stderr().lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().lock().flush()
    }
}

/// Says in the log what is not an alert already.
#[derive(Debug, Default)]
struct Log {
    /// Whose feeds were up since this process began.
    up: Mutex<BTreeSet<InstrumentId>>,
}

impl Observer for Log {
    fn said(&self, names: &Names, event: &Event, outputs: &[Output], freshness: Freshness) {
        if freshness == Freshness::Again {
            return;
        }
        if let finstage_model::Payload::Feed(status) = &event.payload
            && let Some(symbol) = names.symbol(status.instrument)
        {
            let mut up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
            if status.kind == FeedKind::Up {
                up.insert(status.instrument);
            }
            report(symbol, status.kind, up.contains(&status.instrument));
        }
        for output in outputs {
            match output {
                Output::Signal(signal) => {
                    let symbol = names.symbol(signal.instrument).map_or("", |s| s.as_str());
                    tracing::info!(
                        "signal {symbol} {} {} {} at {}",
                        signal.interval,
                        names.strategy(signal.strategy),
                        signal.direction,
                        signal.price
                    );
                }
                Output::Alert(alert) => {
                    if let Decision::Withhold(why) = alert.decision {
                        tracing::info!(
                            "alert {} {} withheld: {}",
                            alert.symbol,
                            alert.rule,
                            why.as_str()
                        );
                    }
                }
                _ => {}
            }
        }
    }
}

/// What happened to a stream, in words.
fn report(symbol: &Symbol, kind: FeedKind, was_up: bool) {
    match kind {
        // Nothing is wrong: a service begins in the middle of a bar.
        FeedKind::Gap { from, to } if !was_up => {
            tracing::info!("{symbol}: the stream begins at {to}; bars since {from} are fetched");
        }
        FeedKind::Up => tracing::info!("{symbol}: the feed is up"),
        FeedKind::Stale => tracing::warn!("{symbol}: the feed is silent; signals are withheld"),
        FeedKind::Gap { from, to } => {
            tracing::warn!("{symbol}: messages from {from} to {to} may be lost");
        }
        FeedKind::Repaired { from, to } => {
            tracing::info!("{symbol}: bars from {from} to {to} were fetched again");
        }
        other => tracing::warn!("{symbol}: {other:?}"),
    }
}

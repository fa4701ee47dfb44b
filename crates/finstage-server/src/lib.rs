//! REST, WebSocket, metrics and the dashboard.
//!
//! It deliberately never reads the engine's memory: what it shows is in the store, was told as it
//! happened ([`Live`]), or is asked of the binary ([`Desk`]). It decides nothing about markets, starts
//! no work of its own, fetches nothing from elsewhere, and serves no file of this machine.
//!
//! Three types to read first: [`Server`] (what runs), [`Desk`] (what it is told) and the table of routes
//! (`routes/mod.rs`), of which router, checks and document are made.
//!
//! ```
//! use finstage_server::ServerOptions;
//! let strangers = ServerOptions::new("0.0.0.0:8080".parse().unwrap());
//! assert!(strangers.check().unwrap_err().to_string().contains("TLS"));
//! ```
#![forbid(unsafe_code)]

mod accept;
mod annex;
mod answer;
mod app;
mod auth;
mod backtests;
mod dashboard;
mod desk;
mod error;
mod front;
mod guard;
mod live;
mod metrics;
mod monitor;
mod news;
mod openapi;
mod options;
mod problem;
mod process;
mod query;
mod random;
mod routes;
mod rows;
mod serve;
mod server;
mod sessions;
mod stream;
mod tasks;
mod tls;
mod token;

pub use annex::{Annex, Asked, Cut, Given, GivenBody};
pub use app::About;
pub use auth::{CODE_LIFE, SESSION_LIFE};
pub use backtests::BacktestAsked;
pub use desk::{
    Desk, FeedGauge, Gauges, InstrumentItem, JournalGauge, NewsGauge, NewsSource, NotifierGauge,
    QueueGauge, QuotaGauge, RemoteGauge, ReportAsked, ReportForm, ReportPage, Rules, SealedGauge,
    SeriesGauge, Times,
};
pub use error::{Error, ErrorKind};
pub use front::Front;
pub use live::{Closing, Live, MAX_INSTRUMENTS};
pub use metrics::{metrics_dashboard, metrics_rules};
pub use monitor::{HealthCheck, HttpTotals, MonitorGauges, StatementGauge};
pub use news::NewsItem;
pub use options::{Limits, ServerOptions};
pub use process::{cpu_seconds, memory_bytes};
pub use rows::{AlertItem, SignalItem, alert_items, signal_items};
pub use server::{Inputs, Server};
pub use stream::Synced;
pub use tasks::{ScheduleItem, TaskAsked, TaskItem};
pub use token::{load_or_make_token, load_token, make_token, token_file};

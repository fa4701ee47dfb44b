//! What the demo counts and shows while the engine speaks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};

use finstage_model::{Alert, Decision, Event, Output, Payload, Ruling, Signal, Symbol, Timestamp};

use crate::live::{Freshness, Names, Observer};

/// Counts everything that is said for the first time, and hands it to a screen if there is one.
pub(super) struct Tally {
    pub(super) events: AtomicU64,
    pub(super) trades: AtomicU64,
    pub(super) bars: AtomicU64,
    pub(super) signals: AtomicU64,
    pub(super) verified: AtomicU64,
    pub(super) unproven: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) withheld: AtomicU64,
    pub(super) alerts: AtomicU64,
    /// Alerts that were not sent, by reason.
    held_back: Mutex<BTreeMap<&'static str, u64>>,
    /// Nanoseconds of the newest data.
    pub(super) newest: AtomicI64,
    screen: Option<(SyncSender<Shown>, Patience)>,
}

/// What happens when the screen is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// The line is lost: a running service never waits for a screen.
    Skip,
    /// The engine waits: in virtual time the screen sets the pace.
    Wait,
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally").field("events", &self.events).finish_non_exhaustive()
    }
}

/// Something worth a line.
#[derive(Debug)]
pub(super) enum Shown {
    /// A signal with what was said about it.
    Signal { signal: Box<Signal>, symbol: Symbol, strategy: String, ruling: Option<Ruling> },
    /// An alert that goes out.
    Alert(Box<Alert>),
    /// A message that arrived at the simulated messenger.
    Message { at: Timestamp, text: String },
}

impl Tally {
    pub(super) fn new(screen: Option<(SyncSender<Shown>, Patience)>) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            events: zero(),
            trades: zero(),
            bars: zero(),
            signals: zero(),
            verified: zero(),
            unproven: zero(),
            rejected: zero(),
            withheld: zero(),
            alerts: zero(),
            held_back: Mutex::default(),
            newest: AtomicI64::new(i64::MIN),
            screen,
        }
    }

    pub(super) fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    fn show(&self, shown: Shown) {
        match &self.screen {
            Some((screen, Patience::Skip)) => drop(screen.try_send(shown)),
            Some((screen, Patience::Wait)) => drop(screen.send(shown)),
            None => {}
        }
    }

    /// Alerts that were not sent, by reason.
    pub(super) fn held_back(&self) -> BTreeMap<&'static str, u64> {
        self.held_back.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold_back(&self, alert: &Alert) {
        if let Decision::Withhold(why) = alert.decision {
            let mut held_back = self.held_back.lock().unwrap_or_else(PoisonError::into_inner);
            *held_back.entry(why.as_str()).or_default() += 1;
        }
    }

    fn count(&self, output: &Output) {
        let add = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        match output {
            Output::Bar(_) => add(&self.bars),
            Output::Signal(_) => add(&self.signals),
            Output::Verdict(verdict) => add(match verdict.ruling {
                Ruling::Verified { .. } => &self.verified,
                Ruling::Unproven { .. } => &self.unproven,
                Ruling::Rejected { .. } => &self.rejected,
                Ruling::Withheld { .. } => &self.withheld,
            }),
            Output::Alert(alert) if alert.decision == Decision::Send => add(&self.alerts),
            Output::Alert(alert) => self.hold_back(alert),
        }
    }
}

impl Observer for Tally {
    fn said(&self, names: &Names, event: &Event, outputs: &[Output], freshness: Freshness) {
        if freshness == Freshness::Again {
            return;
        }
        self.events.fetch_add(1, Ordering::Relaxed);
        if let Payload::Trade(trade) = &event.payload {
            self.trades.fetch_add(1, Ordering::Relaxed);
            self.newest.fetch_max(trade.ts_event.nanos(), Ordering::Relaxed);
        }
        for (i, output) in outputs.iter().enumerate() {
            self.count(output);
            if self.screen.is_none() {
                continue;
            }
            match output {
                Output::Signal(signal) => {
                    let ruling = outputs[i + 1..].iter().find_map(|next| match next {
                        Output::Verdict(verdict) if verdict.signal == signal.id => {
                            Some(verdict.ruling)
                        }
                        _ => None,
                    });
                    if let Some(symbol) = names.symbol(signal.instrument).cloned() {
                        let strategy = names.strategy(signal.strategy).to_owned();
                        self.show(Shown::Signal {
                            signal: signal.clone(),
                            symbol,
                            strategy,
                            ruling,
                        });
                    }
                }
                Output::Alert(alert) if alert.decision == Decision::Send => {
                    self.show(Shown::Alert(alert.clone()));
                }
                _ => {}
            }
        }
    }
}

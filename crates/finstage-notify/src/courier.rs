//! Carries one alert or notice out by one channel.
//!
//! The courier keeps what a notifier may not: the pace, the address the channel moved to, and how
//! far a message of several parts has come. It sends the parts in order and stops at the first
//! that does not arrive. Whether and when to come back is its owner's decision: the
//! [`Dispatcher`](crate::Dispatcher) asks the outbox, a command that sends a test message just
//! says what happened.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use finstage_model::Clock;
use finstage_net::{Client, ErrorKind, Request, retry_after};
use finstage_store::records::{Item, Sent};
use tokio::time::Instant;

use crate::blocking::blocking;
use crate::notifier::{Accepted, Delivery, Form, Notifier, Outgoing, Reply, Then};
use crate::pacer::Pacer;
use crate::template::Repeat;

/// The longest that one part may take from connecting to the end of the answer.
pub const MAX_SEND: Duration = Duration::from_secs(20);

/// The longest that a part waits for its turn inside an attempt; beyond it the attempt ends and
/// goes on later.
pub const MAX_TURN: Duration = Duration::from_secs(10);

/// How often one attempt follows a channel to another address.
pub const MAX_MOVES: u8 = 2;

/// Where lines go: the service's log, a file, a buffer.
pub type Lines = Box<dyn Write + Send>;

/// Sends alerts by one channel, one at a time, no faster than the channel allows.
pub struct Courier {
    notifier: Arc<dyn Notifier>,
    client: Client,
    lines: Arc<Mutex<Lines>>,
    clock: Arc<dyn Clock>,
    pacer: Pacer,
    began: Instant,
    address: Option<String>,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("notifier", &self.notifier)
            .field("pacer", &self.pacer)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier for `notifier`; requests go through `client`, lines to `lines`. The clock is the
    /// wall's: it reads a `Retry-After` that is a date.
    #[must_use]
    pub fn new(
        notifier: Arc<dyn Notifier>,
        client: Client,
        lines: Lines,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let pacer = Pacer::new(notifier.pace());
        let lines = Arc::new(Mutex::new(lines));
        Self { notifier, client, lines, clock, pacer, began: Instant::now(), address: None }
    }

    /// The channel's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.notifier.name()
    }

    /// How long until the next send is allowed.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.pacer.ready_at().saturating_sub(self.began.elapsed())
    }

    /// Sends what is missing of an alert or notice and says how it went.
    ///
    /// Dropped before its end, it leaves unknown whether the part in flight arrived.
    pub async fn send(&mut self, item: &Item, mut progress: Progress) -> Sending {
        let mut moves = 0;
        loop {
            let delivery = Delivery {
                repeat: progress.repeat,
                form: progress.form,
                note: progress.note.as_deref(),
                address: self.address.as_deref(),
                at: self.clock.now(),
            };
            let parts = self.notifier.render(item, &delivery);
            let Some(part) = parts.into_iter().nth(progress.done) else {
                return Sending::Delivered { receipt: progress.receipt };
            };
            let wait = self.wait();
            if wait > MAX_TURN {
                let reason = format!("{} waits for its turn", self.name());
                return Sending::Later(progress.later(Some(wait), reason));
            }
            tokio::time::sleep(wait).await;
            let answer = self.carry(part).await;
            self.pacer.sent(self.began.elapsed());
            match answer {
                Accepted::Delivered(receipt) => progress.arrived(receipt),
                Accepted::PlainAgain if progress.form == Form::Rich => progress.form = Form::Plain,
                Accepted::Moved { address } if moves < MAX_MOVES => {
                    moves += 1;
                    self.follow(address);
                }
                other => return self.stop(other, progress),
            }
        }
    }

    /// What an attempt that does not go on has come to.
    fn stop(&mut self, answer: Accepted, progress: Progress) -> Sending {
        match answer {
            Accepted::RetryAfter(wait) => {
                self.pacer.rest_until(self.began.elapsed() + wait);
                let reason = format!("{} asks to wait {} s", self.name(), wait.as_secs());
                Sending::Later(progress.later(Some(wait), reason))
            }
            Accepted::Retry { sent: Sent::No, reason } => {
                Sending::Later(progress.later(None, reason))
            }
            // Nobody knows how far it came: start again, marked as a possible repeat.
            Accepted::Retry { sent, reason } => {
                Sending::Later(Later { wait: None, sent, reason, progress: None })
            }
            Accepted::Refused { reason } => Sending::Refused(progress.later(None, reason)),
            Accepted::Rejected { reason, then } => Sending::Rejected { reason, then },
            Accepted::Moved { address } => Sending::Rejected {
                reason: format!("{} moves from address to address, last to {address}", self.name()),
                then: Then::GoOn,
            },
            Accepted::PlainAgain | Accepted::Delivered(_) => Sending::Rejected {
                reason: format!("{} cannot read even plain text", self.name()),
                then: Then::GoOn,
            },
        }
    }

    fn follow(&mut self, address: String) {
        tracing::warn!(
            notifier = self.name(),
            %address,
            "the channel moved: put the new address into the configuration"
        );
        self.address = Some(address);
    }

    async fn carry(&self, part: Outgoing) -> Accepted {
        match part {
            Outgoing::Http(request) => self.post(&request).await,
            Outgoing::Line(line) => {
                let lines = Arc::clone(&self.lines);
                match blocking(move || write_line(&lines, &line)).await {
                    Ok(()) => Accepted::Delivered(String::new()),
                    Err(error) => Accepted::Retry {
                        sent: Sent::Unknown,
                        reason: format!("writing a line of {}: {error}", self.name()),
                    },
                }
            }
        }
    }

    async fn post(&self, request: &Request) -> Accepted {
        match tokio::time::timeout(MAX_SEND, self.client.send(request)).await {
            Ok(Ok(response)) => self.notifier.accepted(&Reply {
                status: response.status,
                retry_after: retry_after(&response, self.clock.now()),
                body: &response.body,
            }),
            // A bad address: nothing this channel sends can ever leave.
            Ok(Err(error)) if error.kind() == ErrorKind::Invalid => {
                Accepted::Rejected { reason: error.to_string(), then: Then::Disable }
            }
            Ok(Err(error)) => Accepted::Retry {
                sent: if error.maybe_sent() { Sent::Unknown } else { Sent::No },
                reason: error.to_string(),
            },
            Err(_elapsed) => Accepted::Retry {
                sent: Sent::Unknown,
                reason: format!("{}: no answer within {} s", self.name(), MAX_SEND.as_secs()),
            },
        }
    }
}

/// How far a message of several parts has come, and how it was worded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    repeat: Repeat,
    form: Form,
    note: Option<String>,
    done: usize,
    receipt: String,
}

impl Progress {
    /// Nothing sent yet.
    #[must_use]
    pub const fn new(repeat: Repeat) -> Self {
        Self { repeat, form: Form::Rich, note: None, done: 0, receipt: String::new() }
    }

    /// With plain words beside the alert.
    #[must_use]
    pub fn with_note(self, note: Option<String>) -> Self {
        Self { note, ..self }
    }

    /// Whether the next part is not the first.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.done > 0
    }

    /// The receipt of the first part stands for the message.
    fn arrived(&mut self, receipt: String) {
        if self.done == 0 {
            self.receipt = receipt;
        }
        self.done += 1;
    }

    /// A process that dies before the rest is sent must not send the first parts unmarked.
    fn later(self, wait: Option<Duration>, reason: String) -> Later {
        let sent = if self.is_partial() { Sent::Unknown } else { Sent::No };
        Later { wait, sent, reason, progress: Some(self) }
    }
}

/// How one attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// Every part arrived.
    Delivered {
        /// The service's id of the first part.
        receipt: String,
    },
    /// Trouble on the way, or "too fast".
    Later(Later),
    /// The service said no, perhaps not for good.
    Refused(Later),
    /// The service said no for good.
    Rejected {
        /// Its words, and what to do about it.
        reason: String,
        /// What it means for the alerts behind it.
        then: Then,
    },
}

/// What to know before the next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// How long to wait at least; `None`: the caller backs off by its own rule.
    pub wait: Option<Duration>,
    /// Whether anything of the alert may have arrived.
    pub sent: Sent,
    /// Why it did not arrive, without secrets.
    pub reason: String,
    /// What to hand to the next attempt of the same process; `None`: start again.
    pub progress: Option<Progress>,
}

fn write_line(lines: &Mutex<Lines>, line: &str) -> io::Result<()> {
    // A writer that panicked once is asked again: a lost log must not silence the others.
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    lines.write_all(format!("{line}\n").as_bytes())?;
    lines.flush()
}

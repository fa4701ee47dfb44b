//! The next connection, made ready beside the present one.
//!
//! A connection that must end, because of its age or because the venue says so, is replaced while
//! it still speaks: the next one is opened and subscribed, both are listened to for
//! [`super::SessionLimits::overlap`], trades that both bring leave once, and only then the old one
//! is closed. So a planned change is no loss, and the streams are never without a subscription.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use finstage_net::{Class, Client, Cost, Error, Frame, Socket, SocketOptions};
use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::link::{End, Link};
use super::{Session, SessionStats};
use crate::venue::{Numbering, Open};

/// A connection on its way.
pub(super) type Dialing = Pin<Box<dyn Future<Output = Result<Socket, Error>> + Send>>;

/// What the limit on attempts to connect is called among a venue's rules.
const CONNECTS: &str = "connects";

/// How far the next connection is.
pub(super) enum Spare {
    /// To be opened at this moment.
    Waiting(Instant),
    /// Being opened.
    Dialing(Dialing),
    /// Open.
    Open(Box<Link>),
}

/// What happened to the next connection.
pub(super) enum Step {
    Dial,
    Dialed(Result<Socket, Error>),
    Frame(Result<Frame, Error>),
}

/// Waits for what happens next. May be dropped while waiting without a loss.
pub(super) async fn step(spare: &mut Option<Spare>) -> Step {
    match spare {
        None => std::future::pending().await,
        Some(Spare::Waiting(until)) => {
            sleep_until(*until).await;
            Step::Dial
        }
        Some(Spare::Dialing(dialing)) => Step::Dialed(dialing.await),
        Some(Spare::Open(link)) => Step::Frame(link.socket.next().await),
    }
}

/// Opens a connection, when the venue's limit on attempts allows one more.
pub(super) fn dial(client: &Client, url: String, options: &SocketOptions) -> Dialing {
    let (client, options) = (client.clone(), options.clone());
    Box::pin(async move {
        if let Some(remote) = client.remote() {
            let attempt = Cost { rule: CONNECTS, amount: 1 };
            if remote.terms().rules.iter().any(|rule| rule.name == attempt.rule) {
                remote.admit(&[attempt], Class::Urgent).await.sent();
            }
        }
        client.transport().connect(&url, &options).await
    })
}

impl Session {
    /// Begins to open a connection as the venue wants it.
    pub(super) fn dial(&mut self) -> Dialing {
        let Open::Connect(url) = self.stream.open_for(&self.subscriptions);
        dial(&self.client, url, &self.socket)
    }

    /// When it is time to look whether the first address of a sealed stream is there again. Where two
    /// connections may not speak at a time, the next one that is needed anyway is the look.
    pub(super) fn visit_due(&self, link: &Link) -> Option<Instant> {
        let is_calm = link.is_up && link.hold.is_none() && !link.is_leaving && self.spare.is_none();
        let sealed = self.sealed.as_ref().filter(|_| is_calm && self.may_overlap())?;
        sealed.look_at()
    }

    /// Begins to look: a connection that takes the place of the present one if it comes up.
    pub(super) fn visit(&mut self) {
        self.is_visit = true;
        let dialing = self.dial();
        self.spare = Some(Spare::Dialing(dialing));
    }

    /// Whether two connections may speak at a time: what both bring must be recognisable.
    pub(super) fn may_overlap(&self) -> bool {
        self.stream.numbering() == Numbering::Consecutive
            || self.subscriptions.iter().all(|subscription| !subscription.trades)
    }

    /// Moves the next connection on.
    pub(super) async fn on_spare(&mut self, step: Step) -> Result<(), End> {
        let failed = match step {
            Step::Dial => {
                let dialing = self.dial();
                self.spare = Some(Spare::Dialing(dialing));
                return Ok(());
            }
            Step::Dialed(Ok(socket)) => {
                let link = self.link(socket);
                self.tapes.begin_overlap();
                self.spare = Some(Spare::Open(Box::new(link)));
                return Ok(());
            }
            Step::Dialed(Err(error)) | Step::Frame(Err(error)) => End::Lost(error),
            Step::Frame(Ok(frame)) => {
                let Some(Spare::Open(mut link)) = self.spare.take() else { return Ok(()) };
                let heard = self.on_frame(&mut link, &frame).await;
                let leaves = link.is_leaving;
                if link.is_subscribed() && !link.is_up {
                    link.is_up = true;
                    link.overlap_ends = Some(Instant::now() + self.limits.overlap);
                }
                self.spare = Some(Spare::Open(link));
                match heard {
                    Ok(()) if leaves => End::Planned("the venue asked to connect anew"),
                    Ok(()) => return Ok(()),
                    Err(end) => end,
                }
            }
        };
        self.spare_failed(failed)
    }

    /// The next connection did not come up: it is tried again, as long as the present one speaks.
    pub(super) fn spare_failed(&mut self, end: End) -> Result<(), End> {
        if matches!(end, End::NobodyReads | End::QueueFull) {
            return Err(end);
        }
        if std::mem::take(&mut self.is_visit) {
            self.spare = None;
            if let Some(sealed) = &self.sealed {
                sealed.stays_away();
            }
            return Ok(());
        }
        let wait = self.limits.backoff.next(self.spare_failures, &mut self.jitter);
        self.spare_failures += 1;
        info!(venue = self.profile.name, %end, ?wait, "the next connection did not come up");
        self.spare = Some(Spare::Waiting(Instant::now() + wait));
        Ok(())
    }

    /// What is due of the next connection; `None` where nothing is.
    pub(super) fn spare_due(&self) -> Option<Instant> {
        let Some(Spare::Open(link)) = &self.spare else { return None };
        let due = link.next_due(self.profile, self.limits.acknowledge, self.line_stall());
        Some(link.overlap_ends.map_or(due, |ends| due.min(ends)))
    }

    /// Does what is due of the next connection, the end of the overlap included.
    pub(super) async fn on_spare_due(&mut self, main: &mut Link) -> Result<(), End> {
        let Some(Spare::Open(mut link)) = self.spare.take() else { return Ok(()) };
        if link.overlap_ends.is_some_and(|ends| ends <= Instant::now()) {
            self.spare = Some(Spare::Open(link));
            self.take_over(main);
            return Ok(());
        }
        let done = link.on_due(self.profile, self.limits.acknowledge, self.line_stall()).await;
        self.spare = Some(Spare::Open(link));
        done.or_else(|end| self.spare_failed(end))
    }

    /// The next connection takes the place of the present one, if it is subscribed; whether it did.
    pub(super) fn take_over(&mut self, main: &mut Link) -> bool {
        match self.spare.take() {
            Some(Spare::Open(link)) if link.is_up => {
                let old = std::mem::replace(main, *link);
                main.overlap_ends = None;
                self.is_visit = false;
                // Its goodbye may take seconds, which nobody has to wait for.
                tokio::spawn(old.socket.close());
                self.spare_failures = 0;
                SessionStats::add(&self.stats.overlaps, 1);
                true
            }
            other => {
                self.spare = other;
                false
            }
        }
    }

    /// Waits for the first connection, or goes on with the one that was being made ready.
    pub(super) async fn next_link(&mut self) -> Result<Link, End> {
        self.is_visit = false;
        let dialing = match self.spare.take() {
            Some(Spare::Open(link)) => return Ok(*link),
            Some(Spare::Dialing(dialing)) => dialing,
            Some(Spare::Waiting(_)) | None => self.dial(),
        };
        let socket = self.idle(dialing).await?.map_err(End::Lost)?;
        Ok(self.link(socket))
    }

    /// The longest silence of a line on which pings are answered.
    pub(super) fn line_stall(&self) -> Duration {
        self.limits.stall.unwrap_or(self.profile.stall)
    }
}

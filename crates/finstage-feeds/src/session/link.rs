//! The life of one connection: commands out, frames in, and the moments at which something is due.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::fmt;

use finstage_model::{Event, Timestamp};
use finstage_net::{Error, Frame, Socket};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::repair::{Progress, Repair};
use super::{LinkState, Session, SessionStats};
use crate::venue::{Ack, Decoded, Open};

/// Frames whose events are held back while missed bars are fetched; one more, and all go out.
pub const MAX_HELD_BATCHES: usize = 16_384;

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// It should be replaced: this is why.
    Planned(&'static str),
    /// The other side said goodbye.
    Closed,
    /// It broke, or never was.
    Lost(Error),
    /// Nothing was heard for too long.
    Silent,
    /// A command was refused.
    Refused(String),
    /// A command was not answered.
    Unanswered,
    /// Our own queue has no room.
    QueueFull,
    /// Our own queue has no reader: the end of the session.
    NobodyReads,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned(why) => f.write_str(why),
            Self::Closed => f.write_str("the venue closed the connection"),
            Self::Lost(error) => write!(f, "{error}"),
            Self::Silent => f.write_str("the venue has gone silent"),
            Self::Refused(reason) => write!(f, "the venue refused a command: {reason}"),
            Self::Unanswered => f.write_str("the venue did not answer a command in time"),
            Self::QueueFull => f.write_str("the event queue was full for too long"),
            Self::NobodyReads => f.write_str("nobody reads the events"),
        }
    }
}

/// Events that wait for older ones.
#[derive(Debug, Default)]
pub(super) struct Hold {
    pub(super) batches: Vec<Vec<Event>>,
    until: Option<Instant>,
}

/// One connection.
struct Link {
    socket: Socket,
    opened: Instant,
    pinged: bool,
    commands: VecDeque<Frame>,
    command_at: Instant,
    unanswered: BTreeSet<usize>,
    is_up: bool,
    hold: Option<Hold>,
    last_frame: Option<Timestamp>,
}

impl Session {
    /// Connects and reads until something ends it.
    pub(super) async fn connection(&mut self) -> Result<Infallible, End> {
        self.stats.set_state(LinkState::Connecting);
        let Open::Connect(url) = self.stream.open();
        let socket = Socket::connect(&url, &self.socket).await.map_err(End::Lost)?;
        let commands: VecDeque<Frame> = self.stream.subscribe(&self.subscriptions).into();
        let now = Instant::now();
        self.heard = now;
        self.book.on_connect(self.clock.now());
        let mut link = Link {
            socket,
            opened: now,
            pinged: false,
            unanswered: (0..commands.len()).collect(),
            commands,
            command_at: now,
            is_up: false,
            hold: Some(Hold::default()),
            last_frame: None,
        };
        let Err(end) = self.converse(&mut link).await;
        match link.hold.take() {
            Some(hold) if matches!(end, End::QueueFull | End::NobodyReads) => {
                hold.batches.iter().for_each(|batch| self.undo(batch));
            }
            Some(hold) => self.let_go(hold, false).await?,
            None => {}
        }
        if matches!(end, End::Silent) && !self.is_stale {
            // What cannot be said now is said by the gap to come.
            let _ = self.say_stale().await;
        }
        Err(end)
    }

    async fn converse(&mut self, link: &mut Link) -> Result<Infallible, End> {
        let mut decoded = Decoded::default();
        loop {
            let due = self.next_due(link);
            tokio::select! {
                frame = link.socket.next() => {
                    let frame = frame.map_err(End::Lost)?;
                    self.on_frame(link, &frame, &mut decoded).await?;
                }
                progress = progress(&mut self.repair), if link.is_up => self.drive(Some(progress)).await?,
                () = sleep_until(due) => self.on_due(link).await?,
            }
            self.settle(link).await?;
        }
    }

    /// The earliest moment at which something must be done without a frame.
    fn next_due(&self, link: &Link) -> Instant {
        let stall = self.stall();
        let silence = if link.pinged { stall } else { stall / 2 };
        let mut due = (self.heard + silence).min(link.opened + self.profile.max_age);
        if !link.commands.is_empty() {
            due = due.min(link.command_at);
        } else if !link.unanswered.is_empty() {
            due = due.min(link.command_at + self.limits.acknowledge);
        }
        let hold_ends = link.hold.as_ref().and_then(|hold| hold.until);
        hold_ends.map_or(due, |until| due.min(until))
    }

    async fn on_due(&mut self, link: &mut Link) -> Result<(), End> {
        let now = Instant::now();
        if now >= self.heard + self.stall() {
            return Err(End::Silent);
        }
        if now >= link.opened + self.profile.max_age {
            return Err(End::Planned("the connection has reached its age"));
        }
        if now >= self.heard + self.stall() / 2 && !link.pinged {
            link.pinged = true;
            link.socket.send(Frame::Ping(Vec::new())).await.map_err(End::Lost)?;
        }
        if now >= link.command_at {
            if let Some(command) = link.commands.pop_front() {
                link.socket.send(command).await.map_err(End::Lost)?;
                // Counted from now: a slow send must not make the next one too early.
                link.command_at = Instant::now() + self.profile.command_spacing;
            } else if now >= link.command_at + self.limits.acknowledge
                && !link.unanswered.is_empty()
            {
                return Err(End::Unanswered);
            }
        }
        Ok(())
    }

    async fn on_frame(
        &mut self,
        link: &mut Link,
        frame: &Frame,
        decoded: &mut Decoded,
    ) -> Result<(), End> {
        let ts_recv = self.clock.now();
        self.stats.frame_at(ts_recv);
        link.last_frame = Some(ts_recv);
        decoded.clear();
        match frame {
            Frame::Close => return Err(End::Closed),
            // The socket has answered pings already.
            Frame::Ping(_) | Frame::Pong(_) => {}
            Frame::Text(_) | Frame::Binary(_) => {
                if let Err(error) = self.stream.decode(frame, ts_recv, decoded) {
                    let count = SessionStats::add(&self.stats.decode_errors, 1);
                    // The first, second, fourth …: enough to see it, too few to drown in it.
                    if count.is_power_of_two() {
                        warn!(%error, count, "a frame was not understood");
                    }
                }
            }
        }
        SessionStats::add(&self.stats.duplicates, decoded.duplicates);
        let batch = self.sift(&mut decoded.events);
        if let Some(hold) = &mut link.hold {
            if !batch.is_empty() {
                hold.batches.push(batch);
            }
        } else {
            self.send(batch).await?;
            self.complete_until = Some(ts_recv);
        }
        for reply in decoded.replies.drain(..) {
            link.socket.send(reply).await.map_err(End::Lost)?;
        }
        for ack in decoded.acks.drain(..) {
            match ack {
                Ack::Accepted { command } => drop(link.unanswered.remove(&command)),
                Ack::Refused { reason, .. } => return Err(End::Refused(reason)),
            }
        }
        // Time spent waiting for room in the queue is not the venue's silence.
        self.heard = Instant::now();
        if link.is_up {
            self.fed = self.heard;
        }
        link.pinged = false;
        if decoded.reconnect {
            Err(End::Planned("the venue asked to connect anew"))
        } else {
            Ok(())
        }
    }

    /// What follows from the last step, whichever it was.
    async fn settle(&mut self, link: &mut Link) -> Result<(), End> {
        if !link.is_up && link.commands.is_empty() && link.unanswered.is_empty() {
            link.is_up = true;
            self.on_up().await?;
            if let Some(hold) = &mut link.hold {
                hold.until = Some(Instant::now() + self.limits.hold);
            }
        }
        let repairing = self.repair.as_ref().is_some_and(Repair::is_active);
        let is_over = link.hold.as_ref().is_some_and(|hold| {
            let is_late = hold.until.is_some_and(|until| until <= Instant::now());
            let is_large = hold.batches.len() >= MAX_HELD_BATCHES;
            link.is_up && (!repairing || is_late || is_large)
        });
        if is_over && let Some(hold) = link.hold.take() {
            self.let_go(hold, true).await?;
            self.complete_until = self.complete_until.max(link.last_frame);
        }
        if link.hold.is_none() && !self.losses.is_empty() {
            self.repair_losses().await?;
        }
        Ok(())
    }
}

async fn progress(repair: &mut Option<Repair>) -> Progress {
    match repair {
        Some(repair) => repair.progress().await,
        None => std::future::pending().await,
    }
}

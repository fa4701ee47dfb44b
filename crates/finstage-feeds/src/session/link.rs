//! The life of one connection: commands out, frames in, and the moments at which something is due.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use finstage_model::{Event, Timestamp};
use finstage_net::{Error, Frame, Socket};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::allowance::Allowance;
use super::repair::{Progress, Repair};
use super::spare::{self, Spare};
use super::{LinkState, Session, SessionStats};
use crate::venue::{Ack, Decoded, VenueProfile};

/// Frames whose events are held back while missed trades and bars are fetched; one more, and all
/// go out.
pub const MAX_HELD_BATCHES: usize = 16_384;

/// Frames that may wait for their turn to be sent; a venue that asks for more replies than it
/// allows frames is left.
pub const MAX_OUTBOX: usize = 256;

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
    /// It answers, and its stream has stopped.
    Stalled,
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
            Self::Stalled => f.write_str("the stream has gone silent, its line has not"),
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
pub(super) struct Link {
    pub(super) socket: Socket,
    opened: Instant,
    /// When it last said anything.
    heard: Instant,
    pinged: bool,
    commands: VecDeque<Frame>,
    command_at: Instant,
    unanswered: BTreeSet<usize>,
    /// Replies and pings that wait for their turn.
    outbox: VecDeque<Frame>,
    allowance: Allowance,
    /// Subscribed, and all that follows from it done.
    pub(super) is_up: bool,
    /// The venue has asked to connect anew.
    pub(super) is_leaving: bool,
    /// When it takes the place of the one before.
    pub(super) overlap_ends: Option<Instant>,
    pub(super) hold: Option<Hold>,
    last_frame: Option<Timestamp>,
}

impl Link {
    pub(super) fn is_subscribed(&self) -> bool {
        self.commands.is_empty() && self.unanswered.is_empty()
    }

    /// The earliest moment at which something must be done without a frame.
    pub(super) fn next_due(
        &self,
        profile: &VenueProfile,
        acknowledge: Duration,
        stall: Duration,
    ) -> Instant {
        let silence = if self.pinged { stall } else { stall / 2 };
        let mut due = self.heard + silence;
        let may_send = || self.allowance.ready_at(self.heard);
        if !self.outbox.is_empty() {
            due = due.min(may_send());
        }
        if !self.commands.is_empty() {
            due = due.min(self.command_at.max(may_send()));
        } else if !self.unanswered.is_empty() {
            due = due.min(self.command_at + acknowledge);
        }
        if !self.is_leaving {
            due = due.min(self.opened + profile.max_age);
        }
        due
    }

    pub(super) async fn on_due(
        &mut self,
        profile: &VenueProfile,
        acknowledge: Duration,
        stall: Duration,
    ) -> Result<(), End> {
        let now = Instant::now();
        if now >= self.heard + stall {
            return Err(End::Silent);
        }
        if now >= self.opened + profile.max_age {
            self.is_leaving = true;
        }
        if now >= self.heard + stall / 2 && !self.pinged {
            self.pinged = true;
            self.outbox.push_back(Frame::Ping(Vec::new()));
        }
        if now >= self.allowance.ready_at(now)
            && let Some(frame) = self.outbox.pop_front()
        {
            self.send(frame).await?;
        }
        if now >= self.command_at {
            if self.commands.is_empty() {
                let is_late = now >= self.command_at + acknowledge;
                return if is_late && !self.unanswered.is_empty() {
                    Err(End::Unanswered)
                } else {
                    Ok(())
                };
            }
            if now >= self.allowance.ready_at(now)
                && let Some(command) = self.commands.pop_front()
            {
                self.send(command).await?;
                // Counted from now: a slow send must not make the next one too early.
                self.command_at = Instant::now() + profile.command_spacing;
            }
        }
        Ok(())
    }

    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        self.socket.send(frame).await.map_err(End::Lost)?;
        self.allowance.charge(Instant::now());
        Ok(())
    }

    fn reply(&mut self, frame: Frame) -> Result<(), End> {
        if self.outbox.len() >= MAX_OUTBOX {
            return Err(End::Refused("it wants more replies than it allows".to_owned()));
        }
        self.outbox.push_back(frame);
        Ok(())
    }
}

impl Session {
    /// A connection that was just opened.
    pub(super) fn link(&self, socket: Socket) -> Link {
        let commands: VecDeque<Frame> = self.stream.subscribe(&self.subscriptions).into();
        let now = Instant::now();
        Link {
            socket,
            opened: now,
            heard: now,
            pinged: false,
            unanswered: (0..commands.len()).collect(),
            commands,
            command_at: now,
            outbox: VecDeque::new(),
            allowance: Allowance::new(self.profile.frames_per_second),
            is_up: false,
            is_leaving: false,
            overlap_ends: None,
            hold: None,
            last_frame: None,
        }
    }

    /// Connects and reads until something ends it.
    pub(super) async fn connection(&mut self) -> Result<Infallible, End> {
        self.stats.set_state(LinkState::Connecting);
        let mut link = self.next_link().await?;
        self.book.on_connect(self.clock.now());
        self.tapes.on_connect();
        link.hold = Some(Hold::default());
        let Err(end) = self.converse(&mut link).await;
        let left = self.leave(&mut link, &end).await;
        self.older_losses.append(&mut self.losses);
        left?;
        if matches!(end, End::Stalled) {
            self.cadence.stalled();
            // The pongs since then say nothing of what the stream should have brought.
            self.complete_until = self.complete_until.min(self.spoke_at);
        }
        if matches!(end, End::Silent | End::Stalled) {
            SessionStats::add(&self.stats.stalls, 1);
            if !self.is_stale {
                // What cannot be said now is said by the gap to come.
                let _ = self.say_stale().await;
            }
        }
        Err(end)
    }

    /// Hands on what a connection that ends had held back, where there is room.
    async fn leave(&mut self, link: &mut Link, end: &End) -> Result<(), End> {
        if let Some(repair) = &mut self.repair {
            repair.interrupt();
        }
        let hold = link.hold.take();
        if matches!(end, End::QueueFull | End::NobodyReads) {
            hold.iter().flat_map(|hold| &hold.batches).for_each(|batch| self.undo(batch));
            let mut unsent = Vec::new();
            self.tapes.on_disconnect(&mut unsent);
            self.undo(&unsent);
        } else {
            if let Some(hold) = hold {
                self.send_all(hold.batches).await?;
            }
            let mut out = Vec::new();
            self.tapes.on_disconnect(&mut out);
            self.send(out).await?;
            self.tell_unshared().await?;
        }
        Ok(())
    }

    async fn converse(&mut self, link: &mut Link) -> Result<Infallible, End> {
        loop {
            let moved = match self.step(link).await {
                Ok(()) => self.settle(link).await,
                Err(end) => Err(end),
            };
            if let Err(end) = moved {
                // The next connection may be listening already: then nothing is lost.
                let is_ours = matches!(end, End::QueueFull | End::NobodyReads);
                if is_ours || !self.take_over(link) {
                    return Err(end);
                }
            }
        }
    }

    /// Waits for one thing to happen, and does what follows. What is due comes before what is
    /// heard, so that a flood of frames delays no ping; the order is the same in every run.
    async fn step(&mut self, link: &mut Link) -> Result<(), End> {
        let due = self.next_due(link);
        tokio::select! {
            biased;
            () = sleep_until(due) => self.on_due(link).await,
            step = spare::step(&mut self.spare) => self.on_spare(step).await,
            progress = progress(&mut self.repair), if link.is_up => self.drive(Some(progress)).await,
            frame = link.socket.next() => {
                let frame = frame.map_err(End::Lost)?;
                self.on_frame(link, &frame).await
            }
        }
    }

    /// The earliest moment at which something must be done without a frame.
    fn next_due(&self, link: &Link) -> Instant {
        let due = link.next_due(self.profile, self.limits.acknowledge, self.line_stall());
        let hold_ends = link.hold.as_ref().and_then(|hold| hold.until);
        let parked_ends = self.tapes.parked_since().map(|since| since + self.limits.hold);
        let stalls = link.is_up.then(|| self.spoke + self.cadence.stall());
        let others = [hold_ends, parked_ends, stalls, self.spare_due(), self.visit_due(link)];
        others.into_iter().flatten().fold(due, Instant::min)
    }

    async fn on_due(&mut self, link: &mut Link) -> Result<(), End> {
        link.on_due(self.profile, self.limits.acknowledge, self.line_stall()).await?;
        self.on_spare_due(link).await?;
        let now = Instant::now();
        if self.visit_due(link).is_some_and(|due| due <= now) {
            self.visit();
        }
        if link.is_up && now >= self.spoke + self.cadence.stall() {
            if self.is_market_open() {
                return Err(End::Stalled);
            }
            // Nothing is traded: this silence is no news, and not to be learned.
            self.spoke = now;
            self.is_resting = true;
        }
        let mut out = Vec::new();
        self.tapes.let_go_due(self.limits.hold, &mut out);
        self.pass(link, out).await
    }

    /// Hands on what leaves now; it joins what is held back, where something is.
    async fn pass(&mut self, link: &mut Link, batch: Vec<Event>) -> Result<(), End> {
        match &mut link.hold {
            Some(hold) if !link.is_up && hold.batches.len() >= MAX_HELD_BATCHES => {
                return Err(End::Unanswered);
            }
            Some(hold) if !batch.is_empty() => hold.batches.push(batch),
            Some(_) => {}
            None => self.send(batch).await?,
        }
        Ok(())
    }

    pub(super) async fn on_frame(&mut self, link: &mut Link, frame: &Frame) -> Result<(), End> {
        let ts_recv = self.clock.now();
        self.stats.frame_at(ts_recv);
        link.last_frame = Some(ts_recv);
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let heard = self.hear((frame, ts_recv), link, &mut decoded);
        if self.sealed.is_some() {
            decoded.events.iter_mut().for_each(|event| event.sealed = true);
        }
        SessionStats::add(&self.stats.duplicates, decoded.duplicates);
        let batch = self.sift(&mut decoded.events);
        let passed = self.pass(link, batch).await;
        if link.hold.is_none() && passed.is_ok() {
            self.complete_until = Some(ts_recv);
        }
        let answered = decoded.replies.drain(..).try_for_each(|reply| link.reply(reply));
        let mut acknowledged = Ok(());
        for ack in decoded.acks.drain(..) {
            match ack {
                Ack::Accepted { command } => drop(link.unanswered.remove(&command)),
                Ack::Refused { reason, .. } => acknowledged = Err(End::Refused(reason)),
            }
        }
        link.is_leaving |= decoded.reconnect;
        self.decoded = decoded;
        // Time spent waiting for room in the queue is not the venue's silence.
        link.heard = Instant::now();
        if link.is_up {
            self.fed = link.heard;
        }
        link.pinged = false;
        heard.and(passed).and(answered).and(acknowledged)
    }

    /// What a frame says, and what its coming says.
    fn hear(
        &mut self,
        (frame, ts_recv): (&Frame, Timestamp),
        link: &mut Link,
        decoded: &mut Decoded,
    ) -> Result<(), End> {
        match frame {
            Frame::Close => return Err(End::Closed),
            // The socket has answered a ping already.
            Frame::Ping(_) => link.allowance.charge(Instant::now()),
            Frame::Pong(_) => {}
            Frame::Text(_) | Frame::Binary(_) => {
                let now = Instant::now();
                if link.is_up && !self.is_resting {
                    self.cadence.heard_after(now.duration_since(self.spoke));
                }
                (self.spoke, self.spoke_at, self.is_resting) = (now, Some(ts_recv), false);
                if let Err(error) = self.stream.decode(frame, ts_recv, decoded) {
                    let count = SessionStats::add(&self.stats.decode_errors, 1);
                    // The first, second, fourth …: enough to see it, too few to drown in it.
                    if count.is_power_of_two() {
                        warn!(%error, count, "a frame was not understood");
                    }
                }
            }
        }
        Ok(())
    }

    /// What follows from the last step, whichever it was.
    async fn settle(&mut self, link: &mut Link) -> Result<(), End> {
        if !link.is_up && link.is_subscribed() {
            link.is_up = true;
            (self.spoke, self.spoke_at) = (Instant::now(), Some(self.clock.now()));
            self.on_up().await?;
            if let Some(hold) = &mut link.hold {
                hold.until = Some(Instant::now() + self.limits.hold);
            }
        }
        if link.is_up && self.repair.as_ref().is_some_and(Repair::is_waiting) {
            self.drive(None).await?;
        }
        let is_late = link.hold.as_ref().is_some_and(|hold| {
            let is_over = hold.until.is_some_and(|until| until <= Instant::now());
            is_over || hold.batches.len() >= MAX_HELD_BATCHES
        });
        if link.is_up
            && (is_late || !self.is_repairing())
            && let Some(hold) = link.hold.take()
        {
            self.let_go(hold).await?;
            self.complete_until = self.complete_until.max(link.last_frame);
        }
        if link.hold.is_some() {
            return Ok(());
        }
        if !matches!(self.spare, Some(Spare::Open(_))) {
            self.tell_unshared().await?;
        }
        if !self.losses.is_empty() {
            self.repair_losses().await?;
        }
        // What is not being fetched is not waited for.
        if is_late || (!self.is_repairing() && !self.tapes.overlaps() && self.tapes.has_parked()) {
            let mut out = Vec::new();
            self.tapes.let_go(&mut out);
            self.send(out).await?;
        }
        if link.is_leaving && link.is_up && self.spare.is_none() {
            if !self.may_overlap() {
                return Err(End::Planned("the connection has reached its age, or the venue's"));
            }
            (self.spare_failures, self.is_visit) = (0, false);
            self.spare = Some(Spare::Waiting(Instant::now()));
        }
        Ok(())
    }

    fn is_repairing(&self) -> bool {
        self.repair.as_ref().is_some_and(Repair::is_active)
    }
}

async fn progress(repair: &mut Option<Repair>) -> Progress {
    match repair {
        Some(repair) => repair.progress().await,
        None => std::future::pending().await,
    }
}

//! Waiting for sockets, or for a moment to a few microseconds: a poll's own timeout is whole
//! milliseconds, which is longer than most answers of a near server.

use std::io;
use std::time::Duration;

use mio::{Events, Poll, Token};

/// The token of the alarm's own event: no socket has it.
pub(super) const ALARM: Token = Token(usize::MAX);

/// Wakes a poll at a moment.
#[derive(Debug)]
pub(super) struct Alarm {
    #[cfg(target_os = "linux")]
    timer: std::os::fd::OwnedFd,
    /// For when it is set, so that it is not set again for the same.
    set_for: Option<u64>,
}

impl Alarm {
    /// One that wakes `poll`.
    #[cfg(target_os = "linux")]
    pub(super) fn new(poll: &Poll) -> io::Result<Self> {
        use std::os::fd::AsRawFd as _;

        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // Edges are what is registered, and each setting is a new one: it need not be read.
        let fd = timer.as_raw_fd();
        poll.registry().register(&mut mio::unix::SourceFd(&fd), ALARM, mio::Interest::READABLE)?;
        Ok(Self { timer, set_for: None })
    }

    /// One that wakes `poll`.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn new(_: &Poll) -> io::Result<Self> {
        Ok(Self { set_for: None })
    }

    /// Waits for events until `until`, both in ns since the same start.
    pub(super) fn wait(
        &mut self,
        poll: &mut Poll,
        events: &mut Events,
        (now, until): (u64, u64),
    ) -> io::Result<()> {
        let rest = Duration::from_nanos(until.saturating_sub(now));
        let timeout = if rest.is_zero() { Some(rest) } else { self.set(until, rest)? };
        match poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    #[cfg(target_os = "linux")]
    fn set(&mut self, until: u64, rest: Duration) -> io::Result<Option<Duration>> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        if self.set_for != Some(until) {
            let it_value =
                Timespec { tv_sec: rest.as_secs() as i64, tv_nsec: i64::from(rest.subsec_nanos()) };
            let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            let value = Itimerspec { it_interval, it_value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value)?;
            self.set_for = Some(until);
        }
        Ok(None)
    }

    #[cfg(not(target_os = "linux"))]
    fn set(&mut self, until: u64, rest: Duration) -> io::Result<Option<Duration>> {
        self.set_for = Some(until);
        Ok(Some(rest))
    }
}

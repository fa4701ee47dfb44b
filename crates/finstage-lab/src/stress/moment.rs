//! The one place of a load test that looks at the machine's clock: real time is what it measures.

use std::time::{Duration, Instant};

/// A start, from which a test counts.
#[derive(Debug, Clone, Copy)]
pub struct Moment(Instant);

impl Moment {
    /// Now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a load test measures real time")]
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// How long ago it was.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// How long ago it was, in ns; of 500 years at most.
    #[must_use]
    pub fn nanos(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// Processor time of this thread so far. Zero where the system does not say.
#[must_use]
pub fn thread_cpu() -> Duration {
    #[cfg(unix)]
    return time_of(rustix::time::ClockId::ThreadCPUTime);
    #[cfg(not(unix))]
    Duration::ZERO
}

/// Processor time of this process so far. Zero where the system does not say.
#[must_use]
pub fn process_cpu() -> Duration {
    #[cfg(unix)]
    return time_of(rustix::time::ClockId::ProcessCPUTime);
    #[cfg(not(unix))]
    Duration::ZERO
}

#[cfg(unix)]
fn time_of(clock: rustix::time::ClockId) -> Duration {
    let now = rustix::time::clock_gettime(clock);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

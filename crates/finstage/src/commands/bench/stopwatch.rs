//! How long something took: the one place of the program that looks at a clock to measure itself.

use std::hint::black_box;
use std::time::Duration;

/// Processor time of this process, which a busy machine cannot inflate.
#[cfg(unix)]
pub(super) fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Processor time of this thread.
#[cfg(unix)]
pub(super) fn own_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(not(unix))]
pub(super) fn own_cpu() -> Duration {
    cpu()
}

/// Time since the first call: this system's processor time is not asked for here.
#[cfg(not(unix))]
pub(super) fn cpu() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "figures need the machine's clock")]
    START.get_or_init(Instant::now).elapsed()
}

/// Time that passes for a person who waits for some work, and its result.
#[expect(clippy::disallowed_methods, reason = "figures need the machine's clock")]
pub(super) fn waited<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let before = std::time::Instant::now();
    let result = black_box(work());
    (before.elapsed(), result)
}

/// The processor time of some work, and its result.
pub(super) fn took<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let before = cpu();
    let result = black_box(work());
    (cpu().saturating_sub(before), result)
}

/// The processor time of this thread for some work, and its result.
pub(super) fn own<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let before = own_cpu();
    let result = black_box(work());
    (own_cpu().saturating_sub(before), result)
}

/// Processor time of this process, all threads, and time that passes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Both {
    pub(super) cpu: Duration,
    pub(super) waited: Duration,
}

impl Both {
    pub(super) const LONGEST: Self = Self { cpu: Duration::MAX, waited: Duration::MAX };

    /// Of some work, with its result.
    pub(super) fn of<T>(work: impl FnOnce() -> T) -> (Self, T) {
        let (waited, (cpu, result)) = waited(|| took(work));
        (Self { cpu, waited }, result)
    }

    pub(super) fn from_nanos(cpu: f64, waited: f64) -> Self {
        let time = |nanos: f64| Duration::from_nanos(nanos as u64);
        Self { cpu: time(cpu), waited: time(waited) }
    }

    /// The lesser of each.
    pub(super) fn least(self, other: Self) -> Self {
        Self { cpu: self.cpu.min(other.cpu), waited: self.waited.min(other.waited) }
    }
}

/// Nanoseconds that a person waits for each of `count` pieces of work.
#[expect(clippy::disallowed_methods, reason = "figures need the machine's clock")]
pub(super) fn each_waited<T>(count: usize, mut work: impl FnMut(usize) -> T) -> Vec<u32> {
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let before = std::time::Instant::now();
        black_box(work(number));
        times.push(u32::try_from(before.elapsed().as_nanos()).unwrap_or(u32::MAX));
    }
    times
}

/// Nanoseconds for each of `count` things.
pub(super) fn ns_each(time: Duration, count: usize) -> f64 {
    time.as_nanos() as f64 / count.max(1) as f64
}

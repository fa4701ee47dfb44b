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
fn own_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(not(unix))]
fn own_cpu() -> Duration {
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

/// Nanoseconds for each of `count` things.
pub(super) fn ns_each(time: Duration, count: usize) -> f64 {
    time.as_nanos() as f64 / count.max(1) as f64
}

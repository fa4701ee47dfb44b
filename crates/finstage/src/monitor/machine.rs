//! What the process takes of its machine, as far as the system says it.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// What was seen of the disk of a folder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Disk {
    /// Bytes that are free for us.
    pub(super) free: u64,
    /// Used part, in percent.
    pub(super) used_percent: f64,
}

/// Looks at the disk that a folder is on; `None` where the system does not say it.
#[cfg(unix)]
#[must_use]
pub(super) fn disk(dir: &Path) -> Option<Disk> {
    let seen = rustix::fs::statvfs(dir).ok()?;
    // As `df` has it: of what is used or free for us. What is kept for others is neither.
    let used = seen.f_blocks.saturating_sub(seen.f_bfree) as f64;
    let all = used + seen.f_bavail as f64;
    let used_percent = if all > 0.0 { 100.0 * used / all } else { 0.0 };
    Some(Disk { free: seen.f_bavail.saturating_mul(seen.f_frsize), used_percent })
}

/// Looks at the disk that a folder is on; `None` where the system does not say it.
#[cfg(not(unix))]
#[must_use]
pub(super) fn disk(_dir: &Path) -> Option<Disk> {
    None
}

/// Bytes of memory that the process may have: what its group allows, else what the machine has.
#[must_use]
pub(crate) fn memory_allowed() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let total = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.to_owned();
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
    })?;
    let group = read("/proc/self/cgroup").and_then(|text| {
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?.to_owned();
        read(&format!("/sys/fs/cgroup{}/memory.max", path.trim_end_matches('/')))
    });
    let limit = group.and_then(|text| text.trim().parse().ok());
    Some(limit.map_or(total, |limit: u64| limit.min(total)))
}

/// Turns processor time that adds up into percent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Processor {
    last: Option<(Duration, f64)>,
}

impl Processor {
    /// Percent of one processor since the last look; `at` is any time that runs on.
    pub(super) fn percent(&mut self, at: Duration, seconds: Option<f64>) -> Option<f64> {
        let seconds = seconds?;
        let (before, spent) = self.last.replace((at, seconds))?;
        let passed = at.saturating_sub(before).as_secs_f64();
        (passed > 0.0).then(|| 100.0 * (seconds - spent).max(0.0) / passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_are_what_was_spent_between_two_looks() {
        let mut processor = Processor::default();
        let at = Duration::from_secs;
        assert_eq!(processor.percent(at(10), Some(3.0)), None);
        assert_eq!(processor.percent(at(20), Some(8.0)), Some(50.0));
        assert_eq!(processor.percent(at(20), Some(9.0)), None, "no time has passed");
        assert_eq!(processor.percent(at(30), None), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_tells_its_disk_and_memory() {
        assert!(
            disk(Path::new("/")).is_some_and(|disk| (0.0..=100.0).contains(&disk.used_percent))
        );
        assert!(memory_allowed().unwrap() > 1 << 26);
    }
}

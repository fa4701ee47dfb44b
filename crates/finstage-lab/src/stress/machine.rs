//! What this process costs, and how many sockets it may have. Where the platform does not say, it is 0.

use std::time::Duration;

/// Processor time of the whole process.
#[cfg(unix)]
pub(crate) fn cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        spent.tv_sec.try_into().unwrap_or_default(),
        spent.tv_nsec.try_into().unwrap_or_default(),
    )
}

/// Processor time of the whole process.
#[cfg(not(unix))]
pub(crate) fn cpu() -> Duration {
    Duration::ZERO
}

/// Memory that is in use now, and at its highest, in bytes.
pub(crate) fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
        kilobytes.unwrap_or(0_u64) * 1_024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// Files and sockets that are open.
pub(crate) fn descriptors() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
}

/// Lets this process have `wanted` more files and sockets than it has, if the system lets it; how many
/// it may have then, in all. `None` is no limit.
#[cfg(unix)]
pub fn raise_descriptors(wanted: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let needed = descriptors().saturating_add(wanted);
    let soft = limit.current?;
    if soft >= needed {
        return Some(soft);
    }
    let raised = limit.maximum.map_or(needed, |hard| hard.min(needed));
    if raised <= soft {
        return Some(soft);
    }
    let asked = Rlimit { current: Some(raised), maximum: limit.maximum };
    Some(if setrlimit(Resource::Nofile, asked).is_ok() { raised } else { soft })
}

/// As on Unix: here there is no limit to raise.
#[cfg(not(unix))]
pub fn raise_descriptors(_: u64) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_has_memory_and_files_and_its_limit_is_not_lowered() {
        assert!(memory().0 > 0 && memory().1 >= memory().0);
        assert!(descriptors() >= 3);
        let before = raise_descriptors(0);
        assert!(raise_descriptors(1) >= before);
    }
}

//! What a test costs the machine that sends, as Linux tells it; nothing where it does not.

use std::fs;

/// Memory of this process at its highest, in bytes.
#[must_use]
pub fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kilobytes(&status, "VmHWM:").unwrap_or(0) * 1024
}

/// Memory of this process now, in bytes.
#[must_use]
pub fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kilobytes(&status, "VmRSS:").unwrap_or(0) * 1024
}

/// Files and sockets that are open now.
#[must_use]
pub fn descriptors() -> u64 {
    // The folder itself is one while it is read.
    fs::read_dir("/proc/self/fd").map_or(0, |folder| folder.count() as u64).saturating_sub(1)
}

/// How many files and sockets may be open.
#[must_use]
pub fn descriptor_limit() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_where_linux_says_them() {
        assert_eq!(kilobytes("Name:\tx\nVmHWM:\t   1234 kB\n", "VmHWM:"), Some(1234));
        assert_eq!(kilobytes("", "VmHWM:"), None);
        if cfg!(target_os = "linux") {
            assert!(memory() > 100_000 && peak_memory() >= 100_000);
            assert!(descriptors() >= 3 && descriptor_limit() >= 3);
        }
    }
}

//! Where figures were measured, and by what.

use finstage_model::{Clock, Timestamp};
use serde::Serialize;

/// What a figure means nothing without.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    cpu: String,
    cores: usize,
    os: String,
    version: &'static str,
    /// The commit that was built, where the build was told.
    commit: Option<&'static str>,
    optimised: bool,
    date: Timestamp,
}

impl Machine {
    /// This machine, now.
    pub(super) fn here(clock: &dyn Clock) -> Self {
        Self {
            cpu: cpu_model(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            version: crate::VERSION,
            commit: option_env!("FINSTAGE_COMMIT"),
            optimised: !cfg!(debug_assertions),
            date: clock.now(),
        }
    }

    /// Whether the compiler did its best.
    pub(super) const fn is_optimised(&self) -> bool {
        self.optimised
    }

    /// The same for people.
    pub(super) fn lines(&self) -> [String; 3] {
        let Self { cpu, cores, os, version, commit, date, .. } = self;
        let commit = commit.unwrap_or("not told to the build");
        [
            format!("machine  {cpu}, {cores} cores, {os}"),
            format!("version  {version}, commit {commit}"),
            format!("date     {date}"),
        ]
    }
}

/// The model that Linux names first.
fn cpu_model(cpuinfo: &str) -> String {
    let named = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let name = named.and_then(|rest| rest.split_once(':')).map(|(_, name)| name.trim());
    name.filter(|name| !name.is_empty()).unwrap_or("unknown processor").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_where_linux_says_it() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) @ 2.0GHz\nflags\t\t: fpu\n";
        assert_eq!(cpu_model(cpuinfo), "Intel(R) Xeon(R) @ 2.0GHz");
        assert_eq!(cpu_model("Processor: x\n"), "unknown processor");
    }
}

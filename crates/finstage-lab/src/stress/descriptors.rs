//! How many files and sockets this process may have.

use super::health::descriptors;

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
    fn a_limit_is_raised_and_never_lowered() {
        let before = raise_descriptors(0);
        assert!(raise_descriptors(1) >= before);
    }
}

//! How many errors and warnings went to the log, by the crate that said them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::{Level, Metadata};

/// The most crates that are told apart.
const MAX_COMPONENTS: usize = 64;

static SAID: Mutex<BTreeMap<(String, &'static str), u64>> = Mutex::new(BTreeMap::new());

/// Counts a line, if it is an error or a warning.
pub(super) fn count(about: &Metadata<'_>) {
    let kind = match *about.level() {
        Level::ERROR => "error",
        Level::WARN => "warning",
        _ => return,
    };
    let component = about.target().split("::").next().unwrap_or_default();
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (component.to_owned(), kind);
    let is_full = said.len() >= MAX_COMPONENTS && !said.contains_key(&key);
    let key = if is_full { ("other".to_owned(), kind) } else { key };
    *said.entry(key).or_default() += 1;
}

/// Component, `error` or `warning`, and how many.
#[must_use]
pub fn counts() -> Vec<(String, &'static str, u64)> {
    let said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    said.iter().map(|((component, kind), count)| (component.clone(), *kind, *count)).collect()
}

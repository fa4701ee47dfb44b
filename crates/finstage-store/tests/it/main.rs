//! The suites on every disk there is, and what other programs make of our files.

#[cfg(test)]
mod history;

#[cfg(test)]
mod journal;

#[cfg(test)]
mod records;

#[cfg(test)]
mod tasks;

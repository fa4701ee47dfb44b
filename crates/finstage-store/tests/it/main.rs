//! The suites on every disk there is.

#[cfg(test)]
mod journal;

#[cfg(test)]
mod records;

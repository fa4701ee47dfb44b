//! Values that are texts in files.
//!
//! serde's own way to a text makes a `String` of it, which is freed unwiped, and this text may be a
//! key.

use std::fmt::{self, Display};

use serde::de::{Deserializer, Error, Visitor};

/// Reads a value from the text that it is spelled with. `what` says what is expected.
pub(crate) fn read<'de, D: Deserializer<'de>, T, E: Display>(
    from: D,
    what: &'static str,
    parse: fn(&str) -> Result<T, E>,
) -> Result<T, D::Error> {
    from.deserialize_str(Spelled { what, parse })
}

struct Spelled<T, E> {
    what: &'static str,
    parse: fn(&str) -> Result<T, E>,
}

impl<T, E: Display> Visitor<'_> for Spelled<T, E> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<F: Error>(self, text: &str) -> Result<T, F> {
        (self.parse)(text).map_err(F::custom)
    }
}

//! The stream: what is pushed to whom, and how somebody who was away goes on without loss.
//!
//! A place in the stream is how far signals and alerts have been read ([`SaidPlace`]). Every push
//! carries the place after it as a cursor. Prices carry the place too, and are never sent before a
//! signal or alert that was pushed before them, so going on from any cursor loses nothing.

mod ask;
mod client;
mod hub;
mod mailbox;
mod told;

use finstage_store::records::SaidPlace;

pub(crate) use ask::MAX_SYMBOLS;
pub(crate) use client::serve;
pub use hub::Synced;
pub(crate) use hub::{Hub, HubParts};

/// A place as clients see it: opaque.
pub(crate) fn cursor(place: SaidPlace) -> String {
    format!("{:x}-{:x}", place.signal, place.alert)
}

/// The place of a cursor.
pub(crate) fn place(cursor: &str) -> Option<SaidPlace> {
    let number = |text: &str| i64::from_str_radix(text, 16).ok().filter(|number| *number >= 0);
    let (signal, alert) = cursor.split_once('-')?;
    Some(SaidPlace { signal: number(signal)?, alert: number(alert)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_the_place_it_was_made_of() {
        for (signal, alert) in [(0, 0), (1, 255), (i64::MAX, 3)] {
            let here = SaidPlace { signal, alert };
            assert_eq!(place(&cursor(here)), Some(here));
        }
        for bad in ["", "-", "1", "x-1", "1--1", "-1-1"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}

//! The venues we speak to, one file each.

mod binance;
mod yahoo;

pub use binance::Binance;
pub use yahoo::Yahoo;

use crate::venue::{Endpoints, PollVenue, StreamVenue, SymbolMap, VenueProfile};

/// A venue as the list knows it: its constants and how to build its translators.
#[derive(Debug, Clone, Copy)]
pub struct Venue {
    /// What is constant about it.
    pub profile: &'static VenueProfile,
    /// Builds what reads its stream; `None` where it has none.
    pub stream: Option<BuildStream>,
    /// Builds what asks it for history; `None` where it gives none.
    pub poll: Option<BuildPoll>,
}

/// Builds what reads a venue's stream.
pub type BuildStream = fn(&Endpoints, SymbolMap) -> Box<dyn StreamVenue>;

/// Builds what asks a venue for history.
pub type BuildPoll = fn(&Endpoints) -> Box<dyn PollVenue>;

/// Every venue, by name.
pub const ALL: &[Venue] = &[binance::VENUE, yahoo::VENUE];

/// The venue with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Venue> {
    ALL.iter().find(|venue| venue.profile.name == name)
}

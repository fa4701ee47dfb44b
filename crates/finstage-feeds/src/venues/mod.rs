//! The venues we speak to, one file each.

mod binance;
pub mod kis;
mod kraken;
pub mod tardis;
mod yahoo;

pub use binance::Binance;
pub use kis::Kis;
pub use kraken::Kraken;
pub use tardis::Tardis;
pub use yahoo::Yahoo;

use crate::account::{Access, Account};
use crate::public::Public;
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
    /// How it is asked by who has an account; `None` where everyone may ask.
    pub access: Option<&'static Access>,
    /// What other programs may ask of it through this one.
    pub public: &'static Public,
}

impl Venue {
    /// Whether it can be asked, by everyone or by who has an account.
    #[must_use]
    pub const fn can_be_asked(&self) -> bool {
        self.poll.is_some() || self.access.is_some()
    }

    /// What asks it; `None` where it gives nothing, or wants an account and there is none.
    #[must_use]
    pub fn poller(
        &self,
        endpoints: &Endpoints,
        account: Option<&Account>,
    ) -> Option<Box<dyn PollVenue>> {
        match (self.access, account) {
            (None, _) => self.poll.map(|build| build(endpoints)),
            (Some(access), Some(account)) => Some((access.poll)(endpoints, account)),
            (Some(_), None) => None,
        }
    }
}

/// Builds what reads a venue's stream.
pub type BuildStream = fn(&Endpoints, SymbolMap) -> Box<dyn StreamVenue>;

/// Builds what asks a venue for history.
pub type BuildPoll = fn(&Endpoints) -> Box<dyn PollVenue>;

/// Every venue, by name.
pub const ALL: &[Venue] = &[binance::VENUE, yahoo::VENUE, kis::VENUE, kraken::VENUE, tardis::VENUE];

/// The venue with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Venue> {
    ALL.iter().find(|venue| venue.profile.name == name)
}

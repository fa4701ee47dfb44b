//! What a venue wants that does not tell everyone: keys, and a token that is issued for them.

use finstage_net::{Request, Terms, Token, TokenTerms};
use finstage_seal::Secret;

use crate::venue::{Endpoints, PollVenue};

/// The keys of an account at a venue.
#[derive(Debug, Clone)]
pub struct Account {
    /// Names the account.
    pub app_key: Secret<String>,
    /// Proves that it is ours.
    pub app_secret: Secret<String>,
    /// Which of the venue's servers they are for.
    pub server: Server,
}

/// The two servers of a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Server {
    /// Where money is real.
    #[default]
    Real,
    /// Where one practises. It tells real prices, and less often.
    Mock,
}

/// How a venue is asked that wants keys. A constant of its file.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// Builds what asks it.
    pub poll: fn(&Endpoints, &Account) -> Box<dyn PollVenue>,
    /// Puts the keys into a request.
    pub sign: fn(Request, &Account) -> Request,
    /// How its tokens are issued.
    pub token: fn(&Endpoints, &Account) -> TokenTerms,
    /// Puts a token into a request.
    pub put: fn(Request, &Token) -> Request,
    /// How the server is asked that issues tokens: its own refusals are no signs for other requests.
    pub token_terms: Terms,
    /// The addresses for practice, for requests and for streams.
    pub mock: (&'static str, &'static str),
    /// What it allows there.
    pub mock_terms: Terms,
    /// The rule whose limit an account may have lower or higher, in calls a second.
    pub rule: &'static str,
    /// Where keys are to be had.
    pub keys_from: &'static str,
}

impl Access {
    /// Where an account is asked when nothing else is configured.
    #[must_use]
    pub fn endpoints(&self, real: Endpoints, server: Server) -> Endpoints {
        match server {
            Server::Real => real,
            Server::Mock => {
                Endpoints { rest: self.mock.0.to_owned(), stream: self.mock.1.to_owned() }
            }
        }
    }
}

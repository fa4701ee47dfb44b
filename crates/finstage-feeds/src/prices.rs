//! What instruments cost now, asked of the venue: one by one or many in a request.
//!
//! A venue file says what to ask ([`crate::PollVenue::price_request`]) and what an answer means
//! ([`crate::PollVenue::read_prices`]); an answer may lead to further questions: which market a symbol
//! is listed on, or which of many symbols the venue does not know. [`PriceDesk`] asks until each symbol
//! has its price or its error. [`BulkPrices`] does so for a list of any length and of several venues.

mod bulk;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use finstage_model::{Clock, Price, Symbol, Timestamp};
use finstage_net::batch::BatchFailure;
use finstage_net::{Client, Error, ErrorKind, Request, Response, Sign};

pub use bulk::{BulkPrices, PriceTold};

use crate::venue::{Description, PollVenue, VenueProfile};
use crate::{DecodeError, DecodeErrorKind};

/// Questions about one symbol before its venue counts as one that goes round in circles.
const MAX_QUESTIONS: usize = 16;

/// What an instrument costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotation {
    /// The last price, digit by digit as the venue wrote it.
    pub price: Price,
    /// What it is in, as the venue writes it; `None` where that is not known.
    pub currency: Option<String>,
    /// When it was the price: as the venue says, else when the answer came.
    pub at: Timestamp,
}

/// A question for prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceQuery {
    /// Whose, at most as many as [`crate::PollVenue::prices_at_once`] says.
    pub symbols: Vec<Symbol>,
    /// The venue's own mark of how far it got with them; 0 at the start.
    pub step: u32,
}

impl PriceQuery {
    /// The first question about `symbols`.
    #[must_use]
    pub const fn new(symbols: Vec<Symbol>) -> Self {
        Self { symbols, step: 0 }
    }
}

/// What an answer says: each symbol of the question is told, or asked for again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceAnswer {
    /// Symbols whose price is known now, or known not to come.
    pub told: Vec<(Symbol, Result<Quotation, DecodeError>)>,
    /// What is still to be asked.
    pub next: Vec<PriceQuery>,
}

impl PriceAnswer {
    /// The answer for one symbol.
    #[must_use]
    pub fn of(symbol: &Symbol, result: Result<Quotation, DecodeError>) -> Self {
        Self { told: vec![(symbol.clone(), result)], next: Vec::new() }
    }

    /// No answer yet: this is to be asked first.
    #[must_use]
    pub fn after(query: PriceQuery) -> Self {
        Self { told: Vec::new(), next: vec![query] }
    }
}

/// Why there is no price. One line, with the venue's words where it said some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceError {
    kind: PriceErrorKind,
    message: String,
}

/// What a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PriceErrorKind {
    /// The venue has no such symbol.
    NoSuchSymbol,
    /// The venue does not want to tell it.
    Refused,
    /// The venue wants fewer requests.
    Limited,
    /// The venue does not accept who we are.
    Unauthorized,
    /// The venue cannot be reached, or something in front of it answered.
    Unreachable,
    /// The answer is not understood.
    Unreadable,
}

impl PriceErrorKind {
    /// Its name in statistics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSuchSymbol => "no_such_symbol",
            Self::Refused => "refused",
            Self::Limited => "limited",
            Self::Unauthorized => "unauthorized",
            Self::Unreachable => "unreachable",
            Self::Unreadable => "unreadable",
        }
    }
}

impl PriceError {
    fn new(kind: PriceErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What a caller can act on.
    #[must_use]
    pub const fn kind(&self) -> PriceErrorKind {
        self.kind
    }
}

impl fmt::Display for PriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PriceError {}

impl BatchFailure for PriceError {
    fn kind(&self) -> &'static str {
        self.kind.name()
    }
}

impl From<DecodeError> for PriceError {
    fn from(error: DecodeError) -> Self {
        let kind = match error.kind() {
            DecodeErrorKind::NoSuchSymbol => PriceErrorKind::NoSuchSymbol,
            DecodeErrorKind::Limited => PriceErrorKind::Limited,
            DecodeErrorKind::Html => PriceErrorKind::Unreachable,
            DecodeErrorKind::Unauthorized => PriceErrorKind::Unauthorized,
            DecodeErrorKind::Refused => PriceErrorKind::Refused,
            _ => PriceErrorKind::Unreadable,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Error> for PriceError {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Limited => PriceErrorKind::Limited,
            ErrorKind::Denied => PriceErrorKind::Unauthorized,
            ErrorKind::Protocol | ErrorKind::TooLarge => PriceErrorKind::Unreadable,
            _ => PriceErrorKind::Unreachable,
        };
        Self::new(kind, error.to_string())
    }
}

/// Asks one venue for prices.
pub struct PriceDesk {
    profile: &'static VenueProfile,
    poll: Box<dyn PollVenue>,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl PriceDesk {
    /// One that asks through `client`, under whatever limits that has.
    #[must_use]
    pub fn new(
        profile: &'static VenueProfile,
        poll: Box<dyn PollVenue>,
        client: Client,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { profile, poll, client, clock }
    }

    /// The venue's name.
    #[must_use]
    pub const fn venue(&self) -> &'static str {
        self.profile.name
    }

    /// How many symbols one request can ask for.
    #[must_use]
    pub fn at_once(&self) -> usize {
        self.poll.prices_at_once().max(1)
    }

    /// The prices of `symbols` in their order. What goes wrong with one says nothing of the others.
    pub async fn ask(&self, symbols: &[Symbol]) -> Vec<Result<Quotation, PriceError>> {
        let mut told: HashMap<Symbol, Result<Quotation, PriceError>> = HashMap::new();
        let parts = symbols.chunks(self.at_once()).map(<[Symbol]>::to_vec);
        let mut queue: VecDeque<PriceQuery> = parts.map(PriceQuery::new).collect();
        let mut left = symbols.len().saturating_mul(MAX_QUESTIONS);
        while let Some(query) = queue.pop_front().filter(|_| left > 0) {
            left -= 1;
            match self.one(&query).await {
                Ok(answer) => {
                    let results = answer.told.into_iter();
                    told.extend(
                        results.map(|(symbol, result)| (symbol, result.map_err(Into::into))),
                    );
                    queue.extend(answer.next);
                }
                Err(why) => {
                    told.extend(query.symbols.into_iter().map(|symbol| (symbol, Err(why.clone()))));
                }
            }
        }
        let untold = |symbol: &Symbol| {
            let message = format!("{symbol}: the venue answered, but not about it");
            Err(PriceError::new(PriceErrorKind::Unreadable, message))
        };
        symbols.iter().map(|s| told.get(s).cloned().unwrap_or_else(|| untold(s))).collect()
    }

    /// What the venue says of an instrument.
    ///
    /// # Errors
    /// When it does not tell such things, knows no such symbol, or did not answer.
    pub async fn describe(&self, symbol: &Symbol) -> Result<Description, PriceError> {
        let name = self.profile.name;
        for step in 0..MAX_QUESTIONS as u32 {
            let Some(request) = self.poll.description_request(symbol, step) else {
                let (kind, why) = match step {
                    0 => (PriceErrorKind::Refused, "does not say what it is"),
                    _ => (PriceErrorKind::NoSuchSymbol, "knows no such symbol"),
                };
                return Err(PriceError::new(kind, format!("{symbol}: {name} {why}")));
            };
            let response = self.client.send(&request).await?;
            let read = self.poll.read_description(symbol, &response);
            let told = read.map_err(|why| self.explain(&request, &response, why))?;
            if let Some(description) = told {
                return Ok(description);
            }
        }
        Err(PriceError::new(
            PriceErrorKind::Unreadable,
            format!("{symbol}: {name} leads on and on"),
        ))
    }

    async fn one(&self, query: &PriceQuery) -> Result<PriceAnswer, PriceError> {
        let name = self.profile.name;
        let request = self.poll.price_request(query).ok_or_else(|| {
            PriceError::new(PriceErrorKind::Refused, format!("{name} tells no prices"))
        })?;
        let response = self.client.send(&request).await?;
        let now = self.clock.now();
        let answer = self.poll.read_prices(query, &response, now);
        answer.map_err(|error| self.explain(&request, &response, error))
    }

    /// What the venue's sign says counts more than how its body looks.
    fn explain(&self, request: &Request, response: &Response, error: DecodeError) -> PriceError {
        let sign = (self.profile.terms.judge)(response, self.clock.now());
        let words = request.redact(&error.to_string());
        PriceError::new(signed(sign).unwrap_or(PriceError::from(error).kind), words)
    }
}

/// What a sign of trouble means for prices.
const fn signed(sign: Sign) -> Option<PriceErrorKind> {
    match sign {
        Sign::Fine => None,
        Sign::Limited { .. } | Sign::Crowded { .. } | Sign::Banned { .. } => {
            Some(PriceErrorKind::Limited)
        }
        Sign::TokenExpired | Sign::Unauthorized => Some(PriceErrorKind::Unauthorized),
        Sign::Unavailable { .. } | Sign::UnknownOutcome => Some(PriceErrorKind::Unreachable),
    }
}

impl fmt::Debug for PriceDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PriceDesk").field("venue", &self.profile.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

use std::fmt;

/// What is wrong with a frame or an answer of a venue. Counted and sampled to the log; never fatal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    venue: &'static str,
    kind: DecodeErrorKind,
    message: String,
}

/// What a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// Not the venue's format, or cut off.
    Malformed,
    /// The venue's format, but a message, symbol or interval that was not asked for.
    Unknown,
    /// Well-formed and impossible: a high below a low, a price of zero.
    Implausible,
    /// The venue says no to a request, for good.
    Refused,
    /// The venue says no because it has no such symbol.
    NoSuchSymbol,
    /// The venue does not accept who we are: a key that is wrong, a token that is over.
    Unauthorized,
    /// The venue wants fewer requests, for a while.
    Limited,
    /// Something in front of the venue answered, in HTML. It may pass.
    Html,
}

impl DecodeError {
    /// An error of `venue`; the message says what and where.
    pub fn new(venue: &'static str, kind: DecodeErrorKind, message: impl Into<String>) -> Self {
        Self { venue, kind, message: message.into() }
    }

    /// What a caller can act on.
    #[must_use]
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Whether the same request may be answered better later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            DecodeErrorKind::Malformed | DecodeErrorKind::Html | DecodeErrorKind::Limited
        )
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.venue, self.message)
    }
}

impl std::error::Error for DecodeError {}

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// Why a request got no answer, or a connection ended.
///
/// An HTTP status is never an error: the server answered. Messages name the method and the
/// address with its secrets hidden.
pub struct Error {
    kind: ErrorKind,
    message: String,
    maybe_sent: bool,
    phase: Option<Phase>,
    wait: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A limit of time passed. Try again.
    Timeout,
    /// No connection, or it broke. Try again.
    Unavailable,
    /// The other side does not speak the protocol, its certificate included. Trying again is
    /// of no use without someone looking.
    Protocol,
    /// The answer or frame is larger than allowed.
    TooLarge,
    /// A WebSocket upgrade was answered with an HTTP status that is not 101.
    Refused,
    /// The request cannot be sent as written: a bad address or header.
    Invalid,
    /// Not sent: the server asked for a rest that outlasts the call. [`Error::wait`] says how long.
    Limited,
    /// Not sent: the server failed so often that it is left alone for a while.
    Resting,
    /// Not sent: the server gives no token for these credentials, or none that can be read.
    Denied,
}

/// What was going on when time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for its turn: nothing was sent.
    Turn,
    /// Connecting, TLS included: nothing was sent.
    Connect,
    /// Waiting for the head of the answer.
    FirstByte,
    /// Waiting for the next piece of the body.
    Body,
    /// The time for the whole ran out, whatever was going on.
    Whole,
}

impl Error {
    /// An error of that kind. For those who write a [`crate::Transport`].
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message, maybe_sent: false, phase: None, wait: None, source: None }
    }

    /// With what is behind it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// With the remark that the request may have reached the server.
    #[must_use]
    pub const fn after_sending(mut self) -> Self {
        self.maybe_sent = true;
        self
    }

    /// With what was going on when time ran out.
    #[must_use]
    pub const fn during(mut self, phase: Phase) -> Self {
        self.phase = Some(phase);
        self
    }

    /// With how long to wait before trying again.
    #[must_use]
    pub const fn retry_in(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// What a caller can act on.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        use ErrorKind::{Limited, Refused, Resting, Timeout, Unavailable};
        matches!(self.kind, Timeout | Unavailable | Refused | Limited | Resting)
    }

    /// What was going on when time ran out; `None` for other errors.
    #[must_use]
    pub const fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// How long to wait before trying again, where that is known.
    #[must_use]
    pub const fn wait(&self) -> Option<Duration> {
        self.wait
    }

    /// Whether the request may have reached the server: a call that is not idempotent then has
    /// an unknown outcome, and repeating it may do its work twice.
    #[must_use]
    pub const fn maybe_sent(&self) -> bool {
        self.maybe_sent
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        // The outermost message of a transport names no cause; the innermost does.
        let mut cause = self.source();
        while let Some(next) = cause.and_then(StdError::source) {
            cause = Some(next);
        }
        cause.map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, maybe_sent: {}, {self})", self.kind, self.maybe_sent)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

use serde::{Deserialize, Serialize};

/// What a probe found. Numbers are in the unit of the limit: requests, or weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// How it is counted; `null` where that could not be told.
    pub shape: Option<Shape>,
    /// What is let in at once or in a window.
    pub limit: Option<u64>,
    /// The limit is at least this.
    pub limit_low: u64,
    /// The limit is at most this, where a refusal came.
    pub limit_high: Option<u64>,
    /// Length of the window; of a bucket, the time in which all of it comes back.
    pub window_s: Option<f64>,
    /// The window is at least this long.
    pub window_low_s: Option<f64>,
    /// The window is at most this long.
    pub window_high_s: Option<f64>,
    /// What may be asked a second in the long run.
    pub rate_per_s: Option<f64>,
    /// Whether refused requests count as well, where that could be told.
    pub refused_count: Option<bool>,
    /// How sure the shape and the window are, 0 to 1, of what is considered.
    pub confidence: f64,
    /// Who goes on after a refusal is shut out for longer than the window: so long at least.
    pub shut_out_s: Option<f64>,
    /// The documented limit, where it was read.
    pub documented: Option<u64>,
    /// Refusals that it took.
    pub refusals: u32,
    /// Requests that were sent.
    pub requests: u64,
    /// How long it took.
    pub elapsed_s: f64,
    /// Why it ended.
    pub stopped: Stopped,
    /// What else was possible at the end, in words.
    pub also_possible: Vec<String>,
}

/// How a limit is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Windows that begin on the server's clock.
    Aligned,
    /// A window that begins with the first request after the last one ended.
    Anchored,
    /// Each request counts for the length of the window.
    Sliding,
    /// A bucket that fills at a rate.
    Bucket,
}

impl Shape {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aligned => "aligned",
            Self::Anchored => "anchored",
            Self::Sliding => "sliding",
            Self::Bucket => "bucket",
        }
    }
}

/// Why a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// It is known what it was to find.
    Known,
    /// No more refusals may be had.
    RefusalsSpent,
    /// 418 or 403.
    Banned,
    /// The documented limit was reached, and it may not go beyond.
    AtDocumentedLimit,
    /// So many requests, or so much time, and no refusal.
    NotReached,
    /// What was asked fails for another reason.
    Failed,
    /// No pattern tells apart what is left.
    Undecidable,
    /// What came fits nothing that is considered: another user of the limit, or another kind of it.
    FitsNothing,
}

//! The kinds of faults, and the keys that each of them has.

use serde::Deserialize;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// Open connections on which nothing is sent.
    Stall,
    /// As [`FaultKind::Stall`], pings and pongs included.
    Silent,
    /// Connections dropped without a word.
    Reset,
    /// `serverShutdown` and a close frame.
    Close,
    /// Trades skipped while ids go on.
    Gap,
    /// Trades sent twice.
    Duplicate,
    /// Trades sent after their successors.
    Reorder,
    /// Trades sent late.
    Late,
    /// Frames that end in the middle.
    CutJson,
    /// Requests refused for their weight.
    #[serde(rename = "rest_429")]
    Rest429,
    /// Requests refused by a ban.
    #[serde(rename = "rest_418")]
    Rest418,
    /// A failing server.
    #[serde(rename = "rest_5xx")]
    Rest5xx,
    /// A firewall that answers with a page.
    RestHtml,
    /// Messages refused for their rate.
    #[serde(rename = "telegram_429")]
    Telegram429,
    /// A page from the front server.
    #[serde(rename = "telegram_502_html")]
    Telegram502Html,
    /// Messages kept but answered too late.
    TelegramSlow,
    /// The user blocked the sender.
    #[serde(rename = "telegram_403")]
    Telegram403,
    /// Entities that do not parse.
    #[serde(rename = "telegram_400_parse")]
    Telegram400Parse,
    /// "Too Many Requests" as text.
    #[serde(rename = "yahoo_429")]
    Yahoo429,
    /// A page with status 200.
    YahooHtml,
    /// A page with another status.
    #[serde(rename = "yahoo_5xx")]
    Yahoo5xx,
    /// A crumb that has expired.
    #[serde(rename = "yahoo_401")]
    Yahoo401,
    /// A symbol that is not known.
    #[serde(rename = "yahoo_404")]
    Yahoo404,
    /// A range that is not told.
    #[serde(rename = "yahoo_422")]
    Yahoo422,
    /// A chart without rows.
    YahooNoData,
    /// Bars of an hour instead of shorter ones.
    YahooCoarse,
    /// Rows of nulls.
    YahooNulls,
    /// Rows that are told otherwise.
    YahooRevise,
    /// A symbol left out of quotes.
    YahooMissing,
    /// Answers that come late.
    YahooSlow,
    /// A first host that fails.
    YahooHostDown,
    /// Every limit of a venue multiplied.
    LimitFactor,
    /// Calls refused for their number, whatever it is.
    KisLimit,
    /// A gateway that does not reach what is behind it.
    KisIgw,
    /// A page instead of JSON.
    KisHtml,
    /// An answer without a body.
    KisEmpty,
    /// Answers that come late.
    KisSlow,
    /// Tokens that are over at once.
    KisExpire,
    /// Tokens that are not issued.
    KisToken,
    /// A symbol that always fails.
    KisFail,
    /// Calls that fail, some of all.
    KisError,
    /// Rows that are empty objects.
    KisHoles,
    /// Sessions that break off while the venue still holds their key.
    KisDrop,
    /// Sessions on which nothing but PINGPONG is sent.
    KisMute,
    /// Sessions on which nothing is sent.
    KisSilent,
    /// Calls refused for their number, whatever it is.
    KrakenLimit,
    /// The same in other words.
    KrakenTooMany,
    /// Refused until a moment that is named.
    KrakenThrottled,
    /// A service that is busy.
    KrakenBusy,
    /// A service that is not there.
    KrakenUnavailable,
    /// A venue that is closed for maintenance and says so.
    KrakenMaintenance,
    /// A page of the firewall.
    KrakenHtml,
    /// An answer without a body.
    KrakenEmpty,
    /// Answers that come late.
    KrakenSlow,
    /// A pair that always fails.
    KrakenFail,
    /// Calls that fail, some of all.
    KrakenError,
    /// Envelopes with a bit turned over.
    SealedTamper,
    /// Envelopes sent twice.
    SealedRepeat,
    /// Envelopes that do not arrive.
    SealedDrop,
    /// Requests refused for a limit, whatever was used of it.
    #[serde(rename = "openai_429")]
    Openai429,
    /// Money that is used up.
    OpenaiQuota,
    /// A failing server, with any status of an error.
    #[serde(rename = "openai_5xx")]
    Openai5xx,
    /// Answers that come late.
    OpenaiSlow,
    /// Answers that never come.
    OpenaiHang,
    /// Streams that end in the middle.
    OpenaiCut,
    /// Streams with an error in the middle.
    OpenaiErrorInStream,
    /// JSON that breaks off.
    OpenaiMalformed,
    /// Answers that do not say what they used.
    OpenaiNoUsage,
    /// Answers that say they used something else.
    OpenaiWrongUsage,
    /// A model that refuses.
    OpenaiRefusal,
    /// Answers that end too early.
    OpenaiLength,
    /// A page instead of JSON.
    OpenaiHtml,
    /// A key that is not known any more.
    #[serde(rename = "openai_401")]
    Openai401,
}

/// A limit that a refusal names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultLimit {
    /// Requests a minute.
    Requests,
    /// Tokens a minute.
    Tokens,
    /// Requests at the same time.
    Concurrency,
}

impl FaultLimit {
    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Concurrency => "concurrency",
        }
    }
}

impl FaultKind {
    /// Whether it happens at a moment and has no length.
    pub(super) fn is_at_once(self) -> bool {
        matches!(self, Self::Reset | Self::Close | Self::KisExpire | Self::KisDrop)
    }

    /// The keys that a fault of this kind may have beside `at`, `every` and `for`.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Silent
            | Self::Reset
            | Self::Close
            | Self::Rest429
            | Self::Rest418
            | Self::KisEmpty
            | Self::KisExpire
            | Self::KisToken
            | Self::KisLimit
            | Self::KisHoles
            | Self::KisMute
            | Self::KisSilent
            | Self::KrakenLimit
            | Self::KrakenTooMany
            | Self::KrakenThrottled
            | Self::KrakenBusy
            | Self::KrakenUnavailable
            | Self::KrakenMaintenance
            | Self::KrakenEmpty => &[],
            Self::Stall
            | Self::Yahoo429
            | Self::YahooHtml
            | Self::Yahoo401
            | Self::Yahoo404
            | Self::Yahoo422
            | Self::YahooNoData
            | Self::YahooCoarse
            | Self::YahooRevise
            | Self::YahooMissing
            | Self::YahooHostDown
            | Self::KrakenFail => &["symbol"],
            Self::Gap | Self::Duplicate | Self::Reorder | Self::CutJson | Self::YahooNulls => {
                &["symbol", "one_in"]
            }
            Self::Late => &["symbol", "one_in", "by"],
            Self::YahooSlow => &["symbol", "by"],
            Self::Yahoo5xx | Self::KisFail => &["symbol", "status"],
            Self::Rest5xx | Self::RestHtml | Self::KisIgw | Self::KisHtml | Self::KrakenHtml => {
                &["status"]
            }
            Self::KisError => &["one_in", "status"],
            Self::KrakenError
            | Self::SealedTamper
            | Self::SealedRepeat
            | Self::SealedDrop
            | Self::OpenaiQuota
            | Self::OpenaiHang
            | Self::OpenaiCut
            | Self::OpenaiErrorInStream
            | Self::OpenaiMalformed
            | Self::OpenaiNoUsage
            | Self::OpenaiWrongUsage
            | Self::OpenaiRefusal
            | Self::OpenaiLength
            | Self::Openai401 => &["one_in"],
            Self::Openai429 => &["limit", "by", "one_in"],
            Self::Openai5xx | Self::OpenaiHtml => &["status", "one_in"],
            Self::OpenaiSlow => &["by", "one_in"],
            Self::KisSlow | Self::KrakenSlow | Self::KisDrop => &["by"],
            Self::Telegram502Html | Self::Telegram403 | Self::Telegram400Parse => &["chat"],
            Self::Telegram429 => &["chat", "retry_after"],
            Self::TelegramSlow => &["chat", "by"],
            Self::LimitFactor => &["venue", "factor"],
        }
    }
}

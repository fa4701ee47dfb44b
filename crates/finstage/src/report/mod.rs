//! The daily report: what happened, what was withheld and why, what became of earlier signals. It comes
//! even when nothing was sent.
//!
//! [`gather`] reads one plain [`DailyReport`] from records and history: a function of what is stored and
//! of the day, so the same call prints the same bytes. Its JSON is the report for programs; every figure
//! stands there beside the ids it was counted from. `compose` puts it into words
//! once, and `text`, `html` and `telegram` only draw.

mod compose;
mod cover;
mod evidence;
mod gather;
pub mod hourly;
mod html;
pub mod job;
mod market;
mod numbers;
mod outcomes;
mod rule;
mod said;
mod telegram;
mod text;
mod words;

use finstage_model::{
    AlertId, CardId, CardVerdict, ClaimKind, Day, Direction, Grade, Horizon, Interval, Price,
    Proof, Reason, SignalId, Symbol, Timestamp,
};
use serde::Serialize;

pub use self::gather::{Asked, Due, day_of, gather};
pub use self::outcomes::provenance;
pub use self::rule::{korean_rule, rule_words};
pub use self::words::Language;
pub(crate) use numbers::on_the_wall;

use self::compose::compose;

/// The most rows of a list; what is beyond is counted.
pub const MAX_ROWS: usize = 100;
/// The most ids that stand beside a figure.
pub const MAX_IDS: usize = 1_000;
/// The part of the value that a side costs in figures "after costs".
pub const COST: f64 = 0.001;
/// Fewer separate occasions than these say little.
pub const FEW: usize = 30;

/// A report as the text of one page.
#[must_use]
pub fn text(report: &DailyReport, language: Language) -> String {
    text::render(&compose(report, language))
}

/// A report as one page of HTML that needs nothing else.
#[must_use]
pub fn html(report: &DailyReport, language: Language) -> String {
    html::render(&compose(report, language), language)
}

/// What there is to say about a day. Returns and shares are fractions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DailyReport {
    /// The day, in the zone.
    #[serde(serialize_with = "as_text")]
    pub date: Day,
    /// Its IANA zone.
    pub zone: String,
    /// `live`, or `simulated` in the folder of a demo.
    pub provenance: &'static str,
    /// Where it begins: what happens at this moment belongs to the day before.
    pub from: Timestamp,
    /// Where it ends; what closes at this moment belongs to it.
    pub until: Timestamp,
    /// Whether it was over when the report was made.
    pub is_complete: bool,
    /// The venues of the instruments.
    pub venues: Vec<String>,
    /// How many instruments there are.
    pub instruments_total: usize,
    /// Their prices, at most [`MAX_ROWS`].
    pub instruments: Vec<InstrumentDay>,
    /// What was said.
    pub signals: Signals,
    /// What was sent and what was not.
    pub alerts: Alerts,
    /// What became of earlier signals.
    pub outcomes: Outcomes,
    /// What is proven.
    pub evidence: Evidence,
    /// What is missing.
    pub data: Data,
    /// The chain of signals and outcomes.
    pub track_record: Chain,
    /// The chain of everything tried.
    pub trials: Chain,
    /// When the next report is due; `None` when reports are off.
    pub next: Option<Timestamp>,
}

/// An instrument on a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InstrumentDay {
    /// Which.
    pub symbol: Symbol,
    /// What its prices are in, where known.
    pub currency: Option<String>,
    /// Length of the bars that the figures are from: the shortest that cover the day, or those that cover most of it.
    pub interval: Option<Interval>,
    /// How many of those bars there are.
    pub bars: usize,
    /// Close of the last bar, of an earlier day where this day has none.
    pub close: Option<Price>,
    /// When its market was done with that bar.
    pub close_at: Option<Timestamp>,
    /// The day that the close is called after: of the session where the market's hours are known, else of the zone.
    #[serde(serialize_with = "as_maybe_text")]
    pub close_day: Option<Day>,
    /// The last close before the day, of any length of bar.
    pub before: Option<Price>,
    /// When that was.
    pub before_at: Option<Timestamp>,
    /// From there to the close.
    pub change: Option<f64>,
    /// Highest price of the day.
    pub high: Option<Price>,
    /// Lowest price of the day.
    pub low: Option<Price>,
    /// How much of the day its bars of all lengths cover; `None` where bars of one length cover it.
    pub part: Option<Part>,
    /// The highest daily close known.
    pub record: Option<Record>,
}

/// The part of a day that bars tell of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Part {
    /// Where the first opens.
    pub from: Timestamp,
    /// Where the last closes.
    pub until: Timestamp,
    /// Share of the day so far, or of its sessions, that they cover.
    pub share: f64,
}

/// The highest daily close of an instrument, adjusted where factors are stored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Record {
    /// As it was quoted.
    pub close: Price,
    /// The UTC day of its bar.
    #[serde(serialize_with = "as_text")]
    pub day: Day,
    /// From there to the last close.
    pub distance: f64,
    /// Daily bars that were looked at.
    pub daily_bars: usize,
}

/// What was said on a day.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Signals {
    /// From when on signals are kept, where earlier ones of the day may be forgotten.
    pub kept_since: Option<Timestamp>,
    /// All of it.
    pub total: usize,
    /// By verdict.
    pub verified: usize,
    /// By verdict.
    pub unproven: usize,
    /// By verdict.
    pub rejected: usize,
    /// By verdict.
    pub withheld: usize,
    /// Without a verdict yet.
    pub pending: usize,
    /// The verified ones with their proof, at most [`MAX_ROWS`].
    pub proven: Vec<ProvenSignal>,
    /// All others by strategy, at most [`MAX_ROWS`].
    pub groups: Vec<SignalGroup>,
    /// How many groups there are.
    pub groups_total: usize,
    /// Signals whose strategy has a verified card about the size of moves, at most [`MAX_ROWS`].
    pub sizes: Vec<SizeSignal>,
}

/// A verified signal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProvenSignal {
    /// Its identity.
    pub id: SignalId,
    /// About what.
    pub symbol: Symbol,
    /// On bars of which length.
    pub interval: Interval,
    /// Strategy with parameters.
    pub strategy: String,
    /// The rule in words, in English.
    pub words: String,
    /// Where it expects the price to go.
    pub direction: Direction,
    /// Close time of its bar.
    pub at: Timestamp,
    /// Close of its bar.
    pub price: Price,
    /// The figures that it was verified by, where the alert has them.
    pub proof: Option<Proof>,
    /// Age of the card in days.
    pub age_days: Option<u64>,
}

/// Signals of one strategy that came to the same verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignalGroup {
    /// Strategy with parameters.
    pub strategy: String,
    /// The rule in words, in English.
    pub words: String,
    /// On bars of which length.
    pub interval: Interval,
    /// Where it expects the price to go.
    pub direction: Direction,
    /// `unproven`, `rejected`, `withheld` or `pending`.
    pub verdict: &'static str,
    /// Why.
    pub reason: Option<Reason>,
    /// How many.
    pub count: usize,
    /// About what.
    pub symbols: Vec<Symbol>,
    /// The figures of the card that was ruled by.
    pub card: Option<CardFigures>,
    /// The first of them.
    pub signals: Vec<SignalId>,
}

/// What a report shows of a card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CardFigures {
    /// Which.
    pub card: CardId,
    /// How long after the entry.
    pub horizon: Horizon,
    /// How it falls short; `None` where the card is not in force any more.
    pub grade: Option<Grade>,
    /// Events.
    pub n: u64,
    /// Events that do not overlap.
    pub n_eff: u64,
    /// Share of events that went as claimed.
    pub hit_rate: Option<f64>,
    /// Lower end of its 95 % interval.
    pub hit_low: Option<f64>,
    /// Upper end.
    pub hit_high: Option<f64>,
    /// The same share of any bars.
    pub base_rate: Option<f64>,
    /// The excess before cost to expect, given how the library did.
    pub shrunken: Option<f64>,
    /// Whether it is still in force.
    pub in_force: bool,
}

/// A signal after which larger moves are expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeSignal {
    /// The signal.
    pub signal: SignalId,
    /// About what.
    pub symbol: Symbol,
    /// Strategy with parameters.
    pub strategy: String,
    /// Close time of its bar.
    pub at: Timestamp,
    /// Within which time.
    pub horizon: Horizon,
    /// Mean size of the move over the usual one.
    pub times_usual: Option<f64>,
    /// Events that do not overlap.
    pub n_eff: usize,
    /// The card.
    pub card: CardId,
}

/// What was sent on a day and what was not.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Alerts {
    /// From when on alerts are kept, where earlier ones of the seven days may be forgotten.
    pub kept_since: Option<Timestamp>,
    /// Alerts, withheld ones too.
    pub total: u64,
    /// At least one channel delivered it.
    pub delivered: u64,
    /// Waiting for a channel.
    pub queued: u64,
    /// To be sent, and there was no channel.
    pub kept: u64,
    /// No channel could deliver it.
    pub failed: u64,
    /// Became too old.
    pub expired: u64,
    /// Not sent.
    pub withheld: u64,
    /// Why, with counts.
    pub reasons: Vec<WithheldCount>,
    /// What each channel held back, sent by others or not; the largest count first.
    pub held: Vec<HeldByChannel>,
    /// Alerts of the last seven days, withheld ones too.
    pub week_total: u64,
    /// Those of them that were withheld.
    pub week_withheld: u64,
    /// Those that were decided to be sent, at most [`MAX_ROWS`].
    pub sent: Vec<SentAlert>,
}

/// Alerts withheld for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithheldCount {
    /// The machine word.
    pub reason: String,
    /// On the day.
    pub day: u64,
    /// In the seven days that end with it.
    pub week: u64,
}

/// Alerts of the day that a channel held back: in its quiet hours, beyond its cap, below its level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldByChannel {
    /// The channel.
    pub channel: String,
    /// How many.
    pub held: u64,
    /// Why, with counts.
    pub reasons: Vec<HeldReason>,
}

/// Alerts that a channel held back for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldReason {
    /// The machine word.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// An alert that was decided to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentAlert {
    /// Its identity.
    pub id: AlertId,
    /// `signal` or `watch`.
    pub kind: &'static str,
    /// Which instrument.
    pub symbol: Symbol,
    /// Strategy or watch rule.
    pub rule: String,
    /// When it happened.
    pub at: Timestamp,
    /// What became of it.
    pub status: &'static str,
}

/// What became known of earlier signals.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcomes {
    /// Where they come from: signals that were said, not computed afterwards; `simulated` in the folder of a demo.
    pub provenance: &'static str,
    /// What a side costs in `mean_net`.
    pub cost: f64,
    /// Outcomes.
    pub total: usize,
    /// By horizon and verdict.
    pub groups: Vec<OutcomeGroup>,
}

/// Outcomes at one horizon of signals with one verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutcomeGroup {
    /// How long after the signal.
    pub horizon: Horizon,
    /// What was said of the signals then.
    pub verdict: String,
    /// Outcomes.
    pub n: usize,
    /// Those that do not overlap in time.
    pub occasions: usize,
    /// Those that went the declared way.
    pub hits: usize,
    /// Their share.
    pub hit_rate: f64,
    /// Lower end of its 95 % interval, by occasions.
    pub hit_low: Option<f64>,
    /// Upper end.
    pub hit_high: Option<f64>,
    /// The mean of the cards' base rates, over the outcomes that have one.
    pub base_rate: Option<f64>,
    /// How many that is.
    pub base_n: usize,
    /// Mean return in the declared direction, after costs.
    pub mean_net: f64,
    /// Whether there are fewer occasions than [`FEW`].
    pub is_few: bool,
    /// Their numbers in the track record, at most [`MAX_IDS`].
    pub entries: Vec<u64>,
}

/// What is proven.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Evidence {
    /// Cards in force at the end of the day.
    pub cards: usize,
    /// By claim.
    pub by_claim: Vec<ClaimCount>,
    /// The smallest edge that each horizon could have shown.
    pub smallest_edges: Vec<finstage_research::evidence::SmallestEdge>,
    /// Cards that expire within seven days, at most [`MAX_ROWS`].
    pub expiring: Vec<Expiring>,
    /// How many do.
    pub expiring_total: usize,
    /// Strategies that live outcomes have put to silence.
    pub muted: Vec<String>,
}

/// Cards about one claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClaimCount {
    /// The claim.
    pub claim: ClaimKind,
    /// By verdict.
    pub verified: usize,
    /// By verdict.
    pub unproven: usize,
    /// By verdict.
    pub rejected: usize,
}

impl ClaimCount {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.verified + self.unproven + self.rejected
    }
}

/// A card that expires soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expiring {
    /// Which.
    pub card: CardId,
    /// Strategy with parameters.
    pub strategy: String,
    /// How long after the entry.
    pub horizon: Horizon,
    /// Its group of instruments.
    pub scope: String,
    /// What it says.
    pub verdict: CardVerdict,
    /// From then on it proves nothing.
    pub expires: Timestamp,
}

/// What is missing.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Data {
    /// Series that were looked at: those with bars near the day.
    pub series_total: usize,
    /// Those of them with missing bars, at most [`MAX_ROWS`].
    pub holes: Vec<SeriesHoles>,
    /// How many those are.
    pub holes_total: usize,
    /// Missing bars of all series.
    pub missing: u64,
    /// Series that begin within the day, at most [`MAX_ROWS`]: what was before is not stored, and not missing.
    pub begun: Vec<SeriesBegun>,
    /// How many do.
    pub begun_total: usize,
    /// Signals that were withheld, by the reason's machine word.
    pub withheld: Vec<(Reason, usize)>,
}

/// Missing bars of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesHoles {
    /// Whose.
    pub symbol: Symbol,
    /// Of which length.
    pub interval: Interval,
    /// Bars of the day that are there.
    pub present: u64,
    /// Bars of the day that are not.
    pub missing: u64,
    /// Where the first missing one opens.
    pub first: Timestamp,
}

/// A series that begins within a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesBegun {
    /// Whose.
    pub symbol: Symbol,
    /// Of which length.
    pub interval: Interval,
    /// Where its first bar opens.
    pub first: Timestamp,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Chain {
    /// Entries.
    pub entries: u64,
    /// Hash of the last; empty without one.
    pub head: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn as_text<S: serde::Serializer>(day: &Day, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(day)
}

#[expect(clippy::ref_option, reason = "serde hands over references")]
fn as_maybe_text<S: serde::Serializer>(day: &Option<Day>, to: S) -> Result<S::Ok, S::Error> {
    match day {
        Some(day) => to.collect_str(day),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests;

//! Signals that come together, and whether the price went their way: which follow one another, which
//! come at once, which come before those of another series.
//!
//! Three rules keep luck from being praised. What is looked for does not look at prices: a pattern is
//! listed for its occurrences alone. Success is what the price did after the last signal, counted by
//! occasions that do not overlap and compared with all bars of the same time. And every figure that was
//! computed is in the family that its p-value is corrected for ([`find`]).
//!
//! It deliberately gives no verdict: that a pattern stands out is a reason to write it as a strategy
//! and to verify it, not more.

mod clusters;
mod concurrent;
mod judged;
mod leading;
mod likeness;
mod sequential;
mod stream;
mod temporal;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use finstage_model::{Direction, Horizon, IdHasher, Interval, SignalId, Symbol, Timestamp};
use finstage_quant::stats::multiple::benjamini_hochberg;
use serde::Serialize;

use crate::live::Settled;
use crate::{Error, ErrorKind};

pub use clusters::{Clustering, FEATURES, Grouping, MIN_CLUSTERED, clusters};
pub use judged::{Figures, Judged};
pub use leading::Lead;
pub use likeness::{Likeness, MAX_COMPARED, likeness, similar};
pub use temporal::{Part, temporal};

use stream::Stream;

/// Fewer occurrences are no pattern.
pub const MIN_OCCURRENCES: usize = 5;
/// The longest sequence, in signals.
pub const MAX_STEPS: usize = 5;
/// The most signals that are looked at together.
pub const MAX_SIGNALS: usize = 250_000;
/// The most occurrences that are followed at once.
const MAX_OCCURRENCES: usize = 2_000_000;

/// A signal that was said, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PastSignal {
    /// Its identity.
    pub signal: SignalId,
    /// Strategy with parameters, canonical.
    pub strategy: String,
    /// About what.
    pub symbol: Symbol,
    /// On bars of which length.
    pub interval: Interval,
    /// Where it expected the price to go.
    pub direction: Direction,
    /// When it could be known.
    pub at: Timestamp,
    /// What the price did until each horizon, as far as that is settled.
    pub outcomes: Vec<(Horizon, Settled)>,
}

/// What signals are compared with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Market {
    /// Share of all bars after which the price went this way: [`crate::live::base_rate`].
    pub base: BTreeMap<(Symbol, Interval, Horizon, Direction), f64>,
    /// When the bars of each series closed, oldest first: the moments at which it could have spoken.
    pub closes: BTreeMap<(Symbol, Interval), Vec<Timestamp>>,
}

/// How signals belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Two to five that follow one another in one series, with none in between.
    Sequential,
    /// Two or three about one instrument, within a bar.
    Concurrent,
    /// One that comes before another of another series, more often than chance.
    Leading,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Sequential, Self::Concurrent, Self::Leading];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Concurrent => "concurrent",
            Self::Leading => "leading",
        }
    }

    const fn joint(self) -> &'static str {
        match self {
            Self::Sequential => "then",
            Self::Concurrent => "with",
            Self::Leading => "leads",
        }
    }
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which kinds.
    pub kinds: Vec<Kind>,
    /// The longest time between two signals of a sequence, and between one and what it leads.
    pub gap: Duration,
    /// The longest time from the first signal of a sequence to its last.
    pub span: Duration,
}

impl Default for Options {
    /// All kinds, 24 hours between signals, 30 days in all.
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self { kinds: Kind::ALL.to_vec(), gap: day, span: 30 * day }
    }
}

/// The share of false discoveries that is borne: below it a q-value stands out.
pub const FDR: f64 = 0.05;

/// One signal of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Step {
    /// Strategy with parameters, canonical.
    pub strategy: String,
    /// Length of its bars.
    pub interval: Interval,
    /// Where it expects the price to go.
    pub direction: Direction,
    /// About what, where the pattern is about this instrument alone.
    pub symbol: Option<Symbol>,
}

/// Signals that came together at least [`MIN_OCCURRENCES`] times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pattern {
    /// Follows from kind and steps.
    pub id: String,
    /// Its strategies without parameters, joined by `then`, `with` or `leads`.
    pub name: String,
    /// How they belong together.
    pub kind: Kind,
    /// In their order; of concurrent ones by length of bars and name.
    pub steps: Vec<Step>,
    /// How often.
    pub occurrences: usize,
    /// Of which instruments.
    pub symbols: Vec<Symbol>,
    /// When the first was complete.
    pub first_at: Timestamp,
    /// When the last was.
    pub last_at: Timestamp,
    /// Mean time from the first signal to the last, in hours.
    pub mean_span_h: f64,
    /// Why it counts as leading.
    pub lead: Option<Lead>,
    /// What the price did after the last signal, by horizon.
    pub outcomes: Vec<Judged>,
    /// The last signals of the newest occurrences.
    pub examples: Vec<SignalId>,
    /// Places of the last signals, each once.
    #[serde(skip)]
    lasts: Vec<usize>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// Those with something that stands out first, then by the least q-value, then by occurrences.
    pub patterns: Vec<Pattern>,
    /// Figures that were computed: the family of every q-value.
    pub tested: usize,
    /// Pairs of series and strategies that were asked whether one leads the other.
    pub pairs: usize,
    signals: Vec<PastSignal>,
    market: Market,
}

impl Pattern {
    /// What the price did by this horizon.
    #[must_use]
    pub fn at(&self, horizon: Horizon) -> Option<&Judged> {
        self.outcomes.iter().find(|one| one.horizon == horizon)
    }

    /// The least q-value of its figures.
    fn least_q(&self) -> f64 {
        self.outcomes.iter().filter_map(|one| one.q_value).fold(1.0, f64::min)
    }

    fn stands_out(&self) -> bool {
        self.outcomes.iter().any(|one| one.stands_out)
    }
}

/// Signals that came together, before prices are looked at.
#[derive(Debug)]
struct Found {
    kind: Kind,
    steps: Vec<Step>,
    spans: Vec<Span>,
    lead: Option<Lead>,
}

/// One occurrence: places of its first and its last signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    first: usize,
    last: usize,
}

/// Looks for patterns among signals in any order, and judges them by their outcomes. Signals that were
/// withheld for their data are the caller's to leave out.
///
/// A figure (pattern × horizon, with at least [`MIN_OCCURRENCES`] settled) has the p-value of as many
/// hits or more among its separate occasions if each hit with the base rate, by the binomial
/// distribution, hits rounded down. Its q-value is that of Benjamini and Hochberg (1995) over all
/// figures of this call. It stands out where q ≤ [`FDR`] and there are at least
/// [`FEW`](crate::live::FEW) settled and separate.
///
/// # Errors
/// With more than [`MAX_SIGNALS`] signals, or more occurrences than can be followed.
pub fn find(
    signals: Vec<PastSignal>,
    market: Market,
    options: &Options,
) -> Result<Findings, Error> {
    if signals.len() > MAX_SIGNALS {
        return Err(too_many(&format!("{} signals: at most {MAX_SIGNALS}", signals.len())));
    }
    let stream = Stream::new(signals);
    let mut found = Vec::new();
    let mut pairs = 0;
    for kind in options.kinds.iter().collect::<BTreeSet<_>>() {
        found.extend(match kind {
            Kind::Sequential => sequential::find(&stream, options)?,
            Kind::Concurrent => concurrent::find(&stream)?,
            Kind::Leading => {
                let (found, asked) = leading::find(&stream, &market, options)?;
                pairs = asked;
                found
            }
        });
    }
    let alone = judged::alone(&stream);
    let judge = |one: Found| one.judged(&stream, &market, &alone);
    let mut patterns: Vec<Pattern> = found.into_iter().map(judge).collect();
    let tested = correct(&mut patterns);
    patterns.sort_by(|a, b| {
        let rank = |one: &Pattern| (!one.stands_out(), one.least_q());
        let ((a_out, a_q), (b_out, b_q)) = (rank(a), rank(b));
        let by_count = b.occurrences.cmp(&a.occurrences);
        a_out.cmp(&b_out).then(a_q.total_cmp(&b_q)).then(by_count).then(a.id.cmp(&b.id))
    });
    Ok(Findings { patterns, tested, pairs, signals: stream.into_signals(), market })
}

/// Gives every figure its q-value; how many there are.
fn correct(patterns: &mut [Pattern]) -> usize {
    let mut figures: Vec<&mut Judged> = patterns
        .iter_mut()
        .flat_map(|one| one.outcomes.iter_mut())
        .filter(|one| one.p_value.is_some())
        .collect();
    let p: Vec<f64> = figures.iter().filter_map(|one| one.p_value).collect();
    for (one, q) in figures.iter_mut().zip(benjamini_hochberg(&p)) {
        one.q_value = Some(q);
        one.stands_out = q <= FDR && !one.figures.is_few;
    }
    p.len()
}

impl Found {
    fn judged(self, stream: &Stream, market: &Market, alone: &judged::Alone) -> Pattern {
        /// Occurrences that are named.
        const EXAMPLES: usize = 3;
        let Self { kind, steps, spans, lead } = self;
        let signal = |place: usize| &stream.signals()[place];
        let hours: f64 = spans
            .iter()
            .map(|span| signal(span.last).at.since(signal(span.first).at).as_secs_f64() / 3_600.0)
            .sum();
        let mut lasts: Vec<usize> = spans.iter().map(|span| span.last).collect();
        lasts.sort_unstable_by_key(|place| (signal(*place).at, *place));
        lasts.dedup();
        let symbols: BTreeSet<&Symbol> = lasts.iter().map(|last| &signal(*last).symbol).collect();
        let at = |place: Option<&usize>| place.map_or(Timestamp::EPOCH, |place| signal(*place).at);
        let outcomes = Horizon::ALL
            .into_iter()
            .filter_map(|horizon| Judged::new(&lasts, horizon, (stream, market, alone)))
            .collect();
        Pattern {
            id: id(kind, &steps),
            name: name(kind, &steps),
            kind,
            occurrences: spans.len(),
            symbols: symbols.into_iter().cloned().collect(),
            first_at: at(lasts.first()),
            last_at: at(lasts.last()),
            mean_span_h: hours / spans.len().max(1) as f64,
            lead,
            outcomes,
            examples: lasts.iter().rev().take(EXAMPLES).map(|last| signal(*last).signal).collect(),
            steps,
            lasts,
        }
    }
}

fn id(kind: Kind, steps: &[Step]) -> String {
    let add = |hash: IdHasher, step: &Step| {
        let hash = hash.text(&step.strategy).text(step.interval.as_str());
        hash.text(step.direction.as_str()).text(step.symbol.as_ref().map_or("", Symbol::as_str))
    };
    let hash = steps.iter().fold(IdHasher::new().text(kind.as_str()), add).finish();
    format!("{:012x}", hash >> 80)
}

fn name(kind: Kind, steps: &[Step]) -> String {
    let names: Vec<String> = steps.iter().map(Step::short).collect();
    names.join(&format!(" {} ", kind.joint()))
}

impl Step {
    /// The strategy without its parameters.
    fn bare(&self) -> &str {
        self.strategy.split('(').next().unwrap_or_default()
    }

    /// The strategy, with its series where the pattern is about that one.
    fn short(&self) -> String {
        match &self.symbol {
            Some(symbol) => format!("{} of {symbol} {}", self.bare(), self.interval),
            None => self.bare().to_owned(),
        }
    }
}

fn too_many(what: &str) -> Error {
    let message = format!("{what} can be looked at together: ask for less time or fewer symbols");
    Error::new(ErrorKind::Options, message)
}

#[cfg(test)]
mod tests;

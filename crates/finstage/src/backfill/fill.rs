//! What is missing of a series, fetched and stored: `finstage backfill` and a service's nightly job.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use finstage_feeds as feeds;
use finstage_model::{Bar, Clock, Interval, Symbol, Timestamp};
use finstage_store::history::{History, Hole};

use super::{Missing, Source, Stretch, Trouble, missing};
use crate::exit::{Exit, Failure, Result};
use crate::venues::Doors;

/// Bars that are kept in memory before they are stored: an interruption loses no more.
const PIECE_BARS: usize = 50_000;
const DAY: Duration = Duration::from_secs(86_400);

/// One that fetches: a source a venue, so that all series of a venue share one pace.
#[derive(Debug)]
pub struct Filler {
    history: History,
    clock: Arc<dyn Clock>,
    sources: BTreeMap<&'static str, Source>,
}

/// From when to when; where nothing is said, as far back as is usual for such bars, and up to now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// The first moment.
    pub from: Option<Timestamp>,
    /// The first one not wanted.
    pub to: Option<Timestamp>,
}

/// What became of one series.
#[derive(Debug, Clone)]
pub struct Filled {
    /// Whose bars.
    pub symbol: Symbol,
    /// Of which length.
    pub interval: Interval,
    /// Bars that were asked for.
    pub requested: u64,
    /// Bars that were new.
    pub written: u64,
    /// Holes between stored bars.
    pub gaps_found: u64,
    /// Those that are none any more.
    pub gaps_filled: u64,
    /// Before this the venue has no bars, though they were asked for.
    pub oldest: Option<Timestamp>,
    /// Rows of factors, where the venue tells any.
    pub factors: Option<usize>,
    /// Why the venue said no.
    pub refused: Option<String>,
}

impl Filler {
    /// One that asks through these doors.
    #[must_use]
    pub fn new(history: History, doors: &Doors, clock: Arc<dyn Clock>) -> Self {
        let sources = doors
            .iter()
            .filter_map(|(name, door)| Some((*name, Source::new(door, Arc::clone(&clock))?)))
            .collect();
        Self { history, clock, sources }
    }

    /// Fetches what of a series is missing.
    ///
    /// # Errors
    /// Exit 3 or 4 when the venue cannot be asked; what came is stored. Exit 6 when the store fails.
    pub async fn series(&self, symbol: &Symbol, interval: Interval, span: Span) -> Result<Filled> {
        let now = self.clock.now();
        let (range, oldest) = range(symbol, interval, span, now);
        let series = (symbol, interval);
        let Missing { stretches, holes } = missing(&self.history, series, range, now)?;
        let mut filled = Filled {
            symbol: symbol.clone(),
            interval,
            requested: stretches.iter().map(|stretch| stretch.bars).sum(),
            written: 0,
            gaps_found: holes.len() as u64,
            gaps_filled: 0,
            oldest,
            factors: None,
            refused: None,
        };
        for stretch in &stretches {
            let (written, refused) = self.stretch(series, stretch).await?;
            filled.written += written;
            filled.refused = refused.or(filled.refused);
        }
        if filled.written > 0 {
            self.history.compact_series(symbol, interval, now)?;
        }
        if !holes.is_empty() {
            let left = missing(&self.history, series, range, now)?.holes;
            let is_open =
                |hole: &&Hole| left.iter().any(|open| open.from < hole.to && hole.from < open.to);
            let still = holes.iter().filter(is_open).count();
            filled.gaps_filled = (holes.len() - still) as u64;
        }
        Ok(filled)
    }

    /// Asks for a stretch page by page. Gives the bars that were new, and why the venue refused.
    async fn stretch(
        &self,
        (symbol, interval): (&Symbol, Interval),
        stretch: &Stretch,
    ) -> Result<(u64, Option<String>)> {
        let Some(source) = self.sources.get(symbol.venue()) else { return Ok((0, None)) };
        let (mut bars, mut written) = (Vec::new(), 0);
        let mut next = Some(source.query(symbol, interval, stretch));
        while let Some(query) = next {
            next = match source.page(&query, &mut bars).await {
                Ok(next) => next,
                Err(Trouble::Refused(why)) => return Ok((written, Some(why))),
                Err(trouble) => return Err(failure(symbol, &trouble)),
            };
            if bars.len() >= PIECE_BARS || next.is_none() {
                bars.retain(|bar: &Bar| bar.open_time < stretch.to);
                written += self.history.import(symbol, interval, &bars)?.written;
                bars.clear();
            }
        }
        Ok((written, None))
    }

    /// Dividends and splits since the first stored day, stored; an older past keeps none without them. The
    /// inner error is the venue's no.
    ///
    /// # Errors
    /// As [`Filler::series`].
    pub async fn factors(
        &self,
        symbol: &Symbol,
    ) -> Result<std::result::Result<Option<usize>, String>> {
        let Some(source) = self.sources.get(symbol.venue()) else { return Ok(Ok(None)) };
        let stored = self.history.series()?;
        let own = stored.iter().filter(|series| series.symbol == *symbol);
        let Some(first) = own.map(|series| series.first).min() else { return Ok(Ok(None)) };
        match source.factors(symbol, first).await {
            Ok(None) => Ok(Ok(None)),
            Ok(Some(factors)) => {
                self.history.import_factors(symbol, &factors)?;
                Ok(Ok(Some(factors.rows().len())))
            }
            Err(Trouble::Refused(why)) => Ok(Err(why)),
            Err(trouble) => Err(failure(symbol, &trouble)),
        }
    }
}

/// What is asked for, as far back as the venue has bars; and where that begins, if more was wanted.
fn range(
    symbol: &Symbol,
    interval: Interval,
    span: Span,
    now: Timestamp,
) -> ((Timestamp, Timestamp), Option<Timestamp>) {
    let usual = match interval {
        Interval::D1 | Interval::W1 | Interval::Mo1 => DAY * 3_653,
        Interval::H1 | Interval::H4 => DAY * 730,
        _ => DAY * 60,
    };
    let reach =
        feeds::venues::find(symbol.venue()).and_then(|venue| (venue.profile.reach)(interval));
    let oldest = reach.map_or(Timestamp::EPOCH, |reach| now.minus(reach));
    let from = span.from.unwrap_or_else(|| now.minus(usual));
    let is_cut = from < oldest && span.from.is_some();
    let range = (interval.open_of(from.max(oldest)), span.to.unwrap_or(now).min(now));
    (range, is_cut.then_some(oldest))
}

/// Why it ends here: the client has repeated what may be repeated.
fn failure(symbol: &Symbol, trouble: &Trouble) -> Failure {
    let kept = "what came is stored, the same command goes on";
    match trouble {
        Trouble::Limited(wait) => {
            let (venue, minutes) = (symbol.venue(), wait.as_secs().div_ceil(60));
            let message =
                format!("{venue} wants no more requests for {minutes} min: {kept} after that");
            Failure::new(Exit::Remote, message)
        }
        Trouble::Denied(why) => Failure::new(Exit::Auth, format!("{symbol}: {why}")),
        Trouble::Refused(why) | Trouble::Unreachable(why) => {
            Failure::new(Exit::Remote, format!("{symbol}: {why}: {kept}"))
        }
    }
}

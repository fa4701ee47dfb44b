//! Which stored bars tell a day: the shortest bars that cover all of it, or all that there are and how much of the day that is.

use std::time::Duration;

use finstage_feeds::{MarketHours, registry};
use finstage_model::{Bar, Day, Interval, Span, Symbol, Timestamp};
use finstage_store::Error;
use finstage_store::history::History;

use super::gather::{Asked, day_of};
use super::job::SETTLING;
use super::{Part, Price};

/// Minutes of a session in which nothing was traded have no bar: a longer silence is one.
const SILENCE: Duration = Duration::from_secs(30 * 60);
/// Around the clock the last close before a day is no older than this.
const DAY: Duration = Duration::from_secs(86_400);
/// Bars of a day among which the last that ended before a moment is found.
const FEW: usize = 4;

/// An instrument's stored bars as seen from a day.
pub(super) struct Cover<'a> {
    pub(super) history: &'a History,
    pub(super) symbol: &'a Symbol,
    /// Lengths that are stored, shortest first.
    pub(super) intervals: &'a [Interval],
    pub(super) asked: &'a Asked<'a>,
}

/// What bars tell of a day.
pub(super) struct Told {
    pub(super) interval: Interval,
    pub(super) bars: usize,
    pub(super) last: Bar,
    pub(super) high: Option<Price>,
    pub(super) low: Option<Price>,
    pub(super) part: Option<Part>,
}

/// Bars of one length that are of the day.
struct Series {
    interval: Interval,
    bars: Vec<Bar>,
}

impl Cover<'_> {
    fn hours(&self) -> Option<MarketHours> {
        registry::hours(self.symbol)
    }

    fn is_always(&self) -> bool {
        self.hours() == Some(MarketHours::Always)
    }

    /// When the market was done with a bar.
    pub(super) fn closed_at(&self, bar: &Bar) -> Timestamp {
        registry::closed_at(self.symbol, bar.interval, bar.open_time)
    }

    /// As [`Self::closed_at`]; a bar of a day whose market's hours are not known is of that day of the zone.
    fn placed(&self, bar: &Bar) -> Timestamp {
        match bar.interval {
            Interval::D1 if self.hours().is_none() => {
                self.asked.start_of(bar.open_time.day().next())
            }
            _ => self.closed_at(bar),
        }
    }

    /// The day that a close is called after: of its market where that is known, else of the zone.
    pub(super) fn day_of(&self, bar: &Bar) -> Day {
        registry::session_day(self.symbol, bar.interval, bar.open_time).unwrap_or_else(|| {
            day_of(bar.close_time().minus(Duration::from_nanos(1)), self.asked.zone)
        })
    }

    /// What the bars of the day tell; `None` where there are none.
    pub(super) fn told(&self) -> Result<Option<Told>, Error> {
        let mut found = Vec::new();
        for &interval in self.intervals.iter().filter(|interval| **interval <= Interval::D1) {
            let bars = self.of_day(interval)?;
            if !bars.is_empty() {
                found.push(Series { interval, bars });
            }
        }
        let wanted = self.wanted(&found);
        let whole = found.iter().find(|series| self.is_whole(series, &wanted));
        if let Some(whole) = whole {
            return Ok(Some(self.figures(whole, &found, None)));
        }
        let daily = found.pop_if(|series| series.interval == Interval::D1);
        if found.is_empty() {
            // Around the clock, bars of UTC days in another zone: they say of when they are.
            found.extend(daily);
        }
        let share = |series: &[&Series]| self.part(series, &wanted).share;
        let best = found.iter().reduce(
            |best, one| {
                if share(&[one]) > share(&[best]) { one } else { best }
            },
        );
        let all: Vec<&Series> = found.iter().collect();
        Ok(best.map(|best| self.figures(best, &found, Some(self.part(&all, &wanted)))))
    }

    fn of_day(&self, interval: Interval) -> Result<Vec<Bar>, Error> {
        let day = self.asked.moments();
        let early = if interval == Interval::D1 { 2 * DAY } else { Duration::ZERO };
        let range = day.after.minus(early)..day.until.plus(early);
        let mut bars = self.history.bars(self.symbol, interval, range)?;
        bars.retain(|bar| {
            let at = self.placed(bar);
            day.after < at && at <= day.until
        });
        Ok(bars)
    }

    /// When there must be bars: the day so far, or its sessions; where the hours are not known, as long as any
    /// bars tell.
    fn wanted(&self, found: &[Series]) -> Vec<Span> {
        let day = self.asked.moments();
        let end = self.asked.end(day);
        let within = |span: Span| {
            let (open, close) = (span.open.max(day.after), span.close.min(end));
            (open < close).then_some(Span { open, close })
        };
        match self.hours() {
            Some(MarketHours::Always) => {
                within(Span { open: day.after, close: end }).into_iter().collect()
            }
            Some(hours) => {
                let first = hours.day_of(day.after);
                let days = [first, first.next(), first.next().next()];
                let sessions = days.into_iter().filter_map(|day| hours.session(day).ok().flatten());
                sessions.filter_map(within).collect()
            }
            None => {
                let short = found.iter().filter(|series| series.interval < Interval::D1);
                let (first, last): (Vec<_>, Vec<_>) = short
                    .filter_map(|series| Some((series.bars.first()?, series.bars.last()?)))
                    .map(|(first, last)| (first.open_time, last.close_time()))
                    .unzip();
                let ends = first.into_iter().min().zip(last.into_iter().max());
                ends.and_then(|(open, close)| within(Span { open, close })).into_iter().collect()
            }
        }
    }

    fn is_whole(&self, series: &Series, wanted: &[Span]) -> bool {
        if series.interval == Interval::D1 && !self.is_always() {
            return true;
        }
        let end = self.asked.end(self.asked.moments());
        let is_over = end == self.asked.moments().until;
        // The bar that is still open, and what is on its way.
        let late = series.interval.nominal() + SETTLING;
        let is_late =
            |hole: &Span| !is_over && hole.close == end && hole.close.since(hole.open) <= late;
        self.holes(&[series], wanted).iter().all(is_late)
    }

    /// Where there should be bars and are none.
    fn holes(&self, series: &[&Series], wanted: &[Span]) -> Vec<Span> {
        let mut silence = if self.is_always() { Duration::ZERO } else { SILENCE };
        let mut bars: Vec<Span> = Vec::new();
        for one in series {
            if !self.is_always() {
                silence = silence.max(one.interval.nominal());
            }
            let span = |bar: &Bar| Span { open: bar.open_time, close: bar.close_time() };
            bars.extend(one.bars.iter().map(span));
        }
        bars.sort_unstable_by_key(|span| (span.open, span.close));
        let mut holes = Vec::new();
        let mut add = |open: Timestamp, close: Timestamp| {
            if open < close && close.since(open) > silence {
                holes.push(Span { open, close });
            }
        };
        for want in wanted {
            let mut at = want.open;
            for bar in bars.iter().filter(|bar| bar.close > want.open && bar.open < want.close) {
                add(at, bar.open);
                at = at.max(bar.close);
            }
            add(at, want.close);
        }
        holes
    }

    fn part(&self, series: &[&Series], wanted: &[Span]) -> Part {
        let length = |spans: &[Span]| {
            spans.iter().map(|span| span.close.since(span.open).as_secs_f64()).sum::<f64>()
        };
        let (all, missing) = (length(wanted), length(&self.holes(series, wanted)));
        let bars = series.iter().flat_map(|series| &series.bars);
        let ends = bars.map(|bar| (bar.open_time, bar.close_time()));
        let (from, until) = ends
            .reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
            .unwrap_or((Timestamp::MAX, Timestamp::MAX));
        Part { from, until, share: if all > 0.0 { 1.0 - missing / all } else { 1.0 } }
    }

    /// The figures of `main`, and of what other bars know beyond it; of all bars where they tell a part alone.
    fn figures(&self, main: &Series, found: &[Series], part: Option<Part>) -> Told {
        let end = main.bars.iter().map(Bar::close_time).max().unwrap_or(Timestamp::MAX);
        let from = if part.is_some() { Timestamp::MIN } else { end };
        let others = found.iter().filter(|one| one.interval != main.interval);
        let others = others.filter(|one| one.interval < Interval::D1);
        let beyond = others.flat_map(|one| &one.bars).filter(|bar| bar.open_time >= from);
        let mut last = main.bars[main.bars.len() - 1];
        let (mut high, mut low) = (last.high, last.low);
        for bar in main.bars.iter().chain(beyond) {
            (high, low) = (high.max(bar.high), low.min(bar.low));
            if self.closed_at(bar) > self.closed_at(&last) {
                last = *bar;
            }
        }
        let (interval, bars) = (main.interval, main.bars.len());
        Told { interval, bars, last, high: Some(high), low: Some(low), part }
    }

    /// The last bar that had ended when the day began, of the length `like` where several ended then.
    pub(super) fn before(&self, like: Option<Interval>) -> Result<Option<Bar>, Error> {
        let begins = self.asked.moments().after;
        let mut known: Option<Bar> = None;
        for &interval in self.intervals.iter().filter(|interval| **interval <= Interval::D1) {
            let (until, count) = match interval {
                Interval::D1 => (begins.plus(2 * DAY), FEW),
                _ => (begins, 1),
            };
            let mut bars = self.history.last_bars(self.symbol, interval, until, count)?;
            bars.retain(|bar| self.placed(bar) <= begins);
            let Some(bar) = bars.pop() else { continue };
            let rank = |bar: &Bar| (self.placed(bar), Some(bar.interval) == like);
            if known.as_ref().is_none_or(|known| rank(known) < rank(&bar)) {
                known = Some(bar);
            }
        }
        Ok(known)
    }

    /// The close that the day's change is from. Around the clock one that is older than a day is none.
    pub(super) fn base(&self, told: Interval) -> Result<Option<Bar>, Error> {
        let begins = self.asked.moments().after;
        let is_fresh = |bar: &Bar| !self.is_always() || begins.since(self.closed_at(bar)) <= DAY;
        Ok(self.before(Some(told))?.filter(is_fresh))
    }

    /// When the first session of the day began, or the day where there are none; where bars that are `first`
    /// begin later, the time before is not known.
    pub(super) fn begins_late(&self, (interval, first): (Interval, Timestamp)) -> bool {
        let day = self.asked.moments();
        if interval >= Interval::D1 || first <= day.after || first >= self.asked.end(day) {
            return false;
        }
        match self.hours() {
            Some(MarketHours::Always) => super::market::first_open(interval, day.after) < first,
            Some(_) => {
                let silence = SILENCE.max(interval.nominal());
                let opens = self.wanted(&[]).into_iter().map(|span| span.open).min();
                opens.is_some_and(|open| open.plus(silence) < first)
            }
            None => true,
        }
    }
}

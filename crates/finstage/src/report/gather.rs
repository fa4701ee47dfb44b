//! From records and history to the plain report.

use finstage_model::{Day, Symbol, Timestamp};
use finstage_store::Error;
use finstage_store::history::History;
use finstage_store::records::{Head, Moments, Records};
use jiff::civil;
use jiff::tz::TimeZone;

use super::{Chain, DailyReport, MAX_ROWS, evidence, market, outcomes, said};

/// What a report is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The day, in the zone.
    pub day: Day,
    /// The zone.
    pub zone: &'a TimeZone,
    /// The present moment: only whether the day is over follows from it.
    pub now: Timestamp,
    /// The instruments that are watched; of none, all that have bars.
    pub watched: &'a [Symbol],
    /// When reports are due; `None` when they are off.
    pub due: Option<Due<'a>>,
}

/// The time of each day at which reports are due, in the zone that is theirs, whoever asks.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// The time.
    pub time: civil::Time,
    /// The zone.
    pub zone: &'a TimeZone,
}

impl Due<'_> {
    /// When a report is due on a day of the zone.
    pub(super) fn on(&self, day: Day) -> Timestamp {
        moment_of((day, self.time), self.zone)
    }

    /// When the next one is due.
    fn after(&self, at: Timestamp) -> Timestamp {
        let today = day_of(at, self.zone);
        let due = [today, today.next(), today.next().next()].map(|day| self.on(day));
        due.into_iter().find(|due| *due > at).unwrap_or(due[2])
    }
}

/// A time of a day of the zone. Where clocks jump over it, the moment of the jump.
fn moment_of((day, time): (Day, civil::Time), zone: &TimeZone) -> Timestamp {
    let date = civil::Date::new(1970, 1, 1).expect("a date");
    let date = date.saturating_add(jiff::Span::new().days(i64::from(day.days())));
    let moment = zone.to_ambiguous_timestamp(date.to_datetime(time)).compatible();
    moment.map_or_else(|_| day.start(), |moment| Timestamp::from_secs(moment.as_second()))
}

impl Asked<'_> {
    /// Where a day of the zone begins.
    pub(super) fn start_of(&self, day: Day) -> Timestamp {
        moment_of((day, civil::Time::midnight()), self.zone)
    }

    /// The day as moments.
    pub(super) fn moments(&self) -> Moments {
        Moments { after: self.start_of(self.day), until: self.start_of(self.day.next()) }
    }
}

/// The day of `zone` that holds `at`.
#[must_use]
pub fn day_of(at: Timestamp, zone: &TimeZone) -> Day {
    let Ok(instant) = jiff::Timestamp::from_second(at.secs()) else {
        return at.day(); // cannot happen: jiff's range is the wider one
    };
    let date = instant.to_zoned(zone.clone()).date();
    let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
    Day::from_civil(i32::from(date.year()), u32::from(month), u32::from(day)).unwrap_or(at.day())
}

/// Reads what there is to say about a day.
///
/// # Errors
/// When records or history cannot be read.
pub fn gather(
    records: &Records,
    history: &History,
    asked: &Asked<'_>,
) -> Result<DailyReport, Error> {
    let moments = asked.moments();
    let provenance = outcomes::provenance(records)?;
    let signals = records.signals_within(moments)?;
    let cards = evidence::in_force(records, moments.until)?;
    let watched = market::watched(history, asked.watched)?;
    let shown = &watched[..watched.len().min(MAX_ROWS)];
    let mut venues: Vec<String> = watched.iter().map(|s| s.venue().to_owned()).collect();
    venues.sort_unstable();
    venues.dedup();
    let series = history.series()?;
    let instruments = shown
        .iter()
        .map(|symbol| market::instrument(history, records, (symbol, &series), asked))
        .collect::<Result<_, _>>()?;
    let mut data = market::holes(history, (&watched, &series), asked)?;
    data.withheld = said::withheld_for_data(&signals);
    Ok(DailyReport {
        date: asked.day,
        zone: asked.zone.iana_name().unwrap_or("local time").to_owned(),
        provenance,
        from: moments.after,
        until: moments.until,
        is_complete: asked.now >= moments.until,
        venues,
        instruments_total: watched.len(),
        instruments,
        signals: said::signals(records, (&signals, moments.after), &cards)?,
        alerts: said::alerts(records, moments)?,
        outcomes: outcomes::outcomes(&records.outcomes_within(moments)?, &cards, provenance),
        evidence: evidence::evidence(&cards, &signals, moments.until),
        data,
        track_record: chain(records.track_head()?),
        trials: chain(records.trials_head()?),
        next: asked.due.map(|due| asked.next(&due)),
    })
}

impl Asked<'_> {
    /// When a report is due after now, or, of a day long ago, after its own was due: so it stays the same text.
    fn next(&self, due: &Due<'_>) -> Timestamp {
        let own = due.after(self.moments().until.minus(std::time::Duration::from_nanos(1)));
        due.after(self.now.min(own))
    }

    /// The end of what can be there: of the day, or now.
    pub(super) fn end(&self, moments: Moments) -> Timestamp {
        moments.until.min(self.now)
    }
}

fn chain(head: Head) -> Chain {
    Chain { entries: head.entries, head: head.head }
}

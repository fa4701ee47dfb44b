//! When a job runs: pure, of moments and zones only.
//!
//! A job that runs at a time of the day runs once each day, also in the nights in which clocks change:
//! where that time does not exist it runs after the gap, and where it comes twice, the first time. One that
//! runs every so often goes by real time. Occurrences follow from the setting alone, so that any process at
//! any moment finds the same ones: that is what tells one that was run from one that was missed.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use finstage_model::{IdHasher, Timestamp};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};

/// The shortest time between two occurrences of an interval.
pub const MIN_EVERY: Duration = Duration::from_secs(1);
/// An occurrence that is looked at later than this was missed.
pub const ON_TIME: Duration = Duration::from_secs(60);
/// The most missed occurrences that are made up for at once; more have their turn later.
pub const MAX_DUE: usize = 100;
/// Jitter takes at most one part in so many of the time until the next occurrence.
pub const JITTER_PART: u32 = 10;

/// What repeats.
#[derive(Debug, Clone)]
pub enum Repeat {
    /// So often, counted from 1970-01-01T00:00Z.
    Every(Duration),
    /// By five or six fields.
    Cron(Box<Cron>),
    /// At a time of the day.
    Daily(Time),
}

/// What becomes of occurrences that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// They are passed over.
    Skip,
    /// The last one is made up for.
    #[default]
    Once,
    /// All are made up for, in their order.
    All,
}

impl CatchUp {
    /// The policies by their words.
    pub const WORDS: [(&str, Self); 3] =
        [("skip", Self::Skip), ("once", Self::Once), ("all", Self::All)];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}

/// When a job runs.
#[derive(Debug, Clone)]
pub struct Timing {
    /// What repeats.
    pub repeat: Repeat,
    /// The zone of times of the day.
    pub zone: TimeZone,
    /// What becomes of those that were missed.
    pub catch_up: CatchUp,
    /// Each occurrence runs up to so much later, so that not all things happen at once, and no later than
    /// [`Timing::spread`] allows.
    pub jitter: Duration,
    /// Each occurrence runs so much later.
    pub after: Duration,
}

/// Occurrences to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which, oldest first; perhaps none.
    pub run: Vec<Timestamp>,
    /// Everything up to here is run or passed over.
    pub mark: Timestamp,
}

impl Timing {
    /// One that repeats as given, in UTC, and makes up for the last occurrence that was missed.
    #[must_use]
    pub const fn new(repeat: Repeat) -> Self {
        Self {
            repeat,
            zone: TimeZone::UTC,
            catch_up: CatchUp::Once,
            jitter: Duration::ZERO,
            after: Duration::ZERO,
        }
    }

    /// The first occurrence after a moment; `None` where there is none in this age of the world.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.repeat {
            Repeat::Every(every) => {
                let every = nanos(*every);
                Some(Timestamp::from_nanos(
                    after.nanos().div_euclid(every).checked_add(1)?.checked_mul(every)?,
                ))
            }
            Repeat::Cron(cron) => {
                let next = cron.find_next_occurrence(&self.second_of(after)?, false).ok()?;
                Some(moment(&next)).filter(|next| *next > after)
            }
            Repeat::Daily(time) => {
                let today = self.zoned(after)?.date();
                let on = |days: i64| {
                    let day = today.checked_add(days.days()).ok()?;
                    day.to_datetime(*time).to_zoned(self.zone.clone()).ok()
                };
                [-1, 0, 1, 2]
                    .into_iter()
                    .filter_map(on)
                    .map(|at| moment(&at))
                    .find(|at| *at > after)
            }
        }
    }

    /// The last occurrence that is not after a moment.
    #[must_use]
    pub fn newest(&self, until: Timestamp) -> Option<Timestamp> {
        match &self.repeat {
            Repeat::Every(every) => {
                let every = nanos(*every);
                Some(Timestamp::from_nanos(until.nanos().div_euclid(every) * every))
            }
            Repeat::Cron(cron) => cron
                .find_previous_occurrence(&self.second_of(until)?, true)
                .ok()
                .map(|at| moment(&at)),
            Repeat::Daily(_) => {
                let days = Duration::from_secs(3 * 86_400);
                let after = |at: &Timestamp| self.next(*at);
                let found = std::iter::successors(self.next(until.minus(days)), after);
                found.take_while(|at| *at <= until).last()
            }
        }
    }

    /// What is to run at `now`, where everything up to `last` was run or passed over; `None`: nothing.
    #[must_use]
    pub fn due(&self, last: Timestamp, now: Timestamp) -> Option<Due> {
        let newest = self.newest(now).filter(|newest| *newest > last)?;
        Some(match self.catch_up {
            CatchUp::Skip => {
                let is_on_time = now.since(newest) <= ON_TIME;
                Due { run: is_on_time.then_some(newest).into_iter().collect(), mark: newest }
            }
            CatchUp::Once => Due { run: vec![newest], mark: newest },
            CatchUp::All => {
                let found = std::iter::successors(self.next(last), |at| self.next(*at));
                let run: Vec<Timestamp> = found.take_while(|at| *at <= now).take(MAX_DUE).collect();
                let mark = run.last().copied()?;
                Due { run, mark }
            }
        })
    }

    /// When the task of an occurrence runs. `seed` spreads installations, `name` jobs.
    #[must_use]
    pub fn run_at(&self, occurrence: Timestamp, (seed, name): (u64, &str)) -> Timestamp {
        let hash = IdHasher::new().text(name).text(&format!("{seed} {occurrence}")).finish();
        let jitter = u64::try_from(self.spread(occurrence).as_nanos()).unwrap_or(u64::MAX);
        let spread = (hash as u64).checked_rem(jitter).unwrap_or(0);
        occurrence.plus(self.after).plus(Duration::from_nanos(spread))
    }

    /// How much later than it is due an occurrence runs at most, because of jitter: a run that is put off until the
    /// next one is due would be no run of its own.
    #[must_use]
    pub fn spread(&self, occurrence: Timestamp) -> Duration {
        let most = self.next(occurrence).map(|next| next.since(occurrence) / JITTER_PART);
        most.map_or(self.jitter, |most| self.jitter.min(most))
    }

    fn zoned(&self, at: Timestamp) -> Option<Zoned> {
        let at = jiff::Timestamp::from_nanosecond(i128::from(at.nanos())).ok()?;
        Some(at.to_zoned(self.zone.clone()))
    }

    /// The whole second that a moment lies in: cron knows no smaller part.
    fn second_of(&self, at: Timestamp) -> Option<Zoned> {
        self.zoned(Timestamp::from_secs(at.secs()))
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        match &self.repeat {
            Repeat::Every(every) => {
                write!(f, "every {}", finstage_model::format_duration(*every))
            }
            Repeat::Cron(cron) => write!(f, "{} {zone}", cron.as_str()),
            Repeat::Daily(time) => write!(f, "{} {zone}", time.strftime("%H:%M")),
        }
    }
}

/// A pattern of five fields (minute, hour, day, month, weekday), or six with seconds before them.
///
/// # Errors
/// What is wrong with it, and what to write.
pub fn cron(text: &str) -> Result<Repeat, String> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    match parser.parse(text) {
        Ok(cron) if cron.find_next_occurrence(&Zoned::default(), true).is_err() => {
            Err(format!("\"{text}\" never comes: write a day that its month has"))
        }
        Ok(cron) => Ok(Repeat::Cron(Box::new(cron))),
        Err(why) => Err(format!(
            "\"{text}\" is no cron pattern ({why}): write minute, hour, day, month and weekday, as in \"30 2 * * *\""
        )),
    }
}

fn nanos(every: Duration) -> i64 {
    i64::try_from(every.max(MIN_EVERY).as_nanos()).unwrap_or(i64::MAX)
}

fn moment(zoned: &Zoned) -> Timestamp {
    let nanos = zoned.timestamp().as_nanosecond();
    Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;

//! What the engine said, into the records; and what the journal does not know, out of them.
//!
//! A batch is applied whole or not at all, and again without harm. That is all the coordination
//! there is between journal and records: the journal is written first and synced when it is, the
//! records follow, and positions tell which is ahead after a crash.

use finstage_model::{Alert, Bar, Position, Signal, Symbol, Verdict};
use rusqlite::{Connection, OptionalExtension, params};

use super::bars::Stored;
use super::db::{Durability, Trouble};
use super::{Records, RunDigest, alerts, bars, signals};
use crate::Error;

/// What one step of the engine adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// After the last event that it follows from.
    pub position: Position,
    /// What the run has said up to there.
    pub run_digest: RunDigest,
    /// Bars that closed; their instruments are in the records.
    pub bars: Vec<Bar>,
    /// Signals.
    pub signals: Vec<NewSignal>,
    /// Verdicts on signals of this or earlier batches.
    pub verdicts: Vec<Verdict>,
    /// Alerts.
    pub alerts: Vec<NewAlert>,
}

impl Batch {
    /// A batch that adds nothing but that the run has come this far.
    #[must_use]
    pub const fn new(position: Position, run_digest: RunDigest) -> Self {
        Self {
            position,
            run_digest,
            bars: Vec::new(),
            signals: Vec::new(),
            verdicts: Vec::new(),
            alerts: Vec::new(),
        }
    }
}

/// A signal with the two texts that its dense numbers stand for.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSignal {
    /// The signal.
    pub signal: Signal,
    /// The symbol of its instrument.
    pub symbol: Symbol,
    /// The strategy with parameters, canonical.
    pub strategy: String,
}

/// An alert and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAlert {
    /// The alert. One that its decision withholds is recorded, whatever its route says.
    pub alert: Alert,
    /// Where it goes.
    pub route: Route,
}

/// Where an alert goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To these notifiers, each once.
    Notify(Vec<String>),
    /// Nowhere: it is too old to be sent, and recorded as expired.
    Expired,
}

/// What batches added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// New bars.
    pub bars: u64,
    /// Bars that were there and say otherwise: the old ones stay.
    pub revisions: u64,
    /// New signals.
    pub signals: u64,
    /// Signals that got their verdict.
    pub verdicts: u64,
    /// New alerts.
    pub alerts: u64,
    /// New rows for the notifiers.
    pub queued: u64,
}

impl Applied {
    /// Counts `more` as well.
    pub(super) const fn add(&mut self, more: Self) {
        self.bars += more.bars;
        self.revisions += more.revisions;
        self.signals += more.signals;
        self.verdicts += more.verdicts;
        self.alerts += more.alerts;
        self.queued += more.queued;
    }
}

/// What [`Records::rewind`] removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewound {
    /// Bars.
    pub bars: u64,
    /// Signals.
    pub signals: u64,
    /// Alerts.
    pub alerts: u64,
    /// Rows for the notifiers, none of which any notifier had touched.
    pub queued: u64,
    /// Alerts that were on their way although the journal does not know their cause, with the
    /// notifier that had them. They were kept. There is none unless something is broken.
    pub inconsistent: Vec<String>,
}

impl Records {
    /// Adds a batch, whole or not at all. One that was added before changes nothing.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn apply(&self, batch: &Batch) -> Result<Applied, Error> {
        self.apply_all([batch])
    }

    /// Adds batches in order, in one transaction.
    pub(super) fn apply_all<'a>(
        &self,
        batches: impl IntoIterator<Item = &'a Batch>,
    ) -> Result<Applied, Error> {
        self.0.write("adding to", Durability::Derived, |tx| {
            let mut applied = Applied::default();
            for batch in batches {
                add(tx, batch, &mut applied)?;
            }
            Ok(applied)
        })
    }

    /// Removes what follows from events beyond the end of the journal's run, and which are
    /// therefore lost. To be called with the end of every run that may have lost its last events,
    /// before anything is replayed or sent.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn rewind(&self, journal_end: Position) -> Result<Rewound, Error> {
        self.0.write("rewinding", Durability::Kept, |tx| rewind(tx, journal_end))
    }
}

fn add(tx: &Connection, batch: &Batch, applied: &mut Applied) -> Result<(), Trouble> {
    let position = batch.position;
    for bar in &batch.bars {
        match bars::insert(tx, bar, position)? {
            Stored::New => applied.bars += 1,
            Stored::Same => {}
            Stored::Different => applied.revisions += 1,
        }
    }
    for signal in &batch.signals {
        applied.signals += u64::from(signals::insert(tx, signal, position)?);
    }
    for verdict in &batch.verdicts {
        applied.verdicts += u64::from(signals::rule(tx, verdict)?);
    }
    for alert in &batch.alerts {
        if let Some(queued) = alerts::insert(tx, alert, position)? {
            applied.alerts += 1;
            applied.queued += queued;
        }
    }
    // A replay from the beginning of the run does not take back how far it had come.
    let sql = "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET position = excluded.position, events = excluded.events,
            outputs = excluded.outputs, digest = excluded.digest
        WHERE excluded.position >= position";
    let RunDigest { events, outputs, digest } = batch.run_digest;
    tx.prepare_cached(sql)?.execute(params![
        position.day().days(),
        position.run(),
        position.to_i64(),
        events as i64,
        outputs as i64,
        format!("{digest:032x}"),
    ])?;
    Ok(())
}

fn rewind(tx: &Connection, end: Position) -> Result<Rewound, Trouble> {
    let sql = "SELECT position FROM runs WHERE day = ? AND run = ?";
    let run = params![end.day().days(), end.run()];
    let come: Option<i64> = tx.query_row(sql, run, |row| row.get(0)).optional()?;
    // Every batch notes its position, so nothing of the run lies beyond the last note.
    if come.is_none_or(|position| position <= end.to_i64()) {
        return Ok(Rewound::default());
    }
    let last = Position::new(end.day(), end.run(), Position::MAX_SEQ);
    let beyond = params![end.to_i64(), last.to_i64()];
    let delete = |from: &str, and: &str| {
        let sql = format!("DELETE FROM {from} WHERE position > ? AND position <= ? {and}");
        tx.execute(&sql, beyond).map(|removed| removed as u64)
    };
    let queued = delete("outbox", "AND state = 'ready' AND attempts = 0")?;
    let sql = "SELECT alert || ' to ' || notifier FROM outbox
        WHERE position > ? AND position <= ? ORDER BY id";
    let inconsistent = tx
        .prepare(sql)?
        .query_map(beyond, |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    let unsent = "AND NOT EXISTS (SELECT 1 FROM outbox WHERE alert = alerts.id)";
    let rewound = Rewound {
        bars: delete("bars_tail", "")?,
        signals: delete("signals", "")?,
        alerts: delete("alerts", unsent)?,
        queued,
        inconsistent,
    };
    delete("runs", "")?;
    Ok(rewound)
}

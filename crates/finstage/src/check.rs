//! Recomputing what was said: a run of the journal through a new engine, held against the records.

use finstage_engine::{Sink, SinkError, run};
use finstage_model::{Day, Event, IdHasher, Output, Position, RunNumber, Signal, SignalId};
use finstage_store::ErrorKind;
use finstage_store::journal::Journal;
use finstage_store::records::{Records, RunDigest};
use serde::Serialize;

use crate::day::{engine_of, run_failed, said};
use crate::exit::Result;
use crate::live::{JournalSource, Names, Voice};

/// What a replay of one run gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunReplay {
    /// The UTC day.
    pub day: String,
    /// Which run of that day.
    pub run: RunNumber,
    /// The version that spoke then.
    pub version: String,
    /// Events of the run, preamble included.
    pub events: u64,
    /// What the engine said.
    pub outputs: u64,
    /// Hash of what the engine said.
    pub hash: String,
    /// Whether it is what was said then; `None` when it was not compared.
    #[serde(rename = "match")]
    pub matches: Option<bool>,
    /// The first difference, where there is one.
    pub difference: Option<String>,
}

/// Is told each event and what is said to it, as it is replayed.
pub trait Listener {
    /// One event was applied.
    ///
    /// # Errors
    /// When the listener cannot go on; the replay ends.
    fn heard(&mut self, names: &Names, event: &Event, outputs: &[Output]) -> Result<(), SinkError>;
}

/// Nobody listens.
#[derive(Debug)]
pub struct Silence;

impl Listener for Silence {
    fn heard(&mut self, _: &Names, _: &Event, _: &[Output]) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Replays one run. With `records`, compares at the place up to which they hold what was said.
///
/// # Errors
/// When the journal is damaged or of another version.
pub fn replay(
    journal: &Journal,
    records: Option<&Records>,
    (day, number): (Day, RunNumber),
    listener: &mut dyn Listener,
) -> Result<RunReplay> {
    let reader = journal.reader(day, number)?;
    let header = reader.header().clone();
    let mut engine = engine_of(&header.origin.settings)?;
    let said = match records {
        Some(records) => said(records, day, number)?,
        None => None,
    };
    let mut sink = Comparer {
        names: Names::of(&engine),
        preamble_events: header.events,
        voice: Voice::new(),
        said,
        there: None,
        differing: None,
        records,
        listener,
    };
    run(&mut JournalSource(reader), &mut engine, &mut sink).map_err(run_failed)?;
    let digest = sink.voice.digest();
    let (matches, difference) = match records {
        None => (None, None),
        Some(_) => sink.verdict(),
    };
    Ok(RunReplay {
        day: day.to_string(),
        run: number,
        version: header.origin.version,
        events: digest.events,
        outputs: digest.outputs,
        hash: format!("{:032x}", digest.digest),
        matches,
        difference,
    })
}

/// One hash over all runs, in their order.
#[must_use]
pub fn combined_hash(runs: &[RunReplay]) -> String {
    let hash = runs.iter().fold(IdHasher::new(), |hash, run| hash.text(&run.hash));
    format!("{:032x}", hash.finish())
}

struct Comparer<'a> {
    names: Names,
    preamble_events: u64,
    voice: Voice,
    /// What the records hold, and up to where.
    said: Option<(Position, RunDigest)>,
    /// What the engine had said when it came to that place.
    there: Option<RunDigest>,
    /// The first signal that is not in the records as it is said now.
    differing: Option<SignalId>,
    records: Option<&'a Records>,
    listener: &'a mut dyn Listener,
}

impl Comparer<'_> {
    fn verdict(&self) -> (Option<bool>, Option<String>) {
        let Some((position, said)) = self.said else {
            let nothing = self.voice.digest().outputs == 0;
            return (
                Some(nothing),
                (!nothing).then(|| "the records hold nothing of this run".into()),
            );
        };
        match self.there {
            // The digest says what was said; the rows, what people are shown of it.
            Some(there) if there == said => match self.differing {
                None => (Some(true), None),
                Some(id) => {
                    let difference = format!("signal {id} is not in the records as it was said");
                    (Some(false), Some(difference))
                }
            },
            None => (
                Some(false),
                Some(format!("the journal ends before {position}, up to which something was said")),
            ),
            Some(there) => {
                let counts =
                    format!("{} outputs at {position}, {} were said", there.outputs, said.outputs);
                let first = self
                    .differing
                    .map_or(String::new(), |id| format!("; the first signal that differs is {id}"));
                (Some(false), Some(counts + &first))
            }
        }
    }
}

impl Sink for Comparer<'_> {
    fn accept(&mut self, at: Position, event: &Event, outputs: &[Output]) -> Result<(), SinkError> {
        self.names.learn(event);
        self.voice.add(outputs);
        let end = at.plus(1);
        if self.said.is_some_and(|(position, _)| position == end) {
            self.there = Some(self.voice.digest());
        }
        // What the preamble repeats of last night was said, and is recorded, by the engine before.
        let repeats = at.seq() < self.preamble_events;
        let past = repeats || self.said.is_some_and(|(position, _)| end > position);
        if let (Some(records), None, false) = (self.records, self.differing, past) {
            for output in outputs {
                if let Output::Signal(signal) = output
                    && !is_recorded(records, signal)?
                {
                    self.differing = Some(signal.id);
                }
            }
        }
        self.listener.heard(&self.names, event, outputs)
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Whether the records hold the signal as it is said now, to the last bit.
fn is_recorded(records: &Records, signal: &Signal) -> Result<bool, SinkError> {
    let row = match records.signal(&signal.id.to_string()) {
        Ok(row) => row,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(SinkError(Box::new(error))),
    };
    let same_facts = row.facts.len() == signal.facts.iter().count()
        && signal.facts.iter().zip(&row.facts).all(|(fact, (name, value))| {
            fact.name == **name && fact.value.to_bits() == value.to_bits()
        });
    Ok(row.price == signal.price
        && row.direction == signal.direction
        && row.interval == signal.interval
        && (row.open_time, row.at) == (signal.open_time, signal.at)
        && row.strength.to_bits() == signal.strength.to_bits()
        && same_facts)
}

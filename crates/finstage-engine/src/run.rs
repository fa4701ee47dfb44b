//! The one loop of the house: live, replay and backtest are this function with other sources.

use std::error::Error as StdError;
use std::fmt;

use finstage_model::{Event, Output, Position};

use crate::Engine;

/// Where events come from.
pub trait Source {
    /// Appends the next events to `batch` (which arrives empty) and returns the position of the
    /// first, or says that there are no more. May block.
    ///
    /// # Errors
    /// When the source is broken; the run ends with it.
    fn next_batch(&mut self, batch: &mut Vec<Event>) -> Result<Flow, SourceError>;
}

/// What a source says beside its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Events follow; the first of the batch stands at this position.
    More(Position),
    /// There are no more.
    End,
}

/// Where events and what the engine said to each go.
pub trait Sink {
    /// Takes one event and its outputs, in order.
    ///
    /// # Errors
    /// When it cannot be kept; the run ends with it.
    fn accept(&mut self, at: Position, event: &Event, outputs: &[Output]) -> Result<(), SinkError>;

    /// Ends a batch: what was accepted since the last call belongs together.
    ///
    /// # Errors
    /// As [`Sink::accept`].
    fn commit(&mut self) -> Result<(), SinkError>;
}

/// A source that broke.
#[derive(Debug)]
pub struct SourceError(pub Box<dyn StdError + Send + Sync>);

/// A sink that broke.
#[derive(Debug)]
pub struct SinkError(pub Box<dyn StdError + Send + Sync>);

/// Why a run ended early.
#[derive(Debug)]
pub enum RunError {
    /// The source broke.
    Source(Box<dyn StdError + Send + Sync>),
    /// The sink broke.
    Sink(Box<dyn StdError + Send + Sync>),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(cause) => write!(f, "reading events: {cause}"),
            Self::Sink(cause) => write!(f, "keeping outputs: {cause}"),
        }
    }
}

impl StdError for RunError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Source(cause) | Self::Sink(cause) => Some(cause.as_ref()),
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunSummary {
    /// Events applied.
    pub events: u64,
    /// Outputs said.
    pub outputs: u64,
}

/// Applies every event of `source` to `engine` and hands what it says to `sink`, until the source
/// ends.
///
/// # Errors
/// When source or sink break; what was committed before stays.
pub fn run(
    source: &mut dyn Source,
    engine: &mut Engine,
    sink: &mut dyn Sink,
) -> Result<RunSummary, RunError> {
    let mut summary = RunSummary::default();
    let (mut batch, mut outputs) = (Vec::new(), Vec::new());
    loop {
        batch.clear();
        let first = match source.next_batch(&mut batch).map_err(|e| RunError::Source(e.0))? {
            Flow::More(first) => first,
            Flow::End => return Ok(summary),
        };
        for (i, event) in batch.iter().enumerate() {
            outputs.clear();
            engine.apply(event, &mut outputs);
            summary.outputs += outputs.len() as u64;
            sink.accept(first.plus(i as u64), event, &outputs).map_err(|e| RunError::Sink(e.0))?;
        }
        summary.events += batch.len() as u64;
        sink.commit().map_err(|e| RunError::Sink(e.0))?;
    }
}

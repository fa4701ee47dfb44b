//! The one loop: batches of events in, batches of outputs kept.

use std::error::Error as _;

use finstage_engine::{
    Engine, Flow, RunError, RunSummary, Sink, SinkError, Source, SourceError, run,
};
use finstage_model::{Day, Event, Output, Payload, Position, Timestamp};

use crate::stage::{A, announce, at, series, symbol, trade};
use crate::strategies::TOYS;

/// Batches of events; breaks at the end when it is told to.
struct Batches {
    batches: Vec<Vec<Event>>,
    next: u64,
    breaks: bool,
}

impl Source for Batches {
    fn next_batch(&mut self, batch: &mut Vec<Event>) -> Result<Flow, SourceError> {
        assert!(batch.is_empty());
        if self.batches.is_empty() {
            return if self.breaks { Err(SourceError("torn".into())) } else { Ok(Flow::End) };
        }
        batch.extend(self.batches.remove(0));
        let first = Position::new(Day::from_days(20_000), 1, self.next);
        self.next += batch.len() as u64;
        Ok(Flow::More(first))
    }
}

/// Writes down what it was given.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    is_full: bool,
}

impl Sink for Log {
    fn accept(&mut self, at: Position, _: &Event, outputs: &[Output]) -> Result<(), SinkError> {
        if self.is_full {
            return Err(SinkError("full".into()));
        }
        self.lines.push(format!("{} {}", at.seq(), outputs.len()));
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        self.lines.push("commit".to_owned());
        Ok(())
    }
}

fn batches() -> Batches {
    let event = |ts_recv: Timestamp, payload| Event::new(ts_recv, payload);
    let first = vec![
        event(at("12:00"), announce(A, symbol())),
        event(at("12:00"), Payload::Trade(trade(at("12:00"), "10"))),
    ];
    let second = vec![event(at("12:02"), Payload::Tick)];
    Batches { batches: vec![first, second], next: 5, breaks: false }
}

#[test]
fn every_event_is_kept_in_order_and_every_batch_committed() {
    let mut engine = Engine::new(&series("1m trades"), TOYS).unwrap();
    let mut log = Log::default();
    let summary = run(&mut batches(), &mut engine, &mut log).unwrap();
    assert_eq!(summary, RunSummary { events: 3, outputs: 1 });
    assert_eq!(log.lines, ["5 0", "6 0", "commit", "7 1", "commit"]);
}

#[test]
fn a_broken_end_stops_the_run_and_says_which() {
    let mut engine = Engine::new(&series("1m trades"), TOYS).unwrap();
    let mut log = Log { is_full: true, ..Log::default() };
    let error = run(&mut batches(), &mut engine, &mut log).unwrap_err();
    assert!(matches!(error, RunError::Sink(_)));
    assert_eq!(error.to_string(), "keeping outputs: full");

    let mut log = Log::default();
    let mut torn = Batches { breaks: true, ..batches() };
    let error = run(&mut torn, &mut engine, &mut log).unwrap_err();
    assert_eq!(error.to_string(), "reading events: torn");
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("torn"));
    assert_eq!(log.lines.iter().filter(|line| *line == "commit").count(), 2);
}

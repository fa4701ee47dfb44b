//! An expression at work on the bars of one instrument.

use finstage_engine::{Context, Firing, Strategy};
use finstage_model::{Bar, Direction, Fact, FactName, Facts};
use finstage_quant::{ALL, BarInput, Field, Stream};

use std::sync::Arc;

use super::Expression;
use super::program::{Op, Span};
use crate::cross::{Crossing, Edge, Onset, Side, percent};

/// An instance of a user's strategy.
#[derive(Debug)]
pub(super) struct Condition {
    of: Arc<Expression>,
    direction: Direction,
    every_bar: bool,
    /// What each operation remembers.
    states: Vec<State>,
    /// What each operation says of the present bar; conditions as 1 and 0, nothing where it is not
    /// known.
    values: Vec<Option<f64>>,
    onset: Onset,
}

#[derive(Debug)]
enum State {
    Nothing,
    Stream {
        stream: Box<dyn Stream>,
        outputs: Vec<f64>,
    },
    Cross(Crossing),
    /// The last values, oldest at `next` once all are there.
    Last {
        ring: Vec<f64>,
        next: usize,
        filled: usize,
    },
    /// The value before, bars known since the last unknown one, and how often in a row it moved so.
    Moves {
        before: Option<f64>,
        known: usize,
        run: usize,
    },
    /// Bars known since the last unknown one, and bars since the condition was true.
    Since {
        known: usize,
        since: usize,
    },
}

impl Condition {
    pub(super) fn new(of: Arc<Expression>, direction: Direction, every_bar: bool) -> Self {
        let ops = &of.program.ops;
        let states = ops.iter().map(State::of).collect();
        let values = vec![None; ops.len()];
        Self { of, direction, every_bar, states, values, onset: Onset::default() }
    }

    fn firing(&self) -> Firing {
        let value = |place: usize| self.values[place].unwrap_or(0.0);
        let strength =
            self.of.comparison.map_or(0.0, |(a, b)| percent(value(a) - value(b), value(b)));
        let facts = self.of.facts.iter().map(|&(name, place)| Fact { name, value: value(place) });
        Firing { direction: self.direction, strength, facts: Facts::from_iter(facts) }
    }
}

impl Strategy for Condition {
    fn warmup(&self) -> usize {
        self.of.warmup(self.every_bar)
    }

    fn memory(&self) -> usize {
        self.of.memory()
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let bar = BarInput::from(bar);
        for (place, op) in self.of.program.ops.iter().enumerate() {
            let (before, rest) = self.values.split_at_mut(place);
            let (states, own) = self.states.split_at_mut(place);
            rest[0] = step(op, &bar, before, states, &mut own[0]).filter(|value| value.is_finite());
        }
        // What is not known makes the whole unknown: no bar is judged by half of its condition.
        let is_known = self.values.iter().all(Option::is_some);
        let holds = self.values.last().copied().flatten().filter(|_| is_known).map(|v| v != 0.0);
        let begins = self.onset.step(holds);
        if if self.every_bar { holds == Some(true) } else { begins } {
            out.push(self.firing());
        }
    }
}

impl State {
    fn of(op: &Op) -> Self {
        match *op {
            Op::Indicator { listed, ref params } => {
                let spec = &ALL[listed];
                let outputs = vec![0.0; spec.outputs.len()];
                Self::Stream { stream: (spec.build)(params), outputs }
            }
            Op::Cross(side, ..) => Self::Cross(Crossing::new(side, Edge::Passes)),
            Op::Over(Span::Rising | Span::Falling, ..) => {
                Self::Moves { before: None, known: 0, run: 0 }
            }
            Op::Over(Span::Within, ..) => Self::Since { known: 0, since: usize::MAX },
            Op::Over(_, _, bars) => Self::Last { ring: vec![0.0; bars], next: 0, filled: 0 },
            _ => Self::Nothing,
        }
    }

    /// Forgets what came before a bar on which a part was not known.
    fn break_off(&mut self) {
        match self {
            Self::Nothing | Self::Stream { .. } | Self::Cross(_) => {}
            Self::Last { filled, next, .. } => (*filled, *next) = (0, 0),
            Self::Moves { before, known, run } => (*before, *known, *run) = (None, 0, 0),
            Self::Since { known, since } => (*known, *since) = (0, usize::MAX),
        }
    }
}

/// What an operation says of a bar, from what its parts say.
fn step(
    op: &Op,
    bar: &BarInput,
    values: &[Option<f64>],
    states: &[State],
    state: &mut State,
) -> Option<f64> {
    let truth = |holds: bool| f64::from(u8::from(holds));
    match *op {
        Op::Number(value) => Some(value),
        Op::Field(field) => Some(match field {
            Field::Open => bar.open,
            Field::High => bar.high,
            Field::Low => bar.low,
            Field::Close => bar.close,
            Field::Volume => bar.volume,
            // The language has no word for what is not listed here.
            _ => return None,
        }),
        Op::Indicator { .. } => {
            let State::Stream { stream, outputs } = state else { return None };
            stream.update(bar, outputs).then_some(0.0)
        }
        Op::Output { of, nth } => {
            let State::Stream { outputs, .. } = &states[of] else { return None };
            values[of].map(|_| outputs[nth])
        }
        Op::Negate(of) => Some(-values[of]?),
        Op::Abs(of) => Some(values[of]?.abs()),
        Op::Not(of) => Some(1.0 - values[of]?),
        Op::Sum(sign, a, b) => Some(computed(sign, values[a]?, values[b]?)),
        Op::Compare(sign, a, b) => Some(truth(compares(sign, values[a]?, values[b]?))),
        Op::And(a, b) => Some(values[a]?.min(values[b]?)),
        Op::Or(a, b) => Some(values[a]?.max(values[b]?)),
        Op::Least(a, b) => Some(values[a]?.min(values[b]?)),
        Op::Greatest(a, b) => Some(values[a]?.max(values[b]?)),
        Op::Cross(side, a, b) => {
            let State::Cross(crossing) = state else { return None };
            let (Some(a), Some(b)) = (values[a], values[b]) else {
                *crossing = Crossing::new(side, Edge::Passes);
                return None;
            };
            Some(truth(crossing.step(a - b) == Some(true)))
        }
        Op::Over(span, of, bars) => match values[of] {
            Some(value) => state.over(span, value, bars),
            None => {
                state.break_off();
                None
            }
        },
    }
}

impl State {
    /// Takes the next value of a function over bars.
    fn over(&mut self, span: Span, value: f64, bars: usize) -> Option<f64> {
        match self {
            Self::Last { ring, next, filled } => {
                let left = std::mem::replace(&mut ring[*next], value);
                *next = (*next + 1) % bars;
                let was_full = *filled == bars;
                *filled = bars.min(*filled + 1);
                let is_full = *filled == bars;
                match span {
                    Span::Prev => was_full.then_some(left),
                    Span::Change => was_full.then_some(value - left),
                    Span::Highest => is_full.then(|| ring.iter().copied().fold(value, f64::max)),
                    _ => is_full.then(|| ring.iter().copied().fold(value, f64::min)),
                }
            }
            Self::Moves { before, known, run } => {
                let side = if span == Span::Rising { Side::Above } else { Side::Below };
                if let Some(before) = before.replace(value) {
                    *known = known.saturating_add(1);
                    *run =
                        if side.beyond(value - before) > 0.0 { run.saturating_add(1) } else { 0 };
                }
                (*known >= bars).then(|| f64::from(u8::from(*run >= bars)))
            }
            Self::Since { known, since } => {
                *known = known.saturating_add(1);
                *since = if value == 0.0 { since.saturating_add(1) } else { 0 };
                (*known >= bars).then(|| f64::from(u8::from(*since < bars)))
            }
            Self::Nothing | Self::Stream { .. } | Self::Cross(_) => None,
        }
    }
}

fn computed(sign: &str, a: f64, b: f64) -> f64 {
    match sign {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        _ => a / b,
    }
}

fn compares(sign: &str, a: f64, b: f64) -> bool {
    match sign {
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        ">=" => a >= b,
        "==" => a == b,
        _ => a != b,
    }
}

/// A name for what an operation says, short enough for a fact.
pub(super) fn fact_name(text: &str, nth: usize) -> FactName {
    const LETTERS: [&str; Facts::MAX] = ["a", "b", "c", "d"];
    if text.len() <= FactName::MAX {
        FactName::new(text)
    } else {
        FactName::new(LETTERS.get(nth).copied().unwrap_or("x"))
    }
}

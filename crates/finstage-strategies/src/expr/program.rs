//! What an expression means: a list of operations in which each comes after its parts, and equal ones
//! stand once.

use finstage_quant::{ALL, FOREVER, Field, Spec};

use crate::cross::Side;

/// Bars after which a running total, or a stop that never forgets, counts as forgotten.
pub const FOREVER_BARS: usize = 5_000;

/// One operation; its parts are places in the list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op {
    Number(f64),
    Field(Field),
    /// A place in the list of indicators, with all of its parameters; its values are its outputs.
    Indicator {
        listed: usize,
        params: Vec<f64>,
    },
    Output {
        of: usize,
        nth: usize,
    },
    Negate(usize),
    /// `+ - * /`
    Sum(&'static str, usize, usize),
    /// `< <= > >= == !=`
    Compare(&'static str, usize, usize),
    And(usize, usize),
    Or(usize, usize),
    Not(usize),
    Cross(Side, usize, usize),
    Abs(usize),
    Least(usize, usize),
    Greatest(usize, usize),
    /// A function of a part over so many bars.
    Over(Span, usize, usize),
}

/// Functions that remember bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Prev,
    Change,
    Highest,
    Lowest,
    Within,
    Rising,
    Falling,
}

impl Span {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Prev => "prev",
            Self::Change => "change",
            Self::Highest => "highest",
            Self::Lowest => "lowest",
            Self::Within => "within",
            Self::Rising => "rising",
            Self::Falling => "falling",
        }
    }

    /// Bars that are needed before the present one is known, of a part known on each.
    fn reach(self, bars: usize) -> usize {
        match self {
            Self::Highest | Self::Lowest | Self::Within => bars - 1,
            Self::Prev | Self::Change | Self::Rising | Self::Falling => bars,
        }
    }
}

/// The numbers of a bar that have a name.
pub(super) const FIELDS: [Field; 5] =
    [Field::Open, Field::High, Field::Low, Field::Close, Field::Volume];

/// A checked expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    /// Of each operation: bars until it is known.
    pub(super) warmups: Vec<usize>,
    /// Of each operation: bars until older ones move nothing.
    pub(super) memories: Vec<usize>,
}

impl Program {
    pub(super) const fn new() -> Self {
        Self { ops: Vec::new(), warmups: Vec::new(), memories: Vec::new() }
    }

    /// The place of an operation: a new one, unless it is there.
    pub(super) fn place(&mut self, op: Op) -> usize {
        if let Some(place) = self.ops.iter().position(|known| *known == op) {
            return place;
        }
        let (warmup, memory) = self.depth(&op);
        self.warmups.push(warmup);
        self.memories.push(memory);
        self.ops.push(op);
        self.ops.len() - 1
    }

    /// The condition as a whole is the last operation.
    pub(super) fn root(&self) -> usize {
        self.ops.len() - 1
    }

    /// Warm-up and memory of an operation whose parts are in the list.
    fn depth(&self, op: &Op) -> (usize, usize) {
        let of = |place: usize| (self.warmups[place], self.memories[place]);
        let both = |a: usize, b: usize| {
            let (a, b) = (of(a), of(b));
            (a.0.max(b.0), a.1.max(b.1))
        };
        match *op {
            Op::Number(_) | Op::Field(_) => (1, 1),
            Op::Indicator { listed, ref params } => {
                let stream = (ALL[listed].build)(params);
                let memory = stream.memory();
                (stream.warmup(), if memory == FOREVER { FOREVER_BARS } else { memory })
            }
            Op::Output { of: part, .. } | Op::Negate(part) | Op::Not(part) | Op::Abs(part) => {
                of(part)
            }
            Op::Sum(_, a, b)
            | Op::Compare(_, a, b)
            | Op::And(a, b)
            | Op::Or(a, b)
            | Op::Least(a, b)
            | Op::Greatest(a, b) => both(a, b),
            Op::Cross(_, a, b) => {
                let (warmup, memory) = both(a, b);
                (warmup, memory + 1)
            }
            Op::Over(span, part, bars) => {
                let (warmup, memory) = of(part);
                (warmup + span.reach(bars), memory + bars)
            }
        }
    }

    /// The expression as text with one way of writing it; numbers as `_` where they are not wanted.
    pub(super) fn text(&self, place: usize, numbers: Numbers) -> String {
        self.written(place, numbers).1
    }

    /// How tightly the text of an operation binds, and the text.
    fn written(&self, place: usize, numbers: Numbers) -> (u8, String) {
        let call = |name: &str, parts: &[usize]| {
            let parts: Vec<String> = parts.iter().map(|&part| self.text(part, numbers)).collect();
            (VALUE, format!("{name}({})", parts.join(", ")))
        };
        let pair = |level: u8, left: (usize, u8), sign: &str, right: (usize, u8)| {
            let (left, right) = (self.at_least(left, numbers), self.at_least(right, numbers));
            (level, format!("{left} {sign} {right}"))
        };
        match self.ops[place] {
            Op::Number(value) => {
                let level = if value < 0.0 && numbers == Numbers::Written { UNARY } else { VALUE };
                (level, numbers.of(value))
            }
            Op::Field(field) => (VALUE, field.as_str().to_owned()),
            Op::Indicator { listed, ref params } => {
                let params: Vec<String> = params.iter().map(|&value| numbers.of(value)).collect();
                let name = ALL[listed].name.to_ascii_lowercase();
                (VALUE, format!("{name}({})", params.join(",")))
            }
            Op::Output { of, nth } => {
                let outputs = self.spec(of).map_or(&[][..], |spec| spec.outputs);
                let indicator = self.text(of, numbers);
                let output = outputs.get(nth).copied().unwrap_or_default();
                let is_only = outputs.len() == 1;
                (VALUE, if is_only { indicator } else { format!("{indicator}.{output}") })
            }
            Op::Negate(of) => (UNARY, format!("-{}", self.at_least((of, UNARY), numbers))),
            Op::Sum(sign, a, b) => {
                let level = if matches!(sign, "+" | "-") { SUM } else { PRODUCT };
                pair(level, (a, level), sign, (b, level + 1))
            }
            Op::Compare(sign, a, b) => pair(COMPARE, (a, SUM), sign, (b, SUM)),
            Op::And(a, b) => pair(AND, (a, AND), "and", (b, NOT)),
            Op::Or(a, b) => pair(OR, (a, OR), "or", (b, AND)),
            Op::Not(of) => (NOT, format!("not {}", self.at_least((of, NOT), numbers))),
            Op::Cross(Side::Above, a, b) => call("cross_above", &[a, b]),
            Op::Cross(Side::Below, a, b) => call("cross_below", &[a, b]),
            Op::Abs(of) => call("abs", &[of]),
            Op::Least(a, b) => call("min", &[a, b]),
            Op::Greatest(a, b) => call("max", &[a, b]),
            Op::Over(span, of, bars) => {
                let (of, bars) = (self.text(of, numbers), numbers.of(bars as f64));
                (VALUE, format!("{}({of}, {bars})", span.name()))
            }
        }
    }

    fn at_least(&self, (place, level): (usize, u8), numbers: Numbers) -> String {
        let (own, text) = self.written(place, numbers);
        if own < level { format!("({text})") } else { text }
    }

    fn spec(&self, place: usize) -> Option<&'static Spec> {
        match self.ops[place] {
            Op::Indicator { listed, .. } => ALL.get(listed),
            _ => None,
        }
    }

    /// The numbers that the condition compares, in the order of the text, each once; constants are
    /// none.
    pub(super) fn operands(&self) -> Vec<usize> {
        let mut found = Vec::new();
        self.collect_operands(self.root(), &mut found);
        found
    }

    fn collect_operands(&self, place: usize, found: &mut Vec<usize>) {
        let sides = match self.ops[place] {
            Op::And(a, b) | Op::Or(a, b) => {
                self.collect_operands(a, found);
                return self.collect_operands(b, found);
            }
            Op::Not(of) | Op::Over(Span::Within, of, _) => {
                return self.collect_operands(of, found);
            }
            Op::Compare(_, a, b) | Op::Cross(_, a, b) => [Some(a), Some(b)],
            Op::Over(_, of, _) => [Some(of), None],
            _ => [None, None],
        };
        for side in sides.into_iter().flatten() {
            if !matches!(self.ops[side], Op::Number(_)) && !found.contains(&side) {
                found.push(side);
            }
        }
    }

    /// The sides of the first comparison.
    pub(super) fn first_comparison(&self) -> Option<(usize, usize)> {
        self.comparison_in(self.root())
    }

    fn comparison_in(&self, place: usize) -> Option<(usize, usize)> {
        match self.ops[place] {
            Op::And(a, b) | Op::Or(a, b) => self.comparison_in(a).or_else(|| self.comparison_in(b)),
            Op::Not(of) | Op::Over(Span::Within, of, _) => self.comparison_in(of),
            Op::Compare(_, a, b) | Op::Cross(_, a, b) => Some((a, b)),
            _ => None,
        }
    }
}

/// Whether numbers are written or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    Written,
    LeftOut,
}

impl Numbers {
    fn of(self, value: f64) -> String {
        match self {
            Self::Written => value.to_string(),
            Self::LeftOut => "_".to_owned(),
        }
    }
}

// How tightly each form binds.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const UNARY: u8 = 7;
const VALUE: u8 = 8;

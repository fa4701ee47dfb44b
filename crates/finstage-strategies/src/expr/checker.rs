//! From the tree to operations: names found, parameters filled in, numbers and conditions told apart, and
//! the whole kept within its bounds.

use finstage_engine::nearest;
use finstage_quant::{ALL, Spec};

use super::error::ExpressionError;
use super::parser::{Arg, Kind, Name, Tree, tree};
use super::program::{FIELDS, Op, Program, Span};
use crate::cross::Side;

/// The greatest sum of all periods in an expression, in bars.
pub const MAX_BARS: usize = 10_000;

/// What an operation answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Number,
    Condition,
}

/// A function that is no indicator.
#[derive(Debug, Clone, Copy)]
struct Function {
    name: &'static str,
    /// As its user writes it.
    form: &'static str,
    kind: FunctionKind,
}

#[derive(Debug, Clone, Copy)]
enum FunctionKind {
    Cross(Side),
    Abs,
    Least,
    Greatest,
    /// Over bars; the number of bars where it may be left out.
    Span(Span, Option<usize>),
}

const fn function(name: &'static str, form: &'static str, kind: FunctionKind) -> Function {
    Function { name, form, kind }
}

const fn span(span: Span, form: &'static str, bars: Option<usize>) -> Function {
    function(span.name(), form, FunctionKind::Span(span, bars))
}

const FUNCTIONS: [Function; 12] = [
    function("cross_above", "cross_above(a, b)", FunctionKind::Cross(Side::Above)),
    function("cross_below", "cross_below(a, b)", FunctionKind::Cross(Side::Below)),
    function("abs", "abs(x)", FunctionKind::Abs),
    function("min", "min(a, b)", FunctionKind::Least),
    function("max", "max(a, b)", FunctionKind::Greatest),
    span(Span::Prev, "prev(x, bars)", Some(1)),
    span(Span::Change, "change(x, bars)", Some(1)),
    span(Span::Highest, "highest(x, bars)", None),
    span(Span::Lowest, "lowest(x, bars)", None),
    span(Span::Within, "within(condition, bars)", None),
    span(Span::Rising, "rising(x, bars)", Some(1)),
    span(Span::Falling, "falling(x, bars)", Some(1)),
];

/// The operations of a condition.
pub(super) fn program(text: &str) -> Result<Program, ExpressionError> {
    let tree = tree(text)?;
    let mut checker = Checker { text, program: Program::new(), bars: 0 };
    let root = checker.condition(&tree)?;
    debug_assert_eq!(root, checker.program.root(), "a condition is not a part of itself");
    Ok(checker.program)
}

struct Checker<'a> {
    text: &'a str,
    program: Program,
    /// Bars of all periods so far.
    bars: usize,
}

impl Checker<'_> {
    fn refuse<T>(&self, tree: &Tree, message: impl Into<String>) -> Result<T, ExpressionError> {
        Err(ExpressionError::new(self.text, tree.at.clone(), message))
    }

    fn refuse_name<T>(
        &self,
        name: &Name,
        message: impl Into<String>,
    ) -> Result<T, ExpressionError> {
        Err(ExpressionError::new(self.text, name.at.clone(), message))
    }

    fn number(&mut self, tree: &Tree) -> Result<usize, ExpressionError> {
        match self.part(tree)? {
            (place, Type::Number) => Ok(place),
            (_, Type::Condition) => self.refuse(tree, "expected a number, found a condition"),
        }
    }

    fn condition(&mut self, tree: &Tree) -> Result<usize, ExpressionError> {
        match self.part(tree)? {
            (place, Type::Condition) => Ok(place),
            (_, Type::Number) => self.refuse(
                tree,
                "expected a condition, found a number; compare it with something: x > 0",
            ),
        }
    }

    fn part(&mut self, tree: &Tree) -> Result<(usize, Type), ExpressionError> {
        let (op, answers) = match &tree.kind {
            Kind::Number(value) => (Op::Number(*value), Type::Number),
            Kind::Negate(of) => {
                let of = self.number(of)?;
                let op = match self.program.ops[of] {
                    Op::Number(value) => Op::Number(-value),
                    _ => Op::Negate(of),
                };
                (op, Type::Number)
            }
            Kind::Not(of) => (Op::Not(self.condition(of)?), Type::Condition),
            Kind::Binary { sign, sides } => return self.binary(sign, sides),
            Kind::Call { name, args, output } => {
                return self.call(tree, name, args.as_deref(), output.as_ref());
            }
        };
        Ok((self.program.place(op), answers))
    }

    fn binary(
        &mut self,
        sign: &'static str,
        (left, right): &(Tree, Tree),
    ) -> Result<(usize, Type), ExpressionError> {
        let (op, answers) = match sign {
            "and" => (Op::And(self.condition(left)?, self.condition(right)?), Type::Condition),
            "or" => (Op::Or(self.condition(left)?, self.condition(right)?), Type::Condition),
            "+" | "-" | "*" | "/" => {
                (Op::Sum(sign, self.number(left)?, self.number(right)?), Type::Number)
            }
            _ => (Op::Compare(sign, self.number(left)?, self.number(right)?), Type::Condition),
        };
        Ok((self.program.place(op), answers))
    }

    fn call(
        &mut self,
        tree: &Tree,
        name: &Name,
        args: Option<&[Arg]>,
        output: Option<&Name>,
    ) -> Result<(usize, Type), ExpressionError> {
        if let Some(field) = FIELDS.iter().find(|field| field.as_str() == name.text) {
            return match (args, output) {
                (None, None) => Ok((self.program.place(Op::Field(*field)), Type::Number)),
                _ => self.refuse(
                    tree,
                    format!("{0} is a number of the bar and takes nothing: write {0}", name.text),
                ),
            };
        }
        if let Some(function) = FUNCTIONS.iter().find(|known| known.name == name.text) {
            if let Some(output) = output {
                return self.refuse_name(output, format!("{} has no outputs", name.text));
            }
            return self.function(tree, function, args.unwrap_or_default());
        }
        let listed = ALL.iter().position(|spec| spec.name.eq_ignore_ascii_case(&name.text));
        match listed {
            Some(listed) => self.indicator(tree, listed, args.unwrap_or_default(), output),
            None => self.refuse_name(name, unknown(&name.text)),
        }
    }

    fn function(
        &mut self,
        tree: &Tree,
        function: &Function,
        args: &[Arg],
    ) -> Result<(usize, Type), ExpressionError> {
        if let Some(name) = args.iter().find_map(|arg| arg.name.as_ref()) {
            let message = format!("arguments have no names here: write {}", function.form);
            return self.refuse_name(name, message);
        }
        let wrong_count = |this: &Self| {
            let message =
                format!("{} takes other arguments: write {}", function.name, function.form);
            this.refuse(tree, message)
        };
        let (op, answers) = match (function.kind, args) {
            (FunctionKind::Cross(side), [a, b]) => {
                (Op::Cross(side, self.number(&a.value)?, self.number(&b.value)?), Type::Condition)
            }
            (FunctionKind::Abs, [x]) => (Op::Abs(self.number(&x.value)?), Type::Number),
            (FunctionKind::Least, [a, b]) => {
                (Op::Least(self.number(&a.value)?, self.number(&b.value)?), Type::Number)
            }
            (FunctionKind::Greatest, [a, b]) => {
                (Op::Greatest(self.number(&a.value)?, self.number(&b.value)?), Type::Number)
            }
            (FunctionKind::Span(span, default), [x] | [x, _]) => {
                let of = match span {
                    Span::Within => self.condition(&x.value)?,
                    _ => self.number(&x.value)?,
                };
                let bars = match (args.get(1), default) {
                    (Some(bars), _) => self.period(&bars.value)?,
                    (None, Some(bars)) => bars,
                    (None, None) => return wrong_count(self),
                };
                let answers = match span {
                    Span::Within | Span::Rising | Span::Falling => Type::Condition,
                    _ => Type::Number,
                };
                self.remember(tree, bars)?;
                (Op::Over(span, of, bars), answers)
            }
            _ => return wrong_count(self),
        };
        Ok((self.program.place(op), answers))
    }

    fn indicator(
        &mut self,
        tree: &Tree,
        listed: usize,
        args: &[Arg],
        output: Option<&Name>,
    ) -> Result<(usize, Type), ExpressionError> {
        let spec = &ALL[listed];
        let mut given = Vec::with_capacity(args.len());
        for arg in args {
            let Some(value) = constant(&arg.value) else {
                let message = format!(
                    "parameters of {} are plain numbers; it reads the bar itself",
                    spec.name.to_ascii_lowercase()
                );
                return self.refuse(&arg.value, message);
            };
            given.push((arg.name.as_ref().map(|name| name.text.as_str()), value));
        }
        let params = match spec.values(&given) {
            Ok(params) => params,
            Err(why) => return self.refuse(tree, why.to_string()),
        };
        // Before anything of that size is made.
        let whole = spec.params.iter().zip(&params).filter(|(param, _)| param.whole);
        let longest = whole.map(|(_, value)| *value as usize).max().unwrap_or(0);
        self.remember(tree, longest)?;
        let nth = self.output(tree, spec, output)?;
        let of = self.program.place(Op::Indicator { listed, params });
        Ok((self.program.place(Op::Output { of, nth }), Type::Number))
    }

    /// The place of the chosen output.
    fn output(
        &self,
        tree: &Tree,
        spec: &Spec,
        output: Option<&Name>,
    ) -> Result<usize, ExpressionError> {
        let name = spec.name.to_ascii_lowercase();
        let choices: Vec<String> = spec.outputs.iter().map(|known| format!(".{known}")).collect();
        let choices = choices.join(", ");
        let Some(output) = output else {
            if spec.outputs.len() == 1 {
                return Ok(0);
            }
            return self
                .refuse(tree, format!("{name} has several outputs: choose one of {choices}"));
        };
        match spec.outputs.iter().position(|known| *known == output.text) {
            Some(nth) => Ok(nth),
            None => {
                let message = format!("{name} has no output .{}; it has {choices}", output.text);
                self.refuse_name(output, message)
            }
        }
    }

    /// A number of bars.
    fn period(&self, tree: &Tree) -> Result<usize, ExpressionError> {
        match constant(tree) {
            Some(value) if value.fract() == 0.0 && (1.0..=MAX_BARS as f64).contains(&value) => {
                Ok(value as usize)
            }
            _ => self.refuse(tree, format!("expected a number of bars, 1 to {MAX_BARS}")),
        }
    }

    fn remember(&mut self, tree: &Tree, bars: usize) -> Result<(), ExpressionError> {
        self.bars = self.bars.saturating_add(bars);
        if self.bars > MAX_BARS {
            let message = format!("all periods together are more than {MAX_BARS} bars");
            return self.refuse(tree, message);
        }
        Ok(())
    }
}

/// The value of a number with or without a sign.
fn constant(tree: &Tree) -> Option<f64> {
    match &tree.kind {
        Kind::Number(value) => Some(*value),
        Kind::Negate(of) => constant(of).map(|value| -value),
        _ => None,
    }
}

fn unknown(name: &str) -> String {
    let indicators = ALL.iter().map(|spec| spec.name.to_ascii_lowercase());
    let others = FIELDS.iter().map(|field| field.as_str()).chain(FUNCTIONS.iter().map(|f| f.name));
    let words = ["and", "or", "not"].into_iter().chain(others).map(str::to_owned);
    match nearest(name, words.chain(indicators).filter(|known| known != name)) {
        Some(near) => format!("nothing is called \"{name}\"; did you mean \"{near}\"?"),
        None => format!(
            "nothing is called \"{name}\"; there are open high low close volume, functions, and indicators such as rsi(14)"
        ),
    }
}

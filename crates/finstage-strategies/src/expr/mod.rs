//! Strategies of a user's own: a condition on bars, written as an expression.
//!
//! ```text
//! cross_above(sma(50), sma(200)) and volume_ratio(20) > 1.5
//! ```
//!
//! The language has numbers and conditions, the numbers of the bar (`open high low close volume`), every
//! indicator of [`finstage_quant::ALL`] by its name in lower case, a dozen functions, and no variables, no
//! loops and no other instruments; `docs/guides/own-strategies.md` is its manual. An expression is bounded in
//! everything ([`MAX_TEXT`], [`MAX_PARTS`], [`MAX_NESTING`], [`MAX_BARS`]), so whoever may write the settings
//! cannot stop a market with one.
//!
//! *Not known.* A value that is not known yet (warm-up), or has none (a division by nothing), makes the whole
//! bar unknown, and nothing is said. *Becoming true.* A strategy fires where the condition is true and was
//! known to be false on the bar before; with `every_bar` wherever it is true. A cross is false on the first
//! bar on which both of its sides are known.
//!
//! ```
//! use finstage_strategies::expr::Expression;
//!
//! let mine = Expression::parse("RSI < 30 and close>sma(timeperiod=200)")?;
//! assert_eq!(mine.canonical(), "rsi(14) < 30 and close > sma(200)");
//! assert_eq!(mine.family(), "rsi(_) < _ and close > sma(_)");
//! assert_eq!(mine.warmup(false), 201);
//! let error = Expression::parse("cross_abve(close, sma(20))").unwrap_err();
//! assert!(error.to_string().contains("did you mean \"cross_above\"?"));
//! # Ok::<(), finstage_strategies::expr::ExpressionError>(())
//! ```

mod checker;
mod error;
mod eval;
mod lexer;
mod parser;
mod program;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use finstage_engine::{Rule, StrategyError, When};
use finstage_model::{Direction, FactName, Facts};

pub use checker::MAX_BARS;
pub use error::{EXCERPT, ExpressionError};
pub use parser::{MAX_NESTING, MAX_PARTS, MAX_TEXT};
pub use program::FOREVER_BARS;

use eval::{Condition, fact_name};
use program::{Numbers, Op, Program};

/// A condition, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    program: Program,
    /// What a signal shows: the numbers that are compared.
    facts: Vec<(FactName, usize)>,
    /// The sides whose distance is the strength.
    comparison: Option<(usize, usize)>,
}

impl Expression {
    /// Reads a condition.
    ///
    /// # Errors
    /// Names the place, what was expected there, and the nearest name; also when a bound is passed.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let program = checker::program(text)?;
        let named = |(nth, place): (usize, usize)| {
            (fact_name(&program.text(place, Numbers::Written), nth), place)
        };
        let facts =
            program.operands().into_iter().take(Facts::MAX).enumerate().map(named).collect();
        Ok(Self { facts, comparison: program.first_comparison(), program })
    }

    /// The one way of writing it: names in lower case, every parameter, no needless parentheses.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.program.text(self.program.root(), Numbers::Written)
    }

    /// The expression without its numbers: what all variants of one idea have in common.
    #[must_use]
    pub fn family(&self) -> String {
        self.program.text(self.program.root(), Numbers::LeftOut)
    }

    /// Bars until it may fire. Where it must become true, the bar before has to be known.
    #[must_use]
    pub fn warmup(&self, every_bar: bool) -> usize {
        let has_cross = self.program.ops.iter().any(|op| matches!(op, Op::Cross(..)));
        self.deepest(&self.program.warmups) + usize::from(!every_bar || has_cross)
    }

    /// Bars until older ones move nothing; what never forgets counts as [`FOREVER_BARS`].
    #[must_use]
    pub fn memory(&self) -> usize {
        self.deepest(&self.program.memories) + 1
    }

    fn deepest(&self, depths: &[usize]) -> usize {
        depths.iter().copied().max().unwrap_or(1)
    }

    /// What a fact with a letter for its name stands for.
    fn legend(&self) -> String {
        let texts = self
            .facts
            .iter()
            .map(|(name, place)| (name, self.program.text(*place, Numbers::Written)));
        let letters = texts.filter(|(name, text)| **name != text.as_str());
        let letters: Vec<String> = letters.map(|(name, text)| format!("{name} = {text}")).collect();
        if letters.is_empty() { String::new() } else { format!("; {}", letters.join(", ")) }
    }
}

/// The rule of a user's own condition: the language of [`crate::CATALOG`].
///
/// Its canonical form is `name: condition`, with ` short` and ` every bar` after the name where they are
/// asked for: they are part of what is claimed.
///
/// # Errors
/// As [`Expression::parse`], with the name before it.
pub fn rule(name: &str, when: &When) -> Result<Rule, StrategyError> {
    let parsed = Expression::parse(&when.text);
    let of = Arc::new(parsed.map_err(|why| StrategyError::new(format!("{name}: {why}")))?);
    let (direction, every_bar) = (when.direction, when.every_bar);
    let condition = of.canonical();
    let side = if direction == Direction::Short { " short" } else { "" };
    let pace = if every_bar { " every bar" } else { "" };
    Ok(Rule {
        name: name.to_owned(),
        direction,
        canonical: format!("{name}{side}{pace}: {condition}"),
        family: of.family(),
        words: format!("{name}: {condition}{}", of.legend()),
        build: Arc::new(move || Box::new(Condition::new(Arc::clone(&of), direction, every_bar))),
    })
}

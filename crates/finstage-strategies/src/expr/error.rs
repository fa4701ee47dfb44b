//! What is wrong with an expression, and where: one line that says it, and the text with the place
//! underlined.

use std::fmt;
use std::ops::Range;

/// A text that is no expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    /// The line it is on, from 1.
    pub line: usize,
    /// The character of the line at which it begins, from 1.
    pub column: usize,
    message: String,
    /// The line itself, and the underline as long as what is meant.
    excerpt: Option<(String, usize)>,
}

/// What stands before each line of an excerpt.
pub const EXCERPT: &str = "\n  | ";

/// The longest line that is shown again, in characters.
const EXCERPT_MAX: usize = 200;

impl ExpressionError {
    /// What is wrong with the bytes `at` of `text`; they may be none, and may lie at its end.
    pub(super) fn new(text: &str, at: Range<usize>, message: impl Into<String>) -> Self {
        let start = at.start.min(text.len());
        let before = text.get(..start).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |place| place + 1);
        let line = text[line_start..].lines().next().unwrap_or("");
        let column = before[line_start..].chars().count() + 1;
        let meant = text.get(start..at.end.min(text.len())).unwrap_or("");
        let meant = meant.lines().next().unwrap_or("").chars().count().max(1);
        let fits = line.chars().count() <= EXCERPT_MAX;
        Self {
            line: before.matches('\n').count() + 1,
            column,
            message: message.into(),
            excerpt: fits.then(|| (line.replace('\t', " "), meant)),
        }
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        if let Some((line, meant)) = &self.excerpt {
            let (blank, carets) = (" ".repeat(self.column - 1), "^".repeat(*meant));
            write!(f, "{EXCERPT}{line}{EXCERPT}{blank}{carets}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ExpressionError {}

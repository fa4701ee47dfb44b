//! From words to a tree, by the grammar alone; what names mean is the checker's business.
//!
//! ```text
//! or      = and { "or" and }
//! and     = not { "and" not }
//! not     = "not" not | compare
//! compare = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]
//! sum     = product { ("+" | "-") product }
//! product = unary { ("*" | "/") unary }
//! unary   = "-" unary | value
//! value   = number | "(" or ")" | NAME [ "(" [ arg { "," arg } ] ")" ] [ "." NAME ]
//! arg     = [ NAME "=" ] or
//! ```

use std::ops::Range;

use super::error::ExpressionError;
use super::lexer::{Token, TokenKind, words};

/// Longest text of an expression, in bytes.
pub const MAX_TEXT: usize = 2_000;
/// Most parts of an expression: numbers, names, calls and signs between them.
pub const MAX_PARTS: usize = 200;
/// How deep parentheses, calls, signs and "not" can stand in each other.
pub const MAX_NESTING: usize = 32;

/// A part of an expression with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Number(f64),
    /// A name, with arguments where there are parentheses, and the output chosen.
    Call {
        name: Name,
        args: Option<Vec<Arg>>,
        output: Option<Name>,
    },
    Negate(Box<Tree>),
    Not(Box<Tree>),
    /// Two parts with one of the signs of the grammar between them, or `and`, or `or`.
    Binary {
        sign: &'static str,
        sides: Box<(Tree, Tree)>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arg {
    pub(super) name: Option<Name>,
    pub(super) value: Tree,
}

/// The tree of `text`.
pub(super) fn tree(text: &str) -> Result<Tree, ExpressionError> {
    if text.len() > MAX_TEXT {
        let message = format!("the text has {} bytes, more than {MAX_TEXT}", text.len());
        return Err(ExpressionError::new(text, 0..0, message));
    }
    let mut parser = Parser { text, tokens: words(text)?, next: 0, parts: 0, nesting: 0 };
    let tree = parser.or()?;
    match parser.peek() {
        TokenKind::End => Ok(tree),
        TokenKind::Sign("=") => Err(parser.refuse("to compare, write ==")),
        TokenKind::Sign("<" | "<=" | ">" | ">=" | "==" | "!=") => {
            Err(parser.refuse("comparisons have two sides: join two of them with \"and\""))
        }
        _ => Err(parser.expected("\"and\", \"or\", a sign or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    parts: usize,
    nesting: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        &self.tokens[self.next].kind
    }

    fn at(&self) -> Range<usize> {
        self.tokens[self.next].at.clone()
    }

    /// The end of the word read last.
    fn end(&self) -> usize {
        self.tokens[self.next.saturating_sub(1)].at.end
    }

    fn step(&mut self) {
        // The last word is the end, which nothing steps over.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    fn refuse(&self, message: &str) -> ExpressionError {
        ExpressionError::new(self.text, self.at(), message)
    }

    fn expected(&self, what: &str) -> ExpressionError {
        let found = match self.peek() {
            TokenKind::End => "the end".to_owned(),
            _ => format!("\"{}\"", &self.text[self.at()]),
        };
        self.refuse(&format!("expected {what}, found {found}"))
    }

    fn take_sign(&mut self, wanted: &[&'static str]) -> Option<&'static str> {
        let TokenKind::Sign(sign) = *self.peek() else { return None };
        let sign = wanted.contains(&sign).then_some(sign)?;
        self.step();
        Some(sign)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), TokenKind::Name(name) if name == word);
        if found {
            self.step();
        }
        found
    }

    fn part(&mut self, kind: Kind, start: usize) -> Result<Tree, ExpressionError> {
        self.parts += 1;
        let at = start..self.end();
        if self.parts > MAX_PARTS {
            let message = format!("an expression has at most {MAX_PARTS} parts");
            return Err(ExpressionError::new(self.text, at, message));
        }
        Ok(Tree { kind, at })
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ExpressionError>,
    ) -> Result<T, ExpressionError> {
        if self.nesting == MAX_NESTING {
            return Err(self.refuse(&format!("an expression is nested at most {MAX_NESTING} deep")));
        }
        self.nesting += 1;
        let read = read(self);
        self.nesting -= 1;
        read
    }

    fn binary(
        &mut self,
        sign: &'static str,
        left: Tree,
        right: Tree,
    ) -> Result<Tree, ExpressionError> {
        let start = left.at.start;
        self.part(Kind::Binary { sign, sides: Box::new((left, right)) }, start)
    }

    fn or(&mut self) -> Result<Tree, ExpressionError> {
        let mut tree = self.and()?;
        while self.take_word("or") {
            let right = self.and()?;
            tree = self.binary("or", tree, right)?;
        }
        Ok(tree)
    }

    fn and(&mut self) -> Result<Tree, ExpressionError> {
        let mut tree = self.not()?;
        while self.take_word("and") {
            let right = self.not()?;
            tree = self.binary("and", tree, right)?;
        }
        Ok(tree)
    }

    fn not(&mut self) -> Result<Tree, ExpressionError> {
        let start = self.at().start;
        if !self.take_word("not") {
            return self.compare();
        }
        let of = self.deeper(Self::not)?;
        self.part(Kind::Not(Box::new(of)), start)
    }

    fn compare(&mut self) -> Result<Tree, ExpressionError> {
        let left = self.sum()?;
        match self.take_sign(&["<", "<=", ">", ">=", "==", "!="]) {
            None => Ok(left),
            Some(sign) => {
                let right = self.sum()?;
                self.binary(sign, left, right)
            }
        }
    }

    fn sum(&mut self) -> Result<Tree, ExpressionError> {
        let mut tree = self.product()?;
        while let Some(sign) = self.take_sign(&["+", "-"]) {
            let right = self.product()?;
            tree = self.binary(sign, tree, right)?;
        }
        Ok(tree)
    }

    fn product(&mut self) -> Result<Tree, ExpressionError> {
        let mut tree = self.unary()?;
        while let Some(sign) = self.take_sign(&["*", "/"]) {
            let right = self.unary()?;
            tree = self.binary(sign, tree, right)?;
        }
        Ok(tree)
    }

    fn unary(&mut self) -> Result<Tree, ExpressionError> {
        let start = self.at().start;
        if self.take_sign(&["-"]).is_none() {
            return self.value();
        }
        let of = self.deeper(Self::unary)?;
        self.part(Kind::Negate(Box::new(of)), start)
    }

    fn value(&mut self) -> Result<Tree, ExpressionError> {
        let at = self.at();
        match self.peek().clone() {
            TokenKind::Number(value) => {
                self.step();
                self.part(Kind::Number(value), at.start)
            }
            TokenKind::Sign("(") => {
                self.step();
                let inner = self.deeper(Self::or)?;
                self.close("\")\"")?;
                Ok(Tree { at: at.start..self.end(), ..inner })
            }
            TokenKind::Name(word) if matches!(word.as_str(), "and" | "or" | "not") => {
                Err(self.expected("a number, a name or \"(\""))
            }
            TokenKind::Name(text) => {
                self.step();
                self.call(Name { text, at })
            }
            _ => Err(self.expected("a number, a name or \"(\"")),
        }
    }

    fn close(&mut self, what: &str) -> Result<(), ExpressionError> {
        match self.take_sign(&[")"]) {
            Some(_) => Ok(()),
            None => Err(self.expected(what)),
        }
    }

    /// What follows a name: arguments, and an output.
    fn call(&mut self, name: Name) -> Result<Tree, ExpressionError> {
        let start = name.at.start;
        let mut args = None;
        if self.take_sign(&["("]).is_some() {
            args = Some(self.deeper(Self::args)?);
            self.close("\",\" or \")\"")?;
        }
        let mut output = None;
        if self.take_sign(&["."]).is_some() {
            let at = self.at();
            let TokenKind::Name(text) = self.peek().clone() else {
                return Err(self.expected("the name of an output"));
            };
            self.step();
            output = Some(Name { text, at });
        }
        self.part(Kind::Call { name, args, output }, start)
    }

    fn args(&mut self) -> Result<Vec<Arg>, ExpressionError> {
        let mut args = Vec::new();
        if *self.peek() == TokenKind::Sign(")") {
            return Ok(args);
        }
        loop {
            let name = self.arg_name();
            args.push(Arg { name, value: self.or()? });
            if self.take_sign(&[","]).is_none() {
                return Ok(args);
            }
        }
    }

    /// `NAME =` before an argument, if it is there.
    fn arg_name(&mut self) -> Option<Name> {
        let TokenKind::Name(text) = self.peek().clone() else { return None };
        let follows = self.tokens.get(self.next + 1)?;
        if follows.kind != TokenKind::Sign("=") {
            return None;
        }
        let name = Name { text, at: self.at() };
        self.step();
        self.step();
        Some(name)
    }
}

//! What a batch says of a row.

use serde_json::Value;

use crate::{Attempt, Done, End, Error, ErrorKind, Money, Prices, Reply, Row, RowError, Usage};

/// The longest line, in bytes.
const MAX_LINE_BYTES: usize = 16 << 20;

/// A line of a batch's files.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchLine {
    /// The row's name.
    pub custom_id: String,
    /// How the row ended.
    pub end: End,
    /// What it used; `None` where the provider does not say.
    pub usage: Option<Usage>,
}

impl BatchLine {
    fn read(text: &[u8]) -> Option<Self> {
        let mut line: Value = serde_json::from_slice(text).ok()?;
        let custom_id = line["custom_id"].as_str()?.to_owned();
        let word = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let reply = line["response"].is_object().then(|| Reply {
            status: line["response"]["status_code"].as_u64().unwrap_or_default() as u16,
            request_id: word(&line["response"], "request_id"),
            body: line["response"]["body"].take(),
        });
        let error = &line["error"];
        let end = match reply {
            None => End::Failed(RowError {
                code: Some(word(error, "code")).filter(|code| !code.is_empty())?,
                message: word(error, "message"),
                reply: None,
            }),
            Some(reply) if (200..300).contains(&reply.status) && error.is_null() => {
                End::Answered(reply)
            }
            Some(reply) => {
                let said = if error.is_null() { &reply.body["error"] } else { error };
                let code = ["code", "type"].map(|name| word(said, name)).into_iter();
                let code = code.into_iter().find(|code| !code.is_empty());
                let code = code.unwrap_or_else(|| format!("http_{}", reply.status));
                End::Failed(RowError { code, message: word(said, "message"), reply: Some(reply) })
            }
        };
        let usage = match &end {
            End::Answered(reply) => crate::providers::usage(&reply.body),
            End::Failed(_) => None,
        };
        Some(Self { custom_id, end, usage })
    }

    /// The end of `row`, which has this name, at the prices of batches.
    #[must_use]
    pub fn done(self, row: Row, prices: &Prices) -> Done {
        let is_answered = matches!(self.end, End::Answered(_));
        let model = row.model().to_owned();
        let cost = match &self.usage {
            Some(usage) => prices.price(&model).map(|price| price.in_batch().cost(*usage)),
            // What failed is not paid.
            None => (!is_answered).then_some(Money::ZERO),
        };
        let attempt = Attempt { model, usage: self.usage, cost, passed_on: None };
        Done { row, end: self.end, attempts: vec![attempt], is_cached: false }
    }
}

/// Lines from pieces.
pub(super) struct Lines<'a> {
    file: &'a str,
    line: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    pub(super) const fn new(file: &'a str) -> Self {
        Self { file, line: Vec::new(), number: 0 }
    }

    pub(super) fn push(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(BatchLine) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut parts = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            if self.line.len() + part.len() > MAX_LINE_BYTES {
                return Err(self.wrong(&format!("has more than {MAX_LINE_BYTES} bytes")));
            }
            self.line.extend_from_slice(part);
            if parts.peek().is_some() {
                self.end_line(each)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(
        mut self,
        each: &mut impl FnMut(BatchLine) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.end_line(each)
    }

    fn end_line(
        &mut self,
        each: &mut impl FnMut(BatchLine) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.number += 1;
        let line = std::mem::take(&mut self.line);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let read = BatchLine::read(&line);
        each(read.ok_or_else(|| self.wrong("is not what the API writes"))?)
    }

    fn wrong(&self, words: &str) -> Error {
        let Self { file, number, .. } = self;
        Error::new(ErrorKind::Provider, format!("file {file}: line {} {words}", number.max(&1)))
    }
}

//! A file of questions, as it is handed in.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Error, Row};

/// The most lines of a file.
pub const MAX_BATCH_LINES: usize = 50_000;
/// The largest file, in bytes.
pub const MAX_BATCH_BYTES: usize = 200_000_000;

/// What parts of the form are told apart by: JSON has no raw line feed in a string, so no line of the file begins
/// like this.
const BOUNDARY: &str = "finstage-4c7d1e90b2a8f365";

/// Rows for one batch: of one path and one model. Its bounds are looked at before anything is sent.
#[derive(Debug)]
pub struct BatchFile {
    /// The form up to the last line.
    form: Vec<u8>,
    begun: usize,
    lines: usize,
    /// The most bytes and lines.
    most: (usize, usize),
    url: String,
    model: String,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'a> {
    custom_id: &'a str,
    method: &'a str,
    url: &'a str,
    body: &'a Map<String, Value>,
}

impl Default for BatchFile {
    fn default() -> Self {
        let form = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
             --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"rows.jsonl\"\r\n\
             Content-Type: application/jsonl\r\n\r\n"
        );
        let form = form.into_bytes();
        let (url, model) = Default::default();
        let most = (MAX_BATCH_BYTES, MAX_BATCH_LINES);
        Self { begun: form.len(), form, lines: 0, most, url, model }
    }
}

impl BatchFile {
    /// Adds a row.
    ///
    /// # Errors
    /// When the file is full, or the row has another path or model than the first; nothing is added then.
    pub fn push(&mut self, row: &Row) -> Result<(), Error> {
        let wrong = |words: String| Err(Error::invalid(format!("line {}: {words}", row.line)));
        let (most_bytes, most_lines) = self.most;
        if self.lines == most_lines {
            return wrong(format!("a batch takes {most_lines} rows: hand the rest in as another"));
        }
        if self.lines > 0 && row.url != self.url {
            return wrong(format!(
                "a batch has one url: this row asks {}, others {}",
                row.url, self.url
            ));
        }
        if self.lines > 0 && row.model() != self.model {
            let (own, others) = (row.model(), &self.model);
            return wrong(format!(
                "a batch has one model: this row asks '{own}', others '{others}'"
            ));
        }
        let before = self.form.len();
        let line =
            Line { custom_id: &row.custom_id, method: "POST", url: &row.url, body: &row.body };
        serde_json::to_writer(&mut self.form, &line).expect("JSON values can be written to memory");
        self.form.push(b'\n');
        if self.bytes() > most_bytes {
            self.form.truncate(before);
            return wrong(format!("a batch takes {most_bytes} bytes: hand the rest in as another"));
        }
        if self.lines == 0 {
            row.url.clone_into(&mut self.url);
            row.model().clone_into(&mut self.model);
        }
        self.lines += 1;
        Ok(())
    }

    /// One that is full sooner.
    #[cfg(test)]
    pub(super) fn of_at_most(bytes: usize, lines: usize) -> Self {
        Self { most: (bytes, lines), ..Self::default() }
    }

    /// Rows so far.
    #[must_use]
    pub const fn lines(&self) -> usize {
        self.lines
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.form.len() - self.begun
    }

    /// The path that its rows ask.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The media type and the body of the form that hands it in.
    pub(super) fn into_form(mut self) -> Result<(String, Vec<u8>), Error> {
        if self.lines == 0 {
            return Err(Error::invalid("a batch without rows"));
        }
        self.form.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        Ok((format!("multipart/form-data; boundary={BOUNDARY}"), self.form))
    }
}

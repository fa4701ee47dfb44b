//! A file of questions, as it is handed in.

use serde_json::json;

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
    url: String,
    model: String,
}

impl Default for BatchFile {
    fn default() -> Self {
        let form = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
             --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"rows.jsonl\"\r\n\
             Content-Type: application/jsonl\r\n\r\n"
        );
        let form = form.into_bytes();
        Self { begun: form.len(), form, lines: 0, url: String::new(), model: String::new() }
    }
}

impl BatchFile {
    /// Adds a row.
    ///
    /// # Errors
    /// When the file is full, or the row has another path or model than the first; nothing is added then.
    pub fn push(&mut self, row: &Row) -> Result<(), Error> {
        let wrong = |words: String| Err(Error::invalid(format!("line {}: {words}", row.line)));
        if self.lines == MAX_BATCH_LINES {
            return wrong(format!(
                "a batch takes {MAX_BATCH_LINES} rows: hand the rest in as another"
            ));
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
        let line = json!({
            "custom_id": row.custom_id, "method": "POST", "url": row.url, "body": row.body,
        });
        let line = line.to_string();
        if self.bytes() + line.len() + 1 > MAX_BATCH_BYTES {
            return wrong(format!(
                "a batch takes {MAX_BATCH_BYTES} bytes: hand the rest in as another"
            ));
        }
        if self.lines == 0 {
            row.url.clone_into(&mut self.url);
            row.model().clone_into(&mut self.model);
        }
        self.form.extend_from_slice(line.as_bytes());
        self.form.push(b'\n');
        self.lines += 1;
        Ok(())
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

//! Files that were handed in or made by batches, in memory and bounded.

use std::collections::BTreeMap;

use axum::body::Bytes;
use finstage_model::Timestamp;
use serde_json::{Value, json};

use super::failure::Failure;

/// The largest file.
pub const MAX_FILE_BYTES: usize = 64 * 1_024 * 1_024;
/// The most that all files may have together, with what running batches will write.
pub const MAX_TOTAL_BYTES: usize = 256 * 1_024 * 1_024;
/// The most files.
pub const MAX_FILES: usize = 1_000;
const MAX_PARTS: usize = 16;
const PURPOSES: [&str; 6] = ["assistants", "batch", "evals", "fine-tune", "user_data", "vision"];

/// A file.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) purpose: String,
    pub(super) created: Timestamp,
    pub(super) bytes: Bytes,
}

impl File {
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id, "object": "file", "bytes": self.bytes.len(),
            "created_at": self.created.secs(), "expires_at": null, "filename": self.name,
            "purpose": self.purpose, "status": "processed", "status_details": null,
        })
    }
}

/// All files.
#[derive(Debug, Default)]
pub(super) struct Files {
    all: BTreeMap<String, File>,
    bytes: usize,
    /// What batches will write.
    promised: usize,
}

impl Files {
    pub(super) fn get(&self, id: &str) -> Result<&File, Failure> {
        self.all.get(id).ok_or_else(|| Failure::not_here("File object", id))
    }

    pub(super) fn list(&self) -> Vec<&File> {
        let mut all: Vec<&File> = self.all.values().collect();
        all.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        all
    }

    /// Keeps a file that was handed in.
    pub(super) fn keep(&mut self, file: File) -> Result<(), Failure> {
        self.room(file.bytes.len())?;
        self.put(file);
        Ok(())
    }

    /// Keeps room for what a batch will write.
    pub(super) fn promise(&mut self, bytes: usize) -> Result<(), Failure> {
        self.room(bytes)?;
        self.promised += bytes;
        Ok(())
    }

    /// A batch has ended: what was promised is there.
    pub(super) fn redeem(&mut self, promised: usize, made: impl IntoIterator<Item = File>) {
        self.promised = self.promised.saturating_sub(promised);
        made.into_iter().for_each(|file| self.put(file));
    }

    pub(super) fn remove(&mut self, id: &str) -> Result<Value, Failure> {
        let file = self.all.remove(id).ok_or_else(|| Failure::not_here("File object", id))?;
        self.bytes -= file.bytes.len();
        Ok(json!({"id": id, "object": "file", "deleted": true}))
    }

    fn room(&self, bytes: usize) -> Result<(), Failure> {
        let taken = self.bytes + self.promised + bytes;
        if taken > MAX_TOTAL_BYTES || self.all.len() >= MAX_FILES {
            let words = format!(
                "Storage is full: {MAX_FILES} files of {MAX_TOTAL_BYTES} bytes together are kept. \
                 Delete some."
            );
            return Err(Failure::invalid("file", words));
        }
        Ok(())
    }

    fn put(&mut self, file: File) {
        self.bytes += file.bytes.len();
        self.all.insert(file.id.clone(), file);
    }
}

/// What a form hands in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Upload {
    pub(super) name: String,
    pub(super) purpose: String,
    pub(super) bytes: Bytes,
}

impl Upload {
    /// Reads `multipart/form-data` (RFC 7578) with the fields `purpose` and `file`.
    pub(super) fn read(media: &str, body: &Bytes) -> Result<Self, Failure> {
        let mut upload = Self { name: String::new(), purpose: String::new(), bytes: Bytes::new() };
        let mut has_file = false;
        for part in parts(media, body)? {
            match part.field.as_str() {
                "purpose" => {
                    upload.purpose = String::from_utf8_lossy(&part.bytes).trim().to_owned();
                }
                "file" => {
                    has_file = true;
                    upload.name = part.file.unwrap_or_else(|| "file".to_owned());
                    upload.bytes = part.bytes;
                }
                _ => {}
            }
        }
        if !has_file {
            return Err(Failure::missing("file"));
        }
        if upload.purpose.is_empty() {
            return Err(Failure::missing("purpose"));
        }
        if !PURPOSES.contains(&upload.purpose.as_str()) {
            let words = format!("'{}' is not one of {PURPOSES:?} - 'purpose'", upload.purpose);
            return Err(Failure::invalid("purpose", words));
        }
        if upload.bytes.is_empty() {
            return Err(Failure::invalid("file", "The file is empty."));
        }
        Ok(upload)
    }
}

struct Part {
    field: String,
    file: Option<String>,
    bytes: Bytes,
}

fn parts(media: &str, body: &Bytes) -> Result<Vec<Part>, Failure> {
    let wrong =
        |what: &str| Failure::invalid("", format!("Could not parse multipart form: {what}"));
    let boundary = media
        .strip_prefix("multipart/form-data")
        .and_then(|rest| rest.split(';').find_map(|one| one.trim().strip_prefix("boundary=")))
        .map(|boundary| boundary.trim_matches('"'))
        .filter(|boundary| !boundary.is_empty())
        .ok_or_else(|| wrong("no boundary in the content type."))?;
    let line = format!("\r\n--{boundary}");
    // The first line has nothing before it, the others follow a line's end.
    let first = find(body, &line.as_bytes()[2..]).ok_or_else(|| wrong("no part."))?;
    let mut at = first + line.len() - 2;
    let mut parts = Vec::new();
    while !body[at..].starts_with(b"--") {
        if parts.len() >= MAX_PARTS {
            return Err(wrong("too many parts."));
        }
        let head = find(&body[at..], b"\r\n\r\n").ok_or_else(|| wrong("a part without a head."))?;
        let from = at + head + 4;
        let length = find(&body[from..], line.as_bytes()).ok_or_else(|| wrong("it breaks off."))?;
        let text = String::from_utf8_lossy(&body[at..at + head]);
        let field = parameter(&text, "name").ok_or_else(|| wrong("a part without a name."))?;
        let bytes = body.slice(from..from + length);
        parts.push(Part { field, file: parameter(&text, "filename"), bytes });
        at = from + length + line.len();
    }
    Ok(parts)
}

/// A parameter of the line that says what a part is.
fn parameter(head: &str, name: &str) -> Option<String> {
    let is_own = |line: &&str| line.to_ascii_lowercase().starts_with("content-disposition:");
    let line = head.lines().find(is_own)?;
    let value = line.split(';').find_map(|one| one.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('"').to_owned())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|here| here == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEDIA: &str = "multipart/form-data; boundary=\"xYz\"";

    fn form(file: &str) -> String {
        format!(
            "--xYz\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--xYz\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n{file}\r\n--xYz--\r\n"
        )
    }

    fn read(body: &str) -> Result<Upload, Failure> {
        Upload::read(MEDIA, &Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn a_form_hands_in_the_file_to_the_byte() {
        for text in ["{}\n", "a\r\n\r\nb\r\n", "--xY\r\n-", "한"] {
            let upload = read(&form(text)).unwrap();
            assert_eq!((upload.name.as_str(), upload.purpose.as_str()), ("in.jsonl", "batch"));
            assert_eq!(upload.bytes, text.as_bytes());
        }
    }

    #[test]
    fn a_form_that_lacks_something_is_refused_with_words() {
        let words = |body: &str| read(body).unwrap_err().message;
        assert!(words("").contains("no part"));
        assert!(words(&form("{}").replace("name=\"file\"", "name=\"other\"")).contains("'file'"));
        assert!(words(&form("{}").replace("batch", "fun")).contains("is not one of"));
        assert!(words(&form("{}").replace("\r\n--xYz--", "")).contains("breaks off"));
        assert!(words(&form("")).contains("empty"));
        assert!(
            Upload::read("text/plain", &Bytes::new()).unwrap_err().message.contains("boundary")
        );
    }

    #[test]
    fn what_is_full_takes_no_more() {
        let file = |id: &str, length: usize| File {
            id: id.to_owned(),
            name: String::new(),
            purpose: "batch".to_owned(),
            created: Timestamp::EPOCH,
            bytes: Bytes::from(vec![0; length]),
        };
        let mut files = Files::default();
        files.keep(file("a", 10)).unwrap();
        files.promise(MAX_TOTAL_BYTES - 20).unwrap();
        assert!(files.keep(file("b", 11)).unwrap_err().message.contains("full"));
        files.keep(file("b", 10)).unwrap();
        files.remove("a").unwrap();
        assert!(files.keep(file("c", 11)).is_err());
        files.redeem(MAX_TOTAL_BYTES - 20, [file("d", 5)]);
        files.keep(file("c", 11)).unwrap();
        assert!(files.get("a").is_err() && files.get("d").is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_upload_or_an_error(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Upload::read(MEDIA, &Bytes::from(body));
        }

        #[test]
        fn a_form_that_is_cut_is_an_error(cut in 0_usize..200) {
            let form = form("{}");
            // The line that ends a form may lack its own end.
            let whole = form.len() - 2;
            prop_assume!(cut < whole);
            prop_assert!(read(&form[..cut]).is_err());
        }
    }
}

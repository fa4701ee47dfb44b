//! A JSON schema in a file.

use std::path::Path;

use finstage_llm::Schema;

use crate::exit::{Failure, Result};

/// The longest schema that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

pub(super) fn read(file: &Path) -> Result<Schema> {
    use std::io::Read as _;
    let failed = |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", file.display()));
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(|e| failed(&e))?;
    let read = opened.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|e| failed(&e))?;
    if read as u64 > MAX_BYTES {
        return Err(failed(&format_args!("more than {MAX_BYTES} bytes are no schema")));
    }
    let value = serde_json::from_str(&text).map_err(|e| failed(&e))?;
    Schema::new(&value).map_err(|e| failed(&e))
}

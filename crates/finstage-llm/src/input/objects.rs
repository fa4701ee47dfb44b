//! Rows that are JSON objects: whole requests, or columns.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Question;
use super::table::NAMES;
use super::template::{Template, missing};
use crate::{CHAT, Row};

/// A line of a batch file. Others than OpenAI leave out method and path.
#[derive(Deserialize)]
struct Request {
    custom_id: Option<Value>,
    method: Option<String>,
    url: Option<String>,
    body: Option<Map<String, Value>>,
}

type Columns<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Whether a line is a request and not a row of columns that happen to have its names.
pub(super) fn is_request(line: &[u8]) -> bool {
    let columns: Result<Columns<'_>, _> = serde_json::from_slice(line);
    columns.is_ok_and(|columns| {
        columns.contains_key("custom_id")
            && columns.get("body").is_some_and(|body| body.get().starts_with('{'))
    })
}

/// Reads a line of a batch file; its number is the caller's.
pub(super) fn request(line: &str) -> Result<Row, String> {
    let Request { custom_id, method, url, body } =
        serde_json::from_str(line).map_err(|e| not_json(&e))?;
    let custom_id = match custom_id {
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err("custom_id must be a text".to_owned()),
        None => return Err("no custom_id: give every request a name of its own".to_owned()),
    };
    if custom_id.is_empty() {
        return Err("custom_id is empty: give every request a name of its own".to_owned());
    }
    if let Some(method) = method
        && !method.eq_ignore_ascii_case("post")
    {
        return Err(format!("method \"{method}\": only POST asks a model"));
    }
    let url = url.unwrap_or_else(|| CHAT.to_owned());
    if !url.starts_with('/') {
        return Err(format!("url \"{url}\": write the path alone, as \"{CHAT}\""));
    }
    let body = body.ok_or("no body: put the question there, {\"model\", \"messages\"}")?;
    Ok(Row { line: 0, custom_id, url, body })
}

/// Makes a question of a row of columns; its line is the caller's.
pub(super) fn question(line: &str, template: &Template) -> Result<Question, String> {
    let columns: Columns<'_> = serde_json::from_str(line).map_err(|e| not_json(&e))?;
    let text = template
        .fill(|column, text| {
            let value = columns.get(column);
            text.push_str(&value.map(|value| shown(value)).unwrap_or_default());
            value.is_some()
        })
        .map_err(|column| missing(column, columns.keys().map(AsRef::as_ref)))?;
    let name = NAMES.iter().find_map(|name| columns.get(*name)).map(|value| shown(value));
    Ok(Question { line: 0, name: name.map(Cow::into_owned), text })
}

/// A value as people write it: texts without quotes, numbers with all their digits, nothing for null.
fn shown(value: &RawValue) -> Cow<'_, str> {
    match value.get() {
        "null" => Cow::Borrowed(""),
        text if text.starts_with('"') => {
            Cow::Owned(serde_json::from_str(text).expect("it was read as JSON before"))
        }
        other => Cow::Borrowed(other),
    }
}

fn not_json(error: &serde_json::Error) -> String {
    // "at line 1" is the line of the text, not of the file.
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    match error.column() {
        0 => format!("it is no JSON object: {words}"),
        column => format!("it is no JSON object as needed: {words} (column {column})"),
    }
}

//! A ring as text: TOML as we write it, JSON as others may.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::Deserializer;

use super::{Keyring, Rotation};
use crate::key::{KEY_BYTES, Key, KeyId, KeyState, Material, decode_key};
use crate::{Error, ErrorKind, Secret, UnixTime, spelled};

/// The version of the format.
const VERSION: u32 = 1;
/// Letters that follow each other in a message about a file: longer runs may be a key.
const MAX_RUN: usize = 16;
/// Bytes of a key's lines, at most: the text is built in one piece of memory, which is wiped.
const KEY_LINES_BYTES: usize = 512;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RingText {
    version: u32,
    #[serde(default)]
    rotation: RotationText,
    keys: Vec<KeyText>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RotationText {
    every: Option<Span>,
    after_messages: Option<u64>,
    limit: Option<u64>,
    grace: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    id: KeyId,
    state: Option<KeyState>,
    key: Option<Bytes>,
    created: Option<UnixTime>,
    primary_since: Option<UnixTime>,
    accept_until: Option<UnixTime>,
    #[serde(default)]
    sealed: u64,
}

/// Behind a pointer, so that a list that grows leaves no copies behind.
struct Bytes(Arc<Secret<[u8; KEY_BYTES]>>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parse = |text: &str| decode_key(text).map(|key| Self(Arc::new(key)));
        spelled::read(from, "a key in base64", parse)
    }
}

/// A time as `24h`: a whole number of `s`, `m`, `h` or `d`.
struct Span(Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parse = |text: &str| parse_span(text).ok_or("a time is a number and s, m, h or d");
        spelled::read(from, "a time as \"24h\"", parse)
    }
}

fn parse_span(text: &str) -> Option<Span> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_s).map(|secs| Span(Duration::from_secs(secs)))
}

fn span(time: Duration) -> String {
    let secs = time.as_secs();
    if secs.is_multiple_of(3600) { format!("{}h", secs / 3600) } else { format!("{secs}s") }
}

impl Keyring {
    /// Reads a ring from TOML or JSON.
    ///
    /// Where no state is given, the first key is primary and the others are pending.
    ///
    /// # Errors
    /// `Invalid` with the number of the line. The message shows nothing that may be key material.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parsed: RingText = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| {
                let words = error.to_string();
                // The place is said at the front.
                let message =
                    words.rsplit_once(" at line ").map_or(&*words, |(message, _)| message);
                invalid(Some(error.line()), message)
            })?
        } else {
            toml::from_str(text).map_err(|error| {
                let line = error.span().map(|span| line_at(text, span.start));
                invalid(line, error.message())
            })?
        };
        Self::of_text(parsed, text)
    }

    fn of_text(parsed: RingText, text: &str) -> Result<Self, Error> {
        if parsed.version != VERSION {
            let words = format!(
                "version {} is none that this finstage reads: it reads {VERSION}",
                parsed.version
            );
            return Err(invalid(None, &words));
        }
        let mut keys: Vec<Key> = Vec::with_capacity(parsed.keys.len());
        for key in parsed.keys {
            let id = key.id;
            let line = Some(line_of(text, id, keys.iter().filter(|k| k.id == id).count()));
            let key = read_key(key, keys.is_empty()).map_err(|words| invalid(line, &words))?;
            if let Some(words) = clash(&keys, &key) {
                return Err(invalid(line, &words));
            }
            keys.push(key);
        }
        let usual = Rotation::default();
        let rotation = Rotation {
            every: parsed.rotation.every.map_or(usual.every, |span| span.0),
            after_messages: parsed.rotation.after_messages.unwrap_or(usual.after_messages),
            limit: parsed.rotation.limit.unwrap_or(usual.limit),
            grace: parsed.rotation.grace.map_or(usual.grace, |span| span.0),
        };
        Self::of(keys, rotation)
    }

    /// The ring as TOML, as [`Keyring::parse`] reads it. It holds the keys.
    #[must_use]
    pub fn to_text(&self) -> Secret<String> {
        let capacity = KEY_LINES_BYTES * (1 + self.keys.len());
        let mut out = String::with_capacity(capacity);
        let Rotation { every, after_messages, limit, grace } = &self.rotation;
        let mut line = |line: std::fmt::Arguments<'_>| {
            out.write_fmt(line).expect("writing to a string cannot fail");
        };
        line(format_args!(
            "# A finstage keyring. Who reads it reads every message: keep its mode at 0600.\n\
             version = {VERSION}\n\n\
             [rotation]\nevery = \"{}\"\nafter_messages = {after_messages}\nlimit = {limit}\n\
             grace = \"{}\"\n",
            span(*every),
            span(*grace)
        ));
        for key in &self.keys {
            line(format_args!("\n[[keys]]\nid = \"{}\"\nstate = \"{}\"\n", key.id, key.state));
            if let Some(text) = key.text() {
                line(format_args!("key = \"{}\"\n", *text));
            }
            for (name, at) in [
                ("created", key.created),
                ("primary_since", key.primary_since),
                ("accept_until", key.accept_until),
            ] {
                if let Some(at) = at {
                    line(format_args!("{name} = \"{at}\"\n"));
                }
            }
            line(format_args!("sealed = {}\n", key.sealed));
        }
        debug_assert!(out.len() <= capacity, "it grew, and left keys behind");
        Secret::new(out)
    }
}

fn read_key(text: KeyText, is_first: bool) -> Result<Key, String> {
    let id = text.id;
    let usual = if is_first { KeyState::Primary } else { KeyState::Pending };
    let state = text.state.unwrap_or(usual);
    match (state, &text.key) {
        (KeyState::Destroyed, Some(_)) => {
            return Err(format!("key {id} is destroyed and still there: take its key out"));
        }
        (KeyState::Destroyed, None) | (_, Some(_)) => {}
        (_, None) => return Err(format!("key {id} has no key: 32 bytes in base64")),
    }
    Ok(Key {
        id,
        state,
        material: text.key.map(|bytes| Material::new(id, bytes.0)),
        created: text.created,
        primary_since: text.primary_since,
        accept_until: text.accept_until,
        sealed: text.sealed,
    })
}

/// Why a key cannot stand beside those before it.
fn clash(keys: &[Key], new: &Key) -> Option<String> {
    let id = new.id;
    for key in keys {
        if key.id == id {
            return Some(format!("key {id} is there twice"));
        }
        if key.state == KeyState::Primary && new.state == KeyState::Primary {
            return Some(format!("key {id} is primary, and so is {}: one key is", key.id));
        }
        if let (Some(a), Some(b)) = (&key.material, &new.material)
            && a.bytes.expose() == b.bytes.expose()
        {
            // Their nonces would be counted apart, and repeat.
            return Some(format!("key {id} has the same bytes as {}: make a new key", key.id));
        }
    }
    None
}

fn invalid(line: Option<usize>, words: &str) -> Error {
    let words = masked(words);
    let message = match line {
        Some(line) => format!("line {line}: {words}"),
        None => words,
    };
    Error::new(ErrorKind::Invalid, message)
}

/// A parser's message on one line, without what may be a key that stands in the wrong place.
fn masked(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    for part in words.split_inclusive(|c: char| !is_of_key(c)) {
        let run = part.trim_end_matches(|c: char| !is_of_key(c));
        if run.len() > MAX_RUN {
            out.push_str("[redacted]");
            out.push_str(&part[run.len()..]);
        } else {
            out.push_str(part);
        }
    }
    out.replace('\n', " ").trim_end().to_owned()
}

/// The number of the line that a byte is on, counted from 1.
fn line_at(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|&&byte| byte == b'\n').count()
}

/// The line on which a key of this name begins, after `earlier` keys of the same name.
fn line_of(text: &str, id: KeyId, earlier: usize) -> usize {
    let says = |line: &&str| {
        let is_id = line.contains("id\"") || line.trim_start().starts_with("id");
        is_id && line.split(['"', '\'']).any(|word| word == id.as_str())
    };
    let mut lines = text.lines().enumerate().filter(|(_, line)| says(line));
    lines.nth(earlier).map_or(1, |(index, _)| index + 1)
}

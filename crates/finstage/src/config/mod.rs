//! The configuration: one file, the environment over it, flags over both.
//!
//! `raw::Raw` is what was typed, [`settings::Settings`] what it means. This is the only place
//! that reads environment variables.

pub(crate) mod channels;
pub(crate) mod dotenv;
mod jobs;
pub(crate) mod llm;
mod manners;
mod monitor;
mod news;
mod place;
mod raw;
pub mod reference;
mod retention;
mod sealed;
mod server;
pub mod settings;
pub mod system;
pub(crate) mod venues;
mod watching;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

pub(crate) use self::dotenv::DotEnv;
use self::place::{PREFIX, Place, key_of, line_at, path_of};
use self::raw::Raw;
use self::reference::{KEYS, Key, Kind};
use self::settings::Settings;
use crate::exit::{Failure, Result};

/// The file looked for where no `--config` is given.
pub(crate) const FILE: &str = "finstage.toml";
/// Longest configuration file that is read, in bytes.
const FILE_MAX_BYTES: u64 = 4 << 20;

/// A configuration with where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// What it means.
    pub settings: Settings,
    /// The file it came from, if there was one.
    pub file: Option<PathBuf>,
}

/// What a command asks of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Everything,
    /// All but the channels: who only reads the store needs no token, and is told of none.
    NoChannels,
}

/// Loads the file (given, or `finstage.toml` here, or in the user's configuration folder), puts
/// the environment over it and checks everything.
///
/// # Errors
/// [`Failure::usage`] naming file and line, or the variable, and the nearest key.
pub fn load(given: Option<&Path>, wanted: Wanted) -> Result<Loaded> {
    let file = match given {
        Some(file) => Some(file.to_owned()),
        None => default_file(),
    };
    let text = match &file {
        Some(file) => read(file)?,
        None => String::new(),
    };
    let place =
        file.as_deref().map_or(String::from("built-in defaults"), |f| f.display().to_string());
    let beside = match &file {
        Some(file) => DotEnv::beside(file)?,
        None => DotEnv::default(),
    };
    let is_ours = |name: &str| name.starts_with(PREFIX) && is_meant(name);
    let mut variables = environment(is_ours);
    for name in beside.names().filter(|name| is_ours(name)) {
        let is_set = variables.iter().any(|(known, _)| known == name);
        if let (false, Some(value)) = (is_set, beside.get(name)) {
            variables.push((name.to_owned(), value.expose().clone()));
        }
    }
    variables.sort_unstable();
    let place = Place { file: &place, text: &text, variables: &variables, beside: &beside };
    let mut settings = judge(place, wanted)?;
    settings.warnings.extend(beside.warning.clone());
    Ok(Loaded { settings, file })
}

/// Checks `text` with `variables` over it; `place` names the file in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(place: &str, text: &str, variables: &[(String, String)]) -> Result<Settings> {
    let beside = DotEnv::default();
    judge(Place { file: place, text, variables, beside: &beside }, Wanted::Everything)
}

fn judge(typed: Place<'_>, wanted: Wanted) -> Result<Settings> {
    let Place { file: place, text, variables, .. } = typed;
    // First as typed, so that an error can name its line; then with the environment over it.
    toml::from_str::<Raw>(text).map_err(|e| explain(place, text, &e))?;
    let mut table: Table = toml::from_str(text).map_err(|e| explain(place, text, &e))?;
    let mut raw = Raw::deserialize_table(table.clone())
        .map_err(|e| Failure::usage(format!("{place}: {}", message_of(&e))))?;
    for (name, value) in variables {
        overlay(&mut table, name, value)?;
        raw = Raw::deserialize_table(table.clone()).map_err(|e| {
            let example = key_of(&path_of(name).unwrap_or_default()).map(|key| key.example);
            let message = match example {
                Some(example) if is_wrong_kind(&e) => {
                    format!("\"{value}\" is a value of the wrong kind: write {example}")
                }
                _ => message_of(&e),
            };
            Failure::usage(format!("environment {name}: {message}"))
        })?;
    }
    if wanted == Wanted::NoChannels {
        raw.notify.clear();
    }
    Settings::resolve(&raw, typed)
}

impl Raw {
    fn deserialize_table(table: Table) -> Result<Self, toml::de::Error> {
        table.try_into()
    }
}

/// The value behind a reference: `env:NAME`, `file:PATH`, or the text itself.
pub(crate) enum Reference {
    /// Came from outside the file, as it should.
    Outside(String),
    /// Stands in the file as it is.
    Literal(String),
}

/// Follows a reference to a secret; a name that the environment lacks may stand in `beside`.
///
/// # Errors
/// When the variable is not set or the file cannot be read; never prints the value.
pub(crate) fn dereference(text: &str, beside: &DotEnv) -> Result<Reference, String> {
    if let Some(name) = text.strip_prefix("env:") {
        let found = environment(|variable| variable == name).pop();
        let is_there = |value: &String| !value.trim().is_empty();
        let found = found.map(|(_, value)| value).filter(is_there);
        let found = found.or_else(|| beside.get(name).map(|value| value.expose().clone()));
        return match found.filter(is_there) {
            Some(value) => Ok(Reference::Outside(value.trim().to_owned())),
            None => Err(format!(
                "the environment variable {name} is not set, nor in the .env beside the configuration"
            )),
        };
    }
    if let Some(path) = text.strip_prefix("file:") {
        let value = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
        return Ok(Reference::Outside(value.trim().to_owned()));
    }
    Ok(Reference::Literal(text.to_owned()))
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| wanted(name))
        .collect()
}

/// The file where nothing else is said, if there is one.
pub(crate) fn default_file() -> Option<PathBuf> {
    let here = PathBuf::from(FILE);
    if here.is_file() {
        return Some(here);
    }
    let folder = environment(|name| name == "XDG_CONFIG_HOME").pop().map(|(_, v)| PathBuf::from(v));
    let home =
        || environment(|name| name == "HOME").pop().map(|(_, v)| Path::new(&v).join(".config"));
    let file = folder.or_else(home)?.join("finstage").join(FILE);
    file.is_file().then_some(file)
}

/// Where programs of this user leave notes for each other while they run.
pub(crate) fn runtime_folder() -> PathBuf {
    let folder = environment(|name| name == "XDG_RUNTIME_DIR").pop().map(|(_, v)| PathBuf::from(v));
    folder.filter(|folder| folder.is_dir()).unwrap_or_else(std::env::temp_dir)
}

/// The file that this process is of: what starts further processes of ours needs it.
///
/// # Errors
/// Where the system does not say.
pub(crate) fn own_program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

fn read(file: &Path) -> Result<String> {
    let shown = file.display();
    let failed = |e: std::io::Error| {
        Failure::usage(match e.kind() {
            ErrorKind::NotFound => format!(
                "{shown}: no such file; `finstage init --config {shown}` writes one to begin with"
            ),
            ErrorKind::IsADirectory => format!("{shown}: a folder; name the file in it"),
            ErrorKind::InvalidData => format!("{shown}: not a text file in UTF-8"),
            _ => format!("{shown}: {e}"),
        })
    };
    let length = std::fs::metadata(file).map_err(failed)?.len();
    if length > FILE_MAX_BYTES {
        return Err(Failure::usage(format!(
            "{shown}: {length} bytes are not a configuration file"
        )));
    }
    std::fs::read_to_string(file).map_err(failed)
}

/// Whether a variable with our prefix is meant as a setting: by its double underscore, or because
/// it would be one with it (`FINSTAGE_ALERTS_SEND`), which must not pass in silence.
fn is_meant(name: &str) -> bool {
    name.contains("__") || settable().any(|known| known.replace("__", "_") == name)
}

/// Sets `FINSTAGE_SECTION__KEY` in the table. A text is taken as it is, anything else read as TOML.
fn overlay(table: &mut Table, name: &str, value: &str) -> Result<()> {
    let path: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
    let Some(key) = key_of(&path) else {
        let list = &path[0];
        if KEYS.iter().any(|key| key.section.strip_suffix("[]") == Some(list)) {
            return Err(Failure::usage(format!(
                "environment {name}: [[{list}]] is a list: write it in the file"
            )));
        }
        // What all have in front makes nothing alike.
        let known = settable().map(|known| known[PREFIX.len()..].to_owned());
        let near = nearest(&name[PREFIX.len()..], known);
        let near = near.map_or(String::new(), |near| format!("; did you mean {PREFIX}{near}?"));
        return Err(Failure::usage(format!("environment {name}: there is no such setting{near}")));
    };
    let (last, sections) = path.split_last().expect("a known path has two parts or more");
    let mut at = table;
    for section in sections {
        let entry = at.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
        at = entry.as_table_mut().ok_or_else(|| {
            Failure::usage(format!("environment {name}: [{section}] is not a section"))
        })?;
    }
    let read =
        toml::from_str::<Table>(&format!("v = {value}")).ok().and_then(|mut t| t.remove("v"));
    let is_number = matches!(key.kind, Kind::Count | Kind::Numbers | Kind::Flag);
    let read = read.filter(|read| is_number || read.is_str());
    at.insert(last.clone(), read.unwrap_or_else(|| Value::String(value.to_owned())));
    Ok(())
}

/// The names of all variables that stand for a setting.
fn settable() -> impl Iterator<Item = String> {
    let has_name = |key: &&Key| !key.section.ends_with(']') && !key.section.starts_with("watch.");
    KEYS.iter().filter(has_name).map(|key| {
        let section = key.section.replace(".*", "__NAME").replace('.', "__").to_ascii_uppercase();
        format!("{PREFIX}{section}__{}", key.name.to_ascii_uppercase())
    })
}

/// One line for a TOML error: place, what is wrong there, and what to write.
fn explain(place: &str, text: &str, error: &toml::de::Error) -> Failure {
    let start = error.span().map_or(0, |span| span.start);
    let line = line_at(text, start);
    let typed =
        text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key);
    let message = match typed.map(str::trim) {
        Some(key) if is_wrong_kind(error) => wrong_kind(key),
        _ => None,
    };
    Failure::usage(format!("{place}:{line}: {}", message.unwrap_or_else(|| message_of(error))))
}

fn is_wrong_kind(error: &toml::de::Error) -> bool {
    ["invalid type", "invalid value"].iter().any(|begin| error.message().starts_with(begin))
}

/// What a key takes, for one that was given something else. Never repeats what was typed: it may
/// be a secret.
fn wrong_kind(name: &str) -> Option<String> {
    let key = KEYS.iter().find(|key| key.name == name)?;
    Some(format!("{name} has a value of the wrong kind: write {name} = {}", key.example))
}

fn message_of(error: &toml::de::Error) -> String {
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(typed) = quoted.next() else { return message.to_owned() };
    if message.starts_with("unknown field") {
        let known: Vec<&str> = quoted.collect();
        let near = nearest(typed, known.iter().map(|k| (*k).to_owned()));
        return match near {
            Some(near) => format!("unknown key \"{typed}\"; did you mean \"{near}\"?"),
            None => format!("unknown key \"{typed}\"; known here: {}", known.join(", ")),
        };
    }
    if message.starts_with("missing field") {
        let example = KEYS.iter().find(|key| key.name == typed).map(|key| key.example);
        let write = example.map_or(String::new(), |example| format!("; write {typed} = {example}"));
        return format!("missing key \"{typed}\"{write}");
    }
    message.to_owned()
}

/// The nearest name by edit distance, if near enough to be a slip.
fn nearest(typed: &str, names: impl Iterator<Item = String>) -> Option<String> {
    finstage_engine::nearest(typed, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, variables: &[(&str, &str)]) -> String {
        let variables: Vec<_> = variables.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        parse("finstage.toml", text, &variables).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
        assert_eq!(
            refused("[alerts]\nsend = \"verified\"\ncoldown = \"5m\"\n", &[]),
            "finstage.toml:3: unknown key \"coldown\"; did you mean \"cooldown\"?"
        );
        assert!(refused("[alert]\n", &[]).contains("did you mean \"alerts\"?"));
    }

    #[test]
    fn a_wrong_unit_is_named_with_what_to_write() {
        let error = refused("[alerts]\ncooldown = \"5 minutes\"\n", &[]);
        assert_eq!(
            error,
            "finstage.toml:2: alerts.cooldown: \"5 minutes\" is not a duration: write a whole number and a unit, 250ms 10s 5m 24h 7d"
        );
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let variables = vec![
            ("FINSTAGE_ALERTS__PER_HOUR".to_owned(), "7".to_owned()),
            ("FINSTAGE_ALERTS__COOLDOWN".to_owned(), "5m".to_owned()),
        ];
        let settings = parse("f", "[alerts]\nper_hour = 3\n", &variables).unwrap();
        assert_eq!(settings.engine.alerts.per_hour, 7);
        assert_eq!(settings.engine.alerts.cooldown_ms, 300_000);
        let error = refused("", &[("FINSTAGE_ALERTS__COLDOWN", "5m")]);
        assert_eq!(
            error,
            "environment FINSTAGE_ALERTS__COLDOWN: there is no such setting; did you mean FINSTAGE_ALERTS__COOLDOWN?"
        );
    }
}

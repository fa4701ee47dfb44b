//! The `.env` beside the configuration: values for names that the environment does not have.
//!
//! A line is `NAME=VALUE`; `export ` before it, quotes around the value, empty lines and lines that
//! begin with `#` are understood. Nothing is expanded. A value is a secret until somebody says
//! otherwise, so it is in no error.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use finstage_seal::Secret;

use crate::exit::{Failure, Result};

/// Its name.
const NAME: &str = ".env";
/// The largest one that is read, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// What stands in a `.env`.
#[derive(Debug, Default)]
pub(crate) struct DotEnv {
    values: Pairs,
    /// What is wrong with the file itself and should be mended.
    pub(crate) warning: Option<String>,
}

impl DotEnv {
    /// Reads the one beside `config`; an empty one where there is none.
    ///
    /// # Errors
    /// [`Failure::usage`] naming the line that cannot be read.
    pub(crate) fn beside(config: &Path) -> Result<Self> {
        let file = place(config);
        let shown = file.display();
        let failed = |e: std::io::Error| Failure::usage(format!("{shown}: {e}"));
        let length = match fs::metadata(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            other => other.map_err(failed)?.len(),
        };
        if length > MAX_BYTES {
            return Err(Failure::usage(format!("{shown}: {length} bytes are too many for names")));
        }
        let text = fs::read_to_string(&file).map_err(failed)?;
        let values =
            parse(&text).map_err(|(line, why)| Failure::usage(format!("{shown}:{line}: {why}")))?;
        let warning = is_open(&file).then(|| open_to_others(&file));
        Ok(Self { values, warning })
    }

    /// The value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Secret<String>> {
        self.values.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| name.as_str())
    }
}

/// The file beside a configuration.
pub(crate) fn place(config: &Path) -> PathBuf {
    config.parent().unwrap_or_else(|| Path::new("")).join(NAME)
}

/// Gives `name` a value in the `.env` beside `config`, in place of an earlier one; all other lines
/// stay. The file is readable by its owner alone, and appears whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn set(config: &Path, name: &str, value: &Secret<String>) -> Result<PathBuf> {
    let file = place(config);
    let failed = |e: std::io::Error| Failure::from_writing(&file, &e);
    let before = match fs::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        other => other.map_err(failed)?,
    };
    let is_other = |line: &&str| key_of(line).is_none_or(|known| known != name);
    let mut text: String = before.lines().filter(is_other).map(|l| format!("{l}\n")).collect();
    text.push_str(&format!("{name}={}\n", value.expose()));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Made for the owner alone: mode 0600.
    let mut unfinished = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))
        .map_err(failed)?;
    unfinished.write_all(text.as_bytes()).map_err(failed)?;
    unfinished.as_file().sync_all().map_err(failed)?;
    unfinished.persist(&file).map_err(|e| failed(e.error))?;
    Ok(file)
}

/// What is said of a file that others can read.
pub(crate) fn open_to_others(file: &Path) -> String {
    let (shown, mode) = (file.display(), if file.is_dir() { 700 } else { 600 });
    format!("{shown}: others on this machine can read it; chmod {mode} {shown}")
}

/// Whether others than its owner can read a file.
pub(crate) fn is_open(file: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

fn key_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, _) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
    Some(name.trim())
}

/// Names and what stands behind them, in the order of the file.
type Pairs = Vec<(String, Secret<String>)>;

fn parse(text: &str) -> std::result::Result<Pairs, (usize, &'static str)> {
    let mut values = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else {
            return Err((i + 1, "write NAME=VALUE"));
        };
        let name = name.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(fits) {
            return Err((i + 1, "a name has letters, digits and _ only: write NAME=VALUE"));
        }
        values.push((name.to_owned(), Secret::new(unquoted(value.trim()).to_owned())));
    }
    Ok(values)
}

fn unquoted(value: &str) -> &str {
    let inside = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_of_a_line_are_understood() {
        let text = "# a comment\n\nA=1\nexport B = \"two words\"\n  C='x=y'\nD=\nA=2\n";
        let values = parse(text).unwrap();
        let found = DotEnv { values, warning: None };
        let get = |name| found.get(name).map(|value| value.expose().clone());
        assert_eq!(get("A").as_deref(), Some("2"), "the last one counts");
        assert_eq!(get("B").as_deref(), Some("two words"));
        assert_eq!(get("C").as_deref(), Some("x=y"));
        assert_eq!((get("D").as_deref(), get("E")), (Some(""), None));
        assert!(!format!("{found:?}").contains("two words"));
        assert_eq!(parse("A=1\nsecret\n").unwrap_err(), (2, "write NAME=VALUE"));
        assert!(parse("A B=1").is_err() && parse("=1").is_err());
    }

    #[test]
    fn a_value_is_set_in_place_and_the_file_stays_closed() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("finstage.toml");
        let file = place(&config);
        fs::write(&file, "# mine\nexport TOKEN=old\nOTHER=1").unwrap();
        let set = |value: &str| set(&config, "TOKEN", &Secret::new(value.into())).unwrap();
        assert_eq!(set("1:new"), file);
        assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\nOTHER=1\nTOKEN=1:new\n");
        assert!(!is_open(&file) && DotEnv::beside(&config).unwrap().warning.is_none());
    }
}

//! Where a setting was typed, so that an error can send the reader there.
//!
//! Settings are judged long after they were read. What is judged has a key
//! (`strategies[1].interval`); this finds the key's line again, or the variable that stood for it.

use toml::de::{DeTable, DeValue};

use super::dotenv::DotEnv;
use super::reference::{KEYS, Key};

/// Prefix of variables that stand for a setting: `FINSTAGE_ALERTS__SEND=unproven`.
pub(super) const PREFIX: &str = "FINSTAGE_";

/// Everything that was typed: a file's text, and the variables that go over it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The file's name, or what stands for it.
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    pub(super) variables: &'a [(String, String)],
    /// The `.env` beside the file.
    pub(super) beside: &'a DotEnv,
}

impl Place<'_> {
    /// Where the value of `key` comes from: `environment NAME`, `file:line`, or the file alone.
    pub(super) fn of(&self, key: &str) -> String {
        let stands_for = |name: &str| path_of(name).is_some_and(|path| path.join(".") == key);
        if let Some((name, _)) = self.variables.iter().rev().find(|(name, _)| stands_for(name)) {
            return format!("environment {name}");
        }
        match line_of(self.text, key) {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.to_owned(),
        }
    }
}

/// The setting that a variable stands for, `["alerts", "send"]`; `None` where there is none such.
pub(super) fn path_of(variable: &str) -> Option<Vec<String>> {
    let rest = variable.strip_prefix(PREFIX)?;
    let path: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
    key_of(&path).map(|_| path)
}

/// The entry of the table for a path that a variable can name: lists have no names.
pub(super) fn key_of(path: &[String]) -> Option<&'static Key> {
    let (section, name) = match path {
        [section, name] => (section.as_str(), name),
        [section, _, name] if section == "venues" => ("venues.*", name),
        [section, _, name] if section == "jobs" => ("jobs.*", name),
        [section, _, inner, name] if section == "venues" && inner == "sealed" => {
            ("venues.*.sealed", name)
        }
        _ => return None,
    };
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// The line of `key` in a text that is valid TOML: of its value, or of the nearest entry around it
/// that is there. A whole list has no line.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let (mut at, mut found) = (table.get_ref(), None);
    for step in key.split('.') {
        let (name, index) = match step.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (step, None),
        };
        let Some((_, mut value)) = at.iter().find(|(typed, _)| typed.get_ref() == name) else {
            break;
        };
        if let Some(index) = index {
            let Some(element) = value.get_ref().as_array().and_then(|list| list.get(index)) else {
                break;
            };
            value = element;
        } else if matches!(value.get_ref(), DeValue::Array(list) if list.iter().any(|e| e.get_ref().is_table()))
        {
            break;
        }
        found = Some(value.span().start);
        let Some(inner) = value.get_ref().as_table() else { break };
        at = inner;
    }
    found.map(|start| line_at(text, start))
}

/// The line of a byte, counted from 1.
pub(super) fn line_at(text: &str, byte: usize) -> usize {
    1 + text.as_bytes()[..byte.min(text.len())].iter().filter(|b| **b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
[alerts]
send = \"verified\"

[[strategies]]
name = \"golden_cross\"
interval = \"1h\"

[[strategies]]
name = \"golden_cross\"
interval = \"1d\"
symbols = [
  \"binance:A\",
]
";

    #[test]
    fn a_setting_is_found_on_its_line() {
        let at = |key| line_of(TEXT, key);
        assert_eq!(at("alerts.send"), Some(2));
        assert_eq!(at("strategies[0].interval"), Some(6));
        assert_eq!(at("strategies[1].interval"), Some(10));
        assert_eq!(at("strategies[1].symbols"), Some(11));
    }

    #[test]
    fn what_is_not_there_is_sent_to_the_entry_around_it_or_nowhere() {
        assert_eq!(line_of(TEXT, "strategies[1]"), Some(8));
        assert_eq!(line_of(TEXT, "strategies[1].params"), Some(8));
        assert_eq!(line_of(TEXT, "strategies"), None);
        assert_eq!(line_of(TEXT, "display.timezone"), None);
    }

    #[test]
    fn a_variable_goes_over_the_line_that_it_stands_for() {
        let variables = [("FINSTAGE_ALERTS__SEND".to_owned(), "x".to_owned())];
        let place =
            Place { file: "f.toml", text: TEXT, variables: &variables, beside: &DotEnv::default() };
        assert_eq!(place.of("alerts.send"), "environment FINSTAGE_ALERTS__SEND");
        assert_eq!(place.of("strategies[0].name"), "f.toml:5");
    }
}

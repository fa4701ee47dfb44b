//! Questions made of columns: `Sentiment of: {text}`.

use crate::Error;
use crate::nearest::nearest;

/// A text with places for the values of a row's columns, `{column}`; `{{` and `}}` are braces.
///
/// A value is put in as it is and never looked at again, so a text with braces in it stays what it is.
///
/// ```
/// let template = finstage_llm::Template::parse("{{\"about\"}}: {text}").unwrap();
/// assert_eq!(template.columns().collect::<Vec<_>>(), ["text"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// `Invalid` where a brace has no partner, a column has no name, or no column is named.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |at: usize, what: &str| {
            let place = text[..at].chars().count() + 1;
            Err(Error::invalid(format!("the prompt, character {place}: {what}")))
        };
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(found) = rest.find(['{', '}']) {
            let at = text.len() - rest.len() + found;
            plain.push_str(&rest[..found]);
            let brace = rest.as_bytes()[found];
            let behind = &rest[found + 1..];
            if behind.as_bytes().first() == Some(&brace) {
                plain.push(char::from(brace));
                rest = &behind[1..];
                continue;
            }
            if brace == b'}' {
                return wrong(at, "\"}\" closes nothing: write \"}}\" for a brace");
            }
            let Some((column, behind)) = behind.split_once('}') else {
                return wrong(at, "\"{\" is never closed: write \"{{\" for a brace");
            };
            let column = column.trim();
            if column.is_empty() || column.contains('{') {
                return wrong(at, "no name of a column stands here: write \"{{\" for a brace");
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Column(column.to_owned()));
            rest = behind;
        }
        plain.push_str(rest);
        if !parts.iter().any(|part| matches!(part, Part::Column(_))) {
            let message = "the prompt names no column, so every row would ask the same: put \"{column}\" in it";
            return Err(Error::invalid(message));
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The columns that are named, as often as they are.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Column(column) => Some(column.as_str()),
        })
    }

    /// The text with the values of columns in it. `value` adds that of a column to the text, and is false
    /// where there is no such column: then that column is the error.
    pub(super) fn fill(
        &self,
        mut value: impl FnMut(&str, &mut String) -> bool,
    ) -> Result<String, &str> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Column(column) if value(column, &mut text) => {}
                Part::Column(column) => return Err(column),
            }
        }
        Ok(text)
    }
}

/// What to say of a column that is not there.
pub(super) fn missing<'a>(column: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let remedy = match nearest(column, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("there are: {}", known.join(", ")),
    };
    format!("no column \"{column}\" for the prompt; {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, value: &str) -> String {
        let filled = Template::parse(template).unwrap();
        let filled = filled.fill(|column, text| {
            text.push_str(value);
            column == "a"
        });
        filled.unwrap()
    }

    #[test]
    fn values_are_put_in_verbatim_and_never_expanded_again() {
        assert_eq!(fill("{{{a}}} { a }", "{a}}"), "{{a}}} {a}}");
        assert_eq!(fill("값: {a}!", "{{"), "값: {{!");
    }

    #[test]
    fn a_brace_without_partner_is_an_error_that_names_its_place() {
        for (text, words) in [
            ("값 } x {a}", "character 3: \"}\" closes nothing"),
            ("{a} {b", "character 5: \"{\" is never closed"),
            ("{ }", "character 1: no name of a column"),
            ("{a{b}", "character 1: no name of a column"),
            ("plain {{a}}", "names no column"),
        ] {
            let error = Template::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_missing_column_is_named_with_the_nearest() {
        let near = missing("titel", ["id", "title"].into_iter());
        assert_eq!(near, "no column \"titel\" for the prompt; did you mean \"title\"?");
        let none = missing("xyzzy", ["id", "title"].into_iter());
        assert!(none.ends_with("there are: id, title"), "{none}");
    }
}

//! A strategy with everything settled but the instrument, wherever it came from: a line of the
//! catalogue with parameters, or a condition that a user wrote.

use std::fmt;
use std::sync::Arc;

use finstage_model::Direction;

use crate::{Entry, Params, Strategy, StrategyError, StrategySpec, When};

/// What strategies a program knows: a list of them, and perhaps a language for others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Catalog {
    entries: &'static [Entry],
    language: Option<Language>,
}

/// Makes a rule of a name and a condition in words.
pub type Language = fn(&str, &When) -> Result<Rule, StrategyError>;

impl Catalog {
    /// These strategies, and no language.
    #[must_use]
    pub const fn new(entries: &'static [Entry]) -> Self {
        Self { entries, language: None }
    }

    /// The same strategies, and this language.
    #[must_use]
    pub const fn with_language(self, language: Language) -> Self {
        Self { language: Some(language), ..self }
    }

    /// The strategies.
    pub fn iter(&self) -> std::slice::Iter<'static, Entry> {
        self.entries.iter()
    }
}

impl IntoIterator for Catalog {
    type Item = &'static Entry;
    type IntoIter = std::slice::Iter<'static, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A strategy, checked, of which instances can be built.
#[derive(Clone)]
pub struct Rule {
    /// Its name in the catalogue, or the user's.
    pub name: String,
    /// Where it expects the price to go.
    pub direction: Direction,
    /// Name with everything that shapes what it says, the form that ids hash:
    /// `golden_cross(fast=50,slow=200)`, `my_cross: cross_above(sma(50), sma(200))`.
    pub canonical: String,
    /// What all variants that differ in numbers alone have in common: a name of the catalogue, or
    /// a condition without its numbers.
    pub family: String,
    /// The rule in words, with the numbers.
    pub words: String,
    /// Builds an instance for one instrument.
    pub build: Build,
}

/// Builds an instance of a strategy.
pub type Build = Arc<dyn Fn() -> Box<dyn Strategy> + Send + Sync>;

impl Rule {
    /// The rule that the settings ask for.
    ///
    /// # Errors
    /// When the catalogue has no strategy of that name or the parameters make no sense; when a
    /// condition cannot be read, or stands beside parameters or under a name of the catalogue.
    pub fn of(spec: &StrategySpec, catalog: Catalog) -> Result<Self, StrategyError> {
        let Some(when) = &spec.when else {
            let entry = Entry::find(catalog, &spec.name)?;
            return Ok(Self::of_entry(entry, entry.params(&spec.params)?));
        };
        let refuse = |why: &str| Err(StrategyError::new(format!("{}: {why}", spec.name)));
        if catalog.iter().any(|entry| entry.name == spec.name) {
            return refuse("the catalogue has a strategy of that name: give yours another one");
        }
        if !is_name(&spec.name) {
            return refuse("a name has letters, digits and _, at most 60 of them");
        }
        if !spec.params.is_empty() {
            return refuse("a condition has no parameters: write the numbers into it");
        }
        match catalog.language {
            Some(language) => language(&spec.name, when),
            None => refuse("no language for conditions is known here"),
        }
    }

    /// The strategy of a line of the catalogue with checked parameters.
    #[must_use]
    pub fn of_entry(entry: &'static Entry, params: Params) -> Self {
        Self {
            name: entry.name.to_owned(),
            direction: entry.direction,
            canonical: entry.canonical(&params),
            family: entry.name.to_owned(),
            words: (entry.words)(&params),
            build: Arc::new(move || (entry.build)(&params)),
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.canonical).finish()
    }
}

fn is_name(name: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=60).contains(&name.len()) && name.bytes().all(is_word)
}

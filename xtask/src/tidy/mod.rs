//! The rules that no compiler checks, each one function from the tree to findings.
//!
//! A rule has a reason, which its finding repeats: a person who meets it should learn why it is
//! there. Every rule is tested on a tree that breaks it; one more test holds all of them against
//! the real tree.

mod floors;
mod house;
mod licences;
mod links;
mod lists;
mod sizes;
mod source;
mod words;

use std::fmt;

use anyhow::{Result, ensure};

pub(crate) use house::House;

/// A place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// File, or file and line.
    place: String,
    /// What is wrong and what to do.
    words: String,
}

impl Finding {
    fn new(place: impl Into<String>, words: impl Into<String>) -> Self {
        Self { place: place.into(), words: words.into() }
    }

    fn at(path: &str, line: usize, words: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), words)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.words)
    }
}

/// A rule, with the reason why it exists.
struct Rule {
    name: &'static str,
    reason: &'static str,
    check: Check,
}

/// From the tree to the places that break a rule.
type Check = fn(&House) -> Vec<Finding>;

const RULES: &[Rule] = &[
    Rule {
        name: "floors",
        reason: "a crate uses lower floors only, so that the house can be read bottom-up",
        check: floors::arrows_point_down,
    },
    Rule {
        name: "model-is-words",
        reason: "the words of the domain are understood, compiled and trusted alone",
        check: floors::model_needs_serde_only,
    },
    Rule {
        name: "pure-core",
        reason: "same events, same outputs: the core can reach neither time, network nor disk",
        check: floors::core_stays_pure,
    },
    Rule {
        name: "feeds-translate",
        reason: "a venue can be tested without engine and disk, and changed without them",
        check: floors::feeds_know_no_engine_or_store,
    },
    Rule {
        name: "lab-stays-outside",
        reason: "nothing that users rely on may depend on the proving ground",
        check: floors::only_the_binary_knows_the_lab,
    },
    Rule {
        name: "typed-errors",
        reason: "libraries return errors that callers can act on",
        check: floors::anyhow_in_the_binary_only,
    },
    Rule {
        name: "one-place-for-environment",
        reason: "a setting read elsewhere is one that `config show` does not show",
        check: words::environment_in_config_only,
    },
    Rule { name: "file-size", reason: "one file, one idea", check: sizes::files_are_short },
    Rule {
        name: "function-size",
        reason: "a function fits a screen",
        check: sizes::functions_are_short,
    },
    Rule {
        name: "lists-are-complete",
        reason: "an extension that is not listed is dead code that looks alive",
        check: lists::extensions_are_listed,
    },
    Rule {
        name: "map-is-complete",
        reason: "a crate that the map does not show cannot be found",
        check: lists::crates_are_on_the_map,
    },
    Rule {
        name: "files-are-named-by-subject",
        reason: "a file named after nothing collects everything",
        check: words::no_file_without_a_subject,
    },
    Rule {
        name: "unfinished-work-has-a-number",
        reason: "a note to oneself is forgotten; an issue is not",
        check: words::unfinished_work_has_a_number,
    },
    Rule {
        name: "core-is-modeless",
        reason: "parity: the core cannot ask where its events come from, nor order by hash or time",
        check: words::core_names_no_mode,
    },
    Rule {
        name: "no-foreign-places",
        reason: "the project names no place that it does not need",
        check: words::no_foreign_places,
    },
    Rule {
        name: "links-lead-somewhere",
        reason: "who follows a link wants to read, not to search",
        check: links::links_lead_somewhere,
    },
    Rule {
        name: "pages-are-in-the-book",
        reason: "a page without a place in the book is read by nobody",
        check: links::pages_are_in_the_book,
    },
    Rule {
        name: "licences",
        reason: "users may do with the binary what our licence says",
        check: licences::licences_allow_use,
    },
    Rule {
        name: "one-toolchain",
        reason: "what passes here passes everywhere",
        check: licences::toolchain_is_the_pinned_one,
    },
    Rule {
        name: "lock-file",
        reason: "everybody builds the same dependencies",
        check: licences::lock_file_is_kept,
    },
];

/// Checks all rules and prints what breaks them.
pub(crate) fn run() -> Result<()> {
    let findings = findings(&House::load()?);
    findings.iter().for_each(|finding| eprintln!("{finding}"));
    ensure!(findings.is_empty(), "{} places break a rule", findings.len());
    eprintln!("{} rules hold", RULES.len());
    Ok(())
}

fn findings(house: &House) -> Vec<String> {
    let of_rule = |rule: &Rule| {
        let tell = |finding: Finding| format!("{finding} [{}: {}]", rule.name, rule.reason);
        (rule.check)(house).into_iter().map(tell).collect::<Vec<_>>()
    };
    RULES.iter().flat_map(of_rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_keeps_its_rules() {
        let findings = findings(&House::load().unwrap());
        assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
    }
}

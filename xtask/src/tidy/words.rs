//! Rules on words: names that must not appear, and where others may.

use super::Finding;
use super::house::{File, House};
use super::source::{find_word, is_word};

const TOOL_FOLDER: &str = "xtask/";

/// The environment is read by the configuration and nobody else; tests, the suites that extensions
/// are held to, and this tool aside.
pub(super) fn environment_in_config_only(house: &House) -> Vec<Finding> {
    const HOME: &str = "crates/finstage/src/config";
    // What the machine is, not how it is set up.
    const HARMLESS: &str = "std::env::consts";
    let words = "reads the environment: add a setting to finstage::config instead";
    let elsewhere = |file: &&File| {
        ![HOME, TOOL_FOLDER].iter().any(|folder| file.path.starts_with(folder))
            && !file.path.ends_with("/src/suite.rs")
            && !file.path.contains("/src/suite/")
    };
    scan(house.rust().filter(elsewhere), |code| {
        let found = code.replace(HARMLESS, "").contains("std::env");
        found.then(|| words.to_owned())
    })
}

/// Engine and strategies name no mode and nothing that makes two runs differ.
pub(super) fn core_names_no_mode(house: &House) -> Vec<Finding> {
    const CORE: [&str; 2] = ["crates/finstage-engine/src/", "crates/finstage-strategies/src/"];
    const MODES: [&str; 3] = ["live", "backtest", "replay"];
    const UNSTEADY: [&str; 5] = ["HashMap", "HashSet", "SystemTime", "Instant", "mul_add"];
    let core = house.rust().filter(|file| CORE.iter().any(|core| file.path.starts_with(core)));
    scan(core, |code| {
        let word = code.split(|c: char| !is_word(c)).find(|word| {
            UNSTEADY.contains(word) || parts(word).iter().any(|part| MODES.contains(&part.as_str()))
        })?;
        Some(format!("`{word}` does not belong into the core"))
    })
}

/// The parts of an identifier, in lower case: `is_live` and `LiveSource` both have `live`.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in word.chars() {
        if c == '_' || c.is_uppercase() {
            parts.push(String::new());
        }
        if c != '_' {
            let last = parts.last_mut().expect("begins with one part");
            last.extend(c.to_lowercase());
        }
    }
    // Constants are written in capitals: their parts are between the underscores.
    if word.chars().all(|c| !c.is_lowercase()) {
        parts = word.split('_').map(str::to_lowercase).collect();
    }
    parts
}

/// Lines of code outside tests for which `judge` finds words.
fn scan<'a>(
    files: impl Iterator<Item = &'a File>,
    judge: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in file.source().numbered().filter(|(_, line)| !line.is_test) {
            if let Some(words) = judge(&line.code) {
                findings.push(Finding::at(&file.path, number, words));
            }
        }
    }
    findings
}

/// No file is named after nothing.
pub(super) fn no_file_without_a_subject(house: &House) -> Vec<Finding> {
    const EMPTY: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "types"];
    let named_so = |file: &&File| {
        file.path.trim_end_matches(".rs").split('/').any(|part| EMPTY.contains(&part))
    };
    let words = "name it after its subject";
    house.rust().filter(named_so).map(|file| Finding::new(&file.path, words)).collect()
}

/// Marks of unfinished work carry the number of an issue: `(#12)`.
pub(super) fn unfinished_work_has_a_number(house: &House) -> Vec<Finding> {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    each_line(house, |line| {
        let mark = marks.iter().find(|mark| {
            find_word(line, mark)
                .is_some_and(|end| !line[end..].trim_start_matches('(').starts_with('#'))
        })?;
        Some(format!("{mark} without the number of an issue: write {mark}(#N), or finish it"))
    })
}

/// Names of package hosts and of this machine's folders stay out of the tree.
pub(super) fn no_foreign_places(house: &House) -> Vec<Finding> {
    // In two halves, so that this file does not find itself.
    const PLACES: [(&str, &str); 9] = [
        ("crates", ".io"),
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("npmjs", ".org"),
        ("npmjs", ".com"),
        ("proxy.golang", ".org"),
        ("/work", "/main"),
        ("/work", "/shared"),
        ("/work", "/.library"),
    ];
    let places = PLACES.map(|(first, second)| format!("{first}{second}"));
    each_line(house, |line| {
        let place = places.iter().find(|place| line.contains(place.as_str()))?;
        Some(format!("names {place}"))
    })
}

/// Every line of every text file but the lock file, which is cargo's.
fn each_line(house: &House, judge: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in house.files.iter().filter(|file| file.path != "Cargo.lock") {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(words) = judge(line) {
                findings.push(Finding::at(&file.path, index + 1, words));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Check;
    use super::*;

    fn places(rule: Check, files: &[(&str, &str)]) -> Vec<String> {
        rule(&House::of_files(files)).into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn the_environment_is_found_outside_its_home() {
        let reads = "fn f() {\n    std::env::var(\"A\");\n}\n";
        let files = [
            ("crates/finstage/src/config/mod.rs", reads),
            ("crates/finstage/src/live.rs", reads),
            ("crates/finstage-net/src/x.rs", "use std::env;\n// std::env\n"),
            ("crates/finstage-net/src/y.rs", "fn f() { std::env::consts::OS; }\n"),
            ("crates/finstage-net/src/z/tests.rs", reads),
            ("crates/finstage-net/src/suite.rs", reads),
            ("xtask/src/main.rs", reads),
        ];
        let found = places(environment_in_config_only, &files);
        assert_eq!(found, ["crates/finstage/src/live.rs:2", "crates/finstage-net/src/x.rs:1"]);
    }

    #[test]
    fn modes_and_unsteady_things_are_found_in_the_core() {
        let text = "fn deliver(alive: bool) {}\nfn is_live() {}\nstruct ReplaySource;\n\
                    use std::collections::HashMap;\nconst BACKTEST_DAYS: u8 = 1;\n// a replay\n\
                    struct Instantly;\n#[cfg(test)]\nmod tests {\n    fn replay() {}\n}\n";
        let engine = [("crates/finstage-engine/src/x.rs", text)];
        let lines = [2, 3, 4, 5].map(|line| format!("crates/finstage-engine/src/x.rs:{line}"));
        assert_eq!(places(core_names_no_mode, &engine), lines);
        assert_eq!(places(core_names_no_mode, &[("crates/finstage/src/x.rs", text)]), [""; 0]);
    }

    #[test]
    fn files_named_after_nothing_are_found() {
        let files = [
            ("crates/a/src/utils.rs", ""),
            ("crates/a/src/common/mod.rs", ""),
            ("crates/a/src/types.rs", ""),
            ("crates/a/src/prototypes.rs", ""),
        ];
        assert_eq!(places(no_file_without_a_subject, &files).len(), 3);
    }

    #[test]
    fn unfinished_work_is_found_unless_it_has_a_number() {
        let mark = concat!("TO", "DO");
        let text =
            format!("// {mark}(#12): later\n// {mark}: later\n// {mark}\nlet x{mark} = 1;\n");
        let found = places(unfinished_work_has_a_number, &[("docs/x.md", &text)]);
        assert_eq!(found, ["docs/x.md:2", "docs/x.md:3"]);
    }

    #[test]
    fn foreign_places_are_found_but_for_the_lock_file() {
        let text = concat!("see crates", ".io\n");
        let files = [("README.md", text), ("Cargo.lock", text), ("a.rs", "crates/io\n")];
        assert_eq!(places(no_foreign_places, &files), ["README.md:1"]);
    }
}

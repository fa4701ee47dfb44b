//! Rules on what we build with: licences, compiler, lock file.

use super::Finding;
use super::house::House;

/// Licences that let users do with the binary what MIT and Apache-2.0 let them do.
const ALLOWED: [&str; 16] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "MPL-2.0",
    "CC0-1.0",
    "0BSD",
    "Unlicense",
    "CDLA-Permissive-2.0",
    "BSL-1.0",
];
// OpenSSL's old licence is allowed where a package still carries it.
const OPENSSL: &str = "OpenSSL";

/// Every package that is linked has a licence expression that allowed licences fulfil.
pub(super) fn licences_allow_use(house: &House) -> Vec<Finding> {
    let judge = |(name, licence): &(String, Option<String>)| {
        let words = match licence {
            None => "has no licence expression".to_owned(),
            Some(licence) if !fulfilled(licence) => format!("is under {licence}"),
            Some(_) => return None,
        };
        Some(Finding::new(format!("package {name}"), words))
    };
    house.licences.iter().filter_map(judge).collect()
}

/// Whether allowed licences fulfil an expression of `OR`, `AND` and brackets; `/` is an old `OR`.
fn fulfilled(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let fulfilled = any(&mut words);
    fulfilled == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>) -> Option<bool> {
    let mut fulfilled = all(words)?;
    while words.next_if_eq(&"OR").is_some() {
        fulfilled |= all(words)?;
    }
    Some(fulfilled)
}

fn all(words: &mut Words<'_>) -> Option<bool> {
    let mut fulfilled = one(words)?;
    while words.next_if_eq(&"AND").is_some() {
        fulfilled &= one(words)?;
    }
    Some(fulfilled)
}

/// `None` where the expression is malformed.
fn one(words: &mut Words<'_>) -> Option<bool> {
    let first = words.next()?;
    if first == "(" {
        let inside = any(words)?;
        return (words.next()? == ")").then_some(inside);
    }
    let mut name = first.to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next()?);
    }
    Some(ALLOWED.contains(&name.as_str()) || name == OPENSSL)
}

/// `rust-toolchain.toml` names the compiler that runs.
pub(super) fn toolchain_is_the_pinned_one(house: &House) -> Vec<Finding> {
    const FILE: &str = "rust-toolchain.toml";
    let pinned = house.text(FILE).and_then(|text| {
        let table: toml::Table = text.parse().ok()?;
        table.get("toolchain")?.get("channel")?.as_str().map(str::to_owned)
    });
    let words = match pinned {
        None => "names no channel: write channel = \"X.Y.Z\"".to_owned(),
        Some(pinned) if pinned != house.rustc => {
            format!("names {pinned}, but rustc {} runs: install the named one", house.rustc)
        }
        Some(_) => return Vec::new(),
    };
    vec![Finding::new(FILE, words)]
}

/// `Cargo.lock` exists and is not kept out of the repository.
pub(super) fn lock_file_is_kept(house: &House) -> Vec<Finding> {
    const FILE: &str = "Cargo.lock";
    let ignored = house.text(".gitignore").unwrap_or_default();
    let is_ignored = ignored.lines().any(|line| line.trim().trim_start_matches('/') == FILE);
    if house.text(FILE).is_some() && !is_ignored {
        return Vec::new();
    }
    vec![Finding::new(FILE, "must be there and not be ignored: commit it")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions_are_judged_as_a_whole() {
        let fine = [
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR MIT",
            "ISC AND (Apache-2.0 OR ISC) AND OpenSSL",
            "LGPL-2.1-or-later OR MIT",
        ];
        let bad = [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR Apache-2.0) AND SSPL-1.0",
            "GPL-2.0 WITH Classpath-exception-2.0",
            "MIT OR",
            "(MIT",
            "MIT Apache-2.0",
            "",
        ];
        let judge = |text: &str| {
            let mut house = House::default();
            house.licences.push(("x".to_owned(), Some(text.to_owned())));
            licences_allow_use(&house)
        };
        fine.iter().for_each(|text| assert_eq!(judge(text), [], "{text}"));
        bad.iter().for_each(|text| assert_eq!(judge(text).len(), 1, "{text}"));
        let mut house = House::default();
        house.licences.push(("x".to_owned(), None));
        assert_eq!(licences_allow_use(&house).len(), 1);
    }

    #[test]
    fn another_compiler_than_the_pinned_one_is_found() {
        let pin = "[toolchain]\nchannel = \"1.95.0\"\n";
        let mut house = House::of_files(&[("rust-toolchain.toml", pin)]);
        house.rustc = "1.95.0".to_owned();
        assert_eq!(toolchain_is_the_pinned_one(&house), []);
        house.rustc = "1.96.0".to_owned();
        assert_eq!(toolchain_is_the_pinned_one(&house).len(), 1);
        assert_eq!(toolchain_is_the_pinned_one(&House::default()).len(), 1);
    }

    #[test]
    fn a_lock_file_that_is_missing_or_ignored_is_found() {
        let lock = ("Cargo.lock", "version = 4\n");
        assert_eq!(lock_file_is_kept(&House::of_files(&[lock])), []);
        assert_eq!(lock_file_is_kept(&House::default()).len(), 1);
        let ignored = House::of_files(&[lock, (".gitignore", "/target\nCargo.lock\n")]);
        assert_eq!(lock_file_is_kept(&ignored).len(), 1);
    }
}

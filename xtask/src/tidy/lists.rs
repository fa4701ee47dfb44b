//! Rules on lists: what exists is named where people look.

use super::Finding;
use super::house::House;
use super::source::find_word;

/// A folder whose files are extensions, and the file that lists them.
struct List {
    folder: &'static str,
    list: &'static str,
    /// Files that are shared by extensions and are none themselves.
    private: &'static [&'static str],
}

const LISTS: [List; 5] = [
    List {
        folder: "crates/finstage-strategies/src/",
        list: "crates/finstage-strategies/src/lib.rs",
        private: &["lib", "cross"],
    },
    List {
        folder: "crates/finstage-quant/src/indicators/",
        list: "crates/finstage-quant/src/indicators/mod.rs",
        private: &["mod", "directional"],
    },
    List {
        folder: "crates/finstage-notify/src/notifiers/",
        list: "crates/finstage-notify/src/notifiers/mod.rs",
        private: &["mod"],
    },
    List {
        folder: "crates/finstage-feeds/src/venues/",
        list: "crates/finstage-feeds/src/venues/mod.rs",
        private: &["mod"],
    },
    List {
        folder: "crates/finstage-llm/src/providers/",
        list: "crates/finstage-llm/src/providers/mod.rs",
        private: &["mod"],
    },
];

/// Every file in a folder of extensions appears in its list, beyond its `mod` line.
pub(super) fn extensions_are_listed(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for List { folder, list, private } in LISTS {
        let listed = |name: &str| {
            let list = house.files.iter().find(|file| file.path == list);
            list.is_some_and(|file| {
                file.source().numbered().any(|(_, line)| names(&line.code, name))
            })
        };
        let inside = house.rust().filter_map(|file| {
            let name = file.path.strip_prefix(folder)?.strip_suffix(".rs")?;
            (!name.contains('/') && !private.contains(&name)).then_some((&file.path, name))
        });
        for (path, name) in inside.filter(|(_, name)| !listed(name)) {
            let words = format!("not listed: name {name}:: in the list of {list}");
            findings.push(Finding::new(path.clone(), words));
        }
    }
    findings
}

/// Whether code uses something of module `name`.
fn names(code: &str, name: &str) -> bool {
    let is_declaration = find_word(code, "mod").is_some();
    !is_declaration && find_word(code, name).is_some_and(|end| code[end..].starts_with("::"))
}

/// Every crate is named in the README or on the map of the house.
pub(super) fn crates_are_on_the_map(house: &House) -> Vec<Finding> {
    const MAPS: [&str; 2] = ["ARCHITECTURE.md", "README.md"];
    let is_shown = |name: &str| {
        // The crates' common prefix may be left out.
        let short = name.strip_prefix("finstage-").unwrap_or(name);
        let texts = MAPS.iter().filter_map(|map| house.text(map));
        texts.flat_map(str::lines).any(|line| {
            find_word(line, name).is_some() || find_word(line, &format!("`{short}`")).is_some()
        })
    };
    let missing = house.packages.iter().filter(|package| !is_shown(&package.name));
    missing
        .map(|package| Finding::new(MAPS[0], format!("does not name {}", package.name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_without_its_line_is_found() {
        let list =
            "mod alpha;\nmod beta;\n// beta::X\nconst ALL: &[E] = &[alpha::UP, alpha::DOWN];\n";
        let house = House::of_files(&[
            ("crates/finstage-strategies/src/lib.rs", list),
            ("crates/finstage-strategies/src/alpha.rs", ""),
            ("crates/finstage-strategies/src/beta.rs", ""),
            ("crates/finstage-strategies/src/cross.rs", ""),
            ("crates/finstage-strategies/src/alpha/tests.rs", ""),
            ("crates/finstage-feeds/src/venues/binance.rs", ""),
        ]);
        let places: Vec<_> = extensions_are_listed(&house).into_iter().map(|f| f.place).collect();
        assert_eq!(
            places,
            [
                "crates/finstage-strategies/src/beta.rs",
                "crates/finstage-feeds/src/venues/binance.rs"
            ]
        );
    }

    #[test]
    fn a_crate_that_the_map_leaves_out_is_found() {
        let mut house = House::of_files(&[
            ("ARCHITECTURE.md", "finstage-net speaks, `store` remembers"),
            ("README.md", "xtask"),
        ]);
        for name in ["finstage-net", "finstage-store", "finstage-lab", "xtask"] {
            house.add_package(name, 1);
        }
        let findings = crates_are_on_the_map(&house);
        assert_eq!(findings, [Finding::new("ARCHITECTURE.md", "does not name finstage-lab")]);
    }
}

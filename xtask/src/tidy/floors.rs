//! Rules on manifests: who may know whom.

use super::Finding;
use super::house::{House, Package};

/// A tool for the workspace, on no floor: it may use what tests need.
const TOOL: &str = "xtask";
const BINARY: &str = "finstage";
const LAB: &str = "finstage-lab";

/// Every crate names its floor and depends on crates of lower floors only, for tests too: a test
/// that needs a higher floor belongs there.
pub(super) fn arrows_point_down(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in crates(house) {
        let Some(floor) = package.floor else {
            findings.push(package.finding("no floor: add [package.metadata.finstage] floor = N"));
            continue;
        };
        for dependency in &package.dependencies {
            let target = house.packages.iter().find(|other| other.name == dependency.name);
            if let Some(below) = target.and_then(|target| target.floor)
                && below >= floor
            {
                let name = &dependency.name;
                findings.push(package.finding(&format!(
                    "floor {floor} uses {name} of floor {below}: move the shared word down"
                )));
            }
        }
    }
    findings
}

/// `finstage-model` depends on serde and serde_json alone.
pub(super) fn model_needs_serde_only(house: &House) -> Vec<Finding> {
    let allowed = |name: &str| name == "serde" || name == "serde_json";
    refuse(house, |package, name| package == "finstage-model" && !allowed(name))
}

/// Engine, strategies and quant know no async runtime, network, disk or clock.
pub(super) fn core_stays_pure(house: &House) -> Vec<Finding> {
    const CORE: [&str; 3] = ["finstage-engine", "finstage-strategies", "finstage-quant"];
    const OUTSIDE: [&str; 7] =
        ["tokio", "finstage-net", "finstage-store", "jiff", "chrono", "time", "reqwest"];
    refuse(house, |package, name| CORE.contains(&package) && OUTSIDE.contains(&name))
}

/// Feeds hand events on; they know neither who applies nor who keeps them.
pub(super) fn feeds_know_no_engine_or_store(house: &House) -> Vec<Finding> {
    const HIDDEN: [&str; 2] = ["finstage-engine", "finstage-store"];
    refuse(house, |package, name| package == "finstage-feeds" && HIDDEN.contains(&name))
}

/// Only the binary depends on the lab, for its commands; tests of others do not either.
pub(super) fn only_the_binary_knows_the_lab(house: &House) -> Vec<Finding> {
    refuse(house, |package, name| package != BINARY && name == LAB)
}

/// Erased errors belong where they are printed.
pub(super) fn anyhow_in_the_binary_only(house: &House) -> Vec<Finding> {
    let erased = |name: &str| name == "anyhow" || name == "eyre" || name == "color-eyre";
    refuse(house, |package, name| package != BINARY && erased(name))
}

fn crates(house: &House) -> impl Iterator<Item = &Package> {
    house.packages.iter().filter(|package| package.name != TOOL)
}

/// A finding for every dependency outside tests that `is_wrong`, called with package and name;
/// crates of ours are refused for tests too.
fn refuse(house: &House, is_wrong: impl Fn(&str, &str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in crates(house) {
        for dependency in &package.dependencies {
            let counts = !dependency.is_dev || dependency.name.starts_with("finstage");
            if counts && is_wrong(&package.name, &dependency.name) {
                findings.push(package.finding(&format!("must not depend on {}", dependency.name)));
            }
        }
    }
    findings
}

impl Package {
    fn finding(&self, words: &str) -> Finding {
        Finding::new(format!("{}Cargo.toml", self.folder), words)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Check;
    use super::*;

    #[test]
    fn an_arrow_to_the_same_or_a_higher_floor_is_found() {
        let mut house = House::of_packages(&[
            ("finstage-model", 0, &["serde"]),
            ("finstage-quant", 1, &["finstage-model", "dev:finstage-net"]),
            ("finstage-net", 1, &["finstage-model", "tokio"]),
            ("finstage-feeds", 2, &["finstage-net", "finstage-lab"]),
            ("finstage-lab", 3, &["finstage-model"]),
            ("xtask", 0, &["finstage-lab"]),
        ]);
        let findings = arrows_point_down(&house);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].words.contains("floor 1 uses finstage-net of floor 1"));
        assert_eq!(findings[1].place, "crates/finstage-feeds/Cargo.toml");
        house.packages[0].floor = None;
        assert!(arrows_point_down(&house)[0].words.contains("no floor"));
    }

    #[test]
    fn each_forbidden_dependency_is_found() {
        let cases: [(Check, &str, &str); 9] = [
            (model_needs_serde_only, "finstage-model", "jiff"),
            (core_stays_pure, "finstage-engine", "tokio"),
            (core_stays_pure, "finstage-strategies", "finstage-store"),
            (core_stays_pure, "finstage-quant", "dev:finstage-net"),
            (feeds_know_no_engine_or_store, "finstage-feeds", "finstage-engine"),
            (feeds_know_no_engine_or_store, "finstage-feeds", "dev:finstage-store"),
            (only_the_binary_knows_the_lab, "finstage-notify", "finstage-lab"),
            (only_the_binary_knows_the_lab, "finstage-notify", "dev:finstage-lab"),
            (anyhow_in_the_binary_only, "finstage-net", "anyhow"),
        ];
        for (rule, package, dependency) in cases {
            let found = rule(&House::of_packages(&[(package, 2, &[dependency])]));
            assert_eq!(found.len(), 1, "{package} {dependency}");
        }
        let fine = House::of_packages(&[
            ("finstage-model", 0, &["serde", "serde_json", "dev:proptest"]),
            ("finstage", 4, &["anyhow", "tokio", "finstage-lab"]),
            ("xtask", 0, &["anyhow"]),
        ]);
        for (rule, ..) in cases {
            assert_eq!(rule(&fine), []);
        }
    }
}

//! The tree as rules see it: files, packages, and the compiler that runs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::source::Source;
use crate::{output_of, root};

/// Folders that are not ours to judge.
const SKIPPED: [&str; 4] = ["target", ".git", "finstage-data", "node_modules"];

/// A file larger than this is no source.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Everything that rules look at.
#[derive(Debug, Default)]
pub(crate) struct House {
    /// The text files, by path.
    pub(super) files: Vec<File>,
    /// The packages of the workspace.
    pub(crate) packages: Vec<Package>,
    /// Name and licence of every package that is linked on this platform.
    pub(super) licences: Vec<(String, Option<String>)>,
    /// `1.95.0`, of the compiler that runs.
    pub(super) rustc: String,
}

/// A text file.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    pub(super) text: String,
}

impl File {
    /// The file as Rust.
    pub(crate) fn source(&self) -> Source {
        Source::new(&self.path, &self.text)
    }
}

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder from the root, with a `/` at the end.
    pub(crate) folder: String,
    /// `[package.metadata.finstage] floor`.
    pub(super) floor: Option<u64>,
    pub(super) dependencies: Vec<Dependency>,
}

/// One line of a manifest.
#[derive(Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// For tests only.
    pub(super) is_dev: bool,
}

impl House {
    /// Reads the workspace this program was built from.
    pub(crate) fn load() -> Result<Self> {
        let root = root()?;
        let mut house = Self::default();
        walk(&root, &root, &mut house.files)?;
        house.files.sort_by(|a, b| a.path.cmp(&b.path));

        let compiler = output_of("rustc", &["-vV"])?;
        let field = |name: &str| {
            let line = compiler.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim).with_context(|| format!("rustc -vV says no {name}"))
        };
        house.rustc = field("release:")?.to_owned();
        let host = field("host:")?;
        // Other platforms' packages may not be on this disk, and tests do not use the network.
        let arguments =
            ["metadata", "--format-version", "1", "--locked", "--filter-platform", host];
        let metadata: Value = serde_json::from_str(&output_of("cargo", &arguments)?)?;
        for package in metadata["packages"].as_array().context("cargo lists no packages")? {
            let name = text(package, "name")?;
            if package["source"].is_null() {
                house.packages.push(Package::read(package, &root)?);
            }
            house.licences.push((name, package["license"].as_str().map(str::to_owned)));
        }
        Ok(house)
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The text of the file at `path`.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }
}

impl Package {
    fn read(package: &Value, root: &Path) -> Result<Self> {
        let manifest = text(package, "manifest_path")?;
        let folder = Path::new(&manifest).parent().context("a manifest lies in a folder")?;
        let dependencies = package["dependencies"].as_array().context("no dependencies")?;
        let dependencies = dependencies.iter().map(|dependency| {
            let is_dev = dependency["kind"] == "dev";
            Ok(Dependency { name: text(dependency, "name")?, is_dev })
        });
        Ok(Self {
            name: text(package, "name")?,
            folder: format!("{}/", relative(folder, root)?),
            floor: package["metadata"]["finstage"]["floor"].as_u64(),
            dependencies: dependencies.collect::<Result<_>>()?,
        })
    }
}

fn text(value: &Value, name: &str) -> Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("cargo tells no {name}"))
}

fn relative(path: &Path, root: &Path) -> Result<String> {
    let path = path.strip_prefix(root)?.to_str().context("a path that is not UTF-8")?;
    Ok(path.replace('\\', "/"))
}

fn walk(folder: &Path, root: &Path, files: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        // In a further working tree `.git` is a file.
        if SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
            continue;
        }
        if kind.is_dir() {
            walk(&path, root, files)?;
        } else if kind.is_file()
            && entry.metadata()?.len() <= MAX_FILE_BYTES
            && let Ok(text) = String::from_utf8(fs::read(&path)?)
        {
            files.push(File { path: relative(&path, root)?, text });
        }
    }
    Ok(())
}

#[cfg(test)]
impl House {
    /// A house of these files alone.
    pub(crate) fn of_files(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File { path: path.into(), text: text.into() };
        Self { files: files.iter().map(file).collect(), ..Self::default() }
    }

    /// Adds the package in `crates/NAME` without dependencies.
    pub(crate) fn add_package(&mut self, name: &str, floor: u64) {
        self.packages.push(Package {
            name: name.to_owned(),
            folder: format!("crates/{name}/"),
            floor: Some(floor),
            dependencies: Vec::new(),
        });
    }

    /// A house of packages: name, floor, and what each depends on (`dev:NAME` for tests).
    pub(super) fn of_packages(packages: &[(&str, u64, &[&str])]) -> Self {
        let mut house = Self::default();
        for &(name, floor, dependencies) in packages {
            house.add_package(name, floor);
            let read = |&text: &&str| {
                let is_dev = text.starts_with("dev:");
                Dependency { name: text.trim_start_matches("dev:").to_owned(), is_dev }
            };
            let last = house.packages.last_mut().expect("just added");
            last.dependencies = dependencies.iter().map(read).collect();
        }
        house
    }
}

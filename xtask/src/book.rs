//! The documentation as a book, by mdBook.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{debian, python, root};

/// The version that is installed where none is there.
const VERSION: &str = "0.5.4";

/// Builds it into the target folder; installs mdBook there where it is missing.
pub(crate) fn build() -> Result<()> {
    built_by(&program()?)
}

/// The same for the test command, which goes on with a word where mdBook cannot be had.
pub(crate) fn check() -> Result<()> {
    match program() {
        Ok(program) => built_by(&program),
        Err(why) => {
            eprintln!("    skipped: {why:#}");
            Ok(())
        }
    }
}

fn built_by(program: &Path) -> Result<()> {
    let to = python::target_folder()?.join("book");
    let mut command = Command::new(program);
    debian::run(command.args(["build", "--dest-dir"]).arg(&to).current_dir(root()?))?;
    eprintln!("    the book: {}", to.join("index.html").display());
    Ok(())
}

fn program() -> Result<PathBuf> {
    let tools = python::target_folder()?.join("tools");
    let own = tools.join("bin/mdbook");
    let found = [Path::new("mdbook"), &own].into_iter().find(|it| debian::runs(it, &["--version"]));
    if let Some(found) = found {
        return Ok(found.to_owned());
    }
    eprintln!("    mdbook is missing: cargo install mdbook {VERSION} into {}", tools.display());
    let mut install = Command::new("cargo");
    install.args(["install", "mdbook", "--quiet", "--locked", "--version", VERSION]);
    install.args(["--no-default-features", "--features", "search", "--debug", "--root"]);
    debian::run(install.arg(&tools)).context("installing mdbook")?;
    Ok(own)
}

//! Figures of this machine: the release build beside its peers.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::steps::Step;
use crate::{output_of, python, root};

/// Builds as users get it and runs `finstage bench` with these further words.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let (python, sweep) = (python::PEERS.python()?, python::SWEEP_PEER.python()?);
    let llm = python::LLM_PEERS.python()?;
    const BUILD: &str = "build --release --locked --package finstage";
    let commit = commit();
    Step::cargo("release build", BUILD)?.env("FINSTAGE_COMMIT", &commit).run()?.done()?;
    let mut bench = Command::new("cargo");
    bench.args(["run", "--release", "--quiet", "--locked", "--package", "finstage", "--", "bench"]);
    bench
        .arg("--python")
        .arg(python)
        .arg("--sweep-python")
        .arg(sweep)
        .arg("--llm-python")
        .arg(llm)
        .args(words)
        .current_dir(root()?);
    let status = bench
        .env("FINSTAGE_COMMIT", &commit)
        .stdin(Stdio::null())
        .status()
        .context("starting finstage bench")?;
    if !status.success() {
        bail!("finstage bench failed: what it says stands above");
    }
    Ok(())
}

/// The commit that is checked out, marked where files differ from it.
fn commit() -> String {
    let Ok(head) = output_of("git", &["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".into();
    };
    let changes = output_of("git", &["status", "--porcelain"]).unwrap_or_default();
    let mark = if changes.trim().is_empty() { "" } else { " with changes" };
    format!("{}{mark}", head.trim())
}

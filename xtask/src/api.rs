//! Whether the server does what its OpenAPI document says: schemathesis makes requests of the document, good
//! and bad ones, and looks at every answer. None may be a failure of the server, have a status that the
//! document does not name, or be of another form.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::browser::Demo;
use crate::{pages, python};

/// Requests are made of it, so that each run sends the same.
const SEED: &str = "7";
/// How many requests chance makes for each operation, besides those that follow from the document.
const EXAMPLES: u32 = 3;
/// As many in the long run, which also follows where one answer leads to the next.
const MANY_EXAMPLES: u32 = 100;
/// Not looked at: a value may have the right form and name nothing, such as a cursor, a task's type or a symbol
/// that is not watched. The answer is 400 then, with words.
const NOT_LOOKED_AT: &str = "positive_data_acceptance";
/// The lines of its report that say how much was asked.
const TOLD: [&str; 2] = ["generated", "no issues found"];

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Some seconds.
    Short,
    /// Some minutes.
    Long,
}

/// Starts the program with its simulator and asks it everything.
pub(crate) fn check(effort: Effort) -> Result<()> {
    let python = python::CLIENTS.python()?;
    let folder = python::target_folder()?.join("schemathesis");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    let data = folder.join("data");
    let mut demo = Demo::start(&pages::build()?, &["--data-dir", &data.to_string_lossy()])?;
    let link = demo.link()?;
    let place = link.split("/?").next().context("the link has no address")?;
    let token = fs::read_to_string(data.join("token")).context("reading the token")?;
    let (phases, examples) = match effort {
        Effort::Short => ("examples,coverage,fuzzing", EXAMPLES),
        Effort::Long => ("examples,coverage,fuzzing,stateful", MANY_EXAMPLES),
    };
    let done = Command::new(python)
        .args(["-m", "schemathesis.cli", "run", &format!("{place}/openapi.json")])
        .args(["--header", &format!("Authorization: Bearer {}", token.trim())])
        .args(["--seed", SEED, "--phases", phases, "--max-examples", &examples.to_string()])
        .args(["--checks", "all", "--exclude-checks", NOT_LOOKED_AT])
        .args(["--continue-on-failure", "--no-color", "--warnings", "off"])
        // What it kept of earlier runs would make this one another.
        .args(["--generation-database", "none"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .context("starting schemathesis")?;
    let said = String::from_utf8_lossy(&done.stdout);
    fs::write(folder.join("report.txt"), said.as_bytes())?;
    let words = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "the server does not do what its document says:\n{said}{words}");
    for line in said.lines().filter(|line| TOLD.iter().any(|told| line.contains(told))) {
        eprintln!("    {}", line.trim_matches([' ', '=']));
    }
    Ok(())
}

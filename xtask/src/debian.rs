//! Programs of the system that tests need, installed where that is possible and said where it is not.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::output_of;

/// Sees to it that `works` holds, by installing `packages` of Debian or Ubuntu where it does not.
/// `what` says in words what is missing.
pub(crate) fn ensure(what: &str, packages: &[&str], works: impl Fn() -> bool) -> Result<()> {
    if works() {
        return Ok(());
    }
    let list = packages.join(" ");
    let is_root = output_of("id", &["-u"]).is_ok_and(|id| id.trim() == "0");
    if !is_root {
        bail!("{what} is missing: as root, apt-get install -y {list}");
    }
    eprintln!("    {what} is missing: apt-get install -y {list}");
    let install = || {
        let install = ["install", "-y", "--no-install-recommends"];
        run(Command::new("apt-get").args(install).args(packages))
    };
    if install().is_err() {
        eprintln!("    perhaps the lists of packages are old: apt-get update");
        run(Command::new("apt-get").arg("update"))?;
        install()?;
    }
    if !works() {
        bail!("{what} does not work although {list} is installed");
    }
    Ok(())
}

/// Whether a program is there and ends well with these arguments.
pub(crate) fn runs(program: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a program that shows what it does on stderr.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("starting {shown}"))?;
    if !status.success() {
        bail!("{shown} failed: what it says stands above");
    }
    Ok(())
}

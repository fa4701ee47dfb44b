//! The dashboard: what is committed is what its source builds, and it does what people do with it, in a
//! real browser, against the real program and its simulator.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::debian::{self, run};
use crate::{output_of, pages, python, root};

/// Where its source lies.
const FOLDER: &str = "crates/finstage-server/dashboard";
/// The oldest Node that its build tool runs on.
const NODE_THAT_BUILDS: (u32, u32) = (20, 19);
/// Of which lock file the installed packages are; written last.
const STAMP: &str = "node_modules/finstage-lock.json";
/// What the line with the link has in it.
const LOGIN: &str = "/?login=";

/// Has Node and npm.
pub(crate) fn ensure_node() -> Result<()> {
    debian::ensure("Node with npm", &["nodejs", "npm"], || {
        ["node", "npm"].iter().all(|name| debian::runs(Path::new(name), &["--version"]))
    })
}

/// Has a browser, Node, and the page's packages.
pub(crate) fn install() -> Result<()> {
    ensure_node()?;
    debian::ensure("Chromium", &["chromium"], || {
        debian::runs(Path::new("chromium"), &["--version"])
    })?;
    packages(&root()?.join(FOLDER))
}

/// Checks source and page.
pub(crate) fn check() -> Result<()> {
    install()?;
    let folder = root()?.join(FOLDER);
    if node()? >= NODE_THAT_BUILDS {
        is_built(&folder)?;
        run(npm(&folder).args(["test", "--silent"]))?;
    } else {
        let (major, minor) = NODE_THAT_BUILDS;
        eprintln!("    Node is older than {major}.{minor}: the page is tried, not built again");
    }
    page(&folder)
}

fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder);
    command
}

/// Major and minor version of Node.
fn node() -> Result<(u32, u32)> {
    let text = output_of("node", &["--version"])?;
    let mut parts = text.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => bail!("node --version said {text}"),
    }
}

/// Installs what the lock file names, unless it is there.
pub(crate) fn packages(folder: &Path) -> Result<()> {
    let lock = fs::read(folder.join("package-lock.json")).context("reading package-lock.json")?;
    let stamp = folder.join(STAMP);
    if fs::read(&stamp).is_ok_and(|known| known == lock) {
        return Ok(());
    }
    eprintln!("    npm ci in {}", folder.display());
    run(npm(folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]))?;
    fs::write(stamp, lock).context("writing the stamp of the packages")
}

/// Fails where the committed page is not what its source makes.
fn is_built(folder: &Path) -> Result<()> {
    let fresh = python::target_folder()?.join("dashboard");
    let to = fresh.to_string_lossy().into_owned();
    run(npm(folder).args(["run", "--silent", "build", "--", "--emptyOutDir", "--outDir", &to]))?;
    let (built, kept) = (files(&fresh)?, files(&folder.join("dist"))?);
    ensure!(
        built == kept,
        "{FOLDER}/dist is not what its source makes: run npm run build there and commit it"
    );
    Ok(())
}

/// All files below a folder, by name.
fn files(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let content = fs::read(&path)?;
            found.push((path.strip_prefix(folder)?.to_owned(), content));
        }
    }
    found.sort();
    Ok(found)
}

/// Does in a browser what people do.
fn page(folder: &Path) -> Result<()> {
    let mut demo = Demo::start(&pages::build()?, &[])?;
    let link = demo.link()?;
    let shots = python::target_folder()?.join("screenshots");
    fs::create_dir_all(&shots)?;
    let mut node = Command::new("node");
    run(node.arg("tests/browser.mjs").arg(link).arg("--shots").arg(shots).current_dir(folder))
}

/// The program with its simulator, ended when it is dropped.
pub(crate) struct Demo {
    child: Child,
}

impl Demo {
    /// Starts it with these arguments besides its own.
    pub(crate) fn start(program: &Path, more: &[&str]) -> Result<Self> {
        let child = Command::new(program)
            .args(["demo", "--seed", "7", "--port", "0"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { child })
    }

    /// The link that signs in. What is said later is read and dropped: a full pipe would stop it.
    pub(crate) fn link(&mut self) -> Result<String> {
        let said = self.child.stderr.take().context("stderr was piped")?;
        let mut lines = BufReader::new(said).lines();
        let mut kept = String::new();
        for line in lines.by_ref() {
            let line = line?;
            let link = line.split_whitespace().find(|word| word.contains(LOGIN));
            if let Some(link) = link {
                let link = link.to_owned();
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(link);
            }
            kept.push_str(&line);
            kept.push('\n');
        }
        bail!("the demo ended without a link:\n{kept}")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Nothing can be done about either.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

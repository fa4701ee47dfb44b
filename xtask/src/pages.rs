//! Reference pages that the program writes about itself, so that they cannot be wrong.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{output_of, root};

/// How deep commands nest.
const MAX_DEPTH: usize = 3;

/// Columns of help texts, whatever terminal this runs in.
const HELP_COLUMNS: &str = "100";

/// One generated page.
struct Page {
    file: &'static str,
    title: &'static str,
    intro: &'static str,
    content: Content,
}

enum Content {
    /// The help of every command, found by following the lists in the help texts.
    Help,
    /// What these commands print, each under its heading, as the language named.
    Printed(&'static [(&'static str, &'static [&'static str], &'static str)]),
}

const PAGES: &[Page] = &[
    Page {
        file: "docs/reference/cli.md",
        title: "Commands",
        intro: "Every command and its options, as `--help` prints them.",
        content: Content::Help,
    },
    Page {
        file: "docs/reference/settings.md",
        title: "Settings",
        intro: "`finstage.toml`: all settings with their defaults, and the schema for editors.",
        content: Content::Printed(&[
            ("Defaults", &["config", "default"], "toml"),
            ("Schema", &["config", "schema"], "json"),
        ]),
    },
];

/// Writes all pages.
pub(crate) fn write() -> Result<()> {
    let program = build()?;
    for page in PAGES {
        let path = root()?.join(page.file);
        fs::create_dir_all(path.parent().context("a page lies in a folder")?)?;
        fs::write(&path, page.text(&program)?).with_context(|| format!("writing {}", page.file))?;
        eprintln!("wrote {}", page.file);
    }
    Ok(())
}

/// Compares all pages with what the program says now.
pub(crate) fn check() -> Result<()> {
    let program = build()?;
    for page in PAGES {
        let committed = fs::read_to_string(root()?.join(page.file)).unwrap_or_default();
        let is_fresh = committed == page.text(&program)?;
        ensure!(is_fresh, "{} is not what the program says: run cargo xtask pages", page.file);
    }
    Ok(())
}

/// Builds the program and finds where it lies. It is the one that the tests run: built alone it would
/// have other features, and most of the house would be compiled once more.
pub(crate) fn build() -> Result<PathBuf> {
    let arguments = "test --no-run --workspace --locked --message-format=json-render-diagnostics";
    let messages = output_of("cargo", &arguments.split(' ').collect::<Vec<_>>())?;
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let target = message.get("target")?;
        let is_ours = target["name"] == "finstage" && target["kind"][0] == "bin";
        let is_test = message["profile"]["test"] == true;
        let path = message.get("executable")?.as_str().filter(|_| is_ours && !is_test)?;
        Some(PathBuf::from(path))
    };
    messages.lines().find_map(executable).context("cargo names no executable of finstage")
}

impl Page {
    fn text(&self, program: &PathBuf) -> Result<String> {
        let mut text = format!("# {}\n\n{}\n", self.title, self.intro);
        text.push_str("\n<!-- Written by `cargo xtask pages`; do not edit. -->\n");
        match self.content {
            Content::Help => help(program, &mut Vec::new(), &mut text)?,
            Content::Printed(sections) => {
                for (heading, words, language) in sections {
                    let printed = ask(program, words)?;
                    section(&mut text, heading, language, &printed);
                }
            }
        }
        Ok(text)
    }
}

fn section(text: &mut String, heading: &str, language: &str, content: &str) {
    text.push_str(&format!("\n## {heading}\n\n```{language}\n{}\n```\n", content.trim_end()));
}

/// Appends the help of a command and of the commands below it.
fn help(program: &PathBuf, path: &mut Vec<String>, text: &mut String) -> Result<()> {
    let mut words: Vec<&str> = path.iter().map(String::as_str).collect();
    let heading = [&["finstage"], &words[..]].concat().join(" ");
    words.push("--help");
    let printed = ask(program, &words)?;
    section(text, &format!("`{heading}`"), "text", &printed);
    if path.len() == MAX_DEPTH {
        return Ok(());
    }
    for command in commands(&printed) {
        path.push(command);
        help(program, path, text)?;
        path.pop();
    }
    Ok(())
}

/// The names in the `Commands:` list of a help text.
pub(crate) fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    list.take_while(|line| line.starts_with(' ') || line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn ask(program: &PathBuf, words: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(words)
        .env("COLUMNS", HELP_COLUMNS)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    if !output.status.success() {
        let words = words.join(" ");
        bail!("finstage {words}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_a_help_text() {
        let help = "Watches markets\n\nUsage: finstage <COMMAND>\n\nCommands:\n  demo    the whole \
                    product\n          offline\n  config  settings\n  help    Print this\n\n\
                    Options:\n  -v, --verbose  more\n";
        assert_eq!(commands(help), ["demo", "config"]);
        assert_eq!(commands("Usage: x\n\nOptions:\n  -v  more\n"), Vec::<String>::new());
    }

    #[test]
    fn a_section_fences_its_content() {
        let mut text = String::new();
        section(&mut text, "Defaults", "toml", "a = 1\n\n");
        assert_eq!(text, "\n## Defaults\n\n```toml\na = 1\n```\n");
    }
}

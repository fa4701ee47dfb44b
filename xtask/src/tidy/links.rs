//! Rules on pages: links lead somewhere, and every page can be found.

use std::collections::BTreeSet;

use super::Finding;
use super::house::{File, House};

/// The table of contents of the book.
const CONTENTS: &str = "docs/SUMMARY.md";

/// Every relative link of a page names a file that is there and, behind `#`, a heading of it.
pub(super) fn links_lead_somewhere(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages(house) {
        for (number, target) in links(&page.text) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            // Pictures are no text files; a folder is told by what lies in it.
            if path.contains("://") || path.starts_with("mailto:") || is_picture(path) {
                continue;
            }
            let full = if path.is_empty() { page.path.clone() } else { joined(&page.path, path) };
            let Some(to) = house.files.iter().find(|file| file.path == full) else {
                let is_folder = house.files.iter().any(|file| is_inside(&file.path, &full));
                if !is_folder {
                    findings.push(Finding::at(&page.path, number, format!("no file {full}")));
                }
                continue;
            };
            if !heading.is_empty() && !headings(&to.text).contains(heading) {
                let words = format!("{full} has no heading #{heading}");
                findings.push(Finding::at(&page.path, number, words));
            }
        }
    }
    findings
}

/// Every page of the docs is a chapter of the book.
pub(super) fn pages_are_in_the_book(house: &House) -> Vec<Finding> {
    let Some(contents) = house.files.iter().find(|file| file.path == CONTENTS) else {
        return vec![Finding::new(CONTENTS, "is missing")];
    };
    let listed: BTreeSet<String> =
        links(&contents.text).map(|(_, target)| joined(CONTENTS, target)).collect();
    let docs = pages(house).filter(|page| page.path.starts_with("docs/") && page.path != CONTENTS);
    docs.filter(|page| !listed.contains(&page.path))
        .map(|page| Finding::new(&page.path, format!("is no chapter: name it in {CONTENTS}")))
        .collect()
}

fn pages(house: &House) -> impl Iterator<Item = &File> {
    house.files.iter().filter(|file| file.path.ends_with(".md"))
}

fn is_picture(path: &str) -> bool {
    [".png", ".svg", ".jpg"].iter().any(|end| path.ends_with(end))
}

fn is_inside(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

/// Lines of prose with their numbers: no code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some((number, line))
    })
}

/// Targets of links, each with its line.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    prose(text).flat_map(|(number, line)| {
        let ends = line.match_indices("](").map(|(at, found)| at + found.len());
        ends.filter_map(move |at| Some((number, line[at..].split(')').next()?)))
            .filter(|(_, target)| !target.is_empty())
    })
}

/// A path as it is from the root, when it is written in `page`.
fn joined(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// What headings are called behind `#`.
fn headings(text: &str) -> BTreeSet<String> {
    let titles = prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| title.trim())
    });
    titles
        .map(|title| {
            let kept = title.to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_nothing_is_found_with_its_line() {
        let house = House::of_files(&[
            ("README.md", "[a](docs/a.md#two-words) [b](docs/b.md)\n[c](docs)\n![p](p.png)"),
            (
                "docs/a.md",
                "# A\n```\n[not](a/link.md)\n## Not\n```\n## Two `words`!\n[up](../README.md#x)",
            ),
            ("docs/c/d.md", "[own](#here)\n# Here\n[a](../a.md) [web](https://example.org/x)"),
        ]);
        let places: Vec<_> = links_lead_somewhere(&house).iter().map(Finding::to_string).collect();
        assert_eq!(
            places,
            ["README.md:1: no file docs/b.md", "docs/a.md:7: README.md has no heading #x"]
        );
    }

    #[test]
    fn a_page_that_is_no_chapter_is_found() {
        let contents = ("docs/SUMMARY.md", "# Summary\n- [A](guides/a.md)");
        let house = House::of_files(&[contents, ("docs/guides/a.md", ""), ("docs/b.md", "")]);
        let places: Vec<_> = pages_are_in_the_book(&house).into_iter().map(|f| f.place).collect();
        assert_eq!(places, ["docs/b.md"]);
    }
}

//! What the docs tell people to type can be typed.

use std::path::{Path, PathBuf};

use clap::Parser;
use finstage::cli::Cli;

/// Pages of the docs and the two READMEs.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md"), root.join("README.ko.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// The lines of a page's shell blocks that call the program, with their numbers.
fn commands(page: &str) -> Vec<(usize, String)> {
    let (mut commands, mut block, mut begun) = (Vec::new(), None, String::new());
    for (line, number) in page.lines().zip(1..) {
        if let Some(name) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(name.trim()) };
            continue;
        }
        let typed = match block {
            Some("sh" | "bash" | "console") => line.strip_prefix("$ ").unwrap_or(line),
            Some("text") => match line.strip_prefix("$ ") {
                Some(typed) => typed,
                None => continue,
            },
            _ => continue,
        };
        begun.push_str(typed);
        if begun.ends_with('\\') {
            begun.pop();
            continue;
        }
        let whole = std::mem::take(&mut begun);
        for part in words(&whole) {
            // Variables in front of a command are no part of it.
            let mut part: Vec<_> = part.into_iter().skip_while(|word| is_variable(word)).collect();
            if part.first().is_some_and(|first| first == "finstage") {
                part.retain(|word| word != "…");
                commands.push((number, part.join("\0")));
            }
        }
    }
    commands
}

fn is_variable(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    word.contains('=') && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// A line as a shell reads it: commands of words, without comments and redirections.
fn words(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut word, mut quote) = (vec![Vec::new()], None::<String>, None);
    let mut is_target = false;
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            // What another command says is one word, whatever it is.
            (None, '(') if word.as_ref().is_some_and(|word| word.ends_with('$')) => {
                quote = Some(')');
            }
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (None, '#') if word.is_none() => break,
            (None, ' ' | '|' | '&' | ';' | '<' | '>') => {
                // `2>` names a stream.
                let named = (c == '>').then(|| word.take_if(|word| word == "2")).flatten();
                if let Some(word) = word.take().filter(|_| named.is_none()) {
                    if std::mem::take(&mut is_target) {
                        continue;
                    }
                    commands.last_mut().expect("it begins with one").push(word);
                }
                match c {
                    '<' | '>' => is_target = true,
                    '|' | '&' | ';' => commands.push(Vec::new()),
                    _ => {}
                }
            }
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    commands
}

#[test]
fn every_command_of_the_docs_is_understood() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (number, command) in commands(&text) {
            seen += 1;
            if let Err(error) = Cli::try_parse_from(command.split('\0')) {
                let is_help = error.exit_code() == 0;
                if !is_help {
                    let said = error.to_string();
                    let said = said.lines().next().unwrap_or_default();
                    wrong.push(format!(
                        "{}:{number}: {}: {said}",
                        page.display(),
                        command.replace('\0', " ")
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(seen > 150, "only {seen} commands were found");
}

#[test]
fn a_line_is_read_as_a_shell_reads_it() {
    let read = |line| words(line).into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>();
    assert_eq!(read("finstage a 'b c' \"d|e\" # f"), [["finstage", "a", "b c", "d|e"]]);
    assert_eq!(read("finstage x < in.csv > out.json"), [["finstage", "x"]]);
    assert_eq!(
        read("finstage a && finstage b 2>log | head"),
        [vec!["finstage", "a"], vec!["finstage", "b"], vec!["head"]]
    );
    assert_eq!(
        commands("```sh\nA=1 finstage a \\\n  b\n```\nfinstage c\n"),
        [(3, "finstage\0a\0b".into())]
    );
}

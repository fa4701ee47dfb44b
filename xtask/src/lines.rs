//! How large each crate is: a number to be proud of when it is small.

use anyhow::Result;

use crate::tidy::House;

/// Lines of one crate that are neither blank nor comments.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Lines {
    files: usize,
    code: usize,
    tests: usize,
    comments: usize,
}

impl Lines {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.code += other.code;
        self.tests += other.tests;
        self.comments += other.comments;
    }

    fn row(self, name: &str) -> String {
        let Self { files, code, tests, comments } = self;
        format!("| {name} | {files} | {code} | {tests} | {comments} |")
    }
}

/// Prints the table.
pub(crate) fn run() -> Result<()> {
    println!("{}", table(&House::load()?).join("\n"));
    Ok(())
}

fn table(house: &House) -> Vec<String> {
    let mut rows = vec![
        "| crate | files | code | tests | comments |".to_owned(),
        "|---|---:|---:|---:|---:|".to_owned(),
    ];
    let mut total = Lines::default();
    for package in &house.packages {
        let mut lines = Lines::default();
        for file in house.rust().filter(|file| file.path.starts_with(&package.folder)) {
            let source = file.source();
            lines.add(Lines {
                files: 1,
                code: source.code_lines(),
                tests: source.test_lines(),
                comments: source.comment_lines(),
            });
        }
        rows.push(lines.row(&package.name));
        total.add(lines);
    }
    rows.push(total.row("**all**"));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_kind() {
        let mut house = House::of_files(&[
            (
                "crates/a/src/lib.rs",
                "//! A.\n\nfn f() {}\n#[cfg(test)]\nmod tests {\n    // no\n}\n",
            ),
            ("crates/a/tests/it/main.rs", "mod x;\n"),
        ]);
        house.add_package("a", 0);
        let rows = table(&house);
        assert_eq!(rows[2], "| a | 2 | 1 | 4 | 2 |");
        assert_eq!(rows[3], "| **all** | 2 | 1 | 4 | 2 |");
    }
}

//! Rules on length.

use super::Finding;
use super::house::House;
use super::source::is_test_file;

/// Lines of a file outside its tests.
const MAX_FILE_LINES: usize = 600;
/// Lines of a file of tests.
const MAX_TEST_FILE_LINES: usize = 1_200;
/// Lines of code of a function.
const MAX_FUNCTION_LINES: usize = 70;
/// Stands above a function that is a table of data, followed by the reason.
const TABLE_MARK: &str = "// a table:";

/// Files hold at most 600 lines outside their tests; files of tests twice that.
pub(super) fn files_are_short(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in house.rust() {
        let (lines, bound) = if is_test_file(&file.path) {
            (file.text.lines().count(), MAX_TEST_FILE_LINES)
        } else {
            (file.source().lines_outside_tests(), MAX_FILE_LINES)
        };
        if lines > bound {
            let words = format!("{lines} lines, at most {bound}: split it by idea");
            findings.push(Finding::new(&file.path, words));
        }
    }
    findings
}

/// Functions hold at most 70 lines of code. Tests may be longer, and functions that are tables of
/// data, with `// a table: …` above them.
pub(super) fn functions_are_short(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in house.rust() {
        let source = file.source();
        let tests: Vec<bool> = source.numbered().map(|(_, line)| line.is_test).collect();
        for function in source.functions() {
            let first = *function.lines.start();
            let lines = source.code_lines_in(&function.lines);
            let is_table = source.above(first).any(|text| text.starts_with(TABLE_MARK));
            if lines > MAX_FUNCTION_LINES && !tests[first] && !is_table {
                let words = format!(
                    "fn {} has {lines} lines of code, at most {MAX_FUNCTION_LINES}: split it",
                    function.name
                );
                findings.push(Finding::at(&file.path, first + 1, words));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}() {{\n{}}}\n", "    f();\n\n    // why\n".repeat(lines - 2))
    }

    #[test]
    fn long_files_are_found_and_their_tests_do_not_count() {
        let lines = |n: usize| "const A: u8 = 1;\n".repeat(n);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(900));
        let fine = format!("{}{tests}", lines(600));
        let house = |path: &str, text: &str| House::of_files(&[(path, text)]);
        assert_eq!(files_are_short(&house("crates/a/src/x.rs", &fine)), []);
        assert_eq!(files_are_short(&house("crates/a/src/x.rs", &lines(601))).len(), 1);
        assert_eq!(files_are_short(&house("crates/a/tests/it/x.rs", &lines(1_200))), []);
        assert_eq!(files_are_short(&house("crates/a/src/x/tests.rs", &lines(1_201))).len(), 1);
    }

    #[test]
    fn long_functions_are_found_but_for_tests_and_tables() {
        let (fits, long) = (function("fits", 70), function("long", 71));
        let text = format!(
            "{fits}// a table: one line per venue\n{long}#[cfg(test)]\nmod tests {{\n{long}}}\n{long}"
        );
        let findings = functions_are_short(&House::of_files(&[("crates/a/src/x.rs", &text)]));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].words, "fn long has 71 lines of code, at most 70: split it");
    }
}

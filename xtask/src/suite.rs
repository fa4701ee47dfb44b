//! The test command: everything a change must pass, in the order in which it fails soonest.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::steps::{Step, step};
use crate::{
    api, bench, book, browser, clients, day, failure, month, output_of, pages, prometheus, python,
};

/// What is to be run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    /// The long tests and the timed release run too.
    all: bool,
    /// How often recovery tests kill the process; their own default where absent.
    kills: Option<u32>,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            match word {
                "--all" => options.all = true,
                "--kills" => {
                    let number = words.next().context("--kills wants a number")?;
                    let number = number.parse().with_context(|| format!("--kills {number}"))?;
                    options.kills = Some(number);
                }
                other => bail!("unknown option {other}: cargo xtask test [--all] [--kills N]"),
            }
        }
        Ok(options)
    }
}

/// Runs all steps and stops at the first that fails. Once tests have run, the last line says how
/// many passed and failed.
pub(crate) fn run(options: Options) -> Result<ExitCode> {
    let mut pythons = vec![("FINSTAGE_PYTHON", python::TESTS.python()?)];
    if options.all {
        pythons.push(("FINSTAGE_PEERS", python::PEERS.python()?));
        pythons.push(("FINSTAGE_SWEEP_PEER", python::SWEEP_PEER.python()?));
    }
    Step::cargo("format", "fmt --all --check")?.run()?.done()?;
    let mut counts = Counts::default();
    let outcome = thread::scope(|scope| {
        // What comes over the network comes while the compiler works.
        let coming = scope.spawn(|| {
            browser::install()?;
            clients::install()?;
            // Its step says what is skipped without it.
            let _ = prometheus::install();
            anyhow::Ok(())
        });
        let clippy = "clippy --workspace --all-targets --locked -- -D warnings";
        Step::cargo("clippy", clippy)?.run()?.done()?;
        tests(&options, &pythons, &mut counts)?;
        coming.join().map_err(|_| anyhow!("installing packages panicked"))??;
        the_rest(&options)
    });
    let exit = outcome.map_or_else(|error| failure(&error), |()| ExitCode::SUCCESS);
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(exit)
}

fn tests(options: &Options, pythons: &[Python], counts: &mut Counts) -> Result<()> {
    let prepared = |step| with_pythons(with_lengths(step, options), pythons);
    let has_nextest = output_of("cargo", &["nextest", "--version"]).is_ok();
    if has_nextest {
        const NEXTEST: &str = "nextest run --workspace --locked --no-fail-fast --status-level fail --show-progress none";
        let tests = prepared(Step::cargo("tests", NEXTEST)?).run()?;
        counts.add_nextest(&tests.text);
        tests.done()?;
    } else {
        const CARGO: &str = "test --workspace --locked --no-fail-fast --lib --bins --tests";
        let tests = prepared(Step::cargo("tests", CARGO)?).run()?;
        counts.add_cargo(&tests.text);
        tests.done()?;
    }
    let doctests = Step::cargo("doctests", "test --doc --workspace --locked --no-fail-fast")?;
    let doctests = with_lengths(doctests, options).run()?;
    counts.add_cargo(&doctests.text);
    doctests.done().map(drop)
}

/// An interpreter with packages, and the variable that names it to tests.
type Python = (&'static str, PathBuf);

/// Names the interpreters to the tests that ask other programs: without them they skip.
fn with_pythons(step: Step, pythons: &[Python]) -> Step {
    pythons.iter().fold(step, |step, (name, path)| step.env(name, &path.to_string_lossy()))
}

/// Tells long tests how long they may be.
fn with_lengths(step: Step, options: &Options) -> Step {
    let step = if options.all { step.env("FINSTAGE_LONG", "1") } else { step };
    match options.kills {
        Some(kills) => step.env("FINSTAGE_KILLS", &kills.to_string()),
        None => step,
    }
}

fn the_rest(options: &Options) -> Result<()> {
    let docs = Step::cargo("docs", "doc --workspace --no-deps --locked")?;
    docs.env("RUSTDOCFLAGS", "-D warnings").run()?.done()?;
    step("generated pages", pages::check)?;
    step("the docs as a book", book::check)?;
    step("the dashboard in a browser", browser::check)?;
    step("promtool on metrics and rules", prometheus::check)?;
    step("public clients against the simulator", clients::run)?;
    let effort = if options.all { api::Effort::Long } else { api::Effort::Short };
    step("schemathesis on the server's document", || api::check(effort))?;
    if options.all {
        step("one simulated day, release", day::timed_release)?;
        step("two days of a service", || month::run(&month::Options::short()))?;
        step("figures beside peers", || bench::run(&[]))?;
    }
    Ok(())
}

/// How tests ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    /// Adds the closing lines of cargo's runner, one for each binary: `test result: ok. 3 passed;
    /// 0 failed; …`. Indented ones are the output of tests.
    fn add_cargo(&mut self, text: &str) {
        text.lines()
            .filter(|line| line.starts_with("test result: "))
            .for_each(|line| self.add(line));
    }

    /// Adds the closing line of nextest: `Summary [ 0.5s] 3 tests run: 2 passed, 1 failed, …`.
    fn add_nextest(&mut self, text: &str) {
        let closing = text.lines().rfind(|line| line.trim_start().starts_with("Summary ["));
        closing.into_iter().for_each(|line| self.add(line));
    }

    fn add(&mut self, line: &str) {
        let words: Vec<&str> = line.split([' ', ',', ';']).collect();
        for pair in words.windows(2) {
            let number: u64 = pair[0].parse().unwrap_or(0);
            match pair[1] {
                "passed" => self.passed += number,
                // nextest counts a test that cannot be started or does not end by itself.
                "failed" | "exec" | "timed" => self.failed += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_cargo_are_added_up() {
        let mut counts = Counts::default();
        counts.add_cargo(
            "running 2 tests\n    test result: ok. 9 passed; 9 failed\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored\n\
             test result: ok. 3 passed; 0 failed; 0 ignored; finished in 0.01s\n",
        );
        assert_eq!(counts, Counts { passed: 4, failed: 1 });
    }

    #[test]
    fn the_closing_line_of_nextest_counts_and_the_output_of_tests_does_not() {
        let mut counts = Counts::default();
        counts.add_nextest(
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored\n     Summary [   0.512s] 312 \
             tests run: 309 passed (2 slow), 2 failed, 1 timed out, 0 skipped\n        FAIL x\n",
        );
        assert_eq!(counts, Counts { passed: 309, failed: 3 });
    }

    #[test]
    fn options_are_read_and_strange_ones_named() {
        let options = Options::parse(&["--kills", "200", "--all"]).unwrap();
        assert_eq!(options, Options { all: true, kills: Some(200) });
        for bad in [&["--kills"][..], &["--kills", "many"], &["--fast"]] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }
}

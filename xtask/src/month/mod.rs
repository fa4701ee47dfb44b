//! A month of a service in an hour: `serve` against `sim`, both in processes of their own on a clock that runs
//! faster, looked at from outside. Then what may happen to a service in such a month, and how long it is away.
//!
//! The clock is shared (`--speed`, `--right-at`): minutes close, days change, jobs fall due and the journal is
//! pruned as often as in a month, and nothing is left out but the waiting.

mod faults;
mod house;
mod samples;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use self::house::{House, Scene, Sim};
use self::samples::Samples;
use crate::{pages, python};

/// How often one looks: this part of a simulated day.
const LOOKS_A_DAY: f64 = 24.0;
/// Mean trades a second of each pair: so few that the machine keeps up with hundreds of pairs.
const TRADES: f64 = 0.05;
/// The least real time between two looks.
const LOOK_MIN: Duration = Duration::from_millis(250);

/// What is to be run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    days: f64,
    symbols: u32,
    speed: f64,
    /// The most memory that the service may have, in MiB, where it is limited.
    memory: Option<u32>,
    /// The program, where it is not to be built.
    binary: Option<PathBuf>,
    /// Whether what may happen to a service happens.
    faults: bool,
}

impl Options {
    /// Some minutes of it, for the long run of the test command.
    pub(crate) fn short() -> Self {
        Self { days: 2.0, ..Self::default() }
    }

    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        const USAGE: &str = "cargo xtask month [--days N] [--symbols N] [--speed N] [--memory MIB] [--binary FILE] [--faults]";
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(&word) = words.next() {
            if word == "--faults" {
                options.faults = true;
                continue;
            }
            let value = words.next().with_context(|| format!("{word} wants a value: {USAGE}"))?;
            let wrong = || format!("{word} {value}: {USAGE}");
            match word {
                "--days" => options.days = value.parse().with_context(wrong)?,
                "--symbols" => options.symbols = value.parse().with_context(wrong)?,
                "--speed" => options.speed = value.parse().with_context(wrong)?,
                "--memory" => options.memory = Some(value.parse().with_context(wrong)?),
                "--binary" => options.binary = Some(PathBuf::from(value)),
                _ => bail!("unknown option {word}: {USAGE}"),
            }
        }
        ensure!((3..=500).contains(&options.symbols), "--symbols is 3 to 500");
        ensure!(options.days > 0.0 && options.speed > 1.0, "--days and --speed are above 0 and 1");
        Ok(options)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { days: 30.0, symbols: 150, speed: 720.0, memory: None, binary: None, faults: false }
    }
}

/// Runs it: prints what was seen, and fails where a bar is not held.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = options.binary.clone().map_or_else(pages::build, Ok)?;
    let folder = python::target_folder()?.join("month");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    let samples = month(options, &Scene::new(&binary, &folder.join("month"))?)?;
    samples.write(&folder.join("samples.csv"))?;
    samples.print(options.days);
    eprintln!("    samples: {}", folder.join("samples.csv").display());
    samples.judge(options.memory.is_some())?;
    if options.faults {
        faults::run(&binary, &folder.join("faults"))?;
    }
    Ok(())
}

/// Lets the days pass.
fn month(options: &Options, scene: &Scene) -> Result<Samples> {
    let Options { days, symbols, speed, memory, .. } = *options;
    let sim = Sim::start(
        scene,
        &["--symbols", &symbols.to_string(), "--trades", &TRADES.to_string()],
        Some(speed),
    )?;
    scene.configure(
        &sim,
        symbols,
        "[journal]\nkeep = \"3d\"\n[retention]\nsaid = \"3d\"\nnotices = \"3d\"\n",
    )?;
    // As the unit of systemd and the image of a container have it.
    let mut house = House::start(scene, Some(&sim), &[("MIMALLOC_PURGE_DELAY", "0".to_owned())])?;
    if let Some(most) = memory {
        eprintln!("    {}", house.limit_memory(u64::from(most) << 20)?);
    }
    house.wait_until_ready()?;
    let day = Duration::from_secs(86_400).div_f64(speed);
    eprintln!(
        "    {days} days of {} s, {symbols} pairs, as process {}",
        day.as_secs_f64().round(),
        house.pid()
    );
    let (began, mut samples) = (now(), Samples::default());
    while now().duration_since(began) < day.mul_f64(days) {
        pause(day.div_f64(LOOKS_A_DAY).max(LOOK_MIN));
        let passed = now().duration_since(began);
        samples.look(&house, (passed, speed))?;
    }
    house.wait_until_ready().context("at the end of the month")?;
    Ok(samples)
}

#[expect(clippy::disallowed_methods, reason = "how real processes do in real time is the question")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "how real processes do in real time is the question")]
fn pause(length: Duration) {
    std::thread::sleep(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_month_are_read_and_strange_ones_named() {
        let read = Options::parse(&["--days", "2", "--symbols", "20", "--memory", "256"]).unwrap();
        assert_eq!((read.days, read.symbols, read.memory), (2.0, 20, Some(256)));
        for bad in [&["--days"][..], &["--days", "x"], &["--weeks", "4"], &["--symbols", "1"]] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }
}

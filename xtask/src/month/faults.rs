//! What may happen to a service that is left alone, done to a real one on the clock of the machine: a venue that
//! dies, records that another program holds, a full disk, a clock that jumps, a kill. Said is how soon the service
//! notices and how soon it is well again; at the end its journal must still lead to what was said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::house::{House, Scene, Sim};
use super::{now, pause};
use crate::debian;

/// Pairs that are watched.
const SYMBOLS: u32 = 20;
/// How long a fault lasts once it was noticed, or in all where it need not be.
const LASTS: Duration = Duration::from_secs(15);
/// A price that is not older is fresh.
const FRESH_MS: f64 = 3_000.0;
/// How long one waits for a fault to be noticed: a silent feed is after two minutes.
const NOTICED: Duration = Duration::from_secs(60);
/// The disk that is filled.
const DISK_MIB: u64 = 640;
/// How far the clock is set back, and ahead, in seconds.
const JUMP_BACK_S: i64 = 3_600;
const JUMP_AHEAD_S: i64 = 86_400;
/// What holds the records of a service as a program of somebody else would.
const HOLD: &str = "import sqlite3, sys, time\n\
    held = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n\
    held.execute('BEGIN EXCLUSIVE')\nprint('held', flush=True)\ntime.sleep(float(sys.argv[2]))\n";

/// Does it all, one after the other.
pub(super) fn run(binary: &Path, folder: &Path) -> Result<()> {
    let disk = Disk::mount(&folder.join("disk"))?;
    let mut scene = Scene::new(binary, folder)?;
    if let Some(disk) = &disk {
        scene.data = disk.0.join("data");
    }
    let symbols = SYMBOLS.to_string();
    let listing = ["--symbols", symbols.as_str()];
    let sim = Sim::start(&scene, &listing, None)?;
    scene.configure(&sim, SYMBOLS, "")?;
    let clock = Clock::have(folder)?;
    let house =
        House::start(&scene, None, &clock.as_ref().map_or_else(Vec::new, Clock::environment))?;
    let took = house.wait_until_ready()?;
    eprintln!("    start: ready after {}", seconds(took));
    let sim = dead_venue(&scene, &house, sim, &listing)?;
    held_records(&house)?;
    match &disk {
        Some(disk) => full_disk(&house, disk)?,
        None => eprintln!("    full disk: skipped, no disk of its own can be mounted here"),
    }
    match &clock {
        Some(clock) => jumped_clock(&house, clock)?,
        None => eprintln!("    clock jump: skipped, there is no libfaketime"),
    }
    let house = killed(&scene, house, clock.as_ref())?;
    house.stop()?;
    drop(sim);
    let replay = scene.replays()?;
    ensure!(replay["match"] == true, "the journal does not lead to what was said: {replay}");
    eprintln!("    afterwards: replay --check of {} events is ok", replay["events"]);
    Ok(())
}

/// The venue dies and comes back at the same address.
fn dead_venue(scene: &Scene, house: &House, sim: Sim, listing: &[&str]) -> Result<Sim> {
    let address = sim.address()?;
    drop(sim);
    let noticed = noticed(house, |house| Ok(!house.is_ready()));
    pause(LASTS);
    let arguments = [listing, &["--listen", &address]].concat();
    let sim = Sim::start(scene, &arguments, None)?;
    let fresh = house.wait_until("hearing the venue again", is_fresh)?;
    let ready = house.wait_until_ready()?;
    say("dead venue", noticed, fresh + ready);
    Ok(sim)
}

/// Another program holds the records.
fn held_records(house: &House) -> Result<()> {
    let file = house.data().join("records.db");
    let mut holder = Command::new("python3")
        .args(["-c", HOLD])
        .arg(&file)
        .arg((LASTS * 4).as_secs().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting python3")?;
    let held = holder.stdout.take().context("stdout was piped")?;
    let mut word = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(held), &mut word)?;
    ensure!(word.trim() == "held", "the records could not be held: {word:?}");
    let noticed = noticed(house, |house| Ok(!house.is_ready()));
    pause(LASTS);
    end(holder)?;
    let ready = house.wait_until_ready()?;
    let fresh = house.wait_until("hearing the venue", is_fresh)?;
    say("held records", noticed, ready + fresh);
    Ok(())
}

/// The disk is full to the last byte.
fn full_disk(house: &House, disk: &Disk) -> Result<()> {
    let filler = disk.0.join("filler");
    // It ends when nothing is left, which is what is wanted.
    let _ = Command::new("dd")
        .args(["if=/dev/zero", "bs=64k", &format!("of={}", filler.display())])
        .stderr(Stdio::null())
        .status()?;
    let noticed = noticed(house, |house| Ok(!house.is_ready()));
    pause(LASTS);
    fs::remove_file(&filler)?;
    let ready = house.wait_until_ready()?;
    let fresh = house.wait_until("hearing the venue", is_fresh)?;
    say("full disk", noticed, ready + fresh);
    Ok(())
}

/// The clock of the machine is set wrong, and right again. The service keeps its own time, so nothing need be noticed.
fn jumped_clock(house: &House, clock: &Clock) -> Result<()> {
    for (what, shift) in [
        ("clock an hour back, then right", -JUMP_BACK_S),
        ("clock a day ahead, then right", JUMP_AHEAD_S),
    ] {
        clock.shift(shift)?;
        let noticed = noticed(house, |house| Ok(!house.is_ready() || !is_fresh(house)?));
        pause(LASTS);
        clock.shift(0)?;
        let ready = house.wait_until_ready()?;
        let fresh = house.wait_until("hearing the venue", is_fresh)?;
        say(what, noticed, ready + fresh);
    }
    Ok(())
}

/// It is killed without a word and started again.
fn killed(scene: &Scene, house: House, clock: Option<&Clock>) -> Result<House> {
    let began = now();
    drop(house);
    let house = House::start(scene, None, &clock.map_or_else(Vec::new, Clock::environment))?;
    house.wait_until_ready()?;
    house.wait_until("hearing the venue", is_fresh)?;
    say("kill -9", Some(Duration::ZERO), now().duration_since(began));
    Ok(house)
}

/// How soon a fault is noticed; `None` when it is not within [`NOTICED`].
fn noticed(house: &House, is: impl Fn(&House) -> Result<bool>) -> Option<Duration> {
    let began = now();
    while now().duration_since(began) < NOTICED {
        if is(house).unwrap_or(true) {
            return Some(now().duration_since(began));
        }
        pause(Duration::from_millis(50));
    }
    None
}

/// Whether the newest price of some pair is young.
fn is_fresh(house: &House) -> Result<bool> {
    let prices = house.json("/api/v1/prices")?;
    let ages = prices["items"].as_array().into_iter().flatten();
    let youngest = ages.filter_map(|one| one["age_ms"].as_f64()).fold(f64::INFINITY, f64::min);
    Ok(youngest.abs() < FRESH_MS)
}

fn say(what: &str, noticed: Option<Duration>, recovered: Duration) {
    let noticed = noticed.map_or_else(
        || "not noticed".to_owned(),
        |after| format!("noticed after {}", seconds(after)),
    );
    eprintln!("    {what}: {noticed}, well {} after it was over", seconds(recovered));
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn end(mut process: Child) -> Result<()> {
    process.kill()?;
    process.wait()?;
    Ok(())
}

/// A small disk of its own; it goes away with this value.
struct Disk(PathBuf);

impl Disk {
    /// One in memory, where this user may mount one.
    fn mount(at: &Path) -> Result<Option<Self>> {
        fs::create_dir_all(at)?;
        let size = format!("size={DISK_MIB}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        Ok(mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_owned())))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What still uses it, ends with this process.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A clock that can be set, in front of the machine's.
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// One that is right, where Debian's libfaketime is or can be had.
    fn have(folder: &Path) -> Result<Option<Self>> {
        let found = || {
            let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
            let mut files = folders.map(|one| one.path().join("faketime/libfaketimeMT.so.1"));
            files.find(|file| file.exists())
        };
        if debian::ensure("libfaketime", &["faketime"], || found().is_some()).is_err() {
            return Ok(None);
        }
        let Some(library) = found() else { return Ok(None) };
        let clock = Self { library, file: folder.join("clock") };
        clock.shift(0)?;
        Ok(Some(clock))
    }

    /// Sets it so many seconds ahead of the machine's.
    fn shift(&self, seconds: i64) -> Result<()> {
        // It is replaced as a whole: nobody reads half of it.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n"))?;
        fs::rename(&new, &self.file).context("setting the clock")
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

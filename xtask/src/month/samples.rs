//! What was seen of a service from outside, and what follows from it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::house::House;

/// Bars: growth of resident memory in a simulated day, as a part of its mean, and its most.
const GROWTH_MAX: f64 = 0.01;
const MEMORY_MAX_MIB: f64 = 150.0;
/// Days before these are not judged for growth: histories and caches fill, and retention begins to forget.
const WARM_UP_DAYS: f64 = 4.0;
/// The journal of the last third may be so much larger than that of the third before it.
const JOURNAL_GROWTH_MAX: f64 = 1.15;
/// Files and sockets that may be open.
const OPEN_MAX: f64 = 200.0;
const MIB: f64 = 1_048_576.0;

/// One look.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    /// Simulated days since the first.
    day: f64,
    rss: f64,
    /// Processor seconds.
    cpu: f64,
    /// Real seconds since the first.
    real: f64,
    open: f64,
    journal: f64,
    records: f64,
    history: f64,
    tasks_done: f64,
    tasks_dead: f64,
    alerts: f64,
    gaps: f64,
}

/// One figure of a look.
type Figure = fn(&Sample) -> f64;

/// All looks.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<Sample>);

impl Samples {
    /// Looks at a service, `passed` after the beginning.
    pub(super) fn look(&mut self, house: &House, (passed, speed): (Duration, f64)) -> Result<()> {
        let process = Path::new("/proc").join(house.pid().to_string());
        let status = fs::read_to_string(process.join("status")).context("the service is gone")?;
        let stat = fs::read_to_string(process.join("stat"))?;
        let (_, metrics) = house.get("/metrics")?;
        let sum = |name: &str| sum(&metrics, name);
        let size = |name: &str| bytes(&house.data().join(name)).unwrap_or(0.0);
        self.0.push(Sample {
            day: passed.as_secs_f64() * speed / 86_400.0,
            rss: kib(&status, "VmRSS:").context("no VmRSS")? * 1_024.0,
            cpu: processor_seconds(&stat).context("no processor time")?,
            real: passed.as_secs_f64(),
            open: fs::read_dir(process.join("fd"))?.count() as f64,
            journal: size("journal"),
            records: ["records.db", "records.db-wal", "records.db-shm"].map(size).iter().sum(),
            history: size("history"),
            tasks_done: sum("finstage_tasks{state=\"done\"}"),
            tasks_dead: sum("finstage_tasks{state=\"dead\"}"),
            alerts: sum("finstage_alerts_total"),
            gaps: sum("finstage_feed_gaps_total"),
        });
        Ok(())
    }

    /// Looks after the warm-up; the later two thirds of a run that is shorter.
    fn warm(&self) -> &[Sample] {
        let last = self.0.last().map_or(0.0, |one| one.day);
        let from = WARM_UP_DAYS.min(last / 3.0);
        let first = self.0.iter().position(|one| one.day >= from).unwrap_or(0);
        &self.0[first..]
    }

    pub(super) fn print(&self, days: f64) {
        let warm = self.warm();
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else { return };
        let most = |of: Figure| self.0.iter().map(of).fold(0.0, f64::max);
        let cpu = 100.0 * (last.cpu - first.cpu) / (last.real - first.real).max(1e-9);
        eprintln!("    {days} simulated days in {:.0} s, {} looks", last.real, self.0.len());
        eprintln!(
            "    memory: {:.1} MiB at most, {:.1} in the mean; {:+.3} MiB a day, {:+.2} % a day from day {:.1} on",
            most(|one| one.rss) / MIB,
            mean(warm, |one| one.rss) / MIB,
            slope(warm, |one| one.rss) / MIB,
            100.0 * self.growth(),
            warm.first().map_or(0.0, |one| one.day)
        );
        eprintln!(
            "    processor: {cpu:.1} % of one; open files: {:.0} at most",
            most(|one| one.open)
        );
        let parts: [(&str, Figure); 3] = [
            ("journal", |one| one.journal),
            ("records", |one| one.records),
            ("history", |one| one.history),
        ];
        for (name, of) in parts {
            let a_day = slope(warm, of) / MIB;
            let (most, end) = (most(of) / MIB, of(last) / MIB);
            eprintln!("    {name}: {end:.1} MiB, {most:.1} at most, {a_day:+.2} a day");
        }
        eprintln!(
            "    tasks: {:.0} kept as done, {:.0} dead; alerts {:.0}; gaps {:.0}",
            last.tasks_done, last.tasks_dead, last.alerts, last.gaps
        );
    }

    /// Growth of memory in a day as a part of its mean.
    fn growth(&self) -> f64 {
        let warm = self.warm();
        slope(warm, |one| one.rss) / mean(warm, |one| one.rss).max(1.0)
    }

    /// Fails where a bar is not held. Over a few days the slope says nothing: what grows there is a day.
    pub(super) fn judge(&self, is_limited: bool) -> Result<()> {
        let last = self.0.last().context("nothing was looked at")?;
        let most = self.0.iter().map(|one| one.rss).fold(0.0, f64::max) / MIB;
        ensure!(
            is_limited || most < MEMORY_MAX_MIB,
            "{most:.1} MiB of memory: {MEMORY_MAX_MIB} are allowed"
        );
        ensure!(last.tasks_dead == 0.0, "{} tasks are dead", last.tasks_dead);
        let open = self.0.iter().map(|one| one.open).fold(0.0, f64::max);
        ensure!(open < OPEN_MAX, "{open} files are open: {OPEN_MAX} are allowed");
        if last.day < 2.0 * WARM_UP_DAYS {
            return Ok(());
        }
        let growth = self.growth();
        ensure!(
            growth < GROWTH_MAX,
            "memory grows by {:.2} % a day: 1 % is allowed",
            100.0 * growth
        );
        let third = self.0.len() / 3;
        let (middle, end) = (&self.0[third..2 * third], &self.0[2 * third..]);
        let journal = |one: &Sample| one.journal;
        let grown = mean(end, journal) / mean(middle, journal).max(1.0);
        ensure!(
            grown < JOURNAL_GROWTH_MAX,
            "the journal grew {grown:.2} times in a third of the run"
        );
        Ok(())
    }

    /// Writes them all as a table.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let mut text = String::from(
            "day,real_s,rss,cpu_s,open,journal,records,history,tasks_done,tasks_dead,alerts,gaps\n",
        );
        for one in &self.0 {
            let Sample { day, real, rss, cpu, open, journal, records, history, .. } = one;
            let _ = writeln!(
                text,
                "{day:.3},{real:.1},{rss},{cpu:.2},{open},{journal},{records},{history},{},{},{},{}",
                one.tasks_done, one.tasks_dead, one.alerts, one.gaps
            );
        }
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }
}

fn mean(samples: &[Sample], of: Figure) -> f64 {
    samples.iter().map(of).sum::<f64>() / samples.len().max(1) as f64
}

/// The slope of the line with the least squares, for a simulated day.
fn slope(samples: &[Sample], of: Figure) -> f64 {
    let (day, value) = (mean(samples, |one| one.day), mean(samples, of));
    let (mut above, mut below) = (0.0, 0.0);
    for one in samples {
        above += (one.day - day) * (of(one) - value);
        below += (one.day - day) * (one.day - day);
    }
    if below > 0.0 { above / below } else { 0.0 }
}

/// The sum of all lines of a family of metrics, or of one line with its labels.
fn sum(page: &str, name: &str) -> f64 {
    let value = |line: &str| -> Option<f64> {
        let rest = line.strip_prefix(name)?;
        (rest.starts_with('{') || rest.starts_with(' ')).then_some(())?;
        rest.rsplit(' ').next()?.parse().ok()
    };
    page.lines().filter_map(value).fold(0.0, |sum, value| sum + value)
}

/// The number behind a word of `/proc/PID/status`, in KiB.
fn kib(status: &str, word: &str) -> Option<f64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Processor time of all threads, of `/proc/PID/stat`, which counts hundredths of a second.
fn processor_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let (user, system): (f64, f64) = (fields.get(11)?.parse().ok()?, fields.get(12)?.parse().ok()?);
    Some((user + system) / 100.0)
}

/// Bytes of a file, or of all files below a folder. What goes away meanwhile counts nothing.
fn bytes(path: &Path) -> Option<f64> {
    let about = fs::metadata(path).ok()?;
    if !about.is_dir() {
        return Some(about.len() as f64);
    }
    let entries = fs::read_dir(path).ok()?.flatten();
    Some(entries.filter_map(|entry| bytes(&entry.path())).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(days: f64, of: impl Fn(f64) -> f64) -> Samples {
        let looks = (0..(days * 24.0) as u32).map(|look| f64::from(look) / 24.0);
        Samples(
            looks.map(|day| Sample { day, rss: of(day), real: day, ..Sample::default() }).collect(),
        )
    }

    #[test]
    fn growth_is_the_slope_behind_the_warm_up() {
        let grows = line(30.0, |day| if day < 4.0 { 1.0 } else { 8e7 + 2e6 * day });
        let expected = 2e6 / (8e7 + 2e6 * 17.0);
        assert!((grows.growth() - expected).abs() < 1e-4, "{}", grows.growth());
        assert!(grows.judge(false).unwrap_err().to_string().contains("memory grows"));
        // It is larger by day and gone by night: no growth.
        let saw = line(30.0, |day| 8e7 + 1e7 * day.fract());
        assert!(saw.judge(false).is_ok(), "{:?}", saw.judge(false));
        assert!(line(30.0, |_| 2e8).judge(false).unwrap_err().to_string().contains("150"));
    }

    #[test]
    fn figures_of_processes_and_pages_are_found() {
        assert_eq!(kib("VmPeak: 9 kB\nVmRSS:\t   1234 kB\n", "VmRSS:"), Some(1_234.0));
        let stat = "7 (a ) b) S 1 7 7 0 -1 4 1 0 0 0 250 50 0 0 20 0";
        assert_eq!(processor_seconds(stat), Some(3.0));
        let page = "# x\nfinstage_a{b=\"1\"} 2\nfinstage_a{b=\"2\"} 3\nfinstage_ab 9\n";
        assert_eq!(sum(page, "finstage_a"), 5.0);
        assert_eq!(sum(page, "finstage_a{b=\"2\"}"), 3.0);
    }
}

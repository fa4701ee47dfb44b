//! The load generator beside `oha` and `wrk`, where they are: requests for a second of the client's own
//! processor, and whether a server that stands still is found out.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use finstage_lab::stress::arrival::Schedule;
use finstage_lab::stress::frozen::{Freezes, FrozenServer};
use finstage_lab::stress::http::{HttpTest, Version};
use finstage_lab::stress::mix::Mix;
use finstage_lab::stress::{Ceilings, Outcome, Stop, Target, health};
use finstage_model::Clock;
use finstage_net::SystemClock;
use serde_json::Value;

use super::Session;
use crate::exit::{Exit, Failure, Result};

/// Connections of the table of costs, and of the table of truth.
const POOLS: [u32; 3] = [10, 100, 500];
const TRUE_POOLS: [u32; 3] = [10, 50, 500];
/// Fewer bars than this ask for a short look, not for figures.
const SHORT_BELOW: usize = 100_000;
/// The most rounds: each is a second for every tool and pool.
const MAX_ROUNDS: u32 = 5;

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    rounds: u32,
    /// How long a round of a tool is.
    length: Duration,
    freezes: Freezes,
    /// The table of truth: how long, at how many requests a second.
    frozen_for: Duration,
    rate: f64,
}

impl Effort {
    const fn of(bars: usize, rounds: u32) -> Self {
        let ms = Duration::from_millis;
        if bars < SHORT_BELOW {
            let freezes = Freezes { every: ms(100), length: ms(20) };
            return Self { rounds: 1, length: ms(100), freezes, frozen_for: ms(300), rate: 500.0 };
        }
        let freezes = Freezes { every: ms(2_000), length: ms(200) };
        let rounds = if rounds < MAX_ROUNDS { rounds } else { MAX_ROUNDS };
        // What has queued while it stood still has to be worked off by server and client on one machine: so
        // few a second that this is no part of what is read.
        Self { rounds, length: ms(1_000), freezes, frozen_for: ms(15_000), rate: 250.0 }
    }

    /// Whether others are asked, too: they count in whole seconds.
    fn has_peers(&self) -> bool {
        self.length >= Duration::from_secs(1)
    }
}

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let effort = Effort::of(session.bars(), session.rounds());
    let tools: Vec<Tool> =
        Tool::ALL.into_iter().filter(|tool| effort.has_peers() && tool.is_there()).collect();
    for tool in Tool::ALL.iter().filter(|tool| !tools.contains(tool)) {
        session.say(&format!("{} is left out: it is not on PATH", tool.name()));
    }
    cost(session, &tools, effort)?;
    truth(session, &tools, effort)?;
    session.row("stress.rss".into(), health::peak_memory() as f64 / 1e6, "MB");
    Ok(())
}

/// Requests for a second of the client's processor: all take turns, the median counts.
fn cost(session: &mut Session<'_>, tools: &[Tool], effort: Effort) -> Result<()> {
    let never = Freezes { every: Duration::MAX, length: Duration::ZERO };
    let server = server(never)?;
    let url = format!("http://{}/", server.address());
    for connections in POOLS {
        let mut ours = Vec::new();
        let mut theirs = vec![Vec::new(); tools.len()];
        for _ in 0..effort.rounds {
            let schedule = Schedule::Closed { length: effort.length };
            let outcome = run(&url, schedule, connections)?;
            ours.push(outcome.ok as f64 / outcome.generator.cpu_s.max(1e-9));
            for (tool, figures) in tools.iter().zip(&mut theirs) {
                let spent = tool.run(&url, (connections, effort.length), None);
                figures.extend(
                    session.or_say(spent).map(|spent| spent.requests / spent.cpu_s.max(1e-9)),
                );
            }
        }
        let median = |figures: &mut Vec<f64>| {
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied()
        };
        let Some(own) = median(&mut ours) else { continue };
        let name = format!("stress.http.{connections}");
        session.row(format!("{name}.per_cpu_second"), own, "requests");
        session.row(format!("{name}.per_cpu_second.least"), ours[0], "requests");
        session.row(format!("{name}.per_cpu_second.most"), ours[ours.len() - 1], "requests");
        for (tool, mut figures) in tools.iter().zip(theirs) {
            let Some(their) = median(&mut figures) else { continue };
            session.row(format!("{name}.{}", tool.name()), their, "requests");
            session.row(format!("{name}.{}.ratio", tool.name()), own / their, "times");
        }
    }
    Ok(())
}

/// How far off p95 and p99 are of a server that stands still now and then.
fn truth(session: &mut Session<'_>, tools: &[Tool], effort: Effort) -> Result<()> {
    for connections in TRUE_POOLS {
        let server = server(effort.freezes)?;
        let url = format!("http://{}/", server.address());
        let schedule = Schedule::constant(effort.rate, effort.frozen_for);
        let outcome = run(&url, schedule.clone(), connections)?;
        let due = schedule.arrivals(1).map(|arrival| outcome.started_at.plus(arrival.due));
        let mut waits = server.truth(due);
        waits.sort_by(f64::total_cmp);
        let at = |quantile: f64| {
            let rank = (quantile * waits.len() as f64).ceil() as usize;
            waits.get(rank.max(1) - 1).copied().unwrap_or(0.0)
        };
        let name = format!("stress.truth.{connections}");
        let latency = &outcome.latency;
        for (which, quantile, ours) in
            [("p95", 0.95, latency.p95_ms), ("p99", 0.99, latency.p99_ms)]
        {
            let (so, ours) = (at(quantile), ours.unwrap_or(0.0));
            session.row(format!("{name}.{which}.computed"), so, "ms");
            session.row(format!("{name}.{which}"), ours, "ms");
            session.row(format!("{name}.{which}.off"), (ours / so.max(1e-9) - 1.0) * 100.0, "%");
        }
        let rate = outcome.rps / effort.rate - 1.0;
        session.row(format!("{name}.rate.off"), rate * 100.0, "%");
        let lag = outcome.generator.lag.p99_ms.unwrap_or(0.0);
        session.row(format!("{name}.lag.p99"), lag, "ms");
        if let Some(tool) = tools.iter().find(|tool| tool.can_pace()) {
            // A fresh one: it stands still at the same moments of its own.
            let server = self::server(effort.freezes)?;
            let url = format!("http://{}/", server.address());
            let spent = tool.run(&url, (connections, effort.frozen_for), Some(effort.rate));
            if let Some(spent) = session.or_say(spent) {
                session.row(format!("{name}.p95.{}", tool.name()), spent.p95_ms, "ms");
                session.row(format!("{name}.p99.{}", tool.name()), spent.p99_ms, "ms");
            }
        }
    }
    Ok(())
}

fn server(freezes: Freezes) -> Result<FrozenServer> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    FrozenServer::start(freezes, clock).map_err(|e| Failure::new(Exit::Store, e))
}

fn run(url: &str, schedule: Schedule, connections: u32) -> Result<Outcome> {
    let target = Target::parse(url).map_err(Failure::usage)?;
    let test = HttpTest {
        addresses: target.resolve().map_err(Failure::usage)?,
        mix: Mix::one(&target),
        target,
        dns: None,
        ceilings: Ceilings::NONE,
        schedule,
        ramp: None,
        connections,
        timeout: Duration::from_secs(10),
        threads: 1,
        seed: 1,
        version: Version::Http1,
        tls: None,
        settings: std::collections::BTreeMap::new(),
    };
    test.run(&Stop::new(), &mut (), &SystemClock).map_err(Failure::usage)
}

/// A program of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Oha,
    Wrk,
}

/// What a run of a tool gave.
struct Spent {
    requests: f64,
    /// Its processor time, user and system.
    cpu_s: f64,
    /// Of one that can pace itself.
    p95_ms: f64,
    p99_ms: f64,
}

impl Tool {
    const ALL: [Self; 2] = [Self::Oha, Self::Wrk];

    const fn name(self) -> &'static str {
        match self {
            Self::Oha => "oha",
            Self::Wrk => "wrk",
        }
    }

    /// Whether it can be told a rate.
    const fn can_pace(self) -> bool {
        matches!(self, Self::Oha)
    }

    fn is_there(self) -> bool {
        // Both print their version and end; what they end with differs.
        Command::new(self.name()).arg("--version").output().is_ok()
    }

    /// Runs it; what it printed and what the shell counted.
    fn run(
        self,
        url: &str,
        (connections, length): (u32, Duration),
        rate: Option<f64>,
    ) -> std::result::Result<Spent, String> {
        let seconds = length.as_secs();
        let pace = rate.map_or(String::new(), |rate| format!("-q {rate}"));
        let line = match self {
            Self::Oha => format!(
                "oha --no-tui --output-format json -z {seconds}s -c {connections} {pace} {url}"
            ),
            Self::Wrk => format!("wrk -t1 -c{connections} -d{seconds}s {url}"),
        };
        // `times` prints the shell's own time, and below it that of its children.
        let out = Command::new("sh").args(["-c", &format!("{line}; echo; times")]).output();
        let out = out.map_err(|e| format!("{} is left out: {e}", self.name()))?;
        let text = String::from_utf8_lossy(&out.stdout);
        let unread = || {
            let said = String::from_utf8_lossy(&out.stderr);
            format!("{} is left out: it says {:?}", self.name(), said.lines().last().unwrap_or(""))
        };
        let cpu_s = text.lines().next_back().and_then(children).ok_or_else(unread)?;
        match self {
            Self::Wrk => {
                let line =
                    text.lines().find(|line| line.contains(" requests in ")).ok_or_else(unread)?;
                let requests = line.split_whitespace().next().and_then(|n| n.parse().ok());
                let requests = requests.ok_or_else(unread)?;
                Ok(Spent { requests, cpu_s, p95_ms: 0.0, p99_ms: 0.0 })
            }
            Self::Oha => {
                let end = text.rfind('}').ok_or_else(unread)?;
                let said: Value = serde_json::from_str(&text[..=end]).map_err(|_| unread())?;
                let count = said["statusCodeDistribution"]["200"].as_f64().ok_or_else(unread)?;
                let ms =
                    |name: &str| said["latencyPercentiles"][name].as_f64().unwrap_or(0.0) * 1e3;
                Ok(Spent { requests: count, cpu_s, p95_ms: ms("p95"), p99_ms: ms("p99") })
            }
        }
    }
}

/// `0m1.230s 0m0.450s` in seconds, both together.
fn children(line: &str) -> Option<f64> {
    let mut sum = 0.0;
    for word in line.split_whitespace() {
        let (minutes, seconds) = word.strip_suffix('s')?.split_once('m')?;
        sum += minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shell_counts_is_read() {
        assert_eq!(children("0m1.250s 1m0.500s"), Some(61.75));
        assert_eq!(children("Done."), None);
    }
}

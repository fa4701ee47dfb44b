//! How hard, by name or from a file: the four scenarios that everybody knows, and one's own.

use std::time::Duration;

use finstage_model::parse_duration;
use serde::Deserialize;

use super::arrival::{Schedule, Spacing, Stage};
use super::mix::{Endpoint, Method};
use crate::{Error, ErrorKind};

/// Names of the scenarios that are built in.
pub const NAMES: [&str; 4] = ["light", "medium", "heavy", "stress"];

/// What a scenario says; what it leaves out is decided elsewhere.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scenario {
    /// When requests are due.
    pub schedule: Option<Schedule>,
    /// Connections at most.
    pub connections: Option<u32>,
    /// How long an answer may take.
    pub timeout: Option<Duration>,
    /// What is asked; nothing is what the target says.
    pub endpoints: Vec<Endpoint>,
}

impl Scenario {
    /// The scenario of one of [`NAMES`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (connections, seconds, rate) = match name {
            "light" => (10, 60, 5.0),
            "medium" => (50, 120, 50.0),
            "heavy" => (100, 300, 200.0),
            "stress" => (500, 60, 500.0),
            _ => return None,
        };
        Some(Self {
            schedule: Some(Schedule::constant(rate, Duration::from_secs(seconds))),
            connections: Some(connections),
            ..Self::default()
        })
    }

    /// The scenario in a file's text, TOML.
    ///
    /// # Errors
    /// [`ErrorKind::Plan`] with the place and what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let raw: Raw = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            wrong(format!("line {line}: {}", e.message()))
        })?;
        let schedule = raw.schedule()?;
        if let Some(schedule) = &schedule {
            schedule.check()?;
        }
        let endpoints = raw.endpoints.into_iter().map(|e| e.endpoint(&raw.headers)).collect();
        Ok(Self {
            schedule,
            connections: raw.connections,
            timeout: raw.timeout.as_deref().map(|t| duration("timeout", t)).transpose()?,
            endpoints,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    connections: Option<u32>,
    timeout: Option<String>,
    spacing: Option<RawSpacing>,
    burst: Option<RawBurst>,
    /// The length of a test that asks as fast as it is answered.
    closed: Option<String>,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    stages: Vec<RawStage>,
    #[serde(default)]
    endpoints: Vec<RawEndpoint>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawSpacing {
    Constant,
    Poisson,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStage {
    rate: Option<f64>,
    from: Option<f64>,
    to: Option<f64>,
    length: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBurst {
    size: u32,
    cycles: u32,
    pause: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEndpoint {
    name: Option<String>,
    path: Option<String>,
    #[serde(default)]
    paths: Vec<String>,
    share: Option<f64>,
    weight: Option<f64>,
    method: Option<RawMethod>,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    signed: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum RawMethod {
    Get,
    Head,
    Post,
}

impl Raw {
    fn schedule(&self) -> Result<Option<Schedule>, Error> {
        let ways = [!self.stages.is_empty(), self.burst.is_some(), self.closed.is_some()];
        if ways.iter().filter(|way| **way).count() > 1 {
            return Err(wrong("stages, burst and closed exclude each other: keep one".into()));
        }
        if let Some(burst) = &self.burst {
            let pause = burst.pause.as_deref().map_or(Ok(DEFAULT_PAUSE), pause)?;
            return Ok(Some(Schedule::Bursts { size: burst.size, cycles: burst.cycles, pause }));
        }
        if let Some(length) = &self.closed {
            return Ok(Some(Schedule::Closed { length: duration("closed", length)? }));
        }
        if self.stages.is_empty() {
            return Ok(None);
        }
        let stages: Result<_, Error> =
            self.stages.iter().enumerate().map(|(i, s)| s.stage(i)).collect();
        let spacing = match self.spacing {
            Some(RawSpacing::Poisson) => Spacing::Poisson,
            Some(RawSpacing::Constant) | None => Spacing::Constant,
        };
        Ok(Some(Schedule::Open { stages: stages?, spacing }))
    }
}

impl RawStage {
    fn stage(&self, i: usize) -> Result<Stage, Error> {
        let length = duration(&format!("stages[{i}].length"), &self.length)?;
        match (self.rate, self.from, self.to) {
            (Some(rate), None, None) => Ok(Stage::at(rate, length)),
            (None, Some(from), Some(to)) => Ok(Stage { from, to, length }),
            _ => Err(wrong(format!("stages[{i}]: write rate, or from and to"))),
        }
    }
}

impl RawEndpoint {
    fn endpoint(self, common: &std::collections::BTreeMap<String, String>) -> Endpoint {
        let method = match self.method {
            None | Some(RawMethod::Get) => Method::Get,
            Some(RawMethod::Head) => Method::Head,
            Some(RawMethod::Post) => Method::Post,
        };
        let paths: Vec<String> = self.path.into_iter().chain(self.paths).collect();
        let first = paths.first().map_or("", |path| path.split('?').next().unwrap_or(path));
        let name = self.name.unwrap_or_else(|| format!("{} {first}", method.name()));
        let mut headers = common.clone();
        headers.extend(self.headers);
        Endpoint {
            name,
            share: self.share.unwrap_or(1.0),
            weight: self.weight,
            method,
            paths,
            headers: headers.into_iter().collect(),
            body: self.body,
            signed: self.signed,
        }
    }
}

/// How long bursts pause where nothing is said.
pub const DEFAULT_PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15));

/// A pause: `10s`, or `5s..15s` for one at random in between.
///
/// # Errors
/// [`ErrorKind::Plan`] where it is neither.
pub fn pause(text: &str) -> Result<(Duration, Duration), Error> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    Ok((duration("pause", least)?, duration("pause", most)?))
}

fn duration(key: &str, text: &str) -> Result<Duration, Error> {
    parse_duration(text.trim()).map_err(|e| wrong(format!("{key}: {e}")))
}

fn wrong(words: String) -> Error {
    Error::new(ErrorKind::Plan, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_scenarios_are_those_that_everybody_knows() {
        for (name, connections, rate, seconds) in [
            ("light", 10, 5.0, 60),
            ("medium", 50, 50.0, 120),
            ("heavy", 100, 200.0, 300),
            ("stress", 500, 500.0, 60),
        ] {
            let scenario = Scenario::named(name).unwrap();
            assert_eq!(scenario.connections, Some(connections));
            assert_eq!(
                scenario.schedule,
                Some(Schedule::constant(rate, Duration::from_secs(seconds)))
            );
        }
        assert!(
            NAMES.iter().all(|name| Scenario::named(name).is_some())
                && Scenario::named("x").is_none()
        );
    }

    #[test]
    fn a_file_says_stages_endpoints_and_headers() {
        let scenario = Scenario::parse(
            r#"
            connections = 20
            timeout = "2s"
            spacing = "poisson"
            headers = { X-Who = "me" }
            [[stages]]
            from = 0
            to = 100
            length = "30s"
            [[stages]]
            rate = 100
            length = "1m"
            [[endpoints]]
            path = "/a?b=1"
            share = 3
            [[endpoints]]
            method = "HEAD"
            paths = ["/b", "/c"]
            headers = { X-Who = "you" }
            "#,
        )
        .unwrap();
        assert_eq!(scenario.schedule.unwrap().length(), Duration::from_secs(90));
        assert_eq!(scenario.timeout, Some(Duration::from_secs(2)));
        assert_eq!(scenario.endpoints[0].name, "GET /a");
        assert_eq!(scenario.endpoints[1].headers, [("X-Who".to_owned(), "you".to_owned())]);
        assert_eq!(scenario.endpoints[1].paths.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, words) in [
            ("connections = 1\nrate = 5", "line 2"),
            ("[[stages]]\nlength = \"1s\"", "stages[0]: write rate"),
            ("[[stages]]\nrate = 1\nlength = \"soon\"", "stages[0].length"),
            ("closed = \"1s\"\nburst = { size = 1, cycles = 1 }", "exclude each other"),
            ("burst = { size = 0, cycles = 1 }", "0"),
            ("burst = { size = 1, cycles = 1, pause = \"9s..1s\" }", "shorter"),
        ] {
            let error = Scenario::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert_eq!(pause("5s..15s").unwrap(), DEFAULT_PAUSE);
    }
}

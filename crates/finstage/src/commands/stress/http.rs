//! `finstage stress http` and `finstage stress burst`.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_lab::stress::arrival::{Schedule, Spacing};
use finstage_lab::stress::http::{HttpTest, Ramp, Version};
use finstage_lab::stress::mix::{Endpoint, Mix, Signer};
use finstage_lab::stress::scenario::{self, Scenario};
use finstage_lab::stress::venues;
use finstage_model::format_duration;
use finstage_net::SystemClock;
use finstage_seal::Secret;
use serde_json::{Value, json};

use super::lines::Lines;
use super::place::{Door, Place};
use super::{failure, result, stop_on_signal};
use crate::cli::{Global, StressBurst, StressHttp, StressLoad, StressResult, StressTarget};
use crate::config::{DotEnv, Reference, dereference};
use crate::exit::{Exit, Failure, Result};

/// The scenario where none is named.
const DEFAULT_SCENARIO: &str = "light";
/// How long an answer may take where nothing is said; in a burst.
const TIMEOUT: Duration = Duration::from_secs(10);
const BURST_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn run(global: &Global, args: &StressHttp) -> Result<Exit> {
    let scenario = scenario(args.scenario.as_deref())?;
    let ramp = args.ramp.map(|(from, to)| {
        let step = Duration::from_secs(u64::from(args.step));
        Ramp { from, to, step }
    });
    let schedule = match &ramp {
        Some(ramp) => ramp.schedule(),
        None => schedule(args, scenario.schedule.clone())?,
    };
    let connections = match args.sequential {
        true => 1,
        false => args.load.concurrency.or(scenario.connections).unwrap_or(10),
    };
    let how = How { schedule, ramp, connections, timeout: TIMEOUT, scenario };
    test(global, (&args.target, &args.load, &args.result), how)
}

pub(super) fn burst(global: &Global, args: &StressBurst) -> Result<Exit> {
    let pause = scenario::pause(&args.pause).map_err(failure)?;
    let schedule = Schedule::Bursts { size: args.size, cycles: args.cycles, pause };
    let connections = args.load.concurrency.unwrap_or(args.size);
    let scenario = Scenario::default();
    let how = How { schedule, ramp: None, connections, timeout: BURST_TIMEOUT, scenario };
    test(global, (&args.target, &args.load, &args.result), how)
}

/// When, and through what.
struct How {
    schedule: Schedule,
    ramp: Option<Ramp>,
    connections: u32,
    timeout: Duration,
    scenario: Scenario,
}

fn test(
    global: &Global,
    (target, load, wanted): (&StressTarget, &StressLoad, &StressResult),
    how: How,
) -> Result<Exit> {
    let version = if load.http2 { Version::Http2 } else { Version::Http1 };
    let place = Place::find(target, Door::Rest, &[version.alpn()])?;
    let mix = mix(target, load, (&how.scenario, &place))?;
    let timeout = load.timeout.or(how.scenario.timeout).unwrap_or(how.timeout);
    let test = HttpTest {
        settings: settings(target, load, (&how, timeout)),
        target: place.target,
        addresses: place.addresses,
        dns: place.dns,
        ceilings: place.ceilings,
        mix,
        schedule: how.schedule,
        ramp: how.ramp,
        connections: how.connections,
        timeout,
        threads: load.threads.min(how.connections),
        seed: load.seed,
        version,
        tls: place.tls,
    };
    test.check().map_err(failure)?;
    let stop = stop_on_signal()?;
    let outcome = test.run(&stop, &mut Lines::new(global), &SystemClock).map_err(failure)?;
    result::finish(global, wanted, outcome, &stop)
}

/// The scenario of a name or file.
fn scenario(named: Option<&str>) -> Result<Scenario> {
    let name = named.unwrap_or(DEFAULT_SCENARIO);
    if let Some(scenario) = Scenario::named(name) {
        return Ok(scenario);
    }
    let text = std::fs::read_to_string(name).map_err(|e| {
        let names = scenario::NAMES.join(", ");
        Failure::usage(format!("--scenario {name}: {e}; write {names}, or a scenario file"))
    })?;
    Scenario::parse(&text).map_err(|e| Failure::usage(format!("--scenario {name}: {e}")))
}

/// The schedule: what flags say, over what the scenario says.
fn schedule(args: &StressHttp, given: Option<Schedule>) -> Result<Schedule> {
    let light = || Schedule::constant(5.0, Duration::from_secs(60));
    let given = given.unwrap_or_else(light);
    let length = args.duration.unwrap_or_else(|| given.length());
    if args.closed || (args.sequential && args.rate.is_none()) {
        return Ok(Schedule::Closed { length });
    }
    let mut schedule = match (args.rate, args.duration, given) {
        (Some(rate), ..) => Schedule::constant(rate, length),
        (None, None, given) => given,
        (None, Some(_), Schedule::Open { stages, .. }) if stages.len() == 1 => {
            Schedule::constant(stages[0].to, length)
        }
        (None, Some(_), Schedule::Closed { .. }) => Schedule::Closed { length },
        (None, Some(_), _) => {
            return Err(Failure::usage(
                "--duration: the scenario has stages or bursts of its own length; name a --rate, too",
            ));
        }
    };
    if let (Schedule::Open { spacing, .. }, true) = (&mut schedule, args.poisson) {
        *spacing = Spacing::Poisson;
    }
    Ok(schedule)
}

/// What is asked.
fn mix(
    target: &StressTarget,
    load: &StressLoad,
    (scenario, place): (&Scenario, &Place),
) -> Result<Mix> {
    let mut mix = match target.venue {
        _ if !scenario.endpoints.is_empty() => {
            Mix { endpoints: scenario.endpoints.clone(), signer: None }
        }
        Some(venue) => venues::mix(venue.name()).expect("every venue that can be named has a mix"),
        None => Mix::one(&place.target),
    };
    if let (Some(key), Some(secret)) = (&load.key, &load.secret) {
        let (key, secret) = (reference("--key", key)?, reference("--secret", secret)?);
        mix.signer = Some(Signer { key, secret });
        if target.venue.is_some_and(|venue| venue.name() == "binance") {
            mix.endpoints.push(account());
        }
    }
    for line in &load.header {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| Failure::usage(format!("--header \"{line}\": write 'Name: value'")))?;
        let value = value.trim();
        let value = match dereference(value, &DotEnv::default()) {
            Ok(Reference::Outside(value) | Reference::Literal(value)) => value,
            Err(why) => return Err(Failure::usage(format!("--header {name}: {why}"))),
        };
        for endpoint in &mut mix.endpoints {
            endpoint.headers.push((name.trim().to_owned(), value.clone()));
        }
    }
    Ok(mix)
}

/// The one call of an account that is asked: it reads.
fn account() -> Endpoint {
    Endpoint {
        name: "GET /api/v3/account".into(),
        share: 1.0,
        weight: Some(20.0),
        paths: vec!["/api/v3/account?omitZeroBalances=true".into()],
        signed: true,
        ..Endpoint::default()
    }
}

fn reference(flag: &str, typed: &str) -> Result<Secret<String>> {
    match dereference(typed, &DotEnv::default()) {
        Ok(Reference::Outside(value)) => Ok(Secret::new(value)),
        Ok(Reference::Literal(_)) => Err(Failure::usage(format!(
            "{flag}: other programs see arguments: write env:NAME or file:PATH"
        ))),
        Err(why) => Err(Failure::usage(format!("{flag}: {why}"))),
    }
}

/// What the outcome says of how it was started; values of headers and keys stay out.
fn settings(
    target: &StressTarget,
    load: &StressLoad,
    (how, timeout): (&How, Duration),
) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut set = |name: &str, value: Value| all.insert(name.to_owned(), value);
    if let Some(venue) = target.venue {
        set("venue", json!(venue.name()));
    }
    match &how.schedule {
        Schedule::Open { stages, spacing } => {
            let rates: Vec<Value> = stages.iter().map(|s| json!([s.from, s.to])).collect();
            match stages.as_slice() {
                [only] if only.from == only.to => set("rate", json!(only.to)),
                _ => set("stages", json!(rates)),
            };
            if *spacing == Spacing::Poisson {
                set("poisson", json!(true));
            }
            set("duration", json!(format_duration(how.schedule.length())));
        }
        Schedule::Bursts { size, cycles, pause } => {
            set("size", json!(size));
            set("cycles", json!(cycles));
            let pause = (format_duration(pause.0), format_duration(pause.1));
            set("pause", json!(format!("{}..{}", pause.0, pause.1)));
        }
        Schedule::Closed { length } => {
            set("closed", json!(true));
            set("duration", json!(format_duration(*length)));
        }
    }
    set("concurrency", json!(how.connections));
    set("timeout", json!(format_duration(timeout)));
    set("threads", json!(load.threads.min(how.connections)));
    set("seed", json!(load.seed));
    if load.http2 {
        set("http2", json!(true));
    }
    let names: Vec<&str> =
        load.header.iter().filter_map(|line| Some(line.split_once(':')?.0)).collect();
    if !names.is_empty() {
        set("headers", json!(names));
    }
    all
}

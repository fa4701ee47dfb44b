//! The openai of `finstage sim`: its options.

use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::openai::{
    Dialect, Hints, Latency, Limits, MAX_LATENCY, Manners, OpenAiOptions,
};
use finstage_model::{format_duration, parse_duration};
use tokio::net::TcpListener;

use super::World;
use crate::cli::{OpenAiArgs, Sim, SimHints, SimVenue};
use crate::exit::{Failure, Result};

/// The largest `--spend-cap`, in US dollars.
const MAX_CAP_USD: f64 = 1e9;

/// Says what is wrong with the options of openai, before anything is started.
pub(super) fn check(args: &Sim) -> Result<()> {
    let named = given(&args.openai);
    if let Some(option) = named.filter(|_| !args.venues.contains(&SimVenue::Openai)) {
        return Err(Failure::usage(format!(
            "--{option}: only openai has it: add openai to --venues, or leave it out"
        )));
    }
    manners(&args.openai).map(drop)
}

/// The first option that was given.
fn given(args: &OpenAiArgs) -> Option<&'static str> {
    let all = [
        ("rpm", args.rpm.is_some()),
        ("tpm", args.tpm.is_some()),
        ("burst", args.burst.is_some()),
        ("concurrency", args.concurrency.is_some()),
        ("latency", args.latency.is_some()),
        ("token-time", args.token_time.is_some()),
        ("batch-line", args.batch_line.is_some()),
        ("hints", args.hints.is_some()),
        ("gateway", args.gateway),
        ("spend-cap", args.spend_cap.is_some()),
        ("keys", !args.keys.is_empty()),
    ];
    all.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
}

impl World<'_> {
    pub(super) fn openai(&self, listener: TcpListener) -> Result<OpenAiOptions> {
        let args = self.args;
        Ok(OpenAiOptions {
            seed: args.seed,
            clock: Arc::clone(&self.clock),
            speed: args.speed,
            faults: self.faults.clone(),
            ledger: Arc::clone(&self.ledger),
            listener,
            keys: args.openai.keys.clone(),
            manners: manners(&args.openai)?,
        })
    }
}

fn manners(args: &OpenAiArgs) -> Result<Manners> {
    let usual = Manners::default();
    let limit = |given: Option<u32>, usual| match given {
        Some(0) => None,
        Some(limit) => Some(limit),
        None => usual,
    };
    if args.concurrency == Some(0) {
        return Err(Failure::usage("--concurrency 0: nobody would be let in: write 1 or more"));
    }
    let limits = Limits {
        rpm: limit(args.rpm, usual.limits.rpm),
        tpm: limit(args.tpm, usual.limits.tpm),
        burst: time("burst", args.burst.as_deref(), usual.limits.burst)?,
        concurrency: args.concurrency,
        cap_nano_usd: args.spend_cap.map(cap).transpose()?,
        ..usual.limits
    };
    let latency = args.latency.as_deref().map(|text| {
        let parsed = text.parse::<Latency>();
        parsed.map_err(|what| Failure::usage(format!("--latency {text}: {what}")))
    });
    Ok(Manners {
        limits,
        latency: latency.transpose()?.unwrap_or(usual.latency),
        token_time: time("token-time", args.token_time.as_deref(), usual.token_time)?,
        batch_line: time("batch-line", args.batch_line.as_deref(), usual.batch_line)?,
        hints: match args.hints {
            Some(SimHints::Ms) => Hints::Milliseconds,
            Some(SimHints::Seconds) => Hints::Seconds,
            Some(SimHints::None) => Hints::None,
            None => usual.hints,
        },
        dialect: if args.gateway { Dialect::Gateway } else { Dialect::OpenAi },
    })
}

fn time(option: &str, text: Option<&str>, usual: Duration) -> Result<Duration> {
    let Some(text) = text else { return Ok(usual) };
    let time = parse_duration(text).map_err(|e| Failure::usage(format!("--{option}: {e}")))?;
    // A line of a batch may take an hour, as everything else may take ten minutes.
    let most = if option == "batch-line" { Duration::from_secs(3_600) } else { MAX_LATENCY };
    if time > most {
        let most = format_duration(most);
        return Err(Failure::usage(format!("--{option} {text}: at most {most}")));
    }
    Ok(time)
}

fn cap(usd: f64) -> Result<u64> {
    if !(0.0..=MAX_CAP_USD).contains(&usd) {
        return Err(Failure::usage(format!("--spend-cap {usd}: write a number of US dollars")));
    }
    Ok((usd * 1e9).round() as u64)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn checked(line: &str) -> std::result::Result<Manners, String> {
        let words = ["finstage", "sim"].into_iter().chain(line.split_whitespace());
        let Command::Sim(args) = Cli::parse_from(words).command else { panic!("{line}") };
        check(&args).map_err(|failure| failure.to_string())?;
        Ok(manners(&args.openai).unwrap())
    }

    #[test]
    fn options_of_openai_are_refused_with_words_where_it_is_not_played() {
        for option in ["--rpm 5", "--latency 1ms", "--gateway", "--keys sk-a", "--hints none"] {
            let words = checked(&format!("--venues kis,kraken {option}")).unwrap_err();
            assert!(words.contains("only openai has it: add openai to --venues"), "{words}");
            assert!(checked(&format!("--venues kis,openai {option}")).is_ok(), "{option}");
        }
        assert_eq!(checked("--venues kis").unwrap(), Manners::default());
    }

    #[test]
    fn limits_are_those_that_were_written() {
        let manners = checked(
            "--venues openai --rpm 600 --tpm 0 --burst 1s --spend-cap 1.5 --latency 10ms..30ms",
        );
        let Manners { limits, latency, .. } = manners.unwrap();
        assert_eq!((limits.rpm, limits.tpm), (Some(600), None));
        assert_eq!(
            (limits.burst, limits.cap_nano_usd),
            (Duration::from_secs(1), Some(1_500_000_000))
        );
        assert_eq!(latency.to_string(), "10ms..30ms");
        for (line, words) in [
            ("--latency soon", "--latency soon"),
            ("--burst 1h", "at most 10m"),
            ("--concurrency 0", "nobody would be let in"),
            ("--spend-cap -1", "US dollars"),
        ] {
            let line = line.replace(" -1", "=-1");
            let said = checked(&format!("--venues openai {line}")).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}

//! `finstage verify`

mod input;
mod output;

use std::collections::BTreeSet;

use finstage_engine::{StrategySpec, When};
use finstage_model::{Call, Card, CardVerdict, Clock as _, Symbol, Trial};
use finstage_net::SystemClock;
use finstage_research::backtest::{Exit as PositionExit, Maker};
use finstage_research::evidence::{Evidence, Groups, Ledger, Options, Plan};
use finstage_research::study::Instrument;
use finstage_research::sweep::{Axis, Grid, Sweep};
use finstage_store::records::{Records, StoreKind};
use finstage_strategies::CATALOG;

use super::signals::whens;
use super::{data_dir, ledger, load_without_channels, say};
use crate::cli::{Global, Verify as Args};
use crate::drift::{message, mute_drifted};
use crate::exit::{Exit, Failure, Result};
use crate::news::stored;
use crate::{evidence, generate, wiring};

/// Horizons where none is asked for.
const DEFAULT_HORIZONS: [&str; 3] = ["1d", "1w", "1mo"];

pub(super) fn run(global: &Global, args: &Args) -> Result<Exit> {
    let form = args.output.as_deref().map(output::Form::of).transpose()?;
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    let records = wiring::open_records(&dir, StoreKind::Real)?;
    let instruments = match args.symbols.is_empty() {
        true => input::of_files(global, args)?,
        false => input::of_store(&wiring::history(&dir, &records), args)?,
    };
    let calls = input::calls(&args.strategies)?;
    let own = whens(&args.when, args.direction);
    let asked = (&*calls, &*own, &*loaded.settings.engine.strategies);
    let plan = plan(global, args, (&records, instruments), asked)?;
    if let Some((horizon, interval)) = plan.too_short().first()
        && !args.horizons.is_empty()
    {
        let message =
            format!("--horizons {horizon} is shorter than one bar of {interval}: leave it out");
        return Err(Failure::usage(message));
    }
    let named: Vec<String> = match calls.is_empty() && own.is_empty() {
        true => Vec::new(),
        false => plan.rules().iter().map(|rule| rule.canonical.clone()).collect(),
    };
    let now = SystemClock.now();
    let trials = evidence::trials(&records, now)?;
    announce(global, &plan, &trials);
    let ledger = match args.symbols.is_empty() {
        true => Ledger::of_files(&trials),
        false => Ledger::of_store(&trials),
    };
    let evidence = evidence::verify(&records, plan, &ledger, now)?;
    // No signal is said by a strategy that changes its parameters: a card of it rules on none.
    if !args.symbols.is_empty() && args.grid.is_empty() {
        keep(global, &records, &evidence)?;
    }
    if let (Some(path), Some(form)) = (&args.output, form) {
        form.write(path, &evidence)?;
        say(global, format_args!("figures: {}", path.display()));
    }
    if let Some(path) = &args.report {
        let page = finstage_research::evidence::page(&evidence, crate::VERSION);
        output::write(path, page.as_bytes())?;
        say(global, format_args!("report: {}", path.display()));
    }
    output::show(global, &evidence)?;
    say(global, format_args!("{}", evidence.summary));
    require(args.require, &named, &evidence)
}

/// The hypotheses, on instruments that hear the news of the store where a strategy asks for it. The whole
/// catalogue has those strategies in it where there is any.
fn plan(
    global: &Global,
    args: &Args,
    (records, mut instruments): (&Records, Vec<Instrument>),
    (calls, own, configured): (&[Call], &[When], &[StrategySpec]),
) -> Result<Plan> {
    let (groups, options) = (groups(&args.groups)?, options(args)?);
    if !args.grid.is_empty() {
        let sweep = search(calls, &args.grid)?;
        if sweep.hears_news() {
            instruments = stored::add(records, instruments)?;
            say_heard(global, &instruments);
        }
        return Plan::walk_forward(instruments, &groups, &sweep, options).map_err(Failure::usage);
    }
    let interval = instruments[0].interval();
    let is_whole = calls.is_empty() && own.is_empty();
    let (mut specs, calls) = generate::of_ones_own(calls, configured, interval);
    if is_whole || !calls.is_empty() || !own.is_empty() {
        specs.extend(generate::strategies(&calls, own, interval)?);
    }
    if is_whole || generate::hears_news(&specs) {
        instruments = stored::add(records, instruments)?;
    }
    let hears = |one: &Instrument| !one.news().within(one.bars()).is_empty();
    if is_whole && instruments.iter().any(hears) {
        specs.extend(generate::hearing(interval));
    }
    if generate::hears_news(&specs) {
        say_heard(global, &instruments);
    }
    Plan::new(instruments, &groups, (specs, CATALOG), options).map_err(Failure::usage)
}

/// Says how much news each instrument has to hear.
fn say_heard(global: &Global, instruments: &[Instrument]) {
    for one in instruments {
        say(global, format_args!("{}", stored::said(one.symbol(), one.bars(), one.news())));
    }
}

/// Puts the cards in force, from which a service rules on signals; first those are muted that live
/// outcomes speak against, so that none of them is renewed.
fn keep(global: &Global, records: &Records, evidence: &Evidence) -> Result<()> {
    for muted in mute_drifted(records)? {
        say(global, format_args!("{}", message(&muted).join("; ")));
    }
    let kept = evidence::keep(records, evidence)?;
    let stay = match kept.stay {
        0 => String::new(),
        n => format!(", {n} stay as they were: this is no look at which they are judged anew"),
    };
    say(global, format_args!("keeps {} cards for alerts{stay}", kept.new));
    for Card { strategy, scope, horizon, expires, .. } in &kept.standing {
        say(
            global,
            format_args!(
                "{strategy} on {scope}, {horizon}: verified by an earlier look and in force until {expires}, \
                 whatever this table says: a renewal asks all bars, not only the new ones, at p ≤ 0.05"
            ),
        );
    }
    Ok(())
}

/// The search of `--grid`: one strategy of the catalogue with every combination that makes sense.
fn search(calls: &[Call], grid: &[Axis]) -> Result<Sweep> {
    let [rule] = calls else {
        let count = calls.len();
        return Err(Failure::usage(format!(
            "--grid chooses the parameters of one strategy, and --strategies names {count}"
        )));
    };
    if let Some(maker) = Maker::find(&rule.name) {
        let (name, signals) = (maker.name, maker.signals.join(" or "));
        return Err(Failure::usage(format!(
            "{name} states positions and says no signals to judge: take {signals}"
        )));
    }
    let grid = Grid::new(grid.to_vec()).map_err(Failure::usage)?;
    // Positions end at the horizon, which is the plan's to say.
    let exit = PositionExit { hold: Some(1), ..PositionExit::default() };
    Sweep::new(rule, exit, CATALOG, grid).map_err(Failure::usage)
}

/// Says what is about to be tried.
fn announce(global: &Global, plan: &Plan, trials: &[Trial]) {
    let known: BTreeSet<(&str, &str)> = trials.iter().map(Trial::key).collect();
    let searches = plan.searches();
    let searches = searches.iter().map(|(hash, data, count)| ((hash.as_str(), *data), *count));
    let all: Vec<((&str, &str), u64)> = searches.chain(plan.keys().map(|key| (key, 1))).collect();
    let added: u64 = all.iter().filter(|(key, _)| !known.contains(key)).map(|(_, n)| n).sum();
    let repeated = all.iter().map(|(_, count)| count).sum::<u64>() - added;
    let before = ledger::total(trials);
    let again = match repeated {
        0 => String::new(),
        n => format!(", repeats {n} that count once"),
    };
    say(global, format_args!("adds {added} trials to {before}{again}"));
}

fn options(args: &Args) -> Result<Options> {
    let default = || DEFAULT_HORIZONS.iter().filter_map(|text| text.parse().ok()).collect();
    let mut horizons = if args.horizons.is_empty() { default() } else { args.horizons.clone() };
    horizons.sort();
    horizons.dedup();
    let mut claims = args.claims.clone();
    claims.sort();
    claims.dedup();
    let threads = match args.threads {
        Some(0) => return Err(Failure::usage("--threads 0: at least one thread is needed")),
        Some(threads) => threads,
        None => evidence::all_threads(),
    };
    Ok(Options {
        horizons,
        claims,
        cost: args.cost,
        fdr: args.fdr,
        seed: args.seed,
        threads,
        code_version: crate::VERSION.to_owned(),
    })
}

fn groups(texts: &[String]) -> Result<Groups> {
    match texts {
        [] => return Ok(Groups::Pooled),
        [only] if only == "each" => return Ok(Groups::Each),
        _ => {}
    }
    let group = |text: &String| {
        let (name, symbols) =
            text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                Failure::usage(format!("--groups {text}: write each, or NAME=SYMBOL,SYMBOL"))
            })?;
        let symbols = symbols.split(',').map(|symbol| symbol.trim().parse::<Symbol>());
        let symbols: Vec<Symbol> = symbols.collect::<Result<_, _>>().map_err(Failure::usage)?;
        Ok((name.to_owned(), symbols))
    };
    texts.iter().map(group).collect::<Result<_>>().map(Groups::Named)
}

/// Whether what was asked for holds: for each strategy named, else for any.
fn require(wanted: Option<CardVerdict>, named: &[String], evidence: &Evidence) -> Result<Exit> {
    let Some(wanted) = wanted else { return Ok(Exit::Done) };
    let reached = |strategy: Option<&String>| {
        evidence.rows.iter().any(|card| {
            card.verdict >= wanted && strategy.is_none_or(|name| *name == card.strategy)
        })
    };
    let missing = match named {
        [] => (!reached(None)).then(|| "no strategy".to_owned()),
        named => named.iter().find(|name| !reached(Some(name))).cloned(),
    };
    match missing {
        None => Ok(Exit::Done),
        Some(name) => {
            let message = format!("--require {wanted}: {name} is not {wanted} at any horizon");
            Err(Failure::new(
                Exit::CheckFailed,
                message.replace("no strategy is not", "no strategy is"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_names_and_members() {
        assert_eq!(groups(&[]).unwrap(), Groups::Pooled);
        assert_eq!(groups(&["each".into()]).unwrap(), Groups::Each);
        let two = groups(&["us=x:A,x:B".into(), "kr=x:C".into()]).unwrap();
        let symbol = |text: &str| text.parse::<Symbol>().unwrap();
        let us = ("us".to_owned(), vec![symbol("x:A"), symbol("x:B")]);
        assert_eq!(two, Groups::Named(vec![us, ("kr".to_owned(), vec![symbol("x:C")])]));
        for wrong in ["us", "=x:A", "us=A"] {
            assert!(groups(&[wrong.into()]).is_err(), "{wrong}");
        }
    }
}

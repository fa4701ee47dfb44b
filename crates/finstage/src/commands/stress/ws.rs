//! `finstage stress ws`.

use std::collections::BTreeMap;

use finstage_lab::stress::Ceilings;
use finstage_lab::stress::ws::{self, Feed, FieldPaths, PRODUCTS, Plan, Ramp, SYMBOLS};
use finstage_model::format_duration;
use finstage_net::SystemClock;
use serde_json::{Value, json};

use super::live::{Hearing, Live};
use super::place::{Door, Place};
use super::{Telling, failure, result, stop_on_signal};
use crate::cli::{Global, StressVenue, StressWs};
use crate::exit::{Exit, Failure, Result};

pub(super) fn run(global: &Global, args: &StressWs) -> Result<Exit> {
    let place = Place::find(&args.target, Door::Ws, &["http/1.1"])?;
    if !place.target.scheme.is_websocket() {
        let url = place.target.url();
        return Err(Failure::usage(format!("--target {url}: write ws:// or wss://")));
    }
    hold(args, &place.ceilings)?;
    let opening = &args.opening;
    let ramp = match opening.fast {
        true => Ramp::FAST,
        false => Ramp { batch: opening.batch, pause: opening.pause, ..Ramp::GENTLE },
    };
    let feed = feed(args, &place)?;
    let telling = Telling::new(global, args.result.lang)?;
    let hearing = Hearing {
        target: place.target.url(),
        language: telling.language,
        status: args.result.status.clone(),
    };
    let plan = Plan {
        connections: args.connections,
        ramp,
        hold: args.duration,
        timeout: opening.timeout,
        reconnects: opening.reconnects,
        threads: opening.threads.min(args.connections),
        seed: opening.seed,
        tls: place.tls.clone(),
        heed_refusals: place.ceilings.heed_refusals,
        settings: settings(args),
        ..Plan::new(place.target, feed)
    };
    let stop = stop_on_signal()?;
    let mut live = Live::new(global, hearing, &stop)?;
    let outcome = ws::run(&plan, &SystemClock, (&mut live, &stop)).map_err(failure)?;
    let ending = live.finish(&stop);
    result::finish(global, (&args.result, &telling), outcome, ending)
}

fn hold(args: &StressWs, ceilings: &Ceilings) -> Result<()> {
    let connections = ceilings.connections.map(f64::from);
    Ceilings::hold("--connections", f64::from(args.connections), connections).map_err(failure)?;
    let longest = ceilings.duration.map(|most| most.as_secs_f64());
    Ceilings::hold("--duration", args.duration.as_secs_f64(), longest).map_err(failure)
}

/// What is asked for: as the venue has it, or as flags say.
fn feed(args: &StressWs, place: &Place) -> Result<Feed> {
    let symbols = |usual: &[&str]| match args.symbols.is_empty() {
        true => usual.iter().map(|s| (*s).to_owned()).collect(),
        false => args.symbols.clone(),
    };
    let has_fields =
        args.time_field.is_some() || args.sequence_field.is_some() || args.stream_field.is_some();
    let is_any = !args.subscribe.is_empty() || has_fields;
    match args.target.venue {
        Some(StressVenue::Binance) if !is_any => {
            let symbols = symbols(&SYMBOLS).iter().map(|s| s.to_lowercase()).collect();
            Ok(Feed::binance(&place.target.path, symbols, &args.streams))
        }
        Some(StressVenue::Coinbase) if !is_any => {
            Ok(Feed::coinbase(&place.target.path, symbols(&PRODUCTS)))
        }
        Some(venue) if !is_any => Err(Failure::usage(format!(
            "--venue {}: what its streams are asked is not known here; say it with --subscribe",
            venue.name()
        ))),
        _ => {
            let fields = FieldPaths {
                time: args.time_field.clone(),
                sequence: args.sequence_field.clone(),
                stream: args.stream_field.clone(),
            };
            let feed = Feed::template(&place.target.path, args.subscribe.clone(), fields);
            Ok(Feed { symbols: args.symbols.clone(), ..feed })
        }
    }
}

fn settings(args: &StressWs) -> BTreeMap<String, Value> {
    let opening = &args.opening;
    let mut all = BTreeMap::from([
        ("connections".to_owned(), json!(args.connections)),
        ("duration".to_owned(), json!(format_duration(args.duration))),
        ("threads".to_owned(), json!(opening.threads)),
        ("seed".to_owned(), json!(opening.seed)),
    ]);
    if opening.fast {
        all.insert("fast".to_owned(), json!(true));
    } else {
        all.insert("batch".to_owned(), json!(opening.batch));
        all.insert("pause".to_owned(), json!(format_duration(opening.pause)));
    }
    if let Some(venue) = args.target.venue {
        all.insert("venue".to_owned(), json!(venue.name()));
    }
    all
}

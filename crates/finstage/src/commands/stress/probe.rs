//! `finstage stress probe`.

use finstage_lab::stress::Ceilings;
use finstage_lab::stress::probe::{
    Action, Beyond, ByItself, Date, Driver, Found, Options, Shape, Stopped, documented,
    documented_by_binance,
};
use finstage_model::Clock as _;
use finstage_net::{Client, ClientOptions, Request, SystemClock};

use super::super::{print_json, print_line, say};
use super::place::{Door, Place};
use super::stop_on_signal;
use crate::cli::{Global, StressProbe, StressVenue};
use crate::config::{DotEnv, Reference, dereference};
use crate::exit::{Exit, Failure, Result};

/// Waits that are longer are told, in seconds.
const TOLD_WAIT_S: u64 = 5;

pub(super) fn run(global: &Global, args: &StressProbe) -> Result<Exit> {
    let place = Place::find(&args.target, Door::Rest, &["http/1.1"])?;
    let request = request(args, &place)?;
    let client = Client::new(ClientOptions::default()).map_err(Failure::usage)?;
    let stop = stop_on_signal()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clock = SystemClock;
    let found = runtime.block_on(async {
        let read = known_before(args, &place, (&client, &request)).await?;
        if let Some(limit) = read {
            say(global, format_args!("documented: {limit}"));
        }
        let is_ours = place.ceilings == Ceilings::NONE;
        let options = Options {
            longest: args.longest,
            refusals: args.refusals,
            requests: args.requests,
            cost: args.cost.unwrap_or(1),
            documented: read,
            beyond: if is_ours || args.beyond { Beyond::Allowed } else { Beyond::Never },
        };
        let driver = Driver {
            client: &client,
            request: &request,
            clock: &clock,
            date: Date::Heeded,
            stop: &stop,
        };
        let mut sent = 0_u64;
        let mut hear = |action: &Action| match action {
            Action::Send { count } => sent += u64::from(*count),
            Action::Wait { until } => {
                let wait = until.since(clock.now()).as_secs();
                if wait >= TOLD_WAIT_S {
                    say(global, format_args!("{sent} requests so far; resting for {wait} s"));
                }
            }
            Action::Done(_) => {}
        };
        Ok::<_, Failure>(driver.run(options, &ByItself(&clock), &mut hear).await)
    })?;
    let Some(found) = found else { return Ok(Exit::Interrupted) };
    if global.json {
        print_json(&found)?;
    } else {
        print_line(&words(&found))?;
    }
    Ok(match found.stopped {
        Stopped::Banned | Stopped::Failed => Exit::Remote,
        _ => Exit::Done,
    })
}

/// What is asked again and again.
fn request(args: &StressProbe, place: &Place) -> Result<Request> {
    let path = match (args.target.venue, place.target.path.as_str()) {
        (Some(StressVenue::Binance), "/") => "/api/v3/ping",
        (Some(StressVenue::Kraken), "/") => "/0/public/Time",
        (Some(StressVenue::Coinbase), "/") => "/time",
        (Some(StressVenue::Yahoo), "/") => "/v8/finance/chart/AAPL?interval=1d&range=1d",
        (_, path) => path,
    };
    let url = place.target.with_path(path).url();
    let mut request = match &args.body {
        Some(body) => Request::post(url).json(body.clone().into_bytes()),
        None => Request::get(url),
    };
    for line in &args.header {
        let Some((name, value)) = line.split_once(':') else {
            return Err(Failure::usage("--header: write 'Name: value'"));
        };
        let value = match dereference(value.trim(), &DotEnv::default()) {
            Ok(Reference::Outside(value) | Reference::Literal(value)) => value,
            Err(why) => return Err(Failure::usage(format!("--header {name}: {why}"))),
        };
        request = request.header(name.trim(), value);
    }
    Ok(request)
}

/// The documented limit: as the flag, the headers or the venue's listing say.
async fn known_before(
    args: &StressProbe,
    place: &Place,
    (client, request): (&Client, &Request),
) -> Result<Option<u64>> {
    let failed = |e: finstage_net::Error| Failure::new(Exit::Remote, e);
    if args.documented.is_some() {
        return Ok(args.documented);
    }
    if args.target.venue == Some(StressVenue::Binance) || place.target.is_binance() {
        let listing = place.target.with_path("/api/v3/exchangeInfo?symbol=BTCUSDT").url();
        let answer = client.send(&Request::get(listing)).await.map_err(failed)?;
        return Ok(documented_by_binance(&answer.body));
    }
    Ok(documented(&client.send(request).await.map_err(failed)?))
}

/// What was found, in words.
fn words(found: &Found) -> String {
    let Found { refusals, requests, elapsed_s, .. } = found;
    let limit = found.limit.unwrap_or(found.limit_low);
    let window = found.window_s.unwrap_or(0.0);
    let first = match found.shape {
        Some(Shape::Aligned) => {
            format!("{limit} in each window of {window} s of the server's clock (aligned)")
        }
        Some(Shape::Anchored) => format!(
            "{limit} in a window of {window} s that begins with the first request (anchored)"
        ),
        Some(Shape::Sliding) => format!("{limit} in any {window} s (sliding)"),
        Some(Shape::Bucket) => format!(
            "a bucket of {limit} that fills at {:.2} a second, whole in {window:.1} s (bucket)",
            found.rate_per_s.unwrap_or(0.0)
        ),
        None => match found.limit {
            Some(limit) => format!("{limit} at once; how they are counted is not known"),
            None => format!("at least {limit}"),
        },
    };
    let why = match found.stopped {
        Stopped::Known => format!("sure: {:.0} %", found.confidence * 100.0),
        Stopped::RefusalsSpent => "no more refusals were to be had".to_owned(),
        Stopped::Banned => "stopped: 418 or 403".to_owned(),
        Stopped::AtDocumentedLimit => {
            "stopped at the documented limit; --beyond goes on".to_owned()
        }
        Stopped::NotReached => "no refusal came".to_owned(),
        Stopped::Failed => "stopped: what is asked fails for another reason".to_owned(),
        Stopped::Undecidable => "nothing tells apart what is left".to_owned(),
        Stopped::FitsNothing => {
            "what came fits nothing we know: does somebody else use the limit?".to_owned()
        }
    };
    let mut text =
        format!("{first}\n{why}; {refusals} refusals, {requests} requests, {elapsed_s:.0} s");
    if let Some(count) = found.refused_count {
        let not = if count { "" } else { " not" };
        text += &format!("\nrefused requests do{not} count");
    }
    if let Some(long) = found.shut_out_s {
        text += &format!("\nwho asks once more is shut out for more than {long:.0} s");
    }
    if !found.also_possible.is_empty() {
        text += &format!("\nalso possible: {}", found.also_possible.join(", "));
    }
    text
}

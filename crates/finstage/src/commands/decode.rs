//! `finstage decode`

use std::io::{BufRead, Read as _};
use std::path::Path;

use finstage_feeds::venues::{self, Venue};
use finstage_feeds::{Continuity, Decoded, StreamVenue, SymbolMap, registry};
use finstage_model::{Clock as _, Event, FeedKind, InstrumentId, Payload, Symbol, Timestamp};
use finstage_net::{Frame, SystemClock};
use serde_json::{Value, json};

use super::{complain_of, load_without_channels, print_line, say};
use crate::cli::{Decode, Global};
use crate::exit::{Exit, Failure, Result};

/// The longest frame that is read, in bytes.
const FRAME_MAX_BYTES: u64 = 16 << 20;
/// The longest list of instruments that is read, in bytes.
const LIST_MAX_BYTES: u64 = 64 << 20;

pub(super) fn run(global: &Global, args: &Decode) -> Result<Exit> {
    let venue = find(&args.venue)?;
    let Some(build) = venue.stream else {
        return Err(Failure::usage(format!("{} streams nothing: it has no frames", args.venue)));
    };
    let symbols = symbols(global, args)?;
    let id = |place: usize| InstrumentId(u32::try_from(place).unwrap_or(u32::MAX));
    let names = symbols.iter().enumerate().map(|(i, s)| (s.name().to_owned(), id(i)));
    let mut stream = build(&venue.profile.endpoints(), names.collect::<SymbolMap>());
    stream.open();
    let counts = read(&mut std::io::stdin().lock(), stream.as_mut(), &symbols)?;
    say(
        global,
        format_args!(
            "{} frames, {} events, {} bad frames",
            counts.frames, counts.events, counts.bad
        ),
    );
    Ok(if counts.bad == 0 { Exit::Done } else { Exit::CheckFailed })
}

fn find(name: &str) -> Result<&'static Venue> {
    venues::find(name).ok_or_else(|| {
        let known: Vec<&str> = venues::ALL.iter().map(|venue| venue.profile.name).collect();
        Failure::usage(format!("--venue \"{name}\": write one of {}", known.join(" ")))
    })
}

/// The instruments of the venue: of the file, else all that are known or configured.
fn symbols(global: &Global, args: &Decode) -> Result<Vec<Symbol>> {
    let mut symbols: Vec<Symbol> = match &args.instruments {
        Some(file) => listed(file, &args.venue)?,
        None => {
            let settings = load_without_channels(global)?.settings;
            let configured = settings.feeds.into_iter().flat_map(|feed| feed.symbols);
            configured.chain(registry::everything().map(|row| row.symbol.clone())).collect()
        }
    };
    symbols.retain(|symbol| symbol.venue() == args.venue);
    symbols.sort_unstable();
    symbols.dedup();
    Ok(symbols)
}

/// A symbol a line, with or without its venue, or a row of `instruments list --json`.
fn listed(file: &Path, venue: &str) -> Result<Vec<Symbol>> {
    let shown = file.display();
    let failed = |e: std::io::Error| Failure::usage(format!("{shown}: {e}"));
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(LIST_MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    let mut symbols = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let row: Option<Value> = serde_json::from_str(line).ok().filter(Value::is_object);
        let name = row.as_ref().map_or(Some(line), |row| row["symbol"].as_str());
        let whole = |name: &str| match name.contains(':') {
            true => name.parse(),
            false => format!("{venue}:{name}").parse::<Symbol>(),
        };
        match name.map(whole) {
            Some(Ok(symbol)) => symbols.push(symbol),
            _ => return Err(Failure::usage(format!("{shown}:{}: no symbol here", i + 1))),
        }
    }
    Ok(symbols)
}

#[derive(Default)]
struct Counts {
    frames: u64,
    events: u64,
    bad: u64,
}

/// Decodes a frame a line until the input ends.
fn read(
    input: &mut impl BufRead,
    stream: &mut dyn StreamVenue,
    symbols: &[Symbol],
) -> Result<Counts> {
    let mut counts = Counts::default();
    let (mut decoded, mut continuity) = (Decoded::default(), Continuity::new(stream.numbering()));
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        line.clear();
        let failed = |e| Failure::usage(format!("reading standard input: {e}"));
        let read = std::io::Read::by_ref(input).take(FRAME_MAX_BYTES).read_until(b'\n', &mut line);
        if read.map_err(failed)? == 0 {
            return Ok(counts);
        }
        number += 1;
        let received = SystemClock.now();
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() {
            continue;
        }
        counts.frames += 1;
        decoded.clear();
        let result = match std::str::from_utf8(trimmed) {
            Ok(text) => stream
                .decode(&Frame::Text(text.to_owned()), received, &mut decoded)
                .map_err(|why| why.to_string()),
            Err(_) => Err("not text in UTF-8".to_owned()),
        };
        if let Err(why) = result {
            counts.bad += 1;
            complain_of(number, &why);
            continue;
        }
        continuity.follow(&mut decoded.events);
        for event in &decoded.events {
            counts.events += 1;
            print_line(&object(event, symbols).to_string())?;
        }
    }
}

/// An event in the contract's words: `type venue symbol ts_event` and what belongs to it.
fn object(event: &Event, symbols: &[Symbol]) -> Value {
    let head = |kind: &str, instrument: InstrumentId, at: Timestamp| {
        let symbol = symbols.get(instrument.index());
        let venue = symbol.map(Symbol::venue);
        let sealed = event.sealed;
        json!({"type": kind, "venue": venue, "symbol": symbol, "ts_event": at, "sealed": sealed})
    };
    match &event.payload {
        Payload::Trade(trade) => {
            let mut row = head("trade", trade.instrument, trade.ts_event);
            row["id"] = json!(trade.id.0.to_string());
            row["price"] = json!(trade.price);
            row["size"] = json!(trade.qty);
            row["aggressor"] = json!(format!("{:?}", trade.aggressor).to_lowercase());
            row
        }
        Payload::Bar(bar) => {
            let mut row = head("bar", bar.instrument, bar.close_time());
            row["interval"] = json!(bar.interval);
            row["timestamp"] = json!(bar.open_time);
            let prices =
                [("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close)];
            for (name, price) in prices {
                row[name] = json!(price);
            }
            row["volume"] = json!(bar.volume);
            row["trades"] = json!(bar.trades);
            row
        }
        Payload::Feed(status) => {
            let mut row = head("feed", status.instrument, event.ts_recv);
            let (word, span) = match status.kind {
                FeedKind::Up => ("up", None),
                FeedKind::Stale => ("stale", None),
                FeedKind::Gap { from, to } => ("gap", Some((from, to))),
                FeedKind::Repaired { from, to } => ("repaired", Some((from, to))),
                _ => ("other", None),
            };
            row["status"] = json!(word);
            if let Some((from, to)) = span {
                (row["ts_event"], row["from"], row["to"]) = (json!(to), json!(from), json!(to));
            }
            row
        }
        // No frame says anything else.
        other => json!({"type": "other", "text": format!("{other:?}")}),
    }
}

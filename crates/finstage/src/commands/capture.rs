//! `finstage capture`

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::recording::{Header, Packing, Recorder, RecordingWriter, Written};
use finstage_feeds::{
    Session, SessionLimits, SessionOptions, SessionSnapshot, SessionStats, Subscription, SymbolMap,
};
use finstage_model::{Clock, Event, InstrumentId, Interval, Symbol};
use finstage_net::{SocketOptions, SystemClock};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::serve::stop_on_signal;
use super::{data_dir, load_without_channels, print_json, print_line, say, symbol_at};
use crate::cli::{Capture, Global};
use crate::config::settings::{FeedSettings, Settings};
use crate::exit::{Exit, Failure, Result};
use crate::venues::{Door, Means};
use crate::wiring;

/// Frames whose events may wait; nobody needs them.
const QUEUE_FRAMES: usize = 1_024;
/// How often everything is handed to the system: a kill loses no more.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// A stop takes no longer than this.
const STOP_MAX: Duration = Duration::from_secs(5);

pub(super) fn run(global: &Global, args: &Capture) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = wiring::client()?;
    let dir = data_dir(global, &loaded);
    let means = Means { settings: &loaded.settings, client: &client, dir: &dir, clock: &clock };
    let mut door = Door::open(&args.venue, means)?;
    door.unseal(means)?;
    let subscriptions = subscriptions(args, &door, &loaded.settings)?;
    let by = format!("finstage {}", crate::VERSION);
    let header = Header::new(clock.now(), (&args.venue, &by), &subscriptions);
    let (file, writer) = begin(args.output.as_deref(), &header)?;
    let recorder = Recorder::new(writer, Arc::clone(&clock));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let began = clock.now();
    let (how, stats) = runtime.block_on(async {
        let stop = stop_on_signal();
        let (symbols, venue) = (subscriptions.len(), &args.venue);
        let ends = args.duration.map_or("Ctrl-C ends", |_| "it ends by itself");
        say(global, format_args!("recording {symbols} of {venue}; {ends}"));
        record((&door, subscriptions), &recorder, &clock, (stop, args.duration)).await
    })?;
    // Goodbyes under way are of no interest any more.
    runtime.shutdown_background();
    let ended = recorder.finish().and_then(|written| {
        file.as_ref().map_or(Ok(()), File::sync_all)?;
        Ok(written)
    });
    let took = clock.now().since(began);
    let shown = args.output.as_ref().map_or("standard output".into(), |o| o.display().to_string());
    let written = match ended {
        Ok(written) => written,
        // Whoever read the frames has enough of them.
        Err(error) if file.is_none() && error.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(Exit::Done);
        }
        Err(error) => {
            let frames = recorder.written().frames;
            return Err(Failure::new(
                Exit::Store,
                format!(
                    "writing {shown}: {error}; the {frames} frames before it can be replayed, the last ones may be missing"
                ),
            ));
        }
    };
    let size = file.and_then(|file| file.metadata().ok()).map(|metadata| metadata.len());
    report(global, args, &Told { written, stats, took, size, shown: &shown })?;
    if written.frames == 0 {
        return Err(Failure::new(Exit::Remote, format!("nothing came from {}", args.venue)));
    }
    Ok(if how == End::Stopped && args.duration.is_some() { Exit::Interrupted } else { Exit::Done })
}

/// What is asked for: as typed, else as the feeds of the venue are configured.
fn subscriptions(args: &Capture, door: &Door, settings: &Settings) -> Result<Vec<Subscription>> {
    let venue = &args.venue;
    let profile = door.venue.profile;
    if door.venue.stream.is_none() {
        return Err(Failure::usage(format!("--venue {venue}: it streams nothing")));
    }
    let feeds: Vec<&FeedSettings> = settings.feeds.iter().filter(|f| f.venue == *venue).collect();
    let typed = args.symbols.iter().map(|text| symbol_at("--symbols", venue, text));
    let mut symbols = typed.collect::<Result<Vec<Symbol>>>()?;
    if symbols.is_empty() {
        symbols = feeds.iter().flat_map(|feed| feed.symbols.clone()).collect();
    }
    if symbols.is_empty() {
        return Err(Failure::usage(format!(
            "nothing to record: name --symbols; the configuration has no feed of {venue}"
        )));
    }
    if let Some(unknown) = args.intervals.iter().find(|one| !profile.intervals.contains(one)) {
        return Err(Failure::usage(format!("--intervals {unknown}: {venue} has no bars of it")));
    }
    symbols.sort_unstable();
    symbols.dedup();
    let subscribe = |(place, symbol): (usize, Symbol)| {
        let of_symbol = feeds.iter().filter(|feed| feed.symbols.contains(&symbol));
        let mut intervals: Vec<Interval> = match args.intervals.as_slice() {
            [] => of_symbol.flat_map(|feed| feed.venue_intervals.clone()).collect(),
            typed => typed.to_vec(),
        };
        intervals.sort_unstable();
        intervals.dedup();
        let instrument = InstrumentId(u32::try_from(place).unwrap_or(u32::MAX));
        Subscription { instrument, symbol, trades: true, intervals }
    };
    Ok(symbols.into_iter().enumerate().map(subscribe).collect())
}

/// The file, where there is one, and what writes to it.
fn begin(output: Option<&Path>, header: &Header) -> Result<(Option<File>, RecordingWriter)> {
    let Some(path) = output else {
        let writer = RecordingWriter::begin(Box::new(io::stdout()), Packing::Plain, header)?;
        return Ok((None, writer));
    };
    let packing = match path.extension().and_then(|extension| extension.to_str()) {
        Some("zst") => Packing::Zstd,
        Some(other @ ("gz" | "zip" | "xz" | "bz2" | "lz4")) => {
            return Err(Failure::usage(format!(
                "{}: captures are packed as .zst, not as .{other}",
                path.display()
            )));
        }
        _ => Packing::Plain,
    };
    let failed = |error: io::Error| Failure::from_writing(path, &error);
    let file = match File::options().write(true).create_new(true).open(path) {
        // What is no file has nothing to lose: a pipe, a device.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.is_file() {
                return Err(Failure::usage(format!(
                    "{}: there is such a file already: name another one",
                    path.display()
                )));
            }
            File::options().write(true).open(path).map_err(failed)?
        }
        opened => opened.map_err(failed)?,
    };
    let own = file.try_clone().map_err(failed)?;
    let mut writer = RecordingWriter::begin(Box::new(file), packing, header).map_err(failed)?;
    writer.flush().map_err(failed)?;
    // Of a pipe or a device there is nothing to sync and no size.
    Ok((Some(own).filter(|_| path.is_file()), writer))
}

/// Why a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It was told to.
    Stopped,
    /// Its time is over, or it cannot be written any more.
    Over,
}

/// Runs a session whose sockets are recorded.
async fn record(
    (door, subscriptions): (&Door, Vec<Subscription>),
    recorder: &Recorder,
    clock: &Arc<dyn Clock>,
    (mut stop, duration): (watch::Receiver<bool>, Option<Duration>),
) -> Result<(End, SessionSnapshot)> {
    let build = door.venue.stream.expect("it was looked for with the subscriptions");
    // What comes sealed is recorded as it was opened: a recording outlives its keys.
    let sealed = door.sealed.as_ref().map(|source| source.client(&door.client, clock));
    let (client, sealed) = sealed.map_or((door.client.clone(), None), |(c, feed)| (c, Some(feed)));
    let client = client.carried_by(recorder.over(Arc::clone(client.transport())));
    let (quit, shutdown) = watch::channel(false);
    let (events, received) = mpsc::channel(QUEUE_FRAMES);
    let stats = Arc::<SessionStats>::default();
    let options = SessionOptions {
        profile: door.venue.profile,
        since: Vec::new(),
        client,
        sealed,
        socket: SocketOptions::default(),
        clock: Arc::clone(clock),
        seed: clock.now().nanos().unsigned_abs(),
        limits: SessionLimits::default(),
        events,
        shutdown,
        stats: Arc::clone(&stats),
        subscriptions,
    };
    let stream = build(&door.endpoints, SymbolMap::of(&options.subscriptions));
    // Without a way to ask: what was missed is no frame of the stream.
    let session = Session::new(stream, None, options).map_err(Failure::usage)?;
    let session = tokio::spawn(session.run());
    let drain = tokio::spawn(drain(received));
    let mut flush = interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let over = async {
        match duration {
            Some(duration) => sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    let end = loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break End::Stopped,
            () = &mut over => break End::Over,
            () = recorder.failed() => break End::Over,
            _ = flush.tick() => recorder.flush(),
        }
    };
    let _ = quit.send(true);
    // Its sockets end with it, and say so in the recording.
    let _ = timeout(STOP_MAX, session).await;
    let _ = timeout(STOP_MAX, drain).await;
    Ok((end, stats.snapshot()))
}

/// Takes the events, so that the session goes on.
async fn drain(mut received: mpsc::Receiver<Vec<Event>>) {
    while received.recv().await.is_some() {}
}

struct Told<'a> {
    written: Written,
    stats: SessionSnapshot,
    took: Duration,
    /// Of the file, in bytes.
    size: Option<u64>,
    shown: &'a str,
}

fn report(global: &Global, args: &Capture, told: &Told<'_>) -> Result<()> {
    let Told { written: Written { frames, bytes }, stats, took, size, shown } = told;
    let seconds = took.as_secs_f64();
    let result = json!({
        "frames": frames, "bytes": bytes, "seconds": (seconds * 1_000.0).round() / 1_000.0,
        "gaps": stats.gaps, "reconnects": stats.reconnects, "not_understood": stats.decode_errors,
        "file": args.output, "file_bytes": size,
    });
    let words = format!(
        "{frames} frames of {bytes} bytes in {seconds:.1} s, {} gaps, {} reconnects: {shown}{}",
        stats.gaps,
        stats.reconnects,
        size.map_or(String::new(), |size| format!(" ({size} bytes)")),
    );
    match (&args.output, global.json) {
        // The frames are the result there.
        (None, true) => say(global, format_args!("{result}")),
        (None, false) => say(global, format_args!("{words}")),
        (Some(_), true) => print_json(&result)?,
        (Some(_), false) => print_line(&words)?,
    }
    Ok(())
}

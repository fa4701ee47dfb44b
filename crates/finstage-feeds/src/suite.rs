//! What every venue must pass. To implement the traits is to pass this.
//!
//! Golden frames live in `tests/golden/<venue>/`: each `*.json` holds frames, one a line, and the
//! `*.txt` of the same name what they mean, one line per fact. Files are read in the order of
//! their names by one venue value each, so a file is a small story.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use finstage_model::{Event, FeedKind, Payload, Timestamp};
use finstage_net::Frame;

use crate::Continuity;
use crate::venue::{Ack, Decoded, StreamVenue, Subscription, SymbolMap};
use crate::venues::Venue;

/// The moment of receipt of every golden frame.
const TS_RECV: Timestamp = Timestamp::from_secs(1_700_000_000);

/// Whether golden texts are compared or rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Golden {
    /// A difference is a failure.
    Compare,
    /// What comes out now is right.
    Rewrite,
}

/// Checks one venue; the error is what a person needs to read.
///
/// # Errors
/// Names the clause that does not hold, and for golden files the first line that differs.
pub fn check(
    venue: &Venue,
    subscriptions: &[Subscription],
    folder: &Path,
    golden: Golden,
) -> Result<(), String> {
    profile_is_sound(venue)?;
    let Some(build) = venue.stream else { return Ok(()) };
    let build = || build(&venue.profile.endpoints(), SymbolMap::of(subscriptions));
    commands_are_texts_and_repeat(build().as_mut(), subscriptions)?;
    let stories = stories(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    if stories.is_empty() {
        return Err(format!("{}: no golden frames", folder.display()));
    }
    for path in stories {
        let frames = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let told = tell(build().as_mut(), &frames);
        compare(&path.with_extension("txt"), &told, golden)?;
        no_cut_frame_panics(&build, &frames);
    }
    Ok(())
}

fn profile_is_sound(venue: &Venue) -> Result<(), String> {
    let profile = venue.profile;
    let clauses = [
        ("it names its documentation", !profile.docs.is_empty()),
        ("it is silent for longer than its heartbeat before it counts as dead", {
            profile.stall > profile.heartbeat
        }),
        ("it carries streams and pages", profile.max_streams > 0 && profile.bars_per_page > 0),
        ("it can be asked or listened to", venue.stream.is_some() || venue.can_be_asked()),
    ];
    match clauses.iter().find(|(_, holds)| !holds) {
        Some((clause, _)) => Err(format!("{}: not true: {clause}", profile.name)),
        None => Ok(()),
    }
}

fn commands_are_texts_and_repeat(
    stream: &mut dyn StreamVenue,
    subscriptions: &[Subscription],
) -> Result<(), String> {
    let commands = stream.subscribe(subscriptions);
    if commands != stream.subscribe(subscriptions) {
        return Err("the same subscriptions must give the same commands".to_owned());
    }
    // Without commands the address has to say it.
    let same = stream.open_for(subscriptions) == stream.open_for(&[]);
    if commands.is_empty() && same {
        return Err("neither commands nor the address say what is asked for".to_owned());
    }
    Ok(())
}

fn stories(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// What a venue makes of frames, as text: for golden files and for people.
pub fn tell(stream: &mut dyn StreamVenue, frames: &str) -> String {
    let mut text = String::new();
    let mut decoded = Decoded::default();
    let mut continuity = Continuity::new(stream.numbering());
    for line in frames.lines().filter(|line| !line.trim().is_empty()) {
        decoded.clear();
        let result = stream.decode(&Frame::Text(line.to_owned()), TS_RECV, &mut decoded);
        decoded.duplicates += continuity.follow(&mut decoded.events);
        match result {
            Err(error) => put(&mut text, format_args!("error {error}")),
            Ok(()) if decoded == Decoded::default() => put(&mut text, format_args!("nothing")),
            Ok(()) => describe(&decoded, &mut text),
        }
    }
    text
}

fn describe(decoded: &Decoded, text: &mut String) {
    for event in &decoded.events {
        put(text, format_args!("{}", describe_event(event)));
    }
    for ack in &decoded.acks {
        match ack {
            Ack::Accepted { command } => put(text, format_args!("accepted {command}")),
            Ack::Refused { command, reason } => {
                put(text, format_args!("refused {command:?} {reason}"));
            }
        }
    }
    for reply in &decoded.replies {
        put(text, format_args!("reply {reply:?}"));
    }
    if decoded.duplicates > 0 {
        put(text, format_args!("duplicates {}", decoded.duplicates));
    }
    if decoded.reconnect {
        put(text, format_args!("reconnect"));
    }
}

fn describe_event(event: &Event) -> String {
    match &event.payload {
        Payload::Trade(t) => format!(
            "trade {} of {} at {}: {} x {} {:?}",
            t.id.0, t.instrument.0, t.ts_event, t.price, t.qty, t.aggressor
        ),
        Payload::Bar(b) => format!(
            "bar {} of {} at {}: {} {} {} {} {} {}",
            b.interval,
            b.instrument.0,
            b.open_time,
            b.open,
            b.high,
            b.low,
            b.close,
            b.volume,
            b.trades
        ),
        Payload::Feed(status) => match status.kind {
            FeedKind::Gap { from, to } => format!("gap of {} {from} {to}", status.instrument.0),
            other => format!("feed of {} {other:?}", status.instrument.0),
        },
        other => format!("{other:?}"),
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}

fn compare(path: &Path, told: &str, golden: Golden) -> Result<(), String> {
    if golden == Golden::Rewrite {
        return fs::write(path, told).map_err(|e| format!("{}: {e}", path.display()));
    }
    let expected = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    if told == expected {
        return Ok(());
    }
    let differs = |(_, (a, b)): &(usize, (&str, &str))| a != b;
    let first = expected.lines().zip(told.lines()).enumerate().find(differs);
    let (line, expected, told) = match first {
        Some((line, (expected, told))) => (line + 1, expected, told),
        None => (expected.lines().count().min(told.lines().count()) + 1, "(another length)", ""),
    };
    Err(format!("{}:{line}\nexpected: {expected}\ndecoded:  {told}", path.display()))
}

/// A connection can break inside a frame, and a proxy can send anything.
fn no_cut_frame_panics(build: &dyn Fn() -> Box<dyn StreamVenue>, frames: &str) {
    let mut stream = build();
    let mut decoded = Decoded::default();
    for line in frames.lines() {
        for end in (0..line.len()).filter(|&end| line.is_char_boundary(end)) {
            decoded.clear();
            // Only that it returns matters here.
            let _ = stream.decode(&Frame::Text(line[..end].to_owned()), TS_RECV, &mut decoded);
        }
    }
}

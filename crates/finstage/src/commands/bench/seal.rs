//! Sealed ticks: sealing and opening, from envelope to record, beside Python's cryptography in the four
//! ways of the source document; and a long stream through what `finstage open` runs.

mod ours;
mod rotation;
mod scene;
mod stream;

use std::io::Write as _;
use std::time::Duration;

use super::peer::Peer;
use super::stopwatch::{Both, each_waited, ns_each, own};
use super::{Session, numbers};
use crate::exit::Result;
use scene::{KEY, Scene};

/// Messages of a round for a million bars.
const SHARE: usize = 10;
/// The fewest that show anything.
const LEAST: usize = 200;
/// Bars for each message of the long stream.
const STREAM: usize = 10;
/// The most rounds with the peer, which takes its time.
const MAX_PEER_ROUNDS: u32 = 3;
/// What the peer calls its four ways.
const WAYS: [&str; 4] = ["single", "async", "batch", "workers"];

/// Of a thousand messages so many are as quick.
const SHARES: [usize; 3] = [500, 990, 999];

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let scene = Scene::new((session.bars() / SHARE).max(LEAST))?;
    session.row("seal.messages".into(), scene.count() as f64, "messages");
    one_core(session, &scene)?;
    four_ways(session, &scene)?;
    rotation::measure(session, scene.count())?;
    stream::measure(session, session.bars().saturating_mul(STREAM))
}

/// What one core does in a second, each kind of envelope by itself.
fn one_core(session: &mut Session<'_>, scene: &Scene) -> Result<()> {
    type Kind = fn(&Scene) -> Result<u64>;
    let kinds: [(&str, usize, Kind, &str); 4] = [
        ("v1", scene.count(), ours::v1, "messages/s of one core"),
        ("bare", scene.count(), ours::bare, "messages/s of one core"),
        ("ticks100", scene.ticks_of_hundreds(), ours::hundreds, "ticks/s of one core"),
        ("seal", scene.count(), ours::seal, "messages/s of one core"),
    ];
    for (name, count, work, unit) in kinds {
        let mut least = Duration::MAX;
        for _ in 0..session.rounds() {
            let (time, done) = own(|| work(scene));
            done?;
            least = least.min(time);
        }
        session.row(format!("seal.{name}.per_s"), per_second(least, count), unit);
    }
    Ok(())
}

fn per_second(time: Duration, count: usize) -> f64 {
    1e9 / ns_each(time, count).max(1e-9)
}

/// The document's four scenarios on the bare envelopes that it describes, taking turns.
fn four_ways(session: &mut Session<'_>, scene: &Scene) -> Result<()> {
    let mut peer = peer(session, scene)?;
    for (way, work) in WAYS.into_iter().zip(ours::FOUR_WAYS) {
        let (mut ours, mut theirs) = (Both::LONGEST, None::<Both>);
        for round in 0..session.rounds() {
            let (time, sum) = Both::of(|| work(scene));
            let sum = sum?;
            ours = ours.least(time);
            let Some(running) = peer.as_mut().filter(|_| round < MAX_PEER_ROUNDS) else { continue };
            let answer = running.ask(&[way]).and_then(|answer| numbers(&answer));
            let Some([cpu, waited, count, their_sum]) = session.or_say(answer) else {
                (peer, theirs) = (None, None);
                continue;
            };
            if round == 0 {
                let is_same = count == scene.count() as f64 && their_sum == sum as f64;
                let judged = if is_same { "agree" } else { "DISAGREE" };
                session.say(&format!(
                    "seal.{way}: {judged}: {count} records, sum of moments {their_sum}"
                ));
            }
            let time = Both::from_nanos(cpu, waited);
            theirs = Some(theirs.map_or(time, |before| before.least(time)));
        }
        rows(session, (way, ""), ours, scene.count());
        if let Some(theirs) = theirs {
            rows(session, (way, "python_"), theirs, scene.count());
            let times = theirs.cpu.as_secs_f64() / ours.cpu.as_secs_f64().max(1e-9);
            session.row(format!("seal.{way}.speedup"), times, "times as fast");
        }
    }
    latency(session, scene, peer.as_mut())
}

fn rows(session: &mut Session<'_>, (way, whose): (&str, &str), time: Both, count: usize) {
    let name = |figure: &str| format!("seal.{way}.{whose}{figure}");
    session.row(name("per_cpu_s"), per_second(time.cpu, count), "messages/s of processor time");
    session.row(name("per_s"), per_second(time.waited, count), "messages/s to wait");
    let share = time.cpu.as_secs_f64() / time.waited.as_secs_f64().max(1e-9);
    session.row(name("cores"), share, "cores used");
}

/// How long each message takes that is opened by itself.
fn latency(session: &mut Session<'_>, scene: &Scene, peer: Option<&mut Peer>) -> Result<()> {
    let kinds = [
        ("seal.latency.v1", ours::Opening::of_v1(scene)),
        ("seal.latency.bare", ours::Opening::of_bare(scene)),
    ];
    for (name, mut opening) in kinds {
        let times = each_waited(scene.count(), |number| opening.message(number));
        opening.end()?;
        latency_rows(session, name, sorted_shares(times));
    }
    let Some(peer) = peer else { return Ok(()) };
    let answer = peer.ask(&["latency"]).and_then(|answer| numbers(&answer));
    if let Some(at) = session.or_say(answer) {
        latency_rows(session, "seal.latency.python", at);
    }
    Ok(())
}

/// The times that the quickest half takes at most, 99 % and 99.9 %.
fn sorted_shares(mut times: Vec<u32>) -> [f64; 3] {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let at = |share| times.get(last.min(times.len() * share / 1_000));
    SHARES.map(|share| at(share).copied().map_or(0.0, f64::from))
}

fn latency_rows(session: &mut Session<'_>, name: &str, at: [f64; 3]) {
    for (share, ns) in ["p50", "p99", "p999"].into_iter().zip(at) {
        session.row(format!("{name}.{share}"), ns, "ns to wait");
    }
}

/// The peer with the same envelopes and the same key, where there is a Python that has it.
fn peer(session: &Session<'_>, scene: &Scene) -> Result<Option<Peer>> {
    let Some(mut peer) = session.peer("cryptography", include_str!("peer_cryptography.py")) else {
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let (messages, key) = (folder.path().join("messages"), folder.path().join("key"));
    std::fs::File::create(&messages)?.write_all(scene.bare.all())?;
    std::fs::File::create(&key)?.write_all(KEY.as_bytes())?;
    let loaded = peer.ask(&["load", &messages.to_string_lossy(), &key.to_string_lossy()]);
    Ok(session.or_say(loaded).map(|_| peer))
}

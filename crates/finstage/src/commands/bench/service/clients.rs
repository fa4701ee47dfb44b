//! Clients of the stream: how old what they hear is, and whether each hears everything; and one who polls.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use finstage_model::{Clock as _, Symbol, Timestamp};
use finstage_net::SystemClock;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::server::{Place, between, frame, join};
use crate::exit::{Exit, Failure, Result};

/// Bytes that a listener reads at once: there are thousands.
const READ_BYTES: usize = 1 << 10;
/// At either end of listening, what is on its way is not counted.
const EDGE: Duration = Duration::from_millis(500);
/// A younger price that comes so soon after a trade stands for it.
const SOON: Duration = Duration::from_secs(1);

/// A price that a listener heard: when it was traded, and how old it was then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) at: Timestamp,
    pub(super) age: Duration,
}

/// What became of prices that were pushed to listeners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fates {
    /// They came.
    pub(super) came: u64,
    /// A younger price took their place on the way and came soon.
    pub(super) replaced: u64,
    /// Neither.
    pub(super) lost: u64,
}

/// What all listeners heard.
#[derive(Debug, Default)]
pub(super) struct Listened {
    /// By instrument, one list for each listener.
    heard: BTreeMap<usize, Vec<Vec<Heard>>>,
    /// When counting begins and ends, by the time of trades.
    counted: Option<(Timestamp, Timestamp)>,
}

impl Listened {
    /// Every price of every listener.
    pub(super) fn all(&self) -> impl Iterator<Item = &Heard> {
        self.heard.values().flatten().flatten().filter(|heard| self.counts(heard.at))
    }

    /// What became of what was pushed, over all listeners.
    pub(super) fn fates(&self) -> Fates {
        let mut fates = Fates::default();
        for listeners in self.heard.values() {
            let times = listeners.iter().flatten().map(|heard| heard.at);
            let pushed: BTreeSet<Timestamp> = times.filter(|at| self.counts(*at)).collect();
            for list in listeners {
                let came: BTreeMap<Timestamp, Timestamp> =
                    list.iter().map(|heard| (heard.at, heard.at.plus(heard.age))).collect();
                for at in &pushed {
                    // The first that is not older: the price itself, or one that took its place.
                    let fate = match came.range(at..).next() {
                        Some((found, _)) if found == at => &mut fates.came,
                        Some((_, when)) if when.since(*at) <= SOON => &mut fates.replaced,
                        _ => &mut fates.lost,
                    };
                    *fate += 1;
                }
            }
        }
        fates
    }

    /// Listeners that heard something.
    pub(super) fn listeners(&self) -> usize {
        self.heard.values().flatten().filter(|list| !list.is_empty()).count()
    }

    fn counts(&self, at: Timestamp) -> bool {
        self.counted.is_some_and(|(from, to)| at >= from && at < to)
    }
}

/// Connects `count` listeners, each to one of the instruments, and lets them listen.
pub(super) async fn listen(
    place: &Place,
    instruments: &[Symbol],
    (count, length): (usize, Duration),
) -> Result<Listened> {
    let mut listening = JoinSet::new();
    let (stop, stopped) = watch::channel(false);
    for listener in 0..count {
        let instrument = listener % instruments.len();
        let socket = join(place, &instruments[instrument]).await?;
        listening.spawn(hear(socket, instrument, stopped.clone()));
    }
    let from = SystemClock.now().plus(EDGE);
    tokio::time::sleep(EDGE + length).await;
    let to = SystemClock.now();
    tokio::time::sleep(EDGE).await;
    let _ = stop.send(true);
    let mut listened = Listened { counted: Some((from, to)), ..Listened::default() };
    while let Some(done) = listening.join_next().await {
        let (instrument, heard) = done.map_err(|e| Failure::new(Exit::Remote, e))?;
        listened.heard.entry(instrument).or_default().push(heard);
    }
    Ok(listened)
}

/// Hears until it is stopped or the stream ends.
async fn hear(
    socket: TcpStream,
    instrument: usize,
    mut stopped: watch::Receiver<bool>,
) -> (usize, Vec<Heard>) {
    let mut socket = tokio::io::BufReader::with_capacity(READ_BYTES, socket);
    let mut heard = Vec::new();
    loop {
        let text = tokio::select! {
            text = frame(&mut socket) => text,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let Ok(text) = text else { break };
        if !text.contains("\"current_price\"") {
            continue;
        }
        let at = between(&text, "\"timestamp\":\"", "\"").and_then(|at| at.parse().ok());
        if let Some(at) = at {
            heard.push(Heard { at, age: SystemClock.now().since(at) });
        }
    }
    (instrument, heard)
}

/// How old each of these trades was when one who polls saw it, or a younger one, at one of the moments of
/// `polls`: when an answer came, and when the trade in it was made.
pub(super) fn polled(trades: &BTreeSet<Timestamp>, polls: &[(Timestamp, Timestamp)]) -> Vec<f64> {
    let seen = |trade: &Timestamp| {
        let (answered, _) = polls.iter().find(|(_, newest)| newest >= trade)?;
        Some(answered.since(*trade).as_secs_f64())
    };
    trades.iter().filter_map(seen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_polls_sees_a_trade_with_the_first_answer_that_is_not_older() {
        let at = Timestamp::from_secs;
        let trades = BTreeSet::from([at(1), at(9), at(12), at(30)]);
        let polls = [(at(10), at(9)), (at(20), at(12))];
        assert_eq!(polled(&trades, &polls), [9.0, 1.0, 8.0]);
    }

    #[test]
    fn a_listener_that_missed_something_is_seen() {
        let heard = |times: &[i64]| -> Vec<Heard> {
            let one = |at: &i64| Heard { at: Timestamp::from_secs(*at), age: Duration::ZERO };
            times.iter().map(one).collect()
        };
        let listened = Listened {
            heard: BTreeMap::from([
                (0, vec![heard(&[1, 2, 3]), heard(&[1, 3])]),
                (1, vec![heard(&[2, 9]), heard(&[])]),
            ]),
            counted: Some((Timestamp::from_secs(0), Timestamp::from_secs(5))),
        };
        // What is beyond the end does not count; 3 came a second after 2 and stands for it.
        assert_eq!(listened.fates(), Fates { came: 6, replaced: 1, lost: 1 });
    }
}

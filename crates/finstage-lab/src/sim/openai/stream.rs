//! A body that is sent in pieces: events cut anywhere, comments between them, and what a scenario breaks.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::sleep;

use super::limits::Turn;
use crate::rng::Rng;

/// An answer that hangs does so at most this long, in real time.
pub const MAX_HANG: Duration = Duration::from_secs(900);
/// One stream in so many has lines that end as on Windows.
const CRLF_IN: u64 = 8;
/// Before one event in so many a comment is sent, which keeps connections alive.
const COMMENT_IN: u64 = 12;
/// One event in so many is cut in two somewhere; where it has letters of several bytes, inside one.
const CUT_IN: u64 = 3;

/// What is done next with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Send(Bytes),
    /// Nothing for this time, of the runtime's clock.
    Wait(Duration),
    /// Nothing until the client leaves or the venue ends.
    Hang,
}

/// Writes events down, with pauses between them, and cuts them into what is sent at once.
pub(super) fn steps(events: &[String], (rng, pause): (&mut Rng, Duration)) -> Vec<Step> {
    let end = if rng.below(CRLF_IN) == 0 { "\r\n" } else { "\n" };
    let mut steps = Vec::with_capacity(events.len() * 2);
    let send = |bytes: &[u8]| Step::Send(Bytes::copy_from_slice(bytes));
    for event in events {
        if !pause.is_zero() {
            steps.push(Step::Wait(pause));
        }
        if rng.below(COMMENT_IN) == 0 {
            steps.push(send(format!(": keep-alive{end}{end}").as_bytes()));
        }
        let line = format!("data: {event}{end}{end}");
        if rng.below(CUT_IN) == 0 {
            let (head, tail) = line.as_bytes().split_at(cut(&line, rng));
            steps.push(send(head));
            steps.push(send(tail));
        } else {
            steps.push(send(line.as_bytes()));
        }
    }
    steps
}

/// Where a line is cut: inside its first character of several bytes, or anywhere.
fn cut(line: &str, rng: &mut Rng) -> usize {
    let inside = line.char_indices().find(|(_, letter)| !letter.is_ascii());
    match inside {
        Some((at, _)) => at + 1,
        None => 1 + rng.below(line.len() as u64 - 1) as usize,
    }
}

/// A body of steps. The turn is over when the last one is sent, or when the client leaves.
pub(super) fn body(steps: Vec<Step>, turn: Option<Turn>, stop: watch::Receiver<bool>) -> Body {
    let state = (VecDeque::from(steps), turn, stop);
    Body::from_stream(unfold(state, |(mut steps, turn, mut stop)| async move {
        loop {
            match steps.pop_front()? {
                Step::Send(bytes) => {
                    return Some((Ok::<_, Infallible>(bytes), (steps, turn, stop)));
                }
                Step::Wait(time) => wait(time, &mut stop).await,
                Step::Hang => wait(MAX_HANG, &mut stop).await,
            }
        }
    }))
}

/// Waits, at most until the venue ends.
pub(super) async fn wait(time: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = sleep(time) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

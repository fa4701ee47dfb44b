//! Streamed answers: passed on as they come, settled when they end, dropped when nobody listens any more.

use bytes::Bytes;
use finstage_net::{Response, Streamed};
use finstage_server::{Cut, Given, GivenBody};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::question::Asking;
use super::relay::{Relay, broken};
use super::{LONGEST, Models, settled};
use crate::gateway::passing::{MAX_PIECES, passed, passing};
use crate::gateway::refusal::Refusal;

/// Asks, and passes the answer on from its head.
pub(super) async fn open(
    asking: Asking,
    models: &Models,
    place: OwnedSemaphorePermit,
) -> Result<Given, Refusal> {
    let (client, request, meter, mut reserved) = asking.ready(models).await?;
    let opened = client.open(&request.within(LONGEST)).await;
    let mut streamed = opened.map_err(|why| Refusal::of(&why))?;
    let headers = meter.headers();
    if !streamed.is_success() {
        return Ok(passed(settled(whole(streamed).await), headers));
    }
    reserved.answered();
    let mut given = passing(streamed.headers());
    given.extend(headers);
    let (send, pieces) = mpsc::channel(MAX_PIECES);
    let is_events =
        streamed.header("content-type").is_some_and(|kind| kind.contains("event-stream"));
    let status = streamed.status();
    let endpoint = models.endpoint.clone();
    let mut relay = match is_events {
        true => Relay::new(!asking.shows_usage),
        // A server that does not stream gives all of it at once.
        false => Relay::unread(),
    };
    tokio::spawn(async move {
        let _place = place;
        pump(&mut streamed, &send, &mut relay).await;
        // Now: the place among those that are out is free before anything is counted.
        drop(streamed);
        if let Some(usage) = &relay.usage {
            endpoint.counted((asking.model(), &asking.estimate), usage);
        }
        // Without usage all that was put aside is spent.
        let _ = reserved.settle(relay.usage);
    });
    Ok(Given { status, headers: given, body: GivenBody::Pieces(pieces) })
}

type Pieces = mpsc::Sender<Result<Bytes, Cut>>;

/// Passes pieces on until the stream ends or nobody listens.
async fn pump(streamed: &mut Streamed, send: &Pieces, relay: &mut Relay) {
    loop {
        let piece = tokio::select! {
            piece = streamed.chunk() => piece,
            () = send.closed() => return,
        };
        let (last, why) = match piece {
            Ok(Some(piece)) => {
                let passing = relay.take(piece);
                if !passing.is_empty() && send.send(Ok(passing)).await.is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {
                (relay.rest(), (!relay.is_whole()).then(|| "it ended too early".to_owned()))
            }
            Err(why) => (relay.rest(), Some(why.to_string())),
        };
        // Whoever has gone hears none of it.
        if !last.is_empty() {
            let _ = send.send(Ok(last)).await;
        }
        if let Some(why) = why {
            let _ = send.send(Ok(broken(&why))).await;
            let _ = send.send(Err(Cut)).await;
        }
        return;
    }
}

/// The whole of a refusal.
async fn whole(mut streamed: Streamed) -> Response {
    let (status, headers) = (streamed.status(), streamed.headers().to_vec());
    let mut body = Vec::new();
    // It is in one piece, and cut where it is long.
    while let Ok(Some(piece)) = streamed.chunk().await {
        body.extend_from_slice(&piece);
    }
    Response { status, headers, body }
}

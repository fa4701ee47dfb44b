//! What passes of an answer: which headers, and a body in pieces.

use finstage_net::{Response, Streamed};
use finstage_server::{Cut, Given, GivenBody};
use tokio::sync::mpsc;

/// Headers of an answer that end here: those of the connection, of a body that was unpacked, of a browser that
/// there is not, and ours.
const ENDING: [&str; 17] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "content-encoding",
    "vary",
    "alt-svc",
    "strict-transport-security",
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
    "location",
    "refresh",
];
/// Beginnings of further ones: what pages of other origins may do, and what only the gateway says.
const ENDING_FAMILIES: [&str; 4] =
    ["access-control-", "cross-origin-", "x-finstage-", "content-security-policy"];

/// Headers of an answer that pass.
pub(super) fn passing(headers: &[(String, String)]) -> Vec<(String, String)> {
    let named: Vec<&str> = headers
        .iter()
        .filter(|(name, _)| name == "connection")
        .flat_map(|(_, value)| value.split(','))
        .map(str::trim)
        .collect();
    let passes = |name: &str| {
        !ENDING.contains(&name)
            && !ENDING_FAMILIES.iter().any(|family| name.starts_with(family))
            && !named.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    let pair = |(name, value): &(String, String)| {
        // A page would run under our address.
        let is_page = name == "content-type" && value.trim_start().starts_with("text/html");
        (name.clone(), if is_page { "text/plain; charset=utf-8".to_owned() } else { value.clone() })
    };
    headers.iter().filter(|(name, _)| passes(name)).map(pair).collect()
}

/// An answer that passes as it is, with further headers.
pub(super) fn passed(
    response: Response,
    more: impl IntoIterator<Item = (String, String)>,
) -> Given {
    let mut headers = passing(&response.headers);
    headers.extend(more);
    Given { status: response.status, headers, body: GivenBody::Whole(response.body.into()) }
}

/// Pieces that wait for a program that reads slowly; then the server waits.
pub(super) const MAX_PIECES: usize = 16;

/// The same for an answer that comes in pieces: each passes as it comes. Where nobody listens any more, the server
/// is left.
pub(super) fn flowing(
    mut streamed: Streamed,
    more: impl IntoIterator<Item = (String, String)>,
) -> Given {
    let mut headers = passing(streamed.headers());
    headers.extend(more);
    let status = streamed.status();
    let (send, pieces) = mpsc::channel(MAX_PIECES);
    tokio::spawn(async move {
        loop {
            let piece = tokio::select! {
                piece = streamed.chunk() => piece.map_err(|_| Cut).transpose(),
                () = send.closed() => return,
            };
            let Some(piece) = piece else { return };
            let is_last = piece.is_err();
            if send.send(piece).await.is_err() || is_last {
                return;
            }
        }
    });
    Given { status, headers, body: GivenBody::Pieces(pieces) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_lengths_and_what_the_connection_names_end_here() {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let came = [
            ("content-type", "text/html; charset=utf-8"),
            ("x-mbx-used-weight-1m", "20"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("set-cookie", "a=b"),
            ("content-length", "3"),
            ("access-control-allow-origin", "*"),
            ("x-finstage-cost-usd", "0"),
            ("retry-after", "3"),
        ]
        .map(pair);
        let expected = [
            ("content-type", "text/plain; charset=utf-8"),
            ("x-mbx-used-weight-1m", "20"),
            ("retry-after", "3"),
        ];
        assert_eq!(passing(&came), expected.map(pair));
    }
}

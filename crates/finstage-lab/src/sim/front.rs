//! What simulated venues that are asked over HTTP have in common: a question read whole, an answer, a
//! server that ends when it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ledger::Outcome;

/// The largest body of a question.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1_024;

/// A question: its path without repeated slashes at the front, its parameters with names in small letters.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) params: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Where it came from, without the port.
    pub(super) address: String,
}

impl Ask {
    /// Reads a request; a body that is too large or breaks off is empty.
    pub(super) async fn read(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        let params = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let params = params.map(|Query(params)| params).unwrap_or_default();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Self {
            method: parts.method,
            path: format!("/{}", parts.uri.path().trim_start_matches('/')),
            params: params.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect(),
            headers: parts.headers,
            body: to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default(),
            address: peer.map(|peer| peer.0.ip().to_string()).unwrap_or_default(),
        }
    }

    /// A parameter; empty where it is missing.
    pub(super) fn param(&self, name: &str) -> &str {
        self.params.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A header; empty where it is missing or no text.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// What the ledger calls it: a venue may fail with the status of a success.
    pub(super) outcome: Outcome,
    pub(super) media: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        let media = "application/json; charset=utf-8";
        Self { media, ..Self::page(status, &body.to_string()) }
    }

    pub(super) fn page(status: u16, body: &str) -> Self {
        let (outcome, body) = (Outcome::of_status(status), body.as_bytes().to_vec());
        Self { status, outcome, media: "text/html", body, headers: Vec::new() }
    }

    pub(super) fn into_response(self) -> Response {
        let mut response =
            Response::builder().status(self.status).header(header::CONTENT_TYPE, self.media);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let response = response.body(Body::from(self.body));
        response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

/// What a key is called where it is written down: eight digits that do not lead back to it.
pub(super) fn nickname(key: &str) -> String {
    // FNV-1a of 64 bits, of which half is shown: many keys share what is seen.
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{:08x}", hash >> 32)
}

/// Serves until `stop` says so.
pub(super) fn serve(
    what: &'static str,
    (listener, routes): (TcpListener, Router),
    stop: &watch::Sender<bool>,
) -> JoinHandle<()> {
    let mut stop = stop.subscribe();
    tokio::spawn(async move {
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service)
            .with_graceful_shutdown(async move { stopped(&mut stop).await });
        if let Err(error) = serving.await {
            tracing::warn!(%error, "simulated {what} ended");
        }
    })
}

/// Comes back when the venue stops.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the venue itself is gone: the same end.
    let _ = stop.wait_for(|stop| *stop).await;
}

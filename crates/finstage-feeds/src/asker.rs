//! Requests to a venue that is asked and never connected to: one after the other, at its pace, and
//! to its next host when one fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use finstage_net::{Client, Error, Request, Response};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use tracing::info;

use crate::venue::{Endpoints, VenueProfile};

/// Asks one venue. Cheap to clone; clones share the pace.
#[derive(Debug, Clone)]
pub struct Asker {
    venue: &'static str,
    client: Client,
    hosts: Arc<[String]>,
    /// The host that answered last.
    preferred: Arc<AtomicUsize>,
    /// When the next request may leave. Whoever holds it is next.
    turn: Arc<Mutex<Instant>>,
    spacing: Duration,
}

impl Asker {
    /// One that sends through `client`.
    #[must_use]
    pub fn new(profile: &VenueProfile, endpoints: &Endpoints, client: Client) -> Self {
        Self {
            venue: profile.name,
            client,
            hosts: hosts(&endpoints.rest).map(str::to_owned).collect(),
            preferred: Arc::default(),
            turn: Arc::new(Mutex::new(Instant::now())),
            spacing: profile.request_spacing,
        }
    }

    /// Sends a GET when its turn has come. A host that cannot be reached, or that fails, is asked
    /// once; then the next one is. What all hosts refuse is the answer of the last.
    ///
    /// # Errors
    /// When no host answers.
    pub async fn ask(&self, request: &Request) -> Result<Response, Error> {
        let first = self.preferred.load(Ordering::Relaxed);
        let count = self.hosts.len().max(1);
        let mut answer = self.send(request, first % count).await;
        for place in (first + 1..first + count).map(|place| place % count) {
            match &answer {
                Ok(response) if !is_failing(response) => break,
                _ => info!(venue = self.venue, host = %self.hosts[place], "asking the other host"),
            }
            answer = self.send(request, place).await;
            self.preferred.store(place, Ordering::Relaxed);
        }
        answer
    }

    async fn send(&self, request: &Request, host: usize) -> Result<Response, Error> {
        {
            let mut turn = self.turn.lock().await;
            sleep_until(*turn).await;
            *turn = Instant::now() + self.spacing;
        }
        match (self.hosts.first(), self.hosts.get(host)) {
            (Some(first), Some(other)) if first != other && request.url().starts_with(first) => {
                let url = format!("{other}{}", &request.url()[first.len()..]);
                let headers = request.headers().iter();
                let moved = headers.fold(Request::get(url), |moved, (name, value)| {
                    moved.header(name.clone(), value.clone())
                });
                self.client.send(&moved).await
            }
            _ => self.client.send(request).await,
        }
    }
}

/// The hosts of an address, parted by commas: the later ones stand in for the first.
pub fn hosts(rest: &str) -> impl Iterator<Item = &str> {
    rest.split(',').map(|host| host.trim().trim_end_matches('/')).filter(|host| !host.is_empty())
}

/// Whether another host may do better. One that is asked too often shares its count with the others.
fn is_failing(response: &Response) -> bool {
    response.status >= 500
        || (response.is_success() && response.body.trim_ascii_start().starts_with(b"<"))
}

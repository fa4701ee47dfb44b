//! `/gateway/VENUE/*`: public market data, at the venue's limits and with the house's keys.

use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::{Params, Read, hosts};
use finstage_model::Clock;
use finstage_net::{Cache, CacheOptions, Error, MarketPhase, Request, Response};
use finstage_server::{Asked, Given};
use tokio::sync::Semaphore;

use super::meter::Meter;
use super::passing::{flowing, passed};
use super::readable;
use super::refusal::Refusal;
use crate::venues::Door;

/// The most requests of programs that one venue's limits keep waiting, those that are out included.
const MAX_WAITING: usize = 1_024;
/// The longest question behind the path.
const MAX_QUERY_BYTES: usize = 8 << 10;
/// How long what hardly changes is given again.
const LASTING: Duration = Duration::from_secs(60);
/// How many such answers, and how many bytes of them, are kept.
const LASTING_ENTRIES: usize = 256;
const LASTING_BYTES: usize = 64 << 20;

/// A venue, as programs ask it.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) door: Door,
    places: Semaphore,
}

/// Answers that hardly change, by venue and question.
pub(super) type Lasting = Cache<String, Arc<Response>, NotKept>;

/// What is given once, and not again.
#[derive(Debug)]
pub(super) enum NotKept {
    /// An answer that is no success.
    Answer(Response),
    /// None.
    Failed(Error),
    /// None, for a reason of our own.
    Refused,
}

/// A cache for answers that hardly change.
pub(super) fn lasting(clock: Arc<dyn Clock>) -> Lasting {
    let options = CacheOptions {
        ttl: LASTING,
        entries: LASTING_ENTRIES,
        bytes: LASTING_BYTES,
        ..CacheOptions::default()
    };
    Cache::new("gateway venues", options, clock, |key, answer| key.len() + answer.body.len())
}

impl Gate {
    pub(super) fn new(door: Door) -> Self {
        Self { door, places: Semaphore::new(MAX_WAITING) }
    }

    /// Asks the venue what a program asked.
    pub(super) async fn ask(
        &self,
        (path, asked): (&str, &Asked),
        lasting: &Lasting,
    ) -> Result<Given, Refusal> {
        let (read, request) = self.request(path, asked)?;
        let _place = self.places.try_acquire().map_err(|_| Refusal::crowded(MAX_WAITING))?;
        if read.is_lasting {
            let key = format!("{} {path}?{}", self.name(), asked.query);
            return self.ask_once(key, &request, lasting).await;
        }
        let (meter, client) = Meter::on(&self.door.client);
        if read.is_endless {
            let streamed = client.open(&request).await.map_err(|why| Refusal::of(&why))?;
            return Ok(flowing(streamed, meter.headers()));
        }
        let response = client.send(&request).await.map_err(|why| Refusal::of(&why))?;
        Ok(passed(response, meter.headers()))
    }

    /// The same for what was perhaps asked within the minute; who asks the same meanwhile waits for one answer.
    async fn ask_once(
        &self,
        key: String,
        request: &Request,
        lasting: &Lasting,
    ) -> Result<Given, Refusal> {
        let (meter, client) = Meter::on(&self.door.client);
        let mut is_ours = false;
        let ask = async {
            is_ours = true;
            match client.send(request).await {
                Ok(response) if response.is_success() => Ok(Some(Arc::new(response))),
                Ok(response) => Err(NotKept::Answer(response)),
                Err(why) => Err(NotKept::Failed(why)),
            }
        };
        let end = lasting.fetch(key, MarketPhase::Regular, ask).await;
        let response = match end {
            Ok(kept) => kept.map(|kept| (*kept).clone()),
            Err(why) => match &*why {
                NotKept::Answer(response) => Some(response.clone()),
                NotKept::Failed(why) => return Err(Refusal::of(why)),
                NotKept::Refused => None,
            },
        };
        let response = response.expect("a venue answers or fails");
        let found = if is_ours { "miss" } else { "hit" };
        let found = ("x-finstage-cache".to_owned(), found.to_owned());
        Ok(passed(response, meter.headers().into_iter().chain([found])))
    }

    fn name(&self) -> &'static str {
        self.door.venue.profile.name
    }

    /// What is sent, where it may be.
    fn request(&self, path: &str, asked: &Asked) -> Result<(&'static Read, Request), Refusal> {
        let (name, public) = (self.name(), self.door.venue.public);
        if asked.method != "GET" {
            let words =
                format!("only GET passes to {name}: what it tells is read, nothing is done");
            return Err(Refusal::method("GET", words));
        }
        let too_long = || {
            let words =
                format!("the question has at most {MAX_QUERY_BYTES} bytes and 64 parameters");
            Refusal::new(400, "invalid", words)
        };
        let params = Params::read(&asked.query).filter(|_| asked.query.len() <= MAX_QUERY_BYTES);
        let params = params.ok_or_else(too_long)?;
        let headers = asked.headers.iter().map(|(name, _)| name.as_str());
        if let Some(sign) = params.signed_by(headers) {
            let words =
                format!("\"{sign}\" signs a question: nothing passes that acts for an account");
            return Err(Refusal::new(403, "signed", words));
        }
        let Some(read) = public.find(path) else {
            let paths = readable(public);
            let words = format!("only public market data of {name} passes: {paths}");
            return Err(Refusal::new(403, "not_public", words));
        };
        let host = hosts(&self.door.endpoints.rest).next().unwrap_or_default();
        let mark = if asked.query.is_empty() { "" } else { "?" };
        let mut request = Request::get(format!("{host}{path}{mark}{}", asked.query));
        if !public.kind.is_empty() {
            let kind = asked.header(public.kind).unwrap_or_default();
            let Some(kind) = read.kinds.iter().find(|known| **known == kind) else {
                let words =
                    format!("send {}: {} with this path", public.kind, read.kinds.join(" or "));
                return Err(Refusal::new(403, "not_public", words));
            };
            request = request.header(public.kind, *kind);
        }
        for (name, value) in public.headers {
            request = request.header(*name, *value);
        }
        for name in public.passed {
            if let Some(value) = asked.header(name) {
                request = request.header(*name, value);
            }
        }
        if let Some(cost) = (read.cost)(&params) {
            request = request.cost(cost.rule, cost.amount);
        }
        Ok((read, self.door.signed(request).endpoint(read.path)))
    }
}

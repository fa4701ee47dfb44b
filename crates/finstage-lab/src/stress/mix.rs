//! What is asked: one URL, or endpoints of a venue in the shares that its users ask them.

use finstage_model::Timestamp;
use finstage_seal::{Secret, hmac_sha256};

use super::Target;
use super::target::{BINANCE_UNKNOWN_WEIGHT, trading_part};
use crate::rng::Rng;
use crate::{Error, ErrorKind};

/// Who we say we are.
const AGENT: &str = concat!("finstage/", env!("CARGO_PKG_VERSION"));
/// The most endpoints in a mix, and the most paths of one.
pub const MAX_ENDPOINTS: usize = 100;

/// Endpoints with their shares.
#[derive(Debug, Clone, Default)]
pub struct Mix {
    /// At least one.
    pub endpoints: Vec<Endpoint>,
    /// Signs those that are to be signed.
    pub signer: Option<Signer>,
}

/// One thing that is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Endpoint {
    /// What results call it: `GET /api/v3/depth`.
    pub name: String,
    /// How often it is asked, against the others.
    pub share: f64,
    /// What the venue charges for one; `None` where we do not know.
    pub weight: Option<f64>,
    /// The method.
    pub method: Method,
    /// Paths with queries: one at random each time.
    pub paths: Vec<String>,
    /// Further header lines: name and value.
    pub headers: Vec<(String, String)>,
    /// What is sent along; empty is nothing.
    pub body: String,
    /// Whether `timestamp` and `signature` are added.
    pub signed: bool,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `HEAD`
    Head,
    /// `POST`, of this machine only.
    Post,
}

impl Method {
    /// As it is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
        }
    }
}

/// Who signs as Binance wants it: HMAC-SHA-256 in hexadecimal over the query with its time.
#[derive(Debug, Clone)]
pub struct Signer {
    /// Goes into the header `X-MBX-APIKEY`.
    pub key: Secret<String>,
    /// Signs; never sent.
    pub secret: Secret<String>,
}

impl Mix {
    /// One URL, nothing else.
    #[must_use]
    pub fn one(target: &Target) -> Self {
        let bare = target.path.split('?').next().unwrap_or(&target.path);
        let endpoint = Endpoint {
            name: format!("GET {bare}"),
            share: 1.0,
            paths: vec![target.path.clone()],
            ..Endpoint::default()
        };
        Self { endpoints: vec![endpoint], signer: None }
    }

    /// What one request weighs on average, where its venue counts so.
    #[must_use]
    pub fn mean_weight(&self) -> f64 {
        let all: f64 = self.endpoints.iter().map(|endpoint| endpoint.share).sum();
        let weight = |endpoint: &Endpoint| endpoint.weight.unwrap_or(BINANCE_UNKNOWN_WEIGHT);
        let sum: f64 = self.endpoints.iter().map(|e| e.share * weight(e)).sum();
        if all > 0.0 { sum / all } else { 0.0 }
    }

    /// Looks whether it can be asked of `target`, another machine where `is_other`.
    ///
    /// # Errors
    /// [`ErrorKind::Plan`] for shares, paths or headers that cannot be, [`ErrorKind::Target`] for what
    /// no test asks.
    pub fn check(&self, place: Place) -> Result<(), Error> {
        let wrong = |words: String| Err(Error::new(ErrorKind::Plan, words));
        if self.endpoints.is_empty() || self.endpoints.len() > MAX_ENDPOINTS {
            return wrong(format!("{} endpoints: 1 to {MAX_ENDPOINTS}", self.endpoints.len()));
        }
        for endpoint in &self.endpoints {
            let name = &endpoint.name;
            if !(endpoint.share.is_finite() && endpoint.share > 0.0) {
                return wrong(format!("{name}: its share {} is not above 0", endpoint.share));
            }
            if endpoint.paths.is_empty() || endpoint.paths.len() > MAX_ENDPOINTS {
                return wrong(format!(
                    "{name}: {} paths: 1 to {MAX_ENDPOINTS}",
                    endpoint.paths.len()
                ));
            }
            for path in &endpoint.paths {
                if !path.starts_with('/') || path.bytes().any(|b| !b.is_ascii_graphic()) {
                    return wrong(format!(
                        "{name}: \"{path}\" is no path: begin with / and encode spaces"
                    ));
                }
                let forbidden = endpoint.signed || place == Place::Other;
                if let Some(part) = trading_part(path).filter(|_| forbidden) {
                    return Err(Error::new(
                        ErrorKind::Target,
                        format!("{name}: \"{part}\" may move money, and no test asks that"),
                    ));
                }
            }
            for (field, value) in &endpoint.headers {
                let plain = |b: u8| b == b'\t' || (b' '..=b'~').contains(&b) || b >= 0x80;
                let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
                if field.is_empty() || !field.bytes().all(token) || !value.bytes().all(plain) {
                    return wrong(format!("{name}: the header {field} cannot be sent so"));
                }
            }
            if endpoint.method == Method::Post && place == Place::Other {
                let words =
                    format!("{name}: POST may change things, and is asked of this machine only");
                return Err(Error::new(ErrorKind::Target, words));
            }
            if endpoint.signed && self.signer.is_none() {
                return wrong(format!("{name} is to be signed, and no key is given"));
            }
        }
        Ok(())
    }
}

/// Where a mix is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// This machine.
    Here,
    /// Another one.
    Other,
}

/// A mix in the bytes that are sent.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) endpoints: Vec<Rendered>,
    /// Up to where, from 0 to 1, each endpoint is chosen.
    bounds: Vec<f64>,
    signer: Option<Signer>,
    authority: String,
}

/// One endpoint of [`Requests`].
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) endpoint: Endpoint,
    /// The whole request for each path.
    whole: Vec<Box<[u8]>>,
}

/// Which request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pick {
    pub(crate) endpoint: u16,
    path: u16,
}

impl Requests {
    pub(crate) fn of(mix: &Mix, target: &Target) -> Self {
        let all: f64 = mix.endpoints.iter().map(|endpoint| endpoint.share).sum();
        let mut sum = 0.0;
        let mut bounds = Vec::with_capacity(mix.endpoints.len());
        for endpoint in &mix.endpoints {
            sum += endpoint.share / all;
            bounds.push(sum);
        }
        let authority = target.authority();
        let signer = mix.signer.clone();
        let render = |endpoint: &Endpoint| {
            let whole = |path: &String| render(endpoint, path, &authority, signer.as_ref());
            let whole = endpoint.paths.iter().map(whole).collect();
            Rendered { endpoint: endpoint.clone(), whole }
        };
        let endpoints = mix.endpoints.iter().map(render).collect();
        Self { endpoints, bounds, signer, authority }
    }

    /// One at random.
    pub(crate) fn pick(&self, rng: &mut Rng) -> Pick {
        let mut pick = Pick::default();
        if self.bounds.len() > 1 {
            let at = rng.unit();
            let last = self.bounds.len() - 1;
            pick.endpoint = self.bounds.iter().position(|bound| at < *bound).unwrap_or(last) as u16;
        }
        let paths = self.endpoints[usize::from(pick.endpoint)].whole.len();
        if paths > 1 {
            pick.path = rng.below(paths as u64) as u16;
        }
        pick
    }

    pub(crate) fn endpoint(&self, pick: Pick) -> &Endpoint {
        &self.endpoints[usize::from(pick.endpoint)].endpoint
    }

    /// Its bytes, unless they must be signed for the moment.
    pub(crate) fn bytes(&self, pick: Pick) -> &[u8] {
        &self.endpoints[usize::from(pick.endpoint)].whole[usize::from(pick.path)]
    }

    /// Its path as it is asked `now`, signed where it must be.
    pub(crate) fn path(&self, pick: Pick, now: Timestamp) -> String {
        let endpoint = self.endpoint(pick);
        let path = &endpoint.paths[usize::from(pick.path)];
        match &self.signer {
            Some(signer) if endpoint.signed => signed(path, &signer.secret, now),
            _ => path.clone(),
        }
    }

    /// Its bytes, signed for `now`; `None` where [`bytes`](Self::bytes) will do.
    pub(crate) fn signed(&self, pick: Pick, now: Timestamp) -> Option<Vec<u8>> {
        let endpoint = self.endpoint(pick);
        let signer = self.signer.as_ref().filter(|_| endpoint.signed)?;
        let path = self.path(pick, now);
        Some(render(endpoint, &path, &self.authority, Some(signer)).into_vec())
    }

    /// Whom it is asked of, as the line `Host` has it.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Header lines, beside the first one and those about the body.
    pub(crate) fn headers(&self, pick: Pick) -> impl Iterator<Item = (&str, &str)> {
        let endpoint = self.endpoint(pick);
        let named =
            |field: &str| endpoint.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(field));
        let usual = [("user-agent", AGENT), ("accept", "*/*")];
        let usual = usual.into_iter().filter(move |(field, _)| !named(field));
        let own = endpoint.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let own = usual.chain(own);
        let key = self.signer.as_ref().filter(|_| endpoint.signed);
        own.chain(key.map(|signer| ("X-MBX-APIKEY", signer.key.expose().as_str())))
    }
}

/// Adds the time and the signature over the query with it.
fn signed(path: &str, secret: &Secret<String>, now: Timestamp) -> String {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let and = if query.is_empty() { "" } else { "&" };
    let query = format!("{query}{and}timestamp={}", now.millis());
    let signature = hmac_sha256(secret, &[query.as_bytes()]);
    format!("{bare}?{query}&signature={signature}")
}

/// A whole request.
fn render(endpoint: &Endpoint, path: &str, authority: &str, signer: Option<&Signer>) -> Box<[u8]> {
    let Endpoint { method, headers, body, .. } = endpoint;
    let mut text = format!("{} {path} HTTP/1.1\r\nHost: {authority}\r\n", method.name());
    let has = |name: &str| headers.iter().any(|(field, _)| field.eq_ignore_ascii_case(name));
    if !has("user-agent") {
        text += &format!("User-Agent: {AGENT}\r\n");
    }
    if !has("accept") {
        text += "Accept: */*\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if let Some(signer) = signer.filter(|_| endpoint.signed) {
        text += &format!("X-MBX-APIKEY: {}\r\n", signer.key.expose());
    }
    if !body.is_empty() || *method == Method::Post {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body;
    text.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(share: f64, paths: &[&str]) -> Endpoint {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Endpoint { name: format!("GET {share}"), share, paths, ..Endpoint::default() }
    }

    fn mix(endpoints: Vec<Endpoint>) -> Mix {
        Mix { endpoints, signer: None }
    }

    #[test]
    fn endpoints_are_asked_in_their_shares_and_paths_evenly() {
        let mix = mix(vec![endpoint(3.0, &["/a"]), endpoint(1.0, &["/b", "/c"])]);
        let requests = Requests::of(&mix, &Target::parse("localhost").unwrap());
        let mut rng = Rng::new(1);
        let mut counts = [0; 3];
        for _ in 0..80_000 {
            let pick = requests.pick(&mut rng);
            counts[usize::from(pick.endpoint + pick.path)] += 1;
        }
        assert!((59_000..61_000).contains(&counts[0]), "{counts:?}");
        assert!((9_500..10_500).contains(&counts[1]) && (9_500..10_500).contains(&counts[2]));
    }

    #[test]
    fn a_request_is_what_a_server_expects() {
        let target = Target::parse("http://localhost:81/x?y=1").unwrap();
        let requests = Requests::of(&Mix::one(&target), &target);
        let text = String::from_utf8(requests.bytes(Pick::default()).to_vec()).unwrap();
        assert!(
            text.starts_with("GET /x?y=1 HTTP/1.1\r\nHost: localhost:81\r\nUser-Agent: finstage/"),
            "{text}"
        );
        assert!(text.ends_with("\r\nAccept: */*\r\n\r\n"), "{text}");
    }

    #[test]
    fn a_signed_request_is_that_of_the_published_example() {
        let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
        let path = "/api/v3/order?symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000";
        let now = Timestamp::from_millis(1_499_827_319_559);
        let out = signed(path, &Secret::new(secret.to_owned()), now);
        assert!(
            out.ends_with("&timestamp=1499827319559&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
            "{out}"
        );
    }

    #[test]
    fn orders_are_never_signed_and_what_cannot_be_sent_is_refused() {
        let key = Secret::new("k".to_owned());
        let signer = Some(Signer { key: key.clone(), secret: key });
        let order = Endpoint { signed: true, ..endpoint(1.0, &["/api/v3/order"]) };
        let refused = Mix { endpoints: vec![order], signer: signer.clone() }.check(Place::Here);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Target);
        let account = Endpoint { signed: true, ..endpoint(1.0, &["/api/v3/account"]) };
        assert!(Mix { endpoints: vec![account.clone()], signer }.check(Place::Other).is_ok());
        assert!(mix(vec![account]).check(Place::Here).is_err(), "no key");
        assert!(mix(vec![endpoint(1.0, &["/orders"])]).check(Place::Here).is_ok());
        assert!(mix(vec![endpoint(1.0, &["/orders"])]).check(Place::Other).is_err());
        for (share, path) in
            [(0.0, "/"), (f64::NAN, "/"), (1.0, "x"), (1.0, "/a b"), (1.0, "/\r\nX: y")]
        {
            assert!(
                mix(vec![endpoint(share, &[path])]).check(Place::Here).is_err(),
                "{share} {path:?}"
            );
        }
        let lines = vec![("X".to_owned(), "a\r\nb".to_owned())];
        assert!(
            mix(vec![Endpoint { headers: lines, ..endpoint(1.0, &["/"]) }])
                .check(Place::Here)
                .is_err()
        );
        assert!(mix(vec![]).check(Place::Here).is_err());
    }
}

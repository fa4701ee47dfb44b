//! How this process asks a venue: its addresses, and a client that keeps its limits and has its token.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::prices::PriceDesk;
use finstage_feeds::venues::{self, Venue};
use finstage_feeds::{Access, Account, Endpoints, PollVenue, Server, hosts};
use finstage_model::{Clock, Symbol};
use finstage_net::{
    Client, ErrorKind, LimiterOptions, Remote, RemoteOptions, Request, Rule, Terms, TokenCell,
};
use finstage_seal::{Secret, hmac_sha256};

use crate::config::settings::{AccountSettings, FeedSettings, Settings};
use crate::exit::{Exit, Failure, Result};
use crate::sealed::SealedSource;

/// A call may have to wait for the minute between two tokens.
const DEADLINE: Duration = Duration::from_secs(150);
/// Letters of a file's name that tell keys apart.
const MARK_LETTERS: usize = 12;

/// What doors are made of.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// Addresses and keys.
    pub settings: &'a Settings,
    /// What sends.
    pub client: &'a Client,
    /// The data folder, where tokens are kept.
    pub dir: &'a Path,
    /// The time.
    pub clock: &'a Arc<dyn Clock>,
}

/// One venue as it is asked. All that asks through clones of its client shares limits and token.
#[derive(Debug, Clone)]
pub struct Door {
    /// Which.
    pub venue: &'static Venue,
    /// Where.
    pub endpoints: Endpoints,
    /// With what: at the venue's limits, and with its token.
    pub client: Client,
    /// Where its stream comes sealed: from where, with the keys. Only who streams has them read.
    pub sealed: Option<SealedSource>,
    account: Option<Account>,
    token: Option<TokenCell>,
    issuer: Option<Remote>,
    clock: Arc<dyn Clock>,
}

impl Door {
    /// Opens the door to a venue. Nothing is sent yet.
    ///
    /// # Errors
    /// Exit 2 when there is no such venue, 4 when it wants keys that are missing.
    pub fn open(name: &str, means: Means<'_>) -> Result<Self> {
        let venue = find(name)?;
        let settings = means.settings.accounts.get(name);
        let account = venue.access.map(|access| account(venue, access, settings)).transpose()?;
        let endpoints = endpoints(venue, means.settings, account.as_ref());
        let terms = terms(venue, account.as_ref(), settings.and_then(|own| own.per_second));
        let shared = LimiterOptions {
            share: shared_folder(means.dir, &endpoints, account.as_ref()),
            ..LimiterOptions::default()
        };
        let remote = Remote::with(
            name,
            terms,
            RemoteOptions {
                hosts: hosts(&endpoints.rest).map(str::to_owned).collect(),
                clock: Arc::clone(means.clock),
                deadline: DEADLINE,
                limiter: shared.clone(),
                ..RemoteOptions::default()
            },
        );
        let (mut client, mut token) = (means.client.at(&remote), None);
        let mut issued_by = None;
        if let (Some(access), Some(account)) = (venue.access, &account) {
            let issuer = format!("{name} tokens");
            let issuer = Remote::with(
                issuer,
                access.token_terms,
                RemoteOptions {
                    clock: Arc::clone(means.clock),
                    limiter: shared,
                    ..RemoteOptions::default()
                },
            );
            let terms = (access.token)(&endpoints, account);
            let file = token_file(means.dir, name, account)?;
            let clock = Arc::clone(means.clock);
            let cell = TokenCell::new(terms, means.client.at(&issuer), clock, Some(file));
            client = client.with_token(&cell, access.put);
            token = Some(cell);
            issued_by = Some(issuer);
        }
        let clock = Arc::clone(means.clock);
        Ok(Self {
            venue,
            endpoints,
            client,
            sealed: None,
            account,
            token,
            issuer: issued_by,
            clock,
        })
    }

    /// Has the keys of its stream, where that comes sealed, and the address of who seals it.
    ///
    /// # Errors
    /// As [`SealedSource::open`].
    pub fn unseal(&mut self, means: Means<'_>) -> Result<()> {
        let name = self.venue.profile.name;
        if let Some(settings) = means.settings.sealed.get(name) {
            let now = self.clock.now();
            let source = SealedSource::open(name, settings, means.dir, now)?;
            source.address().clone_into(&mut self.endpoints.stream);
            self.sealed = Some(source);
        }
        Ok(())
    }

    /// Has a token, where one is needed: wrong keys are noticed once, before a whole list is.
    ///
    /// # Errors
    /// Exit 4 when the venue does not accept the keys, 3 when there is no token for another reason.
    pub async fn enter(&self) -> Result<()> {
        let Some(token) = &self.token else { return Ok(()) };
        let name = self.venue.profile.name;
        match token.get().await {
            Ok(_) => Ok(()),
            Err(why) if why.kind() == ErrorKind::Denied => {
                let check = format!("check app_key, app_secret and mock in [venues.{name}]");
                Err(Failure::new(Exit::Auth, format!("{name}: {why}: {check}")))
            }
            Err(why) => Err(Failure::new(Exit::Remote, format!("{name}: {why}"))),
        }
    }

    /// The request with the keys of the account, where the venue wants some. A token is put in on sending.
    pub fn signed(&self, request: Request) -> Request {
        match (self.venue.access, &self.account) {
            (Some(access), Some(account)) => (access.sign)(request, account),
            _ => request,
        }
    }

    /// What all requests through it share, for those who look at limits.
    #[must_use]
    pub fn remotes(&self) -> Vec<Remote> {
        self.client.remote().into_iter().chain(&self.issuer).cloned().collect()
    }

    /// What translates; `None` where the venue gives no history and no prices.
    #[must_use]
    pub fn poll(&self) -> Option<Box<dyn PollVenue>> {
        self.venue.poller(&self.endpoints, self.account.as_ref())
    }

    /// What asks for prices.
    ///
    /// # Errors
    /// When the venue tells none.
    pub fn prices(&self) -> Result<PriceDesk> {
        let profile = self.venue.profile;
        let poll = self.poll().ok_or_else(|| {
            Failure::usage(format!("{}: no prices come from there", profile.name))
        })?;
        Ok(PriceDesk::new(profile, poll, self.client.clone(), Arc::clone(&self.clock)))
    }
}

/// The doors to the venues of `symbols`.
///
/// # Errors
/// As [`Door::open`].
pub fn doors_of(symbols: &[Symbol], means: Means<'_>) -> Result<Doors> {
    let mut doors = Doors::new();
    for symbol in symbols {
        if !doors.contains_key(symbol.venue()) {
            let door = Door::open(symbol.venue(), means);
            let door = door.map_err(|why| Failure::new(why.exit, format!("{symbol}: {why}")))?;
            doors.insert(door.venue.profile.name, door);
        }
    }
    Ok(doors)
}

/// By the name of the venue.
pub type Doors = BTreeMap<&'static str, Door>;

/// The doors to the venues of feeds; feeds of one venue share its pace. Their streams can be read.
///
/// # Errors
/// As [`Door::open`] and [`SealedSource::open`].
pub fn doors_of_feeds(feeds: &[FeedSettings], means: Means<'_>) -> Result<Doors> {
    let mut doors = Doors::new();
    for feed in feeds {
        if !doors.contains_key(feed.venue.as_str()) {
            let mut door = Door::open(&feed.venue, means)?;
            door.unseal(means)?;
            doors.insert(door.venue.profile.name, door);
        }
    }
    Ok(doors)
}

fn find(name: &str) -> Result<&'static Venue> {
    venues::find(name)
        .ok_or_else(|| Failure::usage(format!("\"{name}\" is not a venue: write {}", names())))
}

/// The names of all venues, for people.
#[must_use]
pub fn names() -> String {
    names_of(|_| true)
}

/// The names of those venues that `fit`, for people.
pub fn names_of(fit: impl Fn(&Venue) -> bool) -> String {
    let fitting = venues::ALL.iter().filter(|venue| fit(venue));
    let names: Vec<&str> = fitting.map(|venue| venue.profile.name).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.join(""),
    }
}

/// The keys of a venue that wants some.
fn account(venue: &Venue, access: &Access, settings: Option<&AccountSettings>) -> Result<Account> {
    let name = venue.profile.name;
    let missing = |what: &str, why: &str| {
        let upper = what.to_ascii_uppercase();
        let write = format!("{what} = \"env:{}_{upper}\"", name.to_ascii_uppercase());
        let from = access.keys_from;
        let message = format!(
            "{name} wants keys: {why}: write {write} in [venues.{name}] and set that variable; keys come from {from}"
        );
        Failure::new(Exit::Auth, message)
    };
    let key = |what: &'static str, typed: Option<&crate::config::settings::Key>| match typed {
        None => Err(missing(what, &format!("{what} is missing"))),
        Some(Err(why)) => Err(missing(what, &format!("{what}: {why}"))),
        Some(Ok(secret)) if secret.expose().trim().is_empty() => {
            Err(missing(what, &format!("{what} is empty")))
        }
        Some(Ok(secret)) => Ok(secret.clone()),
    };
    Ok(Account {
        app_key: key("app_key", settings.and_then(|own| own.app_key.as_ref()))?,
        app_secret: key("app_secret", settings.and_then(|own| own.app_secret.as_ref()))?,
        server: settings.map_or(Server::Real, |own| own.server),
    })
}

/// The addresses of a venue: as configured, else its own.
#[must_use]
pub fn endpoints(venue: &Venue, settings: &Settings, account: Option<&Account>) -> Endpoints {
    let name = venue.profile.name;
    let own = venue.profile.endpoints();
    let own = match (venue.access, account) {
        (Some(access), Some(account)) => access.endpoints(own, account.server),
        _ => own,
    };
    let (rest, stream) = settings.addresses.get(name).cloned().unwrap_or_default();
    Endpoints { rest: rest.unwrap_or(own.rest), stream: stream.unwrap_or(own.stream) }
}

/// What a venue allows, with a limit of the user's own in place of its usual one.
fn terms(venue: &Venue, account: Option<&Account>, per_second: Option<u32>) -> Terms {
    let is_mock = account.is_some_and(|account| account.server == Server::Mock);
    let usual = match venue.access {
        Some(access) if is_mock => access.mock_terms,
        _ => venue.profile.terms,
    };
    let (Some(access), Some(limit)) = (venue.access, per_second) else { return usual };
    let own = |rule: &Rule| match rule.name == access.rule {
        true => Rule { limit: u64::from(limit), ..*rule },
        false => *rule,
    };
    // Once for a door; rules are constants of a venue otherwise.
    let rules: Vec<Rule> = usual.rules.iter().map(own).collect();
    Terms { rules: rules.leak(), ..usual }
}

/// Where the processes on one data folder tell each other what they sent to a server; `None` where
/// there is no such folder, and so no other process. What its address and the key are made of tells
/// servers apart.
fn shared_folder(dir: &Path, endpoints: &Endpoints, account: Option<&Account>) -> Option<PathBuf> {
    let key = account.map_or("", |account| account.app_key.expose());
    let mark = hmac_sha256(&Secret::new(endpoints.rest.clone()), &[key.as_bytes()]);
    let folder = dir.is_dir().then(|| dir.join("limits").join(&mark[..MARK_LETTERS]))?;
    std::fs::create_dir_all(&folder).is_ok().then_some(folder)
}

/// Where the token of an account is kept. Its name tells keys apart and gives none away.
fn token_file(dir: &Path, name: &str, account: &Account) -> Result<PathBuf> {
    std::fs::create_dir_all(dir).map_err(|e| Failure::from_writing(dir, &e))?;
    let server = match account.server {
        Server::Real => "real",
        Server::Mock => "mock",
    };
    let mark = hmac_sha256(&account.app_secret, &[account.app_key.expose().as_bytes()]);
    Ok(dir.join(format!("{name}-{server}-{}.token", &mark[..MARK_LETTERS])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use finstage_model::ManualClock;
    use finstage_model::Timestamp;

    fn open(text: &str, name: &str) -> Result<Door> {
        let settings = config::parse("finstage.toml", text, &[])?;
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::EPOCH));
        let client = crate::wiring::client()?;
        Door::open(
            name,
            Means { settings: &settings, client: &client, dir: dir.path(), clock: &clock },
        )
    }

    #[test]
    fn a_venue_that_wants_keys_says_so_with_exit_4() {
        let said = |text: &str| {
            let why = open(text, "kis").unwrap_err();
            assert_eq!(why.exit, Exit::Auth);
            why.to_string()
        };
        assert_eq!(
            said(""),
            "kis wants keys: app_key is missing: write app_key = \"env:KIS_APP_KEY\" in [venues.kis] and set that variable; keys come from https://apiportal.koreainvestment.com"
        );
        assert!(said("[venues.kis]\napp_key = \"k\"\n").contains("app_secret is missing"));
        let unset = "[venues.kis]\napp_key = \"env:NO_SUCH_KEY\"\napp_secret = \"s\"\n";
        assert!(said(unset).contains("app_key: the environment variable NO_SUCH_KEY is not set"));
        assert!(
            open("", "nowhere")
                .unwrap_err()
                .to_string()
                .contains("write binance, yahoo, kis, kraken or tardis")
        );
    }

    #[test]
    fn practice_has_its_own_address_and_limit_and_both_can_be_changed() {
        let keys = "[venues.kis]\napp_key = \"k\"\napp_secret = \"s\"\n";
        let door = |more: &str| open(&format!("{keys}{more}"), "kis").unwrap();
        let limit = |door: &Door| door.client.remote().unwrap().terms().rules[0].limit;
        let real = door("");
        assert_eq!(
            (real.endpoints.rest.as_str(), limit(&real)),
            ("https://openapi.koreainvestment.com:9443", 20)
        );
        let mock = door("mock = true\n");
        assert_eq!(
            (mock.endpoints.rest.as_str(), limit(&mock)),
            ("https://openapivts.koreainvestment.com:29443", 2)
        );
        let own = door("mock = true\nper_second = 5\nrest = \"http://127.0.0.1:9\"\n");
        assert_eq!((own.endpoints.rest.as_str(), limit(&own)), ("http://127.0.0.1:9", 5));
        assert!(own.poll().is_some());
    }

    #[test]
    fn only_who_streams_needs_the_keys_of_a_sealed_stream_and_gets_its_address() {
        let text = "[venues.binance.sealed]\nws = \"ws://127.0.0.1:9\"\n[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n";
        let own = finstage_feeds::venues::find("binance").unwrap().profile.endpoints();
        let door = open(text, "binance").unwrap();
        assert_eq!((door.endpoints.stream, door.sealed.is_some()), (own.stream, false));

        let settings = config::parse("f", text, &[]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::EPOCH));
        let client = crate::wiring::client().unwrap();
        let means = Means { settings: &settings, client: &client, dir: dir.path(), clock: &clock };
        assert_eq!(doors_of_feeds(&settings.feeds, means).unwrap_err().exit, Exit::Usage);
        let key = finstage_seal::NewKey::generate().unwrap();
        let ring = finstage_seal::Keyring::new(key, finstage_seal::UnixTime::from_secs(0));
        let file = dir.path().join(crate::sealed::KEYRING);
        finstage_seal::KeyringFile::new(&file).create(&ring).unwrap();
        let door = doors_of_feeds(&settings.feeds, means).unwrap().remove("binance").unwrap();
        assert_eq!((door.endpoints.rest, door.sealed.is_some()), (own.rest, true));
        assert_eq!(door.endpoints.stream, "ws://127.0.0.1:9");
    }

    #[test]
    fn a_token_file_is_told_apart_by_keys_and_names_none() {
        let account = |key: &str| Account {
            app_key: finstage_seal::Secret::new(key.to_owned()),
            app_secret: finstage_seal::Secret::new("secret".to_owned()),
            server: Server::Real,
        };
        let dir = tempfile::tempdir().unwrap();
        let name = |key: &str| {
            let file = token_file(dir.path(), "kis", &account(key)).unwrap();
            file.file_name().unwrap().to_string_lossy().into_owned()
        };
        assert_ne!(name("PSone"), name("PStwo"));
        assert!(!name("PSone").contains("PSone"));
        assert_eq!(name("PSone").len(), "kis-real-.token".len() + MARK_LETTERS);
    }
}

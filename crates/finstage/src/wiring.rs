//! The composition root: which part is built from which setting. Reads like a table of contents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::registry::{self, Listing, ListingCategory};
use finstage_feeds::venues::{self, Venue};
use finstage_feeds::{Endpoints, MarketHours, Subscription};
use finstage_model::{Category, Instrument, InstrumentId, Interval, Symbol};
use finstage_net::{Client, ClientOptions};
use finstage_notify::notifiers::{Log, Telegram, TelegramOptions, Webhook, WebhookOptions};
use finstage_notify::{AlertWords, Bot, Notifier, Template};
use finstage_seal::Secret;
use finstage_store::history::History;
use finstage_store::journal::{Journal, JournalOptions};
use finstage_store::records::{OwnListing, Records, StoreKind};
use finstage_store::{DiskFiles, Files, FolderLock, make_private_dir};

use crate::chat::{self, ListedChat};
use crate::config::settings::{FeedSettings, Manners, NotifySettings, Settings};
use crate::exit::{Failure, Result};
use crate::folder;
use crate::report::Language;

/// The folder of Parquet files.
const HISTORY: &str = "history";
/// The longest that one request to a venue or a messenger may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const ANSWER_MAX_BYTES: usize = 16 << 20;

/// The open store of a service: records, bars, journal, and the lock that says whose they are.
#[derive(Debug, Clone)]
pub struct Store {
    /// What was said.
    pub records: Records,
    /// All bars.
    pub history: History,
    /// What happened.
    pub journal: Journal,
    /// The folder that all of it lies in.
    pub dir: PathBuf,
    _lock: Arc<FolderLock>,
}

impl Store {
    /// Opens the store in `dir`, or makes it. `files` is the disk.
    ///
    /// # Errors
    /// Exit 6 when another process holds the folder, or it is damaged, newer, or of another kind.
    pub fn open(dir: &Path, kind: StoreKind, files: Arc<dyn Files>) -> Result<Self> {
        make_private_dir(dir).map_err(|e| {
            Failure::new(crate::exit::Exit::Store, format!("making {}: {e}", dir.display()))
        })?;
        let lock = Arc::new(FolderLock::acquire(dir)?);
        let records = open_records(dir, kind)?;
        let history = History::open(Arc::clone(&files), dir.join(HISTORY), records.clone());
        let journal = Journal::open(files, dir.join("journal"), JournalOptions::default());
        Ok(Self { records, history, journal, dir: dir.to_owned(), _lock: lock })
    }
}

impl Store {
    /// Opens `dir` for a demo, cleared of what an earlier demo left there.
    ///
    /// # Errors
    /// As [`Store::open`]; real records are never cleared.
    pub fn fresh_demo(dir: &Path, files: Arc<dyn Files>) -> Result<Self> {
        let records = dir.join("records.db");
        let folders = ["journal", HISTORY].map(|name| (name, dir.join(name)));
        for (name, folder) in &folders {
            if folder.exists() && !records.exists() {
                return Err(Failure::usage(format!(
                    "{} holds a {name} that no demo left there: name another --data-dir",
                    dir.display()
                )));
            }
        }
        drop(Self::open(dir, StoreKind::Demo, Arc::clone(&files))?);
        for (_, folder) in &folders {
            if folder.exists() {
                std::fs::remove_dir_all(folder)?;
            }
        }
        let heads = ["trials.head", "track.head"];
        let names = ["records.db", "records.db-wal", "records.db-shm"].into_iter().chain(heads);
        for name in names {
            match std::fs::remove_file(dir.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        Self::open(dir, StoreKind::Demo, files)
    }
}

/// The records in `dir`, which must be of `kind` or new.
///
/// # Errors
/// Exit 2 when they are of the other kind, 6 when they are damaged, newer or held, or gone from a folder that
/// had some.
pub fn open_records(dir: &Path, kind: StoreKind) -> Result<Records> {
    folder::refuse_without_records(dir)?;
    let path = dir.join("records.db");
    let same = |found: StoreKind| match found == kind {
        true => Ok(()),
        false => Err(of_other_kind(dir, found)),
    };
    let said = folder::kind(dir)?;
    if !path.exists() {
        said.map_or(Ok(()), same)?;
    }
    // Records that are damaged or newer say that first.
    let records = Records::open(&path)?;
    said.map_or(Ok(()), same)?;
    same(records.claim_kind(kind)?)?;
    folder::say_kind(dir, kind)?;
    Ok(records)
}

fn of_other_kind(dir: &Path, found: StoreKind) -> Failure {
    let dir = dir.display();
    Failure::usage(match found {
        StoreKind::Real => format!(
            "{dir} holds real records, and simulated ones must not mix with them: name another --data-dir"
        ),
        StoreKind::Demo => format!(
            "{dir} holds the records of a demo, and real ones must not mix with them: name another --data-dir"
        ),
    })
}

/// The records in `dir`, of whichever kind they are, for writing beside whoever else writes them.
///
/// # Errors
/// Exit 2 when there are none yet, 6 when they are damaged, newer or held.
pub fn reopen_records(dir: &Path) -> Result<Records> {
    Ok(Records::open(&records_of(dir)?)?)
}

/// The records in `dir`, for reading beside whoever writes them.
///
/// # Errors
/// Exit 2 when there are none yet, 6 when they are damaged, newer or gone.
pub fn read_records(dir: &Path) -> Result<Records> {
    Ok(Records::open_read_only(&records_of(dir)?)?)
}

/// The file of the records in `dir`, which must be there.
fn records_of(dir: &Path) -> Result<PathBuf> {
    folder::refuse_without_records(dir)?;
    let file = dir.join("records.db");
    if !file.exists() {
        let dir = dir.display();
        return Err(Failure::usage(format!(
            "{dir}: no records here yet: name the folder with --data-dir, or run `finstage serve` or `import` first"
        )));
    }
    Ok(file)
}

/// Makes the user's own instruments known by name, if there are records in `dir` that hold some.
///
/// # Errors
/// Exit 6 when the records are damaged or newer.
pub fn register_own_listings(dir: &Path) -> Result<()> {
    let file = dir.join("records.db");
    if !file.exists() {
        return Ok(());
    }
    let rows = match Records::open_read_only(&file) {
        // Not upgraded yet: nobody can have named anything in it.
        Err(why) if why.kind() == finstage_store::ErrorKind::NotFound => return Ok(()),
        opened => opened?.own_listings()?,
    };
    // A second call in a process has nothing new to say.
    registry::set_own(rows.into_iter().map(|row| listing_of(row).clone()).collect());
    Ok(())
}

/// A row of the user's as the registry has its rows. Its texts stay for the rest of the process, as
/// those of the registry do.
#[must_use]
pub fn listing_of(row: OwnListing) -> &'static Listing {
    let kept = |text: String| -> &'static str { text.leak() };
    Box::leak(Box::new(Listing {
        category: ListingCategory::find(&row.category).unwrap_or(ListingCategory::Stock),
        group: None,
        currency: row.currency.map(kept),
        hours: row.calendar.as_deref().and_then(MarketHours::find),
        name: kept(row.name),
        korean: kept(row.name_ko),
        symbol: row.symbol,
    }))
}

/// All bars in `dir`, whose records are open.
#[must_use]
pub fn history(dir: &Path, records: &Records) -> History {
    History::open(disk(), dir.join(HISTORY), records.clone())
}

/// The real disk.
#[must_use]
pub fn disk() -> Arc<dyn Files> {
    Arc::new(DiskFiles)
}

/// The instruments that the settings watch, with the ids of this store.
///
/// # Errors
/// When the records cannot be written.
pub fn instruments(settings: &Settings, records: &Records) -> Result<Vec<Instrument>> {
    let mut instruments: Vec<Instrument> = Vec::new();
    for feed in &settings.feeds {
        for symbol in &feed.symbols {
            if instruments.iter().any(|known| known.symbol == *symbol) {
                continue;
            }
            let instrument = describe(symbol);
            let id = records.put_instrument(&instrument)?;
            instruments.push(Instrument { id, ..instrument });
        }
    }
    Ok(instruments)
}

/// What is known of an instrument by its name: from the registry, else by its form.
#[must_use]
pub fn describe(symbol: &Symbol) -> Instrument {
    const QUOTES: [&str; 10] =
        ["USDT", "USDC", "FDUSD", "BTC", "ETH", "BNB", "EUR", "TRY", "USD", "KRW"];
    let listing = registry::find(symbol);
    let crypto = registry::hours(symbol) == Some(MarketHours::Always);
    let quote = || QUOTES.iter().find(|quote| crypto && symbol.name().ends_with(**quote)).copied();
    let category = if crypto { Category::Crypto } else { Category::Other };
    Instrument {
        id: InstrumentId(u32::MAX),
        symbol: symbol.clone(),
        tick: None,
        lot: None,
        currency: listing.map_or_else(quote, |listing| listing.currency).map(str::to_owned),
        category: listing.map_or(category, |listing| listing.category.coarse()),
    }
}

/// The venue of a feed and its addresses.
///
/// # Errors
/// When there is no such venue.
pub fn venue(feed: &FeedSettings) -> Result<(&'static Venue, Endpoints)> {
    let venue = venues::find(&feed.venue)
        .ok_or_else(|| Failure::usage(format!("\"{}\" is not a venue", feed.venue)))?;
    let own = venue.profile.endpoints();
    let endpoints = Endpoints {
        rest: feed.rest.clone().unwrap_or(own.rest),
        stream: feed.ws.clone().unwrap_or(own.stream),
    };
    Ok((venue, endpoints))
}

/// What a feed asks of its venue.
#[must_use]
pub fn subscriptions(feed: &FeedSettings, instruments: &[Instrument]) -> Vec<Subscription> {
    let of_feed = instruments.iter().filter(|instrument| feed.symbols.contains(&instrument.symbol));
    let ask = |instrument: &Instrument| Subscription {
        instrument: instrument.id,
        symbol: instrument.symbol.clone(),
        trades: venues::find(&feed.venue).is_some_and(|venue| venue.stream.is_some()),
        intervals: feed.venue_intervals.clone(),
    };
    of_feed.map(ask).collect()
}

/// The one client of the process.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> Result<Client> {
    let options = ClientOptions {
        connect_timeout: CONNECT_TIMEOUT,
        total_timeout: REQUEST_TIMEOUT,
        max_body_bytes: ANSWER_MAX_BYTES,
        user_agent: format!("finstage/{}", crate::VERSION),
        ..ClientOptions::default()
    };
    Client::new(options).map_err(|e| Failure::new(crate::exit::Exit::Remote, e))
}

/// The channels of the settings; the log where none is named.
///
/// # Errors
/// When a channel's settings make no sense.
pub fn notifiers(settings: &Settings) -> Result<Vec<Arc<dyn Notifier>>> {
    let template = template(settings)?;
    let mut notifiers: Vec<Arc<dyn Notifier>> = Vec::new();
    if settings.notify.is_empty()
        || settings.notify.iter().any(|n| matches!(n, NotifySettings::Log))
    {
        notifiers.push(Arc::new(Log::new(template.clone())));
    }
    for (channel, manners) in settings.notify.iter().zip(&settings.manners.0) {
        let template = spoken(&template, (manners.language, manners.zone()));
        let name = channel.name().to_owned();
        match channel {
            NotifySettings::Log => {}
            NotifySettings::Telegram { chat, token, url, .. } => {
                let is_heard = manners.commands;
                let options = TelegramOptions {
                    name,
                    base_url: url.clone(),
                    token: token.clone(),
                    chat: chat.clone(),
                    template,
                    buttons: if is_heard { chat::buttons(manners.language) } else { Vec::new() },
                };
                notifiers.push(Arc::new(Telegram::new(options).map_err(Failure::usage)?));
            }
            NotifySettings::Webhook { url, secret, .. } => {
                let (url, secret) = (url.clone(), secret.clone());
                let options = WebhookOptions { name, url, secret, template };
                notifiers.push(Arc::new(Webhook::new(options).map_err(Failure::usage)?));
            }
        }
    }
    Ok(notifiers)
}

/// How the channel of that name behaves.
#[must_use]
pub fn manners<'a>(settings: &'a Settings, channel: &str) -> &'a Manners {
    let mut named = settings.notify.iter().zip(&settings.manners.0);
    let found = named.find(|(one, _)| one.name() == channel);
    found.map_or(&settings.manners.1, |(_, manners)| manners)
}

/// The bots that answer, one a token, with the chats that may command each.
///
/// # Errors
/// When a token is none.
pub fn bots(settings: &Settings) -> Result<Vec<(Bot, String, Vec<ListedChat>)>> {
    let mut bots: BTreeMap<(String, String), (Secret<String>, Vec<ListedChat>)> = BTreeMap::new();
    for (one, manners) in settings.notify.iter().zip(&settings.manners.0) {
        let NotifySettings::Telegram { name, chat, token, url } = one else { continue };
        let Some(id) = chat.parse().ok().filter(|_| manners.commands) else { continue };
        let (number, _) = token.expose().split_once(':').unwrap_or_default();
        let listed = ListedChat {
            id,
            channel: name.clone(),
            language: manners.language,
            zone: manners.zone().clone(),
        };
        let key = (url.clone(), number.to_owned());
        bots.entry(key).or_insert_with(|| (token.clone(), Vec::new())).1.push(listed);
    }
    let bot = |((url, number), (token, chats)): ((String, String), (Secret<String>, _))| {
        Ok((Bot::new(&url, token).map_err(Failure::usage)?, number, chats))
    };
    bots.into_iter().map(bot).collect()
}

pub(crate) fn template(settings: &Settings) -> Result<Template> {
    let zone = jiff::tz::TimeZone::get(&settings.timezone).map_err(Failure::usage)?;
    let dashboard = settings.server.options.public_url.clone();
    Ok(Template { zone, dashboard, quote_delay_s: registry::quote_delay_s, ..Template::default() })
}

/// A template in the language and the zone of a chat.
pub(crate) fn spoken(
    template: &Template,
    (language, zone): (Language, &jiff::tz::TimeZone),
) -> Template {
    let rule: fn(&finstage_model::Alert) -> Option<String> = match language {
        Language::En => |_| None,
        Language::Ko => crate::report::korean_rule,
    };
    let words = words_of(language);
    Template { zone: zone.clone(), words, rule, ..template.clone() }
}

/// The words of alerts in a language.
const fn words_of(language: Language) -> &'static AlertWords {
    match language {
        Language::En => &AlertWords::ENGLISH,
        Language::Ko => &AlertWords::KOREAN,
    }
}

/// Which bars of a series a venue is asked for, as newest first-known open time. Where markets close,
/// more days are needed than bars make.
#[must_use]
pub fn history_start(
    symbol: &Symbol,
    interval: Interval,
    depth: usize,
    until: finstage_model::Timestamp,
) -> finstage_model::Timestamp {
    /// Longer than the longest holidays.
    const HOLIDAYS: Duration = Duration::from_secs(15 * 86_400);
    let bars = u32::try_from(depth).unwrap_or(u32::MAX);
    let open_time = interval.nominal().saturating_mul(bars);
    let reach = venues::find(symbol.venue()).and_then(|venue| (venue.profile.reach)(interval));
    let span = match registry::hours(symbol) {
        Some(MarketHours::Always) => open_time,
        _ if interval >= Interval::W1 => open_time,
        // Five days of seven, and of each a quarter.
        _ if interval == Interval::D1 => open_time.saturating_mul(3) / 2 + HOLIDAYS,
        _ => open_time.saturating_mul(6) + HOLIDAYS,
    };
    interval.open_of(until.minus(span.min(reach.unwrap_or(Duration::MAX))))
}

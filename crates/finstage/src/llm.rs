//! Which language model is asked, where and with what: from settings and what was typed to an endpoint.

mod aside;
mod keeper;

use std::sync::Arc;
use std::time::Duration;

use finstage_llm::providers::{self, Kind};
use finstage_llm::{ByteCounting, Counting, Endpoint, EndpointOptions, Place, Prices, Provider};
use finstage_net::{Client, ClientOptions, Concurrency, RetryPolicy};

use crate::cli::{LlmProvider, LlmTarget};
use crate::config::settings::LlmSettings;
use crate::exit::{Exit, Failure, Result};

pub(crate) use aside::{Aside, Purpose};
pub(crate) use keeper::{FLUSH_EVERY, Keeper};

/// The longest that a row may take, with all its waits and attempts.
const DEADLINE: Duration = Duration::from_secs(24 * 3_600);

/// Whom a command wants to ask, where it is not as the settings say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) provider: Option<&'static str>,
    pub(crate) base_url: Option<&'a str>,
    pub(crate) rpm: Option<u64>,
    pub(crate) tpm: Option<u64>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) timeout: Option<Duration>,
    /// Of one question.
    pub(crate) deadline: Option<Duration>,
    /// How tokens are counted before a question leaves; by bytes where nothing depends on it.
    pub(crate) counting: Option<Arc<dyn Counting>>,
}

impl<'a> From<&'a LlmTarget> for Wanted<'a> {
    /// Whom the arguments name, all else as the settings say.
    fn from(target: &'a LlmTarget) -> Self {
        let provider = target.provider.map(LlmProvider::name);
        Self { provider, base_url: target.base_url.as_deref(), ..Self::default() }
    }
}

/// The endpoint of the settings, with what is wanted otherwise. Nothing is sent yet.
///
/// # Errors
/// Exit 2 when the address or the key cannot be right, 4 when a key is needed and none is there.
pub(crate) fn endpoint(settings: &LlmSettings, wanted: Wanted<'_>) -> Result<Endpoint> {
    let kind = kind(wanted.provider.unwrap_or(settings.provider));
    endpoint_of(settings, wanted, (kind.build)())
}

/// The same with another provider of the same kind.
///
/// # Errors
/// As [`endpoint`].
pub(crate) fn endpoint_of(
    settings: &LlmSettings,
    wanted: Wanted<'_>,
    provider: Arc<dyn Provider>,
) -> Result<Endpoint> {
    let kind = kind(wanted.provider.unwrap_or(settings.provider));
    let place = place(settings, kind, &wanted)?;
    let concurrency = wanted.concurrency.unwrap_or(settings.concurrency);
    let options = EndpointOptions {
        rpm: limit(wanted.rpm.or(settings.rpm)),
        tpm: limit(wanted.tpm.or(settings.tpm)),
        concurrency: Concurrency::Fixed(concurrency),
        attempt: wanted.timeout.unwrap_or(settings.timeout),
        deadline: wanted.deadline.unwrap_or(DEADLINE),
        retry: RetryPolicy::BATCH_ROWS,
        counting: wanted.counting.unwrap_or_else(|| Arc::new(ByteCounting)),
        ..EndpointOptions::default()
    };
    Ok(Endpoint::new(provider, place, &client()?, options))
}

/// Who carries requests.
fn client() -> Result<Client> {
    let options = ClientOptions {
        user_agent: format!("finstage/{}", crate::VERSION),
        ..EndpointOptions::client_options()
    };
    Client::new(options).map_err(|e| Failure::new(Exit::Remote, e))
}

fn kind(name: &str) -> &'static Kind {
    providers::ALL.iter().find(|kind| kind.name == name).expect("settings name known ones only")
}

fn place(settings: &LlmSettings, kind: &'static Kind, wanted: &Wanted<'_>) -> Result<Place> {
    let base = base(settings, wanted);
    let key = match settings.key_of(kind.name) {
        Some(Ok(key)) => Some(key),
        Some(Err(why)) => return Err(Failure::new(Exit::Auth, format!("llm.api_key: {why}"))),
        None => None,
    };
    let is_own = base == kind.base;
    if is_own && key.is_none() && !kind.key_prefix.is_empty() {
        let variable = LlmSettings::usual_variable(kind.name).unwrap_or_default();
        return Err(Failure::new(
            Exit::Auth,
            format!(
                "no key for {base}: set {variable}, or api_key in [llm] (env:NAME or file:PATH); --base-url \
                 asks another server"
            ),
        ));
    }
    let place = Place::new(base, key).map_err(Failure::usage)?;
    let prefix = match settings.key_prefix.as_str() {
        "" if is_own => kind.key_prefix,
        configured => configured,
    };
    match prefix {
        "" => Ok(place),
        prefix => place.expect_prefix(prefix).map_err(|why| Failure::new(Exit::Auth, why)),
    }
}

/// The address that is asked.
pub(crate) fn base<'a>(settings: &'a LlmSettings, wanted: &Wanted<'a>) -> &'a str {
    let kind = kind(wanted.provider.unwrap_or(settings.provider));
    let is_other = wanted.provider.is_some_and(|name| name != settings.provider);
    // An address of another provider is not the one that is meant.
    let configured = settings.base_url.as_deref().filter(|_| !is_other);
    wanted.base_url.or(configured).unwrap_or(kind.base)
}

fn limit(per_minute: Option<u64>) -> Option<u32> {
    per_minute.map(|most| u32::try_from(most).unwrap_or(u32::MAX))
}

/// What models cost: the built-in table, and over it the user's own.
///
/// # Errors
/// Exit 2 when the user's file cannot be read or is no table of prices.
pub(crate) fn prices(settings: &LlmSettings) -> Result<Prices> {
    let Some(file) = &settings.prices else { return Ok(Prices::built_in()) };
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("llm.prices: {shown}: {e}")))?;
    let own = Prices::parse(&text, &shown).map_err(Failure::usage)?;
    Ok(Prices::built_in().overridden_by(own))
}

//! `[llm]` and `[gateway]`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use finstage_feeds::venues;
use finstage_llm::Money;
use finstage_seal::Secret;
use serde::Deserialize;

use super::settings::Resolver;
use super::venues::Key;
use super::{Reference, dereference};
use crate::exit::Result;

/// `[llm]` as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLlm {
    pub(crate) provider: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) api_key: Option<String>,
    pub(crate) key_prefix: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) rpm: Option<u64>,
    pub(crate) tpm: Option<u64>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) timeout: Option<String>,
    pub(crate) budget_usd_per_day: Option<f64>,
    pub(crate) prices: Option<PathBuf>,
    pub(crate) cache: Option<String>,
    pub(crate) explain: Option<bool>,
}

/// `[gateway]` as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawGateway {
    pub(crate) enabled: Option<bool>,
    pub(crate) listen: Option<String>,
    #[serde(default)]
    pub(crate) venues: Vec<String>,
    #[serde(default)]
    pub(crate) clients: Vec<RawGatewayClient>,
}

/// `[[gateway.clients]]` as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawGatewayClient {
    pub(crate) name: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) budget_usd_per_day: Option<f64>,
}

/// Which models are asked, where, with what, and how much of it.
#[derive(Debug, Clone)]
pub struct LlmSettings {
    /// Whose words are spoken: `openai`, `anthropic`, `scripted`.
    pub provider: &'static str,
    /// The address; the provider's own where it is `None`.
    pub base_url: Option<String>,
    /// The key, where one is written, or why it was not found.
    pub api_key: Option<Key>,
    /// Keys that the environment has under their usual names, by provider.
    usual_keys: Vec<(&'static str, Secret<String>)>,
    /// What keys begin with; anything where it is empty.
    pub key_prefix: String,
    /// The model where a command names none.
    pub model: Option<String>,
    /// Requests a minute; learned where it is `None`.
    pub rpm: Option<u64>,
    /// Tokens a minute; learned where it is `None`.
    pub tpm: Option<u64>,
    /// The most requests at once.
    pub concurrency: u32,
    /// The longest one answer may take.
    pub timeout: Duration,
    /// What may be spent in a day.
    pub budget_per_day: Option<Money>,
    /// Prices that go before the built-in ones.
    pub prices: Option<PathBuf>,
    /// How long an answer is used again; `None`: never.
    pub cache: Option<Duration>,
    /// Whether alerts are explained.
    pub explain: bool,
}

/// One local address for programs in any language.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Whether `serve` has it.
    pub enabled: bool,
    /// Where `finstage gateway` listens.
    pub listen: SocketAddr,
    /// Venues that can be asked; all that can be where it is empty.
    pub venues: Vec<String>,
    /// Who may ask; anybody on this machine where it is empty.
    pub clients: Vec<GatewayClient>,
}

/// A program that may use the gateway.
#[derive(Debug, Clone)]
pub struct GatewayClient {
    /// What the ledger calls it.
    pub name: String,
    /// What it shows, or why that was not found.
    pub token: Key,
    /// What it may spend in a day.
    pub budget_per_day: Option<Money>,
}

impl LlmSettings {
    /// The key for a provider: the one that is written, where that provider is the one of the settings, else
    /// the one that the environment has. `None`: there is none.
    #[must_use]
    pub fn key_of(&self, provider: &str) -> Option<Result<&Secret<String>, &str>> {
        let written = self.api_key.as_ref().filter(|_| provider == self.provider);
        if let Some(key) = written {
            return Some(key.as_ref().map_err(String::as_str));
        }
        let usual = self.usual_keys.iter().find(|(of, _)| *of == provider);
        usual.map(|(_, key)| Ok(key))
    }

    /// The variable that usually has the key for a provider.
    #[must_use]
    pub fn usual_variable(provider: &str) -> Option<&'static str> {
        USUAL_VARIABLES.into_iter().find(|(of, _)| *of == provider).map(|(_, variable)| variable)
    }
}

/// Where keys usually are.
const USUAL_VARIABLES: [(&str, &str); 2] =
    [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")];
const PROVIDERS: [&str; 3] = ["openai", "anthropic", "scripted"];
/// The most requests at once that can be asked for.
pub(crate) const MAX_CONCURRENCY: u32 = 4_096;
/// More dollars a day than anybody has.
const MAX_USD: f64 = 1e6;
/// The shortest token that is taken.
const MIN_TOKEN: usize = 16;
/// The most programs.
const MAX_CLIENTS: usize = 256;

impl Resolver<'_> {
    /// `[llm]`. A key that is not there is no error yet: most commands need none.
    pub(super) fn llm(&mut self, raw: &RawLlm) -> Result<LlmSettings> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let typed = raw.provider.as_deref().unwrap_or("openai");
        let Some(provider) = PROVIDERS.into_iter().find(|known| *known == typed) else {
            let why = format!("\"{typed}\": write one of {}", PROVIDERS.join(" "));
            return self.refuse("llm.provider", why);
        };
        let base_url = given(&raw.base_url);
        self.address("llm.base_url", base_url.as_deref(), ["http", "https"])?;
        let concurrency = raw.concurrency.unwrap_or(64);
        if !(1..=MAX_CONCURRENCY).contains(&concurrency) {
            let why = format!("{concurrency}: write a number from 1 to {MAX_CONCURRENCY}");
            return self.refuse("llm.concurrency", why);
        }
        let timeout =
            self.duration("llm.timeout", raw.timeout.as_deref(), Duration::from_secs(60))?;
        if timeout.is_zero() {
            return self.refuse("llm.timeout", "no time is too short: write \"60s\"");
        }
        let month = Duration::from_secs(30 * 86_400);
        let cache = self.duration("llm.cache", raw.cache.as_deref(), month)?;
        Ok(LlmSettings {
            provider,
            base_url,
            api_key: raw.api_key.as_deref().map(|typed| self.key("llm.api_key", typed)),
            usual_keys: self.usual_keys(),
            key_prefix: raw.key_prefix.clone().unwrap_or_default(),
            model: given(&raw.model),
            rpm: raw.rpm.filter(|rpm| *rpm > 0),
            tpm: raw.tpm.filter(|tpm| *tpm > 0),
            concurrency,
            timeout,
            budget_per_day: self.usd("llm.budget_usd_per_day", raw.budget_usd_per_day)?,
            prices: raw.prices.clone().filter(|file| !file.as_os_str().is_empty()),
            cache: Some(cache).filter(|ttl| !ttl.is_zero()),
            explain: raw.explain.unwrap_or(false),
        })
    }

    fn usual_keys(&self) -> Vec<(&'static str, Secret<String>)> {
        let found =
            |(provider, variable)| match dereference(&format!("env:{variable}"), self.place.beside)
            {
                Ok(Reference::Outside(key)) => Some((provider, Secret::new(key))),
                _ => None,
            };
        USUAL_VARIABLES.into_iter().filter_map(found).collect()
    }

    /// `[gateway]`
    pub(super) fn gateway(&mut self, raw: &RawGateway) -> Result<GatewaySettings> {
        let typed = raw.listen.as_deref().unwrap_or("127.0.0.1:8090");
        let listen = match typed.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => address,
            Ok(_) => {
                let why = "other machines would send keys in the open: write \"127.0.0.1:8090\"";
                return self.refuse("gateway.listen", why);
            }
            Err(_) => {
                let why = format!("\"{typed}\" is not an address: write \"127.0.0.1:8090\"");
                return self.refuse("gateway.listen", why);
            }
        };
        if let Some(name) = raw.venues.iter().find(|name| venues::find(name).is_none()) {
            let why = format!("\"{name}\" is not a venue: write {}", crate::venues::names());
            return self.refuse("gateway.venues", why);
        }
        if raw.clients.len() > MAX_CLIENTS {
            let why = format!("{} programs: {MAX_CLIENTS} is the most", raw.clients.len());
            return self.refuse("gateway.clients", why);
        }
        let mut clients: Vec<GatewayClient> = Vec::new();
        for (i, typed) in raw.clients.iter().enumerate() {
            let place = format!("gateway.clients[{i}]");
            let client = self.gateway_client(&place, typed)?;
            let token =
                |client: &GatewayClient| client.token.as_ref().ok().map(Secret::expose).cloned();
            if clients.iter().any(|other| other.name == client.name) {
                let why = format!("\"{}\" stands there twice", client.name);
                return self.refuse(&format!("{place}.name"), why);
            }
            if clients.iter().any(|other| token(other).is_some() && token(other) == token(&client))
            {
                return self.refuse(&format!("{place}.token"), "another program has the same");
            }
            clients.push(client);
        }
        let enabled = raw.enabled.unwrap_or(false);
        Ok(GatewaySettings { enabled, listen, venues: raw.venues.clone(), clients })
    }

    fn gateway_client(&mut self, place: &str, raw: &RawGatewayClient) -> Result<GatewayClient> {
        let name = raw.name.clone().unwrap_or_default();
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_plain) {
            let why = format!("\"{name}\": write 1 to 64 letters, digits, - _ or .");
            return self.refuse(&format!("{place}.name"), why);
        }
        let key = format!("{place}.token");
        let Some(typed) = raw.token.as_deref().filter(|typed| !typed.is_empty()) else {
            return self.refuse(&key, "is missing: write \"file:PATH\" or \"env:NAME\"");
        };
        let token = self.key(&key, typed);
        if token.as_ref().is_ok_and(|token| token.expose().trim().len() < MIN_TOKEN) {
            return self.refuse(&key, format!("is shorter than {MIN_TOKEN} characters"));
        }
        let budget = format!("{place}.budget_usd_per_day");
        let budget_per_day = self.usd(&budget, raw.budget_usd_per_day)?;
        Ok(GatewayClient { name, token, budget_per_day })
    }

    /// Dollars; `None` for 0, which is no limit.
    fn usd(&self, key: &str, typed: Option<f64>) -> Result<Option<Money>> {
        match typed.unwrap_or(0.0) {
            usd if !(0.0..=MAX_USD).contains(&usd) => {
                self.refuse(key, format!("{usd}: write a number of dollars from 0 to {MAX_USD}"))
            }
            usd => Ok(Money::from_usd(&format!("{usd:.6}")).filter(|money| *money > Money::ZERO)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn refused(text: &str) -> String {
        parse("t.toml", text, &[]).unwrap_err().to_string()
    }

    #[test]
    fn models_are_asked_at_openai_with_limits_that_are_learned_unless_told_otherwise() {
        let llm = parse("t.toml", "", &[]).unwrap().llm;
        assert_eq!((llm.provider, llm.base_url, llm.rpm, llm.tpm), ("openai", None, None, None));
        assert!(llm.api_key.is_none() && llm.budget_per_day.is_none() && !llm.explain);
        let text = "[llm]\nrpm = 600\nbudget_usd_per_day = 1.5\ncache = \"0s\"\n";
        let llm = parse("t.toml", text, &[]).unwrap().llm;
        assert_eq!(llm.rpm, Some(600));
        assert_eq!(llm.budget_per_day, Money::from_usd("1.5"));
        assert_eq!(llm.cache, None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        for (text, said) in [
            ("[llm]\nprovider = \"gpt\"\n", "t.toml:2: llm.provider"),
            ("[llm]\nbase_url = \"localhost\"\n", "t.toml:2: llm.base_url"),
            ("[llm]\nconcurrency = 0\n", "llm.concurrency: 0"),
            ("[llm]\nbudget_usd_per_day = -1.0\n", "llm.budget_usd_per_day: -1"),
            ("[gateway]\nlisten = \"0.0.0.0:1\"\n", "gateway.listen: other machines"),
            ("[gateway]\nvenues = [\"nyse\"]\n", "gateway.venues: \"nyse\""),
            ("[[gateway.clients]]\nname = \"a b\"\n", "gateway.clients[0].name"),
            ("[[gateway.clients]]\nname = \"a\"\n", "gateway.clients[0].token: is missing"),
            ("[[gateway.clients]]\nname = \"a\"\ntoken = \"short\"\n", "shorter than 16"),
        ] {
            let why = refused(text);
            assert!(why.contains(said), "{text}: {why}");
        }
        let twice = "[[gateway.clients]]\nname = \"NAME\"\ntoken = \"0123456789abcdef\"\n";
        let same_name = format!("{0}{0}", twice.replace("NAME", "a"));
        assert!(refused(&same_name).contains("stands there twice"));
        let same_token = format!("{}{}", twice.replace("NAME", "a"), twice.replace("NAME", "b"));
        assert!(refused(&same_token).contains("another program has the same"));
    }
}

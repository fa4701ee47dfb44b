//! `[news]`

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_feeds::news::{LEAST_EVERY, LONGEST_WAIT};
use serde::Deserialize;

use super::settings::Resolver;
use crate::exit::Result;
use crate::news::feeds::MAX_FEEDS;

/// `[news]` as it stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNews {
    #[serde(default)]
    pub(crate) sources: Vec<String>,
    #[serde(default)]
    pub(crate) feeds: Vec<String>,
    pub(crate) every: Option<String>,
    pub(crate) reader: Option<String>,
    pub(crate) translate: Option<String>,
    pub(crate) yahoo: Option<String>,
    pub(crate) investing: Option<String>,
    pub(crate) google: Option<String>,
}

/// Which news is collected, and who reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsSettings {
    /// Of yahoo, investing, google.
    pub sources: Vec<String>,
    /// Addresses of further feeds.
    pub feeds: Vec<String>,
    /// How often each is asked.
    pub every: Duration,
    /// Whether a language model reads, instead of the lexicon.
    pub asks_model: bool,
    /// The language that the model puts headlines into.
    pub translate: Option<&'static str>,
    /// Where the sources are.
    pub bases: BTreeMap<&'static str, String>,
}

impl NewsSettings {
    /// Whether there is anything to ask.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.sources.is_empty() && self.feeds.is_empty()
    }
}

/// Publishers whose addresses are known.
const SOURCES: [(&str, &str); 3] = [
    ("yahoo", "https://feeds.finance.yahoo.com"),
    ("investing", "https://www.investing.com"),
    ("google", "https://news.google.com"),
];

impl Resolver<'_> {
    pub(super) fn news(&self, raw: &RawNews) -> Result<NewsSettings> {
        for source in &raw.sources {
            if !SOURCES.iter().any(|(name, _)| name == source) {
                let why = format!("\"{source}\": write \"yahoo\", \"investing\" or \"google\"");
                return self.refuse("news.sources", why);
            }
        }
        if raw.feeds.len() > MAX_FEEDS {
            return self.refuse("news.feeds", format!("write {MAX_FEEDS} addresses at most"));
        }
        let is_web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        if let Some(url) = raw.feeds.iter().find(|url| !is_web(url)) {
            let why = format!("\"{url}\" is no address: write https://HOST/PATH");
            return self.refuse("news.feeds", why);
        }
        let every = self.duration("news.every", raw.every.as_deref(), Duration::from_secs(300))?;
        if !(LEAST_EVERY..=LONGEST_WAIT).contains(&every) {
            return self.refuse("news.every", "write 60s to 24h");
        }
        let asks_model = match raw.reader.as_deref().unwrap_or("lexicon") {
            "lexicon" => false,
            "llm" => true,
            other => {
                let why = format!("\"{other}\": write \"lexicon\" or \"llm\"");
                return self.refuse("news.reader", why);
            }
        };
        let translate = match raw.translate.as_deref().unwrap_or("off") {
            "off" => None,
            "ko" => Some("Korean"),
            "en" => Some("English"),
            other => {
                let why = format!("\"{other}\": write \"off\", \"ko\" or \"en\"");
                return self.refuse("news.translate", why);
            }
        };
        if translate.is_some() && !asks_model {
            return self.refuse("news.translate", "a model translates: set reader = \"llm\"");
        }
        let typed = [&raw.yahoo, &raw.investing, &raw.google];
        let base = |((name, usual), typed): ((&'static str, &str), &Option<String>)| {
            let base = typed.as_deref().unwrap_or(usual);
            (name, base.trim_end_matches('/').to_owned())
        };
        let bases = SOURCES.into_iter().zip(typed).map(base).collect();
        let (sources, feeds) = (raw.sources.clone(), raw.feeds.clone());
        Ok(NewsSettings { sources, feeds, every, asks_model, translate, bases })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    #[test]
    fn news_that_cannot_be_meant_is_refused_by_its_key() {
        for (text, why) in [
            ("sources = [\"nyt\"]", "news.sources: \"nyt\""),
            ("feeds = [\"ftp://x\"]", "news.feeds: \"ftp://x\""),
            ("every = \"5s\"", "news.every: write 60s"),
            ("reader = \"me\"", "news.reader: \"me\""),
            ("translate = \"ko\"", "news.translate: a model translates"),
        ] {
            let error = parse("t.toml", &format!("[news]\n{text}\n"), &[]).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(parse("t.toml", "", &[]).unwrap().news.is_off());
    }
}

//! What `[[notify]]` means: the channels that alerts leave by.

use std::collections::BTreeMap;

use finstage_model::IdHasher;
use finstage_seal::Secret;

use super::raw::{Raw, RawNotify};
use super::settings::Resolver;
use super::{Reference, dereference};
use crate::exit::Result;

/// One `[[notify]]`.
#[derive(Debug, Clone)]
pub enum NotifySettings {
    /// A Telegram chat.
    Telegram {
        /// What the outbox calls it.
        name: String,
        /// Chat id or `@channelname`.
        chat: String,
        /// The bot's token.
        token: Secret<String>,
        /// Address of the Bot API.
        url: String,
    },
    /// A web address.
    Webhook {
        /// What the outbox calls it.
        name: String,
        /// The address; it may hold a secret.
        url: Secret<String>,
        /// What signs.
        secret: Secret<String>,
    },
    /// Lines on standard error.
    Log,
}

/// The most characters of a channel's name.
const MAX_NAME_CHARS: usize = 32;
/// What the log is called, as a channel.
pub(crate) const LOG: &str = "log";

impl NotifySettings {
    /// What the outbox, metrics and the log call it: by its own name or after its destination, wherever it stands
    /// in the file.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Telegram { name, .. } | Self::Webhook { name, .. } => name,
            Self::Log => LOG,
        }
    }

    /// Where it leads, as a hash that tells nothing: the same chat, or the same address.
    #[must_use]
    pub fn destination(&self) -> String {
        let (kind, to) = match self {
            Self::Telegram { chat, .. } => ("telegram", chat.as_str()),
            Self::Webhook { url, .. } => ("webhook", url.expose().as_str()),
            Self::Log => (LOG, ""),
        };
        hash(kind, to)
    }

    /// Every text in it that must not be seen.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret<String>> {
        let (one, other) = match self {
            Self::Telegram { token, .. } => (Some(token), None),
            Self::Webhook { url, secret, .. } => (Some(url), Some(secret)),
            Self::Log => (None, None),
        };
        one.into_iter().chain(other)
    }
}

impl Resolver<'_> {
    pub(super) fn notify(
        &mut self,
        key: &str,
        raw: &RawNotify,
        all: &Raw,
    ) -> Result<NotifySettings> {
        let name = self.name(key, raw)?;
        match raw.kind.as_str() {
            "log" => Ok(NotifySettings::Log),
            "telegram" => self.telegram(key, (raw, name), all),
            "webhook" => self.webhook(key, (raw, name)),
            other => self.refuse(
                &format!("{key}.kind"),
                format!("\"{other}\" is not a channel: write telegram, webhook or log"),
            ),
        }
    }

    /// The name that was typed, if one was.
    fn name(&self, key: &str, raw: &RawNotify) -> Result<Option<String>> {
        let Some(name) = &raw.name else { return Ok(None) };
        let key = format!("{key}.name");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.chars().all(is_plain) {
            let why = format!(
                "\"{name}\": write up to {MAX_NAME_CHARS} letters, digits, hyphens and underscores"
            );
            return self.refuse(&key, why);
        }
        if (name == LOG) != (raw.kind == LOG) {
            return self.refuse(&key, "\"log\" is the name of the log, and of nothing else");
        }
        Ok(Some(name.clone()))
    }

    /// Refuses two channels of one name: nobody could tell whose a message is.
    pub(super) fn distinct(&self, channels: &[NotifySettings]) -> Result<()> {
        let mut seen = BTreeMap::new();
        for (i, channel) in channels.iter().enumerate() {
            let is_log = matches!(channel, NotifySettings::Log);
            let Some(before) = seen.insert(channel.name(), i).filter(|_| !is_log) else { continue };
            let why = format!(
                "\"{}\" is what notify[{before}] is called: write another `name` here",
                channel.name()
            );
            return self.refuse(&format!("notify[{i}].name"), why);
        }
        Ok(())
    }

    fn telegram(
        &mut self,
        key: &str,
        (raw, name): (&RawNotify, Option<String>),
        all: &Raw,
    ) -> Result<NotifySettings> {
        let Some(chat) = raw.chat.clone() else {
            return self.refuse(&format!("{key}.chat"), "missing: the chat id, or @channelname");
        };
        let Some(token) = &raw.token else {
            return self.refuse(
                &format!("{key}.token"),
                "missing: write token = \"env:TELEGRAM_TOKEN\" and set that variable",
            );
        };
        let token = self.secret(&format!("{key}.token"), token, "env:TELEGRAM_TOKEN")?;
        if !token.expose().contains(':') {
            return self.refuse(
                &format!("{key}.token"),
                "not a bot token: @BotFather gives digits, a colon and 35 characters",
            );
        }
        let elsewhere = all.venues.get("telegram").and_then(|venue| venue.rest.clone());
        let url = raw.url.clone().or(elsewhere);
        let url = url.unwrap_or_else(|| "https://api.telegram.org".into());
        let name = name.unwrap_or_else(|| format!("telegram-{chat}"));
        Ok(NotifySettings::Telegram { name, chat, token, url })
    }

    fn webhook(
        &mut self,
        key: &str,
        (raw, name): (&RawNotify, Option<String>),
    ) -> Result<NotifySettings> {
        let Some(typed) = &raw.url else {
            return self.refuse(
                &format!("{key}.url"),
                "missing: write url = \"https://HOST/PATH\", or \"env:NAME\" where the path is secret",
            );
        };
        // An address that stands in the file is nothing to warn of.
        let url = match dereference(typed, self.place.beside) {
            Ok(Reference::Outside(url) | Reference::Literal(url)) => Secret::new(url),
            Err(why) => return self.refuse(&format!("{key}.url"), why),
        };
        let Some(secret) = &raw.secret else {
            return self.refuse(
                &format!("{key}.secret"),
                "missing: write secret = \"env:WEBHOOK_SECRET\" and set that variable, `openssl rand -hex 32` makes one",
            );
        };
        let secret = self.secret(&format!("{key}.secret"), secret, "env:WEBHOOK_SECRET")?;
        let own = || format!("webhook-{}", &hash("webhook", url.expose())[6..]);
        let name = name.unwrap_or_else(own);
        Ok(NotifySettings::Webhook { name, url, secret })
    }

    /// The secret behind a reference; one that stands in the file works with a warning.
    fn secret(&mut self, key: &str, typed: &str, better: &str) -> Result<Secret<String>> {
        match dereference(typed, self.place.beside) {
            Ok(Reference::Outside(text)) => Ok(Secret::new(text)),
            Ok(Reference::Literal(text)) => {
                self.warn(
                    key,
                    &format!(
                        "the secret stands in the file; \"{better}\" or \"file:PATH\" is safer"
                    ),
                );
                Ok(Secret::new(text))
            }
            Err(why) => self.refuse(key, why),
        }
    }
}

/// 12 hexadecimal digits that follow from where a channel leads.
fn hash(kind: &str, to: &str) -> String {
    let hash = IdHasher::new().text("channel").text(kind).text(to).finish();
    // Texts that differ at their end differ in its low digits.
    format!("{:016x}", (hash ^ (hash >> 64)) as u64)[4..].to_owned()
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    const FIRST: &str = "[[notify]]\nkind = \"telegram\"\nchat = \"42\"\ntoken = \"1:a\"\n";
    const SECOND: &str = "[[notify]]\nkind = \"telegram\"\nchat = \"-43\"\ntoken = \"1:a\"\n";
    const HOOK: &str = "[[notify]]\nkind = \"webhook\"\nurl = \"https://example.org/a-secret\"\n\
        secret = \"0123456789abcdef\"\n";

    fn names(text: &str) -> Vec<String> {
        let settings = parse("f", text, &[]).unwrap();
        settings.notify.iter().map(|one| one.name().to_owned()).collect()
    }

    #[test]
    fn a_channel_has_its_name_wherever_it_stands_in_the_file() {
        let one = names(&format!("{FIRST}{SECOND}{HOOK}"));
        assert_eq!(one[..2], ["telegram-42", "telegram--43"]);
        assert!(one[2].starts_with("webhook-") && one[2].len() == 14, "{one:?}");
        let mut other = names(&format!("{HOOK}[[notify]]\nkind = \"log\"\n{SECOND}{FIRST}"));
        other.reverse();
        assert_eq!(other, [&one[0], &one[1], "log", &one[2]]);
        let alike = names(&format!("{HOOK}{}", HOOK.replace("a-secret", "a-secreT")));
        assert_ne!(alike[0], alike[1], "addresses that differ in a letter");
        assert_eq!(names(&format!("{FIRST}name = \"phone\"\n")), ["phone"]);
    }

    #[test]
    fn names_that_do_not_tell_channels_apart_are_refused_where_they_stand() {
        let refused = |text: &str| parse("f", text, &[]).unwrap_err().to_string();
        let twice = refused(&format!("{FIRST}{FIRST}"));
        assert!(twice.contains("notify[1].name: \"telegram-42\" is what notify[0]"), "{twice}");
        assert_eq!(names(&format!("{FIRST}{FIRST}name = \"b\"\n")), ["telegram-42", "b"]);
        let odd = refused(&format!("{FIRST}name = \"my phone\"\n"));
        assert!(odd.starts_with("f:5: notify[0].name: \"my phone\""), "{odd}");
        assert!(refused(&format!("{FIRST}name = \"log\"\n")).contains("name of the log"));
    }
}

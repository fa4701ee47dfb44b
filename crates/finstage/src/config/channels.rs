//! What `[[notify]]` means: the channels that alerts leave by.

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
        /// Chat id or `@channelname`.
        chat: String,
        /// The bot's token.
        token: Secret<String>,
        /// Address of the Bot API.
        url: String,
    },
    /// A web address.
    Webhook {
        /// The address; it may hold a secret.
        url: Secret<String>,
        /// What signs.
        secret: Secret<String>,
    },
    /// Lines on standard error.
    Log,
}

impl NotifySettings {
    /// Every text in it that must not be seen.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret<String>> {
        let (one, other) = match self {
            Self::Telegram { token, .. } => (Some(token), None),
            Self::Webhook { url, secret } => (Some(url), Some(secret)),
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
        match raw.kind.as_str() {
            "log" => Ok(NotifySettings::Log),
            "telegram" => self.telegram(key, raw, all),
            "webhook" => self.webhook(key, raw),
            other => self.refuse(
                &format!("{key}.kind"),
                format!("\"{other}\" is not a channel: write telegram, webhook or log"),
            ),
        }
    }

    fn telegram(&mut self, key: &str, raw: &RawNotify, all: &Raw) -> Result<NotifySettings> {
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
        Ok(NotifySettings::Telegram { chat, token, url })
    }

    fn webhook(&mut self, key: &str, raw: &RawNotify) -> Result<NotifySettings> {
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
        Ok(NotifySettings::Webhook { url, secret })
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

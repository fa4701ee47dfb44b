//! Any program with a web address: each alert or notice is one signed POST of JSON.
//!
//! The signature is that of the usual scheme: HMAC-SHA-256 over the timestamp, a full stop and the
//! body, so that a receiver knows the sender, notices a change and can refuse what is old. The id
//! of a message stays the same when it is sent again: a receiver that remembers ids does
//! everything once.

use std::time::Duration;

use finstage_net::Request;
use finstage_seal::{Secret, hmac_sha256};
use finstage_store::records::{Item, Sent};
use serde_json::{Value, json};

use super::Kind;
use crate::error::Error;
use crate::message::{Message, clean};
use crate::notifier::{Accepted, Delivery, Notifier, Outgoing, Reply, Then};
use crate::pacer::Pace;
use crate::template::{Repeat, Template};

pub(super) const KIND: Kind = Kind {
    name: "webhook",
    describes: "a signed POST to a web address of yours",
    needs: &["url", "secret"],
};

/// The fewest characters of a secret that signs.
pub const MIN_WEBHOOK_SECRET_CHARS: usize = 16;
/// The wait after a 429 that does not say how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// The longest wait that is believed.
const MAX_WAIT: Duration = Duration::from_secs(86_400);
/// The most characters of the receiver's own words that are kept.
const MAX_ANSWER_CHARS: usize = 200;
/// The headers of a message.
const SIGNATURE: &str = "X-Finstage-Signature";
const TIMESTAMP: &str = "X-Finstage-Timestamp";
const ID: &str = "X-Finstage-Id";

/// Where to send, and with which secret to sign.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// The channel's name in the outbox.
    pub name: String,
    /// The address; what follows the host counts as secret.
    pub url: Secret<String>,
    /// The secret that the receiver knows too.
    pub secret: Secret<String>,
    /// The words.
    pub template: Template,
}

/// Sends alerts to one web address.
#[derive(Debug)]
pub struct Webhook {
    name: String,
    url: Secret<String>,
    /// Path and query of the address.
    place: Secret<String>,
    secret: Secret<String>,
    template: Template,
}

impl Webhook {
    /// A channel to one address.
    ///
    /// # Errors
    /// When the address is none or the secret is too short; neither is shown.
    pub fn new(options: WebhookOptions) -> Result<Self, Error> {
        let WebhookOptions { name, url, secret, template } = options;
        let typed = url.expose();
        let rest = typed.strip_prefix("https://").or_else(|| typed.strip_prefix("http://"));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        let (Some(rest), Some(host)) = (rest, host.filter(|host| !host.is_empty())) else {
            return Err(Error::option(format!(
                "notify {name}: url is not an http address: write https://HOST/PATH"
            )));
        };
        if host.contains('@') {
            return Err(Error::option(format!(
                "notify {name}: url has a password in it: the signature says who sends, leave it out"
            )));
        }
        if secret.expose().chars().count() < MIN_WEBHOOK_SECRET_CHARS {
            return Err(Error::option(format!(
                "notify {name}: the secret has fewer than {MIN_WEBHOOK_SECRET_CHARS} characters: \
                 make one with `openssl rand -hex 32`"
            )));
        }
        // Where there is only a host, nothing of it is hidden.
        let place = Some(&rest[host.len()..]).filter(|place| place.len() > 1);
        let place = Secret::new(place.unwrap_or_default().to_owned());
        Ok(Self { name, url, place, secret, template })
    }

    fn body(&self, item: &Item, delivery: &Delivery<'_>) -> Value {
        let repeat = delivery.repeat;
        let is_repeat = repeat == Repeat::Possible;
        let text = |message: &Message| message.plain();
        match item {
            Item::Alert(alert) => json!({
                "type": "alert",
                "id": alert.id,
                "possible_repeat": is_repeat,
                "alert": alert,
                "text": text(&self.template.message(alert, repeat, delivery.note)),
            }),
            Item::Notice(notice) => json!({
                "type": "notice",
                "id": notice.id.to_string(),
                "possible_repeat": is_repeat,
                "kind": notice.kind.as_str(),
                "said_at": notice.said_at,
                "text": text(&self.template.notice(notice, repeat)),
            }),
        }
    }

    /// The receiver's words on one line, without what only both sides may know.
    fn words(&self, body: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(&body[..body.len().min(4_096)]).into_owned();
        for secret in [&self.secret, &self.place] {
            if !secret.expose().is_empty() {
                text = text.replace(secret.expose().as_str(), "[redacted]");
            }
        }
        clean(&text, MAX_ANSWER_CHARS)
    }
}

impl Notifier for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn pace(&self) -> Pace {
        Pace::UNLIMITED
    }

    fn render(&self, item: &Item, delivery: &Delivery<'_>) -> Vec<Outgoing> {
        let id = match item {
            Item::Alert(alert) => alert.id.to_string(),
            Item::Notice(notice) => notice.id.to_string(),
        };
        let body = self.body(item, delivery).to_string();
        let at = delivery.at.secs().to_string();
        let signature = hmac_sha256(&self.secret, &[at.as_bytes(), b".", body.as_bytes()]);
        let request = Request::post(self.url.expose().as_str())
            .header(ID, id)
            .header(TIMESTAMP, at)
            .header(SIGNATURE, format!("v1={signature}"))
            .json(body)
            .hide(&self.place)
            .hide(&self.secret);
        vec![Outgoing::Http(request)]
    }

    fn accepted(&self, reply: &Reply<'_>) -> Accepted {
        let status = reply.status;
        let said = match self.words(reply.body) {
            words if words.is_empty() => String::new(),
            words => format!(" \"{words}\""),
        };
        let answered = format!("the webhook answered {status}{said}");
        match status {
            200..=299 => Accepted::Delivered(String::new()),
            429 => Accepted::RetryAfter(reply.retry_after.unwrap_or(DEFAULT_WAIT).min(MAX_WAIT)),
            408 | 425 | 500.. => Accepted::Retry { sent: Sent::Unknown, reason: answered },
            300..=399 => Accepted::Refused {
                reason: format!("{answered}: redirects are not followed, write the address itself"),
            },
            401 | 403 => Accepted::Refused {
                reason: format!("{answered}: compare `secret` with the one the receiver knows"),
            },
            404 => Accepted::Refused { reason: format!("{answered}: check `url`") },
            410 => Accepted::Rejected {
                reason: format!("{answered}: the receiver wants no more, take the channel out"),
                then: Then::Disable,
            },
            _ => Accepted::Rejected { reason: answered, then: Then::GoOn },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{signal, webhook};

    fn options(url: &str, secret: &str) -> WebhookOptions {
        WebhookOptions {
            name: "webhook".into(),
            url: Secret::new(url.into()),
            secret: Secret::new(secret.into()),
            template: Template::default(),
        }
    }

    #[test]
    fn a_message_sent_again_has_its_id_and_a_signature_of_the_new_moment() {
        let channel = webhook();
        let send = |secs, repeat| {
            let at = finstage_model::Timestamp::from_secs(secs);
            let delivery = Delivery { at, repeat, ..Delivery::FIRST };
            let sent = channel.render(&signal().into(), &delivery);
            let [Outgoing::Http(request)] = &sent[..] else { panic!("one request: {sent:?}") };
            let header = |name: &str| {
                let found = request.headers().iter().find(|(known, _)| known == name);
                found.unwrap().1.clone()
            };
            (header(ID), header(TIMESTAMP), header(SIGNATURE))
        };
        let first = send(1_000, Repeat::No);
        let again = send(2_000, Repeat::Possible);
        assert_eq!((first.0 == again.0, again.1.as_str()), (true, "2000"));
        assert_ne!(first.2, again.2);
        assert!(first.2.starts_with("v1=") && first.2.len() == 67, "{}", first.2);
    }

    #[test]
    fn an_address_or_secret_that_cannot_be_right_is_refused_unseen() {
        let long = "0123456789abcdef";
        for (url, secret, says) in [
            ("ftp://h/x", long, "url is not an http address"),
            ("https:///x", long, "url is not an http address"),
            ("https://me:pw@h/x", long, "url has a password in it"),
            ("https://h/x", "0123456789abcde", "the secret has fewer than 16 characters"),
        ] {
            let said = Webhook::new(options(url, secret)).unwrap_err().to_string();
            assert!(said.contains(says), "{said}");
            assert!(!said.contains("pw@") && !said.contains("abcde:"), "{said}");
        }
        assert!(Webhook::new(options("http://h", long)).is_ok());
    }

    #[test]
    fn answers_mean_what_receivers_usually_mean() {
        let channel = webhook();
        let meaning = |status| {
            let retry_after = Some(Duration::from_secs(7));
            channel.accepted(&Reply { status, retry_after, body: b"" })
        };
        assert_eq!(meaning(204), Accepted::Delivered(String::new()));
        assert_eq!(meaning(429), Accepted::RetryAfter(Duration::from_secs(7)));
        assert!(matches!(meaning(503), Accepted::Retry { sent: Sent::Unknown, .. }));
        assert!(matches!(meaning(302), Accepted::Refused { .. }));
        assert!(matches!(meaning(401), Accepted::Refused { .. }));
        assert!(matches!(meaning(410), Accepted::Rejected { then: Then::Disable, .. }));
        assert!(matches!(meaning(422), Accepted::Rejected { then: Then::GoOn, .. }));
    }
}

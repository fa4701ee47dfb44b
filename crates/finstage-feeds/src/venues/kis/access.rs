//! Tokens: one a minute at most, valid for a day, the same one again within six hours. Each issue sends
//! the owner a message, so tokens are kept and shared.

use std::time::Duration;

use finstage_model::Timestamp;
use finstage_net::{Request, Response, Sign, Terms, Token, TokenRefusal, TokenTerms};
use finstage_seal::Secret;
use serde::Deserialize;
use serde_json::json;

use super::answer::{TOO_SOON, Verdict, quoted};
use super::{Kis, MOCK_TERMS};
use crate::account::{Access, Account};
use crate::hosts;
use crate::venue::Endpoints;

pub(super) const ACCESS: Access = Access {
    poll: |endpoints, account| Box::new(Kis::new(endpoints, account)),
    sign,
    token,
    put,
    token_terms: TOKEN_TERMS,
    mock: ("https://openapivts.koreainvestment.com:29443", "ws://ops.koreainvestment.com:31000"),
    mock_terms: MOCK_TERMS,
    rule: "calls",
    keys_from: "https://apiportal.koreainvestment.com",
};

/// What is refused there is read by [`read`]; only an outage is a sign for the client.
const TOKEN_TERMS: Terms = Terms { judge: judge_token, ..Terms::PLAIN };

/// At most one token a minute.
const SPACING: Duration = Duration::from_secs(60);
/// A token that ends in the middle of a session is renewed before.
const EARLY: Duration = Duration::from_secs(600);
/// How long a token lasts where the answer does not say it.
const USUAL: Duration = Duration::from_secs(86_400);

fn judge_token(response: &Response, _now: Timestamp) -> Sign {
    let is_verdict = Verdict::of(response).is_some();
    match response.status {
        _ if is_verdict && response.status < 500 => Sign::Fine,
        429 => Sign::Limited { retry_after: None },
        _ if is_verdict => Sign::Fine,
        _ => Sign::Unavailable { retry_after: None },
    }
}

fn token(endpoints: &Endpoints, account: &Account) -> TokenTerms {
    let url = format!("{}/oauth2/tokenP", hosts(&endpoints.rest).next().unwrap_or_default());
    let account = account.clone();
    let request = move || {
        let Account { app_key, app_secret, .. } = &account;
        let body = json!({
            "grant_type": "client_credentials",
            "appkey": app_key.expose(),
            "appsecret": app_secret.expose(),
        });
        // The same token comes again: asking twice does no harm.
        let request = Request::post(&url).json(body.to_string()).idempotent();
        request.hide(app_key).hide(app_secret)
    };
    TokenTerms { request: Box::new(request), read, spacing: SPACING, early: EARLY }
}

/// Names the account and proves that it is ours.
pub(super) fn sign(request: Request, account: &Account) -> Request {
    let Account { app_key, app_secret, .. } = account;
    request
        .header("appkey", app_key.expose().as_str())
        .header("appsecret", app_secret.expose().as_str())
        .hide(app_key)
        .hide(app_secret)
}

fn put(request: Request, token: &Token) -> Request {
    request.header("authorization", format!("Bearer {}", token.secret.expose()))
}

/// `{"access_token":"…","access_token_token_expired":"2026-11-21 08:30:00","expires_in":86400}`
#[derive(Deserialize)]
struct Issued {
    access_token: Option<String>,
    access_token_token_expired: Option<String>,
    expires_in: Option<u64>,
}

fn read(response: &Response, now: Timestamp) -> Result<Token, TokenRefusal> {
    let unreadable = |why: String| TokenRefusal::Unreadable(why);
    let text = response.text();
    if let Some(verdict) = Verdict::of(response).filter(Verdict::is_refusal) {
        let words = format!("{} ({})", verdict.words(), verdict.code());
        return Err(match verdict.code() {
            TOO_SOON => TokenRefusal::TooSoon(SPACING),
            _ => TokenRefusal::Denied(words),
        });
    }
    let issued: Issued = serde_json::from_str(&text)
        .map_err(|e| unreadable(format!("status {}: {e}", response.status)))?;
    let Some(token) = issued.access_token.filter(|token| !token.trim().is_empty()) else {
        let said = quoted(&text);
        return Err(unreadable(format!("status {} without a token: {said}", response.status)));
    };
    let by_length = now.plus(issued.expires_in.map_or(USUAL, Duration::from_secs));
    let said = issued.access_token_token_expired.as_deref().and_then(korean);
    // The same token comes again with its own end. One in the past means that the clocks differ.
    let expires_at = said.filter(|at| *at > now).map_or(by_length, |at| at.min(by_length));
    Ok(Token { secret: Secret::new(token), expires_at })
}

/// `2026-11-21 08:30:00` on a Korean clock.
fn korean(text: &str) -> Option<Timestamp> {
    let (day, time) = text.trim().split_once(' ')?;
    format!("{day}T{time}+09:00").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Server;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.into() }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_ends_when_the_venue_says_it() {
        let body = r#"{"access_token":"eyJ.x","access_token_token_expired":"2026-11-21 08:30:00","token_type":"Bearer","expires_in":86400}"#;
        let token = read(&response(200, body), at("2026-11-20T05:00:00Z")).unwrap();
        assert_eq!(token.secret.expose(), "eyJ.x");
        assert_eq!(token.expires_at, at("2026-11-20T23:30:00Z"));
        // A clock that is days ahead: the length counts.
        let token = read(&response(200, body), at("2026-11-25T05:00:00Z")).unwrap();
        assert_eq!(token.expires_at, at("2026-11-26T05:00:00Z"));
    }

    #[test]
    fn too_soon_is_a_wait_and_wrong_keys_are_not() {
        let now = at("2026-11-20T05:00:00Z");
        let refused = |status, body: &str| read(&response(status, body), now).unwrap_err();
        let soon = r#"{"error_description":"접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)","error_code":"EGW00133"}"#;
        assert_eq!(refused(403, soon), TokenRefusal::TooSoon(Duration::from_secs(60)));
        let wrong =
            r#"{"error_description":"유효하지 않은 AppKey입니다.","error_code":"EGW00103"}"#;
        assert_eq!(
            refused(403, wrong),
            TokenRefusal::Denied("유효하지 않은 AppKey입니다. (EGW00103)".into())
        );
        assert!(matches!(refused(200, "{}"), TokenRefusal::Unreadable(_)));
        assert!(matches!(refused(502, "<html>"), TokenRefusal::Unreadable(_)));
        let sign = |status, body: &str| judge_token(&response(status, body), now);
        assert_eq!(sign(403, soon), Sign::Fine, "no reason to ask nothing else for a minute");
        assert_eq!(sign(502, "<html>"), Sign::Unavailable { retry_after: None });
        assert_eq!(sign(500, ""), Sign::Unavailable { retry_after: None });
    }

    #[test]
    fn no_key_is_printed() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let account = Account {
            app_key: secret("PSabcdefghijklmnop"),
            app_secret: secret("canary/secret+text=="),
            server: Server::Real,
        };
        let endpoints = super::super::PROFILE.endpoints();
        let request = (token(&endpoints, &account).request)();
        let sent = String::from_utf8(request.body_bytes().to_vec()).unwrap();
        assert!(sent.contains("canary/secret+text=="), "the venue wants it");
        let query = super::super::Kis::new(&endpoints, &account).get("/uapi/x", "T");
        let token = Token { secret: secret("eyJ.canary"), expires_at: Timestamp::EPOCH };
        let query = put(query, &token);
        let printed = format!("{request} {request:?} {query} {query:?} {account:?} {token:?}");
        for text in ["PSabcdefghijklmnop", "canary"] {
            assert!(!printed.contains(text), "{printed}");
        }
    }
}

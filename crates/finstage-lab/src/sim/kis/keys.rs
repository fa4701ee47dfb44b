//! Tokens: issued once a minute, the same for six hours, good for a day.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_model::Timestamp;
use serde_json::{Value, json};

use super::clock;
use crate::rng::mix;
use crate::sim::front::{Reply, nickname};
use crate::sim::rulebook::{Caller, Rulebook};

/// How long a token is good.
pub const TOKEN_LIFE: Duration = Duration::from_secs(86_400);
/// How long a key that asks again is given the token it has.
pub const SAME_TOKEN: Duration = Duration::from_secs(6 * 3_600);
/// The length of an appkey and of its secret, where no pairs are named.
pub const KEY_LENGTHS: (usize, usize) = (36, 180);
/// The most tokens that are remembered; the oldest go first.
const MAX_TOKENS: usize = 10_000;

/// Everything that was issued.
#[derive(Debug)]
pub(super) struct Keys {
    seed: u64,
    /// The pairs that are known; all of the right lengths where there are none.
    pairs: Vec<(String, String)>,
    tokens: BTreeMap<String, Token>,
    /// The appkey of each key for sessions.
    approvals: BTreeMap<String, String>,
    issued: u64,
}

#[derive(Debug, Clone)]
struct Token {
    appkey: String,
    appsecret: String,
    at: Timestamp,
    number: u64,
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    Unknown,
    Expired,
    /// The key or the secret beside it is another one's.
    NotItsKey,
}

impl Keys {
    pub(super) fn new(seed: u64, pairs: Vec<(String, String)>) -> Self {
        let (tokens, approvals) = (BTreeMap::new(), BTreeMap::new());
        Self { seed, pairs, tokens, approvals, issued: 0 }
    }

    /// Answers a request for a token. `expired` is when a scenario ended all tokens last.
    pub(super) fn token(
        &mut self,
        body: &Value,
        (now, expired): (Timestamp, Option<Timestamp>),
        book: &mut Rulebook,
    ) -> Reply {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let (appkey, appsecret) = (text("appkey"), text("appsecret"));
        if let Some(refusal) = self.check(body, appsecret) {
            return refusal;
        }
        if !book.admit(now, &Caller::of_key(appkey), &[("tokens", 1)]).is_admitted() {
            return too_soon();
        }
        let own = self.tokens.iter().filter(|(_, token)| token.appkey == appkey);
        let newest = own.max_by_key(|(_, token)| token.number);
        let same = newest
            .filter(|(_, token)| now.since(token.at) < SAME_TOKEN && token.is_good(now, expired));
        let (text, at) = match same {
            Some((text, token)) => (text.clone(), token.at),
            None => (self.issue(appkey, appsecret, now), now),
        };
        let until = at.plus(TOKEN_LIFE);
        let until_text = clock::stamp(until);
        let expires_in = until.since(now).as_secs();
        Reply::json(
            200,
            &json!({
                "access_token": text, "access_token_token_expired": until_text,
                "token_type": "Bearer", "expires_in": expires_in,
            }),
        )
    }

    fn issue(&mut self, appkey: &str, appsecret: &str, now: Timestamp) -> String {
        self.issued += 1;
        let number = self.issued;
        // As long as a real one, and as little to be read.
        let name = format!("{}{number}", nickname(appkey));
        let tail: String = (0..20).map(|i| format!("{:016x}", self.draw(number, i))).collect();
        let text = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9.{name}.{tail}");
        if self.tokens.len() >= MAX_TOKENS {
            let oldest = self.tokens.iter().min_by_key(|(_, token)| token.number);
            let oldest = oldest.map(|(text, _)| text.clone());
            oldest.map(|text| self.tokens.remove(&text));
        }
        let (appkey, appsecret) = (appkey.to_owned(), appsecret.to_owned());
        self.tokens.insert(text.clone(), Token { appkey, appsecret, at: now, number });
        text
    }

    /// Answers a revocation.
    pub(super) fn revoke(&mut self, body: &Value) -> Reply {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        if let Some(refusal) = self.wrong_pair(text("appkey"), text("appsecret")) {
            return refusal;
        }
        match self.tokens.get(text("token")) {
            Some(token) if token.appkey == text("appkey") => {
                self.tokens.remove(text("token"));
                Reply::json(200, &json!({"code": 200, "message": "접근토큰 폐기에 성공하였습니다"}))
            }
            _ => refused("EGW00121", "유효하지 않은 token 입니다."),
        }
    }

    /// Answers a request for the key of a session.
    pub(super) fn approve(&mut self, body: &Value) -> Reply {
        let secret = body["secretkey"].as_str().unwrap_or_default();
        if let Some(refusal) = self.check(body, secret) {
            return refusal;
        }
        let appkey = body["appkey"].as_str().unwrap_or_default().to_owned();
        self.issued += 1;
        let (a, b) = (self.draw(self.issued, 30), self.draw(self.issued, 31));
        let [x, y, z] = [a >> 16 & 0xffff, a & 0xffff, b >> 48];
        let key = format!("{:08x}-{x:04x}-{y:04x}-{z:04x}-{:012x}", a >> 32, b & 0xffff_ffff_ffff);
        if self.approvals.len() >= MAX_TOKENS {
            self.approvals.pop_first();
        }
        self.approvals.insert(key.clone(), appkey);
        Reply::json(200, &json!({"approval_key": key}))
    }

    /// The appkey behind the key of a session.
    pub(super) fn approved(&self, key: &str) -> Option<&str> {
        self.approvals.get(key).map(String::as_str)
    }

    /// Whether a call may be made with a token.
    pub(super) fn verify(
        &self,
        (token, appkey, appsecret): (&str, &str, &str),
        (now, expired): (Timestamp, Option<Timestamp>),
    ) -> Result<(), Unfit> {
        let token = self.tokens.get(token).ok_or(Unfit::Unknown)?;
        if token.appkey != appkey || token.appsecret != appsecret {
            return Err(Unfit::NotItsKey);
        }
        if token.is_good(now, expired) { Ok(()) } else { Err(Unfit::Expired) }
    }

    fn check(&self, body: &Value, secret: &str) -> Option<Reply> {
        if body["grant_type"].as_str() != Some("client_credentials") {
            return Some(refused("EGW00101", "grant_type 이 올바르지 않습니다."));
        }
        self.wrong_pair(body["appkey"].as_str().unwrap_or_default(), secret)
    }

    fn wrong_pair(&self, appkey: &str, secret: &str) -> Option<Reply> {
        let own = self.pairs.iter().find(|(key, _)| key == appkey);
        let (key_fits, secret_fits) = match (own, self.pairs.is_empty()) {
            (Some((_, known)), _) => (true, known == secret),
            (None, true) => (appkey.len() == KEY_LENGTHS.0, secret.len() == KEY_LENGTHS.1),
            (None, false) => (false, false),
        };
        if !key_fits {
            return Some(refused("EGW00103", "유효하지 않은 AppKey입니다."));
        }
        (!secret_fits).then(|| refused("EGW00105", "유효하지 않은 AppSecret입니다."))
    }

    fn draw(&self, number: u64, part: u64) -> u64 {
        mix(self.seed ^ 0x6b15, number, part)
    }
}

impl Token {
    fn is_good(&self, now: Timestamp, expired: Option<Timestamp>) -> bool {
        now.since(self.at) < TOKEN_LIFE && expired.is_none_or(|expired| self.at > expired)
    }
}

pub(super) fn too_soon() -> Reply {
    refused("EGW00133", "접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)")
}

fn refused(code: &str, words: &str) -> Reply {
    Reply::json(403, &json!({"error_description": words, "error_code": code}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::kis::rules;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_780_000_000 + secs)
    }

    fn request() -> Value {
        let (key, secret) = ("k".repeat(36), "s".repeat(180));
        json!({"grant_type": "client_credentials", "appkey": key, "appsecret": secret})
    }

    struct Desk(Keys, Rulebook);

    impl Desk {
        fn ask(&mut self, body: &Value, secs: i64, expired: Option<Timestamp>) -> (u16, Value) {
            let reply = self.0.token(body, (at(secs), expired), &mut self.1);
            (reply.status, serde_json::from_slice(&reply.body).unwrap())
        }

        fn verify(&self, token: &Value, secs: i64, expired: Option<i64>) -> Result<(), Unfit> {
            let (key, secret) = ("k".repeat(36), "s".repeat(180));
            let token = (token.as_str().unwrap(), &*key, &*secret);
            self.0.verify(token, (at(secs), expired.map(at)))
        }
    }

    fn desk() -> Desk {
        Desk(Keys::new(1, Vec::new()), Rulebook::new(rules(20)))
    }

    #[test]
    fn a_token_is_issued_once_a_minute_and_is_the_same_for_six_hours() {
        let mut desk = desk();
        let (status, first) = desk.ask(&request(), 0, None);
        assert_eq!((status, &first["expires_in"]), (200, &json!(86_400)));
        assert_eq!(first["access_token"].as_str().unwrap().len(), 37 + 8 + 2 + 320);
        let (status, said) = desk.ask(&request(), 59, None);
        assert_eq!((status, &said["error_code"]), (403, &json!("EGW00133")));
        let (_, again) = desk.ask(&request(), 21_599, None);
        assert_eq!(again["access_token"], first["access_token"]);
        assert_eq!(again["expires_in"], 86_400 - 21_599);
        assert_eq!(again["access_token_token_expired"], first["access_token_token_expired"]);
        let (_, later) = desk.ask(&request(), 21_660, None);
        assert_ne!(later["access_token"], first["access_token"]);
        assert_eq!(desk.verify(&first["access_token"], 86_399, None), Ok(()));
        assert_eq!(desk.verify(&first["access_token"], 86_400, None), Err(Unfit::Expired));
        assert_eq!(desk.verify(&later["access_token"], 86_400, None), Ok(()));
    }

    #[test]
    fn tokens_that_a_scenario_ends_are_over_and_the_next_one_is_not() {
        let mut desk = desk();
        let (_, first) = desk.ask(&request(), 0, None);
        assert_eq!(desk.verify(&first["access_token"], 70, Some(70)), Err(Unfit::Expired));
        let (_, next) = desk.ask(&request(), 71, Some(at(70)));
        assert_ne!(next["access_token"], first["access_token"]);
        assert_eq!(desk.verify(&next["access_token"], 72, Some(70)), Ok(()));
    }

    #[test]
    fn wrong_pairs_and_tokens_of_others_are_refused_by_their_codes() {
        let mut desk = desk();
        let code = |(status, said): (u16, Value)| (status, said["error_code"].clone());
        let with = |name: &str, value: &str| {
            let mut body = request();
            body[name] = json!(value);
            body
        };
        assert_eq!(code(desk.ask(&with("appkey", "x"), 0, None)), (403, json!("EGW00103")));
        assert_eq!(code(desk.ask(&with("appsecret", "x"), 0, None)), (403, json!("EGW00105")));
        assert_eq!(code(desk.ask(&with("grant_type", "x"), 0, None)), (403, json!("EGW00101")));
        let (_, token) = desk.ask(&request(), 0, None);
        let token = token["access_token"].as_str().unwrap();
        let now = (at(1), None);
        assert_eq!(desk.0.verify((token, "k", "s"), now), Err(Unfit::NotItsKey));
        assert_eq!(desk.0.verify(("other", "k", "s"), now), Err(Unfit::Unknown));
        let mut named = Keys::new(1, vec![("a".into(), "b".into())]);
        let body = json!({"grant_type": "client_credentials", "appkey": "a", "secretkey": "b"});
        assert_eq!(named.approve(&body).status, 200);
        assert_eq!(named.approve(&request()).status, 403);
    }

    #[test]
    fn a_revoked_token_is_unknown() {
        let mut desk = desk();
        let (_, token) = desk.ask(&request(), 0, None);
        let mut body = request();
        body["token"] = token["access_token"].clone();
        assert_eq!(desk.0.revoke(&body).status, 200);
        assert_eq!(desk.verify(&token["access_token"], 1, None), Err(Unfit::Unknown));
        assert_eq!(desk.0.revoke(&body).status, 403);
    }
}

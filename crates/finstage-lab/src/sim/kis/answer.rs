//! The envelope of answers, and numbers as they are written in it.

use serde_json::{Map, Value, json};

use crate::sim::front::Reply;
use crate::sim::ledger::Outcome;

const TOO_MANY_CALLS: &str = "EGW00201";

/// A failure: HTTP status, `rt_cd`, `msg_cd`, `msg1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) rt_cd: &'static str,
    pub(super) code: &'static str,
    pub(super) words: String,
}

impl Failure {
    /// A failure of the gateway.
    pub(super) fn gateway(status: u16, code: &'static str, words: &str) -> Self {
        Self { status, rt_cd: "1", code, words: words.to_owned() }
    }

    /// A question that makes no sense to the service behind: HTTP 200.
    pub(super) fn business(code: &'static str, words: impl Into<String>) -> Self {
        Self { status: 200, rt_cd: "1", code, words: words.into() }
    }

    pub(super) fn missing(field: &str) -> Self {
        let field = field.to_uppercase();
        Self::business("OPSQ2001", format!("ERROR INPUT FIELD NOT FOUND [{field}]"))
    }

    pub(super) fn malformed(field: &str) -> Self {
        let field = field.to_uppercase();
        Self::business("OPSQ2002", format!("ERROR INVALID INPUT_FIELD VALUE [{field}]"))
    }

    pub(super) fn unknown_symbol() -> Self {
        Self::business("OPSQ0013", "종목코드가 올바르지 않습니다.")
    }

    /// Nothing is known about it.
    pub(super) fn no_data() -> Self {
        Self { rt_cd: "7", ..Self::business("KIOK0560", "조회할 내용이 없습니다.") }
    }

    pub(super) fn too_many_calls() -> Self {
        Self::gateway(500, TOO_MANY_CALLS, "초당 거래건수를 초과하였습니다.")
    }

    pub(super) fn unreachable(status: u16) -> Self {
        Self::gateway(status, "IGW00007", "서비스 호출 중 오류가 발생하였습니다.")
    }

    pub(super) fn reply(&self) -> Reply {
        // The venue pads its words.
        let words = format!("{:<40}", self.words);
        let body = json!({"rt_cd": self.rt_cd, "msg_cd": self.code, "msg1": words});
        let is_limit = self.code == TOO_MANY_CALLS;
        let outcome = if is_limit { Outcome::Refused } else { Outcome::Error };
        Reply { outcome, ..Reply::json(self.status, &body) }
    }
}

/// A success with its outputs by name.
pub(super) fn success<const N: usize>(outputs: [(&str, Value); N]) -> Value {
    let mut body = Map::new();
    body.insert("rt_cd".into(), json!("0"));
    body.insert("msg_cd".into(), json!("MCA00000"));
    body.insert("msg1".into(), json!("정상처리 되었습니다."));
    body.extend(outputs.map(|(name, output)| (name.to_owned(), output)));
    Value::Object(body)
}

/// Two objects as one.
pub(super) fn joined(mut first: Value, more: Value) -> Value {
    if let (Value::Object(first), Value::Object(more)) = (&mut first, more) {
        first.extend(more);
    }
    first
}

/// A whole number.
pub(super) fn whole(value: f64) -> String {
    format!("{value:.0}")
}

/// 1 upper limit, 2 up, 3 flat, 4 lower limit, 5 down.
pub(super) fn sign(change: f64) -> &'static str {
    match change {
        _ if change > 0.0 => "2",
        _ if change < 0.0 => "5",
        _ => "3",
    }
}

/// A change in percent of what was before.
pub(super) fn percent(change: f64, before: f64) -> String {
    let share = if before > 0.0 { change / before * 100.0 } else { 0.0 };
    format!("{share:.2}")
}

//! Stream names and the commands of a stream connection, as pure functions.

use std::time::Duration;

use finstage_model::Interval;
use serde_json::{Value, json};

use super::wire;
use crate::sim::market::Market;

/// Streams of one connection at most.
pub const MAX_STREAMS: usize = 1_024;

/// How frames are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameForm {
    /// The payload alone, as under `/ws/<stream>`.
    Raw,
    /// `{"stream":"<name>","data":<payload>}`, as under `/stream?streams=`.
    Combined,
}

/// A stream this simulator can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StreamKey {
    pub(crate) symbol: u32,
    pub(crate) kind: StreamKind,
}

/// What a stream tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum StreamKind {
    Trade,
    AggTrade,
    Kline(Interval),
    BookTicker,
    MiniTicker,
    Ticker,
    /// The first levels of the book, on a beat in milliseconds.
    Depth(u8, u16),
}

impl StreamKey {
    /// The stream of a name; `None` for a symbol that is not listed and for streams that this
    /// simulator does not serve.
    pub(crate) fn named(name: &str, market: &Market) -> Option<Self> {
        let (symbol, kind) = name.split_once('@')?;
        let index = market.index_of(symbol)?;
        // The venue knows streams in lower case only.
        market.listings().nth(index as usize).filter(|listing| listing.stream == symbol)?;
        let kind = match kind {
            "trade" => StreamKind::Trade,
            "aggTrade" => StreamKind::AggTrade,
            "bookTicker" => StreamKind::BookTicker,
            "miniTicker" => StreamKind::MiniTicker,
            "ticker" => StreamKind::Ticker,
            _ => match kind.strip_prefix("kline_") {
                Some(interval) => StreamKind::Kline(wire::interval_named(interval)?),
                None => depth_named(kind)?,
            },
        };
        Some(Self { symbol: index, kind })
    }

    /// The name of the stream of a symbol that is called `stream` there.
    pub(crate) fn name(self, stream: &str) -> String {
        match self.kind {
            StreamKind::Trade => format!("{stream}@trade"),
            StreamKind::AggTrade => format!("{stream}@aggTrade"),
            StreamKind::BookTicker => format!("{stream}@bookTicker"),
            StreamKind::MiniTicker => format!("{stream}@miniTicker"),
            StreamKind::Ticker => format!("{stream}@ticker"),
            StreamKind::Kline(interval) => {
                format!("{stream}@kline_{}", wire::interval_name(interval))
            }
            StreamKind::Depth(levels, 100) => format!("{stream}@depth{levels}@100ms"),
            StreamKind::Depth(levels, _) => format!("{stream}@depth{levels}"),
        }
    }

    /// The beat of a stream that speaks on one, `None` for those that speak when something happens.
    pub(crate) fn beat(self) -> Option<Duration> {
        match self.kind {
            StreamKind::MiniTicker | StreamKind::Ticker => Some(Duration::from_secs(1)),
            StreamKind::Depth(_, beat_ms) => Some(Duration::from_millis(u64::from(beat_ms))),
            _ => None,
        }
    }
}

fn depth_named(kind: &str) -> Option<StreamKind> {
    let rest = kind.strip_prefix("depth")?;
    let (levels, beat_ms) = match rest.strip_suffix("@100ms") {
        Some(levels) => (levels, 100),
        None => (rest.strip_suffix("@1000ms").unwrap_or(rest), 1_000),
    };
    let levels = ["5", "10", "20"].contains(&levels).then(|| levels.parse().ok())??;
    Some(StreamKind::Depth(levels, beat_ms))
}

/// What a client asked for on a stream connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
    List,
    SetForm(FrameForm),
    GetForm,
}

/// Reads a text frame; what cannot be read comes back as the answer to send.
pub(crate) fn read(text: &str) -> Result<(Command, Value), String> {
    let request: Value = serde_json::from_str(text)
        .map_err(|error| failure(3, &format!("Invalid JSON: {error}"), None))?;
    let invalid = |what: &str| failure(2, &format!("Invalid request: {what}"), None);
    let method = match request.get("method") {
        Some(Value::String(method)) => method.as_str(),
        Some(_) => return Err(invalid("method must be a string")),
        None => {
            let at = text.lines().last().map_or(0, str::len);
            let line = text.lines().count().max(1);
            return Err(invalid(&format!("missing field `method` at line {line} column {at}")));
        }
    };
    let id = request.get("id").cloned().unwrap_or(Value::Null);
    let fits = match &id {
        Value::Null => true,
        Value::Number(number) => number.is_i64(),
        Value::String(text) => text.len() <= 36 && text.bytes().all(|b| b.is_ascii_alphanumeric()),
        _ => false,
    };
    if !fits {
        return Err(invalid("request ID must be an unsigned integer"));
    }
    let params = request.get("params").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let command = match method {
        "SUBSCRIBE" => Command::Subscribe(
            names(params).ok_or_else(|| invalid("params must be a list of stream names"))?,
        ),
        "UNSUBSCRIBE" => Command::Unsubscribe(
            names(params).ok_or_else(|| invalid("params must be a list of stream names"))?,
        ),
        "LIST_SUBSCRIPTIONS" => Command::List,
        "SET_PROPERTY" | "GET_PROPERTY" => property(method, params, &id)?,
        _ => {
            return Err(invalid(&format!(
                "unknown variant `{method}`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, \
                 `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
            )));
        }
    };
    Ok((command, id))
}

/// The answer to a command that was carried out.
pub(crate) fn success(result: &Value, id: &Value) -> String {
    json!({ "result": result, "id": id }).to_string()
}

/// The answer to one that was not.
pub(crate) fn failure(code: i64, msg: &str, id: Option<&Value>) -> String {
    match id {
        Some(id) => json!({ "code": code, "msg": msg, "id": id }).to_string(),
        None => json!({ "code": code, "msg": msg }).to_string(),
    }
}

fn names(params: &[Value]) -> Option<Vec<String>> {
    params.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

fn property(method: &str, params: &[Value], id: &Value) -> Result<Command, String> {
    match params.first().and_then(Value::as_str) {
        Some("combined") => {}
        Some(_) => return Err(failure(0, "Unknown property", Some(id))),
        None => {
            return Err(failure(2, "Invalid request: property name must be a string", None));
        }
    }
    if method == "GET_PROPERTY" {
        return Ok(Command::GetForm);
    }
    match params.get(1).and_then(Value::as_bool) {
        Some(true) => Ok(Command::SetForm(FrameForm::Combined)),
        Some(false) => Ok(Command::SetForm(FrameForm::Raw)),
        None => Err(failure(1, "Invalid value type: expected Boolean", None)),
    }
}

#[cfg(test)]
mod tests {
    use finstage_model::Timestamp;

    use super::*;
    use crate::sim::market::{MarketSpec, SymbolSpec, Tape};

    fn market() -> Market {
        let symbols = vec![SymbolSpec::new("BTCUSDT", "60000".parse().unwrap())];
        let spec = MarketSpec::seeded(1, Timestamp::from_secs(1_700_000_000));
        Market::new(MarketSpec { tape: Tape::Seeded { symbols, history_days: 0 }, ..spec }).unwrap()
    }

    #[test]
    fn streams_are_known_by_their_lower_case_names() {
        let market = market();
        for name in [
            "btcusdt@trade",
            "btcusdt@aggTrade",
            "btcusdt@kline_1m",
            "btcusdt@kline_1M",
            "btcusdt@bookTicker",
            "btcusdt@miniTicker",
            "btcusdt@ticker",
            "btcusdt@depth5",
            "btcusdt@depth20@100ms",
        ] {
            let key = StreamKey::named(name, &market).expect(name);
            assert_eq!(key.name("btcusdt"), name);
        }
        for name in ["BTCUSDT@trade", "ethusdt@trade", "btcusdt@kline_1mo", "btcusdt@depth7", "x"] {
            assert_eq!(StreamKey::named(name, &market), None, "{name}");
        }
    }

    #[test]
    fn commands_are_read_with_their_id() {
        let ok = |text: &str| read(text).unwrap();
        assert_eq!(
            ok(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}"#),
            (Command::Subscribe(vec!["btcusdt@trade".to_owned()]), json!(1))
        );
        assert_eq!(
            ok(r#"{"method":"LIST_SUBSCRIPTIONS","id":"a1"}"#),
            (Command::List, json!("a1"))
        );
        assert_eq!(
            ok(r#"{"method":"SET_PROPERTY","params":["combined",true],"id":5}"#).0,
            Command::SetForm(FrameForm::Combined)
        );
        assert_eq!(success(&Value::Null, &json!(312)), r#"{"id":312,"result":null}"#);
    }

    #[test]
    fn what_cannot_be_read_is_answered_with_the_venues_codes() {
        let refused =
            |text: &str| -> Value { serde_json::from_str(&read(text).unwrap_err()).unwrap() };
        assert_eq!(
            refused("x"),
            json!({"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"})
        );
        assert_eq!(
            refused(r#"{"id":1}"#)["msg"],
            "Invalid request: missing field `method` at line 1 column 8"
        );
        assert_eq!(refused(r#"{"method":"X"}"#)["code"], 2);
        assert_eq!(
            refused(r#"{"method":"SUBSCRIBE","params":[],"id":1.5}"#)["msg"],
            "Invalid request: request ID must be an unsigned integer"
        );
        assert_eq!(
            refused(r#"{"method":"SET_PROPERTY","params":["x",true],"id":5}"#),
            json!({"code":0,"msg":"Unknown property","id":5})
        );
        assert_eq!(refused(r#"{"method":"SET_PROPERTY","params":["combined",1]}"#)["code"], 1);
    }
}

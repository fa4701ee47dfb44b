//! Parameters of requests: each is declared once, in the table of routes, and what is not declared
//! is refused. The same declarations make the document of the API.

use finstage_model::{Interval, Symbol, Timestamp};

use crate::problem::Problem;

/// Rows of a page where nothing is said.
pub(crate) const LIMIT_DEFAULT: usize = 50;
/// The most rows of a page.
pub(crate) const LIMIT_MAX: usize = 500;
/// The most pairs in one query.
const MAX_PAIRS: usize = 64;
/// The longest text of a parameter, in characters; symbols are shorter, lists of them longer.
pub(crate) const MAX_TEXT_CHARS: usize = 200;
pub(crate) const MAX_SYMBOL_CHARS: usize = 100;
pub(crate) const MAX_SYMBOLS_CHARS: usize = 500;
/// The longest value of a parameter, in bytes.
const MAX_VALUE_BYTES: usize = 2_000;
/// Names under which people put secrets into addresses, where every log keeps them.
const SECRET_NAMES: [&str; 6] =
    ["token", "access_token", "api_key", "apikey", "authorization", "bearer"];

/// A parameter of a route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) is_required: bool,
    pub(crate) describes: &'static str,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text that is not empty.
    Text,
    /// `venue:SYMBOL`.
    Symbol,
    /// `venue:SYMBOL`, several parted by commas.
    Symbols,
    /// A length of bars.
    Interval,
    /// A moment.
    Time,
    /// A UTC day.
    Day,
    /// Rows of a page.
    Limit,
    /// Where a page begins.
    Cursor,
    /// `true` or `false`.
    Flag,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Texts, by repetition.
    Texts,
}

impl Param {
    pub(crate) const fn new(name: &'static str, kind: Kind, describes: &'static str) -> Self {
        Self { name, kind, is_required: false, describes }
    }

    pub(crate) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// Refuses a value that this parameter does not take.
    fn check(&self, value: &str) -> Result<(), Problem> {
        let refuse =
            |what: &str| Err(Problem::bad(format!("the value of {} is not {what}", self.name)));
        let max = match self.kind {
            Kind::Symbol => MAX_SYMBOL_CHARS,
            Kind::Symbols => MAX_SYMBOLS_CHARS,
            _ => MAX_TEXT_CHARS,
        };
        if value.chars().nth(max).is_some() {
            return Err(Problem::bad(format!(
                "the value of {} is too long: {max} characters are possible",
                self.name
            )));
        }
        match self.kind {
            Kind::Text | Kind::Texts if value.trim().is_empty() => refuse("a text: it is empty"),
            Kind::Text | Kind::Texts | Kind::Cursor => Ok(()),
            Kind::Symbol if value.parse::<Symbol>().is_err() => {
                refuse("a symbol: write venue:SYMBOL, binance:BTCUSDT")
            }
            Kind::Symbols if value.split(',').any(|one| one.parse::<Symbol>().is_err()) => {
                refuse("a list of symbols: write venue:SYMBOL, parted by commas")
            }
            Kind::Interval if value.parse::<Interval>().is_err() => {
                refuse("an interval: write one of 1m 5m 15m 30m 1h 4h 1d 1w 1mo")
            }
            Kind::Time if value.parse::<Timestamp>().is_err() => {
                refuse("a moment: write RFC 3339 or YYYY-MM-DD")
            }
            Kind::Day if value.parse::<finstage_model::Day>().is_err() => {
                refuse("a day: write YYYY-MM-DD")
            }
            Kind::Limit => match whole(value) {
                Some(1..=LIMIT_MAX) => Ok(()),
                _ => refuse("a whole number from 1 to 500"),
            },
            Kind::Flag if !matches!(value, "true" | "false") => refuse("true or false"),
            Kind::OneOf(words) if !words.contains(&value) => {
                refuse(&format!("one of: {}", words.join(" ")))
            }
            _ => Ok(()),
        }
    }
}

/// Digits and nothing else: no sign, no space.
fn whole(value: &str) -> Option<usize> {
    let is_plain = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    is_plain.then(|| value.parse().ok()).flatten()
}

/// The parameters of one request, checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads the part of an address behind `?`.
    pub(crate) fn read(text: &str, params: &[Param]) -> Result<Self, Problem> {
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            refuse_secret(&name)?;
            let Some(param) = params.iter().find(|param| param.name == name) else {
                return Err(unknown(&name, params));
            };
            let is_repeated = pairs.iter().any(|(known, _)| *known == param.name);
            if pairs.len() >= MAX_PAIRS || (is_repeated && param.kind != Kind::Texts) {
                return Err(Problem::bad(format!("{} is given more than once", param.name)));
            }
            let value = decode(value)?;
            param.check(&value)?;
            pairs.push((param.name, value));
        }
        if let Some(missing) = params
            .iter()
            .find(|param| param.is_required && pairs.iter().all(|(name, _)| *name != param.name))
        {
            return Err(Problem::bad(format!(
                "{} is missing: {}",
                missing.name, missing.describes
            )));
        }
        Ok(Self(pairs))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter whose kind was checked, so that it can be read.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    pub(crate) fn symbols(&self, name: &str) -> Vec<Symbol> {
        let texts = self.text(name).into_iter().flat_map(|list| list.split(','));
        texts.filter_map(|one| one.parse().ok()).collect()
    }

    pub(crate) fn limit(&self) -> usize {
        self.text("limit").and_then(whole).unwrap_or(LIMIT_DEFAULT)
    }
}

/// A secret in an address ends in logs and histories: it is refused, whatever it opens.
pub(crate) fn refuse_secret(name: &str) -> Result<(), Problem> {
    let lower = name.to_ascii_lowercase();
    if SECRET_NAMES.contains(&lower.as_str()) {
        let detail = "no secrets in addresses: send the token as \"Authorization: Bearer\", and \
            make a new one with `finstage token new` if this was the real one";
        return Err(Problem::bad(detail));
    }
    Ok(())
}

fn unknown(name: &str, params: &[Param]) -> Problem {
    let short: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    let known: Vec<&str> = params.iter().map(|param| param.name).collect();
    Problem::bad(match known.is_empty() {
        true => format!("no parameter \"{short}\" here: this address takes none"),
        false => format!("no parameter \"{short}\" here: it takes {}", known.join(", ")),
    })
}

/// Undoes percent-encoding; `+` is a space, as forms have it.
pub(crate) fn decode(text: &str) -> Result<String, Problem> {
    let refuse = || Problem::bad("an address with a broken percent-encoding");
    if text.len() > 3 * MAX_VALUE_BYTES {
        return Err(Problem::bad("a parameter is too long"));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => return Err(refuse()),
            },
            other => other,
        });
    }
    if bytes.len() > MAX_VALUE_BYTES || bytes.contains(&0) {
        return Err(Problem::bad("a parameter is too long, or holds a null byte"));
    }
    String::from_utf8(bytes).map_err(|_| refuse())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: &[Param] = &[
        Param::new("symbol", Kind::Symbol, "whose").required(),
        Param::new("limit", Kind::Limit, "how many"),
        Param::new("spec", Kind::Texts, "what"),
        Param::new("verdict", Kind::OneOf(&["verified"]), "which"),
    ];

    fn refused(text: &str) -> String {
        let problem = Query::read(text, PARAMS).unwrap_err();
        assert_eq!(problem.status, hyper::StatusCode::BAD_REQUEST);
        problem.detail
    }

    #[test]
    fn parameters_are_read_as_they_were_encoded() {
        let text = "symbol=binance%3ABTCUSDT&limit=7&spec=SMA(20)&spec=MACD%2812%2C26%29";
        let query = Query::read(text, PARAMS).unwrap();
        assert_eq!(query.text("symbol"), Some("binance:BTCUSDT"));
        assert_eq!(query.limit(), 7);
        assert_eq!(query.texts("spec").collect::<Vec<_>>(), ["SMA(20)", "MACD(12,26)"]);
        assert_eq!(Query::read("symbol=a:B", PARAMS).unwrap().limit(), LIMIT_DEFAULT);
    }

    #[test]
    fn what_is_not_declared_or_makes_no_sense_is_refused() {
        assert!(refused("limit=5").contains("symbol is missing"));
        assert!(refused("symbol=a:B&symbols=a").contains("no parameter \"symbols\""));
        assert!(refused("symbol=a:B&limit=5&limit=6").contains("more than once"));
        for limit in ["0", "501", "-1", "+5", "5.0", "", "99999999999999999999"] {
            let text = format!("symbol=a:B&limit={}", limit.replace('+', "%2B"));
            assert!(refused(&text).contains("whole number"), "{limit}");
        }
        assert!(refused("symbol=BTC").contains("venue:SYMBOL"));
        assert!(refused("symbol=a:B&verdict=good").contains("one of: verified"));
        assert!(refused(&format!("symbol=a:{}", "B".repeat(99))).contains("too long"));
        assert!(refused(&format!("symbol=a:B&spec={}", "한".repeat(201))).contains("too long"));
        assert!(refused("symbol=%zz").contains("percent-encoding"));
        assert!(refused("symbol=a:B%00").contains("null byte"));
        assert!(refused("symbol=a:B&spec=%ff").contains("percent-encoding"));
    }

    #[test]
    fn a_secret_in_the_address_is_refused_and_not_repeated() {
        for name in ["token", "Token", "access_token", "api_key"] {
            let detail = refused(&format!("{name}=fst_canary&symbol=a:B"));
            assert!(detail.contains("no secrets in addresses") && !detail.contains("canary"));
        }
    }
}

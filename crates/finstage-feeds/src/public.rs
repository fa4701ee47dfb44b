//! What other programs may ask of a venue through this one: paths that tell public data and change nothing.
//!
//! A list of what may be asked, never one of what may not: a path that a venue adds tomorrow is refused until
//! somebody has looked at it.

use finstage_net::Cost;

/// The part of a venue's REST interface that other programs are let through to. A constant of its file.
#[derive(Debug, Clone, Copy)]
pub struct Public {
    /// What may be asked.
    pub reads: &'static [Read],
    /// Headers that a request must have there, whoever asks.
    pub headers: &'static [(&'static str, &'static str)],
    /// The header, in lower case, that says what is asked where the path alone does not; none where it is
    /// empty.
    pub kind: &'static str,
    /// Further headers of the program's that belong to the question and go on as they came, in lower case.
    pub passed: &'static [&'static str],
}

/// A path that can be asked.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// The path. Where it ends in `/*`, any one segment stands there.
    pub path: &'static str,
    /// The values of [`Public::kind`] that go with it.
    pub kinds: &'static [&'static str],
    /// What an answer costs, where that is not the usual.
    pub cost: fn(&Params) -> Option<Cost>,
    /// Whether it changes so seldom that an answer may be given again for a minute.
    pub is_lasting: bool,
    /// Whether an answer has no end that one would wait for: it is passed on in pieces.
    pub is_endless: bool,
}

impl Public {
    /// Nothing.
    pub const NONE: Self = Self { reads: &[], headers: &[], kind: "", passed: &[] };

    /// What is known of a path as it was sent; `None` where it may not be asked.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&'static Read> {
        self.reads.iter().find(|read| read.fits(path))
    }
}

impl Read {
    /// A path that costs what is usual.
    #[must_use]
    pub const fn of(path: &'static str) -> Self {
        Self { path, kinds: &[], cost: |_| None, is_lasting: false, is_endless: false }
    }

    /// The same with costs of its own.
    #[must_use]
    pub const fn costs(self, cost: fn(&Params) -> Option<Cost>) -> Self {
        Self { cost, ..self }
    }

    /// The same for questions of these kinds only.
    #[must_use]
    pub const fn of_kinds(self, kinds: &'static [&'static str]) -> Self {
        Self { kinds, ..self }
    }

    /// The same, and an answer may be given again for a minute.
    #[must_use]
    pub const fn lasting(self) -> Self {
        Self { is_lasting: true, ..self }
    }

    /// The same, and an answer is passed on in pieces.
    #[must_use]
    pub const fn endless(self) -> Self {
        Self { is_endless: true, ..self }
    }

    fn fits(&self, path: &str) -> bool {
        let Some(folder) = self.path.strip_suffix('*') else { return self.path == path };
        path.strip_prefix(folder).is_some_and(is_one_segment)
    }
}

/// Whether this is a name, whatever becomes of its escapes on the way: no slash of any kind, no dots alone.
fn is_one_segment(text: &str) -> bool {
    let Some(name) = decoded(text, Plus::Itself) else { return false };
    let is_odd = |c: char| matches!(c, '/' | '\\' | '%' | '?' | '#') || c.is_control();
    !name.is_empty() && !name.contains(is_odd) && !name.chars().all(|c| c == '.')
}

/// The parameters of a question, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

/// The most parameters of a question.
const MAX_PARAMS: usize = 64;

/// Parameters, and headers, by which venues know that something is signed: it would act for an account.
const SIGNED: [&str; 14] = [
    "signature",
    "sign",
    "api-sign",
    "api_sign",
    "recvwindow",
    "nonce",
    "otp",
    "listenkey",
    "cb-access-sign",
    "cb-access-passphrase",
    "ok-access-sign",
    "x-bapi-sign",
    "appsecret",
    "hashkey",
];

impl Params {
    /// Reads what stands behind the question mark; `None` where that is no such text, or too much.
    #[must_use]
    pub fn read(query: &str) -> Option<Self> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let read = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name, Plus::Space)?, decoded(value, Plus::Space)?))
        };
        let pairs: Option<Vec<_>> = pairs.take(MAX_PARAMS + 1).map(read).collect();
        pairs.filter(|pairs| pairs.len() <= MAX_PARAMS).map(Self)
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first of the names that signs the question, headers' names included.
    #[must_use]
    pub fn signed_by<'a>(&'a self, headers: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let signs = |name: &&str| SIGNED.iter().any(|sign| name.eq_ignore_ascii_case(sign));
        self.0.iter().map(|(name, _)| name.as_str()).chain(headers).find(signs)
    }
}

/// What a plus stands for: in queries a space, in paths itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Itself,
    Space,
}

fn decoded(text: &str, plus: Plus) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            b'+' if plus == Plus::Space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venues;

    fn public(venue: &str) -> &'static Public {
        venues::find(venue).unwrap().public
    }

    #[test]
    fn only_listed_paths_are_found_however_they_are_written() {
        for (venue, path) in [
            ("binance", "/api/v3/klines"),
            ("binance", "/api/v3/ticker/24hr"),
            ("kraken", "/0/public/OHLC"),
            ("yahoo", "/v8/finance/chart/%5EGSPC"),
            ("yahoo", "/v8/finance/chart/BRK-B"),
            ("kis", "/uapi/domestic-stock/v1/quotations/inquire-price"),
            ("tardis", "/replay-normalized"),
        ] {
            assert!(public(venue).find(path).is_some(), "{venue} {path}");
        }
        for (venue, path) in [
            ("binance", "/api/v3/account"),
            ("binance", "/api/v3/order"),
            ("binance", "/api/v3/klines/"),
            ("binance", "//api/v3/klines"),
            ("binance", "/api/v3/../v3/account"),
            ("binance", "/api/v3/KLINES"),
            ("binance", "/sapi/v1/capital/withdraw/apply"),
            ("kraken", "/0/private/Balance"),
            ("yahoo", "/v8/finance/chart/"),
            ("yahoo", "/v8/finance/chart/.."),
            ("yahoo", "/v8/finance/chart/%2e%2e"),
            ("yahoo", "/v8/finance/chart/a%2Fb"),
            ("yahoo", "/v8/finance/chart/a%5cb"),
            ("yahoo", "/v8/finance/chart/a%252Fb"),
            ("yahoo", "/v8/finance/chart/a/b"),
            ("yahoo", "/v8/finance/chart/a%0d"),
            ("yahoo", "/v8/finance/chart/a%"),
            ("kis", "/uapi/domestic-stock/v1/trading/order-cash"),
            ("kis", "/oauth2/tokenP"),
            ("tardis", "/"),
        ] {
            assert!(public(venue).find(path).is_none(), "{venue} {path}");
        }
    }

    #[test]
    fn a_question_costs_what_the_venue_says() {
        let cost = |path: &str, query: &str| {
            let params = Params::read(query).unwrap();
            let read = public("binance").find(path).unwrap();
            (read.cost)(&params).map_or(1, |cost| cost.amount)
        };
        for (path, query, weight) in [
            ("/api/v3/ping", "", 1),
            ("/api/v3/exchangeInfo", "", 20),
            ("/api/v3/klines", "symbol=BTCUSDT&interval=1m", 2),
            ("/api/v3/depth", "symbol=BTCUSDT", 5),
            ("/api/v3/depth", "symbol=BTCUSDT&limit=500", 25),
            ("/api/v3/depth", "symbol=BTCUSDT&limit=5000", 250),
            ("/api/v3/depth", "symbol=BTCUSDT&limit=many", 250),
            ("/api/v3/historicalTrades", "symbol=BTCUSDT", 25),
            ("/api/v3/ticker/24hr", "", 80),
            ("/api/v3/ticker/24hr", "symbol=BTCUSDT", 2),
            ("/api/v3/ticker/24hr", "symbols=%5B%22A%22,%22B%22%5D", 2),
            ("/api/v3/ticker/price", "", 4),
            ("/api/v3/ticker/price", "symbol=BTCUSDT", 2),
            ("/api/v3/ticker", "symbols=%5B%22A%22%2C%22B%22%5D", 8),
        ] {
            assert_eq!(cost(path, query), weight, "{path}?{query}");
        }
    }

    #[test]
    fn what_is_signed_is_told_by_any_of_its_names() {
        let signed = |query: &str, header: &str| {
            Params::read(query).unwrap().signed_by([header].into_iter()).is_some()
        };
        assert!(signed("symbol=A&signature=ff", "accept"));
        assert!(signed("%73ignature=ff", "accept"), "escapes hide nothing");
        assert!(signed("recvWindow=5000", "accept"));
        assert!(signed("", "API-Sign"));
        assert!(!signed("symbol=A&limit=5", "accept"));
        assert_eq!(Params::read("a=%ff"), None);
        assert_eq!(Params::read(&"a=1&".repeat(65)), None);
    }

    #[test]
    fn every_cost_names_a_limit_that_the_venue_has() {
        for venue in venues::ALL {
            for read in venue.public.reads {
                let Some(cost) = (read.cost)(&Params::default()) else { continue };
                let rules = venue.profile.terms.rules;
                assert!(rules.iter().any(|rule| rule.name == cost.rule), "{}", read.path);
            }
            let needs_kinds = !venue.public.kind.is_empty();
            assert!(venue.public.reads.iter().all(|read| read.kinds.is_empty() != needs_kinds));
        }
    }
}

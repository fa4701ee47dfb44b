//! Korea Investment & Securities (KIS Developers): prices and bars of Seoul and of markets abroad, for
//! who has an account there.
//!
//! * Every call names key, secret and token in its head, and a `tr_id` for what is asked. Two servers:
//!   the real one, and one for practice ("mock") with fewer calls a second.
//! * All values are texts, times are Korean, the order is newest first, and days without a row may come
//!   as `{}`. Refusals come with status 200, 403 or 500; what counts is `msg_cd` (`kis/answer.rs`).
//! * A symbol that begins with a digit, or `Q` and six digits, is one of Seoul. `AAPL` is looked for on
//!   the three markets of New York, once; `HKS.00700` names its market itself.
//! * Bars are those that were traded (`FID_ORG_ADJ_PRC` 1, `MODP` 0). A day without a trade has no bar.
//!   Splits and dividends are not told.

mod about;
mod access;
mod answer;
mod bars;
pub mod master;
mod minutes;
mod place;
mod prices;
mod public;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_model::{Event, Interval, Symbol, Timestamp};
use finstage_net::{Request, Response, Rule, Shape, Sign, Terms};

pub(crate) use self::place::hours;
use self::place::{Exchange, Place};
use crate::account::Account;
use crate::hosts;
use crate::prices::{PriceAnswer, PriceQuery};
use crate::venue::{Description, Endpoints, PollVenue, Query, VenueProfile};
use crate::venues::Venue;
use crate::{DecodeError, DecodeErrorKind};

pub(super) const VENUE: Venue = Venue {
    profile: &PROFILE,
    stream: None,
    poll: None,
    access: Some(&access::ACCESS),
    public: &public::PUBLIC,
};

const PROFILE: VenueProfile = VenueProfile {
    name: "kis",
    rest: "https://openapi.koreainvestment.com:9443",
    stream: "ws://ops.koreainvestment.com:21000",
    docs: &[
        "https://apiportal.koreainvestment.com/apiservice",
        "https://github.com/koreainvestment/open-trading-api",
    ],
    heartbeat: Duration::from_secs(60),
    stall: Duration::from_secs(30 * 60),
    max_age: Duration::MAX,
    command_spacing: Duration::ZERO,
    frames_per_second: 0,
    max_streams: 40,
    bars_per_page: minutes::ROWS_OF_PAST,
    bars_without_trades: false,
    terms: TERMS,
    // Even steps are counted more kindly than a burst at the begin of each second.
    block: Duration::from_secs(1),
    intervals: &[Interval::M1, Interval::D1, Interval::W1, Interval::Mo1],
    reach,
};

/// Calls of one key. The server counts seconds of its own clock; a count over any second stays within
/// each of them.
const TERMS: Terms = terms(&[calls(20)]);
/// The same on the server for practice.
const MOCK_TERMS: Terms = terms(&[calls(2)]);

const fn terms(rules: &'static [Rule]) -> Terms {
    Terms { rules, judge, block: Duration::from_secs(1), ..Terms::PLAIN }
}

const fn calls(a_second: u64) -> Rule {
    Rule {
        name: "calls",
        shape: Shape::Sliding,
        limit: a_second,
        window: Duration::from_secs(1),
        default_cost: 1,
        counts_refused: true,
    }
}

fn judge(response: &Response, now: Timestamp) -> Sign {
    answer::judge(response, now)
}

/// Minutes are kept for about a year.
fn reach(interval: Interval) -> Option<Duration> {
    (interval < Interval::D1).then_some(Duration::from_secs(360 * 86_400))
}

/// Symbols whose market is remembered: more than any market lists.
const MAX_KNOWN: usize = 50_000;

/// What was learned of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It is listed there.
    Listed(Exchange),
    /// It is not listed on so many of the markets that are searched.
    NotOn(usize),
    /// A fund of Seoul, which has a call of its own.
    Fund,
    /// Anything else of Seoul.
    Share,
}

/// Translates the answers of KIS.
#[derive(Debug)]
pub struct Kis {
    rest: String,
    account: Account,
    known: Mutex<HashMap<Symbol, Known>>,
}

impl Kis {
    /// A translator for an account.
    #[must_use]
    pub fn new(endpoints: &Endpoints, account: &Account) -> Self {
        let rest = hosts(&endpoints.rest).next().unwrap_or_default().to_owned();
        Self { rest, account: account.clone(), known: Mutex::default() }
    }

    /// A question to `path` of the kind `tr_id`.
    fn get(&self, path: &str, tr_id: &'static str) -> Request {
        let request = Request::get(format!("{}{path}", self.rest))
            .header("content-type", "application/json; charset=utf-8")
            .header("tr_id", tr_id)
            .header("custtype", "P")
            .endpoint(tr_id);
        access::sign(request, &self.account)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Symbol, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, symbol: &Symbol) -> Option<Known> {
        self.known().get(symbol).copied()
    }

    fn learn(&self, symbol: &Symbol, what: Known) {
        let mut known = self.known();
        if known.len() < MAX_KNOWN {
            known.insert(symbol.clone(), what);
        }
    }

    /// The market of a symbol abroad: as it says, or as was learned.
    fn exchange(&self, symbol: &Symbol, named: Option<Exchange>) -> Option<Exchange> {
        named.or_else(|| match self.knows(symbol) {
            Some(Known::Listed(exchange)) => Some(exchange),
            _ => None,
        })
    }

    /// The market on which a symbol is looked for next.
    fn next_searched(&self, symbol: &Symbol) -> Exchange {
        let place = match self.knows(symbol) {
            Some(Known::NotOn(markets)) => markets.min(Exchange::SEARCHED.len() - 1),
            _ => 0,
        };
        Exchange::SEARCHED[place]
    }
}

impl PollVenue for Kis {
    fn request(&self, query: &Query) -> Request {
        let Query::Bars { symbol, interval, .. } = query;
        match Place::of(symbol) {
            Place::Seoul(code) if *interval < Interval::D1 => minutes::request(self, code, query),
            Place::Seoul(code) => bars::request(self, code, query),
            Place::Abroad { name, exchange } => match self.exchange(symbol, exchange) {
                Some(exchange) => bars::request_abroad(self, (exchange, name), query),
                None => prices::request_abroad(self, (self.next_searched(symbol), name)),
            },
        }
    }

    fn read(
        &self,
        query: &Query,
        response: &Response,
        ts_recv: Timestamp,
        out: &mut Vec<Event>,
    ) -> Result<Option<Query>, DecodeError> {
        let Query::Bars { symbol, interval, .. } = query;
        match Place::of(symbol) {
            Place::Seoul(_) if *interval < Interval::D1 => {
                minutes::read(self, query, response, (ts_recv, out))
            }
            Place::Seoul(_) => bars::read(query, response, (ts_recv, out)),
            Place::Abroad { .. } if *interval < Interval::D1 => {
                let what = format!("{interval} of markets abroad is not asked for here: ask yahoo");
                Err(error(DecodeErrorKind::Refused, what))
            }
            Place::Abroad { .. } => bars::read_abroad(self, query, response, (ts_recv, out)),
        }
    }

    fn description_request(&self, symbol: &Symbol, step: u32) -> Option<Request> {
        about::request(self, symbol, step)
    }

    fn read_description(
        &self,
        symbol: &Symbol,
        response: &Response,
    ) -> Result<Option<Description>, DecodeError> {
        about::read(symbol, response)
    }

    fn price_request(&self, query: &PriceQuery) -> Option<Request> {
        prices::request(self, query)
    }

    fn read_prices(
        &self,
        query: &PriceQuery,
        response: &Response,
        ts_recv: Timestamp,
    ) -> Result<PriceAnswer, DecodeError> {
        prices::read(self, query, response, ts_recv)
    }
}

fn error(kind: DecodeErrorKind, message: impl Into<String>) -> DecodeError {
    DecodeError::new(PROFILE.name, kind, message)
}

#[cfg(test)]
mod tests;

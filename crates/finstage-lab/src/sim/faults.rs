//! What goes wrong, when, and to whom: scenarios.
//!
//! A scenario is a list of faults in TOML. Times are offsets from the start of the simulator, by
//! its clock; chance comes from the scenario's seed and from what it strikes, never from how many
//! draws were taken before, so that one seed is one day however it is served.
//!
//! ```toml
//! name = "bad morning"
//! seed = 4
//!
//! [[faults]]
//! kind = "gap"          # trades are skipped while their ids go on
//! at = "10m"            # first time
//! every = "1h"          # and again; once where it is missing
//! for = "20s"
//! symbol = "BTCUSDT"    # all symbols where it is missing
//!
//! [[faults]]
//! kind = "late"
//! at = "0s"
//! for = "24h"
//! by = "3s"
//! one_in = 500          # each trade with this chance
//! ```
//!
//! | kind | what happens | own keys |
//! |---|---|---|
//! | `stall` | connections stay open, nothing is sent; what would have been sent is lost | `symbol` |
//! | `silent` | as `stall`, pings and pongs included | – |
//! | `reset` | connections are dropped without a word | – |
//! | `close` | `serverShutdown`, then a close frame | – |
//! | `gap` | trades are skipped while their ids go on | `symbol one_in` |
//! | `duplicate` `reorder` | a trade is sent twice; after its successor | `symbol one_in` |
//! | `late` | a trade is sent later than what followed it | `symbol one_in by` |
//! | `cut_json` | a frame ends in the middle | `symbol one_in` |
//! | `rest_429` `rest_418` | every request is refused until the fault ends | – |
//! | `rest_5xx` `rest_html` | 503 and an error; 403 and a page | `status` |
//! | `telegram_429` | refused, whatever the rate | `chat retry_after` |
//! | `telegram_502_html` `telegram_403` `telegram_400_parse` | as named | `chat` |
//! | `telegram_slow` | taken and kept, but answered after `by` | `chat by` |
//! | `yahoo_429` `yahoo_html` `yahoo_5xx` | text instead of JSON; a page with status 200; a page with `status` | `symbol status` |
//! | `yahoo_401` `yahoo_404` `yahoo_422` | the crumb is not known any more; no such symbol; out of range | `symbol` |
//! | `yahoo_no_data` `yahoo_coarse` `yahoo_nulls` | no stamps; bars of an hour; one row in `one_in` is null | `symbol one_in` |
//! | `yahoo_revise` | the two rows before the last are told otherwise | `symbol` |
//! | `yahoo_missing` | a symbol is left out of quotes | `symbol` |
//! | `yahoo_slow` `yahoo_host_down` | answered after `by`; the first host fails, the second works | `symbol by` |
//! | `limit_factor` | every limit is multiplied by `factor` (0.5), nothing is said; each at least 1 | `venue factor` |
//! | `kis_limit` `kis_igw` `kis_html` `kis_empty` | EGW00201; IGW00007 with `status` (500); a page with `status` (502); 500 without a body | `status` (`igw` `html`) |
//! | `kis_slow` | answered after `by` | `by` |
//! | `kis_expire` | tokens issued before are over: EGW00123 | no `for` |
//! | `kis_token` | no token is issued: EGW00133 | – |
//! | `kis_fail` | a symbol fails always: `rt_cd` 1 with 200, or IGW00007 with `status` | `symbol status` |
//! | `kis_error` | one quotation in `one_in` fails as `kis_igw`, by seed and number | `one_in status` |
//! | `kis_holes` | the last rows of a daily chart are empty objects | – |
//! | `kis_drop` | sessions break off; for `by` their key stays in use: OPSP8996 | `by`, no `for` |
//! | `kis_mute` `kis_silent` | sessions send PINGPONG only; nothing at all | – |
//! | `kraken_limit` `kraken_too_many` `kraken_throttled` | EAPI, EGeneral, EService with the moment of the fault's end; status 200 | – |
//! | `kraken_busy` `kraken_unavailable` `kraken_maintenance` | EService; the last one in SystemStatus too | – |
//! | `kraken_html` `kraken_empty` `kraken_slow` | a page with `status` (520); 200 without a body; answered after `by` | `status`; `by` |
//! | `kraken_fail` `kraken_error` | a pair fails always; one call in `one_in`: EGeneral:Internal error | `symbol`; `one_in` |
//! | `sealed_tamper` `sealed_repeat` `sealed_drop` | a sealed envelope has a bit turned over; is sent twice; is not sent | `one_in` |
//! | `openai_429` | refused by a `limit` (requests, tokens, concurrency), to come again after `by` | `limit by one_in` |
//! | `openai_quota` `openai_401` | `insufficient_quota`; the key is not known any more | `one_in` |
//! | `openai_5xx` `openai_html` | an error with `status` (500), any of 400 to 599; a page with `status` (502) | `status one_in` |
//! | `openai_slow` `openai_hang` | answered after `by` more; never, a stream from its middle on | `by one_in`; `one_in` |
//! | `openai_cut` `openai_error_in_stream` | a stream ends in its middle without `[DONE]`; after an error | `one_in` |
//! | `openai_malformed` | JSON that breaks off; in a stream, one event of it | `one_in` |
//! | `openai_no_usage` `openai_wrong_usage` | `usage` is missing; is not so | `one_in` |
//! | `openai_refusal` `openai_length` | the model refuses; stops after a third of its tokens | `one_in` |

mod distortion;
mod kind;

use std::time::Duration;

use finstage_model::{Timestamp, parse_duration};
use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::rng::mix;

pub(crate) use self::distortion::{Distortion, Sent};
pub use self::kind::{FaultKind, FaultLimit};

/// The most faults of a scenario.
pub const MAX_FAULTS: usize = 1_000;

/// A named list of faults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// Where its chance comes from.
    pub seed: u64,
    /// The faults; where two of a kind overlap, the first that fits strikes.
    pub faults: Vec<Fault>,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// When first, from the start.
    pub at: Duration,
    /// How long after one time the next begins; once where it is `None`.
    pub every: Option<Duration>,
    /// How long each time lasts.
    pub length: Duration,
    /// Whom it strikes; every symbol where it is `None`.
    pub symbol: Option<String>,
    /// Whom it strikes; every chat where it is `None`.
    pub chat: Option<i64>,
    /// It strikes each one with this chance; 1 is always.
    pub one_in: u64,
    /// How late.
    pub by: Duration,
    /// The seconds a refusal names.
    pub retry_after_s: u32,
    /// The HTTP status of a failing server.
    pub status: Option<u16>,
    /// Which venue's limits it changes; all of them where it is `None`.
    pub venue: Option<String>,
    /// What limits are multiplied by, in thousandths.
    pub factor: u32,
    /// Which limit is said to be reached; the first where it is `None`.
    pub limit: Option<FaultLimit>,
}

impl Scenario {
    /// Nothing goes wrong.
    pub const CALM: &str = "name = \"calm\"\n";

    /// A rough day: everything that a client should survive, a few times.
    pub const ROUGH: &str = include_str!("faults/rough.toml");

    /// Reads a scenario.
    ///
    /// # Errors
    /// Says where the text is not TOML, names unknown keys, and keys that a kind does not have.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let raw: RawScenario = toml::from_str(text).map_err(|source| {
            let line = source.span().map_or(0, |span| text[..span.start].lines().count().max(1));
            let text = format!("scenario line {line}: {}", source.message());
            Error::new(ErrorKind::Scenario, text)
        })?;
        if raw.faults.len() > MAX_FAULTS {
            let text = format!("scenario {}: more than {MAX_FAULTS} faults", raw.name);
            return Err(Error::new(ErrorKind::Scenario, text));
        }
        let faults = raw.faults.into_iter().enumerate().map(|(i, fault)| {
            fault.check().map_err(|what| {
                let text = format!("scenario {}: fault {}: {what}", raw.name, i + 1);
                Error::new(ErrorKind::Scenario, text)
            })
        });
        Ok(Self { faults: faults.collect::<Result<_, _>>()?, name: raw.name, seed: raw.seed })
    }
}

/// A scenario that began.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    scenario: Scenario,
    start: Timestamp,
}

impl Faults {
    pub(crate) fn new(scenario: Scenario, start: Timestamp) -> Self {
        Self { scenario, start }
    }

    /// The first fault of a kind that goes on at a moment.
    pub(crate) fn active(&self, kind: FaultKind, now: Timestamp) -> Option<&Fault> {
        self.all_active(kind, now).next()
    }

    /// The first fault of a kind that goes on and strikes a chat.
    pub(crate) fn on_chat(&self, kind: FaultKind, now: Timestamp, chat: i64) -> Option<&Fault> {
        self.all_active(kind, now).find(|fault| fault.chat.is_none_or(|id| id == chat))
    }

    /// The first fault of a kind that goes on and strikes a symbol.
    pub(crate) fn on_symbol(&self, kind: FaultKind, now: Timestamp, name: &str) -> Option<&Fault> {
        let strikes = |fault: &&Fault| fault.symbol.as_ref().is_none_or(|symbol| symbol == name);
        self.all_active(kind, now).find(strikes)
    }

    fn all_active(&self, kind: FaultKind, now: Timestamp) -> impl Iterator<Item = &Fault> {
        let own = self.scenario.faults.iter().filter(move |fault| fault.kind == kind);
        own.filter(move |fault| fault.left(self.start, now).is_some())
    }

    /// How long the fault goes on.
    pub(crate) fn left(&self, fault: &Fault, now: Timestamp) -> Duration {
        fault.left(self.start, now).unwrap_or_default()
    }

    /// How often faults of a kind began until a moment. Who remembers the number knows whether one
    /// struck since.
    pub(crate) fn begun(&self, kind: FaultKind, now: Timestamp) -> u64 {
        let own = self.scenario.faults.iter().filter(|fault| fault.kind == kind);
        own.map(|fault| fault.begun(self.start, now)).sum()
    }

    /// When a fault of a kind began last; `None` where none did yet.
    pub(crate) fn last_begun(
        &self,
        kind: FaultKind,
        now: Timestamp,
    ) -> Option<(Timestamp, &Fault)> {
        let own = self.scenario.faults.iter().filter(|fault| fault.kind == kind);
        let begun = own.filter_map(|fault| Some((fault.last_begun(self.start, now)?, fault)));
        begun.max_by_key(|(at, _)| *at)
    }

    /// What the limits of a venue are multiplied by now, in thousandths.
    pub(crate) fn limit_factor(&self, venue: &str, now: Timestamp) -> u32 {
        let own = |fault: &&Fault| fault.venue.as_ref().is_none_or(|own| own == venue);
        let fault = self.all_active(FaultKind::LimitFactor, now).find(own);
        fault.map_or(1_000, |fault| fault.factor)
    }

    /// Whether a fault that strikes some of all strikes the one of this number: by the scenario's seed
    /// and the number alone.
    pub(crate) fn strikes(
        &self,
        kind: FaultKind,
        (number, now): (u64, Timestamp),
    ) -> Option<&Fault> {
        let drawn = mix(self.seed(), number, kind as u64);
        self.all_active(kind, now).find(|fault| drawn.is_multiple_of(fault.one_in))
    }

    fn seed(&self) -> u64 {
        self.scenario.seed
    }
}

impl Fault {
    fn begun(&self, start: Timestamp, now: Timestamp) -> u64 {
        let first = start.plus(self.at);
        if now < first {
            return 0;
        }
        let every = self.every.map_or(u128::MAX, |every| every.as_nanos().max(1));
        1 + (now.since(first).as_nanos() / every) as u64
    }

    fn last_begun(&self, start: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let times = self.begun(start, now).checked_sub(1)?;
        let every = self.every.map_or(0, |every| every.as_nanos());
        let since = u64::try_from(every * u128::from(times)).unwrap_or(u64::MAX);
        Some(start.plus(self.at).plus(Duration::from_nanos(since)))
    }

    /// How long this time goes on, `None` between times.
    fn left(&self, start: Timestamp, now: Timestamp) -> Option<Duration> {
        let first = start.plus(self.at);
        if now < first {
            return None;
        }
        let since = now.since(first);
        let into = match self.every {
            Some(every) => {
                Duration::from_nanos((since.as_nanos() % every.as_nanos().max(1)) as u64)
            }
            None => since,
        };
        self.length.checked_sub(into).filter(|left| !left.is_zero())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    #[serde(default = "own")]
    name: String,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    faults: Vec<RawFault>,
}

/// The name of a scenario whose file gives none.
fn own() -> String {
    "own".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    kind: FaultKind,
    at: String,
    every: Option<String>,
    #[serde(rename = "for")]
    length: Option<String>,
    symbol: Option<String>,
    chat: Option<i64>,
    one_in: Option<u64>,
    by: Option<String>,
    retry_after: Option<u32>,
    status: Option<u16>,
    venue: Option<String>,
    factor: Option<f64>,
    limit: Option<FaultLimit>,
}

impl RawFault {
    fn check(self) -> Result<Fault, String> {
        let (allowed, at_once) = (self.kind.keys(), self.kind.is_at_once());
        let given = [
            ("symbol", self.symbol.is_some()),
            ("chat", self.chat.is_some()),
            ("one_in", self.one_in.is_some()),
            ("by", self.by.is_some()),
            ("retry_after", self.retry_after.is_some()),
            ("status", self.status.is_some()),
            ("venue", self.venue.is_some()),
            ("factor", self.factor.is_some()),
            ("limit", self.limit.is_some()),
        ];
        let strange = given.iter().find(|(key, given)| *given && !allowed.contains(key));
        let strange = strange.map(|(key, _)| *key);
        if let Some(key) = strange.or((at_once && self.length.is_some()).then_some("for")) {
            return Err(format!("this kind has no key \"{key}\""));
        }
        let duration = |key: &str, text: Option<&String>, default: u64| match text {
            Some(text) => parse_duration(text).map_err(|error| format!("{key}: {error}")),
            None => Ok(Duration::from_secs(default)),
        };
        if self.length.is_none() && !at_once {
            return Err("how long? write for = \"20s\"".to_owned());
        }
        if self.one_in == Some(0) {
            return Err("one_in: 0 is no chance: write 1 for always".to_owned());
        }
        if self.status.is_some_and(|status| !(400..=599).contains(&status)) {
            return Err("status: write one of 400 to 599".to_owned());
        }
        let factor = self.factor.unwrap_or(0.5);
        if !(0.0..=1_000.0).contains(&factor) {
            return Err("factor: write a number from 0 to 1000".to_owned());
        }
        Ok(Fault {
            kind: self.kind,
            at: duration("at", Some(&self.at), 0)?,
            every: match &self.every {
                Some(_) => Some(duration("every", self.every.as_ref(), 0)?)
                    .filter(|every| !every.is_zero()),
                None => None,
            },
            length: duration("for", self.length.as_ref(), 0)?,
            symbol: self.symbol,
            chat: self.chat,
            one_in: self.one_in.unwrap_or(1),
            by: duration("by", self.by.as_ref(), 5)?,
            retry_after_s: self.retry_after.unwrap_or(5),
            status: self.status,
            venue: self.venue,
            factor: (factor * 1_000.0).round() as u32,
            limit: self.limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Faults {
        let text = format!("name = \"t\"\nseed = 1\n{text}");
        Faults::new(Scenario::parse(&text).unwrap(), Timestamp::EPOCH)
    }

    #[test]
    fn the_examples_read() {
        assert_eq!(Scenario::parse(Scenario::CALM).unwrap().faults, []);
        let rough = Scenario::parse(Scenario::ROUGH).unwrap();
        assert_eq!(rough.name, "rough");
        assert!(rough.faults.len() >= 12);
    }

    #[test]
    fn a_fault_comes_again_and_ends() {
        let faults =
            faults("[[faults]]\nkind = \"stall\"\nat = \"10s\"\nevery = \"60s\"\nfor = \"5s\"");
        let active = |ms| faults.active(FaultKind::Stall, Timestamp::from_millis(ms)).is_some();
        assert_eq!([9_999, 10_000, 14_999, 15_000].map(active), [false, true, true, false]);
        assert_eq!([69_999, 70_000, 75_000].map(active), [false, true, false]);
        let begun = |s| faults.begun(FaultKind::Stall, Timestamp::from_secs(s));
        assert_eq!([9, 10, 69, 70, 130].map(begun), [0, 1, 1, 2, 3]);
        assert_eq!(faults.begun(FaultKind::Gap, Timestamp::from_secs(70)), 0);
    }

    #[test]
    fn a_chat_can_be_struck_alone() {
        let faults =
            faults("[[faults]]\nkind = \"telegram_403\"\nat = \"0s\"\nfor = \"5s\"\nchat = 42");
        let struck =
            |chat| faults.on_chat(FaultKind::Telegram403, Timestamp::EPOCH, chat).is_some();
        assert!(struck(42) && !struck(43));
    }

    #[test]
    fn what_a_scenario_does_not_know_is_named() {
        let refused = |fault: &str| {
            let text = format!("name = \"x\"\n[[faults]]\n{fault}\n");
            let error = Scenario::parse(&text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Scenario);
            error.to_string()
        };
        assert!(
            refused("kind = \"stal\"\nat = \"1s\"").starts_with("scenario line 3: unknown variant")
        );
        let unknown = refused("kind = \"stall\"\nat = \"1s\"\nfor = \"1s\"\nduring = \"1s\"");
        assert!(unknown.contains("unknown field `during`"), "{unknown}");
        assert_eq!(
            refused("kind = \"stall\"\nat = \"1s\"\nfor = \"1s\"\nchat = 1"),
            "scenario x: fault 1: this kind has no key \"chat\""
        );
        assert!(refused("kind = \"stall\"\nat = \"1s\"").contains("how long?"));
        assert!(refused("kind = \"gap\"\nat = \"soon\"\nfor = \"1s\"").contains("at: \"soon\""));
        assert!(
            refused("kind = \"gap\"\nat = \"1s\"\nfor = \"1s\"\none_in = 0").contains("one_in")
        );
    }
}

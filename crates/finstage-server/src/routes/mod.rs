//! The table of routes. It is everything that can be asked: the router reads it, parameters are checked
//! by it, and the document of the API is made of it, so that they cannot disagree.

mod alerts;
mod backtests;
mod bars;
mod health;
mod indicators;
mod instruments;
mod news;
mod paging;
mod signals;
mod sources;
mod strategies;
mod system;
mod tasks;
mod verify;
mod watches;

use bytes::Bytes;

use crate::answer::Answer;
use crate::app::App;
use crate::guard::Purpose;
use crate::problem::Problem;
use crate::query::{Kind, Param, Query};

/// One thing that can be asked.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// With at most one `{id}`.
    pub(crate) path: &'static str,
    pub(crate) gate: Gate,
    pub(crate) summary: &'static str,
    pub(crate) params: &'static [Param],
    /// Name of the schema of the body, where there is one.
    pub(crate) body: Option<&'static str>,
    /// The kind of a good answer, and the name of its schema.
    pub(crate) gives: Gives,
    pub(crate) work: Work,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Anybody on this machine.
    Open,
    /// Who has the token or a session.
    Token,
}

/// What a good answer is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gives {
    /// JSON of this schema.
    Json(&'static str),
    /// A list with items of this schema.
    List(&'static str),
    /// Nothing but its status.
    Nothing,
    /// Text of this kind.
    Text(&'static str),
}

/// How an answer is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// From memory.
    Now(fn(&App, &Call) -> Result<Answer, Problem>),
    /// From the store, which may block.
    Store(fn(&App, &Call) -> Result<Answer, Problem>),
    /// From the store, kept until lists may have changed.
    Kept(fn(&App, &Call) -> Result<Answer, Problem>),
    /// It becomes a stream.
    Stream,
}

/// A request that passed every check.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    /// What stands for `{id}`.
    pub(crate) id: String,
    pub(crate) query: Query,
    pub(crate) body: Bytes,
}

/// The routes of a path.
pub(crate) struct Found {
    pub(crate) routes: Vec<&'static Route>,
    pub(crate) id: String,
}

const LIMIT: Param = Param::new("limit", Kind::Limit, "rows of a page, 50 where nothing is said");
const CURSOR: Param = Param::new("cursor", Kind::Cursor, "next_cursor of the page before");
const SYMBOL: Param = Param::new("symbol", Kind::Symbol, "the instrument, venue:SYMBOL");
const INTERVAL: Param = Param::new("interval", Kind::Interval, "length of the bars");
const VERDICTS: Kind = Kind::OneOf(&["verified", "unproven", "rejected", "withheld", "pending"]);

const STATES: &[&str] = &["waiting", "ready", "running", "done", "dead", "cancelled"];

const fn get(path: &'static str, summary: &'static str, gives: Gives, work: Work) -> Route {
    Route { method: "GET", path, gate: Gate::Token, summary, params: &[], body: None, gives, work }
}

impl Route {
    const fn taking(self, params: &'static [Param]) -> Self {
        Self { params, ..self }
    }

    const fn open(self) -> Self {
        Self { gate: Gate::Open, ..self }
    }

    const fn posting(self, body: Option<&'static str>) -> Self {
        Self { method: "POST", body, ..self }
    }

    pub(crate) fn purpose(&self) -> Purpose {
        match self.work {
            Work::Stream => Purpose::Stream,
            _ if self.path == "/" => Purpose::Page,
            _ => Purpose::Data,
        }
    }
}

/// Everything that can be asked.
// a table: one line for each thing that can be asked
pub(crate) static ROUTES: &[Route] = &[
    get(
        "/healthz",
        "Whether the process answers",
        Gives::Text("text/plain"),
        Work::Now(health::alive),
    )
    .open(),
    get(
        "/readyz",
        "Whether the service does its work",
        Gives::Json("Ready"),
        Work::Store(health::ready),
    ),
    get(
        "/metrics",
        "Counters for Prometheus",
        Gives::Text("text/plain"),
        Work::Store(health::metrics),
    ),
    get("/openapi.json", "This document", Gives::Json("Document"), Work::Now(sources::document)),
    get("/docs", "This document for people", Gives::Text("text/html"), Work::Now(sources::page)),
    get("/ws/realtime", "The stream: a WebSocket of JSON text", Gives::Nothing, Work::Stream),
    get(
        "/api/v1/instruments",
        "Instruments by name, those watched first",
        Gives::List("Instrument"),
        Work::Store(instruments::list),
    )
    .taking(&[
        Param::new("q", Kind::Text, "a part of a symbol or of an English or Korean name"),
        Param::new("watched", Kind::Flag, "only those that are, or are not, watched"),
        LIMIT,
        CURSOR,
    ]),
    get(
        "/api/v1/bars",
        "Stored bars, ascending; without from the newest; next_cursor goes to older ones",
        Gives::List("Bar"),
        Work::Store(bars::list),
    )
    .taking(&[
        SYMBOL.required(),
        INTERVAL.required(),
        Param::new(
            "from",
            Kind::Time,
            "bars that open at or after this moment; the page begins here",
        ),
        Param::new("to", Kind::Time, "bars that open before this moment"),
        LIMIT,
        CURSOR,
    ]),
    get("/api/v1/bars/series", "Stored series", Gives::List("Series"), Work::Store(bars::series))
        .taking(&[SYMBOL, LIMIT, CURSOR]),
    get(
        "/api/v1/indicators",
        "Indicators over the newest stored bars",
        Gives::Json("Indicators"),
        Work::Store(indicators::compute),
    )
    .taking(&[
        SYMBOL.required(),
        INTERVAL.required(),
        Param::new(
            "spec",
            Kind::Texts,
            "SMA(20), MACD(12,26,9): names and parameters as in TA-Lib",
        )
        .required(),
        LIMIT,
    ]),
    get(
        "/api/v1/prices",
        "The newest prices, of all that is watched where no symbol is named",
        Gives::List("Price"),
        Work::Now(instruments::prices),
    )
    .taking(&[Param::new("symbol", Kind::Symbols, "instruments, parted by commas")]),
    get(
        "/api/v1/signals",
        "Signals, newest first",
        Gives::List("Signal"),
        Work::Kept(signals::list),
    )
    .taking(&[
        SYMBOL,
        Param::new("strategy", Kind::Text, "a strategy's name, or its text with parameters"),
        Param::new("verdict", VERDICTS, "only with this verdict"),
        LIMIT,
        CURSOR,
    ]),
    get(
        "/api/v1/signals/{id}",
        "A signal with its card, outcomes, chart and alerts",
        Gives::Json("SignalPage"),
        Work::Store(signals::show),
    ),
    get(
        "/api/v1/signals/{id}/verify",
        "What can be recomputed about a signal, recomputed",
        Gives::Json("Verification"),
        Work::Store(verify::verify),
    )
    .posting(None),
    get(
        "/api/v1/strategies",
        "The catalogue, and where each strategy runs",
        Gives::List("Strategy"),
        Work::Store(strategies::list),
    )
    .taking(&[LIMIT, CURSOR]),
    get(
        "/api/v1/strategies/cards",
        "Evidence cards in force, the best verdicts first",
        Gives::List("Card"),
        Work::Kept(strategies::cards),
    )
    .taking(&[
        Param::new("verdict", Kind::OneOf(&["verified", "unproven", "rejected"]), "only these"),
        LIMIT,
        CURSOR,
    ]),
    get(
        "/api/v1/outcomes",
        "What became of signals, newest first",
        Gives::List("Outcome"),
        Work::Kept(signals::outcomes),
    )
    .taking(&[SYMBOL, Param::new("signal", Kind::Text, "id of a signal"), LIMIT, CURSOR]),
    get(
        "/api/v1/news",
        "Documents and how they sound, the newest first",
        Gives::List("News"),
        Work::Store(news::list),
    )
    .taking(&[
        SYMBOL,
        Param::new("since", Kind::Time, "documents that were seen at this moment or later"),
        LIMIT,
        CURSOR,
    ]),
    get(
        "/api/v1/track-record",
        "The chain of what was said: its end, whether it is whole, its statistics",
        Gives::Json("TrackRecord"),
        Work::Store(strategies::track_record),
    ),
    get(
        "/api/v1/alerts",
        "Alerts sent and withheld, newest first",
        Gives::List("Alert"),
        Work::Kept(alerts::list),
    )
    .taking(&[
        SYMBOL,
        Param::new(
            "status",
            Kind::OneOf(&["withheld", "kept", "queued", "delivered", "failed", "expired"]),
            "only with this status",
        ),
        LIMIT,
        CURSOR,
    ]),
    get(
        "/api/v1/watches",
        "Rules on prices alone",
        Gives::List("Watch"),
        Work::Store(watches::list),
    )
    .taking(&[LIMIT, CURSOR]),
    get(
        "/api/v1/watches",
        "Add a rule on a price",
        Gives::Json("Watch"),
        Work::Store(watches::add),
    )
    .posting(Some("NewWatch")),
    Route {
        method: "DELETE",
        ..get(
            "/api/v1/watches/{id}",
            "Take out a rule that was added",
            Gives::Nothing,
            Work::Store(watches::remove),
        )
    },
    get(
        "/api/v1/tasks",
        "What is to be done, is being done and was done, newest first",
        Gives::List("Task"),
        Work::Store(tasks::list),
    )
    .taking(&[
        Param::new("state", Kind::OneOf(STATES), "only in this state"),
        Param::new("type", Kind::Text, "only of this type"),
        LIMIT,
        CURSOR,
    ]),
    get(
        "/api/v1/tasks",
        "Submit a task; the same key again gives the task that is there",
        Gives::Json("Task"),
        Work::Store(tasks::submit),
    )
    .posting(Some("NewTask")),
    get("/api/v1/tasks/{id}", "A task", Gives::Json("Task"), Work::Store(tasks::show)),
    get(
        "/api/v1/tasks/{id}/cancel",
        "Call a task off, before it runs or while it does",
        Gives::Json("Task"),
        Work::Store(tasks::cancel),
    )
    .posting(None),
    get(
        "/api/v1/backtests",
        "Submit a backtest on stored bars; its result stands in the task",
        Gives::Json("Task"),
        Work::Store(backtests::submit),
    )
    .posting(Some("NewBacktest")),
    get(
        "/api/v1/schedules",
        "What runs by itself, and when next",
        Gives::List("Schedule"),
        Work::Store(tasks::schedules),
    )
    .taking(&[LIMIT, CURSOR]),
    get(
        "/api/v1/reports/daily",
        "The daily report",
        Gives::Json("Report"),
        Work::Store(system::report),
    )
    .taking(&[
        Param::new("date", Kind::Day, "the day; the last whole one where nothing is said"),
        Param::new("format", Kind::OneOf(&["json", "html", "text"]), "json where nothing is said"),
        Param::new(
            "lang",
            Kind::OneOf(&["en", "ko"]),
            "that of the settings where nothing is said",
        ),
    ]),
    get("/api/v1/system", "The service itself", Gives::Json("System"), Work::Store(system::show)),
    get(
        "/api/v1/logins",
        "A one-time link that opens the dashboard",
        Gives::Json("Login"),
        Work::Now(system::login),
    )
    .posting(None),
    Route {
        method: "DELETE",
        ..get("/api/v1/logins", "Sign out", Gives::Nothing, Work::Now(system::logout))
    },
];

/// The routes of a path, which is as it was sent.
pub(crate) fn find(path: &str) -> Option<Found> {
    let fits = |route: &&Route| route.path == path;
    let exact: Vec<&'static Route> = ROUTES.iter().filter(fits).collect();
    if !exact.is_empty() {
        return Some(Found { routes: exact, id: String::new() });
    }
    let mut found = Found { routes: Vec::new(), id: String::new() };
    for route in ROUTES {
        let Some((before, after)) = route.path.split_once("{id}") else { continue };
        let id = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        if let Some(id) = id.filter(|id| !id.is_empty() && !id.contains('/')) {
            found.id = id.to_owned();
            found.routes.push(route);
        }
    }
    (!found.routes.is_empty()).then_some(found)
}

/// Methods of these routes, as `Allow` lists them.
pub(crate) fn allowed(routes: &[&Route]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.method).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str) -> Vec<&'static str> {
        find(path).map_or(Vec::new(), |found| found.routes.iter().map(|route| route.path).collect())
    }

    #[test]
    fn a_path_leads_to_its_routes_and_to_no_others() {
        assert_eq!(paths("/api/v1/signals"), ["/api/v1/signals"]);
        assert_eq!(paths("/api/v1/signals/ab12"), ["/api/v1/signals/{id}"]);
        assert_eq!(paths("/api/v1/signals/ab12/verify"), ["/api/v1/signals/{id}/verify"]);
        assert_eq!(paths("/api/v1/strategies/cards"), ["/api/v1/strategies/cards"]);
        assert_eq!(paths("/api/v1/watches").len(), 2);
        for path in
            ["/api/v1/signals/", "/api/v1/signals/a/b", "/api/v1", "/api/v1/signals/../x", ""]
        {
            assert!(paths(path).is_empty(), "{path}");
        }
    }

    #[test]
    fn only_the_health_of_the_process_is_open() {
        let open = ROUTES.iter().filter(|route| route.gate == Gate::Open);
        assert_eq!(open.map(|route| route.path).collect::<Vec<_>>(), ["/healthz"]);
    }
}

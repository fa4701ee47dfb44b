//! The HTTP side: faults, limits, tokens, then the question.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use finstage_model::{Clock, Timestamp};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

use super::answer::Failure;
use super::keys::{Keys, Unfit, too_soon};
use super::listings::{Stock, domestic, overseas};
use super::overseas::Wanted;
use super::view::View;
use super::{about, domestic as seoul, master, overseas as new_york};
use crate::rng::mix;
use crate::sim::charts::Series;
use crate::sim::faults::{FaultKind, Faults};
use crate::sim::front::{Ask, Reply, nickname};
use crate::sim::ledger::{Ledger, Line, Outcome};
use crate::sim::rulebook::{Caller, Rulebook};

const DOMESTIC: &str = "/uapi/domestic-stock/v1/quotations/";
const FUNDS: &str = "/uapi/etfetn/v1/quotations/";
const OVERSEAS: &str = "/uapi/overseas-price/v1/quotations/";

/// What all requests and sessions share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) seed: u64,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) faults: Faults,
    pub(super) ledger: Arc<Ledger>,
    pub(super) keys: Mutex<Keys>,
    pub(super) book: Mutex<Rulebook>,
    pub(super) sessions: Mutex<super::stream::Sessions>,
    pub(super) stop: watch::Sender<bool>,
    /// Made when they are asked for.
    pub(super) charts: Mutex<BTreeMap<&'static str, Series>>,
    /// Calls that a token was good for.
    pub(super) calls: AtomicU64,
    pub(super) asked: AtomicU64,
}

pub(super) fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let ask = Ask::read(request).await;
    let now = shared.clock.now();
    if let Some(fault) = shared.faults.active(FaultKind::KisSlow, now) {
        sleep(fault.by).await;
    }
    let mut reply = shared.answer(&ask, shared.clock.now());
    let number = shared.asked.fetch_add(1, Ordering::Relaxed);
    let [a, b] = [1, 2].map(|part| mix(shared.seed, number, part));
    reply.headers.push(("gt_uid", format!("{a:016x}{b:016x}")));
    let weight = u32::from(ask.path.starts_with("/uapi/"));
    shared.enter(&ask.path, (weight, reply.status, reply.outcome), &key_of(&ask));
    reply.into_response()
}

/// Whom a request is counted for: the key in its headers or its body, never written as it is.
fn key_of(ask: &Ask) -> String {
    let in_header = ask.header("appkey");
    if !in_header.is_empty() {
        return nickname(in_header);
    }
    let body: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
    body["appkey"].as_str().map(nickname).unwrap_or_default()
}

impl Shared {
    pub(super) fn enter(
        &self,
        path: &str,
        (weight, status, outcome): (u32, u16, Outcome),
        who: &str,
    ) {
        let at = self.clock.now();
        self.ledger.enter(&Line { at, venue: "kis", path, weight, status, outcome, who });
    }

    fn answer(&self, ask: &Ask, now: Timestamp) -> Reply {
        if let Some(name) = ask.path.strip_prefix(master::FOLDER) {
            return match master::file(name) {
                Some(body) => Reply { media: "application/zip", body, ..Reply::page(200, "") },
                None => Reply::page(404, "<html><body>404 Not Found</body></html>"),
            };
        }
        let scripted = |kind| self.faults.active(kind, now);
        if let Some(fault) = scripted(FaultKind::KisHtml) {
            let page = "<html><head><title>502 Bad Gateway</title></head><body></body></html>";
            return Reply::page(fault.status.unwrap_or(502), page);
        }
        if scripted(FaultKind::KisEmpty).is_some() {
            return Reply::page(500, "");
        }
        match (ask.path.as_str(), &ask.method) {
            ("/oauth2/tokenP" | "/oauth2/revokeP" | "/oauth2/Approval", &Method::POST) => {
                self.authorize(ask, now)
            }
            ("/uapi/hashkey", &Method::POST) => self.hash(ask),
            (path, &Method::GET) if path.starts_with("/uapi/") => match self.quotation(ask, now) {
                Ok(body) => {
                    let is_list = body["output"].is_array() || body["output2"].is_array();
                    let more = if is_list { "D" } else { "" };
                    let mut reply = Reply::json(200, &body);
                    reply.headers.push(("tr_id", ask.header("tr_id").to_owned()));
                    reply.headers.push(("tr_cont", more.to_owned()));
                    reply
                }
                Err(failure) => failure.reply(),
            },
            (path, _) if path.starts_with("/uapi/") || path.starts_with("/oauth2/") => {
                Reply::page(405, "<html><body>405 Method Not Allowed</body></html>")
            }
            _ => Reply::page(404, "<html><body>404 Not Found</body></html>"),
        }
    }

    fn authorize(&self, ask: &Ask, now: Timestamp) -> Reply {
        let body: Value = serde_json::from_slice(&ask.body).unwrap_or_default();
        let mut keys = locked(&self.keys);
        match ask.path.as_str() {
            "/oauth2/revokeP" => keys.revoke(&body),
            "/oauth2/Approval" => keys.approve(&body),
            _ if self.faults.active(FaultKind::KisToken, now).is_some() => too_soon(),
            _ => keys.token(&body, (now, self.expired(now)), &mut locked(&self.book)),
        }
    }

    /// When a scenario ended all tokens last.
    fn expired(&self, now: Timestamp) -> Option<Timestamp> {
        self.faults.last_begun(FaultKind::KisExpire, now).map(|(at, _)| at)
    }

    fn hash(&self, ask: &Ask) -> Reply {
        let Ok(body) = serde_json::from_slice::<Value>(&ask.body) else {
            return Failure::gateway(500, "EGW00002", "서버 에러가 발생했습니다.").reply();
        };
        let text = body.to_string();
        let sum = text.bytes().fold(self.seed, |sum, byte| mix(sum, byte.into(), 9));
        let hash: String = (0..4).map(|part| format!("{:016x}", mix(sum, part, 10))).collect();
        Reply::json(200, &serde_json::json!({"BODY": body, "HASH": hash}))
    }

    fn quotation(&self, ask: &Ask, now: Timestamp) -> Result<Value, Failure> {
        let appkey = ask.header("appkey");
        {
            let mut book = locked(&self.book);
            book.set_factor(self.faults.limit_factor("kis", now));
            let is_admitted =
                book.admit(now, &Caller::of_key(appkey), &[("calls", 1)]).is_admitted();
            if !is_admitted || self.faults.active(FaultKind::KisLimit, now).is_some() {
                return Err(Failure::too_many_calls());
            }
        }
        let token = ask.header("authorization");
        let token = token.strip_prefix("Bearer ").unwrap_or_default().trim();
        let presented = (token, appkey, ask.header("appsecret"));
        locked(&self.keys).verify(presented, (now, self.expired(now))).map_err(|unfit| {
            let (code, words) = match unfit {
                Unfit::Expired => ("EGW00123", "기간이 만료된 token 입니다."),
                Unfit::Unknown => ("EGW00121", "유효하지 않은 token 입니다."),
                Unfit::NotItsKey => {
                    ("EGW00304", "고객식별키(personalSeckey) 또는 appsecret 검증에 실패하였습니다.")
                }
            };
            Failure::gateway(500, code, words)
        })?;
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(fault) = self.faults.active(FaultKind::KisIgw, now) {
            return Err(Failure::unreachable(fault.status.unwrap_or(500)));
        }
        if let Some(fault) = self.faults.strikes(FaultKind::KisError, (number, now)) {
            return Err(Failure::unreachable(fault.status.unwrap_or(500)));
        }
        let symbol = ["fid_input_iscd", "pdno", "symb"].map(|name| ask.param(name)).concat();
        if let Some(fault) = self.faults.on_symbol(FaultKind::KisFail, now, &symbol) {
            return Err(fault.status.map_or_else(Failure::unknown_symbol, Failure::unreachable));
        }
        self.dispatch(ask, now)
    }

    fn dispatch(&self, ask: &Ask, now: Timestamp) -> Result<Value, Failure> {
        let wrong = || Failure::business("OPSQ0002", "없는 서비스 코드 입니다.");
        let tr = ask.header("tr_id");
        if let Some(name) = ask.path.strip_prefix(OVERSEAS) {
            return match (name, tr) {
                ("price", "HHDFS00000300") => self.abroad(ask, (Wanted::Price, now)),
                ("price-detail", "HHDFS76200200") => self.abroad(ask, (Wanted::Detail, now)),
                ("dailyprice", "HHDFS76240000") => self.abroad(ask, (Wanted::Daily, now)),
                _ => Err(wrong()),
            };
        }
        let name = ask.path.strip_prefix(DOMESTIC).or_else(|| ask.path.strip_prefix(FUNDS));
        match (name.unwrap_or_default(), tr) {
            ("search-info", "CTPF1604R") => about::product_info(ask),
            ("search-stock-info", "CTPF1002R") => about::stock_info(ask),
            ("chk-holiday", "CTCA0903R") => about::calendar(ask),
            (name, tr) => {
                let stock = listed(ask)?;
                let answer = self.look(stock, now, |view| {
                    Some(match (name, tr) {
                        ("inquire-price", "FHKST01010100") => seoul::price(view),
                        ("inquire-price", "FHPST02400000") => seoul::fund_price(view),
                        ("inquire-ccnl", "FHKST01010300") => seoul::last_trades(view),
                        ("inquire-asking-price-exp-ccn", "FHKST01010200") => seoul::book(view),
                        ("inquire-daily-itemchartprice", "FHKST03010100") => {
                            let holes = self.faults.active(FaultKind::KisHoles, now);
                            seoul::chart(view, ask, holes.is_some())
                        }
                        ("inquire-time-itemchartprice", "FHKST03010200") => {
                            seoul::minutes_today(view, ask)
                        }
                        ("inquire-time-dailychartprice", "FHKST03010230") => {
                            seoul::minutes_past(view, ask)
                        }
                        _ => return None,
                    })
                });
                answer.unwrap_or_else(|| Err(wrong()))
            }
        }
    }

    fn abroad(&self, ask: &Ask, (wanted, now): (Wanted, Timestamp)) -> Result<Value, Failure> {
        let (exchange, code) = (ask.param("excd"), ask.param("symb"));
        if exchange.is_empty() || code.is_empty() {
            return Err(Failure::missing(if code.is_empty() { "symb" } else { "excd" }));
        }
        let Some(stock) = overseas(exchange, code) else { return Ok(new_york::nothing(wanted)) };
        self.look(stock, now, |view| match wanted {
            Wanted::Price => new_york::price(view),
            Wanted::Detail => new_york::detail(view),
            Wanted::Daily => new_york::daily(view, ask),
        })
    }

    /// Looks at a symbol as it is at a moment.
    pub(super) fn look<T>(
        &self,
        stock: Stock,
        now: Timestamp,
        look: impl FnOnce(&View<'_>) -> T,
    ) -> T {
        let mut charts = locked(&self.charts);
        let series = charts
            .entry(stock.listing.symbol)
            .or_insert_with(|| Series::new(stock.listing, self.seed));
        series.reach(now.secs());
        look(&View { stock, series, now: now.secs() })
    }
}

/// The symbol of Seoul that is asked for, on a market that is known.
fn listed(ask: &Ask) -> Result<Stock, Failure> {
    for name in ["fid_cond_mrkt_div_code", "fid_input_iscd"] {
        if ask.param(name).is_empty() {
            return Err(Failure::missing(name));
        }
    }
    if !["J", "NX", "UN"].contains(&ask.param("fid_cond_mrkt_div_code")) {
        return Err(Failure::malformed("fid_cond_mrkt_div_code"));
    }
    domestic(ask.param("fid_input_iscd")).ok_or_else(Failure::unknown_symbol)
}

//! Sessions: registrations in, acknowledgements, PINGPONG and records out.
//!
//! A session belongs to the appkey behind the approval key of its first message, and a key has one session.
//! Beats are real time, as network deadlines are; what is told is what was traded by the venue's clock since
//! the beat before. Records of one symbol travel together, at most [`RECORDS_A_FRAME`] in a frame.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use finstage_model::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::clock;
use super::listings::{Stock, domestic};
use super::server::{Shared, locked};
use super::view::Trade;
use super::wire::{self, Beside};
use crate::rng::mix;
use crate::sim::faults::FaultKind;
use crate::sim::front::{nickname, stopped};
use crate::sim::ledger::Outcome;

/// Registrations of one session.
pub const MAX_REGISTRATIONS: usize = 41;
/// How often PINGPONG is sent, of real time.
pub const PINGPONG_EVERY: Duration = Duration::from_secs(10);
/// Within which time it must come back, of real time.
pub const PINGPONG_WITHIN: Duration = Duration::from_secs(30);
/// How often records are sent, of real time.
const BEAT: Duration = Duration::from_millis(250);
/// The most records of a frame; their number has three digits.
const RECORDS_A_FRAME: usize = 20;
/// The most trades of one symbol that a beat tells; more are left out, as by a venue under load.
const TRADES_A_BEAT: usize = 400;
/// The largest message of a client.
const MAX_MESSAGE_BYTES: usize = 16 * 1_024;
/// A client that does not take a frame in this time is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Which session each key has, or had: a session that broke off stays for a while.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    held: BTreeMap<String, (u64, Option<Timestamp>)>,
    opened: u64,
}

impl Sessions {
    /// Takes a key for a session, unless another one has it.
    fn take(&mut self, key: &str, (id, now): (u64, Timestamp)) -> bool {
        self.held.retain(|_, (_, until)| until.is_none_or(|until| until > now));
        self.held.entry(key.to_owned()).or_insert((id, None)).0 == id
    }

    /// Lets a key go, at once or at a moment.
    fn leave(&mut self, id: u64, until: Option<Timestamp>) {
        match until {
            None => self.held.retain(|_, (own, _)| *own != id),
            Some(_) => {
                let own = self.held.values_mut().filter(|(own, _)| *own == id);
                own.for_each(|held| held.1 = until);
            }
        }
    }
}

pub(super) async fn open(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    shared.enter("/tryitout", (0, 101, Outcome::Ok), "");
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .on_upgrade(move |socket| Session::serve(shared, socket))
}

/// Which records are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    Trades,
    Book,
}

impl Topic {
    fn named(tr: &str) -> Option<Self> {
        match tr {
            "H0STCNT0" => Some(Self::Trades),
            "H0STASP0" => Some(Self::Book),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Registration {
    topic: Topic,
    stock: Stock,
    /// The second up to which trades were told.
    told: i64,
}

/// Why a session ends.
enum End {
    /// The other side went, or the venue drops the connection without a word.
    Gone,
    /// It broke off, and its key stays in use until then.
    Broken(Timestamp),
    Close(&'static str),
}

#[derive(Debug)]
struct Session {
    shared: Arc<Shared>,
    socket: WebSocket,
    id: u64,
    registered: Vec<Registration>,
    /// Faults that had begun before it did.
    drops: u64,
    /// When the oldest PINGPONG that did not come back was sent.
    unanswered: Option<Instant>,
}

impl Session {
    async fn serve(shared: Arc<Shared>, socket: WebSocket) {
        let drops = shared.faults.begun(FaultKind::KisDrop, shared.clock.now());
        let id = {
            let mut sessions = locked(&shared.sessions);
            sessions.opened += 1;
            sessions.opened
        };
        let registered = Vec::new();
        let mut session = Self { shared, socket, id, registered, drops, unanswered: None };
        let end = session.run().await;
        let until = if let End::Broken(until) = end { Some(until) } else { None };
        locked(&session.shared.sessions).leave(id, until);
        if let End::Close(reason) = end {
            let frame = axum::extract::ws::CloseFrame { code: 1000, reason: reason.into() };
            // Whoever went in between needs no goodbye.
            let _ = timeout(WRITE_WITHIN, session.socket.send(Message::Close(Some(frame)))).await;
        }
    }

    async fn run(&mut self) -> End {
        let now = Instant::now();
        let mut beat = interval_at(now + BEAT, BEAT);
        let mut ping = interval_at(now + PINGPONG_EVERY, PINGPONG_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = self.shared.stop.subscribe();
        loop {
            let is_silent = self.is_struck(FaultKind::KisSilent);
            let result = tokio::select! {
                message = self.socket.recv(), if !is_silent => match message {
                    Some(Ok(Message::Text(text))) => self.receive(&text).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
                    Some(Ok(_)) => Ok(()),
                },
                _ = beat.tick() => self.beat().await,
                _ = ping.tick() => self.ping().await,
                () = stopped(&mut stop) => Err(End::Close("going away")),
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    fn is_struck(&self, kind: FaultKind) -> bool {
        self.shared.faults.active(kind, self.shared.clock.now()).is_some()
    }

    async fn write(&mut self, text: String) -> Result<(), End> {
        match timeout(WRITE_WITHIN, self.socket.send(Message::Text(text.into()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.unanswered.is_some_and(|sent| sent.elapsed() >= PINGPONG_WITHIN) {
            return Err(End::Gone);
        }
        if self.is_struck(FaultKind::KisSilent) {
            return Ok(());
        }
        let now = self.shared.clock.now().secs();
        let datetime = clock::day(clock::day_in_seoul(now)) + &clock::time_in_seoul(now);
        self.unanswered.get_or_insert_with(Instant::now);
        let text = json!({"header": {"tr_id": "PINGPONG", "datetime": datetime}}).to_string();
        self.write(text).await
    }

    /// Tells what was traded since the beat before.
    async fn beat(&mut self) -> Result<(), End> {
        let now = self.shared.clock.now();
        if let Some((at, fault)) = self.shared.faults.last_begun(FaultKind::KisDrop, now)
            && self.shared.faults.begun(FaultKind::KisDrop, now) > self.drops
        {
            return Err(End::Broken(at.plus(fault.by)));
        }
        if self.is_struck(FaultKind::KisSilent) || self.is_struck(FaultKind::KisMute) {
            // What happens meanwhile is lost, not kept.
            self.registered.iter_mut().for_each(|own| own.told = now.secs());
            return Ok(());
        }
        for place in 0..self.registered.len() {
            for frame in self.frames(place, now) {
                self.write(frame).await?;
            }
        }
        Ok(())
    }

    fn frames(&mut self, place: usize, now: Timestamp) -> Vec<String> {
        let Registration { topic, stock, told } = &mut self.registered[place];
        let (topic, stock, since) = (*topic, *stock, std::mem::replace(told, now.secs()));
        self.shared.look(stock, now, |view| {
            let mut newest = view.trades(TRADES_A_BEAT);
            let Some(beside) = Beside::of(view) else { return Vec::new() };
            newest.retain(|trade| trade.at > since);
            match topic {
                Topic::Trades => {
                    let mut sum = beside.volume;
                    let with_sum = |trade: Trade| {
                        let so_far = sum;
                        sum -= trade.quantity;
                        (trade, so_far)
                    };
                    let mut told: Vec<(Trade, i64)> = newest.into_iter().map(with_sum).collect();
                    told.reverse();
                    let frames = told.chunks(RECORDS_A_FRAME);
                    frames.map(|records| wire::trades(&beside, records)).collect()
                }
                Topic::Book if newest.is_empty() => Vec::new(),
                Topic::Book => wire::book(&beside, view).into_iter().collect(),
            }
        })
    }

    async fn receive(&mut self, text: &str) -> Result<(), End> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let header = &message["header"];
        if header["tr_id"] == "PINGPONG" {
            self.unanswered = None;
            return Ok(());
        }
        let input = &message["body"]["input"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (tr, code) = (text(&input["tr_id"]), text(&input["tr_key"]));
        if !header.is_object() {
            let words = "JSON PARSING ERROR : header not found";
            return self.refuse("9", ("OPSP9999", words)).await;
        }
        let key = text(&header["approval_key"]);
        let appkey = locked(&self.shared.keys).approved(&key).map(str::to_owned);
        let Some(appkey) = appkey else {
            return self.refuse("9", ("OPSP0011", "invalid approval : NOT FOUND")).await;
        };
        let now = self.shared.clock.now();
        if !locked(&self.shared.sessions).take(&appkey, (self.id, now)) {
            self.refuse("9", ("OPSP8996", "ALREADY IN USE appkey")).await?;
            self.shared.enter("/tryitout", (0, 403, Outcome::Refused), &nickname(&appkey));
            return Err(End::Close("ALREADY IN USE appkey"));
        }
        let (rt_cd, said) = self.register(&text(&header["tr_type"]), (&tr, &code), now);
        let mut body = json!({"rt_cd": rt_cd, "msg_cd": said.0, "msg1": said.1});
        if said.0 == "OPSP0000" {
            body["output"] = self.cipher(&tr);
        }
        let header = json!({"tr_id": tr, "tr_key": code, "encrypt": "N"});
        self.write(json!({"header": header, "body": body}).to_string()).await
    }

    async fn refuse(&mut self, rt_cd: &str, said: (&str, &str)) -> Result<(), End> {
        let header = json!({"tr_id": "(null)", "tr_key": "", "encrypt": "N"});
        let body = json!({"rt_cd": rt_cd, "msg_cd": said.0, "msg1": said.1});
        self.write(json!({"header": header, "body": body}).to_string()).await
    }

    /// Registers or ends a registration; what the venue says to it.
    fn register(
        &mut self,
        kind: &str,
        (tr, code): (&str, &str),
        now: Timestamp,
    ) -> (&'static str, (&'static str, &'static str)) {
        let Some((topic, stock)) = Topic::named(tr).zip(domestic(code)) else {
            return ("1", ("OPSP9999", "invalid tr_key"));
        };
        let is_own = |own: &Registration| own.topic == topic && own.stock.code == code;
        let place = self.registered.iter().position(is_own);
        match (kind, place) {
            ("1", Some(_)) => ("1", ("OPSP0002", "ALREADY IN SUBSCRIBE")),
            ("1", None) if self.registered.len() >= MAX_REGISTRATIONS => {
                ("1", ("OPSP0008", "MAX SUBSCRIBE OVER"))
            }
            ("1", None) => {
                self.registered.push(Registration { topic, stock, told: now.secs() });
                ("0", ("OPSP0000", "SUBSCRIBE SUCCESS"))
            }
            ("2", Some(place)) => {
                self.registered.remove(place);
                ("0", ("OPSP0001", "UNSUBSCRIBE SUCCESS"))
            }
            ("2", None) => ("1", ("OPSP0003", "UNSUBSCRIBE ERROR(not found!)")),
            _ => ("1", ("OPSP0007", "SUBSCRIBE INTERNAL ERROR")),
        }
    }

    /// What encrypted records would be read with; it is said for all.
    fn cipher(&self, tr: &str) -> Value {
        let draw = |part: u64| mix(self.shared.seed ^ self.id, part, tr.len() as u64);
        let letter = |part: u64| char::from(b'a' + (draw(100 + part) % 26) as u8);
        let key: String = (0..32).map(letter).collect();
        json!({"iv": format!("{:016x}", draw(1)), "key": key})
    }
}

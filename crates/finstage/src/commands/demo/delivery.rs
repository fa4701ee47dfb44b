//! Delivery in virtual time: the same outbox, renderer and messenger as ever, without waiting for
//! the messenger's pace: its clock is moved on instead.

use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::telegram::{Chats, TelegramOptions, TelegramSim};
use finstage_model::{Clock as _, ManualClock, Position, Timestamp};
use finstage_net::{Client, retry_after};
use finstage_notify::{Accepted, Delivery, Notifier, Outgoing, Reply};
use finstage_store::records::{Leased, Records};
use tokio::runtime::Runtime;

use super::plan::{CHAT, TOKEN};
use super::tally::Shown;
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

/// How far the messenger's clock is moved on after each message: just slower than it allows.
const PACE: Duration = Duration::from_millis(1_100);
/// What only messages about proven signals say.
const PROVEN: &str = "this signal is VERIFIED";
/// A lease in virtual time; nobody else delivers.
const LEASE: Duration = Duration::from_secs(60);

/// A simulated messenger in virtual time.
pub(super) struct Messenger {
    runtime: Runtime,
    sim: TelegramSim,
    clock: Arc<ManualClock>,
    client: Client,
}

impl Messenger {
    pub(super) fn start(at: Timestamp) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let clock = Arc::new(ManualClock::new(at));
        let entered = runtime.enter();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let options = TelegramOptions {
            clock: Arc::clone(&clock) as _,
            faults: Scenario::default(),
            ledger: Arc::new(Ledger::in_memory()),
            listener,
            tokens: vec![TOKEN.into()],
            chats: Chats::Only(vec![CHAT]),
        };
        let sim = TelegramSim::start(options).map_err(|e| Failure::new(Exit::Remote, e))?;
        drop(entered);
        Ok(Self { runtime, sim, clock, client: wiring::client()? })
    }

    pub(super) fn url(&self) -> String {
        self.sim.url()
    }

    /// The newest message about a signal that is proven; without one, the newest of all.
    pub(super) fn last_message(&self) -> Option<Shown> {
        let mut messages = self.sim.messages();
        let proven = messages.iter().rposition(|message| message.text.contains(PROVEN));
        let shown = proven.unwrap_or(messages.len().checked_sub(1)?);
        let message = messages.swap_remove(shown);
        Some(Shown::Message { at: message.at, text: message.text })
    }

    /// Delivers everything that waits in the outbox, each at the moment it was said.
    pub(super) fn deliver(&self, notifiers: &[Arc<dyn Notifier>], records: &Records) -> Result<()> {
        for notifier in notifiers {
            while let Some(leased) = records.outbox_lease(
                notifier.name(),
                Timestamp::MAX,
                LEASE,
                Position::from_i64(i64::MAX),
            )? {
                let at = leased.item.said_at().max(self.clock.now());
                self.clock.set(at);
                let receipt = self.runtime.block_on(self.carry(notifier.as_ref(), &leased));
                match receipt {
                    Ok(receipt) => {
                        records.outbox_delivered(leased.row, leased.fence, at, &receipt)?;
                    }
                    Err(reason) => records.outbox_failed(leased.row, leased.fence, at, &reason)?,
                }
            }
        }
        Ok(())
    }

    async fn carry(&self, notifier: &dyn Notifier, leased: &Leased) -> Result<String, String> {
        let mut receipt = String::new();
        for part in notifier.render(&leased.item, &Delivery::FIRST) {
            let Outgoing::Http(request) = part else { continue };
            let response = self.client.send(&request).await.map_err(|e| e.to_string())?;
            let reply = Reply {
                status: response.status,
                retry_after: retry_after(&response, self.clock.now()),
                body: &response.body,
            };
            self.clock.advance(PACE);
            match notifier.accepted(&reply) {
                Accepted::Delivered(id) => receipt = id,
                other => return Err(format!("{other:?}")),
            }
        }
        Ok(receipt)
    }
}

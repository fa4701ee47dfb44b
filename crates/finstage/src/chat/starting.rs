//! The bots of a running service.

use std::sync::Arc;

use finstage_net::Client;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::{ChatBot, Counter};
use crate::day::House;
use crate::exit::Result;
use crate::monitor::Monitor;
use crate::service::Plan;
use crate::wiring;

/// Starts the bots that answer in chats that may command.
///
/// # Errors
/// Exit 2 when a token is none.
pub(crate) fn start(
    (plan, house, monitor): (&Plan, &House, &Arc<Monitor>),
    client: &Client,
    (wake, quit): (&Arc<Notify>, &watch::Receiver<bool>),
) -> Result<Vec<JoinHandle<()>>> {
    let settings = &plan.settings;
    let counter = Counter {
        records: house.records.clone(),
        history: house.history.clone(),
        clock: Arc::clone(&plan.clock),
        engine: house.settings.clone(),
        thresholds: settings.thresholds.clone(),
        watched: house.instruments.iter().map(|one| one.symbol.clone()).collect(),
        report: settings.report,
        monitor: Arc::clone(monitor),
        template: wiring::template(settings)?,
    };
    let start = |(bot, number, chats)| {
        let (counter, client, wake) = (counter.clone(), client.clone(), Arc::clone(wake));
        ChatBot { bot, number, chats, counter, client, wake }.start(quit.clone())
    };
    Ok(wiring::bots(settings)?.into_iter().map(start).collect())
}

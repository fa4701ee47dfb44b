//! `finstage alerts test`

use std::sync::Arc;

use finstage_model::{Alert, AlertId, AlertKind, Clock, Decision, IdHasher, Price};
use finstage_net::SystemClock;
use finstage_notify::{Courier, Notifier, Progress, Repeat, Sending};
use finstage_store::records::Item;
use serde_json::{Value, json};

use super::super::serve::stderr_lines;
use super::super::{load, print_line};
use crate::cli::{AlertTest, Global};
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

/// How a channel took it.
struct Outcome {
    name: String,
    result: Result<(), Refusal>,
}

/// Why a channel did not take it.
struct Refusal {
    reason: String,
    exit: Exit,
}

pub(super) fn run(global: &Global, args: &AlertTest) -> Result<Exit> {
    let loaded = load(global)?;
    let all = wiring::notifiers(&loaded.settings)?;
    let names: Vec<String> = all.iter().map(|one| one.name().to_owned()).collect();
    // All of a kind, where none is called so.
    let is_kind = |wanted: &str, name: &str| {
        let kind = name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-'));
        kind && !names.iter().any(|name| name == wanted)
    };
    let is_wanted = |one: &Arc<dyn Notifier>| {
        let name = one.name();
        args.notify.as_deref().is_none_or(|wanted| wanted == name || is_kind(wanted, name))
    };
    let wanted: Vec<Arc<dyn Notifier>> = all.into_iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let typed = args.notify.as_deref().unwrap_or_default();
        let names = names.join(", ");
        return Err(Failure::usage(format!("--notify {typed}: the channels are {names}")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcomes = runtime.block_on(send(wanted))?;
    for outcome in &outcomes {
        let line = if global.json { object(outcome).to_string() } else { text(outcome) };
        print_line(&line)?;
    }
    let refused = outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err());
    let exits: Vec<Exit> = refused.map(|refusal| refusal.exit).collect();
    match exits[..] {
        [] => Ok(Exit::Done),
        _ if exits.contains(&Exit::Auth) => Ok(Exit::Auth),
        _ => Ok(Exit::Remote),
    }
}

async fn send(notifiers: Vec<Arc<dyn Notifier>>) -> Result<Vec<Outcome>> {
    let client = wiring::client()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let item = Item::from(alert(&*clock));
    let mut outcomes = Vec::new();
    for notifier in notifiers {
        let name = notifier.name().to_owned();
        let lines = stderr_lines();
        let mut courier = Courier::new(notifier, client.clone(), lines, Arc::clone(&clock));
        let result = match courier.send(&item, Progress::new(Repeat::No)).await {
            Sending::Delivered { .. } => Ok(()),
            Sending::Later(later) | Sending::Refused(later) => Err(refusal(later.reason)),
            Sending::Rejected { reason, .. } => Err(refusal(reason)),
        };
        outcomes.push(Outcome { name, result });
    }
    Ok(outcomes)
}

/// An alert that says that it is none.
fn alert(clock: &dyn Clock) -> Alert {
    let now = clock.now();
    Alert {
        id: AlertId(IdHasher::new().text("test").number(now.nanos()).finish()),
        kind: AlertKind::Watch { base: Price::from_nanos(0) },
        symbol: "test:TEST".parse().expect("a symbol of its own"),
        rule: "test".into(),
        words: "This is a test of finstage: nothing happened at any market.".into(),
        price: Price::from_nanos(0),
        currency: None,
        at: now,
        said_at: now,
        data_age_ms: 0,
        decision: Decision::Send,
    }
}

/// The services say in their status what an answer is about; notifiers put it into the reason.
fn refusal(reason: String) -> Refusal {
    let says = |status: &str| reason.contains(&format!("answered {status}"));
    let is_telegram = reason.starts_with("telegram ");
    let is_auth = says("401") || (says("403") && !is_telegram) || (says("404") && is_telegram);
    Refusal { reason, exit: if is_auth { Exit::Auth } else { Exit::Remote } }
}

fn text(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(()) => format!("ok    {}: a test alert was delivered", outcome.name),
        Err(refusal) => format!("fail  {}: {}", outcome.name, refusal.reason),
    }
}

fn object(outcome: &Outcome) -> Value {
    json!({
        "notifier": outcome.name,
        "status": if outcome.result.is_ok() { "delivered" } else { "failed" },
        "reason": outcome.result.as_ref().err().map(|refusal| &refusal.reason),
    })
}

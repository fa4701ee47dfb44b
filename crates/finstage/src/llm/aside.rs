//! A model that is asked beside other work: news, alerts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finstage_llm::providers::Scripted;
use finstage_llm::{AskOptions, Asker, CHAT, Done, End, Endpoint, Halt, Left, Row};
use finstage_model::Clock;
use finstage_store::Records;
use serde_json::{Map, Value};

use super::{Keeper, Wanted, base, endpoint, endpoint_of, prices};
use crate::config::settings::LlmSettings;
use crate::exit::{Failure, Result};

/// What a model is asked for.
pub(crate) struct Purpose {
    /// What its spending is called in the ledger, and in logs.
    pub(crate) job: &'static str,
    /// The setting that asks for it.
    pub(crate) setting: &'static str,
    /// The longest that one answer may take: the work waits.
    pub(crate) attempt: Duration,
    /// What is said in the log where no answer comes.
    pub(crate) without: &'static str,
    /// Who answers where the settings name `scripted`.
    pub(crate) script: fn() -> Scripted,
}

/// The model of the settings, asked for one purpose.
#[derive(Debug)]
pub(crate) struct Aside {
    asker: Asker,
    pub(crate) model: String,
    job: &'static str,
    without: &'static str,
    keeper: Arc<Keeper>,
}

impl Aside {
    /// Refuses settings by which nobody can be asked.
    ///
    /// # Errors
    /// Exit 2 when no model is named, 4 when there is no key.
    pub(crate) fn check(settings: &LlmSettings, purpose: &Purpose) -> Result<()> {
        named(settings, purpose)?;
        asked_at(settings, purpose).map(drop)
    }

    /// What it costs and answers is kept in the store.
    ///
    /// # Errors
    /// Exit 2 when no model is named, 4 when there is no key, 6 when the store cannot be opened.
    pub(crate) fn new(
        settings: &LlmSettings,
        purpose: &Purpose,
        store: (Records, &Path),
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let Purpose { job, without, .. } = *purpose;
        let model = named(settings, purpose)?;
        let ledger = (job, base(settings, &Wanted::default()));
        let keeper = Arc::new(Keeper::over(store, ledger, settings.cache, clock)?);
        let options = AskOptions {
            answers: keeper.answers(),
            prices: Some(Arc::new(prices(settings)?)),
            accounts: Some(keeper.accounts()),
            ..AskOptions::default()
        };
        let asker = Asker::new(asked_at(settings, purpose)?, options).map_err(Failure::usage)?;
        Ok(Self { asker, model, job, without, keeper })
    }

    /// The text of an answer; `None` where there is none, or the process is about to end.
    pub(crate) async fn ask(&self, custom_id: String, body: Map<String, Value>) -> Option<String> {
        let row = Row { line: 0, custom_id, url: CHAT.to_owned(), body };
        let reply = match self.asker.ask(row, &Halt::default()).await {
            Left::Done(Done { end: End::Answered(reply), .. }) => reply,
            Left::Done(Done { end: End::Failed(why), .. }) => {
                tracing::warn!(code = why.code, why = why.message, "{}", self.without);
                return None;
            }
            Left::NotDone(_) => return None,
        };
        let text = reply.body.pointer("/choices/0/message/content").and_then(Value::as_str);
        Some(text.unwrap_or_default().to_owned())
    }

    /// Puts answers and their price on the disk; what goes wrong is logged.
    pub(crate) async fn keep(&self) {
        let keeper = Arc::clone(&self.keeper);
        match tokio::task::spawn_blocking(move || keeper.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("what {} cost is not kept: {error}", self.job),
            Err(error) => tracing::warn!("keeping what {} cost: {error}", self.job),
        }
    }
}

fn named(settings: &LlmSettings, purpose: &Purpose) -> Result<String> {
    settings.model.clone().ok_or_else(|| {
        Failure::usage(format!("{}: no model is named: write model in [llm]", purpose.setting))
    })
}

fn asked_at(settings: &LlmSettings, purpose: &Purpose) -> Result<Endpoint> {
    let Purpose { attempt, script, .. } = *purpose;
    let wanted = Wanted { timeout: Some(attempt), deadline: Some(attempt), ..Wanted::default() };
    match settings.provider {
        "scripted" => endpoint_of(settings, wanted, Arc::new(script())),
        _ => endpoint(settings, wanted),
    }
}

//! One local address for programs in any language: `/gateway/openai/v1/*` and read-only `/gateway/VENUE/*`.
//!
//! What passes goes through what the house uses itself: the limits, retries and breakers of `net`, the money of
//! `llm`. Keys stay here: of a program's headers only those leave that belong to its question.

mod clients;
mod ledger;
mod meter;
mod money;
mod openai;
mod passing;
mod refusal;
mod venues;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use finstage_feeds::Public;
use finstage_feeds::venues as known;
use finstage_model::Clock;
use finstage_net::Remote;
use finstage_server::{Annex, Asked, Given};
use finstage_store::records::Records;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use self::clients::Clients;
use self::ledger::Ledger;
use self::openai::MAX_FILE_BYTES;
use self::openai::Models;
use self::refusal::{Refusal, Style};
use self::venues::{Gate, Lasting};
use crate::config::settings::Settings;
use crate::exit::{Exit, Result};
use crate::venues::{Door, Doors, Means};

/// Where everything of it is.
pub const PATH: &str = "/gateway";
/// Where questions to models go.
const OPENAI: &str = "openai";
/// The most bytes of a question.
const MAX_BODY_BYTES: usize = 16 << 20;

/// The gateway of a process.
#[derive(Debug)]
pub struct Gateway {
    clients: Clients,
    /// Which venues can be asked.
    names: Vec<&'static str>,
    /// Those that are open; not there before the house has its doors.
    gates: OnceLock<BTreeMap<&'static str, Gate>>,
    lasting: Lasting,
    models: Models,
    ledger: Arc<Ledger>,
}

impl Gateway {
    /// A gateway that knows who may ask, and writes what is spent into `records`. Venues are asked once
    /// [`Gateway::open`] was called.
    ///
    /// # Errors
    /// Exit 4 when the token of a program or the key is not found, 6 when the records cannot be read.
    pub fn new(settings: &Settings, records: Records, clock: &Arc<dyn Clock>) -> Result<Self> {
        let own = &settings.gateway;
        let is_wanted = |name: &str| {
            let venue = known::find(name);
            let has_keys = venue.is_some_and(|venue| {
                venue.access.is_none() || settings.accounts.contains_key(name)
            });
            has_keys && own.venues.is_empty() || own.venues.iter().any(|wanted| wanted == name)
        };
        let readable = known::ALL.iter().filter(|venue| !venue.public.reads.is_empty());
        let ledger = Arc::new(Ledger::new(records, Arc::clone(clock)));
        let spent = ledger.today()?;
        Ok(Self {
            clients: Clients::new(&own.clients, clock.now().day(), &spent)?,
            names: readable
                .map(|venue| venue.profile.name)
                .filter(|name| is_wanted(name))
                .collect(),
            gates: OnceLock::new(),
            lasting: venues::lasting(Arc::clone(clock)),
            models: Models::new(settings, &ledger, &spent, clock)?,
            ledger,
        })
    }

    /// Opens the venues: through the doors that the house has, else through new ones. Nothing is sent.
    ///
    /// # Errors
    /// Exit 4 when a venue that was named wants keys that are missing.
    pub fn open(&self, doors: &Doors, means: Means<'_>) -> Result<()> {
        let mut gates = BTreeMap::new();
        for name in &self.names {
            let door = match doors.get(name) {
                Some(door) => door.clone(),
                None => match Door::open(name, means) {
                    // It was not asked for by name.
                    Err(why)
                        if why.exit == Exit::Auth && means.settings.gateway.venues.is_empty() =>
                    {
                        tracing::warn!("gateway: {why}");
                        continue;
                    }
                    opened => opened?,
                },
            };
            gates.insert(*name, Gate::new(door));
        }
        // A second call changes nothing.
        let _ = self.gates.set(gates);
        Ok(())
    }

    /// Where programs find what, as JSON. `server` is how it is reached: `http://127.0.0.1:8090`.
    #[must_use]
    pub fn addresses(&self, server: &str) -> Value {
        let place = |name: &str| json!(format!("{server}{PATH}/{name}"));
        let names = self.gates.get().into_iter().flat_map(BTreeMap::keys);
        let venues: Map<String, Value> =
            names.map(|name| ((*name).to_owned(), place(name))).collect();
        json!({"openai": place("openai/v1"), "venues": venues})
    }

    /// What it asks, with its limits; what the house shows already is left out.
    #[must_use]
    pub fn remotes(&self, shown: &[Remote]) -> Vec<Remote> {
        let gates = self.gates.get().into_iter().flat_map(BTreeMap::values);
        let all = gates.flat_map(|gate| gate.door.remotes()).chain(self.models.remotes());
        all.filter(|remote| !shown.iter().any(|other| other.name() == remote.name())).collect()
    }

    /// Writes down what is spent, until `stop` turns true.
    pub async fn keep(self: Arc<Self>, stop: watch::Receiver<bool>) {
        Arc::clone(&self.ledger).keep(stop).await;
    }

    /// Writes down what was spent last. Blocks.
    pub fn flush(&self) {
        self.ledger.flush();
    }

    async fn pass(&self, asked: Asked) -> Given {
        let rest = asked.path.strip_prefix(PATH).unwrap_or_default().to_owned();
        let rest = rest.strip_prefix('/').unwrap_or_default();
        let (first, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let style = if first == OPENAI { Style::OpenAi } else { Style::Problem };
        match self.route((first, path), &asked).await {
            Ok(given) => given,
            Err(refusal) => refusal.answer(style),
        }
    }

    async fn route(&self, (first, path): (&str, &str), asked: &Asked) -> Result<Given, Refusal> {
        let program = self.clients.who(asked)?;
        if first == OPENAI {
            return self.models.ask((path, asked), program).await;
        }
        let Some(venue) = known::find(first).filter(|_| self.names.contains(&first)) else {
            return Err(self.nothing_here(first));
        };
        let gate = self.gates.get().ok_or_else(Refusal::starting)?.get(venue.profile.name);
        let gate = gate.ok_or_else(|| self.nothing_here(first))?;
        gate.ask((path, asked), &self.lasting).await
    }

    fn nothing_here(&self, name: &str) -> Refusal {
        let names = self.names.join(", ");
        let words = match known::find(name) {
            Some(venue) if venue.public.reads.is_empty() => {
                format!("{name} tells nothing that programs could read; there are {names}")
            }
            Some(_) => format!(
                "{name} is not open here: name it in gateway.venues, and its keys where it wants some; open are {names}"
            ),
            None => format!("nothing is here; there are {PATH}/openai/v1 and {PATH}/ with {names}"),
        };
        Refusal::new(404, "not_found", words)
    }
}

impl Annex for Gateway {
    fn path(&self) -> &'static str {
        PATH
    }

    fn most_body(&self, path: &str) -> usize {
        if path.trim_end_matches('/').ends_with("/openai/v1/files") {
            MAX_FILE_BYTES
        } else {
            MAX_BODY_BYTES
        }
    }

    fn answer(&self, asked: Asked) -> Pin<Box<dyn Future<Output = Given> + Send + '_>> {
        Box::pin(self.pass(asked))
    }
}

/// The paths that can be read of a venue, for people.
fn readable(public: &Public) -> String {
    public.reads.iter().map(|read| read.path).collect::<Vec<_>>().join(" ")
}

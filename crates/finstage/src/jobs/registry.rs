//! What the workers can do: a type's name and what is done under it.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use finstage_store::records::{Again, Progress};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};

/// Why a task was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// In words.
    pub reason: String,
    /// Whether it is worth another try.
    pub again: Again,
}

impl Fault {
    /// Something that may go better the next time.
    #[must_use]
    pub fn passing(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), again: Again::IfLeft }
    }

    /// Something that would only happen again.
    #[must_use]
    pub fn lasting(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), again: Again::Never }
    }
}

impl From<finstage_store::Error> for Fault {
    fn from(error: finstage_store::Error) -> Self {
        Self::passing(error)
    }
}

impl From<crate::exit::Failure> for Fault {
    fn from(failure: crate::exit::Failure) -> Self {
        match failure.exit {
            crate::exit::Exit::Usage => Self::lasting(failure),
            _ => Self::passing(failure),
        }
    }
}

/// What a handler gives: a small JSON value, or why there is none.
pub type Given = Result<Value, Fault>;

/// What a handler tells its worker, and hears from it.
#[derive(Debug, Clone)]
pub struct Ticket(Arc<Told>);

#[derive(Debug)]
struct Told {
    progress: Mutex<Option<Progress>>,
    called_off: watch::Sender<bool>,
}

impl Ticket {
    /// One that nothing was told to yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Told { progress: Mutex::default(), called_off: watch::Sender::new(false) }))
    }

    /// How far it is, 0 to 1, and what is being done. Is written down with the next renewal of the lease.
    pub fn tell(&self, part: f64, doing: impl Into<String>) {
        let told = Progress { part, doing: doing.into() };
        *self.0.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }

    /// Whether to end as soon as that is possible.
    #[must_use]
    pub fn is_called_off(&self) -> bool {
        *self.0.called_off.borrow()
    }

    pub(super) fn call_off(&self) {
        self.0.called_off.send_replace(true);
    }

    pub(super) fn progress(&self) -> Option<Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Default for Ticket {
    fn default() -> Self {
        Self::new()
    }
}

type Start = Box<dyn Fn(&str, Ticket) -> Result<JoinHandle<Given>, Fault> + Send + Sync>;

/// Types of tasks and who does them.
#[derive(Default)]
pub struct Registry(BTreeMap<&'static str, Start>);

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Registry {
    /// Tasks of this type run on a thread that may wait for the disk.
    #[must_use]
    pub fn blocking<A: DeserializeOwned + Send + 'static>(
        mut self,
        kind: &'static str,
        work: impl Fn(A, &Ticket) -> Given + Send + Sync + 'static,
    ) -> Self {
        let work = Arc::new(work);
        let start = move |payload: &str, ticket: Ticket| {
            let (arguments, work) = (arguments::<A>(kind, payload)?, Arc::clone(&work));
            Ok(tokio::task::spawn_blocking(move || work(arguments, &ticket)))
        };
        self.0.insert(kind, Box::new(start));
        self
    }

    /// Tasks of this type wait for the network; one that is called off ends at its next wait.
    #[must_use]
    pub fn waiting<A: DeserializeOwned + Send + 'static, F>(
        mut self,
        kind: &'static str,
        work: impl Fn(A, Ticket) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Given> + Send + 'static,
    {
        let start = move |payload: &str, ticket: Ticket| {
            let arguments = arguments::<A>(kind, payload)?;
            let mut called_off = ticket.0.called_off.subscribe();
            let work = work(arguments, ticket);
            Ok(tokio::spawn(async move {
                tokio::select! {
                    given = work => given,
                    _ = called_off.wait_for(|is| *is) => Err(Fault::passing("called off")),
                }
            }))
        };
        self.0.insert(kind, Box::new(start));
        self
    }

    /// The types.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    pub(super) fn start(
        &self,
        (kind, payload): (&str, &str),
        ticket: Ticket,
    ) -> Result<JoinHandle<Given>, Fault> {
        let Some(start) = self.0.get(kind) else {
            return Err(Fault::lasting(format!("this service knows no tasks of type \"{kind}\"")));
        };
        start(payload, ticket)
    }
}

/// What a type is given, from its JSON.
fn arguments<A: DeserializeOwned>(kind: &str, payload: &str) -> Result<A, Fault> {
    serde_json::from_str(payload)
        .map_err(|why| Fault::lasting(format!("what task \"{kind}\" is given: {why}")))
}

/// What a handler came to that ended by itself, or by a panic.
pub(super) fn given(ended: Result<Given, JoinError>) -> Given {
    ended.unwrap_or_else(|broken| {
        let words = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast::<&str>().map_or("no words", |text| *text).to_owned(),
        };
        Err(match broken.try_into_panic() {
            Ok(panic) => Fault::passing(format!("it panicked: {}", words(panic))),
            Err(_) => Fault::passing("it was stopped"),
        })
    })
}

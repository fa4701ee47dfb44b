//! Which program asks.

use std::sync::Arc;

use finstage_model::Day;
use finstage_seal::{Secret, hmac_sha256};
use finstage_server::Asked;

use super::ledger::Spent;
use super::money::Daily;
use super::refusal::Refusal;
use crate::config::settings::GatewayClient;
use crate::exit::{Exit, Failure, Result};

/// The programs that may ask; anybody on this machine where none is named.
#[derive(Debug)]
pub(super) struct Clients(Vec<(Mark, Arc<Program>)>);

/// A program, as the ledger and its budget know it.
#[derive(Debug)]
pub(super) struct Program {
    /// What the ledger calls its work.
    pub(super) job: String,
    /// What it may spend in a day.
    pub(super) daily: Option<Daily>,
}

/// What the ledger calls the work of those that are not named.
pub(super) const JOB: &str = "gateway";

/// What tells tokens apart and gives none away.
type Mark = String;

impl Clients {
    /// `spent` is what was spent on this day, by job.
    pub(super) fn new(settings: &[GatewayClient], today: Day, spent: &Spent) -> Result<Self> {
        let known = |client: &GatewayClient| {
            let name = &client.name;
            let token = client.token.as_ref().map_err(|why| {
                let said = format!("gateway.clients: the token of {name}: {why}");
                Failure::new(Exit::Auth, said)
            })?;
            let job = format!("{JOB}/{name}");
            let before = spent.get(&job).copied().unwrap_or_default();
            let daily = client.budget_per_day.map(|cap| Daily::new(cap, today, before));
            let program = Program { job, daily };
            Ok((mark(token.expose().trim()), Arc::new(program)))
        };
        settings.iter().map(known).collect::<Result<_>>().map(Self)
    }

    /// Who asks; `None`: somebody on this machine, where nobody is named.
    pub(super) fn who(&self, asked: &Asked) -> Result<Option<Arc<Program>>, Refusal> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let Some(shown) = shown(asked) else {
            let words = "show the token of your program: \"Authorization: Bearer TOKEN\", or x-api-key; \
                [[gateway.clients]] names it";
            return Err(Refusal::new(401, "missing_token", words));
        };
        let shown = mark(shown);
        // All are compared, each in full: how long it takes says nothing.
        let found =
            self.0.iter().fold(None, |found, (known, program)| match is_same(known, &shown) {
                true => Some(program),
                false => found,
            });
        let wrong = || {
            let words = "this token is not one of [[gateway.clients]]";
            Refusal::new(401, "invalid_api_key", words)
        };
        found.map(|program| Some(Arc::clone(program))).ok_or_else(wrong)
    }
}

fn shown(asked: &Asked) -> Option<&str> {
    if let Some(value) = asked.header("authorization") {
        let (scheme, token) = value.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
    }
    asked.header("x-api-key").map(str::trim)
}

fn mark(token: &str) -> Mark {
    hmac_sha256(&Secret::new("finstage gateway".to_owned()), &[token.as_bytes()])
}

/// Compares in a time that does not depend on where they differ.
fn is_same(a: &Mark, b: &Mark) -> bool {
    let pairs = a.bytes().zip(b.bytes());
    let difference = pairs.fold(u8::from(a.len() != b.len()), |all, (a, b)| all | (a ^ b));
    std::hint::black_box(difference) == 0
}

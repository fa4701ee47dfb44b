//! `finstage llm`

mod ask;
mod batch;
mod check;
mod cost;
pub(super) mod run;
mod schema;

use crate::cli::{Global, Llm, LlmCommand};
use crate::exit::{Exit, Failure, Result};

pub(super) fn run(global: &Global, args: &Llm) -> Result<Exit> {
    match &args.command {
        LlmCommand::Run(args) => run::run(global, args),
        LlmCommand::Ask(args) => ask::run(global, args),
        LlmCommand::Check(args) => check::run(global, args),
        LlmCommand::Batch(args) => batch::run(global, args),
        LlmCommand::Cost(args) => cost::run(global, args),
    }
}

/// What asking says, as a command ends with it.
fn failed(error: &finstage_llm::Error) -> Failure {
    use finstage_llm::ErrorKind;
    let exit = match error.kind() {
        ErrorKind::Budget => Exit::Budget,
        ErrorKind::Denied => Exit::Auth,
        ErrorKind::Provider => Exit::Remote,
        ErrorKind::Store => Exit::Store,
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}

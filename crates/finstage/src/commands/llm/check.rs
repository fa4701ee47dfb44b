//! `finstage llm check`

use super::super::{load_without_channels, print_json, print_line};
use super::failed;
use crate::cli::{Global, LlmCheck};
use crate::exit::{Exit, Failure, Result};
use crate::llm::{Wanted, endpoint};

pub(super) fn run(global: &Global, args: &LlmCheck) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let endpoint = endpoint(&loaded.settings.llm, Wanted::from(&args.target))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let usage = runtime.block_on(endpoint.usage()).map_err(|e| failed(&e))?;
    if global.json {
        print_json(&usage)?;
    } else {
        let text = serde_json::to_string_pretty(&usage).map_err(Failure::usage)?;
        print_line(&text)?;
    }
    Ok(Exit::Done)
}

//! `finstage health`

use std::time::Duration;

use finstage_net::{Client, ClientOptions, Request};

use super::{print_json, print_line};
use crate::cli::{Global, Health};
use crate::exit::{Exit, Failure, Result};

/// The longest that the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest answer that is read.
const ANSWER_MAX_BYTES: usize = 1 << 20;

pub(super) fn run(global: &Global, args: &Health) -> Result<Exit> {
    let url = format!("{}/readyz", args.url.trim_end_matches('/'));
    let client = Client::new(ClientOptions {
        connect_timeout: PATIENCE,
        total_timeout: PATIENCE,
        max_body_bytes: ANSWER_MAX_BYTES,
        ..ClientOptions::default()
    })
    .map_err(|e| Failure::new(Exit::Remote, e))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let not_ready = |why: String| Failure::new(Exit::CheckFailed, why);
    let answer = runtime
        .block_on(client.send(&Request::get(url.as_str())))
        .map_err(|e| not_ready(format!("not ready: {e}: is `finstage serve` running?")))?;
    if answer.status != 200 {
        let status = answer.status;
        return Err(not_ready(format!("not ready: {url} answered {status}: its log says why")));
    }
    if global.json {
        print_json(&serde_json::json!({"ready": true, "url": args.url}))?;
    } else {
        print_line("ready")?;
    }
    Ok(Exit::Done)
}

//! `finstage health`

use std::time::Duration;

use finstage_net::Request;
use finstage_server::{load_token, token_file};

use super::{data_dir, load_without_channels, print_json, print_line, running};
use crate::cli::{Global, Health};
use crate::exit::{Exit, Failure, Result};

/// The longest that the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest answer that is read.
const ANSWER_MAX_BYTES: usize = 1 << 20;

pub(super) fn run(global: &Global, args: &Health) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let options = &loaded.settings.server.options;
    let own = running::base(options, None);
    if let Some(typed) = args.url.as_deref().filter(|typed| !is_address(typed)) {
        let why = format!("--url {typed}: no address of a service: write http://127.0.0.1:8080");
        return Err(Failure::usage(why));
    }
    let base = args.url.as_deref().map_or(own.as_str(), |url| url.trim_end_matches('/'));
    let url = format!("{base}/readyz");
    let client = running::client(options, (PATIENCE, ANSWER_MAX_BYTES))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let not_ready = |why: String| Failure::new(Exit::CheckFailed, why);
    let mut request = Request::get(url.as_str());
    // The token is for this machine's own service and for nobody else.
    if base == own
        && let Ok(token) = load_token(&token_file(&data_dir(global, &loaded)))
    {
        let bearer = format!("Bearer {}", token.expose());
        request = request.header("authorization", bearer).hide(&token);
    }
    let answer = runtime
        .block_on(client.send(&request))
        .map_err(|e| not_ready(format!("not ready: {e}: {}", running::remedy(&e, options))))?;
    if answer.status == 401 {
        return Err(not_ready(format!(
            "not known: {url} wants the token of its folder: --data-dir names it"
        )));
    }
    if answer.status != 200 {
        let status = answer.status;
        let why = failing(&answer.body).unwrap_or_else(|| "its log says why".to_owned());
        return Err(not_ready(format!("not ready: {url} answered {status}: {why}")));
    }
    if global.json {
        print_json(&serde_json::json!({"ready": true, "url": base}))?;
    } else {
        print_line("ready")?;
    }
    Ok(Exit::Done)
}

/// The checks that fail, as the answer has them.
fn failing(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let words = |check: &serde_json::Value| {
        (check["ok"] == false && check["required"] != false).then_some(())?;
        Some(format!("{}: {}", check["name"].as_str()?, check["detail"].as_str()?))
    };
    let failing: Vec<String> = answer["checks"].as_array()?.iter().filter_map(words).collect();
    (!failing.is_empty()).then(|| failing.join("; "))
}

/// Whether a service can be asked there at all.
fn is_address(typed: &str) -> bool {
    let rest = typed.strip_prefix("http://").or_else(|| typed.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with([':', '/']))
}

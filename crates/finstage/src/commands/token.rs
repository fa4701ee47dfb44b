//! `finstage token`

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use finstage_net::Request;
use finstage_seal::Secret;
use finstage_server::{ErrorKind, ServerOptions, load_token, make_token, token_file};
use serde_json::{Value, json};

use super::{data_dir, load_without_channels, print_json, print_line, running, say};
use crate::cli::{Global, Token};
use crate::exit::{Exit, Failure, Result};

/// The longest that this machine may take to answer itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that holds a link.
const ANSWER_MAX_BYTES: usize = 64 << 10;

pub(super) fn run(global: &Global, args: &Token) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let file = token_file(&data_dir(global, &loaded));
    match args {
        Token::Show => show(global, &read(&file)?)?,
        Token::New => {
            let token = make_token(&file).map_err(|e| Failure::new(Exit::Store, e))?;
            say(
                global,
                format_args!(
                    "new token in {}; a running server takes it within seconds",
                    file.display()
                ),
            );
            show(global, &token)?;
        }
        Token::Link { listen } => {
            let options = &loaded.settings.server.options;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let link = runtime.block_on(link(options, *listen, &read(&file)?))?;
            if global.json {
                print_json(&link)?;
            } else {
                print_line(link["url"].as_str().unwrap_or_default())?;
            }
        }
    }
    Ok(Exit::Done)
}

fn read(file: &Path) -> Result<Secret<String>> {
    load_token(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::usage(format!(
            "{}: no token yet: run `finstage serve` once, or `finstage token new`; --data-dir names another folder",
            file.display()
        )),
        _ => Failure::new(Exit::Store, error),
    })
}

fn show(global: &Global, token: &Secret<String>) -> Result<()> {
    if global.json {
        return print_json(&json!({"token": token.expose()}));
    }
    print_line(token.expose())
}

async fn link(
    options: &ServerOptions,
    listen: Option<SocketAddr>,
    token: &Secret<String>,
) -> Result<Value> {
    let url = format!("{}/api/v1/logins", running::base(options, listen));
    let remote = |why: String| {
        Failure::new(Exit::Remote, format!("{url}: {why}; --listen names another address"))
    };
    let client = running::client(options, (PATIENCE, ANSWER_MAX_BYTES))?;
    let request = Request::post(url.as_str())
        .header("authorization", format!("Bearer {}", token.expose()))
        .hide(token);
    let response = client.send(&request).await.map_err(|e| {
        let remedy = running::remedy(&e, options);
        let why = format!("no link: {e}: {remedy}; --listen names another address");
        Failure::new(Exit::Remote, why)
    })?;
    if response.status == 401 {
        return Err(remote("it does not know this token: --data-dir names its folder".into()));
    }
    let answer: Value = serde_json::from_slice(&response.body)
        .map_err(|_| remote("something else answers there".into()))?;
    if answer["url"].as_str().is_none_or(|link| !link.contains("/?login=")) {
        return Err(remote(format!("it answered {}", response.status)));
    }
    Ok(answer)
}

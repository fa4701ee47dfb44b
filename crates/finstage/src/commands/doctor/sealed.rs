//! Checks on streams that come sealed: the keys, and whether who seals answers.

use std::path::Path;
use std::time::Duration;

use finstage_feeds::{Open, SymbolMap, venues};
use finstage_model::Clock as _;
use finstage_net::{Client, Error, ErrorKind, SocketOptions, SystemClock};

use super::Check;
use crate::config::settings::{SealedSettings, Settings};
use crate::sealed::{SealedSource, keyring_path, usable};

/// A line for each sealed stream.
pub(super) async fn check(
    settings: &Settings,
    dir: &Path,
    within: (&Client, Duration),
) -> Vec<Check> {
    let mut checks = Vec::new();
    for (name, sealed) in &settings.sealed {
        checks.push(stream(name, sealed, dir, within).await);
    }
    checks
}

async fn stream(
    name: &str,
    settings: &SealedSettings,
    dir: &Path,
    within: (&Client, Duration),
) -> Check {
    let check = format!("sealed {name}");
    let source = match SealedSource::open(name, settings, dir, SystemClock.now()) {
        Ok(source) => source,
        Err(why) => return Check::fail(check, why),
    };
    let open = usable(&source.keys().current(), SystemClock.now());
    let path = keyring_path(settings, dir);
    let keys = format!("keys of {} that open: {open}", path.display());
    let Err(why) = answers(name, &source, within).await else {
        return Check::ok(check, format!("{} answers; {keys}", settings.ws));
    };
    let remedy = match why.kind() {
        ErrorKind::Refused => format!("check ws, token and stream in [venues.{name}.sealed]"),
        _ => format!("start it, or correct ws in [venues.{name}.sealed]"),
    };
    match source.fallback() {
        Some(fallback) if answers(name, &fallback, within).await.is_ok() => {
            Check::warn(check, format!("{why}: the fallback answers; {remedy}; {keys}"))
        }
        Some(_) => Check::fail(check, format!("{why}, nor does the fallback answer: {remedy}")),
        None => Check::fail(check, format!("{why}: {remedy}")),
    }
}

/// Connects as a session would, and leaves.
async fn answers(
    name: &str,
    source: &SealedSource,
    (client, patience): (&Client, Duration),
) -> Result<(), Error> {
    let venue = venues::find(name).and_then(|venue| Some((venue.profile, venue.stream?)));
    let (profile, build) = venue.expect("settings have sealed streams of such venues only");
    let mut endpoints = profile.endpoints();
    source.address().clone_into(&mut endpoints.stream);
    let Open::Connect(url) = build(&endpoints, SymbolMap::default()).open() else {
        let message = format!("{name} is not connected to by an address alone");
        return Err(Error::new(ErrorKind::Invalid, message));
    };
    let (client, _) = source.client(client, &(std::sync::Arc::new(SystemClock) as _));
    let options = SocketOptions { connect_timeout: patience, ..SocketOptions::default() };
    let socket = client.transport().connect(&url, &options).await?;
    socket.close().await;
    Ok(())
}

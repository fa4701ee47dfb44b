//! The streams of `finstage sim`, sealed.

use std::path::Path;
use std::sync::Arc;

use finstage_feeds::recording::{Recorded, Recording, RecordingError, What};
use finstage_lab::sim::sealed::{Frames, RelayOptions, SealedRelay, Source};
use finstage_model::Timestamp;
use finstage_net::Frame;
use finstage_seal::Secret;
use tokio::net::TcpListener;
use tracing::warn;

use super::World;
use crate::config::{DotEnv, Reference, dereference};
use crate::exit::{Failure, Result};
use crate::sealing::Sealing;

impl World<'_> {
    /// Starts a relay before a venue's streams, or before a recording.
    pub(super) fn relay(&self, source: Source, listener: TcpListener) -> Result<SealedRelay> {
        let (Some(keyring), args) = (&self.args.sealed, self.args) else {
            return Err(Failure::usage("--sealed KEYRING: missing"));
        };
        let Sealing { keys, file, counters } = Sealing::open(keyring)?;
        SealedRelay::start(RelayOptions {
            source,
            keys,
            keyring: Some(file),
            counters: Box::new(counters),
            batch: args.sealed_batch as usize,
            token: args.sealed_token.as_deref().map(token).transpose()?,
            clock: Arc::clone(&self.clock),
            faults: self.faults.clone(),
            ledger: Arc::clone(&self.ledger),
            listener,
        })
        .map_err(Failure::usage)
    }
}

fn token(typed: &str) -> Result<Secret<String>> {
    match dereference(typed, &DotEnv::default()) {
        Ok(Reference::Outside(token)) => Ok(Secret::new(token)),
        Ok(Reference::Literal(_)) => Err(Failure::usage(
            "--sealed-token: other programs see arguments: write env:NAME or file:PATH",
        )),
        Err(why) => Err(Failure::usage(format!("--sealed-token: {why}"))),
    }
}

/// A recording as it is played to each client.
pub(super) fn recording(file: &Path, speed: f64) -> Result<Source> {
    // Whether it can be read is said now, not to the first client.
    Recording::open(file).map_err(Failure::usage)?;
    let file = file.to_owned();
    let open = move || -> Box<dyn Frames> {
        match Recording::open(&file) {
            Ok(recording) => Box::new(recording.filter_map(frame)),
            Err(error) => {
                warn!(%error, "the recording cannot be played");
                Box::new(std::iter::empty())
            }
        }
    };
    Ok(Source::Recording { open: Arc::new(open), speed: Some(speed) })
}

fn frame(recorded: std::result::Result<Recorded, RecordingError>) -> Option<(Timestamp, String)> {
    match recorded {
        Ok(Recorded { at, what: What::Came(_, Frame::Text(text)), .. }) => Some((at, text)),
        Ok(_) => None,
        Err(error) => {
            warn!(%error, "not played");
            None
        }
    }
}

//! `finstage stress`: load tests.

mod http;
mod lines;
mod place;
mod probe;
mod result;
mod ws;

use finstage_lab::stress::Stop;

use crate::cli::{Global, Stress};
use crate::exit::{Exit, Failure, Result};

pub(super) fn run(global: &Global, args: &Stress) -> Result<Exit> {
    match args {
        Stress::Http(args) => http::run(global, args),
        Stress::Burst(args) => http::burst(global, args),
        Stress::Ws(args) => ws::run(global, args),
        Stress::Probe(args) => probe::run(global, args),
    }
}

/// What the lab says, with the exit code that fits.
fn failure(error: finstage_lab::Error) -> Failure {
    match error.kind() {
        finstage_lab::ErrorKind::Remote => Failure::new(Exit::Remote, error),
        finstage_lab::ErrorKind::Io => Failure::new(Exit::Store, error),
        _ => Failure::usage(error),
    }
}

/// Pulls a stop at the first Ctrl-C or SIGTERM; the second ends the program at once.
fn stop_on_signal() -> Result<Stop> {
    let stop = Stop::new();
    let pulled = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // It waits for signals as long as the program lives.
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            let mut signal = super::serve::stop_on_signal();
            let _ = signal.wait_for(|stop| *stop).await;
            pulled.pull();
            let mut again = super::serve::stop_on_signal();
            let _ = again.wait_for(|stop| *stop).await;
            std::process::exit(Exit::Interrupted as i32);
        });
    })?;
    Ok(stop)
}

//! `finstage gateway`

use std::sync::Arc;

use finstage_model::Clock;
use finstage_net::SystemClock;
use finstage_server::Front;
use finstage_store::records::StoreKind;
use tokio::net::TcpListener;

use super::serve::{secrets, stop_on_signal};
use super::{data_dir, level, load_without_channels, print_line, say};
use crate::cli::{self, Global};
use crate::exit::{Exit, Failure, Result};
use crate::gateway::Gateway;
use crate::logging::{self, LogOptions};
use crate::venues::{Doors, Means};
use crate::{serving, wiring};

pub(super) fn run(global: &Global, args: &cli::Gateway) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let settings = &loaded.settings;
    logging::start(LogOptions {
        level: level(global),
        settings: Some(&settings.log),
        secrets: secrets(settings),
    })?;
    let address = args.listen.unwrap_or(settings.gateway.listen);
    if !address.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "--listen {address}: other machines would send keys in the open: name 127.0.0.1 or [::1]"
        )));
    }
    let dir = data_dir(global, &loaded);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = wiring::client()?;
    let means = Means { settings, client: &client, dir: &dir, clock: &clock };
    std::fs::create_dir_all(&dir).map_err(|e| Failure::from_writing(&dir, &e))?;
    let records = wiring::open_records(&dir, StoreKind::Real)?;
    let gateway = Arc::new(Gateway::new(settings, records, &clock)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stop = stop_on_signal();
        gateway.open(&Doors::new(), means)?;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|e| serving::refused(address, "gateway.listen", &e))?;
        let front = Front::start(listener, Arc::clone(&gateway) as _).map_err(Failure::usage)?;
        print_line(&gateway.addresses(&format!("http://{}", front.address())).to_string())?;
        say(global, format_args!("keys stay here; Ctrl-C or SIGTERM ends"));
        tokio::spawn(Arc::clone(&gateway).keep(stop.clone()));
        let _ = stop.wait_for(|stop| *stop).await;
        front.stop().await;
        Ok::<_, Failure>(())
    })?;
    gateway.flush();
    Ok(Exit::Done)
}

//! Load tests against servers whose behaviour is known.

mod behaviour;
mod server;
mod spoken;
mod truth;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use finstage_lab::stress::arrival::Schedule;
use finstage_lab::stress::http::{HttpTest, Version};
use finstage_lab::stress::mix::Mix;
use finstage_lab::stress::{Ceilings, Target};

/// A test of the server at an address, on one thread, timeout 5 s.
fn test(address: SocketAddr, schedule: Schedule, connections: u32) -> HttpTest {
    let target = Target::parse(&format!("http://{address}/")).unwrap();
    HttpTest {
        mix: Mix::one(&target),
        target,
        addresses: vec![address],
        dns: None,
        ceilings: Ceilings::NONE,
        schedule,
        ramp: None,
        connections,
        timeout: Duration::from_secs(5),
        threads: 1,
        seed: 1,
        version: Version::Http1,
        tls: None,
        settings: BTreeMap::new(),
    }
}

//! Who holds a port: Linux says it in `/proc`, other systems do not say it without help.

use std::fmt;
use std::fs;

/// What a listening socket is in `/proc/net/tcp`.
const LISTENING: &str = "0A";
/// The most processes that are looked through.
const MAX_PROCESSES: usize = 100_000;

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pid: u32,
    name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} ({})", self.pid, self.name)
    }
}

/// The process that listens on a port, where it can be seen.
pub(super) fn holder(port: u16) -> Option<Holder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let socket = tables.iter().find_map(|table| {
        let text = fs::read_to_string(table).ok()?;
        listening(&text, port)
    })?;
    let wanted = format!("socket:[{socket}]");
    let processes = fs::read_dir("/proc").ok()?.flatten().take(MAX_PROCESSES);
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| has(*pid, &wanted))
        .map(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            Holder { pid, name: name.trim().to_owned() }
        })
}

/// The number of the socket that listens on `port`, in a table of the kernel.
fn listening(table: &str, port: u16) -> Option<String> {
    let wanted = format!("{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.split_once(':')?;
        let is_wanted = local == wanted && *fields.get(3)? == LISTENING;
        is_wanted.then(|| fields.get(9).map(|inode| (*inode).to_owned())).flatten()
    })
}

fn has(pid: u32, socket: &str) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    open.flatten()
        .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == socket))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(holder(port).unwrap().pid, std::process::id());
        drop(listener);
    }

    #[test]
    fn only_a_listening_socket_counts() {
        let table = "  sl  local_address rem_address   st tx rx tr tm retrnsmt uid timeout inode\n   \
            0: 0100007F:1F90 0100007F:9999 01 0:0 0:0 0 0 0 111 1\n   \
            1: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 222 1\n";
        assert_eq!(listening(table, 8080), Some("222".to_owned()));
        assert_eq!(listening(table, 8081), None);
    }
}

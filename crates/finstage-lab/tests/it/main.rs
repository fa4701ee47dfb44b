//! The simulators over loopback sockets, asked by clients that share no code with them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail where tests fail")]

mod http;
mod kis;
mod kraken;
mod messenger;
mod openai;
mod probe;
mod rss;
mod sealed;
mod sockets;
mod stress;
mod venue;

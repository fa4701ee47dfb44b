//! `finstage serve` and `finstage token`

use std::net::SocketAddr;

use clap::{Args, Subcommand};
use finstage_model::Timestamp;

/// `finstage serve`
#[derive(Debug, Args)]
#[command(
    after_help = "The server answers on 127.0.0.1:8080 and prints a link that opens the dashboard signed in, once.\nAn address that other machines reach needs server.tls_cert and server.tls_key."
)]
pub struct Serve {
    /// Address of the server [default: server.listen, else 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Run without server and dashboard
    #[arg(long, conflicts_with = "listen")]
    pub no_server: bool,
    /// A rehearsal: how many times faster than the clock time passes, as for `sim`
    #[arg(long, value_name = "N", hide = true, requires = "right_at")]
    pub speed: Option<f64>,
    /// A rehearsal: when its clock was right
    #[arg(long, value_name = "TIME", hide = true, requires = "speed")]
    pub right_at: Option<Timestamp>,
}

/// `finstage token`
#[derive(Debug, Subcommand)]
#[command(
    after_help = "The token lies in the data folder, readable by you only. Programs send it as\n\"Authorization: Bearer TOKEN\"; browsers sign in by a link that works once."
)]
pub enum Token {
    /// Print the token
    Show,
    /// Make a new token: the old one and all browsers are signed out
    New,
    /// Ask the running server for a link that opens the dashboard signed in, once
    Link {
        /// Where the server listens [default: server.listen, else 127.0.0.1:8080]
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
}

//! Arguments of `finstage man`.

use clap::Args;

/// `finstage man`
#[derive(Debug, Args)]
pub struct Man {
    /// Of which command: `man backtest`, `man bars export`; of the program where none is named
    pub command: Vec<String>,
}

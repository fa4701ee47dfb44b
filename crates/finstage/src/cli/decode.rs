//! Arguments of `decode`.

use std::path::PathBuf;

use clap::Args;

/// `finstage decode`
#[derive(Debug, Args)]
#[command(
    after_help = "Reads a frame a line, as the venue sends them, and writes an event a line:\n{\"type\",\"venue\",\"symbol\",\"ts_event\",…}. A frame that is not understood goes to standard error with\nits line number and the rest is read on; the exit code is 1 then.\n\nExample:  finstage decode --venue binance < frames.ndjson"
)]
pub struct Decode {
    /// Whose frames
    #[arg(long, value_name = "VENUE")]
    pub venue: String,
    /// The instruments that are meant, a symbol a line [default: those known by name, and those configured]
    #[arg(long, value_name = "FILE")]
    pub instruments: Option<PathBuf>,
}

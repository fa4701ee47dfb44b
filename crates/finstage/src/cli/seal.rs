//! Arguments of `seal` and `open`.

use clap::Args;

use super::KeyringArgs;

/// `finstage seal`
#[derive(Debug, Args)]
#[command(
    after_help = "Reads lines from standard input and writes an envelope a line: {\"v\",\"kid\",\"sid\",\"seq\",\"nonce\",\n\"encrypted_payload\"}, AES-256-GCM with the primary key. A rotation is followed while it runs. No\nnonce is used twice, whatever crashes: numbers are reserved in KEYRING.senders before their use.\n\nExample:  finstage seal --batch 100 < ticks.ndjson | finstage open > same.ndjson"
)]
pub struct Seal {
    /// The keyring
    #[command(flatten)]
    pub ring: KeyringArgs,
    /// Number of this sender; no other machine with this keyring may have it [default: one by chance]
    #[arg(long, value_name = "N")]
    pub sender: Option<u32>,
    /// Lines in one envelope
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch: u32,
}

/// `finstage open`
#[derive(Debug, Args)]
#[command(
    after_help = "Reads an envelope a line from standard input and writes what was sealed, in the same order, byte\nfor byte. A line that is forged, damaged, sealed with a key that does not open any more, or seen\nbefore in this run goes to standard error with its number; the exit code is 1 then. With --json\nthe summary on standard error is JSON: opened, failed (all that were refused), replayed (those of\nthem that were seen before), lines, per_second, elapsed_s, threads, batch.\n\nExample:  finstage open --keyring keys.toml < sealed.ndjson > ticks.ndjson"
)]
pub struct Open {
    /// The keyring
    #[command(flatten)]
    pub ring: KeyringArgs,
    /// Threads that open [default: as many as there are cores, at most 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Envelopes that a thread takes at once; the result is the same
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch: u32,
    /// Open {"nonce","encrypted_payload"} too, with this key: nothing tells them from replays
    #[arg(long, value_name = "ID")]
    pub allow_bare: Option<String>,
}

//! Arguments of `keys`. Names of keys are texts here: clap would repeat one that is wrong, and it may be
//! a key that stands in the wrong place.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `finstage keys`
#[derive(Debug, Subcommand)]
#[command(
    after_help = "A keyring is a file that only you can read. Its first key is primary: it seals. A further one is\npending: give the file to all readers before rotate makes it primary. The old key then opens for\n24 hours more. A key is used for 24 hours or 2^31 messages, and never for more than 2^32.\n\nNo command prints a key: what readers need is the file. docs/guides/sealed-data.md says more."
)]
pub enum Keys {
    /// Make a key, and the file where there is none; or take a key of yours
    New(KeysNew),
    /// The keys: state, times, how much they sealed; never their bytes
    List(KeyringArgs),
    /// Whether file, modes and keys are as they should be and no rotation is due; else exit code 1
    Check(KeysCheck),
    /// The pending key becomes primary, the old one opens on for a time, a new pending one is made
    Rotate(KeysRotate),
    /// A key does nothing from now on; its bytes stay in the file
    Disable(KeysDisable),
    /// Wipe the bytes of a key: what it sealed can never be opened again
    Destroy(KeysDestroy),
}

/// Which keyring.
#[derive(Debug, Clone, Args)]
pub struct KeyringArgs {
    /// The keyring [default: keyring.toml in the data folder]
    #[arg(long, value_name = "FILE")]
    pub keyring: Option<PathBuf>,
}

/// `finstage keys new`
#[derive(Debug, Args)]
#[command(
    after_help = "A key of yours is 32 bytes as base64, 44 characters. It never stands on the command line, where\nothers could see it:\n\n  head -c 32 /dev/urandom | base64 > key.txt && chmod 600 key.txt\n  finstage keys new --id ours --from file:key.txt"
)]
pub struct KeysNew {
    /// The keyring
    #[command(flatten)]
    pub ring: KeyringArgs,
    /// Its name: 1 to 32 characters of A-Z a-z 0-9 . _ - [default: invented]
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Where a key of yours is, instead of new random bytes
    #[arg(long, value_name = "env:NAME|file:PATH")]
    pub from: Option<String>,
}

/// `finstage keys check`
#[derive(Debug, Args)]
pub struct KeysCheck {
    /// The keyring
    #[command(flatten)]
    pub ring: KeyringArgs,
    /// Check a key that is in no keyring yet: whether it is 32 bytes as base64
    #[arg(long, value_name = "env:NAME|file:PATH", conflicts_with = "keyring")]
    pub from: Option<String>,
}

/// `finstage keys rotate`
#[derive(Debug, Args)]
pub struct KeysRotate {
    /// The keyring
    #[command(flatten)]
    pub ring: KeyringArgs,
    /// Only when it is due: the primary key is 24 hours old or has sealed 2^31 messages
    #[arg(long)]
    pub if_due: bool,
}

/// `finstage keys disable`
#[derive(Debug, Args)]
pub struct KeysDisable {
    /// The key
    #[arg(value_name = "ID")]
    pub id: String,
    /// The keyring
    #[command(flatten)]
    pub ring: KeyringArgs,
}

/// `finstage keys destroy`
#[derive(Debug, Args)]
pub struct KeysDestroy {
    /// The key
    #[arg(value_name = "ID")]
    pub id: String,
    /// The keyring
    #[command(flatten)]
    pub ring: KeyringArgs,
    /// Do it: it cannot be undone
    #[arg(long)]
    pub yes: bool,
}

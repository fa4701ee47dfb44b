//! Arguments of `store`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `finstage store`
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Copy records, journal and history as of one moment, also while a service runs
    #[command(
        after_help = "A path that ends in .tar or .tar.zst becomes one file, any other a folder. Not in it: the token of\nthe server, keys, answers of models, logs. --dry-run says what there is to copy.\nAt its end everything is read once more, as store check does: exit code 6 when the data folder\nis damaged, and its backup with it.\n\nExamples:  finstage store backup /backup/finstage-2026-11-29.tar.zst\n           finstage store backup /backup/today"
    )]
    Backup {
        /// Where it goes: nothing may be there yet
        #[arg(value_name = "PATH")]
        to: PathBuf,
        /// Only say how much there is
        #[arg(long)]
        dry_run: bool,
    },
    /// Put a backup into an empty data folder, which --data-dir names
    #[command(
        after_help = "Every file is held against its checksum before anything counts. --dry-run does only that.\n\nExample:  finstage store restore /backup/finstage-2026-11-29.tar.zst --data-dir fresh"
    )]
    Restore {
        /// The backup: a folder, a .tar or a .tar.zst file
        #[arg(value_name = "PATH")]
        from: PathBuf,
        /// Only check the backup
        #[arg(long)]
        dry_run: bool,
    },
    /// Read every part and say what is not as it was written
    #[command(
        after_help = "Records (pages, indexes, references, ids of signals), the chains of the ledgers, every event of the\njournal, every file of the history, and what lies in the folder and belongs to nothing. Changes\nnothing. Exit code 1 when something is wrong."
    )]
    Check,
    /// Forget what is older than it is to be kept
    #[command(
        after_help = "How long things are kept is said by journal.keep and [retention] of the configuration. Bars, the track\nrecord, the ledgers and whatever has outcomes to come are never forgotten. What goes to an\narchive is on disk there before it is forgotten. Where no service runs, the database gives\nthe space back.\n\nExamples:  finstage store prune --dry-run\n           finstage store prune --archive /backup/old --yes"
    )]
    Prune(StorePrune),
    /// Make damaged or lost records anew: from what can be read, the journal and the history
    #[command(
        after_help = "The old records stay beside the new ones. What no journal tells (trials, the older track record, cards,\nadded watches) comes from the old records as far as they can be read; what is lost is said.\nA backup is better where there is one."
    )]
    Rebuild {
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Which world the records are about, where nothing left says it
        #[arg(long, value_name = "KIND", value_parser = ["real", "demo"])]
        kind: Option<String>,
    },
}

/// `finstage store prune`
#[derive(Debug, Args)]
pub struct StorePrune {
    /// Only say what would be forgotten
    #[arg(long)]
    pub dry_run: bool,
    /// Put it here before [default: retention.archive]
    #[arg(long, value_name = "DIR")]
    pub archive: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

//! Memory of the house: what happened (journal), what was said (records), all bars (history).
//!
//! This crate deliberately does not decide anything: it reads no clock, retries nothing, opens no
//! socket and knows no strategy. It is blocking code; async crates call it on blocking threads.
//!
//! Three types to read first: [`Journal`] (the append-only log that everything else follows from),
//! [`Records`] (everything with a key, in SQL) and [`Batch`] (what one step of the engine adds).
//!
//! ```
//! use std::sync::Arc;
//!
//! use finstage_model::{Day, Event, Payload};
//! use finstage_store::suite::FaultyFiles;
//! use finstage_store::{Journal, JournalOptions, Origin};
//!
//! let files = Arc::new(FaultyFiles::new(1));
//! let journal = Journal::open(files, "/journal".into(), JournalOptions::default());
//! let day = Day::from_days(20_778);
//! let run = journal.create_run(day, &Origin::new("0.0.0", "{}"), &[])?;
//! let mut writer = journal.writer(day, run)?;
//! let tick = Event::new(day.start(), Payload::Tick);
//! let position = writer.append(&[tick])?;
//! assert_eq!(position.to_string(), "2026-11-21/1#0");
//! # Ok::<(), finstage_store::Error>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod files;
pub mod history;
pub mod journal;
mod lock;
pub mod records;
pub mod suite;
pub mod table;

pub use error::{Error, ErrorKind};
pub use files::{DiskFiles, Files, OpenFile, OpenMode, make_private_dir};
pub use history::History;
pub use journal::{Header, Journal, JournalOptions, Origin, Reader, SyncThread, Synced, Writer};
pub use lock::FolderLock;
pub use records::{Batch, Leased, Records, RecordsWriter, Sent};

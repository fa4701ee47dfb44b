//! Everything secret in one small auditable place: values that do not print, signatures, and
//! sealed messages with the keys that they are sealed with.
//!
//! * [`Secret`] refuses to print itself; [`hmac_sha256`] signs with one.
//! * [`Keyring`] holds keys and the order in which they come and go; [`KeyringFile`] keeps it on
//!   disk, [`Keys`] shares it, and looks for changes beside the messages.
//! * [`Sealer`] and [`Opener`] turn messages into envelopes and back; [`pipeline`] opens many.
//!
//! It deliberately does not know what a message means, what time it is, or any network, and it does
//! not hide how long a message is or when it was sent.
//!
//! ```
//! use finstage_seal::{Keyring, Keys, MemoryCounters, NewKey, Opener, Sealer, SealerOptions, UnixTime};
//!
//! let now = UnixTime::from_secs(1_795_253_400);
//! let keys = Keys::new(Keyring::new(NewKey::generate()?, now));
//! let counters = Box::new(MemoryCounters::new(7));
//! let mut sealer = Sealer::new(keys.clone(), counters, SealerOptions::default());
//! let mut envelope = Vec::new();
//! sealer.seal(b"hello", &mut envelope)?;
//!
//! let mut opener = Opener::new(keys);
//! assert_eq!(opener.open(&envelope, now).unwrap().plain, b"hello");
//! assert!(opener.open(&envelope, now).is_err(), "it came before");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod base64;
mod counters;
mod disk;
mod envelope;
mod error;
mod file;
mod key;
mod keyring;
mod keys;
mod numbers;
mod opener;
pub mod pipeline;
mod replay;
mod scratch;
mod sealer;
mod secret;
mod signature;
mod spelled;
mod time;

pub use counters::{CounterFile, Counters, MemoryCounters};
pub use envelope::{MAX_ENVELOPE_BYTES, MAX_PLAIN_BYTES};
pub use error::{Error, ErrorKind};
pub use file::KeyringFile;
pub use key::{BadKey, BadKeyId, KEY_BYTES, Key, KeyId, KeyState, MAX_KEY_ID, NewKey, decode_key};
pub use keyring::{Finding, Keyring, MAX_KEYS, Rotated, Rotation, Severity};
pub use keys::{Keys, LOOK_EVERY};
pub use opener::{Opened, Opener, OpenerCounts, Refused};
pub use replay::{MAX_SENDERS, WIDTH as REPLAY_WIDTH};
pub use sealer::{SealError, Sealer, SealerCounts, SealerOptions};
pub use secret::Secret;
pub use signature::hmac_sha256;
pub use time::{BadTime, UnixTime};

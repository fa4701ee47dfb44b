//! What every journal and every store of records must do, as functions that panic when it does
//! not; and the disk that goes wrong on purpose.
//!
//! Public because the binary's recovery tests run whole services on [`FaultyFiles`], thousands of
//! times in one process.

mod faulty;
pub mod journal;
pub mod records;
mod rng;

pub use faulty::{Fault, FaultyFiles};
pub use rng::Rng;

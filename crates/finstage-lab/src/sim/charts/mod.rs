//! Prices of markets with hours: seeded charts, shared by the venues that tell them.

mod hours;
mod series;

pub(in crate::sim) use self::hours::Hours;
pub(in crate::sim) use self::series::{Listing, Piece, Series};

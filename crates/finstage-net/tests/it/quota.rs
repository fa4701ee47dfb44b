//! The limiter against servers written down a second time, as plainly as can be: what it lets
//! through, what is refused there, and how much of the quota is used.

mod change;
mod model;
mod oracle;
mod properties;
mod servers;
mod tasks;
mod world;

//! Statistics of evidence: how much a measured effect says.
//!
//! Pure functions of numbers, each with the source of its formula. What cannot be said (no events, one
//! date, no spread) is `None`, never NaN. Logarithms, powers and error functions are those of the
//! crate `libm`, not of the platform: a card is the same to the last bit wherever it is computed.
//!
//! The way of a hypothesis: [`event_study`] turns events and returns into an effect θ and its influence
//! series ψ, [`inference`] gives its standard error, [`bootstrap`] its p-value and interval,
//! [`multiple`] what is left of that among many.
//!
//! It deliberately holds no verdict: thresholds and words are the business of the floors above.

pub mod binomial;
pub mod bootstrap;
pub mod cusum;
pub mod event_study;
pub mod inference;
pub mod long_run;
pub mod moments;
pub mod multiple;
pub mod normal;
pub mod occasions;
pub mod overfitting;
pub mod positions;
pub mod power;
pub mod proportion;
pub mod quantile;
pub mod random;
pub mod sharpe;
pub mod shrinkage;
pub mod student;

//! The product as a whole: what was said is said again, whatever happens to the process.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene fails here")]

mod bars;
mod bench;
mod campaign;
mod capture;
mod chat;
mod cli;
mod demo;
mod docs;
mod errors;
mod evidence;
mod gateway;
mod indicators;
mod input;
mod kill;
mod load_results;
mod machine;
mod models;
mod news;
mod parity;
mod prices;
mod recovery;
mod report;
mod rewarm;
mod script;
mod sealing;
mod setup;
mod sweep;
mod tasks;
mod track;
mod upkeep;
mod yahoo;

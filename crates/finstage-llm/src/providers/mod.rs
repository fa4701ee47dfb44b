//! The providers, one file each.
//!
//! To add one: write `providers/NAME.rs` with its `KIND`, and list it in [`ALL`].

mod anthropic;
mod openai;
mod scripted;

use std::sync::Arc;

use crate::Provider;

pub use anthropic::{Anthropic, DEFAULT_MAX_TOKENS};
pub use openai::OpenAi;
pub(crate) use openai::usage;
pub use scripted::{Said, Scripted};

/// A kind of provider that can be configured.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The word in the configuration.
    pub name: &'static str,
    /// One sentence for people.
    pub describes: &'static str,
    /// Where it is asked unless another address is given.
    pub base: &'static str,
    /// What its keys begin with at that address; empty where it needs none.
    pub key_prefix: &'static str,
    /// Makes one.
    pub build: fn() -> Arc<dyn Provider>,
}

/// Every kind of provider, in the order that people read them.
pub const ALL: &[Kind] = &[openai::KIND, anthropic::KIND, scripted::KIND];

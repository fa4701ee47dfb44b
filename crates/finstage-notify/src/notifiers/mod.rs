//! The channels, one file each.
//!
//! To add one: write `notifiers/NAME.rs`, list it in [`ALL`], give it a sample in `suite.rs`.

mod log;
mod telegram;
mod webhook;

pub use log::{Log, MAX_LINE_CHARS};
pub use telegram::{
    Button, DEFAULT_WAIT, MAX_BUTTONS, MAX_TEXT_UNITS, MAX_VERB_BYTES, MAX_WAIT, Telegram,
    TelegramOptions, telegram_markup,
};
pub use webhook::{MIN_WEBHOOK_SECRET_CHARS, Webhook, WebhookOptions};

pub(crate) use telegram::is_telegram_token;

/// A kind of channel that can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The word in the configuration: `kind = "telegram"`.
    pub name: &'static str,
    /// One sentence for people.
    pub describes: &'static str,
    /// The keys it needs beside `kind`.
    pub needs: &'static [&'static str],
}

/// Every kind of channel, in the order that people read them.
pub const ALL: &[Kind] = &[telegram::KIND, webhook::KIND, log::KIND];

//! The settings of `[[notify]]`.

use super::{Key, Kind, asked, key};

/// Those of a channel.
pub(super) const CHANNELS: &[Key] = &[
    asked(
        "notify[]",
        "kind",
        Kind::OneOf(&["telegram", "webhook", "log"]),
        "\"telegram\"",
        "the channel",
    ),
    asked(
        "notify[]",
        "name",
        Kind::Text,
        "\"phone\"",
        "what messages, metrics and the log call it; telegram-CHAT or webhook-HASH where nothing is written",
    ),
    asked("notify[]", "chat", Kind::Text, "\"123456789\"", "telegram: chat id or @channelname"),
    asked(
        "notify[]",
        "token",
        Kind::Secret,
        "\"env:TELEGRAM_TOKEN\"",
        "telegram: the token that @BotFather gave",
    ),
    key(
        "notify[]",
        "url",
        Kind::Text,
        "\"https://api.telegram.org\"",
        "telegram: address of the Bot API; webhook: where to POST, text or env:NAME",
    ),
    asked(
        "notify[]",
        "secret",
        Kind::Secret,
        "\"env:WEBHOOK_SECRET\"",
        "webhook: what signs, 16 characters or more",
    ),
    key(
        "notify[]",
        "commands",
        Kind::Flag,
        "false",
        "telegram: whether this chat may command the bot, which then reads what is written to it",
    ),
    asked(
        "notify[]",
        "send",
        Kind::OneOf(&["verified", "unproven"]),
        "\"verified\"",
        "\"verified\" keeps unproven signals from this channel, where [alerts] send lets them leave",
    ),
    asked(
        "notify[]",
        "per_hour",
        Kind::Count,
        "12",
        "most alerts by this channel within 60 minutes",
    ),
    asked(
        "notify[]",
        "quiet",
        Kind::Text,
        "\"22:00-08:00\"",
        "where it differs from [alerts] quiet",
    ),
    asked("notify[]", "digest", Kind::Text, "\"09:00\"", "where it differs from [alerts] digest"),
    asked(
        "notify[]",
        "language",
        Kind::OneOf(&["en", "ko"]),
        "\"ko\"",
        "language of alerts, answers and digests, where it differs from that of [display]",
    ),
    asked(
        "notify[]",
        "timezone",
        Kind::Text,
        "\"Asia/Seoul\"",
        "where it differs from that of [display]",
    ),
];

//! What people write to a bot, read from the answer of `getUpdates`.
//!
//! Everything here was typed by somebody, perhaps by somebody who means no good: it is cut to size, put
//! on one line and never used as more than words.
//!
//! * Updates: <https://core.telegram.org/bots/api#update>
//! * Buttons: <https://core.telegram.org/bots/api#callbackquery>

use finstage_model::Timestamp;
use serde_json::Value;

use crate::message::clean;

/// The most words behind a command; what is beyond is not read.
pub const MAX_ARGS: usize = 8;
/// The most characters of a word behind a command.
pub const MAX_ARG_CHARS: usize = 100;
/// The most characters of a message that are read.
const MAX_READ_CHARS: usize = 1_000;
/// The most bytes of what a button sends; Telegram's own limit.
const MAX_DATA_BYTES: usize = 64;

/// Something that happened in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Telegram's number of it: they grow.
    pub update: i64,
    /// In which chat.
    pub chat: i64,
    /// When the message was written; of a press, when the message with the button was sent.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
}

/// What happened in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody wrote a command to this bot.
    Command {
        /// In lower case, without the slash.
        name: String,
        /// The words behind it.
        args: Vec<String>,
    },
    /// Somebody pressed a button of ours.
    Press {
        /// What Telegram calls the press.
        id: String,
        /// What the button does.
        verb: String,
        /// To what.
        about: String,
    },
    /// Somebody wrote something else in a chat of two.
    Words,
}

/// The number to ask from next, and what happened, oldest first. `me` is the bot's username: in a group
/// commands may be meant for another bot. What cannot be read is left out, and not asked for again.
#[must_use]
pub fn heard(news: &Value, me: &str) -> (Option<i64>, Vec<Heard>) {
    let mut next = None;
    let mut all = Vec::new();
    for update in news.as_array().into_iter().flatten() {
        let Some(id) = update["update_id"].as_i64() else { continue };
        next = next.max(Some(id.saturating_add(1)));
        let read = match update.get("callback_query") {
            Some(query) => press(id, query),
            None => message(id, &update["message"], me),
        };
        all.extend(read);
    }
    all.sort_by_key(|one| one.update);
    (next, all)
}

fn message(update: i64, message: &Value, me: &str) -> Option<Heard> {
    let chat = &message["chat"];
    let text: String = message["text"].as_str()?.chars().take(MAX_READ_CHARS).collect();
    let what = match text.trim_start().strip_prefix('/') {
        Some(rest) => command(rest, me)?,
        None if chat["type"] == "private" => What::Words,
        None => return None,
    };
    Some(Heard { update, chat: chat["id"].as_i64()?, at: date(message), what })
}

fn command(rest: &str, me: &str) -> Option<What> {
    let mut words = rest.split_whitespace();
    let first = words.next()?;
    let (name, to) = first.split_once('@').unwrap_or((first, me));
    if !to.eq_ignore_ascii_case(me) {
        return None;
    }
    let args = words.take(MAX_ARGS).map(|word| clean(word, MAX_ARG_CHARS));
    let args = args.filter(|word| !word.is_empty()).collect();
    Some(What::Command { name: clean(name, MAX_ARG_CHARS).to_lowercase(), args })
}

fn press(update: i64, query: &Value) -> Option<Heard> {
    let message = &query["message"];
    let data = query["data"].as_str().filter(|data| data.len() <= MAX_DATA_BYTES)?;
    let (verb, about) = data.split_once(':')?;
    let id = clean(query["id"].as_str()?, MAX_ARG_CHARS);
    let what =
        What::Press { id, verb: clean(verb, MAX_ARG_CHARS), about: clean(about, MAX_ARG_CHARS) };
    Some(Heard { update, chat: message["chat"]["id"].as_i64()?, at: date(message), what })
}

fn date(message: &Value) -> Timestamp {
    // Beyond the range of our clock is no date.
    let secs = message["date"].as_i64().filter(|secs| (0..=i64::from(u32::MAX)).contains(secs));
    Timestamp::from_secs(secs.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn said(id: i64, chat: i64, text: &str) -> Value {
        let kind = if chat < 0 { "group" } else { "private" };
        json!({"update_id": id, "message": {"chat": {"id": chat, "type": kind}, "date": 9, "text": text}})
    }

    fn names(news: &Value) -> Vec<(i64, String)> {
        let name = |one: Heard| match one.what {
            What::Command { name, args } => (one.chat, [vec![name], args].concat().join(" ")),
            What::Press { verb, about, .. } => (one.chat, format!("{verb}!{about}")),
            What::Words => (one.chat, "words".into()),
        };
        heard(news, "fin_bot").1.into_iter().map(name).collect()
    }

    #[test]
    fn commands_are_read_with_their_words_and_only_those_for_this_bot() {
        let news = json!([
            said(3, 42, "/Mute  binance:BTCUSDT\t8h"),
            said(4, -7, "/status@fin_bot"),
            said(5, -7, "/status@other_bot"),
            said(6, -7, "good morning"),
            said(7, 42, "good morning"),
            {"update_id": 8, "poll": {}},
            {"update_id": 9, "callback_query": {
                "id": "77", "data": "why:00ab", "message": {"chat": {"id": 42}, "date": 9}}},
        ]);
        assert_eq!(
            names(&news),
            [
                (42, "mute binance:BTCUSDT 8h".into()),
                (-7, "status".into()),
                (42, "words".into()),
                (42, "why!00ab".into()),
            ]
        );
        assert_eq!(
            heard(&news, "fin_bot").0,
            Some(10),
            "what is not for us is not asked for again"
        );
        assert_eq!(heard(&json!([]), "fin_bot"), (None, Vec::new()));
    }

    #[test]
    fn what_was_typed_is_cut_to_size_and_carries_no_controls() {
        let long = format!("/why {} {}", "x".repeat(5_000), "y ".repeat(50));
        let news = json!([
            said(1, 42, &long),
            said(2, 42, "/why \u{202e}\u{7}<b>&\u{0}"),
            said(3, 42, "/"),
        ]);
        let found = heard(&news, "fin_bot").1;
        let What::Command { args, .. } = &found[0].what else { panic!("a command") };
        assert!(args.len() <= MAX_ARGS && args[0].chars().count() == MAX_ARG_CHARS);
        let What::Command { args, .. } = &found[1].what else { panic!("a command") };
        assert_eq!(args, &["<b>&"]);
        assert_eq!(found.len(), 2);
    }

    proptest! {
        #[test]
        fn no_text_and_no_data_bring_it_down(text in ".{0,200}", data in ".{0,80}", id: i64) {
            let news = json!([
                said(id, 42, &text),
                {"update_id": id, "callback_query": {"id": text, "data": data,
                    "message": {"chat": {"id": id}, "date": id}}},
            ]);
            let (next, found) = heard(&news, "fin_bot");
            prop_assert_eq!(next, Some(id.saturating_add(1)));
            for one in found {
                if let What::Command { args, .. } = one.what {
                    prop_assert!(args.iter().all(|arg| !arg.contains(char::is_control)));
                }
            }
        }
    }
}

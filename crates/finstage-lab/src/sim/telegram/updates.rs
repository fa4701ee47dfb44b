//! What users wrote to the bot, for `getUpdates`.

use std::collections::VecDeque;

use finstage_model::Timestamp;
use serde_json::{Value, json};

use super::shapes::chat_json;

/// Messages of users that wait for a poller; older ones are dropped.
pub const MAX_UPDATES: usize = 1_000;
/// The most updates of one answer.
pub const UPDATES_PER_ANSWER: usize = 100;

/// The queue of updates.
#[derive(Debug, Default)]
pub(super) struct Updates {
    next_id: i64,
    waiting: VecDeque<(i64, Value)>,
    /// How often somebody began to poll: only the last one may go on.
    pub(super) pollers: u64,
}

impl Updates {
    /// Queues a message of a user.
    pub(super) fn say(&mut self, (chat, message_id): (i64, i64), text: &str, at: Timestamp) {
        if self.waiting.len() == MAX_UPDATES {
            self.waiting.pop_front();
        }
        self.next_id += 1;
        let mut message = json!({
            "message_id": message_id,
            "from": {"id": chat.abs(), "is_bot": false, "first_name": "Ann", "language_code": "en"},
            "chat": chat_json(chat),
            "date": at.secs(),
            "text": text,
        });
        if text.starts_with('/') {
            let length: usize = text.split_whitespace().next().unwrap_or("").encode_utf16().count();
            message["entities"] = json!([{"offset": 0, "length": length, "type": "bot_command"}]);
        }
        let update = json!({ "update_id": self.next_id, "message": message });
        self.waiting.push_back((self.next_id, update));
    }

    /// Confirms everything below `offset` and hands out what is left; it is handed out again until
    /// it is confirmed.
    pub(super) fn poll(&mut self, offset: i64, limit: usize) -> Vec<Value> {
        while self.waiting.front().is_some_and(|(id, _)| *id < offset) {
            self.waiting.pop_front();
        }
        self.waiting.iter().take(limit).map(|(_, update)| update.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_come_again_until_they_are_confirmed() {
        let mut updates = Updates::default();
        updates.say((42, 7), "/start now", Timestamp::from_secs(1));
        updates.say((42, 8), "hello", Timestamp::from_secs(2));
        assert_eq!(updates.poll(0, 10).len(), 2);
        let again = updates.poll(1, 1);
        assert_eq!(again[0]["update_id"], 1);
        assert_eq!(again[0]["message"]["entities"][0]["length"], 6);
        let left = updates.poll(2, 10);
        assert_eq!((left.len(), &left[0]["message"]["text"]), (1, &json!("hello")));
        assert!(updates.poll(3, 10).is_empty());
    }
}

//! What users wrote to the bot, for `getUpdates`.

use std::collections::VecDeque;

use finstage_model::Timestamp;
use serde_json::{Value, json};

use super::shapes::chat_json;

/// The kinds of updates that can be asked for.
pub(super) const KINDS: [&str; 2] = ["message", "callback_query"];

/// Messages of users that wait for a poller; older ones are dropped.
pub const MAX_UPDATES: usize = 1_000;
/// The most updates of one answer.
pub const UPDATES_PER_ANSWER: usize = 100;

/// The most presses of buttons that are remembered until they are answered; older ones are too old.
pub(super) const MAX_PRESSES: usize = 100;

/// The queue of updates.
#[derive(Debug)]
pub(super) struct Updates {
    next_id: i64,
    waiting: VecDeque<(i64, Value)>,
    /// How often somebody began to poll: only the last one may go on.
    pub(super) pollers: u64,
    /// Which kinds are queued; as last asked for.
    allowed: Vec<&'static str>,
    /// Presses of buttons that nobody answered yet.
    presses: VecDeque<String>,
}

impl Default for Updates {
    fn default() -> Self {
        Self {
            next_id: 0,
            waiting: VecDeque::new(),
            pollers: 0,
            allowed: KINDS.to_vec(),
            presses: VecDeque::new(),
        }
    }
}

impl Updates {
    /// From now on only these kinds are queued; an empty list means all. What waits already stays.
    pub(super) fn allow(&mut self, kinds: &[String]) {
        let wanted = |kind: &&'static str| kinds.is_empty() || kinds.iter().any(|own| own == kind);
        self.allowed = KINDS.into_iter().filter(wanted).collect();
    }

    /// Queues a message of a user.
    pub(super) fn say(&mut self, (chat, message_id): (i64, i64), text: &str, at: Timestamp) {
        let mut message = json!({
            "message_id": message_id,
            "from": user_json(chat),
            "chat": chat_json(chat),
            "date": at.secs(),
            "text": text,
        });
        if text.starts_with('/') {
            let length: usize = text.split_whitespace().next().unwrap_or("").encode_utf16().count();
            message["entities"] = json!([{"offset": 0, "length": length, "type": "bot_command"}]);
        }
        self.queue("message", &message);
    }

    /// Queues the press of a button below `message`.
    pub(super) fn press(&mut self, chat: i64, message: &Value, data: &str) {
        if !self.allowed.contains(&"callback_query") {
            return;
        }
        let id = format!("{}{:06}", chat.unsigned_abs(), self.next_id + 1);
        if self.presses.len() == MAX_PRESSES {
            self.presses.pop_front();
        }
        self.presses.push_back(id.clone());
        let query = json!({
            "id": id,
            "from": user_json(chat),
            "message": message,
            "chat_instance": chat.to_string(),
            "data": data,
        });
        self.queue("callback_query", &query);
    }

    /// Whether a press of that id waits for its answer, which it then has.
    pub(super) fn answer(&mut self, press: &str) -> bool {
        let found = self.presses.iter().position(|id| id == press);
        found.is_some_and(|at| self.presses.remove(at).is_some())
    }

    fn queue(&mut self, kind: &'static str, what: &Value) {
        if !self.allowed.contains(&kind) {
            return;
        }
        if self.waiting.len() == MAX_UPDATES {
            self.waiting.pop_front();
        }
        self.next_id += 1;
        self.waiting.push_back((self.next_id, json!({ "update_id": self.next_id, kind: what })));
    }

    /// Confirms everything below `offset` and hands out what is left; it is handed out again until
    /// it is confirmed. An offset beyond the next number is of another numbering and confirms nothing, as the
    /// real service has it.
    pub(super) fn poll(&mut self, offset: i64, limit: usize) -> Vec<Value> {
        let offset = if offset > self.next_id + 1 { 0 } else { offset };
        while self.waiting.front().is_some_and(|(id, _)| *id < offset) {
            self.waiting.pop_front();
        }
        self.waiting.iter().take(limit).map(|(_, update)| update.clone()).collect()
    }
}

fn user_json(chat: i64) -> Value {
    json!({"id": chat.abs(), "is_bot": false, "first_name": "Ann", "language_code": "en"})
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
        updates.say((42, 9), "again", Timestamp::from_secs(3));
        let anew = updates.poll(892_252_935, 10);
        assert_eq!(anew[0]["update_id"], 3, "whoever counts otherwise hears it as well");
    }

    #[test]
    fn kinds_that_nobody_asked_for_are_not_queued() {
        let mut updates = Updates::default();
        updates.allow(&["message".to_owned()]);
        updates.press(42, &json!({"message_id": 7}), "why:1");
        assert!(updates.poll(0, 10).is_empty());
        updates.allow(&[]);
        updates.press(42, &json!({"message_id": 7}), "why:1");
        let found = updates.poll(0, 10);
        assert_eq!(found[0]["callback_query"]["data"], "why:1");
        let id = found[0]["callback_query"]["id"].as_str().unwrap().to_owned();
        assert!(updates.answer(&id) && !updates.answer(&id), "a press is answered once");
    }
}

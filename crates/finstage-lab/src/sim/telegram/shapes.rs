//! The messenger's objects as JSON.

use serde_json::{Value, json};

use super::TakenMessage;

pub(super) fn me_json(bot: i64) -> Value {
    json!({
        "id": bot,
        "is_bot": true,
        "first_name": "Fin",
        "username": "fin_bot",
        "can_join_groups": true,
        "can_read_all_group_messages": false,
        "supports_inline_queries": false,
        "can_connect_to_business": false,
        "has_main_web_app": false,
    })
}

pub(super) fn chat_json(chat: i64) -> Value {
    let text = chat.to_string();
    match chat {
        0.. => json!({ "id": chat, "first_name": "Ann", "type": "private" }),
        _ if text.starts_with("-100") && text.len() > 10 => {
            json!({ "id": chat, "title": "Prices", "type": "supergroup" })
        }
        _ => json!({ "id": chat, "title": "Prices", "type": "group" }),
    }
}

pub(super) fn message_json(bot: i64, message: &TakenMessage) -> Value {
    let mut json = json!({
        "message_id": message.id,
        "from": { "id": bot, "is_bot": true, "first_name": "Fin", "username": "fin_bot" },
        "chat": chat_json(message.chat),
        "date": message.at.secs(),
        "text": message.text,
    });
    if !message.entities.is_empty() {
        json["entities"] = json!(message.entities);
    }
    json
}

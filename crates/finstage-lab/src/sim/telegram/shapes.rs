//! The messenger's objects as JSON.

use serde_json::{Value, json};

use super::{Button, Refusal, TakenMessage};

/// The most bytes of what a button sends back.
pub const MAX_BUTTON_BYTES: usize = 64;
/// The most buttons below a message.
pub const MAX_BUTTONS: usize = 100;

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
    if !message.buttons.is_empty() {
        let shown = |row: &Vec<Button>| -> Vec<Value> {
            row.iter().map(|b| json!({"text": b.text, "callback_data": b.data})).collect()
        };
        let rows: Vec<Vec<Value>> = message.buttons.iter().map(shown).collect();
        json["reply_markup"] = json!({ "inline_keyboard": rows });
    }
    json
}

/// The buttons below a message. Other keyboards are taken and not shown.
pub(super) fn buttons(markup: Option<&Value>) -> Result<Vec<Vec<Button>>, Refusal> {
    let refused = |what: &str| Refusal::new(400, format!("Bad Request: {what}"));
    let Some(markup) = markup else { return Ok(Vec::new()) };
    if !markup.is_object() {
        return Err(refused("object expected as reply markup"));
    }
    let Some(rows) = markup.get("inline_keyboard") else { return Ok(Vec::new()) };
    let rows =
        rows.as_array().ok_or_else(|| refused("field \"inline_keyboard\" must be an Array"))?;
    let mut shown = Vec::new();
    let mut count = 0;
    for row in rows {
        let row = row.as_array().ok_or_else(|| refused("inline keyboard row must be an Array"))?;
        let mut buttons = Vec::new();
        for button in row {
            let text = button["text"].as_str().unwrap_or_default().to_owned();
            if text.is_empty() {
                return Err(refused(
                    "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
                ));
            }
            let data = button["callback_data"].as_str().unwrap_or_default().to_owned();
            if data.is_empty() || data.len() > MAX_BUTTON_BYTES {
                return Err(refused("BUTTON_DATA_INVALID"));
            }
            count += 1;
            buttons.push(Button { text, data });
        }
        shown.push(buttons);
    }
    if count > MAX_BUTTONS { Err(refused("REPLY_MARKUP_TOO_LONG")) } else { Ok(shown) }
}

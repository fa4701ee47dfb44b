//! The table of settings as a JSON schema.

use serde_json::{Map, Value, json};

use super::{KEYS, Key, Kind, SECTIONS};

/// The JSON schema (draft 2020-12) of the file, for editors.
#[must_use]
pub fn schema() -> Value {
    let mut properties = Map::new();
    for (section, describes) in SECTIONS {
        let keys: Vec<&Key> = KEYS.iter().filter(|key| key.section == *section).collect();
        let inner: Map<String, Value> =
            keys.iter().map(|key| (key.name.to_owned(), key_schema(key))).collect();
        let is_list = section.ends_with("[]");
        let required: Vec<&str> = keys
            .iter()
            .filter(|key| {
                is_list
                    && key.default.is_none()
                    && !matches!(key.name, "chat" | "token" | "secret" | "cooldown")
            })
            .map(|key| key.name)
            .collect();
        let object = json!({"type": "object", "properties": inner, "required": required, "additionalProperties": false});
        let (name, schema) = match (section.strip_suffix("[]"), section.strip_suffix(".*")) {
            (Some(list), _) => {
                (list, json!({"type": "array", "items": object, "description": describes}))
            }
            (_, Some(map)) => (
                map,
                json!({"type": "object", "additionalProperties": object, "description": describes}),
            ),
            _ => (*section, object),
        };
        match name.split('.').collect::<Vec<_>>()[..] {
            // A section in each entry of a map that stands before it.
            [map, "*", inner] => {
                properties[map]["additionalProperties"]["properties"][inner] = schema;
            }
            [outer, inner] => {
                let outer = properties.entry(outer).or_insert_with(
                    || json!({"type": "object", "properties": {}, "additionalProperties": false}),
                );
                outer["properties"][inner] = schema;
            }
            _ => drop(properties.insert(name.to_owned(), schema)),
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "finstage.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn key_schema(key: &Key) -> Value {
    let mut schema = match key.kind {
        Kind::Text | Kind::Secret => json!({"type": "string"}),
        Kind::OneOf(words) => json!({"type": "string", "enum": words}),
        Kind::Duration => json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"}),
        Kind::Count => json!({"type": "integer", "minimum": 0}),
        Kind::Number => json!({"type": "number", "minimum": 0}),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Numbers => json!({"type": "object", "additionalProperties": {"type": "number"}}),
        Kind::Flag => json!({"type": "boolean"}),
    };
    schema["description"] = json!(key.describes);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_within_the_entries_of_a_map_is_part_of_each_of_them() {
        let schema = schema();
        let venue = &schema["properties"]["venues"]["additionalProperties"];
        assert_eq!(venue["properties"]["rest"]["type"], "string");
        let sealed = &venue["properties"]["sealed"];
        assert_eq!(sealed["properties"]["patience"]["enum"][0], "stream-fallback");
        assert_eq!(sealed["additionalProperties"], false);
    }
}

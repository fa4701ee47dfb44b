//! JSON Schema as far as structured answers need it: a value that fits, and what strict answers demand.

use serde_json::{Map, Number, Value, json};

use super::script::words;
use crate::rng::Rng;

/// Nothing is looked at deeper than this.
const MAX_DEPTH: usize = 24;
/// The most elements that a list gets.
const MAX_ITEMS: u64 = 8;
/// The longest text, in characters, that a `minLength` may demand.
const MAX_TEXT: u64 = 1_000;

/// A value that fits a schema, drawn from `rng`. What is not understood is filled with words.
pub(super) fn value(schema: &Value, rng: &mut Rng) -> Value {
    Builder { root: schema }.value(schema, 0, rng)
}

struct Builder<'a> {
    root: &'a Value,
}

impl Builder<'_> {
    fn value(&self, schema: &Value, depth: usize, rng: &mut Rng) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|name| self.resolve(name)) {
            return self.value(target, depth + 1, rng);
        }
        if !schema["const"].is_null() {
            return schema["const"].clone();
        }
        for choices in ["enum", "anyOf", "oneOf"] {
            let Some(all) = schema[choices].as_array().filter(|all| !all.is_empty()) else {
                continue;
            };
            // Where alternatives may nest for ever, the first is the one that ends.
            let i = if depth > MAX_DEPTH / 2 { 0 } else { rng.below(all.len() as u64) as usize };
            return match choices {
                "enum" => all[i].clone(),
                _ => self.value(&all[i], depth + 1, rng),
            };
        }
        match kind(schema) {
            "object" => self.object(schema, depth, rng),
            "array" => self.array(schema, depth, rng),
            "integer" => json!(between(schema, rng).round() as i64),
            "number" => Number::from_f64((between(schema, rng) * 100.0).round() / 100.0)
                .map_or(Value::Null, Value::Number),
            "boolean" => json!(rng.below(2) == 1),
            "null" => Value::Null,
            _ => json!(text(schema, rng)),
        }
    }

    fn object(&self, schema: &Value, depth: usize, rng: &mut Rng) -> Value {
        let mut made = Map::new();
        let required = |name: &str| {
            let names = schema["required"].as_array();
            names.is_none_or(|names| names.iter().any(|one| one == name))
        };
        for (name, own) in schema["properties"].as_object().into_iter().flatten() {
            if required(name) || depth < 2 {
                made.insert(name.clone(), self.value(own, depth + 1, rng));
            }
        }
        Value::Object(made)
    }

    fn array(&self, schema: &Value, depth: usize, rng: &mut Rng) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(1).min(MAX_ITEMS);
        let most = schema["maxItems"].as_u64().unwrap_or(least + 2).min(MAX_ITEMS).max(least);
        // Deep down a list is as short as it may be, so that trees end.
        let count = match depth {
            0..=3 => least + rng.below(most - least + 1),
            _ => schema["minItems"].as_u64().unwrap_or(0).min(MAX_ITEMS),
        };
        (0..count).map(|_| self.value(&schema["items"], depth + 1, rng)).collect()
    }

    fn resolve(&self, name: &str) -> Option<&Value> {
        self.root.pointer(name.strip_prefix('#')?)
    }
}

/// The type of a schema; of several the first.
fn kind(schema: &Value) -> &str {
    let named = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    let guessed = if schema["properties"].is_object() { "object" } else { "string" };
    named.unwrap_or(guessed)
}

fn between(schema: &Value, rng: &mut Rng) -> f64 {
    let bound = |names: [&str; 2], inward: f64| {
        let [inclusive, exclusive] = names.map(|name| schema[name].as_f64());
        inclusive.or(exclusive.map(|bound| bound + inward))
    };
    let from = bound(["minimum", "exclusiveMinimum"], 0.01);
    let to = bound(["maximum", "exclusiveMaximum"], -0.01);
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from, to.max(from)),
        (Some(from), None) => (from, from + 100.0),
        (None, Some(to)) => (to - 100.0, to),
        (None, None) => (0.0, 100.0),
    };
    let drawn = rng.range(from, to);
    if kind(schema) == "integer" { drawn.round().clamp(from.ceil(), to.floor()) } else { drawn }
}

fn text(schema: &Value, rng: &mut Rng) -> String {
    match schema["format"].as_str() {
        Some("date") => return "2026-11-21".to_owned(),
        Some("date-time") => return "2026-11-21T09:30:15Z".to_owned(),
        _ => {}
    }
    let count = 2 + rng.below(5) as usize;
    let mut text = words(count, rng);
    let least = schema["minLength"].as_u64().unwrap_or(0).min(MAX_TEXT) as usize;
    while text.chars().count() < least {
        text.push_str(" and so on");
    }
    match schema["maxLength"].as_u64() {
        Some(most) => text.chars().take(usize::try_from(most).unwrap_or(usize::MAX)).collect(),
        None => text,
    }
}

/// What a strict answer demands of its schema: every property is required and no others are allowed.
pub(super) fn check_strict(schema: &Value) -> Result<(), String> {
    strict(schema, 0)
}

fn strict(schema: &Value, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("it nests deeper than {MAX_DEPTH}."));
    }
    if let Some(properties) = schema["properties"].as_object() {
        if schema["additionalProperties"] != false {
            return Err(
                "'additionalProperties' is required to be supplied and to be false.".to_owned()
            );
        }
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(name) = properties.keys().find(|name| !required.iter().any(|r| r == *name)) {
            return Err(format!(
                "'required' is required to be supplied and to be an array including every key in \
                 properties. Missing '{name}'."
            ));
        }
    }
    let below = ["properties", "$defs"].into_iter().filter_map(|key| schema[key].as_object());
    let alternatives = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema[key].as_array());
    let mut all = below.flat_map(Map::values).chain(alternatives.flatten());
    all.try_for_each(|own| strict(own, depth + 1))?;
    match schema["items"].is_object() {
        true => strict(&schema["items"], depth + 1),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_fits_its_schema() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "required": ["side", "score", "count", "why", "tags", "next"],
            "properties": {
                "side": {"type": "string", "enum": ["buy", "sell", "hold"]},
                "score": {"type": "number", "minimum": -1, "maximum": 1},
                "count": {"type": "integer", "minimum": 3, "maximum": 5},
                "why": {"type": "string", "minLength": 40, "maxLength": 60},
                "tags": {"type": "array", "minItems": 2, "maxItems": 3, "items": {"$ref": "#/$defs/tag"}},
                "next": {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
            },
            "$defs": {"tag": {"type": "string", "const": "t"}},
        });
        assert_eq!(check_strict(&schema), Ok(()));
        for seed in 0..200 {
            let made = value(&schema, &mut Rng::new(seed));
            let side = made["side"].as_str().unwrap();
            assert!(["buy", "sell", "hold"].contains(&side));
            assert!((-1.0..=1.0).contains(&made["score"].as_f64().unwrap()), "{made}");
            assert!((3..=5).contains(&made["count"].as_i64().unwrap()), "{made}");
            assert!((40..=60).contains(&made["why"].as_str().unwrap().chars().count()), "{made}");
            let tags = made["tags"].as_array().unwrap();
            assert!((2..=3).contains(&tags.len()) && tags.iter().all(|tag| tag == "t"), "{made}");
            assert!(made["next"].is_null() || made["next"].is_boolean());
            assert_eq!(made, value(&schema, &mut Rng::new(seed)));
        }
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let tree = json!({
            "type": "object", "required": ["children"],
            "properties": {"children": {"type": "array", "minItems": 1, "items": {"$ref": "#"}}},
        });
        let made = value(&tree, &mut Rng::new(1)).to_string();
        assert!(made.len() < 100_000, "{}", made.len());
    }

    #[test]
    fn strict_schemas_require_all_and_allow_no_more() {
        let lax = json!({"type": "object", "properties": {"a": {}}, "required": ["a"]});
        assert!(check_strict(&lax).unwrap_err().contains("additionalProperties"));
        let partly = json!({"properties": {"a": {}, "b": {}}, "required": ["a"], "additionalProperties": false});
        assert!(check_strict(&partly).unwrap_err().ends_with("Missing 'b'."));
        let deep = json!({"type": "array", "items": lax});
        assert!(check_strict(&deep).is_err());
    }
}

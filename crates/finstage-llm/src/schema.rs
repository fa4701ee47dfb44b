//! JSON schemas, as far as answers of models are held against them.
//!
//! Known are `type properties required additionalProperties items enum const minimum maximum exclusiveMinimum
//! exclusiveMaximum minLength maxLength minItems maxItems anyOf oneOf allOf $defs definitions $ref` (within the
//! document), `true` and `false`, and the annotations `title description default examples format $schema $id $comment
//! deprecated`. Any other keyword is an error: what is not checked must not look checked. Drafts 7 to 2020-12 agree
//! on all of these.

mod check;
mod compile;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Error;

/// How deep schemas may be nested, references included, and values be looked at.
pub const MAX_DEPTH: usize = 64;

/// A schema that was understood as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    root: Node,
    /// What `$ref` points to, by its pointer.
    named: BTreeMap<String, Node>,
}

/// One schema.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// `true` or `false`.
    Always(bool),
    Rules(Box<Rules>),
}

/// What a value has to hold against; an absent keyword holds always.
#[derive(Debug, Clone, PartialEq, Default)]
struct Rules {
    reference: Option<String>,
    kinds: Option<Vec<Kind>>,
    allowed: Option<Vec<Value>>,
    properties: BTreeMap<String, Node>,
    required: Vec<String>,
    additional: Option<Node>,
    items: Option<Node>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    above: Option<f64>,
    below: Option<f64>,
    length: (Option<u64>, Option<u64>),
    count: (Option<u64>, Option<u64>),
    any_of: Vec<Node>,
    one_of: Vec<Node>,
    all_of: Vec<Node>,
}

/// What `type` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    Object,
    Array,
    Number,
    Integer,
    String,
}

impl Kind {
    const ALL: [(&'static str, Self); 7] = [
        ("null", Self::Null),
        ("boolean", Self::Boolean),
        ("object", Self::Object),
        ("array", Self::Array),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("string", Self::String),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(own, _)| *own == name).map(|(_, kind)| kind)
    }

    fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// When it has a keyword that is not known here, a keyword with a value that it cannot have, or a reference
    /// that leads nowhere; with its place as a JSON pointer.
    pub fn new(schema: &Value) -> Result<Self, Error> {
        compile::schema(schema)
    }

    /// Any JSON object: what `response_format` of type `json_object` asks for.
    #[must_use]
    pub fn any_object() -> Self {
        let rules = Rules { kinds: Some(vec![Kind::Object]), ..Rules::default() };
        Self { root: Node::Rules(Box::new(rules)), named: BTreeMap::new() }
    }

    /// Holds a value against it.
    ///
    /// # Errors
    /// The first complaint, with its place in the value: something that a model can act on.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        check::value(self, value)
    }

    /// Reads an answer's text as JSON and holds it against the schema.
    ///
    /// # Errors
    /// Why it is none, or does not hold.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let value = serde_json::from_str(text.trim())
            .map_err(|error| format!("the answer is no JSON: {error}"))?;
        self.check(&value).map(|()| value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: &Value, value: &Value) -> Result<(), String> {
        Schema::new(schema).unwrap().check(value)
    }

    #[test]
    fn each_keyword_lets_through_what_holds_and_nothing_else() {
        // a table: keyword, a value that holds, one that does not
        let cases = [
            (json!({"type": "integer"}), json!(3.0), json!(3.5)),
            (json!({"type": ["string", "null"]}), json!(null), json!(1)),
            (json!({"enum": ["buy", 1]}), json!(1.0), json!("sell")),
            (json!({"const": {"a": 1}}), json!({"a": 1}), json!({"a": 2})),
            (json!({"minimum": 0, "maximum": 1}), json!(1), json!(1.01)),
            (json!({"exclusiveMinimum": 0}), json!(0.1), json!(0)),
            (json!({"exclusiveMaximum": 1}), json!(0), json!(1)),
            (json!({"minLength": 2}), json!("가나"), json!("가")),
            (json!({"maxLength": 2}), json!("가나"), json!("abc")),
            (json!({"minItems": 1}), json!([0]), json!([])),
            (json!({"maxItems": 1}), json!([0]), json!([0, 0])),
            (json!({"items": {"type": "string"}}), json!(["a"]), json!(["a", 1])),
            (json!({"required": ["a"]}), json!({"a": null}), json!({})),
            (json!({"properties": {"a": {"type": "null"}}}), json!({"b": 1}), json!({"a": 1})),
            (
                json!({"additionalProperties": false, "properties": {"a": true}}),
                json!({"a": 1}),
                json!({"b": 1}),
            ),
            (
                json!({"additionalProperties": {"type": "number"}}),
                json!({"b": 1}),
                json!({"b": "x"}),
            ),
            (json!({"anyOf": [{"type": "null"}, {"minimum": 5}]}), json!(7), json!(3)),
            (json!({"oneOf": [{"minimum": 0}, {"maximum": 9}]}), json!(-1), json!(5)),
            (json!({"allOf": [{"minimum": 0}, {"maximum": 9}]}), json!(5), json!(10)),
            (
                json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}),
                json!("x"),
                json!(1),
            ),
            (json!(true), json!(1), json!(null)),
        ];
        for (schema, good, bad) in cases {
            assert_eq!(check(&schema, &good), Ok(()), "{schema}");
            if schema != json!(true) {
                assert!(check(&schema, &bad).is_err(), "{schema}");
            }
        }
        assert!(check(&json!(false), &json!(1)).is_err());
    }

    #[test]
    fn a_keyword_does_not_complain_about_other_kinds_of_values() {
        let schema = json!({"minimum": 3, "minLength": 3, "minItems": 3, "required": ["a"]});
        assert_eq!(check(&schema, &json!(true)), Ok(()));
        assert_eq!(check(&schema, &json!(5)), Ok(()));
    }

    #[test]
    fn a_complaint_names_the_place_and_what_was_wanted() {
        let schema = json!({"type": "object", "required": ["side"], "properties": {
            "side": {"enum": ["buy", "sell"]}, "steps": {"items": {"type": "number"}}}});
        let complaint = |value: Value| check(&schema, &value).unwrap_err();
        assert_eq!(complaint(json!({})), "the answer lacks 'side'");
        assert_eq!(
            complaint(json!({"side": "up"})),
            "/side is \"up\", not one of [\"buy\",\"sell\"]"
        );
        let deep = complaint(json!({"side": "buy", "steps": [1, "x"]}));
        assert_eq!(deep, "/steps/1 is of type string, not number");
        let schema = Schema::new(&schema).unwrap();
        assert!(schema.read("{\"side\":").unwrap_err().starts_with("the answer is no JSON"));
        assert_eq!(schema.read(" {\"side\":\"buy\"}\n"), Ok(json!({"side": "buy"})));
    }

    #[test]
    fn what_would_not_be_checked_is_refused() {
        for (schema, words) in [
            (json!({"pattern": "^a"}), "pattern"),
            (
                json!({"properties": {"a": {"multipleOf": 2}}}),
                "/properties/a: keyword 'multipleOf'",
            ),
            (json!({"type": "decimal"}), "decimal"),
            (json!({"$ref": "#/$defs/none"}), "leads nowhere"),
            (json!({"$ref": "https://example.com/s"}), "within the document"),
            (json!({"minimum": "1"}), "minimum"),
            (json!({"items": [{"type": "null"}]}), "items"),
            (json!(7), "no schema"),
        ] {
            let error = Schema::new(&schema).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let tree = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object",
            "properties": {"next": {"$ref": "#/$defs/node"}}}}});
        assert_eq!(check(&tree, &json!({"next": {"next": {}}})), Ok(()));
        assert!(check(&tree, &json!({"next": {"next": 1}})).is_err());
        let mut deep = json!({});
        (0..200).for_each(|_| deep = json!({"next": deep}));
        assert!(check(&tree, &deep).unwrap_err().contains("deep"));
        let loops = json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}});
        assert!(check(&loops, &json!(1)).unwrap_err().contains("deep"));
    }
}

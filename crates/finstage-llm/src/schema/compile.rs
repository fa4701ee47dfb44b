//! A schema's text becomes rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Kind, MAX_DEPTH, Node, Rules, Schema};
use crate::Error;

/// Keywords that say nothing about whether a value holds.
const ANNOTATIONS: [&str; 11] = [
    "title",
    "description",
    "default",
    "examples",
    "format",
    "$schema",
    "$id",
    "$comment",
    "deprecated",
    "$defs",
    "definitions",
];

pub(super) fn schema(schema: &Value) -> Result<Schema, Error> {
    let mut compiler = Compiler { document: schema, wanted: Vec::new() };
    let root = compiler.node(schema, "", 0)?;
    let mut named = BTreeMap::new();
    while let Some(pointer) = compiler.wanted.pop() {
        if named.contains_key(&pointer) {
            continue;
        }
        let Some(target) = schema.pointer(&pointer) else {
            return Err(Error::invalid(format!("schema: $ref '#{pointer}' leads nowhere")));
        };
        let node = compiler.node(target, &pointer, 0)?;
        named.insert(pointer, node);
    }
    Ok(Schema { root, named })
}

struct Compiler<'a> {
    document: &'a Value,
    /// What references point to.
    wanted: Vec<String>,
}

impl Compiler<'_> {
    fn node(&mut self, schema: &Value, at: &str, depth: usize) -> Result<Node, Error> {
        if depth > MAX_DEPTH {
            return Err(wrong(at, &format!("more than {MAX_DEPTH} deep")));
        }
        match schema {
            Value::Bool(always) => Ok(Node::Always(*always)),
            Value::Object(members) => {
                let mut rules = Rules::default();
                for (keyword, value) in members {
                    self.keyword((keyword, value), &mut rules, (at, depth))?;
                }
                Ok(Node::Rules(Box::new(rules)))
            }
            other => Err(wrong(at, &format!("{other} is no schema: write an object"))),
        }
    }

    // a table: one line per keyword
    fn keyword(
        &mut self,
        (keyword, value): (&str, &Value),
        rules: &mut Rules,
        (at, depth): (&str, usize),
    ) -> Result<(), Error> {
        let here = format!("{at}/{keyword}");
        let bad = |what: &str| wrong(at, &format!("{keyword} is {value}: write {what}"));
        let number = || value.as_f64().ok_or_else(|| bad("a number"));
        let whole = || value.as_u64().ok_or_else(|| bad("a whole number"));
        match keyword {
            "type" => rules.kinds = Some(kinds(value).ok_or_else(|| bad("types of JSON"))?),
            "enum" => rules.allowed = Some(value.as_array().ok_or_else(|| bad("a list"))?.clone()),
            "const" => rules.allowed = Some(vec![value.clone()]),
            "minimum" => rules.minimum = Some(number()?),
            "maximum" => rules.maximum = Some(number()?),
            "exclusiveMinimum" => rules.above = Some(number()?),
            "exclusiveMaximum" => rules.below = Some(number()?),
            "minLength" => rules.length.0 = Some(whole()?),
            "maxLength" => rules.length.1 = Some(whole()?),
            "minItems" => rules.count.0 = Some(whole()?),
            "maxItems" => rules.count.1 = Some(whole()?),
            "required" => rules.required = names(value).ok_or_else(|| bad("a list of names"))?,
            "properties" => {
                let members = value.as_object().ok_or_else(|| bad("an object of schemas"))?;
                rules.properties = self.members(members, &here, depth)?;
            }
            "additionalProperties" => {
                rules.additional = Some(self.node(value, &here, depth + 1)?);
            }
            "items" if value.is_array() => return Err(bad("one schema for all items")),
            "items" => rules.items = Some(self.node(value, &here, depth + 1)?),
            "anyOf" => rules.any_of = self.list(value, &here, depth)?,
            "oneOf" => rules.one_of = self.list(value, &here, depth)?,
            "allOf" => rules.all_of = self.list(value, &here, depth)?,
            "$ref" => rules.reference = Some(self.reference(value, at)?),
            keyword if ANNOTATIONS.contains(&keyword) => {}
            "pattern" | "patternProperties" => {
                let words = format!(
                    "keyword '{keyword}' is not checked here: say it in the description, use enum"
                );
                return Err(wrong(at, &words));
            }
            keyword => {
                let words = format!("keyword '{keyword}' is not known here: leave it out");
                return Err(wrong(at, &words));
            }
        }
        Ok(())
    }

    fn members(
        &mut self,
        members: &Map<String, Value>,
        at: &str,
        depth: usize,
    ) -> Result<BTreeMap<String, Node>, Error> {
        let one = |(name, schema): (&String, &Value)| {
            let node = self.node(schema, &format!("{at}/{name}"), depth + 1)?;
            Ok((name.clone(), node))
        };
        members.iter().map(one).collect()
    }

    fn list(&mut self, value: &Value, at: &str, depth: usize) -> Result<Vec<Node>, Error> {
        let all = value.as_array().filter(|all| !all.is_empty());
        let all = all.ok_or_else(|| wrong(at, "write a list of schemas"))?;
        let one = |(place, schema)| self.node(schema, &format!("{at}/{place}"), depth + 1);
        all.iter().enumerate().map(one).collect()
    }

    fn reference(&mut self, value: &Value, at: &str) -> Result<String, Error> {
        let pointer = value.as_str().and_then(|text| text.strip_prefix('#'));
        let is_pointer = |pointer: &&str| pointer.is_empty() || pointer.starts_with('/');
        let Some(pointer) = pointer.filter(is_pointer) else {
            return Err(wrong(at, &format!("$ref {value} does not point within the document")));
        };
        if self.document.pointer(pointer).is_none() {
            return Err(wrong(at, &format!("$ref '#{pointer}' leads nowhere")));
        }
        self.wanted.push(pointer.to_owned());
        Ok(pointer.to_owned())
    }
}

fn kinds(value: &Value) -> Option<Vec<Kind>> {
    match value {
        Value::String(name) => Some(vec![Kind::named(name)?]),
        Value::Array(names) => names.iter().map(|name| Kind::named(name.as_str()?)).collect(),
        _ => None,
    }
}

fn names(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

fn wrong(at: &str, words: &str) -> Error {
    let place = if at.is_empty() { "/" } else { at };
    Error::invalid(format!("schema at {place}: {words}"))
}

//! Values are held against rules.

use serde_json::{Map, Value};

use super::{Kind, MAX_DEPTH, Node, Rules, Schema};

/// Complaints quote values; of long ones so many characters.
const MAX_QUOTED: usize = 80;

pub(super) fn value(schema: &Schema, value: &Value) -> Result<(), String> {
    Checker { schema }.node(&schema.root, value, &Spot { above: None, name: Name::Root, depth: 0 })
}

struct Checker<'a> {
    schema: &'a Schema,
}

/// A place in the value that is looked at. Its text is made when there is something to complain about.
struct Spot<'a> {
    above: Option<&'a Spot<'a>>,
    name: Name<'a>,
    depth: usize,
}

enum Name<'a> {
    Root,
    Member(&'a str),
    Item(usize),
}

impl<'a> Spot<'a> {
    fn below(&'a self, name: Name<'a>) -> Self {
        Self { above: Some(self), name, depth: self.depth + 1 }
    }

    /// The same place, one reference deeper.
    fn deeper(&'a self) -> Self {
        Self { above: Some(self), name: Name::Root, depth: self.depth + 1 }
    }

    fn path(&self) -> String {
        let above = self.above.map(Spot::path).unwrap_or_default();
        match self.name {
            Name::Root => above,
            Name::Member(name) => format!("{above}/{name}"),
            Name::Item(place) => format!("{above}/{place}"),
        }
    }

    fn words(&self) -> String {
        let path = self.path();
        if path.is_empty() { "the answer".to_owned() } else { path }
    }
}

impl Checker<'_> {
    fn node(&self, node: &Node, value: &Value, spot: &Spot<'_>) -> Result<(), String> {
        if spot.depth > MAX_DEPTH {
            return Err(format!("the answer is more than {MAX_DEPTH} deep"));
        }
        match node {
            Node::Always(true) => Ok(()),
            Node::Always(false) => Err(format!("{} is not allowed", spot.words())),
            Node::Rules(rules) => self.rules(rules, value, spot),
        }
    }

    fn rules(&self, rules: &Rules, value: &Value, spot: &Spot<'_>) -> Result<(), String> {
        if let Some(kinds) = &rules.kinds
            && !kinds.iter().any(|kind| is_of(*kind, value))
        {
            let wanted: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
            let (own, wanted) = (kind_of(value), wanted.join(" or "));
            return Err(format!("{} is of type {own}, not {wanted}", spot.words()));
        }
        if let Some(allowed) = &rules.allowed
            && !allowed.iter().any(|one| is_equal(one, value))
        {
            let all = Value::Array(allowed.clone());
            return Err(format!("{} is {}, not one of {all}", spot.words(), quoted(value)));
        }
        match value {
            Value::Number(_) => numbers(rules, value.as_f64().unwrap_or_default(), spot)?,
            Value::String(text) => {
                within(rules.length, text.chars().count(), || {
                    format!("characters of {}", spot.words())
                })?;
            }
            Value::Array(items) => {
                within(rules.count, items.len(), || format!("items of {}", spot.words()))?;
                if let Some(node) = &rules.items {
                    for (place, item) in items.iter().enumerate() {
                        self.node(node, item, &spot.below(Name::Item(place)))?;
                    }
                }
            }
            Value::Object(members) => self.members(rules, members, spot)?,
            Value::Null | Value::Bool(_) => {}
        }
        self.combined(rules, value, spot)
    }

    fn members(
        &self,
        rules: &Rules,
        members: &Map<String, Value>,
        spot: &Spot<'_>,
    ) -> Result<(), String> {
        if let Some(name) = rules.required.iter().find(|name| !members.contains_key(*name)) {
            return Err(format!("{} lacks '{name}'", spot.words()));
        }
        for (name, value) in members {
            let below = spot.below(Name::Member(name));
            match (rules.properties.get(name), &rules.additional) {
                (Some(node), _) | (None, Some(node)) => self.node(node, value, &below)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn combined(&self, rules: &Rules, value: &Value, spot: &Spot<'_>) -> Result<(), String> {
        let deeper = spot.deeper();
        if let Some(pointer) = &rules.reference {
            let node = self.schema.named.get(pointer).unwrap_or(&self.schema.root);
            self.node(node, value, &deeper)?;
        }
        rules.all_of.iter().try_for_each(|node| self.node(node, value, &deeper))?;
        if !rules.any_of.is_empty() {
            let mut first = None;
            let holds = rules.any_of.iter().any(|node| match self.node(node, value, &deeper) {
                Ok(()) => true,
                Err(complaint) => {
                    first.get_or_insert(complaint);
                    false
                }
            });
            if !holds {
                let complaint = first.unwrap_or_default();
                return Err(format!("{} fits none of anyOf: {complaint}", spot.words()));
            }
        }
        if !rules.one_of.is_empty() {
            let holding =
                rules.one_of.iter().filter(|node| self.node(node, value, &deeper).is_ok()).count();
            if holding != 1 {
                return Err(format!("{} fits {holding} of oneOf, not one", spot.words()));
            }
        }
        Ok(())
    }
}

fn numbers(rules: &Rules, number: f64, spot: &Spot<'_>) -> Result<(), String> {
    let bounds = [
        (rules.minimum.is_some_and(|least| number < least), "less than", rules.minimum),
        (rules.maximum.is_some_and(|most| number > most), "more than", rules.maximum),
        (rules.above.is_some_and(|bound| number <= bound), "not above", rules.above),
        (rules.below.is_some_and(|bound| number >= bound), "not below", rules.below),
    ];
    match bounds.iter().find(|(is_broken, _, _)| *is_broken) {
        Some((_, words, bound)) => {
            Err(format!("{} is {number}, {words} {}", spot.words(), bound.unwrap_or_default()))
        }
        None => Ok(()),
    }
}

fn within(
    (least, most): (Option<u64>, Option<u64>),
    count: usize,
    what: impl Fn() -> String,
) -> Result<(), String> {
    let count = count as u64;
    match (least, most) {
        (Some(least), _) if count < least => Err(format!("{count} {}, at least {least}", what())),
        (_, Some(most)) if count > most => Err(format!("{count} {}, at most {most}", what())),
        _ => Ok(()),
    }
}

fn is_of(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Null => value.is_null(),
        Kind::Boolean => value.is_boolean(),
        Kind::Object => value.is_object(),
        Kind::Array => value.is_array(),
        Kind::Number => value.is_number(),
        Kind::String => value.is_string(),
        // 3.0 is an integer, as the drafts since 6 say.
        Kind::Integer => value.as_f64().is_some_and(|number| number.fract() == 0.0),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Equal as JSON: 1 and 1.0 are one number.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, a)| other.get(name).is_some_and(|b| is_equal(a, b)))
        }
        _ => one == other,
    }
}

fn quoted(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MAX_QUOTED {
        return text;
    }
    text.chars().take(MAX_QUOTED).chain(['…']).collect()
}

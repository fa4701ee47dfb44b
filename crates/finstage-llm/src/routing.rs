//! Which models are asked, in which order.

use serde_json::Value;

use crate::{Error, Estimate, Row};

/// The most models that a row passes.
pub const MAX_STEPS: usize = 8;

/// Models, cheap to strong, and when the next one is asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Routing {
    /// Cheap to strong; where there is none, the row's own model is asked alone.
    pub models: Vec<String>,
    /// Where a row begins: the first rule that holds. The first model where none does.
    pub rules: Vec<RouteRule>,
    /// Which answers are not good enough, beside refusals and those that do not fit the schema.
    pub weak: Weak,
    /// Asked once where a model cannot be asked at all: after its retries, or because it is unknown.
    pub fallback: Option<String>,
}

/// A rule on where a row begins.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteRule {
    /// When it holds.
    pub when: When,
    /// The model to begin with; what stands before it is left out.
    pub model: String,
}

/// When a rule holds.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// The question has more tokens than this.
    LongerThan(u64),
    /// The row's name begins like this.
    NameBegins(String),
    /// A member of the body, by JSON pointer, is this text or has it inside.
    Says(String, String),
}

/// Which answers are passed on to the next model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weak {
    /// Those whose confidence is less.
    pub confidence: Option<Confidence>,
    /// Those that ended because tokens ran out.
    pub is_cut_weak: bool,
}

/// Where an answer, read as JSON, says how sure it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Confidence {
    /// A JSON pointer to a number.
    pub pointer: String,
    /// The least that is enough. An answer without that number is not sure.
    pub least: f64,
}

impl Confidence {
    /// Whether an answer is sure enough.
    #[must_use]
    pub fn is_enough(&self, answer: &Value) -> bool {
        let number = answer.pointer(&self.pointer).and_then(Value::as_f64);
        number.is_some_and(|number| number >= self.least)
    }
}

impl Routing {
    /// Looks whether it can be followed.
    ///
    /// # Errors
    /// When it has more than [`MAX_STEPS`] models, an empty or repeated name, or a pointer that is none.
    pub fn check(&self) -> Result<(), Error> {
        if self.models.len() > MAX_STEPS {
            let words = format!("{} models in a route: at most {MAX_STEPS}", self.models.len());
            return Err(Error::invalid(words));
        }
        let named = self.rules.iter().map(|rule| &rule.model).chain(&self.fallback);
        if self.models.iter().chain(named).any(String::is_empty) {
            return Err(Error::invalid("a route names a model without a name"));
        }
        let twice =
            self.models.iter().enumerate().find(|(at, one)| self.models[..*at].contains(one));
        if let Some((_, model)) = twice {
            return Err(Error::invalid(format!("a route names model '{model}' twice")));
        }
        let pointers = self.weak.confidence.iter().map(|confidence| &confidence.pointer);
        let said = self.rules.iter().filter_map(|rule| match &rule.when {
            When::Says(pointer, _) => Some(pointer),
            _ => None,
        });
        match pointers.chain(said).find(|pointer| !pointer.is_empty() && !pointer.starts_with('/'))
        {
            Some(pointer) => {
                let words = format!("'{pointer}' is no JSON pointer: write it as /confidence");
                Err(Error::invalid(words))
            }
            None => Ok(()),
        }
    }

    /// The models that a row passes, in order.
    pub(crate) fn steps<'a>(&'a self, row: &'a Row, sizes: &Estimate) -> Vec<&'a str> {
        let first = self.rules.iter().find(|rule| rule.when.holds(row, sizes));
        let models = || self.models.iter().map(String::as_str);
        match first.map(|rule| rule.model.as_str()) {
            Some(model) if self.models.iter().any(|own| own == model) => {
                models().skip_while(|own| *own != model).collect()
            }
            Some(model) => vec![model],
            None if self.models.is_empty() => vec![row.model()],
            None => models().collect(),
        }
    }
}

impl When {
    fn holds(&self, row: &Row, sizes: &Estimate) -> bool {
        match self {
            Self::LongerThan(tokens) => sizes.prompt > *tokens,
            Self::NameBegins(beginning) => row.custom_id.starts_with(beginning.as_str()),
            Self::Says(pointer, text) => {
                let pointed = pointer.strip_prefix('/').and_then(|rest| {
                    let (name, below) = rest.split_once('/').unwrap_or((rest, ""));
                    let member = row.body.get(&name.replace("~1", "/").replace("~0", "~"))?;
                    if below.is_empty() {
                        Some(member)
                    } else {
                        member.pointer(&format!("/{below}"))
                    }
                });
                pointed.and_then(Value::as_str).is_some_and(|own| own.contains(text.as_str()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::CHAT;

    fn row(custom_id: &str) -> Row {
        let body = json!({"model": "own", "messages": [{"role": "user", "content": "a contract"}]});
        let body = body.as_object().unwrap().clone();
        Row { line: 1, custom_id: custom_id.to_owned(), url: CHAT.to_owned(), body }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn bulk_begins_with_the_cheap_model_and_what_a_rule_names_with_a_stronger_one() {
        let rule = |when, model: &str| RouteRule { when, model: model.to_owned() };
        let says = When::Says("/messages/0/content".to_owned(), "contract!".to_owned());
        let routing = Routing {
            models: names(&["cheap", "middle", "strong"]),
            rules: vec![
                rule(When::LongerThan(1_000), "strong"),
                rule(When::NameBegins("vip-".to_owned()), "middle"),
                rule(says, "other"),
            ],
            ..Routing::default()
        };
        let short = Estimate { prompt: 1_000, ..Estimate::default() };
        let long = Estimate { prompt: 1_001, ..Estimate::default() };
        assert_eq!(routing.steps(&row("a"), &short), ["cheap", "middle", "strong"]);
        assert_eq!(routing.steps(&row("a"), &long), ["strong"]);
        assert_eq!(routing.steps(&row("vip-1"), &short), ["middle", "strong"]);
        let mut loud = row("a");
        loud.body["messages"][0]["content"] = json!("a contract!");
        assert_eq!(routing.steps(&loud, &short), ["other"]);
        assert_eq!(Routing::default().steps(&row("a"), &long), ["own"]);
    }

    #[test]
    fn a_route_that_cannot_be_followed_is_refused() {
        let of = |models: &[&str]| Routing { models: names(models), ..Routing::default() };
        assert!(of(&["a", "b"]).check().is_ok());
        assert!(of(&["a", "b", "a"]).check().unwrap_err().to_string().contains("'a' twice"));
        assert!(of(&["a", ""]).check().is_err());
        assert!(of(&["1", "2", "3", "4", "5", "6", "7", "8", "9"]).check().is_err());
        let confidence = Some(Confidence { pointer: "confidence".to_owned(), least: 0.5 });
        let weak = Weak { confidence, ..Weak::default() };
        assert!(Routing { weak, ..Routing::default() }.check().is_err());
    }

    #[test]
    fn an_answer_without_its_confidence_is_not_sure() {
        let confidence = Confidence { pointer: "/sure".to_owned(), least: 0.7 };
        assert!(confidence.is_enough(&json!({"sure": 0.7})));
        assert!(!confidence.is_enough(&json!({"sure": 0.69})));
        assert!(!confidence.is_enough(&json!({"sure": "0.9"})));
        assert!(!confidence.is_enough(&json!({})));
    }
}

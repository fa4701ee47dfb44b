//! The parameters of a rule as typed, matched to the parameters it declares.

use finstage_engine::ParamSpec;
use finstage_model::Call;

use crate::{Error, ErrorKind};

/// The given values by name; a value without one has the name that `specs` gives its place.
///
/// # Errors
/// Names what is given twice or is one too many. Whether a name exists and a value fits is for the
/// owner of `specs` to say.
pub(crate) fn named(call: &Call, specs: &[ParamSpec]) -> Result<Vec<(String, f64)>, Error> {
    let mut named: Vec<(String, f64)> = Vec::with_capacity(call.args.len());
    for (place, (name, value)) in call.args.iter().enumerate() {
        let name = match (name, specs.get(place)) {
            (Some(name), _) => name.as_str(),
            (None, Some(spec)) => spec.name,
            (None, None) => {
                return Err(refuse(call, &format!("too many values; it has {}", names(specs))));
            }
        };
        if named.iter().any(|(known, _)| known == name) {
            return Err(refuse(call, &format!("{name} is given twice")));
        }
        named.push((name.to_owned(), *value));
    }
    Ok(named)
}

/// The names that are declared.
pub(super) fn names(specs: &[ParamSpec]) -> String {
    specs.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ")
}

/// An error that begins with the name of the rule.
pub(super) fn refuse(call: &Call, why: &str) -> Error {
    Error::new(ErrorKind::Strategy, format!("{}: {why}", call.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[ParamSpec] =
        &[ParamSpec::period("fast", 10, "bars"), ParamSpec::period("slow", 30, "bars")];

    fn arguments(text: &str) -> Result<Vec<(String, f64)>, String> {
        named(&text.parse().unwrap(), SPECS).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_come_by_name_or_by_place() {
        let both = vec![("fast".to_owned(), 5.0), ("slow".to_owned(), 20.0)];
        for text in ["x(5,20)", "x(fast=5,slow=20)", "x(5,slow=20)"] {
            assert_eq!(arguments(text), Ok(both.clone()), "{text}");
        }
        assert_eq!(arguments("x"), Ok(vec![]));
        assert_eq!(arguments("x(slow=20)"), Ok(both[1..].to_vec()));
    }

    #[test]
    fn surplus_and_repeated_values_are_refused() {
        assert_eq!(arguments("x(5,fast=6)").unwrap_err(), "x: fast is given twice");
        assert_eq!(arguments("x(1,2,3)").unwrap_err(), "x: too many values; it has fast, slow");
    }
}

use std::fmt;
use std::str::FromStr;

/// A name with parameters as people type it: `RSI`, `RSI(14)`, `golden_cross(fast=20,slow=100)`.
///
/// ```
/// use finstage_model::Call;
/// let call: Call = "MACD(12, 26, signalperiod=9)".parse().unwrap();
/// assert_eq!(call.name, "MACD");
/// assert_eq!(call.args[2], (Some("signalperiod".into()), 9.0));
/// assert_eq!(call.to_string(), "MACD(12,26,signalperiod=9)");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The name before the parenthesis.
    pub name: String,
    /// The values in the order typed, each with its name where one was given.
    pub args: Vec<(Option<String>, f64)>,
}

/// Why a text is not a [`Call`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    text: String,
    why: &'static str,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\": {}: write NAME, NAME(14) or NAME(period=14)", self.text, self.why)
    }
}

impl std::error::Error for CallError {}

impl FromStr for Call {
    type Err = CallError;

    fn from_str(text: &str) -> Result<Self, CallError> {
        let refuse = |why| CallError { text: text.to_owned(), why };
        let (name, rest) = match text.split_once('(') {
            None => (text, ""),
            Some((name, rest)) => {
                (name, rest.strip_suffix(')').ok_or_else(|| refuse("no closing parenthesis"))?)
            }
        };
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let name = name.trim();
        if !is_name(name) {
            return Err(refuse("not a name"));
        }
        let mut args = Vec::new();
        for arg in rest.split(',').map(str::trim).filter(|_| !rest.trim().is_empty()) {
            let (key, value) = match arg.split_once('=') {
                Some((key, value)) => (Some(key.trim()), value.trim()),
                None => (None, arg),
            };
            if !key.is_none_or(is_name) {
                return Err(refuse("not a parameter's name"));
            }
            let value: f64 = value.parse().map_err(|_| refuse("a parameter is not a number"))?;
            if !value.is_finite() {
                return Err(refuse("a parameter is not a number"));
            }
            args.push((key.map(str::to_owned), value));
        }
        Ok(Self { name: name.to_owned(), args })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<String> = self
            .args
            .iter()
            .map(|(key, value)| match key {
                Some(key) => format!("{key}={value}"),
                None => value.to_string(),
            })
            .collect();
        match args.is_empty() {
            true => f.write_str(&self.name),
            false => write!(f, "{}({})", self.name, args.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_a_call_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "not a name"),
            ("RSI(14", "no closing parenthesis"),
            ("RSI(14))", "a parameter is not a number"),
            ("RSI(a=b)", "a parameter is not a number"),
            ("RSI(1,,2)", "a parameter is not a number"),
            ("RSI(nan)", "a parameter is not a number"),
            ("RSI(=3)", "not a parameter's name"),
            ("R SI", "not a name"),
        ] {
            let error = text.parse::<Call>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert_eq!("RSI()".parse::<Call>().unwrap().args, []);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_calls_round_trip(text in "\\PC{0,40}", value in -1e9f64..1e9) {
            let _ = text.parse::<Call>();
            let call = Call { name: "X".into(), args: vec![(None, value), (Some("p".into()), value)] };
            prop_assert_eq!(call.to_string().parse::<Call>().unwrap(), call);
        }
    }
}

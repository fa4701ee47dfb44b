//! A grid of parameters: what was typed, which values that means, which combination has which place.

use std::fmt;
use std::str::FromStr;

use finstage_model::IdHasher;

use crate::{Error, ErrorKind};

/// The most parameters of a grid.
pub const MAX_AXES: usize = 5;
/// The most combinations of a grid, those that make no sense included.
pub const MAX_COMBINATIONS: usize = 10_000_000;

/// The values of one parameter: `fast=5..50`, `lower=20..40:2.5` or `slow=50,100,200`.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The name of the parameter.
    pub name: String,
    /// Its values, in the order in which they are tried; at least one, each once.
    pub values: Vec<f64>,
}

impl FromStr for Axis {
    type Err = Error;

    /// # Errors
    /// Names what was typed and how it is written.
    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| {
            let form = "write NAME=FROM..TO, NAME=FROM..TO:STEP or NAME=A,B,C";
            Err(Error::new(ErrorKind::Grid, format!("grid \"{text}\": {why}; {form}")))
        };
        let Some((name, values)) = text.split_once('=') else { return refuse("it has no =") };
        let (name, values) = (name.trim(), values.trim());
        if name.is_empty() {
            return refuse("it names no parameter");
        }
        let values = match range(values) {
            Some(range) => range,
            None => values.split(',').map(number).collect(),
        };
        match values {
            Ok(values) if has_repeats(&values) => refuse("a value is listed twice"),
            Ok(values) => Ok(Self { name: name.to_owned(), values }),
            Err(why) => refuse(&why),
        }
    }
}

/// Most values that are listed one by one where they have no step.
const MAX_LISTED: usize = 50;

impl fmt::Display for Axis {
    /// The same values ascending, as short as they can be typed: `5..20`, `20..40:2.5`, `50,100,200`.
    /// Many without a step are told apart by a hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        let (first, last) = (values[0], values[values.len() - 1]);
        write!(f, "{}=", self.name)?;
        let step = if values.len() > 2 { decimal(values[1] - first) } else { 0.0 };
        let fits = |(place, value): (usize, &f64)| decimal(first + place as f64 * step) == *value;
        if step > 0.0 && values.iter().enumerate().all(fits) {
            return match step {
                1.0 => write!(f, "{first}..{last}"),
                step => write!(f, "{first}..{last}:{step}"),
            };
        }
        if values.len() > MAX_LISTED {
            let bytes = |hash: IdHasher, value: &f64| hash.bytes(&value.to_bits().to_le_bytes());
            let hash = values.iter().fold(IdHasher::new(), bytes).finish();
            return write!(f, "{first}..{last} ({} values {hash:032x})", values.len());
        }
        let values: Vec<String> = values.iter().map(f64::to_string).collect();
        f.write_str(&values.join(","))
    }
}

/// The values of `from..to` or `from..to:step`; `None` when it is a list.
fn range(text: &str) -> Option<Result<Vec<f64>, String>> {
    let (from, rest) = text.split_once("..")?;
    let (to, step) = rest.split_once(':').unwrap_or((rest, "1"));
    Some(number(from).and_then(|from| steps(from, number(to)?, number(step)?)))
}

fn steps(from: f64, to: f64, step: f64) -> Result<Vec<f64>, String> {
    if step <= 0.0 {
        return Err(format!("the step {step} is not more than 0"));
    }
    if to < from {
        return Err(format!("{to} is less than {from}"));
    }
    // A little more, because 0.1 + 2 × 0.1 is beyond 0.3.
    let last = ((to - from) / step + 1e-9).floor();
    if last >= MAX_COMBINATIONS as f64 {
        return Err(format!("more than {MAX_COMBINATIONS} values"));
    }
    Ok((0..=last as usize).map(|place| decimal(from + place as f64 * step)).collect())
}

/// The double that nine decimals behind the point mean, as if it had been typed.
fn decimal(value: f64) -> f64 {
    let scaled = (value * 1e9).round();
    if scaled.abs() < 9e15 { scaled / 1e9 } else { value }
}

fn number(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("\"{}\" is not a number", text.trim())),
    }
}

fn has_repeats(values: &[f64]) -> bool {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

/// All combinations of the values of some parameters. The last parameter changes fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    axes: Vec<Axis>,
    combinations: usize,
}

impl Grid {
    /// The combinations of these parameters.
    ///
    /// # Errors
    /// When there are none, more than [`MAX_AXES`] or one twice, or when they have more than
    /// [`MAX_COMBINATIONS`] combinations.
    pub fn new(axes: Vec<Axis>) -> Result<Self, Error> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Grid, why));
        if axes.is_empty() {
            return refuse(
                "no grid: say which parameter takes which values, fast=5..50".to_owned(),
            );
        }
        if axes.len() > MAX_AXES {
            return refuse(format!("grid of {} parameters: at most {MAX_AXES}", axes.len()));
        }
        for (place, axis) in axes.iter().enumerate() {
            let name = &axis.name;
            if axes[..place].iter().any(|before| before.name == *name) {
                return refuse(format!("grid \"{name}\": it is given twice"));
            }
            if axis.values.is_empty() {
                return refuse(format!("grid \"{name}\": it has no values"));
            }
        }
        let combinations = axes.iter().try_fold(1usize, |product, axis| {
            product.checked_mul(axis.values.len()).filter(|count| *count <= MAX_COMBINATIONS)
        });
        match combinations {
            Some(combinations) => Ok(Self { axes, combinations }),
            None => refuse(format!(
                "grid of more than {MAX_COMBINATIONS} combinations: take greater steps"
            )),
        }
    }

    /// The parameters and their values.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The number of combinations, those that make no sense included.
    #[must_use]
    pub fn combinations(&self) -> usize {
        self.combinations
    }

    /// The values of the combination at `place`, in the order of the axes.
    #[must_use]
    pub fn values(&self, place: usize) -> Vec<f64> {
        let mut values = Vec::with_capacity(self.axes.len());
        self.read(place, &mut values);
        values
    }

    /// As [`Grid::values`], into memory that is used again.
    pub(crate) fn read(&self, mut place: usize, values: &mut Vec<f64>) {
        values.clear();
        for axis in self.axes.iter().rev() {
            values.push(axis.values[place % axis.values.len()]);
            place /= axis.values.len();
        }
        values.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        text.parse::<Axis>().unwrap().values
    }

    fn refused(text: &str) -> String {
        let error = text.parse::<Axis>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Grid);
        error.to_string()
    }

    #[test]
    fn a_range_holds_its_end_when_the_steps_meet_it() {
        assert_eq!(values("fast=5..8"), [5.0, 6.0, 7.0, 8.0]);
        assert_eq!(values("fast = 5..10:2"), [5.0, 7.0, 9.0]);
        assert_eq!(values("fast=5..5"), [5.0]);
        assert_eq!(values("deviations=-0.1..0.3:0.1"), [-0.1, 0.0, 0.1, 0.2, 0.3]);
        assert_eq!(values("slow=200,50, 100"), [200.0, 50.0, 100.0]);
    }

    #[test]
    fn what_is_no_range_is_refused_with_its_form() {
        let form = "write NAME=FROM..TO, NAME=FROM..TO:STEP or NAME=A,B,C";
        assert_eq!(refused("fast"), format!("grid \"fast\": it has no =; {form}"));
        for (text, why) in [
            ("=1..2", "it names no parameter"),
            ("fast=", "\"\" is not a number"),
            ("fast=1..x", "\"x\" is not a number"),
            ("fast=1..inf", "\"inf\" is not a number"),
            ("fast=9..1", "1 is less than 9"),
            ("fast=1..9:0", "the step 0 is not more than 0"),
            ("fast=1..9:-1", "the step -1 is not more than 0"),
            ("fast=1..2:1e-12", "more than 10000000 values"),
            ("fast=1,2,1", "a value is listed twice"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn the_same_values_have_the_same_text() {
        let text = |typed: &str| typed.parse::<Axis>().unwrap().to_string();
        for (typed, said) in [
            ("p=5..20", "p=5..20"),
            ("p=5..20:5", "p=5..20:5"),
            ("p=7,6,5", "p=5..7"),
            ("p=0.1..0.5:0.1", "p=0.1..0.5:0.1"),
            ("p=200,50,100", "p=50,100,200"),
            ("p=3", "p=3"),
            ("p=3..4", "p=3,4"),
        ] {
            assert_eq!(text(typed), said);
            assert_eq!(text(said), said);
        }
        let many = |last: usize| {
            let squares: Vec<String> = (1..=last).map(|n| (n * n).to_string()).collect();
            text(&format!("p={}", squares.join(",")))
        };
        assert!(many(51).starts_with("p=1..2601 (51 values "), "{}", many(51));
        assert!(many(50).ends_with(",2500"));
    }

    #[test]
    fn the_last_parameter_changes_fastest() {
        let grid = Grid::new(vec!["a=1..2".parse().unwrap(), "b=5,4,3".parse().unwrap()]).unwrap();
        assert_eq!(grid.combinations(), 6);
        assert_eq!((grid.values(0), grid.values(1)), (vec![1.0, 5.0], vec![1.0, 4.0]));
        assert_eq!(grid.values(5), [2.0, 3.0]);
    }

    #[test]
    fn too_much_is_refused() {
        let refused = |texts: &[&str]| {
            let axes = texts.iter().map(|text| text.parse().unwrap()).collect();
            Grid::new(axes).unwrap_err().to_string()
        };
        assert!(refused(&[]).starts_with("no grid: say which parameter"));
        assert_eq!(refused(&["a=1", "a=2"]), "grid \"a\": it is given twice");
        assert_eq!(
            refused(&["a=1", "b=1", "c=1", "d=1", "e=1", "f=1"]),
            "grid of 6 parameters: at most 5"
        );
        assert_eq!(
            refused(&["a=1..4000", "b=1..4000"]),
            "grid of more than 10000000 combinations: take greater steps"
        );
    }
}

//! One simulated day through the whole product: the same seed must tell the same story twice, whether its
//! stream comes plain or sealed.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{output_of, pages};

const SEED: &str = "7";
const DEMO: [&str; 6] = ["demo", "--fast", "--exit", "--json", "--seed", SEED];

/// Runs the day twice, the second time over a sealed stream, and compares.
pub(crate) fn same_twice() -> Result<()> {
    judge(run(Profile::Tests, &[])?, run(Profile::Tests, &["--sealed"])?)
}

/// Runs the day as users get it and says how fast it went.
pub(crate) fn timed_release() -> Result<()> {
    let day = run(Profile::Release, &[])?;
    let number = |name: &str| {
        day.get(name).and_then(Value::as_f64).with_context(|| format!("the day has no `{name}`"))
    };
    let (events, elapsed_s) = (number("events")?, number("elapsed_s")?);
    ensure!(elapsed_s > 0.0, "the day took no time");
    eprintln!("    {events} events in {elapsed_s:.2} s: {:.0} a second", events / elapsed_s);
    judge(day.clone(), day)
}

#[derive(Clone, Copy)]
enum Profile {
    Tests,
    Release,
}

fn run(profile: Profile, more: &[&str]) -> Result<Value> {
    let demo = [&DEMO[..], more].concat();
    let text = match profile {
        Profile::Tests => output_of(&pages::build()?.to_string_lossy(), &demo)?,
        Profile::Release => {
            let run = ["run", "--release", "--quiet", "--locked", "--package", "finstage", "--"];
            output_of("cargo", &[&run[..], &demo].concat())?
        }
    };
    serde_json::from_str(&text).with_context(|| format!("the demo printed no JSON: {text}"))
}

fn judge(mut first: Value, mut second: Value) -> Result<()> {
    let parity = first.get("parity").and_then(Value::as_str);
    ensure!(parity == Some("ok"), "parity is {parity:?}, not \"ok\"");
    forget_durations(&mut first);
    forget_durations(&mut second);
    if first != second {
        bail!("seed {SEED} told two stories:\n{first}\n{second}");
    }
    Ok(())
}

/// Removes what may differ between runs: fields that begin with `elapsed`.
fn forget_durations(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.starts_with("elapsed"));
            fields.values_mut().for_each(forget_durations);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_durations),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_days_are_the_same_but_for_their_durations() {
        let day = json!({"seed": 7, "parity": "ok", "hash": "ab", "elapsed_s": 1.5});
        let slower = json!({"seed": 7, "parity": "ok", "hash": "ab", "elapsed_s": 2.5});
        let other = json!({"seed": 7, "parity": "ok", "hash": "ac", "elapsed_s": 1.5});
        let broken = json!({"seed": 7, "parity": "mismatch", "hash": "ab"});
        assert!(judge(day.clone(), slower).is_ok());
        assert!(judge(day, other).unwrap_err().to_string().contains("two stories"));
        assert!(judge(broken.clone(), broken).unwrap_err().to_string().contains("parity"));
    }
}

//! One simulated day through the whole product as users get it, timed.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::output_of;

const DEMO: &str =
    "run --release --quiet --locked --package finstage -- demo --fast --exit --json --seed 7";

/// Runs the day and says how fast it went.
pub(crate) fn timed_release() -> Result<()> {
    let words: Vec<&str> = DEMO.split(' ').collect();
    let text = output_of("cargo", &words)?;
    let day: Value =
        serde_json::from_str(&text).with_context(|| format!("the demo printed no JSON: {text}"))?;
    let number = |name: &str| {
        day.get(name).and_then(Value::as_f64).with_context(|| format!("the day has no `{name}`"))
    };
    let (events, elapsed_s) = (number("events")?, number("elapsed_s")?);
    ensure!(elapsed_s > 0.0, "the day took no time");
    ensure!(day["parity"] == "ok", "live and replay differ: {day}");
    eprintln!("    {events} events in {elapsed_s:.2} s: {:.0} a second", events / elapsed_s);
    Ok(())
}

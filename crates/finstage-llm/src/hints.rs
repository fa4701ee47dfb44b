//! What headers say of limits and waits, in the words of several servers.

use std::time::Duration;

use finstage_model::Timestamp;
use finstage_net::{Reading, Response, retry_after};

/// The rule that counts requests.
pub const REQUESTS: &str = "requests";
/// The rule that counts tokens.
pub const TOKENS: &str = "tokens";

/// Reads a duration as Go prints it: `6m0s`, `17ms`, `1h2m3.5s`. A bare number is seconds.
#[must_use]
pub fn go_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut rest = text;
    let mut whole = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let unit = match &tail[..end] {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        whole += number * unit;
        rest = &tail[end..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(whole).ok()).flatten()
}

/// The wait that an answer asks for: `retry-after-ms`, else `retry-after` in seconds, parts of
/// seconds or as a date.
pub(crate) fn asked_wait(response: &Response, now: Timestamp) -> Option<Duration> {
    if let Some(ms) = response.header("retry-after-ms").and_then(|text| text.trim().parse().ok()) {
        return Duration::try_from_secs_f64(ms_to_secs(ms)).ok();
    }
    retry_after(response, now).or_else(|| {
        let seconds: f64 = response.header("retry-after")?.trim().parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    })
}

fn ms_to_secs(ms: f64) -> f64 {
    ms / 1_000.0
}

/// What `x-should-retry` says, where it is sent.
pub(crate) fn should_retry(response: &Response) -> Option<bool> {
    match response.header("x-should-retry")?.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Limit and rest of one rule, from headers of these names.
pub(crate) fn reading(
    response: &Response,
    rule: &'static str,
    (limit, left): (&str, &str),
) -> Option<Reading> {
    let number = |name| response.header(name)?.trim().parse::<u64>().ok();
    let limit = number(limit)?;
    let used = number(left).map(|left| limit.saturating_sub(left));
    Some(Reading { rule, used, limit: Some(limit) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(headers: &[(&str, &str)]) -> Response {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Response { status: 429, headers, body: Vec::new() }
    }

    #[test]
    fn durations_are_read_as_go_prints_them() {
        let ms = |text| go_duration(text).map(|d: Duration| d.as_micros());
        assert_eq!(ms("6m0s"), Some(360_000_000));
        assert_eq!(ms("17ms"), Some(17_000));
        assert_eq!(ms("1h2m3.5s"), Some(3_723_500_000));
        assert_eq!(ms("250µs"), Some(250));
        assert_eq!(ms("1.5"), Some(1_500_000));
        for wrong in ["", "soon", "5x", "m5", "-3s", "1e400"] {
            assert_eq!(go_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_finest_wait_that_is_named_counts() {
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        let wait = |headers: &[(&str, &str)]| asked_wait(&with(headers), now);
        let both = wait(&[("retry-after", "2"), ("retry-after-ms", "1800")]);
        assert_eq!(both, Some(Duration::from_millis(1_800)));
        assert_eq!(wait(&[("retry-after", "0.25")]), Some(Duration::from_millis(250)));
        let date = wait(&[("retry-after", "Sun, 29 Nov 2026 12:00:07 GMT")]);
        assert_eq!(date, Some(Duration::from_secs(7)));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn what_is_left_of_a_limit_is_read_as_what_is_used() {
        let response = with(&[("limit", "5000"), ("left", "4999")]);
        let reading = reading(&response, REQUESTS, ("limit", "left")).unwrap();
        assert_eq!((reading.used, reading.limit), (Some(1), Some(5_000)));
    }
}

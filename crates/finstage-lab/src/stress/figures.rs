//! Figures of load tests as people read them.

use super::Language;

/// A time in ms with three digits and the unit that suits it: `0.42 ms`, `12.3 ms`, `1.50 s`.
#[must_use]
pub fn time(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() => "–".into(),
        ms if ms >= 999.5 => format!("{} s", three_digits(ms / 1000.0)),
        ms => format!("{} ms", three_digits(ms)),
    }
}

/// As [`time`], a dash for nothing.
#[must_use]
pub fn maybe_time(ms: Option<f64>) -> String {
    ms.map_or_else(|| "–".into(), time)
}

/// A count, its thousands parted.
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A rate a second: parted thousands, or three digits below a hundred.
#[must_use]
pub fn rate(per_second: f64) -> String {
    match per_second {
        rate if !rate.is_finite() => "–".into(),
        rate if rate >= 99.95 => count(rate.round() as u64),
        rate => three_digits(rate),
    }
}

/// A share of 1 as percent, with the space that the language sets.
#[must_use]
pub fn percent(share: f64, language: Language) -> String {
    let percent = 100.0 * share;
    // What is not nothing must not be printed as nothing.
    let text = match percent {
        p if p > 0.0 && p < 0.05 => "< 0.1".to_owned(),
        p if (99.95..100.0).contains(&p) => "> 99.9".to_owned(),
        p => format!("{p:.1}"),
    };
    format!("{text}{}", language.pick(" %", "%"))
}

/// Seconds since the start, as people say them: `12.3 s`, `4 min 5 s`.
#[must_use]
pub fn moment(seconds: f64) -> String {
    match seconds {
        s if s >= 119.5 => {
            let whole = s.round() as u64;
            format!("{} min {} s", whole / 60, whole % 60)
        }
        s => format!("{} s", three_digits(s)),
    }
}

/// Bytes in the unit that suits them.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b >= 1e9 => format!("{} GB", three_digits(b / 1e9)),
        b if b >= 1e6 => format!("{} MB", three_digits(b / 1e6)),
        b if b >= 1e3 => format!("{} kB", three_digits(b / 1e3)),
        b => format!("{b} B"),
    }
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_never_hide_what_is_there() {
        assert_eq!([time(0.418), time(12.34), time(250.0)], ["0.42 ms", "12.3 ms", "250 ms"]);
        assert_eq!([time(1500.0), maybe_time(None)], ["1.50 s", "–"]);
        assert_eq!([count(0), count(999), count(1_234_567)], ["0", "999", "1,234,567"]);
        assert_eq!([rate(0.5), rate(1234.6)], ["0.50", "1,235"]);
        let percent = |share| percent(share, Language::English);
        assert_eq!([percent(0.0), percent(0.00001)], ["0.0 %", "< 0.1 %"]);
        assert_eq!([percent(0.99999), percent(1.0)], ["> 99.9 %", "100.0 %"]);
        assert_eq!([moment(12.0), moment(245.0)], ["12.0 s", "4 min 5 s"]);
        assert_eq!([bytes(512), bytes(24_600_000)], ["512 B", "24.6 MB"]);
    }
}

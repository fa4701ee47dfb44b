//! A comparison in words.

use std::fmt::Write as _;

use super::super::Language;
use super::super::figures::{maybe_time, percent, rate};
use super::{Compared, Comparison, Remark, Verdict};

/// The comparison as lines for a terminal; `names` are those of the runs.
#[must_use]
pub fn text(comparison: &Comparison, names: [&str; 2], language: Language) -> String {
    let mut out = String::new();
    let put = |out: &mut String, line: &str| {
        let _ = writeln!(out, "{}", line.trim_end());
    };
    put(&mut out, &format!("A  {}\nB  {}\n", harmless(names[0]), harmless(names[1])));
    for difference in &comparison.settings {
        let shown = |value: &Option<serde_json::Value>| match value {
            None => "–".to_owned(),
            Some(value) => harmless(value.as_str().unwrap_or(&value.to_string())),
        };
        let (name, a, b) = (harmless(&difference.name), shown(&difference.a), shown(&difference.b));
        put(&mut out, &format!("{} {name}: A {a}, B {b}", language.pick("setting", "설정")));
    }
    if !comparison.settings.is_empty() {
        out.push('\n');
    }
    let head = language.pick(
        ["", "A", "B", "B/A", "99 % interval", ""],
        ["", "A", "B", "B/A", "99% 신뢰구간", ""],
    );
    let mut rows: Vec<[String; 6]> = vec![head.map(str::to_owned)];
    rows.extend(comparison.figures.iter().map(|figure| row(figure, language)));
    // Percentiles that have a verdict stand above.
    for (name, a, b) in comparison
        .percentiles
        .iter()
        .filter(|(name, ..)| !["p50_ms", "p99_ms"].contains(&name.as_str()))
    {
        let ratio = a
            .zip(*b)
            .filter(|(a, _)| *a > 0.0)
            .map_or_else(String::new, |(a, b)| format!("{:.3}", b / a));
        rows.push([
            name.trim_end_matches("_ms").to_owned(),
            maybe_time(*a),
            maybe_time(*b),
            ratio,
            String::new(),
            String::new(),
        ]);
    }
    for line in aligned(&rows) {
        put(&mut out, &line);
    }
    out.push('\n');
    for remark in &comparison.remarks {
        put(&mut out, remark_words(*remark, language));
    }
    put(
        &mut out,
        &format!("{}: {}", language.pick("verdict", "판정"), sentence(comparison, language)),
    );
    out
}

fn row(figure: &Compared, language: Language) -> [String; 6] {
    let is_share = figure.figure == "failed_share";
    let shown = |value: Option<f64>| match value {
        None => "–".to_owned(),
        Some(share) if is_share => percent(share, language),
        Some(value) if figure.figure == "ok_per_s" => rate(value),
        Some(ms) => maybe_time(Some(ms)),
    };
    let change = |value: f64| match is_share {
        true => format!("{:+.2} pp", 100.0 * value),
        false => format!("{value:.3}"),
    };
    let interval = figure.low.zip(figure.high);
    [
        figure.figure.trim_end_matches("_ms").to_owned(),
        shown(figure.a),
        shown(figure.b),
        figure.change.map_or_else(|| "–".to_owned(), change),
        interval.map_or_else(
            || "–".to_owned(),
            |(low, high)| format!("{} – {}", change(low), change(high)),
        ),
        word(figure.verdict, language).to_owned(),
    ]
}

/// The word of a verdict.
fn word(verdict: Verdict, language: Language) -> &'static str {
    match verdict {
        Verdict::Better => language.pick("better", "개선"),
        Verdict::Same => language.pick("same", "동일"),
        Verdict::Worse => language.pick("worse", "악화"),
        Verdict::Unclear => language.pick("unclear", "불분명"),
    }
}

fn sentence(comparison: &Comparison, language: Language) -> String {
    let of = |verdict| {
        let figures = comparison.figures.iter().filter(|figure| figure.verdict == verdict);
        figures.map(|figure| figure.figure.trim_end_matches("_ms")).collect::<Vec<_>>().join(", ")
    };
    let named = of(comparison.verdict);
    let word = word(comparison.verdict, language);
    match comparison.verdict {
        Verdict::Same => format!(
            "{word} ({})",
            language.pick("every interval lies within 10 %", "모든 구간이 10% 안")
        ),
        _ if named.is_empty() => word.to_owned(),
        _ => format!("{word} ({named})"),
    }
}

const fn remark_words(remark: Remark, language: Language) -> &'static str {
    let (english, korean) = match remark {
        Remark::TooShort => (
            "A run has fewer than 8 whole seconds: run longer for a verdict.",
            "온전한 구간이 8개 미만입니다. 판정하려면 더 오래 실행하십시오.",
        ),
        Remark::LoadsDiffer => (
            "The loads differ: rates are not compared, and times are those of different tests.",
            "부하가 서로 다릅니다. 처리량은 비교하지 않으며 지연 시간은 서로 다른 시험의 값입니다.",
        ),
        Remark::GeneratorBound => (
            "In a run the sending machine was the limit: its times are those of the machine.",
            "부하 생성기가 한계였던 실행이 있습니다. 그 지연 시간은 생성기의 값입니다.",
        ),
    };
    match language {
        Language::English => english,
        Language::Korean => korean,
    }
}

fn aligned(rows: &[[String; 6]]) -> Vec<String> {
    let width = |place: usize| rows.iter().map(|row| row[place].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let cells = row.iter().enumerate().map(|(place, cell)| {
            let space = " ".repeat(widths[place] - cell.chars().count());
            if place == 0 || place == 5 {
                format!("{cell}{space}")
            } else {
                format!("{space}{cell}")
            }
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect()
}

fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

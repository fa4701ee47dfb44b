//! `finstage bars`: what is stored, whole or not, and for other programs.

mod export;

pub(super) use export::to_file;

use finstage_model::{Symbol, Timestamp};
use finstage_store::history::{
    Finding, FindingKind, Gaps, History, Hole, Quality, SeriesSummary, gaps, quality,
};
use serde_json::{Value, json};

use super::import::stamp;
use super::{data_dir, load_without_channels, print_line, print_table, say_none};
use crate::cli::{Bars, Global, SeriesArgs};
use crate::exit::{Exit, Failure, Result};
use crate::expected::Expected;
use crate::wiring;

/// Holes of a series that people are shown; programs get all that are kept.
const HOLES_SHOWN: usize = 20;
/// Findings of each kind that people are shown.
const FINDINGS_SHOWN: usize = 5;
/// Stored symbols that an error names.
const SYMBOLS_NAMED: usize = 5;
/// The most bars of a series that are read at once: at 80 bytes a bar, 4 GB of memory.
const MAX_BARS: u64 = 50_000_000;

pub(super) fn run(global: &Global, args: &Bars) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    let history = wiring::history(&dir, &wiring::read_records(&dir)?);
    match args {
        Bars::List(args) => list(global, &history, args)?,
        Bars::Export(args) => export::run(global, &history, args)?,
        Bars::Gaps(args) => show_gaps(global, &history, args)?,
        Bars::Quality(args) => show_quality(global, &history, args)?,
    }
    Ok(Exit::Done)
}

/// The stored series that were asked for. A symbol of which nothing is stored is an error.
fn chosen(history: &History, args: &SeriesArgs) -> Result<Vec<SeriesSummary>> {
    let mut all = history.series()?;
    if let Some(unknown) =
        args.symbols.iter().find(|symbol| all.iter().all(|series| series.symbol != **symbol))
    {
        return Err(nothing_of(unknown, &all));
    }
    let fits = |series: &SeriesSummary| {
        (args.symbols.is_empty() || args.symbols.contains(&series.symbol))
            && (args.interval.is_empty() || args.interval.contains(&series.interval))
    };
    all.retain(fits);
    Ok(all)
}

/// Says that nothing is stored of a symbol, and what is.
fn nothing_of(symbol: &Symbol, all: &[SeriesSummary]) -> Failure {
    let mut names: Vec<&str> = all.iter().map(|series| series.symbol.as_str()).collect();
    names.dedup();
    let what = match names.len() {
        0 => "nothing is stored yet: `finstage import` stores bars of a file".to_owned(),
        n if n > SYMBOLS_NAMED => format!(
            "stored are {} and {} more: `finstage bars list` names them all",
            names[..SYMBOLS_NAMED].join(", "),
            n - SYMBOLS_NAMED
        ),
        _ => format!("stored are {}", names.join(", ")),
    };
    Failure::usage(format!("{symbol}: no bars are stored of it; {what}"))
}

/// Refuses what would not fit the memory.
fn check_size(bars: u64, remedy: &str) -> Result<()> {
    if bars <= MAX_BARS {
        return Ok(());
    }
    Err(Failure::usage(format!("up to {bars} bars at once, and {MAX_BARS} are the most: {remedy}")))
}

fn list(global: &Global, history: &History, args: &SeriesArgs) -> Result<()> {
    let all = chosen(history, args)?;
    let mut rows = Vec::new();
    for series in &all {
        let SeriesSummary { symbol, interval, shelf_bars, tail_bars, first, last, .. } = series;
        let factors = history.factors(symbol)?.rows().len();
        let dir = history.series_dir(symbol, *interval);
        if global.json {
            let dir = (*shelf_bars > 0).then(|| dir.display().to_string());
            let row = json!({
                "symbol": symbol, "interval": interval, "bars": shelf_bars + tail_bars,
                "first": first, "last": last, "in_parquet": shelf_bars, "in_records": tail_bars,
                "parquet_bytes": series.shelf_bytes, "factors": factors, "folder": dir,
            });
            print_line(&row.to_string())?;
            continue;
        }
        let place = match (*shelf_bars, *tail_bars) {
            (0, _) => "records.db".to_owned(),
            (_, 0) => dir.display().to_string(),
            (_, newest) => format!("{}, the newest {newest} in records.db", dir.display()),
        };
        rows.push(vec![
            symbol.to_string(),
            interval.to_string(),
            (shelf_bars + tail_bars).to_string(),
            stamp(*interval, *first),
            stamp(*interval, *last),
            factors.to_string(),
            place,
        ]);
    }
    if global.json {
        return Ok(());
    }
    say_if_none(global, args, &all);
    print_table(&["symbol", "interval", "bars", "first", "last", "factors", "where"], &rows)
}

fn say_if_none(global: &Global, args: &SeriesArgs, all: &[SeriesSummary]) {
    if all.is_empty() {
        say_none(global, "bars", !args.symbols.is_empty() || !args.interval.is_empty());
    }
}

/// A stored series with what is missing and what is odd.
struct Judged {
    series: SeriesSummary,
    gaps: Gaps,
    quality: Quality,
}

/// Reads and judges series one after the other, so that one at a time is in memory.
fn judged(history: &History, series: SeriesSummary) -> Result<Judged> {
    check_size(series.shelf_bars + series.tail_bars, "this series is too long to be judged")?;
    let all = Timestamp::MIN..Timestamp::MAX;
    let bars = history.bars(&series.symbol, series.interval, all)?;
    let expected = Expected::between(&series.symbol, series.first, series.last);
    let gaps = gaps(&bars, series.interval, expected.schedule());
    let quality = quality(&bars, &gaps);
    Ok(Judged { series, gaps, quality })
}

fn show_gaps(global: &Global, history: &History, args: &SeriesArgs) -> Result<()> {
    let all = chosen(history, args)?;
    if !global.json {
        say_if_none(global, args, &all);
    }
    let (mut rows, mut details) = (Vec::new(), Vec::new());
    for series in all {
        let Judged { series, gaps, .. } = judged(history, series)?;
        if global.json {
            print_line(&gaps_object(&series, &gaps).to_string())?;
            continue;
        }
        rows.push(vec![
            series.symbol.to_string(),
            series.interval.to_string(),
            gaps.present.to_string(),
            gaps.missing.to_string(),
            gaps.hole_count.to_string(),
            percent(gaps.coverage()),
            stamp(series.interval, series.first),
            stamp(series.interval, series.last),
        ]);
        details.push(holes_text(&series, &gaps));
    }
    if global.json {
        return Ok(());
    }
    let names = ["symbol", "interval", "bars", "missing", "holes", "coverage", "first", "last"];
    print_table(&names, &rows)?;
    details.iter().try_for_each(|text| print_line(text))
}

fn gaps_object(series: &SeriesSummary, gaps: &Gaps) -> Value {
    let hole = |hole: &Hole| json!({"from": hole.from, "to": hole.to, "bars": hole.bars});
    json!({
        "symbol": series.symbol, "interval": series.interval, "first": series.first,
        "last": series.last, "bars": gaps.present, "missing": gaps.missing,
        "hole_count": gaps.hole_count, "coverage": gaps.coverage(),
        "expected": gaps.expectation, "holes": gaps.holes.iter().map(hole).collect::<Vec<_>>(),
    })
}

/// What was expected of a series and which holes it has, in lines.
fn holes_text(series: &SeriesSummary, gaps: &Gaps) -> String {
    let SeriesSummary { symbol, interval, .. } = series;
    let mut text = format!("\n{symbol} {interval}: expected {}", gaps.expectation);
    if gaps.hole_count == 0 {
        return text + "\n  no holes";
    }
    for Hole { from, to, bars } in gaps.holes.iter().take(HOLES_SHOWN) {
        // The open time of the last missing bar: what a person looks for.
        let last = interval.open_of(to.minus(std::time::Duration::from_nanos(1)));
        let (from, last) = (stamp(*interval, *from), stamp(*interval, last));
        text += &match bars {
            1 => format!("\n  {from}: 1 bar"),
            bars => format!("\n  {from} to {last}: {bars} bars"),
        };
    }
    text + &more(gaps.hole_count, HOLES_SHOWN)
}

/// A line about what is not shown.
fn more(all: u64, shown: usize) -> String {
    match all.saturating_sub(shown as u64) {
        0 => String::new(),
        rest => format!("\n  and {rest} more: --json lists them"),
    }
}

fn percent(share: f64) -> String {
    // Rounded down: 100 % means that nothing is missing.
    format!("{:.2} %", (share * 10_000.0).floor() / 100.0)
}

fn show_quality(global: &Global, history: &History, args: &SeriesArgs) -> Result<()> {
    let all = chosen(history, args)?;
    if !global.json {
        say_if_none(global, args, &all);
    }
    let (mut rows, mut details) = (Vec::new(), Vec::new());
    for series in all {
        let judged = judged(history, series)?;
        if global.json {
            print_line(&quality_object(&judged).to_string())?;
            continue;
        }
        let Quality { impossible, disordered, spikes, outliers, stale, zero_volume, .. } =
            judged.quality;
        rows.push(vec![
            judged.series.symbol.to_string(),
            judged.series.interval.to_string(),
            judged.quality.bars.to_string(),
            format!("{:.1}", (judged.quality.score() * 10.0).floor() / 10.0),
            judged.gaps.missing.to_string(),
            (impossible + disordered).to_string(),
            spikes.to_string(),
            outliers.to_string(),
            stale.to_string(),
            if judged.quality.has_volume { zero_volume.to_string() } else { "all".to_owned() },
        ]);
        details.push(findings_text(&judged));
    }
    if global.json {
        return Ok(());
    }
    let names = [
        "symbol",
        "interval",
        "bars",
        "score",
        "missing",
        "wrong",
        "spikes",
        "outliers",
        "stale",
        "no_volume",
    ];
    print_table(&names, &rows)?;
    details.iter().try_for_each(|text| print_line(text))
}

fn quality_object(judged: &Judged) -> Value {
    let Judged { series, gaps, quality } = judged;
    let finding = |finding: &Finding| {
        let Finding { kind, at, bars, words } = finding;
        json!({"kind": kind.as_str(), "at": at, "bars": bars, "words": words})
    };
    json!({
        "symbol": series.symbol, "interval": series.interval, "first": series.first,
        "last": series.last, "bars": quality.bars, "score": quality.score(),
        "missing": quality.missing, "expected": gaps.expectation,
        "impossible": quality.impossible, "disordered": quality.disordered,
        "spikes": quality.spikes, "outliers": quality.outliers, "stale": quality.stale,
        "zero_volume": quality.zero_volume, "has_volume": quality.has_volume,
        "open_is_previous_close": quality.open_is_previous_close,
        "findings": quality.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// The odd places of a series, in lines.
fn findings_text(judged: &Judged) -> String {
    let Judged { series, gaps, quality } = judged;
    let SeriesSummary { symbol, interval, .. } = series;
    let mut text = format!("\n{symbol} {interval}: expected {}", gaps.expectation);
    if gaps.missing > 0 {
        text += &format!(
            "\n  missing: {} bars in {} holes; `finstage bars gaps {symbol}` lists them",
            gaps.missing, gaps.hole_count
        );
    }
    for kind in FindingKind::ALL {
        let of_kind: Vec<&Finding> = quality.findings.iter().filter(|f| f.kind == kind).collect();
        for Finding { at, words, .. } in of_kind.iter().take(FINDINGS_SHOWN) {
            text += &format!("\n  {}: {}: {words}", kind.as_str(), stamp(*interval, *at));
        }
        text += &more(of_kind.len() as u64, FINDINGS_SHOWN);
    }
    if !quality.has_volume {
        text += "\n  no bar has volume: the source has none";
    }
    if quality.findings.is_empty() {
        text += "\n  nothing odd was found";
    }
    text
}

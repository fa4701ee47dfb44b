//! `finstage patterns`

use finstage_model::{Horizon, Timestamp};
use finstage_research::patterns::{
    self, Clustering, FDR, Figures, Findings, MIN_CLUSTERED, MIN_OCCURRENCES, Options, Part,
    Pattern,
};
use serde_json::json;

use super::track_record::stats::percent;
use super::track_record::up_to_date;
use super::{data_dir, load_without_channels, print_json, print_line, print_table, say};
use crate::cli::{Global, Patterns as Args};
use crate::exit::{Exit, Failure, Result};
use crate::patterns::{Asked, market, signals};
use crate::wiring;

/// Pairs of patterns that are listed, and how alike they are at least.
const SIMILAR: (f64, usize) = (0.7, 10);

pub(super) fn run(global: &Global, args: &Args) -> Result<Exit> {
    let asked = Asked {
        since: args.since.unwrap_or(Timestamp::MIN),
        until: args.until.unwrap_or(Timestamp::MAX),
        symbols: args.symbols.clone(),
    };
    if asked.since >= asked.until {
        return Err(Failure::usage("--since: it is not before --until"));
    }
    let dir = data_dir(global, &load_without_channels(global)?);
    let records = up_to_date(global, &dir)?;
    let history = wiring::history(&dir, &records);
    let signals = signals(&records, &asked)?;
    let market = market(&records, &history, &signals)?;
    let (count, settled) =
        (signals.len(), signals.iter().filter(|one| !one.outcomes.is_empty()).count());
    let mut options = Options::default();
    if !args.kinds.is_empty() {
        options.kinds.clone_from(&args.kinds);
    }
    let findings = patterns::find(signals, market, &options).map_err(Failure::usage)?;
    let groups = args.clusters.map(usize::from);
    let clusters = patterns::clusters(&findings, (groups, args.seed), args.horizon);
    let parts = patterns::temporal(&findings, args.horizon);
    if !global.json {
        say(global, format_args!("{}", summary((count, settled), &findings)));
        print_patterns(global, (args.limit, args.horizon), &findings.patterns)?;
        print_clusters(global, clusters.as_ref(), findings.patterns.len())?;
        return print_parts(args, &parts).map(|()| Exit::Done);
    }
    print_json(&json!({
        "signals": count,
        "settled": settled,
        "since": args.since,
        "until": args.until,
        "symbols": args.symbols,
        "kinds": options.kinds,
        "gap_s": options.gap.as_secs(),
        "span_s": options.span.as_secs(),
        "tested": findings.tested,
        "pairs": findings.pairs,
        "fdr": FDR,
        "horizon": args.horizon,
        "patterns": findings.patterns,
        "similar": patterns::similar(&findings.patterns, SIMILAR),
        "clusters": clusters,
        "temporal": parts,
    }))?;
    Ok(Exit::Done)
}

fn summary((count, settled): (usize, usize), findings: &Findings) -> String {
    let patterns = &findings.patterns;
    let out = patterns.iter().filter(|one| one.outcomes.iter().any(|one| one.stands_out)).count();
    let does = match out {
        0 => "none stands out".to_owned(),
        1 => "1 stands out".to_owned(),
        out => format!("{out} stand out"),
    };
    let mut words = format!(
        "{count} signals, {settled} with an outcome: {} patterns that came at least {MIN_OCCURRENCES} times",
        patterns.len()
    );
    if findings.tested > 0 {
        words.push_str(&format!("; {} figures compared with any bar, {does}", findings.tested));
    }
    if findings.pairs > 0 {
        words.push_str(&format!("; {} pairs asked whether one leads", findings.pairs));
    }
    words
}

fn print_patterns(
    global: &Global,
    (limit, horizon): (usize, Horizon),
    patterns: &[Pattern],
) -> Result<()> {
    if patterns.is_empty() {
        return Ok(());
    }
    let won = format!("won after {horizon}");
    let names = [
        "pattern", "kind", "bars", "times", "n", "apart", &won, "95 %", "any bar", "alone", "mean",
        "q", "note",
    ];
    let cells = |one: &Pattern| {
        let judged = one.at(horizon);
        let mut cells = vec![
            one.name.clone(),
            one.kind.as_str().to_owned(),
            bars(one),
            one.occurrences.to_string(),
        ];
        let Some(judged) = judged else {
            cells.extend(["-"; 8].map(str::to_owned));
            cells.push("not settled".to_owned());
            return cells;
        };
        let figures = &judged.figures;
        cells.extend(figure_cells(figures));
        cells.insert(9, percent(judged.alone_rate, 1));
        cells.push(judged.q_value.map_or_else(|| "-".to_owned(), |q| format!("{q:.3}")));
        cells.push(note(one, horizon));
        cells
    };
    let shown: Vec<Vec<String>> = patterns.iter().take(limit).map(cells).collect();
    if !shown.is_empty() {
        print_table(&names, &shown)?;
    }
    if patterns.len() > limit {
        let more = patterns.len() - limit;
        say(global, format_args!("{more} more: --limit N, or --json for all"));
    }
    Ok(())
}

/// The lengths of its bars, each once.
fn bars(one: &Pattern) -> String {
    let mut bars: Vec<_> = one.steps.iter().map(|step| step.interval).collect();
    bars.sort();
    bars.dedup();
    bars.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn note(one: &Pattern, horizon: Horizon) -> String {
    let out: Vec<String> = one
        .outcomes
        .iter()
        .filter(|judged| judged.stands_out)
        .map(|judged| judged.horizon.to_string())
        .collect();
    let is_few = one.at(horizon).is_some_and(|judged| judged.figures.is_few);
    match (out.is_empty(), is_few) {
        (false, _) => format!("stands out after {}", out.join(", ")),
        (true, true) => "too few to say".to_owned(),
        (true, false) => String::new(),
    }
}

/// n, occasions, hit rate, its interval, that of any bar, mean.
fn figure_cells(figures: &Figures) -> [String; 6] {
    let Figures { n, occasions, hit_rate, hit_low, hit_high, base_rate, mean_return, .. } = figures;
    [
        n.to_string(),
        occasions.to_string(),
        percent(Some(*hit_rate), 1),
        format!("{} to {}", percent(*hit_low, 1), percent(*hit_high, 1)),
        percent(*base_rate, 1),
        percent(Some(*mean_return), 2),
    ]
}

fn print_clusters(global: &Global, found: Option<&Clustering>, patterns: usize) -> Result<()> {
    let Some(found) = found else {
        let why = match patterns {
            0 => return Ok(()),
            n if n < MIN_CLUSTERED => format!("groups need {MIN_CLUSTERED} patterns"),
            _ => "fewer patterns differ than groups are asked for".to_owned(),
        };
        say(global, format_args!("no groups: {why}"));
        return Ok(());
    };
    let quality = found.silhouette.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    print_line(&format!("\n{} groups, silhouette {quality}", found.count))?;
    let names = ["group", "patterns", "mostly", "n", "apart", "won", "95 %", "any bar", "mean"];
    let cells = |one: &patterns::Grouping| {
        let mut cells = vec![one.number.to_string(), one.patterns.to_string(), one.name.clone()];
        match &one.figures {
            Some(figures) => cells.extend(figure_cells(figures)),
            None => cells.extend(["-"; 6].map(str::to_owned)),
        }
        cells
    };
    print_table(&names, &found.groups.iter().map(cells).collect::<Vec<_>>())
}

fn print_parts(args: &Args, parts: &[Part]) -> Result<()> {
    if !args.times || parts.is_empty() {
        return Ok(());
    }
    print_line("")?;
    let names = ["by", "part", "n", "apart", "won", "95 %", "any bar", "mean"];
    let cells = |one: &Part| {
        let mut cells = vec![one.by.to_owned(), one.part.clone()];
        cells.extend(figure_cells(&one.figures));
        cells
    };
    print_table(&names, &parts.iter().map(cells).collect::<Vec<_>>())
}

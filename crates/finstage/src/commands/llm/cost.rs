//! `finstage llm cost`

use std::time::Duration;

use finstage_llm::{CostLine, CostReport};
use finstage_model::Clock as _;
use finstage_net::SystemClock;
use serde_json::json;

use super::super::{data_dir, load_without_channels, print_json, print_line, print_table};
use crate::cli::{Global, LlmCost};
use crate::exit::{Exit, Result};
use crate::wiring;

const DAY: Duration = Duration::from_hours(24);

pub(super) fn run(global: &Global, args: &LlmCost) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let records = wiring::read_records(&data_dir(global, &loaded))?;
    let now = SystemClock.now();
    let first = now.minus(DAY * (args.days - 1)).day();
    let rows = records.spend(first, now.day())?;
    let report = CostReport::of(&rows, now);
    if global.json {
        print_json(&json!({
            "total_usd": report.total.cost_usd, "daily_usd": report.daily_usd,
            "projected_month_usd": report.projected_month_usd, "requests": report.total.requests,
            "unpriced": report.total.unpriced_requests, "from": report.from, "to": report.to,
            "models": report.models, "jobs": report.jobs, "days": report.days,
        }))?;
    } else {
        tell(&report)?;
    }
    Ok(Exit::Done)
}

fn tell(report: &CostReport) -> Result<()> {
    let sections = [("model", &report.models), ("job", &report.jobs), ("day", &report.days)];
    for (what, lines) in sections {
        let head = [what, "requests", "no price", "prompt", "cached", "answer", "USD"];
        let rows: Vec<_> = lines.iter().map(cells).collect();
        print_table(&head, &rows)?;
        print_line("")?;
    }
    let (spent, day, month) = (report.total.cost_usd, report.daily_usd, report.projected_month_usd);
    print_line(&format!(
        "${:.4} spent, ${:.4} a day, ${:.2} in thirty such days",
        spent.usd(),
        day.usd(),
        month.usd()
    ))
}

fn cells(line: &CostLine) -> Vec<String> {
    let counts = [
        line.requests,
        line.unpriced_requests,
        line.prompt_tokens,
        line.cached_tokens,
        line.completion_tokens,
    ];
    let counts = counts.iter().map(u64::to_string);
    let usd = format!("{:.4}", line.cost_usd.usd());
    std::iter::once(line.name.clone()).chain(counts).chain([usd]).collect()
}

//! `finstage llm run --dry-run`: what it would take.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use finstage_llm::{Limits, ModelPlan, Money, Output, Plan, PlanOptions, Register, Rows};
use finstage_model::{Clock, format_duration};
use finstage_net::SystemClock;
use serde_json::json;

use super::super::super::{load_without_channels, print_json, print_line, print_table};
use super::super::failed;
use super::reading::Input;
use super::{input_options, keeper, sharing};
use crate::cli::{Global, LlmRun};
use crate::exit::{Exit, Result};
use crate::llm::prices;

/// An answer of the usual models takes about so long.
const LATENCY: Duration = Duration::from_secs(2);

pub(super) fn run(global: &Global, args: &LlmRun) -> Result<Exit> {
    let loaded = &load_without_channels(global)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let input = Input::open(&args.input)?;
    let keeper = keeper(global, args, (loaded, &clock))?;
    let settings = &loaded.settings.llm;
    let prices = prices(settings)?;
    let mut register = done_before(args)?;
    let cached = |questions: &[[u8; 32]]| keeper.has(questions);
    let options = PlanOptions {
        prices: &prices,
        limits: Limits {
            requests_per_minute: args.rpm.or(settings.rpm),
            tokens_per_minute: args.tpm.or(settings.tpm),
            concurrency: Some(args.concurrency.unwrap_or(settings.concurrency).into()),
            latency: Some(LATENCY),
        },
        least_answer: 0.0,
        is_batch: false,
        threads: available_parallelism().map_or(1, NonZero::get),
        sharing: sharing(args),
        cached: Some(&cached as _),
    };
    let rows = Rows::open(input.read()?, input_options(args, loaded)?).map_err(|e| failed(&e))?;
    let plan = Plan::of(rows, &mut register, &options).map_err(|e| failed(&e))?;
    match global.json {
        true => print_json(&json!(plan))?,
        false => tell(&plan)?,
    }
    Ok(Exit::Done)
}

/// What stands in the output, which is left as it is.
fn done_before(args: &LlmRun) -> Result<Register> {
    match args.output.as_deref().filter(|path| *path != Path::new("-")) {
        Some(output) => Output::look(output).map_err(|e| failed(&e)),
        None => Ok(Register::new("-")),
    }
}

const HEAD: [&str; 10] = [
    "model",
    "rows",
    "done",
    "cached",
    "equal",
    "asked",
    "tokens",
    "answers at most",
    "cost at least",
    "cost at most",
];

fn tell(plan: &Plan) -> Result<()> {
    let mut rows: Vec<_> = plan.models.iter().map(|model| cells(&model.model, model)).collect();
    if plan.models.len() != 1 {
        rows.push(cells("all", &plan.total));
    }
    print_table(&HEAD, &rows)?;
    if let Some(seconds) = plan.time.total_s {
        let time = format_duration(Duration::from_secs(seconds.ceil() as u64));
        print_line(&format!("at the limits it takes {time}"))?;
    }
    print_line(&format!("prices of {}; nothing was sent", plan.prices_as_of))?;
    plan.assumptions.iter().try_for_each(|line| print_line(line))
}

fn cells(name: &str, plan: &ModelPlan) -> Vec<String> {
    let usd = |cost: Option<Money>| match cost {
        Some(cost) => format!("${:.4}", cost.usd()),
        None => "unknown".to_owned(),
    };
    let counts = [
        plan.rows,
        plan.done,
        plan.cached,
        plan.duplicates,
        plan.asked,
        plan.prompt_tokens,
        plan.completion_tokens_high,
    ];
    let counts = counts.iter().map(u64::to_string);
    let costs = [usd(plan.cost_low), usd(plan.cost_high)];
    std::iter::once(name.to_owned()).chain(counts).chain(costs).collect()
}

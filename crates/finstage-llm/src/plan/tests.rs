use serde_json::json;

use super::*;
use crate::{InputOptions, Rows, Template};

fn options(prices: &Prices) -> PlanOptions<'_> {
    PlanOptions {
        prices,
        limits: Limits::default(),
        least_answer: 0.0,
        is_batch: false,
        threads: 2,
        sharing: Sharing::Settled,
        cached: None,
    }
}

fn line(name: usize, model: &str, text: &str, temperature: f64) -> String {
    let body = json!({"model": model, "temperature": temperature, "max_tokens": 100,
        "messages": [{"role": "user", "content": text}]});
    format!("{}\n", json!({"custom_id": format!("r{name}"), "body": body}))
}

fn plan(text: &str, register: &mut Register, options: &PlanOptions<'_>) -> Result<Plan, Error> {
    Plan::of(Rows::open(text.as_bytes(), InputOptions::default())?, register, options)
}

#[test]
fn each_row_is_done_cached_a_duplicate_or_asked() {
    let prices = Prices::built_in();
    let mut text = String::new();
    for number in 0..1200 {
        let (model, temperature) =
            if number % 3 == 0 { ("gpt-4o", 1.0) } else { ("gpt-4o-mini", 0.0) };
        // Of the steady ones, twenty questions in all; those of the others are never shared.
        text += &line(number, model, &format!("q{}", number % 30), temperature);
    }
    let rows: Vec<Row> =
        Rows::open(text.as_bytes(), InputOptions::default()).unwrap().map(Result::unwrap).collect();
    let mut register = Register::new("out");
    for row in &rows[..100] {
        register.put_done(row.id(), Some(row.key()));
    }
    let known = rows[101].question();
    let cached = |questions: &[[u8; 32]]| Ok(questions.iter().map(|q| *q == known).collect());
    let options = PlanOptions { cached: Some(&cached), ..options(&prices) };
    let plan = plan(&text, &mut register, &options).unwrap();
    let counts =
        |plan: &ModelPlan| [plan.rows, plan.done, plan.cached, plan.duplicates, plan.asked];
    let names: Vec<_> = plan.models.iter().map(|plan| plan.model.as_str()).collect();
    assert_eq!(names, ["gpt-4o", "gpt-4o-mini"]);
    assert_eq!(counts(&plan.models[0]), [400, 34, 0, 0, 366]);
    assert_eq!(counts(&plan.models[1]), [800, 66, 1, 714, 19]);
    assert_eq!(counts(&plan.total), [1200, 100, 1, 714, 385]);
    assert_eq!(plan.models[1].completion_tokens_high, 1900);
}

#[test]
fn a_plan_says_what_the_rows_cost_at_least_and_at_most() {
    let prices = Prices::built_in();
    let text = line(1, "gpt-4o-mini", "Hello!", 0.0) + &line(2, "gpt-4o-mini", "Hello!", 1.0);
    let options = PlanOptions { least_answer: 0.1, ..options(&prices) };
    let mut register = Register::new("out");
    let once = plan(&text, &mut register, &options).unwrap();
    // 9 tokens each at 0.15, answers of 10 or of 100 tokens at 0.60.
    assert_eq!(once.total.prompt_tokens, 18);
    assert_eq!(once.total.cost_low.unwrap().to_string(), "0.0000147");
    assert_eq!(once.total.cost_high.unwrap().to_string(), "0.0001227");
    let batch = PlanOptions { is_batch: true, ..options };
    let batch = plan(&text, &mut Register::new("out"), &batch).unwrap();
    assert_eq!(batch.total.cost_high.unwrap().to_string(), "0.00006135");
}

#[test]
fn a_cost_without_price_is_unknown_and_so_is_the_sum() {
    let prices = Prices::built_in();
    let text = line(1, "gpt-4o-mini", "x", 0.0) + &line(2, "gpt-4o-mni", "y", 0.0);
    let plan = plan(&text, &mut Register::new("out"), &options(&prices)).unwrap();
    let shown = serde_json::to_value(&plan).unwrap();
    assert_eq!((&shown["cost_low"], &shown["cost_high"]), (&json!("unknown"), &json!("unknown")));
    assert_eq!(shown["models"][1]["cost_high"], "unknown");
    assert!(shown["models"][0]["cost_high"].is_f64());
    assert_eq!(shown["asked"], 2);
    assert_eq!(plan.assumptions, ["gpt-4o-mni: no known price; did you mean \"gpt-4o-mini\"?"]);
}

#[test]
fn what_was_assumed_is_said() {
    let prices = Prices::built_in();
    let options = options(&prices);
    let input = InputOptions {
        template: Some(Template::parse("{a}").unwrap()),
        model: Some("llama".into()),
        ..InputOptions::default()
    };
    let rows = Rows::open("a\n1\n2\n".as_bytes(), input).unwrap();
    let plan = Plan::of(rows, &mut Register::new("out"), &options).unwrap();
    assert_eq!(
        plan.assumptions,
        [
            "llama: no known price",
            "llama: 2 rows say no max_tokens: answers of 4096 tokens at most assumed",
            "llama: tokens counted as OpenAI's models count them",
        ]
    );
}

#[test]
fn the_tightest_limit_says_how_long_it_takes() {
    let total = ModelPlan {
        asked: 600,
        prompt_tokens: 60_000,
        completion_tokens_high: 30_000,
        ..ModelPlan::default()
    };
    let limits = Limits {
        requests_per_minute: Some(300),
        tokens_per_minute: Some(30_000),
        concurrency: Some(100),
        latency: Some(Duration::from_secs(5)),
    };
    let time = PlanTime::of(&total, limits);
    assert_eq!(
        [time.requests_s, time.tokens_s, time.concurrency_s, time.total_s],
        [Some(120.0), Some(180.0), Some(30.0), Some(180.0)]
    );
    assert_eq!(PlanTime::of(&total, Limits::default()), PlanTime::default());
}

#[test]
fn a_wrong_row_or_a_broken_cache_ends_the_plan() {
    let prices = Prices::built_in();
    let mut text: String = (0..3000).map(|n| line(n, "gpt-4o", "x", 0.0)).collect();
    let broken = |_: &[[u8; 32]]| Err(Error::invalid("the cache is broken"));
    let options = options(&prices);
    let with_cache = PlanOptions { cached: Some(&broken), threads: 1, ..options };
    let error = plan(&text, &mut Register::new("out"), &with_cache).unwrap_err();
    assert_eq!(error.to_string(), "the cache is broken");
    text += &line(7, "gpt-4o", "x", 0.0);
    let error = plan(&text, &mut Register::new("out"), &options).unwrap_err();
    assert!(
        error.to_string().starts_with("line 3001: custom_id \"r7\" stands on line 8"),
        "{error}"
    );
}

use super::*;

fn usage(prompt: u64, cached: u64, completion: u64) -> Usage {
    Usage { prompt, cached, completion, reasoning: 0 }
}

fn cost(model: &str, usage: Usage) -> String {
    Prices::built_in().price(model).unwrap().cost(usage).to_string()
}

fn table(entry: &str) -> Result<Prices, Error> {
    Prices::parse(&format!("as_of = \"2026-01-02\"\n[[models]]\n{entry}"), "prices.toml")
}

#[test]
fn a_cost_is_exact_to_the_last_token() {
    assert_eq!(cost("gpt-4o-mini", usage(1, 0, 0)), "0.00000015");
    assert_eq!(cost("gpt-4o-mini", usage(1000, 400, 10)), "0.000126");
    assert_eq!(cost("gpt-5-nano", usage(3, 2, 1)), "0.00000046");
    assert_eq!(cost("gemini-2.5-flash", usage(0, 0, 1_000_000)), "2.50");
    // More from the cache than there is would be a provider's mistake, and never a credit.
    assert_eq!(cost("gpt-4o-mini", usage(1000, 4000, 0)), "0.000075");
}

#[test]
fn prices_that_the_documents_name_are_those_of_answers() {
    let million = usage(0, 0, 1_000_000);
    for (model, usd) in [
        ("gpt-4.1", "8.00"),
        ("claude-sonnet-4.5", "15.00"),
        ("gemini-2.5-flash", "2.50"),
        ("deepseek-v3.2", "0.42"),
    ] {
        assert_eq!(cost(model, million), usd, "{model}");
    }
}

#[test]
fn a_name_with_a_date_is_its_model_unless_it_has_a_price_of_its_own() {
    let prices = Prices::built_in();
    let same = |dated: &str, base: &str| {
        let found = prices.price(dated);
        assert!(found.is_some() && found == prices.price(base), "{dated}");
    };
    same("gpt-4o-2024-08-06", "gpt-4o");
    same("gpt-4-0613", "gpt-4");
    same("claude-haiku-4-5-20251001", "claude-haiku-4-5");
    same("claude-haiku-4-5@20251001", "claude-haiku-4-5");
    same("claude-3-5-haiku-latest", "claude-3-5-haiku");
    same("models/gemini-2.5-pro", "gemini-2.5-pro");
    assert_ne!(prices.price("gpt-4o-2024-05-13"), prices.price("gpt-4o"));
    for other in ["gpt-4o-mini-audio", "gpt-4o-24-08-06", "gpt-4o-x", "ft:gpt-4o:us::1", "gpt", ""]
    {
        assert_eq!(prices.price(other), None, "{other}");
    }
}

#[test]
fn a_long_question_pays_the_long_price_and_the_worst_covers_both() {
    assert_eq!(cost("gemini-2.5-pro", usage(200_000, 0, 0)), "0.25");
    assert_eq!(cost("gemini-2.5-pro", usage(200_001, 0, 0)), "0.5000025");
    let price = Prices::built_in().price("gemini-2.5-pro").unwrap();
    let estimate = Estimate { most_prompt: 300_000, most_completion: 10, ..Estimate::default() };
    assert_eq!(price.worst(estimate).to_string(), "0.75015");
}

#[test]
fn nothing_within_an_estimate_costs_more_than_its_worst() {
    let prices = Prices::built_in();
    for name in prices.names() {
        let price = prices.price(name).unwrap();
        for (prompt, completion) in [(0, 0), (7, 9), (199_999, 1), (200_001, 5), (900_000, 8000)] {
            let estimate = Estimate {
                most_prompt: prompt,
                most_completion: completion,
                ..Estimate::default()
            };
            let worst = price.worst(estimate);
            for (part, cached) in [(1, 1), (1, 2), (2, 1), (3, 4)] {
                let prompt = prompt / part;
                let cost = price.cost(usage(prompt, prompt / cached, completion / part));
                assert!(cost <= worst, "{name}: {prompt} {completion}");
            }
        }
    }
}

#[test]
fn a_batch_pays_its_part() {
    let prices = Prices::built_in();
    let all = usage(1_000_000, 0, 1_000_000);
    let both = |name: &str| {
        let price = prices.price(name).unwrap();
        (price.cost(all).to_string(), price.in_batch().cost(all).to_string())
    };
    assert_eq!(both("gpt-4o-mini"), ("0.75".to_owned(), "0.375".to_owned()));
    assert_eq!(both("deepseek-chat"), ("0.70".to_owned(), "0.70".to_owned()));
}

#[test]
fn what_the_user_says_of_a_model_counts_and_a_free_model_is_not_an_unknown_one() {
    let own = "name = \"llama\"\ninput = 0\noutput = 0\n[[models]]\nname = \"gpt-4o\"\ninput = 1\noutput = 2.5";
    let prices = Prices::built_in().overridden_by(table(own).unwrap());
    assert_eq!(prices.price("llama").unwrap().cost(usage(9, 0, 9)), Money::ZERO);
    let gpt = prices.price("gpt-4o-2024-08-06").unwrap();
    assert_eq!(gpt.cost(usage(1_000_000, 500_000, 1_000_000)).to_string(), "3.50");
    assert!(prices.price("gpt-4o-mini").is_some(), "the others stay");
    assert!(prices.as_of().ends_with(", yours of 2026-01-02"));
}

#[test]
fn a_table_that_cannot_be_right_is_refused_with_the_reason() {
    for (entry, words) in [
        ("name = \"a\"\ninput = 1", "missing field `output`"),
        ("name = \"a\"\ninput = -1\noutput = 0", "model \"a\": -1 is no price"),
        ("name = \"a\"\ninput = 1\noutput = 0\noutpt = 1", "unknown field `outpt`"),
        ("name = \"a\"\ninput = 0.0000001\noutput = 0", "finer than a millionth"),
        ("name = \"a\"\ninput = 1\noutput = 0\nbatch = 2", "batch must be from 0 to 1"),
        ("name = \"a\"\nalso = [\"a\"]\ninput = 1\noutput = 0", "model \"a\" stands there twice"),
    ] {
        let error = table(entry).unwrap_err().to_string();
        assert!(error.starts_with("prices.toml: ") && error.contains(words), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_model_without_price_is_told_with_the_nearest_name() {
    let error = Prices::built_in().unknown("gpt-4o-mni").to_string();
    assert_eq!(
        error,
        "model \"gpt-4o-mni\" has no known price (did you mean \"gpt-4o-mini\"?): add it to your own table of prices, with 0 where it is free"
    );
}

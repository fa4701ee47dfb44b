use finstage_model::Day;

use super::*;

fn usd(text: &str) -> Money {
    Money::from_usd(text).unwrap()
}

fn spent(job: &str, day: i32, model: &str, cost: Money) -> SpendRow {
    let day = Day::from_days(day);
    SpendRow {
        job: job.into(),
        day,
        model: model.into(),
        is_batch: false,
        spent: Spent { requests: 10, prompt: 100, cost_pico: cost.pico(), ..Spent::default() },
        first_at: day.start(),
        last_at: day.start(),
    }
}

fn names(lines: &[CostLine]) -> Vec<(&str, String)> {
    lines.iter().map(|line| (line.name.as_str(), line.cost_usd.to_string())).collect()
}

#[test]
fn a_report_sums_by_model_job_and_day() {
    let batch = SpendRow { is_batch: true, ..spent("b", 1, "x", usd("0.5")) };
    let rows = [spent("a", 1, "x", usd("1")), spent("a", 2, "y", usd("2")), batch];
    let report = CostReport::of(&rows, Day::from_days(3).start());
    assert_eq!(names(&report.models), [("x", "1.50".into()), ("y", "2.00".into())]);
    assert_eq!(names(&report.jobs), [("a", "3.00".into()), ("b", "0.50".into())]);
    assert_eq!(names(&report.days), [("1970-01-02", "1.50".into()), ("1970-01-03", "2.00".into())]);
    let total = &report.total;
    assert_eq!((total.requests, total.batch_requests, total.prompt_tokens), (30, 10, 300));
    // 3.5 dollars in two days.
    assert_eq!(report.daily_usd, usd("1.75"));
    assert_eq!(report.projected_month_usd, usd("52.5"));
}

#[test]
fn before_a_day_has_passed_all_that_was_spent_is_a_days_rate() {
    let rows = [spent("a", 1, "x", usd("6"))];
    for (hours, daily) in [(0, "6"), (1, "6"), (23, "6"), (24, "6"), (36, "4"), (48, "3")] {
        let now = Day::from_days(1).start().plus(Duration::from_hours(hours));
        let report = CostReport::of(&rows, now);
        assert_eq!(report.daily_usd, usd(daily), "{hours} h");
        assert_eq!(report.projected_month_usd, usd(daily).times(30));
    }
    let nothing = CostReport::of(&[], Timestamp::from_secs(5));
    assert_eq!((nothing.from, nothing.projected_month_usd), (None, Money::ZERO));
}

#[test]
fn batches_grow_while_little_went_through_and_shrink_when_they_are_dear() {
    const MB: u64 = 1_000_000;
    let (cheap, dear) = (usd("500"), usd("500.01"));
    for (now, bytes, cost, next) in [
        (100, 99 * MB, cheap, 200),
        (100, 99 * MB, dear, 200),
        (300, 0, cheap, 500),
        (500, 0, cheap, 500),
        (100, 100 * MB, cheap, 100),
        (200, 100 * MB, dear, 100),
        (90, 100 * MB, dear, 50),
        (50, 100 * MB, dear, 50),
    ] {
        assert_eq!(batch_size(now, bytes, cost), next, "{now} {bytes} {cost}");
    }
}

#[test]
fn ten_million_messages_a_month_save_725_dollars_and_8700_a_year() {
    let services = Services::built_in();
    let (direct, gateway) = (services.service("tardis"), services.service("HolySheep"));
    let savings = Savings::of(10_000_000, direct.unwrap(), gateway.unwrap());
    let want = [usd("2000"), usd("1275"), usd("725"), usd("8700")];
    let Savings { before_usd, after_usd, month_usd, year_usd } = savings;
    assert_eq!([before_usd, after_usd, month_usd, year_usd], want);
    let dearer = Savings::of(10_000_000, gateway.unwrap(), direct.unwrap());
    assert_eq!(dearer.year_usd, Money::ZERO);
}

#[test]
fn a_thousand_messages_cost_what_the_price_list_says_and_not_a_thousandth() {
    let meters = Services::built_in().meters;
    let used =
        |messages, tokens, bytes| MonthlyUse { messages, tokens, bytes, ..MonthlyUse::default() };
    assert_eq!(meters.cost(&used(1000, 0, 0)), usd("0.15"));
    assert_eq!(meters.cost(&used(0, 1_000_000, 0)), usd("0.42"));
    assert_eq!(meters.cost(&used(0, 0, 1_000_000_000)), usd("0.05"));
    assert_eq!(meters.cost(&used(1, 1, 1)), Money::from_pico(150_000_000 + 420_000 + 50));
}

#[test]
fn a_gateways_report_has_its_figures_and_a_projected_month() {
    let used = MonthlyUse {
        messages: 20_000,
        bytes: 12_345_678,
        decryptions: 19_998,
        passed: Duration::from_hours(48),
        ..MonthlyUse::default()
    };
    let report = Services::built_in().meters.report(&used);
    assert_eq!((report.period.as_str(), report.data_processed_mb.as_str()), ("2.0 days", "12.35"));
    assert_eq!(report.estimated_cost, usd("3.0006172839"));
    assert_eq!(report.projected_monthly_cost, usd("45.0092592585"));
    assert_eq!((report.total_api_calls, report.encryption_ops), (20_000, 19_998));
    assert_eq!(report.saving, "about 15 %");
}

#[test]
fn services_are_compared_by_messages_and_by_tokens() {
    let services = Services::built_in();
    let shown = |model: &str| -> Vec<(String, String, Option<String>)> {
        let all = services.compare(1000, 2_000_000, model);
        let show = |one: Comparison| {
            let model = one.model_usd.map(|usd| usd.to_string());
            (one.service, one.stream_usd.to_string(), model)
        };
        all.into_iter().map(show).collect()
    };
    let row = |name: &str, stream: &str, model: Option<&str>| {
        (name.to_owned(), stream.to_owned(), model.map(str::to_owned))
    };
    assert_eq!(
        shown("gemini-2.5-flash"),
        [
            row("HolySheep", "0.15", Some("5.00")),
            row("Tardis", "0.20", Some("7.00")),
            row("AWS Data Exchange", "0.35", Some("8.40")),
            row("Polygon.io", "0.25", Some("6.00")),
        ]
    );
    let sold: Vec<_> = shown("deepseek-v3.2").into_iter().map(|(_, _, model)| model).collect();
    assert_eq!(sold, [Some("0.84".to_owned()), None, None, None]);
}

#[test]
fn the_cheapest_plan_follows_from_the_calls() {
    let services = Services::built_in();
    let plans = |calls: u64| -> Vec<(String, String)> {
        let all = services.plans(calls);
        all.into_iter().map(|cost| (cost.plan, cost.month_usd.to_string())).collect()
    };
    let row = |plan: &str, cost: &str| (plan.to_owned(), cost.to_owned());
    assert_eq!(plans(100_000), [row("Starter", "15.00"), row("Pro", "49.00")]);
    assert_eq!(plans(400_000), [row("Starter", "60.00"), row("Pro", "94.00")]);
}

#[test]
fn a_table_of_services_that_cannot_be_right_is_refused() {
    let text = include_str!("../services.toml");
    let wrong = text.replace("discount = 0.15", "discount = 1.5");
    let error = Services::parse(&wrong, "s.toml").unwrap_err().to_string();
    assert_eq!(error, "s.toml: service \"HolySheep\": discount 1.5 is not from 0 to 1");
    let wrong = text.replace("month = 49", "month = -49");
    let error = Services::parse(&wrong, "s.toml").unwrap_err().to_string();
    assert!(error.contains("-49 is no price"), "{error}");
}

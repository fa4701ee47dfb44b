//! What a user filters is not sent, and says why.

use finstage_engine::{AlertFilters, AlertRules, EngineSettings, MarketRule};
use finstage_model::{CardNotice, CardVerdict, ClaimKind, Interval, Payload, Proof};

use crate::cards::notice;
use crate::stage::{Stage, at, series, strategy};

const CHATTER: &str = "chatter(warmup=1)";

/// Unproven signals of `cross(2)` on daily bars, without a cooldown that would hide a filter.
fn settings(filters: AlertFilters) -> EngineSettings {
    let mut settings = series("1d venue");
    settings.strategies = vec![strategy("cross", Some(("n", 2.0)), Interval::D1)];
    settings.alerts = AlertRules { send_unproven: true, cooldown_ms: 0, per_hour: 1_000, filters };
    settings
}

/// What becomes of the alerts about these closes, a day each, by the word of the decision.
fn decisions(filters: AlertFilters, closes: &[u32], volumes: &[u32]) -> Vec<String> {
    let mut stage = Stage::new(&settings(filters));
    let mut told = Vec::new();
    for (day, (close, volume)) in closes.iter().zip(volumes).enumerate() {
        let date = format!("2026-01-{:02}", day + 1);
        let next = format!("2026-01-{:02}", day + 2);
        let bar =
            format!("{next}T00:00:01 bar 1d {date}T00:00 {close} {close} {close} {close} {volume}");
        told.extend(stage.play(&bar));
    }
    let alerts = told.iter().filter_map(|line| line.strip_prefix("alert "));
    alerts.map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

/// Closes of 25 days, still until the last four: a cross up, down and up.
fn closes() -> Vec<u32> {
    let mut closes = vec![100; 22];
    closes.extend([101, 99, 101]);
    closes
}

fn with(filters: AlertFilters) -> Vec<String> {
    decisions(filters, &closes(), &[10; 25])
}

#[test]
fn without_filters_all_are_sent() {
    assert_eq!(with(AlertFilters::default()), ["send"; 3]);
    assert!(AlertFilters::default().are_off());
}

#[test]
fn only_named_strategies_alert() {
    let named = |name: &str| AlertFilters {
        strategies: vec!["other".to_owned(), name.to_owned()],
        ..AlertFilters::default()
    };
    for own in ["cross", "cross(n=2)"] {
        assert_eq!(with(named(own)), ["send"; 3], "{own}");
    }
    for other in ["cros", "cross(n=3)", "cross("] {
        assert_eq!(with(named(other)), ["strategy_off"; 3], "{other}");
    }
}

#[test]
fn a_weak_signal_is_kept_back_whichever_way_it_points() {
    let strength = |min_strength| AlertFilters { min_strength, ..AlertFilters::default() };
    // The close is 0.5 above the mean of two, then 1 below, then 1 above.
    assert_eq!(with(strength(0.5)), ["send"; 3]);
    assert_eq!(with(strength(0.75)), ["weak", "send", "send"]);
}

#[test]
fn a_bar_with_little_volume_is_kept_back() {
    let thin = |volumes: &[u32]| {
        let filters = AlertFilters { min_volume_ratio: 0.8, ..AlertFilters::default() };
        decisions(filters, &closes(), volumes)
    };
    let mut volumes = vec![10; 25];
    volumes[23] = 7;
    assert_eq!(thin(&volumes), ["send", "thin", "send"]);
    assert_eq!(thin(&[0; 25]), ["send"; 3], "nothing is known of volumes");
    let filters = AlertFilters { min_volume_ratio: 0.8, ..AlertFilters::default() };
    assert_eq!(decisions(filters, &closes()[20..], &volumes[20..]), ["send"; 3], "too few bars");
}

#[test]
fn a_signal_against_the_market_is_kept_back() {
    let agree = || AlertFilters { market: MarketRule::Agree, ..AlertFilters::default() };
    let told = |closes: &[u32]| decisions(agree(), closes, &vec![10; closes.len()]);
    assert_eq!(with(agree()), ["send"; 3], "sideways goes with both");
    // After a fall of 10 % a rise is against the market, and a fall is not.
    assert_eq!(told(&[100, 100, 95, 92, 89, 87, 90, 88]), ["against_market", "send"]);
    // After a rise it is the other way round.
    assert_eq!(told(&[100, 100, 105, 108, 111, 113, 110, 112]), ["send", "against_market", "send"]);
    // At exactly 5 % it is sideways, and with fewer than five days before nothing is known.
    assert_eq!(told(&[100, 100, 100, 98, 95, 94, 95]), ["send"]);
    assert_eq!(told(&[100, 80, 70, 75]), ["send"]);
}

/// What becomes of a verified long signal whose card says `change`.
fn carded(filters: AlertFilters, cards: &[CardNotice]) -> Vec<String> {
    let mut settings = series("1m trades");
    settings.strategies = vec![strategy("chatter", None, Interval::M1)];
    settings.alerts.filters = filters;
    let mut stage = Stage::new(&settings);
    for card in cards {
        stage.apply(at("12:00"), Payload::Card(Box::new(card.clone())));
    }
    let told = stage.play("12:00:30 trade 10\n 12:01:00 trade 10");
    let alerts = told.iter().filter_map(|line| line.strip_prefix("alert "));
    alerts.map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

fn card(change: impl FnOnce(&mut Proof)) -> CardNotice {
    let mut card = notice(CHATTER, CardVerdict::Verified, (at("09:00"), at("13:00")));
    change(&mut card.proof);
    card
}

#[test]
fn a_card_with_few_occasions_is_kept_back() {
    let least = |min_occasions| AlertFilters { min_occasions, ..AlertFilters::default() };
    let known = [card(|proof| proof.n_eff = 48)];
    assert_eq!(carded(least(48), &known), ["send", "not_verified"]);
    assert_eq!(carded(least(49), &known), ["few_occasions", "not_verified"]);
    assert_eq!(with(least(1)), ["few_occasions"; 3], "without a card there are none");
}

#[test]
fn a_card_with_a_low_hit_rate_is_kept_back() {
    let least = || AlertFilters { min_hit_rate: 0.6, ..AlertFilters::default() };
    let told = |rate| carded(least(), &[card(|proof| proof.hit_rate = rate)]).remove(0);
    assert_eq!(told(Some(0.6)), "send");
    assert_eq!(told(Some(0.59)), "low_hit_rate");
    assert_eq!(told(None), "send", "an unknown one passes");
    assert_eq!(with(least()), ["send"; 3], "without a card it is unknown");
    let size = CardNotice { claim: ClaimKind::Size, ..card(|proof| proof.hit_rate = Some(0.1)) };
    assert_eq!(carded(least(), &[size]).remove(0), "send", "its hits are about something else");
}

#[test]
fn the_first_that_objects_decides() {
    let all = AlertFilters {
        strategies: vec!["other".to_owned()],
        min_occasions: 1_000,
        min_hit_rate: 0.9,
        min_strength: 1e9,
        min_volume_ratio: 1e9,
        market: MarketRule::Agree,
    };
    let cards = [card(|proof| proof.hit_rate = Some(0.5))];
    let word = |filters| carded(filters, &cards).remove(0);
    assert_eq!(word(all.clone()), "strategy_off");
    let all = AlertFilters { strategies: Vec::new(), ..all };
    assert_eq!(word(all.clone()), "few_occasions");
    let all = AlertFilters { min_occasions: 0, ..all };
    assert_eq!(word(all.clone()), "low_hit_rate");
    let all = AlertFilters { min_hit_rate: 0.0, ..all };
    assert_eq!(word(all), "weak");
    let evidence = AlertFilters { strategies: vec!["other".to_owned()], ..AlertFilters::default() };
    assert_eq!(carded(evidence, &[]), ["not_verified"; 2], "evidence is asked first");
}

#[test]
fn settings_of_journals_without_filters_are_read() {
    let old = r#"{"send_unproven":false,"cooldown_ms":3600000,"per_hour":20}"#;
    let rules: AlertRules = serde_json::from_str(old).unwrap();
    assert_eq!(rules, AlertRules::default());
    assert_eq!(serde_json::to_string(&rules).unwrap(), old, "and written as before");
    let filters = AlertFilters { market: MarketRule::Agree, ..AlertFilters::default() };
    let rules = AlertRules { filters, ..rules };
    let json = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<AlertRules>(&json).unwrap(), rules);
}

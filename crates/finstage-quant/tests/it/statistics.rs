//! The statistics of evidence against values that other programs computed on the same data, read
//! where they lie: the folder named by `FINSTAGE_SHARED`, else `../shared` beside the workspace.

use std::collections::BTreeMap;

use finstage_model::{Direction, Timestamp};
use finstage_quant::stats::bootstrap::{Block, DRAWS, Draws, PrefixSums, Tail};
use finstage_quant::stats::event_study::{Claim, Member, Scope, Study};
use finstage_quant::stats::inference::{Estimate, ascending, mean_block};
use finstage_quant::stats::long_run::{block_lengths, stationary_variance};
use finstage_quant::stats::moments::{Moments, mean_correlation};
use finstage_quant::stats::overfitting::Overfitting;
use finstage_quant::stats::proportion::{Forecast, Interval, brier, wilson};
use finstage_quant::stats::random::SplitMix64;
use finstage_quant::stats::{cusum, multiple, quantile::quantile, sharpe};
use serde_json::Value;

use crate::reference::{Shared, shared_folder};

/// Agreement that is asked for.
const TOLERANCE: f64 = 1e-9;
/// Agreement of Monte-Carlo p-values, where a logarithm may round differently.
const P_TOLERANCE: f64 = 2.000_001e-4;

#[test]
fn the_streams_of_draws_are_those_of_the_reference() {
    let Some(golden) = Golden::read() else { return };
    let wanted = &golden.values["splitmix64"];
    let seed = whole(&wanted["seed"]) as u64;
    for (draw, name) in [(0, "draw0_state"), (1, "draw1_state")] {
        let state = SplitMix64::of_draw(seed, draw).state();
        assert_eq!(format!("{state:#x}"), wanted[name].as_str().unwrap());
    }
    let mut stream = SplitMix64::of_draw(seed, 0);
    for uniform in numbers(&wanted["draw0_first4_uniforms"]) {
        assert_eq!(stream.uniform(), uniform);
    }
}

#[test]
fn worked_examples_of_the_primary_sources_come_out() {
    let Some(golden) = Golden::read() else { return };
    let published = &golden.values["published"];

    let inputs = &published["dsr_bailey_lopez_de_prado_2014"]["inputs"];
    let computed = &published["dsr_bailey_lopez_de_prado_2014"]["computed"];
    let year = number(&inputs["periods_per_year"]);
    let ratio = number(&inputs["sr_annual"]) / year.sqrt();
    agree(ratio, &computed["sr_per_period"], "SR");
    let variance = number(&inputs["var_sr_annual"]) / year;
    let (skew, kurtosis) = (number(&inputs["skew"]), number(&inputs["kurt"]));
    let sample = shape(whole(&inputs["T"]), ratio, skew, kurtosis);
    let deflated = |sample, trials| sharpe::deflated(sample, variance, trials).unwrap();
    let luck = sharpe::best_of_luck(variance, number(&inputs["N"])).unwrap();
    agree(luck, &computed["sr0_per_period"], "SR0");
    let printed = &published["dsr_bailey_lopez_de_prado_2014"]["printed"];
    is_printed(luck, &printed["sr0_per_period"]);
    is_printed(deflated(&sample, number(&inputs["N"])), &printed["dsr"]);
    is_printed(deflated(&sample, 46.0), &printed["dsr_N46"]);
    agree(deflated(&sample, number(&inputs["N"])), &computed["dsr"], "DSR");
    agree(deflated(&sample, 46.0), &computed["dsr_N46"], "DSR, 46 trials");
    let normal = shape(whole(&inputs["T"]), ratio, 0.0, 3.0);
    agree(deflated(&normal, 88.0), &computed["dsr_N88_normal"], "DSR, normal");

    let inputs = &published["psr_bailey_lopez_de_prado_2012"]["inputs"];
    let computed = &published["psr_bailey_lopez_de_prado_2012"]["computed"];
    let (skew, kurtosis) = (number(&inputs["skew"]), number(&inputs["kurt"]));
    let ratio = number(&inputs["sr_monthly"]);
    let sample = shape(whole(&inputs["n"]), ratio, skew, kurtosis);
    let normal = shape(whole(&inputs["n"]), ratio, 0.0, 3.0);
    agree(sharpe::probabilistic(&sample, 0.0).unwrap(), &computed["psr0"], "PSR");
    agree(sharpe::probabilistic(&normal, 0.0).unwrap(), &computed["psr0_normal"], "PSR, normal");
    let printed = &published["psr_bailey_lopez_de_prado_2012"]["printed"];
    is_printed(sharpe::probabilistic(&sample, 0.0).unwrap(), &printed["psr0"]);
    is_printed(sharpe::probabilistic(&normal, 0.0).unwrap(), &printed["psr0_normal"]);
    let least = |sample| sharpe::least_track_record(sample, 0.95).unwrap();
    agree(least(&sample), &computed["mintrl_95"], "track record");
    agree(least(&normal), &computed["mintrl_95_normal"], "track record, normal");

    let bh = &published["bh_1995"];
    let p = numbers(&bh["p"]);
    let q = multiple::benjamini_hochberg(&p);
    agree_all(&q, &bh["q_bh"], "BH");
    agree_all(&multiple::benjamini_yekutieli(&p), &bh["q_by"], "BY");
    agree_all(&multiple::holm(&p), &bh["p_holm"], "Holm");
    assert_eq!(q.iter().filter(|&&q| q <= 0.05).count(), whole(&bh["rejected_bh_05"]));
    let bonferroni = p.iter().filter(|&&p| p * 15.0 <= 0.05).count();
    assert_eq!(bonferroni, whole(&bh["rejected_bonferroni_05"]));
}

#[test]
fn adjusted_closes_are_those_of_the_reference() {
    let Some(golden) = Golden::read() else { return };
    for (name, days) in golden.values["adjusted_close"].as_object().unwrap() {
        let series = &golden.series[name.as_str()];
        for (day, wanted) in days.as_object().unwrap() {
            let place = series.times.binary_search(&day.parse().unwrap()).unwrap();
            agree(series.closes[place], wanted, day);
        }
    }
}

#[test]
fn the_variance_in_closed_form_is_what_draws_come_to() {
    let Some(golden) = Golden::read() else { return };
    let wanted = &golden.values["sharpe_check"];
    let closes = &golden.series[wanted["series"].as_str().unwrap()].closes;
    let returns: Vec<f64> = closes.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    let block = number(&wanted["L"]);
    let exact = stationary_variance(&returns, block).unwrap();
    agree(exact, &wanted["closed_form"], "variance");
    let draws = Draws::new(returns.len(), block, 1).unwrap();
    let means = means_of_draws(&draws, &[&returns], 5_000).remove(0);
    let drawn = Moments::of(&means).unwrap().deviation.powi(2);
    // Two other sets of draws: the error of a variance of 5,000 is 2 %.
    for other in [exact, number(&wanted["arch_5000_draws"])] {
        assert!((drawn / other - 1.0).abs() < 0.08, "{drawn} {other}");
    }
}

#[test]
fn sharpe_figures_of_five_real_series_agree() {
    let Some(golden) = Golden::read() else { return };
    for wanted in list(&golden.values["sharpe"]) {
        let name = wanted["series"].as_str().unwrap();
        let closes = &golden.series[name].closes;
        let returns: Vec<f64> = closes.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        let moments = Moments::of(&returns).unwrap();
        let shape = &wanted["moments"];
        assert_eq!(moments.count, whole(&shape["n"]));
        agree(moments.mean, &shape["mean"], name);
        agree(moments.deviation, &shape["std_ddof1"], name);
        agree(moments.skew, &shape["skew"], name);
        agree(moments.kurtosis, &shape["kurt"], name);
        agree(moments.sharpe(), &wanted["sr_per_bar"], name);
        let psr = |against| sharpe::probabilistic(&moments, against).unwrap();
        agree(psr(0.0), &wanted["psr_vs_0"], name);
        agree(psr(0.5 / 252f64.sqrt()), &wanted["psr_vs_half_annual"], name);
        let least = sharpe::least_track_record(&moments, 0.95).unwrap();
        agree(least, &wanted["mintrl_95_vs_0"], name);
        let sizes: Vec<f64> = returns.iter().map(|value| value.abs()).collect();
        for (series, wanted) in [
            (&returns, &wanted["block_length_returns"]),
            (&sizes, &wanted["block_length_abs_returns"]),
        ] {
            let lengths = block_lengths(series).unwrap();
            agree(lengths.stationary, &wanted["stationary"], name);
            agree(lengths.circular, &wanted["circular"], name);
        }
        let lags = [1, 2, 5].map(|lag| autocorrelation(&returns, lag));
        agree_all(&lags, &wanted["autocorrelation_1_2_5"], name);
        for (block, wanted) in wanted["sb_variance_of_mean"].as_object().unwrap() {
            let variance = stationary_variance(&returns, block.parse().unwrap()).unwrap();
            agree(variance, wanted, name);
        }
    }
}

#[test]
fn a_grid_of_averages_is_deflated_and_cross_validated_as_in_the_reference() {
    let Some(golden) = Golden::read() else { return };
    let wanted = &golden.values["grid"];
    let closes = &golden.series[wanted["series"].as_str().unwrap()].closes;
    let first = whole(&wanted["first_row_bar"]);
    let trials: Vec<Vec<f64>> = list(&wanted["combos"])
        .iter()
        .map(|pair| {
            let (fast, slow) = pair.as_str().unwrap().split_once('/').unwrap();
            crossing(closes, [fast.parse().unwrap(), slow.parse().unwrap()], first)
        })
        .collect();
    let columns: Vec<&[f64]> = trials.iter().map(Vec::as_slice).collect();
    assert_eq!(columns[0].len(), whole(&wanted["rows"]));
    let moments: Vec<Moments> = columns.iter().map(|one| Moments::of(one).unwrap()).collect();
    let ratios: Vec<f64> = moments.iter().map(Moments::sharpe).collect();
    agree_all(&ratios, &wanted["sharpe"], "Sharpe ratios");
    let of = sharpe::Trials::of(&columns).unwrap();
    agree(of.mean_correlation, &wanted["mean_correlation"], "correlation");
    agree(mean_correlation(&columns).unwrap(), &wanted["mean_correlation"], "correlation");
    agree(of.effective, &wanted["n_eff"], "K_eff");
    agree(of.variance, &wanted["var_sr_ddof1"], "variance");
    let best = moments.iter().max_by(|a, b| a.sharpe().total_cmp(&b.sharpe())).unwrap();
    agree(best.skew, &wanted["best_skew"], "skew");
    agree(best.kurtosis, &wanted["best_kurt"], "kurtosis");
    let psr = sharpe::probabilistic(best, 0.0).unwrap();
    agree(psr, &wanted["psr0_best"], "PSR");
    for (trials, luck, dsr) in
        [(of.effective, "sr0_n_eff", "dsr_n_eff"), (columns.len() as f64, "sr0_raw_n", "dsr_raw_n")]
    {
        agree(sharpe::best_of_luck(of.variance, trials).unwrap(), &wanted[luck], luck);
        agree(sharpe::deflated(best, of.variance, trials).unwrap(), &wanted[dsr], dsr);
    }
    agree(multiple::best_of(1.0 - psr, of.effective).unwrap(), &wanted["sidak_p"], "Šidák");
    for (blocks, name) in [(8, "pbo_S8"), (16, "pbo_S16")] {
        check_overfitting(&Overfitting::of(&columns, blocks).unwrap(), &wanted[name], name);
    }
}

fn check_overfitting(said: &Overfitting, wanted: &Value, name: &str) {
    let splits = said.halves.len();
    assert_eq!((splits, said.rows), (whole(&wanted["splits"]), whole(&wanted["rows_used"])));
    let one_split = 1.000_001 / splits as f64;
    assert!((said.probability - number(&wanted["pbo"])).abs() <= one_split, "{name}");
    assert!((said.loss - number(&wanted["prob_oos_loss"])).abs() <= one_split, "{name}");
    let mean = |of: fn(&finstage_quant::stats::overfitting::Half) -> f64| {
        said.halves.iter().map(of).sum::<f64>() / splits as f64
    };
    agree(mean(|half| half.logit), &wanted["logit_mean"], name);
    agree(mean(|half| half.inside), &wanted["is_sharpe_mean"], name);
    agree(mean(|half| half.outside), &wanted["oos_sharpe_mean"], name);
    agree(said.slope.unwrap(), &wanted["slope"], name);
    let logits: Vec<f64> = said.halves[..5].iter().map(|half| half.logit).collect();
    agree_all(&logits, &wanted["logit_first5"], name);
    let best: Vec<f64> = said.halves[..5].iter().map(|half| half.best as f64).collect();
    agree_all(&best, &wanted["best_first5"], name);
}

#[test]
fn small_checks_agree() {
    let Some(golden) = Golden::read() else { return };
    for wanted in list(&golden.values["cusum"]) {
        let delta = number(&wanted["delta"]);
        let height = cusum::threshold(delta, number(&wanted["arl0"])).unwrap();
        agree(height, &wanted["threshold"], "H");
        let run = cusum::run_after_decay(delta, height).unwrap();
        agree(run, &wanted["arl_after_decay_to_zero"], "run after decay");
    }
    for wanted in list(&golden.values["wilson"]) {
        let count = number(&wanted["n"]);
        let said = wilson(number(&wanted["hits"]) / count, count).unwrap();
        agree_interval(said, &wanted["interval"], "Wilson");
    }
    let wanted = &golden.values["brier"];
    let pairs = numbers(&wanted["p"]).into_iter().zip(numbers(&wanted["y"]));
    let forecasts: Vec<Forecast> =
        pairs.map(|(probability, came)| Forecast { probability, came: came == 1.0 }).collect();
    agree(brier(&forecasts).unwrap(), &wanted["brier"], "Brier");
}

#[test]
fn every_case_of_the_event_study_agrees_from_prices_to_q_values() {
    let Some(golden) = Golden::read() else { return };
    let seed = whole(&golden.values["event_study"]["seed"]) as u64;
    assert_eq!(golden.values["event_study"]["draws"], DRAWS);
    let cases = golden.cases();
    assert_eq!(cases.len(), 69);
    let studies: Vec<Study> = cases.iter().map(|case| golden.study(case)).collect();
    // Hypotheses with the same dates and horizon share their draws.
    let mut shared: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (place, (case, study)) in cases.iter().zip(&studies).enumerate() {
        shared.entry((study.psi.len(), case.horizon)).or_default().push(place);
    }
    let mut p = vec![0.0; cases.len()];
    for ((dates, horizon), places) in shared {
        let draws = Draws::new(dates, mean_block(horizon), seed).unwrap();
        let psi: Vec<&[f64]> = places.iter().map(|&place| studies[place].psi.as_slice()).collect();
        let stars = draws.t_stars(&PrefixSums::new(&psi).unwrap(), 0..DRAWS);
        for (means, place) in means_of_draws(&draws, &psi, DRAWS).into_iter().zip(&places) {
            // The population deviation.
            let spread = Moments::of(&means).unwrap().deviation * (1.0 - 1.0 / DRAWS as f64).sqrt();
            agree(spread, &cases[*place].json["result"]["boot_se"], &cases[*place].name);
        }
        for (column, place) in places.into_iter().enumerate() {
            check_study(&studies[place], &cases[place]);
            check_blocks(&draws, &cases[place]);
            p[place] = check_inference(&studies[place], &cases[place], stars.column(column));
        }
    }
    let wanted = &golden.values["multiple_testing"];
    let given = numbers(&wanted["p"]);
    for (said, wanted) in p.iter().zip(&given) {
        assert!((said - wanted).abs() <= P_TOLERANCE, "{said} {wanted}");
    }
    agree_all(&multiple::benjamini_hochberg(&given), &wanted["q_bh"], "BH");
    agree_all(&multiple::benjamini_yekutieli(&given), &wanted["q_by"], "BY");
    agree_all(&multiple::holm(&given), &wanted["p_holm"], "Holm");
}

fn check_study(study: &Study, case: &Case<'_>) {
    let (wanted, name) = (&case.json["result"], case.name.as_str());
    assert_eq!(study.n, whole(&wanted["n"]), "{name}");
    assert_eq!(study.n_eff, whole(&wanted["n_eff"]), "{name}");
    assert_eq!(study.psi.len(), whole(&wanted["dates"]), "{name}");
    agree(study.theta, &wanted["theta"], name);
    agree(study.mean_return, &wanted["mean_return"], name);
    agree(study.base_return, &wanted["base_return"], name);
    agree(study.event_deviation.unwrap(), &wanted["sd_event"], name);
    agree(study.hit_rate, &wanted["hit_rate"], name);
    agree(study.base_hit_rate, &wanted["base_hit_rate"], name);
    agree_interval(study.hit_interval().unwrap(), &wanted["hit_interval_n_eff"], name);
    agree_all(&study.psi[..3], &wanted["psi_first3"], name);
    agree(study.psi.iter().map(|psi| psi * psi).sum(), &wanted["psi_sumsq"], name);
}

fn check_blocks(draws: &Draws, case: &Case<'_>) {
    let mut blocks = Vec::new();
    draws.blocks(0, &mut blocks);
    let wanted = list(&case.json["result"]["first_draw_blocks"]);
    assert!(!wanted.is_empty());
    for (Block { start, length }, wanted) in blocks.iter().zip(wanted) {
        assert_eq!([f64::from(*start), f64::from(*length)], numbers(wanted)[..], "{}", case.name);
    }
}

/// Checks what draws make of a case; its p-value before cost.
fn check_inference(study: &Study, case: &Case<'_>, stars: &[f64]) -> f64 {
    let (wanted, name) = (&case.json["result"], case.name.as_str());
    let block = mean_block(case.horizon);
    agree(block, &wanted["block_mean_length"], name);
    let gross = Estimate::of(study, 0.0, block).unwrap();
    let net = Estimate::of(study, case.cost, block).unwrap();
    agree(gross.se, &wanted["se"], name);
    agree(gross.t, &wanted["t_gross"], name);
    agree(net.t, &wanted["t_net"], name);
    agree(gross.p_student().unwrap(), &wanted["p_student_gross"], name);
    agree(net.p_student().unwrap(), &wanted["p_student_net"], name);
    agree_interval(net.interval_student().unwrap(), &wanted["interval_net_student"], name);

    agree_all(&stars[..3], &wanted["first3_t_star"], name);
    let ordered = ascending(stars);
    agree(quantile(&ordered, 0.025).unwrap(), &wanted["t_star_q025"], name);
    agree(quantile(&ordered, 0.975).unwrap(), &wanted["t_star_q975"], name);
    agree_interval(net.interval_of_draws(&ordered).unwrap(), &wanted["interval_net_boot"], name);
    let hull = net.interval(&ordered).unwrap();
    let both = [numbers(&wanted["interval_net_boot"]), numbers(&wanted["interval_net_student"])];
    assert!((hull.low - both[0][0].min(both[1][0])).abs() < TOLERANCE, "{name}");
    assert!((hull.high - both[0][1].max(both[1][1])).abs() < TOLERANCE, "{name}");
    let tail = |estimate: &Estimate| Tail::of(stars, estimate.t);
    for (estimate, wanted) in [(&gross, &wanted["p_boot_gross"]), (&net, &wanted["p_boot_net"])] {
        assert!((tail(estimate).p() - number(wanted)).abs() <= P_TOLERANCE, "{name}");
    }
    gross.p(tail(&gross)).unwrap()
}

#[test]
fn adding_real_instruments_that_never_signal_leaves_the_effect_unchanged() {
    let Some(golden) = Golden::read() else { return };
    for case in golden.cases().iter().filter(|case| case.members.len() == 1) {
        let alone = golden.study(case);
        let mut wider = case.clone();
        wider.members.push(("NVDA".to_owned(), Vec::new()));
        wider.members.insert(0, ("GOOG".to_owned(), Vec::new()));
        let wider = golden.study(&wider);
        assert_eq!(alone.theta.to_bits(), wider.theta.to_bits(), "{}", case.name);
        assert_eq!((alone.n, alone.n_eff), (wider.n, wider.n_eff));
        assert_eq!(alone.base_hit_rate, wider.base_hit_rate);
    }
}

/// The mean of each series in each of the first draws, straight from its blocks.
fn means_of_draws(draws: &Draws, series: &[&[f64]], count: u64) -> Vec<Vec<f64>> {
    let length = series[0].len();
    let sums: Vec<Vec<f64>> = series
        .iter()
        .map(|values| {
            let twice = values.iter().chain(*values);
            let running = twice.scan(0.0, |sum, value| {
                *sum += value;
                Some(*sum)
            });
            std::iter::once(0.0).chain(running).collect()
        })
        .collect();
    let mut means = vec![Vec::new(); series.len()];
    let mut blocks = Vec::new();
    for draw in 0..count {
        blocks.clear();
        draws.blocks(draw, &mut blocks);
        for (sums, means) in sums.iter().zip(&mut means) {
            let part = |block: &Block| {
                let start = block.start as usize;
                sums[start + block.length as usize] - sums[start]
            };
            means.push(blocks.iter().map(part).sum::<f64>() / length as f64);
        }
    }
    means
}

/// Of the whole series around its mean.
fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let product = |pair: (&f64, &f64)| (pair.0 - mean) * (pair.1 - mean);
    let lagged: f64 = values.iter().zip(&values[lag..]).map(product).sum();
    lagged / values.iter().zip(values).map(product).sum::<f64>()
}

/// Sum of the last `length` values up to each place, divided.
fn average(values: &[f64], length: usize, place: usize) -> f64 {
    values[place + 1 - length..=place].iter().sum::<f64>() / length as f64
}

/// Returns of holding while the fast average is above the slow one.
fn crossing(closes: &[f64], lengths: [usize; 2], first: usize) -> Vec<f64> {
    let row = |place: usize| {
        let [fast, slow] = lengths.map(|length| average(closes, length, place));
        if fast > slow { closes[place + 1] / closes[place] - 1.0 } else { 0.0 }
    };
    (first..closes.len() - 1).map(row).collect()
}

/// A sample that is known by its moments alone.
fn shape(count: usize, ratio: f64, skew: f64, kurtosis: f64) -> Moments {
    Moments { count, mean: ratio, deviation: 1.0, skew, kurtosis }
}

/// Reference values, and the series that they were computed on.
struct Golden {
    values: Value,
    series: BTreeMap<&'static str, Series>,
}

struct Series {
    times: Vec<Timestamp>,
    opens: Vec<f64>,
    closes: Vec<f64>,
}

#[derive(Clone)]
struct Case<'a> {
    name: String,
    json: &'a Value,
    members: Vec<(String, Vec<usize>)>,
    direction: Direction,
    horizon: usize,
    warm_up: usize,
    cost: f64,
}

impl Golden {
    fn read() -> Option<Self> {
        let shared = shared_folder()?;
        let values = serde_json::from_str(&shared.read("golden/statistics.json")).unwrap();
        let series = [
            ("GSPC", "gspc_d_1999_2018", ""),
            ("AAPL", "aapl_d_1998_2021", "aapl_factors"),
            ("BAC", "bac_d_1998_2021", "bac_factors"),
            ("NVDA", "nvda_d_1999_2014", ""),
            ("GOOG", "goog_d_2004_2013", ""),
        ];
        let read = |(name, file, factors)| (name, Series::read(&shared, file, factors));
        Some(Self { values, series: series.into_iter().map(read).collect() })
    }

    /// The cases; event bars are given with the first horizon of each signal and scope.
    fn cases(&self) -> Vec<Case<'_>> {
        let mut members: Vec<(String, Vec<usize>)> = Vec::new();
        let mut cases = Vec::new();
        for json in list(&self.values["event_study"]["cases"]) {
            let events = |name: &Value| {
                let bars = numbers(&json["event_bars"][name.as_str().unwrap()]);
                let bars = bars.into_iter().map(|bar| bar as usize).collect();
                (name.as_str().unwrap().to_owned(), bars)
            };
            if json["event_bars"].is_object() {
                members = list(&json["series"]).iter().map(events).collect();
            }
            let rises = number(&json["direction"]) > 0.0;
            cases.push(Case {
                name: format!("{} {} {}", json["series"], json["signal"], json["h"]),
                json,
                members: members.clone(),
                direction: if rises { Direction::Long } else { Direction::Short },
                horizon: whole(&json["h"]),
                warm_up: whole(&json["w"]),
                cost: number(&json["cost_per_side"]),
            });
        }
        cases
    }

    fn study(&self, case: &Case<'_>) -> Study {
        let columns: Vec<_> = case
            .members
            .iter()
            .map(|(name, _)| {
                let opens = &self.series[name.as_str()].opens;
                let exit = |bar: usize| opens.get(bar + 1 + case.horizon);
                let value =
                    |bar: usize| exit(bar).map_or(f64::NAN, |exit| exit / opens[bar + 1] - 1.0);
                let returns: Vec<f64> = (0..opens.len()).map(value).collect();
                let eligible: Vec<bool> = (0..opens.len()).map(|bar| bar >= case.warm_up).collect();
                (returns, eligible)
            })
            .collect();
        let members: Vec<Member<'_>> = case
            .members
            .iter()
            .zip(&columns)
            .map(|((name, _), (returns, eligible))| Member {
                name,
                times: &self.series[name.as_str()].times,
                returns,
                eligible,
                volatility: &[],
            })
            .collect();
        let events: Vec<&[usize]> = case.members.iter().map(|(_, bars)| bars.as_slice()).collect();
        let scope = Scope::new(&members, case.horizon).unwrap();
        scope.study(Claim::Direction(case.direction), &events).unwrap()
    }
}

impl Series {
    fn read(shared: &Shared, file: &str, factors: &str) -> Self {
        let text = shared.read(&format!("data/{file}.csv"));
        let factors: Vec<(Timestamp, f64)> = if factors.is_empty() {
            Vec::new()
        } else {
            let text = shared.read(&format!("data/{factors}.csv"));
            let row = |line: &str| {
                let cells: Vec<&str> = line.split(',').collect();
                let factor = |cell: usize| cells[cell].parse::<f64>().unwrap();
                (cells[0].parse().unwrap(), factor(1) * factor(2))
            };
            text.lines().skip(1).map(row).collect()
        };
        let mut series = Self { times: Vec::new(), opens: Vec::new(), closes: Vec::new() };
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let time: Timestamp = cells[0].parse().unwrap();
            let factor = factors.iter().find(|(last, _)| *last >= time).map_or(1.0, |row| row.1);
            series.times.push(time);
            series.opens.push(cells[1].parse::<f64>().unwrap() * factor);
            series.closes.push(cells[4].parse::<f64>().unwrap() * factor);
        }
        series
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(number).collect()
}

fn whole(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn agree(said: f64, wanted: &Value, what: &str) {
    let wanted = number(wanted);
    assert!((said - wanted).abs() <= TOLERANCE * wanted.abs(), "{what}: {said} is not {wanted}");
}

fn agree_all(said: &[f64], wanted: &Value, what: &str) {
    assert_eq!(said.len(), list(wanted).len(), "{what}");
    for (said, wanted) in said.iter().zip(list(wanted)) {
        agree(*said, wanted, what);
    }
}

/// Agreement with a figure as its source printed it.
fn is_printed(said: f64, printed: &Value) {
    let text = printed.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, part)| part.len());
    assert_eq!(format!("{said:.decimals$}"), text);
}

fn agree_interval(said: Interval, wanted: &Value, what: &str) {
    agree_all(&[said.low, said.high], wanted, what);
}

//! Whether the load was what was asked for, and how much of it the server took.

use super::super::figures::{count, rate, time};
use super::super::knee::Knee;
use super::{Both, Found, Outcome, Severity, percents, share};

/// More than this share of seconds in which we were the limit spoils a test.
const BOUND: f64 = 0.10;
/// Shed arrivals: more than this is why the test went as it did.
const SHED: f64 = 0.05;
/// How far requests under way may be from rate × latency.
const LITTLE: f64 = 0.5;
/// Fewer under way, or fewer seconds, say nothing about it.
const LITTLE_IN_FLIGHT: f64 = 5.0;
const LITTLE_SLICES: usize = 10;

pub(super) fn nothing_sent(outcome: &Outcome) -> Vec<Found> {
    let (en, ko) = match outcome.shed {
        0 => (String::new(), String::new()),
        shed => {
            let shed = count(shed);
            (
                format!("; {shed} arrivals were due and found no connection"),
                format!(" 예정된 {shed}건은 연결을 얻지 못했습니다."),
            )
        }
    };
    vec![Found {
        what: "nothing_sent",
        severity: Severity::High,
        figure: "sent".into(),
        value: 0.0,
        bound: 1.0,
        text: Both::new(
            format!("Nothing was sent{en}: there is nothing to say about the server."),
            format!("아무것도 보내지 않아 서버에 대해 말할 것이 없습니다.{ko}"),
        ),
        advice: Some(Both::new(
            "0 requests were sent: give the test a rate and a longer --duration, or look why it was stopped.",
            "보낸 요청이 0건입니다. 속도와 더 긴 --duration을 지정하거나 왜 멈췄는지 확인하십시오.",
        )),
    }]
}

pub(super) fn generator_bound(outcome: &Outcome) -> Vec<Found> {
    let (bound, all) = (u64::from(outcome.generator.bound_slices), outcome.slices.len() as u64);
    if bound == 0 {
        return Vec::new();
    }
    let part = share(bound, all).min(1.0);
    let why = outcome.generator.bound_by.join("; ");
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    let (rate, p99) =
        (rate(outcome.rps), super::super::figures::maybe_time(outcome.latency.p99_ms));
    vec![Found {
        what: "generator_bound",
        severity: if part > BOUND { Severity::High } else { Severity::Low },
        figure: "generator.bound_slices".into(),
        value: bound as f64,
        bound: BOUND * all as f64,
        text: Both::new(
            format!(
                "In {bound} of {all} seconds this machine was the limit and not the server{why}: {rate}/s is the least that the server takes, and p99 {p99} contains our own delay."
            ),
            format!(
                "{all}초 중 {bound}초는 서버가 아니라 이 컴퓨터가 한계였습니다{why}. 서버는 적어도 초당 {rate}건을 처리하며 p99 {p99}에는 이 컴퓨터의 지연이 들어 있습니다."
            ),
        ),
        advice: Some(Both::new(
            format!(
                "{bound} seconds measure this machine: send less, from more --threads, or from a second machine (stress report adds results up)."
            ),
            format!(
                "{bound}초는 이 컴퓨터를 잰 것입니다. 덜 보내거나 --threads를 늘리거나 다른 컴퓨터와 나누어 보내십시오(stress report가 결과를 합칩니다)."
            ),
        )),
    }]
}

pub(super) fn shed(outcome: &Outcome) -> Vec<Found> {
    if outcome.shed == 0 {
        return Vec::new();
    }
    let all = outcome.sent + outcome.shed;
    let part = share(outcome.shed, all);
    let ((en, ko), shed, all_text) = (percents(part), count(outcome.shed), count(all));
    vec![Found {
        what: "shed",
        severity: if part > SHED { Severity::High } else { Severity::Medium },
        figure: "shed".into(),
        value: outcome.shed as f64,
        bound: SHED * all as f64,
        text: Both::new(
            format!(
                "{shed} of {all_text} arrivals ({en}) never left, all connections were busy; no percentile contains them."
            ),
            format!(
                "예정된 {all_text}건 중 {shed}건({ko})은 모든 연결이 사용 중이라 보내지 못했으며 백분위수에 들어 있지 않습니다."
            ),
        ),
        advice: Some(Both::new(
            format!(
                "{en} of the load was not sent: ask at a lower --rate, or with more --concurrency where users would come on connections of their own."
            ),
            format!(
                "부하의 {ko}를 보내지 못했습니다. --rate를 낮추거나, 사용자마다 연결이 따로인 경우라면 --concurrency를 늘리십시오."
            ),
        )),
    }]
}

pub(super) fn knee(outcome: &Outcome) -> Vec<Found> {
    let Some(knee) = Knee::find(outcome) else { return Vec::new() };
    let (good, p99) = (rate(knee.rate), time(knee.p99_ms));
    let (most_en, most_ko) = match knee.scaling.and_then(|scaling| scaling.peak()) {
        None => Default::default(),
        Some((at, peak)) => {
            let peak = rate(peak);
            (
                format!(
                    " The law of scalability that fits puts the most at {peak}/s, with {at:.0} under way."
                ),
                format!(
                    " 확장성 법칙에 맞추면 최대 초당 {peak}건이며 그때 진행 중인 요청은 {at:.0}건입니다."
                ),
            )
        }
    };
    let Some(broken) = &knee.broken else {
        return vec![Found {
            what: "knee",
            severity: Severity::Info,
            figure: "slices".into(),
            value: knee.rate,
            bound: knee.rate,
            text: Both::new(
                format!("No knee up to {good}/s: p99 is {p99} there.{most_en}"),
                format!("초당 {good}건까지 꺾이는 곳이 없으며 그때 p99는 {p99}입니다.{most_ko}"),
            ),
            advice: None,
        }];
    };
    let (at, bad) = (rate(broken.offered), super::super::figures::maybe_time(broken.p99_ms));
    let (ok_en, ok_ko) = percents(broken.ok_share);
    vec![Found {
        what: "knee",
        severity: Severity::Medium,
        figure: "slices".into(),
        value: knee.rate,
        bound: broken.offered,
        text: Both::new(
            format!(
                "The knee is at {good}/s (p99 {p99}); at {at}/s p99 is {bad} and {ok_en} is answered well.{most_en}"
            ),
            format!(
                "초당 {good}건(p99 {p99})에서 꺾입니다. 초당 {at}건에서는 p99 {bad}, 정상 응답 {ok_ko}입니다.{most_ko}"
            ),
        ),
        advice: Some(Both::new(
            format!("Plan with less than {good}/s: above it waiting grows faster than load."),
            format!(
                "초당 {good}건보다 낮게 계획하십시오. 그 위에서는 부하보다 대기가 더 빨리 늘어납니다."
            ),
        )),
    }]
}

/// Little's law: what is under way is rate × time, whatever the distribution. Where it is not, some time
/// is not counted.
pub(super) fn littles_law(outcome: &Outcome) -> Vec<Found> {
    let Some((under_way, expected)) = in_flight(outcome) else { return Vec::new() };
    let is_steady = super::stalls(&outcome.slices).is_none() && Knee::find(outcome).is_none();
    let is_off =
        (under_way / expected - 1.0).abs() > LITTLE && under_way.max(expected) >= LITTLE_IN_FLIGHT;
    if !is_steady || !is_off || outcome.slices.len() < LITTLE_SLICES {
        return Vec::new();
    }
    let mean = super::super::figures::maybe_time(outcome.service.mean_ms);
    vec![Found {
        what: "littles_law",
        severity: Severity::Low,
        figure: "slices.in_flight".into(),
        value: under_way,
        bound: expected,
        text: Both::new(
            format!(
                "The figures do not add up: {under_way:.1} were under way on average, but {}/s for {mean} each make {expected:.1}.",
                rate(outcome.rps)
            ),
            format!(
                "수치가 맞지 않습니다. 진행 중인 요청은 평균 {under_way:.1}건인데 초당 {}건이 {mean}씩이면 {expected:.1}건입니다.",
                rate(outcome.rps)
            ),
        ),
        advice: Some(Both::new(
            format!(
                "{under_way:.1} under way beside {expected:.1} by Little's law: some waiting is not in the latencies; hold this machine's lag against them."
            ),
            format!(
                "진행 중 {under_way:.1}건, 리틀의 법칙으로는 {expected:.1}건입니다. 지연에 잡히지 않은 대기가 있으니 이 컴퓨터의 지연과 비교하십시오."
            ),
        )),
    }]
}

/// Requests under way: as counted at the ends of seconds, and as rate × time makes it.
pub(in super::super) fn in_flight(outcome: &Outcome) -> Option<(f64, f64)> {
    let seconds: f64 = outcome.slices.iter().map(|slice| slice.length_s).sum();
    let expected = outcome.rps * outcome.service.mean_ms? / 1000.0;
    let counted =
        outcome.slices.iter().map(|slice| slice.in_flight as f64 * slice.length_s).sum::<f64>();
    (seconds > 0.0 && expected > 0.0).then(|| (counted / seconds, expected))
}

//! Several results as one: of machines that sent at the same time, or of runs one after the other.

use std::collections::BTreeMap;

use super::{EndpointOutcome, Generator, Messages, Outcome, Percentiles, QuotaSeen, Slice};

/// Adds results up; `None` of none. Histograms and counts are exact sums. Percentiles that come without a
/// histogram (of service times, phases, endpoints) are left out, because percentiles cannot be added;
/// their counts, means and longest can. Findings and thresholds are those of nobody: find them anew.
#[must_use]
pub fn merge(outcomes: &[Outcome]) -> Option<Outcome> {
    let [first, rest @ ..] = outcomes else { return None };
    if rest.is_empty() {
        return Some(first.clone());
    }
    let mut all = Outcome::new(first.kind, joined(outcomes));
    all.started_at = outcomes.iter().map(|outcome| outcome.started_at).min()?;
    let places = places(outcomes);
    for (outcome, at_s) in outcomes.iter().zip(&places) {
        all.elapsed_s = all.elapsed_s.max(at_s + outcome.elapsed_s);
        all.add_counts(outcome);
        add_quota(&mut all.quota, &outcome.quota, *at_s);
        add_generator(&mut all.generator, &outcome.generator);
        all.service = pooled(&all.service, &outcome.service);
        for (phase, times) in &outcome.phases {
            let own = all.phases.entry(*phase).or_default();
            *own = pooled(own, times);
        }
        add_endpoints(&mut all.endpoints, &outcome.endpoints);
        if let Some(messages) = &outcome.messages {
            add_messages(all.messages.get_or_insert_default(), messages);
        }
    }
    all.slices = slices(outcomes, &places);
    all.latency = all.histogram.percentiles();
    all.settings = common_settings(outcomes);
    let planned: f64 = all.slices.iter().map(|slice| slice.length_s).sum();
    let answered = outcomes.iter().map(|o| o.rps * o.elapsed_s.max(f64::MIN_POSITIVE)).sum::<f64>();
    let is_parallel = places.iter().all(|at_s| *at_s < first.elapsed_s);
    all.rps = match is_parallel {
        true => outcomes.iter().map(|outcome| outcome.rps).sum(),
        false => answered / planned.max(all.elapsed_s).max(f64::MIN_POSITIVE),
    };
    Some(all)
}

impl Outcome {
    fn add_counts(&mut self, other: &Self) {
        self.sent += other.sent;
        self.ok += other.ok;
        self.failed += other.failed;
        self.rate_limited += other.rate_limited;
        self.shed += other.shed;
        self.histogram.add(&other.histogram);
        self.bursts.extend(other.bursts.iter().cloned());
        add_errors(&mut self.errors, &other.errors);
    }
}

/// When each begins, in seconds after the first: as it was where they overlap; where they do not, the next
/// follows at once, and the pause between is no part of a test.
fn places(outcomes: &[Outcome]) -> Vec<f64> {
    let start = |o: &Outcome| o.started_at.nanos() as f64 / 1e9;
    let mut order: Vec<usize> = (0..outcomes.len()).collect();
    order.sort_by_key(|&i| outcomes[i].started_at);
    let mut places = vec![0.0; outcomes.len()];
    let (mut real_end, mut end, mut pause) = (f64::MIN, 0.0_f64, 0.0);
    let begin = order.first().map_or(0.0, |&i| start(&outcomes[i]));
    for i in order {
        let at = start(&outcomes[i]) - begin;
        if at >= real_end {
            pause = at - end;
        }
        places[i] = at - pause;
        real_end = real_end.max(at + outcomes[i].elapsed_s);
        end = end.max(places[i] + outcomes[i].elapsed_s).ceil();
    }
    places
}

fn slices(outcomes: &[Outcome], places: &[f64]) -> Vec<Slice> {
    let all = outcomes.iter().flat_map(|outcome| &outcome.slices);
    let length_s = all.map(|slice| slice.length_s).fold(0.0, f64::max);
    let mut slices: BTreeMap<u64, Slice> = BTreeMap::new();
    for (outcome, at_s) in outcomes.iter().zip(places) {
        for slice in &outcome.slices {
            // To the nearest: two starts within a second are the same second.
            let place = ((at_s.round() + slice.at_s) / length_s + 1e-6).floor() as u64;
            let own = slices
                .entry(place)
                .or_insert_with(|| Slice::empty(place as f64 * length_s, length_s));
            own.due += slice.due;
            own.sent += slice.sent;
            own.ok += slice.ok;
            own.failed += slice.failed;
            own.rate_limited += slice.rate_limited;
            own.shed += slice.shed;
            own.in_flight += slice.in_flight;
            own.generator_bound |= slice.generator_bound;
            own.latency.add(&slice.latency);
        }
    }
    slices.into_values().collect()
}

/// Count, mean, deviation and longest of two; percentiles of one of them only where the other is empty.
fn pooled(a: &Percentiles, b: &Percentiles) -> Percentiles {
    if a.count == 0 || b.count == 0 {
        return if a.count == 0 { b.clone() } else { a.clone() };
    }
    let (n, m) = (a.count as f64, b.count as f64);
    let both = |x: Option<f64>, y: Option<f64>| Some((x?, y?));
    let mean = both(a.mean_ms, b.mean_ms).map(|(x, y)| (n * x + m * y) / (n + m));
    let square = |mean: Option<f64>, std: Option<f64>| Some(mean?.powi(2) + std?.powi(2));
    let squares = both(square(a.mean_ms, a.std_ms), square(b.mean_ms, b.std_ms));
    let square = squares.map(|(x, y)| (n * x + m * y) / (n + m));
    Percentiles {
        count: a.count + b.count,
        mean_ms: mean,
        std_ms: both(square, mean).map(|(square, mean)| (square - mean * mean).max(0.0).sqrt()),
        max_ms: both(a.max_ms, b.max_ms).map(|(x, y)| x.max(y)),
        ..Percentiles::default()
    }
}

fn add_errors(to: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (name, count) in more {
        *to.entry(name.clone()).or_default() += count;
    }
}

fn add_endpoints(to: &mut Vec<EndpointOutcome>, more: &[EndpointOutcome]) {
    for endpoint in more {
        let Some(own) = to.iter_mut().find(|own| own.name == endpoint.name) else {
            to.push(endpoint.clone());
            continue;
        };
        own.sent += endpoint.sent;
        own.ok += endpoint.ok;
        own.failed += endpoint.failed;
        own.rate_limited += endpoint.rate_limited;
        own.latency = pooled(&own.latency, &endpoint.latency);
        add_errors(&mut own.errors, &endpoint.errors);
    }
}

fn add_quota(to: &mut QuotaSeen, more: &QuotaSeen, at_s: f64) {
    let least = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::min);
    for (name, &used) in &more.used {
        let own = to.used.entry(name.clone()).or_default();
        *own = used.max(*own);
    }
    to.retry_after_s = to.retry_after_s.into_iter().chain(more.retry_after_s).reduce(f64::max);
    to.first_429_s = least(to.first_429_s, more.first_429_s.map(|s| s + at_s));
    to.banned_s = least(to.banned_s, more.banned_s.map(|s| s + at_s));
}

fn add_generator(to: &mut Generator, more: &Generator) {
    let requests = |g: &Generator| {
        if g.cpu_us_per_request > 0.0 { g.cpu_s / g.cpu_us_per_request } else { 0.0 }
    };
    let together = requests(to) + requests(more);
    to.threads += more.threads;
    to.cpu_s += more.cpu_s;
    to.cpu_us_per_request = if together > 0.0 { to.cpu_s / together } else { 0.0 };
    to.rss_bytes = to.rss_bytes.max(more.rss_bytes);
    to.connections += more.connections;
    to.reconnects += more.reconnects;
    to.lag = pooled(&to.lag, &more.lag);
    to.descriptors = to.descriptors.max(more.descriptors);
    to.descriptor_limit = to.descriptor_limit.max(more.descriptor_limit);
    to.bound_slices += more.bound_slices;
    for why in &more.bound_by {
        if !to.bound_by.contains(why) {
            to.bound_by.push(why.clone());
        }
    }
}

fn add_messages(to: &mut Messages, more: &Messages) {
    to.ramp_s = match (to.connections, to.ramp_s, more.ramp_s) {
        (0, _, ramp) => ramp,
        (_, Some(a), Some(b)) => Some(a.max(b)),
        _ => None,
    };
    to.connections += more.connections;
    to.open += more.open;
    to.received += more.received;
    to.bytes += more.bytes;
    to.per_second += more.per_second;
    to.latency = pooled(&to.latency, &more.latency);
    to.connect = pooled(&to.connect, &more.connect);
    let of_error = |m: &Messages| m.clock_error_ms.unwrap_or(-1.0);
    if of_error(more) > of_error(to) {
        (to.clock_offset_ms, to.clock_error_ms) = (more.clock_offset_ms, more.clock_error_ms);
    }
    to.reconnects += more.reconnects;
    to.missed += more.missed;
    to.repeated += more.repeated;
    to.unread += more.unread;
    to.bytes_per_connection = to.bytes_per_connection.max(more.bytes_per_connection);
}

/// The settings that all have alike, and how many results these are.
fn common_settings(outcomes: &[Outcome]) -> BTreeMap<String, serde_json::Value> {
    let alike = |name: &String, value: &serde_json::Value| {
        outcomes.iter().all(|outcome| outcome.settings.get(name) == Some(value))
    };
    let first = outcomes.first().map(|outcome| outcome.settings.clone()).unwrap_or_default();
    let mut common: BTreeMap<_, _> =
        first.into_iter().filter(|(name, value)| alike(name, value)).collect();
    common.insert("results".into(), outcomes.len().into());
    common
}

fn joined(outcomes: &[Outcome]) -> String {
    let mut targets: Vec<&str> = outcomes.iter().map(|outcome| outcome.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    targets.join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stress::scene::Scene;

    #[test]
    fn machines_that_sent_together_add_up_second_by_second() {
        let (a, mut b) = (Scene::new(1).play(), Scene { median_ms: 50.0, ..Scene::new(2) }.play());
        b.started_at = a.started_at.plus(Duration::from_secs(3));
        let both = merge(&[a.clone(), b.clone()]).unwrap();
        assert_eq!((both.sent, both.slices.len()), (12_000, 33));
        assert_eq!([both.slices[0].due, both.slices[3].due, both.slices[32].due], [200, 400, 200]);
        assert!((both.rps - 400.0).abs() < 1e-9 && (both.elapsed_s - 33.0).abs() < 1e-9);
        let mut histogram = a.histogram.clone();
        histogram.add(&b.histogram);
        assert_eq!(both.histogram, histogram);
        assert_eq!(both.latency.p99_ms, histogram.quantile_ms(0.99));
        assert_eq!((both.service.p99_ms, both.service.count), (None, 12_000));
        let mean = (a.service.mean_ms.unwrap() + b.service.mean_ms.unwrap()) / 2.0;
        assert!((both.service.mean_ms.unwrap() - mean).abs() < 1e-9);
        assert!(
            (both.service.std_ms.unwrap() / histogram.percentiles().std_ms.unwrap() - 1.0).abs()
                < 0.01
        );
    }

    #[test]
    fn runs_one_after_the_other_follow_each_other_without_the_pause() {
        let (a, mut b) = (Scene::new(1).play(), Scene::new(2).play());
        b.started_at = a.started_at.plus(Duration::from_secs(3600));
        let both = merge(&[b, a]).unwrap();
        assert_eq!((both.slices.len(), both.slices[45].due), (60, 200));
        assert!((both.rps - 200.0).abs() < 1e-9, "{}", both.rps);
    }

    #[test]
    fn of_one_it_is_itself_and_of_none_nothing() {
        let one = Scene::new(1).play();
        assert_eq!(merge(std::slice::from_ref(&one)), Some(one));
        assert_eq!(merge(&[]), None);
    }
}

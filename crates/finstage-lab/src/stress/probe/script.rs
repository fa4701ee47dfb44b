//! What a probe does, from the first request to the last, as one straight story.

mod finding;

use std::time::Duration;

use finstage_model::Timestamp;

use super::design::{Situation, choose, guard, spare};
use super::desk::Hand;
use super::model::{self, Asked, Burst, Exactness, Grain, Group, Hypothesis, Place, places};
use super::report::{Found, Shape, Stopped};
use super::timing::Timing;
use super::{Answer, Beyond, MAX_AT_ONCE, MAX_EXPERIMENTS, Options, Said};

/// Requests before the first burst that find out how far the server's clock is from ours.
const CLOCK_QUESTIONS: u32 = 8;
/// So well the server's clock is to be known, in seconds.
const CLOCK_GOAL: f64 = 0.008;
/// Grids of the clock on which patterns begin, in seconds.
const GRIDS_S: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0, 900.0];
/// How long somebody who was shut out stays away, in seconds.
const SHUT_OUT_REST_S: f64 = 960.0;
/// The longest windows that are looked for after that.
const SHUT_OUT_LONGEST_S: f64 = 900.0;
/// How close to the documented limit requests still go out together.
const CLOSE_TO_LIMIT: u64 = 64;

/// Runs a probe to its end.
pub(super) async fn run(hand: Hand, options: Options) -> Found {
    let mut story = Story::new(hand, options);
    let stopped = match story.tell().await {
        Ok(stopped) | Err(stopped) => stopped,
    };
    story.found(stopped)
}

/// A pattern that was sent, and what came of it.
#[derive(Debug)]
struct Experiment {
    history: Vec<Group>,
    groups: Vec<Group>,
    /// The place of the first refusal.
    outcome: Place,
    exact: Exactness,
}

struct Story {
    hand: Hand,
    options: Options,
    started: Timestamp,
    timing: Timing,
    refusals: u32,
    requests: u64,
    /// What is let in of a burst from rest, and how long it took.
    burst: Option<Burst>,
    /// Requests that were let in, at the most at once, and no refusal came.
    reached: u64,
    hypotheses: Vec<Hypothesis>,
    experiments: Vec<Experiment>,
    /// Whether the rate of a bucket was measured.
    is_narrow: bool,
    /// What was let in so far, in seconds of the server's clock.
    history: Vec<Group>,
    /// The last request, and the last refusal, in seconds of the server's clock.
    last: f64,
    last_refusal: f64,
    retry_after: Option<Duration>,
    /// The use that the last header gave.
    used: Option<u64>,
    shut_out: Option<f64>,
    refused_count: Option<bool>,
    cost: u64,
    longest: f64,
}

/// A group that was sent: how many were let in, and whether all were.
struct Sent {
    group: Group,
    admitted: u32,
    was_refused: bool,
}

impl Story {
    fn new(hand: Hand, options: Options) -> Self {
        let started = hand.now();
        Self {
            hand,
            started,
            timing: Timing::new(started),
            refusals: 0,
            requests: 0,
            burst: None,
            reached: 0,
            hypotheses: Vec::new(),
            experiments: Vec::new(),
            is_narrow: false,
            history: Vec::new(),
            last: 0.0,
            last_refusal: 0.0,
            retry_after: None,
            used: None,
            shut_out: None,
            refused_count: None,
            cost: options.cost.max(1),
            longest: options.longest.as_secs_f64(),
            options,
        }
    }

    async fn tell(&mut self) -> Result<Stopped, Stopped> {
        self.begin().await?;
        self.tune_clock().await?;
        self.rest_until_grid(self.longest * 1.02, 60.0).await;
        if let Some(stopped) = self.first_burst().await? {
            return Ok(stopped);
        }
        for _ in 0..MAX_EXPERIMENTS {
            if self.is_decided() {
                if self.hypotheses[0].shape == Shape::Bucket {
                    let rough = self.hypotheses.clone();
                    self.refine_buckets(&rough);
                    self.narrow_bucket().await?;
                }
                self.count_refused().await?;
                return Ok(Stopped::Known);
            }
            if self.left() == 0 {
                return Ok(Stopped::RefusalsSpent);
            }
            let situation = Situation {
                hypotheses: &self.hypotheses,
                limit: self.burst.map_or(1, |burst| burst.count),
                gap: self.timing.gap(),
                exact: self.timing.exactness(),
                left: self.left(),
            };
            let Some(groups) = choose(&situation) else {
                return Ok(Stopped::Undecidable);
            };
            let before = self.hypotheses.len();
            self.experiment(groups).await?;
            if self.hypotheses.is_empty() {
                return Ok(Stopped::FitsNothing);
            }
            if self.hypotheses.len() == before {
                break;
            }
        }
        Ok(Stopped::Undecidable)
    }

    /// Two requests that show that it works and what one costs.
    async fn begin(&mut self) -> Result<(), Stopped> {
        let mut used = Vec::new();
        for _ in 0..2 {
            let sent = self.group(1, 0, &mut |answer| used.extend(answer.used)).await?;
            if sent.was_refused {
                // Somebody was here before us: once more, after a rest.
                let rest = self.longest.max(self.retry_after.unwrap_or_default().as_secs_f64());
                self.rest_until_grid(rest * 1.05, 1.0).await;
                if self.group(1, 0, &mut |_| {}).await?.was_refused {
                    return Err(Stopped::FitsNothing);
                }
            }
        }
        if let [first, second] = used[..]
            && second > first
            && self.options.cost <= 1
        {
            self.cost = second - first;
        }
        Ok(())
    }

    /// Asks around the ends of the server's seconds until its clock is known well.
    async fn tune_clock(&mut self) -> Result<(), Stopped> {
        for _ in 0..CLOCK_QUESTIONS {
            let Some(until) = self.timing.next_question(self.hand.now(), CLOCK_GOAL) else { break };
            self.hand.wait(until).await;
            if self.group(1, 0, &mut |_| {}).await?.was_refused {
                break;
            }
        }
        Ok(())
    }

    /// One after another until the first refusal.
    async fn first_burst(&mut self) -> Result<Option<Stopped>, Stopped> {
        let documented = self.options.documented.map(|limit| limit / self.cost);
        let ceiling = documented.filter(|_| self.options.beyond == Beyond::Never);
        let most = ceiling
            .unwrap_or(u64::MAX)
            .min(self.options.requests - self.requests.min(self.options.requests));
        let safe = documented.unwrap_or(0).saturating_sub(CLOSE_TO_LIMIT);
        let mut whole: Option<Group> = None;
        let mut count = 0_u64;
        while count < most {
            // In pieces, so that a server without a limit is left in time.
            let piece = (most - count).min(256);
            let safe = safe.saturating_sub(count).min(piece) as u32;
            let sent = self.group(piece as u32, safe, &mut |_| {}).await?;
            count += u64::from(sent.admitted);
            let end = sent.group.at + sent.group.length;
            let first = whole.get_or_insert(sent.group);
            first.length = end - first.at;
            if sent.was_refused {
                let burst = Burst { count: count as u32, length: first.length };
                return Ok(self.refused_after(burst));
            }
            self.reached = count;
            if first.length > self.longest {
                break;
            }
        }
        let at_ceiling = ceiling.is_some_and(|ceiling| count >= ceiling);
        Ok(Some(if at_ceiling { Stopped::AtDocumentedLimit } else { Stopped::NotReached }))
    }

    /// Writes down all that may have refused after a burst.
    fn refused_after(&mut self, burst: Burst) -> Option<Stopped> {
        self.burst = Some(burst);
        self.reached = u64::from(burst.count);
        if burst.count == 0 {
            return Some(Stopped::FitsNothing);
        }
        self.hypotheses = model::all(burst, (self.shortest(), self.longest));
        if let Some(said) = self.retry_after.map(|wait| wait.as_secs_f64()) {
            // A server knows when it lets in again, though it may round.
            for h in &mut self.hypotheses {
                let expected = match h.shape {
                    Shape::Bucket => h.window / h.limit(),
                    _ => h.window - burst.length,
                };
                if said >= expected * 0.99 && said <= expected + 1.01 {
                    h.weight *= 10.0;
                }
            }
        }
        None
    }

    async fn experiment(&mut self, groups: Vec<Group>) -> Result<(), Stopped> {
        let windows = self.hypotheses.iter().filter(|h| h.shape != Shape::Bucket);
        let longest = windows.map(|h| h.window).fold(0.5, f64::max);
        let mut rest = longest * 1.02 + self.timing.exactness().delay;
        if self.is_decided() {
            rest = self.hypotheses.iter().map(|h| h.window).fold(rest, f64::max);
        }
        if self.experiments.is_empty() {
            rest = rest.max(self.retry_after.unwrap_or_default().as_secs_f64());
        }
        let start = self.rest_until_grid(rest, self.grid()).await;
        let history = self.history.clone();
        let (mut real, mut before, mut outcome) = (Vec::new(), 0, None);
        for (i, group) in groups.into_iter().enumerate() {
            self.wait_until(start + group.at).await;
            let safe = self.safe(&group, &real, start);
            let sent = self.group(group.count, safe, &mut |_| {}).await?;
            // At the pace at which it went, had it gone on.
            let whole = f64::from(group.count) / f64::from(sent.admitted.max(1));
            let length = if sent.admitted > 1 { sent.group.length * whole } else { group.length };
            real.push(Group { at: sent.group.at - start, count: group.count, length });
            if sent.was_refused {
                outcome = Some(Place { group: i, request: before + sent.admitted });
                break;
            }
            before += group.count;
        }
        let history = history.iter().map(|g| Group { at: g.at - start, ..*g }).collect();
        let exact = self.timing.exactness();
        let outcome = outcome.unwrap_or(Place { group: real.len(), request: before });
        if outcome.request == 0 && self.shut_out.is_none() && self.left() > 0 {
            self.is_shut_out();
            return Ok(());
        }
        let seen = Experiment { history, groups: real, outcome, exact };
        let before = std::mem::take(&mut self.hypotheses);
        self.hypotheses = before.iter().filter(|h| seen.fits(h, Grain::Coarse)).copied().collect();
        self.experiments.push(seen);
        if before.iter().all(|h| h.shape == Shape::Bucket) {
            self.refine_buckets(&before);
        }
        Ok(())
    }

    /// Once it is a bucket: all rates that fit everything, in small steps.
    fn refine_buckets(&mut self, before: &[Hypothesis]) {
        let Some(burst) = self.burst else { return };
        let low = before.iter().map(|h| h.window).fold(f64::MAX, f64::min) / 1.4;
        let high = before.iter().map(|h| h.window).fold(0.0, f64::max) * 1.4;
        let (mut window, mut fitting) = (low, Vec::new());
        while window <= high {
            let how = model::bucket(burst, window);
            if self.experiments.iter().all(|seen| seen.fits(&how, Grain::Fine)) {
                fitting.push(how);
            }
            window *= 1.008;
        }
        self.hypotheses = if fitting.is_empty() { before.to_vec() } else { fitting };
    }

    /// Once it is a bucket: used up, and as much again ever sooner, until a refusal says how much of it
    /// had come back.
    async fn narrow_bucket(&mut self) -> Result<(), Stopped> {
        for _ in 0..MAX_EXPERIMENTS {
            let windows = || self.hypotheses.iter().map(|h| h.window);
            let (low, high) = (windows().fold(f64::MAX, f64::min), windows().fold(0.0, f64::max));
            let Some(one) = self.hypotheses.iter().max_by(|a, b| a.window.total_cmp(&b.window))
            else {
                break;
            };
            if one.shape != Shape::Bucket
                || self.left() == 0
                || (high <= low * 1.01 && self.is_narrow)
            {
                break;
            }
            let Some(Burst { count, .. }) = self.burst else { break };
            // Not quite all, so that the refusal does not come here.
            let least =
                self.hypotheses.iter().map(Hypothesis::limit).fold(f64::from(count), f64::min)
                    as u32;
            let most = least.saturating_sub(spare(count).max(1)).max(1);
            let exact = self.timing.exactness();
            let length = f64::from(count) * self.timing.gap();
            let at = guard(exact);
            let again = at + (high / 1.35).max(length * 1.1 + exact.delay);
            let groups =
                vec![Group { at, count: most, length }, Group { at: again, count, length }];
            self.experiment(groups).await?;
            self.is_narrow = self.experiments.last().is_some_and(Experiment::was_refused);
            if self.is_narrow {
                break;
            }
            let left = || self.hypotheses.iter().map(|h| h.window).fold(0.0, f64::max);
            // As fast as we can ask: it comes back sooner than that.
            if left() >= high {
                break;
            }
        }
        Ok(())
    }

    /// So many of a group all that is possible lets in: they may go out together.
    fn safe(&self, group: &Group, before: &[Group], start: f64) -> u32 {
        let mut groups = before.to_vec();
        groups.push(*group);
        let history: Vec<Group> =
            self.history.iter().map(|g| Group { at: g.at - start, ..*g }).collect();
        let asked = Asked {
            history: &history[..history.len() - before.len().min(history.len())],
            groups: &groups,
        };
        let exact = (self.timing.exactness(), Grain::Coarse);
        let firsts = self
            .hypotheses
            .iter()
            .filter_map(|h| places(h, asked, exact).into_iter().flatten().next());
        let least = firsts.map(|(low, _)| low).min().unwrap_or(0);
        let sent: u32 = before.iter().map(|g| g.count).sum();
        least.saturating_sub(sent + 1).min(group.count)
    }

    /// Refused after a rest in which every window passes: a longer one, or a punishment.
    fn is_shut_out(&mut self) {
        self.shut_out = Some(self.longest);
        self.longest = SHUT_OUT_LONGEST_S;
        let burst = self.burst.expect("experiments come after the burst");
        self.hypotheses = model::all(burst, (self.shortest(), self.longest));
    }

    /// Whether refused requests count, where another refusal may be had: after a window of sliding
    /// costs was used up in two parts, what the first frees is one less if the refusal counts.
    async fn count_refused(&mut self) -> Result<(), Stopped> {
        let Some(best) = self.hypotheses.first().copied() else { return Ok(()) };
        let Some(burst) = self.burst else { return Ok(()) };
        if best.shape != Shape::Sliding
            || self.left() == 0
            || burst.count < 2
            || self.shut_out.is_some()
        {
            return Ok(());
        }
        let Some(seen) = self.experiments.last().filter(|seen| seen.was_refused()) else {
            return Ok(());
        };
        let (last, earlier) = seen.groups.split_last().expect("a refusal has a group");
        let start = self.last_refusal - last.at - last.length;
        let freed: Vec<&Group> = earlier.iter().filter(|g| g.at + best.window > last.at).collect();
        let (Some(newest), count) = (freed.last(), freed.iter().map(|g| g.count).sum::<u32>())
        else {
            return Ok(());
        };
        let exact = self.timing.exactness();
        let from = start + newest.at + newest.length + best.window + exact.delay;
        let until = start + last.at + best.window - exact.delay;
        let margin = 0.1 * (until - from);
        if margin <= exact.delay || self.timing.server_s(self.hand.now()) > from + margin {
            return Ok(());
        }
        self.wait_until(from + margin).await;
        let sent = self.group(count, count.saturating_sub(1), &mut |_| {}).await?;
        let expected = if sent.was_refused { sent.admitted + 1 } else { sent.admitted };
        if expected == count {
            self.refused_count = Some(sent.was_refused);
        }
        Ok(())
    }

    /// Sends `count` requests, the first `safe` of them together, until one is refused.
    async fn group(
        &mut self,
        count: u32,
        safe: u32,
        look: &mut impl FnMut(&Answer),
    ) -> Result<Sent, Stopped> {
        let (mut admitted, mut first, mut end) = (0, None, 0.0);
        while admitted < count {
            let most = self.together();
            let together = safe.saturating_sub(admitted).min(most).min(count - admitted).max(1);
            let answers = self.hand.send(together).await;
            let (mut passed, mut refused) = (0, 0);
            for answer in &answers {
                self.requests += 1;
                self.timing.hear(answer, together);
                look(answer);
                self.used = answer.used.or(self.used);
                let at = self.timing.arrived(answer);
                self.last = self.last.max(at);
                first.get_or_insert(at);
                match answer.said {
                    Said::Admitted => {
                        passed += 1;
                        end = f64::max(end, at);
                    }
                    Said::Refused => {
                        refused += 1;
                        self.last_refusal = at;
                        self.retry_after = answer.retry_after.or(self.retry_after);
                    }
                    Said::Banned => {
                        self.refusals += 1;
                        return Err(Stopped::Banned);
                    }
                    Said::Failed(_) => return Err(Stopped::Failed),
                }
            }
            if answers.is_empty() {
                return Err(Stopped::Failed);
            }
            admitted += passed;
            self.refusals += refused;
            if refused > 0 {
                return Ok(self.sent((first, end), admitted, true));
            }
        }
        Ok(self.sent((first, end), admitted, false))
    }

    fn sent(&mut self, (first, end): (Option<f64>, f64), admitted: u32, was_refused: bool) -> Sent {
        let at = first.unwrap_or(self.last);
        let group = Group { at, count: admitted, length: (end - at).max(0.0) };
        if admitted > 0 {
            self.history.push(group);
        }
        Sent { group, admitted, was_refused }
    }

    /// Waits until nothing of the last `rest` seconds is younger than that, and then for the next
    /// place on a grid of the server's clock; gives that place.
    async fn rest_until_grid(&mut self, rest: f64, grid: f64) -> f64 {
        let mut from = self.last + rest;
        if self.shut_out.is_some() {
            from = from.max(self.last_refusal + SHUT_OUT_REST_S);
        }
        let from = from.max(self.timing.server_s(self.hand.now()));
        let start = (from / grid).ceil() * grid;
        self.wait_until(start).await;
        // The burst itself begins behind the error of the clock.
        self.wait_until(start + guard(self.timing.exactness())).await;
        start
    }

    async fn wait_until(&self, server_s: f64) {
        self.hand.wait(self.timing.local(server_s)).await;
    }

    /// The smallest grid on which all windows of the clock that are possible begin.
    fn grid(&self) -> f64 {
        let aligned = || self.hypotheses.iter().filter(|h| h.shape == Shape::Aligned);
        let fits = |grid: &f64| {
            aligned().all(|h| {
                let windows = grid / h.window;
                windows >= 1.0 - 1e-9 && (windows - windows.round()).abs() < 1e-6
            })
        };
        GRIDS_S.into_iter().find(fits).unwrap_or(GRIDS_S[GRIDS_S.len() - 1])
    }

    /// How many may be under way together: never more than may be refused, unless a header says that
    /// the documented limit is far.
    fn together(&self) -> u32 {
        let documented = self.options.documented.unwrap_or(0);
        let far = u64::from(MAX_AT_ONCE) * self.cost + CLOSE_TO_LIMIT;
        let is_far = self.used.is_some_and(|used| used + far < documented);
        if is_far { MAX_AT_ONCE } else { self.left().max(1) }
    }

    /// The shortest window that can be told from others, as exactly as moments are known.
    fn shortest(&self) -> f64 {
        let Exactness { clock, delay } = self.timing.exactness();
        8.0 * (delay + clock)
    }

    fn left(&self) -> u32 {
        self.options.refusals.saturating_sub(self.refusals)
    }

    fn is_decided(&self) -> bool {
        let Some(first) = self.hypotheses.first() else { return false };
        self.hypotheses.iter().all(|h| h.is_like(first)) && !self.experiments.is_empty()
    }
}

impl Experiment {
    fn was_refused(&self) -> bool {
        self.outcome.group < self.groups.len()
    }

    fn fits(&self, how: &Hypothesis, grain: Grain) -> bool {
        let asked = Asked { history: &self.history, groups: &self.groups };
        let places = places(how, asked, (self.exact, grain));
        let Place { group, request } = self.outcome;
        places[group].is_some_and(|(low, high)| (low..=high).contains(&request))
    }
}

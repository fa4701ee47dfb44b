//! A world of one server, one client that has always something to ask, and perhaps another one
//! with the same key: events in the order of their time, and chance from a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;
use std::time::Duration;

use finstage_net::{Amounts, Books, Cost, MAX_RULES, Reading, Refusal, Rule, Settlement, Ticket};
use governor::clock::{Clock, FakeRelativeClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::servers::Server;

pub(super) const MS: u64 = 1_000_000;
pub(super) const RULE: &str = "weight";
/// What a client without a better idea waits after a refusal.
const FLAT_PAUSE: u64 = 1_000 * MS;

/// Chance: splitmix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + ((u128::from(self.next()) * u128::from(high - low + 1)) >> 64) as u64
    }
}

/// What is simulated.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) rule: Rule,
    /// The least and the most that a request weighs.
    pub(super) weights: (u64, u64),
    /// The least and the most that a way takes, each way.
    pub(super) delay: (u64, u64),
    /// How far the server's clock is ahead.
    pub(super) skew: u64,
    /// How much slower the server's clock runs, in millionths.
    pub(super) slow_ppm: u64,
    /// Another process with the same key.
    pub(super) other: Option<Other>,
    /// Whether answers say what is used.
    pub(super) has_readings: bool,
    /// Windows that are simulated; figures are of those after `learned`.
    pub(super) windows: u64,
    pub(super) learned: u64,
    /// The limit becomes this at that moment after the client's start, and answers do not tell.
    pub(super) change: Option<(u64, u64)>,
    /// Whether a refusal names the wait.
    pub(super) states_wait: bool,
    pub(super) seed: u64,
}

/// Another process with the same key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Other {
    /// What it uses in a window, in the mean, and what each of its requests weighs.
    pub(super) amount: u64,
    pub(super) weight: u64,
    pub(super) manner: Manner,
}

/// When another process sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Manner {
    /// One request as long after the other as the next.
    Steady,
    /// Whenever it happens to: the time to the next request knows nothing of the last (Poisson).
    Chance,
    /// At twice the mean rate for a while, then not at all, each a quarter of a window in the mean.
    Spells,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    pub(super) sends: u64,
    /// Accepted in the windows of learning, as a share of the limit.
    pub(super) early: f64,
    /// The mean of what was used of ours afterwards, as a share of the limit.
    pub(super) used: f64,
    pub(super) refused_early: u64,
    pub(super) refused: u64,
    /// Refusals that the other one had, in the windows of learning and afterwards.
    pub(super) others_early: u64,
    pub(super) others: u64,
    /// What was refused though it left after the first refusal was known.
    pub(super) refused_again: u64,
    /// What was used of the new limit around the end of the first window after the change.
    pub(super) after_change: f64,
}

/// Who decides when to send.
pub(super) trait Client {
    /// A number for what is sent now, or the moment at which to ask again.
    fn ask(&mut self, now: u64, weight: u64) -> Result<u32, u64>;
    fn answered(&mut self, now: u64, number: u32, answer: &Answer);
    /// What the server counted: for who may see it.
    fn counted(&mut self, _: Seen) {}
}

/// A request at the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) at: u64,
    pub(super) weight: u64,
    pub(super) is_ours: bool,
    pub(super) is_counted: bool,
    /// When the server's present window is over, if it has one that ends.
    pub(super) window_ends: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) used: Option<u64>,
    pub(super) refused: bool,
    pub(super) retry_after: Option<u64>,
}

/// Our books.
pub(super) struct Ours {
    pub(super) books: Books,
    tickets: Vec<Ticket>,
    free: Vec<u32>,
}

impl Ours {
    pub(super) fn new(rule: &Rule) -> Self {
        let books = Books::new(&[*rule], Duration::from_secs(1));
        Self { books, tickets: Vec::new(), free: Vec::new() }
    }

    fn amounts(&mut self, weight: u64) -> Amounts {
        self.books.amounts(&[Cost { rule: RULE, amount: weight as u32 }])
    }
}

impl Client for Ours {
    fn ask(&mut self, now: u64, weight: u64) -> Result<u32, u64> {
        const { assert!(MAX_RULES >= 1) };
        let amounts = self.amounts(weight);
        let mut ticket = self.books.reserve(now, &amounts)?;
        self.books.sent(now, &mut ticket);
        match self.free.pop() {
            Some(number) => {
                self.tickets[number as usize] = ticket;
                Ok(number)
            }
            None => {
                self.tickets.push(ticket);
                Ok(self.tickets.len() as u32 - 1)
            }
        }
    }

    fn answered(&mut self, now: u64, number: u32, answer: &Answer) {
        let reading = [Reading { rule: RULE, used: answer.used, limit: None }];
        let readings = if answer.used.is_some() { &reading[..] } else { &[] };
        let retry_after = answer.retry_after.map(Duration::from_nanos);
        let refused = answer.refused.then_some(Refusal { retry_after, banned: false });
        let settlement = Settlement { readings, refused, actual: &[] };
        self.books.answered(now, &self.tickets[number as usize], &settlement);
        self.free.push(number);
    }
}

/// What people take off the shelf: GCRA with a burst of the whole quota, and a pause after a
/// refusal.
pub(super) struct Governor {
    limiter: RateLimiter<
        NotKeyed,
        InMemoryState,
        FakeRelativeClock,
        NoOpMiddleware<<FakeRelativeClock as Clock>::Instant>,
    >,
    clock: FakeRelativeClock,
    now: u64,
    origin: <FakeRelativeClock as Clock>::Instant,
    start: Option<u64>,
    rest_until: u64,
}

impl Governor {
    pub(super) fn new(rule: &Rule) -> Self {
        let clock = FakeRelativeClock::default();
        let each = rule.window / rule.limit as u32;
        let burst = NonZeroU32::new(rule.limit as u32).unwrap();
        let quota = Quota::with_period(each).unwrap().allow_burst(burst);
        let origin = clock.now();
        let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
        Self { limiter, clock, now: 0, origin, start: None, rest_until: 0 }
    }
}

impl Client for Governor {
    fn ask(&mut self, now: u64, weight: u64) -> Result<u32, u64> {
        if now < self.rest_until {
            return Err(self.rest_until);
        }
        let start = *self.start.get_or_insert(now);
        self.clock.advance(Duration::from_nanos(now - start - self.now));
        self.now = now - start;
        let weight = NonZeroU32::new(weight as u32).unwrap();
        match self.limiter.check_n(weight).unwrap() {
            Ok(()) => Ok(0),
            Err(not_until) => {
                let at = not_until.earliest_possible().duration_since(self.origin);
                Err((start + at.as_u64()).max(now + 1))
            }
        }
    }

    fn answered(&mut self, now: u64, _: u32, answer: &Answer) {
        if answer.refused {
            self.rest_until = now + FLAT_PAUSE;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Wake,
    Arrives { number: u32, weight: u32, is_warned: bool },
    Answered { number: u32, used: u32, is_refused: bool, retry_after_us: u32 },
    OtherSends,
    OtherArrives { weight: u32 },
}

/// Plays a scene to its end.
pub(super) fn play(scene: &Scene, client: &mut dyn Client) -> Outcome {
    let mut world = World::new(scene);
    world.run(client);
    world.outcome()
}

struct World<'a> {
    scene: &'a Scene,
    server: Server,
    dice: Dice,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    order: u64,
    window: u64,
    start: u64,
    learned: u64,
    end: u64,
    /// What wants to be sent next.
    next: u64,
    wake_at: u64,
    /// A refusal is known.
    is_warned: bool,
    /// Until when the other one sends.
    spell_until: u64,
    early: u64,
    /// Accepted weight times the time that it counts within what is measured.
    area: f64,
    /// The same within the last tenth of a window before a window after the change is over.
    area_after: f64,
    outcome: Outcome,
}

impl<'a> World<'a> {
    fn new(scene: &'a Scene) -> Self {
        let window = scene.rule.window.as_nanos() as u64;
        let mut dice = Dice::new(scene.seed);
        let start = dice.between(window * 2, window * 3);
        let next = dice.between(scene.weights.0, scene.weights.1);
        let mut world = Self {
            scene,
            server: Server::new(&scene.rule),
            dice,
            events: BinaryHeap::new(),
            order: 0,
            window,
            start,
            learned: start + scene.learned * window,
            end: start + scene.windows * window,
            next,
            wake_at: start,
            is_warned: false,
            spell_until: 0,
            early: 0,
            area: 0.0,
            area_after: 0.0,
            outcome: Outcome::default(),
        };
        world.push(start, Event::Wake);
        if scene.other.is_some() {
            world.push(0, Event::OtherSends);
        }
        world
    }

    fn push(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, event)));
    }

    fn run(&mut self, client: &mut dyn Client) {
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            if now >= self.end {
                return;
            }
            if let Some((limit, at)) = self.scene.change
                && now >= self.start + at
            {
                self.server.limit = limit;
            }
            match event {
                Event::Wake if now == self.wake_at => self.ask(now, client),
                Event::Wake => {}
                Event::Arrives { number, weight, is_warned } => {
                    let taken = self.arrives(now, (number, weight, is_warned));
                    client.counted(self.seen(now, u64::from(weight), (true, taken)));
                }
                Event::Answered { number, used, is_refused, retry_after_us } => {
                    let retry_after = is_refused && self.scene.states_wait;
                    let answer = Answer {
                        used: self.scene.has_readings.then_some(u64::from(used)),
                        refused: is_refused,
                        retry_after: retry_after.then_some(u64::from(retry_after_us) * 1000),
                    };
                    self.is_warned |= is_refused;
                    client.answered(now, number, &answer);
                    self.ask(now, client);
                }
                Event::OtherSends => self.other_sends(now),
                Event::OtherArrives { weight } => {
                    let taken = self.server.takes(self.server_time(now), u64::from(weight));
                    client.counted(self.seen(now, u64::from(weight), (false, taken)));
                    if !taken && now >= self.learned {
                        self.outcome.others += 1;
                    } else if !taken && now >= self.start {
                        self.outcome.others_early += 1;
                    }
                }
            }
        }
    }

    /// Sends as much as may be sent now.
    fn ask(&mut self, now: u64, client: &mut dyn Client) {
        loop {
            match client.ask(now, self.next) {
                Ok(number) => {
                    let way = self.way();
                    let weight = self.next as u32;
                    self.push(
                        now + way,
                        Event::Arrives { number, weight, is_warned: self.is_warned },
                    );
                    self.next = self.dice.between(self.scene.weights.0, self.scene.weights.1);
                    self.outcome.sends += 1;
                }
                Err(at) => {
                    assert!(at > now, "a moment to ask again lies ahead");
                    if self.wake_at != at {
                        self.wake_at = at;
                        self.push(at, Event::Wake);
                    }
                    return;
                }
            }
        }
    }

    fn arrives(&mut self, now: u64, (number, weight, is_warned): (u32, u32, bool)) -> bool {
        let taken = self.server.takes(self.server_time(now), u64::from(weight));
        if taken {
            self.count(now, u64::from(weight));
        } else if now < self.learned {
            self.outcome.refused_early += 1;
        } else {
            self.outcome.refused += 1;
        }
        self.outcome.refused_again += u64::from(!taken && is_warned);
        let used = self.server.used() as u32;
        let way = self.way();
        let answer = Event::Answered { number, used, is_refused: !taken, retry_after_us: 0 };
        self.push(now + way, answer);
        taken
    }

    fn seen(&self, now: u64, weight: u64, (is_ours, taken): (bool, bool)) -> Seen {
        let is_counted = taken || self.scene.rule.counts_refused;
        let left = self.server.window_left(self.server_time(now));
        // Its clock is slow.
        let left = left.map(|left| left + left / 1_000_000 * self.scene.slow_ppm);
        Seen { at: now, weight, is_ours, is_counted, window_ends: left.map(|left| now + left) }
    }

    fn count(&mut self, now: u64, weight: u64) {
        if now < self.learned {
            self.early += weight;
        }
        let overlap = |from: u64, to: u64| {
            (now + self.window).min(to).saturating_sub(now.max(from)) as f64 * weight as f64
        };
        self.area += overlap(self.learned, self.end);
        if let Some((_, at)) = self.scene.change {
            let over = self.start + at + self.window;
            self.area_after += overlap(over - self.window / 20, over + self.window / 20);
        }
    }

    fn other_sends(&mut self, now: u64) {
        let Some(Other { amount, weight, manner }) = self.scene.other else { return };
        let way = self.way();
        self.push(now + way, Event::OtherArrives { weight: weight as u32 });
        let pause = self.window * weight / amount;
        let pause = match manner {
            Manner::Steady => pause,
            Manner::Chance => self.by_chance(pause),
            Manner::Spells if now + pause / 2 < self.spell_until => pause / 2,
            Manner::Spells => {
                let silence = self.by_chance(self.window / 4);
                self.spell_until = now + silence + self.by_chance(self.window / 4);
                silence.max(pause / 2)
            }
        };
        self.push(now + pause, Event::OtherSends);
    }

    /// A time with this mean that knows nothing of what was before; four means at most.
    fn by_chance(&mut self, mean: u64) -> u64 {
        let share = (self.dice.between(1, 1 << 53) as f64) / (1u64 << 53) as f64;
        ((-share.ln()).min(4.0) * mean as f64) as u64 + 1
    }

    fn way(&mut self) -> u64 {
        self.dice.between(self.scene.delay.0, self.scene.delay.1)
    }

    fn server_time(&self, now: u64) -> u64 {
        now - now / 1_000_000 * self.scene.slow_ppm + self.scene.skew
    }

    fn outcome(&self) -> Outcome {
        let limit = self.scene.rule.limit as f64;
        let early = self.early as f64 / (limit * self.scene.learned as f64);
        let used = self.area / (limit * (self.end - self.learned) as f64);
        let changed = self.scene.change.map_or(limit, |(limit, _)| limit as f64);
        let after_change = self.area_after / (changed * (self.window / 10) as f64);
        Outcome { early, used, after_change, ..self.outcome }
    }
}

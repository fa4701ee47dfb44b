//! What is written and when: a seeded stream of stories, and which feed carries which of them.

use std::time::Duration;

use finstage_model::Timestamp;

use crate::rng::Rng;

/// One story in so many is carried by three feeds.
pub const SHARED_ONE_IN: u64 = 7;
/// The most stories that one feed lists, whatever is asked for.
pub const MAX_LISTED: usize = 2_000;

/// The most stories among which one is looked for.
const MAX_SEARCHED: u64 = 20_000;

/// How much is written.
#[derive(Debug, Clone, Copy)]
pub struct NewsroomSpec {
    /// Where its stories come from.
    pub seed: u64,
    /// When the first story is out.
    pub opened: Timestamp,
    /// Stories a minute, copies not counted; 0 counts as 1.
    pub per_minute: u32,
    /// Feeds that there are; 0 counts as 1.
    pub feeds: u32,
    /// Stories that a feed lists, the newest; at most [`MAX_LISTED`].
    pub listed: usize,
}

impl Default for NewsroomSpec {
    /// A story every ten seconds since 2026 began, ten feeds that list 20.
    fn default() -> Self {
        let opened = Timestamp::from_secs(1_767_225_600);
        Self { seed: 42, opened, per_minute: 6, feeds: 10, listed: 20 }
    }
}

/// What a story says of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Its number, from 0.
    pub number: u64,
    /// When it is out.
    pub at: Timestamp,
    /// The headline, without the name of who printed it.
    pub title: String,
    /// A sentence below it.
    pub summary: String,
    /// Whom it is about, as venues name it.
    pub symbol: &'static str,
    /// What it wants to be read as: 1, 0 or -1.
    pub mood: i8,
}

/// A company, what feeds call it, and its name in Korean.
const SUBJECTS: [(&str, &str, &str); 6] = [
    ("AAPL", "Apple", "애플"),
    ("MSFT", "Microsoft", "마이크로소프트"),
    ("TSLA", "Tesla", "테슬라"),
    ("NVDA", "Nvidia", "엔비디아"),
    ("005930", "Samsung Electronics", "삼성전자"),
    ("BTCUSDT", "Bitcoin", "비트코인"),
];

/// Mood, headline, sentence: `@` is the name, `#` a number, `%` the number of the story, which makes each
/// headline one of its kind.
const WORDS: [(i8, &str, &str); 7] = [
    (1, "@ shares surge # as profit beats forecasts, note %", "Strong demand helped @ win orders."),
    (1, "@ rallies # on upgrade & record sales, note %", "Analysts praise the excellent quarter."),
    (-1, "@ plunges # after profit warning, note %", "Weak demand and losses hurt @."),
    (-1, "Breaking: @ in crisis over recall of # units, note %", "@ faces a terrible failure."),
    (-1, "@ misses estimates by #, shares crash, note %", "The shortfall was worse than feared."),
    (0, "@ to hold its annual meeting, item # of note %", "The agenda has # points."),
    (1, "* # 급등, 실적 예상 상회 (속보 %)", "*의 분기 실적이 예상을 웃돌았다."),
];

/// A pure function of its spec and the time.
#[derive(Debug, Clone)]
pub struct Newsroom {
    spec: NewsroomSpec,
}

impl Newsroom {
    /// The newsroom of a spec.
    #[must_use]
    pub fn new(spec: NewsroomSpec) -> Self {
        let (per_minute, feeds) = (spec.per_minute.max(1), spec.feeds.max(1));
        Self { spec: NewsroomSpec { per_minute, feeds, ..spec } }
    }

    /// How many feeds there are.
    #[must_use]
    pub const fn feeds(&self) -> u32 {
        self.spec.feeds
    }

    /// How many different stories are out at `now`.
    #[must_use]
    pub fn count(&self, now: Timestamp) -> u64 {
        let Ok(elapsed) = u64::try_from(now.nanos().saturating_sub(self.spec.opened.nanos()))
        else {
            return 0;
        };
        elapsed / self.step() + 1
    }

    /// A story by its number.
    #[must_use]
    pub fn story(&self, number: u64) -> Story {
        let mut rng = Rng::named(self.spec.seed, &number.to_string());
        let (symbol, english, korean) = SUBJECTS[rng.below(SUBJECTS.len() as u64) as usize];
        let (mood, title, summary) = WORDS[rng.below(WORDS.len() as u64) as usize];
        let amount = (rng.below(400) + 10).to_string();
        let filled = |text: &str| {
            text.replace('@', english)
                .replace('*', korean)
                .replace('#', &amount)
                .replace('%', &number.to_string())
        };
        let (title, summary) = (filled(title), filled(summary));
        let at = self.spec.opened.plus(Duration::from_nanos(number.saturating_mul(self.step())));
        Story { number, at, title, summary, symbol, mood }
    }

    /// Whether a feed carries a story: one does, or it and the next two.
    #[must_use]
    pub fn carries(&self, feed: u32, number: u64) -> bool {
        let feeds = u64::from(self.spec.feeds);
        let distance = (u64::from(feed) + feeds - number % feeds) % feeds;
        distance == 0 || (distance < 3 && number % SHARED_ONE_IN == 3)
    }

    /// The newest stories at `now` that `wanted` wants, newest first, from the latest day.
    pub(super) fn list(&self, now: Timestamp, wanted: &dyn Fn(&Story) -> bool) -> Vec<Story> {
        let day = (86_400_000_000_000 / self.step()).clamp(MAX_LISTED as u64, MAX_SEARCHED);
        let count = self.count(now);
        let numbers = (count.saturating_sub(day)..count).rev();
        let most = self.spec.listed.min(MAX_LISTED);
        numbers.map(|number| self.story(number)).filter(|story| wanted(story)).take(most).collect()
    }

    /// The newest stories of one feed at `now`, newest first.
    pub(super) fn of_feed(&self, now: Timestamp, feed: u32) -> Vec<Story> {
        let most = self.spec.listed.min(MAX_LISTED);
        let numbers = (0..self.count(now)).rev().filter(|&number| self.carries(feed, number));
        numbers.take(most).map(|number| self.story(number)).collect()
    }

    /// Nanoseconds from story to story.
    const fn step(&self) -> u64 {
        60_000_000_000 / self.spec.per_minute as u64
    }
}

/// Whether a story is about one of `symbols`, which are parted by commas.
pub(super) fn is_about(story: &Story, symbols: &str) -> bool {
    let bare = |symbol: &str| symbol.split(['.', '-']).next().unwrap_or("").to_uppercase();
    symbols
        .split(',')
        .map(bare)
        .any(|symbol| !symbol.is_empty() && story.symbol.starts_with(&symbol))
}

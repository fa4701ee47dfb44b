//! What holds for any requests whatever.

use std::time::Duration;

use finstage_net::{Books, Cost, Rule, Settlement, Shape, Ticket};
use proptest::prelude::*;

use super::servers::Server;

const MS: u64 = 1_000_000;
const SHAPES: [Shape; 4] = [Shape::Aligned, Shape::Anchored, Shape::Sliding, Shape::Bucket];
const NAMES: [&str; 2] = ["weight", "requests"];

#[derive(Debug, Clone)]
struct Asked {
    pause_ms: u64,
    weight: u32,
    up_ms: u64,
    down_ms: u64,
    end: End,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Answered,
    Lost,
    NotSent,
}

fn asked() -> impl Strategy<Value = Asked> {
    let end = prop_oneof![
        6 => Just(End::Answered),
        1 => Just(End::Lost),
        1 => Just(End::NotSent),
    ];
    (0u64..400, 1u32..8, 5u64..80, 5u64..80, end).prop_map(
        |(pause_ms, weight, up_ms, down_ms, end)| Asked { pause_ms, weight, up_ms, down_ms, end },
    )
}

fn rules(first: usize, second: usize, counts_refused: bool) -> [Rule; 2] {
    let rule = |place: usize, shape, limit, window_ms| Rule {
        name: NAMES[place],
        shape,
        limit,
        window: Duration::from_millis(window_ms),
        default_cost: 1,
        counts_refused,
    };
    [rule(0, SHAPES[first], 20, 1000), rule(1, SHAPES[second], 12, 3000)]
}

proptest! {
    /// Each request waits until the books let it through; every server of both rules accepts it.
    #[test]
    fn no_window_of_any_server_is_ever_exceeded(
        all in proptest::collection::vec(asked(), 1..120),
        (first, second, counts_refused, skew_ms) in (0usize..4, 0usize..4, any::<bool>(), 0u64..3000),
    ) {
        let rules = rules(first, second, counts_refused);
        let mut books = Books::new(&rules, Duration::from_millis(250));
        let (mut now, mut arrivals, mut answers) = (1u64, Vec::new(), Vec::<(u64, Ticket, End)>::new());
        for asked in &all {
            now += asked.pause_ms * MS;
            let amounts = books.amounts(&[Cost { rule: NAMES[0], amount: asked.weight }]);
            let mut ticket = loop {
                answers.sort_by_key(|(at, ..)| *at);
                while answers.first().is_some_and(|(at, ..)| *at <= now) {
                    let (at, ticket, end) = answers.remove(0);
                    settle(&mut books, at, &ticket, end);
                }
                match books.reserve(now, &amounts) {
                    Ok(ticket) => break ticket,
                    Err(at) => {
                        prop_assert!(at > now, "a wait leads on");
                        let answered = answers.first().map_or(u64::MAX, |(at, ..)| *at);
                        now = at.min(answered);
                    }
                }
            };
            if matches!(asked.end, End::NotSent) {
                books.give_back(&ticket);
                continue;
            }
            books.sent(now, &mut ticket);
            arrivals.push((now + asked.up_ms * MS, u64::from(asked.weight)));
            answers.push((now + (asked.up_ms + asked.down_ms) * MS, ticket, asked.end));
        }
        arrivals.sort_unstable();
        let mut servers = rules.map(|rule| Server::new(&rule));
        for (at, weight) in arrivals {
            prop_assert!(servers[0].takes(at + skew_ms * MS, weight), "weight at {at}");
            prop_assert!(servers[1].takes(at + skew_ms * MS, 1), "requests at {at}");
        }
    }

    /// However often more is refunded than was charged, no more than the limit is admitted at once.
    #[test]
    fn a_refund_never_raises_above_the_quota(
        weights in proptest::collection::vec((1u32..8, 0u32..8), 1..60),
        shape in 0usize..4,
    ) {
        let rules = rules(shape, shape, false);
        let mut books = Books::new(&rules, Duration::from_millis(1));
        let mut now = 1;
        for (weight, actual) in weights {
            let amounts = books.amounts(&[Cost { rule: NAMES[0], amount: weight }]);
            if let Ok(mut ticket) = books.reserve(now, &amounts) {
                books.sent(now, &mut ticket);
                now += MS;
                let actual = [Cost { rule: NAMES[0], amount: actual }];
                let answer = Settlement { actual: &actual, ..Settlement::default() };
                books.answered(now, &ticket, &answer);
            }
        }
        let amounts = books.amounts(&[Cost { rule: NAMES[0], amount: 1 }, Cost { rule: NAMES[1], amount: 0 }]);
        let admitted = (0..100).filter(|_| books.reserve(now, &amounts).is_ok()).count();
        prop_assert!(admitted <= 20);
    }

    /// Of two moments of the same books, with nothing in between, the later one names no earlier time.
    #[test]
    fn the_moment_at_which_a_request_is_ready_never_goes_back(
        weights in proptest::collection::vec(1u32..8, 5..30),
        looks in proptest::collection::vec(1u64..300, 1..20),
        shape in 0usize..4,
    ) {
        let rules = rules(shape, 2, false);
        let mut books = Books::new(&rules, Duration::from_millis(250));
        let (mut now, mut ready) = (1, 0);
        for weight in weights {
            let amounts = books.amounts(&[Cost { rule: NAMES[0], amount: weight }]);
            if let Ok(mut ticket) = books.reserve(now, &amounts) {
                books.sent(now, &mut ticket);
            }
        }
        let amounts = books.amounts(&[Cost { rule: NAMES[0], amount: 7 }]);
        for look in looks {
            match books.reserve(now, &amounts) {
                Ok(_) => return Ok(()),
                Err(at) => {
                    prop_assert!(at >= ready, "{at} after {ready}");
                    ready = at;
                }
            }
            now += look * MS;
        }
    }
}

fn settle(books: &mut Books, at: u64, ticket: &Ticket, end: End) {
    match end {
        End::Answered | End::NotSent => books.answered(at, ticket, &Settlement::default()),
        End::Lost => books.lost(ticket),
    }
}

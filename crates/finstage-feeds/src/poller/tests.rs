//! A Yahoo that says what a script says, and a clock that is moved by hand.

use finstage_model::ManualClock;
use finstage_net::{Client, ClientOptions, SocketOptions};
use tokio::sync::mpsc;

use super::*;
use crate::venue::Subscription;
use crate::venues::{self, Venue};
use crate::{SessionLimits, Since};

const APPLE: InstrumentId = InstrumentId(0);

/// 2024-03-08 is a Friday: New York opens at 14:30 UTC; from Monday on at 13:30.
fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

struct World {
    agenda: Agenda,
    poll: Box<dyn PollVenue>,
    clock: Arc<ManualClock>,
    stats: Arc<SessionStats>,
    said: Vec<Event>,
}

impl World {
    fn new(interval: Interval, now: &str, since: Option<&str>) -> Self {
        let venue: &Venue = venues::find("yahoo").unwrap();
        let clock = Arc::new(ManualClock::new(at(now)));
        let stats = Arc::<SessionStats>::default();
        let symbol = "yahoo:AAPL".parse().unwrap();
        let intervals = vec![interval];
        let (events, _) = mpsc::channel(1);
        let (_, shutdown) = watch::channel(false);
        let since = since.map(|at| Since { instrument: APPLE, interval, close_time: self::at(at) });
        let options = SessionOptions {
            profile: venue.profile,
            subscriptions: vec![Subscription {
                instrument: APPLE,
                symbol,
                trades: false,
                intervals,
            }],
            since: since.into_iter().collect(),
            client: Client::new(ClientOptions::default()).unwrap(),
            sealed: None,
            socket: SocketOptions::default(),
            clock: clock.clone(),
            seed: 1,
            limits: SessionLimits::default(),
            events,
            shutdown,
            stats: Arc::clone(&stats),
        };
        let agenda = Agenda::new(&options);
        let poll = (venue.poll.unwrap())(&venue.profile.endpoints());
        Self { agenda, poll, clock, stats, said: Vec::new() }
    }

    /// How long nothing is to be asked from now on.
    fn wait(&mut self) -> Option<Duration> {
        match self.agenda.next(self.clock.now(), &mut self.said) {
            Step::Wait(wait) => Some(wait),
            Step::Ask(..) => None,
        }
    }

    /// Answers what is asked at a moment.
    fn answer(&mut self, now: &str, status: u16, body: &str) {
        self.clock.set(at(now));
        let now = at(now);
        let Step::Ask(place, query) = self.agenda.next(now, &mut self.said) else {
            panic!("nothing is asked at {now}");
        };
        let response = Response { status, headers: Vec::new(), body: body.into() };
        let mut bars = Vec::new();
        let answer = match read(self.poll.as_ref(), &query, &response, now, &mut bars) {
            Ok(_) => Answer::Bars(bars),
            Err(answer) => answer,
        };
        self.agenda.on_answer(place, answer, now, &mut self.said);
    }

    /// What was said since the last look: bars as `open_time close`, the rest by its name.
    fn said(&mut self) -> Vec<String> {
        let word = |event: Event| match event.payload {
            Payload::Bar(bar) => format!("{} {}", bar.open_time, bar.close),
            Payload::Feed(FeedStatus { kind, .. }) => match kind {
                FeedKind::Gap { .. } => "gap".to_owned(),
                FeedKind::Repaired { .. } => "repaired".to_owned(),
                other => format!("{other:?}").to_lowercase(),
            },
            other => format!("{other:?}"),
        };
        self.said.drain(..).map(word).collect()
    }
}

/// A chart of rows `stamp close`, each with one price and a volume of 100.
fn chart(granularity: &str, rows: &[(&str, f64)]) -> String {
    let stamps: Vec<i64> = rows.iter().map(|(stamp, _)| at(stamp).secs()).collect();
    let closes: Vec<f64> = rows.iter().map(|(_, close)| *close).collect();
    let volumes = vec![100; rows.len()];
    serde_json::json!({"chart": {"error": null, "result": [{
        "meta": {"exchangeTimezoneName": "America/New_York", "priceHint": 2, "dataGranularity": granularity},
        "timestamp": stamps,
        "indicators": {"quote": [{"open": closes, "high": closes, "low": closes, "close": closes, "volume": volumes}]},
    }]}})
    .to_string()
}

#[test]
fn a_partial_last_bar_and_two_revised_ones_are_one_bar_and_one_revision_and_nothing_is_repainted() {
    let mut world = World::new(Interval::M5, "2024-03-08T15:00:00Z", None);
    // Where the series stands: 14:40 to 14:45 is over.
    world.answer(
        "2024-03-08T15:00:00Z",
        200,
        &chart(
            "5m",
            &[
                ("2024-03-08T14:40:00Z", 100.0),
                ("2024-03-08T14:45:00Z", 101.0),
                ("2024-03-08T14:50:00Z", 102.0),
            ],
        ),
    );
    assert_eq!(world.said(), ["up"]);
    // One more is over; the last one is growing. Of the two before, one is another now.
    let growing = [
        ("2024-03-08T14:45:00Z", 101.0),
        ("2024-03-08T14:50:00Z", 102.5),
        ("2024-03-08T14:55:00Z", 103.0),
        ("2024-03-08T15:00:00Z", 103.7),
    ];
    world.answer("2024-03-08T15:02:00Z", 200, &chart("5m", &growing));
    assert_eq!(world.said(), ["2024-03-08T14:55:00Z 103"], "one bar, and the partial one is none");
    assert_eq!(world.stats.snapshot().revisions, 1);
    // The same again is neither a bar nor a revision.
    world.answer("2024-03-08T15:06:20Z", 200, &chart("5m", &growing[..3]));
    assert_eq!(world.said(), [""; 0]);
    assert_eq!(world.stats.snapshot().revisions, 1);
}

#[test]
fn a_day_is_asked_for_once_after_its_close_and_not_before_the_next_session_is_over() {
    let mut world = World::new(Interval::D1, "2024-03-08T12:00:00Z", Some("2024-03-08"));
    let thursday = ("2024-03-07T14:30:00Z", 169.0);
    world.answer("2024-03-08T12:00:00Z", 200, &chart("1d", &[thursday]));
    assert_eq!(world.said(), ["up"]);
    let wait = world.wait().unwrap();
    let due = at("2024-03-08T12:00:00Z").plus(wait);
    assert!(at("2024-03-08T21:10:00Z") <= due && due <= at("2024-03-08T21:10:11Z"), "{due}");
    let friday = ("2024-03-08T14:30:00Z", 170.73);
    world.answer("2024-03-08T21:10:11Z", 200, &chart("1d", &[thursday, friday]));
    assert_eq!(world.said(), ["2024-03-08T00:00:00Z 170.73"]);
    let wait = world.wait().unwrap();
    let due = at("2024-03-08T21:10:11Z").plus(wait);
    assert!(at("2024-03-11T20:10:00Z") <= due && due <= at("2024-03-11T20:10:11Z"), "{due}");
}

#[test]
fn a_bar_that_is_not_there_yet_is_asked_for_again_soon() {
    let mut world = World::new(Interval::D1, "2024-03-08T21:11:00Z", Some("2024-03-08"));
    world.answer("2024-03-08T21:11:00Z", 200, &chart("1d", &[("2024-03-07T14:30:00Z", 169.0)]));
    assert_eq!(world.said(), ["up"]);
    let wait = world.wait().unwrap();
    assert!((120..=131).contains(&wait.as_secs()), "{wait:?}");
}

#[test]
fn after_too_many_requests_nothing_is_asked_for_at_least_a_quarter_of_an_hour() {
    let mut world = World::new(Interval::M5, "2024-03-08T15:00:00Z", None);
    world.answer("2024-03-08T15:00:00Z", 429, "Too Many Requests");
    let first = world.wait().unwrap();
    assert!(first >= Duration::from_secs(900), "{first:?}");
    world.answer("2024-03-08T15:20:00Z", 200, "Edge: Too Many Requests");
    assert!(world.wait().unwrap() >= Duration::from_secs(1_800), "longer each time");
}

#[test]
fn without_an_answer_the_feed_is_stale_and_what_was_missed_comes_between_gap_and_repaired() {
    let mut world = World::new(Interval::M5, "2024-03-08T15:00:00Z", Some("2024-03-08T14:50:00Z"));
    world.answer("2024-03-08T15:00:00Z", 502, "<html>Will be right back...</html>");
    assert_eq!(world.said(), [""; 0]);
    assert!(world.wait().unwrap() <= Duration::from_secs(10));
    world.answer("2024-03-08T15:20:00Z", 503, "");
    world.clock.set(at("2024-03-08T15:31:00Z"));
    world.wait();
    assert_eq!(world.said(), ["stale"]);
    assert_eq!(world.stats.snapshot().state, LinkState::Stale);
    world.wait();
    assert_eq!(world.said(), [""; 0], "said once");
    let rows = [("2024-03-08T14:50:00Z", 1.5), ("2024-03-08T14:55:00Z", 1.6)];
    world.answer("2024-03-08T15:40:00Z", 200, &chart("5m", &rows));
    assert_eq!(
        world.said(),
        ["gap", "2024-03-08T14:50:00Z 1.5", "2024-03-08T14:55:00Z 1.6", "repaired", "up"]
    );
    assert_eq!(world.stats.snapshot().state, LinkState::Up);
}

#[test]
fn a_symbol_that_the_venue_does_not_have_is_not_asked_for_again() {
    let mut world = World::new(Interval::D1, "2024-03-08T21:11:00Z", None);
    let body = r#"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, symbol may be delisted"}}}"#;
    world.answer("2024-03-08T21:11:00Z", 404, body);
    assert_eq!(world.said(), ["stale"]);
    world.clock.set(at("2024-03-18T21:11:00Z"));
    assert!(world.wait().is_some());
}

use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::rss::{CASES, NewsOptions, NewsSim, Newsroom, NewsroomSpec};
use finstage_model::{ManualClock, Timestamp};
use tokio::net::TcpListener;

use crate::http::{get, get_with};

fn opened() -> Timestamp {
    "2026-11-21T09:30:00Z".parse().unwrap()
}

fn newsroom() -> Newsroom {
    Newsroom::new(NewsroomSpec { seed: 7, opened: opened(), ..NewsroomSpec::default() })
}

async fn venue() -> (NewsSim, Arc<ManualClock>, Arc<Ledger>) {
    let clock = Arc::new(ManualClock::new(opened().plus(Duration::from_secs(3_600))));
    let ledger = Arc::new(Ledger::in_memory());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (newsroom, used) = (newsroom(), Arc::clone(&ledger));
    let options = NewsOptions { newsroom, clock: clock.clone(), ledger: used, listener };
    (NewsSim::start(options).unwrap(), clock, ledger)
}

#[tokio::test]
async fn who_names_what_he_has_gets_304_until_something_is_new() {
    let (sim, clock, ledger) = venue().await;
    let first = get(&sim.url(), "/feed/0").await;
    assert_eq!((first.status, first.body.matches("<item>").count()), (200, 20));
    let (tag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    for ask in [format!("If-None-Match: {tag}\r\n"), format!("If-Modified-Since: {date}\r\n")] {
        let again = get_with(&sim.url(), "/feed/0", &ask).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{ask}");
    }
    assert_eq!((sim.hasty(), ledger.counts().ok), (2, 3));
    clock.advance(Duration::from_secs(300));
    let later = get_with(&sim.url(), "/feed/0", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((later.status, later.body == first.body, sim.hasty()), (200, false, 2));
    sim.stop().await;
}

#[tokio::test]
async fn each_publisher_is_served_in_its_own_shape_and_the_same_seed_writes_the_same() {
    let (sim, ..) = venue().await;
    let has = [
        ("/feed/1", "<entry>"),
        ("/rss/2.0/headline?s=AAPL,MSFT&region=US", ".html?.tsrc=rss"),
        ("/rss/news_25.rss", "<author>Investing.com</author>"),
        ("/rss/search?q=apple+when:1d&hl=en-US", "<source url="),
    ];
    let (other, ..) = venue().await;
    for (path, word) in has {
        let reply = get(&sim.url(), path).await;
        assert!(reply.status == 200 && reply.body.contains(word), "{path} {}", reply.body);
        assert_eq!(reply.body, get(&other.url(), path).await.body);
    }
    assert_eq!(get(&sim.url(), "/feed/10").await.status, 404);
    for case in CASES.iter().filter(|case| !["euc-kr", "huge"].contains(case)) {
        assert_ne!(get(&sim.url(), &format!("/hard/{case}")).await.status, 404, "{case}");
    }
}

#[test]
fn some_stories_are_carried_by_three_feeds_and_all_by_one() {
    let newsroom = newsroom();
    assert_eq!(newsroom.count(opened().plus(Duration::from_secs(60))), 7);
    let carried = |story| (0..10).filter(|&feed| newsroom.carries(feed, story)).count();
    let counts: Vec<usize> = (0..14).map(carried).collect();
    assert_eq!(counts, [1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1]);
}

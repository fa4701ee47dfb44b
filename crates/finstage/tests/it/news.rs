//! News from the simulated servers into the records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use finstage::config::settings::NewsSettings;
use finstage::news::reader::Reader;
use finstage::news::{collector, keep, once};
use finstage::pace::Pace;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::rss::{CASES, NewsOptions, NewsSim, Newsroom, NewsroomSpec};
use finstage_model::{Clock, ManualClock, Timestamp};
use finstage_net::{Client, ClientOptions};
use finstage_store::Records;
use finstage_store::records::DocumentPage;
use tokio::net::TcpListener;

struct Scene {
    sim: NewsSim,
    newsroom: Newsroom,
    clock: Arc<ManualClock>,
    pace: Pace,
    client: Client,
    records: Records,
}

async fn scene(spec: NewsroomSpec) -> Scene {
    let clock = Arc::new(ManualClock::new(spec.opened));
    let newsroom = Newsroom::new(spec);
    let options = NewsOptions {
        newsroom: newsroom.clone(),
        clock: clock.clone(),
        ledger: Arc::new(Ledger::in_memory()),
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    Scene {
        sim: NewsSim::start(options).unwrap(),
        newsroom,
        pace: Pace { clock: clock.clone(), speed: 1.0 },
        clock,
        client: Client::new(ClientOptions::default()).unwrap(),
        records: Records::open_in_memory().unwrap(),
    }
}

fn settings(feeds: Vec<String>) -> NewsSettings {
    NewsSettings {
        sources: Vec::new(),
        feeds,
        every: Duration::from_secs(60),
        asks_model: false,
        translate: None,
        bases: BTreeMap::new(),
    }
}

fn opened() -> Timestamp {
    "2026-11-21T09:30:00Z".parse().unwrap()
}

/// The full figure, 10,000 stories a minute, is taken by hand with `finstage sim --venues rss`.
#[tokio::test]
async fn fifty_feeds_bring_each_story_once_across_a_restart() {
    let opened = opened();
    let spec = NewsroomSpec { seed: 3, opened, per_minute: 200, feeds: 50, listed: 30 };
    let scene = scene(spec).await;
    let feeds = (0..50).map(|feed| format!("{}/feed/{feed}", scene.sim.url())).collect();
    let settings = settings(feeds);
    let (mut copies, mut new) = (0, 0);
    for process in 0..2 {
        let begin = (process, scene.clock.now());
        let mut collector = collector(&settings, &[], Some(&scene.records), begin).unwrap();
        for _ in 0..2 {
            scene.clock.advance(Duration::from_secs(61));
            for heard in once(&mut collector, &scene.client, &scene.pace).await {
                assert_eq!(heard.unreadable, 0);
                copies += heard.copies.len();
                let reader = Reader::Lexicon;
                new += keep(heard, &reader, &scene.records, &scene.pace).await.unwrap().len();
            }
        }
    }
    let written = scene.newsroom.count(scene.clock.now());
    assert_eq!((new as u64, scene.records.document_count().unwrap()), (written, written));
    assert!(copies > 100 && scene.sim.hasty() == 0, "{copies}");
    let page = DocumentPage { limit: 1_000, ..DocumentPage::default() };
    let rows = scene.records.document_page(&page).unwrap();
    assert!(rows.iter().all(|row| row.insight.is_some()));
    assert!(rows.iter().any(|row| row.sources == 3));
    let is_about =
        |name: &str| rows.iter().any(|row| row.document.symbols.iter().any(|s| s.as_str() == name));
    assert!(is_about("yahoo:AAPL") && is_about("yahoo:005930.KS"));
}

#[tokio::test]
async fn feeds_as_they_should_not_be_lose_nothing_that_can_be_read() {
    let scene = scene(NewsroomSpec { opened: opened(), ..NewsroomSpec::default() }).await;
    let cases = CASES.iter().filter(|case| **case != "moved");
    let feeds = cases.map(|case| format!("{}/hard/{case}", scene.sim.url())).collect();
    let mut collector = collector(&settings(feeds), &[], None, (1, scene.clock.now())).unwrap();
    let mut titles: Vec<String> = Vec::new();
    let mut heard = once(&mut collector, &scene.client, &scene.pace).await;
    // The headline that is edited stays as it was first seen.
    scene.clock.advance(Duration::from_secs(120));
    heard.extend(once(&mut collector, &scene.client, &scene.pace).await);
    titles
        .extend(heard.into_iter().flat_map(|heard| heard.documents).map(|document| document.title));
    titles.sort();
    let expected = [
        "A date without a zone",
        "A headline, edited 0 times",
        "AT&T says yes — really",
        "After the broken one",
        "Asked for twice an hour",
        "Before the broken one",
        "Neither guid nor link",
        "One without a guid",
        "Profit & loss < 5 of all",
        "Profit up 5% & rising",
        "Q&A: 'fine'",
        "Whole",
        "never closed",
        "삼성전자 급등",
    ];
    assert_eq!(titles, expected);
    let failed: Vec<String> = collector
        .health()
        .filter(|feed| !feed.why.is_empty())
        .map(|feed| feed.name.rsplit('/').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(failed, ["challenge", "huge", "busy", "gone"]);
}

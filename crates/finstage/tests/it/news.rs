//! News from the simulated servers into the records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use finstage::config::settings::NewsSettings;
use finstage::news::reader::Reader;
use finstage::news::{collector, keep, once, places, read, stored, told};
use finstage::pace::Pace;
use finstage_engine::{Engine, EngineSettings, Origin, SeriesSpec, StrategySpec};
use finstage_feeds::news::{Heard, NewsStep};
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::rss::{CASES, NewsOptions, NewsSim, Newsroom, NewsroomSpec};
use finstage_model::{
    Bar, Clock, Document, DocumentId, Event, Instrument, InstrumentId, Interval, ManualClock,
    Output, Payload, Price, Qty, Symbol, Timestamp,
};
use finstage_net::{Client, ClientOptions, Response};
use finstage_research::study::{Adjustment, Instrument as Studied, listen};
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
                let fresh = read(heard, &reader, &scene.pace).await;
                keep(&fresh, &scene.records).await.unwrap();
                new += fresh.rows.len();
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
async fn another_process_asks_a_feed_no_sooner_and_reminds_it_of_what_it_said() {
    let scene = scene(NewsroomSpec { opened: opened(), ..NewsroomSpec::default() }).await;
    let settings = settings(vec![format!("{}/feed/0", scene.sim.url())]);
    let mut reminded = Vec::new();
    for process in 0..2 {
        let begin = (process, scene.clock.now());
        let mut collector = collector(&settings, &[], Some(&scene.records), begin).unwrap();
        let request = loop {
            match collector.next(scene.clock.now()) {
                NewsStep::Wait(wait) => scene.clock.advance(wait),
                NewsStep::Ask(_, request) => break request,
            }
        };
        reminded.push(request.headers().iter().any(|(name, _)| name == "if-none-match"));
        let answer = scene.client.send(&request).await;
        let heard = collector.on_answer(0, answer.as_ref(), scene.clock.now());
        let mut fresh = read(heard, &Reader::Lexicon, &scene.pace).await;
        fresh.places = places(&collector, [0]);
        keep(&fresh, &scene.records).await.unwrap();
        // It ends, and another begins.
        scene.clock.advance(Duration::from_secs(12));
    }
    assert_eq!((reminded, scene.sim.hasty()), (vec![false, true], 0));
}

#[tokio::test]
async fn what_a_headline_names_is_kept_whether_or_not_it_is_watched() {
    let records = Records::open_in_memory().unwrap();
    let watched: Symbol = "binance:BTCUSDT".parse().unwrap();
    let now = opened();
    let settings = settings(vec!["http://127.0.0.1:1/f".to_owned()]);
    let mut collector =
        collector(&settings, std::slice::from_ref(&watched), Some(&records), (1, now)).unwrap();
    let feed = "<rss><channel><item><title>Apple and Bitcoin rise</title></item></channel></rss>";
    let answer = Response { status: 200, headers: Vec::new(), body: feed.into() };
    let heard = collector.on_answer(0, Ok(&answer), now);
    let symbols = &heard.documents[0].symbols;
    assert_eq!(symbols[0], watched, "what is watched comes first");
    assert!(symbols.iter().any(|symbol| symbol.as_str() == "yahoo:AAPL"), "{symbols:?}");
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

/// A day of bars of a minute whose price swings about its average.
fn swinging(opened: Timestamp) -> Vec<Bar> {
    let bar = |minute: i64| {
        let close =
            Price::from_nanos((100 + [0, 2, 1, -3, -1][minute as usize % 5]) * 1_000_000_000);
        Bar {
            instrument: InstrumentId(0),
            interval: Interval::M1,
            open_time: Timestamp::from_secs(opened.nanos() / 1_000_000_000 + 60 * minute),
            open: close,
            high: close,
            low: close,
            close,
            volume: Qty::ZERO,
            trades: 0,
        }
    };
    (0..600).map(bar).collect()
}

fn confirmed(name: &str) -> StrategySpec {
    let params = [("period", 3.0), ("hours", 1.0), ("least", 0.05)];
    StrategySpec {
        name: name.to_owned(),
        params: params.map(|(name, value)| (name.to_owned(), value)).into(),
        interval: Interval::M1,
        symbols: Vec::new(),
        when: None,
    }
}

#[tokio::test]
async fn a_day_with_news_says_on_its_records_what_was_said_live() {
    let (opened, symbol) = (opened(), "yahoo:AAPL".parse::<Symbol>().unwrap());
    let bars = swinging(opened);
    let specs = vec![confirmed("news_confirmed_up"), confirmed("news_confirmed_down")];
    let settings = EngineSettings {
        strategies: specs.clone(),
        series: vec![SeriesSpec {
            symbol: symbol.clone(),
            interval: Interval::M1,
            origin: Origin::Venue,
        }],
        ..EngineSettings::default()
    };
    let mut engine = Engine::new(&settings, finstage_strategies::CATALOG).unwrap();
    let records = Records::open_in_memory().unwrap();
    let clock = Arc::new(ManualClock::new(opened));
    let pace = Pace { clock: clock.clone(), speed: 1.0 };
    let mut outputs = Vec::new();
    let instrument = Instrument {
        id: InstrumentId(0),
        symbol: symbol.clone(),
        tick: None,
        lot: None,
        currency: None,
        category: finstage_model::Category::Other,
    };
    engine.apply(&Event::new(opened, Payload::Instrument(Box::new(instrument))), &mut outputs);
    // A bar reaches us 2 s after its close; some news comes in between, which the bar must not have seen.
    for (number, bar) in bars.iter().enumerate() {
        let title =
            ["Apple profit soars to a record", "Apple shares crash on fraud"][number / 90 % 2];
        for after in [-7_i64, 1] {
            let is_news = number % 45 == (2 + after.unsigned_abs()) as usize;
            clock.set(Timestamp::from_nanos(bar.close_time().nanos() + after * 1_000_000_000));
            if is_news {
                let document = Document {
                    id: DocumentId((number as u128) << 8 | u128::from(after.unsigned_abs())),
                    feed: "f".to_owned(),
                    title: format!("{title} ({number})"),
                    summary: String::new(),
                    link: String::new(),
                    source: String::new(),
                    published: None,
                    symbols: vec![symbol.clone()],
                };
                let heard = Heard { documents: vec![document], ..Heard::default() };
                let fresh = read(heard, &Reader::Lexicon, &pace).await;
                keep(&fresh, &records).await.unwrap();
                for row in fresh.rows {
                    told(row).iter().for_each(|event| engine.apply(event, &mut outputs));
                }
            }
        }
        let seen = Timestamp::from_nanos(bar.close_time().nanos() + 2_000_000_000);
        engine.apply(&Event::new(seen, Payload::Bar(*bar)), &mut outputs);
    }
    let mut live = vec![Vec::new(); specs.len()];
    for output in &outputs {
        if let Output::Signal(signal) = output {
            let place = bars.iter().position(|bar| bar.open_time == signal.open_time).unwrap();
            live[usize::from(signal.strategy.0)].push(place);
        }
    }
    let news = stored::about(&records, &symbol).unwrap();
    let known = stored::said(&symbol, &bars, &news);
    assert!(known.starts_with("yahoo:AAPL: 28 documents are heard, the first known at"), "{known}");
    let past = Studied::new(symbol, &bars, &|_| Adjustment::NONE).unwrap();
    let deaf = listen(&specs, finstage_strategies::CATALOG, &past).unwrap();
    let past = listen(&specs, finstage_strategies::CATALOG, &past.with_news(news)).unwrap();
    assert_eq!(past.events, live);
    assert!(live.iter().all(|said| said.len() > 10), "{live:?}");
    assert_eq!((past.repaints, deaf.events), (vec![false; 2], vec![Vec::new(); 2]));
}

#[tokio::test]
async fn a_story_told_twice_is_kept_twice_and_moves_scores_once() {
    let (opened, symbol) = (opened(), "yahoo:AAPL".parse::<Symbol>().unwrap());
    let records = Records::open_in_memory().unwrap();
    let pace = Pace { clock: Arc::new(ManualClock::new(opened)), speed: 1.0 };
    let document = |id, title: &str| Document {
        id: DocumentId(id),
        feed: "f".to_owned(),
        title: title.to_owned(),
        summary: String::new(),
        link: String::new(),
        source: String::new(),
        published: None,
        symbols: vec![symbol.clone()],
    };
    let documents = vec![
        document(1, "Apple profit soars to a record"),
        document(2, "Apple's profit soars to record"),
    ];
    let retold = vec![(DocumentId(2), DocumentId(1))];
    let heard = Heard { documents, retold, ..Heard::default() };
    let fresh = read(heard, &Reader::Lexicon, &pace).await;
    keep(&fresh, &records).await.unwrap();
    let told: Vec<usize> = fresh.rows.into_iter().map(|row| told(row).len()).collect();
    assert_eq!(told, [2, 1], "of the second only that it was seen");
    let page = DocumentPage { limit: 9, ..DocumentPage::default() };
    let stories: Vec<_> =
        records.document_page(&page).unwrap().iter().map(|row| row.story).collect();
    assert_eq!(stories, [Some(DocumentId(1)), None]);
    assert_eq!(records.insights_about(&symbol, 9).unwrap().len(), 1);
}

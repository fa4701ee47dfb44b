//! A session beside its recording: what is played back is what it said.

use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finstage_feeds::recording::{Header, Packing, Playback, Recorder, Recording, RecordingWriter};
use finstage_feeds::{Subscription, SymbolMap, venues};
use finstage_model::{Event, Interval};

use crate::scene::{BTC, NOON, Scene, Setup, short};

/// A file in memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn subscriptions() -> Vec<Subscription> {
    vec![Subscription {
        instrument: BTC,
        symbol: "binance:BTCUSDT".parse().unwrap(),
        trades: true,
        intervals: vec![Interval::M1],
    }]
}

/// A scene that is recorded.
async fn recorded() -> (Scene, Recorder, Memory) {
    let memory = Memory::default();
    let header = Header::new(NOON, ("binance", "a test"), &subscriptions());
    let file = Box::new(memory.clone());
    let writer = RecordingWriter::begin(file, Packing::Zstd, &header).unwrap();
    let setup = Setup { polls: false, record: Some(writer), ..Setup::default() };
    let mut scene = Scene::start(setup).await;
    let recorder = scene.recorder.take().unwrap();
    (scene, recorder, memory)
}

fn played(memory: &Memory) -> Vec<Event> {
    let bytes = memory.0.lock().unwrap().clone();
    let recording = Recording::of("the recording", Cursor::new(bytes)).unwrap();
    let venue = venues::find(&recording.header().unwrap().venue).unwrap();
    let asked = subscriptions();
    let stream = (venue.stream.unwrap())(&venue.profile.endpoints(), SymbolMap::of(&asked));
    let mut playback = Playback::new(recording, (stream, venue.profile), &asked);
    let mut events = Vec::new();
    while playback.next_at().is_some() {
        playback.advance(&mut events);
    }
    assert_eq!(playback.counts().cut, None);
    events
}

fn words(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| format!("{} {}", event.ts_recv, short(&event.payload))).collect()
}

#[tokio::test]
async fn losses_duplicates_and_garbage_are_played_back_as_the_session_told_them() {
    let (mut scene, recorder, memory) = recorded().await;
    let mut heard = Vec::new();
    let mut link = scene.subscribed().await;
    link.trade(1).await;
    link.trade(2).await;
    link.trade(2).await;
    link.say("{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"tra").await;
    heard.extend(scene.heard_until("trade 2").await);
    scene.clock.advance(Duration::from_secs(60));
    link.bar(0).await;
    link.bar(0).await;
    heard.extend(scene.heard_until("bar 12:00").await);
    scene.clock.advance(Duration::from_secs(120));
    // Two trades and a bar are missing.
    link.trade(5).await;
    link.bar(2).await;
    heard.extend(scene.heard_until("bar 12:02").await);
    drop(link);
    let mut link = scene.accept().await;
    scene.clock.advance(Duration::from_secs(7));
    link.hear().await;
    link.say(r#"{"result":null,"id":1}"#).await;
    link.trade(6).await;
    heard.extend(scene.heard_until("trade 6").await);
    scene.clock.advance(Duration::from_secs(300));
    link.trade(9).await;
    link.bar(7).await;
    link.trade(10).await;
    heard.extend(scene.heard_until("trade 10").await);
    assert!(scene.end().await.is_empty());
    recorder.finish().unwrap();
    let played = played(&memory);
    assert_eq!(words(&played), words(&heard));
    assert_eq!(played, heard, "to the last bit");
    let gaps = words(&played).iter().filter(|word| word.contains(" gap ")).count();
    assert_eq!(gaps, 5, "trades 3 and 4, bar 12:01, the connection, trades 7 and 8, bars");
}

#[tokio::test]
async fn a_connection_that_is_replaced_while_it_speaks_is_no_loss_in_the_recording_either() {
    let (mut scene, recorder, memory) = recorded().await;
    let mut heard = Vec::new();
    let mut first = scene.subscribed().await;
    first.trade(1).await;
    heard.extend(scene.heard_until("trade 1").await);
    first.say(r#"{"stream":"","data":{"e":"serverShutdown"}}"#).await;
    let mut second = scene.subscribed().await;
    second.trade(2).await;
    heard.extend(scene.heard_until("trade 2").await);
    first.trade(2).await;
    first.trade(3).await;
    heard.extend(scene.heard_until("trade 3").await);
    second.trade(3).await;
    first.hung_up().await;
    second.trade(4).await;
    heard.extend(scene.heard_until("trade 4").await);
    assert!(scene.end().await.is_empty());
    recorder.finish().unwrap();
    let played = played(&memory);
    assert_eq!(played, heard);
    assert_eq!(played.len(), 5, "{:?}", words(&played));
}

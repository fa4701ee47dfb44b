use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};

use finstage_model::{Interval, ManualClock};
use finstage_net::{Client, Peer, Socket, SocketOptions};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::venue::{Subscription, SymbolMap};
use crate::venues;
use finstage_model::{Event, FeedKind, FeedStatus, InstrumentId, Payload};

const RAW: &str = r#"2026-03-01T00:00:00.1000000Z {"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":1,"p":"10.5","q":"1","T":1772323200000,"m":false}}
2026-03-01T00:00:01.0000000Z {"stream":"btcusdt@depth","data":{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}}


2026-03-01T00:10:00.0000000Z {"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":2,"p":"10.6","q":"1","T":1772323799900,"m":true}}
"#;

const ROWS: &str = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount
bitmex,XBTUSD,1772323200000000,1772323200100000,,buy,8531.5,100
bitmex,XBTUSD,1772323200900000,1772323201000000,7,sell,8531,0
";

fn of(bytes: impl Into<Vec<u8>>) -> Recording {
    Recording::of("file", Cursor::new(bytes.into())).unwrap()
}

/// What is read, in short words: `1 open`, `1 TEXT`, `1 end`, or the error.
fn told(recording: Recording) -> Vec<String> {
    let word = |read: Result<Recorded, RecordingError>| match read {
        Err(error) => error.to_string(),
        Ok(Recorded { what: What::Opened(link), .. }) => format!("{link} open"),
        Ok(Recorded { what: What::Ended(link), .. }) => format!("{link} end"),
        Ok(Recorded { what: What::Came(link, Frame::Text(text)), .. }) => format!("{link} {text}"),
        Ok(Recorded { what: What::Came(link, frame), .. }) => format!("{link} {frame:?}"),
    };
    recording.map(word).collect()
}

fn subscription(symbol: &str, intervals: &[Interval]) -> Subscription {
    Subscription {
        instrument: InstrumentId(0),
        symbol: symbol.parse().unwrap(),
        trades: true,
        intervals: intervals.to_vec(),
    }
}

fn playback(recording: Recording, symbol: &str) -> Playback {
    let asked = [subscription(symbol, &[Interval::M1])];
    let venue = venues::find(asked[0].symbol.venue()).unwrap();
    let stream = venue.stream.unwrap()(&venue.profile.endpoints(), SymbolMap::of(&asked));
    Playback::new(recording, (stream, venue.profile), &asked)
}

/// Everything that is said, with the moment at which it was said.
fn played(playback: &mut Playback) -> Vec<String> {
    let mut told = Vec::new();
    let mut events = Vec::new();
    while let Some(at) = playback.next_at() {
        playback.advance(&mut events);
        for Event { ts_recv, payload, .. } in events.drain(..) {
            assert_eq!(ts_recv, at);
            let time = |at: Timestamp| at.to_string()[11..].to_owned();
            let word = match payload {
                Payload::Trade(trade) => format!("trade {}", trade.price),
                Payload::Bar(bar) => format!("bar {}", time(bar.open_time)),
                Payload::Feed(FeedStatus { kind: FeedKind::Gap { from, to }, .. }) => {
                    format!("gap {}-{}", time(from), time(to))
                }
                Payload::Feed(FeedStatus { kind, .. }) => format!("{kind:?}").to_lowercase(),
                other => format!("{other:?}"),
            };
            told.push(format!("{} {word}", time(at)));
        }
    }
    told
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    ::zstd::encode_all(text.as_bytes(), 1).unwrap()
}

#[test]
fn every_form_is_told_by_what_stands_at_its_head() {
    let message = r#"{"localTimestamp":"2026-03-01T00:00:00.1Z","message":{"e":"x"}}"#;
    let normalized = r#"{"type":"book_change","localTimestamp":"2026-03-01T00:00:00.1Z"}"#;
    let tick = r#"{"symbol":"BTC","price":1.5,"volume":2,"timestamp":1772323200000}"#;
    let header =
        serde_json::to_string(&Header::new(Timestamp::EPOCH, ("binance", "x"), &[])).unwrap();
    let forms = [
        (header.as_str(), Form::Capture),
        (r#"{"at":"2026-03-01T00:00:00Z","link":1,"is":"open"}"#, Form::Capture),
        (RAW, Form::TardisRaw),
        (message, Form::TardisMachineRaw),
        (normalized, Form::TardisNormalized),
        (ROWS, Form::TardisCsv),
        (tick, Form::Ticks),
    ];
    for (text, form) in forms {
        assert_eq!(of(text).form(), form);
        assert_eq!(of(gzip(text)).form(), form, "gzip");
        assert_eq!(of(zstd(text)).form(), form, "zstd");
        assert_eq!(of(format!("\u{feff}{text}")).form(), form, "a mark of the byte order");
        assert_eq!(of(format!("\n\r\n{text}")).form(), form, "empty lines");
        let mut strange = of(format!("nonsense\n{text}"));
        assert_eq!(strange.form(), form);
        let error = strange.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "file:1: of no known form");
        assert_eq!(error.kind(), RecordingErrorKind::Line);
    }
}

#[test]
fn what_is_no_recording_is_refused_with_words() {
    let refused = |bytes: &[u8]| {
        let error = Recording::of("file", Cursor::new(bytes.to_vec())).unwrap_err();
        assert_eq!(error.kind(), RecordingErrorKind::Unreadable);
        error.to_string()
    };
    assert_eq!(refused(b""), "file: empty");
    let none = "file: no recording: neither of finstage capture, nor of Tardis (raw, normalized, CSV), nor ticks";
    assert_eq!(refused(b"open,high\n1,2\n"), none);
    assert_eq!(refused(&[0xff; 9]), none);
    assert_eq!(refused(&zstd("{}\n")), none);
    assert!(
        refused(&[&[0x1f, 0x8b][..], &[7; 40]].concat()).contains("damaged"),
        "no gzip behind its mark"
    );
    let newer = "{\"finstage\":\"capture\",\"version\":2,\"frames\":\"elsewhere\"}\n";
    let error = Recording::of("file", Cursor::new(newer)).unwrap_err();
    assert_eq!(error.to_string(), "file:1: written by another finstage: version 2 of the form");
    let error = Recording::open(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/at/all: "), "{error}");
}

#[test]
fn frames_behind_a_stamp_keep_every_character_and_an_empty_line_ends_a_connection_once() {
    let text = "2026-03-01T00:00:00.1000000Z {\"a\": \"ü \\u00fc\"} \n\n\n\
                2026-03-01T00:00:02.0000000Z  x\n2026-03-01 00:00:02.0000000Z y\n\n";
    let read: Vec<Recorded> = of(text).filter_map(Result::ok).collect();
    assert_eq!(read[0].at.to_string(), "2026-03-01T00:00:00.1Z");
    assert_eq!(read[2], Recorded { at: read[0].at, line: 2, what: What::Ended(1) });
    let expected = [
        "1 open",
        "1 {\"a\": \"ü \\u00fc\"} ",
        "1 end",
        "2 open",
        "2  x",
        "file:5: no stamp of 28 characters and a space in front",
        "2 end",
    ];
    assert_eq!(told(of(text)), expected);
    let wrapped = "{\"localTimestamp\":\"2026-03-01T00:00:00.1Z\",\"message\":{\"a\" : 1}}\n\n";
    assert_eq!(told(of(wrapped)), ["1 open", "1 {\"a\" : 1}", "1 end"]);
}

#[test]
fn a_header_of_csv_is_the_frame_in_front_of_its_first_row_in_each_part_of_a_file() {
    let quotes = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n\
                  bitmex,XBTUSD,1772323202000000,1772323202000000,1,2,3,4\nbitmex,XBTUSD\n";
    let text = format!("{ROWS}{quotes}");
    let read = told(of(text.clone()));
    assert_eq!(read.len(), 7);
    assert_eq!(read[1], "1 exchange,symbol,timestamp,local_timestamp,id,side,price,amount");
    assert_eq!(read[6], "file:6: local_timestamp is \"\"");
    let mut playback = playback(of(text), "tardis:bitmex.XBTUSD");
    assert_eq!(
        played(&mut playback),
        ["00:00:00.1Z up", "00:00:00.1Z trade 8531.5", "00:00:01Z trade 8531"]
    );
    let counts = playback.counts();
    assert_eq!((counts.frames, counts.data, counts.bad), (5, 2, 1));
    assert_eq!(counts.unused, [("tardis: row of quotes".to_owned(), 1)].into());
    assert_eq!(playback.take_complaints(), ["file:6: local_timestamp is \"\""]);
}

#[test]
fn a_disconnect_is_told_as_a_session_tells_it() {
    let mut playback = playback(of(RAW), "binance:BTCUSDT");
    let expected = [
        "00:00:00.1Z up",
        "00:00:00.1Z trade 10.5",
        // As long after the last frame as the venue may be silent.
        "00:00:41Z stale",
        "00:10:00Z gap 00:00:01Z-00:10:00Z",
        "00:10:00Z up",
        "00:10:00Z trade 10.6",
    ];
    assert_eq!(played(&mut playback), expected);
    let counts = playback.counts();
    assert_eq!((counts.frames, counts.events, counts.data, counts.gaps), (3, 6, 2, 1));
    assert_eq!(counts.unused, [("binance: message of type depthUpdate".to_owned(), 1)].into());
    assert_eq!((counts.bad, counts.out_of_order, counts.cut.as_deref()), (0, 0, None));
}

#[test]
fn packed_files_may_have_several_parts_and_be_cut_anywhere() {
    let whole = told(of(RAW));
    let (first, rest) = RAW.split_at(RAW.find('\n').unwrap() + 1);
    let parts: [fn(&str) -> Vec<u8>; 2] = [gzip, zstd];
    for pack in parts {
        let packed: Vec<u8> = [pack(first), pack(rest)].concat();
        assert_eq!(told(of(packed.clone())), whole);
        for length in 0..packed.len() {
            let Ok(mut recording) = Recording::of("file", Cursor::new(packed[..length].to_vec()))
            else {
                continue;
            };
            let mut read = Vec::new();
            let error = loop {
                match recording.next() {
                    Some(Ok(recorded)) => read.push(recorded),
                    Some(Err(error)) => break Some(error),
                    None => break None,
                }
            };
            let expected: Vec<Recorded> = of(RAW).filter_map(Result::ok).collect();
            assert!(expected.starts_with(&read), "{length}");
            // Where the first part ends nothing shows that there was another.
            let is_at_a_seam = length == pack(first).len();
            assert_eq!(error.is_none(), is_at_a_seam, "{length}: {error:?}");
            if let Some(error) = error {
                assert_eq!(error.kind(), RecordingErrorKind::Cut, "{error}");
            }
            assert!(recording.next().is_none());
        }
    }
    // Skippable frames hold what other programs note there.
    let noted = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9][..], &zstd(RAW)].concat();
    assert_eq!(told(of(noted)), whole);
}

#[test]
fn a_text_file_that_ends_in_the_middle_of_a_line_says_so() {
    let cut = "{\"localTimestamp\":\"2026-03-01T00:00:00.1Z\",\"message\":{\"a\":1}}\n{\"localTim";
    let mut recording = of(cut);
    assert_eq!(recording.by_ref().filter_map(Result::ok).count(), 2);
    let error = of(cut).find_map(Result::err).unwrap();
    assert_eq!(error.to_string(), "file:2: ends in the middle of this line");
    assert_eq!(error.kind(), RecordingErrorKind::Cut);
    // Without a line's end, and whole.
    assert_eq!(told(of(cut.lines().next().unwrap())).len(), 2);
}

/// A file in memory, and what it takes before it is full.
#[derive(Clone, Default)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: Option<usize>,
}

impl Disk {
    fn read(&self) -> Recording {
        of(self.bytes.lock().unwrap().clone())
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.bytes.lock().unwrap();
        if self.room.is_some_and(|room| written.len() + bytes.len() > room) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        written.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const NOON: Timestamp = Timestamp::from_secs(1_772_366_400);

/// A transport of pairs in memory, whose other ends a test holds.
#[derive(Debug, Default)]
struct Pairs(Mutex<Vec<Peer>>);

impl finstage_net::Transport for Pairs {
    fn send<'a>(
        &'a self,
        _: &'a finstage_net::Request,
    ) -> finstage_net::Carried<'a, finstage_net::Response> {
        unreachable!("nobody asks")
    }

    fn connect<'a>(
        &'a self,
        url: &'a str,
        _: &'a SocketOptions,
    ) -> finstage_net::Carried<'a, Socket> {
        let (socket, peer) = Socket::pair(url, 16);
        self.0.lock().unwrap().push(peer);
        Box::pin(async { Ok(socket) })
    }
}

/// A recorder on `disk`, a client over it, and the other ends.
fn recorded(disk: &Disk, packing: Packing) -> (Recorder, Client, Arc<Pairs>, Arc<ManualClock>) {
    let asked = [subscription("binance:BTCUSDT", &[Interval::M1])];
    let header = Header::new(NOON, ("binance", "finstage 0"), &asked);
    let writer = RecordingWriter::begin(Box::new(disk.clone()), packing, &header).unwrap();
    let clock = Arc::new(ManualClock::new(NOON));
    let recorder = Recorder::new(writer, clock.clone());
    let pairs = Arc::<Pairs>::default();
    let client = Client::over(recorder.over(pairs.clone()));
    (recorder, client, pairs, clock)
}

async fn connect(client: &Client) -> Socket {
    client.transport().connect("ws://here", &SocketOptions::default()).await.unwrap()
}

#[tokio::test]
async fn what_sockets_bring_is_read_back_frame_by_frame() {
    for packing in [Packing::Plain, Packing::Zstd] {
        let disk = Disk::default();
        let (recorder, client, pairs, clock) = recorded(&disk, packing);
        let mut first = connect(&client).await;
        let mut second = connect(&client).await;
        let strange = "a \"b\" \\ \n \u{0} \u{1f600} \u{2028}";
        let frames = [
            Frame::Text(strange.to_owned()),
            Frame::Binary(vec![0, 255, 16]),
            Frame::Ping(vec![1]),
            Frame::Pong(Vec::new()),
            Frame::Text(String::new()),
        ];
        let peers = std::mem::take(&mut *pairs.0.lock().unwrap());
        for frame in &frames {
            assert!(peers[0].send(frame.clone()).await);
            assert_eq!(first.next().await.unwrap(), *frame, "and is handed on as it is");
        }
        clock.advance(std::time::Duration::from_millis(1500));
        peers[1].say("other").await;
        second.next().await.unwrap();
        // What is sent is not recorded.
        first.send(Frame::Text("ask".to_owned())).await.unwrap();
        for peer in peers {
            peer.close(1000).await;
        }
        assert_eq!(first.next().await.unwrap(), Frame::Close);
        drop(first);
        assert!(first_lines(&disk, &recorder, packing) > 8, "flushed, and not finished");
        drop(second);
        let written = recorder.finish().unwrap();
        assert_eq!(written, Written { frames: 4, bytes: strange.len() as u64 + 3 + 5 });
        assert_eq!(recorder.finish().unwrap(), written, "ended once");
        let mut recording = disk.read();
        let read: Vec<Recorded> = recording.by_ref().map(Result::unwrap).collect();
        let header = recording.header().unwrap();
        assert_eq!((header.venue.as_str(), header.at), ("binance", NOON));
        assert_eq!(header.asked[0].intervals, [Interval::M1]);
        let mut whats: Vec<What> = read.iter().map(|recorded| recorded.what.clone()).collect();
        let tail = whats.split_off(7);
        assert_eq!(whats[..2], [What::Opened(1), What::Opened(2)]);
        assert_eq!(whats[2..], frames.map(|frame| What::Came(1, frame)));
        let other = Frame::Text("other".to_owned());
        let expected =
            [What::Came(2, other), What::Came(1, Frame::Close), What::Ended(1), What::Ended(2)];
        assert_eq!(tail, expected);
        assert_eq!(read[2].at, NOON);
        assert_eq!(read[7].at.to_string(), "2026-03-01T12:00:01.5Z");
    }
}

/// How much a reader finds while the recorder goes on.
fn first_lines(disk: &Disk, recorder: &Recorder, packing: Packing) -> usize {
    recorder.flush();
    let read: Vec<Result<Recorded, RecordingError>> = disk.read().collect();
    let is_cut = matches!(read.last(), Some(Err(error)) if error.kind() == RecordingErrorKind::Cut);
    assert_eq!(is_cut, packing == Packing::Zstd, "its frame has not ended");
    read.iter().filter(|read| read.is_ok()).count()
}

#[tokio::test]
async fn a_full_disk_is_told_and_hinders_no_socket() {
    let disk = Disk { room: Some(70_000), ..Disk::default() };
    let (recorder, client, pairs, _) = recorded(&disk, Packing::Plain);
    let mut socket = connect(&client).await;
    let peer = pairs.0.lock().unwrap().pop().unwrap();
    let mut failed = std::pin::pin!(recorder.failed());
    for _ in 0..200 {
        peer.say("x".repeat(1_000)).await;
        socket.next().await.unwrap();
    }
    tokio::select! {
        biased;
        () = &mut failed => {}
        () = std::future::ready(()) => unreachable!("it has failed"),
    }
    assert_eq!(recorder.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    let read: Vec<Result<Recorded, RecordingError>> = disk.read().collect();
    assert!(read.len() > 50 && read[..read.len() - 1].iter().all(Result::is_ok));
}

#[test]
fn captures_one_behind_the_other_are_several_connections() {
    let header = |venue| serde_json::to_string(&Header::new(NOON, (venue, "x"), &[])).unwrap();
    let line = |rest: &str| format!("{{\"at\":\"2026-03-01T12:00:00Z\",\"link\":{rest}}}");
    let text = [
        header("binance"),
        line(r#"1,"is":"open""#),
        line(r#"1,"text":"a""#),
        header("binance"),
        line(r#"1,"is":"open""#),
        line(r#"1,"text":"b""#),
        line(r#"1,"bytes":"0g""#),
        line(r#"1,"bytes":"0""#),
        line("1"),
        line(r#"3,"text":"c""#),
        line(r#"1,"is":"end""#),
        header("kraken"),
    ];
    let expected = [
        "1 open",
        "1 a",
        "1 end",
        "2 open",
        "2 b",
        "file:7: not hexadecimal",
        "file:8: not hexadecimal",
        "file:9: neither a frame nor the state of a connection",
        "4 open",
        "4 c",
        "2 end",
        "4 end",
        "file:12: frames of kraken follow those of binance",
    ];
    let text = text.join("\n") + "\n";
    let read = told(of(text.clone()));
    assert_eq!(read[..11], expected[..11]);
    let mut tail = read[11..].to_vec();
    tail.sort();
    let mut expected_tail = expected[11..].to_vec();
    expected_tail.sort_unstable();
    assert_eq!(tail, expected_tail);
    // A piece from the middle of a file has no header, and is played all the same.
    let piece: String = text.lines().skip(2).take(1).map(|line| format!("{line}\n")).collect();
    assert_eq!(told(of(piece)), ["1 open", "1 a"]);
}

#[test]
fn bars_come_once_and_a_missing_one_is_a_gap() {
    let kline = |minute: i64, second: i64| {
        let t = 1_772_323_200_000 + minute * 60_000;
        let stamp = Timestamp::from_secs(1_772_323_200 + second).to_string();
        let stamp = format!("{}.0000000Z", stamp.trim_end_matches('Z'));
        format!(
            r#"{stamp} {{"stream":"btcusdt@kline_1m","data":{{"e":"kline","s":"BTCUSDT","k":{{"t":{t},"T":{},"s":"BTCUSDT","i":"1m","o":"1","c":"1","h":"1","l":"1","v":"1","n":1,"x":true}}}}}}"#,
            t + 59_999
        )
    };
    let text = [kline(0, 60), kline(0, 61), kline(2, 180), kline(3, 120), "\n".to_owned()];
    let text = text.join("\n") + &kline(9, 600);
    let mut playback = playback(of(text), "binance:BTCUSDT");
    let expected = [
        "00:01:00Z up",
        "00:01:00Z bar 00:00:00Z",
        "00:03:00Z gap 00:01:00Z-00:02:00Z",
        "00:03:00Z bar 00:02:00Z",
        // This line goes back in time; the story does not.
        "00:03:00Z bar 00:03:00Z",
        "00:03:40Z stale",
        "00:10:00Z gap 00:03:00Z-00:10:00Z",
        "00:10:00Z up",
        "00:10:00Z bar 00:09:00Z",
    ];
    assert_eq!(played(&mut playback), expected);
    let counts = playback.counts();
    assert_eq!((counts.duplicates, counts.out_of_order, counts.gaps), (1, 1, 2));
}

#[test]
fn complaints_and_kinds_of_unused_frames_are_bounded_and_all_are_counted() {
    let mut text = String::new();
    for n in 0..100 {
        text += &format!("2026-03-01T00:00:00.{n:07}Z {{\"data\":{{\"e\":\"kind{n}\"}}}}\n");
        text += &format!("2026-03-01T00:00:00.{n:07}Z {{\n");
    }
    let mut playback = playback(of(text), "binance:BTCUSDT");
    assert!(played(&mut playback).is_empty());
    assert_eq!(playback.take_complaints().len(), MAX_TOLD);
    let counts = playback.counts();
    assert_eq!((counts.frames, counts.bad), (200, 100));
    assert_eq!(counts.unused.len(), MAX_UNUSED + 1);
    assert_eq!(counts.unused.values().sum::<u64>(), 100);
}

#[test]
fn a_cut_recording_is_played_as_far_as_it_is_whole() {
    let (first, rest) = RAW.split_at(RAW.find('\n').unwrap() + 1);
    let packed = [zstd(first), zstd(rest)].concat();
    let mut playback = playback(of(packed[..packed.len() - 1].to_vec()), "binance:BTCUSDT");
    assert_eq!(played(&mut playback), ["00:00:00.1Z up", "00:00:00.1Z trade 10.5"]);
    assert_eq!(playback.counts().cut.as_deref(), Some("file:1: cut off after this line"));
    let all = zstd(RAW);
    let error = Recording::of("file", Cursor::new(all[..all.len() - 1].to_vec())).unwrap_err();
    assert_eq!(error.to_string(), "file: cut off before its first line ends");
}

/// Reads whatever it is to its end, and plays it to every venue.
fn read_and_play(bytes: &[u8]) {
    for symbol in ["binance:BTCUSDT", "tardis:bitmex.XBTUSD"] {
        let Ok(recording) = Recording::of("file", Cursor::new(bytes.to_vec())) else { return };
        let mut playback = playback(recording, symbol);
        let (mut events, mut last) = (Vec::new(), Timestamp::MIN);
        while let Some(at) = playback.next_at() {
            assert!(at >= last, "time never goes back");
            last = at;
            playback.advance(&mut events);
        }
        assert!(events.is_sorted_by_key(|event| event.ts_recv));
        assert_eq!(playback.counts().events, events.len() as u64);
    }
}

/// Recordings of every form.
fn seeds() -> Vec<Vec<u8>> {
    let capture = concat!(
        r#"{"finstage":"capture","version":1,"at":"2026-03-01T00:00:00Z","by":"x","venue":"binance","asked":[]}"#,
        "\n",
        r#"{"at":"2026-03-01T00:00:00.1Z","link":1,"is":"open"}"#,
        "\n",
        r#"{"at":"2026-03-01T00:00:00.2Z","link":1,"text":"{\"result\":null,\"id\":1}"}"#,
        "\n",
        r#"{"at":"2026-03-01T00:00:00.3Z","link":1,"bytes":"00ff"}"#,
        "\n",
        r#"{"at":"2026-03-01T00:00:00.4Z","link":1,"is":"end"}"#,
        "\n",
    );
    let normalized = concat!(
        r#"{"type":"trade","symbol":"XBTUSD","exchange":"bitmex","id":"1","price":7996,"amount":50,"side":"sell","timestamp":"2026-03-01T00:00:00Z","localTimestamp":"2026-03-01T00:00:00.1Z"}"#,
        "\n",
        r#"{"type":"disconnect","exchange":"bitmex","localTimestamp":"2026-03-01T00:00:01Z"}"#,
        "\n",
        r#"{"type":"trade_bar","symbol":"XBTUSD","exchange":"bitmex","interval":60000,"kind":"time","open":1,"high":1,"low":1,"close":1,"volume":0.1,"timestamp":"2026-03-01T00:02:00Z","localTimestamp":"2026-03-01T00:02:01Z"}"#,
        "\n",
    );
    let plain = [capture, normalized, RAW, ROWS];
    let packed = plain.iter().flat_map(|text| [gzip(text), zstd(text)]);
    plain.iter().map(|text| text.as_bytes().to_vec()).chain(packed).collect()
}

proptest! {
    #[test]
    fn any_bytes_give_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_and_play(&bytes);
    }

    #[test]
    fn damaged_recordings_are_read_as_far_as_they_go(
        seed in 0..12_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = seeds().swap_remove(seed);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        read_and_play(&bytes);
    }
}

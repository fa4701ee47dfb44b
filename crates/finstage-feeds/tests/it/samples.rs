//! Recorded frames beyond the golden ones, read where they lie; nothing of them is in the project.

use std::path::{Path, PathBuf};

use finstage_feeds::recording::{Playback, Recording};
use finstage_feeds::{DecodeErrorKind, Decoded, StreamVenue, Subscription, SymbolMap, venues};
use finstage_model::{InstrumentId, Interval, Payload, Timestamp};
use finstage_net::Frame;

#[expect(clippy::disallowed_methods, reason = "names the folder of recorded samples")]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn samples(venue: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("FINSTAGE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = folder.join("wire/samples").join(venue);
    if !folder.is_dir() {
        println!("skipped: no recorded samples in {}; set FINSTAGE_SHARED", folder.display());
        return None;
    }
    Some(folder)
}

fn venue(symbols: &[&str]) -> Box<dyn StreamVenue> {
    let binance = venues::find("binance").unwrap();
    let symbols = symbols.iter().zip(0..).map(|(name, id)| ((*name).to_owned(), InstrumentId(id)));
    (binance.stream.unwrap())(&binance.profile.endpoints(), SymbolMap::from_iter(symbols))
}

#[test]
fn a_recorded_capture_is_understood_or_named_unknown() {
    let Some(folder) = samples("binance") else { return };
    let text = std::fs::read_to_string(folder.join("ws_combined_capture_2021-10.ndjson")).unwrap();
    let mut venue = venue(&["NKNUSDT", "LRCBTC", "BLZETH", "RUNEEUR"]);
    let mut decoded = Decoded::default();
    let (mut understood, mut unknown) = (0, 0);
    for line in text.lines() {
        let (_, frame) = line.split_once(' ').unwrap();
        match venue.decode(&Frame::Text(frame.to_owned()), Timestamp::EPOCH, &mut decoded) {
            Ok(()) => understood += 1,
            Err(error) => {
                assert_eq!(error.kind(), DecodeErrorKind::Unknown, "{error}: {frame}");
                unknown += 1;
            }
        }
    }
    // Two klines; books, best prices and aggregates are not asked for.
    assert_eq!(understood, 2);
    assert!(unknown > 100);
}

#[test]
fn recorded_trades_of_both_generations_are_understood() {
    let Some(folder) = samples("binance") else { return };
    let mut venue = venue(&["ETHUSDT", "BNBBTC"]);
    let mut decoded = Decoded::default();
    let one = std::fs::read_to_string(folder.join("ws_spot_trade.json")).unwrap();
    venue.decode(&Frame::Text(one), Timestamp::EPOCH, &mut decoded).unwrap();
    let many =
        std::fs::read_to_string(folder.join("ws_combined_2019_trade_ticker_depth.ndjson")).unwrap();
    for line in many.lines().filter(|line| line.contains("@trade")) {
        venue.decode(&Frame::Text(line.to_owned()), Timestamp::EPOCH, &mut decoded).unwrap();
    }
    let trades = decoded.events.iter().filter(|e| matches!(e.payload, Payload::Trade(_))).count();
    assert_eq!(trades, 3);
}

#[test]
fn recorded_klines_are_bars() {
    let Some(folder) = samples("binance") else { return };
    let body = std::fs::read(folder.join("rest_klines.json")).unwrap();
    let binance = venues::find("binance").unwrap();
    let poll = (binance.poll.unwrap())(&binance.profile.endpoints());
    let query = finstage_feeds::Query::Bars {
        instrument: InstrumentId(0),
        symbol: "binance:BTCUSDT".parse().unwrap(),
        interval: finstage_model::Interval::M1,
        from: Timestamp::EPOCH,
        to: Timestamp::MAX,
        limit: 1000,
    };
    let response = finstage_net::Response { status: 200, headers: Vec::new(), body };
    let mut events = Vec::new();
    let now = "2026-01-01".parse().unwrap();
    assert_eq!(poll.read(&query, &response, now, &mut events).unwrap(), None);
    assert!(events.len() > 5);
}

/// Every recording of others goes through the same door; nothing of it is overlooked.
#[test]
fn recorded_files_of_tardis_are_played_or_named_unused() {
    let Some(folder) = samples("tardis") else { return };
    let play = |file: &str, symbol: &str, intervals: &[Interval]| {
        let recording = Recording::open(&folder.join(file)).unwrap();
        let asked = [Subscription {
            instrument: InstrumentId(0),
            symbol: symbol.parse().unwrap(),
            trades: true,
            intervals: intervals.to_vec(),
        }];
        let venue = venues::find(asked[0].symbol.venue()).unwrap();
        assert!(recording.form().venue().is_none_or(|venue| venue == asked[0].symbol.venue()));
        let stream = (venue.stream.unwrap())(&venue.profile.endpoints(), SymbolMap::of(&asked));
        let mut playback = Playback::new(recording, (stream, venue.profile), &asked);
        let mut events = Vec::new();
        while playback.next_at().is_some() {
            playback.advance(&mut events);
        }
        let counts = playback.counts().clone();
        assert_eq!((counts.bad, counts.cut), (0, None), "{file}: {:?}", playback.take_complaints());
        (counts.frames, counts.data, counts.unused.values().sum::<u64>())
    };
    let none = &[];
    // A header and ten rows.
    assert_eq!(play("bitmex_trades_XBTUSD.csv", "tardis:bitmex.XBTUSD", none), (11, 10, 0));
    assert_eq!(play("normalizedMessages.ndjson", "tardis:coinbase.ZEC-USDC", none), (4, 4, 0));
    let books = [
        ("binance-futures_book_snapshot_5_BTCUSDT.csv", "tardis:binance-futures.BTCUSDT"),
        ("deribit_incremental_book_L2_BTC-PERPETUAL.csv", "tardis:deribit.BTC-PERPETUAL"),
        ("huobi-dm-swap_quotes_BTC-USD.csv", "tardis:huobi-dm-swap.BTC-USD"),
    ];
    for (file, symbol) in books {
        let (frames, data, unused) = play(file, symbol, none);
        assert!(frames > 2 && data == 0 && unused == frames - 1, "{file}: {frames} {unused}");
    }
    let raw = "data_feed_binance_like_a.ndjson";
    let (frames, data, unused) = play(raw, "binance:NKNUSDT", &[Interval::M1]);
    assert!(frames > 50 && data <= 1 && data + unused <= frames, "{frames} {data} {unused}");
}

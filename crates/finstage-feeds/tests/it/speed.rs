use finstage_feeds::{Decoded, SymbolMap, venues};
use finstage_model::{Clock, InstrumentId};
use finstage_net::{Frame, SystemClock};

#[test]
#[ignore = "a measurement: cargo test --release -p finstage-feeds -- --ignored --nocapture speed"]
fn frames_decoded_in_a_second() {
    const FRAMES: u64 = 1_000_000;
    let binance = venues::find("binance").unwrap();
    let symbols = SymbolMap::from_iter([("BTCUSDT".to_owned(), InstrumentId(0))]);
    let mut venue = (binance.stream.unwrap())(&binance.profile.endpoints(), symbols);
    let frames: Vec<Frame> = (0..FRAMES)
        .map(|id| Frame::Text(format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1736078400101,"s":"BTCUSDT","t":{id},"p":"97123.45000000","q":"0.00250000","T":1736078400100,"m":true,"M":true}}}}"#
        )))
        .collect();
    let mut decoded = Decoded::default();
    let began = SystemClock.now();
    let mut events = 0;
    for frame in &frames {
        decoded.clear();
        venue.decode(frame, began, &mut decoded).unwrap();
        events += decoded.events.len() as u64;
    }
    let elapsed = SystemClock.now().since(began);
    assert_eq!(events, FRAMES);
    println!("{:.0} frames/s", FRAMES as f64 / elapsed.as_secs_f64());
}

//! The venue's frames without a socket: for virtual time, where a day passes in seconds.

use std::collections::VecDeque;

use finstage_model::{Interval, Timestamp};

use super::stream::{FrameForm, StreamKey, StreamKind};
use super::wire::{self, Final};
use crate::error::{Error, ErrorKind};
use crate::sim::faults::{Distortion, Faults, Scenario, Sent};
use crate::sim::market::{Listing, Market, MarketEvent};

/// What is wanted of a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedStream {
    /// The venue's name of the symbol.
    pub symbol: String,
    /// Whether its trades are wanted.
    pub trades: bool,
    /// The bars that are wanted.
    pub intervals: Vec<Interval>,
}

/// Frames of a market in the order in which they are sent, encoded as the socket server encodes
/// them.
///
/// Frame faults of a scenario apply as on a socket; `reset` and `close` need a connection and do
/// nothing here. What a stall takes is lost, as it is there.
#[derive(Debug)]
pub struct VirtualFeed {
    market: Market,
    listings: Vec<Listing>,
    wanted: Vec<Wanted>,
    form: FrameForm,
    faults: Faults,
    distortion: Distortion,
    ready: VecDeque<Sent>,
}

#[derive(Debug, Default)]
struct Wanted {
    trades: Option<String>,
    klines: [Option<String>; Interval::ALL.len()],
}

impl VirtualFeed {
    /// Combined frames of the wanted streams from the market's present on, without faults.
    ///
    /// # Errors
    /// Names a symbol that the market does not list.
    pub fn new(market: Market, streams: &[FeedStream]) -> Result<Self, Error> {
        let listings: Vec<Listing> = market.listings().cloned().collect();
        let mut wanted: Vec<Wanted> = listings.iter().map(|_| Wanted::default()).collect();
        for stream in streams {
            let symbol = market.index_of(&stream.symbol).ok_or_else(|| {
                let text = format!("symbol {}: not listed on this market", stream.symbol);
                Error::new(ErrorKind::Market, text)
            })?;
            let head = |kind| {
                let name = StreamKey { symbol, kind }.name(&listings[symbol as usize].stream);
                format!(r#"{{"stream":"{name}","data":"#)
            };
            let wanted = &mut wanted[symbol as usize];
            if stream.trades {
                wanted.trades = Some(head(StreamKind::Trade));
            }
            for interval in &stream.intervals {
                wanted.klines[*interval as usize] = Some(head(StreamKind::Kline(*interval)));
            }
        }
        let faults = Faults::new(Scenario::default(), market.now());
        let distortion = Distortion::new(&faults, listings.len());
        let (form, ready) = (FrameForm::Combined, VecDeque::new());
        Ok(Self { market, listings, wanted, form, faults, distortion, ready })
    }

    /// Wraps frames in another form.
    #[must_use]
    pub fn with_form(mut self, form: FrameForm) -> Self {
        self.form = form;
        self
    }

    /// Applies a scenario whose offsets count from the market's present.
    #[must_use]
    pub fn with_faults(mut self, scenario: Scenario) -> Self {
        self.faults = Faults::new(scenario, self.market.now());
        self.distortion = Distortion::new(&self.faults, self.listings.len());
        self
    }

    /// The market behind the frames.
    #[must_use]
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Replaces `frame` by the next one and tells when it is sent; `None` at the end of a tape. A
    /// seeded market does not end.
    pub fn next(&mut self, frame: &mut String) -> Option<Timestamp> {
        let sent = if self.distortion.is_idle() { self.pull()? } else { self.pull_distorted()? };
        self.encode(&sent, frame);
        Some(sent.at)
    }

    fn pull(&mut self) -> Option<Sent> {
        loop {
            let at = self.market.next_time()?;
            if let Some(event) = self.market.next(at)
                && self.head(&event).is_some()
            {
                return Some(Sent { at, event, is_cut: false });
            }
        }
    }

    fn pull_distorted(&mut self) -> Option<Sent> {
        loop {
            if let Some(sent) = self.ready.pop_front() {
                return Some(sent);
            }
            let (next, due) = (self.market.next_time(), self.distortion.due());
            match (next, due) {
                (None, None) => return None,
                (Some(at), due) if due.is_none_or(|due| at <= due) => {
                    if let Some(event) = self.market.next(at)
                        && self.head(&event).is_some()
                    {
                        let listing = &self.listings[event.symbol() as usize];
                        self.distortion.pass(event, (&self.faults, listing), &mut self.ready);
                    }
                }
                (_, Some(due)) => self.distortion.release(due, &mut self.ready),
                (Some(_), None) => unreachable!("the arm above takes every moment without a due"),
            }
        }
    }

    fn head(&self, event: &MarketEvent) -> Option<&String> {
        let wanted = &self.wanted[event.symbol() as usize];
        match event {
            MarketEvent::Trade(_) => wanted.trades.as_ref(),
            MarketEvent::Kline { kline, .. } => wanted.klines[kline.bar.interval as usize].as_ref(),
        }
    }

    fn encode(&self, sent: &Sent, frame: &mut String) {
        let mut out = std::mem::take(frame).into_bytes();
        out.clear();
        if self.form == FrameForm::Combined
            && let Some(head) = self.head(&sent.event)
        {
            out.extend_from_slice(head.as_bytes());
        }
        write_event(&mut out, &self.listings[sent.event.symbol() as usize], sent);
        if self.form == FrameForm::Combined {
            out.push(b'}');
        }
        *frame = into_text(out);
        if sent.is_cut {
            cut(frame);
        }
    }
}

/// Writes the payload of a trade or of a bar.
pub(super) fn write_event(out: &mut Vec<u8>, listing: &Listing, sent: &Sent) {
    match &sent.event {
        MarketEvent::Trade(trade) => wire::trade(out, listing, trade, sent.at),
        MarketEvent::Kline { kline, closed, .. } => {
            let last = if *closed { Final::Yes } else { Final::No };
            wire::kline(out, listing, (kline, last), sent.at);
        }
    }
}

/// What the encoders wrote, as text.
pub(super) fn into_text(out: Vec<u8>) -> String {
    String::from_utf8(out).expect("the encoders write ASCII and the names of listings")
}

/// Ends a frame in the middle.
pub(super) fn cut(frame: &mut String) {
    let mut end = frame.len() / 2;
    while !frame.is_char_boundary(end) {
        end -= 1;
    }
    frame.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::market::MarketSpec;

    fn feed(seed: u64) -> VirtualFeed {
        let start = "2026-03-31T23:40:30Z".parse().unwrap();
        let market = Market::new(MarketSpec::seeded(seed, start)).unwrap();
        let intervals = vec![Interval::M1, Interval::H1];
        let stream = |symbol: &str| FeedStream {
            symbol: symbol.to_owned(),
            trades: true,
            intervals: intervals.clone(),
        };
        VirtualFeed::new(market, &[stream("BTCUSDT"), stream("SOLUSDT")]).unwrap()
    }

    /// FNV-1a over the first frames and their moments.
    fn hash(feed: &mut VirtualFeed, frames: usize) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut frame = String::new();
        for _ in 0..frames {
            let at = feed.next(&mut frame).unwrap();
            for byte in frame.bytes().chain(at.nanos().to_le_bytes()) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        hash
    }

    #[test]
    fn the_first_ten_thousand_frames_are_the_same_on_every_machine() {
        let golden = 5_695_645_730_431_095_917;
        assert_eq!(hash(&mut feed(42), 10_000), golden);
        assert_ne!(hash(&mut feed(43), 10_000), golden);
    }

    #[test]
    fn every_frame_is_json_of_a_wanted_stream_in_time_order() {
        let mut feed = feed(1);
        let (mut frame, mut last, mut names) = (String::new(), Timestamp::MIN, Vec::new());
        for _ in 0..5_000 {
            let at = feed.next(&mut frame).unwrap();
            assert!(at >= last);
            last = at;
            let json: serde_json::Value = serde_json::from_str(&frame).unwrap();
            assert_eq!(json["data"]["E"], at.millis());
            let name = json["stream"].as_str().unwrap().to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.sort();
        assert_eq!(
            names,
            [
                "btcusdt@kline_1h",
                "btcusdt@kline_1m",
                "btcusdt@trade",
                "solusdt@kline_1h",
                "solusdt@kline_1m",
                "solusdt@trade"
            ]
        );
        let mut raw = feed.with_form(FrameForm::Raw);
        raw.next(&mut frame).unwrap();
        assert!(frame.starts_with(r#"{"e":""#), "{frame}");
    }

    #[test]
    fn faults_strike_the_virtual_feed_in_time_order_too() {
        let mut rough = feed(1).with_faults(Scenario::parse(Scenario::ROUGH).unwrap());
        let mut again = feed(1).with_faults(Scenario::parse(Scenario::ROUGH).unwrap());
        assert_eq!(hash(&mut rough, 3_000), hash(&mut again, 3_000));
        let (mut frame, mut last) = (String::new(), Timestamp::MIN);
        let (mut broken, mut late) = (0, 0);
        for _ in 0..30_000 {
            let at = rough.next(&mut frame).unwrap();
            assert!(at >= last);
            last = at;
            match serde_json::from_str::<serde_json::Value>(&frame) {
                Ok(json) if json["data"]["e"] == "trade" => {
                    late += u32::from(json["data"]["T"] != json["data"]["E"]);
                }
                Ok(_) => {}
                Err(_) => broken += 1,
            }
        }
        assert!(broken > 0 && late > 0, "{broken} {late}");
    }

    #[test]
    fn a_symbol_that_is_not_listed_is_named() {
        let market = feed(1).market;
        let stream = FeedStream { symbol: "NOPE".into(), trades: true, intervals: Vec::new() };
        let error = VirtualFeed::new(market, &[stream]).unwrap_err();
        assert_eq!(error.to_string(), "symbol NOPE: not listed on this market");
    }
}

use finstage_model::text::read_bars;
use finstage_model::{Price, Qty};

use super::*;

fn start() -> Timestamp {
    "2026-03-31T23:40:30Z".parse().unwrap()
}

fn spec(seed: u64, names: &[&str]) -> MarketSpec {
    let price = Price::from_nanos(60_000_000_000_000);
    let symbols = names.iter().map(|name| SymbolSpec::new(name, price)).collect();
    MarketSpec {
        tape: Tape::Seeded { symbols, history_days: 3 },
        ..MarketSpec::seeded(seed, start())
    }
}

fn events(market: &mut Market, until: Timestamp) -> Vec<MarketEvent> {
    let mut events = Vec::new();
    market.advance(until, &mut |event| events.push(event));
    events
}

fn after(secs: u64) -> Timestamp {
    start().plus(Duration::from_secs(secs))
}

#[test]
fn one_seed_makes_one_market_however_it_is_asked() {
    let mut whole = Market::new(spec(7, &["AAAUSDT", "BBBUSDT"])).unwrap();
    let mut steps = whole.clone();
    let at_once = events(&mut whole, after(600));
    let mut stepped = Vec::new();
    for second in 0..=600 {
        stepped.extend(events(&mut steps, after(second)));
    }
    assert!(at_once.len() > 4_000, "{}", at_once.len());
    assert_eq!(at_once, stepped);
    let other = events(&mut Market::new(spec(8, &["AAAUSDT", "BBBUSDT"])).unwrap(), after(600));
    assert_ne!(at_once, other);
}

#[test]
fn one_more_symbol_leaves_the_others_as_they_were() {
    let trades = |names: &[&str]| -> Vec<(Timestamp, Price, u64)> {
        let all = events(&mut Market::new(spec(7, names)).unwrap(), after(300));
        let own = all.into_iter().filter_map(|event| match event {
            MarketEvent::Trade(t) if t.symbol == 0 => Some((t.at, t.price, t.id)),
            _ => None,
        });
        own.collect()
    };
    assert_eq!(trades(&["AAAUSDT"]), trades(&["AAAUSDT", "BBBUSDT"]));
}

#[test]
fn events_come_in_time_order_with_ids_that_ascend_by_one() {
    let mut market = Market::new(spec(1, &["AAAUSDT", "BBBUSDT"])).unwrap();
    let mut ids = [market.recent_trades(0).last().unwrap().id, 0];
    ids[1] = market.recent_trades(1).last().unwrap().id;
    let mut last = start();
    for event in events(&mut market, after(900)) {
        assert!(event.at() >= last);
        last = event.at();
        if let MarketEvent::Trade(trade) = event {
            let id = &mut ids[trade.symbol as usize];
            assert_eq!(trade.id, *id + 1);
            *id = trade.id;
            assert_eq!(trade.at.nanos() % 1_000_000, 0);
            assert!(trade.qty > Qty::ZERO);
            let listing = market.listings().nth(trade.symbol as usize).unwrap();
            assert_eq!(trade.price.nanos() % listing.tick.nanos(), 0);
            assert_eq!(trade.qty.nanos() % listing.lot.nanos(), 0);
        }
    }
    assert!(market.next_time().unwrap() > after(900));
    assert_eq!(market.now(), after(900));
}

#[test]
fn closed_bars_are_the_aggregate_of_the_trades() {
    let mut market = Market::new(spec(3, &["AAAUSDT"])).unwrap();
    let mut trades: Vec<SimTrade> = Vec::new();
    let mut checked = Vec::new();
    for event in events(&mut market, after(2 * 3_600)) {
        match event {
            MarketEvent::Trade(trade) => trades.push(trade),
            // Bars that began before the start hold trades of the past as well.
            MarketEvent::Kline { kline, closed: true, .. } if kline.bar.open_time >= start() => {
                let bar = kline.bar;
                let own: Vec<&SimTrade> = trades
                    .iter()
                    .filter(|t| (bar.open_time..bar.close_time()).contains(&t.at))
                    .collect();
                assert_eq!(bar.trades as usize, own.len());
                assert_eq!(bar.open, own[0].price);
                assert_eq!(bar.close, own[own.len() - 1].price);
                assert_eq!(Some(bar.high), own.iter().map(|t| t.price).max());
                assert_eq!(Some(bar.low), own.iter().map(|t| t.price).min());
                let volume = own.iter().fold(Qty::ZERO, |sum, t| sum.saturating_add(t.qty));
                assert_eq!(bar.volume, volume);
                assert_eq!(kline.quote, own.iter().map(|t| t.quote()).sum::<u128>());
                let taken = own.iter().filter(|t| !t.buyer_is_maker);
                assert_eq!(kline.taker_quote, taken.map(|t| t.quote()).sum::<u128>());
                checked.push(bar.interval);
            }
            MarketEvent::Kline { .. } => {}
        }
    }
    for interval in [Interval::M1, Interval::M5, Interval::M15, Interval::M30, Interval::H1] {
        assert!(checked.contains(&interval), "{interval}");
    }
}

#[test]
fn long_bars_are_the_aggregate_of_the_minutes_past_and_present() {
    let mut market = Market::new(spec(3, &["AAAUSDT"])).unwrap();
    market.advance(after(86_400), &mut |_| {});
    let minutes = market.bars(&BarQuery::newest(0, Interval::M1, KEPT_BARS));
    for interval in [Interval::M5, Interval::H1, Interval::H4, Interval::D1, Interval::Mo1] {
        let bars = market.bars(&BarQuery::newest(0, interval, 1_000));
        let bar = bars.last().unwrap();
        let parts: Vec<_> = minutes
            .iter()
            .filter(|m| (bar.open_time..bar.close_time()).contains(&m.open_time))
            .collect();
        if parts.len() as u64 == interval.nominal().as_secs() / 60 {
            assert_eq!((bar.open, bar.close), (parts[0].open, parts[parts.len() - 1].close));
            assert_eq!(bar.trades, parts.iter().map(|p| p.trades).sum::<u32>());
            assert_eq!(Some(bar.high), parts.iter().map(|p| p.high).max());
        } else {
            assert_eq!(interval, Interval::Mo1);
            assert_eq!(bar.open_time.to_string(), "2026-03-01T00:00:00Z");
        }
    }
}

#[test]
fn the_past_joins_the_present_without_a_jump() {
    for seed in 0..5 {
        let market = Market::new(spec(seed, &["AAAUSDT"])).unwrap();
        let minutes = market.bars(&BarQuery::newest(0, Interval::M1, 3));
        let past = minutes[minutes.len() - 2].close.to_f64();
        let present = minutes[minutes.len() - 1].open.to_f64();
        assert!((present / past - 1.0).abs() < 0.01, "{past} {present}");
        let bars = market.klines(&BarQuery::newest(0, Interval::D1, 10));
        let ids: Vec<i64> = bars.windows(2).map(|w| w[1].first_id - w[0].last_id).collect();
        assert!(ids.iter().all(|step| *step == 1), "{ids:?}");
    }
}

#[test]
fn an_open_bar_is_updated_on_the_beat_and_only_after_a_trade() {
    let mut slow = spec(5, &["AAAUSDT"]);
    let Tape::Seeded { symbols, .. } = &mut slow.tape else { unreachable!() };
    symbols[0].trades_per_second_milli = 50;
    let mut market = Market::new(slow).unwrap();
    let mut traded = false;
    for event in events(&mut market, after(3_600)) {
        match event {
            MarketEvent::Trade(_) => traded = true,
            MarketEvent::Kline { at, kline, closed: false, .. } => {
                assert_eq!(at.millis() % 2_000, 0);
                assert!(traded || kline.bar.interval != Interval::M1);
                if kline.bar.interval == Interval::Mo1 {
                    traded = false;
                }
            }
            MarketEvent::Kline { .. } => {}
        }
    }
}

const TABLE: &str = "
    1h file:SPX open high low close volume
    2026-01-05T12:00 10 12 9 11 5
    13:00 11 11 10 10 2.5
    15:00 10 10.5 10 10 0
    16:00 10.125 14 8 9 1000000.000001
";

#[test]
fn a_played_table_comes_back_bar_by_bar_with_exactly_its_values() {
    let table = read_bars(TABLE, InstrumentId(0)).unwrap();
    let start = "2026-01-05T12:30:00Z".parse().unwrap();
    let mut market = Market::new(MarketSpec::bars(start, vec![table.clone()])).unwrap();
    let mut klines = Vec::new();
    let mut volume = Qty::ZERO;
    while let Some(at) = market.next_time() {
        market.advance(at, &mut |event| match event {
            MarketEvent::Trade(t) if t.at >= table.bars[1].open_time => {
                volume = volume.saturating_add(t.qty);
            }
            MarketEvent::Kline { kline, closed: true, .. } => klines.push(kline.bar),
            _ => {}
        });
    }
    assert_eq!(klines.len(), 4);
    assert!(klines.iter().zip(&table.bars).all(|(played, file)| played.same_prices(file)));
    assert_eq!(klines.iter().map(|k| k.trades).collect::<Vec<_>>(), [4, 2, 0, 4]);
    assert_eq!(volume.to_string(), "1000002.500001");
    assert_eq!(market.bars(&BarQuery::newest(0, Interval::H1, 10)).len(), 4);
    assert_eq!(market.listings().next().unwrap().tick.to_string(), "0.001");
}

#[test]
fn bars_that_ended_by_the_start_are_the_past() {
    let table = read_bars(TABLE, InstrumentId(0)).unwrap();
    let start = "2026-01-05T14:00:00Z".parse().unwrap();
    let mut market = Market::new(MarketSpec::bars(start, vec![table])).unwrap();
    assert_eq!(market.bars(&BarQuery::newest(0, Interval::H1, 10)).len(), 2);
    assert_eq!(market.next_time().unwrap().to_string(), "2026-01-05T16:00:00Z");
    assert_eq!(events(&mut market, Timestamp::MAX).len(), 1 + 4 + 3 + 1);
    assert_eq!(market.next_time(), None);
}

#[test]
fn a_bar_that_ends_at_the_start_is_the_past() {
    let on_the_minute = "2026-03-31T23:40:00Z".parse().unwrap();
    let spec = MarketSpec { start: on_the_minute, ..spec(3, &["AAAUSDT"]) };
    let mut market = Market::new(spec).unwrap();
    let last = market.bars(&BarQuery::newest(0, Interval::M1, 1))[0];
    assert_eq!(last.close_time(), on_the_minute);
    let first = events(&mut market, on_the_minute.plus(Duration::from_secs(60)));
    let closed = |event: &&MarketEvent| matches!(event, MarketEvent::Kline { closed: true, kline, .. } if kline.bar.interval == Interval::M1);
    assert_eq!(first.iter().filter(closed).count(), 1);
}

#[test]
fn queries_give_the_oldest_from_a_start_and_the_newest_up_to_an_end() {
    let market = Market::new(spec(3, &["AAAUSDT"])).unwrap();
    let query = BarQuery::newest(0, Interval::H1, 4);
    let opens = |query: BarQuery| -> Vec<i64> {
        market.klines(&query).iter().map(|k| k.bar.open_time.secs() / 3_600).collect()
    };
    let newest = opens(query);
    let present = start().secs() / 3_600;
    assert_eq!(newest, [present - 3, present - 2, present - 1, present]);
    assert_eq!(market.bars(&query).len(), 3, "the open bar is not closed");
    let hour = |n: i64| Some(Timestamp::from_secs(n * 3_600));
    assert_eq!(opens(BarQuery { to: hour(present - 9), ..query })[3], present - 9);
    assert_eq!(opens(BarQuery { from: hour(present - 9), ..query })[0], present - 9);
    let both = BarQuery { from: hour(present - 9), to: hour(present - 8), ..query };
    assert_eq!(opens(both), [present - 9, present - 8]);
    assert_eq!(opens(BarQuery { from: hour(present + 1), ..query }), [0; 0]);
    assert_eq!(opens(BarQuery { symbol: 9, ..query }), [0; 0]);
}

#[test]
fn a_day_and_a_book_agree_with_the_trades() {
    let market = Market::new(spec(3, &["AAAUSDT"])).unwrap();
    let stats = market.day_stats(0).unwrap();
    assert_eq!(stats.last.unwrap().price, market.last_price(0).unwrap());
    assert_eq!(stats.kline.last_id as u64, stats.last.unwrap().id);
    let (bids, asks) = market.depth(0, 5);
    assert_eq!((bids.len(), asks.len()), (5, 5));
    assert!(bids.is_sorted_by(|a, b| a.0 > b.0) && asks.is_sorted_by(|a, b| a.0 < b.0));
    assert!(bids[0].0 < asks[0].0);
    assert_eq!(market.depth(0, 1).0[0], bids[0]);
}

#[test]
fn a_market_without_an_edge_is_what_it_was_before_edges_were_planted() {
    // FNV-1a over what happens in ten minutes and over a day of the past, as of the first release.
    let hash = |edge| {
        let spec = MarketSpec { edge, ..spec(7, &["AAAUSDT"]) };
        let mut market = Market::new(spec).unwrap();
        let past = market.bars(&BarQuery::newest(0, Interval::M1, 1_440));
        let told = format!("{past:?}{:?}", events(&mut market, after(600)));
        told.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    };
    assert_eq!(format!("{:016x}", hash(None)), "18d9ac3ebe5efbb8");
    assert_ne!(hash(Some(Edge::DEMO)), hash(None));
}

#[test]
fn the_price_goes_on_after_a_planted_event_in_the_past_and_in_the_trades() {
    let start = "2026-01-05T00:00:00Z".parse().unwrap();
    let quiet = |spec: MarketSpec| {
        let Tape::Seeded { mut symbols, .. } = spec.tape else { unreachable!() };
        for symbol in &mut symbols {
            (symbol.volatility_bps, symbol.trades_per_second_milli) = (30, 200);
        }
        MarketSpec { tape: Tape::Seeded { symbols, history_days: 20 }, ..spec }
    };
    let spec = MarketSpec { edge: Some(Edge::DEMO), ..MarketSpec::seeded(2, start) };
    let mut market = Market::new(quiet(spec)).unwrap();
    let span = Duration::from_secs(20 * 86_400);
    market.advance(start.plus(span), &mut |_| {});
    let bars = market.bars(&BarQuery::newest(0, Edge::INTERVAL, KEPT_BARS));
    let mut drifts = [Vec::new(), Vec::new()];
    for place in 20..bars.len() - 6 {
        let volume = |bar: &finstage_model::Bar| bar.volume.to_f64();
        let usual = bars[place - 20..place].iter().map(volume).sum::<f64>() / 20.0;
        let rise = bars[place].close.to_f64() / bars[place - 1].close.to_f64() - 1.0;
        if volume(&bars[place]) > 2.0 * usual && rise > 0.01 {
            let open = |place: usize| bars[place].open.to_f64();
            let live = usize::from(bars[place].open_time >= start);
            drifts[live].push(open(place + 5) / open(place + 1) - 1.0);
        }
    }
    for drifts in drifts {
        let mean = drifts.iter().sum::<f64>() / drifts.len() as f64;
        // A range takes a part of it back; without the push the mean would be about nothing.
        assert!(drifts.len() > 20 && (0.003..0.0075).contains(&mean), "{} {mean}", drifts.len());
    }
}

#[test]
fn a_market_no_venue_could_list_is_refused_by_name() {
    let refused = |change: &dyn Fn(&mut SymbolSpec)| {
        let mut spec = spec(1, &["AAAUSDT"]);
        let Tape::Seeded { symbols, .. } = &mut spec.tape else { unreachable!() };
        change(&mut symbols[0]);
        Market::new(spec).unwrap_err().to_string()
    };
    assert!(refused(&|s| s.name = "A\"B".to_owned()).contains("a name"));
    assert!(refused(&|s| s.tick = s.price).contains("hundred ticks"));
    assert!(refused(&|s| s.lot = Qty::ZERO).contains("a lot"));
    assert!(refused(&|s| s.trades_per_second_milli = 0).contains("a rate"));
    assert!(refused(&|s| s.volatility_bps = 0).contains("a volatility"));
    let twice = Market::new(spec(1, &["AAAUSDT", "aaausdt"])).unwrap_err();
    assert_eq!(twice.to_string(), "symbol aaausdt: listed twice");
}

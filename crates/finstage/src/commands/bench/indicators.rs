//! Column forms over a long series, beside TA-Lib's C library.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

use finstage_model::Interval;
use finstage_quant::{
    BandColumns, BarColumns, BollingerParams, Deviation, MacdColumns, MacdParams, atr, bollinger,
    ema, macd, rsi, sma,
};
use finstage_store::history;
use tempfile::TempDir;

use super::peer::Peer;
use super::stopwatch::{ns_each, took};
use super::{Session, numbers, walk};
use crate::exit::Result;

/// Columns that are written again and again: nothing is allocated while the clock runs.
#[derive(Default)]
struct Room {
    column: Vec<f64>,
    macd: MacdColumns,
    bands: BandColumns,
}

/// Fills columns and gives the one that is compared.
type Compute = for<'a> fn(&BarColumns<'_>, &'a mut Room) -> &'a [f64];

const INDICATORS: [(&str, Compute); 6] = [
    ("sma20", |bars, room| {
        sma(bars.close, 20, &mut room.column);
        &room.column
    }),
    ("ema20", |bars, room| {
        ema(bars.close, 20, &mut room.column);
        &room.column
    }),
    ("rsi14", |bars, room| {
        rsi(bars.close, 14, &mut room.column);
        &room.column
    }),
    ("macd", |bars, room| {
        macd(bars.close, MacdParams { fast: 12, slow: 26, signal: 9 }, &mut room.macd);
        &room.macd.macd
    }),
    ("bbands20", |bars, room| {
        bollinger(bars.close, &BANDS, &mut room.bands);
        &room.bands.upper
    }),
    ("atr14", |bars, room| {
        atr(bars, 14, &mut room.column);
        &room.column
    }),
];

const BANDS: BollingerParams =
    BollingerParams { period: 20, up: 2.0, down: 2.0, deviation: Deviation::Population };

/// Agreement of the last values that a comparison needs to mean something.
const TOLERANCE: f64 = 1e-9;

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let bars = walk::bars(Interval::M1, session.bars());
    let columns = history::BarColumns::of(&bars);
    drop(bars);
    let folder = tempfile::tempdir()?;
    let mut peer = peer(session, &columns, &folder)?;
    let bars = BarColumns {
        open_time: &[],
        open: &columns.open,
        high: &columns.high,
        low: &columns.low,
        close: &columns.close,
        volume: &columns.volume,
    };
    let mut room = Room::default();
    for (name, compute) in INDICATORS {
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        for _ in 0..session.rounds() {
            let (time, last) = took(|| compute(&bars, &mut room).last().copied());
            ours = ours.min(time);
            let Some(running) = &mut peer else { continue };
            let answer = running.ask(&["run", name]).and_then(|answer| numbers(&answer));
            let Some([nanos, value]) = session.or_say(answer) else {
                peer = None;
                continue;
            };
            theirs = theirs.min(Duration::from_nanos(nanos as u64));
            let last = last.unwrap_or(f64::NAN);
            if (last - value).abs() > TOLERANCE * value.abs().max(1.0) {
                session.say(&format!("{name}: we say {last}, TA-Lib {value}: not comparable"));
                peer = None;
            }
        }
        let ns = ns_each(ours, bars.len());
        session.row(format!("indicators.{name}.ns_per_bar"), ns, "ns");
        if peer.is_some() {
            let talib = ns_each(theirs, bars.len());
            session.row(format!("indicators.{name}.talib_ns_per_bar"), talib, "ns");
            session.row(format!("indicators.{name}.ratio"), talib / ns, "times as fast");
        }
    }
    Ok(())
}

/// TA-Lib with the same numbers, through a file of doubles.
fn peer(
    session: &Session<'_>,
    columns: &history::BarColumns,
    folder: &TempDir,
) -> Result<Option<Peer>> {
    let Some(mut peer) = session.peer("TA-Lib", include_str!("peer_talib.py")) else {
        return Ok(None);
    };
    let path = folder.path().join("columns");
    let mut file = BufWriter::new(File::create(&path)?);
    let history::BarColumns { open, high, low, close, volume, .. } = columns;
    for number in [open, high, low, close, volume].into_iter().flatten() {
        file.write_all(&number.to_ne_bytes())?;
    }
    file.flush()?;
    let loaded = peer.ask(&["load", &path.to_string_lossy(), &columns.len().to_string()]);
    Ok(session.or_say(loaded).map(|_| peer))
}

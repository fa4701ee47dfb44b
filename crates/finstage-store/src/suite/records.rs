//! The contract between journal and records: who is ahead after a crash does not matter.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{
    Alert, AlertId, AlertKind, Bar, Decision, Direction, Facts, InstrumentId, Interval, Position,
    Price, Qty, Reason, Ruling, RunNumber, Signal, SignalId, StrategyId, Symbol, Timestamp,
    Verdict,
};

use super::journal::{DAY, events, read_all};
use super::{Fault, FaultyFiles, Rng};
use crate::records::{Batch, Filter, Item, NewAlert, NewSignal, Route, RunDigest};
use crate::{Error, Journal, JournalOptions, Origin, Records};

/// The notifiers of the suite's alerts.
pub const NOTIFIERS: [&str; 2] = ["chat", "log"];

const LEASE: Duration = Duration::from_secs(30);

/// The symbol of the suite's rows.
#[must_use]
pub fn symbol() -> Symbol {
    "sim:ONE".parse().expect("a symbol")
}

/// A signal that follows from event `n`.
#[must_use]
pub fn signal(n: u64) -> NewSignal {
    const STRATEGY: &str = "rsi_levels(period=14)";
    let open_time = DAY.start().plus(Duration::from_secs(60 * n));
    let direction = if n.is_multiple_of(2) { Direction::Long } else { Direction::Short };
    let signal = Signal {
        id: SignalId::of(STRATEGY, &symbol(), Interval::M1, open_time, direction),
        instrument: InstrumentId(0),
        interval: Interval::M1,
        strategy: StrategyId(0),
        direction,
        open_time,
        at: Interval::M1.close_of(open_time),
        price: Price::from_nanos(n as i64),
        strength: n as f64 / 7.0,
        facts: Facts::new(&[("rsi", 70.0 + n as f64 / 3.0), ("level", 70.0)]),
    };
    NewSignal { signal, symbol: symbol(), strategy: STRATEGY.to_owned() }
}

/// An alert that follows from event `n`.
#[must_use]
pub fn alert(n: u64) -> Alert {
    let said_at = DAY.start().plus(Duration::from_secs(60 * n + 60));
    Alert {
        id: AlertId(u128::from(n)),
        kind: AlertKind::Watch { base: Price::from_nanos(9_223_372_036_854_775_807) },
        symbol: symbol(),
        rule: "rise=3%".to_owned(),
        words: "rose 3.1 % in a day".to_owned(),
        price: Price::from_nanos(n as i64),
        currency: Some("USDT".to_owned()),
        at: said_at,
        said_at,
        data_age_ms: 12,
        decision: Decision::Send,
    }
}

/// What a small engine says to the events `from` up to, not including, `to`: a bar to each, a
/// signal with its verdict to every third, an alert to every fourth.
#[must_use]
pub fn batch(run: RunNumber, from: u64, to: u64) -> Batch {
    let digest = RunDigest { events: to, outputs: 2 * to, digest: u128::from(to) << 64 };
    let mut batch = Batch::new(Position::new(DAY, run, to), digest);
    for n in from..to {
        let price = Price::from_nanos(n as i64);
        batch.bars.push(Bar {
            instrument: InstrumentId(0),
            interval: Interval::M1,
            open_time: DAY.start().plus(Duration::from_secs(60 * n)),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::from_nanos(u128::from(n) << 70),
            trades: n as u32,
        });
        if n.is_multiple_of(3) {
            let ruling = Ruling::Unproven { reason: Reason::NoEvidence };
            batch.verdicts.push(Verdict { signal: signal(n).signal.id, ruling });
            batch.signals.push(signal(n));
        }
        if n.is_multiple_of(4) {
            let route = Route::Notify(NOTIFIERS.map(str::to_owned).to_vec());
            batch.alerts.push(NewAlert { alert: alert(n), route });
        }
    }
    batch
}

/// One seeded life of journal, records and notifiers with four power cuts. The records lag behind
/// the journal by chance, and run ahead of what the cut leaves of it.
///
/// # Panics
/// When a row follows from a lost event, a row is missing after the replay, an alert is sent whose
/// cause is lost later, or one is sent twice without a warning.
pub fn survive_crashes(seed: u64) {
    const WORKS: &str = "the disk works";
    let disk = FaultyFiles::new(seed);
    let options = JournalOptions { segment_bytes: 2_000, reserve_bytes: 0 };
    let journal = Journal::open(Arc::new(disk.clone()), PathBuf::from("/data/journal"), options);
    let run = journal.create_run(DAY, &Origin::new("suite", "{}"), &[]).expect(WORKS);
    let records = Records::open_in_memory().expect(WORKS);
    let mut house = House { journal, records, run, now: 0, sent: BTreeMap::new() };
    let mut rng = Rng::new(!seed);
    for _ in 0..4 {
        disk.fail_after(rng.below(80) as u64, Fault::Crash);
        let crashed = house.live(&mut rng).is_err();
        assert_eq!(crashed, disk.has_crashed(), "seed {seed}");
        disk.restart();
        house.recover(seed);
    }
    house.finish(seed);
}

struct House {
    journal: Journal,
    records: Records,
    run: RunNumber,
    /// Seconds; never goes back.
    now: i64,
    /// What people received: how often, and how often without a warning that it may be a repeat.
    sent: BTreeMap<(AlertId, &'static str), (u32, u32)>,
}

impl House {
    fn live(&mut self, rng: &mut Rng) -> Result<(), Error> {
        let mut writer = self.journal.writer(DAY, self.run)?;
        let mut lag = Vec::new();
        for _ in 0..60 {
            let from = writer.end().seq();
            let to = from + 1 + rng.below(4) as u64;
            writer.append(&events(from, to))?;
            lag.push(batch(self.run, from, to));
            for batch in lag.drain(..rng.below(lag.len() + 1)) {
                self.records.apply(&batch)?;
            }
            if rng.below(3) == 0 {
                writer.sync()?;
            }
            self.tell(writer.synced().get(), rng.below(4) == 0)?;
        }
        Ok(())
    }

    /// Each notifier sends one alert if it may; by chance the process forgets to note it.
    fn tell(&mut self, synced: Position, forget: bool) -> Result<bool, Error> {
        let mut told = false;
        for notifier in NOTIFIERS {
            self.now += 20;
            let now = Timestamp::from_secs(self.now);
            let Some(leased) = self.records.outbox_lease(notifier, now, LEASE, synced)? else {
                continue;
            };
            told = true;
            let Item::Alert(alert) = &leased.item else { panic!("nobody announced a notice") };
            let (times, unwarned) = self.sent.entry((alert.id, notifier)).or_default();
            *times += 1;
            *unwarned += u32::from(!leased.possible_repeat);
            if !forget {
                self.records.outbox_delivered(leased.row, leased.fence, now, "receipt")?;
            }
        }
        Ok(told)
    }

    fn recover(&mut self, seed: u64) {
        const WORKS: &str = "the disk works again";
        let end = self.journal.writer(DAY, self.run).expect(WORKS).end();
        let rewound = self.records.rewind(end).expect(WORKS);
        assert_eq!(rewound.inconsistent, Vec::<String>::new(), "seed {seed}: said and lost");
        let ahead = contents(&self.records).into_iter().filter(|row| row.1 > end.seq());
        assert_eq!(ahead.count(), 0, "seed {seed}: rows that follow from lost events");

        let events = read_all(&self.journal, DAY, self.run).expect(WORKS);
        let mut from = 0;
        while from < events.len() as u64 {
            let to = (from + 7).min(events.len() as u64);
            self.records.apply(&batch(self.run, from, to)).expect(WORKS);
            from = to;
        }
        let straight = Records::open_in_memory().expect(WORKS);
        straight.apply(&batch(self.run, 0, end.seq())).expect(WORKS);
        let names = |records| contents(records).into_iter().map(|row| row.0).collect::<Vec<_>>();
        assert_eq!(names(&self.records), names(&straight), "seed {seed}: not as without a crash");
        assert_eq!(
            self.records.runs_of(DAY).expect(WORKS),
            if end.seq() == 0 { Vec::new() } else { straight.runs_of(DAY).expect(WORKS) },
            "seed {seed}: what was said"
        );
    }

    fn finish(&mut self, seed: u64) {
        let end = self.records.last_position(DAY, self.run).expect("the records work");
        let end = end.unwrap_or(Position::START);
        self.now += 1_000;
        while self.tell(end, false).expect("the records work") {}
        let due: Vec<_> = (0..end.seq())
            .step_by(4)
            .flat_map(|n| NOTIFIERS.map(|notifier| (alert(n).id, notifier)))
            .collect();
        let sent: Vec<_> = self.sent.keys().copied().collect();
        assert_eq!(sent, due, "seed {seed}: every alert, and none whose cause was lost");
        let unwarned: Vec<_> = self.sent.iter().filter(|(_, count)| count.1 != 1).collect();
        assert!(unwarned.is_empty(), "seed {seed}: repeats without a warning: {unwarned:?}");
    }
}

/// Every row, by a name of its own, with the number of the event that it follows.
fn contents(records: &Records) -> Vec<(String, u64)> {
    const WORKS: &str = "the records work";
    let mut rows = Vec::new();
    for row in records.signals(&Filter::newest(usize::MAX)).expect(WORKS) {
        rows.push((format!("signal {} {:?}", row.id, row.ruling), row.position.seq()));
    }
    for row in records.alerts(&Filter::newest(usize::MAX)).expect(WORKS) {
        rows.push((format!("alert {}", row.alert.id), row.position.seq()));
    }
    let (instrument, all) = (InstrumentId(0), Timestamp::MAX);
    let bars = records.bars_between(instrument, Interval::M1, Timestamp::MIN, all).expect(WORKS);
    for bar in bars {
        // A bar has no public position; it follows from the event of its minute.
        let n = bar.open_time.since(DAY.start()).as_secs() / 60;
        rows.push((format!("{bar:?}"), n + 1));
    }
    rows
}

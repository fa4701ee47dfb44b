//! From a verdict on stored bars to the message that people read.

use std::sync::Arc;
use std::time::Duration;

use finstage::config;
use finstage::day::{Feed, House, Renewal, Rim};
use finstage::live::{NoObserver, Safe};
use finstage::wiring::{self, Store};
use finstage_model::{Bar, Decision, Event, ManualClock, Payload};
use finstage_notify::{Repeat, Template};
use finstage_research::worlds::{Edge, planted};
use finstage_store::records::{AlertRow, Filter, StoreKind};

use super::command::csv;
use crate::cli::shell::Shell;

const SETTINGS: &str = r#"
    [alerts]
    max_age = "30d"

    [[feeds]]
    venue = "yahoo"
    symbols = ["EDGE"]
    intervals = ["1d"]

    [[strategies]]
    name = "volume_breakout_up"
    interval = "1d"
"#;
pub(super) const SYMBOL: &str = "yahoo:EDGE";

/// Bars as the venue closes them.
struct Bars(Vec<Bar>, Arc<ManualClock>);

impl Feed for Bars {
    fn next(&mut self, events: &mut Vec<Event>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let bar = self.0.remove(0);
        let ts_recv = bar.close_time().plus(Duration::from_millis(200));
        self.1.set(ts_recv);
        events.push(Event::new(ts_recv, Payload::Bar(bar)));
        true
    }
}

/// Lets a service live through `bars`; gives what it would have told people, newest first.
pub(super) fn serve(shell: &Shell, bars: &[Bar]) -> Vec<AlertRow> {
    let settings = config::parse("the test's configuration", SETTINGS, &[]).unwrap();
    let store = Store::open(&shell.path("kept"), StoreKind::Real, wiring::disk()).unwrap();
    let instruments = wiring::instruments(&settings, &store.records).unwrap();
    let clock = Arc::new(ManualClock::new(bars[0].open_time));
    let rim = Rim {
        clock: Arc::clone(&clock) as _,
        observer: Arc::new(NoObserver),
        safe: Safe::default(),
        fsync: None,
        notifiers: Vec::new(),
        max_age: settings.max_age,
        keep: None,
        renewal: Renewal::Daily,
        imports: None,
        patience: Default::default(),
    };
    let own = |bar: &Bar| Bar { instrument: instruments[0].id, ..*bar };
    let mut feed = Bars(bars.iter().map(own).collect(), clock);
    let house = House {
        journal: store.journal.clone(),
        records: store.records.clone(),
        history: store.history.clone(),
        settings: settings.engine,
        instruments: instruments.clone(),
        rim,
    };
    house.run(&mut feed).unwrap();
    store.records.alerts(&Filter::newest(10)).unwrap()
}

#[test]
fn a_proven_strategy_alerts_with_its_evidence() {
    let (bars, events) = planted(Edge { events: 100, drift: 0.03 }, 4, 2_000);
    let cut = events[97];
    let shell = Shell::new();
    shell.write("edge.csv", csv(&bars[..cut]));
    shell.run(&format!("import edge.csv --symbol {SYMBOL} --data-dir kept")).ok();
    let verify = "--strategies volume_breakout_up --horizons 1w --data-dir kept --json";
    // Figures of files are not what a service goes by.
    shell.run(&format!("verify --input edge.csv --symbol x:EDGE {verify}")).ok();
    let run = shell.run(&format!("verify --symbols {SYMBOL} {verify}")).ok();
    assert!(run.err.contains("keeps 2 cards for alerts\n"), "{run}");
    let card = &run.json()["rows"][0];
    assert_eq!((&card["verdict"], &card["claim"]), (&"verified".into(), &"direction".into()));

    let alerts = serve(&shell, &bars[cut..=cut]);
    let [alert] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!(alert.alert.decision, Decision::Send, "{alert:?}");
    let message = Template::default().message(&alert.alert, Repeat::No, None).plain();
    let percent = |name: &str| format!("{:.1} %", 100.0 * card[name].as_f64().unwrap());
    let id = card["id"].as_str().unwrap();
    let occasions = format!(
        "Separate occasions: {} (signals: {}). After 1w {} had gone this way (95 %: {} to {}); of any bars {}.",
        card["n_eff"],
        card["n"],
        percent("hit_rate"),
        percent("hit_low"),
        percent("hit_high"),
        percent("base_rate"),
    );
    assert!(card["q_value"].as_f64().unwrap() < 0.000_5, "{card}");
    let tried = format!("q under 0.001 with {} things tried.", card["family"]);
    for part in [
        &format!("this signal is VERIFIED by card {id}."),
        &occasions,
        &tried,
        // From 16:00 in New York on; this feed brings the next bar when its day is over in UTC.
        "The evidence is 28 h 0 min old.",
        "Not advice.",
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }

    let signal = shell.run("signals list --json --data-dir kept").ok().rows().remove(0);
    let show = format!("signals show {} --data-dir kept", signal["id"].as_str().unwrap());
    let shown = shell.run(&format!("{show} --json")).ok().json();
    assert_eq!((&shown["verdict"], &shown["card"]), (&"verified".into(), card));
    let text = shell.run(&show).ok().out;
    assert!(text.lines().any(|line| line.starts_with("card.expires ")), "{text}");
    let replayed = shell.run("replay --check --json --data-dir kept").ok();
    assert_eq!(replayed.json()["match"], true, "{replayed}");
}

//! The bot that answers, between the simulated messenger and the outbox. Answers are taken out of the outbox,
//! so that no test waits for the pace of a chat.

use std::sync::Arc;
use std::time::Duration;

use finstage::chat::{ChatBot, Counter};
use finstage::config::{self, settings::Settings};
use finstage::monitor::{Monitor, Sources};
use finstage::pace::Pace;
use finstage::wiring;
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::telegram::{Chats, TelegramOptions, TelegramSim};
use finstage_model::{
    Alert, AlertId, AlertKind, Clock, Decision, ManualClock, Position, Timestamp,
};
use finstage_store::Records;
use finstage_store::records::{AddedWatch, Batch, Item, NewAlert, Route, RunDigest};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(90);
const CHAT: i64 = 42;
const GUEST: i64 = 4_377;

struct House {
    dir: tempfile::TempDir,
    records: Records,
    clock: Arc<ManualClock>,
    wake: Arc<Notify>,
    language: &'static str,
}

impl House {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            records: Records::open_in_memory().unwrap(),
            clock: Arc::new(ManualClock::new("2026-11-21T09:30:00Z".parse().unwrap())),
            wake: Arc::default(),
            language: "en",
        }
    }

    async fn messenger(&self) -> TelegramSim {
        TelegramSim::start(TelegramOptions {
            clock: Arc::clone(&self.clock) as _,
            faults: Scenario::default(),
            ledger: Arc::new(Ledger::in_memory()),
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            tokens: vec!["1:token".into()],
            chats: Chats::Only(vec![CHAT, GUEST]),
        })
        .unwrap()
    }

    fn start(&self, sim: &TelegramSim) -> (JoinHandle<()>, watch::Sender<bool>) {
        let settings = settings(&sim.url(), self.language);
        let sources = Sources {
            records: self.records.clone(),
            safe: finstage::live::Safe::default(),
            pace: Pace { clock: Arc::clone(&self.clock) as _, speed: 1.0 },
            dir: self.dir.path().to_owned(),
            notifiers: vec!["telegram-42".into()],
            gone: Vec::new(),
        };
        let counter = Counter {
            records: self.records.clone(),
            history: wiring::history(self.dir.path(), &self.records),
            clock: Arc::clone(&self.clock) as _,
            engine: settings.engine.clone(),
            thresholds: settings.thresholds.clone(),
            watched: settings.feeds[0].symbols.clone(),
            report: settings.report,
            monitor: Arc::new(Monitor::new(&settings, sources)),
            template: finstage_notify::Template::default(),
        };
        let (bot, number, chats) = wiring::bots(&settings).unwrap().remove(0);
        let (client, wake) = (wiring::client().unwrap(), Arc::clone(&self.wake));
        let (quit, quitting) = watch::channel(false);
        (ChatBot { bot, number, chats, counter, client, wake }.start(quitting), quit)
    }

    /// The next answer in the outbox.
    async fn answer(&self) -> String {
        let next = async {
            loop {
                let woken = self.wake.notified();
                tokio::pin!(woken);
                woken.as_mut().enable();
                let (now, records) = (self.clock.now(), &self.records);
                let leased =
                    records.outbox_lease("telegram-42", now, LEASE, Position::START).unwrap();
                if let Some(leased) = leased {
                    records.outbox_delivered(leased.row, leased.fence, now, "1").unwrap();
                    let Item::Notice(notice) = leased.item else { continue };
                    let line = |line: &Vec<finstage_store::records::NoticeText>| -> String {
                        line.iter().map(|text| text.text.as_str()).collect()
                    };
                    let lines: Vec<String> = notice.lines.iter().map(line).collect();
                    return lines.join("\n");
                }
                woken.await;
            }
        };
        timeout(PATIENCE, next).await.expect("an answer comes")
    }

    fn alert(&self) -> Alert {
        let at: Timestamp = self.clock.now();
        let alert = Alert {
            id: AlertId(0xabcd_0000_0000_0000_0000_0000_0000_0042),
            kind: AlertKind::Watch { base: "100".parse().unwrap() },
            symbol: "binance:BTCUSDT".parse().unwrap(),
            rule: "rise=3%".into(),
            words: "The price rose 3.2 % above the previous close.".into(),
            price: "103.2".parse().unwrap(),
            currency: Some("USDT".into()),
            at,
            said_at: at,
            data_age_ms: 0,
            decision: Decision::Send,
        };
        let mut batch = Batch::new(Position::START, RunDigest::default());
        let route = Route::Notify(vec!["telegram-42".into()]);
        batch.alerts.push(NewAlert { alert: alert.clone(), route });
        self.records.apply(&batch).unwrap();
        alert
    }
}

fn settings(url: &str, language: &str) -> Settings {
    let text = format!(
        "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\", \"ETHUSDT\"]\nintervals = [\"1m\"]\n\
         [[notify]]\nkind = \"telegram\"\nchat = \"{CHAT}\"\ntoken = \"1:token\"\nurl = \"{url}\"\n\
         commands = true\ntimezone = \"Asia/Seoul\"\nlanguage = \"{language}\"\n"
    );
    config::parse("finstage.toml", &text, &[]).unwrap()
}

#[tokio::test]
async fn a_listed_chat_is_answered_by_what_commands_do_and_a_stranger_is_told_once() {
    let house = House::new();
    let sim = house.messenger().await;
    let (bot, quit) = house.start(&sim);
    for (said, part) in [
        ("/start", "/signals [SYMBOL]: the latest signals"),
        ("/status", "not ready\n✓ records: readable\n"),
        ("/signals", "No signals yet."),
        ("/watch btcusdt rise=5%", "binance:BTCUSDT rise=5% · "),
        ("/watch list", "rise=5% · "),
        ("/watch DOGE rise=5%", "No watched instrument is called \"DOGE\""),
        ("/watch binance:ETHUSDT up=5%", "That did not work: "),
        ("/mute ETHUSDT 2h", "binance:ETHUSDT: silent until 11-21 20:30 KST, in all"),
        ("/unmute ethusdt", "binance:ETHUSDT may speak again."),
        ("/mute frobnicate", "is neither a symbol"),
        ("/unwatch <b>&\u{202e}", "No watch here has an id that begins with \"<b>&"),
        ("/report hourly", "Status 2026-11-21 18:30 (Asia/Seoul)"),
        ("/report daily", "Daily report: "),
        // It is due at 08:00 of the service, which is in UTC.
        ("/today", "Next report: 2026-11-22 17:00 Asia/Seoul."),
        ("/why zz", "No alert and no signal"),
        ("/mute", "Nothing is muted."),
        ("good morning", "/help: this list"),
    ] {
        sim.user_says(CHAT, said);
        let answer = house.answer().await;
        assert!(answer.contains(part), "{said}: {answer}");
    }
    let watch = house.records.watches_added().unwrap().remove(0);
    let channel = house.records.watch_channel(&watch.id).unwrap();
    assert_eq!(channel.as_deref(), Some("telegram-42"), "it speaks in this chat alone");

    let mut taken = sim.subscribe();
    sim.user_says(GUEST, "/mute BTCUSDT");
    let told = timeout(PATIENCE, taken.recv()).await.expect("a stranger is told").unwrap();
    assert!(told.chat == GUEST && told.text.starts_with("This bot answers only"), "{told:?}");
    sim.user_says(GUEST, "/unwatch 1");
    house.clock.advance(Duration::from_secs(61));
    sim.user_says(CHAT, "/mute");
    assert_eq!(house.answer().await, "Nothing is muted.", "a stranger mutes nothing");
    assert_eq!(sim.messages().len(), 1, "once");
    quit.send_replace(true);
    timeout(PATIENCE, bot).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn a_korean_chat_is_answered_in_korean() {
    let house = House { language: "ko", ..House::new() };
    let sim = house.messenger().await;
    let (bot, quit) = house.start(&sim);
    for (said, part) in [
        ("/status", "✗ 시작: 과거 데이터를 받는 중"),
        ("/watch btcusdt rise=5%", " · 추가됨"),
        ("/watch list", " · 추가됨"),
    ] {
        sim.user_says(CHAT, said);
        let answer = house.answer().await;
        assert!(answer.contains(part), "{said}: {answer}");
    }
    quit.send_replace(true);
    timeout(PATIENCE, bot).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn an_id_that_fits_several_watches_of_the_chat_takes_none_out_and_names_them() {
    for (language, title) in [("en", "fits several"), ("ko", "해당하는 감시가 여러 개")] {
        let house = House { language, ..House::new() };
        let sim = house.messenger().await;
        let (bot, quit) = house.start(&sim);
        // One digit has 16 values: of 17 watches two begin alike.
        let watch = |rise: u32| {
            let rule = format!("rise={rise}%").parse().unwrap();
            AddedWatch::new("binance:BTCUSDT".parse().unwrap(), rule, None, house.clock.now())
        };
        let all: Vec<AddedWatch> = (1..=17).map(watch).collect();
        let of =
            |digit: &str| all.iter().filter(|one| one.id.starts_with(digit)).collect::<Vec<_>>();
        let digit = all.iter().map(|one| &one.id[..1]).find(|digit| of(digit).len() > 1).unwrap();
        let alike = of(digit);
        for one in &all {
            house.records.watch_add(one).unwrap();
        }
        sim.user_says(CHAT, &format!("/unwatch {}", digit.to_uppercase()));
        let answer = house.answer().await;
        assert!(answer.contains(title), "{answer}");
        assert!(alike.iter().all(|one| answer.contains(&one.id)), "{answer}");
        assert_eq!(answer.lines().count(), 1 + alike.len(), "{answer}");
        assert_eq!(house.records.watches_added().unwrap().len(), 17, "none is taken out");

        // What only another chat is told of is neither meant nor in the way.
        for one in &alike[1..] {
            house.records.set_watch_channel(&one.id, Some("telegram-7")).unwrap();
        }
        sim.user_says(CHAT, &format!("/unwatch {}", alike[1].id));
        let answer = house.answer().await;
        assert!(answer.contains("/watch"), "{answer}");
        sim.user_says(CHAT, &format!("/unwatch {digit}"));
        let answer = house.answer().await;
        assert!(answer.contains(&alike[0].id), "{answer}");
        let left = house.records.watches_added().unwrap();
        assert!(left.len() == 16 && !left.contains(alike[0]), "{left:?}");
        quit.send_replace(true);
        timeout(PATIENCE, bot).await.expect("it stops").unwrap();
    }
}

#[tokio::test]
async fn what_was_acted_on_is_not_acted_on_again_after_a_restart() {
    let house = House::new();
    let sim = house.messenger().await;
    let (bot, quit) = house.start(&sim);
    sim.user_says(CHAT, "/watch BTCUSDT rise=5%");
    let added = house.answer().await;
    quit.send_replace(true);
    timeout(PATIENCE, bot).await.expect("it stops").unwrap();
    drop(sim);

    // A messenger that tells the first update again, as the real one does when it was not confirmed.
    let watch = house.records.watches_added().unwrap().remove(0);
    house.records.watch_remove(&watch.id).unwrap();
    let sim = house.messenger().await;
    sim.user_says(CHAT, "/watch BTCUSDT rise=5%");
    sim.user_says(CHAT, "/mute");
    let (bot, quit) = house.start(&sim);
    assert_eq!(house.answer().await, "Nothing is muted.");
    assert!(added.contains(&watch.id), "{added}");
    assert_eq!(house.records.watches_added().unwrap(), [], "the first was not done again");
    quit.send_replace(true);
    timeout(PATIENCE, bot).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn a_bot_whose_updates_are_numbered_anew_hears_again_and_does_nothing_twice() {
    let house = House::new();
    let sim = house.messenger().await;
    let (bot, quit) = house.start(&sim);
    for _ in 0..3 {
        sim.user_says(CHAT, "/mute");
        house.answer().await;
    }
    sim.user_says(CHAT, "/watch BTCUSDT rise=5%");
    house.answer().await;
    let watch = house.records.watches_added().unwrap().remove(0);
    house.records.watch_remove(&watch.id).unwrap();
    quit.send_replace(true);
    timeout(PATIENCE, bot).await.expect("it stops").unwrap();
    drop(sim);

    // The same first update again, which lies below all that was heard, and then a later one.
    let sim = house.messenger().await;
    sim.user_says(CHAT, "/mute");
    let (bot, quit) = house.start(&sim);
    house.clock.advance(Duration::from_secs(61));
    sim.user_says(CHAT, "/watch BTCUSDT drop=5%");
    let answer = house.answer().await;
    assert!(answer.contains("drop=5%"), "the first was answered already: {answer}");
    sim.user_says(CHAT, "/mute");
    assert_eq!(house.answer().await, "Nothing is muted.");
    quit.send_replace(true);
    timeout(PATIENCE, bot).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn the_buttons_below_an_alert_explain_it_and_mute_its_instrument() {
    let house = House::new();
    let sim = house.messenger().await;
    let settings = settings(&sim.url(), "en");
    let alert = house.alert();
    let notifier = wiring::notifiers(&settings).unwrap().remove(0);
    let lines = Box::new(std::io::sink());
    let client = wiring::client().unwrap();
    let clock = Arc::clone(&house.clock) as _;
    let mut courier = finstage_notify::Courier::new(notifier, client, lines, clock);
    let progress = finstage_notify::Progress::new(finstage_notify::Repeat::No);
    let sent = courier.send(&alert.clone().into(), progress).await;
    assert!(matches!(sent, finstage_notify::Sending::Delivered { .. }), "{sent:?}");
    let (message, buttons) = {
        let message = sim.messages().remove(0);
        (message.id, message.buttons[0].clone())
    };
    assert_eq!(buttons.iter().map(|b| b.text.as_str()).collect::<Vec<_>>(), ["Why", "Mute 8 h"]);

    let (bot, quit) = house.start(&sim);
    assert!(sim.user_presses(CHAT, message, &buttons[0].data));
    let why = house.answer().await;
    assert!(
        why.contains("The price rose 3.2 %") && why.contains("A fact about the price"),
        "{why}"
    );
    assert!(sim.user_presses(CHAT, message, &buttons[1].data));
    let muted = house.answer().await;
    assert!(muted.starts_with("binance:BTCUSDT: silent until 11-22 02:30"), "{muted}");
    assert_eq!(house.records.mutes(house.clock.now()).unwrap()[0].what, "binance:BTCUSDT");
    quit.send_replace(true);
    timeout(PATIENCE, bot).await.expect("it stops").unwrap();
}

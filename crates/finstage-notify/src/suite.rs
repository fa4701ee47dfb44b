//! What every channel must pass: golden messages, the limits of its service, and silence about
//! its secrets. `UPDATE_GOLDEN=1 cargo test -p finstage-notify` rewrites the golden files.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use finstage_model::{
    Alert, AlertId, AlertKind, CardId, Decision, Direction, Interval, Objection, Proof, Reason,
    Ruling, SignalId,
};
use finstage_seal::Secret;
use finstage_store::records::{Item, Notice, NoticeKind, NoticeStyle, NoticeText};

use crate::notifier::{Accepted, Delivery, Form, Notifier, Outgoing, Reply};
use crate::notifiers::{
    ALL, Log, MAX_LINE_CHARS, MAX_TEXT_UNITS, Telegram, TelegramOptions, Webhook, WebhookOptions,
};
use crate::template::{Repeat, Template};

/// A token that must appear nowhere but on the wire.
pub(crate) const CANARY: &str = "123456:CANARY_token-that-must-stay-secret";

/// A channel of each kind, holding the canary where it holds a secret.
fn sample(kind: &str) -> Box<dyn Notifier> {
    match kind {
        "telegram" => Box::new(telegram("42")),
        "webhook" => Box::new(webhook()),
        "log" => Box::new(Log::new(Template::default())),
        other => panic!("{other} is listed in notifiers::ALL: give it a sample here"),
    }
}

pub(crate) fn telegram(chat: &str) -> Telegram {
    Telegram::new(TelegramOptions {
        name: "telegram".into(),
        base_url: TelegramOptions::BASE_URL.into(),
        token: Secret::new(CANARY.into()),
        chat: chat.into(),
        template: Template::default(),
        buttons: Vec::new(),
    })
    .unwrap()
}

pub(crate) fn webhook() -> Webhook {
    Webhook::new(WebhookOptions {
        name: "webhook".into(),
        url: Secret::new("https://example.org/hooks/CANARY?key=CANARY".into()),
        secret: Secret::new(CANARY.into()),
        template: Template::default(),
    })
    .unwrap()
}

/// The text that people read of a request, which is within the limit of its service.
fn seen(kind: &str, request: &finstage_net::Request) -> String {
    let body: serde_json::Value = serde_json::from_slice(request.body_bytes()).unwrap();
    let text = body["text"].as_str().unwrap();
    if kind == "webhook" {
        // One message, however long: the receiver's program decides.
        return text.to_owned();
    }
    let shown = visible(text);
    assert!(shown.encode_utf16().count() <= MAX_TEXT_UNITS);
    shown
}

pub(crate) fn signal() -> Alert {
    Alert {
        id: AlertId(0x6612_e676_2544_0d59_f482_4066_1d66_392b),
        kind: AlertKind::Signal {
            signal: SignalId(7),
            interval: Interval::H1,
            direction: Direction::Long,
            ruling: Ruling::Unproven { reason: Reason::NoEvidence },
            proof: None,
            size: None,
        },
        symbol: "binance:BTCUSDT".parse().unwrap(),
        rule: "golden_cross(fast=50,slow=200)".into(),
        words: "The average of 50 bars rose above the average of 200 bars: 42810.2 over 42790.8."
            .into(),
        price: "42850.1".parse().unwrap(),
        currency: Some("USDT".into()),
        at: "2026-11-21T09:00:00Z".parse().unwrap(),
        said_at: "2026-11-21T09:00:01.2Z".parse().unwrap(),
        data_age_ms: 1_234,
        decision: Decision::Send,
    }
}

/// The figures of a card that proves something, 30 days old.
pub(crate) fn proof() -> Proof {
    let issued = "2026-10-22T09:00:00Z".parse().unwrap();
    Proof {
        card: CardId(0xca4d),
        horizon: "1w".parse().unwrap(),
        n: 61,
        n_eff: 48,
        hit_rate: Some(0.6458),
        hit_low: Some(0.5044),
        hit_high: Some(0.7657),
        base_rate: Some(0.5349),
        mean_net: Some(0.00621),
        theta_net: Some(0.005),
        net_low: Some(0.00104),
        net_high: Some(0.00897),
        q_value: Some(0.0031),
        family: 105,
        issued,
        expires: "2027-01-20T09:00:00Z".parse().unwrap(),
        times_usual: None,
    }
}

/// A signal after which moves are larger than usual, which way is not known.
pub(crate) fn large() -> AlertKind {
    AlertKind::Signal {
        signal: SignalId(7),
        interval: Interval::D1,
        direction: Direction::Long,
        ruling: Ruling::Unproven { reason: Reason::Card(Objection::QAbove) },
        proof: Some(Box::new(proof())),
        size: Some(Box::new(Proof {
            card: CardId(0x512e),
            times_usual: Some(1.42),
            mean_net: Some(0.0213),
            theta_net: Some(0.0063),
            ..proof()
        })),
    }
}

/// A signal whose card proves nothing, and lacks figures that need more events.
pub(crate) fn unproven() -> AlertKind {
    AlertKind::Signal {
        signal: SignalId(7),
        interval: Interval::D1,
        direction: Direction::Long,
        ruling: Ruling::Unproven { reason: Reason::Card(Objection::FewEvents) },
        proof: Some(Box::new(Proof {
            n: 1,
            n_eff: 1,
            theta_net: None,
            net_low: None,
            net_high: None,
            q_value: None,
            mean_net: Some(-0.01),
            ..proof()
        })),
        size: None,
    }
}

pub(crate) fn watch() -> Alert {
    Alert {
        id: AlertId(0x99),
        kind: AlertKind::Watch { base: "100".parse().unwrap() },
        symbol: "yahoo:^GSPC".parse().unwrap(),
        rule: "drop=3%".into(),
        words: "The price fell 3.2 % below the previous close.".into(),
        price: "96.8".parse().unwrap(),
        currency: None,
        ..signal()
    }
}

/// Names that are markup elsewhere, and text that tries to be more than one line.
pub(crate) fn special() -> Alert {
    Alert {
        symbol: "file:S&P<b>500</b>".parse().unwrap(),
        rule: "expr(close>sma & volume<1e6)".into(),
        words: "close > sma & \"volume\" < 1e6\r\n\u{202e}<a href='x'>{price}</a> &amp;".into(),
        currency: Some("<&>".into()),
        ..watch()
    }
}

pub(crate) fn long() -> Alert {
    let words: String = (0..1_000).map(|n| format!("{:04} ", n % 10_000)).collect();
    Alert { words, ..signal() }
}

/// A notice of some lines, one of them with markup of other places.
pub(crate) fn report(lines: usize) -> Notice {
    let plain = |text: String| NoticeText::new(NoticeStyle::Plain, text);
    let mut text = vec![
        vec![NoticeText::new(NoticeStyle::Bold, "Daily report, 2026-11-20")],
        vec![plain("<b>S&P</b>\u{202e}\r\n rose".into())],
        vec![
            plain("Track record: 12 entries, head ".into()),
            NoticeText::new(NoticeStyle::Code, "abc123"),
        ],
    ];
    let line = |n| vec![plain(format!("line {n} of a long report"))];
    text.extend((0..lines).map(line));
    text.push(vec![NoticeText::new(NoticeStyle::Italic, "Not advice.")]);
    Notice {
        id: NoticeKind::Report.id("2026-11-20"),
        kind: NoticeKind::Report,
        said_at: "2026-11-21T08:00:00Z".parse().unwrap(),
        max_age: Duration::from_secs(86_400),
        lines: text,
    }
}

fn show(sent: &[Outgoing]) -> String {
    let mut text = String::new();
    for part in sent {
        match part {
            Outgoing::Line(line) => writeln!(text, "{line}").unwrap(),
            Outgoing::Http(request) => {
                let body: serde_json::Value = serde_json::from_slice(request.body_bytes()).unwrap();
                writeln!(text, "{request}\n{:?}\n{body:#}", request.headers()).unwrap();
            }
        }
    }
    text
}

#[expect(clippy::disallowed_methods, reason = "the one switch that rewrites golden files")]
fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{name} differs: look, then run with UPDATE_GOLDEN=1");
}

fn each(check: impl Fn(&str, &dyn Notifier)) {
    for kind in ALL {
        check(kind.name, &*sample(kind.name));
    }
}

#[test]
fn every_file_of_a_channel_is_listed_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/notifiers");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .filter(|name| name != "mod")
        .collect();
    let listed: BTreeSet<String> = ALL.iter().map(|kind| kind.name.to_owned()).collect();
    assert_eq!(listed, files);
    assert_eq!(listed.len(), ALL.len(), "no name twice");
}

#[test]
fn every_channel_writes_its_golden_messages() {
    let verified = AlertKind::Signal {
        signal: SignalId(7),
        interval: Interval::D1,
        direction: Direction::Short,
        ruling: Ruling::Verified { card: CardId(0xca4d) },
        proof: Some(Box::new(proof())),
        size: None,
    };
    let verified = Alert { kind: verified, ..signal() };
    let unproven = Alert { kind: unproven(), ..signal() };
    let large = Alert { kind: large(), ..signal() };
    let repeat = Delivery { repeat: Repeat::Possible, ..Delivery::FIRST };
    each(|kind, notifier| {
        for (case, alert, delivery) in [
            ("signal", signal(), Delivery::FIRST),
            ("verified", verified.clone(), Delivery::FIRST),
            ("unproven", unproven.clone(), Delivery::FIRST),
            ("large", large.clone(), Delivery::FIRST),
            ("watch", watch(), Delivery::FIRST),
            ("special", special(), Delivery::FIRST),
            ("repeat", signal(), repeat),
        ] {
            let sent = notifier.render(&alert.into(), &delivery);
            golden(&format!("{kind}.{case}.txt"), &show(&sent));
        }
    });
}

#[test]
fn every_channel_writes_notices_of_the_service() {
    let repeat = Delivery { repeat: Repeat::Possible, ..Delivery::FIRST };
    each(|kind, notifier| {
        for (case, delivery) in [("notice", Delivery::FIRST), ("notice-repeat", repeat)] {
            let sent = notifier.render(&report(0).into(), &delivery);
            golden(&format!("{kind}.{case}.txt"), &show(&sent));
        }
    });
}

#[test]
fn a_long_notice_goes_out_in_parts_that_lose_no_line() {
    each(|kind, notifier| {
        let sent = notifier.render(&report(390).into(), &Delivery::FIRST);
        assert!(sent.len() > 1 || kind == "webhook", "{kind}");
        let shown: Vec<String> = sent
            .iter()
            .map(|part| match part {
                Outgoing::Line(line) => {
                    assert!(line.chars().count() <= MAX_LINE_CHARS && !line.contains('…'));
                    line.clone()
                }
                Outgoing::Http(request) => seen(kind, request),
            })
            .collect();
        let all = shown.join("\n");
        assert!((0..390).all(|n| all.contains(&format!("line {n} of"))), "{kind}");
        assert!(all.ends_with(&report(0).id.to_string()), "{kind}");
    });
}

#[test]
fn no_part_passes_the_limit_of_its_service() {
    let max = Alert { words: "📈 ".repeat(20_000), ..signal() };
    each(|kind, notifier| {
        for alert in [signal(), long(), max.clone()] {
            for part in notifier.render(&alert.into(), &Delivery::FIRST) {
                match part {
                    Outgoing::Line(line) => {
                        assert!(line.chars().count() <= MAX_LINE_CHARS);
                        assert!(!line.contains(char::is_control));
                        assert!(line.ends_with("Not advice."), "nothing is cut off");
                    }
                    Outgoing::Http(request) => {
                        assert!(!seen(kind, &request).trim().is_empty());
                    }
                }
            }
        }
    });
}

#[test]
fn form_and_address_never_change_the_number_of_parts() {
    each(|kind, notifier| {
        let alerts = [signal(), watch(), special(), long()].map(Item::from);
        for item in alerts.into_iter().chain([report(400).into()]) {
            let parts = |form, address| {
                notifier.render(&item, &Delivery { form, address, ..Delivery::FIRST }).len()
            };
            let first = parts(Form::Rich, None);
            assert!(first >= 1, "{kind}");
            assert_eq!(first, parts(Form::Plain, None), "{kind}");
            assert_eq!(first, parts(Form::Rich, Some("-1001234567890")), "{kind}");
        }
    });
}

#[test]
fn no_secret_is_in_anything_printed() {
    let bodies = [
        format!(r#"{{"ok":false,"error_code":400,"description":"no /bot{CANARY}/sendMessage"}}"#),
        format!(r#"{{"ok":false,"error_code":500,"description":"{CANARY}"}}"#),
        format!("<html>/bot{CANARY}/</html>"),
    ];
    each(|kind, notifier| {
        let mut printed =
            format!("{notifier:?} {:?}", notifier.render(&long().into(), &Delivery::FIRST));
        for body in &bodies {
            for status in [200, 302, 400, 401, 403, 404, 429, 500, 502] {
                let reply = Reply { status, retry_after: None, body: body.as_bytes() };
                let meaning: Accepted = notifier.accepted(&reply);
                write!(printed, "{meaning:?}").unwrap();
            }
        }
        assert!(!printed.contains("CANARY"), "{kind} prints its secret");
    });
}

/// What a reader of Telegram's HTML sees; panics where a tag is not closed in its part.
pub(crate) fn visible(html: &str) -> String {
    let (mut out, mut open, mut rest) = (String::new(), Vec::new(), html);
    while let Some((text, tail)) = rest.split_once('<') {
        out.push_str(text);
        let (tag, tail) = tail.split_once('>').expect("a tag that ends");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None => open.push(tag),
        }
        rest = tail;
    }
    assert_eq!(open, [""; 0], "every tag is closed");
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

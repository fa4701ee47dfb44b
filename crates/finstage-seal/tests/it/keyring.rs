//! Rings as text, and the order in which keys come and go.

use std::time::Duration;

use finstage_seal::{
    ErrorKind, Finding, KeyState, Keyring, MAX_KEYS, NewKey, Rotation, Secret, Severity, UnixTime,
};
use proptest::prelude::*;

use crate::{NOW, id, key, later, ring};

const GOOD: &str = r#"version = 1

[rotation]
every = "12h"
after_messages = 1000
limit = 2000
grace = "90m"

[[keys]]
id = "k1"
state = "primary"
key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
created = "2026-11-20T00:00:00Z"
primary_since = "2026-11-21T00:00:00Z"

[[keys]]
id = "k2"
state = "accept"
key = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
accept_until = "2026-11-22T00:00:00Z"
sealed = 77
"#;

#[test]
fn a_file_says_what_the_ring_has() {
    let ring = Keyring::parse(GOOD).unwrap();
    let rotation = Rotation {
        every: Duration::from_hours(12),
        after_messages: 1000,
        limit: 2000,
        grace: Duration::from_mins(90),
    };
    assert_eq!(*ring.rotation(), rotation);
    let [first, second] = ring.keys() else { panic!("two keys") };
    assert_eq!((first.id(), first.state()), (id("k1"), KeyState::Primary));
    assert_eq!(first.primary_since().unwrap().to_string(), "2026-11-21T00:00:00Z");
    assert_eq!((second.state(), second.sealed()), (KeyState::Accept, 77));
    assert_eq!(second.accept_until().unwrap().to_string(), "2026-11-22T00:00:00Z");
}

#[test]
fn json_is_read_as_well() {
    let json = r#" {"version":1,"rotation":{"every":"12h","after_messages":1000,"limit":2000,"grace":"90m"},
        "keys":[{"id":"k1","state":"primary","key":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "created":"2026-11-20T00:00:00Z","primary_since":"2026-11-21T00:00:00Z"},
        {"id":"k2","state":"accept","key":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=",
        "accept_until":"2026-11-22T00:00:00Z","sealed":77}]}"#;
    let (json, toml) = (Keyring::parse(json).unwrap(), Keyring::parse(GOOD).unwrap());
    assert_eq!(json.to_text().expose(), toml.to_text().expose());
}

#[test]
fn the_first_key_is_primary_where_the_file_says_nothing() {
    let text = "version = 1\n[[keys]]\nid = \"a\"\nkey = \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"\n\
                [[keys]]\nid = \"b\"\nkey = \"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\"\n";
    let ring = Keyring::parse(text).unwrap();
    assert_eq!(ring.primary().unwrap().id(), id("a"));
    assert_eq!(ring.pending().unwrap().id(), id("b"));
    assert_eq!(*ring.rotation(), Rotation::default());
}

#[test]
fn bad_files_are_refused_with_the_line() {
    let json = r#"{"version":1,
        "keys":[{"id":"k1",
          "key":"AQEB"}]}"#;
    let error = Keyring::parse(json).unwrap_err().to_string();
    assert_eq!(
        error,
        "line 3: a key has 32 bytes, this one has 3: make one with `finstage keys new`"
    );
    let change = |from: &str, to: &str| {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = Keyring::parse(&text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    for (from, to, expected) in [
        ("AQEBAQEB", "AQEB", "line 12: a key has 32 bytes, this one has 29: make one with"),
        (
            "AQEBAQEB",
            "AQEB AQE",
            "line 12: the key is not base64 of the standard alphabet with \
                                  padding: see character 5",
        ),
        ("\"k1\"", "\"k 1\"", "line 10: a key id has 1 to 32 characters"),
        (
            "primary\"",
            "prime\"",
            "line 11: a state is pending, primary, accept, disabled or destroyed",
        ),
        ("created", "craeted", "line 13: unknown field `craeted`"),
        ("2026-11-20T", "2026-13-20T", "line 13: not a time: write it as"),
        ("\"12h\"", "\"12 hours\"", "line 4: a time is a number and s, m, h or d"),
        ("\"90m\"", "90", "line 7: invalid type"),
        ("limit = 2000", "limit = -1", "line 6: invalid value"),
        ("sealed = 77", "sealed = x", "line 21: "),
        ("\"k2\"", "\"k1\"", "line 17: key k1 is there twice"),
        ("accept\"", "primary\"", "line 17: key k2 is primary, and so is k1: one key is"),
        (
            "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=",
            "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
            "line 17: key k2 has the same bytes as k1",
        ),
        ("accept\"", "destroyed\"", "line 17: key k2 is destroyed and still there"),
        ("key = \"Ag", "#\"", "line 17: key k2 has no key: 32 bytes in base64"),
        ("version = 1", "version = 2", "version 2 is none that this finstage reads"),
        ("limit = 2000", "limit = 999", "rotation: after_messages is at least 1 and at most limit"),
        ("limit = 2000", "limit = 4294967297", "rotation: "),
    ] {
        let error = change(from, to);
        assert!(error.starts_with(expected), "{error}\nis not {expected}");
    }
    assert!(Keyring::parse("").is_err() && Keyring::parse("{").is_err());
    let none = Keyring::parse("version = 1\nkeys = []\n").unwrap_err();
    assert_eq!(none.to_string(), "a keyring has 1 to 64 keys, here are 0");
}

/// Something that is done to a ring.
#[derive(Debug, Clone)]
enum Step {
    Add,
    Rotate(u64),
    Disable(usize),
    Destroy(usize),
    Note(usize, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Add),
        4 => (0..80_u64).prop_map(Step::Rotate),
        1 => any::<usize>().prop_map(Step::Disable),
        1 => any::<usize>().prop_map(Step::Destroy),
        1 => (any::<usize>(), 0..u64::from(u32::MAX)).prop_map(|(at, n)| Step::Note(at, n)),
    ];
    proptest::collection::vec(step, 0..100)
}

/// A ring with a past, and the hours that it took.
fn lived(steps: &[Step]) -> (Keyring, u64) {
    let (mut ring, mut hours, mut made) = (ring(), 0, 0_u64);
    for step in steps {
        let mut fresh = || {
            made += 1;
            let mut bytes = [0xa5; 32];
            bytes[..8].copy_from_slice(&made.to_le_bytes());
            NewKey::of(id(&format!("key-{made}")), Secret::new(bytes))
        };
        let place = |at: &usize, ring: &Keyring| ring.keys()[at % ring.keys().len()].id();
        // What is not possible changes nothing.
        match step {
            Step::Add => drop(ring.add(fresh(), later(hours))),
            Step::Rotate(pause) => {
                hours += pause;
                drop(ring.rotate(later(hours), fresh()));
            }
            Step::Disable(at) => drop(ring.disable(place(at, &ring))),
            Step::Destroy(at) => drop(ring.destroy(place(at, &ring))),
            Step::Note(at, sealed) => ring.note_sealed(place(at, &ring), *sealed).unwrap(),
        }
    }
    (ring, hours)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_comes_back_from_its_text(steps in steps()) {
        let (ring, _) = lived(&steps);
        let text = ring.to_text();
        let again = Keyring::parse(text.expose()).unwrap();
        prop_assert!(text.expose() == again.to_text().expose());
        prop_assert_eq!(format!("{:?}", ring), format!("{:?}", again));
    }

    #[test]
    fn a_ring_always_has_one_primary_key_and_never_too_many_keys(steps in steps()) {
        let (ring, hours) = lived(&steps);
        let primary = ring.keys().iter().filter(|key| key.state() == KeyState::Primary).count();
        prop_assert_eq!(primary, 1);
        prop_assert!(ring.keys().len() <= MAX_KEYS);
        for key in ring.keys() {
            prop_assert_eq!(key.has_material(), key.state() != KeyState::Destroyed);
            let is_readable = match key.state() {
                KeyState::Primary | KeyState::Pending => true,
                KeyState::Accept => later(hours) < key.accept_until().unwrap(),
                KeyState::Disabled | KeyState::Destroyed => false,
            };
            prop_assert_eq!(key.may_open(later(hours)), is_readable);
        }
    }
}

#[test]
fn keys_come_in_the_order_of_tink() {
    let mut ring = ring();
    // Readers have a key before it is used, and keep it after it was.
    ring.add(key("k2", 8), NOW).unwrap();
    assert_eq!(ring.pending().unwrap().id(), id("k2"));
    let rotated = ring.rotate(later(24), key("k3", 9)).unwrap();
    assert_eq!((rotated.primary, rotated.previous), (id("k2"), Some(id("k1"))));
    assert_eq!((rotated.pending, rotated.is_unannounced), (Some(id("k3")), false));
    let states = |ring: &Keyring| ring.keys().iter().map(|k| k.state().name()).collect::<Vec<_>>();
    assert_eq!(states(&ring), ["accept", "primary", "pending"]);
    assert_eq!(ring.key(id("k1")).unwrap().accept_until(), Some(later(48)));
    assert_eq!(ring.key(id("k2")).unwrap().primary_since(), Some(later(24)));

    ring.rotate(later(48), key("k4", 10)).unwrap();
    assert_eq!(states(&ring), ["disabled", "accept", "primary", "pending"]);
    ring.destroy(id("k1")).unwrap();
    assert_eq!(states(&ring)[0], "destroyed");
    assert!(!ring.key(id("k1")).unwrap().has_material());
}

#[test]
fn without_a_pending_key_the_new_one_is_primary_at_once_and_it_is_said() {
    let mut ring = ring();
    let rotated = ring.rotate(later(1), key("k2", 8)).unwrap();
    assert_eq!((rotated.primary, rotated.pending), (id("k2"), None));
    assert!(rotated.is_unannounced);
    assert_eq!(ring.primary().unwrap().id(), id("k2"));
}

#[test]
fn a_ring_refuses_what_would_break_it() {
    let mut ring = ring();
    let kind = |result: Result<(), finstage_seal::Error>| result.unwrap_err().kind();
    assert_eq!(kind(ring.add(key("k1", 9), NOW)), ErrorKind::State, "the name is taken");
    assert_eq!(kind(ring.add(key("k9", 7), NOW)), ErrorKind::State, "the bytes are taken");
    assert_eq!(ring.rotate(NOW, key("k9", 7)).unwrap_err().kind(), ErrorKind::State);
    assert_eq!(kind(ring.disable(id("k1"))), ErrorKind::State, "it is primary");
    assert_eq!(kind(ring.destroy(id("k1"))), ErrorKind::State, "it is primary");
    assert_eq!(kind(ring.disable(id("no"))), ErrorKind::NotFound);
    assert_eq!(kind(ring.note_sealed(id("no"), 1)), ErrorKind::NotFound);
    assert_eq!(ring.keys().len(), 1, "nothing changed");
    ring.add(key("k2", 8), NOW).unwrap();
    ring.destroy(id("k2")).unwrap();
    assert_eq!(kind(ring.disable(id("k2"))), ErrorKind::State, "it does not come back");
}

#[test]
fn a_full_ring_forgets_the_oldest_key_that_is_out_of_use() {
    let mut ring = ring();
    for hour in 1..200_u64 {
        let fresh = NewKey::of(id(&format!("h{hour}")), Secret::new([hour as u8; 32]));
        if ring.rotate(later(30 * hour), fresh).is_err() {
            // Bytes that repeat are refused; these are not random.
            let fresh = NewKey::of(id(&format!("h{hour}")), Secret::new([hour as u8 ^ 0x80; 32]));
            ring.rotate(later(30 * hour), fresh).unwrap();
        }
        assert!(ring.keys().len() <= MAX_KEYS);
    }
    assert_eq!(ring.keys().len(), MAX_KEYS);
    assert!(ring.key(id("k1")).is_none() && ring.key(id("h199")).is_some());
}

#[test]
fn a_key_is_due_by_time_and_by_count() {
    let ring = ring();
    let just_before = UnixTime::from_secs(later(24).secs() - 1);
    assert!(!ring.is_due(just_before, 0));
    assert!(ring.is_due(later(24), 0));
    assert!(!ring.is_due(NOW, (1 << 31) - 1));
    assert!(ring.is_due(NOW, 1 << 31));
    let mut noted = ring;
    noted.note_sealed(id("k1"), 1 << 31).unwrap();
    noted.note_sealed(id("k1"), 5).unwrap();
    assert!(noted.is_due(NOW, 0), "the ring knows by itself");
    assert_eq!(noted.primary().unwrap().sealed(), 1 << 31, "and never less than before");
}

#[test]
fn findings_say_what_to_do_the_worst_first() {
    let words = |ring: &Keyring, now| -> Vec<(Severity, String)> {
        let findings = ring.check(now);
        findings.into_iter().map(|Finding { severity, message, .. }| (severity, message)).collect()
    };
    let mut ring = ring();
    let found = words(&ring, NOW);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.starts_with("no key is pending"), "{found:?}");
    ring.add(key("k2", 8), NOW).unwrap();
    assert_eq!(words(&ring, NOW), []);
    let due = "key k1 is due: primary for 25 h and at least 0 messages; `finstage keys rotate`";
    assert_eq!(words(&ring, later(25)), [(Severity::Warning, due.to_owned())]);
    let early = UnixTime::from_secs(NOW.secs() - 1);
    assert!(words(&ring, early)[0].1.contains("comes from the future"));
    ring.note_sealed(id("k1"), 1 << 32).unwrap();
    assert_eq!(words(&ring, NOW)[0].0, Severity::Failure);

    ring.rotate(NOW, key("k3", 9)).unwrap();
    let found = words(&ring, later(24));
    assert!(found.iter().any(|(_, words)| words.starts_with("key k1 has not opened since")));

    let none = Keyring::parse(&GOOD.replace("primary\"", "accept\"")).unwrap();
    let found = none.check(NOW);
    assert_eq!(found[0].severity, Severity::Failure);
    assert!(found.iter().any(|f| f.key == Some(id("k1")) && f.message.contains("without an end")));
}

#[test]
fn rules_of_rotation_that_cannot_be_kept_are_refused() {
    for (after_messages, limit) in [(0, 1), (2, 1), (1, (1 << 32) + 1)] {
        let rotation = Rotation { after_messages, limit, ..Rotation::default() };
        assert_eq!(ring().with_rotation(rotation).unwrap_err().kind(), ErrorKind::Invalid);
    }
    let odd = Rotation { every: Duration::from_secs(61), ..Rotation::default() };
    let ring = ring().with_rotation(odd.clone()).unwrap();
    assert_eq!(*Keyring::parse(ring.to_text().expose()).unwrap().rotation(), odd);
}

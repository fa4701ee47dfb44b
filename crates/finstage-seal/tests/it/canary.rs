//! Nothing that holds a key shows it.

use std::fmt::{Debug, Display};

use finstage_seal::{
    CounterFile, Keyring, KeyringFile, Keys, NewKey, Opener, Sealer, Secret, decode_key, pipeline,
};

use crate::{NOW, id, ring, sealed, sealer};

/// Bytes that are looked for, in every form in which they could be shown.
const CANARY: [u8; 32] = *b"canary-canary-canary-canary-cana";
const CANARY_TEXT: &str = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmE=";

#[track_caller]
fn is_clean(shown: &str) {
    let lower = shown.to_lowercase();
    for trace in ["canary", "63616e617279", "99, 97, 110", "63, 61, 6e", "0x63"] {
        assert!(!lower.contains(trace), "{trace}: {shown}");
    }
    assert!(!shown.contains(&CANARY_TEXT[4..16]), "{shown}");
}

#[track_caller]
fn debug_is_clean(value: &dyn Debug) {
    is_clean(&format!("{value:?} {value:#?} {value:02x?}"));
}

#[track_caller]
fn display_is_clean(value: &dyn Display) {
    is_clean(&format!("{value} {value:>80}"));
}

fn canary() -> NewKey {
    NewKey::of(id("k1"), decode_key(CANARY_TEXT).unwrap())
}

#[test]
fn no_debug_and_no_display_shows_key_material() {
    debug_is_clean(&canary());
    debug_is_clean(&decode_key(CANARY_TEXT));
    let ring = Keyring::new(canary(), NOW);
    debug_is_clean(&ring);
    debug_is_clean(&ring.keys()[0]);
    debug_is_clean(&ring.check(NOW));
    let text = ring.to_text();
    assert!(text.expose().contains(CANARY_TEXT), "the text has it");
    debug_is_clean(&text);
    display_is_clean(&text);
    let keys = Keys::new(ring);
    debug_is_clean(&keys);
    debug_is_clean(&keys.current());

    let mut sealer = sealer(&keys, 1);
    let envelope = sealed(&mut sealer, b"canary");
    debug_is_clean(&sealer);
    debug_is_clean(&sealer.counts());
    let mut opener = Opener::new(keys);
    {
        let opened = opener.open(&envelope, NOW).unwrap();
        assert_eq!(opened.plain, b"canary");
        debug_is_clean(&opened);
    }
    debug_is_clean(&opener);

    let (source, again) = (&mut &envelope[..], &mut &envelope[..]);
    let options = pipeline::Options { threads: 1, batch: 1, clock: &|| NOW };
    debug_is_clean(&options);
    pipeline::open_lines(&mut opener, source, &options, &mut |item| {
        debug_is_clean(&item);
        Ok(())
    })
    .unwrap();
    let mut fresh = Opener::new(Keys::new(Keyring::new(canary(), NOW)));
    pipeline::open_lines(&mut fresh, again, &options, &mut |item| {
        assert_eq!(item.result.unwrap().plain, b"canary");
        debug_is_clean(&item);
        Ok(())
    })
    .unwrap();
    display_is_clean(&Secret::new(CANARY));
    debug_is_clean(&Secret::new(CANARY));
}

#[test]
fn no_error_about_a_ring_shows_what_may_be_a_key() {
    let text = Keyring::new(canary(), NOW).to_text();
    let text = text.expose();
    let json = format!(
        r#"{{"version":1,"keys":[{{"id":"k1","state":"primary","key":"{CANARY_TEXT}"}}]}}"#
    );
    let mut errors = 0;
    for text in [&**text, &*json] {
        Keyring::parse(text).unwrap();
        for at in 0..text.len() {
            let (before, after) = text.split_at(at);
            for changed in [
                format!("{before}{}", &after[1..]),
                format!("{before}\n{after}"),
                format!("{before}\"{after}"),
                format!("{before}!{after}"),
                format!("{before}{CANARY_TEXT}{after}"),
                format!("{before} = {after}"),
                before.to_owned(),
            ] {
                if let Err(error) = Keyring::parse(&changed) {
                    debug_is_clean(&error);
                    display_is_clean(&error);
                    assert!(!error.to_string().contains('\n'), "{error}");
                    errors += 1;
                }
            }
        }
    }
    assert!(errors > 2000, "{errors}");
    for wrong in [&CANARY_TEXT[1..], &CANARY_TEXT[..40], &format!("{CANARY_TEXT}!")] {
        let error = decode_key(wrong).unwrap_err();
        debug_is_clean(&error);
        display_is_clean(&error);
    }
}

#[test]
fn no_error_of_files_and_senders_shows_key_material() {
    let dir = tempfile::tempdir().unwrap();
    let file = KeyringFile::new(&dir.path().join("keys.toml"));
    file.create(&Keyring::new(canary(), NOW)).unwrap();
    debug_is_clean(&file);
    debug_is_clean(&file.load().unwrap());
    debug_is_clean(&file.update(|ring| ring.add(canary(), NOW)).unwrap_err());
    let mut other = ring();
    other.add(NewKey::of(id("k2"), Secret::new(CANARY)), NOW).unwrap();
    let twice = other.add(NewKey::of(id("k3"), Secret::new(CANARY)), NOW).unwrap_err();
    debug_is_clean(&twice);
    let senders = CounterFile::open(&file.senders_path()).unwrap();
    debug_is_clean(&senders);
    let options = finstage_seal::SealerOptions::default();
    let mut sealer = Sealer::new(Keys::open(file.path()).unwrap(), Box::new(senders), options);
    sealed(&mut sealer, b"x");
    is_clean(&std::fs::read_to_string(file.senders_path()).unwrap());
}

//! `finstage keys`

mod check;
mod list;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use finstage_model::Clock as _;
use finstage_net::SystemClock;
use finstage_seal::{
    CounterFile, Error, ErrorKind, KEY_BYTES, Key, KeyId, Keyring, KeyringFile, Keys as Ring,
    LOOK_EVERY, NewKey, Rotated, Secret, UnixTime, decode_key,
};
use serde_json::json;

use super::{data_dir, load_without_channels, print_json, print_line, say};
use crate::cli::{Global, KeyringArgs, Keys, KeysNew, KeysRotate};
use crate::config::dotenv::{self, DotEnv};
use crate::config::{self, Reference};
use crate::exit::{Exit, Failure, Result};

/// The keyring where no other is named, in the data folder.
const FILE: &str = "keyring.toml";

pub(super) fn run(global: &Global, args: &Keys) -> Result<Exit> {
    match args {
        Keys::New(args) => new(global, args).map(|()| Exit::Done),
        Keys::List(args) => list::run(global, &file(global, args)?).map(|()| Exit::Done),
        Keys::Check(args) => check::run(global, args),
        Keys::Rotate(args) => rotate(global, args).map(|()| Exit::Done),
        Keys::Disable(args) => {
            let (id, file) = (id_of("ID", &args.id)?, file(global, &args.ring)?);
            file.update(|ring| ring.disable(id)).map_err(failure)?;
            changed(global, &file, id, "disabled").map(|()| Exit::Done)
        }
        Keys::Destroy(args) => {
            let (id, file) = (id_of("ID", &args.id)?, file(global, &args.ring)?);
            if !args.yes {
                return Err(Failure::usage(format!(
                    "what {id} sealed could never be opened again: add --yes to destroy it"
                )));
            }
            file.update(|ring| ring.destroy(id)).map_err(failure)?;
            changed(global, &file, id, "destroyed").map(|()| Exit::Done)
        }
    }
}

/// Which file is meant.
pub(super) fn file(global: &Global, args: &KeyringArgs) -> Result<KeyringFile> {
    let path: PathBuf = match &args.keyring {
        Some(path) => path.clone(),
        None => data_dir(global, &load_without_channels(global)?).join(FILE),
    };
    Ok(KeyringFile::new(&path))
}

/// The ring of a file, for those who seal and open.
pub(super) fn open(file: &KeyringFile) -> Result<Ring> {
    Ring::watch(file.path(), LOOK_EVERY).map_err(failure)
}

/// The name of a key that was typed, which an error does not repeat.
pub(super) fn id_of(argument: &str, typed: &str) -> Result<KeyId> {
    typed.parse().map_err(|why| Failure::usage(format!("{argument}: {why}")))
}

/// Now, as keyrings count.
pub(super) fn now() -> UnixTime {
    UnixTime::from_secs(SystemClock.now().secs())
}

/// What is wrong with a keyring, with its number for scripts.
fn failure(error: Error) -> Failure {
    let exit = match error.kind() {
        ErrorKind::Held | ErrorKind::Io => Exit::Store,
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}

/// Tells of a keyring that was changed and cannot be used: the one in use stays.
pub(super) struct Watch {
    ring: Ring,
}

impl Watch {
    pub(super) const fn new(ring: Ring) -> Self {
        Self { ring }
    }

    pub(super) fn look(&self, global: &Global) {
        if let Some(error) = self.ring.trouble() {
            say(global, format_args!("warning: {error}; the keys as they were stay in use"));
        }
    }
}

fn new(global: &Global, args: &KeysNew) -> Result<()> {
    let file = file(global, &args.ring)?;
    let key = match &args.from {
        Some(from) => NewKey::of(name(args)?, imported(global, from, Exit::Usage)?),
        None => NewKey::named(name(args)?).map_err(failure)?,
    };
    let id = key.id();
    let state = if file.path().exists() {
        file.update(|ring| ring.add(key, now())).map_err(failure)?;
        "pending"
    } else {
        if let (None, Some(folder)) = (&args.ring.keyring, file.path().parent()) {
            std::fs::create_dir_all(folder).map_err(|e| Failure::from_writing(folder, &e))?;
        }
        file.create(&Keyring::new(key, now())).map_err(failure)?;
        "primary"
    };
    changed(global, &file, id, state)
}

/// The name that was asked for, or one by chance.
fn name(args: &KeysNew) -> Result<KeyId> {
    match &args.id {
        Some(id) => id_of("--id", id),
        None => NewKey::generate().map(|key| key.id()).map_err(failure),
    }
}

/// Follows a reference to a key of 32 bytes in base64. No error repeats what is there.
fn imported(global: &Global, from: &str, exit: Exit) -> Result<Secret<[u8; KEY_BYTES]>> {
    const REMEDY: &str = "`head -c 32 /dev/urandom | base64` makes one";
    let is_reference = ["env:", "file:"].iter().any(|begin| from.starts_with(begin));
    if !is_reference {
        return Err(Failure::usage(
            "--from: write env:NAME or file:PATH; a key on the command line can be seen by others",
        ));
    }
    let beside = match global.config.clone().or_else(config::default_file) {
        Some(file) => DotEnv::beside(&file)?,
        None => DotEnv::default(),
    };
    let found = config::dereference(from, &beside);
    let text = match found.map_err(|why| Failure::new(exit, format!("--from {from}: {why}")))? {
        Reference::Outside(text) | Reference::Literal(text) => Secret::new(text),
    };
    if let Some(path) = from.strip_prefix("file:").filter(|path| dotenv::is_open(Path::new(path))) {
        say(
            global,
            format_args!("warning: {path}: others on this machine can read it; chmod 600 {path}"),
        );
    }
    let words = |why| Failure::new(exit, format!("--from {from}: {why}; {REMEDY}"));
    decode_key(text.expose()).map_err(words)
}

fn changed(global: &Global, file: &KeyringFile, id: KeyId, state: &str) -> Result<()> {
    if global.json {
        return print_json(&json!({"id": id.as_str(), "state": state, "keyring": file.path()}));
    }
    say(global, format_args!("{id} is {state} in {}", file.path().display()));
    print_line(id.as_str())
}

fn rotate(global: &Global, args: &KeysRotate) -> Result<()> {
    let file = file(global, &args.ring)?;
    let (now, used) = (now(), numbers_used(&file)?);
    if args.if_due {
        let ring = file.load().map_err(failure)?;
        let sealed = ring.primary().and_then(|key| used.get(&key.id())).copied().unwrap_or(0);
        if !ring.is_due(now, sealed) {
            if global.json {
                return print_json(&json!({"rotated": false, "keyring": file.path()}));
            }
            say(global, format_args!("no rotation is due"));
            return Ok(());
        }
    }
    let fresh = NewKey::generate().map_err(failure)?;
    let change = |ring: &mut Keyring| {
        note(ring, &used)?;
        let mut rotated = ring.rotate(now, fresh)?;
        if rotated.is_unannounced {
            // So that the next rotation is not.
            ring.add(NewKey::generate()?, now)?;
            rotated.pending = ring.pending().map(Key::id);
        }
        Ok(rotated)
    };
    let rotated = file.update(change).map_err(failure)?;
    let ring = file.load().map_err(failure)?;
    tell(global, &file, &ring, &rotated)
}

fn tell(global: &Global, file: &KeyringFile, ring: &Keyring, rotated: &Rotated) -> Result<()> {
    let Rotated { primary, previous, pending, is_unannounced } = rotated;
    let until = previous.and_then(|id| ring.key(id)).and_then(|key| key.accept_until());
    let name = |id: &Option<KeyId>| id.map(|id| id.to_string());
    if global.json {
        return print_json(&json!({
            "rotated": true, "primary": primary.as_str(), "previous": name(previous),
            "accept_until": until.map(|at| at.to_string()), "pending": name(pending),
            "unannounced": is_unannounced, "keyring": file.path(),
        }));
    }
    if let (Some(id), Some(until)) = (previous, until) {
        say(global, format_args!("{id} opens until {until}"));
    }
    if let Some(id) = pending {
        say(
            global,
            format_args!("{id} is pending: give the file to all readers before the next rotation"),
        );
    }
    if *is_unannounced {
        let path = file.path().display();
        say(
            global,
            format_args!("no key was pending: readers refuse {primary} until they have {path}"),
        );
    }
    print_line(primary.as_str())
}

/// How many messages were sealed with each key at most, as the file of senders has it.
fn numbers_used(file: &KeyringFile) -> Result<BTreeMap<KeyId, u64>> {
    CounterFile::peek(&file.senders_path()).map_err(|error| Failure::new(Exit::Store, error))
}

/// Tells a ring what its keys have sealed.
fn note(ring: &mut Keyring, used: &BTreeMap<KeyId, u64>) -> std::result::Result<(), Error> {
    let known: Vec<KeyId> = ring.keys().iter().map(|key| key.id()).collect();
    let mut counts = known.into_iter().filter_map(|id| Some((id, *used.get(&id)?)));
    counts.try_for_each(|(id, count)| ring.note_sealed(id, count))
}

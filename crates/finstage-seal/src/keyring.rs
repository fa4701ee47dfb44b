//! The keys of a feed, and the order in which they come and go.
//!
//! The order is that of Tink's keysets: a key is there before it seals, so that readers have it, and
//! stays for a time of grace afterwards, so that what is under way is opened. Source: "Keysets" and
//! "Key rotation" in Tink's documentation.

mod text;

use std::time::Duration;

use crate::key::{Key, KeyId, KeyState, NewKey};
use crate::{Error, ErrorKind, UnixTime};

/// The most keys of a ring, those that are gone included.
pub const MAX_KEYS: usize = 64;

/// When the primary key is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// After this time.
    pub every: Duration,
    /// Or after so many messages.
    pub after_messages: u64,
    /// More than this are never sealed with a key: sealing stops.
    pub limit: u64,
    /// So long after its rotation a key still opens.
    pub grace: Duration,
}

impl Rotation {
    /// The most messages that may be sealed with one key, whatever a file says: the bound of NIST
    /// SP 800-38D, section 8.3. It is meant for random nonces; ours do not repeat, and keep it all
    /// the same.
    pub const MAX_LIMIT: u64 = 1 << 32;
}

impl Default for Rotation {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self { every: DAY, after_messages: 1 << 31, limit: Self::MAX_LIMIT, grace: DAY }
    }
}

/// Keys with their states, in the order in which they were added.
#[derive(Debug, Clone)]
pub struct Keyring {
    keys: Vec<Key>,
    rotation: Rotation,
}

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// The key that seals now.
    pub primary: KeyId,
    /// The key that sealed before.
    pub previous: Option<KeyId>,
    /// The key that comes next, for readers to have in time.
    pub pending: Option<KeyId>,
    /// No key was pending: readers do not have the primary one yet, and refuse its messages until
    /// they get this ring.
    pub is_unannounced: bool,
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works today.
    Warning,
    /// Messages cannot be sealed.
    Failure,
}

/// Something about a ring that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The key that it is about.
    pub key: Option<KeyId>,
    /// One line, with what to do.
    pub message: String,
}

impl Keyring {
    /// A ring of one key, which is primary.
    #[must_use]
    pub fn new(first: NewKey, now: UnixTime) -> Self {
        let keys = vec![Key::new(first, KeyState::Primary, now)];
        Self { keys, rotation: Rotation::default() }
    }

    /// The same ring with other rules of rotation.
    ///
    /// # Errors
    /// `Invalid` where `after_messages` is 0 or above `limit`, or `limit` above
    /// [`Rotation::MAX_LIMIT`].
    pub fn with_rotation(self, rotation: Rotation) -> Result<Self, Error> {
        Self::of(self.keys, rotation)
    }

    /// A ring of keys that were read.
    fn of(keys: Vec<Key>, rotation: Rotation) -> Result<Self, Error> {
        let invalid = |message: String| Err(Error::new(ErrorKind::Invalid, message));
        let Rotation { after_messages, limit, .. } = rotation;
        if after_messages == 0 || after_messages > limit || limit > Rotation::MAX_LIMIT {
            return invalid(format!(
                "rotation: after_messages is at least 1 and at most limit, and limit at most {}",
                Rotation::MAX_LIMIT
            ));
        }
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return invalid(format!("a keyring has 1 to {MAX_KEYS} keys, here are {}", keys.len()));
        }
        Ok(Self { keys, rotation })
    }

    /// The keys, in the order in which they were added.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// When the primary key is to be replaced.
    #[must_use]
    pub const fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// The key of this name.
    #[must_use]
    pub fn key(&self, id: KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The same, of a name as it came.
    pub(crate) fn named(&self, id: &[u8]) -> Option<&Key> {
        self.keys.iter().find(|key| key.id.as_bytes() == id)
    }

    /// The key that seals.
    #[must_use]
    pub fn primary(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.state == KeyState::Primary)
    }

    /// The key that will be primary after the next rotation.
    #[must_use]
    pub fn pending(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.state == KeyState::Pending)
    }

    /// Adds a key as pending: readers get it before it is used.
    ///
    /// # Errors
    /// `State` when the name or the bytes are there already, or the ring is full of keys in use.
    pub fn add(&mut self, new: NewKey, now: UnixTime) -> Result<(), Error> {
        self.accepts(&new)?;
        self.make_room()?;
        self.keys.push(Key::new(new, KeyState::Pending, now));
        Ok(())
    }

    /// The oldest pending key becomes primary, the primary one opens for the time of grace, and
    /// `fresh` is pending. Where no key was pending, `fresh` becomes primary at once, which the
    /// result says. Keys whose grace is over are disabled.
    ///
    /// # Errors
    /// `State` as [`Keyring::add`]; nothing has changed then.
    pub fn rotate(&mut self, now: UnixTime, fresh: NewKey) -> Result<Rotated, Error> {
        self.accepts(&fresh)?;
        let mut next = self.clone();
        for key in &mut next.keys {
            if key.state == KeyState::Accept && !key.may_open(now) {
                key.state = KeyState::Disabled;
            }
        }
        next.make_room()?;
        let announced = next.pending().map(Key::id);
        let fresh_id = fresh.id();
        next.keys.push(Key::new(fresh, KeyState::Pending, now));
        let primary = announced.unwrap_or(fresh_id);
        let previous = next.primary().map(Key::id);
        let until = now.plus(next.rotation.grace);
        for key in &mut next.keys {
            if Some(key.id) == previous {
                key.state = KeyState::Accept;
                key.accept_until = Some(until);
            } else if key.id == primary {
                key.state = KeyState::Primary;
                key.primary_since = Some(now);
            }
        }
        *self = next;
        let pending = announced.and_then(|_| self.pending().map(Key::id));
        Ok(Rotated { primary, previous, pending, is_unannounced: announced.is_none() })
    }

    /// Takes a key out of use. Its bytes stay.
    ///
    /// # Errors
    /// `NotFound`; `State` for the primary key (rotate first) and one that is destroyed.
    pub fn disable(&mut self, id: KeyId) -> Result<(), Error> {
        let key = self.change(id)?;
        if key.state == KeyState::Destroyed {
            return Err(Error::new(ErrorKind::State, format!("key {id} is destroyed")));
        }
        key.state = KeyState::Disabled;
        Ok(())
    }

    /// Takes a key out of use for ever. Its bytes are wiped when the last ring that shares them is
    /// dropped; the name stays.
    ///
    /// # Errors
    /// `NotFound`; `State` for the primary key (rotate first).
    pub fn destroy(&mut self, id: KeyId) -> Result<(), Error> {
        let key = self.change(id)?;
        key.state = KeyState::Destroyed;
        key.material = None;
        Ok(())
    }

    /// Notes that a key has sealed at least so many messages.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn note_sealed(&mut self, id: KeyId, messages: u64) -> Result<(), Error> {
        let key = self.keys.iter_mut().find(|key| key.id == id).ok_or_else(|| missing(id))?;
        key.sealed = key.sealed.max(messages);
        Ok(())
    }

    /// Whether the primary key is to be replaced: it is old enough, or `sealed` messages (or more,
    /// as far as the ring knows) are enough.
    #[must_use]
    pub fn is_due(&self, now: UnixTime, sealed: u64) -> bool {
        self.primary().is_none_or(|key| {
            self.age(key, now).is_some_and(|age| age >= self.rotation.every)
                || sealed.max(key.sealed) >= self.rotation.after_messages
        })
    }

    /// What its owner should know, the worst first.
    #[must_use]
    pub fn check(&self, now: UnixTime) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |severity, key: Option<&Key>, message: String| {
            findings.push(Finding { severity, key: key.map(Key::id), message });
        };
        match self.primary() {
            None => find(
                Severity::Failure,
                None,
                "no key is primary, so nothing can be sealed: `finstage keys rotate`".to_owned(),
            ),
            Some(key) if key.sealed >= self.rotation.limit => find(
                Severity::Failure,
                Some(key),
                format!("key {} has sealed all it may: `finstage keys rotate`", key.id),
            ),
            Some(key) if self.is_due(now, 0) => {
                find(Severity::Warning, Some(key), self.words_of_due(key, now));
            }
            Some(_) => {}
        }
        if self.pending().is_none() {
            let words = "no key is pending: after the next rotation readers refuse messages until \
                         they have the new ring; `finstage keys rotate` makes one for the time after";
            find(Severity::Warning, None, words.to_owned());
        }
        for key in &self.keys {
            let id = key.id;
            let is_early = key.created.is_some_and(|at| at > now)
                || key.primary_since.is_some_and(|at| at > now);
            if is_early {
                let words = format!("key {id} comes from the future: look at the clock");
                find(Severity::Warning, Some(key), words);
            }
            match (key.state, key.accept_until) {
                (KeyState::Accept, None) => {
                    let words = format!("key {id} is accepted without an end: give accept_until");
                    find(Severity::Warning, Some(key), words);
                }
                (KeyState::Accept, Some(end)) if end <= now => {
                    let words =
                        format!("key {id} has not opened since {end}: disable or destroy it");
                    find(Severity::Warning, Some(key), words);
                }
                _ => {}
            }
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }

    fn words_of_due(&self, key: &Key, now: UnixTime) -> String {
        let hours = self.age(key, now).map_or(0, |age| age.as_secs() / 3600);
        format!(
            "key {} is due: primary for {hours} h and at least {} messages; `finstage keys rotate`",
            key.id, key.sealed
        )
    }

    /// How long a key has been primary.
    fn age(&self, key: &Key, now: UnixTime) -> Option<Duration> {
        key.primary_since.or(key.created).map(|since| now.since(since))
    }

    fn accepts(&self, new: &NewKey) -> Result<(), Error> {
        let state = |message| Err(Error::new(ErrorKind::State, message));
        if self.key(new.id).is_some() {
            return state(format!("a key {} is there already: choose another id", new.id));
        }
        let holds = |key: &&Key| {
            key.material.as_ref().is_some_and(|held| held.bytes.expose() == new.key.expose())
        };
        match self.keys.iter().find(holds) {
            Some(key) => state(format!("key {} has the same bytes: make a new key", key.id)),
            None => Ok(()),
        }
    }

    /// Forgets the oldest key that is out of use, where the ring is full.
    fn make_room(&mut self) -> Result<(), Error> {
        let is_out = |key: &Key| matches!(key.state, KeyState::Disabled | KeyState::Destroyed);
        if self.keys.len() < MAX_KEYS {
            return Ok(());
        }
        let Some(oldest) = self.keys.iter().position(is_out) else {
            let words = format!("the ring has {MAX_KEYS} keys in use: disable some");
            return Err(Error::new(ErrorKind::State, words));
        };
        self.keys.remove(oldest);
        Ok(())
    }

    fn change(&mut self, id: KeyId) -> Result<&mut Key, Error> {
        let key = self.keys.iter_mut().find(|key| key.id == id).ok_or_else(|| missing(id))?;
        if key.state == KeyState::Primary {
            let words = format!("key {id} is primary: `finstage keys rotate` first");
            return Err(Error::new(ErrorKind::State, words));
        }
        Ok(key)
    }
}

fn missing(id: KeyId) -> Error {
    Error::new(ErrorKind::NotFound, format!("no key {id} in the ring: see `finstage keys list`"))
}

//! Who is answered, and how often: a pure function of what was heard and of what is remembered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use finstage_model::{IdHasher, Timestamp};
use finstage_notify::{Heard, What};
use jiff::tz::TimeZone;

use super::question::{Question, pressed, question};
use crate::report::Language;

/// The most commands of a chat that are answered within a minute.
pub const MAX_COMMANDS: usize = 20;
/// The span that commands are counted in.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// The most strangers that are told that the bot is not for them; later ones hear nothing.
pub const MAX_STRANGERS: usize = 200;

/// A chat that may command.
#[derive(Debug, Clone)]
pub struct ListedChat {
    /// Its number.
    pub id: i64,
    /// The channel that answers leave by.
    pub channel: String,
    /// The language of answers.
    pub language: Language,
    /// The zone of its days and times.
    pub zone: TimeZone,
}

/// What is to be done about something that was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Answer the listed chat at this place.
    Answer(usize, Question),
    /// Tell the phone that a press was heard.
    HearPress(String),
    /// Tell a chat that is not listed, once, that the bot is not for it.
    Decline(i64),
}

/// Decides what is answered.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    chats: Vec<ListedChat>,
    /// Who was told already, hashed: the store need not know their numbers.
    strangers: BTreeSet<u64>,
    /// When the last commands of each listed chat came.
    lately: BTreeMap<i64, VecDeque<Timestamp>>,
}

impl Doorkeeper {
    /// For these chats; `strangers` were told before.
    pub(super) fn new(chats: Vec<ListedChat>, strangers: BTreeSet<u64>) -> Self {
        Self { chats, strangers, lately: BTreeMap::new() }
    }

    pub(super) fn chat(&self, at: usize) -> Option<&ListedChat> {
        self.chats.get(at)
    }

    /// Who was told that the bot is not for them.
    pub(super) const fn strangers(&self) -> &BTreeSet<u64> {
        &self.strangers
    }

    /// What to do about `heard` at `now`.
    pub(super) fn answer(&mut self, heard: &Heard, now: Timestamp) -> Vec<Action> {
        let Some(place) = self.chats.iter().position(|chat| chat.id == heard.chat) else {
            return self.decline(heard.chat);
        };
        let (press, question) = match &heard.what {
            What::Command { name, args } => (None, question(name, args)),
            What::Press { id, verb, about } => (Some(id.clone()), pressed(verb, about)),
            What::Words => (None, Question::Help),
        };
        let mut actions: Vec<Action> = press.map(Action::HearPress).into_iter().collect();
        actions.extend(match self.count(heard.chat, now) {
            count if count <= MAX_COMMANDS => Some(Action::Answer(place, question)),
            // Said once; what is beyond hears nothing.
            count if count == MAX_COMMANDS + 1 => Some(Action::Answer(place, Question::TooMany)),
            _ => None,
        });
        actions
    }

    /// The commands of a chat within the last minute, this one included; no more are remembered than decide.
    fn count(&mut self, chat: i64, now: Timestamp) -> usize {
        let lately = self.lately.entry(chat).or_default();
        while lately.front().is_some_and(|at| at.plus(MINUTE) <= now) {
            lately.pop_front();
        }
        if lately.len() <= MAX_COMMANDS + 1 {
            lately.push_back(now);
        }
        lately.len()
    }

    fn decline(&mut self, chat: i64) -> Vec<Action> {
        let hash = IdHasher::new().text("stranger").number(chat).finish() as u64;
        if self.strangers.len() >= MAX_STRANGERS || !self.strangers.insert(hash) {
            return Vec::new();
        }
        vec![Action::Decline(chat)]
    }
}

/// A chat's number as the log may have it: its last two digits.
pub(super) fn masked(chat: i64) -> String {
    format!("…{:02}", chat.unsigned_abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper() -> Doorkeeper {
        let chat = ListedChat {
            id: 42,
            channel: "telegram".into(),
            language: Language::En,
            zone: TimeZone::UTC,
        };
        Doorkeeper::new(vec![chat], BTreeSet::new())
    }

    fn said(chat: i64, name: &str) -> Heard {
        let what = What::Command { name: name.into(), args: Vec::new() };
        Heard { update: 1, chat, at: Timestamp::EPOCH, what }
    }

    #[test]
    fn a_listed_chat_is_answered_and_a_stranger_is_told_once_over_restarts() {
        let mut keeper = keeper();
        let now = Timestamp::from_secs(100);
        let answer = keeper.answer(&said(42, "status"), now);
        assert_eq!(answer, [Action::Answer(0, Question::Status)]);
        assert_eq!(keeper.answer(&said(43, "status"), now), [Action::Decline(43)]);
        assert_eq!(keeper.answer(&said(43, "mute"), now), []);
        let mut again = Doorkeeper::new(Vec::new(), keeper.strangers().clone());
        assert_eq!(again.answer(&said(43, "status"), now), []);
        assert_eq!(again.answer(&said(42, "status"), now), [Action::Decline(42)], "not listed now");
    }

    #[test]
    fn a_flood_is_told_once_that_it_is_one_and_costs_nothing_more() {
        let mut keeper = keeper();
        let now = Timestamp::from_secs(100);
        let answers: Vec<_> =
            (0..500).flat_map(|_| keeper.answer(&said(42, "status"), now)).collect();
        assert_eq!(answers.len(), MAX_COMMANDS + 1);
        assert_eq!(answers[MAX_COMMANDS], Action::Answer(0, Question::TooMany));
        assert!(keeper.lately[&42].len() <= MAX_COMMANDS + 2);
        let later = now.plus(MINUTE);
        assert_eq!(keeper.answer(&said(42, "help"), later), [Action::Answer(0, Question::Help)]);
        let strangers: usize =
            (1_000..9_000).map(|chat| keeper.answer(&said(chat, "x"), now).len()).sum();
        assert_eq!(strangers, MAX_STRANGERS);
    }

    #[test]
    fn a_press_is_heard_before_it_is_answered() {
        let what = What::Press { id: "7".into(), verb: "why".into(), about: "00ab".into() };
        let heard = Heard { update: 1, chat: 42, at: Timestamp::EPOCH, what };
        let question = Question::Why("00ab".into());
        assert_eq!(
            keeper().answer(&heard, Timestamp::from_secs(1)),
            [Action::HearPress("7".into()), Action::Answer(0, question)]
        );
        assert_eq!(masked(-1_001_234_567_890), "…90");
    }
}

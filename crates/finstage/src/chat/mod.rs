//! The bot that answers: what is written in a listed chat is read by long polls, done by the functions that
//! commands use, and answered through the outbox.
//!
//! An update is never acted on twice. Its answer is a notice whose id follows from the update and its moment, and it is
//! queued before the place to ask from moves on: a process that dies in between finds the answer there and
//! does nothing. One that dies between doing and answering does it again, and everything that can be asked for
//! comes to the same when it is done again: a mute ends seconds later, a watch is there already.
//! Answers leave by the chat's own channel, so its pace, its retries and its mark of repeats are theirs as well.

mod counter;
mod doorkeeper;
mod question;
mod starting;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use finstage_net::Client;
use finstage_notify::{Bot, Heard, What, heard};
use finstage_store::Error;
use finstage_store::records::{Notice, NoticeKind, Records};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use self::counter::Counter;
pub use self::doorkeeper::{ListedChat, MAX_COMMANDS, MAX_STRANGERS};
pub use self::question::{MUTE, WHY};
pub(crate) use self::starting::start;

use self::doorkeeper::{Action, Doorkeeper, masked};
use self::question::Question;

/// An answer older than this is not sent: nobody waits for it any more.
pub const MAX_ANSWER_AGE: Duration = Duration::from_secs(600);
/// Waits after a poll that failed: from the first, doubling to the last.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A bot with the chats that may command it.
pub struct ChatBot {
    /// The bot.
    pub bot: Bot,
    /// Its number, from its token: no secret.
    pub number: String,
    /// The chats that may command it.
    pub chats: Vec<ListedChat>,
    /// Who does what they ask for.
    pub counter: Counter,
    /// How the messenger is asked.
    pub client: Client,
    /// Wakes those who deliver.
    pub wake: Arc<Notify>,
}

impl fmt::Debug for ChatBot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatBot").field("number", &self.number).finish_non_exhaustive()
    }
}

impl ChatBot {
    /// Answers until `quit` holds `true`.
    #[must_use]
    pub fn start(self, quit: watch::Receiver<bool>) -> JoinHandle<()> {
        let mut stop = quit;
        tokio::spawn(async move {
            tokio::select! {
                () = self.run() => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        })
    }

    async fn run(self) {
        let mut wait = WAITS.0;
        let me = loop {
            match self.bot.name(&self.client).await {
                Ok(name) => break name.username,
                Err(why) => pause(&mut wait, &why).await,
            }
        };
        let language = self.chats.first().map(|chat| chat.language).unwrap_or_default();
        let offered = words::words(language).commands.iter();
        let offered: Vec<(&str, &str)> = offered.map(|(name, _, what)| (*name, *what)).collect();
        if let Err(why) = self.bot.offer(&self.client, &offered).await {
            tracing::warn!("the bot's commands are not offered: {why}");
        }
        let place = Place { records: self.counter.records.clone(), number: self.number.clone() };
        let (mut offset, strangers) = loop {
            match place.remembered() {
                Ok(found) => break found,
                Err(why) => pause(&mut wait, &why).await,
            }
        };
        let mut keeper = Doorkeeper::new(self.chats.clone(), strangers);
        let chats = match self.chats.len() {
            1 => "1 chat".to_owned(),
            more => format!("{more} chats"),
        };
        tracing::info!("the bot @{me} answers in {chats}");
        loop {
            let done = match self.bot.news(&self.client, offset).await {
                Err(why) => Err(why.to_string()),
                Ok(news) => self.hear(&news, (&me, &place), (&mut keeper, &mut offset)).await,
            };
            match done {
                Ok(()) => wait = WAITS.0,
                Err(why) => pause(&mut wait, &why).await,
            }
        }
    }

    /// Acts on all that was heard. After trouble with the store it is heard again from where it stopped.
    async fn hear(
        &self,
        news: &serde_json::Value,
        (me, place): (&str, &Place),
        (keeper, offset): (&mut Doorkeeper, &mut i64),
    ) -> Result<(), String> {
        let (next, all) = heard(news, me);
        // After a week of silence Telegram begins at any number, and another server at its own; what lies
        // wholly below is new then, or known by its answer.
        if next.is_some_and(|next| next <= *offset) {
            *offset = 0;
        }
        for one in all {
            // Told again although it was acted on.
            if one.update < *offset {
                continue;
            }
            for action in keeper.answer(&one, self.counter.clock.now()) {
                match action {
                    Action::HearPress(id) => self.hear_press(&id).await,
                    Action::Decline(chat) => self.decline(chat, (keeper, place)).await?,
                    Action::Answer(at, question) => {
                        if let Some(chat) = keeper.chat(at) {
                            self.answer(&one, (chat, &question)).await?;
                        }
                    }
                }
            }
            *offset = one.update.saturating_add(1);
            place.keep(*offset).map_err(|error| error.to_string())?;
        }
        if let Some(next) = next.filter(|next| *next > *offset) {
            *offset = next;
        }
        Ok(())
    }

    async fn answer(
        &self,
        heard: &Heard,
        (chat, question): (&ListedChat, &Question),
    ) -> Result<(), String> {
        // Numbers of updates come again after a renumbering, moments and presses do not.
        let press = match &heard.what {
            What::Press { id, .. } => id.as_str(),
            What::Command { .. } | What::Words => "",
        };
        let of = format!("{} {} {} {press}", self.number, heard.update, heard.at);
        let id = NoticeKind::Answer.id(&of);
        let (counter, chat, question) = (self.counter.clone(), chat.clone(), question.clone());
        let work = move || -> Result<(), Error> {
            if counter.records.notice(id)?.is_some() {
                return Ok(());
            }
            let notice = Notice {
                id,
                kind: NoticeKind::Answer,
                lines: counter.answer(&question, &chat),
                said_at: counter.clock.now(),
                max_age: MAX_ANSWER_AGE,
            };
            counter.records.announce(&notice, &[chat.channel]).map(drop)
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?;
        done.map_err(|error| error.to_string())?;
        self.wake.notify_waiters();
        Ok(())
    }

    /// Best effort: without it a phone shows for a while that it waits.
    async fn hear_press(&self, id: &str) {
        if let Err(why) = self.bot.hear_press(&self.client, id).await {
            tracing::info!("a press was not confirmed: {why}");
        }
    }

    /// Tells a stranger, at most once: it is remembered before it is said.
    async fn decline(
        &self,
        chat: i64,
        (keeper, place): (&Doorkeeper, &Place),
    ) -> Result<(), String> {
        place.keep_strangers(keeper.strangers()).map_err(|error| error.to_string())?;
        tracing::warn!("chat {} wrote to the bot, and is in no [[notify]]", masked(chat));
        if let Err(why) = self.bot.say(&self.client, chat, words::NOT_FOR_YOU).await {
            tracing::info!("chat {} was not told: {why}", masked(chat));
        }
        Ok(())
    }
}

async fn pause(wait: &mut Duration, why: &impl fmt::Display) {
    tracing::warn!("the bot cannot hear: {why}; trying again in {} s", wait.as_secs());
    tokio::time::sleep(*wait).await;
    *wait = (*wait * 2).min(WAITS.1);
}

/// How far a bot came, in the store.
#[derive(Debug)]
struct Place {
    records: Records,
    number: String,
}

impl Place {
    /// Where to ask from, and who was told that the bot is not for them.
    fn remembered(&self) -> Result<(i64, BTreeSet<u64>), Error> {
        let offset = self.records.meta(&self.key("offset"))?.and_then(|text| text.parse().ok());
        let strangers = self.records.meta(&self.key("strangers"))?.unwrap_or_default();
        let strangers = serde_json::from_str(&strangers).unwrap_or_default();
        Ok((offset.unwrap_or(0), strangers))
    }

    fn keep(&self, offset: i64) -> Result<(), Error> {
        self.records.set_meta(&self.key("offset"), &offset.to_string())
    }

    fn keep_strangers(&self, strangers: &BTreeSet<u64>) -> Result<(), Error> {
        let text = serde_json::to_string(strangers).expect("numbers are always JSON");
        self.records.set_meta(&self.key("strangers"), &text)
    }

    fn key(&self, what: &str) -> String {
        format!("telegram_{what}:{}", self.number)
    }
}

/// What stands on the buttons below alerts.
#[must_use]
pub fn buttons(language: crate::report::Language) -> Vec<finstage_notify::notifiers::Button> {
    let words = words::words(language);
    let button = |text: &str, verb| finstage_notify::notifiers::Button { text: text.into(), verb };
    vec![button(words.why_button, WHY), button(words.mute_button, MUTE)]
}

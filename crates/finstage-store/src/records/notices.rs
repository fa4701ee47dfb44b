//! Notices: what the service itself has to say to people, beside alerts.
//!
//! A notice follows from no event, so no journal can bring it back and none can take it away. Its id
//! follows from what it is about: whoever says it again, after a restart for example, adds nothing.

use std::time::Duration;

use finstage_model::{IdHasher, NoticeId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::Records;
use super::db::{Durability, Trouble};
use crate::Error;

/// The most lines of a notice; what is beyond is not kept.
pub const MAX_NOTICE_LINES: usize = 400;
/// The most characters of a line of a notice; what is beyond is not kept.
pub const MAX_NOTICE_LINE_CHARS: usize = 2_000;

/// A message of the service itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its name: [`NoticeKind::id`] of what it is about.
    pub id: NoticeId,
    /// What kind of message it is.
    pub kind: NoticeKind,
    /// When it was said.
    pub said_at: Timestamp,
    /// The age at which it is no longer sent, in whole milliseconds.
    pub max_age: Duration,
    /// Its lines, each of pieces of text in a style.
    pub lines: Vec<Vec<NoticeText>>,
}

/// What kind of message a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// The report of a day.
    Report,
    /// A strategy says nothing any more.
    Muted,
    /// A limit of the service was passed, or that is over.
    Threshold,
    /// A limit of the service was passed by far: nothing holds it back.
    Critical,
    /// What a channel held back.
    Digest,
    /// The answer to what somebody wrote to the bot.
    Answer,
    /// The state of an hour.
    Hourly,
}

impl NoticeKind {
    const ALL: [Self; 7] = [
        Self::Report,
        Self::Muted,
        Self::Threshold,
        Self::Critical,
        Self::Digest,
        Self::Answer,
        Self::Hourly,
    ];

    /// The machine word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Muted => "muted",
            Self::Threshold => "threshold",
            Self::Critical => "critical",
            Self::Digest => "digest",
            Self::Answer => "answer",
            Self::Hourly => "hourly",
        }
    }

    /// The id of the notice of this kind about `key`: a day, a strategy with the card it lost.
    #[must_use]
    pub fn id(self, key: &str) -> NoticeId {
        NoticeId(IdHasher::new().text("notice").text(self.as_str()).text(key).finish())
    }
}

/// A piece of text in one style.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeText {
    /// How it looks, where a channel can show it.
    pub style: NoticeStyle,
    /// What it says, on one line.
    pub text: String,
}

impl NoticeText {
    /// A piece of text.
    #[must_use]
    pub fn new(style: NoticeStyle, text: impl Into<String>) -> Self {
        Self { style, text: text.into() }
    }
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeStyle {
    /// Ordinary text.
    Plain,
    /// What must be seen first.
    Bold,
    /// Remarks.
    Italic,
    /// Ids and hashes.
    Code,
}

impl Records {
    /// Queues a notice for these notifiers; tells for how many. One that was said before, as its id
    /// tells, changes nothing.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn announce(&self, notice: &Notice, notifiers: &[String]) -> Result<u64, Error> {
        let cut = |text: &String| text.chars().take(MAX_NOTICE_LINE_CHARS).collect();
        let lines: Vec<Vec<NoticeText>> = notice
            .lines
            .iter()
            .take(MAX_NOTICE_LINES)
            .map(|line| line.iter().map(|t| NoticeText { text: cut(&t.text), ..*t }).collect())
            .collect();
        let json = serde_json::to_string(&lines).expect("texts are always JSON");
        let age = i64::try_from(notice.max_age.as_millis()).unwrap_or(i64::MAX);
        let id = notice.id.to_string();
        self.0.write("queueing a notice in", Durability::Kept, |tx| {
            let sql = "INSERT INTO notices VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
            let said_at = notice.said_at.nanos();
            let row = params![id, notice.kind.as_str(), said_at, age, json];
            if tx.prepare_cached(sql)?.execute(row)? == 0 {
                return Ok(0);
            }
            let sql = "INSERT INTO outbox (notice, notifier, position) VALUES (?, ?, 0)
                ON CONFLICT DO NOTHING";
            let mut insert = tx.prepare_cached(sql)?;
            let mut queued = 0;
            for name in notifiers {
                queued += insert.execute(params![id, name])? as u64;
            }
            Ok(queued)
        })
    }

    /// The notice with that id.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn notice(&self, id: NoticeId) -> Result<Option<Notice>, Error> {
        self.0.read("looking up a notice in", |tx| notice(tx, id))
    }
}

/// The notice with that id.
pub(super) fn notice(tx: &Connection, id: NoticeId) -> Result<Option<Notice>, Trouble> {
    let sql = "SELECT kind, said_at, max_age_ms, json FROM notices WHERE id = ?";
    let mut query = tx.prepare_cached(sql)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let found: Option<(String, i64, i64, String)> =
        query.query_row([id.to_string()], row).optional()?;
    let Some((word, said_at, max_age_ms, json)) = found else { return Ok(None) };
    let kind = NoticeKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    Ok(Some(Notice {
        id,
        kind: kind.ok_or_else(|| Trouble::BadRow(format!("kind \"{word}\" of a notice")))?,
        said_at: Timestamp::from_nanos(said_at),
        max_age: Duration::from_millis(max_age_ms.unsigned_abs()),
        lines: serde_json::from_str(&json)
            .map_err(|e| Trouble::BadRow(format!("notice {id}: {e}")))?,
    }))
}

#[cfg(test)]
mod tests;

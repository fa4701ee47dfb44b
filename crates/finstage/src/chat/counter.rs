//! Does what a chat asks for, by the functions that commands and the server use, and says what came of it.

use std::sync::Arc;

use finstage_engine::EngineSettings;
use finstage_model::{AlertKind, Clock, Day, Direction, Price, Ruling, Symbol, Timestamp};
use finstage_notify::{Template, fill};
use finstage_server::HealthCheck;
use finstage_store::history::History;
use finstage_store::records::{AlertRow, Filter, NoticeStyle, NoticeText, Records, SignalRow};

use super::doorkeeper::ListedChat;
use super::question::{Question, USUAL_MUTE};
use super::words::{Words, words};
use crate::config::settings::{ReportSettings, WatchThresholds};
use crate::exit::{Failure, Result};
use crate::monitor::{Monitor, check_name};
use crate::mutes;
use crate::report::{Asked, Due, Language, day_of, gather, hourly, job, provenance, rule_words};
use crate::watches::{self, KnownWatch, Wish};
use crate::wiring::{self, describe};

/// The most rows of a list in an answer.
const MAX_ROWS: usize = 10;
/// The most watches of an answer.
const MAX_WATCHES: usize = 60;
/// The newest alerts among which an id is looked for by its beginning.
const MAX_SOUGHT: usize = 10_000;
/// The shortest beginning of an id that is looked for.
const MIN_ID_CHARS: usize = 4;
/// The most instruments that are named where none fits.
const MAX_NAMED: usize = 20;

/// What a chat can ask about.
#[derive(Debug, Clone)]
pub struct Counter {
    /// What was said.
    pub records: Records,
    /// All bars.
    pub history: History,
    /// The service's time.
    pub clock: Arc<dyn Clock>,
    /// What the engine is told.
    pub engine: EngineSettings,
    /// From which change on watches speak that name none.
    pub thresholds: WatchThresholds,
    /// The instruments that are watched.
    pub watched: Vec<Symbol>,
    /// The daily report.
    pub report: ReportSettings,
    /// Who looks after the service.
    pub monitor: Arc<Monitor>,
    /// The words of alerts, in the zone of the service.
    pub template: Template,
}

/// The lines of an answer.
type Lines = Vec<Vec<NoticeText>>;

impl Counter {
    /// The answer to a question of a listed chat. What cannot be done is said as well.
    pub(super) fn answer(&self, question: &Question, chat: &ListedChat) -> Lines {
        let words = words(chat.language);
        self.done(question, (chat, words)).unwrap_or_else(|failure| {
            vec![plain(fill(words.failed, &[("why", &failure.to_string())]))]
        })
    }

    fn done(&self, question: &Question, (chat, words): (&ListedChat, &Words)) -> Result<Lines> {
        let now = self.clock.now();
        Ok(match question {
            Question::Start => help(words, Some(words.hello)),
            Question::Help => help(words, None),
            Question::Unknown => vec![plain(words.unknown)],
            Question::TooMany => vec![plain(words.too_many)],
            Question::Misused(name) => usage(words, name),
            Question::Status => self.status((chat, words))?,
            Question::Signals(symbol) => self.signals((chat, words), symbol.as_deref())?,
            Question::Why(id) => self.why((chat, words), id)?,
            Question::Today => self.daily(chat, day_of(now, &chat.zone))?,
            Question::Daily(day) => {
                self.daily(chat, day.unwrap_or_else(|| day_of(now, &chat.zone).previous()))?
            }
            Question::Hourly => {
                let asked = hourly::Asked {
                    now,
                    zone: &chat.zone,
                    watched: &self.watched,
                    provenance: provenance(&self.records)?,
                };
                hourly::lines(&hourly::gather(&self.history, &asked)?, chat.language)
            }
            Question::Mutes => self.mutes((chat, words), now)?,
            Question::Mute(what, span) => self.mute((chat, words), (what, *span), now)?,
            Question::MuteAlert(id) => {
                let Some(row) = self.alert(id)? else { return Ok(no_alert(words, id)) };
                self.mute((chat, words), (row.alert.symbol.as_str(), USUAL_MUTE), now)?
            }
            Question::Unmute(what) => {
                let what = self.symbol(what).map_or_else(|| what.clone(), |one| one.to_string());
                mutes::unmute(&self.records, &what)?;
                vec![plain(fill(words.unmuted, &[("what", &what)]))]
            }
            Question::Watches => self.watches((chat, words))?,
            Question::Watch(symbol, rules) => self.watch((chat, words), (symbol, rules), now)?,
            Question::Unwatch(ids) => self.unwatch((chat, words), ids)?,
        })
    }

    fn status(&self, (chat, words): (&ListedChat, &Words)) -> Result<Lines> {
        // The checks of /readyz, and in their order.
        let mut checks = vec![HealthCheck::of_records(&self.records)];
        checks.append(&mut self.monitor.health());
        let is_ready = checks.iter().all(|check| check.ok || !check.required);
        let title = fill(words.status, &[("version", crate::VERSION)]);
        let state = if is_ready { words.ready } else { words.not_ready };
        let mut lines = vec![bold(format!("{title}: {state}"))];
        for check in &checks {
            let mark = if check.ok { "✓" } else { "✗" };
            let name = check_name(check.name, chat.language);
            let detail = match (chat.language, &check.detail_ko) {
                (Language::Ko, Some(korean)) => korean,
                _ => &check.detail,
            };
            lines.push(plain(format!("{mark} {name}: {detail}")));
        }
        let counts = self.records.outbox_counts()?;
        let (waiting, held) =
            ((counts.ready + counts.sending).to_string(), counts.held.to_string());
        let values = [
            ("delivered", counts.delivered.to_string()),
            ("waiting", waiting),
            ("failed", counts.failed.to_string()),
            ("expired", counts.expired.to_string()),
            ("held", held),
        ];
        let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
        lines.push(plain(fill(words.alerts, &values)));
        Ok(lines)
    }

    fn signals(&self, (chat, words): (&ListedChat, &Words), symbol: Option<&str>) -> Result<Lines> {
        let symbol = match symbol.map(|text| self.known(words, text)).transpose() {
            Ok(symbol) => symbol,
            Err(why) => return Ok(why),
        };
        let rows = self.records.signals(&Filter { symbol, limit: MAX_ROWS })?;
        if rows.is_empty() {
            return Ok(vec![plain(words.no_signals)]);
        }
        let line = |row: &SignalRow| {
            let at = shown(row.at, chat);
            let (direction, verdict) =
                (direction(chat, row.direction), verdict((chat, words), row.ruling));
            let text = format!(
                "{at} {} {} {direction} {} · {verdict} · {} ",
                row.symbol,
                row.interval,
                money(row.price, &row.symbol),
                row.strategy
            );
            vec![NoticeText::new(NoticeStyle::Plain, text), code(&row.id.to_string())]
        };
        Ok(rows.iter().map(line).collect())
    }

    /// What an alert, or else a signal, rests on.
    fn why(&self, (chat, words): (&ListedChat, &Words), id: &str) -> Result<Lines> {
        if let Some(row) = self.alert(id)? {
            let template = wiring::spoken(&self.template, (chat.language, &chat.zone));
            let facts = template.facts(&row.alert);
            let rule = plain(rule_words(&row.alert.rule, chat.language));
            let is_said = facts.iter().any(|fact| fact.starts_with(&rule[0].text));
            let mut facts = facts.into_iter();
            let mut lines: Lines = facts.next().map(bold).into_iter().collect();
            lines.extend(facts.map(plain));
            if let (AlertKind::Signal { .. }, false) = (&row.alert.kind, is_said) {
                lines.push(rule);
            }
            let reason = row.reason.as_deref().unwrap_or_default();
            let (status, reason) = match chat.language {
                Language::En => (row.status.to_string(), reason.to_owned()),
                Language::Ko => (
                    chat.language.alert_status(row.status.as_str()),
                    chat.language.withheld(reason),
                ),
            };
            let became = match reason.is_empty() {
                true => status,
                false => fill(words.became, &[("status", &status), ("reason", &reason)]),
            };
            lines.push(plain(format!("{} · {became}", shown(row.alert.at, chat))));
            return Ok(lines);
        }
        if id.len() < MIN_ID_CHARS {
            return Ok(no_alert(words, id));
        }
        let Ok(row) = self.records.signal(id) else { return Ok(no_alert(words, id)) };
        let verdict = verdict((chat, words), row.ruling);
        let direction = direction(chat, row.direction);
        let mut lines = vec![
            bold(format!("{} {direction} {}", row.symbol, row.strategy)),
            plain(rule_words(&row.strategy, chat.language)),
            plain(format!("{} {} · {verdict}", shown(row.at, chat), money(row.price, &row.symbol))),
        ];
        lines.extend(row.facts.iter().map(|(name, value)| plain(format!("{name} {value:.4}"))));
        Ok(lines)
    }

    fn daily(&self, chat: &ListedChat, day: Day) -> Result<Lines> {
        let now = self.clock.now();
        // They come at the time of the service's zone, wherever the chat is.
        let due = self.report.daily.map(|time| Due { time, zone: &self.template.zone });
        let asked = Asked { day, zone: &chat.zone, now, watched: &self.watched, due };
        let report = gather(&self.records, &self.history, &asked)?;
        Ok(job::notice(&report, chat.language, now).lines)
    }

    fn mutes(&self, (chat, words): (&ListedChat, &Words), now: Timestamp) -> Result<Lines> {
        let mutes = self.records.mutes(now)?;
        if mutes.is_empty() {
            return Ok(vec![plain(words.none_muted)]);
        }
        let mut lines = Vec::new();
        for mute in mutes.iter().take(MAX_WATCHES) {
            lines.push(muted(words, chat, (&mute.what, mute.until)));
        }
        lines.extend(more(words, mutes.len(), MAX_WATCHES));
        Ok(lines)
    }

    fn mute(
        &self,
        (chat, words): (&ListedChat, &Words),
        (what, span): (&str, std::time::Duration),
        now: Timestamp,
    ) -> Result<Lines> {
        let what = self.symbol(what).map_or_else(|| what.to_owned(), |one| one.to_string());
        let mute = mutes::mute(&self.records, &self.engine.strategies, (&what, span), now)?;
        Ok(vec![muted(words, chat, (&mute.what, mute.until))])
    }

    /// The added watches that this chat is told of.
    fn added(&self, chat: &ListedChat) -> Result<Vec<KnownWatch>> {
        let mut rows = Vec::new();
        for row in watches::added(&self.records)? {
            let channel = self.records.watch_channel(&row.watch.id)?;
            if channel.is_none_or(|channel| channel == chat.channel) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Takes watches out that this chat is told of; where an id does not say which, they are listed.
    fn unwatch(&self, (chat, words): (&ListedChat, &Words), ids: &[String]) -> Result<Lines> {
        let rows = self.added(chat)?;
        let configured = watches::configured(&self.engine.watches);
        for id in ids {
            let of = |pattern| bold(fill(pattern, &[("id", id)]));
            let (title, listed) = match watches::meant(&rows, id)[..] {
                [_] => continue,
                [] => match watches::meant(&configured, id)[..] {
                    [] => return Ok(vec![plain(fill(words.no_watch, &[("id", id)]))]),
                    ref fixed => (of(words.fixed), fixed.to_vec()),
                },
                ref several => (of(words.several), several.to_vec()),
            };
            let shown = listed.iter().take(MAX_WATCHES).map(|row| watch_line(words, row));
            let mut lines: Lines = [title].into_iter().chain(shown).collect();
            lines.extend(more(words, listed.len(), MAX_WATCHES));
            return Ok(lines);
        }
        let rows = watches::remove(&self.records, (&rows, &self.engine.watches), ids)?;
        let mut lines = vec![bold(words.unwatched)];
        lines.extend(rows.iter().map(|row| watch_line(words, row)));
        Ok(lines)
    }

    /// The watches that this chat is told of.
    fn watches(&self, (chat, words): (&ListedChat, &Words)) -> Result<Lines> {
        let mut rows = watches::configured(&self.engine.watches);
        rows.extend(self.added(chat)?);
        if rows.is_empty() {
            return Ok(vec![plain(words.no_watches)]);
        }
        let mut lines: Lines =
            rows.iter().take(MAX_WATCHES).map(|row| watch_line(words, row)).collect();
        lines.extend(more(words, rows.len(), MAX_WATCHES));
        Ok(lines)
    }

    fn watch(
        &self,
        (chat, words): (&ListedChat, &Words),
        (symbol, rules): (&str, &[String]),
        now: Timestamp,
    ) -> Result<Lines> {
        let symbol = match self.known(words, symbol) {
            Ok(symbol) => symbol,
            Err(why) => return Ok(why),
        };
        let known = (&self.thresholds, &self.engine.watches[..]);
        let channel = Some(chat.channel.as_str());
        let wish = Wish { symbol: &symbol, rules, cooldown: None, channel };
        let granted = watches::add(&self.records, known, wish, now)?;
        let mut lines: Lines = granted.rows.iter().map(|row| watch_line(words, row)).collect();
        for rule in &granted.configured {
            let rule = rule.to_string();
            let values = [("symbol", symbol.as_str()), ("rule", &rule)];
            lines.push(plain(fill(words.configured, &values)));
        }
        Ok(lines)
    }

    /// The alert whose id begins so, among the newest.
    fn alert(&self, id: &str) -> Result<Option<AlertRow>> {
        if id.len() < MIN_ID_CHARS {
            return Ok(None);
        }
        let id = id.to_ascii_lowercase();
        let rows = self.records.alerts(&Filter::newest(MAX_SOUGHT))?;
        let mut fits = rows.into_iter().filter(|row| row.alert.id.to_string().starts_with(&id));
        match (fits.next(), fits.next()) {
            (Some(_), Some(_)) => {
                Err(Failure::usage(format!("{id} fits several alerts: write more of it")))
            }
            (found, _) => Ok(found),
        }
    }

    /// The watched instrument that is called so: with its venue or without, in any case.
    fn symbol(&self, text: &str) -> Option<&Symbol> {
        let is_exact = |one: &&Symbol| one.as_str().eq_ignore_ascii_case(text);
        let is_named = |one: &&Symbol| one.name().eq_ignore_ascii_case(text);
        self.watched.iter().find(is_exact).or_else(|| {
            let mut named = self.watched.iter().filter(is_named);
            named.next().filter(|_| named.next().is_none())
        })
    }

    fn known(&self, words: &Words, text: &str) -> std::result::Result<Symbol, Lines> {
        if let Some(symbol) = self.symbol(text) {
            return Ok(symbol.clone());
        }
        if let Ok(symbol) = text.parse::<Symbol>() {
            return Err(vec![plain(fill(words.not_watched, &[("symbol", symbol.as_str())]))]);
        }
        let names: Vec<&str> = self.watched.iter().take(MAX_NAMED).map(Symbol::as_str).collect();
        let values = [("text", text), ("watched", &names.join(", "))];
        Err(vec![plain(fill(words.no_symbol, &values))])
    }
}

fn help(words: &Words, hello: Option<&str>) -> Lines {
    let mut lines: Lines = hello.map(bold).into_iter().collect();
    for (name, takes, what) in words.commands {
        let gap = if takes.is_empty() { "" } else { " " };
        lines.push(plain(format!("/{name}{gap}{takes}: {what}")));
    }
    lines
}

fn usage(words: &Words, name: &str) -> Lines {
    let found = words.commands.iter().find(|(known, ..)| *known == name);
    let takes = found.map_or("", |(_, takes, _)| takes);
    vec![plain(format!("{}/{name} {takes}", words.usage))]
}

fn muted(words: &Words, chat: &ListedChat, (what, until): (&str, Timestamp)) -> Vec<NoticeText> {
    plain(fill(words.muted, &[("what", what), ("until", &shown(until, chat))]))
}

fn watch_line(words: &Words, row: &KnownWatch) -> Vec<NoticeText> {
    let rule = row.watch.rule.to_string();
    let origin = if row.is_configured { words.by_config } else { words.by_chat };
    let values = [
        ("symbol", row.watch.symbol.as_str()),
        ("rule", &rule),
        ("id", &row.watch.id),
        ("origin", origin),
    ];
    plain(fill(words.watched, &values))
}

fn more(words: &Words, count: usize, shown: usize) -> Option<Vec<NoticeText>> {
    let rest = count.checked_sub(shown).filter(|rest| *rest > 0)?.to_string();
    Some(plain(fill(words.more, &[("count", &rest)])))
}

fn no_alert(words: &Words, id: &str) -> Lines {
    vec![plain(fill(words.no_alert, &[("id", id)]))]
}

fn direction(chat: &ListedChat, direction: Direction) -> String {
    match chat.language {
        Language::En => direction.to_string(),
        Language::Ko => chat.language.direction(direction).to_owned(),
    }
}

fn verdict((chat, words): (&ListedChat, &Words), ruling: Option<Ruling>) -> String {
    let Some(ruling) = ruling else { return words.pending.to_owned() };
    let verdict = chat.language.verdict(ruling.as_str());
    let reason = ruling.reason().map(|reason| match chat.language {
        Language::En => reason.as_str(),
        Language::Ko => chat.language.reason(reason),
    });
    match reason {
        Some(reason) => format!("{verdict} ({reason})"),
        None => verdict.to_owned(),
    }
}

/// A price in what it is traded in, where that is known.
fn money(price: Price, symbol: &Symbol) -> String {
    match describe(symbol).currency {
        Some(currency) => format!("{price} {currency}"),
        None => price.to_string(),
    }
}

/// A moment in the chat's zone, which it names.
fn shown(at: Timestamp, chat: &ListedChat) -> String {
    jiff::Timestamp::from_second(at.secs()).map_or_else(
        |_| at.to_string(),
        |instant| {
            let local = instant.to_zoned(chat.zone.clone());
            local.strftime("%m-%d %H:%M %Z").to_string()
        },
    )
}

fn plain(text: impl Into<String>) -> Vec<NoticeText> {
    vec![NoticeText::new(NoticeStyle::Plain, text)]
}

fn bold(text: impl Into<String>) -> Vec<NoticeText> {
    vec![NoticeText::new(NoticeStyle::Bold, text)]
}

fn code(id: &str) -> NoticeText {
    NoticeText::new(NoticeStyle::Code, &id[..id.len().min(12)])
}

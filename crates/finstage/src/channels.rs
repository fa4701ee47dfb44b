//! What is kept for a channel stays its own when the configuration changes: the file may be sorted anew, a
//! channel may get another name or go.
//!
//! Messages, digests and the watches of a chat hang on the channel's name. The store remembers where each name
//! led at the last start, so that a chat keeps what is its own under another name, and nothing goes to another
//! chat that has taken over a name.

use std::collections::BTreeMap;
use std::fmt;

use finstage_model::Timestamp;
use finstage_store::records::{Records, Renamed};

use crate::config::channels::LOG;
use crate::config::settings::{NotifySettings, Settings};
use crate::exit::Result;
use crate::report::Language;

/// Where the store keeps which name led where at the last start.
const REMEMBERED: &str = "channels";
/// The most names of channels that are gone which are remembered.
const MAX_GONE: usize = 200;
/// Kinds that were named by their place in the file, before the store remembered where names lead.
const KINDS: [&str; 2] = ["telegram", "webhook"];

/// A channel that something was kept for, and that is in the configuration no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Its name.
    pub name: String,
    /// Messages that wait for it, or were given up.
    pub messages: u64,
    /// Watches that speak in its chat alone, and so nowhere.
    pub watches: u64,
}

impl Gone {
    /// In the words of `language`.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        if language == Language::En {
            return self.to_string();
        }
        let Self { name, messages, watches } = self;
        let mut text = format!("{name}: [[notify]]에 더 이상 없습니다");
        if *messages > 0 {
            text.push_str(&format!("; 보내지 못하는 메시지 {messages}건"));
        }
        if *watches > 0 {
            text.push_str(&format!(
                "; 알릴 곳이 없는 감시 {watches}개: `finstage watch add`로 다시 추가하거나 삭제하세요"
            ));
        }
        text
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, messages, watches } = self;
        write!(f, "{name} is in no [[notify]] any more")?;
        match messages {
            0 => {}
            1 => f.write_str("; 1 message for it is not sent")?,
            more => write!(f, "; {more} messages for it are not sent")?,
        }
        match watches {
            0 => Ok(()),
            1 => f.write_str(
                "; 1 watch of its chat tells nobody: `finstage watch add` it again, or remove it",
            ),
            more => write!(
                f,
                "; {more} watches of its chat tell nobody: `finstage watch add` them again, or remove them"
            ),
        }
    }
}

/// The names of all channels; the log where none is set.
#[must_use]
pub fn names(settings: &Settings) -> Vec<String> {
    destinations(settings).into_keys().collect()
}

/// What is kept for channels that are not in the configuration.
///
/// # Errors
/// When the records cannot be read.
pub fn gone(settings: &Settings, records: &Records) -> Result<Vec<Gone>> {
    let known = destinations(settings);
    let mut found: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (name, count) in records.outbox_waiting()? {
        found.entry(name).or_default().0 = count;
    }
    for (name, count) in records.watches_by_channel()? {
        found.entry(name).or_default().1 = count;
    }
    found.retain(|name, _| !known.contains_key(name));
    let gone = |(name, (messages, watches))| Gone { name, messages, watches };
    Ok(found.into_iter().map(gone).collect())
}

/// Before anything is sent: what is kept under old names goes over to the new ones, and what waits for
/// channels that are gone is given up. Says so in the log.
///
/// # Errors
/// When the records cannot be read or written.
pub fn settle(settings: &Settings, records: &Records, now: Timestamp) -> Result<Vec<Gone>> {
    let present = destinations(settings);
    let remembered = records.meta(REMEMBERED)?;
    let before = remembered.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let renamed = match &before {
        Some(before) => moved(before, &present),
        None => placed(&records.channels_known()?.into_iter().collect::<Vec<_>>(), settings),
    };
    records.rename_channels(&renamed)?;
    for Renamed { from, to } in &renamed {
        tracing::warn!("the channel {from} is called {to} now, and keeps its messages and watches");
    }
    let known = remember((before.unwrap_or_default(), &present), &renamed);
    let text = serde_json::to_string(&known).expect("texts are always JSON");
    if remembered.as_deref() != Some(&text) {
        records.set_meta(REMEMBERED, &text)?;
    }
    let gone = gone(settings, records)?;
    let known: Vec<String> = present.into_keys().collect();
    records.outbox_abandon(&known, now)?;
    for one in &gone {
        tracing::warn!("the channel {one}");
    }
    Ok(gone)
}

/// Where each channel leads, by name.
fn destinations(settings: &Settings) -> BTreeMap<String, String> {
    let log = settings.notify.is_empty().then_some(&NotifySettings::Log);
    let all = settings.notify.iter().chain(log);
    all.map(|one| (one.name().to_owned(), one.destination())).collect()
}

/// What the next start has to know: where names lead, those of channels that are gone as well, for they may come
/// back, or their names be given to others.
fn remember(
    (mut before, present): (BTreeMap<String, String>, &BTreeMap<String, String>),
    renamed: &[Renamed],
) -> BTreeMap<String, String> {
    // All are taken out before the first gets its new name: that may be the old one of another.
    let take = |one: &Renamed| Some((one.to.clone(), before.remove(&one.from)?));
    let taken: Vec<(String, String)> = renamed.iter().filter_map(take).collect();
    before.extend(taken);
    before.retain(|name, _| !present.contains_key(name));
    while before.len() > MAX_GONE {
        before.pop_first();
    }
    before.extend(present.clone());
    before
}

/// What has another name than at the last start, by where it leads.
fn moved(before: &BTreeMap<String, String>, present: &BTreeMap<String, String>) -> Vec<Renamed> {
    let mut renamed = Vec::new();
    for (name, place) in before {
        if present.get(name) == Some(place) {
            continue;
        }
        // One that was there before under its own name has things of its own.
        let is_new = |to: &&String| before.get(*to) != Some(place);
        let mut leads = present.iter().filter(|(_, at)| *at == place).map(|(to, _)| to);
        let to = match leads.find(is_new) {
            Some(to) => to.clone(),
            // The name leads somewhere else now: who is there must not get what was meant for another.
            None if present.contains_key(name) => {
                format!("{name}~{}", place.get(6..).unwrap_or(place))
            }
            None => continue,
        };
        renamed.push(Renamed { from: name.clone(), to });
    }
    renamed
}

/// Of the time when channels were called after their place in the file: only where there was one of a kind, and
/// is one, nobody can be mixed up.
fn placed(known: &[String], settings: &Settings) -> Vec<Renamed> {
    let mut renamed = Vec::new();
    for kind in KINDS {
        let is_placed = |name: &&String| {
            let rest = name.strip_prefix(kind);
            rest.is_some_and(|rest| {
                let place = rest.strip_prefix('-');
                rest.is_empty() || place.is_some_and(|n| n.len() < 3 && n.parse::<u8>().is_ok())
            })
        };
        let old: Vec<&String> = known.iter().filter(is_placed).collect();
        let of_kind = |one: &&NotifySettings| match one {
            NotifySettings::Telegram { .. } => kind == "telegram",
            NotifySettings::Webhook { .. } => kind == "webhook",
            NotifySettings::Log => kind == LOG,
        };
        let new: Vec<&NotifySettings> = settings.notify.iter().filter(of_kind).collect();
        if let ([from], [to]) = (&old[..], &new[..])
            && from.as_str() != to.name()
        {
            renamed.push(Renamed { from: (*from).clone(), to: to.name().to_owned() });
        }
    }
    renamed
}

#[cfg(test)]
mod tests {
    use finstage_model::{Alert, AlertId, AlertKind, Decision, Position};
    use finstage_store::records::{
        AddedWatch, AlertStatus, Batch, Filter, NewAlert, Route, RunDigest,
    };

    use super::*;
    use crate::config::parse;

    fn chat(id: u32, more: &str) -> String {
        format!(
            "[[notify]]\nkind = \"telegram\"\nchat = \"{id}\"\ntoken = \"1:a\"\ncommands = true\n{more}"
        )
    }

    fn settings(text: &str) -> Settings {
        parse("f", text, &[]).unwrap()
    }

    fn at() -> Timestamp {
        "2026-11-30T04:00:00Z".parse().unwrap()
    }

    /// A store with an alert that waits for `channel`, and a watch of its chat.
    fn house(channel: &str) -> (Records, AddedWatch) {
        let records = Records::open_in_memory().unwrap();
        let watch = AddedWatch::new("a:B".parse().unwrap(), "rise=3%".parse().unwrap(), None, at());
        let alert = Alert {
            id: AlertId(42),
            kind: AlertKind::Watch { base: "100".parse().unwrap() },
            symbol: watch.symbol.clone(),
            rule: "rise=3%".into(),
            words: String::new(),
            price: "103".parse().unwrap(),
            currency: None,
            at: at(),
            said_at: at(),
            data_age_ms: 0,
            decision: Decision::Send,
        };
        let mut batch = Batch::new(Position::START, RunDigest::default());
        let route = Route::Notify(vec![channel.to_owned()]);
        batch.alerts.push(NewAlert { alert, route });
        records.apply(&batch).unwrap();
        records.watch_add(&watch).unwrap();
        records.set_watch_channel(&watch.id, Some(channel)).unwrap();
        (records, watch)
    }

    fn state(records: &Records, watch: &AddedWatch) -> (Vec<(String, u64)>, Option<String>) {
        (records.outbox_waiting().unwrap(), records.watch_channel(&watch.id).unwrap())
    }

    fn kept(channel: &str) -> (Vec<(String, u64)>, Option<String>) {
        (vec![(channel.to_owned(), 1)], Some(channel.to_owned()))
    }

    #[test]
    fn a_file_that_is_sorted_anew_or_a_new_name_takes_nothing_from_a_chat_and_gives_it_to_no_other()
    {
        let (records, watch) = house("telegram-42");
        let start = |text: &str| settle(&settings(text), &records, at()).unwrap();
        start(&chat(42, ""));
        // (a) and (b): another channel, another chat listed first.
        let hook = "[[notify]]\nkind = \"webhook\"\nurl = \"https://e.org/x\"\nsecret = \"0123456789abcdef\"\n";
        assert_eq!(start(&format!("{hook}{}{}", chat(43, ""), chat(42, ""))), []);
        assert_eq!(state(&records, &watch), kept("telegram-42"));
        assert_eq!(start(&format!("{}{}", chat(43, ""), chat(42, "name = \"ann\"\n"))), []);
        assert_eq!(state(&records, &watch), kept("ann"));
        // Another chat takes over the name, while the first one gets a new one.
        let swapped = format!("{}{}", chat(43, "name = \"ann\"\n"), chat(42, "name = \"bob\"\n"));
        assert_eq!(start(&swapped), []);
        assert_eq!(state(&records, &watch), kept("bob"));
        // The name of a chat that is gone is given to another: it gets nothing of it.
        let gone = start(&chat(43, "name = \"bob\"\n"));
        assert_eq!((gone.len(), gone[0].messages, gone[0].watches), (1, 1, 1));
        let (waiting, channel) = state(&records, &watch);
        assert_eq!(waiting, []);
        assert!(channel.unwrap().starts_with("bob~"));
        // It is back, under any name.
        assert_eq!(start(&format!("{}{}", chat(43, "name = \"bob\"\n"), chat(42, ""))), []);
        assert_eq!(state(&records, &watch).1.as_deref(), Some("telegram-42"));
        start(&chat(43, ""));
        start(&chat(43, "name = \"telegram-42\"\n"));
        assert!(state(&records, &watch).1.unwrap().starts_with("telegram-42~"), "also later");
    }

    #[test]
    fn what_waits_for_a_channel_that_is_gone_is_given_up_and_said() {
        let (records, _) = house("telegram-42");
        settle(&settings(&chat(42, "")), &records, at()).unwrap();
        let now = settings(&chat(43, ""));
        let said = "telegram-42 is in no [[notify]] any more; 1 message for it is not sent; \
            1 watch of its chat tells nobody: `finstage watch add` it again, or remove it";
        assert_eq!(gone(&now, &records).unwrap()[0].to_string(), said);
        assert_eq!(settle(&now, &records, at()).unwrap()[0].to_string(), said);
        let row = records.alerts(&Filter::newest(1)).unwrap().remove(0);
        assert_eq!(row.status, AlertStatus::Expired);
        assert_eq!(gone(&now, &records).unwrap()[0].messages, 0, "once");
    }

    #[test]
    fn a_name_after_a_place_in_the_file_is_carried_over_only_where_nobody_can_be_mixed_up() {
        let (records, watch) = house("telegram-1");
        let log = "[[notify]]\nkind = \"log\"\n";
        assert_eq!(
            settle(&settings(&format!("{log}{}", chat(42, ""))), &records, at()).unwrap(),
            []
        );
        assert_eq!(state(&records, &watch), kept("telegram-42"));
        let (records, _) = house("telegram");
        let two = settings(&format!("{}{}", chat(43, ""), chat(42, "")));
        assert_eq!(settle(&two, &records, at()).unwrap()[0].name, "telegram", "perhaps of 43");
    }
}

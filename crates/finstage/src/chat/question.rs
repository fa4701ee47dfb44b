//! What a command asks for: names and words, read once, in one place.

use std::time::Duration;

use finstage_model::Day;

use crate::mutes;

/// How long something is muted where nobody says.
pub(super) const USUAL_MUTE: Duration = Duration::from_secs(8 * 3_600);
/// The verb of the button that explains an alert.
pub const WHY: &str = "why";
/// The verb of the button that mutes the instrument of an alert.
pub const MUTE: &str = "mute";

/// What somebody in a chat wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// `/start`
    Start,
    /// `/help`, and words that are no command.
    Help,
    /// `/status`
    Status,
    /// `/signals [SYMBOL]`
    Signals(Option<String>),
    /// `/why ID`
    Why(String),
    /// `/today`
    Today,
    /// `/report hourly`
    Hourly,
    /// `/report daily [DATE]`
    Daily(Option<Day>),
    /// `/mute` alone: what is muted.
    Mutes,
    /// `/mute WHAT [8h]`
    Mute(String, Duration),
    /// The button below an alert.
    MuteAlert(String),
    /// `/unmute WHAT`
    Unmute(String),
    /// `/watch list`
    Watches,
    /// `/watch SYMBOL [RULE…]`
    Watch(String, Vec<String>),
    /// `/unwatch ID…`
    Unwatch(Vec<String>),
    /// A command that there is, with words that it does not take.
    Misused(&'static str),
    /// A command that there is not.
    Unknown,
    /// More than is answered in a minute.
    TooMany,
}

/// Reads a command.
pub(super) fn question(name: &str, args: &[String]) -> Question {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let owned = |text: &str| text.to_owned();
    match (name, &args[..]) {
        ("start", _) => Question::Start,
        ("help", _) => Question::Help,
        ("status", []) => Question::Status,
        ("signals", []) => Question::Signals(None),
        ("signals", [symbol]) => Question::Signals(Some(owned(symbol))),
        ("why", [id]) => Question::Why(owned(id)),
        ("today", []) => Question::Today,
        ("report", [] | ["daily"]) => Question::Daily(None),
        ("report", ["hourly"]) => Question::Hourly,
        ("report", ["daily", date]) => {
            date.parse().map_or(Question::Misused("report"), |day| Question::Daily(Some(day)))
        }
        ("mute", []) => Question::Mutes,
        ("mute", [what]) => Question::Mute(owned(what), USUAL_MUTE),
        ("mute", [what, span]) => mutes::span(span)
            .map_or(Question::Misused("mute"), |span| Question::Mute(owned(what), span)),
        ("unmute", [what]) => Question::Unmute(owned(what)),
        ("watch", [] | ["list"]) => Question::Watches,
        ("watch", [symbol, rules @ ..]) => {
            Question::Watch(owned(symbol), rules.iter().map(|rule| owned(rule)).collect())
        }
        ("unwatch", ids @ [_, ..]) => Question::Unwatch(ids.iter().map(|id| owned(id)).collect()),
        ("status", _) => Question::Misused("status"),
        ("signals", _) => Question::Misused("signals"),
        ("why", _) => Question::Misused("why"),
        ("today", _) => Question::Misused("today"),
        ("report", _) => Question::Misused("report"),
        ("mute", _) => Question::Misused("mute"),
        ("unmute", _) => Question::Misused("unmute"),
        ("unwatch", _) => Question::Misused("unwatch"),
        _ => Question::Unknown,
    }
}

/// Reads the press of a button.
pub(super) fn pressed(verb: &str, about: &str) -> Question {
    match verb {
        WHY => Question::Why(about.to_owned()),
        MUTE => Question::MuteAlert(about.to_owned()),
        _ => Question::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Question {
        let mut words = text.split_whitespace().map(str::to_owned);
        let name = words.next().unwrap();
        question(&name, &words.collect::<Vec<_>>())
    }

    #[test]
    fn every_command_is_read_and_a_misused_one_is_told_apart_from_none() {
        let hour = Duration::from_secs(3_600);
        for (text, question) in [
            ("status", Question::Status),
            ("signals BTCUSDT", Question::Signals(Some("BTCUSDT".into()))),
            ("why 00ab", Question::Why("00ab".into())),
            ("report", Question::Daily(None)),
            ("report hourly", Question::Hourly),
            ("report daily 2026-11-29", Question::Daily(Some("2026-11-29".parse().unwrap()))),
            ("report weekly", Question::Misused("report")),
            ("mute", Question::Mutes),
            ("mute rise", Question::Mute("rise".into(), 8 * hour)),
            ("mute rise 1h", Question::Mute("rise".into(), hour)),
            ("mute rise 31d", Question::Misused("mute")),
            ("mute rise soon", Question::Misused("mute")),
            ("unmute", Question::Misused("unmute")),
            ("watch", Question::Watches),
            (
                "watch x:A rise=3% drop=3%",
                Question::Watch("x:A".into(), vec!["rise=3%".into(), "drop=3%".into()]),
            ),
            ("unwatch ab cd", Question::Unwatch(vec!["ab".into(), "cd".into()])),
            ("frobnicate", Question::Unknown),
        ] {
            assert_eq!(asked(text), question, "{text}");
        }
        assert_eq!(pressed("why", "1"), Question::Why("1".into()));
        assert_eq!(pressed("buy", "1"), Question::Unknown);
    }
}

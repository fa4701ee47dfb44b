//! What `[alerts] quiet`, `digest` and the keys of a channel beside its address mean: when it is silent, how
//! much it takes, in which language and zone, and whether its chat may command.

use finstage_notify::{DigestWords, Holding, Level, Quiet};
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::raw::{Raw, RawNotify};
use super::settings::Resolver;
use crate::exit::Result;
use crate::report::Language;

/// What turns a time off.
const OFF: &str = "off";

/// How a channel behaves.
#[derive(Debug, Clone, Default)]
pub struct Manners {
    /// The language of answers and digests.
    pub language: Language,
    /// What it holds back, and the zone of its times.
    pub holding: Holding,
    /// Whether its chat may command the bot.
    pub commands: bool,
}

impl Manners {
    /// The zone of its times.
    #[must_use]
    pub const fn zone(&self) -> &TimeZone {
        &self.holding.zone
    }
}

/// What holds for all channels that say nothing else.
#[derive(Debug, Clone, Copy)]
pub(super) struct House<'a> {
    pub(super) raw: &'a Raw,
    pub(super) timezone: &'a str,
    pub(super) language: Language,
}

impl Resolver<'_> {
    /// The manners of each `[[notify]]`, and last those of a channel that stands nowhere.
    pub(super) fn manners(&self, house: House<'_>) -> Result<(Vec<Manners>, Manners)> {
        let nothing = RawNotify::default();
        let usual = self.manners_of("alerts", &nothing, house)?;
        let own = house.raw.notify.iter().enumerate();
        let own = own.map(|(i, raw)| self.manners_of(&format!("notify[{i}]"), raw, house));
        Ok((own.collect::<Result<_>>()?, usual))
    }

    fn manners_of(&self, key: &str, own: &RawNotify, house: House<'_>) -> Result<Manners> {
        let alerts = &house.raw.alerts;
        let name = own.timezone.as_deref().unwrap_or(house.timezone);
        let Ok(zone) = TimeZone::get(name) else {
            let why =
                format!("\"{name}\" is not a time zone: write an IANA name such as Asia/Seoul");
            return self.refuse(&format!("{key}.timezone"), why);
        };
        let language = match own.language.as_deref().map(str::parse) {
            None => house.language,
            Some(Ok(language)) => language,
            Some(Err(why)) => return self.refuse(&format!("{key}.language"), why),
        };
        let level = match own.send.as_deref() {
            None | Some("unproven") => Level::All,
            Some("verified") => Level::Verified,
            Some(other) => {
                let why = format!("\"{other}\": write \"verified\" or \"unproven\"");
                return self.refuse(&format!("{key}.send"), why);
            }
        };
        // Where a key stands decides which line an error names.
        let pick = |own: &Option<String>, usual: &Option<String>, name: &str| match own {
            Some(text) => (Some(text.clone()), format!("{key}.{name}")),
            None => (usual.clone(), format!("alerts.{name}")),
        };
        let (quiet, place) = pick(&own.quiet, &alerts.quiet, "quiet");
        let quiet = match quiet.as_deref() {
            None | Some(OFF) => None,
            Some(text) => match text.parse::<Quiet>() {
                Ok(quiet) => Some(quiet),
                Err(why) => return self.refuse(&place, format!("\"{text}\": {why}, or \"off\"")),
            },
        };
        let (digest, place) = pick(&own.digest, &alerts.digest, "digest");
        let digest = match digest.as_deref() {
            None | Some(OFF) => None,
            Some(text) => match Time::strptime("%H:%M", text) {
                Ok(time) => Some(time),
                Err(_) => {
                    let why =
                        format!("\"{text}\" is not a time of the day: write \"08:00\", or \"off\"");
                    return self.refuse(&place, why);
                }
            },
        };
        let words = match language {
            Language::En => &DigestWords::ENGLISH,
            Language::Ko => &DigestWords::KOREAN,
        };
        let holding = Holding { zone, quiet, per_hour: own.per_hour, level, digest, words };
        Ok(Manners { language, holding, commands: self.commands(key, own)? })
    }

    fn commands(&self, key: &str, own: &RawNotify) -> Result<bool> {
        if own.commands != Some(true) {
            return Ok(false);
        }
        let is_number = own.chat.as_deref().is_some_and(|chat| chat.parse::<i64>().is_ok());
        if own.kind == "telegram" && is_number {
            return Ok(true);
        }
        self.refuse(
            &format!("{key}.commands"),
            "only a Telegram chat with a number can command: nobody writes to the bot elsewhere",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "[[notify]]\nkind = \"telegram\"\nchat = \"42\"\ntoken = \"1:a\"\n";

    fn manners(text: &str) -> Manners {
        crate::config::parse("f", text, &[]).unwrap().manners.0.remove(0)
    }

    #[test]
    fn a_channel_says_itself_what_it_wants_else_all_channels_are_alike() {
        let house = "[display]\ntimezone = \"Asia/Seoul\"\nlanguage = \"ko\"\n\
            [alerts]\nquiet = \"23:00-07:00\"\ndigest = \"08:00\"\n";
        let usual = manners(&format!("{house}{CHAT}"));
        assert_eq!(usual.holding.quiet, Some("23:00-07:00".parse().unwrap()));
        assert_eq!(usual.holding.digest, Some(Time::constant(8, 0, 0, 0)));
        assert_eq!((usual.language, usual.commands), (Language::Ko, false));
        assert_eq!(usual.zone().iana_name(), Some("Asia/Seoul"));
        let own = manners(&format!(
            "{house}{CHAT}quiet = \"off\"\ndigest = \"off\"\nlanguage = \"en\"\ntimezone = \"UTC\"\n\
             send = \"verified\"\nper_hour = 4\ncommands = true\n"
        ));
        assert_eq!((own.holding.quiet, own.holding.digest), (None, None));
        assert_eq!((own.holding.level, own.holding.per_hour), (Level::Verified, Some(4)));
        assert_eq!((own.language, own.commands), (Language::En, true));
        let (_, nowhere) = crate::config::parse("f", house, &[]).unwrap().manners;
        assert!(nowhere.holding.quiet.is_some(), "the log is a channel too");
    }

    #[test]
    fn manners_that_make_no_sense_are_refused_where_they_stand() {
        let refused = |text: &str| crate::config::parse("f", text, &[]).unwrap_err().to_string();
        let why = refused("[alerts]\nquiet = \"at night\"\n");
        assert!(why.starts_with("f:2: alerts.quiet: \"at night\": write two times"), "{why}");
        let why = refused(&format!("{CHAT}digest = \"noon\"\n"));
        assert!(why.starts_with("f:5: notify[0].digest"), "{why}");
        let why = refused("[[notify]]\nkind = \"log\"\ncommands = true\n");
        assert!(why.contains("only a Telegram chat"), "{why}");
        let why = refused(&format!("{}commands = true\n", CHAT.replace("42", "@prices")));
        assert!(why.contains("only a Telegram chat"), "{why}");
    }
}

//! What a channel holds back: at night, beyond so many alerts an hour, below its level.
//!
//! The engine decides what is worth an alert; a channel decides what of it may ring a person's phone now.
//! That depends on when the message has its turn, so it cannot be replayed: it is written into the
//! outbox with its reason instead, and told in a digest. Notices are never lost: one that is not urgent
//! waits for the morning, and one that is critical passes.

use std::time::Duration;

use finstage_model::{Alert, AlertKind, Ruling, Timestamp};
use finstage_store::records::{
    HeldAlert, Moments, Notice, NoticeKind, NoticeStyle, NoticeText, OTHER_CHAT,
};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

use crate::template::{fill, money};

/// The span that an hourly cap counts in.
pub const HOUR: Duration = Duration::from_secs(3_600);
/// A digest older than this is not sent.
pub const MAX_DIGEST_AGE: Duration = Duration::from_secs(24 * 3_600);
/// Seconds of a day whose clocks are not set.
const DAY_S: i32 = 24 * 3_600;
/// Alerts that a digest names; the others are counted.
pub const MAX_DIGEST_ALERTS: usize = 40;

/// What one channel holds back, and when it tells of it. The default holds nothing back.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The zone of its times.
    pub zone: TimeZone,
    /// When alerts stay silent.
    pub quiet: Option<Quiet>,
    /// The most alerts within an hour.
    pub per_hour: Option<u32>,
    /// Which alerts it wants.
    pub level: Level,
    /// When it tells what it held back; `None`: at the end of the quiet hours, if there are any.
    pub digest: Option<Time>,
    /// The words of the digest.
    pub words: &'static DigestWords,
}

impl Default for Holding {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            quiet: None,
            per_hour: None,
            level: Level::All,
            digest: None,
            words: &DigestWords::ENGLISH,
        }
    }
}

/// Which alerts a channel wants, of those that leave the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// All.
    #[default]
    All,
    /// Signals that are verified, in direction or size, and what watches say.
    Verified,
}

/// Hours of the day, which may pass midnight. Text form: `23:00-07:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// The first moment.
    pub from: Time,
    /// The first moment after them.
    pub until: Time,
}

impl std::str::FromStr for Quiet {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
        let ends = text.split_once('-').and_then(|(from, until)| time(from).zip(time(until)));
        match ends {
            Some((from, until)) if from != until => Ok(Self { from, until }),
            _ => Err("write two times of the day, as in \"23:00-07:00\""),
        }
    }
}

impl Quiet {
    fn holds(self, time: Time) -> bool {
        let (from, until) = (seconds(self.from), seconds(self.until));
        let time = seconds(time);
        if from < until { from <= time && time < until } else { time >= from || time < until }
    }
}

fn seconds(time: Time) -> i32 {
    i32::from(time.hour()) * 3_600 + i32::from(time.minute()) * 60 + i32::from(time.second())
}

/// Why a channel holds an alert back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It was quiet.
    QuietHours,
    /// The channel had as many alerts as it wants in an hour.
    HourlyCap,
    /// The channel wants verified signals.
    Level,
    /// The watch was added in the chat of another channel.
    OtherChat,
}

impl Held {
    /// The machine word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QuietHours => "quiet_hours",
            Self::HourlyCap => "channel_cap",
            Self::Level => "channel_level",
            Self::OtherChat => OTHER_CHAT,
        }
    }
}

impl Holding {
    /// Why an alert whose turn it is at `now` is held back, if it is. `delivered` is asked only where a
    /// cap is set: how many alerts the channel delivered within the [`HOUR`] before.
    ///
    /// # Errors
    /// That of `delivered`.
    pub fn alert<E>(
        &self,
        alert: &Alert,
        now: Timestamp,
        delivered: impl FnOnce() -> Result<u64, E>,
    ) -> Result<Option<Held>, E> {
        if self.level == Level::Verified && !is_verified(&alert.kind) {
            return Ok(Some(Held::Level));
        }
        if self.quiet_until(now).is_some() {
            return Ok(Some(Held::QuietHours));
        }
        match self.per_hour {
            Some(most) if delivered()? >= u64::from(most) => Ok(Some(Held::HourlyCap)),
            _ => Ok(None),
        }
    }

    /// Until when a notice whose turn it is at `now` waits, if it does.
    #[must_use]
    pub fn notice(&self, kind: NoticeKind, now: Timestamp) -> Option<Timestamp> {
        match kind {
            NoticeKind::Muted | NoticeKind::Threshold | NoticeKind::Hourly => self.quiet_until(now),
            // Asked for, or at a time that was set, or so bad that somebody must get up.
            NoticeKind::Report | NoticeKind::Critical | NoticeKind::Digest | NoticeKind::Answer => {
                None
            }
        }
    }

    /// By how much older a notice of this kind may be when it is sent: it may have waited so long. The status of
    /// an hour says nothing any more when the hour is over.
    #[must_use]
    pub fn patience(&self, kind: NoticeKind) -> Duration {
        let (Some(quiet), NoticeKind::Muted | NoticeKind::Threshold) = (self.quiet, kind) else {
            return Duration::ZERO;
        };
        let hours = (seconds(quiet.until) - seconds(quiet.from)).rem_euclid(DAY_S);
        // Clocks may be set back in between.
        Duration::from_secs(u64::from(hours.unsigned_abs())) + HOUR
    }

    /// The end of the quiet hours that hold `now`.
    fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        let quiet = self.quiet?;
        let local = self.local(now)?;
        if !quiet.holds(local.time()) {
            return None;
        }
        let today = self.at(&local, quiet.until)?;
        if today > now {
            return Some(today);
        }
        let tomorrow = local.checked_add(Span::new().days(1)).ok()?;
        self.at(&tomorrow, quiet.until)
    }

    /// The last moment up to `now` at which a digest was due, if this channel has digests.
    #[must_use]
    pub fn digest_due(&self, now: Timestamp) -> Option<Timestamp> {
        let time = self.digest.or_else(|| self.quiet.map(|quiet| quiet.until))?;
        let local = self.local(now)?;
        let today = self.at(&local, time)?;
        if today <= now {
            return Some(today);
        }
        let yesterday = local.checked_sub(Span::new().days(1)).ok()?;
        self.at(&yesterday, time)
    }

    /// What the digest that was due at the end of `within` says of what `channel` held back; nothing where
    /// it held back nothing.
    #[must_use]
    pub fn digest(&self, channel: &str, within: Moments, held: &[HeldAlert]) -> Option<Notice> {
        if held.is_empty() {
            return None;
        }
        let words = self.words;
        let line = |style, text: String| vec![NoticeText::new(style, text)];
        let count = held.len().to_string();
        let title = if held.len() == 1 { words.title_one } else { words.title };
        let mut lines = vec![line(NoticeStyle::Bold, fill(title, &[("count", &count)]))];
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for one in held {
            match reasons.iter_mut().find(|(reason, _)| *reason == one.reason) {
                Some((_, count)) => *count += 1,
                None => reasons.push((&one.reason, 1)),
            }
        }
        for (reason, count) in reasons {
            let why = (words.reason)(reason);
            lines.push(line(NoticeStyle::Plain, format!("{count} {why}")));
        }
        lines.push(Vec::new());
        for one in held.iter().take(MAX_DIGEST_ALERTS) {
            let HeldAlert { alert, .. } = one;
            let at = self.local(alert.at).map(|at| at.strftime("%H:%M %Z").to_string());
            let at = at.unwrap_or_default();
            let price = money(alert.price, alert.currency.as_deref());
            let text = format!("{at} {} {} {price} ", alert.symbol, alert.rule);
            let id = alert.id.to_string()[..12].to_owned();
            lines.push(vec![
                NoticeText::new(NoticeStyle::Plain, text),
                NoticeText::new(NoticeStyle::Code, id),
            ]);
        }
        let rest = held.len().saturating_sub(MAX_DIGEST_ALERTS);
        if rest > 0 {
            let rest = rest.to_string();
            lines.push(line(NoticeStyle::Italic, fill(words.more, &[("count", &rest)])));
        }
        let kind = NoticeKind::Digest;
        Some(Notice {
            id: kind.id(&format!("{channel} {}", within.until)),
            kind,
            said_at: within.until,
            max_age: MAX_DIGEST_AGE,
            lines,
        })
    }

    fn local(&self, at: Timestamp) -> Option<Zoned> {
        let instant = jiff::Timestamp::from_second(at.secs()).ok()?;
        Some(instant.to_zoned(self.zone.clone()))
    }

    /// A time of the day of `day`. Where clocks jump over it, the moment of the jump.
    fn at(&self, day: &Zoned, time: Time) -> Option<Timestamp> {
        let moment = self.zone.to_ambiguous_timestamp(day.date().to_datetime(time)).compatible();
        Some(Timestamp::from_secs(moment.ok()?.as_second()))
    }
}

const fn is_verified(kind: &AlertKind) -> bool {
    match kind {
        AlertKind::Watch { .. } | AlertKind::Signal { size: Some(_), .. } => true,
        AlertKind::Signal { ruling, .. } => matches!(ruling, Ruling::Verified { .. }),
    }
}

/// The words of a digest, in one language.
#[derive(Debug)]
pub struct DigestWords {
    title: &'static str,
    title_one: &'static str,
    more: &'static str,
    reason: fn(&str) -> &'static str,
}

impl DigestWords {
    /// English.
    pub const ENGLISH: Self = Self {
        title: "Held back since the last digest: {count} alerts",
        title_one: "Held back since the last digest: {count} alert",
        more: "and {count} more: `finstage alerts list --status withheld`",
        reason: |word| match word {
            "quiet_hours" => "in the quiet hours",
            "channel_cap" => "beyond the channel's hourly cap",
            "channel_level" => "not verified, and this channel wants verified signals",
            _ => "for another reason",
        },
    };
    /// Korean.
    pub const KOREAN: Self = Self {
        title: "지난 요약 이후 보류한 알림 {count}건",
        title_one: "지난 요약 이후 보류한 알림 {count}건",
        more: "외 {count}건: `finstage alerts list --status withheld`",
        reason: |word| match word {
            "quiet_hours" => "건: 조용한 시간",
            "channel_cap" => "건: 채널의 시간당 한도 초과",
            "channel_level" => "건: 미입증 신호 (이 채널은 검증된 신호만 받음)",
            _ => "건: 그 밖의 사유",
        },
    };
}

#[cfg(test)]
mod tests {
    use finstage_model::{AlertId, Decision};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn seoul() -> Holding {
        Holding {
            zone: TimeZone::get("Asia/Seoul").unwrap(),
            quiet: Some("23:00-07:00".parse().unwrap()),
            ..Holding::default()
        }
    }

    fn alert() -> Alert {
        Alert {
            id: AlertId(42),
            kind: AlertKind::Watch { base: "100".parse().unwrap() },
            symbol: "binance:BTCUSDT".parse().unwrap(),
            rule: "rise=3%".into(),
            words: "The price rose.".into(),
            price: "103.2".parse().unwrap(),
            currency: Some("USDT".into()),
            at: at("2026-11-21T15:30:00Z"),
            said_at: at("2026-11-21T15:30:00Z"),
            data_age_ms: 0,
            decision: Decision::Send,
        }
    }

    fn decide(holding: &Holding, now: &str, delivered: u64) -> Option<Held> {
        holding.alert(&alert(), at(now), || Ok::<_, ()>(delivered)).unwrap()
    }

    #[test]
    fn quiet_hours_are_those_of_the_channel_s_zone_and_pass_midnight() {
        let holding = seoul();
        for (now, held) in [
            ("2026-11-21T13:59:59Z", None),
            ("2026-11-21T14:00:00Z", Some(Held::QuietHours)),
            ("2026-11-21T21:59:59Z", Some(Held::QuietHours)),
            ("2026-11-21T22:00:00Z", None),
        ] {
            assert_eq!(decide(&holding, now, 0), held, "{now}");
        }
    }

    #[test]
    fn a_cap_counts_only_what_was_delivered_within_the_hour() {
        let holding = Holding { per_hour: Some(2), ..Holding::default() };
        assert_eq!(decide(&holding, "2026-11-21T13:00:00Z", 1), None);
        assert_eq!(decide(&holding, "2026-11-21T13:00:00Z", 2), Some(Held::HourlyCap));
    }

    #[test]
    fn a_channel_of_verified_signals_holds_the_others_back_and_lets_watches_pass() {
        let holding = Holding { level: Level::Verified, ..Holding::default() };
        assert_eq!(decide(&holding, "2026-11-21T13:00:00Z", 0), None);
        let reason = finstage_model::Reason::NoEvidence;
        let mut unproven = alert();
        unproven.kind = AlertKind::Signal {
            signal: finstage_model::SignalId(1),
            interval: finstage_model::Interval::H1,
            direction: finstage_model::Direction::Long,
            ruling: Ruling::Unproven { reason },
            proof: None,
            size: None,
        };
        let held = holding.alert(&unproven, at("2026-11-21T13:00:00Z"), || Ok::<_, ()>(0));
        assert_eq!(held.unwrap(), Some(Held::Level));
    }

    #[test]
    fn a_notice_waits_for_the_morning_unless_it_is_critical_or_was_asked_for() {
        let (holding, now) = (seoul(), at("2026-11-21T15:00:00Z"));
        let morning = Some(at("2026-11-21T22:00:00Z"));
        assert_eq!(holding.notice(NoticeKind::Threshold, now), morning);
        assert_eq!(holding.notice(NoticeKind::Critical, now), None);
        assert_eq!(holding.notice(NoticeKind::Answer, now), None);
        assert_eq!(holding.patience(NoticeKind::Threshold), 9 * HOUR, "eight hours and a margin");
        assert_eq!(holding.patience(NoticeKind::Hourly), Duration::ZERO);
        // Before midnight in Seoul: the end is on the next day.
        let evening = at("2026-11-21T14:30:00Z");
        assert_eq!(holding.notice(NoticeKind::Muted, evening), morning);
    }

    #[test]
    fn a_digest_is_due_at_its_own_time_else_when_the_quiet_hours_end() {
        let mut holding = seoul();
        let noon = at("2026-11-21T03:00:00Z");
        assert_eq!(holding.digest_due(noon), Some(at("2026-11-20T22:00:00Z")));
        holding.digest = Some("13:00".parse().unwrap());
        assert_eq!(holding.digest_due(noon), Some(at("2026-11-20T04:00:00Z")), "yesterday's");
        assert_eq!(Holding::default().digest_due(noon), None);
    }

    #[test]
    fn a_night_in_which_clocks_jump_has_one_digest() {
        let holding = Holding {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            digest: Some("02:30".parse().unwrap()),
            ..Holding::default()
        };
        // On 2026-03-29 clocks jump from 02:00 to 03:00.
        let due = at("2026-03-29T01:30:00Z");
        assert_eq!(
            holding.digest_due(at("2026-03-29T01:29:59Z")),
            Some(at("2026-03-28T01:30:00Z"))
        );
        assert_eq!(holding.digest_due(due), Some(due));
        assert_eq!(holding.digest_due(at("2026-03-29T23:00:00Z")), Some(due));
    }

    #[test]
    fn a_digest_counts_reasons_and_names_the_first_alerts() {
        let until = at("2026-11-21T22:00:00Z");
        let within = Moments { after: until.minus(MAX_DIGEST_AGE), until };
        let holding = seoul();
        assert_eq!(holding.digest("telegram", within, &[]), None);
        let held = HeldAlert { alert: alert(), reason: "quiet_hours".into(), at: until };
        let notice = holding.digest("telegram", within, &vec![held; 42]).unwrap();
        let texts: Vec<String> =
            notice.lines.iter().map(|l| l.iter().map(|t| t.text.as_str()).collect()).collect();
        assert_eq!(texts[0], "Held back since the last digest: 42 alerts");
        assert_eq!(texts[1], "42 in the quiet hours");
        assert_eq!(texts[3], "00:30 KST binance:BTCUSDT rise=3% 103.2 USDT 000000000000");
        assert_eq!(texts.last().unwrap(), "and 2 more: `finstage alerts list --status withheld`");
        assert_eq!(notice.said_at, until);
    }

    #[test]
    fn hours_that_are_none_are_refused() {
        for text in ["", "23:00", "23:00-23:00", "25:00-07:00", "23-7"] {
            assert!(text.parse::<Quiet>().is_err(), "{text}");
        }
    }
}

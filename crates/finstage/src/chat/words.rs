//! What the bot says by itself, in both languages.

use crate::report::Language;

/// What a chat hears that is not listed: its language is not known.
pub(super) const NOT_FOR_YOU: &str = "This bot answers only in the chats of its configuration.\n이 봇은 설정된 대화방에서만 응답합니다.";

/// The words of one language.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) hello: &'static str,
    pub(super) too_many: &'static str,
    pub(super) unknown: &'static str,
    pub(super) usage: &'static str,
    pub(super) no_symbol: &'static str,
    pub(super) not_watched: &'static str,
    pub(super) no_signals: &'static str,
    pub(super) no_alert: &'static str,
    pub(super) status: &'static str,
    pub(super) ready: &'static str,
    pub(super) not_ready: &'static str,
    pub(super) alerts: &'static str,
    pub(super) muted: &'static str,
    pub(super) none_muted: &'static str,
    pub(super) unmuted: &'static str,
    pub(super) watched: &'static str,
    pub(super) by_config: &'static str,
    pub(super) by_chat: &'static str,
    pub(super) no_watches: &'static str,
    pub(super) unwatched: &'static str,
    pub(super) no_watch: &'static str,
    pub(super) fixed: &'static str,
    pub(super) several: &'static str,
    pub(super) configured: &'static str,
    pub(super) more: &'static str,
    pub(super) pending: &'static str,
    pub(super) became: &'static str,
    pub(super) failed: &'static str,
    pub(super) why_button: &'static str,
    pub(super) mute_button: &'static str,
    /// Command, what it takes, what it does.
    pub(super) commands: &'static [(&'static str, &'static str, &'static str)],
}

/// The words of `language`.
pub(super) const fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &ENGLISH,
        Language::Ko => &KOREAN,
    }
}

const ENGLISH: Words = Words {
    hello: "Alerts of finstage arrive here. This is what can be asked:",
    too_many: "Too many commands within a minute: the others are left out.",
    unknown: "There is no such command. /help lists them.",
    usage: "Write: ",
    no_symbol: "No watched instrument is called \"{text}\". Watched: {watched}",
    not_watched: "{symbol} is in no [[feeds]]: nothing sees its price.",
    no_signals: "No signals yet.",
    no_alert: "No alert and no signal has an id that begins with \"{id}\".",
    status: "finstage {version}",
    ready: "ready",
    not_ready: "not ready",
    alerts: "Alerts: {delivered} delivered, {waiting} waiting, {failed} failed, {expired} too old, {held} held back",
    muted: "{what}: silent until {until}, in all channels. /unmute {what} ends it.",
    none_muted: "Nothing is muted.",
    unmuted: "{what} may speak again.",
    watched: "{symbol} {rule} · {id} · {origin}",
    by_config: "config",
    by_chat: "added",
    no_watches: "No watches.",
    unwatched: "Taken out:",
    no_watch: "No watch here has an id that begins with \"{id}\". /watch lists them.",
    fixed: "Nothing was taken out: \"{id}\" stands in [[watches]] of the configuration.",
    several: "Nothing was taken out: \"{id}\" fits several. Write more of one of these ids:",
    configured: "{symbol} {rule} is configured already, and stays as it is.",
    more: "and {count} more",
    pending: "not judged yet",
    became: "{status}: {reason}",
    failed: "That did not work: {why}",
    why_button: "Why",
    mute_button: "Mute 8 h",
    commands: &[
        ("status", "", "is everything running"),
        ("signals", "[SYMBOL]", "the latest signals"),
        ("why", "ID", "what an alert or a signal rests on"),
        ("today", "", "today so far"),
        ("report", "[hourly|daily] [DATE]", "the report of a day, or of this hour"),
        ("mute", "WHAT [8h]", "silence a symbol, a strategy or a rule; alone: what is silent"),
        ("unmute", "WHAT", "let it speak again"),
        ("watch", "SYMBOL [RULE]", "watch a price; alone: what is watched"),
        ("unwatch", "ID", "take a watch out"),
        ("help", "", "this list"),
    ],
};

const KOREAN: Words = Words {
    hello: "finstage 알림이 이 대화방으로 옵니다. 사용할 수 있는 명령:",
    too_many: "1분 안에 명령이 너무 많습니다. 나머지는 처리하지 않습니다.",
    unknown: "없는 명령입니다. /help 로 목록을 볼 수 있습니다.",
    usage: "사용법: ",
    no_symbol: "\"{text}\"라는 감시 종목이 없습니다. 감시 중: {watched}",
    not_watched: "{symbol}은(는) [[feeds]]에 없어 가격을 받지 않습니다.",
    no_signals: "아직 신호가 없습니다.",
    no_alert: "ID가 \"{id}\"(으)로 시작하는 알림이나 신호가 없습니다.",
    status: "finstage {version}",
    ready: "정상",
    not_ready: "준비되지 않음",
    alerts: "알림: 전송 {delivered}, 대기 {waiting}, 실패 {failed}, 만료 {expired}, 보류 {held}",
    muted: "{what}: {until}까지 모든 채널에서 알리지 않습니다. /unmute {what} 로 해제합니다.",
    none_muted: "일시 중지한 것이 없습니다.",
    unmuted: "{what} 알림을 다시 보냅니다.",
    watched: "{symbol} {rule} · {id} · {origin}",
    by_config: "설정 파일",
    by_chat: "추가됨",
    no_watches: "감시 규칙이 없습니다.",
    unwatched: "삭제함:",
    no_watch: "ID가 \"{id}\"(으)로 시작하는 감시가 이 대화방에 없습니다. /watch 로 목록을 볼 수 있습니다.",
    fixed: "삭제하지 않았습니다. \"{id}\"은(는) 설정 파일의 [[watches]]에 있습니다.",
    several: "삭제하지 않았습니다. \"{id}\"에 해당하는 감시가 여러 개입니다. 아래 ID를 더 길게 입력하십시오:",
    configured: "{symbol} {rule}: 이미 설정 파일에 있으며 그대로 둡니다.",
    more: "외 {count}건",
    pending: "판정 대기",
    became: "{status}: {reason}",
    failed: "처리하지 못했습니다: {why}",
    why_button: "이유",
    mute_button: "8시간 끄기",
    commands: &[
        ("status", "", "동작 상태"),
        ("signals", "[종목]", "최근 신호"),
        ("why", "ID", "알림이나 신호의 근거"),
        ("today", "", "오늘 지금까지"),
        ("report", "[hourly|daily] [날짜]", "일간 또는 시간별 보고서"),
        ("mute", "대상 [8h]", "종목·전략·규칙 알림 일시 중지, 대상 없이 쓰면 목록"),
        ("unmute", "대상", "다시 알림"),
        ("watch", "종목 [규칙]", "가격 감시 추가, 종목 없이 쓰면 목록"),
        ("unwatch", "ID", "감시 삭제"),
        ("help", "", "이 목록"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_commands_and_telegram_takes_them() {
        let names = |words: &Words| words.commands.iter().map(|one| one.0).collect::<Vec<_>>();
        assert_eq!(names(&ENGLISH), names(&KOREAN));
        for (name, _, what) in ENGLISH.commands.iter().chain(KOREAN.commands) {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase()) && name.len() <= 32);
            assert!((3..=256).contains(&what.chars().count()), "{name}: {what}");
        }
    }
}

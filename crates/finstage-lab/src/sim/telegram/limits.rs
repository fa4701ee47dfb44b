//! How fast messages may be sent: to a chat, to a group, overall.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use finstage_model::Timestamp;

/// Messages a chat takes at once before the pace of one a second holds.
pub const CHAT_BURST: u32 = 3;
/// Pace of a chat.
pub const CHAT_EVERY: Duration = Duration::from_secs(1);
/// Messages a group takes within a minute. Groups have negative ids.
pub const GROUP_PER_MINUTE: usize = 20;
/// Messages all chats together take within a second.
pub const OVERALL_PER_SECOND: usize = 30;
/// Chats whose pace is remembered.
pub const MAX_CHATS: usize = 10_000;

/// The pace of one sender.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    chats: HashMap<i64, ChatPace>,
    overall: VecDeque<Timestamp>,
}

#[derive(Debug)]
struct ChatPace {
    /// When the burst allowance is whole again.
    rested_at: Timestamp,
    blocked_until: Timestamp,
    /// Moments of the last minute, for groups.
    minute: VecDeque<Timestamp>,
}

impl Pace {
    /// Lets a message through, or says in how many seconds to ask again.
    pub(crate) fn admit(&mut self, chat: i64, now: Timestamp) -> Result<(), u64> {
        forget(&mut self.overall, now, Duration::from_secs(1));
        if !self.chats.contains_key(&chat) && self.chats.len() >= MAX_CHATS {
            let minute_ago = now.minus(Duration::from_secs(60));
            self.chats.retain(|_, pace| pace.rested_at.max(pace.blocked_until) > minute_ago);
            if self.chats.len() >= MAX_CHATS {
                return Err(1);
            }
        }
        let pace = self.chats.entry(chat).or_insert_with(|| ChatPace {
            rested_at: now,
            blocked_until: now,
            minute: VecDeque::new(),
        });
        if pace.blocked_until > now {
            return Err(wait(pace.blocked_until, now));
        }
        forget(&mut pace.minute, now, Duration::from_secs(60));
        let allowance = CHAT_EVERY * (CHAT_BURST - 1);
        let mut ready = pace.rested_at.minus(allowance);
        if chat < 0 && pace.minute.len() >= GROUP_PER_MINUTE {
            let leaves = pace.minute.front().map(|at| at.plus(Duration::from_secs(60)));
            ready = ready.max(leaves.unwrap_or(now));
        }
        if self.overall.len() >= OVERALL_PER_SECOND {
            let leaves = self.overall.front().map(|at| at.plus(Duration::from_secs(1)));
            ready = ready.max(leaves.unwrap_or(now));
        }
        if ready > now {
            let seconds = wait(ready, now);
            // Until then the chat is closed, whatever the pace would allow.
            pace.blocked_until = now.plus(Duration::from_secs(seconds));
            return Err(seconds);
        }
        pace.rested_at = pace.rested_at.max(now).plus(CHAT_EVERY);
        if chat < 0 {
            pace.minute.push_back(now);
        }
        self.overall.push_back(now);
        Ok(())
    }
}

fn forget(moments: &mut VecDeque<Timestamp>, now: Timestamp, after: Duration) {
    while moments.front().is_some_and(|at| at.plus(after) <= now) {
        moments.pop_front();
    }
}

fn wait(until: Timestamp, now: Timestamp) -> u64 {
    let left = until.since(now);
    (left.as_secs() + u64::from(left.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn a_chat_takes_a_small_burst_and_then_one_a_second() {
        let mut pace = Pace::default();
        let answers: Vec<_> = (0..4).map(|_| pace.admit(1, at(0))).collect();
        assert_eq!(answers, [Ok(()), Ok(()), Ok(()), Err(1)]);
        assert_eq!(pace.admit(2, at(0)), Ok(()), "another chat is free");
        assert_eq!(pace.admit(1, at(999)), Err(1));
        assert_eq!(pace.admit(1, at(1_000)), Ok(()));
        assert_eq!(pace.admit(1, at(1_001)), Err(1));
        assert!((0..100).all(|s| pace.admit(3, at(s * 1_000)).is_ok()));
    }

    #[test]
    fn a_group_takes_twenty_a_minute() {
        let mut pace = Pace::default();
        assert!((0..20).all(|s| pace.admit(-100, at(s * 1_000)).is_ok()));
        assert_eq!(pace.admit(-100, at(20_000)), Err(40));
        assert_eq!(pace.admit(-100, at(59_999)), Err(1), "asking again does not help");
        assert_eq!(pace.admit(-100, at(60_000)), Ok(()));
    }

    #[test]
    fn all_chats_together_take_thirty_a_second() {
        let mut pace = Pace::default();
        assert!((0..30).all(|chat| pace.admit(chat + 1, at(0)).is_ok()));
        assert_eq!(pace.admit(99, at(10)), Err(1));
        assert_eq!(pace.admit(98, at(1_000)), Ok(()));
    }

    #[test]
    fn chats_that_rest_are_forgotten() {
        let mut pace = Pace::default();
        for chat in 0..MAX_CHATS as i64 {
            pace.admit(chat + 1, at(chat * 100)).unwrap();
        }
        let end = MAX_CHATS as i64 * 100;
        assert_eq!(pace.admit(1_000_000, at(end)), Ok(()));
        assert!(pace.chats.len() < MAX_CHATS);
    }
}

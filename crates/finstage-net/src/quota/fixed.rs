//! Servers whose windows begin anew, followed by what their answers say is used.
//!
//! What is used only grows within a window. So whatever has its answer arrived no later than the
//! request whose answer says the most, and is in that figure: a server has counted at most what it
//! said, what of ours is in no figure yet, and what others sent since. What it said of two requests
//! in a row and they cost, tells what came in between from others.
//!
//! Moments are those of the server less the quickest way there: a request arrives when it is sent,
//! or later by at most the spread.

use crate::quota::rhythm::Rhythm;
use crate::quota::sends::Sends;

/// So many answers wait until all that could have arrived before them has been answered.
const UNSETTLED: usize = 64;
/// Windows that may pass without a request before the next beginning is not known any more.
const IDLE: u64 = 8;
/// Where a window ends is clear when it is known to a part like this of its length.
const UNCLEAR: u64 = 64;
/// The same for what it tells of others.
const CLEAR: u64 = 16;
/// So many requests are kept to find where it ends.
const PROBES: u64 = 2;
/// The second request of a window leaves within such a part of it.
const EARLY: u64 = 32;

/// The present window of a server among our requests.
#[derive(Debug)]
pub(super) struct Fixed {
    /// When it began, at the earliest and at the latest; `u64::MAX` where it has not, perhaps.
    began: Option<(u64, u64)>,
    /// All that had been sent before what may be in it, and in the next one.
    mark: u64,
    next: Option<u64>,
    /// The most that was said to be used in it, and when that request left; and in the one before.
    most: Most,
    last_most: Most,
    /// What may be in it and is in no figure.
    loose: u64,
    /// Windows are counted.
    number: u64,
    /// When the last request left.
    left_at: u64,
    /// When the window before began.
    last_began: Option<(u64, u64)>,
    /// Answers whose order is not known for sure, at most [`UNSETTLED`].
    unsettled: Vec<Unsettled>,
    /// What was used and what was counted of answers that may be of the present window or the last, at
    /// most [`UNSETTLED`]; so many of them are from before the present one.
    unplaced: Vec<(u64, u64)>,
    unplaced_before: usize,
    /// The last answer that is settled.
    settled: Settled,
    /// What others had used in the present window, and when: what tells most of all of it.
    others_seen: Option<(u64, u64)>,
}

/// An answer; in the order in which the server counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Unsettled {
    number: u64,
    used: u64,
    amount: u64,
    sent_at: u64,
    arrived_by: u64,
    /// When its window began, at the earliest and at the latest.
    began: Option<(u64, u64)>,
}

/// Up to where the order is known in which a server counted: the number of the window, what was used,
/// what of that was ours, and when the last of ours left.
#[derive(Debug, Clone, Copy, Default)]
struct Settled {
    number: u64,
    used: u64,
    ours: u64,
    sent_at: u64,
}

/// How long windows are, and ways.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub(super) span: u64,
    /// How much longer or shorter where the server's clock runs slow or fast.
    pub(super) drift: u64,
    /// One begins when the last one is over.
    pub(super) is_regular: bool,
    /// What leaves so much later does not arrive earlier.
    pub(super) spread: u64,
    /// How long the slowest takes there and back.
    pub(super) slowest: u64,
}

/// An answer that says what is used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    /// When the request left, and when it had arrived at the latest.
    pub(super) sent_at: u64,
    pub(super) arrived_by: u64,
    /// What was charged for it, and what the server counted.
    pub(super) amount: u64,
    pub(super) counted: u64,
    /// All of ours that had been sent then, itself included, and all that has been now.
    pub(super) charged: u64,
    pub(super) total: u64,
    /// What the server says is used.
    pub(super) used: u64,
}

/// A request that is to be sent now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) now: u64,
    /// With what is about to leave.
    pub(super) amount: u64,
    pub(super) limit: u64,
    /// All that was ever sent.
    pub(super) charged: u64,
}

/// The most that was said to be used in a window, by a request that left and arrived then.
#[derive(Debug, Clone, Copy, Default)]
struct Most {
    used: u64,
    sent_at: u64,
    arrived_by: u64,
}

/// What else is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) sends: &'a Sends,
    pub(super) others: &'a Rhythm,
}

/// The window in which an answer belongs.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Present,
    Last,
    /// One that began unnoticed.
    New,
    Unknown,
}

impl Default for Fixed {
    fn default() -> Self {
        Self {
            began: None,
            mark: 0,
            next: None,
            most: Most::default(),
            last_most: Most::default(),
            loose: 0,
            number: 1,
            left_at: 0,
            last_began: None,
            unsettled: Vec::new(),
            unplaced: Vec::new(),
            unplaced_before: 0,
            settled: Settled::default(),
            others_seen: None,
        }
    }
}

impl Fixed {
    /// When the present window is over, at the earliest and at the latest.
    fn ends(&self, length: &Length) -> Option<(u64, u64)> {
        let (first, last) = self.began?;
        let over = |began: u64, span: u64| began.saturating_add(span);
        Some((over(first, length.span - length.drift), over(last, length.span + length.drift)))
    }

    /// Time has come to `now`, when `charged` had been sent.
    pub(super) fn advance(&mut self, now: u64, charged: u64, length: &Length) {
        while let Some(ends) = self.ends(length)
            && now >= ends.1
        {
            if now - ends.1 > length.span.saturating_mul(IDLE) {
                self.began = None;
                return;
            }
            if self.most.used == 0 && self.loose > 0 {
                // No answer said in which window it was: there is another order than the one believed.
                self.began = None;
                return;
            }
            let latest = if length.is_regular { ends.1 } else { u64::MAX };
            let mark = self.next.unwrap_or(charged);
            self.turn((ends.0.max(self.most.sent_at), latest), mark, charged);
        }
    }

    /// A window begins.
    fn turn(&mut self, began: (u64, u64), mark: u64, charged: u64) {
        self.last_began = self.began;
        self.began = Some(began);
        self.mark = mark;
        self.next = None;
        self.loose = charged - mark;
        self.last_most = self.most;
        self.most = Most { used: 0, sent_at: began.0, arrived_by: began.0 };
        self.number += 1;
        self.others_seen = None;
        self.unplaced.drain(..self.unplaced_before);
        self.unplaced_before = self.unplaced.len();
    }

    /// `amount` leaves now, and with it `charged` has been sent.
    pub(super) fn left(&mut self, now: u64, (amount, charged): (u64, u64), length: &Length) {
        self.loose += amount;
        self.left_at = now;
        if let Some((first, last)) = &mut self.began {
            if *last == u64::MAX {
                // One that began earlier would be over, and this one the next.
                *first = (*first).max(now.saturating_sub(length.span + length.drift));
            }
            *last = (*last).min(now + length.spread).max(*first);
        }
        if self.is_near_end(now, length) {
            self.next.get_or_insert(charged - amount);
        }
    }

    /// Whether what leaves now may arrive in the next window.
    fn is_near_end(&self, now: u64, length: &Length) -> bool {
        self.ends(length).is_some_and(|(first, _)| now + length.spread >= first)
    }

    /// More was counted than was charged.
    pub(super) const fn cost_more(&mut self, amount: u64) {
        self.loose += amount;
    }

    /// When what is wanted fits beside others with this rhythm; `None` where windows are not known.
    pub(super) fn ready_at(
        &self,
        wanted: &Wanted,
        length: &Length,
        others: &Rhythm,
    ) -> Option<u64> {
        let Wanted { now, amount, limit, charged } = *wanted;
        let ends = self.ends(length)?;
        let over = if ends.1 == u64::MAX { now + length.spread + length.span } else { ends.1 };
        let arrives_by = (now + length.spread).min(over);
        // It must fit whatever others do until it arrives; then they go on as they mostly do.
        let go_on = others.usual_in(over.saturating_sub(self.most.sent_at));
        let known = self.most.used + self.loose;
        let most = self.most(arrives_by, charged, others).max(known + go_on);
        let room = limit.saturating_sub(most.min(self.most(over, charged, others)));
        let due = self.due(wanted, room, &ends, length);
        if room >= amount && due > now {
            return Some(due);
        }
        let fits = room >= amount;
        let fits_next = || {
            let sent = charged - self.next.unwrap_or(charged);
            sent + amount + others.most_in(length.span) <= limit
        };
        if fits && (!self.is_near_end(now, length) || fits_next()) {
            return Some(now);
        }
        Some(if ends.1 == u64::MAX { now + length.span / 8 } else { ends.1.max(now + 1) })
    }

    /// When something is due so that what fits is spread over the rest of the window: each answer shows
    /// what others did meanwhile. Where its end is not clear, the last few show on which side of it
    /// they arrive.
    fn due(&self, wanted: &Wanted, room: u64, ends: &(u64, u64), length: &Length) -> u64 {
        let amount = wanted.amount;
        if ends.1 == u64::MAX {
            return 0;
        }
        let began = self.began.map_or(0, |began| began.1);
        let spread_to = |until: u64, room: u64| {
            let rest = u128::from(until.saturating_sub(self.left_at));
            let part = rest * u128::from(amount) / u128::from(room + 2 * amount);
            let even = self.left_at + u64::try_from(part).unwrap_or(0);
            // One soon after the beginning: what others have not sent by then does not fit any more.
            if self.left_at <= began { even.min(began + length.span / EARLY) } else { even }
        };
        let clear = ends.0.saturating_sub(length.spread);
        // As long as it is not known that the window is over, it is over later than that.
        let earliest = ends.0.max(self.most.sent_at).min(ends.1);
        let width = ends.1 - earliest;
        // Where windows follow their own clock what is found out stays.
        let bearable = match length.is_regular {
            true => length.spread + length.spread / 2,
            false => length.spread.max(length.span / (wanted.limit / amount).max(1)),
        };
        if width <= bearable.max(length.span / UNCLEAR) {
            return spread_to(clear, room);
        }
        let kept = if wanted.limit < amount * UNCLEAR { amount } else { amount * PROBES };
        if room >= kept + amount && wanted.now < clear {
            spread_to(clear, room - kept)
        } else if self.left_at >= ends.0 && self.loose > 0 {
            ends.1
        } else {
            u64::midpoint(earliest, ends.1)
        }
    }

    /// The most that the present window can hold by `over`, of what was sent and with what others send.
    fn most(&self, over: u64, charged: u64, others: &Rhythm) -> u64 {
        let until = |at: u64| over.saturating_sub(at);
        let by_last = self.most.used + self.loose + others.most_in(until(self.most.sent_at));
        let began = self.began.map_or(0, |began| began.0);
        let (seen, at) = self.others_seen.unwrap_or((0, began));
        let by_total = charged - self.mark + seen + others.most_in(until(at));
        by_last.min(by_total)
    }

    /// Takes an answer. Gives the most of ours that is in its figure, where that is known.
    pub(super) fn read(&mut self, said: &Said, length: &Length, known: &Known<'_>) -> Option<u64> {
        let place = self.place(said, length, known);
        let sends = known.sends;
        let Said { sent_at, arrived_by, amount, counted, charged, total, used } = *said;
        match place {
            Place::New => {
                let seen = (self.most.sent_at.min(arrived_by), arrived_by);
                let began = match self.ends(length) {
                    Some(ends) if length.is_regular && ends.0 <= seen.1 && seen.0 <= ends.1 => {
                        (ends.0.max(seen.0), ends.1.min(seen.1))
                    }
                    Some(ends) if ends.0 <= seen.1 => (ends.0.max(seen.0), seen.1),
                    _ => seen,
                };
                let earliest = began.0.saturating_sub(length.spread);
                let mark = sends.at_least(earliest).unwrap_or(self.mark).max(self.mark);
                let mark = mark.min(charged - amount);
                self.turn(began, mark, total);
            }
            Place::Last => {
                if let Some((first, last)) = &mut self.began {
                    *first = (*first).max(sent_at).min(*last);
                }
                if used >= self.last_most.used {
                    let sent_at = sent_at.max(self.last_most.sent_at);
                    self.last_most = Most { used, sent_at, arrived_by };
                }
            }
            Place::Present | Place::Unknown => {}
        }
        if place == Place::Unknown {
            if self.unplaced.len() >= UNSETTLED {
                self.unplaced.remove(0);
                self.unplaced_before = self.unplaced_before.saturating_sub(1);
            }
            self.unplaced.push((used, amount));
            return None;
        }
        if charged > self.mark {
            self.loose = self.loose.saturating_sub(amount);
        }
        let number = if place == Place::Last { self.number.wrapping_sub(1) } else { self.number };
        if place != Place::Last {
            if let Some((first, last)) = &mut self.began {
                *last = (*last).min(arrived_by).max(*first);
                if used == counted && !length.is_regular {
                    *first = (*first).max(sent_at).min(*last);
                }
            }
            if used >= self.most.used {
                self.most = Most { used, sent_at: sent_at.max(self.most.sent_at), arrived_by };
            }
        }
        let began = if place == Place::Last { self.last_began } else { self.began };
        self.keep(Unsettled { number, used, amount: counted, sent_at, arrived_by, began });
        (place != Place::Last && self.began.is_some())
            .then(|| sends.at_most(sent_at + length.spread, charged).max(charged) - self.mark)
    }

    fn keep(&mut self, answer: Unsettled) {
        let place = self.unsettled.partition_point(|other| *other < answer);
        self.unsettled.insert(place, answer);
    }

    /// Learns what others sent before the answers before which nothing else can have arrived.
    pub(super) fn settle(&mut self, now: u64, length: &Length, others: &mut Rhythm) {
        while let Some(answer) = self.unsettled.first().copied()
            && (self.unsettled.len() > UNSETTLED || now > answer.arrived_by + length.slowest)
        {
            self.unsettled.remove(0);
            let is_same = answer.number == self.settled.number;
            let before = answer.used.saturating_sub(answer.amount);
            let (first, last) = answer.began.unwrap_or((0, u64::MAX));
            let middle = u64::midpoint(first, last.min(answer.sent_at).max(first));
            let is_clear = is_same || last - first <= length.spread + length.span / CLEAR;
            if !is_same {
                // What came since an unknown moment tells nothing of how much comes in a time.
                let at = if is_clear { middle } else { answer.sent_at };
                others.miss(at.saturating_sub(self.settled.sent_at));
                let used = if is_clear { 0 } else { before };
                self.settled = Settled { number: answer.number, sent_at: at, used, ours: 0 };
            }
            let last = self.settled;
            if is_clear {
                // What may have been ours and has no place is no sign of others.
                let is_between = |&&(used, amount): &&(u64, u64)| {
                    used <= before && used.saturating_sub(amount) >= last.used
                };
                let unplaced: u64 =
                    self.unplaced.iter().filter(is_between).map(|(_, amount)| amount).sum();
                let time = answer.sent_at.saturating_sub(last.sent_at);
                let late = if is_same { 0 } else { middle - first };
                others.came(time, late, before.saturating_sub(last.used + unplaced));
            }
            self.settled.used = last.used.max(answer.used);
            self.settled.sent_at = last.sent_at.max(answer.sent_at);
            self.settled.ours += answer.amount;
            if answer.number == self.number
                && let Some(ends) = self.ends(length)
            {
                let seen =
                    (self.settled.used.saturating_sub(self.settled.ours), self.settled.sent_at);
                let most =
                    |(amount, at): (u64, u64)| amount + others.most_in(ends.1.saturating_sub(at));
                if self.others_seen.is_none_or(|best| most(seen) < most(best)) {
                    self.others_seen = Some(seen);
                }
            }
        }
    }

    fn place(&self, said: &Said, length: &Length, known: &Known<'_>) -> Place {
        let Said { sent_at, arrived_by, counted, charged, used, .. } = *said;
        // Whether it arrived after the window in which so much was used.
        let is_after = |most: &Most| {
            if sent_at > most.sent_at.saturating_add(length.spread) {
                return used < most.used.saturating_add(counted.min(1));
            }
            // What was on the way with it, and more, cannot have come in between.
            let between = known.between(sent_at, most.arrived_by, length);
            between.is_some_and(|between| used.saturating_add(between) < most.used)
        };
        let Some((first, last)) = self.began else {
            return if is_after(&self.most) { Place::New } else { Place::Present };
        };
        if charged <= self.mark {
            return Place::Last;
        }
        if is_after(&self.most) {
            return Place::New;
        }
        // Nothing had come before it in its window.
        let is_first = counted > 0 && used <= counted && self.most.used == 0;
        if sent_at >= last || is_after(&self.last_most) || (is_first && self.last_most.used == 0) {
            return Place::Present;
        }
        let ours = known.sends.at_most(arrived_by, said.total).saturating_sub(self.mark);
        let others = || known.others.most_in(arrived_by.saturating_sub(first));
        if arrived_by < first
            || (known.others.is_known() && used > ours.max(charged - self.mark) + others())
        {
            return Place::Last;
        }
        Place::Unknown
    }
}

impl Known<'_> {
    /// The most that the server can have counted from when a request arrived that left at `sent_at` to
    /// when another one had arrived, by `arrived_by`.
    fn between(&self, sent_at: u64, arrived_by: u64, length: &Length) -> Option<u64> {
        if !self.others.is_known() {
            return None;
        }
        let before = self.sends.at_least(sent_at.saturating_sub(length.spread))?;
        let ours = self.sends.at_most(arrived_by, u64::MAX).checked_sub(before)?;
        Some(ours + self.others.most_in(arrived_by.saturating_sub(sent_at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Length =
        Length { span: 1000, drift: 1, is_regular: true, spread: 9, slowest: 20 };

    /// A window of the server in our eyes, with all that belongs to it.
    #[derive(Default)]
    struct Scene {
        fixed: Fixed,
        sends: Sends,
        charged: u64,
    }

    impl Scene {
        /// One of ours with an amount of 5 leaves.
        fn left(&mut self, now: u64) -> u64 {
            self.charged += 5;
            self.sends.add(now, self.charged);
            self.fixed.advance(now, self.charged - 5, &LENGTH);
            self.fixed.left(now, (5, self.charged), &LENGTH);
            self.charged
        }

        /// The answer to what was sent then says that so much is used.
        fn read(&mut self, (sent_at, charged): (u64, u64), used: u64, others: &Rhythm) {
            let said = Said {
                sent_at,
                arrived_by: sent_at + 9,
                amount: 5,
                counted: 5,
                charged,
                total: self.charged,
                used,
            };
            self.fixed.read(&said, &LENGTH, &Known { sends: &self.sends, others });
        }

        /// Two windows in which others send nothing; the second begins between 900 and 1109.
        fn two_windows(&mut self, others: &Rhythm) {
            for (at, used) in [(700, 50), (900, 55), (1100, 5)] {
                let charged = self.left(at);
                self.read((at, charged), used, others);
            }
        }
    }

    fn room(scene: &Scene, now: u64, limit: u64, others: &Rhythm) -> Option<u64> {
        let wanted = Wanted { now, amount: 5, limit, charged: scene.charged };
        scene.fixed.ready_at(&wanted, &LENGTH, others)
    }

    #[test]
    fn a_window_began_where_less_is_used_than_before_and_the_next_one_follows() {
        let others = Rhythm::new(1000);
        let mut scene = Scene::default();
        scene.two_windows(&others);
        assert_eq!(scene.fixed.ends(&LENGTH), Some((1899, 2110)));
        scene.fixed.advance(2110, scene.charged, &LENGTH);
        assert_eq!(scene.fixed.ends(&LENGTH), Some((2898, 3111)));
        scene.fixed.advance(90_000, scene.charged, &LENGTH);
        assert_eq!(scene.fixed.ends(&LENGTH), None, "too long ago");
    }

    #[test]
    fn what_has_no_answer_counts_on_top_of_what_is_said_to_be_used() {
        let others = Rhythm::new(1000);
        let mut scene = Scene::default();
        scene.two_windows(&others);
        let charged = scene.left(1200);
        // What left at 900 was the last of the old window, or not: the spread is 9.
        assert_eq!(room(&scene, 2004, 20, &others), Some(2004), "5 used, 5 in doubt, 5 on the way");
        assert_eq!(room(&scene, 2004, 19, &others), Some(2110), "the window is over then");
        scene.read((1200, charged), 10, &others);
        assert_eq!(scene.fixed.loose, 5, "it has arrived");
    }

    #[test]
    fn near_the_end_a_request_fits_into_both_windows_or_waits() {
        let mut others = Rhythm::new(1000);
        (0..60).for_each(|_| others.came(100, 0, 3));
        let mut scene = Scene::default();
        scene.two_windows(&Rhythm::new(1000));
        let charged = scene.left(1850);
        scene.read((1850, charged), 10, &others);
        assert_eq!(scene.fixed.next, None);
        scene.left(1890);
        assert_eq!(scene.fixed.next, Some(charged), "it may arrive in the next one");
        let fits_next = 5 + 5 + others.most_in(1000);
        assert_eq!(room(&scene, 2004, fits_next, &others), Some(2004), "5 there, 5 more, theirs");
        assert_eq!(room(&scene, 2004, fits_next - 1, &others), Some(2110));
    }

    #[test]
    fn what_others_sent_lies_between_what_is_said_of_ours() {
        let mut others = Rhythm::new(1000);
        let mut scene = Scene::default();
        scene.two_windows(&others);
        let mut used = 5;
        for place in 1..=8 {
            let at = 1100 + place * 90;
            let charged = scene.left(at);
            used += 5 + 2;
            scene.read((at, charged), used, &others);
        }
        scene.fixed.settle(1900, &LENGTH, &mut others);
        assert_eq!(scene.fixed.settled.used - scene.fixed.settled.ours, 16);
        assert_eq!(scene.fixed.others_seen, Some((0, 1100)), "before the first of theirs");
    }
}

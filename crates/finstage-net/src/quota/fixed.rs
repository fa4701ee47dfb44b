//! Servers whose windows begin anew, followed by what their answers say is used.
//!
//! What is used only grows within a window. So whatever has its answer arrived no later than the
//! request whose answer says the most, and is in that figure: a server has counted at most what it
//! said, what of ours has no answer yet, and what others sent since. That is so wherever the server's
//! windows begin. When they end is learned to leave others what they still need until then, and no
//! more than that.

/// The present window of a server among our requests: what it says is used drops when it begins.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    /// All that had been sent before the window.
    before: Option<u64>,
    /// What left earlier may have arrived in the window before.
    valid_from: u64,
    /// The most that was said to be used in this window, and when that request left.
    most: u64,
    since: u64,
    /// What has its answer and is not in that figure, perhaps.
    unread: u64,
    /// All that had been sent with the last request that is known to have arrived in it.
    newest: u64,
    /// When the window is over at the latest.
    ends_by: Option<u64>,
    flights: Flights,
}

/// How long windows are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub(super) span: u64,
    /// How much longer where the server's clock runs slow.
    pub(super) drift: u64,
    /// One begins when the last one is over.
    pub(super) is_regular: bool,
    /// What leaves so much later does not arrive earlier.
    pub(super) spread: u64,
}

/// An answer that says what is used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) now: u64,
    /// When the request left, what it cost, and all of ours that had been sent then, itself
    /// included.
    pub(super) sent_at: u64,
    pub(super) amount: u64,
    pub(super) charged: u64,
    /// What the server says is used.
    pub(super) used: u64,
}

/// What of ours a server counts that counts in fixed windows.
pub(super) enum Read {
    /// What was sent after so much had been.
    Ours(u64),
    Unknown,
    /// The window is new.
    First,
    /// The answer may be about the window before.
    Stale,
}

/// What was sent and has no answer, by the span in which it left: what never gets one is forgotten
/// with the span after.
#[derive(Debug, Default)]
struct Flights {
    number: u16,
    amounts: [u64; 2],
}

impl Fixed {
    /// Takes an answer of a server whose windows have this length, under `limit`.
    pub(super) fn read(&mut self, said: &Said, length: &Length, limit: u64) -> Read {
        let Said { now, sent_at, amount, charged, used } = *said;
        if sent_at < self.valid_from {
            if used > self.most {
                self.unread += amount;
            }
            return Read::Stale;
        }
        // A request that was overtaken by others says less than they did, but not by so much.
        let by_order = sent_at > self.since.saturating_add(length.spread);
        let least = limit / if by_order { 4 } else { 2 };
        if used + least < self.most {
            let whole = length.span + length.drift;
            let last =
                self.ends_by.filter(|by| length.is_regular && now < by.saturating_add(whole));
            let began_by = last.map_or(now, |by| by.min(now));
            self.ends_by = Some(began_by.saturating_add(whole));
            // What left after the last one of the old window may all be in the new one.
            self.before = Some(self.newest);
            (self.valid_from, self.newest) = (now, charged);
            (self.most, self.since, self.unread) = (used, sent_at, 0);
            return Read::First;
        }
        if used >= self.most {
            (self.most, self.since) = (used, self.since.max(sent_at));
        }
        self.newest = self.newest.max(charged);
        self.before.map_or(Read::Unknown, Read::Ours)
    }

    /// `amount` has an answer and is in no figure.
    pub(super) const fn unread(&mut self, amount: u64) {
        self.unread += amount;
    }

    /// The most that the server has counted once all of ours has arrived, apart from what others
    /// sent since a moment; and how long others go on from there until the window is over. `None`
    /// where the window is not known.
    pub(super) fn most(&self, now: u64) -> Option<(u64, u64)> {
        let ends_by = self.ends_by.filter(|ends_by| now < *ends_by)?;
        let most = self.most + self.unread + self.flights.amounts[0] + self.flights.amounts[1];
        Some((most, ends_by.saturating_sub(self.since)))
    }

    /// A request of `amount` leaves in the span with this number.
    pub(super) fn left(&mut self, number: u16, amount: u64) {
        let flights = &mut self.flights;
        match number.wrapping_sub(flights.number) {
            0 => {}
            1 => flights.amounts[(number % 2) as usize] = 0,
            _ => flights.amounts = [0; 2],
        }
        flights.number = number;
        flights.amounts[(number % 2) as usize] += amount;
    }

    /// One that left in the span with this number has an answer.
    pub(super) fn landed(&mut self, number: u16, amount: u64) {
        if self.flights.number.wrapping_sub(number) <= 1 {
            let place = &mut self.flights.amounts[(number % 2) as usize];
            *place = place.saturating_sub(amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Length = Length { span: 1000, drift: 1, is_regular: true, spread: 9 };

    fn read(fixed: &mut Fixed, (sent_at, now): (u64, u64), used: u64) -> Read {
        let said = Said { now, sent_at, amount: 5, charged: sent_at, used };
        fixed.landed(0, 5);
        fixed.read(&said, &LENGTH, 100)
    }

    #[test]
    fn what_is_used_bounds_what_counts_with_whatever_has_no_answer() {
        let mut fixed = Fixed::default();
        (0..4).for_each(|_| fixed.left(0, 5));
        assert!(matches!(read(&mut fixed, (10, 20), 80), Read::Unknown));
        assert_eq!(fixed.most(20), None, "nothing shows where windows begin");
        assert!(matches!(read(&mut fixed, (30, 60), 10), Read::First));
        assert_eq!(fixed.most(60), Some((10 + 10, 1061 - 30)), "two of five each are on the way");
        assert!(matches!(read(&mut fixed, (40, 70), 85), Read::Stale));
        assert_eq!(fixed.most(70), Some((10 + 5 + 5, 1061 - 30)), "it may be in the new window");
        assert!(matches!(read(&mut fixed, (65, 75), 30), Read::Ours(10)));
        assert_eq!(fixed.most(75), Some((30 + 5, 1061 - 65)));
        assert_eq!(fixed.most(1061), None, "the window is over");
    }

    #[test]
    fn windows_that_follow_each_other_end_as_the_earliest_sign_of_them_says() {
        let mut fixed = Fixed::default();
        read(&mut fixed, (10, 20), 80);
        read(&mut fixed, (30, 60), 10);
        read(&mut fixed, (900, 910), 90);
        read(&mut fixed, (1200, 1290), 10);
        assert_eq!(fixed.most(1300), Some((10, 1061 + 1001 - 1200)));
    }

    #[test]
    fn what_never_has_an_answer_is_forgotten_with_the_span_after_its_own() {
        let mut fixed = Fixed { ends_by: Some(9999), ..Fixed::default() };
        fixed.left(3, 5);
        fixed.left(4, 7);
        assert_eq!(fixed.most(0).unwrap().0, 12);
        fixed.left(5, 1);
        assert_eq!(fixed.most(0).unwrap().0, 8);
        fixed.landed(3, 5);
        assert_eq!(fixed.most(0).unwrap().0, 8, "its answer comes too late to matter");
    }
}

//! Coarse bars from finer ones: five one-minute bars make a five-minute bar.

use finstage_model::{Bar, Interval, Timestamp};

/// Rolls the bars of a finer series up into one coarse bar at a time.
#[derive(Debug)]
pub(crate) struct Rollup {
    interval: Interval,
    open: Option<Bar>,
}

impl Rollup {
    pub(crate) const fn new(interval: Interval) -> Self {
        Self { interval, open: None }
    }

    /// Takes one finer bar. `floor` is where the coarse series is known to end: a part from before
    /// it comes too late and is refused with `false`.
    ///
    /// A part of a later coarse bar puts its own in the place of the open one; who wants the open
    /// one said takes it out before.
    pub(crate) fn absorb(&mut self, part: &Bar, floor: Timestamp) -> bool {
        if part.open_time < floor {
            return false;
        }
        let open_time = self.interval.open_of(part.open_time);
        match &mut self.open {
            Some(open) if open.open_time == open_time => {
                open.absorb(part.high, part.low, part.close, part.volume, part.trades);
            }
            slot => *slot = Some(Bar { interval: self.interval, open_time, ..*part }),
        }
        true
    }

    /// When the open bar closes.
    pub(crate) fn next_close(&self) -> Option<Timestamp> {
        self.open.map(|bar| bar.close_time())
    }

    /// Takes the open bar out.
    pub(crate) fn take(&mut self) -> Option<Bar> {
        self.open.take()
    }

    /// Forgets an open bar that began before `floor`: it is known from elsewhere.
    pub(crate) fn forget_before(&mut self, floor: Timestamp) {
        self.open.take_if(|bar| bar.open_time < floor);
    }
}

#[cfg(test)]
mod tests {
    use finstage_model::{InstrumentId, text};

    use super::*;

    #[test]
    fn parts_add_up_to_the_coarse_bar() {
        let table = text::read_bars(
            "1m x:A open high low close volume
             2026-01-05T12:00   10 12  9 11  5
             12:01              11 14 10 10  2
             12:04               8  9  7  9  1",
            InstrumentId(0),
        )
        .unwrap();
        let mut rollup = Rollup::new(Interval::M5);
        for bar in &table.bars {
            assert!(rollup.absorb(bar, Timestamp::MIN));
        }
        let whole =
            text::read_bars("5m x:A\n2026-01-05T12:00 10 14 7 9 8", InstrumentId(0)).unwrap();
        assert_eq!(rollup.next_close(), Some(whole.bars[0].close_time()));
        assert_eq!(rollup.take(), Some(whole.bars[0]));
        assert!(!rollup.absorb(&table.bars[2], whole.bars[0].close_time()));
        assert_eq!(rollup.take(), None);
    }
}

//! At which prices orders are filled: slippage of market orders, and exits inside a bar.
//!
//! Both are type parameters of the loop: a run without them is compiled without them.

use super::{Slippage, Stops};

/// Which way an order goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Buy,
    Sell,
}

impl Side {
    /// The side that opens a position of that sign.
    pub(super) fn opening(sign: f64) -> Self {
        if sign > 0.0 { Self::Buy } else { Self::Sell }
    }

    /// The side that closes a position of that sign.
    pub(super) fn closing(sign: f64) -> Self {
        Self::opening(-sign)
    }

    const fn sign(self) -> f64 {
        match self {
            Self::Buy => 1.0,
            Self::Sell => -1.0,
        }
    }
}

/// What a market order pays beyond the price it saw.
pub(super) trait Slip: Copy {
    /// The fill price, given the range of the bar before.
    fn price(self, seen: f64, range: f64, side: Side) -> f64;
}

/// Fills at the price seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoSlip;

impl Slip for NoSlip {
    fn price(self, seen: f64, _: f64, _: Side) -> f64 {
        seen
    }
}

impl Slip for Slippage {
    fn price(self, seen: f64, range: f64, side: Side) -> f64 {
        match self {
            Self::None => seen,
            Self::Bps(bps) => seen * (1.0 + side.sign() * bps / 10_000.0),
            Self::BarRange(part) => (seen + side.sign() * part * range).max(0.0),
        }
    }
}

/// What closes a position inside a bar.
pub(super) trait Guard: Copy {
    /// Whether bars have to be looked at one by one.
    const IS_ACTIVE: bool;

    /// The exit of a position inside a bar, if there is one.
    fn exit(self, held: Held, bar: InBar) -> Option<Exit>;
}

/// A position as a guard sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) sign: f64,
    pub(super) average_price: f64,
}

/// The prices of a bar that a guard looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct InBar {
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
}

/// How a position is closed inside a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Exit {
    /// By a market order, which slips from this price.
    Market(f64),
    /// By a limit order at this price.
    Limit(f64),
}

/// Nothing closes a position inside a bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoGuard;

impl Guard for NoGuard {
    const IS_ACTIVE: bool = false;

    fn exit(self, _: Held, _: InBar) -> Option<Exit> {
        None
    }
}

impl Guard for Stops {
    const IS_ACTIVE: bool = true;

    fn exit(self, held: Held, bar: InBar) -> Option<Exit> {
        let Held { sign, average_price } = held;
        // Seen from the position: prices times its sign, so that more is better.
        let (open, worst, best) = if sign > 0.0 {
            (bar.open, bar.low, bar.high)
        } else {
            (-bar.open, -bar.high, -bar.low)
        };
        if let Some(loss) = self.loss {
            let level = sign * average_price * (1.0 - sign * loss);
            if worst <= level {
                return Some(Exit::Market(sign * level.min(open)));
            }
        }
        let level = sign * average_price * (1.0 + sign * self.profit?);
        (best >= level).then(|| Exit::Limit(sign * level.max(open)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Stops = Stops { loss: Some(0.1), profit: Some(0.2) };

    fn exit(sign: f64, open: f64, high: f64, low: f64) -> Option<Exit> {
        BOTH.exit(Held { sign, average_price: 100.0 }, InBar { open, high, low })
    }

    #[test]
    fn a_level_that_is_reached_fills_at_the_level() {
        assert_eq!(exit(1.0, 100.0, 119.0, 91.0), None);
        assert_eq!(exit(1.0, 100.0, 119.0, 90.0), Some(Exit::Market(90.0)));
        assert_eq!(exit(1.0, 100.0, 120.0, 91.0), Some(Exit::Limit(120.0)));
        assert_eq!(exit(-1.0, 100.0, 109.0, 81.0), None);
        assert_eq!(exit(-1.0, 100.0, 111.0, 81.0), Some(Exit::Market(110.00000000000001)));
        assert_eq!(exit(-1.0, 100.0, 109.0, 79.0), Some(Exit::Limit(80.0)));
    }

    #[test]
    fn when_both_could_have_been_reached_the_stop_was() {
        assert_eq!(exit(1.0, 100.0, 130.0, 80.0), Some(Exit::Market(90.0)));
        assert_eq!(exit(-1.0, 100.0, 130.0, 70.0), Some(Exit::Market(110.00000000000001)));
    }

    #[test]
    fn a_gap_beyond_a_level_fills_at_the_open() {
        assert_eq!(exit(1.0, 80.0, 95.0, 75.0), Some(Exit::Market(80.0)));
        assert_eq!(exit(1.0, 125.0, 130.0, 119.0), Some(Exit::Limit(125.0)));
        assert_eq!(exit(-1.0, 120.0, 125.0, 118.0), Some(Exit::Market(120.0)));
        assert_eq!(exit(-1.0, 75.0, 78.0, 70.0), Some(Exit::Limit(75.0)));
    }

    #[test]
    fn slippage_is_always_to_the_disadvantage() {
        assert_eq!(Slippage::Bps(625.0).price(160.0, 8.0, Side::Buy), 170.0);
        assert_eq!(Slippage::Bps(625.0).price(160.0, 8.0, Side::Sell), 150.0);
        assert_eq!(Slippage::BarRange(0.25).price(200.0, 8.0, Side::Buy), 202.0);
        assert_eq!(Slippage::BarRange(0.25).price(200.0, 8.0, Side::Sell), 198.0);
        assert_eq!(Slippage::BarRange(1.0).price(2.0, 8.0, Side::Sell), 0.0);
        assert_eq!(Slippage::None.price(200.0, 8.0, Side::Sell), 200.0);
    }
}

//! The one question most strategies ask: did it happen on this bar and not before?
//!
//! Everything is put as the *gap* between a value and a line. The difference of two doubles is zero
//! only if they are equal, so the sign of the gap says exactly what `<`, `=` and `>` say.

use finstage_model::Direction;

/// Watches a gap for the bar on which it changes sides.
#[derive(Debug, Clone)]
pub(crate) struct Crossing {
    side: Side,
    edge: Edge,
    previous: Option<f64>,
}

/// Where the value must arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Above,
    Below,
}

impl Side {
    /// What is expected of a move that goes on: up above, down below.
    pub(crate) const fn with_the_move(self) -> Direction {
        match self {
            Self::Above => Direction::Long,
            Self::Below => Direction::Short,
        }
    }

    /// The distance beyond a line on this side: positive where it was passed.
    pub(crate) fn beyond(self, gap: f64) -> f64 {
        match self {
            Self::Above => gap,
            Self::Below => -gap,
        }
    }

    /// What is expected of a move that springs back.
    pub(crate) const fn against_the_move(self) -> Direction {
        match self {
            Self::Above => Direction::Short,
            Self::Below => Direction::Long,
        }
    }
}

/// To which side the line itself belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// On or before the line, then beyond it: `previous <= line` and `now > line`.
    Passes,
    /// Before the line, then on it or beyond: `previous < line` and `now >= line`.
    Reaches,
}

impl Crossing {
    pub(crate) const fn new(side: Side, edge: Edge) -> Self {
        Self { side, edge, previous: None }
    }

    /// Takes value less line of the next bar; whether it crossed on this bar, `None` on the first
    /// one, of which that cannot be said.
    pub(crate) fn step(&mut self, gap: f64) -> Option<bool> {
        let beyond = self.side.beyond(gap);
        let before = self.previous.replace(beyond)?;
        Some(match self.edge {
            Edge::Passes => before <= 0.0 && beyond > 0.0,
            Edge::Reaches => before < 0.0 && beyond >= 0.0,
        })
    }
}

/// Watches a condition for the bar on which it becomes true.
#[derive(Debug, Clone, Default)]
pub(crate) struct Onset {
    previous: Option<bool>,
}

impl Onset {
    /// Takes whether it holds on the next bar; whether it began to on this one. Of the first bar, and
    /// of the first after one that is not known (`None`), that cannot be said.
    pub(crate) fn step(&mut self, holds: Option<bool>) -> bool {
        let before = std::mem::replace(&mut self.previous, holds);
        before == Some(false) && holds == Some(true)
    }
}

/// Counts bars since something last happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Since {
    bars: Option<usize>,
}

impl Since {
    /// Takes whether it happens on the next bar; how many bars ago it last did, 0 for this one.
    pub(crate) fn step(&mut self, happens: bool) -> Option<usize> {
        self.bars = if happens { Some(0) } else { self.bars.map(|bars| bars.saturating_add(1)) };
        self.bars
    }
}

/// The size of `distance` in percent of the size of `base`; 0 of nothing, since no percentage
/// exists there and a strength is always finite.
pub(crate) fn percent(distance: f64, base: f64) -> f64 {
    if base == 0.0 { 0.0 } else { (distance / base).abs() * 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(side: Side, edge: Edge, gaps: &[f64]) -> String {
        let mut crossing = Crossing::new(side, edge);
        let sign = |&gap| match crossing.step(gap) {
            None => '?',
            Some(true) => 'X',
            Some(false) => '.',
        };
        gaps.iter().map(sign).collect()
    }

    #[test]
    fn passing_leaves_the_line_and_reaching_arrives_at_it() {
        let gaps = [-1.0, 0.0, 1.0, 2.0, 0.0, 0.0, 1.0, -1.0, 0.0, -1.0];
        assert_eq!(steps(Side::Above, Edge::Passes, &gaps), "?.X...X...");
        assert_eq!(steps(Side::Above, Edge::Reaches, &gaps), "?X......X.");
        assert_eq!(steps(Side::Below, Edge::Passes, &gaps), "?......X.X");
        assert_eq!(steps(Side::Below, Edge::Reaches, &gaps), "?...X..X..");
    }

    #[test]
    fn an_onset_needs_a_bar_on_which_it_was_known_not_to_hold() {
        let mut onset = Onset::default();
        let holds = [Some(true), Some(false), Some(true), Some(true), None, Some(true)];
        let began = holds.map(|holds| onset.step(holds));
        assert_eq!(began, [false, false, true, false, false, false]);
    }

    #[test]
    fn bars_are_counted_since_it_happened() {
        let mut since = Since::default();
        let said = [false, true, false, false, true].map(|happens| since.step(happens));
        assert_eq!(said, [None, Some(0), Some(1), Some(2), Some(0)]);
    }

    #[test]
    fn a_strength_is_finite_where_the_base_is_nothing() {
        assert_eq!(percent(5.0, 0.0), 0.0);
        assert_eq!(percent(-5.0, -50.0), 10.0);
    }
}

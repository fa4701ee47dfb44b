//! Dividends and splits of a chart, in the words of every venue.

use finstage_model::Interval;

use super::chart::{Chart, Row};
use crate::venue::{Action, ActionKind};

impl Chart {
    /// What happened between two trading days, oldest first. A dividend is told as a share of the
    /// close before it, which is on the same scale, whatever splits came later.
    pub(super) fn actions(&self) -> Vec<Action> {
        let rows = self.rows(Interval::D1);
        let before =
            |day| -> Option<&Row> { rows[..rows.partition_point(|row| row.day < day)].last() };
        let mut actions: Vec<Action> = Vec::new();
        for (day, amount) in self.payments() {
            let Some(row) = before(day) else { continue };
            let share = amount / row.close();
            if share > 0.0 && share < 1.0 {
                actions.push(Action { before: row.day, kind: ActionKind::Dividend { share } });
            }
        }
        for (day, ratio) in self.splits() {
            let Some(row) = before(day) else { continue };
            actions.push(Action { before: row.day, kind: ActionKind::Split { ratio } });
        }
        actions.sort_by_key(|action| action.before);
        actions
    }
}

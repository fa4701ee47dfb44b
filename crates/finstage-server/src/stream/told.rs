//! What is said row by row, signals and alerts, as messages: one way for both.

use finstage_model::{Position, Symbol};
use finstage_store::records::{AlertRow, Records, SaidPlace, SignalRow};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::ask::{Want, Wants};
use super::cursor;
use super::hub::{Hub, PAGE, encode};
use super::mailbox::{Pushed, Said};
use crate::metrics::Metrics;
use crate::rows::{AlertItem, SignalItem, alert_items, signal_items};
use crate::{Desk, Error};

/// Rows of the records as messages, each with its symbol.
pub(super) type Messages = Vec<(Symbol, Pushed)>;

/// A kind of thing that is said: how it is read, counted and pushed.
pub(super) trait Told: Sized {
    /// The type of its messages, and the name of their field.
    const NAME: &'static str;
    /// What of a row is pushed.
    type Item: Serialize;

    /// Rows behind a place that follow from what is before a position, each with its number.
    fn rows(
        records: &Records,
        place: SaidPlace,
        end: Position,
    ) -> Result<Vec<(i64, Self)>, finstage_store::Error>;
    /// Rows as they are pushed.
    fn items(records: &Records, desk: &dyn Desk, rows: Vec<Self>)
    -> Result<Vec<Self::Item>, Error>;
    /// Counts one.
    fn count(metrics: &Metrics, item: &Self::Item);
    /// Whose row it is.
    fn symbol(&self) -> &Symbol;
    /// Its mark on a message.
    fn said(number: i64) -> Said;
    /// Its number in a place.
    fn number(place: &mut SaidPlace) -> &mut i64;
    /// What a client wants of it.
    fn want(wants: &Wants) -> &Want;
}

/// A message: its type, its place, and under the name of the type what was said.
struct Push<'a, T> {
    name: &'static str,
    cursor: String,
    item: &'a T,
}

impl<T: Serialize> Serialize for Push<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("type", self.name)?;
        map.serialize_entry("cursor", &self.cursor)?;
        map.serialize_entry(self.name, self.item)?;
        map.end()
    }
}

impl Hub {
    /// What was said behind a place as messages, as far as it follows from what is before `end` in the
    /// journal, and the place behind it.
    pub(super) fn behind<T: Told>(
        &self,
        mut place: SaidPlace,
        end: Position,
        count: impl Fn(&T::Item),
    ) -> Result<(Messages, SaidPlace), Error> {
        let rows = T::rows(&self.records, place, end)?;
        let (numbers, rows): (Vec<i64>, Vec<T>) = rows.into_iter().unzip();
        let symbols: Vec<Symbol> = rows.iter().map(|row| row.symbol().clone()).collect();
        let items = T::items(&self.records, self.desk.as_ref(), rows)?;
        let mut messages = Vec::with_capacity(items.len());
        for ((number, symbol), item) in numbers.into_iter().zip(symbols).zip(&items) {
            count(item);
            *T::number(&mut place) = number;
            let push = Push { name: T::NAME, cursor: cursor(place), item };
            messages.push((symbol, Pushed { text: encode(&push), said: Some(T::said(number)) }));
        }
        Ok((messages, place))
    }
}

impl Told for SignalRow {
    const NAME: &'static str = "signal";
    type Item = SignalItem;

    fn rows(
        records: &Records,
        place: SaidPlace,
        end: Position,
    ) -> Result<Vec<(i64, Self)>, finstage_store::Error> {
        records.signals_behind(place.signal, end, PAGE)
    }

    fn items(
        records: &Records,
        desk: &dyn Desk,
        rows: Vec<Self>,
    ) -> Result<Vec<SignalItem>, Error> {
        signal_items(records, desk, rows)
    }

    fn count(metrics: &Metrics, item: &SignalItem) {
        metrics.signal(item);
    }

    fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    fn said(number: i64) -> Said {
        Said::Signal(number)
    }

    fn number(place: &mut SaidPlace) -> &mut i64 {
        &mut place.signal
    }

    fn want(wants: &Wants) -> &Want {
        &wants.signals
    }
}

impl Told for AlertRow {
    const NAME: &'static str = "alert";
    type Item = AlertItem;

    fn rows(
        records: &Records,
        place: SaidPlace,
        end: Position,
    ) -> Result<Vec<(i64, Self)>, finstage_store::Error> {
        records.alerts_behind(place.alert, end, PAGE)
    }

    fn items(records: &Records, desk: &dyn Desk, rows: Vec<Self>) -> Result<Vec<AlertItem>, Error> {
        alert_items(records, desk, rows)
    }

    fn count(metrics: &Metrics, item: &AlertItem) {
        metrics.alert(item);
    }

    fn symbol(&self) -> &Symbol {
        &self.alert.symbol
    }

    fn said(number: i64) -> Said {
        Said::Alert(number)
    }

    fn number(place: &mut SaidPlace) -> &mut i64 {
        &mut place.alert
    }

    fn want(wants: &Wants) -> &Want {
        &wants.alerts
    }
}

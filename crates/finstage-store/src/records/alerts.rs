//! Alerts: what was to be told to people, and what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use finstage_model::{
    Alert, AlertId, AlertKind, Decision, Position, Said, Symbol, Timestamp, WithheldAlert,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::batch::{NewAlert, Route};
use super::db::Trouble;
use super::{Filter, Records, json_list, parse};
use crate::Error;

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertStatus {
    /// The engine decided not to send it.
    Withheld,
    /// It was to be sent, and there is no notifier.
    Kept,
    /// It waits for, or is being tried by, at least one notifier.
    Queued,
    /// At least one notifier delivered it, and none tries any more.
    Delivered,
    /// No notifier could deliver it.
    Failed,
    /// It became too old to send.
    Expired,
}

impl AlertStatus {
    const ALL: [Self; 6] =
        [Self::Withheld, Self::Kept, Self::Queued, Self::Delivered, Self::Failed, Self::Expired];

    /// The machine word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Withheld => "withheld",
            Self::Kept => "kept",
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for AlertStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An alert as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    /// The alert.
    pub alert: Alert,
    /// After the last event that it follows from.
    pub position: Position,
    /// What became of it.
    pub status: AlertStatus,
    /// Why it was withheld, failed or expired.
    pub reason: Option<String>,
}

impl AlertRow {
    /// Why it was not sent, and what is known against its signal.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self.reason.clone().into_iter().collect();
        if let (Decision::Withhold(why), true) = (self.alert.decision, reasons.is_empty()) {
            reasons.push(why.as_str().to_owned());
        }
        if let AlertKind::Signal { ruling, .. } = self.alert.kind {
            reasons.extend(ruling.reason().map(|reason| reason.as_str().to_owned()));
        }
        reasons
    }

    /// What it is about: `signal`, `size` or `watch`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.alert.kind {
            AlertKind::Signal { size: Some(_), .. } => "size",
            AlertKind::Signal { .. } => "signal",
            AlertKind::Watch { .. } => "watch",
        }
    }
}

impl Records {
    /// The newest alerts first, withheld ones too.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn alerts(&self, filter: &Filter) -> Result<Vec<AlertRow>, Error> {
        self.0.read("listing alerts in", |tx| {
            let (symbol, limit) = (filter.symbol.as_ref().map(Symbol::as_str), filter.sql_limit());
            match symbol {
                Some(symbol) => {
                    let sql = "SELECT * FROM alerts WHERE symbol = ?
                        ORDER BY said_at DESC, id DESC LIMIT ?";
                    rows(tx, sql, params![symbol, limit])
                }
                None => {
                    let sql = "SELECT * FROM alerts ORDER BY said_at DESC, id DESC LIMIT ?";
                    rows(tx, sql, params![limit])
                }
            }
        })
    }

    /// The alert with that id, as the engine made it.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn alert(&self, id: AlertId) -> Result<Option<Alert>, Error> {
        self.0.read("looking up an alert in", |tx| {
            let mut query = tx.prepare_cached("SELECT json FROM alerts WHERE id = ?")?;
            let json: Option<String> =
                query.query_row([id.to_string()], |row| row.get(0)).optional()?;
            json.map(|json| alert(&json)).transpose()
        })
    }

    /// Those of the alerts with these ids that there are, as the engine made them.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn alerts_with(&self, ids: &BTreeSet<AlertId>) -> Result<BTreeMap<AlertId, Alert>, Error> {
        self.0.read("looking up alerts in", |tx| {
            let sql = "SELECT json FROM alerts WHERE id IN (SELECT value FROM json_each(?))";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query([json_list(ids)])?;
            let mut alerts = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let alert = alert(&row.get::<_, String>(0)?)?;
                alerts.insert(alert.id, alert);
            }
            Ok(alerts)
        })
    }

    /// The alerts decided to be sent since `since` (engine time), oldest first: what the next
    /// day's engine must know of.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn said_since(&self, since: Timestamp) -> Result<Vec<Said>, Error> {
        self.0.read("listing alerts in", |tx| {
            let sql = "SELECT id, symbol, rule, said_at FROM alerts
                WHERE said_at >= ? AND decision = 'send' ORDER BY said_at, id";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query([since.nanos()])?;
            let mut said = Vec::new();
            while let Some(row) = rows.next()? {
                said.push(Said {
                    id: parse::<AlertId>(row, "id")?,
                    symbol: parse(row, "symbol")?,
                    rule: row.get("rule")?,
                    said_at: Timestamp::from_nanos(row.get("said_at")?),
                });
            }
            Ok(said)
        })
    }
}

/// Adds an alert, and its outbox rows where it is to be sent: the number of those, or `None` when
/// the alert is there already.
pub(super) fn insert(
    tx: &Connection,
    new: &NewAlert,
    position: Position,
) -> Result<Option<u64>, Trouble> {
    let alert = &new.alert;
    let (decision, status, reason) = match (alert.decision, &new.route) {
        (Decision::Withhold(why), _) => {
            ("withhold", AlertStatus::Withheld, Some(WithheldAlert::as_str(why)))
        }
        (Decision::Send, Route::Expired) => ("send", AlertStatus::Expired, Some("max_age")),
        (Decision::Send, Route::Notify(names)) if names.is_empty() => {
            ("send", AlertStatus::Kept, Some("no_notifier"))
        }
        (Decision::Send, Route::Notify(_)) => ("send", AlertStatus::Queued, None),
    };
    let kind = match alert.kind {
        AlertKind::Signal { .. } => "signal",
        AlertKind::Watch { .. } => "watch",
    };
    let id = alert.id.to_string();
    let json = serde_json::to_string(alert).expect("an alert is always JSON");
    let sql = "INSERT INTO alerts (id, position, json, kind, rule, symbol, at, said_at, decision,
            status, reason)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let added = tx.prepare_cached(sql)?.execute(params![
        id,
        position.to_i64(),
        json,
        kind,
        alert.rule,
        alert.symbol.as_str(),
        alert.at.nanos(),
        alert.said_at.nanos(),
        decision,
        status.as_str(),
        reason,
    ])?;
    if added == 0 {
        return Ok(None);
    }
    let mut queued = 0;
    if let (AlertStatus::Queued, Route::Notify(names)) = (status, &new.route) {
        let sql = "INSERT INTO outbox (alert, notifier, position) VALUES (?, ?, ?)
            ON CONFLICT DO NOTHING";
        let mut insert = tx.prepare_cached(sql)?;
        for name in names {
            queued += insert.execute(params![id, name, position.to_i64()])? as u64;
        }
    }
    Ok(Some(queued))
}

pub(super) fn rows(
    tx: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<AlertRow>, Trouble> {
    let mut query = tx.prepare_cached(sql)?;
    let mut rows = query.query(values)?;
    let mut alerts = Vec::new();
    while let Some(row) = rows.next()? {
        alerts.push(alert_row(row)?);
    }
    Ok(alerts)
}

fn alert_row(row: &Row<'_>) -> Result<AlertRow, Trouble> {
    let word: String = row.get("status")?;
    let status = AlertStatus::ALL.into_iter().find(|status| status.as_str() == word);
    Ok(AlertRow {
        alert: alert(&row.get::<_, String>("json")?)?,
        position: Position::from_i64(row.get("position")?),
        status: status.ok_or_else(|| Trouble::BadRow(format!("status \"{word}\" of an alert")))?,
        reason: row.get("reason")?,
    })
}

/// An alert from its stored JSON.
pub(super) fn alert(json: &str) -> Result<Alert, Trouble> {
    serde_json::from_str(json).map_err(|e| Trouble::BadRow(format!("an alert: {e}")))
}

//! What was said on a day, and what left the house.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use finstage_model::{
    AlertKind, Card, CardId, CardVerdict, ClaimKind, Decision, Direction, Interval, Proof, Reason,
    Ruling, SignalId, Symbol, Timestamp,
};
use finstage_store::Error;
use finstage_store::records::{
    AlertRow, AlertStatus, Forgettable, HeldCount, Moments, Records, SignalRow,
};

use super::rule::rule_words;
use super::words::Language;
use super::{
    Alerts, CardFigures, HeldByChannel, HeldReason, MAX_IDS, MAX_ROWS, ProvenSignal, SentAlert,
    SignalGroup, Signals, SizeSignal, WithheldCount,
};

const WEEK: Duration = Duration::from_secs(7 * 86_400);
const DAY_SECS: u64 = 86_400;

/// Signals that say the same about themselves.
type Group<'a> = (&'a str, Interval, Direction, &'static str, Option<&'static str>, Option<CardId>);

pub(super) fn signals(
    records: &Records,
    (rows, begin): (&[SignalRow], Timestamp),
    cards: &[Card],
) -> Result<Signals, Error> {
    let proofs = proofs(records, rows)?;
    let kept_since = kept_since(records, Forgettable::Signals, begin)?;
    let mut signals = Signals { total: rows.len(), kept_since, ..Signals::default() };
    let mut groups: BTreeMap<Group<'_>, Vec<&SignalRow>> = BTreeMap::new();
    for row in rows {
        let count = match row.ruling {
            Some(Ruling::Verified { .. }) => &mut signals.verified,
            Some(Ruling::Unproven { .. }) => &mut signals.unproven,
            Some(Ruling::Rejected { .. }) => &mut signals.rejected,
            Some(Ruling::Withheld { .. }) => &mut signals.withheld,
            None => &mut signals.pending,
        };
        *count += 1;
        let proof = proofs.get(&row.id);
        if matches!(row.ruling, Some(Ruling::Verified { .. })) {
            if signals.proven.len() < MAX_ROWS {
                signals.proven.push(proven(row, proof.cloned()));
            }
            continue;
        }
        let verdict = row.ruling.map_or("pending", Ruling::as_str);
        let reason = row.ruling.and_then(Ruling::reason).map(Reason::as_str);
        let card = proof.map(|proof| proof.card);
        let key = (row.strategy.as_str(), row.interval, row.direction, verdict, reason, card);
        groups.entry(key).or_default().push(row);
    }
    signals.groups_total = groups.len();
    let mut groups: Vec<SignalGroup> =
        groups.into_values().map(|rows| group(&rows, proofs.get(&rows[0].id), cards)).collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.strategy.cmp(&b.strategy)));
    groups.truncate(MAX_ROWS);
    signals.groups = groups;
    signals.sizes = sizes(rows, cards);
    Ok(signals)
}

/// The figures that went with each signal's alert.
fn proofs(records: &Records, rows: &[SignalRow]) -> Result<BTreeMap<SignalId, Proof>, Error> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(BTreeMap::new());
    };
    let within = Moments { after: first.at.minus(Duration::from_nanos(1)), until: last.at };
    let proof = |row: AlertRow| match row.alert.kind {
        AlertKind::Signal { signal, proof: Some(proof), .. } => Some((signal, *proof)),
        _ => None,
    };
    Ok(records.alerts_within(within)?.into_iter().filter_map(proof).collect())
}

fn proven(row: &SignalRow, proof: Option<Proof>) -> ProvenSignal {
    ProvenSignal {
        id: row.id,
        symbol: row.symbol.clone(),
        interval: row.interval,
        strategy: row.strategy.clone(),
        words: rule_words(&row.strategy, Language::En),
        direction: row.direction,
        at: row.at,
        price: row.price,
        age_days: proof.as_ref().map(|proof| row.at.since(proof.issued).as_secs() / DAY_SECS),
        proof,
    }
}

fn group(rows: &[&SignalRow], proof: Option<&Proof>, cards: &[Card]) -> SignalGroup {
    let first = rows[0];
    let symbols: BTreeSet<&Symbol> = rows.iter().map(|row| &row.symbol).collect();
    SignalGroup {
        strategy: first.strategy.clone(),
        words: rule_words(&first.strategy, Language::En),
        interval: first.interval,
        direction: first.direction,
        verdict: first.ruling.map_or("pending", Ruling::as_str),
        reason: first.ruling.and_then(Ruling::reason),
        count: rows.len(),
        symbols: symbols.into_iter().take(MAX_ROWS).cloned().collect(),
        card: proof.map(|proof| figures(proof, cards)),
        signals: rows.iter().map(|row| row.id).take(MAX_IDS).collect(),
    }
}

fn figures(proof: &Proof, cards: &[Card]) -> CardFigures {
    let card = cards.iter().find(|card| card.id == proof.card);
    CardFigures {
        card: proof.card,
        horizon: proof.horizon,
        grade: card.and_then(|card| card.grade),
        n: proof.n,
        n_eff: proof.n_eff,
        hit_rate: proof.hit_rate,
        hit_low: proof.hit_low,
        hit_high: proof.hit_high,
        base_rate: proof.base_rate,
        shrunken: card.and_then(|card| card.shrunken),
        in_force: card.is_some(),
    }
}

/// Signals after which moves were larger than usual, in either direction.
fn sizes(rows: &[SignalRow], cards: &[Card]) -> Vec<SizeSignal> {
    let is_proven =
        |card: &&Card| (card.claim, card.verdict) == (ClaimKind::Size, CardVerdict::Verified);
    let cards: Vec<&Card> = cards.iter().filter(is_proven).collect();
    let mut sizes = Vec::new();
    for row in rows.iter().filter(|row| !matches!(row.ruling, Some(Ruling::Withheld { .. }))) {
        let is_about = |card: &&&Card| {
            card.strategy == row.strategy
                && card.interval == row.interval
                && card.members.iter().any(|member| member.symbol == row.symbol)
        };
        sizes.extend(cards.iter().filter(is_about).map(|card| SizeSignal {
            signal: row.id,
            symbol: row.symbol.clone(),
            strategy: row.strategy.clone(),
            at: row.at,
            horizon: card.horizon,
            times_usual: card.times_usual,
            n_eff: card.n_eff,
            card: card.id,
        }));
        if sizes.len() >= MAX_ROWS {
            sizes.truncate(MAX_ROWS);
            break;
        }
    }
    sizes
}

/// From when on all of a kind is kept, where that is after `begin`.
fn kept_since(
    records: &Records,
    kind: Forgettable,
    begin: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    Ok(records.kept_since(kind)?.filter(|since| *since > begin))
}

pub(super) fn alerts(records: &Records, day: Moments) -> Result<Alerts, Error> {
    // The zone's clock may jump within the week: seven times 24 hours are meant.
    let week = Moments { after: day.until.minus(WEEK), ..day };
    let kept_since = kept_since(records, Forgettable::Alerts, week.after)?;
    let mut alerts = Alerts { kept_since, ..Alerts::default() };
    let mut reasons: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for count in records.alert_counts(day)? {
        alerts.total += count.count;
        match count.status.as_str() {
            "delivered" => alerts.delivered += count.count,
            "queued" => alerts.queued += count.count,
            "kept" => alerts.kept += count.count,
            "failed" => alerts.failed += count.count,
            "expired" => alerts.expired += count.count,
            _ => {
                alerts.withheld += count.count;
                reasons.entry(count.reason.unwrap_or_default()).or_default().0 += count.count;
            }
        }
    }
    for count in records.alert_counts(week)? {
        alerts.week_total += count.count;
        if count.status == AlertStatus::Withheld.as_str() {
            alerts.week_withheld += count.count;
            reasons.entry(count.reason.unwrap_or_default()).or_default().1 += count.count;
        }
    }
    let count = |(reason, (day, week))| WithheldCount { reason, day, week };
    alerts.reasons = reasons.into_iter().map(count).collect();
    alerts.reasons.sort_by_key(|count| std::cmp::Reverse((count.day, count.week)));
    alerts.held = held(records, day)?;
    let sent = records.alerts_within(day)?.into_iter();
    let sent = sent.filter(|row| row.alert.decision == Decision::Send).take(MAX_ROWS);
    alerts.sent = sent.map(sent_alert).collect();
    Ok(alerts)
}

/// What each channel held back.
fn held(records: &Records, day: Moments) -> Result<Vec<HeldByChannel>, Error> {
    let mut held: Vec<HeldByChannel> = Vec::new();
    for HeldCount { channel, reason, count } in records.held_counts(day)? {
        let reason = HeldReason { reason, count };
        match held.last_mut() {
            Some(last) if last.channel == channel => {
                last.held += count;
                last.reasons.push(reason);
            }
            _ => held.push(HeldByChannel { channel, held: count, reasons: vec![reason] }),
        }
    }
    held.iter_mut().for_each(|one| one.reasons.sort_by_key(|one| std::cmp::Reverse(one.count)));
    held.sort_by_key(|one| std::cmp::Reverse(one.held));
    Ok(held)
}

fn sent_alert(row: AlertRow) -> SentAlert {
    SentAlert {
        id: row.alert.id,
        kind: match row.alert.kind {
            AlertKind::Signal { .. } => "signal",
            AlertKind::Watch { .. } => "watch",
        },
        symbol: row.alert.symbol,
        rule: row.alert.rule,
        at: row.alert.at,
        status: row.status.as_str(),
    }
}

/// Signals that were withheld, by reason.
pub(super) fn withheld_for_data(rows: &[SignalRow]) -> Vec<(Reason, usize)> {
    let mut counts: Vec<(Reason, usize)> = Vec::new();
    for row in rows {
        let Some(Ruling::Withheld { reason }) = row.ruling else { continue };
        match counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }
    counts.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), reason.as_str()));
    counts
}

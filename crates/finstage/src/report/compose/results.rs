//! Alerts, and outcomes of earlier signals.

use finstage_notify::fill;

use super::super::numbers::Style;
use super::super::{HeldByChannel, HeldReason, OutcomeGroup, WithheldCount};
use super::sections::filled;
use super::{Block, Pen, Section};

/// Alerts of the day that are listed one by one.
const MAX_SENT: usize = 10;
/// Digits of an id that find it.
const SHORT_ID: usize = 12;

impl Pen<'_> {
    pub(super) fn alerts(&self) -> Section {
        let (alerts, words) = (&self.report.alerts, self.words);
        let mut blocks = Vec::new();
        blocks.extend(self.alerts_forgotten().map(Block::Say));
        if alerts.total == 0 && alerts.week_total == 0 {
            if blocks.is_empty() {
                blocks.push(Block::Say(words.no_alerts.to_owned()));
            }
            return Section { title: words.alerts, blocks };
        }
        let sent = alerts.total - alerts.withheld;
        let tiles = [
            (words.sent, sent),
            (words.delivered, alerts.delivered),
            (words.queued, alerts.queued),
            (words.kept, alerts.kept),
            (words.failed, alerts.failed),
            (words.expired, alerts.expired),
            (words.withheld, alerts.withheld),
        ];
        let always = [words.sent, words.delivered, words.withheld];
        let shown = tiles.into_iter().filter(|(name, n)| *n > 0 || always.contains(name));
        let tile = |(name, count): (&str, u64)| (name.to_owned(), Style::count(count));
        blocks.push(Block::Tiles(shown.map(tile).collect()));
        if sent == 0 && self.is_kept() {
            blocks.push(Block::Say(words.none_sent.to_owned()));
        }
        if sent > 0 {
            let line = |one: &super::super::SentAlert| {
                let time = self.style.time(one.at);
                let (id, status) = (one.id.to_string(), self.status(one.status));
                format!("{time} {} {}: {status}, {}", one.symbol, one.rule, &id[..SHORT_ID])
            };
            blocks.push(Block::List(alerts.sent.iter().take(MAX_SENT).map(line).collect()));
            blocks.extend(self.more(sent as usize, alerts.sent.len().min(MAX_SENT)));
        }
        if alerts.week_withheld > 0 {
            blocks.push(Block::Heading(words.withheld_why));
            let mut rows: Vec<Vec<String>> =
                alerts.reasons.iter().map(|one| self.reason(one)).collect();
            rows.push(vec![
                words.share_withheld.to_owned(),
                self.part(alerts.withheld, alerts.total),
                self.part(alerts.week_withheld, alerts.week_total),
            ]);
            let names = vec![words.why, words.this_day, words.seven_days];
            blocks.push(Block::Table { texts: 1, names, rows });
        }
        if !alerts.held.is_empty() {
            blocks.push(Block::Heading(words.held_title));
            blocks.push(Block::List(alerts.held.iter().map(|one| self.held(one)).collect()));
        }
        Section { title: words.alerts, blocks }
    }

    /// What a channel held back, in a line.
    pub(in super::super) fn held(&self, one: &HeldByChannel) -> String {
        let why = |one: &HeldReason| {
            let (count, why) = (Style::count(one.count), self.language().withheld(&one.reason));
            fill(self.words.held_reason, &[("count", &count), ("why", &why)])
        };
        let why: Vec<String> = one.reasons.iter().map(why).collect();
        let (count, why) = (Style::count(one.held), why.join(", "));
        let values = [("channel", one.channel.as_str()), ("count", &count), ("why", &why)];
        fill(self.words.held_line, &values)
    }

    /// Since when alerts are kept, where that is not all of the seven days.
    pub(in super::super) fn alerts_forgotten(&self) -> Option<String> {
        let since = self.zoned(self.report.alerts.kept_since?);
        Some(fill(self.words.alerts_forgotten, &[("since", &since)]))
    }

    /// Whether all alerts of the day are kept.
    fn is_kept(&self) -> bool {
        self.report.alerts.kept_since.is_none_or(|since| since <= self.report.from)
    }

    fn status(&self, word: &'static str) -> &'static str {
        match word {
            "delivered" => self.words.delivered,
            "queued" => self.words.queued,
            "kept" => self.words.kept,
            "failed" => self.words.failed,
            "expired" => self.words.expired,
            other => other,
        }
    }

    fn reason(&self, one: &WithheldCount) -> Vec<String> {
        let words = self.language().withheld(&one.reason);
        vec![words, Style::count(one.day), Style::count(one.week)]
    }

    /// A part as a share of a whole; nothing of nothing is a dash.
    pub(in super::super) fn part(&self, part: u64, whole: u64) -> String {
        if whole == 0 {
            return "–".to_owned();
        }
        let share = self.style.share(Some(part as f64 / whole as f64));
        fill(self.words.of_count, &[("share", &share), ("count", &Style::count(whole))])
    }

    pub(super) fn outcomes(&self) -> Section {
        let (outcomes, words) = (&self.report.outcomes, self.words);
        if outcomes.groups.is_empty() {
            let blocks = vec![Block::Say(words.no_outcomes.to_owned())];
            return Section { title: words.outcomes, blocks };
        }
        let rows = outcomes.groups.iter().map(|group| self.outcome(group)).collect();
        let names = vec![
            words.horizon,
            words.verdict,
            words.sample,
            words.occasions,
            words.hit_rate,
            words.interval,
            words.base_rate,
            words.mean_net,
        ];
        let mut blocks = vec![Block::Table { texts: 2, names, rows }];
        if outcomes.groups.iter().any(|group| group.is_few) {
            blocks.push(Block::Quiet(format!("* {}", words.few)));
        }
        let cost = self.style.change(Some(outcomes.cost)).trim_start_matches('+').to_owned();
        let whose = match outcomes.provenance {
            "simulated" => words.outcome_simulated,
            _ => words.outcome_live,
        };
        let note = fill(words.outcome_note, &[("cost", &cost)]);
        blocks.push(Block::Quiet(format!("{whose} {note}")));
        Section { title: words.outcomes, blocks }
    }

    fn outcome(&self, group: &OutcomeGroup) -> Vec<String> {
        let style = &self.style;
        let few = if group.is_few { "*" } else { "" };
        vec![
            style.horizon(group.horizon).to_owned(),
            self.said(&group.verdict),
            Style::count(group.n as u64),
            format!("{}{few}", Style::count(group.occasions as u64)),
            style.share(Some(group.hit_rate)),
            format!("{} – {}", style.share(group.hit_low), style.share(group.hit_high)),
            self.base(group),
            style.change(Some(group.mean_net)),
        ]
    }

    /// A verdict that comes out of the store as text.
    pub(in super::super) fn said(&self, verdict: &str) -> String {
        let known = ["verified", "unproven", "rejected", "withheld"];
        match known.into_iter().find(|word| *word == verdict) {
            Some(word) => self.language().verdict(word).to_owned(),
            None => verdict.to_owned(),
        }
    }

    /// The base rate with the number of outcomes that have one.
    pub(in super::super) fn base(&self, group: &OutcomeGroup) -> String {
        match group.base_rate {
            None => self.words.no_data.to_owned(),
            rate => format!("{} ({})", self.style.share(rate), Style::count(group.base_n as u64)),
        }
    }

    /// A group of outcomes in a sentence.
    pub(in super::super) fn outcome_line(&self, group: &OutcomeGroup) -> String {
        let style = &self.style;
        let values = [
            ("horizon", style.horizon(group.horizon).to_owned()),
            ("verdict", self.said(&group.verdict)),
            ("hits", Style::count(group.hits as u64)),
            ("n", Style::count(group.n as u64)),
            ("occasions", Style::count(group.occasions as u64)),
            ("low", style.share(group.hit_low)),
            ("high", style.share(group.hit_high)),
            ("base", self.base(group)),
            ("mean", style.change(Some(group.mean_net))),
        ];
        filled(self.words.short_outcome, &values)
    }
}

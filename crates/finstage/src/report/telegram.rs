//! The report as a message: what fits a phone. Details belong to the page.

use finstage_model::Day;
use finstage_notify::fill;
use finstage_store::records::{NoticeStyle, NoticeText};

use super::compose::{Pen, filled};
use super::numbers::{Style, priced};
use super::rule::rule_words;
use super::words::Language;
use super::{ClaimCount, DailyReport, InstrumentDay};
use crate::wiring::describe;

/// Instruments that are named.
const MAX_INSTRUMENTS: usize = 12;
/// Verified signals that are told with their proof.
const MAX_PROVEN: usize = 5;
/// Larger moves that are told.
const MAX_SIZES: usize = 5;
/// Groups of outcomes that are told.
const MAX_OUTCOMES: usize = 10;
/// Reasons of withheld alerts that are told.
const MAX_REASONS: usize = 6;
/// Channels whose held alerts are told.
const MAX_CHANNELS: usize = 6;

/// The lines of the report as a notice.
#[must_use]
pub(super) fn lines(report: &DailyReport, language: Language) -> Vec<Vec<NoticeText>> {
    let pen = Pen::new(report, language);
    let mut lines = Lines(Vec::new());
    let words = pen.words;
    let title = format!("{}: {}", words.title, pen.style.long_date(report.date));
    lines.add(NoticeStyle::Bold, &title);
    lines.add(NoticeStyle::Plain, &format!("{} · {}", pen.scope(), report.zone));
    if let Some(simulated) = pen.simulated() {
        lines.add(NoticeStyle::Italic, simulated);
    }
    if !report.is_complete {
        lines.add(NoticeStyle::Italic, words.not_over);
    }
    pen.prices(&mut lines);
    pen.said_short(&mut lines);
    pen.sent_short(&mut lines);
    pen.became_short(&mut lines);
    pen.proven_short(&mut lines);
    lines.heading(words.track);
    let track = &report.track_record;
    lines.0.push(vec![
        NoticeText::new(NoticeStyle::Plain, pen.entries(track.entries)),
        NoticeText::new(NoticeStyle::Code, hash(&track.head, words.no_head)),
    ]);
    lines.space();
    lines.add(NoticeStyle::Plain, &details(pen.words.details, report.date));
    lines.add(NoticeStyle::Plain, &pen.next());
    lines.add(NoticeStyle::Italic, words.not_advice);
    lines.0
}

fn details(pattern: &str, day: Day) -> String {
    fill(pattern, &[("date", &day.to_string())])
}

fn hash(head: &str, empty: &str) -> String {
    if head.is_empty() { empty.to_owned() } else { head.to_owned() }
}

struct Lines(Vec<Vec<NoticeText>>);

impl Lines {
    fn add(&mut self, style: NoticeStyle, text: &str) {
        self.0.push(vec![NoticeText::new(style, text)]);
    }

    /// A line with nothing on it.
    fn space(&mut self) {
        self.0.push(Vec::new());
    }

    fn heading(&mut self, text: &str) {
        self.space();
        self.add(NoticeStyle::Bold, text);
    }

    fn plain(&mut self, text: &str) {
        self.add(NoticeStyle::Plain, text);
    }
}

impl Pen<'_> {
    fn prices(&self, lines: &mut Lines) {
        let (report, words) = (self.report, self.words);
        if report.instruments.is_empty() {
            return lines.plain(words.no_instruments);
        }
        for one in report.instruments.iter().take(MAX_INSTRUMENTS) {
            lines.plain(&self.price_line(one));
        }
        let rest = report.instruments_total.saturating_sub(MAX_INSTRUMENTS);
        if rest > 0 {
            lines.plain(&fill(words.more, &[("count", &rest.to_string())]));
        }
    }

    fn price_line(&self, one: &InstrumentDay) -> String {
        let (style, symbol) = (&self.style, &one.symbol);
        let Some(close) = one.close.map(|close| one.money(close)) else {
            return format!("{symbol}: {}", self.words.no_bars_ever);
        };
        if one.bars == 0 {
            let date = one.close_day.map(|day| day.to_string()).unwrap_or_default();
            let said = fill(self.words.no_bars, &[("close", &close), ("date", &date)]);
            return format!("{symbol}: {said}");
        }
        let (low, high) = (Style::maybe_price(one.low), Style::maybe_price(one.high));
        let part = self.part_of_day(one, self.words.short_part);
        let part = part.map(|part| format!(" · {part}")).unwrap_or_default();
        format!("{symbol} {close} ({}), {low} – {high}{part}", style.change(one.change))
    }

    fn said_short(&self, lines: &mut Lines) {
        let (signals, words) = (&self.report.signals, self.words);
        lines.heading(words.signals);
        let forgotten = self.signals_forgotten();
        if let Some(forgotten) = &forgotten {
            lines.plain(forgotten);
        }
        if signals.total == 0 {
            if forgotten.is_none() {
                lines.plain(words.no_signals);
            }
            return;
        }
        let count = |count: usize| Style::count(count as u64);
        let values = [
            ("total", count(signals.total)),
            ("verified", count(signals.verified)),
            ("unproven", count(signals.unproven)),
            ("rejected", count(signals.rejected)),
            ("withheld", count(signals.withheld)),
        ];
        let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
        lines.plain(&fill(words.short_signals, &values));
        for one in signals.proven.iter().take(MAX_PROVEN) {
            let direction = self.language().direction(one.direction);
            let price = priced(one.price, describe(&one.symbol).currency.as_deref());
            lines.add(NoticeStyle::Bold, &format!("{direction} {}", one.strategy));
            let words = rule_words(&one.strategy, self.language());
            let first = format!("{} {price}: {words}", one.symbol);
            self.proof(one, first).iter().for_each(|line| lines.plain(line));
        }
        for one in signals.sizes.iter().take(MAX_SIZES) {
            lines.plain(&self.size(one));
        }
    }

    fn sent_short(&self, lines: &mut Lines) {
        let (alerts, words) = (&self.report.alerts, self.words);
        lines.heading(words.alerts);
        let forgotten = self.alerts_forgotten();
        if let Some(forgotten) = &forgotten {
            lines.plain(forgotten);
        }
        if alerts.total == 0 && alerts.week_total == 0 {
            if forgotten.is_none() {
                lines.plain(words.no_alerts);
            }
            return;
        }
        let values = [
            ("delivered", Style::count(alerts.delivered)),
            ("failed", Style::count(alerts.failed)),
            ("expired", Style::count(alerts.expired)),
            ("withheld", Style::count(alerts.withheld)),
            ("share", self.part(alerts.week_withheld, alerts.week_total)),
        ];
        let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
        lines.plain(&fill(words.short_alerts, &values));
        for one in alerts.reasons.iter().filter(|one| one.day > 0).take(MAX_REASONS) {
            let why = self.language().withheld(&one.reason);
            lines.plain(&format!("{} {why}", Style::count(one.day)));
        }
        for one in alerts.held.iter().take(MAX_CHANNELS) {
            lines.plain(&self.held(one));
        }
    }

    fn became_short(&self, lines: &mut Lines) {
        let (outcomes, words) = (&self.report.outcomes, self.words);
        lines.heading(words.outcomes);
        if outcomes.groups.is_empty() {
            return lines.plain(words.no_outcomes);
        }
        for group in outcomes.groups.iter().take(MAX_OUTCOMES) {
            lines.plain(&self.outcome_line(group));
        }
        if outcomes.groups.iter().any(|group| group.is_few) {
            lines.add(NoticeStyle::Italic, words.few);
        }
    }

    fn proven_short(&self, lines: &mut Lines) {
        let (evidence, data, words) = (&self.report.evidence, &self.report.data, self.words);
        lines.heading(words.evidence);
        if evidence.cards == 0 {
            lines.plain(words.no_cards);
        } else {
            lines.plain(&self.cards_short());
            lines.plain(&self.proven_or_not());
        }
        for name in evidence.muted.iter().take(MAX_PROVEN) {
            lines.plain(&format!(
                "{}: {}",
                words.muted,
                fill(words.muted_line, &[("strategy", name)])
            ));
        }
        lines.heading(words.data);
        let series = Style::count(data.series_total as u64);
        if data.series_total == 0 {
            lines.plain(words.no_series);
        } else if data.missing == 0 {
            lines.plain(&fill(words.no_holes, &[("series", &series)]));
        } else {
            let (missing, with) = (Style::count(data.missing), data.holes_total.to_string());
            let values = [("missing", &*missing), ("series", &*with), ("all", &*series)];
            lines.plain(&fill(words.short_missing, &values));
        }
        if let Some(begun) = self.begun() {
            lines.plain(&begun);
        }
    }

    /// How many cards say what, about directions and sizes together.
    fn cards_short(&self) -> String {
        let evidence = &self.report.evidence;
        let sum = |of: fn(&ClaimCount) -> usize| {
            Style::count(evidence.by_claim.iter().map(of).sum::<usize>() as u64)
        };
        let values = [
            ("cards", Style::count(evidence.cards as u64)),
            ("verified", sum(|claim| claim.verified)),
            ("unproven", sum(|claim| claim.unproven)),
            ("rejected", sum(|claim| claim.rejected)),
        ];
        filled(self.words.short_cards, &values)
    }
}

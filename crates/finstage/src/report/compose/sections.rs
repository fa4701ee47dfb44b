//! Market, signals, evidence, data and chains.

use finstage_model::Symbol;
use finstage_notify::fill;

use super::super::numbers::{Style, priced};
use super::super::rule::rule_words;
use super::super::{
    CardFigures, Chain, InstrumentDay, ProvenSignal, SignalGroup, Signals, SizeSignal,
};
use super::{Block, Pen, Section};
use crate::wiring::describe;

/// Instruments of a group that are named.
const MAX_NAMES: usize = 3;

impl Pen<'_> {
    pub(super) fn market(&self) -> Section {
        let (report, words) = (self.report, self.words);
        let mut blocks = Vec::new();
        if report.instruments.is_empty() {
            blocks.push(Block::Say(words.no_instruments.to_owned()));
        } else {
            let rows = report.instruments.iter().map(|one| self.instrument(one)).collect();
            let names = vec![
                words.symbol,
                words.close,
                words.change,
                words.high,
                words.low,
                words.from_record,
            ];
            blocks.push(Block::Table { texts: 1, names, rows });
        }
        blocks.extend(self.more(report.instruments_total, report.instruments.len()));
        let parts = report.instruments.iter().filter_map(|one| self.part_of_day(one, words.part));
        blocks.extend(parts.map(Block::Quiet));
        if report.instruments.iter().any(|one| one.record.is_some()) {
            blocks.push(Block::Quiet(words.record_note.to_owned()));
        }
        Section { title: words.market, blocks }
    }

    /// How much of the day the figures are of, where that is not all.
    pub(in super::super) fn part_of_day(
        &self,
        one: &InstrumentDay,
        pattern: &str,
    ) -> Option<String> {
        let part = one.part?;
        // What is not whole must not be rounded to it.
        let share = (1_000.0 * part.share).floor() / 1_000.0;
        let values = [
            ("symbol", one.symbol.to_string()),
            ("share", self.style.share(Some(share))),
            ("from", self.style.moment(part.from)),
            ("until", self.style.moment(part.until)),
        ];
        Some(filled(pattern, &values))
    }

    /// Which series begin within the day.
    pub(in super::super) fn begun(&self) -> Option<String> {
        let data = &self.report.data;
        let line = |one: &super::super::SeriesBegun| {
            let interval = self.style.interval(one.interval);
            format!("{} · {interval} ({})", one.symbol, self.style.time(one.first))
        };
        let mut list: Vec<String> = data.begun.iter().take(MAX_NAMES).map(line).collect();
        let more = data.begun_total.saturating_sub(list.len());
        if more > 0 {
            list.push(fill(self.words.more, &[("count", &Style::count(more as u64))]));
        }
        (data.begun_total > 0).then(|| fill(self.words.begun, &[("list", &list.join(", "))]))
    }

    fn instrument(&self, one: &InstrumentDay) -> Vec<String> {
        let record = one.record.map_or_else(
            || "–".to_owned(),
            |record| format!("{} ({})", self.style.change(Some(record.distance)), record.day),
        );
        let close = one.close.map(|close| one.money(close));
        let close = match (close, one.close_day, one.bars) {
            (Some(close), Some(day), 0) => {
                let date = day.to_string();
                fill(self.words.no_bars, &[("close", &close), ("date", &date)])
            }
            (Some(close), _, _) => close,
            (None, _, _) => self.words.no_bars_ever.to_owned(),
        };
        vec![
            one.symbol.to_string(),
            close,
            self.style.change(one.change),
            Style::maybe_price(one.high),
            Style::maybe_price(one.low),
            record,
        ]
    }

    pub(super) fn signals(&self) -> Section {
        let (signals, words) = (&self.report.signals, self.words);
        let mut blocks: Vec<Block> = self.signals_forgotten().map(Block::Say).into_iter().collect();
        if signals.total == 0 {
            if blocks.is_empty() {
                blocks.push(Block::Say(words.no_signals.to_owned()));
            }
            return Section { title: words.signals, blocks };
        }
        blocks.push(Block::Tiles(self.verdict_tiles(signals)));
        if signals.proven.is_empty() {
            blocks.push(Block::Say(words.none_verified.to_owned()));
        } else {
            blocks.push(Block::Heading(words.verified_title));
            blocks.extend(signals.proven.iter().map(|one| self.proven(one)));
            blocks.extend(self.more(signals.verified, signals.proven.len()));
        }
        if !signals.sizes.is_empty() {
            blocks.push(Block::Heading(words.sizes_title));
            blocks.push(Block::List(signals.sizes.iter().map(|one| self.size(one)).collect()));
        }
        if !signals.groups.is_empty() {
            blocks.push(Block::Heading(words.rest_title));
            let rows = signals.groups.iter().map(|group| self.group(group)).collect();
            let names = vec![
                words.strategy,
                words.where_said,
                words.evidence_column,
                words.said,
                words.hit_rate,
                words.base_rate,
                words.sample,
                words.to_expect,
            ];
            blocks.push(Block::Table { texts: 3, names, rows });
            blocks.extend(self.more(signals.groups_total, signals.groups.len()));
            blocks.push(Block::Quiet(words.rest_note.to_owned()));
        }
        Section { title: words.signals, blocks }
    }

    /// Since when signals are kept, where that is not the whole day.
    pub(in super::super) fn signals_forgotten(&self) -> Option<String> {
        let since = self.zoned(self.report.signals.kept_since?);
        Some(fill(self.words.signals_forgotten, &[("since", &since)]))
    }

    fn verdict_tiles(&self, signals: &Signals) -> Vec<(String, String)> {
        let counts = [
            ("verified", signals.verified),
            ("unproven", signals.unproven),
            ("rejected", signals.rejected),
            ("withheld", signals.withheld),
            ("pending", signals.pending),
        ];
        let shown = counts.into_iter().filter(|(word, count)| *word != "pending" || *count > 0);
        let tile =
            |(word, count)| (self.language().verdict(word).to_owned(), Style::count(count as u64));
        shown.map(tile).collect()
    }

    fn proven(&self, one: &ProvenSignal) -> Block {
        let direction = self.language().direction(one.direction);
        let values = [
            ("symbol", one.symbol.to_string()),
            ("price", priced(one.price, describe(&one.symbol).currency.as_deref())),
            ("bars", self.style.interval(one.interval).to_owned()),
            ("time", self.style.time(one.at)),
            ("words", rule_words(&one.strategy, self.language())),
        ];
        let line = filled(self.words.line_of_signal, &values);
        Block::Claim(format!("{direction} {}", one.strategy), self.proof(one, line))
    }

    /// The line of a verified signal, and its proof.
    pub(in super::super) fn proof(&self, one: &ProvenSignal, line: String) -> Vec<String> {
        let mut lines = vec![line];
        let Some(proof) = &one.proof else { return lines };
        let style = &self.style;
        let occasions = [
            ("horizon", style.horizon(proof.horizon).to_owned()),
            ("hit", style.share(proof.hit_rate)),
            ("n_eff", Style::count(proof.n_eff)),
            ("n", Style::count(proof.n)),
            ("low", style.share(proof.hit_low)),
            ("high", style.share(proof.hit_high)),
            ("base", style.share(proof.base_rate)),
        ];
        lines.push(filled(self.words.proof_occasions, &occasions));
        let edge = [
            ("net", style.change(proof.theta_net)),
            ("low", style.change(proof.net_low)),
            ("high", style.change(proof.net_high)),
            ("q", proof.q_value.map_or_else(|| "–".to_owned(), |q| format!("{q:.4}"))),
            ("family", Style::count(proof.family)),
            ("age", Style::count(one.age_days.unwrap_or(0))),
            ("card", proof.card.to_string()),
        ];
        lines.push(filled(self.words.proof_edge, &edge));
        lines
    }

    pub(in super::super) fn size(&self, one: &SizeSignal) -> String {
        let times = one.times_usual.map_or_else(|| "–".to_owned(), |times| format!("×{times:.1}"));
        let values = [
            ("symbol", one.symbol.to_string()),
            ("strategy", one.strategy.clone()),
            ("times", times),
            ("horizon", self.style.horizon(one.horizon).to_owned()),
            ("n_eff", Style::count(one.n_eff as u64)),
        ];
        filled(self.words.size_line, &values)
    }

    fn group(&self, group: &SignalGroup) -> Vec<String> {
        let language = self.language();
        let verdict = language.verdict(group.verdict);
        let grade = group.card.as_ref().and_then(|card| card.grade).map(|g| language.grade(g));
        let why = grade.or_else(|| group.reason.map(|reason| language.reason(reason)));
        let gone = group.card.as_ref().is_some_and(|card| !card.in_force);
        let mut evidence = vec![verdict];
        evidence.extend(why);
        evidence.extend(gone.then_some(self.words.card_gone));
        let place = format!("{} · {}", self.names(group), self.style.interval(group.interval));
        let strategy = format!("{} {}", language.direction(group.direction), group.strategy);
        let mut row = vec![strategy, place, evidence.join(", ")];
        row.push(Style::count(group.count as u64));
        match &group.card {
            None => row.extend(["–"; 4].map(String::from)),
            Some(card) => row.extend(self.rates(card)),
        }
        row
    }

    /// The instruments of a group; without the venue where there is only one.
    fn names(&self, group: &SignalGroup) -> String {
        let is_plain = self.report.venues.len() == 1;
        let name = |symbol| if is_plain { Symbol::name(symbol) } else { Symbol::as_str(symbol) };
        let names: Vec<&str> = group.symbols.iter().take(MAX_NAMES).map(name).collect();
        let names = names.join(", ");
        match group.symbols.len().saturating_sub(MAX_NAMES) {
            0 => names,
            more => format!("{names} {}", fill(self.words.more, &[("count", &more.to_string())])),
        }
    }

    fn rates(&self, card: &CardFigures) -> [String; 4] {
        let style = &self.style;
        let edge = style.change(card.shrunken);
        [
            style.share(card.hit_rate),
            style.share(card.base_rate),
            format!("{}/{}", Style::count(card.n_eff), Style::count(card.n)),
            if card.shrunken.is_none() {
                edge
            } else {
                format!("{edge} ({})", style.horizon(card.horizon))
            },
        ]
    }

    pub(super) fn evidence(&self) -> Section {
        let (evidence, words, language) = (&self.report.evidence, self.words, self.language());
        let mut blocks = Vec::new();
        if evidence.cards == 0 {
            blocks.push(Block::Say(words.no_cards.to_owned()));
        } else {
            let row = |claim: &super::super::ClaimCount| {
                let counts = [claim.verified, claim.unproven, claim.rejected, claim.total()];
                let counts = counts.map(|count| Style::count(count as u64));
                [vec![language.claim(claim.claim).to_owned()], counts.to_vec()].concat()
            };
            let rows = evidence.by_claim.iter().map(row).collect();
            let of = |word| language.verdict(word);
            let names =
                vec![words.claim, of("verified"), of("unproven"), of("rejected"), words.sample];
            blocks.push(Block::Table { texts: 1, names, rows });
            blocks.push(Block::Say(self.proven_or_not()));
        }
        if !evidence.expiring.is_empty() {
            blocks.push(Block::Heading(words.expiring));
            blocks.push(Block::List(self.expiring()));
            blocks.extend(self.more(evidence.expiring_total, evidence.expiring.len().min(10)));
        }
        if evidence.muted.is_empty() {
            blocks.push(Block::Quiet(words.none_muted.to_owned()));
        } else {
            blocks.push(Block::Heading(words.muted));
            let line = |name: &String| fill(words.muted_line, &[("strategy", name)]);
            blocks.push(Block::List(evidence.muted.iter().map(line).collect()));
        }
        Section { title: words.evidence, blocks }
    }

    /// How many directions are proven; where none is, the smallest edge that could have been seen.
    pub(in super::super) fn proven_or_not(&self) -> String {
        let (evidence, words) = (&self.report.evidence, self.words);
        let is_direction =
            |claim: &&super::super::ClaimCount| claim.claim == finstage_model::ClaimKind::Direction;
        let (proven, total) = evidence
            .by_claim
            .iter()
            .find(is_direction)
            .map_or((0, 0), |claim| (claim.verified, claim.total()));
        let count = Style::count(total as u64);
        if proven > 0 {
            let proven = Style::count(proven as u64);
            return fill(words.some_proven, &[("proven", &proven), ("count", &count)]);
        }
        let mut edges: Vec<String> = evidence
            .smallest_edges
            .iter()
            .map(|one| {
                let edge = one.edge.map_or_else(
                    || words.none.to_owned(),
                    |edge| self.style.change(Some(edge)).trim_start_matches('+').to_owned(),
                );
                let values = [
                    ("horizon", self.style.horizon(one.horizon).to_owned()),
                    ("interval", self.style.interval(one.interval).to_owned()),
                    ("edge", edge),
                ];
                filled(words.one_edge, &values)
            })
            .collect();
        if edges.is_empty() {
            edges.push(words.none.to_owned());
        }
        fill(words.nothing_proven, &[("count", &count), ("edges", &edges.join(", "))])
    }

    fn expiring(&self) -> Vec<String> {
        let line = |one: &super::super::Expiring| {
            let values = [
                ("strategy", one.strategy.clone()),
                ("horizon", self.style.horizon(one.horizon).to_owned()),
                ("scope", one.scope.clone()),
                ("verdict", self.language().card_verdict(one.verdict).to_owned()),
                ("date", self.style.date(one.expires)),
            ];
            filled(self.words.expires_line, &values)
        };
        self.report.evidence.expiring.iter().take(10).map(line).collect()
    }

    pub(super) fn data(&self) -> Section {
        let (data, words, language) = (&self.report.data, self.words, self.language());
        let mut blocks = Vec::new();
        let series = Style::count(data.series_total as u64);
        match (data.series_total, data.holes.is_empty()) {
            (0, _) => blocks.push(Block::Say(words.no_series.to_owned())),
            (_, true) => blocks.push(Block::Say(fill(words.no_holes, &[("series", &series)]))),
            (_, false) => {
                let row = |one: &super::super::SeriesHoles| {
                    vec![
                        format!("{} · {}", one.symbol, self.style.interval(one.interval)),
                        Style::count(one.present),
                        Style::count(one.missing),
                        self.style.moment(one.first),
                    ]
                };
                let names = vec![words.series, words.present, words.missing, words.first_hole];
                let rows = data.holes.iter().map(row).collect();
                blocks.push(Block::Table { texts: 1, names, rows });
                blocks.extend(self.more(data.holes_total, data.holes.len()));
            }
        }
        blocks.extend(self.begun().map(Block::Say));
        let list: Vec<String> = data
            .withheld
            .iter()
            .map(|(reason, count)| format!("{} {count}", language.reason(*reason)))
            .collect();
        blocks.push(if list.is_empty() {
            Block::Quiet(words.none_withheld_for_data.to_owned())
        } else {
            Block::Say(fill(words.withheld_for_data, &[("list", &list.join(", "))]))
        });
        Section { title: words.data, blocks }
    }

    /// How many entries a chain has, before its head.
    pub(in super::super) fn entries(&self, entries: u64) -> String {
        let words = self.words;
        let pattern = if entries == 1 { words.short_track_one } else { words.short_track };
        fill(pattern, &[("entries", &Style::count(entries))])
    }

    pub(super) fn chains(&self) -> Section {
        let words = self.words;
        let chain = |name: &str, chain: &Chain| {
            let head = match chain.head.is_empty() {
                true => words.no_head.to_owned(),
                false => chain.head.clone(),
            };
            let count = self.entries(chain.entries);
            Block::Hash(format!("{name}: {}", count.trim_end()), head)
        };
        let blocks = vec![
            chain(words.track, &self.report.track_record),
            chain(words.trials, &self.report.trials),
            Block::Quiet(words.track_note.to_owned()),
        ];
        Section { title: words.track, blocks }
    }
}

/// As [`fill`], with owned texts.
pub(in super::super) fn filled(pattern: &str, values: &[(&str, String)]) -> String {
    let values: Vec<(&str, &str)> = values.iter().map(|(name, v)| (*name, v.as_str())).collect();
    fill(pattern, &values)
}

//! From figures to verdicts: every gate, in one place.

use std::collections::BTreeSet;
use std::time::Duration;

use finstage_model::{
    Card, CardId, CardMember, CardNews, CardVerdict, ClaimKind, Grade, IdHasher, Insight,
    Objection, OutOfSample, Symbol, Timestamp, Trial, TrialKind,
};
use finstage_quant::stats::multiple::{benjamini_hochberg, benjamini_yekutieli, best_of};
use finstage_quant::stats::power::detectable_edge;
use finstage_quant::stats::sharpe::{deflated, probabilistic};
use finstage_quant::stats::shrinkage::{Measured as Effect, variance_of_effects};

use super::ledger::{Index, Look, Searched};
use super::measure::Figures;
use super::plan::{Hypothesis, ScopePlan};
use super::result::Evidence;
use super::walk::{Choice, Chosen, Walked};
use super::words::words;
use super::{
    CARD_DAYS, LEAST_DSR, LEAST_EVENTS, Ledger, MOST_MISSING, Made, Measured, USEFUL_EDGE,
    USEFUL_SIZE,
};
use crate::study::Instrument;

/// Among its family.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    q: Option<f64>,
    q_by: Option<f64>,
    family: usize,
}

/// A hypothesis with all that a verdict follows from, besides its card.
struct Case {
    threshold: f64,
    fdr: f64,
    useful: f64,
    repaints: bool,
}

impl Measured {
    /// A card for every hypothesis, and the rows that the ledger lacks.
    #[must_use]
    pub fn judge(&self, ledger: &Ledger<'_>) -> Evidence {
        let index = Index::new(ledger);
        let count = self.figures.len();
        let searched: Vec<Searched> =
            (0..count).map(|place| self.searched(&index, place)).collect();
        let p: Vec<Option<f64>> = (0..count)
            .map(|place| best_of(self.figures[place].p()?, searched[place].k_eff))
            .collect();
        let standings = self.standings(&index, &p);
        let shrunken = self.shrunken();
        let known: BTreeSet<(&str, &str)> = ledger.trials.iter().map(Trial::key).collect();
        let is_new = |row: &Trial, trials: &[Trial]| {
            !known.contains(&row.key()) && trials.iter().all(|other| other.key() != row.key())
        };
        let (mut cards, mut trials) = (Vec::with_capacity(count), Vec::new());
        for place in 0..count {
            let (hypothesis, scope) = self.at(place);
            let ground = scope.ground_of(&self.plan.rules[hypothesis.rule]);
            let look = index.look(&hypothesis.hash, &ground.data_hash, ground.to);
            let mut card = self.card(place, &searched[place], look);
            if let Some(walked) = &self.figures[place].walked {
                self.walk_onto(&mut card, walked);
            }
            card.p_value = p[place];
            card.shrunken = shrunken[place];
            let Standing { q, q_by, family } = standings[place];
            (card.q_value, card.q_by, card.family) = (q, q_by, family);
            self.say(place, &mut card);
            trials.extend(self.search(place).filter(|row| is_new(row, &trials)));
            if !known.contains(&(hypothesis.hash.as_str(), ground.data_hash.as_str())) {
                trials.push(self.trial(place, look, &card));
            }
            cards.push(card);
        }
        let options = &self.plan.options;
        let chosen = (0..count).filter_map(|place| self.chosen(place)).collect();
        Evidence { chosen, ..Evidence::new(cards, trials, ledger.trials, options) }
    }

    /// The row of the search behind a hypothesis whose parameters were chosen.
    fn search(&self, place: usize) -> Option<Trial> {
        let walked = self.figures[place].walked.as_ref()?;
        let (trials, _) = walked.all.as_ref()?;
        let (walk, (_, scope)) = (self.plan.walk.as_ref()?, self.at(place));
        let choice = |hash: IdHasher, fold: &Choice| {
            let t = fold.t.unwrap_or(f64::NAN).to_bits().to_le_bytes();
            hash.text(fold.strategy.as_deref().unwrap_or_default()).bytes(&t)
        };
        let digest = walked.folds.iter().fold(IdHasher::new(), choice).finish();
        let made = Made {
            code_version: &self.plan.options.code_version,
            digest: &format!("{digest:032x}"),
        };
        Some(walk.tried.row(scope.ground_of(&self.plan.rules[0]), Some(trials), made))
    }

    fn chosen(&self, place: usize) -> Option<Chosen> {
        let folds = self.figures[place].walked.as_ref()?.folds.clone();
        let (hypothesis, scope) = self.at(place);
        Some(Chosen {
            strategy: self.plan.rules[hypothesis.rule].canonical.clone(),
            scope: scope.name.clone(),
            horizon: scope.horizons[hypothesis.horizon].0,
            claim: hypothesis.claim,
            folds,
        })
    }

    fn at(&self, place: usize) -> (&Hypothesis, &ScopePlan) {
        let hypothesis = &self.plan.hypotheses[place];
        (hypothesis, &self.plan.scopes[hypothesis.scope])
    }

    fn searched(&self, index: &Index<'_>, place: usize) -> Searched {
        let (hypothesis, scope) = self.at(place);
        let Some(span) = self.figures[place].span else { return Searched::NONE };
        if self.plan.walk.is_some() {
            // Its rows come after those on which its parameters were chosen.
            return Searched::NONE;
        }
        let symbol = |&member: &usize| self.plan.instruments[member].symbol();
        let symbols: Vec<&Symbol> = scope.members.iter().map(symbol).collect();
        let rule = &self.plan.rules[hypothesis.rule];
        index.searched((&rule.family_key, &rule.canonical), &symbols, span)
    }

    /// q of each hypothesis, over this run and what the ledger holds besides.
    fn standings(&self, index: &Index<'_>, p: &[Option<f64>]) -> Vec<Standing> {
        let mut standings = vec![Standing::default(); p.len()];
        let hypotheses = &self.plan.hypotheses;
        let present: BTreeSet<&str> = hypotheses.iter().map(|one| one.hash.as_str()).collect();
        for claim in ClaimKind::ALL {
            let counts = |place: &usize| {
                let n_eff = self.figures[*place].study.as_ref().map_or(0, |study| study.n_eff);
                hypotheses[*place].claim == claim && n_eff >= LEAST_EVENTS
            };
            let own: Vec<usize> = (0..p.len()).filter(counts).collect();
            let mut family: Vec<f64> = own.iter().map(|&place| p[place].unwrap_or(1.0)).collect();
            family.extend(index.family(claim, |hypothesis| present.contains(hypothesis)));
            let (bh, by) = (benjamini_hochberg(&family), benjamini_yekutieli(&family));
            for (place, standing) in standings.iter_mut().enumerate() {
                if hypotheses[place].claim == claim {
                    standing.family = family.len();
                }
            }
            for (number, &place) in own.iter().enumerate() {
                standings[place].q = Some(bh[number]);
                standings[place].q_by = Some(by[number]);
            }
        }
        standings
    }

    /// θ shrunken by what hypotheses of the same claim and horizon in bars came to.
    fn shrunken(&self) -> Vec<Option<f64>> {
        let kind = |place: usize| {
            let (hypothesis, scope) = self.at(place);
            (hypothesis.claim, scope.ground.interval, scope.horizons[hypothesis.horizon].0)
        };
        let effect = |place: usize| {
            let figures = &self.figures[place];
            let (study, estimate) = (figures.study.as_ref()?, figures.estimate?);
            Some(Effect { theta: study.theta, se: estimate.se })
        };
        let mut library = std::collections::BTreeMap::new();
        for place in 0..self.figures.len() {
            if let Some(effect) = effect(place) {
                library.entry(kind(place)).or_insert_with(Vec::new).push(effect);
            }
        }
        let variances: std::collections::BTreeMap<_, f64> =
            library.iter().map(|(kind, effects)| (*kind, variance_of_effects(effects))).collect();
        let shrunk = |place: usize| Some(effect(place)?.shrunk(*variances.get(&kind(place))?));
        (0..self.figures.len()).map(shrunk).collect()
    }

    /// The card without its standing and its verdict.
    // a table: one line a figure of the card
    fn card(&self, place: usize, searched: &Searched, look: Look) -> Card {
        let (hypothesis, scope) = self.at(place);
        let (figures, options) = (&self.figures[place], &self.plan.options);
        let rule = &self.plan.rules[hypothesis.rule];
        let (horizon, horizon_bars) = scope.horizons[hypothesis.horizon];
        let study = figures.study.as_ref();
        let hit = study.and_then(|study| study.hit_interval());
        let instruments = &self.plan.instruments;
        let member = |(number, &place): (usize, &usize)| CardMember {
            symbol: instruments[place].symbol.clone(),
            n: study.map_or(0, |study| study.events[number]),
        };
        let years: BTreeSet<i32> = scope
            .members
            .iter()
            .flat_map(|&place| instruments[place].years_at_close())
            .copied()
            .collect();
        let acting = figures.acting.as_ref();
        Card {
            id: CardId(0),
            strategy: rule.canonical.clone(),
            scope: scope.name.clone(),
            interval: scope.ground.interval,
            horizon,
            claim: hypothesis.claim,
            direction: rule.direction,
            members: scope.members.iter().enumerate().map(member).collect(),
            from: figures.span.map(|span| span.0),
            to: figures.span.map(|span| span.1),
            n: study.map_or(0, |study| study.n),
            n_eff: study.map_or(0, |study| study.n_eff),
            warmup_bars: rule.warmup,
            horizon_bars,
            mean_block: figures.mean_block,
            automatic_block: figures.automatic_block,
            cost: if hypothesis.claim == ClaimKind::Size { 0.0 } else { options.cost },
            draws: figures.tail.map_or(0, |tail| tail.draws),
            seed: options.seed,
            mean_return: study.map(|study| study.mean_return),
            base_return: study.map(|study| study.base_return),
            theta: study.map(|study| study.theta),
            theta_net: figures.estimate.map(|estimate| estimate.theta_net),
            net_low: figures.net.map(|net| net.low),
            net_high: figures.net.map(|net| net.high),
            se: figures.estimate.map(|estimate| estimate.se),
            mde: None,
            shrunken: None,
            hit_rate: study.map(|study| study.hit_rate),
            hit_low: hit.map(|hit| hit.low),
            hit_high: hit.map(|hit| hit.high),
            base_rate: study.map(|study| study.base_hit_rate),
            times_usual: study.and_then(|study| study.times_usual()),
            p_boot: figures.tail.map(|tail| tail.p()),
            p_t: figures.estimate.and_then(|estimate| estimate.p_student()),
            p_value: None,
            q_value: None,
            q_by: None,
            family: 0,
            look: look.number,
            threshold: look.share * options.fdr,
            oos_kind: OutOfSample::Fixed,
            parameter_sets: searched.sets,
            k_eff: searched.k_eff,
            psr: acting.and_then(|moments| probabilistic(moments, 0.0)),
            dsr: acting.and_then(|moments| deflated(moments, searched.variance, searched.k_eff)),
            pbo: None,
            theta_last_third: study.and_then(|study| study.last_third),
            theta_volatility_matched: study.and_then(|study| study.volatility_matched),
            occasion_deviation: study.and_then(|study| study.occasion_deviation),
            missing_share: figures.missing_share,
            years_at_close: years.into_iter().collect(),
            verdict: CardVerdict::Unproven,
            grade: None,
            reasons: Vec::new(),
            words: String::new(),
            data_hash: scope.ground_of(rule).data_hash.clone(),
            code_version: options.code_version.clone(),
            ledger_head: String::new(),
            issued: scope.ended,
            expires: expiry(scope.ended),
            proven_at: None,
            news: rule.hears_news.then(|| self.news(scope)),
        }
    }

    /// What the instruments of a scope had to hear.
    fn news(&self, scope: &ScopePlan) -> CardNews {
        let of = |&place: &usize| &self.plan.instruments[place];
        let heard = || scope.members.iter().map(of).map(Instrument::news_heard);
        CardNews {
            documents: heard().map(<[Insight]>::len).sum(),
            from: heard().filter_map(|all| Some(all.first()?.known_at)).min(),
            to: heard().filter_map(|all| Some(all.last()?.known_at)).max(),
        }
    }

    /// What only a card of chosen parameters says.
    fn walk_onto(&self, card: &mut Card, walked: &Walked) {
        card.oos_kind = OutOfSample::WalkForward;
        card.parameter_sets = self.plan.walk.as_ref().map_or(1, |walk| walk.tried.count());
        if let Some((trials, pbo)) = walked.all {
            card.k_eff = trials.effective;
            card.pbo = pbo.filter(|_| card.claim == ClaimKind::Direction);
        }
    }

    /// Judges a card that has its standing.
    fn say(&self, place: usize, card: &mut Card) {
        let options = &self.plan.options;
        let useful = match card.claim {
            ClaimKind::Direction if options.cost > 0.0 => 2.0 * options.cost,
            ClaimKind::Direction => USEFUL_EDGE,
            ClaimKind::Size => USEFUL_SIZE * card.base_return.unwrap_or(0.0),
        };
        let repaints = self.figures[place].repaints;
        let case = Case { threshold: card.threshold, fdr: options.fdr, useful, repaints };
        let alpha = if case.threshold > 0.0 { case.threshold } else { case.fdr };
        // The spread of a handful says nothing, and no edge of any size can be verified by fewer.
        let se = card.se.filter(|_| card.n_eff >= LEAST_EVENTS);
        card.mde = se.and_then(|se| detectable_edge(se, alpha, card.family.max(1)));
        card.reasons = objections(card, &case);
        (card.verdict, card.grade) = verdict(card, &case);
        match card.grade {
            Some(Grade::CostExceedsEdge) => card.reasons.insert(0, Objection::CostExceedsEdge),
            Some(Grade::WrongDirection) => card.reasons.insert(0, Objection::WrongDirection),
            _ => {}
        }
        card.proven_at = (card.verdict == CardVerdict::Verified).then_some(card.issued);
        card.words = words(card);
    }

    fn trial(&self, place: usize, look: Look, card: &Card) -> Trial {
        let (hypothesis, scope) = self.at(place);
        let figures = [card.theta, card.se, card.p_boot, card.p_t, card.net_low, card.net_high];
        let result = figures.iter().fold(IdHasher::new(), |hash, figure| {
            hash.bytes(&figure.unwrap_or(f64::NAN).to_bits().to_le_bytes())
        });
        Trial {
            kind: match card.oos_kind {
                OutOfSample::WalkForward => TrialKind::WalkForward,
                OutOfSample::Fixed | OutOfSample::Live => TrialKind::Verify,
            },
            hypothesis: hypothesis.hash.clone(),
            family_key: self.plan.rules[hypothesis.rule].family_key.clone(),
            strategy: card.strategy.clone(),
            scope: card.scope.clone(),
            interval: card.interval,
            horizon: Some(card.horizon),
            claim: Some(card.claim),
            data_hash: card.data_hash.clone(),
            from: scope.ground.from,
            to: scope.ground.to,
            code_version: card.code_version.clone(),
            count: 1,
            search: None,
            n_eff: Some(card.n_eff as u64),
            p: card.p_value,
            look: look.number,
            share: look.share,
            verdict: Some(card.verdict),
            result: format!("{:032x}", result.finish()),
        }
    }
}

impl Figures {
    fn p(&self) -> Option<f64> {
        self.estimate?.p(self.tail?)
    }
}

/// When a card of this moment ends.
pub(super) fn expiry(issued: Timestamp) -> Timestamp {
    issued.plus(Duration::from_secs(u64::from(CARD_DAYS) * 86_400))
}

/// Every gate that does not hold.
fn objections(card: &Card, case: &Case) -> Vec<Objection> {
    let mut all = Vec::new();
    let mut unless = |holds: bool, objection: Objection| {
        if !holds {
            all.push(objection);
        }
    };
    let is_positive = |value: Option<f64>| value.is_some_and(|value| value > 0.0);
    let is_direction = card.claim == ClaimKind::Direction;
    unless(card.n >= LEAST_EVENTS, Objection::FewEvents);
    unless(card.n_eff >= LEAST_EVENTS, Objection::FewClusters);
    if let Some(q) = card.q_value {
        unless(q <= case.fdr, Objection::QAbove);
        unless(q > case.fdr || q <= case.threshold, Objection::ThresholdOfLook);
    }
    unless(is_positive(card.net_low), Objection::IntervalIncludesZero);
    if is_direction {
        let absolute = card.mean_return.map(|mean| mean - 2.0 * card.cost);
        unless(is_positive(absolute), Objection::AbsoluteReturnNegative);
    }
    unless(is_positive(card.theta_last_third), Objection::Faded);
    unless(is_positive(card.theta_volatility_matched), Objection::ExplainedByVolatility);
    if is_direction && card.parameter_sets > 1 && card.oos_kind == OutOfSample::Fixed {
        unless(card.dsr.is_some_and(|dsr| dsr >= LEAST_DSR), Objection::SweptDsr);
    }
    unless(card.missing_share <= MOST_MISSING, Objection::Data);
    unless(!case.repaints, Objection::Repaint);
    all
}

/// The first that matches, in the order verified, rejected, promising, no edge seen, too little data,
/// inconclusive; too few occasions are always too little data.
fn verdict(card: &Card, case: &Case) -> (CardVerdict, Option<Grade>) {
    let unproven = |grade| (CardVerdict::Unproven, Some(grade));
    if card.n_eff < LEAST_EVENTS {
        return unproven(Grade::TooLittleData);
    }
    if card.reasons.is_empty() && card.q_value.is_some() {
        return (CardVerdict::Verified, None);
    }
    if card.net_high.is_some_and(|high| high < 0.0) {
        let gross = card.net_high.unwrap_or(0.0) + 2.0 * card.cost;
        let grade = if gross >= 0.0 && card.cost > 0.0 {
            Grade::CostExceedsEdge
        } else {
            Grade::WrongDirection
        };
        return (CardVerdict::Rejected, Some(grade));
    }
    if card.p_value.is_some_and(|p| p <= 0.05) {
        unproven(Grade::Promising)
    } else if card.net_high.is_some_and(|high| high < case.useful) {
        unproven(Grade::NoEdgeSeen)
    } else if card.mde.is_none_or(|mde| mde > 3.0 * case.useful) {
        unproven(Grade::TooLittleData)
    } else {
        unproven(Grade::Inconclusive)
    }
}

#[cfg(test)]
mod tests;

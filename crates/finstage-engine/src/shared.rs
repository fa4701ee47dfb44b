//! What the desks of all instruments share: time, the market, the verifier, the alerts; and the
//! one place where a strategy's firing becomes a signal, a verdict and an alert.

use finstage_model::{
    Alert, AlertId, AlertKind, Bar, CardNotice, Decision, Instrument, InstrumentId, Output, Proof,
    Ruling, Signal, SignalId, Symbol, Verdict, WithheldAlert,
};

use crate::alerts::{AlertDesk, Request, RuleKey, with_facts};
use crate::engine::Counters;
use crate::filters::Case;
use crate::market::Market;
use crate::plan::{Plan, Planned};
use crate::strategy::Firing;
use crate::timeline::Timeline;
use crate::verify::{Gaps, Ground, Verifier};

/// The shared part of an engine.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) timeline: Timeline,
    pub(crate) market: Market,
    pub(crate) verifier: Verifier,
    pub(crate) alerts: AlertDesk,
    pub(crate) counters: Counters,
    /// What the strategy asked last has said.
    pub(crate) firings: Vec<Firing>,
}

/// A firing with everything that it rests on.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    /// The strategy's place in the plan.
    pub(crate) plan: usize,
    pub(crate) instrument: &'a Instrument,
    pub(crate) bar: &'a Bar,
    pub(crate) firing: Firing,
    pub(crate) warmup: usize,
    pub(crate) is_stale: bool,
    pub(crate) lost: &'a Gaps,
}

/// What an alert rests on.
struct Grounds {
    ruling: Ruling,
    /// The card behind the ruling.
    proof: Option<Box<Proof>>,
    /// The card that verifies larger moves, where the direction is not verified.
    size: Option<Box<Proof>>,
}

impl Shared {
    /// What was said about the bar, at most once in each direction: the first.
    pub(crate) fn take_firings(&mut self) -> impl Iterator<Item = Firing> + use<> {
        let first = self.firings.first().copied();
        let other = first.and_then(|first| {
            self.firings.iter().find(|firing| firing.direction != first.direction).copied()
        });
        first.into_iter().chain(other)
    }

    /// Age of the instrument's newest data in milliseconds.
    pub(crate) fn data_age_ms(&self, instrument: InstrumentId) -> i64 {
        let newest = self.market.last(instrument);
        let age = newest.map(|(_, at)| self.timeline.now().since(at).as_millis());
        age.map_or(0, |age| i64::try_from(age).unwrap_or(i64::MAX))
    }

    /// Makes signal, verdict and alert of a firing.
    pub(crate) fn speak(&mut self, statement: &Statement<'_>, out: &mut Vec<Output>) {
        let signal = self.signal(statement);
        let bar = statement.bar;
        let ground = Ground {
            bars: self.market.newest(bar.instrument, bar.interval, statement.warmup),
            warmup: statement.warmup,
            is_stale: statement.is_stale,
            lost: statement.lost,
        };
        let symbol = &statement.instrument.symbol;
        let (ruling, proof) = self.verifier.judge(&signal, symbol, &ground);
        let proof = proof.map(|proof| Box::new(proof.clone()));
        let size = match ruling {
            Ruling::Unproven { .. } | Ruling::Rejected { .. } => {
                self.verifier.size(&signal, symbol).map(|proof| Box::new(proof.clone()))
            }
            Ruling::Verified { .. } | Ruling::Withheld { .. } => None,
        };
        let verdict = Verdict { signal: signal.id, ruling };
        let grounds = Grounds { ruling, proof, size };
        let alert = self.alert(&signal, grounds, statement.instrument);
        out.push(Output::Signal(Box::new(signal)));
        out.push(Output::Verdict(verdict));
        out.push(Output::Alert(Box::new(alert)));
        self.counters.signals += 1;
    }

    fn signal(&self, statement: &Statement<'_>) -> Signal {
        let Statement { plan, instrument, bar, firing, .. } = *statement;
        let Firing { direction, strength, facts } = firing;
        let planned = &self.plan.strategies[plan];
        let (rule, open_time) = (&planned.canonical, bar.open_time);
        Signal {
            id: SignalId::of(rule, &instrument.symbol, bar.interval, open_time, direction),
            instrument: instrument.id,
            interval: bar.interval,
            strategy: planned.id,
            direction,
            open_time,
            at: bar.close_time(),
            price: bar.close,
            strength: if strength.is_finite() { strength } else { 0.0 },
            facts,
        }
    }

    /// Takes a card; one of a strategy that is not run here, or one too many, is only counted.
    pub(crate) fn on_card(&mut self, card: &CardNotice) {
        let runs = |planned: &Planned| {
            planned.canonical == card.strategy && planned.interval == card.interval
        };
        let place = self.plan.strategies.iter().position(runs);
        if !place.is_some_and(|place| self.verifier.on_card(place, card)) {
            self.counters.unused_cards += 1;
        }
    }

    fn alert(&mut self, signal: &Signal, grounds: Grounds, instrument: &Instrument) -> Alert {
        let now = self.timeline.now();
        let planned = &self.plan.strategies[usize::from(signal.strategy.0)];
        let symbol = &instrument.symbol;
        let id = AlertId::of_signal(&planned.canonical, signal.id);
        let objection = self
            .alerts
            .objection(grounds.ruling, grounds.size.as_deref())
            .or_else(|| self.filtered(signal, &grounds, symbol))
            .or_else(|| self.alerts.muted(id, (symbol, &planned.canonical), now));
        let decision = match objection {
            Some(why) => Decision::Withhold(why),
            None => {
                let rule = RuleKey::of(&planned.canonical, symbol);
                let cooldown = self.alerts.cooldown();
                self.alerts.admit(&Request { id, rule, symbol, cooldown }, now)
            }
        };
        let Grounds { ruling, proof, size } = grounds;
        let kind = AlertKind::Signal {
            signal: signal.id,
            interval: signal.interval,
            direction: signal.direction,
            ruling,
            proof,
            size,
        };
        Alert {
            id,
            kind,
            symbol: symbol.clone(),
            rule: planned.canonical.clone(),
            words: with_facts(&planned.words, &signal.facts),
            price: signal.price,
            currency: instrument.currency.clone(),
            at: signal.at,
            said_at: now,
            data_age_ms: self.data_age_ms(instrument.id),
            decision,
        }
    }

    /// What the user's filters have against the signal.
    fn filtered(
        &self,
        signal: &Signal,
        grounds: &Grounds,
        symbol: &Symbol,
    ) -> Option<WithheldAlert> {
        let filters = self.alerts.filters();
        if filters.are_off() {
            return None;
        }
        filters.objection(&Case {
            signal,
            planned: &self.plan.strategies[usize::from(signal.strategy.0)],
            proof: grounds.size.as_deref().or(grounds.proof.as_deref()),
            has_direction: grounds.size.is_none(),
            market: &self.market,
            trend: self.plan.trend(symbol),
        })
    }
}

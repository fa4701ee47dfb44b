//! Tests of verdicts on what hears news.

use finstage_engine::{Catalog, Context, Entry, Firing, Params, Strategy, StrategySpec};
use finstage_model::{Bar, Card, CardVerdict, ClaimKind, Direction, Facts, Interval, Timestamp};

use super::{Evidence, Groups, Ledger, Options, Plan};
use crate::News;
use crate::news::insight;
use crate::study::{Adjustment, Instrument};
use crate::worlds::{Noise, world};

/// Fires where good news was known at the close, however short before; or always.
#[derive(Debug)]
struct Glad(bool);

impl Strategy for Glad {
    fn warmup(&self) -> usize {
        1
    }

    fn hears_news(&self) -> bool {
        self.0
    }

    fn on_bar(&mut self, bar: &Bar, ctx: &Context<'_>, out: &mut Vec<Firing>) {
        let is_glad = ctx.news(std::time::Duration::from_secs(3_600)) > 0.0;
        // The one that hears nothing speaks now and then, so that it has a card of its own.
        if is_glad || (!self.0 && bar.open_time.day().civil().2 == 7) {
            let facts = Facts::default();
            out.push(Firing { direction: Direction::Long, strength: 0.0, facts });
        }
    }
}

pub(super) const GLAD: Entry = Entry {
    name: "glad",
    direction: Direction::Long,
    describes: "",
    korean: "",
    params: &[],
    check: |_: &Params| Ok(()),
    words: |_| String::new(),
    build: |_| Box::new(Glad(true)),
};
pub(super) const DEAF: Entry = Entry { name: "deaf", build: |_| Box::new(Glad(false)), ..GLAD };

fn verify(news: Vec<(Timestamp, f64)>) -> Evidence {
    let told = (0..).zip(news).map(|(number, (at, impact))| insight(number, at, impact));
    let one = Instrument::new("x:A".parse().unwrap(), &bars(), &|_| Adjustment::NONE).unwrap();
    let one = one.with_news(News::new(told.collect()));
    let options = Options {
        horizons: vec!["1d".parse().unwrap()],
        claims: vec![ClaimKind::Direction],
        ..Options::default()
    };
    let spec = |name: &str| StrategySpec {
        name: name.to_owned(),
        params: Vec::new(),
        interval: Interval::D1,
        symbols: Vec::new(),
        when: None,
    };
    let catalog = Catalog::new(&[GLAD, DEAF]);
    let specs = vec![spec("glad"), spec("deaf")];
    let plan = Plan::new(vec![one], &Groups::Pooled, (specs, catalog), options).unwrap();
    plan.measure().unwrap().judge(&Ledger::of_files(&[]))
}

fn bars() -> Vec<Bar> {
    world(Noise::Normal, 5, 300)
}

fn card<'a>(evidence: &'a Evidence, name: &str) -> &'a Card {
    evidence.rows.iter().find(|card| card.strategy.starts_with(name)).unwrap()
}

/// Of every bar whether the next one rises, told so many seconds after its close.
pub(super) fn prophecy(seconds: i64) -> Vec<(Timestamp, f64)> {
    let bars = bars();
    let told = |pair: &[Bar]| {
        let at = Timestamp::from_secs(pair[0].close_time().nanos() / 1_000_000_000 + seconds);
        (at, (pair[1].close.to_f64() - pair[1].open.to_f64()).signum())
    };
    bars.windows(2).map(told).collect()
}

#[test]
fn what_arrived_after_a_bar_closed_is_not_seen_by_it() {
    let foresight = verify(prophecy(0));
    assert_eq!(card(&foresight, "glad").verdict, CardVerdict::Verified, "the edge can be found");
    // The same foresight, a second too late for the bar and forgotten at the next.
    let late = verify(prophecy(1));
    let late = card(&late, "glad");
    assert_eq!((late.n, late.verdict), (0, CardVerdict::Unproven));
    assert_eq!(late.news.as_ref().unwrap().documents, 299, "it is there, and could be heard");
}

#[test]
fn what_hears_news_is_judged_from_the_first_that_was_known() {
    let bars = bars();
    let late: Vec<_> = prophecy(0).into_iter().skip(100).collect();
    let evidence = verify(late.clone());
    let (glad, deaf) = (card(&evidence, "glad"), card(&evidence, "deaf"));
    assert_eq!(glad.from, Some(bars[100].open_time));
    assert_eq!(glad.news.as_ref().unwrap().from, Some(late[0].0));
    assert_eq!((deaf.from, deaf.news.as_ref()), (Some(bars[1].open_time), None));
}

#[test]
fn other_documents_are_other_data_for_what_hears_and_for_nothing_else() {
    let (some, more) = (verify(prophecy(0).split_off(100)), verify(prophecy(0)));
    let hash = |evidence: &Evidence, name: &str| card(evidence, name).data_hash.clone();
    assert_ne!(hash(&some, "glad"), hash(&more, "glad"));
    assert_eq!(hash(&some, "deaf"), hash(&more, "deaf"));
    let figures =
        |evidence: &Evidence| (card(evidence, "deaf").theta, card(evidence, "deaf").p_boot);
    assert_eq!(figures(&some), figures(&more));
    let keys = |evidence: &Evidence| -> Vec<String> {
        let of = |trial: &finstage_model::Trial| trial.data_hash.clone();
        evidence.trials.iter().filter(|trial| trial.strategy == "glad()").map(of).collect()
    };
    assert_eq!(keys(&some), [hash(&some, "glad")]);
}

#[test]
fn a_card_without_documents_says_that_the_filter_never_spoke() {
    let evidence = verify(Vec::new());
    let glad = card(&evidence, "glad");
    let (n, from) = (glad.n, glad.from);
    assert_eq!((n, from, glad.verdict), (0, None, CardVerdict::Unproven));
    assert!(glad.words.ends_with(" 0 documents about it are stored: the news filter never spoke."));
    let news = glad.news.as_ref().unwrap();
    assert_eq!(news.words(), "0 documents: the news filter never spoke");
    let json = serde_json::to_value(card(&evidence, "deaf")).unwrap();
    assert!(json.get("news").is_none(), "cards of others keep their form");
}

//! Rules on price alone: moves against the previous day, new highs, prices crossed. What they say
//! is a fact, so no verifier is asked.

use std::time::Duration;

use finstage_model::{
    Alert, AlertId, AlertKind, Bar, Day, Decision, Instrument, Interval, Output, Price, Timestamp,
    WatchNotice, WatchRule,
};

use crate::alerts::{AlertDesk, Request, RuleKey, readable};

/// The most watches of one instrument; one that is added beyond it is refused.
pub const MAX_WATCHES: usize = 1_000;

/// The watches of one instrument.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    book: DayBook,
    watches: Vec<Watch>,
    /// The price before and its moment: a crossing has two sides.
    last: Option<(Price, Timestamp)>,
    today: Option<Day>,
}

/// One rule and what it remembers.
#[derive(Debug)]
struct Watch {
    rule: WatchRule,
    text: String,
    key: RuleKey,
    cooldown: Duration,
    /// The rule's percentage in millionths of a percent.
    threshold: i128,
    /// Whether it came beside the settings, and may go again.
    is_added: bool,
    /// Whether the condition held at the price before.
    held: bool,
    /// Engine time at which it last made an alert, and the minute of the price.
    fired: Option<(Timestamp, Timestamp)>,
}

/// A price at a moment: a trade, or the close of a bar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    pub(crate) price: Price,
    /// When it happened.
    pub(crate) at: Timestamp,
    /// The last moment that it stands for; inside the bar where `at` is the bar's end.
    pub(crate) within: Timestamp,
}

/// Who looks, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) instrument: &'a Instrument,
    pub(crate) now: Timestamp,
    pub(crate) data_age_ms: i64,
}

/// Millionths of a percent in one.
const WHOLE: i128 = 100_000_000;

impl Watches {
    /// The watches of an instrument; `None` where there are none, so that they cost nothing.
    pub(crate) fn new(
        instrument: &Instrument,
        rules: impl Iterator<Item = (WatchRule, Duration)>,
    ) -> Option<Box<Self>> {
        let watches: Vec<Watch> =
            rules.map(|(rule, cooldown)| Watch::new(rule, cooldown, instrument)).collect();
        let watch = Self { book: DayBook::default(), watches, last: None, today: None };
        (!watch.watches.is_empty()).then(|| Box::new(watch))
    }

    /// Adds a watch; whether it is there now. A rule that is there already stays as it is.
    pub(crate) fn add(&mut self, notice: &WatchNotice, instrument: &Instrument) -> bool {
        if self.watches.iter().any(|watch| watch.rule == notice.rule) {
            return true;
        }
        if self.watches.len() >= MAX_WATCHES {
            return false;
        }
        let cooldown = Duration::from_millis(notice.cooldown_ms);
        let watch = Watch::new(notice.rule, cooldown, instrument);
        self.watches.push(Watch { is_added: true, ..watch });
        true
    }

    /// Takes a watch out that was added; those of the settings stay.
    pub(crate) fn remove(&mut self, rule: WatchRule) {
        self.watches.retain(|watch| !(watch.is_added && watch.rule == rule));
    }

    /// Looks at a price, newer than those before, and says what came true.
    pub(crate) fn on_price(
        &mut self,
        seen: Sighting,
        scene: Scene<'_>,
        desk: &mut AlertDesk,
        out: &mut Vec<Output>,
    ) {
        let day = seen.within.day();
        if self.today != Some(day) {
            self.today = Some(day);
            self.watches.iter_mut().for_each(|watch| watch.held = false);
        }
        let last = self.last.map(|(price, _)| price);
        for watch in &mut self.watches {
            let base = self.book.base(watch.rule, watch.threshold, (day, seen.price));
            watch.look(base, last, (seen, scene), desk, out);
        }
        self.book.note(day, (seen.price, seen.price, seen.price));
        self.last = Some((seen.price, seen.at));
    }

    /// Takes note of a stored bar; says nothing.
    pub(crate) fn on_past(&mut self, bar: &Bar) {
        self.note_bar(bar);
        let close_time = bar.close_time();
        if self.last.is_none_or(|(_, at)| close_time >= at) {
            self.last = Some((bar.close, close_time));
        }
    }

    /// Takes note of a closed bar's range; a daily bar settles its day.
    pub(crate) fn note_bar(&mut self, bar: &Bar) {
        let prices = (bar.high, bar.low, bar.close);
        match bar.interval {
            Interval::D1 => self.book.settle(bar.open_time.day(), prices),
            interval if interval < Interval::D1 => self.book.note(bar.open_time.day(), prices),
            _ => {}
        }
    }
}

impl Watch {
    fn new(rule: WatchRule, cooldown: Duration, instrument: &Instrument) -> Self {
        let text = rule.to_string();
        let key = RuleKey::of(&text, &instrument.symbol);
        let threshold = threshold(rule);
        Self { rule, text, key, cooldown, threshold, is_added: false, held: false, fired: None }
    }

    /// Makes an alert when the rule came true, or is still true after its cooldown; at most one a
    /// minute. A price crossed alerts at the crossing alone. A record alerts again at a higher
    /// price after the cooldown and not between, where a rising market would name one each trade.
    fn look(
        &mut self,
        base: Option<Price>,
        last: Option<Price>,
        (seen, scene): (Sighting, Scene<'_>),
        desk: &mut AlertDesk,
        out: &mut Vec<Output>,
    ) {
        let before = match self.rule {
            // Without a price before there is no crossing.
            WatchRule::Above(price) => last.is_none_or(|last| last > price),
            WatchRule::Below(price) => last.is_none_or(|last| last < price),
            _ => self.held,
        };
        self.held = base.is_some();
        let Some(base) = base else { return };
        let minute = Interval::M1.open_of(seen.within);
        if self.fired.is_some_and(|(_, fired)| fired == minute) {
            return;
        }
        let symbol = &scene.instrument.symbol;
        let is_due = match self.rule {
            WatchRule::Above(_) | WatchRule::Below(_) => !before,
            WatchRule::NewHigh => {
                self.is_rested(desk, scene.now)
                    || desk.knows(AlertId::of_watch(&self.text, symbol, minute))
            }
            _ => !before || self.is_rested(desk, scene.now),
        };
        if !is_due {
            return;
        }
        self.fired = Some((scene.now, minute));
        let id = AlertId::of_watch(&self.text, symbol, minute);
        let request = Request { id, rule: self.key, symbol, cooldown: self.cooldown };
        let decision = match desk.muted(id, (symbol, &self.text), scene.now) {
            Some(why) => Decision::Withhold(why),
            None => desk.admit(&request, scene.now),
        };
        out.push(Output::Alert(Box::new(Alert {
            id,
            kind: AlertKind::Watch { base },
            symbol: symbol.clone(),
            rule: self.text.clone(),
            words: words(self.rule, base, seen.price),
            price: seen.price,
            currency: scene.instrument.currency.clone(),
            at: seen.at,
            said_at: scene.now,
            data_age_ms: scene.data_age_ms,
            decision,
        })));
    }

    /// Whether the cooldown is over since it last alerted, sent or not.
    fn is_rested(&self, desk: &AlertDesk, now: Timestamp) -> bool {
        self.fired.is_none_or(|(at, _)| now.since(at) >= self.cooldown)
            && !desk.is_cooling(self.key, self.cooldown, now)
    }
}

/// The days known, as far as rules compare with them: the previous one, the present one, and the
/// highest price of all.
#[derive(Debug, Default)]
struct DayBook {
    previous: Option<DayFigures>,
    today: Option<DayFigures>,
    record: Option<Price>,
}

#[derive(Debug, Clone, Copy)]
struct DayFigures {
    day: Day,
    high: Price,
    low: Price,
    close: Price,
    /// Whether a daily bar said so; prices do not change it then.
    is_settled: bool,
}

impl DayBook {
    /// Takes note of the highest, lowest and last price of a stretch of `day`.
    fn note(&mut self, day: Day, (high, low, close): (Price, Price, Price)) {
        self.raise(high);
        match &mut self.today {
            Some(today) if day == today.day => today.widen((high, low, close)),
            // A stored bar of an earlier day, when the past is told again.
            Some(today) if day < today.day => match &mut self.previous {
                Some(previous) if day < previous.day => {}
                Some(previous) if day == previous.day => previous.widen((high, low, close)),
                earlier => {
                    *earlier = Some(DayFigures { day, high, low, close, is_settled: false });
                }
            },
            _ => self.begin(DayFigures { day, high, low, close, is_settled: false }),
        }
    }

    /// Takes note of a daily bar: it knows its day better than the prices that came by.
    fn settle(&mut self, day: Day, (high, low, close): (Price, Price, Price)) {
        self.raise(high);
        let figures = DayFigures { day, high, low, close, is_settled: true };
        match self.today {
            Some(today) if day == today.day => self.today = Some(figures),
            Some(today) if day < today.day => {
                if self.previous.is_none_or(|previous| previous.day <= day) {
                    self.previous = Some(figures);
                }
            }
            _ => self.begin(figures),
        }
    }

    fn begin(&mut self, figures: DayFigures) {
        self.previous = self.today.replace(figures).or(self.previous);
    }

    fn raise(&mut self, high: Price) {
        self.record = self.record.max(Some(high));
    }

    /// The newest day before `day`.
    fn before(&self, day: Day) -> Option<DayFigures> {
        self.today.filter(|today| today.day < day).or(self.previous).filter(|known| known.day < day)
    }

    /// What the rule compares a price of `day` with, if the rule holds for it. Rules on history
    /// hold for nothing before a whole day is known. Exact: no rounding decides about an alert.
    fn base(&self, rule: WatchRule, threshold: i128, (day, price): (Day, Price)) -> Option<Price> {
        let reaches = |base: Price, change: i128| {
            base.nanos() != 0 && change * WHOLE >= i128::from(base.nanos()).abs() * threshold
        };
        let change = |base: Price| i128::from(price.nanos()) - i128::from(base.nanos());
        match rule {
            WatchRule::Above(bound) => Some(bound).filter(|bound| price > *bound),
            WatchRule::Below(bound) => Some(bound).filter(|bound| price < *bound),
            _ => {
                let previous = self.before(day)?;
                let base = match rule {
                    WatchRule::Rise(_) | WatchRule::Drop(_) => previous.close,
                    WatchRule::PrevHigh => previous.high,
                    WatchRule::PrevLow => previous.low,
                    _ => self.record?,
                };
                let holds = match rule {
                    WatchRule::Rise(_) => reaches(base, change(base)),
                    WatchRule::Drop(_) | WatchRule::DropFromHigh(_) => reaches(base, -change(base)),
                    WatchRule::PrevLow => price < base,
                    _ => price > base,
                };
                holds.then_some(base)
            }
        }
    }
}

impl DayFigures {
    /// Adds a later stretch of the day, unless a daily bar has told the whole of it.
    fn widen(&mut self, (high, low, close): (Price, Price, Price)) {
        if !self.is_settled {
            self.high = self.high.max(high);
            self.low = self.low.min(low);
            self.close = close;
        }
    }
}

fn threshold(rule: WatchRule) -> i128 {
    match rule {
        WatchRule::Rise(percent) | WatchRule::Drop(percent) | WatchRule::DropFromHigh(percent) => {
            (percent.clamp(0.0, WatchRule::MAX_PERCENT) * 1e6).round() as i128
        }
        _ => 0,
    }
}

fn words(rule: WatchRule, base: Price, price: Price) -> String {
    let percent = (price.to_f64() - base.to_f64()) / base.to_f64().abs() * 100.0;
    let moved = readable((percent.abs() * 100.0).round() / 100.0);
    match rule {
        WatchRule::Rise(_) => format!("{moved}% above the previous day's close {base}"),
        WatchRule::Drop(_) => format!("{moved}% below the previous day's close {base}"),
        WatchRule::NewHigh => format!("a new high: {price}, above {base}"),
        WatchRule::DropFromHigh(_) => format!("{moved}% below the highest price {base}"),
        WatchRule::PrevHigh => format!("above the previous day's high {base}"),
        WatchRule::PrevLow => format!("below the previous day's low {base}"),
        WatchRule::Above(_) => format!("crossed above {base}"),
        WatchRule::Below(_) => format!("crossed below {base}"),
    }
}

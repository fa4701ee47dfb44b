use finstage_engine::{Catalog, StrategySpec};
use finstage_model::{Bar, Day, IdHasher, Insight, Interval, Price, Qty, Symbol, Timestamp};
use finstage_quant::stats::moments::trailing_deviation;

use super::gates::{is_gap, year, years_at_close};
use super::pace::Pace;
use super::signals::{Heard, listen};
use crate::series::check_bars;
use crate::{Error, ErrorKind, News};

/// Bars of the volatility that is known at a bar.
const VOLATILITY_BARS: usize = 20;
/// Strategies that hear a series together.
const STRATEGIES_AT_ONCE: usize = 256;

/// What raw numbers of a day are multiplied by (prices) or divided by (volumes).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjustment {
    /// For prices: splits and dividends.
    pub price: f64,
    /// For volumes: splits.
    pub split: f64,
}

impl Adjustment {
    /// No adjustment.
    pub const NONE: Self = Self { price: 1.0, split: 1.0 };
}

/// One series, ready to be studied.
#[derive(Debug, Clone)]
pub struct Instrument {
    pub(crate) symbol: Symbol,
    /// Adjusted, in nano units: what strategies see. None once they were [heard](Self::heard_by).
    bars: Vec<Bar>,
    /// Where the first bar opens and where the length of the last one ends.
    pub(crate) span: (Timestamp, Timestamp),
    /// What strategies said, where the bars were let go.
    told: Option<(Vec<StrategySpec>, Heard)>,
    pub(crate) times: Vec<Timestamp>,
    /// Where a position is entered or left on each bar.
    prices: Vec<f64>,
    pub(crate) volatility: Vec<f64>,
    pub(crate) pace: Pace,
    pub(crate) years_at_close: Vec<i32>,
    /// Gaps up to and including the one before each bar.
    gaps: Vec<u32>,
    pub(crate) data_hash: u128,
    pub(crate) news: News,
    /// When its last bar was over.
    pub(crate) ended: Timestamp,
}

impl Instrument {
    /// A series of raw bars, oldest first, adjusted day by day; the hours of its market are what the bars
    /// show of them.
    ///
    /// # Errors
    /// When the bars are none or not one series, or an adjustment is not a positive number.
    pub fn new(
        symbol: Symbol,
        raw: &[Bar],
        adjust: &dyn Fn(Day) -> Adjustment,
    ) -> Result<Self, Error> {
        let interval = raw.first().map_or(Interval::D1, |first| first.interval);
        Self::paced(symbol, raw, adjust, Pace::of(raw, interval))
    }

    /// The same in a market whose hours are known, whatever the bars show.
    ///
    /// # Errors
    /// As of [`Instrument::new`].
    pub fn paced(
        symbol: Symbol,
        raw: &[Bar],
        adjust: &dyn Fn(Day) -> Adjustment,
        pace: Pace,
    ) -> Result<Self, Error> {
        check_bars(raw)?;
        let refuse = |why: String| Error::new(ErrorKind::Bars, format!("{symbol}: {why}"));
        if raw.is_empty() {
            return Err(refuse("no bars".to_owned()));
        }
        let years_at_close = years_at_close(raw, &pace);
        let mut bars = Vec::with_capacity(raw.len());
        let (mut prices, mut closes) = (Vec::new(), Vec::new());
        for bar in raw {
            let scale = adjust(bar.open_time.day());
            let usable = |factor: f64| factor.is_finite() && factor > 0.0;
            if !(usable(scale.price) && usable(scale.split)) {
                return Err(refuse(format!("factors of {} are not positive", bar.open_time)));
            }
            let at_close = years_at_close.contains(&year(bar));
            let price = if at_close { bar.close } else { bar.open };
            prices.push(price.to_f64() * scale.price);
            closes.push(bar.close.to_f64() * scale.price);
            bars.push(if scale == Adjustment::NONE { *bar } else { adjusted(bar, scale) });
        }
        let mut gaps = Vec::with_capacity(raw.len());
        let mut count = 0;
        for place in 0..raw.len() {
            count += u32::from(place > 0 && is_gap(&raw[place - 1], &raw[place], &pace));
            gaps.push(count);
        }
        Ok(Self {
            data_hash: fingerprint(&symbol, &bars),
            news: News::default(),
            span: (raw[0].open_time, raw[raw.len() - 1].close_time()),
            ended: raw[raw.len() - 1].close_time(),
            told: None,
            times: bars.iter().map(|bar| bar.open_time).collect(),
            volatility: volatility(&closes),
            symbol,
            bars,
            prices,
            pace,
            years_at_close,
            gaps,
        })
    }

    /// The same with the moment at which the market was done with its last bar, where that is not the end of
    /// the bar's length.
    #[must_use]
    pub const fn with_end(mut self, ended: Timestamp) -> Self {
        self.ended = ended;
        self
    }

    /// The same with what was read about it, for strategies that hear news: before they hear it.
    #[must_use]
    pub fn with_news(mut self, news: News) -> Self {
        self.news = news;
        self.told = None;
        self
    }

    /// The same with what these strategies say of it in place of its bars, which weigh four times what is left:
    /// for many series that are judged together, read one after the other. It is then for plans of these
    /// strategies only.
    ///
    /// # Errors
    /// When a strategy cannot be built, or the engine refuses bars for their times.
    pub fn heard_by(mut self, specs: &[StrategySpec], catalog: Catalog) -> Result<Self, Error> {
        let heard = self.hear(specs, catalog)?;
        (self.told, self.bars) = (Some((specs.to_vec(), heard)), Vec::new());
        Ok(self)
    }

    /// What strategies say of it, so many at a time that their memory stays small.
    pub(crate) fn hear(&self, specs: &[StrategySpec], catalog: Catalog) -> Result<Heard, Error> {
        match &self.told {
            Some((of, heard)) if of == specs => return Ok(heard.clone()),
            None if !self.bars.is_empty() => {}
            _ => {
                let symbol = &self.symbol;
                let why = format!("{symbol}: other strategies heard its bars: read them again");
                return Err(Error::new(ErrorKind::Bars, why));
            }
        }
        let mut all = Heard::default();
        for some in specs.chunks(STRATEGIES_AT_ONCE) {
            let heard = listen(some, catalog, self)?;
            all.events.extend(heard.events);
            all.repaints.extend(heard.repaints);
        }
        Ok(all)
    }

    /// What was read about it.
    #[must_use]
    pub const fn news(&self) -> &News {
        &self.news
    }

    /// Hash of the bars with what they hear.
    pub(crate) fn hearing_hash(&self) -> u128 {
        self.news.with_fingerprint(self.span, self.data_hash)
    }

    /// The first bar at whose close anything about it was known: before, nobody knows whether there was no
    /// news or nobody collected it. As many as there are bars where nothing is known.
    pub(crate) fn hears_from(&self) -> usize {
        let close = |open: &Timestamp| self.pace.interval.close_of(*open);
        match self.news_heard().first() {
            Some(first) => self.times.partition_point(|open| close(open) < first.known_at),
            None => self.times.len(),
        }
    }

    /// What was read about it and some bar of it can hear.
    #[must_use]
    pub fn news_heard(&self) -> &[Insight] {
        self.news.between(self.span)
    }

    /// Whose bars.
    #[must_use]
    pub const fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// What the bars show of the market's hours.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Length of the bars.
    #[must_use]
    pub const fn interval(&self) -> Interval {
        self.pace.interval
    }

    /// The adjusted bars, as strategies see them; none once they were [heard](Self::heard_by).
    #[must_use]
    pub fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// The years in which entry and exit are closes, because opens repeat the close before.
    #[must_use]
    pub fn years_at_close(&self) -> &[i32] {
        &self.years_at_close
    }

    /// The return of a position entered on the bar after each bar and held `horizon` bars; NaN where
    /// the bars do not reach that far or the entry price is not positive.
    #[must_use]
    pub fn returns(&self, horizon: usize) -> Vec<f64> {
        let at = |place: usize| match (self.prices.get(place + 1), self.exit_price(place, horizon))
        {
            (Some(&entry), Some(exit)) if entry > 0.0 => exit / entry - 1.0,
            _ => f64::NAN,
        };
        (0..self.prices.len()).map(at).collect()
    }

    fn exit_price(&self, place: usize, horizon: usize) -> Option<f64> {
        self.prices.get(place.checked_add(horizon)?.checked_add(1)?).copied()
    }

    /// The return from where a position would be entered on each bar to where it would be on the
    /// next.
    pub(crate) fn steps(&self) -> Vec<f64> {
        let at = |place: usize| match (self.prices[place], self.prices.get(place + 1)) {
            (from, Some(to)) if from > 0.0 => to / from - 1.0,
            _ => f64::NAN,
        };
        (0..self.prices.len()).map(at).collect()
    }

    /// Which bars could have an event, and how many more could but for a gap in their window.
    #[must_use]
    pub fn eligible(&self, warmup_bars: usize, horizon: usize) -> (Vec<bool>, usize) {
        let mut without_gap = 0;
        let mut is_eligible = |place: usize| {
            let Some(&gaps) = self.gaps.get(place + 1 + horizon) else { return false };
            let has_gap = gaps > self.gaps[place];
            let counts = place >= warmup_bars;
            without_gap += usize::from(counts && has_gap);
            counts && !has_gap
        };
        let eligible = (0..self.times.len()).map(&mut is_eligible).collect();
        (eligible, without_gap)
    }
}

/// Deviation of the last returns from close to close.
fn volatility(closes: &[f64]) -> Vec<f64> {
    let step = |place: usize| match place {
        0 => f64::NAN,
        _ if closes[place - 1] > 0.0 => closes[place] / closes[place - 1] - 1.0,
        _ => f64::NAN,
    };
    let steps: Vec<f64> = (0..closes.len()).map(step).collect();
    trailing_deviation(&steps, VOLATILITY_BARS)
}

/// A bar in adjusted numbers, rounded to nano units: rounding is monotonic, so the order of its prices
/// stays.
fn adjusted(bar: &Bar, scale: Adjustment) -> Bar {
    let price =
        |price: Price| Price::from_nanos((price.nanos() as f64 * scale.price).round() as i64);
    Bar {
        open: price(bar.open),
        high: price(bar.high),
        low: price(bar.low),
        close: price(bar.close),
        volume: Qty::from_nanos((bar.volume.nanos() as f64 / scale.split).round() as u128),
        ..*bar
    }
}

pub(crate) fn fingerprint(symbol: &Symbol, bars: &[Bar]) -> u128 {
    let hash = IdHasher::new().text(symbol.as_str());
    let hash = bars.iter().fold(hash, |hash, bar| {
        let hash = hash.bytes(&bar.open_time.nanos().to_le_bytes());
        let prices = [bar.open, bar.high, bar.low, bar.close];
        let hash = prices.iter().fold(hash, |hash, p| hash.bytes(&p.nanos().to_le_bytes()));
        hash.bytes(&bar.volume.nanos().to_le_bytes())
    });
    hash.finish()
}

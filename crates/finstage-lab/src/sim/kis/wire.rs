//! Records of sessions: fields in their order, joined by `^`, frames by `|`.

use super::answer::{percent, sign, whole};
use super::clock;
use super::domestic;
use super::view::{Trade, View};

/// Fields of a trade's record.
#[cfg(test)]
const TRADE_FIELDS: usize = 46;
/// Fields of a book's record: 59 that are documented and three more that newer frames have.
#[cfg(test)]
const BOOK_FIELDS: usize = 62;

/// What stands beside each trade of a session.
#[derive(Debug)]
pub(super) struct Beside {
    code: &'static str,
    day: String,
    /// Open, high, low.
    prices: [f64; 3],
    before: f64,
    /// Traded so far.
    pub(super) volume: i64,
    value: f64,
    best: [i64; 4],
    totals: [i64; 2],
    shares: f64,
}

impl Beside {
    /// That of the session which began last; `None` before the first.
    pub(super) fn of(view: &View<'_>) -> Option<Self> {
        let day = view.days(false).next()?;
        let levels = domestic::levels(view).ok()?;
        let total = |place: usize| levels.iter().map(|level| level[place]).sum();
        Some(Self {
            code: view.stock.code,
            day: clock::day(day.day),
            prices: [day.prices[0], day.prices[1], day.prices[2]],
            before: day.before,
            volume: day.volume,
            value: day.value,
            best: *levels.first()?,
            totals: [total(2), total(3)],
            shares: domestic::shares(view.stock.code),
        })
    }
}

/// A frame of trades, each with the volume of the session until then.
pub(super) fn trades(beside: &Beside, records: &[(Trade, i64)]) -> String {
    let records: Vec<String> = records.iter().map(|record| trade(beside, record)).collect();
    format!("0|H0STCNT0|{:03}|{}", records.len(), records.join("^"))
}

fn trade(beside: &Beside, (trade, volume): &(Trade, i64)) -> String {
    let Beside { code, day, prices: [open, high, low], before, .. } = beside;
    let (price, change) = (trade.price, trade.price - before);
    let average = if beside.volume > 0 { beside.value / beside.volume as f64 } else { price };
    let [ask, bid, asked, wanted] = beside.best;
    let [all_asked, all_wanted] = beside.totals;
    let against = |level: &f64| format!("{}^{}", sign(price - level), whole(price - level));
    let session = "090000";
    let fields = [
        (*code).to_owned(),
        clock::time_in_seoul(trade.at),
        whole(price),
        sign(change).to_owned(),
        whole(change),
        percent(change, *before),
        format!("{average:.2}"),
        [open, high, low].map(|price| whole(*price)).join("^"),
        format!("{ask}^{bid}^{}^{volume}", trade.quantity),
        whole(average * *volume as f64),
        // Numbers of sales and purchases, their difference, strength, quantities of both.
        format!("0^0^0^100.00^{}^{}", volume / 2, volume - volume / 2),
        if trade.is_buy { "1" } else { "5" }.to_owned(),
        "0.50^100.00".to_owned(),
        format!("{session}^{}", against(open)),
        format!("{session}^{}", against(high)),
        format!("{session}^{}", against(low)),
        format!("{day}^20^N^{asked}^{wanted}^{all_asked}^{all_wanted}"),
        percent(*volume as f64, beside.shares),
        format!("{volume}^100.00^0^^{}", whole(*before)),
    ];
    fields.join("^")
}

/// A frame with the book as it is now.
pub(super) fn book(beside: &Beside, view: &View<'_>) -> Option<String> {
    let levels = domestic::levels(view).ok()?;
    let column = |place: usize| {
        levels.iter().map(|level| level[place].to_string()).collect::<Vec<String>>().join("^")
    };
    let [ask, bid, asked, wanted] = beside.best;
    let [all_asked, all_wanted] = beside.totals;
    let fields = [
        view.stock.code.to_owned(),
        clock::time_in_seoul(view.now),
        "0".to_owned(),
        column(0),
        column(1),
        column(2),
        column(3),
        format!("{all_asked}^{all_wanted}^0^0"),
        // What an auction would give: there is none.
        "0^0^0^0^3^0.00".to_owned(),
        beside.volume.to_string(),
        "0^0^0^0^0".to_owned(),
        format!("{}^{asked}^{wanted}", (ask + bid) / 2),
    ];
    Some(format!("0|H0STASP0|001|{}", fields.join("^")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::charts::Series;
    use crate::sim::kis::listings::domestic as stock;

    #[test]
    fn records_have_their_documented_fields_in_their_places() {
        let stock = stock("005930").unwrap();
        let mut series = Series::new(stock.listing, 1);
        // A Friday, 10:30:20 in Seoul.
        let now: finstage_model::Timestamp = "2023-06-09T01:30:20Z".parse().unwrap();
        series.reach(now.secs());
        let view = View { stock, series: &series, now: now.secs() };
        let beside = Beside::of(&view).unwrap();
        let newest = view.trades(2);
        let records = [(newest[1], beside.volume - newest[0].quantity), (newest[0], beside.volume)];
        let frame = trades(&beside, &records);
        let parts: Vec<&str> = frame.split('|').collect();
        assert_eq!(parts[..3], ["0", "H0STCNT0", "002"]);
        let fields: Vec<&str> = parts[3].split('^').collect();
        assert_eq!(fields.len(), 2 * TRADE_FIELDS);
        let second = &fields[TRADE_FIELDS..];
        assert_eq!((second[0], second[33], second[35]), ("005930", "20230609", "N"));
        assert_eq!(second[13], beside.volume.to_string());
        assert_eq!(second[2], whole(newest[0].price));
        assert_eq!(second[12], newest[0].quantity.to_string());
        assert!(["1", "5"].contains(&second[21]) && second[44].is_empty());
        let frame = book(&beside, &view).unwrap();
        let fields: Vec<&str> = frame.rsplit('|').next().unwrap().split('^').collect();
        assert_eq!(fields.len(), BOOK_FIELDS);
        assert_eq!(fields[53], beside.volume.to_string());
        assert!(fields[3].parse::<i64>().unwrap() > fields[13].parse().unwrap());
    }
}

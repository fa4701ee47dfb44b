//! Where a symbol is listed, by its form.

use finstage_model::Symbol;

use crate::MarketHours;

/// Where a symbol is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// On KOSPI or KOSDAQ: `005930`, `0001A0`, an ETN `Q530031`.
    Seoul(&'a str),
    /// On a market abroad; which one is known where it is named.
    Abroad { name: &'a str, exchange: Option<Exchange> },
}

/// A market abroad, as KIS calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) code: &'static str,
    pub(super) currency: &'static str,
    hours: Option<MarketHours>,
}

const fn exchange(
    code: &'static str,
    currency: &'static str,
    hours: Option<MarketHours>,
) -> Exchange {
    Exchange { code, currency, hours }
}

const US: Option<MarketHours> = Some(MarketHours::Us);

impl Exchange {
    const ALL: [Self; 9] = [
        exchange("NAS", "USD", US),
        exchange("NYS", "USD", US),
        exchange("AMS", "USD", US),
        exchange("HKS", "HKD", None),
        exchange("TSE", "JPY", None),
        exchange("SHS", "CNY", None),
        exchange("SZS", "CNY", None),
        exchange("HSX", "VND", None),
        exchange("HNX", "VND", None),
    ];

    /// Where a symbol is looked for that names no market, in this order.
    pub(super) const SEARCHED: [Self; 3] = [Self::ALL[0], Self::ALL[1], Self::ALL[2]];

    pub(super) fn find(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exchange| exchange.code == code)
    }
}

impl<'a> Place<'a> {
    pub(super) fn of(symbol: &'a Symbol) -> Self {
        Self::of_name(symbol.name())
    }

    fn of_name(name: &'a str) -> Self {
        let is_note = name.strip_prefix('Q').is_some_and(|digits| {
            digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        if is_note || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Self::Seoul(name);
        }
        let parts = name.split_once('.');
        let named = parts.and_then(|(code, name)| Some((Exchange::find(code)?, name)));
        match named.filter(|(_, name)| !name.is_empty()) {
            Some((exchange, name)) => Self::Abroad { name, exchange: Some(exchange) },
            None => Self::Abroad { name, exchange: None },
        }
    }
}

/// When the market of a name is open; `None` where that is not known.
pub(crate) fn hours(name: &str) -> Option<MarketHours> {
    match Place::of_name(name) {
        Place::Seoul(_) => Some(MarketHours::Korea),
        Place::Abroad { exchange: Some(exchange), .. } => exchange.hours,
        Place::Abroad { exchange: None, .. } => US,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_where_it_is_listed() {
        for name in ["005930", "069500", "0001A0", "Q530031", "00088K"] {
            assert_eq!(Place::of_name(name), Place::Seoul(name));
            assert_eq!(hours(name), Some(MarketHours::Korea));
        }
        for name in ["AAPL", "BRK.B", "QQQ", "Q", "NAS", "NAS."] {
            assert_eq!(Place::of_name(name), Place::Abroad { name, exchange: None });
            assert_eq!(hours(name), Some(MarketHours::Us));
        }
        let tokyo = Exchange::find("TSE");
        assert_eq!(Place::of_name("TSE.7203"), Place::Abroad { name: "7203", exchange: tokyo });
        assert_eq!((tokyo.unwrap().currency, hours("TSE.7203")), ("JPY", None));
        assert_eq!(hours("NYS.BRK.B"), Some(MarketHours::Us));
    }
}

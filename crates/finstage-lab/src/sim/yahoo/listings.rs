//! The symbols of the simulated Yahoo.

use crate::sim::charts::{Hours, Listing};

const STOCK: Listing = Listing {
    symbol: "",
    name: "",
    kind: "EQUITY",
    exchange: ("NMS", "NasdaqGS"),
    currency: "USD",
    hours: Hours::NewYork,
    decimals: 2,
    first: (2010, 1, 4),
    start: 40.0,
    sigma: 0.017,
    volume: 150_000.0,
    dividend: 0.0,
    splits: &[],
};
const INDEX: Listing =
    Listing { kind: "INDEX", exchange: ("SNP", "SNP"), sigma: 0.01, volume: 6_000_000.0, ..STOCK };
const SEOUL: Listing = Listing {
    exchange: ("KSC", "KSE"),
    currency: "KRW",
    hours: Hours::Seoul,
    decimals: 0,
    volume: 40_000.0,
    ..STOCK
};

/// Every symbol that has a chart. A table: one line a symbol.
pub(super) const LISTINGS: &[Listing] = &[
    Listing {
        symbol: "AAPL",
        name: "Apple Inc.",
        start: 12.0,
        dividend: 0.0015,
        splits: &[(2014, 6, 9, 7.0), (2020, 8, 31, 4.0)],
        ..STOCK
    },
    Listing {
        symbol: "MSFT",
        name: "Microsoft Corporation",
        start: 28.0,
        dividend: 0.002,
        ..STOCK
    },
    Listing {
        symbol: "NVDA",
        name: "NVIDIA Corporation",
        start: 9.0,
        splits: &[(2024, 6, 10, 10.0)],
        ..STOCK
    },
    Listing { symbol: "TSLA", name: "Tesla, Inc.", start: 20.0, sigma: 0.03, ..STOCK },
    Listing { symbol: "GOOGL", name: "Alphabet Inc.", start: 31.0, ..STOCK },
    Listing { symbol: "AMZN", name: "Amazon.com, Inc.", start: 33.0, ..STOCK },
    Listing { symbol: "META", name: "Meta Platforms, Inc.", start: 70.0, ..STOCK },
    Listing {
        symbol: "SPY",
        name: "SPDR S&P 500 ETF Trust",
        kind: "ETF",
        exchange: ("PCX", "NYSEArca"),
        start: 110.0,
        sigma: 0.01,
        dividend: 0.004,
        ..STOCK
    },
    Listing {
        symbol: "QQQ",
        name: "Invesco QQQ Trust",
        kind: "ETF",
        start: 60.0,
        sigma: 0.012,
        ..STOCK
    },
    Listing { symbol: "^GSPC", name: "S&P 500", start: 1_500.0, ..INDEX },
    Listing {
        symbol: "^IXIC",
        name: "NASDAQ Composite",
        exchange: ("NIM", "Nasdaq GIDS"),
        start: 2_800.0,
        ..INDEX
    },
    Listing {
        symbol: "^DJI",
        name: "Dow Jones Industrial Average",
        exchange: ("DJI", "DJI"),
        start: 11_000.0,
        ..INDEX
    },
    Listing {
        symbol: "^VIX",
        name: "CBOE Volatility Index",
        exchange: ("WCB", "Cboe Indices"),
        start: 20.0,
        sigma: 0.04,
        volume: 0.0,
        ..INDEX
    },
    Listing {
        symbol: "005930.KS",
        name: "Samsung Electronics Co., Ltd.",
        start: 30_000.0,
        dividend: 0.005,
        ..SEOUL
    },
    Listing { symbol: "000660.KS", name: "SK hynix Inc.", start: 45_000.0, ..SEOUL },
    Listing {
        symbol: "035720.KQ",
        name: "Kakao Corp.",
        exchange: ("KOE", "KOSDAQ"),
        start: 25_000.0,
        ..SEOUL
    },
    Listing {
        symbol: "^KS11",
        name: "KOSPI Composite Index",
        kind: "INDEX",
        decimals: 2,
        start: 1_800.0,
        sigma: 0.01,
        ..SEOUL
    },
    Listing {
        symbol: "BTC-USD",
        name: "Bitcoin USD",
        kind: "CRYPTOCURRENCY",
        exchange: ("CCC", "CCC"),
        hours: Hours::Always,
        first: (2018, 1, 1),
        start: 14_000.0,
        sigma: 0.035,
        volume: 20_000_000.0,
        ..STOCK
    },
];

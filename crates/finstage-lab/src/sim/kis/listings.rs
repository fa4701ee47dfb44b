//! What the simulated KIS lists: shares and funds of Seoul, and shares of New York.
//!
//! The first codes are those of well-known companies. Codes from 900010 on do not exist, and neither do
//! their companies: a run over two hundred symbols needs two hundred. Prices are invented for all.

use crate::sim::charts::{Hours, Listing};

/// Where a symbol is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Board {
    Kospi,
    Kosdaq,
    Etf,
    /// New York, by the venue's name for the exchange.
    Overseas(&'static str),
}

/// A symbol with the words about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stock {
    pub(super) code: &'static str,
    pub(super) board: Board,
    pub(super) name: &'static str,
    pub(super) english: &'static str,
    pub(super) sector: &'static str,
    pub(super) listing: Listing,
}

/// The first day of every chart.
const FIRST: (i32, u32, u32) = (2023, 1, 2);

const SEOUL: Listing = Listing {
    symbol: "",
    name: "",
    kind: "EQUITY",
    exchange: ("KSC", "KSE"),
    currency: "KRW",
    hours: Hours::Seoul,
    decimals: 0,
    first: FIRST,
    start: 0.0,
    sigma: 0.018,
    volume: 4_000.0,
    dividend: 0.0,
    splits: &[],
};
const NEW_YORK: Listing = Listing {
    exchange: ("NMS", "NasdaqGS"),
    currency: "USD",
    hours: Hours::NewYork,
    decimals: 2,
    volume: 90_000.0,
    ..SEOUL
};

/// Shares that became several: code and days.
const SPLITS: &[(&str, &[(i32, u32, u32, f64)])] =
    &[("900010", &[(2025, 4, 14, 5.0)]), ("NVDA", &[(2024, 6, 10, 10.0)])];

/// The symbol of a code, in Seoul; ETN codes would begin with Q, and none is listed.
pub(super) fn domestic(code: &str) -> Option<Stock> {
    let (place, row) = SHARES.iter().enumerate().find(|(_, row)| row.0 == code)?;
    Some(stock(place, row))
}

/// All symbols of a board of Seoul.
pub(super) fn all(board: Board) -> impl Iterator<Item = Stock> {
    let own = SHARES.iter().enumerate().filter(move |(_, row)| row.1 == board);
    own.map(|(place, row)| stock(place, row))
}

/// The codes of all symbols of Seoul; those of well-known companies come first.
#[must_use]
pub fn codes() -> Vec<&'static str> {
    SHARES.iter().map(|row| row.0).collect()
}

/// The symbol of an exchange of New York.
pub(super) fn overseas(exchange: &str, code: &str) -> Option<Stock> {
    let found = |row: &&(&str, &str, &str, &str, f64)| (row.0, row.1) == (exchange, code);
    let (exchange, code, name, english, price) = *OVERSEAS.iter().find(found)?;
    let listing = Listing { symbol: code, name: english, start: price, ..NEW_YORK };
    let (board, sector) = (Board::Overseas(exchange), "Technology");
    Some(Stock { code, board, name, english, sector, listing: with_splits(listing) })
}

fn stock(place: usize, row: &Row) -> Stock {
    let (code, board, name, english, price, sector) = *row;
    // A few are traded much, most of them little.
    let volume = SEOUL.volume * 12.0 / (1.0 + place as f64 / 4.0) + 300.0;
    let sigma = if board == Board::Etf { 0.01 } else { SEOUL.sigma };
    let listing =
        Listing { symbol: code, name: english, start: f64::from(price), volume, sigma, ..SEOUL };
    Stock { code, board, name, english, sector, listing: with_splits(listing) }
}

fn with_splits(listing: Listing) -> Listing {
    let own = SPLITS.iter().find(|(code, _)| *code == listing.symbol);
    Listing { splits: own.map_or(&[], |(_, splits)| splits), ..listing }
}

/// Exchange, code, Korean and English name, first price.
const OVERSEAS: &[(&str, &str, &str, &str, f64)] = &[
    ("NAS", "AAPL", "애플", "Apple Inc.", 130.0),
    ("NAS", "MSFT", "마이크로소프트", "Microsoft Corporation", 240.0),
    ("NAS", "NVDA", "엔비디아", "NVIDIA Corporation", 15.0),
    ("NAS", "TSLA", "테슬라", "Tesla, Inc.", 110.0),
    ("NAS", "AMZN", "아마존닷컴", "Amazon.com, Inc.", 85.0),
    ("NAS", "GOOGL", "알파벳 A", "Alphabet Inc.", 89.0),
    ("NAS", "META", "메타 플랫폼스", "Meta Platforms, Inc.", 125.0),
    ("NAS", "QQQ", "인베스코 QQQ", "Invesco QQQ Trust", 264.0),
    ("NYS", "JPM", "제이피모간 체이스", "JPMorgan Chase & Co.", 135.0),
    ("NYS", "KO", "코카콜라", "The Coca-Cola Company", 63.0),
    ("NYS", "XOM", "엑슨 모빌", "Exxon Mobil Corporation", 106.0),
    ("NYS", "DIS", "월트디즈니", "The Walt Disney Company", 89.0),
    ("AMS", "SPY", "SPDR S&P 500", "SPDR S&P 500 ETF Trust", 381.0),
    ("AMS", "GLD", "SPDR 골드", "SPDR Gold Shares", 171.0),
];

type Row = (&'static str, Board, &'static str, &'static str, u32, &'static str);

use Board::{Etf, Kosdaq, Kospi};

/// Code, board, Korean and English name, first price, sector. A table: one line a symbol.
#[rustfmt::skip]
const SHARES: &[Row] = &[
    ("005930", Kospi, "삼성전자", "Samsung Electronics", 71000, "전기·전자"),
    ("000660", Kospi, "SK하이닉스", "SK hynix", 142000, "전기·전자"),
    ("373220", Kospi, "LG에너지솔루션", "LG Energy Solution", 405000, "전기·전자"),
    ("207940", Kospi, "삼성바이오로직스", "Samsung Biologics", 780000, "제약"),
    ("005380", Kospi, "현대차", "Hyundai Motor", 205000, "운송장비·부품"),
    ("000270", Kospi, "기아", "Kia", 92000, "운송장비·부품"),
    ("068270", Kospi, "셀트리온", "Celltrion", 178000, "제약"),
    ("105560", Kospi, "KB금융", "KB Financial", 58000, "금융"),
    ("005490", Kospi, "POSCO홀딩스", "POSCO Holdings", 430000, "금속"),
    ("035420", Kospi, "NAVER", "NAVER", 198000, "IT 서비스"),
    ("035720", Kospi, "카카오", "Kakao", 52000, "IT 서비스"),
    ("051910", Kospi, "LG화학", "LG Chem", 460000, "화학"),
    ("006400", Kospi, "삼성SDI", "Samsung SDI", 420000, "전기·전자"),
    ("028260", Kospi, "삼성물산", "Samsung CT", 126000, "유통"),
    ("012330", Kospi, "현대모비스", "Hyundai Mobis", 221000, "운송장비·부품"),
    ("055550", Kospi, "신한지주", "Shinhan Financial", 39500, "금융"),
    ("066570", Kospi, "LG전자", "LG Electronics", 98000, "전기·전자"),
    ("003550", Kospi, "LG", "LG", 84000, "금융"),
    ("096770", Kospi, "SK이노베이션", "SK Innovation", 121000, "화학"),
    ("017670", Kospi, "SK텔레콤", "SK Telecom", 50500, "통신"),
    ("030200", Kospi, "KT", "KT", 34500, "통신"),
    ("015760", Kospi, "한국전력", "KEPCO", 20100, "전기·가스"),
    ("032830", Kospi, "삼성생명", "Samsung Life", 71500, "보험"),
    ("086790", Kospi, "하나금융지주", "Hana Financial", 46200, "금융"),
    ("034730", Kospi, "SK", "SK", 171000, "금융"),
    ("009150", Kospi, "삼성전기", "Samsung Electro Mechanics", 148000, "전기·전자"),
    ("011200", Kospi, "HMM", "HMM", 18400, "운송·창고"),
    ("010130", Kospi, "고려아연", "Korea Zinc", 480000, "금속"),
    ("033780", Kospi, "KT&G", "KT&G", 91000, "음식료·담배"),
    ("018260", Kospi, "삼성에스디에스", "Samsung SDS", 158000, "IT 서비스"),
    ("000810", Kospi, "삼성화재", "Samsung Fire", 262000, "보험"),
    ("003670", Kospi, "포스코퓨처엠", "POSCO Future M", 310000, "금속"),
    ("259960", Kospi, "크래프톤", "Krafton", 205000, "IT 서비스"),
    ("036570", Kospi, "엔씨소프트", "NCSOFT", 232000, "IT 서비스"),
    ("010950", Kospi, "S-Oil", "S-Oil", 72800, "화학"),
    ("003490", Kospi, "대한항공", "Korean Air", 22900, "운송·창고"),
    ("090430", Kospi, "아모레퍼시픽", "Amorepacific", 128000, "화학"),
    ("051900", Kospi, "LG생활건강", "LG HH", 330000, "화학"),
    ("011170", Kospi, "롯데케미칼", "Lotte Chemical", 148000, "화학"),
    ("097950", Kospi, "CJ제일제당", "CJ CheilJedang", 312000, "음식료·담배"),
    ("024110", Kospi, "기업은행", "IBK", 11900, "금융"),
    ("316140", Kospi, "우리금융지주", "Woori Financial", 13100, "금융"),
    ("352820", Kospi, "하이브", "HYBE", 228000, "오락·문화"),
    ("247540", Kosdaq, "에코프로비엠", "Ecopro BM", 268000, "전기·전자"),
    ("086520", Kosdaq, "에코프로", "Ecopro", 62000, "금융"),
    ("091990", Kosdaq, "셀트리온헬스케어", "Celltrion Healthcare", 67000, "유통"),
    ("196170", Kosdaq, "알테오젠", "Alteogen", 88000, "일반 서비스"),
    ("028300", Kosdaq, "HLB", "HLB", 33000, "운송장비·부품"),
    ("293490", Kosdaq, "카카오게임즈", "Kakao Games", 25600, "IT 서비스"),
    ("263750", Kosdaq, "펄어비스", "Pearl Abyss", 37500, "IT 서비스"),
    ("035900", Kosdaq, "JYP Ent.", "JYP Entertainment", 86000, "오락·문화"),
    ("041510", Kosdaq, "에스엠", "SM Entertainment", 84000, "오락·문화"),
    ("066970", Kosdaq, "엘앤에프", "L&F", 162000, "전기·전자"),
    ("112040", Kosdaq, "위메이드", "Wemade", 53000, "IT 서비스"),
    ("039030", Kosdaq, "이오테크닉스", "EO Technics", 152000, "기계·장비"),
    ("058470", Kosdaq, "리노공업", "Leeno Industrial", 168000, "기계·장비"),
    ("069500", Etf, "KODEX 200", "Samsung KODEX 200", 33500, "ETF"),
    ("229200", Etf, "KODEX 코스닥150", "Samsung KODEX KOSDAQ150", 12200, "ETF"),
    ("122630", Etf, "KODEX 레버리지", "Samsung KODEX Leverage", 16200, "ETF"),
    ("114800", Etf, "KODEX 인버스", "Samsung KODEX Inverse", 4620, "ETF"),
    ("102110", Etf, "TIGER 200", "Mirae TIGER 200", 33600, "ETF"),
    ("133690", Etf, "TIGER 미국나스닥100", "Mirae TIGER NASDAQ100", 92500, "ETF"),
    ("360750", Etf, "TIGER 미국S&P500", "Mirae TIGER SP500", 14200, "ETF"),
    ("148020", Etf, "RISE 200", "KB RISE 200", 33400, "ETF"),
    ("900010", Kospi, "가람전자", "Garam Electronics", 1450, "전기·전자"),
    ("900020", Kospi, "한빛전자", "Hanbit Electronics", 33000, "전기·전자"),
    ("900030", Kospi, "누리전자", "Nuri Electronics", 15200, "전기·전자"),
    ("900040", Kospi, "다온전자", "Daon Electronics", 17800, "전기·전자"),
    ("900050", Kospi, "라온전자", "Raon Electronics", 4100, "전기·전자"),
    ("900060", Kospi, "마루전자", "Maru Electronics", 8900, "전기·전자"),
    ("900070", Kospi, "바다전자", "Bada Electronics", 88000, "전기·전자"),
    ("900080", Kospi, "새솔전자", "Saesol Electronics", 3200, "전기·전자"),
    ("900090", Kospi, "아라전자", "Ara Electronics", 46500, "전기·전자"),
    ("900100", Kospi, "온누리전자", "Onnuri Electronics", 280000, "전기·전자"),
    ("900110", Kospi, "초록전자", "Chorok Electronics", 24500, "전기·전자"),
    ("900120", Kospi, "푸른전자", "Pureun Electronics", 7300, "전기·전자"),
    ("900130", Kospi, "하늘전자", "Haneul Electronics", 12400, "전기·전자"),
    ("900140", Kospi, "미리내전자", "Mirinae Electronics", 127000, "전기·전자"),
    ("900150", Kospi, "보람전자", "Boram Electronics", 5600, "전기·전자"),
    ("900160", Kospi, "도담전자", "Dodam Electronics", 61000, "전기·전자"),
    ("900170", Kosdaq, "가람제약", "Garam Pharm", 8900, "제약"),
    ("900180", Kosdaq, "한빛제약", "Hanbit Pharm", 88000, "제약"),
    ("900190", Kosdaq, "누리제약", "Nuri Pharm", 3200, "제약"),
    ("900200", Kosdaq, "다온제약", "Daon Pharm", 46500, "제약"),
    ("900210", Kosdaq, "라온제약", "Raon Pharm", 280000, "제약"),
    ("900220", Kosdaq, "마루제약", "Maru Pharm", 24500, "제약"),
    ("900230", Kosdaq, "바다제약", "Bada Pharm", 7300, "제약"),
    ("900240", Kosdaq, "새솔제약", "Saesol Pharm", 12400, "제약"),
    ("900250", Kosdaq, "아라제약", "Ara Pharm", 127000, "제약"),
    ("900260", Kosdaq, "온누리제약", "Onnuri Pharm", 5600, "제약"),
    ("900270", Kosdaq, "초록제약", "Chorok Pharm", 61000, "제약"),
    ("900280", Kosdaq, "푸른제약", "Pureun Pharm", 1450, "제약"),
    ("900290", Kosdaq, "하늘제약", "Haneul Pharm", 33000, "제약"),
    ("900300", Kosdaq, "미리내제약", "Mirinae Pharm", 15200, "제약"),
    ("900310", Kosdaq, "보람제약", "Boram Pharm", 17800, "제약"),
    ("900320", Kosdaq, "도담제약", "Dodam Pharm", 4100, "제약"),
    ("900330", Kospi, "가람화학", "Garam Chemical", 24500, "화학"),
    ("900340", Kospi, "한빛화학", "Hanbit Chemical", 7300, "화학"),
    ("900350", Kospi, "누리화학", "Nuri Chemical", 12400, "화학"),
    ("900360", Kospi, "다온화학", "Daon Chemical", 127000, "화학"),
    ("900370", Kospi, "라온화학", "Raon Chemical", 5600, "화학"),
    ("900380", Kospi, "마루화학", "Maru Chemical", 61000, "화학"),
    ("900390", Kospi, "바다화학", "Bada Chemical", 1450, "화학"),
    ("900400", Kospi, "새솔화학", "Saesol Chemical", 33000, "화학"),
    ("900410", Kospi, "아라화학", "Ara Chemical", 15200, "화학"),
    ("900420", Kospi, "온누리화학", "Onnuri Chemical", 17800, "화학"),
    ("900430", Kospi, "초록화학", "Chorok Chemical", 4100, "화학"),
    ("900440", Kospi, "푸른화학", "Pureun Chemical", 8900, "화학"),
    ("900450", Kospi, "하늘화학", "Haneul Chemical", 88000, "화학"),
    ("900460", Kospi, "미리내화학", "Mirinae Chemical", 3200, "화학"),
    ("900470", Kospi, "보람화학", "Boram Chemical", 46500, "화학"),
    ("900480", Kospi, "도담화학", "Dodam Chemical", 280000, "화학"),
    ("900490", Kosdaq, "가람건설", "Garam Construction", 61000, "건설"),
    ("900500", Kosdaq, "한빛건설", "Hanbit Construction", 1450, "건설"),
    ("900510", Kosdaq, "누리건설", "Nuri Construction", 33000, "건설"),
    ("900520", Kosdaq, "다온건설", "Daon Construction", 15200, "건설"),
    ("900530", Kosdaq, "라온건설", "Raon Construction", 17800, "건설"),
    ("900540", Kosdaq, "마루건설", "Maru Construction", 4100, "건설"),
    ("900550", Kosdaq, "바다건설", "Bada Construction", 8900, "건설"),
    ("900560", Kosdaq, "새솔건설", "Saesol Construction", 88000, "건설"),
    ("900570", Kosdaq, "아라건설", "Ara Construction", 3200, "건설"),
    ("900580", Kosdaq, "온누리건설", "Onnuri Construction", 46500, "건설"),
    ("900590", Kosdaq, "초록건설", "Chorok Construction", 280000, "건설"),
    ("900600", Kosdaq, "푸른건설", "Pureun Construction", 24500, "건설"),
    ("900610", Kosdaq, "하늘건설", "Haneul Construction", 7300, "건설"),
    ("900620", Kosdaq, "미리내건설", "Mirinae Construction", 12400, "건설"),
    ("900630", Kosdaq, "보람건설", "Boram Construction", 127000, "건설"),
    ("900640", Kosdaq, "도담건설", "Dodam Construction", 5600, "건설"),
    ("900650", Kospi, "가람반도체", "Garam Semiconductor", 4100, "전기·전자"),
    ("900660", Kospi, "한빛반도체", "Hanbit Semiconductor", 8900, "전기·전자"),
    ("900670", Kospi, "누리반도체", "Nuri Semiconductor", 88000, "전기·전자"),
    ("900680", Kospi, "다온반도체", "Daon Semiconductor", 3200, "전기·전자"),
    ("900690", Kospi, "라온반도체", "Raon Semiconductor", 46500, "전기·전자"),
    ("900700", Kospi, "마루반도체", "Maru Semiconductor", 280000, "전기·전자"),
    ("900710", Kospi, "바다반도체", "Bada Semiconductor", 24500, "전기·전자"),
    ("900720", Kospi, "새솔반도체", "Saesol Semiconductor", 7300, "전기·전자"),
    ("900730", Kospi, "아라반도체", "Ara Semiconductor", 12400, "전기·전자"),
    ("900740", Kospi, "온누리반도체", "Onnuri Semiconductor", 127000, "전기·전자"),
    ("900750", Kospi, "초록반도체", "Chorok Semiconductor", 5600, "전기·전자"),
    ("900760", Kospi, "푸른반도체", "Pureun Semiconductor", 61000, "전기·전자"),
    ("900770", Kospi, "하늘반도체", "Haneul Semiconductor", 1450, "전기·전자"),
    ("900780", Kospi, "미리내반도체", "Mirinae Semiconductor", 33000, "전기·전자"),
    ("900790", Kospi, "보람반도체", "Boram Semiconductor", 15200, "전기·전자"),
    ("900800", Kospi, "도담반도체", "Dodam Semiconductor", 17800, "전기·전자"),
    ("900810", Kosdaq, "가람식품", "Garam Foods", 280000, "음식료·담배"),
    ("900820", Kosdaq, "한빛식품", "Hanbit Foods", 24500, "음식료·담배"),
    ("900830", Kosdaq, "누리식품", "Nuri Foods", 7300, "음식료·담배"),
    ("900840", Kosdaq, "다온식품", "Daon Foods", 12400, "음식료·담배"),
    ("900850", Kosdaq, "라온식품", "Raon Foods", 127000, "음식료·담배"),
    ("900860", Kosdaq, "마루식품", "Maru Foods", 5600, "음식료·담배"),
    ("900870", Kosdaq, "바다식품", "Bada Foods", 61000, "음식료·담배"),
    ("900880", Kosdaq, "새솔식품", "Saesol Foods", 1450, "음식료·담배"),
    ("900890", Kosdaq, "아라식품", "Ara Foods", 33000, "음식료·담배"),
    ("900900", Kosdaq, "온누리식품", "Onnuri Foods", 15200, "음식료·담배"),
    ("900910", Kosdaq, "초록식품", "Chorok Foods", 17800, "음식료·담배"),
    ("900920", Kosdaq, "푸른식품", "Pureun Foods", 4100, "음식료·담배"),
    ("900930", Kosdaq, "하늘식품", "Haneul Foods", 8900, "음식료·담배"),
    ("900940", Kosdaq, "미리내식품", "Mirinae Foods", 88000, "음식료·담배"),
    ("900950", Kosdaq, "보람식품", "Boram Foods", 3200, "음식료·담배"),
    ("900960", Kosdaq, "도담식품", "Dodam Foods", 46500, "음식료·담배"),
    ("900970", Kospi, "가람소재", "Garam Materials", 5600, "금속"),
    ("900980", Kospi, "한빛소재", "Hanbit Materials", 61000, "금속"),
    ("900990", Kospi, "누리소재", "Nuri Materials", 1450, "금속"),
    ("901000", Kospi, "다온소재", "Daon Materials", 33000, "금속"),
    ("901010", Kospi, "라온소재", "Raon Materials", 15200, "금속"),
    ("901020", Kospi, "마루소재", "Maru Materials", 17800, "금속"),
    ("901030", Kospi, "바다소재", "Bada Materials", 4100, "금속"),
    ("901040", Kospi, "새솔소재", "Saesol Materials", 8900, "금속"),
    ("901050", Kospi, "아라소재", "Ara Materials", 88000, "금속"),
    ("901060", Kospi, "온누리소재", "Onnuri Materials", 3200, "금속"),
    ("901070", Kospi, "초록소재", "Chorok Materials", 46500, "금속"),
    ("901080", Kospi, "푸른소재", "Pureun Materials", 280000, "금속"),
    ("901090", Kospi, "하늘소재", "Haneul Materials", 24500, "금속"),
    ("901100", Kospi, "미리내소재", "Mirinae Materials", 7300, "금속"),
    ("901110", Kospi, "보람소재", "Boram Materials", 12400, "금속"),
    ("901120", Kospi, "도담소재", "Dodam Materials", 127000, "금속"),
    ("901130", Kosdaq, "가람게임즈", "Garam Games", 17800, "IT 서비스"),
    ("901140", Kosdaq, "한빛게임즈", "Hanbit Games", 4100, "IT 서비스"),
    ("901150", Kosdaq, "누리게임즈", "Nuri Games", 8900, "IT 서비스"),
    ("901160", Kosdaq, "다온게임즈", "Daon Games", 88000, "IT 서비스"),
    ("901170", Kosdaq, "라온게임즈", "Raon Games", 3200, "IT 서비스"),
    ("901180", Kosdaq, "마루게임즈", "Maru Games", 46500, "IT 서비스"),
    ("901190", Kosdaq, "바다게임즈", "Bada Games", 280000, "IT 서비스"),
    ("901200", Kosdaq, "새솔게임즈", "Saesol Games", 24500, "IT 서비스"),
    ("901210", Kosdaq, "아라게임즈", "Ara Games", 7300, "IT 서비스"),
    ("901220", Kosdaq, "온누리게임즈", "Onnuri Games", 12400, "IT 서비스"),
    ("901230", Kosdaq, "초록게임즈", "Chorok Games", 127000, "IT 서비스"),
    ("901240", Kosdaq, "푸른게임즈", "Pureun Games", 5600, "IT 서비스"),
    ("901250", Kosdaq, "하늘게임즈", "Haneul Games", 61000, "IT 서비스"),
    ("901260", Kosdaq, "미리내게임즈", "Mirinae Games", 1450, "IT 서비스"),
    ("901270", Kosdaq, "보람게임즈", "Boram Games", 33000, "IT 서비스"),
    ("901280", Kosdaq, "도담게임즈", "Dodam Games", 15200, "IT 서비스"),
    ("901290", Kospi, "가람물류", "Garam Logistics", 46500, "운송·창고"),
    ("901300", Kospi, "한빛물류", "Hanbit Logistics", 280000, "운송·창고"),
    ("901310", Kospi, "누리물류", "Nuri Logistics", 24500, "운송·창고"),
    ("901320", Kospi, "다온물류", "Daon Logistics", 7300, "운송·창고"),
    ("901330", Kospi, "라온물류", "Raon Logistics", 12400, "운송·창고"),
    ("901340", Kospi, "마루물류", "Maru Logistics", 127000, "운송·창고"),
    ("901350", Kospi, "바다물류", "Bada Logistics", 5600, "운송·창고"),
    ("901360", Kospi, "새솔물류", "Saesol Logistics", 61000, "운송·창고"),
    ("901370", Kospi, "아라물류", "Ara Logistics", 1450, "운송·창고"),
    ("901380", Kospi, "온누리물류", "Onnuri Logistics", 33000, "운송·창고"),
    ("901390", Kospi, "초록물류", "Chorok Logistics", 15200, "운송·창고"),
    ("901400", Kospi, "푸른물류", "Pureun Logistics", 17800, "운송·창고"),
    ("901410", Kospi, "하늘물류", "Haneul Logistics", 4100, "운송·창고"),
    ("901420", Kospi, "미리내물류", "Mirinae Logistics", 8900, "운송·창고"),
    ("901430", Kospi, "보람물류", "Boram Logistics", 88000, "운송·창고"),
    ("901440", Kospi, "도담물류", "Dodam Logistics", 3200, "운송·창고"),
    ("901450", Kosdaq, "가람바이오", "Garam Bio", 127000, "제약"),
    ("901460", Kosdaq, "한빛바이오", "Hanbit Bio", 5600, "제약"),
    ("901470", Kosdaq, "누리바이오", "Nuri Bio", 61000, "제약"),
    ("901480", Kosdaq, "다온바이오", "Daon Bio", 1450, "제약"),
    ("901490", Kosdaq, "라온바이오", "Raon Bio", 33000, "제약"),
    ("901500", Kosdaq, "마루바이오", "Maru Bio", 15200, "제약"),
    ("901510", Kosdaq, "바다바이오", "Bada Bio", 17800, "제약"),
    ("901520", Kosdaq, "새솔바이오", "Saesol Bio", 4100, "제약"),
    ("901530", Kosdaq, "아라바이오", "Ara Bio", 8900, "제약"),
    ("901540", Kosdaq, "온누리바이오", "Onnuri Bio", 88000, "제약"),
    ("901550", Kosdaq, "초록바이오", "Chorok Bio", 3200, "제약"),
    ("901560", Kosdaq, "푸른바이오", "Pureun Bio", 46500, "제약"),
    ("901570", Kosdaq, "하늘바이오", "Haneul Bio", 280000, "제약"),
    ("901580", Kosdaq, "미리내바이오", "Mirinae Bio", 24500, "제약"),
    ("901590", Kosdaq, "보람바이오", "Boram Bio", 7300, "제약"),
    ("901600", Kosdaq, "도담바이오", "Dodam Bio", 12400, "제약"),];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_more_than_two_hundred_symbols_and_no_code_twice() {
        let codes: std::collections::BTreeSet<&str> = SHARES.iter().map(|row| row.0).collect();
        assert_eq!(codes.len(), SHARES.len());
        assert!(codes.len() > 220 && codes.iter().all(|code| code.len() == 6), "{}", codes.len());
        assert!(["005930", "000660", "069500"].iter().all(|code| domestic(code).is_some()));
        assert_eq!(domestic("900010").unwrap().listing.splits.len(), 1);
        assert!(domestic("000000").is_none() && overseas("NYS", "AAPL").is_none());
        assert_eq!(overseas("NAS", "AAPL").unwrap().english, "Apple Inc.");
    }
}

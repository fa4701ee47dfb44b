//! What of the venue other programs may ask: quotations. What is asked is said by `tr_id`, which must be one of
//! the path's own: the same header names orders elsewhere.

use crate::public::{Public, Read};

pub(super) const PUBLIC: Public = Public {
    reads: &[
        Read::of("/uapi/domestic-stock/v1/quotations/inquire-price").of_kinds(&["FHKST01010100"]),
        Read::of("/uapi/domestic-stock/v1/quotations/inquire-ccnl").of_kinds(&["FHKST01010300"]),
        Read::of("/uapi/domestic-stock/v1/quotations/inquire-daily-price")
            .of_kinds(&["FHKST01010400"]),
        Read::of("/uapi/domestic-stock/v1/quotations/inquire-asking-price-exp-ccn")
            .of_kinds(&["FHKST01010200"]),
        Read::of("/uapi/domestic-stock/v1/quotations/inquire-daily-itemchartprice")
            .of_kinds(&["FHKST03010100"]),
        Read::of("/uapi/domestic-stock/v1/quotations/inquire-time-itemchartprice")
            .of_kinds(&["FHKST03010200"]),
        Read::of("/uapi/domestic-stock/v1/quotations/inquire-time-dailychartprice")
            .of_kinds(&["FHKST03010230"]),
        Read::of("/uapi/domestic-stock/v1/quotations/inquire-index-price")
            .of_kinds(&["FHPUP02100000"]),
        Read::of("/uapi/domestic-stock/v1/quotations/search-info").of_kinds(&["CTPF1604R"]),
        Read::of("/uapi/domestic-stock/v1/quotations/search-stock-info").of_kinds(&["CTPF1002R"]),
        Read::of("/uapi/domestic-stock/v1/quotations/chk-holiday").of_kinds(&["CTCA0903R"]),
        Read::of("/uapi/etfetn/v1/quotations/inquire-price").of_kinds(&["FHPST02400000"]),
        Read::of("/uapi/overseas-price/v1/quotations/price").of_kinds(&["HHDFS00000300"]),
        Read::of("/uapi/overseas-price/v1/quotations/price-detail").of_kinds(&["HHDFS76200200"]),
        Read::of("/uapi/overseas-price/v1/quotations/dailyprice").of_kinds(&["HHDFS76240000"]),
    ],
    headers: &[("content-type", "application/json; charset=utf-8"), ("custtype", "P")],
    kind: "tr_id",
    // Asks for the next page.
    passed: &["tr_cont"],
};

import assert from "node:assert/strict";
import { test } from "node:test";
import * as f from "../src/format";
import { isRedUp, read } from "../src/settings";
import { serverLanguage } from "../src/words";
import { parse, to } from "../src/router";

serverLanguage.set("en");

test("a price keeps the digits that the venue printed", () => {
  assert.equal(f.price(53165.7), "53,165.70");
  assert.equal(f.price(74.9899), "74.9899");
  assert.equal(f.price(71200, "KRW"), "71,200");
  assert.equal(f.price(0.00000123), "0.00000123");
  assert.equal(f.price(null), "–");
});

test("a fall has a true minus and a rise a plus", () => {
  assert.equal(f.move(0.004616), "+0.46\u202f%");
  assert.equal(f.move(-0.00169), "−0.17\u202f%");
  assert.equal(f.move(0), "0.00\u202f%");
});

test("small probabilities are not rounded to nothing", () => {
  assert.equal(f.probability(0.000495), "0.00049");
  assert.equal(f.probability(5e-6), "<0.0001");
  assert.equal(f.probability(0.75), "0.75");
  assert.equal(f.probability(0.031), "0.031");
});

test("a moment of today is an hour, of another day a date", () => {
  const now = Date.parse("2026-01-05T23:30:00Z");
  assert.equal(f.moment("2026-01-05T23:00:00Z", "UTC", now), "23:00");
  assert.equal(f.moment("2026-01-04T23:00:00Z", "UTC", now), "4 Jan, 23:00");
  assert.equal(f.moment("2025-01-04T23:00:00Z", "UTC", now), "4 Jan 2025, 23:00");
  // In Seoul both lie on the sixth.
  assert.equal(f.moment("2026-01-05T15:10:00Z", "Asia/Seoul", now), "00:10");
});

test("an exact time names the zone, and the market's where it is another", () => {
  assert.equal(f.exactly("2026-03-08T07:30:00Z", "UTC"), "8 Mar 2026, 07:30:00 UTC");
  // The hour after New York went to daylight-saving time.
  assert.equal(f.exactly("2026-03-08T07:30:00Z", "UTC", "America/New_York"), "8 Mar 2026, 07:30:00 UTC\n8 Mar 2026, 03:30:00 America/New_York");
});

test("durations are in the largest unit that fits", () => {
  assert.equal(f.duration(240), "0.2 s");
  assert.equal(f.duration(95_000), "1 min");
  assert.equal(f.duration(47 * 3_600_000), "47 h");
  assert.equal(f.duration(3 * 86_400_000), "3 d");
});

test("a strategy is a name and its parameters", () => {
  assert.deepEqual(f.strategy("macd_bullish_cross(fast=12,slow=26)"), { name: "MACD bullish cross", params: "fast 12, slow 26" });
  assert.deepEqual(f.strategy("low_volume"), { name: "Low volume", params: "" });
  assert.deepEqual(f.strategy("dip: cross_below(rsi(14), 45) and close > sma(20)"), { name: "dip", params: "cross_below(rsi(14), 45) and close > sma(20)" });
  assert.deepEqual(f.strategy("dip short every bar: close < sma(20)"), { name: "dip short every bar", params: "close < sma(20)" });
});

test("a round trip of costs is taken from the mean, but not from the size of moves", () => {
  assert.equal(f.meanNet({ mean_return: 0.006, cost: 0.001 }), 0.004);
  assert.equal(f.meanNet({ mean_return: 0.006, cost: 0.001, claim: "size" }), 0.006);
  assert.equal(f.meanNet({}), null);
});

test("a muted card says so, whatever it proved before", () => {
  serverLanguage.set("ko");
  assert.match(f.cardWords({ verdict: "unproven", reasons: ["drift"], words: "Muted" }), /중지/);
  serverLanguage.set("en");
  assert.equal(f.cardWords({ verdict: "unproven", reasons: ["drift"], words: "Muted: the last 27 occasions look like chance." }), "Muted: the last 27 occasions look like chance.");
});

test("a rise is red in Korea, by language, by market or by choice", () => {
  assert.equal(isRedUp("yahoo:AAPL", "ko", "language"), true);
  assert.equal(isRedUp("yahoo:005930.KS", "en", "language"), false);
  assert.equal(isRedUp("yahoo:005930.KS", "en", "market"), true);
  assert.equal(isRedUp("kis:005930", "en", "market"), true);
  assert.equal(isRedUp("yahoo:AAPL", "ko", "market"), false);
  assert.equal(isRedUp("yahoo:AAPL", "en", "red_up"), true);
});

test("settings that were damaged fall back one by one", () => {
  assert.deepEqual(read('{"theme":"dark","language":"fr","colours":7}'), { theme: "dark", language: null, colours: "language" });
  assert.deepEqual(read("not json"), { theme: "auto", language: null, colours: "language" });
});

test("an address leads back to its place", () => {
  const place = parse(to("strategies", "volume_breakout_up(period=20,ratio=2)", { verdict: "verified" }));
  assert.equal(place.page, "strategies");
  assert.equal(place.rest, "volume_breakout_up(period=20,ratio=2)");
  assert.equal(place.query.get("verdict"), "verified");
  assert.equal(parse(to("markets", "yahoo:^GSPC")).rest, "yahoo:^GSPC");
  assert.equal(parse("").page, "signals");
  assert.equal(parse("#/markets/%E0%A4%A").rest, "%E0%A4%A");
});

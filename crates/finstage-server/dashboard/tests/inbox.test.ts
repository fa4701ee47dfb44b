import assert from "node:assert/strict";
import { test } from "node:test";
import { arrive, EMPTY, matches, merge, MOST, release } from "../src/inbox";
import type { Signal } from "../src/shapes";

const signal = (id: string, at: string, more: Partial<Signal> = {}): Signal => ({
  id, at, symbol: "binance:BTCUSDT", interval: "15m", strategy: "golden_cross(fast=50,slow=200)", direction: "long", timestamp: at, price: 1, verdict: "unproven", reasons: [], card: null, ...more,
});
const one = signal("a", "2026-01-05T10:00:00Z");
const two = signal("b", "2026-01-05T11:00:00Z");

test("a signal that comes twice, as after a resumed line, is there once", () => {
  const state = arrive(arrive({ ...EMPTY, items: [one] }, two, false), two, false);
  assert.deepEqual(state.items.map(({ id }) => id), ["b", "a"]);
});

test("a verdict that comes later replaces the one before", () => {
  const state = arrive({ ...EMPTY, items: [signal("a", one.at, { verdict: "pending" })] }, signal("a", one.at, { verdict: "verified" }), true);
  assert.equal(state.items[0]?.verdict, "verified");
  assert.equal(state.held.length, 0);
});

test("while someone reads, new signals are held and counted, and come when asked", () => {
  const held = arrive({ ...EMPTY, items: [one] }, two, true);
  assert.deepEqual([held.items.length, held.held.length], [1, 1]);
  const after = release(held);
  assert.deepEqual([after.items.map(({ id }) => id), after.held.length], [["b", "a"], 0]);
  assert.ok(after.fresh.has("b"));
});

test("what the filters exclude does not come in", () => {
  const filters = { symbol: "", strategy: "golden_cross", verdict: "verified" };
  assert.equal(arrive({ ...EMPTY, filters }, one, false).items.length, 0);
  assert.ok(matches(signal("c", one.at, { verdict: "verified" }), filters));
  assert.ok(!matches(signal("c", one.at, { verdict: "verified", strategy: "golden_cross_volume(fast=50)" }), filters));
  assert.ok(matches(one, { symbol: "binance:BTCUSDT", strategy: "golden_cross(fast=50,slow=200)", verdict: "" }));
});

test("an older page joins at the end", () => {
  assert.deepEqual(merge([two], [one]).map(({ id }) => id), ["b", "a"]);
});

test("what is kept has a bound, and no hole below it", () => {
  const items = Array.from({ length: MOST }, (_, at) => signal(`s${at}`, `2026-01-05T09:${String(at).padStart(5, "0")}`));
  const state = arrive({ ...EMPTY, items, next: "older" }, two, false);
  assert.equal(state.items.length, MOST);
  assert.equal(state.items[0]?.id, "b");
  assert.equal(state.next, null);
  assert.equal(arrive({ ...EMPTY, items: [one], next: "older" }, two, false).next, "older");
});

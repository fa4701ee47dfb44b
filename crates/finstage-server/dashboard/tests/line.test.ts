import assert from "node:assert/strict";
import { test } from "node:test";
import { ATTEMPTS_UNTIL_OFFLINE, next, START, subscription, waitMs, type Line } from "../src/line";

const lose = (line: Line, at: number) => next(line, { kind: "lost", at, random: 0.5 });
const live = next(next(START, { kind: "dialled" }), { kind: "greeted" });

test("a first subscription asks for everything from now on", () => {
  assert.deepEqual(subscription(live), { action: "subscribe", type: "all" });
});

test("after a loss the page goes on from the last cursor that it saw", () => {
  let line = next(live, { kind: "said", cursor: "7-3" });
  line = next(line, { kind: "said", cursor: undefined });
  line = next(next(lose(line, 1000), { kind: "dialled" }), { kind: "greeted" });
  assert.deepEqual(subscription(line), { action: "subscribe", type: "all", since: "7-3" });
});

test("a cursor of zero is a cursor", () => {
  assert.deepEqual(subscription(next(live, { kind: "said", cursor: 0 })), { action: "subscribe", type: "all", since: 0 });
});

test("a cursor that the server refuses is not sent again", () => {
  const line = next(next(live, { kind: "said", cursor: 9 }), { kind: "cursor_refused" });
  assert.deepEqual(subscription(line), { action: "subscribe", type: "all" });
});

test("a loss is reconnecting first and offline after some attempts, since the first loss", () => {
  let line = lose(live, 1000);
  assert.equal(line.phase, "reconnecting");
  for (let attempt = 1; attempt <= ATTEMPTS_UNTIL_OFFLINE; attempt += 1) line = lose(next(line, { kind: "dialled" }), 1000 + attempt * 500);
  assert.equal(line.phase, "offline");
  assert.equal(line.lostAt, 1000);
  line = next(line, { kind: "greeted" });
  assert.deepEqual([line.phase, line.attempt, line.lostAt], ["live", 0, null]);
});

test("waits double, are spread, and have a longest", () => {
  assert.deepEqual([0, 1, 2, 3].map((attempt) => waitMs(attempt, 0.5)), [400, 800, 1600, 3200]);
  assert.ok(waitMs(2, 0) < waitMs(2, 1));
  assert.ok(waitMs(1000, 1) <= 15_000 * 1.25);
});

test("who is signed out does not dial on with an old cursor", () => {
  const line = next(next(live, { kind: "said", cursor: 9 }), { kind: "denied" });
  assert.deepEqual([line.phase, line.cursor], ["signed_out", null]);
});

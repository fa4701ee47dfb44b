import assert from "node:assert/strict";
import { test } from "node:test";
import { WORDS, say } from "../src/words";

const blanks = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test("every word has text in both languages", () => {
  for (const [key, [en, ko]] of Object.entries(WORDS)) {
    assert.ok(en.trim(), key);
    assert.ok(ko.trim(), key);
  }
});

test("both languages fill in the same figures", () => {
  for (const [key, [en, ko]] of Object.entries(WORDS)) assert.deepEqual(blanks(en), blanks(ko), key);
});

test("commands are written alike in both languages", () => {
  const commands = (text: string) => [...text.matchAll(/`[^`]+`/g)].map(String).sort();
  for (const [key, [en, ko]] of Object.entries(WORDS)) assert.deepEqual(commands(en), commands(ko), key);
});

test("korean text is korean, but for what has no korean word", () => {
  const same = Object.entries(WORDS).filter(([, [, ko]]) => !/[가-힣]/.test(ko)).map(([key]) => key);
  assert.deepEqual(same, ["q", "drift_sum", "queue_value", "range"].sort((a, b) => Object.keys(WORDS).indexOf(a) - Object.keys(WORDS).indexOf(b)));
});

test("what is not given stays visible instead of vanishing", () => {
  assert.equal(say("en", "inbox_new", { n: 3 }), "3 new");
  assert.equal(say("ko", "inbox_new", { n: 3 }), "새 신호 3건");
  assert.equal(say("en", "inbox_new"), "{n} new");
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Alert, HealthCheck, Schedule, Task } from "../src/shapes";
import { alertWords, foundWords, healthWords, jobWords, taskWords, whenWords } from "../src/told";
import { known, serverLanguage, WORDS } from "../src/words";

const inBoth = <T>(say: () => T): [T, T] => {
  serverLanguage.set("en");
  const english = say();
  serverLanguage.set("ko");
  const korean = say();
  serverLanguage.set("en");
  return [english, korean];
};
const source = (path: string) => readFileSync(new URL(`../../../../crates/${path}`, import.meta.url), "utf8");
const all = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, word]) => word ?? ""))];

test("an alert is said in the page's language, and the reader's own words stay", () => {
  const alert = { rule: "rise=3%", words: "3% above the previous day's close 73", words_ko: "전일 종가 73보다 3% 상승" } as Alert;
  assert.deepEqual(inBoth(() => alertWords(alert)), [alert.words, alert.words_ko]);
  assert.deepEqual(inBoth(() => alertWords({ ...alert, words: "my dip", words_ko: null })), ["my dip", "my dip"]);
});

test("what a check found is said with its figures, and unknown words stay the server's", () => {
  const check = { name: "bar", ok: false, reason: "bar_other", figures: { close: "2", price: "3" }, detail: "the stored bar closed at 2, not 3" };
  assert.deepEqual(inBoth(() => foundWords(check)), [check.detail, "저장된 봉의 종가는 2이며 3이(가) 아닙니다"]);
  assert.deepEqual(inBoth(() => foundWords({ ...check, reason: "newer" })), [check.detail, check.detail]);
  const health: HealthCheck = { name: "disk", ok: true, detail: "9 GiB free", detail_ko: "9 GiB 남음" };
  assert.deepEqual(inBoth(() => healthWords(health)), ["9 GiB free", "9 GiB 남음"]);
});

test("when a job comes is said in words, and a cron pattern as it is", () => {
  assert.deepEqual(inBoth(() => whenWords("every 1h")), ["every 1 h", "1시간마다"]);
  assert.deepEqual(inBoth(() => whenWords("every 1d")), ["every 1 d", "1일마다"]);
  assert.deepEqual(inBoth(() => whenWords("08:00 Asia/Seoul")), ["daily at 08:00 Asia/Seoul", "매일 08:00 Asia/Seoul"]);
  assert.deepEqual(inBoth(() => whenWords("30 2 * * * UTC")), ["30 2 * * * UTC", "30 2 * * * UTC"]);
});

test("what a task gave names its figures", () => {
  const task = { state: "done", result: { bars: 3, refused: [], match: true } } as unknown as Task;
  assert.deepEqual(inBoth(() => taskWords(task)), ["bars 3 · match yes", "봉 3 · 일치 예"]);
});

test("every job, every check and every finding of the program has words", () => {
  const jobs = all(source("finstage/src/jobs/kinds.rs"), /\bkind\(\s*"(\w+)"/g);
  assert.ok(jobs.length > 6, jobs.join(" "));
  for (const name of jobs) {
    assert.ok(`job_${name}` in WORDS && `about_${name}` in WORDS, name);
    assert.match(inBoth(() => jobWords({ name, describes: "" } as Schedule))[1], /[가-힣]/);
  }
  const found = all(source("finstage-server/src/routes/verify.rs"), /\(?"((?:id|bar|card|entry)_\w+)"/g);
  assert.ok(found.length > 10, found.join(" "));
  for (const word of found) assert.ok(`found_${word}` in WORDS, word);
  for (const name of all(source("finstage/src/monitor/words.rs"), /\(Language::Ko, "(\w+)"\)/g)) assert.notEqual(inBoth(() => known("health_", name))[1], name, name);
});

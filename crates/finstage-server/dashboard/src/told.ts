// What the server tells in English, in the page's language: where it gives the words, or a machine word of them.
import * as f from "./format";
import type { Alert, HealthCheck, Schedule, Strategy, Task, Verification } from "./shapes";
import { known, languageNow, t, WORDS, type Word } from "./words";

/** The one of two texts that is in the page's language; the English one where there is no other. */
function spoken(english: string | null | undefined, korean: string | null | undefined): string {
  return (languageNow() === "ko" && korean) || english || "";
}

/** Why an alert came; what the reader wrote stays as it is. */
export function alertWords(alert: Alert): string {
  return spoken(alert.words, alert.words_ko) || f.strategy(alert.rule).name;
}

export function strategyWords(strategy: Strategy): string {
  return spoken(strategy.describes, strategy.describes_ko);
}

export function healthWords(check: HealthCheck): string {
  return spoken(check.detail, check.detail_ko);
}

/** What a check found; a newer server may know more words than this page. */
export function foundWords(check: Verification["checks"][number]): string {
  const key = `found_${check.reason}`;
  return languageNow() === "en" || !(key in WORDS) ? check.detail : t(key as Word, check.figures);
}

/** What a job is for; one that this page does not know is described by the server. */
export function jobWords(job: Schedule): string {
  const key = `about_${job.name}`;
  return key in WORDS ? t(key as Word) : job.describes;
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `every 1h` and `08:00 Asia/Seoul` in words; a cron pattern is one in every language. */
export function whenWords(when: string): string {
  const every = /^every (\d+)(ms|s|m|h|d)$/.exec(when);
  // Not the largest unit: a day is "24 h" elsewhere, and here as it was set.
  if (every) return t("job_every", { time: every[2] === "d" ? t("days", { n: every[1] ?? "" }) : f.duration(Number(every[1]) * (UNITS[every[2] ?? ""] ?? 0)) });
  return /^\d\d:\d\d /.test(when) ? t("job_daily", { time: when }) : when;
}

/** What a task gave, why it failed, or what it is doing. */
export function taskWords(task: Task): string {
  if (task.state === "done") return task.result === null || task.result === undefined ? "" : gave(task.result);
  return (task.state === "running" ? task.doing : task.error) ?? "";
}

function gave(result: unknown): string {
  if (typeof result !== "object" || result === null) return String(result);
  return Object.entries(result)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${known("gave_", name)} ${typeof value === "object" ? JSON.stringify(value) : typeof value === "boolean" ? known("gave_", String(value)) : String(value)}`)
    .join(" · ");
}

// Numbers, times and names as people read them. Nothing here knows where a figure came from.
import type { Card, Direction } from "./shapes";
import { languageNow, t, type Word } from "./words";

export const NONE = "–";
const MINUS = "\u2212";
const PLAIN_CURRENCIES = new Set(["KRW", "JPY"]);

function locale(): string {
  return languageNow() === "ko" ? "ko-KR" : "en-GB";
}

const cache = new Map<string, Intl.NumberFormat>();

function number(value: number, least: number, most: number): string {
  const key = `${least}/${most}`;
  let format = cache.get(key);
  if (!format) {
    // Digits are grouped alike in both languages.
    format = new Intl.NumberFormat("en-US", { minimumFractionDigits: least, maximumFractionDigits: most });
    cache.set(key, format);
  }
  return format.format(value).replace("-", MINUS);
}

/** As many decimals as the number itself has, so that digits of a venue are neither cut nor made up. */
function decimals(value: number): number {
  const text = String(value);
  if (text.includes("e-")) return Math.min(12, Number(text.split("e-")[1]) + 2);
  return Math.min(12, text.split(".")[1]?.length ?? 0);
}

export function price(value: number | null | undefined, currency?: string | null): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const least = currency && PLAIN_CURRENCIES.has(currency) ? 0 : 2;
  return number(value, least, Math.max(least, decimals(value)));
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : number(value, 0, 0);
}

export function fixed(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined || !Number.isFinite(value) ? NONE : number(value, digits, digits);
}

function percentSign(): string {
  return languageNow() === "ko" ? "%" : "\u202f%";
}

/** A share, 0.858 as 85.8 %. */
export function share(value: number | null | undefined, digits = 1): string {
  return value === null || value === undefined || !Number.isFinite(value) ? NONE : number(value * 100, digits, digits) + percentSign();
}

/** A return, 0.0046 as +0.46 %. */
export function move(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  return signed(value * 100, digits) + percentSign();
}

/** A change that is in percent already. */
export function percent(value: number | null | undefined, digits = 2): string {
  return value === null || value === undefined || !Number.isFinite(value) ? NONE : signed(value, digits) + percentSign();
}

export function signed(value: number, digits: number): string {
  const text = number(value, digits, digits);
  return value > 0 ? `+${text}` : text;
}

/** Probabilities keep two significant digits. */
export function probability(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value === 0) return "0";
  if (value < 0.0001) return "<0.0001";
  return value >= 0.1 ? number(value, 2, 2) : Number(value.toPrecision(2)).toString();
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let left = value;
  while (left >= 1024 && at < units.length - 1) {
    left /= 1024;
    at += 1;
  }
  return `${number(left, 0, at === 0 || left >= 100 ? 0 : 1)} ${units[at]}`;
}

/** Milliseconds in the largest unit that fits: 90 s is "1 min". */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return t("seconds", { n: number(seconds, 0, 1) });
  if (seconds < 60) return t("seconds", { n: Math.floor(seconds) });
  if (seconds < 3600) return t("minutes", { n: Math.floor(seconds / 60) });
  if (seconds < 172_800) return t("hours", { n: Math.floor(seconds / 3600) });
  return t("days", { n: Math.floor(seconds / 86_400) });
}

export function interval(text: string | null | undefined): string {
  if (!text) return NONE;
  const key = `i_${text}`;
  return key in intervals ? t(key as Word) : text;
}

const intervals: Record<string, true> = { i_1m: true, i_5m: true, i_15m: true, i_30m: true, i_1h: true, i_4h: true, i_1d: true, i_1w: true, i_1mo: true };

const clocks = new Map<string, Intl.DateTimeFormat>();

function clock(zone: string, options: Intl.DateTimeFormatOptions, language = locale()): Intl.DateTimeFormat {
  const key = `${language} ${zone} ${JSON.stringify(options)}`;
  let format = clocks.get(key);
  if (!format) {
    try {
      format = new Intl.DateTimeFormat(language, { ...options, timeZone: zone });
    } catch {
      format = new Intl.DateTimeFormat(language, { ...options, timeZone: "UTC" });
    }
    clocks.set(key, format);
  }
  return format;
}

const HOUR: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

export type Moment = string | number | null | undefined;

function dateOf(at: Moment): Date | null {
  if (at === null || at === undefined || at === "") return null;
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? null : date;
}

export function hour(at: Moment, zone: string): string {
  const date = dateOf(at);
  return date ? clock(zone, HOUR).format(date) : NONE;
}

export function day(at: Moment, zone: string): string {
  const date = dateOf(at);
  return date ? clock(zone, { year: "numeric", month: "short", day: "numeric" }).format(date) : NONE;
}

/** `2026-01-05` in the zone. */
export function isoDay(at: Moment, zone: string): string {
  const date = dateOf(at);
  if (!date) return "";
  return clock(zone, { year: "numeric", month: "2-digit", day: "2-digit" }, "en-CA").format(date);
}

/** The hour today, else day and hour; the year only where it is another. */
export function moment(at: Moment, zone: string, now: number): string {
  const date = dateOf(at);
  if (!date) return NONE;
  if (isoDay(date.getTime(), zone) === isoDay(now, zone)) return hour(date.getTime(), zone);
  const sameYear = isoDay(date.getTime(), zone).slice(0, 4) === isoDay(now, zone).slice(0, 4);
  return clock(zone, { ...(sameYear ? {} : { year: "numeric" }), month: "short", day: "numeric", ...HOUR }).format(date);
}

/** Everything, for tooltips: to the second, with the zone, and the market's own clock where it is another. */
export function exactly(at: Moment, zone: string, market?: string | null): string {
  const date = dateOf(at);
  if (!date) return "";
  const options: Intl.DateTimeFormatOptions = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const mine = `${clock(zone, options).format(date)} ${zone}`;
  if (!market || market === zone) return mine;
  return `${mine}\n${clock(market, options).format(date)} ${market}`;
}

export function arrow(direction: Direction | number): string {
  if (direction === "long") return "▲";
  if (direction === "short") return "▼";
  return direction > 0 ? "▲" : direction < 0 ? "▼" : "";
}

const CAPITALS = new Set(["ma", "rsi", "bb", "macd", "adx", "mfi", "nr7", "rsi2", "sma", "ema"]);

/**
 * `volume_breakout_up(period=20,ratio=2)` as a name and its parameters; `dip short: close < sma(20)` of one's own as the
 * name that it was given and its condition.
 */
export function strategy(text: string): { name: string; params: string } {
  const own = /^([\w]+)((?: short)?(?: every bar)?): (.*)$/.exec(text);
  if (own) return { name: `${own[1] ?? ""}${own[2] ?? ""}`, params: own[3] ?? "" };
  const open = text.indexOf("(");
  const plain = open < 0 ? text : text.slice(0, open);
  const params = open < 0 ? "" : text.slice(open + 1).replace(/\).*$/, "").replaceAll(",", ", ").replaceAll("=", " ");
  const words = plain.split("_").map((word) => (CAPITALS.has(word) ? word.toUpperCase() : word));
  const name = words.join(" ");
  return { name: name.charAt(0).toUpperCase() + name.slice(1), params };
}

/** `binance:BTCUSDT` as venue and symbol. */
export function symbol(text: string): { venue: string; name: string } {
  const colon = text.indexOf(":");
  return colon < 0 ? { venue: "", name: text } : { venue: text.slice(0, colon), name: text.slice(colon + 1) };
}

/** What a card says, in the page's language: its own words are English. */
export function cardWords(card: Card): string {
  if (card.reasons?.includes("drift")) return languageNow() === "en" && card.words ? card.words : t("why_drift");
  const grade = card.verdict === "verified" ? (card.claim === "size" ? "size" : "verified") : (card.grade ?? "");
  const few = grade === "too_little_data" && (card.mde === null || card.mde === undefined);
  const key = few ? "words_too_few" : (`words_${grade}` as Word);
  if (languageNow() === "en" && card.words) return card.words;
  if (!["size", "verified", "promising", "no_edge_seen", "too_little_data", "inconclusive", "cost_exceeds_edge", "wrong_direction"].includes(grade)) return card.words ?? "";
  return t(key, {
    edge: share(card.theta_net, 2),
    low: share(card.net_low, 2),
    high: share(card.net_high, 2),
    n: count(card.n_eff),
    family: count(card.family),
    mde: share(card.mde, 2),
    times: card.times_usual ? `×${fixed(card.times_usual, 1)}` : "",
  });
}

/** Mean move in the declared direction less a round trip of costs; nothing is charged for the size of moves. */
export function meanNet(card: Card): number | null {
  if (card.mean_return === null || card.mean_return === undefined) return null;
  return card.claim === "size" ? card.mean_return : card.mean_return - 2 * (card.cost ?? 0);
}

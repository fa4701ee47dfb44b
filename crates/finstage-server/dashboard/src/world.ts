// What every page shares: the server's description of itself, instruments by symbol, and last prices.
import { get, path, session } from "./api";
import { hear, returned } from "./live";
import type { Instrument, Page, Price, System } from "./shapes";
import { Store, useStore } from "./store";
import { languageNow, serverLanguage } from "./words";

export const system = new Store<System | null>(null);
export const instruments = new Store<Map<string, Instrument>>(new Map());
/** The server's clock less this one's, in milliseconds. */
let skewMs = 0;
/** Moves now and then, for ages. */
const tick = new Store(Date.now());
const TICK_MS = 5_000;

const prices = new Map<string, Store<Price | null>>();

export function priceOf(symbol: string): Store<Price | null> {
  let store = prices.get(symbol);
  if (!store) {
    store = new Store<Price | null>(null);
    prices.set(symbol, store);
  }
  return store;
}

export function zoneNow(): string {
  return system.value?.timezone || Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

export function now(): number {
  return Date.now() + skewMs;
}

/** The server's now, drawn anew every few seconds. */
export function useNow(): number {
  useStore(tick);
  return now();
}

export function nameOf(symbol: string): string | null {
  const instrument = instruments.value.get(symbol);
  if (!instrument) return null;
  return (languageNow() === "ko" && instrument.name_ko) || instrument.name || null;
}

export async function readSystem(): Promise<void> {
  const asked = Date.now();
  const said = await get<System>(path("system"));
  system.set(said);
  serverLanguage.set(said.language === "ko" || said.language === "en" ? said.language : null);
  const theirs = Date.parse(said.now);
  if (!Number.isNaN(theirs)) skewMs = theirs - (asked + Date.now()) / 2;
}

async function readInstruments(): Promise<void> {
  const page = await get<Page<Instrument>>(path("instruments", { watched: true, limit: 500 }));
  instruments.set(new Map(page.items.map((instrument) => [instrument.symbol, instrument])));
}

export async function readPrices(): Promise<void> {
  const page = await get<{ items: Price[] }>(path("prices"));
  for (const price of page.items) {
    const store = priceOf(price.symbol);
    if (!store.value || store.value.at <= price.at) store.set(price);
  }
}

/** An instrument that is not watched but looked at. */
export async function learn(symbol: string): Promise<void> {
  if (instruments.value.has(symbol)) return;
  const page = await get<Page<Instrument>>(path("instruments", { q: symbol, limit: 20 }));
  const found = page.items.find((one) => one.symbol === symbol);
  if (found) instruments.set(new Map(instruments.value).set(symbol, found));
}

// Prices wait here for the next frame, so that a busy market costs a drawing a frame and not one a message.
const waiting = new Map<string, Price>();
let scheduled = false;

function flush(): void {
  scheduled = false;
  // A simulated market may run faster than any clock: what came last is never in the future.
  const newest = Math.max(...[...waiting.values()].map((price) => Date.parse(price.at) || 0));
  if (newest > now()) skewMs = newest - Date.now();
  for (const [symbol, price] of waiting) priceOf(symbol).set(price);
  waiting.clear();
}

function settle(what: Promise<void>): void {
  // Pages show failures of what they need themselves; here the old values stay.
  what.catch(() => undefined);
}

export function begin(): void {
  setInterval(() => tick.set(Date.now()), TICK_MS);
  hear((push) => {
    if (push.type !== "price_update") return;
    const old = waiting.get(push.symbol) ?? priceOf(push.symbol).value;
    waiting.set(push.symbol, {
      ...old,
      symbol: push.symbol,
      price: push.current_price,
      at: push.timestamp,
      change: push.change_amount ?? null,
      change_percent: push.change_percent ?? null,
      volume: push.volume ?? old?.volume ?? null,
      market_status: push.market_status ?? old?.market_status,
    });
    if (!scheduled) {
      scheduled = true;
      // A hidden tab draws no frames, and needs none.
      if (document.visibilityState === "visible") requestAnimationFrame(flush);
      else setTimeout(flush, 1000);
    }
  });
  const readAll = () => {
    settle(readSystem());
    settle(readInstruments());
    settle(readPrices());
  };
  returned.listen(readAll);
  session.listen(() => session.value === "in" && instruments.value.size === 0 && settle(readInstruments()));
  readAll();
}

// Small pieces of text: times, prices, verdicts, names. Each carries its meaning in words, not in colour alone.
import type { ComponentChildren } from "preact";
import * as f from "../format";
import { to } from "../router";
import { isRedUp, settings } from "../settings";
import type { Direction, Verdict } from "../shapes";
import { useStore } from "../store";
import { known, languageNow, t } from "../words";
import { instruments, nameOf, priceOf, useNow, zoneNow } from "../world";

/** A moment in the reader's zone; the tooltip has the second, and the market's clock. */
export function Time({ at, symbol }: { at: f.Moment; symbol?: string }) {
  const now = useNow();
  if (!at) return <span>{f.NONE}</span>;
  const market = symbol ? instruments.value.get(symbol)?.zone : null;
  const iso = typeof at === "number" ? new Date(at).toISOString() : at;
  return (
    <time dateTime={iso} title={f.exactly(at, zoneNow(), market)}>
      {f.moment(at, zoneNow(), now)}
    </time>
  );
}

/** The market's own clock, where it is not the reader's. */
export function MarketTime({ at, symbol }: { at: string; symbol: string }) {
  const market = instruments.value.get(symbol)?.zone;
  if (!market || market === zoneNow() || market === "UTC") return null;
  return (
    <span class="muted">
      {" "}
      ({f.hour(at, market)} {market.split("/").pop()?.replaceAll("_", " ")})
    </span>
  );
}

export function Day({ at }: { at: f.Moment }) {
  return at ? <time title={f.exactly(at, zoneNow())}>{f.day(at, zoneNow())}</time> : <span>{f.NONE}</span>;
}

export function Ago({ at }: { at: f.Moment }) {
  const now = useNow();
  if (!at) return <span>{f.NONE}</span>;
  const then = new Date(at).getTime();
  return <time title={f.exactly(at, zoneNow())}>{t("ago", { time: f.duration(now - then) })}</time>;
}

export function VerdictBadge({ verdict, grade }: { verdict: Verdict | undefined; grade?: string | null }) {
  const word = verdict ?? "pending";
  return (
    <span class={`badge badge-${word}`} title={known("", `${word}_means`)}>
      {word === "verified" && <Tick />}
      {word === "rejected" && <span aria-hidden="true">✕</span>}
      {known("", word)}
      {grade ? <span class="badge-grade"> · {known("grade_", grade)}</span> : null}
    </span>
  );
}

function Tick() {
  return (
    <svg class="tick" viewBox="0 0 12 12" aria-hidden="true">
      <path d="M2.2 6.4 5 9.100l4.9-6" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}

/** Colours of this instrument's market, where they are not those of the page. */
export function coloursOf(symbol: string | null): "red" | "green" {
  return isRedUp(symbol, languageNow(), settings.value.colours) ? "red" : "green";
}

export function Way({ direction, symbol, quiet }: { direction: Direction | undefined; symbol: string; quiet?: boolean }) {
  if (!direction) return null;
  return (
    <span class={`way ${direction === "long" ? "up" : "down"}`} data-colours={coloursOf(symbol)}>
      <span aria-hidden="true">{f.arrow(direction)}</span> <span class={quiet ? "hidden-text" : ""}>{t(direction)}</span>
    </span>
  );
}

export function Move({ value, symbol, children }: { value: number | null | undefined; symbol: string | null; children: ComponentChildren }) {
  const way = !value ? "" : value > 0 ? "up" : "down";
  return (
    <span class={`num ${way}`} data-colours={coloursOf(symbol)}>
      {value ? <span class="arrow" aria-hidden="true">{f.arrow(value)}</span> : null}
      {children}
    </span>
  );
}

export function StrategyName({ text, bars }: { text: string; bars?: string }) {
  const { name, params } = f.strategy(text);
  return (
    <span class="strategy" title={text}>
      {name} {bars && <span class="interval-text muted">{f.interval(bars)} </span>}
      {params && <span class="params">{bars ? `· ${params}` : params}</span>}
    </span>
  );
}

/** The venue's symbol with its name, as one line. */
export function SymbolName({ symbol, plain }: { symbol: string; plain?: boolean }) {
  useStore(instruments);
  const { venue, name } = f.symbol(symbol);
  const long = nameOf(symbol);
  return (
    <span class="symbol" title={long ? `${long} · ${symbol}` : symbol}>
      <span class="symbol-name">{name}</span>
      {!plain && <span class="symbol-venue">{long && long !== name ? long : venue}</span>}
    </span>
  );
}

export function SymbolLink({ symbol }: { symbol: string }) {
  return (
    <a href={to("markets", symbol)} class="plain-link">
      <SymbolName symbol={symbol} plain />
    </a>
  );
}

export function currencyOf(symbol: string): string | null {
  return priceOf(symbol).value?.currency ?? instruments.value.get(symbol)?.currency ?? null;
}

/** The last price, moving. */
export function LastPrice({ symbol, large }: { symbol: string; large?: boolean }) {
  const price = useStore(priceOf(symbol));
  useStore(instruments);
  if (!price) return <span class="muted num">{f.NONE}</span>;
  const currency = currencyOf(symbol);
  return (
    <span class={large ? "price-large num" : "num"} data-price={symbol}>
      {f.price(price.price, currency)}
      {large && currency ? <span class="unit"> {currency}</span> : null}
    </span>
  );
}

export function LastChange({ symbol, withAmount }: { symbol: string; withAmount?: boolean }) {
  const price = useStore(priceOf(symbol));
  if (!price || price.change_percent === null || price.change_percent === undefined) return <span class="muted num">{f.NONE}</span>;
  return (
    <Move value={price.change_percent} symbol={symbol}>
      {withAmount && price.change !== null && price.change !== undefined ? `${price.change > 0 ? "+" : ""}${f.price(price.change, currencyOf(symbol))} (${f.percent(price.change_percent)})` : f.percent(price.change_percent)}
    </Move>
  );
}

/** Code in sentences: text between backquotes. */
export function Sentence({ text }: { text: string }) {
  return <>{text.split("`").map((part, at) => (at % 2 ? <code>{part}</code> : part))}</>;
}

/** One figure of a list of figures. */
export function Figure({ name, means, children }: { name: string; means?: string; children: ComponentChildren }) {
  return (
    <div class="figure">
      <dt>{means ? <abbr title={means}>{name}</abbr> : name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

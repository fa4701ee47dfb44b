// A chart on the page: loads the library, and says in words what is drawn.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Chart, Marker, Options } from "../chart";
import * as f from "../format";
import { settings } from "../settings";
import type { Bar, Indicators } from "../shapes";
import { useStore } from "../store";
import { languageNow, t } from "../words";
import { priceOf, zoneNow } from "../world";
import { coloursOf, currencyOf, MarketTime, Move } from "./said";

export interface Shown {
  symbol: string;
  interval: string;
  bars: Bar[];
  markers: Marker[];
  indicators?: Indicators | null;
  /** Draw the last price and what closes by the socket. */
  live?: boolean;
  /** Show all bars at once. */
  whole?: boolean;
  onOldest?: () => void;
}

export function isDaily(interval: string): boolean {
  return /(d|w|mo)$/.test(interval);
}

function decimalsOf(bars: Bar[], currency: string | null): number {
  const least = currency === "KRW" || currency === "JPY" ? 0 : 2;
  const most = Math.max(0, ...bars.slice(-20).map((bar) => String(bar.close).split(".")[1]?.length ?? 0));
  return Math.min(8, Math.max(least, most));
}

export function Bars(props: Shown) {
  const { symbol, interval, bars, markers, indicators, live, whole } = props;
  const element = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart | null>(null);
  const [ready, setReady] = useState(0);
  const [under, setUnder] = useState<Bar | null>(null);
  const chosen = useStore(settings);
  const price = useStore(priceOf(symbol));
  const oldest = useRef(props.onOldest);
  oldest.current = props.onOldest;
  const redUp = coloursOf(symbol) === "red";
  const zone = zoneNow();
  const language = languageNow();
  const decimals = decimalsOf(bars, currencyOf(symbol));

  useEffect(() => {
    let gone = false;
    void import("../chart").then((library) => {
      if (gone || !element.current) return;
      const options: Options = { zone, locale: language === "ko" ? "ko-KR" : "en-GB", isDaily: isDaily(interval), redUp, decimals, onBar: setUnder, onOldest: () => oldest.current?.() };
      chart.current = new library.Chart(element.current, options);
      setReady((n) => n + 1);
    });
    return () => {
      gone = true;
      chart.current?.destroy();
      chart.current = null;
    };
  }, [symbol, interval, zone, language, redUp, decimals, chosen.theme]);

  useEffect(() => {
    chart.current?.setBars([...bars]);
    if (whole) chart.current?.all();
  }, [bars, ready]);
  useEffect(() => chart.current?.setMarkers(markers), [markers, bars, ready]);
  useEffect(() => chart.current?.setIndicators(indicators ?? null), [indicators, ready]);
  useEffect(() => {
    if (live) chart.current?.setLast(price?.price ?? null);
  }, [price, ready, live]);

  const told = under ?? bars.at(-1);
  return (
    <figure class="chart">
      {told && <Legend bar={told} symbol={symbol} interval={interval} />}
      <div class="chart-box" ref={element} role="img" aria-label={t("chart_label", { symbol, interval: f.interval(interval), n: bars.length, close: f.price(bars.at(-1)?.close) })} />
      <figcaption>
        <a href="https://www.tradingview.com/" rel="noopener noreferrer" target="_blank">
          {t("chart_credit")}
        </a>
      </figcaption>
    </figure>
  );
}

function Legend({ bar, symbol, interval }: { bar: Bar; symbol: string; interval: string }) {
  const currency = currencyOf(symbol);
  const change = bar.open ? (bar.close / bar.open - 1) * 100 : 0;
  return (
    <div class="legend num">
      <span class="muted">
        {isDaily(interval) ? f.day(bar.timestamp, "UTC") : `${f.day(bar.timestamp, zoneNow())} ${f.hour(bar.timestamp, zoneNow())}`}
        {!isDaily(interval) && <MarketTime at={bar.timestamp} symbol={symbol} />}
      </span>
      <span>
        <i>O</i> {f.price(bar.open, currency)}
      </span>
      <span>
        <i>H</i> {f.price(bar.high, currency)}
      </span>
      <span>
        <i>L</i> {f.price(bar.low, currency)}
      </span>
      <span>
        <i>C</i> {f.price(bar.close, currency)}
      </span>
      <Move value={change} symbol={symbol}>
        {f.percent(change)}
      </Move>
    </div>
  );
}

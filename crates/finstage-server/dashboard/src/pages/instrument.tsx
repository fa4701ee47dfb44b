// One instrument: its chart, its last price and how late it is, its signals, its watches.
import { useEffect, useMemo, useState } from "preact/hooks";
import { Failure, get, path, useResource } from "../api";
import type { Marker } from "../chart";
import * as f from "../format";
import { hear, returned } from "../live";
import { Bars } from "../parts/bars";
import { currencyOf, Figure, LastChange, LastPrice, SymbolName, Time } from "../parts/said";
import { Empty, ErrorNote, Loading, Section, Segments } from "../parts/states";
import { place, refine } from "../router";
import type { Bar, Indicators, Instrument, Page, Signal, StoredSeries } from "../shapes";
import { useStore } from "../store";
import { known, t } from "../words";
import { instruments, learn, priceOf } from "../world";
import { Delay, MarketState } from "./markets";
import { SignalsOf } from "./signals";
import { Watches } from "./watches";

const CHOICE = ["SMA(20)", "SMA(50)", "SMA(200)", "EMA(20)", "BBANDS(20,2,2)", "RSI(14)", "MACD(12,26,9)"] as const;
const ORDER = ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "1mo"];
const BARS_A_READ = 300;
const MOST_BARS = 3000;

export function InstrumentPage({ symbol }: { symbol: string }) {
  const known = useStore(instruments);
  useEffect(() => void learn(symbol).catch(() => undefined), [symbol]);
  const instrument: Instrument = known.get(symbol) ?? { symbol, name: f.symbol(symbol).name };
  return (
    <>
      <header class="page-head signal-head">
        <div>
          <h1>
            <SymbolName symbol={symbol} />
          </h1>
          <p class="signal-line">
            <MarketState instrument={instrument} /> <span class="muted"><Delay instrument={instrument} /></span>
          </p>
        </div>
        <div class="signal-price">
          <LastPrice symbol={symbol} large />
          <div>
            <LastChange symbol={symbol} withAmount />
          </div>
        </div>
      </header>
      <ChartOf symbol={symbol} />
      <div class="columns columns-even">
        <div class="column">
          <Section title={t("latest_signals")}>
            <SignalsOf symbol={symbol} none={t("no_signals_here")} />
          </Section>
        </div>
        <aside class="column" aria-label={t("instrument")}>
          <Section title={t("watches")}>
            <Watches symbol={symbol} />
          </Section>
          <Section title={t("last")}>
            <Last instrument={instrument} />
          </Section>
        </aside>
      </div>
    </>
  );
}

/** Apart from the page, because it is drawn anew with every price. */
function Last({ instrument }: { instrument: Instrument }) {
  const { symbol } = instrument;
  const price = useStore(priceOf(symbol));
  return (
    <dl class="figures">
      <Figure name={t("time")}>
        <Time at={price?.at} symbol={symbol} />
      </Figure>
      <Figure name={t("previous_close")}>{f.price(price?.previous_close, currencyOf(symbol))}</Figure>
      <Figure name={t("volume")}>{f.count(price?.volume)}</Figure>
      <Figure name={t("market")}>{instrument.zone ? `${instrument.calendar ? known("calendar_", instrument.calendar) : ""} ${instrument.zone}` : f.NONE}</Figure>
    </dl>
  );
}

interface Loaded {
  key: string;
  bars: Bar[];
  older: string | null;
  error: Failure | null;
  loading: boolean;
}

/** Bars of one series: the newest first, older ones when the reader goes there, new ones as they close. */
function useBars(symbol: string, interval: string | null): Loaded & { readOlder: () => void; retry: () => void } {
  const key = `${symbol} ${interval ?? ""}`;
  const [state, setState] = useState<Loaded>({ key, bars: [], older: null, error: null, loading: true });
  const [round, setRound] = useState(0);
  const back = useStore(returned);
  useEffect(() => {
    if (!interval) return;
    const cancel = new AbortController();
    setState((old) => (old.key === key ? { ...old, error: null } : { key, bars: [], older: null, error: null, loading: true }));
    get<Page<Bar>>(path("bars", { symbol, interval, limit: BARS_A_READ }), cancel.signal).then(
      (page) => setState({ key, bars: page.items, older: page.next_cursor, error: null, loading: false }),
      (error: unknown) => {
        if (!cancel.signal.aborted) setState((old) => ({ ...old, error: error instanceof Failure ? error : new Failure(0, ""), loading: false }));
      },
    );
    const stop = hear((push) => {
      if (push.type !== "technical_analysis" || push.symbol !== symbol || push.interval !== interval) return;
      setState((old) => {
        const last = old.bars.at(-1);
        if (old.key !== key || !last || push.bar.timestamp < last.timestamp) return old;
        return { ...old, bars: [...old.bars.filter((bar) => bar.timestamp !== push.bar.timestamp), push.bar] };
      });
    });
    return () => {
      cancel.abort();
      stop();
    };
  }, [key, round, back]);
  const readOlder = () => {
    const { older, loading, bars } = state;
    if (!older || loading || bars.length >= MOST_BARS) return;
    setState((old) => ({ ...old, loading: true }));
    get<Page<Bar>>(path("bars", { symbol, interval, limit: BARS_A_READ, cursor: older })).then(
      (page) => setState((old) => (old.key === key ? { ...old, bars: [...page.items, ...old.bars], older: page.next_cursor, loading: false } : old)),
      () => setState((old) => ({ ...old, loading: false })),
    );
  };
  return { ...state, readOlder, retry: () => setRound((n) => n + 1) };
}

function ChartOf({ symbol }: { symbol: string }) {
  const { query } = useStore(place);
  const stored = useResource<{ items: StoredSeries[] }>(path("bars/series", { symbol }));
  const there = [...new Set((stored.data?.items ?? []).map((one) => one.interval))].sort((one, other) => ORDER.indexOf(one) - ORDER.indexOf(other));
  const wanted = query.get("interval");
  const preferred = ["15m", "1h", "1d"].find((one) => there.includes(one)) ?? there[0] ?? (stored.error ? "1d" : null);
  const interval = wanted ?? preferred;
  const series = useBars(symbol, interval);
  const shown = (query.get("show") ?? "SMA(20)").split(";").filter((spec): spec is string => (CHOICE as readonly string[]).includes(spec));
  const lines = useIndicators(symbol, interval, shown, series.bars);
  const signals = useResource<Page<Signal>>(interval ? path("signals", { symbol, limit: 200 }) : null, 30_000);
  const markers = useMemo<Marker[]>(
    () => (signals.data?.items ?? []).filter((one) => one.interval === interval).map((one) => ({ at: one.timestamp, direction: one.direction, verdict: one.verdict })),
    [signals.data, interval],
  );
  const toggle = (spec: string) => {
    const next = shown.includes(spec) ? shown.filter((one) => one !== spec) : [...shown, spec];
    refine({ show: next.join(";") || "none" });
  };
  const isMissing = stored.data !== null && there.length === 0;
  return (
    <section class="chart-section" aria-label={t("bars")}>
      <div class="filters">
        {there.length > 0 && <Segments label={t("interval")} value={interval ?? ""} options={there.map((one) => [one, f.interval(one)] as const)} choose={(one) => refine({ interval: one })} />}
        <div class="chips" role="group" aria-label={t("indicators")}>
          {CHOICE.map((spec) => (
            <button type="button" aria-pressed={shown.includes(spec)} onClick={() => toggle(spec)}>
              {spec.replace("BBANDS(20,2,2)", "BB(20,2)")}
            </button>
          ))}
        </div>
      </div>
      {series.error && <ErrorNote failure={series.error} retry={series.retry} />}
      {interval && series.bars.length > 0 ? (
        <Bars symbol={symbol} interval={interval} bars={series.bars} markers={markers} indicators={lines} live onOldest={series.readOlder} />
      ) : isMissing || (!series.loading && !series.error) ? (
        <Empty title={t("no_data")} why={t("bars_none", { symbol })} />
      ) : series.error ? null : (
        <Loading />
      )}
    </section>
  );
}

function useIndicators(symbol: string, interval: string | null, specs: string[], bars: Bar[]): Indicators | null {
  // Read again when a bar closes or older ones arrive, not with every price.
  const last = bars.at(-1)?.timestamp ?? "";
  const url = interval && specs.length > 0 && bars.length > 0 ? path("indicators", { symbol, interval, spec: specs, limit: Math.min(500, bars.length) }) : null;
  const found = useResource<Indicators>(url && `${url}`);
  const { reload } = found;
  useEffect(() => {
    if (url && last) reload();
  }, [last]);
  return url ? found.data : null;
}

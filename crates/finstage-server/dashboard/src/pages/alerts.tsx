// Alerts: what was sent, what was kept back, and why.
import { useEffect, useState } from "preact/hooks";
import { Failure, get, path } from "../api";
import * as f from "../format";
import { hear, returned } from "../live";
import { currencyOf, SymbolName, Time, VerdictBadge, Way } from "../parts/said";
import { Empty, ErrorNote, Loading, Segments } from "../parts/states";
import { place, refine, to } from "../router";
import type { Alert, Page } from "../shapes";
import { useStore } from "../store";
import { alertWords } from "../told";
import { known, t } from "../words";

/** Words of the engine's filters; all others speak about the verdict. */
const HELD = new Set(["cooldown", "hourly_budget", "not_verified", "data", "strategy_off", "few_occasions", "low_hit_rate", "weak", "thin", "against_market", "muted", "quiet_hours", "channel_cap", "channel_level", "other_chat", "no_notifier", "max_age"]);

interface State {
  key: string;
  items: Alert[];
  next: string | null;
  loading: boolean;
  error: Failure | null;
}

export function Alerts() {
  const { query } = useStore(place);
  const back = useStore(returned);
  const status = query.get("status") ?? "";
  const symbol = query.get("symbol") ?? "";
  const key = `${status} ${symbol}`;
  const [state, setState] = useState<State>({ key, items: [], next: null, loading: true, error: null });

  const read = async (cursor: string | null) => {
    setState((old) => ({ ...old, loading: true, error: null }));
    try {
      const page = await get<Page<Alert>>(path("alerts", { status, symbol, cursor, limit: 100 }));
      setState((old) => ({ key, items: cursor ? [...old.items, ...page.items] : page.items, next: page.next_cursor, loading: false, error: null }));
    } catch (error) {
      setState((old) => ({ ...old, key, items: old.key === key ? old.items : [], loading: false, error: error instanceof Failure ? error : new Failure(0, "") }));
    }
  };

  useEffect(() => {
    void read(null);
    return hear((push) => {
      if (push.type !== "alert") return;
      const { alert } = push;
      if ((status && alert.status !== status) || (symbol && alert.symbol !== symbol)) return;
      setState((old) => ({ ...old, items: [alert, ...old.items.filter((one) => one.id !== alert.id)].slice(0, 1000) }));
    });
  }, [key, back]);

  const isFiltered = Boolean(status || symbol);
  return (
    <>
      <header class="page-head">
        <h1>{t("alerts")}</h1>
      </header>
      <div class="filters">
        <Segments
          label={t("filter_status")}
          value={status}
          options={[
            ["", t("all")],
            ["delivered", t("status_delivered")],
            ["withheld", t("status_withheld")],
            ["kept", t("status_kept")],
            ["failed", t("status_failed")],
          ]}
          choose={(chosen) => refine({ status: chosen })}
        />
        {symbol && (
          <button type="button" onClick={() => refine({ symbol: null })}>
            {symbol} ✕
          </button>
        )}
      </div>
      {state.error && <ErrorNote failure={state.error} retry={() => void read(null)} />}
      {state.items.length > 0 && <AlertRows alerts={state.items} titled />}
      {state.items.length === 0 && state.loading && <Loading />}
      {state.items.length === 0 && !state.loading && !state.error && <Empty title={isFiltered ? t("alerts_none_filtered") : t("alerts_empty")} why={isFiltered ? undefined : t("alerts_empty_why")} />}
      {state.next && state.items.length > 0 && (
        <button type="button" class="more" disabled={state.loading} onClick={() => void read(state.next)}>
          {t("more")}
        </button>
      )}
    </>
  );
}

export function AlertRows({ alerts, titled }: { alerts: Alert[]; titled?: boolean }) {
  return (
    <ol class={titled ? "alert-rows" : "alert-rows alert-rows-short"} aria-label={t("alerts")}>
      {alerts.map((alert) => (
        <AlertRow key={alert.id} alert={alert} titled={titled} />
      ))}
    </ol>
  );
}

function AlertRow({ alert, titled }: { alert: Alert; titled?: boolean }) {
  const signal = alert.alert?.signal;
  const held = alert.reasons.filter((reason) => HELD.has(reason));
  const why = alert.reasons.filter((reason) => !HELD.has(reason));
  const isHeld = alert.status === "withheld";
  const body = (
    <>
      <span class="c-time num">
        <Time at={alert.at} symbol={alert.symbol} />
      </span>
      <span class={`status status-${alert.status}`}>{known("status_", alert.status)}</span>
      <span class="a-main">
        {titled && <SymbolName symbol={alert.symbol} plain />} <span class="muted">{known("kind_", alert.kind)}</span> <Way direction={alert.alert?.direction} symbol={alert.symbol} quiet />{" "}
        <span class="a-words">{alertWords(alert)}</span>
        {isHeld && held.length > 0 ? <span class="a-why">{held.map((reason) => known("held_", reason)).join("; ")}</span> : null}
        {!isHeld && why.length > 0 ? <span class="a-why">{why.map((reason) => known("why_", reason)).join(" ")}</span> : null}
      </span>
      <span class="a-verdict">{alert.alert?.verdict ? <VerdictBadge verdict={alert.alert.verdict} /> : null}</span>
      <span class="c-price num">{f.price(alert.price, currencyOf(alert.symbol))}</span>
    </>
  );
  const address = signal ? to("signals", signal) : to("markets", alert.symbol);
  return (
    <li class={`alert-row alert-${alert.status}`}>
      <a href={address} data-row>
        {body}
      </a>
    </li>
  );
}

// The inbox: what was said, newest first.
import { useEffect, useState } from "preact/hooks";
import { path, useResource } from "../api";
import * as f from "../format";
import * as box from "../inbox";
import { Around, Empty, ErrorNote, Loading, Segments } from "../parts/states";
import { SymbolName, StrategyName, Time, VerdictBadge, Way, currencyOf, coloursOf } from "../parts/said";
import { place, refine, to } from "../router";
import type { Page, Signal, Strategy } from "../shapes";
import { useStore } from "../store";
import { t } from "../words";
import { instruments } from "../world";

/** How far the reader may have scrolled and still sees new signals come in. */
const NEAR_TOP_PX = 60;
/** Rows that are drawn at once. */
const ROWS = 200;

export function Signals() {
  const { query } = useStore(place);
  const state = useStore(box.inbox);
  const filters: box.Filters = { symbol: query.get("symbol") ?? "", strategy: query.get("strategy") ?? "", verdict: query.get("verdict") ?? "" };
  const key = JSON.stringify(filters);
  const [most, setMost] = useState(ROWS);

  useEffect(() => {
    setMost(ROWS);
    void box.load(filters);
  }, [key]);
  useEffect(() => {
    box.look(true);
    const update = () => box.hold.set(window.scrollY > NEAR_TOP_PX || (document.activeElement?.matches("main [data-row]") ?? false));
    update();
    window.addEventListener("scroll", update, { passive: true });
    document.addEventListener("focusin", update);
    document.addEventListener("focusout", update);
    return () => {
      box.look(false);
      box.hold.set(false);
      window.removeEventListener("scroll", update);
      document.removeEventListener("focusin", update);
      document.removeEventListener("focusout", update);
    };
  }, []);

  const isFiltered = Boolean(filters.symbol || filters.strategy || filters.verdict);
  const { items, held, error, loading } = state;
  return (
    <>
      <header class="page-head">
        <h1>{t("signals")}</h1>
        <p class="muted wide-only">{t("inbox_live")}</p>
      </header>
      <Filters filters={filters} />
      <div role="status" class="pill-place">
        {held.length > 0 && (
          <button
            type="button"
            class="pill"
            data-newest
            onClick={() => {
              box.inbox.set(box.release(box.inbox.value));
              window.scrollTo({ top: 0 });
              (document.activeElement as HTMLElement | null)?.blur();
            }}
          >
            <span aria-hidden="true">↑ </span>
            {t("inbox_new", { n: held.length })}
          </button>
        )}
      </div>
      {error && <ErrorNote failure={error} retry={() => void box.load(filters)} />}
      {items.length > 0 && (
        <ol class="inbox" aria-label={t("signals")}>
          {items.slice(0, most).map((signal) => (
            <Row key={signal.id} signal={signal} isFresh={state.fresh.has(signal.id)} />
          ))}
        </ol>
      )}
      {items.length === 0 && loading && <Loading />}
      {items.length === 0 && !loading && !error && <Nothing filters={filters} isFiltered={isFiltered} />}
      {(state.next || items.length > most) && items.length > 0 && (
        <button
          type="button"
          class="more"
          disabled={loading}
          onClick={() => {
            setMost(most + ROWS);
            if (items.length < most + ROWS) void box.older();
          }}
        >
          {t("more")}
        </button>
      )}
    </>
  );
}

function Nothing({ filters, isFiltered }: { filters: box.Filters; isFiltered: boolean }) {
  const clear = (
    <p>
      <button type="button" onClick={() => refine({ symbol: null, strategy: null, verdict: null })}>
        {t("filters_clear")}
      </button>
    </p>
  );
  if (filters.verdict === "verified") {
    return (
      <Empty title={t("inbox_none_verified")} why={t("inbox_none_verified_why")}>
        {clear}
      </Empty>
    );
  }
  if (isFiltered) return <Empty title={t("inbox_none_filtered")}>{clear}</Empty>;
  return <Empty title={t("inbox_empty")} why={t("inbox_empty_why")} />;
}

function Filters({ filters }: { filters: box.Filters }) {
  const watched = useStore(instruments);
  const catalogue = useResource<Page<Strategy>>(path("strategies", { limit: 500 }));
  const names = [...new Set((catalogue.data?.items ?? []).filter((one) => (one.running?.length ?? 0) > 0).map((one) => one.name))];
  const strategies = names.length > 0 ? names : (catalogue.data?.items ?? []).map((one) => one.name);
  const symbols = [...watched.keys()];
  if (filters.symbol && !symbols.includes(filters.symbol)) symbols.unshift(filters.symbol);
  if (filters.strategy && !strategies.includes(filters.strategy)) strategies.unshift(filters.strategy);
  return (
    <div class="filters">
      <Segments
        label={t("filter_verdict")}
        value={filters.verdict}
        options={[
          ["", t("all")],
          ["verified", t("verified")],
          ["unproven", t("unproven")],
          ["rejected", t("rejected")],
          ["withheld", t("withheld")],
        ]}
        choose={(verdict) => refine({ verdict })}
      />
      <select data-search aria-label={t("filter_symbol")} value={filters.symbol} onChange={(event) => refine({ symbol: event.currentTarget.value })}>
        <option value="">{t("filter_symbol")}: {t("all")}</option>
        {symbols.map((symbol) => (
          <option value={symbol}>{symbol}</option>
        ))}
      </select>
      <select aria-label={t("filter_strategy")} value={filters.strategy} onChange={(event) => refine({ strategy: event.currentTarget.value })}>
        <option value="">{t("filter_strategy")}: {t("all")}</option>
        {[...new Set(strategies)].map((name) => (
          <option value={name}>{f.strategy(name).name}</option>
        ))}
      </select>
    </div>
  );
}

export function Row({ signal, isFresh, plain }: { signal: Signal; isFresh?: boolean; plain?: boolean }) {
  return (
    <li class={`row row-${signal.verdict} ${isFresh ? "fresh" : ""}`}>
      <a href={to("signals", signal.id)} data-row>
        <span class="c-time num">
          <Time at={signal.at} symbol={signal.symbol} />
        </span>
        <span class="c-verdict">
          <VerdictBadge verdict={signal.verdict} />
        </span>
        <span class="c-symbol">{plain ? <StrategyName text={signal.strategy} bars={signal.interval} /> : <SymbolName symbol={signal.symbol} />}</span>
        <span class="c-way">
          <Way direction={signal.direction} symbol={signal.symbol} />
        </span>
        <span class="c-strategy">
          {!plain && <StrategyName text={signal.strategy} bars={signal.interval} />}
        </span>
        <span class="c-price num">{f.price(signal.price, currencyOf(signal.symbol))}</span>
        <span class={signal.card || signal.horizon_outcomes?.some((one) => one.hit !== null) ? "c-evidence" : "c-evidence c-evidence-none"}>
          <Evidence signal={signal} />
        </span>
      </a>
    </li>
  );
}

function Evidence({ signal }: { signal: Signal }) {
  const { card, horizon_outcomes: outcomes } = signal;
  const known = (outcomes ?? []).filter((one) => one.hit !== null && one.hit !== undefined);
  return (
    <>
      {card && card.hit_rate !== null && card.hit_rate !== undefined ? (
        <span class="num">{t("evidence_line", { hit: f.share(card.hit_rate, 0), base: f.share(card.base_rate, 0), n: f.count(card.n_eff) })}</span>
      ) : (
        <span class="muted">{t("evidence_none")}</span>
      )}
      {known.length > 0 && (
        <span class="outcome-marks">
          {known.map((one) => (
            <span class={one.hit ? "mark-hit" : "mark-miss"} title={`${f.interval(one.horizon)}: ${one.hit ? t("outcome_hit") : t("outcome_miss")} ${f.move(one.return)}`} data-colours={coloursOf(signal.symbol)}>
              <span aria-hidden="true">{one.hit ? "✓" : "✕"}</span> {f.interval(one.horizon)}
              <span class="hidden-text">{one.hit ? t("outcome_hit") : t("outcome_miss")}</span>
            </span>
          ))}
        </span>
      )}
    </>
  );
}

/** A short list of signals about one thing, under its page. */
export function SignalsOf({ symbol, strategy, none }: { symbol?: string; strategy?: string; none: string }) {
  const found = useResource<Page<Signal>>(path("signals", { symbol, strategy, limit: 20 }), 30_000);
  return (
    <Around of={found}>
      {(page) =>
        page.items.length === 0 ? (
          <Empty title={none} />
        ) : (
          <>
            <ol class="inbox inbox-short">
              {page.items.map((signal) => (
                <Row key={signal.id} signal={signal} plain={Boolean(symbol)} />
              ))}
            </ol>
            {page.next_cursor && (
              <a class="more-link" href={to("signals", "", { symbol, strategy })}>
                {t("signals")} →
              </a>
            )}
          </>
        )
      }
    </Around>
  );
}

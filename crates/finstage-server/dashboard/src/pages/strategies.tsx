// Evidence for every strategy, and one strategy with all its cards.
import { useState } from "preact/hooks";
import { path, useAll, useResource } from "../api";
import * as f from "../format";
import { EvidenceCard } from "../parts/card";
import { RateInterval } from "../parts/drawn";
import { SymbolLink, StrategyName, VerdictBadge, Way } from "../parts/said";
import { Around, Empty, Scroll, Section, Segments } from "../parts/states";
import { place, refine, to } from "../router";
import type { Card, Page, Strategy } from "../shapes";
import { useStore } from "../store";
import { strategyWords } from "../told";
import { known, t, type Word } from "../words";
import { SignalsOf } from "./signals";

type Column = "verdict" | "strategy" | "horizon" | "n_eff" | "hit" | "edge" | "q";
const RANK: Record<string, number> = { verified: 0, unproven: 1, rejected: 2, withheld: 3, pending: 4 };
const HORIZONS = ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "1mo"];

const MEASURE: Record<Column, (card: Card) => number | string> = {
  verdict: (card) => (RANK[card.verdict ?? ""] ?? 9) + (card.grade === "promising" ? 0 : 0.5),
  strategy: (card) => card.strategy ?? "",
  horizon: (card) => HORIZONS.indexOf(card.horizon ?? ""),
  n_eff: (card) => -(card.n_eff ?? 0),
  hit: (card) => -((card.hit_rate ?? 0) - (card.base_rate ?? 0)),
  edge: (card) => -(card.theta_net ?? -Infinity),
  q: (card) => card.q_value ?? 2,
};

export function sorted(cards: readonly Card[], by: Column, isDown: boolean): Card[] {
  const measure = MEASURE[by];
  const order = (one: Card, other: Card) => {
    const [a, b] = [measure(one), measure(other)];
    if (a === b) return (one.q_value ?? 2) - (other.q_value ?? 2);
    return a < b ? -1 : 1;
  };
  const list = [...cards].sort(order);
  return isDown ? list.reverse() : list;
}

export function Strategies() {
  const { query } = useStore(place);
  const cards = useAll<Card>("strategies/cards", {});
  const catalogue = useResource<Page<Strategy>>(path("strategies", { limit: 500 }));
  const verdict = query.get("verdict") ?? "";
  const text = query.get("q") ?? "";
  return (
    <>
      <header class="page-head">
        <h1>{t("strategies")}</h1>
      </header>
      <Around of={cards}>
        {(all) => {
          if (all.length === 0) return <Empty title={t("strategies_empty")} why={t("strategies_empty_why")} />;
          const proven = all.filter((card) => card.verdict === "verified").length;
          const needle = text.toLowerCase();
          const shown = all.filter((card) => (!verdict || card.verdict === verdict) && (!needle || `${card.strategy} ${card.scope} ${card.grade ?? ""} ${f.strategy(card.strategy ?? "").name}`.toLowerCase().includes(needle)));
          return (
            <>
              <p class="lead">{t("strategies_lead", { proven, n: all.length })}</p>
              <div class="filters">
                <Segments
                  label={t("filter_verdict")}
                  value={verdict}
                  options={[
                    ["", t("all")],
                    ["verified", t("verified")],
                    ["unproven", t("unproven")],
                    ["rejected", t("rejected")],
                  ]}
                  choose={(chosen) => refine({ verdict: chosen })}
                />
                <input type="search" data-search aria-label={t("filter_text")} placeholder={`${t("filter_text")}  /`} value={text} onInput={(event) => refine({ q: event.currentTarget.value })} />
              </div>
              {shown.length === 0 ? <Empty title={t("strategies_none_filtered")} /> : <Table cards={shown} />}
            </>
          );
        }}
      </Around>
      {catalogue.data && cards.data && <Unmeasured strategies={catalogue.data.items} cards={cards.data} />}
    </>
  );
}

const COLUMNS: readonly (readonly [Column, Word, boolean])[] = [
  ["verdict", "verdict", false],
  ["strategy", "filter_strategy", false],
  ["horizon", "horizon", false],
  ["n_eff", "occasions", true],
  ["hit", "hit_and_base", false],
  ["edge", "edge", true],
  ["q", "q", true],
];
const ROWS_AT_ONCE = 100;

function Table({ cards }: { cards: Card[] }) {
  const [order, setOrder] = useState<{ by: Column; isDown: boolean }>({ by: "verdict", isDown: false });
  const [most, setMost] = useState(ROWS_AT_ONCE);
  const list = sorted(cards, order.by, order.isDown);
  return (
    <>
      <Scroll label={t("strategies")}>
        <table class="evidence-table">
          <thead>
            <tr>
              {COLUMNS.map(([column, words, isRight]) => (
                <th scope="col" class={isRight ? "right" : ""} aria-sort={order.by === column ? (order.isDown ? "descending" : "ascending") : "none"}>
                  <button type="button" class="sort" title={t("sort_by", { column: t(words) })} onClick={() => setOrder({ by: column, isDown: order.by === column && !order.isDown })}>
                    {t(words)}
                    <span aria-hidden="true">{order.by === column ? (order.isDown ? " ↑" : " ↓") : ""}</span>
                  </button>
                </th>
              ))}
              <th scope="col" class="right">
                <abbr title={t("tried_means")}>{t("tried")}</abbr>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.slice(0, most).map((card) => (
              <tr key={card.id} class={`linked row-${card.verdict}`}>
                <td class="nowrap">
                  <VerdictBadge verdict={card.verdict} />
                  {card.grade && <div class="grade muted">{known("grade_", card.grade)}</div>}
                </td>
                <th scope="row">
                  <a data-row class="stretched" href={to("strategies", card.strategy ?? "")}>
                    <span class={card.direction === "long" ? "up" : "down"} aria-hidden="true">
                      {card.direction ? f.arrow(card.direction) : ""}
                    </span>{" "}
                    <StrategyName text={card.strategy ?? ""} />
                  </a>
                </th>
                <td class="nowrap">
                  {f.interval(card.horizon)}{" "}
                  <span class="muted">
                    {f.interval(card.interval)}
                    {card.scope === "all" ? "" : ` · ${card.scope}`}
                    {card.claim === "size" ? ` · ${t("claim_size")}` : ""}
                  </span>
                </td>
                <td class="right num nowrap">
                  {f.count(card.n_eff)} <span class="muted">/ {f.count(card.n)}</span>
                </td>
                <td>
                  <span class="rate-cell">
                    <span class="num nowrap">
                      {f.share(card.hit_rate)} <span class="muted">{f.share(card.base_rate)}</span>
                    </span>
                    <RateInterval rate={card.hit_rate} low={card.hit_low} high={card.hit_high} base={card.base_rate} />
                  </span>
                </td>
                <td class="right num nowrap">{f.move(card.theta_net)}</td>
                <td class="right num">{f.probability(card.q_value)}</td>
                <td class="right num muted">{(card.parameter_sets ?? 1) > 1 ? `${f.count(card.family)} · ${f.count(card.parameter_sets)}` : f.count(card.family)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {list.length > most && (
        <button type="button" class="more" onClick={() => setMost(most + ROWS_AT_ONCE)}>
          {t("more")} ({f.count(list.length - most)})
        </button>
      )}
    </>
  );
}

function Unmeasured({ strategies, cards }: { strategies: Strategy[]; cards: Card[] }) {
  const measured = new Set(cards.map((card) => (card.strategy ?? "").split("(")[0]));
  const rest = strategies.filter((strategy) => !measured.has(strategy.name));
  if (rest.length === 0) return null;
  return (
    <details class="section">
      <summary>
        {t("catalogue")} ({rest.length})
      </summary>
      <ul class="catalogue">
        {rest.map((strategy) => (
          <li>
            <a href={to("strategies", strategy.name)}>{f.strategy(strategy.name).name}</a> <span class="muted">{strategyWords(strategy)}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

export function StrategyPage({ text }: { text: string }) {
  const name = text.split("(")[0] ?? text;
  const cards = useAll<Card>("strategies/cards", {});
  const catalogue = useResource<Page<Strategy>>(path("strategies", { limit: 500 }));
  const about = catalogue.data?.items.find((one) => one.name === name);
  const mine = (cards.data ?? []).filter((card) => card.strategy === text || (!text.includes("(") && card.strategy?.split("(")[0] === name));
  const parts = f.strategy(text);
  return (
    <>
      <header class="page-head">
        <div>
          <h1>
            {parts.name} <span class="params">{parts.params}</span>
          </h1>
          {about?.direction && (
            <p class="signal-line">
              <Way direction={about.direction} symbol="" /> {strategyWords(about)}
            </p>
          )}
        </div>
      </header>
      <Section title={t("strategy_cards")}>
        <Around of={cards}>{() => (mine.length === 0 ? <Empty title={t("strategies_empty")} why={t("strategies_empty_why")} /> : <div class="cards">{sorted(mine, "verdict", false).map((card) => <EvidenceCard key={card.id} card={card} titled />)}</div>)}</Around>
      </Section>
      <Section title={t("strategy_runs")}>
        {about?.running && about.running.length > 0 ? (
          <ul class="plain-list">
            {about.running.map((run) => (
              <li>
                <b>{f.interval(run.interval)}</b>{" "}
                {run.symbols.map((symbol) => (
                  <>
                    <SymbolLink symbol={symbol} />{" "}
                  </>
                ))}
              </li>
            ))}
          </ul>
        ) : (
          <p class="muted">{about ? t("strategy_runs_not") : f.NONE}</p>
        )}
      </Section>
      <Section title={t("strategy_signals")}>
        <SignalsOf strategy={text} none={t("inbox_none_filtered")} />
      </Section>
    </>
  );
}

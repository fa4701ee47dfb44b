// Watched instruments with their last prices.
import { path, useResource } from "../api";
import * as f from "../format";
import { Ago, LastChange, LastPrice, SymbolName, Time } from "../parts/said";
import { Around, Empty } from "../parts/states";
import { to } from "../router";
import type { Instrument, Page } from "../shapes";
import { useStore } from "../store";
import { t } from "../words";
import { priceOf } from "../world";

export function Markets() {
  const found = useResource<Page<Instrument>>(path("instruments", { watched: true, limit: 500 }), 60_000);
  return (
    <>
      <header class="page-head">
        <h1>{t("markets")}</h1>
      </header>
      <Around of={found}>
        {(page) =>
          page.items.length === 0 ? (
            <Empty title={t("markets_empty")} why={t("markets_empty_why")} />
          ) : (
            <ol class="market-rows" aria-label={t("markets")}>
              {page.items.map((instrument) => (
                <Row key={instrument.symbol} instrument={instrument} />
              ))}
            </ol>
          )
        }
      </Around>
    </>
  );
}

function Row({ instrument }: { instrument: Instrument }) {
  const { symbol } = instrument;
  const price = useStore(priceOf(symbol));
  return (
    <li class="row">
      <a href={to("markets", symbol)} data-row>
        <span class="m-symbol">
          <SymbolName symbol={symbol} />
        </span>
        <span class="m-price">
          <LastPrice symbol={symbol} /> <span class="unit">{price?.currency ?? instrument.currency}</span>
        </span>
        <span class="m-change">
          <LastChange symbol={symbol} />
        </span>
        <span class="m-state">
          <MarketState instrument={instrument} />
        </span>
        <span class="m-age muted">
          <Delay instrument={instrument} /> · <Ago at={price?.at} />
        </span>
      </a>
    </li>
  );
}

export function MarketState({ instrument }: { instrument: Instrument }) {
  const price = useStore(priceOf(instrument.symbol));
  const isOpen = instrument.open ?? (price?.market_status === "open" ? true : price?.market_status === "closed" ? false : null);
  if (isOpen === null) return <span class="muted">{f.NONE}</span>;
  const next = isOpen ? instrument.closes_at : instrument.opens_at;
  return (
    <span class={isOpen ? "open" : "muted"}>
      <span aria-hidden="true">{isOpen ? "●" : "○"}</span> {isOpen ? t("open") : t("closed")}
      {next ? (
        <span class="muted">
          {" · "}
          {isOpen ? t("closes", { time: "" }) : t("opens", { time: "" })} <Time at={next} symbol={instrument.symbol} />
        </span>
      ) : null}
    </span>
  );
}

export function Delay({ instrument }: { instrument: Instrument }) {
  const price = useStore(priceOf(instrument.symbol));
  const delay = price?.delay_s ?? instrument.quote_delay_s;
  if (delay === null || delay === undefined) return null;
  return delay > 0 ? <span class="warn">{t("delayed", { time: f.duration(delay * 1000) })}</span> : <span>{t("real_time")}</span>;
}

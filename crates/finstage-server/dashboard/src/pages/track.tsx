// The track record: the chain, what became of signals, whether cards were right, and whether they still are.
import { useState } from "preact/hooks";
import { path, useResource } from "../api";
import * as f from "../format";
import { Calibration, Gauge, RateInterval } from "../parts/drawn";
import { Figure, Move, StrategyName, SymbolName, Time, VerdictBadge, Way } from "../parts/said";
import { Around, Empty, Scroll, Section } from "../parts/states";
import { to } from "../router";
import type { LiveStatistic, Outcome, Page, TrackRecord, WatchedCard } from "../shapes";
import { known, t } from "../words";

export function Track() {
  const found = useResource<TrackRecord>(path("track-record"), 60_000);
  return (
    <>
      <header class="page-head">
        <h1>{t("track")}</h1>
      </header>
      <Around of={found}>
        {(track) => (
          <>
            <p class="lead">{t("track_lead")}</p>
            <Chain track={track} />
            <Section title={t("win_rates")} side={track.statistics?.provenance === "simulated" ? <span class="badge badge-unproven">{t("simulated")}</span> : null}>
              <WinRates rows={track.statistics?.statistics ?? []} />
            </Section>
            <Section title={t("latest_outcomes")}>
              <Latest />
            </Section>
            <div class="columns columns-even">
              <div class="column">
                <Section title={t("calibration")}>
                  <Calibrated track={track} />
                </Section>
              </div>
              <div class="column">
                <Section title={t("drift")}>
                  <Drift cards={track.statistics?.cards ?? []} />
                </Section>
              </div>
            </div>
          </>
        )}
      </Around>
    </>
  );
}

function Chain({ track }: { track: TrackRecord }) {
  const [isCopied, setCopied] = useState(false);
  const copy = () => {
    if (!track.head) return;
    navigator.clipboard?.writeText(track.head).then(() => setCopied(true), () => undefined);
  };
  return (
    <section class={`chain ${track.ok ? "chain-ok" : "chain-bad"}`} aria-label={t("head")}>
      <dl class="figures figures-wide">
        <Figure name={t("entries")}>{f.count(track.entries)}</Figure>
        <Figure name={t("status")}>
          <b class={track.ok ? "hit" : "miss"}>{track.ok ? `✓ ${t("chain_ok")}` : `✕ ${t("chain_bad")}`}</b>
        </Figure>
        <Figure name={t("head")}>
          <span class="head-hash">
            <code>{track.head || f.NONE}</code>{" "}
            {track.head && (
              <button type="button" onClick={copy}>
                {isCopied ? t("copied") : t("copy")}
              </button>
            )}
          </span>
        </Figure>
      </dl>
      <p class="muted">{track.ok ? t("chain_note") : t("chain_bad_why").replaceAll("`", "")}</p>
    </section>
  );
}

function WinRates({ rows }: { rows: LiveStatistic[] }) {
  if (rows.length === 0) return <Empty title={t("track_empty")} why={t("track_empty_why")} />;
  return (
    <>
      <p class="muted">{t("win_note")}</p>
      <Scroll label={t("win_rates")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("filter_strategy")}</th>
              <th scope="col">{t("horizon")}</th>
              <th scope="col" class="right">
                {t("occasions")}
              </th>
              <th scope="col">
                {t("win_rate")} · {t("any_bar")}
              </th>
              <th scope="col" class="right">
                {t("mean")}
              </th>
              <th scope="col" class="right">
                {t("profit_factor")}
              </th>
              <th scope="col" class="right">
                {t("drawdown")}
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr class="linked">
                <th scope="row">
                  <a data-row class="stretched" href={to("strategies", row.strategy)}>
                    <Way direction={row.direction} symbol="" quiet /> <StrategyName text={row.strategy} />
                  </a>
                </th>
                <td class="nowrap">
                  {f.interval(row.horizon)} <span class="muted">{f.interval(row.interval)}</span>
                </td>
                <td class="right num nowrap">
                  {row.occasions} <span class="muted">/ {row.n}</span>
                  {row.is_few && (
                    <abbr class="few" title={t("few_means")}>
                      {" "}
                      {t("few")}
                    </abbr>
                  )}
                </td>
                <td>
                  <span class="rate-cell">
                    <span class="num nowrap">
                      {f.share(row.win_rate)} <span class="muted">{f.share(row.base_rate)}</span>
                    </span>
                    <RateInterval rate={row.win_rate} low={row.win_low} high={row.win_high} base={row.base_rate} />
                  </span>
                </td>
                <td class="right num nowrap">{f.move(row.mean)}</td>
                <td class="right num">{f.fixed(row.profit_factor, 2)}</td>
                <td class="right num nowrap">{f.share(row.max_drawdown)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}

function Latest() {
  const found = useResource<Page<Outcome>>(path("outcomes", { limit: 20 }), 60_000);
  return (
    <Around of={found}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title={t("track_empty")} why={t("track_empty_why")} />
        ) : (
          <Scroll label={t("latest_outcomes")}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t("known_at")}</th>
                  <th scope="col">{t("instrument")}</th>
                  <th scope="col">{t("filter_strategy")}</th>
                  <th scope="col">{t("verdict")}</th>
                  <th scope="col">{t("horizon")}</th>
                  <th scope="col" class="right">
                    {t("move")}
                  </th>
                  <th scope="col">{t("result")}</th>
                  <th scope="col" class="right">
                    {t("farthest")}
                  </th>
                </tr>
              </thead>
              <tbody>
                {items.map((one) => (
                  <tr class="linked" key={`${one.signal} ${one.horizon}`}>
                    <td class="nowrap num">
                      <Time at={one.exit_at ?? one.at} symbol={one.symbol} />
                    </td>
                    <td class="nowrap">
                      <SymbolName symbol={one.symbol} plain />
                    </td>
                    <th scope="row">
                      <a data-row class="stretched" href={to("signals", one.signal)}>
                        <Way direction={one.direction} symbol={one.symbol} quiet /> <StrategyName text={one.strategy} bars={one.interval} />
                      </a>
                    </th>
                    <td class="nowrap">
                      <VerdictBadge verdict={one.verdict} />
                    </td>
                    <td class="nowrap">{f.interval(one.horizon)}</td>
                    <td class="right nowrap">
                      <Move value={one.return} symbol={one.symbol}>
                        {f.move(one.return)}
                      </Move>
                    </td>
                    <td class="nowrap">{one.hit === null ? f.NONE : one.hit ? <span class="hit">✓ {t("outcome_hit")}</span> : <span class="miss">✕ {t("outcome_miss")}</span>}</td>
                    <td class="right num nowrap muted">
                      {f.move(one.mfe)}, {f.move(one.mae)}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )
      }
    </Around>
  );
}

function Calibrated({ track }: { track: TrackRecord }) {
  const calibration = track.statistics?.calibration;
  if (!calibration || calibration.reliability.length === 0) return <Empty title={t("no_data")} why={t("calibration_none")} />;
  return (
    <>
      <p class="muted">{t("calibration_why")}</p>
      <Calibration points={calibration.reliability} />
      <p class="num muted">{t("brier", { brier: f.fixed(calibration.brier, 3), base: f.fixed(calibration.brier_base, 3), n: calibration.n })}</p>
    </>
  );
}

function Drift({ cards }: { cards: WatchedCard[] }) {
  if (cards.length === 0) return <Empty title={t("none")} why={t("drift_none")} />;
  return (
    <>
      <p class="muted">{t("drift_why")}</p>
      <ul class="drift-rows">
        {cards.map((card) => (
          <li>
            <div>
              <a href={to("strategies", card.strategy)}>
                <Way direction={card.direction} symbol="" quiet /> <StrategyName text={card.strategy} />
              </a>{" "}
              <span class="muted">
                {f.interval(card.interval)} · {t("card_after", { horizon: f.interval(card.horizon) })}
              </span>
            </div>
            <div>
              <b class={card.state === "holds" ? "hit" : "miss"}>{known("state_", card.state)}</b>
              {card.drift && (
                <>
                  <Gauge sum={card.drift.sum} limit={card.drift.limit} />
                  <span class="muted num">
                    {t("occasions")} {card.drift.occasions} · {t("mean")} {f.move(card.drift.mean)} · {t("expect")} {f.move(card.drift.expected)}
                  </span>
                </>
              )}
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}

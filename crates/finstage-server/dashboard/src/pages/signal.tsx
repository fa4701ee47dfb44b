// One signal: what was said, why it may or may not be believed, and what became of it.
import { useState } from "preact/hooks";
import { change, Failure, path, useResource } from "../api";
import * as f from "../format";
import { Bars } from "../parts/bars";
import { EvidenceCard } from "../parts/card";
import { RateInterval } from "../parts/drawn";
import { AlertRows } from "./alerts";
import { currencyOf, Figure, MarketTime, Move, Sentence, StrategyName, SymbolName, Time, VerdictBadge, Way } from "../parts/said";
import { Around, Empty, Scroll, Section } from "../parts/states";
import { to } from "../router";
import type { LiveStatistic, SignalDetail, TrackRecord, Verification } from "../shapes";
import { foundWords } from "../told";
import { known, languageNow, t } from "../words";

export function SignalPage({ id }: { id: string }) {
  const found = useResource<SignalDetail>(path(`signals/${encodeURIComponent(id)}`), 60_000);
  return <Around of={found}>{(signal) => <Detail signal={signal} />}</Around>;
}

function Detail({ signal }: { signal: SignalDetail }) {
  const currency = currencyOf(signal.symbol);
  return (
    <>
      <header class="page-head signal-head">
        <div>
          <h1>
            <a class="plain-link" href={to("markets", signal.symbol)}>
              <SymbolName symbol={signal.symbol} />
            </a>
          </h1>
          <p class="signal-line">
            <Way direction={signal.direction} symbol={signal.symbol} /> <a href={to("strategies", signal.strategy)}><StrategyName text={signal.strategy} /></a>
          </p>
        </div>
        <div class="signal-price">
          <span class="price-large num">{f.price(signal.price, currency)}</span>
          {currency && <span class="unit"> {currency}</span>}
          <div class="muted">
            <Time at={signal.at} symbol={signal.symbol} />
            <MarketTime at={signal.at} symbol={signal.symbol} />
          </div>
        </div>
      </header>
      <div class="columns">
        <div class="column">
          <Ruling signal={signal} />
          <Section title={t("moment")}>
            {signal.chart && signal.chart.bars.length > 0 ? (
              <Bars symbol={signal.symbol} interval={signal.chart.interval} bars={signal.chart.bars} markers={[{ at: signal.timestamp, direction: signal.direction, verdict: signal.verdict, label: t(signal.direction) }]} whole />
            ) : (
              <Empty title={t("no_data")} why={t("chart_none")} />
            )}
          </Section>
          <Outcomes signal={signal} />
          <Section title={t("alerts_of_signal")}>
            {signal.alerts && signal.alerts.length > 0 ? <AlertRows alerts={signal.alerts} /> : <Empty title={t("alerts_of_signal_none")} />}
          </Section>
        </div>
        <aside class="column column-side" aria-label={t("evidence")}>
          <Section title={t("card_title")} side={signal.card?.horizon ? t("card_after", { horizon: f.interval(signal.card.horizon) }) : null}>
            {signal.card ? <EvidenceCard card={signal.card} /> : <Empty title={t("card_none")} why={t("card_none_why", { symbol: signal.symbol })} />}
          </Section>
          <Again id={signal.id} />
        </aside>
      </div>
    </>
  );
}

function Ruling({ signal }: { signal: SignalDetail }) {
  const facts = Object.entries(signal.facts ?? {});
  const reasons = signal.reasons ?? [];
  return (
    <section class={`ruling ruling-${signal.verdict}`} aria-label={t("verdict")}>
      <div class="ruling-head">
        <VerdictBadge verdict={signal.verdict} grade={signal.card?.grade} />
        <span>{known("", `${signal.verdict}_means`)}</span>
      </div>
      {reasons.length > 0 && (
        <ul class="reasons">
          {reasons.map((reason) => (
            <li>
              <Sentence text={known("why_", reason)} />
            </li>
          ))}
        </ul>
      )}
      <dl class="figures figures-wide">
        <Figure name={t("rule")}>
          {(languageNow() === "ko" && signal.rule_ko) || signal.rule || f.strategy(signal.strategy).name}
          {facts.length > 0 && <span class="muted num"> ({facts.map(([name, value]) => `${name.replaceAll("_", " ")} ${Number(value.toPrecision(6))}`).join(", ")})</span>}
        </Figure>
        <Figure name={t("interval")}>
          {t("of_bar", { interval: f.interval(signal.interval), time: "" })} <Time at={signal.timestamp} symbol={signal.symbol} />
        </Figure>
        {signal.strength !== null && signal.strength !== undefined ? <Figure name={t("strength")}>{f.fixed(signal.strength, 2)}</Figure> : null}
        <Figure name={t("data_age")}>{f.duration(signal.data_age_ms)}</Figure>
        <Figure name="id">
          <a class="num id" href={path(`signals/${signal.id}`)} target="_blank" rel="noopener" title={t("raw")}>
            {signal.id.slice(0, 12)}… JSON
          </a>
        </Figure>
      </dl>
    </section>
  );
}

function Outcomes({ signal }: { signal: SignalDetail }) {
  const track = useResource<TrackRecord>(path("track-record"));
  const rows = signal.outcomes ?? signal.horizon_outcomes ?? [];
  const live = (track.data?.statistics?.statistics ?? []).filter((one) => one.strategy === signal.strategy && one.interval === signal.interval && one.direction === signal.direction);
  if (rows.length === 0) {
    return (
      <Section title={t("outcomes")}>
        <Empty title={t("outcomes_none")} />
      </Section>
    );
  }
  return (
    <Section title={t("outcomes")}>
      <Scroll label={t("outcomes")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("horizon")}</th>
              <th scope="col" class="right">
                <abbr title={t("move_means")}>{t("move")}</abbr>
              </th>
              <th scope="col">{t("result")}</th>
              <th scope="col">{t("strategy_live")}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr>
                <th scope="row" class="nowrap">{f.interval(row.horizon)}</th>
                <td class="right">
                  <Move value={row.return} symbol={signal.symbol}>
                    {f.move(row.return)}
                  </Move>
                </td>
                <td class="nowrap">{row.hit === true ? <span class="hit">✓ {t("outcome_hit")}</span> : row.hit === false ? <span class="miss">✕ {t("outcome_miss")}</span> : <Due row={row} />}</td>
                <td>
                  <OfStrategy statistic={live.find((one) => one.horizon === row.horizon)} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Section>
  );
}

function Due({ row }: { row: { due?: string | null; known?: boolean } }) {
  if (!row.due) return <span class="muted">{t("outcome_waits")}</span>;
  return (
    <span class="muted">
      {t("outcome_due", { time: "" })} <Time at={row.due} />
    </span>
  );
}

export function OfStrategy({ statistic }: { statistic: LiveStatistic | undefined }) {
  if (!statistic) return <span class="muted">{f.NONE}</span>;
  return (
    <span class="rate-cell">
      <span class="num nowrap">
        {t("rate_of", { rate: f.share(statistic.win_rate, 0), n: statistic.n })}
        {statistic.is_few && (
          <span class="few" title={t("few_means")}>
            {" "}
            {t("few")}
          </span>
        )}
      </span>
      <RateInterval rate={statistic.win_rate} low={statistic.win_low} high={statistic.win_high} base={statistic.base_rate} />
    </span>
  );
}

function Again({ id }: { id: string }) {
  const [state, setState] = useState<{ busy: boolean; said: Verification | null; error: Failure | null }>({ busy: false, said: null, error: null });
  const ask = async () => {
    setState({ busy: true, said: null, error: null });
    try {
      const said = await change<Verification>("POST", path(`signals/${encodeURIComponent(id)}/verify`));
      setState({ busy: false, said, error: null });
    } catch (error) {
      setState({ busy: false, said: null, error: error instanceof Failure ? error : new Failure(0, String(error)) });
    }
  };
  const absent = state.error && [404, 405, 501].includes(state.error.status);
  return (
    <div class="again">
      <button type="button" disabled={state.busy} onClick={() => void ask()}>
        {state.busy ? t("verify_running") : t("verify")}
      </button>
      <div role="status">
        {state.error && <p class="muted">{absent ? <Sentence text={t("verify_absent")} /> : state.error.message || t("error_no_answer")}</p>}
        {state.said && (
          <>
            <p>
              <b>{state.said.ok ? `✓ ${t("verify_ok")}` : `✕ ${t("verify_bad")}`}</b>
            </p>
            <ul class="gates">
              {state.said.checks.map((check) => (
                <li class={check.ok ? "holds" : "fails"}>
                  <span class="mark" aria-hidden="true">
                    {check.ok ? "✓" : "✕"}
                  </span>
                  <span>
                    {known("check_", check.name)} <span class="muted">{foundWords(check)}</span>
                    <span class="hidden-text">: {check.ok ? t("gate_holds") : t("gate_fails")}</span>
                  </span>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </div>
  );
}

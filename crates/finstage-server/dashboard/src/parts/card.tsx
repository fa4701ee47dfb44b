// An evidence card: what was measured, drawn beside what chance gives, and which gates hold.
import * as f from "../format";
import type { Card } from "../shapes";
import { t, type Word } from "../words";
import { useNow, zoneNow } from "../world";
import { EdgeInterval, RateInterval } from "./drawn";
import { Day, Figure, VerdictBadge } from "./said";

/** Gates of `verified`, with the reasons that say that one does not hold. */
const GATES: readonly [Word, readonly string[]][] = [
  ["gate_occasions", ["few_events", "few_clusters"]],
  ["gate_luck", ["q_above", "threshold_of_look"]],
  ["gate_interval", ["interval_includes_zero"]],
  ["gate_absolute", ["absolute_return_negative"]],
  ["gate_recent", ["faded"]],
  ["gate_volatility", ["explained_by_volatility"]],
  ["gate_search", ["swept_dsr"]],
  ["gate_data", ["data", "repaint"]],
  ["gate_term", ["expired", "drift"]],
];

function isAsked(gate: Word, card: Card): boolean {
  if (gate === "gate_search") return card.claim !== "size" && (card.parameter_sets ?? 1) > 1;
  return gate !== "gate_absolute" || card.claim !== "size";
}

/** Luck is only judged where there are occasions enough to judge. */
function isOpen(gate: Word, card: Card): boolean {
  const reasons = card.reasons ?? [];
  return gate === "gate_luck" && (reasons.includes("few_clusters") || reasons.includes("few_events"));
}

export function Gates({ card }: { card: Card }) {
  const reasons = card.reasons ?? [];
  return (
    <ul class="gates" aria-label={t("gates")}>
      {GATES.filter(([gate]) => isAsked(gate, card)).map(([gate, against]) => {
        const fails = against.some((reason) => reasons.includes(reason));
        const open = !fails && isOpen(gate, card);
        return (
          <li class={fails ? "fails" : open ? "open" : "holds"}>
            <span class="mark" aria-hidden="true">
              {fails ? "✕" : open ? "–" : "✓"}
            </span>
            <span>
              {t(gate)}
              <span class="hidden-text">: {fails ? t("gate_fails") : open ? t("no_data") : t("gate_holds")}</span>
            </span>
          </li>
        );
      })}
    </ul>
  );
}

function Expiry({ at }: { at: string }) {
  const now = useNow();
  const left = Date.parse(at) - now;
  const date = f.day(at, zoneNow());
  return <time title={f.exactly(at, zoneNow())}>{left < 0 ? t("expired", { date }) : t("in_term", { date, days: Math.floor(left / 86_400_000) })}</time>;
}

export function Drawn({ card }: { card: Card }) {
  const isSize = card.claim === "size";
  return (
    <div class="drawn">
      {!isSize && (
        <div>
          <div class="drawn-head">
            <abbr title={t("hit_rate_means")}>{t("hit_rate")}</abbr>
            <span>
              <b class="num">{f.share(card.hit_rate)}</b>{" "}
              <span class="muted num">{t("range", { from: f.share(card.hit_low), to: f.share(card.hit_high) })}</span>
            </span>
          </div>
          <RateInterval rate={card.hit_rate} low={card.hit_low} high={card.hit_high} base={card.base_rate} scale />
          <div class="drawn-foot">
            <span class="key-base" aria-hidden="true" /> <abbr title={t("base_rate_means")}>{t("base_rate")}</abbr> <span class="num">{f.share(card.base_rate)}</span>
          </div>
        </div>
      )}
      {isSize && card.times_usual ? (
        <div>
          <div class="drawn-head">
            <span>{t("times_usual")}</span>
            <b class="num">{t("times_usual_value", { x: f.fixed(card.times_usual, 2) })}</b>
          </div>
        </div>
      ) : null}
      <div>
        <div class="drawn-head">
          <abbr title={t("edge_means")}>{t("edge")}</abbr>
          <span>
            <b class="num">{f.move(card.theta_net)}</b>{" "}
            <span class="muted num">{card.net_low !== undefined ? t("range", { from: f.move(card.net_low), to: f.move(card.net_high) }) : ""}</span>
          </span>
        </div>
        <EdgeInterval card={card} />
      </div>
    </div>
  );
}

export function Figures({ card }: { card: Card }) {
  return (
    <dl class="figures">
      <Figure name={t("n_signals")}>{f.count(card.n)}</Figure>
      <Figure name={t("n_eff")} means={t("n_eff_means")}>
        {f.count(card.n_eff)}
      </Figure>
      <Figure name={t("mean_net")} means={t("mean_net_means")}>
        {f.move(f.meanNet(card))}
      </Figure>
      <Figure name={t("q")} means={t("q_means")}>
        {card.threshold ? t("q_value", { q: f.probability(card.q_value), threshold: f.probability(card.threshold) }) : f.probability(card.q_value)}
      </Figure>
      <Figure name={t("tried")} means={t("tried_means")}>
        {(card.parameter_sets ?? 1) > 1 ? t("tried_sets", { n: f.count(card.family), sets: f.count(card.parameter_sets) }) : f.count(card.family)}
      </Figure>
      <Figure name={t("mde")}>{f.share(card.mde, 2)}</Figure>
      <Figure name={t("expect")}>{f.move(card.shrunken)}</Figure>
      <Figure name={t("cost")}>{f.share(card.cost, 2)}</Figure>
      {card.scope ? (
        <Figure name={t("scope")} means={card.members?.map((member) => `${member.symbol} (${member.n})`).join("\n")}>
          {card.scope === "all" ? t("all") : card.scope}
          {card.members ? ` · ${card.members.length}` : ""}
        </Figure>
      ) : null}
      {card.from && card.to ? (
        <Figure name={t("data_of")}>{t("range", { from: f.day(card.from, zoneNow()), to: f.day(card.to, zoneNow()) })}</Figure>
      ) : null}
      <Figure name={card.proven_at ? t("proven") : t("issued")}>
        <Day at={card.proven_at ?? card.issued} />
      </Figure>
      {card.expires ? (
        <Figure name={t("expires")}>
          <Expiry at={card.expires} />
        </Figure>
      ) : null}
    </dl>
  );
}

/** The whole card. */
export function EvidenceCard({ card, titled }: { card: Card; titled?: boolean }) {
  return (
    <article class={`card card-${card.verdict ?? "pending"}`}>
      {titled && (
        <header class="card-head">
          <span>
            {f.interval(card.interval)} · {t("card_after", { horizon: f.interval(card.horizon) })} · {card.claim === "size" ? t("claim_size") : t("claim_direction")} · {card.scope === "all" ? t("all") : card.scope}
          </span>
          <VerdictBadge verdict={card.verdict} grade={card.grade} />
        </header>
      )}
      <p class="card-words">{f.cardWords(card)}</p>
      <Drawn card={card} />
      <Figures card={card} />
      {card.reasons && card.verdict ? (
        <>
          <h3>{t("gates")}</h3>
          <Gates card={card} />
        </>
      ) : null}
    </article>
  );
}

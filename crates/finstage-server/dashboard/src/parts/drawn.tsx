// Figures drawn by hand: intervals beside what chance gives, calibration, a sum beside its limit.
import * as f from "../format";
import type { Card, Reliability } from "../shapes";
import { t } from "../words";

const clamp = (x: number) => Math.min(1, Math.max(0, x));

interface Shares {
  rate: number | null | undefined;
  low: number | null | undefined;
  high: number | null | undefined;
  base: number | null | undefined;
}

/** A rate with its interval, and the base rate as a mark across. */
export function RateInterval({ rate, low, high, base, scale }: Shares & { scale?: boolean }) {
  if (rate === null || rate === undefined) return <span class="muted">{f.NONE}</span>;
  const label = t("hit_drawn", { hit: f.share(rate), low: f.share(low), high: f.share(high), base: f.share(base) });
  const x = (value: number) => 2 + clamp(value) * 196;
  return (
    <>
    <svg class="interval" viewBox="0 0 200 16" role="img" aria-label={label}>
      <title>{label}</title>
      <rect class="rail" x="2" y="7" width="196" height="2" rx="1" />
      {low !== null && low !== undefined && high !== null && high !== undefined && <rect class="span" x={x(low)} y="5.5" width={Math.max(1, x(high) - x(low))} height="5" rx="2.5" />}
      {base !== null && base !== undefined && <line class="base" x1={x(base)} x2={x(base)} y1="1" y2="15" />}
      <circle class="dot" cx={x(rate)} cy="8" r="3.6" />
    </svg>
      {scale && <Scale marks={["0", "50", f.share(1, 0)]} />}
    </>
  );
}

/** The edge after costs with its interval, and zero as a mark across. */
export function EdgeInterval({ card }: { card: Card }) {
  const { theta_net: edge, net_low: low, net_high: high } = card;
  if (edge === null || edge === undefined || low === null || low === undefined || high === null || high === undefined) return <span class="muted">{f.NONE}</span>;
  const reach = Math.max(Math.abs(low), Math.abs(high), 1e-9) * 1.1;
  const x = (value: number) => 100 + (value / reach) * 98;
  const label = t("edge_drawn", { edge: f.move(edge), low: f.move(low), high: f.move(high) });
  return (
    <>
    <svg class="interval" viewBox="0 0 200 16" role="img" aria-label={label}>
      <title>{label}</title>
      <rect class="rail" x="2" y="7" width="196" height="2" rx="1" />
      <rect class="span" x={x(low)} y="5.5" width={Math.max(1, x(high) - x(low))} height="5" rx="2.5" />
      <line class="base" x1="100" x2="100" y1="1" y2="15" />
      <circle class="dot" cx={x(edge)} cy="8" r="3.6" />
    </svg>
      <Scale marks={[f.move(-reach), "0", f.move(reach)]} />
    </>
  );
}

function Scale({ marks }: { marks: [string, string, string] }) {
  return (
    <div class="scale num" aria-hidden="true">
      {marks.map((mark) => (
        <span>{mark}</span>
      ))}
    </div>
  );
}

/** What was said beside what came: on the diagonal, forecasts were right. */
export function Calibration({ points }: { points: Reliability[] }) {
  const size = 280;
  const at = (value: number) => 36 + clamp(value) * (size - 48);
  const up = (value: number) => size - 30 - clamp(value) * (size - 48);
  const said = (point: Reliability) => t("calibration_point", { said: f.share(point.said, 0), came: f.share(point.came, 0), n: point.n });
  const label = t("calibration_drawn", { list: points.map(said).join("; ") });
  return (
    <svg class="calibration" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label}>
      {[0, 0.25, 0.5, 0.75, 1].map((value) => (
        <g class="grid">
          <line x1={at(0)} x2={at(1)} y1={up(value)} y2={up(value)} />
          <line x1={at(value)} x2={at(value)} y1={up(0)} y2={up(1)} />
          <text x={at(value)} y={size - 14} text-anchor="middle">
            {value * 100}
          </text>
          <text x={at(0) - 6} y={up(value) + 4} text-anchor="end">
            {value * 100}
          </text>
        </g>
      ))}
      <line class="diagonal" x1={at(0)} y1={up(0)} x2={at(1)} y2={up(1)} />
      {points.map((point) => (
        <g>
          <title>{said(point)}</title>
          <line class="whisker" x1={at(point.said)} x2={at(point.said)} y1={up(point.low)} y2={up(point.high)} />
          <circle class="dot" cx={at(point.said)} cy={up(point.came)} r={3 + Math.min(4, Math.sqrt(point.n) / 3)} />
        </g>
      ))}
      <text class="axis" x={at(1)} y={size - 2} text-anchor="end">
        {t("calibration_said")} %
      </text>
      <text class="axis" x={2} y={12}>
        {t("calibration_came")} %
      </text>
    </svg>
  );
}

/** A sum that grows towards its limit. */
export function Gauge({ sum, limit }: { sum: number; limit: number }) {
  const label = t("drift_sum", { sum: f.fixed(sum, 1), limit: f.fixed(limit, 1) });
  return (
    <span class="gauge">
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect class="rail" x="0" y="2" width="100" height="4" rx="2" />
        <rect class={sum > limit * 0.7 ? "fill-warn" : "fill"} x="0" y="2" width={clamp(sum / limit) * 100} height="4" rx="2" />
      </svg>
      <span class="num">{label}</span>
    </span>
  );
}

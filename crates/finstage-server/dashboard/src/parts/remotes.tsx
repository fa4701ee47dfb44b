// Servers that are asked: how much of what they allow is used, and how they answer.
import * as f from "../format";
import type { Quota, Remote } from "../shapes";
import { known, t } from "../words";
import { Time } from "./said";
import { Scroll } from "./states";

export function Remotes({ remotes }: { remotes: Remote[] }) {
  return (
    <>
      <p class="muted">{t("remotes_note")}</p>
      <Scroll label={t("remotes")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("remote")}</th>
              <th scope="col">{t("breaker")}</th>
              <th scope="col">{t("quota")}</th>
              <th scope="col" class="right">
                {t("sent")}
              </th>
              <th scope="col" class="right">
                {t("retried")}
              </th>
              <th scope="col" class="right">
                {t("refused")}
              </th>
              <th scope="col" class="right">
                {t("failed")}
              </th>
              <th scope="col" class="right">
                {t("waiting")}
              </th>
              <th scope="col" class="right">
                {t("longest_wait")}
              </th>
            </tr>
          </thead>
          <tbody>
            {remotes.map((one) => (
              <tr key={one.name}>
                <th scope="row">{one.name}</th>
                <td class="nowrap">
                  <State remote={one} />
                </td>
                <td>{one.quotas.length > 0 ? one.quotas.map((quota) => <Used quota={quota} />) : <span class="muted">{t("quota_free")}</span>}</td>
                <td class="right num">{f.count(one.sent)}</td>
                <td class="right num">{f.count(one.retries)}</td>
                <td class="right num">{one.refused ? <b class="miss">{f.count(one.refused)}</b> : f.count(one.refused)}</td>
                <td class="right num">{f.count(one.failed)}</td>
                <td class="right num">{f.count(one.waiting)}</td>
                <td class="right num nowrap">{f.duration(one.longest_wait_ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}

function State({ remote }: { remote: Remote }) {
  if (remote.blocked_until)
    return (
      <span class="warn">
        ‖ {t("blocked_until")} <Time at={remote.blocked_until} />
      </span>
    );
  if (remote.breaker === "open") return <span class="miss">✕ {t("breaker_open")}</span>;
  if (remote.breaker === "half_open") return <span class="warn">‖ {t("breaker_half_open")}</span>;
  return <span class="hit">✓ {t("breaker_closed")}</span>;
}

/** A limit as a line that fills, with its figures in words. */
function Used({ quota }: { quota: Quota }) {
  const share = Math.min(1, quota.limit > 0 ? quota.used / quota.limit : 0);
  const said = t("quota_value", { rule: known("rule_", quota.rule), used: f.count(quota.used), limit: f.count(quota.limit), window: f.duration(quota.window_s * 1000) });
  return (
    <div class="nowrap">
      <svg class="interval" viewBox="0 0 200 16" aria-hidden="true">
        <rect class="rail" x="2" y="7" width="196" height="2" rx="1" />
        {share > 0 && <rect class="span" x="2" y="5.5" width={Math.max(1, share * 196)} height="5" rx="2.5" />}
      </svg>
      <div class="num">
        {said}
        {quota.by_others ? <span class="muted"> ({t("quota_others", { n: f.count(quota.by_others) })})</span> : null}
      </div>
    </div>
  );
}

// Feeds that come sealed: what was opened, and what was refused.
import * as f from "../format";
import type { Feed, Sealed as Frames } from "../shapes";
import { t } from "../words";
import { Time } from "./said";
import { Scroll } from "./states";

export type SealedFeed = Feed & { sealed: Frames };

export const isSealed = (feed: Feed): feed is SealedFeed => !!feed.sealed;

export function Sealed({ feeds }: { feeds: SealedFeed[] }) {
  return (
    <>
      <p class="muted">{t("sealed_note")}</p>
      <Scroll label={t("sealed")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("venue")}</th>
              <th scope="col">{t("status")}</th>
              <th scope="col" class="right">
                {t("sealed_opened")}
              </th>
              <th scope="col" class="right">
                {t("sealed_failed")}
              </th>
              <th scope="col" class="right">
                {t("sealed_replayed")}
              </th>
              <th scope="col" class="right">
                {t("sealed_slow")}
              </th>
              <th scope="col">{t("sealed_last")}</th>
            </tr>
          </thead>
          <tbody>
            {feeds.map(({ venue, sealed }) => (
              <tr>
                <th scope="row">{venue}</th>
                <td class="nowrap">
                  <State frames={sealed} />
                </td>
                <td class="right num">{f.count(sealed.opened)}</td>
                <td class="right num">
                  <Refused count={sealed.failed} />
                </td>
                <td class="right num">
                  <Refused count={sealed.replayed} />
                </td>
                <td class="right num">{f.count(sealed.slow)}</td>
                <td class="nowrap num">{sealed.last_refused_at ? <Time at={sealed.last_refused_at} /> : f.NONE}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}

function Refused({ count }: { count: number }) {
  return count ? <b class="miss">{f.count(count)}</b> : <>{f.count(count)}</>;
}

function State({ frames }: { frames: Frames }) {
  if (frames.state === "refused") return <span class="miss">▲ {t("sealed_refused")}</span>;
  if (frames.state === "fallback") return <span class="warn">‖ {t("sealed_fallback")}</span>;
  return <span class="hit">✓ {t("sealed_ok")}</span>;
}

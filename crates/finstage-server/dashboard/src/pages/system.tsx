// The system itself, and how this page looks.
import { change, path, useResource } from "../api";
import * as f from "../format";
import { Day, Figure, Time } from "../parts/said";
import { Around, Empty, Scroll, Section, Segments } from "../parts/states";
import { choose, settings } from "../settings";
import type { HealthCheck, System as Shape } from "../shapes";
import { useStore } from "../store";
import { healthWords } from "../told";
import { known, languageNow, t } from "../words";

const EVERY_MS = 10_000;

export function System() {
  const found = useResource<Shape>(path("system"), EVERY_MS);
  return (
    <>
      <header class="page-head">
        <h1>{t("system")}</h1>
      </header>
      <Around of={found}>
        {(system) => (
          <>
            <Section title="finstage">
              <dl class="figures figures-wide">
                <Figure name={t("version")}>{system.version}</Figure>
                <Figure name={t("uptime")}>{f.duration(system.uptime_s * 1000)}</Figure>
                <Figure name={t("started")}>
                  <Time at={system.started_at} />
                </Figure>
                <Figure name={t("memory")}>{f.bytes(system.memory_bytes)}</Figure>
                <Figure name={t("cpu")}>{system.cpu_seconds === null || system.cpu_seconds === undefined ? f.NONE : t("seconds", { n: f.fixed(system.cpu_seconds, 1) })}</Figure>
                <Figure name={t("queue")}>{system.queue ? t("queue_value", { depth: f.count(system.queue.depth), bound: f.count(system.queue.bound) }) : f.NONE}</Figure>
                <Figure name={t("websocket")}>{system.websocket ? t("websocket_value", { clients: f.count(system.websocket.clients), dropped: f.count(system.websocket.dropped) }) : f.NONE}</Figure>
                <Figure name={t("journal")}>
                  {system.journal ? (
                    <>
                      {f.bytes(system.journal.bytes)}
                      {system.journal.synced !== null && system.journal.synced !== undefined ? <span class="muted num"> · {t("synced", { position: String(system.journal.synced) })}</span> : null}
                    </>
                  ) : (
                    f.NONE
                  )}
                </Figure>
                <Figure name={t("records")}>{f.bytes(system.records?.bytes)}</Figure>
                <Figure name={t("time")}>
                  <Day at={system.now} /> <Time at={system.now} />
                </Figure>
              </dl>
            </Section>
            {system.checks && system.checks.length > 0 ? (
              <Section title={t("health")}>
                <Health checks={system.checks} />
              </Section>
            ) : null}
            <Section title={t("notifiers")}>{system.notifiers && system.notifiers.length > 0 ? <Notifiers notifiers={system.notifiers} /> : <Empty title={t("none")} why={t("notifiers_none")} />}</Section>
          </>
        )}
      </Around>
      <Section title={t("appearance")}>
        <Choices />
        <p class="sign-out">
          <button type="button" onClick={() => void signOut()}>
            {t("sign_out")}
          </button>
        </p>
      </Section>
      <Section title={t("links")}>
        <p class="links">
          <a href="/docs">/docs</a> <a href="/openapi.json">/openapi.json</a> <a href="/metrics">/metrics</a> <a href="/readyz">/readyz</a> <a href="/assets/licences.txt">{t("licences")}</a>
        </p>
      </Section>
    </>
  );
}

/** The server ends the session; the page shows that it did, or that it could not be asked. */
async function signOut(): Promise<void> {
  await change("DELETE", path("logins")).catch(() => undefined);
  location.reload();
}

/** The checks of /readyz, one line each. */
function Health({ checks }: { checks: HealthCheck[] }) {
  return (
    <ul class="gates">
      {checks.map((check) => (
        <li class={check.ok ? "holds" : "fails"} key={check.name}>
          <span class="mark" aria-hidden="true">
            {check.ok ? "✓" : "✕"}
          </span>
          <span>
            {known("health_", check.name)} <span class="muted">{healthWords(check)}</span>
            <span class="hidden-text">: {check.ok ? t("gate_holds") : t("gate_fails")}</span>
          </span>
        </li>
      ))}
    </ul>
  );
}

function Notifiers({ notifiers }: { notifiers: NonNullable<Shape["notifiers"]> }) {
  return (
    <Scroll label={t("notifiers")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("channel")}</th>
            <th scope="col" class="right">
              {t("delivered")}
            </th>
            <th scope="col" class="right">
              {t("queued")}
            </th>
            <th scope="col" class="right">
              {t("retried")}
            </th>
            <th scope="col" class="right">
              {t("failed")}
            </th>
            <th scope="col">{t("last_error")}</th>
          </tr>
        </thead>
        <tbody>
          {notifiers.map((one) => (
            <tr>
              <th scope="row">{one.name}</th>
              <td class="right num">{f.count(one.delivered)}</td>
              <td class="right num">{f.count(one.queued)}</td>
              <td class="right num">{f.count(one.retried)}</td>
              <td class="right num">{one.failed ? <b class="miss">{f.count(one.failed)}</b> : f.count(one.failed)}</td>
              <td class="long">{one.last_error ?? f.NONE}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

export function Choices() {
  const chosen = useStore(settings);
  return (
    <div class="choices">
      <div>
        <span class="muted">{t("theme")}</span>
        <Segments
          label={t("theme")}
          value={chosen.theme}
          options={[
            ["auto", t("theme_auto")],
            ["light", t("theme_light")],
            ["dark", t("theme_dark")],
          ]}
          choose={(theme) => choose({ theme })}
        />
      </div>
      <div>
        <span class="muted">{t("language")}</span>
        <Segments
          label={t("language")}
          value={languageNow()}
          options={[
            ["en", "English"],
            ["ko", "한국어"],
          ]}
          choose={(language) => choose({ language })}
        />
      </div>
      <div>
        <label class="muted" for="colours">
          {t("colours")}
        </label>
        <select id="colours" value={chosen.colours} onChange={(event) => choose({ colours: event.currentTarget.value as typeof chosen.colours })}>
          <option value="language">{t("colours_language")}</option>
          <option value="market">{t("colours_market")}</option>
          <option value="green_up">{t("colours_green_up")}</option>
          <option value="red_up">{t("colours_red_up")}</option>
        </select>
      </div>
    </div>
  );
}

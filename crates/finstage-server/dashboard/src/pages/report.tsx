// The report of a day, as the server writes it.
import { useEffect, useState } from "preact/hooks";
import { Failure, getText, path } from "../api";
import * as f from "../format";
import { Around } from "../parts/states";
import { place, refine } from "../router";
import { useStore } from "../store";
import { languageNow, t } from "../words";
import { now, zoneNow } from "../world";

const DAY_MS = 86_400_000;

interface Shown {
  data: { text: string; mayFrame: boolean } | null;
  error: Failure | null;
}

/** Whether the server lets its own page show the report in a frame. */
function mayFrame(headers: Headers): boolean {
  const policy = headers.get("content-security-policy") ?? "";
  const ancestors = /frame-ancestors ([^;]*)/.exec(policy)?.[1] ?? "";
  return ancestors.includes("'self'") && (headers.get("x-frame-options") ?? "SAMEORIGIN").toUpperCase() === "SAMEORIGIN";
}

export function Report() {
  const { query } = useStore(place);
  const zone = zoneNow();
  const yesterday = f.isoDay(now() - DAY_MS, zone);
  const date = query.get("date") || yesterday;
  const lang = languageNow();
  const page = path("reports/daily", { date, lang, format: "html" });
  const [state, setState] = useState<Shown>({ data: null, error: null });
  const [round, setRound] = useState(0);

  useEffect(() => {
    const cancel = new AbortController();
    setState({ data: null, error: null });
    const read = async () => {
      const html = await getText(page, cancel.signal);
      if (mayFrame(html.headers)) return { text: "", mayFrame: true };
      const plain = await getText(path("reports/daily", { date, lang, format: "text" }), cancel.signal);
      return { text: plain.text, mayFrame: false };
    };
    read().then(
      (data) => setState({ data, error: null }),
      (error: unknown) => {
        if (!cancel.signal.aborted) setState({ data: null, error: error instanceof Failure ? error : new Failure(0, String(error)) });
      },
    );
    return () => cancel.abort();
  }, [page, round]);

  const step = (days: number) => {
    const noon = Date.parse(`${date}T12:00:00Z`) + days * DAY_MS;
    if (!Number.isNaN(noon)) refine({ date: new Date(noon).toISOString().slice(0, 10) });
  };
  return (
    <>
      <header class="page-head">
        <h1>{t("report")}</h1>
      </header>
      <div class="filters">
        <button type="button" aria-label={t("report_before")} title={t("report_before")} onClick={() => step(-1)}>
          ←
        </button>
        <input type="date" data-search aria-label={t("report_day")} value={date} max={f.isoDay(now(), zone)} onChange={(event) => refine({ date: event.currentTarget.value })} />
        <button type="button" aria-label={t("report_after")} title={t("report_after")} disabled={date >= f.isoDay(now(), zone)} onClick={() => step(1)}>
          →
        </button>
        <a href={page} target="_blank" rel="noopener">
          {t("report_page")} ↗
        </a>
      </div>
      <Around of={{ ...state, reload: () => setRound(round + 1) }}>
        {(data) =>
          data.mayFrame ? (
            <iframe class="report-frame" sandbox="" src={page} title={t("report_frame", { date })} />
          ) : (
            <pre class="report scroll" tabIndex={0} role="region" aria-label={t("report_frame", { date })} lang={lang}>
              {data.text}
            </pre>
          )
        }
      </Around>
    </>
  );
}

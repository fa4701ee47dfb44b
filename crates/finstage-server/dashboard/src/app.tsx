// The frame around every page: where one can go, whether the line holds, and what stands instead of a page.
import { useEffect, useRef, useState } from "preact/hooks";
import { session } from "./api";
import { hour } from "./format";
import { unseen } from "./inbox";
import * as keys from "./keys";
import { dialNow, line } from "./live";
import { Alerts } from "./pages/alerts";
import { Data } from "./pages/data";
import { InstrumentPage } from "./pages/instrument";
import { Markets } from "./pages/markets";
import { News } from "./pages/news";
import { Report } from "./pages/report";
import { SignalPage } from "./pages/signal";
import { Signals } from "./pages/signals";
import { Strategies, StrategyPage } from "./pages/strategies";
import { Choices, System } from "./pages/system";
import { Tasks } from "./pages/tasks";
import { Track } from "./pages/track";
import { Empty } from "./parts/states";
import { place, to, type Place } from "./router";
import { isRedUp, settings } from "./settings";
import { useStore } from "./store";
import { languageNow, serverLanguage, t, type Word } from "./words";
import { system, zoneNow } from "./world";

const PAGES = ["signals", "markets", "strategies", "track", "alerts", "news", "report", "data", "tasks", "system"] as const satisfies readonly Word[];

export function App() {
  const where = useStore(place);
  const chosen = useStore(settings);
  const signedIn = useStore(session);
  const state = useStore(line);
  useStore(serverLanguage);
  useStore(system);
  const language = languageNow();

  useEffect(() => {
    const root = document.documentElement;
    root.lang = language;
    root.dataset.theme = chosen.theme;
    root.dataset.colours = isRedUp(null, language, chosen.colours === "market" ? "language" : chosen.colours) ? "red" : "green";
  }, [language, chosen]);
  const isOut = signedIn === "out" || state.phase === "signed_out";
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        {t("skip")}
      </a>
      <Head where={where} isOut={isOut} />
      <main id="main" tabIndex={-1}>
        {isOut ? (
          <SignedOut />
        ) : (
          <>
            <LineBanner />
            <Routed where={where} key={`${where.page}/${where.rest} ${language}`} />
          </>
        )}
      </main>
      <footer class="foot">
        <span>{t("not_advice")}</span>
        <span>{t("times_in", { zone: zoneNow() })}</span>
        <button type="button" class="link-button wide-only" onClick={() => keys.help.set(true)}>
          {t("keys_open")}
        </button>
      </footer>
      <Help />
    </>
  );
}

function Routed({ where }: { where: Place }) {
  useEffect(() => window.scrollTo({ top: 0 }), []);
  switch (where.page) {
    case "signals":
      return where.rest ? <SignalPage id={where.rest} /> : <Signals />;
    case "markets":
      return where.rest ? <InstrumentPage symbol={where.rest} /> : <Markets />;
    case "strategies":
      return where.rest ? <StrategyPage text={where.rest} /> : <Strategies />;
    case "track":
      return <Track />;
    case "alerts":
      return <Alerts />;
    case "news":
      return <News />;
    case "report":
      return <Report />;
    case "data":
      return <Data />;
    case "tasks":
      return <Tasks />;
    case "system":
      return <System />;
    default:
      return (
        <Empty title={t("not_found")}>
          <p>
            <a href={to("signals")}>{t("signals")}</a>
          </p>
        </Empty>
      );
  }
}

function Head({ where, isOut }: { where: Place; isOut: boolean }) {
  const [isOpen, setOpen] = useState(false);
  const waiting = useStore(unseen);
  const page = PAGES.find((one) => one === where.page);
  const title = `${waiting > 0 ? `(${waiting}) ` : ""}${where.rest || (page ? t(page) : "")} · finstage`;
  useEffect(() => {
    document.title = title;
  }, [title]);
  const about = useStore(system);
  useEffect(() => setOpen(false), [where]);
  return (
    <header class={`head ${isOpen ? "head-open" : ""}`}>
      <div class="head-top">
        <a class="brand" href={to("signals")}>
          <Mark />
          finstage
        </a>
        {about?.kind === "demo" && (
          <span class="badge badge-withheld" title={t("demo_title")}>
            {t("demo")}
          </span>
        )}
        <LineState isOut={isOut} />
        <button type="button" class="menu-button" aria-expanded={isOpen} aria-controls="pages" onClick={() => setOpen(!isOpen)}>
          {t("menu")}
          {waiting > 0 && where.page !== "signals" ? ` (${waiting})` : ""}
        </button>
      </div>
      <nav id="pages" aria-label={t("pages")}>
        {PAGES.map((page) => (
          <a href={to(page)} aria-current={where.page === page ? "page" : undefined}>
            {t(page)}
            {page === "signals" && waiting > 0 && (
              <span class="count" aria-label={t("inbox_unseen", { n: waiting })}>
                {waiting > 99 ? "99+" : waiting}
              </span>
            )}
          </a>
        ))}
      </nav>
      <div class="head-choices">
        <Choices />
      </div>
    </header>
  );
}

function Mark() {
  return (
    <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M7 19.5l6-6 5 4 7.5-8" />
    </svg>
  );
}

function LineState({ isOut }: { isOut: boolean }) {
  const state = useStore(line);
  const phase = isOut ? "signed_out" : state.phase;
  const words = phase === "offline" ? t("line_offline", { time: hour(state.lostAt, zoneNow()) }) : t(`line_${phase}`);
  return (
    <span class={`line-state line-${phase}`} role="status" title={t("line_title")} data-line={phase}>
      <i aria-hidden="true" />
      {words}
    </span>
  );
}

function LineBanner() {
  const state = useStore(line);
  if (state.phase !== "offline" || state.lostAt === null) return null;
  return (
    <div class="banner" role="alert">
      <span>{t("line_banner", { time: hour(state.lostAt, zoneNow()) })}</span>{" "}
      <button type="button" onClick={dialNow}>
        {t("try_now")}
      </button>
    </div>
  );
}

function SignedOut() {
  return (
    <section class="signed-out" aria-labelledby="out">
      <h1 id="out">{t("out_title")}</h1>
      <p>{t("out_how")}</p>
      <pre>
        <code>finstage token link</code>
      </pre>
      <p class="muted">{t("out_once")}</p>
      <button type="button" onClick={() => location.reload()}>
        {t("retry")}
      </button>
    </section>
  );
}

const HELP: readonly (readonly [string, Word])[] = [
  ["j k", "keys_rows"],
  ["Enter", "keys_open_row"],
  ["/", "keys_filter"],
  [".", "keys_newest"],
  ["?", "keys_help"],
  ["Esc", "keys_escape"],
];

function Help() {
  const isOpen = useStore(keys.help);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog ref={dialog} aria-labelledby="keys" onClose={() => keys.help.set(false)}>
      <h2 id="keys">{t("keys_title")}</h2>
      <dl class="key-list">
        {HELP.map(([key, words]) => (
          <div>
            <dt>
              {key.split(" ").map((one) => (
                <kbd>{one}</kbd>
              ))}
            </dt>
            <dd>{t(words)}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>g</kbd>
          </dt>
          <dd>{t("keys_go")}</dd>
        </div>
        {keys.LETTERS.map(([letter, page]) => (
          <div>
            <dt>
              <kbd>g</kbd>
              <kbd>{letter}</kbd>
            </dt>
            <dd>{t(page)}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">{t("close")}</button>
      </form>
    </dialog>
  );
}

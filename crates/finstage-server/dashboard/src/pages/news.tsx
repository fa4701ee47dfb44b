// News: what was collected, how it sounds, and what it is about.
import { useEffect, useState } from "preact/hooks";
import { Failure, get, path } from "../api";
import { coloursOf, Sentence, SymbolName, Time } from "../parts/said";
import { Empty, ErrorNote, Loading } from "../parts/states";
import { place, refine } from "../router";
import type { NewsItem, Page } from "../shapes";
import { useStore } from "../store";
import { known, languageNow, t } from "../words";

const EVERY_MS = 30_000;
const AT_ONCE = 50;
const WAYS = { positive: "up", neutral: "muted", negative: "down" };

interface State {
  items: NewsItem[];
  next: string | null;
  loading: boolean;
  error: Failure | null;
}

export function News() {
  const { query } = useStore(place);
  const symbol = query.get("symbol") ?? "";
  const [state, setState] = useState<State>({ items: [], next: null, loading: true, error: null });

  const read = async (cursor: string | null, isCurrent: () => boolean = () => true) => {
    setState((old) => ({ ...old, loading: true, error: null }));
    try {
      const page = await get<Page<NewsItem>>(path("news", { symbol, cursor, limit: AT_ONCE }));
      if (!isCurrent()) return;
      setState((old) => ({ items: cursor ? [...old.items, ...page.items] : page.items, next: page.next_cursor, loading: false, error: null }));
    } catch (error) {
      if (isCurrent()) setState((old) => ({ ...old, loading: false, error: error instanceof Failure ? error : new Failure(0, "") }));
    }
  };

  useEffect(() => {
    let isCurrent = true;
    setState({ items: [], next: null, loading: true, error: null });
    void read(null, () => isCurrent);
    // The first page is read again; who has asked for older ones is left to read them.
    const again = setInterval(() => {
      if (document.visibilityState === "visible") setState((old) => (old.items.length <= AT_ONCE && !old.loading ? (void read(null, () => isCurrent), old) : old));
    }, EVERY_MS);
    return () => {
      isCurrent = false;
      clearInterval(again);
    };
  }, [symbol]);

  return (
    <>
      <header class="page-head">
        <h1>{t("news")}</h1>
      </header>
      {symbol && (
        <div class="filters">
          <button type="button" onClick={() => refine({ symbol: null })}>
            {symbol} ✕
          </button>
        </div>
      )}
      {state.error && <ErrorNote failure={state.error} retry={() => void read(null)} />}
      {state.items.length > 0 && (
        <ol class="news-rows" aria-label={t("news")}>
          {state.items.map((item) => (
            <Row key={item.id} item={item} />
          ))}
        </ol>
      )}
      {state.items.length === 0 && state.loading && <Loading />}
      {state.items.length === 0 && !state.loading && !state.error && (
        <Empty title={symbol ? t("news_none_filtered") : t("news_empty")}>{!symbol && <p><Sentence text={t("news_empty_why")} /></p>}</Empty>
      )}
      {state.next && state.items.length > 0 && (
        <button type="button" class="more" disabled={state.loading} onClick={() => void read(state.next)}>
          {t("more")}
        </button>
      )}
    </>
  );
}

/** An address that a browser may follow: feeds are written by others. */
export function followed(link: string): string | null {
  return /^https?:\/\//i.test(link) ? link : null;
}

function Row({ item }: { item: NewsItem }) {
  const title = (languageNow() === "ko" && item.translated) || item.title;
  const link = followed(item.link);
  return (
    <li class={item.story ? "news-row news-retold" : "news-row"}>
      <span class="n-time num">
        <Time at={item.at} />
      </span>
      <span class={item.tone ? WAYS[item.tone] : "muted"} data-colours={coloursOf(item.symbols[0] ?? null)}>
        {item.tone ? known("tone_", item.tone) : ""}
      </span>
      <span class="n-main">
        {link ? (
          <a href={link} target="_blank" rel="noopener noreferrer nofollow" data-row>
            {title}
          </a>
        ) : (
          <span>{title}</span>
        )}
        <span class="n-about">
          <span>{item.source || item.feed}</span>
          {item.sources > 1 && <span>{t("news_feeds", { n: item.sources })}</span>}
          {item.impact !== null && (
            <span class="num" title={t("news_impact_means")}>
              {t("news_impact", { impact: `${item.impact > 0 ? "+" : ""}${item.impact.toFixed(2)}` })}
            </span>
          )}
          {item.story && <span>{t("news_retold")}</span>}
          {item.symbols.map((symbol) => (
            <button type="button" class="link-button" key={symbol} onClick={() => refine({ symbol })}>
              <SymbolName symbol={symbol} plain />
            </button>
          ))}
        </span>
      </span>
    </li>
  );
}

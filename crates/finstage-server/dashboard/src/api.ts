// Requests to the server this page came from, and to nobody else.
import { useEffect, useState } from "preact/hooks";
import { returned } from "./live";
import { Store, useStore } from "./store";

/** Set by the first answer: whether this browser is signed in. */
export const session = new Store<"unknown" | "in" | "out">("unknown");

export class Failure extends Error {
  constructor(
    /** 0 where no answer came. */
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export type Query = Record<string, string | number | boolean | null | undefined | string[]>;

export function path(route: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    if (Array.isArray(value)) for (const one of value) params.append(key, one);
    else params.append(key, String(value));
  }
  const text = params.toString();
  return `/api/v1/${route}${text ? `?${text}` : ""}`;
}

async function send(url: string, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { ...init, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Failure(0, "");
  }
  if (answer.ok) {
    session.set("in");
    return answer;
  }
  if (answer.status === 401) session.set("out");
  let detail = "";
  try {
    const problem: unknown = await answer.json();
    if (problem && typeof problem === "object") {
      const { detail: said, title } = problem as { detail?: unknown; title?: unknown };
      detail = typeof said === "string" ? said : typeof title === "string" ? title : "";
    }
  } catch {
    // The status alone has to do.
  }
  throw new Failure(answer.status, detail);
}

export async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  const answer = await send(url, { headers: { accept: "application/json" }, signal });
  return (await answer.json()) as T;
}

export async function getText(url: string, signal?: AbortSignal): Promise<{ text: string; headers: Headers }> {
  const answer = await send(url, { signal });
  return { text: await answer.text(), headers: answer.headers };
}

/** A request that changes something: the header shows that a page of this origin sent it. */
export async function change<T>(method: "POST" | "DELETE", url: string, body?: unknown): Promise<T | null> {
  const headers: Record<string, string> = { accept: "application/json", "x-finstage": "1" };
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await send(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  return text ? (JSON.parse(text) as T) : null;
}

export interface Resource<T> {
  data: T | null;
  error: Failure | null;
  loading: boolean;
  reload: () => void;
}

/** What stands at `url` (null: nothing yet), read again when the line comes back, and every `everyMs`. */
export function useResource<T>(url: string | null, everyMs = 0): Resource<T> {
  const [state, setState] = useState<{ url: string | null; data: T | null; error: Failure | null; loading: boolean }>({ url: null, data: null, error: null, loading: url !== null });
  const [round, setRound] = useState(0);
  const back = useStore(returned);
  useEffect(() => {
    if (url === null) return;
    const cancel = new AbortController();
    const read = async () => {
      try {
        const data = await get<T>(url, cancel.signal);
        setState({ url, data, error: null, loading: false });
      } catch (error) {
        if (cancel.signal.aborted) return;
        const failure = error instanceof Failure ? error : new Failure(0, String(error));
        setState((old) => ({ url, data: old.url === url ? old.data : null, error: failure, loading: false }));
      }
    };
    setState((old) => ({ ...old, loading: true, error: null, data: old.url === url ? old.data : null }));
    void read();
    const timer = everyMs > 0 ? setInterval(() => document.visibilityState === "visible" && void read(), everyMs) : undefined;
    return () => {
      cancel.abort();
      clearInterval(timer);
    };
  }, [url, round, back, everyMs]);
  const mine = state.url === url;
  return { data: mine ? state.data : null, error: mine ? state.error : null, loading: state.loading || !mine, reload: () => setRound((n) => n + 1) };
}

/** All pages of a list, up to a bound that keeps the page quick. */
export async function getAll<T>(route: string, query: Query, most: number, signal?: AbortSignal): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: { items: T[]; next_cursor: string | null } = await get(path(route, { ...query, limit: 500, cursor }), signal);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return items;
}

/** As `useResource`, over all pages of a list. */
export function useAll<T>(route: string, query: Query, most = 2000): Resource<T[]> {
  const key = path(route, query);
  const [state, setState] = useState<{ data: T[] | null; error: Failure | null; loading: boolean }>({ data: null, error: null, loading: true });
  const [round, setRound] = useState(0);
  const back = useStore(returned);
  useEffect(() => {
    const cancel = new AbortController();
    setState((old) => ({ ...old, loading: true, error: null }));
    getAll<T>(route, query, most, cancel.signal).then(
      (data) => setState({ data, error: null, loading: false }),
      (error: unknown) => {
        if (cancel.signal.aborted) return;
        setState((old) => ({ ...old, error: error instanceof Failure ? error : new Failure(0, String(error)), loading: false }));
      },
    );
    return () => cancel.abort();
  }, [key, round, back]);
  return { ...state, reload: () => setRound((n) => n + 1) };
}

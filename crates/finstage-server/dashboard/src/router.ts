// Addresses behind the `#`: the server knows one page, so every place in it can be linked to.
import { Store } from "./store";

export interface Place {
  page: string;
  /** What comes after the page: an id, a symbol, a strategy. */
  rest: string;
  query: URLSearchParams;
}

export function parse(hash: string): Place {
  const text = hash.replace(/^#\/?/, "");
  const [where = "", query = ""] = text.split("?", 2);
  const slash = where.indexOf("/");
  const page = slash < 0 ? where : where.slice(0, slash);
  const rest = slash < 0 ? "" : decode(where.slice(slash + 1));
  return { page: page || "signals", rest, query: new URLSearchParams(query) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function to(page: string, rest = "", query: Record<string, string | null | undefined> = {}): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value) params.set(key, value);
  const text = params.toString();
  // Brackets, commas and colons stay readable in an address.
  const tail = rest ? `/${encodeURIComponent(rest).replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%3D/g, "=")}` : "";
  return `#/${page}${tail}${text ? `?${text}` : ""}`;
}

export const place = new Store<Place>(parse(typeof location === "undefined" ? "" : location.hash));

export function begin(): void {
  window.addEventListener("hashchange", () => place.set(parse(location.hash)));
}

export function go(address: string): void {
  location.hash = address;
}

/** Changes the query of this page without a step in the history. */
export function refine(query: Record<string, string | null | undefined>): void {
  const { page, rest, query: old } = place.value;
  const all: Record<string, string | null | undefined> = Object.fromEntries(old);
  history.replaceState(null, "", to(page, rest, { ...all, ...query }));
  place.set(parse(location.hash));
}

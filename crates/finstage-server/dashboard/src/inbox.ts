// The inbox: signals newest first, those that arrive while the reader is elsewhere held back and counted.
import { Failure, get, path } from "./api";
import { hear, returned } from "./live";
import type { Page, Signal } from "./shapes";
import { Store } from "./store";

export interface Filters {
  symbol: string;
  strategy: string;
  verdict: string;
}

export interface Inbox {
  filters: Filters;
  items: Signal[];
  held: Signal[];
  next: string | null;
  loading: boolean;
  error: Failure | null;
  /** Ids that came by the socket and were not looked at: they are lit for a moment. */
  fresh: ReadonlySet<string>;
}

/** Signals that are kept; what is older is read again when the reader asks for it from the start. */
export const MOST = 2000;
export const EMPTY: Inbox = { filters: { symbol: "", strategy: "", verdict: "" }, items: [], held: [], next: null, loading: true, error: null, fresh: new Set() };
export const inbox = new Store<Inbox>(EMPTY);

export function matches(signal: Signal, filters: Filters): boolean {
  if (filters.symbol && signal.symbol !== filters.symbol) return false;
  if (filters.verdict && signal.verdict !== filters.verdict) return false;
  if (!filters.strategy) return true;
  return signal.strategy === filters.strategy || signal.strategy.split("(")[0] === filters.strategy;
}

function newestFirst(one: Signal, other: Signal): number {
  return one.at < other.at ? 1 : one.at > other.at ? -1 : 0;
}

/** Each signal once; the later word about one counts, because its verdict may have come meanwhile. */
export function merge(old: readonly Signal[], more: readonly Signal[]): Signal[] {
  const byId = new Map(old.map((signal) => [signal.id, signal]));
  for (const signal of more) byId.set(signal.id, signal);
  return [...byId.values()].sort(newestFirst);
}

/** Where the oldest are dropped, the cursor of still older ones would leave a hole, so it goes too. */
function bounded(state: Inbox, more: readonly Signal[]): Pick<Inbox, "items" | "next"> {
  const items = merge(state.items, more);
  return items.length > MOST ? { items: items.slice(0, MOST), next: null } : { items, next: state.next };
}

/** A signal came by the socket. */
export function arrive(state: Inbox, signal: Signal, hold: boolean): Inbox {
  if (!matches(signal, state.filters)) return state;
  if (state.items.some((old) => old.id === signal.id)) return { ...state, items: merge(state.items, [signal]) };
  if (hold) return { ...state, held: merge(state.held, [signal]) };
  return { ...state, ...bounded(state, [signal]), fresh: new Set([...state.fresh, signal.id].slice(-100)) };
}

/** The reader asked for what was held back. */
export function release(state: Inbox): Inbox {
  const fresh = new Set([...state.fresh, ...state.held.map((signal) => signal.id)].slice(-100));
  return { ...state, ...bounded(state, state.held), held: [], fresh };
}

/** Set by the page: whether new signals would move what is being read. */
export const hold = new Store(false);
let round = 0;

async function read(filters: Filters, cursor: string | null): Promise<Page<Signal>> {
  return get(path("signals", { ...filters, limit: 100, cursor }));
}

/** Reads the newest, and keeps what is there when the filters are the same. */
export async function load(filters: Filters): Promise<void> {
  const mine = ++round;
  const same = JSON.stringify(filters) === JSON.stringify(inbox.value.filters);
  inbox.set({ ...(same ? inbox.value : EMPTY), filters, loading: true, error: null });
  try {
    const page = await read(filters, null);
    if (mine !== round) return;
    const state = inbox.value;
    const known = state.items.length > 0;
    const overlaps = page.items.some((signal) => state.items.some((old) => old.id === signal.id));
    // Without overlap there may be a hole between the two, so the old ones go.
    const items = known && overlaps ? merge(state.items, page.items) : page.items;
    inbox.set({ ...state, items, held: [], next: known && overlaps ? state.next : page.next_cursor, loading: false });
  } catch (error) {
    if (mine === round) inbox.set({ ...inbox.value, loading: false, error: error instanceof Failure ? error : new Failure(0, "") });
  }
}

export async function older(): Promise<void> {
  const { next, filters, loading } = inbox.value;
  if (!next || loading) return;
  const mine = round;
  inbox.set({ ...inbox.value, loading: true });
  try {
    const page = await read(filters, next);
    if (mine !== round) return;
    inbox.set({ ...inbox.value, items: merge(inbox.value.items, page.items), next: page.next_cursor, loading: false });
  } catch (error) {
    if (mine === round) inbox.set({ ...inbox.value, loading: false, error: error instanceof Failure ? error : new Failure(0, "") });
  }
}

/** Signals since the reader last looked at the inbox. */
export const unseen = new Store(0);
let looking = false;

export function look(at: boolean): void {
  looking = at;
  if (at) unseen.set(0);
  // What was lit once is not lit again when the reader comes back.
  else inbox.set({ ...inbox.value, fresh: new Set() });
}

export function begin(): void {
  hear((push) => {
    if (push.type !== "signal") return;
    if (!looking || document.visibilityState !== "visible") unseen.set(unseen.value + 1);
    inbox.set(arrive(inbox.value, push.signal, looking && hold.value));
  });
  document.addEventListener("visibilitychange", () => looking && document.visibilityState === "visible" && unseen.set(0));
  returned.listen(() => !inbox.value.loading && void load(inbox.value.filters));
}

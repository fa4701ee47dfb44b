// The socket: dials, listens, dials again. What it hears goes to whoever listens; what it is, to `line`.
import { next, START, subscription, type Happened, type Line } from "./line";
import type { Push } from "./shapes";
import { Store } from "./store";

export const line = new Store<Shown>({ phase: START.phase, lostAt: START.lostAt });
let state: Line = START;

/** What views draw of the line: its cursor moves with every message, and nobody draws that. */
export type Shown = Pick<Line, "phase" | "lostAt">;
/** Counts returns after a loss: pages read their figures anew when it changes. */
export const returned = new Store(0);

/** The server says something every 30 s at least; a line that is silent for longer is dead. */
const SILENCE_MS = 75_000;
const HEARTBEAT_MS = 25_000;

type Listener = (push: Push) => void;
const listeners = new Set<Listener>();
let socket: WebSocket | null = null;
let redial: ReturnType<typeof setTimeout> | undefined;
let heartbeat: ReturnType<typeof setInterval> | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;

export function hear(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function start(): void {
  window.addEventListener("online", () => dialNow());
  window.addEventListener("offline", () => socket?.close());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && state.lostAt !== null) dialNow();
  });
  dial();
}

/** Someone asked, or the network came back: no more waiting. */
export function dialNow(): void {
  if (socket && socket.readyState <= WebSocket.OPEN) return;
  clearTimeout(redial);
  dial();
}

function happen(happened: Happened): void {
  state = next(state, happened);
  if (state.phase !== line.value.phase || state.lostAt !== line.value.lostAt) line.set({ phase: state.phase, lostAt: state.lostAt });
}

function dial(): void {
  happen({ kind: "dialled" });
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const mine = new WebSocket(`${scheme}://${location.host}/ws/realtime`);
  socket = mine;
  let greeted = false;
  const wasLost = state.lostAt !== null;
  listenForSilence(mine);
  mine.onmessage = (message) => {
    listenForSilence(mine);
    const push = parse(message.data);
    if (!push) return;
    if (!greeted) {
      greeted = true;
      // Before the greeting's own cursor is noted: that one lies behind what was missed.
      mine.send(JSON.stringify(subscription(state)));
      heartbeat = setInterval(() => mine.send('{"action":"heartbeat"}'), HEARTBEAT_MS);
      happen({ kind: "greeted" });
      if (wasLost) returned.set(returned.value + 1);
      if (push.type === "system_status") {
        if (state.cursor === null) happen({ kind: "said", cursor: push.cursor });
        return;
      }
    }
    take(push);
  };
  mine.onclose = () => {
    clearInterval(heartbeat);
    clearTimeout(silence);
    if (socket !== mine) return;
    socket = null;
    void lost();
  };
}

function take(push: Push): void {
  if (push.type === "error" && /cursor|since/.test(push.code ?? "")) {
    happen({ kind: "cursor_refused" });
    returned.set(returned.value + 1);
    socket?.send(JSON.stringify(subscription(state)));
    return;
  }
  if ("cursor" in push) happen({ kind: "said", cursor: push.cursor });
  for (const listener of [...listeners]) listener(push);
}

/** A browser does not say why a socket was refused, so a plain request asks whether this is still signed in. */
async function lost(): Promise<void> {
  happen({ kind: "lost", at: Date.now(), random: Math.random() });
  clearTimeout(redial);
  redial = setTimeout(dial, state.waitMs);
  try {
    const answer = await fetch("/api/v1/system", { headers: { accept: "application/json" } });
    if (answer.status === 401) {
      clearTimeout(redial);
      happen({ kind: "denied" });
    }
  } catch {
    // No answer at all: the waiting goes on.
  }
}

function listenForSilence(mine: WebSocket): void {
  clearTimeout(silence);
  silence = setTimeout(() => mine.close(), SILENCE_MS);
}

function parse(data: unknown): Push | null {
  if (typeof data !== "string") return null;
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null && "type" in value ? (value as Push) : null;
  } catch {
    return null;
  }
}

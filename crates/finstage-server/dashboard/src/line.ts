// The line to the server as a state machine: pure, so that its promises can be tested without a socket.

export type Phase = "connecting" | "live" | "reconnecting" | "offline" | "signed_out";

export interface Line {
  phase: Phase;
  /** Attempts since the line was last live. */
  attempt: number;
  /** When it was lost, in milliseconds; null while it holds. */
  lostAt: number | null;
  /** How long to wait before the next attempt. */
  waitMs: number;
  /** The last cursor that was seen, as the server wrote it. */
  cursor: unknown;
}

export type Happened =
  | { kind: "dialled" }
  | { kind: "greeted" }
  | { kind: "said"; cursor: unknown }
  | { kind: "lost"; at: number; random: number }
  | { kind: "denied" }
  | { kind: "cursor_refused" };

/** Attempts after which the page says "offline" instead of "reconnecting". */
export const ATTEMPTS_UNTIL_OFFLINE = 4;
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 15_000;

export const START: Line = { phase: "connecting", attempt: 0, lostAt: null, waitMs: 0, cursor: null };

/** Doubling waits with a spread, so that many pages do not come back in the same moment. */
export function waitMs(attempt: number, random: number): number {
  const full = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 10));
  return Math.round(full * (0.75 + 0.5 * random));
}

export function next(line: Line, happened: Happened): Line {
  switch (happened.kind) {
    case "dialled":
      return line.lostAt === null ? { ...line, phase: "connecting" } : line;
    case "greeted":
      return { ...line, phase: "live", attempt: 0, lostAt: null, waitMs: 0 };
    case "said":
      return happened.cursor === undefined || happened.cursor === null ? line : { ...line, cursor: happened.cursor };
    case "lost": {
      const attempt = line.attempt + 1;
      return {
        ...line,
        phase: attempt > ATTEMPTS_UNTIL_OFFLINE ? "offline" : "reconnecting",
        attempt,
        lostAt: line.lostAt ?? happened.at,
        waitMs: waitMs(line.attempt, happened.random),
      };
    }
    case "denied":
      return { ...line, phase: "signed_out", cursor: null };
    case "cursor_refused":
      return { ...line, cursor: null };
  }
}

/** What is sent after the greeting: everything, from where the page left off. */
export function subscription(line: Line): Record<string, unknown> {
  const all = { action: "subscribe", type: "all" };
  return line.cursor === null || line.cursor === undefined ? all : { ...all, since: line.cursor };
}

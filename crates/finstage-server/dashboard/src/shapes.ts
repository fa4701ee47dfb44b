// What the server says, as far as the page reads it. Fields that may be missing are optional: an older server
// and a card that is no longer in force send fewer.

export type Direction = "long" | "short";
export type Verdict = "verified" | "unproven" | "rejected" | "withheld" | "pending";

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Bar {
  timestamp: string;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

/** All figures about one strategy, scope and horizon: a row of `finstage verify`. */
export interface Card {
  id?: string;
  strategy?: string;
  scope?: string;
  interval?: string;
  horizon?: string;
  claim?: "direction" | "size";
  direction?: Direction;
  members?: { symbol: string; n: number }[];
  from?: string;
  to?: string;
  n?: number;
  n_eff?: number;
  cost?: number;
  mean_return?: number | null;
  theta_net?: number | null;
  net_low?: number | null;
  net_high?: number | null;
  mde?: number | null;
  shrunken?: number | null;
  hit_rate?: number | null;
  hit_low?: number | null;
  hit_high?: number | null;
  base_rate?: number | null;
  times_usual?: number | null;
  p_value?: number | null;
  q_value?: number | null;
  family?: number;
  threshold?: number | null;
  oos_kind?: string;
  parameter_sets?: number;
  dsr?: number | null;
  pbo?: number | null;
  missing_share?: number | null;
  verdict?: Verdict;
  grade?: string | null;
  reasons?: string[];
  words?: string;
  issued?: string;
  expires?: string;
  proven_at?: string | null;
}

export interface HorizonOutcome {
  horizon: string;
  due?: string | null;
  known?: boolean;
  return?: number | null;
  hit?: boolean | null;
}

export interface Signal {
  id: string;
  symbol: string;
  interval: string;
  strategy: string;
  direction: Direction;
  at: string;
  timestamp: string;
  price: number;
  strength?: number | null;
  facts?: Record<string, number> | null;
  verdict: Verdict;
  reasons: string[];
  card: Card | null;
  rule?: string;
  rule_ko?: string | null;
  horizon_outcomes?: HorizonOutcome[] | null;
}

export interface Alert {
  id: string;
  symbol: string;
  kind: string;
  status: string;
  reasons: string[];
  at: string;
  said_at?: string;
  price: number;
  rule: string;
  words: string;
  words_ko?: string | null;
  card?: Card | null;
  alert?: { direction?: Direction; interval?: string; signal?: string; verdict?: Verdict; base?: number } | null;
}

export interface SignalDetail extends Signal {
  outcomes?: HorizonOutcome[];
  chart?: { interval: string; bars: Bar[] } | null;
  alerts?: Alert[];
  data_age_ms?: number | null;
}

export interface Instrument {
  symbol: string;
  name: string;
  name_ko?: string | null;
  category?: string | null;
  currency?: string | null;
  calendar?: string | null;
  zone?: string | null;
  quote_delay_s?: number | null;
  watched?: boolean;
  open?: boolean | null;
  opens_at?: string | null;
  closes_at?: string | null;
}

export interface Price {
  symbol: string;
  price: number;
  currency?: string | null;
  at: string;
  previous_close?: number | null;
  change?: number | null;
  change_percent?: number | null;
  volume?: number | null;
  delay_s?: number | null;
  age_ms?: number | null;
  market_status?: "open" | "closed" | "unknown";
}

export interface Indicators {
  symbol: string;
  interval: string;
  timestamps: string[];
  columns: Record<string, (number | null)[]>;
}

export interface StoredSeries {
  symbol: string;
  interval: string;
  bars?: number;
  first?: string | null;
  last?: string | null;
}

export interface Strategy {
  name: string;
  params?: Record<string, unknown>;
  direction?: Direction;
  describes?: string;
  describes_ko?: string | null;
  rule?: string;
  running?: { interval: string; symbols: string[] }[];
  cards?: Card[];
}

export interface LiveStatistic {
  strategy: string;
  interval: string;
  direction: Direction;
  horizon: string;
  n: number;
  occasions: number;
  win_rate: number | null;
  win_low: number | null;
  win_high: number | null;
  base_rate: number | null;
  mean: number | null;
  profit_factor: number | null;
  max_drawdown: number | null;
  is_few: boolean;
}

export interface Reliability {
  said: number;
  came: number;
  low: number;
  high: number;
  n: number;
}

export interface WatchedCard {
  card: string;
  strategy: string;
  scope: string;
  interval: string;
  horizon: string;
  direction: Direction;
  state: string;
  expires: string;
  words?: string;
  drift: {
    sum: number;
    limit: number;
    occasions: number;
    expected: number | null;
    mean: number | null;
    since?: string | null;
    muted_at?: string | null;
  } | null;
}

export interface TrackRecord {
  entries: number;
  head: string | null;
  ok: boolean;
  statistics: {
    provenance?: string;
    statistics: LiveStatistic[];
    cards: WatchedCard[];
    calibration: { n: number; brier: number | null; brier_base: number | null; reliability: Reliability[] } | null;
  } | null;
}

/** What became of a signal after one horizon. */
export interface Outcome {
  signal: string;
  symbol: string;
  interval: string;
  strategy: string;
  direction: Direction;
  at: string;
  verdict: Verdict;
  horizon: string;
  exit_at?: string | null;
  return: number | null;
  mfe?: number | null;
  mae?: number | null;
  hit: boolean | null;
}

export interface Watch {
  id: string;
  symbol: string;
  rule: string;
  kind?: string;
  threshold?: number | null;
  repeat_s?: number | null;
  created_at?: string | null;
  origin?: "config" | "added";
}

export interface Feed {
  venue: string;
  symbols?: string[];
  state?: string;
  connected: boolean;
  last_event_at?: string | null;
  age_ms?: number | null;
  messages?: number;
  events?: number;
  reconnects?: number;
  gaps?: number;
  repaired?: number;
  duplicates?: number;
  undecoded?: number;
  trades_filled?: number;
  trades_lost?: number;
  stale?: boolean;
  sealed?: Sealed | null;
}

/** The frames of a feed that comes sealed. */
export interface Sealed {
  state: "ok" | "refused" | "fallback";
  opened: number;
  failed: number;
  replayed: number;
  slow: number;
  last_refused_at?: string | null;
  fallback: boolean;
}

export interface Quota {
  rule: string;
  limit: number;
  window_s: number;
  used: number;
  by_others: number;
  headroom: number;
  guard_ms: number;
}

export interface Remote {
  name: string;
  breaker: "closed" | "half_open" | "open";
  opens: number;
  blocked_until?: string | null;
  sent: number;
  retries: number;
  refused: number;
  failed: number;
  in_flight: number;
  waiting: number;
  mean_wait_ms: number;
  longest_wait_ms: number;
  quotas: Quota[];
}

export interface System {
  version: string;
  started_at: string;
  uptime_s: number;
  now: string;
  timezone?: string | null;
  language?: "en" | "ko" | null;
  kind?: "real" | "demo";
  journal?: { synced?: string | number | null; bytes?: number | null } | null;
  records?: { bytes?: number | null } | null;
  memory_bytes?: number | null;
  cpu_seconds?: number | null;
  feeds?: Feed[];
  remotes?: Remote[];
  notifiers?: { name: string; queued?: number; delivered?: number; failed?: number; retried?: number; last_error?: string | null }[];
  series?: { symbol: string; interval: string; last_close?: string | null; bars?: number | null; gaps?: number | null }[];
  queue?: { depth?: number; bound?: number } | null;
  websocket?: { clients?: number; dropped?: number } | null;
  checks?: HealthCheck[];
}

export interface HealthCheck {
  name: string;
  ok: boolean;
  detail: string;
  detail_ko?: string | null;
}

export interface NewsItem {
  id: string;
  at: string;
  published: string | null;
  title: string;
  translated: string | null;
  summary: string;
  link: string;
  source: string;
  feed: string;
  sources: number;
  story: string | null;
  symbols: string[];
  tone: "positive" | "neutral" | "negative" | null;
  impact: number | null;
  sensitive: boolean | null;
}

export interface Task {
  id: number;
  type: string;
  state: string;
  priority: string;
  created_at: string;
  run_at: string;
  attempts: number;
  attempts_max: number;
  progress: number;
  doing?: string | null;
  cancel_asked?: boolean;
  leased_at?: string | null;
  finished_at?: string | null;
  result?: unknown;
  error?: string | null;
}

export interface Schedule {
  name: string;
  describes: string;
  when: string;
  zone: string;
  enabled: boolean;
  catch_up: string;
  jitter_s: number;
  last_at?: string | null;
  next: string[];
}

export interface Verification {
  ok: boolean;
  checks: { name: string; ok: boolean; reason?: string; figures?: Record<string, string>; detail: string }[];
}

/** What the socket says; unknown kinds are passed over. */
export type Push =
  | { type: "price_update"; cursor?: unknown; symbol: string; current_price: number; change_amount?: number | null; change_percent?: number | null; volume?: number | null; market_status?: Price["market_status"]; timestamp: string }
  | { type: "signal"; cursor?: unknown; signal: Signal }
  | { type: "alert"; cursor?: unknown; alert: Alert }
  | { type: "technical_analysis"; cursor?: unknown; symbol: string; interval: string; bar: Bar }
  | { type: "system_status"; cursor?: unknown }
  | { type: "subscription"; action?: string; cursor?: unknown }
  | { type: "heartbeat"; server_time?: string }
  | { type: "error"; code?: string; message?: string };

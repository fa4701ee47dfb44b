// Stands in for the server while one works on the page: `npm run build && npm run mock`, then open the link it prints.
// Same paths, same words, same policy of content; the world behind it is invented (see market.mjs).
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { WebSocketServer } from "ws";
import { INSTRUMENTS, Market } from "./market.mjs";

const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
};
const port = Number(option("port", "8090"));
const market = new Market(Number(option("seed", "1")), Date.now());
const folder = new URL("../dist", import.meta.url).pathname;
const POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const KINDS = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8" };
const started = Date.now();
const codes = new Set([randomBytes(9).toString("base64url")]);
const sessions = new Set();
const pushed = [];
let cursor = 0;

const page = (items, query) => {
  const limit = Math.min(500, Number(query.get("limit") ?? 50));
  const from = Number(query.get("cursor") ?? 0);
  return { items: items.slice(from, from + limit), next_cursor: from + limit < items.length ? String(from + limit) : null };
};

class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const only = (items, query, fields) => items.filter((item) => fields.every((field) => !query.get(field) || item[field] === query.get(field) || (field === "strategy" && item.strategy.split("(")[0] === query.get(field))));

function system(now) {
  return {
    version: "0.0.0-mock", started_at: new Date(started).toISOString(), uptime_s: Math.floor((now - started) / 1000), now: new Date(now).toISOString(), timezone: null, language: null, kind: "demo",
    journal: { synced: "2026-01-05/1#1228320", bytes: 184_320_000 }, records: { bytes: 9_437_184 }, memory_bytes: 87_031_808, cpu_seconds: 12.4,
    feeds: [
      { venue: "binance", symbols: INSTRUMENTS.slice(0, 3).map(({ symbol }) => symbol), state: "up", connected: true, last_event_at: new Date(now - 240).toISOString(), age_ms: 240, messages: 184_233, events: 181_002, reconnects: 1, gaps: 1, repaired: 1, duplicates: 3, undecoded: 0, stale: false, sealed: { state: "refused", opened: 184_231, failed: 2, replayed: 1, slow: 0, last_refused_at: new Date(now - 41_000).toISOString(), fallback: false } },
      { venue: "yahoo", symbols: INSTRUMENTS.slice(3).map(({ symbol }) => symbol), state: "stale", connected: true, last_event_at: new Date(now - 95_000).toISOString(), age_ms: 95_000, messages: 312, events: 290, reconnects: 0, gaps: 0, repaired: 0, duplicates: 22, undecoded: 0, stale: true },
    ],
    remotes: [
      { name: "binance", breaker: "closed", opens: 0, blocked_until: null, sent: 4_211, retries: 3, refused: 0, failed: 3, in_flight: 1, waiting: 0, mean_wait_ms: 1.4, longest_wait_ms: 812, quotas: [{ rule: "weight", limit: 6_000, window_s: 60, used: 842, by_others: 120, headroom: 5_158, guard_ms: 41 }, { rule: "connects", limit: 300, window_s: 300, used: 2, by_others: 0, headroom: 298, guard_ms: 41 }] },
      { name: "yahoo", breaker: "open", opens: 1, blocked_until: null, sent: 96, retries: 12, refused: 1, failed: 14, in_flight: 0, waiting: 3, mean_wait_ms: 390, longest_wait_ms: 2_250, quotas: [{ rule: "requests", limit: 1, window_s: 0.75, used: 1, by_others: 0, headroom: 0, guard_ms: 80 }] },
      { name: "telegram", breaker: "closed", opens: 0, blocked_until: null, sent: 38, retries: 0, refused: 0, failed: 0, in_flight: 0, waiting: 0, mean_wait_ms: 0, longest_wait_ms: 0, quotas: [] },
    ],
    notifiers: [{ name: "telegram", queued: 0, delivered: 38, failed: 0, retried: 1, last_error: null }, { name: "webhook", queued: 2, delivered: 11, failed: 3, retried: 9, last_error: "the address answered 503; it is tried again" }],
    series: INSTRUMENTS.flatMap(({ symbol }) => ["15m", "1d"].map((interval) => ({ symbol, interval, last_close: market.bars.get(`${symbol} ${interval}`).at(-1).timestamp, bars: market.bars.get(`${symbol} ${interval}`).length, gaps: symbol.includes("SOL") ? 1 : 0 }))),
    queue: { depth: 3, bound: 65_536 }, websocket: { clients: sockets.clients.size, dropped: 0 },
  };
}

function report(query, now) {
  const date = query.get("date") ?? new Date(now - 86_400_000).toISOString().slice(0, 10);
  const text = `Daily report: ${date}\n=====================================\nbinance, yahoo; 6 instruments. ${date} 00:00 to 24:00, UTC\n\nSignals\n-------\nverified 8 · unproven 131 · rejected 20 · withheld 3\n\nAlerts\n------\nDecided to send 8 · delivered 8 · withheld 154\n`;
  if (query.get("format") === "html") return { kind: "text/html; charset=utf-8", body: `<!doctype html><title>Report</title><pre>${text}</pre>` };
  return { kind: "text/plain; charset=utf-8", body: text };
}

const READ = {
  instruments: (query, now) => page(INSTRUMENTS.map((one) => market.instrument(one, now)).filter((one) => !query.get("q") || one.symbol.includes(query.get("q"))), query),
  prices: (_, now) => ({ items: INSTRUMENTS.map((one) => market.price(one, now)) }),
  "bars/series": (query) => ({ items: [...market.bars].filter(([key]) => key.startsWith(`${query.get("symbol")} `)).map(([key, bars]) => ({ symbol: query.get("symbol"), interval: key.split(" ")[1], bars: bars.length, first: bars[0].timestamp, last: bars.at(-1).timestamp })) }),
  bars: (query) => {
    const bars = market.bars.get(`${query.get("symbol")} ${query.get("interval")}`) ?? [];
    const limit = Number(query.get("limit") ?? 50);
    const end = query.get("cursor") ? Number(query.get("cursor")) : bars.length;
    return { items: bars.slice(Math.max(0, end - limit), end), next_cursor: end > limit ? String(end - limit) : null };
  },
  indicators: (query) => market.indicators(query.get("symbol"), query.get("interval"), query.getAll("spec"), Number(query.get("limit") ?? 50)),
  signals: (query) => page(only(market.signals, query, ["symbol", "strategy", "verdict"]), query),
  strategies: (query) => page(market.strategies(), query),
  "strategies/cards": (query) => page(only(market.cards, query, ["verdict"]), query),
  "track-record": () => market.trackRecord(),
  alerts: (query) => page(only(market.alerts, query, ["symbol", "status"]), query),
  outcomes: (query) => page(market.signals.flatMap((signal) => signal.horizon_outcomes.filter(({ known }) => known).map((one) => ({ ...signal, signal: signal.id, horizon: one.horizon, exit_at: one.due, return: one.return, hit: one.hit, mfe: Math.abs(one.return) * 1.4, mae: -Math.abs(one.return) * 0.7 }))), query),
  news: (query, now) => whole(news(now).filter((one) => !query.get("symbol") || one.symbols.includes(query.get("symbol")))),
  watches: () => ({ items: market.watches, next_cursor: null }),
  system: (_, now) => system(now),
  schedules: (_, now) => whole(JOBS.map(([name, when, every]) => ({ name, describes: name, when, zone: "UTC", enabled: name !== "verify", catch_up: "once", jitter_s: 60, last_at: new Date(now - (now % every)).toISOString(), next: [1, 2, 3].map((n) => new Date(now - (now % every) + n * every).toISOString()) }))),
  tasks: (query, now) => whole(tasks(now).filter((one) => !query.get("state") || one.state === query.get("state"))),
};

const JOBS = [
  ["outcomes", "every 1h", 3_600_000],
  ["report", "08:00 UTC", 86_400_000],
  ["backfill", "01:10 UTC", 86_400_000],
  ["verify", "02:30 UTC", 86_400_000],
];

const whole = (items) => ({ items, next_cursor: null });

function news(now) {
  const at = (ago) => new Date(now - ago).toISOString();
  const one = (id, ago, title, tone, impact, more) => ({ id, at: at(ago), published: at(ago + 60_000), title, translated: null, summary: "", link: `https://wire.example/${id}`, source: "Wire", feed: "wire.example/rss", sources: 1, story: null, symbols: [INSTRUMENTS[0].symbol], tone, score: impact, impact, sensitive: Math.abs(impact) > 0.5, confidence: 0.6, read_by: "lexicon", known_at: at(ago), ...more });
  return [
    one("d4", 240_000, "Shares jump after a record quarter, analysts say", "positive", 0.62, { story: "d1", source: "Gazette" }),
    one("d3", 900_000, "Company to hold its annual meeting in March", "neutral", 0, { sources: 3 }),
    one("d2", 5_400_000, "실적 쇼크에 주가 급락, 목표주가 줄하향", "negative", -0.71, { source: "경제신문", symbols: INSTRUMENTS.slice(0, 3).map((each) => each.symbol) }),
    one("d1", 90_000_000, "Shares jump to all-time high after record quarter", "positive", 0.66, { translated: "분기 최대 실적에 사상 최고가", link: "javascript:alert(1)" }),
  ];
}

function tasks(now) {
  const at = (ago) => new Date(now - ago).toISOString();
  const task = (id, type, state, more) => ({ id, type, state, priority: "normal", created_at: at(60_000), run_at: at(60_000), attempts: 1, attempts_max: 3, progress: 0, doing: null, cancel_asked: false, leased_at: at(50_000), finished_at: null, result: null, error: null, ...more });
  return [
    task(4, "backfill", "running", { progress: 0.4, doing: "binance:BTCUSDT 1m" }),
    task(3, "verify", "dead", { attempts: 3, finished_at: at(40_000), error: "the ledger of trials is not whole: row 7" }),
    task(2, "report", "waiting", { run_at: at(-600_000), error: "the disk is full" }),
    task(1, "outcomes", "done", { progress: 1, finished_at: at(45_000), result: { signals: 2, outcomes: 5, muted: 0 } }),
  ];
}

function detail(id, now) {
  const signal = market.signals.find((one) => one.id === id);
  if (!signal) throw new Problem(404, `no signal ${id} is stored; \`finstage signals list\` shows those that are`);
  const bars = market.bars.get(`${signal.symbol} ${signal.interval}`);
  const at = Math.max(0, bars.findIndex((bar) => bar.timestamp === signal.timestamp));
  return { ...signal, outcomes: signal.horizon_outcomes, chart: { interval: signal.interval, bars: bars.slice(Math.max(0, at - 80), at + 40) }, alerts: market.alerts.filter((one) => one.alert.signal === id), data_age_ms: 240, now };
}

async function api(request, url) {
  const route = url.pathname.slice("/api/v1/".length);
  const now = Date.now();
  const [head, id, verb] = route.split("/").map(decodeURIComponent);
  if (request.method !== "GET" && request.headers["x-finstage"] !== "1") throw new Problem(403, "a page that writes sends the header x-finstage: 1");
  if (request.method === "POST" && head === "signals" && verb === "verify") return { ok: true, checks: [{ name: "id", ok: true, reason: "id_same", figures: {}, detail: "strategy, instrument, bar and direction give this id" }, { name: "card", ok: true, reason: "card_not_needed", figures: {}, detail: "it is not verified: no card has to prove it" }] };
  if (request.method === "POST" && route === "watches") {
    let text = "";
    for await (const part of request) text += part;
    const { symbol, rule } = JSON.parse(text);
    if (!/^[a-z_]+(=\d+(\.\d+)?%?)?$/.test(rule)) throw new Problem(400, `rule ${rule}: not a rule`);
    const watch = { id: randomBytes(6).toString("hex"), symbol, rule, kind: rule.split("=")[0], threshold: null, repeat_s: 3600, created_at: new Date(now).toISOString(), origin: "added" };
    market.watches.push(watch);
    return watch;
  }
  if (request.method === "DELETE" && head === "logins") {
    sessions.delete(cookie(request));
    return null;
  }
  if (request.method === "DELETE" && head === "watches") {
    market.watches = market.watches.filter((watch) => watch.id !== id);
    return null;
  }
  if (head === "signals" && id) return detail(id, now);
  if (route === "reports/daily") return report(url.searchParams, now);
  const read = READ[route];
  if (!read) throw new Problem(404, `no resource ${url.pathname}; /openapi.json lists what there is`);
  return read(url.searchParams, now);
}

function cookie(request) {
  return /finstage_session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
}

function answer(response, status, kind, body, more = {}) {
  const bytes = gzipSync(body);
  response.writeHead(status, { "content-type": kind, "content-encoding": "gzip", "content-length": bytes.length, "content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", ...more });
  response.end(bytes);
}

async function serveFile(url, response) {
  const name = url.pathname === "/" ? "/index.html" : url.pathname;
  if (!/^\/(index\.html|assets\/[\w.]+)$/.test(name)) throw new Problem(404, "no such file");
  const body = await readFile(join(folder, name)).catch(() => {
    throw new Problem(404, "no such file; `npm run build` writes the page");
  });
  answer(response, 200, KINDS[extname(name)] ?? "application/octet-stream", body, { etag: `"${createHash("sha256").update(body).digest("hex").slice(0, 16)}"`, "cache-control": "no-cache" });
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, `http://${request.headers.host}`);
  try {
    const code = url.searchParams.get("login");
    if (url.pathname === "/" && code) {
      if (!codes.has(code)) throw new Problem(401, "this link was used or is too old; finstage token link prints a new one");
      if (!option("reuse", null)) codes.delete(code);
      const session = randomBytes(18).toString("base64url");
      sessions.add(session);
      response.writeHead(303, { location: "/", "set-cookie": `finstage_session=${session}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000` });
      response.end();
      return;
    }
    if (!url.pathname.startsWith("/api/")) return await serveFile(url, response);
    if (!sessions.has(cookie(request))) throw new Problem(401, "not signed in; finstage token link prints a link");
    const said = await api(request, url);
    if (said === null) answer(response, 204, "application/json", "");
    else if (said.kind && said.body) answer(response, 200, said.kind, said.body);
    else answer(response, 200, "application/json", JSON.stringify(said));
  } catch (error) {
    const status = error instanceof Problem ? error.status : 500;
    answer(response, status, "application/problem+json", JSON.stringify({ type: "about:blank", title: status === 500 ? "internal error" : "problem", status, detail: error.message, instance: url.pathname }));
  }
});

const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (request, socket, head) => {
  if (!request.url.startsWith("/ws/realtime") || !sessions.has(cookie(request))) {
    socket.end("HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n");
    return;
  }
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.send(JSON.stringify({ type: "system_status", client_id: randomBytes(4).toString("hex"), actions: ["subscribe"], types: ["all"], cursor }));
    client.on("message", (data) => {
      const { action, since } = JSON.parse(String(data));
      if (action === "subscribe") {
        client.send(JSON.stringify({ type: "subscription", action: "subscribed" }));
        client.isSubscribed = true;
        if (since !== undefined) for (const push of pushed) if (push.cursor > since) client.send(JSON.stringify(push));
      } else if (action === "heartbeat") client.send(JSON.stringify({ type: "heartbeat", server_time: new Date().toISOString() }));
    });
  });
});

function push(message) {
  cursor += 1;
  const said = { ...message, cursor };
  if (message.type === "signal" || message.type === "alert") pushed.push(said);
  if (pushed.length > 500) pushed.shift();
  const text = JSON.stringify(said);
  for (const client of sockets.clients) if (client.isSubscribed) client.send(text);
}

setInterval(() => market.move(Date.now()).forEach(push), 400);
setInterval(() => {
  const { signal, alert } = market.say(Date.now());
  push({ type: "signal", signal });
  push({ type: "alert", alert });
}, Number(option("every", "6000")));

server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}/?login=${[...codes][0]}`));

// The page in a real browser, against a server that runs already (the binary's, or `npm run mock`):
//   node tests/browser.mjs LINK [--shots FOLDER] [--docs FOLDER] [--browser FILE]
// LINK is the one-time login link. Prints a line a check and ends with 1 where one does not hold.
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { chromium } from "playwright-core";

const LARGEST_PAGE_BYTES = 250 * 1024;
const SLOWEST_FIRST_PAINT_MS = 300;
const PATIENCE_MS = 30_000;
const PAGES = ["signals", "markets", "strategies", "track", "alerts", "news", "report", "data", "tasks", "system"];
const STATIC = /^\/(assets\/[\w.]+)?$/;

const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
};
const link = process.argv[2];
if (!link?.startsWith("http")) {
  console.error("usage: node tests/browser.mjs LINK [--shots FOLDER] [--docs FOLDER] [--browser FILE]");
  process.exit(2);
}
const base = new URL(link).origin;
const shots = option("shots", "shots");
const docs = option("docs", null);

/** What stands between browser and server, so that the line can be cut without asking either. */
class Proxy {
  constructor(host, port) {
    this.isCut = false;
    this.sockets = new Set();
    this.server = createServer((near) => {
      if (this.isCut) return near.destroy();
      const far = connect(port, host);
      for (const [one, other] of [[near, far], [far, near]]) {
        this.sockets.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => (this.sockets.delete(one), other.destroy()));
        one.pipe(other);
      }
    });
  }

  listen() {
    return new Promise((done) => this.server.listen(0, "127.0.0.1", () => done(this.server.address().port)));
  }

  cut() {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend() {
    this.isCut = false;
  }
}

let failures = 0;
async function check(name, prove) {
  const from = performance.now();
  try {
    const detail = await prove();
    console.log(`ok    ${name}${detail ? `: ${detail}` : ""} (${((performance.now() - from) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL  ${name}: ${String(error.message ?? error).split("\n")[0]}`);
  }
}

function must(holds, message) {
  if (!holds) throw new Error(message);
}

const { hostname, port } = new URL(base);
const proxy = new Proxy(hostname, Number(port || 80));
const proxyPort = await proxy.listen();
const browser = await chromium.launch({
  executablePath: option("browser", "/usr/bin/chromium"),
  // The page keeps the server's own address; only where it leads goes through the proxy.
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", `--host-resolver-rules=MAP ${hostname}:${port} 127.0.0.1:${proxyPort}`],
});
await mkdir(shots, { recursive: true });
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const elsewhere = new Set();
const complaints = [];
function listen(page) {
  page.on("request", (request) => !request.url().startsWith(`${base}/`) && elsewhere.add(request.url()));
  page.on("websocket", (socket) => socket.url().replace(/^ws/, "http") !== `${base}/ws/realtime` && elsewhere.add(socket.url()));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
}

async function context(options, state) {
  const made = await browser.newContext({ viewport: { width: 1280, height: 840 }, colorScheme: "light", locale: "en-GB", storageState: state, ...options });
  made.setDefaultTimeout(PATIENCE_MS);
  const page = await made.newPage();
  listen(page);
  return page;
}

const at = (page, hash) => page.goto(`${base}/#/${hash}`).then(() => page.waitForSelector("main h1, main .empty, main .error")).then(() => page.waitForTimeout(500));
const isLive = (page) => page.waitForSelector('[data-line="live"]');
const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const read = (page, route) => page.evaluate(async (url) => (await fetch(url)).json(), `/api/v1/${route}`);

// 1. Signing in
const out = await context({});
await check("without a session the page says how to sign in, and shows nothing", async () => {
  await out.goto(`${base}/`);
  await out.waitForSelector("text=finstage token link");
  must((await out.locator(".inbox").count()) === 0, "data is shown to who is signed out");
  await out.screenshot({ path: join(shots, "signed-out.png") });
});
await out.context().close();
complaints.length = 0; // A browser reports each refused request as an error.

const page = await context({});
const sizes = new Map();
const protocol = await page.context().newCDPSession(page);
await protocol.send("Network.enable");
const urls = new Map();
protocol.on("Network.responseReceived", ({ requestId, response }) => urls.set(requestId, new URL(response.url)));
protocol.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
  const url = urls.get(requestId);
  if (url && STATIC.test(url.pathname)) sizes.set(url.pathname, encodedDataLength);
});

await check("the link signs in and leaves no code in the address", async () => {
  await page.goto(link);
  await isLive(page);
  must(!page.url().includes("login"), page.url());
});
const state = await page.context().storageState();

// 2. Live
await check("a last price moves by itself", async () => {
  await at(page, "markets");
  await isLive(page);
  const before = await page.locator("[data-price]").allTextContents();
  must(before.length > 0, "no instrument is watched");
  await page.waitForFunction((old) => [...document.querySelectorAll("[data-price]")].some((one, index) => one.textContent !== old[index]), before);
});
await check("a new signal comes into the inbox by itself", async () => {
  await at(page, "signals");
  const before = await page.locator(".inbox a").first().getAttribute("href").catch(() => null);
  await page.waitForFunction((old) => document.querySelector(".pill") || document.querySelector(".inbox a")?.getAttribute("href") !== old, before, { timeout: 120_000 });
});
await check("live prices leave the browser time to draw", async () => {
  await at(page, "signals");
  const frames = await page.evaluate(() => new Promise((done) => {
    let count = 0;
    const from = performance.now();
    const frame = () => (count += 1, performance.now() - from < 2000 ? requestAnimationFrame(frame) : done(count / 2));
    requestAnimationFrame(frame);
  }));
  must(frames >= 20, `${frames} frames a second`);
  return `${frames} frames a second`;
});

// 3. Pages
await check("a signal opens with its verdict, reasons, card, chart and outcomes", async () => {
  await at(page, "signals");
  await page.locator(".inbox a").first().click();
  await page.waitForSelector(".ruling .badge");
  await page.waitForSelector(".chart-box canvas, .empty");
  for (const title of ["Evidence card", "Outcome so far", "Alerts"]) must((await page.locator(`section[aria-label="${title}"]`).count()) > 0, `no section ${title}`);
});
const proven = (await read(page, "signals?verdict=verified&limit=1")).items[0];
if (proven) {
  await check("a verified signal draws its hit rate beside the base rate", async () => {
    await at(page, `signals/${proven.id}`);
    const label = await page.locator(".drawn svg").first().getAttribute("aria-label");
    must(/base rate \d/.test(label), label);
    must((await page.locator(".gates li.holds").count()) > 4, "no gates");
    await page.waitForSelector(".chart-box canvas");
    await page.waitForTimeout(600);
    await page.getByRole("button", { name: "Check again" }).click();
    await page.waitForSelector(".again b");
    const again = await page.locator(".again").textContent();
    must(again.includes("All checks hold"), again);
    await page.screenshot({ path: join(shots, "signal.png"), fullPage: true });
  });
}
const symbol = (await read(page, "instruments?watched=true&limit=1")).items[0]?.symbol;
await check("an instrument has its chart with indicators, and watches that can be added and removed", async () => {
  await at(page, `markets/${symbol}?show=SMA(20);RSI(14)`);
  await page.waitForSelector(".chart-box canvas");
  await page.locator('.add select').selectOption("above");
  await page.locator(".add input").fill("123456");
  await page.locator(".add button").click();
  await page.waitForFunction(() => document.querySelector(".watch-rows")?.textContent.includes("above=123456") || document.querySelector(".note-bad"));
  const refused = await page.locator(".note-bad").allTextContents();
  must(refused.length === 0, `not added: ${refused[0]}`);
  await page.locator(".watch-rows li", { hasText: "above=123456" }).locator("button").click();
  await page.waitForFunction(() => !document.querySelector(".watch-rows")?.textContent.includes("above=123456"));
  await page.screenshot({ path: join(shots, "instrument.png"), fullPage: true });
});
for (const name of PAGES) {
  await check(`page ${name} shows itself without an error`, async () => {
    await at(page, name);
    await page.waitForSelector(".loading", { state: "detached" });
    must((await page.locator("nav a").count()) === PAGES.length && (await page.locator("nav a[aria-current]").isVisible()), "the list of pages does not show where one is");
    const errors = await page.locator(".error").allTextContents();
    must(errors.length === 0, errors[0]);
    await page.screenshot({ path: join(shots, `${name}.png`) });
  });
}
await check("the page and the session come from one place, and nothing is asked elsewhere", () => must(elsewhere.size === 0, [...elsewhere].join(" ")));
await check("all files of the page together are small", () => {
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  must(sizes.has("/assets/chart.js"), "the chart was not loaded");
  must(total > 0 && total <= LARGEST_PAGE_BYTES, `${total} bytes`);
  return `${(total / 1024).toFixed(1)} KiB: ${[...sizes].map(([name, size]) => `${name} ${size}`).join(", ")}`;
});
await check("the first paint comes soon", async () => {
  const paints = [];
  const fresh = await context({}, state);
  // The start of a browser's process is not the page's: it is there, and its cache is empty.
  await fresh.goto(`${base}/healthz`);
  const wire = await fresh.context().newCDPSession(fresh);
  await wire.send("Network.enable");
  await wire.send("Network.setCacheDisabled", { cacheDisabled: true });
  for (let round = 0; round < 5; round += 1) {
    await fresh.goto(`${base}/`, { waitUntil: "load" });
    await fresh.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    paints.push(await fresh.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  }
  await fresh.context().close();
  paints.sort((one, other) => one - other);
  must(paints[2] < SLOWEST_FIRST_PAINT_MS, `median ${paints[2].toFixed(0)} ms of ${paints.map((paint) => paint.toFixed(0)).join(" ")}`);
  return `median ${paints[2].toFixed(0)} ms of ${paints.map((paint) => paint.toFixed(0)).join(" ")}`;
});

// 4. The line
await check("a cut line is said, and mends itself without losing a signal", async () => {
  await at(page, "signals");
  await isLive(page);
  proxy.cut();
  await page.waitForSelector('[data-line="reconnecting"], [data-line="offline"]');
  await page.waitForSelector('[data-line="offline"]', { timeout: 60_000 });
  const words = await page.locator("[data-line]").textContent();
  must(/since \d\d:\d\d/.test(words), words);
  await page.waitForSelector(".banner");
  await page.screenshot({ path: join(shots, "offline.png") });
  proxy.mend();
  await page.locator(".banner button").click().catch(() => undefined);
  await isLive(page);
  await page.waitForFunction(async () => {
    const newest = (await (await fetch("/api/v1/signals?limit=5")).json()).items.map((one) => `#/signals/${one.id}`);
    document.querySelector(".pill")?.click();
    const shown = [...document.querySelectorAll(".inbox a")].map((one) => one.getAttribute("href"));
    return newest.every((one) => shown.includes(one)) && new Set(shown).size === shown.length;
  }, null, { polling: 500 });
});
complaints.length = 0; // Refused connections were meant.
await check("prices move again after the cut", async () => {
  await at(page, "markets");
  const before = await page.locator("[data-price]").allTextContents();
  await page.waitForFunction((old) => [...document.querySelectorAll("[data-price]")].some((one, index) => one.textContent !== old[index]), before);
});

// 5. Nothing there, and something wrong
await check("an empty inbox explains itself", async () => {
  const one = await context({}, state);
  await one.routeWebSocket(/realtime/, () => undefined); // Silent, so that it stays empty.
  await one.route("**/api/v1/signals?*", (route) => route.fulfill({ json: { items: [], next_cursor: null } }));
  await at(one, "signals");
  await one.waitForSelector("text=No signal yet");
  await at(one, "signals?verdict=verified");
  await one.waitForSelector("text=That is the normal case");
  await one.screenshot({ path: join(shots, "empty.png") });
  await one.context().close();
});
await check("a failure names its remedy, and can be tried again", async () => {
  const one = await context({}, state);
  let isBroken = true;
  await one.route("**/api/v1/track-record", (route) => (isBroken ? route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify({ title: "internal error", status: 500, detail: "the records cannot be read" }) }) : route.continue()));
  await at(one, "track");
  await one.waitForSelector("text=the records cannot be read");
  await one.waitForSelector("text=finstage doctor");
  await one.screenshot({ path: join(shots, "error.png") });
  isBroken = false;
  await one.getByRole("button", { name: "Try again" }).click();
  await one.waitForSelector(".chain");
  await one.context().close();
});
complaints.length = 0; // So was the failure.
await check("a signal that is not there is said to be missing", async () => {
  await at(page, "signals/00000000000000000000000000000000");
  await page.waitForSelector("text=The server does not know this");
});
complaints.length = 0;

// 6. Keyboard
await check("all of it can be reached by keyboard", async () => {
  await at(page, "signals");
  await page.waitForSelector(".inbox a");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  must(await page.evaluate(() => document.activeElement === document.querySelector(".inbox a")), "j j k does not lead to the first row");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  must(outline !== "none", "the focus cannot be seen");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".ruling");
  await page.keyboard.press("g");
  await page.keyboard.press("e");
  await page.waitForURL(/#\/strategies/);
  await page.waitForSelector("[data-search]");
  await page.keyboard.press("/");
  must(await page.evaluate(() => document.activeElement?.matches("[data-search]")), "/ does not lead to the filter");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog[open]", { state: "detached" });
  await page.reload();
  await isLive(page);
  await page.keyboard.press("Tab");
  must(await page.evaluate(() => document.activeElement?.matches(".skip")), "the first stop is not the link to the content");
});

// 7. Dark, narrow, Korean, and what axe finds
const MODES = [
  ["light", { colorScheme: "light" }, "en"],
  ["dark", { colorScheme: "dark" }, "en"],
  ["narrow", { viewport: { width: 360, height: 740 } }, "en"],
  ["korean", { locale: "ko-KR", timezoneId: "Asia/Seoul", colorScheme: "dark", viewport: { width: 360, height: 740 } }, "ko"],
];
async function tryMode([mode, options, language]) {
  const one = await context(options, state);
  await one.addInitScript((chosen) => {
    // Not in the report's frame, which is sandboxed.
    if (window === window.top) localStorage.setItem("finstage", JSON.stringify({ language: chosen, theme: "auto", colours: "language" }));
  }, language);
  const places = [...PAGES, `markets/${symbol}`, ...(proven ? [`signals/${proven.id}`, `strategies/${encodeURIComponent(proven.strategy)}`] : [])];
  await check(`${mode}: every page fits, and axe finds nothing serious`, async () => {
    const found = [];
    for (const where of places) {
      await at(one, where);
      await one.waitForTimeout(700);
      const wide = await sideways(one);
      if (wide > 0) found.push(`${where} scrolls sideways by ${wide} px`);
      await one.evaluate(axe);
      const violations = await one.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations.filter((violation) => ["serious", "critical"].includes(violation.impact)).map((violation) => `${violation.id} at ${violation.nodes[0].target.join(" ")} (${violation.nodes.length})`));
      found.push(...violations.map((violation) => `${where}: ${violation}`));
      await one.screenshot({ path: join(shots, `${mode}-${where.split("/")[0]}${where.includes("/") ? "-one" : ""}.png`), fullPage: mode === "narrow" });
    }
    must(found.length === 0, found.join("; "));
    return `${places.length} pages`;
  });
  if (mode === "dark") {
    await check("dark follows the system, and light can be chosen", async () => {
      const lightness = () => one.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number).reduce((sum, part) => sum + part, 0) / 765);
      must((await lightness()) < 0.2, `background ${await lightness()}`);
      await one.getByRole("button", { name: "Light" }).first().click();
      must((await lightness()) > 0.8, `background ${await lightness()}`);
    });
  }
  if (mode === "korean") {
    await check("korean: the page speaks it, and a rise is red", async () => {
      await at(one, "signals");
      must((await one.locator("h1").textContent()) === "신호", await one.locator("h1").textContent());
      must((await one.evaluate(() => document.documentElement.dataset.colours)) === "red", "a rise is not red");
    });
    await check("korean: alerts, checks and jobs are said in it", async () => {
      const spoken = async (where, selector, prepare = async () => undefined) => {
        await at(one, where);
        await prepare();
        await one.waitForSelector(selector);
        const texts = await one.locator(selector).allTextContents();
        const foreign = texts.filter((text) => !/[가-힣]/.test(text));
        must(foreign.length === 0, `${where}: ${foreign[0]}`);
        return texts.length;
      };
      const counts = [
        await spoken("alerts", ".a-words"),
        await spoken("system", '[aria-label="상태 점검"] li'),
        await spoken("tasks", '[aria-label="자동 실행"] tbody th, [aria-label="자동 실행"] tbody td:nth-child(2)'),
      ];
      if (proven) counts.push(await spoken(`signals/${proven.id}`, ".again .gates li", () => one.locator(".again button").click()));
      return `${counts.join(", ")} lines`;
    });
  }
  await one.context().close();
}
/** A signal has to come while one reads: in the demo that can take a minute. */
const tryReading = () => check("who reads further down is not moved: new signals wait in a pill", async () => {
  const one = await context({ viewport: { width: 1280, height: 420 } }, state);
  await at(one, "signals");
  await isLive(one);
  await one.waitForFunction(() => document.documentElement.scrollHeight > 1000, null, { timeout: 120_000 });
  await one.evaluate(() => window.scrollTo({ top: 400 }));
  await one.waitForSelector(".pill", { timeout: 120_000 });
  const top = await one.evaluate(() => window.scrollY);
  must(Math.abs(top - 400) < 2, `scrolled to ${top}`);
  await one.locator(".pill").click();
  await one.waitForFunction(() => window.scrollY === 0 && !document.querySelector(".pill"));
  await one.context().close();
});
// Most of it is waiting, so they take it together.
await Promise.all([tryReading(), ...MODES.map(tryMode)]);
if (docs) {
  await check("pictures for the guide are made", async () => {
    const one = await context({ viewport: { width: 1240, height: 560 } }, state);
    await at(one, "signals");
    await one.waitForFunction(() => [...document.querySelectorAll(".inbox li")].slice(0, 7).some((row) => row.matches(".row-verified")), null, { timeout: 240_000 }).catch(() => undefined);
    await one.waitForTimeout(3000); // What is new is lit for a moment.
    await one.screenshot({ path: join(docs, "dashboard-signals.png") });
    await one.setViewportSize({ width: 1120, height: 760 });
    await at(one, `signals/${proven?.id ?? ""}`);
    await one.waitForTimeout(1500);
    await one.screenshot({ path: join(docs, "dashboard-signal.png") });
    await one.context().close();
  });
}
await check("the browser had nothing to complain about", () => must(complaints.length === 0, complaints.slice(0, 3).join(" | ")));

await browser.close();
proxy.server.close();
console.log(failures === 0 ? "all checks hold" : `${failures} checks do not hold`);
process.exit(failures === 0 ? 0 : 1);

// An invented world for work on the page: seeded prices, bars, signals, cards and alerts. Nothing in it is data.

export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

export const MINUTE = 60_000;
export const INTERVALS = { "1m": MINUTE, "15m": 15 * MINUTE, "1h": 60 * MINUTE, "1d": 1440 * MINUTE };
const HORIZONS = { "1h": 60 * MINUTE, "4h": 240 * MINUTE, "1d": 1440 * MINUTE, "1w": 7 * 1440 * MINUTE, "1mo": 30 * 1440 * MINUTE };

export const INSTRUMENTS = [
  ["binance:BTCUSDT", "Bitcoin", "비트코인", "crypto", "USDT", "24/7", "UTC", 0, 53_900, 1],
  ["binance:ETHUSDT", "Ethereum", "이더리움", "crypto", "USDT", "24/7", "UTC", 0, 2_820, 2],
  ["binance:SOLUSDT", "Solana", "솔라나", "crypto", "USDT", "24/7", "UTC", 0, 74.9, 3],
  ["yahoo:AAPL", "Apple Inc.", "애플", "us_stock", "USD", "us", "America/New_York", 0, 231.4, 2],
  ["yahoo:^GSPC", "S&P 500", "S&P 500", "us_index", "USD", "us", "America/New_York", 900, 6_012.3, 2],
  ["yahoo:005930.KS", "Samsung Electronics", "삼성전자", "kr_stock", "KRW", "kr", "Asia/Seoul", 1200, 71_200, 0],
].map(([symbol, name, name_ko, category, currency, calendar, zone, quote_delay_s, price, decimals]) => ({ symbol, name, name_ko, category, currency, calendar, zone, quote_delay_s, price, decimals }));

const STRATEGIES = [
  ["volume_breakout_up", "period=20,ratio=2,change=1", "long", "close rose by more than 1% on 2 times the mean volume of 20 bars", { volume_ratio: 3.4334611, change: 1.43899716 }],
  ["ma_breakout_up", "period=20", "long", "close crossed above SMA(20)", { close: 2821.527, sma: 2819.5745 }],
  ["ma_breakout_down", "period=20", "short", "close crossed below SMA(20)", { close: 2819.3, sma: 2819.50415 }],
  ["rsi_overbought", "period=14,level=70", "short", "RSI(14) rose to 70 or above", { rsi: 72.933022, previous_rsi: 59.431065 }],
  ["rsi_oversold", "period=14,level=30", "long", "RSI(14) fell to 30 or below", { rsi: 28.11, previous_rsi: 33.5 }],
  ["macd_bearish_cross", "fast=12,slow=26,signal=9", "short", "MACD(12, 26) crossed below its signal line EMA(9)", { macd: 1.2, signal: 1.4 }],
  ["bb_break_lower", "period=20,width=2", "long", "close broke below the lower Bollinger band (20, 2)", { close: 74.1, lower: 74.6 }],
  ["golden_cross", "fast=50,slow=200", "long", "SMA(50) crossed above SMA(200)", { fast: 231.2, slow: 230.9 }],
];

const hex = (next, length) => Array.from({ length }, () => Math.floor(next() * 16).toString(16)).join("");
const iso = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");
const round = (value, decimals) => Number(value.toFixed(decimals));

export class Market {
  constructor(seed, now) {
    this.next = random(seed);
    this.prices = new Map();
    this.bars = new Map();
    this.signals = [];
    this.alerts = [];
    this.watches = [
      { id: "w1", symbol: "binance:BTCUSDT", rule: "rise=3%", kind: "rise", threshold: 0.03, repeat_s: 3600, created_at: iso(now), origin: "config" },
      { id: "w2", symbol: "yahoo:005930.KS", rule: "above=75000", kind: "above", threshold: 75000, repeat_s: 3600, created_at: iso(now), origin: "added" },
    ];
    for (const instrument of INSTRUMENTS) this.begin(instrument, now);
    this.cards = this.makeCards(now);
    for (let at = now - 2 * 1440 * MINUTE; at < now; at += 11 * MINUTE) this.say(at);
  }

  begin(instrument, now) {
    for (const [interval, length] of Object.entries(INTERVALS)) {
      const bars = [];
      let close = instrument.price;
      const count = interval === "1d" ? 700 : 900;
      const last = Math.floor(now / length) * length - length;
      for (let at = 0; at < count; at += 1) {
        const size = close * 0.0016 * Math.sqrt(length / MINUTE) * (interval === "1d" ? 0.35 : 0.5);
        const open = close + (this.next() - 0.5) * size;
        const high = Math.max(open, close) + this.next() * size * 0.6;
        const low = Math.min(open, close) - this.next() * size * 0.6;
        const d = instrument.decimals;
        bars.unshift({ timestamp: iso(last - at * length), open: round(open, d), high: round(high, d), low: round(low, d), close: round(close, d), volume: Math.round(400 + this.next() * 900 * (1 + Math.abs(close - open) / size)) });
        close = open;
      }
      this.bars.set(`${instrument.symbol} ${interval}`, bars);
    }
    this.prices.set(instrument.symbol, { price: instrument.price, before: instrument.price * (1 + (this.next() - 0.5) * 0.04), at: now, volume: 18_400 });
  }

  makeCards(now) {
    const cards = [];
    for (const [name, params, direction] of STRATEGIES) {
      for (const [horizon, bars] of [["1h", 4], ["4h", 16], ["1d", 96]]) {
        if (name === "rsi_oversold") continue;
        const isProven = name === "volume_breakout_up" && horizon === "1h";
        cards.push(this.makeCard({ strategy: `${name}(${params})`, direction, horizon, bars, isProven, now }));
      }
    }
    return cards;
  }

  makeCard({ strategy, direction, horizon, bars, isProven, now }) {
    const next = this.next;
    const n_eff = isProven ? 159 : Math.floor(12 + next() * 180);
    const n = Math.floor(n_eff * (1.1 + next()));
    const base_rate = 0.46 + next() * 0.07;
    const hit_rate = isProven ? 0.8578 : base_rate + (next() - 0.45) * 0.1;
    const half = 1.96 * Math.sqrt((hit_rate * (1 - hit_rate)) / n_eff);
    const theta_net = isProven ? 0.004616 : (next() - 0.62) * 0.006;
    const width = isProven ? 0.00108 : 0.001 + next() * 0.003;
    const reasons = [];
    let verdict = "unproven";
    let grade = null;
    if (isProven) verdict = "verified";
    else {
      if (n_eff < 30) reasons.push("few_clusters");
      else reasons.push("q_above");
      if (theta_net - width < 0) reasons.push("interval_includes_zero");
      if (theta_net < 0) reasons.push("absolute_return_negative");
      if (next() < 0.4) reasons.push("faded");
      if (n_eff < 30) grade = "too_little_data";
      else if (theta_net + width < 0) [verdict, grade] = ["rejected", "cost_exceeds_edge"];
      else if (theta_net - width > 0) grade = "promising";
      else grade = theta_net + width < 0.002 ? "no_edge_seen" : "inconclusive";
      if (verdict === "rejected") reasons.unshift("cost_exceeds_edge");
    }
    const words = {
      verified: "Proven on past data: after this signal the price did 0.46 % better than usual after costs (95 %: 0.35 % to 0.57 %), 159 separate occasions; corrected for 99 things tried.",
      too_little_data: "Too few occasions: an edge below 0.31 % could not be seen.",
      cost_exceeds_edge: "Trading it loses money after costs.",
      promising: "Better than usual so far, but with 99 ideas tested, luck explains it.",
      no_edge_seen: "If there is an edge, it is smaller than 0.19 %: not worth the cost.",
      inconclusive: "No sign of an edge; none ruled out.",
    }[grade ?? "verified"];
    return {
      id: hex(next, 32), strategy, scope: "all", interval: "15m", horizon, claim: "direction", direction,
      members: INSTRUMENTS.slice(0, 3).map(({ symbol }) => ({ symbol, n: Math.floor(n / 3) })),
      from: iso(now - 400 * 1440 * MINUTE), to: iso(now - 1440 * MINUTE), n, n_eff, warmup_bars: 20, horizon_bars: bars,
      cost: 0.001, mean_return: theta_net + 0.002, theta_net, net_low: theta_net - width, net_high: theta_net + width,
      mde: width * 1.6, shrunken: Math.max(0, theta_net) * 0.8, hit_rate, hit_low: hit_rate - half, hit_high: hit_rate + half, base_rate,
      times_usual: null, p_value: isProven ? 5e-6 : next(), q_value: isProven ? 0.000495 : 0.3 + next() * 0.7, family: 99, threshold: 0.03,
      oos_kind: "fixed", parameter_sets: 1, dsr: 1, pbo: null, missing_share: 0, verdict, grade, reasons, words,
      issued: iso(now - 1440 * MINUTE), expires: iso(now + 89 * 1440 * MINUTE), proven_at: isProven ? iso(now - 1440 * MINUTE) : null,
    };
  }

  /** A signal at a moment, with its alert. */
  say(at) {
    const next = this.next;
    const pick = next();
    const strategy = pick < 0.16 ? STRATEGIES[0] : STRATEGIES[1 + Math.floor(next() * (STRATEGIES.length - 1))];
    const [name, params, direction, rule, facts] = strategy;
    const instrument = INSTRUMENTS[Math.floor(next() * (name === "volume_breakout_up" ? 3 : INSTRUMENTS.length))];
    const interval = name.startsWith("rsi") ? "1h" : "15m";
    const length = INTERVALS[interval];
    const open = Math.floor(at / length) * length - length;
    const bar = this.bars.get(`${instrument.symbol} ${interval}`).find((one) => one.timestamp === iso(open));
    const card = this.cards.find((one) => one.strategy === `${name}(${params})`) ?? null;
    const isHeld = next() < 0.02;
    const verdict = isHeld ? "withheld" : (card?.verdict ?? "unproven");
    const outcomes = Object.entries(HORIZONS)
      .filter(([, ms]) => ms >= length)
      .map(([horizon, ms]) => {
        const isKnown = at + ms < Date.now();
        const move = (next() - 0.42) * 0.02;
        return { horizon, due: iso(at + ms), known: isKnown, return: isKnown ? move : null, hit: isKnown ? move > 0 === (direction === "long") : null };
      });
    const signal = {
      id: hex(next, 32), symbol: instrument.symbol, interval, strategy: `${name}(${params})`, direction, at: iso(at), timestamp: iso(open),
      price: bar?.close ?? instrument.price, strength: Number((next() * 3).toFixed(4)), facts, verdict,
      reasons: isHeld ? ["gap"] : (card?.reasons ?? ["no_evidence"]), card: isHeld ? null : card, rule, horizon_outcomes: outcomes,
    };
    this.signals.unshift(signal);
    const isSent = verdict === "verified" && next() < 0.9;
    const alert = {
      id: hex(next, 32), symbol: signal.symbol, kind: "signal", status: isSent ? "delivered" : "withheld",
      reasons: isSent ? [] : [isHeld ? "data" : verdict === "verified" ? "cooldown" : "not_verified", ...signal.reasons], at: signal.at, said_at: signal.at, price: signal.price,
      rule: signal.strategy, words: `${rule} (${Object.entries(facts).map(([key, value]) => `${key} ${value}`).join(", ")})`, card: signal.card,
      alert: { direction, interval, kind: "signal", signal: signal.id, verdict },
    };
    this.alerts.unshift(alert);
    return { signal, alert };
  }

  /** Prices move; a minute that is over closes its bar. */
  move(now) {
    const said = [];
    for (const instrument of INSTRUMENTS) {
      if (this.next() < 0.35) continue;
      const price = this.prices.get(instrument.symbol);
      price.price = round(price.price * (1 + (this.next() - 0.5) * 0.0009), instrument.decimals);
      price.at = now;
      price.volume += Math.floor(this.next() * 9);
      said.push(this.update(instrument));
      const bars = this.bars.get(`${instrument.symbol} 1m`);
      const open = Math.floor(now / MINUTE) * MINUTE - MINUTE;
      if (bars.at(-1).timestamp < iso(open)) {
        const close = price.price;
        const bar = { timestamp: iso(open), open: bars.at(-1).close, high: Math.max(close, bars.at(-1).close), low: Math.min(close, bars.at(-1).close), close, volume: 640 };
        bars.push(bar);
        said.push({ type: "technical_analysis", symbol: instrument.symbol, interval: "1m", bar });
      }
    }
    return said;
  }

  update(instrument) {
    const { price, before, at, volume } = this.prices.get(instrument.symbol);
    return {
      type: "price_update", symbol: instrument.symbol, current_price: price, previous_price: price, change_amount: round(price - before, instrument.decimals),
      change_percent: (price / before - 1) * 100, volume, market_status: this.isOpen(instrument) ? "open" : "closed", timestamp: iso(at),
    };
  }

  isOpen(instrument) {
    return instrument.calendar === "24/7" || instrument.calendar === "us";
  }

  instrument(instrument, now) {
    const { symbol, name, name_ko, category, currency, calendar, zone, quote_delay_s } = instrument;
    const isOpen = this.isOpen(instrument);
    const always = calendar === "24/7";
    return { symbol, name, name_ko, category, currency, calendar, zone, quote_delay_s, watched: true, open: isOpen, opens_at: always || isOpen ? null : iso(now + 5 * 60 * MINUTE), closes_at: always || !isOpen ? null : iso(now + 3 * 60 * MINUTE) };
  }

  price(instrument, now) {
    const { price, before, at, volume } = this.prices.get(instrument.symbol);
    return {
      symbol: instrument.symbol, price, currency: instrument.currency, at: iso(at), previous_close: round(before, instrument.decimals), change: round(price - before, instrument.decimals),
      change_percent: (price / before - 1) * 100, volume, delay_s: instrument.quote_delay_s, age_ms: now - at, market_status: this.isOpen(instrument) ? "open" : "closed",
    };
  }

  indicators(symbol, interval, specs, limit) {
    const bars = this.bars.get(`${symbol} ${interval}`) ?? [];
    const closes = bars.map((bar) => bar.close);
    const columns = {};
    for (const spec of specs) Object.assign(columns, column(spec, closes));
    const from = Math.max(0, bars.length - limit);
    return { symbol, interval, timestamps: bars.slice(from).map((bar) => bar.timestamp), columns: Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(from)])) };
  }

  trackRecord() {
    const statistics = this.cards.filter((card) => card.n_eff > 20).map((card) => {
      const occasions = card.verdict === "verified" ? 41 : Math.floor(card.n_eff / 6);
      const rate = Math.min(1, Math.max(0, card.hit_rate + (this.next() - 0.5) * 0.1));
      const half = 1.96 * Math.sqrt((rate * (1 - rate)) / occasions);
      return {
        strategy: card.strategy, interval: card.interval, direction: card.direction, horizon: card.horizon, n: Math.floor(occasions * 1.4), occasions, win_rate: rate, win_low: Math.max(0, rate - half),
        win_high: Math.min(1, rate + half), base_rate: card.base_rate, mean: card.mean_return, volatility: 0.02, sharpe: 0.2, profit_factor: 1 + this.next(), max_drawdown: 0.02 + this.next() * 0.1, is_few: occasions < 30,
      };
    });
    const proven = this.cards.find((card) => card.verdict === "verified");
    const reliability = [0.47, 0.5, 0.53, 0.58, 0.72].map((said) => ({ said, came: said + (this.next() - 0.5) * 0.12, low: said - 0.14, high: said + 0.14, n: 46 }));
    return {
      entries: 1643, head: "aaffffa627b7fadf852e61a616e83f7a07fff24bb200ea034f21f240e9885c0b", ok: true,
      statistics: {
        provenance: "simulated", statistics,
        cards: [{ card: proven.id, direction: "long", drift: { delta: 0.74, events: 58, expected: 0.0046, limit: 5.5, mean: 0.0039, muted_at: null, occasions: 41, run: 6, run_mean: 0.001, since: proven.issued, sum: 1.9 }, expires: proven.expires, horizon: proven.horizon, interval: proven.interval, scope: "all", state: "holds", strategy: proven.strategy, words: proven.words }],
        calibration: { n: 230, brier: 0.2192, brier_base: 0.258, reliability },
      },
    };
  }

  strategies() {
    const listed = STRATEGIES.map(([name, params, direction, rule]) => ({
      name, params: {}, direction, describes: `${rule}: a ${direction === "long" ? "rise" : "fall"} is expected`, rule, running: [{ interval: name.startsWith("rsi") ? "1h" : "15m", symbols: INSTRUMENTS.map(({ symbol }) => symbol) }],
      cards: this.cards.filter((card) => card.strategy === `${name}(${params})`),
    }));
    return [...listed, { name: "supertrend_up", params: {}, direction: "long", describes: "the Supertrend(period, multiplier) turns up: a rise is expected", rule: "", running: [], cards: [] }];
  }
}

function average(values, period) {
  let sum = 0;
  return values.map((value, at) => {
    sum += value - (at >= period ? values[at - period] : 0);
    return at >= period - 1 ? sum / period : null;
  });
}

function exponential(values, period) {
  const k = 2 / (period + 1);
  let last = null;
  return values.map((value, at) => {
    if (value === null) return null;
    last = last === null ? value : last + k * (value - last);
    return at >= period - 1 ? last : null;
  });
}

function column(spec, closes) {
  const [, name, list] = /^(\w+)\((.*)\)$/.exec(spec) ?? [];
  const [period, slow, signal] = (list ?? "").split(",").map(Number);
  switch (name) {
    case "SMA":
      return { [`${spec}.real`]: average(closes, period) };
    case "EMA":
      return { [`${spec}.real`]: exponential(closes, period) };
    case "BBANDS": {
      const middle = average(closes, period);
      const width = closes.map((_, at) => {
        if (middle[at] === null) return null;
        const part = closes.slice(at - period + 1, at + 1);
        return 2 * Math.sqrt(part.reduce((sum, value) => sum + (value - middle[at]) ** 2, 0) / period);
      });
      const shifted = (by) => middle.map((value, at) => (value === null ? null : value + by * width[at]));
      return { [`${spec}.upperband`]: shifted(1), [`${spec}.middleband`]: middle, [`${spec}.lowerband`]: shifted(-1) };
    }
    case "RSI": {
      let up = 0;
      let down = 0;
      const values = closes.map((close, at) => {
        if (at === 0) return null;
        const change = close - closes[at - 1];
        up += (Math.max(0, change) - up) / period;
        down += (Math.max(0, -change) - down) / period;
        return at >= period ? (100 * up) / (up + down || 1) : null;
      });
      return { [`${spec}.real`]: values };
    }
    case "MACD": {
      const fast = exponential(closes, period);
      const long = exponential(closes, slow);
      const macd = fast.map((value, at) => (value === null || long[at] === null ? null : value - long[at]));
      const line = exponential(macd, signal);
      return { [`${spec}.macd`]: macd, [`${spec}.macdsignal`]: line, [`${spec}.macdhist`]: macd.map((value, at) => (value === null || line[at] === null ? null : value - line[at])) };
    }
    default:
      throw new Error(`no indicator ${spec}`);
  }
}

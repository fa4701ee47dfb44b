// The chart of bars: loaded only where one is shown, because its library is most of the page's bytes.
import {
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  LineStyle,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import type { Bar, Direction, Indicators, Verdict } from "./shapes";

export interface Marker {
  at: string;
  direction: Direction;
  verdict: Verdict;
  label?: string;
}

export interface Options {
  zone: string;
  locale: string;
  /** Bars of a day or longer are named by their date, which has no zone. */
  isDaily: boolean;
  redUp: boolean;
  decimals: number;
  /** Called with what the crosshair is on; null when it leaves. */
  onBar?: (bar: Bar | null) => void;
  /** The reader went to the oldest bar that is there. */
  onOldest?: () => void;
}

const LINE_COLOURS = ["--line-1", "--line-2", "--line-3", "--line-4"];
/** Indicators with a scale of their own. */
const OWN_PANE = /^(RSI|MACD|STOCH|ADX|MFI|ATR|OBV|WILLR|CCI)/;

const seconds = (at: string) => (Date.parse(at) / 1000) as UTCTimestamp;

export class Chart {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volume: ISeriesApi<"Histogram">;
  private readonly markers: ISeriesMarkersPluginApi<Time>;
  private readonly watcher: MutationObserver;
  private readonly scheme = matchMedia("(prefers-color-scheme: dark)");
  private lines: ISeriesApi<"Line" | "Histogram">[] = [];
  private bars: Bar[] = [];
  private indicators: Indicators | null = null;
  private shown: Marker[] = [];
  private last: IPriceLine | null = null;

  constructor(
    private readonly element: HTMLElement,
    private readonly options: Options,
  ) {
    const format = (time: Time, wanted: Intl.DateTimeFormatOptions) =>
      new Intl.DateTimeFormat(options.locale, { timeZone: options.isDaily ? "UTC" : options.zone, hourCycle: "h23", ...wanted }).format(new Date((time as number) * 1000));
    this.chart = createChart(element, {
      autoSize: true,
      layout: { attributionLogo: false, fontSize: 11, panes: { enableResize: false } },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { scaleMargins: { top: 0.08, bottom: 0.2 } },
      timeScale: {
        timeVisible: !options.isDaily,
        rightOffset: 4,
        tickMarkFormatter: (time: Time, kind: number) => {
          if (!options.isDaily) {
            // The library counts days in UTC; the reader's begin at the reader's midnight.
            const clock = format(time, { hour: "2-digit", minute: "2-digit" });
            return clock === "00:00" ? format(time, { day: "numeric", month: "short" }) : clock;
          }
          if (kind === 0) return format(time, { year: "numeric" });
          if (kind === 1) return format(time, { month: "short" });
          return format(time, { day: "numeric", month: "short" });
        },
      },
      localization: {
        locale: options.locale,
        timeFormatter: (time: Time) => format(time, { year: "numeric", month: "short", day: "numeric", ...(options.isDaily ? {} : { hour: "2-digit", minute: "2-digit" }) }),
      },
    });
    const priceFormat = { type: "price" as const, precision: options.decimals, minMove: 10 ** -options.decimals };
    this.candles = this.chart.addSeries(CandlestickSeries, { priceFormat, priceLineVisible: false });
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.markers = createSeriesMarkers(this.candles, []);
    this.chart.subscribeCrosshairMove((move) => {
      const at = move.time as number | undefined;
      options.onBar?.(at === undefined ? null : (this.bars.find((bar) => seconds(bar.timestamp) === at) ?? null));
    });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < 5 && this.bars.length > 0) options.onOldest?.();
    });
    this.watcher = new MutationObserver(() => this.dress());
    this.watcher.observe(document.documentElement, { attributes: true });
    this.scheme.addEventListener("change", this.dress);
    this.dress();
  }

  setBars(bars: Bar[]): void {
    const wasEmpty = this.bars.length === 0;
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const before = this.bars.length && bars.length ? bars.findIndex((bar) => bar.timestamp === this.bars[0]?.timestamp) : 0;
    this.bars = bars;
    this.draw();
    if (wasEmpty) this.fit();
    else if (range && before > 0) this.chart.timeScale().setVisibleLogicalRange({ from: range.from + before, to: range.to + before });
  }

  /** The newest bars, as many as can be told apart. */
  fit(): void {
    const room = Math.max(40, Math.floor(this.element.clientWidth / 7));
    this.chart.timeScale().setVisibleLogicalRange({ from: Math.max(-1, this.bars.length - room), to: this.bars.length + 3 });
  }

  all(): void {
    this.chart.timeScale().fitContent();
  }

  /** A bar that closed, or the one that is being made. */
  setBar(bar: Bar): void {
    const last = this.bars.at(-1);
    if (last && bar.timestamp < last.timestamp) return;
    if (last?.timestamp === bar.timestamp) this.bars[this.bars.length - 1] = bar;
    else this.bars.push(bar);
    this.candles.update({ time: seconds(bar.timestamp), open: bar.open, high: bar.high, low: bar.low, close: bar.close });
    this.volume.update({ time: seconds(bar.timestamp), value: bar.volume, color: this.volumeColour(bar) });
  }

  setMarkers(markers: Marker[]): void {
    this.shown = markers;
    const first = this.bars[0]?.timestamp ?? "";
    const drawn: SeriesMarker<Time>[] = markers
      .filter((marker) => marker.at >= first)
      .map((marker) => ({
        time: seconds(marker.at),
        position: marker.direction === "long" ? ("belowBar" as const) : ("aboveBar" as const),
        shape: marker.direction === "long" ? ("arrowUp" as const) : ("arrowDown" as const),
        color: this.colour(marker.verdict === "verified" ? "--accent" : "--muted"),
        size: marker.verdict === "verified" ? 1.4 : 0.8,
        text: marker.label,
      }));
    drawn.sort((one, other) => (one.time as number) - (other.time as number));
    this.markers.setMarkers(drawn);
  }

  setIndicators(indicators: Indicators | null): void {
    this.indicators = indicators;
    for (const line of this.lines) this.chart.removeSeries(line);
    this.lines = [];
    while (this.chart.panes().length > 1) this.chart.removePane(this.chart.panes().length - 1);
    if (!indicators) return;
    const panes = new Map<string, number>();
    let colour = 0;
    for (const [column, values] of Object.entries(indicators.columns)) {
      const dot = column.lastIndexOf(".");
      const spec = column.slice(0, dot);
      const output = column.slice(dot + 1);
      let pane = 0;
      if (OWN_PANE.test(spec)) {
        pane = panes.get(spec) ?? panes.size + 1;
        panes.set(spec, pane);
      }
      const isBars = output === "macdhist";
      const data = indicators.timestamps.flatMap((at, index) => {
        const value = values[index];
        return value === null || value === undefined ? [] : [{ time: seconds(at), value }];
      });
      const look = { lastValueVisible: false, priceLineVisible: false, title: "" };
      if (isBars) {
        const line = this.chart.addSeries(HistogramSeries, { ...look, color: this.colour("--faint") }, pane);
        line.setData(data);
        this.lines.push(line as ISeriesApi<"Histogram">);
      } else {
        const band = output === "upperband" || output === "lowerband";
        const line = this.chart.addSeries(
          LineSeries,
          { ...look, lineWidth: 1, crosshairMarkerVisible: false, lineStyle: band ? LineStyle.Dashed : LineStyle.Solid, color: this.colour(band ? "--muted" : (LINE_COLOURS[colour % LINE_COLOURS.length] ?? "--accent")) },
          pane,
        );
        if (!band) colour += 1;
        line.setData(data);
        if (spec.startsWith("RSI")) for (const price of [30, 70]) line.createPriceLine({ price, color: this.colour("--faint"), lineWidth: 1, lineStyle: LineStyle.Dotted, axisLabelVisible: false });
        this.lines.push(line as ISeriesApi<"Line">);
      }
    }
    this.chart.panes().forEach((pane, index) => pane.setStretchFactor(index === 0 ? 3 : 1));
  }

  setLast(price: number | null): void {
    if (price === null) return;
    if (this.last) this.last.applyOptions({ price });
    else {
      this.candles.applyOptions({ lastValueVisible: false });
      this.last = this.candles.createPriceLine({ price, color: this.colour("--accent"), lineWidth: 1, lineStyle: LineStyle.Dotted, axisLabelVisible: true, title: "" });
    }
  }

  destroy(): void {
    this.watcher.disconnect();
    this.scheme.removeEventListener("change", this.dress);
    this.chart.remove();
  }

  private readonly dress = (): void => {
    const up = this.colour(this.options.redUp ? "--red" : "--green");
    const down = this.colour(this.options.redUp ? "--blue" : "--red");
    const line = this.colour("--line");
    this.chart.applyOptions({
      layout: { background: { color: this.colour("--surface") }, textColor: this.colour("--muted"), fontFamily: getComputedStyle(document.body).fontFamily, panes: { separatorColor: line } },
      grid: { vertLines: { visible: false }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
      crosshair: { vertLine: { labelBackgroundColor: this.colour("--strong") }, horzLine: { labelBackgroundColor: this.colour("--strong") } },
    });
    // Rises are hollow and falls are full, so that colour is not the only difference.
    this.candles.applyOptions({ upColor: this.colour("--surface"), downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down });
    this.last?.applyOptions({ color: this.colour("--accent") });
    this.draw();
    if (this.indicators) this.setIndicators(this.indicators);
  };

  private draw(): void {
    this.candles.setData(this.bars.map((bar) => ({ time: seconds(bar.timestamp), open: bar.open, high: bar.high, low: bar.low, close: bar.close })));
    this.volume.setData(this.bars.map((bar) => ({ time: seconds(bar.timestamp), value: bar.volume, color: this.volumeColour(bar) })));
    this.setMarkers(this.shown);
  }

  private volumeColour(bar: Bar): string {
    const rises = bar.close >= bar.open;
    return this.colour(rises === this.options.redUp ? "--red-faint" : this.options.redUp ? "--blue-faint" : "--green-faint");
  }

  private colour(name: string): string {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888888";
  }
}

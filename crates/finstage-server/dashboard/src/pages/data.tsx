// Health of the data: feeds, how old and how late prices are, and what is stored.
import { path, useResource } from "../api";
import * as f from "../format";
import { Ago, SymbolLink, Time } from "../parts/said";
import { Around, Empty, Scroll, Section } from "../parts/states";
import type { Feed, System } from "../shapes";
import { Remotes } from "../parts/remotes";
import { Sealed, isSealed } from "../parts/sealed";
import { useStore } from "../store";
import { t } from "../words";
import { instruments, priceOf } from "../world";
import { Delay, MarketState } from "./markets";

const EVERY_MS = 10_000;

export function Data() {
  const found = useResource<System>(path("system"), EVERY_MS);
  const watched = useStore(instruments);
  return (
    <>
      <header class="page-head">
        <h1>{t("data")}</h1>
      </header>
      <Around of={found}>
        {(system) => (
          <>
            <Section title={t("feeds")}>{system.feeds && system.feeds.length > 0 ? <Feeds feeds={system.feeds} /> : <Empty title={t("none")} why={t("feeds_none")} />}</Section>
            {system.feeds?.some(isSealed) ? (
              <Section title={t("sealed")}>
                <Sealed feeds={system.feeds.filter(isSealed)} />
              </Section>
            ) : null}
            <Section title={t("remotes")}>{system.remotes && system.remotes.length > 0 ? <Remotes remotes={system.remotes} /> : <Empty title={t("none")} why={t("remotes_none")} />}</Section>
            <Section title={t("quotes")}>
              {watched.size === 0 ? (
                <Empty title={t("markets_empty")} why={t("markets_empty_why")} />
              ) : (
                <>
                  <p class="muted">{t("quotes_note")}</p>
                  <Scroll label={t("quotes")}>
                    <table>
                      <thead>
                        <tr>
                          <th scope="col">{t("instrument")}</th>
                          <th scope="col">{t("age")}</th>
                          <th scope="col">{t("delay")}</th>
                          <th scope="col">{t("market")}</th>
                        </tr>
                      </thead>
                      <tbody>
                        {[...watched.values()].map((instrument) => (
                          <tr key={instrument.symbol}>
                            <th scope="row">
                              <SymbolLink symbol={instrument.symbol} />
                            </th>
                            <td>
                              <PriceAge symbol={instrument.symbol} />
                            </td>
                            <td>
                              <Delay instrument={instrument} />
                            </td>
                            <td class="nowrap">
                              <MarketState instrument={instrument} />
                            </td>
                          </tr>
                        ))}
                      </tbody>
                    </table>
                  </Scroll>
                </>
              )}
            </Section>
            <Section title={t("series")}>{system.series && system.series.length > 0 ? <SeriesTable series={system.series} /> : <Empty title={t("none")} why={t("series_none")} />}</Section>
          </>
        )}
      </Around>
    </>
  );
}

function PriceAge({ symbol }: { symbol: string }) {
  const price = useStore(priceOf(symbol));
  return <Ago at={price?.at} />;
}

function Feeds({ feeds }: { feeds: Feed[] }) {
  return (
    <Scroll label={t("feeds")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("venue")}</th>
            <th scope="col">{t("status")}</th>
            <th scope="col">{t("last_event")}</th>
            <th scope="col" class="right">
              {t("messages")}
            </th>
            <th scope="col" class="right">
              {t("events")}
            </th>
            <th scope="col" class="right">
              {t("reconnects")}
            </th>
            <th scope="col" class="right">
              {t("gaps")}
            </th>
            <th scope="col" class="right">
              {t("trades_filled")}
            </th>
            <th scope="col" class="right">
              {t("trades_lost")}
            </th>
            <th scope="col" class="right">
              {t("duplicates")}
            </th>
            <th scope="col" class="right">
              {t("undecoded")}
            </th>
          </tr>
        </thead>
        <tbody>
          {feeds.map((feed) => (
            <tr>
              <th scope="row">
                {feed.venue}
                {feed.symbols && feed.symbols.length > 0 ? (
                  <abbr class="muted" title={feed.symbols.join("\n")}>
                    {" "}
                    {t("feed_symbols", { n: feed.symbols.length })}
                  </abbr>
                ) : null}
              </th>
              <td class="nowrap">
                <FeedState feed={feed} />
              </td>
              <td class="nowrap num" title={feed.last_event_at ?? ""}>
                {feed.age_ms === null || feed.age_ms === undefined ? f.NONE : t("ago", { time: f.duration(feed.age_ms) })}
              </td>
              <td class="right num">{f.count(feed.messages)}</td>
              <td class="right num">{f.count(feed.events)}</td>
              <td class="right num">{f.count(feed.reconnects)}</td>
              <td class="right num nowrap">
                {f.count(feed.gaps)}
                {feed.gaps ? (
                  <span class="muted">
                    {" "}
                    ({t("repaired")} {f.count(feed.repaired)})
                  </span>
                ) : null}
              </td>
              <td class="right num">{f.count(feed.trades_filled)}</td>
              <td class="right num">{feed.trades_lost ? <b class="miss">{f.count(feed.trades_lost)}</b> : f.count(feed.trades_lost)}</td>
              <td class="right num">{f.count(feed.duplicates)}</td>
              <td class="right num">{f.count(feed.undecoded)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function FeedState({ feed }: { feed: Feed }) {
  if (!feed.connected) return <span class="miss">✕ {t("disconnected")}</span>;
  if (feed.stale) return <span class="warn">‖ {t("stale")}</span>;
  return <span class="hit">✓ {t("connected")}</span>;
}

function SeriesTable({ series }: { series: NonNullable<System["series"]> }) {
  return (
    <Scroll label={t("series")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("instrument")}</th>
            <th scope="col">{t("interval")}</th>
            <th scope="col">{t("last_close")}</th>
            <th scope="col" class="right">
              {t("bars")}
            </th>
            <th scope="col" class="right">
              {t("gaps")}
            </th>
          </tr>
        </thead>
        <tbody>
          {series.map((one) => (
            <tr>
              <th scope="row">
                <SymbolLink symbol={one.symbol} />
              </th>
              <td>{f.interval(one.interval)}</td>
              <td class="nowrap num">
                <Time at={one.last_close} symbol={one.symbol} />
              </td>
              <td class="right num">{f.count(one.bars)}</td>
              <td class="right num">{one.gaps ? <span class="warn">{f.count(one.gaps)}</span> : f.count(one.gaps)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

"""krakenex asks the simulated Kraken for time, ticker, bars, trades and book."""
import json
import sys

import krakenex

api = krakenex.API()
api.uri = json.loads(sys.argv[1])["kraken"]["rest"]


def ask(method, **params):
    answer = api.query_public(method, params, timeout=10)
    assert answer["error"] == [], (method, answer)
    return answer["result"]


def rows(result):
    (key,) = (key for key in result if key != "last")
    assert key == "XXBTZUSD", key
    return result[key]


clock = ask("Time")["unixtime"]
ticker = rows(ask("Ticker", pair="XBTUSD"))
chart = ask("OHLC", pair="XBTUSD", interval=1)
trades = ask("Trades", pair="XBTUSD", count=10)
book = rows(ask("Depth", pair="XBTUSD", count=10))

opens = [row[0] for row in rows(chart)]
assert opens == list(range(opens[0], opens[0] + 60 * 720, 60)), opens
assert opens[-1] <= clock < opens[-1] + 120 and chart["last"] == opens[-2], (opens[-1], clock)
assert {len(row) for row in rows(chart)} == {8}
assert isinstance(trades["last"], str) and {row[3] for row in rows(trades)} <= {"b", "s"}, trades
best = float(book["bids"][0][0]), float(book["asks"][0][0])
assert best[0] < best[1], best
unknown = api.query_public("Ticker", {"pair": "NOPEUSD"}, timeout=10)
assert unknown["error"] == ["EQuery:Unknown asset pair"], unknown
print(f"ok kraken: last {ticker['c'][0]}, {len(opens)} bars, best {best[0]} / {best[1]}")

"""python-binance asks the simulated Binance for bars, book, trades and the day."""
import json
import sys

from binance.client import Client

rest = json.loads(sys.argv[1])["binance"]["rest"]
Client.API_URL = rest + "/api"
client = Client(requests_params={"timeout": 10})

clock = client.get_server_time()["serverTime"]
bars = client.get_klines(symbol="BTCUSDT", interval="1m", limit=10)
book = client.get_order_book(symbol="BTCUSDT", limit=10)
trades = client.get_recent_trades(symbol="BTCUSDT", limit=10)
grouped = client.get_aggregate_trades(symbol="BTCUSDT", limit=10)
day = client.get_ticker(symbol="BTCUSDT")

opens = [bar[0] for bar in bars]
assert len(bars) == 10 and opens == sorted(set(opens)), opens
assert all(len(bar) == 12 and isinstance(bar[4], str) for bar in bars), bars[0]
assert opens[-1] <= clock < opens[-1] + 120_000, (opens[-1], clock)
best = float(book["bids"][0][0]), float(book["asks"][0][0])
assert best[0] < best[1] and book["lastUpdateId"] > 0, book
ids = [trade["id"] for trade in trades]
assert ids == list(range(ids[0], ids[0] + len(ids))), ids
assert {type(trade["isBuyerMaker"]) for trade in trades} == {bool}, trades[0]
assert all(set("apqTm") <= set(group) for group in grouped), grouped[0]
assert float(day["lowPrice"]) <= float(day["lastPrice"]) <= float(day["highPrice"]), day
print(f"ok binance rest: {len(bars)} bars, best {best[0]} / {best[1]}, {len(ids)} trades")

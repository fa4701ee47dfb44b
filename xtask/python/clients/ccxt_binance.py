"""ccxt takes the simulated Binance for the exchange: markets, bars, ticker, trades, book."""
import json
import sys

import ccxt

rest = json.loads(sys.argv[1])["binance"]["rest"]
options = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchMargins": False}
exchange = ccxt.binance({"timeout": 10_000, "enableRateLimit": False, "options": options})
exchange.has["fetchCurrencies"] = False
public = {"public", "private"}
exchange.urls["api"] = {
    name: rest + ("/api/v3" if name in public else "/none/" + name) for name in exchange.urls["api"]
}

market = exchange.load_markets()["BTC/USDT"]
bars = exchange.fetch_ohlcv("BTC/USDT", "5m", limit=6)
ticker = exchange.fetch_ticker("BTC/USDT")
trades = exchange.fetch_trades("BTC/USDT", limit=8)
book = exchange.fetch_order_book("BTC/USDT", 5)

assert market["spot"] and market["precision"]["price"] > 0, market["precision"]
assert len(bars) == 6 and all(later[0] - bar[0] == 300_000 for bar, later in zip(bars, bars[1:])), bars
assert ticker["low"] <= ticker["last"] <= ticker["high"], ticker
assert {trade["side"] for trade in trades} <= {"buy", "sell"} and trades, trades
assert book["bids"][0][0] < book["asks"][0][0], book
print(f"ok ccxt: {len(exchange.markets)} markets, {len(bars)} bars, last {ticker['last']}")

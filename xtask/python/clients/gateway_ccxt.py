"""ccxt through the gateway, its own pace switched off: Binance and Kraken, faster than Kraken allows."""
import json
import sys
import time

import ccxt

venues = json.loads(sys.argv[1])["venues"]
options = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchMargins": False}
binance = ccxt.binance({"timeout": 60_000, "enableRateLimit": False, "options": options})
binance.has["fetchCurrencies"] = False
public = {"public", "private"}
binance.urls["api"] = {
    name: venues["binance"] + ("/api/v3" if name in public else "/none/" + name)
    for name in binance.urls["api"]
}
markets = binance.load_markets()
bars = binance.fetch_ohlcv("BTC/USDT", "5m", limit=6)
assert len(bars) == 6 and markets["BTC/USDT"]["spot"], bars
book = binance.fetch_order_book("BTC/USDT", 5)
assert book["bids"][0][0] < book["asks"][0][0], book

kraken = ccxt.kraken({"timeout": 60_000, "enableRateLimit": False})
kraken.urls["api"] = {name: venues["kraken"] for name in kraken.urls["api"]}
began = time.monotonic()
# Fifteen at once and one a second are allowed.
times = [kraken.fetch_time() for _ in range(20)]
took = time.monotonic() - began
assert times == sorted(times) and took > 3, (times, took)
try:
    kraken.fetch_order_book("BTC/USD")
except ccxt.BaseError:
    pass  # Its list of markets is the simulator's own matter; that it was asked is not.
print(f"ok ccxt through the gateway: {len(markets)} markets of Binance, {len(times)} calls of Kraken in {took:.1f} s")

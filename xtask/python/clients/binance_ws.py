"""python-binance listens to the simulated Binance: one stream each, and two on one connection."""
import asyncio
import json
import sys

from binance import AsyncClient
from binance.ws.streams import BinanceSocketManager

place = json.loads(sys.argv[1])["binance"]
AsyncClient.API_URL = place["rest"] + "/api"
BinanceSocketManager.STREAM_URL = place["ws"] + "/"


async def heard(socket, count):
    async with socket as stream:
        return [await asyncio.wait_for(stream.recv(), 15) for _ in range(count)]


async def listen():
    client = await AsyncClient.create()
    try:
        manager = BinanceSocketManager(client)
        trades = await heard(manager.trade_socket("BTCUSDT"), 3)
        bars = await heard(manager.kline_socket("ETHUSDT", "1m"), 1)
        both = await heard(manager.multiplex_socket(["btcusdt@aggTrade", "ethusdt@bookTicker"]), 4)
    finally:
        await client.close_connection()
    ids = [trade["t"] for trade in trades]
    assert ids == sorted(set(ids)) and {trade["s"] for trade in trades} == {"BTCUSDT"}, trades
    bar = bars[0]["k"]
    assert (bar["s"], bar["i"]) == ("ETHUSDT", "1m") and float(bar["l"]) <= float(bar["h"]), bar
    assert {one["stream"] for one in both} <= {"btcusdt@aggTrade", "ethusdt@bookTicker"}, both
    print(f"ok binance ws: trades {ids}, close {bar['c']}, {len(both)} combined")


asyncio.run(asyncio.wait_for(listen(), 50))

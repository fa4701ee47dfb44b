"""python-kis takes the simulated KIS for the venue: token, price, days, and trades over a session."""
import datetime
import json
import os
import sys
import threading

import pykis.client.websocket
import pykis.kis
import pykis.logging

# It writes its log between our words.
pykis.logging.setLevel("ERROR")
places = json.loads(sys.argv[1])["kis"]
pykis.kis.REAL_DOMAIN = pykis.kis.VIRTUAL_DOMAIN = places["rest"]
pykis.client.websocket.WEBSOCKET_REAL_DOMAIN = places["ws"]
pykis.client.websocket.WEBSOCKET_VIRTUAL_DOMAIN = places["ws"]

kis = pykis.PyKis(
    id="tester",
    account="12345678-01",
    appkey="p" * 36,
    secretkey="s" * 180,
    keep_token=False,
    use_websocket=True,
)
stock = kis.stock("005930")
quote = stock.quote()
assert quote.low <= quote.price <= quote.high and quote.volume >= 0, quote
chart = stock.chart("30d")
assert 15 <= len(chart.bars) <= 24, chart
fund = kis.stock("069500").quote()
assert fund.price > 0, fund
apple = kis.stock("AAPL", market="NASDAQ").quote()
assert apple.price > 0, apple

seoul = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=9)))
calendar = kis.fetch(
    "/uapi/domestic-stock/v1/quotations/chk-holiday",
    api="CTCA0903R",
    params={"BASS_DT": seoul.strftime("%Y%m%d"), "CTX_AREA_NK": "", "CTX_AREA_FK": ""},
)
is_day = calendar.output[0].opnd_yn == "Y"
is_open = is_day and datetime.time(9, 1) < seoul.time() < datetime.time(15, 19)

# Trades come while Seoul is open; at other hours a registration that is acknowledged must do.
heard, done = [], threading.Event()


def on_price(sender, event):
    heard.append(event.response)
    done.set()


ticket = stock.on("price", on_price)
done.wait(20 if is_open else 3)
registered = {tr.key for tr in kis.websocket._registered_subscriptions}
assert registered == {"005930"}, registered
assert heard or not is_open, "Seoul is open and nothing is told"
assert all(trade.symbol == "005930" and trade.price > 0 for trade in heard), heard
ticket.unsubscribe()
print(
    f"ok kis python-kis: price {quote.price}, {len(chart.bars)} days, fund {fund.price},"
    f" AAPL {apple.price}, {len(heard)} trades heard"
)
sys.stdout.flush()
# Its thread of the session does not end by itself.
os._exit(0)

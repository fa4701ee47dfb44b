"""yfinance takes the simulated Yahoo for the venue: days, minutes, a search; over both of its transports."""
import json
import sys
import tempfile
import urllib.parse

import curl_cffi.requests
import requests
import yfinance

rest = json.loads(sys.argv[1])["yahoo"]["rest"]
yfinance.set_tz_cache_location(tempfile.mkdtemp())


def here(url):
    parts = urllib.parse.urlsplit(url)
    if (parts.hostname or "").endswith("yahoo.com"):
        return rest + parts.path + ("?" + parts.query if parts.query else "")
    return url


class Plain(requests.Session):
    def request(self, method, url, *args, **kwargs):
        return super().request(method, here(url), *args, **kwargs)


class AsChrome(curl_cffi.requests.Session):
    """Asks for another protocol with every first request (Upgrade: h2c)."""

    def request(self, method, url, *args, **kwargs):
        return super().request(method, here(url), *args, **kwargs)


session = Plain()
days = yfinance.Ticker("^GSPC", session=session).history(period="1mo", interval="1d", timeout=10)
assert len(days) >= 15 and str(days.index.tz) == "America/New_York", days
assert (days["High"] >= days["Low"]).all() and (days["Volume"] > 0).all(), days
minutes = yfinance.Ticker("AAPL", session=session).history(period="5d", interval="15m", timeout=10)
assert len(minutes) > 60 and minutes.index.is_monotonic_increasing, minutes
found = yfinance.Search("samsung", max_results=3, news_count=1, session=session)
assert found.quotes[0]["symbol"] == "005930.KS", found.quotes

chrome = AsChrome(impersonate="chrome")
seoul = yfinance.Ticker("005930.KS", session=chrome).history(period="5d", interval="1d", timeout=10)
assert len(seoul) == 5 and str(seoul.index.tz) == "Asia/Seoul", seoul
print(f"ok yahoo: {len(days)} days, {len(minutes)} quarters of an hour, {len(seoul)} days in Seoul")

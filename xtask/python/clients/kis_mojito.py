"""mojito2 takes the simulated KIS for the venue: token, price, days of an earlier year."""
import json
import os
import sys
import tempfile

rest = json.loads(sys.argv[1])["kis"]["rest"]
# It writes its token into the folder it stands in.
os.chdir(tempfile.mkdtemp())

import mojito


class Here(mojito.KoreaInvestment):
    def set_base_url(self, mock=True):
        self.base_url = rest


broker = Here(api_key="m" * 36, api_secret="s" * 180, acc_no="12345678-01")
price = broker.fetch_price("005930")
assert price["rt_cd"] == "0" and int(price["output"]["stck_prpr"]) > 0, price
days = broker.fetch_ohlcv(
    "005930", timeframe="D", start_day="20240101", end_day="20240131", adj_price=True
)
rows = days["output2"]
dates = [row["stck_bsop_date"] for row in rows]
assert days["rt_cd"] == "0" and 15 <= len(rows) <= 23, days
assert dates == sorted(set(dates), reverse=True) and dates[-1] >= "20240101", dates
assert all(int(row["stck_lwpr"]) <= int(row["stck_clpr"]) <= int(row["stck_hgpr"]) for row in rows)
unknown = broker.fetch_price("999999")
assert unknown["rt_cd"] != "0", unknown
print(f"ok kis mojito2: price {price['output']['stck_prpr']}, {len(rows)} days")

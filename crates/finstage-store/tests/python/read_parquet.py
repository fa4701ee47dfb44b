"""Reads a series of the shelf with pandas, polars and DuckDB: read_parquet.py FOLDER EXPECTED.csv"""
import sys
import duckdb, pandas, polars

folder, expected = sys.argv[1], pandas.read_csv(sys.argv[2], parse_dates=["timestamp"])
columns = list(expected.columns)
read = {
    "pandas": pandas.read_parquet(folder, columns=columns),
    "polars": polars.read_parquet(f"{folder}/*.parquet").select(columns).to_pandas(),
    "duckdb": duckdb.sql(f"SELECT {', '.join(columns)} FROM '{folder}/*.parquet'").df(),
}
for name, bars in read.items():
    bars = bars.assign(timestamp=bars.timestamp.dt.tz_convert("UTC")).sort_values("timestamp")
    pandas.testing.assert_frame_equal(bars.reset_index(drop=True), expected, check_dtype=False, check_exact=True)
    print("ok", name, len(bars))

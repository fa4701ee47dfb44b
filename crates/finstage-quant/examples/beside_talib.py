"""Column forms beside TA-Lib's, in nanoseconds a bar: the least of many alternating repetitions.

    cargo build --release -p finstage-quant --example columns
    MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=1000000000 \\
        python crates/finstage-quant/examples/beside_talib.py target/release/examples/columns

Needs `pip install TA-Lib numpy`. Bars are those of the example. TA-Lib asks for new columns each time; the
two variables make the C library hand out the same memory again, as our column forms get it. Without
them TA-Lib's functions with three outputs take twice as long.
"""

import subprocess
import sys
import time

import numpy as np
import talib

BARS = 1_000_000
ROUNDS = 3
REPETITIONS = 15


def walk():
    """High, low and close: the walk of `columns.rs`."""
    state = 7

    def random(below):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % below

    rows, cents = np.empty((BARS, 3)), 10_000
    for row in rows:
        cents = max(cents + random(51) - 25, 500)
        row[:] = cents + random(60), cents - random(60), cents
        random(100_000)
    return [np.ascontiguousarray(column) / 100 for column in rows.T]


def main():
    high, low, close = walk()
    functions = {
        "SMA": lambda: talib.SMA(close, 20),
        "EMA": lambda: talib.EMA(close, 20),
        "RSI": lambda: talib.RSI(close, 14),
        "MACD": lambda: talib.MACD(close, 12, 26, 9),
        "BBANDS": lambda: talib.BBANDS(close, 20, 2, 2),
        "ATR": lambda: talib.ATR(high, low, close, 14),
    }
    ours, theirs = {}, {}
    for _ in range(ROUNDS):
        said = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout
        for name, column, _ in (line.split() for line in said.splitlines()[1:]):
            ours[name] = min(ours.get(name, np.inf), float(column))
        for name, function in functions.items():
            for _ in range(REPETITIONS):
                start = time.perf_counter()
                function()
                nanos = (time.perf_counter() - start) * 1e9 / BARS
                theirs[name] = min(theirs.get(name, np.inf), nanos)
    print(f"{'ns per bar':<12}{'ours':>8}{'TA-Lib':>8}{'ratio':>8}")
    for name in functions:
        print(f"{name:<12}{ours[name]:>8.2f}{theirs[name]:>8.2f}{ours[name] / theirs[name]:>8.2f}")


main()

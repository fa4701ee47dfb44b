"""vectorbt runs all crosses of averages at once; it answers on a line for each line it is told.

load FILE EDGE  bars of whole prices as CSV; EDGE values of fast from 5 and of slow from 105; compiles everything once
run             -> ok NANOSECONDS: processor time of all runs with their statistics
equity FROM     -> ok MONEY ...: of a hundred combinations from there on, at the close before the last
"""
import sys
import time
import warnings

answers, sys.stdout = sys.stdout, sys.stderr
warnings.simplefilter("ignore")

import numpy
import pandas
import vectorbt


def load(file, edge):
    global bars, fast, slow
    bars = pandas.read_csv(file, index_col=0, parse_dates=True)
    bars.columns = [name.lower() for name in bars.columns]
    pairs = [(5 + a, 105 + b) for a in range(int(edge)) for b in range(int(edge))]
    fast, slow = (list(values) for values in zip(*pairs))
    work()
    return "ok"


def work():
    """Long from the open after a cross upwards to the open after one downwards, a hundred units."""
    averages = [
        vectorbt.MA.run(bars["close"], window=windows, short_name=name)
        for windows, name in ((fast, "fast"), (slow, "slow"))
    ]
    entries = averages[0].ma_crossed_above(averages[1]).vbt.signals.fshift(1)
    exits = averages[0].ma_crossed_below(averages[1]).vbt.signals.fshift(1)
    test = vectorbt.Portfolio.from_signals(
        bars["close"], entries, exits, price=bars["open"], size=100.0, size_type="amount",
        fees=0.001, init_cash=1e8, direction="longonly", freq="1D",
    )
    figures = test.final_value(), test.sharpe_ratio(), test.max_drawdown(), test.trades.count()
    return test, figures


def run():
    global money
    before = time.process_time_ns()
    test, _ = work()
    took = time.process_time_ns() - before
    money = numpy.asarray(test.value())[-2]
    return f"ok {took}"


def equity(place):
    some = money[int(place):int(place) + 100]
    return "ok " + " ".join(repr(float(value)) for value in some)


print("ready", vectorbt.__version__, file=answers, flush=True)
for line in sys.stdin:
    command, *words = line.rstrip("\n").split("\t")
    print({"load": load, "run": run, "equity": equity}[command](*words), file=answers, flush=True)

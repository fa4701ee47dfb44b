"""backtesting.py runs a cross of averages; it answers on a line for each line it is told.

load FILE   bars as CSV
run         -> ok NANOSECONDS TRADES EQUITY: processor time of one run with its statistics
"""
import sys
import time
import warnings

answers, sys.stdout = sys.stdout, sys.stderr
warnings.simplefilter("ignore")

import backtesting
import pandas
from backtesting.lib import crossover


def mean(close, period):
    # Of whole cents, so that two equal means are equal and do not cross by a rounding.
    return pandas.Series(close).mul(100).round().rolling(period).mean()


class Cross(backtesting.Strategy):
    def init(self):
        self.fast = self.I(mean, self.data.Close, 10)
        self.slow = self.I(mean, self.data.Close, 20)

    def next(self):
        # Averages that touch do not cross: a side may be named that is held already.
        if crossover(self.fast, self.slow) and not self.position.is_long:
            self.position.close()
            self.buy(size=0.95)
        elif crossover(self.slow, self.fast) and not self.position.is_short:
            self.position.close()
            self.sell(size=0.95)


def load(file):
    global test
    bars = pandas.read_csv(file, index_col=0, parse_dates=True)
    bars.columns = [name.title() for name in bars.columns]
    test = backtesting.Backtest(bars, Cross, cash=1_000_000, commission=0.001, finalize_trades=True)
    return "ok"


def run():
    before = time.process_time_ns()
    stats = test.run()
    took = time.process_time_ns() - before
    return f"ok {took} {stats['# Trades']} {float(stats['Equity Final [$]'])!r}"


print("ready", backtesting.__version__, file=answers, flush=True)
for line in sys.stdin:
    command, *words = line.rstrip("\n").split("\t")
    print({"load": load, "run": run}[command](*words), file=answers, flush=True)

"""TA-Lib's C library, called directly, answers on a line for each line it is told.

load FILE BARS   five columns of doubles, one after another: open high low close volume
run NAME         -> ok NANOSECONDS LAST: processor time of one call over all bars, and its last value
"""
import ctypes
import sys
import time

import numpy
import talib
import talib._ta_lib as module

library = ctypes.CDLL(module.__file__)
doubles = ctypes.POINTER(ctypes.c_double)


def pointer(column):
    return column.ctypes.data_as(doubles)


def load(file, bars):
    global columns, outputs, last
    last = int(bars) - 1
    columns = numpy.fromfile(file).reshape(5, int(bars))
    # Made and touched beforehand, as ours are.
    outputs = numpy.zeros((3, int(bars)))
    return "ok"


def run(name):
    _, high, low, close, _ = map(pointer, columns)
    first, second, third = map(pointer, outputs)
    begin, count = ctypes.c_int(), ctypes.c_int()
    at = (ctypes.byref(begin), ctypes.byref(count))
    number = ctypes.c_double
    calls = {
        "sma20": lambda: library.TA_SMA(0, last, close, 20, *at, first),
        "ema20": lambda: library.TA_EMA(0, last, close, 20, *at, first),
        "rsi14": lambda: library.TA_RSI(0, last, close, 14, *at, first),
        "macd": lambda: library.TA_MACD(0, last, close, 12, 26, 9, *at, first, second, third),
        "bbands20": lambda: library.TA_BBANDS(
            0, last, close, 20, number(2), number(2), 0, *at, first, second, third
        ),
        "atr14": lambda: library.TA_ATR(0, last, high, low, close, 14, *at, first),
    }
    call = calls[name]
    before = time.process_time_ns()
    code = call()
    took = time.process_time_ns() - before
    if code != 0:
        return f"error TA-Lib says {code}"
    return f"ok {took} {float(outputs[0, count.value - 1])!r}"


print("ready", talib.__version__, flush=True)
for line in sys.stdin:
    command, *words = line.rstrip("\n").split("\t")
    print({"load": load, "run": run}[command](*words), flush=True)

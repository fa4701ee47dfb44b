"""cryptography opens sealed ticks in the four ways of the source document; an answer on a line for each
line that it is told.

load FILE KEY   envelopes {"nonce","encrypted_payload"}, one a line; the key as base64 in a file
single          one after the other
async           a task for each
batch           lists of a hundred, handed to one thread
workers         lists of a hundred, handed to four threads
                each -> ok NANOSECONDS TO-WAIT COUNT SUM: processor time, time that passed, and how
                many records came out with the sum of their timestamps
latency         -> ok P50 P99 P99.9: nanoseconds that one after the other take
"""
import asyncio
import base64
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import cryptography
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

BATCH = 100
WORKERS = 4
# Tasks that exist at once: a list of all messages would not be a stream.
TASKS = 1_000


def load(file, key):
    global messages, cipher
    with open(key) as text:
        # Once: for each message it costs a fifth more.
        cipher = AESGCM(base64.b64decode(text.read()))
    with open(file) as lines:
        messages = lines.read().splitlines()
    return "ok"


def opened(message):
    envelope = json.loads(message)
    nonce = base64.b64decode(envelope["nonce"])
    payload = base64.b64decode(envelope["encrypted_payload"])
    record = json.loads(cipher.decrypt(nonce, payload, None))
    return record["symbol"], record["price"], record["volume"], record["timestamp"]


def opened_all(some):
    return [opened(message) for message in some]


async def opened_later(message):
    return opened(message)


def pieces(length):
    return (messages[at : at + length] for at in range(0, len(messages), length))


def single():
    for message in messages:
        yield opened(message)


def as_tasks():
    async def whole():
        records = []
        for some in pieces(TASKS):
            tasks = [asyncio.create_task(opened_later(message)) for message in some]
            records.extend(await asyncio.gather(*tasks))
        return records

    return asyncio.run(whole())


def threads(count):
    with ThreadPoolExecutor(count) as pool:
        for records in pool.map(opened_all, pieces(BATCH)):
            yield from records


MODES = {
    "single": single,
    "async": as_tasks,
    "batch": lambda: threads(1),
    "workers": lambda: threads(WORKERS),
}


def run(mode):
    cpu, began = time.process_time_ns(), time.perf_counter_ns()
    count = total = 0
    for record in MODES[mode]():
        count, total = count + 1, total + record[3]
    cpu, waited = time.process_time_ns() - cpu, time.perf_counter_ns() - began
    return f"ok {cpu} {waited} {count} {total % 1_000_000_007}"


def latency():
    times = []
    for message in messages:
        began = time.perf_counter_ns()
        opened(message)
        times.append(time.perf_counter_ns() - began)
    times.sort()
    at = [times[min(len(times) - 1, len(times) * share // 1_000)] for share in (500, 990, 999)]
    return "ok " + " ".join(map(str, at))


print("ready", cryptography.__version__, flush=True)
for line in sys.stdin:
    command, *words = line.rstrip("\n").split("\t")
    answer = {"load": load, "latency": latency}.get(command)
    print(answer(*words) if answer else run(command), flush=True)

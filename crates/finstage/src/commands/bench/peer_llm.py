"""What people use to put many questions to a model; an answer on a line for each line that it is told.

run KIND BASE ROWS CONCURRENCY RETRIES
    KIND is aiohttp (a semaphore around each call, as the source document has it, with back-off 1, 2, 4 ... s or
    what Retry-After says), openai (AsyncOpenAI) or litellm (its Router); BASE is an address with /v1
    -> ok DONE PROCESSOR-NS WAITED-NS: rows with an answer, processor time of this process, time that passed
"""
import asyncio
import os
import sys
import time

os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_TELEMETRY="False")

import aiohttp
import litellm
import openai
from importlib.metadata import version

litellm.suppress_debug_info = True
KEY = "sk-bench"
MODEL = "gpt-4o-mini"
TIMEOUT = 60


def question(row):
    return [{"role": "user", "content": f"Sentiment of headline {row}: markets rise on news {row}"}]


async def with_aiohttp(base, rows, concurrency, retries):
    places = asyncio.Semaphore(concurrency)
    connector = aiohttp.TCPConnector(limit=concurrency)
    headers = {"Authorization": f"Bearer {KEY}"}
    limit = aiohttp.ClientTimeout(total=TIMEOUT)

    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=limit) as session:

        async def ask(row):
            body = {"model": MODEL, "messages": question(row), "temperature": 0}
            for attempt in range(retries + 1):
                async with places:
                    async with session.post(f"{base}/chat/completions", json=body) as answer:
                        if answer.status == 200:
                            await answer.json()
                            return True
                        asked = answer.headers.get("retry-after")
                # Waits outside of the semaphore: the document's own form waits inside, which can stand still.
                await asyncio.sleep(float(asked) if asked else 2**attempt)
            return False

        return await asyncio.gather(*(ask(row) for row in range(rows)))


async def with_openai(base, rows, concurrency, retries):
    places = asyncio.Semaphore(concurrency)
    client = openai.AsyncOpenAI(base_url=base, api_key=KEY, max_retries=retries, timeout=TIMEOUT)

    async def ask(row):
        async with places:
            try:
                await client.chat.completions.create(model=MODEL, messages=question(row), temperature=0)
                return True
            except openai.APIError:
                return False

    async with client:
        return await asyncio.gather(*(ask(row) for row in range(rows)))


async def with_litellm(base, rows, concurrency, retries):
    places = asyncio.Semaphore(concurrency)
    target = {"model": f"openai/{MODEL}", "api_base": base, "api_key": KEY}
    router = litellm.Router(
        model_list=[{"model_name": MODEL, "litellm_params": target}], num_retries=retries, timeout=TIMEOUT
    )

    async def ask(row):
        async with places:
            try:
                await router.acompletion(model=MODEL, messages=question(row), temperature=0)
                return True
            except Exception:
                return False

    return await asyncio.gather(*(ask(row) for row in range(rows)))


KINDS = {"aiohttp": with_aiohttp, "openai": with_openai, "litellm": with_litellm}


def run(kind, base, rows, concurrency, retries):
    work = KINDS[kind](base, int(rows), int(concurrency), int(retries))
    processor, clock = time.process_time_ns(), time.perf_counter_ns()
    done = sum(asyncio.run(work))
    return f"ok {done} {time.process_time_ns() - processor} {time.perf_counter_ns() - clock}"


versions = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "openai", "litellm"))
print(f"ready {versions}")
for line in sys.stdin:
    order, *words = line.rstrip("\n").split("\t")
    try:
        print(run(*words) if order == "run" else f"what is {order}?")
    except Exception as error:
        print(f"{type(error).__name__}: {error}"[:400].replace("\n", " "))
